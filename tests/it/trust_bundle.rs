//! `meshctl trust bundle ...`: from the folder of a CA to a bundle, a bundle map and back, and what is refused.

use meshpki::spiffe::{Bundle, BundleMap};
use meshpki::{KeyType, TrustDomain};
use serde_json::{Value, json};
use tests::Shell;
use tests::authority::Authority;
use tests::cli::ended;
use tests::schema;

/// Two roots in files, and the first in the folder `ca`.
fn shell() -> (Shell, [Authority; 2]) {
    let shell = Shell::new();
    let root = |subject| Authority::root(KeyType::EcdsaP256, subject, |_| {});
    let roots = [root("CN=East Root"), root("CN=New Root")];
    shell.scratch.write("ca/root-cert.pem", roots[0].cert.to_pem());
    shell.scratch.write("old.pem", roots[0].cert.to_pem());
    shell.scratch.write("new.pem", roots[1].cert.to_pem());
    (shell, roots)
}

fn domain() -> TrustDomain {
    "east.example".parse().expect("a trust domain")
}

fn bundle(shell: &Shell, file: &str) -> Bundle {
    let text = shell.scratch.read(file);
    Bundle::from_json(domain(), text.as_bytes()).expect("a bundle").0
}

const EXPORT: &str = "trust bundle export --trust-domain east.example";
const IMPORT: &str = "trust bundle import --trust-domain east.example";

#[test]
fn export_numbers_what_changes() {
    let (shell, roots) = shell();
    let check = |command: &str, sequence: u64, hint: Option<u64>, count: usize| {
        shell.good(&format!("{EXPORT} {command} --out @/east.json"));
        let found = bundle(&shell, "east.json");
        assert_eq!(found.sequence(), Some(sequence), "{command}");
        assert_eq!(found.refresh_hint(), hint, "{command}");
        assert_eq!(found.roots().len(), count, "{command}");
    };
    check("@/ca", 1, None, 1);
    let first = shell.scratch.read("east.json");
    check("@/ca @/old.pem", 1, None, 1);
    assert_eq!(shell.scratch.read("east.json"), first);
    check("@/ca --refresh-hint 5m", 2, Some(300), 1);
    check("@/ca @/new.pem", 3, Some(300), 2);
    check("@/new.pem --sequence 9", 9, Some(300), 1);
    assert_eq!(shell.good(&format!("{EXPORT} @/ca -o pem")), roots[0].cert.to_pem());
    shell.check(
        &format!("{EXPORT} @/ca --sequence 9 --out @/east.json"),
        r#"
        exit 2
        --- stderr
        error[ctl/bundle-older]: the sequence number has to grow, because the bundle changes
          in: @/east.json
          because: it has sequence 9, `--sequence` is 9

        hint: omit `--sequence`: the next number is chosen then
    "#,
    );
    assert_eq!(bundle(&shell, "east.json").sequence(), Some(9));
}

#[test]
fn export_refuses_what_is_not_a_root_or_not_a_bundle() {
    let (shell, [root, _]) = shell();
    shell.scratch.write("notes.txt", "notes\n");
    shell.scratch.write("empty/x", "");
    let out = shell.run(&format!("{EXPORT} @/ca --out @/notes.txt"));
    ended(&out, 1, &["error[ctl/exists]", "is not a SPIFFE bundle and is not overwritten"]);
    assert_eq!(shell.scratch.read("notes.txt"), "notes\n");
    ended(&shell.run(&format!("{EXPORT} @/empty")), 1, &["error[pki/missing-file]", "ca.crt"]);
    ended(&shell.run(&format!("{EXPORT} @/notes.txt")), 1, &["error[pki/no-certificate]"]);
    // A certificate that may not sign is written, with a warning.
    let leaf = Authority::root(KeyType::EcdsaP256, "CN=Leaf", |profile| {
        profile.key_usage = meshpki::x509::KeyUsage::CRL_SIGN;
    });
    let warned = [root.cert.to_pem(), leaf.cert.to_pem()].concat();
    shell.scratch.write("two.pem", warned);
    let ran = shell.run(&format!("{EXPORT} @/two.pem"));
    ended(&ran, 0, &["warning[pki/svid]: ", "`Leaf`", "lacks keyCertSign"]);
}

