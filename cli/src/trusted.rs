//! What is trusted, told apart by its form.

use portcullis_access::Trust;

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trusted {
    Account,
    OrgPath,
    Organization,
    VpcEndpoint,
    Vpc,
    Network,
    Id,
}

/// What a text names, by its form.
pub(crate) fn kind_of(one: &str) -> Option<Trusted> {
    let address = one.split('/').next().unwrap_or(one);
    let unique = one.split(':').next().unwrap_or(one);
    let code = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    Some(if is_account(one) {
        Trusted::Account
    } else if one.starts_with("o-") && one.contains('/') {
        Trusted::OrgPath
    } else if one.starts_with("o-") {
        Trusted::Organization
    } else if one.starts_with("vpce-") {
        Trusted::VpcEndpoint
    } else if one.starts_with("vpc-") || (one.starts_with("arn:") && one.contains(":vpc/")) {
        Trusted::Vpc
    } else if address.parse::<std::net::IpAddr>().is_ok() {
        Trusted::Network
    } else if one.starts_with("arn:")
        || (one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_hexdigit()))
        // Unique ids of roles and users, and origin access identities.
        || (unique.len() >= 5 && unique.starts_with(['A', 'E']) && code(unique))
    {
        Trusted::Id
    } else {
        return None;
    })
}

/// Puts what is trusted where it belongs.
pub(crate) fn add(trust: &mut Trust, one: &str) {
    let list = match kind_of(one) {
        Some(Trusted::Account) => &mut trust.accounts,
        Some(Trusted::OrgPath) => &mut trust.org_paths,
        Some(Trusted::Organization) => &mut trust.organizations,
        Some(Trusted::VpcEndpoint) => &mut trust.vpc_endpoints,
        Some(Trusted::Vpc) => &mut trust.vpcs,
        Some(Trusted::Network) => &mut trust.networks,
        Some(Trusted::Id) | None => &mut trust.ids,
    };
    list.insert(one.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_sorted_by_its_form() {
        let mut trust = Trust::default();
        let all = [
            "444455556666",
            "o-abc",
            "o-abc/r-1/",
            "vpc-1",
            "vpce-1",
            "203.0.113.0/24",
            "2001:db8::/32",
            "AROAX",
        ];
        assert!(all.iter().all(|one| kind_of(one).is_some()));
        for mistyped in ["4444555566666", "0-abc", "policies.json", "vpc", "AROA-x"] {
            assert_eq!(kind_of(mistyped), None, "{mistyped}");
        }
        for one in all {
            add(&mut trust, one);
        }
        let sizes = [
            trust.accounts.len(),
            trust.organizations.len(),
            trust.org_paths.len(),
            trust.vpcs.len(),
        ];
        assert_eq!(sizes, [1, 1, 1, 1]);
        assert_eq!(
            [trust.vpc_endpoints.len(), trust.networks.len(), trust.ids.len()],
            [1, 2, 1]
        );
    }
}
