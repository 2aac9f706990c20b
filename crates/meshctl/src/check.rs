//! `meshctl check`: what istiod will do with the files of each cluster, and what is wrong with them.
//!
//! Exit status 2 when there is an error, 1 when something could not be read or asked, else 0.

mod ask;
pub(crate) mod json;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshapply::names::ISTIO_NAMESPACE;
use meshpki::Time;
use meshpki::cacerts::Layout;
use meshpki::istiod::{
    self, ClusterSecret, LiveIstiod, Secret, SecretProblem, Settings, Severity, StartOutcome,
    Version,
};

use crate::args::{Check, Output};
use crate::clusters::{Seen, Target};
use crate::report::Failure;
use crate::{Exit, Io, files, live, show};

/// Files of which one makes a folder a cluster's: a CA's own folder has roots and no other of them.
fn marks() -> impl Iterator<Item = &'static str> {
    let is_roots = |file: &&str| Layout::ALL.iter().any(|layout| layout.roots_file() == *file);
    Layout::all_files().filter(move |file| !is_roots(file))
}

/// A cluster's folder.
struct Folder {
    name: String,
    path: PathBuf,
    secret: Secret,
}

/// Everything to be told.
struct Report {
    /// The settings of clusters that were not asked.
    settings: Settings,
    /// Whether clusters were asked.
    is_live: bool,
    at: Time,
    clusters: Vec<Judged>,
    problems: Vec<SecretProblem>,
}

/// A cluster and what istiod does with it.
struct Judged {
    name: String,
    path: Option<PathBuf>,
    live: Option<Live>,
    /// The release, and what it does.
    start: (Version, StartOutcome),
}

/// A cluster that was asked.
struct Live {
    context: String,
    istio_namespace: String,
    server: String,
    istiods: Vec<LiveIstiod>,
}

/// How a cluster, or what is between clusters, stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

/// Runs the command.
pub fn run(args: &Check, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut folders = Vec::new();
    for dir in &args.dirs {
        crate::ca::warn_exposed(dir, io);
        folders.extend(collect(dir)?);
    }
    tell_apart(&mut folders);
    let at = io.time(args.at)?;
    if args.clusters.is_empty() {
        if args.dirs.is_empty() {
            return Err(Failure::usage("there is nothing to check").hint(
                "a folder, such as `meshctl check ca`, or `--context east=CONTEXT`, or both",
            ));
        }
        return tell(&judge(folders, args, at), args, io);
    }
    ask::run(folders, args, at, io)
}

