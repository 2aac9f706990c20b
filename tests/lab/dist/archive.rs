//! Archives with nothing in them but what is released: no owner, no time of this machine, sorted.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};
use time::{OffsetDateTime, PrimitiveDateTime};
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

/// A file, or a folder if it has no content.
pub(super) struct Entry {
    /// Its path, without a leading slash.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) bytes: Option<Vec<u8>>,
}

impl Entry {
    pub(super) fn file(path: impl Into<String>, mode: u32, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), mode, bytes: Some(bytes) }
    }

    pub(super) fn folder(path: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o755, bytes: None }
    }
}

/// A tar archive; every file has this time and belongs to root.
pub(super) fn tar(entries: &[Entry], time: u64) -> Result<Vec<u8>, String> {
    let mut builder = Builder::new(Vec::new());
    for entry in entries {
        let (kind, bytes, path) = match &entry.bytes {
            Some(bytes) => (EntryType::Regular, bytes.as_slice(), entry.path.clone()),
            None => (EntryType::Directory, [].as_slice(), format!("{}/", entry.path)),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(entry.mode);
        header.set_mtime(time);
        header.set_size(bytes.len() as u64);
        builder
            .append_data(&mut header, &path, bytes)
            .map_err(|error| format!("{path}: {error}"))?;
    }
    builder.into_inner().map_err(|error| error.to_string())
}

/// Compressed, without a name or a time.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| error.to_string())
}

/// A zip archive; every file has this time, in UTC.
pub(super) fn zip(entries: &[Entry], time: u64) -> Result<Vec<u8>, String> {
    let fail = |error: zip::result::ZipError| error.to_string();
    let options = SimpleFileOptions::default().last_modified_time(date(time)?);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = options.unix_permissions(entry.mode);
        match &entry.bytes {
            Some(bytes) => {
                writer.start_file(&entry.path, options).map_err(fail)?;
                writer.write_all(bytes).map_err(|error| error.to_string())?;
            }
            None => writer.add_directory(&entry.path, options).map_err(fail)?,
        }
    }
    Ok(writer.finish().map_err(fail)?.into_inner())
}

/// A time as zip has it.
fn date(time: u64) -> Result<DateTime, String> {
    let seconds = i64::try_from(time).unwrap_or(i64::MAX);
    let date = OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| error.to_string())?;
    let date = PrimitiveDateTime::new(date.date(), date.time());
    DateTime::try_from(date).map_err(|error| error.to_string())
}
