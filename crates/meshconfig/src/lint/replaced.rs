//! Resources of others that applying rendered ones would replace, and what they would lose.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{LintProblem, LintRemedy, LintSeverity};
use crate::apply::{Change, changes, lost};
use crate::resource::Resource;

/// Parts that a message names at most.
const SHOWN: usize = 5;

/// The resources of a cluster that have the names of rendered ones, but not the labels of the mesh.
#[must_use]
pub fn replaced(
    mesh: &str,
    cluster: &str,
    wanted: &[Resource],
    live: &[Value],
) -> Vec<LintProblem> {
    let problem = |change| match change {
        Change::Foreign { live, wanted } => Some(LintProblem {
            code: "lint/would-replace",
            severity: LintSeverity::Error,
            cluster: cluster.into(),
            resource: live.id(),
            message: format!(
                "applying what is rendered would replace this resource, which is not of mesh `{mesh}`{}",
                losing(&lost(&live, &wanted))
            ),
            source: "kubernetes: an apply changes whatever has the name",
            remedy: LintRemedy::KeepForeign,
        }),
        _ => None,
    };
    changes(mesh, wanted, live).into_iter().filter_map(problem).collect()
}

/// `, and lose A, B`; nothing if nothing is lost.
#[must_use]
pub fn losing(lost: &[String]) -> String {
    if lost.is_empty() {
        return String::new();
    }
    let more = lost.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let first: Vec<&str> = lost.iter().take(SHOWN).map(String::as_str).collect();
    format!(", and lose {}{rest}", first.join(", "))
}
