//! Options of the `mesh` commands that talk to clusters.

use std::path::PathBuf;

use clap::Args;

use super::{LockFile, Source};
use crate::args::{DryRun, Output};

/// The clusters.
#[derive(Debug, Args)]
pub struct Contexts {
    /// Cluster and the kubeconfig context that reaches it, such as `east=prod-east`; a bare name uses the context in the spec. Repeat for more. Default: every cluster of the spec.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// The kubeconfig. Default: $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// `meshctl mesh discover`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without `-f`, the spec is printed. With it, the file is created or extended: new entries are shown, and written once you confirm. No existing line is changed or removed; if a cluster differs from the file, that is reported.

It selects services with the label or annotation `meshctl/export: \"true\"`, or those that `--mark` or `--namespace` selects.

`meshctl mesh apply --print-rbac` prints the permissions that it needs.

Exit status:
   0  success, or nothing new
   1  a cluster could not be reached, or the spec is invalid
   2  refused or declined
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl mesh discover --context east=prod-east,west=prod-west > mesh.yaml
  # Update the spec from the clusters it names
  meshctl mesh discover -f mesh.yaml
  # Add a cluster
  meshctl mesh discover -f mesh.yaml --context north
  meshctl mesh discover --context east --namespace shop --mark mesh/offer=yes")]
pub struct Discover {
    /// The spec to create or extend.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Select every service in this namespace; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Select services with this label or annotation.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub mark: Option<String>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Show what would be added and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// `meshctl mesh diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
The ConfigMap of a cluster's DNS is compared too if the spec has `dns: {way: hosts}` or `istio-coredns`, or if a block is left over. Errors and warnings about what the clusters will have are printed on standard error.

Exit status:
   0  the clusters match the spec
   1  a cluster could not be reached, or the spec is invalid
   2  the clusters differ, or the command was refused
  64  usage error

Examples:
  # Every cluster of mesh.yaml
  meshctl mesh diff
  meshctl mesh diff --context east -o json | jq -r '.changes[].resource'")]
pub struct Diff {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// The clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Proceed despite the error with this code: `ctl/insecure-server`, `ctl/wrong-cluster`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Before anything is written, every cluster is read, every write is tried as a dry run, and you are asked for confirmation (`--yes` skips the question). Resources are created before anything refers to them and removed after nothing does, across all clusters. It stops at the first failure; run the same command again to continue.

It changes and removes only resources with the labels of this mesh, and one block in the ConfigMap of the cluster's DNS if the spec has `dns: {way: hosts}` or `istio-coredns`. If `meshctl mesh lint` would report an error in the result, alone or together with what a cluster already has, nothing is written (`--force CODE` overrides this).

`meshctl mesh apply --print-rbac` prints the permissions that it needs.

Exit status:
   0  done, or nothing to do
   1  a cluster could not be reached, or the spec is invalid
   2  refused, declined or stopped by a failure
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # Every cluster of mesh.yaml
  meshctl mesh apply
  meshctl mesh apply --dry-run server --diff
  meshctl mesh apply --context east --yes
  # Grant the permissions that it needs
  meshctl mesh apply --context east --print-rbac \\
    | kubectl --context east apply -f -")]
pub struct Apply {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// The clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Show the plan and change nothing.
    #[arg(long, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Show the content of each change.
    #[arg(long)]
    pub diff: bool,
    /// Do not ask for confirmation.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Print RBAC manifests with the permissions that `discover`, `diff` and `apply` need, and do nothing else. With `--context`, they cover the revisions of istiod found there; without a spec, they use Istio's default names.
    #[arg(long)]
    pub print_rbac: bool,
    /// Bind the permissions of `--print-rbac` to this user instead of the service account `meshctl`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
}
