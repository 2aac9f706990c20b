//! Object identifiers by the names the field uses, as DER content octets.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The content octets of an OBJECT IDENTIFIER.
pub type OidBytes = [u8];

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $bytes:expr;)*) => { $($(#[$doc])* pub const $name: &OidBytes = &$bytes;)* };
}

oids! {
    /// basicConstraints, 2.5.29.19.
    BASIC_CONSTRAINTS = [0x55, 0x1d, 19];
    /// keyUsage, 2.5.29.15.
    KEY_USAGE = [0x55, 0x1d, 15];
    /// extKeyUsage, 2.5.29.37.
    EXT_KEY_USAGE = [0x55, 0x1d, 37];
    /// subjectKeyIdentifier, 2.5.29.14.
    SUBJECT_KEY_ID = [0x55, 0x1d, 14];
    /// authorityKeyIdentifier, 2.5.29.35.
    AUTHORITY_KEY_ID = [0x55, 0x1d, 35];
    /// subjectAltName, 2.5.29.17.
    SUBJECT_ALT_NAME = [0x55, 0x1d, 17];
    /// issuerAltName, 2.5.29.18.
    ISSUER_ALT_NAME = [0x55, 0x1d, 18];
    /// nameConstraints, 2.5.29.30.
    NAME_CONSTRAINTS = [0x55, 0x1d, 30];
    /// cRLDistributionPoints, 2.5.29.31.
    CRL_DISTRIBUTION_POINTS = [0x55, 0x1d, 31];
    /// certificatePolicies, 2.5.29.32.
    CERTIFICATE_POLICIES = [0x55, 0x1d, 32];
    /// policyMappings, 2.5.29.33.
    POLICY_MAPPINGS = [0x55, 0x1d, 33];
    /// policyConstraints, 2.5.29.36.
    POLICY_CONSTRAINTS = [0x55, 0x1d, 36];
    /// inhibitAnyPolicy, 2.5.29.54.
    INHIBIT_ANY_POLICY = [0x55, 0x1d, 54];
    /// freshestCRL, 2.5.29.46.
    FRESHEST_CRL = [0x55, 0x1d, 46];
    /// cRLNumber, 2.5.29.20.
    CRL_NUMBER = [0x55, 0x1d, 20];
    /// reasonCode of a CRL entry, 2.5.29.21.
    CRL_REASON = [0x55, 0x1d, 21];
    /// deltaCRLIndicator, 2.5.29.27.
    DELTA_CRL = [0x55, 0x1d, 27];
    /// issuingDistributionPoint, 2.5.29.28.
    ISSUING_DISTRIBUTION_POINT = [0x55, 0x1d, 28];
    /// certificateIssuer of a CRL entry, 2.5.29.29.
    CERTIFICATE_ISSUER = [0x55, 0x1d, 29];
    /// Netscape certificate type, 2.16.840.1.113730.1.1.
    NS_CERT_TYPE = [0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 1, 1];
    /// proxyCertInfo, 1.3.6.1.5.5.7.1.14.
    PROXY_CERT_INFO = [0x2b, 6, 1, 5, 5, 7, 1, 14];
    /// id-on-SmtpUTF8Mailbox, 1.3.6.1.5.5.7.8.9.
    SMTP_UTF8_MAILBOX = [0x2b, 6, 1, 5, 5, 7, 8, 9];
    /// anyPolicy, 2.5.29.32.0.
    ANY_POLICY = [0x55, 0x1d, 32, 0];
    /// CPS pointer, 1.3.6.1.5.5.7.2.1.
    POLICY_CPS = [0x2b, 6, 1, 5, 5, 7, 2, 1];
    /// User notice, 1.3.6.1.5.5.7.2.2.
    POLICY_USER_NOTICE = [0x2b, 6, 1, 5, 5, 7, 2, 2];
    /// authorityInfoAccess, 1.3.6.1.5.5.7.1.1.
    AUTHORITY_INFO_ACCESS = [0x2b, 6, 1, 5, 5, 7, 1, 1];
    /// caIssuers, a method of authorityInfoAccess, 1.3.6.1.5.5.7.48.2.
    CA_ISSUERS = [0x2b, 6, 1, 5, 5, 7, 48, 2];
    /// ipAddrBlocks of RFC 3779, 1.3.6.1.5.5.7.1.7.
    IP_ADDR_BLOCKS = [0x2b, 6, 1, 5, 5, 7, 1, 7];
    /// autonomousSysIds of RFC 3779, 1.3.6.1.5.5.7.1.8.
    AUTONOMOUS_SYS_IDS = [0x2b, 6, 1, 5, 5, 7, 1, 8];
    /// OCSP no check, 1.3.6.1.5.5.7.48.1.5.
    OCSP_NO_CHECK = [0x2b, 6, 1, 5, 5, 7, 48, 1, 5];
    /// dvcs, 1.3.6.1.5.5.7.3.10.
    EKU_DVCS = [0x2b, 6, 1, 5, 5, 7, 3, 10];
    /// anyExtendedKeyUsage, 2.5.29.37.0.
    EKU_ANY = [0x55, 0x1d, 37, 0];
    /// serverAuth, 1.3.6.1.5.5.7.3.1.
    EKU_SERVER_AUTH = [0x2b, 6, 1, 5, 5, 7, 3, 1];
    /// clientAuth, 1.3.6.1.5.5.7.3.2.
    EKU_CLIENT_AUTH = [0x2b, 6, 1, 5, 5, 7, 3, 2];
    /// codeSigning, 1.3.6.1.5.5.7.3.3.
    EKU_CODE_SIGNING = [0x2b, 6, 1, 5, 5, 7, 3, 3];
    /// emailProtection, 1.3.6.1.5.5.7.3.4.
    EKU_EMAIL_PROTECTION = [0x2b, 6, 1, 5, 5, 7, 3, 4];
    /// ipsecEndSystem, 1.3.6.1.5.5.7.3.5.
    EKU_IPSEC_END_SYSTEM = [0x2b, 6, 1, 5, 5, 7, 3, 5];
    /// ipsecTunnel, 1.3.6.1.5.5.7.3.6.
    EKU_IPSEC_TUNNEL = [0x2b, 6, 1, 5, 5, 7, 3, 6];
    /// ipsecUser, 1.3.6.1.5.5.7.3.7.
    EKU_IPSEC_USER = [0x2b, 6, 1, 5, 5, 7, 3, 7];
    /// timeStamping, 1.3.6.1.5.5.7.3.8.
    EKU_TIME_STAMPING = [0x2b, 6, 1, 5, 5, 7, 3, 8];
    /// OCSPSigning, 1.3.6.1.5.5.7.3.9.
    EKU_OCSP_SIGNING = [0x2b, 6, 1, 5, 5, 7, 3, 9];
    /// Microsoft server gated crypto, 1.3.6.1.4.1.311.10.3.3.
    EKU_MS_SGC = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 10, 3, 3];
    /// Netscape server gated crypto, 2.16.840.1.113730.4.1.
    EKU_NS_SGC = [0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 4, 1];
    /// commonName, 2.5.4.3.
    COMMON_NAME = [0x55, 4, 3];
    /// surname, 2.5.4.4.
    SURNAME = [0x55, 4, 4];
    /// serialNumber of a device, 2.5.4.5.
    SERIAL_NUMBER = [0x55, 4, 5];
    /// countryName, 2.5.4.6.
    COUNTRY = [0x55, 4, 6];
    /// localityName, 2.5.4.7.
    LOCALITY = [0x55, 4, 7];
    /// stateOrProvinceName, 2.5.4.8.
    STATE = [0x55, 4, 8];
    /// streetAddress, 2.5.4.9.
    STREET = [0x55, 4, 9];
    /// organizationName, 2.5.4.10.
    ORGANIZATION = [0x55, 4, 10];
    /// organizationalUnitName, 2.5.4.11.
    ORGANIZATIONAL_UNIT = [0x55, 4, 11];
    /// domainComponent, 0.9.2342.19200300.100.1.25.
    DOMAIN_COMPONENT = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
    /// userId, 0.9.2342.19200300.100.1.1.
    USER_ID = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1];
    /// emailAddress, 1.2.840.113549.1.9.1.
    EMAIL_ADDRESS = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
    /// extensionRequest of a CSR, 1.2.840.113549.1.9.14.
    EXTENSION_REQUEST = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    /// rsaEncryption, 1.2.840.113549.1.1.1.
    RSA_ENCRYPTION = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    /// md5WithRSAEncryption, 1.2.840.113549.1.1.4.
    RSA_MD5 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4];
    /// sha1WithRSAEncryption, 1.2.840.113549.1.1.5.
    RSA_SHA1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5];
    /// RSASSA-PSS, 1.2.840.113549.1.1.10.
    RSA_PSS = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    /// MGF1, 1.2.840.113549.1.1.8.
    MGF1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    /// SHA-256, 2.16.840.1.101.3.4.2.1.
    SHA256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    /// SHA-384, 2.16.840.1.101.3.4.2.2.
    SHA384 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    /// SHA-512, 2.16.840.1.101.3.4.2.3.
    SHA512 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    /// sha256WithRSAEncryption, 1.2.840.113549.1.1.11.
    RSA_SHA256 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    /// sha384WithRSAEncryption, 1.2.840.113549.1.1.12.
    RSA_SHA384 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    /// sha512WithRSAEncryption, 1.2.840.113549.1.1.13.
    RSA_SHA512 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    /// id-ecPublicKey, 1.2.840.10045.2.1.
    EC_PUBLIC_KEY = [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    /// ecdsa-with-SHA1, 1.2.840.10045.4.1.
    ECDSA_SHA1 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    /// ecdsa-with-SHA256, 1.2.840.10045.4.3.2.
    ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    /// ecdsa-with-SHA384, 1.2.840.10045.4.3.3.
    ECDSA_SHA384 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    /// ecdsa-with-SHA512, 1.2.840.10045.4.3.4.
    ECDSA_SHA512 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    /// secp224r1, P-224, 1.3.132.0.33.
    P224 = [0x2b, 0x81, 0x04, 0, 33];
    /// secp256r1, P-256, 1.2.840.10045.3.1.7.
    P256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    /// secp384r1, P-384, 1.3.132.0.34.
    P384 = [0x2b, 0x81, 0x04, 0, 34];
    /// secp521r1, P-521, 1.3.132.0.35.
    P521 = [0x2b, 0x81, 0x04, 0, 35];
    /// SM2, 1.2.156.10197.1.301.
    SM2 = [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];
    /// Ed25519, 1.3.101.112.
    ED25519 = [0x2b, 0x65, 112];
    /// X25519, 1.3.101.110.
    X25519 = [0x2b, 0x65, 110];
    /// X448, 1.3.101.111.
    X448 = [0x2b, 0x65, 111];
    /// DSA, 1.2.840.10040.4.1.
    DSA = [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    /// dsa-with-sha1, 1.2.840.10040.4.3.
    DSA_SHA1 = [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3];
    /// dsa-with-sha256, 2.16.840.1.101.3.4.3.2.
    DSA_SHA256 = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2];
    /// Ed448, 1.3.101.113.
    ED448 = [0x2b, 0x65, 113];
}

