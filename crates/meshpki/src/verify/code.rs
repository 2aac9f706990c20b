//! OpenSSL's verification codes and texts (`include/openssl/x509_vfy.h.in`, `crypto/x509/x509_txt.c`, 3.0.22).

use core::fmt;

/// A verification code: OpenSSL's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

impl Code {
    /// The text OpenSSL 3.0.22 prints for the code.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self.0 {
            0 => "ok",
            2 => "unable to get issuer certificate",
            3 => "unable to get certificate CRL",
            6 => "unable to decode issuer public key",
            7 => "certificate signature failure",
            8 => "CRL signature failure",
            9 => "certificate is not yet valid",
            10 => "certificate has expired",
            11 => "CRL is not yet valid",
            12 => "CRL has expired",
            13 => "format error in certificate's notBefore field",
            14 => "format error in certificate's notAfter field",
            15 => "format error in CRL's lastUpdate field",
            16 => "format error in CRL's nextUpdate field",
            18 => "self-signed certificate",
            19 => "self-signed certificate in certificate chain",
            20 => "unable to get local issuer certificate",
            21 => "unable to verify the first certificate",
            22 => "certificate chain too long",
            23 => "certificate revoked",
            25 => "path length constraint exceeded",
            26 => "unsuitable certificate purpose",
            28 => "certificate rejected",
            32 => "key usage does not include certificate signing",
            33 => "unable to get CRL issuer certificate",
            34 => "unhandled critical extension",
            35 => "key usage does not include CRL signing",
            36 => "unhandled critical CRL extension",
            40 => "proxy certificates not allowed, please set the appropriate flag",
            41 => "invalid or inconsistent certificate extension",
            42 => "invalid or inconsistent certificate policy extension",
            43 => "no explicit policy",
            44 => "different CRL scope",
            46 => "RFC 3779 resource not subset of parent's resources",
            47 => "permitted subtree violation",
            48 => "excluded subtree violation",
            49 => "name constraints minimum and maximum not supported",
            51 => "unsupported name constraint type",
            53 => "unsupported or invalid name syntax",
            54 => "CRL path validation error",
            62 => "hostname mismatch",
            63 => "email address mismatch",
            64 => "IP address mismatch",
            66 => "EE certificate key too weak",
            67 => "CA certificate key too weak",
            68 => "CA signature digest algorithm too weak",
            78 => "cert info signature and signature algorithm mismatch",
            79 => "invalid CA certificate",
            80 => "Path length invalid for non-CA cert",
            81 => "Path length given without key usage keyCertSign",
            82 => "Key usage keyCertSign invalid for non-CA cert",
            83 => "Issuer name empty",
            84 => "Subject name empty",
            85 => "Missing Authority Key Identifier",
            86 => "Missing Subject Key Identifier",
            87 => "Empty Subject Alternative Name extension",
            88 => "Subject empty and Subject Alt Name extension not critical",
            89 => "Basic Constraints of CA cert not marked critical",
            92 => "CA cert does not include key usage extension",
            93 => "Using cert extension requires at least X509v3",
            94 => "Certificate public key has explicit ECC parameters",
            _ => "unspecified certificate verification error",
        }
    }

    /// Whether `openssl verify` continues after printing the code (`apps/verify.c: cb`). The certificate has
    /// failed anyway.
    #[must_use]
    pub const fn is_let_through(self) -> bool {
        matches!(self.0, 10..=12 | 18 | 25 | 26 | 34 | 37 | 43 | 78..=93)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
