//! Access control lists, lock files, and steps where Unix has one call.
//!
//! Not as on Unix: a name in a folder reaches the disk when NTFS writes its journal, which no program can wait for;
//! folders are exchanged in steps that the next run finishes; Windows Error Reporting may keep some memory of a crash; and
//! the owner of a folder is trusted, whoever that is.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windows_permissions::constants::{
    AccessRights, AceFlags, AceType, SeObjectType, SecurityInformation,
};
use windows_permissions::wrappers::{
    ConvertSidToStringSid, GetNamedSecurityInfo, GetSecurityInfo, SetSecurityInfo,
};
use windows_permissions::{Acl, LocalBox, SecurityDescriptor};

use super::{Access, Openness};

// Of winnt.h, winbase.h and winerror.h.
const READ_CONTROL: u32 = 0x0002_0000;
const WRITE_DAC: u32 = 0x0004_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const FILE_WRITE_ATTRIBUTES: u32 = 0x0100;
/// Without it no folder is opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
const ERROR_SHARING_VIOLATION: i32 = 32;

/// The rights to read content, as such or within a generic one.
const READ: u32 = 0x0000_0001 | TAKE | 0x8000_0000 | 0x1000_0000;
/// The rights to put a file or a folder into a folder, or to put one in place of another.
const CHANGE: u32 = 0x0000_0002 | 0x0000_0004 | 0x0000_0040 | TAKE | GENERIC_WRITE | 0x1000_0000;
/// The rights that lead to all others: to change the list, or the owner.
const TAKE: u32 = WRITE_DAC | 0x0008_0000;

/// The system and the administrators, and two names for the owner.
const TRUSTED: [&str; 4] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-4", "S-1-3-0"];

/// The lock of a folder, inside it.
const LOCK: &str = ".meshctl-lock";
/// How often a lock that is being removed is tried again.
const TRIES: u32 = 20;
/// The time between two tries.
const PAUSE: Duration = Duration::from_millis(25);

/// Creates a file where none is. No other process can open it before it is closed.
pub(crate) fn create_file(path: &Path, access: Access) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    if access == Access::All {
        return options.open(path);
    }
    let rights = GENERIC_WRITE | READ_CONTROL | WRITE_DAC;
    let mut file = options.access_mode(rights).share_mode(0).open(path)?;
    match keep_to_owner(&mut file, "") {
        Ok(()) => Ok(file),
        Err(error) => {
            drop(file);
            // Nothing is in it.
            let _ = fs::remove_file(path);
            Err(error)
        }
    }
}

/// Creates a file where none is, to replace another. As everywhere on Windows, who may read it follows from the folder.
pub(crate) fn create_file_like(path: &Path, _other: &Metadata) -> Result<File> {
    create_file(path, Access::All)
}

/// Creates a folder where none is.
pub(crate) fn create_folder(path: &Path, access: Access) -> Result<()> {
    fs::create_dir(path)?;
    if access == Access::Owner { keep_private(path) } else { Ok(()) }
}

/// Creates a folder and those around it, as far as they do not exist.
pub(crate) fn create_folders(path: &Path, access: Access) -> Result<()> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    missing.into_iter().rev().try_for_each(|folder| match create_folder(folder, access) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    })
}

/// Leaves a file or a folder, and what will be created in it, to its owner, the system and the administrators.
pub(crate) fn keep_private(path: &Path) -> Result<()> {
    let inherited = if fs::metadata(path)?.is_dir() { "OICI" } else { "" };
    let mut handle = OpenOptions::new()
        .access_mode(READ_CONTROL | WRITE_DAC)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    keep_to_owner(&mut handle, inherited)
}

