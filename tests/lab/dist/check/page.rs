//! The commands of docs/install.md, as written, on the artifacts of `dist/`.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::super::{at, output, read};
use super::{Bench, expect};

/// Commands that need a cluster; `tests/it/deploy.rs` runs them.
const OF_CLUSTERS: &str = "kubectl ";

pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let page = bench.release.root.join("docs/install.md");
    let text = String::from_utf8(read(&page)?).map_err(|error| at(&page, &error))?;
    let bin = bench.folder("page/bin")?;
    let helm = bin.join("helm");
    symlink(bench.built.path("helm"), &helm).map_err(|error| at(&helm, &error))?;
    let downloads = bench.folder("page/downloads")?;
    for name in bench.release.artifacts()?.iter().map(String::as_str).chain(["SHA256SUMS"]) {
        let link = downloads.join(name);
        symlink(bench.release.dist.join(name), &link).map_err(|error| at(&link, &error))?;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let here = bin.display();
    let registry = format!("oci:{}/registry", bench.scratch.path().display());
    let mut count = 0;
    for block in text.split("```sh example\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        if block.starts_with(OF_CLUSTERS) {
            continue;
        }
        // What the reader replaces; and what would change this machine or needs a server.
        let script = block
            .replace("docker://REGISTRY/meshctl", &registry)
            .replace("helm install", "helm template")
            .replace("/usr/local/bin/", &format!("{here}/"))
            .replace("VERSION", bench.release.version)
            .replace("DIGEST", &"0".repeat(64));
        let mut bash = Command::new("bash");
        bash.args(["-e", "-c", &script]).current_dir(&downloads);
        bash.env("PATH", format!("{here}:{path}")).env("HOME", bench.scratch.path());
        output(&mut bash).map_err(|why| format!("{}: {block}: {why}", page.display()))?;
        count += 1;
    }
    expect(count == 4 && bin.join("meshctl").is_file(), || format!("{count} blocks have run"))
}
