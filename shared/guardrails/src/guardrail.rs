//! A guardrail: one statement that makes a violation impossible, as data.

use serde_json::{Map, Value, json};

use crate::clause::{Clause, Resources, Variant, one_or_many};
use crate::kind::{Group, Kind, Tier};
use crate::values::Values;

/// Whom a statement spares by the ARN of the principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exempt {
    /// Break-glass, Portcullis's own roles and those that the operator names.
    Exempt,
    /// Break-glass, the roles that deploy Portcullis and those that the operator names; not Portcullis itself.
    Deployers,
    /// Nobody by this rule; the statement's own conditions say whom it spares.
    Nobody,
}

/// Conditions as they are written in the tables: operator, key, values.
pub type Conditions = &'static [(&'static str, &'static str, &'static [&'static str])];

/// What a statement says besides its actions.
#[derive(Debug, Clone, Copy)]
pub enum Body {
    /// The same whatever the settings.
    Fixed(&'static [&'static str], Conditions),
    /// From the settings. An error says which value is missing; no variant means that there is nothing to write, by the settings.
    Made(fn(&Values) -> Result<Vec<Variant>, String>),
}

/// One statement that denies what would violate a control.
#[derive(Debug, Clone, Copy)]
pub struct Guardrail {
    /// Its name, which is its Sid.
    pub sid: &'static str,
    /// The kind of policy.
    pub kind: Kind,
    /// What it asks.
    pub tier: Tier,
    /// With which others it is attached.
    pub group: Group,
    /// The controls whose violation it prevents.
    pub controls: &'static [&'static str],
    /// The actions that it denies.
    pub actions: &'static [&'static str],
    /// Whom it spares.
    pub exempt: Exempt,
    /// Resources and conditions.
    pub body: Body,
    /// What it may break of those who do nothing wrong, or did nothing wrong until now; empty for nothing.
    pub breaks: &'static str,
}

/// A service control statement of the default tier on all resources, which spares whoever is exempt.
pub const fn scp(
    group: Group,
    sid: &'static str,
    controls: &'static [&'static str],
    actions: &'static [&'static str],
) -> Guardrail {
    Guardrail {
        sid,
        kind: Kind::ServiceControl,
        tier: Tier::Default,
        group,
        controls,
        actions,
        exempt: Exempt::Exempt,
        body: Body::Fixed(&["*"], &[]),
        breaks: "",
    }
}

/// A resource control statement of the default tier on all resources.
pub const fn rcp(sid: &'static str, controls: &'static [&'static str], actions: &'static [&'static str]) -> Guardrail {
    Guardrail {
        kind: Kind::ResourceControl,
        exempt: Exempt::Nobody,
        ..scp(Group::Perimeter, sid, controls, actions)
    }
}

impl Guardrail {
    /// The same in another tier.
    #[must_use]
    pub const fn tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }

    /// The same on these resources.
    #[must_use]
    pub const fn on(self, resources: &'static [&'static str]) -> Self {
        let conditions = match self.body {
            Body::Fixed(_, conditions) => conditions,
            Body::Made(_) => &[],
        };
        Self {
            body: Body::Fixed(resources, conditions),
            ..self
        }
    }

    /// The same under these conditions.
    #[must_use]
    pub const fn when(self, conditions: Conditions) -> Self {
        let resources = match self.body {
            Body::Fixed(resources, _) => resources,
            Body::Made(_) => &["*"],
        };
        Self {
            body: Body::Fixed(resources, conditions),
            ..self
        }
    }

    /// The same with resources and conditions from the settings.
    #[must_use]
    pub const fn made(self, make: fn(&Values) -> Result<Vec<Variant>, String>) -> Self {
        Self {
            body: Body::Made(make),
            ..self
        }
    }

    /// The same for others than the exempt.
    #[must_use]
    pub const fn sparing(self, exempt: Exempt) -> Self {
        Self { exempt, ..self }
    }

    /// The same with what it may break.
    #[must_use]
    pub const fn breaks(self, breaks: &'static str) -> Self {
        Self { breaks, ..self }
    }

    /// What the settings make of it.
    pub fn variants(&self, values: &Values) -> Result<Vec<Variant>, String> {
        match self.body {
            Body::Made(make) => make(values),
            Body::Fixed(resources, conditions) => Ok(vec![Variant {
                suffix: String::new(),
                resources: if resources == ["*"] {
                    Resources::AllBut(Vec::new())
                } else {
                    Resources::These(resources.iter().map(|&one| one.to_owned()).collect())
                },
                conditions: conditions
                    .iter()
                    .map(|(operator, key, values)| Clause::new(operator, *key, values.iter().copied()))
                    .collect(),
            }]),
        }
    }

    /// The actions that are left when controls are off: an RCP's services go one by one.
    pub fn actions_left(&self, values: &Values) -> Vec<&'static str> {
        let off = |control: &&&str| values.off.contains(**control);
        if !self.controls.is_empty() && self.controls.iter().all(|control| off(&control)) {
            return Vec::new();
        }
        let actions = self.actions.iter().copied();
        actions
            .filter(|action| {
                let Some(service) = action.strip_suffix(":*") else {
                    return true;
                };
                let mut own = self
                    .controls
                    .iter()
                    .filter(|control| control.strip_prefix(service).is_some_and(|rest| rest.starts_with('-')))
                    .peekable();
                own.peek().is_none() || !own.all(|control| off(&control))
            })
            .collect()
    }

    /// The statement of one variant.
    pub fn statement(&self, sid: &str, actions: &[&str], variant: &Variant, values: &Values) -> Value {
        let mut statement = Map::new();
        statement.insert("Sid".into(), sid.into());
        statement.insert("Effect".into(), "Deny".into());
        if self.kind == Kind::ResourceControl {
            statement.insert("Principal".into(), "*".into());
        }
        statement.insert("Action".into(), one_or_many(actions));
        match &variant.resources {
            Resources::These(these) => statement.insert("Resource".into(), one_or_many(these)),
            Resources::AllBut(none) if none.is_empty() => statement.insert("Resource".into(), "*".into()),
            Resources::AllBut(these) => statement.insert("NotResource".into(), one_or_many(these)),
        };
        let spared = match self.exempt {
            Exempt::Exempt => values.exempt(),
            Exempt::Deployers => values.deploying(),
            Exempt::Nobody => Vec::new(),
        };
        let exemption = (!spared.is_empty()).then(|| Clause::new("ArnNotLike", "aws:PrincipalArn", spared));
        let mut conditions = Map::new();
        for clause in variant.conditions.iter().chain(&exemption) {
            let block = conditions.entry(clause.operator).or_insert_with(|| json!({}));
            block[&clause.key] = one_or_many(&clause.values);
        }
        if !conditions.is_empty() {
            statement.insert("Condition".into(), conditions.into());
        }
        statement.into()
    }
}