fn keep_to_owner(handle: &mut File, inherited: &str) -> Result<()> {
    let owned = GetSecurityInfo(handle, SeObjectType::SE_FILE_OBJECT, SecurityInformation::Owner)?;
    let owner = owned.owner().ok_or_else(|| Error::other("it has no owner"))?;
    let owner = ConvertSidToStringSid(owner)?;
    let entries: String = [&*owner.to_string_lossy(), "SY", "BA"]
        .iter()
        .map(|who| format!("(A;{inherited};FA;;;{who})"))
        .collect();
    set_list(handle, SecurityInformation::ProtectedDacl, &format!("D:P{entries}"))
}

/// Gives a file or a folder a list, which inherits or does not.
fn set_list(handle: &mut File, inherits: SecurityInformation, list: &str) -> Result<()> {
    let wanted: LocalBox<SecurityDescriptor> = list.parse()?;
    let parts = SecurityInformation::Dacl | inherits;
    let kind = SeObjectType::SE_FILE_OBJECT;
    SetSecurityInfo(handle, kind, parts, None, None, wanted.dacl(), None)
}

/// Whether others than the owner, the system and the administrators may read the file.
pub(crate) fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file()) && lets_others(path, READ)
}

/// Whether a user other than the owner, the system and the administrators could put files into a folder.
pub(crate) fn openness(dir: &Path) -> Option<Openness> {
    (dir.is_dir() && lets_others(dir, CHANGE)).then_some(Openness::Writable)
}

/// Whether anyone else has one of these rights. A file system without access control (FAT) lets everyone.
fn lets_others(path: &Path, rights: u32) -> bool {
    let parts = SecurityInformation::Owner | SecurityInformation::Dacl;
    let Ok(found) = GetNamedSecurityInfo(path.as_os_str(), SeObjectType::SE_FILE_OBJECT, parts)
    else {
        return false;
    };
    let owner = found.owner().and_then(|owner| ConvertSidToStringSid(owner).ok());
    found.dacl().is_none_or(|list| has_other(list, owner.as_deref(), rights))
}

fn has_other(list: &Acl, owner: Option<&OsStr>, rights: u32) -> bool {
    (0..list.len()).filter_map(|index| list.get_ace(index)).any(|entry| {
        let allows = matches!(
            entry.ace_type(),
            AceType::ACCESS_ALLOWED_ACE_TYPE
                | AceType::ACCESS_ALLOWED_CALLBACK_ACE_TYPE
                | AceType::ACCESS_ALLOWED_OBJECT_ACE_TYPE
                | AceType::ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE
        );
        let who = entry.sid().and_then(|sid| ConvertSidToStringSid(sid).ok());
        let is_other = who
            .as_deref()
            .is_none_or(|who| Some(who) != owner && !TRUSTED.iter().any(|trusted| *trusted == who));
        allows
            && is_other
            && !entry.flags().contains(AceFlags::InheritOnly)
            && entry.mask().intersects(AccessRights::from_bits_truncate(rights))
    })
}

/// The command that leaves a file to its owner, the system and the administrators.
pub(crate) fn keep_file_private_command(word: &str) -> String {
    icacls(word, "/reset", "F")
}

/// The command that leaves a folder and all in it to their owner, the system and the administrators.
pub(crate) fn keep_all_private_command(word: &str) -> String {
    icacls(word, "/reset /T", "(OI)(CI)F")
}

/// The command after which only the owner, the system and the administrators put files into a folder.
pub(crate) fn close_folder_command(word: &str) -> String {
    icacls(word, "/reset", "(OI)(CI)F")
}

/// For PowerShell: removes every entry, then grants these rights. The two groups are named by their numbers: their names
/// are translated.
fn icacls(word: &str, reset: &str, rights: &str) -> String {
    let who = ["*S-1-5-18", "*S-1-5-32-544", "${env:USERNAME}"];
    let granted: String = who.iter().map(|who| format!(" \"{who}:{rights}\"")).collect();
    format!("icacls {word} {reset}; icacls {word} /inheritance:r /grant:r{granted}")
}

/// A folder that no other run uses, as long as this exists: a file in it that no other process can open, and that goes
/// with its handle, however the process ends.
#[derive(Clone)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "open, it is the lock")] Arc<File>);

