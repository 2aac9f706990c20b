//! Turns routes into resources. The gateway that a call goes through determines its dialect; the release of the cluster
//! that a resource is for determines its `apiVersion`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::IpAddr;

use meshpki::istiod::Version;
use serde_json::{Value, json};

use crate::address::Addresses;
use crate::mesh::{Gateway, Mesh, MeshCluster, Outlier, Service};
use crate::resource::{Resource, rank_of_kind, text};
use crate::route::{Route, RoutePlan, Unit, plan};
use crate::text::shortened;

mod current;
mod failover;
pub(crate) mod multi_primary;
mod rule;
mod split;
mod v1_6;

/// How a call gets through the other cluster's gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// The gateway rewrites `.CLUSTER.global` to its own domain with an EnvoyFilter: Istio 1.6 and 1.7.
    /// From 1.8.6 and 1.9.5 that filter has nothing to attach to (istio-security-2021-006); 1.20 removed it.
    Rewrite,
    /// The caller names the Envoy cluster behind the gateway with `tls.sni`: gateways from 1.8.
    Sni,
    /// The caller's istiod reads the other API server and knows the endpoints: remote secrets.
    Registry,
}

impl Dialect {
    /// The dialect of a route.
    #[must_use]
    pub fn of(route: &Route<'_>) -> Self {
        if route.by_registry() {
            Self::Registry
        } else if rewrites(route.to.version) {
            Self::Rewrite
        } else {
            Self::Sni
        }
    }
}

/// Whether gateways of a release rewrite names.
#[must_use]
pub fn rewrites(version: Version) -> bool {
    version < Version::new(1, 8, 0)
}

/// Whether gateways of a release only compare the SNI with the hosts of the Gateway and pass everything that matches:
/// all before the fix of CVE-2021-31921 in 1.8.6 and 1.9.5 (istio-security-2021-006).
#[must_use]
pub fn has_open_passthrough(version: Version) -> bool {
    version < Version::new(1, 8, 6)
        || (Version::new(1, 9, 0)..Version::new(1, 9, 5)).contains(&version)
}

/// The version of networking.istio.io that a release serves and its documentation uses.
#[must_use]
pub fn api_version(version: Version) -> &'static str {
    if version < Version::new(1, 8, 0) {
        "networking.istio.io/v1alpha3"
    } else if version < Version::new(1, 22, 0) {
        "networking.istio.io/v1beta1"
    } else {
        "networking.istio.io/v1"
    }
}

/// Every resource one cluster needs, in the order they are applied.
///
/// Cost and memory are linear in what is returned. A [`Renderer`] needs less for many clusters.
#[must_use]
pub fn render(mesh: &Mesh, cluster: &MeshCluster, addresses: &Addresses) -> Vec<Resource> {
    let plan = plan(mesh, cluster);
    let target = Target { mesh, cluster, addresses };
    let mut resources = of_gateway(&target, &plan);
    for unit in &plan.units {
        resources.extend(of_unit(&target, unit));
    }
    resources.sort_by_cached_key(|r| {
        (rank_of_kind(r.kind()), r.namespace().to_string(), r.name().to_string())
    });
    resources
}

/// Renders several clusters of a mesh. What is alike in them, such as the entries of most that import a service, is in
/// memory once.
#[derive(Debug)]
pub struct Renderer<'m> {
    mesh: &'m Mesh,
    addresses: &'m Addresses,
    /// The last resource of each name.
    known: BTreeMap<String, Arc<Value>>,
}

impl<'m> Renderer<'m> {
    /// For a mesh and the addresses of its remote services.
    #[must_use]
    pub const fn new(mesh: &'m Mesh, addresses: &'m Addresses) -> Self {
        Self { mesh, addresses, known: BTreeMap::new() }
    }

