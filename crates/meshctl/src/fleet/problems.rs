//! Problems and revisions of istiod as JSON, the same in every document.

use meshpki::istiod::LiveIstiod;
use serde_json::{Value, json};

use crate::hints::Problem;

/// A revision of istiod; as in `docs/schemas/status.json`.
pub(crate) fn istiod(istiod: &LiveIstiod) -> Value {
    json!({
        "revision": istiod.revision,
        "version": istiod.settings.version.to_string(),
        "multiRoot": istiod.settings.multi_root,
    })
}

/// A problem with its next command; as in `docs/schemas/status.json`.
pub(crate) fn problem(problem: &Problem, next: &str) -> Value {
    json!({
        "code": problem.code,
        "severity": problem.severity.to_string(),
        "clusters": problem.clusters,
        "file": problem.file,
        "message": problem.message,
        "evidence": problem.evidence,
        "effect": problem.effect,
        "fix": problem.fix,
        "next": next,
    })
}
