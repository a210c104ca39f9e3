//! `portcullis docs`: the pages, the template and the lists that are made from the code, so that they can't say anything else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use portcullis_catalog as catalog;
use portcullis_core::settings::{SectionType, Settings};
use portcullis_core::{Impact, Meta, Service, alert};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::controls::word;
use crate::error::{Error, REFUSED};
use crate::guardrails::{prevention_line, template_with_parameters};
use crate::template;

/// The headings of each control's doc comment, in their order.
const HEADINGS: [&str; 5] = [
    "What it requires",
    "Why",
    "What it changes",
    "What may break",
    "References",
];

#[derive(clap::Args)]
pub struct Arguments {
    /// Change nothing, but fail when a page is not what the code says
    #[arg(long)]
    check: bool,
    /// The checkout
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    root: PathBuf,
}

pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    let mut stale = Vec::new();
    for (name, text) in pages(&arguments.root)? {
        let path = arguments.root.join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if arguments.check {
            stale.push(name);
            continue;
        }
        let failed = |source| Error::File {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(path.parent().unwrap_or(&arguments.root)).map_err(failed)?;
        fs::write(&path, text).map_err(failed)?;
        writeln!(out, "{name} written")?;
    }
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "not what the code says: {}; run `make docs`", stale.join(", "))?;
    Ok(ExitCode::from(REFUSED))
}

/// All pages, by name.
fn pages(root: &Path) -> Result<[(&'static str, String); 8], Error> {
    let ids: Vec<_> = catalog::controls().iter().map(|meta| meta.id).collect();
    Ok([
        ("docs/controls.md", controls(catalog::services(), root)?),
        ("template.yaml", template::rendered(root)?),
        ("docs/settings.schema.json", pretty(&settings_schema(&ids)?)),
        (
            "docs/alert.schema.json",
            pretty(&alert_schema::<alert::Document<'_>>("An alert of Portcullis")),
        ),
        (
            "docs/sweep.schema.json",
            pretty(&alert_schema::<alert::sweep::SweepDocument<'_>>(
                "The summary of a sweep of Portcullis",
            )),
        ),
        (
            "docs/storm.schema.json",
            pretty(&alert_schema::<alert::storm::StormDocument<'_>>(
                "The alert of Portcullis about an event of many resources",
            )),
        ),
        ("shared/runtime/src/sections.txt", section_names()),
        ("deploy/guardrails.yaml", template_with_parameters()?),
    ])
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// The sections that services have for themselves in the settings.
fn sections_of_services() -> Vec<SectionType> {
    let services = catalog::services().into_iter();
    services.filter_map(|service| service.settings).collect()
}

/// The names of those sections, one a line: a function knows by them which ones are another's, and which are a mistake.
fn section_names() -> String {
    let sections = sections_of_services().into_iter();
    sections.flat_map(|section| [section.name, "\n"]).collect()
}

/// The schema of `portcullis.yaml`, which knows the ids of the controls.
fn settings_schema(ids: &[&str]) -> Result<Value, Error> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.root_schema_for::<Settings>().to_value();
    let sections = sections_of_services();
    for section in &sections {
        schema["properties"][section.name] = (section.schema)(&mut generator).to_value();
    }
    schema["$defs"] = generator.take_definitions(true).into();
    for section in &sections {
        let reference = schema["properties"][section.name]["$ref"].as_str();
        let definition = reference.and_then(|reference| schema.pointer(reference.strip_prefix('#')?));
        let description = definition.map(|definition| definition["description"].clone());
        let property = &mut schema["properties"][section.name];
        property["description"] = description.into();
        property["default"] = (section.defaults)()?;
    }
    schema["title"] = "portcullis.yaml".into();
    schema["properties"]["controls"]["propertyNames"] = json!({"enum": ids});
    let any = [&["*"], ids].concat();
    schema["$defs"]["Exemption"]["properties"]["control"]["enum"] = any.into();
    Ok(schema)
}

/// The schema of an alert for machines.
fn alert_schema<T: schemars::JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    schema["title"] = title.into();
    schema["properties"]["version"]["const"] = 1.into();
    schema
}

/// One control with the page that its file holds.
struct Page {
    meta: &'static Meta,
    sections: Vec<String>,
    file: String,
}

