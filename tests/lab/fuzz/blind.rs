//! The targets without libFuzzer: structured mutations of the corpus, one input after the other.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::fuzz::{Target, corpus};
use tests::random::Random;

use super::{folder, made};

/// This program as a child process for one target: a crash or a hang ends only the child and leaves its input behind.
pub(super) fn command(target: &Target, seconds: u64, round: usize) -> Command {
    let this = std::env::current_exe().unwrap_or_else(|error| panic!("this program: {error}"));
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let mut command = Command::new(this);
    command
        .args(["fuzz", "--in-process", target.name, &seconds.to_string()])
        .arg((since + round as u64).to_string());
    command
}

/// Runs mutated inputs until the time is up. The current input is in a file, which is removed after the last one.
pub(super) fn run(target: &'static Target, seconds: &str, seed: &str) -> Result<(), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (limit, seed) = (Duration::from_secs(number(seconds)?), number(seed)?);
    let path = made(folder("findings", target)).join(format!("blind-{seed}"));
    let seeds = corpus::seeds(target);
    let mut random = Random::new(seed);
    let (start, mut runs) = (Instant::now(), 0_u64);
    while start.elapsed() < limit {
        let mut data = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            data = target.mutated(&mut random, &data);
        }
        fs::write(&path, &data).map_err(|error| format!("{}: {error}", path.display()))?;
        (target.run)(&data);
        runs += 1;
    }
    eprintln!("#{runs} blind, seed {seed}");
    fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))
}
