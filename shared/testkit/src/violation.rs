//! A violation: one arrangement that breaks one control, and what is right once it is put right.
//!
//! What is right is written by hand, from AWS's documentation, and read with a client of the test's own. Nothing here asks a
//! control's judgement: that would agree with itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Value, json};

use crate::{Actor, CloudTrail, Snapshot, World};

/// A future that is made behind a function pointer.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes a resource insecure in an account.
pub type Arrange = fn(World) -> Boxed<Arranged>;

/// A control, and how it comes to be violated. [`violation!`](crate::violation) writes one.
#[derive(Clone, Copy)]
pub struct Violation {
    /// The control's id.
    pub control: &'static str,
    /// Makes the violation.
    pub arrange: Arrange,
}

/// A violation of a control, made in a service's world: `violation!("s3-bucket-website", |s3: S3| { … })`, where the block comes
/// to an [`Arranged`].
#[macro_export]
macro_rules! violation {
    ($control:literal, |$world:ident: $World:ty| $make:expr) => {
        $crate::Violation {
            control: $control,
            arrange: $crate::arrangement!(|$world: $World| $make),
        }
    };
}

/// An arrangement that is no violation of one control alone, such as what a sample event finds.
#[macro_export]
macro_rules! arrangement {
    (|$world:ident: $World:ty| $make:expr) => {
        |world| {
            Box::pin(async move {
                let $world = <$World>::from(world);
                $make
            })
        }
    };
}

/// A policy of these statements.
pub fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// A resource of a test: where it is, and what AWS says of it.
pub trait Subject: Clone + Send + Sync + 'static {
    /// Where it is.
    fn world(&self) -> &World;
    /// Type and id, as alerts name it: `bucket reports`.
    fn described(&self) -> String;
    /// What AWS says of it to a client of the test's own.
    fn snapshot(&self) -> impl Future<Output = Snapshot> + Send;
    /// An event of a call about it.
    fn call(&self, name: &str) -> CloudTrail;

    /// It was left insecure, and this call tells of it.
    fn broken_by(&self, call: &str) -> Arranged {
        Arranged::new(self, self.call(call))
    }

    /// The same where a call of the same kind puts it right, and another one undoes that.
    fn remediated(&self, call: &str, severity: &'static str, by: &'static [&'static str]) -> Arranged {
        let arranged = self.broken_by(call).told(severity, "remediated");
        arranged.fixed_by(by).undone_by(by)
    }
}

/// A resource that was left insecure, the event that tells of it, and what is to come of it.
#[must_use = "nothing is tested before it is handed on"]
pub struct Arranged {
    pub(crate) world: World,
    pub(crate) described: String,
    look: Box<dyn Fn() -> Boxed<Snapshot> + Send + Sync>,
    event: CloudTrail,
    pub(crate) settings: String,
    pub(crate) beside: Vec<&'static str>,
    pub(crate) settles: bool,
    pub(crate) severity: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) headline: Option<&'static str>,
    pub(crate) fixes: &'static [&'static str],
    pub(crate) right: Vec<(&'static str, String)>,
    pub(crate) changes: Option<usize>,
    pub(crate) says: Vec<String>,
    pub(crate) undo: Undo,
    named: Option<String>,
    names: Vec<(String, &'static str)>,
    /// Changes that AWS forces upon a retry, though a run without faults has no need of them.
    pub forced: &'static [&'static str],
}