/// The file of a control, from the root of the checkout.
fn file_of(id: &str, root: &Path) -> Result<String, Error> {
    let functions = root.join("functions");
    let failed = |source| Error::File {
        path: functions.clone(),
        source,
    };
    let name = id.replace('-', "_");
    for function in fs::read_dir(&functions).map_err(failed)? {
        let function = function.map_err(failed)?.file_name();
        let file = format!("functions/{}/src/controls/{name}.rs", function.to_string_lossy());
        if root.join(&file).is_file() {
            return Ok(file);
        }
    }
    Err(Error::Refused(format!(
        "{id}: expected functions/*/src/controls/{name}.rs, found none"
    )))
}

/// The sections of a doc comment, which has exactly the fixed headings.
fn sections(source: &str) -> Result<Vec<String>, String> {
    let comment = source.lines().map_while(|line| line.strip_prefix("//!"));
    let (mut found, mut texts) = (Vec::new(), Vec::<String>::new());
    for line in comment.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if let Some(heading) = line.strip_prefix("# ") {
            found.push(heading.trim());
            texts.push(String::new());
        } else if let Some(text) = texts.last_mut() {
            text.push_str(line.trim_end());
            text.push('\n');
        } else if !line.trim().is_empty() {
            return Err(format!("expected the heading {:?} first, found {line:?}", HEADINGS[0]));
        }
    }
    if found != HEADINGS {
        return Err(format!(
            "expected the headings {HEADINGS:?} in its doc comment, found {found:?}"
        ));
    }
    let texts: Vec<_> = texts.iter().map(|text| text.trim().to_owned()).collect();
    match texts.iter().position(String::is_empty) {
        Some(at) => Err(format!("expected some words under {:?}, found none", HEADINGS[at])),
        None => Ok(texts),
    }
}

fn page(meta: &'static Meta, root: &Path) -> Result<Page, Error> {
    let file = file_of(meta.id, root)?;
    let path = root.join(&file);
    let source = fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
    let sections = sections(&source).map_err(|why| Error::Refused(format!("{file}: {why}")))?;
    Ok(Page { meta, sections, file })
}

/// `docs/controls.md`.
fn controls(mut services: Vec<Service>, root: &Path) -> Result<String, Error> {
    services.sort_by_key(|service| service.title);
    let (mut contents, mut body) = (String::new(), String::new());
    for service in &services {
        let title = service.title;
        say(&mut contents, format_args!("- [{title}](#{})", anchor(title)));
        say(&mut body, format_args!("\n## {title}"));
        for listing in &service.types {
            let kind = listing.kind();
            say(&mut contents, format_args!("  - [{kind}](#{})", anchor(kind)));
            say(&mut body, format_args!("\n### {kind}\n"));
            say(&mut body, format_args!("Read with {}.", codes(listing.reads())));
            for meta in listing.controls() {
                say(
                    &mut contents,
                    format_args!("    - [`{}`](#{}): {}", meta.id, anchor(meta.id), meta.title),
                );
                control(&mut body, &page(meta, root)?, &listing.writes_of(meta.id))?;
            }
        }
    }
    let count = catalog::controls().len();
    Ok(format!(
        "<!-- Written by `make docs` from the controls' files. Change those. -->\n\
         # Controls\n\n\
         All {count} of them: what each requires, why, what leads to it, what it changes, what that may break, and how to \
         switch it off.\n\n\
         - **Default** is what a control does in enforce mode unless the settings say otherwise: `enforce` puts right, \
         `notify` tells. In notify mode every control only tells.\n\
         - **May disturb** is what its change can do to those who use the resource: nothing, take somebody's access, or \
         stop something working.\n\
         - The **calls** are CloudTrail's names. A call only says where to look: what is judged is the resource as it is \
         read afterwards.\n\
         - The **IAM actions** are those that the function's role has in enforce mode. In notify mode it can only read.\n\
         - What **can be prevented** is so by the policies that `portcullis guardrails` writes: [prevention.md](prevention.md).\n\n\
         {contents}{body}"
    ))
}

