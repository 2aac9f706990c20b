//! A folder while it is changed: locked against other runs, with a staging folder inside.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::exchange::Folder;
use super::{STAGING, rename_new, sync_folder};
use crate::failure::Failure;
use crate::interrupt::{Cleanup, OnSignal, on_signal};
use crate::system::{self, Access, FolderLock};

/// Files synced at the same time: the file system writes them in one go.
const SYNC_THREADS: usize = 16;
/// With more files than this, one sync of the whole file system is faster.
const SYNC_SINGLY_MAX: usize = 64;

/// A folder that is being changed: locked against other runs, with a staging folder inside, so that
/// what is not finished is never seen under its own name.
///
/// Dropped before [`Workspace::finish`], it removes what it staged and the folders it made, and so does a signal
/// that ends the process before anything was placed.
pub(crate) struct Workspace {
    pub(super) dir: PathBuf,
    staged: Vec<PathBuf>,
    /// Names of the staged files that are not secret.
    public: BTreeSet<PathBuf>,
    /// Folders in which a name changed.
    pub(super) touched: BTreeSet<PathBuf>,
    pub(super) unplaced: Arc<Mutex<Unplaced>>,
    _on_signal: OnSignal,
}

/// What has been made and is not in its place.
pub(super) struct Unplaced {
    staging: PathBuf,
    /// Folders that were made for the work, the outermost first.
    created: Vec<PathBuf>,
    /// Names are being changed: from here on a signal undoes nothing.
    placing: bool,
    lock: Option<FolderLock>,
    /// The staging folder holds what must not be lost, and is left to the next run.
    pub(super) keep: bool,
}

/// What an interrupted run left, and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// A complete set of files, moved here.
    Kept(PathBuf),
    /// A set that was about to replace the one of this name, and does now; the old one is here.
    Replaced(String, PathBuf),
}

impl Workspace {
    /// Makes the folder where it is missing (0700), locks it, and clears what an interrupted run left: an exchange is
    /// carried out, complete sets go to `previous/`, the rest is removed.
    ///
    /// While another run holds the lock, `patience` is asked whether to try again.
    ///
    /// # Errors
    /// `ctl/busy` when patience ends, `ctl/io`.
    pub(crate) fn open(
        dir: &Path,
        patience: &mut dyn FnMut() -> bool,
    ) -> Result<(Self, Vec<Leftover>), Failure> {
        let staging = dir.join(STAGING);
        // Until the folder is locked and cleared, its staging folder belongs to another run.
        let unplaced = Arc::new(Mutex::new(Unplaced {
            staging: staging.clone(),
            created: Vec::new(),
            placing: false,
            lock: None,
            keep: true,
        }));
        let on_signal = on_signal(Box::new(Arc::clone(&unplaced)));
        let cleared = lock(dir, &unplaced, patience)
            .and_then(|()| Folder { dir, staging: &staging }.clear_leftovers());
        let leftovers = cleared.inspect_err(|_| state(&unplaced).clear())?;
        state(&unplaced).keep = false;
        let this = Self {
            dir: dir.to_path_buf(),
            staged: Vec::new(),
            public: BTreeSet::new(),
            touched: BTreeSet::new(),
            unplaced,
            _on_signal: on_signal,
        };
        Ok((this, leftovers))
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.dir.join(STAGING)
    }

    /// Writes one file of the staging folder; `name` may have a folder part. Keys are 0600, the rest 0644.
    ///
    /// # Errors
    /// `ctl/io`.
    pub(crate) fn stage(
        &mut self,
        name: &Path,
        content: &[u8],
        secret: bool,
    ) -> Result<(), Failure> {
        let path = self.staging().join(name);
        let fail = |error: std::io::Error| Failure::io("write", &path, &error);
        let access = if secret { Access::Owner } else { Access::All };
        let _signals_wait = state(&self.unplaced);
        if self.staged.is_empty() {
            // It was cleared: one that exists now belongs to another process.
            system::create_folder(&self.staging(), Access::Owner).map_err(fail)?;
        }
        let create = || system::create_file(&path, access);
        let created = create().or_else(|error| match path.parent() {
            Some(parent) if error.kind() == ErrorKind::NotFound => {
                system::create_folders(parent, Access::Owner)?;
                create()
            }
            _ => Err(error),
        });
        created.and_then(|mut file| file.write_all(content)).map_err(fail)?;
        self.staged.push(path);
        if !secret {
            self.public.insert(name.to_path_buf());
        }
        Ok(())
    }

