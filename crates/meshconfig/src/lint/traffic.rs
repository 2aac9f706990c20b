//! ServiceEntries, DestinationRules and VirtualServices of one cluster.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use meshpki::istiod::Version;
use serde_json::Value;

use super::{Findings, LintRemedy, LintSeverity, Rule, list, text};

const SHARED: Rule = Rule {
    code: "lint/address-shared",
    severity: LintSeverity::Error,
    source: "istio issue 34577",
    remedy: LintRemedy::SeparateAddresses,
};
const NO_ADDRESS: Rule = Rule {
    code: "lint/no-address",
    severity: LintSeverity::Warning,
    source: "istio-ecosystem/istio-coredns-plugin; istio pkg/config/validation: ValidateServiceEntry",
    remedy: LintRemedy::AddAddress,
};
const NO_IDENTITY: Rule = Rule {
    code: "lint/no-identity",
    severity: LintSeverity::Warning,
    source: "istio pilot/pkg/model/push_context.go: no name is checked if none is given",
    remedy: LintRemedy::NameServiceAccounts,
};
const HTTP_AS_TCP: Rule = Rule {
    code: "lint/http-as-tcp",
    severity: LintSeverity::Warning,
    source: "solo-io/gloo-mesh federation_translator.go copied Kubernetes' protocol",
    remedy: LintRemedy::SetHttp,
};
const WEIGHTS: Rule = Rule {
    code: "lint/weights",
    severity: LintSeverity::Error,
    source: "istio 1.6.4 pkg/config/validation/validation.go:2372; later releases refuse only a sum of 0",
    remedy: LintRemedy::FixWeights,
};
const SUBSET: Rule = Rule {
    code: "lint/subset-undefined",
    severity: LintSeverity::Error,
    source: "istio pilot/pkg/networking/core/route: the route leads to a cluster that does not exist, 503 NC",
    remedy: LintRemedy::DefineSubset,
};
const TWICE: Rule = Rule {
    code: "lint/host-twice",
    severity: LintSeverity::Warning,
    source: "istio pilot/pkg/model/destination_rule.go: mergeDestinationRule; push_context.go: initVirtualServices",
    remedy: LintRemedy::KeepOne,
};
const OUTLIER: Rule = Rule {
    code: "lint/failover-without-outlier",
    severity: LintSeverity::Warning,
    source: "istio pkg/config/validation: validateLocalityLbSetting",
    remedy: LintRemedy::AddOutlierDetection,
};

const EJECTION: Rule = Rule {
    code: "lint/failover-ejection",
    severity: LintSeverity::Warning,
    source: "envoy api/envoy/config/cluster/v3/outlier_detection.proto: max_ejection_percent, default 10",
    remedy: LintRemedy::EjectAll,
};

pub(super) fn check(found: &mut Findings<'_, '_>) {
    let entries = found.of_kind("ServiceEntry");
    let rules = found.of_kind("DestinationRule");
    let services = found.of_kind("VirtualService");
    addresses(found, &entries);
    for entry in &entries {
        one_entry(found, entry);
    }
    for rule in &rules {
        failover(found, rule);
    }
    twice(found, &rules, |rule| alloc::vec![text(&rule["spec"]["host"])], conflict);
    let sidecars = |service: &&&Value| list(&service["spec"]["gateways"]).is_empty();
    let mesh_services: Vec<&Value> = services.iter().filter(sidecars).copied().collect();
    twice(
        found,
        &mesh_services,
        |service| list(&service["spec"]["hosts"]).iter().map(text).collect(),
        |_, _| Some("one of them is ignored".into()),
    );
    let mut defined: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in &rules {
        let names = list(&rule["spec"]["subsets"]).iter().map(|subset| text(&subset["name"]));
        defined.entry(text(&rule["spec"]["host"])).or_default().extend(names);
    }
    for service in &services {
        routes(found, service, &defined);
    }
}

/// Whether an entry leads to another cluster's gateway: it is inside the mesh, and its endpoints have another port.
fn is_remote(entry: &Value) -> bool {
    let numbers: BTreeMap<&str, &Value> = list(&entry["spec"]["ports"])
        .iter()
        .map(|port| (text(&port["name"]), &port["number"]))
        .collect();
    let moved = |endpoint: &Value| {
        let ports = endpoint["ports"].as_object().into_iter().flatten();
        ports
            .into_iter()
            .any(|(name, number)| numbers.get(name.as_str()).is_some_and(|own| *own != number))
    };
    entry["spec"]["location"] == "MESH_INTERNAL"
        && list(&entry["spec"]["endpoints"]).iter().any(moved)
}

/// Each host needs its own address.
fn addresses(found: &mut Findings<'_, '_>, entries: &[&Value]) {
    let mut owners: BTreeMap<&str, (&str, &Value)> = BTreeMap::new();
    for entry in entries {
        for address in list(&entry["spec"]["addresses"]).iter().map(text) {
            for host in list(&entry["spec"]["hosts"]).iter().map(text) {
                match owners.get(address) {
                    Some((other, _)) if *other != host => {
                        let message = format!(
                            "`{host}` has the same address as `{other}`, {address}: calls to one reach the other"
                        );
                        found.add(&SHARED, entry, message);
                    }
                    Some(_) => {}
                    None => {
                        owners.insert(address, (host, entry));
                    }
                }
            }
        }
    }
}

