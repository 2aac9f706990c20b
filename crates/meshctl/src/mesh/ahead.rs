//! What istiod will refuse or ignore once everything is written, told before it is.

use meshconfig::lint::{Ahead, Problem, Severity};

use super::lint::word;
use crate::report::Failure;
use crate::show::safe;
use crate::{Exit, Io};

/// Lines about what clusters have already, at most.
const SHOWN: usize = 10;

/// Says what there is, a line each.
pub(super) fn tell(found: &[&Ahead], io: &mut Io<'_>) {
    let mut lines: Vec<String> = found.iter().take(SHOWN).map(|one| line(one)).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        lines.push(format!(
            "and {more} more: `meshctl mesh lint --with CLUSTER=FILE` tells all of it"
        ));
    }
    for line in lines {
        // A standard error that is gone cannot be told anything.
        let _ = writeln!(io.err, "{line}");
    }
}

fn line(Ahead { problem, ours }: &Ahead) -> String {
    // What others have among themselves is no error of this mesh.
    let (worst, whose) =
        if *ours { (Severity::Error, "") } else { (Severity::Warning, ", not ours") };
    let word = word(problem.severity.min(worst));
    safe(&format!("{word}[{}]: {}{whose}: {}", problem.code, place(problem), problem.message))
}

fn place(problem: &Problem) -> String {
    match problem.resource.as_str() {
        "" => format!("cluster {}", problem.cluster),
        resource => format!("cluster {}, {resource}", problem.cluster),
    }
}

/// Errors that were not overridden by name: all of them are told, and one is the failure.
pub(super) fn refuse(found: &[Ahead], force: &[String], io: &mut Io<'_>) -> Result<(), Failure> {
    let forced = |one: &Ahead| force.iter().any(|code| code == one.problem.code);
    let (bad, rest): (Vec<&Ahead>, Vec<&Ahead>) =
        found.iter().partition(|one| one.refuses() && !forced(one));
    tell(&rest, io);
    let mut failures: Vec<Failure> = bad.iter().map(|one| failure(&one.problem)).collect();
    let Some(last) = failures.pop() else { return Ok(()) };
    for failure in failures {
        // A standard error that is gone cannot be told anything.
        let _ = io.err.write_all((failure.text() + "\n").as_bytes());
    }
    Err(last)
}

fn failure(problem: &Problem) -> Failure {
    Failure::new(problem.code, problem.message.clone())
        .within(place(problem))
        .because(format!("so it would be with what is there: {}", problem.source))
        .hint(format!(
            "nothing was written; {}; `--force {}` goes on in spite of it",
            problem.next, problem.code
        ))
        .exit(Exit::No)
}
