//! Options of the commands that talk to clusters.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshpki::istiod::Version;

use super::{Output, Passphrase, Wait, duration, version};

/// Which clusters, and where things are in them.
#[derive(Debug, Clone, Args)]
pub struct Clusters {
    /// The mesh's spec: its clusters in their order, with their contexts and Istio's namespaces. Where a cluster's trust
    /// domain is another than it says, that is an error.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A cluster and the kubeconfig context that reaches it, `east=prod-east`, or `east` when both have that name;
    /// repeat for more. The first is the canary: it goes first and alone. With -f only these clusters of the spec, and
    /// the name alone has the context the spec says.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// The kubeconfig; default $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of istiod; default what the spec says, or `istio-system`.
    #[arg(long, value_name = "NAME")]
    pub istio_namespace: Option<String>,
    /// The release of Istio; default what the image of istiod says.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio_version: Option<Version>,
    /// A gateway; repeat for more. Default: every workload with a gateway's labels, and ztunnel.
    #[arg(long = "gateway", value_name = "NAMESPACE/NAME", value_delimiter = ',')]
    pub gateways: Vec<String>,
    /// The service account, in the namespace of istiod, in whose name a canary certificate is asked for.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub service_account: String,
}

impl Clusters {
    /// Whether no cluster is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.file.is_none() && self.contexts.is_empty()
    }

    /// The namespace of istiod where no spec says another.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.istio_namespace.as_deref().unwrap_or(meshapply::names::ISTIO_NAMESPACE)
    }
}

/// How a secret is brought in.
#[derive(Debug, Clone, Args)]
pub struct Rollout {
    /// Who restarts: `auto` is istiod where it does not reload by itself, and the gateways where the roots change.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub restart: Restart,
    /// Restart the injected workloads too, where the gateways restart.
    #[arg(long)]
    pub workloads: bool,
    /// How many injected workloads restart at the same time.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "workloads")]
    pub batch: usize,
    /// Write over fields that belong to another field manager (helm, kubectl), and own them from then on.
    #[arg(long)]
    pub adopt: bool,
    /// Go on in spite of this error, by its code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Istio is not installed yet: write the secret, prove nothing.
    #[arg(long)]
    pub before_install: bool,
    /// Change nothing: `client` shows the plan, `server` has each API server check it as well.
    #[arg(long, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Show what changes in each secret: subjects, dates and fingerprints, never a key.
    #[arg(long)]
    pub diff: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How many clusters at the same time, after the first.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub parallel: usize,
    /// How long one wait may take: a rollout, the proof, an API server that is away.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub timeout: i64,
    /// How long istiod is given to reload by itself before it is restarted; half of `--timeout` at most.
    #[arg(long, value_name = "TIME", default_value = "150s", value_parser = duration)]
    pub reload_timeout: i64,
    /// How the result is written; `json` is a line per event.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Who restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Restart {
    /// Who has to.
    Auto,
    /// istiod and the gateways.
    Always,
    /// Nobody, unless istiod does not reload in its time.
    Never,
}

/// Where a dry run is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Here.
    Client,
    /// By each API server too.
    Server,
}

/// `meshctl push`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is written before every cluster has been looked at, every folder checked as `meshctl check` does, and you
have said yes (--yes in a script). The first cluster goes alone; the first failure stops what has not begun.
Done means proven: istiod presents a certificate of the new CA, signs with it, and every namespace has its roots.
The secret before is kept for `meshctl rollback`. Run again after an interruption: it goes on where it was.

Exit status: 0 done and proven, or nothing to do; 1 a cluster could not be asked; 2 refused, stuck or not proven;
64 wrong usage, or nobody to ask and no --yes.
Rights it needs: `meshctl push --print-rbac`.

Examples:
  meshctl push ca --context east=prod-east --context west=prod-west
  meshctl push ca --context east --dry-run server --diff
  meshctl push ca --context east --print-rbac | kubectl --context east apply -f -
  meshctl push ca --context east,west --yes -o json > events.jsonl
  meshctl push ca -f mesh.yaml                             every cluster of the spec")]
pub struct Push {
    /// Folder with a folder per cluster, as `meshctl ca init` makes it.
    pub dir: PathBuf,
    /// Which clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// How.
    #[command(flatten)]
    pub rollout: Rollout,
    /// Print the rights a push needs as RBAC manifests, and do nothing else. With a context, the gateways are those found there, and secrets missing there are among the manifests, empty. With `--restart never`, nothing may be restarted.
    #[arg(long)]
    pub print_rbac: bool,
    /// Bind the rights of `--print-rbac` to this user instead of the service account `meshctl`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
    /// With `--print-rbac`, include the right to create secrets, which makes its holder any service account of istiod's namespace. By default the two secrets that a push writes are made beforehand, empty.
    #[arg(long, requires = "print_rbac")]
    pub rbac_create_secrets: bool,
}

/// `meshctl rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
The secret that was replaced last becomes the secret again, by the same steps as a push. It stays kept: interrupted,
a rollback is run again. The way forward again is `meshctl push`.

Exit status: as `meshctl push`.

Examples:
  meshctl rollback --context east=prod-east
  meshctl rollback --context east --yes")]
pub struct Rollback {
    /// Which clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// How.
    #[command(flatten)]
    pub rollout: Rollout,
}

/// `meshctl rotate ...`.
#[derive(Debug, clap::Subcommand)]
pub enum Rotate {
    /// Renew each cluster's intermediate that ends soon, bring it in, and prove it: the whole CI job.
    Intermediate(Box<RotateIntermediate>),
}

/// `meshctl rotate intermediate`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each cluster: does its CA end soon? Then a new one under the same root, checked, pushed and proven. A cluster
without a folder in DIR gets one from the secret it has, so that DIR need hold no more than the root. A folder that
was renewed and never pushed is pushed. Nothing due: nothing is written, and that the CA is live is proven all the same.

Exit status: 0 nothing due, or done and proven; 1 a cluster could not be asked; 2 refused, stuck or not proven;
64 wrong usage, or nobody to ask and no --yes.

Examples:
  meshctl rotate intermediate ca --context east=prod-east --within 30d --yes
  meshctl rotate intermediate ca --context east,west --within 30d --dry-run client
  meshctl rotate intermediate ca -f mesh.yaml --yes
  docs/ci.md has it as a job for GitHub Actions and GitLab, and as a CronJob")]
pub struct RotateIntermediate {
    /// Folder of the CA: root-cert.pem, root-key.pem, and a folder per cluster.
    pub dir: PathBuf,
    /// What counts as soon.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: i64,
    /// How long a new intermediate is valid; default as long as the old one, or less where the root ends before.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub validity: Option<i64>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Which clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// How.
    #[command(flatten)]
    pub rollout: Rollout,
}
