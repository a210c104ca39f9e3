//! What holds for every bucket, whatever its state: tried on random ones, with all controls enforced.

use portcullis_access::Grantee;
use portcullis_core::settings::Level;
use portcullis_core::{Decision, Plan, Ruling, State as _, plan};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{grant, in_scope};
use super::*;

const LEVELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];

fn enforced(state: &Bucket, level: &str) -> Plan<Bucket> {
    let controls: Vec<_> = crate::controls::BUCKET.iter().collect();
    in_scope(level, |context| {
        plan(state, &controls, context, |_, finding| {
            let decision = match (&finding.only_notify, finding.remedies.as_slice()) {
                (Some(why), _) => Decision::Notify(why.clone()),
                (None, []) => Decision::Notify("there is no change".into()),
                _ => Decision::Enforce,
            };
            Ruling {
                decision,
                notes: Vec::new(),
                fight: false,
            }
        })
    })
}

fn made(state: &Bucket, plan: &Plan<Bucket>) -> Bucket {
    plan.remedies
        .iter()
        .fold(state.clone(), |state, remedy| state.after(remedy))
}

fn any_block() -> impl Strategy<Value = Observed<PublicAccessBlock>> {
    prop_oneof![
        Just(Observed::Absent),
        any::<[bool; 4]>().prop_map(|[one, two, three, four]| Observed::Is(PublicAccessBlock {
            block_public_acls: one,
            ignore_public_acls: two,
            block_public_policy: three,
            restrict_public_buckets: four,
        })),
    ]
}

fn any_encryption() -> impl Strategy<Value = Encryption> {
    let key = prop::option::of(Just(
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".to_owned(),
    ));
    let algorithm = prop::sample::select(vec!["AES256", "aws:kms", "aws:kms:dsse"]);
    let blocked = prop::sample::select(vec![
        None,
        Some(vec![]),
        Some(vec!["NONE".to_owned()]),
        Some(vec!["SSE-C".to_owned()]),
    ]);
    (algorithm, key, any::<bool>(), blocked).prop_map(|(algorithm, key, bucket_key, blocked)| Encryption {
        stands_for: None,
        algorithm: algorithm.into(),
        key: key.filter(|_| algorithm != "AES256"),
        bucket_key,
        blocked,
    })
}

