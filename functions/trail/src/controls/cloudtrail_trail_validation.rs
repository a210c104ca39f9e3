//! # What it requires
//! Log file validation is on: CloudTrail writes digests by which a change to a log file, or its deletion, is seen.
//!
//! # Why
//! Whoever got at the logs would be seen to have changed them. Turning it off is a step on the way there.
//!
//! # What it changes
//! `UpdateTrail` with `EnableLogFileValidation`. Hours without digests stay without.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! CloudTrail User Guide, "Validating CloudTrail log file integrity"; Security Hub CloudTrail.4.

use portcullis_controls::prelude::*;
use portcullis_core::Observed;

use crate::trail::{Trail, TrailChange, TrailFact};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-validation",
        title: "A trail's log files can be shown to be untouched",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &[
            "Security Hub CloudTrail.4",
            "Config cloud-trail-log-file-validation-enabled",
        ],
        calls: &["CreateTrail", "UpdateTrail"],
    },
    reads: &[TrailFact::Validation],
    changes: &[TrailFact::Validation],
    judge: &|trail, _| {
        if trail.validation != Observed::Is(false) {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::High,
            Clause::new(
                "does not validate its log files: a change to them can't be seen",
                "did not validate its log files: a change to them couldn't be seen",
            ),
            "turn on log file validation",
            vec![TrailChange::Validation(true)],
        )
        .into()
    },
};
