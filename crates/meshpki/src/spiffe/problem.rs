//! What can be wrong with a bundle and with an X.509-SVID.

use alloc::string::String;

use crate::der::DerError;
use crate::spiffe::id::{SpiffeIdError, TrustDomainError};

/// What can be wrong with a SPIFFE bundle or a bundle map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleProblem {
    /// A text that is not base64 with padding (RFC 7517 section 4.7: not base64url).
    #[error("not valid base64 with padding")]
    Base64,
    /// A certificate that cannot be decoded.
    #[error("the certificate cannot be decoded: {0}")]
    Certificate(
        /// Where and why.
        DerError,
    ),
    /// A text that is not JSON, or that has a key twice in an object.
    #[error("not valid JSON: {0}")]
    Json(
        /// Where and why.
        String,
    ),
    /// A member that describes another key than the certificate (RFC 7517 section 4.7).
    #[error("it is `{found}`, but the key of the certificate has `{expected}`")]
    KeyMismatch {
        /// What the member says.
        found: String,
        /// What it would have to say.
        expected: String,
    },
    /// A key that a JSON Web Key of SPIRE cannot hold: only RSA, Ed25519 and the curves P-256, P-384 and P-521 can.
    #[error("a JSON Web Key cannot hold the key of `{subject}`, which is {found}")]
    KeyType {
        /// Subject of the certificate.
        subject: String,
        /// The algorithm of its key.
        found: String,
    },
    /// A member that must be there and is not, or is null.
    #[error("it is missing, expected {expected}")]
    Missing {
        /// What should be there.
        expected: &'static str,
    },
    /// A sequence number that Envoy does not read in a bundle map.
    #[error("it is {0}, and Envoy does not read a number above 9223372036854775807")]
    Sequence(
        /// The number.
        u64,
    ),
    /// Bytes after a certificate.
    #[error("there are {0} bytes after the certificate")]
    Trailing(
        /// How many.
        usize,
    ),
    /// A name of the map that is not a valid trust domain.
    #[error(transparent)]
    TrustDomain(
        /// Which rule it breaks.
        TrustDomainError,
    ),
    /// A trust domain that is in the map already: two bundles of it are never merged.
    #[error("this trust domain has a bundle already")]
    Twice,
    /// A certificate that OpenSSL reads and Go does not.
    #[error("Go, and therefore SPIRE and istiod, cannot read `{subject}`: {why}")]
    Unreadable {
        /// Subject of the certificate.
        subject: String,
        /// What Go does not read.
        why: String,
    },
    /// A member of another type.
    #[error("it is {found}, expected {expected}")]
    WrongType {
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// The clause of X509-SVID that a certificate breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SvidProblem {
    /// Section 2: an SVID has a SPIFFE ID, which is its URI name.
    #[error("it has no URI name, expected its SPIFFE ID")]
    NoUri,
    /// Sections 2 and 5.2: more than one URI name must be rejected.
    #[error("it has {0} URI names, expected exactly one")]
    SeveralUris(
        /// How many.
        usize,
    ),
    /// Sections 2 and 5.2: the URI name is a SPIFFE ID.
    #[error(transparent)]
    NotSpiffeId(
        /// Which rule it breaks.
        SpiffeIdError,
    ),
    /// Sections 3.1 and 5.2: the SPIFFE ID of a leaf has a path.
    #[error("its SPIFFE ID `{0}` has no path, expected one that names a workload")]
    LeafWithoutPath(
        /// The SPIFFE ID.
        String,
    ),
    /// Section 3.1: if the subject is empty, the alternative name is critical.
    #[error("its subject is empty, and its subject alternative name is not critical")]
    NameNotCritical,
    /// Section 3.2: the SPIFFE ID of a signing certificate has no path.
    #[error("it signs certificates, and its SPIFFE ID `{0}` has a path")]
    SigningWithPath(
        /// The SPIFFE ID.
        String,
    ),
    /// Sections 4.1 and 5.2: a leaf is not a CA.
    #[error("it is a CA: basicConstraints says CA:TRUE, expected a leaf")]
    LeafIsCa,
    /// Section 4.1: a signing certificate is a CA.
    #[error("it is not a CA: basicConstraints does not say CA:TRUE")]
    SigningNotCa,
    /// Section 4.3: every SVID has a key usage.
    #[error("it has no key usage")]
    NoKeyUsage,
    /// Section 4.3: the key usage is critical.
    #[error("its key usage is not critical")]
    KeyUsageNotCritical,
    /// Section 4.3: a leaf has digitalSignature.
    #[error("its key usage is {0}, and lacks digitalSignature")]
    LeafWithoutDigitalSignature(
        /// Its key usages.
        String,
    ),
    /// Sections 4.3 and 5.2: a leaf does not have keyCertSign.
    #[error("its key usage is {0}: a leaf must not have keyCertSign")]
    LeafWithKeyCertSign(
        /// Its key usages.
        String,
    ),
    /// Sections 4.3 and 5.2: a leaf does not have cRLSign.
    #[error("its key usage is {0}: a leaf must not have cRLSign")]
    LeafWithCrlSign(
        /// Its key usages.
        String,
    ),
    /// Sections 3.2 and 4.3: a signing certificate has keyCertSign.
    #[error("its key usage is {0}, and lacks keyCertSign")]
    SigningWithoutKeyCertSign(
        /// Its key usages.
        String,
    ),
    /// Section 4.4: an extended key usage of a leaf has serverAuth.
    #[error("its extended key usage lacks serverAuth")]
    LeafWithoutServerAuth,
    /// Section 4.4: an extended key usage of a leaf has clientAuth.
    #[error("its extended key usage lacks clientAuth")]
    LeafWithoutClientAuth,
    /// Section 5.1: path validation (RFC 5280) accepts no certificate with an extension that cannot be decoded.
    #[error("one of its extensions cannot be decoded, or is there twice")]
    Undecodable,
}
