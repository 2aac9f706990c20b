//! Bookinfo, Istio's example, for clusters of the rig.

use crate::rig::sidecar::{STOCK, STOCK_MESH};
use crate::rig::{Gateway, Istio};

/// Port of every service.
pub const PORT: u16 = 9080;
/// The gateway that the other cluster calls.
pub const EAST_WEST: &str = "istio-eastwestgateway";
/// Selects its pods.
pub const EAST_WEST_LABEL: &str = "istio=eastwestgateway";
/// Address of cluster2's gateway in the specs.
pub const GATEWAY: &str = "172.18.0.230";
/// Port of that gateway.
pub const EAST_WEST_PORT: u16 = 15443;
/// Label with the network of a namespace or a gateway.
pub const NETWORK: &str = "topology.istio.io/network";

/// Istio with an east-west gateway and proxies that are a stock Envoy. `mesh` is further `MeshConfig` in lines, `network`
/// that of the gateway.
#[must_use]
pub fn istio(mesh: &str, network: Option<&str>) -> Istio {
    let mut gateway = Gateway::named(EAST_WEST);
    gateway.labels.extend(network.map(|network| (NETWORK.to_owned(), network.to_owned())));
    let env = STOCK.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Istio {
        mesh: format!("{STOCK_MESH}{mesh}"),
        env: env.into(),
        gateways: vec![gateway],
        ..Istio::default()
    }
}

/// A Service and its versions in YAML; pods have the label that injection gives them: a gateway leads to no others.
#[must_use]
pub fn workload(name: &str, versions: &[&str]) -> String {
    let mut text = format!(
        "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: bookinfo-{name}, namespace: default}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: {PORT}}}]}}
"
    );
    for version in versions {
        text += &format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}-{version}, namespace: default}}
spec:
  selector: {{matchLabels: {{app: {name}, version: {version}}}}}
  template:
    metadata: {{labels: {{app: {name}, version: {version}, security.istio.io/tlsMode: istio}}}}
    spec:
      serviceAccountName: bookinfo-{name}
      containers: [{{name: {name}, image: 'docker.io/istio/examples-bookinfo-{name}-{version}:1.20.3'}}]
"
        );
    }
    text
}
