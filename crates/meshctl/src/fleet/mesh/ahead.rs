//! What istiod will refuse or ignore once everything is written, told before it is.

use meshconfig::lint::{Ahead, Problem, Severity};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::safe;

/// Lines about what clusters have already, at most.
const SHOWN: usize = 10;

/// A severity in a word.
pub(crate) const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// Says what there is, a line each.
pub(crate) fn tell(found: &[&Ahead], io: &mut Io<'_>) {
    let mut lines: Vec<String> = found.iter().take(SHOWN).map(|one| line(one)).collect();
    if found.len() > SHOWN {
        let more = found.len() - SHOWN;
        lines.push(format!(
            "and {more} more: `meshctl mesh lint --with CLUSTER=FILE` tells all of it"
        ));
    }
    for line in lines {
        io.say(line);
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
pub(crate) fn refuse(found: &[Ahead], force: &[String], io: &mut Io<'_>) -> Result<(), Failure> {
    let forced = |one: &Ahead| force.iter().any(|code| code == one.problem.code);
    let (bad, rest): (Vec<&Ahead>, Vec<&Ahead>) =
        found.iter().partition(|one| one.refuses() && !forced(one));
    tell(&rest, io);
    let failures = bad.iter().map(|one| failure(&one.problem)).collect();
    io.fail_all(failures).map_or(Ok(()), Err)
}

fn failure(problem: &Problem) -> Failure {
    Failure::new(problem.code, problem.message.clone())
        .within(place(problem))
        .because(format!("so it would be with what is there: {}", problem.source))
        .hint(format!("nothing was written; {}; `--force {}` proceeds", problem.next, problem.code))
        .exit(Exit::No)
}
