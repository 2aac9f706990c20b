//! Recorded runs of the real `openssl verify` of each release on x509-limbo and BetterTLS, compared byte for byte.

use meshpki::verify::Release;
use tests::corpora;

/// x509-limbo: 208 testcases with three command lines each.
#[test]
fn limbo() {
    replay("limbo", 624);
}

/// BetterTLS: path building and name constraints.
#[test]
fn bettertls() {
    replay("bettertls", 2356);
}

fn replay(name: &str, expected: usize) {
    let mut runs = 0;
    let mut different = Vec::new();
    corpora::load(name).each(|recorded, dir| {
        runs += 1;
        for (release, theirs) in Release::ALL.iter().zip(&recorded.printed) {
            let ours = recorded.case.ours(*release, dir);
            if ours != *theirs {
                let (case, args) = (&recorded.case.name, &recorded.case.args);
                different.push(format!(
                    "{} {case}: {args:?}\n  ours:   {ours:?}\n  theirs: {theirs:?}",
                    release.name()
                ));
            }
        }
    });
    assert_eq!(runs, expected, "recorded runs");
    let shown = different.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} differ; the first:\n{shown}", different.len());
}
