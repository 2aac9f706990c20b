//! Go's `crypto/x509` (`tests/judges/go`).

use meshpki::verify::go::{self, Certificate, Options, Pools};
use meshpki::verify::{Reason, Rejection};

use super::{Judge, Verifier};
use crate::judges;
use crate::world::Pki;

/// crypto/x509 with the options istiod has: serverAuth, and pools of what can be read.
#[derive(Debug)]
pub struct Go;

impl Verifier for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn ours(&self, pki: &Pki) -> Result<(), Rejection> {
        let leaf = Certificate::from_der(&pki.leaf)?;
        let mut pools = Pools::default();
        for (pool, list) in
            [(&mut pools.roots, &pki.roots), (&mut pools.intermediates, &pki.intermediates)]
        {
            for cert in list.iter().filter_map(|der| Certificate::from_der(der).ok()) {
                if !pool.contains(&cert) {
                    pool.push(cert);
                }
            }
        }
        go::verify(&leaf, &pools, &Options::at(pki.at)).map(|_chains| ())
    }

    fn judge(&self) -> Option<Judge> {
        Some(Judge::start(&judges::go::program("go-judge", "judges/go")?))
    }

    /// The class, and of an unknown authority also the fault that Go suspects.
    fn agrees(&self, ours: &Rejection, class: &str, words: &str) -> bool {
        let unknown = ours.text.starts_with("x509: certificate signed by unknown authority");
        match class {
            "unreadable" => ours.reason == Reason::Unreadable,
            "critical" => !unknown && ours.reason == Reason::CriticalExtension,
            "invalid-0" => !unknown && ours.reason == Reason::NotCa,
            "invalid-1" => !unknown && matches!(ours.reason, Reason::Expired | Reason::NotYetValid),
            "invalid-2" => !unknown && ours.reason == Reason::NameConstraints,
            "invalid-3" => !unknown && ours.reason == Reason::PathLength,
            "invalid-4" => !unknown && ours.reason == Reason::ExtKeyUsage,
            "invalid-10" => !unknown && ours.reason == Reason::Policy,
            "unknown-authority" => unknown && hint(&ours.text) == hint(words),
            "other" => ours.reason == Reason::Limit && ours.text == words,
            _ => false,
        }
    }
}

/// What Go suspects, without what follows a colon: that has the words of other packages.
fn hint(words: &str) -> &str {
    let words = words.split(" while trying to verify").next().unwrap_or_default();
    words.split_once("current time").map_or(words, |(words, _)| words)
}
