//! One resource in one invocation: what all steps of the pipeline share.

use jiff::Timestamp;
use portcullis_core::{Cause, DecisionContext, History, JudgeContext, Resource, Tags};

use super::denied::Unread;
use crate::error::Failure;
use crate::invocation::Invocation;
use crate::ledger::{Opened, Record, View, WithWrites};
use crate::resource_status::Status;

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
            region: &invocation.location.region,
            now,
            history,
        }
    }
}

impl Work<'_> {
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
