//! From roots that istiods made to one root of ours, and from it to another: no call fails in either direction, and no
//! istiod has `ISTIO_MULTIROOT_MESH`.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::bookinfo::PORT;
use tests::cli::{ended, words};
use tests::judges::run;
use tests::rig::follow::End;
use tests::schema;

use super::bookinfo::until;
use super::both_ways::BothWays;
use crate::MESHCTL;

const CONTEXTS: &str = "--context cluster1,cluster2";
/// The user whose rights are those that are printed.
const USER: &str = "ci";
/// Every phase waits for certificates that live for a minute.
const PATIENCE: Duration = Duration::from_secs(400);

/// By bridges and by overlap, with an abort from every phase; nothing restarts but istiods.
pub(super) fn without_restarts(both: &BothWays<'_>) {
    let pods = both.pods();
    federate(both);
    both.until_answered();
    let run = Runs { both, more: "" };
    rights(both);
    root(both, "first");
    let plan = run.good(&format!("rotate root plan @/first {CONTEXTS}"));
    println!("{plan}");
    for part in ["1. bridged (cluster1, cluster2)", "2. switched (", "3. done ("] {
        assert!(plan.contains(part), "{plan}");
    }
    let plan = run.good(&format!("rotate root plan @/first {CONTEXTS} -o json"));
    schema::check("root-rotation-plan", &plan);
    both.while_calling(|| {
        let first = format!("rotate root next @/first {CONTEXTS}");
        let overlap = format!("{first} --strategy overlap");
        for (command, phase) in
            [(&first, "bridged"), (&overlap, "prepared"), (&overlap, "activated")]
        {
            run.until(command, &format!("{phase} (cluster1, cluster2)"));
            run.until_done(&format!("rotate root abort @/first {CONTEXTS}"));
        }
        run.until_done(&overlap);
    });
    root(both, "second");
    both.mesh
        .shell
        .good("ca cross-sign --ca @/first --root @/second/root-cert.pem --out @/bridge.pem --yes");
    both.while_calling(|| {
        let second = format!("rotate root next @/second {CONTEXTS} --bridge @/bridge.pem");
        stopped_by_rejections(both, &second);
        run.until(&second, "switched (cluster1, cluster2)");
        run.until_done(&format!("rotate root abort @/second {CONTEXTS} --from @/first"));
        killed(both, &second);
        run.until_done(&second);
    });
    only_second(both);
    assert_eq!(pods, both.pods(), "no workload has restarted");
}

/// By overlap, with certificates that live for a day: workloads restart instead of waiting for the next one.
pub(super) fn with_restarts(both: &BothWays<'_>) {
    federate(both);
    both.restart();
    both.until_answered();
    let run = Runs { both, more: "--workloads" };
    rights(both);
    root(both, "second");
    let pods = both.settled_pods();
    both.while_calling(|| {
        let next = format!("rotate root next @/second {CONTEXTS} --strategy overlap");
        run.until(&next, "prepared (cluster1, cluster2)");
        run.until_done(&next);
    });
    let new = both.settled_pods();
    only_second(both);
    assert!(pods.iter().all(|pod| !new.contains(pod)), "every workload has restarted");
}

/// Each cluster trusts the root that the other's istiod made.
fn federate(both: &BothWays<'_>) {
    both.apply_spec();
    let clusters = format!("-f @/mesh.yaml {CONTEXTS}");
    let plan = both.mesh.run(&format!("trust plan {clusters}"));
    ended(&plan, 2, &["1. push to cluster1", "2. push to cluster2", "next: meshctl trust next "]);
    let pods = both.pods();
    for cluster in ["cluster1", "cluster2"] {
        let next = format!("trust next {clusters} --restart istiod --yes --timeout 180s");
        let said = both.mesh.good(&next);
        assert!(said.contains(&format!("push to {cluster}\n")), "{said}");
    }
    let done = "every cluster has what its trust models need\n";
    assert_eq!(both.mesh.good(&format!("trust plan {clusters}")), done);
    assert_eq!(pods, both.pods(), "istiods restart, and nothing else");
}

/// A CA with an intermediate for each cluster.
fn root(both: &BothWays<'_>, name: &str) {
    let init = "--cluster cluster1,cluster2 --plain-root-key";
    both.mesh.shell.good(&format!("ca init @/{name} {init} --root-subject 'CN={name} Root'"));
}

