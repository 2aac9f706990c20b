//! A rotation for programs; `docs/schemas/root-rotation.json` and `root-rotation-plan.json` say what the keys are.

use meshpki::istiod::Version;
use meshpki::rotation::{RotationBlock, RotationCourse, RotationDecision, RotationMove, SeenCerts};
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use super::read::{Member, Partner, Sighted, Situation};

/// The status: how far each cluster is, what was seen there, and what keeps it.
pub(super) fn status(situation: &Situation, decision: &RotationDecision) -> Value {
    let clusters = situation.clusters.iter().zip(&decision.phases).enumerate();
    let clusters: Vec<Value> = clusters
        .map(|(index, (cluster, phase))| {
            let of = decision.blocks.iter().filter(|(of, _)| *of == index);
            let blocks: Vec<Value> = of
                .flat_map(|(_, blocks)| blocks)
                .map(|block| self::block(situation, block))
                .collect();
            let next = decision.moves.iter().find(|one| one.cluster == index);
            let mut value = json!({
                "name": cluster.name,
                "phase": phase.word(),
                "next": next.map(|one| one.to.word()),
                "blocks": blocks,
            });
            value["seen"] = cluster.seen.as_ref().map(|seen| self::seen(cluster, seen)).into();
            value
        })
        .collect();
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "RootRotation",
        "at": situation.at.to_string(),
        "done": decision.is_done(),
        "comeBackAfter": time(decision.wakes()),
        "safeFrom": time(decision.opens()),
        "clusters": clusters,
        "partners": partners(situation),
        "failures": situation.failures.iter().map(|one| one.sentence()).collect::<Vec<_>>(),
    })
}

fn partners(situation: &Situation) -> Vec<Value> {
    let partners = situation.partners.iter();
    let one = |partner: &Partner| json!({"name": partner.name, "roots": certs(&partner.roots.roots(Version::NEWEST))});
    partners.map(one).collect()
}

/// The plan: the pushes that are left, in groups.
pub(super) fn plan(situation: &Situation, course: &RotationCourse) -> Value {
    let name = |index: usize| situation.name(index);
    let push = |one: &RotationMove| json!({"cluster": name(one.cluster), "to": one.to.word()});
    let steps: Vec<Vec<Value>> =
        course.steps.iter().map(|step| step.moves.iter().map(push).collect()).collect();
    let stuck: Vec<Value> = course
        .stuck
        .iter()
        .map(|(cluster, blocks)| {
            let blocks: Vec<Value> = blocks.iter().map(|one| block(situation, one)).collect();
            json!({"cluster": name(*cluster), "blocks": blocks})
        })
        .collect();
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "RootRotationPlan",
        "at": situation.at.to_string(),
        "steps": steps,
        "stuck": stuck,
        "failures": situation.failures.iter().map(|one| one.sentence()).collect::<Vec<_>>(),
    })
}

/// What was seen in a cluster that answered, and how.
fn seen(cluster: &Member, seen: &Sighted) -> Value {
    let version = cluster.version();
    let kinds =
        |all: &mut dyn Iterator<Item = &SeenCerts>| -> Vec<Value> { all.map(kind).collect() };
    let unseen = seen.sightings.unseen.iter();
    let unseen: Vec<Value> = unseen
        .map(|one| json!({"who": one.who, "why": one.why, "until": time(one.until)}))
        .collect();
    let served = seen.found.served.iter();
    let served: Vec<Value> = served
        .map(|pod| {
            let chain = pod.served.as_deref().ok().map(certs);
            json!({"pod": pod.pod, "chain": chain, "error": pod.served.as_ref().err()})
        })
        .collect();
    json!({
        "ca": cluster.live.ca(version).as_ref().map(cert),
        "istiodsOwn": cluster.own,
        "roots": certs(&cluster.live.roots(version)),
        "istiod": served,
        "proxies": {
            "asked": seen.asked,
            "rejected": seen.rejected,
            "show": kinds(&mut seen.sightings.shown()),
            "trust": kinds(&mut seen.sightings.trusted()),
            "unseen": unseen,
        },
    })
}

/// Proxies that have the same.
fn kind(seen: &SeenCerts) -> Value {
    json!({
        "certificates": certs(&seen.certs),
        "who": seen.who,
        "renews": time(seen.renews),
        "ends": time(seen.ends),
    })
}

fn certs(certs: &[Cert]) -> Vec<Value> {
    certs.iter().map(cert).collect()
}

fn cert(cert: &Cert) -> Value {
    json!({
        "subject": cert.subject().to_string(),
        "issuer": cert.issuer().to_string(),
        "sha256": cert.fingerprint(),
        "notAfter": time(cert.not_after().time()),
    })
}

fn block(situation: &Situation, block: &RotationBlock) -> Value {
    let name = |index: usize| situation.name(index);
    match block {
        RotationBlock::Rejected(one) => json!({
            "reason": "rejected",
            "truster": name(one.truster),
            "signer": name(one.signer),
            "verifier": one.verifier.to_string(),
            "why": one.why,
            "holder": {
                "cluster": name(one.holder.cluster),
                "has": if one.holder.shows { "certificate" } else { "roots" },
                "what": one.holder.what,
                "who": one.holder.who,
                "renews": time(one.holder.renews),
                "ends": time(one.holder.ends),
            },
        }),
        RotationBlock::NoBridge { root, under } => json!({
            "reason": "noBridge", "root": cert(root), "under": certs(under),
        }),
        RotationBlock::Unfinished { cluster, why } => json!({
            "reason": "unfinished", "cluster": name(*cluster), "why": why,
        }),
        RotationBlock::Unknown { cluster, why, until } => json!({
            "reason": "unknown", "cluster": name(*cluster), "why": why, "until": time(*until),
        }),
        _ => json!({"reason": "other"}),
    }
}

fn time(time: Option<Time>) -> Option<String> {
    time.map(|time| time.to_string())
}
