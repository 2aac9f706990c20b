//! The loop: observe, decide, act, and again, until it is done, a decision is needed, or patience ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::next::{Action, Next, Run, Stop, Waiting, next};
use crate::proof::Proof;
use crate::state::Desired;
use crate::workload::Id;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One wait: a rollout, a reload, a proof, an API server that is away.
    pub step: Duration,
    /// Between two looks.
    pub poll: Duration,
}

/// Something that happened, in the order it did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// This is about to be done.
    Acting(Action),
    /// This was done.
    Acted(Action),
    /// This is waited for now; said once until it changes.
    Waiting(Waiting),
    /// The API server is away; it is asked again.
    Away(String),
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Everything written, in order; empty: nothing had to be.
    pub actions: Vec<Action>,
    /// What was proven; `None` if there is no istiod to prove it.
    pub proof: Option<Proof>,
}

/// Brings a cluster to hold what is desired.
///
/// Interrupted at any point it can be run again: all it knows it reads from the cluster.
///
/// # Errors
/// Any of [`Error::CODES`]. Events have reported what was done until then.
pub async fn converge(
    cluster: &impl Cluster,
    desired: &Desired,
    patience: Patience,
    mut tell: impl FnMut(&Event),
) -> Result<Receipt, Error> {
    let mut receipt = Receipt { actions: Vec::new(), proof: None };
    let mut run = Run::default();
    let mut wait = Wait::new();
    loop {
        let step = match cluster.observe().await {
            Ok(observed) => {
                run.settled |= observed.holds(desired);
                run.waited_seconds = wait.reload_seconds();
                Ok(next(desired, &observed, receipt.proof.as_ref(), run))
            }
            Err(error) => Err(error),
        };
        let done = match step {
            Ok(Next::Done) => return Ok(receipt),
            Ok(Next::Stop(stop)) => return Err(Error::Stopped(stop)),
            Ok(Next::Act(Action::Restart { id, .. })) if restarted(&receipt, &id) => {
                let why =
                    "another program keeps removing meshctl's annotation from its pod template"
                        .to_owned();
                return Err(Error::Stopped(Stop::Obstacle { id, why }));
            }
            Ok(Next::Act(action)) => {
                tell(&Event::Acting(action.clone()));
                let done = cluster.act(&action, desired).await;
                if done.is_ok() {
                    wait = Wait::new();
                    // A restart comes after a proof that holds, or before a wait, which forgets it.
                    if !matches!(action, Action::Restart { .. }) {
                        receipt.proof = None;
                    }
                    receipt.actions.push(action.clone());
                    tell(&Event::Acted(action));
                }
                done
            }
            Ok(Next::Prove) => {
                cluster.prove(desired).await.map(|proof| receipt.proof = Some(proof))
            }
            Ok(Next::Wait(what)) => {
                // Asked again after the pause: a proof is only as good as its moment.
                receipt.proof = None;
                wait.for_what(Reason::Cluster(what), &mut tell);
                wait.pause(patience).await?;
                Ok(())
            }
            Err(error) => Err(error),
        };
        match done {
            // Only now: a server that answers reads and refuses writes is away for us.
            Ok(()) => wait.back(),
            Err(error) if error.is_passing() => {
                wait.for_what(Reason::Away(error), &mut tell);
                wait.pause(patience).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether this run has restarted it already. Once is enough: what has lost its mark since is in a fight with
/// another controller.
fn restarted(receipt: &Receipt, id: &Id) -> bool {
    receipt.actions.iter().any(|done| matches!(done, Action::Restart { id: of, .. } if of == id))
}

/// Why nothing moves at the moment.
enum Reason {
    Cluster(Waiting),
    Away(Error),
}

/// What is waited for, and since when for each kind of thing, so that two that take turns end too.
struct Wait {
    since: BTreeMap<String, Instant>,
    reason: Option<Reason>,
}

const AWAY: &str = "away";
const RELOAD: &str = "reload";

impl Wait {
    fn new() -> Self {
        Self { since: BTreeMap::new(), reason: None }
    }

    /// The API server answers.
    fn back(&mut self) {
        self.since.remove(AWAY);
    }

    fn reload_seconds(&self) -> u64 {
        self.since.get(RELOAD).map_or(0, |since| since.elapsed().as_secs())
    }

    /// Tells what is waited for when it is something new.
    fn for_what(&mut self, reason: Reason, tell: &mut impl FnMut(&Event)) {
        let text = reason.text();
        if self.reason.as_ref().is_none_or(|before| before.text() != text) {
            tell(&match &reason {
                Reason::Cluster(what) => Event::Waiting(what.clone()),
                Reason::Away(error) => Event::Away(error.to_string()),
            });
        }
        self.since.entry(reason.kind()).or_insert_with(Instant::now);
        self.reason = Some(reason);
    }

    async fn pause(&mut self, patience: Patience) -> Result<(), Error> {
        let kind = self.reason.as_ref().map(Reason::kind).unwrap_or_default();
        let waited = self.since.get(&kind).map(Instant::elapsed).unwrap_or_default();
        if waited < patience.step {
            sleep(patience.poll).await;
            return Ok(());
        }
        let seconds = waited.as_secs();
        match self.reason.take() {
            Some(Reason::Away(error)) => Err(error),
            Some(Reason::Cluster(Waiting::Proof(missing) | Waiting::Reload(missing))) => {
                Err(Error::Unproven { seconds, missing })
            }
            Some(Reason::Cluster(Waiting::Rollout { id, what })) => {
                Err(Error::Patience { seconds, id, what })
            }
            None => Ok(()),
        }
    }
}

impl Reason {
    fn text(&self) -> String {
        match self {
            Self::Cluster(what) => what.to_string(),
            Self::Away(error) => error.to_string(),
        }
    }

    /// What keeps one patience: a rollout of one workload, the proof, the server.
    fn kind(&self) -> String {
        match self {
            Self::Cluster(Waiting::Rollout { id, .. }) => format!("{}/{id}", id.namespace),
            Self::Cluster(Waiting::Reload(_)) => RELOAD.to_owned(),
            Self::Cluster(Waiting::Proof(_)) => "proof".to_owned(),
            Self::Away(_) => AWAY.to_owned(),
        }
    }
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rollout { id, what } => write!(f, "{id}: {what}"),
            Self::Reload(missing) => write!(f, "istiod to reload: {missing}"),
            Self::Proof(missing) => write!(f, "verification: {missing}"),
        }
    }
}
