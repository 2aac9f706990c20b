//! What can go wrong, each with a code that never changes its meaning.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::der::DerError;
use crate::key::{KeyFlaw, PublicKey, SignError};
use crate::name::NameError;
use crate::pem::PemError;
use crate::spiffe::id::TrustDomainError;
use crate::spiffe::problem::{BundleProblem, SvidProblem};
use crate::time::Time;

/// Why work could not be done. A certificate that does not verify is not an error but a
/// [`crate::verify::Verdict`].
///
/// Certificates are named by their common name if they have one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Several certificates could be the leaf: none of the others was issued by them.
    #[error("{} certificates could be the start of the chain: {}", candidates.len(), few(candidates))]
    AmbiguousLeaf {
        /// Subjects of the candidates.
        candidates: Vec<String>,
    },
    /// So many certificates share names that finding the chain would take too long.
    #[error(
        "too many of the {certificates} certificates share names: gave up after {limit} wrong guesses at their issuers"
    )]
    AmbiguousChain {
        /// How many certificates there are.
        certificates: usize,
        /// Signatures checked in vain before giving up.
        limit: usize,
    },
    /// A SPIFFE bundle or bundle map that cannot be read or written.
    #[error("the SPIFFE bundle cannot be used: {}{problem}", at(place))]
    Bundle {
        /// Where: `keys[0].x5c[0]`; empty for the document as a whole.
        place: String,
        /// What is wrong there.
        problem: BundleProblem,
    },
    /// cert-chain.pem does not lead from the CA certificate upwards in order.
    #[error("the chain is out of order: certificate {position} is `{found}`, expected {wanted}")]
    ChainOrder {
        /// Place in the chain, from 1.
        position: usize,
        /// Subject of the certificate there.
        found: String,
        /// What should be there.
        wanted: String,
    },
    /// A CSR whose signature is not by its own key.
    #[error("the CSR of `{subject}` is not signed by its own key")]
    CsrSignature {
        /// Subject of the CSR.
        subject: String,
    },
    /// A CSR that proves its key with a digest that can be forged.
    #[error("the CSR of `{subject}` is signed with {algorithm}, expected SHA-256 or stronger")]
    CsrWeakSignature {
        /// Subject of the CSR.
        subject: String,
        /// The signature algorithm.
        algorithm: String,
    },
    /// Bytes that are not the DER they should be.
    #[error("{what} cannot be decoded")]
    Der {
        /// What was read: `certificate 2`, `CSR`.
        what: String,
        /// Where and why.
        #[source]
        source: DerError,
    },
    /// A CA needs a name.
    #[error("a CA certificate needs a subject")]
    EmptySubject,
    /// The certificate would end before it begins.
    #[error(
        "the certificate of `{subject}` would end before it begins: it would be valid from {not_before} to {not_after}"
    )]
    EmptyValidity {
        /// Subject of the certificate.
        subject: String,
        /// First second.
        not_before: Time,
        /// Last second.
        not_after: Time,
    },
    /// An extended key usage that istiod does not accept on a CA.
    #[error("`{subject}` has an extended key usage without serverAuth, which istiod rejects")]
    ExtKeyUsage {
        /// Subject of the certificate.
        subject: String,
    },
    /// A certificate OpenSSL reads and Go does not.
    #[error("istiod cannot read the certificate of `{subject}`: {why}")]
    IstiodUnreadable {
        /// Subject of the certificate.
        subject: String,
        /// What Go does not read.
        why: String,
    },
    /// A public key that anyone can sign with.
    #[error("{what} protects nothing: {flaw}")]
    ForgeableKey {
        /// Whose key.
        what: String,
        /// Why.
        flaw: KeyFlaw,
    },
    /// The issuer is not a CA.
    #[error("`{issuer}` is not a CA: basicConstraints does not say CA:TRUE")]
    IssuerNotCa {
        /// Subject of the issuer.
        issuer: String,
    },
    /// The issuer's keyUsage forbids signing certificates.
    #[error("`{issuer}` may not sign certificates: its keyUsage is {usage} and lacks keyCertSign")]
    IssuerMayNotSign {
        /// Subject of the issuer.
        issuer: String,
        /// Its key usages.
        usage: String,
    },
    /// The issuer's keyUsage forbids signing CRLs.
    #[error("`{issuer}` may not sign CRLs: its keyUsage is {usage} and lacks cRLSign")]
    IssuerMayNotSignCrls {
        /// Subject of the issuer.
        issuer: String,
        /// Its key usages.
        usage: String,
    },
    /// A container of certificates and keys that cannot be read.
    #[error("the {kind} container cannot be read: {problem}")]
    Container {
        /// PKCS#7 or PKCS#12.
        kind: &'static str,
        /// What is wrong.
        problem: KeyProblem,
    },
    /// A private key that cannot be read.
    #[error("the private key cannot be read: {problem}")]
    Key {
        /// What is wrong.
        problem: KeyProblem,
    },
    /// A private key that belongs to another certificate.
    #[error(
        "the private key does not belong to `{subject}`: the certificate has key sha256 {certificate}, the private key is sha256 {private}"
    )]
    KeyMismatch {
        /// Subject of the certificate.
        subject: String,
        /// Fingerprint of the certificate's public key, 16 digits.
        certificate: String,
        /// Fingerprint of the private key's public half, 16 digits.
        private: String,
    },
    /// The key to be certified is the issuer's own.
    #[error("`{subject}` would have the same key as its issuer `{issuer}`")]
    KeyReused {
        /// Subject of the certificate.
        subject: String,
        /// Subject of the issuer.
        issuer: String,
    },
    /// A file of the set is not there.
    #[error("`{file}` is missing")]
    MissingFile {
        /// Its name.
        file: String,
    },
    /// The issuer's name constraints exclude a name of the certificate.
    #[error("the name constraints of `{issuer}` do not allow `{subject}`: {text}")]
    NameConstraints {
        /// Subject of the certificate.
        subject: String,
        /// Subject of the issuer.
        issuer: String,
        /// The verifier's words.
        text: &'static str,
    },
    /// A certificate was made that its own issuer does not verify.
    #[error("`{subject}` would not verify under its issuer `{issuer}`: {text}")]
    NotVerifiable {
        /// Subject of the certificate.
        subject: String,
        /// Subject of the issuer.
        issuer: String,
        /// The verifier's words.
        text: &'static str,
    },
    /// A file holds no certificate.
    #[error("no certificate in {what}")]
    NoCertificate {
        /// What was read.
        what: String,
    },
    /// The CA certificate of a cluster is not one of a CA.
    #[error("`{subject}` is not a CA: {why}")]
    NotCa {
        /// Subject of the certificate.
        subject: String,
        /// What is missing.
        why: &'static str,
    },
    /// A certificate is not a root that another CA can certify.
    #[error("`{subject}` is not a root with CAs below it: {why}")]
    NotRoot {
        /// Subject of the certificate.
        subject: String,
        /// What is wrong.
        why: String,
    },
    /// The certificate would be valid longer than its issuer.
    #[error(
        "`{subject}` would be valid until {not_after}, but its issuer `{issuer}` expires {issuer_not_after}"
    )]
    OutlivesIssuer {
        /// Subject of the certificate.
        subject: String,
        /// When it would end.
        not_after: Time,
        /// Subject of the issuer.
        issuer: String,
        /// When the issuer ends.
        issuer_not_after: Time,
    },
    /// The issuer's path length leaves no room.
    #[error("`{issuer}` has path length {allowed}, which does not allow the CA `{subject}`{} below it", match wanted { Some(n) => alloc::format!(" with path length {n}"), None => String::new() })]
    PathLengthExceeded {
        /// Subject of the certificate.
        subject: String,
        /// Subject of the issuer.
        issuer: String,
        /// pathLenConstraint of the issuer.
        allowed: i64,
        /// Path length asked for.
        wanted: Option<u32>,
    },
    /// PEM text that cannot be read.
    #[error("{what} is not valid PEM")]
    Pem {
        /// What was read.
        what: String,
        /// Where and why.
        #[source]
        source: PemError,
    },
    /// The private key of the set is a root's.
    #[error("the private key is that of the root `{root}`: a root key must never reach a cluster")]
    RootKey {
        /// Subject of the root.
        root: String,
    },
    /// The device that holds the key failed.
    #[error("signing with the key of `{issuer}` failed")]
    Sign {
        /// Subject of the issuer.
        issuer: String,
        /// The device's own words.
        #[source]
        source: SignError,
    },
    /// A subject that cannot be used.
    #[error("the subject cannot be used")]
    Subject(
        /// Which part.
        #[from]
        NameError,
    ),
    /// A certificate that breaks a clause of X509-SVID.
    #[error("`{subject}` is not a valid X.509-SVID: {problem}")]
    Svid {
        /// Subject of the certificate.
        subject: String,
        /// Which clause it breaks.
        problem: SvidProblem,
    },
    /// A certificate of the set is signed in a way Go does not take.
    #[error(
        "`{subject}` is signed with algorithm {algorithm}, which Go, and therefore istiod, rejects"
    )]
    WeakSignature {
        /// Subject of the certificate.
        subject: String,
        /// The algorithm.
        algorithm: String,
    },
    /// A subject alternative name that cannot be used.
    #[error("`{name}` cannot be used as a subject alternative name: {why}")]
    SubjectAltName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A CA that has its issuer's name.
    #[error("the new CA would have the same subject as its issuer: `{subject}`")]
    SubjectIsIssuer {
        /// The subject.
        subject: String,
    },
    /// A date no certificate can hold.
    #[error("{time} cannot be in a certificate, expected a year from 1950 to 9999")]
    TimeRange {
        /// The date.
        time: Time,
    },
    /// More of something than any certificate needs.
    #[error("too many {what}: {count}, expected at most {limit}")]
    TooMany {
        /// Of what there are too many, and whose they are.
        what: String,
        /// How many there are.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A text that is not a valid trust domain.
    #[error(transparent)]
    TrustDomain(
        /// Which rule it breaks.
        #[from]
        TrustDomainError,
    ),
    /// A key that cannot issue certificates in a mesh.
    #[error("{what} is {found}, which cannot be used: {why}")]
    UnsupportedKey {
        /// Whose key.
        what: String,
        /// Its algorithm.
        found: String,
        /// Why not.
        why: String,
    },
    /// The chain does not verify.
    #[error("`{subject}` does not verify under the given roots: {}", findings.join("; "))]
    Untrusted {
        /// Subject of the certificate.
        subject: String,
        /// OpenSSL's findings, `error N at D depth: text`, or what Go says.
        findings: Vec<String>,
    },
}

