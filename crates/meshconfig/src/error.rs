//! What can be wrong with a spec, each with a code that never changes its meaning.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::locate;

/// One thing wrong with a spec, a lock file or a file to be imported, and where.
#[derive(Debug)]
pub struct Error {
    /// What is wrong.
    pub fault: Box<Fault>,
    /// Where in the file: `clusters[1].gateway`; empty for the file as a whole.
    pub path: String,
    /// Line from 1, where it is known.
    pub line: Option<u64>,
}

impl Error {
    pub(crate) fn new(path: impl Into<String>, fault: Fault) -> Self {
        Self { fault: Box::new(fault), path: path.into(), line: None }
    }

    pub(crate) fn at_line(line: Option<u64>, fault: Fault) -> Self {
        Self { fault: Box::new(fault), path: String::new(), line }
    }

    /// The same with the line of its path in the text it was read from.
    #[must_use]
    pub fn located(mut self, text: &str) -> Self {
        if self.line.is_none() {
            self.line = locate::line(text, &self.path);
        }
        self
    }

    /// The code: stable, for scripts and for `docs/errors.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// Path and line as people read them: `clusters[1].gateway, line 12`; `None` for the whole file.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        match (self.path.as_str(), self.line) {
            ("", None) => None,
            ("", Some(line)) => Some(alloc::format!("line {line}")),
            (path, None) => Some(path.to_string()),
            (path, Some(line)) => Some(alloc::format!("{path}, line {line}")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl core::error::Error for Error {}

/// `, did you mean ...`, or nothing.
fn hint(meant: Option<&String>) -> String {
    meant.map_or_else(String::new, |name| alloc::format!("; did you mean `{name}`?"))
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Two services would have one address.
    #[error("`{first}` and `{second}` both have address {address}")]
    AddressShared {
        /// The address.
        address: String,
        /// Host that comes first.
        first: String,
        /// The other.
        second: String,
    },
    /// A pool addresses cannot be taken from.
    #[error("addresses cannot be taken from {pool}: {why}")]
    AddressPool {
        /// The pool.
        pool: String,
        /// The reason.
        why: &'static str,
    },
    /// Every address of the pool is in use.
    #[error(
        "{pool} has no address left for `{host}`: all {size} are in use or in their grace period"
    )]
    AddressesExhausted {
        /// The pool.
        pool: String,
        /// Who wants one.
        host: String,
        /// Addresses in the pool.
        size: u64,
    },
    /// The DNS suffix would hide real names.
    #[error("`{suffix}` cannot be the suffix of remote services: {why}")]
    DnsSuffix {
        /// The suffix.
        suffix: String,
        /// The reason.
        why: &'static str,
    },
    /// Two things of one kind have one name.
    #[error("{what} `{name}` is there twice; first as {first}")]
    Duplicate {
        /// `cluster`, `service` ...
        what: &'static str,
        /// The name.
        name: String,
        /// Path of the first.
        first: String,
    },
    /// Failover that cannot be carried out.
    #[error("failover of `{service}` cannot be carried out on `{cluster}`: {why}")]
    Failover {
        /// The service.
        service: String,
        /// The cluster that calls.
        cluster: String,
        /// The reason.
        why: String,
    },
    /// A cluster others call has no way in.
    #[error("cluster `{cluster}` exports `{service}` to `{importer}`, but has no gateway address")]
    GatewayMissing {
        /// The cluster.
        cluster: String,
        /// A service it exports.
        service: String,
        /// Who imports it.
        importer: String,
    },
    /// A cluster imports what it has itself.
    #[error("cluster `{cluster}` cannot import its own `{service}`")]
    ImportsOwn {
        /// The cluster.
        cluster: String,
        /// The service.
        service: String,
    },
    /// A line of the lock file that cannot be read.
    #[error(
        "`{line}` is no line of a lock file: wanted is `HOST ADDRESS` or `HOST ADDRESS retired DATE`"
    )]
    Lock {
        /// The line.
        line: String,
    },
    /// A name that breaks Kubernetes' or Istio's rules.
    #[error("`{found}` cannot be {what}: {why}")]
    Name {
        /// `the name of a cluster` ...
        what: &'static str,
        /// What was given.
        found: String,
        /// The rule.
        why: &'static str,
    },
    /// Something without which the rest has no meaning.
    #[error("{what} needs {needs}")]
    Needs {
        /// `cluster ...`, `policy ...`.
        what: String,
        /// What is missing.
        needs: &'static str,
    },
    /// A policy that sends a caller where it may not go.
    #[error(
        "policy `{policy}` sends calls from `{client}` to `{service}` on `{cluster}`, which `{client}` does not import"
    )]
    NotImported {
        /// The policy.
        policy: String,
        /// Who calls.
        client: String,
        /// The service.
        service: String,
        /// Where it is.
        cluster: String,
    },
    /// Two policies for one service and one caller.
    #[error("policies `{first}` and `{second}` both say how `{client}` calls `{service}`")]
    PolicyOverlap {
        /// The policy that comes first.
        first: String,
        /// The other.
        second: String,
        /// Who calls.
        client: String,
        /// The service.
        service: String,
    },
    /// Clusters that run one service with different ports.
    #[error(
        "`{service}` has ports {first} on `{first_cluster}` and {second} on `{second_cluster}`; a policy over both needs the same"
    )]
    PortsDiffer {
        /// The service.
        service: String,
        /// A cluster.
        first_cluster: String,
        /// Its ports.
        first: String,
        /// Another.
        second_cluster: String,
        /// Its ports.
        second: String,
    },
    /// Text that is no YAML, or not of the form of the file.
    #[error("{message}")]
    Syntax {
        /// The reader's words.
        message: String,
    },
    /// A trust domain that is none.
    #[error("`{found}` is no trust domain: {why}")]
    TrustDomain {
        /// What was given.
        found: String,
        /// The rule it breaks.
        why: String,
    },
    /// A field that does not exist.
    #[error("there is no field `{found}` here{}", hint(.meant.as_ref()))]
    UnknownField {
        /// The field.
        found: String,
        /// The one it is near to.
        meant: Option<String>,
    },
    /// A name that leads nowhere.
    #[error("there is no {what} `{found}`{}", hint(.meant.as_ref()))]
    UnknownName {
        /// `cluster`, `service` ...
        what: &'static str,
        /// The name.
        found: String,
        /// The one it is near to.
        meant: Option<String>,
    },
    /// A value outside its range or form.
    #[error("`{found}` is no {what}: wanted is {wanted}")]
    Value {
        /// What it should be.
        what: &'static str,
        /// What was given.
        found: String,
        /// The form.
        wanted: &'static str,
    },
    /// A release of Istio we have no dialect for.
    #[error("Istio {found} is not supported: 1.6.0 is the oldest release")]
    Version {
        /// The release.
        found: String,
    },
    /// Weights that are no hundred.
    #[error("the weights of policy `{policy}` are {weights}, together {sum}: they must be 100")]
    Weights {
        /// The policy.
        policy: String,
        /// Each of them.
        weights: String,
        /// Their sum.
        sum: u64,
    },
}

