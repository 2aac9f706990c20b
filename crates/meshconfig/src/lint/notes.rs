//! What a mesh needs outside of its resources, and what its policies cannot do.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use meshpki::istiod::Version;

use super::{Problem, Severity};
use crate::dialect::rewrites;
use crate::mesh::{Cluster, Mesh};
use crate::route::{Route, routes};
use crate::spec::DnsWay;

/// What has to be seen to besides applying the resources, and settings that have no effect.
#[must_use]
pub fn notes(mesh: &Mesh) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut told = BTreeSet::new();
    for route in routes(mesh) {
        let pair = (route.from.index, route.to.index);
        if told.insert(pair) {
            trust_domain(&route, &mut problems);
        }
        if told.insert((route.to.index, route.to.index)) {
            router_mode(route.to, &mut problems);
            stock_filter(route.to, &mut problems);
        }
        if !route.by_registry() && told.insert((usize::MAX, route.from.index)) {
            dns(mesh, route.from, &mut problems);
        }
    }
    ignored(mesh, &mut problems);
    visible(mesh, &mut problems);
    problems.sort_by(Problem::order);
    problems
}

fn note(
    code: &'static str,
    cluster: &Cluster,
    message: String,
    source: &'static str,
    next: String,
) -> Problem {
    let (severity, cluster) = (Severity::Note, cluster.name.clone());
    Problem { code, severity, cluster, resource: String::new(), message, source, next }
}

/// Calls between trust domains need the serving side's consent.
fn trust_domain(route: &Route<'_>, problems: &mut Vec<Problem>) {
    let (from, to) = (&route.from.trust_domain, &route.to.trust_domain);
    if from == to {
        return;
    }
    let next = if rewrites(route.to.version) {
        "set PILOT_SKIP_VALIDATE_TRUST_DOMAIN=true on its istiod: 1.6 knows no other way".into()
    } else if route.to.version < Version::new(1, 18, 0) {
        format!(
            "list {from} in its meshConfig.trustDomainAliases, which makes the identities of both equal"
        )
    } else {
        format!(
            "list {from} in its meshConfig.caCertificates[].trustDomains, or in trustDomainAliases, which merges identities"
        )
    };
    problems.push(note(
        "lint/trust-domain",
        route.to,
        format!("it is called from `{}` of trust domain {from}; its own is {to}", route.from.name),
        "istio pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation",
        next,
    ));
}

/// Before 1.11 a gateway has clusters for its SNIs only in this mode.
fn router_mode(to: &Cluster, problems: &mut Vec<Problem>) {
    if !rewrites(to.version) && to.version < Version::new(1, 11, 0) {
        problems.push(note(
            "lint/router-mode",
            to,
            format!("gateways of Istio {} pass calls on only with ISTIO_META_ROUTER_MODE=sni-dnat", to.version),
            "istio 1.10 pilot/pkg/networking/core/v1alpha3/cluster.go: buildOutboundSniDnatClusters",
            "set it in the gateway's Deployment".into(),
        ));
    }
}

/// The chart's own EnvoyFilter stands before ours and turns every `.global` name into a local one.
fn stock_filter(to: &Cluster, problems: &mut Vec<Problem>) {
    if rewrites(to.version) && to.stock_multi_cluster {
        problems.push(Problem {
            severity: Severity::Warning,
            ..note(
                "lint/stock-filter",
                to,
                "it was installed with multiCluster.enabled, whose EnvoyFilter rewrites names before ours can".into(),
                "istio 1.6.4 manifests/charts/gateways/istio-ingress/templates/preconfigured.yaml",
                "kubectl delete envoyfilter istio-multicluster-ingressgateway -n istio-system".into(),
            )
        });
    }
}

fn dns(mesh: &Mesh, from: &Cluster, problems: &mut Vec<Problem>) {
    let suffix = &mesh.suffix;
    let next = match from.dns {
        DnsWay::Proxy => {
            "set meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE: \"true\"".into()
        }
        DnsWay::IstioCoredns | DnsWay::Hosts => {
            format!(
                "`meshctl mesh apply` edits its Corefile; `meshctl mesh dns --cluster {}` a file",
                from.name
            )
        }
        DnsWay::None => return,
    };
    problems.push(note(
        "lint/dns",
        from,
        format!("names ending in .{suffix} are only found when somebody answers for them; calls by a policy on a local name need no answer"),
        "istio pkg/dns; istio 1.6 doc, replicated control planes",
        next,
    ));
}

/// Timeouts, retries and mirrors are for requests; a stream of bytes has none.
fn ignored(mesh: &Mesh, problems: &mut Vec<Problem>) {
    for policy in mesh.policies() {
        let has = policy.timeout.is_some() || policy.retries.is_some() || policy.mirror.is_some();
        let services = mesh.services_named(&policy.namespace, &policy.service);
        let port = services.iter().flat_map(|s| &s.ports).find(|port| !port.protocol.is_http());
        let (Some(port), Some(client)) = (port.filter(|_| has), mesh.clients(policy).next()) else {
            continue;
        };
        problems.push(Problem {
            severity: Severity::Warning,
            ..note(
                "lint/setting-ignored",
                client,
                format!(
                    "policy `{}` has a timeout, retries or a mirror, which port `{}` ({}) cannot have",
                    policy.name,
                    port.name,
                    port.protocol.as_str()
                ),
                "istio networking/v1alpha3/virtual_service.proto: TCPRoute, TLSRoute",
                "they count for the HTTP ports only".into(),
            )
        });
    }
}

/// With remote secrets every service is seen everywhere, whatever the spec says.
fn visible(mesh: &Mesh, problems: &mut Vec<Problem>) {
    let shared: Vec<&Cluster> =
        mesh.clusters().iter().filter(|cluster| cluster.remote_secrets).collect();
    for service in mesh.services() {
        let home = mesh.home(service);
        let sees = |cluster: &&&Cluster| {
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
                format!("`{}` of `{}` is not imported, but with remote secrets its endpoints are called too", service.key(), home.name),
                "istio pilot/pkg/serviceregistry/aggregate",
                "a policy with a route keeps calls where they should be; or meshConfig.serviceSettings clusterLocal".into(),
            ));
        }
    }
}

/// Whether a policy of the cluster says where calls of the service go.
fn routes_to(mesh: &Mesh, cluster: &Cluster, service: &crate::mesh::Service) -> bool {
    let policy = mesh.policy(cluster, &service.namespace, &service.name);
    policy.is_some_and(|policy| !matches!(policy.target, crate::mesh::Target::Unchanged))
}