/// What undoing the fix comes to.
#[derive(Debug, Clone)]
pub(crate) enum Undo {
    /// These calls; everything is as before, but for these facts.
    By(&'static [&'static str], Vec<(&'static str, String)>),
    /// A refusal that says this: AWS has no way back.
    Refused(&'static str),
}

impl Arranged {
    /// This resource, of which this event tells: by a session of the role `deploy`, unless it says otherwise later.
    pub fn new(subject: &impl Subject, event: CloudTrail) -> Self {
        let (of, world) = (subject.clone(), subject.world().clone());
        Self {
            described: subject.described(),
            look: Box::new(move || {
                let of = of.clone();
                Box::pin(async move { of.snapshot().await })
            }),
            event: event.actor(Actor::role("deploy", "build-17")),
            settings: String::new(),
            beside: Vec::new(),
            settles: false,
            severity: "",
            outcome: "needs-action",
            headline: None,
            fixes: &[],
            right: Vec::new(),
            changes: None,
            says: Vec::new(),
            undo: Undo::By(&[], Vec::new()),
            named: None,
            names: vec![(world.aws.account().to_owned(), "ACCOUNT")],
            forced: &[],
            world,
        }
        .own(subject.described().rsplit(' ').next().unwrap_or_default(), "RESOURCE")
    }

    /// What AWS did by itself tells of it: no role made this call.
    pub fn by_aws(mut self, event: CloudTrail) -> Self {
        self.event = event;
        self
    }

    /// Under these settings, beside the control being on alone: YAML at the top level.
    pub fn settings(mut self, yaml: impl Into<String>) -> Self {
        self.settings = yaml.into();
        self
    }

    /// These controls are on, too, in notify mode: the control follows from them. They are told with it.
    pub fn beside(mut self, controls: &[&'static str]) -> Self {
        self.beside = controls.to_vec();
        self
    }

    /// The fix puts right what it follows from, so that only the control is told of.
    pub fn settles(mut self) -> Self {
        self.settles = true;
        self
    }

    /// Severity and outcome of the alert in enforce mode.
    pub fn told(mut self, severity: &'static str, outcome: &'static str) -> Self {
        (self.severity, self.outcome) = (severity, outcome);
        self
    }

    /// The outcome in the alert's subject and attributes, where what the control follows from weighs more.
    pub fn headline(mut self, outcome: &'static str) -> Self {
        self.headline = Some(outcome);
        self
    }

    /// The calls that put it right, in order, and no others. Those that are sent together have ` + ` between them.
    pub fn fixed_by(mut self, calls: &'static [&'static str]) -> Self {
        self.fixes = calls;
        self
    }

    /// A fact that is different afterwards, and how it is then. What is not named here must not change.
    pub fn right(mut self, fact: &'static str, value: impl Into<String>) -> Self {
        self.right.push((fact, value.into()));
        self
    }

    /// How many changes the ledger names, where they are not as many as the facts that change.
    pub fn changes(mut self, count: usize) -> Self {
        self.changes = Some(count);
        self
    }

    /// What the alert says, besides what every alert does.
    pub fn says(mut self, text: impl Into<String>) -> Self {
        self.says.push(text.into());
        self
    }

    /// The calls of a restore, as in [`Arranged::fixed_by`]. Everything is as before then, unless [`Arranged::undone_to`] says otherwise.
    pub fn undone_by(mut self, calls: &'static [&'static str]) -> Self {
        self.undo = Undo::By(calls, Vec::new());
        self
    }

    /// A fact that AWS has no way back for: it is so after a restore.
    pub fn undone_to(mut self, fact: &'static str, value: impl Into<String>) -> Self {
        if let Undo::By(_, facts) = &mut self.undo {
            facts.push((fact, value.into()));
        }
        self
    }

    /// A restore is refused with these words, since AWS has no way back.
    pub fn not_undone(mut self, why: &'static str) -> Self {
        self.undo = Undo::Refused(why);
        self
    }

    /// Events name it by the id of something else, such as an instance by its interface's.
    pub fn named_as(mut self, id: impl Into<String>) -> Self {
        self.named = Some(id.into());
        self
    }

    /// A name that only this arrangement has, and what it is called when two of them are compared.
    pub fn own(mut self, name: &str, common: &'static str) -> Self {
        if !name.is_empty() {
            self.names.insert(0, (name.to_owned(), common));
        }
        self
    }

    /// Changes that AWS forces upon a retry, though a run without faults has no need of them.
    pub fn forced(mut self, changes: &'static [&'static str]) -> Self {
        self.forced = changes;
        self
    }

    /// Where it is.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Type and id of the resource.
    pub fn described(&self) -> (&str, &str) {
        self.described.rsplit_once(' ').unwrap_or_default()
    }

    /// The id by which events name it.
    pub(crate) fn named(&self) -> &str {
        self.named.as_deref().unwrap_or(self.described().1)
    }

    /// The event, as EventBridge delivers it.
    pub fn event(&self) -> Value {
        self.event.event()
    }

    /// What AWS says of the resource now.
    pub async fn snapshot(&self) -> Snapshot {
        (self.look)().await
    }

    /// Whether a snapshot of it shows what is right, whatever else it shows.
    pub fn is_right(&self, snapshot: &Snapshot) -> bool {
        self.right.iter().all(|(fact, value)| snapshot[fact] == *value)
    }

    /// Whether the control has something to change, or only something to tell.
    pub fn is_fixed(&self) -> bool {
        !self.fixes.is_empty()
    }

    /// A text in which nothing is this arrangement's own.
    pub fn in_common_words(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (own, common)| text.replace(own, common))
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a violation of {}", self.control)
    }
}

impl fmt::Debug for Arranged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, left insecure", self.described)
    }
}
