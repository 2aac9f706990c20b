//! Path validation as Go's `crypto/x509` does it, which is what istiod and its clients in Go ask.
//!
//! It restates Go 1.26; [`Release`] has what earlier releases do otherwise. Go differs from OpenSSL in much: it reads
//! certificates more strictly, tries every chain instead of the first issuer that fits, takes any certificate of the
//! roots for an anchor, takes key identifiers for a preference only, lets extended key usages nest from the root down,
//! and never looks at a CRL.
//!
//! ```
//! use meshpki::verify::go::{self, Certificate, Options, Pools};
//! # use meshpki::{Cert, Time, verify::Rejection};
//! # fn accepts(leaf: &Cert, chain: &[Cert], roots: &[Cert], now: Time) -> Result<bool, Rejection> {
//! let pools = Pools::new(roots, chain);
//! Ok(go::verify(&Certificate::try_from(leaf)?, &pools, &Options::at(now)).is_ok())
//! # }
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use super::{Reason, Rejection};
use crate::cert::Cert;
#[cfg(feature = "soft-keys")]
use crate::cert::KeyUsage;
#[cfg(feature = "soft-keys")]
use crate::crl::Crl;
use crate::key::PublicKey;
use crate::oid::Oid;
use crate::time::Time;
#[cfg(feature = "soft-keys")]
use crate::version::Version;

mod algorithm;
mod bytes;
mod certificate;
mod chain;
mod constraints;
mod extensions;
mod mailbox;
mod names;
mod policy;
mod public_key;
mod url;

pub use certificate::Certificate;
use chain::{Place, Search};

/// A chain from the certificate to a root, both included.
pub type Chain = Vec<Certificate>;

/// A minor release of Go 1, as far as it matters: SHA-1 is refused since 1.18, RSA keys below 1024 bits since 1.24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(u32);

impl Release {
    /// The release whose source is restated, Go 1.26.
    pub const NEWEST: Self = Self(26);

    /// Go 1.`minor`.
    #[must_use]
    pub const fn new(minor: u32) -> Self {
        Self(minor)
    }

    /// The Go an Istio release is built with, as far as it matters: from 1.14.0 on at least Go 1.18 (istio #38049), and
    /// from 1.27.0 on at least Go 1.24.
    #[cfg(feature = "soft-keys")]
    #[must_use]
    pub const fn of_istio(version: Version) -> Self {
        match version {
            _ if version.since(27, 0) => Self::NEWEST,
            _ if version.since(14, 0) => Self(18),
            _ => Self(17),
        }
    }

    /// Whether it is Go 1.`minor` or later.
    #[must_use]
    pub const fn since(self, minor: u32) -> bool {
        self.0 >= minor
    }
}

/// What chains are built from (`x509.CertPool`), in the order candidates are tried.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Pools {
    /// Every one of them is an anchor, self-signed or not.
    pub roots: Vec<Certificate>,
    /// What leads to them.
    pub intermediates: Vec<Certificate>,
}

impl Pools {
    /// Roots and intermediates, each once. Those that Go does not read are left out, as
    /// `CertPool.AppendCertsFromPEM` does.
    #[must_use]
    pub fn new<'c>(
        roots: impl IntoIterator<Item = &'c Cert>,
        intermediates: impl IntoIterator<Item = &'c Cert>,
    ) -> Self {
        let mut pools = Self::default();
        pools.roots.extend(roots.into_iter().filter_map(|cert| Certificate::try_from(cert).ok()));
        let readable =
            intermediates.into_iter().filter_map(|cert| Certificate::try_from(cert).ok());
        pools.intermediates.extend(readable);
        for pool in [&mut pools.roots, &mut pools.intermediates] {
            let mut once: Vec<Certificate> = Vec::new();
            for cert in pool.drain(..) {
                if !once.contains(&cert) {
                    once.push(cert);
                }
            }
            *pool = once;
        }
        pools
    }
}

/// How to verify (`x509.VerifyOptions`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The time certificates are judged at; the second a certificate ends is still good.
    pub at: Time,
    /// What the chain must allow: serverAuth, unless the caller says otherwise.
    pub usage: Oid,
    /// The release of Go.
    pub release: Release,
}

impl Options {
    /// What Go does without further wishes, at a given time: the newest release, and serverAuth.
    #[must_use]
    pub fn at(at: Time) -> Self {
        Self { at, usage: Oid::SERVER_AUTH, release: Release::NEWEST }
    }

    /// The same for another extended key usage, or [`Oid::ANY_EXT_KEY_USAGE`].
    #[must_use]
    pub fn with_usage(self, usage: Oid) -> Self {
        Self { usage, ..self }
    }

    /// The same with another release of Go.
    #[must_use]
    pub fn with_release(self, release: Release) -> Self {
        Self { release, ..self }
    }
}

