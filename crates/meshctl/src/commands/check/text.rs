//! The report for people.

use std::fmt::Write as _;

use meshpki::istiod::Severity;

use super::{Judged, Report, State};
use crate::hints::Problem;
use crate::text::{counted, safe};

/// The lines: each cluster, what is between them, the problems, the sum.
pub(super) fn write(report: &Report) -> String {
    let mut text = heading(report);
    let names = report.clusters.iter().map(|cluster| safe(&cluster.name).chars().count());
    let width = names.max().unwrap_or(0).max(if report.clusters.len() > 1 { 3 } else { 0 });
    for cluster in &report.clusters {
        let state = report.state(&cluster.name);
        text += &line(state, &safe(&cluster.name), width, &safe(&does(cluster, report.is_live)));
    }
    if let Some(state) = report.between() {
        let how = match state {
            State::Ok => "the same roots, but separate keys and names",
            State::Warn => "trust each other; see the warnings",
            State::Fail => "some do not trust each other",
        };
        text += &line(state, "all", width, how);
    }
    for problem in &report.problems {
        text += &block(report, problem);
    }
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning")]
        .map(|(severity, word)| counted(report.count(severity), word));
    let _ = writeln!(
        text,
        "\n{}: {}, {}",
        counted(report.clusters.len(), "cluster"),
        counts[0],
        counts[1]
    );
    text
}

/// The release all are judged by, or that each is judged by its own.
fn heading(report: &Report) -> String {
    if report.is_live {
        return format!("live clusters at {}\n\n", report.at);
    }
    let multi_root = if report.settings.multi_root { ", ISTIO_MULTIROOT_MESH=true" } else { "" };
    let ambient = if report.ambient { ", ambient mode" } else { "" };
    format!("istiod {}{multi_root}{ambient}, at {}\n\n", report.settings.version, report.at)
}

/// What istiod does with which files.
fn does(cluster: &Judged, is_live: bool) -> String {
    let (version, start) = &cluster.start;
    let files = match (&cluster.path, &cluster.live) {
        _ if !is_live => return start.to_string(),
        (Some(path), Some(_)) => format!("with the new files in {}, ", path.display()),
        (Some(path), None) => format!("not connected; with {}, ", path.display()),
        (None, _) => String::new(),
    };
    if cluster.live.as_ref().is_some_and(|live| live.istiods.is_empty()) {
        return format!("{files}no istiod found; {version} {start}");
    }
    format!("{files}istiod {version} {start}")
}

fn line(state: State, name: &str, width: usize, text: &str) -> String {
    format!("{:<7}{name:<width$}  {text}\n", format!("[{}]", state.word()))
}

fn block(report: &Report, problem: &Problem) -> String {
    let message = safe(&problem.message);
    let clusters = safe(&problem.clusters.join(", "));
    let mut text = format!("\n{}[{}]: {clusters}: {message}\n", problem.severity, problem.code);
    let path = problem.file.as_ref().and_then(|file| {
        let cluster = report.clusters.iter().find(|c| problem.clusters.contains(&c.name))?;
        Some(cluster.path.as_ref()?.join(file).display().to_string())
    });
    let fix = report.fix(problem);
    let lines = path
        .iter()
        .map(|path| ("in", path.as_str()))
        .chain(problem.evidence.iter().map(|line| ("evidence", line.as_str())))
        .chain([("effect", problem.effect.as_str()), ("fix", fix.as_str())]);
    for (what, line) in lines {
        let _ = writeln!(text, "  {what}: {}", safe(line));
    }
    let _ = writeln!(text, "  next: {}", safe(&report.next(problem)));
    text
}
