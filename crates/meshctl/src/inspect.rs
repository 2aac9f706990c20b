//! `meshctl ca inspect`.

use crate::args::Inspect;
use crate::report::Failure;
use crate::{Exit, Io};

/// Runs the command.
pub fn run(_args: &Inspect, _io: &mut Io<'_>) -> Result<Exit, Failure> {
    Ok(Exit::Failed)
}
