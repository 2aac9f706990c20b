//! The fuzz targets over the fixtures and thousands of mutations of them, the same every time.

use std::fs;
use std::path::Path;

use meshpki::pem;
use tests::fuzz::{TARGETS, mutated};
use tests::random::Random;
use tests::shared;

/// Mutations given to each target.
const MUTATIONS: usize = 3000;

/// No target panics.
#[test]
fn smoke() {
    let mut files = Vec::new();
    collect(&shared::root().join("fixtures"), &mut files);
    let contents = |path| pem::decode(path).into_iter().flatten().map(|block| block.der.clone());
    let blocks: Vec<Vec<u8>> = files.iter().flat_map(|file| contents(file)).collect();
    for (name, target) in TARGETS {
        let corpus = if matches!(name, "pem" | "verify") { &files } else { &blocks };
        assert!(corpus.len() > 100, "{name} has a corpus");
        corpus.iter().for_each(|data| target(data));
        let mut random = Random::new(7);
        for _ in 0..MUTATIONS {
            let data = &corpus[random.below(corpus.len())];
            target(&mutated(&mut random, data));
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "pem" || kind == "crl") {
            files.push(fs::read(path).unwrap());
        }
    }
}
