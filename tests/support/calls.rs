//! Random meshes with random faults: what `lint` says of their calls, and what `explain` says of those without faults, next
//! to what istiod's generators make of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshconfig::address::Taken;
use meshconfig::lint::{self, LintCluster, LintProblem, LintSeverity};
use meshconfig::mesh::MeshCluster;
use meshconfig::{Error, Fault, Lock, Mesh, Resource, Spec, render};
use serde_json::{Value, json};

use crate::NOW;
use crate::random::Random;

mod explained;
mod fault;
mod verdict;

pub use explained::differences;
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
    let mut case = rendered(spec(&mut random, policy));
    for _ in 0..[0, 1, 1, 1, 2, 3][random.below(6)] {
        if let Some(fault) = fault::add(&mut random, &mut case) {
            case.faults.push(fault);
        }
    }
    case
}

/// The case of a seed without faults, with all kinds of policies: the first whose order of failover is possible.
///
/// # Panics
/// When the spec is invalid for another reason.
#[must_use]
pub fn sound_case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    loop {
        let text = spec(&mut random, any_policy);
        let errors = Mesh::new(&Spec::read(&text).expect("a spec")).err().unwrap_or_default();
        let is_order = |error: &Error| matches!(*error.fault, Fault::Failover { .. });
        if errors.is_empty() || !errors.iter().all(is_order) {
            return rendered(text);
        }
    }
}

fn rendered(text: String) -> Case {
    let mesh = Mesh::new(&Spec::read(&text).expect("a spec")).expect(&text);
    let addresses = Lock::default().assign(&mesh, &Taken::new(), NOW).expect("addresses");
    let mut resources: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for cluster in mesh.clusters() {
        let rendered = render(&mesh, cluster, &addresses).into_iter().map(Resource::into_value);
        let services = mesh.services().iter().filter(|s| mesh.home(s).name == cluster.name);
        resources.insert(cluster.name.clone(), rendered.chain(services.map(service)).collect());
    }
    Case { spec: text, mesh, resources, faults: Vec::new() }
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

/// A service of a random spec, on one of its clusters.
struct Home {
    cluster: &'static str,
    subsets: usize,
    callers: Vec<&'static str>,
}

/// What makes the policy of a service; empty if there is none.
type MakePolicy = fn(&mut Random, &str, &[Home]) -> String;

fn spec(random: &mut Random, policy: MakePolicy) -> String {
    let clusters = &CLUSTERS[..2 + random.below(2)];
    let mut text = String::from("apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n");
    for (n, name) in clusters.iter().enumerate() {
        let secret = random.one_in(2);
        let _ = writeln!(
            text,
            "- {{name: {name}, istioVersion: 1.30.3, remoteSecrets: {secret}, gateway: {{addresses: [192.0.2.{n}]}}}}"
        );
    }
    text += "services:\n";
    let mut policies = String::new();
    for n in 0..=random.below(3) {
        let homes = service_on_clusters(random, clusters, n, &mut text);
        policies += &policy(random, &format!("n{}/s{n}", n % 2), &homes);
    }
    if policies.is_empty() { text } else { text + "policies:\n" + &policies }
}

/// Writes a service on some of the clusters, with the same ports on each.
fn service_on_clusters(
    random: &mut Random,
    clusters: &[&'static str],
    n: usize,
    text: &mut String,
) -> Vec<Home> {
    let ports = [
        "{name: http, number: 80, protocol: HTTP}",
        "{name: tcp-db, number: 5432, protocol: TCP}",
        "{name: tls, number: 443, protocol: TLS}",
    ];
    let ports = ports[..=random.below(3)].join(", ");
    let homes: Vec<usize> = (0..clusters.len()).filter(|_| random.one_in(2)).collect();
    let homes = if homes.is_empty() { vec![0] } else { homes };
    let mut all = Vec::new();
    for home in homes {
        let known = ["{name: v1, labels: {version: v1}}", "{name: v2, labels: {version: v2}}"];
        let subsets = random.below(3);
        let callers =
            clusters.iter().enumerate().filter(|(i, _)| *i != home && random.below(3) > 0);
        let callers: Vec<&str> = callers.map(|(_, name)| *name).collect();
        let _ = writeln!(
            text,
            "- {{name: s{n}, namespace: n{}, cluster: {}, ports: [{ports}], subsets: [{}], serviceAccounts: [s{n}], importedBy: [{}]}}",
            n % 2,
            clusters[home],
            known[..subsets].join(", "),
            callers.join(", ")
        );
        all.push(Home { cluster: clusters[home], subsets, callers });
    }
    all
}

/// All calls of one caller go to one cluster.
fn policy(random: &mut Random, service: &str, homes: &[Home]) -> String {
    let called: Vec<&Home> = homes.iter().filter(|home| !home.callers.is_empty()).collect();
    let Some(home) = called.first().filter(|_| random.one_in(3)) else { return String::new() };
    format!(
        "- {{name: {}, service: {service}, clients: [{}], route: [{{cluster: {}, weight: 100}}]}}\n",
        service.replace('/', "-"),
        home.callers[0],
        home.cluster
    )
}

/// Calls of one caller are split between clusters and subsets, go to the first cluster with healthy endpoints, or have a
/// time limit only.
fn any_policy(random: &mut Random, service: &str, homes: &[Home]) -> String {
    let Some(client) = homes.iter().find_map(|home| home.callers.first()) else {
        return String::new();
    };
    let open = |home: &&Home| home.cluster == *client || home.callers.contains(client);
    let reached: Vec<&Home> = homes.iter().filter(open).collect();
    let start = format!(
        "- {{name: {}, service: {service}, clients: [{client}], ",
        service.replace('/', "-")
    );
    match random.below(4) {
        0 => format!("{start}timeout: 5s}}\n"),
        1 if reached.len() == 2 => {
            let order: Vec<&str> = reached.iter().map(|home| home.cluster).collect();
            let order =
                if random.one_in(2) { order.join(", ") } else { [order[1], order[0]].join(", ") };
            format!("{start}failover: [{order}], outlierDetection: {{consecutive5xxErrors: 2}}}}\n")
        }
        2 => String::new(),
        _ => {
            let mut left = 100;
            let mut route = Vec::new();
            for (n, home) in reached.iter().enumerate() {
                let weight = if n + 1 == reached.len() { left } else { 1 + random.below(left - 2) };
                left -= weight;
                let subset = match random.below(home.subsets + 1) {
                    0 => String::new(),
                    n => format!(", subset: v{n}"),
                };
                route.push(format!("{{cluster: {}{subset}, weight: {weight}}}", home.cluster));
            }
            format!("{start}route: [{}]}}\n", route.join(", "))
        }
    }
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
