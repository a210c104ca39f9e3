//! # What it requires
//! No grant lets a principal of an account outside of trust use the key. Grants to principals of this account and of trusted
//! ones are fine, and so are those that these made for an AWS service; one that an outsider made for a service lets it work
//! for the outsider.
//!
//! # Why
//! Grants let people in past the key policy: whoever looks only at the policy misses them. One call, made once, is a lasting
//! back door.
//!
//! # What it changes
//! `RevokeGrant` for those grants, where it is set to enforce. Notify by default. There is no way back: a grant made again
//! has another id and token. The alert says so, and offers no restore. The ledger keeps the whole grant, so that people can make
//! an equal one.
//!
//! # What may break
//! The grantee's access to everything that is encrypted under the key.
//!
//! # References
//! KMS Developer Guide, "Grants in AWS KMS"; KMS API Reference, `RevokeGrant`.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Grant, Key, KeyChange, KeyFact};

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-grants",
        title: "A key's grants are for trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        // After the last there may be none left, and the ledger forgets that there was. Services retire theirs all the time:
        // that is not looked at, and a new grant is told anew, since it has another id.
        calls: &["CreateGrant", "RevokeGrant"],
    },
    reads: &[KeyFact::Metadata, KeyFact::Grants],
    changes: &[KeyFact::Grants],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let (Some(_), Some(grants)) = (key.customer_managed(), key.grants.get()) else {
        return key.not_ours();
    };
    let trusted = &context.settings.trusted.accounts;
    let is_trusted = |grant: &&Grant| {
        grant
            .account()
            .is_some_and(|account| trusted.iter().any(|one| one == account))
    };
    let foreign: Vec<&Grant> = grants.foreign.iter().filter(|grant| !is_trusted(grant)).collect();
    if foreign.is_empty() {
        if grants.more {
            let summary = Clause::has(format!(
                "more grants than can be looked at: the first {} are fine",
                grants.total
            ));
            return Finding::new(Severity::Low, summary, "", Vec::new())
                .only_notify("look at the others with ListGrants")
                .into();
        }
        return Judgement::Compliant;
    }
    let one = |grant: &&Grant| {
        let (grantee, id) = (&grant.grantee, &grant.id);
        let made_by = match &grant.issuer {
            Some(issuer) if grant.is_for_service() => format!(", for {issuer}"),
            None if grant.is_for_service() => ", for somebody whom the grant does not name".to_owned(),
            _ => String::new(),
        };
        format!("{grantee} may {}{made_by} (grant {id})", grant.operations.join(", "))
    };
    let who = foreign.iter().map(one).collect::<Vec<_>>().join("; ");
    let summary = Clause::new("lets", "let").followed_by(format!(" in somebody outside of trust by a grant: {who}"));
    // An id that names no account may be a deleted principal of our own: who it was is for a person to find out.
    let known = || foreign.iter().copied().filter(|grant| grant.account().is_some());
    if known().next().is_none() {
        return Finding::new(Severity::Medium, summary, "", Vec::new())
            .only_notify("it can't be told whose it is")
            .into();
    }
    let ids: Vec<_> = known().map(|grant| grant.id.as_str()).collect();
    let change = format!("revoke the grants {}", ids.join(", "));
    let remedies = known().cloned().map(KeyChange::RevokeGrant).collect();
    Finding::new(Severity::High, summary, change, remedies).into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Observed, Settings, State as _, Undo};

    use super::*;
    use crate::key::tests::{finding, in_state, with_settings};
    use crate::key::{Grants, KeyState};

    fn to(grantee: &str) -> Grant {
        Grant {
            id: format!("g-{grantee}"),
            grantee: grantee.into(),
            operations: vec!["Decrypt".into()],
            issuer: Some("arn:aws:iam::111122223333:root".into()),
            ..Grant::default()
        }
    }

    /// A grant to a service, made under some account.
    fn for_service(issuer: Option<&str>) -> Grant {
        Grant {
            issuer: issuer.map(ToOwned::to_owned),
            ..to("dynamodb.us-east-1.amazonaws.com")
        }
    }

    fn of(grants: Vec<Grant>) -> Key {
        Key {
            grants: Observed::Is(Grants::new(grants, "111122223333", false)),
            ..in_state(KeyState::Enabled)
        }
    }

    fn with(grantees: &[&str]) -> Key {
        of(grantees.iter().map(|one| to(one)).collect())
    }

    const FOREIGN: &str = "arn:aws:iam::444455556666:role/Partner";

    #[test]
    fn services_and_the_account_itself_are_fine() {
        let key = with(&[
            "ec2.us-east-1.amazonaws.com",
            "arn:aws:iam::111122223333:role/App",
            "arn:aws:sts::111122223333:assumed-role/App/i-1",
            "111122223333:aws:ec2-infrastructure:i-81e2f56c",
        ]);
        assert_eq!(finding(judge, &key), None);
    }

    #[test]
    fn a_foreign_account_is_revoked_whole_and_a_trusted_one_is_not() {
        let key = with(&[FOREIGN, "ec2.us-east-1.amazonaws.com"]);
        let found = finding(judge, &key).unwrap();
        let revoked = KeyChange::RevokeGrant(to(FOREIGN));
        assert_eq!(found.remedies, std::slice::from_ref(&revoked));
        assert_eq!(finding(judge, &key.after(&revoked)), None);
        assert_eq!(
            Undo::of(&key, &found.remedies),
            Undo::Nothing(vec![format!("grant g-{FOREIGN}")])
        );
        assert_eq!(
            Undo::of(&key, &[revoked, KeyChange::SetEnabled(false)]),
            Undo::AllBut(vec![format!("grant g-{FOREIGN}")])
        );
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        with_settings(&settings, |context| {
            assert_eq!(judge(&key, context), Judgement::Compliant);
        });
    }

    #[test]
    fn a_service_is_judged_by_whom_it_works_for() {
        for own in ["arn:aws:iam::111122223333:root", "111122223333"] {
            assert_eq!(finding(judge, &of(vec![for_service(Some(own))])), None, "{own}");
        }
        let outsider = for_service(Some("arn:aws:iam::444455556666:root"));
        let key = of(vec![outsider.clone()]);
        let found = finding(judge, &key).unwrap();
        assert_eq!(found.remedies, [KeyChange::RevokeGrant(outsider)]);
        assert!(
            found.summary.is.contains("for arn:aws:iam::444455556666:root"),
            "{}",
            found.summary.is
        );
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        with_settings(&settings, |context| {
            assert_eq!(judge(&key, context), Judgement::Compliant);
        });
        let unknown = finding(judge, &of(vec![for_service(None)])).unwrap();
        assert!(unknown.only_notify.is_some() && unknown.remedies.is_empty());
    }

    #[test]
    fn each_grant_is_a_change_of_its_own() {
        let other = FOREIGN.replace("Partner", "Other");
        let key = with(&[FOREIGN, &other]);
        let remedies = finding(judge, &key).unwrap().remedies;
        let targets: Vec<_> = remedies.iter().map(portcullis_core::Change::target).collect();
        assert_eq!(targets, [format!("grant g-{FOREIGN}"), format!("grant g-{other}")]);
        let left = finding(judge, &key.after(&remedies[0])).unwrap();
        assert!(
            !left.summary.is.contains("Partner") && left.summary.is.contains("Other"),
            "{}",
            left.summary.is
        );
    }

    #[test]
    fn an_id_of_nobody_knows_whom_is_told() {
        let found = finding(judge, &with(&["AROAEXAMPLEEXAMPLE000"])).unwrap();
        assert!(found.only_notify.is_some() && found.remedies.is_empty());
    }
}
