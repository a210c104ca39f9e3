//! # What it requires
//! A bucket that is exposed, and whose data's level says `quarantine: true` (or whose violated control does), is closed off.
//! So is one that somebody keeps exposing, where the settings say `flips: {then: quarantine}`.
//!
//! # Why
//! For the most sensitive data, finding out afterwards which of several openings was used costs more than an outage.
//!
//! # What it changes
//! `PutPublicAccessBlock` with all four flags, and `PutBucketPolicy` with one more statement, `PortcullisQuarantine`, that
//! denies everything to everybody but the break-glass principals of the settings and this function. The other statements
//! stay, but for public ones where `BlockPublicPolicy` is on: S3 would refuse the policy. Where one of the
//! two changes fails, the retry makes it, and until then it is told as a failure. A restore lifts it.
//!
//! # What may break
//! All use of the bucket, until it is lifted.
//!
//! # References
//! S3 User Guide, "Bucket policies"; AWS Security Incident Response Guide, "Containment".

use portcullis_access::{Goal, Policy, Service, Verdict};
use portcullis_controls::{Analysis, Cure};
use portcullis_core::event::strings;
use portcullis_core::settings::{Switch, Then};
use portcullis_core::{Clause, Control, Effect, Finding, Impact, JudgeContext, Judgement, Meta, Severity, State as _};
use serde_json::{Value, json};

use super::{s3_bucket_external_access, s3_bucket_public_acl, s3_bucket_public_policy};
use crate::PublicAccessBlock;
use crate::bucket::{Bucket, BucketChange, BucketFact};
use crate::policies::{bucket_and_objects, cure, with_statements};

/// The statement's name, by which people find it.
const SID: &str = "PortcullisQuarantine";

const ID: &str = "s3-bucket-quarantine";

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: ID,
        title: "An exposed bucket of the most sensitive data is closed off",
        severity: Severity::Critical,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &["AWS Security Incident Response Guide: containment"],
        calls: &[
            "CreateBucket",
            "PutBucketPolicy",
            "PutBucketAcl",
            "PutBucketPublicAccessBlock",
            "DeleteBucketPublicAccessBlock",
            "PutBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[
        BucketFact::Policy,
        BucketFact::Acl,
        BucketFact::PublicAccessBlock,
        BucketFact::AccountBlock,
    ],
    changes: &[BucketFact::PublicAccessBlock, BucketFact::Policy],
    judge: &judge,
};

/// The controls whose violation exposes a bucket.
pub const EXPOSURES: [Control<Bucket>; 3] = [
    s3_bucket_public_acl::CONTROL,
    s3_bucket_public_policy::CONTROL,
    s3_bucket_external_access::CONTROL,
];

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    // Either half may end the exposure; a quarantine that was begun is both.
    let begun = context.history.begun.contains(ID);
    let block = BucketChange::PublicAccessBlock(Some(PublicAccessBlock::FULL));
    let text = bucket.policy.get().map(String::as_str);
    let settings = context.settings;
    let mut spared = vec![context.own_role.to_owned()];
    spared.extend(settings.break_glass.iter().cloned());
    if text.is_some_and(|text| is_closed(text, &context.resource.arn, &spared)) {
        if !begun || bucket.public_access_block.get() == Some(&PublicAccessBlock::FULL) {
            return Judgement::Compliant;
        }
        let summary = Clause::new(
            "is closed off by its policy alone: its public access block has holes",
            "was closed off by its policy alone: its public access block had holes",
        );
        let change = "turn on its whole public access block";
        return quarantine(summary, change.into(), vec![block]);
    }
    let demanded = |control: &&Control<Bucket>| {
        let id = control.meta.id;
        // Who is let in on purpose is not an exposure that closes a bucket, unless settings say so for that control.
        let by_level = context.level.quarantine && id != s3_bucket_external_access::CONTROL.meta.id;
        let by_fight = settings.flips.then == Then::Quarantine && context.history.fights.contains(id);
        (by_level || by_fight || settings.quarantines(id))
            && settings.switch(&control.meta) != Switch::Off
            && settings
                .exemption(id, context.resource, bucket.tags(), context.now)
                .is_none()
    };
    let exposure = EXPOSURES
        .iter()
        .filter(demanded)
        .find_map(|control| match (control.judge)(bucket, context) {
            Judgement::Violated(finding) if begun || finding.severity >= Severity::High => Some(finding),
            _ => None,
        });
    let Some(exposure) = exposure else {
        return Judgement::Compliant;
    };
    let statement = json!({
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": bucket_and_objects(&context.resource.arn),
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": spared}},
    });
    let change = format!(
        "turn on its whole public access block and deny everything to everybody but {}",
        spared.join(", ")
    );
    // S3 takes a policy for public whatever it denies, and under `BlockPublicPolicy` refuses to put one: what is public goes.
    let cured = text
        .filter(|_| bucket.effective_block().block_public_policy)
        .and_then(|text| Analysis::new(text, Service::S3Bucket, context).ok())
        .filter(|analysis| analysis.verdict() == Verdict::Public)
        .map(|analysis| cure(&analysis, Goal::NotPublic, bucket.effective_block()));
    let kept = match &cured {
        Some(Cure::Write(policy, _)) => policy.as_deref(),
        Some(Cure::Nothing(_)) | None => text,
    };
    match with_statements(kept, vec![statement], bucket.effective_block(), context) {
        Ok(policy) => {
            let remedies = vec![block, BucketChange::Policy(policy)];
            quarantine(exposure.summary, change, remedies)
        }
        Err(why) => Finding::new(Severity::Critical, exposure.summary, change, Vec::new())
            .only_notify(why)
            .into(),
    }
}

