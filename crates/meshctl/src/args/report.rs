//! `meshctl report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use meshpki::Time;

use super::{Clusters, duration, time};

/// `meshctl report`.
#[derive(Debug, Args)]
#[command(after_help = "\
The page is one file without scripts, and loads nothing: you can send it, archive it and print it. `-o json` prints the same as one document. It shows what `check` or `status` find, each finding with its next command; which clusters accept each other; when certificates end; how far each cluster is in a rotation to the folder; and, with `-f`, the calls between clusters.

With a folder, no cluster is asked, and `-f` names the clusters. Without a folder, or with `--context`, the clusters are asked, and the folder is compared with them. Nothing is written but the report; it has no keys.

Exit status:
   0  no errors; there may be warnings
   1  could not run, or something could not be read; the report says what
   2  there are errors
  64  usage error

Examples:
  # Folders, without a cluster
  meshctl report ca > report.html
  # Live clusters, compared with the folder
  meshctl report ca --context east=prod-east,west=prod-west --out report.html
  # Every cluster of the spec, with the calls between them
  meshctl report -f mesh.yaml --out report.html
  # For a script: what is wrong, and the command for it
  meshctl report ca -o json | jq -r '.problems[] | .code + \" \" + .next'
  # What will have expired in a year
  meshctl report ca -f mesh.yaml --at 2027-11-28 --out later.html")]
pub struct Report {
    /// Folder with a folder per cluster; without `--context`, repeat for more.
    pub dirs: Vec<PathBuf>,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// File to write the report to, `-` for standard output. Only a report in the same format is replaced.
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub out: PathBuf,
    /// Mark certificates that end within this time.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: Duration,
    /// Assume ambient mode in clusters that are not asked.
    #[arg(long)]
    pub ambient: bool,
    /// Assume that istiod runs with ISTIO_MULTIROOT_MESH=true in clusters that are not asked.
    #[arg(long)]
    pub multi_root: bool,
    /// Istio is not installed yet: treat a missing istiod or secret as a warning.
    #[arg(long)]
    pub before_install: bool,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "html")]
    pub output: ReportOutput,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// Formats of `report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportOutput {
    /// A page in one file, without scripts.
    Html,
    /// One JSON document with `apiVersion` and `kind`.
    Json,
}
