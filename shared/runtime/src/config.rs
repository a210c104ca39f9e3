//! AWS Config: its events lead to a resource, its rules are answered with evaluations of what is there now.

use std::collections::BTreeMap;

use aws_sdk_config::types::{ComplianceType, Evaluation};
use aws_smithy_types::DateTime;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use portcullis_core::alert::clean;
use portcullis_core::event::{ConfigEvent, ConfigRule, EventError, Item};
use portcullis_core::{Actor, Asks, Cause, Listing, Place, Resource};
use serde_json::{Value, json};

use crate::adapter::{Guards, Serve};
use crate::error::{AwsError, Failure};
use crate::pipeline::{Looked, Shell};

/// As many as one call takes. Source: AWS Config API Reference, `PutEvaluations`.
const BATCH: usize = 100;
/// The longest that an annotation may be. Source: AWS Config API Reference, "Evaluation".
const LONGEST_ANNOTATION: usize = 256;
/// How many resources are looked at at the same time.
const AT_ONCE: usize = 8;
/// No resource is begun later than so many milliseconds before the invocation's end.
pub const RESERVE: i64 = 15_000;
/// What Config calls an account.
const ACCOUNT: &str = "AWS::::Account";

/// Looks at the resource that an event of Config is about.
pub async fn lead(shell: &Shell, guards: &Guards, event: &ConfigEvent) -> Result<Value, Failure> {
    own(shell, &event.item.account)?;
    let named: Vec<_> = guards
        .iter()
        .filter_map(|guard| Some((guard, identified(guard, &event.item, &shell.place)?)))
        .collect();
    let ignored = event
        .ignored
        .or_else(|| named.is_empty().then_some("no control is about it"));
    if let Some(why) = ignored {
        tracing::info!(
            event = event.event,
            r#type = event.item.kind,
            id = event.item.id,
            why,
            "ignored"
        );
        return Ok(json!({"ignored": why}));
    }
    let cause = Cause {
        event: event.event.clone(),
        id: event.id.clone(),
        time: event.time.clone(),
        actor: Actor::default(),
        omitted: false,
        asks: Asks::All,
    };
    let mut answers = Vec::new();
    for (guard, resource) in named {
        answers.push(guard.process(shell, &resource, &cause).await?);
    }
    Ok(json!({"resources": answers}))
}

/// Answers a rule of Config.
pub async fn answer(
    shell: &Shell,
    config: &aws_sdk_config::Client,
    guards: &Guards,
    rule: &ConfigRule,
) -> Result<Value, Failure> {
    own(shell, &rule.account)?;
    let known: Vec<_> = guards.listings().flat_map(Listing::controls).collect();
    if let Some(unknown) = rule
        .controls
        .iter()
        .find(|id| !known.iter().any(|meta| meta.id == **id))
    {
        return Err(Failure::Event(EventError::Unexpected {
            field: "ruleParameters.controls".into(),
            expected: "ids of controls of this function",
            found: unknown.chars().take(80).collect(),
        }));
    }
    let at = rule.time.parse::<Timestamp>().map_err(|_| {
        Failure::Event(EventError::Unexpected {
            field: "invokingEvent.notificationCreationTime".into(),
            expected: "a time (ISO 8601)",
            found: rule.time.chars().take(80).collect(),
        })
    })?;
    let asked = Asked {
        shell,
        rule,
        at: DateTime::from_secs(at.as_second()),
        cause: cause(rule),
    };
    let mut answer = Answer::new(&asked, config);
    let missed = match &rule.item {
        Some(item) => {
            answer.add(asked.item(guards, item).await?).await?;
            Vec::new()
        }
        None => asked.all(guards, &mut answer).await?,
    };
    let counts = answer.end().await?;
    tracing::info!(rule = rule.name, counts = %json!(counts), "evaluated");
    if missed.is_empty() {
        return Ok(json!({"rule": rule.name, "evaluations": counts}));
    }
    Err(Failure::Evaluations {
        rule: rule.name.clone(),
        why: format!(
            "{} could not be evaluated: {}",
            missed.len(),
            missed.into_iter().take(3).collect::<Vec<_>>().join("; ")
        ),
    })
}