fn tell(report: &Report, args: &Check, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let text = match args.output {
        Output::Text => text::write(report),
        Output::Json => show::json(&json::write(report)),
    };
    show::output(&text, io)?;
    let failed = report.problems.iter().any(|p| p.severity == Severity::Error);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// The settings folders are judged by.
fn settings(args: &Check) -> Settings {
    let version = args.clusters.istio_version.unwrap_or(Version::NEWEST);
    Settings { multi_root: args.multi_root, ..Settings::defaults(version) }
}

fn judge(folders: Vec<Folder>, args: &Check, at: Time) -> Report {
    let settings = settings(args);
    let secrets: Vec<ClusterSecret<'_>> =
        folders.iter().map(|f| ClusterSecret { name: &f.name, secret: &f.secret }).collect();
    let problems = istiod::check(&secrets, &settings, at);
    let clusters = folders.into_iter().map(|folder| folder.judged(&settings, at)).collect();
    Report { settings, is_live: false, at, clusters, problems }
}

impl Folder {
    /// The folder, by the settings of no cluster.
    fn judged(self, settings: &Settings, at: Time) -> Judged {
        let start = (settings.version, istiod::starts(&self.secret, settings, at));
        Judged { start, name: self.name, path: Some(self.path), live: None }
    }
}

/// The files of every cluster's folder in `dir` by the cluster's name, or of `dir` itself.
pub(crate) fn secrets(dir: &Path) -> Result<BTreeMap<String, Secret>, Failure> {
    Ok(collect(dir)?.into_iter().map(|folder| (folder.name, folder.secret)).collect())
}

/// What [`istiod::check`] says of these secrets, each judged by the settings of its own istiods; what is between
/// clusters is judged by each of them.
pub(crate) fn problems(
    clusters: &[(&str, &Secret)],
    settings: &[Vec<Settings>],
    at: Time,
) -> Vec<SecretProblem> {
    let all: Vec<ClusterSecret<'_>> =
        clusters.iter().map(|(name, secret)| ClusterSecret { name, secret }).collect();
    let mut kinds: Vec<&Settings> = settings.iter().flatten().collect();
    kinds.dedup();
    let mut problems: Vec<SecretProblem> = Vec::new();
    for kind in kinds {
        let concerned = |problem: &SecretProblem| {
            problem.clusters.iter().any(|name| {
                let place = clusters.iter().position(|(cluster, _)| cluster == name);
                place.is_some_and(|i| settings[i].contains(kind))
            })
        };
        for problem in istiod::check(&all, kind, at).into_iter().filter(concerned) {
            let is_known = |p: &SecretProblem| {
                p.code == problem.code && p.clusters == problem.clusters && p.file == problem.file
            };
            if !problems.iter().any(is_known) {
                problems.push(problem);
            }
        }
    }
    errors_first(&mut problems);
    problems
}

/// Errors before warnings, else in the order they were found.
pub(crate) fn errors_first(problems: &mut [SecretProblem]) {
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
}

/// What is wrong with writing these secrets into clusters as they were seen: errors stand against it.
pub(crate) fn live_problems(
    targets: &[Target],
    seen: &[Seen],
    wanted: &[&Secret],
    at: Time,
) -> Vec<SecretProblem> {
    live::before_push(targets, seen, wanted, at)
}

/// A folder in which a renewal was cut off between its steps is not what it seems.
pub(crate) fn refuse_interrupted(dir: &Path) -> Result<(), Failure> {
    let Some(name) = files::interrupted_exchange(dir) else { return Ok(()) };
    let message = format!("an interrupted renewal of `{name}` has not been finished");
    Err(Failure::new("ctl/leftovers", message)
        .in_file(dir)
        .hint(format!("`meshctl ca init {}` finishes it", show::word(dir))))
}

/// The cluster whose folder this is, or those in it.
fn collect(dir: &Path) -> Result<Vec<Folder>, Failure> {
    refuse_interrupted(dir)?;
    let full = dir.canonicalize().map_err(|error| Failure::io("read", dir, &error))?;
    let own = full.file_name().map_or_else(|| "/".to_owned(), |n| n.to_string_lossy().into_owned());
    let mut folders: Vec<Folder> = read(own, dir)?.into_iter().collect();
    for (name, path) in files::folders(dir)? {
        folders.extend(read(name, &path)?);
    }
    if folders.is_empty() {
        return Err(Failure::new(
            "ctl/no-cluster",
            format!("neither `{}` nor a folder in it has the files of a cluster", dir.display()),
        )
        .because(format!(
            "one of {} makes a folder a cluster's",
            marks().collect::<Vec<_>>().join(", ")
        ))
        .hint(format!("`meshctl ca init {} --cluster NAME` makes one", dir.display())));
    }
    Ok(folders)
}

/// The folder, if it looks like a cluster's.
fn read(name: String, path: &Path) -> Result<Option<Folder>, Failure> {
    if !marks().any(|mark| path.join(mark).exists()) {
        return Ok(None);
    }
    let mut secret = Secret::default();
    for (file, mut content) in files::read_all(path)? {
        secret.insert(file, std::mem::take(&mut *content));
    }
    Ok(Some(Folder { name, path: path.to_path_buf(), secret }))
}

/// Folders of one name are called by their paths.
fn tell_apart(folders: &mut [Folder]) {
    let names: Vec<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    for folder in folders {
        if names.iter().filter(|name| **name == folder.name).count() > 1 {
            folder.name = folder.path.display().to_string();
        }
    }
}

impl Report {
    /// How one cluster stands by itself.
    fn state(&self, cluster: &str) -> State {
        self.worst(|problem| problem.clusters.as_slice() == [cluster.to_owned()])
    }

    /// How the clusters stand to each other; `None` for a single one.
    fn between(&self) -> Option<State> {
        (self.clusters.len() > 1).then(|| self.worst(|problem| problem.clusters.len() > 1))
    }

    fn worst(&self, concerns: impl Fn(&SecretProblem) -> bool) -> State {
        let problems = self.problems.iter().filter(|problem| concerns(problem));
        match problems.map(|problem| problem.severity).max() {
            None => State::Ok,
            Some(Severity::Warning) => State::Warn,
            Some(Severity::Error) => State::Fail,
        }
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The next command with this run's folders in it.
    fn next(&self, problem: &SecretProblem) -> String {
        let named = |name: &String| self.clusters.iter().find(|cluster| cluster.name == *name);
        let first = problem.clusters.iter().find_map(named);
        let Some(cluster) = first else { return problem.next.clone() };
        let place = live::Where {
            name: &cluster.name,
            folder: cluster.path.as_deref(),
            context: cluster.live.as_ref().map(|live| live.context.as_str()),
            istio_namespace: cluster
                .live
                .as_ref()
                .map_or(ISTIO_NAMESPACE, |live| &live.istio_namespace),
        };
        place.next(problem)
    }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
