//! Random meshes with random faults: what `lint` says of their calls, next to what istiod's generators make of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshconfig::address::Taken;
use meshconfig::lint::{self, LintCluster, LintProblem, LintSeverity};
use meshconfig::mesh::MeshCluster;
use meshconfig::{Lock, Mesh, Spec, render};
use serde_json::{Value, json};

use crate::NOW;
use crate::random::Random;

mod fault;
mod verdict;

pub use verdict::{Wanted, request, wanted};

/// A namespace with resources of its own, from which calls are made.
const CLIENT: &str = "client";
/// Every namespace from which calls are made.
const CLIENTS: [&str; 3] = [CLIENT, "n0", "n1"];
/// Names of clusters.
const CLUSTERS: [&str; 3] = ["a", "b", "c"];

/// A mesh, and the resources of each cluster after the faults.
#[derive(Debug)]
pub struct Case {
    /// The spec.
    pub spec: String,
    /// The mesh.
    pub mesh: Mesh,
    /// Cluster -> its resources: rendered ones, Services, and those of others.
    pub resources: BTreeMap<String, Vec<Value>>,
    /// What was done to them.
    pub faults: Vec<String>,
}

/// The case of a seed.
///
/// # Panics
/// When the spec is invalid.
#[must_use]
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let text = spec(&mut random);
    let mesh = Mesh::new(&Spec::read(&text).expect("a spec")).expect(&text);
    let addresses = Lock::default().assign(&mesh, &Taken::new(), NOW).expect("addresses");
    let mut resources: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for cluster in mesh.clusters() {
        let rendered = render(&mesh, cluster, &addresses).into_iter().map(|r| r.value);
        let services = mesh.services().iter().filter(|s| mesh.home(s).name == cluster.name);
        resources.insert(cluster.name.clone(), rendered.chain(services.map(service)).collect());
    }
    let mut case = Case { spec: text, mesh, resources, faults: Vec::new() };
    for _ in 0..[0, 1, 1, 1, 2, 3][random.below(6)] {
        if let Some(fault) = fault::add(&mut random, &mut case) {
            case.faults.push(fault);
        }
    }
    case
}

/// The Service of a service of the spec; its pods listen on another port.
fn service(service: &meshconfig::mesh::Service) -> Value {
    let port = |port: &meshconfig::spec::Port| json!({"name": port.name, "port": port.number, "targetPort": port.number + 1000});
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": service.namespace},
        "spec": {"selector": {"app": service.name}, "ports": service.ports.iter().map(port).collect::<Vec<_>>()},
    })
}

fn spec(random: &mut Random) -> String {
    let clusters = &CLUSTERS[..2 + random.below(2)];
    let secrets: Vec<bool> = clusters.iter().map(|_| random.one_in(2)).collect();
    let mut text = String::from("apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n");
    for (n, (name, secret)) in clusters.iter().zip(&secrets).enumerate() {
        let _ = writeln!(
            text,
            "- {{name: {name}, istioVersion: 1.30.3, remoteSecrets: {secret}, gateway: {{addresses: [192.0.2.{n}]}}}}"
        );
    }
    text += "services:\n";
    let mut policies = String::new();
    for n in 0..=random.below(3) {
        let ports = [
            "{name: http, number: 80, protocol: HTTP}",
            "{name: tcp-db, number: 5432, protocol: TCP}",
        ];
        let ports = ports[..=random.below(2)].join(", ");
        let homes: Vec<usize> = (0..clusters.len()).filter(|_| random.one_in(2)).collect();
        let homes = if homes.is_empty() { vec![0] } else { homes };
        for home in &homes {
            let subsets =
                ["{name: v1, labels: {version: v1}}", "{name: v2, labels: {version: v2}}"];
            let subsets = subsets[..random.below(3)].join(", ");
            let callers =
                clusters.iter().enumerate().filter(|(i, _)| i != home && random.below(3) > 0);
            let callers: Vec<&str> = callers.map(|(_, name)| *name).collect();
            let _ = writeln!(
                text,
                "- {{name: s{n}, namespace: n{}, cluster: {}, ports: [{ports}], subsets: [{subsets}], serviceAccounts: [s{n}], importedBy: [{}]}}",
                n % 2,
                clusters[*home],
                callers.join(", ")
            );
            if policies.is_empty() && !callers.is_empty() && random.one_in(3) {
                let _ = writeln!(
                    policies,
                    "policies:\n- {{name: p, service: n{}/s{n}, clients: [{}], route: [{{cluster: {}, weight: 100}}]}}",
                    n % 2,
                    callers[0],
                    clusters[*home]
                );
            }
        }
    }
    text + &policies
}

/// What lint says of the calls.
#[must_use]
pub fn ours(case: &Case) -> Vec<LintProblem> {
    let resources = |cluster: &MeshCluster| case.resources[&cluster.name].iter().collect();
    let clusters = case.mesh.clusters().iter();
    let clusters: Vec<LintCluster<'_>> =
        clusters.map(|cluster| LintCluster::new(cluster, resources(cluster))).collect();
    let mut problems = lint::rules(&clusters);
    problems.retain(|problem| problem.code == "lint/subset-undefined");
    problems.extend(lint::calls(&case.mesh, &clusters));
    problems
}

/// The problems with which a call cannot arrive.
#[must_use]
pub fn fatal(problems: &[LintProblem]) -> Vec<&LintProblem> {
    let is_fatal = |problem: &&LintProblem| {
        problem.severity == LintSeverity::Error
            || (problem.code == "lint/hidden"
                && problem.resource.starts_with(&format!("Sidecar {CLIENT}/")))
    };
    problems.iter().filter(is_fatal).collect()
}
