//! Clusters with remote secrets: istiod knows the endpoints, and subsets select the cluster.
//!
//! Istiod itself sets the label `topology.istio.io/cluster` on every endpoint of a registry. The caller and the gateway
//! of the other cluster need the subset under the same name.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Target;
use crate::mesh::PolicyTarget;
use crate::route::Unit;
use crate::text;

/// The label istiod sets to the cluster of an endpoint.
pub(crate) const CLUSTER_LABEL: &str = "topology.istio.io/cluster";

/// The name of a subset on one cluster: `v3-cluster2`; for the whole service there, `cluster2`.
pub(crate) fn pinned(subset: Option<&str>, cluster: &str) -> String {
    text::name(&subset.map_or_else(|| cluster.into(), |subset| format!("{subset}-{cluster}")), 63)
}

/// The subsets of every cluster on which istiod knows the service.
pub(super) fn subsets(target: &Target<'_>, unit: &Unit<'_>) -> Vec<Value> {
    let mut subsets = Vec::new();
    for service in &unit.registry {
        let cluster = target.mesh.home(service);
        if is_called_whole(target, unit, cluster.index) {
            subsets.push(json!({"name": pinned(None, &cluster.name), "labels": {CLUSTER_LABEL: cluster.name}}));
        }
        for subset in &service.subsets {
            let mut labels = json!(subset.labels);
            labels[CLUSTER_LABEL] = json!(cluster.name);
            subsets
                .push(json!({"name": pinned(Some(&subset.name), &cluster.name), "labels": labels}));
        }
    }
    subsets
}

/// Whether a policy of any cluster sends calls to the whole service on a cluster.
fn is_called_whole(target: &Target<'_>, unit: &Unit<'_>, cluster: usize) -> bool {
    target.mesh.policies_for(unit.namespace, unit.name).any(|policy| {
        let split = match &policy.target {
            PolicyTarget::Split(shares) => shares.as_slice(),
            _ => &[],
        };
        let mirror = policy.mirror.iter().map(|(destination, _)| destination);
        split
            .iter()
            .map(|(to, _)| to)
            .chain(mirror)
            .any(|to| to.cluster == cluster && to.subset.is_none())
    })
}

/// Locality settings that prefer one cluster to all others.
pub(super) fn prefer(cluster: &str) -> Value {
    json!({"localityLbSetting": {"enabled": true, "failoverPriority": [format!("{CLUSTER_LABEL}={cluster}")]}})
}
