//! `meshctl`: CA certificates for Istio on many clusters. Effects live here: files and the terminal.
//!
//! The command's library for its own binary and tests; nothing in it is a stable interface.

pub mod args;
mod authority;
mod commands;
mod exit;
pub mod failure;
mod files;
mod fleet;
mod hints;
mod interrupt;
pub mod io;
mod rollout;
mod spec;
mod terminal;
mod text;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use clap::error::ErrorKind;

use args::Cli;
use exit::Exit;
use failure::Failure;
pub use io::Io;

/// Runs one command line (without the program's name) and returns its exit status.
pub fn run(args: &[OsString], io: &mut Io<'_>) -> u8 {
    // `openssl verify` has option rules of its own, so this command does not go through clap.
    if let [ca, verify, rest @ ..] = args
        && ca == "ca"
        && verify == "verify"
    {
        return commands::ca::verify::run(rest, io);
    }
    let name = OsString::from("meshctl");
    match Cli::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(cli) => finish(commands::run(cli.command, io), io),
        Err(error) => usage(&error, io),
    }
}

fn finish(result: Result<Exit, Failure>, io: &mut Io<'_>) -> u8 {
    let exit = result.unwrap_or_else(|failure| {
        io.fail(&failure);
        failure.status()
    });
    exit as u8
}

fn usage(error: &clap::Error, io: &mut Io<'_>) -> u8 {
    // The message repeats what was typed, control characters included.
    let text = error.render().to_string();
    let text: String = text.lines().map(|line| text::safe(line) + "\n").collect();
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let stream: &mut dyn Write = if is_help { io.out } else { io.err };
    // The exit status is the same whether or not the stream is still open.
    let _ = stream.write_all(text.as_bytes());
    if is_help { 0 } else { Exit::Usage as u8 }
}
