//! What goes with the documents: how to attach them, and which statement serves which control.

use serde_json::{Map, Value, json};

use crate::declarative::{EC2_POLICY, S3_POLICY, endpoints};
use crate::documents::{Document, Generated, Selection};
use crate::guardrail::Guardrail;
use crate::kind::DocumentKind;
use crate::prevention::prevention;
use crate::statements::guardrails;
use crate::values::Values;

fn guardrail(name: &str) -> Option<&'static Guardrail> {
    guardrails().find(|guardrail| guardrail.sid == name)
}

/// `map.json`: by Sid the document, the controls, what stays of each for its function, and what may break.
pub fn map(generated: &Generated) -> Value {
    let stays = |controls: &[&str]| -> Map<String, Value> {
        let known = controls.iter().filter_map(|control| prevention(control));
        known.map(|found| (found.control, found.stays.into())).collect()
    };
    let mut all = Map::new();
    for document in &generated.documents {
        let declared = match document.kind {
            DocumentKind::Ec2 => Some(&EC2_POLICY),
            DocumentKind::S3 => Some(&S3_POLICY),
            _ => None,
        };
        if let Some(policy) = declared {
            let one = json!({
                "document": document.name, "tier": "default", "controls": policy.controls,
                "stays": stays(policy.controls), "breaks": policy.breaks,
            });
            all.insert(policy.name.into(), one);
        }
        for written in &document.statements {
            let Some(guardrail) = guardrail(written.guardrail) else {
                continue;
            };
            let entry = all.entry(written.sid.as_str()).or_insert_with(|| {
                json!({
                    "document": document.name, "tier": guardrail.tier, "controls": guardrail.controls,
                    "stays": stays(guardrail.controls), "breaks": guardrail.breaks,
                })
            });
            // The same statement as an SCP and as a policy of IAM: one is enough for the map, the other is told beside it.
            if entry["document"] != document.name {
                entry["also"] = document.name.as_str().into();
            }
        }
    }
    let left_out = generated.left_out.iter();
    json!({
        "files": generated.documents.iter().map(file_name).collect::<Vec<_>>(),
        "statements": all,
        "left-out": left_out.map(|(sid, why)| ((*sid).to_owned(), why.as_str().into())).collect::<Map<String, Value>>(),
        "still-denied": generated.still_denied,
    })
}

/// The file of a document.
pub fn file_name(document: &Document) -> String {
    format!("{}.json", document.name)
}

