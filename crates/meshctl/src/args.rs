//! The command line as typed: clap types only.

mod clusters;
mod forget;
pub mod mesh;
mod status;
mod trust;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use meshpki::istiod::Version;
use meshpki::{KeyType, Name, Time};

pub use clusters::{
    Clusters, DryRun, Push, Restart, Rollback, Rollout, Rotate, RotateIntermediate,
};
pub use forget::Forget;
pub use status::Status;
pub use trust::{Render as TrustRender, Trust};

/// CA certificates for Istio on many clusters: make them, sign them, verify them, renew them.
#[derive(Debug, Parser)]
#[command(name = "meshctl", version, disable_help_subcommand = true, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
   0  done, or all good
   1  it could not be asked or done: input, files
   2  the answer is no: a certificate does not verify, a renewal is due
  64  wrong usage
  (`ca verify` answers as `openssl verify` does: 0, 1, 2)";

/// The command groups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Certificate authorities: root, cluster intermediates, chains.
    #[command(subcommand)]
    Ca(Box<Ca>),
    /// Tell what istiod will do with the files of each cluster, and what is wrong with them.
    Check(Box<Check>),
    /// Bring CA certificates into clusters, restart who has to, and prove that the new CA is live.
    Push(Box<Push>),
    /// Bring back the secret that was replaced last.
    Rollback(Box<Rollback>),
    /// Remove what is kept for a rollback, old keys included: in clusters and in `DIR/previous`.
    Forget(Box<Forget>),
    /// Jobs for CI: renew what ends soon, push it, prove it.
    #[command(subcommand)]
    Rotate(Rotate),
    /// Tell what each cluster has, serves and trusts, and who would not accept whom.
    Status(Box<Status>),
    /// Trust domains: what each istiod has to be told so that clusters accept each other's identities.
    #[command(subcommand)]
    Trust(Trust),
    /// Services across clusters: from one spec, every Istio resource, checked, drawn and explained.
    #[command(subcommand)]
    Mesh(Box<mesh::Mesh>),
}

/// `meshctl ca ...`.
#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Make a root and an intermediate per cluster, or add clusters to an existing root.
    Init(Init),
    /// Make a key and a certificate signing request on the cluster's side.
    Csr(CsrArgs),
    /// Sign a CSR: what is done where the root key is.
    Sign(Sign),
    /// Put a pile of certificates into leaf-first order.
    Chain(ChainArgs),
    /// Show certificates, chains, CSRs, CRLs and keys (the public part).
    Inspect(Inspect),
    /// Tell what expires soon; exit status 2 when something does.
    Expiry(Expiry),
    /// Make a new intermediate under the same root; the old one is kept aside.
    Renew(Renew),
    /// Verify certificates exactly as `openssl verify` does, with the same options and lines.
    #[command(disable_help_flag = true)]
    Verify {
        /// The options and files of `openssl verify`; `-help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}

/// How results are written to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document with `apiVersion` and `kind`.
    Json,
}

/// `meshctl ca init`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl ca init ca --cluster east --cluster west         asks for a passphrase for the root key
  meshctl ca init ca --cluster east --passphrase-file FILE in a script; or --plain-root-key
  meshctl ca init ca --cluster north                       add a cluster, change nothing else
  meshctl ca init ca --cluster east --trust-domain east=east.example
  meshctl ca init ca -f mesh.yaml                          every cluster of the spec, with its trust domain
  meshctl ca init ca --cfssl-csr ca.json                   the root your cfssl files describe")]
