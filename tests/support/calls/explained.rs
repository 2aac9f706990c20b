//! What `explain` says of the calls of a mesh, next to what istiod's generators make of it: routes with their weights,
//! the endpoints of each Envoy cluster with SNI and priority, and the filter chain and pods behind them.

use std::collections::{BTreeMap, BTreeSet};

use meshconfig::Lock;
use meshconfig::address::{Addresses, Taken};
use meshconfig::explain::{Call, Hop, explain};
use meshconfig::mesh::{MeshCluster, Service};
use serde_json::{Value, json};

use super::verdict::{self, of};
use super::{CLIENT, Case};
use crate::NOW;

/// Where a share of the calls goes, as the hops say it.
#[derive(Debug, Default)]
struct Part {
    weight: u64,
    host: String,
    subset: String,
    /// Address, port and cluster.
    endpoints: Vec<(String, u16, String)>,
    /// The order in which clusters are tried.
    order: Vec<String>,
    /// The SNI of each port; of port 0, that of the only port.
    snis: BTreeMap<u16, String>,
    /// Clusters whose gateways are called by addresses that istiod knows, with their SNIs.
    through: BTreeMap<String, BTreeMap<u16, String>>,
    /// Cluster -> the labels of the pods that answer.
    pods: BTreeMap<String, Value>,
}

/// A call as the hops say it.
#[derive(Debug)]
struct Said {
    parts: Vec<Part>,
    /// Ports whose client must send one of these as SNI.
    only: BTreeMap<u16, Vec<String>>,
}

/// What `explain` and istiod say differently, a line each.
///
/// # Panics
/// When `explain` says something that is not known here.
#[must_use]
pub fn differences(case: &Case, answer: &Value) -> Vec<String> {
    let addresses = Lock::default().assign(&case.mesh, &Taken::new(), NOW).expect("addresses");
    let names: BTreeSet<(&str, &str)> =
        case.mesh.services().iter().map(|s| (s.namespace.as_str(), s.name.as_str())).collect();
    let mut found = Vec::new();
    for (namespace, name) in names {
        for call in explain(&case.mesh, &addresses, namespace, name, None) {
            let known = case.mesh.services_named(namespace, name);
            let judged = Judged { case, answer, addresses: &addresses, call: &call, known };
            judged.compare(&said(&call), &mut found);
        }
    }
    found
}

/// Reads the hops of a call.
fn said(call: &Call) -> Said {
    let mut said = Said { parts: Vec::new(), only: BTreeMap::new() };
    // The cluster whose gateway the next lines are about.
    let mut through = None;
    for hop in &call.hops {
        read(hop, call, &mut said, &mut through);
    }
    said
}

fn read(hop: &Hop, call: &Call, said: &mut Said, through: &mut Option<String>) {
    let text = hop.text.as_str();
    if let Some((weight, to)) = text.split_once(" of 100 calls go to ") {
        let (host, subset) = to.split_once(", subset ").unwrap_or((to, ""));
        let weight = weight.parse().expect("a weight");
        *through = None;
        said.parts.push(Part {
            weight,
            host: host.into(),
            subset: subset.into(),
            ..Part::default()
        });
        return;
    }
    if let Some(rest) = text.strip_prefix("port ") {
        let (port, names) = rest.split_once(": only connections with the SNI ").expect("a port");
        let (names, _) = names.split_once(" are led on").expect("names");
        let names = names.split(" or ").map(str::to_owned).collect();
        said.only.insert(port.parse().expect("a port"), names);
        return;
    }
    let is_about_names = [" answers ", "Service of the cluster", "must exist"];
    if is_about_names.iter().any(|part| text.contains(part)) {
        return;
    }
    if said.parts.is_empty() {
        let host = call.host.clone();
        said.parts.push(Part { weight: 100, host, ..Part::default() });
    }
    let part = said.parts.last_mut().expect("a part");
    destination(hop, part, through);
}

