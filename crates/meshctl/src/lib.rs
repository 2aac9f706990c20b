//! `meshctl`: CA certificates for Istio on many clusters. Effects live here: files and the terminal.

pub mod args;
pub mod ca;
pub mod check;
mod clusters;
pub mod expiry;
pub mod files;
mod forget;
pub mod inspect;
mod interrupt;
pub mod io;
mod live;
pub mod mesh;
mod openssl_args;
mod place;
mod rbac;
pub mod report;
pub mod rollout;
mod rotate;
mod show;
pub mod status;
mod terminal;
pub mod trust;
pub mod verify;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Ca, Cli, Command};
pub use io::Io;
use report::Failure;

/// Exit status of every command but `ca verify`, which answers as openssl does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or all good.
    Good = 0,
    /// It could not be asked: input, files, a cluster out of reach.
    Failed = 1,
    /// The answer is no: a certificate failed, a renewal is due.
    No = 2,
    /// Wrong usage.
    Usage = 64,
}

/// Runs one command line (without the program's name) and returns its exit status.
pub fn run(args: &[OsString], io: &mut Io<'_>) -> u8 {
    // The way of `openssl verify`: its own option rules, and no work that is not its own.
    if let [ca, verify, rest @ ..] = args
        && ca == "ca"
        && verify == "verify"
    {
        return verify::run(rest, io);
    }
    let name = OsString::from("meshctl");
    match Cli::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(cli) => finish(dispatch(cli.command, io), io),
        Err(error) => usage(&error, io),
    }
}

fn dispatch(command: Command, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let ca = match command {
        Command::Ca(ca) => *ca,
        Command::Check(args) => return check::run(&args, io),
        Command::Push(args) => return rollout::push(&args, io),
        Command::Rotate(args::Rotate::Intermediate(args)) => return rotate::run(&args, io),
        Command::Rollback(args) => return rollout::rollback(&args, io),
        Command::Forget(args) => return forget::run(&args, io),
        Command::Status(args) => return status::run(&args, io),
        Command::Trust(args::Trust::Render(args)) => return trust::render(&args, io),
        Command::Mesh(args) => return mesh::run(&args, io),
    };
    match ca {
        Ca::Init(args) => ca::init::run(&args, io),
        Ca::Csr(args) => ca::csr::run(&args, io),
        Ca::Sign(args) => ca::sign::run(&args, io),
        Ca::Chain(args) => ca::chain::run(&args, io),
        Ca::Inspect(args) => inspect::run(&args, io),
        Ca::Expiry(args) => expiry::run(&args, io),
        Ca::Renew(args) => ca::renew::run(&args, io),
        Ca::Verify { .. } => Ok(Exit::Usage),
    }
}

fn finish(result: Result<Exit, Failure>, io: &mut Io<'_>) -> u8 {
    let exit = result.unwrap_or_else(|failure| {
        // A standard error that is gone cannot be told anything.
        let _ = io.err.write_all(failure.text().as_bytes());
        failure.status()
    });
    exit as u8
}

fn usage(error: &clap::Error, io: &mut Io<'_>) -> u8 {
    let text = error.render().to_string();
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let stream: &mut dyn Write = if is_help { io.out } else { io.err };
    // The exit status says it too.
    let _ = stream.write_all(text.as_bytes());
    if is_help { 0 } else { Exit::Usage as u8 }
}
