//! Rules for what istiod refuses, or accepts and silently ignores, each with its source.
//!
//! The rules check resources wherever they come from: rendered, written by hand or read from a cluster. Rendered
//! resources have none of the errors (a test checks that).

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use meshpki::istiod::Version;
use serde_json::Value;

use crate::mesh::{Mesh, MeshCluster};
use crate::resource::{list, text};

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
pub use replaced::replaced;

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
    /// The host that is called, if it concerns calls.
    pub host: Option<String>,
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
        "lint/tls-sni",
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

impl<'a> LintCluster<'a> {
    /// A cluster of a mesh with these resources.
    #[must_use]
    pub fn new(cluster: &'a MeshCluster, resources: Vec<&'a Value>) -> Self {
        let (version, remote_secrets) = (cluster.version, cluster.remote_secrets);
        Self { name: &cluster.name, version, remote_secrets, resources }
    }
}

/// The problems of the resources of the clusters of a mesh: [`rules`] and [`calls`].
#[must_use]
pub fn lint(mesh: &Mesh, clusters: &[LintCluster<'_>]) -> Vec<LintProblem> {
    let mut problems = rules(clusters);
    problems.extend(calls(mesh, clusters));
    problems.sort_by(LintProblem::order);
    problems
}

/// The problems that the resources of each cluster have by themselves.
#[must_use]
pub fn rules(clusters: &[LintCluster<'_>]) -> Vec<LintProblem> {
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

impl<'c> Findings<'_, 'c> {
    fn add(&mut self, rule: &Rule, resource: &Value, message: String) {
        self.problems.push(LintProblem {
            code: rule.code,
            severity: rule.severity,
            cluster: self.cluster.name.into(),
            resource: id(resource),
            host: None,
            message,
            source: rule.source,
            remedy: rule.remedy.clone(),
        });
    }

    /// The resources of one kind of networking.istio.io.
    fn of_kind(&self, kind: &str) -> Vec<&'c Value> {
        let is_istios =
            |value: &&Value| text(&value["apiVersion"]).starts_with("networking.istio.io/");
        let resources = self.cluster.resources.iter().copied().filter(is_istios);
        resources.filter(|value| value["kind"] == kind).collect()
    }
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

#[cfg(test)]
mod tests;
