//! Why calls do not arrive, in words.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Call, Place};
use crate::dialect::{has_open_passthrough, sni};
use crate::lint::{LintProblem, LintRemedy, LintSeverity, id};
use crate::reach::{Doubt, Lack, NoChain, View};
use crate::text::some;

/// Hosts that a message names at most.
const SHOWN: usize = 3;

/// Why a call does not arrive.
#[derive(Clone, Debug)]
pub(super) enum Cause<'a> {
    /// It is plain text.
    Plain,
    /// It is TLS, but not Istio's.
    Mode(String),
    /// No filter chain has its SNI.
    Sni {
        /// The SNI.
        sni: String,
        why: NoChain,
        /// The SNI that would do, if it is known.
        wanted: Option<String>,
    },
    /// The filter chain is that of another service, port or subset.
    Misled {
        /// The SNI.
        sni: String,
        /// The SNI of what is meant.
        wanted: String,
    },
    /// There is no endpoint behind the filter chain.
    Behind { host: String, lack: Lack<'a>, doubt: Doubt },
    /// The caller's istiod drops the endpoints of the other cluster.
    Dropped { lack: Lack<'a>, doubt: Doubt },
    /// The gateway has another port.
    GatewayPort { wrong: u16, right: u16 },
    /// The service of the cluster as whose it is called has no port of this name, or not with the number in the spec.
    PortDiffers { cluster: String, name: String, own: Vec<String> },
    /// The caller's rules do not define the subset.
    NoSubset,
    /// No ServiceEntry has the host.
    NoEntry,
    /// The ServiceEntry is not for every namespace.
    NotExported,
}

/// A port and subset that a cause concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// `port 80, subset v2`.
    name: String,
    /// The SNI that would do.
    wanted: Option<String>,
}

impl Part {
    pub(super) fn new(call: Call<'_>, cause: &Cause<'_>) -> Self {
        let mut name = format!("port {}", call.port);
        if !call.subset.is_empty() {
            name += &format!(", subset `{}`", call.subset);
        }
        if !call.client.is_empty() {
            name += &format!(", from namespace {}", call.client);
        }
        let wanted = match cause {
            Cause::Sni { wanted, .. } => wanted.clone(),
            Cause::Misled { wanted, .. } => Some(wanted.clone()),
            _ => None,
        };
        Self { name, wanted }
    }
}

