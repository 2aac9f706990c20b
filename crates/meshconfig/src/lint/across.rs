//! Rules across clusters: each SNI a caller uses needs its filter chain on the serving cluster.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{LintCluster, LintProblem, LintRemedy, LintSeverity, Rule, list, of_kind, text};

const SNI: Rule = Rule {
    code: "lint/sni-unknown",
    severity: LintSeverity::Error,
    source: "istio issues 36241, 34992, 40673: filter_chain_not_found at the gateway, 503 UF at the caller",
    remedy: LintRemedy::DefineRemoteSubset,
};

/// Host -> subsets the rules of a cluster define.
type Subsets<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

pub(super) fn check(clusters: &[LintCluster<'_>], problems: &mut Vec<LintProblem>) {
    let defined: BTreeMap<&str, Subsets<'_>> =
        clusters.iter().map(|cluster| (cluster.name, subsets(cluster))).collect();
    for cluster in clusters {
        let homes = homes(cluster);
        for rule in of_kind(cluster, "DestinationRule") {
            let host = text(&rule["spec"]["host"]);
            let Some(home) = homes.get(host).and_then(|home| defined.get_key_value(home)) else {
                continue;
            };
            for (subset, behind) in called(rule, home.0) {
                let known = home.1.iter().any(|(host, subsets)| {
                    is_meant(host, &behind) && subsets.contains(subset.as_str())
                });
                if !known {
                    let message = format!(
                        "it calls subset `{subset}` of `{behind}`, which no DestinationRule on `{}` defines",
                        home.0
                    );
                    problems.push(SNI.problem(cluster.name, rule, message));
                }
            }
        }
    }
}

fn subsets<'c>(cluster: &LintCluster<'c>) -> Subsets<'c> {
    let mut all = Subsets::new();
    for rule in of_kind(cluster, "DestinationRule") {
        let names = list(&rule["spec"]["subsets"]).iter().map(|subset| text(&subset["name"]));
        all.entry(text(&rule["spec"]["host"])).or_default().extend(names);
    }
    all
}

/// Remote host -> the cluster its endpoints are labeled with; hosts of several clusters are left out.
fn homes<'c>(cluster: &LintCluster<'c>) -> BTreeMap<&'c str, &'c str> {
    let mut homes = BTreeMap::new();
    for entry in of_kind(cluster, "ServiceEntry") {
        let labels: BTreeSet<&str> = list(&entry["spec"]["endpoints"])
            .iter()
            .map(|endpoint| text(&endpoint["labels"]["cluster"]))
            .collect();
        if let (Some(label), 1) = (labels.first(), labels.len()) {
            homes.extend(list(&entry["spec"]["hosts"]).iter().map(|host| (text(host), *label)));
        }
    }
    homes
}

/// Whether a host is the one that the gateway leads to; one that ends in a dot matches any domain of the cluster.
fn is_meant(host: &str, behind: &str) -> bool {
    host == behind || (behind.ends_with('.') && host.starts_with(behind))
}

/// The subsets a rule for a remote host calls, each with the host the gateway leads to: the one in its SNI, or the one
/// the gateway rewrites it to, whatever the domain of its cluster is.
fn called(rule: &Value, home: &str) -> Vec<(String, String)> {
    let host = text(&rule["spec"]["host"]);
    let mut called = Vec::new();
    for subset in list(&rule["spec"]["subsets"]) {
        let own = &subset["trafficPolicy"]["tls"]["sni"];
        let sni =
            text(if own.is_null() { &rule["spec"]["trafficPolicy"]["tls"]["sni"] } else { own });
        let mut parts = sni.splitn(4, "_.");
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("outbound"), Some(_port), Some(name), Some(behind)) if !name.is_empty() => {
                called.push((name.into(), behind.into()));
            }
            _ if sni.is_empty() => {
                if let Some((front, _)) = host.split_once(&format!(".{home}.")) {
                    called.push((text(&subset["name"]).into(), format!("{front}.")));
                }
            }
            _ => {}
        }
    }
    called
}
