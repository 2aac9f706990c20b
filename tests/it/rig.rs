//! The rig itself: real clusters come up, behave as clusters do, and leave nothing behind.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt};
use tests::rig::ca::Root;
use tests::rig::{Cluster, Istio};

/// What a cluster under test is told to wait for, at most.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_real_istiod_lives_on_a_cluster() {
    let Some(cluster) = Cluster::start("east") else { return };
    let root = Root::new("Rig Root");
    cluster.apply(r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"istio-system"}}"#);
    cluster.apply_secret("istio-system", "cacerts", &root.cacerts("east"));
    cluster.install_istio(&Istio::default());
    assert_eq!(published(&cluster), root.cert.to_pem());
    let (folder, processes) = (cluster.folder().to_owned(), cluster.processes());
    println!("{processes:?}\n{}", cluster.istiod_log());
    drop(cluster);
    leaves_nothing(&folder, &processes);
}

fn published(cluster: &Cluster) -> String {
    cluster.config_map_key("default", "istio-ca-root-cert", "root-cert.pem")
}

fn leaves_nothing(folder: &Path, processes: &[u32]) {
    assert!(!folder.exists(), "{} is left", folder.display());
    for id in processes {
        let command = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        assert!(command.is_empty(), "process {id} is left: {}", String::from_utf8_lossy(&command));
    }
}