impl Cause<'_> {
    /// The same for causes that are reported once.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Plain => "plain".into(),
            Self::Mode(mode) => format!("mode {mode}"),
            Self::Sni { why: NoChain::Port(..) | NoChain::Subset(_), sni, .. } => {
                format!("sni {sni}")
            }
            Self::Sni { why, .. } => format!("sni {why:?}"),
            Self::Behind { lack: Lack::Rule(resource, _), .. }
            | Self::Behind { lack: Lack::Authentication(resource), .. } => {
                format!("behind {}", id(resource))
            }
            Self::Misled { sni, .. } => format!("misled {sni}"),
            Self::Dropped { .. } => "dropped".into(),
            Self::GatewayPort { wrong, .. } => format!("port {wrong}"),
            Self::PortDiffers { name, .. } => format!("name {name}"),
            Self::NoSubset => "subset".into(),
            Self::NoEntry => "entry".into(),
            Self::NotExported => "exported".into(),
        }
    }

    const fn code(&self) -> &'static str {
        match self {
            Self::Plain => "lint/plain-text",
            Self::Mode(_) => "lint/tls-mode",
            Self::Sni { .. } => "lint/sni-unknown",
            Self::Misled { .. } => "lint/sni-misleads",
            Self::Behind { .. } | Self::Dropped { .. } => "lint/no-endpoint",
            Self::GatewayPort { .. } => "lint/gateway-port",
            Self::PortDiffers { .. } => "lint/port-differs",
            Self::NoSubset => "lint/subset-undefined",
            Self::NoEntry => "lint/no-entry",
            Self::NotExported => "lint/hidden",
        }
    }

    const fn source(&self) -> &'static str {
        match self {
            Self::Plain | Self::Mode(_) => {
                "istio issue 19901; pilot/pkg/networking/core/cluster_tls.go: buildUpstreamTLSSettings"
            }
            Self::Sni { .. } | Self::Misled { .. } => {
                "istio pilot/pkg/networking/core/gateway.go: builtAutoPassthroughFilterChains; issues 36241, 34992, 37077"
            }
            Self::Dropped { .. } => {
                "istio pilot/pkg/xds/endpoints/ep_filters.go: EndpointsByNetworkFilter"
            }
            Self::Behind { .. } => {
                "istio pilot/pkg/xds/endpoints/ep_filters.go: EndpointsWithMTLSFilter; issue 28798"
            }
            Self::GatewayPort { .. } => "istio networking/v1alpha3/workload_entry.proto: ports",
            Self::PortDiffers { .. } => "istio pilot/pkg/serviceregistry/aggregate; issue 46105",
            Self::NoSubset => {
                "istio pilot/pkg/networking/core/cluster.go: a subset is a cluster of its own"
            }
            Self::NoEntry | Self::NotExported => {
                "istio pilot/pkg/model/push_context.go: servicesExportedToNamespace"
            }
        }
    }

    pub(super) fn severity(&self) -> LintSeverity {
        match self {
            Self::Behind { doubt: Doubt::Maybe, .. }
            | Self::Dropped { doubt: Doubt::Maybe, .. } => LintSeverity::Warning,
            _ => LintSeverity::Error,
        }
    }

    fn remedy(&self, parts: &[Part]) -> LintRemedy {
        match self {
            Self::Plain => LintRemedy::AddMutualTls,
            Self::Mode(_) => LintRemedy::ChangeTlsMode,
            Self::Sni { why, .. } => {
                let sni: Vec<String> =
                    parts.iter().filter_map(|part| part.wanted.clone()).collect();
                match why {
                    _ if !sni.is_empty() => LintRemedy::SetSni { sni },
                    NoChain::NoGateway => LintRemedy::AddGateway,
                    NoChain::Form | NoChain::NoService(_) => LintRemedy::NameService,
                    NoChain::Hidden(_) => LintRemedy::Export,
                    NoChain::Hosts(..) => LintRemedy::AddHost,
                    NoChain::Port(..) => LintRemedy::ChangePort,
                    NoChain::Subset(_) => LintRemedy::DefineRemoteSubset,
                }
            }
            Self::Misled { .. } => LintRemedy::SetSni {
                sni: parts.iter().filter_map(|part| part.wanted.clone()).collect(),
            },
            Self::Behind { lack, .. } | Self::Dropped { lack, .. } => match lack {
                Lack::Rule(..) => LintRemedy::ChangeTlsMode,
                Lack::Authentication(_) => LintRemedy::AllowMutualTls,
            },
            Self::GatewayPort { .. } => LintRemedy::ChangePort,
            Self::PortDiffers { .. } => LintRemedy::RenamePort,
            Self::NoSubset => LintRemedy::DefineSubset,
            Self::NoEntry => LintRemedy::RenderEntry,
            Self::NotExported => LintRemedy::Export,
        }
    }

    /// What is wrong with the calls `what`, and why.
    fn message(&self, what: &str, place: &Place) -> String {
        let to = &place.to;
        match self {
            Self::Plain => format!(
                "{what} are plain text, which the gateway of `{to}` resets: no DestinationRule sets mutual TLS for them, and it is not automatic for these endpoints"
            ),
            Self::Mode(mode) => format!(
                "{what} use TLS mode {mode}, for which the gateway of `{to}` has no filter chain: it takes only Istio's mutual TLS"
            ),
            Self::Sni { sni, why, .. } => format!(
                "{what} have the SNI `{sni}`, for which the gateway of `{to}` has no filter chain: {}",
                reason(why, to)
            ),
            Self::Misled { sni, .. } => format!(
                "{what} have the SNI `{sni}`, with which the gateway of `{to}` leads them to another service, port or subset"
            ),
            Self::Behind { host, lack, doubt } => format!(
                "{what} reach the gateway of `{to}`, which has no endpoint for `{host}`: {}, and a gateway keeps only endpoints with mutual TLS",
                turns_off(lack, *doubt)
            ),
            Self::Dropped { lack, doubt } => format!(
                "{what} never go to `{to}`: {}, and istiod keeps endpoints of other networks only with mutual TLS",
                turns_off(lack, *doubt)
            ),
            Self::GatewayPort { wrong, right } => format!(
                "{what} go to port {wrong} of the gateway of `{to}`, which listens on {right}"
            ),
            Self::PortDiffers { cluster, name, own } => format!(
                "calls to `{}` never reach port `{name}` of the service on `{to}`: the service on `{}` has no such port (it has {}), and istiod matches ports by name",
                place.host,
                cluster,
                shown(own)
            ),
            Self::NoSubset => format!(
                "{what} cannot be made: no DestinationRule that applies on `{}` defines the subset",
                place.cluster
            ),
            Self::NoEntry => {
                format!("callers do not know `{}`: no ServiceEntry has the host", place.host)
            }
            Self::NotExported => format!(
                "callers do not know `{}`: this resource is exported to some namespaces only",
                place.host
            ),
        }
    }
}

