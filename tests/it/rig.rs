//! The rig itself: real clusters come up, behave as clusters do, and leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use meshpki::{Csr, KeyType, Name, Role, SoftKey};
use serde_json::{Value, json, to_value};
use tests::rig::ca::Root;
use tests::rig::{Cluster, Gateway, Hold, Istio, Kind, limit, wait};

const ISTIOD: &str = "app=istiod";

/// A real istiod's whole life on one cluster.
#[test]
fn istiod_lives_on_a_cluster() {
    let Some(mut cluster) = Cluster::start("east") else { return };
    let root = Root::new("Rig Root");
    let mut files = root.cacerts("east");
    cluster.apply_object(&tests::rig::istio::namespace("istio-system"));
    cluster.apply_secret("istio-system", "cacerts", &files);
    cluster.install_istio(&Istio::default());
    let published = cluster.config_map_key("default", "istio-ca-root-cert", "root-cert.pem");
    assert_eq!(published, root.cert.to_pem());
    let pod = only_pod(&cluster);
    signs(&cluster, &pod, &root);

    // The same root: istiod takes the new intermediate by itself, once the kubelet has swapped the files.
    let before = cluster.secret_resource_version("istio-system", "cacerts");
    files = root.cacerts("east");
    cluster.apply_secret("istio-system", "cacerts", &files);
    assert_ne!(cluster.secret_resource_version("istio-system", "cacerts"), before);
    cluster.wait("the new intermediate is loaded", wait::LONG, async || {
        cluster.istiod_log().contains("detected the newly added intermediate CA").then_some(())
    });
    assert_eq!(serves(&cluster, &pod, &root), files["ca-cert.pem"]);
    signs(&cluster, &pod, &root);

    an_incomplete_secret_stops_the_new_pod(&cluster, &pod, &root, files);
    the_apiserver_comes_back(&mut cluster);
    let (folder, processes) = (cluster.folder().to_owned(), cluster.processes());
    assert_eq!(processes.len(), 5, "etcd, three of Kubernetes, istiod: {processes:?}");
    drop(cluster);
    leaves_nothing(&folder, &processes);
}

fn an_incomplete_secret_stops_the_new_pod(
    cluster: &Cluster,
    old: &str,
    root: &Root,
    mut files: tests::rig::kubelet::volume::Files,
) {
    let ca = files["ca-cert.pem"].clone();
    let chain = files.remove("cert-chain.pem").expect("a chain");
    cluster.apply_secret("istio-system", "cacerts", &files);
    cluster.restart(Kind::Deployment, "istio-system", "istiod", "incomplete");
    let new = cluster.wait("the new pod crash-loops", wait::LONG, async || {
        let pods = pods(cluster).await;
        pods.iter().find(|pod| waiting(pod) == "CrashLoopBackOff").map(ResourceExt::name_any)
    });
    let log = cluster.pod_log("istio-system", &new);
    assert!(log.contains("incomplete signing CA bundle detected"), "{log}");
    let deployment = cluster.workload(Kind::Deployment, "istio-system", "istiod");
    assert!(!Kind::Deployment.is_rolled_out(&deployment), "{:#}", deployment["status"]);
    assert_eq!(serves(cluster, old, root), ca, "the old pod goes on with what it had");
    cluster.wait("it is started again and again", wait::LONG, async || {
        let pods = pods(cluster).await;
        let pod = to_value(pods.iter().find(|pod| pod.name_any() == new)?).ok()?;
        (pod.pointer("/status/containerStatuses/0/restartCount")?.as_u64()? >= 1).then_some(())
    });
    files.insert("cert-chain.pem".to_owned(), chain);
    cluster.apply_secret("istio-system", "cacerts", &files);
    cluster.rolled_out(Kind::Deployment, "istio-system", "istiod");
    assert_eq!(only_pod(cluster), new);
}

fn the_apiserver_comes_back(cluster: &mut Cluster) {
    let before = cluster.processes();
    cluster.kill_apiserver();
    let namespaces = Api::<Namespace>::all(cluster.client());
    let answer = cluster.block_on(namespaces.get("default"));
    assert!(answer.is_err_and(|error| !matches!(error, kube::Error::Api(_))), "it is gone");
    cluster.start_apiserver();
    cluster.restart(Kind::Deployment, "istio-system", "istio-ingressgateway", "again");
    cluster.rolled_out(Kind::Deployment, "istio-system", "istio-ingressgateway");
    let after = cluster.processes();
    let same = after.iter().filter(|id| before.contains(id)).count();
    assert_eq!((same, after.len()), (before.len() - 1, before.len()), "only the apiserver is new");
}

