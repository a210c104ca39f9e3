//! # What it requires
//! The trail's last log file was delivered, and to one of the buckets that settings name (`trail.buckets`), where they name any.
//!
//! # Why
//! A trail that records into a bucket that is gone, or whose policy or key does not let it, records nothing. One that records into
//! another bucket tells somebody else.
//!
//! # What it changes
//! Nothing: which bucket and which key are right is not for a machine to say. It is told with the error of CloudTrail.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! CloudTrail API Reference, `GetTrailStatus` (`LatestDeliveryError`), `UpdateTrail`; CloudTrail User Guide, "Amazon S3 bucket policy for
//! CloudTrail", "Configure AWS KMS key policies for CloudTrail".

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::settings::TrailSettings;
use crate::trail::{Trail, TrailChange, TrailFact};

pub const CONTROL: Control<Trail> = Control {
    meta: Meta {
        id: "cloudtrail-trail-delivery",
        title: "A trail's log files arrive where they belong",
        severity: Severity::Critical,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["CloudTrail User Guide: Amazon S3 bucket policy for CloudTrail"],
        calls: &["CreateTrail", "UpdateTrail"],
    },
    reads: &[TrailFact::Delivery, TrailFact::Description],
    changes: &[],
    judge: &judge,
};

fn judge(trail: &Trail, context: &JudgeContext<'_>) -> Judgement<TrailChange> {
    let Some(is) = trail.description.get() else {
        return Judgement::Compliant;
    };
    let (bucket, arn, region) = (&is.bucket, &context.resource.arn, &context.resource.region);
    let settings = context.settings.section::<TrailSettings>();
    let allowed = &settings.buckets;
    let summary = if !allowed.is_empty() && !allowed.contains(bucket) {
        Clause::new("records into", "recorded into").followed_by(format!(
            " the bucket {bucket}, which the settings (trail.buckets) do not name"
        ))
    } else if let Some(error) = trail.delivery_error.get() {
        Clause::new("can't deliver", "couldn't deliver")
            .followed_by(format!(" its log files to the bucket {bucket}: {error}"))
    } else {
        return Judgement::Compliant;
    };
    Finding::new(Severity::Critical, summary, "", Vec::new())
        .only_notify(format!(
            "which bucket and key are right, a person has to say: look at the bucket's policy and the key's, or set another bucket \
             with aws cloudtrail update-trail --region {region} --name {arn} --s3-bucket-name <bucket>"
        ))
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::trail::{Description, TYPE};

    #[test]
    fn a_bucket_that_is_not_named_and_a_delivery_that_fails_are_told() {
        let mut settings = Settings::default();
        let mut trail = Trail {
            description: Observed::Is(Description {
                bucket: "logs".into(),
                ..Description::default()
            }),
            delivery_error: Observed::Absent,
            ..Trail::default()
        };
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/audit";
        let judged = |trail: &Trail, settings: &Settings| {
            judging(&resource(TYPE.name, arn), settings, |context| judge(trail, context)).finding()
        };
        assert_eq!(judged(&trail, &settings), None);
        trail.delivery_error = Observed::Is("NoSuchBucket".into());
        assert!(format!("{:?}", judged(&trail, &settings)).contains("NoSuchBucket"));
        trail.delivery_error = Observed::Absent;
        for (name, told) in [("logs", false), ("others", true)] {
            settings.set(TrailSettings {
                buckets: [name.to_owned()].into(),
            });
            assert_eq!(judged(&trail, &settings).is_some(), told, "{name}");
        }
    }
}