    /// What [`render`] returns for a cluster.
    pub fn render(&mut self, cluster: &MeshCluster) -> Vec<Resource> {
        let mut resources = render(self.mesh, cluster, self.addresses);
        for resource in &mut resources {
            let id = resource.id();
            match self.known.get(&id) {
                Some(known) if *known == resource.value => resource.value = known.clone(),
                _ => drop(self.known.insert(id, resource.value.clone())),
            }
        }
        resources
    }
}

/// `apiVersion` and kind of everything [`render`] returns for a cluster; they do not depend on addresses.
///
/// It looks at services only until one of each kind has been found.
#[must_use]
pub fn kinds(mesh: &Mesh, cluster: &MeshCluster) -> BTreeSet<(String, String)> {
    let plan = plan(mesh, cluster);
    let addresses = Addresses::default();
    let target = Target { mesh, cluster, addresses: &addresses };
    let kind = |r: Resource| (text(&r.value["apiVersion"]).to_string(), r.kind().to_string());
    let mut kinds: BTreeSet<_> = of_gateway(&target, &plan).into_iter().map(kind).collect();
    let all = kinds.len() + KINDS_OF_UNIT;
    for unit in &plan.units {
        kinds.extend(of_unit(&target, unit).into_iter().map(kind));
        if kinds.len() == all {
            break;
        }
    }
    kinds
}

/// The number of kinds that services need; the gateway needs none of them: ServiceEntry, DestinationRule,
/// VirtualService.
const KINDS_OF_UNIT: usize = 3;

/// What a cluster's own gateway needs to let calls in.
fn of_gateway(target: &Target<'_>, plan: &RoutePlan<'_>) -> Vec<Resource> {
    let Some(gateway) = &target.cluster.gateway else { return Vec::new() };
    let exports: Vec<&Route<'_>> = plan.units.iter().flat_map(|unit| &unit.exports).collect();
    let mut resources = v1_6::for_exporter(target, gateway, &exports);
    resources.extend(current::for_exporter(target, gateway, &exports));
    resources
}

/// What calls of the services of one name need.
fn of_unit(target: &Target<'_>, unit: &Unit<'_>) -> Vec<Resource> {
    let mut resources = Vec::new();
    for route in &unit.imports {
        match Dialect::of(route) {
            Dialect::Rewrite => resources.extend(v1_6::for_importer(target, route, unit)),
            Dialect::Sni => resources.extend(current::for_importer(target, route, unit)),
            Dialect::Registry => {}
        }
    }
    resources.extend(failover::resources(target, unit));
    resources.extend(rule::local(target, unit));
    resources.extend(split::virtual_services(target, unit));
    for resource in &mut resources {
        resource.service = Some(unit.key());
    }
    resources
}

/// The cluster that resources are rendered for.
struct Target<'a> {
    mesh: &'a Mesh,
    cluster: &'a MeshCluster,
    addresses: &'a Addresses,
}

impl Target<'_> {
    /// What callers need: it is visible in every namespace, whatever the mesh's defaults are
    /// (`meshConfig.defaultServiceExportTo` and its siblings).
    fn exported(&self, kind: &str, name: &str, namespace: &str, mut spec: Value) -> Resource {
        spec["exportTo"] = json!(["*"]);
        self.resource(kind, name, namespace, spec)
    }

    /// A resource of networking.istio.io for this cluster.
    fn resource(&self, kind: &str, name: &str, namespace: &str, spec: Value) -> Resource {
        let api_version = api_version(self.cluster.version);
        Resource::new(api_version, kind, name, namespace, &self.mesh.name, spec)
    }

    /// The name of a resource about `what`: it ends in the mesh's name, so that it replaces nothing of others, and two
    /// meshes can have a cluster in common.
    fn name(&self, what: &str) -> String {
        shortened(&format!("{what}.{}", self.mesh.name), 253)
    }

    /// The same as one DNS label, which the names of Gateways must be.
    fn label(&self, what: &str) -> String {
        shortened(&format!("{what}-{}", self.mesh.name), 63)
    }

    /// The addresses of a host, as in a ServiceEntry.
    fn addresses(&self, host: &str) -> Vec<String> {
        self.addresses.get(host).map(|address| address.to_string()).into_iter().collect()
    }
}

