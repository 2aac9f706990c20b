//! Trust domains: whose identities the proxies of a cluster accept.

use alloc::string::String;
use alloc::vec::Vec;

use super::{LiveIstiod, View};
use crate::istiod::check::{Remedy, SecretProblem, Severity};

/// A trust domain of another cluster that this one does not accept.
///
/// The side that is called decides (`pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation`; until 1.6
/// istio/proxy `src/envoy/http/authn/authenticator_base.cc`).
pub(super) fn check(server: &View<'_>, all: &[View<'_>]) -> Option<SecretProblem> {
    let live = server.live;
    let refused = |client: &&View<'_>| {
        client.live.trust_domain != live.trust_domain
            && !live.apart.iter().any(|name| name == client.live.name)
            && live.istiods.iter().any(|istiod| !accepts(server, istiod, &client.live.trust_domain))
    };
    let clients: Vec<&View<'_>> = all.iter().filter(refused).collect();
    if clients.is_empty() {
        return None;
    }
    let mut problem = server.problem(
        "istiod/trust-domain",
        Severity::Warning,
        "the cluster does not accept identities from another cluster's trust domain",
    );
    problem.clusters.extend(clients.iter().map(|client| client.live.name.into()));
    for client in &clients {
        problem = problem.evidence(alloc::format!(
            "{} has the trust domain {}",
            client.live.name,
            client.live.trust_domain
        ));
    }
    problem = problem.evidence(accepted(server));
    for istiod in live.istiods.iter().filter(|istiod| ignores_some(server, istiod)) {
        problem = problem.evidence(ignored(istiod));
    }
    let (fix, next) = remedy(server);
    let names: Vec<&str> = clients.iter().map(|client| client.live.name).collect();
    let effect = alloc::format!(
        "calls from {} to {} fail in the handshake or arrive without an identity, even if the chains are valid",
        names.join(" and "),
        live.name
    );
    Some(problem.effect(effect).fix(fix, next))
}

/// Whether proxies of this revision accept an identity of the domain.
fn accepts(server: &View<'_>, istiod: &LiveIstiod, domain: &str) -> bool {
    let version = istiod.settings.version;
    let named = |list: &[String]| list.iter().any(|name| name == domain);
    istiod.skip_validation
        || (!version.wants_equal_trust_domain() && named(&server.live.aliases))
        || (version.accepts_domains_of_cas() && named(&server.live.ca_domains))
}

/// What is accepted, as it is configured.
fn accepted(server: &View<'_>) -> String {
    let live = server.live;
    let list = |names: &[String]| if names.is_empty() { "none".into() } else { names.join(", ") };
    alloc::format!(
        "{} has {}; trustDomainAliases: {}; caCertificates.trustDomains: {}",
        live.name,
        live.trust_domain,
        list(&live.aliases),
        list(&live.ca_domains)
    )
}

/// Whether something is configured that the release does not look at.
fn ignores_some(server: &View<'_>, istiod: &LiveIstiod) -> bool {
    let version = istiod.settings.version;
    (version.wants_equal_trust_domain() && !server.live.aliases.is_empty())
        || (!version.accepts_domains_of_cas() && !server.live.ca_domains.is_empty())
}

fn ignored(istiod: &LiveIstiod) -> String {
    let version = istiod.settings.version;
    if version.wants_equal_trust_domain() {
        return alloc::format!(
            "istiod {version} requires the same trust domain, regardless of these lists"
        );
    }
    alloc::format!("istiod {version} ignores caCertificates.trustDomains")
}

/// What makes this cluster accept them, for its oldest release.
fn remedy(server: &View<'_>) -> (&'static str, Remedy) {
    let oldest = server.live.istiods.iter().map(|istiod| istiod.settings.version).min();
    match oldest {
        Some(version) if version.wants_equal_trust_domain() => (
            "set PILOT_SKIP_VALIDATE_TRUST_DOMAIN=true, or give both clusters the same trust domain",
            Remedy::SkipTrustDomainValidation,
        ),
        Some(version) if !version.accepts_domains_of_cas() => (
            "add it to meshConfig.trustDomainAliases; policies then treat identities from both domains as the same",
            Remedy::EditMeshConfig,
        ),
        _ => (
            "add it to meshConfig.caCertificates[].trustDomains, next to the root; with trustDomainAliases, policies would treat identities from both domains as the same",
            Remedy::EditMeshConfig,
        ),
    }
}
