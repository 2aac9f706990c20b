//! What a release of istiod does with the endpoints of a cluster when its secret changes.

use meshpki::istiod::Version;

/// What happens to the endpoints of a remote cluster while istiod takes a new kubeconfig for it.
///
/// Read from `pkg/kube/multicluster/secretcontroller.go`, `component.go` and
/// `pilot/pkg/serviceregistry/kube/controller/multicluster.go` of each release; the rows name the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Up to 1.29: the old registry is closed, which deletes its shards (`Controller.Cleanup: RemoveShard`), before the
    /// new one has synced. The cluster has no endpoints for as long as the sync takes (istio#36365, istio#49349).
    Gap,
    /// 1.30.0 to 1.30.3: the new registry is synced first (PR #58567), but closing the old one then deletes the shards
    /// that both share, for good: until istiod restarts (istio#61043; fixed by PR #61159 in 1.30.4, PR #61160 in 1.31.0).
    /// These releases also lose the gateways of the cluster's network (PR #60920), and before 1.30.3 a new kubeconfig may
    /// not be read at all (istio#60612).
    Lost,
    /// 1.30.4 and later: the new registry takes the place of the old one once it has synced.
    Seamless,
}

impl Swap {
    /// What a release does.
    #[must_use]
    pub fn of(release: Version) -> Self {
        if release < Version::new(1, 30, 0) {
            Self::Gap
        } else if release < Version::new(1, 30, 4) {
            Self::Lost
        } else {
            Self::Seamless
        }
    }
}
