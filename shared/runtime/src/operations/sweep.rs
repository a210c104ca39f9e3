//! Sweeps: all resources of the place, page by page, with one message at the end.
//!
//! CloudTrail and EventBridge deliver best effort, and what was open before the first event names nobody. A sweep finds it. It
//! stops in time before Lambda would stop it, and answers with what is left; the stack's state machine carries on with that.

use std::collections::{BTreeSet, VecDeque};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use portcullis_core::alert::sweep::compose;
use portcullis_core::event::{Counts, EventError, Sweep, SweepPage};
use portcullis_core::{Cause, Resource, Selector};
use serde_json::json;

use super::summary;
use crate::answer::{Answer, Conclusion, Response, SweepAnswer};
use crate::error::Failure;
use crate::handler::{Handler, Handlers};
use crate::invocation::Invocation;
use crate::metrics;

/// How many resources are looked at at the same time: few enough that a sweep leaves most of AWS's rate to others.
const AT_ONCE: usize = 8;
/// No page is asked for later than so many milliseconds before the invocation's end.
const LISTING_RESERVE: i64 = 7_500;

/// Sweeps as far as there is time, and answers with what is left.
pub async fn sweep(invocation: &Invocation, handlers: &Handlers, sweep: &Sweep) -> Result<Response, Failure> {
    let sweeper = Sweeper { invocation, handlers };
    Ok(Response::Sweep {
        sweep: sweeper.run(sweep).await?,
    })
}

/// One invocation of a sweep.
struct Sweeper<'a> {
    invocation: &'a Invocation,
    handlers: &'a Handlers,
}

