//! Who holds the root key: a file, a program (`exec:`) or a token (`pkcs11:`); and the record of what it signs.

pub(crate) mod answer;
mod exec;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod scheme;
mod transcript;
pub(crate) mod uri;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshpki::{Cert, PublicKey, SignError, Signer, SoftKey};

use super::issuer::ROOT_KEY;
use super::passphrase::PassphraseSource;
use crate::failure::Failure;
use crate::io::Io;
use crate::system;
use exec::{ExecSigner, Program};
use scheme::Scheme;
use transcript::{Signed, Transcript};

/// Where the root key is, and how it is reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeySource {
    /// The passphrase of a key in a file.
    pub(crate) passphrase: PassphraseSource,
    /// `exec:PROGRAM` or `pkcs11:...`; `None`: the key is in a file.
    pub(crate) signer: Option<OsString>,
    /// Arguments of the program.
    pub(crate) args: Vec<OsString>,
    /// How long the program may take for each answer.
    pub(crate) patience: Duration,
    /// The variable that holds the token's PIN.
    pub(crate) pin_env: Option<String>,
    /// Where signatures are recorded.
    pub(crate) transcript: Option<PathBuf>,
}

/// The holder of a key, whose signatures are checked and recorded.
pub(crate) struct Holder {
    signer: Box<dyn Signer>,
    /// As the transcript and the summary name it, without anything secret: `exec:PROGRAM`, `pkcs11:...` or `file:PATH`.
    name: String,
    transcript: Option<Transcript>,
}

impl KeySource {
    /// Whether the key is not in a file.
    pub(crate) const fn is_outside(&self) -> bool {
        self.signer.is_some()
    }

    /// Whether the root of a folder can sign: its key is there, or its holder was named.
    pub(crate) fn can_sign(&self, dir: &Path) -> bool {
        self.is_outside() || dir.join(ROOT_KEY).exists()
    }

    /// Variables that hold a secret, which no other program gets.
    pub(crate) fn variables(&self) -> Vec<String> {
        self.passphrase.env.iter().chain(&self.pin_env).cloned().collect()
    }

    /// The holder of the key that is not in a file, which must be that of `cert` if there is one; `None` without
    /// `--root-signer`.
    ///
    /// # Errors
    /// `ctl/usage`, `ctl/signer...`, `ctl/transcript`.
    pub(crate) fn outside(
        &self,
        cert: Option<&Cert>,
        io: &mut Io<'_>,
    ) -> Result<Option<Holder>, Failure> {
        let Some(typed) = &self.signer else { return Ok(None) };
        let text = typed.to_string_lossy();
        let (signer, name): (Box<dyn Signer>, String) = if text.starts_with("pkcs11:") {
            let uri = uri::TokenUri::read(&text).map_err(|why| {
                Failure::usage(format!("`pkcs11:...` is not valid: {why}"))
                    .hint("such as `'pkcs11:token=ROOT;object=mesh?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'`")
            })?;
            let name = uri.name();
            (self.token(uri, io)?, name)
        } else {
            let program = self.program(typed)?;
            let name = format!("exec:{}", program.path.display());
            (Box::new(ExecSigner::open(program)?), name)
        };
        if let Some(cert) = cert {
            check_key(signer.public_key(), cert, &name)?;
        }
        self.holder(signer, name, io).map(Some)
    }

    /// A key that was read from `file`.
    ///
    /// # Errors
    /// `ctl/transcript`, `ctl/io`.
    pub(crate) fn inside(&self, key: SoftKey, file: &Path, io: &Io<'_>) -> Result<Holder, Failure> {
        self.holder(Box::new(key), format!("file:{}", file.display()), io)
    }

    fn holder(
        &self,
        signer: Box<dyn Signer>,
        name: String,
        io: &Io<'_>,
    ) -> Result<Holder, Failure> {
        let transcript = self.transcript.as_deref();
        let transcript = transcript.map(|path| Transcript::open(path, io.now)).transpose()?;
        Ok(Holder { signer, name, transcript })
    }

    /// `exec:PROGRAM`.
    fn program(&self, typed: &OsString) -> Result<Program, Failure> {
        let Some(path) = system::after("exec:", typed) else {
            return Err(Failure::usage("the signer is neither `exec:PROGRAM` nor `pkcs11:...`")
                .hint("such as `exec:./PROGRAM`, with `--signer-arg ARGUMENT`; docs/signers.md has programs for AWS, Google, Azure, Vault and OpenBao"));
        };
        Ok(Program {
            path: path.into(),
            args: self.args.clone(),
            patience: self.patience,
            hidden: self.variables(),
        })
    }

    #[cfg(feature = "pkcs11")]
    fn token(&self, uri: uri::TokenUri, io: &mut Io<'_>) -> Result<Box<dyn Signer>, Failure> {
        Ok(Box::new(pkcs11::open(uri, self.pin_env.as_deref(), io)?))
    }

    #[cfg(not(feature = "pkcs11"))]
    fn token(&self, _: uri::TokenUri, _: &mut Io<'_>) -> Result<Box<dyn Signer>, Failure> {
        Err(Failure::new("ctl/signer", "this build of meshctl has no PKCS#11")
            .because("it was built without the feature `pkcs11`, as a static program is, which cannot load modules")
            .hint("build it with `cargo build --release -p meshctl`, or use `exec:PROGRAM`")
            .exit(crate::exit::Exit::Usage))
    }
}

impl Holder {
    /// Its name, `exec:PROGRAM` or `pkcs11:...`, unless the key is in a file.
    pub(crate) fn elsewhere(&self) -> Option<&str> {
        (!self.name.starts_with("file:")).then_some(&self.name)
    }
}

impl Signer for Holder {
    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.signer.sign(message)?;
        if let Some(transcript) = &self.transcript {
            let key = self.public_key();
            let algorithm = Scheme::of(key).map(Scheme::name).unwrap_or_default();
            let signed =
                Signed { signer: &self.name, key, algorithm, message, signature: &signature };
            transcript.record(&signed).map_err(refused)?;
        }
        Ok(signature)
    }
}

/// A failure on its way through the library: [`Failure::from`] finds it again.
fn refused(failure: Failure) -> SignError {
    SignError::with_source(failure.sentence(), failure)
}

/// Refuses a signer with another key than the certificate's.
fn check_key(key: &PublicKey, cert: &Cert, name: &str) -> Result<(), Failure> {
    if key == cert.public_key() {
        return Ok(());
    }
    let label = cert.subject().label();
    Err(Failure::new("ctl/signer-key", format!("the signer's key differs from the key of `{label}`"))
        .within(name)
        .because(format!("it has {}", super::key_words(key)))
        .because(format!("`{label}` has {}", super::key_words(cert.public_key())))
        .hint("name the key that the root was created with; for a new root with this key, `meshctl ca init NEW --cluster NAME --root-signer ...` in a new folder"))
}

/// A key of a kind that signs nothing for a mesh.
fn no_scheme(key: &PublicKey) -> Failure {
    let message = format!("the signer's key cannot sign for a mesh: {}", key.algorithm());
    Failure::new("ctl/signer-key", message)
        .because("istiod and Envoy accept ECDSA on P-256 and P-384, and RSA")
        .hint("create a key of one of these kinds where the signer keeps its keys")
}
