//! CRLs: what a CA revoked, a number and two times make a list that verifiers take, or a refusal that says why
//! (RFC 5280 section 5).

use alloc::vec::Vec;
use core::time::Duration;

use super::{Issuer, Stamp, check_holder, encoded, sign_bytes};
use crate::cert::encode::{extension, sequence_of};
use crate::cert::{Cert, KeyUsage};
use crate::crl::Crl;
use crate::der;
use crate::error::Error;
use crate::oid;
use crate::revocation::{Revocation, RevocationReason};
use crate::signature::{self, SignatureCheck, SignatureInput};
use crate::time::Time;

/// Which CRL, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlStamp {
    number: u64,
    this_update: Time,
    next_update: Time,
}

impl CrlStamp {
    /// A stamp for a CRL made at `now`, after one with the number `last`, if there is one.
    ///
    /// thisUpdate is [`Stamp::BACKDATE`] before `now`, so that a peer whose clock is slow takes the list; nextUpdate is
    /// `validity` after `now`, in whole seconds. The number is that of the second, or one more than `last`: it goes up
    /// also if the last list is lost or if another checkout made it.
    #[must_use]
    pub fn made_at(now: Time, validity: Duration, last: Option<u64>) -> Self {
        let next = last.map_or(0, |last| last.saturating_add(1));
        Self {
            number: u64::try_from(now.0).unwrap_or(0).max(next),
            this_update: now - Stamp::BACKDATE,
            next_update: now + validity,
        }
    }

    /// cRLNumber.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// nextUpdate.
    #[must_use]
    pub const fn next_update(&self) -> Time {
        self.next_update
    }
}

/// Makes the CRL of `issuer`: version 2, with authorityKeyIdentifier and cRLNumber. It is complete: not a delta, for all
/// certificates of the issuer and all reasons.
///
/// Entries are sorted by serial number; of two for one certificate the first counts.
///
/// # Errors
/// `pki/issuer-not-ca`, `pki/issuer-may-not-sign-crls`, `pki/key-mismatch`, `pki/forgeable-key`, `pki/time-range`,
/// `pki/unsupported-key`, `pki/sign`, `pki/not-verifiable`.
pub fn issue_crl(
    revoked: &[Revocation],
    issuer: Issuer<'_>,
    stamp: CrlStamp,
) -> Result<Crl, Error> {
    check_holder(issuer)?;
    let may_sign = |usage: KeyUsage| usage.contains(KeyUsage::CRL_SIGN);
    if let Some(usage) = issuer.cert.extensions().key_usage.filter(|usage| !may_sign(*usage)) {
        return Err(Error::IssuerMayNotSignCrls {
            issuer: issuer.cert.subject().label(),
            usage: usage.names().collect::<Vec<_>>().join(", "),
        });
    }
    let mut revoked: Vec<&Revocation> = revoked.iter().collect();
    revoked.sort_by(|a, b| a.serial.cmp(&b.serial));
    revoked.dedup_by(|a, b| a.serial == b.serial);
    let entries = revoked.iter().map(|entry| encode(entry)).collect::<Result<Vec<_>, _>>()?;
    // The list is absent if it is empty (RFC 5280 section 5.1.2.6).
    let entries = if entries.is_empty() { Vec::new() } else { sequence_of(&entries) };
    let times = [encoded(stamp.this_update)?, encoded(stamp.next_update)?];
    let extensions = sequence_of(&[
        extension(oid::AUTHORITY_KEY_ID, false, &super::authority_key_id(issuer.cert)),
        extension(oid::CRL_NUMBER, false, &der::integer(&stamp.number.to_be_bytes())),
    ]);
    let name = issuer.cert.subject();
    let list = sign_bytes(name, issuer.signer, |algorithm| {
        der::sequence(&[
            &der::integer(&[1]),
            algorithm,
            name.as_der(),
            &times[0],
            &times[1],
            &entries,
            &der::constructed(0xa0, &[&extensions]),
        ])
    })?;
    let crl =
        Crl::from_der(&list).map_err(|source| Error::Der { what: "the new CRL".into(), source })?;
    check(&crl, &revoked, issuer.cert, stamp)?;
    Ok(crl)
}

/// Whether a CA signed a CRL; another name than its own is [`SignatureCheck::Bad`].
#[must_use]
pub fn crl_signature(crl: &Crl, issuer: &Cert) -> SignatureCheck {
    if crl.issuer() != issuer.subject() {
        return SignatureCheck::Bad;
    }
    signature::check(&SignatureInput {
        algorithm: crl.signature_algorithm(),
        message: crl.tbs(),
        signature: crl.signature(),
        key: issuer.public_key(),
    })
}

/// One entry (RFC 5280 section 5.3); no reason is left out, as the section asks for.
fn encode(entry: &Revocation) -> Result<Vec<u8>, Error> {
    let serial = der::tlv(der::INTEGER, &entry.serial);
    let at = encoded(entry.at)?;
    if entry.reason == RevocationReason::Unspecified {
        return Ok(der::sequence(&[&serial, &at]));
    }
    let reason =
        extension(oid::CRL_REASON, false, &der::tlv(der::ENUMERATED, &[entry.reason.number()]));
    Ok(der::sequence(&[&serial, &at, &sequence_of(&[reason])]))
}

/// Refuses a list that does not say what it should, or whose signature is not by the issuer's key.
fn check(crl: &Crl, revoked: &[&Revocation], issuer: &Cert, stamp: CrlStamp) -> Result<(), Error> {
    let refuse = |text: &'static str| {
        let issuer = issuer.subject().label();
        Err(Error::NotVerifiable { subject: alloc::format!("CRL of {issuer}"), issuer, text })
    };
    if crl_signature(crl, issuer) == SignatureCheck::Bad {
        return refuse("CRL signature failure");
    }
    let is_listed = |entry: &&Revocation| {
        let found = crl.lookup(&entry.serial, issuer.subject());
        let reason = Some(i64::from(entry.reason.number())).filter(|number| *number != 0);
        found.is_some_and(|found| found.reason == reason)
    };
    let says_all = crl.issuer() == issuer.subject()
        && crl.len() == revoked.len()
        && revoked.iter().all(is_listed)
        && crl.number_value() == Some(stamp.number)
        && crl.this_update().time() == Some(stamp.this_update)
        && crl.next_update().and_then(crate::cert::RawTime::time) == Some(stamp.next_update);
    if says_all { Ok(()) } else { refuse("it does not say what it was made from") }
}
