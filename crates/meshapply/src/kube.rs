//! A cluster behind an API server.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret as KubeSecret};
use kube::Client;
use kube::api::{Api, PatchParams};
use meshpki::Time;
use meshpki::istiod::Version;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::names::{CACERTS, FIELD_MANAGER, OWN_CA, PREVIOUS};
use crate::next::Action;
use crate::proof::Proof;
use crate::remote::Entrance;
use crate::state::{Desired, Observed};
use crate::workload::Id;

mod address;
mod ask;
mod clock;
mod config_maps;
mod context;
mod credentials;
mod identity;
mod istiod;
mod kubeconfig;
mod mesh_client;
mod mesh_config;
mod older;
mod plugin;
mod prove;
mod proxies;
mod proxy;
mod remote;
mod resources;
mod rights;
mod secret;
mod service;
mod token;
mod watch;
mod workloads;

use ask::{ask, ask_optional, deepest, told, write};
pub use context::{Context, Security, Surroundings};
pub use identity::Identity;
pub use istiod::Istiod;
pub use kubeconfig::Kubeconfig;
pub use mesh_config::MeshConfig;
pub use older::OlderPod;
pub use proxies::Proxies;
pub use remote::{RemoteWrite, try_token};
pub use rights::Right;
pub use watch::{Exchange, Watcher};

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
    security: Security,
    identity: Identity,
    entrance: Entrance,
    options: Options,
}

impl Kube {
    /// Makes a client for a context, which runs its credential plugin; nothing is asked of the server yet.
    ///
    /// # Errors
    /// `apply/credentials`.
    pub async fn connect(context: Context, options: Options) -> Result<Self, Error> {
        let (server, security) = (context.server(), context.security().clone());
        let (identity, entrance) = (context.identity(), context.entrance());
        let client = context.client().await?;
        Ok(Self { client, server, security, identity, entrance, options })
    }

    /// The address of the API server, without user information and query.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// How far the connection can be trusted.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.security
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
    pub async fn namespace_roots(&self) -> Result<Vec<meshpki::istiod::NamespaceRoots>, Error> {
        prove::namespaces(self).await
    }

    /// The CRLs that istiod hands out to workloads (`PILOT_ENABLE_CA_CRL`): the texts of the ConfigMaps of all namespaces,
    /// each once.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn crls(&self) -> Result<Vec<String>, Error> {
        prove::crls(self).await
    }

    /// What every ready pod of istiod serves on its TLS port, without having it sign anything: it needs no token.
    ///
    /// # Errors
    /// Those of a request; a pod that does not answer is in the result.
    pub async fn served(&self) -> Result<Vec<crate::proof::PodProof>, Error> {
        prove::served(self).await
    }

    /// Gateway pods that started before the roots of their namespace changed, within the last day, unless their proxy
    /// shows through port forwarding that it has the new ones.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn older_pods(&self) -> Result<Vec<OlderPod>, Error> {
        older::read(self).await
    }

    /// What every sidecar, gateway and ztunnel shows and trusts, `parallel` of them asked at a time, through port
    /// forwarding. `until`: when a certificate ends at the latest of which nothing is known.
    ///
    /// # Errors
    /// Those of a request; a proxy that does not answer is in the result.
    pub async fn proxies(&self, parallel: usize, until: Option<Time>) -> Result<Proxies, Error> {
        proxies::read(self, parallel, until).await
    }

    /// The CA that istiod made for itself (`istio-ca-secret`), in the form of a `cacerts` secret; `None` if there is none.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn own_ca(&self) -> Result<Option<meshpki::cacerts::Secret>, Error> {
        let own = secret::read(self, OWN_CA).await?;
        Ok(own.and_then(|own| meshpki::rotation::self_signed_secret(&own.files)))
    }

    /// What time the API server has, by the header `Date` of a response; `None` if it sends none.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn clock(&self) -> Result<Option<Time>, Error> {
        clock::read(self).await
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
