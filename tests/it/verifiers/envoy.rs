//! BoringSSL's model next to BoringSSL.

use std::fs;

use meshpki::Time;
use tests::verifiers::envoy::{ENVOY, Envoy, OLDER};
use tests::verifiers::{self, Difference, Verifier};
use tests::world::Pki;
use tests::{judges, shared};

/// The first of 300 seeds; `cargo xtask verifiers` runs as many as there is time for.
const SEED: u64 = 42;

#[test]
fn random_pkis() {
    for verifier in [&ENVOY, &OLDER] {
        let Some(summary) = verifiers::runs(verifier, SEED..SEED + 300) else { return };
        let differ = summary.verdicts.iter().chain(&summary.reasons);
        let shown: Vec<String> = differ.take(5).map(show).collect();
        assert!(shown.is_empty(), "{}\n{}", verifier.name(), shown.join("\n"));
        assert!(summary.good > 30, "{:?}", summary.classes);
    }
}

fn show(one: &Difference) -> String {
    format!("{}\n  ours:   {:?}\n  theirs: {:?}", one.pki.name, one.ours, one.theirs)
}

/// What once differed, without a judge; with one, the recorded answers are asked for again.
#[test]
fn what_once_differed() {
    for verifier in [ENVOY, OLDER] {
        let recorded = recorded(verifier.name());
        for (pki, answer) in &recorded {
            check(verifier, pki, answer);
        }
        let Some(mut judge) = verifier.judge() else { continue };
        for (pki, answer) in &recorded {
            let told = judge.ask(pki).map(|(class, words)| format!("refused {class} {words}"));
            assert_eq!(told.as_deref().unwrap_or("ok"), answer, "{}", pki.name);
        }
    }
}

fn check(verifier: Envoy, pki: &Pki, answer: &str) {
    let ours = verifier.ours(pki);
    let agrees = match (answer.strip_prefix("refused "), &ours) {
        (None, Ok(())) => true,
        (Some(refusal), Err(why)) => {
            let (class, words) = refusal.split_once(' ').unwrap_or((refusal, ""));
            verifier.agrees(why, class, words)
        }
        _ => false,
    };
    assert!(agrees, "{}: {ours:?}, recorded {answer:?}", pki.name);
}

/// Questions and answers of `fixtures/verifiers`; the comment above is the name.
fn recorded(name: &str) -> Vec<(Pki, String)> {
    let path = shared::root().join(format!("fixtures/verifiers/{name}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let (mut all, mut comment) = (Vec::new(), "");
    while let Some(line) = lines.next() {
        match line.strip_prefix("# ") {
            Some(text) => comment = text,
            None => {
                all.push((question(comment, line), lines.next().expect("an answer").to_owned()))
            }
        }
    }
    all
}

fn question(name: &str, line: &str) -> Pki {
    let words: Vec<&str> = line.split(' ').collect();
    let [at, leaf, intermediates, roots, crls] = words[..] else { panic!("{line}") };
    let list = |text: &str| match text {
        "-" => Vec::new(),
        text => text.split(',').map(unhex).collect(),
    };
    Pki {
        name: name.to_owned(),
        at: Time(at.parse().expect("seconds")),
        leaf: unhex(leaf),
        intermediates: list(intermediates),
        roots: list(roots),
        crls: list(crls),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The judge of a release that has none is missing, not another's.
#[test]
fn releases_without_a_judge() {
    let release = meshpki::verify::boringssl::Release::V1_39;
    assert!(judges::boringssl::judge(release).is_none());
}
