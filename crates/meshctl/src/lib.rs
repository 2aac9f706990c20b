//! `meshctl`: CA certificates for Istio on many clusters. Effects live here: files and the terminal.
//!
//! The command's library for its own binary and tests; nothing in it is a stable interface.

pub mod args;
mod authority;
pub mod codes;
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
mod system;
mod terminal;
mod text;

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;

pub use authority::signer::answer::Answer;
pub use authority::signer::uri::TokenUri;
use exit::Exit;
use failure::Failure;
pub use io::Io;
use io::Voice;

/// Runs one command line (without the program's name) and returns its exit status.
pub fn run(args: &[OsString], io: &mut Io<'_>) -> u8 {
    let help = OsString::from("--help");
    let typed = match args {
        [] => return start(Exit::Usage, io),
        [help] if help == "help" => return start(Exit::Good, io),
        // `help ca init` is `ca init --help`.
        [first, rest @ ..] if first == "help" => [rest, &[help]].concat(),
        _ => args.to_vec(),
    };
    match args::read(&typed) {
        Ok(cli) => {
            io.set_up(cli.color.typed(), cli.voice());
            finish(commands::run(cli.command, io), io)
        }
        Err(error) => {
            io.set_up(typed_color(&typed), Voice::Normal);
            usage(&error, io)
        }
    }
}

/// The three commands to begin with: as the result if they were asked for, otherwise as a message.
fn start(exit: Exit, io: &mut Io<'_>) -> u8 {
    io.set_up(None, Voice::Normal);
    show(args::START, exit == Exit::Good, io);
    exit as u8
}

/// The wish for colors on a command line that is not valid.
fn typed_color(typed: &[OsString]) -> Option<bool> {
    let texts: Vec<_> = typed.iter().map(|text| text.to_string_lossy()).collect();
    let is = |value: &str| {
        texts.iter().any(|text| *text == format!("--color={value}"))
            || texts.windows(2).any(|pair| pair[0] == "--color" && pair[1] == value)
    };
    if is("never") { Some(false) } else { is("always").then_some(true) }
}

fn show(text: &str, is_result: bool, io: &mut Io<'_>) {
    let in_color = if is_result { io.color.out } else { io.color.err };
    let stream: &mut dyn Write = if is_result { io.out } else { io.err };
    // The exit status is the same whether or not the stream is still open.
    let _ = stream.write_all(text::painted(text, in_color).as_bytes());
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
    show(&text, is_help, io);
    if is_help { 0 } else { Exit::Usage as u8 }
}