impl FolderLock {
    /// Whether the lock is a file in the folder, which cannot be removed as long as the lock exists.
    pub(crate) const IS_INSIDE: bool = true;

    /// Locks a folder; `None` if another run has it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where it does not exist, or was removed meanwhile.
    pub(crate) fn take(dir: &Path) -> Result<Option<Self>> {
        let open = || {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .share_mode(0)
                .custom_flags(FILE_FLAG_DELETE_ON_CLOSE)
                .open(dir.join(LOCK))
        };
        let mut tries = 0;
        loop {
            match open() {
                Ok(file) => return Ok(Some(Self(Arc::new(file)))),
                Err(error) if error.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => {
                    return Ok(None);
                }
                // The file of a run that has ended stays until a scanner that looks at it has closed it.
                Err(error) if error.kind() == ErrorKind::PermissionDenied && tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until everything in the folder's file system is on the disk; `false`, as only an administrator can.
    pub(crate) fn sync_file_system(&self) -> Result<bool> {
        Ok(false)
    }
}

/// Exchanges two folders in one step; `false`, for Windows has none.
pub(crate) fn exchange(_one: &Path, _other: &Path) -> Result<bool> {
    Ok(false)
}

/// Renames without replacing.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`].
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    if fs::metadata(from)?.is_file() {
        // A second name is never given over another file.
        match fs::hard_link(from, to) {
            Ok(()) => {
                // It is in its place; the old name goes with the staging folder.
                let _ = fs::remove_file(from);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            // A file system without them (FAT).
            Err(_) => {}
        }
    }
    // The folder is locked, so looking first is enough.
    match to.symlink_metadata() {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

/// Gives a public file the readers of its folder: it has the list of the private one that it was moved from.
pub(crate) fn open_as_folder(path: &Path) {
    let opened = OpenOptions::new().access_mode(READ_CONTROL | WRITE_DAC).open(path);
    // Where that fails, fewer can read it.
    let _ =
        opened.and_then(|mut file| set_list(&mut file, SecurityInformation::UnprotectedDacl, "D:"));
}

/// Copies a link, not what it points to.
pub(crate) fn copy_link(from: &Path, to: &Path) -> Result<()> {
    use std::os::windows::fs::{symlink_dir, symlink_file};
    let target = fs::read_link(from)?;
    if from.symlink_metadata()?.file_type().is_symlink_dir() {
        return symlink_dir(target, to);
    }
    symlink_file(target, to)
}

/// Waits until a file is on the disk. Who waits must be able to write to it.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    let sync = || OpenOptions::new().write(true).open(path)?.sync_all();
    let before = fs::metadata(path)?.permissions();
    if !before.readonly() {
        return sync();
    }
    let mut writable = before.clone();
    #[expect(clippy::permissions_set_readonly_false, reason = "this is not Unix")]
    writable.set_readonly(false);
    fs::set_permissions(path, writable)?;
    let synced = sync();
    fs::set_permissions(path, before).and(synced)
}

/// Does nothing: NTFS has names in a journal, in order.
pub(crate) fn sync_folder(_path: &Path) -> Result<()> {
    Ok(())
}

/// Gives a folder the present time as that of its last change.
pub(crate) fn touch_folder(path: &Path) -> Result<()> {
    let folder = OpenOptions::new()
        .access_mode(FILE_WRITE_ATTRIBUTES)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    folder.set_modified(std::time::SystemTime::now())
}

/// What comes after a prefix, if it has that and more.
pub(crate) fn after(prefix: &str, text: &OsStr) -> Option<OsString> {
    let (text, prefix): (Vec<u16>, Vec<u16>) =
        (text.encode_wide().collect(), prefix.encode_utf16().collect());
    let rest = text.strip_prefix(prefix.as_slice()).filter(|rest| !rest.is_empty())?;
    Some(OsString::from_wide(rest))
}

/// Does nothing: what Windows Error Reporting keeps of a crash is the administrator's to decide.
pub(crate) fn forbid_core_files() {}
