//! Adds what clusters have to a spec: new clusters and services are inserted into the user's text, which is otherwise
//! unchanged; differences are reported.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::error::{Error, Fault};
use crate::resource::yaml;
use crate::spec::{Port, Protocol, Spec, Subset};

mod insert;
mod observed;

pub use observed::{EXPORT_MARK, Observed, ObservedCluster, ObservedService, Select, observe};

/// The spec's new text, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The whole file.
    pub text: String,
    /// What was inserted, in order: `cluster east`, `service default/reviews on east`.
    pub inserted: Vec<String>,
    /// Fields in which the file differs from the clusters; they are left unchanged.
    pub differs: Vec<Difference>,
}

/// A field that differs from what was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path in the file: `services[1].ports`.
    pub path: String,
    /// The value in the file.
    pub file: String,
    /// The value in the cluster.
    pub cluster: String,
}

/// The first lines of a new file.
const NEW: &str = "apiVersion: meshctl/v1\nkind: Mesh\n";

/// Adds what was observed to a spec's text; without one, to a new file.
///
/// # Errors
/// `config/...` if the text is not a spec, or has a form into which nothing can be inserted (`clusters: [...]`, one
/// line of JSON).
pub fn merge(text: Option<&str>, observed: &Observed) -> Result<Merged, Error> {
    let spec = text.map(Spec::read).transpose()?;
    let mut text = text.unwrap_or(NEW).to_string();
    let mut inserted = Vec::new();
    let mut differs = Vec::new();
    let known: BTreeMap<&str, usize> = spec
        .iter()
        .flat_map(|s| s.clusters.iter().enumerate())
        .map(|(i, c)| (c.name.as_str(), i))
        .collect();
    let (mut clusters, mut services) = (Vec::new(), Vec::new());
    for cluster in &observed.clusters {
        match (known.get(cluster.name.as_str()), &spec) {
            (Some(at), Some(spec)) => {
                compare_cluster(&spec.clusters[*at], *at, cluster, &mut differs)
            }
            _ => {
                inserted.push(format!("cluster {}", cluster.name));
                clusters.push(cluster_item(cluster));
            }
        }
        for service in &cluster.services {
            let found = spec.iter().flat_map(|s| s.services.iter().enumerate()).find(|(_, s)| {
                s.name == service.name
                    && s.namespace == service.namespace
                    && s.cluster == cluster.name
            });
            match found {
                Some((at, known)) => compare_service(known, at, service, &mut differs),
                None => {
                    inserted.push(format!(
                        "service {}/{} on {}",
                        service.namespace, service.name, cluster.name
                    ));
                    services.push(service_item(&cluster.name, service));
                }
            }
        }
    }
    text = insert::append(&text, "clusters", &items(&clusters))?;
    text = insert::append(&text, "services", &items(&services))?;
    if let Some(before) = &spec {
        let (clusters, services) =
            (before.clusters.len() + clusters.len(), before.services.len() + services.len());
        let after = Spec::read(&text);
        if !after.is_ok_and(|s| (s.clusters.len(), s.services.len()) == (clusters, services)) {
            let message = "cannot insert into a spec of this form: write `clusters` and `services` as keys at the beginning of a line, and \
                their items on lines that begin with `- `"
                .to_string();
            return Err(Error::new("", Fault::Syntax { message }));
        }
    }
    Ok(Merged { text, inserted, differs })
}

/// Items of a list as lines without indentation.
fn items(values: &[Value]) -> String {
    if values.is_empty() { String::new() } else { yaml(&Value::Array(values.to_vec())) }
}

fn cluster_item(cluster: &ObservedCluster) -> Value {
    let mut item = json!({"name": cluster.name, "istioVersion": cluster.istio_version});
    let mut set = |key: &str, value: Option<&String>| {
        if let Some(value) = value {
            item[key] = json!(value);
        }
    };
    set("context", cluster.context.as_ref());
    set("trustDomain", cluster.trust_domain.as_ref());
    set("network", cluster.network.as_ref());
    if !cluster.gateway_addresses.is_empty() {
        let mut gateway = json!({"addresses": cluster.gateway_addresses});
        if let Some(port) = cluster.gateway_port.filter(|port| *port != 15443) {
            gateway["port"] = json!(port);
        }
        if let Some(selector) = &cluster.gateway_selector {
            gateway["selector"] = json!(selector);
        }
        item["gateway"] = gateway;
    }
    item
}

