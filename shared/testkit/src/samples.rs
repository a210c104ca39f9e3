//! The sample events in `events/`, as EventBridge delivers them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::World;

/// The account of the samples.
pub const ACCOUNT: &str = "111122223333";
/// Their region.
pub const REGION: &str = "eu-west-1";

/// The folder of the samples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
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

/// A sample as if it had happened in the test's account and region, to resources of the test's: each name of the sample's with
/// the one that stands for it.
pub fn moved(sample: &str, world: &World, names: &[(&str, &str)]) -> Value {
    let names = names.iter().map(|&(there, here)| (there.to_owned(), here.to_owned()));
    let place = [
        (ACCOUNT.to_owned(), world.aws.account().to_owned()),
        (REGION.to_owned(), world.region.clone()),
    ];
    renamed(sample, &names.chain(place).collect())
}

/// An event in which each of these names is another.
pub(crate) fn renamed(event: &str, names: &BTreeMap<String, String>) -> Value {
    let text = names
        .iter()
        .fold(event.to_owned(), |text, (there, here)| text.replace(there, here));
    serde_json::from_str(&text).expect("an event is JSON")
}
