//! Everything in a file, whatever form it has: PEM text, also as Windows writes it, DER, PKCS#7 and PKCS#12.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::cert::Cert;
use crate::csr::Csr;
use crate::der::{self, Reader, Tag};
use crate::error::{Error, KeyProblem};
use crate::key::PublicKey;
use crate::pem::{self, Block, Form};
use crate::pkcs7::Pkcs7;
use crate::soft::encryption::Budget;
use crate::soft::pkcs12::Pkcs12;
use crate::soft::{SoftKey, is_encrypted};

/// What is in a file.
#[derive(Default)]
pub struct Contents {
    /// Everything found, in order.
    pub found: Vec<Found>,
    /// What was changed in the text to read it.
    pub mended: Vec<Form>,
}

/// Something found, and where.
pub struct Found {
    /// Where it is in the file.
    pub place: Place,
    /// What it is.
    pub object: Object,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line of the BEGIN marker, from 1; `None` in a binary file.
    pub line: Option<usize>,
    /// The kind of container, and the number in it, from 1.
    pub member: Option<(&'static str, usize)>,
}

impl fmt::Display for Place {
    /// Empty for the whole of a file, else `line 3` or `certificate 2 of the PKCS#7 container at line 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.member, self.line) {
            (None, None) => Ok(()),
            (None, Some(line)) => write!(f, "line {line}"),
            (Some((kind, number)), None) => write!(f, "object {number} of the {kind} container"),
            (Some((kind, number)), Some(line)) => {
                write!(f, "object {number} of the {kind} container at line {line}")
            }
        }
    }
}

/// What can be in a file.
pub enum Object {
    /// A certificate.
    Cert(Box<Cert>),
    /// A private key.
    Key(Box<SoftKey>),
    /// A private key whose passphrase was not given.
    LockedKey,
    /// A certificate signing request.
    Request(Box<Csr>),
    /// The encoding of a certificate revocation list.
    Crl(Vec<u8>),
    /// A public key.
    PublicKey(Box<PublicKey>),
    /// Something that is not looked into, by its label.
    Other(String),
    /// Something that cannot be read.
    Unreadable(Box<Error>),
}

const EC_PARAMETERS: &str = "EC PARAMETERS";

impl Contents {
    /// Reads everything. A passphrase that is not needed is ignored.
    #[must_use]
    pub fn read(bytes: &[u8], passphrase: Option<&[u8]>, budget: &mut Budget) -> Self {
        let mut pile = Self::default();
        // `0` in ASCII is how DER begins, and also text such as `0: Certificate`.
        if bytes.first() == Some(&der::SEQUENCE) {
            pile.binary(bytes, passphrase, budget);
            if !pile.found.is_empty() {
                return pile;
            }
        }
        let (text, mended) = pem::mended(bytes);
        pile.mended = mended;
        let mut curve = None;
        for block in pem::decode(&text) {
            match block {
                Ok(block) if block.label == EC_PARAMETERS => {
                    curve = Some(block.der.clone());
                    pile.add(Some(block.line), Object::Other(block.label.clone()));
                }
                Ok(block) => pile.block(&block, curve.as_deref(), passphrase, budget),
                Err(source) => {
                    let (line, what) = (source.line, "the block".to_string());
                    pile.add(Some(line), unreadable(Error::Pem { what, source }));
                }
            }
        }
        pile
    }

    /// The certificates, in order.
    pub fn certs(&self) -> impl Iterator<Item = &Cert> {
        self.found.iter().filter_map(|found| match &found.object {
            Object::Cert(cert) => Some(&**cert),
            _ => None,
        })
    }

    /// Whether a passphrase would show more: that of a container, or of a private key.
    #[must_use]
    pub fn needs_passphrase(&self) -> (bool, bool) {
        let has = |is: fn(&Object) -> bool| self.found.iter().any(|found| is(&found.object));
        (
            has(
                |object| matches!(object, Object::Unreadable(error) if error.code() == "pki/key-encrypted"),
            ),
            has(|object| matches!(object, Object::LockedKey)),
        )
    }

    /// Whether a passphrase was the wrong one.
    #[must_use]
    pub fn has_wrong_passphrase(&self) -> bool {
        self.found.iter().any(|found| {
            matches!(&found.object, Object::Unreadable(error) if error.code() == "pki/key-passphrase")
        })
    }

    fn add(&mut self, line: Option<usize>, object: Object) {
        self.found.push(Found { place: Place { line, member: None }, object });
    }

    /// DER of one object, or a container.
    fn binary(&mut self, bytes: &[u8], passphrase: Option<&[u8]>, budget: &mut Budget) {
        if Pkcs12::is(bytes) {
            self.pkcs12(None, bytes, passphrase, budget);
        } else if Pkcs7::is(bytes) {
            self.pkcs7(None, bytes);
        } else if let Some((label, extra)) = der_label(bytes) {
            // Zeroized with the block.
            let der = bytes[..bytes.len() - extra].to_vec();
            let block = Block { label: label.to_string(), headers: Vec::new(), der, line: 1 };
            self.add(None, object(&block, None, passphrase, budget));
            if extra > 0 {
                let at = bytes.len() - extra;
                let source = der::DerError { at, what: "more bytes follow it" };
                self.add(None, unreadable(Error::Der { what: "the rest".to_string(), source }));
            }
        }
    }

