//! Whether a call arrives: what a caller's proxy sends, and what the gateway it is sent to does with it.
//!
//! Both are computed as istiod computes them, from resources wherever they come from: the SNI of each Envoy cluster of
//! the caller, and the filter chains and endpoints of the gateway. Kinds read: ServiceEntry, DestinationRule, Gateway,
//! EnvoyFilter and Sidecar of networking.istio.io, PeerAuthentication of security.istio.io, and Service.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::mesh::{Mesh, MeshCluster};
use crate::resource::{list, text};

mod behind;
mod call;
mod gateway;
mod rules;
mod visible;

pub(crate) use behind::{Doubt, Lack, behind, dropped};
pub(crate) use call::{Sent, endpoints, registry, sent};
pub(crate) use gateway::{NoChain, chain};
pub(crate) use rules::{Found, Rules};
pub(crate) use visible::{hidden_by, is_exported};

/// A namespace of callers that has no resources of its own.
pub(crate) const ANY_NAMESPACE: &str = "";

/// The API groups of the kinds that are read.
const GROUPS: [(&str, &[&str]); 2] = [
    (
        "networking.istio.io/",
        &["DestinationRule", "EnvoyFilter", "Gateway", "ServiceEntry", "Sidecar", "VirtualService"],
    ),
    ("security.istio.io/", &["PeerAuthentication"]),
];

/// Whether resources of this kind are read.
#[must_use]
pub fn is_read(resource: &Value) -> bool {
    let (api, kind) = (text(&resource["apiVersion"]), text(&resource["kind"]));
    (api == "v1" && kind == "Service")
        || GROUPS.iter().any(|(group, kinds)| api.starts_with(group) && kinds.contains(&kind))
}

/// One cluster as its istiod sees it.
pub(crate) struct View<'a> {
    pub(crate) cluster: &'a MeshCluster,
    /// What it knows by each host, without other clusters' registries.
    pub(crate) services: BTreeMap<String, Known<'a>>,
    pub(crate) rules: Rules<'a>,
    /// PeerAuthentications by namespace, the oldest first: of several, it applies.
    authentications: BTreeMap<&'a str, Vec<&'a Value>>,
    /// The VirtualServices of sidecars that lead to a host.
    leading: BTreeMap<&'a str, Vec<&'a Value>>,
    kinds: BTreeMap<&'a str, Vec<&'a Value>>,
}

/// A service that a cluster knows.
pub(crate) struct Known<'a> {
    pub(crate) namespace: &'a str,
    /// Number and name of each port.
    pub(crate) ports: Vec<(u16, &'a str)>,
    /// The Service or ServiceEntry; `None` if only the spec has it.
    pub(crate) resource: Option<&'a Value>,
}

