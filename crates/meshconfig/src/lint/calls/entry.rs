//! Calls of a ServiceEntry whose endpoints are gateways.

use super::{Call, Calls, clients, subsets};
use crate::lint::{list, text};
use crate::reach::{self, View, namespace};
use serde_json::Value;

use alloc::vec::Vec;

use super::problem::Cause;

/// Where an endpoint leads to.
struct Lead {
    /// Clusters, and the port of the gateway if it is known.
    to: Vec<(usize, Option<u16>)>,
    /// The address is that of a gateway, but the port is not.
    wrong_port: Option<(u16, u16)>,
}

impl<'a> Calls<'a> {
    /// Judges every port and subset of every host of an entry.
    pub(super) fn entry(&mut self, view: &View<'a>, entry: &'a Value) {
        let endpoints = list(&entry["spec"]["endpoints"]);
        let is_ours = |endpoint: &Value| {
            self.gateways.contains_key(text(&endpoint["address"])) || is_moved(entry, endpoint)
        };
        if !endpoints.iter().any(is_ours) {
            return;
        }
        for host in list(&entry["spec"]["hosts"]).iter().map(text) {
            let mut usual = Vec::new();
            for client in clients(view, host) {
                let rules = view.rules.find(client, namespace(entry), host);
                let mut all = Vec::new();
                for (subset, value) in subsets(&rules) {
                    for port in list(&entry["spec"]["ports"]) {
                        let Some(number) = reach::port_number(&port["number"]) else { continue };
                        for endpoint in reach::endpoints(entry, value) {
                            let call = (host, subset, number);
                            let sent = reach::sent(view, &rules, entry, endpoint, call);
                            all.push((subset, port, number, endpoint, sent));
                        }
                    }
                }
                if client == reach::ANY_NAMESPACE {
                    usual.clone_from(&all);
                } else if all == usual {
                    continue;
                }
                let by = rules.first().unwrap_or(entry);
                for (subset, port, number, endpoint, sent) in all {
                    let call = Call { host, subset, port: number, client };
                    let lead = self.lead(view, entry, endpoint, port, number);
                    if let Some((wrong, right)) = lead.wrong_port
                        && let Some((to, _)) = lead.to.first()
                    {
                        self.fail(
                            view,
                            call,
                            Some(entry),
                            *to,
                            Cause::GatewayPort { wrong, right },
                        );
                    } else {
                        self.at_gateways(view, call, &sent, (Some(by), &lead.to));
                    }
                }
            }
        }
    }

    /// The clusters an endpoint leads to: those whose gateway has its address, that of its label, or, if its port is not
    /// that of the service, any other with a gateway.
    fn lead(
        &self,
        view: &View<'a>,
        entry: &Value,
        endpoint: &Value,
        port: &Value,
        number: u16,
    ) -> Lead {
        let own = reach::port_number(&endpoint["ports"][text(&port["name"])]);
        let at = own.or_else(|| reach::port_number(&port["targetPort"])).unwrap_or(number);
        let others = |index: &usize| *index != view.cluster.index;
        if let Some(clusters) = self.gateways.get(text(&endpoint["address"])) {
            let ports = |index: &usize| {
                self.views[*index].cluster.gateway.as_ref().map(|gateway| gateway.port)
            };
            let to: Vec<_> =
                clusters.iter().copied().filter(others).map(|i| (i, ports(&i))).collect();
            let matching: Vec<_> = to.iter().copied().filter(|(_, p)| *p == Some(at)).collect();
            let wrong_port = match to.first() {
                Some((_, Some(right))) if matching.is_empty() => Some((at, *right)),
                _ => None,
            };
            return Lead { to: if matching.is_empty() { to } else { matching }, wrong_port };
        }
        let label = self.mesh.cluster(text(&endpoint["labels"]["cluster"]));
        let to = match label.filter(|cluster| others(&cluster.index)) {
            _ if !is_moved(entry, endpoint) => Vec::new(),
            Some(cluster) => [(cluster.index, None)].into(),
            None => self
                .views
                .iter()
                .filter(|to| others(&to.cluster.index) && !to.of("Gateway").is_empty())
                .map(|to| (to.cluster.index, None))
                .collect(),
        };
        Lead { to, wrong_port: None }
    }
}

/// Whether an endpoint of a service inside the mesh has another port than the service: that of a gateway.
fn is_moved(entry: &Value, endpoint: &Value) -> bool {
    let moved = |port: &Value| {
        let own = &endpoint["ports"][text(&port["name"])];
        !own.is_null() && *own != port["number"]
    };
    entry["spec"]["location"] == "MESH_INTERNAL" && list(&entry["spec"]["ports"]).iter().any(moved)
}
