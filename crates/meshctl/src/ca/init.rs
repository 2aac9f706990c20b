//! stub
use crate::args::Init;
use crate::report::Failure;
use crate::{Exit, Io};

/// Runs the command.
pub fn run(_args: &Init, _io: &mut Io<'_>) -> Result<Exit, Failure> {
    Ok(Exit::Failed)
}
