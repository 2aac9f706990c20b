//! Istio 1.6 and 1.7: names end in `.global`, and the serving gateway rewrites them.
//!
//! The resources of Istio's multicluster example and of Service Mesh Hub's translator, with the Gateway and both
//! DestinationRules (operator/data/examples/multicluster of istio 1.6.4; solo-io/gloo-mesh federation_translator.go).

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use meshpki::istiod::Version;
use serde_json::{Value, json};

use super::{
    Dialect, Target, endpoints, identities, mutual, outlier, passthrough, ports, set_list,
};
use crate::mesh::Gateway;
use crate::resource::Resource;
use crate::route::{Route, Unit};

/// The type of the filter's configuration, from 1.7.
const REWRITE_TYPE: &str = "type.googleapis.com/istio.envoy.config.filter.network.tcp_cluster_rewrite.v2alpha1.TcpClusterRewrite";

/// The caller's resources: where the service is, and mutual TLS for its calls.
pub(super) fn for_importer(
    target: &Target<'_>,
    route: &Route<'_>,
    unit: &Unit<'_>,
) -> Vec<Resource> {
    let Some(gateway) = &route.to.gateway else { return Vec::new() };
    let host = target.mesh.remote_host(route.service);
    let (name, namespace) = (target.name(&host), &target.cluster.import_namespace);
    let labels = json!({"cluster": route.to.name});
    let mut entry = json!({
        "hosts": [host],
        "addresses": target.addresses(&host),
        "location": "MESH_INTERNAL",
        "resolution": "DNS",
        "ports": ports(route.service),
        "endpoints": endpoints(route.service, gateway, &labels),
    });
    let identities = identities(route.service, route.to);
    set_list(&mut entry, "subjectAltNames", identities.into_iter().map(Value::String).collect());
    let mut rule = json!({"host": host, "trafficPolicy": {"tls": mutual(None)}});
    if let Some(settings) = unit.policy.and_then(|policy| policy.outlier.as_ref()) {
        rule["trafficPolicy"]["outlierDetection"] = outlier(settings);
    }
    let subset = |name: &String| json!({"name": name, "labels": labels});
    set_list(&mut rule, "subsets", route.service.subsets.iter().map(|s| subset(&s.name)).collect());
    [
        target.exported("ServiceEntry", &name, namespace, entry),
        target.exported("DestinationRule", &name, namespace, rule),
    ]
    .into()
}

/// The serving cluster's resources: the port, and the filter that turns remote names into local ones.
pub(super) fn for_exporter(
    target: &Target<'_>,
    gateway: &Gateway,
    exports: &[&Route<'_>],
) -> Vec<Resource> {
    if !exports.iter().any(|route| Dialect::of(route) == Dialect::Rewrite) {
        return Vec::new();
    }
    let mut resources = Vec::new();
    let hosts = [format!("*.{}", target.mesh.suffix)];
    if target.cluster.stock_server().is_none_or(|(host, _)| host != hosts[0]) {
        let name = target.label("istio-multicluster-ingressgateway");
        resources.push(passthrough(target, gateway, &name, &hosts));
    }
    let mut filter = target.resource(
        "EnvoyFilter",
        &target.label("cross-cluster-traffic"),
        &gateway.namespace,
        rewrite(target, gateway),
    );
    // EnvoyFilter exists only in this version.
    Arc::make_mut(&mut filter.value)["apiVersion"] = json!("networking.istio.io/v1alpha3");
    resources.push(filter);
    resources
}

/// The filter: `config` up to 1.6, whose pilot does not know its type; `typed_config` from 1.7, whose Envoy rejects
/// `config` (istio issues 27203, 27204).
fn rewrite(target: &Target<'_>, gateway: &Gateway) -> Value {
    let suffix = format!(".{}.{}", target.cluster.name, target.mesh.suffix).replace('.', "\\.");
    let pattern = format!("{suffix}$");
    let replacement = format!(".{}", target.cluster.domain);
    let mut filter = json!({"name": "envoy.filters.network.tcp_cluster_rewrite"});
    if target.cluster.version < Version::new(1, 7, 0) {
        filter["config"] = json!({"cluster_pattern": pattern, "cluster_replacement": replacement});
    } else {
        filter["typed_config"] = json!({"@type": REWRITE_TYPE, "cluster_pattern": pattern, "cluster_replacement": replacement});
    }
    let listener = json!({
        "portNumber": gateway.target_port,
        "filterChain": {"filter": {"name": "envoy.filters.network.sni_cluster"}},
    });
    json!({
        "workloadSelector": {"labels": gateway.selector},
        "configPatches": [{
            "applyTo": "NETWORK_FILTER",
            "match": {"context": "GATEWAY", "listener": listener},
            "patch": {"operation": "INSERT_AFTER", "value": filter},
        }],
    })
}
