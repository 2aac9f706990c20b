//! The clusters' folders on disk: which folder is a cluster's, and its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshconfig::Mesh;
use meshpki::cacerts::{Layout, Secret};
use meshpki::istiod::Version;

use crate::authority::{has_root_key, open_workspace};
use crate::failure::Failure;
use crate::files::{self, Wait};
use crate::io::Io;
use crate::text;

/// Files of which one makes a folder a cluster's. A CA's own folder has its roots and none of these.
fn marks() -> impl Iterator<Item = &'static str> {
    let is_roots = |file: &&str| Layout::ALL.iter().any(|layout| layout.roots_file() == *file);
    Layout::all_files().filter(move |file| !is_roots(file))
}

/// A cluster's folder.
pub(crate) struct Folder {
    /// Its name; its path if another folder has the same name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its files.
    pub(crate) secret: Secret,
}

impl Folder {
    /// Whether the folder above has the key that signs the CA of this one.
    pub(crate) fn has_root_key(&self, version: Version) -> bool {
        let above = self.path.parent().filter(|above| !above.as_os_str().is_empty());
        has_root_key(above.unwrap_or(Path::new(".")), self.secret.ca(version).as_ref())
    }
}

/// The folders of the clusters in these, of the spec's if there is one; those with one name are told apart by their
/// paths.
///
/// # Errors
/// `ctl/two-folders` if a cluster of the spec has two.
pub(crate) fn of_mesh(
    dirs: &[PathBuf],
    mesh: Option<&Mesh>,
    io: &mut Io<'_>,
) -> Result<Vec<Folder>, Failure> {
    let mut folders: Vec<Folder> = Vec::new();
    for folder in
        dirs.iter().map(|dir| collect(dir)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        if let Some(mesh) = mesh {
            if mesh.cluster(&folder.name).is_none() {
                let path = text::safe(&folder.path.display().to_string());
                io.note(format_args!("left out {path}: its cluster is not in the spec"));
                continue;
            }
            if let Some(twin) = folders.iter().find(|known| known.name == folder.name) {
                return Err(two_folders(&folder.name, &twin.path, &folder.path));
            }
        }
        folders.push(folder);
    }
    tell_apart(&mut folders);
    Ok(folders)
}

/// A cluster of the spec has two folders.
pub(crate) fn two_folders(name: &str, one: &Path, other: &Path) -> Failure {
    Failure::new("ctl/two-folders", format!("cluster `{name}` has two folders"))
        .in_file(one)
        .in_file(other)
        .hint("name only the folder from which it is pushed")
}

/// The clusters of the spec that have no folder, each with that as an error.
pub(crate) fn absent(mesh: Option<&Mesh>, folders: &[Folder]) -> Vec<(String, Failure)> {
    let has_folder = |name: &str| folders.iter().any(|folder| folder.name == name);
    let absent = mesh.into_iter().flat_map(Mesh::clusters).filter(|one| !has_folder(&one.name));
    let absent = absent.map(|cluster| {
        let message = format!("cluster `{}` of the spec has no folder", cluster.name);
        let failure =
            Failure::new("ctl/no-cluster", message).hint("name the folder of its CA, too");
        (cluster.name.clone(), failure)
    });
    absent.collect()
}

/// The files of every cluster's folder in `dir` by the cluster's name, or of `dir` itself.
pub(crate) fn secrets(dir: &Path) -> Result<BTreeMap<String, Secret>, Failure> {
    Ok(collect(dir)?.into_iter().map(|folder| (folder.name, folder.secret)).collect())
}

/// The cluster whose folder this is, or those in it.
pub(crate) fn collect(dir: &Path) -> Result<Vec<Folder>, Failure> {
    refuse_interrupted(dir)?;
    let full = dir.canonicalize().map_err(|error| Failure::io("read", dir, &error))?;
    let own = full.file_name().map_or_else(|| "/".to_owned(), |n| n.to_string_lossy().into_owned());
    let mut folders: Vec<Folder> = read(own, dir)?.into_iter().collect();
    for (name, path) in files::folders(dir)? {
        folders.extend(read(name, &path)?);
    }
    if folders.is_empty() {
        return Err(Failure::new(
            "ctl/no-cluster",
            format!("neither `{}` nor any folder in it contains a cluster's files", dir.display()),
        )
        .because(format!(
            "a cluster's folder contains at least one of {}",
            marks().collect::<Vec<_>>().join(", ")
        ))
        .hint(format!("`meshctl ca init {} --cluster NAME` creates one", dir.display())));
    }
    Ok(folders)
}

/// The folder, if it looks like a cluster's.
fn read(name: String, path: &Path) -> Result<Option<Folder>, Failure> {
    if !marks().any(|mark| path.join(mark).exists()) {
        return Ok(None);
    }
    Ok(Some(Folder { name, path: path.to_path_buf(), secret: secret_in(path)? }))
}

/// Every file of one folder.
pub(crate) fn secret_in(folder: &Path) -> Result<Secret, Failure> {
    let files = files::read_all(folder)?.into_iter();
    Ok(files.map(|(name, mut content)| (name, std::mem::take(&mut *content))).collect())
}

/// Refuses a folder in which a renewal was interrupted between its steps.
pub(crate) fn refuse_interrupted(dir: &Path) -> Result<(), Failure> {
    let Some(name) = files::interrupted_exchange(dir) else { return Ok(()) };
    let message = format!("an interrupted renewal of `{name}` has not been finished");
    Err(Failure::new("ctl/leftovers", message)
        .in_file(dir)
        .hint(format!("`meshctl ca init {}` finishes it", text::word(dir))))
}

/// Finishes such a renewal; refuses the folder if nothing may be written.
///
/// # Errors
/// `ctl/leftovers`, `ctl/busy`, `ctl/io`.
pub(crate) fn finish_interrupted(
    dir: &Path,
    wait: Wait,
    may_write: bool,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    if !may_write {
        return refuse_interrupted(dir);
    }
    match files::interrupted_exchange(dir) {
        Some(_) => open_workspace(dir, wait, io)?.finish(),
        None => Ok(()),
    }
}

/// Names folders that share a name by their paths.
pub(crate) fn tell_apart(folders: &mut [Folder]) {
    let names: Vec<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    for folder in folders {
        if names.iter().filter(|name| **name == folder.name).count() > 1 {
            folder.name = folder.path.display().to_string();
        }
    }
}
