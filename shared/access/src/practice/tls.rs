//! What a policy refuses of plain HTTP.
//!
//! Sources: S3 User Guide, "Amazon S3 security best practices" (enforce encryption of data in transit); SQS Developer Guide,
//! "Amazon SQS security best practices" (consider using encryption of data in transit).

use serde::Serialize;

use super::refusal::{Known, covers, kinds_of_resource, refuses};
use crate::evaluate::fits;
use crate::parse::{Policy, Statement};
use crate::service::Service;

const TRANSPORT: &str = "aws:securetransport";
const TLS_VERSION: &str = "s3:tlsversion";

/// Whether a policy keeps plain HTTP out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TlsOnly {
    /// Every request over plain HTTP is refused, to everyone.
    pub enforced: bool,
    /// Requests over TLS are refused by what was meant to enforce it.
    pub blocks_tls: bool,
}

/// Whether the policy refuses plain HTTP for every caller, every action, and every part of the resource.
pub fn tls_only(policy: Option<&Policy>, service: Service, arn: &str) -> TlsOnly {
    let nothing = TlsOnly {
        enforced: false,
        blocks_tls: false,
    };
    let Some(policy) = policy else {
        return nothing;
    };
    // Plain HTTP has no TLS version.
    let plain = Known::from([(TRANSPORT, Some("false")), (TLS_VERSION, None)]);
    let secure = Known::from([(TRANSPORT, Some("true")), (TLS_VERSION, Some("1.3"))]);
    let refusing: Vec<&Statement> = policy.statements().iter().filter(|one| refuses(one, &plain)).collect();
    let blocks_tls = policy.statements().iter().any(|statement| {
        refuses(statement, &secure)
            && statement
                .conditions
                .iter()
                .any(|one| [TRANSPORT, TLS_VERSION].contains(&one.key.as_str()))
    });
    let Some(kinds) = kinds_of_resource(policy, service, arn).filter(|_| !refusing.is_empty()) else {
        return TlsOnly {
            enforced: false,
            blocks_tls,
        };
    };
    let enforced = kinds.iter().all(|resource| {
        // AWS adds actions: one that is not known yet has to be refused as well.
        let unknown = format!("{}:FutureAction", service.prefix());
        let listed = service.actions().iter().map(|one| one.name.as_str());
        let mut actions = listed
            .filter(|action| fits(service, action, resource))
            .chain([unknown.as_str()]);
        actions.all(|action| {
            refusing
                .iter()
                .any(|statement| covers(statement, service, action, resource))
        })
    });
    TlsOnly { enforced, blocks_tls }
}
