//! Remote secrets: the kubeconfigs with which istiod reads the endpoints of other clusters.
//!
//! In a multi-primary mesh, every cluster has one secret for each other cluster: label [`LABEL`], annotation
//! [`ANNOTATION`] and the key of the data are the other cluster's name, the value is a kubeconfig. Everything here is pure:
//! what secrets hold ([`RemoteSecret`], [`RemoteKubeconfig`], [`Claims`]), what is wrong with them ([`judge()`]), what is
//! written ([`decide()`]), what a release of istiod does when a secret changes ([`Swap`]), and whether it has taken the new
//! one ([`Watch`]). [`crate::kube`] reads, writes and asks.

mod decide;
mod judge;
mod kubeconfig;
mod problem;
mod secret;
mod swap;
mod token;
mod watch;

pub use decide::{Aim, Due, Step, decide};
pub use judge::{Answer, Found, around, judge, unusable};
pub use kubeconfig::{Auth, Entrance, Flaw, RemoteKubeconfig};
pub use problem::{Problem, Remedy};
pub use secret::{Metadata, Owner, RemoteSecret};
pub use swap::Swap;
pub use token::{Claims, ReaderToken};
pub use watch::{Said, View, Watch, Watched, clusters, endpoints};

/// Label of the secrets that istiod reads, and its value (`pkg/kube/multicluster/secretcontroller.go`).
pub const LABEL: (&str, &str) = ("istio/multiCluster", "true");
/// Annotation with the name of the cluster that a secret is for (`istioctl/pkg/multicluster/options.go`).
pub const ANNOTATION: &str = "networking.istio.io/cluster";
/// The service account whose rights istiod has in a remote cluster (`manifests/charts/base/templates/reader-serviceaccount.yaml`).
pub const READER: &str = "istio-reader-service-account";

/// The name of the secret for a cluster, as istioctl has it (`istioctl/pkg/multicluster/remote_secret.go`).
#[must_use]
pub fn secret_name(cluster: &str) -> String {
    format!("istio-remote-secret-{cluster}")
}

/// The name of the secret with a token without an end that istioctl creates for a service account
/// (`istioctl/pkg/multicluster/remote_secret.go: tokenSecretName`).
#[must_use]
pub fn token_secret_name(account: &str) -> String {
    format!("{account}-istio-remote-secret-token")
}

#[cfg(test)]
mod tests;
