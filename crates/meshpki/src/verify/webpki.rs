//! Path validation as ztunnel does it: the crate `rustls-webpki` itself, configured as ztunnel configures it.
//!
//! ztunnel asks it through rustls' `WebPkiClientVerifier` for incoming calls (`src/tls/certificate.rs: server_config`) and
//! directly for outgoing ones (`src/tls/workload.rs: IdentityVerifier`, since 1.31 `src/tls/revocation.rs:
//! verify_cert_chain`). Roots become trust anchors without a date or a path length; those that cannot be read are left out
//! (`RootCertStore::add_parsable_certificates`). The trust domain is checked afterwards and is not the chain's affair.
//!
//! ```
//! # fn demo(leaf: &meshpki::Cert, sent: &[meshpki::Cert], roots: &[meshpki::Cert]) {
//! use meshpki::Time;
//! use meshpki::verify::webpki::{Policy, TrustStore};
//! let store = TrustStore::new(roots, &[]);
//! match store.verify(leaf, sent, &Policy::new(Time(1_700_000_000))) {
//!     Ok(chain) => println!("{} certificates", chain.len()),
//!     Err(refused) => println!("invalid peer certificate: {refused}"),
//! }
//! # }
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use ::webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

pub use super::boringssl::Peer;
use super::{Reason, Rejection};
use crate::cert::Cert;
use crate::crl::Crl;
use crate::time::Time;
#[cfg(feature = "soft-keys")]
use crate::version::Version;

mod algorithms;
mod fault;

pub use algorithms::algorithms;

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The time certificates are judged at.
    pub at: Time,
    /// Whose certificate it is; by default a client's.
    pub peer: Peer,
    /// Whose ztunnel it is; by default the newest.
    pub release: Release,
}

/// A release of ztunnel, by what it differs in from the one before. The path validation is always that of the crate built
/// in; `docs/verifiers.md` lists what earlier versions of it did otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Release {
    /// ztunnel 1.24 and 1.25: the algorithms of ring.
    V1_24,
    /// ztunnel 1.26 and 1.27: those of aws-lc, with P-521.
    V1_26,
    /// ztunnel 1.28: RSA signatures whose algorithm has no parameters.
    V1_28,
    /// ztunnel 1.29 and 1.30: ECDSA over SHA-512 with every curve, and CRLs for incoming calls.
    V1_29,
    /// ztunnel 1.31: CRLs for outgoing calls, too.
    V1_31,
}

impl Release {
    /// The ztunnel of an Istio release, by its newest patch release.
    #[cfg(feature = "soft-keys")]
    #[must_use]
    pub const fn of_istio(version: Version) -> Self {
        match version {
            _ if version.since(31, 0) => Self::V1_31,
            _ if version.since(29, 0) => Self::V1_29,
            _ if version.since(28, 0) => Self::V1_28,
            _ if version.since(26, 0) => Self::V1_26,
            _ => Self::V1_24,
        }
    }

    /// Whether certificates of that side are looked up in CRLs.
    #[must_use]
    pub fn reads_crls(self, peer: Peer) -> bool {
        match peer {
            Peer::Client => self >= Self::V1_29,
            Peer::Server => self >= Self::V1_31,
        }
    }
}

impl Policy {
    /// A client's certificate at a time, judged by the newest release.
    #[must_use]
    pub const fn new(at: Time) -> Self {
        Self { at, peer: Peer::Client, release: Release::V1_31 }
    }

    /// The same for the other side of a connection.
    #[must_use]
    pub const fn with_peer(self, peer: Peer) -> Self {
        Self { peer, ..self }
    }

    /// The same judged by another release.
    #[must_use]
    pub const fn with_release(self, release: Release) -> Self {
        Self { release, ..self }
    }

    const fn usage(&self) -> KeyUsage {
        match self.peer {
            Peer::Client => KeyUsage::client_auth(),
            Peer::Server => KeyUsage::server_auth(),
        }
    }

    fn time(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(self.at.0).unwrap_or(0)))
    }
}