/// Whether a policy denies everything to everybody but those spared: a statement's name alone says nothing.
fn is_closed(policy: &str, arn: &str, spared: &[String]) -> bool {
    let closes = |statement: &Value| {
        let of = |value: &Value, wanted: &str| strings(value).iter().any(|one| one == wanted);
        let condition = &statement["Condition"];
        let only = |value: &Value| value.as_object().is_some_and(|keys| keys.len() == 1);
        let principals = strings(&condition["ArnNotLike"]["aws:PrincipalArn"]);
        statement["Effect"] == "Deny"
            && (statement["Principal"] == "*" || of(&statement["Principal"]["AWS"], "*"))
            && of(&statement["Action"], "s3:*")
            && of(&statement["Resource"], arn)
            && of(&statement["Resource"], &format!("{arn}/*"))
            && only(condition)
            && only(&condition["ArnNotLike"])
            && !principals.is_empty()
            && principals.iter().all(|principal| spared.contains(principal))
    };
    let Ok(policy) = Policy::parse(policy) else {
        return false;
    };
    let mut statements = policy
        .statements()
        .iter()
        .map(|statement| serde_json::from_str(statement.text()));
    statements.any(|statement| statement.is_ok_and(|statement| closes(&statement)))
}

fn quarantine(summary: Clause, change: String, remedies: Vec<BucketChange>) -> Judgement<BucketChange> {
    Judgement::Violated(Finding {
        effect: Effect::Quarantine,
        ..Finding::new(Severity::Critical, summary, change, remedies)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::ControlSettings;
    use portcullis_core::{History, Observed, Settings};

    use super::*;
    use crate::bucket::tests::{finding, in_scope, with_policy, with_settings};

    const PUBLIC: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}]}"#;

    #[test]
    fn restricted_data_is_closed_off_once() {
        in_scope("restricted", |context| {
            let Judgement::Violated(found) = judge(&with_policy(PUBLIC), context) else {
                panic!()
            };
            assert_eq!(found.effect, Effect::Quarantine);
            let [
                BucketChange::PublicAccessBlock(Some(PublicAccessBlock::FULL)),
                BucketChange::Policy(Some(policy)),
            ] = &found.remedies[..]
            else {
                panic!()
            };
            assert!(policy.contains(context.own_role));
            assert_eq!(judge(&with_policy(policy), context), Judgement::Compliant);
        });
    }

    #[test]
    fn a_statement_of_its_name_closes_nothing() {
        in_scope("restricted", |context| {
            let found = judge(&with_policy(PUBLIC), context).finding().unwrap();
            let Some(BucketChange::Policy(Some(policy))) = found.remedies.last() else {
                panic!()
            };
            for (from, to) in [
                (r#""Effect":"Deny""#, r#""Effect":"Allow""#),
                (r#""s3:*""#, r#""s3:PutObject""#),
                (r#","arn:aws:s3:::b-1/*""#, ""),
                (context.own_role, "arn:aws:iam::*:role/*"),
                ("ArnNotLike", "ArnLike"),
                (
                    r#""ArnNotLike":{"#,
                    r#""Bool":{"aws:SecureTransport":"false"},"ArnNotLike":{"#,
                ),
            ] {
                let evaded = with_policy(&policy.replace(from, to));
                assert_ne!(judge(&evaded, context), Judgement::Compliant, "{to}");
            }
            let named = PUBLIC.replace(
                r#"{"Effect":"Allow""#,
                r#"{"Sid":"PortcullisQuarantine","Effect":"Allow""#,
            );
            let found = judge(&with_policy(&named), context).finding().unwrap();
            let Some(BucketChange::Policy(Some(policy))) = found.remedies.last() else {
                panic!()
            };
            assert_eq!(judge(&with_policy(policy), context), Judgement::Compliant);
        });
    }

    #[test]
    fn what_was_begun_is_both_halves_though_either_ends_the_exposure() {
        let memory = History {
            begun: [ID.to_owned()].into(),
            ..History::default()
        };
        in_scope("restricted", |context| {
            let begun = JudgeContext {
                history: &memory,
                ..*context
            };
            let blocked = Bucket {
                public_access_block: Observed::Is(PublicAccessBlock::FULL),
                ..with_policy(PUBLIC)
            };
            assert_eq!(judge(&blocked, context), Judgement::Compliant);
            let [BucketChange::PublicAccessBlock(_), BucketChange::Policy(Some(policy))] =
                &judge(&blocked, &begun).finding().unwrap().remedies[..]
            else {
                panic!()
            };
            // With its block on, S3 would refuse a policy that is public still.
            assert!(!policy.contains("GetObject"));
            let denying = with_policy(policy);
            assert_eq!(judge(&denying, context), Judgement::Compliant);
            assert_eq!(
                judge(&denying, &begun).finding().unwrap().remedies,
                [BucketChange::PublicAccessBlock(Some(PublicAccessBlock::FULL))]
            );
            let whole = Bucket {
                public_access_block: Observed::Is(PublicAccessBlock::FULL),
                ..denying
            };
            assert_eq!(judge(&whole, &begun), Judgement::Compliant);
        });
    }

    #[test]
    fn other_data_is_not_unless_the_control_says_so() {
        assert_eq!(finding(judge, &with_policy(PUBLIC)), None);
        let mut settings = Settings::default();
        let quarantine = ControlSettings {
            quarantine: true,
            ..ControlSettings::default()
        };
        settings.controls.insert("s3-bucket-public-policy".into(), quarantine);
        with_settings(&settings, |context| {
            assert_ne!(judge(&with_policy(PUBLIC), context), Judgement::Compliant);
        });
    }
}
