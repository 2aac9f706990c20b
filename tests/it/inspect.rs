//! `meshctl ca inspect`: whole outputs, the documented keys, and the facts openssl reports about the same files.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use meshpki::internals::{digest, pem};
use meshpki::x509::GeneralName;
use meshpki::{Cert, KeyType, Name, Profile, Serial, SoftKey, Stamp, Time, self_signed};
use serde_json::Value;
use tests::command::{run, run_with};
use tests::schema;

const FOLDER: &str = "../fixtures/inspect";

fn fixture(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn inspect(names: &[&str], more: &[&str]) -> String {
    let files: Vec<String> = names.iter().map(|name| fixture(name)).collect();
    let args: Vec<&str> = ["ca", "inspect"]
        .into_iter()
        .chain(more.iter().copied())
        .chain(files.iter().map(|f| &**f))
        .collect();
    run(&args).to_string().replace(&format!("{FOLDER}/"), "")
}

fn items(args: &[&str]) -> Vec<Value> {
    let answer = run(&[&["ca", "inspect", "-o", "json"], args].concat());
    schema::check("inspection", &answer.out);
    let document: Value = serde_json::from_str(&answer.out).unwrap();
    document["items"].as_array().unwrap().clone()
}

#[test]
fn a_chain() {
    assert_eq!(inspect(&["chain.pem"], &[]), CHAIN);
    let reversed = inspect(&["wrong-order.pem"], &[]);
    assert!(reversed.contains(
        "  Chain           did NOT issue the certificate before it, wrong-order.pem:1\n"
    ));
}

#[test]
fn a_workload_and_its_key() {
    assert_eq!(inspect(&["rich.pem", "rich-key.der"], &["--at", "2099-12-31T23:59:59Z"]), RICH);
}

#[test]
fn a_key_of_another() {
    let answer = inspect(&["rich.pem", "ec-key.pem"], &[]);
    let (_, keys) = answer.split_once("ec-key.pem:1").unwrap();
    let expect = ": a block of type `EC PARAMETERS`, not decoded

ec-key.pem:4: private key; only the public part is shown
  Key             ecdsa-p256, sha256 EC_KEY
  Belongs         NOT to rich.pem:1, which has key sha256 RICH_KEY
--- stderr
";
    let expect =
        expect.replace("EC_KEY", &key_of("ec-key.pem")).replace("RICH_KEY", &key_of("rich.pem"));
    assert_eq!(keys, expect);
}

#[test]
fn a_request_and_a_list() {
    let answer = inspect(&["request.pem", "crl.pem"], &["--at", "2074-01-03"]);
    assert_eq!(answer.replace(&key_of("request.pem"), "KEY"), REQUEST_AND_LIST);
}

#[test]
fn encrypted_keys() {
    let names = ["encrypted-key.pem", "legacy-key.pem"];
    assert_eq!(
        inspect(&names, &[]),
        "exit 0
--- stdout
encrypted-key.pem:1: private key, encrypted
  Key             unknown; `--passphrase-file` or `--passphrase-env` shows its public part

legacy-key.pem:1: private key, encrypted
  Key             unknown; `--passphrase-file` or `--passphrase-env` shows its public part
--- stderr
"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "wrong\n").unwrap();
    let answer = inspect(&names[..1], &["--passphrase-file", file.path().to_str().unwrap()]);
    assert!(answer.contains(
        "encrypted-key.pem:1: PROBLEM: the private key cannot be read: the passphrase does not decrypt it\n"
    ));
    let answer = inspect(&names, &["--passphrase-env", "PASSPHRASE"]);
    assert_eq!(
        answer.replace(&key_of("public.pem"), "KEY"),
        "exit 0
--- stdout
encrypted-key.pem:1: private key; only the public part is shown
  Key             ecdsa-p256, sha256 KEY

legacy-key.pem:1: private key; only the public part is shown
  Key             ecdsa-p256, sha256 KEY
--- stderr
"
    );
}

#[test]
fn what_cannot_be_read_is_shown_in_its_place() {
    let cert = fs::read_to_string(fixture("v1.pem")).unwrap();
    let text = format!(
        "\u{1b}[2J\n-----BEGIN \u{1b}[31mX-----\nAAAA\n-----END \u{1b}[31mX-----\n{}\
         -----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n{}",
        cert.replace("-----END", "*\n-----END"),
        "-----BEGIN X509 CRL-----\nMAA=\n"
    );
    let answer = run_with(&["ca", "inspect", "-", "/no/such\u{9b}file"], text.as_bytes());
    assert_eq!(
        answer.to_string(),
        "exit 1
--- stdout
-:2: a block of type `\\u{1b}[31mX`, not decoded

-:5: PROBLEM: the body of `CERTIFICATE` is not base64

-:15: PROBLEM: no certificate: tbsCertificate is not a SEQUENCE at byte 2

-:18: PROBLEM: `BEGIN X509 CRL` has no END marker

/no/such\\u{9b}file: PROBLEM: cannot read `/no/such\\u{9b}file`: No such file or directory (os error 2)
--- stderr
error[ctl/unreadable]: 4 of 5 objects could not be read
"
    );
    for (stdin, problem) in [
        (&b""[..], "the file is empty"),
        (b"0 text", "neither a PEM block nor the DER of a certificate, CSR, CRL or key"),
    ] {
        assert_eq!(
            run_with(&["ca", "inspect", "-"], stdin).out,
            format!("-: PROBLEM: {problem}\n")
        );
    }
}

#[test]
fn der_is_what_pem_is() {
    let [pem] = items(&[&fixture("rich.pem")]).try_into().unwrap();
    let [der] = items(&[&fixture("rich.der")]).try_into().unwrap();
    for (key, value) in pem.as_object().unwrap() {
        if key != "file" && key != "line" {
            assert_eq!(der[key], *value, "{key}");
        }
    }
    for name in ["request.pem", "crl.pem", "public.pem", "rich-key.pem", "encrypted-key.pem"] {
        let block = pem::decode(&fs::read(fixture(name)).unwrap()).remove(0).unwrap();
        let answer = run_with(&["ca", "inspect", "-"], &block.der);
        let from_pem = run(&["ca", "inspect", &fixture(name)]);
        assert_eq!(answer.out.replacen('-', &(fixture(name) + ":1"), 1), from_pem.out);
    }
    let two = [fs::read(fixture("rich.der")).unwrap(), vec![0; 7]].concat();
    let answer = run_with(&["ca", "inspect", "-"], &two);
    assert_eq!(answer.exit, 1);
    assert!(answer.out.contains("\n-: PROBLEM: more bytes follow it at byte "));
}

#[test]
fn made_by_the_library() {
    let key = SoftKey::generate(KeyType::Ed25519).unwrap();
    let stamp =
        Stamp { serial: Serial::from_random([0x11; 20]), not_before: Time(1_735_689_600 + 7200) };
    let mut profile = Profile::root("CN=Zoë?, O=A".parse::<Name>().unwrap());
    profile.subject_alt_names = vec![GeneralName::Dns(b"a?[31m.example".to_vec())];
    let cert = self_signed(&profile, &key, stamp).unwrap();
    // Nothing here issues such names; they are put in afterwards.
    let cert = tests::authority::resigned(&cert, &key, |fields| {
        for field in fields {
            let zoe = field.windows(4).position(|w| w == b"o\xc3\xab?");
            let red = field.windows(4).position(|w| w == b"a?[3");
            zoe.into_iter().for_each(|i| field[i + 3] = 7);
            red.into_iter().for_each(|i| field[i + 1] = 0x1b);
        }
    });
    let text = cert.to_pem() + &key.to_pem();
    let answer = run_with(&["ca", "inspect", "-"], text.as_bytes()).to_string();
    let answer = answer
        .replace(&key_fingerprint(&cert), "KEY")
        .replace(&cert.fingerprint(), "CERT")
        .replace(&digest::hex_colons(&cert.public_key().key_id()).to_uppercase(), "ID");
    let lines = text.lines().take_while(|line| !line.contains("PRIVATE")).count() + 1;
    assert_eq!(answer.replace(&format!("-:{lines}:"), "-:LINE:"), LIBRARY);
}

#[test]
fn exactly_the_documented_keys() {
    let mut names: Vec<PathBuf> =
        fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let paths: Vec<&str> = names.iter().map(|path| path.to_str().unwrap()).collect();
    let kinds: Vec<String> = items(&paths).iter().map(|i| i["type"].to_string()).collect();
    for kind in [
        "certificate",
        "certificateRequest",
        "certificateRevocationList",
        "publicKey",
        "privateKey",
        "other",
        "problem",
    ] {
        assert!(kinds.contains(&format!("\"{kind}\"")), "no {kind} in {kinds:?}");
    }
}

#[test]
fn no_private_byte() {
    for name in ["ec-key.pem", "rich-key.pem", "encrypted-key.pem"] {
        let text = fs::read_to_string(fixture(name)).unwrap();
        let blocks = pem::decode(text.as_bytes());
        let der = blocks.into_iter().flatten().find(|b| b.is_private_key()).unwrap().der.clone();
        for output in ["text", "json"] {
            let args =
                ["ca", "inspect", "-o", output, "--passphrase-env", "PASSPHRASE", &fixture(name)];
            let shown = run(&args).out.replace(':', "").to_lowercase();
            assert!(der.windows(4).all(|bytes| !shown.contains(&digest::hex(bytes))));
            assert!(
                text.lines()
                    .filter(|l| l.len() > 40)
                    .all(|l| !shown.contains(&l[..12].to_lowercase()))
            );
        }
    }
}

/// Bytes spoilt one at a time: never a panic, never a character that steers a terminal.
#[test]
fn spoilt_bytes() {
    for name in ["rich.pem", "v1.pem", "crl.pem", "request.pem", "public.pem", "ec-key.pem"] {
        let blocks = pem::decode(&fs::read(fixture(name)).unwrap());
        let block = blocks.into_iter().flatten().next_back().unwrap();
        for at in 0..block.der.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut der = block.der.clone();
                der[at] ^= bits;
                let text = pem::encode(&block.label, &der);
                let answer = run_with(&["ca", "inspect", "-"], text.as_bytes());
                assert!(answer.exit < 2, "{name} byte {at}: {answer}");
                let steers = |c: char| c.is_control() && c != '\n';
                assert!(!answer.to_string().contains(steers), "{name} byte {at}: {answer:?}");
                run_with(&["ca", "inspect", "-"], &der);
            }
        }
    }
}

