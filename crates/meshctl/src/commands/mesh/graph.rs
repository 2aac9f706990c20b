//! `meshctl mesh graph`: the calls between clusters, as a picture.

use std::collections::BTreeSet;

use meshconfig::graph::Graph;

use crate::args::mesh::{self, Picture};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::spec;

/// Runs the command.
pub(super) fn run(args: &mesh::Graph, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let mut services = BTreeSet::new();
    for named in &args.service {
        let (namespace, name) = spec::service(&mesh, named)?;
        services.insert(format!("{namespace}/{name}"));
    }
    let graph = Graph::new(&mesh, &services);
    let text = match args.output {
        Picture::Mermaid => graph.mermaid(),
        Picture::Dot => graph.dot(),
        Picture::Svg => spec::picture::svg(&graph),
    };
    io.print(&text)?;
    Ok(Exit::Good)
}
