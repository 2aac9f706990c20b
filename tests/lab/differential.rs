//! `cargo xtask differential`: random PKIs, `openssl verify` and `meshctl ca verify` side by side.

use std::time::Instant;

use meshpki::verify::Release;
use tests::differ::{self, Difference, Summary};
use tests::shared;

use crate::{releases, seeds};

/// Number of differences to reduce and save; more of them rarely help.
const KEPT: usize = 12;

/// Runs the comparison; an error when anything differs.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (releases, args) = releases::options(args)?;
    let (runs, seed) = seeds::options(&args)?;
    crate::judge::provide(&releases)?;
    let start = Instant::now();
    let summary = summary(&releases, runs, seed);
    println!(
        "{} runs from seed {seed} in {:.0?}: {} accepted by both, {} undecided, {} different",
        summary.runs,
        start.elapsed(),
        summary.good,
        summary.undecided.len(),
        summary.differences.len()
    );
    println!("codes: {:?}", summary.codes);
    if !summary.undecided.is_empty() {
        println!("undecided: {}", summary.undecided.join(", "));
    }
    if summary.differences.is_empty() {
        return Ok(());
    }
    let topics = shared::root().join("fixtures/verify");
    for difference in summary.differences.iter().take(KEPT) {
        let small = difference.clone().shrunk();
        small.save(&topics);
        println!("{}", described(&small));
    }
    Err(format!("saved in {}", topics.display()))
}

/// Every processor has its share of the seeds.
fn summary(releases: &[Release], runs: u64, seed: u64) -> Summary {
    let mut all = Summary::default();
    let work = |share| differ::runs(releases, share);
    seeds::in_parallel(runs, seed, work).into_iter().for_each(|part| all.add(part));
    all.differences.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    all
}

fn described(difference: &Difference) -> String {
    let Difference { release, case, ours, theirs } = difference;
    format!(
        "\n{}: {} verify {}\n  openssl {}: {:?} {:?}\n  meshctl {}: {:?} {:?}",
        case.name,
        release.name(),
        case.args.join(" "),
        theirs.exit,
        theirs.stdout,
        theirs.stderr,
        ours.exit,
        ours.stdout,
        ours.stderr
    )
}
