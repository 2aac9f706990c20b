//! Resources of Service Mesh Hub, Gloo Mesh, Admiral and Istio's own multi-primary installation as a spec; what cannot
//! be carried over is listed field by field. A spec never sends or lets through calls that the resources did not.
//!
//! solo-io/gloo-mesh at 220fe7692: `api/networking/v1alpha2`, and at f8f23f2ad: `api/networking/v1`;
//! istio-ecosystem/admiral at 6adfd2b9: `admiral/pkg/apis/admiral/model`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::error::{Error, Fault};
use crate::spec::{self, ApiVersion, Kind, Spec};

mod admiral;
mod failover;
mod istio;
mod kinds;
mod merge;
mod policy;
mod route;
mod virtual_mesh;

use merge::Draft;

/// The release of a cluster that no file and no user names. It is not valid, so that it must be written.
const UNKNOWN_RELEASE: &str = "unknown";

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
    /// It restricted calls: without it, more are possible than before.
    pub restricts: bool,
}

/// What supplies a field that an import cannot, as a value: a program adds the commands it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ImportRemedy {
    /// Read the ports from the clusters.
    DiscoverPorts,
    /// Issue certificates for the clusters of the spec.
    IssueCertificates,
    /// Say which Istio release the clusters run.
    NameRelease,
    /// Read the clusters themselves.
    ReadClusters,
}

/// A spec, and what could not be carried over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The spec. It may lack what only the clusters have: gateway addresses, ports, releases. Without clusters, none of
    /// the resources could be converted.
    pub spec: Spec,
    /// What was left out or must be filled in, sorted.
    pub lost: Vec<Lost>,
}

/// Reads YAML documents and lists; resources of other kinds are listed as lost.
///
/// `istio_version` is that of the clusters, which the resources do not have; without it, the spec has none that is valid.
///
/// # Errors
/// `config/syntax`; `config/needs` if there is no resource that is known.
pub fn import(texts: &[&str], istio_version: Option<&str>) -> Result<Imported, Error> {
    let mut resources = Vec::new();
    for text in texts {
        resources.extend(crate::resource::documents(text)?);
    }
    // What names clusters and their networks comes before what refers to them.
    resources.sort_by_key(|resource| resource["kind"] != "IstioOperator");
    let mut importer = Importer { istio_version, ..Importer::default() };
    importer.failovers = failover::all(&resources);
    for resource in &resources {
        kinds::read(&mut importer, resource);
    }
    if !importer.found {
        let fault = Fault::Needs {
            what: "an import".into(),
            needs: "a resource of Service Mesh Hub, Gloo Mesh, Admiral or an Istio installation with several clusters",
        };
        return Err(Error::new("", fault));
    }
    admiral::finish(&mut importer);
    failover::finish(&mut importer);
    merge::finish(&mut importer);
    Ok(importer.finish())
}

/// A service on a cluster: namespace, name, cluster.
type Key = (String, String, String);

/// What was read so far.
#[derive(Default)]
struct Importer<'a> {
    istio_version: Option<&'a str>,
    /// A resource of a known kind was read.
    found: bool,
    mesh_name: Option<String>,
    suffix: Option<String>,
    clusters: BTreeMap<String, Cluster>,
    federations: Vec<virtual_mesh::Federation>,
    services: BTreeMap<Key, Service>,
    failovers: BTreeMap<(String, String), failover::Failover>,
    admirals: admiral::Seen,
    drafts: Vec<Draft>,
    policies: Vec<spec::PolicySpec>,
    lost: BTreeSet<Lost>,
}

/// What is known of a cluster.
#[derive(Default)]
struct Cluster {
    trust_domain: Option<String>,
    network: Option<String>,
    remote_secrets: bool,
    gateway: Option<spec::GatewaySpec>,
}

/// What is known of a service.
#[derive(Default)]
struct Service {
    /// By number; with name and protocol if they are known.
    ports: BTreeMap<u16, Option<(String, spec::Protocol)>>,
    subsets: BTreeMap<String, BTreeMap<String, String>>,
    importers: BTreeSet<String>,
}

