//! `portcullis template`: `template.yaml`, put together from what is shared, what each function has, and what one service has.
//!
//! `deploy/stack.yaml` is the stack, `deploy/function.yaml` one function of it, and `functions/*/stack.yaml` what only that service
//! has: all of them text with holes, so that comments stay where they are of use. What the code knows fills the holes: the names of
//! calls, the IAM actions, the resource types. The result is plain: stack sets take neither loops nor nested stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use portcullis_core::Service;

use crate::Error;

const STACK: &str = "deploy/stack.yaml";
const FUNCTION: &str = "deploy/function.yaml";

#[derive(clap::Args)]
pub struct Arguments {
    /// The checkout
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    root: PathBuf,
}

/// What fills the holes, by their names.
type Holes = BTreeMap<&'static str, String>;

pub fn run(arguments: &Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    write!(out, "{}", rendered(&arguments.root)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The text of `template.yaml`.
pub fn rendered(root: &Path) -> Result<String, Error> {
    let stack = read(root, STACK)?;
    let function = Sections::of(FUNCTION, &read(root, FUNCTION)?)?;
    let mut all = Holes::new();
    for service in portcullis_catalog::services() {
        let name = format!("functions/{}/stack.yaml", service.name);
        let own = Sections::of(&name, &read(root, &name)?)?;
        let holes = holes(&service, &name, &own)?;
        add(&mut all, "parameter-names", ", ", &capitalised(service.name));
        for (hole, section, between) in [
            ("parameters", "Parameters", "\n"),
            ("conditions", "Conditions", "\n"),
            ("resources", "Resources", "\n\n"),
            ("outputs", "Outputs", "\n"),
        ] {
            add(
                &mut all,
                hole,
                between,
                &fill(FUNCTION, function.required(section)?, &holes)?,
            );
            if let Some(more) = own.get(section) {
                add(&mut all, hole, between, &fill(&name, more, &holes)?);
            }
        }
    }
    Ok(format!(
        "# Written by `make docs` from deploy/, functions/*/stack.yaml and the controls. Change those.\n{}\n",
        fill(STACK, &stack, &all)?
    ))
}

/// Adds to what fills a hole.
fn add(holes: &mut Holes, hole: &'static str, between: &str, more: &str) {
    let all = holes.entry(hole).or_default();
    if !all.is_empty() {
        all.push_str(between);
    }
    all.push_str(more);
}

fn read(root: &Path, name: &str) -> Result<String, Error> {
    let path = root.join(name);
    fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

/// What the code and a service's own file say of its function.
fn holes(service: &Service, file: &str, own: &Sections<'_>) -> Result<Holes, Error> {
    let listed = |section: &str| -> Vec<&str> {
        let list = own.get(section).unwrap_or_default();
        let list = list.trim_matches(['[', ']']).split(',');
        list.map(|one| one.trim().trim_matches('"'))
            .filter(|one| !one.is_empty())
            .collect()
    };
    let recorded = listed("RecordedTypes");
    let known = |name: &&str| service.types.iter().any(|listing| listing.takes_item(name));
    if let Some(unknown) = recorded.iter().find(|name| !known(name)) {
        let kinds: Vec<_> = service.types.iter().map(|listing| listing.kind()).collect();
        return Err(Error::Refused(format!(
            "{file}: RecordedTypes: expected types among {}, found {unknown}",
            kinds.join(", ")
        )));
    }
    let mut types: Vec<_> = service.types.iter().map(|listing| listing.config_kind()).collect();
    types.extend(&recorded);
    types.sort_unstable();
    types.dedup();
    // EventBridge's names of the sources: the service's, and that of the heartbeat.
    let source = service.source.split('.').next().unwrap_or(service.source);
    let sources = BTreeSet::from([format!("aws.{source}"), "aws.sns".to_owned()]);
    let mut holes = Holes::from([
        ("name", service.name.to_owned()),
        ("Name", capitalised(service.name)),
        ("title", service.title.to_owned()),
        ("short-title", service.short_title().to_owned()),
        ("source", service.source.to_owned()),
        ("sources", sources.into_iter().collect::<Vec<_>>().join(", ")),
        ("description", own.required("Description")?.to_owned()),
        ("calls", items(service.calls())),
        ("others", others(service)),
        ("types", quoted(&types)),
        ("recorded-types", quoted(&recorded)),
        ("environment", own.get("Environment").unwrap_or_default().to_owned()),
        ("lost", own.get("Lost").unwrap_or("\"SUM([calls])\"").to_owned()),
        ("lost-metrics", own.get("LostMetrics").unwrap_or_default().to_owned()),
        (
            "detail-types",
            own.get("DetailTypes")
                .unwrap_or("AWS API Call via CloudTrail")
                .trim_matches(['[', ']'])
                .to_owned(),
        ),
    ]);
    for (hole, section, actions, rest) in [
        ("observe", "Observe", service.reads(), "reads"),
        ("remediate", "Remediate", service.writes(), "writes"),
    ] {
        let statements = own.required(section)?;
        let unnamed: Vec<_> = actions
            .into_iter()
            .filter(|action| !names(statements, action))
            .collect();
        if !unnamed.is_empty() && !statements.contains(&format!("<<{rest}>>")) {
            return Err(Error::Refused(format!(
                "{file}: {section}: expected statements with {}, or with <<{rest}>>",
                unnamed.join(", ")
            )));
        }
        let rest = Holes::from([(rest, items(unnamed))]);
        holes.insert(hole, fill(file, statements, &rest)?);
    }
    Ok(holes)
}

/// The names of the other functions, as far as the stack has them.
fn others(service: &Service) -> String {
    let all = portcullis_catalog::services().into_iter();
    let others = all.filter(|other| other.name != service.name).map(|other| {
        let (name, switch) = (other.name, capitalised(other.name));
        format!("- !If [Has{switch}, !Sub \"${{AWS::StackName}}-{name}\", !Ref AWS::NoValue]")
    });
    others.collect::<Vec<_>>().join("\n")
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A list in YAML, an item a line.
fn items<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<_> = names.into_iter().map(|name| format!("- {name}")).collect();
    lines.join("\n")
}

/// What stands between the brackets of a list in YAML.
fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

/// Whether statements name an action as a whole.
fn names(statements: &str, action: &str) -> bool {
    let mut ends = statements.match_indices(action).map(|(at, _)| at + action.len());
    ends.any(|end| !statements[end..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '*'))
}

/// A YAML file by its top-level keys, each with what follows it on its line, or else the lines below without their indentation.
struct Sections<'a> {
    file: &'a str,
    texts: BTreeMap<String, String>,
}

impl<'a> Sections<'a> {
    fn of(file: &'a str, text: &str) -> Result<Self, Error> {
        let mut texts = BTreeMap::<String, String>::new();
        let mut last = None;
        for line in text.lines() {
            // A comment at the top level is about the file.
            if line.starts_with('#') {
                continue;
            }
            if line.is_empty() || line.starts_with("  ") {
                if let Some(text) = last.as_ref().and_then(|key| texts.get_mut(key)) {
                    text.push_str(line.strip_prefix("  ").unwrap_or_default());
                    text.push('\n');
                }
                continue;
            }
            let Some((key, rest)) = line.split_once(':') else {
                return Err(Error::Refused(format!(
                    "{file}: expected a key at the top level, found {line:?}"
                )));
            };
            let rest = rest.trim();
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!("{rest}\n")
            };
            if texts.insert(key.to_owned(), rest).is_some() {
                return Err(Error::Refused(format!("{file}: {key} is there twice")));
            }
            last = Some(key.to_owned());
        }
        for text in texts.values_mut() {
            *text = text.trim_matches('\n').to_owned();
        }
        Ok(Self { file, texts })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    fn required(&self, key: &str) -> Result<&str, Error> {
        let file = self.file;
        self.get(key)
            .ok_or_else(|| Error::Refused(format!("{file}: expected {key}, found {:?}", self.texts.keys())))
    }
}

/// The text with its holes filled: `<<name>>` within a line, and `# <<name>>`, a line of its own, by lines as far indented as that;
/// none of them leave no line.
fn fill(file: &str, text: &str, holes: &Holes) -> Result<String, Error> {
    let filling = |name: &str| {
        let filling = holes.get(name);
        filling.ok_or_else(|| Error::Refused(format!("{file}: nothing fills the hole <<{name}>>")))
    };
    let mut filled = Vec::new();
    for line in text.lines() {
        let block = line
            .trim_start()
            .strip_prefix("# <<")
            .and_then(|rest| rest.strip_suffix(">>"));
        if let Some(name) = block {
            let indentation = &line[..line.len() - line.trim_start().len()];
            for line in filling(name)?.lines() {
                filled.push(if line.is_empty() {
                    String::new()
                } else {
                    format!("{indentation}{line}")
                });
            }
            continue;
        }
        let mut rest = line;
        let mut whole = String::new();
        while let Some((before, after)) = rest.split_once("<<") {
            let Some((name, after)) = after.split_once(">>") else {
                return Err(Error::Refused(format!("{file}: expected <<…>>, found {line:?}")));
            };
            whole.push_str(before);
            whole.push_str(filling(name)?);
            rest = after;
        }
        filled.push(whole + rest);
    }
    Ok(filled.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_within_lines_and_by_lines() {
        let holes = Holes::from([
            ("name", "sqs".to_owned()),
            ("calls", "- A\n- B".to_owned()),
            ("none", String::new()),
        ]);
        let text = "Function: <<name>>-<<name>>\nCalls:\n  # <<calls>>\n# <<none>>\nEnd: true";
        assert_eq!(
            fill("f", text, &holes).unwrap(),
            "Function: sqs-sqs\nCalls:\n  - A\n  - B\nEnd: true"
        );
        let error = fill("deploy/function.yaml", "<<nmae>>", &holes)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("deploy/function.yaml") && error.contains("<<nmae>>"),
            "{error}"
        );
        assert!(fill("f", "<<name", &holes).is_err());
    }

    #[test]
    fn sections_are_read_by_their_keys() {
        let text = "# About\nDescription: Keeps\n\nObserve:\n  - Sid: List # why\n    Action: a\n\nEvents:\n  X:\n";
        let sections = Sections::of("f", text).unwrap();
        assert_eq!(sections.get("Description"), Some("Keeps"));
        assert_eq!(sections.get("Observe"), Some("- Sid: List # why\n  Action: a"));
        assert_eq!(sections.get("Events"), Some("X:"));
        assert!(
            sections
                .required("Remediate")
                .unwrap_err()
                .to_string()
                .contains("Remediate")
        );
        assert!(Sections::of("f", "words\n").is_err());
        assert!(Sections::of("f", "A: 1\nA: 2\n").is_err());
    }

    #[test]
    fn an_action_is_named_as_a_whole() {
        let statements = "Action: [s3:GetBucketAcl, kms:ReEncrypt*]";
        assert!(names(statements, "s3:GetBucketAcl"));
        assert!(!names(statements, "s3:GetBucket"));
        assert!(!names(statements, "kms:ReEncrypt"));
    }
}
