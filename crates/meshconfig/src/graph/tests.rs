use alloc::string::ToString;

use super::*;
use crate::spec::Spec;

fn mesh(text: &str) -> Mesh {
    Mesh::new(&Spec::read(text).unwrap()).unwrap()
}

fn all(text: &str) -> Graph {
    Graph::new(&mesh(text), &BTreeSet::new())
}

const SPEC: &str = "apiVersion: meshctl/v1\nkind: Mesh\nname: m\nclusters:\n\
    - {name: a, istioVersion: 1.30.3, trustDomain: one, remoteSecrets: true}\n\
    - {name: b, istioVersion: 1.30.3, trustDomain: one, remoteSecrets: true, gateway: {addresses: ['fd00::1', 192.0.2.1]}}\n\
    - {name: c, istioVersion: 1.6.4, trustDomain: two, gateway: {addresses: [gw.example], port: 31443}}\n\
    services:\n\
    - {name: s, namespace: n, cluster: b, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: [a]}\n\
    - {name: s, namespace: n, cluster: c, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: ['*']}\n";

#[test]
fn mermaid_text() {
    assert_eq!(
        all(SPEC).mermaid(),
        r#"flowchart LR
  subgraph t0["trust domain one"]
    c0["a<br/>Istio 1.30.3"]
    c1["b<br/>Istio 1.30.3"]
    g2{{"gateway 192.0.2.1:15443 +1"}} --> c1
  end
  subgraph t1["trust domain two"]
    c3["c<br/>Istio 1.6.4"]
    g4{{"gateway gw.example:31443"}} --> c3
  end
  c0 -.->|"n/s"| g2
  c0 -->|"n/s<br/>rewritten"| g4
  c1 -->|"n/s<br/>rewritten"| g4
  legend["solid: through the gateway of the other cluster<br/>rewritten: an EnvoyFilter at the gateway rewrites the name<br/>dashed: through the gateway, to pods known from remote secrets"]
  style legend fill:none,stroke-dasharray:4 4,text-align:left
"#
    );
}

#[test]
fn dot_text() {
    let dot = all(SPEC).dot();
    assert!(dot.contains("  subgraph cluster_0 {\n    label=\"trust domain one\";"), "{dot}");
    assert!(dot.contains("  c0 -> g2 [label=\"n/s\", style=dashed];\n"), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
}

/// Clusters of a mesh and services on each, called by all others.
fn of(clusters: usize, services: usize) -> String {
    let mut text = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n".to_string();
    for n in 0..clusters {
        text += &format!(
            "- {{name: c{n}, istioVersion: 1.30.3, gateway: {{addresses: [192.0.2.{n}]}}}}\n"
        );
    }
    text += "services:\n";
    for n in 0..clusters * services {
        let (home, name) = (n % clusters, n / clusters);
        text += &format!(
            "- {{name: s{name}, namespace: n, cluster: c{home}, ports: [{{name: h, number: 80, protocol: HTTP}}], importedBy: ['*']}}\n"
        );
    }
    text
}

fn lines(graph: &Graph) -> Vec<(&[String], &[String])> {
    let caller = |arrow: &GraphArrow| graph.boxes[arrow.from].lines.as_slice();
    graph.arrows.iter().map(|arrow| (caller(arrow), arrow.lines.as_slice())).collect()
}

#[test]
fn callers_with_the_same_calls_are_one_box() {
    assert_eq!(all(&of(5, 2)).arrows.len(), 20);
    let graph = all(&of(20, 30));
    let every = ["every other cluster".to_string()];
    let services = ["30 services".to_string()];
    assert_eq!(lines(&graph), [(&every[..], &services[..]); 20]);
    assert_eq!(graph.boxes.len(), 20 + 20 + 1);
    assert_eq!(graph.legend, ["solid: through the gateway of the other cluster"]);
}

#[test]
fn callers_that_differ_are_one_box_if_nothing_else_is_readable() {
    // Each cluster calls one service more than the one before it.
    let mut text = of(10, 1);
    for n in 0..45 {
        let callers: Vec<String> = (1..=n % 9).map(|i| format!("c{i}")).collect();
        text += &format!(
            "- {{name: t{n}, namespace: n, cluster: c0, ports: [{{name: h, number: 80, protocol: HTTP}}], importedBy: [{}]}}\n",
            callers.join(", ")
        );
    }
    let graph = all(&text);
    assert_eq!(graph.arrows.len(), 18, "{:?}", lines(&graph));
    // Thirty clusters, and every pair of them with a service of its own.
    let mut text = of(30, 1);
    for (from, to) in (0..30).flat_map(|from| (0..30).map(move |to| (from, to))) {
        if from != to && (from + to) % 7 != 0 {
            text += &format!(
                "- {{name: p{from}, namespace: n, cluster: c{to}, ports: [{{name: h, number: 80, protocol: HTTP}}], importedBy: [c{from}]}}\n"
            );
        }
    }
    let graph = all(&text);
    assert_eq!(graph.arrows.len(), 30);
    assert!(graph.arrows[0].lines[0].starts_with("some of "), "{:?}", graph.arrows[0]);
    assert!(graph.legend.last().unwrap().starts_with("some of"), "{:?}", graph.legend);
}

const POLICIES: &str = "policies:\n\
    - {name: p, service: n/s0, clients: [c0], route: [{cluster: c1, weight: 70}, {cluster: c0, weight: 30}], mirror: {cluster: c2, percent: 5}}\n\
    - {name: q, service: n/s0, clients: [c1], failover: [c1, c2, c0], outlierDetection: {consecutive5xxErrors: 2}}\n";

/// What is drawn of a service, and what of the other is not.
#[test]
fn weights_and_order_of_one_service() {
    let mesh = mesh(&(of(12, 2) + POLICIES));
    let graph = Graph::new(&mesh, &["n/s0".to_string()].into());
    let mut seen: Vec<String> = graph
        .arrows
        .iter()
        .map(|arrow| {
            let to = graph.boxes[arrow.to].cluster.as_ref().map_or("", |(name, _)| name);
            format!("{} > {to}: {}", graph.boxes[arrow.from].lines[0], arrow.lines.join("; "))
        })
        .collect();
    seen.sort();
    seen.retain(|line| line.contains(": n/s0 "));
    assert_eq!(
        seen,
        [
            "c0 > c0: n/s0 30 %",
            "c0 > c1: n/s0 70 %",
            "c0 > c2: n/s0 copies of 5 %",
            "c1 > c0: n/s0 3rd",
            "c1 > c1: n/s0 1st",
            "c1 > c2: n/s0 2nd",
        ]
    );
    assert_eq!(graph.legend.len(), 5, "{:?}", graph.legend);
}
