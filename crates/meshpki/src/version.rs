//! Releases of Istio, and what changed with each: the rules istiod reads a secret by and accepts peers by.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A release of Istio. A suffix of the third number (`-distroless`, `-rc.0`) is ignored:
/// a release candidate has the rules of its release.
///
/// ```
/// use meshpki::istiod::Version;
/// let release: Version = "1.30.3-distroless".parse()?;
/// assert_eq!(release, Version::new(1, 30, 3));
/// assert!("1.6.4".parse::<Version>()? < "1.12.0".parse()?);
/// assert!("latest".parse::<Version>().is_err());
/// # Ok::<(), meshpki::istiod::VersionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    minor: u16,
    patch: u16,
}

impl Version {
    /// The newest release these rules were read from; the files they are in are the same in 1.31 before its first release
    /// (2026-08-27).
    pub const NEWEST: Self = Self::new(1, 30, 3);

    /// `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Whether both are of one minor release, such as 1.30.0 and 1.30.3.
    #[must_use]
    pub const fn same_minor(self, other: Self) -> bool {
        self.major == other.major && self.minor == other.minor
    }

    /// Whether it is that release or a later one of Istio 1.
    pub(crate) const fn since(self, minor: u16, patch: u16) -> bool {
        match self.major {
            0 => false,
            1 => self.minor > minor || (self.minor == minor && self.patch >= patch),
            _ => true,
        }
    }

    /// `tls.crt`, `tls.key`, `ca.crt` are known: 1.14.2 and 1.15.0 (`istio_ca.go: detectSigningCABundle`, PR #39732).
    #[must_use]
    pub(crate) const fn knows_tls_files(self) -> bool {
        self.since(14, 2)
    }

    /// A set with a file missing is refused: 1.26.1 and 1.27.0 (`istio_ca.go: checkCABundleCompleteness`, PR #55696).
    #[must_use]
    pub(crate) const fn refuses_incomplete(self) -> bool {
        self.since(26, 1)
    }

    /// `ca-crl.pem` is known: 1.27.0 (`istio_ca.go: detectSigningCABundleAndCRL`).
    #[must_use]
    pub(crate) const fn knows_crl(self) -> bool {
        self.since(27, 0)
    }

    /// The folder can be watched at all: 1.12.0 (`istio_ca.go: initCACertsWatcher`, PR #31522).
    #[must_use]
    pub(crate) const fn can_reload(self) -> bool {
        self.since(12, 0)
    }

    /// A workload's certificate ends with its signer at the latest: 1.28.7, 1.29.3 and 1.30.0.
    #[must_use]
    pub(crate) const fn clamps_leaves(self) -> bool {
        match self.minor {
            28 if self.major == 1 => self.patch >= 7,
            29 if self.major == 1 => self.patch >= 3,
            _ => self.since(30, 0),
        }
    }

    /// A peer's trust domain must be our own, whatever lists there are: until 1.6
    /// (istio/proxy `src/envoy/http/authn/authenticator_base.cc`).
    #[must_use]
    pub(crate) const fn wants_equal_trust_domain(self) -> bool {
        !self.since(7, 0)
    }

    /// `meshConfig.caCertificates[].trustDomains` are accepted: 1.16.4, 1.17.2 and 1.18.0
    /// (`pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation`).
    #[must_use]
    pub(crate) const fn accepts_domains_of_cas(self) -> bool {
        match self.minor {
            16 if self.major == 1 => self.patch >= 4,
            17 if self.major == 1 => self.patch >= 2,
            _ => self.since(18, 0),
        }
    }
}

/// A text that is not a release of Istio.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid Istio release: expected one such as 1.27.0")]
pub struct VersionError {
    found: String,
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `1.6.4`, `1.30.3-distroless`, or `1.27` for its first release.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers = text.split_once(['-', '+']).map_or(text, |(numbers, _)| numbers);
        let parts: Result<Vec<u16>, _> = numbers.split('.').map(str::parse).collect();
        match parts.as_deref() {
            Ok([major, minor]) => Ok(Self::new(*major, *minor, 0)),
            Ok([major, minor, patch]) => Ok(Self::new(*major, *minor, *patch)),
            _ => Err(VersionError { found: text.to_string() }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
