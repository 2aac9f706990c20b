//! File systems that cannot exchange two folders: killed before any step that changes something, `ca renew` loses no
//! key, and the next run finishes its work.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tests::judges::missing;
use tests::{NOW, Scratch};

use super::{AT, check_whole, keys};
use crate::MESHCTL;

/// How exchanges come to fail, in the shell's words: what is mounted at `ca` in a mount namespace of its own, and what
/// strace makes of the system call.
struct Disk {
    name: &'static str,
    mount: &'static str,
    strace: &'static str,
}

const DISKS: [Disk; 2] = [
    // NFS: no flag of renameat2 is known.
    Disk {
        name: "without renameat2's flags",
        mount: "cp -a made ca",
        strace: "-e inject=renameat2:error=EINVAL",
    },
    // A container's image: what is in the lower layer cannot be renamed at all.
    Disk {
        name: "the lower layer of an overlay",
        mount: "mount -t tmpfs tmpfs rw && mkdir rw/upper rw/work && mkdir ca && \
                mount -t overlay overlay -o lowerdir=made,upperdir=rw/upper,workdir=rw/work ca",
        strace: "",
    },
];

/// The calls that change something, or make it durable.
const STEPS: [&str; 6] = ["rename", "mkdir", "unlink", "unlinkat", "rmdir", "fsync"];
/// More than any run makes of one of them.
const MOST: usize = 60;

/// Runs `ca renew` on `disk`, killed before the `count`th call of `step`, then a run that makes nothing new, and brings the
/// folder as it was after each to `killed/ca` and `after/ca`.
fn run(scratch: &Scratch, disk: &Disk, step: &str, count: usize) -> Output {
    let script = format!(
        "set -e; mkdir -p rw killed after; {mount}\n\
         set +e; strace -f -o /dev/null -e trace={step},renameat2 {strace} \
           -e inject={step}:signal=KILL:when={count} \
           {MESHCTL} ca renew ca --cluster east --at {AT} >/dev/null 2>renew.txt; echo $? >status\n\
         set -e; cp -a ca killed/ca\n\
         {MESHCTL} ca init ca --at {AT} 2>init.txt; cp -a ca after/ca",
        mount = disk.mount,
        strace = disk.strace,
    );
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .output();
    output.expect("unshare of util-linux runs")
}

/// A CA folder with one cluster, made on a file system that can do everything.
fn made() -> Scratch {
    let scratch = Scratch::new();
    let args = ["ca", "init", "made", "--plain-root-key", "--cluster", "east", "--at", AT];
    let mut init = Command::new(MESHCTL);
    init.args(args).current_dir(scratch.path()).stdin(Stdio::null());
    assert!(init.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    // Files that a user put next to the set move along.
    scratch.write("made/east/notes/today.txt", "notes");
    scratch.write("made/east/ca.csr", "their CSR");
    scratch
}

/// Whether this machine lets us mount, and trace.
fn can_run() -> bool {
    let can = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ok = command.status().is_ok_and(|status| status.success());
        if !ok {
            missing(program, "it takes root's rights to mount, and to trace");
        }
        ok
    };
    can("unshare", &["--mount", "true"]) && can("strace", &["-o", "/dev/null", "true"])
}

fn fingerprint(folder: &Path) -> Option<String> {
    let bytes = std::fs::read(folder.join("ca-key.pem")).ok()?;
    let key = meshpki::SoftKey::from_pem(&bytes, None).ok()?;
    Some(meshpki::Signer::public_key(&key).fingerprint())
}

/// The names of key files with their keys, staged ones too.
fn all_keys(folder: &Path) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = fingerprint(folder).into_iter().collect();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(all_keys(&entry.path()));
        }
    }
    found
}

