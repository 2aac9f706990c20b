//! Which DestinationRule applies to a host (`pilot/pkg/model/push_context.go: destinationRule`, `destination_rule.go:
//! mergeDestinationRule`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde_json::Value;

use super::{by_age, covers, list, namespace, text};

/// The rules of a cluster, by namespace and host.
pub(crate) struct Rules<'a> {
    root: &'a str,
    /// Rules of a namespace for its own workloads.
    own: BTreeMap<&'a str, Hosts<'a>>,
    /// Rules of a namespace for others.
    exported: BTreeMap<&'a str, Hosts<'a>>,
    /// Namespaces with a rule of their own, by host; hosts with a wildcard are apart.
    exact: BTreeMap<&'a str, Vec<&'a str>>,
    wild: Vec<(&'a str, &'a str)>,
}

#[derive(Default)]
struct Hosts<'a> {
    exact: BTreeMap<&'a str, Vec<Merged<'a>>>,
    /// Longest first.
    wild: Vec<(&'a str, Vec<Merged<'a>>)>,
}

/// Rules for one host that istiod merges, because they are exported to the same namespaces.
struct Merged<'a> {
    to: BTreeSet<&'a str>,
    rules: Vec<&'a Value>,
}

/// The rules for one host, merged in order of age: the first has the traffic policy, and each adds its subsets.
#[derive(Clone, Default)]
pub(crate) struct Found<'a>(Vec<&'a Value>);

impl<'a> Rules<'a> {
    pub(super) fn new(root: &'a str, rules: &[&'a Value]) -> Self {
        let mut all = Self {
            root,
            own: BTreeMap::new(),
            exported: BTreeMap::new(),
            exact: BTreeMap::new(),
            wild: Vec::new(),
        };
        // Those for some workloads only apply to an unknown part of the callers.
        let is_for_all = |rule: &&Value| rule["spec"]["workloadSelector"].is_null();
        by_age(rules).into_iter().filter(is_for_all).for_each(|rule| all.add(rule));
        for hosts in all.own.values_mut().chain(all.exported.values_mut()) {
            hosts.wild.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(b.0)));
        }
        all
    }

    fn add(&mut self, rule: &'a Value) {
        let (home, host) = (namespace(rule), text(&rule["spec"]["host"]));
        let to: BTreeSet<&str> = list(&rule["spec"]["exportTo"]).iter().map(text).collect();
        let is_local = to.is_empty() || to.iter().any(|to| *to == "*" || *to == "." || *to == home);
        if is_local {
            self.own.entry(home).or_default().add(host, &to, rule);
            if host.starts_with('*') {
                self.wild.push((host, home));
            } else {
                self.exact.entry(host).or_default().push(home);
            }
        }
        if to.len() != 1 || !(to.contains(".") || to.contains(home)) {
            self.exported.entry(home).or_default().add(host, &to, rule);
        }
    }

    /// The rules that apply to calls from a namespace to a host of another: of several that are not merged, the last.
    pub(crate) fn find(&self, client: &str, home: &str, host: &str) -> Found<'a> {
        if client != self.root
            && let Some(found) = self.own.get(client).and_then(|hosts| hosts.find(host))
        {
            return found.last().map_or_else(Found::default, |merged| Found(merged.rules.clone()));
        }
        let sees = |merged: &&Merged<'_>| {
            let to = &merged.to;
            to.is_empty() || to.contains("*") || (!client.is_empty() && to.contains(client))
        };
        for namespace in [home, self.root] {
            let found = self.exported.get(namespace).and_then(|hosts| hosts.find(host));
            if let Some(merged) = found.and_then(|found| found.iter().rfind(sees)) {
                return Found(merged.rules.clone());
            }
        }
        Found::default()
    }

    /// Whether any rule for this host, visible or not, defines a subset.
    pub(crate) fn define(&self, host: &str, subset: &str) -> bool {
        let all = self.own.values().chain(self.exported.values());
        let rules = all.filter_map(|hosts| hosts.exact.get(host)).flatten().flat_map(|m| &m.rules);
        rules
            .into_iter()
            .any(|rule| list(&rule["spec"]["subsets"]).iter().any(|known| known["name"] == subset))
    }

    /// Namespaces whose workloads have rules of their own for a host.
    pub(crate) fn namespaces(&self, host: &str) -> Vec<&'a str> {
        let exact = self.exact.get(host).into_iter().flatten().copied();
        let wild = self.wild.iter().filter(|(wide, _)| covers(wide, host)).map(|(_, home)| *home);
        let mut all: Vec<&str> = exact.chain(wild).filter(|home| *home != self.root).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl<'a> Hosts<'a> {
    fn add(&mut self, host: &'a str, to: &BTreeSet<&'a str>, rule: &'a Value) {
        let known = if host.starts_with('*') {
            let at = self.wild.iter().position(|(wide, _)| *wide == host);
            let at = at.unwrap_or_else(|| {
                self.wild.push((host, Vec::new()));
                self.wild.len() - 1
            });
            &mut self.wild[at].1
        } else {
            self.exact.entry(host).or_default()
        };
        let mut is_apart = true;
        for merged in known.iter_mut() {
            let is_wider = !merged.to.is_empty() && to.is_superset(&merged.to);
            is_apart = !(*to == merged.to || is_wider);
            if !is_apart {
                merged.rules.push(rule);
            }
        }
        if is_apart {
            known.push(Merged { to: to.clone(), rules: [rule].into() });
        }
    }

    fn find(&self, host: &str) -> Option<&[Merged<'a>]> {
        let wild = || self.wild.iter().find(|(wide, _)| covers(wide, host)).map(|(_, rules)| rules);
        self.exact.get(host).or_else(wild).map(Vec::as_slice)
    }
}

