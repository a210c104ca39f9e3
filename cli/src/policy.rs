//! `portcullis policy`: whom a resource policy, an ACL or a sharing list lets in, why, and what would undo it.

use std::fmt::Write as _;
use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_access::{
    Fix, Goal, Judgement, Policy, RequiredEncryption, Scope, Service, Trust, Upload, Verdict, encrypted_writes, fix,
    judge, key_practice, likely_resource, refused_uploads, tls_only,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::lists::List;
use crate::trusted::{add, is_account, kind_of};

/// Exits 1 if any is public or external, 2 if any could not be judged.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "the comments are the help text")]
pub struct Arguments {
    /// What the policies are on, such as s3, s3-access-point, kms, sns, sqs, lambda, secretsmanager, ecr, logs, apigateway or
    /// iam-trust; a name that is none of them is answered with all of them.
    #[arg(long)]
    service: Option<Service>,
    /// The account that owns the resources.
    #[arg(long)]
    account: Option<String>,
    /// What is trusted beside it: account ids, organisations (o-…) and their paths, VPCs, VPC endpoints, CIDRs, other
    /// ids. Repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',')]
    trust: Vec<String>,
    /// The resource's ARN; without it, it is taken from the policy.
    #[arg(long)]
    resource: Option<String>,
    /// The bucket's object ownership; under BucketOwnerEnforced its ACLs grant nothing.
    #[arg(long)]
    object_ownership: Option<String>,
    /// Propose fixes that only close what is public, and leave who is external.
    #[arg(long)]
    keep_external: bool,
    /// A table for people instead of JSON lines.
    #[arg(long)]
    table: bool,
    /// Files with a policy, an ACL or a sharing list, or with JSON lines of {"id", "service", "owner", "policy" | "acl" |
    /// "attribute", "resource", "trusted", "trusted_orgs", "trusted_networks", "trusted_ids", "block_public_access",
    /// "object_ownership"}; - is standard input. ACLs and lists are as the AWS CLI prints them: get-bucket-acl,
    /// describe-snapshot-attribute, describe-image-attribute, describe-document-permission, describe-db-snapshot-attributes,
    /// describe-db-cluster-snapshot-attributes.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// One line of input; unknown fields are for others.
#[derive(Deserialize)]
struct Record<'a> {
    service: Option<String>,
    owner: Option<String>,
    #[serde(borrow, alias = "Policy")]
    policy: Option<&'a RawValue>,
    #[serde(alias = "attribute")]
    acl: Option<List>,
    #[serde(default)]
    block_public_access: BlockPublicAccess,
    object_ownership: Option<String>,
    resource: Option<String>,
    #[serde(default)]
    trusted: Vec<String>,
    #[serde(default)]
    trusted_orgs: Vec<String>,
    #[serde(default)]
    trusted_networks: Vec<String>,
    #[serde(default)]
    trusted_ids: Vec<String>,
}

/// What matters to an ACL of the block above it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct BlockPublicAccess {
    #[serde(rename = "IgnorePublicAcls")]
    ignore_public_acls: bool,
}

/// One line of output.
#[derive(Serialize)]
struct Line {
    id: String,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "one a policy, and most are the large one")]
enum Answer {
    PlannedFinding {
        verdict: Verdict,
        s3_verdict: Option<portcullis_access::S3Verdict>,
        undecided: bool,
        offending: Vec<usize>,
        reason: String,
        witness: Option<portcullis_access::Witness>,
        /// nothing, delete, rewrite, undecided or none: what to do with the policy; remove: the offending entries of a list.
        fix: &'static str,
        fixed: Option<Box<RawValue>>,
        changes: Vec<String>,
        findings: Vec<serde_json::Value>,
    },
    Refused {
        refused: String,
    },
}

/// Judges the policies of all files.
pub fn run(mut args: Arguments, out: &mut impl Write) -> Result<ExitCode, Error> {
    // "--trust A B FILE" reads well; B is no file.
    let (trusted, files): (Vec<PathBuf>, Vec<PathBuf>) = args
        .files
        .drain(..)
        .partition(|file| kind_of(&file.to_string_lossy()).is_some() && !file.exists());
    args.files = files;
    args.trust
        .extend(trusted.iter().map(|one| one.to_string_lossy().into_owned()));
    if args.files.is_empty() {
        return Err(Error::Refused("no file is given".to_owned()));
    }
    if let Some(unknown) = args.trust.iter().find(|one| kind_of(one).is_none()) {
        return Err(Error::Refused(format!(
            "--trust {unknown}: no account, organisation, VPC, VPC endpoint, network or other id that AWS gives"
        )));
    }
    let mut lines = Vec::new();
    for file in &args.files {
        let name = file.display().to_string();
        match read(file) {
            Ok(text) => lines.extend(answers(&args, &name, &text)),
            Err(error) => lines.push(refused(name, error.to_string())),
        }
    }
    for line in &lines {
        if args.table {
            let mut row = String::new();
            table_row(&mut row, line);
            out.write_all(row.as_bytes())?;
        } else {
            serde_json::to_writer(&mut *out, line)?;
            writeln!(out)?;
        }
    }
    Ok(exit_code(&lines))
}

