//! Condition keys as data: what a stranger can make of each.
//!
//! Sources: IAM User Guide, "AWS global condition context keys" (which keys a request has, and who sets them); Service
//! Authorization Reference, the page of each service; IAM User Guide, "Available keys for AWS OIDC federation".

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
    /// Chosen by the caller, or told of the resource.
    Free {
        /// Only in signed requests.
        signed: bool,
        /// In every request.
        always: bool,
    },
    /// Not a key that we know: what limits it is unknown.
    Unknown,
}

impl Class {
    /// Whether a caller may choose any text for it.
    pub(crate) fn is_chosen(self) -> bool {
        matches!(
            self,
            Self::Free { .. } | Self::UserName | Self::SessionName | Self::Claim | Self::Unknown
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

const FREE: Class = Class::Free {
    signed: false,
    always: false,
};
const SIGNED: Class = Class::Free {
    signed: true,
    always: false,
};
const ALWAYS: Class = Class::Free {
    signed: false,
    always: true,
};

/// Keys whose name ends in a tag's or a context's own name.
const FAMILIES: &[(&str, Class)] = &[
    ("aws:principaltag/", SIGNED),
    ("aws:requesttag/", FREE),
    ("aws:resourcetag/", FREE),
    ("s3:existingobjecttag/", FREE),
    ("s3:requestobjecttag/", FREE),
    ("s3:buckettag/", FREE),
    ("s3:accesspointtag/", FREE),
    ("kms:encryptioncontext:", FREE),
    ("kms:recipientattestation:", FREE),
    ("secretsmanager:resourcetag/", FREE),
    ("ecr:resourcetag/", FREE),
    ("ssm:resourcetag/", FREE),
    ("iam:resourcetag/", FREE),
];

const GLOBAL: &[(&str, Class)] = &[
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
    ("aws:currenttime", Class::Clock),
    ("aws:epochtime", Class::Clock),
    ("aws:securetransport", ALWAYS),
    ("aws:requestedregion", ALWAYS),
    ("aws:ec2instancesourcevpc", Class::InstanceVpc),
    ("aws:ec2instancesourceprivateipv4", SIGNED),
    ("ec2:sourceinstancearn", Class::OwnArn),
    ("lambda:sourcefunctionarn", Class::OwnArn),
    ("ssm:sourceinstancearn", Class::OwnArn),
    ("aws:chatbotsourcearn", Class::OwnArn),
    ("aws:federatedprovider", SIGNED),
    ("aws:multifactorauthpresent", SIGNED),
    ("aws:multifactorauthage", SIGNED),
    ("aws:tokenissuetime", SIGNED),
    ("aws:sourceidentity", SIGNED),
    ("aws:assumedroot", SIGNED),
    ("aws:calledvia", SIGNED),
    ("aws:calledviafirst", SIGNED),
    ("aws:calledvialast", SIGNED),
    ("aws:viaawsservice", SIGNED),
    ("aws:referer", FREE),
    ("aws:useragent", FREE),
    ("aws:tagkeys", FREE),
    ("ec2:roledelivery", SIGNED),
];

const S3: &[(&str, Class)] = &[
    ("s3:dataaccesspointarn", Class::AccessPointArn),
    ("s3:dataaccesspointaccount", Class::AccessPointAccount),
    ("s3:resourceaccount", Class::ResourceAccount),
    ("s3:x-amz-server-side-encryption-aws-kms-key-id", Class::UploadKey),
    ("s3:accesspointnetworkorigin", FREE),
    ("s3:accessgrantsinstancearn", FREE),
    ("s3:authtype", FREE),
    ("s3:signatureage", SIGNED),
    ("s3:signatureversion", SIGNED),
    ("s3:tlsversion", FREE),
    ("s3:prefix", FREE),
    ("s3:delimiter", FREE),
    ("s3:max-keys", FREE),
    ("s3:versionid", FREE),
    ("s3:locationconstraint", FREE),
    ("s3:if-match", FREE),
    ("s3:if-none-match", FREE),
    ("s3:inventoryaccessibleoptionalfields", FREE),
    ("s3:job-suspended-cause", FREE),
    ("s3:object-lock-mode", FREE),
    ("s3:object-lock-legal-hold", FREE),
    ("s3:object-lock-remaining-retention-days", FREE),
    ("s3:object-lock-retain-until-date", FREE),
    ("s3:objectcreationoperation", FREE),
    ("s3:requestobjecttagkeys", FREE),
    ("s3:x-amz-acl", FREE),
    ("s3:x-amz-content-sha256", FREE),
    ("s3:x-amz-copy-source", FREE),
    ("s3:x-amz-grant-full-control", FREE),
    ("s3:x-amz-grant-read", FREE),
    ("s3:x-amz-grant-read-acp", FREE),
    ("s3:x-amz-grant-write", FREE),
    ("s3:x-amz-grant-write-acp", FREE),
    ("s3:x-amz-metadata-directive", FREE),
    ("s3:x-amz-object-ownership", FREE),
    ("s3:x-amz-server-side-encryption", FREE),
    ("s3:x-amz-server-side-encryption-customer-algorithm", FREE),
    ("s3:x-amz-storage-class", FREE),
    ("s3:x-amz-website-redirect-location", FREE),
];

const KMS: &[(&str, Class)] = &[
    ("kms:calleraccount", Class::Account),
    ("kms:viaservice", FREE),
    ("kms:grantisforawsresource", FREE),
    ("kms:grantconstrainttype", FREE),
    ("kms:grantoperations", FREE),
    ("kms:granteeprincipal", FREE),
    ("kms:retiringprincipal", FREE),
    ("kms:encryptioncontextkeys", FREE),
    ("kms:encryptionalgorithm", FREE),
    ("kms:signingalgorithm", FREE),
    ("kms:macalgorithm", FREE),
    ("kms:keyagreementalgorithm", FREE),
    ("kms:messagetype", FREE),
    ("kms:requestalias", FREE),
    ("kms:resourcealiases", FREE),
    ("kms:reencryptonsamekey", FREE),
    ("kms:keyorigin", FREE),
    ("kms:keyspec", FREE),
    ("kms:keyusage", FREE),
    ("kms:multiregion", FREE),
    ("kms:multiregionkeytype", FREE),
    ("kms:primaryregion", FREE),
    ("kms:replicaregion", FREE),
    ("kms:datakeypairspec", FREE),
    ("kms:bypasspolicylockoutsafetycheck", FREE),
    ("kms:customermasterkeyspec", FREE),
    ("kms:customermasterkeyusage", FREE),
    ("kms:expirationmodel", FREE),
    ("kms:validto", FREE),
    ("kms:wrappingalgorithm", FREE),
    ("kms:wrappingkeyspec", FREE),
    ("kms:rotationperiodindays", FREE),
    ("kms:schedulekeydeletionpendingwindowindays", FREE),
];

const OTHERS: &[(&str, Class)] = &[
    ("sns:endpoint", FREE),
    ("sns:protocol", FREE),
    ("lambda:eventsourcetoken", Class::Secret),
    ("lambda:functionurlauthtype", FREE),
    ("lambda:invokedviafunctionurl", FREE),
    ("lambda:functionarn", FREE),
    ("lambda:principal", FREE),
    ("lambda:layer", FREE),
    ("secretsmanager:versionstage", FREE),
    ("secretsmanager:versionid", FREE),
    ("secretsmanager:secretid", FREE),
    ("secretsmanager:name", FREE),
    ("secretsmanager:description", FREE),
    ("secretsmanager:kmskeyid", FREE),
    ("secretsmanager:recoverywindowindays", FREE),
    ("secretsmanager:forcedeletewithoutrecovery", FREE),
    ("secretsmanager:blockpublicpolicy", FREE),
    ("secretsmanager:rotationlambdaarn", FREE),
    ("secretsmanager:resource/allowrotationlambdaarn", FREE),
    ("elasticfilesystem:accessedviamounttarget", Class::MountTarget),
    ("elasticfilesystem:accesspointarn", FREE),
    ("elasticfilesystem:encrypted", FREE),
    ("elasticfilesystem:createaction", FREE),
    ("dynamodb:leadingkeys", FREE),
    ("dynamodb:attributes", FREE),
    ("dynamodb:select", FREE),
    ("dynamodb:returnvalues", FREE),
    ("dynamodb:returnconsumedcapacity", FREE),
    ("dynamodb:enclosingoperation", FREE),
    ("dynamodb:fulltablescan", FREE),
    ("dynamodb:firstpartitionkeyvalues", FREE),
    ("backup:copytargets", FREE),
    ("backup:copytargetorgpaths", FREE),
    ("backup:changeableretentiondays", FREE),
    ("backup:maxretentiondays", FREE),
    ("backup:minretentiondays", FREE),
    ("backup:frameworkarns", FREE),
    ("backup:index", FREE),
    ("events:source", FREE),
    ("events:detail-type", FREE),
    ("events:eventbusinvocation", FREE),
    ("events:creatoraccount", FREE),
    ("events:managedby", FREE),
    ("events:targetarn", FREE),
    ("events:detail.usertype", FREE),
    ("events:detail.service", FREE),
    ("events:detail.eventtypecode", FREE),
    ("sts:externalid", FREE),
    ("sts:rolesessionname", Class::SessionName),
    ("sts:sourceidentity", FREE),
    ("sts:transitivetagkeys", FREE),
    ("sts:durationseconds", FREE),
    ("sts:awsservicename", FREE),
    ("sts:taskpolicyarn", FREE),
    ("sts:rolearn", FREE),
    ("sts:identityenhancedsession", FREE),
];

/// What a key is. Keys of another service say nothing in this service's requests, but count as free all the same: that
/// they limit is not proven.
pub(crate) fn class(key: &str) -> Class {
    for table in [GLOBAL, S3, KMS, OTHERS] {
        if let Some((_, class)) = table.iter().find(|(name, _)| *name == key) {
            return *class;
        }
    }
    if let Some((_, class)) = FAMILIES.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return *class;
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
