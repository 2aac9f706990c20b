//! `meshctl mesh ...`: renders and applies from one spec what clusters need to call each other. One file per command.

mod addresses;
mod apply;
mod diff;
mod discover;
mod dns;
mod explain;
mod graph;
mod import;
mod lint;
mod remote_secret;
mod render;

use crate::args::mesh::Mesh;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
///
/// # Errors
/// `config/...` for the spec, `ctl/io` for files, `apply/...` for clusters.
pub(super) fn run(args: &Mesh, io: &mut Io<'_>) -> Result<Exit, Failure> {
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
        Mesh::RemoteSecret(args) => remote_secret::run(args, io),
    }
}
