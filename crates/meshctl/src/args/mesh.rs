//! The command line of `meshctl mesh`: clap types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use meshpki::istiod::Version;

use crate::args::{Output, Wait};

mod live;
mod remote_secret;

pub use live::{Apply, Contexts, Diff, Discover};
pub use remote_secret::{
    CheckRemoteSecrets, CreateRemoteSecrets, Members, RemoteSecret, RotateRemoteSecrets, Writing,
};

/// `meshctl mesh ...`.
#[derive(Debug, Subcommand)]
pub enum Mesh {
    /// Generate the Istio resources for calls between clusters.
    Render(Render),
    /// Report what istiod would reject or silently ignore.
    Lint(Lint),
    /// Draw which clusters call which services via which gateways.
    Graph(Graph),
    /// Show each hop of a call and the resource behind it.
    Explain(Explain),
    /// Convert resources of Gloo Mesh, Admiral and others to a spec.
    Import(Import),
    /// List and record the addresses of remote services.
    Addresses(Addresses),
    /// Create or extend the spec from what clusters have.
    Discover(Discover),
    /// Show how the clusters differ from the spec.
    Diff(Diff),
    /// Bring clusters in line with the spec, without breaking calls.
    Apply(Apply),
    /// Add remote names to a Corefile.
    Dns(Dns),
    /// Manage the secrets with which istiod reads other clusters.
    #[command(subcommand)]
    RemoteSecret(RemoteSecret),
}

/// The spec.
#[derive(Debug, Args)]
pub struct Source {
    /// The spec; `-` reads standard input.
    #[arg(short, long, value_name = "FILE", default_value = "mesh.yaml")]
    pub file: PathBuf,
    /// Assume every cluster runs this Istio release.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio: Option<Version>,
}

/// The lock file, which records addresses.
#[derive(Debug, Args)]
pub struct LockFile {
    /// The lock file. Default: `mesh.lock` next to the spec.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Fail if the lock file would change.
    #[arg(long)]
    pub locked: bool,
    /// ServiceEntries of live clusters, whose addresses are not reused: the output of `kubectl get serviceentries -A -o yaml`.
    #[arg(long, value_name = "FILE")]
    pub live: Vec<PathBuf>,
}

/// `meshctl mesh render`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without `-o`, all resources are printed as one stream of YAML. With it, files from earlier runs that are no longer needed are removed; other files are never touched.

Exit status:
   0  success
   1  could not run: invalid spec, or a file that cannot be read
  64  usage error

Examples:
  # Every cluster, as one stream of YAML
  meshctl mesh render
  meshctl mesh render --cluster east | kubectl --context east apply -f -
  # A folder per cluster
  meshctl mesh render -o out
  # For a specific Istio release
  meshctl mesh render --istio 1.6.4")]
