//! The VirtualService of a policy: where calls go, and their time limits.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use serde_json::{Value, json};

use super::{Dialect, Target, multi_primary, set_list};
use crate::mesh::{Destination, Policy, PolicyTarget, Service};
use crate::resource::Resource;
use crate::route::{Route, Unit};

/// A VirtualService to render.
struct Plan<'m> {
    /// Names whose calls it applies to.
    hosts: BTreeSet<String>,
    /// Its own name and namespace.
    name: String,
    namespace: String,
    /// Host, subset and weight of each destination.
    parts: Vec<(String, Option<String>, u32)>,
    /// The service with its ports.
    service: &'m Service,
    /// A call goes through a gateway that routes by SNI: the port is named even if there is only one.
    names_port: bool,
}

impl Plan<'_> {
    /// Whether calls go where they go without it. Then only requests need a route, for their settings; one for a TLS port
    /// would be for clients that send the host as SNI, and close the connections of others.
    fn stays(&self) -> bool {
        let [(host, None, _)] = &self.parts[..] else { return false };
        self.hosts.len() == 1 && self.hosts.contains(host)
    }
}

/// The VirtualServices of a cluster for services of one name.
pub(super) fn virtual_services(target: &Target<'_>, unit: &Unit<'_>) -> Vec<Resource> {
    let Some(policy) = unit.policy else { return Vec::new() };
    let plans = match &policy.target {
        PolicyTarget::Split(shares) => split(target, unit, shares).into_iter().collect(),
        PolicyTarget::Failover(order) => {
            failover(target, unit, policy, order).into_iter().collect()
        }
        PolicyTarget::Unchanged => unchanged(target, unit, policy),
    };
    plans.into_iter().filter_map(|plan| resource(target, unit, policy, &plan)).collect()
}

fn split<'m>(
    target: &Target<'_>,
    unit: &Unit<'m>,
    shares: &[(Destination, u32)],
) -> Option<Plan<'m>> {
    let part = |(to, weight): &(Destination, u32)| {
        let (host, subset) = destination(target, unit, to);
        (host, subset, *weight)
    };
    let to = |(to, _): &(Destination, u32)| to.cluster;
    let service = unit.on(&target.mesh.clusters()[shares.first().map(to)?])?;
    let remote: Vec<usize> = shares.iter().map(to).collect();
    Some(named(target, unit, &remote, shares.iter().map(part).collect(), service))
}

/// One destination, the common host. With remote secrets, the rule is enough, and only settings need a route.
fn failover<'m>(
    target: &Target<'_>,
    unit: &Unit<'m>,
    policy: &Policy,
    order: &[usize],
) -> Option<Plan<'m>> {
    let service = unit.on(&target.mesh.clusters()[*order.first()?])?;
    if unit.fails_over_by_registry(order) {
        let local = target.cluster.host(unit.namespace, unit.name);
        return has_settings(policy)
            .then(|| named(target, unit, order, vec![(local, None, 100)], service));
    }
    let pooled = target.mesh.pooled_host(unit.namespace, unit.name);
    Some(named(target, unit, order, vec![(pooled, None, 100)], service))
}

/// Calls go where they went before: each name to itself.
fn unchanged<'m>(target: &Target<'_>, unit: &Unit<'m>, policy: &Policy) -> Vec<Plan<'m>> {
    if !has_settings(policy) {
        return Vec::new();
    }
    let mut plans = Vec::new();
    let registry = unit.imports.iter().find(|route| route.by_registry()).map(|route| route.service);
    if let Some(service) = unit.own.or(registry) {
        let local = target.cluster.host(unit.namespace, unit.name);
        plans.push(named(target, unit, &[], vec![(local, None, 100)], service));
    }
    for route in unit.imports.iter().filter(|route| !route.by_registry()) {
        let host = target.mesh.remote_host(route.service);
        plans.push(Plan {
            hosts: [host.clone()].into(),
            name: target.name(&format!("{}.{}.{}", unit.name, unit.namespace, route.to.name)),
            namespace: target.cluster.import_namespace.clone(),
            parts: vec![(host, None, 100)],
            service: route.service,
            names_port: Dialect::of(route) == Dialect::Sni,
        });
    }
    plans
}

/// Whether a policy has settings besides destinations.
const fn has_settings(policy: &Policy) -> bool {
    policy.timeout.is_some() || policy.retries.is_some() || policy.mirror.is_some()
}

