//! Calls that the spec wants: of ServiceEntries that must be there, and of services that istiods know from each other's
//! API servers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{Call, Calls, clients, subsets};
use crate::dialect::multi_primary::{CLUSTER_LABEL, pinned};
use crate::lint::text;
use crate::mesh::Service;
use crate::reach::{self, ANY_NAMESPACE, Sent, View, is_exported, namespace};
use crate::route::Route;
use crate::spec::Port;

use super::problem::Cause;

impl<'a> Calls<'a> {
    /// Judges a route of the spec.
    pub(super) fn route(&mut self, route: &Route<'a>) {
        let (from, to) = (&self.views[route.from.index], &self.views[route.to.index]);
        if !route.by_registry() {
            return self.named(from, route);
        }
        if route.is_direct() {
            return;
        }
        let host = route.service.local_host(route.from);
        let first = self.first_known(from, &host);
        let resource = first.and_then(|view| view.services.get(&host)?.resource);
        if let Some(resource) = resource.filter(|one| !is_exported(one, ANY_NAMESPACE)) {
            let call = Call { host: &host, subset: "", port: 0, client: "" };
            self.fail(from, call, Some(resource), to.cluster.index, Cause::NotExported);
        }
        for port in &route.service.ports {
            let number = match first {
                None => port.number,
                Some(view) => match self.as_called(view, &host, route.service, port) {
                    Ok(number) => number,
                    Err(cause) => {
                        let call = Call { host: &host, subset: "", port: port.number, client: "" };
                        self.fail(from, call, None, to.cluster.index, cause);
                        continue;
                    }
                },
            };
            self.by_registry(from, to, (&route.service.namespace, &host, number));
            let subsets = route.service.subsets.iter();
            let subsets = subsets.map(|subset| pinned(Some(&subset.name), &route.to.name));
            // A policy sends calls to the whole service; that no rule at all defines it is for `lint`.
            let whole = pinned(None, &route.to.name);
            let is_led = from.leads_to(&host, &whole) && from.rules.define(&host, &whole);
            let subsets: Vec<String> = subsets.chain(is_led.then_some(whole)).collect();
            let place = (route.service.namespace.as_str(), host.as_str(), number);
            self.defined(from, route.to.index, place, &subsets);
        }
    }

    /// The cluster as whose service a caller's istiod sees a host: its own, or else the first whose registry it reads. It
    /// reads them in the order of their secrets, which have the names of the clusters; from the others it takes
    /// endpoints, addresses and accounts (`pilot/pkg/serviceregistry/aggregate/controller.go: Services, mergeService`).
    fn first_known(&self, from: &View<'a>, host: &str) -> Option<&'a View<'a>> {
        let (views, place) = (self.views, from.cluster.index);
        let is_other =
            |view: &&View<'_>| view.cluster.remote_secrets && view.cluster.index != place;
        let mut all = [&views[place]].into_iter().chain(views.iter().filter(is_other));
        all.find(|view| view.services.contains_key(host))
    }

