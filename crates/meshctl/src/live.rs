//! Clusters as they run, for the commands that only look: found, judged, and the next command for each.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::OlderPod;
use meshapply::proof::PodProof;
use meshapply::state::certs;
use meshpki::istiod::{
    Given, LiveCluster, LiveIstiod, Problem, Secret, Served, Settings, Start, Version, check_live,
    starts,
};
use meshpki::{Cert, Time};

use crate::args::Clusters;
use crate::clusters::{Seen, Target, Way, look_at, place as place_of, targets};
use crate::place::Source;
use crate::report::Failure;
use crate::show::word;
use crate::{Io, place};

mod pending;

pub(crate) use pending::{absent, error, unfinished};

/// What was found in a cluster: what is decided by, and what istiod serves.
pub(crate) struct Found {
    pub(crate) seen: Seen,
    pub(crate) served: Vec<PodProof>,
    /// Gateway pods from before a change of the roots; or why they could not be looked at.
    pub(crate) older: Result<Vec<OlderPod>, Error>,
}

/// The clusters of a command that only looks, each another one, and what was found in each.
///
/// # Errors
/// `apply/kubeconfig`, `apply/credentials`, `ctl/insecure-server`, `ctl/wrong-cluster`; what else goes wrong is in what was found.
pub(crate) async fn asked(
    args: &Clusters,
    force: &[String],
    io: &mut Io<'_>,
) -> Result<(Vec<Target>, Vec<Result<Found, Error>>), Failure> {
    let way = Way::new(args.kubeconfig.as_deref(), force);
    let targets = targets(args, way, false, io).await?;
    let (found, twins) = tokio::join!(find(&targets), place::refuse_known_twins(&targets));
    twins?;
    Ok((targets, found))
}

/// The folders that are not for the cluster their context reaches, by their names, as far as clusters answered.
pub(crate) fn misplaced(
    targets: &[Target],
    found: &[Result<Found, Error>],
    folders: &BTreeMap<String, Secret>,
) -> Vec<(String, Failure)> {
    let mut others = folders.clone();
    let own: Vec<_> = targets.iter().map(|target| others.remove(&target.name)).collect();
    let aims = targets.iter().zip(found).zip(&own);
    // A cluster without a folder is not about to get anything.
    let aims = aims.filter_map(|((target, found), own)| {
        Some((target, &found.as_ref().ok()?.seen, Some(own.as_ref()?)))
    });
    place::misplaced(&aims.collect::<Vec<_>>(), Source::Folders { others: &others })
}

impl Found {
    /// Whether everything in it answered.
    pub(crate) fn is_whole(&self) -> bool {
        self.older.is_ok() && self.served.iter().all(|pod| pod.served.is_ok())
    }
}

/// Looks at every cluster at the same time. One that cannot be asked does not hide the others.
async fn find(targets: &[Target]) -> Vec<Result<Found, Error>> {
    let one = async |target: &Target| {
        let older = async { Ok(target.kube.older_pods().await) };
        let (seen, served, older) = tokio::try_join!(look_at(target), target.kube.served(), older)?;
        Ok(Found { seen, served, older })
    };
    join_all(targets.iter().map(one)).await
}

/// Everything that could not be asked: clusters, and pods of those that answered.
pub(crate) fn unasked(targets: &[Target], found: &[Result<Found, Error>]) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        match found {
            Err(error) => failures.push(deaf(target, error)),
            Ok(found) => {
                failures.extend(found.older.as_ref().err().map(|error| deaf(target, error)));
                for pod in &found.served {
                    let Err(why) = &pod.served else { continue };
                    let what = format!("pod {} does not say which CA it serves", pod.pod);
                    failures.push(
                        Failure::new("apply/unreachable", what)
                            .within(place_of(target))
                            .because(why),
                    );
                }
            }
        }
    }
    failures
}

/// A cluster that could not be asked.
fn deaf(target: &Target, error: &Error) -> Failure {
    let failure = Failure::from(error).within(place_of(target));
    match error {
        Error::Unreachable { .. } => {
            failure.hint(format!("`{}` asks it too", readyz(&target.context)))
        }
        _ => failure,
    }
}

/// The command that asks a context's API server whether it is there.
pub(crate) fn readyz(context: &str) -> String {
    format!("kubectl --context {} get --raw /readyz", word(Path::new(context)))
}

/// A cluster as [`check_live`] takes it.
pub(crate) fn cluster<'a>(
    target: &'a Target,
    seen: &'a Seen,
    served: &[PodProof],
    wanted: Option<&'a Secret>,
) -> LiveCluster<'a> {
    let given = seen.given.iter().map(|given| Given {
        namespace: given.namespace.clone(),
        roots: given.text.as_ref().map(|text| certs(text.as_bytes())),
    });
    let served =
        served.iter().map(|pod| Served { pod: pod.pod.clone(), chain: pod.served.clone() });
    LiveCluster {
        name: &target.name,
        secret: seen.observed.secret.as_ref().map(|live| &live.files),
        wanted,
        istiods: istiods(seen),
        served: served.collect(),
        given: given.collect(),
        trust_domain: seen.mesh.trust_domain().to_owned(),
        aliases: seen.mesh.aliases.clone(),
        ca_domains: seen.mesh.ca_domains.clone(),
        spec: target.spec.clone(),
    }
}

