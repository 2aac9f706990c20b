//! A look at a certificate that was just made: what its issuer does not verify is not given out.

use crate::cert::Cert;
use crate::error::Error;
use crate::signature::{self, SignatureCheck, SignatureInput};
use crate::time::Time;
use crate::verify::{self, Policy};

/// Refuses a self-signed certificate whose signature is not by its key: a token gone wrong
/// (Go checks the same: `crypto/x509/x509.go: CreateCertificate`).
pub(super) fn check_signature(cert: &Cert) -> Result<(), Error> {
    let check = signature::check(&SignatureInput {
        algorithm: cert.signature_algorithm(),
        message: cert.tbs(),
        signature: cert.signature(),
        key: cert.public_key(),
    });
    if check == SignatureCheck::Bad {
        return Err(refused(cert, cert, verify::Code::CERT_SIGNATURE_FAILURE.text()));
    }
    Ok(())
}

/// Refuses what does not verify with its issuer trusted: a bad signature, an extension that is unreadable or unknown.
pub(super) fn check(cert: &Cert, issuer: &Cert) -> Result<(), Error> {
    let at = cert.not_before().time();
    let policy = Policy::like_openssl(Time(0)).with_time(at).with_partial_chain();
    let verdict = verify::verify_chain(cert, &[], core::slice::from_ref(issuer), &policy);
    if verdict.is_ok() || verdict.undecided.is_some() {
        return Ok(());
    }
    let found = verdict.findings.first().map(|finding| finding.code.text());
    Err(match found {
        // OpenSSL looks for no issuer of a certificate it cannot read.
        _ if cert.extensions().invalid => refused(cert, issuer, "an extension of it is not valid"),
        Some(text) => refused(cert, issuer, text),
        None => refused(cert, issuer, "its key cannot be decoded"),
    })
}

fn refused(cert: &Cert, issuer: &Cert, text: &'static str) -> Error {
    let (subject, issuer) = (cert.subject().label(), issuer.subject().label());
    Error::NotVerifiable { subject, issuer, text }
}
