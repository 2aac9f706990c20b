//! `meshctl mesh lint`: what istiod refuses or ignores. Exit status 2 if there is an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use meshconfig::lint::{self, LintProblem, LintSeverity};
use meshconfig::{Mesh, render};
use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Lint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::mesh::preflight::word;
use crate::hints;
use crate::io::Io;
use crate::spec;
use crate::spec::lock;
use crate::text;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Lint, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let addresses = lock::look(&mesh, &args.source.resolved(), io)?;
    let mut resources: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for cluster in mesh.clusters() {
        let rendered = render(&mesh, cluster, &addresses);
        resources
            .insert(&cluster.name, rendered.into_iter().map(|resource| resource.value).collect());
    }
    for with in &args.with {
        add(&mesh, with, &mut resources, io)?;
    }
    let clusters: Vec<lint::LintCluster<'_>> = mesh
        .clusters()
        .iter()
        .map(|cluster| lint::LintCluster {
            name: &cluster.name,
            version: cluster.version,
            resources: resources[cluster.name.as_str()].iter().collect(),
        })
        .collect();
    let mut problems = lint::lint(&clusters);
    problems.extend(lint::notes(&mesh));
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    let text = match args.output {
        Output::Text => text(&problems),
        Output::Json => text::json(&document(&problems)),
    };
    io.print(&text)?;
    let failed = problems.iter().any(|problem| problem.severity == LintSeverity::Error);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// Adds the resources of a file to a cluster; they replace rendered ones with the same name.
fn add<'m>(
    mesh: &'m Mesh,
    with: &str,
    resources: &mut BTreeMap<&'m str, Vec<Value>>,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let Some((cluster, file)) = with.split_once('=') else {
        let message = format!("`{with}` is not CLUSTER=FILE");
        return Err(Failure::new("ctl/usage", message).exit(Exit::Usage));
    };
    let cluster = spec::cluster(mesh, cluster)?;
    let id = |value: &Value| {
        let meta = &value["metadata"];
        [&value["kind"], &meta["namespace"], &meta["name"]]
            .map(|part| part.as_str().unwrap_or_default().to_owned())
    };
    let list = resources.entry(cluster.name.as_str()).or_default();
    for value in spec::resources(Path::new(file), io)? {
        list.retain(|known| id(known) != id(&value));
        list.push(value);
    }
    Ok(())
}

fn text(problems: &[LintProblem]) -> String {
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
            safe(&hints::mesh::lint(problem))
        );
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings, notes) =
        (count(LintSeverity::Error), count(LintSeverity::Warning), count(LintSeverity::Note));
    let _ = writeln!(out, "errors {errors}, warnings {warnings}, notes {notes}");
    out
}

fn document(problems: &[LintProblem]) -> Value {
    let problem = |problem: &LintProblem| {
        json!({
            "code": problem.code,
            "severity": word(problem.severity),
            "cluster": problem.cluster,
            "resource": (!problem.resource.is_empty()).then_some(&problem.resource),
            "message": problem.message,
            "source": problem.source,
            "next": hints::mesh::lint(problem),
        })
    };
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshLint",
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
