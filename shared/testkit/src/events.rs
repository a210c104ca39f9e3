//! Builders for the events that functions get: CloudTrail records, in the envelope of EventBridge or bare.

use serde_json::{Map, Value, json};

use crate::random;

/// One CloudTrail record in the making.
///
/// ```
/// # use portcullis_testkit::{Actor, CloudTrail};
/// # use serde_json::json;
/// let event = CloudTrail::call("s3.amazonaws.com", "DeleteBucketEncryption")
///     .params(json!({"bucketName": "reports"}))
///     .account("111122223333")
///     .region("eu-central-1")
///     .actor(Actor::role("deployer", "build-17"))
///     .event();
/// assert_eq!(event["detail"]["eventName"], "DeleteBucketEncryption");
/// ```
#[derive(Debug, Clone)]
#[must_use = "event() or record() makes the event"]
pub struct CloudTrail {
    source: String,
    name: String,
    event_type: &'static str,
    account: String,
    region: String,
    actor: Actor,
    params: Value,
    response: Value,
    resources: Vec<(String, String)>,
    /// Members set one by one, over all others.
    members: Map<String, Value>,
    id: String,
    time: String,
}

/// Who made a call, as `userIdentity` tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Actor {
    /// The root user of the account.
    Root,
    /// An IAM user of the account.
    User {
        /// The user's name.
        name: String,
    },
    /// A session of a role of the account.
    Role {
        /// The role's name.
        role: String,
        /// The session's name.
        session: String,
    },
    /// An AWS service: `cloudformation.amazonaws.com`.
    Service {
        /// The service's name.
        service: String,
    },
    /// Somebody in another account, of whom nothing else is told.
    Account {
        /// That account's id.
        account: String,
    },
    /// This `userIdentity`, as it is.
    Custom(Value),
}

impl Actor {
    /// An IAM user of the account.
    pub fn user(name: &str) -> Self {
        Self::User { name: name.to_owned() }
    }

    /// A session of a role of the account.
    pub fn role(role: &str, session: &str) -> Self {
        Self::Role {
            role: role.to_owned(),
            session: session.to_owned(),
        }
    }

    /// An AWS service: `cloudformation.amazonaws.com`.
    pub fn service(service: &str) -> Self {
        Self::Service {
            service: service.to_owned(),
        }
    }

    /// Somebody in another account.
    pub fn account(account: &str) -> Self {
        Self::Account {
            account: account.to_owned(),
        }
    }

    /// The `userIdentity` of this actor in an account.
    fn identity(&self, partition: &str, account: &str, time: &str) -> Value {
        match self {
            Self::Root => json!({
                "type": "Root",
                "principalId": account,
                "arn": format!("arn:{partition}:iam::{account}:root"),
                "accountId": account,
                "accessKeyId": "",
            }),
            Self::User { name } => json!({
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEEXAMPLE000",
                "arn": format!("arn:{partition}:iam::{account}:user/{name}"),
                "accountId": account,
                "accessKeyId": "AKIAEXAMPLEEXAMPLE00",
                "userName": name,
            }),
            Self::Role { role, session } => json!({
                "type": "AssumedRole",
                "principalId": format!("AROAEXAMPLEEXAMPLE000:{session}"),
                "arn": format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}"),
                "accountId": account,
                "accessKeyId": "ASIAEXAMPLEEXAMPLE00",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAEXAMPLEEXAMPLE000",
                        "arn": format!("arn:{partition}:iam::{account}:role/{role}"),
                        "accountId": account,
                        "userName": role,
                    },
                    "attributes": {"creationDate": time, "mfaAuthenticated": "false"},
                },
            }),
            Self::Service { service } => json!({"type": "AWSService", "invokedBy": service}),
            Self::Account { account } => json!({
                "type": "AWSAccount",
                "principalId": "AIDAEXAMPLEEXAMPLE000",
                "accountId": account,
            }),
            Self::Custom(identity) => identity.clone(),
        }
    }
}

impl CloudTrail {
    /// An API call that succeeded, by the user `alice`, now, in account 123456789012 and region us-east-1.
    pub fn call(source: &str, name: &str) -> Self {
        Self {
            source: source.to_owned(),
            name: name.to_owned(),
            event_type: "AwsApiCall",
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            actor: Actor::user("alice"),
            params: Value::Null,
            response: Value::Null,
            resources: Vec::new(),
            members: Map::new(),
            id: random::uuid(),
            time: now(),
        }
    }

