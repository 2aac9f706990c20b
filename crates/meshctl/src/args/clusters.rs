//! Options of the commands that talk to clusters.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use meshpki::istiod::Version;

use super::{Output, duration, version};

/// Which clusters, and where things are in them.
#[derive(Debug, Clone, Args)]
pub struct Clusters {
    /// The mesh spec, which lists clusters, contexts, Istio's namespaces and trust domains. It is an error if a cluster's trust domain differs from the spec.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Cluster and the kubeconfig context that reaches it, such as `east=prod-east`, or `east` if both have the same name; repeat or separate with commas for more. With `-f`, selects clusters from the spec; a bare name uses the context given there.
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
    /// Workload to treat as a gateway; repeat for more. Default: every workload with a gateway's labels, and ztunnel.
    #[arg(long = "gateway", value_name = "NAMESPACE/NAME", value_delimiter = ',')]
    pub gateways: Vec<String>,
}

impl Clusters {
    /// Whether no cluster is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.file.is_none() && self.contexts.is_empty()
    }

    /// The namespace of istiod, unless the spec says otherwise.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.istio_namespace.as_deref().unwrap_or(meshapply::names::ISTIO_NAMESPACE)
    }
}

/// How a secret is installed.
#[derive(Debug, Clone, Args)]
pub struct Rollout {
    /// What to restart.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub restart: Restart,
    /// If gateways restart, restart injected workloads too. Both then also restart if only the CA changes, so that nothing keeps certificates of the old one.
    #[arg(long)]
    pub workloads: bool,
    /// Number of injected workloads to restart at the same time.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "workloads")]
    pub batch: usize,
    /// Overwrite fields that belong to another field manager, such as helm or kubectl, and take ownership of them.
    #[arg(long)]
    pub adopt: bool,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Istio is not installed yet: write the secret, but do not verify that it is in use.
    #[arg(long)]
    pub before_install: bool,
    /// Show the plan and change nothing.
    #[arg(long, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Show what changes in each secret: subjects, dates and fingerprints, but no keys.
    #[arg(long)]
    pub diff: bool,
    /// Do not ask for confirmation.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Number of clusters to update at the same time, after the first.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub parallel: usize,
    /// Time limit for each wait: for a rollout, for istiod to use the new CA, and for an API server that does not respond.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    /// How long to wait for istiod to reload before restarting it; at most half of `--timeout`.
    #[arg(long, value_name = "TIME", default_value = "150s", value_parser = duration)]
    pub reload_timeout: Duration,
    /// Service account in istiod's namespace that requests the test certificate, which shows whether istiod signs with the new CA.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub service_account: String,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = events())]
    pub output: Output,
}

/// The formats of a command that reports events.
fn events() -> impl TypedValueParser<Value = Output> {
    let text = PossibleValue::new("text").help("Human-readable text");
    let json = PossibleValue::new("json").help("One JSON document per event, each on a line");
    PossibleValuesParser::new([text, json])
        .map(|name| if name == "json" { Output::Json } else { Output::Text })
}

/// What to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Only what needs it: istiod if it cannot reload, and the gateways if the roots change.
    Auto,
    /// istiod if it cannot reload; the gateways renew their certificates by themselves.
    Istiod,
    /// istiod and the gateways.
    Always,
    /// Nothing, unless istiod fails to reload in time.
    Never,
}

/// Kinds of dry runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Show the plan.
    Client,
    /// Also have each API server validate it.
    Server,
}

/// `meshctl push`.
#[derive(Debug, Args)]
#[command(after_help = "\
Before anything is written, every cluster is read, every folder is checked (see `meshctl check`), and you are asked for confirmation (`--yes` skips the question). The first cluster is the canary and is updated alone. After a failure, no further cluster is updated.

The push succeeds only if istiod presents a certificate from the new CA and signs with it, and every namespace has the new roots. The previous secret is kept for `meshctl rollback`. After an interruption, run the same command again to continue.

`meshctl push --print-rbac` prints the permissions that it needs.

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl push ca --context east=prod-east --context west=prod-west
  # Show what would change, and have the API server validate it
  meshctl push ca --context east --dry-run server --diff
  # Grant the permissions that a push needs
  meshctl push --print-rbac --context east \\
    | kubectl --context east apply -f -
  # Without confirmation, as events
  meshctl push ca --context east,west --yes -o json > events.jsonl
  # Every cluster of the spec
  meshctl push ca -f mesh.yaml")]
pub struct Push {
    /// Folder with a folder per cluster, as created by `meshctl ca init`.
    #[arg(required_unless_present = "print_rbac")]
    pub dir: Option<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
    /// Print RBAC manifests with the permissions that a push needs, and do nothing else. With `--context`, they cover the gateways found there and include empty secrets for those that are missing. With `--restart never`, they do not allow restarts.
    #[arg(long)]
    pub print_rbac: bool,
    /// Bind the permissions of `--print-rbac` to this user instead of the service account `meshctl`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
    /// With `--print-rbac`, include the permission to create secrets, which allows its holder to act as any service account in istiod's namespace. Without it, the two secrets that a push writes must already exist, at least empty.
    #[arg(long, requires = "print_rbac")]
    pub rbac_create_secrets: bool,
    /// With `--print-rbac`, include what `meshctl rotate root` needs besides: to connect to every proxy of the cluster, and to read the CA that istiod made for itself.
    #[arg(long, requires = "print_rbac")]
    pub rbac_rotate_root: bool,
}

/// `meshctl rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Installs the secret that the last push replaced, with the same steps and checks as a push. The kept secret remains, so an interrupted rollback can be run again. To return to the newer secret, use `meshctl push`.

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl rollback --context east=prod-east
  meshctl rollback --context east --yes")]
pub struct Rollback {
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}
