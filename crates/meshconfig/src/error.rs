//! Errors in a spec, a lock file or a file to import. Each has a code that never changes its meaning.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::locate;

mod yaml;

pub(crate) use yaml::from_yaml;

/// An error in a spec, a lock file or a file to import, and its place.
#[derive(Debug)]
pub struct Error {
    /// What is wrong.
    pub fault: Box<Fault>,
    /// Path in the file: `clusters[1].gateway`; empty for the whole file.
    pub path: String,
    /// Line from 1, if known.
    pub line: Option<u64>,
}

impl Error {
    pub(crate) fn new(path: impl Into<String>, fault: Fault) -> Self {
        Self { fault: Box::new(fault), path: path.into(), line: None }
    }

    pub(crate) fn at_line(line: Option<u64>, fault: Fault) -> Self {
        Self { fault: Box::new(fault), path: String::new(), line }
    }

    /// The same error with its line, which is looked up in the text by its path.
    #[must_use]
    pub fn located(self, text: &str) -> Self {
        if self.line.is_some() || self.path.is_empty() {
            return self;
        }
        let line = locate::Lines::new(text).of(&self.path);
        Self { line, ..self }
    }

    /// The same errors with their lines; the text is parsed once.
    #[must_use]
    pub fn all_located(mut errors: Vec<Self>, text: &str) -> Vec<Self> {
        let lines = locate::Lines::new(text);
        for error in errors.iter_mut().filter(|error| error.line.is_none()) {
            error.line = lines.of(&error.path);
        }
        errors
    }

