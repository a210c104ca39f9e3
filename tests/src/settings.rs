//! Settings for a function under test: YAML that replaces the packed `portcullis.yaml`.

use std::fmt::Write as _;

use portcullis_core::Meta;
pub use portcullis_testkit::levels;

pub use portcullis_catalog::controls;

fn service(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// Only these controls, all of them enforced; the others of their services are off. `more` is further YAML at the top level.
pub fn only(enforced: &[&str], more: &str) -> String {
    let mut yaml = String::from("controls:\n");
    let of_theirs = |id: &str| enforced.iter().any(|one| service(one) == service(id));
    for Meta { id, .. } in controls().into_iter().filter(|meta| of_theirs(meta.id)) {
        let switch = if enforced.contains(id) { "enforce" } else { "off" };
        writeln!(yaml, "  {id}: {{mode: {switch}}}").expect("writing to a string");
    }
    yaml + more
}

/// All controls of S3, all of them enforced.
pub fn everything(more: &str) -> String {
    let ids: Vec<_> = controls().into_iter().map(|meta| meta.id).collect();
    let of_s3: Vec<_> = ids.into_iter().filter(|id| service(id) == "s3").collect();
    only(&of_s3, more)
}
