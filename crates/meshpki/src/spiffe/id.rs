//! SPIFFE trust domains and identities, as Istio uses them.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// Bytes a trust domain may have (SPIFFE-ID section 2.1).
const DOMAIN_MAX: usize = 255;
/// Bytes a SPIFFE ID may have (SPIFFE-ID section 2.3).
const ID_MAX: usize = 2048;
/// What every SPIFFE ID begins with.
const SCHEME: &str = "spiffe://";

/// A trust domain, valid for SPIFFE and for Istio: lower-case DNS-1123 labels joined by dots
/// (`pkg/config/validation/agent/validation.go: ValidateTrustDomain`).
///
/// ```
/// let domain: meshpki::TrustDomain = "east.example".parse()?;
/// assert_eq!(domain.uri(), "spiffe://east.example");
/// # Ok::<(), meshpki::TrustDomainError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

/// A text that is not a valid trust domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid trust domain: {why}")]
pub struct TrustDomainError {
    found: String,
    why: &'static str,
}

impl TrustDomainError {
    /// The rule it breaks.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        self.why
    }
}

impl TrustDomain {
    /// The name, `cluster.local`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SPIFFE ID of the domain itself, `spiffe://cluster.local`: what a signing certificate may carry
    /// (X509-SVID section 4.1: no path).
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{SCHEME}{}", self.0)
    }

    /// The SPIFFE ID Istio gives a workload.
    ///
    /// # Errors
    /// When a name is empty or has a character that a SPIFFE ID cannot have.
    pub fn workload(
        &self,
        namespace: &str,
        service_account: &str,
    ) -> Result<SpiffeId, SpiffeIdError> {
        let path = format!("/ns/{namespace}/sa/{service_account}");
        let id = SpiffeId { trust_domain: self.clone(), path };
        if [namespace, service_account].iter().any(|name| name.contains('/')) {
            return Err(SpiffeIdError::new(&id.to_string(), "a name in it contains `/`"));
        }
        id.check()
    }
}

impl FromStr for TrustDomain {
    type Err = TrustDomainError;

    fn from_str(text: &str) -> Result<Self, TrustDomainError> {
        let fail = |why| Err(TrustDomainError { found: text.to_string(), why });
        if text.is_empty() || text.len() > DOMAIN_MAX {
            return fail("it has 1 to 255 characters");
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > 63 {
                return fail("each part between dots has 1 to 63 characters");
            }
            if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                return fail("only a-z, 0-9, `-` and `.` are allowed");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return fail("no part begins or ends with `-`");
            }
        }
        Ok(Self(text.to_string()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a workload: a trust domain and a path (SPIFFE-ID section 2).
///
/// ```
/// let id: meshpki::SpiffeId = "spiffe://cluster.local/ns/default/sa/reviews".parse()?;
/// assert_eq!(id.trust_domain().as_str(), "cluster.local");
/// assert_eq!(id.path(), "/ns/default/sa/reviews");
/// # Ok::<(), meshpki::SpiffeIdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    path: String,
}

/// A text that is not a valid SPIFFE ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid SPIFFE ID: {why}")]
pub struct SpiffeIdError {
    found: String,
    why: &'static str,
}

impl SpiffeIdError {
    fn new(found: &str, why: &'static str) -> Self {
        Self { found: found.to_string(), why }
    }

    /// The rule it breaks.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        self.why
    }
}

impl SpiffeId {
    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path, which begins with `/`; empty for the ID of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rules for the path and for the whole.
    fn check(self) -> Result<Self, SpiffeIdError> {
        let fail = |why| Err(SpiffeIdError::new(&self.to_string(), why));
        if SCHEME.len() + self.trust_domain.0.len() + self.path.len() > ID_MAX {
            return fail("it has more than 2048 characters");
        }
        for segment in self.path.split('/').skip(1) {
            if segment.is_empty() {
                return fail("a part of its path is empty");
            }
            if matches!(segment, "." | "..") {
                return fail("a part of its path is `.` or `..`");
            }
            if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
                return fail("a path has only letters, digits, `-`, `.`, `_` and `/`");
            }
        }
        Ok(self)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(SpiffeIdError::new(text, "it does not begin with `spiffe://`"));
        };
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let trust_domain: TrustDomain = domain
            .parse()
            .map_err(|error: TrustDomainError| SpiffeIdError::new(text, error.why))?;
        Self { trust_domain, path: path.to_string() }.check()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.trust_domain, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn istio_and_spiffe_rules() {
        let check =
            |text: &str, ok: bool| assert_eq!(text.parse::<TrustDomain>().is_ok(), ok, "{text}");
        check("cluster.local", true);
        check("a-1.b", true);
        for text in ["", "A", "a_b", "a..b", ".a", "-a", "a-", "spiffe://a", "a/b", "a:1"] {
            check(text, false);
        }
        check(&"a".repeat(64), false);
    }

    #[test]
    fn identities() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let id = text.parse::<SpiffeId>();
            let found = id.as_ref().map(SpiffeId::path).map_err(SpiffeIdError::why);
            assert_eq!(found, expect, "{text}");
            if let Ok(id) = id {
                assert_eq!(id.to_string(), text);
            }
        };
        check("spiffe://a", Ok(""));
        check("spiffe://a.b/ns/x/sa/y", Ok("/ns/x/sa/y"));
        check("spiffe://a/A_1.b-c", Ok("/A_1.b-c"));
        check("https://a/b", Err("it does not begin with `spiffe://`"));
        check("SPIFFE://a/b", Err("it does not begin with `spiffe://`"));
        check("spiffe://", Err("it has 1 to 255 characters"));
        check("spiffe://a:1/b", Err("only a-z, 0-9, `-` and `.` are allowed"));
        for path in ["/", "/a/", "//a", "/a//b"] {
            check(&format!("spiffe://a{path}"), Err("a part of its path is empty"));
        }
        check("spiffe://a/../b", Err("a part of its path is `.` or `..`"));
        for path in ["/a?b", "/a#b", "/a%20", "/a b", "/\u{e4}"] {
            let why = "a path has only letters, digits, `-`, `.`, `_` and `/`";
            check(&format!("spiffe://a{path}"), Err(why));
        }
        let longest = format!("spiffe://a/{}", "b".repeat(ID_MAX - 11));
        check(&longest, Ok(&longest[10..]));
        check(&(longest.clone() + "b"), Err("it has more than 2048 characters"));
    }

    #[test]
    fn workloads() {
        let domain: TrustDomain = "a".parse().unwrap();
        let id = domain.workload("shop", "web").unwrap();
        assert_eq!(id.to_string(), "spiffe://a/ns/shop/sa/web");
        for (namespace, account) in [("", "a"), ("a", ""), ("a/b", "c"), ("a", "b c")] {
            assert!(domain.workload(namespace, account).is_err(), "{namespace} {account}");
        }
    }
}