pub struct Render {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Generate only this cluster's resources; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// Folder to write to. Default: standard output.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}

/// `meshctl mesh lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  no errors; there may be warnings
   1  could not run: invalid spec, or a file that cannot be read
   2  there are errors
  64  usage error

Examples:
  # The spec and the resources generated from it
  meshctl mesh lint
  # Together with what a cluster has: kubectl get ... -A -o yaml > live.yaml
  meshctl mesh lint --with east=live.yaml
  meshctl mesh lint -o json | jq -r '.problems[].code'")]
pub struct Lint {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// Additional resources of a cluster.
    #[arg(long, value_name = "CLUSTER=FILE")]
    pub with: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Formats of drawings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    /// Mermaid, which GitHub and GitLab render.
    Mermaid,
    /// Graphviz.
    Dot,
    /// An SVG image.
    Svg,
}

/// `meshctl mesh graph`.
#[derive(Debug, Args)]
#[command(after_help = "\
Arrows show the weights and the failover order of policies. If there are too many arrows to read, callers with the same calls become one box, and services are counted; `--service` shows the details.

Exit status:
   0  success
   1  could not run: invalid spec, or a file that cannot be read
  64  usage error

Examples:
  meshctl mesh graph
  # One service, with weights and order
  meshctl mesh graph --service default/reviews
  meshctl mesh graph -o svg > mesh.svg
  meshctl mesh graph -o dot | dot -Tpdf > mesh.pdf")]
pub struct Graph {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// Draw only the calls of this service, `NAMESPACE/NAME`, or `NAME` if only one service has that name; repeat for more.
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub service: Vec<String>,
    /// Format of the drawing.
    #[arg(short, long, value_name = "FORMAT", default_value = "mermaid")]
    pub output: Picture,
}

/// `meshctl mesh explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  success
   1  could not run: invalid spec, or a file that cannot be read
  64  usage error

Examples:
  # From every cluster that calls it
  meshctl mesh explain default/reviews
  # From one cluster
  meshctl mesh explain reviews --from east")]
pub struct Explain {
    /// The service, `NAMESPACE/NAME`, or `NAME` if only one service has that name.
    pub service: String,
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// Show only callers in this cluster.
    #[arg(long, value_name = "CLUSTER")]
    pub from: Option<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads TrafficPolicy, AccessPolicy, VirtualMesh and FailoverService of Service Mesh Hub (networking.smh.solo.io/v1alpha2) and Gloo Mesh (networking.mesh.gloo.solo.io/v1), VirtualDestination of Gloo Mesh, GlobalTrafficPolicy and Dependency of Admiral with the ServiceEntries that it generated, and the IstioOperators, Gateways, Services and remote secrets of Istio's own multi-primary installation.

What has no equivalent in a spec, and values that only the clusters know, are reported on standard error. A policy that applies only to some callers or requests is left out, because the spec's would apply to all.

Exit status:
   0  success
   1  could not run: invalid input, or a file that cannot be read
   2  what restricted calls has no equivalent, or there is nothing to convert
  64  usage error

Examples:
  kubectl get trafficpolicies,virtualmeshes -A -o yaml \\
    | meshctl mesh import --istio 1.30.3 - > mesh.yaml")]
pub struct Import {
    /// Files with the resources, such as the output of `kubectl get -o yaml`; `-` reads standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Istio release of the clusters, which the resources do not contain. Without it, you add it to the spec.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio: Option<Version>,
}

/// `meshctl mesh addresses`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  success
   1  could not run: invalid spec, or a file that cannot be read
  64  usage error

Examples:
  meshctl mesh addresses
  # In CI: fail if the lock file is out of date
  meshctl mesh addresses --locked")]
pub struct Addresses {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh dns`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the file with a block of the remote names that the cluster calls. `meshctl mesh apply` makes the same edit in the cluster.

Exit status:
   0  success
   1  could not run: invalid spec, or a file that cannot be read
  64  usage error

Examples:
  kubectl -n kube-system get cm coredns -o jsonpath={.data.Corefile} \\
    | meshctl mesh dns --cluster east -
  # Remove the block again
  meshctl mesh dns --cluster east --remove Corefile
  # Edit `stubDomains` of kube-dns
  meshctl mesh dns --cluster old --kube-dns stubs.json")]
pub struct Dns {
    /// The current file, a Corefile or `stubDomains`; `-` reads standard input.
    pub current: PathBuf,
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Cluster whose DNS uses the file.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// The file contains `stubDomains` of kube-dns.
    #[arg(long)]
    pub kube_dns: bool,
    /// CoreDNS is older than 1.4.0 and has the plugin `proxy` instead of `forward`. Not needed if the Corefile uses `proxy`.
    #[arg(long, conflicts_with = "kube_dns")]
    pub old_coredns: bool,
    /// Remove the block instead of adding it.
    #[arg(long)]
    pub remove: bool,
}

fn version(text: &str) -> Result<Version, String> {
    text.parse().ok().ok_or_else(|| "expected an Istio release, such as 1.27.0".into())
}
