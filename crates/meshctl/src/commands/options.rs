//! What was typed, resolved into the options of the layers below, which know no command line.

use std::ffi::OsString;

use meshconfig::Mesh;

use crate::args::mesh::{Contexts, LockFile, Members, Source};
use crate::args::{
    ClusterOptions, Clusters, DryRun, LayoutName, Output, Passphrase, Restart, Rollout, RootSigner,
    SignerAccess, Wait,
};
use crate::authority::intermediate;
use crate::authority::passphrase::PassphraseSource;
use crate::authority::signer::KeySource;
use crate::failure::Failure;
use crate::fleet::clusters::{SERVICE_ACCOUNT, Selection, Way};
use crate::fleet::mesh::Ask;
use crate::hints::Typed;
use crate::io::Io;
use crate::{files, rollout, spec};

impl Output {
    /// Whether the result is JSON.
    pub(super) fn is_json(self) -> bool {
        self == Self::Json
    }
}

impl LayoutName {
    pub(super) const fn resolved(self) -> meshpki::cacerts::Layout {
        match self {
            Self::Istio => meshpki::cacerts::Layout::Istio,
            Self::Tls => meshpki::cacerts::Layout::Tls,
        }
    }
}

impl Passphrase {
    pub(super) fn resolved(&self) -> PassphraseSource {
        PassphraseSource { file: self.passphrase_file.clone(), env: self.passphrase_env.clone() }
    }
}

impl RootSigner {
    /// The root key: in a file with this passphrase, or held elsewhere.
    pub(super) fn resolved(&self, passphrase: &Passphrase) -> KeySource {
        self.access.resolved(self.root_signer.as_ref(), passphrase.resolved())
    }
}

impl SignerAccess {
    /// The key that a signer holds, or the one in a file with this passphrase.
    pub(super) fn resolved(
        &self,
        signer: Option<&OsString>,
        passphrase: PassphraseSource,
    ) -> KeySource {
        KeySource {
            passphrase,
            signer: signer.cloned(),
            args: self.signer_arg.clone(),
            patience: self.signer_timeout,
            pin_env: self.pin_env.clone(),
            transcript: self.transcript.clone(),
        }
    }
}

impl Wait {
    pub(super) fn resolved(self) -> files::Wait {
        match self.wait {
            None => files::Wait::No,
            Some(None) => files::Wait::Forever,
            Some(Some(length)) => files::Wait::Seconds(length.as_secs()),
        }
    }
}

impl ClusterOptions {
    pub(super) fn resolved(&self) -> intermediate::Options {
        intermediate::Options {
            subject: self.cluster_subject.clone(),
            validity: self.cluster_validity,
            trust_domains: self.trust_domain.clone(),
            names: self.san.clone(),
            constrain: self.constrain,
        }
    }
}

impl Clusters {
    /// The clusters of a command that only looks.
    ///
    /// # Errors
    /// `ctl/usage` if a gateway is not NAMESPACE/NAME.
    pub(super) fn resolved(&self, force: &[String]) -> Result<Selection, Failure> {
        let way = Way::new(self.kubeconfig.clone(), force);
        Ok(Selection {
            spec: self.file.clone(),
            spec_text: None,
            contexts: self.contexts.clone(),
            way: Way { typed: self.typed(way.typed), ..way },
            istio_namespace: self.istio_namespace.clone(),
            istio_version: self.istio_version,
            gateways: self.gateways.iter().map(|text| gateway(text)).collect::<Result<_, _>>()?,
            service_account: SERVICE_ACCOUNT.to_owned(),
            workloads: false,
        })
    }

    /// The spec, if one is named.
    pub(super) fn mesh(&self, io: &mut Io<'_>) -> Result<Option<Mesh>, Failure> {
        self.file.as_ref().map(|file| spec::mesh_of(file, self.istio_version, io)).transpose()
    }

