//! Compares a mesh with what its clusters have. Pure.

use meshconfig::address::Addresses;
use meshconfig::apply::{Change, Step, changes, lost, steps};
use meshconfig::dns::{self, DnsEdit, Zone};
use meshconfig::lint::{self, PreflightCluster, PreflightProblem};
use meshconfig::mesh::MeshCluster;
use meshconfig::{Mesh, Renderer, Resource};
use serde_json::Value;

use super::ClusterError;
use super::observe::{DnsConfig, Observation};
use crate::error::Error;

/// What has to change in which cluster.
#[derive(Debug)]
pub struct MeshPlan {
    /// The clusters, in the order they were observed.
    pub clusters: Vec<ClusterPlan>,
}

/// What has to change in one cluster.
#[derive(Debug)]
pub struct ClusterPlan {
    /// The cluster's name in the spec.
    pub cluster: String,
    /// Its resources of `networking.istio.io`, whoever owns them.
    pub live: Vec<Value>,
    /// Its Services, Sidecars and PeerAuthentications.
    pub deciding: Vec<Value>,
    /// The resources it should have of this mesh.
    pub wanted: Vec<Resource>,
    /// What changes. A [`Change::Foreign`] resource is never written over: it is an [`Obstacle`].
    pub changes: Vec<Change>,
    /// Why its DNS cannot be as the spec says.
    pub dns_refusal: Option<DnsRefusal>,
    /// What could not be found out about its DNS, which is then left unchanged.
    pub dns_warning: Option<DnsWarning>,
}

/// Something of others in the place of what the mesh needs.
#[derive(Debug)]
pub enum Obstacle<'p> {
    /// A resource without the labels of this mesh.
    Foreign {
        /// The cluster's name in the spec.
        cluster: &'p str,
        /// `ServiceEntry istio-system/reviews`.
        id: String,
        /// The parts of it that the wanted resource does not have ([`meshconfig::apply::lost`]).
        lost: Vec<String>,
    },
    /// The cluster's DNS.
    Dns {
        /// The cluster's name in the spec.
        cluster: &'p str,
        /// Why it cannot be as the spec says.
        refusal: &'p DnsRefusal,
    },
}

/// Why a cluster's DNS cannot be as the spec says.
#[derive(Debug)]
pub enum DnsRefusal {
    /// The ConfigMap does not exist, or none of the usual ones has anything that a DNS reads.
    NotFound {
        /// Namespaces and names of the ConfigMaps, in the order they were looked for; at least one.
        places: Vec<(String, String)>,
    },
    /// The ConfigMap cannot be edited: it has other configuration for the suffix, or its form cannot express what is
    /// needed.
    Unsuitable {
        /// `ConfigMap kube-system/coredns`.
        id: String,
        /// The key that would be edited; `None` if no known DNS reads the ConfigMap.
        key: Option<String>,
        /// `config/duplicate`, `config/needs` or `config/syntax`, with the line in the key.
        error: meshconfig::Error,
    },
}

impl DnsRefusal {
    /// The ConfigMap it is about: `ConfigMap kube-system/coredns`.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::NotFound { places } => places
                .first()
                .map(|(namespace, name)| format!("ConfigMap {namespace}/{name}"))
                .unwrap_or_default(),
            Self::Unsuitable { id, .. } => id.clone(),
        }
    }
}

/// What could not be found out about a cluster's DNS.
#[derive(Debug)]
pub enum DnsWarning {
    /// The spec does not have the address of istio-coredns: `config/needs`.
    NoAddress(meshconfig::Error),
    /// The ConfigMap may not be read. The spec needs nothing there, but a block of an earlier spec may be left over.
    Unseen(Error),
}

/// Compares a mesh with what was observed of its clusters.
///
/// # Errors
/// The error of the first cluster whose DNS must be read but could not be: `apply/unreachable`, `apply/forbidden`,
/// `apply/api`.
pub fn plan(
    mesh: &Mesh,
    addresses: &Addresses,
    observed: Vec<Observation>,
) -> Result<MeshPlan, ClusterError> {
    let mut renderer = Renderer::new(mesh, addresses);
    let one = |Observation { cluster: name, resources, deciding, dns }| {
        let cluster = mesh.cluster(&name);
        let wanted = cluster.map(|cluster| renderer.render(cluster)).unwrap_or_default();
        let found = match cluster {
            Some(cluster) => compare_dns(mesh, cluster, &wanted, dns)
                .map_err(|error| ClusterError::new(&name, error))?,
            None => DnsPlan::default(),
        };
        let mut changes = changes(&mesh.name, &wanted, &resources);
        changes.extend(found.edits.into_iter().map(Change::Edit));
        Ok(ClusterPlan {
            cluster: name,
            live: resources,
            deciding,
            wanted,
            changes,
            dns_refusal: found.refusal,
            dns_warning: found.warning,
        })
    };
    Ok(MeshPlan { clusters: observed.into_iter().map(one).collect::<Result<_, _>>()? })
}

