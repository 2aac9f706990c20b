//! Failures and warnings as text: code, sentence, places, causes, next step.

use std::error::Error as _;
use std::fmt::Write as _;
use std::path::Path;

use meshapply::endpoint;
use meshpki::Error;

use crate::exit::Exit;
use crate::hints::{self, Typed, UNTYPED, get_contexts, kubectl, readyz};
use crate::text::safe;

/// Why a command did not do what it was asked for, as it will be printed.
#[derive(Clone, Debug)]
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
        "ctl/bundle-changed",
        "ctl/bundle-domain",
        "ctl/bundle-empty",
        "ctl/bundle-older",
        "ctl/busy",
        "ctl/clock",
        "ctl/clock-differs",
        "ctl/cluster-incomplete",
        "ctl/cluster-kept",
        "ctl/cluster-name",
        "ctl/crl-first",
        "ctl/crl-missing",
        "ctl/csr-waits",
        "ctl/declined",
        "ctl/dir-permissions",
        "ctl/drop-gate",
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
        "ctl/no-bootstrap",
        "ctl/no-cluster",
        "ctl/no-passphrase",
        "ctl/no-previous",
        "ctl/no-root",
        "ctl/no-root-key",
        "ctl/not-revocable",
        "ctl/one-ca",
        "ctl/one-csr",
        "ctl/one-root",
        "ctl/other-root",
        "ctl/passphrase-permissions",
        "ctl/passphrase-weak",
        "ctl/revocations",
        "ctl/revokes-current",
        "ctl/root-kept",
        "ctl/root-key-plain",
        "ctl/san",
        "ctl/signer",
        "ctl/signer-answer",
        "ctl/signer-key",
        "ctl/signer-pin",
        "ctl/signer-token",
        "ctl/stale-crl",
        "ctl/stale-folder",
        "ctl/strays",
        "ctl/subject-taken",
        "ctl/transcript",
        "ctl/trust-lacking",
        "ctl/two-folders",
        "ctl/unreadable",
        "ctl/usage",
        "ctl/validity-cut",
        "ctl/wrong-cluster",
    ];

    /// A failure of meshctl itself: exit status 1.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(
            Self::CODES.contains(&code)
                || [
                    "pki/",
                    "cfssl/",
                    "apply/",
                    "endpoint/",
                    "istiod/",
                    "config/",
                    "lint/",
                    "remote/",
                ]
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

    /// `warning[CODE]: ...`, the same for something that does not stop the work.
    pub(crate) fn warning(&self) -> String {
        self.render("warning")
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

impl std::fmt::Display for Failure {
    /// [`Failure::sentence`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence())
    }
}

/// On its way through the library, as the reason why a signature was not made.
impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::Sign { source, .. } = &error
            && let Some(own) = source.source().and_then(|source| source.downcast_ref::<Self>())
        {
            return own.clone();
        }
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
        Self::of(error, "CONTEXT", &UNTYPED)
    }
}

impl Failure {
    /// An error of a cluster, with the context and the options that reach it.
    pub(crate) fn of(error: &meshapply::Error, reach: &str, typed: &Typed) -> Self {
        let exit = if error.could_not_ask() { Exit::Failed } else { Exit::No };
        let mut failure = Self::new(error.code(), error.to_string()).exit(exit);
        failure.hints = match error {
            meshapply::Error::Credentials { context, .. } => vec![format!(
                "`{}` uses the same credentials and shows everything that a plugin prints",
                readyz(context, typed)
            )],
            meshapply::Error::Kubeconfig { .. } => vec![format!(
                "`{}` lists the contexts; `--kubeconfig FILE` names another file",
                get_contexts(typed)
            )],
            meshapply::Error::NoDns { .. } => vec![format!(
                "if the DNS reads another ConfigMap, name it in the spec: `dns: {{configMap: NAMESPACE/NAME}}`; for kube-dns, create an empty one: `{}`",
                kubectl(reach, "-n kube-system create configmap kube-dns", typed)
            )],
            _ => apply_hint(error).into_iter().map(str::to_owned).collect(),
        };
        failure
    }
}

