//! How clusters that were asked are: what is wrong with each and between them, and the command to type next. `status`
//! and `report` show it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshpki::Time;
use meshpki::istiod::{LiveCluster, Remedy, Secret, SecretProblem, Severity};

use super::clusters::{Selection, Target, runtime};
use super::facts::{Facts, Folder};
use super::judge::{self, Case, errors_first};
use super::observe::{self, Found, unasked};
use super::pairs::{Pair, Peer, pairs, unexplained};
use super::pending;
use super::problems::State;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::fleet::folders;
use crate::hints::{self, Problem, Step, Typed, Where, readyz};
use crate::io::Io;
use crate::text::word;

/// Clusters that were asked, and the folder that is compared with them.
pub(crate) struct Asked {
    /// The clusters.
    pub(crate) targets: Vec<Target>,
    /// What was found in each.
    pub(crate) found: Vec<Result<Found, meshapply::Error>>,
    /// The options that reach them.
    pub(crate) typed: Typed,
    /// The folder with a folder per cluster.
    dir: Option<PathBuf>,
    /// The set of each cluster in it.
    pub(crate) folders: BTreeMap<String, Secret>,
    /// The sets in it that were replaced.
    kept: Vec<files::Kept>,
    /// The sets that are not for the cluster their context reaches.
    misplaced: Vec<(String, Failure)>,
}

/// How they are at a time.
pub(crate) struct Standing<'a> {
    pub(crate) at: Time,
    typed: &'a Typed,
    dir: Option<&'a Path>,
    pub(crate) clusters: Vec<Cluster<'a>>,
    /// Every pair of clusters, rows in order, each with itself first.
    pub(crate) pairs: Vec<Pair>,
    /// What is wrong, errors first.
    pub(crate) problems: Vec<Problem>,
}

/// A cluster, or why it could not be asked.
pub(crate) struct Cluster<'a> {
    pub(crate) target: &'a Target,
    pub(crate) facts: Result<Facts, Failure>,
    /// Whether everything in it answered.
    pub(crate) is_whole: bool,
}

impl Asked {
    /// Reads the folder and asks the clusters.
    ///
    /// # Errors
    /// Those of folders and of [`observe::asked`].
    pub(crate) fn read(
        dir: Option<&Path>,
        selection: &Selection,
        io: &mut Io<'_>,
    ) -> Result<Self, Failure> {
        let folders = dir.map(folders::secrets).transpose()?.unwrap_or_default();
        let kept = dir.map(files::kept).transpose()?.unwrap_or_default();
        let (targets, found) = runtime()?.block_on(observe::asked(selection, io))?;
        let misplaced = observe::misplaced(&targets, &found, &folders);
        let (dir, typed) = (dir.map(Path::to_path_buf), selection.way.typed.clone());
        Ok(Self { targets, found, typed, dir, folders, kept, misplaced })
    }

    /// What did not answer, and what is not for the cluster that it would go to.
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let misplaced = self.misplaced.iter().map(|(_, failure)| failure.clone());
        unasked(&self.targets, &self.found).into_iter().chain(misplaced).collect()
    }

    /// How the clusters are. `before_install`: Istio is not installed yet, so its absence is a warning.
    pub(crate) fn standing(&self, before_install: bool, at: Time) -> Standing<'_> {
        let dir = self.dir.as_deref();
        let mut clusters = Vec::new();
        for (target, found) in self.targets.iter().zip(&self.found) {
            let facts = match found {
                Ok(found) => {
                    let set = self.folders.get(&target.name).cloned();
                    let folder = dir.map(|dir| (dir, set, &self.kept[..]));
                    Ok(Facts::new(target, found, folder, at))
                }
                Err(error) => Err(Failure::of(error, &target.context, &target.typed)),
            };
            let is_whole = found.as_ref().is_ok_and(Found::is_whole);
            clusters.push(Cluster { target, facts, is_whole });
        }
        let peers: Vec<_> =
            clusters.iter().map(|one| Peer::new(one.target, one.facts.as_ref().ok())).collect();
        let pairs: Vec<_> = pairs(&peers, at).collect();
        let mut problems = self.problems(before_install, at);
        problems.extend(self.misplaced.iter().map(misplaced));
        problems.extend(clusters.iter().flat_map(|cluster| of_facts(cluster, before_install)));
        let distrust = unexplained(&pairs, &problems);
        problems.extend(distrust);
        errors_first(&mut problems);
        Standing { at, typed: &self.typed, dir, pairs, problems, clusters }
    }

    /// What is wrong with the secrets that are there, and with the clusters around them.
    fn problems(&self, before_install: bool, at: Time) -> Vec<Problem> {
        let mut cases: Vec<Case<'_>> = Vec::new();
        let mut live: Vec<LiveCluster<'_>> = Vec::new();
        let answered = || {
            let both = self.targets.iter().zip(&self.found);
            both.filter_map(|(target, found)| Some((target, found.as_ref().ok()?)))
        };
        for (target, found) in answered() {
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
                "istiod/first-install" if before_install => problem.severity = Severity::Warning,
                _ => {}
            }
        }
        for (target, found) in answered() {
            problems.extend(pending::absent(target, found, before_install));
            problems.extend(pending::unfinished(target, found));
        }
        problems
    }
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

