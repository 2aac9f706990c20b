//! The hops of a call, from the DNS name to the pod, each with the resource that causes it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::address::Addresses;
use crate::dialect::{self, Dialect, multi_primary, render};
use crate::mesh::{Mesh, MeshCluster, PolicyTarget};
use crate::reach::covers;
use crate::resource::{Resource, text};
use crate::route::{Route, Unit, plan};
use crate::spec::{DnsWay, Port};

/// A name by which a cluster calls a service, and what happens to such a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The cluster of the callers.
    pub from: String,
    /// The name.
    pub host: String,
    /// What happens, in order.
    pub hops: Vec<Hop>,
}

/// One hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Nesting below destinations: 0 for what all calls share.
    pub depth: usize,
    /// The cluster it happens on.
    pub cluster: String,
    /// What happens.
    pub text: String,
    /// The resource that causes it: `VirtualService default/reviews`; empty if Istio does it by itself.
    pub resource: String,
}

/// Every call of a service, from every cluster that has or imports it, or from one.
#[must_use]
pub fn explain(
    mesh: &Mesh,
    addresses: &Addresses,
    namespace: &str,
    name: &str,
    from: Option<&str>,
) -> Vec<Call> {
    let rendered: Vec<Vec<Resource>> =
        mesh.clusters().iter().map(|cluster| render(mesh, cluster, addresses)).collect();
    let mut calls = Vec::new();
    for cluster in
        mesh.clusters().iter().filter(|cluster| from.is_none_or(|from| cluster.name == from))
    {
        let plan = plan(mesh, cluster);
        let Some(unit) =
            plan.units.iter().find(|unit| unit.namespace == namespace && unit.name == name)
        else {
            continue;
        };
        let explainer = Explainer { mesh, addresses, rendered: &rendered, cluster, unit };
        let mut hosts: Vec<String> = Vec::new();
        if unit.own.is_some() || unit.imports.iter().any(Route::by_registry) {
            hosts.push(cluster.host(namespace, name));
        }
        let remote = unit.imports.iter().filter(|route| !route.by_registry());
        hosts.extend(remote.map(|route| mesh.remote_host(route.service)));
        calls.extend(hosts.into_iter().map(|host| explainer.call(host)));
    }
    calls
}

/// One service as one cluster calls it.
struct Explainer<'a> {
    mesh: &'a Mesh,
    addresses: &'a Addresses,
    rendered: &'a [Vec<Resource>],
    cluster: &'a MeshCluster,
    unit: &'a Unit<'a>,
}

