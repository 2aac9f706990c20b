//! PKCS#12 containers (RFC 7292), which `.pfx` and `.p12` files are, in DER or BER: checked by their MAC, decrypted, read.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::digest::block_api::BlockSizeUser;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::encryption::{Budget, decrypt, iterations};
use super::pkcs12_kdf::{NO_PASSPHRASE, Use, derive, or_empty};
use crate::der::{self, DerError, Reader, Tlv};
use crate::error::{Error, KeyProblem};
use crate::oid;

/// PKCS#7 content types end in one octet after this: 1.2.840.113549.1.7.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
/// Kinds of bags end in one octet after this: 1.2.840.113549.1.12.10.1.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
/// x509Certificate, 1.2.840.113549.1.9.22.1.
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
/// x509CRL, 1.2.840.113549.1.9.23.1.
const X509_CRL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 23, 1];
/// id-PBMAC1, 1.2.840.113549.1.5.14.
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
/// id-PBKDF2, 1.2.840.113549.1.5.12.
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// HMACs with SHA-1 and SHA-2 end in one octet after this: 1.2.840.113549.2.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];
/// SHA-1, 1.3.14.3.2.26.
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
/// SHA-2 ends in one octet after this: 2.16.840.1.101.3.4.2.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];
/// Bags within bags: programs write one level at most.
const MAX_NESTING: usize = 4;

/// What is in a container.
#[derive(Default)]
pub struct Pkcs12 {
    /// Encodings of certificates, in their order.
    pub certs: Vec<Vec<u8>>,
    /// Encodings of certificate revocation lists.
    pub crls: Vec<Vec<u8>>,
    /// Private keys in PKCS#8, decrypted.
    pub keys: Vec<Zeroizing<Vec<u8>>>,
    /// What was skipped: the OIDs of other bags.
    pub others: Vec<String>,
}

impl Pkcs12 {
    /// Whether `bytes` begin as such a container.
    #[must_use]
    pub fn is(bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        let Ok(outer) = reader.expect(der::SEQUENCE, "") else { return false };
        let mut parts = outer.reader();
        parts.expect(der::INTEGER, "").is_ok_and(|version| version.content == [3])
            && parts.peek() == Some(der::SEQUENCE)
    }

    /// Whether a container has a MAC, which tells a wrong passphrase.
    #[must_use]
    pub fn has_mac(bytes: &[u8]) -> bool {
        outer(bytes).is_ok_and(|(_, mac)| mac.is_some())
    }

    /// Reads a container. Without a passphrase, the empty one is tried, with which many programs write.
    ///
    /// # Errors
    /// `pki/key-encrypted` when a passphrase is needed, `pki/key-passphrase` when it is the wrong one, `pki/key-cost`
    /// for more work than the budget allows, `pki/container` for anything else.
    pub fn open(
        bytes: &[u8],
        passphrase: Option<&[u8]>,
        budget: &mut Budget,
    ) -> Result<Self, Error> {
        let fail = |problem| Error::Container { kind: "PKCS#12", problem };
        let given = passphrase.unwrap_or_default();
        let trial = |budget: &mut Budget, is_second: bool| {
            Self::open_with(bytes, if is_second { NO_PASSPHRASE } else { given }, budget)
        };
        let opened = budget.try_both(trial, given.is_empty());
        opened.map_err(|problem| match problem {
            KeyProblem::WrongPassphrase if passphrase.is_none() => {
                fail(KeyProblem::PassphraseNeeded)
            }
            other => fail(other),
        })
    }

    fn open_with(bytes: &[u8], passphrase: &[u8], budget: &mut Budget) -> Result<Self, KeyProblem> {
        let (content, mac) = outer(bytes)?;
        let content = Zeroizing::new(data(&content)?.into_owned());
        if let Some(mac) = &mac {
            check_mac(mac, &content, passphrase, budget)?;
        }
        let mut found = Self::default();
        let mut safes =
            Reader::new(&content).expect(der::SEQUENCE, "the content is not a SEQUENCE")?.reader();
        while let Some(safe) = safes.next()? {
            let (kind, _) = content_info(&safe)?;
            let bags = if kind == Some(6) {
                encrypted_data(&safe, passphrase, budget)?
            } else {
                Zeroizing::new(data(&safe)?.into_owned())
            };
            found.bags(&bags, passphrase, budget, 0)?;
        }
        Ok(found)
    }

