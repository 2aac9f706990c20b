//! `meshctl mesh render`: resources as one stream, or as a folder per cluster.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use meshconfig::address::Addresses;
use meshconfig::mesh::MeshCluster;
use meshconfig::{Mesh, render};

use crate::args::mesh::Render;
use crate::authority::open_workspace;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Wait};
use crate::io::Io;
use crate::spec;
use crate::spec::lock;

/// Lists the files a run wrote, so that the next one removes no other.
const INDEX: &str = ".meshctl-files";

/// Runs the command.
pub(super) fn run(args: &Render, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh(&args.source.resolved(), io)?;
    let clusters = clusters(&mesh, &args.cluster)?;
    let addresses = lock::update(&mesh, &args.lock.resolved(), &args.source.resolved(), io)?;
    match &args.output {
        Some(dir) => folders(
            &mesh,
            &clusters,
            &addresses,
            dir,
            args.cluster.is_empty(),
            args.wait.resolved(),
            io,
        )?,
        None => stream(&mesh, &clusters, &addresses, io)?,
    }
    Ok(Exit::Good)
}

fn clusters<'m>(mesh: &'m Mesh, names: &[String]) -> Result<Vec<&'m MeshCluster>, Failure> {
    if names.is_empty() {
        return Ok(mesh.clusters().iter().collect());
    }
    names.iter().map(|name| cluster(mesh, name)).collect()
}

/// A cluster of the spec.
pub(super) fn cluster<'m>(mesh: &'m Mesh, name: &str) -> Result<&'m MeshCluster, Failure> {
    spec::cluster(mesh, name)
}

/// One document after the other, a cluster at a time.
fn stream(
    mesh: &Mesh,
    clusters: &[&MeshCluster],
    addresses: &Addresses,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    for cluster in clusters {
        let mut text = String::new();
        if clusters.len() > 1 {
            text = format!("# cluster {}\n", cluster.name);
        }
        for resource in render(mesh, cluster, addresses) {
            text += "---\n";
            text += &resource.yaml();
        }
        io.print(&text)?;
    }
    Ok(())
}

/// The files of one cluster: one for each service, and one for what all share.
fn files_of(
    mesh: &Mesh,
    cluster: &MeshCluster,
    addresses: &Addresses,
) -> BTreeMap<PathBuf, String> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for resource in render(mesh, cluster, addresses) {
        let name = resource
            .service
            .as_ref()
            .map_or_else(|| "gateway.yaml".into(), |key| key.replace('/', ".") + ".yaml");
        let text = files.entry(Path::new(&cluster.name).join(name)).or_default();
        *text += "---\n";
        *text += &resource.yaml();
    }
    files
}

/// Counts of files.
#[derive(Default)]
struct Count {
    written: usize,
    unchanged: usize,
    removed: usize,
}

/// Writes the folders: every file is written next to its place first, then moved there.
fn folders(
    mesh: &Mesh,
    clusters: &[&MeshCluster],
    addresses: &Addresses,
    dir: &Path,
    all: bool,
    wait: Wait,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let mut workspace = open_workspace(dir, wait, io)?;
    let before = earlier(dir)?;
    let mut now: Vec<PathBuf> = Vec::new();
    let mut changed: Vec<PathBuf> = Vec::new();
    let mut count = Count::default();
    for cluster in clusters {
        for (path, text) in files_of(mesh, cluster, addresses) {
            now.push(path.clone());
            match files::read_optional(&dir.join(&path))? {
                Some(there) if there.as_slice() == text.as_bytes() => count.unchanged += 1,
                Some(_) if !before.contains(&path) || !files::is_rendered(&dir.join(&path))? => {
                    return Err(foreign(&dir.join(&path)));
                }
                _ => {
                    workspace.stage(&path, text.as_bytes(), false)?;
                    changed.push(path);
                }
            }
        }
    }
    let of_others =
        |path: &&PathBuf| !all && !clusters.iter().any(|cluster| path.starts_with(&cluster.name));
    now.extend(before.iter().filter(of_others).cloned());
    now.sort();
    let gone: Vec<PathBuf> =
        before.into_iter().filter(|path| now.binary_search(path).is_err()).collect();
    for path in gone.iter().map(|path| dir.join(path)) {
        if path.symlink_metadata().is_ok() && !files::is_rendered(&path)? {
            return Err(foreign(&path));
        }
    }
    let new_index: String = now.iter().map(|path| line(path)).collect();
    workspace.stage(Path::new(INDEX), new_index.as_bytes(), false)?;
    workspace.sync()?;
    for path in &changed {
        workspace.replace(path)?;
        count.written += 1;
    }
    for path in &gone {
        count.removed += usize::from(files::remove(dir, path)?);
    }
    workspace.replace(Path::new(INDEX))?;
    workspace.finish()?;
    let text = format!(
        "{}: {} written, {} unchanged, {} removed\n",
        dir.display(),
        count.written,
        count.unchanged,
        count.removed
    );
    io.print(&text)
}

/// A path in the index, the same on every system.
fn line(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(OsStr::to_string_lossy).collect();
    parts.join("/") + "\n"
}

/// The files that earlier runs wrote, according to the index; an index that meshctl did not write is left unchanged.
fn earlier(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let path = dir.join(INDEX);
    let Some(bytes) = files::read_optional(&path)? else { return Ok(Vec::new()) };
    let text = std::str::from_utf8(&bytes).unwrap_or("\0");
    let before: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    if path.is_symlink() || !before.iter().all(|path| is_inside(path)) {
        return Err(foreign(&path));
    }
    Ok(before)
}

/// Whether a path of the index stays inside the folder.
fn is_inside(path: &Path) -> bool {
    path.components().count() == 2
        && path.extension().is_some_and(|extension| extension == "yaml")
        && path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn foreign(path: &Path) -> Failure {
    Failure::new(
        "ctl/exists",
        format!("`{}` already exists and was not written by an earlier run", path.display()),
    )
    .hint("choose another folder, or move the file away")
}
