//! `meshctl ca cross-sign`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use meshpki::{Time, TrustDomain};

use super::{Passphrase, RootSigner, duration, time};

/// `meshctl ca cross-sign`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("issuer_key").args(["ca_key", "root_signer"]))]
#[command(after_help = "\
Writes a certificate with the name and the key of the other root, signed by yours. Clusters of the other mesh send it after their own CA: put it into their cert-chain.pem. Then everything that trusts your root accepts their workloads, and no bundle of roots changes. Trust ends when the certificate expires, at the latest with either root; a CI job renews it with `--within`.

Without `--constrain`, the other root can vouch for any identity, also one of your trust domain. With it, it can vouch only for that trust domain; Envoy enforces that, and ztunnel (ambient mode) rejects such chains.

Exit status:
   0  signed, or nothing to renew
   1  refused or failed
   2  declined
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # West's root under east's
  meshctl ca cross-sign --ca east-ca --root west-root.pem \\
    --constrain west.example --out west-bridge.pem
  # In west: send it
  meshctl ca chain --leaf west-ca/west/ca-cert.pem \\
    west-ca/west/ca-cert.pem west-bridge.pem --out cert-chain.pem
  # Renew it in a CI job, a month before it expires
  meshctl ca cross-sign --ca east-ca --root west-root.pem \\
    --constrain west.example --out west-bridge.pem --within 30d --yes")]
pub struct CrossSign {
    /// The other root: its certificate, or a CSR with its name and key.
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// Folder of your CA, with root-cert.pem and root-key.pem.
    #[arg(long, value_name = "DIR", required_unless_present = "ca_cert", conflicts_with_all = ["ca_cert", "ca_key"])]
    pub ca: Option<PathBuf>,
    /// Certificate of your root.
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    pub ca_cert: Option<PathBuf>,
    /// Private key of your root.
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    pub ca_key: Option<PathBuf>,
    /// File to write, or `-` for standard output. An earlier certificate for the same root is replaced.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The one trust domain that the other root may vouch for.
    #[arg(long, value_name = "DOMAIN")]
    pub constrain: Option<TrustDomain>,
    /// Validity of the certificate, at most until the first of the two roots expires.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "90d")]
    pub validity: Duration,
    /// Path length: how many levels of CAs are allowed below the other root.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub path_len: u32,
    /// Replace the file only if its certificate expires within this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,
    /// Sign without asking.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Your root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of your root key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// Time to use instead of now, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
