//! Policies: every destination exists and has an entry where it is called.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use meshpki::istiod::Version;

use super::clusters::{duplicate, name};
use super::services::Doubtful;
use super::{
    Destination, Known, Mesh, MeshCluster, Outlier, Policy, PolicyTarget, Retries, Service,
};
use crate::error::{Error, Fault};
use crate::spec::{self, Spec};
use crate::text::{label_problem, milliseconds, nearest, seconds};

/// The first release that understands `failoverPriority` with values, `key=value` (istio PR 43535).
const FAILOVER_SINCE: Version = Version::new(1, 18, 0);

/// Resolves the policies into the mesh.
pub(super) fn resolve(
    spec: &Spec,
    mesh: &mut Mesh,
    known: &Known,
    doubtful: &Doubtful,
    errors: &mut Vec<Error>,
) {
    let mut policies: Vec<(usize, Policy)> = Vec::new();
    for (at, policy) in spec.policies.iter().enumerate() {
        if let Some(before) =
            spec.policies[..at].iter().position(|before| before.name == policy.name)
        {
            let path = format!("policies[{at}].name");
            errors.push(duplicate(&path, "policy", &policy.name, format!("policies[{before}]")));
            continue;
        }
        let count = errors.len();
        let service = policy.service.split_once('/').unwrap_or_default();
        let key = (service.0.to_string(), service.1.to_string());
        let (in_doubt, names_in_doubt) = (doubtful.services.contains(&key), doubtful.names);
        let reader = Reader { mesh, known, policy, at, in_doubt, names_in_doubt };
        let resolved = reader.read(errors);
        if let Some(resolved) = resolved.filter(|_| errors.len() == count) {
            policies.push((at, resolved));
        }
    }
    policies.sort_by(|a, b| a.1.name.cmp(&b.1.name));
    for (index, (at, policy)) in policies.iter().enumerate() {
        for client in &policy.clients {
            let key = (*client, policy.namespace.clone(), policy.service.clone());
            if let Some(other) = mesh.by_client.insert(key, index) {
                let fault = Fault::PolicyOverlap {
                    first: policies[other].1.name.clone(),
                    second: policy.name.clone(),
                    client: mesh.clusters[*client].name.clone(),
                    service: format!("{}/{}", policy.namespace, policy.service),
                };
                errors.push(Error::new(format!("policies[{at}]"), fault));
            }
        }
    }
    for (index, (_, policy)) in policies.iter().enumerate() {
        let key = (policy.namespace.clone(), policy.service.clone());
        mesh.by_service.entry(key).or_default().push(index);
    }
    mesh.policies = policies.into_iter().map(|(_, policy)| policy).collect();
}

/// Resolves one policy.
struct Reader<'a> {
    mesh: &'a Mesh,
    known: &'a Known,
    policy: &'a spec::PolicySpec,
    at: usize,
    /// The service has a cluster or subset that cannot be resolved.
    in_doubt: bool,
    /// The names of some services are not valid.
    names_in_doubt: bool,
}

