//! `meshctl trust ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use meshpki::Time;

use super::time;

/// `meshctl trust ...`.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Write what each istiod has to be told so that the clusters accept the identities of each other.
    Render(Render),
}

/// `meshctl trust render`.
#[derive(Debug, Args)]
#[command(after_help = "\
For clusters with trust domains of their own: values for Helm, or for the `values` of an IstioOperator, by which a cluster
accepts callers of the other trust domains. The form is the one its release of Istio looks at: `caCertificates` with the
roots of each domain, before 1.16.4 `trustDomainAliases`, for 1.6 PILOT_SKIP_VALIDATE_TRUST_DOMAIN. With one trust domain for
all nothing has to be said. `meshctl check -f mesh.yaml` tells whether the clusters have it.

Examples:
  meshctl trust render ca                                  every cluster of mesh.yaml, one stream
  meshctl trust render ca -f mesh.yaml --cluster east | helm upgrade istiod istio/istiod -n istio-system --version 1.30.3 --reuse-values -f -")]
pub struct Render {
    /// Folder with a folder per cluster, as `meshctl ca init` makes it; no key is read.
    pub dir: PathBuf,
    /// The mesh's spec: clusters, trust domains, releases.
    #[arg(short, long, value_name = "FILE", default_value = "mesh.yaml")]
    pub file: PathBuf,
    /// Only this cluster; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// The time to judge the roots at.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
