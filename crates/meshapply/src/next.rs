//! What to do next in one cluster: a pure function of what is desired, what is there and what was proven.

use std::collections::BTreeSet;

use crate::names;
use crate::pending::Pending;
use crate::proof::{self, Proof, Unproven};
use crate::state::{Desired, Live, Observed, RestartTarget, mark};
use crate::workload::{Id, Workload};

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Do this, then look again.
    Act(Action),
    /// Look again in a while.
    Wait(Waiting),
    /// Ask istiod what it serves and have it sign, then look again.
    Prove,
    /// Everything is as desired, and proven.
    Done,
    /// The run cannot continue by itself.
    Stop(Stop),
}

/// Something to be done in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Copy what istiod reads of the secret that is there to [`names::PREVIOUS`].
    KeepPrevious,
    /// Write the secret over the one of this resource version; `None`: there must be none.
    WriteSecret {
        /// The resource version.
        over: Option<String>,
    },
    /// Record on a secret that has the desired content, but that no run of ours wrote, what must restart for it.
    Note {
        /// Its resource version.
        over: String,
    },
    /// Remove the annotation with kubectl's copy of the files from the secret.
    Clean {
        /// Its resource version.
        over: String,
    },
    /// Empty [`names::PREVIOUS`].
    Forget {
        /// Its resource version.
        over: String,
    },
    /// Mark the pod template, which makes new pods.
    Restart {
        /// Whose.
        id: Id,
        /// The mark.
        mark: String,
    },
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A rollout.
    Rollout {
        /// Whose.
        id: Id,
        /// What is missing.
        what: String,
    },
    /// istiod to load the new files by itself, which the kubelet delivers within a minute or two.
    Reload(Unproven),
    /// The proof to hold.
    Proof(Unproven),
}

/// Why it does not continue by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// Another manager owns fields of the secret's data.
    Foreign {
        /// Field managers.
        managers: Vec<String>,
    },
    /// The secret is immutable.
    Immutable,
    /// The secret changed after the plan was made.
    Moved {
        /// Other owners of its data; empty: another run of meshctl.
        managers: Vec<String>,
    },
    /// The secret was deleted, or emptied, after the plan was made.
    Gone,
    /// This run wrote the secret, and the cluster keeps something else: an admission webhook changed it.
    Altered {
        /// The files that differ from what was written.
        files: Vec<String>,
    },
    /// This run wrote the secret before, for a target that is the same cluster.
    Twin {
        /// The name of that target.
        other: String,
    },
    /// There is no istiod.
    NoIstiod,
    /// istiod has no pods to be.
    NoReplicas {
        /// Whose.
        id: Id,
    },
    /// A restart would not come about.
    Obstacle {
        /// Whose.
        id: Id,
        /// Why.
        why: String,
    },
    /// The secret is of a type that cannot hold the files, and a secret's type cannot change.
    SecretType {
        /// The type.
        found: String,
    },
    /// A rollout does not get anywhere.
    Stuck {
        /// Whose.
        id: Id,
        /// Why.
        why: String,
    },
}

/// What happened in this run so far, for the decisions that depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Seconds the present wait has taken.
    pub waited_seconds: u64,
    /// This run wrote the secret, or found it as desired: any other content from here on was written by another program.
    pub settled: bool,
}

/// Decides what to do next. `proof` is the newest there is of this content, if there is any.
#[must_use]
pub fn next(desired: &Desired, observed: &Observed, proof: Option<&Proof>, run: Run) -> Next {
    let Some(live) = observed.secret.as_ref().filter(|live| live.files == desired.secret) else {
        return write(desired, observed, run);
    };
    if cleans(live) {
        return Next::Act(Action::Clean { over: live.resource_version.clone() });
    }
    if observed.istiod.is_empty() {
        let allowed = desired.before_install;
        return if allowed { Next::Done } else { Next::Stop(Stop::NoIstiod) };
    }
    if live.mark.is_none() && !desired.restart.is_empty() && !live.immutable {
        return Next::Act(Action::Note { over: live.resource_version.clone() });
    }
    let mark = live.mark.clone().unwrap_or_else(|| mark(&desired.secret, None));
    if let Some(step) =
        roll(&observed.istiod, live.mark_for(RestartTarget::Istiod), observed.istiod.len())
    {
        return step;
    }
    if let Some(step) = prove(desired, observed, proof, run, &mark) {
        return step;
    }
    if let Some(mark) = live.mark_for(RestartTarget::Gateways) {
        if let Some(step) = roll(&observed.gateways, Some(mark), observed.gateways.len()) {
            return step;
        }
        if desired.workloads
            && let Some(step) = roll(&observed.workloads, Some(mark), desired.batch.max(1))
        {
            return step;
        }
    }
    Next::Done
}

