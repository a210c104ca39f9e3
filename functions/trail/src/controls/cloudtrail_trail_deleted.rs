//! # What it requires
//! The trail is there.
//!
//! # Why
//! What happens from then on is in no log file. Where it was the only trail, Portcullis hears of nothing any more.
//!
//! # What it changes
//! Nothing: no call brings the same trail back. It is told, with the trails that still record in the region and the call that makes
//! one.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! CloudTrail API Reference, `DeleteTrail`; Security Hub CloudTrail.1.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;
use portcullis_core::Observed;

use crate::trail::{Trail, TrailChange, TrailFact};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-deleted",
        title: "No trail was deleted",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub CloudTrail.1"],
        calls: &["DeleteTrail"],
    },
    reads: &[TrailFact::Existence],
    changes: &[],
    judge: &judge,
};

fn judge(trail: &Trail, context: &JudgeContext<'_>) -> Judgement<TrailChange> {
    if trail.description != Observed::Absent {
        return Judgement::Compliant;
    }
    let left = trail
        .elsewhere
        .get()
        .map(|elsewhere| elsewhere.trails.iter().cloned().collect::<Vec<_>>());
    let left = left.filter(|names| !names.is_empty()).map(|names| names.join(", "));
    let left = left.map_or_else(
        || "no trail records here any more, and no event comes from here".to_owned(),
        |names| format!("what still records here: {names}"),
    );
    let (name, region) = (&context.resource.id, &context.resource.region);
    Finding::new(Severity::Critical, Clause::was(format!("deleted; {left}")), "", Vec::new())
        .only_notify(format!(
            "nothing brings it back. Make one like it, with its bucket: aws cloudtrail create-trail --region {region} --name {name} \
             --s3-bucket-name <bucket> --is-multi-region-trail --enable-log-file-validation; then aws cloudtrail start-logging \
             --region {region} --name {name}"
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;
    use portcullis_core::testing::{judging, resource};

    use super::*;
    use crate::trail::{Description, Elsewhere, TYPE};

    #[test]
    fn it_is_told_what_still_records() {
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit";
        let judged = |trail: &Trail| {
            judging(&resource(TYPE.name, arn), &Settings::default(), |context| {
                judge(trail, context)
            })
            .finding()
        };
        let mut trail = Trail {
            description: Observed::Absent,
            elsewhere: Observed::Is(Elsewhere::default()),
            ..Trail::default()
        };
        let told = |trail: &Trail| format!("{:?}", judged(trail).unwrap());
        assert!(told(&trail).contains("no trail records here any more"));
        trail.elsewhere = Observed::Is(Elsewhere {
            trails: ["second".to_owned()].into(),
            ..Elsewhere::default()
        });
        assert!(told(&trail).contains("what still records here: second"));
        trail.description = Observed::Is(Description::default());
        assert_eq!(judged(&trail), None);
    }
}
