//! # What it requires
//! The bucket's access control list grants nothing to everybody (`AllUsers`) or to every AWS account
//! (`AuthenticatedUsers`). S3's log delivery group is not public. Data classified as public may grant `READ`.
//!
//! # Why
//! A public grant lets strangers list the bucket, write into it, or change the list itself.
//!
//! # What it changes
//! `PutBucketAcl` with the same list, less the public grants. All others stay. Where those that may stay are public and
//! `BlockPublicAcls` is on, S3 would refuse the list, so that is told.
//!
//! # What may break
//! Whoever came in by the public grant alone.
//!
//! # References
//! S3 User Guide, "Access control list (ACL) overview", "The meaning of public".

use portcullis_access::Grant;
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::PublicAccessBlock;
use crate::bucket::{Acl, Bucket, BucketChange, BucketFact};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-public-acl",
        title: "A bucket's ACL grants nothing to the public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub S3.2",
            "Security Hub S3.3",
            "Config s3-bucket-public-read-prohibited",
            "Config s3-bucket-public-write-prohibited",
        ],
        calls: &[
            "CreateBucket",
            "PutBucketAcl",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
            "DeleteBucketPublicAccessBlock",
            "PutBucketPublicAccessBlock",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[BucketFact::Acl, BucketFact::PublicAccessBlock, BucketFact::AccountBlock],
    changes: &[BucketFact::Acl],
    judge: &judge,
};

/// Why S3 would refuse a list under a block, if so. Source: S3 User Guide, "Blocking public access to your Amazon S3 storage".
pub fn refused(acl: &Acl, block: PublicAccessBlock) -> Option<String> {
    let refused = block.block_public_acls && acl.grants.iter().any(|grant| grant.public().is_some());
    refused.then(|| "S3 would refuse it: what is left of the ACL is public, and BlockPublicAcls is on".to_owned())
}

pub fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let Some(acl) = bucket.acl.get() else {
        return Judgement::Compliant;
    };
    let offends = |grant: &Grant| grant.public().is_some() && !(context.level.public && grant.permission == "READ");
    let offending: Vec<_> = acl.grants.iter().filter(|grant| offends(grant)).collect();
    if offending.is_empty() {
        return Judgement::Compliant;
    }
    let granted: Vec<_> = offending
        .iter()
        .filter_map(|grant| grant.public().map(|who| format!("{} to {who}", grant.permission)))
        .collect();
    let granted = granted.join(", ");
    let rest = acl.grants.iter().filter(|grant| !offends(grant)).cloned().collect();
    let (severity, summary) = if bucket.effective_block().ignore_public_acls {
        (
            Severity::Low,
            Clause::new(
                "has public grants in its ACL, which its block ignores for now",
                "had public grants in its ACL, which its block ignored",
            )
            .followed_by(format!(": {granted}")),
        )
    } else {
        (
            Severity::Critical,
            Clause::new("is public by its ACL: it grants", "was public by its ACL: it granted")
                .followed_by(format!(" {granted}")),
        )
    };
    let acl = Acl {
        owner: acl.owner.clone(),
        grants: rest,
    };
    let change = format!("remove from its ACL the grants of {granted}");
    Finding {
        only_notify: refused(&acl, bucket.effective_block()),
        ..Finding::new(severity, summary, change, vec![BucketChange::Acl(acl)])
    }
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_access::{ALL_USERS, AUTHENTICATED_USERS, Grantee};
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::tests::{finding, grant, in_scope, with_acl};

    #[test]
    fn only_the_public_grants_go() {
        let logs = grant(
            Grantee::Group("http://acs.amazonaws.com/groups/s3/LogDelivery".into()),
            "WRITE",
        );
        let partner = grant(Grantee::CanonicalUser("partner".into()), "READ");
        let everybody = grant(Grantee::Group(ALL_USERS.into()), "READ");
        let every_account = grant(Grantee::Group(AUTHENTICATED_USERS.into()), "WRITE_ACP");
        let bucket = with_acl(&[logs.clone(), everybody, partner.clone(), every_account]);
        let found = finding(judge, &bucket).unwrap();
        assert_eq!(
            found.summary.is,
            "is public by its ACL: it grants READ to everybody, WRITE_ACP to every AWS account"
        );
        let BucketChange::Acl(acl) = &found.remedies[0] else {
            panic!()
        };
        assert_eq!(acl.grants[1..], [logs, partner]);
    }

    #[test]
    fn log_delivery_is_not_public() {
        let logs = grant(
            Grantee::Group("http://acs.amazonaws.com/groups/s3/LogDelivery".into()),
            "WRITE",
        );
        assert_eq!(finding(judge, &with_acl(&[logs])), None);
    }

    #[test]
    fn a_block_lessens_it() {
        let everybody = grant(Grantee::Group(ALL_USERS.into()), "READ");
        let blocked = Bucket {
            account_block: Observed::Is(PublicAccessBlock::FULL),
            ..with_acl(&[everybody])
        };
        assert_eq!(finding(judge, &blocked).unwrap().severity, Severity::Low);
    }

    #[test]
    fn public_data_may_be_read_but_not_written() {
        let may = |permission| {
            let bucket = with_acl(&[grant(Grantee::Group(ALL_USERS.into()), permission)]);
            in_scope("public", |context| judge(&bucket, context) == Judgement::Compliant)
        };
        assert!(may("READ"));
        assert!(!may("WRITE") && !may("READ_ACP") && !may("FULL_CONTROL"));
    }

    #[test]
    fn what_s3_would_refuse_is_told() {
        let everybody = |permission| grant(Grantee::Group(ALL_USERS.into()), permission);
        let mut bucket = with_acl(&[everybody("READ"), everybody("WRITE")]);
        in_scope("public", |context| {
            let told = |bucket: &Bucket| judge(bucket, context).finding().unwrap().only_notify;
            assert_eq!(told(&bucket), None);
            bucket.public_access_block = Observed::Is(PublicAccessBlock::FULL);
            assert!(told(&bucket).unwrap().contains("BlockPublicAcls"));
        });
    }
}
