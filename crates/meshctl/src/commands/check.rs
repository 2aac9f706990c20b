//! `meshctl check`: what istiod will do with the files of each cluster, and what is wrong with them.
//!
//! Exit status 2 when there is an error, 1 when something could not be read or asked, else 0.

mod ask;
mod json;
mod text;

use std::path::PathBuf;

use meshapply::names::ISTIO_NAMESPACE;
use meshpki::Time;
use meshpki::istiod::{self, LiveIstiod, Settings, Severity, StartOutcome, Version};

use crate::args::Check;
use crate::authority::warn_exposed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::folders::{Folder, collect, tell_apart};
use crate::fleet::judge::{self, Case};
use crate::fleet::problems::State;
use crate::hints::{Problem, Typed, Where, all_named};
use crate::io::Io;
use crate::text::json as pretty;

/// Everything to report.
struct Report {
    /// The settings of clusters that were not asked.
    settings: Settings,
    /// Whether ztunnel runs there.
    ambient: bool,
    /// Whether clusters were asked.
    is_live: bool,
    at: Time,
    clusters: Vec<Judged>,
    problems: Vec<Problem>,
    /// The options that reach the clusters.
    typed: Typed,
}

/// A cluster and what istiod does with it.
struct Judged {
    name: String,
    path: Option<PathBuf>,
    /// Whether its CA can be issued here.
    has_root_key: bool,
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

/// Runs the command.
pub(super) fn run(args: &Check, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut folders = Vec::new();
    for dir in &args.dirs {
        warn_exposed(dir, io);
        folders.extend(collect(dir)?);
    }
    tell_apart(&mut folders);
    let at = io.time(args.at)?;
    if args.clusters.is_empty() {
        if args.dirs.is_empty() {
            return Err(Failure::usage("nothing to check").hint(
                "name a folder, as in `meshctl check ca`, a cluster with `--context east=CONTEXT`, or both",
            ));
        }
        return tell(&report(folders, args, at), args, io);
    }
    ask::run(folders, args, at, io)
}

fn tell(report: &Report, args: &Check, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let text =
        if args.output.is_json() { pretty(&json::write(report)) } else { text::write(report) };
    io.print(&text)?;
    let failed = report.problems.iter().any(|p| p.severity == Severity::Error);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// The settings folders are judged by.
fn settings(args: &Check) -> Settings {
    let version = args.clusters.istio_version.unwrap_or(Version::NEWEST);
    Settings::defaults(version).with_multi_root(args.multi_root)
}

/// A folder whose cluster was not asked.
fn case<'a>(folder: &'a Folder, args: &Check) -> Case<'a> {
    Case {
        name: &folder.name,
        secret: &folder.secret,
        settings: vec![settings(args)],
        trust_domain: None,
        ambient: args.ambient,
        apart: Vec::new(),
    }
}

fn report(folders: Vec<Folder>, args: &Check, at: Time) -> Report {
    let settings = settings(args);
    let cases: Vec<Case<'_>> = folders.iter().map(|folder| case(folder, args)).collect();
    let problems = judge::problems(&cases, at);
    let clusters = folders.into_iter().map(|folder| judged(folder, &settings, at)).collect();
    let (ambient, typed) = (args.ambient, Typed::default());
    Report { settings, ambient, is_live: false, at, clusters, problems, typed }
}

/// A folder, by the settings of no cluster.
fn judged(folder: Folder, settings: &Settings, at: Time) -> Judged {
    let start = (settings.version, istiod::starts(&folder.secret, settings, at));
    let has_root_key = folder.has_root_key(settings.version);
    Judged { start, name: folder.name, has_root_key, path: Some(folder.path), live: None }
}

impl Report {
    /// The state of one cluster by itself.
    fn state(&self, cluster: &str) -> State {
        State::of_cluster(cluster, &self.problems)
    }

    /// The state between the clusters; `None` for a single one.
    fn between(&self) -> Option<State> {
        let between = self.problems.iter().filter(|problem| problem.clusters.len() > 1);
        (self.clusters.len() > 1).then(|| State::of(between))
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// The next command with this run's folders in it.
    fn next(&self, problem: &Problem) -> String {
        self.place(problem).next(problem)
    }

    /// What to do, and who can do it.
    fn fix(&self, problem: &Problem) -> String {
        self.place(problem).fix(problem)
    }

    fn place<'p>(&'p self, problem: &'p Problem) -> Where<'p> {
        let named = |name: &String| self.clusters.iter().find(|cluster| cluster.name == *name);
        let first = problem.clusters.iter().find_map(named);
        let Some(cluster) = first else { return problem.somewhere() };
        let live = cluster.live.as_ref();
        let asked =
            self.clusters.iter().filter_map(|one| Some((&*one.name, &*one.live.as_ref()?.context)));
        Where {
            name: &cluster.name,
            folder: cluster.path.as_deref(),
            has_root_key: cluster.has_root_key,
            context: live.map(|live| live.context.as_str()),
            istio_namespace: live.map_or(ISTIO_NAMESPACE, |live| &live.istio_namespace),
            all: self.is_live.then(|| all_named(asked)),
            typed: &self.typed,
        }
    }
}
