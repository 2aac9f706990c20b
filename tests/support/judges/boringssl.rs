//! BoringSSL as Envoy embeds it, called by a small C program (`tests/judges/boringssl/judge.c`).
//!
//! Debian's `android-libboringssl` (2022) is not the judge: between it and the BoringSSL of any Envoy that a supported
//! Istio runs, the parser, the policies, distribution points, the order of the store and name constraints were
//! rewritten. The source in the crate `boring-sys` is what Envoy pins: 5.1.0 has `crypto/x509`, `crypto/asn1` and `crypto/evp`
//! of 0.20251124.0 byte for byte, 5.3.0 those of September 2026, which differ from 0.20260813.0 in two rules about CRLs.
//! Whatever changed in between is in neither alone: each change is a method of `Release` with a judge on either side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use meshpki::verify::boringssl::Release;

use super::{missing, openssl};
use crate::cache::digest;

/// A BoringSSL: a folder below `tests/judges/boringssl` that pins the crate with its source.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// The folder.
    pub name: &'static str,
    /// What it judges.
    pub release: Release,
}

/// Every pin.
pub const PINS: [Pin; 2] = [
    Pin { name: "v1_38", release: Release::V1_37 },
    Pin { name: "september2026", release: Release::September2026 },
];

impl Pin {
    /// Where its `Cargo.toml` is.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        source().join(self.name)
    }

    /// The folder of the library in the cache; the name changes with the version that is pinned.
    ///
    /// # Errors
    /// A pin that cannot be read, or a user without a home folder.
    pub fn folder(&self) -> Result<PathBuf, String> {
        let digest = digest(&[&self.home().join("Cargo.lock")])?;
        Ok(openssl::cache_of("boringssl")?.join(format!("{}-{digest}", self.name)))
    }

    /// Whether the library is built.
    ///
    /// # Errors
    /// As [`Pin::folder`].
    pub fn is_built(&self) -> Result<bool, String> {
        let folder = self.folder()?;
        Ok(folder.join("libcrypto.a").is_file() && folder.join("include").is_dir())
    }

    /// Compiles the program against the library, unless that is done.
    fn program(&self) -> Result<PathBuf, String> {
        let folder = self.folder()?;
        if !self.is_built()? {
            return Err(format!(
                "{} is not there; `cargo xtask judge` builds it",
                folder.display()
            ));
        }
        let code = source().join("judge.c");
        let program = folder.join(format!("judge-{}", digest(&[&code])?));
        if !program.is_file() {
            let beside = program.with_extension(std::process::id().to_string());
            let mut cc = Command::new("cc");
            cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-I"])
                .arg(folder.join("include"))
                .arg(&code)
                .arg(folder.join("libcrypto.a"))
                .args(["-lstdc++", "-lpthread", "-o"])
                .arg(&beside);
            let output =
                cc.stdin(Stdio::null()).output().map_err(|error| format!("cc: {error}"))?;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            fs::rename(&beside, &program).map_err(|error| error.to_string())?;
        }
        Ok(program)
    }
}

/// Source and pins.
fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/judges/boringssl"))
}

/// The program for a release; `None` if there is none, which is reported as for every judge.
///
/// # Panics
/// When it is required and missing, or its source does not compile.
#[must_use]
pub fn judge(release: Release) -> Option<PathBuf> {
    static BUILT: OnceLock<Vec<Result<PathBuf, String>>> = OnceLock::new();
    let built = BUILT.get_or_init(|| PINS.iter().map(Pin::program).collect());
    let index = PINS.iter().position(|pin| pin.release == release)?;
    match &built[index] {
        Ok(program) => Some(program.clone()),
        Err(why) => {
            missing("boringssl", why);
            None
        }
    }
}