/// Every revision of istiod.
pub(crate) fn istiods(seen: &Seen) -> Vec<LiveIstiod> {
    let one = |istiod: &meshapply::kube::Istiod| LiveIstiod {
        revision: istiod.revision.clone(),
        settings: istiod.settings.clone(),
        skip_validation: istiod.skip_validation,
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

/// What the istiod that likes it least does with a secret at its start.
pub(crate) fn start(secret: &Secret, settings: &[Settings], at: Time) -> Option<(Version, Start)> {
    let badness = |start: &Start| match start {
        Start::Plugged { .. } => 0,
        Start::RefusesToStart { .. } => 2,
        _ => 1,
    };
    let all = settings.iter().map(|one| (one.version, starts(secret, one, at)));
    all.max_by_key(|(_, start)| badness(start))
}

/// What [`check_live`] says before these secrets are written, without asking istiod what it serves.
///
/// Left out is what a push mends: a CA that is not live, roots that are not given.
pub(crate) fn before_push(
    targets: &[Target],
    seen: &[Seen],
    wanted: &[&Secret],
    at: Time,
) -> Vec<Problem> {
    let all = targets.iter().zip(seen).zip(wanted);
    let clusters: Vec<LiveCluster<'_>> =
        all.map(|((target, seen), wanted)| cluster(target, seen, &[], Some(*wanted))).collect();
    let mut problems = check_live(&clusters, at);
    problems.retain(|p| !matches!(p.code, "istiod/not-live" | "istiod/roots-not-given"));
    problems
}

/// What is wrong where a cluster is another than the spec says.
pub(crate) fn other_than_spec(targets: &[Target], seen: &[Seen], at: Time) -> Vec<Problem> {
    let clusters: Vec<LiveCluster<'_>> =
        targets.iter().zip(seen).map(|(target, seen)| cluster(target, seen, &[], None)).collect();
    let mut problems = check_live(&clusters, at);
    problems.retain(|problem| problem.code == "istiod/spec-differs");
    problems
}

/// A cluster as `--context` takes it.
pub(crate) fn named(name: &str, context: &str) -> String {
    let context = word(Path::new(context));
    if name == context { context } else { format!("{}={context}", word(Path::new(name))) }
}

/// Whether one CA is a later issue of the other, or the same: by the same issuer, of the same name, made no earlier.
pub(crate) fn is_later(one: &Cert, other: &Cert) -> bool {
    let since = |cert: &Cert| cert.not_before().time();
    one.issuer() == other.issuer() && one.subject() == other.subject() && since(one) >= since(other)
}

/// Where a cluster is: what the next command is about.
pub(crate) struct Where<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: Option<&'a Path>,
    pub(crate) context: Option<&'a str>,
    pub(crate) istio_namespace: &'a str,
}

impl Where<'_> {
    /// The next command with this cluster in it. A cluster without a folder has one in a `DIR` to be chosen.
    pub(crate) fn next(&self, problem: &Problem) -> String {
        let made_up = Path::new("DIR").join(self.name);
        let folder = self.folder.unwrap_or(&made_up);
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = folder.file_name().map_or_else(|| Path::new(self.name), Path::new);
        let context = self.context.unwrap_or("CONTEXT");
        problem
            .next
            .replace("<cluster>=<context>", &named(self.name, context))
            .replace("<folder>", &word(folder))
            .replace("<ca>", &word(parent))
            .replace("<cluster>", &word(name))
            .replace("<context>", &word(Path::new(context)))
            .replace("<istio-namespace>", &word(Path::new(self.istio_namespace)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_commands() {
        let first_install = check_live(
            &[LiveCluster {
                name: "east",
                secret: None,
                wanted: None,
                istiods: vec![LiveIstiod {
                    revision: "default".to_owned(),
                    settings: Settings::defaults(Version::NEWEST),
                    skip_validation: false,
                }],
                served: Vec::new(),
                given: Vec::new(),
                trust_domain: "cluster.local".to_owned(),
                aliases: Vec::new(),
                ca_domains: Vec::new(),
                spec: None,
            }],
            Time(1_795_244_400),
        );
        let check = |folder: Option<&str>, context: &str, expect: &str| {
            let folder = folder.map(Path::new);
            let place = Where {
                name: "east",
                folder,
                context: Some(context),
                istio_namespace: "istio-system",
            };
            assert_eq!(place.next(&first_install[0]), expect);
        };
        check(None, "east", "meshctl push DIR --context east --workloads");
        check(Some("my ca/east"), "prod", "meshctl push 'my ca' --context east=prod --workloads");
        check(Some("east"), "a b", "meshctl push . --context east='a b' --workloads");
    }
}
