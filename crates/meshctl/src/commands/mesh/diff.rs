//! `meshctl mesh diff`: how clusters differ from the spec.

use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Diff;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::runtime;
use crate::fleet::mesh::{self, Plan, changes, preflight};
use crate::io::Io;
use crate::spec;
use crate::text::json as pretty;

/// Runs the command.
pub(super) fn run(args: &Diff, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let source = args.source.resolved();
    let spec = spec::mesh(&source, io)?;
    let ask = args.contexts.resolved(&args.force);
    let lock = args.lock.resolved();
    let plan = runtime()?.block_on(mesh::plan(&spec, &ask, &lock, &source, io))?;
    match args.output {
        Output::Text => io.print(&changes::text(&plan, true))?,
        Output::Json => io.print(&pretty(&document(&plan)))?,
    }
    let refused = plan.refused().map(|(_, _, failure)| failure);
    for failure in plan.warnings(&spec).into_iter().chain(refused) {
        io.warn(&failure);
    }
    changes::by_hand("note", &plan, io);
    preflight::report(&plan.mesh.preflight(&spec).iter().collect::<Vec<_>>(), io);
    let differs = !plan.mesh.is_idle() || plan.refused().next().is_some();
    Ok(if differs { Exit::No } else { Exit::Good })
}

fn document(plan: &Plan) -> Value {
    let one = |cluster: &str, change: &str, resource: &str, diff: &str| json!({"cluster": cluster, "change": change, "resource": resource, "diff": diff});
    let all = plan.changes().map(|(target, change)| {
        one(&target.name, changes::word(change).0, &change.id(), &changes::difference(change))
    });
    let refused = plan.refused().map(|(target, id, _)| one(&target.name, "foreign", &id, ""));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshDiff",
        "changes": all.chain(refused).collect::<Vec<_>>(),
    })
}
