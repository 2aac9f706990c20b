//! A file that only grows: each text goes to its end in one write.

use std::fs::OpenOptions;
use std::io::Write;
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
    file.write_all(text).and_then(|()| file.sync_all()).map_err(fail)?;
    match path.parent() {
        Some(folder) if is_new => sync_folder(folder),
        _ => Ok(()),
    }
}
