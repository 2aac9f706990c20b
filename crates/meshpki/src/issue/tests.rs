use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::cert::RawExtension;
use crate::oid::Oid;
use crate::soft::{KeyType, SoftKey};
use crate::time::DAY;
use crate::{Name, TrustDomain};

const NOW: Time = Time(1_795_244_400);

fn stamp(n: u8) -> Stamp {
    Stamp::made_at(NOW, Serial::from_random([n; 20]))
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

fn name(text: &str) -> Name {
    text.parse::<Name>().unwrap()
}

/// A root after `change`, its key, and an intermediate's profile.
fn root(change: impl FnOnce(&mut Profile)) -> (Cert, SoftKey) {
    let key = key();
    let mut profile = Profile::root(name("CN=Root"));
    change(&mut profile);
    (self_signed(&profile, &key, stamp(1)).unwrap(), key)
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("fine", |error| error.code())
}

#[test]
fn a_root_and_an_intermediate_say_what_the_profiles_say() {
    let (root, root_key) = root(|_| {});
    assert!(root.is_ca() && root.is_self_issued());
    assert_eq!(root.extensions().basic_constraints.unwrap().path_len, None);
    assert_eq!(root.extensions().authority_key_id, None);
    let cluster = key();
    let issuer = Issuer { cert: &root, signer: &root_key };
    let ca =
        issue(&Profile::cluster(name("CN=east")), cluster.public_key(), issuer, stamp(2)).unwrap();
    let extensions = ca.extensions();
    assert!(!extensions.invalid);
    assert_eq!(extensions.basic_constraints.unwrap().path_len, Some(0));
    assert_eq!(
        extensions.key_usage.unwrap().names().collect::<Vec<_>>(),
        ["keyCertSign", "cRLSign"]
    );
    assert_eq!(
        extensions.authority_key_id.as_ref().unwrap().key_id,
        root.extensions().subject_key_id
    );
    assert_eq!(extensions.ext_key_usage, None);
    assert_eq!(ca.serial(), [0x42].iter().chain(&[2; 19]).copied().collect::<Vec<u8>>());
    assert_eq!(ca.not_before().time().unwrap().to_string(), "2026-11-21T06:55:00Z");
    assert_eq!(ca.not_after().time().unwrap().to_string(), "2027-11-21T06:55:00Z");
    assert!(crate::chain::issued(&root, &ca));
}

#[test]
fn issuer_names_are_copied_byte_for_byte() {
    use crate::name::Attribute;
    let string = |tag, value: &[u8]| Attribute::with_tag(Oid::COMMON_NAME, tag, value);
    let cn = |text| Attribute::new(Oid::COMMON_NAME, text);
    let shapes: Vec<Vec<Attribute>> = vec![
        vec![string(der::PRINTABLE_STRING, b"Root CA")],
        vec![string(der::UTF8_STRING, "Wurzel ü".as_bytes())],
        vec![string(der::T61_STRING, b"M\xfcnchen")],
        vec![string(der::BMP_STRING, &[0, 0x52, 0, 0x43])],
        vec![string(der::UNIVERSAL_STRING, &[0, 0, 0, 0x52])],
        vec![string(der::IA5_STRING, b"root@example")],
        vec![string(der::NUMERIC_STRING, b"42")],
        vec![cn("a"), Attribute::new(Oid::ORGANIZATION, "b")],
        vec![cn("a"), cn("b")],
    ];
    for (kind, shape) in
        [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519].into_iter().cycle().zip(&shapes)
    {
        for rdns in [shape.chunks(1).collect::<Vec<_>>(), vec![shape.as_slice()]] {
            let subject = Name::from_rdns(rdns);
            let root_key = SoftKey::generate(kind).unwrap();
            let root = self_signed(&Profile::root(subject.clone()), &root_key, stamp(1)).unwrap();
            let issuer = Issuer { cert: &root, signer: &root_key };
            let ca =
                issue(&Profile::cluster(name("CN=east")), key().public_key(), issuer, stamp(2))
                    .unwrap();
            assert_eq!(ca.issuer().as_der(), subject.as_der(), "{subject}");
            assert!(crate::chain::issued(&root, &ca), "{subject}");
        }
    }
}

#[test]
fn what_the_issuer_may_not_sign_is_refused() {
    let check = |expect: &str, root_change: fn(&mut Profile), change: fn(&mut Profile)| {
        let (root, root_key) = root(root_change);
        let mut profile = Profile::cluster(name("CN=east"));
        change(&mut profile);
        let issuer = Issuer { cert: &root, signer: &root_key };
        let result = issue(&profile, key().public_key(), issuer, stamp(2));
        assert_eq!(code(result), expect);
    };
    let same = |_: &mut Profile| {};
    check("fine", same, same);
    check("pki/issuer-not-ca", |p| p.role = Role::EndEntity, same);
    check("pki/issuer-may-not-sign", |p| p.key_usage = KeyUsage::CRL_SIGN, same);
    check("fine", |p| p.key_usage = KeyUsage(0), same);
    check("pki/path-length-exceeded", |p| p.role = Role::Ca { path_len: Some(0) }, same);
    check("fine", |p| p.role = Role::Ca { path_len: Some(1) }, same);
    check(
        "pki/path-length-exceeded",
        |p| p.role = Role::Ca { path_len: Some(1) },
        |p| p.role = Role::Ca { path_len: Some(1) },
    );
    check("fine", |p| p.role = Role::Ca { path_len: Some(0) }, |p| p.role = Role::EndEntity);
    check("pki/outlives-issuer", same, |p| p.validity = 3651 * DAY);
    check("fine", same, |p| p.validity = 3650 * DAY);
    check("pki/subject-is-issuer", same, |p| p.subject = "CN=ROOT".parse::<Name>().unwrap());
    check("pki/empty-subject", same, |p| p.subject = Name::empty());
    check("pki/empty-validity", same, |p| p.validity = Duration::ZERO);
    check("pki/time-range", same, |p| p.validity = 9000 * 365 * DAY);
}

#[test]
fn keys_must_be_right() {
    let (root, root_key) = root(|_| {});
    let other = key();
    let profile = Profile::cluster(name("CN=east"));
    let with = |signer, key: &PublicKey| {
        code(issue(&profile, key, Issuer { cert: &root, signer }, stamp(2)))
    };
    assert_eq!(with(&root_key as &dyn Signer, other.public_key()), "fine");
    assert_eq!(with(&other, key().public_key()), "pki/key-mismatch");
    assert_eq!(with(&root_key, root_key.public_key()), "pki/key-reused");
    let small = der::sequence(&[&der::integer(&[0xff; 128]), &der::integer(&[1, 0, 1])]);
    let rsa = der::sequence(&[&der::tlv(der::OID, oid::RSA_ENCRYPTION), &der::tlv(der::NULL, &[])]);
    let rsa_1024 = PublicKey::from_der(&der::sequence(&[&rsa, &der::bit_string(&small)])).unwrap();
    assert_eq!(rsa_1024.algorithm(), &KeyAlgorithm::Rsa { bits: 1024 });
    assert_eq!(with(&root_key, &rsa_1024), "pki/unsupported-key");
}

#[test]
fn a_failing_device_is_told() {
    struct Broken(SoftKey);
    impl Signer for Broken {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, crate::SignError> {
            Err(crate::SignError::with_source("no answer", "slot 7 is empty"))
        }
    }
    let error = self_signed(&Profile::root(name("CN=Root")), &Broken(key()), stamp(1)).unwrap_err();
    assert_eq!(error.to_string(), "signing with the key of `Root` failed");
    let device = core::error::Error::source(&error).unwrap();
    assert_eq!(device.to_string(), "no answer");
    assert_eq!(core::error::Error::source(device).unwrap().to_string(), "slot 7 is empty");
}

#[test]
fn name_constraints_hold_for_what_is_issued_below() {
    let domain: TrustDomain = "east.example".parse().unwrap();
    let (root, root_key) = root(|p| p.permitted_uri_hosts.push("east.example".to_string()));
    let issue_for = |domain: &TrustDomain| {
        let profile = Profile::workload(&domain.workload("default", "reviews").unwrap());
        code(issue(
            &profile,
            key().public_key(),
            Issuer { cert: &root, signer: &root_key },
            stamp(2),
        ))
    };
    assert_eq!(issue_for(&domain), "fine");
    assert_eq!(issue_for(&"west.example".parse().unwrap()), "pki/name-constraints");
}

#[test]
fn dates_keep_within_the_issuer_and_round_as_cfssl_does() {
    let check = |now: i64, expect: i64| {
        assert_eq!(
            Stamp::made_at(Time(now), Serial::from_random([0; 20])).not_before,
            Time(expect)
        );
    };
    check(600, 300);
    check(629, 300);
    check(630, 360);
    check(-1, -300);
    let (root, root_key) = root(|_| {});
    let early = Stamp { not_before: NOW.minus(DAY), ..stamp(2) };
    let issuer = Issuer { cert: &root, signer: &root_key };
    let ca = issue(&Profile::cluster(name("CN=east")), key().public_key(), issuer, early).unwrap();
    assert_eq!(ca.not_before(), root.not_before());
}

#[test]
fn key_usage_is_a_der_bit_string() {
    let check = |usage: u16, der: &[u8]| assert_eq!(key_usage(KeyUsage(usage)), der, "{usage:x}");
    check(0x0600, &[3, 2, 1, 0x06]);
    check(0x8000, &[3, 2, 7, 0x80]);
    check(0x8080, &[3, 3, 7, 0x80, 0x80]);
}

/// A holder of `key` whose signatures are another's.
struct Broken<'a> {
    key: &'a SoftKey,
    other: &'a SoftKey,
}

