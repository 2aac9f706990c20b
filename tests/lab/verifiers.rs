//! `cargo xtask verifiers`: random PKIs, each verifier of a mesh and our model of it side by side.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Instant;

use tests::shared;
use tests::verifiers::{self, Difference, Summary, Verifier};

use crate::seeds;

/// Number of differences to reduce and save; more of them rarely help.
const KEPT: usize = 8;

/// Runs the comparison for one verifier or all; an error when anything differs.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (names, rest) = match args {
        ["--as", name, rest @ ..] => (Some(*name), rest),
        rest => (None, rest),
    };
    let (runs, seed) = seeds::options(rest)?;
    let chosen: Vec<&dyn Verifier> = verifiers::ALL
        .iter()
        .copied()
        .filter(|verifier| names.is_none_or(|name| name == verifier.name()))
        .collect();
    if chosen.is_empty() {
        let known: Vec<&str> = verifiers::ALL.iter().map(|verifier| verifier.name()).collect();
        return Err(format!("--as takes one of: {}", known.join(", ")));
    }
    let mut differ = false;
    for verifier in chosen {
        differ |= compare(verifier, runs, seed)?;
    }
    if differ { Err("models and verifiers differ".to_owned()) } else { Ok(()) }
}

fn compare(verifier: &'static dyn Verifier, runs: u64, seed: u64) -> Result<bool, String> {
    let start = Instant::now();
    let summary = summary(verifier, runs, seed)?;
    println!(
        "{}: {} runs from seed {seed} in {:.0?}: {} accepted by both, {} verdicts and {} reasons differ",
        verifier.name(),
        summary.runs,
        start.elapsed(),
        summary.good,
        summary.verdicts.len(),
        summary.reasons.len()
    );
    println!("classes: {:?}", summary.classes);
    let all = summary.verdicts.iter().chain(&summary.reasons);
    for difference in all.take(KEPT) {
        let small = difference.clone().shrunk(verifier);
        save(verifier, &small)?;
        println!("{}\n  ours:   {:?}\n  theirs: {:?}", small.pki.name, small.ours, small.theirs);
    }
    Ok(!summary.verdicts.is_empty() || !summary.reasons.is_empty())
}

/// Every processor has its share of the seeds.
fn summary(verifier: &'static dyn Verifier, runs: u64, seed: u64) -> Result<Summary, String> {
    let mut all = Summary::default();
    for part in seeds::in_parallel(runs, seed, |share| verifiers::runs(verifier, share)) {
        all.add(part.ok_or_else(|| format!("the judge of {} is missing", verifier.name()))?);
    }
    Ok(all)
}

/// Appends a difference to the fixtures.
fn save(verifier: &dyn Verifier, difference: &Difference) -> Result<(), String> {
    let path = shared::root().join(format!("fixtures/verifiers/{}.txt", verifier.name()));
    let failed = |error| format!("{}: {error}", path.display());
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    file.write_all(difference.fixture().as_bytes()).map_err(failed)
}
