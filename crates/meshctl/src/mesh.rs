//! `meshctl mesh ...`: from one spec, what every cluster needs for calls between them. One file per command.

pub mod args;

mod addresses;
mod ahead;
mod answers;
mod apply;
mod diff;
mod discover;
mod dns;
mod explain;
mod graph;
mod import;
mod lint;
mod live;
mod load;
mod lock;
mod rbac;
mod render;
mod unified;

use std::path::Path;

use crate::report::Failure;
use crate::{Exit, Io};
use args::Mesh;

/// The mesh of a spec, for commands that take their clusters from it.
pub(crate) fn spec(file: &Path, io: &mut Io<'_>) -> Result<meshconfig::Mesh, Failure> {
    load::mesh_of(file, None, io)
}

/// A cluster was named that the spec does not have.
pub(crate) fn unknown_cluster(mesh: &meshconfig::Mesh, name: &str) -> Failure {
    let names: Vec<&str> = mesh.clusters().iter().map(|cluster| cluster.name.as_str()).collect();
    Failure::new("config/unknown-name", format!("there is no cluster `{name}` in the spec"))
        .because(format!("its clusters are {}", names.join(", ")))
}

/// Runs the command.
///
/// # Errors
/// `config/...` for the spec, `ctl/io` for files, `apply/...` for clusters.
pub fn run(args: &Mesh, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match args {
        Mesh::Render(args) => render::run(args, io),
        Mesh::Lint(args) => lint::run(args, io),
        Mesh::Graph(args) => graph::run(args, io),
        Mesh::Explain(args) => explain::run(args, io),
        Mesh::Import(args) => import::run(args, io),
        Mesh::Addresses(args) => addresses::run(args, io),
        Mesh::Discover(args) => discover::run(args, io),
        Mesh::Diff(args) => diff::run(args, io),
        Mesh::Apply(args) => apply::run(args, io),
        Mesh::Dns(args) => dns::run(args, io),
    }
}
