use alloc::string::ToString;

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::cert::KeyUsage;
use crate::name::{Attribute, Name};
use crate::oid;

/// Everything happens on this day, 2025-01-01.
pub(super) const NOW: i64 = 1_735_689_600;

/// A certificate to be made: v3, Ed25519, valid from 2020 to 2040.
#[derive(Clone)]
pub(super) struct Make {
    subject: &'static str,
    issuer: &'static str,
    key: u8,
    signer: u8,
    times: [&'static str; 2],
    extensions: Vec<Vec<u8>>,
}

/// A certificate for `subject` with key number `key`, by `issuer` with key number `signer`.
pub(super) fn make(subject: &'static str, key: u8, issuer: &'static str, signer: u8) -> Make {
    let times = ["200101000000Z", "400101000000Z"];
    Make { subject, issuer, key, signer, times, extensions: Vec::new() }
}

/// A CA with what `-x509_strict` asks for.
pub(super) fn ca(subject: &'static str, key: u8, issuer: &'static str, signer: u8) -> Make {
    make(subject, key, issuer, signer)
        .with(basic(true, None))
        .with(usage(KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN)))
        .with(skid(key))
        .with(akid(signer))
}

/// A leaf with what `-x509_strict` asks for.
pub(super) fn leaf(key: u8, issuer: &'static str, signer: u8) -> Make {
    make("leaf", key, issuer, signer).with(akid(signer))
}

impl Make {
    pub(super) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    fn valid(mut self, from: &'static str, to: &'static str) -> Self {
        self.times = [from, to];
        self
    }

    pub(super) fn sign(&self) -> Cert {
        let ed25519 = der::sequence(&[&der::tlv(der::OID, oid::ED25519)]);
        let key = pair(self.key);
        let time = |text: &str| der::tlv(der::UTC_TIME, text.as_bytes());
        let extensions: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        let tbs = der::sequence(&[
            &der::tlv(0xa0, &der::integer(&[2])),
            &der::integer(&[self.key, self.signer]),
            &ed25519,
            name(self.issuer).as_der(),
            &der::sequence(&[&time(self.times[0]), &time(self.times[1])]),
            name(self.subject).as_der(),
            &der::sequence(&[&ed25519, &der::bit_string(key.public_key().as_ref())]),
            &der::tlv(0xa3, &der::sequence(&extensions)),
        ]);
        let signature = pair(self.signer).sign(&tbs);
        let signature = der::bit_string(signature.as_ref());
        Cert::from_der(&der::sequence(&[&tbs, &ed25519, &signature])).unwrap()
    }
}

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap()
}

fn name(text: &str) -> Name {
    if text.is_empty() {
        return Name::empty();
    }
    Name::new(&[Attribute::new(Oid::COMMON_NAME, text)])
}

pub(super) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { der::tlv(der::BOOLEAN, &[0xff]) } else { Vec::new() };
    der::sequence(&[&der::tlv(der::OID, oid), &flag, &der::tlv(der::OCTET_STRING, value)])
}

pub(super) fn basic(ca: bool, path_len: Option<u8>) -> Vec<u8> {
    let ca = if ca { der::tlv(der::BOOLEAN, &[0xff]) } else { Vec::new() };
    let length = path_len.map_or(Vec::new(), |n| der::integer(&[n]));
    extension(oid::BASIC_CONSTRAINTS, true, &der::sequence(&[&ca, &length]))
}

pub(super) fn usage(bits: KeyUsage) -> Vec<u8> {
    extension(oid::KEY_USAGE, true, &der::bit_string(&bits.0.to_be_bytes()))
}

fn extended(usages: &[&[u8]]) -> Vec<u8> {
    let usages: Vec<Vec<u8>> = usages.iter().map(|usage| der::tlv(der::OID, usage)).collect();
    let usages: Vec<&[u8]> = usages.iter().map(Vec::as_slice).collect();
    extension(oid::EXT_KEY_USAGE, false, &der::sequence(&usages))
}