/// Whether kubectl's copy of the files is removed from a secret that is as desired: from ours, since the copy may
/// be of a key that was replaced. On a secret of another manager it belongs to the next `kubectl apply`.
#[must_use]
pub const fn cleans(live: &Live) -> bool {
    live.has_copy && live.mark.is_some()
}

/// The secret is not as desired: everything that could stop the run later is checked before it is written.
fn write(desired: &Desired, observed: &Observed, run: Run) -> Next {
    let over = observed.basis();
    if run.settled || over != desired.basis {
        return Next::Stop(moved(desired, observed.secret.as_ref()));
    }
    if let Some(stop) = refusal(desired, observed) {
        return Next::Stop(stop);
    }
    if keeps(desired, observed) {
        Next::Act(Action::KeepPrevious)
    } else {
        Next::Act(Action::WriteSecret { over })
    }
}

/// What happened to the secret since the plan was made.
fn moved(desired: &Desired, live: Option<&Live>) -> Stop {
    let Some(live) = live else { return Stop::Gone };
    let ours = mark(&desired.secret, desired.basis.as_deref());
    if !live.foreign.is_empty() || live.claim.as_deref() != Some(ours.as_str()) {
        return Stop::Moved { managers: live.foreign.clone() };
    }
    let names: BTreeSet<&str> = live.files.names().chain(desired.secret.names()).collect();
    let differs = |name: &&str| live.files.get(name) != desired.secret.get(name);
    Stop::Altered { files: names.into_iter().filter(differs).map(str::to_owned).collect() }
}

/// Whether the secret that is there is to be kept before it is replaced. Not when what is kept is what is about to be
/// written: a rollback that is interrupted must still have it. And not when what is there has never come to work,
/// and something that has is kept.
fn keeps(desired: &Desired, observed: &Observed) -> bool {
    let Some(live) = &observed.secret else { return false };
    // What istiod does not read is not kept, and what was kept of it before makes no difference.
    let live = live.files.for_istiod();
    if live.names().next().is_none() {
        return false;
    }
    observed.previous.as_ref().filter(|kept| kept.is_kept()).is_none_or(|kept| {
        kept.files != live
            && kept.files.for_istiod() != desired.secret
            && observed.unfinished().is_empty()
    })
}

/// Why the secret is not written.
#[must_use]
pub fn refusal(desired: &Desired, observed: &Observed) -> Option<Stop> {
    if observed.vacant.as_ref().is_some_and(|vacant| vacant.immutable) {
        return Some(Stop::Immutable);
    }
    if let Some(live) = &observed.secret {
        if live.immutable {
            return Some(Stop::Immutable);
        }
        if !live.can_hold(&desired.secret) {
            return Some(Stop::SecretType { found: live.type_.clone() });
        }
        if !live.foreign.is_empty() && !desired.adopt {
            return Some(Stop::Foreign { managers: live.foreign.clone() });
        }
    }
    if observed.istiod.is_empty() && !desired.before_install {
        return Some(Stop::NoIstiod);
    }
    let idle = idle(observed);
    let restarts = |who: RestartTarget, workloads: &[Workload]| {
        if desired.restart.contains(&who) { workloads.to_vec() } else { vec![] }
    };
    let mut all = restarts(RestartTarget::Istiod, &observed.istiod);
    all.extend(restarts(RestartTarget::Gateways, &observed.gateways));
    if desired.workloads {
        all.extend(restarts(RestartTarget::Gateways, &observed.workloads));
    }
    for workload in &all {
        if let Some(why) = workload.obstacle() {
            return Some(Stop::Obstacle { id: workload.id.clone(), why });
        }
    }
    idle
}

/// Why no secret comes into use here: there is no istiod, or one without pods.
#[must_use]
pub fn unusable(observed: &Observed) -> Option<Stop> {
    if observed.istiod.is_empty() { Some(Stop::NoIstiod) } else { idle(observed) }
}

