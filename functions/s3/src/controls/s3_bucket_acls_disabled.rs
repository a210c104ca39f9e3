//! # What it requires
//! Access control lists are disabled: object ownership is `BucketOwnerEnforced`.
//!
//! # Why
//! With lists enabled, whoever uploads an object can open it to the world, one object at a time, where no bucket setting
//! shows it.
//!
//! # What it changes
//! `PutBucketOwnershipControls` with `BucketOwnerEnforced`. It is left to a person where the list still grants something to
//! others, since they would lose it.
//!
//! # What may break
//! Uploads that set an ACL other than `bucket-owner-full-control` fail; objects of other accounts become the bucket owner's.
//! Notify by default.
//!
//! # References
//! S3 User Guide, "Controlling ownership of objects and disabling ACLs for your bucket".

use portcullis_access::Grantee;
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact};

const ENFORCED: &str = "BucketOwnerEnforced";

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-acls-disabled",
        title: "A bucket's ACLs are disabled",
        severity: Severity::Medium,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["Security Hub S3.12", "Config s3-bucket-acl-prohibited"],
        calls: &[
            "CreateBucket",
            "PutBucketAcl",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
        ],
    },
    reads: &[BucketFact::Ownership, BucketFact::Acl],
    changes: &[BucketFact::Ownership],
    judge: &judge,
};

fn judge(bucket: &Bucket, _: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let ownership = bucket.ownership.get().map(String::as_str);
    if ownership == Some(ENFORCED) {
        return Judgement::Compliant;
    }
    let summary = Clause::new(
        "has ACLs enabled: its object ownership is",
        "had ACLs enabled: its object ownership was",
    )
    .followed_by(format!(" {}", ownership.unwrap_or("ObjectWriter")));
    let remedy = BucketChange::Ownership(Some(ENFORCED.into()));
    let finding = Finding::new(
        Severity::Medium,
        summary,
        format!("set its object ownership to {ENFORCED}"),
        vec![remedy],
    );
    let to_others = bucket.acl.get().is_some_and(|acl| {
        acl.grants
            .iter()
            .any(|grant| grant.grantee != Grantee::CanonicalUser(acl.owner.clone()))
    });
    if to_others {
        // S3 refuses it then: InvalidBucketAclWithObjectOwnership.
        return finding
            .only_notify("its ACL grants access to others, who need a policy first")
            .into();
    }
    finding.into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::tests::{finding, grant, with_acl};

    #[test]
    fn only_a_list_without_others_is_disabled() {
        let mut bucket = with_acl(&[]);
        bucket.ownership = Observed::Is("ObjectWriter".into());
        assert_eq!(finding(judge, &bucket).unwrap().only_notify, None);
        let mut shared = with_acl(&[grant(Grantee::CanonicalUser("partner".into()), "READ")]);
        shared.ownership = Observed::Absent;
        assert!(finding(judge, &shared).unwrap().only_notify.is_some());
        bucket.ownership = Observed::Is(ENFORCED.into());
        assert_eq!(finding(judge, &bucket), None);
    }
}
