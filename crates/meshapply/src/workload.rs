//! Deployments, StatefulSets and DaemonSets as a rollout sees them, and how far it is.

use std::fmt;

use meshpki::istiod::Version;

/// What makes the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl Kind {
    /// As kubectl writes it: `deployment`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
        }
    }
}

/// A workload's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Namespace.
    pub namespace: String,
    /// What it is.
    pub kind: Kind,
    /// Name.
    pub name: String,
}

impl fmt::Display for Id {
    /// `deployment/istiod`: as kubectl takes it, without the namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

/// A workload as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its name.
    pub id: Id,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 until its controller has looked.
    pub observed_generation: i64,
    /// Pods desired: `spec.replicas` (an autoscaler writes there too), for a DaemonSet
    /// `status.desiredNumberScheduled`.
    pub wanted: i32,
    /// Pods there are, of any template.
    pub total: i32,
    /// Pods of the newest template.
    pub updated: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub available: i32,
    /// Whether the rollout is paused (Deployments).
    pub paused: bool,
    /// Why new pods are not made by themselves: `OnDelete`, or a partition.
    pub manual: Option<String>,
    /// The message of `Progressing=False`, reason `ProgressDeadlineExceeded`.
    pub deadline: Option<String>,
    /// The fingerprint its pods were last restarted for, from [`crate::names::RESTARTED_FOR`].
    pub restarted_for: Option<String>,
    /// The release of Istio its image names; `None` for what is not istiod, and if the image does not say.
    pub release: Option<Version>,
    /// Its pods by name.
    pub pods: Vec<Pod>,
}

/// A pod as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Whether it is ready and not going away.
    pub ready: bool,
    /// Whether it is going away.
    pub terminating: bool,
    /// Why a container waits (`CrashLoopBackOff`, `ImagePullBackOff`), with its message.
    pub waiting: Option<String>,
    /// How often its containers were started again.
    pub restarts: i32,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Every pod is of the newest template and available, and no other is left.
    Complete,
    /// It is under way: what it waits for.
    Waiting(String),
    /// It does not get there by waiting: why.
    Stuck(String),
}

/// A pod that has failed this often will not come up by being waited for.
const RESTARTS_MAX: i32 = 4;

impl Workload {
    /// How far the rollout is, by all of its counts (`kubectl/pkg/polymorphichelpers/rollout_status.go`).
    ///
    /// The counts belong to the generation the controller has observed, so that comes first: without it the
    /// status of the rollout before reads as this one's success.
    #[must_use]
    pub fn rollout(&self) -> Rollout {
        if self.observed_generation < self.generation {
            return Rollout::Waiting("its controller has not seen the new template yet".to_owned());
        }
        if let Some(why) = &self.deadline {
            return Rollout::Stuck(format!("{why}{}", self.pod_trouble()));
        }
        let waiting = |text: String| Rollout::Waiting(text + &self.pod_trouble());
        let Self { wanted, total, updated, available, .. } = *self;
        let state = if updated < wanted {
            waiting(format!("{updated} of {wanted} pods are new"))
        } else if total > updated {
            waiting(format!("{} old {} to terminate", total - updated, pods(total - updated)))
        } else if available < wanted {
            waiting(format!("{available} of {wanted} pods are available"))
        } else {
            return Rollout::Complete;
        };
        match self.failing() {
            Some(pod) => Rollout::Stuck(trouble(pod)),
            None => state,
        }
    }

    /// Why a restart would not come about, before it is asked for.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        if self.paused {
            return Some("its rollout is paused".to_owned());
        }
        self.manual.clone()
    }

    /// Its ready pods.
    pub fn ready_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.ready)
    }

    fn failing(&self) -> Option<&Pod> {
        self.pods.iter().find(|pod| {
            !pod.ready && !pod.terminating && pod.waiting.is_some() && pod.restarts >= RESTARTS_MAX
        })
    }

    /// `; pod istiod-1: CrashLoopBackOff, started again 3 times`, for the first pod that waits.
    fn pod_trouble(&self) -> String {
        let waits = |pod: &&Pod| !pod.ready && !pod.terminating && pod.waiting.is_some();
        self.pods.iter().find(waits).map(|pod| format!("; {}", trouble(pod))).unwrap_or_default()
    }
}

fn trouble(pod: &Pod) -> String {
    let why = pod.waiting.as_deref().unwrap_or("not ready");
    match pod.restarts {
        0 => format!("pod {}: {why}", pod.name),
        1 => format!("pod {}: {why}, restarted once", pod.name),
        n => format!("pod {}: {why}, restarted {n} times", pod.name),
    }
}

const fn pods(count: i32) -> &'static str {
    if count == 1 { "pod" } else { "pods" }
}

#[cfg(test)]
mod tests;
