//! Targets for mesh specs, resources and DNS: nothing panics, what is written can be read again, what is rendered is
//! valid.

use std::collections::{BTreeMap, BTreeSet};

use meshapply::kube::MeshConfig;
use meshconfig::address::Taken;
use meshconfig::discover::{Observed, ObservedCluster, ObservedService, merge};
use meshconfig::dns::{self, Zone};
use meshconfig::graph::Graph;
use meshconfig::lint::{self, LintRemedy, LintSeverity};
use meshconfig::{Lock, Mesh, Spec, explain, import, render, resource};
use serde_json::Value;

use crate::NOW;

/// A spec, and the same spec with one more cluster and service put into its text.
///
/// # Panics
/// When a promise is broken.
pub fn mesh(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    spec(text);
    insertion(text);
}

/// A lock file, and resources to be imported and linted.
///
/// # Panics
/// When a promise is broken.
pub fn resources(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(lock) = Lock::read(text) {
        assert_eq!(Lock::read(&lock.text()).expect("a lock that was written"), lock);
    }
    if let Ok(imported) = import::import(&[text], Some("1.30.3")) {
        let again = Spec::read(&imported.spec.yaml()).expect("a spec that was written");
        assert_eq!(again, imported.spec);
    }
    if let Ok(values) = resource::documents(text) {
        let version = meshpki::istiod::Version::NEWEST;
        let _ = lint::rules(&[lint::LintCluster {
            name: "a",
            version,
            remote_secrets: false,
            resources: values.iter().collect(),
        }]);
        for value in &values {
            let again: Value = resource::documents(&resource::yaml(value))
                .expect("YAML that was written")
                .pop()
                .unwrap_or_default();
            assert_eq!(&again, value);
        }
    }
}

/// `meshConfig` of a cluster: what cannot be read is as if it were not set.
///
/// # Panics
/// When a promise is broken.
pub fn mesh_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = MeshConfig::parse(text);
    let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for labels in [labels(&[]), labels(&[("istio", "enabled"), ("env", "prod")])] {
        assert!(config.serves(&labels) || !config.discovery.is_empty());
    }
    assert_eq!(config.trust_domain.as_deref().unwrap_or("cluster.local"), config.trust_domain());
}

/// What is added to a cluster's DNS can be removed again, and every other byte stays.
///
/// # Panics
/// When a promise is broken.
pub fn corefile(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        names(text);
    }
}

/// What is added to a user's text can be removed again, and leaves exactly that text.
fn names(text: &str) {
    let server = [10, 0, 0, 9].into();
    let hosts = vec![("a.b.global".to_owned(), server), ("c.d.global".to_owned(), server)];
    let zones = [Zone::Forward(server), Zone::Proxy(server), Zone::Hosts(hosts)];
    for zone in &zones {
        if let Ok(added) = dns::add(text, "global", zone) {
            if dns::same_zone(text, "global", zone).is_some() {
                assert_eq!(added, text, "a block of others that says the same stays");
                continue;
            }
            assert_eq!(dns::add(&added, "global", zone).expect("our own block"), added);
            let without = dns::remove(text, "global");
            assert!(without != text || dns::remove(&added, "global") == text, "{text}");
            for other in &zones {
                let changed = dns::add(&added, "global", other).expect("our own block");
                assert_eq!(dns::add(&changed, "global", zone).expect("ours"), added, "{text}");
            }
        }
    }
    if let Ok(added) = dns::add_stub(text, "global", server, None) {
        assert_eq!(dns::add_stub(&added, "global", server, None).expect("ours"), added);
        let without = dns::remove_stub(&added, "global", server).expect("JSON");
        let is_blank = text.trim().is_empty() && without.is_empty();
        assert!(added == text || is_blank || without == text, "{text}");
    }
}

pub(super) fn spec(text: &str) {
    let Ok(spec) = Spec::read(text) else { return };
    assert_eq!(Spec::read(&spec.yaml()).expect("a spec that was written"), spec);
    let mesh = match Mesh::new(&spec) {
        Ok(mesh) => mesh,
        Err(errors) => {
            assert!(!errors.is_empty());
            drop(meshconfig::Error::all_located(errors, text));
            return;
        }
    };
    let Ok(addresses) = Lock::default().assign(&mesh, &Taken::new(), NOW) else { return };
    let rendered: Vec<_> = mesh
        .clusters()
        .iter()
        .map(|cluster| (cluster, render(&mesh, cluster, &addresses)))
        .collect();
    let clusters: Vec<lint::LintCluster<'_>> = rendered
        .iter()
        .map(|(cluster, resources)| {
            let resources = resources.iter().map(|resource| &*resource.value).collect();
            lint::LintCluster::new(cluster, resources)
        })
        .collect();
    let mut errors = lint::lint(&mesh, &clusters);
    let may_differ = have_other_ports(&mesh);
    errors.retain(|problem| {
        let is_about_ports =
            matches!(problem.remedy, LintRemedy::ChangePort | LintRemedy::RenamePort);
        problem.severity == LintSeverity::Error && !(may_differ && is_about_ports)
    });
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
    let graph = Graph::new(&mesh, &BTreeSet::new());
    let _ = (lint::notes(&mesh), graph.mermaid(), graph.dot());
    for service in mesh.services() {
        let _ = explain::explain(&mesh, &addresses, &service.namespace, &service.name, None);
    }
}

/// Whether istiods that know each other's Services know different ports of one: then calls fail, whatever is rendered.
fn have_other_ports(mesh: &Mesh) -> bool {
    let ports: BTreeSet<_> = mesh
        .services()
        .iter()
        .filter(|service| mesh.home(service).remote_secrets)
        .map(|service| {
            let ports = service.ports.iter().map(|port| (port.number, port.name.as_str()));
            (&service.namespace, &service.name, ports.collect::<Vec<_>>())
        })
        .collect();
    let names: BTreeSet<_> = ports.iter().map(|(namespace, name, _)| (namespace, name)).collect();
    ports.len() != names.len()
}

/// What is inserted leaves every line as it was, and a spec is a spec afterwards.
pub(super) fn insertion(text: &str) {
    let service = ObservedService {
        name: "new".into(),
        namespace: "new".into(),
        ..ObservedService::default()
    };
    let cluster = ObservedCluster {
        name: "brand-new".into(),
        istio_version: "1.30.3".into(),
        services: vec![service],
        ..ObservedCluster::default()
    };
    let Ok(merged) = merge(Some(text), &Observed { clusters: vec![cluster] }) else { return };
    let Ok(before) = Spec::read(text) else { return };
    if !before.clusters.iter().any(|cluster| cluster.name == "brand-new") {
        let after = Spec::read(&merged.text)
            .unwrap_or_else(|error| panic!("{error}\n{text}\n{}", merged.text));
        assert_eq!(after.clusters.len(), before.clusters.len() + 1, "{}", merged.text);
        assert_eq!(after.services.len(), before.services.len() + 1, "{}", merged.text);
        assert_eq!(after.clusters[..before.clusters.len()], before.clusters);
    }
}