const ORDER: &str = "\
1. `portcullis guardrails diff --events …` over the last 90 days of CloudTrail: whom would each statement have stopped?
2. Attach to one test account: first the declarative policies, then the service control policies, then the resource control policies.
3. Wait a week; read the denied calls (`AccessDenied` with \"explicit deny in a service control policy\" or \"… resource control policy\").
4. Attach to an OU, then to more; in the end to the root. Detach to take back: nothing else changes.
";

/// `attach.md`: the order, the commands, what breaks, what is left out.
pub fn attach(generated: &Generated, values: &Values, selection: &Selection) -> String {
    let mut text = String::from(
        "# Attaching the guardrails\n\nNothing attaches itself. Read the documents, then, in this order:\n\n",
    );
    text += ORDER;
    text += "\nThe same documents are in `guardrails.yaml`, a CloudFormation template for the organisation's management account (or its \
             delegated administrator).\n\n## Documents\n\n| file | characters | of | statements |\n| --- | ---: | ---: | --- |\n";
    for document in &generated.documents {
        let sids: Vec<_> = document.statements.iter().map(|written| written.sid.as_str()).collect();
        let sids = if sids.is_empty() {
            "–".to_owned()
        } else {
            sids.join(", ")
        };
        let (size, limit) = (document.size(), document.kind.limit());
        text += &format!("| `{}` | {size} | {limit} | {sids} |\n", file_name(document));
    }
    text += "\nAn account, an OU and the root each take ten service control policies and five resource control policies, AWS's own \
             (`FullAWSAccess`, `RCPFullAWSAccess`) and Control Tower's among them.\n";
    text += "\n## Commands\n\n```sh\n";
    let mut enabled = Vec::new();
    for document in &generated.documents {
        if let Some(kind) = document.kind.organization_type()
            && !enabled.contains(&kind)
        {
            enabled.push(kind);
            text += &format!("aws organizations enable-policy-type --root-id \"$ROOT\" --policy-type {kind}\n");
        }
    }
    let targets: Vec<_> = if selection.units.is_empty() {
        vec!["\"$TARGET\"".to_owned()]
    } else {
        selection.units.clone()
    };
    for document in &generated.documents {
        text += &commands(document, values, &targets);
    }
    text += "```\n\n`$ROOT` is the organisation's root (`r-…`)";
    if selection.units.is_empty() {
        text += ", `$TARGET` the account or OU to begin with";
    }
    text += ". A policy that is there already: `aws organizations update-policy --policy-id p-… --content file://…`.\n\n## What may break\n\n";
    let mut breaks = Vec::new();
    for document in &generated.documents {
        match document.kind {
            DocumentKind::Ec2 => breaks.push((EC2_POLICY.name, EC2_POLICY.breaks)),
            DocumentKind::S3 => breaks.push((S3_POLICY.name, S3_POLICY.breaks)),
            _ => {}
        }
        let written = document
            .statements
            .iter()
            .filter_map(|written| guardrail(written.guardrail));
        breaks.extend(written.map(|guardrail| (guardrail.sid, guardrail.breaks)));
    }
    let mut told = Vec::new();
    for (name, what) in breaks.into_iter().filter(|(_, what)| !what.is_empty()) {
        if !told.contains(&name) {
            told.push(name);
            text += &format!("- **{name}**: {what}.\n");
        }
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text += &format!("\n## {title}\n\n");
            for line in lines {
                text += &format!("- {line}\n");
            }
        }
    };
    section(
        "What is denied in spite of an exemption",
        generated.still_denied.clone(),
    );
    let left_out = generated.left_out.iter().map(|(sid, why)| format!("**{sid}**: {why}"));
    section("What is left out", left_out.collect());
    let mut notes = generated.notes.clone();
    if generated.of(DocumentKind::Boundary).next().is_some() || generated.of(DocumentKind::Iam).next().is_some() {
        notes.push(
            "A policy of IAM binds whom it is on. Whoever may take it off is not bound by it: let administrators make roles with it \
             only (`iam:PermissionsBoundary`)."
                .into(),
        );
    }
    if generated.of(DocumentKind::Endpoint).next().is_some() {
        notes.push(
            "AWS's own buckets of your region (package repositories, agents) belong to no organisation: add them to the endpoint \
             policy by hand, from AWS's documentation of each service."
                .into(),
        );
    }
    section("To be known", notes);
    text
}

fn commands(document: &Document, values: &Values, targets: &[String]) -> String {
    let (file, name) = (file_name(document), &document.name);
    if let Some(kind) = document.kind.organization_type() {
        let mut text = format!(
            "ID=$(aws organizations create-policy --type {kind} --name portcullis-{name} --description 'Portcullis guardrails' \
             --content file://{file} --query Policy.PolicySummary.Id --output text)\n"
        );
        for target in targets {
            text += &format!("aws organizations attach-policy --policy-id \"$ID\" --target-id {target}\n");
        }
        return text;
    }
    match document.kind {
        DocumentKind::Boundary => format!(
            "aws iam create-policy --policy-name portcullis-{name} --policy-document file://{file}\n\
             aws iam put-role-permissions-boundary --role-name \"$ROLE\" --permissions-boundary \"arn:aws:iam::$ACCOUNT:policy/portcullis-{name}\"\n"
        ),
        DocumentKind::Endpoint => {
            let one = |id: &String| {
                format!("aws ec2 modify-vpc-endpoint --vpc-endpoint-id {id} --policy-document file://{file}\n")
            };
            endpoints(values).iter().map(one).collect::<Vec<_>>().concat()
        }
        _ => format!(
            "aws iam create-policy --policy-name portcullis-{name} --policy-document file://{file}\n\
             aws iam attach-role-policy --role-name \"$ROLE\" --policy-arn \"arn:aws:iam::$ACCOUNT:policy/portcullis-{name}\"\n"
        ),
    }
}
