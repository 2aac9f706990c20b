//! `meshctl mesh apply`: look, show, try, ask; then wave after wave over all clusters.

use meshapply::mesh::{Applied, Pace, RehearsalError, Stopped, rehearse};
use meshconfig::apply::{Step, Write};

use super::args::Apply;
use super::live::{self, Plan};
use super::{ahead, diff, load, rbac};
use crate::args::DryRun;
use crate::clusters::runtime;
use crate::report::{Failure, warn};
use crate::rollout::agreed;
use crate::show::safe;
use crate::{Exit, Io, show};

/// Names of what was not written, in a message.
const NAMED: usize = 12;

/// Runs the command.
pub(super) fn run(args: &Apply, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if args.print_rbac {
        return runtime()?.block_on(rbac::print(args, io));
    }
    let mesh = load::mesh(&args.source, io)?;
    runtime()?.block_on(async {
        let Apply { source, lock, contexts, force, .. } = args;
        let plan = live::plan(&mesh, contexts, force, lock, source, io).await?;
        show::output(&diff::text(&plan, args.diff), io)?;
        for warning in &plan.warnings(&mesh) {
            warn(io.err, warning);
        }
        if let Some(failure) = live::foreign(&plan, io) {
            return Err(failure);
        }
        diff::by_hand("note", &plan, io);
        // Where nothing is to be written, nothing is refused.
        let found = plan.mesh.problems_ahead(&mesh);
        if plan.mesh.is_idle() {
            ahead::tell(&found.iter().collect::<Vec<_>>(), io);
        } else {
            ahead::refuse(&found, &args.force, io)?;
        }
        if args.dry_run == Some(DryRun::Client) {
            return Ok(Exit::Good);
        }
        let rehearsal = rehearse(&plan.mesh, &plan.clients(), Pace::default()).await;
        let rehearsal = rehearsal.map_err(|error| refused(&plan, &error))?;
        let steps = rehearsal.steps().len();
        if args.dry_run == Some(DryRun::Server) {
            talk(io, &format!("every API server takes it: {steps} writes"));
            return Ok(Exit::Good);
        }
        if steps > 0 {
            let many = if plan.targets.len() == 1 { "this cluster" } else { "these clusters" };
            agreed(
                args.yes,
                &format!("Write to {many}?"),
                "nothing was written; `--dry-run server` shows the plan and has it checked, `--yes` carries it out",
                io,
            )?;
        }
        plan.assigned.write(io)?;
        let applied = rehearsal.carry_out(|step| talk(io, &told(step))).await;
        let applied = applied.map_err(|stopped| unfinished(&plan, &stopped))?;
        let exit = finish(&applied, io)?;
        diff::by_hand("next", &plan, io);
        Ok(exit)
    })
}

fn talk(io: &mut Io<'_>, line: &str) {
    // A standard error that is gone cannot be told anything.
    let _ = writeln!(io.err, "{line}");
}

/// Why nothing was written.
fn refused(plan: &Plan, error: &RehearsalError) -> Failure {
    let failure = match error {
        RehearsalError::Refused(error) => live::failed_in(&plan.targets, error),
        // Refused before by name.
        RehearsalError::Obstructed(_) => Failure::new("apply/foreign", error.to_string()),
    };
    failure.because("nothing was written".to_owned())
}

/// `cluster1: applied ServiceEntry istio-system/reviews`.
fn told(step: &Step) -> String {
    let word = match &step.write {
        Write::Apply(_) => "applied",
        Write::Delete(_) => "deleted",
        Write::Edit(_) => "edited",
    };
    safe(&format!("{}: {word} {}", step.cluster, step.write.id()))
}

/// What was not done, by name.
fn unfinished(plan: &Plan, Stopped { failure, written, missing, .. }: &Stopped) -> Failure {
    let name = |step: &Step| match &step.write {
        Write::Apply(resource) => format!("{} {}", step.cluster, resource.id()),
        Write::Delete(resource) => format!("{} delete {}", step.cluster, resource.id()),
        Write::Edit(edit) => format!("{} edit {}", step.cluster, edit.id()),
    };
    let mut names: Vec<String> = missing.iter().take(NAMED).map(name).collect();
    if missing.len() > NAMED {
        names.push(format!("and {} more", missing.len() - NAMED));
    }
    live::failed_in(&plan.targets, failure)
        .because(format!(
            "{written} of {} writes are done, and named above",
            written + missing.len()
        ))
        .because(format!("not done: {}", names.join(", ")))
        .hint("run the same command again: it goes on where it was")
}

/// Says how it ended; fields that others own may have stayed.
fn finish(applied: &Applied, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if let Some((first, rest)) = applied.altered.split_first() {
        let place = |(cluster, id): &(String, String)| format!("cluster {cluster}, {id}");
        let failure = Failure::new("apply/foreign", "fields of another field manager stayed in it")
            .within(place(first));
        let failure = rest.iter().map(place).fold(failure, Failure::within);
        return Err(failure.exit(Exit::No).hint("`kubectl get --show-managed-fields -o yaml` shows whose they are; take them out there, or delete the resource and apply again"));
    }
    let Applied { writes, .. } = applied;
    talk(
        io,
        &if *writes == 0 { "nothing to do".to_owned() } else { format!("done: {writes} writes") },
    );
    Ok(Exit::Good)
}
