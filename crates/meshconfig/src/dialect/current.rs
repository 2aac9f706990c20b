//! Gateways from Istio 1.8: the caller's SNI names the Envoy cluster behind the gateway.
//!
//! `pilot/pkg/networking/core/cluster_tls.go` uses the SNI of a DestinationRule unchanged, and
//! `gateway.go: builtAutoPassthroughFilterChains` has one chain for each `outbound_.PORT_.SUBSET_.HOST`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::{
    Dialect, Target, endpoints, has_open_passthrough, identities, mutual, outlier, passthrough,
    ports, resolution, set_list, sni,
};
use crate::mesh::{Gateway, Outlier, Service};
use crate::resource::Resource;
use crate::route::{Route, Unit};

/// The caller's resources: where the service is, which identity it must have, and the SNI of each port and subset.
pub(super) fn for_importer(
    target: &Target<'_>,
    route: &Route<'_>,
    unit: &Unit<'_>,
) -> Vec<Resource> {
    let Some(gateway) = &route.to.gateway else { return Vec::new() };
    let host = target.mesh.remote_host(route.service);
    let name = target
        .name(&format!("{}.{}.{}", route.service.name, route.service.namespace, route.to.name));
    let namespace = &target.cluster.import_namespace;
    let labels = json!({"cluster": route.to.name, "security.istio.io/tlsMode": "istio"});
    let mut entry = json!({
        "hosts": [host],
        "addresses": target.addresses(&host),
        "location": "MESH_INTERNAL",
        "resolution": resolution(gateway.addresses.iter()),
        "ports": ports(route.service),
        "endpoints": endpoints(route.service, gateway, &labels),
    });
    let identities = identities(route.service, route.to);
    set_list(&mut entry, "subjectAltNames", identities.into_iter().map(Value::String).collect());
    let outlier = unit.policy.and_then(|policy| policy.outlier.as_ref());
    let behind = route.service.local_host(route.to);
    let mut rule =
        json!({"host": host, "trafficPolicy": traffic_policy(route.service, "", &behind, outlier)});
    let subset = |name: &String| {
        json!({
            "name": name,
            "labels": {"cluster": route.to.name},
            "trafficPolicy": traffic_policy(route.service, name, &behind, None),
        })
    };
    let mut subsets: Vec<Value> = route.service.subsets.iter().map(|s| subset(&s.name)).collect();
    if let Some(settings) = outlier {
        for policy in subsets.iter_mut().filter_map(|subset| subset.get_mut("trafficPolicy")) {
            for port in super::port_settings(policy) {
                port["outlierDetection"] = super::outlier(settings);
            }
        }
    }
    set_list(&mut rule, "subsets", subsets);
    [
        target.exported("ServiceEntry", &name, namespace, entry),
        target.exported("DestinationRule", &name, namespace, rule),
    ]
    .into()
}

/// Mutual TLS with the SNI of one subset. Settings of a port replace all the others, so they repeat them
/// (`pilot/pkg/networking/core/cluster_traffic_policy.go`: an entry without `tls` would be plain text).
pub(super) fn traffic_policy(
    service: &Service,
    subset: &str,
    behind: &str,
    settings: Option<&Outlier>,
) -> Value {
    let tls = |port: u16| mutual(Some(sni(port, subset, behind)));
    let with_outlier = |mut value: Value| {
        if let Some(settings) = settings {
            value["outlierDetection"] = outlier(settings);
        }
        value
    };
    let first = service.ports.first().map_or(0, |port| port.number);
    let mut policy = with_outlier(json!({"tls": tls(first)}));
    if service.ports.len() > 1 {
        let port =
            |number: u16| with_outlier(json!({"port": {"number": number}, "tls": tls(number)}));
        set_list(
            &mut policy,
            "portLevelSettings",
            service.ports.iter().map(|p| port(p.number)).collect(),
        );
    }
    policy
}

/// The serving cluster's resource: a Gateway that names the exported services and no others. With remote secrets every
/// service is called through the gateway, whether it is in the spec or not, so the host is that of Istio's own
/// `expose-services.yaml`: istiod keeps one of several servers with the same hosts, and no call loses its filter chain.
pub(super) fn for_exporter(
    target: &Target<'_>,
    gateway: &Gateway,
    exports: &[&Route<'_>],
) -> Option<Resource> {
    // If the SNI itself is compared with the hosts, they must cover the `outbound_.9080_._.` before the name.
    let prefix = if has_open_passthrough(target.cluster.version) { "*." } else { "" };
    let hosts: BTreeSet<String> = exports
        .iter()
        .filter(|route| Dialect::of(route) != Dialect::Rewrite && !route.is_direct())
        .map(|route| format!("{prefix}{}", route.service.local_host(target.cluster)))
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let hosts: Vec<String> = if target.cluster.remote_secrets {
        [format!("*.{}", top_level(&target.cluster.domain))].into()
    } else {
        hosts.into_iter().collect()
    };
    Some(passthrough(target, gateway, &target.label("cross-network-gateway"), &hosts))
}

/// The last label of a domain: `local`.
fn top_level(domain: &str) -> &str {
    domain.rsplit('.').next().unwrap_or(domain)
}
