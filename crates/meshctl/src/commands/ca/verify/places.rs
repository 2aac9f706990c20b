//! Which file a certificate was read from.

use std::ffi::OsStr;

use meshpki::Cert;
use meshpki::verify::Anchor;

use crate::text::safe;

/// Certificates with the files that options named.
#[derive(Default)]
pub(super) struct Places(Vec<(Cert, String)>);

impl Places {
    /// The certificates of a file, in its order.
    pub(super) fn add(&mut self, file: &OsStr, certs: &[Anchor]) {
        let file = safe(&file.to_string_lossy());
        for (i, anchor) in certs.iter().enumerate() {
            let place = match certs.len() {
                1 => file.clone(),
                _ => format!("{file}, certificate {}", i + 1),
            };
            self.0.push((anchor.cert.clone(), place));
        }
    }

    /// The first file it is in; `None` for one of the system's trust store or standard input.
    pub(super) fn of(&self, cert: &Cert) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == cert).map(|(_, place)| place.as_str())
    }
}
