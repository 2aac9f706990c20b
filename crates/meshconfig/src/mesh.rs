//! The mesh: a spec with every name resolved and every rule checked. A `Mesh` that exists is valid.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ipnet::IpNet;
use meshpki::TrustDomain;
use meshpki::istiod::Version;

use crate::dialect::rewrites;
use crate::error::Error;
use crate::spec::{DnsWay, Port, Spec, Subset};

mod clusters;
mod known;
mod policies;
mod services;
mod trust;

use known::{Known, merged};
pub use trust::Trust;

/// A valid mesh. Clusters are sorted by name, services by namespace, name and cluster.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Name of the mesh.
    pub name: String,
    /// Last part of the names of remote services, without a leading dot.
    pub suffix: String,
    /// The network addresses are taken from.
    pub pool: IpNet,
    /// Days for which a retired address is reserved.
    pub grace_days: u32,
    clusters: Vec<MeshCluster>,
    trust: Option<Trust>,
    services: Vec<Service>,
    policies: Vec<Policy>,
    /// Client, namespace and name of the service -> policy.
    by_client: BTreeMap<(usize, String, String), usize>,
    /// Namespace and name of a service -> its policies.
    by_service: BTreeMap<(String, String), Vec<usize>>,
}

/// A cluster with every default filled in.
#[derive(Clone, Debug)]
pub struct MeshCluster {
    /// Its index among the clusters.
    pub(crate) index: usize,
    /// Its index in the file.
    at: usize,
    /// Its name.
    pub name: String,
    /// Context of the kubeconfig.
    pub context: String,
    /// Trust domain.
    pub trust_domain: TrustDomain,
    /// Whether ztunnel runs there.
    pub ambient: bool,
    /// Network.
    pub network: String,
    /// Release of Istio.
    pub version: Version,
    /// Istio's namespace.
    pub istio_namespace: String,
    /// Namespace of the resources for remote services.
    pub import_namespace: String,
    /// DNS domain.
    pub domain: String,
    /// Its istiod and those of the other clusters with this flag watch each other's API servers.
    pub remote_secrets: bool,
    /// Istio 1.6's own multicluster resources are installed.
    pub stock_multi_cluster: bool,
    /// The gateway for calls from other clusters.
    pub gateway: Option<Gateway>,
    /// How remote names are resolved.
    pub dns: DnsWay,
    /// Address of istio-coredns, if it is used and known.
    pub dns_address: Option<String>,
    /// Namespace and name of the ConfigMap its DNS reads, if the spec names it.
    pub dns_config_map: Option<(String, String)>,
}

/// A gateway with every default filled in.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Addresses as other clusters reach it, sorted.
    pub addresses: Vec<String>,
    /// Port at these addresses.
    pub port: u16,
    /// Port its pods listen on.
    pub target_port: u16,
    /// Labels of its pods.
    pub selector: BTreeMap<String, String>,
    /// Its namespace.
    pub namespace: String,
}

/// A service on one cluster.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The cluster it runs on.
    pub(crate) cluster: usize,
    /// Its ports by number.
    pub ports: Vec<Port>,
    /// Its subsets by name.
    pub subsets: Vec<Subset>,
    /// Its service accounts by name.
    pub service_accounts: Vec<String>,
    /// Clusters that get an entry for it.
    pub(crate) importers: Vec<usize>,
}

/// How clusters call a service.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Namespace of the service.
    pub namespace: String,
    /// Name of the service.
    pub service: String,
    /// Clusters whose calls it applies to.
    pub(crate) clients: Vec<usize>,
    /// Where calls go.
    pub target: PolicyTarget,
    /// Time limit of a call, in Istio's format: `5s`, `0.5s`.
    pub timeout: Option<String>,
    /// Retries.
    pub retries: Option<Retries>,
    /// When unhealthy endpoints are ejected.
    pub outlier: Option<Outlier>,
    /// Where copies of calls go, and the percentage of calls that are copied.
    pub mirror: Option<(Destination, u32)>,
}

/// Where calls go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// Where they go without the policy, which has only settings.
    Unchanged,
    /// By weight, largest first.
    Split(Vec<(Destination, u32)>),
    /// To the first of these clusters with healthy endpoints.
    Failover(Vec<usize>),
}

/// A service on a cluster, or one of its subsets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// The cluster.
    pub(crate) cluster: usize,
    /// The subset.
    pub subset: Option<String>,
}

/// Retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Number of retries.
    pub attempts: u32,
    /// Time limit of each, in Istio's format.
    pub per_try_timeout: Option<String>,
    /// Conditions, in Envoy's terms.
    pub retry_on: Option<String>,
}

/// When unhealthy endpoints are ejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// Consecutive failures.
    pub errors: Option<u32>,
    /// Time between checks.
    pub interval: Option<String>,
    /// Minimum ejection time.
    pub ejection: Option<String>,
    /// Largest percentage of endpoints that may be ejected.
    pub max_percent: Option<u32>,
}

