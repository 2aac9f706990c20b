//! Certificate signing requests (PKCS#10, RFC 2986).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;

use crate::algorithm::{algorithm_parts, check_algorithm};
use crate::cert::encode::extension;
use crate::cert::{self, GeneralName, RawExtension};
use crate::der::shape::{bit_string, range};
use crate::der::{self, DerError, Reader, Tlv};
use crate::error::Error;
use crate::key::{PublicKey, Signer, post_quantum};
use crate::name::Name;
use crate::oid;
use crate::profile::Role;
use crate::profile::limits::{self, at_most};
use crate::signature::{self, SignatureCheck, SignatureInput};

/// A certificate signing request: whoever holds the key asks for a certificate.
///
/// Only subject and key are used when signing; what it asks for beyond that is shown, not believed.
#[derive(Clone)]
pub struct Csr {
    der: Vec<u8>,
    info: Range<usize>,
    algorithm: Range<usize>,
    signature: Vec<u8>,
    subject: Name,
    key: PublicKey,
    extensions: Vec<RawExtension>,
}

impl Csr {
    /// Reads one CSR; bytes after it are ignored.
    ///
    /// # Errors
    /// [`DerError`] with the offset.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let outer = Reader::new(bytes).expect(der::SEQUENCE, "the CSR is not a SEQUENCE")?;
        let mut parts = outer.reader();
        let info = parts.expect(der::SEQUENCE, "certificationRequestInfo is not a SEQUENCE")?;
        let algorithm = parts.expect(der::SEQUENCE, "signatureAlgorithm is not a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        let signature = parts.expect_string(der::BIT_STRING, "signature is not a BIT STRING")?;
        parts.end("extra element in the CSR")?;
        let mut fields = info.reader();
        fields.expect(der::INTEGER, "version is not an INTEGER")?;
        let subject = Name::from_tlv(&fields.expect(der::SEQUENCE, "subject is not a SEQUENCE")?)?;
        let spki = fields.expect(der::SEQUENCE, "subjectPublicKeyInfo is not a SEQUENCE")?;
        let key = PublicKey::read(&spki)?;
        let extensions = match fields.optional(0xa0)? {
            Some(attributes) => requested_extensions(&attributes)?,
            None => Vec::new(),
        };
        Ok(Self {
            der: outer.raw.to_vec(),
            info: range(&info),
            algorithm: range(&algorithm),
            signature: bit_string(&signature)?.0,
            subject,
            key,
            extensions,
        })
    }

    /// Asks for a certificate: subject, names, and for a CA the basicConstraints it should have.
    ///
    /// # Errors
    /// `pki/forgeable-key`, `pki/unsupported-key`, `pki/sign`.
    pub fn create(
        subject: &Name,
        subject_alt_names: &[GeneralName],
        role: Role,
        signer: &dyn Signer,
    ) -> Result<Self, Error> {
        Error::check_sound(signer.public_key(), || {
            alloc::format!("the key of `{}`", subject.label())
        })?;
        let algorithm =
            signer.public_key().signing_algorithm().ok_or_else(|| Error::UnsupportedKey {
                what: alloc::format!("the key of `{}`", subject.label()),
                found: alloc::format!("{}", signer.public_key().algorithm()),
                why: "its signature algorithm is not supported".into(),
            })?;
        let info = der::sequence(&[
            &der::integer(&[0]),
            subject.as_der(),
            signer.public_key().as_der(),
            &der::constructed(0xa0, &[&attributes(subject_alt_names, role)]),
        ]);
        let signature =
            signer.sign(&info).map_err(|source| Error::Sign { issuer: subject.label(), source })?;
        let der = der::sequence(&[&info, &algorithm, &der::bit_string(&signature)]);
        Self::from_der(&der).map_err(|source| Error::Der { what: "the new CSR".into(), source })
    }

