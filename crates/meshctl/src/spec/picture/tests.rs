use std::collections::BTreeSet;

use meshconfig::{Mesh, Spec};

use super::*;

#[test]
fn every_arrow_has_its_text_and_both_ends() {
    let text = "apiVersion: meshctl/v1\nkind: Mesh\nname: m\nclusters:\n\
        - {name: a, istioVersion: 1.30.3, remoteSecrets: true}\n\
        - {name: b, istioVersion: 1.30.3, remoteSecrets: true, gateway: {addresses: [192.0.2.1]}}\n\
        - {name: c, istioVersion: 1.6.4, gateway: {addresses: [gw.example], port: 31443}}\n\
        services:\n\
        - {name: s, namespace: n, cluster: b, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: [a]}\n\
        - {name: s, namespace: n, cluster: c, ports: [{name: h, number: 80, protocol: HTTP}], importedBy: ['*']}\n";
    let mesh = Mesh::new(&Spec::read(text).unwrap()).unwrap();
    let graph = Graph::new(&mesh, &BTreeSet::new());
    let svg = svg(&graph);
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    assert_eq!(graph.arrows.len(), 3);
    assert_eq!(svg.matches("marker-end").count(), 3, "{svg}");
    assert_eq!(svg.matches("<path d=\"M").count(), 2 * 3 + 1, "{svg}");
    assert_eq!(svg.matches("stroke-dasharray").count(), 2, "{svg}");
    assert_eq!(svg.matches(">rewritten</text>").count(), 2, "{svg}");
    assert_eq!(escaped("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
}
