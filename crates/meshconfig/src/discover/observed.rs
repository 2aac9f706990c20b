//! Extracts what a spec needs from an API server's answers: Services, workloads and gateways as JSON values.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::protocol;
use crate::resource::text;
use crate::spec::{Port, Subset};
use crate::text;

/// What was observed of all clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The clusters, by name.
    pub clusters: Vec<ObservedCluster>,
}

/// What was observed of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedCluster {
    /// Its name in the spec.
    pub name: String,
    /// Kubeconfig context, if it differs from the name.
    pub context: Option<String>,
    /// Release of its istiod.
    pub istio_version: String,
    /// Its trust domain.
    pub trust_domain: Option<String>,
    /// Its network.
    pub network: Option<String>,
    /// Addresses of its gateway.
    pub gateway_addresses: Vec<String>,
    /// Port of its gateway.
    pub gateway_port: Option<u16>,
    /// Labels of its gateway's pods.
    pub gateway_selector: Option<BTreeMap<String, String>>,
    /// Its services.
    pub services: Vec<ObservedService>,
}

/// A service that was observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedService {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its ports.
    pub ports: Vec<Port>,
    /// The versions of its workloads.
    pub subsets: Vec<Subset>,
    /// The service accounts of its workloads.
    pub service_accounts: Vec<String>,
    /// Whether other clusters get an entry for it.
    pub exported: bool,
}

/// Which services are selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Those with a label or annotation of this name and value; `None` for any value.
    pub mark: Option<(String, Option<String>)>,
    /// All of these namespaces.
    pub namespaces: Vec<String>,
}

/// The label or annotation of selected services, unless another is given.
pub const EXPORT_MARK: (&str, &str) = ("meshctl/export", "true");

/// Reads the answers of one cluster: Services, Deployments and other workloads, and Istio's namespace.
///
/// A workload belongs to a Service whose selector matches its pod labels; its `version` label becomes a subset.
#[must_use]
pub fn observe(name: &str, resources: &[Value], select: &Select) -> ObservedCluster {
    let mut cluster = ObservedCluster { name: name.into(), ..ObservedCluster::default() };
    let of = |kinds: &'static [&'static str]| {
        resources.iter().filter(move |value| kinds.iter().any(|kind| value["kind"] == *kind))
    };
    let workloads: Vec<&Value> = of(&["Deployment", "StatefulSet", "DaemonSet"]).collect();
    for service in of(&["Service"]) {
        if text(&service["metadata"]["labels"]["istio"]) == "eastwestgateway" || is_gateway(service)
        {
            gateway(&mut cluster, service);
        }
        if let Some(seen) = one(service, &workloads, select) {
            cluster.services.push(seen);
        }
    }
    for deployment in &workloads {
        if text(&deployment["metadata"]["name"]).starts_with("istiod") {
            istiod(&mut cluster, deployment);
        }
    }
    for namespace in
        of(&["Namespace"]).filter(|value| text(&value["metadata"]["name"]) == "istio-system")
    {
        cluster.network = namespace["metadata"]["labels"]["topology.istio.io/network"]
            .as_str()
            .map(ToString::to_string);
    }
    cluster.services.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    cluster
}

/// A Service with the port for calls between clusters.
fn is_gateway(service: &Value) -> bool {
    service["spec"]["ports"]
        .as_array()
        .is_some_and(|ports| ports.iter().any(|port| port["port"] == 15443))
}

fn gateway(cluster: &mut ObservedCluster, service: &Value) {
    let ingress = service["status"]["loadBalancer"]["ingress"].as_array();
    for point in ingress.into_iter().flatten() {
        let address = [&point["ip"], &point["hostname"]].into_iter().find_map(Value::as_str);
        cluster.gateway_addresses.extend(address.map(ToString::to_string));
    }
    let ports = service["spec"]["ports"].as_array();
    let tls = ports
        .into_iter()
        .flatten()
        .find(|port| port["port"] == 15443 || port["targetPort"] == 15443);
    cluster.gateway_port =
        tls.and_then(|port| port["port"].as_u64()).and_then(|port| u16::try_from(port).ok());
    let istio = service["spec"]["selector"]["istio"].as_str();
    cluster.gateway_selector = istio.map(|value| [("istio".to_string(), value.to_string())].into());
}