impl<'a> Found<'a> {
    /// The rule whose traffic policy applies, or the first there is.
    pub(crate) fn first(&self) -> Option<&'a Value> {
        self.policy_rule().or_else(|| self.0.first().copied())
    }

    fn policy_rule(&self) -> Option<&'a Value> {
        self.0.iter().copied().find(|rule| !rule["spec"]["trafficPolicy"].is_null())
    }

    fn policy(&self) -> &'a Value {
        self.policy_rule().map_or(&Value::Null, |rule| &rule["spec"]["trafficPolicy"])
    }

    /// The subsets, each with its rule; of two with one name, the first.
    pub(crate) fn subsets(&self) -> Vec<(&'a Value, &'a Value)> {
        let mut all: Vec<(&Value, &Value)> = Vec::new();
        for rule in &self.0 {
            for subset in list(&rule["spec"]["subsets"]) {
                if !all.iter().any(|(known, _)| known["name"] == subset["name"]) {
                    all.push((subset, *rule));
                }
            }
        }
        all
    }

    pub(crate) fn subset(&self, name: &str) -> Option<(&'a Value, &'a Value)> {
        self.subsets().into_iter().find(|(subset, _)| subset["name"] == name)
    }

    /// `tls` of the Envoy cluster of a port and a subset, null if nothing sets it
    /// (`pilot/pkg/networking/util/util.go: MergeSubsetTrafficPolicy`).
    pub(crate) fn tls(&self, subset: &str, port: u16) -> &'a Value {
        let (general, _) = of_port(self.policy(), port);
        let null = &Value::Null;
        let own = self.subset(subset).map_or(null, |(subset, _)| &subset["trafficPolicy"]);
        let (own, is_of_port) = of_port(own, port);
        if is_of_port || !own["tls"].is_null() { &own["tls"] } else { &general["tls"] }
    }

    /// The TLS mode by which a gateway judges whether the endpoints of a port take mutual TLS: that of the subset alone,
    /// if there is one (`pilot/pkg/xds/endpoints/mtls_checker.go: tlsModeForDestinationRule`).
    pub(crate) fn endpoint_mode(&self, subset: &str, port: u16) -> Option<(&'a str, &'a Value)> {
        let (policy, rule) = if subset.is_empty() {
            (self.policy(), self.first()?)
        } else {
            let (subset, rule) = self.subset(subset)?;
            (&subset["trafficPolicy"], rule)
        };
        let (of_port, is_of_port) = of_port(policy, port);
        let tls = if is_of_port && !of_port["tls"].is_null() { of_port } else { policy };
        let mode = &tls["tls"];
        // The default of the field `mode` is DISABLE.
        (!mode.is_null()).then(|| (mode["mode"].as_str().unwrap_or("DISABLE"), rule))
    }
}

/// The settings of a port replace all others; whether there are any.
fn of_port(policy: &Value, port: u16) -> (&Value, bool) {
    let is_meant = |settings: &&Value| settings["port"]["number"] == port;
    match list(&policy["portLevelSettings"]).iter().find(is_meant) {
        Some(settings) => (settings, true),
        None => (policy, false),
    }
}