impl Reader<'_> {
    fn path(&self, field: &str) -> String {
        format!("policies[{}].{field}", self.at)
    }

    /// Reports what the policy says about its service, unless that may follow from an error of the service.
    fn report(&self, path: String, fault: Fault, errors: &mut Vec<Error>) {
        let is_service = matches!(fault, Fault::UnknownName { what: "service", .. });
        let follows = self.in_doubt || (self.names_in_doubt && is_service);
        if !follows {
            errors.push(Error::new(path, fault));
        }
    }

    fn read(&self, errors: &mut Vec<Error>) -> Option<Policy> {
        let policy = self.policy;
        name(self.path("name"), "policy name", &policy.name, label_problem(&policy.name), errors);
        let (namespace, service) = self.service(errors)?;
        let clients = self.clients(namespace, service, errors);
        let target = self.target(namespace, service, &clients, errors);
        let mirror = policy.mirror.as_ref().and_then(|mirror| {
            let destination = self.destination(
                "mirror",
                (namespace, service),
                (&mirror.cluster, mirror.subset.as_ref()),
                errors,
            )?;
            self.reachable("mirror", namespace, service, &clients, &destination, errors);
            self.percent("mirror.percent", Some(mirror.percent), errors);
            Some((destination, mirror.percent))
        });
        let mut outlier = self.outlier(errors);
        if let (Some(outlier), PolicyTarget::Failover(_)) = (&mut outlier, &target) {
            // While one endpoint of a cluster must stay, calls go to it, and the next cluster gets none.
            outlier.max_percent.get_or_insert(100);
        }
        Some(Policy {
            name: policy.name.clone(),
            namespace: namespace.into(),
            service: service.into(),
            clients,
            target,
            timeout: self.time("timeout", policy.timeout.as_ref(), errors),
            retries: policy.retries.as_ref().map(|retries| Retries {
                attempts: retries.attempts,
                per_try_timeout: self.time(
                    "retries.perTryTimeout",
                    retries.per_try_timeout.as_ref(),
                    errors,
                ),
                retry_on: retries.retry_on.clone(),
            }),
            outlier,
            mirror,
        })
    }

    /// Namespace and name of the service, which runs on at least one cluster.
    fn service(&self, errors: &mut Vec<Error>) -> Option<(&str, &str)> {
        let text = &self.policy.service;
        let path = self.path("service");
        let Some((namespace, service)) = text.split_once('/') else {
            let expected = "`NAMESPACE/NAME`";
            errors.push(Error::new(
                path,
                Fault::Value { what: "service", found: text.clone(), expected },
            ));
            return None;
        };
        if self.mesh.services_named(namespace, service).is_empty() {
            let known: BTreeSet<String> = self.mesh.services.iter().map(Service::key).collect();
            let meant = nearest(text, known.iter().map(String::as_str));
            let (what, found, also) = ("service", text.clone(), Vec::new());
            self.report(path, Fault::UnknownName { what, found, meant, also }, errors);
            return None;
        }
        Some((namespace, service))
    }

    /// Whether a cluster has or imports the service.
    fn knows(&self, client: usize, namespace: &str, service: &str) -> bool {
        let mut all = self.mesh.services_named(namespace, service).iter();
        all.any(|s| s.cluster == client || s.importers.contains(&client))
    }

    fn clients(&self, namespace: &str, service: &str, errors: &mut Vec<Error>) -> Vec<usize> {
        let mut clients = BTreeSet::new();
        let mut unresolved = self.in_doubt;
        for (i, client) in self.policy.clients.iter().enumerate() {
            if client == "*" {
                clients.extend(
                    (0..self.mesh.clusters.len()).filter(|c| self.knows(*c, namespace, service)),
                );
                continue;
            }
            match self.known.cluster(client) {
                Ok(client) => {
                    clients.insert(client);
                }
                Err(fault) => {
                    unresolved = true;
                    let path = format!("policies[{}].clients[{i}]", self.at);
                    errors.extend(fault.map(|fault| Error::new(path, fault)));
                }
            }
        }
        if clients.is_empty() && !unresolved {
            let what = format!("policy `{}`", self.policy.name);
            errors.push(Error::new(
                self.path("clients"),
                Fault::Needs {
                    what,
                    needs: "at least one client cluster that has or imports the service",
                },
            ));
        }
        clients.into_iter().collect()
    }

    fn target(
        &self,
        namespace: &str,
        service: &str,
        clients: &[usize],
        errors: &mut Vec<Error>,
    ) -> PolicyTarget {
        let policy = self.policy;
        let what = format!("policy `{}`", policy.name);
        match (policy.route.is_empty(), policy.failover.is_empty()) {
            (true, true) => {
                for client in
                    clients.iter().filter(|client| !self.knows(**client, namespace, service))
                {
                    self.not_imported("clients", *client, *client, errors);
                }
                PolicyTarget::Unchanged
            }
            (false, false) => {
                let needs = "either `route` or `failover`, not both";
                errors.push(Error::new(self.path("failover"), Fault::Needs { what, needs }));
                PolicyTarget::Unchanged
            }
            (false, true) => self.split(namespace, service, clients, errors),
            (true, false) => self.failover(namespace, service, clients, errors),
        }
    }

    fn split(
        &self,
        namespace: &str,
        service: &str,
        clients: &[usize],
        errors: &mut Vec<Error>,
    ) -> PolicyTarget {
        let mut shares: Vec<(Destination, u32)> = Vec::new();
        for (i, share) in self.policy.route.iter().enumerate() {
            let field = format!("route[{i}]");
            let to = (share.cluster.as_str(), share.subset.as_ref());
            let Some(destination) = self.destination(&field, (namespace, service), to, errors)
            else {
                continue;
            };
            self.reachable(&field, namespace, service, clients, &destination, errors);
            if let Some(j) = shares.iter().position(|(before, _)| *before == destination) {
                let name = format!(
                    "{}{}",
                    share.cluster,
                    share.subset.as_ref().map_or(String::new(), |s| format!("/{s}"))
                );
                let first = format!("policies[{}].route[{j}]", self.at);
                errors.push(duplicate(&self.path(&field), "destination", &name, first));
            }
            shares.push((destination, share.weight));
        }
        let weights: Vec<u32> = self.policy.route.iter().map(|share| share.weight).collect();
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        if sum != 100 {
            let weights = weights.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            errors.push(Error::new(
                self.path("route"),
                Fault::Weights { policy: self.policy.name.clone(), weights, sum },
            ));
        }
        self.same_ports(namespace, service, shares.iter().map(|(d, _)| d.cluster), errors);
        shares.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        PolicyTarget::Split(shares)
    }

    /// A cluster that runs the service, and one of its subsets there.
    fn destination(
        &self,
        field: &str,
        (namespace, service): (&str, &str),
        (cluster_name, subset): (&str, Option<&String>),
        errors: &mut Vec<Error>,
    ) -> Option<Destination> {
        let index = match self.known.cluster(cluster_name) {
            Ok(index) => index,
            Err(fault) => {
                let path = self.path(&format!("{field}.cluster"));
                errors.extend(fault.map(|fault| Error::new(path, fault)));
                return None;
            }
        };
        let Some(found) = self.mesh.service_on(&self.mesh.clusters[index], namespace, service)
        else {
            let found = format!("{namespace}/{service} on {cluster_name}");
            let (what, meant, also) = ("service", None, Vec::new());
            let fault = Fault::UnknownName { what, found, meant, also };
            self.report(self.path(&format!("{field}.cluster")), fault, errors);
            return None;
        };
        if let Some(subset) = subset
            && !found.subsets.iter().any(|known| known.name == *subset)
        {
            let meant = nearest(subset, found.subsets.iter().map(|known| known.name.as_str()));
            let found = format!("{subset} of {namespace}/{service} on {cluster_name}");
            let fault = Fault::UnknownName { what: "subset", found, meant, also: Vec::new() };
            self.report(self.path(&format!("{field}.subset")), fault, errors);
            return None;
        }
        Some(Destination { cluster: index, subset: subset.cloned() })
    }

    /// Checks that every client has or imports the destination.
    fn reachable(
        &self,
        field: &str,
        namespace: &str,
        service: &str,
        clients: &[usize],
        to: &Destination,
        errors: &mut Vec<Error>,
    ) {
        let home = &self.mesh.clusters[to.cluster];
        let Some(found) = self.mesh.service_on(home, namespace, service) else { return };
        for client in clients
            .iter()
            .filter(|client| **client != to.cluster && !found.importers.contains(client))
        {
            self.not_imported(field, *client, to.cluster, errors);
        }
    }

    fn not_imported(&self, field: &str, client: usize, to: usize, errors: &mut Vec<Error>) {
        let fault = Fault::NotImported {
            policy: self.policy.name.clone(),
            client: self.mesh.clusters[client].name.clone(),
            service: self.policy.service.clone(),
            cluster: self.mesh.clusters[to].name.clone(),
        };
        self.report(self.path(field), fault, errors);
    }

    fn same_ports(
        &self,
        namespace: &str,
        service: &str,
        clusters: impl Iterator<Item = usize>,
        errors: &mut Vec<Error>,
    ) {
        let ports = |cluster: &MeshCluster| {
            let found = self.mesh.service_on(cluster, namespace, service);
            let ports = found.map_or(&[][..], |service| &service.ports);
            ports
                .iter()
                .map(|p| format!("{} {}", p.number, p.protocol.as_str()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let all: BTreeSet<usize> = clusters.collect();
        let mut all = all.into_iter().map(|index| &self.mesh.clusters[index]);
        let Some(first) = all.next() else { return };
        // A service without ports is an error of its own.
        let differs =
            |other: &&MeshCluster| !ports(other).is_empty() && ports(other) != ports(first);
        for other in all.filter(|_| !ports(first).is_empty()).filter(differs) {
            let fault = Fault::PortsDiffer {
                service: self.policy.service.clone(),
                first_cluster: first.name.clone(),
                first: ports(first),
                second_cluster: other.name.clone(),
                second: ports(other),
            };
            errors.push(Error::new(format!("policies[{}]", self.at), fault));
        }
    }

    fn failover(
        &self,
        namespace: &str,
        service: &str,
        clients: &[usize],
        errors: &mut Vec<Error>,
    ) -> PolicyTarget {
        let mut order: Vec<usize> = Vec::new();
        for (i, name) in self.policy.failover.iter().enumerate() {
            let field = format!("failover[{i}]");
            let Some(to) = self.destination(&field, (namespace, service), (name, None), errors)
            else {
                continue;
            };
            self.reachable(&field, namespace, service, clients, &to, errors);
            if let Some(j) = order.iter().position(|before| *before == to.cluster) {
                let first = format!("policies[{}].failover[{j}]", self.at);
                errors.push(duplicate(&self.path(&field), "cluster", name, first));
            }
            order.push(to.cluster);
        }
        if self.policy.outlier_detection.is_none() {
            let what = format!("the failover of policy `{}`", self.policy.name);
            let needs = "outlierDetection: without it, Istio never considers an endpoint unhealthy";
            errors.push(Error::new(self.path("outlierDetection"), Fault::Needs { what, needs }));
        }
        self.same_ports(namespace, service, order.iter().copied(), errors);
        for client in clients {
            if let Some(why) = self.failover_problem(&self.mesh.clusters[*client], &order) {
                let cluster = self.mesh.clusters[*client].name.clone();
                let fault = Fault::Failover { service: self.policy.service.clone(), cluster, why };
                errors.push(Error::new(self.path("failover"), fault));
            }
        }
        PolicyTarget::Failover(order)
    }

    /// Why a client cannot fail over; `None` if it can.
    fn failover_problem(&self, client: &MeshCluster, order: &[usize]) -> Option<String> {
        let clusters = || order.iter().map(|index| &self.mesh.clusters[*index]);
        let registry = clusters()
            .filter(|to| to.index != client.index && to.remote_secrets && client.remote_secrets);
        let (registry, remote) =
            (registry.count(), clusters().filter(|to| to.index != client.index).count());
        if client.version < FAILOVER_SINCE {
            return Some(format!(
                "it runs Istio {}, and failover by label needs 1.18",
                client.version
            ));
        }
        if let Some(old) = clusters().find(|to| to.version < Version::new(1, 8, 0)) {
            return Some(format!(
                "`{}` runs Istio {}, whose gateway accepts only `.global` names",
                old.name, old.version
            ));
        }
        if registry > 0 && registry < remote {
            return Some("some of the clusters use remote secrets and others do not".into());
        }
        if registry > 0 && order.len() > 2 {
            return Some(
                "with remote secrets, Istio can prefer only one cluster to all others: list exactly two clusters".into(),
            );
        }
        let domains: BTreeSet<&str> = clusters().map(|to| to.domain.as_str()).collect();
        (domains.len() > 1)
            .then(|| "the clusters have different domains, but all calls use one SNI".into())
    }

    fn time(&self, field: &str, text: Option<&String>, errors: &mut Vec<Error>) -> Option<String> {
        let text = text?;
        let time = milliseconds(text);
        if time.is_none() {
            let expected = "whole numbers with units, such as 5s, 500ms or 1m30s";
            errors.push(Error::new(
                self.path(field),
                Fault::Value { what: "duration", found: text.clone(), expected },
            ));
        }
        time.map(seconds)
    }

    fn percent(&self, field: &str, value: Option<u32>, errors: &mut Vec<Error>) {
        if let Some(value) = value.filter(|value| *value > 100) {
            let fault =
                Fault::Value { what: "percentage", found: value.to_string(), expected: "0 to 100" };
            errors.push(Error::new(self.path(field), fault));
        }
    }

    fn outlier(&self, errors: &mut Vec<Error>) -> Option<Outlier> {
        let outlier = self.policy.outlier_detection.as_ref()?;
        self.percent("outlierDetection.maxEjectionPercent", outlier.max_ejection_percent, errors);
        Some(Outlier {
            errors: outlier.consecutive_5xx_errors,
            interval: self.time("outlierDetection.interval", outlier.interval.as_ref(), errors),
            ejection: self.time(
                "outlierDetection.baseEjectionTime",
                outlier.base_ejection_time.as_ref(),
                errors,
            ),
            max_percent: outlier.max_ejection_percent,
        })
    }
}
