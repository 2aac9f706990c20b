//! Envoy: BoringSSL's `X509_verify_cert` as its default validator calls it, of the newest release and of an older one.

use meshpki::verify::boringssl::{self, Policy, Release};
use meshpki::verify::{Reason, Rejection};
use meshpki::{Cert, Crl};

use super::{Judge, Verifier};
use crate::judges::boringssl as judge;
use crate::world::Pki;

/// Envoy of one release.
#[derive(Clone, Copy, Debug)]
pub struct Envoy(Release);

/// The newest BoringSSL with a model.
pub const ENVOY: Envoy = Envoy(Release::September2026);
/// The one before the store's order and the constraints changed.
pub const OLDER: Envoy = Envoy(Release::V1_38);

impl Verifier for Envoy {
    fn name(&self) -> &'static str {
        if self.0 == Release::September2026 { "envoy" } else { "envoy-1.38" }
    }

    fn ours(&self, pki: &Pki) -> Result<(), Rejection> {
        // What OpenSSL cannot read BoringSSL cannot either; and nothing may follow the encoding.
        let cert = |der: &Vec<u8>| Cert::from_der(der).ok().filter(|c| c.as_der() == der);
        let crl = |der: &Vec<u8>| Crl::from_der(der).ok().filter(|c| c.as_der() == der);
        let certs = |list: &[Vec<u8>]| list.iter().map(cert).collect::<Option<Vec<_>>>();
        let crls = pki.crls.iter().map(crl).collect::<Option<Vec<_>>>();
        let (Some(leaf), Some(sent), Some(roots), Some(crls)) =
            (cert(&pki.leaf), certs(&pki.intermediates), certs(&pki.roots), crls)
        else {
            return Err(boringssl::unreadable());
        };
        let policy = Policy::new(pki.at).with_release(self.0);
        boringssl::verify(&leaf, &sent, &roots, &crls, &policy).map(drop)
    }

    fn judge(&self) -> Option<Judge> {
        judge::judge(self.0).map(|program| Judge::start(&program))
    }

    /// The class is BoringSSL's number, of which each has its own words.
    fn agrees(&self, ours: &Rejection, class: &str, words: &str) -> bool {
        let is_named = match class {
            "unreadable" => ours.reason == Reason::Unreadable,
            "key" => ours.reason == Reason::Algorithm,
            number => number.parse::<u8>().is_ok(),
        };
        is_named && ours.text == words
    }
}
