//! Whether a bundle may take the place of the one that is stored, and when to look for the next.

use alloc::string::String;
use core::time::Duration;

use super::Bundle;
use crate::cert::Cert;
use crate::spiffe::id::TrustDomain;

/// The shortest time between two looks at an endpoint (`spire/pkg/common/bundleutil/refreshhint.go`).
const SHORTEST_INTERVAL: u64 = 60;
/// The time between two looks if the bundle has no refresh hint.
const DEFAULT_INTERVAL: u64 = 5 * 60;
/// How often to look per refresh hint, so that one failure does not make a copy stale.
const TRIES_PER_HINT: u64 = 4;

/// What an operator accepts beforehand; by default, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdatePolicy {
    /// A bundle without roots, which says that the trust domain has revoked everything it signed.
    pub allow_empty: bool,
    /// A bundle with a lower sequence number, or with other roots under the same number.
    pub accept_older: bool,
}

impl UpdatePolicy {
    /// The same policy that accepts bundles without roots, or does not.
    #[must_use]
    pub const fn with_empty(self, allow_empty: bool) -> Self {
        Self { allow_empty, ..self }
    }

    /// The same policy that accepts bundles that are older than the stored one, or does not.
    #[must_use]
    pub const fn with_older(self, accept_older: bool) -> Self {
        Self { accept_older, ..self }
    }
}

/// What a bundle that may be stored does to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleUpdate {
    /// None is stored.
    First,
    /// It has the same roots, sequence number and refresh hint.
    Unchanged,
    /// It differs.
    Replaces,
}

/// Why a bundle must not take the place of the stored one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateRefusal {
    /// The stored bundle is of another trust domain; roots of two trust domains are never merged.
    #[error("the bundle is of {found}, the stored one is of {stored}")]
    Domain {
        /// Trust domain of the new bundle.
        found: TrustDomain,
        /// Trust domain of the stored one.
        stored: TrustDomain,
    },
    /// It has no root.
    #[error("the bundle has no root")]
    Empty,
    /// Its sequence number is lower (section 4.1.1: the numbers of a trust domain increase).
    #[error("the bundle has {}, the stored one sequence {stored}", number(*found))]
    Older {
        /// Number of the new bundle.
        found: Option<u64>,
        /// Number of the stored one.
        stored: u64,
    },
    /// It has other roots under the same sequence number (section 4.1.1: the number changes with the content).
    #[error("the bundle has other roots than the stored one, and both have sequence {sequence}")]
    Changed {
        /// Number of both.
        sequence: u64,
    },
}

/// A sequence number in a sentence.
fn number(sequence: Option<u64>) -> String {
    sequence.map_or_else(|| "no sequence number".into(), |n| alloc::format!("sequence {n}"))
}

impl Bundle {
    /// Decides whether this bundle may take the place of the one that is stored.
    ///
    /// Without a sequence number in both, nothing says which is newer, and the new one is taken.
    ///
    /// ```
    /// use meshpki::TrustDomain;
    /// use meshpki::spiffe::{Bundle, BundleUpdate, UpdatePolicy, UpdateRefusal};
    ///
    /// let domain: TrustDomain = "east.example".parse()?;
    /// let empty = |sequence| Bundle::new(domain.clone(), []).with_sequence(sequence);
    /// let policy = UpdatePolicy::default().with_empty(true);
    /// assert_eq!(empty(8).update(Some(&empty(7)), policy), Ok(BundleUpdate::Replaces));
    /// let older = UpdateRefusal::Older { found: Some(6), stored: 7 };
    /// assert_eq!(empty(6).update(Some(&empty(7)), policy), Err(older));
    /// # Ok::<(), meshpki::TrustDomainError>(())
    /// ```
    ///
    /// # Errors
    /// Why it must not, by SPIFFE Trust Domain and Bundle section 4.1.
    pub fn update(
        &self,
        stored: Option<&Self>,
        policy: UpdatePolicy,
    ) -> Result<BundleUpdate, UpdateRefusal> {
        if let Some(stored) = stored.filter(|stored| stored.trust_domain() != self.trust_domain()) {
            let (found, stored) = (self.trust_domain().clone(), stored.trust_domain().clone());
            return Err(UpdateRefusal::Domain { found, stored });
        }
        if self.roots().is_empty() && !policy.allow_empty {
            return Err(UpdateRefusal::Empty);
        }
        let Some(stored) = stored else { return Ok(BundleUpdate::First) };
        let is_same = self.has_roots_of(stored) && stored.has_roots_of(self);
        if let Some(before) = stored.sequence().filter(|_| !policy.accept_older) {
            let found = self.sequence();
            if found.unwrap_or(0) < before {
                return Err(UpdateRefusal::Older { found, stored: before });
            }
            if found == Some(before) && !is_same {
                return Err(UpdateRefusal::Changed { sequence: before });
            }
        }
        let numbers = |bundle: &Self| (bundle.sequence(), bundle.refresh_hint());
        let is_unchanged = is_same && numbers(self) == numbers(stored);
        Ok(if is_unchanged { BundleUpdate::Unchanged } else { BundleUpdate::Replaces })
    }

    /// Whether every root of this bundle is one of the other.
    fn has_roots_of(&self, other: &Self) -> bool {
        self.roots().iter().all(|root: &Cert| other.roots().contains(root))
    }

    /// How long to wait before looking for a newer bundle: a quarter of the refresh hint, at least a minute, and five
    /// minutes without a hint (section 4.1.2).
    #[must_use]
    pub fn refresh_interval(&self) -> Duration {
        let seconds = self.refresh_hint().map_or(DEFAULT_INTERVAL, |hint| hint / TRIES_PER_HINT);
        Duration::from_secs(seconds.max(SHORTEST_INTERVAL))
    }
}
