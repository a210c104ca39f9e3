//! Coming back later: one-time schedules of EventBridge Scheduler.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::error::BuildError;
use aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, Target,
};
use jiff::{SignedDuration, Timestamp};
use portcullis_core::event::{Scheduled, Waiting};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::environment::Environment;
use crate::error::{AwsError, Kind};

/// So long after the full hour its schedule comes: never before it by any clock, and not in the past for one that is made as the
/// hour ends. Scheduler's own precision is a minute.
const AFTER_THE_HOUR: SignedDuration = SignedDuration::from_mins(1);

/// The schedules by which a function has itself invoked again.
#[derive(Clone)]
pub struct Schedules {
    client: Client,
    group: String,
    role: String,
    dead_letters: String,
    function: String,
    /// The hour that was scheduled last: one call does for all that is put off until then.
    hour: Arc<Mutex<Option<Timestamp>>>,
}

impl Schedules {
    pub fn new(client: Client, environment: &Environment) -> Self {
        Self {
            client,
            group: environment.schedule_group.clone(),
            role: environment.schedule_role.clone(),
            dead_letters: environment.dead_letters.clone(),
            function: String::new(),
            hour: Arc::default(),
        }
    }

    /// The same for an invocation under this ARN, which is the one to invoke again.
    pub fn of(&self, function: &str) -> Self {
        Self {
            function: function.to_owned(),
            ..self.clone()
        }
    }

    /// Has a control of a resource looked at again. A resource and control have one schedule: a second one moves it.
    pub async fn put(&self, resource: &str, control: &str, at: Timestamp) -> Result<(), AwsError> {
        let event = Scheduled {
            scheduled: resource.to_owned(),
            control: control.to_owned(),
        };
        let name = format!("{resource}#{control}");
        let create = self.one_time(&name, &format!("{control} of {resource}"), at, &json!(event))?;
        match create.clone().send().await {
            Err(error) => match AwsError::new("CreateSchedule", &error) {
                error if error.kind == Kind::Conflict => self.move_to(&create).await,
                error => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Has what the budget puts off until an hour looked at again then. A function has one schedule an hour, whoever makes it first.
    pub async fn put_hour(&self, hour: Timestamp) -> Result<(), AwsError> {
        if *self.hour.lock().unwrap_or_else(PoisonError::into_inner) == Some(hour) {
            return Ok(());
        }
        let name = format!("{}#{hour}", self.function);
        let event = json!({"waiting": Waiting {}});
        let description = format!("What waits for the budget of the hour from {hour} on");
        let create = self.one_time(&name, &description, hour + AFTER_THE_HOUR, &event)?;
        if let Err(error) = create.send().await {
            let error = AwsError::new("CreateSchedule", &error);
            if error.kind != Kind::Conflict {
                return Err(error);
            }
        }
        *self.hour.lock().unwrap_or_else(PoisonError::into_inner) = Some(hour);
        Ok(())
    }

    /// A schedule that invokes the function once and is deleted then. Its name is made of `named`.
    fn one_time(
        &self,
        named: &str,
        description: &str,
        at: Timestamp,
        event: &Value,
    ) -> Result<CreateScheduleFluentBuilder, AwsError> {
        let built = |error: BuildError| AwsError {
            operation: "CreateSchedule",
            code: "the request can't be built".into(),
            message: error.to_string(),
            kind: Kind::Rejected,
        };
        let target = Target::builder()
            .arn(&self.function)
            .role_arn(&self.role)
            .input(event.to_string())
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
        Ok(self
            .client
            .create_schedule()
            .group_name(&self.group)
            .name(Uuid::new_v5(&Uuid::NAMESPACE_URL, named.as_bytes()).to_string())
            .description(description.chars().take(512).collect::<String>())
            .schedule_expression(at.strftime("at(%Y-%m-%dT%H:%M:%S)").to_string())
            .flexible_time_window(window)
            .action_after_completion(ActionAfterCompletion::Delete)
            .target(target))
    }

    /// Moves the schedule that has this name already.
    async fn move_to(&self, wanted: &CreateScheduleFluentBuilder) -> Result<(), AwsError> {
        self.client
            .update_schedule()
            .set_group_name(wanted.get_group_name().clone())
            .set_name(wanted.get_name().clone())
            .set_description(wanted.get_description().clone())
            .set_schedule_expression(wanted.get_schedule_expression().clone())
            .set_flexible_time_window(wanted.get_flexible_time_window().clone())
            .set_action_after_completion(wanted.get_action_after_completion().clone())
            .set_target(wanted.get_target().clone())
            .send()
            .await
            .map_err(|error| AwsError::new("UpdateSchedule", &error))?;
        Ok(())
    }
}
