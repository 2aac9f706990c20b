//! What a certificate may be used for: purposes, CA status and trust settings
//! (`crypto/x509/v3_purp.c`, `crypto/x509/x509_trust.c`).

use super::issued::has_self_signed_flag;
use super::{Link, Purpose, Release, Run, Step};
use crate::cert::{Cert, ExtendedUsages, KeyUsage};
use crate::oid::{self, Oid};

/// Netscape certificate types (`include/openssl/x509v3.h.in: NS_*`).
mod netscape {
    pub(super) const SSL_CLIENT: u8 = 0x80;
    pub(super) const SSL_SERVER: u8 = 0x40;
    pub(super) const SMIME: u8 = 0x20;
    pub(super) const SSL_CA: u8 = 0x04;
    pub(super) const SMIME_CA: u8 = 0x02;
    pub(super) const ANY_CA: u8 = 0x07;
}

/// What trust settings say of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Trusted,
    Rejected,
    Unknown,
}

impl Purpose {
    /// The purpose by its name on the command line (`xstandard`, column `sname`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, n)| *n == name).map(|(purpose, _)| purpose)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.into_iter().find(|(purpose, _)| *purpose == self).map_or("", |(_, name)| name)
    }

    /// Whether a release has it.
    #[must_use]
    pub const fn is_of(self, release: Release) -> bool {
        // `crypto/x509/v3_purp.c: xstandard` of 3.2
        !matches!(self, Self::CodeSign) || release.since(3, 2)
    }

    /// Every purpose with its name.
    pub const NAMES: [(Self, &'static str); 10] = [
        (Self::SslClient, "sslclient"),
        (Self::SslServer, "sslserver"),
        (Self::NsSslServer, "nssslserver"),
        (Self::SmimeSign, "smimesign"),
        (Self::SmimeEncrypt, "smimeencrypt"),
        (Self::CrlSign, "crlsign"),
        (Self::Any, "any"),
        (Self::OcspHelper, "ocsphelper"),
        (Self::TimestampSign, "timestampsign"),
        (Self::CodeSign, "codesign"),
    ];

    /// The extended key usages one of which it takes; `None` when it does not ask.
    pub(super) const fn extended_usages(self) -> Option<ExtendedUsages> {
        match self {
            Self::SslClient => Some(ExtendedUsages::CLIENT),
            Self::SslServer | Self::NsSslServer => {
                Some(ExtendedUsages(ExtendedUsages::SERVER.0 | ExtendedUsages::GATED.0))
            }
            Self::SmimeSign | Self::SmimeEncrypt => Some(ExtendedUsages::EMAIL),
            Self::CodeSign => Some(ExtendedUsages::CODE),
            Self::CrlSign | Self::Any | Self::OcspHelper | Self::TimestampSign => None,
        }
    }

    /// The key usages one of which a target takes.
    pub(super) const fn key_usages(self) -> Option<KeyUsage> {
        use KeyUsage as K;
        Some(match self {
            Self::SslClient => K::DIGITAL_SIGNATURE.with(K::KEY_AGREEMENT),
            Self::SslServer => {
                K::DIGITAL_SIGNATURE.with(K::KEY_ENCIPHERMENT).with(K::KEY_AGREEMENT)
            }
            Self::NsSslServer | Self::SmimeEncrypt => K::KEY_ENCIPHERMENT,
            Self::SmimeSign | Self::TimestampSign => K::DIGITAL_SIGNATURE.with(K::NON_REPUDIATION),
            Self::CrlSign => K::CRL_SIGN,
            Self::CodeSign => K::DIGITAL_SIGNATURE,
            Self::Any | Self::OcspHelper => return None,
        })
    }

    /// The usage a trust setting must name; `None` where settings are not checked
    /// (`xstandard` to `trstandard`).
    const fn trust_usage(purpose: Option<Self>) -> Option<&'static [u8]> {
        match purpose {
            None | Some(Self::Any) => Some(oid::EKU_ANY),
            Some(Self::SslClient) => Some(oid::EKU_CLIENT_AUTH),
            Some(Self::SslServer | Self::NsSslServer) => Some(oid::EKU_SERVER_AUTH),
            Some(Self::SmimeSign | Self::SmimeEncrypt) => Some(oid::EKU_EMAIL_PROTECTION),
            Some(Self::TimestampSign) => Some(oid::EKU_TIME_STAMPING),
            Some(Self::CodeSign) => Some(oid::EKU_CODE_SIGNING),
            Some(Self::CrlSign | Self::OcspHelper) => None,
        }
    }
}

/// `crypto/x509/x509_trust.c: X509_check_trust`; `self_signed_counts` is false under
/// `X509_TRUST_NO_SS_COMPAT`.
pub(super) fn check_trust_setting(
    link: &Link<'_>,
    purpose: Option<Purpose>,
    self_signed_counts: bool,
    release: Release,
) -> Trust {
    let usage = Purpose::trust_usage(purpose);
    if let (Some(usage), Some(aux)) = (usage, link.aux) {
        let names = |list: &[Oid]| list.iter().any(|oid| *oid == usage || *oid == oid::EKU_ANY);
        if names(&aux.reject) {
            return Trust::Rejected;
        }
        match &aux.trust {
            Some(trust) if names(trust) => return Trust::Trusted,
            Some(_) => return Trust::Rejected,
            None => {}
        }
    }
    let is_root = !link.cert.extensions().invalid && has_self_signed_flag(link.cert, release);
    if self_signed_counts && is_root { Trust::Trusted } else { Trust::Unknown }
}

