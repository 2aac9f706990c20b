//! The CA folder as a whole: one run at a time, one root, names that remain distinct, and the clock.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tests::authority::Authority;
use tests::cli::ended;
use tests::judges::run;
use tests::{NOW, Scratch, Shell};

use meshpki::{KeyType, Time};

use crate::MESHCTL;

const AT: &str = "2026-11-21T07:00:00Z";

fn start(scratch: &Scratch, command: &str) -> Child {
    Command::new(MESHCTL)
        .args(command.split(' '))
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How a run ends, and what it says on standard error.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Reads standard error up to the end of the line that holds `text`.
fn read_to(child: &mut Child, text: &str) {
    use std::io::Read;
    let mut said = Vec::new();
    let err = child.stderr.as_mut().unwrap();
    let has_come = |said: &[u8]| {
        said.ends_with(b"\n") && said.windows(text.len()).any(|part| part == text.as_bytes())
    };
    while !has_come(&said) {
        let mut byte = [0];
        assert_eq!(err.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
}

#[test]
fn a_run_waits_for_another() {
    let scratch = Scratch::new();
    let made = end(start(&scratch, "ca init ca --cluster east --plain-root-key"));
    assert_eq!(made.0, Some(0), "{}", made.1);
    scratch.write("mesh.yaml", include_str!("../../fixtures/mesh/five-clusters/mesh.yaml"));
    let south = tests::authority::key(KeyType::EcdsaP256);
    scratch.write("south.csr", tests::authority::csr("CN=South", &south).to_pem());
    let commands = [
        "ca init ca --cluster west",
        "ca csr ca --cluster north",
        "ca renew ca --cluster east",
        "ca sign south.csr --ca ca --out ca --yes",
        "mesh render -f mesh.yaml -o ca",
    ];
    for command in commands {
        let other = std::fs::File::open(scratch.join("ca")).unwrap();
        other.lock().unwrap();
        let (status, said) = end(start(&scratch, command));
        assert_eq!(status, Some(1), "{command}: {said}");
        assert!(said.contains("error[ctl/busy]") && said.contains("`--wait`"), "{command}: {said}");
        let (status, said) = end(start(&scratch, &format!("{command} --wait=1s")));
        assert_eq!(status, Some(1), "{command}: {said}");
        assert!(said.contains("waiting for another meshctl"), "{command}: {said}");
        assert!(said.contains("error[ctl/busy]"), "{command}: {said}");
        // The other run has ended: this one continues.
        let mut waiting = start(&scratch, &format!("{command} --wait"));
        read_to(&mut waiting, "waiting for another meshctl process that is using ca");
        drop(other);
        let (status, said) = end(waiting);
        assert_eq!(status, Some(0), "{command}: {said}");
    }
}

/// Runs that begin at the same time in a folder that is not there: all of them do their work, one after the other.
#[test]
fn many_runs_at_once() {
    let scratch = Scratch::new();
    let key = meshpki::SoftKey::generate(KeyType::EcdsaP256).unwrap();
    scratch.write_key("key.pem", key.to_pem().as_bytes());
    let runs: Vec<Child> = (0..8)
        .map(|i| start(&scratch, &format!("ca init new/ca --cluster c{i} --plain-root-key --wait")))
        .collect();
    for child in runs {
        let (status, said) = end(child);
        assert_eq!(status, Some(0), "{said}");
    }
    let sets = scratch.entries("new/ca").into_keys().filter(|name| name.ends_with("ca-key.pem"));
    assert_eq!(sets.count(), 8);
    let checked = run(Command::new(MESHCTL).args(["check", "new/ca"]).current_dir(scratch.path()));
    assert!(checked.good, "{}{}", checked.out, checked.err);
}

/// Signals while the folder is being made for a key that takes long.
#[test]
fn a_signal_leaves_no_empty_folder() {
    for signal in ["INT", "TERM", "HUP"] {
        let scratch = Scratch::new();
        // Two keys: one is now and then found before a busy machine has sent the signal.
        let command =
            "ca init a/b/ca --cluster east,west,north --plain-root-key --key-type rsa-8192";
        let mut child = start(&scratch, command);
        while !scratch.join("a/b/ca").exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            std::thread::yield_now();
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(!status.success(), "{signal}: the key was made before the signal came");
        assert!(
            std::os::unix::process::ExitStatusExt::signal(&status).is_some(),
            "{signal}: it dies of it"
        );
        assert!(!scratch.join("a").exists(), "{signal}: {:?}", scratch.entries("a"));
    }
}

#[test]
fn names_that_differ_in_case_only() {
    let check = |there: &str, command: &str, words: &[&str]| {
        let shell = Shell::new();
        if !there.is_empty() {
            shell.good(&format!("ca init @/ca --plain-root-key --cluster {there}"));
        }
        let before = shell.scratch.entries("ca");
        let ran = shell.run(command);
        if words.is_empty() {
            return assert_eq!(ran.status, 0, "{command}: {}", ran.err);
        }
        ended(&ran, 64, &[&["error[ctl/cluster-name]"], words].concat());
        assert_eq!(shell.scratch.entries("ca"), before, "{command}");
        assert_eq!(shell.scratch.join("ca").exists(), !there.is_empty(), "{command}");
    };
    let init = "ca init @/ca --plain-root-key --cluster";
    check("", &format!("{init} east,East"), &["`East` differs from `east` only"]);
    check("", &format!("{init} a.B-c,A.b-C,x"), &["`A.b-C` differs from `a.B-c` only"]);
    check(
        "east",
        &format!("{init} EAST"),
        &["`EAST` differs from `east` only", "`--cluster east`"],
    );
    check("East,west", &format!("{init} north,east"), &["`east` differs from `East` only"]);
    check("east", "ca csr @/ca --cluster eAst", &["`eAst` differs from `east` only"]);
    // The last three cannot be folders on Windows.
    for name in ["Previous", "ROOT-CERT.PEM", "root-Key.pem", "east.", "Nul", "com1.east"] {
        check("", &format!("{init} {name}"), &["is not a valid cluster name"]);
        check("", &format!("ca csr @/ca --cluster {name}"), &["is not a valid cluster name"]);
    }
    check("east,West", &format!("{init} West,east"), &[]);
    check("East", &format!("{init} east2"), &[]);
    check("", &format!("{init} console,com10"), &[]);
}

/// Two folders whose names differ only in case, made before names were compared: both keep working.
#[test]
fn names_that_are_there_already_are_taken() {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key --cluster east");
    std::fs::rename(shell.scratch.join("ca/east"), shell.scratch.join("ca/East")).unwrap();
    if shell.scratch.join("ca/east").exists() {
        return;
    }
    std::fs::create_dir(shell.scratch.join("ca/east")).unwrap();
    for name in ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"] {
        let text = shell.scratch.read(&format!("ca/East/{name}"));
        shell.scratch.write_key(&format!("ca/east/{name}"), text);
    }
    shell.good("ca init @/ca --cluster east,East");
    shell.good("ca renew @/ca --cluster East");
}

#[test]
fn a_clock_that_was_never_set() {
    let good = Shell::new();
    good.good("ca init @/ca --plain-root-key --cluster east");
    good.good("ca csr @/side --cluster west");
    let commands = [
        "ca init @/new --plain-root-key --cluster east",
        "ca init @/ca --cluster north",
        "ca renew @/ca --cluster east",
        "ca sign --yes @/side/west/ca.csr --ca @/ca --out @/side/west",
        "ca expiry @/ca",
        "check @/ca",
    ];
    let mut shell = good;
    let before = shell.scratch.entries("");
    let wrong = [Time(0), Time(946_684_799), Time(-1), Time(4_102_444_800), Time(i64::MAX)];
    for now in wrong {
        shell.now = now;
        for command in commands {
            ended(&shell.run(command), 1, &["error[ctl/clock]: the system clock is wrong"]);
        }
        // What is said counts.
        ended(&shell.run(&format!("check @/ca --at {AT}")), 0, &[]);
    }
    // A certificate would begin before 2000, whatever says so.
    shell.now = NOW;
    for at in ["1970-01-01", "1999-12-31T23:59:59Z", "2000-01-01T00:04:00Z"] {
        // A cluster is renewed under a root that is valid then, which is said first.
        for command in commands[..4].iter().filter(|command| !command.contains("renew")) {
            let ran = shell.run(&format!("{command} --at {at}"));
            ended(&ran, 1, &["error[ctl/clock]", "would begin before 2000"]);
        }
    }
    assert_eq!(shell.scratch.entries(""), before);
    assert!(!shell.scratch.join("new").exists());
    shell.good("ca init @/new --plain-root-key --cluster east --at 2000-01-01T00:05:00Z");
    shell.good("ca init @/far --plain-root-key --cluster east --at 2200-01-01");
}

/// What `ca init` finds wrong with its root before it makes anything.
fn other_root(shell: &Shell, command: &str, parts: &[&str]) {
    let before = shell.scratch.entries("ca");
    let ran = shell.run(command);
    ended(&ran, 1, &[&["error[ctl/other-root]: "], parts].concat());
    assert!(!ran.err.contains("warning[ctl/root-key-plain]"), "before anybody is asked");
    assert_eq!(shell.scratch.entries("ca"), before);
}

#[test]
fn a_root_swapped_under_clusters_is_refused() {
    let north = "ca init @/ca --cluster north --plain-root-key";
    for layout in ["istio", "tls"] {
        let shell = Shell::new();
        shell.good(&format!("ca init @/ca --cluster east,west --plain-root-key --layout {layout}"));
        shell.good("ca init @/other --plain-root-key");
        let ours = ["root-cert.pem", "root-key.pem"];
        let keep: Vec<String> =
            ours.iter().map(|f| shell.scratch.read(&format!("ca/{f}"))).collect();
        let put = |file: &str, text: &str| shell.scratch.write_key(&format!("ca/{file}"), text);
        for file in ours {
            put(file, &shell.scratch.read(&format!("other/{file}")));
        }
        other_root(&shell, north, &["`east` is under a different root", "`Mesh CA east` leads to"]);
        // Named or not, and when nothing is to be made.
        other_root(&shell, "ca init @/ca", &["`east`"]);
        other_root(&shell, "ca init @/ca --cluster west", &["`east`"]);
        // No root at all: a new one would be made.
        ours.iter()
            .for_each(|file| std::fs::remove_file(shell.scratch.join("ca").join(file)).unwrap());
        other_root(&shell, north, &["a new root would be created"]);
        // A key that is another's.
        put("root-key.pem", &shell.scratch.read("other/root-key.pem"));
        other_root(&shell, north, &["`east` is under a different root"]);
        // The right ones again.
        ours.iter().zip(&keep).for_each(|(file, text)| put(file, text));
        shell.good(north);
    }
}

/// A root of the same name with another key, one cluster of many, and cases that are not a mismatch.
#[test]
fn roots_are_told_apart_by_signature() {
    let shell = Shell::new();
    let root = |_| Authority::root(KeyType::EcdsaP256, "CN=Root", |_| {});
    let (root, same_name) = (root(0), root(1));
    root.write_root(&shell.scratch, "ca");
    let below = |name: &str, issuer: &Authority| issuer.below(KeyType::EcdsaP256, name, |_| {});
    let between = below("CN=Between", &root);
    let mut profile = meshpki::Profile::cluster(tests::authority::name("CN=Between"));
    profile.role = meshpki::Role::Ca { path_len: Some(1) };
    let between = Authority { cert: root.issue(&profile, &between.key), key: between.key };
    let fine = below("CN=Fine", &root);
    fine.write_set(&shell.scratch, "ca/fine", &[&root.cert], &[&root.cert]);
    let deep = below("CN=Deep", &between);
    deep.write_set(&shell.scratch, "ca/deep", &[&between.cert, &root.cert], &[&root.cert]);
    // Folders without a CA: a CSR that is not signed yet, and a folder that does not belong to a cluster.
    shell.good("ca csr @/ca --cluster waiting");
    shell.scratch.write("ca/notes/a.txt", "a");
    shell.good("ca init @/ca --cluster a");
    // A different end is not a mismatch.
    shell.good("ca init @/ca --cluster b --at 2028-06-01");
    let swapped = below("CN=Swapped", &same_name);
    swapped.write_set(&shell.scratch, "ca/z", &[&same_name.cert], &[&same_name.cert]);
    let (ours, theirs) = (root.cert.fingerprint(), same_name.cert.fingerprint());
    other_root(
        &shell,
        "ca init @/ca --cluster c",
        &["`z` is under a different root", "`Root`", &ours[..23], &theirs[..23]],
    );
    // A damaged certificate is reported and blocks nothing.
    shell.scratch.write("ca/z/ca-cert.pem", "-----BEGIN CERTIFICATE-----\n");
    ended(&shell.run("ca init @/ca --cluster c"), 0, &["warning[pki/pem]", "ca/z"]);
    assert!(Path::new(&shell.scratch.join("ca/c/ca-cert.pem")).exists());
}

/// Messages about passphrases if there is no terminal to ask on.
#[test]
fn passphrases_are_judged() {
    let mut shell = Shell::new();
    shell.check(
        "ca init @/ca --cluster east",
        r#"
        exit 64
        --- stderr
        error[ctl/no-passphrase]: a new root key needs a passphrase, but there is no terminal to ask for one
          because: standard input or standard error is not a terminal

        hint: `--passphrase-file FILE` or `--passphrase-env VARIABLE` encrypts the key; `--plain-root-key` leaves it unencrypted
    "#,
    );
    assert!(!shell.scratch.join("ca").exists());
    let weak = [
        "hunter2",
        "password123",
        "Passw0rd!",
        "aaaaaaaaaaaaaaaaaaaa",
        "12345678901234567890",
        "qwertyuiop",
        "meshctl-east",
        "correct",
        "secret",
        "x",
        "abcabcabcabcabc",
    ];
    let strong = [
        "gimlet otter quarry lantern mosaic tundra",
        "zJ8#qL2v!mR7xT",
        "ſchön verquer gelüftete Ämter",
    ];
    for (passphrases, is_weak) in [(&weak[..], true), (&strong[..], false)] {
        for (i, passphrase) in passphrases.iter().enumerate() {
            shell.env = vec![("PASS", passphrase)];
            let folder = format!("@/{is_weak}{i}");
            let ran = shell.run(&format!("ca init {folder} --cluster east --passphrase-env PASS"));
            assert_eq!(ran.status, 0, "{}", ran.err);
            let said = ran
                .err
                .contains("warning[ctl/passphrase-weak]: the passphrase of the root key is weak");
            assert_eq!(said, is_weak, "{passphrase}: {}", ran.err);
            assert!(!ran.err.contains(passphrase) || passphrase.len() == 1, "{}", ran.err);
        }
    }
    // The passphrase of a key that is there is not judged again.
    shell.env = vec![("PASS", weak[0])];
    let ran = shell.run("ca init @/true0 --cluster west --passphrase-env PASS");
    assert!(ran.status == 0 && !ran.err.contains("weak"), "{}", ran.err);
    shell.scratch.write("pass", weak[0]);
    let ran = shell.run("ca init @/true0 --cluster north --passphrase-file @/pass");
    let told = "warning[ctl/passphrase-permissions]: the passphrase file is readable by users other than its owner";
    ended(&ran, 0, &[told, "chmod 600"]);
}
