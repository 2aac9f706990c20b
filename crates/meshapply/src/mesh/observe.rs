//! Reads the resources and DNS of clusters. The only decision here is which ConfigMap configures a cluster's DNS.

use futures_util::future::join_all;
use meshconfig::{Mesh, dialect, dns};
use serde_json::Value;

use super::{ClusterError, MeshClient};
use crate::error::Error;

/// What one cluster has.
#[derive(Debug)]
pub struct Observation {
    /// The cluster's name in the spec.
    pub cluster: String,
    /// Its resources of `networking.istio.io`, whoever owns them.
    pub resources: Vec<Value>,
    /// Its Services, Sidecars and PeerAuthentications, by which calls arrive or not.
    pub deciding: Vec<Value>,
    /// The ConfigMap its DNS reads. Whether an error matters depends on the plan: [`super::plan()`].
    pub(super) dns: Result<Option<DnsConfig>, Error>,
}

/// The ConfigMap a cluster's DNS reads.
#[derive(Debug)]
pub(super) struct DnsConfig {
    /// The ConfigMap.
    pub(super) live: Value,
    /// ConfigMaps in which a block of an earlier spec may be left over.
    pub(super) elsewhere: Result<Vec<Value>, Error>,
}

/// Reads every cluster, all at the same time; `clusters` are names in the spec, each with its client.
///
/// # Errors
/// The error of the first cluster whose resources cannot be read: `apply/no-crd`, `apply/unreachable`,
/// `apply/forbidden`, `apply/api`.
pub async fn observe<C: MeshClient>(
    mesh: &Mesh,
    clusters: &[(&str, &C)],
) -> Result<Vec<Observation>, ClusterError> {
    let reads = clusters.iter().map(|(name, client)| async move {
        observe_one(mesh, name, *client).await.map_err(|error| ClusterError::new(name, error))
    });
    join_all(reads).await.into_iter().collect()
}

async fn observe_one(
    mesh: &Mesh,
    name: &str,
    client: &impl MeshClient,
) -> Result<Observation, Error> {
    let cluster = mesh.cluster(name);
    let needed = cluster.map(|cluster| dialect::kinds(mesh, cluster)).unwrap_or_default();
    let resources = client.resources(&needed).await?;
    let deciding = client.deciding().await?;
    let dns = match cluster {
        Some(cluster) => read_dns(client, cluster).await,
        None => Ok(None),
    };
    Ok(Observation { cluster: name.to_owned(), resources, deciding, dns })
}

/// The first ConfigMap that has something a DNS reads; one that the spec names is used whatever it has.
async fn read_dns(
    client: &impl MeshClient,
    cluster: &meshconfig::mesh::MeshCluster,
) -> Result<Option<DnsConfig>, Error> {
    let mut found = None;
    for (namespace, name) in dns::places(cluster) {
        let Some(live) = client.config_map(&namespace, &name).await? else { continue };
        let is_read = dns::form(&live).is_some();
        if is_read || cluster.dns_config_map.is_some() {
            found = Some(live);
        }
        if is_read {
            break;
        }
    }
    let Some(live) = found else { return Ok(None) };
    Ok(Some(DnsConfig { live, elsewhere: read_elsewhere(client, cluster).await }))
}

async fn read_elsewhere(
    client: &impl MeshClient,
    cluster: &meshconfig::mesh::MeshCluster,
) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    for (namespace, name) in dns::elsewhere(cluster) {
        all.extend(client.config_map(&namespace, &name).await?);
    }
    Ok(all)
}
