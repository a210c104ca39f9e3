//! AWS Config: its events lead to a resource, its rules are answered with evaluations of what is there now.

use std::collections::BTreeMap;

use aws_sdk_config::types::{ComplianceType, Evaluation};
use aws_smithy_types::DateTime;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use portcullis_core::alert::clean;
use portcullis_core::event::{ConfigEvent, ConfigRule, EventError, Item};
use portcullis_core::{Cause, Listing, Location, Origin, Resource, Selector};
use serde_json::json;

use crate::answer::Response;
use crate::error::{AwsError, Failure};
use crate::handler::{Handler, Handlers};
use crate::invocation::Invocation;
use crate::pipeline::evaluate::Evaluation as Found;

/// As many as one call takes. Source: AWS Config API Reference, `PutEvaluations`.
const BATCH: usize = 100;
/// The longest that an annotation may be. Source: AWS Config API Reference, "Evaluation".
const LONGEST_ANNOTATION: usize = 256;
/// How many resources are looked at at the same time.
const AT_ONCE: usize = 8;
/// What Config calls an account.
const ACCOUNT: &str = "AWS::::Account";

/// Looks at the resource that an event of Config is about.
pub async fn lead(invocation: &Invocation, handlers: &Handlers, event: &ConfigEvent) -> Result<Response, Failure> {
    own(invocation, &event.item.account)?;
    let named: Vec<_> = handlers
        .iter()
        .filter_map(|handler| Some((handler, identified(handler, &event.item, &invocation.location)?)))
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
        return Ok(Response::Ignored {
            ignored: why.to_owned(),
        });
    }
    let cause = Cause {
        origin: Origin {
            event: event.event.clone(),
            id: event.id.clone(),
            time: event.time.clone(),
            ..Origin::default()
        },
        selector: Selector::All,
    };
    let mut answers = Vec::new();
    for (handler, resource) in named {
        answers.push(handler.process(invocation, &resource, &cause).await?);
    }
    Ok(Response::Resources { resources: answers })
}

/// Answers a rule of Config.
pub async fn answer(
    invocation: &Invocation,
    config: &aws_sdk_config::Client,
    handlers: &Handlers,
    rule: &ConfigRule,
) -> Result<Response, Failure> {
    own(invocation, &rule.account)?;
    let known: Vec<_> = handlers.listings().flat_map(Listing::controls).collect();
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
        invocation,
        rule,
        at: DateTime::from_secs(at.as_second()),
        cause: cause(rule),
    };
    let mut answer = Answer::new(&asked, config);
    let missed = match &rule.item {
        Some(item) => {
            answer.add(asked.item(handlers, item).await?).await?;
            Vec::new()
        }
        None => asked.all(handlers, &mut answer).await?,
    };
    let counts = answer.end().await?;
    tracing::info!(rule = rule.name, counts = %json!(counts), "evaluated");
    if missed.is_empty() {
        return Ok(Response::Rule {
            rule: rule.name.clone(),
            evaluations: counts,
        });
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
    invocation: &'a Invocation,
    rule: &'a ConfigRule,
    at: DateTime,
    cause: Cause,
}

impl Asked<'_> {
    /// The evaluation of one item. What this function does not look after is not applicable.
    async fn item(&self, handlers: &Handlers, item: &Item) -> Result<Evaluation, Failure> {
        let (mut findings, mut applies) = (Vec::new(), false);
        for handler in handlers.iter().filter(|_| !item.gone) {
            let Some(resource) = identified(handler, item, &self.invocation.location) else {
                continue;
            };
            match self.look(handler, &resource).await? {
                Found::Gone | Found::NotApplicable => {}
                Found::Compliant => applies = true,
                Found::Violated(more) => findings.extend(more),
            }
        }
        let looked = match (findings.is_empty(), applies) {
            (false, _) => Found::Violated(findings),
            (true, true) => Found::Compliant,
            (true, false) => Found::NotApplicable,
        };
        self.evaluation(&item.kind, &item.id, &looked)
    }

    /// Evaluates all resources while there is time; yields what could not be evaluated: the rest is answered all the same.
    async fn all(&self, handlers: &Handlers, answer: &mut Answer<'_>) -> Result<Vec<String>, Failure> {
        let mut missed = Vec::new();
        for handler in handlers.iter() {
            let ids: Vec<_> = handler.listing().controls().iter().map(|meta| meta.id).collect();
            if !self.rule.controls.is_empty() && !ids.iter().any(|id| self.rule.controls.contains(*id)) {
                continue;
            }
            let kind = handler.listing().config_kind();
            let mut from = None;
            loop {
                if !self.invocation.has_time() {
                    missed.push(format!("the rest of {kind}: there was no time left to list it"));
                    break;
                }
                let place = &self.invocation.location;
                let page = match handler.list(place, from).await {
                    Ok(page) => page,
                    Err(error) => {
                        missed.push(format!("the rest of {kind}: {error}"));
                        break;
                    }
                };
                let mut looks = stream::iter(page.resources)
                    .map(|resource| async move {
                        let looked = if self.invocation.has_time() {
                            Some(self.look(handler, &resource).await)
                        } else {
                            None
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

    /// Looks at one resource; where the rule remediates, after it was put right.
    async fn look(&self, handler: &dyn Handler, resource: &Resource) -> Result<Found, Failure> {
        if self.rule.remediate {
            match handler.process(self.invocation, resource, &self.cause).await {
                // It is told, and the evaluation says that it is still wrong.
                Ok(_) | Err(Failure::NotRemediated { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        handler.evaluate(self.invocation, resource, &self.cause).await
    }

    fn evaluation(&self, kind: &str, id: &str, looked: &Found) -> Result<Evaluation, Failure> {
        let (compliance, annotation) = match looked {
            Found::Gone | Found::NotApplicable => (ComplianceType::NotApplicable, None),
            Found::Compliant => (ComplianceType::Compliant, None),
            Found::Violated(findings) => (ComplianceType::NonCompliant, Some(annotation(findings))),
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

fn own(invocation: &Invocation, account: &str) -> Result<(), Failure> {
    let expected = &invocation.location.account;
    if account == expected {
        return Ok(());
    }
    Err(Failure::ForeignAccount {
        expected: expected.clone(),
        found: account.to_owned(),
    })
}

/// The resource that an item stands for, where this handler looks after it.
fn identified(handler: &dyn Handler, item: &Item, place: &Location) -> Option<Resource> {
    let here = item.account == place.account && [place.region.as_str(), "global", ""].contains(&item.region.as_str());
    let listing = handler.listing();
    (here && listing.takes_item(&item.kind))
        .then(|| listing.identified(&item.id, place))
        .flatten()
}

fn cause(rule: &ConfigRule) -> Cause {
    let selector = if rule.controls.is_empty() {
        Selector::All
    } else {
        Selector::Only(rule.controls.clone())
    };
    Cause {
        origin: Origin {
            event: format!("AWS Config rule {}", rule.name),
            time: rule.time.clone(),
            ..Origin::default()
        },
        selector,
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
