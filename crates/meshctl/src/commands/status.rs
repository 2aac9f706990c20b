//! `meshctl status`: what each cluster has, serves and trusts, and which clusters reject each other. It writes nothing.

mod json;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshpki::Time;
use meshpki::istiod::{LiveCluster, Secret, SecretProblem, Severity};

use crate::args::{Status, StatusOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::fleet::clusters::{Target, runtime};
use crate::fleet::facts::{Facts, Folder};
use crate::fleet::judge::{self, Case, errors_first};
use crate::fleet::observe::{self, Found, unasked};
use crate::fleet::pairs::{Answer, Pair, pairs};
use crate::fleet::problems::State;
use crate::fleet::{folders, metrics, pending};
use crate::hints::{self, Problem, Step, Where, readyz};
use crate::io::Io;
use crate::text::{json as pretty, word};

/// Everything to report.
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
    /// Whether everything in it answered.
    is_whole: bool,
}

/// Runs the command.
pub(super) fn run(args: &Status, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut folders = args.dir.as_deref().map(folders::secrets).transpose()?.unwrap_or_default();
    let kept = args.dir.as_deref().map(files::kept).transpose()?.unwrap_or_default();
    let selection = args.clusters.resolved(&args.force)?;
    let (targets, found) = runtime()?.block_on(observe::asked(&selection, io))?;
    let misplaced = observe::misplaced(&targets, &found, &folders);
    let on_disk = OnDisk { folders: &mut folders, kept: &kept, misplaced: &misplaced };
    let report = report(args, &targets, &found, on_disk, args.at.unwrap_or(io.now));
    let text = match args.output {
        StatusOutput::Text => text::write(&report),
        StatusOutput::Json => pretty(&json::write(&report)),
        StatusOutput::Prometheus => prometheus(&report, &found),
    };
    io.print(&text)?;
    let failures = unasked(&targets, &found);
    for failure in failures.iter().chain(misplaced.iter().map(|(_, failure)| failure)) {
        io.fail(failure);
    }
    Ok(report.exit())
}

/// The metrics of this look; the CRLs are those of the secrets that istiod uses.
fn prometheus(report: &Report<'_>, found: &[Result<Found, meshapply::Error>]) -> String {
    let both = report.clusters.iter().zip(found);
    let members = both.map(|(cluster, found)| {
        let facts = cluster.facts.as_ref().ok();
        let seen = found.as_ref().ok().map(|found| &found.seen);
        let secret = seen.and_then(|seen| seen.observed.secret.as_ref());
        let secret = secret.filter(|_| facts.is_some_and(|facts| facts.is_plugged));
        let crl = seen.zip(secret).and_then(|(seen, live)| live.files.crl(seen.release()));
        metrics::Member {
            name: cluster.target.name.clone(),
            facts,
            crls: metrics::Crls::new(crl.into_iter(), facts),
            is_up: facts.is_some(),
            looked: facts.map(|_| report.at),
        }
    });
    metrics::text(&members.collect::<Vec<_>>(), &report.pairs)
}

/// What is in the folder: a set for each cluster, those that were replaced, and what is wrong with where they go.
struct OnDisk<'a> {
    folders: &'a mut BTreeMap<String, Secret>,
    kept: &'a [files::Kept],
    /// The sets that are not for the cluster their context reaches.
    misplaced: &'a [(String, Failure)],
}

fn report<'a>(
    args: &'a Status,
    targets: &'a [Target],
    found: &[Result<Found, meshapply::Error>],
    on_disk: OnDisk<'_>,
    at: Time,
) -> Report<'a> {
    let mut clusters = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        let facts = match found {
            Ok(found) => {
                let set = on_disk.folders.remove(&target.name);
                let folder = args.dir.as_deref().map(|dir| (dir, set, on_disk.kept));
                Ok(Facts::new(target, found, folder, at))
            }
            Err(error) => Err(Failure::from(error)),
        };
        let is_whole = found.as_ref().is_ok_and(Found::is_whole);
        clusters.push(Cluster { target, facts, is_whole });
    }
    let members: Vec<_> =
        clusters.iter().map(|one| (one.target, one.facts.as_ref().ok())).collect();
    let pairs: Vec<_> = pairs(&members, at).collect();
    let mut problems = problems(args, targets, found, at);
    problems.extend(on_disk.misplaced.iter().map(misplaced));
    problems.extend(clusters.iter().flat_map(|cluster| of_facts(cluster, args.before_install)));
    let distrust = distrust(&pairs, &problems);
    problems.extend(distrust);
    errors_first(&mut problems);
    Report { at, dir: args.dir.as_deref(), pairs, problems, clusters }
}

