//! The report as JSON; `docs/schemas/trust-matrix.json` says what the keys are.

use meshpki::federation::{TrustAnswer, TrustCell};
use meshpki::istiod::Verifier;
use serde_json::{Value, json};

use super::{Known, Report};

/// The document.
pub(super) fn write(report: &Report<'_>) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "TrustMatrix",
        "at": report.at.to_string(),
        "afterPushes": report.after,
        "clusters": report.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "pairs": report.cells.iter().map(|cell| pair(report, cell)).collect::<Vec<_>>(),
        "beyondSpec": report.wider.iter().map(|one| json!({
            "truster": report.name(one.impersonation.truster),
            "signer": report.name(one.signer),
            "verifier": verifier(one.impersonation.verifier),
            "trustDomain": one.impersonation.trust_domain.as_str(),
        })).collect::<Vec<_>>(),
        "ifLeaked": report.leaked.as_ref().map(|(place, found)| json!({
            "cluster": report.name(*place),
            "impersonations": found.iter().map(|one| json!({
                "truster": report.name(one.truster),
                "verifier": verifier(one.verifier),
                "trustDomain": one.trust_domain.as_str(),
            })).collect::<Vec<_>>(),
        })),
    })
}

fn cluster(cluster: &Known) -> Value {
    json!({
        "name": cluster.name,
        "trustDomain": cluster.trust_domain.as_str(),
        "istioVersion": cluster.version.to_string(),
        "ambient": cluster.ambient,
    })
}

fn pair(report: &Report<'_>, cell: &TrustCell) -> Value {
    let (answer, end, refusal) = match &cell.answer {
        TrustAnswer::Accepted(end) => ("accepted", end.as_ref(), None),
        TrustAnswer::Refused(refusal) => ("refused", None, Some(refusal)),
        TrustAnswer::Unknown => ("unknown", None, None),
    };
    json!({
        "truster": report.name(cell.truster),
        "signer": report.name(cell.signer),
        "verifier": verifier(cell.verifier),
        "needed": !report.is_spared(cell),
        "answer": answer,
        "until": end.map(|end| end.at.to_string()),
        "endsFirst": end.map(|end| &end.what),
        "reason": refusal.map(|refusal| refusal.reason.map_or("trust-domain", meshpki::verify::Reason::name)),
        "why": refusal.map(|refusal| &refusal.why),
        "change": refusal.map(|refusal| &refusal.change),
    })
}

fn verifier(verifier: Verifier) -> &'static str {
    match verifier {
        Verifier::Ztunnel => "ztunnel",
        _ => "envoy",
    }
}
