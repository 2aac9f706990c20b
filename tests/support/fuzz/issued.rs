//! What is issued verifies: every certificate that `issue` creates is valid under its issuer, for us and for openssl.

use std::time::Duration;

use meshpki::internals::der::Tag;
use meshpki::internals::oid;
use meshpki::verify::{self, Anchor, Inputs, Policy};
use meshpki::x509::{GeneralName, KeyUsage, RawExtension, RawTime};
use meshpki::{
    Cert, Csr, Error, Issuer, Name, Oid, Profile, Role, Serial, SignatureCheck, Signer, SoftKey,
    Stamp, Time,
};

use super::keys::POOL;
use super::mutate::der::VALUES;
use super::pki;
use crate::NOW;
use crate::cases::Case;
use crate::forge;
use crate::random::Random;

/// A root, up to three CAs below it and what they issue.
pub(super) fn issued(data: &[u8]) {
    let mut random = Random::of_bytes(data);
    let mut key = &POOL[random.below(POOL.len())];
    let Some(mut above) =
        done(meshpki::self_signed(&profile(&mut random, true), key, stamp(&mut random)))
    else {
        return;
    };
    good(&above, &above, data);
    for _ in 0..=random.below(3) {
        let profile = profile(&mut random, false);
        let next = &POOL[random.below(POOL.len())];
        requested(&profile, next);
        let issuer = Issuer { cert: &above, signer: key };
        let made = meshpki::issue(&profile, next.public_key(), issuer, stamp(&mut random));
        let Some(cert) = done(made) else { continue };
        assert_eq!(cert.public_key().as_der(), next.public_key().as_der());
        assert_eq!(cert.subject().as_der(), profile.subject.as_der());
        good(&cert, &above, data);
        if cert.is_ca() {
            (above, key) = (cert, next);
        }
    }
}

