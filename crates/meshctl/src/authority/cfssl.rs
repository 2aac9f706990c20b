//! cfssl's JSON files on the command line: every trap is reported with its line, and an error ends the command.

use std::path::Path;

use meshpki::cfssl::{CsrFile, Outcome, Severity, SigningConfig, SigningProfile, Trap};

use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Reads `ca.json` or `intermediate-ca.json`.
pub(crate) fn csr_file(path: &Path, io: &mut Io<'_>) -> Result<CsrFile, Failure> {
    let text = text(path, io)?;
    take(CsrFile::parse(&text), path, io)
}

/// Reads a profile of `cfssl.json`; without a name cfssl's `default`.
pub(crate) fn profile(
    path: &Path,
    name: Option<&str>,
    io: &mut Io<'_>,
) -> Result<SigningProfile, Failure> {
    let text = text(path, io)?;
    let config = take(SigningConfig::parse(&text), path, io)?;
    take(config.profile(name), path, io)
}

/// Reports the traps; continues with the value if none of them is an error.
pub(crate) fn take<T>(outcome: Outcome<T>, path: &Path, io: &mut Io<'_>) -> Result<T, Failure> {
    let (value, mut traps) = match outcome {
        Ok((value, traps)) => (Some(value), traps),
        Err(traps) => (None, traps),
    };
    // The last error is the failure itself; everything else is printed before it.
    let last =
        traps.iter().rposition(|trap| trap.severity == Severity::Error).map(|i| traps.remove(i));
    for trap in &traps {
        let told = failure(trap, path);
        match trap.severity {
            Severity::Warning => io.warn(&told),
            Severity::Error => drop(io.err.write_all(told.text().as_bytes())),
        }
    }
    match (value, last) {
        (Some(value), None) => Ok(value),
        (_, Some(trap)) => Err(failure(&trap, path)),
        (None, None) => Err(Failure::new("ctl/io", "the cfssl file is not valid").in_file(path)),
    }
}

fn failure(trap: &Trap, path: &Path) -> Failure {
    Failure::new(trap.code, trap.message.clone())
        .within(format!("{}, line {}", path.display(), trap.line))
        .hint(&trap.hint)
}

fn text(path: &Path, io: &mut Io<'_>) -> Result<String, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let text = std::str::from_utf8(&bytes);
    text.map(str::to_owned).map_err(|error| {
        Failure::new("ctl/io", "the file is not valid UTF-8")
            .in_file(path)
            .because(error.to_string())
    })
}
