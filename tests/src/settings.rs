//! Settings for a function under test: YAML that replaces the packed `portcullis.yaml`.

use std::fmt::Write as _;

/// All ids of the S3 controls.
pub fn ids() -> Vec<&'static str> {
    let listings = portcullis_s3::listings();
    listings
        .iter()
        .flat_map(|listing| listing.controls())
        .map(|meta| meta.id)
        .collect()
}

/// Only these controls, all of them enforced; the rest is off. `more` is further YAML at the top level.
pub fn only(enforced: &[&str], more: &str) -> String {
    let mut yaml = String::from("controls:\n");
    for id in ids() {
        let switch = if enforced.contains(&id) { "enforce" } else { "off" };
        writeln!(yaml, "  {id}: {{mode: {switch}}}").expect("writing to a string");
    }
    yaml + more
}

/// All controls, all of them enforced.
pub fn everything(more: &str) -> String {
    only(&ids(), more)
}

/// A level of classification beside the four that there are by default.
pub fn levels(more: &str) -> String {
    format!(
        "classification:\n  levels:\n    public: {{values: [public], public: true}}\n    internal: {{values: [internal]}}\n    \
         confidential: {{values: [confidential], encryption: aws-managed-key}}\n    {more}\n"
    )
}