    /// Something that AWS did by itself, such as the deletion of a key that was due: no parameters, an identity without
    /// a type, and a detail-type of its own.
    pub fn service_event(source: &str, name: &str) -> Self {
        let identity = Actor::Custom(json!({"accountId": "123456789012", "invokedBy": "AWS Internal"}));
        Self {
            event_type: "AwsServiceEvent",
            actor: identity,
            ..Self::call(source, name)
        }
    }

    /// The request's parameters.
    pub fn params(mut self, params: Value) -> Self {
        self.params = params;
        self
    }

    /// Parameters that were too large for CloudTrail: it tells only that.
    pub fn omitted_params(self) -> Self {
        self.params(json!({"omitted": true, "originalSize": 140_000, "reason": "requestParameters too large"}))
    }

    /// The elements of the response.
    pub fn response(mut self, response: Value) -> Self {
        self.response = response;
        self
    }

    /// Adds a resource that the call touched, by ARN and CloudFormation type.
    pub fn resource(mut self, arn: &str, kind: &str) -> Self {
        self.resources.push((arn.to_owned(), kind.to_owned()));
        self
    }

    /// The account whose resource it is, and who gets the record.
    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        if let Actor::Custom(identity) = &mut self.actor
            && self.event_type == "AwsServiceEvent"
        {
            identity["accountId"] = json!(account);
        }
        self
    }

    /// The region of the call.
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Who made the call.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The call failed: nothing changed.
    pub fn error(self, code: &str, message: &str) -> Self {
        self.member("errorCode", code).member("errorMessage", message)
    }

    /// The tool that made the call.
    pub fn user_agent(self, user_agent: &str) -> Self {
        self.member("userAgent", user_agent)
    }

    /// The record's own id.
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// When the call was made: `2026-11-23T10:00:00Z`.
    pub fn time(mut self, time: &str) -> Self {
        time.clone_into(&mut self.time);
        self
    }

    /// Sets any member of the record, over what the builder would write: for the shapes that break others.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves out a member that the builder would write.
    pub fn without(self, name: &str) -> Self {
        self.member(name, ABSENT)
    }

    /// The bare record, as it stands in CloudTrail's log files.
    pub fn record(&self) -> Value {
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.actor.identity(self.partition(), &self.account, &self.time),
            "eventTime": self.time,
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": self.region,
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-cli/2.31.0",
            "requestParameters": self.params,
            "responseElements": self.response,
            "requestID": "0123456789ABCDEF",
            "eventID": self.id,
            "readOnly": false,
            "eventType": self.event_type,
            "managementEvent": true,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
        });
        if let Actor::Service { service } = &self.actor {
            // What a service does on somebody's behalf has its name in place of an address and a tool.
            record["sourceIPAddress"] = json!(service);
            record["userAgent"] = json!(service);
        }
        if !self.resources.is_empty() {
            record["resources"] = self
                .resources
                .iter()
                .map(|(arn, kind)| json!({"accountId": self.account, "type": kind, "ARN": arn}))
                .collect();
        }
        let record_members = record.as_object_mut().expect("built as an object");
        for (name, value) in &self.members {
            if *value == ABSENT {
                record_members.remove(name);
            } else {
                record_members.insert(name.clone(), value.clone());
            }
        }
        record
    }

    /// The record in the envelope in which EventBridge delivers it.
    pub fn event(&self) -> Value {
        let detail_type = match self.event_type {
            "AwsServiceEvent" => "AWS Service Event via CloudTrail",
            _ => "AWS API Call via CloudTrail",
        };
        let service = self.source.split('.').next().unwrap_or_default();
        json!({
            "version": "0",
            "id": random::uuid(),
            "detail-type": detail_type,
            "source": format!("aws.{service}"),
            "account": self.account,
            "time": self.time,
            "region": self.region,
            "resources": [],
            "detail": self.record(),
        })
    }

    /// The partition that the region is in.
    fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

/// Marks a member that is to be left out; no record holds this text.
const ABSENT: &str = "\u{0}absent";

