//! What problems make of a cluster; and problems, pairs of clusters, failures and revisions of istiod as JSON, the same in
//! every document.

use meshpki::istiod::{LiveIstiod, Severity};
use serde_json::{Value, json};

use super::pairs::{Answer, Pair};
use crate::failure::Failure;
use crate::hints::Problem;

/// The state of a cluster, or of what is between clusters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    /// The state that the worst of these problems makes.
    pub(crate) fn of<'a>(problems: impl Iterator<Item = &'a Problem>) -> Self {
        match problems.map(|problem| problem.severity).max() {
            None => Self::Ok,
            Some(Severity::Warning) => Self::Warn,
            Some(Severity::Error) => Self::Fail,
        }
    }

    /// The state of a cluster by itself: what concerns others, too, does not count.
    pub(crate) fn of_cluster(name: &str, problems: &[Problem]) -> Self {
        Self::of(problems.iter().filter(|problem| problem.clusters.as_slice() == [name]))
    }

    /// The word in front of a line, and in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// A revision of istiod; as in `docs/schemas/status.json`.
pub(crate) fn istiod(istiod: &LiveIstiod) -> Value {
    json!({
        "revision": istiod.revision,
        "version": istiod.settings.version.to_string(),
        "multiRoot": istiod.settings.multi_root,
    })
}

/// A problem with its next command; as in `docs/schemas/status.json`.
pub(crate) fn problem(problem: &Problem, fix: &str, next: &str) -> Value {
    json!({
        "code": problem.code,
        "severity": problem.severity.to_string(),
        "clusters": problem.clusters,
        "file": problem.file,
        "message": problem.message,
        "evidence": problem.evidence,
        "effect": problem.effect,
        "fix": fix,
        "next": next,
    })
}

/// Whether one cluster accepts another; as in `docs/schemas/status.json`.
pub(crate) fn pair(pair: &Pair) -> Value {
    let (trusted, why, end) = match &pair.answer {
        Answer::Yes(end) => (Some(true), &[][..], end.as_ref()),
        Answer::No(why) => (Some(false), why.as_slice(), None),
        Answer::Unknown => (None, &[][..], None),
    };
    json!({
        "truster": pair.truster,
        "signer": pair.signer,
        "needed": pair.is_needed,
        "trusted": trusted,
        "why": why,
        "until": end.map(|(end, _)| end.to_string()),
        "endsFirst": end.map(|(_, cert)| cert),
    })
}

/// Why a cluster could not be read; as in `docs/schemas/status.json`.
pub(crate) fn error(failure: &Failure) -> Value {
    json!({"code": failure.code(), "message": failure.sentence()})
}
