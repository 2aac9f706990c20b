//! `meshctl mesh diff`: how clusters differ from the spec.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshconfig::apply::Change;
use serde_json::{Value, json};

use super::args::Diff;
use super::live::{self, Plan};
use super::{ahead, answers, load};
use crate::args::Output;
use crate::clusters::runtime;
use crate::report::{Failure, warn};
use crate::show::safe;
use crate::{Exit, Io, show};

/// Runs the command.
pub(super) fn run(args: &Diff, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = load::mesh(&args.source, io)?;
    let plan = live::plan(&mesh, &args.contexts, &args.force, &args.lock, &args.source, io);
    let plan = runtime()?.block_on(plan)?;
    match args.output {
        Output::Text => show::output(&text(&plan, true), io)?,
        Output::Json => show::output(&show::json(&document(&plan)), io)?,
    }
    let refused = plan.refused().map(|(_, _, why)| why);
    for failure in plan.warnings(&mesh).into_iter().chain(refused) {
        warn(io.err, &failure);
    }
    by_hand("note", &plan, io);
    ahead::tell(&plan.mesh.problems_ahead(&mesh).iter().collect::<Vec<_>>(), io);
    let differs = !plan.mesh.is_idle() || plan.refused().next().is_some();
    Ok(if differs { Exit::No } else { Exit::Good })
}

/// Says what is left to do by hand once the changes are made.
pub(super) fn by_hand(word: &str, plan: &Plan, io: &mut Io<'_>) {
    for (target, change) in plan.changes() {
        let Change::Edit(edit) = change else { continue };
        if let Some(line) = answers::restart(target, edit) {
            // A standard error that is gone cannot be told anything.
            let _ = writeln!(io.err, "{word}: {}", safe(&line));
        }
    }
}

/// A line for each change, with its content below where that is wanted; then how many.
pub(super) fn text(plan: &Plan, with_content: bool) -> String {
    let mut out = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (target, change) in plan.changes() {
        let (word, sign) = live::word(change);
        let _ = writeln!(out, "{sign} {}: {word} {}", safe(&target.name), safe(&change.id()));
        if with_content {
            out += &live::difference(change);
        }
        *counts.entry(word).or_default() += 1;
    }
    for (target, id, _) in plan.refused() {
        let _ = writeln!(out, "! {}: foreign {}", safe(&target.name), safe(&id));
    }
    let count = |word: &str| counts.get(word).copied().unwrap_or_default();
    let (created, updated) = (count("create"), count("update"));
    let wanted: usize = plan.mesh.clusters.iter().map(|one| one.wanted.len()).sum();
    let kept = wanted - created - updated - count("foreign");
    let pruned = count("prune");
    let _ = write!(out, "create {created}, update {updated}, prune {pruned}, unchanged {kept}");
    let others =
        [("DNS edits", count("edit")), ("not ours", count("foreign") + plan.refused().count())];
    for (what, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        let _ = write!(out, ", {what} {count}");
    }
    out.push('\n');
    out
}

fn document(plan: &Plan) -> Value {
    let one = |cluster: &str, change: &str, resource: &str, diff: &str| json!({"cluster": cluster, "change": change, "resource": resource, "diff": diff});
    let changes = plan.changes().map(|(target, change)| {
        one(&target.name, live::word(change).0, &change.id(), &live::difference(change))
    });
    let refused = plan.refused().map(|(target, id, _)| one(&target.name, "foreign", &id, ""));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshDiff",
        "changes": changes.chain(refused).collect::<Vec<_>>(),
    })
}
