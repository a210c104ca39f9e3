//! Condition keys: what a stranger can make of each. Which keys there are, and what kind of value they have, is
//! [AWS's list](crate::reference); here is only what that list does not say: who sets a key, and which requests have it.
//!
//! Sources: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference, the page of each service;
//! IAM User Guide, "Available keys for AWS OIDC federation".

use crate::reference::{self, ValueType};
use crate::service::Service;

/// What limits the values that a caller can bring for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The caller's account id; `anonymous` for nobody's.
    Account,
    /// The caller's ARN.
    Arn,
    /// The caller's organisation.
    Organization,
    /// The caller's place in it.
    OrgPaths,
    /// The caller's unique id.
    UserId,
    /// The name of an IAM user.
    UserName,
    /// Account, User, `AssumedRole`, Anonymous.
    CallerType,
    /// Whether an AWS service asks under its own name.
    IsService,
    /// The service's name, or the list of its names.
    ServiceName,
    /// The address that the request comes from, if from the internet.
    SourceIp,
    /// An address within a VPC: anybody's VPC may have it.
    PrivateIp,
    /// Something AWS gave an id to, seen only through a VPC endpoint.
    Endpoint(Id),
    /// The VPC of the instance that the caller's credentials were given to.
    InstanceVpc,
    /// The resource that an AWS service acts for.
    SourceArn,
    /// Its account.
    SourceAccount,
    /// Its organisation.
    SourceOrganization,
    /// Its place in it.
    SourceOrgPaths,
    /// The ARN of something in the caller's account.
    OwnArn,
    /// The ARN of an S3 access point.
    AccessPointArn,
    /// Its account.
    AccessPointAccount,
    /// The ARN of the KMS key that an upload names: only who may use the key can.
    UploadKey,
    /// The account of the resource.
    ResourceAccount,
    /// Its organisation.
    ResourceOrganization,
    /// The present.
    Clock,
    /// Which application an identity was made for.
    Audience,
    /// Whom an identity provider vouches for.
    Subject,
    /// The name of the session that a role is assumed for.
    SessionName,
    /// Anything else that a provider says.
    Claim,
    /// True only for who reaches the file system's own mount targets.
    MountTarget,
    /// Known only to its owner.
    Secret,
    /// The id of a user of somebody's directory.
    DirectoryUser,
    /// Whether AWS acts for the caller: a stranger can have it do so, nobody without credentials, and no service by itself.
    OnBehalf,
    /// What a service says of the resource that it acts for, in the encryption context of its call; others say what they like.
    ServiceContext,
    /// Chosen by the caller, or told of the resource.
    Free(Presence),
    /// Not a key that we know: what limits it is unknown.
    Unknown,
}

/// Which requests have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Some, whoever makes them.
    Some,
    /// Every one.
    All,
    /// Some of those that are signed.
    Signed,
    /// Some that a principal of an account makes: it is told of that principal or of its session.
    Principal,
}

impl Class {
    /// Whether a text can't be a value of it, since nothing that AWS names so has a wildcard in its name.
    pub(crate) fn never_is(self, text: &str) -> bool {
        let wild = |text: &str| text.contains(['*', '?']);
        match self {
            // A path may have a star, a name not (IAM API Reference, `CreateRole`).
            Self::Arn => wild(text.rsplit('/').next().unwrap_or(text)),
            // The ARN of a log group ends in one (CloudWatch Logs User Guide, "Resources").
            Self::SourceArn if text.contains(":log-group:") => wild(text.strip_suffix(":*").unwrap_or(text)),
            Self::SourceArn
            | Self::Account
            | Self::Organization
            | Self::OrgPaths
            | Self::UserId
            | Self::UserName
            | Self::CallerType
            | Self::IsService
            | Self::ServiceName
            | Self::SourceIp
            | Self::PrivateIp
            | Self::Endpoint(_)
            | Self::InstanceVpc
            | Self::SourceAccount
            | Self::SourceOrganization
            | Self::SourceOrgPaths
            | Self::OwnArn
            | Self::AccessPointArn
            | Self::AccessPointAccount
            | Self::UploadKey
            | Self::ResourceAccount
            | Self::ResourceOrganization
            | Self::DirectoryUser
            | Self::OnBehalf => wild(text),
            _ => false,
        }
    }

