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

/// The newest release with a model, which is the rig's.
pub const ENVOY: Envoy = Envoy(Release::V1_40);
/// The release before the store's order and the constraints changed.
pub const OLDER: Envoy = Envoy(Release::V1_38);

impl Verifier for Envoy {
    fn name(&self) -> &'static str {
        if self.0 == Release::V1_40 { "envoy" } else { "envoy-1.38" }
    }

    fn ours(&self, pki: &Pki) -> Result<(), Rejection> {
        let all = |list: &[Vec<u8>]| -> Option<Vec<Cert>> {
            list.iter().map(|der| Cert::from_der(der).ok()).collect()
        };
        let crls: Option<Vec<Crl>> = pki.crls.iter().map(|der| Crl::from_der(der).ok()).collect();
        let leaf = Cert::from_der(&pki.leaf).ok();
        // What OpenSSL cannot read BoringSSL cannot either.
        let (Some(leaf), Some(sent), Some(roots), Some(crls)) =
            (leaf, all(&pki.intermediates), all(&pki.roots), crls)
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
