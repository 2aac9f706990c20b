//! The pages that need clusters: two of them with real istiods, and a real proxy for every pod.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::Duration;

use tests::bookinfo::{EAST_WEST, EAST_WEST_LABEL, EAST_WEST_PORT, GATEWAY, PORT, istio, workload};
use tests::remote::READER;
use tests::rig::app::call;
use tests::rig::follow::{End, Follow};
use tests::rig::services::Services;
use tests::rig::{Binaries, Cluster};
use tests::scratch::Scratch;

use super::{INSTALL, OF_CLUSTERS, OF_SERVERS, Reader};

/// The life of certificates of workloads: a root is replaced while the page runs.
const LIFE: &str = "60s";
/// Address of the gateway of the cluster east.
const EAST_GATEWAY: &str = "172.18.0.231";
/// Who calls reviews: a workload of the cluster east.
const CALLER: &str = "ratings";

/// `kubectl` of the pages: what `exec` would do in a pod, the rig does in the pod's network; all else is kubectl's.
const KUBECTL: &str = r#"#!/bin/bash
for word in "$@"; do
  if [ "$word" = exec ]; then
    exec 3<>/dev/tcp/127.0.0.1/PORT
    echo "$*" >&3
    cat <&3
    exit
  fi
done
exec 'KUBECTL' "$@"
"#;

/// Reads the pages, one after the other.
pub(super) fn read() {
    let Some(clusters) = Cluster::start_many(&["east", "west"]) else { return };
    let [east, west] = &clusters[..] else { panic!("two clusters") };
    let pods = TcpListener::bind("127.0.0.1:0").expect("a port");
    let scratch = Scratch::new();
    let kubeconfigs = std::env::join_paths(clusters.iter().map(Cluster::kubeconfig));
    let kubeconfigs = kubeconfigs.expect("paths").into_string().expect("UTF-8");
    let programs = [("kubectl", kubectl(&scratch, &pods))];
    let mut reader = Reader::new(&programs, &[("KUBECONFIG", &kubeconfigs)]);
    let folder = reader.scratch.join("work");
    let (before, after) = OF_CLUSTERS.split_at(1);
    for name in before {
        reader.page(name, &mut |command| {
            let words = command.strip_prefix(INSTALL).expect("istioctl");
            istioctl(&folder, words);
            install(if words.contains("west") { west } else { east });
        });
    }
    let services = [east, west].map(workloads);
    let follow = |at: usize, namespace, workload: &str, labels: &str, app| {
        clusters[at].follow(&services[at], (namespace, workload), labels, app)
    };
    let caller = follow(0, "default", "ratings-v1", "app=ratings", None);
    let reviews = |at, version: &'static str| {
        let labels = format!("app=reviews,version={version}");
        follow(at, "default", &format!("reviews-{version}"), &labels, Some((version, PORT)))
    };
    let gateway = |at| follow(at, "istio-system", EAST_WEST, EAST_WEST_LABEL, None);
    let others = [gateway(0), gateway(1), reviews(0, "v1"), reviews(0, "v2"), reviews(1, "v3")];
    let (stop, address) = (AtomicBool::new(false), east.service_address("default", "reviews"));
    scope(|scope| {
        others.iter().chain([&caller]).for_each(|follow| drop(scope.spawn(|| follow.run(&stop))));
        let _end = End(&stop);
        others.iter().for_each(|follow| drop(follow.network()));
        let _ = caller.network();
        scope.spawn(|| answer(&pods, &stop, &caller, &address));
        for name in after {
            reader.page(name, &mut |_| {});
        }
    });
    reader.ended();
    for name in OF_SERVERS {
        let mut reader = Reader::new(&[], &[]);
        reader.page(name, &mut |_| {});
        reader.ended();
    }
}

/// The `kubectl` of the pages.
fn kubectl(scratch: &Scratch, pods: &TcpListener) -> PathBuf {
    let port = pods.local_addr().expect("an address").port().to_string();
    let real = Binaries::find().expect("the rig").path("kubectl").display().to_string();
    scratch.write("kubectl", KUBECTL.replace("PORT", &port).replace("KUBECTL", &real));
    let path = scratch.join("kubectl");
    let program = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, program).expect("a program");
    path
}

/// What a page installs is something that istioctl can read, and has the gateway.
fn istioctl(folder: &Path, words: &str) {
    let (_, words) = words.split_once("--context ").expect("a context");
    let options = words.split_whitespace().skip(1).filter(|word| *word != "-y");
    let output = Command::new(Binaries::find().expect("the rig").path("istioctl"))
        .args(["manifest", "generate"])
        .args(options)
        .current_dir(folder)
        .output()
        .expect("istioctl");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&format!("name: {EAST_WEST}\n")), "{words}");
}

/// Istio whose proxies are a stock Envoy.
fn install(cluster: &Cluster) {
    let address = if cluster.name() == "west" { GATEWAY } else { EAST_GATEWAY };
    cluster.install_istio_crds();
    cluster.apply(READER);
    cluster.install_istio(&istio("", None));
    cluster.give_address("istio-system", EAST_WEST, address);
    cluster.serve_at(address, "istio-system", EAST_WEST, EAST_WEST_PORT);
}

/// What a page deploys from `samples/bookinfo`.
fn workloads(cluster: &Cluster) -> Services {
    cluster.apply(&if cluster.name() == "west" {
        workload("reviews", &["v3"])
    } else {
        workload(CALLER, &["v1"]) + &workload("reviews", &["v1", "v2"])
    });
    let mut services = cluster.serve(&[("reviews", PORT)]);
    services.secret_ttl = Some(LIFE.to_owned());
    services
}

/// Answers `kubectl exec`: the call is made in the network of the caller, whose proxy carries it.
fn answer(pods: &TcpListener, stop: &AtomicBool, caller: &Follow<'_>, address: &str) {
    pods.set_nonblocking(true).expect("a listener");
    while !stop.load(Ordering::Relaxed) {
        match pods.accept() {
            Ok((stream, _)) => one(stream, caller, address).expect("an answer"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn one(mut stream: TcpStream, caller: &Follow<'_>, address: &str) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    let mut words = String::new();
    BufReader::new(&stream).read_line(&mut words)?;
    let ending = " exec deploy/ratings-v1 -- curl -s reviews:9080/reviews/1";
    assert!(words.trim_end().ends_with(ending), "{words}");
    match call(&caller.network(), (address, PORT), "reviews:9080") {
        Ok(answer) if answer.status == 200 => {
            writeln!(stream, "{{\"id\": \"1\", \"podname\": \"reviews-{}\"}}", answer.name())
        }
        Ok(answer) => writeln!(stream, "{}: {}", answer.status, answer.body),
        Err(why) => writeln!(stream, "{why}"),
    }
}
