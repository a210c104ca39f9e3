//! A type of resource, as data: what AWS calls it, which events name it, how it is listed and restored.

use crate::event::{Call, EventError, NativeEvent};
use crate::{Location, Resource, Settings, State};

/// The resources that settings require, each with the control that says whether it is as it has to be.
pub type Required = Vec<(Resource, &'static str)>;

/// From a state and the changes that were asked for to those that a restore makes, or what stands in the way.
pub type RestorePlan<S> = fn(&S, Vec<<S as State>::Change>) -> Result<Vec<<S as State>::Change>, String>;

/// A type of resource. What differs from type to type and is more than data, such as which resource a call names, is a function
/// over plain data.
pub struct ResourceType<S: State> {
    /// CloudFormation's name of the type.
    pub name: &'static str,
    /// AWS Config's name of the type, where it is another.
    pub config_name: Option<&'static str>,
    /// What its ARNs have after the partition, with `{r}`, `{a}`, `{n}` and `{i}` for region, account, a name and an id's hexadecimal
    /// digits, as in `s3:::{n}`: by it an exemption is known that names nothing of a resource itself. Empty where a place has but one.
    pub arn_form: &'static str,
    /// The CloudTrail event source of its calls, as in `s3.amazonaws.com`.
    pub source: &'static str,
    /// Whether a function looks after those of its own region only. S3 records what happens to a bucket, and to an account, in
    /// the region through which somebody called.
    pub regional: bool,
    /// The facts that are read whatever the controls, such as tags for classification.
    pub always: &'static [S::Fact],
    /// The IAM actions of what is looked up before a change for those who are told, and that no judgement needs.
    pub impact_reads: &'static [&'static str],
    /// The facts that a restore reads besides those that it changes: what `restore_plan` looks at.
    pub restore_reads: &'static [S::Fact],
    /// The IAM actions that listing all resources of a location takes.
    pub list_actions: &'static [&'static str],
    /// The calls that make one: right after them AWS may not show it yet.
    pub creates: &'static [&'static str],
    /// Those of them whose answer alone says what they made: where CloudTrail leaves that out, it is looked for.
    pub answered: &'static [&'static str],
    /// The calls that delete one whose name somebody may take anew: with it end the holds that were left on it.
    pub deletes: &'static [&'static str],
    /// The calls of which the ledger keeps when each was last made, since AWS does not show their effect any more once another
    /// call covers it.
    pub remembers: &'static [&'static str],
    /// What its service tells EventBridge by itself, and leads to it as a call does.
    pub native_events: &'static [NativeEvent],
    /// The resources of this account that a call names; none where it is about another account's.
    pub named: fn(&Call) -> Result<Vec<Resource>, EventError>,
    /// The resource of a location that an id or an ARN stands for, as AWS Config and sweeps name it; `None` where it can be none
    /// of this type, or is somebody else's.
    pub identified: fn(&str, &Location) -> Option<Resource>,
    /// Whether a call can change what is judged, under these settings: one that sets tags of which they know nothing can't. What
    /// can't is ignored without a call of AWS.
    pub matters: fn(&Call, &Settings) -> bool,
    /// The resources that settings name, which a sweep looks at even where listing does not find them any more.
    pub required: fn(&Settings, &Location) -> Vec<Resource>,
    /// What a preflight looks at: the resources that settings require, wherever they are. An error says what is wrong with the
    /// settings.
    pub preflight: fn(&Settings) -> Result<Required, String>,
    /// The changes that a restore makes from a state, in the order in which AWS takes them: more than was asked for where
    /// something has to step aside meanwhile. An error says what stands in the way.
    pub restore_plan: RestorePlan<S>,
    /// Whether a state says that the resource is no more, where a control asks for that: others answer no state at all then.
    pub is_deleted: fn(&S) -> bool,
    /// The service that alone may change the resource, as in `eks.amazonaws.com`; none where its owner may.
    pub owner: fn(&S) -> Option<String>,
    /// What AWS is doing to the resource, so that it takes no change now, as in `it is being modified`; none where it would.
    pub busy: fn(&S) -> Option<String>,
    /// A state without what AWS changes by itself, such as a public address that comes and goes with a stop and a start: what a
    /// restore compares.
    pub comparable: fn(&S) -> S,
}

impl<S: State> ResourceType<S> {
    /// What most types have in common; name, source and what names its resources are each type's own.
    pub const REGIONAL: Self = Self {
        name: "",
        config_name: None,
        arn_form: "",
        source: "",
        regional: true,
        always: &[],
        impact_reads: &[],
        restore_reads: &[],
        list_actions: &[],
        creates: &[],
        answered: &[],
        deletes: &[],
        remembers: &[],
        native_events: &[],
        named: |_| Ok(Vec::new()),
        identified: |_, _| None,
        matters: |_, _| true,
        required: |_, _| Vec::new(),
        preflight: |_| Ok(Vec::new()),
        restore_plan: |_, changes| Ok(changes),
        is_deleted: |_| false,
        owner: |_| None,
        busy: |_| None,
        comparable: S::clone,
    };

    /// AWS Config's name of the type.
    pub fn config_name(&self) -> &'static str {
        self.config_name.unwrap_or(self.name)
    }

    /// What a state is after some changes, one after the other.
    pub fn after(state: &S, changes: &[S::Change]) -> S {
        use crate::Change as _;
        changes.iter().fold(state.clone(), |state, change| change.after(&state))
    }
}
