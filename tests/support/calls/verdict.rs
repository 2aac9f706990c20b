//! What istiod's generators are asked, and what their answer means for each call the spec wants.

use std::collections::BTreeSet;

use meshconfig::mesh::{Destination, MeshCluster, PolicyTarget, Service};
use meshconfig::resource::yaml;
use meshconfig::route::{Route, routes};
use serde_json::{Value, json};

use super::{CLIENTS, Case};

/// A call the spec wants, and whether it arrives.
#[derive(Debug)]
pub struct Wanted {
    /// `a: http://...`, for people.
    pub what: String,
    /// It arrives at a pod.
    pub arrives: bool,
}

/// The question about every cluster of a case (`tests/rig/xds`).
#[must_use]
pub fn request(case: &Case) -> Value {
    let clusters: Vec<Value> =
        case.mesh.clusters().iter().map(|cluster| one(case, cluster)).collect();
    json!({"clusters": clusters})
}

fn one(case: &Case, cluster: &MeshCluster) -> Value {
    let istio: Vec<String> = case.resources[&cluster.name]
        .iter()
        .filter(|value| value["kind"] != "Service")
        .map(yaml)
        .collect();
    // What its istiod reads: its own API server, and those of other clusters with remote secrets.
    let read: Vec<&MeshCluster> = case
        .mesh
        .clusters()
        .iter()
        .filter(|other| {
            other.name == cluster.name || (other.remote_secrets && cluster.remote_secrets)
        })
        .collect();
    let (mut services, mut instances, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    // Its own Services come first: the ports of a service are those of the first.
    let own_first = read
        .iter()
        .filter(|other| other.name == cluster.name)
        .chain(read.iter().filter(|other| other.name != cluster.name));
    for other in own_first {
        for value in case.resources[&other.name].iter().filter(|value| value["kind"] == "Service") {
            let host = host(value);
            if seen.insert(host.clone()) {
                services.push(service(value, &host));
            }
            instances.extend(pods(case, other, value, &host));
        }
    }
    let gateways = read.iter().filter(|other| other.name != cluster.name).filter_map(|other| {
        let gateway = other.gateway.as_ref()?;
        Some(json!({"network": other.network, "cluster": other.name, "address": gateway.addresses[0], "port": gateway.port}))
    });
    json!({
        "name": cluster.name,
        "network": cluster.network,
        "config": istio.join("---\n"),
        "services": services,
        "instances": instances,
        "gateways": gateways.collect::<Vec<_>>(),
        "clients": CLIENTS,
        "gateway": cluster.gateway.as_ref().map(|gateway| json!({"namespace": gateway.namespace, "labels": gateway.selector})),
    })
}

pub(super) fn host(service: &Value) -> String {
    let meta = &service["metadata"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}.{}.svc.cluster.local", word(&meta["name"]), word(&meta["namespace"]))
}

fn service(value: &Value, host: &str) -> Value {
    let ports = value["spec"]["ports"].as_array().into_iter().flatten().map(|port| {
        let protocol = match port["name"].as_str() {
            Some("http") => "HTTP",
            Some("tls") => "TLS",
            _ => "TCP",
        };
        json!({"name": port["name"], "number": port["port"], "target": port["targetPort"], "protocol": protocol})
    });
    let export = value["metadata"]["annotations"]["networking.istio.io/exportTo"].as_str();
    json!({
        "host": host,
        "namespace": value["metadata"]["namespace"],
        "ports": ports.collect::<Vec<_>>(),
        "exportTo": export.map(|to| [to]),
    })
}

/// A pod of each version of a service on a cluster, and one of none.
pub(super) fn pods(case: &Case, cluster: &MeshCluster, value: &Value, host: &str) -> Vec<Value> {
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    let network = cluster.network.clone();
    ["", "v1", "v2"]
        .iter()
        .enumerate()
        .map(|(n, version)| {
            let mut labels = json!({"app": name, "topology.istio.io/cluster": cluster.name});
            if !version.is_empty() {
                labels["version"] = json!(version);
            }
            let place = case.mesh.clusters().iter().position(|c| c.name == cluster.name);
            let address = format!("10.{}.{}.{n}", place.unwrap_or_default(), name.len() + usize::from(name.as_bytes()[1]));
            json!({"host": host, "address": address, "network": network, "cluster": cluster.name, "labels": labels})
        })
        .collect()
}

/// The calls that the spec wants, judged by the answer.
///
/// # Panics
/// When istiod refuses the resources.
#[must_use]
pub fn wanted(case: &Case, answer: &Value) -> Vec<Wanted> {
    let answered = answer.as_array().map_or(0, Vec::len);
    assert_eq!(answered, case.mesh.clusters().len(), "istiod refuses {:?}", case.faults);
    let mut all = Vec::new();
    for route in routes(&case.mesh) {
        let subsets = route.service.subsets.iter().map(|subset| subset.name.clone());
        for subset in std::iter::once(String::new()).chain(subsets) {
            for port in &route.service.ports {
                all.push(call(case, answer, &route, &subset, &port.name));
            }
        }
        if whole(case, &route) {
            for port in &route.service.ports {
                all.push(call(case, answer, &route, WHOLE, &port.name));
            }
        }
    }
    all
}

/// The subset of every pod on a cluster, which a policy needs with remote secrets.
const WHOLE: &str = "*";

/// Whether a policy sends the caller's calls to every pod on the cluster of a route.
fn whole(case: &Case, route: &Route<'_>) -> bool {
    let service = route.service;
    let policy = case.mesh.policy(route.from, &service.namespace, &service.name);
    let shares = match policy.map(|policy| &policy.target) {
        Some(PolicyTarget::Split(shares)) => shares.as_slice(),
        _ => &[],
    };
    let is_meant = |to: &Destination| to.subset.is_none() && case.mesh.at(to).name == route.to.name;
    route.by_registry() && shares.iter().any(|(to, _)| is_meant(to))
}

fn call(case: &Case, answer: &Value, route: &Route<'_>, subset: &str, port: &str) -> Wanted {
    let service: &Service = route.service;
    let number = service.ports.iter().find(|known| known.name == port).map_or(0, |p| p.number);
    let (host, subset) = if route.by_registry() {
        let pinned = match subset {
            "" => String::new(),
            WHOLE => route.to.name.clone(),
            subset => format!("{subset}-{}", route.to.name),
        };
        (service.local_host(route.from), pinned)
    } else {
        (case.mesh.remote_host(service), subset.to_owned())
    };
    let what = format!("{}: {host} {subset} {number}", route.from.name);
    // Any other leads to another service, port or subset.
    let sni = format!("outbound_.{number}_.{subset}_.{}", service.local_host(route.to));
    let from = |client: &&str| {
        let callers = of(answer, &route.from.name)["callers"][client].as_array();
        let own = callers.into_iter().flatten().find(|one| {
            one["host"] == host && one["subset"] == subset && one["port"] == format!("{number}")
        });
        let endpoints = own.and_then(|own| own["endpoints"].as_array());
        endpoints.into_iter().flatten().any(|endpoint| arrives(answer, route, endpoint, &sni))
    };
    let lost: Vec<&str> = CLIENTS.into_iter().filter(|client| !from(client)).collect();
    let (what, arrives) = (format!("{what} from {}", lost.join(", ")), lost.is_empty());
    Wanted { what, arrives }
}

/// Whether what is sent to an endpoint of the callers arrives at a pod behind the gateway.
fn arrives(answer: &Value, route: &Route<'_>, endpoint: &Value, sni: &str) -> bool {
    let Some(gateway) = &route.to.gateway else { return false };
    endpoint["sni"] == *sni
        && gateway.addresses.iter().any(|address| endpoint["address"] == *address)
        && endpoint["port"] == gateway.port
        && endpoint["sent"] == "mutual"
        && chain(answer, &route.to.name, gateway.target_port, &endpoint["sni"])
}

pub(super) fn of<'a>(answer: &'a Value, cluster: &str) -> &'a Value {
    let all = answer.as_array().into_iter().flatten();
    all.into_iter().find(|one| one["Name"] == cluster).unwrap_or(&Value::Null)
}

/// Whether a gateway has a filter chain with endpoints for an SNI.
fn chain(answer: &Value, cluster: &str, port: u16, sni: &Value) -> bool {
    let chains = of(answer, cluster)["chains"].as_array().into_iter().flatten();
    chains.into_iter().any(|chain| {
        chain["sni"] == *sni && chain["port"] == port && chain["endpoints"].as_u64() > Some(0)
    })
}