/// Every chain from `cert` to a root (`verify.go: Certificate.Verify`).
///
/// # Errors
/// A [`Rejection`] with Go's words. If the best candidate for an issuer was refused, its reason is that of the
/// rejection.
pub fn verify(
    cert: &Certificate,
    pools: &Pools,
    options: &Options,
) -> Result<Vec<Chain>, Rejection> {
    chain::is_valid(Place::Leaf, cert, &[], options.at)?;
    let chains = if pools.roots.contains(cert) {
        Vec::from([Vec::from([cert.clone()])])
    } else {
        Search::new(pools, options).above(core::slice::from_ref(cert))?
    };
    let mut refusals = Refusals::default();
    let good: Vec<Chain> =
        chains.into_iter().filter(|chain| refusals.passes(chain, &options.usage)).collect();
    if good.is_empty() {
        return Err(Rejection { cert: cert.cert(), ..refusals.summary() });
    }
    Ok(good)
}

/// Why chains were dropped that lead to a root.
#[derive(Default)]
struct Refusals {
    policies: usize,
    usages: usize,
    /// The first that a name constraint refused.
    names: Option<Rejection>,
}

impl Refusals {
    fn passes(&mut self, chain: &[Certificate], usage: &Oid) -> bool {
        if !policy::are_valid(chain) {
            self.policies += 1;
            return false;
        }
        if !chain.iter().all(|cert| cert.allows(usage)) {
            self.usages += 1;
            return false;
        }
        let Err(why) = constraints::check(chain) else { return true };
        let text = alloc::format!(
            "x509: a root or intermediate certificate is not authorized to sign for this name: {why}"
        );
        self.names.get_or_insert(Rejection::new(Reason::NameConstraints, text));
        false
    }

    fn summary(self) -> Rejection {
        let Self { policies, usages, names } = self;
        if let Some(names) = names {
            return names;
        }
        if policies == 0 {
            let text = "x509: certificate specifies an incompatible key usage";
            return Rejection::new(Reason::ExtKeyUsage, text);
        }
        let usages = match usages {
            0 => String::new(),
            n => alloc::format!("{n} candidate chains with incompatible key usage, "),
        };
        let text = alloc::format!(
            "x509: no valid chains built: {usages}{policies} candidate chains with invalid policies"
        );
        Rejection::new(Reason::Policy, text)
    }
}

/// Why Go does not read a certificate with this key, or verifies nothing with it.
pub(crate) fn refuses_key(key: &PublicKey) -> Option<String> {
    let spki = bytes::Bytes(key.as_der()).read(crate::der::SEQUENCE)?;
    match public_key::read(spki) {
        Err(why) => Some(why.trim_start_matches("x509: ").into()),
        Ok((key, _)) => algorithm::usable(&key, Release::NEWEST).err(),
    }
}

impl Certificate {
    /// Whether Go does not know the type of its key, so that no chain leads through it.
    #[must_use]
    pub fn has_unknown_key(&self) -> bool {
        *self.key() == public_key::Key::Unknown
    }

    /// `verify.go: checkChainForKeyUsage`, for one usage.
    pub(crate) fn allows(&self, usage: &Oid) -> bool {
        let usages = &self.parsed().extensions.ext_key_usage;
        let any = Oid::ANY_EXT_KEY_USAGE;
        *usage == any
            || usages.is_empty()
            || usages.iter().any(|u| u == usage.as_bytes() || u == any.as_bytes())
    }
}

/// What istiod's rules ask beyond the verification.
#[cfg(feature = "soft-keys")]
impl Certificate {
    /// Go's name of its signature algorithm if Go calls it insecure.
    pub(crate) fn insecure_signature(&self) -> Option<&'static str> {
        self.parsed().algorithm.insecure_name()
    }

    /// Whether Go has no name for its signature algorithm, and verifies no signature with it.
    pub(crate) fn has_unknown_signature(&self) -> bool {
        self.parsed().algorithm == algorithm::Algorithm::Unknown
    }

    /// The first critical extension that Go does not handle.
    pub(crate) fn unhandled_extension(&self) -> Option<Oid> {
        self.parsed().extensions.unhandled.as_deref().map(Oid::of)
    }

    /// `x509.go: RevocationList.CheckSignatureFrom`: whether the CRL is signed by this certificate.
    pub(crate) fn signed_crl(&self, crl: &Crl, release: Release) -> bool {
        let Ok((kind, parameters)) = crate::algorithm::algorithm_parts(crl.signature_algorithm())
        else {
            return false;
        };
        let parameters = parameters.map(|p| p.raw).unwrap_or_default();
        let algorithm = algorithm::Algorithm::of(kind, parameters);
        chain::may_sign(self, KeyUsage::CRL_SIGN)
            && algorithm::check(algorithm, crl.tbs(), crl.signature(), self, release, true).is_ok()
    }
}

#[cfg(test)]
mod tests;
