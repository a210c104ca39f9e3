//! What the tests know of a service: its controls, a violation of each, and what its sample events come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portcullis_core::{Event, Meta, Service};
use serde_json::Value;

use crate::violation::{Arrange, Arranged, Boxed, Violation};
use crate::{FunctionBuilder, World, samples};

/// A service as its violations tell of it. Each service's crate has one, behind the feature `violations`.
#[derive(Clone, Copy)]
pub struct ServiceUnderTest {
    /// The service, as the catalog lists it.
    pub service: fn() -> Service,
    /// One violation for each control.
    pub violations: &'static [Violation],
    /// What each event in `events/<name>/` comes to.
    pub samples: &'static [Sample],
    /// What the function does beside: where its role allows what no violation needs.
    pub ways: &'static [Way],
}

/// Something else that a function does.
#[derive(Clone, Copy)]
pub struct Way {
    /// What it is.
    pub name: &'static str,
    /// Has the function do it, and sees that it did.
    pub go: fn(World) -> Boxed<()>,
}

/// What a sample event comes to with the packed settings in enforce mode.
#[derive(Clone, Copy)]
#[must_use = "a sample is one only in its service's list"]
pub struct Sample {
    /// The event's file, without its end: the call.
    pub call: &'static str,
    /// What the event finds.
    pub finds: Finds,
    /// The controls that come to each outcome: their ids in one text, without the service's name.
    pub comes_to: [(&'static str, &'static str); 4],
}

impl Sample {
    /// A sample that comes to nothing.
    pub const fn new(call: &'static str, finds: Finds) -> Self {
        Self {
            call,
            finds,
            comes_to: [
                ("remediated", ""),
                ("quarantined", ""),
                ("would-remediate", ""),
                ("needs-action", ""),
            ],
        }
    }

    /// A sample that finds a violation of this control.
    pub const fn of(call: &'static str, control: &'static str) -> Self {
        Self::new(call, Finds::Violation(control))
    }

    /// These are put right.
    pub const fn right(mut self, controls: &'static str) -> Self {
        self.comes_to[0].1 = controls;
        self
    }

    /// By these the resource is closed off.
    pub const fn closed(mut self, controls: &'static str) -> Self {
        self.comes_to[1].1 = controls;
        self
    }

    /// These are told only.
    pub const fn told(mut self, controls: &'static str) -> Self {
        self.comes_to[2].1 = controls;
        self
    }

    /// These are left to people.
    pub const fn left(mut self, controls: &'static str) -> Self {
        self.comes_to[3].1 = controls;
        self
    }
}

/// What a sample event finds.
#[derive(Clone, Copy)]
pub enum Finds {
    /// A violation of this control.
    Violation(&'static str),
    /// This arrangement.
    This(Arrange),
}

impl ServiceUnderTest {
    /// The name of its folder, which its controls' ids begin with: `s3`.
    pub fn name(&self) -> &'static str {
        (self.service)().name
    }

    /// The name of its function's binary.
    pub fn function_name(&self) -> String {
        (self.service)().binary()
    }

    /// The event source of its calls.
    pub fn source(&self) -> &'static str {
        (self.service)().source
    }

    /// Its controls.
    pub fn controls(&self) -> Vec<&'static Meta> {
        (self.service)().controls()
    }

    /// Its function, in enforce mode unless told otherwise.
    pub fn function(&self, world: &World) -> FunctionBuilder {
        world.function_of(&self.function_name())
    }

    /// The violation of a control.
    pub fn violation(&self, control: &str) -> &'static Violation {
        let found = self.violations.iter().find(|one| one.control == control);
        found.unwrap_or_else(|| panic!("no violation of {control}"))
    }

    /// Settings with only these controls on, all of them enforced. `more` is further YAML at the top level.
    pub fn only(&self, enforced: &[&str], more: &str) -> String {
        self.switched(enforced, &[]) + more
    }

    /// The settings under which a violation is told of: its control alone is on, beside what it follows from.
    pub fn settings(&self, control: &str, arranged: &Arranged) -> String {
        self.switched(&[control], &arranged.beside) + &arranged.settings
    }

    fn switched(&self, enforced: &[&str], notified: &[&str]) -> String {
        let mut yaml = String::from("controls:\n");
        for Meta { id, .. } in self.controls() {
            let mode = match id {
                id if enforced.contains(id) => "enforce",
                id if notified.contains(id) => "notify",
                _ => "off",
            };
            writeln!(yaml, "  {id}: {{mode: {mode}}}").expect("writing to a string");
        }
        yaml
    }

    /// What an event names, left insecure as the sample of its call has it, and the event as if it told of that.
    ///
    /// # Errors
    /// In a sentence, where nobody can say what the event names.
    pub async fn staged(&self, world: &World, event: &Value) -> Result<(Vec<Arranged>, Value), String> {
        let text = event.to_string();
        let Ok(Event::Call(call)) = Event::from_slice(text.as_bytes(), &[]) else {
            return Err(format!("expected an API call that CloudTrail recorded, found {text}"));
        };
        let sample = self.samples.iter().find(|sample| sample.call == call.name);
        let sample = sample.ok_or_else(|| format!("{} looks after no {}", self.function_name(), call.name))?;
        let arrange = match sample.finds {
            Finds::Violation(control) => self.violation(control).arrange,
            Finds::This(arrange) => arrange,
        };
        let mut names = BTreeMap::from([
            (call.account.clone(), world.aws.account().to_owned()),
            (call.region.clone(), world.region.clone()),
        ]);
        let mut all = vec![arrange(world.clone()).await];
        for listing in (self.service)().types {
            let resources = listing
                .resources(&call)
                .transpose()
                .map_err(|error| error.to_string())?;
            for resource in resources.into_iter().flatten() {
                // A launch names instances, and volumes by them; a tag whatever has it.
                if resource.noun() != all[0].described().0 || names.contains_key(&resource.id) {
                    continue;
                }
                if names.len() > 2 {
                    all.push(arrange(world.clone()).await);
                }
                let arranged = &all[all.len() - 1];
                names.insert(resource.id, arranged.named().to_owned());
            }
        }
        Ok((all, samples::renamed(&text, &names)))
    }
}

/// Settings with a level of classification, as YAML, beside `public`, `internal` and `confidential` as they are by default.
pub fn levels(more: &str) -> String {
    format!(
        "classification:\n  levels:\n    public: {{values: [public], public: true}}\n    internal: {{values: [internal]}}\n    \
         confidential: {{values: [confidential], encryption: aws-managed-key}}\n    {more}\n"
    )
}