impl Error {
    /// Refuses a key that anyone can sign with; `what` names its owner.
    pub(crate) fn check_sound(key: &PublicKey, what: impl Fn() -> String) -> Result<(), Self> {
        key.flaw().map_or(Ok(()), |flaw| Err(Self::ForgeableKey { what: what(), flaw }))
    }
}

/// What is wrong with a private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProblem {
    /// There is no private key at all.
    #[error("no private key was found")]
    None,
    /// It is encrypted and no passphrase was given.
    #[error("it is encrypted, and no passphrase was given")]
    PassphraseNeeded,
    /// The passphrase does not open it.
    #[error("the passphrase does not decrypt it")]
    WrongPassphrase,
    /// An encryption scheme that is not supported, by its name or OID.
    #[error("it is encrypted with {0}, which is not supported")]
    Encryption(Box<str>),
    /// More work to decrypt it than any file needs.
    #[error("decrypting it takes {0}")]
    Cost(
        /// What it asks for, and the limit.
        Box<str>,
    ),
    /// A form we read, but istiod does not.
    #[error(
        "istiod reads only the first block, which must be RSA PRIVATE KEY, EC PRIVATE KEY or PRIVATE KEY, not {0}"
    )]
    IstiodForm(
        /// Label of the first block.
        Box<str>,
    ),
    /// The structure cannot be decoded.
    #[error("{0}")]
    Malformed(
        /// Where and why.
        DerError,
    ),
    /// PEM text that cannot be read.
    #[error("{0}")]
    Pem(
        /// Where and why.
        PemError,
    ),
    /// An algorithm, or a size of it, that is not supported.
    #[error("{0} is not supported")]
    Unsupported(
        /// The algorithm.
        Box<str>,
    ),
    /// The numbers in it do not make a key.
    #[error("its numbers are not a valid {0} key")]
    Rejected(
        /// The algorithm.
        Box<str>,
    ),
}