/// The ports of a service, as in a ServiceEntry.
fn ports(service: &Service) -> Vec<Value> {
    let port = |p: &crate::spec::Port| json!({"name": p.name, "number": p.number, "protocol": p.protocol.as_str()});
    service.ports.iter().map(port).collect()
}

/// An endpoint for each address of a gateway; every port leads to that of the gateway.
fn endpoints(service: &Service, gateway: &Gateway, labels: &Value) -> Vec<Value> {
    let ports: serde_json::Map<String, Value> =
        service.ports.iter().map(|port| (port.name.clone(), json!(gateway.port))).collect();
    let endpoint = |address: &String| json!({"address": address, "labels": labels, "ports": ports});
    gateway.addresses.iter().map(endpoint).collect()
}

/// `STATIC` if every address is an IP address, else `DNS`.
fn resolution<'a>(mut addresses: impl Iterator<Item = &'a String>) -> &'static str {
    if addresses.all(|address| address.parse::<IpAddr>().is_ok()) { "STATIC" } else { "DNS" }
}

/// The SPIFFE identities of the pods of a service.
fn identities(service: &Service, home: &MeshCluster) -> Vec<String> {
    service
        .service_accounts
        .iter()
        .map(|account| identity(home, &service.namespace, account))
        .collect()
}

/// The SPIFFE identity of a service account. Both names are valid in a mesh, and so the identity is.
pub(crate) fn identity(home: &MeshCluster, namespace: &str, account: &str) -> String {
    format!("{}/ns/{namespace}/sa/{account}", home.trust_domain.uri())
}

/// Mutual TLS with Istio's certificates; Istio chooses the SNI if none is given.
fn mutual(sni: Option<String>) -> Value {
    match sni {
        Some(sni) => json!({"mode": "ISTIO_MUTUAL", "sni": sni}),
        None => json!({"mode": "ISTIO_MUTUAL"}),
    }
}

/// The SNI of the Envoy cluster behind the gateway (`pilot/pkg/model/service.go: BuildDNSSrvSubsetKey`).
pub(crate) fn sni(port: u16, subset: &str, host: &str) -> String {
    format!("outbound_.{port}_.{subset}_.{host}")
}

/// Outlier detection, as in a DestinationRule.
fn outlier(outlier: &Outlier) -> Value {
    let mut value = json!({});
    let mut set = |key: &str, field: Option<Value>| {
        if let Some(field) = field {
            value[key] = field;
        }
    };
    set("consecutive5xxErrors", outlier.errors.map(|n| json!(n)));
    set("interval", outlier.interval.as_ref().map(|t| json!(t)));
    set("baseEjectionTime", outlier.ejection.as_ref().map(|t| json!(t)));
    set("maxEjectionPercent", outlier.max_percent.map(|n| json!(n)));
    value
}

/// Sets a key, unless the list is empty.
fn set_list(value: &mut Value, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        value[key] = Value::Array(list);
    }
}

/// The settings of each port of a traffic policy.
fn port_settings(policy: &mut Value) -> impl Iterator<Item = &mut Value> {
    policy.get_mut("portLevelSettings").and_then(Value::as_array_mut).into_iter().flatten()
}

/// A Gateway that routes TLS by its SNI without terminating it.
fn passthrough(target: &Target<'_>, gateway: &Gateway, name: &str, hosts: &[String]) -> Resource {
    let server = json!({
        "port": {"number": gateway.target_port, "name": "tls", "protocol": "TLS"},
        "tls": {"mode": "AUTO_PASSTHROUGH"},
        "hosts": hosts,
    });
    let spec = json!({"selector": gateway.selector, "servers": vec![server]});
    target.resource("Gateway", name, &gateway.namespace, spec)
}

#[cfg(test)]
mod tests;
