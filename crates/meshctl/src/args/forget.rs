//! `meshctl forget`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Clusters, Wait, duration};

/// `meshctl forget`.
#[derive(Debug, Args)]
#[command(after_help = "\
In a cluster, it empties the secret meshctl-cacerts-previous, which `meshctl rollback` would restore. In DIR, it removes the sets in DIR/previous, or only those of the given clusters. It shows what it will remove and asks for confirmation.

It refuses to empty a secret if it cannot verify that the current CA is live, or if a restart is unfinished, because you may still need the rollback. Files are deleted but not overwritten, so the disk may retain their contents.

In a cluster, it needs the permissions that `meshctl push --print-rbac` prints.

Exit status:
   0  done, or nothing is kept
   1  a cluster could not be reached, or a file could not be removed
   2  refused or declined
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl forget --context east=prod-east
  # Clusters and folder, a month after each push
  meshctl forget ca -f mesh.yaml --older-than 30d --yes
  # Only the folder
  meshctl forget ca")]
pub struct Forget {
    /// Folder of the CA, whose sets in `previous/` are removed.
    pub dir: Option<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Service account in istiod's namespace that requests the test certificate, which shows whether istiod signs with the current CA.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub service_account: String,
    /// Remove only what has been kept for longer than this.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Do not ask for confirmation.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}
