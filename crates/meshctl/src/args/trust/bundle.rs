//! The command line of `meshctl trust bundle`: clap types only.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use meshpki::{Time, TrustDomain};

use crate::args::{Output, duration, time};

/// `meshctl trust bundle ...`.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Write the roots of a trust domain as a SPIFFE bundle.
    Export(Export),
    /// Write the roots in a SPIFFE bundle as PEM.
    Import(Import),
    /// Show the roots in bundles, and what in them does not count.
    Show(Show),
    /// Show how two bundles differ.
    Diff(Diff),
    /// Write the bundles of several trust domains as one bundle map.
    Map(Map),
}

/// Formats of `export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A SPIFFE bundle, as SPIRE writes it.
    Json,
    /// Certificates, as in root-cert.pem.
    Pem,
}

/// `meshctl trust bundle export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Roots that are in several files are written once. If FILE is a bundle already, its sequence number and refresh hint are kept, and the number is increased by one if anything changes; `--sequence` sets it and never goes back.

Exit status:
   0  written, or nothing changed
   1  could not run: no certificate, or a file that cannot be read
   2  refused: the sequence number would go back
  64  usage error

Examples:
  # The root of a CA folder, for the partner
  meshctl trust bundle export ca --trust-domain east.example \\
    --out east.json
  # Old and new root during a change of root
  meshctl trust bundle export old-root.pem new-root.pem \\
    --trust-domain east.example --refresh-hint 5m --out east.json")]
pub struct Export {
    /// Folders with root-cert.pem or ca.crt, or files with roots; no key is read.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The trust domain that the roots vouch for. A bundle does not contain its name.
    #[arg(long, value_name = "DOMAIN", value_parser = TrustDomain::from_str)]
    pub trust_domain: TrustDomain,
    /// Sequence number of the bundle, which must grow with every change. Default: one more than that of FILE if something changes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub sequence: Option<u64>,
    /// How often consumers should look for changes. Default: that of FILE, if it has one.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub refresh_hint: Option<Duration>,
    /// File to write. Default: standard output, which is also `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    pub output: Format,
}

/// `meshctl trust bundle import`.
#[derive(Debug, Args)]
#[command(after_help = "\
The first line of the output is a comment with the trust domain and the sequence number. When you import again, an older bundle, one with other roots under the same number and one of another trust domain are refused.

Exit status:
   0  written
   1  could not run: not a valid bundle, or a file that cannot be read
   2  refused: the bundle is empty, older, different under the same number,
      or of another trust domain
  64  usage error

Examples:
  meshctl trust bundle import east.json --trust-domain east.example \\
    --out east-roots.pem
  # From a bundle map
  meshctl trust bundle import map.json --trust-domain west.example")]
pub struct Import {
    /// A SPIFFE bundle or a bundle map; `-` reads standard input.
    #[arg(value_name = "BUNDLE")]
    pub file: PathBuf,
    /// The trust domain of the bundle; of a bundle map, the one to import.
    #[arg(long, value_name = "DOMAIN", value_parser = TrustDomain::from_str)]
    pub trust_domain: TrustDomain,
    /// File for the roots. Default: standard output, which is also `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Accept a bundle without roots, which says that the trust domain has revoked everything it signed.
    #[arg(long)]
    pub allow_empty: bool,
    /// Accept a bundle with a lower sequence number than the one imported before, or with other roots under the same number.
    #[arg(long)]
    pub accept_older: bool,
}

/// `meshctl trust bundle show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  every file could be read
   1  a file could not be read, or is not a valid bundle
  64  usage error

Examples:
  meshctl trust bundle show east.json
  meshctl trust bundle show map.json -o json | jq -r '.bundles[].trustDomain'")]
pub struct Show {
    /// SPIFFE bundles, bundle maps or files with roots in PEM; `-` reads standard input.
    #[arg(required = true, value_name = "BUNDLE")]
    pub files: Vec<PathBuf>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl trust bundle diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Compares the roots of each trust domain, and the sequence numbers and refresh hints if both files have them. What is only in OLD begins with `-`, what is only in NEW with `+`.

Exit status:
   0  no difference
   1  a file could not be read, or is not a valid bundle
   2  the bundles differ
  64  usage error

Examples:
  # Has the partner published a new root?
  meshctl trust bundle diff east.json east-new.json
  # Does our copy in PEM have the same roots?
  meshctl trust bundle diff east-roots.pem east.json")]
pub struct Diff {
    /// SPIFFE bundles, bundle maps or files with roots in PEM.
    #[arg(required = true, num_args = 2, value_names = ["OLD", "NEW"])]
    pub files: Vec<PathBuf>,
}

/// `meshctl trust bundle map`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each trust domain keeps its own roots: a root of one vouches for no identity of another. Envoy's SPIFFE validator loads this file as `trust_bundles`.

Exit status:
   0  written
   1  could not run: not a valid bundle, or a file that cannot be read
   2  refused: a bundle is empty, older than the one in the map, or
      different under the same number
  64  usage error

Examples:
  meshctl trust bundle map east.example=east.json west.example=west.json \\
    --out map.json")]
pub struct Map {
    /// Trust domains and the SPIFFE bundle, or file with roots in PEM, of each.
    #[arg(required = true, value_name = "DOMAIN=BUNDLE", value_parser = pair)]
    pub bundles: Vec<(TrustDomain, PathBuf)>,
    /// File to write. Default: standard output, which is also `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Accept bundles without roots, with which Envoy does not load the map.
    #[arg(long)]
    pub allow_empty: bool,
    /// Accept bundles with a lower sequence number than in the map that is replaced, or with other roots under the same number.
    #[arg(long)]
    pub accept_older: bool,
}

fn pair(text: &str) -> Result<(TrustDomain, PathBuf), String> {
    let (domain, file) =
        text.split_once('=').ok_or("expected DOMAIN=BUNDLE, such as east.example=east.json")?;
    let domain = domain.parse().map_err(|error: meshpki::TrustDomainError| error.to_string())?;
    Ok((domain, file.into()))
}
