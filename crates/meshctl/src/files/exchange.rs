//! A set in place of another: in one step where the file system can, else in steps the next run finishes.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::workspace::{Leftover, Workspace};
use super::{PREVIOUS, kept, read_optional, rename_new, sync_folder};
use crate::failure::Failure;
use crate::system::{self, Access};

/// File of the staging folder that says which exchange has begun: the set's name, and the name in `previous/`.
const MARKER: &str = ".exchange";

/// A folder that is locked, and its staging folder.
pub(super) struct Folder<'a> {
    pub(super) dir: &'a Path,
    pub(super) staging: &'a Path,
}

/// An exchange that takes several steps.
struct Moving {
    /// The set: `staging/NAME` replaces `DIR/NAME`.
    name: String,
    /// The old set becomes `previous/ASIDE`.
    aside: String,
}

impl Workspace {
    /// Puts a staged folder where another is and moves the old one to `previous/`; returns where the old one is.
    ///
    /// Files of the old folder the new one does not have are copied first. Where the file system cannot exchange two
    /// folders in one step (an overlay's lower layer, NFS, Windows), the old one is moved or copied away first, and the
    /// next run finishes what a crash leaves.
    ///
    /// # Errors
    /// `ctl/io`; then the old folder is where it was, or is put back by the next run.
    pub(crate) fn exchange(&mut self, name: &str, label: &str) -> Result<PathBuf, Failure> {
        self.begin_placing();
        let (dir, staging) = (self.dir.clone(), self.staging());
        let folder = Folder { dir: &dir, staging: &staging };
        folder.bring_along(name)?;
        self.touched.insert(folder.previous()?);
        let (new, old) = (staging.join(name), dir.join(name));
        let swap = || system::exchange(&new, &old);
        match swap() {
            Ok(true) => {
                let aside = folder.set_aside(&new, label);
                if aside.is_err() && !swap().unwrap_or(false) {
                    // Where it cannot even go back to its place it stays for the next run.
                    self.keep_staging();
                }
                aside
            }
            Ok(false) => {
                let moving = folder.begin(name, label)?;
                let done = folder.carry_out(&moving);
                if done.is_err() && !folder.undo(&moving) {
                    self.keep_staging();
                }
                done
            }
            Err(error) => Err(Failure::io("exchange", &old, &error)),
        }
    }

    fn keep_staging(&self) {
        self.unplaced.lock().unwrap_or_else(std::sync::PoisonError::into_inner).keep = true;
    }
}

