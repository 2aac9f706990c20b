//! Istio's own installation with several clusters: what its documentation and `samples/multicluster` create.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::{Importer, is_set};
use crate::spec;

/// Reads a resource of such an installation; `false` for any other.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value, group: &str) -> bool {
    let kind = value["kind"].as_str().unwrap_or_default();
    let meta = &value["metadata"];
    match (group, kind) {
        ("install.istio.io", "IstioOperator") => operator(importer, value),
        ("networking.istio.io", "Gateway") => return gateway(importer, value),
        ("v1", "Secret") if meta["labels"]["istio/multiCluster"] == "true" => {
            secret(importer, value)
        }
        ("v1", "Service") if meta["labels"]["istio"] == "eastwestgateway" => {
            service(importer, value)
        }
        _ => return false,
    }
    true
}

/// Installations name their cluster and its network; that of the gateway has only the network.
fn operator(importer: &mut Importer<'_>, value: &Value) {
    let spec = &value["spec"];
    let global = &spec["values"]["global"];
    let text = |value: &Value| value.as_str().map(ToString::to_string);
    let network = text(&global["network"]);
    let Some(name) = text(&global["multiCluster"]["clusterName"]) else {
        let why = match &network {
            Some(network) => format!(
                "it installs the gateway of network {network}: write its address and labels as `gateway` of that cluster"
            ),
            None => "it does not name its cluster (values.global.multiCluster.clusterName)".into(),
        };
        return importer.lose(value, "spec", &why);
    };
    importer.mesh_name = importer.mesh_name.take().or_else(|| text(&global["meshID"]));
    let trust_domain =
        text(&spec["meshConfig"]["trustDomain"]).or_else(|| text(&global["trustDomain"]));
    let cluster = importer.cluster(&name);
    cluster.network = network;
    cluster.trust_domain = trust_domain;
    let is_remote = is_set(&global["remotePilotAddress"]) || spec["profile"] == "remote";
    cluster.remote_secrets = !is_remote;
    let why = if is_remote {
        "another cluster's istiod serves it (primary-remote): a spec is for clusters with an istiod each"
    } else {
        "`remoteSecrets: true` is assumed: remove it if the clusters have no remote secrets of each other"
    };
    importer.lose(value, "spec.values.global.multiCluster", why);
}

/// The Gateways of the samples.
fn gateway(importer: &mut Importer<'_>, value: &Value) -> bool {
    let servers = value["spec"]["servers"].as_array();
    let mut servers = servers.into_iter().flatten();
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    if servers.any(|server| server["tls"]["mode"] == "AUTO_PASSTHROUGH") {
        let why = "it lets calls of other clusters in to all its hosts: a spec lists the exported services in `services`, with `importedBy`, and writes a Gateway for them; keep this one as long as other services are called through it";
        importer.lose(value, "spec.servers", why);
    } else if name.starts_with("istiod-gateway") {
        let why = "it exposes istiod to remote clusters (primary-remote): a spec is for clusters with an istiod each";
        importer.lose(value, "spec.servers", why);
    } else {
        return false;
    }
    true
}

/// A remote secret, whose content is a credential: only the name of the cluster is read.
fn secret(importer: &mut Importer<'_>, value: &Value) {
    let meta = &value["metadata"];
    let name = meta["annotations"]["networking.istio.io/cluster"]
        .as_str()
        .or_else(|| meta["name"].as_str()?.strip_prefix("istio-remote-secret-"));
    let Some(name) = name.map(String::from) else {
        return importer.lose(value, "metadata.name", "it does not name its cluster");
    };
    importer.cluster(&name).remote_secrets = true;
    let why = format!(
        "`remoteSecrets: true` of {name} says the same: keep the secret, and one of each cluster for every other"
    );
    importer.lose(value, "data", &why);
}

/// The Service of an east-west gateway: its address belongs to the cluster of its network.
fn service(importer: &mut Importer<'_>, value: &Value) {
    let network = value["metadata"]["labels"]["topology.istio.io/network"].as_str();
    let ingress = value["status"]["loadBalancer"]["ingress"].as_array().into_iter().flatten();
    let addresses = ingress.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str()));
    let addresses: alloc::vec::Vec<String> = addresses.map(ToString::to_string).collect();
    let mut of_network =
        importer.clusters.values_mut().filter(|cluster| cluster.network.as_deref() == network);
    let found = of_network.next().filter(|_| network.is_some() && !addresses.is_empty());
    match (found, of_network.next()) {
        (Some(cluster), None) => {
            cluster.gateway = Some(spec::GatewaySpec {
                addresses,
                port: 15443,
                target_port: 15443,
                selector: None,
                namespace: None,
            });
        }
        _ => {
            let why = "write it as `gateway.addresses` of its cluster: the files do not say which cluster that is, or the Service has no address yet";
            importer.lose(value, "status.loadBalancer", why);
        }
    }
}
