//! The command line of `meshctl mesh remote-secret`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use meshapply::remote::READER;
use meshpki::istiod::Version;

use super::version;
use crate::args::{DryRun, Output, duration};

/// `meshctl mesh remote-secret ...`.
#[derive(Debug, Subcommand)]
pub enum RemoteSecret {
    /// Create or repair secrets, and verify that istiod uses them.
    Create(Box<CreateRemoteSecrets>),
    /// Replace tokens that end soon, and verify that endpoints stay.
    Rotate(Box<RotateRemoteSecrets>),
    /// Check every remote secret, its token, and what istiod makes of it.
    Check(Box<CheckRemoteSecrets>),
}

/// The clusters that read each other.
#[derive(Debug, Clone, Args)]
pub struct Members {
    /// The spec. Default: `mesh.yaml`, if there is no `--context`.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Cluster and the kubeconfig context that reaches it, such as `east=prod-east`, or `east` if both have the same name; repeat or separate with commas for more. With `-f`, selects clusters from the spec.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// The kubeconfig. Default: $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of istiod. Default: the one in the spec, or `istio-system`.
    #[arg(long, value_name = "NAME")]
    pub istio_namespace: Option<String>,
    /// Release of Istio. Default: the one in istiod's image name.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio_version: Option<Version>,
}

/// The tokens, and how secrets are written.
#[derive(Debug, Clone, Args)]
pub struct Writing {
    /// Lifetime of a new token. The API server may issue a shorter one, which is reported.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration)]
    pub lifetime: Duration,
    /// Service account in istiod's namespace of the remote cluster, whose rights the token has.
    #[arg(long, value_name = "NAME", default_value = READER)]
    pub service_account: String,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Show the plan and change nothing.
    #[arg(long, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Do not ask for confirmation.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long istiod may take to use a new secret.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub timeout: Duration,
    /// How long after a write the endpoints must still be there before it counts as verified: istiod does not say which kubeconfig it uses.
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub settle: Duration,
    /// Print RBAC manifests with the permissions that this command needs in each cluster, and do nothing else.
    #[arg(long)]
    pub print_rbac: bool,
    /// Bind the permissions of `--print-rbac` to this user instead of the service account `meshctl`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
}

/// `meshctl mesh remote-secret create`.
#[derive(Debug, Args)]
#[command(after_help = "\
For every ordered pair of clusters, istiod of the first gets a secret `istio-remote-secret-CLUSTER` with which it reads the endpoints of the second: its address, its CA, and a token of its service account `istio-reader-service-account`. Secrets that work are left unchanged. Secrets that belong to another program are not overwritten (`--force remote/foreign` does).

Before anything is written, every cluster is read, the plan is shown, and you are asked for confirmation (`--yes` skips the question). Secrets are written one at a time: the token is tried before the write, and afterwards every pod of istiod must have synced the cluster.

The address is that of the kubeconfig, unless `--server` gives one that istiod can reach. No token is printed, written to a file, or put where it would be sent without verified TLS (`--force ctl/insecure-server` overrides this).

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or the spec is invalid
   2  refused, declined or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # Every pair of clusters of mesh.yaml
  meshctl mesh remote-secret create
  # Without a spec; istiod reaches west at another address
  meshctl mesh remote-secret create --context east=prod-east,west=prod-west \\
    --server west=https://api.west.internal:6443
  meshctl mesh remote-secret create --dry-run server
  # Grant the permissions that it needs, in every cluster
  meshctl mesh remote-secret create --print-rbac | kubectl apply -f -")]
pub struct CreateRemoteSecrets {
    /// The clusters.
    #[command(flatten)]
    pub members: Members,
    /// Address of a cluster's API server, as istiod of the other clusters reaches it; repeat for more. Default: the one in the secret, or in the kubeconfig.
    #[arg(long = "server", value_name = "CLUSTER=URL", value_delimiter = ',')]
    pub servers: Vec<String>,
    /// The tokens, and how secrets are written.
    #[command(flatten)]
    pub writing: Writing,
}

/// `meshctl mesh remote-secret rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
A token that ends soon, or has no end, is replaced by a new one while the old one still works. Only the token changes: address and CA of the secret stay. Secrets are written one at a time. Endpoints are counted in every pod of istiod before and after; if the cluster is not synced or endpoints are missing when `--timeout` ends, the old secret is put back.

Istio 1.29 and earlier drop the endpoints of a cluster until they have read it again; Istio 1.30.0 to 1.30.3 lose them until istiod restarts, and are refused without `--force remote/loses-endpoints`.

A replaced token stays valid until it ends: Kubernetes cannot revoke it alone. Secrets with tokens without an end, which istioctl creates, are named with the command that deletes them; they are never deleted for you.

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or the spec is invalid
   2  refused, declined or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl mesh remote-secret rotate
  # In a daily job: replace what ends within 30 days
  meshctl mesh remote-secret rotate --within 30d --yes
  # All of them, now
  meshctl mesh remote-secret rotate --within 100y --lifetime 30d")]
pub struct RotateRemoteSecrets {
    /// The clusters.
    #[command(flatten)]
    pub members: Members,
    /// Replace tokens that end within this time. Default: a third of each token's lifetime, or 30 days if it does not say when it was issued.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,
    /// The tokens, and how secrets are written.
    #[command(flatten)]
    pub writing: Writing,
}

/// `meshctl mesh remote-secret check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every secret with the label `istio/multiCluster: \"true\"` is read. Its token is sent to the server that the secret names, as istiod does, but only over verified TLS. It writes nothing.

Listing secrets is a permission to read all of them. Without it, the secrets of the clusters of the mesh are read by name.

Exit status:
   0  no errors; there may be warnings
   1  a cluster or a pod of istiod could not be asked, or the spec is invalid
   2  there are errors, or the command was refused
  64  usage error

Examples:
  meshctl mesh remote-secret check
  meshctl mesh remote-secret check --context east=prod-east,west=prod-west
  meshctl mesh remote-secret check -o json | jq -r '.problems[].code'")]
pub struct CheckRemoteSecrets {
    /// The clusters.
    #[command(flatten)]
    pub members: Members,
    /// Report tokens that end within this time. Default: a third of each token's lifetime, or 30 days if it does not say when it was issued.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,
    /// Proceed despite the error with this code: `ctl/insecure-server`, `ctl/wrong-cluster`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}
