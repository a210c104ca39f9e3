//! What the ARN or id of a principal says of it.

/// The account that a principal stands for as a whole: its id, or its root ARN.
pub(crate) fn account_of(principal: &str) -> Option<&str> {
    if is_account(principal) {
        return Some(principal);
    }
    let (account, name) = arn_account(principal)?;
    (name == "root").then_some(account)
}

/// Account and resource part of an IAM or STS ARN.
pub(crate) fn arn_account(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, _, service, _) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (account, name) = (parts.next()?, parts.next()?);
    (prefix == "arn" && matches!(service, "iam" | "sts")).then_some((account, name))
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The canonical user that S3 gives what nobody signed for: naming it names everybody.
///
/// Source: S3 User Guide, "Access control list (ACL) overview", requests that are not authenticated.
pub(crate) const ANONYMOUS_ID: &str = "65a011a29cdf8ec533ec3d1ccaae921c";

/// What kind of principal an ARN is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrincipalType {
    Root,
    User,
    /// `GetFederationToken`'s.
    FederatedUser,
    /// A role or its session.
    Role,
}

pub(crate) fn principal_type(arn: &str) -> PrincipalType {
    match arn_account(arn) {
        Some((_, "root")) => PrincipalType::Root,
        Some((_, name)) if name.starts_with("user/") => PrincipalType::User,
        Some((_, name)) if name.starts_with("federated-user/") => PrincipalType::FederatedUser,
        _ => PrincipalType::Role,
    }
}

/// A canonical user id: 64 hexadecimal digits.
pub(crate) fn is_canonical(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `aws:PrincipalArn`: for a session it is the role's ARN.
pub(crate) fn principal_arn(arn: &str) -> String {
    let Some((account, session)) = arn_account(arn) else {
        return arn.to_owned();
    };
    match session
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.split('/').next())
    {
        Some(role) => {
            let partition = arn.split(':').nth(1).unwrap_or("aws");
            format!("arn:{partition}:iam::{account}:role/{role}")
        }
        None => arn.to_owned(),
    }
}

/// The host of an identity provider, by which its keys begin.
pub(crate) fn host_of(provider: &str) -> &str {
    provider.split_once("oidc-provider/").map_or(provider, |(_, host)| host)
}
