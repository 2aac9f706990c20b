//! How istiod treats secrets and running clusters, by the settings of each.

use meshapply::proof::PodProof;
use meshpki::istiod::{
    self, ClusterSecret, Dataplane, LiveCluster, LiveIstiod, Secret, SecretProblem, ServedChain,
    Settings, StartOutcome, Version, check_live, starts,
};
use meshpki::{Time, TrustDomain};

use super::clusters::{Seen, Target};
use crate::hints::Problem;

/// A secret to be judged, and what is known of its cluster.
pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) secret: &'a Secret,
    /// Of each istiod.
    pub(crate) settings: Vec<Settings>,
    pub(crate) trust_domain: Option<TrustDomain>,
    pub(crate) ambient: bool,
    /// Names of the clusters that need not be accepted.
    pub(crate) apart: Vec<String>,
}

impl<'a> Case<'a> {
    /// A secret that a cluster has or will get.
    pub(crate) fn live(target: &'a Target, seen: &Seen, secret: &'a Secret) -> Self {
        Self {
            name: &target.name,
            secret,
            settings: settings(seen),
            trust_domain: seen.mesh.trust_domain().parse().ok(),
            ambient: is_ambient(seen),
            apart: target.apart.clone(),
        }
    }
}

/// What [`istiod::check`] says of these secrets, each judged by the settings of its own istiods; what is between
/// clusters is judged by each of them.
pub(crate) fn problems(cases: &[Case<'_>], at: Time) -> Vec<Problem> {
    let all: Vec<ClusterSecret<'_>> = cases
        .iter()
        .map(|case| {
            ClusterSecret::new(case.name, case.secret)
                .with_trust_domain(case.trust_domain.as_ref())
                .with_ambient(case.ambient)
                .with_apart(&case.apart)
        })
        .collect();
    let mut kinds: Vec<&Settings> = cases.iter().flat_map(|case| &case.settings).collect();
    kinds.dedup();
    let mut problems: Vec<Problem> = Vec::new();
    for kind in kinds {
        let concerned = |problem: &SecretProblem| {
            problem.clusters.iter().any(|name| {
                let case = cases.iter().find(|case| case.name == name);
                case.is_some_and(|case| case.settings.contains(kind))
            })
        };
        for problem in istiod::check(&all, kind, at).into_iter().filter(concerned) {
            let is_known = |p: &Problem| {
                p.code == problem.code && p.clusters == problem.clusters && p.file == problem.file
            };
            if !problems.iter().any(is_known) {
                problems.push(problem.into());
            }
        }
    }
    errors_first(&mut problems);
    problems
}

/// What [`check_live`] says of these clusters.
pub(crate) fn live(clusters: &[LiveCluster<'_>], at: Time) -> Vec<Problem> {
    check_live(clusters, at).into_iter().map(Problem::from).collect()
}

/// Errors before warnings, else in the order they were found.
pub(crate) fn errors_first(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
}

/// A cluster as [`check_live`] takes it.
pub(crate) fn cluster<'a>(
    target: &'a Target,
    seen: &'a Seen,
    served: &[PodProof],
    wanted: Option<&'a Secret>,
) -> LiveCluster<'a> {
    let served = served.iter().map(|pod| ServedChain::new(pod.pod.clone(), pod.served.clone()));
    let mut cluster = LiveCluster::new(&target.name);
    cluster.secret = seen.observed.secret.as_ref().map(|live| &live.files);
    cluster.wanted = wanted;
    cluster.istiods = istiods(seen);
    cluster.served = served.collect();
    cluster.given.clone_from(&seen.given);
    seen.mesh.trust_domain().clone_into(&mut cluster.trust_domain);
    cluster.aliases.clone_from(&seen.mesh.aliases);
    cluster.ca_domains.clone_from(&seen.mesh.ca_domains);
    cluster.spec.clone_from(&target.spec);
    cluster.apart.clone_from(&target.apart);
    cluster
}

/// Every revision of istiod.
pub(crate) fn istiods(seen: &Seen) -> Vec<LiveIstiod> {
    let one = |istiod: &meshapply::kube::Istiod| {
        let mut live = LiveIstiod::new(istiod.revision.clone(), istiod.settings.clone());
        live.skip_validation = istiod.skip_validation;
        live
    };
    seen.istiods.iter().map(one).collect()
}

/// The settings of each istiod; without one, those of the newest release known.
pub(crate) fn settings(seen: &Seen) -> Vec<Settings> {
    if seen.istiods.is_empty() {
        return vec![Settings::defaults(Version::NEWEST)];
    }
    seen.istiods.iter().map(|istiod| istiod.settings.clone()).collect()
}

/// Whether ztunnel may run in a cluster.
pub(crate) fn is_ambient(seen: &Seen) -> bool {
    seen.istiods.iter().any(|istiod| istiod.ambient)
}

/// The proxies of a cluster that has this secret.
pub(crate) fn dataplane(seen: &Seen, secret: &Secret) -> Dataplane {
    let release = seen.release();
    Dataplane::new(&secret.roots(release), secret.crl(release), release, is_ambient(seen))
}

/// What the least tolerant istiod does with a secret when it starts.
pub(crate) fn start(
    secret: &Secret,
    settings: &[Settings],
    at: Time,
) -> Option<(Version, StartOutcome)> {
    let badness = |start: &StartOutcome| match start {
        StartOutcome::Plugged { .. } => 0,
        StartOutcome::RefusesToStart { .. } => 2,
        _ => 1,
    };
    let all = settings.iter().map(|one| (one.version, starts(secret, one, at)));
    all.max_by_key(|(_, start)| badness(start))
}

/// What [`check_live`] says before these secrets are written, without asking istiod what it serves.
///
/// Without what a push fixes: a CA that is not live, roots that are not distributed.
pub(crate) fn before_push(
    targets: &[Target],
    seen: &[Seen],
    wanted: &[&Secret],
    at: Time,
) -> Vec<Problem> {
    let all = targets.iter().zip(seen).zip(wanted);
    let clusters: Vec<LiveCluster<'_>> =
        all.map(|((target, seen), wanted)| cluster(target, seen, &[], Some(*wanted))).collect();
    let mut problems = live(&clusters, at);
    problems.retain(|p| !matches!(p.code, "istiod/not-live" | "istiod/roots-not-given"));
    problems
}

/// The differences between clusters and the spec.
pub(crate) fn other_than_spec(targets: &[Target], seen: &[Seen], at: Time) -> Vec<Problem> {
    let clusters: Vec<LiveCluster<'_>> =
        targets.iter().zip(seen).map(|(target, seen)| cluster(target, seen, &[], None)).collect();
    let mut problems = live(&clusters, at);
    problems.retain(|problem| problem.code == "istiod/spec-differs");
    problems
}
