//! Killed at any moment, `meshctl` leaves no half-written file and loses no key.

mod exchange;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::scratch::Entry;
use tests::{NOW, Scratch};

use meshpki::cacerts::certs;
use meshpki::internals::pem;
use meshpki::istiod::Version;
use meshpki::{CaCerts, Cert, Crl, Signer, SoftKey};

use crate::MESHCTL;

/// Moments a run is killed at, from its first file to past its end.
const MOMENTS: u32 = 24;
const CLUSTERS: [&str; 4] = ["east", "north", "south", "west"];
const INIT: [&str; 6] =
    ["ca", "init", "ca", "--plain-root-key", "--cluster", "east,north,south,west"];
/// Where files lie until all of them are written.
const STAGING: &str = "ca/.meshctl-staging";
const AT: &str = "2026-11-21T07:00:00Z";

fn meshctl(scratch: &Scratch, args: &[&str]) -> Command {
    let mut command = Command::new(MESHCTL);
    command.args(args).args(["--at", AT]);
    command.current_dir(scratch.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs to the end, which must be a good one.
fn complete(scratch: &Scratch, args: &[&str]) {
    let output = meshctl(scratch, args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Starts and waits until the first file is being written, or all is over.
fn started(scratch: &Scratch, args: &[&str]) -> Child {
    let mut child = meshctl(scratch, args).stderr(Stdio::null()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && !scratch.join(STAGING).exists() {
        std::hint::spin_loop();
    }
    child
}

/// How long a run takes from its first file on.
fn length(scratch: &Scratch, args: &[&str]) -> Duration {
    let mut child = started(scratch, args);
    let begin = Instant::now();
    assert!(child.wait().unwrap().success());
    begin.elapsed()
}

/// Kills a run with SIGKILL, `delay` after its first file.
fn killed(scratch: &Scratch, args: &[&str], delay: Duration) {
    let mut child = started(scratch, args);
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Fingerprints of the keys in every `ca-key.pem` of `ca`, those aside too, and not those in staging.
fn keys(scratch: &Scratch) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (name, entry) in scratch.entries("ca") {
        if name.ends_with("key.pem") && !name.starts_with('.') {
            let key = SoftKey::from_pem(&entry.content.unwrap(), None);
            let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
            keys.insert(key.public_key().fingerprint());
        }
    }
    keys
}

/// Every file under its own name is complete: keys are private, sets agree, the root has its key.
fn check_whole(scratch: &Scratch) {
    let entries = scratch.entries("ca");
    let mut sets: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    for (name, entry) in entries.iter().filter(|(name, _)| !name.starts_with('.')) {
        if name.ends_with("key.pem") {
            assert_eq!(entry.mode, 0o600, "{name}");
        }
        if let (Some((folder, file)), Some(content)) = (name.rsplit_once('/'), &entry.content) {
            sets.entry(folder.to_owned()).or_default().insert(file.to_owned(), content.clone());
        }
    }
    for (folder, files) in sets {
        CaCerts::from_secret(&files.into_iter().collect(), Version::NEWEST, NOW)
            .unwrap_or_else(|error| panic!("{folder}: {error}"));
    }
    if let Some(root) = entries.get("root-cert.pem") {
        let root = root_of(root.content.as_deref().unwrap());
        let key = SoftKey::from_pem(entries["root-key.pem"].content.as_deref().unwrap(), None);
        assert_eq!(key.unwrap().public_key(), root.public_key());
    }
}

fn root_of(pem: &[u8]) -> Cert {
    certs("root-cert.pem", pem).unwrap().remove(0)
}

fn no_staging(scratch: &Scratch) {
    assert!(!scratch.join(STAGING).exists());
}

/// Delays from nothing to a little past `length`.
fn moments(length: Duration) -> impl Iterator<Item = Duration> {
    (0..MOMENTS).map(move |i| length * i / (MOMENTS - 3))
}

#[test]
fn init() {
    let args = INIT;
    let length = length(&Scratch::new(), &args);
    for delay in moments(length) {
        let scratch = Scratch::new();
        killed(&scratch, &args, delay);
        check_whole(&scratch);
        let seen = keys(&scratch);
        complete(&scratch, &args);
        check_whole(&scratch);
        no_staging(&scratch);
        assert!(keys(&scratch).is_superset(&seen), "a key was lost, killed after {delay:?}");
        assert!(CLUSTERS.iter().all(|name| scratch.join("ca").join(name).is_dir()));
    }
}

#[test]
fn renew() {
    let scratch = Scratch::new();
    complete(&scratch, &INIT);
    let root = std::fs::read(scratch.join("ca/root-cert.pem")).unwrap();
    let args = ["ca", "renew", "ca", "--cluster", "east,north,south,west"];
    let length = length(&scratch, &args);
    let mut seen = keys(&scratch);
    for delay in moments(length) {
        killed(&scratch, &args, delay);
        check_whole(&scratch);
        seen.extend(live(scratch.path()));
        // What the kill left in staging is put aside by the next run, whatever it is to do.
        complete(&scratch, &INIT[..3]);
        check_whole(&scratch);
        no_staging(&scratch);
        let now = keys(&scratch);
        assert!(now.is_superset(&seen), "a key was lost, killed after {delay:?}");
        seen = now;
        for name in CLUSTERS {
            let path = scratch.join("ca").join(name).join("root-cert.pem");
            assert_eq!(std::fs::read(path).unwrap(), root);
        }
    }
}

/// Every file has the CRLs of the run before or those of the killed one, and the next run makes them all again, with
/// higher numbers.
#[test]
fn crl() {
    let scratch = Scratch::new();
    complete(&scratch, &INIT);
    let args = ["ca", "crl", "ca"];
    complete(&scratch, &args);
    let length = length(&scratch, &args);
    for delay in moments(length) {
        let before = crl_files(&scratch);
        killed(&scratch, &args, delay);
        let after = crl_files(&scratch);
        assert!(after.keys().eq(before.keys()), "{:?}", after.keys());
        let changed: BTreeSet<_> = CLUSTERS
            .map(|name| format!("{name}/ca-crl.pem"))
            .into_iter()
            .filter(|name| after[name] != before[name])
            .collect();
        let new: BTreeSet<_> = changed.iter().map(|name| &after[name]).collect();
        assert!(new.len() <= 1, "one run makes one text, killed after {delay:?}: {changed:?}");
        complete(&scratch, &args);
        check_whole(&scratch);
        no_staging(&scratch);
        let last = crl_files(&scratch);
        let texts: BTreeSet<_> = CLUSTERS.map(|name| &last[&format!("{name}/ca-crl.pem")]).into();
        assert_eq!(texts.len(), 1, "every cluster has the same CRLs, killed after {delay:?}");
        for (name, crls) in &last {
            assert_eq!(crls.len(), if name == "root-crl.pem" { 1 } else { 1 + CLUSTERS.len() });
            let pairs = crls.iter().zip(&after[name]);
            let is_next = |(new, old): (&Number, &Number)| new.0 == old.0 && new.1 > old.1;
            assert!(pairs.into_iter().all(is_next), "{name}, killed after {delay:?}: {crls:?}");
        }
    }
}

/// The issuer of a CRL, and its number.
type Number = (String, u64);

/// The CRLs of each file that has some.
fn crl_files(scratch: &Scratch) -> BTreeMap<String, Vec<Number>> {
    let files = scratch.entries("ca").into_iter();
    let files = files.filter(|(name, _)| name.ends_with("crl.pem") && !name.starts_with('.'));
    let read = |(name, entry): (String, Entry)| {
        let crls = pem::decode(&entry.content.unwrap()).into_iter().map(|block| {
            let block = block.unwrap_or_else(|error| panic!("{name}: {error}"));
            let crl = Crl::from_der(&block.der).unwrap_or_else(|error| panic!("{name}: {error}"));
            (crl.issuer().to_string(), crl.number_value().expect("a number"))
        });
        let crls = crls.collect();
        (name, crls)
    };
    files.map(read).collect()
}

/// Fingerprints of the clusters' keys that are in use.
fn live(scratch: &Path) -> Vec<String> {
    let key = |name: &&str| {
        let bytes = std::fs::read(scratch.join("ca").join(name).join("ca-key.pem")).unwrap();
        SoftKey::from_pem(&bytes, None).unwrap().public_key().fingerprint()
    };
    CLUSTERS.iter().map(key).collect()
}
