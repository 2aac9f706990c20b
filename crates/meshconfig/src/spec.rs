//! The file as written: `mesh.yaml`. Unknown fields are errors; names are not resolved yet.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{self, Error};

mod schema;

/// The clusters of a mesh, the services each exports, and how they are called. One file defines clusters, contexts and
/// trust domains for all commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Mesh")]
pub struct Spec {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// The kind of this file.
    pub kind: Kind,
    /// Name of the mesh, which is a label of every resource; default `mesh`.
    #[serde(default = "mesh_name")]
    pub name: String,
    /// How remote services are named.
    #[serde(default)]
    pub dns: Dns,
    /// The addresses of remote services.
    #[serde(default)]
    pub addresses: Addresses,
    /// The clusters.
    pub clusters: Vec<ClusterSpec>,
    /// How clusters come to accept each other's workloads; default: all do, by the roots that their secrets have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustSpec>,
    /// Services, one entry per cluster a service runs on.
    #[serde(default)]
    pub services: Vec<ServiceSpec>,
    /// How calls to services are routed.
    #[serde(default)]
    pub policies: Vec<PolicySpec>,
}

/// The version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only version.
    #[serde(rename = "meshctl/v1")]
    V1,
}

/// The kind of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A mesh.
    Mesh,
}

/// How remote services are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Last part of the names of remote services, `NAME.NAMESPACE.svc.CLUSTER.SUFFIX`; default `global`.
    #[serde(default = "suffix")]
    pub suffix: String,
}

impl Default for Dns {
    fn default() -> Self {
        Self { suffix: suffix() }
    }
}

/// The addresses of remote services. They need not be routable: proxies recognize them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addresses {
    /// The network from which addresses are taken, IPv4 or IPv6; default `240.0.0.0/16`. Istio's own allocator uses 240.240.0.0/16.
    #[serde(default = "pool")]
    pub pool: String,
    /// Days for which the address of a removed service is not reused; default 30.
    #[serde(default = "grace_days")]
    pub grace_days: u32,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { pool: pool(), grace_days: grace_days() }
    }
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterSpec {
    /// Its name, a DNS label: part of the names of its services.
    pub name: String,
    /// Kubeconfig context; default: the cluster's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Trust domain (`meshConfig.trustDomain`); default `cluster.local`.
    #[serde(default = "cluster_local")]
    pub trust_domain: String,
    /// Whether ztunnel runs there (ambient mode). It accepts its own trust domain only.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub ambient: bool,
    /// Network of its pods (`topology.istio.io/network`); default: the cluster's name. Clusters with `remoteSecrets` on one
    /// network call each other's pods without a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Istio release, such as `1.30.3`. It determines which resources are written.
    pub istio_version: String,
    /// Istio's own namespace; default `istio-system`.
    #[serde(default = "istio_system")]
    pub istio_namespace: String,
    /// Namespace of the resources for remote services; default: Istio's own namespace, which is visible everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_namespace: Option<String>,
    /// DNS domain of the cluster; default `cluster.local`.
    #[serde(default = "cluster_local")]
    pub cluster_domain: String,
    /// The istiods of this cluster and of the others with this flag watch each other's API servers (multi-primary).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub remote_secrets: bool,
    /// Istio 1.6 and 1.7: installed with `global.multiCluster.enabled`, which creates its own Gateway, EnvoyFilter and
    /// DestinationRule for `*.global`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub stock_multi_cluster: bool,
    /// The gateway for calls from other clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewaySpec>,
    /// How the names of remote services are resolved; default: Istio's DNS proxy, before 1.8 istio-coredns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<ClusterDns>,
}

/// How clusters come to accept each other's workloads. With `pairs` and no `model`, only those pairs have to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Trust")]
pub struct TrustSpec {
    /// The model of every pair that is not in `pairs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// Pairs with a model of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<TrustPair>,
}

/// Two clusters with a trust model of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustPair {
    /// The two clusters, in any order.
    pub clusters: Vec<String>,
    /// How they come to accept each other's workloads.
    pub model: ModelName,
}

/// How two clusters come to accept each other's workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "TrustModel")]
pub enum ModelName {
    /// One root vouches for the CAs of both.
    SharedRoot,
    /// Each has the roots of both in its root bundle: either root can vouch for every identity in both.
    MergedRoots,
    /// Each certifies the other's root: root bundles stay as they are, and trust ends when the bridge ends.
    Bridge,
    /// The same, limited to the other's trust domain by a name constraint, which ztunnel does not support.
    ScopedBridge,
}

/// The gateway for calls from other clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Gateway")]
pub struct GatewaySpec {
    /// Its addresses as other clusters reach it: IP addresses or DNS names.
    pub addresses: Vec<String>,
    /// Port at these addresses; default 15443. Without a load balancer, the node port.
    #[serde(default = "gateway_port")]
    pub port: u16,
    /// Port the gateway's pods listen on; default 15443.
    #[serde(default = "gateway_port")]
    pub target_port: u16,
    /// Labels of its pods; default `istio: eastwestgateway`, before 1.8 `istio: ingressgateway`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<BTreeMap<String, String>>,
    /// Its namespace; default: Istio's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// How a cluster resolves the names of remote services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDns {
    /// What answers for these names.
    pub way: DnsWay,
    /// Cluster IP of the Service `istiocoredns`; for `istio-coredns` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The ConfigMap the cluster's DNS reads, `NAMESPACE/NAME`: one with a `Corefile`, one named `coredns-custom`, which a
    /// Corefile imports, or that of kube-dns with `stubDomains`. Default: `kube-system/coredns` if it exists, else
    /// `kube-system/kube-dns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
}

