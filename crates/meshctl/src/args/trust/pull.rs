//! `meshctl trust pull`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use meshpki::{SpiffeId, TrustDomain};

use super::Profile;
use crate::args::duration;

/// `meshctl trust pull`.
#[derive(Debug, Args)]
#[command(
    override_usage = "\
meshctl trust pull [OPTIONS] --url <URL> --trust-domain <DOMAIN>
           --profile <PROFILE> --out <FILE>",
    after_help = "\
Whatever goes wrong, FILE keeps the last good copy. It is replaced in one step, and only by a bundle that `meshctl trust bundle import` would accept: not empty, not older, and not different under the same sequence number. FILE.state says when it was fetched, from where, and its SHA-256.

With `https_web`, the certificate of the server is verified for the host of the URL. With `https_spiffe`, it must be an X509-SVID with exactly the ID in `--endpoint-id`. If that ID is in the trust domain of the bundle, the stored copy verifies it, and `--bootstrap` is read only while there is none; otherwise, `--endpoint-bundle` has the roots.

The time between two pulls is a quarter of the bundle's refresh hint, at least a minute, and five minutes without a hint.

Exit status:
   0  FILE is up to date; with `--watch`, ended by SIGTERM or SIGINT
   1  could not run: no valid bundle was fetched, or a file cannot be read
   2  refused: the bundle is empty, older or different, or FILE is of
      another trust domain
  64  usage error

Examples:
  meshctl trust pull --url https://bundles.east.example/ \\
    --trust-domain east.example --profile https_web --out east.json
  # From SPIRE, which serves its own bundle
  meshctl trust pull --url https://spire.east.example:8443/ \\
    --trust-domain east.example --profile https_spiffe \\
    --endpoint-id spiffe://east.example/spire/server \\
    --bootstrap east-first.json --out east.json --watch"
)]
pub struct Pull {
    /// URL of the bundle endpoint, which begins with `https://`.
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The trust domain of the bundle, which is never taken from the URL.
    #[arg(long, value_name = "DOMAIN", value_parser = TrustDomain::from_str)]
    pub trust_domain: TrustDomain,
    /// How the server is authenticated.
    #[arg(long, value_name = "PROFILE")]
    pub profile: Profile,
    /// SPIFFE ID that the server must have; for `https_spiffe`.
    #[arg(long, value_name = "ID", value_parser = SpiffeId::from_str)]
    pub endpoint_id: Option<SpiffeId>,
    /// Bundle, or roots in PEM, that verifies the first server; for `https_spiffe`.
    #[arg(long, value_name = "FILE")]
    pub bootstrap: Option<PathBuf>,
    /// Bundle, or roots in PEM, of the trust domain in `--endpoint-id`, if that is not the one of the bundle.
    #[arg(long, value_name = "FILE", conflicts_with = "bootstrap")]
    pub endpoint_bundle: Option<PathBuf>,
    /// Roots in PEM, instead of those of the system; for `https_web`.
    #[arg(long, value_name = "FILE")]
    pub web_roots: Option<PathBuf>,
    /// File for the bundle, as JSON.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Time for everything together, redirects included.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub timeout: Duration,
    /// Fetch and judge the bundle, and write nothing.
    #[arg(long, conflicts_with = "watch")]
    pub check: bool,
    /// Keep pulling until SIGTERM or SIGINT.
    #[arg(long)]
    pub watch: bool,
    /// Time between two pulls, instead of the one that the bundle suggests.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "watch")]
    pub every: Option<Duration>,
    /// Accept a bundle without roots, which says that the trust domain has revoked everything it signed.
    #[arg(long)]
    pub allow_empty: bool,
    /// Accept a bundle with a lower sequence number than the stored one, or with other roots under the same number.
    #[arg(long)]
    pub accept_older: bool,
}