    /// Whether a caller may choose any text for it.
    pub(crate) fn is_chosen(self) -> bool {
        matches!(
            self,
            Self::Free(_) | Self::ServiceContext | Self::UserName | Self::SessionName | Self::Claim | Self::Unknown
        )
    }
}

/// Kinds of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Id {
    Vpc,
    VpcEndpoint,
    VpcArn,
    Account,
    Organization,
    OrgPath,
}

const ALWAYS: Class = Class::Free(Presence::All);
const SIGNED: Class = Class::Free(Presence::Signed);
const PRINCIPAL: Class = Class::Free(Presence::Principal);

/// Keys that are more than a caller's choice, and those of which it is known which requests have them.
const KNOWN: &[(&str, Class)] = &[
    ("aws:principalaccount", Class::Account),
    ("aws:principalarn", Class::Arn),
    ("aws:principalorgid", Class::Organization),
    ("aws:principalorgpaths", Class::OrgPaths),
    ("aws:userid", Class::UserId),
    ("aws:username", Class::UserName),
    ("aws:principaltype", Class::CallerType),
    ("aws:principalisawsservice", Class::IsService),
    ("aws:principalservicename", Class::ServiceName),
    ("aws:principalservicenameslist", Class::ServiceName),
    ("aws:sourceip", Class::SourceIp),
    ("aws:vpcsourceip", Class::PrivateIp),
    ("aws:sourcevpc", Class::Endpoint(Id::Vpc)),
    ("aws:sourcevpce", Class::Endpoint(Id::VpcEndpoint)),
    ("aws:sourcevpcarn", Class::Endpoint(Id::VpcArn)),
    ("aws:vpceaccount", Class::Endpoint(Id::Account)),
    ("aws:vpceorgid", Class::Endpoint(Id::Organization)),
    ("aws:vpceorgpaths", Class::Endpoint(Id::OrgPath)),
    ("aws:sourcearn", Class::SourceArn),
    ("aws:sourceaccount", Class::SourceAccount),
    ("aws:sourceowner", Class::SourceAccount),
    ("aws:sourceorgid", Class::SourceOrganization),
    ("aws:sourceorgpaths", Class::SourceOrgPaths),
    ("aws:resourceaccount", Class::ResourceAccount),
    ("aws:resourceorgid", Class::ResourceOrganization),
    ("aws:resourceorgpaths", Class::ResourceOrganization),
    ("s3:resourceaccount", Class::ResourceAccount),
    ("s3express:resourceaccount", Class::ResourceAccount),
    ("aws:currenttime", Class::Clock),
    ("aws:epochtime", Class::Clock),
    ("aws:securetransport", ALWAYS),
    ("aws:requestedregion", ALWAYS),
    ("aws:viaawsservice", Class::OnBehalf),
    ("aws:ec2instancesourcevpc", Class::InstanceVpc),
    ("aws:ec2instancesourceprivateipv4", PRINCIPAL),
    ("ec2:roledelivery", PRINCIPAL),
    ("ec2:sourceinstancearn", Class::OwnArn),
    ("lambda:sourcefunctionarn", Class::OwnArn),
    ("ssm:sourceinstancearn", Class::OwnArn),
    ("aws:chatbotsourcearn", Class::OwnArn),
    ("aws:signinsessionarn", Class::OwnArn),
    ("codebuild:projectarn", Class::OwnArn),
    ("codebuild:buildarn", Class::OwnArn),
    ("s3:accessgrantsinstancearn", Class::OwnArn),
    ("identitystore:userid", Class::DirectoryUser),
    ("glue:roleassumedby", PRINCIPAL),
    ("glue:credentialissuingservice", PRINCIPAL),
    ("aws:federatedprovider", PRINCIPAL),
    ("aws:multifactorauthpresent", PRINCIPAL),
    ("aws:multifactorauthage", PRINCIPAL),
    ("aws:tokenissuetime", PRINCIPAL),
    ("aws:sourceidentity", PRINCIPAL),
    ("aws:assumedroot", PRINCIPAL),
    ("aws:calledvia", PRINCIPAL),
    ("aws:calledviafirst", PRINCIPAL),
    ("aws:calledvialast", PRINCIPAL),
    ("aws:calledviaawsmcp", PRINCIPAL),
    ("aws:viaawsmcpservice", PRINCIPAL),
    ("aws:ismcpserviceaction", PRINCIPAL),
    ("s3:dataaccesspointarn", Class::AccessPointArn),
    ("s3express:dataaccesspointarn", Class::AccessPointArn),
    ("s3-outposts:dataaccesspointarn", Class::AccessPointArn),
    ("s3:dataaccesspointaccount", Class::AccessPointAccount),
    ("s3express:dataaccesspointaccount", Class::AccessPointAccount),
    ("s3-outposts:dataaccesspointaccount", Class::AccessPointAccount),
    ("s3:x-amz-server-side-encryption-aws-kms-key-id", Class::UploadKey),
    (
        "s3express:x-amz-server-side-encryption-aws-kms-key-id",
        Class::UploadKey,
    ),
    ("s3:signatureage", SIGNED),
    ("s3:signatureversion", SIGNED),
    ("kms:calleraccount", Class::Account),
    ("lambda:eventsourcetoken", Class::Secret),
    ("elasticfilesystem:accessedviamounttarget", Class::MountTarget),
    ("sts:rolesessionname", Class::SessionName),
];