/// Every certificate in fixtures, against `openssl x509`.
#[test]
fn facts_as_openssl_tells_them() {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI without openssl");
        // Past the capture of the test harness, so that it is seen.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: facts_as_openssl_tells_them wants `openssl` (3.0) in PATH"
        );
        return;
    }
    let mut count = 0;
    // Those of fixtures/verify are broken on purpose, and openssl prints their bytes raw.
    for path in pem_files(Path::new("../fixtures/inspect")) {
        let blocks = pem::decode(&fs::read(&path).unwrap());
        let items = items(&[path.to_str().unwrap()]);
        for item in items.iter().filter(|item| item["type"] == "certificate") {
            let block = blocks.iter().flatten().find(|b| item["line"] == b.line).unwrap();
            let place = format!("{}:{}", path.display(), block.line);
            assert_eq!(facts(item), openssl_facts(&block.der), "{place}");
            count += 1;
        }
    }
    assert!(count >= 9, "{count} certificates in fixtures");
    let [crl] = items(&[&fixture("crl.pem")]).try_into().unwrap();
    let told = openssl(
        &["crl", "-noout", "-sha256", "-fingerprint", "-crlnumber", "-issuer"],
        &fs::read(fixture("crl.pem")).unwrap(),
    );
    let number: u64 = crl["number"].as_str().unwrap().parse().unwrap();
    for line in [
        format!("Fingerprint={}", crl["fingerprint"].as_str().unwrap()),
        format!("crlNumber=0x{number:X}"),
        format!("issuer={}", crl["issuer"].as_str().unwrap()),
    ] {
        assert!(told.contains(&line), "{line} in {told}");
    }
    for name in ["ec-key.pem", "rich-key.pem"] {
        let told = openssl(&["pkey", "-pubout"], &fs::read(fixture(name)).unwrap());
        assert_eq!(key_of(name), spki_sha256(&told));
    }
}

