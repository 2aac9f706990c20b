//! `fixtures/verify`: what the real `openssl verify` of each release printed, case by case; openssl is not needed here.

use std::collections::BTreeSet;
use std::fs;

use meshpki::verify::Release;
use tests::cases::{self, Recorded};

/// Every case of every topic.
#[test]
fn replay() {
    let mut wrong = Vec::new();
    for topic in cases::topics() {
        for Recorded { case, printed } in cases::load(&topic) {
            let name = format!("{}/{}", topic.file_name().unwrap().display(), case.name);
            let ours = Release::ALL.map(|release| case.ours(release, &topic));
            if ours == printed && case.known.is_some() {
                wrong.push(format!("{name}: no longer differs, its `known` can go"));
            }
            for (i, release) in Release::ALL.iter().enumerate() {
                if ours[i] != printed[i] && case.known.is_none() {
                    wrong.push(format!(
                        "{} {name}: {}\n  {:?}\n  ours:   {:?}\n  theirs: {:?}",
                        release.name(),
                        case.why,
                        case.args,
                        ours[i],
                        printed[i]
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases differ\n{}", wrong.len(), wrong.join("\n"));
}

/// A case says why it is there, under a name of its own, and no file is larger than 256 KiB.
#[test]
fn cases_are_complete() {
    for topic in cases::topics() {
        let mut names = BTreeSet::new();
        for Recorded { case, .. } in cases::load(&topic) {
            assert!(case.why.len() > 10, "{}: why?", case.name);
            assert!(names.insert(case.name.clone()), "{} twice in {}", case.name, topic.display());
        }
        for entry in fs::read_dir(&topic).unwrap().flatten() {
            assert!(entry.metadata().unwrap().len() < 256 * 1024, "{}", entry.path().display());
        }
    }
}

/// Every verification code `verify` can reach has a case.
#[test]
fn every_code_has_a_case() {
    let reachable = [
        1, 2, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 23, 25, 26, 28, 32, 34, 35,
        36, 37, 38, 39, 40, 42, 43, 44, 46, 47, 48, 49, 51, 53, 54, 56, 57, 58, 59, 60, 61, 62, 63,
        64, 66, 67, 68, 72, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 92, 93, 94,
    ];
    let all: String = cases::topics()
        .iter()
        .flat_map(|t| cases::load(t))
        .flat_map(|r| r.printed)
        .map(|p| p.stderr)
        .collect();
    let missing: Vec<i32> =
        reachable.into_iter().filter(|code| !all.contains(&format!("error {code} at "))).collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
}
