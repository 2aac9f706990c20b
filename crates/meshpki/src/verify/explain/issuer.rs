//! Where the next certificate should have come from, and whether its signature fits.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Case, Evidence, hex, joined, named, push};
use crate::cert::Cert;
use crate::der::{self, DerError, Reader};
use crate::key::KeyAlgorithm;
use crate::key::post_quantum::parameter_set;
use crate::oid;
use crate::signature::SignatureCheck;
use crate::verify::Release;
use crate::verify::extensions::same_algorithm;
use crate::verify::issued::{akid_matches, algorithms_match, likely_issued};
use crate::verify::signatures::verify_signature;
use crate::verify::time::is_valid;

impl Case<'_> {
    fn candidates(&self) -> impl Iterator<Item = (&'static str, &Cert)> {
        let trusted = self.inputs.trusted.iter().map(|anchor| ("trusted", &anchor.cert));
        trusted.chain(self.inputs.untrusted.iter().map(|cert| ("untrusted", cert)))
    }

    /// 2, 18, 19, 20: every certificate of the issuer's name, and why it was not taken.
    pub(super) fn issuer(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        if cert.extensions().invalid {
            push(to, "extensions", "each once and well formed", invalid_extensions(cert));
        }
        let before = to.len();
        for (list, candidate) in self.candidates().filter(|(_, c)| c.subject() == cert.issuer()) {
            explain_candidate(cert, list, candidate, self.policy.release, to);
        }
        let (untrusted, trusted) = (self.inputs.untrusted.len(), self.inputs.trusted.len());
        if to.len() == before {
            push(
                to,
                "issuer",
                cert.issuer().to_string(),
                format!(
                    "no certificate of that name among {trusted} trusted and {untrusted} untrusted"
                ),
            );
        }
        let reaches_trust = self.verdict.num_untrusted < self.verdict.chain.len();
        if reaches_trust && !self.finding.in_crl_path && self.finding.code.0 == 2 {
            push(to, "end of the chain", "a self-signed trusted certificate", named(cert));
        }
    }

    /// Where a certificate says that its issuer's certificate is (RFC 5280 section 4.2.2.1); none if a certificate of
    /// the issuer's name is there.
    pub(super) fn issuer_addresses(&self) -> Vec<String> {
        let cert = self.cert();
        if self.candidates().any(|(_, candidate)| candidate.subject() == cert.issuer()) {
            return Vec::new();
        }
        let extensions = cert.raw_extensions().iter();
        let access = extensions.filter(|extension| extension.oid == oid::AUTHORITY_INFO_ACCESS);
        access.flat_map(|extension| ca_issuers(&extension.value).unwrap_or_default()).collect()
    }

    /// A certificate of the same name and key that is valid at the time, and the list it is in.
    pub(super) fn valid_twin(&self) -> Option<(&'static str, &Cert)> {
        let cert = self.cert();
        self.candidates().find(|(_, twin)| is_twin(cert, twin) && is_valid(twin, self.policy.at))
    }

    /// Another certificate of the same name and key, by an issuer that is trusted: OpenSSL took the first of them and does
    /// not go back.
    pub(super) fn trusted_twin(&self) -> Option<&Cert> {
        let cert = self.cert();
        let is_other = |twin: &&Cert| is_twin(cert, twin) && twin.issuer() != cert.issuer();
        let mut twins = self.inputs.untrusted.iter().filter(is_other);
        let is_trusted = |twin: &&Cert| {
            self.inputs.trusted.iter().any(|anchor| anchor.cert.subject() == twin.issuer())
        };
        twins.find(is_trusted)
    }

    /// Whether a certificate has the issuer's name, and the authority key identifier names another by serial number
    /// and issuer: then it is mostly the identifier that is wrong.
    pub(super) fn names_a_stranger(&self) -> bool {
        let cert = self.cert();
        let akid = cert.extensions().authority_key_id.as_ref();
        let Some(akid) = akid.filter(|akid| akid.serial.is_some()) else { return false };
        let same_key = |candidate: &Cert| {
            akid.key_id.is_none() || akid.key_id == candidate.extensions().subject_key_id
        };
        self.candidates().any(|(_, candidate)| {
            candidate.subject() == cert.issuer()
                && same_key(candidate)
                && !akid_matches(candidate, Some(akid))
        })
    }

    /// 7: the key it should be by, and whether another certificate of that name has the right one.
    pub(super) fn signature(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        if !same_algorithm(cert.tbs_signature_algorithm(), cert.signature_algorithm()) {
            push(
                to,
                "signature algorithm",
                format!("{} as inside the signed bytes", hex(cert.tbs_signature_algorithm())),
                hex(cert.signature_algorithm()),
            );
        }
        if let Some(issuer) = self.issuer_cert() {
            push(
                to,
                "signature",
                format!("by the key {} of {}", hex(&issuer.public_key().key_id()), named(issuer)),
                "one that key did not make",
            );
        }
        for (list, other) in self.candidates().filter(|(_, c)| c.subject() == cert.issuer()) {
            if verify_signature(cert, other) == SignatureCheck::Good {
                push(
                    to,
                    format!("{list} certificate of the same name"),
                    "the signer in the chain",
                    format!("{}, whose key made the signature", named(other)),
                );
            }
        }
    }
}

