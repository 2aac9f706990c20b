//! The `meshctl` binary: makes the [`Io`] of this process and runs one command.

use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use meshctl::Io;
use meshctl::io::Color;

fn main() -> ExitCode {
    meshctl::io::forbid_core_files();
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    let has_colors = meshctl::io::has_colors();
    let status = meshctl::run(
        &args,
        &mut Io {
            now: meshctl::io::system_time(),
            stdin: &mut std::io::stdin().lock(),
            out: &mut out,
            err: &mut std::io::stderr().lock(),
            can_ask: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            has_terminal: meshctl::io::has_terminal,
            progress: std::io::stderr().is_terminal(),
            color: Color {
                out: std::io::stdout().is_terminal() && has_colors,
                err: std::io::stderr().is_terminal() && has_colors,
            },
            voice: meshctl::io::Voice::Normal,
            env: &|name| std::env::var(name).ok(),
        },
    );
    // A reader that has gone away (`meshctl .. | head`) is not a failure.
    let _ = out.flush();
    ExitCode::from(status)
}
