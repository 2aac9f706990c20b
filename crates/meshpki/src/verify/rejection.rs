//! Why a verifier other than OpenSSL refuses a certificate.

use alloc::string::String;
use core::fmt;

use crate::cert::Cert;

/// The refusal of a certificate: its class, the verifier's own words, and the certificate it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// The class, for decisions; the same for every verifier.
    pub reason: Reason,
    /// What that verifier reports.
    pub text: String,
    /// The certificate at fault; `None` if it is a CRL or the chain as a whole.
    pub cert: Option<Cert>,
}

/// The class of a [`Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The verifier cannot read a certificate or a CRL.
    Unreadable,
    /// A certificate has expired.
    Expired,
    /// A certificate is not valid yet.
    NotYetValid,
    /// No chain leads to a root.
    UnknownIssuer,
    /// A signature is not by the key of its issuer.
    BadSignature,
    /// The verifier does not support a signature algorithm or a key.
    Algorithm,
    /// A critical extension is not supported.
    CriticalExtension,
    /// An issuer is not a CA, or its keyUsage does not allow it to sign.
    NotCa,
    /// The certificate is a CA, and the verifier takes none as a peer's.
    CaAsPeer,
    /// A path length does not allow the chain.
    PathLength,
    /// An extended key usage on the chain lacks the one that is needed.
    ExtKeyUsage,
    /// A name is outside the name constraints above it, or they cannot be applied to it.
    NameConstraints,
    /// The certificate policies do not allow the chain.
    Policy,
    /// A certificate is revoked.
    Revoked,
    /// A certificate that needs a CRL has none.
    NoCrl,
    /// A CRL is past its nextUpdate, or not valid yet.
    CrlExpired,
    /// A CRL cannot be used: its signature, its signer or its scope is wrong.
    BadCrl,
    /// The verifier stopped before it had tried every chain.
    Limit,
    /// The signature uses an algorithm that is not built into this library.
    Undecided,
}

impl Reason {
    /// Its name in JSON, such as `unknown-issuer`; never given another meaning.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::UnknownIssuer => "unknown-issuer",
            Self::BadSignature => "bad-signature",
            Self::Algorithm => "algorithm",
            Self::CriticalExtension => "critical-extension",
            Self::NotCa => "not-a-ca",
            Self::CaAsPeer => "ca-as-peer",
            Self::PathLength => "path-length",
            Self::ExtKeyUsage => "ext-key-usage",
            Self::NameConstraints => "name-constraints",
            Self::Policy => "policy",
            Self::Revoked => "revoked",
            Self::NoCrl => "no-crl",
            Self::CrlExpired => "crl-expired",
            Self::BadCrl => "bad-crl",
            Self::Limit => "limit",
            Self::Undecided => "undecided",
        }
    }
}

impl Rejection {
    /// A refusal about no certificate in particular.
    pub(crate) fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), cert: None }
    }

    /// The same, about a certificate.
    pub(crate) fn about(self, cert: &Cert) -> Self {
        Self { cert: Some(cert.clone()), ..self }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::error::Error for Rejection {}
