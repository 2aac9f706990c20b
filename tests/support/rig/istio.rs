//! Istio as its chart installs it, with a real istiod and gateways that only say that they are ready.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What to install.
#[derive(Clone, Debug)]
pub struct Istio {
    /// Tag of the images: `1.30.4` unless changed. The istiod that runs is always the rig's.
    pub image_tag: String,
    /// Revisions, each with an istiod of its own: `["default"]` unless changed.
    pub revisions: Vec<String>,
    /// Replicas of each istiod: 1 unless changed.
    pub replicas: u32,
    /// istiod's environment, besides what the chart sets.
    pub env: Vec<(String, String)>,
    /// `MeshConfig` in YAML: empty unless changed.
    pub mesh: String,
    /// Gateways: `istio-ingressgateway` unless changed.
    pub gateways: Vec<Gateway>,
    /// Waits until everything is rolled out: `true` unless changed.
    pub wait: bool,
}

/// A gateway to install.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Namespace: `istio-system` unless changed.
    pub namespace: String,
    /// Name of the workload, its Service and its ServiceAccount.
    pub name: String,
    /// What runs it: a Deployment unless changed.
    pub kind: Kind,
    /// Replicas: 1 unless changed; a DaemonSet has one on the one node.
    pub replicas: u32,
    /// Labels of the workload and its pods: `app` and `istio` as the chart has them unless changed.
    pub labels: BTreeMap<String, String>,
}

/// Kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl Default for Istio {
    fn default() -> Self {
        Self {
            image_tag: "1.30.4".to_owned(),
            revisions: vec!["default".to_owned()],
            replicas: 1,
            env: Vec::new(),
            mesh: String::new(),
            gateways: vec![Gateway::named("istio-ingressgateway")],
            wait: true,
        }
    }
}

impl Gateway {
    /// A gateway of that name, everything else as the chart has it.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let istio = name.strip_prefix("istio-").unwrap_or(name);
        Self {
            namespace: "istio-system".to_owned(),
            name: name.to_owned(),
            kind: Kind::Deployment,
            replicas: 1,
            labels: [("app", name), ("istio", istio)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        }
    }

    /// Its objects, in the order they are applied.
    #[must_use]
    pub fn objects(&self, image_tag: &str) -> Vec<Value> {
        let metadata =
            json!({"name": self.name, "namespace": self.namespace, "labels": self.labels});
        let template = json!({
            "metadata": {"labels": self.labels},
            "spec": {
                "serviceAccountName": self.name,
                "containers": [{
                    "name": "istio-proxy",
                    "image": format!("docker.io/istio/proxyv2:{image_tag}"),
                }],
            },
        });
        let mut spec = json!({"selector": {"matchLabels": self.labels}, "template": template});
        match self.kind {
            Kind::Deployment => {
                spec["replicas"] = self.replicas.into();
                spec["strategy"] =
                    json!({"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}});
            }
            Kind::StatefulSet => {
                spec["replicas"] = self.replicas.into();
                spec["serviceName"] = self.name.clone().into();
            }
            Kind::DaemonSet => {}
        }
        let ports = json!([{"name": "tls", "port": 15443}]);
        vec![
            namespace(&self.namespace),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                   "spec": {"type": "LoadBalancer", "selector": self.labels, "ports": ports}}),
            json!({"apiVersion": "apps/v1", "kind": self.kind.name(), "metadata": metadata,
                   "spec": spec}),
        ]
    }
}

impl Kind {
    /// As `kind:` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// Whether the controller has seen this generation of the object, and every pod is of it and available.
    #[must_use]
    pub fn is_rolled_out(self, object: &Value) -> bool {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
        let status = |name: &str| number(&format!("/status/{name}"));
        if status("observedGeneration") < number("/metadata/generation") {
            return false;
        }
        if self == Self::DaemonSet {
            let wanted = status("desiredNumberScheduled");
            return ["updatedNumberScheduled", "numberAvailable"].map(status) == [wanted; 2];
        }
        let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
        ["replicas", "updatedReplicas", "availableReplicas"].map(status) == [wanted; 3]
    }
}

