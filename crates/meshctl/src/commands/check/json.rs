//! The report as JSON; `docs/schemas/check.json` says what the keys are.

use meshpki::istiod::StartOutcome;
use serde_json::{Value, json};

use super::{Judged, Report, State};
use crate::fleet::problems::{istiod, problem};

/// The document.
pub(super) fn write(report: &Report) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "Check",
        "at": report.at.to_string(),
        "istioVersion": report.settings.version.to_string(),
        "multiRoot": report.settings.multi_root,
        "ambient": report.ambient,
        "clusters": report.clusters.iter().map(|c| cluster(report, c)).collect::<Vec<_>>(),
        "between": report.between().map(State::word),
        "problems": report.problems.iter().map(|p| problem(p, &report.fix(p), &report.next(p))).collect::<Vec<_>>(),
    })
}

fn cluster(report: &Report, cluster: &Judged) -> Value {
    let (kind, subject, log) = match &cluster.start.1 {
        StartOutcome::Plugged { ca } => ("plugged", Some(ca.subject().to_string()), None),
        StartOutcome::RefusesToStart { log, .. } => ("refusesToStart", None, Some(log)),
        StartOutcome::SelfSigned { log, .. } => ("selfSigned", None, Some(log)),
        _ => ("unknown", None, None),
    };
    json!({
        "name": cluster.name,
        "path": cluster.path.as_ref().map(|path| path.display().to_string()),
        "context": cluster.live.as_ref().map(|live| &live.context),
        "server": cluster.live.as_ref().map(|live| &live.server),
        "istiods": cluster.live.iter().flat_map(|live| &live.istiods).map(istiod).collect::<Vec<_>>(),
        "state": report.state(&cluster.name).word(),
        "start": kind,
        "subject": subject,
        "log": log,
    })
}
