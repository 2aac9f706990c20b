//! Path validation that answers as Envoy does: BoringSSL's `X509_verify_cert` as Envoy's default certificate validator
//! calls it (`source/common/tls/cert_validator/default_validator.cc: initializeSslContexts, doVerifyCertChain`).
//!
//! Envoy puts trusted_ca and crl into one store, sets `X509_V_FLAG_PARTIAL_CHAIN`, checks the CRLs of the whole chain as
//! soon as there is one CRL, and asks for the purpose `ssl_client` or `ssl_server`. One function here for each function of
//! BoringSSL, with its file. What is modelled is 0.20251124.0 to 0.20260813.0; `docs/verifiers.md` has what differs
//! from OpenSSL and what the model leaves out.
//!
//! ```
//! # fn demo(leaf: &meshpki::Cert, sent: &[meshpki::Cert], roots: &[meshpki::Cert]) {
//! use meshpki::Time;
//! use meshpki::verify::boringssl::{Policy, TrustStore};
//! let store = TrustStore::new(roots, &[]).expect("roots that Envoy can read");
//! match store.verify(leaf, sent, &Policy::new(Time(1_700_000_000))) {
//!     Ok(chain) => println!("{} certificates", chain.len()),
//!     Err(refused) => println!("verify cert failed: {refused}"),
//! }
//! # }
//! ```

use alloc::vec::Vec;

use super::{Reason, Rejection};
use crate::cert::Cert;
use crate::crl::Crl;
use crate::time::Time;
#[cfg(feature = "soft-keys")]
use crate::version::Version;

mod build;
mod cbs;
mod check;
mod code;
mod extension;
mod grammar;
mod key;
mod names;
mod policy;
mod read;
mod revocation;
mod store;

use code::Code;
use read::{Known, KnownCrl};
use store::Objects;

/// What BoringSSL says of an encoding it cannot parse (`ASN1_R_DECODE_ERROR`).
const DECODE_ERROR: &str = "DECODE_ERROR";
/// No text of BoringSSL's: its error queue names the algorithm library, and Envoy prints that.
const UNDECODABLE_KEY: &str = "unable to decode the public key";

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The time certificates and CRLs are judged at.
    pub at: Time,
    /// The side that sent the certificate; by default the client.
    pub peer: Peer,
    /// The BoringSSL that verifies; by default that of the newest Envoy.
    pub release: Release,
}

/// The side of a connection that sent the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A client, judged by a server (`ssl_client`).
    Client,
    /// A server, judged by a client (`ssl_server`).
    Server,
}

/// The BoringSSL of a release of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Release {
    /// Envoy 1.37 and before: BoringSSL 0.20251124.0. Two roots of one name change places in the store, as the binaries
    /// of 1.36.4 and 1.37.0 show; those of 1.38.2, 1.38.3 and 1.39.0 keep the order.
    V1_37,
    /// Envoy 1.38 and 1.39: BoringSSL 0.20260413.0.
    V1_38,
    /// Envoy 1.40: BoringSSL 0.20260813.0. URI constraints are parsed.
    V1_40,
    /// BoringSSL of September 2026, in no release of Envoy yet. It knows less of CRLs with a scope.
    September2026,
}

impl Release {
    /// The release an Istio release is built with, by the dates of both: Envoy 1.38 in Istio 1.30, and so on.
    #[cfg(feature = "soft-keys")]
    #[must_use]
    pub fn of_istio(version: Version) -> Self {
        if version < Version::new(1, 30, 0) {
            Self::V1_37
        } else if version < Version::new(1, 32, 0) {
            Self::V1_38
        } else {
            Self::V1_40
        }
    }

    /// `crypto/stack/stack.cc: OPENSSL_sk_sort`, until February 2026.
    fn sorts_by_heap(self) -> bool {
        self < Self::V1_38
    }

    /// `nc_dns` of March and `nc_email` of April 2026.
    fn matches_by_2026(self) -> bool {
        self >= Self::V1_38
    }

    /// `crypto/x509/algorithm.cc: x509_digest_verify_init` and the default algorithms of January 2026.
    fn knows_ml_dsa(self) -> bool {
        self >= Self::V1_38
    }

    /// `nc_uri` of April 2026.
    fn parses_uris(self) -> bool {
        self >= Self::V1_40
    }

    /// `crypto/asn1/tasn_dec.cc: asn1_check_tlen`, until June 2026.
    fn takes_loose_lists(self) -> bool {
        self < Self::V1_40
    }

    /// `get_crl_score` and `idp_check_dp` of August 2026.
    fn knows_all_scopes(self) -> bool {
        self <= Self::V1_40
    }

    /// `check_chain_extensions` of May 2026.
    fn limits_self_issued(self) -> bool {
        self >= Self::V1_40
    }
}

impl Policy {
    /// A client's certificate at a time, judged by the newest release.
    #[must_use]
    pub const fn new(at: Time) -> Self {
        Self { at, peer: Peer::Client, release: Release::V1_40 }
    }

