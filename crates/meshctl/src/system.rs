//! What Unix and Windows do differently with files: who may read them, locks, moves in one step, what reaches the disk.
//!
//! Both modules have the same functions. Where Unix has modes, Windows has access control lists: what is made for its
//! owner has one of its own that inherits nothing, with the owner, the system and the administrators, who are to
//! Windows what root is to Unix.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// Who may read what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The owner alone: 0600, and 0700 for a folder.
    Owner,
    /// Whoever the system lets: 0644, and 0777 for a folder, less the umask; on Windows, as in the folder around it.
    All,
}

/// Why another user could put files into a folder, if so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Openness {
    /// It belongs to this user, who is neither we nor root.
    #[cfg(unix)]
    Owner(u32),
    /// Its group, or everyone, may write to it.
    Writable,
}
