//! Reads a VirtualMesh: which clusters belong together, and which services have names on the other clusters.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::kinds::GLOO_V1;
use super::{ImportRemedy, Importer, Key, Service, cluster_of, is_set, service_key};

/// Services that get an entry on other clusters of a VirtualMesh.
pub(super) struct Federation {
    /// Clusters of the VirtualMesh.
    clusters: BTreeSet<String>,
    /// The services; `None` for all of its clusters.
    services: Option<BTreeSet<Key>>,
    /// The clusters that get the entries.
    importers: BTreeSet<String>,
}

impl Federation {
    /// Adds the importers of every service it is for.
    pub(super) fn extend(&self, services: &mut BTreeMap<Key, Service>) {
        for (key, service) in services {
            let is_meant = self.services.as_ref().is_none_or(|services| services.contains(key));
            if is_meant && self.clusters.contains(&key.2) {
                let others = self.importers.iter().filter(|cluster| **cluster != key.2);
                service.importers.extend(others.cloned());
            }
        }
    }
}

/// Reads one VirtualMesh.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value) {
    let spec = &value["spec"];
    for (field, content) in spec.as_object().into_iter().flatten() {
        match field.as_str() {
            "meshes" | "federation" => {}
            "mtlsConfig" => {
                let remedy = Some(ImportRemedy::IssueCertificates);
                importer.lose_to(value, "spec.mtlsConfig", "certificates are not part of a spec", remedy);
            }
            "globalAccessPolicy" if *content == "ENABLED" => importer.lose_restriction(
                value,
                "spec.globalAccessPolicy",
                "a spec does not forbid calls that no AccessPolicy allows: write an AuthorizationPolicy without rules in each namespace",
            ),
            "globalAccessPolicy" => {}
            _ => importer.lose(
                value,
                &format!("spec.{field}"),
                "there is no such field in a VirtualMesh",
            ),
        }
    }
    let meshes = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().map(|mesh| cluster_of(mesh).to_string()).collect()
    };
    let clusters = meshes(&spec["meshes"]);
    clusters.iter().for_each(|name| {
        importer.cluster(name);
    });
    let all = |importers: &BTreeSet<String>| Federation {
        clusters: clusters.clone(),
        services: None,
        importers: importers.clone(),
    };
    let federation = &spec["federation"];
    settings(importer, value, federation);
    let selectors: Vec<&Value> = federation["selectors"].as_array().into_iter().flatten().collect();
    // In Gloo Mesh 1.0 and later, nothing is federated unless it says so.
    if selectors.is_empty()
        && (value["apiVersion"] != GLOO_V1 || !federation["permissive"].is_null())
    {
        importer.federations.push(all(&clusters));
    }
    for (i, selector) in selectors.into_iter().enumerate() {
        let wanted = meshes(&selector["meshes"]);
        let importers = if wanted.is_empty() { clusters.clone() } else { wanted };
        let services = selected(importer, value, i, &selector["destinationSelectors"]);
        importer.federations.push(Federation { services, ..all(&importers) });
    }
}

/// Settings of a federation other than what it is for.
fn settings(importer: &mut Importer<'_>, value: &Value, federation: &Value) {
    if let Some(suffix) = federation["hostnameSuffix"].as_str() {
        importer.suffix = Some(suffix.to_string());
    }
    for (field, why) in [
        (
            "flatNetwork",
            "calls go through gateways: write `network` and `remoteSecrets` for clusters that share a network",
        ),
        (
            "eastWestIngressGatewaySelectors",
            "write the labels of the gateways as `gateway.selector` of each cluster",
        ),
        ("tcpKeepalive", "write your own DestinationRule"),
    ] {
        if is_set(&federation[field]) && federation[field] != false {
            importer.lose(value, &format!("spec.federation.{field}"), why);
        }
    }
}

/// The services that selectors name; `None` for all. Those selected by label are left out: their names are not known.
fn selected(
    importer: &mut Importer<'_>,
    value: &Value,
    at: usize,
    selectors: &Value,
) -> Option<BTreeSet<Key>> {
    let selectors: Vec<&Value> = selectors.as_array().into_iter().flatten().collect();
    if selectors.is_empty() {
        return None;
    }
    let mut keys = BTreeSet::new();
    for selector in selectors {
        if is_set(&selector["kubeServiceMatcher"]) {
            let field = format!("spec.federation.selectors[{at}]");
            importer.lose(value, &field, "name the clusters in `importedBy` of each service: a spec cannot select services by label");
        }
        let refs = selector["kubeServiceRefs"]["services"].as_array().into_iter().flatten();
        for key in refs.filter_map(service_key) {
            importer.service(&key);
            keys.insert(key);
        }
    }
    Some(keys)
}
