//! What istiod would refuse, or take and silently ignore, each rule with its source.
//!
//! The rules look at resources, not at where they came from: what was rendered, what was written by hand, what a
//! cluster has. What we render ourselves has none of the errors (a test holds it to that).

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use meshpki::istiod::Version;
use serde_json::Value;

mod across;
mod ahead;
mod filters;
mod gateways;
mod notes;
mod traffic;

pub use ahead::{Ahead, Before, ahead};
pub use notes::notes;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To be seen to outside of these resources; nothing is wrong with them.
    Note,
    /// It works, but not as one would think, or not safely.
    Warning,
    /// It is refused, or calls fail.
    Error,
}

/// One thing wrong with the resources of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable, `lint/...`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The cluster.
    pub cluster: String,
    /// `DestinationRule default/reviews`; empty when it is none of one resource.
    pub resource: String,
    /// What is wrong, both sides of it.
    pub message: String,
    /// Where the rule comes from: a file of istio, an issue, a security bulletin.
    pub source: &'static str,
    /// What to do.
    pub next: String,
}

impl Problem {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "lint/address-shared",
        "lint/api-version",
        "lint/dns",
        "lint/failover-without-outlier",
        "lint/gateway-name",
        "lint/gateway-open",
        "lint/gateway-overlap",
        "lint/gateway-vulnerable",
        "lint/host-twice",
        "lint/http-as-tcp",
        "lint/inert-filter",
        "lint/no-address",
        "lint/no-identity",
        "lint/plain-text",
        "lint/router-mode",
        "lint/setting-ignored",
        "lint/sni-unknown",
        "lint/stock-filter",
        "lint/subset-undefined",
        "lint/trust-domain",
        "lint/visible",
        "lint/weights",
    ];

    /// Errors first, then by cluster, resource, code and message.
    fn order(&self, other: &Self) -> Ordering {
        let key = |p: &Self| (p.cluster.clone(), p.resource.clone(), p.code, p.message.clone());
        other.severity.cmp(&self.severity).then_with(|| key(self).cmp(&key(other)))
    }
}

/// The resources of one cluster, as JSON values; those that are not Istio's are passed over.
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// Release of Istio.
    pub version: Version,
    /// The resources.
    pub resources: Vec<&'a Value>,
}

/// Everything wrong with the resources of some clusters that call each other.
#[must_use]
pub fn lint(clusters: &[Cluster<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for cluster in clusters {
        let mut found = Findings { cluster, problems: &mut problems };
        filters::check(&mut found);
        gateways::check(&mut found);
        traffic::check(&mut found);
    }
    across::check(clusters, &mut problems);
    problems.sort_by(Problem::order);
    problems.dedup();
    problems
}

/// What has been found in one cluster.
struct Findings<'a, 'c> {
    cluster: &'a Cluster<'c>,
    problems: &'a mut Vec<Problem>,
}

/// A rule: its code, how bad it is, where it comes from and what to do.
struct Rule {
    code: &'static str,
    severity: Severity,
    source: &'static str,
    next: &'static str,
}

impl Rule {
    fn problem(&self, cluster: &str, resource: &Value, message: String) -> Problem {
        Problem {
            code: self.code,
            severity: self.severity,
            cluster: cluster.into(),
            resource: id(resource),
            message,
            source: self.source,
            next: self.next.into(),
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
fn of_kind<'c>(cluster: &Cluster<'c>, kind: &str) -> Vec<&'c Value> {
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