/// Whether the run was killed; all that holds whenever it was.
fn check(disk: &Disk, step: &str, count: usize) -> bool {
    let scratch = made();
    let place = format!("{}, before {step} {count}", disk.name);
    let old = fingerprint(&scratch.join("made/east")).unwrap();
    let output = run(&scratch, disk, step, count);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{place}: {said}{}", scratch.read("init.txt"));
    let killed = scratch.read("status").trim() != "0";
    assert!(
        !killed || scratch.read("status").trim() == "137",
        "{place}: {}",
        scratch.read("renew.txt")
    );
    // Cut off: the old key is whole somewhere, and a set under its own name is whole unless a marker tells the next run.
    assert!(all_keys(&scratch.join("killed/ca")).contains(&old), "{place}: the old key is lost");
    let begun = scratch.join("killed/ca/.meshctl-staging/.exchange").exists();
    let live = scratch.join("killed/ca/east");
    if !begun {
        assert!(
            meshpki::CaCerts::from_secret(
                &set(&live).into_iter().collect(),
                meshpki::istiod::Version::NEWEST,
                NOW
            )
            .is_ok(),
            "{place}: half a set"
        );
    }
    // Looked at, it is refused or good; never taken for something else.
    let status = Command::new(MESHCTL)
        .args(["check", "killed/ca", "--at", AT])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&status.stderr).into_owned();
    assert_eq!(said.contains("error[ctl/leftovers]"), begun, "{place}: {said}");
    // After the next run.
    let after = after(&scratch);
    let replaced = fingerprint(&after.join("ca/east")).unwrap() != old;
    let place_of_old =
        if replaced { format!("previous/{}", aside(&after)) } else { "east/".to_owned() };
    let notes = format!("ca/{place_of_old}notes");
    assert_eq!(after.read(&format!("{notes}/today.txt")), "notes", "{place}");
    std::fs::remove_dir_all(after.join(notes)).unwrap();
    check_whole(&after);
    assert!(keys(&after).contains(&old), "{place}: the old key is lost");
    assert!(!after.join("ca/.meshctl-staging").exists(), "{place}");
    assert!(replaced || killed, "{place}: not renewed");
    assert!(replaced || !begun, "{place}: what was begun is not finished");
    assert_eq!(after.read("ca/east/root-cert.pem"), scratch.read("made/root-cert.pem"), "{place}");
    if replaced {
        assert_eq!(after.read("ca/east/ca.csr"), "their CSR", "{place}");
        assert_eq!(
            after.entries("ca/previous").keys().filter(|n| n.ends_with("key.pem")).count(),
            1
        );
    }
    killed
}

/// `after/ca` as the folder `ca` of a scratch folder, reduced to its sets.
fn after(scratch: &Scratch) -> Scratch {
    let after = Scratch::new();
    let copied =
        Command::new("cp").arg("-a").arg(scratch.join("after/ca")).arg(after.path()).status();
    assert!(copied.unwrap().success());
    after
}

fn aside(after: &Scratch) -> String {
    let names = after.entries("ca/previous");
    names.keys().find(|name| name.matches('/').count() == 1 && name.ends_with('/')).unwrap().clone()
}

fn set(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let names = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"];
    let read = |name: &str| Some((name.to_owned(), std::fs::read(folder.join(name)).ok()?));
    names.into_iter().filter_map(read).collect()
}

fn killed_before_each_step(disk: &Disk) {
    if !can_run() {
        return;
    }
    let mut kills = 0;
    for step in STEPS {
        let last = (1..=MOST).take_while(|count| check(disk, step, *count)).last();
        assert_ne!(last, Some(MOST), "{step}");
        kills += last.unwrap_or(0);
    }
    assert!(kills > 15, "{}: only {kills} kills", disk.name);
}

#[test]
fn without_flags() {
    killed_before_each_step(&DISKS[0]);
}

#[test]
fn in_a_lower_layer() {
    killed_before_each_step(&DISKS[1]);
}

/// Every folder in which a name changes is synced, the staged one and the parents too.
#[test]
fn folders_are_synced() {
    if !can_run() {
        return;
    }
    let check = |command: &str, folders: &[&str]| {
        let scratch = made();
        let args = format!("-f -y -o trace.txt -e trace=fsync {MESHCTL} {command}");
        let status = Command::new("strace")
            .args(args.split(' '))
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{command}");
        let trace = scratch.read("trace.txt");
        let root = scratch.path().canonicalize().unwrap();
        for folder in folders {
            let path = root.join(folder);
            let path = path.display().to_string();
            let synced = format!("<{}>", path.trim_end_matches('/'));
            assert!(trace.contains(&synced), "{command}: {synced} is not in\n{trace}");
        }
    };
    let staging = "made/.meshctl-staging";
    check(
        "ca renew made --cluster east --at 2026-11-21T07:00:00Z",
        &["made", "made/previous", staging, "made/.meshctl-staging/east"],
    );
    check(
        "ca init made --cluster west --at 2026-11-21T07:00:00Z",
        &["made", staging, "made/.meshctl-staging/west"],
    );
    check("ca init new/ca --cluster west --plain-root-key", &["", "new", "new/ca"]);
    check("ca csr new/side --cluster west", &["", "new", "new/side"]);
}
