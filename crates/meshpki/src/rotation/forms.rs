//! The secrets that a cluster holds on its way from one CA to another, each made from the one it has and the goal.

use alloc::string::String;
use alloc::vec::Vec;

use super::judge::Read;
use super::{RotationPhase, RotationStrategy, lacking_roots};
use crate::cacerts::{Layout, Secret};
use crate::cert::{Cert, fingerprints};
use crate::chain::{is_bridge, issued};

/// A secret on the way.
pub(super) struct Form {
    pub(super) to: RotationPhase,
    pub(super) secret: Secret,
}

/// How far a cluster with `live` is on its way to `goal`.
pub(super) fn phase(live: &Read<'_>, goal: &Read<'_>) -> RotationPhase {
    let (have, want) = (&live.parts.roots, &goal.parts.roots);
    let trusts_new = lacking_roots(want, have).is_empty();
    let only_new = fingerprints(have) == fingerprints(want);
    // The same certificate, not only the same name and key.
    let signs_new = live.parts.ca.is_some() && live.parts.ca == goal.parts.ca;
    match (signs_new, trusts_new) {
        _ if live.secret.for_istiod() == goal.secret.for_istiod() => RotationPhase::Done,
        (true, true) if only_new => RotationPhase::Switched,
        (true, true) => RotationPhase::Activated,
        (true, false) => RotationPhase::Bridged,
        (false, true) => RotationPhase::Prepared,
        (false, false) => RotationPhase::Old,
    }
}

/// The forms that come after `live`, the last phase first; those of one phase in the order in which they are preferred.
pub(super) fn after(
    live: &Read<'_>,
    goal: &Read<'_>,
    bridges: &[Cert],
    strategy: RotationStrategy,
) -> Vec<Form> {
    use RotationPhase::{Activated, Bridged, Done, Old, Prepared, Switched};
    let now = phase(live, goal);
    let form = |to, secret| Form { to, secret };
    let mut forms = Vec::new();
    if now == Done {
        return forms;
    }
    forms.push(form(Done, goal.secret.for_istiod()));
    if matches!(now, Bridged | Activated) {
        forms.push(form(Switched, with_roots_of(live, goal)));
    }
    match now {
        Prepared => forms.push(form(Activated, signing(goal, live, &[]))),
        // The bridge is sent on, until the old root is gone.
        Bridged if strategy == RotationStrategy::Overlap => {
            forms.push(form(Activated, with_both_roots(live, goal)));
        }
        _ => {}
    }
    if now == Old && strategy != RotationStrategy::Overlap {
        let sent = sendable(live, goal, bridges);
        forms.extend(sent.iter().map(|sent| form(Bridged, signing(goal, live, sent))));
    }
    if now == Old && strategy != RotationStrategy::Bridge {
        forms.push(form(Prepared, with_both_roots(live, goal)));
    }
    forms
}

/// What a cluster may send after its new CA: one bridge for a root of the goal, and those that it sends already for its
/// old roots, by which other clusters know them. Those under its own roots come first. Of two bridges for one root Envoy
/// follows the first only, so that there is one.
fn sendable(live: &Read<'_>, goal: &Read<'_>, bridges: &[Cert]) -> Vec<Vec<Cert>> {
    let (old, new) = (&live.parts.roots, &goal.parts.roots);
    let sent = live.parts.chain.iter();
    let onward: Vec<Cert> = sent.filter(|cert| is_bridge(cert, old)).cloned().collect();
    let usable = bridges.iter().filter(|bridge| is_bridge(bridge, new));
    let (mut own, others): (Vec<&Cert>, Vec<&Cert>) =
        usable.partition(|bridge| old.iter().any(|root| issued(root, bridge)));
    own.extend(others);
    own.into_iter().map(|bridge| [core::slice::from_ref(bridge), &onward].concat()).collect()
}

/// The CA of `signer`, which sends `bridges` too, with the roots of `truster`, every byte of them kept.
fn signing(signer: &Read<'_>, truster: &Read<'_>, bridges: &[Cert]) -> Secret {
    let layout = signer.secret.layout(signer.version);
    let file = |secret: &Secret, name: &str| secret.get(name).unwrap_or_default().to_vec();
    let (roots, below): (Vec<&Cert>, Vec<&Cert>) =
        signer.parts.chain.iter().partition(|cert| cert.is_self_issued());
    let sent = below.into_iter().chain(bridges).chain(roots);
    let sent: String = sent.map(Cert::to_pem).collect();
    let [ca, key, chain] = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem"];
    let sent = if bridges.is_empty() && layout == Layout::Istio {
        file(signer.secret, chain)
    } else {
        sent.into_bytes()
    };
    let mut secret: Secret = [
        (ca, file(signer.secret, layout.ca_file())),
        (key, file(signer.secret, layout.key_file())),
        (chain, sent),
        (
            "root-cert.pem",
            file(truster.secret, truster.secret.layout(truster.version).roots_file()),
        ),
    ]
    .into_iter()
    .collect();
    if let Some(crl) = signer.secret.crl(signer.version) {
        secret.insert("ca-crl.pem", crl.to_vec());
    }
    secret
}

/// `live` with the roots of `goal` instead of its own.
fn with_roots_of(live: &Read<'_>, goal: &Read<'_>) -> Secret {
    let mut secret = live.secret.for_istiod();
    let roots = goal.secret.get(goal.secret.layout(goal.version).roots_file());
    let file = live.secret.layout(live.version).roots_file();
    secret.insert(file, roots.unwrap_or_default().to_vec());
    secret
}

/// `live` with the roots of `goal` after its own.
fn with_both_roots(live: &Read<'_>, goal: &Read<'_>) -> Secret {
    let mut secret = live.secret.for_istiod();
    let new = lacking_roots(&goal.parts.roots, &live.parts.roots);
    let text: String = new.iter().map(Cert::to_pem).collect();
    secret.append(live.secret.layout(live.version).roots_file(), &text);
    secret
}
