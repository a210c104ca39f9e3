//! What AWS says about a resource, fact by fact, as short texts that tests can name.

use std::collections::BTreeMap;

/// The facts of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot(pub BTreeMap<&'static str, String>);

impl std::ops::Index<&str> for Snapshot {
    type Output = String;

    fn index(&self, fact: &str) -> &String {
        &self.0[fact]
    }
}

/// Fails unless exactly these facts changed, to exactly these values.
#[track_caller]
pub fn assert_changed(before: &Snapshot, after: &Snapshot, expected: &[(&'static str, &str)]) {
    let changed: BTreeMap<_, _> = after
        .0
        .iter()
        .filter(|(fact, now)| before.0[*fact] != **now)
        .map(|(fact, now)| (*fact, now.as_str()))
        .collect();
    let expected: BTreeMap<_, _> = expected.iter().copied().collect();
    assert_eq!(changed, expected, "what changed at AWS; before: {before:#?}");
}