fn service_item(cluster: &str, service: &ObservedService) -> Value {
    let mut item = json!({
        "name": service.name,
        "namespace": service.namespace,
        "cluster": cluster,
        "ports": service.ports,
    });
    if !service.subsets.is_empty() {
        item["subsets"] = json!(service.subsets);
    }
    if !service.service_accounts.is_empty() {
        item["serviceAccounts"] = json!(service.service_accounts);
    }
    item["importedBy"] = json!(if service.exported { &["*"][..] } else { &[] });
    item
}

fn note(differs: &mut Vec<Difference>, path: String, file: String, cluster: String) {
    if file != cluster && !cluster.is_empty() {
        differs.push(Difference { path, file, cluster });
    }
}

fn compare_cluster(
    known: &crate::spec::ClusterSpec,
    at: usize,
    found: &ObservedCluster,
    differs: &mut Vec<Difference>,
) {
    let path = |field: &str| format!("clusters[{at}].{field}");
    note(differs, path("istioVersion"), known.istio_version.clone(), found.istio_version.clone());
    note(
        differs,
        path("trustDomain"),
        known.trust_domain.clone(),
        found.trust_domain.clone().unwrap_or_default(),
    );
    let addresses = |list: &[String]| {
        let sorted: BTreeSet<&String> = list.iter().collect();
        sorted.into_iter().cloned().collect::<Vec<_>>().join(", ")
    };
    let file =
        known.gateway.as_ref().map(|gateway| addresses(&gateway.addresses)).unwrap_or_default();
    note(differs, path("gateway.addresses"), file, addresses(&found.gateway_addresses));
}

fn compare_service(
    known: &crate::spec::ServiceSpec,
    at: usize,
    found: &ObservedService,
    differs: &mut Vec<Difference>,
) {
    let path = |field: &str| format!("services[{at}].{field}");
    let ports = |list: &[Port]| {
        // The user chooses the protocol; name and number are those of the Service.
        let sorted: BTreeSet<(u16, &str)> =
            list.iter().map(|port| (port.number, port.name.as_str())).collect();
        sorted
            .iter()
            .map(|(number, name)| format!("{name} {number}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    note(differs, path("ports"), ports(&known.ports), ports(&found.ports));
    let labels = |list: &[Subset]| {
        let sorted: BTreeSet<String> = list
            .iter()
            .map(|s| s.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","))
            .collect();
        sorted.into_iter().collect::<Vec<_>>().join("; ")
    };
    note(differs, path("subsets"), labels(&known.subsets), labels(&found.subsets));
    let accounts = |list: &[String]| {
        let sorted: BTreeSet<&String> = list.iter().collect();
        sorted.into_iter().cloned().collect::<Vec<_>>().join(", ")
    };
    note(
        differs,
        path("serviceAccounts"),
        accounts(&known.service_accounts),
        accounts(&found.service_accounts),
    );
}

/// The protocol Istio assumes for a port (`pkg/config/kube/conversion.go: ConvertProtocol`): `appProtocol`, else the
/// part of its name before the first `-`, else TCP.
#[must_use]
pub fn protocol(name: &str, app_protocol: Option<&str>) -> Protocol {
    let word =
        app_protocol.unwrap_or_else(|| name.split('-').next().unwrap_or_default()).to_lowercase();
    match word.as_str() {
        "http" | "kubernetes.io/ws" => Protocol::Http,
        "http2" | "kubernetes.io/h2c" => Protocol::Http2,
        "grpc" | "grpc-web" => Protocol::Grpc,
        "https" | "kubernetes.io/wss" => Protocol::Https,
        "tls" => Protocol::Tls,
        "mongo" => Protocol::Mongo,
        _ => Protocol::Tcp,
    }
}

#[cfg(test)]
mod tests;