fn done(made: Result<Cert, Error>) -> Option<Cert> {
    match made {
        Ok(cert) => Some(cert),
        Err(error) => {
            assert!(Error::CODES.contains(&error.code()), "{error}");
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// The certificate verifies when its issuer is trusted, from its first second to the last before notAfter, which is over
/// for OpenSSL (`x509_vfy.c: ossl_x509_check_cert_time`).
fn good(cert: &Cert, issuer: &Cert, data: &[u8]) {
    let again = Cert::from_der(cert.as_der()).expect("a certificate that was made");
    assert_eq!(&again, cert);
    let trusted = [Anchor::new(issuer.clone())];
    let inputs = Inputs::new(cert, &[], &trusted);
    let time = |raw: &RawTime| raw.time().expect("a time that was written");
    let times = [time(cert.not_before()), time(cert.not_after()) - Duration::from_secs(1)];
    for at in times {
        let policy = Policy::like_openssl(at).with_partial_chain();
        let verdict = verify::verify(&inputs, &policy);
        assert!(verdict.is_ok(), "{}\n{}", verdict.openssl_text("cert", true).1, cert.to_pem());
    }
    let [at, _] = times;
    let words =
        ["-partial_chain", "-no-CApath", "-no-CAstore", "-trusted", "issuer.pem", "-attime"];
    let mut args: Vec<String> = words.map(str::to_owned).to_vec();
    args.extend([at.0.to_string(), "cert.pem".to_owned()]);
    let file = |name: &str, cert: &Cert| (name.to_owned(), vec![cert.to_pem().into_bytes()]);
    let files = vec![file("issuer.pem", issuer), file("cert.pem", cert)];
    pki::answer(&Case { name: "issued".to_owned(), args, files, ..Case::default() }, data);
}

/// The CSR with the same names is signed by its key and asks for what the profile has.
fn requested(profile: &Profile, key: &SoftKey) {
    let Ok(csr) = Csr::create(&profile.subject, &profile.subject_alt_names, profile.role, key)
    else {
        return;
    };
    assert_eq!(csr.check_signature(), SignatureCheck::Good);
    assert_eq!(csr.subject().as_der(), profile.subject.as_der());
    assert!(csr.verified_key().is_ok_and(|asked| asked == key.public_key()));
}

fn stamp(random: &mut Random) -> Stamp {
    let serial = Serial::from_random([random.below(256).to_le_bytes()[0]; 20]);
    let far = [
        Time(i64::MIN),
        Time(-1),
        Time(0),
        Time(2_524_607_999),
        Time(253_402_300_799),
        Time(i64::MAX),
    ];
    let not_before = match random.below(10) {
        0 => random.pick(&far),
        1 => Time(NOW.0 + random.pick(&[-40, -1, 1, 40]) * 365 * 86_400),
        _ => Time(NOW.0 + i64::try_from(random.below(1000)).unwrap_or(0)),
    };
    Stamp { serial, not_before }
}

/// Seconds.
const LENGTHS: [u64; 8] = [0, 1, 59, 60, 86_400, 90 * 86_400, 40_000 * 86_400, u64::MAX];

fn oid(text: &str) -> Oid {
    text.parse().expect("an OID")
}

fn usage(random: &mut Random) -> Oid {
    let long = format!("1.2.{}", u64::MAX);
    match random.below(5) {
        0 => Oid::SERVER_AUTH,
        1 => Oid::ANY_EXT_KEY_USAGE,
        2 => oid(&long),
        3 => oid("2.47.0"),
        _ => oid("1.2.3.4"),
    }
}

/// Mostly a realistic profile; every field can be odd.
fn profile(random: &mut Random, root: bool) -> Profile {
    let subject = subject(random);
    let mut profile = match random.below(3) {
        _ if root => Profile::root(subject),
        0 | 1 => Profile::cluster(subject),
        _ => Profile::workload(&"spiffe://cluster.local/ns/a/sa/b".parse().expect("an identity")),
    };
    if random.one_in(3) {
        profile.subject = self::subject(random);
    }
    if random.one_in(4) {
        profile.validity = Duration::from_secs(random.pick(&LENGTHS));
    }
    if random.one_in(4) {
        let path_len = random.pick(&[None, Some(0), Some(1), Some(2), Some(255), Some(u32::MAX)]);
        profile.role = random.pick(&[Role::Ca { path_len }, Role::EndEntity]);
    }
    if random.one_in(4) {
        profile.key_usage = KeyUsage(u16::try_from(random.below(0x1_0000)).unwrap_or(0));
    }
    if random.one_in(4) {
        profile.ext_key_usage = (0..random.below(4)).map(|_| usage(random)).collect();
    }
    if random.one_in(3) {
        profile.subject_alt_names = (0..random.below(4)).map(|_| general_name(random)).collect();
    }
    if random.one_in(4) {
        let hosts =
            ["cluster.local", ".example.com", "", ".", "a b", "\u{e9}", "host:80", "10.0.0.1"];
        profile.permitted_uri_hosts =
            (0..random.below(3)).map(|_| random.pick(&hosts).to_owned()).collect();
    }
    if random.one_in(8) {
        profile.extra_extensions = (0..random.below(3)).map(|_| further(random)).collect();
    }
    profile
}

/// A name of up to four attributes, of any string type and content.
fn subject(random: &mut Random) -> Name {
    let plain =
        ["CN=Mesh CA east", "O=Example, CN=Mesh CA west", "C=GB, O=Example, OU=Mesh, CN=Root", ""];
    if !random.one_in(4) {
        return random.pick(&plain).parse::<Name>().expect("a plain name");
    }
    let oids =
        [oid::COMMON_NAME, oid::COUNTRY, oid::ORGANIZATION, oid::EMAIL_ADDRESS, &[0x2a, 3, 4]];
    let tags = [0x0c, 0x13, 0x16, 0x1e, 0x1c, 0x14, 0x12, 0x03, 0x04, 0x30];
    let attributes: Vec<(&[u8], Tag, &[u8])> = (0..random.below(4))
        .map(|_| (random.pick(&oids), random.pick(&tags), random.pick(VALUES)))
        .collect();
    Name::from_der(&forge::name(&attributes)).unwrap_or_else(|_| Name::empty())
}

fn general_name(random: &mut Random) -> GeneralName {
    let hosts: [&[u8]; 8] =
        [b"a.example.com", b"*.example.com", b"", b".", b"a b", b"a\0b", b"\xff", b"cluster.local"];
    let uris: [&[u8]; 7] = [
        b"spiffe://cluster.local/ns/a/sa/b",
        b"spiffe://other.example/x",
        b"",
        b"urn:x",
        b"spiffe://",
        b"spiffe://user@cluster.local:80/x",
        b"spiffe://cluster.local\0.evil/x",
    ];
    match random.below(8) {
        0 => GeneralName::Dns(random.pick(&hosts).to_vec()),
        1 | 2 => GeneralName::Uri(random.pick(&uris).to_vec()),
        3 => {
            GeneralName::Email(random.pick(&[&b"a@example.com"[..], b"", b"@", b"a@b@c"]).to_vec())
        }
        4 => GeneralName::Ip(random.pick(&[&[10, 0, 0, 1][..], &[0; 16], &[], &[1; 5]]).to_vec()),
        5 => GeneralName::Directory(subject(random)),
        6 => GeneralName::RegisteredId(oid(random.pick(&["1.2.3", "2.999", "0.0"]))),
        _ => GeneralName::Other { type_id: oid("1.2.3.4"), value: vec![0x0c, 1, b'a'] },
    }
}

/// An extension by its bytes: unknown ones, and known ones a second time or with a value that is not valid.
fn further(random: &mut Random) -> RawExtension {
    let oids = [
        &[0x2a, 3, 9][..],
        oid::BASIC_CONSTRAINTS,
        oid::KEY_USAGE,
        oid::NAME_CONSTRAINTS,
        oid::ISSUER_ALT_NAME,
    ];
    let oid = Oid::from_bytes(random.pick(&oids)).expect("an OID");
    RawExtension::new(oid, random.one_in(3), random.pick(VALUES))
}
