//! Where a TrafficPolicy sends calls: by weight, or to a failover.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::merge::Target;
use super::policy::Source;
use super::{Importer, Key, is_set, service_key, subset_name};
use crate::spec;

impl Source<'_> {
    /// Where calls go; `None` if the policy does not say it, or one of its destinations cannot be converted: the others
    /// would get its calls.
    pub(super) fn route(&self, importer: &mut Importer<'_>, key: &Key) -> Option<Target> {
        let destinations = self.settings["trafficShift"]["destinations"].as_array()?;
        let weights = self.weights(importer, destinations)?;
        let mut shares: Vec<spec::Share> = Vec::new();
        for (i, (destination, weight)) in destinations.iter().zip(weights).enumerate() {
            let field = self.field(&format!("trafficShift.destinations[{i}]"));
            if let Some(target) = self.failover(importer, destination, destinations.len(), key) {
                return Some(target);
            }
            let placed = self.destination(importer, &field, destination, weight, key);
            let Some((cluster, subset)) = placed else {
                let why = "the route is dropped, because a destination is: the others would get its calls";
                importer.lose(self.value, &self.field("trafficShift"), why);
                return None;
            };
            let same =
                |share: &&mut spec::Share| share.cluster == cluster && share.subset == subset;
            match shares.iter_mut().find(same) {
                Some(share) => share.weight += weight,
                None => shares.push(spec::Share { cluster, subset, weight }),
            }
        }
        (!shares.is_empty()).then_some(Target::Split(shares))
    }

    /// The weights of a route. A single destination gets all calls, whatever its weight; of several, one without a weight
    /// gets none.
    fn weights(&self, importer: &mut Importer<'_>, destinations: &[Value]) -> Option<Vec<u32>> {
        let weight = |destination: &Value| destination["weight"].as_u64().unwrap_or_default();
        let weights: Vec<u64> = destinations.iter().map(weight).collect();
        let field = self.field("trafficShift.destinations");
        match (weights.as_slice(), weights.iter().fold(0_u64, |sum, n| sum.saturating_add(*n))) {
            ([_], _) => Some([100].into()),
            (_, 0) => {
                let why = "the route is dropped: its weights add up to 0, and Istio rejects it";
                importer.lose(self.value, &field, why);
                None
            }
            (weights, 100) => weights.iter().map(|weight| u32::try_from(*weight).ok()).collect(),
            (weights, sum) => {
                let why = format!("its weights add up to {sum}: they are scaled to 100");
                importer.lose(self.value, &field, &why);
                Some(scaled(weights, sum))
            }
        }
    }

    /// A route that is nothing but a failover.
    fn failover(
        &self,
        importer: &mut Importer<'_>,
        destination: &Value,
        count: usize,
        key: &Key,
    ) -> Option<Target> {
        let reference = failover_of(destination);
        if count > 1 || is_set(&reference["subset"]) {
            return None;
        }
        let order = importer.failover(reference)?.use_for(key)?;
        importer.give_names(&order, key.2.as_str());
        Some(Target::Failover(order.into_iter().map(|key| key.2).collect()))
    }

    /// Cluster and subset of a destination. A failover is represented by the first of its services.
    fn destination(
        &self,
        importer: &mut Importer<'_>,
        field: &str,
        destination: &Value,
        weight: u32,
        key: &Key,
    ) -> Option<(String, Option<String>)> {
        let reference = failover_of(destination);
        if !is_set(reference) {
            if is_set(&destination["options"]) {
                let why = "write your own VirtualService";
                importer.lose(self.value, &format!("{field}.options"), why);
            }
            return self.place(importer, field, &destination["kubeService"], key);
        }
        let order = importer.failover(reference).and_then(|found| found.order_for(key));
        let Some(order) = order else {
            importer.lose(self.value, field, "the failover that it names is not converted");
            return None;
        };
        let labels = labels(&reference["subset"]);
        let placed = self.known(importer, &order[0], labels, None, key);
        let subset = placed.1.as_ref().map_or_else(String::new, |name| format!(", subset: {name}"));
        let clusters: Vec<&str> = order.iter().map(|key| key.2.as_str()).collect();
        let why = format!(
            "a route does not fail over: this share is `{{cluster: {}{subset}, weight: {weight}}}`; to fail over, write `failover: [{}]` instead of `route`",
            placed.0,
            clusters.join(", ")
        );
        importer.lose(self.value, field, &why);
        Some(placed)
    }

    /// Cluster and subset of a destination, which becomes a service of the spec.
    pub(super) fn place(
        &self,
        importer: &mut Importer<'_>,
        field: &str,
        service: &Value,
        target: &Key,
    ) -> Option<(String, Option<String>)> {
        let Some(key) = service_key(service) else {
            importer.lose(self.value, field, "expected name, namespace and clusterName");
            return None;
        };
        if (&key.0, &key.1) != (&target.0, &target.1) {
            let why = format!(
                "a policy for {}/{} sends calls only to that service, not to {}/{}",
                target.0, target.1, key.0, key.1
            );
            importer.lose(self.value, field, &why);
            return None;
        }
        let port = service["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Some(self.known(importer, &key, labels(&service["subset"]), port, target))
    }

    /// Adds a destination to the services, and its name to the cluster of the policy.
    fn known(
        &self,
        importer: &mut Importer<'_>,
        key: &Key,
        labels: BTreeMap<String, String>,
        port: Option<u16>,
        target: &Key,
    ) -> (String, Option<String>) {
        let subset = (!labels.is_empty()).then(|| subset_name(&labels));
        if let Some(name) = &subset {
            importer.service(key).subsets.insert(name.clone(), labels);
        }
        if let Some(port) = port {
            // Both sides of a policy have the same ports.
            importer.service(key).ports.entry(port).or_default();
            importer.service(target).ports.entry(port).or_default();
        }
        importer.give_names(core::slice::from_ref(key), &target.2);
        (key.2.clone(), subset)
    }
}

/// The reference to a FailoverService or VirtualDestination; null if the destination has none.
fn failover_of(destination: &Value) -> &Value {
    let fields = ["failoverService", "virtualDestination"].map(|field| &destination[field]);
    fields.into_iter().find(|field| is_set(field)).unwrap_or(&Value::Null)
}

fn labels(subset: &Value) -> BTreeMap<String, String> {
    let text =
        |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
    subset
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

/// Weights that add up to 100 in the same proportion: what rounding down leaves goes to the largest remainders.
fn scaled(weights: &[u64], sum: u64) -> Vec<u32> {
    let sum = u128::from(sum);
    let exact = |weight: &u64| u128::from(*weight) * 100;
    let mut scaled: Vec<u128> = weights.iter().map(|weight| exact(weight) / sum).collect();
    let left = usize::try_from(100 - scaled.iter().sum::<u128>()).unwrap_or_default();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|i| core::cmp::Reverse(exact(&weights[*i]) % sum));
    for i in order.into_iter().take(left) {
        scaled[i] += 1;
    }
    scaled.into_iter().map(|weight| u32::try_from(weight).unwrap_or_default()).collect()
}
