//! A service: the resource types that one function looks after.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Listing, Meta};

/// An AWS service as a function looks after it: what the catalog lists.
pub struct Service {
    /// The name of its folder in `functions/`, as in `s3`. Its controls' ids begin with it.
    pub name: &'static str,
    /// AWS's own name of it, as in `Amazon S3`.
    pub title: &'static str,
    /// The CloudTrail event source of its calls, as in `s3.amazonaws.com`.
    pub source: &'static str,
    /// Its resource types.
    pub types: Vec<Box<dyn Listing>>,
}

impl Service {
    /// The name of its crate and of its Lambda's binary, as in `portcullis-s3`.
    pub fn binary(&self) -> String {
        format!("portcullis-{}", self.name)
    }

    /// AWS's name of it without the vendor's, as in `S3`.
    pub fn short_title(&self) -> &'static str {
        self.title.split_once(' ').map_or(self.title, |(_, short)| short)
    }

    /// Its controls, in their order.
    pub fn controls(&self) -> Vec<&'static Meta> {
        self.types.iter().flat_map(|listing| listing.controls()).collect()
    }

    /// The calls that lead to its resources.
    pub fn calls(&self) -> BTreeSet<&'static str> {
        self.types.iter().flat_map(|listing| listing.calls()).collect()
    }

    /// The IAM actions that its role needs in any mode.
    pub fn reads(&self) -> BTreeSet<&'static str> {
        self.types.iter().flat_map(|listing| listing.reads()).collect()
    }

    /// The IAM actions that its role needs to put right.
    pub fn writes(&self) -> BTreeSet<&'static str> {
        self.types.iter().flat_map(|listing| listing.writes()).collect()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
