use super::*;
use crate::spec::Spec;

fn mesh() -> Mesh {
    let text = "apiVersion: meshctl/v1\nkind: Mesh\nname: m\nclusters:\n\
        - {name: a, istioVersion: 1.30.3, trustDomain: one, remoteSecrets: true}\n\
        - {name: b, istioVersion: 1.30.3, trustDomain: one, remoteSecrets: true, gateway: {addresses: ['fd00::1', 192.0.2.1]}}\n\
        - {name: c, istioVersion: 1.6.4, trustDomain: two, gateway: {addresses: [gw.example], port: 31443}}\n\
        services:\n\
        - {name: s, namespace: n, cluster: b, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: [a]}\n\
        - {name: s, namespace: n, cluster: c, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: ['*']}\n";
    Mesh::new(&Spec::read(text).unwrap()).unwrap()
}

#[test]
fn mermaid_text() {
    assert_eq!(
        mermaid(&mesh()),
        r#"flowchart LR
  subgraph t0["trust domain one"]
    c0["a<br/>Istio 1.30.3"]
    c1["b<br/>Istio 1.30.3"]
    g1{{"gateway 192.0.2.1:15443 +1"}} --> c1
  end
  subgraph t1["trust domain two"]
    c2["c<br/>Istio 1.6.4"]
    g2{{"gateway gw.example:31443"}} --> c2
  end
  c0 -.->|"n/s"| g1
  c0 -->|"n/s"| g2
  c1 -->|"n/s"| g2
"#
    );
}

#[test]
fn dot_and_svg() {
    let dot = dot(&mesh());
    assert!(dot.contains("  subgraph cluster_0 {\n    label=\"trust domain one\";"), "{dot}");
    assert!(dot.contains("  c0 -> g1 [label=\"n/s\", style=dashed];\n"), "{dot}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    let svg = svg(&mesh());
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("marker-end").count(), 3);
    assert_eq!(svg.matches("stroke-dasharray").count(), 1);
    assert_eq!(svg.matches("(rewritten)").count(), 2);
    assert_eq!(xml("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
}
