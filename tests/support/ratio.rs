//! Speed as a ratio: two jobs timed alternately in one run, so that other load on the machine affects both.

use std::time::{Duration, Instant};

/// Rounds of each job.
const ROUNDS: usize = 15;

/// The minimum duration of a round.
const ROUND: Duration = Duration::from_millis(60);

/// Measures `ours` against `peer` and prints one line; `limit` is the promised ratio and is only printed.
///
/// With `--test` in the arguments (`cargo bench -- --test`) each job runs once, to check that it works.
pub fn compare<A, B>(
    what: &str,
    limit: f64,
    mut ours: impl FnMut() -> A,
    mut peer: impl FnMut() -> B,
) {
    if std::env::args().any(|arg| arg == "--test") {
        std::hint::black_box(ours());
        std::hint::black_box(peer());
        println!("{what}: ran");
        return;
    }
    let (count_ours, count_peer) = (count(&mut ours), count(&mut peer));
    let (mut times_ours, mut times_peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times_ours.push(time(count_ours, &mut ours));
        times_peer.push(time(count_peer, &mut peer));
    }
    let (a, b) = (median(times_ours), median(times_peer));
    let verdict = if a <= b * limit { "within" } else { "OVER" };
    println!("{what}: {} against {}, ratio {:.3} ({verdict} {limit})", show(a), show(b), a / b);
}

/// How many times a job runs in one round.
fn count<T>(job: &mut impl FnMut() -> T) -> u32 {
    let start = Instant::now();
    std::hint::black_box(job());
    let once = start.elapsed().max(Duration::from_nanos(100));
    u32::try_from(ROUND.as_nanos() / once.as_nanos()).unwrap_or(1).max(1)
}

/// Seconds of one run of the job.
fn time<T>(count: u32, job: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        std::hint::black_box(job());
    }
    start.elapsed().as_secs_f64() / f64::from(count)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn show(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