impl Folder<'_> {
    /// Clears what an interrupted run left in the staging folder.
    pub(super) fn clear_leftovers(&self) -> Result<Vec<Leftover>, Failure> {
        let staging = self.staging;
        let mut leftovers = Vec::new();
        // Never through a link: its target must not be moved or cleared.
        match staging.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(leftovers),
            Ok(meta) if !meta.is_dir() => {
                let message = format!("`{}` is in the way: it is not a folder", staging.display());
                return Err(Failure::new("ctl/io", message)
                    .hint("inspect it, remove it, then run this command again"));
            }
            _ => {}
        }
        if let Some(moving) = self.begun()? {
            let place = self.carry_out(&moving)?;
            leftovers.push(Leftover::Replaced(moving.name, place));
        }
        let fail = |error: std::io::Error| Failure::io("read", staging, &error);
        for entry in fs::read_dir(staging).map_err(fail)?.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !name.starts_with('.') && path.is_dir() && is_whole_set(&path) {
                leftovers.push(Leftover::Kept(self.set_aside(&path, &name)?));
            }
        }
        fs::remove_dir_all(staging).map_err(|error| Failure::io("remove", staging, &error))?;
        Ok(leftovers)
    }

    /// Copies the additional files of the old set to the staged one.
    fn bring_along(&self, name: &str) -> Result<(), Failure> {
        let (new, old) = (self.staging.join(name), self.dir.join(name));
        let fail = |error: std::io::Error| Failure::io("exchange", &old, &error);
        for entry in fs::read_dir(&old).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let copy = new.join(entry.file_name());
            if entry.path().is_file() && !copy.exists() {
                fs::copy(entry.path(), &copy).map_err(fail)?;
                system::sync_file(&copy).map_err(fail)?;
            }
        }
        sync_folder(&new)
    }

    /// The folder of replaced sets, made where it is missing.
    fn previous(&self) -> Result<PathBuf, Failure> {
        let previous = self.dir.join(PREVIOUS);
        let made = system::create_folders(&previous, Access::Owner);
        made.map_err(|error| Failure::io("create the folder", &previous, &error))?;
        Ok(previous)
    }

    /// A name in `previous/` that is free: LABEL, or LABEL-2 and so on.
    fn free_name(previous: &Path, label: &str) -> String {
        let mut name = label.to_owned();
        let mut count = 1;
        while previous.join(&name).symlink_metadata().is_ok() {
            count += 1;
            name = format!("{label}-{count}");
        }
        name
    }

    /// Moves a set to `previous/LABEL`, or `previous/LABEL-2` and so on where that is taken.
    fn set_aside(&self, set: &Path, label: &str) -> Result<PathBuf, Failure> {
        let previous = self.previous()?;
        let place = previous.join(Self::free_name(&previous, label));
        self.move_folder(set, &place)?;
        if set.exists() {
            remove_copied(set, &place)?;
        }
        // It is in its place; what is left to do there ends no command.
        let _ = kept::only_for_rollback(&place);
        Ok(place)
    }

    /// Says on the disk that the staged set `name` is complete and takes the old one's place.
    fn begin(&self, name: &str, label: &str) -> Result<Moving, Failure> {
        let aside = Self::free_name(&self.previous()?, label);
        let marker = self.staging.join(MARKER);
        let fail = |error: std::io::Error| Failure::io("write", &marker, &error);
        let unfinished = self.staging.join(".begin");
        let mut file = system::create_file(&unfinished, Access::Owner).map_err(fail)?;
        file.write_all(format!("{name}\n{aside}\n").as_bytes()).map_err(fail)?;
        file.sync_all().map_err(fail)?;
        drop(file);
        fs::rename(&unfinished, &marker).map_err(fail)?;
        sync_folder(self.staging)?;
        Ok(Moving { name: name.to_owned(), aside })
    }

    /// The exchange an interrupted run had begun.
    fn begun(&self) -> Result<Option<Moving>, Failure> {
        let marker = self.staging.join(MARKER);
        let Some(bytes) = read_optional(&marker)? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        let is_name = |name: &&str| {
            !name.is_empty() && !name.contains(['/', '\\', ':']) && !name.starts_with('.')
        };
        match text.lines().filter(is_name).collect::<Vec<_>>().as_slice() {
            [name, aside] => {
                Ok(Some(Moving { name: (*name).to_owned(), aside: (*aside).to_owned() }))
            }
            _ => {
                Err(Failure::new("ctl/io", "the note that an interrupted run left cannot be read")
                    .in_file(&marker)
                    .hint(
                        "meshctl did not write this file: remove it, then run this command again",
                    ))
            }
        }
    }

    /// Carries an exchange out from wherever it was left: the old set is whole in `previous/` before anything of it
    /// is removed, and both folders are synced between the steps. Returns where the old set is.
    fn carry_out(&self, moving: &Moving) -> Result<PathBuf, Failure> {
        let previous = self.previous()?;
        let (new, old) = (self.staging.join(&moving.name), self.dir.join(&moving.name));
        let aside = previous.join(&moving.aside);
        if new.exists() {
            if old.exists() && !aside.exists() {
                self.move_folder(&old, &aside)?;
            }
            sync_folder(&previous)?;
            if old.exists() {
                remove_copied(&old, &aside)?;
            }
            rename_new(&new, &old)?;
            sync_folder(self.dir)?;
        }
        // As in `set_aside`; and not before the new set is in its place, which has what is removed here.
        let _ = kept::only_for_rollback(&aside);
        let marker = self.staging.join(MARKER);
        fs::remove_file(&marker).map_err(|error| Failure::io("remove", &marker, &error))?;
        Ok(aside)
    }

    /// Puts the old set back where the new one could not be placed; whether it is where it was.
    fn undo(&self, moving: &Moving) -> bool {
        let (old, aside) =
            (self.dir.join(&moving.name), self.dir.join(PREVIOUS).join(&moving.aside));
        if !old.exists() && aside.exists() {
            return rename_new(&aside, &old).is_ok();
        }
        // Nothing was moved; or it was copied, and then removing it may have begun.
        !aside.exists()
    }

    /// Moves a folder to a free name, or copies it there where the file system cannot move it.
    fn move_folder(&self, from: &Path, to: &Path) -> Result<(), Failure> {
        let fail =
            |error: std::io::Error| Failure::io("write to", to.parent().unwrap_or(to), &error);
        match fs::rename(from, to) {
            Err(error) if error.kind() == ErrorKind::CrossesDevices => {
                let copy = self.staging.join(format!(".copy-{}", super::random_name()));
                copy_folder(from, &copy).map_err(fail)?;
                // The name is free, and only this process uses the folder.
                fs::rename(&copy, to).map_err(fail)
            }
            moved => moved.map_err(fail),
        }
    }
}