mod later;
mod table;
mod types;

pub use types::{Oid, OidError};

/// An edition of OpenSSL's list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Edition {
    /// OpenSSL 3.0.
    V3_0,
    /// OpenSSL 3.5.
    V3_5,
    /// OpenSSL 3.6.
    V3_6,
}

/// Short and long name in an edition of OpenSSL; `None` for an OID it does not know.
#[must_use]
pub(crate) fn names_in(edition: Edition, oid: &OidBytes) -> Option<(&'static str, &'static str)> {
    let later = later::NAMES.binary_search_by(|(bytes, ..)| (*bytes).cmp(oid)).ok();
    let later = later.and_then(|index| later::NAMES.get(index));
    match later {
        Some((_, short, long, since)) if *since <= edition && !oid.is_empty() => {
            Some((short, long))
        }
        _ => entry(oid).map(|(_, short, long)| (*short, *long)),
    }
}

/// OpenSSL's short name, `CN`; `None` for an OID it does not know.
#[must_use]
pub fn short_name(oid: &OidBytes) -> Option<&'static str> {
    entry(oid).map(|(_, short, _)| *short)
}

/// OpenSSL's long name, `commonName`; for an OID it does not know, the dotted form, and for one that is too
/// long for that its octets (`crypto/asn1/a_object.c: i2a_ASN1_OBJECT`).
#[must_use]
pub fn long_name_or_dotted(oid: &OidBytes) -> String {
    long_name_in(Edition::V3_0, oid)
}

