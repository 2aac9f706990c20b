//! The repository's own tools: `cargo xtask NAME`.

mod ci;
mod differential;
mod fixtures;
mod fuzz;
mod judge;
mod layers;
mod prose;
mod rig;
mod rust_text;
mod supply;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask ci [--without-rig]                     install what the tests need, then run everything that CI runs;
                                                   --without-rig skips the tests on real clusters
cargo xtask judge                                  find the reference openssl, or download it into a cache
                                                   outside the clone, without installing it
cargo xtask differential [--runs N] [--seed S]     compare random PKIs with that openssl
cargo xtask fixtures [--check]                     record fixtures/verify with it, or compare them
cargo xtask fuzz [--minutes N] [--jobs J] [--target NAME]... [--blind]
                                                   run every fuzz target, N minutes in total (default 10); see CONTRIBUTING.md
cargo xtask fuzz --replay NAME FILE...             run one target on findings
cargo xtask rig                                    build the components of test clusters once, into a cache outside the clone
cargo xtask tidy                                   check what the compiler does not: dependency direction, layers, purity, file
                                                   sizes, licenses and sources, and the phrases of docs/STYLE.md
cargo xtask tidy --prose PATH                      list the phrases to rewrite below a file or folder";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["ci"] => ci::run(true),
        ["ci", "--without-rig"] => ci::run(false),
        ["differential", rest @ ..] => differential::run(rest),
        ["fixtures", rest @ ..] => fixtures::run(rest),
        ["judge"] => judge::run(),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["rig"] => rig::run(),
        ["tidy"] => tidy::run(),
        ["tidy", "--prose", path] => tidy::prose(path),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(if args.is_empty() || args == ["--help"] { 0 } else { 64 });
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
