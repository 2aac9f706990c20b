//! What a certificate may say, whoever asks for it: names people can read, and no more of anything than a mesh needs.

use alloc::string::{String, ToString};

use super::Profile;
use crate::cert::GeneralName;
use crate::error::Error;
use crate::name::Name;

/// Attributes of a subject.
pub(crate) const ATTRIBUTES: usize = 64;
/// Subject alternative names.
pub(crate) const NAMES: usize = 256;
/// Extensions in addition to those every certificate has.
pub(crate) const EXTENSIONS: usize = 64;
/// Bytes of a CSR; the largest with an 8192-bit RSA key has some 3,000.
pub(crate) const CSR_BYTES: usize = 64 << 10;

/// Subject, names and extensions of a certificate to be.
pub(crate) fn check_profile(profile: &Profile) -> Result<(), Error> {
    let whose = profile.subject.label();
    check_subject(&profile.subject, &whose)?;
    at_most(NAMES, profile.subject_alt_names.len(), "subject alternative names", &whose)?;
    at_most(EXTENSIONS, profile.extra_extensions.len(), "extensions", &whose)?;
    profile.subject_alt_names.iter().try_for_each(check_name)
}

fn check_subject(subject: &Name, whose: &str) -> Result<(), Error> {
    at_most(ATTRIBUTES, subject.attribute_count(), "attributes in the subject", whose)?;
    subject.check_bounds().map_err(Error::Subject)
}

/// DNS names, mail addresses and URIs are printable ASCII (RFC 5280 section 4.2.1.6), directory names as subjects.
fn check_name(name: &GeneralName) -> Result<(), Error> {
    let refuse = |why| Err(Error::SubjectAltName { name: name.to_string(), why });
    match name {
        GeneralName::Dns(text) | GeneralName::Email(text) | GeneralName::Uri(text) => {
            if text.iter().all(u8::is_ascii_graphic) {
                Ok(())
            } else {
                refuse("it contains a space, a control character or a non-ASCII character")
            }
        }
        GeneralName::Directory(name) => check_subject(name, &name.label()),
        _ => Ok(()),
    }
}

pub(crate) fn at_most(limit: usize, count: usize, what: &str, whose: &str) -> Result<(), Error> {
    if count <= limit {
        return Ok(());
    }
    // A label as long as what is refused would fill the screen.
    let whose: String = whose.chars().take(80).collect();
    Err(Error::TooMany { what: alloc::format!("{what} of `{whose}`"), count, limit })
}