    /// Both: the spec is read once.
    ///
    /// # Errors
    /// As [`Clusters::resolved`] and [`Clusters::mesh`].
    pub(super) fn with_mesh(
        &self,
        force: &[String],
        io: &mut Io<'_>,
    ) -> Result<(Selection, Option<Mesh>), Failure> {
        let mut selection = self.resolved(force)?;
        let Some(file) = &self.file else { return Ok((selection, None)) };
        let text = spec::text(file, io)?;
        let mesh = spec::parsed(file, &text, self.istio_version, io)?;
        selection.spec_text = Some(text);
        Ok((selection, Some(mesh)))
    }

    /// What printed commands repeat, with these options.
    fn typed(&self, typed: Typed) -> Typed {
        let typed = typed
            .with("-f", self.file.as_ref())
            .with("--istio-namespace", self.istio_namespace.as_ref())
            .with("--istio-version", self.istio_version.map(|version| version.to_string()));
        self.gateways.iter().fold(typed, |typed, gateway| typed.with("--gateway", Some(gateway)))
    }

    /// The clusters of a rollout, whose credential plugins have as long as every other wait.
    ///
    /// # Errors
    /// As [`Clusters::resolved`].
    pub(super) fn for_rollout(&self, rollout: &Rollout) -> Result<Selection, Failure> {
        let mut selection = self.resolved(&rollout.force)?;
        selection.way.patience = Some(rollout.timeout);
        selection.workloads = rollout.workloads;
        selection.service_account.clone_from(&rollout.service_account);
        Ok(selection)
    }
}

fn gateway(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err(Failure::usage(format!("invalid gateway `{text}`: expected NAMESPACE/NAME"))),
    }
}

impl Rollout {
    pub(super) fn resolved(&self) -> rollout::Options {
        rollout::Options {
            restart: match self.restart {
                // Workloads that wait for their next certificate are what the option is there to avoid.
                Restart::Auto if self.workloads => rollout::Restart::Renewed,
                Restart::Auto => rollout::Restart::Auto,
                Restart::Istiod => rollout::Restart::Istiod,
                Restart::Always => rollout::Restart::Always,
                Restart::Never => rollout::Restart::Never,
            },
            workloads: self.workloads,
            batch: self.batch,
            adopt: self.adopt,
            force: self.force.clone(),
            before_install: self.before_install,
            dry_run: self.dry_run.map(|at| match at {
                DryRun::Client => rollout::DryRun::Client,
                DryRun::Server => rollout::DryRun::Server,
            }),
            diff: self.diff,
            yes: self.yes,
            parallel: self.parallel,
            timeout_seconds: self.timeout.as_secs(),
            reload_seconds: self.reload_timeout.min(self.timeout / 2).as_secs(),
            json: self.output.is_json(),
        }
    }
}

impl Source {
    pub(super) fn resolved(&self) -> spec::Source {
        spec::Source { file: self.file.clone(), istio: self.istio }
    }
}

impl LockFile {
    pub(super) fn resolved(&self) -> spec::lock::LockFile {
        spec::lock::LockFile {
            lock: self.lock.clone(),
            locked: self.locked,
            live: self.live.clone(),
        }
    }
}

impl Contexts {
    pub(super) fn resolved(&self, force: &[String]) -> Ask {
        Ask { contexts: self.contexts.clone(), way: Way::new(self.kubeconfig.clone(), force) }
    }
}

impl Members {
    /// Without a cluster on the command line, those of `mesh.yaml`.
    pub(super) fn resolved(&self, force: &[String]) -> Selection {
        let default = || self.contexts.is_empty().then(|| "mesh.yaml".into());
        let mut way = Way::new(self.kubeconfig.clone(), force);
        // The commands say themselves which spec.
        way.typed = way
            .typed
            .with("--istio-namespace", self.istio_namespace.as_ref())
            .with("--istio-version", self.istio_version.map(|version| version.to_string()));
        Selection {
            spec: self.file.clone().or_else(default),
            spec_text: None,
            contexts: self.contexts.clone(),
            way,
            istio_namespace: self.istio_namespace.clone(),
            istio_version: self.istio_version,
            gateways: Vec::new(),
            service_account: SERVICE_ACCOUNT.to_owned(),
            workloads: false,
        }
    }
}
