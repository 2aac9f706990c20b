//! Resources of others that applying rendered ones would replace, and what they would lose.

use alloc::format;
use alloc::vec::Vec;

use serde_json::Value;

use super::{LintProblem, LintRemedy, LintSeverity};
use crate::apply::{Change, changes, lost, summary};
use crate::resource::Resource;

/// The resources of a cluster that have the names of rendered ones, but not the labels of the mesh.
#[must_use]
pub fn replaced(
    mesh: &str,
    cluster: &str,
    wanted: &[Resource],
    live: &[Value],
) -> Vec<LintProblem> {
    let problem = |change| {
        let Change::Foreign { live, wanted } = change else { return None };
        let lost = lost(&live, &wanted);
        let losing = if lost.is_empty() { "" } else { ", and lose " };
        Some(LintProblem {
            code: "lint/would-replace",
            severity: LintSeverity::Error,
            cluster: cluster.into(),
            resource: live.id(),
            host: None,
            message: format!(
                "applying what is rendered would replace this resource, which is not of mesh `{mesh}`{losing}{}",
                summary(&lost)
            ),
            source: "kubernetes: an apply changes whatever has the name",
            remedy: LintRemedy::KeepForeign,
        })
    };
    changes(mesh, wanted, live).into_iter().filter_map(problem).collect()
}