/// This second, as CloudTrail writes it.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create() -> CloudTrail {
        CloudTrail::call("s3.amazonaws.com", "CreateBucket").params(json!({"bucketName": "b"}))
    }

    #[test]
    fn an_event_is_a_record_in_an_envelope() {
        let made = create()
            .account("111122223333")
            .region("eu-west-1")
            .time("2026-11-23T10:00:00Z")
            .id("e-1");
        let event = made.event();
        assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
        assert_eq!(event["source"], "aws.s3");
        assert_eq!(event["account"], "111122223333");
        assert_eq!(event["region"], "eu-west-1");
        assert_eq!(event["time"], "2026-11-23T10:00:00Z");
        assert_eq!(event["detail"], made.record());

        let record = made.record();
        assert_eq!(record["eventSource"], "s3.amazonaws.com");
        assert_eq!(record["eventName"], "CreateBucket");
        assert_eq!(record["awsRegion"], "eu-west-1");
        assert_eq!(record["recipientAccountId"], "111122223333");
        assert_eq!(record["requestParameters"], json!({"bucketName": "b"}));
        assert_eq!(record["eventID"], "e-1");
        assert_eq!(record["userIdentity"]["arn"], "arn:aws:iam::111122223333:user/alice");
        assert!(record.get("errorCode").is_none() && record.get("resources").is_none());
    }

    #[test]
    fn a_role_is_named_by_its_issuer() {
        let record = create()
            .account("111122223333")
            .region("us-gov-west-1")
            .actor(Actor::role("ci", "run-1"))
            .record();
        let identity = &record["userIdentity"];
        assert_eq!(identity["type"], "AssumedRole");
        assert_eq!(
            identity["arn"],
            "arn:aws-us-gov:sts::111122223333:assumed-role/ci/run-1"
        );
        assert_eq!(
            identity["sessionContext"]["sessionIssuer"]["arn"],
            "arn:aws-us-gov:iam::111122223333:role/ci"
        );
    }

    #[test]
    fn a_service_and_another_account_have_no_arn() {
        let by_service = create().actor(Actor::service("cloudformation.amazonaws.com")).record();
        assert_eq!(by_service["userIdentity"]["invokedBy"], "cloudformation.amazonaws.com");
        assert_eq!(by_service["sourceIPAddress"], "cloudformation.amazonaws.com");
        assert!(by_service["userIdentity"].get("arn").is_none());

        let stranger = create()
            .account("111122223333")
            .actor(Actor::account("444455556666"))
            .record();
        assert_eq!(stranger["userIdentity"]["accountId"], "444455556666");
        assert_eq!(stranger["recipientAccountId"], "111122223333");
        assert!(stranger["userIdentity"].get("arn").is_none());
    }

    #[test]
    fn a_service_event_has_its_own_shape_in_either_order_of_account() {
        let event = CloudTrail::service_event("kms.amazonaws.com", "DeleteKey")
            .account("111122223333")
            .resource("arn:aws:kms:us-east-1:111122223333:key/k", "AWS::KMS::Key")
            .event();
        assert_eq!(event["detail-type"], "AWS Service Event via CloudTrail");
        let record = &event["detail"];
        assert_eq!(record["eventType"], "AwsServiceEvent");
        assert_eq!(record["requestParameters"], Value::Null);
        assert_eq!(
            record["userIdentity"],
            json!({"accountId": "111122223333", "invokedBy": "AWS Internal"})
        );
        assert_eq!(
            record["resources"][0]["ARN"],
            "arn:aws:kms:us-east-1:111122223333:key/k"
        );
    }

    #[test]
    fn odd_shapes_can_be_made() {
        let omitted = create().omitted_params().record();
        assert_eq!(omitted["requestParameters"]["omitted"], true);
        let failed = create().error("AccessDenied", "no").params(Value::Null).record();
        assert_eq!(
            (&failed["errorCode"], &failed["requestParameters"]),
            (&json!("AccessDenied"), &Value::Null)
        );
        let old = create()
            .without("recipientAccountId")
            .member("eventVersion", "1.02")
            .record();
        assert!(old.get("recipientAccountId").is_none());
        assert_eq!(old["eventVersion"], "1.02");
    }

    #[test]
    fn each_event_is_another_and_dated_to_the_second() {
        let (a, b) = (create().record(), create().record());
        assert_ne!(a["eventID"], b["eventID"]);
        assert_eq!(a["eventTime"].as_str().unwrap().len(), "2026-11-23T10:00:00Z".len());
    }
}