impl Sweeper<'_> {
    async fn run(&self, sweep: &Sweep) -> Result<SweepAnswer, Failure> {
        if let Some(parts) = &sweep.finish {
            let counts = parts.iter().fold(sweep.counts.clone(), Counts::and);
            return self.finish(counts).await;
        }
        let mut counts = sweep.counts.clone();
        let mut ahead = sweep.ahead.clone();
        let more = if let Some(pages) = &sweep.pages {
            self.pages(pages.clone().into(), &mut counts, &mut ahead).await?
        } else {
            self.ahead(&mut counts, &mut ahead).await?;
            let more = self.pages(self.all().collect(), &mut counts, &mut ahead).await?;
            // What is left is for others to do at the same time, so the end is theirs to tell.
            if more.is_empty() {
                return self.finish(counts).await;
            }
            more
        };
        Ok(SweepAnswer {
            counts,
            more,
            ahead,
            new: None,
        })
    }

    /// Where a sweep begins: what settings name, then what AWS lists, for each type.
    fn all(&self) -> impl Iterator<Item = SweepPage> {
        self.handlers.iter().flat_map(|handler| {
            let kind = handler.listing().kind().to_owned();
            let required = handler.required(&self.invocation.settings, &self.invocation.location);
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
            let handler = self.handler(&page.kind)?;
            let late = !self.invocation.has_time();
            if late && (!page.onward || self.invocation.remaining() < LISTING_RESERVE) {
                left.push(page);
                continue;
            }
            let named = !page.resources.is_empty();
            let (mut resources, next) = if named {
                (self.named(handler, &page)?, None)
            } else {
                let listed = handler
                    .list(&self.invocation.location, page.from.clone())
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
            let rest = self.look(handler, resources, counts).await;
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

    fn handler(&self, kind: &str) -> Result<&dyn Handler, Failure> {
        self.handlers.of(kind).ok_or_else(|| {
            Failure::Event(EventError::Unexpected {
                field: "sweep.pages[].type".into(),
                expected: "a type that this function looks after",
                found: kind.to_owned(),
            })
        })
    }

    /// The resources that a page names by id or ARN.
    fn named(&self, handler: &dyn Handler, page: &SweepPage) -> Result<Vec<Resource>, Failure> {
        let named = page.resources.iter().map(|id| {
            handler
                .listing()
                .identified(id, &self.invocation.location)
                .ok_or_else(|| {
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
    async fn look(&self, handler: &dyn Handler, resources: Vec<Resource>, counts: &mut Counts) -> Vec<String> {
        let cause = &self.cause();
        let mut looks = stream::iter(resources)
            .map(|resource| self.process(handler, resource, cause))
            .buffer_unordered(AT_ONCE);
        let mut rest = Vec::new();
        while let Some((resource, answered)) = looks.next().await {
            match answered {
                None => rest.push(resource.arn),
                Some(answer) => count(counts, &resource, answer),
            }
        }
        rest
    }

    /// Takes one resource through the pipeline, if there is time for it.
    async fn process(
        &self,
        handler: &dyn Handler,
        resource: Resource,
        cause: &Cause,
    ) -> (Resource, Option<Result<Answer, Failure>>) {
        if !self.invocation.has_time() {
            return (resource, None);
        }
        let answer = handler.process(self.invocation, &resource, cause).await;
        (resource, Some(answer))
    }

    /// Looks first at what was begun and whose event never came back, then at what has waited long enough, those that waited
    /// longest first: they have the first claim on the hour's budget. What could not be handled is left to its page.
    async fn ahead(&self, counts: &mut Counts, ahead: &mut BTreeSet<String>) -> Result<(), Failure> {
        let (ledger, cause) = (&self.invocation.ledger, &self.cause());
        let now = Timestamp::now();
        let mut first = ledger.abandoned(now).await?;
        let due = ledger.due(now).await?;
        let waited = due.iter().filter_map(|status| status.due(now).next());
        first.extend(waited.map(|(_, deferral)| deferral.resource.clone()));
        let mut seen = BTreeSet::new();
        first.retain(|resource| seen.insert(resource.arn.clone()));
        // The ledger is that of all functions.
        let handled = first.into_iter().filter_map(|resource| {
            let handler = self.handlers.of(&resource.kind)?;
            Some((handler, resource))
        });
        let mut looks = stream::iter(handled)
            .map(|(handler, resource)| self.process(handler, resource, cause))
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
    async fn finish(&self, counts: Counts) -> Result<SweepAnswer, Failure> {
        let invocation = self.invocation;
        let waiting = invocation.ledger.waiting().await?;
        // Other invocations noted theirs in the ledger; so did a sweep that broke off before it could tell.
        let new = summary::tell(
            invocation,
            |_| true,
            |findings| Some(compose(&invocation.function, &invocation.location, &counts, findings)),
        )
        .await?;
        // It was told. The next sweep notes it where this one can't, or an alarm asks what became of the sweeps.
        if let Err(failure) = invocation.ledger.swept(&invocation.function, Timestamp::now()).await {
            tracing::error!(failure = failure.name(), error = %failure, "that it was swept is not noted");
            metrics::failure(&invocation.function, failure.name());
        }
        metrics::sweep(&invocation.function, &counts, new);
        metrics::open_deferred(waiting);
        tracing::info!(counts = %json!(counts), new, waiting, "swept");
        Ok(SweepAnswer {
            counts,
            more: Vec::new(),
            ahead: BTreeSet::new(),
            new: Some(new),
        })
    }

    fn cause(&self) -> Cause {
        Cause::other("sweep", Timestamp::now(), Selector::All).with_id(&self.invocation.request)
    }
}

/// Counts what one resource came to.
pub fn count(counts: &mut Counts, resource: &Resource, handled: Result<Answer, Failure>) {
    counts.resources += 1;
    match handled {
        Ok(answer) => {
            for result in &answer.results {
                counts.found(result.outcome);
            }
            counts.compliant += u64::from(answer.conclusion == Conclusion::Compliant);
        }
        // It was told, and the next sweep tries again.
        Err(Failure::NotRemediated { outcomes, .. }) => outcomes.into_iter().for_each(|outcome| counts.found(outcome)),
        Err(failure) => {
            counts.unseen += 1;
            tracing::error!(resource = resource.arn, failure = failure.name(), error = %failure, "not swept");
        }
    }
}