    /// The same judged by another release.
    #[must_use]
    pub const fn with_release(self, release: Release) -> Self {
        Self { release, ..self }
    }

    /// The same for the other side of a connection.
    #[must_use]
    pub const fn with_peer(self, peer: Peer) -> Self {
        Self { peer, ..self }
    }
}

/// What Envoy's `trusted_ca` and `crl` hold, read once for any number of certificates.
#[derive(Clone, Debug)]
pub struct TrustStore {
    objects: Objects,
    release: Release,
}

impl TrustStore {
    /// The store of the newest release.
    ///
    /// # Errors
    /// As [`TrustStore::of_release`].
    pub fn new(roots: &[Cert], crls: &[Crl]) -> Result<Self, Rejection> {
        Self::of_release(roots, crls, Release::V1_40)
    }

    /// Certificates and CRLs in the order of the configuration; those of `trusted_ca` come before those of `crl`.
    ///
    /// # Errors
    /// When BoringSSL cannot read one of them: Envoy rejects the whole configuration.
    pub fn of_release(roots: &[Cert], crls: &[Crl], release: Release) -> Result<Self, Rejection> {
        let certs = roots.iter().map(|cert| read(cert, release)).collect::<Result<Vec<_>, _>>()?;
        let crls = crls.iter().map(|crl| KnownCrl::read(crl, release).ok_or_else(unreadable));
        let crls = crls.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { objects: Objects::new(certs, crls, release), release })
    }

    /// Verifies a certificate with those sent after it, in order, and answers with the chain, target first. The release
    /// is that of the store.
    ///
    /// # Errors
    /// Why BoringSSL refuses it, in its own words (`X509_verify_cert_error_string`) and about the certificate it names.
    pub fn verify(
        &self,
        target: &Cert,
        untrusted: &[Cert],
        policy: &Policy,
    ) -> Result<Vec<Cert>, Rejection> {
        let sent = [target].into_iter().chain(untrusted);
        // What comes with the target is parsed before anything is verified; the target is one of the untrusted.
        let sent = sent.map(|cert| read(cert, self.release)).collect::<Result<Vec<_>, _>>()?;
        let policy = Policy { release: self.release, ..*policy };
        // `ssl/ssl_cert.cc: ssl_cert_parse_pubkey`, part of the handshake.
        if key::decode(target.public_key(), policy.release).is_none() {
            return Err(Rejection::new(Reason::Algorithm, UNDECODABLE_KEY).about(target));
        }
        let mut run = Run {
            store: &self.objects,
            untrusted: &sent,
            policy,
            chain: alloc::vec![&sent[0]],
            last_untrusted: 1,
        };
        match run.verify_cert() {
            Ok(()) => Ok(run.chain.iter().map(|known| known.cert.clone()).collect()),
            Err(refusal) => Err(run.rejection(refusal)),
        }
    }
}

/// [`TrustStore::verify`] with a store for one certificate only.
///
/// # Errors
/// As [`TrustStore::of_release`] and [`TrustStore::verify`].
pub fn verify(
    target: &Cert,
    untrusted: &[Cert],
    roots: &[Cert],
    crls: &[Crl],
    policy: &Policy,
) -> Result<Vec<Cert>, Rejection> {
    TrustStore::of_release(roots, crls, policy.release)?.verify(target, untrusted, policy)
}

/// The refusal of a certificate or a CRL that is not even a [`Cert`] or a [`Crl`].
#[must_use]
pub fn unreadable() -> Rejection {
    Rejection::new(Reason::Unreadable, DECODE_ERROR)
}

fn read(cert: &Cert, release: Release) -> Result<Known, Rejection> {
    Known::read(cert, release).ok_or_else(|| unreadable().about(cert))
}

/// A verification under way (`X509_STORE_CTX`).
struct Run<'a> {
    store: &'a Objects,
    /// The target, then what came with it.
    untrusted: &'a [Known],
    policy: Policy,
    chain: Vec<&'a Known>,
    /// How many certificates of `chain`, from the target on, did not come from the store.
    last_untrusted: usize,
}

/// Why a chain is refused: the first error ends the verification, as Envoy has no callback.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    code: Code,
    reason: Reason,
    depth: usize,
}

type Step = Result<(), Refusal>;

impl Refusal {
    /// The same for a reason the code does not tell.
    const fn because(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.cc: X509_verify_cert`.
    fn verify_cert(&mut self) -> Step {
        self.build()?;
        self.check_extensions()?;
        self.check_revocation()?;
        self.check_signatures()?;
        self.check_names()?;
        self.check_policy()
    }

    /// An error about the certificate at `depth`.
    const fn refusal(&self, code: Code, depth: usize) -> Refusal {
        Refusal { code, reason: code.reason(), depth }
    }

    fn rejection(&self, refusal: Refusal) -> Rejection {
        Rejection::new(refusal.reason, refusal.code.text()).about(&self.chain[refusal.depth].cert)
    }
}

#[cfg(test)]
mod tests;
