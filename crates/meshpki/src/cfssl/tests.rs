use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use super::*;
use crate::cert::{GeneralName, KeyUsage};
use crate::profile::Role;
use crate::time::DAY;

const CA: &str = include_str!("../../../../fixtures/cfssl/ca.json");
const INTERMEDIATE: &str = include_str!("../../../../fixtures/cfssl/intermediate-ca.json");
const CONFIG: &str = include_str!("../../../../fixtures/cfssl/cfssl.json");

fn now() -> Time {
    "2026-11-21T13:14:59Z".parse::<Time>().unwrap()
}

/// `1 error cfssl/key; 3 warning cfssl/host`.
fn short(traps: &[Trap]) -> String {
    let line = |trap: &Trap| format!("{} {} {}", trap.line, trap.severity, trap.code);
    traps.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn traps<T>(outcome: Outcome<T>) -> Vec<Trap> {
    match outcome {
        Ok((_, traps)) => {
            assert!(traps.iter().all(|trap| trap.severity == Severity::Warning));
            traps
        }
        Err(traps) => {
            assert!(traps.iter().any(|trap| trap.severity == Severity::Error));
            traps
        }
    }
}

fn file(text: &str) -> CsrFile {
    CsrFile::parse(text).unwrap_or_else(|traps| panic!("{text}: {}", short(&traps))).0
}

fn config(text: &str) -> SigningConfig {
    SigningConfig::parse(text).unwrap_or_else(|traps| panic!("{text}: {}", short(&traps))).0
}

/// A configuration with one profile, `p`.
fn one(profile: &str) -> String {
    format!(r#"{{"signing": {{"profiles": {{"p": {profile}}}}}}}"#)
}

#[test]
fn the_three_files_of_the_article_pass_with_warnings() {
    let (root, none) = CsrFile::parse(CA).unwrap();
    assert_eq!(none, []);
    let (order, none) = root.root(now()).unwrap();
    assert_eq!(none, []);
    assert_eq!(
        order.profile.subject.to_string(),
        "C = GB, ST = England, L = London, O = Custom Widgets, OU = Custom Widgets Root CA, CN = My Kube Root CA"
    );
    assert_eq!(order.profile.role, Role::Ca { path_len: None });
    assert_eq!(order.profile.validity, Duration::from_secs(43_800 * 3600));
    assert_eq!(order.not_before.to_string(), "2026-11-21T13:10:00Z");

    let (intermediate, none) = CsrFile::parse(INTERMEDIATE).unwrap();
    assert_eq!(none, []);
    let (request, warnings) = intermediate.request().unwrap();
    assert_eq!(short(&warnings), "16 warning cfssl/ca-section; 17 warning cfssl/ca-expiry-ignored");
    assert_eq!(request.role, Role::Ca { path_len: None });
    assert_eq!(
        short(&intermediate.root(now()).unwrap_err()),
        "1 error cfssl/self-signed-intermediate"
    );

    let config = config(CONFIG);
    let (profile, warnings) = config.profile(Some("intermediate_ca")).unwrap();
    assert_eq!(
        short(&warnings),
        "8 warning cfssl/ca-ext-key-usage; 37 warning cfssl/unknown-usage"
    );
    assert_eq!(
        profile.key_usage.names().collect::<Vec<_>>(),
        ["digitalSignature", "keyEncipherment", "keyCertSign", "cRLSign"]
    );
    assert_eq!(profile.role, Role::Ca { path_len: Some(0) });
    assert_eq!((profile.validity(), profile.backdate()), (365 * DAY, Duration::from_secs(300)));
    assert_eq!(
        short(&config.profile(Some("server")).unwrap_err()),
        "8 warning cfssl/ca-ext-key-usage; 37 error cfssl/unknown-usage"
    );
}

fn check_file(text: &str, expect: &str) {
    assert_eq!(short(&traps(CsrFile::parse(text))), expect, "{text}");
}

#[test]
fn what_is_no_csr_file() {
    let check = check_file;
    check(r#"{"CN": "a"}"#, "");
    check(r#"{"CN": "a", "key": null, "names": null, "hosts": null, "ca": null}"#, "");
    check("", "1 error cfssl/json");
    check("null", "1 error cfssl/no-subject");
    check("[]", "1 error cfssl/type");
    check("{\"CN\": \"a\",\n}", "1 error cfssl/json");
    check("{\"CN\": \"a\"} // root", "1 error cfssl/json");
    check("{\n'CN': 'a'}", "2 error cfssl/json");
    check("{\r\r\r\n'CN': 'a'}", "2 error cfssl/json");
    check("\u{feff}{\"CN\": \"a\"}", "1 error cfssl/json");
    check("{\"CN\": \"a\tb\"}", "1 error cfssl/json");
    check("{\"CN\": \"a\", \"key\": {\"size\": 0256}}", "1 error cfssl/json");
    check("{\"CN\":\u{a0}\"a\"}", "1 error cfssl/json");
    check(r#"{"CN": "a"}{}"#, "1 error cfssl/json");
    check("{\"CN\": \"a\",\n\"names\": {\"C\": \"GB\"}}", "2 error cfssl/type");
    check(
        "{\"CN\": \"a\",\n\"key\": {\"algo\": \"rsa\",\n\"size\": \"2048\"}}",
        "2 error cfssl/key; 3 error cfssl/type",
    );
    check(r#"{"CN": "a", "key": {"size": 256.0}}"#, "1 error cfssl/type");
    check(r#"{"CN": "a", "hosts": "a.example"}"#, "1 error cfssl/type");
    check(r#"{"CN": "a", "hosts": [1]}"#, "1 error cfssl/type");
}

#[test]
fn field_names_of_csr_files() {
    let check = check_file;
    check("{\"cn\":\n\"a\"}", "1 warning cfssl/field-case");
    check("{\"CN\": \"a\",\n\"CN\": \"b\"}", "2 error cfssl/duplicate-key");
    check(
        "{\"CN\": \"a\",\n\"cn\": \"a\"}",
        "2 warning cfssl/field-case; 2 warning cfssl/duplicate-key",
    );
    check(r#"{"CN": "a", "_comment": "mine"}"#, "1 warning cfssl/unknown-field");
    check(r#"{"CN": "a", "name": []}"#, "1 error cfssl/unknown-field");
    check(r#"{"CN": "a", "ca": {"path_len": 1}}"#, "1 error cfssl/unknown-field");
    check(r#"{"CN": "a", "expiry": "1h"}"#, "1 error cfssl/misplaced-field");
    check(r#"{"CN": "a", "O": "b"}"#, "1 error cfssl/misplaced-field");
    check(r#"{"CN": "a", "ca": {"is_ca": true}}"#, "1 error cfssl/misplaced-field");
}

#[test]
fn subjects_of_csr_files() {
    let check = check_file;
    check("{}", "1 error cfssl/no-subject");
    check(
        r#"{"CN": "", "names": [{"C": "GB"}, {"C": " "}]}"#,
        "1 error cfssl/subject; 1 error cfssl/no-subject; 1 warning cfssl/multi-valued-name",
    );
    check(r#"{"names": [{"O": "a"}]}"#, "");
    check(r#"{"CN": "a", "names": [{"C": "GBR"}]}"#, "1 error cfssl/subject");
    check(r#"{"CN": "a", "names": [{"SerialNumber": "1"}]}"#, "1 warning cfssl/name-serial-number");
    check(r#"{"CN": "a", "names": [{"E": "a@b"}]}"#, "1 warning cfssl/needs-newer-cfssl");
    check(
        r#"{"CN": "a", "names": [{"OID": {"1.2.3": "b"}}]}"#,
        "1 warning cfssl/needs-newer-cfssl",
    );
    check(r#"{"CN": "a", "names": [{"OID": {"2.5.4.10": "b"}}]}"#, "1 error cfssl/subject");
    check(r#"{"CN": "a", "names": [{"OID": {"O": "b"}}]}"#, "1 error cfssl/subject");
    check(r#"{"CN": "a", "names": [{"OID": {"1.2.3": 4}}]}"#, "1 error cfssl/type");
}

#[test]
fn keys_and_sections_of_csr_files() {
    let check = check_file;
    for (key, expect) in [
        (r#"{"algo": "rsa"}"#, "1 error cfssl/key"),
        (r#"{"algo": "rsa", "size": 1024}"#, "1 error cfssl/key"),
        (r#"{"algo": "rsa", "size": 2560}"#, "1 error cfssl/key"),
        (r#"{"algo": "rsa", "size": 16384}"#, "1 error cfssl/key"),
        (r#"{"algo": "RSA", "size": 2048}"#, "1 error cfssl/key"),
        (r#"{"algo": "ecdsa", "size": 224}"#, "1 error cfssl/key"),
        (r#"{"algo": "ecdsa"}"#, ""),
        (r#"{"size": 521}"#, ""),
        (r#"{"algo": "ed25519"}"#, "1 warning cfssl/needs-newer-cfssl"),
    ] {
        check(&format!(r#"{{"CN": "a", "key": {key}}}"#), expect);
    }
    for (ca, expect) in [
        (r#"{"pathlen": 0}"#, "1 error cfssl/path-len-lost"),
        (r#"{"pathlen": 0, "pathlenzero": true}"#, ""),
        (r#"{"pathlen": 1, "pathlenzero": true}"#, "1 warning cfssl/path-len"),
        (r#"{"pathlen": -1}"#, "1 warning cfssl/path-len"),
        (r#"{"pathlen": -2}"#, "1 error cfssl/path-len"),
        (r#"{"expiry": "5y"}"#, "1 error cfssl/duration"),
        (r#"{"expiry": "0"}"#, "1 error cfssl/expiry"),
        (r#"{"expiry": ""}"#, ""),
        (r#"{"backdate": "1h"}"#, "1 warning cfssl/needs-newer-cfssl"),
    ] {
        check(&format!(r#"{{"CN": "a", "ca": {ca}}}"#), expect);
    }
    check(r#"{"CN": "a", "crl_url": "http://a"}"#, "1 warning cfssl/not-carried-out");
    check(r#"{"CN": "a", "extensions": [{}]}"#, "1 error cfssl/not-carried-out");
    check(r#"{"CN": "a", "extensions": [], "delegation_enabled": false}"#, "");
}

#[test]
fn what_is_no_signing_configuration() {
    let refused = |text: &str, expect: &str| {
        assert_eq!(short(&traps(SigningConfig::parse(text))), expect, "{text}");
    };
    refused("{}", "1 error cfssl/no-signing");
    refused(r#"{"signing": null}"#, "1 error cfssl/no-signing");
    refused(r#"{"profiles": {}}"#, "1 error cfssl/no-signing");
    refused(r#"{"signing": {}, "auth_keys": {"a": {}}}"#, "1 warning cfssl/not-carried-out");
    refused(r#"{"signing": {"usages": []}}"#, "1 error cfssl/misplaced-field");
    refused(r#"{"signing": {"profile": {}}}"#, "1 error cfssl/unknown-field");
    refused(&one("null"), "1 error cfssl/no-usages");
    refused(&one("[]"), "1 error cfssl/type");
    refused(&one("{\"usages\":\n\"signing\", \"expiry\": \"1h\"}"), "2 error cfssl/type");
    refused(&one(r#"{"usages": ["signing"], "expiry": 8760}"#), "1 error cfssl/type");
    refused(&one(r#"{"usages": ["signing"], "Expiry": "8760h"}"#), "1 error cfssl/type");
    refused(
        &one(r#"{"usages": ["signing"], "expiry": "1h", "not_after": "2030-12-31"}"#),
        "1 error cfssl/time",
    );
    refused(
        "{\"signing\": {\"profiles\": {\"p\": {},\n\"p\": null}}}",
        "2 error cfssl/duplicate-key; 2 error cfssl/no-usages",
    );
}

/// The traps of a profile that is used; the same are warnings when it is not.
fn check_profile(profile: &str, expect: &str) {
    let config = config(&one(profile));
    assert_eq!(short(&traps(config.profile(Some("p")))), expect, "{profile}");
    let (_, other) = config.profile(None).unwrap();
    assert_eq!(short(&other), expect.replace(" error ", " warning "), "{profile}");
}

#[test]
fn fields_of_profiles() {
    let check = check_profile;
    check(r#"{"usages": ["signing"], "expiry": "1h"}"#, "");
    check(r#"{"expiry": "1h"}"#, "1 error cfssl/no-usages");
    check(r#"{"usages": ["signing"]}"#, "1 error cfssl/expiry");
    check(r#"{"usages": ["signing"], "EXPIRY": "1h"}"#, "1 warning cfssl/field-case");
    check("{\"usages\": [\"signing\"],\n\"expiry\": \"365d\"}", "2 error cfssl/duration");
    check(r#"{"usages": ["signing"], "expiry": "-1h"}"#, "1 error cfssl/expiry");
    check(
        r#"{"usages": ["signing"], "expiry": "1h", "backdate": "0s"}"#,
        "1 warning cfssl/backdate",
    );
    check(
        r#"{"usages": ["signing"], "expiry": "1h", "backdate": "-1m"}"#,
        "1 error cfssl/backdate",
    );
    check(
        r#"{"usages": ["signing"], "expiry": "1h", "not_before": "2030-01-02T00:00:00Z", "not_after": "2030-01-01T00:00:00+00:00"}"#,
        "1 error cfssl/time",
    );
    check(
        "{\"usages\": [\n\"signing\",\n\"crl signing\"], \"expiry\": \"1h\"}",
        "3 error cfssl/unknown-usage",
    );
    check(r#"{"usages": ["Server Auth"], "expiry": "1h"}"#, "1 error cfssl/unknown-usage");
    check(
        r#"{"usages": ["content commitment"], "expiry": "1h"}"#,
        "1 warning cfssl/needs-newer-cfssl",
    );
    check(
        r#"{"usages": ["s/mime", "email protection"], "expiry": "1h"}"#,
        "1 warning cfssl/repeated-usage",
    );
    check(
        r#"{"usage": ["signing"], "expiry": "1h"}"#,
        "1 error cfssl/unknown-field; 1 error cfssl/no-usages",
    );
}

#[test]
fn profiles_of_cas() {
    let check = check_profile;
    check(r#"{"usages": ["cert sign"], "expiry": "1h"}"#, "1 error cfssl/cert-sign-without-ca");
    check(
        r#"{"usages": ["cert sign"], "expiry": "1h", "is_ca": true}"#,
        "1 error cfssl/misplaced-field; 1 error cfssl/cert-sign-without-ca",
    );
    let ca = |usages: &str, constraint: &str, expect: &str| {
        let profile =
            format!(r#"{{"usages": [{usages}], "expiry": "1h", "ca_constraint": {constraint}}}"#);
        check(&profile, expect);
    };
    let is_ca = r#"{"is_ca": true}"#;
    ca(r#""cert sign""#, is_ca, "");
    ca(r#""signing""#, is_ca, "1 error cfssl/ca-without-cert-sign");
    ca(r#""cert sign", "client auth""#, is_ca, "1 error cfssl/ca-ext-key-usage");
    ca(r#""cert sign", "server auth""#, is_ca, "1 error cfssl/ca-ext-key-usage");
    ca(r#""cert sign", "client auth", "server auth""#, is_ca, "1 warning cfssl/ca-ext-key-usage");
    ca(r#""cert sign""#, r#"{"is_ca": true, "max_path_len": 0}"#, "1 error cfssl/path-len-lost");
    ca(r#""cert sign""#, r#"{"is_ca": true, "max_path_len_zero": true}"#, "");
    ca(r#""cert sign""#, r#"{"is_ca": true, "pathlen": 0}"#, "1 error cfssl/misplaced-field");
    ca(r#""signing""#, r#"{"max_path_len": 1}"#, "1 error cfssl/ca-constraint-unused");
    ca(
        r#""signing""#,
        r#"{"is_ca": false, "max_path_len": 1}"#,
        "1 warning cfssl/ca-constraint-unused",
    );
}

#[test]
fn what_is_not_carried_out() {
    let check = check_profile;
    let with = |field: &str, severity: &str| {
        let profile = format!(r#"{{"usages": ["signing"], "expiry": "1h", {field}}}"#);
        check(&profile, &format!("1 {severity} cfssl/not-carried-out"));
    };
    with(r#""ocsp_url": "http://a""#, "warning");
    with(r#""issuer_urls": ["http://a"]"#, "warning");
    with(r#""lint_error_level": 3"#, "warning");
    with(r#""copy_extensions": true"#, "error");
    with(r#""name_whitelist": ".*""#, "error");
    with(r#""policies": [{"ID": "1.2.3"}]"#, "error");
    with(r#""CSRWhitelist": {"subject": true}"#, "error");
    check(r#"{"remote": "ca"}"#, "1 error cfssl/not-carried-out; 1 error cfssl/no-usages");
    check(
        r#"{"usages": ["signing"], "expiry": "1h", "crl_url": "", "copy_extensions": false}"#,
        "",
    );
}

#[test]
fn profiles_by_name() {
    let both = config(
        r#"{"signing": {"default": {"expiry": "1h"}, "profiles": {"ca": {"usages": ["signing"], "expiry": "2h"}}}}"#,
    );
    assert_eq!(both.profile(Some("ca")).unwrap().0.validity(), Duration::from_secs(7200));
    let unknown = both.profile(Some("cA")).unwrap_err();
    assert_eq!(short(&unknown), "1 error cfssl/unknown-profile");
    assert_eq!(unknown[0].hint, "write `ca`");
    assert_eq!(short(&both.profile(None).unwrap_err()), "1 error cfssl/no-usages");
    assert_eq!(short(&both.profile(Some("")).unwrap_err()), "1 error cfssl/no-usages");
    assert_eq!(short(&both.profile(Some("default")).unwrap_err()), "1 error cfssl/no-usages");

    let (profile, none) = config(r#"{"signing": {}}"#).profile(None).unwrap();
    assert_eq!(none, []);
    assert_eq!(profile.role, Role::EndEntity);
    assert_eq!(profile.validity(), 365 * DAY);
    assert_eq!(profile.key_usage, KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT));
}

#[test]
fn hosts_by_kind() {
    let check = |host: &str, expect: Option<&str>| {
        let text = format!(r#"{{"CN": "a", "hosts": ["{host}"]}}"#);
        let names = CsrFile::parse(&text).ok().map(|(file, _)| {
            file.request().unwrap().0.subject_alt_names.iter().map(ToString::to_string).collect()
        });
        assert_eq!(names, expect.map(|name| vec![name.to_owned()]), "{host}");
    };
    check("a.example", Some("DNS:a.example"));
    check("*.a.example", Some("DNS:*.a.example"));
    check("localhost", Some("DNS:localhost"));
    check("10.0.0.1", Some("IP:10.0.0.1"));
    check("10.0.0.01", Some("DNS:10.0.0.01"));
    check("::ffff:1.2.3.4", Some("IP:1.2.3.4"));
    check("fe80::1", Some("IP:fe80::1"));
    check("bob@a.example", Some("email:bob@a.example"));
    check("Bob <bob@a.example>", Some("email:bob@a.example"));
    check("SPIFFE://td/ns/a", Some("URI:spiffe://td/ns/a"));
    for bad in
        ["", "a.example,b.example", "a.example:443", "a b", "/a", "ä.example", "a@", "fe80::1%eth0"]
    {
        check(bad, None);
    }
    let sorted = file(
        r#"{"CN": "a", "hosts": ["spiffe://a/b", "10.0.0.1", "x@a.example", "b.example", "a.example"]}"#,
    );
    let names = sorted.request().unwrap().0.subject_alt_names;
    let kinds: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(
        kinds,
        ["DNS:b.example", "DNS:a.example", "email:x@a.example", "IP:10.0.0.1", "URI:spiffe://a/b"]
    );
    let (order, warnings) = sorted.root(now()).unwrap();
    assert_eq!(order.profile.subject_alt_names, [GeneralName::Ip(vec![10, 0, 0, 1])]);
    assert_eq!(short(&warnings), "1 warning cfssl/hosts-dropped");
}

#[test]
fn validity_is_counted_in_nanoseconds() {
    let check = |span: Span, expect: (&str, &str)| {
        let (first, last) = span.at(now());
        assert_eq!((first.to_string().as_str(), last.to_string().as_str()), expect);
    };
    let second = 1_000_000_000;
    let hour = Span { expiry: 3600 * second, ..Span::default() };
    check(hour, ("2026-11-21T13:10:00Z", "2026-11-21T14:10:00Z"));
    check(Span { backdate: 60 * second, ..hour }, ("2026-11-21T13:14:00Z", "2026-11-21T14:14:00Z"));
    // Measured with cfssl 1.2.0: notBefore 1.5 s before the minute is cut down, as is notAfter.
    let odd = Span { expiry: 5_401_500_000_000, backdate: 1_500_000_000, ..Span::default() };
    check(odd, ("2026-11-21T13:14:58Z", "2026-11-21T14:45:00Z"));
    let fixed = Span { not_after: Some(Time::MAX), ..hour };
    check(fixed, ("2026-11-21T13:10:00Z", "9999-12-31T23:59:59Z"));
}

#[test]
fn hints_say_what_to_write() {
    let hint = |profile: &str, expect: &str| {
        let traps = config(&one(profile)).profile(Some("p")).unwrap_err();
        assert_eq!(traps[0].hint, expect, "{profile}");
    };
    let duration = r#"write "87600h": hours are the largest unit that cfssl knows"#;
    hint(r#"{"usages": ["signing"], "expiry": "10y"}"#, duration);
    hint(r#"{"usages": ["digital signing"], "expiry": "1h"}"#, r#"write "digital signature""#);
    hint(r#"{"usages": ["crl signing"], "expiry": "1h"}"#, r#"write "crl sign""#);
    hint(r#"{"usages": ["ServerAuth"], "expiry": "1h"}"#, r#"write "server auth""#);
    hint(r#"{"usage": ["signing"], "expiry": "1h"}"#, r#"write "usages""#);
    hint(
        r#"{"usages": ["cert sign"], "expiry": "1h", "max_path_len": 0}"#,
        r#""max_path_len" belongs in `ca_constraint`"#,
    );
}

#[test]
fn no_text_makes_it_panic() {
    for text in [CA, INTERMEDIATE, CONFIG] {
        for at in 0..text.len() {
            let changed = format!("{}{}", &text[..at], &text[at + 1..]);
            for text in [&text[..at], &changed] {
                let _ =
                    CsrFile::parse(text).map(|(file, _)| (file.root(Time::MAX), file.request()));
                let _ = SigningConfig::parse(text).map(|(config, _)| config.profile(Some("peer")));
            }
        }
    }
    let _ = CsrFile::parse(&"[".repeat(100_000));
}

#[test]
fn codes_are_sorted_and_alone() {
    assert!(Trap::CODES.is_sorted_by(|a, b| a < b));
    assert!(Trap::CODES.iter().all(|code| code.starts_with("cfssl/")));
}

#[cfg(feature = "soft-keys")]
mod signing {
    use super::*;
    use crate::{Cert, KeyType, SoftKey, self_signed};

    fn issuer() -> (Cert, SoftKey) {
        let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
        let (order, _) = file(r#"{"CN": "Root", "ca": {"expiry": "24h"}}"#).root(now()).unwrap();
        let stamp = order.stamp(Serial::from_random([1; 20]));
        (self_signed(&order.profile, &key, stamp).unwrap(), key)
    }

    fn check(csr: &str, profile: &str, expect: &str) {
        let request = file(csr).request().unwrap().0;
        let csr = request.create(&SoftKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
        let profile = config(&one(profile)).profile(Some("p")).unwrap().0;
        assert_eq!(short(&traps(profile.order(&csr, &issuer().0, now()))), expect);
    }

    #[test]
    fn traps_at_signing() {
        let leaf = r#"{"usages": ["signing"], "expiry": "24h"}"#;
        let ca = r#"{"usages": ["cert sign"], "expiry": "1h", "ca_constraint": {"is_ca": true}}"#;
        check(r#"{"CN": "a", "hosts": ["a.example"]}"#, leaf, "");
        check(r#"{"CN": "a", "hosts": ["a.example"]}"#, ca, "1 warning cfssl/hosts-dropped");
        check(r#"{"CN": "a", "hosts": ["10.0.0.1"]}"#, ca, "");
        check(r#"{"CN": "a", "ca": {}}"#, leaf, "1 error cfssl/profile-not-ca");
        check(
            r#"{"CN": "a"}"#,
            r#"{"usages": ["signing"], "expiry": "24h1s"}"#,
            "1 error cfssl/outlives-issuer",
        );
        check(
            r#"{"CN": "a"}"#,
            r#"{"usages": ["signing"], "expiry": "1h", "not_after": "2026-11-21T13:00:00Z"}"#,
            "1 error cfssl/time",
        );
        check(
            r#"{"CN": "a"}"#,
            r#"{"usages": ["signing"], "expiry": "1h", "not_before": "2026-11-21T12:00:00Z"}"#,
            "1 error cfssl/time",
        );
    }

    // The article asks for RSA keys, which ring alone cannot make.
    #[cfg(feature = "aws-lc")]
    #[test]
    fn the_article_from_files_to_chain() {
        use crate::{Issuer, issue};

        let serial = Serial::from_random([2; 20]);
        let root_file = file(CA);
        let root_key = SoftKey::generate(root_file.key_type()).unwrap();
        let (order, _) = root_file.root(now()).unwrap();
        let root = self_signed(&order.profile, &root_key, order.stamp(serial)).unwrap();

        let intermediate = file(INTERMEDIATE);
        let key = SoftKey::generate(intermediate.key_type()).unwrap();
        let csr = intermediate.request().unwrap().0.create(&key).unwrap();
        let (profile, _) = config(CONFIG).profile(Some("intermediate_ca")).unwrap();
        let (order, warnings) = profile.order(&csr, &root, now()).unwrap();
        assert_eq!(warnings, []);
        let issuer = Issuer { cert: &root, signer: &root_key };
        let ca = issue(&order.profile, csr.verified_key().unwrap(), issuer, order.stamp(serial))
            .unwrap();
        assert_eq!(ca.issuer(), root.subject());
        assert_eq!(ca.extensions().basic_constraints.unwrap().path_len, Some(0));
        assert_eq!(ca.not_after().time().unwrap().to_string(), "2027-11-21T13:10:00Z");
    }

    #[test]
    fn the_hint_says_how_long_the_issuer_lasts() {
        let csr = file(r#"{"CN": "a"}"#).request().unwrap().0;
        let csr = csr.create(&SoftKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
        let long = config(&one(r#"{"usages": ["signing"], "expiry": "8760h"}"#));
        let profile = long.profile(Some("p")).unwrap().0;
        let later = now() + Duration::from_secs(90 * 60);
        let traps = profile.order(&csr, &issuer().0, later).unwrap_err();
        assert_eq!(traps[0].hint, "write \"expiry\": \"22h\" or less, or renew the issuer first");
    }

    #[test]
    fn every_key_of_a_file_can_be_made() {
        for (algo, size) in
            [("rsa", 2048), ("rsa", 3072), ("rsa", 4096), ("rsa", 8192), ("ecdsa", 521)]
        {
            let text = format!(r#"{{"CN": "a", "key": {{"algo": "{algo}", "size": {size}}}}}"#);
            let name = file(&text).key_type().name();
            assert!(name.starts_with(algo) && name.ends_with(&size.to_string()), "{name}");
        }
    }
}
