//! How a rollout is carried out.

/// What restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// Only what needs it: istiod if it cannot reload, the gateways if the roots change.
    Auto,
    /// istiod if it cannot reload; the gateways renew their certificates by themselves.
    Istiod,
    /// What needs it, and the gateways also if the CA changes: they get its certificates at once.
    Renewed,
    /// istiod and the gateways.
    Always,
    /// Nothing, unless istiod fails to reload in time.
    Never,
}

/// Where a rollout is only tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DryRun {
    /// Here: the plan is shown.
    Client,
    /// Each API server validates it too.
    Server,
}

/// Options of `push`, `rollback` and `rotate`.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What restarts.
    pub(crate) restart: Restart,
    /// Injected workloads restart with the gateways.
    pub(crate) workloads: bool,
    /// How many injected workloads restart at the same time.
    pub(crate) batch: usize,
    /// Fields of other field managers are taken over.
    pub(crate) adopt: bool,
    /// Codes of errors that do not stop it.
    pub(crate) force: Vec<String>,
    /// Istio is not installed yet.
    pub(crate) before_install: bool,
    /// Nothing is written.
    pub(crate) dry_run: Option<DryRun>,
    /// The plan shows what changes in each secret.
    pub(crate) diff: bool,
    /// No confirmation is asked for.
    pub(crate) yes: bool,
    /// Clusters at the same time, after the first.
    pub(crate) parallel: usize,
    /// The longest wait, in seconds.
    pub(crate) timeout_seconds: u64,
    /// How long istiod has to reload before it is restarted, in seconds; at most half of the longest wait, so that the
    /// restart has its time too.
    pub(crate) reload_seconds: u64,
    /// The result is lines of JSON.
    pub(crate) json: bool,
}
