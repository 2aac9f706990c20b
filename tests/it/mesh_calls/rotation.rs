//! From roots that istiods made to one root of ours, by a bridge and by overlap, then to another root by a bridge, with
//! aborts: no call fails, no workload restarts, and no istiod has `ISTIO_MULTIROOT_MESH`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::cli::{ended, words};
use tests::judges::run;
use tests::schema;

use super::SPEC;
use super::bookinfo::{Bookinfo, Form, install};
use crate::MESHCTL;

const CONTEXTS: &str = "--context cluster1,cluster2";
/// Every phase waits for certificates that live for a minute.
const PATIENCE: Duration = Duration::from_secs(400);

pub(super) fn from_own_roots(bookinfo: &mut Bookinfo) {
    let pods = pods(bookinfo);
    let shell = &bookinfo.mesh.shell;
    let init = "--cluster cluster1,cluster2 --plain-root-key";
    shell.good(&format!("ca init @/first {init} --root-subject 'CN=First Root'"));
    let plan = bookinfo.mesh.good(&format!("rotate root plan @/first {CONTEXTS}"));
    println!("{plan}");
    for part in ["1. bridged (cluster1, cluster2)", "2. switched (", "3. done ("] {
        assert!(plan.contains(part), "{plan}");
    }
    let plan = bookinfo.mesh.good(&format!("rotate root plan @/first {CONTEXTS} -o json"));
    schema::check("root-rotation-plan", &plan);
    bookinfo.while_calling(|| {
        let first = format!("rotate root next @/first {CONTEXTS}");
        step(bookinfo, &first, "bridged");
        until_done(bookinfo, &format!("rotate root abort @/first {CONTEXTS}"));
        // There again the other way, and back from its first phase.
        let overlap = format!("{first} --strategy overlap");
        step(bookinfo, &overlap, "prepared");
        until_done(bookinfo, &format!("rotate root abort @/first {CONTEXTS}"));
        until_done(bookinfo, &overlap);
    });
    install(&bookinfo.mesh.clusters[1], Form::Own, "trustDomainAliases: [cluster1]\n");
    bookinfo.apply(SPEC);
    bookinfo.until_answered_by("v3");
    shell.good(&format!("ca init @/second {init} --root-subject 'CN=Second Root'"));
    shell.good("ca cross-sign --ca @/first --root @/second/root-cert.pem --out @/bridge.pem --yes");
    bookinfo.while_calling(|| {
        let second = format!("rotate root next @/second {CONTEXTS} --bridge @/bridge.pem");
        killed(bookinfo, &second);
        until_done(bookinfo, &second);
    });
    bookinfo.until_answered_by("v3");
    only_second(bookinfo);
    assert_eq!(pods, self::pods(bookinfo), "no workload has restarted");
}

/// One run that pushes; it says what every cluster is now.
fn step(bookinfo: &Bookinfo, command: &str, phase: &str) {
    let ran = bookinfo.mesh.run(&format!("{command} --yes --timeout 60s"));
    ended(&ran, 0, &[&format!("{phase} (cluster1, cluster2)"), "cluster2: verified"]);
    bookinfo.sync_roots();
}

/// Runs a command again and again, as a CI job does, until every cluster is done.
fn until_done(bookinfo: &Bookinfo, command: &str) {
    let start = Instant::now();
    let mut last = String::new();
    loop {
        let ran = bookinfo.mesh.run(&format!("{command} --yes --timeout 60s"));
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
        if ran.out.contains("every cluster is done") {
            println!("{command}: {:.0?}\n{}", start.elapsed(), ran.out);
            return;
        }
        let brief = ran.out.lines().filter(|line| !line.contains(':')).collect::<String>();
        if brief != last {
            println!("{:.0?} {}{}", start.elapsed(), ran.out, ran.err);
            last = brief;
        }
        assert!(start.elapsed() < PATIENCE, "{command}: not done\n{}", ran.out);
        bookinfo.sync_roots();
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// Kills runs at different moments; what they leave is not looked at, and the next run continues.
fn killed(bookinfo: &Bookinfo, command: &str) {
    let path = bookinfo.mesh.shell.scratch.path().display().to_string();
    let command = format!("{command} --yes --kubeconfig @/admin.kubeconfig").replace('@', &path);
    for milliseconds in [300, 600, 900, 1300, 1800, 2500] {
        let mut child = Command::new(MESHCTL)
            .args(words(&command))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("meshctl starts");
        std::thread::sleep(Duration::from_millis(milliseconds));
        // It may have ended.
        let _ = child.kill();
        child.wait().expect("a status");
    }
    bookinfo.sync_roots();
}

/// Proxies, and all that `evidence` saw, have nothing of another root.
fn only_second(bookinfo: &Bookinfo) {
    let ran = bookinfo.mesh.run(&format!("rotate root evidence @/second {CONTEXTS}"));
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    let envelope: Value = serde_json::from_str(&ran.out).expect("JSON");
    let seen = seen_in(bookinfo, &envelope);
    assert_eq!(seen["done"], true, "{seen:#}");
    for cluster in seen["clusters"].as_array().expect("clusters") {
        let proxies = &cluster["seen"]["proxies"];
        assert_eq!(proxies["unseen"], serde_json::json!([]), "{seen:#}");
        for kind in proxies["trust"].as_array().expect("bundles") {
            let roots = kind["certificates"].as_array().expect("roots");
            let subjects: Vec<_> = roots.iter().map(|root| &root["subject"]).collect();
            assert_eq!(subjects, ["CN = Second Root"], "{kind:#}");
        }
    }
}

/// What an envelope holds, once openssl has verified its signature and its certificates.
fn seen_in(bookinfo: &Bookinfo, envelope: &Value) -> Value {
    let scratch = &bookinfo.mesh.shell.scratch;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let certificates: String =
        envelope["certificates"].as_array().expect("certificates").iter().map(text).collect();
    scratch.write("signer.pem", certificates);
    for (name, value) in
        [("payload", &envelope["payload"]), ("sig", &envelope["signatures"][0]["sig"])]
    {
        scratch.write(&format!("{name}.b64"), text(value));
    }
    let kind = text(&envelope["payloadType"]);
    let script = format!(
        "base64 -d payload.b64 > payload && base64 -d sig.b64 > sig && \
         {{ printf 'DSSEv1 {} {kind} %s ' $(wc -c < payload); cat payload; }} > signed && \
         openssl x509 -in signer.pem -pubkey -noout > signer.pub && \
         openssl dgst -sha256 -verify signer.pub -signature sig signed && \
         openssl verify -CAfile second/root-cert.pem signer.pem",
        kind.len()
    );
    let path = scratch.path().display().to_string();
    let said = run(Command::new("sh").args(["-ec", &script]).current_dir(path)).out;
    assert!(said.contains("Verified OK") && said.contains("signer.pem: OK"), "{said}");
    let payload = scratch.read("payload");
    schema::check("root-rotation", &payload);
    serde_json::from_str(&payload).expect("JSON")
}

/// The pods of both clusters that have a proxy.
fn pods(bookinfo: &Bookinfo) -> Vec<String> {
    let clusters = bookinfo.mesh.clusters.iter();
    let all = clusters.flat_map(|cluster| {
        let gateways = cluster.pods("istio-system", "istio=eastwestgateway");
        cluster.pods("default", "security.istio.io/tlsMode=istio").into_iter().chain(gateways)
    });
    all.filter_map(|pod| pod.metadata.uid).collect()
}
