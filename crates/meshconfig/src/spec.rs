//! The file as written: `mesh.yaml`. Unknown fields are refused; nothing is looked up yet.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{self, Error};

/// Every cluster of a mesh, what each exports and who calls it how. Written once, it drives `meshctl mesh`
/// and tells the other commands clusters, contexts and trust domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Mesh")]
pub struct Spec {
    /// The version of this form.
    pub api_version: ApiVersion,
    /// The kind of this file.
    pub kind: Kind,
    /// Name of the mesh, in the labels of every resource; default `mesh`.
    #[serde(default = "mesh_name")]
    pub name: String,
    /// How remote services are called.
    #[serde(default)]
    pub dns: Dns,
    /// Where addresses of remote services come from.
    #[serde(default)]
    pub addresses: Addresses,
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// Services, one entry per cluster a service runs on.
    #[serde(default)]
    pub services: Vec<Service>,
    /// How calls of a service are spread.
    #[serde(default)]
    pub policies: Vec<Policy>,
}

/// The version of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one.
    #[serde(rename = "meshctl/v1")]
    V1,
}

/// The kind of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A mesh.
    Mesh,
}

/// How remote services are called.
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

/// Where addresses of remote services come from. They need not be routable: proxies recognise them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addresses {
    /// The network addresses are taken from, IPv4 or IPv6; default `240.0.0.0/16`. Istio's own allocator has 240.240.0.0/16.
    #[serde(default = "pool")]
    pub pool: String,
    /// Days the address of a removed service is not given to another; default 30.
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
pub struct Cluster {
    /// Its name, a DNS label: part of the names of its services.
    pub name: String,
    /// Context of the kubeconfig; default the cluster's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Trust domain (`meshConfig.trustDomain`); default `cluster.local`.
    #[serde(default = "cluster_local")]
    pub trust_domain: String,
    /// Network (`topology.istio.io/network`); default the cluster's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Release of Istio, such as `1.30.3`; it chooses the dialect.
    pub istio_version: String,
    /// Istio's own namespace; default `istio-system`.
    #[serde(default = "istio_system")]
    pub istio_namespace: String,
    /// Where the entries for remote services are made; default Istio's own namespace, which is visible everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_namespace: Option<String>,
    /// DNS domain of the cluster; default `cluster.local`.
    #[serde(default = "cluster_local")]
    pub cluster_domain: String,
    /// Istiod of this cluster and of the others with this flag watch each other's API servers (multi-primary).
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub remote_secrets: bool,
    /// Istio 1.6 and 1.7: installed with `global.multiCluster.enabled`, which makes a Gateway, an EnvoyFilter and a
    /// DestinationRule for `*.global` of its own.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub stock_multi_cluster: bool,
    /// The way in for calls from other clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Who answers for the names of remote services; default Istio's DNS proxy, before 1.8 istio-coredns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<ClusterDns>,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Its addresses as other clusters reach it: IP addresses or DNS names.
    pub addresses: Vec<String>,
    /// Port at these addresses; default 15443. The node port where there is no load balancer.
    #[serde(default = "gateway_port")]
    pub port: u16,
    /// Port the gateway's pods listen on; default 15443.
    #[serde(default = "gateway_port")]
    pub target_port: u16,
    /// Labels of its pods; default `istio: eastwestgateway`, before 1.8 `istio: ingressgateway`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<BTreeMap<String, String>>,
    /// Its namespace; default Istio's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Who answers for the names of remote services in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterDns {
    /// The way.
    pub way: DnsWay,
    /// Cluster address of the service `istiocoredns`; for the way `istio-coredns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The ConfigMap the cluster's DNS reads, `NAMESPACE/NAME`: one with a `Corefile`, one called `coredns-custom`, which a
    /// Corefile imports, or one of kube-dns with `stubDomains`. Default `kube-system/coredns`, or where that is not there
    /// `kube-system/kube-dns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
}

/// Ways to answer for remote names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsWay {
    /// The proxies do (`ISTIO_META_DNS_CAPTURE`), from 1.8.
    Proxy,
    /// The plugin of Istio 1.6 to 1.8; CoreDNS forwards to it.
    IstioCoredns,
    /// CoreDNS has the addresses themselves.
    Hosts,
    /// Nobody: remote services are only called through policies on a name the cluster has itself.
    None,
}

/// A service on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Name of the Service.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The cluster it runs on.
    pub cluster: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Versions of it that can be called by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsets: Vec<Subset>,
    /// Service accounts its pods run under: callers check them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Clusters that may call it; `*` for all others. Default none.
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
    /// What is spoken on it; it decides whether calls can be routed one by one.
    pub protocol: Protocol,
}

/// What is spoken on a port (`networking/v1alpha3/gateway.proto: Port.protocol`).
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
    /// TLS of the application's own with HTTP in it.
    #[serde(rename = "HTTPS")]
    Https,
    /// TLS of the application's own.
    #[serde(rename = "TLS")]
    Tls,
    /// Anything else.
    #[serde(rename = "TCP")]
    Tcp,
    /// MongoDB.
    #[serde(rename = "MONGO")]
    Mongo,
}

/// Pods of a service with certain labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subset {
    /// Its name, a DNS label.
    pub name: String,
    /// Labels its pods have.
    pub labels: BTreeMap<String, String>,
}

/// How certain clusters call a service. It has a `route` or a `failover`, or only settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The service, `NAMESPACE/NAME`.
    pub service: String,
    /// Clusters whose callers it is for; `*` for all that have or import the service.
    pub clients: Vec<String>,
    /// Where calls go, by weight; the weights make 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Share>,
    /// Clusters in the order they are tried; needs `outlierDetection`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failover: Vec<String>,
    /// Time a call may take, such as `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Calls that failed are tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Endpoints that fail are left out for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    /// A copy of every call goes here too; its answer is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
}

/// A part of the calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    /// The cluster they go to.
    pub cluster: String,
    /// The subset they go to; default all of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// How many of a hundred.
    pub weight: u32,
}

/// Tries after the first (`networking/v1alpha3/virtual_service.proto: HTTPRetry`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// How many more.
    pub attempts: u32,
    /// Time each may take, such as `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_try_timeout: Option<String>,
    /// On what, in Envoy's words: `5xx,connect-failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_on: Option<String>,
}

/// When an endpoint is left out (`networking/v1alpha3/destination_rule.proto: OutlierDetection`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    /// Failures in a row; default 5.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "consecutive5xxErrors")]
    pub consecutive_5xx_errors: Option<u32>,
    /// Time between two looks, such as `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Shortest time an endpoint is left out, such as `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ejection_time: Option<String>,
    /// How many of a hundred endpoints may be left out; default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ejection_percent: Option<u32>,
}

/// Where copies of calls go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// The cluster.
    pub cluster: String,
    /// The subset; default all of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// How many of a hundred calls; default 100.
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
            .map_err(|error| error::from_yaml(&error))
    }

    /// The spec as YAML; fields that have their default are written out where that says more.
    #[must_use]
    pub fn yaml(&self) -> String {
        crate::resource::yaml(&serde_json::to_value(self).unwrap_or_default())
    }

    /// The JSON schema of the file, draft 2020-12.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
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

    /// Whether each call is routed by itself, so that timeouts, retries and mirrors have a meaning.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc)
    }

    /// Whether the application's own TLS is seen, so that routes are by its SNI.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }
}
