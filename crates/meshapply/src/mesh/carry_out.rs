//! Makes the writes of a plan: all of them as a dry run first, then wave after wave over all clusters.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use meshconfig::apply::{Change, Step, Write};
use serde_json::Value;
use tokio::time::sleep;

use super::next::{NextSteps, Progress, after_conflict, next, version};
use super::plan::{MeshPlan, Obstacle};
use super::{ClusterError, MeshClient, WriteRequest};
use crate::error::Error;

/// How often a write is tried again after a conflict that does not concern what it writes.
const CONFLICTS: usize = 3;

/// How fast writes follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Writes of one wave that are made at the same time; at least one.
    pub together: usize,
    /// The pause between two waves.
    pub settle: Duration,
}

impl Default for Pace {
    /// Eight writes at a time, and 2 s between waves: istiod gathers changes for at least 100 ms
    /// (`PILOT_DEBOUNCE_AFTER`), and a proxy may take what it gets in one push in another order: a route before its
    /// cluster, which is a 503.
    fn default() -> Self {
        Self { together: 8, settle: Duration::from_secs(2) }
    }
}

/// A plan whose writes every cluster accepts. Only [`rehearse`] makes one, so nothing is written before everything was
/// tried.
pub struct Rehearsal<'a, C> {
    clients: BTreeMap<&'a str, &'a C>,
    steps: Vec<Step>,
    /// Cluster and resource -> the resource when it was last read or written.
    seen: BTreeMap<(String, String), Value>,
    pace: Pace,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The plan has obstacles: [`MeshPlan::obstacles`].
    #[error("{0} resources or DNS settings that this mesh needs belong to someone else")]
    Obstructed(usize),
    /// A cluster refuses a write.
    #[error(transparent)]
    Refused(#[from] ClusterError),
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// How many writes were made; zero if the clusters were as the spec says.
    pub writes: usize,
    /// Cluster and id of resources in which fields of another field manager stayed:
    /// `("east", "VirtualService shop/reviews")`.
    pub altered: Vec<(String, String)>,
}

/// A run that a failure ended. What was written stays; the next run continues from there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// The first failure.
    pub failure: Box<ClusterError>,
    /// How many writes were made.
    pub written: usize,
    /// The steps that were not done, the failed one first.
    pub missing: Vec<Step>,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.written + self.missing.len();
        write!(f, "{} ({} of {all} writes are done)", self.failure, self.written)
    }
}

impl std::error::Error for Stopped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.failure.as_ref())
    }
}

/// Has every cluster check every write of a plan; nothing is written.
///
/// `clusters` are those that were observed.
///
/// # Errors
/// [`RehearsalError::Obstructed`] before any cluster is asked; else the first write that is refused:
/// `apply/unreachable`, `apply/forbidden`, `apply/api`.
pub async fn rehearse<'a, C: MeshClient>(
    plan: &MeshPlan,
    clusters: &[(&'a str, &'a C)],
    pace: Pace,
) -> Result<Rehearsal<'a, C>, RehearsalError> {
    let obstacles: Vec<Obstacle<'_>> = plan.obstacles();
    if !obstacles.is_empty() {
        return Err(RehearsalError::Obstructed(obstacles.len()));
    }
    let rehearsal = Rehearsal {
        clients: clusters.iter().copied().collect(),
        steps: plan.steps(),
        seen: seen(plan),
        pace,
    };
    for some in rehearsal.steps.chunks(pace.together.max(1)) {
        let tried = join_all(some.iter().map(|step| rehearsal.take(step, true))).await;
        tried.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    Ok(rehearsal)
}

/// The resources that will be written over.
fn seen(plan: &MeshPlan) -> BTreeMap<(String, String), Value> {
    let of_cluster = |one: &super::ClusterPlan| {
        let updates = one.changes.iter().filter_map(|change| match change {
            Change::Update { from, .. } => {
                Some(((one.cluster.clone(), from.id()), from.clone().into_value()))
            }
            _ => None,
        });
        updates.collect::<Vec<_>>()
    };
    plan.clusters.iter().flat_map(of_cluster).collect()
}

