//! What can be wrong with a remote secret, each with a code that never changes its meaning.

use meshpki::istiod::Severity;

/// A finding about the secret of one cluster for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The cluster in which the secret is, or should be.
    pub reader: String,
    /// The cluster that it is for.
    pub remote: String,
    /// The name of the secret.
    pub secret: String,
    /// What is wrong.
    pub message: String,
    /// Why, or what follows.
    pub causes: Vec<String>,
    /// What helps.
    pub remedy: Remedy,
}

/// What helps; how to type it is for the command line to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Create the secrets that are missing or cannot work.
    Create,
    /// Create them with this address of the remote cluster.
    Server(String),
    /// Replace tokens that are due.
    Rotate,
    /// Replace tokens whenever they end.
    RotateAll,
    /// Delete the secret of the reader.
    Delete,
    /// Show which managers own the secret.
    ShowOwners,
    /// Delete a secret with a token without an end in the remote cluster, by its name.
    DeleteToken(String),
    /// Show what istiod of the reader says.
    ShowLog,
    /// Restart istiod of the reader.
    RestartIstiod,
    /// Show what the service account may do in the remote cluster, by the token's subject.
    ShowRights(String),
    /// Show the service accounts of the remote cluster.
    ShowAccounts,
    /// Show which contexts there are.
    ShowContexts,
    /// Look again.
    Check,
}

impl Problem {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        "remote/account",
        "remote/auth",
        "remote/ca",
        "remote/endpoints",
        "remote/expired",
        "remote/expires-soon",
        "remote/foreign",
        "remote/gap",
        "remote/insecure",
        "remote/kubeconfig",
        "remote/lifetime",
        "remote/loopback",
        "remote/loses-endpoints",
        "remote/missing",
        "remote/name",
        "remote/no-end",
        "remote/not-synced",
        "remote/not-verified",
        "remote/rights",
        "remote/self",
        "remote/server",
        "remote/stranger",
        "remote/token",
        "remote/twin",
        "remote/unreachable",
    ];
}