pub struct Init {
    /// Folder of the CA: root-cert.pem, root-key.pem and a folder per cluster.
    pub dir: PathBuf,
    /// A cluster to have an intermediate; repeat for more, or separate by commas. With -f only these of the spec.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// The mesh's spec: its clusters and their trust domains.
    #[arg(short, long, value_name = "FILE", conflicts_with = "trust_domain")]
    pub file: Option<PathBuf>,
    /// Key type of root and intermediates.
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p256")]
    pub key_type: KeyType,
    /// Key type of the root, where it is to differ.
    #[arg(long, value_name = "TYPE")]
    pub root_key_type: Option<KeyType>,
    /// Key type of the intermediates, where it is to differ.
    #[arg(long, value_name = "TYPE")]
    pub cluster_key_type: Option<KeyType>,
    /// Subject of the root: `C=GB, O=Example, CN=Mesh Root CA`.
    #[arg(long, value_name = "NAME", value_parser = Name::parse)]
    pub root_subject: Option<Name>,
    /// How long the root is valid; default ten years.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub root_validity: Option<i64>,
    /// Path length of the root: how many CAs may stand below each other under it. Default: any number.
    #[arg(long, value_name = "N")]
    pub path_len: Option<u32>,
    /// The intermediates.
    #[command(flatten)]
    pub cluster_options: ClusterOptions,
    /// Make the root as cfssl would from this ca.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root_subject", "root_key_type", "root_validity", "path_len"])]
    pub cfssl_csr: Option<PathBuf>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Leave the root key unencrypted, without asking. Where nobody can be asked, a new root key needs this or a passphrase.
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_env"])]
    pub plain_root_key: bool,
    /// Names the files have: `istio` (ca-cert.pem ...) or `tls` (tls.crt ...).
    #[arg(long, value_name = "NAME", default_value = "istio")]
    pub layout: LayoutName,
    /// The time to work at, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// What a cluster's intermediate says.
#[derive(Debug, Clone, Args)]
pub struct ClusterOptions {
    /// Subject of an intermediate; `{cluster}` stands for the cluster's name.
    #[arg(long, value_name = "NAME")]
    pub cluster_subject: Option<String>,
    /// How long an intermediate is valid; default one year, or less where the root ends before.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub cluster_validity: Option<i64>,
    /// Trust domain: `DOMAIN` for all clusters or `CLUSTER=DOMAIN` for one. Puts spiffe://DOMAIN into the intermediate.
    #[arg(long, value_name = "[CLUSTER=]DOMAIN")]
    pub trust_domain: Vec<String>,
    /// A DNS or URI name of the intermediates, `dns:NAME` or `uri:URI`; `{cluster}` stands for the cluster's name.
    #[arg(long, value_name = "KIND:NAME")]
    pub san: Vec<String>,
    /// Forbid the intermediate to sign identities outside its trust domain (critical name constraint).
    #[arg(long)]
    pub constrain: bool,
}

/// Where a passphrase comes from.
#[derive(Debug, Clone, Args)]
pub struct Passphrase {
    /// File whose first line is the passphrase of the root key.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_env")]
    pub passphrase_file: Option<PathBuf>,
    /// Environment variable that holds the passphrase of the root key.
    #[arg(long, value_name = "VARIABLE")]
    pub passphrase_env: Option<String>,
}

/// Patience with another run in the same folder.
#[derive(Debug, Default, Clone, Copy, Args)]
pub struct Wait {
    /// Wait while another meshctl is using the folder, at most this long; without TIME until it has ended.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = duration)]
    #[allow(clippy::option_option, reason = "absent, without and with a time")]
    pub wait: Option<Option<i64>>,
}

/// The names of [`meshpki::cacerts::Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// `ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`, `root-cert.pem`.
    Istio,
    /// `tls.crt`, `tls.key`, `ca.crt`.
    Tls,
}

/// `meshctl ca csr`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl ca csr ca --cluster east                         ca/east/{ca-key.pem, ca.csr}; send the CSR to the root
  meshctl ca csr ca --cluster east --cfssl-csr intermediate-ca.json")]
