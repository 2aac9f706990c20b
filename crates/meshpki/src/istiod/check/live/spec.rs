//! A cluster that differs from the mesh's spec.

use alloc::format;
use alloc::vec::Vec;

use super::View;
use crate::istiod::check::{Remedy, SecretProblem, Severity};

const CODE: &str = "istiod/spec-differs";

/// The trust domain and the release, as they run and as the spec has them.
pub(super) fn check(view: &View<'_>) -> Vec<SecretProblem> {
    trust_domain(view).into_iter().chain(release(view)).collect()
}

/// An error: resources and intermediates made from the spec name identities that do not exist there; or it
/// is not the cluster that was meant.
fn trust_domain(view: &View<'_>) -> Option<SecretProblem> {
    let live = view.live;
    let said = &live.spec.as_ref()?.trust_domain;
    // Before Istio is installed there is none yet.
    if live.istiods.is_empty() || *said == live.trust_domain {
        return None;
    }
    Some(
        view.problem(CODE, Severity::Error, "the trust domain differs from the spec")
            .evidence(format!("the spec says {said}"))
            .evidence(format!("{} has {} (meshConfig.trustDomain)", live.name, live.trust_domain))
            .effect("either the context reaches the wrong cluster, or callers that are configured from the spec expect identities that no workload there has, and their handshakes fail")
            .fix(
                "use the context of the right cluster, or set `trustDomain` in the spec to the cluster's",
                Remedy::ShowMeshConfig,
            ),
    )
}

/// A warning, where the minor release differs: resources are rendered for it.
fn release(view: &View<'_>) -> Option<SecretProblem> {
    let live = view.live;
    let said = live.spec.as_ref()?.version;
    let other = live.istiods.iter().find(|istiod| !istiod.settings.version.same_minor(said))?;
    Some(
        view.problem(CODE, Severity::Warning, "the release of Istio differs from the spec")
            .evidence(format!("the spec says {said}"))
            .evidence(format!(
                "istiod of revision {} is {}",
                other.revision, other.settings.version
            ))
            .effect(
                "resources rendered from the spec are for a release that the cluster does not run",
            )
            .fix("set `istioVersion` in the spec to the cluster's release", Remedy::ShowRelease),
    )
}
