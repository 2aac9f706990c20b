//! Two meshes with different roots and trust domains, federated by each trust model: calls are carried, and whoever has
//! the key of one CA is believed, exactly as `trust matrix` says.

use std::process::Command;

use meshpki::cacerts;
use meshpki::{Issuer, KeyType, Profile, Signer, SoftKey, Stamp, TrustDomain};
use serde_json::Value;
use tests::authority::{key, stamp};
use tests::bookinfo::PORT;
use tests::cli::ended;
use tests::judges::run;
use tests::rig::sidecar::Sidecar;

use super::bookinfo::{Bookinfo, Form, install, until};
use super::weights;

const FOLDERS: &str = "@/cluster1-ca @/cluster2-ca -f @/mesh.yaml";
const CONTEXTS: &str = "--context cluster1,cluster2";

/// From nothing to a bridge for one trust domain, then to one for all, then to merged roots.
pub(super) fn each_model(bookinfo: &mut Bookinfo, spec: &str) {
    let model = |bookinfo: &Bookinfo, model: &str| {
        bookinfo.apply(&format!("{spec}trust: {{model: {model}}}\n"));
    };
    let own = roots(bookinfo);
    apart(bookinfo, spec);
    model(bookinfo, "scoped-bridge");
    let plan = bookinfo.mesh.run(&format!("trust plan {FOLDERS} {CONTEXTS}"));
    let refused = "istiod of cluster1 does not accept cluster2, the trust domain of cluster2";
    ended(&plan, 2, &[refused, "meshctl trust render"]);
    settings(bookinfo);
    refused_without_a_bridge(bookinfo);
    for scope in ["scoped-bridge", "bridge"] {
        model(bookinfo, scope);
        let bridges = cross_sign(bookinfo, scope);
        federate(bookinfo, &bridges);
        carried(bookinfo);
        assert_eq!(roots(bookinfo), own, "{scope}: no root bundle has changed");
        believed_as_the_matrix_says(bookinfo, &bridges);
    }
    model(bookinfo, "merged-roots");
    federate(bookinfo, "");
    carried(bookinfo);
    assert_eq!(roots(bookinfo).map(|text| text.matches("BEGIN").count()), [2, 2]);
    believed_as_the_matrix_says(bookinfo, "");
    folder_first(bookinfo);
}

/// A folder that was changed and not pushed is pushed before anything is planned on it.
fn folder_first(bookinfo: &Bookinfo) {
    bookinfo.mesh.shell.good("ca renew @/cluster2-ca --cluster cluster2");
    let plan = bookinfo.mesh.run(&format!("trust plan {FOLDERS} {CONTEXTS}"));
    let told = "cluster2: the files of its folder are not in the cluster yet";
    ended(&plan, 2, &[told, "next: meshctl trust next "]);
    let next = format!("trust next {FOLDERS} --yes --timeout 180s");
    assert!(bookinfo.mesh.good(&next).contains("push to cluster2\n"));
    let done = "every cluster has what its trust models need";
    assert!(bookinfo.mesh.good(&next).contains(done));
}

/// Clusters that the spec leaves apart need not accept each other: `check`, `status` and `push` have nothing to say.
fn apart(bookinfo: &Bookinfo, spec: &str) {
    let scratch = &bookinfo.mesh.shell.scratch;
    scratch.write("mesh.yaml", spec);
    let said = bookinfo.mesh.run("check -f @/mesh.yaml");
    assert!(said.out.contains("error[istiod/different-roots]"), "{}", said.out);
    let (clusters, _) = spec.split_once("services:").expect("services");
    let third = "- {name: third, istioVersion: 1.30.3}\n";
    let pairs = "trust: {pairs: [{clusters: [cluster1, third], model: bridge}]}\n";
    scratch.write("apart.yaml", format!("{clusters}{third}{pairs}"));
    for command in ["check", "status @/cluster1-ca"] {
        let said = bookinfo.mesh.run(&format!("{command} -f @/apart.yaml {CONTEXTS}"));
        let all = said.out.clone() + &said.err;
        assert!(!all.contains("different-roots") && !all.contains("does not accept"), "{all}");
    }
}

/// istiod of both accepts the other trust domain, by the settings that `trust render` prints.
fn settings(bookinfo: &Bookinfo) {
    for cluster in &bookinfo.mesh.clusters {
        let command = format!("trust render {FOLDERS} --cluster {}", cluster.name());
        let said = bookinfo.mesh.shell.good(&command);
        let (_, values) = said.split_once("meshConfig:\n").expect("settings");
        let lines = values.lines().filter(|line| !line.starts_with("  trustDomain:"));
        let settings: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
        install(cluster, Form::Roots, &settings);
    }
}

fn refused_without_a_bridge(bookinfo: &Bookinfo) {
    until("cluster2 is not accepted", || {
        let answer = bookinfo.call();
        assert_ne!(answer.name(), "v3");
        (answer.status == 503).then_some(())
    });
    let ran = bookinfo.mesh.run(&format!("trust matrix {FOLDERS} {CONTEXTS}"));
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("cluster1 does not accept cluster2: "), "{}", ran.out);
    let next = bookinfo.mesh.run(&format!("trust next {FOLDERS} --yes"));
    let parts = ["error[ctl/trust-lacking]: ", "cluster2 has no bridge", "cluster1 has no bridge"];
    ended(&next, 2, &parts);
}

