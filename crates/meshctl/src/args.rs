//! The command line as typed: clap types only.

mod adopt;
mod clusters;
mod completions;
mod cross_sign;
mod doctor;
mod explain;
mod exporter;
mod forget;
pub mod mesh;
mod report;
mod revoke;
mod rotate;
mod status;
pub mod trust;
pub(crate) mod verify;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Arg, ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use meshpki::istiod::Version;
use meshpki::{KeyType, Name, Time};

use crate::io::Voice;
pub use adopt::{Adopt, Bundle};
pub use clusters::{Clusters, DryRun, Push, Restart, Rollback, Rollout};
pub use completions::Completions;
pub use cross_sign::CrossSign;
pub use doctor::Doctor;
pub use explain::Explain;
pub use exporter::Exporter;
pub use forget::Forget;
pub use report::{Report, ReportOutput};
pub use revoke::{CrlArgs, Revoke};
pub use rotate::{
    RootAbort, RootEvidence, RootGoal, RootNext, RootPlan, RootStatus, RootStrategy, Rotate,
    RotateCrl, RotateIntermediate, RotateRoot,
};
pub use status::{Status, StatusOutput};
pub use trust::{Render as TrustRender, Trust};

/// Manage the CA certificates of an Istio mesh that spans several clusters.
#[derive(Debug, Parser)]
#[command(name = "meshctl", version, disable_help_subcommand = true, after_help = EXIT_STATUS)]
pub struct Cli {
    /// When to use colors.
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true,
        help = "Colors: auto, always or never. Default: on a terminal, unless NO_COLOR is set"
    )]
    pub color: When,
    /// Print only the result, warnings, errors and questions.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print each request to the API server of a context when it has ended: method, path, status and time.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// `ca verify` with these arguments.
    fn verifying(args: &[OsString]) -> Self {
        let verify = Ca::Verify { args: args.to_vec() };
        Self {
            color: When::Auto,
            quiet: false,
            verbose: false,
            command: Command::Ca(Box::new(verify)),
        }
    }

    /// How much is said.
    #[must_use]
    pub const fn voice(&self) -> Voice {
        match (self.quiet, self.verbose) {
            (true, _) => Voice::Quiet,
            (_, true) => Voice::Verbose,
            _ => Voice::Normal,
        }
    }
}

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl When {
    /// What was asked for; `None`: what the terminal is fit for.
    #[must_use]
    pub const fn typed(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Always => Some(true),
            Self::Never => Some(false),
        }
    }
}

/// What `meshctl` without arguments and `meshctl help` print.
pub const START: &str = "\
meshctl manages the CA certificates of an Istio mesh of several clusters.

Start here:
  meshctl doctor
      Look at your clusters, change nothing, and say what to do first.
  meshctl ca init ca --cluster east,west
      Create a root and an intermediate CA per cluster, in the folder ca.
  meshctl push ca --context east=prod-east,west=prod-west
      Install them. It shows a plan, asks, and verifies that they are used.

`meshctl --help` lists every command; `meshctl help COMMAND` has examples.
";

const EXIT_STATUS: &str = "\
Every error and warning has a code; `meshctl explain CODE` says what it means, and what to do.

Exit status:
   0  success
   1  could not run: invalid input, or a file or cluster that cannot be read
   2  a check failed, or the command was refused or declined
  64  usage error
`ca verify` exits as `openssl verify` does, with 0, 1 or 2, and with 3 if a signature uses an algorithm that is not built in.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create, sign, inspect and verify CA certificates.
    #[command(subcommand)]
    Ca(Box<Ca>),
    /// Check how istiod will treat each cluster's certificates.
    Check(Box<Check>),
    /// Install CA certificates and verify that the new CA is in use.
    Push(Box<Push>),
    /// Restore the previously installed secret.
    Rollback(Box<Rollback>),
    /// Remove the keys kept for a rollback.
    Forget(Box<Forget>),
    /// Renew expiring intermediates, or replace the root.
    #[command(subcommand)]
    Rotate(Rotate),
    /// Show what each cluster has, serves and trusts.
    Status(Box<Status>),
    /// Show what `check` or `status` finds as a page to look at.
    Report(Box<Report>),
    /// Serve what `status` finds as Prometheus metrics.
    Exporter(Box<Exporter>),
    /// Generate trust-domain settings, exchange SPIFFE bundles.
    #[command(subcommand)]
    Trust(Trust),
    /// Generate, lint and apply cross-cluster Istio configuration.
    #[command(subcommand)]
    Mesh(Box<mesh::Mesh>),
    /// Look at every context, and say what to do first.
    Doctor(Box<Doctor>),
    /// Explain the code of an error or a warning.
    Explain(Explain),
    /// Print the completion script of a shell.
    Completions(Completions),
}

