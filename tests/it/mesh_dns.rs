//! Corefiles as `meshctl mesh dns` edits them in files and `meshctl mesh apply` in clusters, loaded by a real CoreDNS,
//! which resolves the names.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams};
use meshapply::kube::{Context, Kube, Kubeconfig, Options, Surroundings};
use serde_json::{Value, json};
use tests::cli::{Ran, Shell, ended};
use tests::dns;
use tests::mesh::Mesh;
use tests::rig::istio::namespace;
use tests::rig::process::{Plan, Process};
use tests::rig::{Cluster, ports, rig};
use tests::schema;

const NAME: &str = "reviews.default.svc.cluster2.global";
/// What a user has: a zone of their own, and one for everything else.
const MINE: &str = "# mine\nexample.com:53 {\n    hosts {\n        192.0.2.7 www.example.com\n    }\n}\n.:53 {\n    errors\n}\n";

/// A CoreDNS with a Corefile whose port 53 is a free one.
fn start(coredns: &Path, shell: &Shell, name: &str, corefile: &str) -> (Process, u16) {
    let port = ports::free();
    shell.scratch.write(&format!("{name}/Corefile"), corefile.replace(":53", &format!(":{port}")));
    let folder = shell.scratch.join(name);
    (Plan::new(coredns, &folder).arg("-conf").arg("Corefile").start(), port)
}

/// The IPv4 addresses a server has for a name, asked until it answers.
fn addresses(server: &Process, port: u16, name: &str) -> Vec<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(250))).expect("a time");
    for _ in 0..80 {
        match dns::ask(&socket, ("127.0.0.1", port), name) {
            Ok(addresses) => return addresses,
            // It is not up yet.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    panic!("no answer from CoreDNS: {}", server.tail());
}

#[test]
fn coredns_answers_for_remote_names() {
    let Some(binaries) = rig() else { return };
    let coredns = binaries.path("coredns");
    let shell = Shell::new();
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    let way = |name: &str, way: &str| {
        let line = "- name: cluster1\n";
        let spec = fixture.replacen(line, &format!("{line}  dns: {way}\n"), 1);
        shell.scratch.write(&format!("{name}.yaml"), spec);
        shell.scratch.write("Corefile", MINE);
        shell.good(&format!("mesh dns -f @/{name}.yaml --cluster cluster1 @/Corefile"))
    };
    let hosts = way("hosts", "{way: hosts}");
    let lock = shell.scratch.read("mesh.lock");
    let line = lock.lines().find_map(|line| line.strip_prefix(NAME)).expect("a line");
    let expect = vec![line.trim().to_owned()];
    let check = |server: &(Process, u16)| {
        assert_eq!(addresses(&server.0, server.1, NAME), expect, "{}", server.0.log());
        // What the user has is served as before.
        assert_eq!(addresses(&server.0, server.1, "www.example.com"), ["192.0.2.7"]);
    };
    let knows = start(coredns, &shell, "knows", &hosts);
    check(&knows);
    // One that asks it, as CoreDNS asks istio-coredns.
    let forward = way("forward", "{way: istio-coredns, address: 127.0.0.1}");
    assert!(forward.contains("forward . 127.0.0.1:53\n"), "{forward}");
    let forward = forward.replace("127.0.0.1:53", &format!("127.0.0.1:{}", knows.1));
    check(&start(coredns, &shell, "asks", &forward));
    // Once the block is removed, the text is the user's again, and the names do not resolve.
    shell.scratch.write("Corefile", &hosts);
    let without = shell.good("mesh dns -f @/hosts.yaml --cluster cluster1 --remove @/Corefile");
    assert_eq!(without, MINE);
    let (server, port) = start(coredns, &shell, "without", &without);
    assert!(addresses(&server, port, NAME).is_empty());
}

/// The Corefile as kubeadm writes it (`cmd/kubeadm/app/phases/addons/dns/manifests.go`, 1.35).
const KUBEADM: &str = ".:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

/// A cluster with Istio's CRDs and no DNS, and a spec in which it calls a service of another cluster.
fn one_cluster() -> Option<Mesh> {
    let mesh = Mesh::start(&["cluster1"])?;
    mesh.clusters[0].install_istio_crds();
    mesh.clusters[0].apply_object(&namespace("istio-system"));
    Some(mesh)
}

/// Writes the spec with what `dns:` of cluster1 says.
fn spec(mesh: &Mesh, dns: &str) -> String {
    let fixture = include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml");
    let line = "- name: cluster1\n";
    let spec = fixture.replacen(line, &format!("{line}  dns: {{{dns}}}\n"), 1);
    mesh.shell.scratch.write("mesh.yaml", &spec);
    spec
}

/// Writes a ConfigMap in `kube-system`, as kubeadm or a user does.
fn write(cluster: &Cluster, name: &str, data: &Value) {
    cluster.apply_object(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": name, "namespace": "kube-system"},
    }));
}