/// A place before what is wrong there.
fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { alloc::format!("`{place}`: ") }
}

/// The first ten, and how many more there are.
fn few(names: &[String]) -> String {
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(10) {
        0 => shown,
        more => alloc::format!("{shown} and {more} more"),
    }
}

impl Error {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "pki/ambiguous-chain",
        "pki/ambiguous-leaf",
        "pki/bundle",
        "pki/chain-order",
        "pki/container",
        "pki/csr-signature",
        "pki/csr-weak-signature",
        "pki/der",
        "pki/empty-subject",
        "pki/empty-validity",
        "pki/ext-key-usage",
        "pki/forgeable-key",
        "pki/issuer-may-not-sign",
        "pki/issuer-may-not-sign-crls",
        "pki/issuer-not-ca",
        "pki/istiod-unreadable",
        "pki/key",
        "pki/key-cost",
        "pki/key-encrypted",
        "pki/key-mismatch",
        "pki/key-passphrase",
        "pki/key-reused",
        "pki/missing-file",
        "pki/name-constraints",
        "pki/no-certificate",
        "pki/not-ca",
        "pki/not-root",
        "pki/not-verifiable",
        "pki/outlives-issuer",
        "pki/path-length-exceeded",
        "pki/pem",
        "pki/root-key",
        "pki/sign",
        "pki/subject",
        "pki/subject-alt-name",
        "pki/subject-is-issuer",
        "pki/svid",
        "pki/time-range",
        "pki/too-many",
        "pki/trust-domain",
        "pki/unsupported-key",
        "pki/untrusted",
        "pki/weak-signature",
    ];

    /// The code of this error: stable, for scripts and for `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AmbiguousChain { .. } => "pki/ambiguous-chain",
            Self::AmbiguousLeaf { .. } => "pki/ambiguous-leaf",
            Self::Bundle { .. } => "pki/bundle",
            Self::ChainOrder { .. } => "pki/chain-order",
            Self::CsrSignature { .. } => "pki/csr-signature",
            Self::CsrWeakSignature { .. } => "pki/csr-weak-signature",
            Self::Der { .. } => "pki/der",
            Self::EmptySubject => "pki/empty-subject",
            Self::EmptyValidity { .. } => "pki/empty-validity",
            Self::ExtKeyUsage { .. } => "pki/ext-key-usage",
            Self::ForgeableKey { .. } => "pki/forgeable-key",
            Self::IssuerMayNotSign { .. } => "pki/issuer-may-not-sign",
            Self::IssuerMayNotSignCrls { .. } => "pki/issuer-may-not-sign-crls",
            Self::IssuerNotCa { .. } => "pki/issuer-not-ca",
            Self::IstiodUnreadable { .. } => "pki/istiod-unreadable",
            Self::Key { problem } | Self::Container { problem, .. }
                if matches!(problem, KeyProblem::PassphraseNeeded) =>
            {
                "pki/key-encrypted"
            }
            Self::Key { problem } | Self::Container { problem, .. }
                if matches!(problem, KeyProblem::WrongPassphrase) =>
            {
                "pki/key-passphrase"
            }
            Self::Key { problem } | Self::Container { problem, .. }
                if matches!(problem, KeyProblem::Cost(_)) =>
            {
                "pki/key-cost"
            }
            Self::Container { .. } => "pki/container",
            Self::Key { .. } => "pki/key",
            Self::KeyMismatch { .. } => "pki/key-mismatch",
            Self::KeyReused { .. } => "pki/key-reused",
            Self::MissingFile { .. } => "pki/missing-file",
            Self::NameConstraints { .. } => "pki/name-constraints",
            Self::NoCertificate { .. } => "pki/no-certificate",
            Self::NotCa { .. } => "pki/not-ca",
            Self::NotRoot { .. } => "pki/not-root",
            Self::NotVerifiable { .. } => "pki/not-verifiable",
            Self::OutlivesIssuer { .. } => "pki/outlives-issuer",
            Self::PathLengthExceeded { .. } => "pki/path-length-exceeded",
            Self::Pem { .. } => "pki/pem",
            Self::RootKey { .. } => "pki/root-key",
            Self::Sign { .. } => "pki/sign",
            Self::Subject(_) => "pki/subject",
            Self::SubjectAltName { .. } => "pki/subject-alt-name",
            Self::SubjectIsIssuer { .. } => "pki/subject-is-issuer",
            Self::Svid { .. } => "pki/svid",
            Self::TimeRange { .. } => "pki/time-range",
            Self::TooMany { .. } => "pki/too-many",
            Self::TrustDomain(_) => "pki/trust-domain",
            Self::UnsupportedKey { .. } => "pki/unsupported-key",
            Self::Untrusted { .. } => "pki/untrusted",
            Self::WeakSignature { .. } => "pki/weak-signature",
        }
    }
}

impl From<DerError> for KeyProblem {
    fn from(source: DerError) -> Self {
        Self::Malformed(source)
    }
}

impl From<KeyProblem> for Error {
    fn from(problem: KeyProblem) -> Self {
        Self::Key { problem }
    }
}