impl Fault {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "config/address-pool",
        "config/address-shared",
        "config/addresses-exhausted",
        "config/dns-suffix",
        "config/duplicate",
        "config/failover",
        "config/gateway-missing",
        "config/imports-own",
        "config/lock",
        "config/name",
        "config/needs",
        "config/not-imported",
        "config/policy-overlap",
        "config/ports-differ",
        "config/syntax",
        "config/trust-domain",
        "config/unknown-field",
        "config/unknown-name",
        "config/value",
        "config/version",
        "config/weights",
    ];

    /// The code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AddressPool { .. } => "config/address-pool",
            Self::AddressShared { .. } => "config/address-shared",
            Self::AddressesExhausted { .. } => "config/addresses-exhausted",
            Self::DnsSuffix { .. } => "config/dns-suffix",
            Self::Duplicate { .. } => "config/duplicate",
            Self::Failover { .. } => "config/failover",
            Self::GatewayMissing { .. } => "config/gateway-missing",
            Self::ImportsOwn { .. } => "config/imports-own",
            Self::Lock { .. } => "config/lock",
            Self::Name { .. } => "config/name",
            Self::Needs { .. } => "config/needs",
            Self::NotImported { .. } => "config/not-imported",
            Self::PolicyOverlap { .. } => "config/policy-overlap",
            Self::PortsDiffer { .. } => "config/ports-differ",
            Self::Syntax { .. } => "config/syntax",
            Self::TrustDomain { .. } => "config/trust-domain",
            Self::UnknownField { .. } => "config/unknown-field",
            Self::UnknownName { .. } => "config/unknown-name",
            Self::Value { .. } => "config/value",
            Self::Version { .. } => "config/version",
            Self::Weights { .. } => "config/weights",
        }
    }
}

/// Reads the reader's error: an unknown field or value with what it is near to, else its own words.
pub(crate) fn from_yaml(error: &serde_saphyr::Error) -> Error {
    use serde_saphyr::Error as Yaml;
    let error = error.without_snippet();
    let fault = match error {
        Yaml::SerdeUnknownField { field, expected, .. } => Fault::UnknownField {
            found: field.clone(),
            meant: crate::text::nearest(field, expected.iter().copied()),
        },
        Yaml::SerdeUnknownVariant { variant, expected, .. } => Fault::UnknownName {
            what: "such value as",
            found: variant.clone(),
            meant: crate::text::nearest(variant, expected.iter().copied())
                .or_else(|| (expected.len() < 9).then(|| expected.join("`, `"))),
        },
        other => Fault::Syntax { message: first_line(&other.to_string()) },
    };
    let line = error.location().map(|location| location.line()).filter(|line| *line > 0);
    Error::at_line(line, fault)
}

fn first_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.first().map_or_else(String::new, |line| {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        line.to_string()
    })
}