#[test]
fn import_never_goes_back() {
    let (shell, roots) = shell();
    for (file, path, sequence) in [("1", "ca", 7), ("2", "new.pem", 8)] {
        shell.good(&format!("{EXPORT} @/{path} --sequence {sequence} --out @/{file}.json"));
    }
    shell.check(
        &format!("{IMPORT} @/2.json --out @/roots.pem"),
        r#"
        exit 0
        --- stderr
        1 root of east.example
    "#,
    );
    let imported = shell.scratch.read("roots.pem");
    let header = "# SPIFFE bundle of east.example, sequence 8\n";
    assert_eq!(imported, header.to_owned() + &roots[1].cert.to_pem());
    shell.check(
        &format!("{IMPORT} @/1.json --out @/roots.pem"),
        r#"
        exit 2
        --- stderr
        error[ctl/bundle-older]: the bundle of east.example is older than the one there
          in: @/1.json
          because: it has sequence 7, and `@/roots.pem` is from sequence 8

        hint: `--accept-older` accepts it
    "#,
    );
    let other = "trust bundle import --trust-domain west.example";
    shell.check(
        &format!("{other} @/2.json --out @/roots.pem"),
        r#"
        exit 2
        --- stderr
        error[ctl/bundle-domain]: the file has the roots of another trust domain, east.example
          in: @/roots.pem
          because: the bundle is for west.example

        hint: choose another file: roots of two trust domains are never merged
    "#,
    );
    shell.good(&format!("{EXPORT} @/ca --sequence 8 --out @/3.json"));
    shell.check(
        &format!("{IMPORT} @/3.json --out @/roots.pem"),
        r#"
        exit 2
        --- stderr
        error[ctl/bundle-changed]: the bundle of east.example changed without a new sequence number
          in: @/3.json
          because: the bundle has other roots than the stored one, and both have sequence 8

        hint: ask the owner of the trust domain which one is right; `--accept-older` accepts it
    "#,
    );
    assert_eq!(shell.scratch.read("roots.pem"), imported);
    shell.good(&format!("{IMPORT} @/3.json --out @/roots.pem --accept-older"));
    assert!(shell.scratch.read("roots.pem").ends_with(&roots[0].cert.to_pem()));
    shell.good(&format!("{IMPORT} @/1.json --out @/roots.pem --accept-older"));
    assert!(shell.scratch.read("roots.pem").ends_with(&roots[0].cert.to_pem()));
    // openssl and istiod pass over the comment.
    shell.good("ca inspect @/roots.pem");
}

