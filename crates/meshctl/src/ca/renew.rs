//! stub
use crate::args::Renew;
use crate::report::Failure;
use crate::{Exit, Io};

/// Runs the command.
pub fn run(_args: &Renew, _io: &mut Io<'_>) -> Result<Exit, Failure> {
    Ok(Exit::Failed)
}
