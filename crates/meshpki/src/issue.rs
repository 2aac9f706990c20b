//! Issuing: a profile, a key, an issuer and a stamp make a certificate, or a refusal that says why.
//!
//! Names, keys and key identifiers are copied byte for byte. Extensions are in the order
//! keyUsage, extKeyUsage, basicConstraints, subjectKeyIdentifier, authorityKeyIdentifier,
//! subjectAltName, nameConstraints, which is Go's and so cfssl's (`crypto/x509/x509.go: buildCertExtensions`).

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::cert::encode::{extension, key_usage, name_constraints, sequence_of};
use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::der::{self, DerError};
use crate::error::Error;
use crate::key::post_quantum::parameter_set;
use crate::key::{KeyAlgorithm, PublicKey, Signer};
use crate::oid;
use crate::profile::{Profile, Role, limits};
use crate::time::{MINUTE, Time};
use crate::verify::{self, go};

/// Which certificate, from when: the two things issuing takes from the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The serial number.
    pub serial: Serial,
    /// The first second of validity.
    pub not_before: Time,
}

impl Stamp {
    /// How far back notBefore is, so that a peer whose clock is slow accepts a new certificate: cfssl's five minutes.
    pub const BACKDATE: Duration = Duration::from_secs(5 * 60);

    /// A stamp for a certificate made at `now`: notBefore is `now` rounded to the minute, less
    /// [`Stamp::BACKDATE`] (cfssl: `signer/signer.go: FillTemplate`).
    #[must_use]
    pub const fn made_at(now: Time, serial: Serial) -> Self {
        let rounded = (now.0.saturating_add(MINUTE / 2)).div_euclid(MINUTE) * MINUTE;
        Self { serial, not_before: Time(rounded).minus(Self::BACKDATE) }
    }
}

/// A serial number: 20 bytes, positive, the top bit but one set, so that it always takes 20 bytes
/// (RFC 5280 section 4.1.2.2 allows no more).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; 20]);

impl Serial {
    /// The serial number made of random bytes; 158 of the 160 bits are kept.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 20]) -> Self {
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Self(bytes)
    }

    /// The bytes, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({})", crate::digest::hex_colons(&self.0))
    }
}

/// The issuer: a CA certificate and the holder of its key.
#[derive(Clone, Copy)]
pub struct Issuer<'a> {
    /// The CA's certificate.
    pub cert: &'a Cert,
    /// The holder of its private key.
    pub signer: &'a dyn Signer,
}

/// Makes a self-signed certificate: a root.
///
/// # Errors
/// `pki/empty-subject`, `pki/empty-validity`, `pki/forgeable-key`, `pki/not-verifiable`, `pki/subject`,
/// `pki/subject-alt-name`, `pki/time-range`, `pki/too-many`, `pki/unsupported-key`, `pki/sign`.
pub fn self_signed(profile: &Profile, signer: &dyn Signer, stamp: Stamp) -> Result<Cert, Error> {
    let key = signer.public_key();
    check_profile(profile, key, stamp)?;
    let not_after = stamp.not_before + profile.validity;
    let validity = Validity::new(profile, stamp.not_before, not_after)?;
    let extensions = extensions(profile, key, None);
    let cert = sign(
        &Tbs { serial: stamp.serial, issuer: &profile.subject, validity, profile, key, extensions },
        signer,
    )?;
    made::check_signature(&cert)?;
    made::check(&cert, &cert)?;
    Ok(cert)
}