/// The command line with the options of `ca verify`, for what is generated from it: completions and manual pages.
/// [`one_dash`] finishes their text.
#[must_use]
pub fn command() -> clap::Command {
    let command = Cli::command();
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    let globals: Vec<Arg> = globals.map(|arg| arg.clone().global(false)).collect();
    let command = command.mut_args(|arg| arg.global(false));
    let command = command.mut_subcommand("ca", |ca| ca.mut_subcommand("verify", verify::command));
    with_globals(command, &globals)
}

/// The options of every command, in every command but `ca verify`: what follows that is for openssl.
fn with_globals(command: clap::Command, globals: &[Arg]) -> clap::Command {
    command.mut_subcommands(|below| {
        if below.get_name() == "verify" {
            return below;
        }
        with_globals(below.args(globals), globals)
    })
}

/// Reads a command line, without the program's name. `ca verify` gets what follows it as it was typed: its options have
/// rules of their own.
///
/// # Errors
/// It is not valid, or asks for help.
pub(crate) fn read(typed: &[OsString]) -> Result<Cli, clap::Error> {
    if let [ca, verify, rest @ ..] = typed
        && ca == "ca"
        && verify == "verify"
    {
        // What clap builds for every other command would take longer than the verification.
        return Ok(Cli::verifying(rest));
    }
    let parse =
        |typed: &[OsString]| Cli::try_parse_from([OsString::from("meshctl")].iter().chain(typed));
    if let Some(at) = typed.iter().position(|word| word == "verify") {
        let (begin, rest) = typed.split_at(at + 1);
        if let Ok(mut cli) = parse(begin)
            && let Command::Ca(ca) = &mut cli.command
            && let Ca::Verify { args } = ca.as_mut()
        {
            *args = rest.to_vec();
            return Ok(cli);
        }
    }
    parse(typed)
}

/// A text generated from [`command`] in which the options of `ca verify` have one dash, as in openssl.
#[must_use]
pub fn one_dash(text: &str) -> String {
    verify::one_dash(text)
}

