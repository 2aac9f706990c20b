//! `meshctl completions`: prints the completion script of a shell.

use crate::args::{self, Completions};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
pub(super) fn run(args: &Completions, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), &args.name, &mut script);
    io.print(&args::one_dash(&String::from_utf8_lossy(&script)))?;
    Ok(Exit::Good)
}