impl MeshPlan {
    /// Whether no cluster has to change.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.clusters.iter().all(|one| one.changes.is_empty())
    }

    /// What is in the place of what the mesh needs: resources of all clusters first, then their DNS. Nothing is written
    /// while there is an obstacle.
    #[must_use]
    pub fn obstacles(&self) -> Vec<Obstacle<'_>> {
        let foreign = self.clusters.iter().flat_map(|one| {
            one.changes.iter().filter_map(|change| match change {
                Change::Foreign { live, wanted } => Some(Obstacle::Foreign {
                    cluster: &one.cluster,
                    id: change.id(),
                    lost: lost(live, wanted),
                }),
                _ => None,
            })
        });
        let dns = self.clusters.iter().filter_map(|one| {
            let refusal = one.dns_refusal.as_ref()?;
            Some(Obstacle::Dns { cluster: &one.cluster, refusal })
        });
        foreign.chain(dns).collect()
    }

    /// What istiod will refuse or ignore once everything is written, including what it refuses already.
    #[must_use]
    pub fn preflight(&self, mesh: &Mesh) -> Vec<PreflightProblem> {
        let before = self.clusters.iter().map(|one| PreflightCluster {
            name: &one.cluster,
            live: &one.live,
            deciding: &one.deciding,
            wanted: &one.wanted,
        });
        lint::preflight(mesh, &before.collect::<Vec<_>>())
    }

    /// The writes, in the order they are made.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let by_cluster = self.clusters.iter().map(|one| (one.cluster.clone(), one.changes.clone()));
        steps(&by_cluster.collect())
    }
}

/// What was found out about a cluster's DNS.
#[derive(Default)]
struct DnsPlan {
    edits: Vec<DnsEdit>,
    refusal: Option<DnsRefusal>,
    warning: Option<DnsWarning>,
}

fn compare_dns(
    mesh: &Mesh,
    cluster: &MeshCluster,
    wanted: &[Resource],
    observed: Result<Option<DnsConfig>, Error>,
) -> Result<DnsPlan, Error> {
    let is_needed = match Zone::of(cluster, wanted, false) {
        Ok(zone) => zone.is_some(),
        Err(error) => return Ok(DnsPlan::warning(DnsWarning::NoAddress(error))),
    };
    let found = match observed {
        Ok(found) => found,
        Err(error @ Error::Forbidden { .. }) if !is_needed => {
            return Ok(DnsPlan::warning(DnsWarning::Unseen(error)));
        }
        Err(error) => return Err(error),
    };
    let Some(DnsConfig { live, elsewhere }) = found else {
        let refusal = is_needed.then(|| DnsRefusal::NotFound { places: dns::places(cluster) });
        return Ok(DnsPlan { refusal, ..DnsPlan::default() });
    };
    match dns::edit(mesh, cluster, wanted, &live) {
        Ok(edit) => {
            // Managed blocks in ConfigMaps that the spec no longer names; what cannot be parsed has none.
            let left_over = |live: &Value| dns::edit(mesh, cluster, &[], live).ok().flatten();
            let mut edits: Vec<DnsEdit> = elsewhere?.iter().filter_map(left_over).collect();
            edits.extend(edit);
            Ok(DnsPlan { edits, ..DnsPlan::default() })
        }
        Err(error) => {
            Ok(DnsPlan { refusal: Some(unsuitable(mesh, &live, error)), ..DnsPlan::default() })
        }
    }
}

impl DnsPlan {
    fn warning(warning: DnsWarning) -> Self {
        Self { warning: Some(warning), ..Self::default() }
    }
}

fn unsuitable(mesh: &Mesh, live: &Value, error: meshconfig::Error) -> DnsRefusal {
    let meta = |key: &str| live["metadata"][key].as_str().unwrap_or_default();
    DnsRefusal::Unsuitable {
        id: format!("ConfigMap {}/{}", meta("namespace"), meta("name")),
        key: dns::form(live).map(|form| form.key(&mesh.suffix)),
        error,
    }
}