impl From<endpoint::Error> for Failure {
    fn from(error: endpoint::Error) -> Self {
        let exit = match error {
            endpoint::Error::Url { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        let mut failure = Self::new(error.code(), error.to_string()).exit(exit);
        failure.causes.extend(error.cause());
        failure.hints.push(hints::endpoint::next(&error));
        failure
    }
}

/// The next step that goes with a code of `apply/`, if no command of kubectl is in it.
const fn apply_hint(error: &meshapply::Error) -> Option<&'static str> {
    use meshapply::Error as E;
    use meshapply::next::Stop;
    Some(match error {
        E::Forbidden { .. } => {
            "`meshctl push --print-rbac` prints the permissions that a push needs"
        }
        E::IstioVersion { .. } => "set it with `--istio-version 1.30.3`",
        E::NoCrd { .. } => {
            "install Istio's CRDs, or correct the cluster's `istioVersion` in the spec, which determines the API versions"
        }
        E::Unreachable { .. } => {
            "try again, or leave the cluster out; nothing further was written to it"
        }
        E::Interrupted { .. } => "run the same command again: it continues where it stopped",
        E::Stopped(Stop::Foreign { .. }) => {
            "`--adopt` overwrites them and makes meshctl their owner; first remove the secret from the other tool, or that tool will overwrite it again"
        }
        E::Stopped(Stop::Immutable) => {
            "delete the immutable secret and create it again by hand, or remove `immutable` at its source"
        }
        E::Stopped(Stop::Moved { .. } | Stop::Gone) => {
            "find out what else writes to the cluster, then run the command again: it shows a new plan"
        }
        E::Stopped(Stop::Twin { .. }) => {
            "name each cluster once with `--context`; each folder belongs to one cluster"
        }
        E::Stopped(Stop::NoIstiod) => {
            "set its namespace with `--istio-namespace`; if Istio is not installed yet, add `--before-install`"
        }
        E::Unfinished { .. } => {
            "`meshctl push` continues it; `meshctl status` shows what is still pending"
        }
        _ => return None,
    })
}

/// The next step that goes with a code, where there is one.
fn hint(error: &Error) -> Option<String> {
    let text = match error {
        Error::AmbiguousLeaf { .. } => {
            "name the first certificate of the chain: `meshctl ca chain --leaf FILE ...`"
        }
        Error::ChainOrder { .. } => {
            "`meshctl ca chain --leaf ca-cert.pem FILES --out cert-chain.pem` puts it in order"
        }
        Error::CsrSignature { .. } => {
            "create the CSR again on the machine that has the key: `meshctl ca csr DIR --cluster NAME`"
        }
        Error::AmbiguousChain { .. } => {
            "pass only the certificates of one chain, and name the first one with `--leaf`"
        }
        Error::CsrWeakSignature { .. } => {
            "create the CSR again with SHA-256: `openssl req -new -sha256 -key KEY -out FILE`"
        }
        Error::ForgeableKey { .. } => {
            "create a new key: `meshctl ca csr DIR --cluster NAME` for a cluster, `meshctl ca init NEW` for a root"
        }
        Error::IssuerNotCa { .. } | Error::IssuerMayNotSign { .. } => {
            "`meshctl ca inspect FILE` shows its usages; `meshctl ca init DIR` creates a root that can sign"
        }
        Error::Key { problem } | Error::Container { problem, .. } => key_hint(problem)?,
        Error::KeyMismatch { .. } => "`meshctl ca inspect CERT KEY` shows both key fingerprints",
        Error::MissingFile { .. } => {
            "restore the file, or move the folder away and run this command again"
        }
        Error::OutlivesIssuer { .. } => {
            "choose a shorter `--validity` (`ca init`: `--cluster-validity`), or omit it"
        }
        Error::PathLengthExceeded { .. } => {
            "ask the owner of that CA for one without a path length, or with a larger one; for a root of your own, `--path-len` of `meshctl ca init` sets it"
        }
        Error::RootKey { .. } => {
            "give the cluster its own intermediate: `meshctl ca init DIR --cluster NAME`"
        }
        Error::Untrusted { .. } => {
            "`meshctl ca verify --explain -CAfile root-cert.pem -untrusted cert-chain.pem ca-cert.pem` shows the details"
        }
        Error::ExtKeyUsage { .. } => {
            "leave extended key usages out of CA certificates, or add serverAuth"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

const fn key_hint(problem: &meshpki::KeyProblem) -> Option<&'static str> {
    use meshpki::KeyProblem as P;
    Some(match problem {
        P::PassphraseNeeded => {
            "give the passphrase with `--passphrase-file FILE` or `--passphrase-env VARIABLE`"
        }
        P::WrongPassphrase => {
            "the passphrase is the first line of the file in `--passphrase-file`, or the whole value of the variable in `--passphrase-env`, including spaces"
        }
        P::IstiodForm(_) => "`openssl pkey -in OLD -out NEW` converts it to a PRIVATE KEY block",
        P::Encryption(_) => {
            "`openssl pkey -provider legacy -provider default -in OLD -aes256 -out NEW` encrypts a key again; for a container, `openssl pkcs12 -legacy -in OLD -out NEW.pem`"
        }
        P::Cost(_) => {
            "no program writes that many: the file is damaged or hostile, so ask for a new one"
        }
        _ => return None,
    })
}
