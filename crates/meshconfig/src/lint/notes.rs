//! What a mesh needs besides its resources, and what its policies cannot do.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use meshpki::istiod::Version;

use super::{LintProblem, LintRemedy, LintSeverity, callers};
use crate::dialect::rewrites;
use crate::mesh::{Mesh, MeshCluster};
use crate::route::{Route, routes};
use crate::spec::DnsWay;

/// What to do besides applying the resources, and settings that have no effect.
#[must_use]
pub fn notes(mesh: &Mesh) -> Vec<LintProblem> {
    let mut problems = Vec::new();
    let mut reported = BTreeSet::new();
    for route in routes(mesh) {
        let pair = (route.from.index, route.to.index);
        if reported.insert(pair) {
            trust_domain(&route, &mut problems);
        }
        if reported.insert((route.to.index, route.to.index)) {
            router_mode(route.to, &mut problems);
            stock_filter(route.to, &mut problems);
        }
        if !route.by_registry() && reported.insert((usize::MAX, route.from.index)) {
            dns(mesh, route.from, &mut problems);
        }
    }
    callers::notes(mesh, &mut problems);
    ignored(mesh, &mut problems);
    visible(mesh, &mut problems);
    problems.sort_by(LintProblem::order);
    problems
}

fn note(
    code: &'static str,
    cluster: &MeshCluster,
    message: String,
    source: &'static str,
    remedy: LintRemedy,
) -> LintProblem {
    let (severity, cluster) = (LintSeverity::Note, cluster.name.clone());
    let (resource, host) = (String::new(), None);
    LintProblem { code, severity, cluster, resource, host, message, source, remedy }
}

/// Calls between trust domains need the serving side's consent.
fn trust_domain(route: &Route<'_>, problems: &mut Vec<LintProblem>) {
    let (from, to) = (&route.from.trust_domain, &route.to.trust_domain);
    if from == to {
        return;
    }
    let trust_domain = String::from(from.as_str());
    let remedy = if rewrites(route.to.version) {
        LintRemedy::SkipTrustDomainValidation
    } else if route.to.version < Version::new(1, 18, 0) {
        LintRemedy::AddTrustDomainAlias { trust_domain }
    } else {
        LintRemedy::AddTrustDomain { trust_domain }
    };
    problems.push(note(
        "lint/trust-domain",
        route.to,
        format!(
            "it is called from `{}` in trust domain {from}, but its own is {to}",
            route.from.name
        ),
        "istio pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation",
        remedy,
    ));
}

/// Before 1.11 a gateway has clusters for its SNIs only in this mode.
fn router_mode(to: &MeshCluster, problems: &mut Vec<LintProblem>) {
    if !rewrites(to.version) && to.version < Version::new(1, 11, 0) {
        problems.push(note(
            "lint/router-mode",
            to,
            format!("gateways of Istio {} forward calls only with ISTIO_META_ROUTER_MODE=sni-dnat", to.version),
            "istio 1.10 pilot/pkg/networking/core/v1alpha3/cluster.go: buildOutboundSniDnatClusters",
            LintRemedy::SetRouterMode,
        ));
    }
}

/// The chart's EnvoyFilter runs before the rendered one and turns every `.global` name into a local one.
fn stock_filter(to: &MeshCluster, problems: &mut Vec<LintProblem>) {
    if rewrites(to.version) && to.stock_multi_cluster {
        problems.push(LintProblem {
            severity: LintSeverity::Warning,
            ..note(
                "lint/stock-filter",
                to,
                "it was installed with multiCluster.enabled, whose EnvoyFilter rewrites names before the rendered one can".into(),
                "istio 1.6.4 manifests/charts/gateways/istio-ingress/templates/preconfigured.yaml",
                LintRemedy::DeleteStockFilter,
            )
        });
    }
}

fn dns(mesh: &Mesh, from: &MeshCluster, problems: &mut Vec<LintProblem>) {
    let suffix = &mesh.suffix;
    let remedy = match from.dns {
        DnsWay::Proxy => LintRemedy::EnableDnsProxy,
        DnsWay::IstioCoredns | DnsWay::Hosts => LintRemedy::EditCorefile,
        DnsWay::None => return,
    };
    problems.push(note(
        "lint/dns",
        from,
        format!("names ending in .{suffix} resolve only if its DNS answers for them; calls through a policy for a local name do not need that"),
        "istio pkg/dns; istio 1.6 doc, replicated control planes",
        remedy,
    ));
}

/// Timeouts, retries and mirrors apply to requests, not to a stream of bytes.
fn ignored(mesh: &Mesh, problems: &mut Vec<LintProblem>) {
    for policy in mesh.policies() {
        let has = policy.timeout.is_some() || policy.retries.is_some() || policy.mirror.is_some();
        let services = mesh.services_named(&policy.namespace, &policy.service);
        let port = services.iter().flat_map(|s| &s.ports).find(|port| !port.protocol.is_http());
        let (Some(port), Some(client)) = (port.filter(|_| has), mesh.clients(policy).next()) else {
            continue;
        };
        problems.push(LintProblem {
            severity: LintSeverity::Warning,
            ..note(
                "lint/setting-ignored",
                client,
                format!(
                    "policy `{}` has a timeout, retries or a mirror, which do not apply to port `{}` ({})",
                    policy.name,
                    port.name,
                    port.protocol.as_str()
                ),
                "istio networking/v1alpha3/virtual_service.proto: TCPRoute, TLSRoute",
                LintRemedy::HttpPortsOnly,
            )
        });
    }
}

/// With remote secrets, every istiod knows every service, whatever the spec says.
fn visible(mesh: &Mesh, problems: &mut Vec<LintProblem>) {
    let shared: Vec<&MeshCluster> =
        mesh.clusters().iter().filter(|cluster| cluster.remote_secrets).collect();
    for service in mesh.services() {
        let home = mesh.home(service);
        let sees = |cluster: &&&MeshCluster| {
            cluster.index != home.index && !service.importers.contains(&cluster.index)
        };
        let Some(other) =
            shared.iter().find(sees).filter(|_| home.remote_secrets && shared.len() > 1)
        else {
            continue;
        };
        let also = mesh.service_on(other, &service.namespace, &service.name).is_some();
        if also && !routes_to(mesh, other, service) {
            problems.push(note(
                "lint/visible",
                other,
                format!("`{}` on `{}` is not imported, but with remote secrets its endpoints are called too", service.key(), home.name),
                "istio pilot/pkg/serviceregistry/aggregate",
                LintRemedy::ChooseRoute,
            ));
        }
    }
}

/// Whether a policy of the cluster says where calls of the service go.
fn routes_to(mesh: &Mesh, cluster: &MeshCluster, service: &crate::mesh::Service) -> bool {
    let policy = mesh.policy(cluster, &service.namespace, &service.name);
    policy.is_some_and(|policy| !matches!(policy.target, crate::mesh::PolicyTarget::Unchanged))
}
