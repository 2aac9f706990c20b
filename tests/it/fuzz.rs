//! The fuzz targets on their corpus and on mutations of it, the same every time; `cargo xtask fuzz` does the rest.

use tests::fuzz::{Kind, TARGETS, corpus};
use tests::random::Random;

/// No target panics.
#[test]
fn smoke() {
    for target in &TARGETS {
        let seeds = corpus::seeds(target);
        let fewest = if matches!(target.kind, Kind::Der) { 100 } else { 1 };
        assert!(seeds.len() >= fewest, "{} starts from {}", target.name, seeds.len());
        seeds.iter().for_each(|data| (target.run)(data));
        let mut random = Random::new(7);
        for _ in 0..target.tries {
            let data = &seeds[random.below(seeds.len())];
            (target.run)(&target.mutated(&mut random, data));
        }
    }
}

/// Every target has a corpus of its own in `fuzz/corpus`, small enough to be read, and no corpus lacks a target.
#[test]
fn corpus_is_kept_for_every_target() {
    let folder = tests::shared::root().join("fuzz/corpus");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    targets.sort_unstable();
    assert_eq!(names, targets);
    for target in &TARGETS {
        let kept = corpus::kept(target.name);
        assert!(!kept.is_empty(), "{} has a file", target.name);
        let bytes: usize = kept.iter().map(Vec::len).sum();
        assert!(bytes < 256 << 10, "{}: {bytes} bytes", target.name);
    }
}
