//! What a program of `--root-signer exec:` answers: docs/signers.md, docs/schemas/signer-answer.json.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use meshpki::PublicKey;
use meshpki::internals::pem;
use serde::Deserialize;
use serde_json::error::Category;

/// Bytes of the longest answer that is read.
const LONGEST: usize = 64 << 10;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To the purpose `public-key`.
    PublicKey(PublicKey),
    /// To the purpose `sign`: the bytes of a signature, not checked.
    Signature(Vec<u8>),
    /// What kept the program from an answer, in its own words.
    Error(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    public_key: Option<String>,
    signature: Option<String>,
    error: Option<String>,
}

impl Answer {
    /// Reads one JSON object with exactly one of the keys `publicKey`, `signature` and `error`.
    ///
    /// # Errors
    /// What is wrong with it, without any of its text.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LONGEST {
            return Err(format!("it is longer than {} KiB", LONGEST >> 10));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err("it is empty".to_owned());
        }
        // The derived reader would also take the three values in an array.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err("it is not the documented object, but an array".to_owned());
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match error.classify() {
                Category::Eof => format!("it ends in the middle, at line {line}, column {column}"),
                Category::Data => {
                    format!("it is not the documented object, at line {line}, column {column}")
                }
                _ => format!("it is not one JSON object, at line {line}, column {column}"),
            }
        })?;
        match (written.public_key, written.signature, written.error) {
            (Some(text), None, None) => public_key(&text).map(Self::PublicKey),
            (None, Some(text), None) => signature(&text).map(Self::Signature),
            (None, None, Some(text)) => Ok(Self::Error(text)),
            _ => Err("expected exactly one of `publicKey`, `signature` and `error`".to_owned()),
        }
    }
}

/// A PUBLIC KEY block, or the base64 text of what is in it.
fn public_key(text: &str) -> Result<PublicKey, String> {
    let der = if text.contains("-----BEGIN ") {
        let blocks: Result<Vec<_>, _> = pem::decode(text.as_bytes()).into_iter().collect();
        let blocks = blocks.map_err(|error| format!("`publicKey` is not valid PEM: {error}"))?;
        match blocks.as_slice() {
            [one] if one.label == "PUBLIC KEY" => one.der.clone(),
            _ => return Err("`publicKey` is not one PUBLIC KEY block".to_owned()),
        }
    } else {
        base64(text).ok_or("`publicKey` is neither a PUBLIC KEY block nor base64")?
    };
    PublicKey::from_der(&der)
        .map_err(|error| format!("`publicKey` is not a SubjectPublicKeyInfo: {error}"))
}

fn signature(text: &str) -> Result<Vec<u8>, String> {
    let bytes = base64(text).ok_or("`signature` is not base64")?;
    if bytes.is_empty() {
        return Err("`signature` is empty".to_owned());
    }
    Ok(bytes)
}

/// Base64 in either alphabet, with or without padding and line breaks.
fn base64(text: &str) -> Option<Vec<u8>> {
    let plain = |c: char| match c {
        '-' => '+',
        '_' => '/',
        c => c,
    };
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).map(plain).collect();
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
