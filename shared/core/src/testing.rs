//! What the tests of controls judge in.

use jiff::Timestamp;

use crate::{Arn, History, JudgeContext, Resource, Settings};

/// The account of everything in tests.
pub const ACCOUNT: &str = "111122223333";
/// Its region.
pub const REGION: &str = "eu-west-1";

/// The resource that an ARN names, in the tests' account and region where it says none.
pub fn resource(kind: &str, arn: &str) -> Resource {
    let parsed: Option<Arn> = arn.parse().ok();
    let or = |found: Option<&String>, other: &str| {
        found
            .filter(|text| !text.is_empty())
            .map_or(other, |text| text)
            .to_owned()
    };
    Resource {
        kind: kind.into(),
        arn: arn.into(),
        account: or(parsed.as_ref().map(|arn| &arn.account), ACCOUNT),
        region: or(parsed.as_ref().map(|arn| &arn.region), REGION),
        id: arn.rsplit([':', '/']).next().unwrap_or(arn).into(),
    }
}

/// Judges internal data under settings, with nothing in the ledger.
pub fn judging<T>(resource: &Resource, settings: &Settings, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    let (level_name, level) = settings.level(None);
    run(&JudgeContext {
        resource,
        settings,
        level,
        level_name,
        own_role: "arn:aws:iam::111122223333:role/portcullis",
        own_topic: "arn:aws:sns:eu-west-1:111122223333:portcullis-alerts",
        region: REGION,
        now: Timestamp::UNIX_EPOCH,
        history: &History::default(),
    })
}
