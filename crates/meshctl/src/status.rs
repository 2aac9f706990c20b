//! `meshctl status`: what each cluster has, serves and trusts, and who would not accept whom. It writes nothing.

mod facts;
mod json;
mod text;
mod trust;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshpki::Time;
use meshpki::istiod::{LiveCluster, Problem, Secret, Settings, Severity, check_live};

use crate::args::{Output, Status};
use crate::clusters::{Target, Way, runtime, targets};
use crate::live::{self, Found, Where, find, unasked};
use crate::report::Failure;
use crate::{Exit, Io, check, show};

use facts::{Facts, Folder};
use trust::{Answer, Pair};

/// Everything to be told.
struct Report<'a> {
    at: Time,
    dir: Option<&'a Path>,
    clusters: Vec<Cluster<'a>>,
    /// Every pair of clusters, rows in order, each with itself first.
    pairs: Vec<Pair>,
    problems: Vec<Problem>,
}

/// A cluster, or why it could not be asked.
struct Cluster<'a> {
    target: &'a Target,
    facts: Result<Facts, Failure>,
}

/// How a cluster stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
    Unknown,
}

/// Runs the command.
pub fn run(args: &Status, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut folders = args.dir.as_deref().map(check::secrets).transpose()?.unwrap_or_default();
    let way = Way::new(args.clusters.kubeconfig.as_deref(), &args.force);
    let (targets, found) = runtime()?.block_on(async {
        let targets = targets(&args.clusters, way, false, io).await?;
        let found = find(&targets).await;
        Ok::<_, Failure>((targets, found))
    })?;
    let report = report(args, &targets, &found, &mut folders, args.at.unwrap_or(io.now));
    let text = match args.output {
        Output::Text => text::write(&report),
        Output::Json => show::json(&json::write(&report)),
    };
    show::output(&text, io)?;
    let failures = unasked(&targets, &found);
    for failure in &failures {
        // A standard error that is gone cannot be told anything; the exit status says it too.
        let _ = io.err.write_all(failure.text().as_bytes());
    }
    Ok(match report.is_good() {
        false => Exit::No,
        true if !failures.is_empty() => Exit::Failed,
        true => Exit::Good,
    })
}

fn report<'a>(
    args: &'a Status,
    targets: &'a [Target],
    found: &[Result<Found, meshapply::Error>],
    folders: &mut BTreeMap<String, Secret>,
    at: Time,
) -> Report<'a> {
    let mut clusters = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        let facts = match found {
            Ok(found) => {
                let folder = args.dir.as_deref().map(|dir| (dir, folders.remove(&target.name)));
                Ok(Facts::new(target, found, folder, at))
            }
            Err(error) => Err(Failure::from(error)),
        };
        clusters.push(Cluster { target, facts });
    }
    Report {
        at,
        dir: args.dir.as_deref(),
        pairs: trust::pairs(&clusters, at),
        problems: problems(targets, found, at),
        clusters,
    }
}

/// What is wrong with the secrets that are there, and with the clusters around them.
fn problems(
    targets: &[Target],
    found: &[Result<Found, meshapply::Error>],
    at: Time,
) -> Vec<Problem> {
    let mut sets: Vec<(&str, &Secret)> = Vec::new();
    let mut judges: Vec<Vec<Settings>> = Vec::new();
    let mut live: Vec<LiveCluster<'_>> = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        let Ok(found) = found else { continue };
        if let Some(secret) = &found.seen.observed.secret {
            sets.push((&target.name, &secret.files));
            judges.push(live::settings(&found.seen));
        }
        live.push(live::cluster(target, &found.seen, &found.served, None));
    }
    let mut problems = check::problems(&sets, &judges, at);
    problems.extend(check_live(&live, at));
    check::errors_first(&mut problems);
    problems
}

