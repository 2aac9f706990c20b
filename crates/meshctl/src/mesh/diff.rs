//! `meshctl mesh diff`: how clusters differ from the spec.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::Diff;
use super::live::{self, Plan};
use super::load;
use crate::args::Output;
use crate::clusters::runtime;
use crate::report::Failure;
use crate::show::safe;
use crate::{Exit, Io, show};

/// Runs the command.
pub(super) fn run(args: &Diff, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = load::mesh(&args.source, io)?;
    let plan = live::plan(&mesh, &args.contexts, &args.lock, &args.source, io);
    let plan = runtime()?.block_on(plan)?;
    match args.output {
        Output::Text => show::output(&text(&plan, true), io)?,
        Output::Json => show::output(&show::json(&document(&plan)), io)?,
    }
    let differs = plan.changes.values().any(|changes| !changes.is_empty());
    Ok(if differs { Exit::No } else { Exit::Good })
}

/// A line for each change, with its content below where that is wanted; then how many.
pub(super) fn text(plan: &Plan, with_content: bool) -> String {
    let mut out = String::new();
    let mut counts = [0; 4];
    for target in &plan.targets {
        for change in plan.changes.get(&target.name).into_iter().flatten() {
            let (word, sign, resource) = live::word(change);
            let id = safe(&resource.id());
            let _ = writeln!(out, "{sign} {}: {word} {id}", safe(&target.name));
            if with_content {
                out += &live::difference(change);
            }
            counts["+~-!".find(sign).unwrap_or_default()] += 1;
        }
    }
    let [created, updated, pruned, foreign] = counts;
    let kept = plan.wanted - created - updated - foreign;
    let _ = write!(out, "create {created}, update {updated}, prune {pruned}, unchanged {kept}");
    if foreign > 0 {
        let _ = write!(out, ", not ours {foreign}");
    }
    out.push('\n');
    out
}

fn document(plan: &Plan) -> Value {
    let changes = plan.targets.iter().flat_map(|target| {
        let changes = plan.changes.get(&target.name).into_iter().flatten();
        changes.map(|change| {
            let (word, _, resource) = live::word(change);
            json!({
                "cluster": target.name,
                "change": word,
                "resource": resource.id(),
                "diff": live::difference(change),
            })
        })
    });
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshDiff",
        "changes": changes.collect::<Vec<_>>(),
    })
}