/// What is wrong with the secrets that are there, and with the clusters around them.
fn problems(
    args: &Status,
    targets: &[Target],
    found: &[Result<Found, meshapply::Error>],
    at: Time,
) -> Vec<Problem> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    let mut live: Vec<LiveCluster<'_>> = Vec::new();
    for (target, found) in targets.iter().zip(found) {
        let Ok(found) = found else { continue };
        if let Some(secret) = &found.seen.observed.secret {
            cases.push(Case::live(target, &found.seen, &secret.files));
        }
        live.push(judge::cluster(target, &found.seen, &found.served, None));
    }
    let mut problems = judge::problems(&cases, at);
    problems.extend(judge::live(&live, at));
    for problem in &mut problems {
        match problem.code {
            // Clusters that differ are what is asked about.
            "istiod/root-bundles-differ" => problem.severity = Severity::Error,
            "istiod/first-install" if args.before_install => problem.severity = Severity::Warning,
            _ => {}
        }
    }
    for (target, found) in targets.iter().zip(found) {
        let Ok(found) = found else { continue };
        problems.extend(pending::absent(target, found, args.before_install));
        problems.extend(pending::unfinished(target, found));
    }
    problems
}

/// A folder that is not for the cluster its context reaches, as a problem.
fn misplaced((name, failure): &(String, Failure)) -> Problem {
    let clusters = vec![name.clone()];
    let mut problem = Problem::new(failure.code(), Severity::Error, clusters, failure.sentence());
    problem.step = Some(Step::ListContexts);
    problem
}

/// What the facts of one cluster say against it.
fn of_facts(cluster: &Cluster<'_>, before_install: bool) -> Vec<Problem> {
    let (target, Ok(facts)) = (cluster.target, &cluster.facts) else { return Vec::new() };
    let mut problems = Vec::new();
    if let Some(Folder::Differs { path, what, is_later }) = &facts.folder {
        let message = format!("{} differs from the cluster: {}", path.display(), what.join(", "));
        let mut problem = pending::error(target, "ctl/folder-differs", message);
        if before_install && !facts.has_secret {
            problem.severity = Severity::Warning;
        }
        if *is_later {
            problem.step = Some(Step::Push { before_install: false });
        }
        problems.push(problem);
    }
    if let Some(kept) = facts.kept.as_ref().filter(|kept| !kept.unused_keys.is_empty()) {
        let message = format!(
            "the kept secret contains {}, which no rollback uses",
            kept.unused_keys.join(", ")
        );
        let mut problem = pending::error(target, "ctl/kept-key", message);
        problem.severity = Severity::Warning;
        problem.step = Some(Step::Forget);
        problems.push(problem);
    }
    problems
}

/// Pairs that refuse each other although no error about either cluster says why.
fn distrust(pairs: &[Pair], problems: &[Problem]) -> Vec<Problem> {
    let is_explained = |pair: &&Pair| {
        problems.iter().filter(|problem| problem.severity == Severity::Error).any(|problem| {
            problem.clusters.contains(&pair.truster) || problem.clusters.contains(&pair.signer)
        })
    };
    let refuses = |pair: &&Pair| pair.is_needed && matches!(pair.answer, Answer::No(_));
    let unexplained = pairs.iter().filter(refuses).filter(|pair| !is_explained(pair));
    unexplained.map(Pair::problem).collect()
}