fn exit_code(lines: &[Line]) -> ExitCode {
    let refused = lines.iter().any(|line| matches!(line.answer, Answer::Refused { .. }));
    let open = lines
        .iter()
        .any(|line| matches!(line.answer, Answer::PlannedFinding { verdict, .. } if verdict > Verdict::Private));
    ExitCode::from(if refused { 2 } else { u8::from(open) })
}

fn read(file: &PathBuf) -> std::io::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}

fn refused(id: String, why: String) -> Line {
    Line {
        id,
        answer: Answer::Refused { refused: why },
    }
}

fn answers(args: &Arguments, name: &str, text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // One JSON value: a policy, or a single record spread over lines.
    if serde_json::from_str::<&RawValue>(text).is_ok() {
        return vec![one(args, name, text)];
    }
    // Lines of which one is a whole record or policy; else it is a broken policy, better told with its own place.
    let lines = || text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let whole = |line: &str| serde_json::from_str::<Fields>(line).is_ok_and(|fields| fields.is_whole());
    if !lines().any(|(_, line)| whole(line)) {
        return vec![one(args, name, text)];
    }
    lines()
        .map(|(number, line)| one(args, &format!("{name}:{}", number + 1), line))
        .collect()
}

/// What tells a record from a policy.
#[derive(Deserialize)]
struct Fields<'a> {
    id: Option<serde_json::Value>,
    #[serde(borrow, alias = "Policy")]
    policy: Option<&'a RawValue>,
    #[serde(borrow, alias = "Statement")]
    statement: Option<&'a RawValue>,
    #[serde(borrow, alias = "attribute")]
    acl: Option<&'a RawValue>,
}

impl Fields<'_> {
    fn is_whole(&self) -> bool {
        self.is_record() || self.statement.is_some()
    }

    fn is_record(&self) -> bool {
        self.policy.is_some() || self.acl.is_some()
    }

    fn id(&self, name: &str) -> String {
        match &self.id {
            Some(serde_json::Value::String(id)) => id.clone(),
            Some(other) => other.to_string(),
            None => name.to_owned(),
        }
    }
}

fn one(args: &Arguments, name: &str, text: &str) -> Line {
    let fields = serde_json::from_str::<Fields>(text).ok();
    let Some(fields) = fields.filter(Fields::is_record) else {
        let mut trust = Trust::default();
        args.trust.iter().for_each(|one| add(&mut trust, one));
        if let Ok(list) = serde_json::from_str::<List>(text) {
            return Line {
                id: name.to_owned(),
                answer: listed(
                    &list,
                    args.account.as_deref(),
                    &trust,
                    false,
                    args.object_ownership.as_deref(),
                ),
            };
        }
        let answer = answer(
            args,
            text,
            args.service,
            args.account.as_deref(),
            args.resource.as_deref(),
            &trust,
        );
        return Line {
            id: name.to_owned(),
            answer,
        };
    };
    let id = fields.id(name);
    let record: Record = match serde_json::from_str(text) {
        Ok(record) => record,
        Err(error) => return refused(id, format!("the record can't be read: {error}")),
    };
    // A record's trust stands in for the flags'.
    let mut trust = Trust::default();
    let lists = [&record.trusted, &record.trusted_orgs, &record.trusted_networks];
    if let Some(unknown) = lists.into_iter().flatten().find(|one| kind_of(one).is_none()) {
        return refused(
            id,
            format!("\"{unknown}\" is nothing that can be trusted; other ids belong to trusted_ids"),
        );
    }
    let overrides = lists.iter().any(|list| !list.is_empty()) || !record.trusted_ids.is_empty();
    if overrides {
        lists.into_iter().flatten().for_each(|one| add(&mut trust, one));
        trust.ids.extend(record.trusted_ids.iter().cloned());
    } else {
        args.trust.iter().for_each(|one| add(&mut trust, one));
    }
    let owner = record.owner.as_deref().or(args.account.as_deref());
    let Some(policy) = record.policy else {
        let answer = match &record.acl {
            Some(list) => {
                let ownership = record.object_ownership.as_deref().or(args.object_ownership.as_deref());
                listed(
                    list,
                    owner,
                    &trust,
                    record.block_public_access.ignore_public_acls,
                    ownership,
                )
            }
            None => refusal("there is no \"policy\", \"acl\" or \"attribute\" in the record"),
        };
        return Line { id, answer };
    };
    let service = match record.service.as_deref().map(str::parse).transpose() {
        Ok(service) => service.or(args.service),
        Err(error) => return refused(id, format!("{error}")),
    };
    // As the S3 and SNS APIs give it, a policy is a string of JSON.
    let inner: Option<String> = serde_json::from_str(policy.get()).ok();
    let policy = inner.as_deref().unwrap_or(policy.get());
    let resource = record.resource.as_deref().or(args.resource.as_deref());
    Line {
        id,
        answer: answer(args, policy, service, owner, resource, &trust),
    }
}

