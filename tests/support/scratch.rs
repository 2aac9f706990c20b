//! A folder that is removed after the test, and its content: text, mode and time of every file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A scratch folder, removed when dropped.
pub struct Scratch(tempfile::TempDir);

/// A file or folder on disk. Folders have no content, and their time is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Content of a file.
    pub content: Option<Vec<u8>>,
    /// Last change of a file, seconds and nanoseconds.
    pub changed: (i64, i64),
}

impl Scratch {
    /// A new empty folder.
    #[allow(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("meshctl-").tempdir().expect("a scratch folder"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path inside it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Reads a file as text.
    pub fn read(&self, name: &str) -> String {
        let path = self.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Writes a file (0644), making the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
    }

    /// Writes a file that only its owner can read, like a key.
    pub fn write_key(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write(name, content);
        fs::set_permissions(self.join(name), fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// Everything below `name`, by its path relative to it.
    pub fn entries(&self, name: &str) -> BTreeMap<String, Entry> {
        let mut entries = BTreeMap::new();
        collect(&self.join(name), "", &mut entries);
        entries
    }

    /// `MODE PATH` of everything below `name`, as in `ls -l`.
    pub fn modes(&self, name: &str) -> String {
        let lines = self.entries(name).into_iter();
        lines.map(|(path, entry)| format!("{:04o} {path}\n", entry.mode)).collect()
    }
}

fn collect(folder: &Path, prefix: &str, entries: &mut BTreeMap<String, Entry>) {
    let Ok(listing) = fs::read_dir(folder) else { return };
    for item in listing.flatten() {
        let meta = item.metadata().expect("metadata");
        let name = format!("{prefix}{}", item.file_name().to_string_lossy());
        let is_dir = meta.is_dir();
        let entry = Entry {
            mode: meta.permissions().mode() & 0o7777,
            content: (!is_dir).then(|| fs::read(item.path()).expect("a file")),
            changed: if is_dir { (0, 0) } else { (meta.mtime(), meta.mtime_nsec()) },
        };
        if is_dir {
            collect(&item.path(), &format!("{name}/"), entries);
        }
        entries.insert(if is_dir { name + "/" } else { name }, entry);
    }
}