/// The plan under the names that callers use: that of the service itself if the cluster knows it, else its names on the
/// clusters that calls go to.
fn named<'m>(
    target: &Target<'_>,
    unit: &Unit<'m>,
    to: &[usize],
    parts: Vec<(String, Option<String>, u32)>,
    service: &'m Service,
) -> Plan<'m> {
    let called = |index: &usize| unit.imports.iter().find(|route| route.to.index == *index);
    let routes: Vec<&Route<'_>> = to.iter().filter_map(called).collect();
    let names_port = routes.iter().any(|route| Dialect::of(route) == Dialect::Sni);
    if unit.own.is_some() || unit.imports.iter().any(Route::by_registry) {
        let hosts = [target.cluster.host(unit.namespace, unit.name)].into();
        let (name, namespace) = (target.name(unit.name), unit.namespace.into());
        return Plan { hosts, name, namespace, parts, service, names_port };
    }
    Plan {
        hosts: routes.iter().map(|route| target.mesh.remote_host(route.service)).collect(),
        name: target.name(&format!("{}.{}", unit.name, unit.namespace)),
        namespace: target.cluster.import_namespace.clone(),
        parts,
        service,
        names_port,
    }
}

/// Host and subset by which this cluster calls a destination.
fn destination(target: &Target<'_>, unit: &Unit<'_>, to: &Destination) -> (String, Option<String>) {
    let cluster = target.mesh.at(to);
    let route = unit.imports.iter().find(|route| route.to.index == to.cluster);
    match route.map(|route| (route, Dialect::of(route))) {
        Some((route, Dialect::Rewrite | Dialect::Sni)) => {
            (target.mesh.remote_host(route.service), to.subset.clone())
        }
        _ => {
            let local = target.cluster.host(unit.namespace, unit.name);
            let subset = if unit.is_pinned() {
                Some(multi_primary::pinned(to.subset.as_deref(), &cluster.name))
            } else {
                to.subset.clone()
            };
            (local, subset)
        }
    }
}

/// The VirtualService of a plan; `None` if it would change nothing.
fn resource(
    target: &Target<'_>,
    unit: &Unit<'_>,
    policy: &Policy,
    plan: &Plan<'_>,
) -> Option<Resource> {
    let many = plan.service.ports.len() > 1;
    let (mut http, mut tls, mut tcp) = (Vec::new(), Vec::new(), Vec::new());
    let stays = plan.stays();
    for port in plan.service.ports.iter().filter(|port| !stays || port.protocol.is_http()) {
        let number = (many || plan.names_port).then_some(port.number);
        let mut entry = json!({"route": parts(plan, number)});
        if port.protocol.is_tls() {
            entry["match"] = json!([{"port": port.number, "sniHosts": plan.hosts}]);
            tls.push(entry);
            continue;
        }
        if many {
            entry["match"] = json!([{"port": port.number}]);
        }
        if port.protocol.is_http() {
            settings(target, unit, policy, number, &mut entry);
            http.push(entry);
        } else {
            tcp.push(entry);
        }
    }
    if http.is_empty() && tls.is_empty() && tcp.is_empty() {
        return None;
    }
    let mut spec = json!({"hosts": plan.hosts});
    set_list(&mut spec, "http", http);
    set_list(&mut spec, "tls", tls);
    set_list(&mut spec, "tcp", tcp);
    Some(target.exported("VirtualService", &plan.name, &plan.namespace, spec))
}

/// The destinations of a route. A single one needs no weight.
fn parts(plan: &Plan<'_>, port: Option<u16>) -> Vec<Value> {
    let part = |(host, subset, weight): &(String, Option<String>, u32)| {
        let mut value = json!({"destination": to(host, subset.as_deref(), port)});
        if plan.parts.len() > 1 {
            value["weight"] = json!(weight);
        }
        value
    };
    plan.parts.iter().map(part).collect()
}

fn to(host: &str, subset: Option<&str>, port: Option<u16>) -> Value {
    let mut value = json!({"host": host});
    if let Some(port) = port {
        value["port"] = json!({"number": port});
    }
    if let Some(subset) = subset {
        value["subset"] = json!(subset);
    }
    value
}

/// Timeout, retries and mirror of an HTTP route.
fn settings(
    target: &Target<'_>,
    unit: &Unit<'_>,
    policy: &Policy,
    port: Option<u16>,
    entry: &mut Value,
) {
    if let Some(timeout) = &policy.timeout {
        entry["timeout"] = json!(timeout);
    }
    if let Some(retries) = &policy.retries {
        let mut value = json!({"attempts": retries.attempts});
        if let Some(time) = &retries.per_try_timeout {
            value["perTryTimeout"] = json!(time);
        }
        if let Some(on) = &retries.retry_on {
            value["retryOn"] = json!(on);
        }
        entry["retries"] = value;
    }
    if let Some((destination, percent)) = &policy.mirror {
        let (host, subset) = self::destination(target, unit, destination);
        entry["mirror"] = to(&host, subset.as_deref(), port);
        entry["mirrorPercentage"] = json!({"value": percent});
    }
}