/// Two clusters at once, holding pods back, and users.
#[test]
fn two_clusters_with_held_gateways_and_users() {
    let Some(clusters) = Cluster::start_many(&["west", "south"]) else { return };
    let [west, south] = clusters.as_slice() else { panic!("two clusters") };
    assert_eq!((west.name(), south.name()), ("west", "south"));
    let gateway = |name: &str, kind, replicas| Gateway { kind, replicas, ..Gateway::named(name) };
    let options = Istio {
        gateways: vec![
            gateway("istio-ingressgateway", Kind::Deployment, 2),
            gateway("istio-eastwestgateway", Kind::StatefulSet, 2),
            gateway("istio-egressgateway", Kind::DaemonSet, 1),
        ],
        wait: false,
        ..Istio::default()
    };
    west.hold("istio-system/istio-egressgateway", Hold::After(Duration::from_secs(2)));
    west.hold("istio-system/istio-ingressgateway", Hold::Never);
    west.install_istio(&options);
    west.rolled_out(Kind::DaemonSet, "istio-system", "istio-egressgateway");
    west.rolled_out(Kind::StatefulSet, "istio-system", "istio-eastwestgateway");
    let held = west.workload(Kind::Deployment, "istio-system", "istio-ingressgateway");
    assert_eq!(held["status"]["unavailableReplicas"], 2, "{:#}", held["status"]);
    west.hold("istio-system/istio-ingressgateway", Hold::Release);
    west.wait_for_istio(&options);

    west.hold("istio-system/istio-ingressgateway", Hold::ImagePullBackOff);
    west.restart(Kind::Deployment, "istio-system", "istio-ingressgateway", "stuck");
    west.wait("a new pod cannot pull its image", wait::LONG, async || {
        let pods = Api::<Pod>::namespaced(west.client(), "istio-system");
        let pods = pods.list(&Default::default()).await.ok()?;
        pods.items.iter().any(|pod| waiting(pod) == "ImagePullBackOff").then_some(())
    });
    let stuck = west.workload(Kind::Deployment, "istio-system", "istio-ingressgateway");
    assert_eq!(stuck["status"]["availableReplicas"], 2, "old pods stay: {:#}", stuck["status"]);
    west.hold("istio-system/istio-ingressgateway", Hold::Release);
    west.rolled_out(Kind::Deployment, "istio-system", "istio-ingressgateway");

    south.install_istio(&Istio {
        revisions: vec!["default".to_owned(), "1-30".to_owned()],
        ..Istio::default()
    });
    assert_eq!(south.pods("istio-system", ISTIOD).len(), 2);
    assert!(south.secret("istio-system", "istio-ca-secret").is_some(), "a CA of istiod's own");
    a_user_may_what_rbac_says(south);
}

fn a_user_may_what_rbac_says(cluster: &Cluster) {
    let path = cluster.kubeconfig_for("alice", &["pushers", "people"]);
    let may = || {
        cluster.block_on(async {
            let kubeconfig = Kubeconfig::read_from(&path).expect("a kubeconfig");
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            let client = Client::try_from(config.expect("a config")).expect("a client");
            Api::<Namespace>::all(client).get("default").await
        })
    };
    assert!(matches!(may(), Err(kube::Error::Api(ref answer)) if answer.code == 403));
    cluster.apply(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-namespaces}
rules: [{apiGroups: [''], resources: [namespaces], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-namespaces}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: people}]
",
    );
    cluster.wait("alice may", wait::LONG, async || may_soon(&path).await);
}

async fn may_soon(path: &Path) -> Option<()> {
    let kubeconfig = Kubeconfig::read_from(path).ok()?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.ok()?).ok()?;
    Api::<Namespace>::all(client).get("default").await.ok().map(|_| ())
}