/// An istiod that has no pods to be.
fn idle(observed: &Observed) -> Option<Stop> {
    let idle = observed.istiod.iter().find(|workload| workload.wanted == 0);
    idle.map(|workload| Stop::NoReplicas { id: workload.id.clone() })
}

/// Restarts what lacks the mark, if there is one to have, at most `batch` at the same time, and waits for the rest.
fn roll(workloads: &[Workload], mark: Option<&str>, batch: usize) -> Option<Next> {
    let mut under_way = Vec::new();
    let mut unmarked = None;
    for workload in workloads {
        match workload.pending(mark) {
            None => {}
            Some(Pending::Restart { .. }) => unmarked = unmarked.or(Some(workload).zip(mark)),
            Some(Pending::Rollout { id, what }) => under_way.push(Waiting::Rollout { id, what }),
            Some(Pending::Stuck { id, why }) => return Some(Next::Stop(Stop::Stuck { id, why })),
        }
    }
    if let Some((workload, mark)) = unmarked.filter(|_| under_way.len() < batch) {
        return Some(restart(workload, mark));
    }
    under_way.into_iter().next().map(Next::Wait)
}

fn restart(workload: &Workload, mark: &str) -> Next {
    if let Some(why) = workload.obstacle() {
        return Next::Stop(Stop::Obstacle { id: workload.id.clone(), why });
    }
    Next::Act(Action::Restart { id: workload.id.clone(), mark: mark.to_owned() })
}

/// Until the proof holds. An istiod that was to reload by itself and did not is restarted in the end.
fn prove(
    desired: &Desired,
    observed: &Observed,
    proof: Option<&Proof>,
    run: Run,
    mark: &str,
) -> Option<Next> {
    if let Some(stop) = idle(observed) {
        return Some(Next::Stop(stop));
    }
    let Some(proof) = proof else { return Some(Next::Prove) };
    let missing = proof::judge(&desired.secret, proof).into_iter().next()?;
    let unmarked = observed.istiod.iter().find(|w| !w.has_mark(mark));
    let Some(workload) = unmarked.filter(|_| missing.is_istiods()) else {
        return Some(Next::Wait(Waiting::Proof(missing)));
    };
    if run.waited_seconds >= desired.reload_seconds {
        return Some(restart(workload, mark));
    }
    Some(Next::Wait(Waiting::Reload(missing)))
}

impl Observed {
    /// Whether the secret is the desired one.
    #[must_use]
    pub fn holds(&self, desired: &Desired) -> bool {
        self.secret.as_ref().is_some_and(|live: &Live| live.files == desired.secret)
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Foreign { managers } => write!(
                f,
                "secret {} is managed by another tool: `{}` {} fields of its data",
                names::CACERTS,
                managers.join("`, `"),
                if managers.len() == 1 { "owns" } else { "own" }
            ),
            Self::Immutable => write!(f, "secret {} has `immutable: true`", names::CACERTS),
            Self::Moved { managers } if managers.is_empty() => write!(
                f,
                "another run of meshctl changed secret {} after this run read it",
                names::CACERTS
            ),
            Self::Moved { managers } => write!(
                f,
                "`{}` changed secret {} after this run read it",
                managers.join("`, `"),
                names::CACERTS
            ),
            Self::Gone => {
                write!(f, "secret {} was deleted or emptied after this run read it", names::CACERTS)
            }
            Self::Altered { files } => write!(
                f,
                "secret {} was changed while this run wrote it: {} differs",
                names::CACERTS,
                files.join(", ")
            ),
            Self::Twin { other } => write!(
                f,
                "this run wrote secret {} a moment ago, for {other}, which is the same cluster",
                names::CACERTS
            ),
            Self::NoIstiod => f.write_str("there is no istiod to use the secret"),
            Self::NoReplicas { id } => {
                write!(
                    f,
                    "{id} has no replicas, so nothing would sign certificates and nothing can be verified"
                )
            }
            Self::Obstacle { id, why } => write!(f, "{id} would not restart: {why}"),
            Self::SecretType { found } => write!(
                f,
                "secret {} is of type `{found}`, which cannot hold the files of the folder, and a secret's type cannot change",
                names::CACERTS
            ),
            Self::Stuck { id, why } => write!(f, "{id} does not come up: {why}"),
        }
    }
}
