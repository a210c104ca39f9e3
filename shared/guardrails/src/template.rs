//! The documents as a CloudFormation template, to be deployed in the organisation's management account.
//!
//! Source: CloudFormation User Guide, "`AWS::Organizations::Policy`".

use serde_json::Value;

use crate::documents::{Generated, Selection, render};
use crate::error::GuardrailError;
use crate::kind::DocumentKind;
use crate::values::Values;

const HEAD: &str = "\
AWSTemplateFormatVersion: \"2010-09-09\"
Description: >-
  Portcullis's guardrails: policies of the organisation that prevent what Portcullis would have to put right. For the management
  account or a delegated administrator. A policy without targets is attached to nobody: begin with one test account.
";

/// A template of the documents of an organisation; empty where there are none.
pub fn template(generated: &Generated) -> String {
    written(generated, "")
}

/// The template of the default tier with parameters in place of settings.
pub fn with_parameters(mut values: Values) -> Result<String, GuardrailError> {
    values.organizations = vec!["${OrganizationId}".into()];
    values.accounts = vec!["${TrustedAccounts}".into()];
    values.break_glass = vec!["${BreakGlass}".into()];
    values.stack = "${StackName}".into();
    values.rotation_days = "${RotationDays}".into();
    let kinds = [DocumentKind::Ec2, DocumentKind::Scp, DocumentKind::Rcp];
    let selection = Selection {
        kinds: kinds.into(),
        ..Selection::default()
    };
    let parameters = format!(
        "  OrganizationId:
    Type: String
    AllowedPattern: ^o-[a-z0-9]{{10,32}}$
    Description: The organisation's id. Whoever is outside of it and of TrustedAccounts is denied by Perimeter.
  TrustedAccounts:
    Type: CommaDelimitedList
    Default: \"\"
    Description: The ids of accounts outside of the organisation that are in trust, by commas. Empty for none.
  BreakGlass:
    Type: String
    AllowedPattern: ^arn:[a-z*-]+:iam::([0-9]{{12}}|\\*):role/[A-Za-z0-9+=,.@_/*-]*[A-Za-z0-9][A-Za-z0-9+=,.@_/*-]*$
    Description: The ARN, or the pattern, of the role that is spared, as in arn:*:iam::*:role/BreakGlass. Its name is protected.
  StackName:
    Type: String
    Default: {stack}
    AllowedPattern: ^[A-Za-z][A-Za-z0-9-]*$
    Description: The name of Portcullis's stack in the accounts. Its roles, functions and rules begin with it.
  RotationDays:
    Type: Number
    Default: {days}
    MinValue: 90
    MaxValue: 2560
    Description: The most days between two rotations of a KMS key, as kms.rotation-days of the settings.
",
        stack = "portcullis",
        days = 365,
    );
    Ok(written(&render(&values, &selection)?, &parameters))
}

fn written(generated: &Generated, parameters: &str) -> String {
    let documents: Vec<_> = generated
        .documents
        .iter()
        .filter_map(|document| Some((document, document.kind.organization_type()?)))
        .collect();
    if documents.is_empty() {
        return String::new();
    }
    let mut text = format!("{HEAD}\nParameters:\n{parameters}");
    let mut conditions = String::from("\nConditions:\n");
    if parameters.contains("TrustedAccounts") {
        conditions += "  TrustsAccounts: !Not [!Equals [!Join [\"\", !Ref TrustedAccounts], \"\"]]\n";
    }
    let mut resources = String::from("\nResources:\n");
    for (document, kind) in documents {
        let id = logical(&document.name);
        text += &format!(
            "  {id}Targets:\n    Type: CommaDelimitedList\n    Default: \"\"\n    Description: The accounts, OUs or root that \
             portcullis-{} is attached to, by commas. Empty for nobody.\n",
            document.name
        );
        conditions += &format!("  Attach{id}: !Not [!Equals [!Join [\"\", !Ref {id}Targets], \"\"]]\n");
        resources += &format!(
            "  {id}:\n    Type: AWS::Organizations::Policy\n    Properties:\n      Name: portcullis-{}\n      Type: {kind}\n      \
             Description: Portcullis guardrails\n      TargetIds: !If [Attach{id}, !Ref {id}Targets, !Ref AWS::NoValue]\n      \
             Content:\n",
            document.name
        );
        yaml(&document.content, 8, &mut resources);
    }
    text + &conditions + &resources
}

/// The name of a resource of the template.
fn logical(name: &str) -> String {
    let words = name.split('-');
    words
        .filter_map(|word| Some(word.get(..1)?.to_ascii_uppercase() + &word[1..]))
        .collect()
}

/// A value as YAML in blocks, which people can read. Texts with `${…}` are filled by CloudFormation.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                // `Null`, an operator, would be YAML's null.
                let plain = key != "Null" && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
                let key = if plain {
                    key.clone()
                } else {
                    Value::from(key.as_str()).to_string()
                };
                *out += &format!("{pad}{key}:");
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                if item.is_object() {
                    let mut block = String::new();
                    yaml(item, indent + 2, &mut block);
                    *out += &format!("{pad}- {}", block.trim_start());
                } else {
                    *out += &format!("{pad}-");
                    below(item, indent, out);
                }
            }
        }
        scalar => *out += &format!("{pad}{}\n", text(scalar)),
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(_) | Value::Array(_) => {
            out.push('\n');
            yaml(value, indent + 2, out);
        }
        scalar => *out += &format!(" {}\n", text(scalar)),
    }
}

fn text(scalar: &Value) -> String {
    match scalar.as_str() {
        // A list as a parameter; a condition without values would be refused.
        Some("${TrustedAccounts}") => "!If [TrustsAccounts, !Ref TrustedAccounts, !Ref AWS::NoValue]".into(),
        Some(text) if text.contains("${") => format!("!Sub {scalar}"),
        _ => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::documents::generate;
    use crate::values::KeyValues;

    fn values() -> Values {
        let keys = KeyValues {
            rotation_days: 365,
            retirement_tag: Some("Retire".into()),
            ..KeyValues::default()
        };
        let mut values = Values::from_settings(&portcullis_core::Settings::default(), keys);
        values.organizations = vec!["o-a1b2c3d4e5".into()];
        values
    }

    #[test]
    fn the_contents_are_the_documents() {
        let generated = generate(&values(), &Selection::default()).unwrap();
        let text = template(&generated);
        for document in &generated.documents {
            let mut block = String::new();
            yaml(&document.content, 0, &mut block);
            let read: Value = serde_saphyr::from_str(&block).unwrap();
            assert_eq!(read, document.content, "{}", document.name);
            let indented = block
                .lines()
                .map(|line| format!("        {line}\n"))
                .collect::<Vec<_>>()
                .concat();
            assert!(
                text.contains(&format!("      Content:\n{indented}")),
                "{}",
                document.name
            );
        }
    }

    #[test]
    fn nothing_is_attached_by_itself_and_what_differs_between_organisations_is_a_parameter() {
        let text = with_parameters(values()).unwrap();
        assert_eq!(text.matches("AWS::Organizations::Policy").count(), 7);
        assert_eq!(text.matches("TargetIds: !If [Attach").count(), 7);
        assert_eq!(
            text.matches("Targets:\n    Type: CommaDelimitedList\n    Default: \"\"")
                .count(),
            7
        );
        for parameter in [
            "OrganizationId",
            "TrustedAccounts",
            "BreakGlass",
            "StackName",
            "RotationDays",
        ] {
            assert!(text.contains(&format!("\n  {parameter}:\n")), "{parameter}");
            let (_, below) = text.split_once("\nResources:").unwrap();
            assert!(below.contains(parameter), "{parameter}");
        }
        assert!(!text.contains("o-a1b2c3d4e5"));
    }

    #[test]
    fn what_the_organisation_has_no_type_for_is_in_no_template() {
        let selection = Selection {
            kinds: [DocumentKind::Iam].into(),
            ..Selection::default()
        };
        assert_eq!(template(&generate(&values(), &selection).unwrap()), "");
        assert_eq!(text(&json!("a: b")), "\"a: b\"");
    }
}
