//! The repository's own tools: `cargo xtask`.

mod differential;
mod fixtures;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["differential", rest @ ..] => differential::run(rest),
        ["fixtures", rest @ ..] => fixtures::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask differential [--runs N] [--seed S]   random PKIs against the installed openssl
       cargo xtask fixtures [--check]                   record (or compare) fixtures/verify with it";
