//! `meshctl forget` of a folder, and what `ca renew` leaves in `previous/`. With clusters: `push.rs`, `documents.rs`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tests::Shell;
use tests::cli::ended;

/// A CA with a set that was replaced, next to a root's key and a note.
fn renewed() -> Shell {
    let shell = Shell::new();
    shell.good("ca init @/ca --cluster east,west --plain-root-key");
    shell.scratch.write("ca/east/root-key.pem", "a root's key");
    shell.scratch.write("ca/east/note.txt", "ours");
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(shell.scratch.join("ca/east/ca-key.pem"), open).expect("a mode");
    shell.good("ca renew @/ca --cluster east,west");
    shell
}

/// The folders in `previous/`, without what is never the same twice.
fn previous(shell: &Shell) -> Vec<String> {
    let modes = shell.scratch.modes("ca/previous");
    let place = |line: &str| {
        let (mode, path) = line.split_once(' ').expect("a mode and a path");
        let (set, file) = path.split_once('/').expect("a set");
        format!("{mode} {}/{file}", set.split('-').next().expect("a cluster"))
    };
    modes.lines().map(place).collect()
}

#[test]
fn only_what_a_way_back_uses_is_kept() {
    let shell = renewed();
    let set = |cluster: &str| {
        let files = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"];
        let files = files.map(|file| format!("0600 {cluster}/{file}"));
        std::iter::once(format!("0700 {cluster}/")).chain(files)
    };
    let mut found = previous(&shell);
    found.sort();
    let mut expect: Vec<String> = set("east").chain(set("west")).collect();
    expect.sort();
    assert_eq!(found, expect);
    // The user's own file moved to the new set.
    assert_eq!(shell.scratch.read("ca/east/note.txt"), "ours");
    assert_eq!(shell.scratch.read("ca/east/root-key.pem"), "a root's key");
}

#[test]
fn a_folder() {
    let shell = renewed();
    let before = shell.scratch.entries("ca");
    let asked = shell.run("forget @/ca");
    let shown = [
        "/ca/previous/east-",
        ": `Mesh CA east` (sha256 ",
        "; ca-cert.pem, ca-key.pem (a private key), cert-chain.pem, root-cert.pem\n",
        "error[ctl/usage]",
        "nothing was removed",
    ];
    ended(&asked, 64, &shown);
    ended(&shell.run("forget @/ca --older-than 1d --yes"), 0, &["nothing was kept for longer"]);
    assert_eq!(shell.scratch.entries("ca"), before);
    // A folder in a set, a link to another place, and a file next to the sets are not removed.
    let east = shell.scratch.entries("ca/previous");
    let east = east.keys().find(|name| name.starts_with("east-")).expect("a set").clone();
    shell.scratch.write(&format!("ca/previous/{east}mine/file"), "mine");
    shell.scratch.write("elsewhere/ca-key.pem", "elsewhere");
    symlink(shell.scratch.join("elsewhere"), shell.scratch.join("ca/previous/link"))
        .expect("a link");
    let link = shell.scratch.join(format!("ca/previous/{east}link.pem"));
    symlink(shell.scratch.join("elsewhere/ca-key.pem"), link).expect("a link");
    let done = shell.run("forget @/ca --yes");
    ended(&done, 0, &["its files were removed; the folders in it were left", ": removed\n"]);
    fs::remove_file(shell.scratch.join("ca/previous/link")).expect("the link is left");
    let left = previous(&shell);
    assert_eq!(left, ["0700 east/", "0755 east/mine/", "0644 east/mine/file"]);
    assert_eq!(shell.scratch.read("elsewhere/ca-key.pem"), "elsewhere");
    // The present sets are as they were.
    let present = |all: &std::collections::BTreeMap<String, tests::scratch::Entry>| {
        all.clone()
            .into_iter()
            .filter(|(name, _)| !name.starts_with("previous"))
            .collect::<Vec<_>>()
    };
    assert_eq!(present(&shell.scratch.entries("ca")), present(&before));
}

#[test]
fn nothing_to_forget() {
    let shell = Shell::new();
    shell.check(
        "forget",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: nothing to forget

        hint: name a folder, as in `meshctl forget ca`, a cluster with `--context east=CONTEXT`, or both
    "#,
    );
    shell.good("ca init @/ca --cluster east --plain-root-key");
    shell.check(
        "forget @/ca",
        r#"
        exit 0
        nothing is kept
    "#,
    );
    ended(&shell.run("forget @/nowhere"), 1, &["error[ctl/io]"]);
}