impl<C: MeshClient> Rehearsal<'_, C> {
    /// The writes, in the order they are made.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Makes the writes, and calls `report` after each of them.
    ///
    /// Writes that were started together all finish; then the first failure ends the run.
    ///
    /// # Errors
    /// [`Stopped`], with what was not done.
    pub async fn carry_out(mut self, mut report: impl FnMut(&Step)) -> Result<Applied, Stopped> {
        let steps = std::mem::take(&mut self.steps);
        let mut applied = Applied::default();
        let mut progress = Progress::default();
        loop {
            match next(&steps, progress, self.pace.together) {
                NextSteps::Done => return Ok(applied),
                NextSteps::Settle => {
                    sleep(self.pace.settle).await;
                    progress.settled = true;
                }
                NextSteps::Take(some) => {
                    let results = join_all(some.iter().map(|step| self.take(step, false))).await;
                    let rest = &steps[progress.taken + some.len()..];
                    self.learn(some, results, rest, &mut applied, &mut report)?;
                    progress = Progress { taken: applied.writes, settled: false };
                }
            }
        }
    }

    /// Records the results of steps that were taken together; `rest` are the steps after them.
    fn learn(
        &mut self,
        some: &[Step],
        results: Vec<Result<Value, ClusterError>>,
        rest: &[Step],
        applied: &mut Applied,
        report: &mut impl FnMut(&Step),
    ) -> Result<(), Stopped> {
        let mut failure = None;
        let mut missing = Vec::new();
        for (step, result) in some.iter().zip(results) {
            match result {
                Ok(written) => {
                    applied.writes += 1;
                    report(step);
                    applied.altered.extend(self.remember(step, written));
                }
                Err(error) => {
                    missing.push(step.clone());
                    failure.get_or_insert(error);
                }
            }
        }
        let Some(failure) = failure else { return Ok(()) };
        missing.extend_from_slice(rest);
        Err(Stopped { failure: Box::new(failure), written: applied.writes, missing })
    }

    /// Keeps what was written for the next write of the same resource; returns its place if other fields stayed in it.
    fn remember(&mut self, step: &Step, written: Value) -> Option<(String, String)> {
        let Write::Apply(resource) = &step.write else { return None };
        let is_altered = written["spec"] != resource.value["spec"];
        let place = (step.cluster.clone(), resource.id());
        self.seen.insert(place.clone(), written);
        is_altered.then_some(place)
    }

    /// Makes one write.
    async fn take(&self, step: &Step, dry_run: bool) -> Result<Value, ClusterError> {
        let Some(client) = self.clients.get(step.cluster.as_str()) else {
            let what = format!("reach cluster {}", step.cluster);
            let message = "it has no client".to_owned();
            return Err(ClusterError::new(&step.cluster, Error::Unreachable { what, message }));
        };
        let written = match &step.write {
            Write::Apply(resource) => {
                let seen = self.seen.get(&(step.cluster.clone(), resource.id()));
                apply(*client, &resource.value, seen, dry_run).await
            }
            Write::Delete(resource) => {
                client.write(WriteRequest::Delete { live: &resource.value }, dry_run).await
            }
            Write::Edit(edit) => client.write(WriteRequest::Edit(edit), dry_run).await,
        };
        written.map_err(|error| ClusterError::new(&step.cluster, error))
    }
}

/// Applies a resource over the one that was read; over a newer one only if nothing relevant changed in it.
async fn apply(
    client: &impl MeshClient,
    resource: &Value,
    seen: Option<&Value>,
    dry_run: bool,
) -> Result<Value, Error> {
    let mut over = seen.map(version);
    for _ in 0..CONFLICTS {
        let request = WriteRequest::Apply { resource, over: over.as_deref() };
        let applied = client.write(request, dry_run).await;
        let (Err(Error::Api { status: 409, .. }), Some(seen)) = (&applied, seen) else {
            return applied;
        };
        let live = client.resource(resource).await.ok().flatten();
        match after_conflict(seen, live.as_ref()) {
            Some(newer) => over = Some(newer),
            None => return applied,
        }
    }
    client.write(WriteRequest::Apply { resource, over: over.as_deref() }, dry_run).await
}
