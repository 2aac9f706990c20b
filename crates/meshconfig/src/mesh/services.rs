//! Services: their ports, their subsets and the clusters that get an entry for them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clusters::{duplicate, name};
use super::{Known, Mesh, MeshCluster, Service};
use crate::error::{Error, Fault};
use crate::spec::{self, Spec};
use crate::text::{domain_problem, label_problem};

/// What policies may refer to, but cannot because of errors of services.
#[derive(Default)]
pub(super) struct Doubtful {
    /// Namespace and name of services with a cluster or subset that cannot be resolved.
    pub(super) services: BTreeSet<(String, String)>,
    /// A service has a name or namespace that is not valid, so which one is meant is not known.
    pub(super) names: bool,
}

/// Every service, by namespace, name and cluster.
pub(super) fn resolve(
    spec: &Spec,
    clusters: &[MeshCluster],
    known: &Known,
    errors: &mut Vec<Error>,
) -> (Vec<Service>, Doubtful) {
    let mut first: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut services = Vec::new();
    let mut doubtful = Doubtful::default();
    for (at, service) in spec.services.iter().enumerate() {
        let key = (service.namespace.as_str(), service.name.as_str(), service.cluster.as_str());
        if let Some(before) = first.get(&key) {
            let what = format!("{}/{} on {}", service.namespace, service.name, service.cluster);
            errors.push(duplicate(
                &format!("services[{at}]"),
                "service",
                &what,
                format!("services[{before}]"),
            ));
            continue;
        }
        first.insert(key, at);
        let key = || (service.namespace.clone(), service.name.clone());
        ports(service, at, errors);
        let before = errors.len();
        names(service, at, errors);
        doubtful.names |= errors.len() > before;
        let before = errors.len();
        subsets(service, at, errors);
        doubtful.services.extend((errors.len() > before).then(key));
        let mut unresolved = |path: String, fault: Option<Fault>| {
            doubtful.services.insert(key());
            errors.extend(fault.map(|fault| Error::new(path, fault)));
        };
        match known.cluster(&service.cluster) {
            Ok(home) => {
                let importers = importers(service, at, home, (clusters, known), &mut unresolved);
                services.push(one(service, home, importers));
            }
            Err(fault) => unresolved(format!("services[{at}].cluster"), fault),
        }
    }
    services.sort_by(|a: &Service, b| {
        (&a.namespace, &a.name, a.cluster).cmp(&(&b.namespace, &b.name, b.cluster))
    });
    (services, doubtful)
}

/// The clusters that get an entry for a service. `wrong` gets each one that cannot be, with its path.
fn importers(
    service: &spec::ServiceSpec,
    at: usize,
    home: usize,
    (clusters, known): (&[MeshCluster], &Known),
    wrong: &mut impl FnMut(String, Option<Fault>),
) -> BTreeSet<usize> {
    let mut importers = BTreeSet::new();
    for (i, importer) in service.imported_by.iter().enumerate() {
        let path = format!("services[{at}].importedBy[{i}]");
        if importer == "*" {
            importers.extend((0..clusters.len()).filter(|other| *other != home));
            continue;
        }
        match known.cluster(importer) {
            Ok(importer) if importer == home => {
                let service = format!("{}/{}", service.namespace, service.name);
                let cluster = clusters[home].name.clone();
                wrong(path, Some(Fault::ImportsOwn { cluster, service }));
            }
            Ok(importer) => {
                importers.insert(importer);
            }
            Err(fault) => wrong(path, fault),
        }
    }
    importers
}

fn one(service: &spec::ServiceSpec, home: usize, importers: BTreeSet<usize>) -> Service {
    let mut ports = service.ports.clone();
    ports.sort_by_key(|port| port.number);
    let mut subsets = service.subsets.clone();
    subsets.sort_by(|a, b| a.name.cmp(&b.name));
    let accounts: BTreeSet<_> = service.service_accounts.iter().cloned().collect();
    Service {
        name: service.name.clone(),
        namespace: service.namespace.clone(),
        cluster: home,
        ports,
        subsets,
        service_accounts: accounts.into_iter().collect(),
        importers: importers.into_iter().collect(),
    }
}

fn names(service: &spec::ServiceSpec, at: usize, errors: &mut Vec<Error>) {
    let path = |field: &str| format!("services[{at}].{field}");
    name(path("name"), "service name", &service.name, label_problem(&service.name), errors);
    name(
        path("namespace"),
        "namespace",
        &service.namespace,
        label_problem(&service.namespace),
        errors,
    );
    for (i, account) in service.service_accounts.iter().enumerate() {
        let path = format!("services[{at}].serviceAccounts[{i}]");
        name(path, "service account", account, domain_problem(account), errors);
    }
}

