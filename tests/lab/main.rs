//! The repository's tools that link the product or know its judges; `cargo xtask NAME` runs them.

mod calls;
mod clusters;
mod demo;
mod differential;
mod dist;
mod fixtures;
mod fuzz;
mod judge;
mod man;
mod programs;
mod releases;
mod rig;
mod seeds;
mod site;
mod verifiers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["calls", rest @ ..] => calls::run(rest),
        ["clusters", rest @ ..] => clusters::run(rest),
        ["demo", rest @ ..] => demo::run(rest),
        ["differential", rest @ ..] => differential::run(rest),
        ["dist", rest @ ..] => dist::run(rest),
        ["fixtures", rest @ ..] => fixtures::run(rest),
        ["judge"] => judge::run(),
        ["man", dir] => man::run(dir),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["rig"] => rig::run(),
        ["site", rest @ ..] => site::run(rest),
        ["verifiers", rest @ ..] => verifiers::run(rest),
        _ => Err("unknown command; `cargo xtask` lists them".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}
