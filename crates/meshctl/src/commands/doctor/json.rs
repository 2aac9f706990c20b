//! The report as JSON; `docs/schemas/doctor.json` says what the keys are.

use meshpki::Cert;
use serde_json::{Value, json};

use super::{Kind, Report, Row};
use crate::fleet::problems::{State, error, istiod};

/// The document.
pub(super) fn write(report: &Report) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "Doctor",
        "at": report.at.to_string(),
        "contexts": report.rows.iter().map(|row| context(report, row)).collect::<Vec<_>>(),
        "steps": report.steps.iter().map(|step| json!({
            "what": step.what,
            "contexts": step.contexts,
            "command": step.command,
        })).collect::<Vec<_>>(),
    })
}

fn context(report: &Report, row: &Row) -> Value {
    let survey = row.survey();
    let rights = |rights: &[meshapply::kube::Right]| -> Vec<String> {
        rights.iter().map(ToString::to_string).collect()
    };
    json!({
        "cluster": row.name,
        "context": row.asked.context,
        "server": row.asked.server,
        "sameAs": row.same_as,
        "state": row.state().map_or("unknown", State::word),
        "error": row.failure().or(row.silent.as_ref()).map(error),
        "clock": survey.and_then(|survey| survey.clock).map(|clock| clock.to_string()),
        "clockDiffers": row.skew.is_some(),
        "missingToRead": survey.map(|survey| rights(&survey.unreadable)).unwrap_or_default(),
        "missingToPush": survey.map(|survey| rights(&survey.unwritable)).unwrap_or_default(),
        "live": live(report, row),
        "problems": row.problems.iter().map(|problem| json!({
            "code": problem.code,
            "severity": problem.severity.to_string(),
            "message": problem.message,
        })).collect::<Vec<_>>(),
    })
}

fn live(report: &Report, row: &Row) -> Value {
    let (Some(facts), Some(kind)) = (&row.facts, row.kind()) else { return Value::Null };
    let cert = |cert: &Cert| {
        let end = super::end(cert);
        json!({
            "subject": cert.subject().to_string(),
            "sha256": cert.fingerprint(),
            "notAfter": end.map(|end| end.to_string()),
            "days": end.map(|end| end.0.saturating_sub(report.at.0).div_euclid(86_400)),
        })
    };
    json!({
        "istiods": facts.istiods.iter().map(istiod).collect::<Vec<_>>(),
        "secret": facts.has_secret,
        "source": match kind {
            Kind::Nothing => "none",
            Kind::Waiting => "waiting",
            Kind::Plugged => "secret",
            Kind::Own => "istiod",
        },
        "ca": facts.ca.as_ref().map(cert),
        "roots": facts.roots.iter().map(cert).collect::<Vec<_>>(),
        "due": row.due.first().is_some(),
    })
}
