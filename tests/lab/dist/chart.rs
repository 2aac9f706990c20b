//! The Helm chart and the kustomization, as archives.

use std::fs;
use std::path::Path;

use super::archive::{self, Entry};
use super::{Release, at, read};

/// The archives: name, folder in the repository, folder in the archive.
fn archives(release: &Release) -> [(String, &'static str, &'static str); 2] {
    let version = release.version;
    [
        // Helm's own name for it.
        (format!("meshctl-{version}.tgz"), "deploy/chart", "meshctl"),
        (format!("meshctl-{version}-kustomize.tar.gz"), "deploy/kustomize", "kustomize"),
    ]
}

pub(super) fn write(release: &Release) -> Result<(), String> {
    for (name, folder, top) in archives(release) {
        let mut entries = Vec::new();
        files(&release.root.join(folder), top, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        release.put(&name, &archive::gzip(&archive::tar(&entries, release.time)?)?)?;
    }
    Ok(())
}

/// Every file below a folder; a link becomes the file that it leads to.
fn files(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|error| at(folder, &error))? {
        let entry = entry.map_err(|error| at(folder, &error))?;
        let path = entry.path();
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            files(&path, &name, entries)?;
        } else {
            entries.push(Entry::file(name, 0o644, read(&path)?));
        }
    }
    Ok(())
}