/// Runs the commands that `trust plan` prints; returns the options for their files.
fn cross_sign(bookinfo: &Bookinfo, model: &str) -> String {
    let shell = &bookinfo.mesh.shell;
    let mut options = String::new();
    let plan = shell.run(&format!("trust plan {FOLDERS}"));
    assert_eq!(plan.status, 2, "{}{}", plan.out, plan.err);
    let commands = plan.out.lines().filter_map(|line| line.trim().strip_prefix("meshctl "));
    for command in commands.filter(|command| command.starts_with("ca cross-sign")) {
        let (command, file) = command.split_once(" --out ").expect("a file");
        assert_eq!(command.contains("--constrain"), model == "scoped-bridge", "{command}");
        shell.good(&format!("{command} --out @/{model}-{file} --yes"));
        options += &format!(" --bridge @/{model}-{file}");
    }
    assert_eq!(options.matches("--bridge").count(), 2, "{}", plan.out);
    options
}

/// Takes every push of the plan, none of which calls notice, and gives proxies certificates of the new chain.
fn federate(bookinfo: &mut Bookinfo, bridges: &str) {
    for _ in 0..2 {
        let next = format!("trust next {FOLDERS}{bridges} --yes --timeout 180s");
        println!("{}", bookinfo.mesh.good(&next));
    }
    let plan = format!("trust plan {FOLDERS}{bridges} {CONTEXTS}");
    assert_eq!(bookinfo.mesh.good(&plan), "every cluster has what its trust models need\n");
    bookinfo.restart_proxies(&["productpage", "v1", "v2", "v3", "gateway"]);
}

fn carried(bookinfo: &Bookinfo) {
    bookinfo.until_answered_by("v3");
    bookinfo.until_only(&["v1", "v2", "v3"], 20);
    weights(bookinfo, ["cluster1", "cluster2"], "version-v3");
    bookinfo.mesh.good(&format!("trust matrix {FOLDERS} {CONTEXTS}"));
}

/// The roots that workloads of each cluster get.
fn roots(bookinfo: &Bookinfo) -> [String; 2] {
    let clusters = &bookinfo.mesh.clusters;
    [0, 1].map(|i| clusters[i].config_map_key("default", "istio-ca-root-cert", "root-cert.pem"))
}

/// With the key of cluster2's CA, one calls v1 on cluster1 as a workload of either trust domain.
fn believed_as_the_matrix_says(bookinfo: &Bookinfo, bridges: &str) {
    let command = format!("trust matrix {FOLDERS} {CONTEXTS} --if-leaked cluster2 -o json");
    let said = bookinfo.mesh.run(&command).out;
    let document: Value = serde_json::from_str(&said).expect("JSON");
    let found = document["ifLeaked"]["impersonations"].as_array().expect("impersonations");
    for domain in ["cluster1", "cluster2"] {
        let believes = |one: &&Value| one["truster"] == "cluster1" && one["trustDomain"] == domain;
        let expect = found.iter().any(|one| believes(&one));
        let answer = call_as(bookinfo, domain);
        assert_eq!(answer.contains("200 OK"), expect, "{bridges} as {domain}: {answer}");
    }
}

/// What v1's proxy answers to a workload of that trust domain whose certificate cluster2's CA signed.
fn call_as(bookinfo: &Bookinfo, domain: &str) -> String {
    let scratch = &bookinfo.mesh.shell.scratch;
    let read = |file: &str| scratch.read(&format!("cluster2-ca/cluster2/{file}"));
    let ca = cacerts::certs("ca-cert.pem", read("ca-cert.pem").as_bytes()).expect("PEM").remove(0);
    let signer = SoftKey::from_pem(read("ca-key.pem").as_bytes(), None).expect("a key");
    let domain: TrustDomain = domain.parse().expect("a trust domain");
    let id = domain.workload("default", "bookinfo-productpage").expect("an identity");
    let own = key(KeyType::EcdsaP256);
    let issuer = Issuer { cert: &ca, signer: &signer };
    let stamp = Stamp { not_before: bookinfo.mesh.shell.now, ..stamp() };
    let leaf = meshpki::issue(&Profile::workload(&id), own.public_key(), issuer, stamp);
    scratch.write("leaf.pem", leaf.expect("a certificate").to_pem());
    scratch.write_key("leaf.key", own.to_pem().as_str());
    scratch.write("chain.pem", read("cert-chain.pem"));
    let path = |file: &str| scratch.join(file).display().to_string();
    request(&bookinfo.reviews["v1"].proxy, &path("leaf.pem"), &path("leaf.key"), &path("chain.pem"))
}

/// A request over mutual TLS from outside of every pod.
fn request(proxy: &Sidecar, leaf: &str, key: &str, chain: &str) -> String {
    let script = format!(
        "(printf 'GET / HTTP/1.1\\r\\nHost: reviews:9080\\r\\nConnection: close\\r\\n\\r\\n'; sleep 2) | \
         timeout 20 openssl s_client -quiet -connect {}:{PORT} -alpn istio-http/1.1 \
         -cert {leaf} -key {key} -cert_chain {chain} 2>&1",
        proxy.address
    );
    run(Command::new("sh").args(["-c", &script])).out
}
