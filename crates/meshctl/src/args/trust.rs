//! `meshctl trust ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use meshpki::Time;

use super::time;

mod bundle;
mod matrix;
mod plan;
mod pull;
mod serve;

pub use bundle::{Bundle, Diff, Export, Format, Import, Map, Show};
pub use matrix::{Matrix, View};
pub use plan::{Next, Plan};
pub use pull::Pull;
pub use serve::{Profile, Serve};

/// `meshctl trust ...`.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Generate istiod settings that accept the other trust domains.
    Render(Render),
    /// Show which clusters accept each other, why not, and until when.
    Matrix(Box<Matrix>),
    /// Show which pushes bring clusters to the trust models of the spec.
    Plan(Box<Plan>),
    /// Take the next push of the plan, and verify it.
    Next(Box<Next>),
    /// Exchange the roots of trust domains as SPIFFE bundles.
    #[command(subcommand)]
    Bundle(Bundle),
    /// Publish a SPIFFE bundle at an endpoint.
    Serve(Box<Serve>),
    /// Fetch the bundle of a trust domain from its endpoint.
    Pull(Box<Pull>),
}

/// `meshctl trust render`.
#[derive(Debug, Args)]
#[command(after_help = "\
For clusters with different trust domains, prints Helm values (also valid as the `values` of an IstioOperator) that make each cluster accept callers from the other trust domains. The settings depend on the release: `caCertificates` with the roots of each domain, `trustDomainAliases` before 1.16.4, and PILOT_SKIP_VALIDATE_TRUST_DOMAIN for 1.6. Clusters that share one trust domain need no settings.

With `trust:` in the spec, only clusters with a trust model accept each other. Under a bridge, the anchor is the cluster's own root, so that no other root is trusted. A model that the proxies would reject is an error.

`meshctl check -f mesh.yaml` reports whether the clusters have these settings.

Exit status:
   0  success
   1  could not run: invalid input, or a file that cannot be read
  64  usage error

Examples:
  # Every cluster of mesh.yaml, as one stream
  meshctl trust render ca
  # Apply the settings of one cluster
  meshctl trust render ca -f mesh.yaml --cluster east \\
    | helm upgrade istiod istio/istiod -n istio-system --version 1.30.3 \\
      --reuse-values -f -")]
pub struct Render {
    /// Folders with a folder per cluster, as created by `meshctl ca init`; no key is read.
    #[arg(required = true)]
    pub dirs: Vec<PathBuf>,
    /// The mesh spec, which lists clusters, trust domains and releases.
    #[arg(short, long, value_name = "FILE", default_value = "mesh.yaml")]
    pub file: PathBuf,
    /// Generate settings only for this cluster; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// Time at which to check the roots. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
