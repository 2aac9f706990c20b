//! `meshctl mesh lint`: what istiod refuses or ignores. Exit status 2 if there is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use meshconfig::lint::{self, LintProblem, LintSeverity};
use meshconfig::reach::is_read;
use meshconfig::{Mesh, Renderer, Resource};
use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Lint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::mesh::preflight::word;
use crate::hints::{self, UNTYPED};
use crate::io::Io;
use crate::spec;
use crate::spec::lock;
use crate::text;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Lint, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let addresses = lock::look(&mesh, &args.source.resolved(), io)?;
    let with = with(&mesh, &args.with, io)?;
    let mut problems = Vec::new();
    let mut resources: BTreeMap<&str, Vec<Arc<Value>>> = BTreeMap::new();
    let mut renderer = Renderer::new(&mesh, &addresses);
    for cluster in mesh.clusters() {
        let rendered = renderer.render(cluster);
        let live = with.get(cluster.name.as_str()).map_or(&[][..], Vec::as_slice);
        problems.extend(lint::replaced(&mesh.name, &cluster.name, &rendered, live));
        resources.insert(&cluster.name, together(rendered, live));
    }
    let clusters: Vec<lint::LintCluster<'_>> = mesh
        .clusters()
        .iter()
        .map(|cluster| {
            let own = resources[cluster.name.as_str()].iter().map(|value| &**value);
            lint::LintCluster::new(cluster, own.collect())
        })
        .collect();
    problems.extend(lint::lint(&mesh, &clusters));
    problems.extend(lint::notes(&mesh));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    let text = match args.output {
        Output::Text => text(&mesh, &problems, &kinds(&with)),
        Output::Json => text::json(&document(&mesh, &problems, &kinds(&with))),
    };
    io.print(&text)?;
    let failed = problems.iter().any(|problem| problem.severity == LintSeverity::Error);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// The resources of the files, by cluster.
fn with(
    mesh: &Mesh,
    files: &[String],
    io: &mut Io<'_>,
) -> Result<BTreeMap<String, Vec<Value>>, Failure> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for with in files {
        let Some((cluster, file)) = with.split_once('=') else {
            let message = format!("`{with}` is not CLUSTER=FILE");
            return Err(Failure::new("ctl/usage", message).exit(Exit::Usage));
        };
        let cluster = spec::cluster(mesh, cluster)?;
        let list = all.entry(cluster.name.clone()).or_default();
        for value in spec::resources(Path::new(file), io)? {
            list.retain(|known| id(known) != id(&value));
            list.push(value);
        }
    }
    Ok(all)
}

/// Rendered resources, and those of files, which replace rendered ones with the same name.
fn together(rendered: Vec<Resource>, live: &[Value]) -> Vec<Arc<Value>> {
    let names: BTreeSet<_> = live.iter().map(id).collect();
    let rendered = rendered.into_iter().map(|resource| resource.value);
    rendered
        .filter(|value| !names.contains(&id(value)))
        .chain(live.iter().cloned().map(Arc::new))
        .collect()
}

/// Kind, namespace and name.
fn id(value: &Value) -> [String; 3] {
    let meta = &value["metadata"];
    [&value["kind"], &meta["namespace"], &meta["name"]]
        .map(|part| part.as_str().unwrap_or_default().to_owned())
}

/// Kind -> how many the files have; whether they are read.
fn kinds(with: &BTreeMap<String, Vec<Value>>) -> BTreeMap<(bool, String), usize> {
    let mut kinds = BTreeMap::new();
    for value in with.values().flatten() {
        let kind = value["kind"].as_str().unwrap_or("without kind").to_owned();
        *kinds.entry((is_read(value), kind)).or_default() += 1;
    }
    kinds
}

/// `Gateway 1, ServiceEntry 2`.
fn listed(kinds: &BTreeMap<(bool, String), usize>, read: bool) -> String {
    let of = kinds.iter().filter(|((is_read, _), _)| *is_read == read);
    of.map(|((_, kind), count)| format!("{} {count}", safe(kind))).collect::<Vec<_>>().join(", ")
}

/// The next step; without a cluster that is asked, its context is that of the spec.
fn next(mesh: &Mesh, problem: &LintProblem) -> String {
    let context = mesh.cluster(&problem.cluster).map_or("CONTEXT", |cluster| &cluster.context);
    hints::mesh::lint(problem, context, &UNTYPED)
}

fn text(mesh: &Mesh, problems: &[LintProblem], kinds: &BTreeMap<(bool, String), usize>) -> String {
    let mut out = String::new();
    for problem in problems {
        let _ = write!(
            out,
            "{}[{}]: {}\n  in: {}",
            word(problem.severity),
            problem.code,
            safe(&problem.message),
            safe(&problem.cluster)
        );
        if !problem.resource.is_empty() {
            let _ = write!(out, ", {}", safe(&problem.resource));
        }
        let _ = write!(
            out,
            "\n  source: {}\n  next: {}\n\n",
            problem.source,
            safe(&next(mesh, problem))
        );
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings, notes) =
        (count(LintSeverity::Error), count(LintSeverity::Warning), count(LintSeverity::Note));
    for (read, what) in [(true, "read"), (false, "not read")] {
        let list = listed(kinds, read);
        if !list.is_empty() {
            let _ = writeln!(out, "{what}: {list}");
        }
    }
    let _ = writeln!(out, "errors {errors}, warnings {warnings}, notes {notes}");
    out
}

fn document(
    mesh: &Mesh,
    problems: &[LintProblem],
    kinds: &BTreeMap<(bool, String), usize>,
) -> Value {
    let problem = |problem: &LintProblem| {
        json!({
            "code": problem.code,
            "severity": word(problem.severity),
            "cluster": problem.cluster,
            "resource": (!problem.resource.is_empty()).then_some(&problem.resource),
            "message": problem.message,
            "source": problem.source,
            "next": next(mesh, problem),
        })
    };
    let with = kinds
        .iter()
        .map(|((read, kind), count)| json!({"kind": kind, "count": count, "read": read}));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshLint",
        "with": with.collect::<Vec<_>>(),
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