fn skid(key: u8) -> Vec<u8> {
    extension(oid::SUBJECT_KEY_ID, false, &der::tlv(der::OCTET_STRING, &[key]))
}

fn akid(key: u8) -> Vec<u8> {
    extension(oid::AUTHORITY_KEY_ID, false, &der::sequence(&[&der::tlv(der::context(0), &[key])]))
}

/// Names as tag and text: `(2, "a.example")` is a dNSName.
pub(super) fn names(list: &[(u8, &str)]) -> Vec<u8> {
    let list: Vec<Vec<u8>> =
        list.iter().map(|(tag, text)| der::tlv(der::context(*tag), text.as_bytes())).collect();
    let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
    extension(oid::SUBJECT_ALT_NAME, false, &der::sequence(&list))
}

fn policies(list: &[&[u8]]) -> Vec<u8> {
    let list: Vec<Vec<u8>> =
        list.iter().map(|policy| der::sequence(&[&der::tlv(der::OID, policy)])).collect();
    let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
    extension(oid::CERTIFICATE_POLICIES, false, &der::sequence(&list))
}

/// Verifies at [`NOW`]; `change` sets options.
pub(super) fn run(
    target: &Make,
    untrusted: &[&Make],
    trusted: &[&Make],
    change: impl FnOnce(&mut Policy),
) -> Verdict {
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
    change(&mut policy);
    verify(&inputs, &policy)
}

