//! Coming back later: one-time schedules of EventBridge Scheduler, and what they lead to.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target,
};
use jiff::Timestamp;
use portcullis_core::event::Scheduled;
use serde_json::json;
use uuid::Uuid;

use crate::environment::Environment;
use crate::error::{AwsError, Kind};

/// The schedules by which a function has itself invoked again.
#[derive(Clone)]
pub struct Schedules {
    client: Client,
    group: String,
    role: String,
    dead_letters: String,
    function: String,
}

impl Schedules {
    /// `function` is the ARN to invoke.
    pub fn new(client: Client, environment: &Environment, function: String) -> Self {
        Self {
            client,
            group: environment.schedule_group.clone(),
            role: environment.schedule_role.clone(),
            dead_letters: environment.dead_letters.clone(),
            function,
        }
    }

    /// Has a control of a resource looked at again. A resource and control have one schedule: a second one moves it.
    pub async fn put(&self, resource: &str, control: &str, at: Timestamp) -> Result<(), AwsError> {
        let built = |error: aws_sdk_scheduler::error::BuildError| AwsError {
            operation: "CreateSchedule",
            code: "the request can't be built".into(),
            message: error.to_string(),
            kind: Kind::Rejected,
        };
        let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{resource}#{control}").as_bytes()).to_string();
        let when = at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string();
        let description: String = format!("{control} of {resource}").chars().take(512).collect();
        let event = Scheduled {
            scheduled: resource.to_owned(),
            control: control.to_owned(),
        };
        let target = Target::builder()
            .arn(&self.function)
            .role_arn(&self.role)
            .input(json!(event).to_string())
            .dead_letter_config(DeadLetterConfig::builder().arn(&self.dead_letters).build())
            .retry_policy(
                RetryPolicy::builder()
                    .maximum_retry_attempts(185)
                    .maximum_event_age_in_seconds(86_400)
                    .build(),
            )
            .build()
            .map_err(built)?;
        let window = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::Off)
            .build()
            .map_err(built)?;
        let created = self
            .client
            .create_schedule()
            .group_name(&self.group)
            .name(&name)
            .description(&description)
            .schedule_expression(&when)
            .flexible_time_window(window.clone())
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target.clone())
            .send()
            .await
            .map_err(|error| AwsError::new("CreateSchedule", &error));
        match created {
            Err(error) if error.kind == Kind::Conflict => {}
            done => return done.map(drop),
        }
        self.client
            .update_schedule()
            .group_name(&self.group)
            .name(&name)
            .description(&description)
            .schedule_expression(&when)
            .flexible_time_window(window)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target)
            .send()
            .await
            .map_err(|error| AwsError::new("UpdateSchedule", &error))?;
        Ok(())
    }
}
