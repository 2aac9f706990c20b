//! `Bundle::update`: every decision about a bundle and the stored one, and when to look for the next.

use std::time::Duration;

use meshpki::spiffe::{Bundle, BundleUpdate, UpdatePolicy, UpdateRefusal};
use meshpki::{Cert, KeyType, Profile, Serial, SoftKey, Stamp, TrustDomain, self_signed};

fn domain(name: &str) -> TrustDomain {
    name.parse().expect("a trust domain")
}

fn roots() -> [Cert; 2] {
    let root = |subject: &str| {
        let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
        let stamp =
            Stamp::made_at("2026-11-21T07:00:00Z".parse().expect("a time"), Serial::generate());
        self_signed(&Profile::root(subject.parse().expect("a name")), &key, stamp).expect("a root")
    };
    [root("CN=A"), root("CN=B")]
}

/// A bundle of `a`, with a sequence number; 0 for none.
fn bundle(roots: &[Cert], sequence: u64) -> Bundle {
    Bundle::new(domain("a.example"), roots.to_vec()).with_sequence(sequence)
}

#[test]
fn what_may_replace_what() {
    let [a, b] = roots();
    let (one, other, both) = ([a.clone()], [b.clone()], [b, a]);
    let turned: Vec<Cert> = both.iter().rev().cloned().collect();
    let check = |new: &Bundle, stored: Option<&Bundle>, expect| {
        assert_eq!(new.update(stored, UpdatePolicy::default()), expect, "{new:?} {stored:?}");
    };
    use BundleUpdate::{First, Replaces, Unchanged};
    check(&bundle(&one, 1), None, Ok(First));
    check(&bundle(&one, 0), None, Ok(First));
    check(&bundle(&one, 1), Some(&bundle(&one, 1)), Ok(Unchanged));
    check(&bundle(&both, 1), Some(&bundle(&turned, 1)), Ok(Unchanged));
    check(&bundle(&one, 2), Some(&bundle(&one, 1)), Ok(Replaces));
    check(&bundle(&one, 1).with_refresh_hint(300), Some(&bundle(&one, 1)), Ok(Replaces));
    check(&bundle(&other, 1), Some(&bundle(&one, 0)), Ok(Replaces));
    check(&bundle(&other, 0), Some(&bundle(&one, 0)), Ok(Replaces));
    let older = |found, stored| Err(UpdateRefusal::Older { found, stored });
    check(&bundle(&one, 1), Some(&bundle(&one, 2)), older(Some(1), 2));
    check(&bundle(&one, 0), Some(&bundle(&one, 2)), older(None, 2));
    check(
        &bundle(&one, u64::MAX - 1),
        Some(&bundle(&one, u64::MAX)),
        older(Some(u64::MAX - 1), u64::MAX),
    );
    let changed = Err(UpdateRefusal::Changed { sequence: 2 });
    for roots in [&other[..], &both] {
        check(&bundle(roots, 2), Some(&bundle(&one, 2)), changed.clone());
        check(&bundle(&one, 2), Some(&bundle(roots, 2)), changed.clone());
    }
    check(&bundle(&[], 3), Some(&bundle(&one, 2)), Err(UpdateRefusal::Empty));
    check(&bundle(&[], 3), None, Err(UpdateRefusal::Empty));
    let foreign = Bundle::new(domain("b.example"), one);
    let expect = UpdateRefusal::Domain { found: domain("a.example"), stored: domain("b.example") };
    check(&bundle(&other, 1), Some(&foreign), Err(expect));
}

#[test]
fn what_an_operator_accepts() {
    let [a, b] = roots();
    let policy = UpdatePolicy::default().with_older(true).with_empty(true);
    let check = |new: &Bundle, stored: &Bundle| {
        assert_eq!(new.update(Some(stored), policy), Ok(BundleUpdate::Replaces));
    };
    let one = [a.clone()];
    check(&bundle(&one, 1), &bundle(&one, 2));
    check(&bundle(&[b], 2), &bundle(&one, 2));
    check(&bundle(&[], 2), &bundle(&one, 1));
    let foreign = Bundle::new(domain("b.example"), one);
    assert!(matches!(
        bundle(&[a], 1).update(Some(&foreign), policy),
        Err(UpdateRefusal::Domain { .. })
    ));
}

#[test]
fn intervals() {
    let check = |hint: u64, expect: u64| {
        let found = bundle(&[], 1).with_refresh_hint(hint).refresh_interval();
        assert_eq!(found, Duration::from_secs(expect), "{hint}");
    };
    check(0, 300);
    check(1, 60);
    check(240, 60);
    check(300, 75);
    check(86_400, 21_600);
    check(u64::MAX, (i64::MAX as u64 / 1_000_000_000 - 1) / 4);
}
