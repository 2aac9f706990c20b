//! Bytes of a file to the objects in it: every PEM block, or one DER object recognized by its shape.

use meshpki::internals::der::{self, Reader, Tag};
use meshpki::internals::pem::{self, Block, Form};
use meshpki::{Cert, Csr, PublicKey, Signer, SoftKey};
use zeroize::Zeroizing;

use super::Object;
use super::crl::Crl;

const EC_PARAMETERS: &str = "EC PARAMETERS";

/// Every object in order, each with the line it begins on when it is PEM.
pub(super) fn objects(bytes: &[u8], passphrase: Option<&[u8]>) -> Vec<(Option<usize>, Object)> {
    if let Some((label, extra)) = der_label(bytes) {
        let block = Block {
            label: label.to_owned(),
            headers: Vec::new(),
            der: bytes[..bytes.len() - extra].to_vec(),
            line: 1,
        };
        let mut found = vec![(None, object(block, None, passphrase))];
        if extra > 0 {
            found.push((None, Object::Problem(format!("{extra} bytes follow it"))));
        }
        return found;
    }
    let blocks = pem::decode(bytes);
    if blocks.is_empty() {
        return vec![(None, Object::Problem(no_object(bytes)))];
    }
    let mut found = Vec::new();
    let mut curve = None;
    for block in blocks {
        match block {
            Ok(block) if block.label == EC_PARAMETERS => {
                found.push((Some(block.line), Object::Other(block.label.clone())));
                curve = Some(block.der.clone());
            }
            Ok(block) => {
                found.push((Some(block.line), object(block, curve.as_deref(), passphrase)));
            }
            Err(error) => {
                found.push((Some(error.line), Object::Problem(error.problem.to_string())));
            }
        }
    }
    found
}

fn no_object(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the file is empty".to_owned();
    }
    let forms: Vec<String> = Form::of(bytes).iter().map(ToString::to_string).collect();
    if forms.is_empty() {
        return "neither a PEM block nor the DER of a certificate, CSR, CRL or key".to_owned();
    }
    forms.join("; ")
}

/// One block by its label; its content is wiped where it is a private key.
fn object(mut block: Block, curve: Option<&[u8]>, passphrase: Option<&[u8]>) -> Object {
    let der = Zeroizing::new(std::mem::take(&mut block.der));
    let problem =
        |what: &str, error: &dyn std::fmt::Display| Object::Problem(format!("{what}: {error}"));
    match block.label.as_str() {
        _ if block.is_private_key() => private_key(&block, &der, curve, passphrase),
        _ if block.is_certificate() => match Cert::from_der(&der) {
            Ok(cert) => Object::Certificate(Box::new(cert)),
            Err(error) => problem("no certificate", &error),
        },
        pem::CERTIFICATE_REQUEST | "NEW CERTIFICATE REQUEST" => match Csr::from_der(&der) {
            Ok(csr) => Object::Request(csr),
            Err(error) => problem("not a certificate signing request", &error),
        },
        pem::CRL => match Crl::read(&der) {
            Ok(crl) => Object::Crl(crl),
            Err(error) => problem("not a revocation list", &error),
        },
        "PUBLIC KEY" => match PublicKey::from_der(&der) {
            Ok(key) => Object::PublicKey(key),
            Err(error) => problem("not a public key", &error),
        },
        _ => Object::Other(block.label.clone()),
    }
}

fn private_key(
    block: &Block,
    der: &[u8],
    curve: Option<&[u8]>,
    passphrase: Option<&[u8]>,
) -> Object {
    let in_headers = block
        .headers
        .iter()
        .any(|(name, value)| name == "Proc-Type" && value.contains("ENCRYPTED"));
    if passphrase.is_none() && (in_headers || block.label == "ENCRYPTED PRIVATE KEY") {
        return Object::PrivateKey(None);
    }
    if in_headers {
        return Object::Problem(
            meshpki::Error::from(meshpki::KeyProblem::LegacyEncryption).to_string(),
        );
    }
    let curve = curve.map(|der| pem::encode(EC_PARAMETERS, der)).unwrap_or_default();
    let text = Zeroizing::new(curve + &Zeroizing::new(pem::encode(&block.label, der)));
    match SoftKey::from_pem(text.as_bytes(), passphrase) {
        Ok(key) => Object::PrivateKey(Some(key.public_key().clone())),
        Err(error) => Object::Problem(error.to_string()),
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
                        .any(|t| matches!(*t, der::UTC_TIME | der::GENERALIZED_TIME)) =>
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
    std::iter::from_fn(|| reader.next().ok().flatten().map(|element| element.tag)).collect()
}
