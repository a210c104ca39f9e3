//! Access control lists and sharing lists, as `aws s3api get-bucket-acl`, `aws ec2 describe-snapshot-attribute`,
//! `aws ec2 describe-image-attribute`, `aws ssm describe-document-permission`, `aws rds describe-db-snapshot-attributes` and
//! `aws rds describe-db-cluster-snapshot-attributes` print them.

use portcullis_access::{Grant, Grantee, ListJudgement, Share, Trust, judge_acl, judge_sharing};
use serde::Deserialize;
use serde_json::Value;

/// A list with whom it grants to or is shared with.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum List {
    /// A bucket's or an object's.
    Acl {
        #[serde(rename = "Owner")]
        owner: Owner,
        #[serde(rename = "Grants")]
        grants: Vec<Value>,
    },
    /// A snapshot's, an image's or a document's.
    Sharing {
        #[serde(
            rename = "CreateVolumePermissions",
            alias = "LaunchPermissions",
            alias = "AccountIds"
        )]
        shares: Vec<Value>,
    },
    /// A database snapshot's.
    Database {
        #[serde(rename = "DBSnapshotAttributesResult", alias = "DBClusterSnapshotAttributesResult")]
        result: Database,
    },
}

#[derive(Deserialize)]
pub struct Database {
    #[serde(rename = "DBSnapshotAttributes", alias = "DBClusterSnapshotAttributes")]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "AttributeName")]
    name: String,
    #[serde(rename = "AttributeValues")]
    values: Vec<Value>,
}

#[derive(Deserialize)]
pub struct Owner {
    #[serde(rename = "ID")]
    id: String,
}

impl List {
    /// Whom it lets in; an error says what of it can't be read. `owner` is the account that a shared thing is of, and
    /// `ignores_public` the effective `IgnorePublicAcls` above an ACL.
    pub fn judge(&self, owner: Option<&str>, trust: &Trust, ignores_public: bool) -> Result<ListJudgement, String> {
        match self {
            Self::Acl { owner, grants } => {
                let grants: Vec<Grant> = grants.iter().map(grant).collect::<Result<_, _>>()?;
                Ok(judge_acl(&grants, &owner.id, &trust.ids, ignores_public))
            }
            Self::Sharing { shares } => shared(shares.iter(), owner, trust),
            // RDS API Reference, `ModifyDBSnapshotAttribute`: who may restore it.
            Self::Database { result } => {
                let restore = result.attributes.iter().filter(|one| one.name == "restore");
                shared(restore.flat_map(|one| &one.values), owner, trust)
            }
        }
    }
}

fn shared<'a>(
    shares: impl Iterator<Item = &'a Value>,
    owner: Option<&str>,
    trust: &Trust,
) -> Result<ListJudgement, String> {
    let owner = owner.ok_or("no owner is given: use --account, or \"owner\" in the record")?;
    let shares: Vec<Share> = shares.map(share).collect::<Result<_, _>>()?;
    Ok(judge_sharing(&shares, owner, trust))
}

fn grant(value: &Value) -> Result<Grant, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let to = &value["Grantee"];
    let grantee = text(&to["URI"])
        .map(Grantee::Group)
        .or_else(|| text(&to["ID"]).map(Grantee::CanonicalUser))
        .or_else(|| text(&to["EmailAddress"]).map(Grantee::Email));
    match (grantee, text(&value["Permission"])) {
        (Some(grantee), Some(permission)) => Ok(Grant { grantee, permission }),
        _ => Err(format!(
            "a grant has a Grantee with a URI, an ID or an EmailAddress, and a Permission; found {value}"
        )),
    }
}

fn share(value: &Value) -> Result<Share, String> {
    let keys = ["Group", "UserId", "OrganizationArn", "OrganizationalUnitArn"];
    let named = keys.iter().find_map(|key| value[*key].as_str());
    let text = value.as_str().or(named);
    text.map(Share::parse).ok_or_else(|| {
        format!(
            "a share is an account id, or has one of {}; found {value}",
            keys.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use portcullis_access::Verdict;
    use serde_json::json;

    use super::*;

    fn judged(list: Value) -> Result<(Verdict, Vec<usize>), String> {
        let list: List = serde_json::from_value(list).unwrap();
        let found = list.judge(Some("111122223333"), &Trust::default(), false)?;
        Ok((found.verdict, found.offending.iter().map(|(index, _)| *index).collect()))
    }

    #[test]
    fn as_the_aws_command_line_prints_them() {
        let all = "http://acs.amazonaws.com/groups/global/AllUsers";
        let own = json!({"Grantee": {"Type": "CanonicalUser", "ID": "o"}, "Permission": "FULL_CONTROL"});
        let acl =
            |grantee: Value| json!({"Owner": {"ID": "o"}, "Grants": [own, {"Grantee": grantee, "Permission": "READ"}]});
        for (list, verdict, offending) in [
            (acl(json!({"Type": "Group", "URI": all})), Verdict::Public, vec![1]),
            (
                acl(json!({"Type": "CanonicalUser", "ID": "p"})),
                Verdict::External,
                vec![1],
            ),
            (
                acl(json!({"Type": "CanonicalUser", "ID": "o"})),
                Verdict::Private,
                vec![],
            ),
            (
                json!({"SnapshotId": "snap-1", "CreateVolumePermissions": [{"UserId": "111122223333"}, {"Group": "all"}]}),
                Verdict::Public,
                vec![1],
            ),
            (
                json!({"LaunchPermissions": [{"OrganizationArn": "arn:aws:organizations::444455556666:organization/o-x"}]}),
                Verdict::External,
                vec![0],
            ),
            (
                json!({"AccountIds": ["444455556666"], "AccountSharingInfoList": []}),
                Verdict::External,
                vec![0],
            ),
        ] {
            assert_eq!(judged(list.clone()), Ok((verdict, offending)), "{list}");
        }
        assert!(judged(json!({"AccountIds": [5]})).unwrap_err().contains("found 5"));
        assert!(judged(acl(json!({}))).unwrap_err().contains("Grantee"));
    }
}