/// `crypto/x509/v3_purp.c: check_ca`: 0 no CA, 1 a CA, 3 a self-signed v1 certificate, 4 by keyUsage alone,
/// 5 by nsCertType alone.
pub(super) fn ca_status(cert: &Cert, release: Release) -> u8 {
    let extensions = cert.extensions();
    if extensions.lacks_usage(KeyUsage::KEY_CERT_SIGN) {
        return 0;
    }
    if let Some(constraints) = extensions.basic_constraints {
        return u8::from(constraints.ca);
    }
    if cert.version() == 0 && has_self_signed_flag(cert, release) {
        return 3;
    }
    if extensions.key_usage.is_some() {
        return 4;
    }
    if extensions.netscape_type.is_some_and(|bits| bits & netscape::ANY_CA != 0) { 5 } else { 0 }
}

/// `crypto/x509/v3_purp.c: X509_check_purpose`: 0 no, 1 yes, other numbers yes but for strict callers.
fn check_purpose(cert: &Cert, purpose: Purpose, as_ca: bool, release: Release) -> i8 {
    let extensions = cert.extensions();
    if extensions.invalid {
        return -1;
    }
    // For code signing only the target's are looked at, with its other usages.
    let wanted = purpose.extended_usages().filter(|_| purpose != Purpose::CodeSign);
    if let (Some(wanted), Some(there)) = (wanted, extensions.extended_usages())
        && !there.intersects(wanted)
    {
        return 0;
    }
    if as_ca {
        check_purpose_ca(cert, purpose, release)
    } else {
        check_purpose_target(cert, purpose)
    }
}

fn check_purpose_ca(cert: &Cert, purpose: Purpose, release: Release) -> i8 {
    let status = ca_status(cert, release);
    let netscape = |bit: u8| cert.extensions().netscape_type.is_some_and(|bits| bits & bit != 0);
    match purpose {
        Purpose::Any => 1,
        Purpose::SslClient | Purpose::SslServer | Purpose::NsSslServer => {
            i8::from(status != 0 && (status != 5 || netscape(netscape::SSL_CA)))
        }
        Purpose::SmimeSign | Purpose::SmimeEncrypt
            if status == 5 && !netscape(netscape::SMIME_CA) =>
        {
            0
        }
        _ => i8::try_from(status).unwrap_or(0),
    }
}

fn check_purpose_target(cert: &Cert, purpose: Purpose) -> i8 {
    let extensions = cert.extensions();
    let lacks_netscape = |bit: u8| extensions.netscape_type.is_some_and(|bits| bits & bit == 0);
    let mut answer = 1;
    match purpose {
        Purpose::SslClient if lacks_netscape(netscape::SSL_CLIENT) => return 0,
        Purpose::SslServer | Purpose::NsSslServer if lacks_netscape(netscape::SSL_SERVER) => {
            return 0;
        }
        // Certificates for S/MIME that say SSL client are let pass, but not by strict callers.
        Purpose::SmimeSign | Purpose::SmimeEncrypt if lacks_netscape(netscape::SMIME) => {
            if lacks_netscape(netscape::SSL_CLIENT) {
                return 0;
            }
            answer = 2;
        }
        Purpose::TimestampSign if !may_sign_timestamps(cert) => return 0,
        Purpose::CodeSign if !may_sign_code(cert) => return 0,
        _ => {}
    }
    let lacks = |usage| extensions.lacks_usage(usage);
    // nssslserver asks for what sslserver asks, and for key encipherment.
    if purpose.key_usages().is_some_and(lacks)
        || (purpose == Purpose::NsSslServer && Purpose::SslServer.key_usages().is_some_and(lacks))
    {
        return 0;
    }
    answer
}

/// `crypto/x509/v3_purp.c: check_purpose_timestamp_sign`: nothing but time stamping, and critical.
fn may_sign_timestamps(cert: &Cert) -> bool {
    let extensions = cert.extensions();
    let allowed = KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::NON_REPUDIATION);
    let only_signs = extensions.key_usage.is_none_or(|usage| usage.0 & !allowed.0 == 0);
    let first = cert.raw_extensions().iter().find(|e| e.oid == oid::EXT_KEY_USAGE);
    only_signs
        && extensions.extended_usages() == Some(ExtendedUsages::TIME)
        && first.is_none_or(|e| e.critical)
}

/// `crypto/x509/v3_purp.c: check_purpose_code_sign` of 3.2: a critical key usage that says so and signs no certificates,
/// and an extended one that is not for servers or anything.
fn may_sign_code(cert: &Cert) -> bool {
    let extensions = cert.extensions();
    let signs_certs = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN);
    let only_code = extensions.key_usage.is_some_and(|usage| usage.0 & signs_certs.0 == 0);
    let first = cert.raw_extensions().iter().find(|e| e.oid == oid::KEY_USAGE);
    let others = ExtendedUsages(ExtendedUsages::ANY.0 | ExtendedUsages::SERVER.0);
    let fits = |usages: ExtendedUsages| {
        usages.intersects(ExtendedUsages::CODE) && !usages.intersects(others)
    };
    only_code && first.is_some_and(|e| e.critical) && extensions.extended_usages().is_some_and(fits)
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_purpose`.
    pub(super) fn check_purpose(&mut self, depth: usize, purpose: Purpose, as_ca: bool) -> Step {
        let link = self.chain[depth];
        let setting = if depth >= self.num_untrusted && self.policy.purpose == Some(purpose) {
            check_trust_setting(&link, self.policy.trust(), false, self.policy.release)
        } else {
            Trust::Unknown
        };
        let fits = match setting {
            Trust::Trusted => true,
            Trust::Rejected => false,
            Trust::Unknown => match check_purpose(link.cert, purpose, as_ca, self.policy.release) {
                1 => true,
                0 => false,
                _ => !self.policy.strict,
            },
        };
        if fits { Ok(()) } else { self.report(26, depth) }
    }
}
