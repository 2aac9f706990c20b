//! How failures and warnings are told: code, sentence, places, causes, next step.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use meshpki::Error;

use crate::show::safe;
use crate::{Exit, live};

/// Why a command did not do what it was asked for, as it will be printed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    code: &'static str,
    message: String,
    places: Vec<String>,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl Failure {
    /// Codes of failures and warnings that are meshctl's own, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "ctl/busy",
        "ctl/clock",
        "ctl/cluster-incomplete",
        "ctl/cluster-kept",
        "ctl/cluster-name",
        "ctl/declined",
        "ctl/dir-permissions",
        "ctl/exists",
        "ctl/folder-differs",
        "ctl/insecure-server",
        "ctl/io",
        "ctl/kept-key",
        "ctl/key-permissions",
        "ctl/key-taken",
        "ctl/key-type-unproven",
        "ctl/leftovers",
        "ctl/locked",
        "ctl/name-confusable",
        "ctl/name-constraint-unproven",
        "ctl/no-cluster",
        "ctl/no-passphrase",
        "ctl/no-previous",
        "ctl/no-root",
        "ctl/no-root-key",
        "ctl/one-csr",
        "ctl/other-root",
        "ctl/passphrase-permissions",
        "ctl/passphrase-weak",
        "ctl/root-kept",
        "ctl/root-key-plain",
        "ctl/san",
        "ctl/stale-folder",
        "ctl/strays",
        "ctl/subject-taken",
        "ctl/unreadable",
        "ctl/usage",
        "ctl/validity-cut",
        "ctl/wrong-cluster",
    ];

    /// A failure of meshctl itself: exit status 1.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(
            Self::CODES.contains(&code)
                || ["pki/", "cfssl/", "apply/", "istiod/", "config/", "lint/"]
                    .iter()
                    .any(|prefix| code.starts_with(prefix)),
            "{code}"
        );
        Self {
            exit: Exit::Failed,
            code,
            message: message.into(),
            places: vec![],
            causes: vec![],
            hints: vec![],
        }
    }

    /// A file that could not be read or written.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new("ctl/io", format!("cannot {what} `{}`", path.display()))
            .because(error.to_string())
    }

    /// Wrong usage that clap could not see: exit status 64.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("ctl/usage", message).exit(Exit::Usage)
    }

    /// Where it happened: a file, a cluster.
    #[must_use]
    pub fn within(mut self, place: impl Into<String>) -> Self {
        self.places.push(place.into());
        self
    }

    /// The file it happened in.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        self.within(path.display().to_string())
    }

    /// Why it happened.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// What to do next; replaces the hint that goes with the code.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints = vec![hint.into()];
        self
    }

    /// Another exit status.
    #[must_use]
    pub const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The exit status that goes with it.
    pub const fn status(&self) -> Exit {
        self.exit
    }

    /// The code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// `error[CODE]: ...` as text for people.
    pub fn text(&self) -> String {
        self.render("error")
    }

    /// What happened and why, in one line and without its code.
    pub fn sentence(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.causes);
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    fn render(&self, level: &str) -> String {
        let mut text = format!("{level}[{}]: {}\n", self.code, safe(&self.message));
        for place in &self.places {
            let _ = writeln!(text, "  in: {}", safe(place));
        }
        for cause in &self.causes {
            let _ = writeln!(text, "  because: {}", safe(cause));
        }
        for hint in &self.hints {
            let _ = write!(text, "\nhint: {}\n", safe(hint));
        }
        text
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(error.code(), error.to_string());
        failure.hints = hint(&error).into_iter().collect();
        let mut source = error.source();
        while let Some(cause) = source {
            failure.causes.push(cause.to_string());
            source = cause.source();
        }
        failure
    }
}

