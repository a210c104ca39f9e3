//! The sample events in `events/`, as EventBridge delivers them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::World;

/// The account of the samples.
pub const ACCOUNT: &str = "111122223333";
/// Their region.
pub const REGION: &str = "eu-west-1";
/// Their bucket.
pub const BUCKET: &str = "quarterly-reports";
/// Their access point.
pub const ACCESS_POINT: &str = "reports-partner";

/// The folder of the samples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// The samples of one folder, as texts by file name without its end.
pub fn in_folder(name: &str) -> BTreeMap<String, String> {
    let folder = folder().join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.expect("a file of the folder").path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a sample"))
        })
        .collect()
}

/// A sample as if it had happened in the test's account and region, to a bucket and an access point of the test's.
pub fn moved(sample: &str, world: &World, bucket: &str, access_point: &str) -> Value {
    let text = sample
        .replace(ACCOUNT, world.aws.account())
        .replace(REGION, &world.region)
        .replace(BUCKET, bucket)
        .replace(ACCESS_POINT, access_point);
    serde_json::from_str(&text).expect("a sample is JSON")
}