/// Release and trust domain from istiod's Deployment: the tag of its image, and its environment.
fn istiod(cluster: &mut ObservedCluster, deployment: &Value) {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    for container in containers.into_iter().flatten() {
        let tag = text(&container["image"]).rsplit(':').next().unwrap_or_default();
        if tag.parse::<meshpki::istiod::Version>().is_ok() {
            cluster.istio_version = tag.split('-').next().unwrap_or_default().into();
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            if variable["name"] == "TRUST_DOMAIN" {
                cluster.trust_domain = variable["value"].as_str().map(ToString::to_string);
            }
        }
    }
}

fn one(service: &Value, workloads: &[&Value], select: &Select) -> Option<ObservedService> {
    let meta = &service["metadata"];
    let namespace = text(&meta["namespace"]);
    let (mark, wanted) = select
        .mark
        .as_ref()
        .map_or((EXPORT_MARK.0, Some(EXPORT_MARK.1)), |(mark, value)| (mark, value.as_deref()));
    let marked = [&meta["labels"][mark], &meta["annotations"][mark]]
        .into_iter()
        .filter_map(Value::as_str)
        .any(|value| wanted.is_none_or(|wanted| wanted == value));
    let in_namespace = select.namespaces.iter().any(|known| known == namespace);
    if !(marked || in_namespace) || is_gateway(service) {
        return None;
    }
    let behind: Vec<&&Value> =
        workloads.iter().filter(|workload| belongs(service, workload)).collect();
    let template = |workload: &&&Value| workload["spec"]["template"].clone();
    let versions: BTreeSet<String> = behind
        .iter()
        .filter_map(|workload| {
            template(workload)["metadata"]["labels"]["version"].as_str().map(ToString::to_string)
        })
        .collect();
    let accounts: BTreeSet<String> = behind
        .iter()
        .map(|workload| match text(&template(workload)["spec"]["serviceAccountName"]) {
            "" => "default".to_string(),
            account => account.to_string(),
        })
        .collect();
    Some(ObservedService {
        name: text(&meta["name"]).into(),
        namespace: namespace.into(),
        ports: ports(service),
        subsets: versions
            .into_iter()
            .map(|version| Subset {
                name: text::name(&alloc::format!("version-{version}"), 63),
                labels: [("version".to_string(), version)].into(),
            })
            .collect(),
        service_accounts: accounts.into_iter().collect(),
        exported: true,
    })
}

/// Whether a Service selects the pods of a workload: same namespace, and all labels of a selector that is not empty.
fn belongs(service: &Value, workload: &Value) -> bool {
    let labels = &workload["spec"]["template"]["metadata"]["labels"];
    let selector = service["spec"]["selector"].as_object();
    service["metadata"]["namespace"] == workload["metadata"]["namespace"]
        && selector.is_some_and(|selector| {
            !selector.is_empty() && selector.iter().all(|(k, v)| labels[k] == *v)
        })
}

fn ports(service: &Value) -> Vec<Port> {
    let read = |port: &Value| {
        let number = port["port"].as_u64().and_then(|port| u16::try_from(port).ok())?;
        let name = port["name"]
            .as_str()
            .map_or_else(|| alloc::format!("port-{number}"), ToString::to_string);
        let protocol = protocol(&name, port["appProtocol"].as_str());
        // A mesh does not carry UDP or SCTP.
        (port["protocol"] != "UDP" && port["protocol"] != "SCTP").then_some(Port {
            name,
            number,
            protocol,
        })
    };
    service["spec"]["ports"].as_array().into_iter().flatten().filter_map(read).collect()
}