/// Reads what a hop says of a destination.
fn destination(hop: &Hop, part: &mut Part, through: &mut Option<String>) {
    let text = hop.text.as_str();
    if let Some((_, place)) = text.split_once(" is at ") {
        let (address, cluster) = place.split_once(", in ").expect("a cluster");
        let (address, port) = address.split_once(" port ").unwrap_or((address, "0"));
        part.endpoints.push((address.into(), port.parse().expect("a port"), cluster.into()));
    } else if let Some((clusters, rest)) = text.split_once(" that has healthy endpoints") {
        let clusters = clusters.strip_prefix("the first of ").expect("clusters");
        part.order = clusters.split(", ").map(str::to_owned).collect();
        part.snis = rest.strip_prefix("; mutual TLS, ").map(snis).unwrap_or_default();
    } else if let Some(sni) = text.strip_prefix("mutual TLS, ") {
        match through {
            Some(cluster) => *part.through.entry(cluster.clone()).or_default() = snis(sni),
            None => part.snis = snis(sni),
        }
    } else if let Some(rest) = text.strip_prefix("istiod knows the pods of ") {
        let (cluster, _) = rest.split_once(" from remote secrets").expect("a cluster");
        *through = Some(cluster.to_owned());
    } else if let Some((_, which)) = text.split_once(": ").filter(|_| text.ends_with(" answer")) {
        let labels =
            which.strip_prefix("pods with labels ").and_then(|l| l.strip_suffix(" answer"));
        let mut wanted = json!({});
        for pair in labels.into_iter().flat_map(|labels| labels.split(',')) {
            let (key, value) = pair.split_once('=').expect("a label");
            wanted[key] = json!(value);
        }
        part.pods.insert(hop.cluster.clone(), wanted);
    } else {
        let known = [
            "the server's identity must be",
            "the gateway routes",
            "the gateway rewrites",
            "no Gateway leads",
            " is one endpoint",
        ];
        assert!(known.iter().any(|part| text.contains(part)), "{text}");
    }
}

/// `SNI a`, or `SNI a for port 80, b for port 81`.
fn snis(text: &str) -> BTreeMap<u16, String> {
    let all = text.strip_prefix("SNI ").expect("an SNI").split(", ");
    all.map(|one| match one.split_once(" for port ") {
        Some((sni, port)) => (port.parse().expect("a port"), sni.to_owned()),
        None => (0, one.to_owned()),
    })
    .collect()
}

/// The SNI for a port.
fn sni(all: &BTreeMap<u16, String>, port: u16) -> Option<&String> {
    all.get(&port).or_else(|| all.get(&0))
}

/// A call, and what istiod says of it.
struct Judged<'a> {
    case: &'a Case,
    answer: &'a Value,
    addresses: &'a Addresses,
    call: &'a Call,
    /// The service on every cluster.
    known: &'a [Service],
}