pub struct CsrArgs {
    /// Folder that holds a folder per cluster.
    pub dir: PathBuf,
    /// The cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// Key type.
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p256")]
    pub key_type: KeyType,
    /// Subject; `{cluster}` stands for the cluster's name.
    #[arg(long, value_name = "NAME", default_value = "O=Mesh, CN=Mesh CA {cluster}")]
    pub subject: String,
    /// A DNS or URI name to ask for, `dns:NAME` or `uri:URI`.
    #[arg(long, value_name = "KIND:NAME")]
    pub san: Vec<String>,
    /// Make the request as cfssl would from this intermediate-ca.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_type", "subject", "san"])]
    pub cfssl_csr: Option<PathBuf>,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}

/// `meshctl ca sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows subject, key, names, path length, lifetime and issuer before it signs. Compare the key's fingerprint with the one `ca csr` printed. Asks on a terminal; needs `--yes` elsewhere.

Exit status: 0 signed, 1 refused or failed, 2 declined, 64 usage error, or not on a terminal and no `--yes`.

Examples:
  meshctl ca sign ca/east/ca.csr --ca ca --out ca/east     ca-cert.pem, cert-chain.pem, root-cert.pem
  meshctl ca sign east.csr --ca-cert root.pem --ca-key root-key.pem --out - --yes
  meshctl ca sign intermediate_ca.csr --ca ca --cfssl-config cfssl.json --profile intermediate_ca --out east")]