/// [`long_name_or_dotted`] in an edition of OpenSSL.
#[must_use]
pub fn long_name_in(edition: Edition, oid: &OidBytes) -> String {
    match names_in(edition, oid) {
        Some((_, long)) => long.to_string(),
        None if oid.len() > LONGEST_PRINTED => dotted(oid) + &dumped(oid),
        None => dotted(oid),
    }
}

/// Sixteen octets a line, in hex and as text (`crypto/bio/bio_dump.c: BIO_dump`).
fn dumped(bytes: &[u8]) -> String {
    let line = |(i, line): (usize, &[u8])| {
        let hex = |j: usize| {
            let end = if j == 7 { '-' } else { ' ' };
            line.get(j).map_or_else(|| String::from("   "), |b| format!("{b:02x}{end}"))
        };
        let hex: String = (0..16).map(hex).collect();
        let text =
            line.iter().map(|b| if (b' '..=b'~').contains(b) { char::from(*b) } else { '.' });
        format!("{:04x} - {hex}  {}\n", i * 16, text.collect::<String>())
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

fn entry(oid: &OidBytes) -> Option<&'static (&'static [u8], &'static str, &'static str)> {
    let index = table::NAMES.binary_search_by(|(bytes, _, _)| (*bytes).cmp(oid)).ok()?;
    table::NAMES.get(index)
}

/// The OID an edition of OpenSSL knows by that short or long name, short names first
/// (`crypto/objects/obj_dat.c: OBJ_sn2nid`, `OBJ_ln2nid`). One without any octets for the names it has for things
/// without an OID.
#[must_use]
pub fn by_name(edition: Edition, name: &str) -> Option<Oid> {
    let later = || later::NAMES.iter().filter(|(.., since)| *since <= edition);
    let renamed = |oid: &OidBytes| later().any(|(later, ..)| *later == oid);
    let find = |fits: &dyn Fn(&str, &str) -> bool| {
        let first = table::NAMES
            .iter()
            .find(|(oid, short, long)| fits(short, long) && !renamed(oid))
            .map(|(oid, ..)| *oid);
        let later = || later().find(|(_, short, long, _)| fits(short, long)).map(|(oid, ..)| *oid);
        first.or_else(later)
    };
    let bare = || table::BARE.iter().any(|(short, long)| *short == name || *long == name);
    let found = find(&|short, _| short == name).or_else(|| find(&|_, long| long == name));
    let bytes: Option<&'static OidBytes> = found;
    bytes.or_else(|| bare().then_some(&[])).map(Oid::of_static)
}

/// Content octets beyond which OpenSSL writes no OID out (`crypto/objects/obj_dat.c: OBJ_obj2txt`).
pub(crate) const LONGEST_PRINTED: usize = 586;

/// The dotted form, `2.5.29.19`; arcs of any size. `<INVALID>` for an OID of more than 586 octets, which
/// OpenSSL does not write out either.
#[must_use]
pub fn dotted(oid: &OidBytes) -> String {
    if oid.len() > LONGEST_PRINTED {
        return String::from("<INVALID>");
    }
    let mut arcs = oid.split_inclusive(|byte| byte & 0x80 == 0).map(decimal);
    let Some(first) = arcs.next() else { return String::new() };
    let (root, second) = match first.parse::<u128>() {
        Ok(n @ 0..80) => (n / 40, (n % 40).to_string()),
        Ok(n) => (2, (n - 80).to_string()),
        Err(_) => (2, first),
    };
    let mut text = root.to_string() + "." + &second;
    arcs.for_each(|arc| text = core::mem::take(&mut text) + "." + &arc);
    text
}

/// The content octets of a dotted OID; `None` when the text is not one, or an arc passes 2^64.
#[must_use]
pub(crate) fn parse_dotted(text: &str) -> Option<Vec<u8>> {
    let arcs: Option<Vec<u64>> = text
        .split('.')
        .map(|arc| if arc.starts_with('+') { None } else { arc.parse().ok() })
        .collect();
    let arcs = arcs?;
    let (&first, &second) = (arcs.first()?, arcs.get(1)?);
    if first > 2 || (first < 2 && second > 39) {
        return None;
    }
    let mut out = Vec::new();
    push_arc(&mut out, (first * 40).checked_add(second)?);
    arcs[2..].iter().for_each(|arc| push_arc(&mut out, *arc));
    Some(out)
}

fn push_arc(out: &mut Vec<u8>, arc: u64) {
    let mut groups = [0u8; 10];
    let mut at = groups.len();
    let mut rest = arc;
    loop {
        at -= 1;
        let more = if at == groups.len() - 1 { 0 } else { 0x80 };
        groups[at] = (rest & 0x7f).to_le_bytes()[0] | more;
        rest >>= 7;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&groups[at..]);
}

/// Decimal digits of a base-128 arc of any length.
fn decimal(arc: &[u8]) -> String {
    let mut digits: Vec<u8> = alloc::vec![0];
    for byte in arc {
        let mut carry = u32::from(byte & 0x7f);
        for digit in digits.iter_mut().rev() {
            let n = u32::from(*digit) * 128 + carry;
            *digit = (n % 10).to_le_bytes()[0];
            carry = n / 10;
        }
        while carry > 0 {
            digits.insert(0, (carry % 10).to_le_bytes()[0]);
            carry /= 10;
        }
    }
    digits.iter().map(|d| char::from(b'0' + d)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_and_back() {
        for text in [
            "2.5.29.19",
            "1.2.840.113549.1.1.11",
            "2.999.1",
            "0.9.2342.19200300.100.1.25",
            "1.3.101.112",
        ] {
            assert_eq!(dotted(&parse_dotted(text).unwrap()), text);
        }
        assert_eq!(
            dotted(&[0x55, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            "2.5.151115727451828646838271"
        );
        for text in ["", "1", "3.1", "1.40", "1..2", "1.2.x", "+1.2"] {
            assert_eq!(parse_dotted(text), None, "{text}");
        }
    }
}
