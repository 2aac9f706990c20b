//! `meshctl trust plan` and `meshctl trust next`.

use std::path::PathBuf;

use clap::Args;
use meshpki::Time;

use crate::args::{Clusters, Output, Rollout, Wait, time};

/// `meshctl trust plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares the secrets of all clusters with the trust models in the spec (`trust:`), and prints the pushes that are lacking: which roots and bridges each adds, and which clusters accept each other after it. A push after which a proxy would reject what it accepts now is left out, with the reason. Nothing is written.

A bridge that is lacking is named with the `meshctl ca cross-sign` command that creates it; pass its file with `--bridge`. The spec is mesh.yaml, unless `-f` names another. With `--context`, or without a folder, the clusters are asked for their release, settings and secrets. A CA that istiod made for itself has no folder: it is read from the cluster, too.

Exit status:
   0  every cluster has what its trust models need
   1  could not run: invalid input, or a file or cluster that cannot be read
   2  something is lacking
  64  usage error

Examples:
  meshctl trust plan east-ca west-ca -f mesh.yaml
  # With bridges, from files that the owners of the roots sent
  meshctl trust plan east-ca west-ca \\
    --bridge west-by-east.pem --bridge east-by-west.pem")]
pub struct Plan {
    /// Folders of single clusters, or folders with a folder per cluster. Default: none; the clusters are asked.
    pub dirs: Vec<PathBuf>,
    /// File with bridges, as `meshctl ca cross-sign` writes it; repeat for more.
    #[arg(long = "bridge", value_name = "FILE")]
    pub bridges: Vec<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Time at which to verify. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl trust next`.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes the first push of `meshctl trust plan`: changes the files in the folder of one cluster, and pushes them with the same checks, confirmation, restarts and proof as `meshctl push`. If a folder already differs from its cluster, that one is pushed first. A CA that istiod made for itself needs no folder: it becomes the secret `cacerts`, with the further roots, and istiod restarts once. Run it again for the next push, until nothing is lacking.

The spec is mesh.yaml, unless `-f` names another; every cluster in it is asked.

Exit status:
   0  the push is done and verified, or nothing is lacking
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck, not verified, or lacking what no push adds
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl trust next east-ca west-ca -f mesh.yaml --bridge west-by-east.pem
  # Show the push and change nothing
  meshctl trust next east-ca west-ca --dry-run client")]
pub struct Next {
    /// Folders of single clusters, or folders with a folder per cluster. Default: none.
    pub dirs: Vec<PathBuf>,
    /// File with bridges, as `meshctl ca cross-sign` writes it; repeat for more.
    #[arg(long = "bridge", value_name = "FILE")]
    pub bridges: Vec<PathBuf>,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}