/// The URIs of a value of authorityInfoAccess that lead to the issuer; printable whatever they hold.
fn ca_issuers(value: &[u8]) -> Result<Vec<String>, DerError> {
    let mut descriptions = Reader::new(value).any()?.reader();
    let mut found = Vec::new();
    while let Some(description) = descriptions.next()? {
        let mut parts = description.reader();
        let (method, location) = (parts.any()?, parts.any()?);
        if method.content == oid::CA_ISSUERS && location.tag == der::context(6) {
            found.push(printable_uri(location.content));
        }
    }
    Ok(found)
}

/// A URI for people: printable, without a user and a password, and not longer than a line or two.
pub(super) fn printable_uri(uri: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = uri.escape_ascii().to_string();
    let after_scheme = text.find("://").map_or(text.len(), |at| at + 3);
    let (scheme, rest) = text.split_at(after_scheme);
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    let mut text = format!("{scheme}{}", &rest[host..]);
    if text.len() > LONGEST {
        text.truncate(LONGEST);
        text.push_str("...");
    }
    text
}

fn explain_candidate(
    cert: &Cert,
    list: &str,
    candidate: &Cert,
    release: Release,
    to: &mut Vec<Evidence>,
) {
    let who = |what: &str| format!("{what} of {list} {}", named(candidate));
    if candidate == cert {
        return;
    }
    if candidate.extensions().invalid {
        push(to, who("extensions"), "each once and well formed", invalid_extensions(candidate));
    }
    let akid = cert.extensions().authority_key_id.as_ref();
    if let Some(akid) = akid.filter(|_| !akid_matches(candidate, akid)) {
        let there = candidate.extensions().subject_key_id.as_deref();
        match (&akid.key_id, there) {
            (Some(wanted), Some(there)) if wanted != there => {
                push(to, who("key identifier"), hex(wanted), hex(there));
            }
            _ => {
                let serial = akid.serial.as_deref().map_or_else(|| "any serial".into(), hex);
                let issuer = joined(akid.issuer.iter().flatten());
                let found = format!("{}, {}", candidate.serial_hex(), candidate.issuer());
                push(
                    to,
                    who("authority key identifier: serial number and issuer"),
                    format!("{serial}, {issuer}"),
                    found,
                );
            }
        }
    }
    if release.lacks(cert.tbs_signature_algorithm()) {
        push(
            to,
            "signature algorithm",
            format!("one that {} has", release.name()),
            format!("{}, which is new in OpenSSL 3.5", algorithm_name(cert)),
        );
    } else if !algorithms_match(candidate, cert, release) {
        push(
            to,
            who("key"),
            format!("one for the signature algorithm {}", algorithm_name(cert)),
            candidate.public_key().algorithm().to_string(),
        );
    }
    if likely_issued(candidate, cert, release) {
        let found = if list == "trusted" { "trusted, not these bytes" } else { "not trusted" };
        push(to, who("certificate"), "a trusted one", found);
    }
}

pub(super) fn algorithm_name(cert: &Cert) -> String {
    crate::algorithm::algorithm_parts(cert.signature_algorithm())
        .map_or_else(|error| error.to_string(), |(oid, _)| algorithm_of(oid))
}

/// An algorithm by its standard name, or the name that OpenSSL has for it.
fn algorithm_of(oid: &[u8]) -> String {
    parameter_set(oid).map_or_else(|| super::oid_name(oid), Into::into)
}

/// Another certificate of the same name and key.
fn is_twin(cert: &Cert, other: &Cert) -> bool {
    other != cert && other.subject() == cert.subject() && other.public_key() == cert.public_key()
}

/// The algorithm of its own key.
pub(super) fn key_name(cert: &Cert) -> String {
    match cert.public_key().algorithm() {
        KeyAlgorithm::Other { oid } => algorithm_of(oid.as_bytes()),
        known => known.to_string(),
    }
}

/// Extensions that are there twice, else all of those that count.
fn invalid_extensions(cert: &Cert) -> String {
    let all = cert.raw_extensions();
    let twice = |oid: &[u8]| all.iter().filter(|e| e.oid == oid).count() > 1;
    let mut repeated: Vec<&[u8]> =
        all.iter().map(|e| e.oid.as_bytes()).filter(|oid| twice(oid)).collect();
    repeated.dedup();
    if repeated.is_empty() {
        return "one that cannot be decoded or contradicts another".to_string();
    }
    format!("more than one {}", joined(repeated.into_iter().map(super::oid_name)))
}
