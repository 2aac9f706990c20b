//! Reports what istiod will refuse or ignore once everything is written, before anything is.

use meshconfig::lint::{LintProblem, LintSeverity, PreflightProblem};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, way_to};
use crate::hints;
use crate::io::Io;
use crate::text::safe;

/// The most lines that are shown.
const SHOWN: usize = 10;

/// A severity in a word.
pub(crate) const fn word(severity: LintSeverity) -> &'static str {
    match severity {
        LintSeverity::Error => "error",
        LintSeverity::Warning => "warning",
        LintSeverity::Note => "note",
    }
}

/// Reports each problem in a line.
pub(crate) fn report(found: &[&PreflightProblem], io: &mut Io<'_>) {
    let mut lines: Vec<String> = found.iter().take(SHOWN).map(|one| line(one)).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        lines.push(format!(
            "and {more} more: `meshctl mesh lint --with CLUSTER=FILE` shows all of them"
        ));
    }
    for line in lines {
        io.say(line);
    }
}

fn line(PreflightProblem { problem, ours }: &PreflightProblem) -> String {
    // A problem that other resources have among themselves is not an error of this mesh.
    let (worst, whose) = if *ours {
        (LintSeverity::Error, "")
    } else {
        (LintSeverity::Warning, ", not of this mesh")
    };
    let word = word(problem.severity.min(worst));
    safe(&format!("{word}[{}]: {}{whose}: {}", problem.code, place(problem), problem.message))
}

fn place(problem: &LintProblem) -> String {
    match problem.resource.as_str() {
        "" => format!("cluster {}", problem.cluster),
        resource => format!("cluster {}, {resource}", problem.cluster),
    }
}

/// Refuses errors that `--force` does not name: all are reported, and the last is the failure.
pub(crate) fn refuse(
    found: &[PreflightProblem],
    targets: &[Target],
    force: &[String],
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let forced = |one: &PreflightProblem| force.iter().any(|code| code == one.problem.code);
    let (bad, rest): (Vec<&PreflightProblem>, Vec<&PreflightProblem>) =
        found.iter().partition(|one| one.refuses() && !forced(one));
    report(&rest, io);
    let failures = bad.iter().map(|one| failure(&one.problem, targets)).collect();
    io.fail_all(failures).map_or(Ok(()), Err)
}

fn failure(problem: &LintProblem, targets: &[Target]) -> Failure {
    let (context, typed) = way_to(targets, &problem.cluster);
    Failure::new(problem.code, problem.message.clone())
        .within(place(problem))
        .because(format!(
            "this would result from the spec together with the resources that are already in the cluster (rule: {})",
            problem.source
        ))
        .hint(format!(
            "nothing was written; {}, or proceed with `--force {}`",
            hints::mesh::lint(problem, context, typed),
            problem.code
        ))
        .exit(Exit::No)
}