/// `ok`, `silent`, or the findings as `code@depth`.
fn answer(verdict: &Verdict) -> String {
    if verdict.findings.is_empty() {
        return (if verdict.is_ok() { "ok" } else { "silent" }).to_string();
    }
    let text = |f: &Finding| alloc::format!("{}@{}", f.code.0, f.depth);
    verdict.findings.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn check_with(
    target: &Make,
    untrusted: &[&Make],
    trusted: &[&Make],
    change: impl FnOnce(&mut Policy),
    expect: &str,
) {
    assert_eq!(answer(&run(target, untrusted, trusted, change)), expect);
}

fn check(target: &Make, untrusted: &[&Make], trusted: &[&Make], expect: &str) {
    check_with(target, untrusted, trusted, |_| {}, expect);
}

#[test]
fn chains_are_built_without_backtracking() {
    let root = ca("root", 1, "root", 1);
    let int = ca("int", 2, "root", 1);
    let end = leaf(3, "int", 2);
    check(&end, &[&int], &[&root], "ok");
    check(&end, &[], &[&root], "20@0");
    check(&end, &[&int], &[], "20@1");
    check(&end, &[], &[&int], "2@1");
    check(&end, &[&int, &root], &[], "19@2");
    check(&root, &[], &[&root], "ok");
    check(&root, &[], &[], "18@0");
    // A trusted intermediate ends the use of untrusted certificates.
    check(&end, &[&root], &[&int], "2@1");
    check_with(&end, &[], &[&int], |p| p.partial_chain = true, "ok");
    check_with(&end, &[&int], &[&end], |p| p.partial_chain = true, "ok");
    // The wrong one of two same-named CAs is not taken when key identifiers tell.
    let other = ca("int", 9, "root", 1);
    check(&end, &[&other, &int], &[&root], "ok");
    let bare = make("leaf", 3, "int", 2);
    check(&bare, &[&other, &int], &[&root], "7@0");
}

#[test]
fn roots_of_one_name() {
    let old = make("root", 1, "root", 1).with(basic(true, None));
    let new = make("root", 2, "root", 2).with(basic(true, None));
    check(&new, &[], &[&old, &new], "18@0");
    check(&old, &[], &[&old, &new], "ok");
    let (old, new) = (ca("root", 1, "root", 1), ca("root", 2, "root", 2));
    check(&new, &[], &[&old, &new], "ok");
    check(&leaf(3, "root", 2), &[], &[&old, &new], "ok");
}

#[test]
fn the_valid_candidate_is_preferred() {
    let expired = ca("root", 1, "root", 1).valid("100101000000Z", "200101000000Z");
    let older = ca("root", 1, "root", 1).valid("100101000000Z", "190101000000Z");
    let root = ca("root", 1, "root", 1);
    let end = leaf(3, "root", 1);
    check(&end, &[], &[&expired, &root], "ok");
    check(&end, &[], &[&older, &expired], "10@1");
    let last = run(&end, &[], &[&older, &expired], |_| {});
    assert_eq!(last.chain[1].not_after().content, b"200101000000Z");
}

#[test]
fn depth_and_path_length() {
    let root = ca("root", 1, "root", 1);
    let a = ca("a", 2, "root", 1);
    let b = ca("b", 3, "a", 2);
    let end = leaf(4, "b", 3);
    let both = [&a, &b];
    check(&end, &both, &[&root], "ok");
    check_with(&end, &both, &[&root], |p| p.max_depth = 1, "22@2");
    check_with(&end, &both, &[&root], |p| p.max_depth = 2, "ok");
    let limited = |n| {
        make("a", 2, "root", 1)
            .with(basic(true, Some(n)))
            .with(usage(KeyUsage::KEY_CERT_SIGN))
            .with(skid(2))
            .with(akid(1))
    };
    check(&end, &[&limited(0), &b], &[&root], "25@2");
    check(&end, &[&limited(1), &b], &[&root], "ok");
}

#[test]
fn order_of_complaints() {
    let root = ca("root", 1, "root", 1);
    let old_root = root.clone().valid("100101000000Z", "200101000000Z");
    let old = leaf(3, "root", 1).valid("100101000000Z", "200101000000Z");
    let early = leaf(3, "root", 1).valid("300101000000Z", "400101000000Z");
    let forged = make("leaf", 3, "root", 9).with(akid(1));
    check(&old, &[], &[&old_root], "10@1 10@0");
    check(&early, &[], &[&root], "9@0");
    check(&forged, &[], &[&old_root], "10@1 7@0");
    check(&forged.valid("100101000000Z", "200101000000Z"), &[], &[&root], "7@0");
    check(&leaf(3, "root", 1).valid("2001010000Z", "400101000000Z"), &[], &[&root], "13@0");
    check(&leaf(3, "root", 1).valid("200101000000Z", "401301000000Z"), &[], &[&root], "14@0");
    // The second of notAfter counts as expired; that of notBefore as valid.
    let end = leaf(3, "root", 1).valid("250101000000Z", "400101000000Z");
    check(&end, &[], &[&root], "ok");
    let end = leaf(3, "root", 1).valid("200101000000Z", "250101000000Z");
    check(&end, &[], &[&root], "10@0");
    check_with(&end, &[], &[&root], |p| p.at = None, "ok");
}

#[test]
fn what_makes_a_ca() {
    let end = make("leaf", 3, "root", 1);
    let root = make("root", 1, "root", 1);
    check(&end, &[], &[&root], "79@1");
    check(&end, &[], &[&root.clone().with(basic(false, None))], "79@1");
    check(&end, &[], &[&root.clone().with(usage(KeyUsage::KEY_CERT_SIGN))], "ok");
    let signs = root.clone().with(basic(true, None)).with(usage(KeyUsage::DIGITAL_SIGNATURE));
    check(&end, &[], &[&signs], "79@1 32@1");
    let twice = root.clone().with(basic(true, None)).with(basic(true, None));
    check(&end, &[], &[&twice], "20@0");
    let unknown = extension(&[0x2a, 3, 4], true, &[5, 0]);
    check(
        &end.clone().with(unknown.clone()),
        &[],
        &[&root.clone().with(basic(true, None))],
        "34@0",
    );
    let ignore = |p: &mut Policy| p.ignore_critical = true;
    check_with(&end.with(unknown), &[], &[&root.with(basic(true, None))], ignore, "ok");
}

#[test]
fn strict_mode() {
    let root = ca("root", 1, "root", 1);
    let strict = |p: &mut Policy| p.strict = true;
    check_with(&leaf(3, "root", 1), &[], &[&root], strict, "ok");
    check_with(&make("leaf", 3, "root", 1), &[], &[&root], strict, "85@0");
    check_with(&make("", 3, "root", 1).with(akid(1)), &[], &[&root], strict, "84@0");
    let named = make("", 3, "root", 1).with(akid(1)).with(names(&[(2, "a.example")]));
    check_with(&named, &[], &[&root], strict, "88@0");
    let empty = leaf(3, "root", 1).with(names(&[]));
    check_with(&empty, &[], &[&root], strict, "87@0");
    let signing = leaf(3, "root", 1).with(usage(KeyUsage::KEY_CERT_SIGN));
    check_with(&signing, &[], &[&root], strict, "79@0 82@0");
    let length = leaf(3, "root", 1).with(basic(false, Some(0)));
    check_with(&length, &[], &[&root], strict, "80@0 81@0");
    let bare = make("root", 1, "root", 1).with(basic(true, None));
    check_with(&leaf(3, "root", 1), &[], &[&bare], strict, "92@1 86@1");
    // An unknown critical extension before basicConstraints hides that it is critical.
    let unknown = extension(&[0x2a, 3, 4], true, &[5, 0]);
    let mut hidden = ca("root", 1, "root", 1);
    hidden.extensions.insert(0, unknown);
    check_with(&leaf(3, "root", 1), &[], &[&hidden], strict, "34@1 89@1");
}

#[test]
fn purposes() {
    let root = ca("root", 1, "root", 1);
    let server = |p: &mut Policy| p.purpose = Some(Purpose::SslServer);
    let end = |usages: &[&[u8]]| leaf(3, "root", 1).with(extended(usages));
    check_with(&leaf(3, "root", 1), &[], &[&root], server, "ok");
    check_with(&end(&[oid::EKU_SERVER_AUTH]), &[], &[&root], server, "ok");
    check_with(&end(&[oid::EKU_CLIENT_AUTH]), &[], &[&root], server, "26@0");
    check_with(&end(&[oid::EKU_ANY]), &[], &[&root], server, "26@0");
    check_with(&end(&[oid::EKU_NS_SGC]), &[], &[&root], server, "ok");
    let client_ca = root.clone().with(extended(&[oid::EKU_CLIENT_AUTH]));
    check_with(&leaf(3, "root", 1), &[], &[&client_ca], server, "26@1");
    check_with(&root.clone(), &[], &[&root], server, "26@0");
    assert_eq!(Purpose::from_name("timestampsign"), Some(Purpose::TimestampSign));
    assert_eq!(Purpose::from_name("x"), None);
}

#[test]
fn identities() {
    let root = ca("root", 1, "root", 1);
    let host = |host: &'static str, names: Option<&[(u8, &str)]>, expect: &str| {
        let mut end = make("cn.example", 3, "root", 1);
        end = names.into_iter().fold(end, |end, list| end.with(self::names(list)));
        check_with(&end, &[], &[&root], |p| p.host = Some(host.to_string()), expect);
    };
    host("a.example", Some(&[(2, "A.example")]), "ok");
    host("a.example.", Some(&[(2, "a.example")]), "62@0");
    host("cn.example", None, "ok");
    host("cn.example", Some(&[(2, "a.example")]), "62@0");
    host("cn.example", Some(&[(6, "spiffe://td/x")]), "ok");
    host("x.b.example", Some(&[(2, "*.b.example")]), "ok");
    host("x.y.b.example", Some(&[(2, "*.b.example")]), "62@0");
    host("ax.b.example", Some(&[(2, "a*.b.example")]), "ok");
    host("axb.b.example", Some(&[(2, "a*b.b.example")]), "62@0");
    host("x.example", Some(&[(2, "*.example")]), "62@0");
    host(".b.example", Some(&[(2, "x.b.example")]), "ok");
    host("", Some(&[(2, "x.b.example")]), "ok");
    let email = |p: &mut Policy| p.email = Some("a@B.example".to_string());
    let end = make("leaf", 3, "root", 1);
    let boxes = |text: &str| end.clone().with(names(&[(1, text)]));
    check_with(&boxes("a@b.example"), &[], &[&root], email, "ok");
    check_with(&boxes("A@b.example"), &[], &[&root], email, "63@0");
    let ip = |p: &mut Policy| p.ip = Some([1, 2, 3, 4].into());
    check_with(&end.clone().with(names(&[(7, "\u{1}\u{2}\u{3}\u{4}")])), &[], &[&root], ip, "ok");
    check_with(&end, &[], &[&root], ip, "64@0");
}