impl Explainer<'_> {
    fn call(&self, host: String) -> Call {
        let mut hops = Vec::new();
        self.push(&mut hops, 0, self.cluster, self.dns(&host), None);
        self.namespace(&mut hops);
        match self.find(self.cluster, "VirtualService", |spec| has(&spec["hosts"], &host)) {
            Some(service) => {
                self.tls_ports(&mut hops, service);
                let routes = ["http", "tls", "tcp"]
                    .iter()
                    .find_map(|kind| service.value["spec"][*kind][0]["route"].as_array());
                for part in routes.into_iter().flatten() {
                    let to = &part["destination"];
                    let (host, subset) = (text(&to["host"]), text(&to["subset"]));
                    let weight = part["weight"].as_u64().unwrap_or(100);
                    let named = if subset.is_empty() {
                        String::new()
                    } else {
                        format!(", subset {subset}")
                    };
                    self.push(
                        &mut hops,
                        0,
                        self.cluster,
                        format!("{weight} of 100 calls go to {host}{named}"),
                        Some(service),
                    );
                    self.destination(&mut hops, 1, host, subset);
                }
            }
            None => self.destination(&mut hops, 0, &host, ""),
        }
        Call { from: self.cluster.name.clone(), host, hops }
    }

    /// TLS ports, whose route the SNI of the client chooses.
    fn tls_ports(&self, hops: &mut Vec<Hop>, service: &Resource) {
        for route in service.value["spec"]["tls"].as_array().into_iter().flatten() {
            for on in route["match"].as_array().into_iter().flatten() {
                let names = on["sniHosts"].as_array().into_iter().flatten().map(text);
                let text = format!(
                    "port {}: only connections with the SNI {} are led on; the proxy closes others",
                    on["port"],
                    names.collect::<Vec<_>>().join(" or ")
                );
                self.push(hops, 0, self.cluster, text, Some(service));
            }
        }
    }

    fn push(
        &self,
        hops: &mut Vec<Hop>,
        depth: usize,
        at: &MeshCluster,
        text: String,
        by: Option<&Resource>,
    ) {
        let resource = by.map_or_else(String::new, Resource::id);
        hops.push(Hop { depth, cluster: at.name.clone(), text, resource });
    }

    fn find(
        &self,
        at: &MeshCluster,
        kind: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<&Resource> {
        self.rendered[at.index]
            .iter()
            .find(|resource| resource.kind() == kind && fits(&resource.value["spec"]))
    }

    /// A cluster that does not have the service may not have its namespace either.
    fn namespace(&self, hops: &mut Vec<Hop>) {
        let (own, namespace) = (self.unit.own, self.unit.namespace);
        let needs = |resource: &&Resource| {
            resource.namespace() == namespace
                && resource.service.as_deref() == Some(self.unit.key().as_str())
        };
        let needed = self.rendered[self.cluster.index].iter().find(needs);
        if let Some(resource) = needed.filter(|_| own.is_none()) {
            let text = format!("namespace {namespace} must exist, although the service does not");
            self.push(hops, 0, self.cluster, text, Some(resource));
        }
    }

    fn dns(&self, host: &str) -> String {
        if self.cluster.host(self.unit.namespace, self.unit.name) == host {
            return match (self.unit.own, self.cluster.dns) {
                (Some(_), _) => {
                    format!("{host} is a Service of the cluster: the cluster's own DNS answers")
                }
                (None, DnsWay::Proxy) => format!(
                    "{host} is not a Service of the cluster: only the proxy's DNS answers, because istiod knows the service from remote secrets"
                ),
                (None, _) => format!(
                    "{host} is not a Service of the cluster: no DNS answers until there is a Service of that name, which needs no pods"
                ),
            };
        }
        let Some(address) = self.addresses.get(host) else {
            return format!("{host} has no address");
        };
        let server = match self.cluster.dns {
            DnsWay::Proxy => "the proxy's DNS",
            DnsWay::IstioCoredns => "istio-coredns, to which the cluster's DNS forwards,",
            DnsWay::Hosts => "the cluster's CoreDNS",
            DnsWay::None => {
                return format!(
                    "no DNS answers for {host}; it can be reached only by its address, {address}"
                );
            }
        };
        format!("{server} answers {address} for {host}")
    }

    /// The hops from a host and subset to pods.
    fn destination(&self, hops: &mut Vec<Hop>, depth: usize, host: &str, subset: &str) {
        let rule = self.find(self.cluster, "DestinationRule", |spec| spec["host"] == host);
        let Some(entry) = self.find(self.cluster, "ServiceEntry", |spec| has(&spec["hosts"], host))
        else {
            return self.registry(hops, depth, host, subset, rule);
        };
        for endpoint in entry.value["spec"]["endpoints"].as_array().into_iter().flatten() {
            let port = endpoint["ports"].as_object().and_then(|ports| ports.values().next());
            let port = port.map_or_else(String::new, |port| format!(" port {port}"));
            let at = text(&endpoint["labels"]["cluster"]);
            self.push(
                hops,
                depth,
                self.cluster,
                format!("{host} is at {}{port}, in {at}", text(&endpoint["address"])),
                Some(entry),
            );
        }
        let route =
            self.unit.imports.iter().find(|route| self.mesh.remote_host(route.service) == host);
        if let Some(route) = route {
            self.tls(hops, depth, route, subset, rule);
            self.gateway(hops, depth, route, subset);
        } else {
            self.failover(hops, depth, entry, rule);
        }
    }

    /// A host with endpoints of several clusters: the first with healthy endpoints answers.
    fn failover(
        &self,
        hops: &mut Vec<Hop>,
        depth: usize,
        entry: &Resource,
        rule: Option<&Resource>,
    ) {
        let endpoints = entry.value["spec"]["endpoints"].as_array().into_iter().flatten();
        let mut clusters: Vec<&str> =
            endpoints.map(|endpoint| text(&endpoint["labels"]["cluster"])).collect();
        clusters.dedup();
        let first = clusters.iter().find_map(|name| {
            let cluster = self.mesh.cluster(name)?;
            Some((self.unit.on(cluster)?, cluster))
        });
        let snis = first.map_or_else(String::new, |(service, cluster)| {
            let host = service.local_host(cluster);
            each_port(&service.ports, |number| dialect::sni(number, "", &host))
        });
        let text = format!(
            "the first of {} that has healthy endpoints; mutual TLS, {snis}",
            clusters.join(", ")
        );
        self.push(hops, depth, self.cluster, text, rule);
        for name in clusters {
            match self.unit.imports.iter().find(|route| route.to.name == name) {
                Some(route) => self.gateway(hops, depth + 1, route, ""),
                None => {
                    let local = self.cluster.host(self.unit.namespace, self.unit.name);
                    let text = format!(
                        "{local} is one endpoint, the address of the Service: its pods are ejected together"
                    );
                    self.push(hops, depth + 1, self.cluster, text, Some(entry));
                    self.pods(hops, depth + 1, self.cluster, &local, "");
                }
            }
        }
    }

    /// The clusters of a failover policy in its order, if istiod knows their pods.
    fn order(&self) -> Option<Vec<&str>> {
        let PolicyTarget::Failover(order) = &self.unit.policy?.target else { return None };
        if !self.unit.fails_over_by_registry(order) {
            return None;
        }
        Some(order.iter().map(|index| self.mesh.clusters()[*index].name.as_str()).collect())
    }

    fn tls(
        &self,
        hops: &mut Vec<Hop>,
        depth: usize,
        route: &Route<'_>,
        subset: &str,
        rule: Option<&Resource>,
    ) {
        let text = format!("mutual TLS, {}", self.snis(route, subset));
        self.push(hops, depth, self.cluster, text, rule);
        let names: Vec<String> = route
            .service
            .service_accounts
            .iter()
            .map(|account| dialect::identity(route.to, &route.service.namespace, account))
            .collect();
        let identity = if names.is_empty() {
            "that of any workload in the mesh".to_string()
        } else {
            names.join(" or ")
        };
        let entry = self.find(self.cluster, "ServiceEntry", |spec| {
            has(&spec["hosts"], &self.mesh.remote_host(route.service))
        });
        self.push(
            hops,
            depth,
            self.cluster,
            format!("the server's identity must be {identity}"),
            entry.filter(|_| !names.is_empty()),
        );
    }

    /// The SNI of each port.
    fn snis(&self, route: &Route<'_>, subset: &str) -> String {
        let host = match Dialect::of(route) {
            Dialect::Rewrite => self.mesh.remote_host(route.service),
            _ => route.service.local_host(route.to),
        };
        each_port(&route.service.ports, |number| dialect::sni(number, subset, &host))
    }

    fn gateway(&self, hops: &mut Vec<Hop>, depth: usize, route: &Route<'_>, subset: &str) {
        let local = route.service.local_host(route.to);
        let rewritten = Dialect::of(route) == Dialect::Rewrite;
        // Older gateways compare the SNI itself.
        let compared = if dialect::has_open_passthrough(route.to.version) {
            let host = if rewritten { self.mesh.remote_host(route.service) } else { local.clone() };
            let port = route.service.ports.first().map_or(0, |port| port.number);
            dialect::sni(port, subset, &host)
        } else {
            local.clone()
        };
        let passes = |spec: &Value| {
            let hosts = spec["servers"][0]["hosts"].as_array().into_iter().flatten();
            hosts.into_iter().any(|wide| covers(text(wide), &compared))
        };
        let gateway = self.find(route.to, "Gateway", passes);
        if gateway.is_none() {
            let text = "no Gateway leads on connections with this SNI: the calls fail";
            return self.push(hops, depth, route.to, text.into(), None);
        }
        self.push(
            hops,
            depth,
            route.to,
            "the gateway routes the TLS connection by its SNI".into(),
            gateway,
        );
        if rewritten {
            let filter = self.find(route.to, "EnvoyFilter", |_| true);
            self.push(
                hops,
                depth,
                route.to,
                format!("the gateway rewrites the name to {local}"),
                filter,
            );
        }
        self.pods(hops, depth, route.to, &local, subset);
    }

    /// The pods of a service, on the cluster it runs on.
    fn pods(&self, hops: &mut Vec<Hop>, depth: usize, at: &MeshCluster, host: &str, subset: &str) {
        let rule = self.find(at, "DestinationRule", |spec| spec["host"] == host);
        self.answer(hops, depth, at, (host, subset), rule);
    }

    /// The last hop: which pods answer, according to the rule's subset if it has one.
    fn answer(
        &self,
        hops: &mut Vec<Hop>,
        depth: usize,
        at: &MeshCluster,
        (host, subset): (&str, &str),
        rule: Option<&Resource>,
    ) {
        let labels = rule.and_then(|rule| {
            let subsets = rule.value["spec"]["subsets"].as_array()?;
            subsets
                .iter()
                .find(|known| text(&known["name"]) == subset)
                .map(|known| known["labels"].clone())
        });
        let which = labels.as_ref().map_or_else(
            || "its pods".to_string(),
            |labels| format!("pods with labels {}", words(labels)),
        );
        self.push(
            hops,
            depth,
            at,
            format!("{host}: {which} answer"),
            rule.filter(|_| labels.is_some()),
        );
    }

    /// A host that istiod knows by itself.
    fn registry(
        &self,
        hops: &mut Vec<Hop>,
        depth: usize,
        host: &str,
        subset: &str,
        rule: Option<&Resource>,
    ) {
        let labels = rule.and_then(|rule| {
            let subsets = rule.value["spec"]["subsets"].as_array()?;
            Some(&subsets.iter().find(|known| text(&known["name"]) == subset)?["labels"])
        });
        let order = self.order().filter(|_| subset.is_empty()).unwrap_or_default();
        if !order.is_empty() {
            let text = format!("the first of {} that has healthy endpoints", order.join(", "));
            self.push(hops, depth, self.cluster, text, rule);
        }
        let pinned = labels.map_or("", |labels| text(&labels[multi_primary::CLUSTER_LABEL]));
        let is_meant = |cluster: &MeshCluster| pinned.is_empty() || cluster.name == pinned;
        let others = self.unit.registry.iter().filter(|s| s.cluster != self.cluster.index);
        let routes = others.map(|service| Route {
            from: self.cluster,
            to: self.mesh.home(service),
            service,
        });
        for route in routes.filter(|route| is_meant(route.to)) {
            let route = &route;
            let is_flat = route.is_direct();
            let way =
                if is_flat { "calls them directly" } else { "calls them through its gateway" };
            let but = if !order.is_empty() && !order.contains(&route.to.name.as_str()) {
                // It prefers one cluster, and all others are in the second place.
                ", with the last of the order, although the policy does not name it"
            } else if route.service.importers.contains(&self.cluster.index) {
                ""
            } else {
                ", although the spec does not import them"
            };
            let text = format!(
                "istiod knows the pods of {} from remote secrets, and {way}{but}",
                route.to.name
            );
            self.push(hops, depth, self.cluster, text, None);
            if is_flat {
                self.answer(hops, depth, route.to, (host, subset), rule);
                continue;
            }
            self.tls(hops, depth, route, subset, None);
            self.gateway(hops, depth, route, subset);
        }
        if self.unit.own.is_none() || !is_meant(self.cluster) {
            return;
        }
        self.answer(hops, depth, self.cluster, (host, subset), rule);
    }
}

/// `SNI a`; of several ports, the SNI of each.
fn each_port(ports: &[Port], sni: impl Fn(u16) -> String) -> String {
    match ports {
        [port] => format!("SNI {}", sni(port.number)),
        ports => {
            let each = |port: &Port| format!("{} for port {}", sni(port.number), port.number);
            format!("SNI {}", ports.iter().map(each).collect::<Vec<_>>().join(", "))
        }
    }
}

fn has(list: &Value, host: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|known| known == host))
}

fn words(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    pairs.map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join(",")
}
