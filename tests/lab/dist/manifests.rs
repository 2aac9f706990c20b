//! How package managers get the archives: a manifest for krew and a formula for Homebrew.

use std::path::PathBuf;

use super::binary::{TARGETS, Target};
use super::{Release, read, sha256, stage};

/// What it is called as a plugin of kubectl.
pub(super) const PLUGIN: &str = "mesh-ca";

/// An archive in `dist/`.
struct Archive {
    target: &'static Target,
    name: String,
    url: String,
    digest: String,
}

/// Writes both, for the archives that are there; `url` is the folder that they will be in.
pub(super) fn write(release: &Release, url: &str) -> Result<(), String> {
    let found = |target: &'static Target| -> Option<(&'static Target, PathBuf)> {
        Some((target, stage::archive_of(release, target.triple)?))
    };
    let mut archives = Vec::new();
    for (target, path) in TARGETS.iter().filter_map(found) {
        let name = stage::archive_name(release, target.triple);
        let (url, digest) = (format!("{url}/{name}"), sha256(&read(&path)?));
        archives.push(Archive { target, name, url, digest });
    }
    if archives.is_empty() {
        return Err(
            "dist/ has no archive; make one first: cargo xtask dist --only archive".to_owned()
        );
    }
    let home = url.split("/releases/").next().unwrap_or(url);
    release.put(&format!("{PLUGIN}.yaml"), krew(release, home, &archives).as_bytes())?;
    release.put("meshctl.rb", formula(release, home, &archives).as_bytes())
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
        let folder = archive.name.trim_end_matches(".tar.gz");
        text += &format!(
            "  - selector:
      matchLabels: {{os: {os}, arch: {arch}}}
    uri: {url}
    sha256: {digest}
    files:
      - {{from: {folder}/meshctl, to: .}}
      - {{from: {folder}/LICENSE, to: .}}
    bin: meshctl
",
            url = archive.url,
            digest = archive.digest
        );
    }
    text
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
