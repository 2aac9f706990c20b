//! Which kinds are read, and what is said of those that are known but not part of a spec.

use alloc::format;

use serde_json::Value;

use super::{ImportRemedy, Importer, admiral, failover, istio, policy, virtual_mesh};

/// API groups of Service Mesh Hub, old and new, and of Gloo Mesh.
const SMH: [&str; 3] = [
    "networking.smh.solo.io/v1alpha2",
    "networking.mesh.gloo.solo.io/v1alpha2",
    "networking.mesh.gloo.solo.io/v1",
];
/// Gloo Mesh from 1.0 on, in which the settings of a TrafficPolicy are below `policy`.
pub(super) const GLOO_V1: &str = "networking.mesh.gloo.solo.io/v1";

/// Kinds of Gloo Mesh and Admiral that are not part of a spec: group, kind, and what to do instead.
const NOT_PART: &[(&str, &str, &str)] = &[
    ("gloo.solo.io", "ServiceDependency", "it limits what proxies know: write Istio's Sidecar"),
    (
        "gloo.solo.io",
        "VirtualGateway",
        "gateways for calls from outside are not part of a spec: write Istio's Gateway",
    ),
    (
        "gloo.solo.io",
        "VirtualHost",
        "routes of calls from outside are not part of a spec: write your own VirtualService",
    ),
    (
        "gloo.solo.io",
        "RouteTable",
        "routes of calls from outside are not part of a spec: write your own VirtualService",
    ),
    ("gloo.solo.io", "WasmDeployment", "write Istio's WasmPlugin"),
    (
        "gloo.solo.io",
        "RateLimitServerConfig",
        "rate limits are not part of a spec: write your own EnvoyFilter",
    ),
    ("gloo.solo.io", "Settings", "it configures Gloo Mesh itself"),
    (
        "gloo.solo.io",
        "KubernetesCluster",
        "it registers a cluster with Gloo Mesh: name the cluster in the spec",
    ),
    (
        "admiral.io",
        "RoutingPolicy",
        "it runs a plugin of Admiral in the proxies: write your own EnvoyFilter",
    ),
    (
        "admiral.io",
        "DependencyProxy",
        "a proxy between caller and service is not part of a spec: write your own VirtualService",
    ),
    (
        "admiral.io",
        "ClientConnectionConfig",
        "connection pools are not part of a spec: write your own DestinationRule",
    ),
    (
        "admiral.io",
        "TrafficConfig",
        "routes and quotas by request are not part of a spec: write your own VirtualService",
    ),
    ("admiral.io", "Shard", "it divides work between Admirals"),
];

/// Kinds in which Service Mesh Hub and Gloo Mesh write down what the clusters have.
const DISCOVERED: [&str; 4] = ["Mesh", "Workload", "TrafficTarget", "Destination"];

/// Reads one resource, or says why it is not read.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value) {
    let kind = value["kind"].as_str().unwrap_or_default();
    let api = value["apiVersion"].as_str().unwrap_or_default();
    let group = api.split('/').next().unwrap_or_default();
    let known = SMH.contains(&api);
    let before = importer.found;
    importer.found = true;
    match kind {
        "TrafficPolicy" if known => policy::read(importer, value),
        "VirtualMesh" if known => virtual_mesh::read(importer, value),
        "AccessPolicy" if known => importer.lose_restriction(
            value,
            "",
            "a spec does not restrict calls: write an AuthorizationPolicy with these identities on the serving clusters",
        ),
        "FailoverService" | "VirtualDestination" if group.ends_with(".solo.io") => {
            failover::read(importer, value);
        }
        _ => {
            if group.starts_with("discovery.") && DISCOVERED.contains(&kind) {
                let remedy = Some(ImportRemedy::ReadClusters);
                return importer.lose_to(value, "", "it says what a cluster has", remedy);
            }
            if admiral::read(importer, value, group) || istio::read(importer, value, group) {
                return;
            }
            let entry = NOT_PART.iter().find(|(of, name, _)| group.ends_with(of) && *name == kind);
            importer.found = before || entry.is_some();
            let otherwise = format!("{kind} of {api} is not supported");
            importer.lose(value, "", entry.map_or(&*otherwise, |(_, _, why)| why));
        }
    }
}
