//! Whom the policies of an organisation bind, and what they let through.
//!
//! Sources: Organizations User Guide, "SCP effects on permissions", "Tasks and entities not restricted by SCPs", "SCP evaluation",
//! "Resources and entities not restricted by RCPs".
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use portcullis_access::{
    Caller, Effect, OrganizationAccounts, OrganizationPolicy, OrganizationRequest, Policy, Request, Truth, applying,
    lets_through, names_action,
};

const MEMBER: &str = "111122223333";
const MANAGEMENT: &str = "222233334444";

fn account(arn: &str) -> Caller {
    Caller::Account {
        account: arn.split(':').nth(4).unwrap().to_owned(),
        arn: arn.to_owned(),
    }
}

fn asked(caller: Caller, action: &str, owner: &str) -> OrganizationRequest {
    OrganizationRequest {
        request: Request {
            caller,
            action: action.to_owned(),
            resource: "arn:aws:s3:::reports/q3.pdf".to_owned(),
            context: [("s3:x-amz-acl".to_owned(), vec!["public-read".to_owned()])].into(),
        },
        owner: owner.to_owned(),
        unknown: BTreeSet::new(),
    }
}

fn developer() -> Caller {
    account("arn:aws:sts::111122223333:assumed-role/Dev/ana")
}

fn accounts() -> OrganizationAccounts {
    OrganizationAccounts {
        management: Some(MANAGEMENT.to_owned()),
        members: Some([MEMBER.to_owned()].into()),
    }
}

#[test]
fn service_control_policies_bind_the_principals_of_members_and_nobody_else() {
    let service = Caller::Service {
        name: "cloudtrail.amazonaws.com".into(),
    };
    for (caller, owner, bound) in [
        (developer(), MEMBER, true),
        // On a resource of somebody else, too.
        (developer(), "999988887777", true),
        (account("arn:aws:iam::111122223333:root"), MEMBER, true),
        (account("arn:aws:iam::222233334444:user/eve"), MEMBER, false),
        (account("arn:aws:iam::999988887777:user/eve"), MEMBER, false),
        (
            account(
                "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
            ),
            MEMBER,
            false,
        ),
        (service, MEMBER, false),
        (Caller::Anonymous, MEMBER, false),
    ] {
        let asked = asked(caller, "s3:GetObject", owner);
        assert_eq!(
            OrganizationPolicy::ServiceControl.binds(&asked, &accounts()),
            bound,
            "{asked:?}"
        );
    }
}

#[test]
fn resource_control_policies_bind_whoever_asks_for_what_a_member_owns() {
    for (caller, action, owner, bound) in [
        (developer(), "s3:GetObject", MEMBER, true),
        (
            account("arn:aws:iam::999988887777:user/eve"),
            "s3:GetObject",
            MEMBER,
            true,
        ),
        (
            account("arn:aws:iam::222233334444:user/eve"),
            "s3:GetObject",
            MEMBER,
            true,
        ),
        (Caller::Anonymous, "s3:GetObject", MEMBER, true),
        (developer(), "s3:GetObject", MANAGEMENT, false),
        (developer(), "s3:GetObject", "999988887777", false),
        (developer(), "kms:RetireGrant", MEMBER, false),
        (
            account(
                "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
            ),
            "kms:CreateGrant",
            MEMBER,
            false,
        ),
    ] {
        let asked = asked(caller, action, owner);
        assert_eq!(
            OrganizationPolicy::ResourceControl.binds(&asked, &accounts()),
            bound,
            "{asked:?}"
        );
    }
}

#[test]
fn where_members_are_not_known_each_account_but_the_management_account_counts() {
    let accounts = OrganizationAccounts {
        management: Some(MANAGEMENT.to_owned()),
        members: None,
    };
    assert!(accounts.is_member("999988887777") && !accounts.is_member(MANAGEMENT));
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

const FULL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const NO_PUBLIC_ACL: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Acl","Effect":"Deny","Action":"s3:Put*","Resource":"*",
    "Condition":{"StringEquals":{"s3:x-amz-acl":"public-read"}}}]}"#;

#[test]
fn a_statement_without_a_principal_is_about_everybody_whom_the_policy_binds() {
    let policy = policy(NO_PUBLIC_ACL);
    let sids = |action: &str| -> Vec<_> {
        let asked = asked(developer(), action, MEMBER);
        let all = applying(&policy, Effect::Deny, &asked);
        all.map(|(statement, truth)| (statement.sid.clone().unwrap(), truth))
            .collect()
    };
    assert_eq!(sids("s3:PutObject"), [("Acl".to_owned(), Truth::Yes)]);
    assert_eq!(sids("S3:putobject"), [("Acl".to_owned(), Truth::Yes)]);
    assert_eq!(sids("s3:GetObject"), []);
}

#[test]
fn a_key_that_is_not_known_leaves_the_statement_undecided_unless_something_else_decides() {
    let policy = policy(NO_PUBLIC_ACL);
    let truth = |action: &str| {
        let mut asked = asked(developer(), action, MEMBER);
        asked.request.context.clear();
        asked.unknown.insert("s3:x-amz-acl".into());
        applying(&policy, Effect::Deny, &asked).map(|(_, truth)| truth).next()
    };
    assert_eq!(truth("s3:PutObject"), Some(Truth::Maybe));
    assert_eq!(truth("s3:GetObject"), None);
}

#[test]
fn each_level_must_allow_and_none_deny() {
    let (full, deny) = (policy(FULL), policy(NO_PUBLIC_ACL));
    let read_only =
        policy(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#);
    let put = asked(developer(), "s3:PutObject", MEMBER);
    let get = asked(developer(), "s3:GetObject", MEMBER);
    let through = |levels: &[&[Policy]], asked: &OrganizationRequest| lets_through(levels.iter().copied(), asked);
    let with_deny = [full.clone(), deny.clone()];
    let (full, narrow, only_deny) = ([full], [read_only], [deny]);
    assert_eq!(through(&[&full, &full], &put), Truth::Yes);
    assert_eq!(through(&[&full, &with_deny], &put), Truth::No);
    assert_eq!(through(&[&full, &with_deny], &get), Truth::Yes);
    assert_eq!(through(&[&narrow, &full], &put), Truth::No);
    assert_eq!(through(&[&narrow, &full], &get), Truth::Yes);
    // Without FullAWSAccess or another Allow nothing is let through.
    assert_eq!(through(&[&full, &only_deny], &get), Truth::No);
}

#[test]
fn a_policy_names_an_action_by_a_pattern_whatever_its_case_or_by_leaving_it_out_of_not_action() {
    let deny = policy(NO_PUBLIC_ACL);
    assert!(names_action(&deny, "S3:putobject") && !names_action(&deny, "s3:GetObject"));
    let other =
        policy(r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":"s3:Put*","Resource":"*"}}"#);
    assert!(names_action(&other, "s3:GetObject") && !names_action(&other, "s3:PutObject"));
}
