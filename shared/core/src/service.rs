//! A service: the resource types that one function looks after.

use std::collections::BTreeSet;
use std::fmt;

use crate::settings::{Known, SectionType};
use crate::{Listing, Location, Meta};

/// An AWS service as a function looks after it: what the catalog lists.
pub struct Service {
    /// The name of its folder in `functions/`, as in `s3`.
    pub name: &'static str,
    /// AWS's own name of it, as in `Amazon S3`.
    pub title: &'static str,
    /// The CloudTrail event source of its calls, as in `s3.amazonaws.com`.
    pub source: &'static str,
    /// Its resource types.
    pub types: Vec<Box<dyn Listing>>,
    /// Its own section of the settings, if it has one.
    pub settings: Option<SectionType>,
}

impl Service {
    /// The name of its crate and of its Lambda's binary, as in `portcullis-s3`.
    pub fn binary(&self) -> String {
        format!("portcullis-{}", self.name)
    }

    /// What the ids of its controls begin with: its name, as in `efs`, or that of the event source, as in `cloudtrail`.
    pub fn prefix(&self) -> &'static str {
        let mut controls = self.types.iter().flat_map(|listing| listing.controls());
        controls
            .next()
            .and_then(|meta| meta.id.split_once('-'))
            .map_or(self.name, |(prefix, _)| prefix)
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

impl Known {
    /// The controls and the sections of all services: settings that name any other are a mistake.
    pub fn all(services: &[Service]) -> Self {
        let mut known = Self {
            all: true,
            ..Self::default()
        };
        for service in services {
            known.add(service);
        }
        known
    }

    /// Those of one function: the settings may name other services' controls, but no unknown one of its own service, and may have
    /// the sections of these names, which it leaves to the others.
    pub fn own(service: &Service, sections: impl IntoIterator<Item = &'static str>) -> Self {
        let mut known = Self {
            section_names: sections.into_iter().collect(),
            ..Self::default()
        };
        known.add(service);
        known
    }

    fn add(&mut self, service: &Service) {
        for listing in &service.types {
            let controls = listing.controls().into_iter();
            self.controls.extend(controls.map(|meta| (meta.id, meta)));
            let form = form_of(listing.as_ref());
            for meta in listing.controls() {
                self.forms_by_control.entry(meta.id).or_default().extend(form.clone());
            }
            self.all_forms.extend(form);
            self.quarantines.extend(listing.quarantines());
            self.arn_forms
                .extend(Some(listing.arn_form()).filter(|form| !form.is_empty()));
        }
        if let Some(section) = service.settings {
            self.sections.push(section);
            if !self.section_names.contains(&section.name) {
                self.section_names.push(section.name);
            }
        }
    }
}

/// What a type's ARNs have after the partition; of a type of which a place has but one, as that place says.
fn form_of(listing: &dyn Listing) -> Option<String> {
    let form = listing.arn_form();
    if !form.is_empty() {
        return Some(form.to_owned());
    }
    let place = Location {
        account: "204060801357".into(),
        region: "eu-west-1".into(),
    };
    let only = listing.identified(&place.account, &place)?;
    let form = only.arn.splitn(3, ':').nth(2)?;
    Some(form.replace(&place.region, "{r}").replace(&place.account, "{a}"))
}