fn one_entry(found: &mut Findings<'_, '_>, entry: &Value) {
    let spec = &entry["spec"];
    let host = text(&list(&spec["hosts"]).first().cloned().unwrap_or_default()).to_string();
    let ports = list(&spec["ports"]);
    let has_address = !list(&spec["addresses"]).is_empty();
    let version = found.cluster.version;
    if !has_address && version < Version::new(1, 8, 0) && spec["location"] == "MESH_INTERNAL" {
        found.add(
            &NO_ADDRESS,
            entry,
            format!("`{host}` has no address: istio-coredns does not answer for it"),
        );
    } else if !has_address
        && version < Version::new(1, 23, 0)
        && ports.iter().any(|port| port["protocol"] == "TCP")
    {
        found.add(&NO_ADDRESS, entry, format!("`{host}` has a TCP port but no address: its connections cannot be told apart from others to that port"));
    }
    if is_remote(entry) && list(&spec["subjectAltNames"]).is_empty() {
        found.add(
            &NO_IDENTITY,
            entry,
            format!("callers of `{host}` accept any certificate of the mesh, because its ServiceEntry has no subjectAltNames"),
        );
    }
    for port in ports.iter().filter(|port| port["protocol"] == "TCP") {
        if text(&port["name"]).starts_with("http") || text(&port["name"]).starts_with("grpc") {
            let message = format!(
                "port `{}` of `{host}` is TCP: it gets no routing by request, no retries and no HTTP metrics",
                text(&port["name"])
            );
            found.add(&HTTP_AS_TCP, entry, message);
        }
    }
}

fn failover(found: &mut Findings<'_, '_>, rule: &Value) {
    let policy = &rule["spec"]["trafficPolicy"];
    let locality = &policy["loadBalancer"]["localityLbSetting"];
    let fails_over =
        !list(&locality["failover"]).is_empty() || !list(&locality["failoverPriority"]).is_empty();
    if !fails_over {
        return;
    }
    let host = text(&rule["spec"]["host"]);
    if policy["outlierDetection"].is_null() {
        let message =
            format!("failover of `{host}` never happens: no endpoint is ever considered unhealthy");
        return found.add(&OUTLIER, rule, message);
    }
    let ejected = policy["outlierDetection"]["maxEjectionPercent"].as_u64().unwrap_or(10);
    if ejected < 100 {
        let message = format!(
            "at most {ejected} % of the endpoints of `{host}` are ejected, so if there are several in first place, calls still go to those that fail"
        );
        found.add(&EJECTION, rule, message);
    }
}

fn twice<'a>(
    found: &mut Findings<'_, '_>,
    resources: &[&'a Value],
    hosts: impl Fn(&'a Value) -> Vec<&'a str>,
    conflict: impl Fn(&Value, &Value) -> Option<String>,
) {
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    for resource in resources {
        for host in hosts(resource) {
            match first.get(host) {
                Some(before) if !core::ptr::eq(*before, *resource) => {
                    if let Some(why) = conflict(before, resource) {
                        let before = super::id(before);
                        let message = format!("`{host}` is also a host of {before}: {why}");
                        found.add(&TWICE, resource, message);
                    }
                }
                Some(_) => {}
                None => {
                    first.insert(host, resource);
                }
            }
        }
    }
}

/// What two rules for one host take from each other; `None` if it is nothing. istiod merges those of a namespace: it adds
/// the subsets of each, and takes the traffic policy of the older (`pilot/pkg/model/destination_rule.go:
/// mergeDestinationRule`).
fn conflict(a: &Value, b: &Value) -> Option<String> {
    if a["metadata"]["namespace"] != b["metadata"]["namespace"] {
        return Some("which of them applies depends on the namespace of the caller".into());
    }
    if [a, b].iter().any(|rule| !rule["spec"]["workloadSelector"].is_null()) {
        return Some("one of them applies to some workloads only".into());
    }
    let (a, b) = (&a["spec"], &b["spec"]);
    if a["exportTo"] != b["exportTo"] {
        return Some("they are exported to other namespaces, so istiod does not merge them".into());
    }
    let subset = list(&a["subsets"]).iter().find(|one| {
        list(&b["subsets"]).iter().any(|two| one["name"] == two["name"] && *one != two)
    });
    if let Some(subset) = subset {
        let name = text(&subset["name"]);
        return Some(format!("both define subset `{name}`, and the older one's applies"));
    }
    let policies = [a, b].map(|rule| &rule["trafficPolicy"]);
    let both = policies.iter().all(|policy| !policy.is_null()) && policies[0] != policies[1];
    both.then(|| "both have a trafficPolicy, and the older one's applies".into())
}

/// Weights, and subsets that no rule defines.
fn routes(found: &mut Findings<'_, '_>, service: &Value, defined: &BTreeMap<&str, BTreeSet<&str>>) {
    let spec = &service["spec"];
    for route in ["http", "tcp", "tls"].iter().flat_map(|kind| list(&spec[*kind])) {
        let parts = list(&route["route"]);
        let sum: u64 = parts.iter().filter_map(|part| part["weight"].as_u64()).sum();
        let strict = found.cluster.version < Version::new(1, 8, 0);
        if parts.len() > 1 && (sum == 0 || (strict && sum != 100)) {
            let wanted = if strict { "expected 100" } else { "one must be more than 0" };
            found.add(
                &WEIGHTS,
                service,
                format!("the weights of a route add up to {sum}: {wanted}"),
            );
        }
        let mirrored = core::iter::once(&route["mirror"]).filter(|mirror| !mirror.is_null());
        for to in parts.iter().map(|part| &part["destination"]).chain(mirrored) {
            let (host, subset) = (text(&to["host"]), text(&to["subset"]));
            let is_defined = defined.get(host).is_some_and(|names| names.contains(subset));
            if !subset.is_empty() && !is_defined {
                found.add(&SUBSET, service, format!("it sends calls to subset `{subset}` of `{host}`, which no DestinationRule on this cluster defines"));
            }
        }
    }
}