/// Policies put together of what matters for who gets in, over TLS or not, with what encryption.
fn any_policy() -> impl Strategy<Value = Observed<String>> {
    let allow = |principal: Value, action: &str| json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": ["arn:aws:s3:::b-1", "arn:aws:s3:::b-1/*"]});
    let mut through = allow(json!("*"), "s3:GetObject");
    through["Condition"] = json!({"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d"}});
    let mut own = allow(json!("*"), "s3:GetObject");
    own["Condition"] = json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}});
    let mut tls = allow(json!("*"), "s3:*");
    tls["Effect"] = json!("Deny");
    tls["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
    let statements = vec![
        allow(json!("*"), "s3:GetObject"),
        allow(json!({"AWS": "*"}), "s3:*"),
        allow(
            json!({"AWS": ["*", "arn:aws:iam::111122223333:role/App"]}),
            "s3:PutObject",
        ),
        allow(json!({"AWS": "arn:aws:iam::111122223333:role/App"}), "s3:GetObject"),
        allow(json!({"AWS": "arn:aws:iam::444455556666:root"}), "s3:GetObject"),
        allow(json!({"Service": "logging.s3.amazonaws.com"}), "s3:PutObject"),
        through,
        own,
        tls,
    ];
    let some = prop::sample::subsequence(statements, 1..5).prop_shuffle();
    let policy = some.prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}).to_string());
    prop_oneof![Just(Observed::Absent), policy.prop_map(Observed::Is)]
}

fn any_acl() -> impl Strategy<Value = Acl> {
    let group = |name: &str| Grantee::Group(format!("http://acs.amazonaws.com/groups/{name}"));
    let grants = vec![
        grant(Grantee::CanonicalUser("owner".into()), "FULL_CONTROL"),
        grant(Grantee::CanonicalUser("other".into()), "READ"),
        grant(group("global/AllUsers"), "READ"),
        grant(group("global/AllUsers"), "WRITE_ACP"),
        grant(group("global/AuthenticatedUsers"), "READ"),
        grant(group("s3/LogDelivery"), "WRITE"),
    ];
    prop::sample::subsequence(grants, 0..=6).prop_map(|grants| Acl {
        owner: "owner".into(),
        grants,
    })
}

fn any_state() -> impl Strategy<Value = Bucket> {
    let ownership = prop::sample::select(vec![
        Observed::Absent,
        Observed::Is("ObjectWriter".to_owned()),
        Observed::Is("BucketOwnerPreferred".to_owned()),
        Observed::Is("BucketOwnerEnforced".to_owned()),
    ]);
    let versioning = prop::sample::select(vec![Versioning::Off, Versioning::Enabled, Versioning::Suspended]);
    let website = prop::option::of(Just(Website {
        index: Some("index.html".into()),
        ..Website::default()
    }));
    let blocks = (any_block(), any_block());
    (
        blocks,
        any_encryption(),
        any_policy(),
        any_acl(),
        ownership,
        versioning,
        website,
    )
        .prop_map(
            |((public_access_block, account_block), encryption, policy, acl, ownership, versioning, website)| Bucket {
                tags: Observed::Is(Tags::new()),
                public_access_block,
                account_block,
                encryption: Observed::Is(encryption),
                policy,
                acl: Observed::Is(acl),
                ownership,
                versioning: Observed::Is(versioning),
                website: website.into(),
            },
        )
}

/// How much an algorithm gives: what is never lessened.
fn strength(encryption: &Encryption) -> usize {
    let order = ["AES256", "aws:kms", "aws:kms:dsse"];
    order
        .iter()
        .position(|name| *name == encryption.algorithm)
        .unwrap_or_default()
}

fn statements(policy: &Observed<String>) -> Vec<String> {
    let text = policy.get().map_or("{\"Statement\":[]}", String::as_str);
    let policy = portcullis_access::Policy::parse(text).unwrap();
    policy
        .statements()
        .iter()
        .map(|statement| statement.text().to_owned())
        .collect()
}

proptest! {
    /// What is enforced holds afterwards, and doing it again changes nothing.
    #[test]
    fn a_plan_converges(state in any_state(), level in prop::sample::select(LEVELS.to_vec())) {
        let first = enforced(&state, level);
        let after = made(&state, &first);
        prop_assert_eq!(&after, &first.after);
        let second = enforced(&after, level);
        prop_assert!(second.remedies.is_empty(), "{:?} after {:?}", second.findings, first.remedies);
    }

    /// Of two remedies with one target only one is made.
    #[test]
    fn a_plan_changes_nothing_twice(state in any_state(), level in prop::sample::select(LEVELS.to_vec())) {
        let plan = enforced(&state, level);
        let mut targets: Vec<_> = plan.remedies.iter().map(portcullis_core::Change::target).collect();
        targets.sort();
        let count = targets.len();
        targets.dedup();
        prop_assert_eq!(targets.len(), count);
    }

    /// A restore brings back the state from before; only that versions were kept can't be undone.
    #[test]
    fn a_plan_can_be_undone(state in any_state(), level in prop::sample::select(LEVELS.to_vec())) {
        let plan = enforced(&state, level);
        let mut inverses: Vec<_> = plan.remedies.iter().rev().map(|remedy| state.inverse(remedy).unwrap()).collect();
        inverses.sort_by_key(portcullis_core::Change::restore_order);
        let mut back = inverses.iter().fold(made(&state, &plan), |state, remedy| state.after(remedy));
        if state.versioning == Observed::Is(Versioning::Off) && back.versioning == Observed::Is(Versioning::Suspended) {
            back.versioning = Observed::Is(Versioning::Off);
        }
        prop_assert_eq!(back, state);
    }

    /// Nothing is ever lessened: encryption, blocked kinds of it, the flags of the block, kept versions, disabled ACLs.
    #[test]
    fn nothing_is_downgraded(state in any_state(), level in prop::sample::select(LEVELS.to_vec())) {
        let after = enforced(&state, level).after;
        let (was, is) = (state.effective_encryption(), after.effective_encryption());
        prop_assert!(strength(&is) >= strength(&was));
        prop_assert!(was.key.is_none() || is.key.is_some());
        prop_assert!(!was.bucket_key || is.bucket_key || is.algorithm == "aws:kms:dsse");
        let blocks = |encryption: &Encryption| encryption.blocked.iter().flatten().any(|kind| kind == "SSE-C");
        prop_assert!(!blocks(&was) || blocks(&is));
        let (was, is) = (state.effective_block(), after.effective_block());
        prop_assert_eq!(was.or(is), is);
        prop_assert!(state.versioning != Observed::Is(Versioning::Enabled) || after.versioning == state.versioning);
        let enforced = Observed::Is("BucketOwnerEnforced".to_owned());
        prop_assert!(state.ownership != enforced || after.ownership == enforced);
    }

    /// Nobody gets more, and what does not offend stays byte for byte: a new statement is a deny, or narrower than the one
    /// whose place it takes.
    #[test]
    fn statements_go_or_narrow_and_the_others_stay(state in any_state(), level in prop::sample::select(LEVELS.to_vec())) {
        let after = enforced(&state, level).after;
        let (was, is) = (statements(&state.policy), statements(&after.policy));
        let new: Vec<Value> = is.iter().filter(|text| !was.contains(text)).map(|text| serde_json::from_str(text).unwrap()).collect();
        for statement in new.iter().filter(|statement| statement["Effect"] == "Allow") {
            let narrowed = was.iter().any(|text| {
                let old: Value = serde_json::from_str(text).unwrap();
                old["Action"] == statement["Action"] && old["Resource"] == statement["Resource"] && !is.contains(text)
            });
            prop_assert!(narrowed, "{statement} is new");
            prop_assert!(!statement["Principal"].to_string().contains("\"*\"") || !statement["Condition"].is_null());
        }
        let (Observed::Is(was), Observed::Is(is)) = (&state.acl, &after.acl) else { unreachable!() };
        prop_assert!(is.grants.iter().all(|grant| was.grants.contains(grant)));
        prop_assert!(is.grants.iter().all(|kept| !matches!(&kept.grantee, Grantee::Group(uri) if uri.contains("global")))
            || after.ownership == Observed::Is("BucketOwnerEnforced".to_owned()) || level == "public" || after.effective_block().ignore_public_acls);
    }

    /// What the ledger keeps is what was read.
    #[test]
    fn a_state_survives_the_ledger(state in any_state()) {
        let kept = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<Bucket>(&kept).unwrap(), state);
    }
}

#[test]
fn the_levels_are_those_of_the_default_settings() {
    let levels = portcullis_core::Settings::default().classification.levels;
    let known: Vec<(&String, &Level)> = levels.iter().collect();
    assert_eq!(known.len(), LEVELS.len());
    assert!(LEVELS.iter().all(|level| levels.contains_key(*level)));
}