impl Importer<'_> {
    fn lose(&mut self, resource: &Value, field: &str, why: &str) {
        self.lose_to(resource, field, why, None);
    }

    fn lose_to(&mut self, resource: &Value, field: &str, why: &str, remedy: Option<ImportRemedy>) {
        let (resource, field, why) = (id(resource), field.into(), why.into());
        self.lost.insert(Lost { resource, field, why, remedy, restricts: false });
    }

    /// What is lost restricted calls.
    fn lose_restriction(&mut self, resource: &Value, field: &str, why: &str) {
        let (resource, field, why) = (id(resource), field.into(), why.into());
        self.lost.insert(Lost { resource, field, why, remedy: None, restricts: true });
    }

    fn cluster(&mut self, name: &str) -> &mut Cluster {
        self.clusters.entry(name.into()).or_default()
    }

    fn service(&mut self, key: &Key) -> &mut Service {
        self.cluster(&key.2);
        self.services.entry(key.clone()).or_default()
    }

    fn finish(mut self) -> Imported {
        for federation in core::mem::take(&mut self.federations) {
            federation.extend(&mut self.services);
        }
        self.lost.extend(self.missing());
        let release = self.istio_version.unwrap_or(UNKNOWN_RELEASE);
        self.policies.sort_by(|a, b| a.name.cmp(&b.name));
        let spec = Spec {
            api_version: ApiVersion::V1,
            kind: Kind::Mesh,
            name: self.mesh_name.unwrap_or_else(|| "mesh".into()),
            dns: self.suffix.map_or_else(spec::Dns::default, |suffix| spec::Dns { suffix }),
            addresses: spec::Addresses::default(),
            clusters: self.clusters.into_iter().map(|(name, c)| c.spec(name, release)).collect(),
            trust: None,
            services: self.services.into_iter().map(|(key, service)| service.spec(key)).collect(),
            policies: self.policies,
        };
        Imported { spec, lost: self.lost.into_iter().collect() }
    }

    /// What the spec needs and the files do not have.
    fn missing(&self) -> Vec<Lost> {
        let mut missing = Vec::new();
        let mut add = |field: String, why: &str, remedy| {
            let (resource, why) = (String::new(), why.into());
            missing.push(Lost { resource, field, why, remedy, restricts: false });
        };
        for (key, service) in &self.services {
            let field = format!("services {}/{} on {}: ports", key.0, key.1, key.2);
            if service.ports.is_empty() {
                let remedy = Some(ImportRemedy::DiscoverPorts);
                add(field, "its ports are not in the files", remedy);
            } else if service.ports.values().any(Option::is_none) {
                let why = "names and protocols of its ports are not in the files: HTTP is assumed";
                add(field, why, None);
            }
        }
        for (name, cluster) in &self.clusters {
            let field = |field: &str| format!("clusters {name}: {field}");
            if cluster.gateway.is_none() {
                let why = "the address of its gateway is not in the files";
                add(field("gateway.addresses"), why, None);
            }
            if cluster.trust_domain.is_none() {
                let why = "it is not in the files: cluster.local is assumed";
                add(field("trustDomain"), why, None);
            }
            if self.istio_version.is_none() {
                let remedy = Some(ImportRemedy::NameRelease);
                add(field("istioVersion"), "the release of its Istio is not in the files", remedy);
            }
        }
        missing
    }
}

impl Cluster {
    fn spec(self, name: String, release: &str) -> spec::ClusterSpec {
        spec::ClusterSpec {
            name,
            context: None,
            trust_domain: self.trust_domain.unwrap_or_else(|| "cluster.local".into()),
            ambient: false,
            network: self.network,
            istio_version: release.into(),
            istio_namespace: "istio-system".into(),
            import_namespace: None,
            cluster_domain: "cluster.local".into(),
            remote_secrets: self.remote_secrets,
            stock_multi_cluster: false,
            gateway: self.gateway,
            dns: None,
        }
    }
}

impl Service {
    fn spec(self, (namespace, name, cluster): Key) -> spec::ServiceSpec {
        let many = self.ports.len() > 1;
        let assumed = |number: u16| {
            let name = if many { format!("http-{number}") } else { "http".into() };
            (name, spec::Protocol::Http)
        };
        let port = |(number, known): (u16, Option<(String, spec::Protocol)>)| {
            let (name, protocol) = known.unwrap_or_else(|| assumed(number));
            spec::Port { name, number, protocol }
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
    let namespace = text(&meta["namespace"]);
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{} {namespace}{slash}{}", text(&resource["kind"]), text(&meta["name"]))
}

/// Namespace, name and cluster of a reference to a service.
fn service_key(service: &Value) -> Option<Key> {
    let text = |field: &str| service[field].as_str().map(ToString::to_string);
    Some((text("namespace")?, text("name")?, text("clusterName")?))
}

/// The cluster of a mesh, which discovery names `istiod-NAMESPACE-CLUSTER`.
fn cluster_of(mesh: &Value) -> &str {
    let name = mesh["name"].as_str().unwrap_or_default();
    name.strip_prefix("istiod-istio-system-").unwrap_or(name)
}

fn is_set(value: &Value) -> bool {
    !(value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty))
}

/// The name Service Mesh Hub gives a subset: `{version: v3}` is `version-v3`
/// (`translation/istio/traffictarget/destinationrule`).
fn subset_name(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}-{value}")).collect();
    crate::text::name(&pairs.join("_"), 63)
}

#[cfg(test)]
mod tests;
