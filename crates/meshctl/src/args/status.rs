//! `meshctl status`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshpki::Time;

use super::{Clusters, time};

/// `meshctl status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is written, and no token is requested: istiod is asked for the certificate that it serves, but not to sign one. To determine which clusters accept each other, that certificate is verified under the roots of each cluster's namespaces.

Exit status:
   0  no errors; there may be warnings
   1  a cluster, or a pod in it, could not be read; the others are shown
   2  something is wrong: clusters differ from each other or from
      their folder, reject each other, have expired certificates,
      need a restart, or lack istiod or the secret
  64  usage error

Examples:
  meshctl status --context east=prod-east --context west=prod-west
  # Does the folder match the cluster?
  meshctl status ca --context east=prod-east
  # Every cluster of the spec
  meshctl status ca -f mesh.yaml
  meshctl status --context east,west -o json \\
    | jq '.trust[] | select(.trusted != true)'")]
pub struct Status {
    /// Folder with a folder per cluster, to compare with what is live.
    pub dir: Option<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Istio is not installed yet: treat a missing istiod or secret as a warning.
    #[arg(long)]
    pub before_install: bool,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: StatusOutput,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// Formats of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// Human-readable text.
    Text,
    /// One JSON document with `apiVersion` and `kind`.
    Json,
    /// Prometheus metrics, as `meshctl exporter` serves them.
    Prometheus,
}
