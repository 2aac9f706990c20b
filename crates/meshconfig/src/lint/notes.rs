//! What a mesh needs besides its resources, and what its policies cannot do.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use meshpki::istiod::Version;

use super::{LintProblem, LintRemedy, LintSeverity, callers};
use crate::dialect::rewrites;
use crate::mesh::{Mesh, MeshCluster, PolicyTarget};
use crate::route::{self, routes};
use crate::spec::DnsWay;
use crate::text::some;

/// Names that a note has; others are counted.
const NAMED_MAX: usize = 3;

/// What to do besides applying the resources, and settings that have no effect.
#[must_use]
pub fn notes(mesh: &Mesh) -> Vec<LintProblem> {
    let mut problems = Vec::new();
    let mut called: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut callers_by_name = BTreeSet::new();
    for route in routes(mesh) {
        called.entry(route.to.index).or_default().insert(route.from.index);
        if !route.by_registry() {
            callers_by_name.insert(route.from.index);
        }
    }
    let clusters = mesh.clusters();
    for (to, from) in called {
        trust_domains(&clusters[to], from.iter().map(|i| &clusters[*i]), &mut problems);
        router_mode(&clusters[to], &mut problems);
        stock_filter(&clusters[to], &mut problems);
    }
    callers_by_name.into_iter().for_each(|from| dns(mesh, &clusters[from], &mut problems));
    callers::notes(mesh, &mut problems);
    ignored(mesh, &mut problems);
    tls_routes(mesh, &mut problems);
    visible(mesh, &mut problems);
    left_out(mesh, &mut problems);
    problems.sort_by(LintProblem::order);
    once(problems)
}

/// The same note of several clusters becomes one, for the first of them.
fn once(problems: Vec<LintProblem>) -> Vec<LintProblem> {
    let mut merged: Vec<(LintProblem, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for problem in problems {
        let key = (problem.code, problem.message.clone());
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            Some((known, others)) if known.remedy == problem.remedy => {
                others.push(problem.cluster);
            }
            _ => merged.push((problem, Vec::new())),
        }
    }
    let one = |(mut problem, others): (LintProblem, Vec<String>)| {
        if !others.is_empty() {
            let _ = write!(problem.message, " (the same in {})", some(&others, NAMED_MAX));
        }
        problem
    };
    merged.into_iter().map(one).collect()
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

/// Calls from other trust domains need the serving side's consent.
fn trust_domains<'m>(
    to: &MeshCluster,
    from: impl Iterator<Item = &'m MeshCluster>,
    problems: &mut Vec<LintProblem>,
) {
    let mut foreign: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for from in from.filter(|from| from.trust_domain != to.trust_domain) {
        foreign.entry(from.trust_domain.as_str().into()).or_default().push(&from.name);
    }
    if foreign.is_empty() {
        return;
    }
    let callers: Vec<String> = foreign
        .iter()
        .map(|(domain, names)| format!("`{}` in trust domain {domain}", some(names, NAMED_MAX)))
        .collect();
    let trust_domains = foreign.into_keys().collect();
    let remedy = if rewrites(to.version) {
        LintRemedy::SkipTrustDomainValidation
    } else if to.version < Version::new(1, 18, 0) {
        LintRemedy::AddTrustDomainAliases { trust_domains }
    } else {
        LintRemedy::AddTrustDomains { trust_domains }
    };
    problems.push(note(
        "lint/trust-domain",
        to,
        format!(
            "it is called from {}, but its own is {}",
            some(&callers, NAMED_MAX),
            to.trust_domain
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

/// A route for a TLS port is chosen by the SNI of the client, which must be the name of the service: there is no other way
/// to say it in a VirtualService, and without a matching chain the proxy closes the connection.
fn tls_routes(mesh: &Mesh, problems: &mut Vec<LintProblem>) {
    for policy in mesh.policies() {
        let services = mesh.services_named(&policy.namespace, &policy.service);
        let port = services.iter().flat_map(|s| &s.ports).find(|port| port.protocol.is_tls());
        let leads = policy.target != PolicyTarget::Unchanged;
        let (Some(port), Some(client)) = (port.filter(|_| leads), mesh.clients(policy).next())
        else {
            continue;
        };
        problems.push(note(
            "lint/tls-sni",
            client,
            format!(
                "policy `{}` leads connections to port `{}` ({}) only if the client sends the name of the service as SNI, such as `{}`; proxies close others",
                policy.name,
                port.name,
                port.protocol.as_str(),
                client.host(&policy.namespace, &policy.service)
            ),
            "istio pilot/pkg/networking/core/tls.go: buildSidecarOutboundTLSFilterChainOpts",
            LintRemedy::SendServiceName,
        ));
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

/// A failover among pods that istiod knows prefers one cluster; all others come after it, named or not.
fn left_out(mesh: &Mesh, problems: &mut Vec<LintProblem>) {
    for policy in mesh.policies() {
        let PolicyTarget::Failover(order) = &policy.target else { continue };
        let group = mesh.services_named(&policy.namespace, &policy.service);
        for client in mesh.clients(policy) {
            let Some(unit) = route::unit(mesh, client, group) else { continue };
            let others = unit.registry.iter().filter(|service| !order.contains(&service.cluster));
            let others: Vec<&str> =
                others.map(|service| mesh.home(service).name.as_str()).collect();
            if others.is_empty() || !unit.fails_over_by_registry(order) {
                continue;
            }
            problems.push(note(
                "lint/visible",
                client,
                format!(
                    "policy `{}` does not name {}, but istiod knows the pods there from remote secrets and calls them with the last of its order",
                    policy.name,
                    some(&others, NAMED_MAX)
                ),
                "istio pilot/pkg/networking/core/loadbalancer/loadbalancer.go: applyFailoverPriorities",
                LintRemedy::RouteInstead,
            ));
        }
    }
}

/// Whether a policy of the cluster says where calls of the service go.
fn routes_to(mesh: &Mesh, cluster: &MeshCluster, service: &crate::mesh::Service) -> bool {
    let policy = mesh.policy(cluster, &service.namespace, &service.name);
    policy.is_some_and(|policy| policy.target != PolicyTarget::Unchanged)
}
