//! The status for people: one screen, and at its end the command to type.

use std::fmt::Write as _;

use meshpki::istiod::Severity;

use crate::fleet::pairs::{Answer, Pair, refusals};
use crate::fleet::problems::State;
use crate::fleet::standing::{Cluster, Standing};
use crate::hints::Problem;
use crate::text::{counted, relative, safe};

/// The lines: each cluster, which clusters accept each other, the problems, the next command.
pub(super) fn write(standing: &Standing<'_>) -> String {
    let mut text = format!("live clusters at {}\n", standing.at);
    for cluster in &standing.clusters {
        text += &block(standing, cluster);
    }
    text += &matrix(standing);
    for problem in &standing.problems {
        text += &problem_lines(standing, problem);
    }
    text + &sum(standing)
}

fn block(standing: &Standing<'_>, cluster: &Cluster<'_>) -> String {
    let target = cluster.target;
    let mark = format!("[{}]", standing.state(cluster).map_or("?", State::word));
    let head = format!("{} (context {}, {})", target.name, target.context, target.kube.server());
    let mut text = format!("\n{mark:<7}{}\n", safe(&head));
    let lines = match &cluster.facts {
        Ok(facts) => facts.lines(standing.at),
        Err(failure) => vec![("unknown", failure.sentence())],
    };
    for (what, line) in lines {
        let _ = writeln!(text, "  {what:<9}{}", safe(&line));
    }
    text
}

/// Rows trust, columns sign. A cluster alone is shown only when it refuses itself.
fn matrix(standing: &Standing<'_>) -> String {
    let names: Vec<String> =
        standing.clusters.iter().map(|cluster| safe(&cluster.target.name)).collect();
    let refused = refusals(&standing.pairs);
    if names.len() < 2 && refused.is_empty() {
        return String::new();
    }
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(3);
    let mut text = "\nrow accepts certificates from column\n".to_owned();
    let heads: String = names.iter().map(|name| format!("  {name:<width$}")).collect();
    let _ = writeln!(text, "  {:width$}{}", "", heads.trim_end());
    for (name, row) in names.iter().zip(standing.pairs.chunks(names.len())) {
        let cells: String = row.iter().map(|pair| format!("  {:<width$}", cell(pair))).collect();
        let _ = writeln!(text, "  {name:<width$}{}", cells.trim_end());
    }
    for line in refused {
        let _ = writeln!(text, "  {}", safe(&line));
    }
    let ends = standing.pairs.iter().filter_map(|pair| match &pair.answer {
        Answer::Yes(end) => end.as_ref(),
        _ => None,
    });
    if let Some((end, cert)) = ends.min() {
        let _ = writeln!(
            text,
            "  `yes` holds until {}, {}, when {} expires",
            end.date(),
            relative(*end, standing.at),
            safe(cert)
        );
    }
    text
}

const fn cell(pair: &Pair) -> &'static str {
    match &pair.answer {
        Answer::Yes(_) => "yes",
        Answer::No(_) if pair.is_needed => "NO",
        Answer::No(_) => "-",
        Answer::Unknown => "?",
    }
}

fn problem_lines(standing: &Standing<'_>, problem: &Problem) -> String {
    let message = format!("{}: {}", problem.clusters.join(", "), problem.message);
    format!(
        "\n{}[{}]: {}\n  next: {}\n",
        problem.severity,
        problem.code,
        safe(&message),
        safe(&standing.next(problem))
    )
}

fn sum(standing: &Standing<'_>) -> String {
    let silent = standing.clusters.iter().filter(|cluster| cluster.facts.is_err()).count();
    let in_part = standing.clusters.iter().filter(|c| c.facts.is_ok() && !c.is_whole).count();
    let of = match (silent, in_part) {
        (0, 0) => String::new(),
        (silent, 0) => format!(" ({silent} could not be reached)"),
        (0, some) => format!(" ({some} only partly read)"),
        (silent, some) => format!(" ({silent} could not be reached, {some} only partly read)"),
    };
    let counts = format!(
        "\n{}{of}: {}, {}\n",
        counted(standing.clusters.len(), "cluster"),
        counted(standing.count(Severity::Error), "error"),
        counted(standing.count(Severity::Warning), "warning")
    );
    match standing.next_command() {
        Some(next) => counts + &format!("next: {}\n", safe(&next)),
        None => counts,
    }
}
