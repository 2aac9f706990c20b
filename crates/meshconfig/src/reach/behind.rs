//! The endpoints behind a filter chain: those that take mutual TLS (`pilot/pkg/xds/endpoints/mtls_checker.go`,
//! `pilot/pkg/security/authn/policy_applier.go: ComposePeerAuthentication`).

use serde_json::Value;

use super::gateway::gateway_namespace;
use super::{Found, View, list, port_number, selects};

/// Why there is no endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lack<'a> {
    /// A DestinationRule of the serving cluster sets another mode.
    Rule(&'a Value, &'a str),
    /// A PeerAuthentication turns off mutual TLS.
    Authentication(&'a Value),
}

/// Whether it is certain that the PeerAuthentication is for the pods and the port of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is.
    No,
    /// The Service was not read, or its selector does not tell.
    Maybe,
}

/// Why the Envoy cluster behind a filter chain has no endpoint that takes mutual TLS; `None` if nothing shows that.
pub(crate) fn behind<'a>(
    view: &View<'a>,
    (host, subset, port): (&str, &str, u16),
) -> Option<(Lack<'a>, Doubt)> {
    let rules = view.rules.find(gateway_namespace(view), home(view, host), host);
    lack(view, view, &rules, (host, subset, port))
}

/// Why a caller's istiod drops the pods of another cluster, which it knows from remote secrets: it leads only those with
/// mutual TLS through the gateway (`pilot/pkg/xds/endpoints/ep_filters.go: EndpointsByNetworkFilter`).
pub(crate) fn dropped<'a>(
    (from, to): (&View<'a>, &View<'a>),
    rules: &Found<'a>,
    target: (&str, &str, u16),
) -> Option<(Lack<'a>, Doubt)> {
    lack(from, to, rules, target)
}

/// Namespace of a service.
fn home<'v>(view: &'v View<'_>, host: &'v str) -> &'v str {
    let service = view.services.get(host);
    service.map_or_else(|| host.split('.').nth(1).unwrap_or_default(), |service| service.namespace)
}

/// Why the istiod of `judge` takes no pod of a service on the cluster `of` for one with mutual TLS.
fn lack<'a>(
    judge: &View<'a>,
    of: &View<'a>,
    rules: &Found<'a>,
    (host, subset, port): (&str, &str, u16),
) -> Option<(Lack<'a>, Doubt)> {
    if let Some((mode, rule)) = rules.endpoint_mode(subset, port) {
        return (mode != "ISTIO_MUTUAL").then_some((Lack::Rule(rule, mode), Doubt::No));
    }
    let home = home(of, host);
    let resource = of.services.get(host).and_then(|service| service.resource);
    let (policy, doubt) = match resource.filter(|resource| resource["kind"] == "Service") {
        Some(service) => disabled(judge, home, pods(service, rules, subset), target(service, port)),
        None => possible(judge, home, port),
    }?;
    Some((Lack::Authentication(policy), doubt))
}

/// Labels that the pods of a subset have at least, from the Service and the subset.
fn pods(service: &Value, rules: &Found<'_>, subset: &str) -> Value {
    let mut labels = service["spec"]["selector"].clone();
    if let Some((subset, _)) = rules.subset(subset) {
        for (key, value) in subset["labels"].as_object().into_iter().flatten() {
            labels[key] = value.clone();
        }
    }
    labels
}

/// The port of the pods; `None` if it is a name.
fn target(service: &Value, port: u16) -> Option<u16> {
    let ports = list(&service["spec"]["ports"]);
    let own = ports.iter().find(|own| port_number(&own["port"]) == Some(port))?;
    match &own["targetPort"] {
        Value::Null => Some(port),
        target => port_number(target),
    }
}

/// The policy that turns off mutual TLS at a port of pods.
fn disabled<'a>(
    view: &View<'a>,
    home: &str,
    labels: Value,
    port: Option<u16>,
) -> Option<(&'a Value, Doubt)> {
    let mut doubtful = None;
    for policy in selecting(view, home) {
        let wanted = &policy["spec"]["selector"]["matchLabels"];
        let (mode, is_certain) = at(policy, port);
        if selects(wanted, &labels) {
            if let Some(mode) = mode {
                let doubt = if is_certain { Doubt::No } else { Doubt::Maybe };
                return (mode == "DISABLE").then_some((policy, doubt));
            }
            // It says nothing itself, and others of this kind do not count: the oldest applies.
            break;
        }
        if mode == Some("DISABLE") {
            doubtful = doubtful.or(Some((policy, Doubt::Maybe)));
        }
    }
    let general = namespace_mode(view, home).filter(|(mode, _)| *mode == "DISABLE");
    general.map(|(_, policy)| (policy, Doubt::No)).or(doubtful)
}

/// A policy that may turn off mutual TLS at a port of a Service that was not read.
fn possible<'a>(view: &View<'a>, home: &str, port: u16) -> Option<(&'a Value, Doubt)> {
    let general = namespace_mode(view, home).filter(|(mode, _)| *mode == "DISABLE");
    if let Some((_, policy)) = general {
        return Some((policy, Doubt::No));
    }
    let policy =
        selecting(view, home).find(|policy| at(policy, Some(port)).0 == Some("DISABLE"))?;
    Some((policy, Doubt::Maybe))
}

/// The policies of a namespace for some of its workloads; Istio's own has none.
fn selecting<'v, 'a>(
    view: &'v View<'a>,
    home: &str,
) -> impl Iterator<Item = &'a Value> + use<'v, 'a> {
    let all = view.authentications.get(home).filter(|_| home != view.cluster.istio_namespace);
    all.into_iter().flatten().copied().filter(|policy| !is_general(policy))
}

/// What a policy for some workloads says of a port, and whether the port is known.
fn at(policy: &Value, port: Option<u16>) -> (Option<&str>, bool) {
    let ports = policy["spec"]["portLevelMtls"].as_object();
    let of_port = |port: u16| {
        let settings = ports?.get(&alloc::format!("{port}"))?;
        mode(settings)
    };
    let general = mode(&policy["spec"]["mtls"]);
    match port {
        Some(port) => (of_port(port).or(general), true),
        None if ports.is_some_and(|ports| {
            ports.values().any(|settings| mode(settings) == Some("DISABLE"))
        }) =>
        {
            (Some("DISABLE"), false)
        }
        None => (general, true),
    }
}

/// `mode`, unless it is inherited.
fn mode(settings: &Value) -> Option<&str> {
    settings["mode"].as_str().filter(|mode| *mode != "UNSET")
}

/// The mode of a namespace: its own policy, else that of the mesh.
pub(super) fn namespace_mode<'a>(view: &View<'a>, home: &str) -> Option<(&'a str, &'a Value)> {
    let general = |namespace: &str| {
        let all = view.authentications.get(namespace)?;
        let policy = all.iter().copied().find(|policy| is_general(policy))?;
        Some((mode(&policy["spec"]["mtls"])?, policy))
    };
    general(home).or_else(|| general(&view.cluster.istio_namespace))
}

/// Whether a policy is for all workloads.
fn is_general(policy: &Value) -> bool {
    policy["spec"]["selector"]["matchLabels"].as_object().is_none_or(serde_json::Map::is_empty)
}
