//! To and from the types of `rustls-pki-types` (feature `pki-types`).

use alloc::vec::Vec;

use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, CertificateSigningRequestDer,
    SubjectPublicKeyInfoDer, UnixTime,
};
#[cfg(feature = "soft-keys")]
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::cert::Cert;
use crate::crl::Crl;
use crate::csr::Csr;
use crate::der::DerError;
#[cfg(feature = "soft-keys")]
use crate::error::KeyProblem;
use crate::key::PublicKey;
#[cfg(feature = "soft-keys")]
use crate::soft::SoftKey;
use crate::time::Time;

macro_rules! both_ways {
    ($($ours:ident, $theirs:ident;)*) => { $(
        impl From<&$ours> for $theirs<'static> {
            fn from(value: &$ours) -> Self {
                Self::from(value.as_der().to_vec())
            }
        }

        impl TryFrom<&$theirs<'_>> for $ours {
            type Error = DerError;

            /// Reads the DER; bytes after it are an error.
            fn try_from(value: &$theirs<'_>) -> Result<Self, DerError> {
                let bytes: &[u8] = value.as_ref();
                let read = Self::from_der(bytes)?;
                let at = read.as_der().len();
                if at != bytes.len() {
                    return Err(DerError { at, what: "bytes after the end" });
                }
                Ok(read)
            }
        }

        impl TryFrom<$theirs<'_>> for $ours {
            type Error = DerError;

            /// Reads the DER; bytes after it are an error.
            fn try_from(value: $theirs<'_>) -> Result<Self, DerError> {
                Self::try_from(&value)
            }
        }
    )* };
}

both_ways! {
    Cert, CertificateDer;
    Crl, CertificateRevocationListDer;
    Csr, CertificateSigningRequestDer;
    PublicKey, SubjectPublicKeyInfoDer;
}

#[cfg(feature = "soft-keys")]
impl From<&SoftKey> for PrivateKeyDer<'static> {
    /// The key as PKCS#8. The copy is not zeroized when dropped.
    fn from(key: &SoftKey) -> Self {
        let bytes: Vec<u8> = key.as_pkcs8().to_vec();
        Self::Pkcs8(PrivatePkcs8KeyDer::from(bytes))
    }
}

#[cfg(feature = "soft-keys")]
impl TryFrom<&PrivateKeyDer<'_>> for SoftKey {
    type Error = KeyProblem;

    /// Reads PKCS#8, SEC1 or PKCS#1.
    fn try_from(key: &PrivateKeyDer<'_>) -> Result<Self, KeyProblem> {
        match key {
            PrivateKeyDer::Pkcs8(key) => Self::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(key) => Self::from_sec1(key.secret_sec1_der()),
            PrivateKeyDer::Pkcs1(key) => Self::from_pkcs1(key.secret_pkcs1_der()),
            _ => Err(KeyProblem::Unsupported("a key of an unknown form".into())),
        }
    }
}

impl From<UnixTime> for Time {
    fn from(time: UnixTime) -> Self {
        Self(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(all(test, feature = "soft-keys"))]
mod tests {
    use super::*;
    use crate::issue::{Serial, Stamp, self_signed};
    use crate::key::Signer;
    use crate::profile::Profile;
    use crate::soft::KeyType;

    #[test]
    fn there_and_back() {
        for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519] {
            let key = SoftKey::generate(kind).unwrap();
            let again = SoftKey::try_from(&PrivateKeyDer::from(&key)).unwrap();
            assert_eq!(again.public_key(), key.public_key());
            let profile = Profile::root("CN=Root".parse().unwrap());
            let stamp = Stamp::made_at(Time(1_795_244_400), Serial::generate());
            let cert = self_signed(&profile, &key, stamp).unwrap();
            assert_eq!(Cert::try_from(CertificateDer::from(&cert)), Ok(cert.clone()));
            let spki = SubjectPublicKeyInfoDer::from(key.public_key());
            assert_eq!(PublicKey::try_from(spki).as_ref(), Ok(key.public_key()));
            let mut long = cert.as_der().to_vec();
            long.push(0);
            let error = Cert::try_from(CertificateDer::from(long)).unwrap_err();
            assert_eq!(error.at, cert.as_der().len());
        }
    }

    #[test]
    fn older_forms_of_keys() {
        let key = SoftKey::generate(KeyType::EcdsaP256).unwrap();
        // ECPrivateKey is the content of the OCTET STRING in PKCS#8, without its curve.
        let pkcs8 = crate::der::Reader::new(key.as_pkcs8()).any().unwrap();
        let mut parts = pkcs8.reader();
        let (_, algorithm) = (parts.any().unwrap(), parts.any().unwrap());
        let inner = parts.any().unwrap().content;
        let curve = algorithm.reader();
        let mut curve = curve;
        let _ = curve.any().unwrap();
        let curve = curve.any().unwrap().raw;
        let ec = crate::der::Reader::new(inner).any().unwrap();
        let mut fields = ec.reader();
        let (version, number) = (fields.any().unwrap().raw, fields.any().unwrap().raw);
        let named = crate::der::constructed(0xa0, &[curve]);
        let rest = fields.rest();
        let sec1 = crate::der::sequence(&[version, number, &named, rest]);
        let again = SoftKey::try_from(&PrivateKeyDer::Sec1(sec1.into())).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert!(SoftKey::try_from(&PrivateKeyDer::Pkcs1(alloc::vec![0x30, 0].into())).is_err());
    }

    #[test]
    fn times() {
        let time = UnixTime::since_unix_epoch(core::time::Duration::from_millis(7_999));
        assert_eq!(Time::from(time), Time(7));
    }
}
