//! The plan as JSON; `docs/schemas/trust-plan.json` says what the keys are.

use meshpki::federation::{TrustChange, TrustGap};
use meshpki::istiod::Verifier;
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use super::{Situation, changed_files, gaps, text};

/// The document.
pub(super) fn write(situation: &Situation, at: Time) -> Value {
    let pushes = (0..situation.plan.pushes.len()).map(|number| push(situation, number));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "TrustPlan",
        "at": at.to_string(),
        "notPushed": situation.unpushed().map(|index| situation.name(index)).collect::<Vec<_>>(),
        "notRead": situation.read.unread(),
        "pushes": pushes.collect::<Vec<_>>(),
        "lacking": gaps(situation).into_iter().map(|gap| lacking(situation, gap)).collect::<Vec<_>>(),
    })
}

fn push(situation: &Situation, number: usize) -> Value {
    let push = &situation.plan.pushes[number];
    let cluster = &situation.read.clusters[push.cluster];
    let changes = changed_files(push, cluster).into_iter().flat_map(|(file, changes)| {
        changes.into_iter().filter_map(move |change| changed(file, change))
    });
    let accepts =
        situation.accepts[number].iter().copied().map(|(truster, signer, verifier, end)| {
            json!({
                "truster": situation.name(truster),
                "signer": situation.name(signer),
                "verifier": if verifier == Verifier::Ztunnel { "ztunnel" } else { "envoy" },
                "until": end.map(|end| end.to_string()),
            })
        });
    json!({
        "cluster": cluster.name,
        "changes": changes.collect::<Vec<_>>(),
        "accepts": accepts.collect::<Vec<_>>(),
    })
}

fn changed(file: &str, change: &TrustChange) -> Option<Value> {
    let (kind, cert) = match change {
        TrustChange::Root { root, .. } => ("addRoot", root),
        TrustChange::Bridge { bridge, .. } => ("addBridge", bridge),
        TrustChange::Replaced { bridge } => ("removeBridge", bridge),
        _ => return None,
    };
    Some(json!({
        "file": file,
        "change": kind,
        "subject": cert.subject().to_string(),
        "issuer": cert.issuer().to_string(),
        "until": until(cert),
    }))
}

fn until(cert: &Cert) -> Option<String> {
    cert.not_after().time().map(|end| end.to_string())
}

fn lacking(situation: &Situation, gap: &TrustGap) -> Value {
    let what = match gap {
        TrustGap::NoBridge { .. } => "bridge",
        TrustGap::SecondBridge { .. } => "secondBridge",
        TrustGap::TrustedDirectly { .. } => "trustedDirectly",
        TrustGap::OneRoot { .. } => "oneRoot",
        TrustGap::SameDomain { .. } => "sameDomain",
        TrustGap::NoSharedRoot { .. } => "sharedRoot",
        TrustGap::DomainNotAccepted { .. } => "trustDomain",
        TrustGap::NoAnchor { .. } => "anchor",
        TrustGap::Refused { .. } => "refused",
        TrustGap::WouldRefuse { .. } => "wouldRefuse",
        _ => "other",
    };
    let cluster = match gap {
        TrustGap::NoAnchor { cluster } => Some(*cluster),
        gap => gap.pair().map(|(truster, _)| truster),
    };
    let name = |index: usize| situation.name(index);
    json!({
        "what": what,
        "truster": cluster.map(name),
        "signer": gap.pair().map(|(_, signer)| name(signer)),
        "why": text::lacking(situation, gap),
        "command": text::command(situation, gap),
    })
}
