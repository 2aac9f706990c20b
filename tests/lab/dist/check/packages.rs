//! dpkg and rpm install into a root folder of their own, without a script or a dependency.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::{at, output};
use super::{Bench, expect, runs_in};

/// What a package installs, besides its manual pages.
const FILES: &[&str] = &["/usr/bin/meshctl", "/usr/share/man/man1/meshctl-push.1"];

pub(super) fn deb(bench: &Bench<'_>) -> Result<(), String> {
    let package = bench.artifact(&format!("_{}.deb", bench.release.target.arch))?;
    let root = bench.folder("deb")?;
    for folder in ["info", "updates"] {
        let folder = root.join("var/lib/dpkg").join(folder);
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
    }
    for file in ["status", "available"] {
        let file = root.join("var/lib/dpkg").join(file);
        fs::write(&file, "").map_err(|error| at(&file, &error))?;
    }
    // For this machine or another.
    let install = ["--force-architecture", "--install"];
    output(Command::new("dpkg").arg("--root").arg(&root).args(install).arg(&package))?;
    let field = |name: &str| {
        output(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name))
            .map(|text| text.trim().to_owned())
    };
    for (name, value) in [("Architecture", bench.release.target.arch), ("Depends", "")] {
        let has = field(name)?;
        expect(has == value, || format!("{name} is `{has}`, expected `{value}`"))?;
    }
    installed(bench, &root, ".gz")
}

pub(super) fn rpm(bench: &Bench<'_>) -> Result<(), String> {
    let package = bench.artifact(&format!(".{}.rpm", bench.release.target.processor()))?;
    let root = bench.folder("rpm")?;
    let rpm = |args: &[&str]| {
        let mut command = Command::new("rpm");
        command.arg("--root").arg(&root).args(args).arg(&package);
        output(&mut command)
    };
    let said = rpm(&["--checksig", "--nosignature"])?;
    expect(said.contains("digests OK"), || said)?;
    let asks = rpm(&["--query", "--requires", "--package"])?;
    let other = asks.lines().find(|line| !line.starts_with("rpmlib("));
    expect(other.is_none(), || format!("it needs {asks}"))?;
    rpm(&["--install", "--noscripts", "--ignorearch"])?;
    installed(bench, &root, "")
}

/// The files are there, and the program runs.
fn installed(bench: &Bench<'_>, root: &Path, ending: &str) -> Result<(), String> {
    for file in FILES {
        let ending = if file.contains("/man/") { ending } else { "" };
        let path = root.join(format!("{}{ending}", file.trim_start_matches('/')));
        expect(path.is_file(), || format!("it does not install {file}{ending}"))?;
    }
    runs_in(root, bench.release)
}
