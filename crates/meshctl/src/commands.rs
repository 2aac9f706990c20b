//! One file or folder per command. A command never uses another command; what two of them share is in a layer below.

mod ca;
mod check;
mod completions;
mod doctor;
mod explain;
mod exporter;
mod forget;
mod mesh;
mod options;
mod push;
mod report;
mod rollback;
mod rotate;
mod status;
mod trust;

use crate::args::{Command, Trust};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;

/// Runs the command.
///
/// # Errors
/// Those of each command; `Failure` has its code and exit status.
pub(crate) fn run(command: Command, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match command {
        Command::Ca(args) => ca::run(*args, io),
        Command::Check(args) => check::run(&args, io),
        Command::Push(args) => push::run(&args, io),
        Command::Rotate(command) => rotate::run(&command, io),
        Command::Rollback(args) => rollback::run(&args, io),
        Command::Forget(args) => forget::run(&args, io),
        Command::Status(args) => status::run(&args, io),
        Command::Report(args) => report::run(&args, io),
        Command::Trust(Trust::Render(args)) => trust::render(&args, io),
        Command::Trust(Trust::Bundle(args)) => trust::bundle(&args, io),
        Command::Trust(Trust::Matrix(args)) => trust::matrix(&args, io),
        Command::Trust(Trust::Plan(args)) => trust::plan(&args, io),
        Command::Trust(Trust::Next(args)) => trust::next(&args, io),
        Command::Trust(Trust::Serve(args)) => trust::serve(&args, io),
        Command::Trust(Trust::Pull(args)) => trust::pull(&args, io),
        Command::Mesh(args) => mesh::run(&args, io),
        Command::Exporter(args) => exporter::run(&args, io),
        Command::Doctor(args) => doctor::run(&args, io),
        Command::Explain(args) => explain::run(&args, io),
        Command::Completions(args) => completions::run(&args, io),
    }
}