impl Judged<'_> {
    fn compare(&self, said: &Said, found: &mut Vec<String>) {
        for port in &self.known[0].ports {
            let mut differ = |what: &str, ours: Value, theirs: Value| {
                if ours != theirs {
                    found.push(format!(
                        "{} port {} from {}: {what}: explain {ours}, istiod {theirs}",
                        self.call.host, port.number, self.call.from
                    ));
                }
            };
            let parts = said.parts.iter().map(|part| {
                json!([
                    format!("outbound|{}|{}|{}", port.number, part.subset, part.host),
                    part.weight
                ])
            });
            differ("route", sorted(parts), self.route(port.number, port.name == "http", said));
            for part in &said.parts {
                let (ours, theirs) =
                    (self.endpoints(part, port.number), self.cluster(part, port.number));
                differ(&format!("endpoints of {} {}", part.host, part.subset), ours, theirs);
                for (cluster, sni) in self.gateways(part, port.number) {
                    let pods = part.pods.get(&cluster).map(|labels| self.pods(&cluster, labels));
                    let chain = self.chain(&cluster, &sni);
                    differ(&format!("chain {sni} at {cluster}"), json!(pods), chain);
                }
            }
        }
    }

    /// Clusters and weights to which the caller's proxy sends calls of the host.
    fn route(&self, port: u16, is_http: bool, said: &Said) -> Value {
        let routes = &of(self.answer, &self.call.from)["routes"][CLIENT];
        let to = if is_http { Some(self.call.host.clone()) } else { self.address() };
        let snis = said.only.get(&port).map_or_else(|| json!([]), |names| json!(names));
        let is_meant = |route: &&Value| {
            route["port"].as_str().is_some_and(|known| known.parse() == Ok(port))
                && Some(&route["to"]) == to.as_ref().map(|to| json!(to)).as_ref()
                && (is_http || route["snis"] == snis)
        };
        let route = routes.as_array().into_iter().flatten().find(is_meant);
        let parts = route.and_then(|route| route["parts"].as_array()).into_iter().flatten();
        sorted(parts.map(|part| json!([part["cluster"], part["weight"]])))
    }

    /// The address of the host that is called: the one we gave it, or that of the Service.
    fn address(&self) -> Option<String> {
        if let Some(address) = self.addresses.get(&self.call.host) {
            return Some(address.to_string());
        }
        let asked = super::request(self.case);
        let all = asked["clusters"].as_array()?;
        let own = all.iter().find(|one| one["name"] == self.call.from)?["services"].as_array()?;
        let place = own.iter().position(|service| service["host"] == self.call.host)?;
        Some(format!("10.96.0.{}", place + 1))
    }

    /// Address, port, SNI and priority of each endpoint, as the hops say it.
    fn endpoints(&self, part: &Part, port: u16) -> Value {
        let last = part.order.len().saturating_sub(1);
        let place =
            |cluster: &str| part.order.iter().position(|tried| tried == cluster).unwrap_or(last);
        let mut all = Vec::new();
        for (address, number, cluster) in &part.endpoints {
            let number = if *number == 0 { port } else { *number };
            all.push(json!([address, number, sni(&part.snis, port), place(cluster)]));
        }
        for (cluster, snis) in &part.through {
            let gateway = self.cluster_named(cluster).gateway.as_ref().expect("a gateway");
            for address in &gateway.addresses {
                all.push(json!([address, gateway.port, sni(snis, port), place(cluster)]));
            }
        }
        if part.endpoints.is_empty()
            && let Some(labels) = part.pods.get(&self.call.from)
        {
            let pods = self.pods(&self.call.from, labels);
            let place = place(&self.call.from);
            all.extend(pods.into_iter().map(|pod| json!([pod, "pod", null, place])));
        }
        sorted(all.into_iter())
    }

    /// The same as istiod says it. Several pods behind one gateway are one endpoint here.
    fn cluster(&self, part: &Part, port: u16) -> Value {
        let callers = of(self.answer, &self.call.from)["callers"][CLIENT].as_array();
        let is_meant = |one: &&Value| {
            one["host"] == part.host
                && one["subset"] == part.subset
                && one["port"].as_str().is_some_and(|known| known.parse() == Ok(port))
        };
        let own = callers.into_iter().flatten().find(is_meant);
        let endpoints = own.and_then(|own| own["endpoints"].as_array()).into_iter().flatten();
        sorted(endpoints.map(|endpoint| {
            let address = endpoint["address"].as_str().unwrap_or_default();
            if address.starts_with("10.") {
                return json!([address, "pod", null, endpoint["priority"]]);
            }
            let sni = (endpoint["sent"] == "mutual").then(|| endpoint["sni"].clone());
            json!([address, endpoint["port"], sni, endpoint["priority"]])
        }))
    }

    /// The clusters behind whose gateways calls arrive, and their SNIs.
    fn gateways(&self, part: &Part, port: u16) -> BTreeMap<String, String> {
        let listed = part.endpoints.iter().map(|(.., cluster)| (cluster, &part.snis));
        let known = part.through.iter();
        listed
            .chain(known)
            .filter(|(cluster, _)| **cluster != self.call.from)
            .filter_map(|(cluster, snis)| Some((cluster.clone(), sni(snis, port)?.clone())))
            .collect()
    }

    /// The pods behind a filter chain of a gateway.
    fn chain(&self, cluster: &str, sni: &str) -> Value {
        let port = self.cluster_named(cluster).gateway.as_ref().map_or(0, |one| one.target_port);
        let chains = of(self.answer, cluster)["chains"].as_array().into_iter().flatten();
        let mut meant = chains.filter(|chain| chain["sni"] == sni && chain["port"] == port);
        meant.next().map_or(Value::Null, |chain| chain["addresses"].clone())
    }

    fn cluster_named(&self, name: &str) -> &MeshCluster {
        self.case.mesh.cluster(name).expect("a cluster")
    }

    /// The addresses of the pods of the service on a cluster that have these labels.
    fn pods(&self, cluster: &str, labels: &Value) -> Vec<String> {
        let service = &self.known[0];
        let is_it = |value: &&Value| {
            let meta = &value["metadata"];
            value["kind"] == "Service"
                && (&meta["name"], &meta["namespace"])
                    == (&json!(service.name), &json!(service.namespace))
        };
        let Some(value) = self.case.resources[cluster].iter().find(is_it) else {
            return Vec::new();
        };
        let cluster = self.cluster_named(cluster);
        let all = verdict::pods(self.case, cluster, value, &verdict::host(value));
        let fits = |pod: &&Value| {
            let wanted = labels.as_object().into_iter().flatten();
            wanted.into_iter().all(|(key, value)| pod["labels"][key] == *value)
        };
        let address = |pod: &Value| pod["address"].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<String> = all.iter().filter(fits).map(address).collect();
        found.sort();
        found
    }
}

/// What both say in one order, once.
fn sorted(all: impl Iterator<Item = Value>) -> Value {
    let mut all: Vec<Value> = all.collect();
    all.sort_by_cached_key(Value::to_string);
    all.dedup();
    Value::Array(all)
}
