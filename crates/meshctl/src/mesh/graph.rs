//! `meshctl mesh graph`: who calls whom, as a picture.

use meshconfig::graph;

use super::args::{Graph, Picture};
use super::load;
use crate::report::Failure;
use crate::{Exit, Io, show};

/// Runs the command.
pub(super) fn run(args: &Graph, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = load::mesh(&args.source, io)?;
    let text = match args.output {
        Picture::Mermaid => graph::mermaid(&mesh),
        Picture::Dot => graph::dot(&mesh),
        Picture::Svg => graph::svg(&mesh),
    };
    show::output(&text, io)?;
    Ok(Exit::Good)
}