/// Likewise, by how their names begin.
const FAMILIES: &[(&str, Class)] = &[
    ("aws:principaltag/", PRINCIPAL),
    // KMS Developer Guide, "Encryption context": services name what they encrypt by keys of their own, as in CloudWatch Logs
    // User Guide, "Encrypt log data": `aws:logs:arn`.
    ("kms:encryptioncontext:aws:", Class::ServiceContext),
];

/// Keys that name something of the caller's own account: the service in its ARN, and what follows the account.
///
/// Source: IAM User Guide, "AWS global condition context keys"; AWS `CodeBuild` User Guide, "Using policy conditions"; S3 User
/// Guide, "S3 Access Grants".
pub(crate) fn own_arn(key: &str) -> (&'static str, &'static str) {
    match key {
        "ec2:sourceinstancearn" => ("ec2", "instance/*"),
        "ssm:sourceinstancearn" => ("*", "*instance/*"),
        "lambda:sourcefunctionarn" => ("lambda", "function:*"),
        "aws:chatbotsourcearn" => ("chatbot", "chat-configuration/*"),
        "aws:signinsessionarn" => ("signin", "session/*"),
        "codebuild:projectarn" => ("codebuild", "project/*"),
        "codebuild:buildarn" => ("codebuild", "build/*:*"),
        "s3:accessgrantsinstancearn" => ("s3", "access-grants/default"),
        _ => ("*", "*"),
    }
}

/// Whether a key is either true or false where a request has it.
pub(crate) fn is_boolean(key: &str) -> bool {
    reference::value_type(key) == Some(ValueType::Bool)
}

/// What a key is. Keys of another service say nothing in this service's requests, but count as free all the same: that
/// they limit is not proven.
pub(crate) fn class(key: &str) -> Class {
    let begins = |prefix: &str| key.len() > prefix.len() && key.starts_with(prefix);
    let known = KNOWN.iter().find(|(name, _)| *name == key);
    if let Some((_, class)) = known.or_else(|| FAMILIES.iter().find(|(prefix, _)| begins(prefix))) {
        return *class;
    }
    if reference::value_type(key).is_some() {
        return Class::Free(Presence::Some);
    }
    let Some((provider, claim)) = key.rsplit_once(':') else {
        return Class::Unknown;
    };
    // An identity provider's keys begin with its host name.
    if !provider.contains('.') && provider != "saml" {
        return Class::Unknown;
    }
    match claim {
        "aud" | "app_id" if has_own_audience(provider) => Class::Audience,
        "sub"
        | "id"
        | "user_id"
        | "repository"
        | "repository_owner"
        | "repository_id"
        | "repository_owner_id"
        | "job_workflow_ref"
        | "enterprise"
        | "enterprise_id"
        | "environment_node_id"
        | "namespace_id"
        | "namespace_path"
        | "project_id"
        | "project_path" => Class::Subject,
        _ => Class::Claim,
    }
}