/// What of our document is compared, a line per fact.
fn facts(item: &Value) -> Vec<String> {
    let text = |key: &str| item[key].as_str().unwrap_or("-").to_owned();
    let mut facts = vec![
        text("subject"),
        text("issuer"),
        text("serial").replace(':', "").to_uppercase(),
        text("notBefore"),
        text("notAfter"),
        text("fingerprint"),
        text("subjectKeyId"),
        item["key"]["sha256"].as_str().unwrap().to_owned(),
    ];
    let names = item["subjectAltNames"].as_array().unwrap().iter().map(|n| n.as_str().unwrap());
    facts.extend(names.filter(|n| is_compared(n)).map(str::to_owned));
    facts
}

/// Names openssl writes as we do, or whose form is made the same.
fn is_compared(name: &str) -> bool {
    ["URI:", "DNS:", "email:", "IP:"].iter().any(|kind| name.starts_with(kind))
}

fn openssl_facts(der: &[u8]) -> Vec<String> {
    let args = [
        "x509",
        "-noout",
        "-subject",
        "-issuer",
        "-serial",
        "-dates",
        "-dateopt",
        "iso_8601",
        "-sha256",
        "-fingerprint",
        "-pubkey",
        "-ext",
        "subjectKeyIdentifier,subjectAltName",
    ];
    let told = openssl(&args, pem::encode(pem::CERTIFICATE, der).as_bytes());
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    let field = |key: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {key} in {told}")).to_owned()
    };
    let below = |title: &str| {
        let i = lines.iter().position(|line| line.starts_with(title))?;
        Some(lines[i + 1].to_owned())
    };
    let time = |key: &str| field(key).replace(' ', "T");
    let mut facts = vec![
        field("subject"),
        field("issuer"),
        field("serial"),
        time("notBefore"),
        time("notAfter"),
        field("sha256 Fingerprint"),
        below("X509v3 Subject Key Identifier:").unwrap_or("-".into()),
        spki_sha256(&told),
    ];
    let names = below("X509v3 Subject Alternative Name:").unwrap_or_default();
    let names = names.split(", ").map(|name| match name.strip_prefix("IP Address:") {
        Some(ip) => format!("IP:{}", ip.parse::<IpAddr>().unwrap()),
        None => name.to_owned(),
    });
    facts.extend(names.filter(|name| is_compared(name)));
    facts
}

