//! A cluster behind an API server.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret as KubeSecret};
use kube::api::{Api, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use meshpki::istiod::Version;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::names::{CACERTS, FIELD_MANAGER, PREVIOUS};
use crate::next::Action;
use crate::proof::Proof;
use crate::state::{Desired, Observed};
use crate::workload::Id;

mod config_maps;
mod identity;
mod istiod;
mod mesh_config;
mod older;
mod prove;
mod resources;
mod secret;
mod workloads;

pub use identity::Identity;
pub use istiod::Istiod;
pub use mesh_config::MeshConfig;
pub use older::OlderPod;

/// One request takes this long at most.
const REQUEST: Duration = Duration::from_secs(20);

/// What to look at in a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of istiod.
    pub istio_namespace: String,
    /// The release of istiod, where its image does not say it.
    pub istio_version: Option<Version>,
    /// The gateways, namespace and name; empty: found by their labels in every namespace.
    pub gateways: Vec<(String, String)>,
    /// Look at the injected workloads too.
    pub workloads: bool,
    /// The service account in the namespace of istiod whose name a canary certificate bears.
    pub service_account: String,
}

/// A cluster behind an API server, by a context of a kubeconfig.
pub struct Kube {
    client: Client,
    server: String,
    identity: Identity,
    options: Options,
}

impl Kube {
    /// Reads a context; nothing is asked of the server yet. Without a file it is `$KUBECONFIG`, or `~/.kube/config`.
    ///
    /// # Errors
    /// `apply/kubeconfig`.
    pub async fn new(file: Option<&Path>, context: &str, options: Options) -> Result<Self, Error> {
        let fail = |message: String| Error::Kubeconfig { context: context.to_owned(), message };
        let selected =
            KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let kubeconfig = match file {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let kubeconfig = kubeconfig.map_err(|error| fail(told(&error)))?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &selected)
            .await
            .map_err(|error| fail(told(&error)))?;
        // We retry ourselves, with an eye on the clock and a word to the user.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = Some(REQUEST);
        let server = config.cluster_url.to_string();
        let identity = Identity::of(&config);
        let client = Client::try_from(config).map_err(|error| fail(told(&error)))?;
        Ok(Self { client, server: server.trim_end_matches('/').to_owned(), identity, options })
    }

    /// The address of the API server.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What istiod of every revision is: release and settings, sorted by name.
    ///
    /// # Errors
    /// `apply/istio-version` and those of a request.
    pub async fn istiods(&self) -> Result<Vec<Istiod>, Error> {
        istiod::read(self).await
    }

    /// What the mesh's configuration says that matters to certificates.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn mesh_config(&self) -> Result<MeshConfig, Error> {
        mesh_config::read(self).await
    }

    /// Sends what [`Action`] would change as a dry run: admission and rights are asked, nothing is kept.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn dry_run(&self, action: &Action, desired: &Desired) -> Result<(), Error> {
        self.send(action, desired, true).await
    }

    /// The roots each namespace's workloads are given.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn namespace_roots(&self) -> Result<Vec<crate::proof::NamespaceRoots>, Error> {
        prove::namespaces(self).await
    }

    /// What every ready pod of istiod serves on its TLS port, without having it sign anything: it needs no token.
    ///
    /// # Errors
    /// Those of a request; a pod that does not answer is in the result.
    pub async fn served(&self) -> Result<Vec<crate::proof::PodProof>, Error> {
        prove::served(self).await
    }

    /// Gateway pods that started before the roots of their namespace changed, within the last day.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn older_pods(&self) -> Result<Vec<OlderPod>, Error> {
        older::read(self).await
    }

    async fn send(&self, action: &Action, desired: &Desired, dry_run: bool) -> Result<(), Error> {
        let params = PatchParams {
            dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match action {
            Action::KeepPrevious => secret::keep_previous(self, params).await,
            Action::WriteSecret { over } => {
                secret::write(self, desired, over.as_deref(), params).await
            }
            Action::Note { over } => secret::note(self, desired, over, &params).await,
            Action::Clean { over } => secret::clean(self, over, &params).await,
            Action::Forget { over } => secret::forget(self, over, &params).await,
            Action::Restart { id, mark } => workloads::restart(self, id, mark, &params).await,
        }
    }

    fn namespace(&self) -> &str {
        &self.options.istio_namespace
    }

    fn secrets(&self) -> Api<KubeSecret> {
        Api::namespaced(self.client.clone(), self.namespace())
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

impl Cluster for Kube {
    async fn observe(&self) -> Result<Observed, Error> {
        let (secret, previous, istiod, gateways) = tokio::try_join!(
            secret::read(self, CACERTS),
            secret::read(self, PREVIOUS),
            workloads::istiod(self),
            workloads::gateways(self),
        )?;
        let workloads = if self.options.workloads {
            let taken: Vec<&Id> = istiod.iter().chain(&gateways).map(|w| &w.id).collect();
            workloads::injected(self, &taken).await?
        } else {
            Vec::new()
        };
        let (secret, vacant) = secret::vacant(secret);
        let has_previous = previous.is_some();
        let (previous, _) = secret::vacant(previous);
        Ok(Observed { secret, vacant, previous, has_previous, istiod, gateways, workloads })
    }

    async fn act(&self, action: &Action, desired: &Desired) -> Result<(), Error> {
        self.send(action, desired, false).await
    }

    async fn prove(&self, desired: &Desired) -> Result<Proof, Error> {
        prove::prove(self, &desired.secret).await
    }
}

/// Awaits a request; what goes wrong is told with what was asked.
async fn ask<T>(
    what: impl Fn() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Error> {
    match timeout(REQUEST, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(refused(what(), &error)),
        Err(_) => Err(Error::Unreachable {
            what: what(),
            message: format!("no answer within {} s", REQUEST.as_secs()),
        }),
    }
}

/// The same for something that may not be there.
async fn ask_optional<T>(
    what: impl Fn() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Option<T>, Error> {
    match ask(what, request).await {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Api { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Our error for kube's, without its `Debug` text, which would print all it has.
fn refused(what: String, error: &kube::Error) -> Error {
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            Error::Forbidden { what, message: status.message.clone() }
        }
        kube::Error::Api(status) => {
            Error::Api { what, message: status.message.clone(), status: status.code }
        }
        // Whichever of several requests was first to find that nobody is there: they all say the same.
        kube::Error::Service(_) | kube::Error::HyperError(_) => {
            Error::Unreachable { what: "reach the API server".to_owned(), message: deepest(error) }
        }
        other => Error::Unreachable { what, message: told(other) },
    }
}

/// The cause below all causes: `Connection refused`, `invalid peer certificate: UnknownIssuer`.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// An error with its causes, each once.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