impl Report<'_> {
    /// Whether nothing differs, is refused, has expired, is not live or waits for a restart.
    fn is_good(&self) -> bool {
        let differ = |problem: &Problem| {
            problem.severity == Severity::Error || problem.code == "istiod/root-bundles-differ"
        };
        let waits = |facts: &Facts| facts.differs() || !facts.pending.is_empty();
        !self.problems.iter().any(differ)
            && !self.pairs.iter().any(|pair| matches!(pair.answer, Answer::No(_)))
            && !self.asked().any(|(_, facts)| waits(facts))
    }

    /// The clusters that answered.
    fn asked(&self) -> impl Iterator<Item = (&Target, &Facts)> {
        self.clusters.iter().filter_map(|c| Some((c.target, c.facts.as_ref().ok()?)))
    }

    /// How one cluster stands by itself.
    fn state(&self, cluster: &Cluster<'_>) -> State {
        let Ok(facts) = &cluster.facts else { return State::Unknown };
        let name = &cluster.target.name;
        let own = self.problems.iter().filter(|p| p.clusters.as_slice() == [name.clone()]);
        let worst = own.map(|problem| problem.severity).max();
        let distrusts_itself = self.pairs.iter().any(|pair| {
            pair.truster == *name && pair.signer == *name && matches!(pair.answer, Answer::No(_))
        });
        match worst {
            Some(Severity::Error) => State::Fail,
            _ if distrusts_itself || facts.differs() || !facts.pending.is_empty() => State::Fail,
            Some(Severity::Warning) => State::Warn,
            None => State::Ok,
        }
    }

    /// The next command for a problem. What is wrong inside a secret `meshctl check` tells with its evidence.
    fn next(&self, problem: &Problem) -> String {
        let concerned = |cluster: &&Cluster<'_>| problem.clusters.contains(&cluster.target.name);
        if !Problem::LIVE_CODES.contains(&problem.code) {
            return check_command(None, self.clusters.iter().filter(concerned));
        }
        let named = |name: &String| self.clusters.iter().find(|c| c.target.name == *name);
        let Some(cluster) = problem.clusters.iter().find_map(named) else {
            return problem.next.clone();
        };
        let folder: Option<PathBuf> = self.dir.map(|dir| dir.join(&cluster.target.name));
        Where {
            name: &cluster.target.name,
            folder: folder.as_deref(),
            context: Some(&cluster.target.context),
            istio_namespace: &cluster.target.istio_namespace,
        }
        .next(problem)
    }

    /// The one command to type now; `None`: nothing is to be done.
    fn next_command(&self) -> Option<String> {
        let first = |severity| self.problems.iter().find(|p| p.severity == severity);
        // What is not live is mended first: until then the rest cannot be told from it.
        let stale = self.problems.iter().find(|p| p.code == "istiod/not-live");
        if let Some(problem) = stale {
            return Some(self.next(problem));
        }
        if self.asked().any(|(_, facts)| facts.differs()) {
            // It says what a push of the folder would do.
            return Some(check_command(self.dir, self.clusters.iter()));
        }
        if let Some(problem) = first(Severity::Error) {
            return Some(self.next(problem));
        }
        if let Some((target, facts)) = self.asked().find(|(_, facts)| !facts.pending.is_empty()) {
            return Some(self.go_on(target, facts));
        }
        if let Some(next) = self.clusters.iter().find_map(ask_again) {
            return Some(next);
        }
        first(Severity::Warning).map(|problem| self.next(problem))
    }

    /// A push of the same goes on where one was interrupted; pods from before are restarted by name.
    fn go_on(&self, target: &Target, facts: &Facts) -> String {
        let context = show::word(Path::new(&target.context));
        if let Some(id) = facts.older.first() {
            let namespace = show::word(Path::new(&id.namespace));
            return format!("kubectl --context {context} -n {namespace} rollout restart {id}");
        }
        match (self.dir, &facts.folder) {
            (Some(dir), Some(Folder::Same(_))) => format!(
                "meshctl push {} --context {}",
                show::word(dir),
                live::named(&target.name, &target.context)
            ),
            _ => {
                let namespace = show::word(Path::new(&target.istio_namespace));
                format!("kubectl --context {context} -n {namespace} get pods")
            }
        }
    }
}

/// What is to be done about a cluster that could not be asked.
fn ask_again(cluster: &Cluster<'_>) -> Option<String> {
    let failure = cluster.facts.as_ref().err()?;
    let context = show::word(Path::new(&cluster.target.context));
    Some(match failure.code() {
        "apply/forbidden" => format!("kubectl --context {context} auth can-i --list"),
        _ => live::readyz(cluster.target),
    })
}

/// `meshctl check` of these clusters.
fn check_command<'a, 't: 'a>(
    dir: Option<&Path>,
    clusters: impl Iterator<Item = &'a Cluster<'t>>,
) -> String {
    let dir = dir.map(|dir| format!("{} ", show::word(dir))).unwrap_or_default();
    let names: Vec<String> =
        clusters.map(|c| live::named(&c.target.name, &c.target.context)).collect();
    format!("meshctl check {dir}--context {}", names.join(","))
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}