/// `meshctl ca ...`.
#[derive(Debug, Subcommand)]
pub enum Ca {
    /// Create a root and an intermediate per cluster, or add clusters.
    Init(Init),
    /// Create a key and a CSR (run on the cluster's side).
    Csr(CsrArgs),
    /// Sign a CSR (run where the root key is).
    Sign(Sign),
    /// Take over a CA and its key from elsewhere.
    Adopt(Adopt),
    /// Join and compare root bundles.
    Bundle(Bundle),
    /// Sort certificates into a leaf-first chain.
    Chain(ChainArgs),
    /// Show certificates, chains, CSRs, CRLs and public parts of keys.
    Inspect(Inspect),
    /// List certificates that expire soon.
    Expiry(Expiry),
    /// Renew a cluster's intermediate under the same root.
    Renew(Renew),
    /// List a certificate as revoked.
    Revoke(Revoke),
    /// Sign CRLs for the root and every cluster's CA.
    Crl(CrlArgs),
    /// Certify the root of another CA (a bridge between meshes).
    CrossSign(CrossSign),
    /// Verify as `openssl verify`, Go, Envoy or ztunnel does.
    #[command(disable_help_flag = true)]
    Verify {
        /// The options and files of `openssl verify`; `-help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Output formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Human-readable text.
    #[default]
    Text,
    /// One JSON document with `apiVersion` and `kind`.
    Json,
}

/// `meshctl ca init`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Existing files are left unchanged, so you can run it again to add clusters. On a terminal, it asks for the passphrase of a new root key.

Exit status:
   0  created, or nothing to do; every cluster's certificate verifies
   1  could not run
   2  a cluster's certificate does not verify
  64  usage error, or no terminal to ask for a passphrase

Examples:
  # Create a root and two intermediates
  meshctl ca init ca --cluster east --cluster west
  # In a script
  meshctl ca init ca --cluster east --passphrase-file passphrase.txt
  # Add a cluster
  meshctl ca init ca --cluster north
  # With a trust domain for the cluster
  meshctl ca init ca --cluster east --trust-domain east=east.example
  # Create every cluster of the spec, with its trust domain
  meshctl ca init ca -f mesh.yaml
  # Create the root that your cfssl file describes
  meshctl ca init ca --cfssl-csr ca.json
  # With a root key in a KMS or an HSM (docs/signers.md)
  meshctl ca init ca --cluster east --root-signer exec:./openbao-transit \\
    --signer-arg mesh-root --transcript ceremony.jsonl")]
pub struct Init {
    /// Folder of the CA: root-cert.pem, root-key.pem and a folder per cluster.
    pub dir: PathBuf,
    /// Cluster to create an intermediate for; repeat or separate with commas for more. With `-f`, selects clusters from the spec.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub cluster: Vec<String>,
    /// The mesh spec, which lists clusters and trust domains.
    #[arg(short, long, value_name = "FILE", conflicts_with = "trust_domain")]
    pub file: Option<PathBuf>,
    /// Key type of the root and the intermediates.
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p256")]
    pub key_type: KeyType,
    /// Key type of the root, if different from `--key-type`.
    #[arg(long, value_name = "TYPE", conflicts_with = "root_signer")]
    pub root_key_type: Option<KeyType>,
    /// Key type of the intermediates, if different from `--key-type`.
    #[arg(long, value_name = "TYPE")]
    pub cluster_key_type: Option<KeyType>,
    /// Subject of the root, such as `C=GB, O=Example, CN=Mesh Root CA`.
    #[arg(long, value_name = "NAME", value_parser = Name::from_str)]
    pub root_subject: Option<Name>,
    /// Validity of the root. Default: ten years.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub root_validity: Option<Duration>,
    /// Path length of the root: how many levels of CAs are allowed below it. Default: no limit.
    #[arg(long, value_name = "N")]
    pub path_len: Option<u32>,
    /// Options of the intermediates.
    #[command(flatten)]
    pub cluster_options: ClusterOptions,
    /// Create the root as cfssl would from this ca.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root_subject", "root_key_type", "root_validity", "path_len"])]
    pub cfssl_csr: Option<PathBuf>,
    /// The root key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of the root key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Create a root, or continue with the folder's, although a cluster in the folder trusts a different one.
    #[arg(long)]
    pub new_root: bool,
    /// Leave the root key unencrypted, without asking. Without a terminal, a new root key needs this option or a passphrase.
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_env", "root_signer"])]
    pub plain_root_key: bool,
    /// File names in each cluster's folder.
    #[arg(long, value_name = "NAME", default_value = "istio")]
    pub layout: LayoutName,
    /// Time to use instead of now, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// Content of a cluster's intermediate.
#[derive(Debug, Clone, Args)]
pub struct ClusterOptions {
    /// Subject of an intermediate; `{cluster}` is replaced with the cluster's name.
    #[arg(long, value_name = "NAME")]
    pub cluster_subject: Option<String>,
    /// Validity of an intermediate. Default: one year, but not longer than the root.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub cluster_validity: Option<Duration>,
    /// Trust domain, `DOMAIN` for all clusters or `CLUSTER=DOMAIN` for one. Adds `spiffe://DOMAIN` to the intermediate.
    #[arg(long, value_name = "[CLUSTER=]DOMAIN")]
    pub trust_domain: Vec<String>,
    /// Subject alternative name of the intermediates, `dns:NAME` or `uri:URI`; `{cluster}` is replaced with the cluster's name.
    #[arg(long, value_name = "KIND:NAME")]
    pub san: Vec<String>,
    /// Prevent the intermediate from signing identities outside its trust domain, with a critical name constraint.
    #[arg(long)]
    pub constrain: bool,
}

/// Sources of the root key's passphrase.
#[derive(Debug, Clone, Args)]
pub struct Passphrase {
    /// File whose first line is the passphrase of the private key or the PKCS#12 file.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_env")]
    pub passphrase_file: Option<PathBuf>,
    /// Environment variable that holds the passphrase of the private key or the PKCS#12 file.
    #[arg(long, value_name = "VARIABLE")]
    pub passphrase_env: Option<String>,
}

/// The holder of the root key, and the record of its signatures.
#[derive(Debug, Clone, Args)]
pub struct RootSigner {
    /// Holder of the root key if it is not in a file: `exec:PROGRAM`, or a PKCS#11 URI, such as `pkcs11:token=ROOT;object=mesh?module-path=FILE`. See docs/signers.md.
    #[arg(long, value_name = "SIGNER")]
    pub root_signer: Option<OsString>,
    /// Argument of the program in `--root-signer exec:PROGRAM`; repeat for more. No shell reads it.
    #[arg(long, value_name = "ARGUMENT", requires = "root_signer", allow_hyphen_values = true)]
    pub signer_arg: Vec<OsString>,
    /// How long the program may take for each answer.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub signer_timeout: Duration,
    /// Environment variable that holds the token's PIN. Otherwise, the PIN is in the file that `pin-source` of the URI names, or asked for.
    #[arg(long, value_name = "VARIABLE", requires = "root_signer")]
    pub pin_env: Option<String>,
    /// File to which every signature of the root key is appended, as a JSON line: what was signed, by which key, and when.
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
}

/// Waiting for another run in the same folder.
#[derive(Debug, Default, Clone, Copy, Args)]
pub struct Wait {
    /// If another meshctl process is using the folder, wait until it has finished, or for at most TIME.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, value_parser = duration)]
    #[allow(clippy::option_option, reason = "absent, without and with a time")]
    pub wait: Option<Option<Duration>>,
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
Writes ca-key.pem and ca.csr to the cluster's folder and prints the fingerprint of the key. Send only the CSR to whoever has the root key.

Exit status:
   0  created
   1  could not run
  64  usage error

Examples:
  # Create ca/east/ca-key.pem and ca/east/ca.csr
  meshctl ca csr ca --cluster east
  # Create the CSR that your cfssl file describes
  meshctl ca csr ca --cluster east --cfssl-csr intermediate-ca.json")]
pub struct CsrArgs {
    /// Folder with a folder per cluster.
    pub dir: PathBuf,
    /// Cluster that the key is for.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// Key type.
    #[arg(long, value_name = "TYPE", default_value = "ecdsa-p256")]
    pub key_type: KeyType,
    /// Subject; `{cluster}` is replaced with the cluster's name.
    #[arg(long, value_name = "NAME", default_value = "O=Mesh, CN=Mesh CA {cluster}")]
    pub subject: String,
    /// Subject alternative name to request, `dns:NAME` or `uri:URI`.
    #[arg(long, value_name = "KIND:NAME")]
    pub san: Vec<String>,
    /// Create the CSR as cfssl would from this intermediate-ca.json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_type", "subject", "san"])]
    pub cfssl_csr: Option<PathBuf>,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
}

/// `meshctl ca sign`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("issuer_key").args(["ca_key", "root_signer"]))]
#[command(after_help = "\
Shows subject, key, names, path length, lifetime and issuer before it signs. Compare the key's fingerprint with the one that `ca csr` printed. On a terminal, it asks for confirmation; elsewhere, it requires `--yes`.

Exit status:
   0  signed
   1  refused or failed
   2  declined
  64  usage error, or no terminal to ask for confirmation (use --yes)

Examples:
  # Write ca-cert.pem, cert-chain.pem and root-cert.pem to ca/east
  meshctl ca sign ca/east/ca.csr --ca ca --out ca/east
  # Sign with a given issuer and print the certificate
  meshctl ca sign east.csr --ca-cert root.pem --ca-key root-key.pem \\
    --out - --yes
  # Sign as cfssl would
  meshctl ca sign intermediate_ca.csr --ca ca --cfssl-config cfssl.json \\
    --profile intermediate_ca --out east")]
pub struct Sign {
    /// The certificate signing request, in PEM or DER; `-` reads standard input.
    pub csr: PathBuf,
    /// Folder of the CA, with root-cert.pem and root-key.pem.
    #[arg(long, value_name = "DIR", required_unless_present = "ca_cert", conflicts_with_all = ["ca_cert", "ca_key"])]
    pub ca: Option<PathBuf>,
    /// The issuer's certificate, followed by the certificates above it and its root. Roots that do not vouch for it are left out.
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    pub ca_cert: Option<PathBuf>,
    /// The issuer's private key.
    #[arg(long, value_name = "FILE", requires = "ca_cert")]
    pub ca_key: Option<PathBuf>,
    /// Additional root for root-cert.pem, which workloads then trust too, for example during a change of root.
    #[arg(long, value_name = "FILE")]
    pub also_trust: Option<PathBuf>,
    /// Sign without asking.
    #[arg(long)]
    pub yes: bool,
    /// Folder for ca-cert.pem, cert-chain.pem and root-cert.pem, or `-` for the certificate on standard output.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Validity of the certificate. Default: one year, but not longer than the issuer.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "cfssl_config")]
    pub validity: Option<Duration>,
    /// Path length: how many levels of CAs are allowed below the new one.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "cfssl_config")]
    pub path_len: u32,
    /// Use this subject instead of the CSR's.
    #[arg(long, value_name = "NAME", value_parser = Name::from_str, conflicts_with = "cfssl_config")]
    pub subject: Option<Name>,
    /// Subject alternative name of the certificate, `dns:NAME` or `uri:URI`. Names in the CSR are not copied.
    #[arg(long, value_name = "KIND:NAME", conflicts_with = "cfssl_config")]
    pub san: Vec<String>,
    /// Prevent the new CA from signing identities outside this trust domain, with a critical name constraint.
    #[arg(long, value_name = "DOMAIN", conflicts_with = "cfssl_config")]
    pub constrain: Option<meshpki::TrustDomain>,
    /// Take usages, CA flags and expiry from a profile in this cfssl.json.
    #[arg(long, value_name = "FILE")]
    pub cfssl_config: Option<PathBuf>,
    /// Name of the profile. Default: cfssl's `default`.
    #[arg(long, value_name = "NAME", requires = "cfssl_config")]
    pub profile: Option<String>,
    /// The issuer key's passphrase.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// The holder of the issuer's key.
    #[command(flatten)]
    pub signer: RootSigner,
    /// How long to wait for the folder.
    #[command(flatten)]
    pub wait: Wait,
    /// Time to use instead of now, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl ca chain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Certificates that do not belong to the chain, and duplicates, are reported on standard error.

Exit status:
   0  the chain was written
   1  the certificates do not form a chain, or a file cannot be read
  64  usage error

Examples:
  meshctl ca chain root-cert.pem ca-cert.pem > cert-chain.pem
  meshctl ca chain --leaf ca-cert.pem certs/*.pem --out cert-chain.pem
  # From what a Windows CA gives, without the root
  meshctl ca chain certnew.p7b --no-root")]
pub struct ChainArgs {
    /// Files with certificates, in any order: PEM, DER, PKCS#7 or PKCS#12.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// File whose first certificate begins the chain.
    #[arg(long, value_name = "FILE")]
    pub leaf: Option<PathBuf>,
    /// Leave the root out, as most servers and clients expect.
    #[arg(long, conflicts_with = "with_root")]
    pub no_root: bool,
    /// Fail if the root is in none of the files, as istiod would with the chain.
    #[arg(long)]
    pub with_root: bool,
    /// The passphrase of a PKCS#12 file.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// File to write the chain to. Default: standard output, which is also `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `meshctl ca inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
   0  everything could be read
   1  something could not be read; the rest is shown
  64  usage error

Examples:
  meshctl ca inspect ca/east/cert-chain.pem
  # Does the key belong to the certificate?
  meshctl ca inspect ca/east/ca-cert.pem ca/east/ca-key.pem
  # What a cluster has
  kubectl -n istio-system get secret cacerts -o json \\
    | jq -r '.data[\"ca-cert.pem\"]' | base64 -d | meshctl ca inspect -")]
pub struct Inspect {
    /// Files to show, in PEM, DER, PKCS#7 or PKCS#12; `-` reads standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// The passphrase of an encrypted private key.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// `meshctl ca expiry`.
#[derive(Debug, Args)]
#[command(after_help = "\
In folders, hidden files, previous/ and key files (ca-key.pem, key.pem ...) are skipped.

Exit status:
   0  nothing expires soon
   1  a file could not be read, or there is no certificate
   2  a certificate expires soon, whether or not every file could be read
  64  usage error

Examples:
  meshctl ca expiry --within 30d ca
  meshctl ca expiry --within 30d -o github ca/*/ca-cert.pem")]
pub struct Expiry {
    /// Files and folders; folders are searched for .pem, .crt, .cer, .der, .p7b and .p7c files, and with a passphrase for .pfx and .p12 files.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The passphrase of a PKCS#12 file.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Report what expires within this time; a CRL only if less than a third of its validity is left as well.
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = duration)]
    pub within: Duration,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ExpiryOutput,
    /// Time at which to check validity. Default: now.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
}

/// Formats of `ca expiry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExpiryOutput {
    /// Human-readable text.
    Table,
    /// One JSON document.
    Json,
    /// Prometheus metrics for a textfile collector.
    Prometheus,
    /// Annotations for GitHub Actions.
    Github,
}

/// `meshctl ca renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
Creates a new key and certificate with the same subject under the same root. The old files are kept in DIR/previous. If the key that issued the CA is elsewhere, it creates a key and a CSR in the cluster's folder instead; `ca adopt` takes the certificate that comes back.

Exit status:
   0  renewed, or nothing was due; the certificates verify
   1  could not run
   2  a cluster's certificate does not verify, or its CSR waits to be signed
  64  usage error

Examples:
  meshctl ca renew ca --cluster east
  # Only if it expires within 30 days
  meshctl ca renew ca --cluster east --within 30d")]
pub struct Renew {
    /// Folder of the CA.
    pub dir: PathBuf,
    /// Cluster to renew; repeat for more.
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    pub cluster: Vec<String>,
    /// Renew only what expires within this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub within: Option<Duration>,
    /// Key type. Default: that of the old key.
    #[arg(long, value_name = "TYPE")]
    pub key_type: Option<KeyType>,
    /// Validity of the certificate. Default: that of the old one, but not longer than the root.
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
    /// Time to use instead of now, for reproducible dates.
    #[arg(long, value_name = "RFC3339", value_parser = time)]
    pub at: Option<Time>,
    /// Output format.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
}

/// `meshctl check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without `--context` and `-f`, only files are checked, for Istio 1.30.3 or the release in `--istio-version`. Roots that workloads have, pending restarts and trust domains are then not checked.

With `--context` or `-f`, the secret of each cluster is checked for the release and settings found there. If DIRS contains a folder with the cluster's name, the check predicts what happens when its files are installed.

Exit status:
   0  no errors; there may be warnings
   1  a file or a cluster could not be read
   2  there are errors
  64  usage error

Examples:
  # Every cluster in a folder created by `ca init`
  meshctl check ca
  # For a specific Istio release
  meshctl check ca/east --istio-version 1.25.0
  # Do they trust each other?
  meshctl check team-a/east team-b/west
  # What is live
  meshctl check --context east=prod-east,west=prod-west
  # What a push of ca/east would do
  meshctl check ca --context east=prod-east
  # The same for every cluster of the spec
  meshctl check ca -f mesh.yaml
  meshctl check ca -o json | jq -r '.problems[].code'")]
pub struct Check {
    /// Folders of single clusters, or folders with a folder per cluster; hidden folders and previous/ are skipped.
    pub dirs: Vec<PathBuf>,
    /// Which clusters to ask.
    #[command(flatten)]
    pub clusters: Clusters,
    /// Istio is not installed yet: treat a missing istiod as a warning.
    #[arg(long)]
    pub before_install: bool,
    /// Assume that istiod runs with ISTIO_MULTIROOT_MESH=true. With `--context`, this is read from the cluster.
    #[arg(long)]
    pub multi_root: bool,
    /// Assume ambient mode, so that ztunnel verifies certificates, too. With `--context`, this is read from the cluster.
    #[arg(long)]
    pub ambient: bool,
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

fn version(text: &str) -> Result<Version, String> {
    text.parse().ok().ok_or_else(|| "expected an Istio release, such as 1.27.0".into())
}

fn duration(text: &str) -> Result<Duration, String> {
    match meshpki::internals::parse_duration(text) {
        Some(Duration::ZERO) | None => {
            Err("expected a duration, such as 3650d, 10y, 42720h or 90m".into())
        }
        Some(length) => Ok(length),
    }
}

fn time(text: &str) -> Result<Time, String> {
    text.parse()
        .ok()
        .ok_or_else(|| "expected a time, such as 2026-11-21T07:00:00Z or 2026-11-21".into())
}

fn address_or_port(text: &str) -> Result<SocketAddr, String> {
    let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let found = text.parse().map(loopback).ok().or_else(|| text.parse().ok());
    found.ok_or_else(|| "expected a port or an address with a port, such as 9090".to_owned())
}
