use alloc::string::String;
use core::slice;

use super::*;
use crate::cert::KeyUsage;
use crate::oid;
use crate::verify::tests::{NOW, basic, ca, extension, leaf, make, names, usage};

/// What a release says of `target`: `ok`, or BoringSSL's text.
fn says(release: Release, target: &Cert, untrusted: &[Cert], roots: &[Cert]) -> String {
    let policy = Policy::new(Time(NOW)).with_release(release);
    match verify(target, untrusted, roots, &[], &policy) {
        Ok(_) => "ok".into(),
        Err(refused) => refused.text,
    }
}

/// The same of the newest release in Envoy.
fn check(target: &Cert, untrusted: &[Cert], roots: &[Cert], expect: &str) {
    assert_eq!(says(Release::V1_40, target, untrusted, roots), expect);
}

#[test]
fn what_ends_a_chain() {
    let (root, middle, target) = (
        ca("root", 1, "root", 1).sign(),
        ca("middle", 2, "root", 1).sign(),
        leaf(3, "middle", 2).sign(),
    );
    let sent = [middle.clone()];
    check(&target, &sent, slice::from_ref(&root), "ok");
    check(&target, &[], &[middle], "ok");
    check(&target, &[], slice::from_ref(&target), "ok");
    check(&target, &[], &[root], "unable to get local issuer certificate");
    check(&target, &sent, &[], "unable to get local issuer certificate");
    let itself = ca("root", 1, "root", 1).sign();
    check(&itself, &[], &[], "self signed certificate");
    check(&target, &[sent[0].clone(), itself], &[], "self signed certificate in certificate chain");
}

#[test]
fn of_two_roots_of_one_name() {
    // Without key identifiers nothing but the order tells them apart.
    let plain = |key| make("root", key, "root", key).with(basic(true, None)).sign();
    let (right, wrong) = (plain(1), plain(2));
    let target = make("leaf", 3, "root", 1).sign();
    let both = [right.clone(), wrong.clone()];
    check(&target, &[], &both, "ok");
    assert_eq!(says(Release::V1_38, &target, &[], &both), "certificate signature failure");
    assert_eq!(says(Release::V1_38, &target, &[], &[wrong, right]), "ok");
}

#[test]
fn a_critical_extension_counts_where_the_certificate_was_sent() {
    let unknown = || extension(&[0x2a, 3, 4], true, &[5, 0]);
    let root = ca("root", 1, "root", 1).with(unknown()).sign();
    let target = leaf(3, "root", 1);
    check(&target.sign(), &[], slice::from_ref(&root), "ok");
    check(&target.with(unknown()).sign(), &[], &[root], "unhandled critical extension");
}

#[test]
fn the_other_side_has_another_purpose() {
    let root = ca("root", 1, "root", 1).sign();
    let target = leaf(3, "root", 1).with(usage(KeyUsage::KEY_ENCIPHERMENT)).sign();
    check(&target, &[], slice::from_ref(&root), "unsupported certificate purpose");
    let policy = Policy::new(Time(NOW)).with_peer(Peer::Server);
    assert!(verify(&target, &[], &[root], &[], &policy).is_ok());
}

#[test]
fn a_refusal_names_the_certificate() {
    let root = ca("root", 1, "root", 1).sign();
    let middle = make("middle", 2, "root", 1).sign();
    let target = leaf(3, "middle", 2).sign();
    let store = TrustStore::new(&[root], &[]).unwrap();
    let refused =
        store.verify(&target, slice::from_ref(&middle), &Policy::new(Time(NOW))).unwrap_err();
    assert_eq!((refused.reason, refused.cert), (Reason::NotCa, Some(middle)));
}

#[test]
fn extensions_twice_or_with_more_after_them() {
    let root = ca("root", 1, "root", 1).sign();
    let target = || leaf(3, "root", 1).with(names(&[(2, "a.example")]));
    let invalid = "invalid or inconsistent certificate extension";
    check(&target().sign(), &[], slice::from_ref(&root), "ok");
    check(&target().with(names(&[(2, "b.example")])).sign(), &[], slice::from_ref(&root), invalid);
    let trailing = extension(oid::KEY_USAGE, true, &[3, 2, 7, 0x80, 0]);
    check(&target().with(trailing).sign(), &[], &[root], invalid);
}
