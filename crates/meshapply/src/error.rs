//! What can go wrong in a cluster, each with a code that never changes its meaning.

use crate::next::Stop;
use crate::pending::Pending;
use crate::proof::Unproven;
use crate::workload::Id;

/// Why a cluster was not brought to hold what it should, or could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API server said no to a request: its own words.
    #[error("the API server refused to {what}: {message}")]
    Api {
        /// What was asked: `read secret istio-system/cacerts`.
        what: String,
        /// Its message.
        message: String,
        /// HTTP status.
        status: u16,
    },
    /// The user may not do that.
    #[error("not allowed to {what}: {message}")]
    Forbidden {
        /// What was asked.
        what: String,
        /// Its message.
        message: String,
    },
    /// There are no credentials to ask the server with: a credential plugin, or a file with a token.
    #[error("no credentials for context `{context}`: {message}")]
    Credentials {
        /// The context.
        context: String,
        /// What is wrong: a plugin's name, status and first line of standard error.
        message: String,
    },
    /// The kubeconfig cannot be used.
    #[error("{message}")]
    Kubeconfig {
        /// What is wrong: `kubeconfig FILE:LINE:COLUMN: ..`, and nothing of what the file holds.
        message: String,
    },
    /// istiod's release is unknown.
    #[error("cannot determine the release of istiod from {from}")]
    IstioVersion {
        /// What was read: `image docker.io/x/pilot@sha256:..`.
        from: String,
    },
    /// The cluster does not know a kind that should be written.
    #[error(
        "the cluster does not serve {kind} in {api_version}: Istio's CRDs are missing or from another release"
    )]
    NoCrd {
        /// `networking.istio.io/v1`.
        api_version: String,
        /// `VirtualService`.
        kind: String,
    },
    /// The cluster has no ConfigMap that its DNS could read.
    #[error("cannot configure the cluster's DNS: it has no {looked}")]
    NoDns {
        /// `ConfigMap kube-system/coredns with a Corefile, nor kube-system/kube-dns`.
        looked: String,
    },
    /// A rollout did not end in time.
    #[error("timed out after {seconds} s waiting for {id}: {what}")]
    Patience {
        /// How long.
        seconds: u64,
        /// Whose rollout.
        id: Id,
        /// What is missing.
        what: String,
    },
    /// A restart for the present secret is missing, or a rollout is open.
    #[error("the last push is not finished: {}", list(pending))]
    Unfinished {
        /// All that is still to happen.
        pending: Vec<Pending>,
    },
    /// The proof does not hold.
    #[error("not verified{}: {missing}", after(*seconds))]
    Unproven {
        /// How long it was waited for; 0: it was asked once.
        seconds: u64,
        /// What does not hold.
        missing: Unproven,
    },
    /// The rollout cannot continue by itself.
    #[error("{0}")]
    Stopped(Stop),
    /// It was interrupted.
    #[error("interrupted while waiting for {what}")]
    Interrupted {
        /// What it was at.
        what: String,
    },
    /// The API server cannot be reached, or does not answer.
    #[error("cannot {what}: {message}")]
    Unreachable {
        /// What was asked.
        what: String,
        /// Why not.
        message: String,
    },
}

impl Error {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "apply/api",
        "apply/credentials",
        "apply/forbidden",
        "apply/foreign",
        "apply/immutable",
        "apply/interrupted",
        "apply/istio-version",
        "apply/kubeconfig",
        "apply/moved",
        "apply/no-crd",
        "apply/no-dns",
        "apply/no-istiod",
        "apply/no-replicas",
        "apply/obstacle",
        "apply/patience",
        "apply/secret-type",
        "apply/stuck",
        "apply/unfinished",
        "apply/unproven",
        "apply/unreachable",
    ];

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Api { .. } => "apply/api",
            Self::Credentials { .. } => "apply/credentials",
            Self::Forbidden { .. } => "apply/forbidden",
            Self::Kubeconfig { .. } => "apply/kubeconfig",
            Self::IstioVersion { .. } => "apply/istio-version",
            Self::NoCrd { .. } => "apply/no-crd",
            Self::NoDns { .. } => "apply/no-dns",
            Self::Patience { .. } => "apply/patience",
            Self::Unfinished { .. } => "apply/unfinished",
            Self::Unproven { .. } => "apply/unproven",
            Self::Interrupted { .. } => "apply/interrupted",
            Self::Unreachable { .. } => "apply/unreachable",
            Self::Stopped(stop) => match stop {
                Stop::Foreign { .. } => "apply/foreign",
                Stop::Immutable => "apply/immutable",
                Stop::Moved { .. } | Stop::Gone | Stop::Altered { .. } | Stop::Twin { .. } => {
                    "apply/moved"
                }
                Stop::NoIstiod => "apply/no-istiod",
                Stop::NoReplicas { .. } => "apply/no-replicas",
                Stop::Obstacle { .. } => "apply/obstacle",
                Stop::SecretType { .. } => "apply/secret-type",
                Stop::Stuck { .. } => "apply/stuck",
            },
        }
    }

    /// Whether asking again may help: the server was away or busy.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Api { status, .. } => matches!(*status, 409 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether the cluster could not be asked, as opposed to a negative answer.
    #[must_use]
    pub const fn could_not_ask(&self) -> bool {
        if let Self::Api { status, .. } = self {
            // A request that was understood and turned down, by admission for instance, is an answer.
            return !matches!(*status, 400 | 422);
        }
        matches!(
            self,
            Self::Credentials { .. }
                | Self::Forbidden { .. }
                | Self::Kubeconfig { .. }
                | Self::IstioVersion { .. }
                | Self::Interrupted { .. }
                | Self::NoCrd { .. }
                | Self::Unreachable { .. }
        )
    }
}

fn list(pending: &[Pending]) -> String {
    pending.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn after(seconds: u64) -> String {
    if seconds == 0 { String::new() } else { format!(" after {seconds} s") }
}