/// A test process that is killed takes its clusters with it.
#[test]
fn a_killed_test_process_leaves_no_process() {
    if tests::rig::rig().is_none() {
        return;
    }
    let _room = limit::permits(1);
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "rig::to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with('{')).expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    child.kill().expect("a process to kill");
    child.wait().expect("its end");
    let ids = said["processes"].as_array().expect("a list");
    let ids: Vec<u32> = ids.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    let start = std::time::Instant::now();
    while ids.iter().any(|id| !command_line(*id).is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(10), "some of {ids:?} run");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The next test process would remove the folder.
    let folder = said["folder"].as_str().expect("a path");
    std::fs::remove_dir_all(folder).expect("a folder that is left");
}

/// What [`a_killed_test_process_leaves_no_process`] kills.
#[test]
#[ignore = "only useful to the test that kills it"]
fn to_be_killed() {
    let cluster = Cluster::start("doomed").expect("a cluster");
    println!("\n{}", json!({"folder": cluster.folder(), "processes": cluster.processes()}));
    std::thread::sleep(Duration::from_secs(60));
}

/// The one pod of istiod that is not about to end.
fn only_pod(cluster: &Cluster) -> String {
    cluster.wait("one pod of istiod is left", wait::LONG, async || {
        let pods = pods(cluster).await;
        let [pod] = pods.as_slice() else { return None };
        Some(pod.name_any())
    })
}

async fn pods(cluster: &Cluster) -> Vec<Pod> {
    let pods = Api::<Pod>::namespaced(cluster.client(), "istio-system");
    let listing = pods.list(&kube::api::ListParams::default().labels(ISTIOD)).await;
    listing.map(|listing| listing.items).unwrap_or_default()
}

/// Why the first container waits.
fn waiting(pod: &Pod) -> String {
    let pod = to_value(pod).expect("JSON");
    let reason = pod.pointer("/status/containerStatuses/0/state/waiting/reason");
    reason.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The certificate above the one istiod presents, in PEM; rustls has checked the chain up to the root.
fn serves(cluster: &Cluster, pod: &str, root: &Root) -> Vec<u8> {
    let chain = cluster.istiod_chain(pod, &root.cert.to_pem()).expect("a good chain");
    chain[1].to_pem().into_bytes()
}

/// Forwarded ports lead to the real process, which signs for whoever has a token.
fn signs(cluster: &Cluster, pod: &str, root: &Root) {
    let version = cluster.get("istio-system", pod, 15014, "/version").expect("an answer");
    assert!(version.starts_with("HTTP/1.0 200"), "{version}");
    let nowhere = cluster.get("istio-system", pod, 4711, "/version");
    assert!(nowhere.as_ref().map_or(true, String::is_empty), "{nowhere:?}");
    let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
    let csr = Csr::create(&Name::empty(), &[], Role::EndEntity, &key).expect("a CSR").to_pem();
    let roots = root.cert.to_pem();
    let token = cluster.token("default", "default", "istio-ca");
    let chain = cluster.istiod_sign(pod, &roots, &token, &csr).expect("a certificate");
    let (_, leaf) = x509_parser::pem::parse_x509_pem(chain[0].as_bytes()).expect("PEM");
    let leaf = leaf.parse_x509().expect("a certificate");
    let names = leaf.subject_alternative_name().expect("an extension").expect("names");
    let name = format!("{:?}", names.value.general_names);
    assert!(name.contains("spiffe://cluster.local/ns/default/sa/default"), "{name}");
    assert_eq!(chain.last().map(|last| last.trim()), Some(roots.trim()));
    let refused = cluster.istiod_sign(pod, &roots, "no token", &csr);
    assert!(refused.is_err_and(|why| why.contains("grpc status 16")));
}

fn command_line(id: u32) -> Vec<u8> {
    // A process that is dead and not reaped has none.
    std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default()
}

fn leaves_nothing(folder: &Path, processes: &[u32]) {
    assert!(!folder.exists(), "{} is left", folder.display());
    for id in processes {
        let command = command_line(*id);
        assert!(command.is_empty(), "process {id} is left: {}", String::from_utf8_lossy(&command));
    }
}

/// A test that asks twice would wait for another that does, for ever.
#[test]
fn whoever_holds_a_cluster_cannot_ask_for_more() {
    let first = limit::permits(1);
    let second = std::panic::catch_unwind(|| limit::permits(1));
    assert!(second.is_err());
    drop(first);
    assert_eq!(limit::permits(1).len(), 1);
}