fn openssl(args: &[&str], stdin: &[u8]) -> String {
    let child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn spki_sha256(text: &str) -> String {
    let block = pem::decode(text.as_bytes()).remove(0).unwrap();
    digest::hex(&digest::sha256(&block.der))
}

fn pem_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let of = |path: PathBuf| {
        if path.is_dir() {
            return pem_files(&path);
        }
        let is_pem = path.extension().is_some_and(|e| e == "pem" || e == "crt" || e == "cer");
        if is_pem { vec![path] } else { vec![] }
    };
    paths.into_iter().flat_map(of).collect()
}

fn key_fingerprint(cert: &Cert) -> String {
    cert.public_key().fingerprint()
}

/// SHA-256 of the last public key `inspect` finds in a fixture.
fn key_of(name: &str) -> String {
    items(&[&fixture(name)]).last().unwrap()["key"]["sha256"].as_str().unwrap().to_owned()
}

const CHAIN: &str = "\
exit 0
--- stdout
chain.pem:1: CA certificate
  Subject         O = \"Example, Inc.\", CN = Inspect East
  Issuer          C = GB, O = Example, CN = Inspect Root
  Serial          fe:dc:ba:98:76:54:32:10
  Valid from      2024-01-01T00:00:00Z (366 days ago)
  Valid until     2074-01-01T00:00:00Z (in 17897 days)
  Key             ecdsa-p384, sha256 b72944795bdc349742f7d75face8db7a0481a33f3f98c55da5e3c4c6193afefb
  Fingerprint     sha256 C8:96:01:DF:B7:41:42:53:B7:AB:EA:D6:0D:6A:05:26:2B:CD:95:8C:48:D7:B5:A5:B9:C7:1B:78:1A:43:34:0E
  CA              yes, path length 0: no CA below it (critical)
  Key usage       keyCertSign, cRLSign (critical)
  Key id          56:CB:72:D9:38:9D:09:11:EC:39:6A:26:A6:E4:B5:B1:4C:3E:5B:2F
  Issuer key id   03:6C:05:A3:D5:E7:46:C8:B9:FE:6B:88:20:E0:60:F5:12:CE:61:BE
  Constraints     only below URI:east.example
                  only below IP:10.0.0.0/255.0.0.0
                  never below DNS:evil.example
  Signature       ED25519

chain.pem:15: CA certificate
  Subject         C = GB, O = Example, CN = Inspect Root
  Issuer          itself (self-signed)
  Serial          5d:8e:11
  Valid from      2024-01-01T00:00:00Z (366 days ago)
  Valid until     2124-01-01T00:00:00Z (in 36158 days)
  Key             ed25519, sha256 1cb5c8fe5d770f5a99e142407d6de5d5a00c02302ba42a90e9b847f1e1b14875
  Fingerprint     sha256 40:91:EE:35:37:B3:46:F1:7E:DD:BE:CE:88:D8:C9:A4:FB:EB:EE:20:8B:0C:14:5E:55:6C:8C:92:0B:F5:A7:8A
  CA              yes, any number of CAs below it (critical)
  Key usage       keyCertSign, cRLSign (critical)
  Key id          03:6C:05:A3:D5:E7:46:C8:B9:FE:6B:88:20:E0:60:F5:12:CE:61:BE
  Signature       ED25519
  Chain           issued the certificate before it, chain.pem:1