    /// SafeContents.
    fn bags(
        &mut self,
        bytes: &[u8],
        passphrase: &[u8],
        budget: &mut Budget,
        depth: usize,
    ) -> Result<(), KeyProblem> {
        let list = Reader::new(bytes).expect(der::SEQUENCE, "bags are not a SEQUENCE");
        let mut bags = list?.reader();
        while let Some(bag) = bags.next()? {
            let (kind, value) = bag_parts(&bag)?;
            match kind.strip_prefix(BAG) {
                Some([1]) => self.keys.push(Zeroizing::new(value.raw.to_vec())),
                Some([2]) => self.keys.push(super::decrypt(value.raw, passphrase, budget)?),
                Some([3]) => match typed(&value, X509_CERTIFICATE)? {
                    Some(cert) => self.certs.push(cert),
                    None => self.others.push("a certificate that is not X.509".to_string()),
                },
                Some([4]) => match typed(&value, X509_CRL)? {
                    Some(crl) => self.crls.push(crl),
                    None => self.others.push("a revocation list that is not X.509".to_string()),
                },
                Some([6]) if depth < MAX_NESTING => {
                    self.bags(value.raw, passphrase, budget, depth + 1)?;
                }
                Some([6]) => return Err(value.error("bags nested too deep").into()),
                Some([5]) => self.others.push("a secret".to_string()),
                _ => self.others.push(alloc::format!("a bag of type {}", oid::dotted(kind))),
            }
        }
        Ok(())
    }
}

/// The content and the MAC.
fn outer(bytes: &[u8]) -> Result<(Tlv<'_>, Option<Tlv<'_>>), DerError> {
    let mut parts =
        Reader::new(bytes).expect(der::SEQUENCE, "the container is not a SEQUENCE")?.reader();
    let version = parts.expect(der::INTEGER, "the container does not begin with its version")?;
    if version.content != [3] {
        return Err(version.error("the version is not 3"));
    }
    let content = parts.expect(der::SEQUENCE, "the container has no content")?;
    Ok((content, parts.optional(der::SEQUENCE)?))
}

/// The last octet of a ContentInfo's type, and its content.
fn content_info<'a>(info: &Tlv<'a>) -> Result<(Option<u8>, Tlv<'a>), DerError> {
    let mut parts = info.reader();
    let kind = parts.expect(der::OID, "a content does not name its type")?;
    let content = parts.expect(0xa0, "a content is missing")?.reader().any()?;
    let number = kind.content.strip_prefix(PKCS7).and_then(|rest| match rest {
        [number] => Some(*number),
        _ => None,
    });
    Ok((number, content))
}

/// The octets of a ContentInfo of type data.
fn data<'a>(info: &Tlv<'a>) -> Result<Cow<'a, [u8]>, KeyProblem> {
    let (kind, content) = content_info(info)?;
    match kind {
        Some(1) => {}
        Some(2) => return Err(KeyProblem::Unsupported("a container that is signed".into())),
        Some(3) => {
            return Err(KeyProblem::Unsupported("content encrypted with a public key".into()));
        }
        _ => return Err(KeyProblem::Malformed(info.error("a content of unknown type"))),
    }
    if content.tag & !der::CONSTRUCTED != der::OCTET_STRING {
        return Err(KeyProblem::Malformed(content.error("a content is not an OCTET STRING")));
    }
    content.string().map_err(KeyProblem::Malformed)
}

/// The octets of a ContentInfo of type encryptedData.
fn encrypted_data(
    info: &Tlv<'_>,
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let (_, content) = content_info(info)?;
    let mut parts = content.reader();
    parts.expect(der::INTEGER, "encrypted data does not begin with its version")?;
    let mut inner = parts.expect(der::SEQUENCE, "encrypted data has no content")?.reader();
    inner.expect(der::OID, "encrypted data does not name its type")?;
    let scheme = inner.expect(der::SEQUENCE, "encrypted data does not name its encryption")?;
    let encrypted = inner.expect_octets(der::context(0), "encrypted data is empty")?;
    decrypt(&scheme, &encrypted, passphrase, budget)
}

/// Type and value of a SafeBag.
fn bag_parts<'a>(bag: &Tlv<'a>) -> Result<(&'a [u8], Tlv<'a>), DerError> {
    let mut parts = bag.reader();
    let kind = parts.expect(der::OID, "a bag does not name its type")?;
    Ok((kind.content, parts.expect(0xa0, "a bag is empty")?.reader().any()?))
}

/// The octets of a CertBag or CRLBag, if they are of this type.
fn typed(value: &Tlv<'_>, wanted: &[u8]) -> Result<Option<Vec<u8>>, DerError> {
    let mut parts = value.reader();
    let kind = parts.expect(der::OID, "a bag does not name what it holds")?;
    if kind.content != wanted {
        return Ok(None);
    }
    let mut content = parts.expect(0xa0, "a bag holds nothing")?.reader();
    let octets = content.expect_octets(der::OCTET_STRING, "a bag holds no OCTET STRING")?;
    Ok(Some(octets.into_owned()))
}

