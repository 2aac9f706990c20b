//! Secret and ConfigMap volumes, written as the kubelet does (`pkg/volume/util/atomic_writer.go`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Container, KeyToPath, Pod, Secret, Volume};
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};

/// Files of a volume by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A volume of a container, and where it is mounted.
pub(super) struct Mount {
    folder: PathBuf,
    source: Source,
}

enum Source {
    Secret { name: String, optional: bool, items: Option<Vec<KeyToPath>> },
    ConfigMap { name: String, optional: bool, items: Option<Vec<KeyToPath>> },
    Empty,
}

/// The mounts of a container below `root`. Projected volumes stay empty.
pub(super) fn mounts(pod: &Pod, container: &Container, root: &Path) -> Vec<Mount> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mounts = container.volume_mounts.iter().flatten();
    let mounts = mounts.filter_map(|mount| {
        let volume = volumes.iter().find(|volume| volume.name == mount.name)?;
        let folder = root.join(mount.mount_path.trim_start_matches('/'));
        Some(Mount { folder, source: source(volume) })
    });
    mounts.collect()
}

fn source(volume: &Volume) -> Source {
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.clone().unwrap_or_default();
        let optional = secret.optional.unwrap_or(false);
        return Source::Secret { name, optional, items: secret.items.clone() };
    }
    if let Some(map) = &volume.config_map {
        let optional = map.optional.unwrap_or(false);
        return Source::ConfigMap { name: map.name.clone(), optional, items: map.items.clone() };
    }
    Source::Empty
}

impl Mount {
    /// Makes the volume hold what the cluster holds now.
    ///
    /// # Errors
    /// Why it cannot be mounted, as the kubelet's event says it.
    pub(super) async fn sync(&self, client: &Client, namespace: &str) -> Result<(), String> {
        let (kind, name, optional, items, data) = match &self.source {
            Source::Empty => return fs::create_dir_all(&self.folder).map_err(|e| e.to_string()),
            Source::Secret { name, optional, items } => {
                let api = Api::<Secret>::namespaced(client.clone(), namespace);
                ("secret", name, *optional, items, api.get_opt(name).await.map(|o| o.map(secret)))
            }
            Source::ConfigMap { name, optional, items } => {
                let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
                ("configmap", name, *optional, items, api.get_opt(name).await.map(|o| o.map(map)))
            }
        };
        let files = match data.map_err(|error| error.to_string())? {
            Some(files) => select(files, items.as_deref()),
            None if optional => Files::new(),
            None => return Err(format!("MountVolume.SetUp failed: {kind} \"{name}\" not found")),
        };
        project(&self.folder, &files).map(|_| ()).map_err(|error| error.to_string())
    }
}

fn secret(secret: Secret) -> Files {
    secret.data.into_iter().flatten().map(|(key, value)| (key, value.0)).collect()
}

fn map(map: ConfigMap) -> Files {
    let text = map.data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()));
    text.chain(map.binary_data.into_iter().flatten().map(|(key, value)| (key, value.0))).collect()
}

fn select(mut files: Files, items: Option<&[KeyToPath]>) -> Files {
    let Some(items) = items else { return files };
    items.iter().filter_map(|item| Some((item.path.clone(), files.remove(&item.key)?))).collect()
}

/// Swaps the content of a volume in one step; whether anything changed.
///
/// # Errors
/// Of the file system.
pub fn project(folder: &Path, files: &Files) -> io::Result<bool> {
    fs::create_dir_all(folder)?;
    let data = folder.join("..data");
    let old = fs::read_link(&data).ok();
    if old.is_some() && read(&data)? == *files {
        return Ok(false);
    }
    let new = write_new(folder, files)?;
    for name in files.keys().filter(|name| fs::symlink_metadata(folder.join(name)).is_err()) {
        symlink(Path::new("..data").join(name), folder.join(name))?;
    }
    let swap = folder.join("..data_tmp");
    symlink(new.file_name().unwrap_or_default(), &swap)?;
    fs::rename(&swap, &data)?;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !files.contains_key(&name) {
            fs::remove_file(folder.join(name))?;
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(folder.join(old))?;
    }
    Ok(true)
}

/// A new timestamped folder with the files.
fn write_new(folder: &Path, files: &Files) -> io::Result<PathBuf> {
    let prefix = Timestamp::now().strftime("..%Y_%m_%d_%H_%M_%S.").to_string();
    let new = tempfile::Builder::new().prefix(&prefix).tempdir_in(folder)?.keep();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
    for (name, content) in files {
        fs::write(new.join(name), content)?;
        fs::set_permissions(new.join(name), fs::Permissions::from_mode(0o644))?;
    }
    Ok(new)
}

fn read(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}
