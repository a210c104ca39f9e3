//! Sweeps: all resources of the place, page by page, with one message at the end.
//!
//! CloudTrail and EventBridge deliver best effort, and what was open before the first event names nobody. A sweep finds it. It
//! stops in time before Lambda would stop it, and answers with what is left; the stack's state machine carries on with that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use portcullis_core::alert::sweep::compose;
use portcullis_core::event::{Counts, EventError, Sweep, SweepPage};
use portcullis_core::{Actor, Asks, Cause, Outcome, Place, Resource};
use serde_json::{Value, json};

use crate::adapter::{Guards, Serve};
use crate::digest;
use crate::error::Failure;
use crate::metrics;
use crate::pipeline::Shell;

/// How many resources are looked at at the same time: few enough that a sweep leaves most of AWS's rate to others.
const AT_ONCE: usize = 8;
/// No resource is begun later than so many milliseconds before the invocation's end: one may take that long.
pub const RESERVE: i64 = 15_000;
/// No page is asked for later than so many milliseconds before the invocation's end.
const LISTING_RESERVE: i64 = 7_500;

/// One invocation of a sweep.
pub struct Sweeper<'a> {
    pub shell: &'a Shell,
    pub guards: &'a Guards,
    pub place: &'a Place,
}

impl Sweeper<'_> {
    pub async fn run(&self, sweep: &Sweep) -> Result<Value, Failure> {
        if let Some(parts) = &sweep.finish {
            let counts = parts.iter().fold(sweep.counts.clone(), Counts::and);
            return self.finish(&counts).await;
        }
        let mut counts = sweep.counts.clone();
        let mut ahead = sweep.ahead.clone();
        let Some(pages) = &sweep.pages else {
            self.ahead(&mut counts, &mut ahead).await?;
            let more = self.pages(self.all().collect(), &mut counts, &mut ahead).await?;
            // What is left is for others to do at the same time, so the end is theirs to tell.
            if more.is_empty() {
                return self.finish(&counts).await;
            }
            return Ok(json!({"sweep": {"counts": counts, "more": more, "ahead": ahead}}));
        };
        let more = self.pages(pages.clone().into(), &mut counts, &mut ahead).await?;
        Ok(json!({"sweep": {"counts": counts, "more": more, "ahead": ahead}}))
    }

    /// Where a sweep begins: what settings name, then what AWS lists, for each type.
    fn all(&self) -> impl Iterator<Item = SweepPage> {
        self.guards.iter().flat_map(|guard| {
            let kind = guard.listing().kind().to_owned();
            let required = guard.required(&self.shell.settings, self.place);
            let named = SweepPage {
                kind: kind.clone(),
                resources: required.into_iter().map(|resource| resource.arn).collect(),
                ..SweepPage::default()
            };
            let listed = SweepPage {
                kind,
                onward: true,
                ..SweepPage::default()
            };
            let named = Some(named).filter(|named| !named.resources.is_empty());
            named.into_iter().chain([listed])
        })
    }

    /// Sweeps pages while there is time; yields what is left, in pages of which each is work for one invocation. What was looked at
    /// ahead is not looked at again: what was put right then would count as compliant now.
    async fn pages(
        &self,
        mut pages: VecDeque<SweepPage>,
        counts: &mut Counts,
        ahead: &mut BTreeSet<String>,
    ) -> Result<Vec<SweepPage>, Failure> {
        let mut left = Vec::new();
        while let Some(page) = pages.pop_front() {
            let guard = self.guard(&page.kind)?;
            let late = self.shell.remaining() < RESERVE;
            if late && (!page.onward || self.shell.remaining() < LISTING_RESERVE) {
                left.push(page);
                continue;
            }
            let named = !page.resources.is_empty();
            let (mut resources, next) = if named {
                (self.named(guard, &page)?, None)
            } else {
                let listed = guard
                    .list(self.place, page.from.clone())
                    .await
                    .map_err(Failure::Observe)?;
                (listed.resources, listed.next)
            };
            if page.onward
                && let Some(next) = next
            {
                let next = SweepPage {
                    from: Some(next),
                    resources: Vec::new(),
                    ..page.clone()
                };
                pages.push_front(next);
            }
            if late {
                let only = SweepPage { onward: false, ..page };
                left.push(only);
                continue;
            }
            resources.retain(|resource| !ahead.contains(&resource.arn));
            // What settings name is listed as well.
            let these: BTreeSet<_> = resources.iter().filter(|_| named).map(|one| one.arn.clone()).collect();
            let rest = self.look(guard, resources, counts).await;
            ahead.extend(these.into_iter().filter(|arn| !rest.contains(arn)));
            if !rest.is_empty() {
                left.push(SweepPage {
                    kind: page.kind,
                    resources: rest,
                    ..SweepPage::default()
                });
            }
        }
        Ok(left)
    }

    fn guard(&self, kind: &str) -> Result<&dyn Serve, Failure> {
        self.guards.of(kind).ok_or_else(|| {
            Failure::Event(EventError::Unexpected {
                field: "sweep.pages[].type".into(),
                expected: "a type that this function looks after",
                found: kind.to_owned(),
            })
        })
    }

    /// The resources that a page names by id or ARN.
    fn named(&self, guard: &dyn Serve, page: &SweepPage) -> Result<Vec<Resource>, Failure> {
        let named = page.resources.iter().map(|id| {
            guard.listing().identified(id, self.place).ok_or_else(|| {
                Failure::Event(EventError::Unexpected {
                    field: "sweep.pages[].resources".into(),
                    expected: "ids or ARNs of resources of this account and region",
                    found: id.chars().take(120).collect(),
                })
            })
        });
        named.collect()
    }

    /// Takes resources through the pipeline, some at the same time; yields those for which there was no time.
    async fn look(&self, guard: &dyn Serve, resources: Vec<Resource>, counts: &mut Counts) -> Vec<String> {
        let cause = &self.cause();
        let mut looks = stream::iter(resources)
            .map(|resource| self.process(guard, resource, cause))
            .buffer_unordered(AT_ONCE);
        let mut rest = Vec::new();
        while let Some((resource, handled)) = looks.next().await {
            match handled {
                None => rest.push(resource.arn),
                Some(handled) => count(counts, &resource, handled),
            }
        }
        rest
    }

    /// Takes one resource through the pipeline, if there is time for it.
    async fn process(
        &self,
        guard: &dyn Serve,
        resource: Resource,
        cause: &Cause,
    ) -> (Resource, Option<Result<Value, Failure>>) {
        if self.shell.remaining() < RESERVE {
            return (resource, None);
        }
        let handled = guard.process(self.shell, &resource, cause).await;
        (resource, Some(handled))
    }

    /// Looks first at what was begun and whose event never came back, then at what has waited long enough, those that waited
    /// longest first: they have the first claim on the hour's budget. What could not be handled is left to its page.
    async fn ahead(&self, counts: &mut Counts, ahead: &mut BTreeSet<String>) -> Result<(), Failure> {
        let (ledger, cause) = (&self.shell.ledger, &self.cause());
        let now = Timestamp::now();
        let mut first = ledger.abandoned(now).await?;
        let due = ledger.due(now).await?;
        let waited = due.iter().filter_map(|status| status.due(now).next());
        first.extend(waited.map(|(_, deferral)| deferral.resource.clone()));
        let mut seen = BTreeSet::new();
        first.retain(|resource| seen.insert(resource.arn.clone()));
        // The ledger is that of all functions.
        let guarded = first.into_iter().filter_map(|resource| {
            let guard = self.guards.of(&resource.kind)?;
            Some((guard, resource))
        });
        let mut looks = stream::iter(guarded)
            .map(|(guard, resource)| self.process(guard, resource, cause))
            .buffer_unordered(AT_ONCE);
        while let Some((resource, handled)) = looks.next().await {
            match handled {
                Some(handled @ (Ok(_) | Err(Failure::NotRemediated { .. }))) => {
                    count(counts, &resource, handled);
                    ahead.insert(resource.arn);
                }
                Some(Err(failure)) => {
                    tracing::error!(resource = resource.arn, failure = failure.name(), error = %failure, "it waits on");
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Tells what is new, in one message; then notes that it was told.
    async fn finish(&self, counts: &Counts) -> Result<Value, Failure> {
        let shell = self.shell;
        let waiting = shell.ledger.waiting().await?;
        // Other invocations noted theirs in the ledger; so did a sweep that broke off before it could tell.
        let new = digest::tell(
            shell,
            |_| true,
            |findings| Some(compose(&shell.function, self.place, counts, findings)),
        )
        .await?;
        metrics::sweep(&shell.function, counts, new);
        metrics::open_deferred(waiting);
        tracing::info!(counts = %json!(counts), new, waiting, "swept");
        Ok(json!({"sweep": {"counts": counts, "more": [], "ahead": [], "new": new}}))
    }

    fn cause(&self) -> Cause {
        Cause {
            event: "sweep".into(),
            id: self.shell.request.clone(),
            time: Timestamp::now().to_string(),
            actor: Actor::default(),
            omitted: false,
            asks: Asks::All,
        }
    }
}

pub fn count(counts: &mut Counts, resource: &Resource, handled: Result<Value, Failure>) {
    counts.resources += 1;
    match handled {
        Ok(answer) => {
            let outcomes: BTreeMap<String, Outcome> =
                serde_json::from_value(answer["controls"].clone()).unwrap_or_default();
            for outcome in outcomes.values() {
                counts.found(*outcome);
            }
            counts.compliant += u64::from(answer["outcome"] == "compliant");
        }
        // It was told, and the next sweep tries again.
        Err(Failure::NotRemediated { controls, .. }) => {
            for _ in controls.split(", ") {
                counts.found(Outcome::Failed);
            }
        }
        Err(failure) => {
            counts.unseen += 1;
            tracing::error!(resource = resource.arn, failure = failure.name(), error = %failure, "not swept");
        }
    }
}
