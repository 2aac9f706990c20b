//! `meshctl trust matrix`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshpki::Time;

use crate::args::{Clusters, time};

/// `meshctl trust matrix`.
#[derive(Debug, Args)]
#[command(after_help = "\
Issues a throw-away workload certificate in memory under the CA of each cluster, and shows it to the proxies of every cluster: Envoy, and ztunnel in ambient mode, with their roots, CRLs and trust domains. Says for every ordered pair whether it is accepted, until when, or why not and what would have to change.

With a folder, no cluster is asked, and `-f` names the trust domains; istiod is assumed to have the settings that `trust render` prints. Without a folder, or with `--context`, the clusters are asked.

Exit status:
   0  every cluster accepts every other; with `-f`, those it is to accept
   1  could not run: invalid input, or a file or cluster that cannot be read
   2  a cluster does not accept another, or believes more than the spec says
  64  usage error

Examples:
  # Folders of several CAs, without a cluster
  meshctl trust matrix east-ca west-ca -f mesh.yaml
  # What will have expired in a year
  meshctl trust matrix ca --at 2027-11-28
  # After the first push of `meshctl trust plan`
  meshctl trust matrix east-ca west-ca -f mesh.yaml --after 1
  # What is the key of east's CA worth?
  meshctl trust matrix ca -f mesh.yaml --if-leaked east
  # Live clusters, as a page to look at
  meshctl trust matrix --context east,west -o html > trust.html")]
pub struct Matrix {
    /// Folders of single clusters, or folders with a folder per cluster.
    pub dirs: Vec<PathBuf>,
    /// Which clusters to ask.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Assume ambient mode in clusters that are not asked, so that ztunnel verifies certificates, too.
    #[arg(long)]
    pub ambient: bool,
    /// Say which identities could be taken with the key of this cluster's CA.
    #[arg(long, value_name = "CLUSTER")]
    pub if_leaked: Option<String>,
    /// Show it as after this many pushes of `meshctl trust plan`.
    #[arg(long, value_name = "N")]
    pub after: Option<usize>,
    /// File with bridges for `--after`, as `meshctl ca cross-sign` writes it; repeat for more.
    #[arg(long = "bridge", value_name = "FILE", requires = "after")]
    pub bridges: Vec<PathBuf>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: View,
    /// Time at which to verify. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// The formats of `trust matrix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum View {
    /// A table and the refusals.
    Text,
    /// One JSON document with `apiVersion` and `kind`.
    Json,
    /// A page in one file, without scripts.
    Html,
    /// A graph of the clusters that accept each other, for Mermaid.
    Mermaid,
    /// The same for Graphviz.
    Dot,
    /// The table as a picture.
    Svg,
}
