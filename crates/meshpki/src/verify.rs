//! Path validation that answers as `openssl verify` 3.0.19 does.
//!
//! [`verify`] is total: a bad certificate is data, so it returns a [`Verdict`] and never an error.

use alloc::string::String;
use alloc::vec::Vec;

use crate::cert::Cert;
use crate::crl::Crl;
use crate::time::Time;

mod code;

pub use code::Code;

/// The certificates and CRLs a verification may use.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The certificate in question.
    pub target: &'a Cert,
    /// Certificates nobody vouches for, tried in this order (`-untrusted`).
    pub untrusted: &'a [Cert],
    /// The trust store in its order (`-CAfile`, `-trusted`).
    pub trusted: &'a [Anchor],
    /// CRLs given for this verification (`-CRLfile`).
    pub crls: &'a [Crl],
    /// CRLs in the trust store (those found in `-CAfile`).
    pub store_crls: &'a [Crl],
}

/// A certificate of the trust store, and what it may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The certificate.
    pub cert: Cert,
    /// What a PEM `TRUSTED CERTIFICATE` block says; `None` for a plain certificate.
    pub aux: Option<TrustAux>,
}

/// Trust attributes of a PEM `TRUSTED CERTIFICATE` (`crypto/x509/x_x509a.c: X509_CERT_AUX`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustAux {
    /// Content octets of the OIDs it is trusted for.
    pub trust: Vec<Vec<u8>>,
    /// Content octets of the OIDs it is rejected for.
    pub reject: Vec<Vec<u8>>,
}

/// How to verify. No `Default`: each caller says what it means; [`Policy::like_openssl`] is what
/// `openssl verify` does without options.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The time certificates, CRLs and candidate issuers are judged at; `None`: no time is checked (`-no_check_time`).
    pub at: Option<Time>,
    /// What the target is to be used for (`-purpose`).
    pub purpose: Option<Purpose>,
    /// Intermediates allowed between target and anchor (`-verify_depth`, 100).
    pub max_depth: usize,
    /// Key and digest strength asked for, 0 to 5 and above (`-auth_level`, none).
    pub auth_level: u32,
    /// `-x509_strict`.
    pub strict: bool,
    /// Any certificate of the trust store ends a chain (`-partial_chain`).
    pub partial_chain: bool,
    /// Check the signature of a self-signed anchor too (`-check_ss_sig`).
    pub check_self_signed_signature: bool,
    /// `-ignore_critical`.
    pub ignore_critical: bool,
    /// Whose CRLs are wanted (`-crl_check`, `-crl_check_all`).
    pub revocation: Revocation,
    /// The host name the target must have (`-verify_hostname`).
    pub host: Option<String>,
    /// The e-mail address the target must have (`-verify_email`).
    pub email: Option<String>,
    /// The address the target must have, 4 or 16 bytes (`-verify_ip`).
    pub ip: Option<Vec<u8>>,
    /// Certificate policies; `None`: they are not looked at.
    pub policies: Option<Policies>,
}

/// Whose revocation is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Nobody's.
    Ignore,
    /// The target's (`-crl_check`).
    Leaf,
    /// Every certificate's, the anchor's too (`-crl_check_all`).
    Chain,
}

/// Inputs of RFC 5280 section 6.1.1 (c) to (f).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Content octets of the acceptable policies (`-policy`); empty as OpenSSL reads it.
    pub acceptable: Vec<Vec<u8>>,
    /// `-explicit_policy`.
    pub explicit: bool,
    /// `-inhibit_any`.
    pub inhibit_any: bool,
    /// `-inhibit_map`.
    pub inhibit_mapping: bool,
}

/// What a certificate is to be used for (`crypto/x509/v3_purp.c: xstandard`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `sslclient`.
    SslClient,
    /// `sslserver`.
    SslServer,
    /// `nssslserver`.
    NsSslServer,
    /// `smimesign`.
    SmimeSign,
    /// `smimeencrypt`.
    SmimeEncrypt,
    /// `crlsign`.
    CrlSign,
    /// `any`.
    Any,
    /// `ocsphelper`.
    OcspHelper,
    /// `timestampsign`.
    TimestampSign,
}

/// The answer: the chain that was built and everything found wrong with it, in the order it was found.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The chain, target first.
    pub chain: Vec<Cert>,
    /// How many certificates of `chain`, from the target on, did not come from the trust store.
    pub num_untrusted: usize,
    /// Everything found, in order. Empty and [`Verdict::ok`]: the certificate is good.
    pub findings: Vec<Finding>,
    /// What `X509_verify_cert` would say: false with no finding happens when a key cannot be decoded.
    pub ok: bool,
    /// Set when a signature could not be decided by any algorithm built in: depth of the certificate.
    /// Then `ok` is false, and no claim about openssl's answer is made.
    pub undecided: Option<usize>,
}

/// One thing wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// OpenSSL's number and text.
    pub code: Code,
    /// Place in the chain, 0 for the target.
    pub depth: usize,
    /// The certificate it is about; `None` for a finding about the whole chain (code 43).
    pub cert: Option<Cert>,
}

// STUB-BEGIN
/// stub
pub fn verify(inputs: &Inputs<'_>, _policy: &Policy) -> Verdict {
    Verdict {
        chain: alloc::vec![inputs.target.clone()],
        num_untrusted: 1,
        findings: Vec::new(),
        ok: true,
        undecided: None,
    }
}
/// stub
pub fn check_name_constraints(_cert: &Cert, _issuer: &Cert) -> Result<(), Code> {
    Ok(())
}
impl Policy {
    /// stub
    pub fn like_openssl(at: Time) -> Self {
        Self {
            at: Some(at),
            purpose: None,
            max_depth: 100,
            auth_level: 0,
            strict: false,
            partial_chain: false,
            check_self_signed_signature: false,
            ignore_critical: false,
            revocation: Revocation::Ignore,
            host: None,
            email: None,
            ip: None,
            policies: None,
        }
    }
}
impl Verdict {
    /// stub
    pub fn is_ok(&self) -> bool {
        self.ok
    }
}
// STUB-END