    /// The number by which a port of a service is called that is seen as another cluster's: istiod matches ports by name.
    /// It fails if there is no port of this name, or, in the cluster, with another number than in the spec.
    fn as_called(
        &self,
        view: &View<'_>,
        host: &str,
        service: &Service,
        port: &Port,
    ) -> Result<u16, Cause<'a>> {
        let known = view.services.get(host).map_or(&[][..], |known| known.ports.as_slice());
        let seen = self.mesh.service_on(view.cluster, &service.namespace, &service.name);
        let named =
            |ports: &[Port]| ports.iter().find(|one| one.name == port.name).map(|one| one.number);
        // A service that the spec does not have is as the cluster has it.
        let number = match seen {
            Some(seen) => named(&seen.ports),
            None => known.iter().find(|(_, name)| *name == port.name).map(|(number, _)| *number),
        };
        number.filter(|number| known.contains(&(*number, &port.name))).ok_or_else(|| {
            let own = known.iter().map(|(number, name)| format!("{name} {number}")).collect();
            Cause::PortDiffers { cluster: view.cluster.name.clone(), name: port.name.clone(), own }
        })
    }

    /// A service called by its name for remote callers needs an entry that all see.
    fn named(&mut self, from: &View<'a>, route: &Route<'a>) {
        let host = self.mesh.remote_host(route.service);
        let port = route.service.ports.first().map_or(0, |port| port.number);
        let call = Call { host: &host, subset: "", port, client: "" };
        let known = from.services.get(&host).map(|known| known.resource);
        match known.flatten() {
            None => self.fail(from, call, None, route.to.index, Cause::NoEntry),
            Some(entry) if !is_exported(entry, ANY_NAMESPACE) => {
                self.fail(from, call, Some(entry), route.to.index, Cause::NotExported);
            }
            Some(entry) => {
                let subsets = route.service.subsets.iter().map(|subset| subset.name.clone());
                let place = (namespace(entry), host.as_str(), port);
                self.defined(from, route.to.index, place, &subsets.collect::<Vec<_>>());
            }
        }
    }

    /// Whether callers have the subsets that the spec gives them; not if the whole service fails already.
    fn defined(
        &mut self,
        from: &View<'a>,
        to: usize,
        (home, host, port): (&str, &str, u16),
        wanted: &[String],
    ) {
        if self.has_failed(from, host, to) {
            return;
        }
        let mut usual = Vec::new();
        for client in clients(from, host) {
            let rules = from.rules.find(client, home, host);
            let missing: Vec<&String> =
                wanted.iter().filter(|name| rules.subset(name).is_none()).collect();
            if client == ANY_NAMESPACE {
                usual.clone_from(&missing);
            } else if missing == usual {
                continue;
            }
            for subset in missing {
                let call = Call { host, subset, port, client };
                self.fail(from, call, rules.first(), to, Cause::NoSubset);
            }
        }
    }

    fn by_registry(
        &mut self,
        from: &View<'a>,
        to: &View<'a>,
        (home, host, port): (&str, &str, u16),
    ) {
        let gateway = to.cluster.gateway.as_ref().map(|gateway| gateway.port);
        let mut usual = Vec::new();
        for client in clients(from, host) {
            let rules = from.rules.find(client, home, host);
            let all: Vec<_> = subsets(&rules)
                .into_iter()
                .filter(|(name, subset)| {
                    subset
                        .is_none_or(|subset| is_called(from, host, name, subset, &to.cluster.name))
                })
                .map(|(subset, _)| {
                    (subset, reach::registry(from, &rules, home, (host, subset, port)))
                })
                .collect();
            if client == ANY_NAMESPACE {
                usual.clone_from(&all);
            } else if all == usual {
                continue;
            }
            for (subset, sent) in all {
                let call = Call { host, subset, port, client };
                let dropped = reach::dropped((from, to), &rules, (host, subset, port));
                if let Some((lack, doubt)) = dropped.filter(|_| matches!(sent, Sent::Mutual { .. }))
                {
                    let cause = Cause::Dropped { lack, doubt };
                    self.fail(from, call, rules.first(), to.cluster.index, cause);
                    continue;
                }
                let lead = [(to.cluster.index, gateway)];
                self.at_gateways(from, call, &sent, (rules.first(), &lead));
            }
        }
    }
}

/// Whether a subset is of a cluster, or of any and a VirtualService leads to it. Others are for the gateway.
fn is_called(from: &View<'_>, host: &str, name: &str, subset: &Value, cluster: &str) -> bool {
    match text(&subset["labels"][CLUSTER_LABEL]) {
        "" => from.leads_to(host, name),
        // The spec exports subsets; that of all pods is for policies.
        label if name == pinned(None, cluster) => label == cluster && from.leads_to(host, name),
        label => label == cluster,
    }
}