/// The problem of a cause and the calls it concerns.
pub(super) fn problem(place: Place, cause: &Cause<'_>, parts: &[Part]) -> LintProblem {
    let what = match parts {
        [] => format!("calls to `{}`", place.host),
        [one] => format!("calls to `{}` ({})", place.host, one.name),
        [first, rest @ ..] => {
            format!("calls to `{}` ({} and {} more)", place.host, first.name, rest.len())
        }
    };
    LintProblem {
        code: cause.code(),
        severity: cause.severity(),
        message: cause.message(&what, &place),
        source: cause.source(),
        remedy: cause.remedy(parts),
        cluster: place.cluster,
        resource: place.resource,
        host: Some(place.host),
    }
}

/// What turns off mutual TLS.
fn turns_off(lack: &Lack<'_>, doubt: Doubt) -> String {
    match (lack, doubt) {
        (Lack::Rule(rule, mode), _) => format!("{} sets TLS mode {mode} there", id(rule)),
        (Lack::Authentication(policy), Doubt::No) => {
            format!("{} turns off mutual TLS there", id(policy))
        }
        (Lack::Authentication(policy), Doubt::Maybe) => {
            format!("{} turns off mutual TLS there for some pods, which may be these", id(policy))
        }
    }
}

fn reason(why: &NoChain, to: &str) -> String {
    match why {
        NoChain::NoGateway => {
            "no Gateway there has a server with AUTO_PASSTHROUGH at its port".into()
        }
        NoChain::Form => "it does not have the form `outbound_.PORT_.SUBSET_.HOST`".into(),
        NoChain::NoService(host) => format!("`{host}` is not a service of that cluster"),
        NoChain::Hidden(host) => {
            format!("`{host}` is not exported to the namespace of the gateway")
        }
        NoChain::Hosts(host, hosts) => {
            format!("its Gateways have only {}, which does not cover `{host}`", shown(hosts))
        }
        NoChain::Port(host, ports) => {
            let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
            format!("`{host}` has only the ports {} there", shown(&ports))
        }
        NoChain::Subset(host) => format!(
            "no DestinationRule on `{to}` that the gateway sees defines this subset of `{host}`"
        ),
    }
}

/// The first of some words.
fn shown(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    some(&quoted, SHOWN)
}

/// The SNI that would do, if the one sent is the caller's own name for a service that the cluster has or may have.
pub(super) fn wanted_sni(view: &View<'_>, call: Call<'_>, why: &NoChain) -> Option<String> {
    let is_name = matches!(why, NoChain::Form | NoChain::NoService(_));
    if !is_name || has_open_passthrough(view.cluster.version) {
        return None;
    }
    let mut labels = call.host.split('.');
    let (name, namespace) = (labels.next()?, labels.next()?);
    let host = view.cluster.host(namespace, name);
    let is_there = view.services.contains_key(&host) || view.may_have(&host);
    is_there.then(|| sni(call.port, call.subset, &host))
}
