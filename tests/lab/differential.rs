//! `cargo xtask differential`: random PKIs, `openssl verify` and `meshctl ca verify` side by side.

use std::thread;
use std::time::Instant;

use tests::differ::{self, Difference, Summary};
use tests::shared;

/// Number of differences to reduce and save; more of them rarely help.
const KEPT: usize = 12;

/// Runs the comparison; an error when anything differs.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (runs, seed) = options(args)?;
    crate::judge::run()?;
    let start = Instant::now();
    let summary = in_parallel(runs, seed);
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

/// `--runs` and `--seed`; default 2,000 and 1.
pub(crate) fn options(args: &[&str]) -> Result<(u64, u64), String> {
    let (mut runs, mut seed) = (2000, 1);
    for pair in args.chunks(2) {
        let number = |text: &str| text.parse::<u64>().map_err(|e| format!("{text}: {e}"));
        match pair {
            ["--runs", n] => runs = number(n)?,
            ["--seed", n] => seed = number(n)?,
            other => return Err(format!("unknown option {other:?}")),
        }
    }
    Ok((runs, seed))
}

/// Every processor has its share of the seeds.
fn in_parallel(runs: u64, seed: u64) -> Summary {
    let workers = thread::available_parallelism().map_or(2, |n| n.get() as u64);
    let worker = |i: u64| move || differ::runs((seed + i..seed + runs).step_by(workers as usize));
    let handles: Vec<_> = (0..workers).map(|i| thread::spawn(worker(i))).collect();
    let mut all = Summary::default();
    for handle in handles {
        all.add(handle.join().expect("a worker ends"));
    }
    all.differences.sort_by(|a, b| a.case.name.cmp(&b.case.name));
    all
}

fn described(difference: &Difference) -> String {
    let Difference { case, ours, theirs } = difference;
    format!(
        "\n{}: openssl verify {}\n  openssl {}: {:?} {:?}\n  meshctl {}: {:?} {:?}",
        case.name,
        case.args.join(" "),
        theirs.exit,
        theirs.stdout,
        theirs.stderr,
        ours.exit,
        ours.stdout,
        ours.stderr
    )
}