    fn block(
        &mut self,
        block: &Block,
        curve: Option<&[u8]>,
        passphrase: Option<&[u8]>,
        budget: &mut Budget,
    ) {
        let line = Some(block.line);
        match block.label.as_str() {
            // IIS writes BEGIN CERTIFICATE around them.
            _ if Pkcs7::is(&block.der) => self.pkcs7(line, &block.der),
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => self.pkcs7(line, &block.der),
            "PKCS12" => self.pkcs12(line, &block.der, passphrase, budget),
            _ => self.add(line, object(block, curve, passphrase, budget)),
        }
    }

    fn pkcs7(&mut self, line: Option<usize>, bytes: &[u8]) {
        const KIND: &str = "PKCS#7";
        match Pkcs7::read(bytes) {
            Ok(Pkcs7 { certs, crls }) => {
                let certs = certs.into_iter().map(cert);
                let crls = crls.into_iter().map(|crl| Object::Crl(crl.to_vec()));
                self.members(line, KIND, certs.chain(crls).collect());
            }
            Err(source) => {
                let problem = KeyProblem::Malformed(source);
                self.add(line, unreadable(Error::Container { kind: KIND, problem }));
            }
        }
    }

    fn pkcs12(
        &mut self,
        line: Option<usize>,
        bytes: &[u8],
        passphrase: Option<&[u8]>,
        budget: &mut Budget,
    ) {
        match Pkcs12::open(bytes, passphrase, budget) {
            Ok(Pkcs12 { certs, crls, keys, others }) => {
                let key = |pkcs8: &Zeroizing<Vec<u8>>| match SoftKey::from_pkcs8(pkcs8) {
                    Ok(key) => Object::Key(Box::new(key)),
                    Err(problem) => unreadable(problem.into()),
                };
                let mut all: Vec<Object> = keys.iter().map(key).collect();
                all.extend(certs.iter().map(|der| cert(der)));
                all.extend(crls.into_iter().map(Object::Crl));
                all.extend(others.into_iter().map(Object::Other));
                self.members(line, "PKCS#12", all);
            }
            Err(error) => self.add(line, unreadable(error)),
        }
    }

    fn members(&mut self, line: Option<usize>, kind: &'static str, objects: Vec<Object>) {
        let numbered = (1..).zip(objects).map(|(number, object)| Found {
            place: Place { line, member: Some((kind, number)) },
            object,
        });
        self.found.extend(numbered);
    }
}

fn unreadable(error: Error) -> Object {
    Object::Unreadable(Box::new(error))
}

fn cert(der: &[u8]) -> Object {
    match Cert::from_der(der) {
        Ok(cert) => Object::Cert(Box::new(cert)),
        Err(source) => unreadable(Error::Der { what: "the certificate".to_string(), source }),
    }
}

/// One block by its label.
fn object(
    block: &Block,
    curve: Option<&[u8]>,
    passphrase: Option<&[u8]>,
    budget: &mut Budget,
) -> Object {
    let der = |what: &str, source| unreadable(Error::Der { what: what.to_string(), source });
    match block.label.as_str() {
        _ if block.is_private_key() => {
            if passphrase.is_none() && is_encrypted(block) {
                return Object::LockedKey;
            }
            match SoftKey::from_block(block, &block.der, curve, passphrase, budget) {
                Ok(key) => Object::Key(Box::new(key)),
                Err(problem) => unreadable(problem.into()),
            }
        }
        _ if block.is_certificate() => cert(&block.der),
        pem::CERTIFICATE_REQUEST | "NEW CERTIFICATE REQUEST" => match Csr::from_der(&block.der) {
            Ok(csr) => Object::Request(Box::new(csr)),
            Err(source) => der("the certificate signing request", source),
        },
        pem::CRL => Object::Crl(block.der.clone()),
        "PUBLIC KEY" => match PublicKey::from_der(&block.der) {
            Ok(key) => Object::PublicKey(Box::new(key)),
            Err(source) => der("the public key", source),
        },
        _ => Object::Other(block.label.clone()),
    }
}

/// The label a DER object would have in PEM, by its shape, and how many bytes follow it.
fn der_label(bytes: &[u8]) -> Option<(&'static str, usize)> {
    let mut reader = Reader::new(bytes);
    let outer = reader.expect(der::SEQUENCE, "a SEQUENCE").ok()?;
    let label = match tags(outer.reader()).as_slice() {
        [der::SEQUENCE, der::SEQUENCE, der::BIT_STRING] => {
            let signed = outer.reader().any().ok()?;
            match tags(signed.reader()).as_slice() {
                [der::INTEGER, der::SEQUENCE, der::SEQUENCE]
                | [der::INTEGER, der::SEQUENCE, der::SEQUENCE, 0xa0] => pem::CERTIFICATE_REQUEST,
                found
                    if found
                        .iter()
                        .any(|tag| matches!(*tag, der::UTC_TIME | der::GENERALIZED_TIME)) =>
                {
                    pem::CRL
                }
                _ => pem::CERTIFICATE,
            }
        }
        [der::SEQUENCE, der::BIT_STRING] => "PUBLIC KEY",
        [der::SEQUENCE, der::OCTET_STRING] => "ENCRYPTED PRIVATE KEY",
        [der::INTEGER, der::SEQUENCE, der::OCTET_STRING, ..] => "PRIVATE KEY",
        [der::INTEGER, der::OCTET_STRING, ..] => "EC PRIVATE KEY",
        [der::INTEGER, der::INTEGER, der::INTEGER, ..] => "RSA PRIVATE KEY",
        _ => return None,
    };
    Some((label, reader.rest().len()))
}

/// Identifier octets of the elements, up to the first that cannot be read.
fn tags(mut reader: Reader<'_>) -> Vec<Tag> {
    core::iter::from_fn(|| reader.next().ok().flatten().map(|element| element.tag)).collect()
}
