//! `meshctl rotate ...`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{Clusters, Output, Passphrase, Rollout, RootSigner, Wait, duration};

/// `meshctl rotate ...`.
#[derive(Debug, Subcommand)]
pub enum Rotate {
    /// Renew what expires soon, install it and verify it.
    Intermediate(Box<RotateIntermediate>),
    /// Renew the CRLs, install them and verify them.
    Crl(Box<RotateCrl>),
    /// Replace the root of every cluster, without an outage.
    #[command(subcommand)]
    Root(RotateRoot),
}

/// `meshctl rotate crl`.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes new CRLs in DIR, as `meshctl ca crl` does, if one has less than a third of its time left, is missing, or lacks a revoked certificate. Then it installs the CRLs of DIR in every cluster and verifies that every namespace gets them. It does not change a cluster's CA. Run it before you push a new CA: proxies reject what that CA signs until they have its CRL.

`meshctl push --print-rbac` prints the permissions it takes.

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # In a CI job, every day
  meshctl rotate crl ca -f mesh.yaml --yes
  # Show what would happen
  meshctl rotate crl ca --context east,west --dry-run client

docs/revocation.md describes the whole procedure.")]
pub struct RotateCrl {
    /// Folder of the CA: root-cert.pem, root-key.pem and a folder per cluster.
    pub dir: PathBuf,
    /// Make new CRLs if one has less time left than this. Default: a third of its time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,
    /// How long until nextUpdate of new CRLs. Default: as long as the last one, at first 30 days.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub validity: Option<Duration>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of the root key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}

/// `meshctl rotate intermediate`.
#[derive(Debug, Args)]
#[command(after_help = "\
For each CA that expires soon, creates a new one under the same root, checks it, installs it and verifies it. If nothing is due, nothing is written, but the live CAs are still verified.

If a cluster has no folder in DIR, one is created from its secret, so DIR only needs the root. If the cluster has CRLs, its folder must be kept. A folder that was renewed but never pushed is pushed.

Exit status:
   0  done and verified, or nothing to do
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl rotate intermediate ca --context east=prod-east --within 30d --yes
  # Show what would happen
  meshctl rotate intermediate ca --context east,west --dry-run client
  # Every cluster of the spec
  meshctl rotate intermediate ca -f mesh.yaml --yes

docs/ci.md has jobs for GitHub Actions and GitLab, and a CronJob.")]
pub struct RotateIntermediate {
    /// Folder of the CA: root-cert.pem, root-key.pem and a folder per cluster.
    pub dir: PathBuf,
    /// Renew CAs that expire within this time.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: Duration,
    /// Validity of a new intermediate. Default: that of the old one, but not longer than the root.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub validity: Option<Duration>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of the root key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}

/// `meshctl rotate root ...`.
#[derive(Debug, Subcommand)]
pub enum RotateRoot {
    /// Show every push that is left, and what has to be waited for.
    Plan(Box<RootPlan>),
    /// Take the next push in every cluster that is ready for it.
    Next(Box<RootNext>),
    /// Show how far each cluster is, and what keeps it.
    Status(Box<RootStatus>),
    /// Go back to the CA from before, one phase at a time.
    Abort(Box<RootAbort>),
    /// Print what was seen of every cluster, signed by the new CA.
    Evidence(Box<RootEvidence>),
}

/// From which CA to which, and in which clusters.
#[derive(Debug, Clone, Args)]
pub struct RootGoal {
    /// Folder of the new CA, with a folder per cluster, as created by `meshctl ca init`.
    pub dir: PathBuf,
    /// Folder of the old CA. Without it, the old CA is the one that clusters have now, or that the last push kept.
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// File with the new root certified by the old one, from `meshctl ca cross-sign`; repeat for more. Of a CA that istiod made for itself, the key in its cluster is used instead.
    #[arg(long = "bridge", value_name = "FILE")]
    pub bridges: Vec<PathBuf>,
    /// Another mesh that accepts your workloads, and the file with the roots that it trusts for that: certificates, or a SPIFFE bundle as `meshctl trust pull` writes it; repeat for more.
    #[arg(long = "partner", value_name = "NAME=FILE")]
    pub partners: Vec<String>,
    /// Which way to go.
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub strategy: RootStrategy,
    /// Number of proxies to ask at the same time in each cluster.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub proxies: usize,
    /// The clusters.
    #[command(flatten)]
    pub clusters: Clusters,
}

/// Ways from one root to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RootStrategy {
    /// By a bridge if there is one, else by overlap.
    Auto,
    /// Sign with the new CA and send its root, certified by the old one; then trust the new root.
    Bridge,
    /// Trust both roots; then sign with the new CA; then trust the new root only.
    Overlap,
}

/// `meshctl rotate root plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Reads the clusters and changes nothing. Nothing is stored anywhere: how far a rotation is follows from what clusters have, and what may come next follows from what their proxies show and trust.

Exit status:
   0  the rotation can be completed, or is
   1  a cluster could not be reached, or a file could not be read
   2  something is missing, such as a bridge
  64  usage error

Examples:
  # Create the new CA, and its root certified by the old one
  meshctl ca init new-ca -f mesh.yaml
  meshctl ca cross-sign --ca ca --root new-ca/root-cert.pem --out bridge.pem
  # What will be done, and when
  meshctl rotate root plan new-ca -f mesh.yaml --bridge bridge.pem")]
pub struct RootPlan {
    /// From which CA to which.
    #[command(flatten)]
    pub goal: RootGoal,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl rotate root next`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every cluster that is ready gets its next secret, with the checks, the confirmation and the proof of `meshctl push`. The first one is the canary: the others follow only if they are still ready after it. A push that was interrupted is finished first.

No cluster is ready while a proxy shows a certificate, or trusts roots, that the next secret would turn against. What could not be asked counts as such a proxy until its last certificate must have ended. If only time is missing, the command says when to come back and succeeds, so that a CI job can run it every hour.

istiod restarts where it does not load the new roots by itself; gateways and workloads restart only with `--workloads`, which makes an overlap faster.

Exit status:
   0  pushed and verified, or done, or to be run again later
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl rotate root next new-ca -f mesh.yaml --bridge bridge.pem
  # In a CI job, every hour
  meshctl rotate root next new-ca -f mesh.yaml --yes
  # The old CA's key was stolen: at once, whatever breaks
  meshctl rotate root next new-ca -f mesh.yaml --distrust --workloads")]
pub struct RootNext {
    /// From which CA to which.
    #[command(flatten)]
    pub goal: RootGoal,
    /// Give every cluster its new CA at once and restart what must restart, because the old CA can no longer be trusted. Shows which calls fail, and until when.
    #[arg(long)]
    pub distrust: bool,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}

/// `meshctl rotate root status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  every cluster is done
   1  a cluster could not be reached, or a file could not be read
   2  some cluster is not done
  64  usage error

Examples:
  meshctl rotate root status new-ca -f mesh.yaml
  meshctl rotate root status new-ca -f mesh.yaml -o json")]
pub struct RootStatus {
    /// From which CA to which.
    #[command(flatten)]
    pub goal: RootGoal,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl rotate root abort`.
#[derive(Debug, Args)]
#[command(after_help = "\
The way back has phases, too, and waits for proxies as the way there does: run the command until it says that every cluster is done. The old CA is taken from `--from`, from what the last push kept, or from the CA that istiod made for itself.

Exit status:
   0  pushed and verified, or done, or to be run again later
   1  a cluster could not be reached, or a file could not be read
   2  refused, declined, stuck or not verified
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  meshctl rotate root abort new-ca --from ca -f mesh.yaml")]
pub struct RootAbort {
    /// From which CA to which.
    #[command(flatten)]
    pub goal: RootGoal,
    /// Options of the rollout.
    #[command(flatten)]
    pub rollout: Rollout,
}

/// `meshctl rotate root evidence`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints a DSSE envelope in JSON: its payload is what `meshctl rotate root status -o json` prints, its signature is made with the key of the new CA of the first cluster, and `certificates` leads from there to the new root.

Exit status:
   0  every cluster is done
   1  a cluster could not be reached, or a file could not be read
   2  some cluster is not done
  64  usage error

Examples:
  meshctl rotate root evidence new-ca -f mesh.yaml > rotated.json")]
pub struct RootEvidence {
    /// From which CA to which.
    #[command(flatten)]
    pub goal: RootGoal,
    /// Proceed despite the error with this code; repeat for more.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
}
