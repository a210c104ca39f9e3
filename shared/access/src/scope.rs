use crate::parse::Policy;
use crate::service::Service;
use crate::trust::Trust;

/// What a policy is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The kind of resource it is on.
    pub service: Service,
    /// The account that owns the resource.
    pub owner: &'a str,
    /// What is trusted beside the owner.
    pub trust: &'a Trust,
    /// The resource's ARN, if known; else it is taken from the policy.
    pub resource: Option<&'a str>,
}

impl Scope<'_> {
    /// Whether an account is the owner's, or trusted.
    pub(crate) fn is_ours(&self, account: &str) -> bool {
        account == self.owner || self.trust.accounts.contains(account)
    }

    /// The partition that the resource is in, by its ARN, or else by those that the policy names.
    pub(crate) fn partition(&self, policy: &Policy) -> String {
        let from = |arn: &str| {
            let name = arn.strip_prefix("arn:")?.split(':').next()?;
            (name.starts_with("aws") && !name.contains(['*', '?'])).then(|| name.to_owned())
        };
        let resources = policy
            .statements()
            .iter()
            .filter_map(|statement| statement.resources.as_ref());
        let principals = policy
            .statements()
            .iter()
            .filter_map(|statement| statement.principals.as_ref());
        self.resource
            .and_then(from)
            .or_else(|| {
                resources
                    .flat_map(|list| &list.values)
                    .find_map(|template| from(template.source()))
            })
            .or_else(|| {
                principals
                    .flat_map(|list| &list.values)
                    .find_map(|principal| from(&principal.value))
            })
            .unwrap_or_else(|| "aws".to_owned())
    }
}
