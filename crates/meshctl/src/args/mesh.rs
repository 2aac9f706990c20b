//! The command line of `meshctl mesh`: clap types only.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use meshpki::istiod::Version;

use crate::args::{Output, Wait};

mod live;

pub use live::{Apply, Contexts, Diff, Discover};

/// `meshctl mesh ...`.
#[derive(Debug, Subcommand)]
pub enum Mesh {
    /// Write every Istio resource the clusters need for calls between them.
    Render(Render),
    /// Tell what istiod would refuse or silently ignore; exit status 2 when there is an error.
    Lint(Lint),
    /// Draw who calls whom through which gateway.
    Graph(Graph),
    /// Show the hops of a call from the DNS name to the pod, and the resource that does each.
    Explain(Explain),
    /// Make a spec of Service Mesh Hub's TrafficPolicy and VirtualMesh resources.
    Import(Import),
    /// Show the address of each remote service, and keep them in the lock file.
    Addresses(Addresses),
    /// Put what clusters have into the spec: clusters, gateways, services; nothing you wrote is changed.
    Discover(Discover),
    /// Show how clusters differ from the spec; exit status 2 when they do.
    Diff(Diff),
    /// Bring the clusters to what the spec says, in an order that never sends calls to what is not there.
    Apply(Apply),
    /// Edit a file with a cluster's Corefile so that remote names are answered; the result goes to standard output.
    Dns(Dns),
}

/// The spec.
#[derive(Debug, Args)]
pub struct Source {
    /// The spec; `-` is standard input.
    #[arg(short, long, value_name = "FILE", default_value = "mesh.yaml")]
    pub file: PathBuf,
    /// Take every cluster to run this release of Istio.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio: Option<Version>,
}

/// The lock file, which remembers addresses.
#[derive(Debug, Args)]
pub struct LockFile {
    /// The lock file; default `mesh.lock` beside the spec.
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Fail where the lock file would have to change.
    #[arg(long)]
    pub locked: bool,
    /// ServiceEntries of live clusters, whose addresses are not given away: `kubectl get serviceentries -A -o yaml`.
    #[arg(long, value_name = "FILE")]
    pub live: Vec<PathBuf>,
}

/// `meshctl mesh render`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl mesh render                                      every cluster, one stream of YAML
  meshctl mesh render --cluster east | kubectl --context east apply -f -
  meshctl mesh render -o out                               a folder per cluster; files of earlier runs that are
                                                           not needed any more are removed, others never
  meshctl mesh render --istio 1.6.4                        as that release needs it")]
pub struct Render {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// Only this cluster; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// Folder to write to.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}

/// `meshctl mesh lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 2 there is an error; 1 it could not be read; 0 good, warnings allowed.

Examples:
  meshctl mesh lint                                        the spec and what it renders to
  meshctl mesh lint --with east=live.yaml                  together with what `kubectl get -A -o yaml` says is there
  meshctl mesh lint -o json | jq -r '.problems[].code'")]
pub struct Lint {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// Further resources of a cluster.
    #[arg(long, value_name = "CLUSTER=FILE")]
    pub with: Vec<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Languages of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    /// Text that GitHub and GitLab draw.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture by itself.
    Svg,
}

/// `meshctl mesh graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The language of the picture.
    #[arg(short, long, value_name = "FORMAT", default_value = "mermaid")]
    pub output: Picture,
}

/// `meshctl mesh explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl mesh explain default/reviews                     from every cluster that calls it
  meshctl mesh explain reviews --from east")]
pub struct Explain {
    /// The service: `NAMESPACE/NAME`, or `NAME` where there is one of that name.
    pub service: String,
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// Only callers of this cluster.
    #[arg(long, value_name = "CLUSTER")]
    pub from: Option<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl get trafficpolicies,virtualmeshes -A -o yaml | meshctl mesh import - > mesh.yaml")]
pub struct Import {
    /// Files with resources of networking.smh.solo.io or networking.mesh.gloo.solo.io; `-` is standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The release of Istio the clusters run, which the resources do not say.
    #[arg(long, value_name = "VERSION", default_value = "1.30.3", value_parser = version)]
    pub istio: Version,
}

/// `meshctl mesh addresses`.
#[derive(Debug, Args)]
pub struct Addresses {
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl mesh dns`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl -n kube-system get cm coredns -o jsonpath={.data.Corefile} | meshctl mesh dns --cluster east -
  meshctl mesh dns --cluster east --remove Corefile        takes our block out again
  meshctl mesh dns --cluster old --kube-dns stubs.json     `stubDomains` of kube-dns
`meshctl mesh apply` does it in the cluster.")]
pub struct Dns {
    /// The file as it is now: a Corefile, or `stubDomains`; `-` is standard input.
    pub current: PathBuf,
    /// The spec.
    #[command(flatten)]
    pub source: Source,
    /// The lock file.
    #[command(flatten)]
    pub lock: LockFile,
    /// The cluster whose DNS it is.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// It is `stubDomains` of kube-dns.
    #[arg(long)]
    pub kube_dns: bool,
    /// CoreDNS is older than 1.4.0 and has `proxy` for `forward`; a Corefile that has `proxy` says so itself.
    #[arg(long, conflicts_with = "kube_dns")]
    pub old_coredns: bool,
    /// Take our part out.
    #[arg(long)]
    pub remove: bool,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "a release of Istio is wanted, such as 1.27.0".into())
}
