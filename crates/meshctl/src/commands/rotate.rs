//! `meshctl rotate ...`.

mod crl;
mod intermediate;
mod root;

use crate::args::Rotate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
pub(crate) fn run(command: &Rotate, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match command {
        Rotate::Intermediate(args) => intermediate::run(args, io),
        Rotate::Crl(args) => crl::run(args, io),
        Rotate::Root(command) => root::run(command, io),
    }
}
