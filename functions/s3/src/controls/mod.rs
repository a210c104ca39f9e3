//! The controls, one file each, named after their ids.
//!
//! The order is that in which remedies build on each other: quarantine first, since it settles the rest; ACLs are cleaned
//! before they are disabled, as S3 demands; what removes statements of a policy goes before what adds some; the block goes
//! after both, since under it S3 refuses what is still public.

use portcullis_core::{Control, Typed};

use crate::access_point::{self, AccessPoint};
use crate::account::{self, Account};
use crate::bucket::{self, Bucket};

mod s3_access_point_public_access_block;
mod s3_access_point_public_policy;
mod s3_account_public_access_block;
mod s3_bucket_acls_disabled;
mod s3_bucket_default_encryption;
mod s3_bucket_encrypted_writes;
mod s3_bucket_external_access;
mod s3_bucket_public_access_block;
mod s3_bucket_public_acl;
mod s3_bucket_public_policy;
mod s3_bucket_quarantine;
mod s3_bucket_sse_c_blocked;
mod s3_bucket_tls_only;
mod s3_bucket_versioning;
mod s3_bucket_vpc_endpoints_only;
mod s3_bucket_website;

/// The controls of buckets.
pub const BUCKET: &[Control<Bucket>] = &[
    s3_bucket_quarantine::CONTROL,
    s3_bucket_public_acl::CONTROL,
    s3_bucket_public_policy::CONTROL,
    s3_bucket_external_access::CONTROL,
    s3_bucket_acls_disabled::CONTROL,
    s3_bucket_tls_only::CONTROL,
    s3_bucket_encrypted_writes::CONTROL,
    s3_bucket_vpc_endpoints_only::CONTROL,
    s3_bucket_public_access_block::CONTROL,
    s3_bucket_default_encryption::CONTROL,
    s3_bucket_sse_c_blocked::CONTROL,
    s3_bucket_versioning::CONTROL,
    s3_bucket_website::CONTROL,
];

/// The controls whose violation closes a bucket off, where settings say so.
pub const EXPOSURES: &[&str] = &[
    s3_bucket_quarantine::EXPOSURES[0].meta.id,
    s3_bucket_quarantine::EXPOSURES[1].meta.id,
    s3_bucket_quarantine::EXPOSURES[2].meta.id,
];

/// The control of the account's block.
pub const ACCOUNT: &[Control<Account>] = &[s3_account_public_access_block::CONTROL];

/// The controls of access points.
pub const ACCESS_POINT: &[Control<AccessPoint>] = &[
    s3_access_point_public_policy::CONTROL,
    s3_access_point_public_access_block::CONTROL,
];

/// Buckets with their controls.
pub const BUCKETS: Typed<Bucket> = Typed::new(&bucket::TYPE, BUCKET).with_quarantines(EXPOSURES);

/// The account with its control.
pub const ACCOUNTS: Typed<Account> = Typed::new(&account::TYPE, ACCOUNT);

/// Access points with their controls.
pub const ACCESS_POINTS: Typed<AccessPoint> = Typed::new(&access_point::TYPE, ACCESS_POINT);
