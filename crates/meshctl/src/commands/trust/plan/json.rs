//! The plan as JSON; `docs/schemas/trust-plan.json` says what the keys are.

use meshpki::federation::{TrustChange, TrustGap};
use meshpki::istiod::Verifier;
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use super::{Situation, files, gaps, text};

/// The document.
pub(super) fn write(situation: &Situation, at: Time) -> Value {
    let pushes = (0..situation.plan.pushes.len()).map(|number| push(situation, number));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "TrustPlan",
        "at": at.to_string(),
        "notPushed": situation.unpushed().map(|index| situation.name(index)).collect::<Vec<_>>(),
        "pushes": pushes.collect::<Vec<_>>(),
        "lacking": gaps(situation).into_iter().map(|gap| lacking(situation, gap)).collect::<Vec<_>>(),
    })
}

fn push(situation: &Situation, number: usize) -> Value {
    let push = &situation.plan.pushes[number];
    let cluster = &situation.read.clusters[push.cluster];
    let changes = files(push, cluster).into_iter().flat_map(|(file, changes)| {
        changes.into_iter().filter_map(move |change| changed(file, change))
    });
    let accepts = situation.steps[number].accepts.iter().map(|(truster, signer, verifier, end)| {
        json!({
            "truster": situation.name(*truster),
            "signer": situation.name(*signer),
            "verifier": if *verifier == Verifier::Ztunnel { "ztunnel" } else { "envoy" },
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
    let (kind, truster, signer) = match gap {
        TrustGap::NoBridge { truster, signer, .. } => ("bridge", *truster, Some(*signer)),
        TrustGap::TrustedDirectly { truster, signer, .. } => {
            ("trustedDirectly", *truster, Some(*signer))
        }
        TrustGap::Unscoped { truster, signer, .. } => ("unscoped", *truster, Some(*signer)),
        TrustGap::NoSharedRoot { truster, signer } => ("sharedRoot", *truster, Some(*signer)),
        TrustGap::DomainNotAccepted { truster, signer } => ("trustDomain", *truster, Some(*signer)),
        TrustGap::NoAnchor { cluster } => ("anchor", *cluster, None),
        _ => ("other", 0, None),
    };
    json!({
        "what": kind,
        "truster": situation.name(truster),
        "signer": signer.map(|index| situation.name(index)),
        "why": text::lacking(situation, gap).lines().next(),
        "command": text::command(situation, gap),
    })
}
