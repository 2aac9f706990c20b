//! Gateway pods from before a change of the roots: what they present and trust may be of the roots before. Their proxies
//! are asked.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{StreamExt, iter};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams};
use meshpki::cacerts::pool;
use meshpki::internals::DAY;
use meshpki::{Cert, Time};

use super::{Kube, ask, prove, proxies, secret, workloads};
use crate::error::Error;
use crate::names::{ROOT_CONFIG_MAP, ROOT_CONFIG_MAP_KEY};
use crate::proof::verify_chain;
use crate::proxies::ProxyCerts;
use crate::workload::Id;

/// Proxies that are asked at a time.
const PARALLEL: usize = 32;

/// A pod that started before the roots of its namespace changed, and whose proxy does not show that it has the new ones.
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
    /// What its proxy has of the roots before, or why that is not known.
    pub why: String,
}

/// The roots of a namespace.
struct Roots {
    changed: Time,
    roots: Vec<Cert>,
}

/// The pods of the gateways that may still hold the previous roots. A proxy takes the roots that come with a certificate
/// (`security/pkg/nodeagent/cache/secretcache.go`), so that a day after the change every one has them.
pub(super) async fn read(kube: &Kube) -> Result<Vec<OlderPod>, Error> {
    let changed = changes(kube).await?;
    let mut older = Vec::new();
    if changed.is_empty() {
        return Ok(older);
    }
    let pods = workloads::gateway_pods(kube).await?;
    let asked = iter(pods.into_iter().map(async |(id, pod)| look(kube, &changed, id, &pod).await));
    let mut asked = asked.buffer_unordered(PARALLEL);
    while let Some(found) = asked.next().await {
        older.extend(found);
    }
    older.sort_by(|a, b| (&a.id, &a.pod).cmp(&(&b.id, &b.pod)));
    Ok(older)
}

/// A pod that started before the roots of its namespace changed, unless its proxy has the new ones.
async fn look(
    kube: &Kube,
    changed: &BTreeMap<String, Roots>,
    id: Id,
    pod: &Pod,
) -> Option<OlderPod> {
    let started = pod.status.as_ref()?.start_time.as_ref()?;
    let (started, new) = (Time(started.0.as_second()), changed.get(&id.namespace)?);
    if started >= new.changed || pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let why = holds(&proxies::of_gateway(kube, pod).await, &new.roots, prove::now())?;
    let pod = pod.metadata.name.clone().unwrap_or_default();
    Some(OlderPod { id, pod, started, changed: new.changed, why })
}

/// What a proxy has of other roots; `None`: it trusts these roots alone, and its certificates are under them.
fn holds(asked: &Result<Vec<ProxyCerts>, String>, roots: &[Cert], at: Time) -> Option<String> {
    let all = match asked {
        Ok(all) => all,
        Err(why) => return Some(format!("what it trusts is not known: {why}")),
    };
    let ders = |certs: &[Cert]| -> BTreeSet<Vec<u8>> {
        certs.iter().map(|cert| cert.as_der().to_vec()).collect()
    };
    all.iter().find_map(|one| {
        if ders(&one.roots) != ders(roots) {
            let labels: Vec<String> = one.roots.iter().map(Cert::label).collect();
            return Some(format!("it trusts {}", labels.join(", ")));
        }
        let is_good = verify_chain(&one.chain, roots, at).is_some_and(|verdict| verdict.is_ok());
        (!is_good).then(|| "its own certificate is not under the new roots".to_owned())
    })
}

/// The roots of each namespace where they changed within a day.
async fn changes(kube: &Kube) -> Result<BTreeMap<String, Roots>, Error> {
    let api: Api<ConfigMap> = Api::all(kube.client.clone());
    let by_name = ListParams::default().fields(&format!("metadata.name={ROOT_CONFIG_MAP}"));
    let what = || format!("list configmaps {ROOT_CONFIG_MAP} in all namespaces");
    let maps = ask(what, || api.list(&by_name)).await?.items;
    let recent = |time: &Time| prove::now().since(*time) < DAY;
    let change = |map: ConfigMap| {
        let changed = changed(&map.metadata).filter(recent)?;
        let text = map.data.unwrap_or_default().remove(ROOT_CONFIG_MAP_KEY).unwrap_or_default();
        Some((map.metadata.namespace?, Roots { changed, roots: pool(text.as_bytes()) }))
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
    use crate::fake::{NOW, Root};

    #[test]
    fn what_a_proxy_has() {
        let (one, other) = (Root::new("CN=One"), Root::new("CN=Other"));
        let files = [one.secret("CN=east"), other.secret("CN=east")];
        let certs = |of: usize, file: &str| pool(files[of].get(file).unwrap());
        let has = |of: usize, trusts: &[usize]| {
            let roots = trusts.iter().flat_map(|of| certs(*of, "root-cert.pem")).collect();
            ProxyCerts { chain: certs(of, "cert-chain.pem"), roots }
        };
        let new = certs(1, "root-cert.pem");
        let check = |asked: Result<Vec<ProxyCerts>, String>, expect: Option<&str>| {
            let why = holds(&asked, &new, NOW);
            let is_so = why.as_deref().zip(expect).is_none_or(|(why, part)| why.starts_with(part));
            assert!(is_so && why.is_some() == expect.is_some(), "{why:?} {expect:?}");
        };
        check(Ok(vec![has(1, &[1])]), None);
        check(Ok(vec![]), None);
        check(Ok(vec![has(0, &[0])]), Some("it trusts `One` (sha256 "));
        check(Ok(vec![has(1, &[1]), has(1, &[0, 1])]), Some("it trusts `One` (sha256 "));
        check(Ok(vec![has(0, &[1])]), Some("its own certificate is not under the new roots"));
        check(Err("forbidden".to_owned()), Some("what it trusts is not known: forbidden"));
    }

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