impl From<meshapply::Error> for Failure {
    fn from(error: meshapply::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&meshapply::Error> for Failure {
    fn from(error: &meshapply::Error) -> Self {
        let exit = if error.could_not_ask() { Exit::Failed } else { Exit::No };
        let mut failure = Self::new(error.code(), error.to_string()).exit(exit);
        failure.hints = match error {
            meshapply::Error::Credentials { context, .. } => vec![format!(
                "`{}` asks for the same credentials and shows all a plugin says",
                live::readyz(context)
            )],
            _ => apply_hint(error).into_iter().map(str::to_owned).collect(),
        };
        failure
    }
}

/// The next step that goes with a code of `apply/`, where it is the same in every cluster.
const fn apply_hint(error: &meshapply::Error) -> Option<&'static str> {
    use meshapply::Error as E;
    use meshapply::next::Stop;
    Some(match error {
        E::Forbidden { .. } => "`meshctl push DIR --print-rbac` prints the rights a push needs",
        E::Kubeconfig { .. } => {
            "`kubectl config get-contexts` lists the contexts; `--kubeconfig FILE` names another file"
        }
        E::IstioVersion { .. } => "`--istio-version 1.30.3` says it",
        E::NoCrd { .. } => {
            "install Istio's CRDs; the form follows the cluster's `istioVersion` in the spec"
        }
        E::NoDns { .. } => {
            "`dns: {configMap: NAMESPACE/NAME}` in the spec names another; kube-dns reads one once it is made: `kubectl -n kube-system create configmap kube-dns`"
        }
        E::Unreachable { .. } => {
            "try again, or leave the cluster out; nothing more is written to it"
        }
        E::Interrupted { .. } => "run the same command again: it goes on where it was",
        E::Stopped(Stop::Foreign { .. }) => {
            "`--adopt` writes over them and makes meshctl their owner; take the secret out of the other tool first, or it writes it back"
        }
        E::Stopped(Stop::Immutable) => {
            "an immutable secret is deleted and made anew by hand, or made without `immutable` where it comes from"
        }
        E::Stopped(Stop::SecretType { .. }) => {
            "make the set with `--layout tls`, which the type can hold; or keep a copy, `kubectl delete secret cacerts`, and push again: istiod runs on with what it has until it restarts"
        }
        E::Stopped(Stop::Moved { .. } | Stop::Gone) => {
            "look who else is at work, then run the command again: it shows a new plan"
        }
        E::Stopped(Stop::Altered { .. }) => {
            "`kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies` lists what may change objects as they are written"
        }
        E::Stopped(Stop::Twin { .. }) => {
            "`--context` names a cluster once; each folder goes into a cluster of its own"
        }
        E::Stopped(Stop::NoIstiod) => {
            "`--istio-namespace` says where it is; `--before-install` writes the secret for an Istio to come"
        }
        E::Unfinished { .. } => "`meshctl push` goes on with it; `meshctl status` shows what waits",
        E::Stopped(Stop::NoReplicas { .. }) => "scale it up first: `kubectl scale`",
        _ => return None,
    })
}

/// Prints a warning: work goes on.
pub fn warn(err: &mut dyn Write, warning: &Failure) {
    // A standard error that is gone cannot be told anything.
    let _ = err.write_all(warning.render("warning").as_bytes());
}

/// The next step that goes with a code, where there is one.
fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::AmbiguousLeaf { .. } => {
            "`meshctl ca chain --leaf FILE ...` names the certificate that begins the chain"
        }
        Error::ChainOrder { .. } => {
            "`meshctl ca chain --leaf ca-cert.pem FILES --out cert-chain.pem` puts it in order"
        }
        Error::CsrSignature { .. } => {
            "make the CSR again, on the machine that has the key: `meshctl ca csr DIR --cluster NAME`"
        }
        Error::AmbiguousChain { .. } => {
            "take the certificates apart by hand, and give the one that begins the chain with `--leaf`"
        }
        Error::CsrWeakSignature { .. } => {
            "make the CSR again with SHA-256: `openssl req -new -sha256 -key KEY -out FILE`"
        }
        Error::ForgeableKey { .. } => {
            "make a new key: `meshctl ca csr DIR --cluster NAME` for a cluster, `meshctl ca init NEW` for a root"
        }
        Error::IssuerNotCa { .. } | Error::IssuerMayNotSign { .. } => {
            "`meshctl ca inspect FILE` shows what the certificate may do; `meshctl ca init DIR` makes a root that can sign"
        }
        Error::Key { problem } => key_hint(problem)?,
        Error::KeyMismatch { .. } => "`meshctl ca inspect CERT KEY` shows both key fingerprints",
        Error::MissingFile { .. } => {
            "bring the file back, or move the folder away and run this command again"
        }
        Error::OutlivesIssuer { .. } => {
            "ask for less time with `--validity` or `--cluster-validity`, or leave it out"
        }
        Error::PathLengthExceeded { .. } => {
            "a root without `--path-len`, or with more, can sign it: `meshctl ca init DIR --path-len 1`"
        }
        Error::RootKey { .. } => {
            "give the cluster its own intermediate: `meshctl ca init DIR --cluster NAME`"
        }
        Error::Untrusted { .. } => {
            "`meshctl ca verify --explain -CAfile root-cert.pem -untrusted cert-chain.pem ca-cert.pem` says more"
        }
        Error::ExtKeyUsage { .. } => {
            "leave extended key usages out of CA certificates, or add serverAuth"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

const fn key_hint(problem: &meshpki::error::KeyProblem) -> Option<&'static str> {
    use meshpki::error::KeyProblem as P;
    Some(match problem {
        P::PassphraseNeeded => {
            "give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`"
        }
        P::WrongPassphrase => {
            "the passphrase is the first line of `--passphrase-file`, or all of `--passphrase-env`, spaces included"
        }
        P::IstiodForm(_) => "`openssl pkey -in OLD -out NEW` writes it as PRIVATE KEY",
        P::LegacyEncryption | P::EncryptionScheme => {
            "`openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW` writes it as PBES2"
        }
        _ => return None,
    })
}
