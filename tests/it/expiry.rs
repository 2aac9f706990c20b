//! `meshctl ca expiry`: whole outputs in the four formats.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use meshpki::internals::DAY;
use meshpki::{Cert, KeyType, Name, Profile, Serial, SoftKey, Stamp, Time, self_signed};
use tempfile::TempDir;
use tests::command::{Answer, run, run_with};
use tests::schema;

/// 2025-01-01, the time of the made-up world.
const NOW: i64 = 1_735_689_600;

/// A certificate that ends `days` after now.
fn cert(name: &str, days: i64) -> Cert {
    let key = SoftKey::generate(KeyType::Ed25519).unwrap();
    let mut profile = Profile::root(format!("CN={name}").parse::<Name>().unwrap());
    profile.validity = 1000 * DAY;
    let not_before = Time(NOW + (days - 1000) * 86_400);
    let serial = Serial::from_random([name.as_bytes()[0]; 20]);
    self_signed(&profile, &key, Stamp { serial, not_before }).unwrap()
}

/// The certificate with its notAfter spoilt: a month 99.
fn dateless(cert: &Cert) -> Cert {
    let end = &cert.not_after().content;
    let mut der = cert.as_der().to_vec();
    let at = der.windows(end.len()).position(|bytes| bytes == end).unwrap();
    der[at + 2..at + 4].copy_from_slice(b"99");
    Cert::from_der(&der).unwrap()
}

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Runs it over the folder, which is `DIR` in the answer.
fn expiry(folder: &TempDir, args: &[&str]) -> Answer {
    let path = folder.path().to_str().unwrap();
    let answer = run(&[&["ca", "expiry", path], args].concat());
    let short = |text: &str| text.replace(path, "DIR");
    Answer { out: short(&answer.out), err: short(&answer.err), exit: answer.exit }
}

/// Two clusters under a root, next to everything that must be skipped.
fn tree() -> (TempDir, [Cert; 4]) {
    let folder = TempDir::new().unwrap();
    let [root, east, west] = [cert("Root", 900), cert("East", 12), cert("West", -3)];
    let bad = dateless(&cert("Bad", 500));
    write(&folder, "root-cert.pem", root.to_pem());
    write(&folder, "east/ca-cert.pem", east.to_pem());
    write(&folder, "east/cert-chain.pem", east.to_pem() + &root.to_pem());
    write(&folder, "east/ca-key.pem", "not to be read");
    write(
        &folder,
        "east/bundle.pem",
        SoftKey::generate(KeyType::Ed25519).unwrap().to_pem().as_bytes(),
    );
    write(&folder, "east/notes.txt", "no certificate");
    write(&folder, "previous/east/ca-cert.pem", cert("Old", -100).to_pem());
    write(&folder, ".meshctl-staging/x.pem", cert("Hidden", -100).to_pem());
    write(&folder, "west/ca.cer", west.as_der());
    write(&folder, "west/bad.CRT", bad.to_pem());
    symlink(folder.path(), folder.path().join("west/loop")).unwrap();
    symlink("../east", folder.path().join("west/sibling")).unwrap();
    (folder, [root, east, west, bad])
}

#[test]
fn table() {
    let (folder, _) = tree();
    let answer = expiry(&folder, &[]);
    assert_eq!(
        answer.to_string(),
        "exit 2
--- stdout
STATE       ENDS                         WHEN         SUBJECT    PLACE
UNREADABLE  unreadable: `269916000000Z`  -            CN = Bad   DIR/west/bad.CRT:1
EXPIRED     2024-12-29T00:00:00Z         3 days ago   CN = West  DIR/west/ca.cer
DUE         2025-01-13T00:00:00Z         in 12 days   CN = East  DIR/east/ca-cert.pem:1
                                                                 DIR/east/cert-chain.pem:1
ok          2027-06-20T00:00:00Z         in 900 days  CN = Root  DIR/east/cert-chain.pem:10
                                                                 DIR/root-cert.pem:1
--- stderr
"
    );
}

