//! The DestinationRule of a service under its own name: the subsets that callers and the gateway need.

use alloc::vec::Vec;

use serde_json::{Value, json};

use super::{Dialect, Target, multi_primary, mutual, outlier, rewrites, set_list};
use crate::mesh::PolicyTarget;
use crate::resource::Resource;
use crate::route::Unit;

/// The rule, unless it would be empty. Without it a gateway has no filter chain for the SNI of a subset, and calls fail
/// with `filter_chain_not_found` (istio issues 36241, 34992).
pub(super) fn local(target: &Target<'_>, unit: &Unit<'_>) -> Option<Resource> {
    let pinned = unit.is_pinned();
    if unit.own.is_none() && !pinned {
        return None;
    }
    let by_name =
        !pinned || unit.exports.iter().any(|route| Dialect::of(route) != Dialect::Registry);
    let mut subsets: Vec<Value> = Vec::new();
    if let Some(own) = unit.own.filter(|_| by_name) {
        subsets.extend(
            own.subsets.iter().map(|subset| json!({"name": subset.name, "labels": subset.labels})),
        );
    }
    if pinned {
        subsets.extend(multi_primary::subsets(target, unit));
    }
    let mut policy = json!({});
    if let Some(wanted) = unit.policy {
        if let Some(settings) = &wanted.outlier {
            policy["outlierDetection"] = outlier(settings);
        }
        if let PolicyTarget::Failover(order) = &wanted.target
            && unit.fails_over_by_registry(order)
            && let Some(first) = order.first()
        {
            policy["loadBalancer"] = multi_primary::prefer(&target.mesh.clusters()[*first].name);
        }
    }
    if subsets.is_empty() && policy == json!({}) {
        return None;
    }
    if rewrites(target.cluster.version) {
        // Without it, a rule turns off mutual TLS in releases in which it is not automatic.
        policy["tls"] = mutual(None);
    }
    let mut spec = json!({"host": target.cluster.host(unit.namespace, unit.name)});
    if policy != json!({}) {
        spec["trafficPolicy"] = policy;
    }
    set_list(&mut spec, "subsets", subsets);
    // istiod merges the rules of a host only if they are exported alike, and those that people write seldom say.
    Some(target.resource("DestinationRule", &target.name(unit.name), unit.namespace, spec))
}
