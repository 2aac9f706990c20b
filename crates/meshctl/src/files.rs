//! Files on disk: read with their path in errors; written beside and moved into place; keys 0600 and never overwritten.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags};
use zeroize::Zeroizing;

use crate::report::Failure;

mod kept;

pub use kept::{Kept, kept};

/// A file larger than this is no certificate, key or configuration.
const MAX_BYTES: u64 = 64 << 20;
/// Where files are made before they are moved into place.
const STAGING: &str = ".meshctl-staging";
/// Where sets that were replaced are kept.
pub const PREVIOUS: &str = "previous";
/// Files synced at the same time: the file system writes them in one go.
const SYNC_THREADS: usize = 16;
/// With more files than this, one sync of the whole file system is faster.
const SYNC_SINGLY_MAX: usize = 64;

/// A file's name and content.
pub type Named = (String, Zeroizing<Vec<u8>>);

/// Reads a file; `-` is standard input.
///
/// # Errors
/// `ctl/io`, naming the file.
pub fn read(path: &Path, stdin: &mut dyn std::io::BufRead) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let done = if path == Path::new("-") {
        stdin.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| {
            // In one piece: what a growing buffer leaves behind may be a key, and is not zeroized.
            let length = file.metadata()?.len().min(MAX_BYTES);
            bytes.reserve_exact(usize::try_from(length).unwrap_or(0) + 32);
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
        })
    };
    done.map_err(|error| Failure::io("read", path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::new("ctl/io", format!("`{}` is larger than 64 MiB", path.display())));
    }
    Ok(bytes)
}

/// Reads a file of a folder that may not be there. A pipe or a device has no place there, and reading it
/// could wait for ever.
///
/// # Errors
/// `ctl/io` for anything but its absence.
pub fn read_optional(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let message = format!("`{}` is a pipe or a device, and no file", path.display());
        return Err(Failure::new("ctl/io", message));
    }
    read(path, &mut std::io::empty()).map(Some)
}

/// The regular files of a folder by name, hidden ones left out; links are followed, as a mounted secret is made of them.
///
/// # Errors
/// `ctl/io`, naming the folder or the file.
pub fn read_all(dir: &Path) -> Result<Vec<Named>, Failure> {
    let mut contents = Vec::new();
    for (name, path) in entries(dir)? {
        if path.is_file() {
            contents.push((name, read(&path, &mut std::io::empty())?));
        }
    }
    Ok(contents)
}

/// The folders in a folder by name, without hidden ones and `previous`.
///
/// # Errors
/// `ctl/io`, naming the folder.
pub fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut all = entries(dir)?;
    all.retain(|(name, path)| path.is_dir() && name != PREVIOUS);
    Ok(all)
}

/// What is in a folder and not hidden, sorted by name.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let fail = |error: std::io::Error| Failure::io("read", dir, &error);
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            all.push((name, entry.path()));
        }
    }
    all.sort();
    Ok(all)
}

/// Whether others than the owner may read the file.
pub fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0)
}

/// A folder that is being changed: locked against other runs, with a staging folder inside, so that
/// what is not finished is never seen under its own name.
pub struct Workspace {
    dir: PathBuf,
    lock: File,
    staged: Vec<PathBuf>,
    created_dir: bool,
    /// An old set lies in the staging folder, which must not be cleared then.
    holds_old_set: bool,
}

