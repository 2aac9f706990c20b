//! `meshctl mesh import`: resources of other tools as a spec.

use std::path::Path;

use meshconfig::import::{Lost, import};

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
    let release = args.istio.map(|version| version.to_string());
    let imported =
        import(&texts, release.as_deref()).map_err(|error| spec::failure(error, first, ""))?;
    for lost in &imported.lost {
        io.say(format_args!("not converted: {}", safe(&line(lost))));
    }
    let restrictions = imported.lost.iter().filter(|lost| lost.restricts).count();
    if restrictions > 0 {
        io.say(format_args!(
            "more calls are possible than before: {restrictions} of the settings above restricted them"
        ));
    }
    if imported.spec.clusters.is_empty() {
        io.say(format_args!("no spec: none of these resources names a cluster or a service"));
        return Ok(Exit::No);
    }
    io.print(&imported.spec.yaml())?;
    Ok(if restrictions > 0 { Exit::No } else { Exit::Good })
}

/// What was lost: its resource, its field, why, and the next step.
fn line(lost: &Lost) -> String {
    let next = hints::mesh::import(lost).map(|next| format!("; {next}")).unwrap_or_default();
    let place = [&lost.resource, &lost.field].into_iter().filter(|part| !part.is_empty());
    let place: String = place.map(|part| format!("{part}: ")).collect();
    format!("{place}{}{next}", lost.why)
}
