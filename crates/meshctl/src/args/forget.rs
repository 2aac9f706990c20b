//! `meshctl forget`.

use std::path::PathBuf;

use clap::Args;

use super::{Clusters, Wait, duration};

/// `meshctl forget`.
#[derive(Debug, Args)]
#[command(after_help = "\
In a cluster it empties the secret meshctl-cacerts-previous, which `meshctl rollback` would go back to; of DIR it
removes the sets in DIR/previous, those of the clusters named if any are. What goes is shown first.
In a cluster it refuses while the present CA is not proven live, or a restart for it is open: then the way back may
still be needed. Files are unlinked; what a disk keeps of them is not overwritten.

Exit status: 0 done, or nothing is kept; 1 a cluster could not be asked; 2 refused; 64 wrong usage, or nobody to
ask and no --yes. The rights it needs in a cluster are those of `meshctl push --print-rbac`.

Examples:
  meshctl forget --context east=prod-east
  meshctl forget ca -f mesh.yaml --older-than 30d --yes    clusters and folder, a month after each push
  meshctl forget ca                                        the folder alone")]
pub struct Forget {
    /// Folder of the CA, of which the sets in `previous/` go.
    pub dir: Option<PathBuf>,
    /// Which clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Only what has been kept for longer than this.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older_than: Option<i64>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}
