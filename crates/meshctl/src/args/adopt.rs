//! `meshctl ca adopt` and `meshctl ca bundle`.

use std::path::PathBuf;

use clap::Args;
use meshpki::Time;

use super::{LayoutName, Output, Passphrase, Wait, time};

/// `meshctl ca adopt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Files may be PEM, DER, PKCS#7 (.p7b), PKCS#12 (.pfx), folders, or secrets that kubectl printed as YAML or JSON. Chooses the CA whose key is among them (or in DIR/NAME, from `ca csr` or `ca renew`), puts its chain in order, and shows the roots by fingerprint before it writes ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem. Compare the fingerprints with those that the owner of the root publishes. On a terminal, it asks for confirmation; elsewhere, it requires `--yes`.

Exit status:
   0  adopted, or nothing to do
   1  the files do not make a CA that istiod accepts, or a file cannot be read
   2  declined, or a cluster in the folder trusts a different root
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # The certificate that came back for `ca csr`, and the CAs above it
  meshctl ca adopt ca --cluster east east.crt issuing.crt root.cer
  # A PKCS#12 file with the key
  meshctl ca adopt ca --cluster east east.pfx --passphrase-file pass.txt
  # What a cluster has
  kubectl -n istio-system get secret cacerts -o yaml \\
    | meshctl ca adopt ca --cluster east - --yes
  # The folder of Istio's Makefile
  meshctl ca adopt ca --cluster east certs/east")]
pub struct Adopt {
    /// Folder with a folder per cluster.
    pub dir: PathBuf,
    /// Files and folders with the CA, its key and the certificates above it, in any order; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Cluster that the CA is for.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// Adopt without asking.
    #[arg(long)]
    pub yes: bool,
    /// Adopt although a cluster in the folder trusts a different root.
    #[arg(long)]
    pub new_root: bool,
    /// The passphrase of a key or a PKCS#12 file.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// File names in the cluster's folder.
    #[arg(long, value_name = "NAME", default_value = "istio")]
    pub layout: LayoutName,
    /// Time to use instead of now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl ca bundle`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each certificate is written once, in the order of the files; of several with the same name, the one that is valid longest comes first. What is left out, expired or not a root is reported on standard error.

Exit status:
   0  the bundle was written, or the bundles have the same certificates
   1  could not run
   2  the bundles differ, or no certificate is left
  64  usage error

Examples:
  # For the time when a mesh trusts two roots
  meshctl ca bundle old/root-cert.pem new/root-cert.pem --out both.pem
  # From what a Windows CA gives, without expired roots
  meshctl ca bundle corp.p7b --drop-expired > roots.pem
  # What would change?
  meshctl ca bundle root-cert.pem --diff both.pem")]
pub struct Bundle {
    /// Files and folders with roots, in any form that `ca adopt` reads; `-` reads standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Show what FILE adds (`+`) and lacks (`-`), instead of writing a bundle.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub diff: Option<PathBuf>,
    /// Leave expired certificates out.
    #[arg(long)]
    pub drop_expired: bool,
    /// The passphrase of a PKCS#12 file.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// File to write the bundle to. Default: standard output, which is also `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}
