//! Judges of the archive and the checksums.

use std::fs;
use std::process::Command;

use super::super::{at, output};
use super::{Bench, expect};

pub(super) fn sums(bench: &Bench<'_>) -> Result<(), String> {
    let mut check = Command::new("sha256sum");
    check.current_dir(&bench.release.dist).args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
    output(&mut check).map(drop)
}

/// Shells, and the command that loads the script `$1`.
const SHELLS: &[(&str, &str, &str)] = &[
    ("bash", "meshctl.bash", "source \"$1\" && complete -p meshctl"),
    (
        "zsh",
        "_meshctl",
        "autoload -U compinit && compinit -u -D && source \"$1\" && print $_comps[meshctl]",
    ),
    ("fish", "meshctl.fish", "source $argv[1]; and complete -C 'meshctl ca in'"),
];

/// Every manual page is formatted without a warning, and each shell loads its completions.
pub(super) fn archive(bench: &Bench<'_>) -> Result<(), String> {
    let pages = bench.unpacked.join("man");
    let mut count = 0;
    for page in fs::read_dir(&pages).map_err(|error| at(&pages, &error))?.flatten() {
        let mut man = Command::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(page.path());
        let shown = man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output();
        let shown = shown.map_err(|error| format!("man: {error}"))?;
        expect(shown.status.success() && shown.stderr.is_empty(), || {
            at(&page.path(), &String::from_utf8_lossy(&shown.stderr))
        })?;
        count += 1;
    }
    expect(count > 20, || format!("it has {count} manual pages"))?;
    for (shell, name, line) in SHELLS {
        let script = bench.unpacked.join("completions").join(name);
        let mut load = Command::new(shell);
        load.env("HOME", bench.scratch.path()).args(["-c", line]);
        if *shell != "fish" {
            load.arg(shell);
        }
        let said = output(load.arg(&script))?;
        expect(!said.trim().is_empty(), || format!("{shell} completes nothing after {name}"))?;
    }
    Ok(())
}
