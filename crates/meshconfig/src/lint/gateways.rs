//! Gateways that pass TLS through.

use alloc::format;
use alloc::vec::Vec;

use serde_json::Value;

use super::{Findings, LintRemedy, LintSeverity, Rule, list, text};
use crate::dialect::has_open_passthrough;
use crate::text::label_problem;

const NAME: Rule = Rule {
    code: "lint/gateway-name",
    severity: LintSeverity::Error,
    source: "istio pkg/config/validation/validation.go: ValidateGateway",
    remedy: LintRemedy::Rename,
};
const OPEN: Rule = Rule {
    code: "lint/gateway-open",
    severity: LintSeverity::Warning,
    source: "istio pilot/pkg/networking/core/gateway.go: builtAutoPassthroughFilterChains",
    remedy: LintRemedy::ListHosts,
};
const OVERLAP: Rule = Rule {
    code: "lint/gateway-overlap",
    severity: LintSeverity::Error,
    source: "istio issue 42050",
    remedy: LintRemedy::MergeGateways,
};
const VULNERABLE: Rule = Rule {
    code: "lint/gateway-vulnerable",
    severity: LintSeverity::Warning,
    source: "istio-security-2021-006, CVE-2021-31921",
    remedy: LintRemedy::Upgrade,
};

/// One server that passes TLS through.
struct Server<'a> {
    gateway: &'a Value,
    hosts: Vec<&'a str>,
    port: &'a Value,
}

pub(super) fn check(found: &mut Findings<'_, '_>) {
    let mut servers: Vec<Server<'_>> = Vec::new();
    for gateway in found.of_kind("Gateway") {
        if let Some(why) = label_problem(text(&gateway["metadata"]["name"])) {
            found.add(
                &NAME,
                gateway,
                format!(
                    "istiod refuses a Gateway named `{}`: {why}",
                    text(&gateway["metadata"]["name"])
                ),
            );
        }
        for server in list(&gateway["spec"]["servers"]) {
            if server["tls"]["mode"] == "AUTO_PASSTHROUGH" {
                let hosts = list(&server["hosts"])
                    .iter()
                    .map(|host| text(host).rsplit('/').next().unwrap_or_default());
                servers.push(Server {
                    gateway,
                    hosts: hosts.collect(),
                    port: &server["port"]["number"],
                });
            }
        }
    }
    let version = found.cluster.version;
    for (i, server) in servers.iter().enumerate() {
        for host in
            server.hosts.iter().filter(|host| matches!(**host, "*" | "*.local" | "*.cluster.local"))
        {
            let message = format!(
                "`{host}` lets anyone with a certificate of the mesh call every service of the cluster"
            );
            found.add(&OPEN, server.gateway, message);
        }
        if has_open_passthrough(version) {
            let message = format!(
                "AUTO_PASSTHROUGH of Istio {version} can be used to reach services that authorization policies protect"
            );
            found.add(&VULNERABLE, server.gateway, message);
        }
        for before in servers[..i].iter().filter(|before| meet(before, server)) {
            if let Some((a, b)) = common(&before.hosts, &server.hosts) {
                let other = text(&before.gateway["metadata"]["name"]);
                let message = format!(
                    "its host `{b}` and `{a}` of Gateway `{other}` create the same filter chains on port {}",
                    server.port
                );
                found.add(&OVERLAP, server.gateway, message);
            }
        }
    }
}

/// Whether two servers are on one port of one gateway's pods.
fn meet(a: &Server<'_>, b: &Server<'_>) -> bool {
    a.port == b.port && a.gateway["spec"]["selector"] == b.gateway["spec"]["selector"]
}

fn common<'a>(a: &[&'a str], b: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| (*x, *y)));
    pairs.into_iter().find(|(x, y)| covers(x, y) || covers(y, x))
}

/// Whether a host, with or without a wildcard, covers another.
pub(super) fn covers(wide: &str, narrow: &str) -> bool {
    wide == narrow || wide == "*" || wide.strip_prefix('*').is_some_and(|end| narrow.ends_with(end))
}
