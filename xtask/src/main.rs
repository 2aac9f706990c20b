//! The repository's own tools: `cargo xtask NAME`.

mod ci;
mod layers;
mod prose;
mod rust_text;
mod supply;
mod tidy;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask ci [--without-rig]                     install what the tests need, then run everything that CI runs;
                                                   --without-rig skips the tests on real clusters
cargo xtask calls [--runs N] [--seed S]            compare what lint says of random meshes with faults with what
                                                   istiod's own generators make of them
cargo xtask clusters [NAME]...                     start real clusters with Istio to try commands on, until Enter is
                                                   pressed (default east and west)
cargo xtask demo [--short] [--record FILE]         show two real clusters that become one mesh and get new CAs and a new
                                                   root while calls are counted; --record writes an asciicast
cargo xtask judge                                  find the reference openssl of each release, or download it into
                                                   a cache outside the clone, without installing it
cargo xtask differential [--openssl 3.0,3.5] [--runs N] [--seed S]
                                                   compare random PKIs with those openssl (default: with all)
cargo xtask dist [--only PART]... [--target TRIPLE]... [--program FILE] [--url URL] [--check]
                                                   build everything that a release has, into dist/, for each machine
                                                   (default x86_64 Linux); --url is where the manifests find the
                                                   archives; --check opens each artifact with its judge, needs --url and
                                                   root; docs/install.md lists parts and judges
cargo xtask dist --twice [--target TRIPLE]...      build the program again in another folder, and compare
cargo xtask fixtures [--openssl 3.0,3.5] [--check] record fixtures/verify and fixtures/corpora with them, or compare
cargo xtask fuzz [--minutes N] [--jobs J] [--target NAME]... [--blind]
                                                   run every fuzz target, N minutes in total (default 10); see CONTRIBUTING.md
cargo xtask fuzz --replay NAME FILE...             run one target on findings
cargo xtask examples                               run the examples that the tests' build has built
cargo xtask man DIR                                write the manual pages of every command to a folder
cargo xtask rig                                    build the components of test clusters once, into a cache outside the clone
cargo xtask site [--look]                          build the documentation as a site into target/site, and check its links;
                                                   --look opens every page in Chromium
cargo xtask verifiers [--as NAME] [--runs N] [--seed S]
                                                   compare what Go and Envoy say of random PKIs with our models of them
cargo xtask tidy                                   check what the compiler does not: dependency direction, layers, purity, file
                                                   sizes, licenses and sources, and the phrases of docs/STYLE.md
cargo xtask tidy --prose PATH                      list the phrases to rewrite below a file or folder";

/// Runs a tool that links the product (`tests/lab`), with the exit status of that tool.
fn lab(args: &[&str]) -> ExitCode {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--locked", "--package", "tests", "--bin", "lab", "--"])
        .args(args);
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["ci"] => ci::run(true),
        ["ci", "--without-rig"] => ci::run(false),
        [
            "calls" | "clusters" | "demo" | "differential" | "dist" | "fixtures" | "judge" | "fuzz"
            | "man" | "rig" | "site" | "verifiers",
            ..,
        ] => return lab(&args),
        ["examples"] => ci::examples(),
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
