//! What resolves a problem, as a value: a program that shows problems adds the commands it has.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What resolves a problem. `Display` says it in one clause and names no tool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LintRemedy {
    /// Add a Gateway that passes TLS through.
    AddGateway,
    /// Add the host to a Gateway of the serving cluster.
    AddHost,
    /// Give the host an address.
    AddAddress,
    /// Set mutual TLS, with the SNI of the service behind the gateway.
    AddMutualTls,
    /// Add outlier detection next to the failover.
    AddOutlierDetection,
    /// List the callers' trust domains with the anchors istiod accepts them by, or as aliases (1.18 and later).
    AddTrustDomains {
        /// The callers' trust domains.
        trust_domains: Vec<String>,
    },
    /// List the callers' trust domains as aliases (before 1.18).
    AddTrustDomainAliases {
        /// The callers' trust domains.
        trust_domains: Vec<String>,
    },
    /// Let the pods take mutual TLS.
    AllowMutualTls,
    /// Write a version of the API that the release serves.
    ChangeApiVersion,
    /// Use a port that the other side has.
    ChangePort,
    /// Use Istio's mutual TLS.
    ChangeTlsMode,
    /// Let a policy with a route decide where calls go, or keep the service local.
    ChooseRoute,
    /// Define the subset in the serving cluster.
    DefineRemoteSubset,
    /// Define the subset in the same cluster.
    DefineSubset,
    /// Delete the EnvoyFilter that Istio 1.6's chart installs.
    DeleteStockFilter,
    /// Add the names of remote services to the cluster's Corefile.
    EditCorefile,
    /// Let all endpoints be ejected.
    EjectAll,
    /// Turn on DNS in the proxies.
    EnableDnsProxy,
    /// Export the resource to every namespace.
    Export,
    /// Make the weights add up to 100.
    FixWeights,
    /// Nothing: the settings apply to other ports.
    HttpPortsOnly,
    /// Import the hosts in the Sidecar.
    ImportHosts,
    /// Give the resource of others another name, or say in the spec what it has.
    KeepForeign,
    /// Keep one of the resources.
    KeepOne,
    /// List the exported services by name.
    ListHosts,
    /// Merge the Gateways of a port into one.
    MergeGateways,
    /// Call a service that the serving cluster has.
    NameService,
    /// Name the service accounts in the spec.
    NameServiceAccounts,
    /// Remove the filter.
    RemoveFilter,
    /// Give the resource another name.
    Rename,
    /// Give the port one name in every cluster.
    RenamePort,
    /// Apply the ServiceEntry of the mesh.
    RenderEntry,
    /// Allow only the identities of the callers.
    RestrictCallers,
    /// Give each host its own address.
    SeparateAddresses,
    /// Declare the port's protocol as HTTP.
    SetHttp,
    /// Set the server name of each call.
    SetSni {
        /// The server names, one for each port and subset that needs another.
        sni: Vec<String>,
    },
    /// Use a route, which calls only the clusters that it names.
    RouteInstead,
    /// Send the name of the service as SNI, or make the port TCP.
    SendServiceName,
    /// Set the router mode of the gateway.
    SetRouterMode,
    /// Turn off istiod's validation of trust domains (1.6 and 1.7).
    SkipTrustDomainValidation,
    /// Upgrade Istio.
    Upgrade,
}

impl fmt::Display for LintRemedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddTrustDomains { trust_domains } => write!(
                f,
                "add {} to its meshConfig.caCertificates[].trustDomains, or to trustDomainAliases, which merges identities",
                trust_domains.join(", ")
            ),
            Self::AddTrustDomainAliases { trust_domains } => write!(
                f,
                "add {} to its meshConfig.trustDomainAliases, which makes the identities of these domains equal",
                trust_domains.join(", ")
            ),
            Self::SetSni { sni } => {
                write!(f, "set tls.sni in a DestinationRule of the host: {}", sni.join(", "))
            }
            other => f.write_str(other.clause()),
        }
    }
}

impl LintRemedy {
    /// The clause of a remedy without values.
    const fn clause(&self) -> &'static str {
        match self {
            Self::AddTrustDomains { .. }
            | Self::AddTrustDomainAliases { .. }
            | Self::SetSni { .. } => "",
            Self::AddGateway => {
                "add a Gateway with `tls: {mode: AUTO_PASSTHROUGH}` on the serving cluster"
            }
            Self::AddHost => "add the host to a Gateway of the serving cluster",
            Self::AllowMutualTls => {
                "set its mode to PERMISSIVE or STRICT for the port that is called"
            }
            Self::ChangePort => "use a port that the other side has",
            Self::ChangeTlsMode => "set `tls: {mode: ISTIO_MUTUAL}` there, or remove its tls",
            Self::Export => "set `exportTo: [\"*\"]`",
            Self::ImportHosts => "add `*/HOST` to its egress[].hosts for each that is called",
            Self::RouteInstead => "use a `route` if it must never be called",
            Self::NameService => "call a service that the serving cluster has",
            Self::RenamePort => "give the port one name in every cluster",
            Self::RenderEntry => "apply the resources of the mesh, and keep its ServiceEntry",
            Self::AddAddress => "give the host an address",
            Self::AddMutualTls => {
                "set `tls: {mode: ISTIO_MUTUAL, sni: ...}` in a DestinationRule of the host, with the SNI of the service behind the gateway"
            }
            Self::AddOutlierDetection => "add outlierDetection next to it",
            Self::ChangeApiVersion => {
                "use networking.istio.io/v1beta1, or v1alpha3 for an EnvoyFilter"
            }
            Self::ChooseRoute => {
                "add a policy with a route, or make the service clusterLocal in meshConfig.serviceSettings"
            }
            Self::DefineRemoteSubset => {
                "define the subset in the host's DestinationRule on the serving cluster"
            }
            Self::DefineSubset => {
                "define the subset in a DestinationRule of the host on this cluster"
            }
            Self::DeleteStockFilter => {
                "delete EnvoyFilter istio-multicluster-ingressgateway in istio-system"
            }
            Self::EditCorefile => "add the names of remote services to its Corefile",
            Self::EjectAll => "set `maxEjectionPercent: 100` in its outlierDetection",
            Self::EnableDnsProxy => {
                "set meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE: \"true\""
            }
            Self::FixWeights => "make the weights add up to 100",
            Self::HttpPortsOnly => "the settings apply to the HTTP ports only",
            Self::KeepForeign => {
                "give it another name, or delete it once the spec says what it has"
            }
            Self::KeepOne => "keep one of them",
            Self::ListHosts => "list the exported services by name",
            Self::MergeGateways => "keep one Gateway for the port and add the other hosts to it",
            Self::NameServiceAccounts => "name the service accounts of the service in the spec",
            Self::RemoveFilter => "remove it",
            Self::Rename => "use only a-z, 0-9 and `-` in its name",
            Self::RestrictCallers => {
                "if others must not call it, allow only the callers' identities with an AuthorizationPolicy"
            }
            Self::SendServiceName => {
                "let clients send that name as SNI, or make it a TCP port (`appProtocol: tcp`), whose route does not depend on the SNI"
            }
            Self::SeparateAddresses => "give each host its own address",
            Self::SetHttp => "set `protocol: HTTP`",
            Self::SetRouterMode => "set it in the gateway's Deployment",
            Self::SkipTrustDomainValidation => {
                "set PILOT_SKIP_VALIDATE_TRUST_DOMAIN=true on its istiod: 1.6 offers no other way"
            }
            Self::Upgrade => "upgrade to 1.8.6, 1.9.5 or later",
        }
    }
}
