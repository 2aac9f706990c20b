//! What is still to happen for the secret a cluster has: the one place that knows which workload has to restart, for
//! which mark, and which rollout is open. [`crate::next`] decides by it; `meshctl status`, `check` and `forget` report it.

use std::collections::BTreeSet;
use std::fmt;

use crate::state::{Desired, Live, Observed, RestartTarget};
use crate::workload::{Id, Rollout, Workload};

/// A workload that is not where the secret wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Its pods have not restarted for the secret.
    Restart {
        /// Whose.
        id: Id,
    },
    /// Its rollout is under way.
    Rollout {
        /// Whose.
        id: Id,
        /// What is missing.
        what: String,
    },
    /// Its rollout makes no progress.
    Stuck {
        /// Whose.
        id: Id,
        /// Why.
        why: String,
    },
}

impl Pending {
    /// The workload.
    #[must_use]
    pub const fn id(&self) -> &Id {
        match self {
            Self::Restart { id } | Self::Rollout { id, .. } | Self::Stuck { id, .. } => id,
        }
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} ", self.id(), self.id().namespace)?;
        match self {
            Self::Restart { .. } => f.write_str("has not restarted since the secret changed"),
            Self::Rollout { what, .. } => write!(f, "is rolling out: {what}"),
            Self::Stuck { why, .. } => write!(f, "is stuck: {why}"),
        }
    }
}

impl Live {
    /// The mark these workloads must have restarted for; `None` if they need not restart.
    ///
    /// It is the mark written onto the secret, which also says over which version the content was written. The
    /// content's fingerprint alone is never on a pod template.
    #[must_use]
    pub fn mark_for(&self, who: RestartTarget) -> Option<&str> {
        self.mark.as_deref().filter(|_| self.restart.contains(&who))
    }
}

impl Workload {
    /// Whether its pod template has this mark.
    #[must_use]
    pub fn has_mark(&self, mark: &str) -> bool {
        self.restarted_for.as_deref() == Some(mark)
    }

    /// What it has not done yet. `mark`: the mark it must have restarted for, if it must restart.
    #[must_use]
    pub fn pending(&self, mark: Option<&str>) -> Option<Pending> {
        let id = self.id.clone();
        if mark.is_some_and(|mark| !self.has_mark(mark)) {
            return Some(Pending::Restart { id });
        }
        match self.rollout() {
            Rollout::Complete => None,
            Rollout::Waiting(what) => Some(Pending::Rollout { id, what }),
            Rollout::Stuck(why) => Some(Pending::Stuck { id, why }),
        }
    }
}

impl Observed {
    /// istiod and the gateways, each with the group that says whether it restarts.
    fn groups(&self) -> [(RestartTarget, &[Workload]); 2] {
        [(RestartTarget::Istiod, &self.istiod), (RestartTarget::Gateways, &self.gateways)]
    }

    /// Everything that is still to happen: missing restarts and open rollouts, istiod first.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        let mark = |who| self.secret.as_ref().and_then(|live| live.mark_for(who));
        let of = |(who, workloads): (RestartTarget, &[Workload])| {
            workloads.iter().filter_map(|one| one.pending(mark(who))).collect::<Vec<_>>()
        };
        self.groups().into_iter().flat_map(of).collect()
    }

    /// What has not restarted yet for the secret that is there, though it says so: a push before this one
    /// was not finished.
    #[must_use]
    pub fn unfinished(&self) -> BTreeSet<RestartTarget> {
        let Some(live) = &self.secret else { return BTreeSet::new() };
        let is_open = |(who, workloads): &(RestartTarget, &[Workload])| {
            let mark = live.mark_for(*who);
            mark.is_some() && workloads.iter().any(|one| one.pending(mark).is_some())
        };
        self.groups().into_iter().filter(is_open).map(|(who, _)| who).collect()
    }

    /// The workloads that restart on the way to `desired`, in order, without those that have restarted for it.
    #[must_use]
    pub fn restarts(&self, desired: &Desired) -> Vec<Id> {
        // A content that is there and ours records what restarts for it, and for which mark.
        let ours = self.secret.as_ref().filter(|live| self.holds(desired) && live.mark.is_some());
        let (who, mark) = match ours {
            Some(live) => (&live.restart, live.mark.as_deref()),
            None => (&desired.restart, None),
        };
        let mut all = Vec::new();
        if who.contains(&RestartTarget::Istiod) {
            all.extend(&self.istiod);
        }
        if who.contains(&RestartTarget::Gateways) {
            all.extend(&self.gateways);
            all.extend(&self.workloads);
        }
        all.retain(|workload| !mark.is_some_and(|mark| workload.has_mark(mark)));
        all.into_iter().map(|workload| workload.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
