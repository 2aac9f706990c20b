//! The report as JSON; `docs/schemas/report.json` says what the keys are.

use meshconfig::graph::Way;
use meshpki::Time;
use meshpki::rotation::RotationPhase;
use serde_json::{Value, json};

use super::ends::{End, Phase, Use};
use super::{Call, Cluster, Page, Place, Rotation, how};
use crate::exit::Exit;
use crate::fleet::problems::{State, error, pair, problem};
use crate::text;

/// The kind of the document.
pub(super) const KIND: &str = "Report";

/// The document.
pub(super) fn write(page: &Page, exit: Exit) -> Value {
    let findings = page.findings.iter();
    let calls = page.calls.iter().flat_map(|calls| &calls.rows);
    let folders = page.source.folders.iter().map(|dir| dir.display().to_string());
    json!({
        "apiVersion": "meshctl/v1",
        "kind": KIND,
        "mesh": page.mesh,
        "at": page.at.to_string(),
        "good": exit == Exit::Good,
        "source": { "live": page.source.is_live, "folders": folders.collect::<Vec<_>>() },
        "clusters": page.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "trust": page.pairs.iter().map(pair).collect::<Vec<_>>(),
        "problems": findings.map(|one| problem(&one.problem, &one.fix, &one.next)).collect::<Vec<_>>(),
        "expiry": {
            "withinSeconds": page.within.as_secs(),
            "items": page.ends.iter().map(|one| end(one, page.at)).collect::<Vec<_>>(),
        },
        "rotation": page.rotation.as_ref().map(rotation),
        "calls": calls.map(call).collect::<Vec<_>>(),
        "next": page.next,
    })
}

fn cluster(cluster: &Cluster) -> Value {
    let (path, context, server) = match &cluster.place {
        Place::Context { context, server } => (None, Some(context), Some(server)),
        Place::Folder(path) => (Some(path.display().to_string()), None, None),
        Place::NoFolder => (None, None, None),
    };
    let lines = cluster.lines.iter().flatten();
    json!({
        "name": cluster.name,
        "path": path,
        "context": context,
        "server": server,
        "state": cluster.state.map_or("unknown", State::word),
        "error": cluster.lines.as_ref().err().map(error),
        "lines": lines.map(|(what, text)| json!({"what": what, "text": text})).collect::<Vec<_>>(),
    })
}

fn end(end: &End, at: Time) -> Value {
    let cert = &end.cert;
    let subject = cert.subject().to_string();
    let mut value = text::ending(&subject, Some(cert.serial()), &cert.fingerprint(), end.end, at);
    let time = |time: Option<Time>| time.map(|time| time.to_string());
    value["notBefore"] = time(end.begin).into();
    value["replaceFrom"] = time(end.replace).into();
    value["dueFrom"] = time(end.due).into();
    value["state"] = state(end.phase).into();
    let uses = end.uses.iter();
    value["uses"] =
        uses.map(|(as_, clusters)| json!({"as": used_as(*as_), "clusters": clusters})).collect();
    value
}

const fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Fine => "ok",
        Phase::Replace => "replace",
        Phase::Due => "due",
        Phase::Ended => "expired",
        Phase::Early => "early",
        Phase::Unreadable => "unreadable",
    }
}

const fn used_as(one: Use) -> &'static str {
    match one {
        Use::Ca => "ca",
        Use::Chain => "chain",
        Use::Root => "root",
    }
}

fn rotation(rotation: &Rotation) -> Value {
    let clusters = rotation.clusters.iter();
    let cluster = |(name, phase): &(String, Option<RotationPhase>)| json!({"name": name, "phase": phase.map(RotationPhase::word)});
    json!({ "clusters": clusters.map(cluster).collect::<Vec<_>>(), "next": rotation.next })
}

fn call(call: &Call) -> Value {
    let way = match call.way {
        Way::Own => "own",
        Way::Sni => "sni",
        Way::Rewrite => "rewrite",
        Way::Registry => "registry",
        Way::Direct => "direct",
    };
    json!({
        "from": call.from,
        "to": call.to,
        "way": way,
        "how": how(call.way),
        "services": call.services,
    })
}
