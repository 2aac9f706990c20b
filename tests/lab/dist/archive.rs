//! Archives with nothing in them but what is released: no owner, no time of this machine, sorted.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

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
