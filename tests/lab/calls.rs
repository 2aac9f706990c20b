//! `cargo xtask calls`: random meshes, and next to what istiod's generators make of them, what `lint` says with faults and
//! `explain` without.

use std::time::Instant;

use tests::calls::{case, differences, fatal, ours, request, sound_case, wanted};
use tests::judges::xds;

/// Number of differences to show.
const SHOWN: usize = 5;
/// Number of meshes after which the judge starts again: it keeps what it was asked.
const PER_JUDGE: u64 = 500;

/// Runs the comparison; an error when anything differs.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let (runs, seed) = crate::seeds::options(args)?;
    let start = Instant::now();
    let mut judge = xds().ok_or("the rig is missing; `cargo xtask rig` builds it")?;
    let (mut calls, mut lost, mut different) = (0, 0, Vec::new());
    for seed in seed..seed + runs {
        if seed % PER_JUDGE == 0 {
            judge = xds().ok_or("the rig is missing")?;
        }
        let case = case(seed);
        let problems = ours(&case);
        let all = wanted(&case, &judge.ask(&request(&case)));
        let failed: Vec<&str> =
            all.iter().filter(|call| !call.arrives).map(|call| call.what.as_str()).collect();
        calls += all.len();
        lost += failed.len();
        let found = fatal(&problems);
        if found.is_empty() != failed.is_empty() {
            let lines: Vec<String> =
                found.iter().map(|p| format!("{} {}: {}", p.code, p.resource, p.message)).collect();
            different.push(format!(
                "seed {seed}\n{}faults: {:#?}\nlint: {lines:#?}\nistiod: {failed:#?} of {}",
                case.spec,
                case.faults,
                all.len()
            ));
        }
        let case = sound_case(seed);
        let differences = differences(&case, &judge.ask(&request(&case)));
        if !differences.is_empty() {
            different.push(format!("seed {seed}\n{}{differences:#?}", case.spec));
        }
    }
    println!(
        "{runs} meshes from seed {seed} in {:.0?}: {calls} calls, {lost} do not arrive, {} different",
        start.elapsed(),
        different.len()
    );
    for difference in different.iter().take(SHOWN) {
        println!("\n{difference}");
    }
    if different.is_empty() { Ok(()) } else { Err("lint or explain and istiod differ".to_owned()) }
}