/// Providers whose audience is the id of one application or tenant, given by the provider: a fixed one keeps others
/// out.
fn has_own_audience(provider: &str) -> bool {
    SHARED
        .iter()
        .any(|(host, control)| *host == provider && *control == Control::Audience)
}

/// The provider's tokens say in the session's name, set by the provider, whose they are.
pub(crate) fn has_own_session_name(provider: &str) -> bool {
    SHARED
        .iter()
        .any(|(host, control)| *host == provider && *control == Control::SessionName)
}

/// What tells the users of a shared identity provider apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    Subject,
    /// The audience as well as the subject.
    Audience,
    SessionName,
}

/// Identity providers that vouch for anybody's users, so that trusting one without a limit trusts the world.
///
/// Sources: IAM User Guide, "Identity-provider controls for shared OIDC providers", with the claim that it asks for;
/// "Available keys for AWS OIDC federation" for the first four. The last ones are not in the guide: their own
/// documentation says that one issuer serves all customers.
const SHARED: [(&str, Control); 33] = [
    ("graph.facebook.com", Control::Audience),
    ("accounts.google.com", Control::Audience),
    ("www.amazon.com", Control::Audience),
    ("cognito-identity.amazonaws.com", Control::Audience),
    (
        "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",
        Control::SessionName,
    ),
    ("agent.buildkite.com", Control::Subject),
    ("oidc.codefresh.io", Control::Subject),
    ("studio.datachain.ai/api", Control::Subject),
    ("token.actions.githubusercontent.com", Control::Subject),
    ("oidc-configuration.audit-log.githubusercontent.com", Control::Subject),
    ("vstoken.actions.githubusercontent.com", Control::Subject),
    ("gitlab.com", Control::Subject),
    (
        "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
        Control::Subject,
    ),
    (
        "rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr",
        Control::Subject,
    ),
    (
        "rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg",
        Control::Subject,
    ),
    (
        "rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26",
        Control::Subject,
    ),
    (
        "oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb",
        Control::Subject,
    ),
    (
        "oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu",
        Control::Subject,
    ),
    ("api.pulumi.com/oidc", Control::Audience),
    ("sandboxes.cloud", Control::Audience),
    ("scalr.io", Control::Subject),
    ("tokens.cloud.shisho.dev", Control::Subject),
    ("app.terraform.io", Control::Subject),
    ("proidc.upbound.io", Control::Subject),
    ("oidc.vercel.com", Control::Audience),
    ("api.bitbucket.org", Control::Subject),
    ("oidc.circleci.com", Control::Subject),
    ("oidc.infracost.io", Control::Subject),
    ("oidc.spacelift.io", Control::Subject),
    ("login.app.env0.com", Control::Subject),
    ("vstoken.dev.azure.com", Control::Subject),
    ("login.microsoftonline.com/common/v2.0", Control::Subject),
    ("oidc.fly.io", Control::Subject),
];

/// Every one of those.
pub(crate) fn shared_providers() -> impl Iterator<Item = &'static str> {
    SHARED.iter().map(|(host, _)| *host)
}

/// Whether a provider vouches for anybody's users.
pub(crate) fn is_shared_provider(host: &str) -> bool {
    SHARED.iter().any(|(shared, _)| *shared == host)
}

/// Keys that name the resource an AWS service acts for.
pub(crate) fn names_source(key: &str) -> bool {
    matches!(
        class(key),
        Class::SourceArn | Class::SourceAccount | Class::SourceOrganization | Class::SourceOrgPaths
    )
}

/// Keys that callers choose and that policies use as a password: their values don't belong into reports.
pub(crate) fn is_shared_secret(key: &str) -> bool {
    matches!(key, "sts:externalid" | "aws:referer" | "aws:useragent") || class(key) == Class::Secret
}

/// Keys that only pick out AWS service principals.
pub(crate) fn names_service(key: &str) -> bool {
    matches!(class(key), Class::IsService | Class::ServiceName)
}

/// SNS tells the caller's account in `aws:SourceOwner`, with every request.
pub(crate) fn tells_caller(service: Service, key: &str) -> bool {
    service == Service::Sns && key == "aws:sourceowner"
}
