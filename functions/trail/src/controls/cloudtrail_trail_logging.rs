//! # What it requires
//! The trail records.
//!
//! # Why
//! Whoever means harm stops the trail first: nothing of what follows is written down. Portcullis hears of nothing then, either, where
//! no other trail records.
//!
//! # What it changes
//! `StartLogging`. What happened meanwhile is in no log file; CloudTrail's event history keeps the management events of 90 days. A
//! trail of the organisation is put right in its management account only.
//!
//! # What may break
//! Nothing. A trail that is to go is deleted, or exempted before it is stopped.
//!
//! # References
//! CloudTrail API Reference, `StartLogging`, `StopLogging`; Security Hub CloudTrail.1, CloudTrail.3.

use portcullis_controls::prelude::*;
use portcullis_core::Observed;

use crate::trail::{Trail, TrailChange, TrailFact};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-logging",
        title: "No trail is stopped",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &[
            "Security Hub CloudTrail.1",
            "Security Hub CloudTrail.3",
            "Config cloudtrail-enabled",
        ],
        calls: &["CreateTrail", "StopLogging"],
    },
    reads: &[TrailFact::Logging],
    changes: &[TrailFact::Logging],
    judge: &|trail, _| {
        if trail.logging != Observed::Is(false) {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::Critical,
            Clause::new("is stopped: it records nothing", "was stopped: it recorded nothing"),
            "start it again",
            vec![TrailChange::Logging(true)],
        )
        .into()
    },
};
