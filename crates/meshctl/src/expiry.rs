//! `meshctl ca expiry`.

use crate::args::Expiry;
use crate::report::Failure;
use crate::{Exit, Io};

/// Runs the command.
pub fn run(_args: &Expiry, _io: &mut Io<'_>) -> Result<Exit, Failure> {
    Ok(Exit::Failed)
}
