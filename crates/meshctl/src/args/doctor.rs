//! `meshctl doctor`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use meshpki::Time;
use meshpki::istiod::Version;

use super::{Output, duration, time, version};

/// `meshctl doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every context of the kubeconfig is asked: whether it answers, what time it has, what you may do there, which release of Istio runs, and which CA istiod uses: one from a secret, or one that it made for itself. Then it lists what to do, in order, each with the command.

Nothing is written. Credential plugins of the contexts are run, and cannot ask on the terminal.

Exit status:
   0  every context was read, and nothing is wrong
   1  a context could not be read; the others are shown
   2  something is wrong: a CA expires soon, a clock is wrong, istiod
      does not use its secret, or you may not read what is needed
  64  usage error

Examples:
  meshctl doctor
  # Only these, with names for the clusters
  meshctl doctor --context east=prod-east,west=prod-west
  meshctl doctor -o json | jq -r '.steps[].command'")]
pub struct Doctor {
    /// Context to ask, with the cluster's name if it is different, such as `east=prod-east`; repeat or separate with commas for more. Default: every context of the kubeconfig.
    #[arg(long = "context", value_name = "[CLUSTER=]CONTEXT", value_delimiter = ',')]
    pub contexts: Vec<String>,
    /// The kubeconfig. Default: $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of istiod.
    #[arg(long, value_name = "NAME", default_value = meshapply::names::ISTIO_NAMESPACE)]
    pub istio_namespace: String,
    /// Release of Istio. Default: the one in istiod's image name.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub istio_version: Option<Version>,
    /// Report CAs that expire within this time.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: Duration,
    /// Number of contexts to ask at the same time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub parallel: usize,
    /// Time limit for each context.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
