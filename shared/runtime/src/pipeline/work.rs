//! One resource in one invocation: what all steps of the pipeline share.

use jiff::{SignedDuration, Timestamp};
use portcullis_core::{Cause, DecisionContext, History, JudgeContext, Resource, Tags};

use super::denied::Unread;
use crate::error::Failure;
use crate::invocation::{Delivery, Invocation};
use crate::ledger::{Opened, Record, View, WithWrites};
use crate::resource_status::Status;

/// So long AWS may take to show a change that takes minutes at worst. Sources: KMS Developer Guide, "AWS KMS eventual consistency";
/// Terraform waits two minutes for what is set of an S3 bucket (terraform-provider-aws, `bucketPropagationTimeout`).
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// One resource in one invocation.
pub struct Work<'a> {
    pub invocation: &'a Invocation,
    pub resource: &'a Resource,
    pub view: &'a View,
    pub carried: Option<&'a Record>,
    /// What was read of the resource may be from before a record that is closed by now.
    pub is_old: bool,
    /// The controls that can't be judged.
    pub unread: Vec<Unread>,
}

impl<'a> Work<'a> {
    pub fn decision_context(&self, tags: Option<&'a Tags>, cause: &'a Cause, now: Timestamp) -> DecisionContext<'a> {
        let Self {
            invocation,
            resource,
            view,
            ..
        } = self;
        DecisionContext {
            resource,
            tags,
            settings: &invocation.settings,
            cause,
            holds: &view.status.holds,
            deferred: &view.status.deferred,
            history: &view.status.remedied,
            budget_spent: false,
            owner: None,
            busy: None,
            now,
        }
    }

    pub fn judge_context(&self, tags: Option<&Tags>, now: Timestamp, history: &'a History) -> JudgeContext<'a> {
        let Self {
            invocation, resource, ..
        } = *self;
        let (level_name, level) = invocation.settings.level(tags);
        JudgeContext {
            resource,
            settings: &invocation.settings,
            level,
            level_name,
            own_role: &invocation.own_role,
            own_topic: invocation.topic.arn(),
            region: &invocation.location.region,
            now,
            history,
        }
    }
}

impl Work<'_> {
    /// Whether the event will be looked at again for what AWS does not show yet: so long after the record was opened it should.
    pub fn comes_again(&self, opened: Timestamp) -> bool {
        self.invocation.delivery == Delivery::Queue && Timestamp::now().duration_since(opened) < SHOWN_WITHIN
    }

    /// Opens the record, unless what it says may be from before another one.
    pub async fn open(&self, record: &Record, along: WithWrites<'_>) -> Result<Opened, Failure> {
        let Self { invocation, view, .. } = self;
        if self.is_old {
            return Err(Failure::LostRace(self.resource.arn.clone()));
        }
        let (owner, until) = (&invocation.owner, invocation.deadline);
        invocation.ledger.open(record, owner, until, view, along).await
    }

    /// Writes the status outside of any record, where it changed.
    pub async fn note(&self, status: &Status) -> Result<(), Failure> {
        if *status == self.view.status && !self.view.news {
            return Ok(());
        }
        if self.is_old {
            return Err(Failure::LostRace(self.resource.arn.clone()));
        }
        self.invocation.ledger.note(&self.resource.arn, self.view, status).await
    }
}
