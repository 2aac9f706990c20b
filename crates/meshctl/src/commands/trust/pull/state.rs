//! What is known of the stored copy: a small JSON document next to it.

use std::path::{Path, PathBuf};

use meshpki::Time;
use meshpki::internals::digest;
use meshpki::spiffe::Bundle;
use serde_json::{Value, json};

use super::super::accept::other_domain;
use super::super::bundle::not_ours;
use crate::failure::Failure;
use crate::files;
use crate::text::json as pretty;

/// The kind of the document.
const KIND: &str = "PulledBundle";

/// The document next to a stored copy.
pub(super) struct State {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl State {
    /// Reads the document next to `out`, if there is one.
    ///
    /// # Errors
    /// `ctl/exists` for a file that is not such a document, `ctl/bundle-domain` if the copy is of another trust domain,
    /// `ctl/io`.
    pub(super) fn read(out: &Path, expected: &Bundle) -> Result<Self, Failure> {
        let mut name = out.as_os_str().to_owned();
        name.push(".state");
        let path = PathBuf::from(name);
        let before = files::read_optional(&path)?.map(|bytes| bytes.to_vec());
        if let Some(bytes) = &before {
            let state: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let domain = state["trustDomain"].as_str().filter(|_| state["kind"] == KIND);
            let domain = domain.ok_or_else(|| not_ours(&path, "bundle's state"))?;
            if out.exists() && domain != expected.trust_domain().as_str() {
                return Err(other_domain(expected, domain, out));
            }
        }
        Ok(Self { path, before })
    }

    /// Writes what is known of a copy that was fetched at `now`.
    ///
    /// # Errors
    /// `ctl/io`; `ctl/exists` if another process wrote meanwhile.
    pub(super) fn write(
        &self,
        bundle: &Bundle,
        bytes: &[u8],
        url: &str,
        now: Time,
    ) -> Result<(), Failure> {
        let document = pretty(&json!({
            "apiVersion": "meshctl/v1",
            "kind": KIND,
            "trustDomain": bundle.trust_domain().as_str(),
            "url": url,
            "fetched": now.to_string(),
            "nextPull": now.plus(bundle.refresh_interval()).to_string(),
            "sequence": bundle.sequence(),
            "roots": bundle.roots().len(),
            "sha256": digest::hex(&digest::sha256(bytes)),
        }));
        let before = files::Kind::AsRead(self.before.as_deref());
        files::write_public(&self.path, document.as_bytes(), before)
    }
}