fn config_maps(cluster: &Cluster) -> Api<ConfigMap> {
    Api::namespaced(cluster.client(), "kube-system")
}

/// The text of a key, and the `resourceVersion`.
fn read_key(cluster: &Cluster, name: &str, key: &str) -> (Option<String>, String) {
    let map = cluster.block_on(config_maps(cluster).get(name)).expect("a ConfigMap");
    let text = map.data.and_then(|mut data| data.remove(key));
    (text, map.metadata.resource_version.expect("a version"))
}

fn corefile(cluster: &Cluster) -> (String, String) {
    let (text, version) = read_key(cluster, "coredns", "Corefile");
    (text.expect("a Corefile"), version)
}

fn diff(mesh: &Mesh, more: &str) -> Ran {
    mesh.run(&format!("mesh diff -f @/mesh.yaml --context cluster1 {more}"))
}

fn apply(mesh: &Mesh, more: &str) -> Ran {
    mesh.run(&format!("mesh apply -f @/mesh.yaml --context cluster1 {more}"))
}

/// CoreDNS with the ConfigMap mounted: its ports are free ones, the API server's address is said, `reload` looks often.
struct CoreDns<'a> {
    mesh: &'a Mesh,
    server: Process,
    port: u16,
    others: [u16; 3],
}

impl<'a> CoreDns<'a> {
    fn start(mesh: &'a Mesh) -> Self {
        let program = rig().expect("a cluster runs").path("coredns");
        let folder = mesh.shell.scratch.join("coredns");
        let (port, others) = (ports::free(), [0; 3].map(|_| ports::free()));
        mesh.shell.scratch.write("coredns/Corefile", mounted(mesh, port, others));
        let server = Plan::new(program, &folder).arg("-conf").arg("Corefile").start();
        Self { mesh, server, port, others }
    }

