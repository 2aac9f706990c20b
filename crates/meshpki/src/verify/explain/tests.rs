use super::*;
use crate::Time;
use crate::verify::tests::{Make, NOW, basic, ca, leaf, make, names};
use crate::verify::{Anchor, verify};

/// The explanation of the first finding, as text.
fn check(
    target: &Make,
    untrusted: &[&Make],
    trusted: &[&Make],
    set: impl FnOnce(&mut Policy),
    expect: &[&str],
) {
    let target = target.sign();
    let untrusted: Vec<Cert> = untrusted.iter().map(|make| make.sign()).collect();
    let trusted: Vec<Anchor> = trusted.iter().map(|make| Anchor::new(make.sign())).collect();
    let inputs = Inputs {
        trusted_apart: false,
        target: &target,
        untrusted: &untrusted,
        trusted: &trusted,
        crls: &[],
        store_crls: &[],
    };
    let mut policy = Policy::like_openssl(Time(NOW));
    set(&mut policy);
    let verdict = verify(&inputs, &policy);
    let text = verdict.explain(&verdict.findings[0], &inputs, &policy).to_string();
    for part in expect {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn both_sides_of_a_mismatch() {
    let root = ca("root", 1, "root", 1);
    let end = leaf(3, "root", 1);
    check(
        &end,
        &[],
        &[],
        |_| {},
        &["issuer: expected CN = root, found no certificate of that name among 0"],
    );
    check(
        &leaf(3, "root", 7),
        &[],
        &[&root],
        |_| {},
        &[
            "key identifier of trusted CN = root (SHA-256 ",
            "expected 07, found 01",
            "next: provide the issuer of `leaf`",
        ],
    );
    let server = |p: &mut Policy| p.host = Some("b.example".into());
    check(
        &end.clone().with(names(&[(2, "a.example")])),
        &[],
        &[&root],
        server,
        &["host name: expected b.example, found DNS:a.example; CN = leaf"],
    );
    let bare = make("root", 1, "root", 1).with(basic(false, None));
    check(
        &make("leaf", 3, "root", 1),
        &[],
        &[&bare],
        |_| {},
        &["basicConstraints: expected critical, CA:TRUE, found critical, CA:FALSE"],
    );
    let late = |p: &mut Policy| p.at = Some(Time(NOW + 20 * 365 * 86_400));
    check(
        &end,
        &[],
        &[&root],
        late,
        &["notAfter: expected after 2044-12-27", "found 2040-01-01T00:00:00Z, 1822 days ago"],
    );
}
