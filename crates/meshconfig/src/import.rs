//! Service Mesh Hub's TrafficPolicy and VirtualMesh (v1alpha2) as a spec; what cannot be carried over is listed field
//! by field.
//!
//! solo-io/gloo-mesh at 220fe7692: `api/networking/v1alpha2/{traffic_policy,virtual_mesh}.proto`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::error::{Error, Fault};
use crate::spec::{self, ApiVersion, Kind, Spec};

mod policy;

/// API groups of the kinds, old and new.
const GROUPS: [&str; 2] =
    ["networking.smh.solo.io/v1alpha2", "networking.mesh.gloo.solo.io/v1alpha2"];

/// A field that has no equivalent in a spec, or one that the spec needs and the files do not have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// `TrafficPolicy service-mesh-hub/simple`; empty for the spec as a whole.
    pub resource: String,
    /// The field: `spec.corsPolicy`.
    pub field: String,
    /// Why.
    pub why: String,
    /// What supplies it instead, if that takes more than editing the spec.
    pub remedy: Option<ImportRemedy>,
}

/// What supplies a field that an import cannot, as a value: a program adds the commands it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ImportRemedy {
    /// Read the ports from the clusters.
    DiscoverPorts,
    /// Issue certificates for the clusters of the spec.
    IssueCertificates,
}

/// A spec, and what could not be carried over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The spec. It may lack what only the clusters have: gateway addresses, ports.
    pub spec: Spec,
    /// What was left out or must be filled in, sorted.
    pub lost: Vec<Lost>,
}

/// Reads YAML documents and lists; resources of other kinds are listed as lost.
///
/// `istio_version` is that of the clusters, which the resources do not have.
///
/// # Errors
/// `config/syntax`; `config/needs` if there is neither a TrafficPolicy nor a VirtualMesh.
pub fn import(texts: &[&str], istio_version: &str) -> Result<Imported, Error> {
    let mut importer = Importer { istio_version, ..Importer::default() };
    for text in texts {
        crate::resource::documents(text)?.iter().for_each(|resource| importer.resource(resource));
    }
    if !importer.found {
        let fault = Fault::Needs {
            what: "an import".into(),
            needs: "a TrafficPolicy or VirtualMesh of v1alpha2",
        };
        return Err(Error::new("", fault));
    }
    Ok(importer.finish())
}

/// A service on a cluster: namespace, name, cluster.
type Key = (String, String, String);

/// What was read so far.
#[derive(Default)]
struct Importer<'a> {
    istio_version: &'a str,
    found: bool,
    clusters: BTreeSet<String>,
    /// Clusters federated with each other.
    federated: BTreeSet<String>,
    services: BTreeMap<Key, Service>,
    policies: Vec<spec::PolicySpec>,
    lost: BTreeSet<Lost>,
}

/// What is known of a service.
#[derive(Default)]
struct Service {
    ports: BTreeSet<u16>,
    subsets: BTreeMap<String, BTreeMap<String, String>>,
    importers: BTreeSet<String>,
}

