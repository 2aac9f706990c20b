//! Keys and CAs for `rcgen` (feature `rcgen`).

use alloc::string::String;
use alloc::vec::Vec;

use rcgen::string::{BmpString, Ia5String, PrintableString, TeletexString};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyIdMethod, KeyUsagePurpose,
    PublicKeyData, SignatureAlgorithm, SigningKey,
};

use crate::cacerts::CaCerts;
use crate::cert::{Cert, KeyUsage};
use crate::der;
use crate::key::{KeyAlgorithm, Signer};
use crate::name::{Attribute, Name};
use crate::oid::{self, Oid};
use crate::soft::SoftKey;

impl PublicKeyData for SoftKey {
    fn der_bytes(&self) -> &[u8] {
        self.public_key().bits()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.public_key().algorithm() {
            KeyAlgorithm::EcdsaP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcdsaP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            #[cfg(feature = "aws-lc")]
            KeyAlgorithm::EcdsaP521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            KeyAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
            KeyAlgorithm::Rsa { bits: ..3072 } => &rcgen::PKCS_RSA_SHA256,
            KeyAlgorithm::Rsa { bits: ..4096 } => &rcgen::PKCS_RSA_SHA384,
            // A `SoftKey` has none of the other algorithms.
            _ => &rcgen::PKCS_RSA_SHA512,
        }
    }
}

impl SigningKey for SoftKey {
    /// Signs with the algorithm of [`PublicKey::signing_algorithm`](crate::PublicKey::signing_algorithm).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Signer::sign(self, message).ok().ok_or(rcgen::Error::RemoteKeyError)
    }
}

impl CaCerts {
    /// The CA as an issuer of `rcgen`, which mints certificates under it.
    ///
    /// The certificates have the CA's subject as issuer, attribute by attribute, and its subject key identifier as
    /// authority key identifier if their parameters ask for one.
    ///
    /// # Errors
    /// [`rcgen::Error::CouldNotParseCertificate`] if `rcgen` cannot write the CA's subject: an RDN of several
    /// attributes, an attribute that is there twice, or a string type other than those of RFC 5280.
    pub fn rcgen_issuer(&self) -> Result<Issuer<'static, &SoftKey>, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(self.ca().subject())
            .ok_or(rcgen::Error::CouldNotParseCertificate)?;
        params.key_usages = key_usages(self.ca());
        let key_id = self.ca().extensions().subject_key_id.clone();
        let key_id = key_id.unwrap_or_else(|| self.ca().public_key().key_id().to_vec());
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_id);
        Ok(Issuer::new(params, self.key()))
    }
}

fn key_usages(ca: &Cert) -> Vec<KeyUsagePurpose> {
    let Some(usage) = ca.extensions().key_usage else { return Vec::new() };
    [
        (KeyUsage::KEY_CERT_SIGN, KeyUsagePurpose::KeyCertSign),
        (KeyUsage::CRL_SIGN, KeyUsagePurpose::CrlSign),
    ]
    .into_iter()
    .filter(|(bit, _)| usage.contains(*bit))
    .map(|(_, purpose)| purpose)
    .collect()
}

/// The same name; `None` where `rcgen` would write another one.
fn distinguished_name(name: &Name) -> Option<DistinguishedName> {
    let mut out = DistinguishedName::new();
    for rdn in name.rdns() {
        let [attribute] = rdn.as_slice() else { return None };
        let kind = kind(&attribute.oid)?;
        if out.get(&kind).is_some() {
            return None;
        }
        out.push(kind, value(attribute)?);
    }
    Some(out)
}

fn kind(oid: &Oid) -> Option<DnType> {
    Some(match oid.as_bytes() {
        oid::COUNTRY => DnType::CountryName,
        oid::LOCALITY => DnType::LocalityName,
        oid::STATE => DnType::StateOrProvinceName,
        oid::ORGANIZATION => DnType::OrganizationName,
        oid::ORGANIZATIONAL_UNIT => DnType::OrganizationalUnitName,
        oid::COMMON_NAME => DnType::CommonName,
        _ => {
            let arcs: Result<Vec<u64>, _> =
                alloc::format!("{oid}").split('.').map(str::parse).collect();
            DnType::CustomDnType(arcs.ok()?)
        }
    })
}

fn value(attribute: &Attribute) -> Option<DnValue> {
    let text = attribute.text()?;
    let bytes = attribute.value.clone();
    Some(match attribute.tag {
        der::UTF8_STRING => DnValue::Utf8String(text),
        der::PRINTABLE_STRING => DnValue::PrintableString(PrintableString::try_from(text).ok()?),
        der::IA5_STRING => DnValue::Ia5String(Ia5String::try_from(text).ok()?),
        der::T61_STRING => {
            DnValue::TeletexString(TeletexString::try_from(String::from_utf8(bytes).ok()?).ok()?)
        }
        der::BMP_STRING => DnValue::BmpString(BmpString::from_utf16be(bytes).ok()?),
        _ => return None,
    })
}