fn answer(
    args: &Arguments,
    text: &str,
    service: Option<Service>,
    owner: Option<&str>,
    resource: Option<&str>,
    trust: &Trust,
) -> Answer {
    let Some(service) = service else {
        return refusal("no service is given: use --service, or \"service\" in the record");
    };
    let Some(owner) = owner else {
        return refusal("no owner is given: use --account, or \"owner\" in the record");
    };
    if !is_account(owner) {
        return refusal("the owner is not an account id of 12 digits");
    }
    let other_account = match resource.map(|arn| named_account(service, owner, arn)) {
        Some(Err(why)) => return refusal(&why),
        Some(Ok(told)) => told,
        None => None,
    };
    let policy = match Policy::parse_for(service, text) {
        Ok(policy) => policy,
        Err(error) => return refusal(&error.to_string()),
    };
    let scope = Scope {
        service,
        owner,
        trust,
        resource,
    };
    let Judgement {
        verdict,
        s3,
        undecided,
        offending,
        mut reason,
        witness,
        notes,
    } = judge(&policy, &scope);
    let goal = if args.keep_external {
        Goal::NotPublic
    } else {
        Goal::Private
    };
    let mut fixed = None;
    let mut changes = Vec::new();
    let kind = match fix(&policy, &scope, goal) {
        Ok(Fix::Nothing) => "nothing",
        Ok(Fix::Delete) => "delete",
        Ok(Fix::Rewrite { policy, changes: made }) => {
            // As it is, but for its own line breaks, which would break the line.
            fixed = RawValue::from_string(policy.replace(['\n', '\r'], " ")).ok();
            changes = made.into_iter().map(|change| change.note).collect();
            "rewrite"
        }
        Ok(Fix::Undecided { reason: why }) => {
            let why = if why == reason { "" } else { why.as_str() };
            let _ = write!(
                reason,
                "; nothing is changed{}{why}",
                if why.is_empty() { "" } else { ": " }
            );
            "undecided"
        }
        Err(error) => {
            let _ = write!(reason, "; there is no fix: {error}");
            "none"
        }
    };
    let mut findings: Vec<serde_json::Value> = notes
        .iter()
        .map(|note| json!({"kind": note.kind, "statement": note.index, "text": note.text}))
        .collect();
    findings.extend(other_account.map(|text| json!({"kind": "other-account", "text": text})));
    findings.extend(taken_from(&policy, &scope).filter(|_| verdict > Verdict::Private));
    if service == Service::Kms {
        for (finding, statement) in key_practice(&policy, owner, trust).findings {
            findings.push(json!({"kind": finding, "statement": statement}));
        }
    }
    if service == Service::S3Bucket
        && let Some(bucket) = likely_resource(&policy, &scope)
    {
        let tls = tls_only(Some(&policy), service, &bucket);
        if tls.blocks_tls {
            findings.push(json!({"kind": "blocks-tls", "text": format!("{bucket} refuses requests over TLS")}));
        }
        if !tls.enforced {
            findings.push(json!({"kind": "plain-http", "text": format!("{bucket} takes requests over plain HTTP")}));
        }
        findings.extend(refused_writes(&policy, &bucket, owner));
    }
    Answer::PlannedFinding {
        verdict,
        s3_verdict: s3,
        undecided,
        offending: offending.iter().map(|offence| offence.index).collect(),
        reason,
        witness,
        fix: kind,
        fixed,
        changes,
        findings,
    }
}

/// Which resource the policy is taken to be on, where none is given.
fn taken_from(policy: &Policy, scope: &Scope) -> Option<serde_json::Value> {
    let named = likely_resource(policy, scope).filter(|_| scope.resource.is_none())?;
    let text = format!("taken for the policy of {named}, which it names: give the resource if it is another's");
    Some(json!({"kind": "resource-from-policy", "text": text}))
}

