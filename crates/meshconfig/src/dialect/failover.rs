//! Failover without remote secrets: one host with endpoints of every cluster, in the order they are tried.
//!
//! `failoverPriority` compares labels one by one; the endpoints of the first cluster have all of them, those of each
//! following cluster one fewer (`pilot/pkg/networking/core/loadbalancer/loadbalancer.go:
//! applyFailoverPriorityPerLocality`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::{Target, current, endpoints, identities, ports, resolution, set_list};
use crate::mesh::{MeshCluster, PolicyTarget, Service};
use crate::resource::Resource;
use crate::route::Unit;

/// The label of one step; endpoints of the cluster that is tried first have the labels of all steps.
fn step(n: usize) -> String {
    format!("failover.meshctl/step-{n}")
}

/// ServiceEntry and DestinationRule of the common host.
pub(super) fn resources(target: &Target<'_>, unit: &Unit<'_>) -> Vec<Resource> {
    let Some(policy) = unit.policy else { return Vec::new() };
    let PolicyTarget::Failover(order) = &policy.target else { return Vec::new() };
    let members: Vec<(&MeshCluster, &Service)> = order
        .iter()
        .filter_map(|index| {
            let cluster = &target.mesh.clusters()[*index];
            unit.on(cluster).map(|service| (cluster, service))
        })
        .collect();
    let Some((first, first_service)) =
        members.first().filter(|_| !unit.fails_over_by_registry(order))
    else {
        return Vec::new();
    };
    let host = target.mesh.pooled_host(unit.namespace, unit.name);
    let name = target.name(&format!("{}.{}", unit.name, unit.namespace));
    let namespace = &target.cluster.import_namespace;
    let entries: Vec<Value> = members
        .iter()
        .enumerate()
        .flat_map(|(rank, (cluster, service))| {
            let labels = labels(cluster, members.len() - rank);
            endpoints_of(target, cluster, (service, first_service), &labels)
        })
        .collect();
    let addresses: Vec<String> =
        entries.iter().filter_map(|e| e["address"].as_str().map(str::to_string)).collect();
    let mut entry = json!({
        "hosts": [host],
        "addresses": target.addresses(&host),
        "location": "MESH_INTERNAL",
        "resolution": resolution(addresses.iter()),
        "ports": ports(first_service),
        "endpoints": entries,
    });
    if members.iter().all(|(_, service)| !service.service_accounts.is_empty()) {
        let mut all: Vec<String> =
            members.iter().flat_map(|(cluster, s)| identities(s, cluster)).collect();
        all.sort();
        all.dedup();
        set_list(&mut entry, "subjectAltNames", all.into_iter().map(Value::String).collect());
    }
    let behind = first.host(unit.namespace, unit.name);
    let priorities: Vec<String> = (1..members.len()).map(|n| format!("{}=yes", step(n))).collect();
    let balancer = json!({"localityLbSetting": {"enabled": true, "failoverPriority": priorities}});
    let mut settings = current::traffic_policy(first_service, "", &behind, policy.outlier.as_ref());
    for port in super::port_settings(&mut settings) {
        port["loadBalancer"] = balancer.clone();
    }
    settings["loadBalancer"] = balancer;
    let rule = json!({"host": host, "trafficPolicy": settings});
    [
        target.exported("ServiceEntry", &name, namespace, entry),
        target.exported("DestinationRule", &name, namespace, rule),
    ]
    .into()
}

/// The labels of a cluster's endpoints; `left`: how many clusters are tried from it on.
fn labels(cluster: &MeshCluster, left: usize) -> Value {
    let mut labels = json!({"cluster": cluster.name, "security.istio.io/tlsMode": "istio"});
    for n in 1..left {
        labels[step(n)] = json!("yes");
    }
    labels
}

/// Endpoints of one cluster: those of its gateway, or the Service itself on the caller's own cluster. Their ports have
/// the names that the entry has, which are those of its first service.
fn endpoints_of(
    target: &Target<'_>,
    cluster: &MeshCluster,
    (service, named): (&Service, &Service),
    labels: &Value,
) -> Vec<Value> {
    if cluster.index == target.cluster.index {
        return [json!({"address": service.local_host(cluster), "labels": labels})].into();
    }
    cluster.gateway.as_ref().map(|gateway| endpoints(named, gateway, labels)).unwrap_or_default()
}