impl Report<'_> {
    /// The exit status, by the same problems as are shown and counted.
    fn exit(&self) -> Exit {
        if self.count(Severity::Error) > 0 {
            Exit::No
        } else if self.clusters.iter().all(|cluster| cluster.is_whole) {
            Exit::Good
        } else {
            Exit::Failed
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The state of one cluster by itself; `None` if part of it could not be read and the rest has no error.
    fn state(&self, cluster: &Cluster<'_>) -> Option<State> {
        let name = &cluster.target.name;
        let own = self.problems.iter().filter(|p| p.clusters.as_slice() == [name.clone()]);
        let state = State::of(own);
        (cluster.is_whole || state == State::Fail).then_some(state)
    }

    /// The next command for a problem. For problems inside a secret it is `meshctl check`, which shows the evidence.
    fn next(&self, problem: &Problem) -> String {
        let in_secret = problem.code.starts_with("istiod/")
            && !SecretProblem::LIVE_CODES.contains(&problem.code);
        if problem.code == "ctl/folder-differs" && problem.step.is_none() {
            // It says what a push of the folder would do.
            return check_command(self.dir, self.clusters.iter());
        }
        if in_secret || problem.step.is_none() {
            let concerned =
                |cluster: &&Cluster<'_>| problem.clusters.contains(&cluster.target.name);
            return check_command(None, self.clusters.iter().filter(concerned));
        }
        let named = |name: &String| self.clusters.iter().find(|c| c.target.name == *name);
        let Some(cluster) = problem.clusters.iter().find_map(named) else {
            return problem.somewhere().next(problem);
        };
        let folder: Option<PathBuf> = self.dir.map(|dir| dir.join(&cluster.target.name));
        Where {
            name: &cluster.target.name,
            folder: folder.as_deref(),
            has_root_key: true,
            context: Some(&cluster.target.context),
            istio_namespace: &cluster.target.istio_namespace,
        }
        .next(problem)
    }

    /// The one command to type now; `None`: there is nothing to do.
    fn next_command(&self) -> Option<String> {
        let of = |severity| self.problems.iter().filter(move |p| p.severity == severity);
        let first = of(Severity::Error).min_by_key(|problem| rank(problem));
        let ask = || self.clusters.iter().find_map(ask_again);
        let warning = || of(Severity::Warning).next().map(|problem| self.next(problem));
        first.map(|problem| self.next(problem)).or_else(ask).or_else(warning)
    }
}

/// Which error to fix first: until then the others cannot be told from its consequences.
fn rank(problem: &Problem) -> u8 {
    match problem.code {
        "ctl/wrong-cluster" | "apply/no-istiod" | "apply/no-replicas" | "apply/stuck" => 0,
        // A push that continues also restarts what is not live.
        "apply/unfinished" if matches!(problem.step, Some(Step::Push { .. })) => 1,
        "istiod/not-live" | "istiod/first-install" => 2,
        "ctl/folder-differs" => 3,
        _ => 4,
    }
}

/// What to do about a cluster that could not be asked.
fn ask_again(cluster: &Cluster<'_>) -> Option<String> {
    let context = word(Path::new(&cluster.target.context));
    match &cluster.facts {
        Ok(_) if cluster.is_whole => None,
        Ok(_) => {
            let namespace = word(Path::new(&cluster.target.istio_namespace));
            Some(format!("kubectl --context {context} -n {namespace} get pods -l app=istiod"))
        }
        Err(failure) if failure.code() == "apply/forbidden" => {
            Some(format!("kubectl --context {context} auth can-i --list"))
        }
        Err(_) => Some(readyz(&cluster.target.context)),
    }
}

/// `meshctl check` of these clusters.
fn check_command<'a, 't: 'a>(
    dir: Option<&Path>,
    clusters: impl Iterator<Item = &'a Cluster<'t>>,
) -> String {
    let dir = dir.map(|dir| format!("{} ", word(dir))).unwrap_or_default();
    let names: Vec<String> =
        clusters.map(|c| hints::named(&c.target.name, &c.target.context)).collect();
    format!("meshctl check {dir}--context {}", names.join(","))
}
