//! Options of the `mesh` commands that talk to clusters.

use std::path::PathBuf;

use clap::Args;

use super::{LockFile, Source};
use crate::args::{DryRun, Output};

/// Which clusters.
#[derive(Debug, Args)]
pub struct Contexts {
    /// A cluster and the kubeconfig context that reaches it, `east=prod-east`; the name alone has the context the spec
    /// says; repeat for more. Default: every cluster of the spec.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// The kubeconfig; default $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// `meshctl mesh discover`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without -f the spec goes to standard output. With it the file is made or added to: what is new is shown, and written when
you have said yes. No line that is there is changed or taken out; where the clusters are otherwise you are told.

Services are taken that have the label or annotation `meshctl/export: \"true\"`, or that --mark or --namespace names.
Rights it needs: `meshctl mesh apply --print-rbac`.

Examples:
  meshctl mesh discover --context east=prod-east,west=prod-west > mesh.yaml
  meshctl mesh discover -f mesh.yaml                       the clusters the file names, asked again
  meshctl mesh discover -f mesh.yaml --context north       one cluster more
  meshctl mesh discover --context east --namespace shop --mark mesh/offer=yes")]
pub struct Discover {
    /// The spec to make or to add to.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Take every service of this namespace; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub namespace: Vec<String>,
    /// Take services with this label or annotation.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub mark: Option<String>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Show what would be added, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// `meshctl mesh diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
The ConfigMap of a cluster's DNS is compared too, where the spec says `dns: {way: hosts}` or `istio-coredns`, or a block
of ours is left over. What istiod would refuse or ignore of what the clusters will have is told on standard error.

Exit status: 0 the clusters are as the spec says; 2 they differ; 1 a cluster could not be asked; 64 wrong usage.

Examples:
  meshctl mesh diff                                        every cluster of mesh.yaml
  meshctl mesh diff --context east -o json | jq -r '.changes[].resource'")]
pub struct Diff {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Which clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Proceed despite the error with this code: `ctl/insecure-server`, `ctl/wrong-cluster`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is written before every cluster has been looked at, every write has been tried as a dry run, and you have said yes
(--yes in a script). What is pointed to comes first, in all clusters, then what points there, then what nobody needs any
more goes. Only resources with the labels of this mesh are changed or removed, and one block of our own in the ConfigMap
of the cluster's DNS, where the spec says `dns: {way: hosts}` or `istio-coredns`. What istiod would refuse or ignore
together with what is there already is an error before anything is written. The first failure stops it; run it again and
it goes on.

Exit status: 0 done, or nothing to do; 1 a cluster could not be asked; 2 refused; 64 wrong usage, or nobody to ask and no
--yes.
Rights it needs: `meshctl mesh apply --print-rbac`.

Examples:
  meshctl mesh apply                                       every cluster of mesh.yaml
  meshctl mesh apply --dry-run server --diff
  meshctl mesh apply --context east --yes
  meshctl mesh apply --context east --print-rbac | kubectl --context east apply -f -")]
pub struct Apply {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Which clusters.
    #[command(flatten)]
    pub contexts: Contexts,
    /// Change nothing: `client` shows the plan, `server` has each API server check it as well.
    #[arg(long, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Show the content of what changes.
    #[arg(long)]
    pub diff: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Go on in spite of this error, by its code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Print the rights `discover`, `diff` and `apply` need as RBAC manifests, and do nothing else. With --context the
    /// revisions of istiod are those found there; without a spec all names are those Istio gives.
    #[arg(long)]
    pub print_rbac: bool,
    /// Whom `--print-rbac` gives the rights to: a user, instead of the service account `meshctl`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
}
