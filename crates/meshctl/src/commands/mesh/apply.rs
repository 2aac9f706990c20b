//! `meshctl mesh apply`: read, compare, rehearse and confirm; then write wave after wave in all clusters.

use meshapply::mesh::{Applied, Pace, RehearsalError, Stopped, rehearse};
use meshconfig::apply::{Step, Write};

use crate::args::DryRun;
use crate::args::mesh::Apply;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, runtime, way_to};
use crate::fleet::mesh::{self, Plan, changes, preflight, rbac};
use crate::hints::about;
use crate::io::Io;
use crate::spec;
use crate::text::safe;

/// The most writes that a message names as not done.
const NAMED: usize = 12;

/// Runs the command.
pub(super) fn run(args: &Apply, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let source = args.source.resolved();
    let ask = args.contexts.resolved(&args.force);
    if args.print_rbac {
        let user = args.rbac_user.as_deref();
        let text = runtime()?.block_on(rbac::manifests(&source, &ask, user, io))?;
        io.print(&text)?;
        return Ok(Exit::Good);
    }
    let spec = spec::mesh(&source, io)?;
    runtime()?.block_on(async {
        let plan = mesh::plan(&spec, &ask, &args.lock.resolved(), &source, io).await?;
        io.print(&changes::text(&plan, args.diff))?;
        for warning in &plan.warnings(&spec) {
            io.warn(warning);
        }
        if let Some(failure) = mesh::foreign(&plan, io) {
            return Err(failure);
        }
        changes::by_hand("note", &plan, io);
        // If there is nothing to write, there is nothing to refuse.
        let found = plan.mesh.preflight(&spec);
        if plan.mesh.is_idle() {
            preflight::report(&found.iter().collect::<Vec<_>>(), io);
        } else {
            preflight::refuse(&found, &plan.targets, &args.force, io)?;
        }
        if args.dry_run == Some(DryRun::Client) {
            return Ok(Exit::Good);
        }
        let rehearsal = rehearse(&plan.mesh, &plan.clients(), Pace::default()).await;
        let rehearsal = rehearsal.map_err(|error| refused(&plan, &error))?;
        let steps = rehearsal.steps().len();
        if args.dry_run == Some(DryRun::Server) {
            io.note(format!("every API server accepts the plan; writes: {steps}"));
            return Ok(Exit::Good);
        }
        if steps > 0 {
            let many = if plan.targets.len() == 1 { "this cluster" } else { "these clusters" };
            io.confirm(
                args.yes,
                &format!("Write to {many}?"),
                "nothing was written; `--dry-run server` shows the plan and has the API servers validate it, `--yes` carries it out",
            )?;
        }
        plan.assigned.write(io)?;
        let progress = io.progress(steps, "writes made");
        let written = |step: &Step| {
            progress.around(|| io.note(line(step)));
            progress.step();
        };
        let applied = rehearsal.carry_out(written).await;
        drop(progress);
        let applied = applied.map_err(|stopped| unfinished(&plan, &stopped))?;
        let exit = finish(&applied, &plan.targets, io)?;
        changes::by_hand("next", &plan, io);
        Ok(exit)
    })
}

/// Why nothing was written.
fn refused(plan: &Plan, error: &RehearsalError) -> Failure {
    let failure = match error {
        RehearsalError::Refused(error) => mesh::failed_in(&plan.targets, error),
        // `mesh::foreign` has refused it already, with each place.
        RehearsalError::Obstructed(_) => Failure::new("apply/foreign", error.to_string()),
    };
    failure.because("nothing was written".to_owned())
}

/// `cluster1: applied ServiceEntry istio-system/reviews`.
fn line(step: &Step) -> String {
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
    mesh::failed_in(&plan.targets, failure)
        .because(format!(
            "{written} of {} writes are done; they are listed above",
            written + missing.len()
        ))
        .because(format!("not done: {}", names.join(", ")))
        .hint("run the same command again: it continues where it stopped")
}

/// Reports the end of a run; fields that others own may have stayed.
fn finish(applied: &Applied, targets: &[Target], io: &mut Io<'_>) -> Result<Exit, Failure> {
    if let Some((first, rest)) = applied.altered.split_first() {
        let place = |(cluster, id): &(String, String)| format!("cluster {cluster}, {id}");
        let failure =
            Failure::new("apply/foreign", "fields of another field manager remain in the resource")
                .within(place(first));
        let failure = rest.iter().map(place).fold(failure, Failure::within);
        let (cluster, id) = first;
        let (context, typed) = way_to(targets, cluster);
        let show = about(context, "get", id, " --show-managed-fields -o yaml", typed);
        return Err(failure.exit(Exit::No).hint(format!("`{show}` shows the managers; remove the fields there, or delete the resource and apply again")));
    }
    let Applied { writes, .. } = applied;
    io.say(if *writes == 0 {
        "nothing to do".to_owned()
    } else {
        format!("done: {writes} writes")
    });
    Ok(Exit::Good)
}
