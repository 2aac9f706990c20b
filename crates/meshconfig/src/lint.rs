//! Rules for what istiod refuses, or accepts and silently ignores, each with its source.
//!
//! The rules check resources wherever they come from: rendered, written by hand or read from a cluster. Rendered
//! resources have none of the errors (a test checks that).

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use meshpki::istiod::Version;
use serde_json::Value;

mod callers;
mod calls;
mod filters;
mod gateways;
mod notes;
mod preflight;
mod remedy;
mod replaced;
mod traffic;

pub use calls::calls;
pub use notes::notes;
pub use preflight::{PreflightCluster, PreflightProblem, preflight};
pub use remedy::LintRemedy;
pub use replaced::{losing, replaced};

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintSeverity {
    /// Something to do outside these resources, which are correct.
    Note,
    /// It works, but not as expected, or not safely.
    Warning,
    /// istiod refuses it, or calls fail.
    Error,
}

/// A problem of the resources of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintProblem {
    /// Stable, `lint/...`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: LintSeverity,
    /// The cluster.
    pub cluster: String,
    /// `DestinationRule default/reviews`; empty if it does not concern one resource.
    pub resource: String,
    /// What is wrong, with both sides of a mismatch.
    pub message: String,
    /// Where the rule comes from: a file of istio, an issue, a security bulletin.
    pub source: &'static str,
    /// What resolves it.
    pub remedy: LintRemedy,
}

impl LintProblem {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "lint/address-shared",
        "lint/api-version",
        "lint/dns",
        "lint/failover-ejection",
        "lint/failover-without-outlier",
        "lint/gateway-name",
        "lint/gateway-open",
        "lint/gateway-overlap",
        "lint/gateway-port",
        "lint/gateway-vulnerable",
        "lint/hidden",
        "lint/host-twice",
        "lint/http-as-tcp",
        "lint/inert-filter",
        "lint/no-address",
        "lint/no-endpoint",
        "lint/no-entry",
        "lint/no-identity",
        "lint/not-restricted",
        "lint/plain-text",
        "lint/port-differs",
        "lint/router-mode",
        "lint/setting-ignored",
        "lint/sni-misleads",
        "lint/sni-unknown",
        "lint/stock-filter",
        "lint/subset-undefined",
        "lint/tls-mode",
        "lint/trust-domain",
        "lint/visible",
        "lint/weights",
        "lint/would-replace",
    ];

    /// Errors first, then by cluster, resource, code and message.
    fn order(&self, other: &Self) -> Ordering {
        let key = |p: &Self| (p.cluster.clone(), p.resource.clone(), p.code, p.message.clone());
        other.severity.cmp(&self.severity).then_with(|| key(self).cmp(&key(other)))
    }
}

/// The resources of one cluster, as JSON values; those not of Istio's API are skipped.
#[derive(Clone, Debug)]
pub struct LintCluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// Release of Istio.
    pub version: Version,
    /// Other clusters' istiods know its services by themselves, so that its gateway serves all of them.
    pub remote_secrets: bool,
    /// The resources.
    pub resources: Vec<&'a Value>,
}

/// The problems that the resources of each cluster have by themselves; [`calls`] finds those between clusters.
#[must_use]
pub fn lint(clusters: &[LintCluster<'_>]) -> Vec<LintProblem> {
    let mut problems = Vec::new();
    for cluster in clusters {
        let mut found = Findings { cluster, problems: &mut problems };
        filters::check(&mut found);
        gateways::check(&mut found);
        traffic::check(&mut found);
    }
    problems.sort_by(LintProblem::order);
    problems.dedup();
    problems
}

/// What has been found in one cluster.
struct Findings<'a, 'c> {
    cluster: &'a LintCluster<'c>,
    problems: &'a mut Vec<LintProblem>,
}

/// A rule: its code, its severity, where it comes from and what resolves a problem.
struct Rule {
    code: &'static str,
    severity: LintSeverity,
    source: &'static str,
    remedy: LintRemedy,
}

impl Rule {
    fn problem(&self, cluster: &str, resource: &Value, message: String) -> LintProblem {
        LintProblem {
            code: self.code,
            severity: self.severity,
            cluster: cluster.into(),
            resource: id(resource),
            message,
            source: self.source,
            remedy: self.remedy.clone(),
        }
    }
}

impl<'c> Findings<'_, 'c> {
    fn add(&mut self, rule: &Rule, resource: &Value, message: String) {
        self.problems.push(rule.problem(self.cluster.name, resource, message));
    }

    fn of_kind(&self, kind: &str) -> Vec<&'c Value> {
        of_kind(self.cluster, kind)
    }
}

/// The resources of one kind of networking.istio.io.
fn of_kind<'c>(cluster: &LintCluster<'c>, kind: &str) -> Vec<&'c Value> {
    let is_istios =
        |value: &&&Value| text(&value["apiVersion"]).starts_with("networking.istio.io/");
    cluster
        .resources
        .iter()
        .filter(is_istios)
        .filter(|value| value["kind"] == kind)
        .copied()
        .collect()
}

fn id(resource: &Value) -> String {
    let meta = &resource["metadata"];
    if resource["kind"].is_null() {
        return String::new();
    }
    alloc::format!(
        "{} {}/{}",
        text(&resource["kind"]),
        text(&meta["namespace"]),
        text(&meta["name"])
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests;