/// Makes a certificate for `key` under `issuer`.
///
/// notBefore is never earlier than the issuer's, notAfter later is refused.
///
/// # Errors
/// What the issuer may not sign: `pki/issuer-not-ca`, `pki/issuer-may-not-sign`, `pki/key-mismatch`,
/// `pki/path-length-exceeded`, `pki/outlives-issuer`, `pki/name-constraints`, `pki/key-reused`,
/// `pki/subject-is-issuer`. And what no certificate can be: `pki/empty-subject`, `pki/empty-validity`,
/// `pki/subject`, `pki/subject-alt-name`, `pki/time-range`, `pki/too-many`, `pki/unsupported-key`, `pki/sign`,
/// `pki/not-verifiable`. A key that anyone can sign with is neither certified nor used to sign: `pki/forgeable-key`.
pub fn issue(
    profile: &Profile,
    key: &PublicKey,
    issuer: Issuer<'_>,
    stamp: Stamp,
) -> Result<Cert, Error> {
    check_profile(profile, key, stamp)?;
    check_issuer(issuer)?;
    check_pair(profile, key, issuer.cert)?;
    let (from, until) = issuer_validity(issuer.cert)?;
    let not_after = stamp.not_before + profile.validity;
    if not_after > until {
        return Err(Error::OutlivesIssuer {
            subject: profile.subject.label(),
            not_after,
            issuer: issuer.cert.subject().label(),
            issuer_not_after: until,
        });
    }
    let validity = Validity::new(profile, stamp.not_before.max(from), not_after)?;
    let extensions = extensions(profile, key, Some(issuer.cert));
    let tbs = Tbs {
        serial: stamp.serial,
        issuer: issuer.cert.subject(),
        validity,
        profile,
        key,
        extensions,
    };
    let cert = sign(&tbs, issuer.signer)?;
    verify::check_name_constraints(&cert, issuer.cert).map_err(|code| Error::NameConstraints {
        subject: cert.subject().label(),
        issuer: issuer.cert.subject().label(),
        text: code.text(),
    })?;
    made::check(&cert, issuer.cert)?;
    Ok(cert)
}

/// The certificate that an issuer without any check would make: what istiod does with a CA it has loaded. It is for
/// asking verifiers, never for use.
#[cfg(feature = "soft-keys")]
pub(crate) fn unchecked(
    profile: &Profile,
    key: &PublicKey,
    issuer: Issuer<'_>,
    stamp: Stamp,
) -> Result<Cert, Error> {
    let validity = Validity::new(profile, stamp.not_before, stamp.not_before + profile.validity)?;
    let extensions = extensions(profile, key, Some(issuer.cert));
    let (serial, issuer_name) = (stamp.serial, issuer.cert.subject());
    let tbs = Tbs { serial, issuer: issuer_name, validity, profile, key, extensions };
    sign(&tbs, issuer.signer)
}

fn check_profile(profile: &Profile, key: &PublicKey, stamp: Stamp) -> Result<(), Error> {
    if matches!(profile.role, Role::Ca { .. }) && profile.subject.is_empty() {
        return Err(Error::EmptySubject);
    }
    limits::check_profile(profile)?;
    let what = || alloc::format!("the key of `{}`", profile.subject.label());
    let refuse = |why: &str| {
        Err(Error::UnsupportedKey {
            what: what(),
            found: alloc::format!("{}", key.algorithm()),
            why: why.into(),
        })
    };
    match key.algorithm() {
        KeyAlgorithm::Rsa { bits: ..2048 } => {
            return refuse("Go and Envoy refuse RSA below 2048 bits");
        }
        KeyAlgorithm::Rsa { bits: 8193.. } => {
            return refuse("Go and Envoy refuse RSA above 8192 bits");
        }
        KeyAlgorithm::Other { oid } if parameter_set(oid.as_bytes()).is_some() => {
            return refuse("istiod and ztunnel do not support it");
        }
        KeyAlgorithm::Other { .. } => return refuse("istiod and Envoy do not support it"),
        _ => {}
    }
    Error::check_sound(key, what)?;
    if let Some(why) = go::refuses_key(key) {
        return refuse(&alloc::format!("Go refuses it: {why}"));
    }
    let last = stamp.not_before + profile.validity;
    for time in [stamp.not_before, last] {
        if time < Time::MIN || time > Time::MAX {
            return Err(Error::TimeRange { time });
        }
    }
    Ok(())
}