fn control(out: &mut String, page: &Page, writes: &BTreeSet<&str>) -> Result<(), Error> {
    let Page { meta, sections, file } = page;
    let [requires, why, changes, breaks, references] = [0, 1, 2, 3, 4].map(|at| &sections[at]);
    let disturbs = match meta.impact {
        Impact::Nothing => "nothing",
        Impact::Access => "access",
        Impact::Availability => "availability",
    };
    let writes = if writes.is_empty() {
        "IAM actions: none.".to_owned()
    } else {
        format!("IAM actions: {}.", codes(writes.iter().copied()))
    };
    let standards = if meta.standards.is_empty() {
        "none by number".to_owned()
    } else {
        meta.standards.join("; ")
    };
    say(
        out,
        format_args!(
            "\n#### {id}\n\n\
             {title}.\n\n\
             | Severity | Default | May disturb | Serves |\n\
             | --- | --- | --- | --- |\n\
             | {severity} | `{default}` | {disturbs} | {standards} |\n\n\
             **What it requires.** {requires}\n\n\
             **Why.** {why}\n\n\
             **What leads to it.** {calls}.\n\n\
             **What it changes.** {changes}\n\n\
             {writes}\n\n\
             **What may break.** {breaks}\n\n\
             **Can it be prevented?** {prevention}\n\n\
             **How to switch it off.** In `portcullis.yaml`, or for one resource by an exemption:\n\n\
             ```yaml\n\
             controls:\n  \
               {id}: {{mode: off}}\n\
             ```\n\n\
             **References.** {references} Code: [`{id}`](../{file}).",
            id = meta.id,
            title = meta.title,
            severity = meta.severity,
            default = word(&meta.default),
            calls = codes(meta.calls.iter().copied()),
            prevention = prevention_line(meta.id)?,
        ),
    );
    Ok(())
}

fn say(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = writeln!(out, "{line}");
}

fn codes<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let kept = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_core::settings::Known;

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn the_pages_are_what_the_code_says() {
        for (name, text) in pages(&root()).unwrap() {
            let there = fs::read_to_string(root().join(name)).unwrap_or_default();
            assert!(there == text, "{name} is stale: run `make docs`");
        }
    }

    #[test]
    fn each_file_among_the_controls_is_that_of_a_control() {
        let ids: BTreeSet<_> = catalog::controls().iter().map(|meta| meta.id).collect();
        let files: BTreeSet<_> = ids.iter().map(|id| file_of(id, &root()).unwrap()).collect();
        assert_eq!(files.len(), ids.len());
        let folders: BTreeSet<_> = files
            .iter()
            .map(|file| root().join(file).parent().unwrap().to_owned())
            .collect();
        for file in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
            let name = file.unwrap().file_name().to_string_lossy().into_owned();
            let id = name.trim_end_matches(".rs").replace('_', "-");
            assert!(
                id == "mod" || ids.contains(id.as_str()),
                "{name} is not listed in its mod.rs"
            );
        }
    }

    #[test]
    fn the_settings_in_the_repository_are_the_defaults_all_of_them() {
        let yaml = fs::read_to_string(root().join("portcullis.yaml")).unwrap();
        let known = Known::all(&catalog::services());
        assert_eq!(Settings::from_yaml(&yaml, &known).unwrap(), Settings::default());
        let mut members = serde_json::to_value(Settings::default()).unwrap();
        for section in sections_of_services() {
            assert_eq!(members.get(section.name), None);
            members[section.name] = (section.defaults)().unwrap();
        }
        for (section, values) in members.as_object().unwrap() {
            assert!(yaml.contains(&format!("\n{section}:")), "{section}");
            for key in values.as_object().into_iter().flat_map(serde_json::Map::keys) {
                assert!(yaml.contains(&format!("  {key}:")), "{section}.{key}");
            }
        }
    }

    #[test]
    fn a_doc_comment_without_its_headings_is_refused() {
        let page = |headings: &[&str]| {
            let sections = headings.iter().map(|heading| format!("//! # {heading}\n//! Words."));
            sections.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(sections(&page(&HEADINGS)).unwrap(), ["Words."; 5]);
        assert!(sections(&page(&HEADINGS[1..])).is_err());
        assert!(
            sections(&page(&[
                "Why",
                "What it requires",
                "What it changes",
                "What may break",
                "References"
            ]))
            .is_err()
        );
        assert!(sections("//! Words.\n").is_err());
        assert!(sections(&page(&HEADINGS).replace("Words.", "")).is_err());
    }

    #[test]
    fn the_schemas_know_the_settings_and_the_controls() {
        let schema = settings_schema(&["s3-bucket-versioning"]).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(
            schema["properties"]["controls"]["propertyNames"]["enum"][0],
            "s3-bucket-versioning"
        );
        assert_eq!(
            schema["$defs"]["Exemption"]["properties"]["until"]["format"],
            "date-time"
        );
        for section in sections_of_services() {
            let property = &schema["properties"][section.name];
            let reference = property["$ref"].as_str().unwrap().trim_start_matches('#');
            assert_eq!(schema.pointer(reference).unwrap()["additionalProperties"], false);
            assert!(property["description"].as_str().is_some_and(|words| !words.is_empty()));
            assert!(property["default"].is_object(), "{}", section.name);
        }
        let required = alert_schema::<alert::Document<'_>>("")["required"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(required, 12);
    }
}
