//! Side by side with the real `cfssl` (Debian's golang-cfssl 1.2.0; 1.6.5 will do as well): the same files, the same keys, and
//! certificates that differ in serial number and signature alone.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use meshpki::cfssl::{CsrFile, Order, Severity, SigningConfig, Trap};
use meshpki::internals::der::{self, Reader};
use meshpki::internals::pem;
use meshpki::{Cert, Csr, Issuer, KeyType, Serial, Signer, SoftKey, Time, issue, self_signed};
use tempfile::TempDir;
use tests::judges::{Answer, Cfssl, cfssl};

const CA: &str = include_str!("../../fixtures/cfssl/ca.json");
const INTERMEDIATE: &str = include_str!("../../fixtures/cfssl/intermediate-ca.json");
const CONFIG: &str = include_str!("../../fixtures/cfssl/cfssl.json");

/// CSR files that are right, each with a word on what it shows.
const FILES: &[(&str, &str)] = &[
    ("common name alone", r#"{"CN": "a"}"#),
    ("names alone", r#"{"names": [{"O": "a", "C": "GB"}]}"#),
    (
        "order of attributes",
        r#"{"names": [{"OU": "e", "O": "d", "L": "c", "ST": "b", "C": "GB"}], "serialnumber": "7", "CN": "f"}"#,
    ),
    (
        "two entries",
        r#"{"CN": "a", "names": [{"C": "GB", "O": "b", "OU": "z"}, {"C": "US", "O": "a"}]}"#,
    ),
    ("a value twice", r#"{"CN": "a", "names": [{"OU": "b"}, {"OU": "b"}, {"OU": "a"}]}"#),
    ("sorted by bytes", r#"{"CN": "a", "names": [{"O": "long name"}, {"O": "ä"}, {"O": "z"}]}"#),
    ("empty strings", r#"{"CN": "a", "names": [{"C": "", "O": "", "OU": "b"}, {"L": null}]}"#),
    ("outside ASCII", r#"{"CN": "Zoë", "names": [{"O": "\u00c4lpha \ud83d\ude00"}]}"#),
    ("printable", r#"{"CN": "A z 0 '()+,-./:=?"}"#),
    (
        "not printable",
        r#"{"CN": "a@b", "names": [{"O": "a*", "OU": "a&b", "L": "a_b", "ST": "\"<#"}]}"#,
    ),
    ("blanks", r#"{"CN": " a  b ", "names": [{"O": " "}]}"#),
    ("names in other letters", r#"{"cn": "a", "Names": [{"c": "GB", "o": "b"}]}"#),
    ("a name twice", r#"{"CN": "a", "CN": "a"}"#),
    ("unknown names", r#"{"CN": "a", "_comment": [1, {}]}"#),
    ("nulls", r#"{"CN": "a", "names": null, "hosts": null, "key": null, "ca": null}"#),
    (
        "hosts",
        r#"{"CN": "a", "hosts": ["x@a.example", "10.0.0.1", "b.example", "a.example", "::1", "::ffff:1.2.3.4", "Bob <y@a.example>", "10.0.0.01"]}"#,
    ),
    ("size alone", r#"{"CN": "a", "key": {"size": 384}}"#),
    ("algorithm alone", r#"{"CN": "a", "key": {"algo": "ecdsa"}}"#),
];

/// `ca` sections that are right.
const SECTIONS: &[&str] = &[
    "{}",
    r#"{"expiry": "42720h"}"#,
    r#"{"expiry": "1h30m1.5s"}"#,
    r#"{"expiry": ""}"#,
    r#"{"pathlen": 2}"#,
    r#"{"pathlen": 3, "pathlenzero": true}"#,
    r#"{"pathlen": 0, "pathlenzero": true}"#,
    r#"{"pathlenzero": true}"#,
    r#"{"pathlen": 200}"#,
];

/// Profiles that are right.
const PROFILES: &[&str] = &[
    r#"{"usages": ["signing"], "expiry": "1h"}"#,
    r#"{"usages": ["server auth"], "expiry": "1h"}"#,
    r#"{"usages": ["netscape sgc", "client auth", "any", "microsoft sgc", "s/mime", "ocsp signing", "timestamping", "ipsec user", "ipsec tunnel", "ipsec end system", "code signing", "server auth"], "expiry": "1h"}"#,
    r#"{"usages": ["decipher only", "key agreement", "data encipherment", "encipher only"], "expiry": "1h"}"#,
    r#"{"usages": ["email protection", "s/mime"], "expiry": "1h30m1.5s", "backdate": "1.5s"}"#,
    r#"{"usages": ["signing"], "expiry": "1h", "backdate": "0s"}"#,
    r#"{"usages": ["signing"], "expiry": "2h", "backdate": "1h"}"#,
    r#"{"usages": ["signing"], "expiry": "26280h", "not_before": "2026-01-01T00:00:00+01:00"}"#,
    r#"{"usages": ["signing"], "expiry": "1h", "not_after": "2030-01-01T00:00:00.5Z"}"#,
    r#"{"usages": ["signing"], "expiry": "1h", "not_before": "0001-01-01T00:00:00Z"}"#,
    r#"{"Usages": ["signing"], "EXPIRY": "1h"}"#,
    r#"{"usages": ["cert sign", "crl sign"], "expiry": "1h", "ca_constraint": {"is_ca": true}}"#,
    r#"{"usages": ["cert sign"], "expiry": "1h", "ca_constraint": {"is_ca": true, "max_path_len": 1}}"#,
    r#"{"usages": ["cert sign"], "expiry": "1h", "ca_constraint": {"is_ca": true, "max_path_len_zero": true}}"#,
    r#"{"usages": ["cert sign"], "expiry": "1h", "ca_constraint": {"is_ca": true, "max_path_len": 1, "max_path_len_zero": true}}"#,
    r#"{"usages": ["signing"], "expiry": "1h", "ca_constraint": {"is_ca": false, "max_path_len": 1}}"#,
];

#[test]
fn roots_are_cfssls() {
    let Some(judge) = Judge::new() else { return };
    for (what, text) in FILES {
        judge.check_root(what, text, None);
    }
    for section in SECTIONS {
        let text = format!(r#"{{"CN": "a", "ca": {section}}}"#);
        judge.check_root(section, &text, None);
    }
    for kind in [
        KeyType::EcdsaP384,
        KeyType::EcdsaP521,
        KeyType::Rsa2048,
        KeyType::Rsa3072,
        KeyType::Rsa4096,
    ] {
        judge.check_root(kind.name(), CA, Some(SoftKey::generate(kind).unwrap()));
    }
}

#[test]
fn requests_are_cfssls() {
    let Some(judge) = Judge::new() else { return };
    for (what, text) in FILES {
        judge.check_request(what, text, &["genkey"]);
    }
    for section in SECTIONS {
        let text = format!(r#"{{"CN": "a", "ca": {section}}}"#);
        judge.check_request(section, &text, &["genkey", "-initca"]);
    }
    judge.check_request("article", INTERMEDIATE, &["gencert", "-initca"]);
}

#[test]
fn signed_certificates_are_cfssls() {
    let Some(judge) = Judge::new() else { return };
    let root = SoftKey::generate(KeyType::EcdsaP384).unwrap();
    let ca = judge.root(r#"{"CN": "root", "names": [{"C": "GB"}, {"C": "US"}]}"#, &root);
    let hosts = r#""hosts": ["a.example", "10.0.0.1", "x@a.example"]"#;
    let csr = |text: &str| {
        let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
        CsrFile::parse(text).unwrap().0.request().unwrap().0.create(&key).unwrap()
    };
    for profile in PROFILES {
        let config = format!(r#"{{"signing": {{"profiles": {{"p": {profile}}}}}}}"#);
        for text in [r#"{"CN": "a"}"#.to_string(), format!(r#"{{"CN": "Zoë", {hosts}}}"#)] {
            judge.check_signed(&config, "p", &csr(&text), (&ca, &root));
        }
    }
    let (_, article) = FILES[3];
    judge.check_signed(CONFIG, "intermediate_ca", &csr(INTERMEDIATE), (&ca, &root));
    judge.check_signed(CONFIG, "peer", &csr(article), (&ca, &root));
    judge.check_signed(r#"{"signing": {}}"#, "", &csr(article), (&ca, &root));
    judge.check_signed(r#"{"signing": {}}"#, "default", &csr(article), (&ca, &root));
}

/// Every file here is one we refuse; the flag says whether cfssl does.
#[test]
fn what_cfssl_refuses_and_what_it_lets_pass() {
    let Some(judge) = Judge::new() else { return };
    for (text, code, refuses) in [
        ("{\"CN\": \"a\",}", "cfssl/json", true),
        ("{\"CN\": \"a\"} //", "cfssl/json", true),
        ("{\"CN\": \"a\tb\"}", "cfssl/json", true),
        ("\u{feff}{\"CN\": \"a\"}", "cfssl/json", true),
        ("{\"CN\":\u{a0}\"a\"}", "cfssl/json", true),
        (r#"{"CN": "a", "key": {"size": 0256}}"#, "cfssl/json", true),
        (r#"{"CN": "a", "key": {"size": "256"}}"#, "cfssl/type", true),
        (r#"{"CN": "a", "key": {"size": 256.0}}"#, "cfssl/type", true),
        (r#"{"CN": "a", "names": {"C": "GB"}}"#, "cfssl/type", true),
        (r#"{"CN": "a", "hosts": "a.example"}"#, "cfssl/type", true),
        (r#"{"CN": "a", "hosts": ["ä.example"]}"#, "cfssl/host", true),
        (r#"{"CN": "a", "hosts": ["a.example,b.example"]}"#, "cfssl/host", false),
        (r#"{"CN": "a", "key": {"algo": "rsa"}}"#, "cfssl/key", true),
        (r#"{"CN": "a", "key": {"algo": "rsa", "size": 1024}}"#, "cfssl/key", true),
        (r#"{"CN": "a", "key": {"algo": "rsa", "size": 9000}}"#, "cfssl/key", true),
        (r#"{"CN": "a", "key": {"algo": "ecdsa", "size": 224}}"#, "cfssl/key", true),
        (r#"{"CN": "a", "key": {"algo": "ECDSA", "size": 256}}"#, "cfssl/key", true),
        (r#"{}"#, "cfssl/no-subject", true),
        (r#"{"CN": "", "names": [{"C": " "}]}"#, "cfssl/no-subject", true),
        (r#"{"CN": "a", "ca": {"expiry": "365d"}}"#, "cfssl/duration", true),
        (r#"{"CN": "a", "ca": {"expiry": "8760"}}"#, "cfssl/duration", true),
        (r#"{"CN": "a", "ca": {"expiry": "0"}}"#, "cfssl/expiry", true),
        (r#"{"CN": "a", "ca": {"pathlen": 0}}"#, "cfssl/path-len-lost", false),
        (r#"{"CN": "a", "CN": "b"}"#, "cfssl/duplicate-key", false),
        (r#"{"CN": "a", "expiry": "1h"}"#, "cfssl/misplaced-field", false),
        (r#"{"CN": "a", "names": [{"C": "GBR"}]}"#, "cfssl/subject", false),
    ] {
        let ours = CsrFile::parse(text).err().unwrap_or_default();
        assert_trap(&ours, code, text);
        judge.assert_status(refuses, text, &["gencert", "-initca", &judge.write("bad.json", text)]);
    }
}

#[test]
fn what_cfssl_signs_with_and_what_it_does_not() {
    let Some(judge) = Judge::new() else { return };
    let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
    let ca = judge.root(r#"{"CN": "root"}"#, &key);
    let plain = CsrFile::parse(r#"{"CN": "a"}"#).unwrap().0.request().unwrap().0;
    let csr = plain.create(&SoftKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
    for (profile, code, refuses) in [
        (r#"{"usages": ["signing"]}"#, "cfssl/expiry", true),
        (r#"{"usages": ["signing"], "expiry": "365d"}"#, "cfssl/duration", true),
        (r#"{"usages": ["signing"], "expiry": 8760}"#, "cfssl/type", true),
        (r#"{"usages": ["signing"], "Expiry": "8760h"}"#, "cfssl/type", true),
        (
            r#"{"usages": ["signing"], "expiry": "1h", "not_after": "2030-01-01"}"#,
            "cfssl/time",
            true,
        ),
        (r#"{"expiry": "1h"}"#, "cfssl/no-usages", true),
        (r#"{"usages": ["crl signing"], "expiry": "1h"}"#, "cfssl/unknown-usage", true),
        (r#"{"usages": ["signing", "crl signing"], "expiry": "1h"}"#, "cfssl/unknown-usage", false),
        (r#"{"usages": ["cert sign"], "expiry": "1h"}"#, "cfssl/cert-sign-without-ca", false),
        (
            r#"{"usages": ["cert sign"], "expiry": "1h", "is_ca": true}"#,
            "cfssl/misplaced-field",
            false,
        ),
        (
            r#"{"usages": ["signing"], "expiry": "1h", "ca_constraint": {"is_ca": true}}"#,
            "cfssl/ca-without-cert-sign",
            false,
        ),
        (
            r#"{"usages": ["cert sign"], "expiry": "1h", "ca_constraint": {"is_ca": true, "max_path_len": 0}}"#,
            "cfssl/path-len-lost",
            false,
        ),
        (
            r#"{"usages": ["cert sign", "client auth"], "expiry": "1h", "ca_constraint": {"is_ca": true}}"#,
            "cfssl/ca-ext-key-usage",
            false,
        ),
        (r#"{"usages": ["signing"], "expiry": "1h", "backdate": "-1h"}"#, "cfssl/backdate", false),
        (r#"{"usages": ["signing"], "expiry": "438000h"}"#, "cfssl/outlives-issuer", false),
    ] {
        let config = format!(r#"{{"signing": {{"profiles": {{"p": {profile}}}}}}}"#);
        assert_trap(&order(&config, "p", &csr, &ca).unwrap_err(), code, profile);
        judge.assert_status(refuses, profile, &judge.sign(&config, "p", &csr, (&ca, &key)));
    }
    // A profile that does not exist: the default profile is used, which is not for a CA.
    let ours = order(CONFIG, "intermediate-ca", &csr, &ca).unwrap_err();
    assert_trap(&ours, "cfssl/unknown-profile", CONFIG);
    judge.assert_status(true, CONFIG, &judge.sign(CONFIG, "intermediate-ca", &csr, (&ca, &key)));
    let config = r#"{"signing": {}}"#;
    assert_trap(&order(config, "p", &csr, &ca).unwrap_err(), "cfssl/unknown-profile", config);
    judge.assert_status(false, config, &judge.sign(config, "p", &csr, (&ca, &key)));
    let config = r#"{"signing": {"default": {"usages": ["signing"], "expiry": "1h", "not_after": "2020-01-01T00:00:00Z"}}}"#;
    assert_trap(&order(config, "", &csr, &ca).unwrap_err(), "cfssl/time", config);
    judge.assert_status(false, config, &judge.sign(config, "", &csr, (&ca, &key)));
    // A CSR that asks for a CA, and a profile that makes none.
    let wants = CsrFile::parse(INTERMEDIATE).unwrap().0.request().unwrap().0;
    let wants = wants.create(&SoftKey::generate(KeyType::EcdsaP256).unwrap()).unwrap();
    assert_trap(&order(CONFIG, "peer", &wants, &ca).unwrap_err(), "cfssl/profile-not-ca", CONFIG);
    judge.assert_status(true, CONFIG, &judge.sign(CONFIG, "peer", &wants, (&ca, &key)));
    // A `ca` section without -initca.
    let file = judge.write("bad.json", INTERMEDIATE);
    judge.assert_status(true, "ca section", &["genkey", &file]);
}

/// Where the two versions differ we do as the newer one, and warn.
#[test]
fn what_only_the_newer_cfssl_does() {
    let Some(judge) = Judge::new() else { return };
    for text in [
        r#"{"CN": "a", "names": [{"O": "b", "E": "a@b.example"}, {"E": "plain", "C": "GB"}]}"#,
        r#"{"CN": "a", "names": [{"OID": {"1.2.3.4": "b", "2.5.4.12": ""}}]}"#,
        r#"{"CN": "a", "serialnumber": "1", "names": [{"OID": {"2.999.1": "ä"}, "E": "a@b"}]}"#,
        r#"{"CN": "a", "hosts": ["spiffe://td/ns/a/sa/b", "b.example", "HTTPS://b.example/"]}"#,
        r#"{"CN": "a", "key": {"algo": "ed25519"}}"#,
    ] {
        let warnings = CsrFile::parse(text).unwrap().1;
        assert!(warnings.iter().any(|t| t.code == "cfssl/needs-newer-cfssl"), "{text}");
        if judge.cfssl.is_newer {
            judge.check_request("newer", text, &["genkey"]);
            continue;
        }
        let answer = judge.run(&["genkey", &judge.write("csr.json", text)]);
        if answer.good {
            let out: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
            let key = SoftKey::from_pem(text_of(&out, "key").as_bytes(), None).unwrap();
            let ours = CsrFile::parse(text).unwrap().0.request().unwrap().0.create(&key).unwrap();
            let theirs = csr(&text_of(&out, "csr"));
            assert_ne!(signed_part(ours.as_der()), signed_part(theirs.as_der()), "{text}");
        }
    }
    if judge.cfssl.is_newer {
        judge.check_root("backdate", r#"{"CN": "a", "ca": {"backdate": "1h"}}"#, None);
    }
}

#[test]
fn durations_are_go_s() {
    let Some(judge) = Judge::new() else { return };
    for text in [
        "1h",
        "1h30m",
        "1.5h",
        ".5h",
        "5.h",
        "+1h",
        "-1h",
        "1h-1m",
        "90m",
        "3600s",
        "1h 1m",
        " 1h",
        "1H",
        "1d",
        "1w",
        "1y",
        "60",
        "0x1h",
        "1e3s",
        "1,5h",
        "\u{b5}s",
        "3600000000\u{b5}s",
        "3600000000\u{3bc}s",
        "1h1h",
        ".h",
        "h",
        "-",
        "+",
        "1.2.3h",
        "2562047h",
        "2562048h",
        "99999999999999999999h",
        "0.00000000000000000000001h1h",
        "1h.5m",
    ] {
        let section = format!(r#"{{"CN": "a", "ca": {{"expiry": "{text}"}}}}"#);
        match CsrFile::parse(&section) {
            Ok(_) => judge.check_root(text, &section, None),
            Err(traps) if traps[0].code == "cfssl/duration" => {
                let file = judge.write("bad.json", &section);
                judge.assert_status(true, text, &["gencert", "-initca", &file]);
            }
            Err(traps) => assert_trap(&traps, "cfssl/expiry", text),
        }
    }
}

#[test]
fn hosts_are_sorted_as_cfssl_does() {
    let Some(judge) = Judge::new() else { return };
    for host in [
        "a",
        "A.Example",
        "*.a.example",
        "a.example.",
        "-a",
        "_a._tcp.b",
        "1",
        "1.2.3",
        "1.2.3.4",
        "1.2.3.4.5",
        "01.2.3.4",
        "256.1.1.1",
        "::",
        "::1",
        "1::2:3",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "FE80::1",
        "a@b",
        "a@b.c",
        "a.b@c",
        "a+b@c.d",
        "A <a@b.c>",
        "<a@b.c>",
        "A B <a@b.c>",
        " a@b.c ",
        "a@b-c",
        "a@1.2.3.4",
        "a=b@c",
        "a/b@c",
        "a'b@c",
        "a.@b",
        ".a@b",
        "a..b@c",
        "a@b.",
        "a@@b",
        "a@b@c",
        "@b",
        "a@",
        "<a@b",
        "a@b>",
        "a b@c",
        "A, B <a@b.c>",
        "(x) a@b.c",
        "A. <a@b.c>",
    ] {
        let text = format!(r#"{{"CN": "a", "hosts": ["{host}"]}}"#);
        match CsrFile::parse(&text) {
            Ok(_) => judge.check_request(host, &text, &["genkey"]),
            Err(traps) => assert_trap(&traps, "cfssl/host", host),
        }
    }
}

/// The real cfssl and a folder for its files.
struct Judge {
    folder: TempDir,
    cfssl: Cfssl,
}

impl Judge {
    /// `None` when there is no cfssl.
    fn new() -> Option<Self> {
        Some(Self { cfssl: cfssl()?, folder: tempfile::tempdir().unwrap() })
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path_text(&path)
    }

    /// What cfssl prints: `cert`, `csr`, `key`.
    fn json<T: AsRef<str>>(&self, arguments: &[T]) -> serde_json::Value {
        let answer = self.run(arguments);
        assert!(answer.good, "{}", answer.err);
        serde_json::from_str(&answer.out).unwrap()
    }

    fn run<T: AsRef<str>>(&self, arguments: &[T]) -> Answer {
        self.cfssl.run(self.folder.path(), arguments)
    }

    fn assert_status<T: AsRef<str>>(&self, refuses: bool, what: &str, arguments: &[T]) {
        let answer = self.run(arguments);
        assert_eq!(!answer.good, refuses, "{what}\n{}", answer.err);
    }

    /// `gencert -initca` with a key that exists already.
    fn root(&self, text: &str, key: &SoftKey) -> Cert {
        let file = self.write("ca.json", text);
        let key = self.write("ca-key.pem", &key.to_pem());
        cert(&text_of(&self.json(&["gencert", "-initca", "-ca-key", &key, &file]), "cert"))
    }

    /// The arguments of `sign`.
    fn sign(&self, config: &str, profile: &str, csr: &Csr, ca: (&Cert, &SoftKey)) -> [String; 10] {
        let ca_file = self.write("ca.pem", &ca.0.to_pem());
        let key = self.write("ca-key.pem", &ca.1.to_pem());
        let config = self.write("cfssl.json", config);
        let csr = self.write("request.csr", &csr.to_pem());
        let options = [
            "sign", "-ca", &ca_file, "-ca-key", &key, "-config", &config, "-profile", profile, &csr,
        ];
        options.map(str::to_string)
    }

    /// With the key given or, as `gencert -initca` is mostly used, with the one cfssl makes.
    fn check_root(&self, what: &str, text: &str, key: Option<SoftKey>) {
        let before = now();
        let (theirs, key) = match key {
            Some(key) => (self.root(text, &key), key),
            None => {
                let out = self.json(&["gencert", "-initca", &self.write("ca.json", text)]);
                let key = SoftKey::from_pem(text_of(&out, "key").as_bytes(), None).unwrap();
                (cert(&text_of(&out, "cert")), key)
            }
        };
        let (file, _) = CsrFile::parse(text).unwrap();
        let ours = [before, now()].map(|at| {
            let (order, _) = file.root(at).unwrap();
            let stamp = order.stamp(Serial::from_random([1; 20]));
            self_signed(&order.profile, &key, stamp).unwrap()
        });
        assert_same(what, &theirs, &ours);
    }

    fn check_request(&self, what: &str, text: &str, command: &[&str]) {
        let file = self.write("csr.json", text);
        let out = self.json(&[command, &[&file]].concat());
        let key = SoftKey::from_pem(text_of(&out, "key").as_bytes(), None).unwrap();
        let theirs = csr(&text_of(&out, "csr"));
        let (file, _) = CsrFile::parse(text).unwrap();
        assert_eq!(file.key_algorithm(), key.public_key().algorithm(), "{what}");
        let ours = file.request().unwrap().0.create(&key).unwrap();
        assert_eq!(signed_part(ours.as_der()), signed_part(theirs.as_der()), "{what}");
        assert_eq!(ours.signature_algorithm(), theirs.signature_algorithm(), "{what}");
    }

    fn check_signed(&self, config: &str, profile: &str, csr: &Csr, ca: (&Cert, &SoftKey)) {
        let before = now();
        let theirs = cert(&text_of(&self.json(&self.sign(config, profile, csr, ca)), "cert"));
        let ours = [before, now()].map(|at| {
            let (config, _) = SigningConfig::parse(config).unwrap();
            let (profile, _) = config.profile(Some(profile)).unwrap();
            let (order, _) = profile.order(csr, ca.0, at).unwrap();
            // What we add on purpose: nothing begins before its issuer.
            let begins = order.not_before.max(ca.0.not_before().time().unwrap());
            let issuer = Issuer { cert: ca.0, signer: ca.1 };
            let stamp = order.stamp(Serial::from_random([1; 20]));
            let made = issue(&order.profile, csr.public_key(), issuer, stamp).unwrap();
            assert_eq!(made.not_before().time(), Some(begins));
            (made, order.not_before)
        });
        let first = ours[0].1;
        assert_same_but_beginning(config, &theirs, &ours.clone().map(|(cert, _)| cert));
        let begins = theirs.not_before().time().unwrap();
        assert!([first, ours[1].1].contains(&begins), "{config}: {begins}");
    }
}

fn order(config: &str, profile: &str, csr: &Csr, ca: &Cert) -> Result<Order, Vec<Trap>> {
    let (config, _) = SigningConfig::parse(config)?;
    let (profile, _) = config.profile(Some(profile))?;
    Ok(profile.order(csr, ca, now())?.0)
}

fn assert_trap(traps: &[Trap], code: &str, what: &str) {
    let found = traps.iter().any(|t| t.code == code && t.severity == Severity::Error);
    assert!(found, "{what}: {traps:?}");
}

/// Everything but the serial number and the signature; ours was made within the same minute or two.
fn assert_same(what: &str, theirs: &Cert, ours: &[Cert; 2]) {
    assert_same_but_beginning(what, theirs, ours);
    assert!(ours.iter().any(|ours| ours.not_before() == theirs.not_before()), "{what}");
}

fn assert_same_but_beginning(what: &str, theirs: &Cert, ours: &[Cert; 2]) {
    for ours in ours {
        assert_eq!(ours.version(), theirs.version(), "{what}");
        assert_eq!(ours.subject().as_der(), theirs.subject().as_der(), "{what}");
        assert_eq!(ours.issuer().as_der(), theirs.issuer().as_der(), "{what}");
        assert_eq!(ours.tbs_signature_algorithm(), theirs.tbs_signature_algorithm(), "{what}");
        assert_eq!(ours.signature_algorithm(), theirs.signature_algorithm(), "{what}");
        assert_eq!(ours.public_key().as_der(), theirs.public_key().as_der(), "{what}");
        assert_eq!(ours.raw_extensions(), theirs.raw_extensions(), "{what}");
    }
    assert!(ours.iter().any(|ours| ours.not_after() == theirs.not_after()), "{what}");
}

fn text_of(json: &serde_json::Value, name: &str) -> String {
    json[name].as_str().unwrap().to_string()
}

fn cert(text: &str) -> Cert {
    Cert::from_der(&block(text)).unwrap()
}

fn csr(text: &str) -> Csr {
    Csr::from_der(&block(text)).unwrap()
}

fn block(text: &str) -> Vec<u8> {
    pem::decode(text.as_bytes()).into_iter().next().unwrap().unwrap().der.clone()
}

/// The part of a certificate or CSR that is signed.
fn signed_part(bytes: &[u8]) -> &[u8] {
    let outer = Reader::new(bytes).expect(der::SEQUENCE, "outer").unwrap();
    outer.reader().expect(der::SEQUENCE, "inner").unwrap().raw
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_secs()).unwrap())
}

fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_string()
}
