//! What every package contains: the program, its manual pages, its completions, and the licenses.

use std::fs;
use std::path::{Path, PathBuf};

use tests::manual;

use super::archive::{self, Entry};
use super::binary::Target;
use super::{Release, at, read};

/// The folder that the packages are made from; the metadata in crates/meshctl/Cargo.toml names its files.
const FOLDER: &str = "target/dist-stage";
/// Shells, and the name of the completion script of each.
const SHELLS: &[(&str, &str)] = &[
    ("bash", "meshctl.bash"),
    ("elvish", "meshctl.elv"),
    ("fish", "meshctl.fish"),
    ("powershell", "_meshctl.ps1"),
    ("zsh", "_meshctl"),
];
/// Documents of the repository that every archive has.
const DOCUMENTS: &[&str] = &["CHANGELOG.md", "README.md"];
/// Both licenses, which become one file: tools look for `LICENSE`.
const LICENSES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];

/// Every file of a package, also on disk.
pub(super) struct Stage {
    files: Vec<Entry>,
}

impl Stage {
    /// Collects and writes them.
    pub(super) fn new(release: &Release, program: &Path) -> Result<Self, String> {
        let mut files = vec![Entry::file(release.target.program(), 0o755, read(program)?)];
        for name in DOCUMENTS {
            files.push(Entry::file(*name, 0o644, read(&release.root.join(name))?));
        }
        let mut license = b"Licensed under Apache-2.0 or MIT, at your choice.\n".to_vec();
        for name in LICENSES {
            license.extend_from_slice(b"\n");
            license.extend(read(&release.root.join(name))?);
        }
        files.push(Entry::file("LICENSE", 0o644, license));
        for (shell, name) in SHELLS {
            let script = tests::command::run(&["completions", shell]);
            if script.exit != 0 {
                return Err(format!("completions {shell}: {}", script.err));
            }
            let path = format!("completions/{name}");
            files.push(Entry::file(path, 0o644, script.out.into_bytes()));
        }
        for (name, page) in manual::pages() {
            files.push(Entry::file(format!("man/{name}"), 0o644, page.into_bytes()));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let stage = Self { files };
        stage.write(&release.root.join(FOLDER))?;
        Ok(stage)
    }

    fn write(&self, folder: &Path) -> Result<(), String> {
        // A page of a command that no longer exists would be packed too.
        let _ = fs::remove_dir_all(folder);
        for file in &self.files {
            let path = folder.join(&file.path);
            let made = fs::create_dir_all(path.parent().unwrap_or(folder));
            made.and_then(|()| fs::write(&path, file.bytes.as_deref().unwrap_or_default()))
                .map_err(|error| at(&path, &error))?;
        }
        Ok(())
    }

    /// `meshctl-VERSION-TRIPLE.tar.gz`, or `.zip`, with one folder of that name.
    pub(super) fn archive(self, release: &Release) -> Result<(), String> {
        let top = archive_folder(release, release.target);
        let inside = |file: Entry| Entry { path: format!("{top}/{}", file.path), ..file };
        let entries: Vec<Entry> = self.files.into_iter().map(inside).collect();
        let bytes = match release.target.os {
            "windows" => archive::zip(&entries, release.time)?,
            _ => archive::gzip(&archive::tar(&entries, release.time)?)?,
        };
        release.put(&archive_name(release, release.target), &bytes)
    }
}

/// The only folder in the archive for a machine.
pub(super) fn archive_folder(release: &Release, target: &Target) -> String {
    format!("meshctl-{}-{}", release.version, target.triple)
}

/// The name of the archive for a machine.
pub(super) fn archive_name(release: &Release, target: &Target) -> String {
    archive_folder(release, target) + target.archive()
}

/// The archive for a machine, if it has been made.
pub(super) fn archive_of(release: &Release, target: &Target) -> Option<PathBuf> {
    let path = release.dist.join(archive_name(release, target));
    path.is_file().then_some(path)
}
