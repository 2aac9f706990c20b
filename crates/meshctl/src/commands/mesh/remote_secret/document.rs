//! The result of `check`, as text and as JSON. No token is in it.

use std::fmt::Write as _;

use meshapply::remote::{Answer, Claims, Owner, Problem, RemoteKubeconfig, View};
use meshpki::istiod::Severity;
use serde_json::{Value, json};

use super::check::{Entry, Report};
use crate::fleet::clusters::{place, tls};
use crate::fleet::remote::at;
use crate::text::{relative, safe};

/// As text.
pub(super) fn text(report: &Report<'_>) -> String {
    let mut out = String::new();
    for (index, (target, seen)) in report.targets.iter().zip(report.seen).enumerate() {
        let _ = writeln!(out, "{}", place(target));
        let _ = writeln!(out, "  tls: {}", tls(target));
        for entry in report.entries.iter().filter(|entry| entry.reader == index) {
            let name = format!("{}/{}", target.istio_namespace, entry.secret.name);
            let mut rows = vec![format!("  {} by {name}", entry.remote)];
            rows.extend(facts(report, entry).into_iter().map(|row| format!("    {row}")));
            rows.extend(seen.views.iter().map(|view| format!("    {}", state(view, entry.remote))));
            rows.iter().for_each(|row| out += &(safe(row) + "\n"));
        }
        out.push('\n');
    }
    for problem in &report.problems {
        out += &one(report, problem);
    }
    let count = |severity| report.problems.iter().filter(|one| one.severity == severity).count();
    let _ =
        writeln!(out, "errors {}, warnings {}", count(Severity::Error), count(Severity::Warning));
    out
}

fn facts(report: &Report<'_>, entry: &Entry<'_>) -> Vec<String> {
    let Ok(kubeconfig) = &entry.kubeconfig else { return vec!["unreadable".to_owned()] };
    let answer = match &entry.answer {
        Answer::Good => "accepts the token, which may read what istiod reads".to_owned(),
        Answer::Lacks(_) => "accepts the token, which lacks rights".to_owned(),
        Answer::Refused => "does not accept the token".to_owned(),
        Answer::Untrusted(_) => "does not verify".to_owned(),
        Answer::Unreachable(_) => "does not answer from here".to_owned(),
        Answer::NotAsked(why) => format!("was not asked: {why}"),
    };
    let token = match claims(kubeconfig) {
        Some(Claims { expires: Some(end), .. }) => {
            format!("token ends on {end}, {}", relative(end, report.at))
        }
        Some(_) => "token has no end".to_owned(),
        None => "no token that says when it ends".to_owned(),
    };
    vec![format!("server {} {answer}", kubeconfig.entrance.server), token]
}

fn claims(kubeconfig: &RemoteKubeconfig) -> Option<Claims> {
    Claims::read(kubeconfig.token.as_ref()?)
}

fn state(view: &View, cluster: &str) -> String {
    let status = view.status(cluster).unwrap_or("does not say whether it is synced");
    match view.endpoints(cluster) {
        Some(count) => format!("{}: {status}, endpoints {count}", view.pod),
        None => format!("{}: no answer", view.pod),
    }
}

fn one(report: &Report<'_>, problem: &Problem) -> String {
    let mut out = format!(
        "{}[{}]: {}\n  in: {}\n",
        problem.severity,
        problem.code,
        safe(&problem.message),
        safe(&at(problem))
    );
    for cause in &problem.causes {
        let _ = writeln!(out, "  because: {}", safe(cause));
    }
    let _ = write!(out, "  next: {}\n\n", safe(&report.places.next(problem)));
    out
}

/// As JSON (`docs/schemas/remote-secrets.json`).
pub(super) fn json(report: &Report<'_>) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "RemoteSecrets",
        "at": report.at.to_string(),
        "secrets": report.entries.iter().map(|entry| secret(report, entry)).collect::<Vec<_>>(),
        "problems": report.problems.iter().map(|one| json!({
            "code": one.code,
            "severity": one.severity.to_string(),
            "cluster": one.reader,
            "remote": one.remote,
            "secret": (!one.secret.is_empty()).then_some(&one.secret),
            "message": one.message,
            "because": one.causes,
            "next": report.places.next(one),
        })).collect::<Vec<_>>(),
    })
}

fn secret(report: &Report<'_>, entry: &Entry<'_>) -> Value {
    let target = &report.targets[entry.reader];
    let kubeconfig = entry.kubeconfig.as_ref().ok();
    let claims = kubeconfig.and_then(claims).unwrap_or_default();
    let answer = match &entry.answer {
        Answer::Good => "good",
        Answer::Lacks(_) => "lacks-rights",
        Answer::Refused => "refused",
        Answer::Untrusted(_) => "untrusted",
        Answer::Unreachable(_) => "unreachable",
        Answer::NotAsked(_) => "not-asked",
    };
    let pod = |view: &View| {
        json!({
            "pod": view.pod,
            "status": view.status(entry.remote),
            "endpoints": view.endpoints(entry.remote),
        })
    };
    json!({
        "cluster": target.name,
        "context": target.context,
        "namespace": target.istio_namespace,
        "secret": entry.secret.name,
        "remote": entry.remote,
        "owner": match &entry.secret.owner {
            Owner::Meshctl => "meshctl",
            Owner::Istioctl => "istioctl",
            Owner::Other(other) => other.as_str(),
        },
        "server": kubeconfig.map(|one| one.entrance.server.as_str()),
        "tokenIssued": claims.issued.map(|time| time.to_string()),
        "tokenExpires": claims.expires.map(|time| time.to_string()),
        "answer": answer,
        "istiod": report.seen[entry.reader].views.iter().map(pod).collect::<Vec<_>>(),
    })
}