/// MacData: the digest, the salt and the iterations.
fn check_mac(
    mac: &Tlv<'_>,
    content: &[u8],
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<(), KeyProblem> {
    let mut parts = mac.reader();
    let info = parts.expect(der::SEQUENCE, "the MAC is not a SEQUENCE")?;
    let salt =
        parts.expect_octets(der::OCTET_STRING, "the salt of the MAC is not an OCTET STRING")?;
    let rounds = if parts.is_empty() { 1 } else { iterations(&mut parts)? };
    let mut info = info.reader();
    let algorithm = info.expect(der::SEQUENCE, "the MAC names no digest")?;
    let wanted = info.expect_octets(der::OCTET_STRING, "the MAC is not an OCTET STRING")?;
    let mut algorithm = algorithm.reader();
    let digest = algorithm.expect(der::OID, "the digest is not an OID")?;
    if digest.content == PBMAC1 {
        return pbmac1(&mut algorithm, content, passphrase, &wanted, budget);
    }
    let by = match digest.content {
        SHA1 => mac_by::<Sha1, Hmac<Sha1>>,
        other => match other.strip_prefix(SHA2) {
            Some([1]) => mac_by::<Sha256, Hmac<Sha256>>,
            Some([2]) => mac_by::<Sha384, Hmac<Sha384>>,
            Some([3]) => mac_by::<Sha512, Hmac<Sha512>>,
            Some([4]) => mac_by::<Sha224, Hmac<Sha224>>,
            _ => return Err(unknown_mac(other)),
        },
    };
    budget.spend(rounds)?;
    if by(content, passphrase, &salt, rounds, &wanted) {
        Ok(())
    } else {
        Err(KeyProblem::WrongPassphrase)
    }
}

fn unknown_mac(oid: &[u8]) -> KeyProblem {
    KeyProblem::Unsupported(alloc::format!("a MAC with {}", oid::dotted(oid)).into())
}

/// Whether the MAC is right, by HMAC with a key of PKCS#12's own derivation.
fn mac_by<D: Digest + BlockSizeUser, M: KeyInit + Mac>(
    content: &[u8],
    passphrase: &[u8],
    salt: &[u8],
    rounds: u64,
    wanted: &[u8],
) -> bool {
    let key = derive::<D>(passphrase, salt, Use::Mac, rounds, <D as Digest>::output_size());
    is_mac::<M>(&key, content, wanted)
}

/// Whether this is the MAC of a text.
fn is_mac<M: KeyInit + Mac>(key: &[u8], text: &[u8], wanted: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    mac.update(text);
    mac.verify_slice(wanted).is_ok()
}

/// PBMAC1 with PBKDF2 (RFC 9579).
fn pbmac1(
    parameters: &mut Reader<'_>,
    content: &[u8],
    passphrase: &[u8],
    wanted: &[u8],
    budget: &mut Budget,
) -> Result<(), KeyProblem> {
    let expect = |parts: &mut Reader<'_>| -> Result<(Vec<u8>, Vec<u8>), DerError> {
        let mut one = parts.expect(der::SEQUENCE, "PBMAC1 without its algorithms")?.reader();
        let oid = one.expect(der::OID, "an algorithm of PBMAC1 is not an OID")?.content.to_vec();
        Ok((oid, one.next()?.map(|rest| rest.raw.to_vec()).unwrap_or_default()))
    };
    let mut parts = parameters.expect(der::SEQUENCE, "PBMAC1 without parameters")?.reader();
    let (kdf, kdf_parameters) = expect(&mut parts)?;
    let (scheme, _) = expect(&mut parts)?;
    if kdf != PBKDF2 {
        return Err(unknown_mac(&kdf));
    }
    let mut kdf =
        Reader::new(&kdf_parameters).expect(der::SEQUENCE, "PBKDF2 without parameters")?.reader();
    let salt = kdf.expect_octets(der::OCTET_STRING, "a salt is not an OCTET STRING")?;
    let rounds = iterations(&mut kdf)?;
    let length = iterations(&mut kdf)?;
    let (prf, _) = expect(&mut kdf)?;
    let Some(length) = usize::try_from(length).ok().filter(|length| *length <= 64) else {
        return Err(KeyProblem::Unsupported("a MAC key of more than 64 bytes".into()));
    };
    budget.spend(rounds)?;
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let passphrase = or_empty(passphrase);
    let mut key = Zeroizing::new(alloc::vec![0; length]);
    match prf.strip_prefix(HMAC) {
        Some([7]) => pbkdf2::pbkdf2_hmac::<Sha1>(passphrase, &salt, rounds, &mut key),
        Some([9]) => pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, &salt, rounds, &mut key),
        Some([10]) => pbkdf2::pbkdf2_hmac::<Sha384>(passphrase, &salt, rounds, &mut key),
        Some([11]) => pbkdf2::pbkdf2_hmac::<Sha512>(passphrase, &salt, rounds, &mut key),
        _ => return Err(unknown_mac(&prf)),
    }
    let is_right = match scheme.strip_prefix(HMAC) {
        Some([7]) => is_mac::<Hmac<Sha1>>(&key, content, wanted),
        Some([9]) => is_mac::<Hmac<Sha256>>(&key, content, wanted),
        Some([10]) => is_mac::<Hmac<Sha384>>(&key, content, wanted),
        Some([11]) => is_mac::<Hmac<Sha512>>(&key, content, wanted),
        _ => return Err(unknown_mac(&scheme)),
    };
    if is_right { Ok(()) } else { Err(KeyProblem::WrongPassphrase) }
}