/// Refuses an issuer whose certificate does not let it sign certificates.
fn check_issuer(issuer: Issuer<'_>) -> Result<(), Error> {
    check_holder(issuer)?;
    match issuer.cert.extensions().key_usage {
        Some(usage) if !usage.contains(KeyUsage::KEY_CERT_SIGN) => Err(Error::IssuerMayNotSign {
            issuer: issuer.cert.subject().label(),
            usage: usage.names().collect::<Vec<_>>().join(", "),
        }),
        _ => Ok(()),
    }
}

/// Refuses what is not a CA, a key that is not its own, and a key that protects nothing.
fn check_holder(issuer: Issuer<'_>) -> Result<(), Error> {
    let name = || issuer.cert.subject().label();
    Error::check_sound(issuer.cert.public_key(), || {
        alloc::format!("the key of the issuer `{}`", name())
    })?;
    if issuer.signer.public_key() != issuer.cert.public_key() {
        return Err(Error::KeyMismatch {
            subject: name(),
            certificate: issuer.cert.public_key().short_fingerprint(),
            private: issuer.signer.public_key().short_fingerprint(),
        });
    }
    if !issuer.cert.is_ca() {
        return Err(Error::IssuerNotCa { issuer: name() });
    }
    Ok(())
}

/// What must hold between a certificate to be and its issuer.
fn check_pair(profile: &Profile, key: &PublicKey, issuer: &Cert) -> Result<(), Error> {
    if key == issuer.public_key() {
        return Err(Error::KeyReused {
            subject: profile.subject.label(),
            issuer: issuer.subject().label(),
        });
    }
    let Role::Ca { path_len } = profile.role else { return Ok(()) };
    if profile.subject == *issuer.subject() {
        return Err(Error::SubjectIsIssuer { subject: profile.subject.label() });
    }
    // RFC 5280 section 4.2.1.9.
    let allowed = issuer.extensions().basic_constraints.and_then(|c| c.path_len);
    match allowed {
        Some(allowed) if allowed <= path_len.map_or(0, i64::from) => {
            Err(Error::PathLengthExceeded {
                subject: profile.subject.label(),
                issuer: issuer.subject().label(),
                allowed,
                wanted: path_len,
            })
        }
        _ => Ok(()),
    }
}

fn issuer_validity(issuer: &Cert) -> Result<(Time, Time), Error> {
    let time = |raw: &crate::cert::RawTime| {
        raw.time().ok_or_else(|| Error::Der {
            what: alloc::format!("the validity of `{}`", issuer.subject().label()),
            source: DerError { at: 0, what: "not a date RFC 5280 allows" },
        })
    };
    Ok((time(issuer.not_before())?, time(issuer.not_after())?))
}

/// notBefore and notAfter, encoded.
struct Validity(Vec<u8>);

impl Validity {
    fn new(profile: &Profile, not_before: Time, not_after: Time) -> Result<Self, Error> {
        if not_after <= not_before {
            return Err(Error::EmptyValidity {
                subject: profile.subject.label(),
                not_before,
                not_after,
            });
        }
        Ok(Self(der::sequence(&[&encoded(not_before)?, &encoded(not_after)?])))
    }
}

/// A time, encoded (RFC 5280 section 4.1.2.5).
fn encoded(time: Time) -> Result<Vec<u8>, Error> {
    let (generalized, text) = time.to_asn1().ok_or(Error::TimeRange { time })?;
    let tag = if generalized { der::GENERALIZED_TIME } else { der::UTC_TIME };
    Ok(der::tlv(tag, text.as_bytes()))
}

/// TBSCertificate (RFC 5280 section 4.1.2), its parts.
struct Tbs<'a> {
    serial: Serial,
    issuer: &'a crate::Name,
    validity: Validity,
    profile: &'a Profile,
    key: &'a PublicKey,
    extensions: Vec<u8>,
}