/// What answers for the names of remote services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsWay {
    /// The proxies (`ISTIO_META_DNS_CAPTURE`), from 1.8.
    Proxy,
    /// The istio-coredns plugin of Istio 1.6 to 1.8, to which CoreDNS forwards.
    IstioCoredns,
    /// CoreDNS, which gets the addresses themselves.
    Hosts,
    /// Nothing: remote services are called only through policies for a service of the cluster itself.
    None,
}

/// A service on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Service")]
pub struct ServiceSpec {
    /// Name of the Service.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The cluster it runs on.
    pub cluster: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Versions that can be called separately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<Subset>,
    /// Service accounts of its pods, which callers verify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Clusters that get an entry for it, so that its remote name and policies work there; `*` for all others. Default: none.
    /// It does not restrict calls: that takes an AuthorizationPolicy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported_by: Vec<String>,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// Its name, a DNS label.
    pub name: String,
    /// Its number on the Service.
    pub number: u16,
    /// Its protocol, which determines whether calls can be routed individually.
    pub protocol: Protocol,
}

/// The protocol of a port (`networking/v1alpha3/gateway.proto: Port.protocol`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Protocol {
    /// HTTP/1.1.
    #[serde(rename = "HTTP")]
    Http,
    /// HTTP/2.
    #[serde(rename = "HTTP2")]
    Http2,
    /// gRPC.
    #[serde(rename = "GRPC")]
    Grpc,
    /// HTTP in the application's own TLS.
    #[serde(rename = "HTTPS")]
    Https,
    /// The application's own TLS.
    #[serde(rename = "TLS")]
    Tls,
    /// Anything else.
    #[serde(rename = "TCP")]
    Tcp,
    /// MongoDB.
    #[serde(rename = "MONGO")]
    Mongo,
}

/// The pods of a service that have certain labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subset {
    /// Its name, a DNS label.
    pub name: String,
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
}

/// How clusters call a service. It has a `route`, a `failover`, or only settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub struct PolicySpec {
    /// Its name.
    pub name: String,
    /// The service, `NAMESPACE/NAME`.
    pub service: String,
    /// Clusters whose calls it applies to; `*` for all that have or import the service.
    pub clients: Vec<String>,
    /// Where calls go, by weight; the weights add up to 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Share>,
    /// Clusters in the order they are tried; needs `outlierDetection`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failover: Vec<String>,
    /// Time limit of a call, such as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How failed calls are retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// When unhealthy endpoints are ejected for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// Where copies of calls go; their answers are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
}

/// A share of the calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    /// The cluster they go to.
    pub cluster: String,
    /// The subset they go to; default: the whole service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Percentage of the calls.
    pub weight: u32,
}

/// Retries (`networking/v1alpha3/virtual_service.proto: HTTPRetry`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// Number of retries.
    pub attempts: u32,
    /// Time limit of each, such as `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<String>,
    /// Conditions, in Envoy's terms: `5xx,connect-failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<String>,
}

/// When an unhealthy endpoint is ejected (`networking/v1alpha3/destination_rule.proto: OutlierDetection`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    /// Consecutive failures; default 5.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Time between two checks, such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Minimum ejection time, such as `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ejection_time: Option<String>,
    /// Largest percentage of endpoints that may be ejected; default 10, and 100 in a policy with `failover`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ejection_percent: Option<u32>,
}

/// Where copies of calls go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// The cluster.
    pub cluster: String,
    /// The subset; default: the whole service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Percentage of the calls; default 100.
    #[serde(default = "hundred")]
    pub percent: u32,
}

fn mesh_name() -> String {
    "mesh".into()
}
fn suffix() -> String {
    "global".into()
}
fn pool() -> String {
    "240.0.0.0/16".into()
}
const fn grace_days() -> u32 {
    30
}
fn cluster_local() -> String {
    "cluster.local".into()
}
fn istio_system() -> String {
    "istio-system".into()
}
const fn gateway_port() -> u16 {
    15443
}
const fn hundred() -> u32 {
    100
}

impl Spec {
    /// Reads a spec from YAML (or JSON).
    ///
    /// # Errors
    /// `config/syntax`, `config/unknown-field`, `config/unknown-name`, with their line.
    pub fn read(text: &str) -> Result<Self, Error> {
        serde_saphyr::from_str_with_options(text, crate::resource::reader(false))
            .map_err(|error| error::from_yaml(text, &error))
    }

    /// The spec as YAML; some defaults are written out for clarity.
    #[must_use]
    pub fn yaml(&self) -> String {
        crate::resource::yaml(&serde_json::to_value(self).unwrap_or_default())
    }

    /// The JSON schema of the file, draft 2020-12: as strict as [`Mesh`](crate::Mesh) where a schema can be, and no
    /// stricter.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schema::schema()
    }
}

impl Protocol {
    /// As Istio writes it: `HTTP2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Mongo => "MONGO",
        }
    }

    /// Whether calls are routed individually, so that timeouts, retries and mirrors apply.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc)
    }

    /// Whether routes match the SNI of the application's own TLS.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}
