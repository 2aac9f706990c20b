//! Validity times (`crypto/x509/x509_vfy.c: X509_cmp_time`, `ossl_x509_check_cert_time`).

use super::{Run, Step};
use crate::cert::{Cert, RawTime};
use crate::time::Time;

/// The first instant OpenSSL can compare with: year 0.
const FIRST: Time = Time(-62_167_219_200);

/// A time in a certificate, relative to the time of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is past, or this very second.
    Reached,
    /// It is to come.
    Ahead,
    /// It does not have the form RFC 5280 requires, or the time of verification does not.
    Unreadable,
}

/// `crypto/x509/x509_vfy.c: X509_cmp_time`.
pub(super) fn place(time: &RawTime, at: Time) -> Place {
    match time.time() {
        Some(_) if at < FIRST || at > Time::MAX => Place::Unreadable,
        Some(time) if time <= at => Place::Reached,
        Some(_) => Place::Ahead,
        None => Place::Unreadable,
    }
}

/// Whether a certificate is valid at a time; always, when no time is checked.
pub(super) fn is_valid(cert: &Cert, at: Option<Time>) -> bool {
    at.is_none_or(|at| {
        place(cert.not_before(), at) == Place::Reached
            && place(cert.not_after(), at) == Place::Ahead
    })
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: ossl_x509_check_cert_time`.
    pub(super) fn check_cert_time(&mut self, depth: usize) -> Step {
        let Some(at) = self.policy.at else { return Ok(()) };
        let cert = self.chain[depth].cert;
        match place(cert.not_before(), at) {
            Place::Reached => {}
            Place::Ahead => self.report(9, depth)?,
            Place::Unreadable => self.report(13, depth)?,
        }
        match place(cert.not_after(), at) {
            Place::Ahead => Ok(()),
            Place::Reached => self.report(10, depth),
            Place::Unreadable => self.report(14, depth),
        }
    }
}