/// Evaluations on their way to Config, as many at a time as a call takes: what was found is answered before the time is over.
struct Answer<'a> {
    asked: &'a Asked<'a>,
    config: &'a aws_sdk_config::Client,
    waiting: Vec<Evaluation>,
    counts: BTreeMap<String, u64>,
}

impl<'a> Answer<'a> {
    fn new(asked: &'a Asked<'a>, config: &'a aws_sdk_config::Client) -> Self {
        Self {
            asked,
            config,
            waiting: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    async fn add(&mut self, evaluation: Evaluation) -> Result<(), Failure> {
        let compliance = evaluation.compliance_type.as_str().to_owned();
        *self.counts.entry(compliance).or_default() += 1;
        self.waiting.push(evaluation);
        if self.waiting.len() == BATCH {
            self.asked.put(self.config, &self.waiting).await?;
            self.waiting.clear();
        }
        Ok(())
    }

    /// Puts the rest; yields how many there were of each compliance.
    async fn end(self) -> Result<BTreeMap<String, u64>, Failure> {
        if !self.waiting.is_empty() {
            self.asked.put(self.config, &self.waiting).await?;
        }
        Ok(self.counts)
    }
}

/// A rule's question.
struct Asked<'a> {
    shell: &'a Shell,
    rule: &'a ConfigRule,
    at: DateTime,
    cause: Cause,
}

impl Asked<'_> {
    /// The evaluation of one item. What this function does not look after is not applicable.
    async fn item(&self, guards: &Guards, item: &Item) -> Result<Evaluation, Failure> {
        let (mut findings, mut applies) = (Vec::new(), false);
        for guard in guards.iter().filter(|_| !item.gone) {
            let Some(resource) = identified(guard, item, &self.shell.place) else {
                continue;
            };
            match self.look(guard, &resource).await? {
                Looked::Gone | Looked::NotApplicable => {}
                Looked::Compliant => applies = true,
                Looked::Violated(more) => findings.extend(more),
            }
        }
        let looked = match (findings.is_empty(), applies) {
            (false, _) => Looked::Violated(findings),
            (true, true) => Looked::Compliant,
            (true, false) => Looked::NotApplicable,
        };
        self.evaluation(&item.kind, &item.id, &looked)
    }

