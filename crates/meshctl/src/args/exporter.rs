//! `meshctl exporter`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use super::{Clusters, address_or_port, duration};

/// `meshctl exporter`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at every cluster again and again, and serves `/metrics` and `/healthz`: when the certificates and CRLs end that istiod serves and hands out, which clusters accept each other, and when each was read last. It reads no secret and writes nothing. A cluster that does not answer keeps its last metrics, and `meshctl_cluster_up` is 0.

SIGTERM and SIGINT end it. `/healthz` fails if no round finishes in time.

Exit status:
   0  ended by SIGTERM or SIGINT
   1  could not start: a context, or an address in use
   2  refused: two contexts reach the same cluster, or a cluster is not
      the one of the spec
  64  usage error

Examples:
  meshctl exporter --context east=prod-east,west=prod-west
  # In a pod
  meshctl exporter -f mesh.yaml --listen 0.0.0.0:9464
  # Grant the permissions that it needs
  meshctl exporter --print-rbac --context east \\
    | kubectl --context east apply -f -")]
pub struct Exporter {
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Address of the metrics, over plain HTTP; a port alone is on loopback, and port 0 is any free port, which is printed.
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "9464", value_parser = address_or_port)]
    pub listen: SocketAddr,
    /// Pause between two rounds.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub interval: Duration,
    /// Time limit for each cluster in a round.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Number of clusters to read at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub parallel: usize,
    /// Print RBAC manifests with the permissions that it needs, and do nothing else.
    #[arg(long)]
    pub print_rbac: bool,
    /// Bind the permissions of `--print-rbac` to this user instead of the service account `meshctl-exporter`.
    #[arg(long, value_name = "NAME", requires = "print_rbac")]
    pub rbac_user: Option<String>,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
}
