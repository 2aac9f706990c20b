//! Which cluster calls what through which gateway. Everything that involves several clusters is decided here, and
//! nothing that depends on an Istio release.

use alloc::vec::Vec;

use crate::mesh::{Mesh, MeshCluster, Policy, Service};

/// One cluster calling one service of another.
#[derive(Clone, Copy, Debug)]
pub struct Route<'m> {
    /// The cluster that calls.
    pub from: &'m MeshCluster,
    /// The cluster that answers, through its gateway.
    pub to: &'m MeshCluster,
    /// The service that is called.
    pub service: &'m Service,
}

/// One cluster's part in the services of one name.
#[derive(Clone, Debug)]
pub struct Unit<'m> {
    /// Namespace of the services.
    pub namespace: &'m str,
    /// Their name.
    pub name: &'m str,
    /// The cluster's own service.
    pub own: Option<&'m Service>,
    /// Services of other clusters that it calls.
    pub imports: Vec<Route<'m>>,
    /// Calls of its own service by others.
    pub exports: Vec<Route<'m>>,
    /// Every service its istiod knows by itself, its own included: those of clusters with remote secrets, if it has the
    /// service too.
    pub registry: Vec<&'m Service>,
    /// The policy for its calls.
    pub policy: Option<&'m Policy>,
}

/// One cluster's part in every service.
#[derive(Clone, Debug)]
pub struct RoutePlan<'m> {
    /// The cluster.
    pub cluster: &'m MeshCluster,
    /// One for each service name, by namespace and name.
    pub units: Vec<Unit<'m>>,
}

impl Route<'_> {
    /// Whether the caller's istiod knows the service by itself, from the other API server.
    #[must_use]
    pub const fn by_registry(&self) -> bool {
        self.from.remote_secrets && self.to.remote_secrets
    }

    /// Whether calls go to the pods themselves and through no gateway: the caller's istiod knows their addresses, which
    /// are on the caller's network (`pilot/pkg/xds/endpoints/endpoint_builder.go`).
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.by_registry() && self.from.network == self.to.network
    }
}

/// Every route of the mesh, by caller, then namespace, name and cluster of the service.
#[must_use]
pub fn routes(mesh: &Mesh) -> Vec<Route<'_>> {
    let plans = mesh.clusters().iter().map(|cluster| plan(mesh, cluster));
    plans.flat_map(|plan| plan.units.into_iter().flat_map(|unit| unit.imports)).collect()
}

/// One cluster's part in every service.
#[must_use]
pub fn plan<'m>(mesh: &'m Mesh, cluster: &'m MeshCluster) -> RoutePlan<'m> {
    let same_name = |a: &Service, b: &Service| (&a.namespace, &a.name) == (&b.namespace, &b.name);
    let units = mesh
        .services()
        .chunk_by(same_name)
        .filter_map(|group| unit(mesh, cluster, group))
        .collect();
    RoutePlan { cluster, units }
}

/// A cluster's part in the services of one name; `None` if it has none.
pub(crate) fn unit<'m>(
    mesh: &'m Mesh,
    cluster: &'m MeshCluster,
    group: &'m [Service],
) -> Option<Unit<'m>> {
    let own = group.iter().find(|service| service.cluster == cluster.index);
    let imports: Vec<Route<'_>> = group
        .iter()
        .filter(|service| service.importers.binary_search(&cluster.index).is_ok())
        .map(|service| Route { from: cluster, to: mesh.home(service), service })
        .collect();
    if own.is_none() && imports.is_empty() {
        return None;
    }
    let called = own
        .into_iter()
        .flat_map(|service| mesh.importers(service).map(move |from| (from, service)));
    let exports = called.map(|(from, service)| Route { from, to: cluster, service }).collect();
    // A service that a cluster neither has nor imports this way has no name there, and maybe no namespace.
    let looks = cluster.remote_secrets && (own.is_some() || imports.iter().any(Route::by_registry));
    let seen = |service: &&Service| looks && mesh.home(service).remote_secrets;
    let (namespace, name) = (group[0].namespace.as_str(), group[0].name.as_str());
    Some(Unit {
        namespace,
        name,
        own,
        imports,
        exports,
        registry: group.iter().filter(seen).collect(),
        policy: mesh.policy(cluster, namespace, name),
    })
}

impl<'m> Unit<'m> {
    /// `default/reviews`.
    #[must_use]
    pub fn key(&self) -> alloc::string::String {
        alloc::format!("{}/{}", self.namespace, self.name)
    }

    /// The service on a cluster, if this cluster has or imports it.
    pub(crate) fn on(&self, cluster: &MeshCluster) -> Option<&'m Service> {
        let own = self.own.filter(|service| service.cluster == cluster.index);
        own.or_else(|| {
            self.imports
                .iter()
                .find(|route| route.to.index == cluster.index)
                .map(|route| route.service)
        })
    }

    /// Whether the order of a failover is one of pods that istiod knows by itself. Otherwise it is that of a common host
    /// with an endpoint for each cluster.
    pub(crate) fn fails_over_by_registry(&self, order: &[usize]) -> bool {
        let mut remote = self.imports.iter().filter(|route| order.contains(&route.to.index));
        self.is_pinned() && remote.all(Route::by_registry)
    }

    /// Whether istiods know the service across clusters, so that subsets must name their cluster: those of others that
    /// it calls, and its own, which callers and the gateway must name alike.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        let own = self.own.map(|service| service.cluster);
        self.registry.iter().any(|service| Some(service.cluster) != own)
            || self.exports.iter().any(Route::by_registry)
    }
}
