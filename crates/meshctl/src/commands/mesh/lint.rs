//! `meshctl mesh lint`: what istiod would refuse or ignore. Exit status 2 when there is an error.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use meshconfig::lint::{self, Problem, Severity};
use meshconfig::{Mesh, render};
use serde_json::{Value, json};

use crate::args::Output;
use crate::args::mesh::Lint;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::mesh::ahead::word;
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
    let clusters: Vec<lint::Cluster<'_>> = mesh
        .clusters()
        .iter()
        .map(|cluster| lint::Cluster {
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
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// Resources of a file for a cluster; those that were rendered under the same name are replaced.
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

fn text(problems: &[Problem]) -> String {
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
        let _ = write!(out, "\n  source: {}\n  next: {}\n\n", problem.source, safe(&problem.next));
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings, notes) =
        (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let _ = writeln!(out, "errors {errors}, warnings {warnings}, notes {notes}");
    out
}

fn document(problems: &[Problem]) -> Value {
    let problem = |problem: &Problem| {
        json!({
            "code": problem.code,
            "severity": word(problem.severity),
            "cluster": problem.cluster,
            "resource": (!problem.resource.is_empty()).then_some(&problem.resource),
            "message": problem.message,
            "source": problem.source,
            "next": problem.next,
        })
    };
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "MeshLint",
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    })
}
