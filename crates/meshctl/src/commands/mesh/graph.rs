//! `meshctl mesh graph`: the calls between clusters, as a picture.

use meshconfig::graph;

use crate::args::mesh::{Graph, Picture};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::spec;

/// Runs the command.
pub(super) fn run(args: &Graph, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let text = match args.output {
        Picture::Mermaid => graph::mermaid(&mesh),
        Picture::Dot => graph::dot(&mesh),
        Picture::Svg => graph::svg(&mesh),
    };
    io.print(&text)?;
    Ok(Exit::Good)
}
