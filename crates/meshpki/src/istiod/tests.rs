use alloc::vec;
use core::time::Duration;

use super::*;
use crate::Signer;
use crate::cacerts::go_pem::first_cert;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::oid::Oid;
use crate::profile::Role;
use crate::soft::KeyType;
use crate::time::DAY;
use crate::{Name, Profile, SoftKey};

const SECOND: Duration = Duration::from_secs(1);

pub(super) const NOW: Time = Time(1_795_244_400);
const RELEASES: [&str; 12] = [
    "1.6.4", "1.11.0", "1.12.0", "1.14.1", "1.14.2", "1.18.0", "1.19.0", "1.20.0", "1.26.0",
    "1.26.1", "1.27.0", "1.30.3",
];

fn stamp() -> Stamp {
    let mut random = [0; 20];
    crate::soft::fill_random(&mut random);
    Stamp::made_at(NOW, Serial::from_random(random))
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

pub(super) struct Root {
    pub(super) cert: Cert,
    pub(super) key: SoftKey,
}

pub(super) fn root(name: &str) -> Root {
    root_with(name, |_| {})
}

pub(super) fn root_with(name: &str, change: impl FnOnce(&mut Profile)) -> Root {
    let key = key();
    let mut profile = Profile::root(name.parse::<Name>().unwrap());
    change(&mut profile);
    Root { cert: self_signed(&profile, &key, stamp()).unwrap(), key }
}

pub(super) fn signed(root: &Root, change: impl FnOnce(&mut Profile)) -> (Cert, SoftKey) {
    let key = key();
    let mut profile = Profile::cluster("CN=east".parse::<Name>().unwrap());
    change(&mut profile);
    let issuer = Issuer { cert: &root.cert, signer: &root.key };
    (issue(&profile, key.public_key(), issuer, stamp()).unwrap(), key)
}

pub(super) fn secret(ca: &Cert, key: &SoftKey, chain: &[&Cert], roots: &[&Cert]) -> Secret {
    let pem = |certs: &[&Cert]| certs.iter().map(|cert| cert.to_pem()).collect::<String>();
    [
        ("ca-cert.pem", ca.to_pem()),
        ("ca-key.pem", key.to_pem().to_string()),
        ("cert-chain.pem", pem(chain)),
        ("root-cert.pem", pem(roots)),
    ]
    .into_iter()
    .collect()
}

/// A good secret under `root`.
pub(super) fn good(root: &Root) -> Secret {
    good_with(root, |_| {})
}

fn good_with(root: &Root, change: impl FnOnce(&mut Profile)) -> Secret {
    let (ca, key) = signed(root, change);
    secret(&ca, &key, &[&ca, &root.cert], &[&root.cert])
}

pub(super) fn settings(version: &str) -> Settings {
    Settings::defaults(version.parse::<Version>().unwrap())
}

/// The outcome in a word, and the log without what every refusal begins with.
fn outcome(start: &StartOutcome) -> String {
    match start {
        StartOutcome::Plugged { .. } => "plugged".to_string(),
        StartOutcome::SelfSigned { .. } => "self-signed".to_string(),
        StartOutcome::RefusesToStart { log, .. } => {
            let log = log.strip_prefix("failed to create an istiod CA: ").unwrap();
            let inner = log.strip_prefix("failed to create CA KeyCertBundle (");
            inner.and_then(|log| log.strip_suffix(')')).unwrap_or(log).to_string()
        }
    }
}

/// What each release of [`RELEASES`] does: `expect` names the outcomes by the first release they hold from.
fn check(secret: &Secret, expect: &[(&str, &str)]) {
    for version in RELEASES {
        let this = version.parse::<Version>().unwrap();
        let since = |text: &&(&str, &str)| text.0.parse::<Version>().unwrap() <= this;
        let wanted = expect.iter().rev().find(since).map_or("", |(_, outcome)| *outcome);
        assert_eq!(outcome(&starts(secret, &settings(version), NOW)), wanted, "{version}");
    }
}

pub(super) fn without(secret: &Secret, names: &[&str]) -> Secret {
    let mut secret = secret.clone();
    names.iter().for_each(|name| secret.remove(name));
    secret
}

fn with(secret: &Secret, name: &str, content: impl Into<Vec<u8>>) -> Secret {
    let mut secret = secret.clone();
    secret.insert(name, content.into());
    secret
}

fn text(secret: &Secret, name: &str) -> String {
    String::from_utf8(secret.get(name).unwrap().to_vec()).unwrap()
}

/// The same secret under cert-manager's names.
pub(super) fn tls(from: &Secret) -> Secret {
    [("tls.crt", "ca-cert.pem"), ("tls.key", "ca-key.pem"), ("ca.crt", "root-cert.pem")]
        .into_iter()
        .map(|(to, name)| (to, text(from, name)))
        .collect()
}

#[test]
fn versions() {
    let order = ["0.8.0", "1.6.4", "1.12", "1.26.1", "1.30.3-distroless", "2.0.0"];
    let parsed: Vec<Version> = order.iter().map(|text| text.parse::<Version>().unwrap()).collect();
    assert!(parsed.is_sorted());
    assert_eq!("1.27.0-rc.0".parse::<Version>(), "1.27".parse::<Version>());
    for text in ["", "1", "latest", "v1.2.3", "1.2.3.4", "1.x.0", "1.-2.0"] {
        assert!(text.parse::<Version>().is_err(), "{text}");
    }
    assert!(!parsed[0].knows_tls_files() && parsed[5].refuses_incomplete());
    let clamps = |text: &str| text.parse::<Version>().unwrap().clamps_leaves();
    assert_eq!(
        ["1.27.9", "1.28.6", "1.28.7", "1.29.2", "1.29.3", "1.30.0"].map(clamps),
        [false, false, true, false, true, true]
    );
}

#[test]
fn files_that_are_missing() {
    const INCOMPLETE: &str = "incomplete signing CA bundle detected";
    let good = good(&root("CN=Root"));
    let open = |name: &str| alloc::format!("open etc/cacerts/{name}: no such file or directory");
    check(&good, &[("1.0.0", "plugged")]);
    check(&Secret::default(), &[("1.0.0", "self-signed")]);
    check(
        &without(&good, &["cert-chain.pem"]),
        &[("1.0.0", &open("cert-chain.pem")), ("1.26.1", INCOMPLETE)],
    );
    check(
        &without(&good, &["ca-cert.pem"]),
        &[("1.0.0", &open("ca-cert.pem")), ("1.26.1", INCOMPLETE)],
    );
    check(&without(&good, &["ca-key.pem"]), &[("1.0.0", "self-signed"), ("1.26.1", INCOMPLETE)]);
    check(
        &without(&good, &["root-cert.pem"]),
        &[
            ("1.0.0", "open : no such file or directory"),
            ("1.21.0", &open("root-cert.pem")),
            ("1.26.1", INCOMPLETE),
        ],
    );
    // A file that is there and empty is there.
    check(&with(&good, "cert-chain.pem", ""), &[("1.0.0", "plugged")]);
    // What istiod does not know changes nothing.
    check(&with(&good, "key.pem", "x"), &[("1.0.0", "plugged")]);
}

#[test]
fn cert_managers_names() {
    let good = good(&root("CN=Root"));
    let form = tls(&good);
    check(&form, &[("1.0.0", "self-signed"), ("1.14.2", "plugged")]);
    check(
        &without(&form, &["ca.crt"]),
        &[
            ("1.0.0", "self-signed"),
            ("1.14.2", "open etc/cacerts/ca.crt: no such file or directory"),
            ("1.26.1", "incomplete signing CA bundle detected"),
        ],
    );
    // tls.crt alone decides, even next to a good set in the other layout.
    let mixed = with(&good, "tls.crt", text(&form, "tls.crt"));
    check(
        &mixed,
        &[
            ("1.0.0", "plugged"),
            ("1.14.2", "self-signed"),
            ("1.26.1", "incomplete signing CA bundle detected"),
        ],
    );
}

#[test]
fn a_secret_of_istiods_own() {
    let own = with(&good(&root("CN=Root")), "istio-generated", "");
    check(&own, &[("1.0.0", "plugged")]);
    let flagged = |version| Settings { cacerts_for_self_signed: true, ..settings(version) };
    assert_eq!(outcome(&starts(&own, &flagged("1.19.0"), NOW)), "plugged");
    assert_eq!(outcome(&starts(&own, &flagged("1.20.0"), NOW)), "self-signed");
}

const NO_WAY: &str =
    "cannot verify the cert with the provided root chain and cert pool with error: ";

fn refused(secret: &Secret, why: &str) {
    check(secret, &[("1.0.0", &alloc::format!("{NO_WAY}{why}"))]);
}

#[test]
fn chains_go_refuses() {
    let [other, stranger] = ["CN=Root", "CN=Other"].map(root);
    let root = root("CN=Root");
    let (ca, key) = signed(&root, |_| {});
    refused(
        &secret(&ca, &key, &[&ca], &[&other.cert]),
        "x509: certificate signed by unknown authority (possibly because of \"x509: ECDSA verification failure\" \
         while trying to verify candidate authority certificate \"Root\")",
    );
    refused(
        &secret(&ca, &key, &[&ca], &[&stranger.cert]),
        "x509: certificate signed by unknown authority",
    );
    let client = |profile: &mut Profile| profile.ext_key_usage = vec![Oid::CLIENT_AUTH];
    refused(&good_with(&root, client), "x509: certificate specifies an incompatible key usage");
    let both = |profile: &mut Profile| {
        profile.ext_key_usage = vec![Oid::CLIENT_AUTH, Oid::SERVER_AUTH];
    };
    check(&good_with(&root, both), &[("1.0.0", "plugged")]);
    let nested = root_with("CN=Root", client);
    refused(&good(&nested), "x509: certificate specifies an incompatible key usage");
    check(
        &good_with(&root, |profile| profile.role = Role::EndEntity),
        &[("1.0.0", "certificate is not authorized to sign other certificates")],
    );
}

#[test]
fn dates() {
    let root = root("CN=Root");
    let secret = good_with(&root, |profile| profile.validity = 10 * DAY);
    let end = first_end(&secret);
    let newest = Settings::defaults(Version::NEWEST);
    let at = |time| outcome(&starts(&secret, &newest, time));
    // The last second is good for Go, as it is not for OpenSSL; the chain has no time left then.
    assert_eq!(at(end), "failed to get default cert TTL cert chain has expired");
    let old = Settings::defaults(Version::new(1, 6, 4));
    assert_eq!(outcome(&starts(&secret, &old, end)), "plugged");
    assert_eq!(at(end.minus(SECOND)), "plugged");
    let why = |how: &str, time: Time, bound: Time| {
        alloc::format!(
            "{NO_WAY}x509: certificate has expired or is not yet valid: current time {time} is {how} {bound}"
        )
    };
    assert_eq!(at(end.plus(SECOND)), why("after", end.plus(SECOND), end));
    let begin =
        first_cert(secret.get("ca-cert.pem").unwrap()).unwrap().not_before().time().unwrap();
    assert_eq!(at(begin.minus(SECOND)), why("before", begin.minus(SECOND), begin));
}

fn first_end(secret: &Secret) -> Time {
    let ca = first_cert(secret.get("ca-cert.pem").unwrap()).unwrap();
    ca.not_after().time().unwrap()
}

/// The root is replaced by its cross-certificate under an expired one: OpenSSL would stop there, Go continues.
#[test]
fn go_tries_every_way() {
    let (root, old) = (root("CN=Root"), root_with("CN=Old", |p| p.validity = DAY));
    let profile = Profile { validity: DAY, ..Profile::root(root.cert.subject().clone()) };
    let issuer = Issuer { cert: &old.cert, signer: &old.key };
    let cross = issue(&profile, root.key.public_key(), issuer, stamp()).unwrap();
    let (ca, key) = signed(&root, |_| {});
    let secret = secret(&ca, &key, &[&ca, &cross], &[&old.cert, &root.cert]);
    let at = NOW.plus(2 * DAY);
    assert_eq!(outcome(&starts(&secret, &settings("1.30.3"), at)), "plugged");
}

#[test]
fn keys() {
    let root = root("CN=Root");
    let good = good(&root);
    let other = key().to_pem().to_string();
    check(
        &with(&good, "ca-key.pem", other.clone()),
        &[
            ("1.0.0", "the cert does not match the key"),
            (
                "1.21.0",
                "the cert does not match the key: tls: private key does not match public key",
            ),
        ],
    );
    let first =
        |label: &str| crate::pem::encode(label, b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07");
    let unsupported =
        "failed to parse private key PEM: unsupported PEM block type for a private key: ";
    for label in ["EC PARAMETERS", "ENCRYPTED PRIVATE KEY", "Ed25519 PRIVATE KEY"] {
        let secret = with(&good, "ca-key.pem", first(label) + &text(&good, "ca-key.pem"));
        check(&secret, &[("1.0.0", &alloc::format!("{unsupported}{label}"))]);
    }
    check(
        &with(&good, "ca-key.pem", "no key"),
        &[("1.0.0", "failed to parse private key PEM: invalid PEM-encoded key")],
    );
    // Only the first certificate counts, and the key belongs to the second.
    let swapped = root.cert.to_pem() + &text(&good, "ca-cert.pem");
    let log = outcome(&starts(&with(&good, "ca-cert.pem", swapped), &settings("1.20.0"), NOW));
    assert_eq!(log, "the cert does not match the key");
}

#[test]
fn pem_as_go_reads_it() {
    let cert = root("CN=Root").cert.to_pem();
    let count = |text: &str| go_pem::pool(text.as_bytes()).len();
    let others: String = (0..2).map(|i| root(&alloc::format!("CN={i}")).cert.to_pem()).collect();
    assert_eq!(count(&alloc::format!("{cert}{others}")), 3);
    assert_eq!(
        count(&alloc::format!("{}{others}", cert.trim_end())),
        1,
        "glue eats both neighbours"
    );
    assert_eq!(count(&alloc::format!("  {cert}")), 0);
    assert_eq!(count(&alloc::format!("text\n\n{}", cert.replace('\n', " \r\n"))), 1);
    assert_eq!(count(&cert.replace("CERTIFICATE", "X509 CERTIFICATE")), 0);
    assert_eq!(count(&cert.replacen("-----\n", "-----\nA: b\n\n", 1)), 0, "headers");
    assert_eq!(count(&alloc::format!("-----BEGIN CERTIFICATE-----\nAA\n{cert}")), 1);
    assert_eq!(count(&cert.replacen("END CERTIFICATE", "END X", 1)), 0);
    assert_eq!(count(cert.trim_end()), 1);
    for text in [
        "",
        "-----BEGIN ",
        "\n-----END ",
        "-----BEGIN A-----\n-----END A-----",
        "-----BEGIN -----END ",
    ] {
        assert_eq!(count(text), 0, "{text}");
    }
    // In the tls form the two files are joined as they are.
    let form = tls(&good(&root("CN=Root")));
    let newest = Settings::defaults(Version::NEWEST);
    let glued = with(&form, "tls.crt", text(&form, "tls.crt").trim_end());
    assert_eq!(go_pem::pool(&Bundle::new(&form, &newest).chain().unwrap()).len(), 2);
    assert_eq!(go_pem::pool(&Bundle::new(&glued, &newest).chain().unwrap()).len(), 0);
}

/// What a running istiod does, in a word.
fn running(change: &SecretChange) -> String {
    match &change.reload {
        Reload::Unchanged => "unchanged".to_string(),
        Reload::HotReload { .. } => "reload".to_string(),
        Reload::NeedsRestart { .. } => "restart".to_string(),
        Reload::KeepsOld { log } => log.clone(),
    }
}

#[test]
fn a_new_intermediate() {
    let root = root("CN=Root");
    let (old, new) = (good(&root), good(&root));
    for (version, wanted) in [
        ("1.11.0", "restart"),
        ("1.12.0", "restart"),
        ("1.17.0", "restart"),
        ("1.18.0", "reload"),
        ("1.19.0", "reload"),
        ("1.30.3", "reload"),
    ] {
        let change = changes(&old, &new, &settings(version), NOW);
        assert_eq!(running(&change), wanted, "{version}");
        assert_eq!(outcome(&change.next_start), "plugged");
    }
    let flagged = Settings { auto_reload: true, ..settings("1.12.0") };
    assert_eq!(running(&changes(&old, &new, &flagged, NOW)), "reload");
    let flagged = Settings { auto_reload: true, ..settings("1.11.0") };
    assert_eq!(running(&changes(&old, &new, &flagged, NOW)), "restart");
    let newest = settings("1.30.3");
    assert_eq!(running(&changes(&old, &old, &newest, NOW)), "unchanged");
    // The old one has expired since: istiod still runs on it.
    let expired = good_with(&root, |profile| profile.validity = DAY);
    assert_eq!(running(&changes(&expired, &new, &newest, NOW.plus(3 * DAY))), "reload");
    // No secret at the start, no watcher.
    assert_eq!(running(&changes(&Secret::default(), &new, &newest, NOW)), "restart");
    // What Verify refuses is not taken, and stops the next start.
    let wrong_key = with(&new, "ca-key.pem", key().to_pem().to_string());
    let change = changes(&old, &wrong_key, &newest, NOW);
    assert_eq!(
        running(&change),
        "Failed to update new Plug-in CA certs: the cert does not match the key: tls: private key does not match public key"
    );
    assert!(matches!(
        change.next_start,
        StartOutcome::RefusesToStart { refusal: Refusal::KeyMismatch, .. }
    ));
    // handleEvent does not ask for a CA: taken over at once, refused at the next start.
    let leaf = good_with(&root, |profile| profile.role = Role::EndEntity);
    let change = changes(&old, &leaf, &newest, NOW);
    assert_eq!(running(&change), "reload");
    assert!(matches!(
        change.next_start,
        StartOutcome::RefusesToStart { refusal: Refusal::NotCa, .. }
    ));
    let gone = without(&new, &["root-cert.pem"]);
    assert_eq!(
        running(&changes(&old, &gone, &newest, NOW)),
        "failed reading root-cert.pem: open etc/cacerts/root-cert.pem: no such file or directory"
    );
}

#[test]
fn what_the_chain_begins_with() {
    let root = root("CN=Root");
    let good = good(&root);
    let glued = text(&good, "ca-cert.pem").trim_end().to_string() + &root.cert.to_pem();
    let no_time = "failed to get default cert TTL failed to get cert chain TTL failed to extract cert \
                   expiration timestamp: failed to parse the cert: invalid PEM encoded certificate";
    check(&with(&good, "cert-chain.pem", glued), &[("1.0.0", "plugged"), ("1.7.0", no_time)]);
    // A running istiod does not measure.
    let change = changes(&good, &with(&good, "cert-chain.pem", "x"), &settings("1.30.3"), NOW);
    assert_eq!(running(&change), "reload");
    assert_eq!(outcome(&change.next_start), no_time);
}

#[test]
fn new_roots() {
    const DISABLED: &str = "Multi root is disabled, updating new ROOT-CA not supported";
    const UNSUPPORTED: &str = "Updating new ROOT-CA not supported";
    let (a, b) = (root("CN=A"), root("CN=B"));
    let (ca, key) = signed(&a, |_| {});
    let bundle = |roots: &[&Cert]| secret(&ca, &key, &[&ca], roots);
    let only_a = bundle(&[&a.cert]);
    let (ab, ba) = (bundle(&[&a.cert, &b.cert]), bundle(&[&b.cert, &a.cert]));
    let rewrapped = {
        let text = a.cert.to_pem().replace('\n', "\r\n") + &b.cert.to_pem();
        with(&ab, "root-cert.pem", text)
    };
    let unrelated = good(&b);
    let cases: [(&Secret, &Secret, [&str; 5]); 6] = [
        (&only_a, &ab, [UNSUPPORTED, DISABLED, "reload", "reload", "reload"]),
        (&ab, &only_a, [UNSUPPORTED, DISABLED, "reload", "reload", "reload"]),
        (&only_a, &ba, [UNSUPPORTED, DISABLED, "reload", "reload", "reload"]),
        (&ab, &ba, [UNSUPPORTED, DISABLED, UNSUPPORTED, UNSUPPORTED, "reload"]),
        (&only_a, &rewrapped, [UNSUPPORTED, DISABLED, UNSUPPORTED, UNSUPPORTED, "reload"]),
        (&only_a, &unrelated, [UNSUPPORTED, DISABLED, UNSUPPORTED, UNSUPPORTED, UNSUPPORTED]),
    ];
    let multi = |version| Settings { multi_root: true, ..settings(version) };
    let judges =
        [multi("1.19.0"), settings("1.30.3"), multi("1.20.0"), multi("1.29.3"), multi("1.30.0")];
    for (i, (old, new, wanted)) in cases.iter().enumerate() {
        for (settings, wanted) in judges.iter().zip(wanted) {
            let change = changes(old, new, settings, NOW);
            assert_eq!(running(&change), *wanted, "case {i}, {settings:?}");
            assert_eq!(outcome(&change.next_start), "plugged", "case {i}");
        }
    }
}
