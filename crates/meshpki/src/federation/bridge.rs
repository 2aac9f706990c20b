//! Bridges: the root of another mesh, certified by ours.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::cert::Cert;
use crate::csr::Csr;
use crate::error::Error;
use crate::issue::{Issuer, Stamp, issue};
use crate::key::PublicKey;
use crate::name::Name;
use crate::profile::{Profile, Role};
use crate::spiffe::id::TrustDomain;
use crate::time::{DAY, Time};

/// A cross-certificate: name and key of another root, under our CA.
///
/// Workloads of the other mesh send it after their intermediate, and whoever trusts our root accepts them, without the
/// other root in its bundle. Trust ends when the bridge ends or is removed from their chain. Every certificate that the
/// other root can sign is accepted, of any trust domain, unless `scope` names one.
///
/// ```
/// use meshpki::federation::Bridge;
/// use meshpki::{Issuer, KeyType, Profile, Serial, SoftKey, Stamp, Time, self_signed};
/// let now: Time = "2026-11-28T00:00:00Z".parse().unwrap();
/// let stamp = |n| Stamp::made_at(now, Serial::from_random([n; 20]));
/// let key = || SoftKey::generate(KeyType::EcdsaP256).unwrap();
/// let (our_key, their_key) = (key(), key());
/// let ours = self_signed(&Profile::root("CN=East Root".parse().unwrap()), &our_key, stamp(1))?;
/// let theirs = self_signed(&Profile::root("CN=West Root".parse().unwrap()), &their_key, stamp(2))?;
/// let bridge = Bridge::new().for_root(&theirs, Issuer { cert: &ours, signer: &our_key }, stamp(3))?;
/// assert_eq!((bridge.subject(), bridge.issuer()), (theirs.subject(), ours.subject()));
/// # Ok::<(), meshpki::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bridge {
    /// How long it is valid, unless one of the two roots ends before. Default [`Bridge::VALIDITY`].
    pub validity: Duration,
    /// How many CAs there may be below it, at least one; `None`: as many as both roots allow. Default one: the
    /// intermediates of clusters, and none below them.
    pub path_len: Option<u32>,
    /// The one trust domain that it may vouch for, as a critical name constraint. Envoy and Go honour it; ztunnel refuses
    /// every chain with one.
    pub scope: Option<TrustDomain>,
}

impl Default for Bridge {
    fn default() -> Self {
        Self::new()
    }
}

impl Bridge {
    /// 90 days: trust is withdrawn by not renewing.
    pub const VALIDITY: Duration = Duration::from_secs(90 * DAY.as_secs());

    /// A bridge for 90 days, one level of CAs below it, any trust domain.
    #[must_use]
    pub const fn new() -> Self {
        Self { validity: Self::VALIDITY, path_len: Some(1), scope: None }
    }

    /// The same with another validity.
    #[must_use]
    pub fn with_validity(self, validity: Duration) -> Self {
        Self { validity, ..self }
    }

    /// The same with another path length; `None`: as many CAs as both roots allow.
    #[must_use]
    pub fn with_path_len(self, path_len: Option<u32>) -> Self {
        Self { path_len, ..self }
    }

    /// The same for one trust domain.
    #[must_use]
    pub fn with_scope(self, scope: Option<TrustDomain>) -> Self {
        Self { scope, ..self }
    }

    /// Certifies a root that is known by its certificate.
    ///
    /// # Errors
    /// `pki/not-root` if it is not a root, has expired, or has no room for a CA below it; else as [`issue`].
    pub fn for_root(&self, root: &Cert, issuer: Issuer<'_>, stamp: Stamp) -> Result<Cert, Error> {
        check_root(root, stamp.not_before)?;
        let limits = root.extensions().basic_constraints.and_then(|c| c.path_len);
        let key_id = root.extensions().subject_key_id.clone();
        let parts = Parts {
            name: root.subject(),
            key: root.public_key(),
            key_id,
            path_len: limits.and_then(|n| u32::try_from(n).ok()),
            from: root.not_before().time(),
            until: root.not_after().time(),
        };
        self.issue(&parts, issuer, stamp)
    }

    /// Certifies a root that is known by a request with its name and key. Its dates and its path length are not known,
    /// so that those of our root are the only limits.
    ///
    /// # Errors
    /// `pki/csr-signature` if the request is not signed with its key; else as [`issue`].
    pub fn for_request(&self, csr: &Csr, issuer: Issuer<'_>, stamp: Stamp) -> Result<Cert, Error> {
        let key = csr.verified_key()?;
        let parts = Parts {
            name: csr.subject(),
            key,
            key_id: None,
            path_len: None,
            from: None,
            until: None,
        };
        self.issue(&parts, issuer, stamp)
    }

    fn issue(&self, parts: &Parts<'_>, issuer: Issuer<'_>, stamp: Stamp) -> Result<Cert, Error> {
        let allowed = issuer.cert.extensions().basic_constraints.and_then(|c| c.path_len);
        if let Some(allowed) = allowed.filter(|allowed| *allowed <= 1) {
            return Err(Error::PathLengthExceeded {
                subject: parts.name.label(),
                issuer: issuer.cert.subject().label(),
                allowed,
                wanted: Some(1),
            });
        }
        let ours = allowed.and_then(|n| u32::try_from(n - 1).ok());
        let path_len = [self.path_len, parts.path_len, ours].into_iter().flatten().min();
        let from = parts.from.map_or(stamp.not_before, |from| from.max(stamp.not_before));
        let ends = [Some(from + self.validity), parts.until, issuer.cert.not_after().time()];
        let end = ends.into_iter().flatten().min().unwrap_or(from);
        let mut profile = Profile::root(parts.name.clone());
        profile.role = Role::Ca { path_len };
        profile.validity = end.since(from);
        profile.subject_key_id.clone_from(&parts.key_id);
        let scope = self.scope.iter().map(|domain| domain.as_str().to_string());
        profile.permitted_uri_hosts = scope.collect();
        issue(&profile, parts.key, issuer, Stamp { not_before: from, ..stamp })
    }
}

/// What is known of the other root.
struct Parts<'a> {
    name: &'a Name,
    key: &'a PublicKey,
    key_id: Option<Vec<u8>>,
    path_len: Option<u32>,
    from: Option<Time>,
    until: Option<Time>,
}

/// Whether a certificate is a root whose intermediates are valid at that time.
fn check_root(root: &Cert, at: Time) -> Result<(), Error> {
    let subject = root.subject().label();
    let fail = |why: String| Err(Error::NotRoot { subject: subject.clone(), why });
    if !root.is_ca() {
        return fail("basicConstraints does not say CA:TRUE".to_string());
    }
    if !root.is_self_issued() {
        return fail(alloc::format!("it was issued by `{}`", root.issuer().label()));
    }
    if !crate::chain::issued(root, root) {
        return fail("its key did not sign it".to_string());
    }
    if root.extensions().basic_constraints.is_some_and(|c| c.path_len == Some(0)) {
        return fail("its path length 0 allows no CA of a cluster below it".to_string());
    }
    match root.not_after().time() {
        Some(end) if end <= at => fail(alloc::format!("it expired on {}", end.date())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
