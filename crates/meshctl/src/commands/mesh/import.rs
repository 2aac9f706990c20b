//! `meshctl mesh import`: Service Mesh Hub's resources as a spec.

use std::path::Path;

use meshconfig::import::import;

use crate::args::mesh::Import;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::io::Io;
use crate::spec;
use crate::text::safe;

/// Runs the command.
pub(super) fn run(args: &Import, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut texts = Vec::new();
    for file in &args.files {
        let text = spec::text(file, io)?;
        // An error names this file; the import parses all of them again.
        meshconfig::resource::documents(&text)
            .map_err(|error| spec::failure(error, file, &text))?;
        texts.push(text);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let first = args.files.first().map_or(Path::new("-"), |file| file.as_path());
    let imported =
        import(&texts, &args.istio.to_string()).map_err(|error| spec::failure(error, first, ""))?;
    for lost in &imported.lost {
        let place =
            if lost.resource.is_empty() { String::new() } else { format!("{}: ", lost.resource) };
        let field = if lost.field.is_empty() { String::new() } else { format!("{}: ", lost.field) };
        let next = hints::mesh::import(lost).map(|next| format!("; {next}")).unwrap_or_default();
        io.say(format_args!(
            "not converted: {}",
            safe(&format!("{place}{field}{}{next}", lost.why))
        ));
    }
    io.print(&imported.spec.yaml())?;
    Ok(Exit::Good)
}