impl Standing<'_> {
    /// The exit status, by the same problems as are shown and counted.
    pub(crate) fn exit(&self) -> Exit {
        if self.count(Severity::Error) > 0 {
            Exit::No
        } else if self.clusters.iter().all(|cluster| cluster.is_whole) {
            Exit::Good
        } else {
            Exit::Failed
        }
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The state of one cluster by itself; `None` if part of it could not be read and the rest has no error.
    pub(crate) fn state(&self, cluster: &Cluster<'_>) -> Option<State> {
        let state = State::of_cluster(&cluster.target.name, &self.problems);
        (cluster.is_whole || state == State::Fail).then_some(state)
    }

    /// The next command for a problem. For problems inside a secret it is `meshctl check`, which shows the evidence, unless a
    /// rotation has to continue.
    pub(crate) fn next(&self, problem: &Problem) -> String {
        let is_rotation = problem.step == Some(Step::Remedy(Remedy::FinishRotation));
        let in_secret = problem.code.starts_with("istiod/")
            && !SecretProblem::LIVE_CODES.contains(&problem.code)
            && !is_rotation;
        if problem.code == "ctl/folder-differs" && problem.step.is_none() {
            // It says what a push of the folder would do.
            return self.check(self.dir, self.clusters.iter());
        }
        if in_secret || problem.step.is_none() {
            let concerned =
                |cluster: &&Cluster<'_>| problem.clusters.contains(&cluster.target.name);
            return self.check(None, self.clusters.iter().filter(concerned));
        }
        let named = |name: &String| self.clusters.iter().find(|c| c.target.name == *name);
        let Some(cluster) = problem.clusters.iter().find_map(named) else {
            return Where { typed: self.typed, ..problem.somewhere() }.next(problem);
        };
        let folder: Option<PathBuf> = self.dir.map(|dir| dir.join(&cluster.target.name));
        Where {
            name: &cluster.target.name,
            folder: folder.as_deref(),
            has_root_key: true,
            context: Some(&cluster.target.context),
            istio_namespace: &cluster.target.istio_namespace,
            all: Some(contexts(self.clusters.iter())),
            typed: self.typed,
        }
        .next(problem)
    }

    /// `meshctl check` of these clusters.
    fn check<'s>(
        &self,
        dir: Option<&Path>,
        clusters: impl Iterator<Item = &'s Cluster<'s>>,
    ) -> String {
        let dir = dir.map(|dir| format!("{} ", word(dir))).unwrap_or_default();
        format!("meshctl check {dir}--context {}{}", contexts(clusters), self.typed.meshctl)
    }

    /// The one command to type now; `None`: there is nothing to do.
    pub(crate) fn next_command(&self) -> Option<String> {
        let of = |severity| self.problems.iter().filter(move |p| p.severity == severity);
        let first = of(Severity::Error).min_by_key(|problem| rank(problem));
        let ask = || self.clusters.iter().find_map(ask_again);
        let warning = || of(Severity::Warning).next().map(|problem| self.next(problem));
        first.map(|problem| self.next(problem)).or_else(ask).or_else(warning)
    }
}

/// Clusters as `--context` takes them.
fn contexts<'s>(clusters: impl Iterator<Item = &'s Cluster<'s>>) -> String {
    hints::all_named(clusters.map(|one| (&*one.target.name, &*one.target.context)))
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
    let Target { context, istio_namespace, typed, .. } = cluster.target;
    let kubectl = |rest: &str| Some(hints::kubectl(context, rest, typed));
    match &cluster.facts {
        Ok(_) if cluster.is_whole => None,
        Ok(_) => {
            kubectl(&format!("-n {} get pods -l app=istiod", word(Path::new(istio_namespace))))
        }
        Err(failure) if failure.code() == "apply/forbidden" => kubectl("auth can-i --list"),
        Err(_) => Some(readyz(context, typed)),
    }
}