    /// Waits until everything staged is on the disk, and the folders it is in.
    ///
    /// # Errors
    /// `ctl/io`.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        // A signal does not wait for it.
        let is_many = self.staged.len() > SYNC_SINGLY_MAX;
        let lock = is_many.then(|| state(&self.unplaced).lock.clone()).flatten();
        let synced = lock.map_or(Ok(false), |lock| lock.sync_file_system());
        if synced.map_err(|error| Failure::io("write to", &self.dir, &error))? {
            return Ok(());
        }
        let sync_one = |path: &&Path| {
            system::sync_file(path).map_err(|error| Failure::io("write", path, &error))
        };
        let mut folders: BTreeSet<&Path> =
            self.staged.iter().filter_map(|path| path.parent()).collect();
        folders.extend(self.staged.first().map(|_| self.dir.as_path()));
        let staging = self.staging();
        folders.extend(self.staged.first().map(|_| staging.as_path()));
        let files: Vec<&Path> = self.staged.iter().map(PathBuf::as_path).collect();
        let share = files.len().div_ceil(SYNC_THREADS).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = files
                .chunks(share)
                .map(|paths| scope.spawn(move || paths.iter().try_for_each(sync_one)))
                .collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().expect("syncing does not panic"))
        })?;
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    /// From here on a signal undoes nothing: names are being changed.
    pub(super) fn begin_placing(&self) {
        state(&self.unplaced).placing = true;
    }

    /// Moves a staged file to its place, where nothing may be.
    ///
    /// # Errors
    /// `ctl/exists`, `ctl/io`.
    pub(crate) fn place(&mut self, name: &Path) -> Result<(), Failure> {
        let target = self.target(name, Access::Owner)?;
        rename_new(&self.staging().join(name), &target)?;
        if self.public.contains(name) {
            system::open_as_folder(&target);
        }
        Ok(())
    }

    /// Moves a staged file to its place, over a public file that is there.
    ///
    /// # Errors
    /// `ctl/io`.
    pub(crate) fn replace(&mut self, name: &Path) -> Result<(), Failure> {
        let target = self.target(name, Access::All)?;
        fs::rename(self.staging().join(name), &target)
            .map_err(|error| Failure::io("write", &target, &error))?;
        system::open_as_folder(&target);
        Ok(())
    }

    /// The place of a name, its folder made where it is missing.
    fn target(&mut self, name: &Path, access: Access) -> Result<PathBuf, Failure> {
        self.begin_placing();
        let target = self.dir.join(name);
        if let Some(parent) = target.parent() {
            let missing = !parent.exists();
            system::create_folders(parent, access)
                .map_err(|error| Failure::io("make", parent, &error))?;
            self.touched.insert(parent.to_path_buf());
            self.touched.extend(parent.parent().filter(|_| missing).map(Path::to_path_buf));
        }
        Ok(target)
    }

    /// Removes the staging folder and makes the new names durable.
    ///
    /// # Errors
    /// `ctl/io`.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let created = {
            let mut unplaced = state(&self.unplaced);
            match fs::remove_dir_all(&unplaced.staging) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Failure::io("write to", &self.dir, &error));
                }
                _ => {}
            }
            std::mem::take(&mut unplaced.created)
        };
        let parent = |path: PathBuf| Some(path.parent()?.to_path_buf());
        self.touched.extend(created.into_iter().filter_map(parent));
        self.touched.insert(self.dir.clone());
        self.touched.iter().try_for_each(|folder| sync_folder(folder))
    }
}

impl Drop for Workspace {
    /// Takes back what was made when nothing came of it.
    fn drop(&mut self) {
        state(&self.unplaced).clear();
    }
}

fn state(unplaced: &Mutex<Unplaced>) -> MutexGuard<'_, Unplaced> {
    unplaced.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Unplaced {
    /// What cannot be removed is not empty, or is cleared by the next run, which keeps old sets.
    fn clear(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.staging);
        }
        if FolderLock::IS_INSIDE {
            self.lock = None;
        }
        remove_empty(&self.created);
    }
}

impl Cleanup for Arc<Mutex<Unplaced>> {
    fn end(&self) {
        let mut unplaced = state(self);
        if !unplaced.placing {
            unplaced.clear();
        }
        // The work pauses meanwhile: what is half removed is never placed.
        std::mem::forget(unplaced);
    }
}

/// Removes folders that are empty, the innermost first.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// Makes what is missing of a path, each 0700, and says which folders those were.
fn make_missing(dir: &Path, created: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    for path in missing.into_iter().rev() {
        match system::create_folder(path, Access::Owner) {
            Ok(()) => created.push(path.to_path_buf()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Locks a folder, made where it is missing.
fn lock(
    dir: &Path,
    unplaced: &Mutex<Unplaced>,
    patience: &mut dyn FnMut() -> bool,
) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::io("write to", dir, &error);
    if dir.exists() && !dir.is_dir() {
        let message = format!("`{}` is not a folder", dir.display());
        return Err(Failure::new("ctl/io", message).hint("choose another path"));
    }
    loop {
        make_missing(dir, &mut state(unplaced).created).map_err(fail)?;
        match FolderLock::take(dir) {
            Ok(Some(lock)) => {
                state(unplaced).lock = Some(lock);
                return Ok(());
            }
            Ok(None) if patience() => {}
            Ok(None) => {
                let message = format!("another meshctl process is using `{}`", dir.display());
                return Err(Failure::new("ctl/busy", message)
                    .hint("run this command again once that one has finished, or use `--wait`"));
            }
            // A run that made it has taken it back. A link that leads nowhere is still there.
            Err(error)
                if error.kind() == ErrorKind::NotFound
                    && (dir.symlink_metadata().is_err() || dir.exists()) => {}
            Err(error) => {
                let is_closed =
                    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
                let what = if is_closed { "write to" } else { "lock" };
                return Err(Failure::io(what, dir, &error));
            }
        }
    }
}
