//! Gateway pods from before a change of the roots: what they present and trust may be of the roots before.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams};
use meshpki::Time;
use meshpki::internals::DAY;

use super::{Kube, ask, prove, secret, workloads};
use crate::error::Error;
use crate::names::ROOT_CONFIG_MAP;
use crate::workload::Id;

/// A pod that started before the roots of its namespace changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderPod {
    /// The gateway it is of.
    pub id: Id,
    /// Its name.
    pub pod: String,
    /// When it started.
    pub started: Time,
    /// When the ConfigMap of roots was written last.
    pub changed: Time,
}

/// The pods of the gateways that may still hold the previous roots. A proxy takes the roots that come with a certificate
/// (`security/pkg/nodeagent/cache/secretcache.go`), so that a day after the change every one has them.
pub(super) async fn read(kube: &Kube) -> Result<Vec<OlderPod>, Error> {
    let changed = changes(kube).await?;
    let mut older = Vec::new();
    if changed.is_empty() {
        return Ok(older);
    }
    for (id, pod) in workloads::gateway_pods(kube).await? {
        let started = pod.status.and_then(|status| status.start_time);
        let started = started.map(|time| Time(time.0.as_second()));
        let (Some(started), Some(changed)) = (started, changed.get(&id.namespace)) else {
            continue;
        };
        let gone = pod.metadata.deletion_timestamp.is_some();
        if started < *changed && !gone {
            let pod = pod.metadata.name.unwrap_or_default();
            older.push(OlderPod { id, pod, started, changed: *changed });
        }
    }
    older.sort_by(|a, b| (&a.id, &a.pod).cmp(&(&b.id, &b.pod)));
    Ok(older)
}

/// When the roots of each namespace changed, where that was within a day.
async fn changes(kube: &Kube) -> Result<BTreeMap<String, Time>, Error> {
    let api: Api<ConfigMap> = Api::all(kube.client.clone());
    let by_name = ListParams::default().fields(&format!("metadata.name={ROOT_CONFIG_MAP}"));
    let what = || format!("list configmaps {ROOT_CONFIG_MAP} in all namespaces");
    let maps = ask(what, || api.list(&by_name)).await?.items;
    let recent = |time: &Time| prove::now().since(*time) < DAY;
    let change = |map: ConfigMap| {
        let time = changed(&map.metadata).filter(recent)?;
        Some((map.metadata.namespace?, time))
    };
    Ok(maps.into_iter().filter_map(change).collect())
}

/// When the data was written last; `None`: not since it was made, or it does not say.
fn changed(metadata: &ObjectMeta) -> Option<Time> {
    let made = metadata.creation_timestamp.as_ref()?.0.as_second();
    let written = secret::written(metadata.managed_fields.as_deref().unwrap_or_default())?;
    (written.0 > made).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_roots_changed() {
        let check = |written: &[(&str, &str)], expect: Option<i64>| {
            let entries: Vec<_> = written
                .iter()
                .map(|(time, field)| {
                    serde_json::json!({"time": time, "fieldsV1": {*field: {}}, "manager": "pilot-discovery"})
                })
                .collect();
            let metadata = serde_json::json!({
                "creationTimestamp": "2026-11-25T20:00:00Z", "managedFields": entries,
            });
            let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
            assert_eq!(changed(&metadata).map(|time| time.0), expect, "{written:?}");
        };
        check(&[], None);
        check(&[("2026-11-25T20:00:00Z", "f:data")], None);
        check(&[("2026-11-25T20:00:01Z", "f:data")], Some(1_795_636_801));
        check(&[("2026-11-25T21:00:00Z", "f:metadata")], None);
        check(
            &[("2026-11-25T20:00:00Z", "f:data"), ("2026-11-25T20:00:02Z", "f:data")],
            Some(1_795_636_802),
        );
    }
}