/// The roots and CRLs of a ztunnel, read once for any number of certificates.
#[derive(Debug)]
pub struct TrustStore {
    /// The roots that can be read, each next to its anchor.
    roots: Vec<Cert>,
    anchors: Vec<TrustAnchor<'static>>,
    crls: Vec<Crl>,
    read_crls: Vec<CertRevocationList<'static>>,
    unreadable_crl: Option<Rejection>,
}

impl TrustStore {
    /// Roots and CRLs in the order of the configuration.
    ///
    /// If one CRL cannot be read, ztunnel goes without any (`src/proxyfactory.rs`): see [`TrustStore::unreadable_crl`].
    #[must_use]
    pub fn new(roots: &[Cert], crls: &[Crl]) -> Self {
        let anchor = |root: &Cert| {
            let der = CertificateDer::from(root.as_der());
            Some((root.clone(), anchor_from_trusted_cert(&der).ok()?.to_owned()))
        };
        let (roots, anchors) = roots.iter().filter_map(anchor).unzip();
        let read = |crl: &Crl| OwnedCertRevocationList::from_der(crl.as_der()).map(Into::into);
        let (read_crls, unreadable_crl) = match crls.iter().map(read).collect() {
            Ok(crls) => (crls, None),
            Err(error) => {
                (Vec::new(), Some(Rejection::new(Reason::Unreadable, fault::words(&error))))
            }
        };
        Self { roots, anchors, crls: crls.to_vec(), read_crls, unreadable_crl }
    }

    /// Why no CRL is used, although there are some.
    #[must_use]
    pub const fn unreadable_crl(&self) -> Option<&Rejection> {
        self.unreadable_crl.as_ref()
    }

    /// Verifies a certificate with those sent after it, in order, and answers with the chain, target first.
    ///
    /// # Errors
    /// Why webpki refuses it: the name of its error, and the certificate it is about if it is known.
    /// [`Reason::Undecided`] if ztunnel has an algorithm that is not built in (without the feature `aws-lc`).
    pub fn verify(
        &self,
        target: &Cert,
        untrusted: &[Cert],
        policy: &Policy,
    ) -> Result<Vec<Cert>, Rejection> {
        self.ask(target, untrusted, policy).map_err(|error| {
            let cert = fault::Search::new(self, target, untrusted, policy).cert(&error);
            let reason = match fault::reason(&error) {
                Reason::Algorithm if algorithms::may_lack(policy.release, &error) => {
                    Reason::Undecided
                }
                reason => reason,
            };
            Rejection { cert: cert.cloned(), ..Rejection::new(reason, fault::words(&error)) }
        })
    }

    /// `src/tls/revocation.rs: verify_cert_chain`, and rustls' `WebPkiClientVerifier::verify_client_cert`, which passes
    /// the same options.
    fn ask(&self, target: &Cert, untrusted: &[Cert], policy: &Policy) -> Result<Vec<Cert>, Error> {
        let leaf = CertificateDer::from(target.as_der());
        let leaf = EndEntityCert::try_from(&leaf)?;
        let sent: Vec<_> =
            untrusted.iter().map(|cert| CertificateDer::from(cert.as_der())).collect();
        let crls: Vec<&CertRevocationList<'_>> =
            self.read_crls.iter().filter(|_| policy.release.reads_crls(policy.peer)).collect();
        let revocation = RevocationOptionsBuilder::new(&crls).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(ExpirationPolicy::Ignore)
                .build()
        });
        let path = leaf.verify_for_usage(
            &algorithms(policy.release),
            &self.anchors,
            &sent,
            policy.time(),
            policy.usage(),
            revocation,
            None,
        )?;
        let between = path.intermediate_certificates().filter_map(|cert| {
            untrusted.iter().find(|known| known.as_der() == cert.der().as_ref())
        });
        let anchor = self.anchors.iter().position(|anchor| core::ptr::eq(anchor, path.anchor()));
        let root = anchor.and_then(|at| self.roots.get(at));
        Ok([target].into_iter().chain(between).chain(root).cloned().collect())
    }
}

#[cfg(test)]
mod tests;
