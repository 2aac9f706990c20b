//! A file that only grows: each text goes to its end, all of it or nothing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::sync_folder;
use crate::failure::Failure;

/// Appends a text, creating the file if it does not exist, and makes it durable.
///
/// # Errors
/// `ctl/io`, naming the file.
pub(crate) fn append(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::io("write", path, &error);
    let is_new = !path.exists();
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(fail)?;
    let before = file.metadata().map_err(fail)?.len();
    if let Err((error, count)) = write(&mut file, text) {
        // Half a text would spoil the file. What another process has appended after it stays.
        let is_last = file.metadata().is_ok_and(|data| data.len() == before + count);
        if is_last && count > 0 {
            let _ = cut(path, before);
        }
        return Err(fail(error));
    }
    match path.parent() {
        Some(folder) if is_new => sync_folder(folder),
        _ => Ok(()),
    }
}

/// Takes back what was appended; on Windows, a file that is open to append to cannot be cut.
fn cut(path: &Path, length: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

/// Writes all of a text and makes it durable, or says how many bytes of it are in the file.
fn write(file: &mut File, text: &[u8]) -> Result<(), (std::io::Error, u64)> {
    let mut left = text;
    let error = loop {
        match file.write(left) {
            _ if left.is_empty() => match file.sync_all() {
                Ok(()) => return Ok(()),
                Err(error) => break error,
            },
            Ok(0) => break ErrorKind::WriteZero.into(),
            Ok(count) => left = &left[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    Err((error, (text.len() - left.len()) as u64))
}
