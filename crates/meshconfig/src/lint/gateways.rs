//! Gateways that pass TLS through.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{Findings, LintRemedy, LintSeverity, Rule, list, text};
use crate::dialect::has_open_passthrough;
use crate::reach::covers;
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
        let is_open = |host: &&&str| {
            !found.cluster.remote_secrets && matches!(**host, "*" | "*.local" | "*.cluster.local")
        };
        for host in server.hosts.iter().filter(is_open) {
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
            if let Some(message) = overlap(before, server) {
                found.add(&OVERLAP, server.gateway, message);
            }
        }
    }
}

/// Whether two servers are on one port of one gateway's pods.
fn meet(a: &Server<'_>, b: &Server<'_>) -> bool {
    a.port == b.port && a.gateway["spec"]["selector"] == b.gateway["spec"]["selector"]
}

/// What two servers on one port take from each other; `None` if it is nothing. Of two servers with a host in common,
/// istiod drops the second with all its hosts (`pilot/pkg/model/gateway.go: mergeGateways`), which does no harm if they
/// have the same hosts. A wildcard and a name that it covers create two filter chains with one SNI, and Envoy rejects
/// the listener.
fn overlap(before: &Server<'_>, server: &Server<'_>) -> Option<String> {
    let (first, second): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.hosts.iter().copied().collect(), server.hosts.iter().copied().collect());
    let other = super::id(before.gateway);
    let port = server.port;
    if let Some(common) = first.intersection(&second).next() {
        let lost = second.difference(&first).next()?;
        return Some(format!(
            "`{common}` is also a host of {other}, so istiod ignores one of the two servers on port {port}; if it is this one, `{lost}` has no filter chain"
        ));
    }
    let covered = |wide: &BTreeSet<&str>, names: &BTreeSet<&str>| -> Option<(String, String)> {
        let mut wide = wide.iter().filter(|wide| wide.starts_with('*'));
        wide.find_map(|wide| {
            let name = names.iter().find(|name| covers(wide, name))?;
            Some((String::from(*wide), String::from(*name)))
        })
    };
    let (a, b) = covered(&first, &second)
        .or_else(|| covered(&second, &first).map(|(wide, name)| (name, wide)))?;
    Some(format!(
        "its host `{b}` and `{a}` of {other} create the same filter chains on port {port}: Envoy rejects the listener, and no change of it takes effect any more"
    ))
}