    /// Evaluates all resources while there is time; yields what could not be evaluated: the rest is answered all the same.
    async fn all(&self, guards: &Guards, answer: &mut Answer<'_>) -> Result<Vec<String>, Failure> {
        let mut missed = Vec::new();
        for guard in guards.iter() {
            let ids: Vec<_> = guard.listing().controls().iter().map(|meta| meta.id).collect();
            if !self.rule.controls.is_empty() && !ids.iter().any(|id| self.rule.controls.contains(*id)) {
                continue;
            }
            let kind = guard.listing().config_kind();
            let mut from = None;
            loop {
                if self.late() {
                    missed.push(format!("the rest of {kind}: there was no time left to list it"));
                    break;
                }
                let place = &self.shell.place;
                let page = match guard.list(place, from).await {
                    Ok(page) => page,
                    Err(error) => {
                        missed.push(format!("the rest of {kind}: {error}"));
                        break;
                    }
                };
                let mut looks = stream::iter(page.resources)
                    .map(|resource| async move {
                        let looked = if self.late() {
                            None
                        } else {
                            Some(self.look(guard, &resource).await)
                        };
                        (resource, looked)
                    })
                    .buffer_unordered(AT_ONCE);
                while let Some((resource, looked)) = looks.next().await {
                    match looked {
                        Some(Ok(looked)) => {
                            let id = if kind == ACCOUNT {
                                &resource.account
                            } else {
                                &resource.id
                            };
                            answer.add(self.evaluation(kind, id, &looked)?).await?;
                        }
                        Some(Err(failure)) => missed.push(format!("{}: {failure}", resource.arn)),
                        None => missed.push(format!("{}: there was no time left", resource.arn)),
                    }
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        Ok(missed)
    }

    /// Whether no resource is to be begun any more.
    fn late(&self) -> bool {
        self.shell.deadline - Timestamp::now().as_millisecond() < RESERVE
    }

    /// Looks at one resource; where the rule remediates, after it was put right.
    async fn look(&self, guard: &dyn Serve, resource: &Resource) -> Result<Looked, Failure> {
        if self.rule.remediate {
            match guard.process(self.shell, resource, &self.cause).await {
                // It is told, and the evaluation says that it is still wrong.
                Ok(_) | Err(Failure::NotRemediated { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        guard.evaluate(self.shell, resource, &self.cause).await
    }

    fn evaluation(&self, kind: &str, id: &str, looked: &Looked) -> Result<Evaluation, Failure> {
        let (compliance, annotation) = match looked {
            Looked::Gone | Looked::NotApplicable => (ComplianceType::NotApplicable, None),
            Looked::Compliant => (ComplianceType::Compliant, None),
            Looked::Violated(findings) => (ComplianceType::NonCompliant, Some(annotation(findings))),
        };
        Evaluation::builder()
            .compliance_resource_type(kind)
            .compliance_resource_id(id)
            .compliance_type(compliance)
            .set_annotation(annotation)
            .ordering_timestamp(self.at)
            .build()
            .map_err(|error| self.refused(error.to_string()))
    }

    async fn put(&self, config: &aws_sdk_config::Client, batch: &[Evaluation]) -> Result<(), Failure> {
        let answered = config
            .put_evaluations()
            .set_evaluations(Some(batch.to_vec()))
            .result_token(&self.rule.token)
            .test_mode(self.rule.test)
            .send()
            .await
            .map_err(|error| self.refused(AwsError::new("PutEvaluations", &error).to_string()))?;
        match answered.failed_evaluations() {
            [] => Ok(()),
            refused => {
                let ids: Vec<_> = refused
                    .iter()
                    .map(|one| one.compliance_resource_id.as_str())
                    .take(3)
                    .collect();
                let why = format!(
                    "AWS Config did not take {} evaluations, as of {}",
                    refused.len(),
                    ids.join(", ")
                );
                Err(self.refused(why))
            }
        }
    }

    fn refused(&self, why: String) -> Failure {
        Failure::Evaluations {
            rule: self.rule.name.clone(),
            why,
        }
    }
}

fn own(shell: &Shell, account: &str) -> Result<(), Failure> {
    let expected = &shell.place.account;
    if account == expected {
        return Ok(());
    }
    Err(Failure::ForeignAccount {
        expected: expected.clone(),
        found: account.to_owned(),
    })
}

/// The resource that an item stands for, where this guard looks after it.
fn identified(guard: &dyn Serve, item: &Item, place: &Place) -> Option<Resource> {
    let here = item.account == place.account && [place.region.as_str(), "global", ""].contains(&item.region.as_str());
    let listing = guard.listing();
    (here && listing.takes_item(&item.kind))
        .then(|| listing.identified(&item.id, place))
        .flatten()
}

fn cause(rule: &ConfigRule) -> Cause {
    let asks = if rule.controls.is_empty() {
        Asks::All
    } else {
        Asks::Only(rule.controls.clone())
    };
    Cause {
        event: format!("AWS Config rule {}", rule.name),
        id: String::new(),
        time: rule.time.clone(),
        actor: Actor::default(),
        omitted: false,
        asks,
    }
}

fn annotation(findings: &[(&'static str, String)]) -> String {
    let all: Vec<_> = findings
        .iter()
        .map(|(control, summary)| format!("{control} {}", clean(summary)))
        .collect();
    let whole = all.join("; ");
    if whole.chars().count() <= LONGEST_ANNOTATION {
        return whole;
    }
    let cut: String = whole.chars().take(LONGEST_ANNOTATION - 3).collect();
    format!("{cut}...")
}