impl Mesh {
    /// Resolves every name of a spec and checks every rule. All errors are reported together, those that only follow from
    /// others excepted.
    ///
    /// # Errors
    /// `config/...`, each with its path; at least one.
    pub fn new(spec: &Spec) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        let pool = clusters::frame(spec, &mut errors);
        let clusters = clusters::resolve(spec, &mut errors);
        let known = Known::new(spec, &clusters);
        let trust = trust::resolve(spec, &clusters, &known, &mut errors);
        let (services, doubtful) = services::resolve(spec, &clusters, &known, &mut errors);
        let mut mesh = Self {
            name: spec.name.clone(),
            suffix: spec.dns.suffix.trim_matches('.').into(),
            pool,
            grace_days: spec.addresses.grace_days,
            clusters,
            trust,
            services,
            policies: Vec::new(),
            by_client: BTreeMap::new(),
            by_service: BTreeMap::new(),
        };
        services::check(&mesh, &mut errors);
        trust::check(&mesh, &mut errors);
        policies::resolve(spec, &mut mesh, &known, &doubtful, &mut errors);
        if errors.is_empty() { Ok(mesh) } else { Err(merged(errors)) }
    }

    /// The clusters by name.
    #[must_use]
    pub fn clusters(&self) -> &[MeshCluster] {
        &self.clusters
    }

    /// The clusters in the order of the file.
    #[must_use]
    pub fn clusters_as_written(&self) -> Vec<&MeshCluster> {
        let mut clusters: Vec<&MeshCluster> = self.clusters.iter().collect();
        clusters.sort_by_key(|cluster| cluster.at);
        clusters
    }

    /// The trust models of its pairs, if the spec names any.
    #[must_use]
    pub const fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The services by namespace, name and cluster.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The policies by name.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// A cluster by its name.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&MeshCluster> {
        self.clusters
            .binary_search_by(|cluster| cluster.name.as_str().cmp(name))
            .ok()
            .map(|i| &self.clusters[i])
    }

    /// The cluster a service runs on.
    #[must_use]
    pub fn home(&self, service: &Service) -> &MeshCluster {
        &self.clusters[service.cluster]
    }

    /// Clusters that get an entry for a service, other than its own.
    pub fn importers<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a MeshCluster> {
        service.importers.iter().map(|i| &self.clusters[*i])
    }

    /// The cluster of a destination.
    #[must_use]
    pub fn at(&self, destination: &Destination) -> &MeshCluster {
        &self.clusters[destination.cluster]
    }

    /// Clusters whose calls a policy applies to.
    pub fn clients<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a MeshCluster> {
        policy.clients.iter().map(|i| &self.clusters[*i])
    }

    /// The policy for calls from a cluster to a service, if there is one.
    #[must_use]
    pub fn policy(&self, client: &MeshCluster, namespace: &str, name: &str) -> Option<&Policy> {
        let key = (client.index, namespace.into(), name.into());
        self.by_client.get(&key).map(|i| &self.policies[*i])
    }

    /// Every policy for a service.
    pub fn policies_for(&self, namespace: &str, name: &str) -> impl Iterator<Item = &Policy> {
        let found = self.by_service.get(&(namespace.into(), name.into()));
        found.into_iter().flatten().map(|i| &self.policies[*i])
    }

    /// A service on every cluster that runs it.
    #[must_use]
    pub fn services_named(&self, namespace: &str, name: &str) -> &[Service] {
        let key = |s: &Service| (s.namespace.as_str(), s.name.as_str()).cmp(&(namespace, name));
        let start = self.services.partition_point(|s| key(s).is_lt());
        let count = self.services[start..].partition_point(|s| key(s).is_eq());
        &self.services[start..start + count]
    }

    /// A service on a cluster.
    #[must_use]
    pub fn service_on(
        &self,
        cluster: &MeshCluster,
        namespace: &str,
        name: &str,
    ) -> Option<&Service> {
        let wanted = (namespace, name, cluster.index);
        let found = self
            .services
            .binary_search_by(|s| (s.namespace.as_str(), s.name.as_str(), s.cluster).cmp(&wanted));
        found.ok().map(|i| &self.services[i])
    }

    /// The name by which other clusters call a service: `reviews.default.svc.cluster2.global`.
    #[must_use]
    pub fn remote_host(&self, service: &Service) -> String {
        format!(
            "{}.{}.svc.{}.{}",
            service.name, service.namespace, self.clusters[service.cluster].name, self.suffix
        )
    }

    /// The name of a service on any cluster, for failover: `reviews.default.svc.global`.
    #[must_use]
    pub fn pooled_host(&self, namespace: &str, name: &str) -> String {
        format!("{name}.{namespace}.svc.{}", self.suffix)
    }
}

impl Service {
    /// `default/reviews`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Its name inside a cluster: `reviews.default.svc.cluster.local`.
    #[must_use]
    pub fn local_host(&self, cluster: &MeshCluster) -> String {
        cluster.host(&self.namespace, &self.name)
    }
}

impl MeshCluster {
    /// The name of a service inside this cluster.
    #[must_use]
    pub fn host(&self, namespace: &str, name: &str) -> String {
        format!("{name}.{namespace}.svc.{}", self.domain)
    }

    /// Host and port that the Gateway of Istio's own chart lets in, if it applies to this cluster's gateway
    /// (`istio 1.6.4 manifests/charts/gateways/istio-ingress/templates/preconfigured.yaml`).
    pub(crate) fn stock_server(&self) -> Option<(&'static str, u16)> {
        const PORT: u16 = 15443;
        let is_selected = |gateway: &&Gateway| {
            gateway.target_port == PORT
                && gateway.selector.get("istio").is_some_and(|label| label == "ingressgateway")
        };
        self.gateway
            .as_ref()
            .filter(is_selected)
            .filter(|_| self.stock_multi_cluster && rewrites(self.version))
            .map(|_| ("*.global", PORT))
    }
}

#[cfg(test)]
mod tests;