impl Signer for Broken<'_> {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, crate::key::SignError> {
        self.other.sign(message)
    }
}

#[test]
fn what_would_not_verify_is_not_made() {
    let (root, root_key) = root(|_| {});
    let cluster = key();
    let good = Issuer { cert: &root, signer: &root_key };
    let check = |issuer: Issuer<'_>, change: &dyn Fn(&mut Profile), expected: &str| {
        let mut profile = Profile::cluster(name("CN=east"));
        change(&mut profile);
        let made = issue(&profile, cluster.public_key(), issuer, stamp(2));
        assert_eq!(made.map(|_| ()).err().map_or(String::new(), |e| e.to_string()), expected);
    };
    let why = |text| alloc::format!("`east` would not verify under its issuer `Root`: {text}");
    let other = key();
    let broken = Broken { key: &root_key, other: &other };
    check(good, &|_| {}, "");
    check(Issuer { cert: &root, signer: &broken }, &|_| {}, &why("certificate signature failure"));
    let bad_oid = |profile: &mut Profile| profile.ext_key_usage = vec![Oid::of([0x2a, 0x80, 1])];
    check(good, &bad_oid, &why("an extension of it is not valid"));
    let further = |oid: &[u8]| {
        let extension = RawExtension::new(Oid::of(oid), true, [5, 0]);
        move |profile: &mut Profile| profile.extra_extensions = vec![extension.clone()]
    };
    check(good, &further(&[0x2a, 3, 9]), &why("unhandled critical extension"));
    check(good, &further(oid::NAME_CONSTRAINTS), &why("an extension of it is not valid"));
    let made = self_signed(&Profile::root(name("CN=Root")), &broken, stamp(3));
    assert_eq!(code(made), "pki/not-verifiable");
}
