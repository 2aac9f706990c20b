#![no_main]
//! One binary for every target: `MESH_FUZZ_TARGET` names the one to run, the rest is libFuzzer's command line.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tests::fuzz::{self, Target};
use tests::random::Random;

/// The time one input may take, of the processor and not of the clock: what takes more is a finding.
const LIMIT: Duration = Duration::from_secs(1);

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("MESH_FUZZ_TARGET").unwrap_or_default();
    fuzz::named(&name)
        .unwrap_or_else(|| panic!("MESH_FUZZ_TARGET is `{name}`, expected the name of a target"))
});

fuzz_target!(init: LazyLock::force(&TARGET), |data: &[u8]| {
    let start = Instant::now();
    (TARGET.run)(data);
    if start.elapsed() > LIMIT {
        // Others may have had the processor: only a second time says what the input takes.
        let start = busy();
        (TARGET.run)(data);
        let spent = busy().saturating_sub(start);
        assert!(spent < LIMIT, "{} bytes take {spent:?}", data.len());
    }
});

// Half of the changes know the structure; the other half are libFuzzer's, which knows what comparisons failed.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(seed.into());
    if random.one_in(2) {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = TARGET.mutated(&mut random, &data[..size]);
    let kept = changed.len().min(max_size);
    data[..kept].copy_from_slice(&changed[..kept]);
    kept
});

/// What this thread has had of the processor (Linux: `Documentation/scheduler/sched-stats.rst`).
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}