impl<'a> View<'a> {
    /// The view of a cluster with these resources.
    pub(crate) fn new(mesh: &'a Mesh, cluster: &'a MeshCluster, resources: &[&'a Value]) -> Self {
        let mut kinds: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for resource in resources.iter().filter(|resource| is_read(resource)) {
            kinds.entry(text(&resource["kind"])).or_default().push(resource);
        }
        let of = |kind: &str| kinds.get(kind).map_or(&[][..], Vec::as_slice);
        let mut services = BTreeMap::new();
        for service in mesh.services().iter().filter(|s| mesh.home(s).index == cluster.index) {
            let ports = service.ports.iter().map(|port| (port.number, port.name.as_str()));
            let known =
                Known { namespace: &service.namespace, ports: ports.collect(), resource: None };
            services.insert(service.local_host(cluster), known);
        }
        for entry in of("ServiceEntry") {
            for host in list(&entry["spec"]["hosts"]) {
                services.entry(text(host).into()).or_insert_with(|| known(entry, "number"));
            }
        }
        for service in of("Service") {
            let (namespace, name) = (namespace(service), text(&service["metadata"]["name"]));
            services.insert(cluster.host(namespace, name), known(service, "port"));
        }
        let mut leading: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for service in of("VirtualService").iter().filter(|service| is_for_sidecars(service)) {
            for destination in destinations(&service["spec"]) {
                leading.entry(text(&destination["host"])).or_default().push(service);
            }
        }
        let mut authentications: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for policy in by_age(of("PeerAuthentication")) {
            authentications.entry(namespace(policy)).or_default().push(policy);
        }
        let rules = Rules::new(&cluster.istio_namespace, of("DestinationRule"));
        Self { cluster, services, rules, authentications, leading, kinds }
    }

    /// Its resources of a kind.
    pub(crate) fn of(&self, kind: &str) -> &[&'a Value] {
        self.kinds.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Whether a VirtualService leads to a subset of a host.
    pub(crate) fn leads_to(&self, host: &str, subset: &str) -> bool {
        let leads = |service: &&Value| {
            destinations(&service["spec"]).any(|to| to["host"] == host && to["subset"] == subset)
        };
        self.leading.get(host).is_some_and(|services| services.iter().any(leads))
    }

    /// Whether a host may be a Service of the cluster that neither the spec nor the resources show: not if there are
    /// Services among them, which are then all of them.
    pub(crate) fn may_have(&self, host: &str) -> bool {
        if !self.of("Service").is_empty() {
            return false;
        }
        let inside = host.strip_suffix(self.cluster.domain.as_str());
        inside.is_some_and(|inside| inside.ends_with(".svc.")) && !self.services.contains_key(host)
    }
}

/// Whether a VirtualService applies to calls inside the mesh.
fn is_for_sidecars(service: &Value) -> bool {
    let gateways = list(&service["spec"]["gateways"]);
    gateways.is_empty() || gateways.iter().any(|one| one == "mesh")
}

/// Every destination of a VirtualService.
pub(crate) fn destinations(spec: &Value) -> impl Iterator<Item = &Value> {
    ["http", "tcp", "tls"].into_iter().flat_map(|kind| list(&spec[kind])).flat_map(|route| {
        let mirror = Some(&route["mirror"]).filter(|mirror| !mirror.is_null());
        list(&route["route"]).iter().map(|part| &part["destination"]).chain(mirror)
    })
}

/// A service as a resource has it; `number` is the key of a port's number.
fn known<'a>(resource: &'a Value, number: &str) -> Known<'a> {
    let port = |port: &'a Value| Some((port_number(&port[number])?, text(&port["name"])));
    Known {
        namespace: namespace(resource),
        ports: list(&resource["spec"]["ports"]).iter().filter_map(port).collect(),
        resource: Some(resource),
    }
}

/// Resources in the order in which istiod decides between them: by age, then name. What does not exist yet will be the
/// youngest.
fn by_age<'a>(resources: &[&'a Value]) -> Vec<&'a Value> {
    let mut sorted = resources.to_vec();
    sorted.sort_by_cached_key(|resource| {
        let meta = &resource["metadata"];
        let created = meta["creationTimestamp"].as_str().unwrap_or("~");
        [created, text(&meta["name"]), text(&meta["namespace"])].map(String::from)
    });
    sorted
}

/// The gateways of a mesh by address: the clusters they belong to.
pub(crate) fn gateways(mesh: &Mesh) -> BTreeMap<&str, BTreeSet<usize>> {
    let mut gateways: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for cluster in mesh.clusters() {
        for address in cluster.gateway.iter().flat_map(|gateway| &gateway.addresses) {
            gateways.entry(address).or_default().insert(cluster.index);
        }
    }
    gateways
}

/// Whether a host, with or without a wildcard, covers another.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    wide == narrow || wide.strip_prefix('*').is_some_and(|end| narrow.ends_with(end))
}

pub(crate) fn namespace(resource: &Value) -> &str {
    match text(&resource["metadata"]["namespace"]) {
        "" => "default",
        namespace => namespace,
    }
}

pub(crate) fn port_number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|number| u16::try_from(number).ok())
}

/// Whether every label of the first is one of the second.
fn selects(wanted: &Value, labels: &Value) -> bool {
    wanted.as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value)
}
