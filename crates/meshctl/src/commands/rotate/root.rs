//! `meshctl rotate root`: from one root to another. What is decided is in `meshpki::rotation`; here clusters are read,
//! shown, and given what was decided.

mod evidence;
mod json;
mod push;
mod read;
mod text;

use meshpki::rotation::{RotationDecision, RotationPlanner, RotationStrategy};

use crate::args::{RootGoal, RootPlan, RootStatus, RootStrategy, RotateRoot};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::io::Io;
use crate::text::json as pretty;
use read::{Ask, Situation};

/// Runs the command.
pub(super) fn run(command: &RotateRoot, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match command {
        RotateRoot::Plan(args) => plan(args, io),
        RotateRoot::Next(args) => push::next(args, io),
        RotateRoot::Status(args) => status(args, io),
        RotateRoot::Abort(args) => push::abort(args, io),
        RotateRoot::Evidence(args) => evidence::run(args, io),
    }
}

fn plan(args: &RootPlan, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let situation = Situation::read(&Ask::new(&args.goal, &args.force)?, &runtime()?, io)?;
    let members = situation.members();
    let course = planner(&situation, &args.goal).course(&members);
    io.print(&if args.output.is_json() {
        pretty(&json::plan(&situation, &course))
    } else {
        text::plan(&situation, &course, &text::command("next", &args.goal))
    })?;
    situation.failures.iter().for_each(|failure| io.fail(failure));
    Ok(match () {
        () if !situation.failures.is_empty() => Exit::Failed,
        () if course.stuck.is_empty() => Exit::Good,
        () => Exit::No,
    })
}

fn status(args: &RootStatus, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let situation = Situation::read(&Ask::new(&args.goal, &args.force)?, &runtime()?, io)?;
    let decision = planner(&situation, &args.goal).decide(&situation.members());
    io.print(&if args.output.is_json() {
        pretty(&json::status(&situation, &decision))
    } else {
        text::status(&situation, &decision, &text::command("next", &args.goal))
    })?;
    situation.failures.iter().for_each(|failure| io.fail(failure));
    Ok(exit(&situation, &decision))
}

/// What a look at the clusters comes to.
fn exit(situation: &Situation, decision: &RotationDecision) -> Exit {
    match () {
        () if !situation.failures.is_empty() => Exit::Failed,
        () if decision.is_done() => Exit::Good,
        () => Exit::No,
    }
}

fn planner(situation: &Situation, goal: &RootGoal) -> RotationPlanner {
    let strategy = match goal.strategy {
        RootStrategy::Auto => RotationStrategy::Auto,
        RootStrategy::Bridge => RotationStrategy::Bridge,
        RootStrategy::Overlap => RotationStrategy::Overlap,
    };
    RotationPlanner::new(&situation.bridges, strategy, situation.at)
}
