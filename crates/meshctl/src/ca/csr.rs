//! stub
use crate::args::CsrArgs;
use crate::report::Failure;
use crate::{Exit, Io};

/// Runs the command.
pub fn run(_args: &CsrArgs, _io: &mut Io<'_>) -> Result<Exit, Failure> {
    Ok(Exit::Failed)
}
