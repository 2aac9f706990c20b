//! The filter chains of a gateway that passes TLS through
//! (`pilot/pkg/networking/core/gateway.go: builtAutoPassthroughFilterChains`).

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{View, covers, is_exported, list, port_number, text};
use crate::dialect::has_open_passthrough;

/// Why no filter chain takes a connection, or takes it nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NoChain {
    /// The cluster has no Gateway that passes TLS through at this port.
    NoGateway,
    /// The SNI does not name an Envoy cluster.
    Form,
    /// The cluster has no service with this host.
    NoService(String),
    /// The service is not exported to the gateway's namespace.
    Hidden(String),
    /// The hosts of the Gateways do not cover the service, or the SNI itself before 1.8.6 and 1.9.5.
    Hosts(String, Vec<String>),
    /// The service has other ports.
    Port(String, Vec<u16>),
    /// No DestinationRule that the gateway sees defines the subset.
    Subset(String),
}

/// What an Envoy cluster behind the gateway is: host, subset, port.
pub(crate) type Target = (String, String, u16);

/// The Envoy cluster that the gateway sends a connection with this SNI to.
pub(crate) fn chain(view: &View<'_>, port: Option<u16>, sni: &str) -> Result<Target, NoChain> {
    let hosts = hosts(view, port);
    if hosts.is_empty() {
        return Err(NoChain::NoGateway);
    }
    let shown = || hosts.iter().map(|host| String::from(*host)).collect();
    let is_open = has_open_passthrough(view.cluster.version);
    let behind = if is_open {
        if !hosts.iter().any(|wide| covers(wide, sni)) {
            return Err(NoChain::Hosts(sni.into(), shown()));
        }
        rewritten(view, sni)
    } else {
        sni.into()
    };
    let (host, subset, port) = parsed(&behind).ok_or(NoChain::Form)?;
    // What is not there may be a Service that neither the spec nor the resources show.
    let service = view.services.get(&host);
    if service.is_none() && !view.may_have(&host) {
        return Err(NoChain::NoService(host));
    }
    let resource = service.and_then(|service| service.resource);
    if resource.is_some_and(|resource| !is_exported(resource, gateway_namespace(view))) {
        return Err(NoChain::Hidden(host));
    }
    if !is_open && !hosts.iter().any(|wide| covers(wide, &host)) {
        return Err(NoChain::Hosts(host, shown()));
    }
    let Some(service) = service else { return Ok((host, subset, port)) };
    if !service.ports.iter().any(|(number, _)| *number == port) {
        return Err(NoChain::Port(host, service.ports.iter().map(|(number, _)| *number).collect()));
    }
    let rules = view.rules.find(gateway_namespace(view), service.namespace, &host);
    if !subset.is_empty() && rules.subset(&subset).is_none() {
        return Err(NoChain::Subset(host));
    }
    Ok((host, subset, port))
}

/// Namespace of the gateway's pods.
pub(crate) fn gateway_namespace<'v>(view: &'v View<'_>) -> &'v str {
    let gateway = view.cluster.gateway.as_ref();
    gateway.map_or(view.cluster.istio_namespace.as_str(), |gateway| &gateway.namespace)
}

/// The hosts of all servers that pass TLS through at a port of the gateway's pods, or at any.
fn hosts<'a>(view: &View<'a>, port: Option<u16>) -> Vec<&'a str> {
    let selected = |gateway: &&&Value| {
        let wanted = gateway["spec"]["selector"].as_object();
        let labels = view.cluster.gateway.as_ref().map(|gateway| &gateway.selector);
        let (Some(wanted), Some(labels)) = (wanted, labels) else { return true };
        wanted.iter().all(|(key, value)| labels.get(key).is_some_and(|own| value == own))
    };
    let stock = view.cluster.stock_server().filter(|(_, own)| is_at(view, Some(*own), port));
    let mut hosts: Vec<&str> = stock.into_iter().map(|(host, _)| host).collect();
    for gateway in view.of("Gateway").iter().filter(selected) {
        let servers = list(&gateway["spec"]["servers"]).iter().filter(|server| {
            server["tls"]["mode"] == "AUTO_PASSTHROUGH"
                && is_at(view, port_number(&server["port"]["number"]), port)
        });
        let all = servers.flat_map(|server| list(&server["hosts"]));
        // What comes before `/` is the namespace of VirtualServices.
        hosts.extend(all.map(|host| text(host).rsplit('/').next().unwrap_or_default()));
    }
    hosts
}

/// Whether a server's port is the one that an address leads to.
fn is_at(view: &View<'_>, own: Option<u16>, wanted: Option<u16>) -> bool {
    let (Some(wanted), Some(own)) = (wanted, own) else { return true };
    let gateway = view.cluster.gateway.as_ref().filter(|gateway| gateway.port == wanted);
    own == wanted || gateway.is_some_and(|gateway| gateway.target_port == own)
}

/// The name after the gateway's EnvoyFilters: the first whose pattern, an end of the name, matches.
fn rewritten(view: &View<'_>, sni: &str) -> String {
    let patches = view.of("EnvoyFilter").iter().flat_map(|f| list(&f["spec"]["configPatches"]));
    for patch in patches {
        let value = &patch["patch"]["value"];
        let config = [&value["typed_config"], &value["config"]]
            .into_iter()
            .find(|config| config["cluster_pattern"].is_string());
        let Some(config) = config else { continue };
        let end = text(&config["cluster_pattern"]).replace('\\', "");
        if let Some(front) = sni.strip_suffix(end.trim_end_matches('$')) {
            return alloc::format!("{front}{}", text(&config["cluster_replacement"]));
        }
    }
    sni.into()
}

/// Host, subset and port of `outbound_.PORT_.SUBSET_.HOST`.
fn parsed(name: &str) -> Option<Target> {
    let mut parts = name.strip_prefix("outbound_.")?.splitn(3, "_.");
    let port = parts.next()?.parse().ok()?;
    let subset = parts.next()?;
    Some((parts.next()?.into(), subset.into(), port))
}
