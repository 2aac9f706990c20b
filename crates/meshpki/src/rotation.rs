//! Root rotation: the next secret of each cluster on the way from the CA it has to another one, so that at no moment a
//! workload shows a certificate that a proxy rejects which accepted it before.
//!
//! A rotation has no state of its own. Where it is follows from what the clusters hold, and what is safe follows from
//! what their proxies show and trust at that moment: every chain that a live certificate may have is put before every
//! bundle that a proxy may have, and the verifiers of the mesh answer ([`crate::istiod::Dataplane`]). Whether roots are
//! certified by one another, run next to each other, or have different names is nothing that this module knows.
//!
//! There are two ways, and a mesh may mix them:
//!
//! - with a *bridge*, the new root certified by the old one ([`crate::federation::Bridge`]): clusters sign with the new
//!   CA and send the bridge, then trust the new root only, then send the bridge no longer;
//! - by *overlap*: clusters trust both roots, then sign with the new CA, then trust the new root only.
//!
//! To abort is to rotate back: the goal is the CA from before.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cacerts::Secret;
use crate::cert::{Cert, fingerprints};
use crate::istiod::{Verifier, Version};
use crate::spiffe::id::TrustDomain;
use crate::time::Time;

mod course;
mod decide;
mod forms;
mod judge;
mod sightings;

pub use course::{RotationCourse, RotationStep};
pub use decide::{RotationDecision, RotationPlanner};
pub use sightings::{SeenCerts, Sightings, Unseen};

/// A cluster in a rotation: what it holds, what it should come to hold, and what its proxies do meanwhile.
#[derive(Clone)]
#[non_exhaustive]
pub struct RotationCluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// The secret that it holds. Of an istiod that signs with a CA of its own: that CA with its key, as
    /// [`self_signed_secret`] makes a secret of it. Of a partner: the roots that it trusts and nothing else.
    pub live: &'a Secret,
    /// The secret that it should come to hold; [`RotationCluster::live`] for a cluster that only looks on.
    pub goal: &'a Secret,
    /// Secrets that it held before, for what cannot be seen: such a workload may still have certificates and roots of
    /// these.
    pub earlier: Vec<&'a Secret>,
    /// Its release of Istio.
    pub version: Version,
    /// Its trust domain; `None`: any that its CA may sign for.
    pub trust_domain: Option<TrustDomain>,
    /// Whether ztunnel runs there.
    pub ambient: bool,
    /// Indices of the clusters whose workloads it need not accept, and which need not accept its.
    pub apart: Vec<usize>,
    /// What its proxies show and trust.
    pub sightings: Sightings,
    /// What keeps [`RotationCluster::live`] from being in use everywhere: an istiod that has not loaded it. That push is
    /// finished first.
    pub unfinished: Option<String>,
    /// Why nothing is known of it. Nothing is done in other clusters that it could reject.
    pub unknown: Option<String>,
}

impl<'a> RotationCluster<'a> {
    /// A cluster of the newest release without ambient mode whose proxies were not looked at.
    #[must_use]
    pub fn new(name: &'a str, live: &'a Secret, goal: &'a Secret) -> Self {
        Self {
            name,
            live,
            goal,
            earlier: Vec::new(),
            version: Version::NEWEST,
            trust_domain: None,
            ambient: false,
            apart: Vec::new(),
            sightings: Sightings::default(),
            unfinished: None,
            unknown: None,
        }
    }

    /// How far it is.
    #[must_use]
    pub fn phase(&self) -> RotationPhase {
        forms::phase(
            &judge::Read::new(self.live, self.version),
            &judge::Read::new(self.goal, self.version),
        )
    }
}

/// How far a cluster is, by the secret it holds. Later phases are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RotationPhase {
    /// It signs with the old CA and trusts old roots.
    Old,
    /// It trusts the new root too, and signs with the old CA.
    Prepared,
    /// It signs with the new CA and sends a bridge; it trusts old roots only.
    Bridged,
    /// It signs with the new CA and trusts old roots and the new one.
    Activated,
    /// It signs with the new CA and trusts the new root only; something is left to be removed, such as a bridge.
    Switched,
    /// It holds the goal.
    Done,
}

