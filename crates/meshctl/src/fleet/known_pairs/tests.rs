use meshpki::istiod::{Secret, Version};

use super::*;
use crate::fleet::pairs::pairs;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../../fixtures/cases/cert/11-renewed-root-same-name-new-key/clusters/",
            $name
        ))
    };
}

/// Two clusters under roots of one name; the CA of the second is under an older key of it.
fn members() -> [Owned; 2] {
    let one = |name: &str, ca, chain, root| {
        let files = [("ca-cert.pem", ca), ("cert-chain.pem", chain), ("root-cert.pem", root)];
        let secret: Secret = files.into_iter().collect();
        let facts = Facts::of_secret(&secret, Version::NEWEST, false);
        Owned { name: name.to_owned(), apart: Vec::new(), facts: Some(Arc::new(facts)) }
    };
    [
        one(
            "east",
            file!("east/ca-cert.pem"),
            file!("east/cert-chain.pem"),
            file!("east/root-cert.pem"),
        ),
        one(
            "west",
            file!("west/ca-cert.pem"),
            file!("west/cert-chain.pem"),
            file!("west/root-cert.pem"),
        ),
    ]
}

fn words(pairs: &[Pair]) -> Vec<&str> {
    let word = |pair: &Pair| match &pair.answer {
        Answer::Yes(_) => "yes",
        Answer::No(why) if why == &["known"] => "known",
        Answer::No(_) => "no",
        Answer::Unknown => "?",
    };
    pairs.iter().map(word).collect()
}

/// What is known is not verified again, until something begins, ends or changes; what is verified is what `status` finds.
#[test]
fn only_what_may_have_changed_is_verified() {
    let time = |day: &str| format!("{day}T00:00:00Z").parse::<Time>().expect("a time");
    let (now, end) = (time("2027-01-01"), time("2055-01-01"));
    let mut members = members();
    for at in [time("2024-12-31"), now, end, time("2055-06-01")] {
        let found: Vec<Pair> = pairs(&members.each_ref().map(Owned::peer), at).collect();
        let (known, _) = KnownPairs::default().pairs(&members, 9, at);
        assert_eq!(words(&known), words(&found), "{at}");
    }
    let first = |members: &[Owned; 2], at| {
        let (found, mut known) = KnownPairs::default().pairs(members, 9, at);
        for dated in known.0.values_mut() {
            dated.answer = Answer::No(vec!["known".to_owned()]);
        }
        (found, known)
    };
    let (found, known) = first(&members, now);
    assert_eq!(words(&found), ["yes", "no", "yes", "no"]);
    let (again, kept) = known.pairs(&members, 9, Time(now.0 + 1));
    assert_eq!(words(&again), ["known"; 4]);
    // As long as nothing changes, and not at the moment at which it does.
    assert_eq!(words(&kept.pairs(&members, 9, Time(end.0 - 1)).0), ["known"; 4]);
    assert_eq!(words(&known.pairs(&members, 9, end).0), ["no"; 4]);
    assert_eq!(words(&known.pairs(&members, 9, Time(end.0 + 1)).0), ["no"; 4]);
    assert_eq!(words(&known.pairs(&members, 9, time("2024-12-31")).0), ["no"; 4]);
    // An answer that was found at such a moment holds for it alone.
    let (_, known) = first(&members, end);
    assert!(words(&known.pairs(&members, 9, Time(end.0 + 1)).0).iter().all(|word| *word == "no"));
    // East gets the CA of west, and west has not answered.
    let (_, known) = first(&members, now);
    members[0].facts = members[1].facts.clone();
    assert_eq!(words(&known.pairs(&members, 9, now).0), ["known"; 4], "by what it is, not by name");
    members[1].facts = None;
    assert_eq!(words(&known.pairs(&members, 9, now).0), ["known", "?", "?", "?"]);
    assert_eq!(words(&known.pairs(&members, 2, now).0), ["known", "?"]);
}
