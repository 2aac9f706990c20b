//! FailoverService of Service Mesh Hub and VirtualDestination of Gloo Mesh: services in the order in which they are
//! tried, behind a name of their own.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::merge::{Draft, Settings, Target};
use super::{Importer, Key, cluster_of, is_set, service_key};

/// A failover that was read.
pub(super) struct Failover {
    source: Value,
    /// The services in their order; empty if it cannot be converted.
    order: Vec<Key>,
    /// The clusters whose workloads know its name.
    callers: Vec<String>,
    /// A route is nothing but this failover.
    used: bool,
}

impl Failover {
    /// The order, if it is one of the service of a policy.
    pub(super) fn order_for(&self, key: &Key) -> Option<Vec<Key>> {
        let first = self.order.first()?;
        ((&first.0, &first.1) == (&key.0, &key.1)).then(|| self.order.clone())
    }

    /// The same, for a route that is nothing but this failover.
    pub(super) fn use_for(&mut self, key: &Key) -> Option<Vec<Key>> {
        let order = self.order_for(key)?;
        self.used = true;
        Some(order)
    }
}

impl Importer<'_> {
    /// The failover that a destination names.
    pub(super) fn failover(&mut self, reference: &Value) -> Option<&mut Failover> {
        let text = |field: &str| reference[field].as_str().unwrap_or_default().to_string();
        self.failovers.get_mut(&(text("namespace"), text("name")))
    }

    /// Lets a cluster call services of others: it gets an entry for each.
    pub(super) fn give_names(&mut self, services: &[Key], cluster: &str) {
        for key in services {
            let service = self.service(key);
            if key.2 != cluster {
                service.importers.insert(cluster.into());
            }
        }
    }
}

/// All failovers of the resources, by namespace and name: policies refer to them, whatever the order of the files.
pub(super) fn all(resources: &[Value]) -> BTreeMap<(String, String), Failover> {
    let is_one = |value: &&Value| {
        let api = value["apiVersion"].as_str().unwrap_or_default();
        let group = api.split('/').next().unwrap_or_default();
        let kind = value["kind"].as_str();
        group.ends_with(".solo.io")
            && matches!(kind, Some("FailoverService" | "VirtualDestination"))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let name = |value: &Value| {
        let meta = &value["metadata"];
        (text(&meta["namespace"]), text(&meta["name"]))
    };
    resources.iter().filter(is_one).map(|value| (name(value), one(value))).collect()
}

fn one(source: &Value) -> Failover {
    let spec = &source["spec"];
    let order: Option<Vec<Key>> =
        backing(spec).map(|service| service_key(&service["kubeService"])).collect();
    let mut order = order.unwrap_or_default();
    let has_one_name =
        order.windows(2).all(|pair| (&pair[0].0, &pair[0].1) == (&pair[1].0, &pair[1].1));
    if !has_one_name {
        order.clear();
    }
    let lists = [&spec["meshes"], &spec["meshList"]["meshes"]];
    let named = lists.into_iter().filter_map(Value::as_array).flatten();
    let mut callers: Vec<String> = named.map(|mesh| cluster_of(mesh).to_string()).collect();
    if callers.is_empty() {
        callers = order.iter().map(|key| key.2.clone()).collect();
    }
    Failover { source: source.clone(), order, callers, used: false }
}

/// The services behind it, in order.
fn backing(spec: &Value) -> impl Iterator<Item = &Value> {
    let lists = [&spec["backingServices"], &spec["static"]["destinations"]];
    lists.into_iter().filter_map(Value::as_array).flatten()
}

/// Names what a failover has that no policy has.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value) {
    let spec = &value["spec"];
    let converts = !one(value).order.is_empty();
    let hostname = spec["hostname"].as_str().unwrap_or_default();
    if converts {
        let why = format!(
            "a failover of a spec applies to the name of the service itself: callers of {hostname} must change to that, or need your own VirtualService"
        );
        importer.lose(value, "spec.hostname", &why);
    } else if is_set(&spec["localized"]) {
        let why = "it has no order of clusters: write a policy with `failover`, which has one";
        importer.lose(value, "spec.localized", why);
    } else {
        let why = "only services of one name and namespace, each with its clusterName, fail over to each other: write your own ServiceEntry";
        importer.lose(value, "spec", why);
    }
}

/// Drafts for the failovers that no route has become.
pub(super) fn finish(importer: &mut Importer<'_>) {
    for failover in core::mem::take(&mut importer.failovers).into_values() {
        let (false, Some(first)) = (failover.used, failover.order.first()) else { continue };
        for caller in &failover.callers {
            let clusters = failover.order.iter().map(|key| key.2.clone()).collect();
            let settings =
                Settings { target: Some(Target::Failover(clusters)), ..Settings::default() };
            importer.give_names(&failover.order, caller);
            importer.cluster(caller);
            importer.drafts.push(Draft {
                source: failover.source.clone(),
                key: (first.0.clone(), first.1.clone(), caller.clone()),
                alone: failover.callers.len() == 1,
                every: false,
                settings,
            });
        }
    }
}