pub struct Sign {
    /// The certificate signing request, PEM or DER; `-` reads standard input.
    pub csr: PathBuf,
    /// Folder of the CA: root-cert.pem and root-key.pem.
    #[arg(long, value_name = "DIR", required_unless_present = "ca_cert", conflicts_with_all = ["ca_cert", "ca_key"])]
    pub ca: Option<PathBuf>,
    /// The issuer's certificate, followed by those above it and its root. Roots that do not vouch for it are left out.
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    pub ca_cert: Option<PathBuf>,
    /// The issuer's private key.
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    pub ca_key: Option<PathBuf>,
    /// Another root for root-cert.pem, for example during a change of root: workloads trust it too.
    #[arg(long, value_name = "FILE")]
    pub also_trust: Option<PathBuf>,
    /// Sign without asking.
    #[arg(long)]
    pub yes: bool,
    /// Folder for ca-cert.pem, cert-chain.pem and root-cert.pem, or `-` for the certificate on standard output.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How long the certificate is valid; default one year, or less where the issuer ends before.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "cfssl_config")]
    pub validity: Option<i64>,
    /// Path length: how many CAs may stand below the new one.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "cfssl_config")]
    pub path_len: u32,
    /// Use this subject instead of the CSR's.
    #[arg(long, value_name = "NAME", value_parser = Name::parse, conflicts_with = "cfssl_config")]
    pub subject: Option<Name>,
    /// A DNS or URI name of the certificate, `dns:NAME` or `uri:URI`. Those in the CSR are not taken over.
    #[arg(long, value_name = "KIND:NAME", conflicts_with = "cfssl_config")]
    pub san: Vec<String>,
    /// Forbid the new CA to sign identities outside this trust domain (critical name constraint).
    #[arg(long, value_name = "DOMAIN", conflicts_with = "cfssl_config")]
    pub constrain: Option<meshpki::TrustDomain>,
    /// Take usages, CA flags and expiry from a profile of this cfssl.json.
    #[arg(long, value_name = "FILE")]
    pub cfssl_config: Option<PathBuf>,
    /// The profile; without it cfssl's `default`.
    #[arg(long, value_name = "NAME", requires = "cfssl_config")]
    pub profile: Option<String>,
    /// The issuer key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// The time to work at, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl ca chain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl ca chain root-cert.pem ca-cert.pem > cert-chain.pem
  meshctl ca chain --leaf ca-cert.pem pile/*.pem --out cert-chain.pem")]
pub struct ChainArgs {
    /// Files with certificates, in any order.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The file whose first certificate begins the chain.
    #[arg(long, value_name = "FILE")]
    pub leaf: Option<PathBuf>,
    /// Where to write the chain; default standard output, as is `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `meshctl ca inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 1 when something could not be read, whatever else was shown; 0 otherwise.

Examples:
  meshctl ca inspect ca/east/cert-chain.pem
  meshctl ca inspect ca/east/ca-cert.pem ca/east/ca-key.pem     does the key belong to the certificate?
  kubectl get secret cacerts -o json | jq -r '.data[\"ca-cert.pem\"]' | base64 -d | meshctl ca inspect -")]
pub struct Inspect {
    /// Files to show, PEM or DER; `-` reads standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// The private key's passphrase, where one is encrypted.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The time to judge validity at.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl ca expiry`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 2 something is due, even where something else could not be read; 1 something could not
be read, or there was no certificate; 0 nothing is due.
In folders, hidden files, previous/ and key files (ca-key.pem, key.pem ...) are left out.

Examples:
  meshctl ca expiry --within 30d ca
  meshctl ca expiry --within 30d -o github ca/*/ca-cert.pem")]
pub struct Expiry {
    /// Files and folders; folders are searched for .pem, .crt and .cer files.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// What counts as soon.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: i64,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ExpiryOutput,
    /// The time to judge at.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// Formats of `ca expiry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExpiryOutput {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// Metrics for a textfile collector.
    Prometheus,
    /// Annotations of GitHub Actions.
    Github,
}

/// `meshctl ca renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  meshctl ca renew ca --cluster east                       new key and certificate, same root, same subject
  meshctl ca renew ca --cluster east --within 30d          only when it ends within 30 days")]
pub struct Renew {
    /// Folder of the CA.
    pub dir: PathBuf,
    /// The cluster to renew; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    pub cluster: Vec<String>,
    /// Renew only what ends within this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<i64>,
    /// Key type; default that of the old key.
    #[arg(long, value_name = "TYPE")]
    pub key_type: Option<KeyType>,
    /// How long it is valid; default as long as the old one, or less where the root ends before.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub validity: Option<i64>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// The time to work at, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 2 there is an error; 1 it could not be read or asked; 0 good, warnings allowed.
Without --context and -f no cluster is asked: the roots workloads hold, whether istiod was restarted and trust domains
are not looked at, and the release is 1.30.3 unless --istio-version says another.
With one of them the secret of each cluster is checked as a folder is, by the release and settings found there; where
there is a folder of the cluster's name, its files are those that are about to be written.

Examples:
  meshctl check ca                                         every cluster of a folder made by `ca init`
  meshctl check ca/east --istio-version 1.25.0             what that release does with it
  meshctl check team-a/east team-b/west                    do they trust each other?
  meshctl check --context east=prod-east,west=prod-west    what is live
  meshctl check ca --context east=prod-east                what a push of ca/east would do
  meshctl check ca -f mesh.yaml                            the same for every cluster of the spec
  meshctl check ca -o json | jq -r '.problems[].code'")]
pub struct Check {
    /// Folders: a cluster's own, or one whose subfolders are clusters' (hidden ones and previous/ left out).
    pub dirs: Vec<PathBuf>,
    /// Which clusters to ask.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Istio is still to be installed: a cluster without istiod is a warning.
    #[arg(long)]
    pub before_install: bool,
    /// istiod runs with ISTIO_MULTIROOT_MESH=true; with --context each says so itself.
    #[arg(long)]
    pub multi_root: bool,
    /// Proceed despite the error with this code: `ctl/insecure-server`.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub force: Vec<String>,
    /// How the result is written.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// The time to judge at.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "a release of Istio is wanted, such as 1.27.0".into())
}

fn duration(text: &str) -> Result<i64, String> {
    match meshpki::time::parse_duration(text) {
        Some(0) | None => {
            Err("a length of time is wanted, such as 3650d, 10y, 42720h or 90m".into())
        }
        Some(seconds) => Ok(seconds),
    }
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse_rfc3339(text)
        .ok_or_else(|| "a time is wanted, such as 2026-11-21T07:00:00Z or 2026-11-21".into())
}
