//! `--transcript FILE`: a JSON line for every signature by the root key, appended before the signature is used
//! (docs/schemas/transcript.json).

use std::path::{Path, PathBuf};

use meshpki::internals::{der, digest};
use meshpki::{Cert, Crl, Csr, PublicKey, Time};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::files;
use crate::text;

/// The kind of each line.
const KIND: &str = "Signature";

/// A file that records signatures.
pub(super) struct Transcript {
    path: PathBuf,
    /// When the command began.
    time: Time,
}

/// What has been signed, and by what.
pub(super) struct Signed<'a> {
    pub(super) signer: &'a str,
    pub(super) key: &'a PublicKey,
    pub(super) algorithm: String,
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl Transcript {
    /// Takes a new file, or one with lines of earlier commands.
    ///
    /// # Errors
    /// `ctl/transcript` for a file with anything else, `ctl/io`.
    pub(super) fn open(path: &Path, time: Time) -> Result<Self, Failure> {
        if let Some(bytes) = files::read_optional(path)? {
            let is_line = |line: &[u8]| {
                let value: Option<Value> = serde_json::from_slice(line).ok();
                value.is_some_and(|value| value["kind"] == KIND)
            };
            let mut lines = bytes.split(|byte| *byte == b'\n');
            // What follows the last line end.
            let ends = lines.next_back().is_some_and(<[u8]>::is_empty);
            if !(ends && lines.all(is_line)) {
                let message =
                    format!("`{}` is not a transcript and is not written to", path.display());
                return Err(Failure::new("ctl/transcript", message)
                    .because("a line of it is not a record of a signature")
                    .hint("choose another file; a new one is created"));
            }
        }
        files::append(path, b"")?;
        Ok(Self { path: path.to_path_buf(), time })
    }

    /// Appends a line and makes it durable.
    ///
    /// # Errors
    /// `ctl/io`.
    pub(super) fn record(&self, signed: &Signed<'_>) -> Result<(), Failure> {
        files::append(&self.path, text::json_line(&line(signed, self.time)).as_bytes())
    }
}

fn line(signed: &Signed<'_>, time: Time) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": KIND,
        "time": time.to_string(),
        "signer": signed.signer,
        "algorithm": signed.algorithm,
        "key": {
            "keyType": signed.key.algorithm().to_string(),
            "sha256": signed.key.fingerprint(),
        },
        "signed": document(signed),
    })
}

/// The certificate, CRL or CSR that the signature completes.
fn document(signed: &Signed<'_>) -> Value {
    let mut facts = json!({
        "document": "other",
        "subject": null,
        "issuer": null,
        "serial": null,
        "notBefore": null,
        "notAfter": null,
        "sha256": digest::hex_colons(&digest::sha256(signed.message)),
    });
    let algorithm = signed.key.signing_algorithm().unwrap_or_default();
    let whole = der::sequence(&[signed.message, &algorithm, &der::bit_string(signed.signature)]);
    let time = |time: Option<Time>| time.map(|time| time.to_string());
    if let Ok(cert) = Cert::from_der(&whole) {
        facts["document"] = json!("certificate");
        facts["subject"] = json!(cert.subject().to_string());
        facts["issuer"] = json!(cert.issuer().to_string());
        facts["serial"] = json!(cert.serial_hex());
        facts["notBefore"] = json!(time(cert.not_before().time()));
        facts["notAfter"] = json!(time(cert.not_after().time()));
        facts["sha256"] = json!(cert.fingerprint());
    } else if let Ok(crl) = Crl::from_der(&whole) {
        facts["document"] = json!("crl");
        facts["issuer"] = json!(crl.issuer().to_string());
        facts["notBefore"] = json!(time(crl.this_update().time()));
        facts["notAfter"] = json!(time(crl.next_update().and_then(|update| update.time())));
        facts["sha256"] = json!(digest::hex_colons(&digest::sha256(&whole)));
    } else if let Ok(csr) = Csr::from_der(&whole) {
        facts["document"] = json!("csr");
        facts["subject"] = json!(csr.subject().to_string());
        facts["sha256"] = json!(digest::hex_colons(&digest::sha256(&whole)));
    }
    facts
}

#[cfg(test)]
mod tests;