/// What there is to tell of a resource in another account than its owner's; an error says that it is none of the service's.
fn named_account(service: Service, owner: &str, arn: &str) -> Result<Option<String>, String> {
    let account = arn.split(':').nth(4).unwrap_or_default();
    if !service.is_its(arn, account) {
        return Err(format!("{arn} is not the ARN of a resource in {service}"));
    }
    let other = !service.is_its(arn, owner);
    Ok(other.then(|| format!("{arn} names account {account}, not its owner {owner}: one of the two is wrong")))
}

/// What an ACL or a sharing list comes to.
fn listed(
    list: &List,
    owner: Option<&str>,
    trust: &Trust,
    ignores_public: bool,
    object_ownership: Option<&str>,
) -> Answer {
    // S3 User Guide, "Controlling ownership of objects and disabling ACLs for your bucket".
    const OWNERSHIPS: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];
    if let Some(unknown) = object_ownership.filter(|one| !OWNERSHIPS.contains(one)) {
        return refusal(&format!(
            "the object ownership is {unknown}; expected one of {}",
            OWNERSHIPS.join(", ")
        ));
    }
    if matches!(list, List::Acl { .. }) && object_ownership == Some(OWNERSHIPS[0]) {
        return Answer::PlannedFinding {
            verdict: Verdict::Private,
            s3_verdict: None,
            undecided: false,
            offending: Vec::new(),
            reason: "the bucket owner owns every object (BucketOwnerEnforced), so the ACL grants nothing".to_owned(),
            witness: None,
            fix: "nothing",
            fixed: None,
            changes: Vec::new(),
            findings: Vec::new(),
        };
    }
    if let Some(owner) = owner.filter(|owner| !is_account(owner)) {
        return refusal(&format!("the owner {owner} is not an account id of 12 digits"));
    }
    match list.judge(owner, trust, ignores_public) {
        Err(why) => refusal(&why),
        Ok(found) => Answer::PlannedFinding {
            verdict: found.verdict,
            s3_verdict: None,
            undecided: false,
            fix: if found.offending.is_empty() {
                "nothing"
            } else {
                "remove"
            },
            offending: found.offending.into_iter().map(|(index, _)| index).collect(),
            reason: found.reason,
            witness: None,
            fixed: None,
            changes: Vec::new(),
            findings: Vec::new(),
        },
    }
}

/// The uploads that the policy refuses, by what they say of their encryption, and whom that breaks.
fn refused_writes(policy: &Policy, bucket: &str, owner: &str) -> Option<serde_json::Value> {
    let partition = bucket.split(':').nth(1).unwrap_or("aws");
    let any_key = format!("arn:{partition}:kms:us-east-1:{owner}:key/11111111-1111-4111-8111-111111111111");
    let own_key = required_key(policy).unwrap_or(any_key);
    let uploads = refused_uploads(policy, bucket, &own_key);
    if uploads.is_empty() {
        return None;
    }
    let mut text = format!("{bucket} refuses some uploads by their encryption");
    if uploads.contains(&Upload::NoHeader) {
        text += "; it breaks every client that names none and relies on the bucket's default";
    }
    if encrypted_writes(Some(policy), bucket, &RequiredEncryption::default()).breaks_other_calls {
        text += "; it also refuses calls that never name one, such as PutObjectTagging";
    }
    Some(json!({"kind": "refused-uploads", "uploads": uploads, "text": text}))
}

/// The key that the policy asks uploads to name, if it names one whole.
fn required_key(policy: &Policy) -> Option<String> {
    let conditions = policy.statements().iter().flat_map(|statement| &statement.conditions);
    let of_keys = conditions.filter(|one| one.key == "s3:x-amz-server-side-encryption-aws-kms-key-id");
    let mut values = of_keys.flat_map(|one| &one.values);
    let whole = values.find(|value| !value.has_wildcard() && !value.has_variables())?;
    Some(whole.source().to_owned())
}

fn refusal(why: &str) -> Answer {
    Answer::Refused {
        refused: why.to_owned(),
    }
}

fn table_row(text: &mut String, line: &Line) {
    let id = &line.id;
    let _ = match &line.answer {
        Answer::Refused { refused } => writeln!(text, "{id:<32} refused   -         {refused}"),
        Answer::PlannedFinding {
            verdict,
            s3_verdict,
            undecided,
            reason,
            fix,
            ..
        } => {
            let s3 = s3_verdict.map_or("-", |s3| match s3 {
                portcullis_access::S3Verdict::Private => "private",
                portcullis_access::S3Verdict::Public => "public",
            });
            let verdict = match verdict {
                Verdict::Private => "private",
                Verdict::External => "external",
                Verdict::Public => "public",
            };
            let mark = if *undecided { "?" } else { "" };
            writeln!(
                text,
                "{id:<32} {:<9} s3:{s3:<8} fix:{fix:<9} {reason}",
                format!("{verdict}{mark}")
            )
        }
    };
}

#[cfg(test)]
mod tests;