#[test]
fn json() {
    let (folder, [root, ..]) = tree();
    write(&folder, "glued.pem", root.to_pem().trim_end().to_owned() + &root.to_pem());
    let answer = expiry(&folder, &["-o", "json", "--within", "11d"]);
    assert_eq!(answer.exit, 2);
    schema::check("expiry", &answer.out);
    let document: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    let states: Vec<&str> = document["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["unreadable", "expired", "ok", "ok"]);
    assert_eq!(document["items"][3]["fingerprint"], root.fingerprint());
    assert_eq!(document["items"][3]["secondsLeft"], 900 * 86_400);
    assert_eq!(document["problems"][0]["file"], "DIR/glued.pem");
    assert_eq!(document["problems"][0]["line"], 9);
}

#[test]
fn prometheus() {
    let folder = TempDir::new().unwrap();
    let quoted = cert("A\\\"b\\,\\\\c", 12);
    write(&folder, "a\"b\\\n.pem", quoted.to_pem() + &quoted.to_pem());
    let answer = expiry(&folder, &["-o", "prometheus", "--within", "1d"]);
    let answer = answer.to_string().replace(&quoted.fingerprint(), "SHA256");
    assert_eq!(
        answer,
        r#"exit 0
--- stdout
# HELP meshctl_certificate_not_after_timestamp_seconds Unix time at which the certificate expires; 0 if it cannot be read.
# TYPE meshctl_certificate_not_after_timestamp_seconds gauge
meshctl_certificate_not_after_timestamp_seconds{path="DIR/a\"b\\\\u{a}.pem",subject="CN = \"A\\\"b,\\\\c\"",serial="41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41:41",fingerprint="SHA256"} 1736726400
# HELP meshctl_expiry_problems Files, folders and blocks that could not be read in the last run.
# TYPE meshctl_expiry_problems gauge
meshctl_expiry_problems 0
--- stderr
"#
    );
}

#[test]
fn github() {
    let (folder, _) = tree();
    write(&folder, "50%: a, b.pem", cert("100%", 1).to_pem());
    write(&folder, "broken.pem", "-----BEGIN CERTIFICATE-----\n");
    let answer = expiry(&folder, &["-o", "github"]);
    assert_eq!(
        answer.to_string(),
        "exit 2
--- stdout
::error file=DIR/west/bad.CRT,line=1,title=Certificate without a readable expiry date::CN = Bad has no readable expiry date: unreadable: `269916000000Z`
::error file=DIR/west/ca.cer,title=Certificate has expired::CN = West expired 3 days ago: 2024-12-29T00:00:00Z
::warning file=DIR/50%25%3A a%2C b.pem,line=1,title=Certificate expires soon::CN = 100%25 expires in 24 hours: 2025-01-02T00:00:00Z
::warning file=DIR/east/ca-cert.pem,line=1,title=Certificate expires soon::CN = East expires in 12 days: 2025-01-13T00:00:00Z
::warning file=DIR/east/cert-chain.pem,line=1,title=Certificate expires soon::CN = East expires in 12 days: 2025-01-13T00:00:00Z
::error file=DIR/broken.pem,line=1,title=Not readable::`BEGIN CERTIFICATE` has no END marker
--- stderr
error[ctl/unreadable]: `BEGIN CERTIFICATE` has no END marker
  in: DIR/broken.pem:1
"
    );
}

#[test]
fn exit_status() {
    let folder = TempDir::new().unwrap();
    let nothing = expiry(&folder, &[]);
    assert_eq!(
        nothing.to_string(),
        "exit 1\n--- stdout\n--- stderr\nerror[ctl/unreadable]: the file does not contain a certificate\n  in: DIR\n"
    );
    write(&folder, "a.pem", cert("A", 30).to_pem());
    assert_eq!(expiry(&folder, &["--within", "29d"]).exit, 0);
    assert_eq!(expiry(&folder, &["--within", "30d"]).exit, 2, "the second it ends counts");
    assert_eq!(expiry(&folder, &["--within", "1s", "--at", "2025-01-31"]).exit, 2);
    write(&folder, "b.pem", "nothing");
    symlink("nowhere", folder.path().join("gone.crt")).unwrap();
    let unread = expiry(&folder, &["--within", "1d"]);
    assert_eq!(
        unread.err,
        "error[ctl/unreadable]: neither PEM nor a certificate: the certificate is not a SEQUENCE at byte 0
  in: DIR/b.pem
error[ctl/unreadable]: cannot read the file: No such file or directory (os error 2)
  in: DIR/gone.crt
"
    );
    assert_eq!(unread.exit, 1);
    assert_eq!(
        expiry(&folder, &["--within", "40d"]).exit,
        2,
        "what is due is said before what is unread"
    );
    let missing = run(&["ca", "expiry", "/no/such"]);
    assert_eq!(missing.exit, 1);
    assert!(missing.err.contains("cannot read `/no/such`: No such file"), "{}", missing.err);
}

#[test]
fn standard_input_and_the_same_twice() {
    let (a, folder) = (cert("A", 90), TempDir::new().unwrap());
    assert_eq!(
        run_with(&["ca", "expiry", "-"], a.to_pem().as_bytes()).to_string(),
        "exit 0
--- stdout
STATE  ENDS                  WHEN        SUBJECT  PLACE
ok     2025-04-01T00:00:00Z  in 90 days  CN = A   -:1
--- stderr
"
    );
    write(&folder, "x/a.pem", a.to_pem());
    let path = |name: &str| Path::new(folder.path()).join(name).display().to_string();
    let twice = run(&["ca", "expiry", &path("x"), &path(""), &path("x/a.pem")]);
    assert_eq!((twice.exit, twice.out.lines().count()), (0, 2), "{twice}");
}
