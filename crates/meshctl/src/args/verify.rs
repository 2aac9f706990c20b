//! The options of `ca verify`, which follow openssl's rules instead of clap's: one table for the reader of the command
//! line, for completions and for the manual.

use clap::builder::ValueHint;
use clap::{Arg, ArgAction, Command};
use meshpki::verify::Release;

/// What an option is, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Help,
    CaFile,
    Trusted,
    Untrusted,
    CrlFile,
    CaPath,
    CaStore,
    NoCaFile,
    NoCaPath,
    NoCaStore,
    ShowChain,
    NameOpt,
    Policy,
    Purpose,
    Depth,
    AuthLevel,
    AtTime,
    Hostname,
    Email,
    Ip,
    IgnoreCritical,
    CrlCheck,
    CrlCheckAll,
    PolicyCheck,
    ExplicitPolicy,
    InhibitAny,
    InhibitMap,
    PolicyPrint,
    Strict,
    CheckSelfSigned,
    PartialChain,
    NoCheckTime,
    VerifyName,
    ExtendedCrl,
    UseDeltas,
    SuiteB128Only,
    SuiteB128,
    SuiteB192,
    AllowProxies,
    VerifyOption,
    /// Accepted by openssl and without effect there.
    Nothing,
    /// An option of openssl we leave out.
    LeftOut,
    /// An addition to openssl's: the reason for each finding.
    Explain,
    /// Ours: `json`.
    Output,
    /// Ours: the time as RFC 3339.
    At,
    /// Ours: the release of OpenSSL.
    OpenSsl,
    /// Ours: the verifier to ask.
    As,
    /// Ours: the release of Istio whose verifiers are asked.
    Istio,
}

/// The argument an option takes (`apps/include/opt.h`: `-`, `s`, `n`, `M`, `/`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    Text,
    Folder,
    Int,
    Big,
}

/// One option.
pub(crate) struct OpensslOption {
    /// Its name, without dashes.
    pub(crate) name: &'static str,
    /// The argument it takes.
    pub(crate) wants: Wants,
    /// What it is.
    pub(crate) id: Id,
    /// The name of its value, such as `FILE`.
    pub(crate) value: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

impl OpensslOption {
    /// Whether a release has it (`apps/include/opt.h: OPT_PROV_OPTIONS` of 3.5).
    pub(crate) fn is_in(&self, release: Release) -> bool {
        self.name != "provparam" || release.since(3, 5)
    }