fn sign(tbs: &Tbs<'_>, signer: &dyn Signer) -> Result<Cert, Error> {
    let der = sign_bytes(tbs.issuer, signer, |algorithm| {
        der::sequence(&[
            &der::constructed(0xa0, &[&der::integer(&[2])]),
            &der::integer(tbs.serial.as_bytes()),
            algorithm,
            tbs.issuer.as_der(),
            &tbs.validity.0,
            tbs.profile.subject.as_der(),
            tbs.key.as_der(),
            &der::constructed(0xa3, &[&tbs.extensions]),
        ])
    })?;
    Cert::from_der(&der).map_err(|source| Error::Der { what: "the new certificate".into(), source })
}

/// What is to be signed, made with the AlgorithmIdentifier in it, with that and its signature after it.
fn sign_bytes(
    issuer: &crate::Name,
    signer: &dyn Signer,
    to_be_signed: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let algorithm =
        signer.public_key().signing_algorithm().ok_or_else(|| Error::UnsupportedKey {
            what: alloc::format!("the key of `{}`", issuer.label()),
            found: alloc::format!("{}", signer.public_key().algorithm()),
            why: "its signature algorithm is not supported".into(),
        })?;
    let bytes = to_be_signed(&algorithm);
    let signature =
        signer.sign(&bytes).map_err(|source| Error::Sign { issuer: issuer.label(), source })?;
    Ok(der::sequence(&[&bytes, &algorithm, &der::bit_string(&signature)]))
}

/// authorityKeyIdentifier of what `issuer` signs (RFC 5280 section 4.2.1.1).
fn authority_key_id(issuer: &Cert) -> Vec<u8> {
    let own = issuer.extensions().subject_key_id.clone();
    let id = own.unwrap_or_else(|| issuer.public_key().key_id().to_vec());
    der::sequence(&[&der::tlv(der::context(0), &id)])
}

/// SEQUENCE OF Extension, in the order the module's documentation gives.
fn extensions(profile: &Profile, key: &PublicKey, issuer: Option<&Cert>) -> Vec<u8> {
    let mut list: Vec<Vec<u8>> = Vec::new();
    if profile.key_usage.0 != 0 {
        list.push(extension(oid::KEY_USAGE, true, &key_usage(profile.key_usage)));
    }
    if !profile.ext_key_usage.is_empty() {
        let usages: Vec<Vec<u8>> =
            profile.ext_key_usage.iter().map(|oid| der::tlv(der::OID, oid.as_bytes())).collect();
        list.push(extension(oid::EXT_KEY_USAGE, false, &sequence_of(&usages)));
    }
    list.push(extension(oid::BASIC_CONSTRAINTS, true, &profile.role.basic_constraints()));
    let key_id = profile.subject_key_id.clone().unwrap_or_else(|| key.key_id().to_vec());
    list.push(extension(oid::SUBJECT_KEY_ID, false, &der::tlv(der::OCTET_STRING, &key_id)));
    if let Some(issuer) = issuer {
        list.push(extension(oid::AUTHORITY_KEY_ID, false, &authority_key_id(issuer)));
    }
    if !profile.subject_alt_names.is_empty() {
        let names: Vec<Vec<u8>> =
            profile.subject_alt_names.iter().map(GeneralName::to_der).collect();
        list.push(extension(
            oid::SUBJECT_ALT_NAME,
            profile.subject.is_empty(),
            &sequence_of(&names),
        ));
    }
    if !profile.permitted_uri_hosts.is_empty() {
        list.push(extension(
            oid::NAME_CONSTRAINTS,
            true,
            &name_constraints(&profile.permitted_uri_hosts),
        ));
    }
    list.extend(
        profile.extra_extensions.iter().map(|e| extension(e.oid.as_bytes(), e.critical, &e.value)),
    );
    sequence_of(&list)
}

mod crl;
mod made;

pub use crl::{CrlStamp, crl_signature, issue_crl};

#[cfg(test)]
mod tests;