    /// The CSR's bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The CSR as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        crate::pem::encode(crate::pem::CERTIFICATE_REQUEST, &self.der)
    }

    /// The subject asked for.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key to be certified.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The signed bytes, as given.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.der[self.info.clone()]
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The AlgorithmIdentifier next to the signature.
    #[must_use]
    pub fn signature_algorithm(&self) -> &[u8] {
        &self.der[self.algorithm.clone()]
    }

    /// The extensions asked for, in order.
    #[must_use]
    pub fn raw_extensions(&self) -> &[RawExtension] {
        &self.extensions
    }

    /// The subject alternative names asked for.
    #[must_use]
    pub fn subject_alt_names(&self) -> Vec<GeneralName> {
        let names = |value: &[u8]| -> Result<Vec<GeneralName>, DerError> {
            let mut parts =
                Reader::new(value).expect(der::SEQUENCE, "names are not a SEQUENCE")?.reader();
            let mut names = Vec::new();
            while let Some(name) = parts.next()? {
                names.push(GeneralName::from_tlv(&name)?);
            }
            Ok(names)
        };
        let wanted = self.extensions.iter().find(|e| e.oid == oid::SUBJECT_ALT_NAME);
        wanted.and_then(|e| names(&e.value).ok()).unwrap_or_default()
    }

    /// The name of the signature algorithm where its digest is weaker than SHA-224, or none is known: what MD5 or SHA-1
    /// signs, someone else may have written.
    pub(crate) fn weak_algorithm(&self) -> Option<String> {
        let algorithm = self.signature_algorithm();
        let is_strong = signature::security_bits(algorithm).is_some_and(|bits| bits >= 112);
        let oid = || algorithm_parts(algorithm).map(|(oid, _)| post_quantum::name(oid));
        (!is_strong).then(|| oid().unwrap_or_default())
    }

    /// The key to certify, once the CSR's signature has proven that the requester holds it. Everything else the CSR
    /// asks for is left to the profile.
    ///
    /// # Errors
    /// `pki/csr-signature`, `pki/csr-weak-signature`, `pki/forgeable-key`, `pki/too-many`, `pki/unsupported-key`.
    pub fn verified_key(&self) -> Result<&PublicKey, Error> {
        let subject = || self.subject.label();
        self.check_size()?;
        Error::check_sound(&self.key, || alloc::format!("the key of the CSR of `{}`", subject()))?;
        let check = self.check_signature();
        if check == SignatureCheck::Bad {
            return Err(Error::CsrSignature { subject: subject() });
        }
        if let Some(algorithm) = self.weak_algorithm() {
            return Err(Error::CsrWeakSignature { subject: subject(), algorithm });
        }
        match check {
            SignatureCheck::Good => Ok(&self.key),
            _ => Err(Error::UnsupportedKey {
                what: alloc::format!("the key of the CSR of `{}`", subject()),
                found: alloc::format!("{}", self.key.algorithm()),
                why: "its signature algorithm is not supported".into(),
            }),
        }
    }

    /// Limits everything a CSR asks for, whether it is granted or not: the signer reads all of it.
    fn check_size(&self) -> Result<(), Error> {
        let whose = self.subject.label();
        let attributes = self.subject.attribute_count();
        at_most(limits::CSR_BYTES, self.der.len(), "bytes in the CSR", &whose)?;
        at_most(limits::ATTRIBUTES, attributes, "attributes in the subject", &whose)?;
        at_most(limits::EXTENSIONS, self.extensions.len(), "extensions in the CSR", &whose)?;
        at_most(limits::NAMES, self.subject_alt_names().len(), "names in the CSR", &whose)
    }

    /// Whether the signature is by the key the CSR asks to certify.
    #[must_use]
    pub fn check_signature(&self) -> SignatureCheck {
        signature::check(&SignatureInput {
            algorithm: self.signature_algorithm(),
            message: self.tbs(),
            signature: &self.signature,
            key: &self.key,
        })
    }
}

impl PartialEq for Csr {
    /// Byte by byte.
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Csr {}

impl Hash for Csr {
    /// Byte by byte.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

impl TryFrom<&[u8]> for Csr {
    type Error = DerError;

    /// [`Csr::from_der`].
    fn try_from(bytes: &[u8]) -> Result<Self, DerError> {
        Self::from_der(bytes)
    }
}

impl AsRef<[u8]> for Csr {
    /// [`Csr::as_der`].
    fn as_ref(&self) -> &[u8] {
        self.as_der()
    }
}

impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Csr({}, {:?})", self.subject, self.key)
    }
}

/// The extensions of the extensionRequest attribute (RFC 2985 section 5.4.2).
fn requested_extensions(attributes: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut parts = attributes.reader();
    let mut extensions = Vec::new();
    while let Some(attribute) = parts.next()? {
        let mut fields = attribute.reader();
        let kind = fields.expect(der::OID, "attribute type is not an OID")?;
        let mut values = fields.expect(der::SET, "attribute values are not a SET")?.reader();
        if kind.content == oid::EXTENSION_REQUEST
            && let Some(list) = values.optional(der::SEQUENCE)?
        {
            extensions.extend(cert::read_extension_list(&list)?);
        }
    }
    Ok(extensions)
}

/// The extensionRequest attribute; nothing at all when no extension is asked for, since the list may not be
/// empty (RFC 5280 section 4.1).
fn attributes(subject_alt_names: &[GeneralName], role: Role) -> Vec<u8> {
    let mut list = Vec::new();
    if !subject_alt_names.is_empty() {
        let names: Vec<u8> = subject_alt_names.iter().flat_map(GeneralName::to_der).collect();
        list.extend(extension(oid::SUBJECT_ALT_NAME, false, &der::sequence(&[&names])));
    }
    if matches!(role, Role::Ca { .. }) {
        list.extend(extension(oid::BASIC_CONSTRAINTS, true, &role.basic_constraints()));
    }
    if list.is_empty() {
        return list;
    }
    let extensions = der::sequence(&[&list]);
    der::sequence(&[
        &der::tlv(der::OID, oid::EXTENSION_REQUEST),
        &der::constructed(der::SET, &[&extensions]),
    ])
}

#[cfg(test)]
mod tests;