#[test]
fn import_of_nothing_needs_a_word() {
    let (shell, _) = shell();
    shell.scratch.write("empty.json", r#"{"keys": [], "spiffe_sequence": 3}"#);
    shell.check(
        &format!("{IMPORT} @/empty.json --out @/roots.pem"),
        r#"
        exit 2
        --- stderr
        error[ctl/bundle-empty]: the bundle of east.example has no root
          in: @/empty.json
          because: the trust domain has revoked everything it signed

        hint: `meshctl trust bundle show @/empty.json` shows what is in it; `--allow-empty` accepts it
    "#,
    );
    shell.scratch.write("jwt.json", r#"{"keys": [{"use": "jwt-svid", "kty": "EC", "kid": "a"}]}"#);
    shell.check(
        &format!("{IMPORT} @/jwt.json --out @/roots.pem"),
        r#"
        exit 2
        --- stderr
        note: ignored keys[0]: its `use` is `jwt-svid`, so it verifies no certificate
        error[ctl/bundle-empty]: the bundle of east.example has no root
          in: @/jwt.json
          because: none of its keys counts

        hint: `meshctl trust bundle show @/jwt.json` shows what is in it; `--allow-empty` accepts it
    "#,
    );
    assert!(!shell.scratch.join("roots.pem").exists());
    shell.good(&format!("{IMPORT} @/empty.json --out @/roots.pem --allow-empty"));
    assert_eq!(shell.scratch.read("roots.pem"), "# SPIFFE bundle of east.example, sequence 3\n");
}

#[test]
fn what_is_wrong_with_a_bundle_has_a_place() {
    let (shell, _) = shell();
    let check = |text: &str, parts: &[&str]| {
        shell.scratch.write("x.json", text);
        let before = shell.scratch.entries("");
        let ran = shell.run(&format!("{IMPORT} @/x.json --out @/roots.pem"));
        ended(&ran, 1, &[&["error[pki/bundle]: ", "in: "], parts].concat());
        assert_eq!(shell.scratch.entries(""), before);
    };
    check("{", &["not valid JSON", "line 1 column 1"]);
    check("{}", &["`keys`: it is missing, expected a list of keys"]);
    check(r#"{"keys": null}"#, &["`keys`: it is missing"]);
    check(r#"{"keys": {}}"#, &["`keys`: it is an object, expected a list"]);
    check(r#"{"keys": [], "keys": []}"#, &["the key `keys` is there twice", "column 19"]);
    check(r#"{"keys": [7]}"#, &["`keys[0]`: it is a number, expected an object"]);
    check(
        r#"{"keys": [{"use": true}]}"#,
        &["`keys[0].use`: it is true or false, expected a string"],
    );
    check(r#"{"keys": [], "spiffe_sequence": -1}"#, &["`spiffe_sequence`: it is a number that is"]);
    let key =
        |x5c: &str| format!(r#"{{"keys": [{{"use": "x509-svid", "kty": "EC", "x5c": {x5c}}}]}}"#);
    check(&key("\"a\""), &["`keys[0].x5c`: it is a string, expected a list"]);
    check(&key("[\"*\"]"), &["`keys[0].x5c[0]`: not valid base64 with padding"]);
    check(
        &key("[\"AAAA\"]"),
        &["`keys[0].x5c[0]`: the certificate cannot be decoded", "at byte 0"],
    );
    check(
        r#"{"trust_domains": {"A": {"keys": []}}}"#,
        &["`trust_domains`: `A` is not a valid trust"],
    );
    let twice = r#"{"trust_domains": {"a": {"keys": []}, "a": {"keys": []}}}"#;
    check(twice, &["the key `a` is there twice"]);
    let within = r#"{"trust_domains": {"a": {}}}"#;
    check(within, &["`trust_domains[\"a\"].keys`: it is missing"]);
}

#[test]
fn limits() {
    let (shell, _) = shell();
    let keys = vec![json!({"kty": "EC"}); 101];
    shell.scratch.write("x.json", json!({"keys": keys}).to_string());
    let ran = shell.run("trust bundle show @/x.json");
    ended(&ran, 1, &["error[pki/too-many]", "101, expected at most 100"]);
    shell.scratch.write("x.json", json!({"keys": keys[1..]}).to_string());
    ended(&shell.run("trust bundle show @/x.json"), 0, &["keys[99]: it has no `use`"]);
    shell.scratch.write("x.json", format!("{{\"keys\": []}}{}", " ".repeat(1 << 20)));
    let ran = shell.run("trust bundle show @/x.json");
    ended(&ran, 1, &["error[pki/too-many]: too many bytes", "expected at most 1048576"]);
}

/// What does not count is shown with the reason, as text and as JSON.
#[test]
fn show() {
    let (shell, _) = shell();
    shell.good(&format!("{EXPORT} @/ca @/new.pem --refresh-hint 5m --out @/east.json"));
    let mut document: Value = serde_json::from_str(&shell.scratch.read("east.json")).unwrap();
    let keys = document["keys"].as_array_mut().unwrap();
    let first = keys[0].clone();
    let with = |name: &str, value: Value| {
        let mut key = first.clone();
        key[name] = value;
        key
    };
    let certificate = &first["x5c"][0];
    keys.extend([
        json!({"use": "jwt-svid", "kty": "EC", "kid": "a"}),
        with("use", json!("X509-SVID")),
        with("use", Value::Null),
        with("kty", json!("AKP")),
        with("kty", Value::Null),
        with("x5c", json!([])),
        with("x5c", json!([certificate, certificate])),
    ]);
    shell.scratch.write("east.json", document.to_string());
    shell.check(
        "trust bundle show @/east.json @/old.pem",
        r#"
        exit 0
        @/east.json
          sequence 1, refresh hint 5 minutes
          root CN = East Root
            valid from 2026-11-21T06:55:00Z to 2036-11-18T06:55:00Z, in 3649 days
            key ecdsa-p256
            sha256 [sha256]
          root CN = New Root
            valid from 2026-11-21T06:55:00Z to 2036-11-18T06:55:00Z, in 3649 days
            key ecdsa-p256
            sha256 [sha256]
          ignored keys[2]: its `use` is `jwt-svid`, so it verifies no certificate
          ignored keys[3]: its `use` is `X509-SVID`, expected `x509-svid`
          ignored keys[4]: it has no `use`
          ignored keys[5]: its `kty` is `AKP`, expected `EC`, `RSA` or `OKP`
          ignored keys[6]: it has no `kty`
          ignored keys[7]: it has no certificate in `x5c`
          ignored keys[8]: 1 more in `x5c`, of which only the first certificate counts
          ignored keys[8]: an earlier key has the same certificate

        @/old.pem
          root CN = East Root
            valid from 2026-11-21T06:55:00Z to 2036-11-18T06:55:00Z, in 3649 days
            key ecdsa-p256
            sha256 [sha256]
    "#,
    );
    shell.scratch.write("empty.json", r#"{"keys": []}"#);
    shell.good("trust bundle map east.example=@/east.json west.example=@/new.pem --out @/map.json");
    for files in ["@/east.json", "@/map.json @/old.pem @/empty.json"] {
        schema::check("trust-bundles", &shell.good(&format!("trust bundle show {files} -o json")));
    }
}

#[test]
fn diff() {
    let (shell, _) = shell();
    shell.good(&format!("{EXPORT} @/ca --out @/1.json"));
    shell.good(&format!("{EXPORT} @/new.pem --sequence 2 --refresh-hint 1h --out @/2.json"));
    shell.check(
        "trust bundle diff @/1.json @/2.json",
        r#"
        exit 2
        sequence 1 -> 2
        refresh hint none -> 3600
        - root CN = East Root, until 2036-11-18, sha256 [sha256]
        + root CN = New Root, until 2036-11-18, sha256 [sha256]
    "#,
    );
    shell.check(
        "trust bundle diff @/1.json @/old.pem",
        r#"
        exit 0
    "#,
    );
    shell.good("trust bundle map a.example=@/1.json b.example=@/1.json --out @/1-map.json");
    shell.good("trust bundle map b.example=@/2.json c.example=@/1.json --out @/2-map.json");
    shell.check(
        "trust bundle diff @/1-map.json @/2-map.json",
        r#"
        exit 2
        a.example
          - trust domain
          - root CN = East Root, until 2036-11-18, sha256 [sha256]
        b.example
          sequence 1 -> 2
          - root CN = East Root, until 2036-11-18, sha256 [sha256]
          + root CN = New Root, until 2036-11-18, sha256 [sha256]
        c.example
          + trust domain
          + root CN = East Root, until 2036-11-18, sha256 [sha256]
    "#,
    );
    shell.check(
        "trust bundle diff @/1-map.json @/2.json",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `@/1-map.json` is a bundle map, `@/2.json` is not

        hint: `meshctl trust bundle import MAP --trust-domain DOMAIN --out FILE` takes one trust domain out of the map
    "#,
    );
}

#[test]
fn map_keeps_trust_domains_apart() {
    let (shell, roots) = shell();
    shell.good(&format!("{EXPORT} @/ca --sequence 5 --refresh-hint 5m --out @/east.json"));
    shell.good("trust bundle map west.example=@/new.pem east.example=@/east.json --out @/map.json");
    let text = shell.scratch.read("map.json");
    let (map, ignored) = BundleMap::from_json(text.as_bytes()).expect("a bundle map");
    assert_eq!(ignored, []);
    assert_eq!(map.to_json().unwrap() + "\n", text);
    let east = map.get(&domain()).expect("a bundle");
    assert_eq!(east.roots(), [roots[0].cert.clone()]);
    assert_eq!((east.sequence(), east.refresh_hint()), (Some(5), None));
    assert!(!text.contains("spiffe_refresh_hint"));
    // The same files, written again: nothing is.
    let before = shell.scratch.entries("");
    shell.good("trust bundle map west.example=@/new.pem east.example=@/east.json --out @/map.json");
    assert_eq!(shell.scratch.entries(""), before);
    let check = |command: &str, status: u8, parts: &[&str]| {
        ended(&shell.run(&format!("trust bundle map {command} --out @/map.json")), status, parts);
        assert_eq!(shell.scratch.read("map.json"), text);
    };
    let twice = "east.example=@/new.pem east.example=@/east.json --accept-older";
    check(twice, 1, &["error[pki/bundle]: ", "this trust domain has a bundle already"]);
    check("east.example=@/new.pem", 2, &["error[ctl/bundle-older]", "--accept-older"]);
    shell.good(&format!("{EXPORT} @/new.pem --sequence 5 --out @/changed.json"));
    check("east.example=@/changed.json", 2, &["error[ctl/bundle-changed]", "both have sequence 5"]);
    shell.scratch.write("empty.json", r#"{"keys": []}"#);
    check("west.example=@/empty.json", 2, &["error[ctl/bundle-empty]", "--allow-empty"]);
    check("east.example=@/map.json west.example=@/map.json", 0, &[]);
    check(
        "north.example=@/map.json",
        2,
        &["error[ctl/bundle-domain]", "east.example, west.example"],
    );
    check("north.example", 64, &["expected DOMAIN=BUNDLE"]);
    check("a_b=@/new.pem", 64, &["`a_b` is not a valid trust domain"]);
    ended(
        &shell.run("trust bundle map a.example=@/new.pem --out @/east.json"),
        1,
        &["error[ctl/exists]", "is not a SPIFFE bundle map and is not overwritten"],
    );
}