/// Copies a folder and what is in it, with its permissions, and syncs it. Keys stay as private as they were.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    system::create_folder(to, Access::Owner)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, copy, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if kind.is_dir() {
            copy_folder(&source, &copy)?;
        } else if kind.is_symlink() {
            system::copy_link(&source, &copy)?;
        } else if kind.is_file() {
            fs::copy(&source, &copy)?;
            system::sync_file(&copy)?;
        } else {
            return Err(std::io::Error::other(format!("{} is not a file", source.display())));
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    system::sync_folder(to)
}

/// Removes a folder whose every file is in `copy` as well.
fn remove_copied(folder: &Path, copy: &Path) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::io("remove", folder, &error);
    if !is_in(folder, copy).map_err(fail)? {
        let message = format!("`{}` differs from its copy", folder.display());
        return Err(Failure::new("ctl/io", message)
            .in_file(copy)
            .hint("inspect both, move one of them away, then run this command again"));
    }
    fs::remove_dir_all(folder).map_err(fail)
}

/// Whether every file of a folder is in another with the same content.
fn is_in(folder: &Path, other: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (one, two, kind) = (entry.path(), other.join(entry.file_name()), entry.file_type()?);
        let same = if kind.is_dir() {
            two.is_dir() && is_in(&one, &two)?
        } else if kind.is_symlink() {
            fs::read_link(&one)? == fs::read_link(&two)?
        } else {
            two.is_file() && Zeroizing::new(fs::read(&one)?) == Zeroizing::new(fs::read(&two)?)
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether every file of a set is there and written to its end: an old set always is, for it was in use;
/// a new one may have been cut off, and then it was never visible under its own name.
fn is_whole_set(folder: &Path) -> bool {
    use meshpki::cacerts::Layout;
    let is_whole = |layout: Layout, name: &str| {
        let text = Zeroizing::new(fs::read(folder.join(name)).unwrap_or_default());
        if name == layout.key_file() {
            return meshpki::SoftKey::from_pem(&text, None).is_ok();
        }
        meshpki::cacerts::certs(name, &text).is_ok()
    };
    Layout::ALL.into_iter().any(|layout| layout.files().iter().all(|name| is_whole(layout, name)))
}

/// The set that an interrupted run was about to replace and that is not under its name: what is in the folder is
/// not what it seems until a command that changes it has run.
pub(crate) fn interrupted_exchange(dir: &Path) -> Option<String> {
    let staging = dir.join(super::STAGING);
    let moving = Folder { dir, staging: &staging }.begun().ok()??;
    Some(moving.name)
}
