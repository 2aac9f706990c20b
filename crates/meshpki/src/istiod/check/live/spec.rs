//! A cluster that is another than the mesh's spec says.

use alloc::format;
use alloc::vec::Vec;

use super::View;
use crate::istiod::check::{SecretProblem, Severity};

const CODE: &str = "istiod/spec-differs";

/// The trust domain and the release, as they run and as the spec has them.
pub(super) fn check(view: &View<'_>) -> Vec<SecretProblem> {
    trust_domain(view).into_iter().chain(release(view)).collect()
}

/// An error: resources rendered from the spec, and intermediates made from it, name identities nobody there has; or it
/// is not the cluster that was meant.
fn trust_domain(view: &View<'_>) -> Option<SecretProblem> {
    let live = view.live;
    let said = &live.spec.as_ref()?.trust_domain;
    // Before Istio is installed there is none yet.
    if live.istiods.is_empty() || *said == live.trust_domain {
        return None;
    }
    Some(
        view.problem(CODE, Severity::Error, "the trust domain is another than the spec says")
            .evidence(format!("the spec says {said}"))
            .evidence(format!("{} has {} (meshConfig.trustDomain)", live.name, live.trust_domain))
            .effect("either the context leads to another cluster, or callers that go by the spec expect identities no workload there has, and end in the handshake")
            .fix(
                "point the context to the right cluster, or write `trustDomain` as the cluster has it",
                "kubectl --context <context> -n <istio-namespace> get configmap istio -o jsonpath='{.data.mesh}'",
            ),
    )
}

/// A warning, where the minor release differs: resources are rendered for it.
fn release(view: &View<'_>) -> Option<SecretProblem> {
    let live = view.live;
    let said = live.spec.as_ref()?.version;
    let other = live.istiods.iter().find(|istiod| !istiod.settings.version.same_minor(said))?;
    Some(
        view.problem(CODE, Severity::Warning, "the release of Istio is another than the spec says")
            .evidence(format!("the spec says {said}"))
            .evidence(format!(
                "istiod of revision {} is {}",
                other.revision, other.settings.version
            ))
            .effect("`meshctl mesh` renders resources for a release that does not run there")
            .fix(
                "write `istioVersion` as the cluster has it",
                "kubectl --context <context> -n <istio-namespace> get deployments -l app=istiod -o wide",
            ),
    )
}