/// Names and numbers of ports are unique (`pkg/config/validation: ValidateServiceEntry`).
fn ports(service: &spec::ServiceSpec, at: usize, errors: &mut Vec<Error>) {
    let what = format!("service {}/{}", service.namespace, service.name);
    if service.ports.is_empty() {
        errors.push(Error::new(
            format!("services[{at}].ports"),
            Fault::Needs { what, needs: "a port" },
        ));
    }
    for (i, port) in service.ports.iter().enumerate() {
        let path = |field: &str| format!("services[{at}].ports[{i}].{field}");
        name(path("name"), "port name", &port.name, label_problem(&port.name), errors);
        if port.number == 0 {
            let fault = Fault::Value { what: "port", found: "0".into(), expected: "1 to 65535" };
            errors.push(Error::new(path("number"), fault));
        }
        for (j, before) in service.ports[..i].iter().enumerate() {
            let first = format!("services[{at}].ports[{j}]");
            if before.name == port.name {
                errors.push(duplicate(&path("name"), "port", &port.name, first));
            } else if before.number == port.number {
                errors.push(duplicate(&path("number"), "port", &format!("{}", port.number), first));
            }
        }
    }
}

/// Names of subsets are unique, and each has labels (`pkg/config/validation: ValidateDestinationRule`).
fn subsets(service: &spec::ServiceSpec, at: usize, errors: &mut Vec<Error>) {
    for (i, subset) in service.subsets.iter().enumerate() {
        let path = format!("services[{at}].subsets[{i}]");
        name(
            format!("{path}.name"),
            "subset name",
            &subset.name,
            label_problem(&subset.name),
            errors,
        );
        if subset.labels.is_empty() {
            let what = format!("subset `{}`", subset.name);
            errors
                .push(Error::new(format!("{path}.labels"), Fault::Needs { what, needs: "labels" }));
        }
        if let Some(j) = service.subsets[..i].iter().position(|before| before.name == subset.name) {
            let first = format!("services[{at}].subsets[{j}]");
            errors.push(duplicate(&format!("{path}.name"), "subset", &subset.name, first));
        }
    }
}

/// A cluster that others call through its gateway has one, with an address unless istiod finds that by itself; names are
/// short enough for DNS.
pub(super) fn check(mesh: &Mesh, errors: &mut Vec<Error>) {
    let (mut reported, mut reported_domains) = (BTreeSet::new(), BTreeSet::new());
    for service in &mesh.services {
        let home = mesh.home(service);
        let reachable = home.gateway.as_ref().is_some_and(|gateway| !gateway.addresses.is_empty());
        let lacks_gateway = |importer: &&MeshCluster| {
            if importer.remote_secrets && home.remote_secrets {
                importer.network != home.network && home.gateway.is_none()
            } else {
                !reachable
            }
        };
        if let Some(importer) = mesh.importers(service).find(lacks_gateway)
            && reported.insert(home.index)
        {
            let fault = Fault::GatewayMissing {
                cluster: home.name.clone(),
                service: service.key(),
                importer: importer.name.clone(),
            };
            errors.push(Error::new(format!("clusters[{}].gateway", home.at), fault));
        }
        errors.extend(other_domain(mesh, service, &mut reported_domains));
        let host = mesh.remote_host(service);
        if let Some(why) = domain_problem(&host).filter(|_| host.len() > 253) {
            errors.push(Error::new(
                "services",
                Fault::Name { what: "remote service name", found: host, why },
            ));
        }
    }
}

/// With remote secrets, istiod names a remote service under its own cluster's domain, and the gateway of the service
/// has filter chains for names under that of its cluster (`pilot/pkg/serviceregistry/kube/controller/controller.go`,
/// `pilot/pkg/networking/core/gateway.go: builtAutoPassthroughFilterChains`).
fn other_domain(mesh: &Mesh, service: &Service, reported: &mut BTreeSet<usize>) -> Option<Error> {
    let home = mesh.home(service);
    let differs = |importer: &&MeshCluster| {
        importer.remote_secrets && home.remote_secrets && importer.domain != home.domain
    };
    let importer = mesh.importers(service).find(differs)?;
    let fault = Fault::Name {
        what: "cluster domain",
        found: importer.domain.clone(),
        why: "clusters that import from each other with `remoteSecrets` need the same one",
    };
    let path = format!("clusters[{}].clusterDomain", importer.at);
    reported.insert(importer.index).then(|| Error::new(path, fault))
}
