//! `meshctl status`.

use std::path::PathBuf;

use clap::Args;
use meshpki::Time;

use super::{Clusters, Output, time};

/// `meshctl status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is written, and no token is asked for: istiod is asked what it serves, not to sign.
Who accepts whom is tried with what each istiod serves, under the roots each cluster's namespaces are given.

Exit status: 2 clusters differ from each other or from their folder, do not trust each other, something has
expired, is not live or waits for a restart, or there is no istiod or no secret; 1 a cluster, or a pod in it, could
not be asked (the others are shown); 0 good, warnings allowed.

Examples:
  meshctl status --context east=prod-east --context west=prod-west
  meshctl status ca --context east=prod-east               and does the folder hold the same?
  meshctl status ca -f mesh.yaml                           every cluster of the spec
  meshctl status --context east,west -o json | jq '.trust[] | select(.trusted != true)'")]
pub struct Status {
    /// Folder with a folder per cluster, to be held against what is live.
    pub dir: Option<PathBuf>,
    /// Which clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Istio is still to be installed: no istiod and no secret are warnings.
    #[arg(long)]
    pub before_install: bool,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// The time to judge at.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