impl Workspace {
    /// Makes the folder where it is missing (0700), locks it, and clears what an interrupted run left:
    /// complete sets go to `previous/` and are returned, the rest is removed.
    ///
    /// # Errors
    /// `ctl/busy` when another run holds the lock, `ctl/io`.
    pub fn open(dir: &Path) -> Result<(Self, Vec<PathBuf>), Failure> {
        let fail = |error: std::io::Error| Failure::io("write to", dir, &error);
        let created_dir = !dir.exists();
        if !created_dir && !dir.is_dir() {
            let message = format!("`{}` is no folder", dir.display());
            return Err(Failure::new("ctl/io", message).hint("choose another place"));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
        let lock = File::open(dir).map_err(fail)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Failure::new(
                    "ctl/busy",
                    format!("another meshctl is at work in `{}`", dir.display()),
                )
                .hint("wait until it has ended, then run this command again"));
            }
            Err(error) => return Err(Failure::io("lock", dir, &error.into())),
        }
        let this = Self {
            dir: dir.to_path_buf(),
            lock,
            staged: Vec::new(),
            created_dir,
            holds_old_set: false,
        };
        let kept = this.clear_leftovers()?;
        Ok((this, kept))
    }

    fn staging(&self) -> PathBuf {
        self.dir.join(STAGING)
    }

    fn clear_leftovers(&self) -> Result<Vec<PathBuf>, Failure> {
        let staging = self.staging();
        let mut kept = Vec::new();
        // Never through a link: what it leads to is not ours to move or to clear.
        match staging.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(kept),
            Ok(meta) if !meta.is_dir() => {
                return Err(Failure::new(
                    "ctl/io",
                    format!("`{}` is in the way: it is no folder", staging.display()),
                )
                .hint("look at it, remove it, then run this command again"));
            }
            _ => {}
        }
        let fail = |error: std::io::Error| Failure::io("read", &staging, &error);
        for entry in fs::read_dir(&staging).map_err(fail)?.flatten() {
            let path = entry.path();
            if path.is_dir() && is_whole_set(&path) {
                kept.push(self.set_aside(&path, &entry.file_name().to_string_lossy())?);
            }
        }
        fs::remove_dir_all(&staging).map_err(|error| Failure::io("remove", &staging, &error))?;
        Ok(kept)
    }

    /// Writes one file of the staging folder; `name` may have a folder part. Keys are 0600, the rest 0644.
    ///
    /// # Errors
    /// `ctl/io`.
    pub fn stage(&mut self, name: &Path, content: &[u8], secret: bool) -> Result<(), Failure> {
        let path = self.staging().join(name);
        let fail = |error: std::io::Error| Failure::io("write", &path, &error);
        let mode = if secret { 0o600 } else { 0o644 };
        if self.staged.is_empty() {
            // It was cleared: one that is there by now is somebody else's.
            DirBuilder::new().mode(0o700).create(self.staging()).map_err(fail)?;
        }
        let open = || OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
        let opened = open().or_else(|error| match path.parent() {
            Some(parent) if error.kind() == ErrorKind::NotFound => {
                DirBuilder::new().mode(0o700).create(parent)?;
                open()
            }
            _ => Err(error),
        });
        opened.and_then(|mut file| file.write_all(content)).map_err(fail)?;
        self.staged.push(path);
        Ok(())
    }

    /// Waits until everything staged is on the disk.
    ///
    /// # Errors
    /// `ctl/io`.
    pub fn sync(&self) -> Result<(), Failure> {
        let sync_one = |path: &PathBuf| {
            File::open(path)
                .and_then(|file| file.sync_all())
                .map_err(|error| Failure::io("write", path, &error))
        };
        if self.staged.len() > SYNC_SINGLY_MAX {
            return rustix::fs::syncfs(&self.lock)
                .map_err(|error| Failure::io("write to", &self.dir, &error.into()));
        }
        let share = self.staged.len().div_ceil(SYNC_THREADS).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .staged
                .chunks(share)
                .map(|paths| scope.spawn(move || paths.iter().try_for_each(sync_one)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("syncing does not panic"))
        })
    }

    /// Moves a staged file to its place, where nothing may be.
    ///
    /// # Errors
    /// `ctl/exists`, `ctl/io`.
    pub fn place(&self, name: &Path) -> Result<(), Failure> {
        let target = self.dir.join(name);
        if let Some(parent) = target.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)
                .map_err(|error| Failure::io("make", parent, &error))?;
        }
        rename_new(&self.staging().join(name), &target)
    }

    /// Moves a staged file to its place, over a public file that is there.
    ///
    /// # Errors
    /// `ctl/io`.
    pub fn replace(&self, name: &Path) -> Result<(), Failure> {
        let target = self.dir.join(name);
        if let Some(parent) = target.parent().filter(|parent| !parent.exists()) {
            DirBuilder::new()
                .recursive(true)
                .create(parent)
                .map_err(|error| Failure::io("make", parent, &error))?;
        }
        fs::rename(self.staging().join(name), &target)
            .map_err(|error| Failure::io("write", &target, &error))
    }

    /// Puts a staged folder where another is, in one step, and moves the old one to `previous/`.
    ///
    /// Files of the old folder the new one does not have are copied first. Returns where the old one is.
    ///
    /// # Errors
    /// `ctl/io`; then the old folder is where it was.
    pub fn exchange(&mut self, name: &str, label: &str) -> Result<PathBuf, Failure> {
        let (new, old) = (self.staging().join(name), self.dir.join(name));
        let fail = |error: std::io::Error| Failure::io("exchange", &old, &error);
        for entry in fs::read_dir(&old).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let copy = new.join(entry.file_name());
            if entry.path().is_file() && !copy.exists() {
                fs::copy(entry.path(), &copy).map_err(fail)?;
                File::open(&copy).and_then(|file| file.sync_all()).map_err(fail)?;
            }
        }
        let swap = || rustix::fs::renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE);
        self.previous()?;
        swap().map_err(|error| fail(error.into()))?;
        let aside = self.set_aside(&new, label);
        if aside.is_err() {
            // It goes back to its place; where even that fails it stays for the next run.
            self.holds_old_set = swap().is_err();
        }
        aside
    }

    /// The folder of replaced sets, made where it is missing.
    fn previous(&self) -> Result<PathBuf, Failure> {
        let previous = self.dir.join(PREVIOUS);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&previous);
        made.map_err(|error| Failure::io("make the folder", &previous, &error))?;
        Ok(previous)
    }

    /// Moves a set to `previous/LABEL`, or `previous/LABEL-2` and so on where that is taken.
    fn set_aside(&self, set: &Path, label: &str) -> Result<PathBuf, Failure> {
        let previous = self.previous()?;
        let fail = |error: std::io::Error| Failure::io("write to", &previous, &error);
        let mut place = previous.join(label);
        let mut count = 1;
        while place.exists() {
            count += 1;
            place = previous.join(format!("{label}-{count}"));
        }
        fs::rename(set, &place).map_err(fail)?;
        // It is in its place; what is left to do there ends no command.
        let _ = kept::only_for_rollback(&place);
        Ok(place)
    }

    /// Removes the staging folder and makes the new names durable.
    ///
    /// # Errors
    /// `ctl/io`.
    pub fn finish(self) -> Result<(), Failure> {
        let fail = |error: std::io::Error| Failure::io("write to", &self.dir, &error);
        match fs::remove_dir_all(self.staging()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        self.lock.sync_all().map_err(fail)
    }

    /// Takes back what [`Workspace::open`] made when nothing came of it: an empty folder.
    pub fn abandon(self) {
        // What cannot be removed is not empty, or is cleared by the next run, which keeps old sets.
        if !self.holds_old_set {
            let _ = fs::remove_dir_all(self.staging());
        }
        if self.created_dir {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

/// Removes a file we wrote, and its folder where it is empty then; whether it was there.
///
/// # Errors
/// `ctl/io`.
pub fn remove(dir: &Path, name: &Path) -> Result<bool, Failure> {
    let path = dir.join(name);
    match fs::remove_file(&path) {
        Ok(()) => {
            // A folder that is not empty stays.
            if let Some(parent) = path.parent().filter(|parent| *parent != dir) {
                let _ = fs::remove_dir(parent);
            }
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::io("remove", &path, &error)),
    }
}

/// Writes a public file beside `path` and moves it into place, replacing what is there, unless that is
/// a private key. A device or a pipe is written to.
///
/// # Errors
/// `ctl/exists` for a private key, `ctl/io`.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::io("write", path, &error);
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        let opened = OpenOptions::new().write(true).open(path);
        return opened.and_then(|mut file| file.write_all(content)).map_err(fail);
    }
    const KEY: &[u8] = b"PRIVATE KEY-----";
    if read_optional(path)?.is_some_and(|there| there.windows(KEY.len()).any(|w| w == KEY)) {
        return Err(Failure::new(
            "ctl/exists",
            format!("`{}` holds a private key and is not overwritten", path.display()),
        )
        .hint("choose another file"));
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let beside = path.with_file_name(format!(".{name}.meshctl-{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // Nothing half-written stays; the failure that counts is the first one.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(fail)
}

/// Whether every file of a set is there and written to its end: an old set always is, for it was in use;
/// a new one may have been cut off, and then nobody has seen it under its own name.
fn is_whole_set(folder: &Path) -> bool {
    use meshpki::cacerts::Layout;
    let is_whole = |layout: Layout, name: &str| {
        let text = Zeroizing::new(fs::read(folder.join(name)).unwrap_or_default());
        if name == layout.key_file() {
            return meshpki::SoftKey::from_pem(&text, None).is_ok();
        }
        meshpki::cacerts::certs(name, &text).is_ok()
    };
    [Layout::Istio, Layout::Tls]
        .into_iter()
        .any(|layout| layout.files().iter().all(|name| is_whole(layout, name)))
}

/// Renames without replacing.
fn rename_new(from: &Path, to: &Path) -> Result<(), Failure> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => Err(Failure::new(
            "ctl/exists",
            format!("`{}` is there already and is not overwritten", to.display()),
        )),
        // A file system without that flag (NFS): the folder is locked, so looking first is enough.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => {
            fs::rename(from, to).map_err(|error| Failure::io("write", to, &error))
        }
        Err(error) => Err(Failure::io("write", to, &error.into())),
    }
}