impl RotationPhase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] =
        [Self::Old, Self::Prepared, Self::Bridged, Self::Activated, Self::Switched, Self::Done];

    /// A word: `old`, `prepared`, `bridged`, `activated`, `switched`, `done`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Prepared => "prepared",
            Self::Bridged => "bridged",
            Self::Activated => "activated",
            Self::Switched => "switched",
            Self::Done => "done",
        }
    }
}

/// By which way clusters go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RotationStrategy {
    /// By a bridge where there is one, else by overlap.
    #[default]
    Auto,
    /// By bridges only.
    Bridge,
    /// By overlap only.
    Overlap,
}

/// A secret that a cluster can be given now.
#[derive(Clone)]
#[non_exhaustive]
pub struct RotationMove {
    /// Index of the cluster.
    pub cluster: usize,
    /// The phase that it comes to.
    pub to: RotationPhase,
    /// Its next secret; the one that it has, if that is not in use everywhere yet.
    pub secret: Secret,
}

/// What keeps a cluster from its next secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RotationBlock {
    /// A chain would meet a bundle that rejects it.
    Rejected(Box<RotationRejection>),
    /// No bridge certifies a root of the goal under a root that is trusted.
    NoBridge {
        /// The root to certify.
        root: Cert,
        /// The roots of the cluster, one of which has to certify it.
        under: Vec<Cert>,
    },
    /// The push before is not finished.
    Unfinished {
        /// Index of the cluster.
        cluster: usize,
        /// What is missing.
        why: String,
    },
    /// Of another cluster nothing is known.
    Unknown {
        /// Index of that cluster.
        cluster: usize,
        /// Why.
        why: String,
        /// When it no longer matters; `None`: not known.
        until: Option<Time>,
    },
}

/// A chain and a bundle that would meet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationRejection {
    /// Index of the cluster whose proxies would reject.
    pub truster: usize,
    /// Index of the cluster whose workloads would be rejected.
    pub signer: usize,
    /// Which proxies.
    pub verifier: Verifier,
    /// The verifier's words.
    pub why: String,
    /// What must change first: the side that is as it is now.
    pub holder: RotationHolder,
}

/// Who still has what is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationHolder {
    /// Index of its cluster.
    pub cluster: usize,
    /// Whether it is a certificate that is shown, or else a bundle.
    pub shows: bool,
    /// The issuer of the certificate, or the roots of the bundle, as labels.
    pub what: String,
    /// Proxies and other things, sorted; empty: the cluster's own secret.
    pub who: Vec<String>,
    /// When they are expected to have renewed; `None`: nothing says so.
    pub renews: Option<Time>,
    /// When the last of their certificates ends; `None`: nothing says so.
    pub ends: Option<Time>,
}

/// The CA that an istiod made for itself, in the form of a `cacerts` secret that signs the same
/// (`security/pkg/pki/ca/ca.go: NewSelfSignedIstioCAOptions`). `files` are those of the secret `istio-ca-secret`, or of a
/// `cacerts` that istiod wrote. `None` if the certificate or the key is missing.
#[must_use]
pub fn self_signed_secret(files: &Secret) -> Option<Secret> {
    let (cert, key) = (files.get("ca-cert.pem")?, files.get("ca-key.pem")?);
    let roots = files.get("root-cert.pem").filter(|text| !text.is_empty()).unwrap_or(cert);
    let all = [
        ("ca-cert.pem", cert),
        ("ca-key.pem", key),
        ("cert-chain.pem", cert),
        ("root-cert.pem", roots),
    ];
    Some(all.into_iter().collect())
}

/// The roots of the goal that are not in a bundle.
fn lacking_roots(goal: &[Cert], bundle: &[Cert]) -> Vec<Cert> {
    let known = fingerprints(bundle);
    goal.iter().filter(|root| !known.contains(&root.fingerprint())).cloned().collect()
}

#[cfg(test)]
mod checker;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