--- stderr
";

const RICH: &str = "\
exit 0
--- stdout
rich.pem:1: certificate
  Subject         CN = Zo\\C3\\AB \\1B[31mred + DC = example, emailAddress = a@a.example
  Issuer          O = \"Example, Inc.\", CN = Inspect East
  Serial          7f:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22
  Valid from      2024-02-29T23:59:59Z (27699 days ago)
  Valid until     2099-12-31T23:59:59Z (EXPIRED now)
  Key             rsa-2048, sha256 eeffaaa550e9424ea12653e9d9b8c8029a779c198d0ddcf6c835eb264067b7ae
  Fingerprint     sha256 B0:D7:37:39:55:66:C7:59:E9:FE:D1:15:AC:47:BE:AD:63:AA:4A:F9:B2:15:B3:C1:BA:72:8A:44:C4:21:5C:F2
  CA              no
  Key usage       digitalSignature, keyEncipherment (critical)
  Extended usage  serverAuth, clientAuth, 1.3.6.1.4.1.55555.1
  Names           URI:spiffe://east.example/ns/a/sa/b
                  DNS:a.example
                  IP:10.1.2.3
                  IP:fd00::1
                  email:a@a.example
                  RID:1.2.3.4
                  DirName:O = Other, CN = Name
                  otherName:1.2.3.5
  Key id          A8:60:4D:24:D9:8A:A5:99:05:01:03:D2:29:9A:FF:39:02:8D:71:C1
  Issuer key id   56:CB:72:D9:38:9D:09:11:EC:39:6A:26:A6:E4:B5:B1:4C:3E:5B:2F, issuer DirName:C = GB, O = Example, CN = Inspect Root, serial fe:dc:ba:98:76:54:32:10
  Extensions      authorityInfoAccess
                  cRLDistributionPoints
                  certificatePolicies (critical)
                  tlsFeature
                  1.3.6.1.4.1.55555.2 (critical)
  Signature       ecdsa-with-SHA384

rich-key.der: private key; only the public part is shown
  Key             rsa-2048, sha256 eeffaaa550e9424ea12653e9d9b8c8029a779c198d0ddcf6c835eb264067b7ae
  Belongs to      rich.pem:1
--- stderr
";

const REQUEST_AND_LIST: &str = "\
exit 0
--- stdout
request.pem:1: certificate signing request
  Subject         O = Example, CN = Asks
  Key             ecdsa-p256, sha256 KEY
  Names requested URI:spiffe://east.example
                  DNS:*.east.example
  Extensions      subjectAltName
                  basicConstraints (critical)
  Signature       ecdsa-with-SHA256, by its own key

crl.pem:1: certificate revocation list
  Issuer          O = \"Example, Inc.\", CN = Inspect East
  Number          16385
  This update     2024-06-01T12:00:00Z (18112 days ago)
  Next update     2074-01-01T00:00:00Z (EXPIRED 2 days ago)
  Fingerprint     sha256 96:56:15:73:6F:5C:74:66:AF:65:63:F5:96:79:AB:B7:38:09:5E:62:6D:83:65:32:8C:87:39:CA:6A:33:40:8A
  Revoked         7f:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22 at 2024-06-01T12:00:00Z, keyCompromise
  Issuer key id   56:CB:72:D9:38:9D:09:11:EC:39:6A:26:A6:E4:B5:B1:4C:3E:5B:2F
  Signature       ecdsa-with-SHA256
--- stderr
";

const LIBRARY: &str = "\
exit 0
--- stdout
-:1: CA certificate
  Subject         CN = Zo\\C3\\AB\\07, O = A
  Issuer          itself (self-signed)
  Serial          51:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11:11
  Valid from      2025-01-01T02:00:00Z (NOT YET: in 2 hours)
  Valid until     2034-12-30T02:00:00Z (in 3650 days)
  Key             ed25519, sha256 KEY
  Fingerprint     sha256 CERT
  CA              yes, any number of CAs below it (critical)
  Key usage       keyCertSign, cRLSign (critical)
  Names           DNS:a\\x1b[31m.example
  Key id          ID
  Signature       ED25519

-:LINE: private key; only the public part is shown
  Key             ed25519, sha256 KEY
  Belongs to      -:1
--- stderr
";
