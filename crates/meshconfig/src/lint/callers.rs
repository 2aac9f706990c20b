//! Which clusters can call an exported service without an entry for it: a gateway passes every connection on, and a
//! server accepts every certificate of the mesh whose trust domain its istiod accepts.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{LintProblem, LintRemedy, LintSeverity};
use crate::mesh::{Mesh, MeshCluster, Service};
use crate::route::Route;
use crate::text::some;

/// A note for the services of a cluster that the same clusters can call without an entry.
pub(super) fn notes(mesh: &Mesh, problems: &mut Vec<LintProblem>) {
    let accepted = accepted(mesh);
    let mut groups: BTreeMap<(usize, Vec<&str>), BTreeSet<String>> = BTreeMap::new();
    for service in mesh.services() {
        let to = mesh.home(service);
        let passes = |from| !Route { from, to, service }.is_direct();
        if mesh.importers(service).any(passes) {
            let others = others(mesh, service, &accepted[&to.index]);
            if !others.is_empty() {
                groups.entry((to.index, others)).or_default().insert(service.key());
            }
        }
    }
    for ((home, others), services) in groups {
        problems.push(note(&mesh.clusters()[home], &others, &services));
    }
}

/// The trust domains that the istiod of each serving cluster must accept, its own included.
fn accepted(mesh: &Mesh) -> BTreeMap<usize, BTreeSet<&str>> {
    let called = mesh
        .services()
        .iter()
        .flat_map(|service| service.importers.iter().map(move |from| (service.cluster, *from)));
    let pairs: BTreeSet<(usize, usize)> = called.collect();
    let domain = |cluster: usize| mesh.clusters()[cluster].trust_domain.as_str();
    let mut accepted: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for (to, from) in pairs {
        accepted.entry(to).or_default().extend([domain(to), domain(from)]);
    }
    accepted
}

/// The clusters without an entry for a service whose certificates its server accepts.
fn others<'m>(mesh: &'m Mesh, service: &Service, domains: &BTreeSet<&str>) -> Vec<&'m str> {
    // The usual case: every other cluster has one.
    if service.importers.len() + 1 == mesh.clusters().len() {
        return Vec::new();
    }
    let is_other = |cluster: &&MeshCluster| {
        cluster.index != service.cluster
            && !service.importers.contains(&cluster.index)
            && domains.contains(cluster.trust_domain.as_str())
    };
    mesh.clusters().iter().filter(is_other).map(|cluster| cluster.name.as_str()).collect()
}

fn note(home: &MeshCluster, others: &[&str], services: &BTreeSet<String>) -> LintProblem {
    const SHOWN: usize = 3;
    let services: Vec<&String> = services.iter().collect();
    let it = if services.len() == 1 { "it" } else { "them" };
    let message = format!(
        "`importedBy` of {} decides which clusters get an entry: any workload with a certificate of the mesh, of {} too, can still call {it} through the gateway",
        some(&services, SHOWN),
        some(others, SHOWN),
    );
    LintProblem {
        code: "lint/not-restricted",
        severity: LintSeverity::Note,
        cluster: home.name.clone(),
        resource: String::new(),
        host: None,
        message,
        source: "istio pilot/pkg/networking/core/gateway.go: AUTO_PASSTHROUGH has no client rules",
        remedy: LintRemedy::RestrictCallers,
    }
}