impl Istio {
    /// Name of a revision's istiod.
    #[must_use]
    pub fn istiod(revision: &str) -> String {
        named("istiod", revision)
    }

    /// What a revision's istiod may do, as YAML.
    #[must_use]
    pub fn rbac(revision: &str) -> String {
        include_str!("../../rig/istio/rbac.yaml").replace("@NAME@", &Self::istiod(revision))
    }

    /// The namespace, and the ConfigMap, Service and Deployment of a revision.
    #[must_use]
    pub fn objects(&self, cluster: &str, revision: &str) -> Vec<Value> {
        let name = Self::istiod(revision);
        let labels = json!({"app": "istiod", "istio.io/rev": revision, "istio": "pilot"});
        let metadata = json!({"name": name, "namespace": "istio-system", "labels": labels});
        let selector = if revision == "default" {
            json!({"istio": "pilot"})
        } else {
            json!({"app": "istiod", "istio.io/rev": revision})
        };
        let ports = [
            ("grpc-xds", 15010, 15010),
            ("https-dns", 15012, 15012),
            ("https-webhook", 443, 15017),
            ("http-monitoring", 15014, 15014),
        ];
        let ports =
            ports.map(|(name, port, to)| json!({"name": name, "port": port, "targetPort": to}));
        vec![
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": named("istio", revision), "namespace": "istio-system"},
                "data": {"mesh": self.mesh, "meshNetworks": "networks: {}"},
            }),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                   "spec": {"selector": selector, "ports": ports}}),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {
                    "replicas": self.replicas,
                    "selector": {"matchLabels": selector},
                    "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}},
                    "template": {
                        "metadata": {"labels": pod_labels(revision)},
                        "spec": self.pod(cluster, revision),
                    },
                },
            }),
        ]
    }

    fn pod(&self, cluster: &str, revision: &str) -> Value {
        let ports = [8080, 15010, 15012, 15017, 15014];
        json!({
            "serviceAccountName": Self::istiod(revision),
            "containers": [{
                "name": "discovery",
                "image": format!("docker.io/istio/pilot:{}", self.image_tag),
                "args": [
                    "discovery", "--monitoringAddr=:15014", "--domain", "cluster.local",
                    "--keepaliveMaxServerConnectionAge", "30m",
                ],
                "ports": ports.map(|port| json!({"containerPort": port, "protocol": "TCP"})),
                "readinessProbe": {
                    "httpGet": {"path": "/ready", "port": 8080},
                    "initialDelaySeconds": 1, "periodSeconds": 3, "timeoutSeconds": 5,
                },
                "env": self.environment(cluster, revision),
                "volumeMounts": [
                    {"name": "local-certs", "mountPath": "/var/run/secrets/istio-dns"},
                    {"name": "cacerts", "mountPath": "/etc/cacerts", "readOnly": true},
                ],
            }],
            "volumes": [
                {"name": "local-certs", "emptyDir": {"medium": "Memory"}},
                {"name": "cacerts", "secret": {"secretName": "cacerts", "optional": true}},
            ],
        })
    }

    fn environment(&self, cluster: &str, revision: &str) -> Vec<Value> {
        let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
        let set = [
            ("REVISION", revision),
            ("PILOT_CERT_PROVIDER", "istiod"),
            ("CA_TRUSTED_NODE_ACCOUNTS", "istio-system/ztunnel"),
            ("PILOT_ENABLE_ANALYSIS", "false"),
            ("CLUSTER_ID", cluster),
        ];
        let mut env: BTreeMap<&str, &str> = set.into();
        env.extend(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let values = env.iter().map(|(name, value)| json!({"name": name, "value": value}));
        let fields = [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        ];
        values.chain(fields).collect()
    }
}

/// A namespace.
#[must_use]
pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn pod_labels(revision: &str) -> Value {
    let istio = if revision == "default" { "pilot" } else { "istiod" };
    json!({"app": "istiod", "istio.io/rev": revision, "istio": istio, "sidecar.istio.io/inject": "false"})
}

fn named(what: &str, revision: &str) -> String {
    if revision == "default" { what.to_owned() } else { format!("{what}-{revision}") }
}
