//! `meshctl ca revoke`, `meshctl ca crl`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use meshpki::{RevocationReason, Time};

use super::{Passphrase, RootSigner, Wait, duration, time};

/// `meshctl ca revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
Adds a certificate to the list revoked.txt in DIR. Nothing rejects it before `meshctl ca crl` has signed CRLs and `meshctl rotate crl` or `meshctl push` has installed them.

`--cluster` revokes the CA in the cluster's folder, and with it all its workloads. To avoid an outage, renew it first, then revoke the earlier CA with `--serial`.

Exit status:
   0  revoked, or it was already
   1  refused or failed
  64  usage error

Examples:
  # The key of east's CA was stolen
  meshctl ca revoke ca --cluster east --reason CACompromise
  # An earlier CA of the folder, by the serial number in `ca inspect`
  meshctl ca revoke ca --serial 4a:01:6f --reason superseded
  # A certificate that is not in the folder
  meshctl ca revoke ca --certificate workload.pem

docs/revocation.md describes the whole procedure, and how to undo it.")]
pub struct Revoke {
    /// Folder of the CA.
    pub dir: PathBuf,
    /// Cluster whose present CA is revoked.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["serial", "certificate"])]
    pub cluster: Option<String>,
    /// Serial number, in hex with or without colons, of a CA in DIR or in its folder previous.
    #[arg(long, value_name = "HEX", conflicts_with = "cluster")]
    pub serial: Option<String>,
    /// File whose first certificate is revoked; a CA of DIR must have issued it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cluster", "serial"])]
    pub certificate: Option<PathBuf>,
    /// Why: unspecified, keyCompromise, CACompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn.
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    pub reason: RevocationReason,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Time to use instead of now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl ca crl`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes ca-crl.pem into every cluster's folder: a CRL of the root and one of each CA of each cluster, of earlier ones too while they are valid. A proxy that has any CRL rejects every chain in which one is missing or has expired, so all of them are in each file, and the job in docs/ci.md must renew them. root-crl.pem in DIR is the root's alone.

If a CA's key is not in DIR, its CRL is taken from the ca-crl.pem that is there or from `--add`, while it is current. Current CRLs of other CAs, such as a partner's, are kept in the same way.

Exit status:
   0  written
   1  refused or failed
  64  usage error

Examples:
  meshctl ca crl ca
  # Longer, for a root key that is seldom at hand
  meshctl ca crl ca --validity 90d
  # With the CRL of a root whose key is elsewhere
  meshctl ca crl ca --add root-crl.pem
  # Make CRLs that revoke nothing
  meshctl ca crl ca --clear")]
pub struct CrlArgs {
    /// Folder of the CA.
    pub dir: PathBuf,
    /// Time until nextUpdate. After it, proxies reject every certificate below that CA. Default: as long as the last CRL, at first 30 days.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub validity: Option<Duration>,
    /// File with CRLs of CAs whose keys are elsewhere; repeat for more.
    #[arg(long, value_name = "FILE")]
    pub add: Vec<PathBuf>,
    /// Empty the list of revoked certificates first, so that the CRLs revoke nothing.
    #[arg(long)]
    pub clear: bool,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of the root key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Time to use instead of now, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}
