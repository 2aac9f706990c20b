//! Runs over a range of seeds, shared among the processors.

use std::iter::StepBy;
use std::ops::Range;
use std::thread;

/// Every `n`th seed of a range.
pub(crate) type Share = StepBy<Range<u64>>;

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

/// The result of each processor's share.
pub(crate) fn in_parallel<T: Send>(
    runs: u64,
    seed: u64,
    work: impl Fn(Share) -> T + Sync,
) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let work = &work;
    thread::scope(|scope| {
        let shares = (seed..).take(workers).map(|first| (first..seed + runs).step_by(workers));
        let started: Vec<_> = shares.map(|share| scope.spawn(move || work(share))).collect();
        started.into_iter().map(|worker| worker.join().expect("a worker ends")).collect()
    })
}