/// A user who has exactly the rights that are printed, each of which a rotation needs.
fn rights(both: &BothWays<'_>) {
    let print = format!("push @/ca --print-rbac --rbac-rotate-root --rbac-user {USER} --workloads");
    let kubeconfigs = both.mesh.clusters.iter().map(|cluster| cluster.kubeconfig_for(USER, &[]));
    both.mesh.write_kubeconfig(USER, &kubeconfigs.collect::<Vec<_>>());
    for cluster in &both.mesh.clusters {
        let printed = both.mesh.good(&format!("{print} --context {}", cluster.name()));
        cluster.apply(&printed);
        let documents: Vec<Value> = serde_saphyr::from_multiple(&printed).expect("YAML");
        let without = |rule: Option<(&str, &str)>, part: &str| {
            documents.iter().for_each(|one| cluster.apply_object(&less(one, rule)));
            until(&format!("{rule:?}: {part}"), || {
                let status = format!("rotate root status @/ca --context {}", cluster.name());
                let ran = both.mesh.run_as(USER, &status);
                (ran.out + &ran.err).contains(part).then_some(())
            });
        };
        for (rule, part) in [
            (("ClusterRole", "pods"), "cannot list resource \"pods\""),
            (("ClusterRole", "pods/portforward"), "not seen: pod default/productpage"),
            (("ClusterRole", "workloadentries"), "cannot list resource \"workloadentries\""),
            (("Role", "istio-ca-secret"), "cannot get resource \"secrets\""),
        ] {
            without(Some(rule), part);
        }
        without(None, "ready: bridged (");
    }
}

/// A role without the rule that names this resource.
fn less(role: &Value, rule: Option<(&str, &str)>) -> Value {
    let mut role = role.clone();
    if let Some((kind, name)) = rule
        && role["kind"] == kind
        && let Some(rules) = role["rules"].as_array_mut()
    {
        rules.retain(|rule| rule["resources"][0] != name && rule["resourceNames"][0] != name);
    }
    role
}

/// Runs of `rotate root`, as that user.
struct Runs<'a> {
    both: &'a BothWays<'a>,
    /// Options of everything that pushes.
    more: &'static str,
}

impl Runs<'_> {
    fn good(&self, command: &str) -> String {
        let ran = self.both.mesh.run_as(USER, command);
        assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    /// Runs a command again and again, as a CI job does, until it says this.
    fn until(&self, command: &str, what: &str) {
        let start = Instant::now();
        let mut last = String::new();
        loop {
            let said = self.good(&format!("{command} {} --yes --timeout 180s", self.more));
            if said.contains(what) {
                println!("{command}: {:.0?}\n{said}", start.elapsed());
                return;
            }
            let brief = said.lines().filter(|line| !line.contains(':')).collect::<String>();
            if brief != last {
                println!("{:.0?} {said}", start.elapsed());
                last = brief;
            }
            assert!(start.elapsed() < PATIENCE, "{command}: not in time\n{said}");
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    fn until_done(&self, command: &str) {
        self.until(command, "every cluster is done");
    }
}

/// While a proxy of the canary rejects the certificates of a stranger, no other cluster is written to.
fn stopped_by_rejections(both: &BothWays<'_>, command: &str) {
    let shell = &both.mesh.shell;
    let file = |name: &str| shell.scratch.join(name).display().to_string();
    let (cert, key) = (file("stranger.pem"), file("stranger.key"));
    let made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=stranger";
    run(Command::new("sh").args(["-ec", &format!("{made} -keyout {key} -out {cert}")]));
    let pod = both.mesh.clusters[0].running_pod("default", "app=reviews");
    let address = pod.status.and_then(|status| status.pod_ip).expect("an address");
    let script = format!(
        "openssl s_client -connect {address}:{PORT} -alpn istio-http/1.1 -cert {cert} -key {key} </dev/null"
    );
    let stop = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                run(Command::new("sh").args(["-c", &script]));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let _end = End(&stop);
        both.mesh.run_as(USER, &format!("{command} --yes --timeout 180s"))
    });
    let told = "error[ctl/drop-gate]: proxies have rejected certificates since this run began";
    ended(&ran, 2, &["cluster1: verified", told, "cluster1: ", " more in `ssl.fail_verify_error`"]);
    assert!(!ran.out.contains("cluster2: verified"), "{}", ran.out);
}

/// Kills runs at different moments; what they leave is not looked at, and the next run continues.
fn killed(both: &BothWays<'_>, command: &str) {
    let path = both.mesh.shell.scratch.path().display().to_string();
    let command = format!("{command} --yes --kubeconfig @/{USER}.kubeconfig").replace('@', &path);
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
}

/// Proxies, and all that `evidence` saw, have nothing of another root.
fn only_second(both: &BothWays<'_>) {
    let ran = both.mesh.run(&format!("rotate root evidence @/second {CONTEXTS}"));
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    // A gateway that has not restarted has them, too.
    println!("{}", both.mesh.good(&format!("status @/second {CONTEXTS}")));
    let envelope: Value = serde_json::from_str(&ran.out).expect("JSON");
    let seen = seen_in(both, &envelope);
    assert_eq!(seen["done"], true, "{seen:#}");
    for cluster in seen["clusters"].as_array().expect("clusters") {
        let proxies = &cluster["seen"]["proxies"];
        assert_eq!(proxies["unseen"], serde_json::json!([]), "{seen:#}");
        for kind in proxies["trust"].as_array().expect("bundles") {
            let roots = kind["certificates"].as_array().expect("roots");
            let subjects: Vec<_> = roots.iter().map(|root| &root["subject"]).collect();
            assert_eq!(subjects, ["CN = second Root"], "{kind:#}");
        }
    }
}

/// What an envelope holds, once openssl has verified its signature and its certificates.
fn seen_in(both: &BothWays<'_>, envelope: &Value) -> Value {
    let scratch = &both.mesh.shell.scratch;
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
