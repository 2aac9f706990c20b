//! The proxies of a cluster, as verifiers of what workloads show.

use alloc::vec::Vec;
use core::fmt;

use crate::cacerts::go_pem;
use crate::cert::Cert;
use crate::crl::Crl;
use crate::name::Name;
use crate::time::Time;
use crate::verify::Rejection;
use crate::verify::boringssl::{self, Peer, Policy, TrustStore};
#[cfg(feature = "webpki")]
use crate::verify::webpki;
use crate::version::Version;

const SIDES: [Peer; 2] = [Peer::Client, Peer::Server];

/// Whoever verifies certificates in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verifier {
    /// Envoy: sidecars, gateways, waypoints.
    Envoy,
    /// ztunnel: ambient mode.
    Ztunnel,
    /// The agent next to a proxy, which is in Go and connects to istiod.
    Agent,
}

impl fmt::Display for Verifier {
    /// `proxies`, `ztunnel`, `agents`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envoy => "proxies",
            Self::Ztunnel => "ztunnel",
            Self::Agent => "agents",
        })
    }
}

impl Verifier {
    /// The verb that follows its name.
    pub(super) const fn rejects(self) -> &'static str {
        match self {
            Self::Ztunnel => "rejects",
            Self::Envoy | Self::Agent => "reject",
        }
    }

    /// What the logs say.
    pub(super) const fn failure(self) -> &'static str {
        match self {
            Self::Envoy => "CERTIFICATE_VERIFY_FAILED",
            Self::Ztunnel => "`invalid peer certificate`",
            Self::Agent => "`x509: certificate signed by unknown authority`",
        }
    }
}

/// The roots and CRLs of a cluster, read once as its proxies read them: Envoy, and ztunnel where ambient mode is on.
///
/// Trust domains are not compared: whether an identity is accepted is decided after the chain.
#[derive(Debug)]
pub struct Dataplane {
    envoy: Result<TrustStore, Rejection>,
    #[cfg(feature = "webpki")]
    ztunnel: Option<(webpki::TrustStore, webpki::Release)>,
}

impl Dataplane {
    /// The proxies of a release of Istio, with the roots they are given and the text of `ca-crl.pem`, if there is one;
    /// with ztunnel if `ambient` is set and this library has the feature `webpki`.
    #[must_use]
    pub fn new(roots: &[Cert], crl: Option<&[u8]>, version: Version, ambient: bool) -> Self {
        let crls = crls(crl.unwrap_or_default());
        #[cfg(not(feature = "webpki"))]
        let _ = ambient;
        Self {
            envoy: TrustStore::of_release(roots, &crls, boringssl::Release::of_istio(version)),
            #[cfg(feature = "webpki")]
            ztunnel: ambient.then(|| {
                (webpki::TrustStore::new(roots, &crls), webpki::Release::of_istio(version))
            }),
        }
    }

    /// Whether Envoy can read its roots and CRLs; if not, it refuses every peer.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.envoy.is_ok()
    }

    /// Who refuses a workload's certificate, with those sent after it, as a client's or as a server's, and why; `None`:
    /// it is accepted.
    #[must_use]
    pub fn refuses(&self, leaf: &Cert, sent: &[Cert], at: Time) -> Option<(Verifier, Rejection)> {
        [Verifier::Envoy, Verifier::Ztunnel]
            .into_iter()
            .find_map(|verifier| Some((verifier, self.verify(verifier, leaf, sent, at)?.err()?)))
    }

    /// The chain by which a verifier of the cluster accepts a workload's certificate as a client's and as a server's,
    /// target first; `None` if the cluster has no such verifier.
    ///
    /// # Errors
    /// Why it refuses it as one of them.
    pub fn verify(
        &self,
        verifier: Verifier,
        leaf: &Cert,
        sent: &[Cert],
        at: Time,
    ) -> Option<Result<Vec<Cert>, Rejection>> {
        let by_side = |peer: Peer| match verifier {
            Verifier::Envoy => Some(match &self.envoy {
                Ok(store) => store.verify(leaf, sent, &Policy::new(at).with_peer(peer)),
                Err(why) => Err(why.clone()),
            }),
            #[cfg(feature = "webpki")]
            Verifier::Ztunnel => self.ztunnel.as_ref().map(|(store, release)| {
                let policy = webpki::Policy::new(at).with_peer(peer).with_release(*release);
                store.verify(leaf, sent, &policy)
            }),
            _ => None,
        };
        let [client, server] = SIDES.map(by_side);
        Some(client?.and(server?))
    }
}

/// The roots that can make a difference for certificates with these names. Of several, the order in the store may depend
/// on all of them.
pub(crate) fn roots_that_count<'r>(roots: &'r [Cert], names: &[&Name]) -> Vec<&'r [u8]> {
    let named: Vec<&[u8]> =
        roots.iter().filter(|root| names.contains(&root.subject())).map(Cert::as_der).collect();
    if named.len() > 1 { roots.iter().map(Cert::as_der).collect() } else { named }
}

/// The CRLs of a file that can be read.
#[must_use]
pub fn crls(text: &[u8]) -> Vec<Crl> {
    go_pem::blocks(text).iter().filter_map(|block| Crl::from_der(&block.der).ok()).collect()
}
