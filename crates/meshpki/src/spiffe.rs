//! SPIFFE trust domains and identities, as Istio uses them.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use crate::Error;

/// Bytes a trust domain may have (SPIFFE-ID section 2.1).
const MAX_LENGTH: usize = 255;

/// A trust domain, valid for SPIFFE and for Istio: lower-case DNS-1123 labels joined by dots
/// (`pkg/config/validation/agent/validation.go: ValidateTrustDomain`).
///
/// ```
/// let domain: meshpki::TrustDomain = "east.example".parse()?;
/// assert_eq!(domain.uri(), "spiffe://east.example");
/// # Ok::<(), meshpki::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

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
        alloc::format!("spiffe://{}", self.0)
    }

    /// The SPIFFE ID Istio gives a workload.
    #[must_use]
    pub fn workload(&self, namespace: &str, service_account: &str) -> String {
        alloc::format!("spiffe://{}/ns/{namespace}/sa/{service_account}", self.0)
    }
}

impl FromStr for TrustDomain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |why| Err(Error::TrustDomain { found: text.to_string(), why });
        if text.is_empty() || text.len() > MAX_LENGTH {
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
}