    /// The code: stable, for scripts and for `docs/errors.md`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// Path and line for people: `clusters[1].gateway, line 12`; `None` for the whole file.
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

/// `; did you mean ...?`, or nothing.
fn hint(meant: Option<&String>) -> String {
    meant.map_or_else(String::new, |name| alloc::format!("; did you mean `{name}`?"))
}

/// `, also at ...`, or nothing.
fn others(paths: &[String]) -> String {
    match paths {
        [] => String::new(),
        [a, b, c, _, ..] => {
            alloc::format!(", also at {a}, {b}, {c} and {} more", paths.len() - 3)
        }
        few => alloc::format!(", also at {}", few.join(", ")),
    }
}

/// ` (and N more pairs)`, or nothing.
fn more_pairs(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (and 1 more pair)".into(),
        count => alloc::format!(" (and {count} more pairs)"),
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Two services share an address.
    #[error("`{first}` and `{second}` both have address {address}")]
    AddressShared {
        /// The address.
        address: String,
        /// The first host.
        first: String,
        /// The other.
        second: String,
    },
    /// The pool cannot be used.
    #[error("cannot use {pool} as the address pool: {why}")]
    AddressPool {
        /// The pool.
        pool: String,
        /// The reason.
        why: &'static str,
    },
    /// Every address of the pool is in use.
    #[error(
        "no address left in {pool} for `{host}`: all {size} are in use or in their grace period"
    )]
    AddressesExhausted {
        /// The pool.
        pool: String,
        /// The host that needs one.
        host: String,
        /// Number of addresses in the pool.
        size: u64,
    },
    /// The DNS suffix hides real names, or is not a DNS name.
    #[error("cannot use `{suffix}` as the DNS suffix of remote services: {why}")]
    DnsSuffix {
        /// The suffix.
        suffix: String,
        /// The reason.
        why: &'static str,
    },
    /// Two items of one kind have the same name.
    #[error("duplicate {what} `{name}`: already defined as {first}")]
    Duplicate {
        /// `cluster`, `service` ...
        what: &'static str,
        /// The name.
        name: String,
        /// Where the first one is.
        first: String,
    },
    /// A failover that a cluster cannot do.
    #[error("cluster `{cluster}` cannot fail over `{service}`: {why}")]
    Failover {
        /// The service.
        service: String,
        /// The cluster that calls.
        cluster: String,
        /// The reason.
        why: String,
    },
    /// A cluster that others call has no gateway address.
    #[error("cluster `{cluster}` exports `{service}` to `{importer}`, but has no gateway address")]
    GatewayMissing {
        /// The cluster.
        cluster: String,
        /// A service it exports.
        service: String,
        /// A cluster that imports it.
        importer: String,
    },
    /// A cluster imports its own service.
    #[error("cluster `{cluster}` cannot import its own `{service}`")]
    ImportsOwn {
        /// The cluster.
        cluster: String,
        /// The service.
        service: String,
    },
    /// An invalid line of the lock file.
    #[error(
        "invalid line `{line}` in the lock file: expected `HOST ADDRESS` or `HOST ADDRESS retired DATE`"
    )]
    Lock {
        /// The line.
        line: String,
    },
    /// A name that breaks a rule of Kubernetes or Istio.
    #[error("invalid {what} `{found}`: {why}")]
    Name {
        /// `cluster name`, `namespace` ...
        what: &'static str,
        /// The value in the file.
        found: String,
        /// The rule.
        why: &'static str,
    },
    /// Something required is missing.
    #[error("{what} needs {needs}")]
    Needs {
        /// `cluster ...`, `policy ...`.
        what: String,
        /// What is missing.
        needs: &'static str,
    },
    /// A cluster imports a service from a cluster that rejects its workloads by the spec.
    #[error(
        "cluster `{importer}` imports `{service}` from `{cluster}`, but `trust` has no model for the two"
    )]
    NotFederated {
        /// The cluster that calls.
        importer: String,
        /// A service.
        service: String,
        /// The cluster it runs on.
        cluster: String,
    },
    /// A policy sends calls to a service that the caller does not import.
    #[error(
        "policy `{policy}` sends calls from `{client}` to `{service}` on `{cluster}`, which `{client}` does not import"
    )]
    NotImported {
        /// The policy.
        policy: String,
        /// The calling cluster.
        client: String,
        /// The service.
        service: String,
        /// The cluster it runs on.
        cluster: String,
    },
    /// Two policies for the same service and caller.
    #[error("policies `{first}` and `{second}` both apply to calls from `{client}` to `{service}`")]
    PolicyOverlap {
        /// The first policy.
        first: String,
        /// The other.
        second: String,
        /// The calling cluster.
        client: String,
        /// The service.
        service: String,
    },
    /// Clusters run the same service with different ports.
    #[error(
        "`{service}` has ports {first} on `{first_cluster}` but {second} on `{second_cluster}`; a policy for both needs the same ports"
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
    /// Text that is not YAML, or does not have the structure of the file.
    #[error("{message}")]
    Syntax {
        /// The parser's message.
        message: String,
    },
    /// An invalid trust domain.
    #[error("invalid trust domain `{found}`: {why}")]
    TrustDomain {
        /// The value in the file.
        found: String,
        /// The rule it breaks.
        why: String,
    },
    /// A trust model that the proxies of two clusters do not support.
    #[error("`{first}` and `{second}`{} cannot use trust model `{model}`: {why}", more_pairs(*.more))]
    TrustModel {
        /// The model.
        model: &'static str,
        /// A cluster.
        first: String,
        /// The other.
        second: String,
        /// What a proxy rejects.
        why: String,
        /// Further pairs that cannot use it.
        more: usize,
    },
    /// An unknown field.
    #[error("unknown field `{found}`{}", hint(.meant.as_ref()))]
    UnknownField {
        /// The field.
        found: String,
        /// The most similar known one.
        meant: Option<String>,
    },
    /// A name that is not defined.
    #[error("unknown {what} `{found}`{}{}", others(.also), hint(.meant.as_ref()))]
    UnknownName {
        /// `cluster`, `service` ...
        what: &'static str,
        /// The name.
        found: String,
        /// The most similar known one.
        meant: Option<String>,
        /// Paths of the other places that have the name.
        also: Vec<String>,
    },
    /// An invalid value.
    #[error("invalid {what} `{found}`: expected {expected}")]
    Value {
        /// What the value is.
        what: &'static str,
        /// The value in the file.
        found: String,
        /// The valid form or range.
        expected: &'static str,
    },
    /// An Istio release that is too old.
    #[error("Istio {found} is not supported: 1.6.0 is the oldest release")]
    Version {
        /// The release.
        found: String,
    },
    /// Weights that do not add up to 100.
    #[error("the weights of policy `{policy}` ({weights}) add up to {sum}, expected 100")]
    Weights {
        /// The policy.
        policy: String,
        /// The weights, separated by commas.
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
        "config/not-federated",
        "config/not-imported",
        "config/policy-overlap",
        "config/ports-differ",
        "config/syntax",
        "config/trust-domain",
        "config/trust-model",
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
            Self::NotFederated { .. } => "config/not-federated",
            Self::NotImported { .. } => "config/not-imported",
            Self::PolicyOverlap { .. } => "config/policy-overlap",
            Self::PortsDiffer { .. } => "config/ports-differ",
            Self::Syntax { .. } => "config/syntax",
            Self::TrustDomain { .. } => "config/trust-domain",
            Self::TrustModel { .. } => "config/trust-model",
            Self::UnknownField { .. } => "config/unknown-field",
            Self::UnknownName { .. } => "config/unknown-name",
            Self::Value { .. } => "config/value",
            Self::Version { .. } => "config/version",
            Self::Weights { .. } => "config/weights",
        }
    }
}
