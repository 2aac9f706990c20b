//! How package managers get the archives: manifests for krew and Scoop, and a formula for Homebrew.

use std::path::PathBuf;

use serde_json::json;

use super::binary::{TARGETS, Target};
use super::{Release, read, sha256, stage};

/// What it is called as a plugin of kubectl.
pub(super) const PLUGIN: &str = "mesh-ca";
/// The manifest for Scoop.
pub(super) const SCOOP: &str = "meshctl.json";

/// An archive in `dist/`.
struct Archive {
    target: &'static Target,
    url: String,
    digest: String,
}

/// Writes all of them, for the archives that are there; `url` is the folder that they will be in.
pub(super) fn write(release: &Release, url: &str) -> Result<(), String> {
    let found = |target: &'static Target| -> Option<(&'static Target, PathBuf)> {
        Some((target, stage::archive_of(release, target)?))
    };
    let mut archives = Vec::new();
    for (target, path) in TARGETS.iter().filter_map(found) {
        let name = stage::archive_name(release, target);
        let (url, digest) = (format!("{url}/{name}"), sha256(&read(&path)?));
        archives.push(Archive { target, url, digest });
    }
    if archives.is_empty() {
        return Err(
            "dist/ has no archive; make one first: cargo xtask dist --only archive".to_owned()
        );
    }
    let home = url.split("/releases/").next().unwrap_or(url);
    release.put(&format!("{PLUGIN}.yaml"), krew(release, home, &archives).as_bytes())?;
    release.put("meshctl.rb", formula(release, home, &archives).as_bytes())?;
    match archives.iter().find(|archive| archive.target.os == "windows") {
        Some(archive) => release.put(SCOOP, scoop(release, home, archive).as_bytes()),
        None => Ok(()),
    }
}

fn krew(release: &Release, home: &str, archives: &[Archive]) -> String {
    let mut text = format!(
        "apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: {PLUGIN}
spec:
  version: v{version}
  homepage: {home}
  shortDescription: Manage the CA certificates of an Istio mesh
  description: |
    Creates the root and the intermediate CAs of an Istio mesh on many clusters, predicts what istiod will do with them,
    installs them, verifies that every cluster really uses them, and renews them.
  platforms:
",
        version = release.version
    );
    for archive in archives {
        let Target { os, arch, .. } = archive.target;
        let folder = stage::archive_folder(release, archive.target);
        let program = archive.target.program();
        text += &format!(
            "  - selector:
      matchLabels: {{os: {os}, arch: {arch}}}
    uri: {url}
    sha256: {digest}
    files:
      - {{from: {folder}/{program}, to: .}}
      - {{from: {folder}/LICENSE, to: .}}
    bin: {program}
",
            url = archive.url,
            digest = archive.digest
        );
    }
    text
}

fn scoop(release: &Release, home: &str, archive: &Archive) -> String {
    let manifest = json!({
        "version": release.version,
        "description": "CA certificates for Istio on many clusters",
        "homepage": home,
        "license": "Apache-2.0|MIT",
        "architecture": {"64bit": {
            "url": archive.url,
            "hash": archive.digest,
            "extract_dir": stage::archive_folder(release, archive.target),
        }},
        "bin": archive.target.program(),
    });
    format!("{manifest:#}\n")
}

fn formula(release: &Release, home: &str, archives: &[Archive]) -> String {
    let mut text = format!(
        "class Meshctl < Formula
  desc \"CA certificates for Istio on many clusters\"
  homepage \"{home}\"
  version \"{version}\"
  license any_of: [\"Apache-2.0\", \"MIT\"]
",
        version = release.version
    );
    for (os, block) in [("darwin", "macos"), ("linux", "linux")] {
        let mut inside = String::new();
        for archive in archives.iter().filter(|archive| archive.target.os == os) {
            let processor = if archive.target.arch == "arm64" { "arm" } else { "intel" };
            inside += &format!(
                "    on_{processor} do
      url \"{}\"
      sha256 \"{}\"
    end
",
                archive.url, archive.digest
            );
        }
        if !inside.is_empty() {
            text += &format!("\n  on_{block} do\n{inside}  end\n");
        }
    }
    text + "
  def install
    bin.install \"meshctl\"
    man1.install Dir[\"man/*.1\"]
    bash_completion.install \"completions/meshctl.bash\" => \"meshctl\"
    zsh_completion.install \"completions/_meshctl\"
    fish_completion.install \"completions/meshctl.fish\"
  end

  test do
    assert_match version.to_s, shell_output(\"#{bin}/meshctl --version\")
  end
end
"
}
