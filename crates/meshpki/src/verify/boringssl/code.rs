//! BoringSSL's error numbers and texts (`include/openssl/x509.h: X509_V_ERR_*`, `crypto/x509/x509_txt.cc`).

use crate::verify::Reason;

/// A number of `X509_STORE_CTX_get_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code(u8);

macro_rules! codes {
    ($($name:ident = $number:literal, $reason:ident, $text:literal;)*) => {
        impl Code {
            $(pub(super) const $name: Self = Self($number);)*

            /// `crypto/x509/x509_txt.cc: X509_verify_cert_error_string`.
            pub(super) const fn text(self) -> &'static str {
                match self.0 {
                    $($number => $text,)*
                    _ => "unknown certificate verification error",
                }
            }

            /// The class that every verifier has.
            pub(super) const fn reason(self) -> Reason {
                match self.0 {
                    $($number => Reason::$reason,)*
                    _ => Reason::Limit,
                }
            }
        }
    };
}

codes! {
    // Name constraints that are too many to compare; it has no text.
    UNSPECIFIED = 1, Limit, "unknown certificate verification error";
    UNABLE_TO_GET_ISSUER_CERT = 2, UnknownIssuer, "unable to get issuer certificate";
    UNABLE_TO_GET_CRL = 3, NoCrl, "unable to get certificate CRL";
    UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY = 6, Algorithm, "unable to decode issuer public key";
    CERT_SIGNATURE_FAILURE = 7, BadSignature, "certificate signature failure";
    CRL_SIGNATURE_FAILURE = 8, BadCrl, "CRL signature failure";
    CERT_NOT_YET_VALID = 9, NotYetValid, "certificate is not yet valid";
    CERT_HAS_EXPIRED = 10, Expired, "certificate has expired";
    CRL_NOT_YET_VALID = 11, CrlExpired, "CRL is not yet valid";
    CRL_HAS_EXPIRED = 12, CrlExpired, "CRL has expired";
    ERROR_IN_CERT_NOT_BEFORE_FIELD = 13, Unreadable, "format error in certificate's notBefore field";
    ERROR_IN_CERT_NOT_AFTER_FIELD = 14, Unreadable, "format error in certificate's notAfter field";
    ERROR_IN_CRL_LAST_UPDATE_FIELD = 15, BadCrl, "format error in CRL's lastUpdate field";
    ERROR_IN_CRL_NEXT_UPDATE_FIELD = 16, BadCrl, "format error in CRL's nextUpdate field";
    OUT_OF_MEM = 17, NameConstraints, "out of memory";
    DEPTH_ZERO_SELF_SIGNED_CERT = 18, UnknownIssuer, "self signed certificate";
    SELF_SIGNED_CERT_IN_CHAIN = 19, UnknownIssuer, "self signed certificate in certificate chain";
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20, UnknownIssuer, "unable to get local issuer certificate";
    CERT_REVOKED = 23, Revoked, "certificate revoked";
    INVALID_CA = 24, NotCa, "invalid CA certificate";
    PATH_LENGTH_EXCEEDED = 25, PathLength, "path length constraint exceeded";
    INVALID_PURPOSE = 26, ExtKeyUsage, "unsupported certificate purpose";
    UNHANDLED_CRITICAL_EXTENSION = 34, CriticalExtension, "unhandled critical extension";
    KEYUSAGE_NO_CRL_SIGN = 35, BadCrl, "key usage does not include CRL signing";
    UNHANDLED_CRITICAL_CRL_EXTENSION = 36, BadCrl, "unhandled critical CRL extension";
    INVALID_EXTENSION = 41, Unreadable, "invalid or inconsistent certificate extension";
    INVALID_POLICY_EXTENSION = 42, Policy, "invalid or inconsistent certificate policy extension";
    NO_EXPLICIT_POLICY = 43, Policy, "no explicit policy";
    DIFFERENT_CRL_SCOPE = 44, BadCrl, "Different CRL scope";
    PERMITTED_VIOLATION = 47, NameConstraints, "permitted subtree violation";
    EXCLUDED_VIOLATION = 48, NameConstraints, "excluded subtree violation";
    SUBTREE_MINMAX = 49, NameConstraints, "name constraints minimum and maximum not supported";
    UNSUPPORTED_CONSTRAINT_TYPE = 51, NameConstraints, "unsupported name constraint type";
    UNSUPPORTED_CONSTRAINT_SYNTAX = 52, NameConstraints, "unsupported or invalid name constraint syntax";
    UNSUPPORTED_NAME_SYNTAX = 53, NameConstraints, "unsupported or invalid name syntax";
    NAME_CONSTRAINTS_WITHOUT_SANS = 67, NameConstraints, "Issuer has name constraints but leaf has no SANs";
}
