//! Modes, `flock`, `renameat2` and `fsync`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Result};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{Access, Openness};

/// Creates a file where none is.
pub(crate) fn create_file(path: &Path, access: Access) -> Result<File> {
    let mode = if access == Access::Owner { 0o600 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Creates a file where none is, to replace another: whoever could read that one can read this one.
pub(crate) fn create_file_like(path: &Path, other: &Metadata) -> Result<File> {
    let mode = other.permissions().mode() & 0o777;
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Creates a folder where none is.
pub(crate) fn create_folder(path: &Path, access: Access) -> Result<()> {
    folder(access).create(path)
}

/// Creates a folder and those around it, as far as they do not exist.
pub(crate) fn create_folders(path: &Path, access: Access) -> Result<()> {
    folder(access).recursive(true).create(path)
}

fn folder(access: Access) -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(if access == Access::Owner { 0o700 } else { 0o777 });
    builder
}

/// Leaves a file or a folder to its owner alone.
pub(crate) fn keep_private(path: &Path) -> Result<()> {
    let mode = if fs::metadata(path)?.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Whether others than the owner may read the file.
pub(crate) fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0)
}

/// Whether a user other than the present one and root could put files into a folder.
pub(crate) fn openness(dir: &Path) -> Option<Openness> {
    let meta = fs::metadata(dir).ok().filter(Metadata::is_dir)?;
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 {
        return Some(Openness::Owner(meta.uid()));
    }
    (meta.permissions().mode() & 0o022 != 0).then_some(Openness::Writable)
}

/// The command that leaves a file to its owner alone.
pub(crate) fn keep_file_private_command(word: &str) -> String {
    format!("chmod 600 {word}")
}

/// The command that leaves a folder and all in it to their owner alone.
pub(crate) fn keep_all_private_command(word: &str) -> String {
    format!("chmod -R go= {word}")
}

/// The command after which only the owner puts files into a folder.
pub(crate) fn close_folder_command(word: &str) -> String {
    format!("chmod go-w {word}")
}

/// A folder that no other run uses, as long as this exists.
#[derive(Clone)]
pub(crate) struct FolderLock(Arc<File>);

impl FolderLock {
    /// Whether the lock is a file in the folder, which cannot be removed as long as the lock exists.
    pub(crate) const IS_INSIDE: bool = false;

    /// Locks a folder; `None` if another run has it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where it does not exist, or was removed meanwhile.
    pub(crate) fn take(dir: &Path) -> Result<Option<Self>> {
        let file = File::open(dir)?;
        match file.try_lock() {
            Ok(()) if is_same(&file, dir) => Ok(Some(Self(Arc::new(file)))),
            Ok(()) => Err(ErrorKind::NotFound.into()),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits until everything in the folder's file system is on the disk; `false` where the system cannot. What could not
    /// be written since the folder was locked is an error.
    #[cfg(target_os = "linux")]
    pub(crate) fn sync_file_system(&self) -> Result<bool> {
        rustix::fs::syncfs(&*self.0)?;
        Ok(true)
    }

    /// Waits until everything in the folder's file system is on the disk; `false` where the system cannot.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn sync_file_system(&self) -> Result<bool> {
        let _ = &self.0;
        Ok(false)
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    let of_file = file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    of_file.is_some() && of_file == fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok()
}

/// Exchanges two folders in one step; `false` if the file system or the kernel cannot, and plain renames may still
/// work: `EINVAL` without the flag (NFS, FUSE), `ENOSYS` and `EPERM` without the call (seccomp), `EXDEV` where a folder
/// is in an overlay's lower layer (`Documentation/filesystems/overlayfs.rst`, "Renaming directories").
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<bool> {
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::XDEV | Errno::OPNOTSUPP | Errno::PERM) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Renames without replacing.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`].
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Err(ErrorKind::AlreadyExists.into()),
        // A file system without that flag (NFS), or no such call: the folder is locked, so looking first is enough.
        Err(Errno::INVAL | Errno::NOSYS | Errno::PERM) if to.symlink_metadata().is_err() => {
            fs::rename(from, to)
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives a public file the readers of its folder, after it was moved from a private one; on Unix it has kept its mode.
pub(crate) const fn open_as_folder(_path: &Path) {}

/// Copies a link, not what it points to.
pub(crate) fn copy_link(from: &Path, to: &Path) -> Result<()> {
    std::os::unix::fs::symlink(fs::read_link(from)?, to)
}

/// Waits until a file is on the disk.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    // The parent of a plain name.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Gives a folder the present time as that of its last change.
pub(crate) fn touch_folder(path: &Path) -> Result<()> {
    File::open(path)?.set_modified(std::time::SystemTime::now())
}

/// What comes after a prefix, if it has that and more.
pub(crate) fn after(prefix: &str, text: &OsStr) -> Option<OsString> {
    let rest = text.as_bytes().strip_prefix(prefix.as_bytes()).filter(|rest| !rest.is_empty())?;
    Some(OsString::from_vec(rest.to_vec()))
}

/// From here on a crash writes no memory, hence no key, to a core file.
pub(crate) fn forbid_core_files() {
    // Where the limit cannot be set there is nothing to be done about it.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // The limit does not hold where core files go through a pipe; this does.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