    /// What the kubelet does some time after a ConfigMap changes; then it answers so, without a restart.
    #[track_caller]
    fn answers(&self, name: &str, expect: &[&str]) {
        let text = mounted(self.mesh, self.port, self.others);
        self.mesh.shell.scratch.write("coredns/Corefile", text);
        let mut found = Vec::new();
        for _ in 0..150 {
            found = addresses(&self.server, self.port, name);
            if found == expect {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{name}: {found:?}, not {expect:?}\n{}", self.server.log());
    }
}

fn mounted(mesh: &Mesh, port: u16, [health, ready, metrics]: [u16; 3]) -> String {
    let cluster = &mesh.clusters[0];
    let api = format!("kubeconfig {} {}", cluster.kubeconfig().display(), cluster.name());
    let mut text = corefile(cluster).0;
    for (from, to) in [
        (":53", format!(":{port}")),
        (":9153", format!(":{metrics}")),
        ("health {", format!("health 127.0.0.1:{health} {{")),
        ("    ready\n", format!("    ready 127.0.0.1:{ready}\n")),
        ("pods insecure", format!("pods insecure\n       {api}")),
        ("    reload\n", "    reload 2s 1s\n".to_owned()),
    ] {
        text = text.replace(from, &to);
    }
    text
}

#[test]
fn the_corefile_of_a_cluster() {
    let Some(mesh) = one_cluster() else { return };
    let cluster = &mesh.clusters[0];
    write(cluster, "coredns", &json!({"Corefile": KUBEADM}));
    let before = corefile(cluster);
    spec(&mesh, "way: hosts");
    let shown = ["~ cluster1: edit ConfigMap kube-system/coredns", "+global:53 {", ", DNS edits 1"];
    ended(&diff(&mesh, ""), 2, &shown);
    let ran = diff(&mesh, "-o json");
    ended(&ran, 2, &["\"edit\""]);
    schema::check("mesh-diff", &ran.out);
    for dry in ["client", "server"] {
        ended(&apply(&mesh, &format!("--dry-run {dry}")), 0, &["edit ConfigMap"]);
    }
    assert_eq!(corefile(cluster), before, "a dry run writes nothing");
    let dns = CoreDns::start(&mesh);
    dns.answers("kubernetes.default.svc.cluster.local", &["10.96.0.1"]);

    let ran = apply(&mesh, "--yes");
    println!("{}{}", ran.out, ran.err);
    ended(&ran, 0, &["cluster1: edited ConfigMap kube-system/coredns", "done: 5 writes"]);
    let last = ran.err.lines().rfind(|line| line.contains(": applied "));
    let last = ran.err.lines().position(|line| Some(line) == last);
    let edited = ran.err.lines().position(|line| line.contains(": edited "));
    assert!(last < edited, "names come last: {}", ran.err);
    let lock = mesh.shell.scratch.read("mesh.lock");
    let address = lock.lines().find_map(|line| line.strip_prefix(NAME)).expect("a line").trim();
    dns.answers(NAME, &[address]);
    dns.answers("kubernetes.default.svc.cluster.local", &["10.96.0.1"]);
    println!("CoreDNS: {address} for {NAME}");
    let written = corefile(cluster);
    assert!(written.0.starts_with(KUBEADM), "{}", written.0);
    let managers = cluster.block_on(config_maps(cluster).get("coredns")).expect("a ConfigMap");
    let managers = managers.metadata.managed_fields.expect("managers");
    assert!(managers.iter().any(|entry| entry.manager.as_deref() == Some("meshpki.dev/meshctl")));
    ended(&apply(&mesh, "--yes"), 0, &["nothing to do"]);
    ended(&diff(&mesh, ""), 0, &["prune 0, unchanged 4\n"]);
    assert_eq!(corefile(cluster), written, "a second run writes nothing");

    // The other way, by which it asks a server that has the names, here itself; then none, and all is as it was.
    spec(&mesh, "way: istio-coredns, address: 127.0.0.1");
    ended(&apply(&mesh, "--yes"), 0, &["edited ConfigMap", "done: 1 writes"]);
    assert!(corefile(cluster).0.contains("\n    forward . 127.0.0.1:53\n"));
    spec(&mesh, "way: none");
    ended(&diff(&mesh, ""), 2, &["-global:53 {", "update 0, prune 0, unchanged 4, DNS edits 1"]);
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    assert_eq!(corefile(cluster).0, KUBEADM);
    dns.answers(NAME, &[]);

    // A mesh whose remote services are gone has no names: they go before what they lead to.
    let text = spec(&mesh, "way: hosts");
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    let text = text.replace("  importedBy: [cluster1]\n", "");
    let text = &text[..text.find("policies:").expect("policies")];
    mesh.shell.scratch.write("mesh.yaml", text);
    let ran = apply(&mesh, "--yes");
    ended(&ran, 0, &["deleted ServiceEntry", "edited ConfigMap"]);
    let first = ran.err.lines().position(|line| line.contains(": deleted "));
    let edited = ran.err.lines().position(|line| line.contains(": edited "));
    assert!(edited < first, "names go first: {}", ran.err);
    assert_eq!(corefile(cluster).0, KUBEADM);
    drop(dns);
    what_is_refused(&mesh);
    somebody_was_faster(&mesh);
}

/// Someone else's block stops it before anything is written; what remains to be done by hand is reported.
fn what_is_refused(mesh: &Mesh) {
    let cluster = &mesh.clusters[0];
    let foreign = format!("{KUBEADM}\nglobal:53 {{\n    forward . 192.0.2.1\n}}\n");
    write(cluster, "coredns", &json!({"Corefile": foreign}));
    spec(mesh, "way: hosts");
    let before = corefile(cluster);
    let place = [
        "! cluster1: foreign ConfigMap kube-system/coredns",
        "[config/duplicate]: duplicate zone `global`: already defined as `global:53 {`",
        "  in: cluster cluster1 (context cluster1, https://",
        "  in: ConfigMap kube-system/coredns, Corefile:25\n",
        "nothing was written",
    ];
    ended(&diff(mesh, ""), 2, &place);
    let ran = diff(mesh, "-o json");
    schema::check("mesh-diff", &ran.out);
    ended(&ran, 2, &["\"foreign\""]);
    let ran = apply(mesh, "--yes");
    println!("{}{}", ran.out, ran.err);
    ended(&ran, 2, &place);
    assert!(!ran.err.contains(": applied "), "{}", ran.err);
    assert_eq!(corefile(cluster), before);
    // A way that does not edit has nothing to do with it.
    spec(mesh, "way: proxy");
    ended(&apply(mesh, "--yes"), 0, &["done: 3 writes"]);
    spec(mesh, "way: hosts");
    write(cluster, "coredns", &json!({"Corefile": KUBEADM.replace("    reload\n", "")}));
    let by_hand = [
        "note: cluster1: ",
        "next: cluster1: ConfigMap kube-system/coredns, Corefile, has no `reload`",
        "kubectl --context cluster1 -n kube-system rollout restart deployment coredns",
    ];
    ended(&apply(mesh, "--yes"), 0, &by_hand);
}

/// If someone else writes after the ConfigMap was read, nothing is written.
fn somebody_was_faster(mesh: &Mesh) {
    let cluster = &mesh.clusters[0];
    let (text, version) = corefile(cluster);
    write(cluster, "coredns", &json!({"Corefile": KUBEADM}));
    let options = Options {
        istio_namespace: "istio-system".to_owned(),
        istio_version: None,
        gateways: Vec::new(),
        workloads: false,
        service_account: "default".to_owned(),
    };
    let kubeconfig = cluster.kubeconfig();
    let patch = json!({"metadata": {"resourceVersion": version}, "data": {"Corefile": text}});
    for dry_run in [true, false] {
        let refused = cluster.block_on(async {
            let all = Kubeconfig::read(Some(&kubeconfig), &|_| None)?;
            let around = Surroundings {
                env: &|_| None,
                hidden: &[],
                can_ask: false,
                patience: std::time::Duration::from_secs(10),
                watcher: None,
            };
            let context = Context::read(&all, "cluster1", &around)?;
            let kube = Kube::connect(context, options.clone()).await?;
            kube.patch_config_map("kube-system", "coredns", &patch, dry_run).await
        });
        let refused = refused.expect_err("a conflict").to_string();
        assert!(refused.contains("refused to patch configmap kube-system/coredns"), "{refused}");
        assert!(refused.contains("the object has been modified"), "{refused}");
    }
    assert_eq!(corefile(cluster).0, KUBEADM);
}

#[test]
fn the_stub_domains_of_a_cluster() {
    let Some(mesh) = one_cluster() else { return };
    let cluster = &mesh.clusters[0];
    // There is nothing a DNS could read.
    spec(&mesh, "way: hosts");
    let none = "it has no ConfigMap kube-system/coredns with a Corefile, nor kube-system/kube-dns";
    ended(&apply(&mesh, "--yes"), 2, &["error[apply/no-dns]", none, "configMap: NAMESPACE/NAME"]);
    spec(&mesh, "way: none");
    ended(&apply(&mesh, "--yes"), 0, &["done: 4 writes"]);
    let theirs = "{\"acme.local\": [\"1.2.3.4\"]}\n";
    write(cluster, "kube-dns", &json!({"stubDomains": theirs, "upstreamNameservers": "[]"}));
    spec(&mesh, "way: hosts");
    ended(
        &apply(&mesh, "--yes"),
        2,
        &["config/needs", "kube-dns can only forward to istio-coredns"],
    );
    let stubs = || read_key(cluster, "kube-dns", "stubDomains");
    for address in ["10.96.7.7", "10.96.7.8"] {
        spec(&mesh, &format!("way: istio-coredns, address: {address}"));
        ended(
            &diff(&mesh, ""),
            2,
            &["edit ConfigMap kube-system/kube-dns", "-{\"", "+{\"global\""],
        );
        ended(&apply(&mesh, "--yes"), 0, &["edited ConfigMap", "done: 1 writes"]);
        let written = stubs();
        let expect = format!("{{\"global\":[\"{address}\"],{}", &theirs[1..]);
        assert_eq!(written.0.as_deref(), Some(&*expect));
        ended(&apply(&mesh, "--yes"), 0, &["nothing to do"]);
        assert_eq!(stubs(), written, "a second run writes nothing");
    }
    spec(&mesh, "way: none");
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    assert_eq!(stubs().0.as_deref(), Some(theirs));
    // Another ConfigMap is the one the spec names, and no other.
    cluster
        .block_on(config_maps(cluster).delete("kube-dns", &DeleteParams::default()))
        .expect("gone");
    write(cluster, "dns", &json!({"Corefile": MINE}));
    spec(&mesh, "way: hosts, configMap: kube-system/dns");
    ended(
        &apply(&mesh, "--yes"),
        0,
        &["edited ConfigMap kube-system/dns", "the Deployment that reads it"],
    );
    spec(&mesh, "way: none, configMap: kube-system/dns");
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    assert_eq!(read_key(cluster, "dns", "Corefile").0.as_deref(), Some(MINE));
    // And where the Corefile imports files, one of them is ours.
    write(cluster, "coredns-custom", &json!({"test.server": MINE}));
    let custom = "configMap: kube-system/coredns-custom";
    spec(&mesh, &format!("way: hosts, {custom}"));
    ended(&apply(&mesh, "--yes"), 0, &["edited ConfigMap kube-system/coredns-custom", "unless"]);
    let ours = || read_key(cluster, "coredns-custom", "global.server").0;
    assert!(ours().is_some_and(|text| text.contains(NAME)));
    ended(&apply(&mesh, "--yes"), 0, &["nothing to do"]);
    spec(&mesh, &format!("way: proxy, {custom}"));
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    assert_eq!(ours(), None);
    let theirs = read_key(cluster, "coredns-custom", "test.server").0;
    assert_eq!(theirs.as_deref(), Some(MINE));
    // A block in a ConfigMap the spec names no more goes in the same run.
    write(cluster, "coredns", &json!({"Corefile": KUBEADM}));
    spec(&mesh, "way: hosts");
    ended(&apply(&mesh, "--yes"), 0, &["edited ConfigMap kube-system/coredns", "done: 1 writes"]);
    spec(&mesh, &format!("way: hosts, {custom}"));
    ended(&apply(&mesh, "--yes"), 0, &["done: 2 writes"]);
    assert_eq!(corefile(cluster).0, KUBEADM);
    assert!(ours().is_some_and(|text| text.contains(NAME)));
    spec(&mesh, &format!("way: none, {custom}"));
    ended(&apply(&mesh, "--yes"), 0, &["done: 1 writes"]);
    // A way that needs an address and has none is reported, and stops nothing.
    spec(&mesh, "way: istio-coredns");
    let told = ["warning[config/needs]: cluster `cluster1` needs the address", "nothing to do"];
    ended(&apply(&mesh, "--yes"), 0, &told);
}
