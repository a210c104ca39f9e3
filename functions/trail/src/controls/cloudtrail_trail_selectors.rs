//! # What it requires
//! The trails that record in the region take all management events together: those that read and those that change something, of all
//! services, KMS included, in all regions.
//!
//! # Why
//! Selectors that leave something out blind whoever reads the logs as a stop does, and are seen less. What several trails take adds
//! up: a second trail, for objects alone, is no finding.
//!
//! # What it changes
//! Nothing: what the selectors were is not known, and putting others would replace those of data events. It is told with the call
//! that puts it right: critical where events that change something are left out.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! CloudTrail User Guide, "Logging management events"; CloudTrail API Reference, `PutEventSelectors`, `AdvancedFieldSelector`; Security
//! Hub CloudTrail.1.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::trail::{Selector, Trail, TrailChange, TrailFact, left_out};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-selectors",
        title: "The trails of a region record all management events",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub CloudTrail.1", "Config multi-region-cloudtrail-enabled"],
        calls: &["CreateTrail", "PutEventSelectors", "UpdateTrail"],
    },
    reads: &[TrailFact::Description, TrailFact::Recorded],
    changes: &[],
    judge: &judge,
};

fn judge(trail: &Trail, context: &JudgeContext<'_>) -> Judgement<TrailChange> {
    let (Some(own), Some(others), Some(is)) = (trail.selectors.get(), trail.elsewhere.get(), trail.description.get())
    else {
        return Judgement::Compliant;
    };
    // One that is not for management events is no finding where another one is: that one answers for what it leaves out.
    if own.is_empty() && !others.selectors.is_empty() {
        return Judgement::Compliant;
    }
    let together: Vec<&Selector> = own.iter().chain(&others.selectors).collect();
    let mut missing = left_out(&together);
    let severe = missing.iter().any(|kind| kind.starts_with("events that change"));
    if !is.multi_region && !others.multi_region {
        missing.push("events of other regions".to_owned());
    }
    if missing.is_empty() {
        return Judgement::Compliant;
    }
    let summary = Clause::new(
        "leaves out, and no other trail records",
        "left out, and no other trail recorded",
    );
    let (arn, region) = (&context.resource.arn, &context.resource.region);
    Finding::new(
        if severe { Severity::Critical } else { Severity::High },
        summary.followed_by(format!(": {}", missing.join(", "))),
        "",
        Vec::new(),
    )
    .only_notify(format!(
        "its selectors are replaced as a whole, so that a person has to add what is missing: one that takes all management events \
         is {{\"Name\":\"Management\",\"FieldSelectors\":[{{\"Field\":\"eventCategory\",\"Equals\":[\"Management\"]}}]}}, with aws \
         cloudtrail put-event-selectors --region {region} --trail-name {arn} --advanced-event-selectors …; all regions are aws \
         cloudtrail update-trail --region {region} --name {arn} --is-multi-region-trail"
    ))
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::trail::{Description, Elsewhere, TYPE};

    fn severity(own: &[Selector], multi_region: bool, others: Elsewhere) -> Option<Severity> {
        let trail = Trail {
            selectors: Observed::Is(own.to_vec()),
            elsewhere: Observed::Is(others),
            description: Observed::Is(Description {
                multi_region,
                ..Description::default()
            }),
            ..Trail::default()
        };
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit";
        judging(&resource(TYPE.name, arn), &Settings::default(), |context| {
            judge(&trail, context)
        })
        .finding()
        .map(|finding| finding.severity)
    }

    #[test]
    fn what_all_trails_leave_out_is_told_once_and_by_whom_it_is() {
        let all = Selector::all();
        let reads = Selector {
            writes: false,
            ..Selector::all()
        };
        let writes = Selector {
            reads: false,
            ..Selector::all()
        };
        let none = Elsewhere::default;
        let with = |selector: &Selector| Elsewhere {
            trails: ["second".to_owned()].into(),
            selectors: vec![selector.clone()],
            multi_region: true,
        };
        assert_eq!(severity(std::slice::from_ref(&all), true, none()), None);
        assert_eq!(
            severity(std::slice::from_ref(&all), false, none()),
            Some(Severity::High)
        );
        assert_eq!(severity(std::slice::from_ref(&all), false, with(&all)), None);
        assert_eq!(
            severity(std::slice::from_ref(&reads), true, none()),
            Some(Severity::Critical)
        );
        assert_eq!(
            severity(std::slice::from_ref(&writes), true, none()),
            Some(Severity::High)
        );
        assert_eq!(severity(std::slice::from_ref(&reads), true, with(&writes)), None);
        // For objects alone.
        assert_eq!(severity(&[], true, with(&reads)), None);
        assert_eq!(severity(&[], true, none()), Some(Severity::Critical));
    }
}
