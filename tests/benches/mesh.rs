//! Rendering, linting and planning to apply 2,000 services on 20 clusters, each imported by all others, and the cost of
//! twice as many.

use std::fmt::Write as _;

use meshconfig::address::Taken;
use meshconfig::apply::{changes, steps};
use meshconfig::lint::{
    self, LintCluster, LintSeverity, PreflightCluster, PreflightProblem, preflight,
};
use meshconfig::{Lock, Mesh, Renderer, Resource, Spec, render};
use serde_json::Value;
use tests::NOW;

const CLUSTERS: usize = 20;

fn main() {
    let test = std::env::args().any(|arg| arg == "--test");
    let (small, large) = if test { (20, 40) } else { (1000, 2000) };
    // The first run pays for pages of memory.
    let _ = run(small);
    let (first, second) = (run(small), run(large));
    let ratio = second.seconds / first.seconds;
    println!(
        "{large} services on {CLUSTERS} clusters: {} resources, {} MiB of YAML in {:.2} s of one core (5 s promised)",
        second.resources,
        second.bytes >> 20,
        second.seconds
    );
    println!(
        "{large} against {small} services: {ratio:.2} times as long, {:.2} times as many resources",
        second.resources as f64 / first.resources as f64
    );
    for (what, judged) in [("lint", lint as Judged), ("the plan of apply", plan as Judged)] {
        let (first, second) = (judge(small, judged), judge(large, judged));
        println!(
            "{what}: {second:.2} s of one core (6 s promised), {:.2} times as long",
            second / first
        );
    }
    if let Some(kib) = peak() {
        println!("peak memory: {} MiB (1024 promised)", kib >> 10);
    }
}

/// What judges the rendered resources of every cluster.
type Judged = fn(&Mesh, &[Vec<Resource>]);

/// Seconds that it takes.
fn judge(services: usize, judged: Judged) -> f64 {
    let mesh = Mesh::new(&Spec::read(&spec(services)).expect("a spec")).expect("a mesh");
    let addresses = Lock::default().assign(&mesh, &Taken::new(), NOW).expect("addresses");
    let mut renderer = Renderer::new(&mesh, &addresses);
    let rendered: Vec<Vec<Resource>> =
        mesh.clusters().iter().map(|cluster| renderer.render(cluster)).collect();
    let start = cpu_seconds();
    judged(&mesh, &rendered);
    cpu_seconds() - start
}

fn lint(mesh: &Mesh, rendered: &[Vec<Resource>]) {
    let clusters: Vec<LintCluster<'_>> = mesh
        .clusters()
        .iter()
        .zip(rendered)
        .map(|(cluster, resources)| {
            LintCluster::new(cluster, resources.iter().map(|resource| &*resource.value).collect())
        })
        .collect();
    let problems = lint::lint(mesh, &clusters);
    assert!(problems.iter().all(|problem| problem.severity < LintSeverity::Error));
}

/// Every cluster has all resources but those of every hundredth service.
fn plan(mesh: &Mesh, rendered: &[Vec<Resource>]) {
    let live: Vec<Vec<Value>> = rendered
        .iter()
        .map(|wanted| {
            let kept = wanted.iter().enumerate().filter(|(n, _)| n % 100 != 0);
            kept.map(|(_, resource)| resource.clone().into_value()).collect()
        })
        .collect();
    let clusters: Vec<PreflightCluster<'_>> = mesh
        .clusters()
        .iter()
        .zip(rendered.iter().zip(&live))
        .map(|(cluster, (wanted, live))| PreflightCluster {
            name: &cluster.name,
            live,
            deciding: &[],
            wanted,
        })
        .collect();
    let changes =
        clusters.iter().map(|c| (c.name.to_owned(), changes(&mesh.name, c.wanted, c.live)));
    let steps = steps(&changes.collect());
    let problems = preflight(mesh, &clusters);
    assert!(!steps.is_empty() && !problems.iter().any(PreflightProblem::refuses));
}

struct Run {
    seconds: f64,
    resources: usize,
    bytes: usize,
}

/// From the spec's text to every cluster's YAML, one cluster after the other.
fn run(services: usize) -> Run {
    let text = spec(services);
    let start = cpu_seconds();
    let spec = Spec::read(&text).expect("a spec");
    let mesh = Mesh::new(&spec).expect("a mesh");
    let addresses = Lock::default().assign(&mesh, &Taken::new(), NOW).expect("addresses");
    let (mut resources, mut bytes) = (0, 0);
    for cluster in mesh.clusters() {
        for resource in render(&mesh, cluster, &addresses) {
            resources += 1;
            bytes += resource.yaml().len();
        }
    }
    Run { seconds: cpu_seconds() - start, resources, bytes }
}

fn spec(services: usize) -> String {
    let mut text = String::from("apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n");
    for n in 0..CLUSTERS {
        let _ = writeln!(
            text,
            "- {{name: c{n}, istioVersion: 1.30.3, trustDomain: td{n}, gateway: {{addresses: [192.0.2.{n}]}}}}"
        );
    }
    text += "services:\n";
    for n in 0..services {
        let cluster = n % CLUSTERS;
        let _ = writeln!(
            text,
            "- {{name: s{n}, namespace: n{}, cluster: c{cluster}, ports: [{{name: http, number: 80, protocol: HTTP}}], \
             subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}], serviceAccounts: [s{n}], importedBy: ['*']}}",
            n % 50
        );
    }
    text
}

/// Seconds this process had a core: what others do on the machine does not count.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    std::time::Duration::from_nanos(nanoseconds.unwrap_or(0)).as_secs_f64()
}

/// The most memory this process ever had, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
