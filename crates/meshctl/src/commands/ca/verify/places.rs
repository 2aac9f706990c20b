//! Which file a certificate was read from.

use std::ffi::OsStr;

use meshpki::Cert;
use meshpki::verify::Anchor;

use crate::text::safe;

/// Certificates with the files that options named.
#[derive(Default)]
pub(super) struct Places {
    trusted: Vec<(Cert, String)>,
    untrusted: Vec<(Cert, String)>,
}

impl Places {
    /// The certificates of a file of trusted ones, in its order.
    pub(super) fn add_trusted(&mut self, file: &OsStr, certs: &[Anchor]) {
        add(&mut self.trusted, file, certs);
    }

    /// The certificates of another file.
    pub(super) fn add_untrusted(&mut self, file: &OsStr, certs: &[Anchor]) {
        add(&mut self.untrusted, file, certs);
    }

    /// The first file it is in, trusted ones first; `None` for one of the system's trust store or standard input.
    pub(super) fn of(&self, cert: &Cert) -> Option<&str> {
        let mut all = self.trusted.iter().chain(&self.untrusted);
        all.find(|(known, _)| known == cert).map(|(_, place)| place.as_str())
    }
}

fn add(places: &mut Vec<(Cert, String)>, file: &OsStr, certs: &[Anchor]) {
    let file = safe(&file.to_string_lossy());
    for (i, anchor) in certs.iter().enumerate() {
        let place = match certs.len() {
            1 => file.clone(),
            _ => format!("{file}, certificate {}", i + 1),
        };
        places.push((anchor.cert.clone(), place));
    }
}