#[test]
fn strength() {
    let (root, end) = (ca("root", 1, "root", 1), leaf(3, "root", 1));
    for (level, expect) in [(0, "ok"), (3, "ok"), (4, "66@0"), (9, "66@0")] {
        check_with(&end, &[], &[&root], |p| p.auth_level = level, expect);
    }
}

#[test]
fn certificate_policies() {
    let (one, two): (&[u8], &[u8]) = (&[0x2a, 3, 1], &[0x2a, 3, 2]);
    let root = ca("root", 1, "root", 1);
    let int = |list: &[&[u8]]| ca("int", 2, "root", 1).with(policies(list));
    let end = |list: &[&[u8]]| leaf(3, "int", 2).with(policies(list));
    let explicit = |acceptable: &[&[u8]]| {
        let acceptable = acceptable.iter().map(|policy| Oid::of(*policy)).collect();
        move |p: &mut Policy| {
            p.policies = Some(Policies { acceptable, explicit: true, ..Policies::default() });
        }
    };
    let roots = [&root];
    check_with(&end(&[one]), &[&int(&[one, two])], &roots, explicit(&[one]), "ok");
    check_with(&end(&[one]), &[&int(&[one, two])], &roots, explicit(&[two]), "43@0");
    check_with(&end(&[one]), &[&int(&[two])], &roots, explicit(&[oid::ANY_POLICY]), "43@0");
    check_with(&end(&[one]), &[&int(&[oid::ANY_POLICY])], &roots, explicit(&[one]), "ok");
    check_with(&end(&[one]), &[&int(&[one])], &roots, explicit(&[]), "43@0");
    check_with(&end(&[one, one]), &[&int(&[one])], &roots, explicit(&[one]), "42@0");
    let verdict = run(&end(&[one]), &[&int(&[one])], &roots, explicit(&[one]));
    let printing = Printing::new(crate::NameForm::ONELINE).with_chain().with_policies();
    let (out, err) = verdict.openssl_bytes(b"leaf.pem", &printing);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "leaf.pem: OK\nChain:\ndepth=0: CN = leaf (untrusted)\ndepth=1: CN = int (untrusted)\ndepth=2: CN = root\n"
    );
    let node = "  Policy: 1.2.3.1\n    Non Critical\n    No Qualifiers\n";
    assert_eq!(
        String::from_utf8_lossy(&err),
        alloc::format!(
            "Require explicit Policy: True\nAuthority Policies:\n{node}User Policies:\n{node}"
        )
    );
}

#[test]
fn lines_are_those_of_openssl() {
    let (root, end) = (ca("root", 1, "root", 1), leaf(3, "other", 1));
    let (out, err) = run(&end, &[], &[&root], |_| {}).openssl_text("x.pem", true);
    assert_eq!(out, "");
    assert_eq!(
        err,
        "CN=leaf\nerror 20 at 0 depth lookup: unable to get local issuer certificate\nerror x.pem: verification failed\n"
    );
}