impl Importer<'_> {
    fn resource(&mut self, value: &Value) {
        let kind = value["kind"].as_str().unwrap_or_default();
        let known = GROUPS.contains(&value["apiVersion"].as_str().unwrap_or_default());
        match kind {
            "TrafficPolicy" if known => {
                self.found = true;
                policy::read(self, value);
            }
            "VirtualMesh" if known => {
                self.found = true;
                self.virtual_mesh(value);
            }
            _ => {
                let api = value["apiVersion"].as_str().unwrap_or_default();
                self.lose(value, "", &format!("{kind} of {api} is not supported"));
            }
        }
    }

    fn lose(&mut self, resource: &Value, field: &str, why: &str) {
        self.lose_to(resource, field, why, None);
    }

    fn lose_to(&mut self, resource: &Value, field: &str, why: &str, remedy: Option<ImportRemedy>) {
        let (resource, field, why) = (id(resource), field.into(), why.into());
        self.lost.insert(Lost { resource, field, why, remedy });
    }

    /// Reads which meshes are federated and trust each other.
    fn virtual_mesh(&mut self, value: &Value) {
        let spec = &value["spec"];
        for (field, _) in spec.as_object().into_iter().flatten() {
            let why = match field.as_str() {
                "meshes" | "federation" => continue,
                "mtlsConfig" => {
                    let remedy = Some(ImportRemedy::IssueCertificates);
                    self.lose_to(
                        value,
                        "spec.mtlsConfig",
                        "certificates are not part of a spec",
                        remedy,
                    );
                    continue;
                }
                "globalAccessPolicy" => {
                    "authorization policies are not written: list the clusters that may call a service in `importedBy`"
                }
                _ => "there is no such field in a VirtualMesh of v1alpha2",
            };
            self.lose(value, &format!("spec.{field}"), why);
        }
        for mesh in spec["meshes"].as_array().into_iter().flatten() {
            let name = mesh["name"].as_str().unwrap_or_default();
            // `istiod-<namespace>-<cluster>`, as Service Mesh Hub's discovery names meshes.
            let cluster = name.strip_prefix("istiod-istio-system-").unwrap_or(name);
            self.clusters.insert(cluster.into());
            self.federated.insert(cluster.into());
        }
    }

    fn service(&mut self, key: &Key) -> &mut Service {
        self.clusters.insert(key.2.clone());
        self.services.entry(key.clone()).or_default()
    }

    fn finish(mut self) -> Imported {
        let note = |field: &str, why: &str| Lost {
            resource: String::new(),
            field: field.into(),
            why: why.into(),
            remedy: None,
        };
        for (key, service) in &mut self.services {
            if self.federated.contains(&key.2) {
                service
                    .importers
                    .extend(self.federated.iter().filter(|cluster| **cluster != key.2).cloned());
            }
            let what = format!("services {}/{} on {}", key.0, key.1, key.2);
            let field = format!("{what}: ports");
            self.lost.insert(if service.ports.is_empty() {
                let remedy = Some(ImportRemedy::DiscoverPorts);
                Lost { remedy, ..note(&field, "its ports are not in the files") }
            } else {
                note(
                    &field,
                    "names and protocols of its ports are not in the files: HTTP is assumed",
                )
            });
        }
        for cluster in &self.clusters {
            let what = format!("clusters {cluster}");
            self.lost.insert(note(
                &format!("{what}: gateway.addresses"),
                "the address of its gateway is not in the files",
            ));
            self.lost.insert(note(
                &format!("{what}: trustDomain"),
                "it is not in the files: cluster.local is assumed",
            ));
        }
        let clusters = self.clusters.iter().map(|name| cluster(name, self.istio_version)).collect();
        self.policies.sort_by(|a, b| a.name.cmp(&b.name));
        let spec = Spec {
            api_version: ApiVersion::V1,
            kind: Kind::Mesh,
            name: "mesh".into(),
            dns: spec::Dns::default(),
            addresses: spec::Addresses::default(),
            clusters,
            services: self.services.into_iter().map(|(key, service)| service.spec(key)).collect(),
            policies: self.policies,
        };
        Imported { spec, lost: self.lost.into_iter().collect() }
    }
}

fn cluster(name: &str, istio_version: &str) -> spec::ClusterSpec {
    spec::ClusterSpec {
        name: name.into(),
        context: None,
        trust_domain: "cluster.local".into(),
        network: None,
        istio_version: istio_version.into(),
        istio_namespace: "istio-system".into(),
        import_namespace: None,
        cluster_domain: "cluster.local".into(),
        remote_secrets: false,
        stock_multi_cluster: false,
        gateway: None,
        dns: None,
    }
}

impl Service {
    fn spec(self, (namespace, name, cluster): Key) -> spec::ServiceSpec {
        let many = self.ports.len() > 1;
        let port = |number: u16| spec::Port {
            name: if many { format!("http-{number}") } else { "http".into() },
            number,
            protocol: spec::Protocol::Http,
        };
        spec::ServiceSpec {
            name,
            namespace,
            cluster,
            ports: self.ports.into_iter().map(port).collect(),
            subsets: self
                .subsets
                .into_iter()
                .map(|(name, labels)| spec::Subset { name, labels })
                .collect(),
            service_accounts: Vec::new(),
            imported_by: self.importers.into_iter().collect(),
        }
    }
}

fn id(resource: &Value) -> String {
    let meta = &resource["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    format!("{} {}/{}", text(&resource["kind"]), text(&meta["namespace"]), text(&meta["name"]))
}

/// The name Service Mesh Hub gives a subset: `{version: v3}` is `version-v3`
/// (`translation/istio/traffictarget/destinationrule`).
fn subset_name(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}-{value}")).collect();
    crate::text::name(&pairs.join("_"), 63)
}

#[cfg(test)]
mod tests;
