//! Sidecars that hide from their workloads what the spec imports.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::Calls;
use crate::lint::{LintProblem, LintRemedy, LintSeverity, id};
use crate::reach::{hidden_by, namespace};
use crate::route::Route;

impl<'a> Calls<'a> {
    /// Adds a problem for each Sidecar that hides services.
    pub(super) fn sight(&mut self, routes: &[Route<'a>]) {
        let mut hosts: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
        for route in routes {
            let (home, host) = if route.by_registry() {
                (route.service.namespace.clone(), route.service.local_host(route.from))
            } else {
                (route.from.import_namespace.clone(), self.mesh.remote_host(route.service))
            };
            // What is not there is not hidden; that it is missing is another problem.
            let is_there = self.views[route.from.index].services.contains_key(&host);
            if route.by_registry() || is_there {
                hosts.entry(route.from.index).or_default().push((home, host));
            }
        }
        for (index, mut hosts) in hosts {
            hosts.dedup();
            let view = &self.views[index];
            let is_general = |sidecar: &&&Value| sidecar["spec"]["workloadSelector"].is_null();
            for sidecar in view.of("Sidecar").iter().filter(is_general) {
                let hidden: Vec<&str> = hosts
                    .iter()
                    .filter(|(home, host)| hidden_by(view, sidecar, home, host))
                    .map(|(_, host)| host.as_str())
                    .collect();
                if let Some(first) = hidden.first() {
                    let root = namespace(sidecar) == view.cluster.istio_namespace;
                    let problem = hiding(&view.cluster.name, sidecar, root, first, hidden.len());
                    self.problems.push(problem);
                }
            }
        }
    }
}

fn hiding(cluster: &str, sidecar: &Value, root: bool, first: &str, count: usize) -> LintProblem {
    let whose = if root {
        String::from("of every namespace without a Sidecar of its own")
    } else {
        format!("of namespace {}", namespace(sidecar))
    };
    let (more, them) = match count {
        1 => (String::new(), "it"),
        _ => (format!(" and {} more", count - 1), "them"),
    };
    LintProblem {
        code: "lint/hidden",
        // A namespace may hide what it does not call; a Sidecar for all hides it from whoever calls it.
        severity: if root { LintSeverity::Error } else { LintSeverity::Warning },
        cluster: cluster.into(),
        resource: id(sidecar),
        host: Some(first.into()),
        message: format!(
            "workloads {whose} cannot call `{first}`{more}: its egress hosts do not import {them}"
        ),
        source: "istio pilot/pkg/model/sidecar.go: selectServices",
        remedy: LintRemedy::ImportHosts,
    }
}