    /// Whether completions and the manual have it: it does something, and has no longer name.
    fn is_offered(&self) -> bool {
        !matches!(self.id, Id::Nothing | Id::LeftOut) && self.name != "o"
    }
}

const fn flag(name: &'static str, id: Id, help: &'static str) -> OpensslOption {
    OpensslOption { name, wants: Nothing, id, value: "", help }
}

const fn with(
    name: &'static str,
    wants: Wants,
    id: Id,
    value: &'static str,
    help: &'static str,
) -> OpensslOption {
    OpensslOption { name, wants, id, value, help }
}

/// An option without effect.
const fn idle(name: &'static str) -> OpensslOption {
    flag(name, Id::Nothing, "No effect, as in openssl")
}

/// An option that is refused.
const fn refused(name: &'static str, wants: Wants, help: &'static str) -> OpensslOption {
    OpensslOption { name, wants, id: Id::LeftOut, value: "val", help }
}

/// Why options are refused.
const LOADS_CODE: &str = "Refused: loads code at run time";

use Wants::{Big, Folder, Int, Nothing, Text};

/// Every option by name (`apps/verify.c: verify_options`), then the additions.
pub(crate) const OPTIONS: &[OpensslOption] = &[
    flag("help", Id::Help, "Show the options"),
    refused("engine", Text, LOADS_CODE),
    idle("verbose"),
    with("nameopt", Text, Id::NameOpt, "FORMS", "How names are printed, such as RFC2253"),
    with("trusted", Text, Id::Trusted, "FILE", "Trusted certificates, instead of the system's"),
    with("CAfile", Text, Id::CaFile, "FILE", "Trusted certificates"),
    with("CApath", Folder, Id::CaPath, "FOLDER", "Folder of trusted certificates, by hash"),
    with("CAstore", Text, Id::CaStore, "URI", "File or folder of trusted certificates"),
    flag("no-CAfile", Id::NoCaFile, "Do not use the system's file of trusted certificates"),
    flag("no-CApath", Id::NoCaPath, "Do not use the system's folder of trusted certificates"),
    flag("no-CAstore", Id::NoCaStore, "Do not use the system's store of trusted certificates"),
    with("untrusted", Text, Id::Untrusted, "FILE", "Intermediate certificates"),
    with("CRLfile", Text, Id::CrlFile, "FILE", "Certificate revocation lists"),
    refused("crl_download", Nothing, "Refused: uses the network"),
    flag("show_chain", Id::ShowChain, "Show the chain that was found"),
    with("policy", Text, Id::Policy, "OID", "Policy that the chain must have; repeat for more"),
    with("purpose", Text, Id::Purpose, "NAME", "Purpose to check, such as sslserver"),
    with("verify_name", Text, Id::VerifyName, "NAME", "Settings to begin with, such as ssl_server"),
    with("verify_depth", Int, Id::Depth, "N", "Maximum number of intermediates in a chain"),
    with("auth_level", Int, Id::AuthLevel, "N", "Security level, 0 to 5"),
    with("attime", Big, Id::AtTime, "SECONDS", "Time at which to verify, in seconds since 1970"),
    with("verify_hostname", Text, Id::Hostname, "NAME", "Host name that the certificate must have"),
    with("verify_email", Text, Id::Email, "ADDRESS", "Email address that it must have"),
    with("verify_ip", Text, Id::Ip, "ADDRESS", "IP address that it must have"),
    flag("ignore_critical", Id::IgnoreCritical, "Ignore critical extensions that are not known"),
    idle("issuer_checks"),
    flag("crl_check", Id::CrlCheck, "Look for the certificate in a CRL"),
    flag("crl_check_all", Id::CrlCheckAll, "Look for every certificate of the chain in a CRL"),
    flag("policy_check", Id::PolicyCheck, "Check policies"),
    flag("explicit_policy", Id::ExplicitPolicy, "Require a policy"),
    flag("inhibit_any", Id::InhibitAny, "Do not let anyPolicy stand for other policies"),
    flag("inhibit_map", Id::InhibitMap, "Do not follow policy mappings"),
    flag("x509_strict", Id::Strict, "Apply the rules of RFC 5280 strictly"),
    flag("extended_crl", Id::ExtendedCrl, "Use indirect CRLs and CRLs with other signers"),
    flag("use_deltas", Id::UseDeltas, "Use delta CRLs"),
    flag("policy_print", Id::PolicyPrint, "Print the result of the policy check"),
    flag("check_ss_sig", Id::CheckSelfSigned, "Check the signature of the root as well"),
    idle("trusted_first"),
    flag("suiteB_128_only", Id::SuiteB128Only, "Accept only P-256 of Suite B"),
    flag("suiteB_128", Id::SuiteB128, "Accept only P-256 and P-384 of Suite B"),
    flag("suiteB_192", Id::SuiteB192, "Accept only P-384 of Suite B"),
    flag("partial_chain", Id::PartialChain, "Accept a chain that ends at a trusted intermediate"),
    idle("no_alt_chains"),
    flag("no_check_time", Id::NoCheckTime, "Do not check validity"),
    flag("allow_proxy_certs", Id::AllowProxies, "Accept proxy certificates"),
    with(
        "vfyopt",
        Text,
        Id::VerifyOption,
        "NAME:VALUE",
        "Parameter of signatures, such as distid:ID",
    ),
    refused("provider-path", Text, LOADS_CODE),
    refused("provider", Text, LOADS_CODE),
    refused("provparam", Text, LOADS_CODE),
    refused("propquery", Text, LOADS_CODE),
    flag("explain", Id::Explain, "Print the reason for each error, and what to do"),
    with("o", Text, Id::Output, "FORMAT", "Output format: json"),
    with("output", Text, Id::Output, "FORMAT", "Output format: json"),
    with("at", Text, Id::At, "RFC3339", "Time at which to verify"),
    with(
        "openssl",
        Text,
        Id::OpenSsl,
        "RELEASE",
        "Release to answer as. Default: auto, this system's",
    ),
    with("as", Text, Id::As, "VERIFIER", "Ask another verifier of the mesh"),
    with("istio", Text, Id::Istio, "VERSION", "Release of Istio whose verifiers are asked"),
];

const EXIT_STATUS: &str = "\
Exit status:
   0  every certificate is valid
   1  an option or a file cannot be used
   2  a certificate is not valid or cannot be read
   3  a signature uses an algorithm that is not built in";

/// The name that clap knows an option with one dash by, until [`one_dash`] takes it away.
const MARK: &str = "OPENSSL-";

/// Options that openssl does not have are written with two dashes.
pub(crate) const fn is_ours(id: Id) -> bool {
    matches!(id, Id::Explain | Id::Output | Id::At | Id::OpenSsl | Id::As | Id::Istio)
}

/// `ca verify` with its options, for what is generated from the command line's types.
pub(super) fn command(verify: Command) -> Command {
    let offered = OPTIONS.iter().filter(|option| option.is_offered());
    let verify = verify.args(offered.map(arg)).after_help(EXIT_STATUS);
    verify.mut_arg("args", |args| {
        args.trailing_var_arg(false)
            .allow_hyphen_values(false)
            .value_name("CERT")
            .value_hint(ValueHint::FilePath)
            .help("Files with a certificate each. Default: standard input")
    })
}

fn arg(option: &OpensslOption) -> Arg {
    let long =
        if is_ours(option.id) { option.name.to_owned() } else { format!("{MARK}{}", option.name) };
    let arg = Arg::new(option.name).long(long).help(option.help);
    if option.wants == Nothing {
        return arg.action(ArgAction::SetTrue);
    }
    let arg = arg.action(ArgAction::Append).value_name(option.value);
    let arg = if option.value == "FILE" { arg.value_hint(ValueHint::FilePath) } else { arg };
    match option.id {
        Id::Output => arg.short('o').value_parser(["json"]),
        Id::OpenSsl => arg.value_parser(["3.0", "3.5", "3.6", "auto"]),
        Id::As => arg.value_parser(["go", "envoy", "ztunnel", "all"]),
        _ => arg,
    }
}

/// A completion script or a manual page in which the options of `openssl verify` have one dash, as they do there.
pub(super) fn one_dash(text: &str) -> String {
    // roff, fish, all others.
    text.replace(r"\-\-OPENSSL\-", r"\-")
        .replace(&format!("-l {MARK}"), "-o ")
        .replace(&format!("--{MARK}"), "-")
}
