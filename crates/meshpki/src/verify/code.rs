//! OpenSSL's verification codes and texts (`include/openssl/x509_vfy.h.in`, `crypto/x509/x509_txt.c`, 3.0.19).

use core::fmt;

/// A verification code: OpenSSL's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

impl Code {
    /// The text OpenSSL 3.0.19 prints for the code.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self.0 {
            20 => "unable to get local issuer certificate",
            _ => "unspecified certificate verification error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
