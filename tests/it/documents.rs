//! The commands of README.md, docs/ci.md and docs/mesh.md, in order, with the real binary, on two real clusters: their
//! output and exit status, and that `status` is consistent after every step.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::cli::{Ran, ended, words};
use tests::mesh::Mesh;
use tests::rig::{Cluster, Istio};

use crate::MESHCTL;

const README: &str = include_str!("../../README.md");
const CI: &str = include_str!("../../docs/ci.md");
const MESH: &str = include_str!("../../docs/mesh.md");

/// A service both clusters have, for everyone to call.
const REVIEWS: &str = "
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default, labels: {meshctl/export: 'true'}}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews, namespace: default}
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec: {containers: [{name: reviews, image: reviews}]}
";

/// What a reader of docs/mesh.md adds to what was discovered.
const POLICY: &str = "policies:
- name: reviews
  service: default/reviews
  clients: [east]
  route:
  - {cluster: east, weight: 75}
  - {cluster: west, weight: 25}
";

/// A command of a document that begins so: a line of a block, or a span between backticks.
#[track_caller]
fn command(document: &str, begins: &str) -> String {
    let lines = document.lines().map(|line| line.trim_start_matches("$ "));
    let lines = lines.map(|line| line.split(" #").next().unwrap_or(line).trim());
    let spans = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    const CARGO: &str = "cargo run -p meshctl -- ";
    let program = |text: &str| {
        ["meshctl ", CARGO].iter().find_map(|name| text.strip_prefix(name)).map(str::to_owned)
    };
    let mut all = lines.chain(spans).filter_map(program);
    all.find(|text| text.starts_with(begins))
        .unwrap_or_else(|| panic!("no document has `meshctl {begins}`"))
}

/// The two clusters, with the names the documents give their contexts.
struct Reader {
    mesh: Mesh,
}

impl Reader {
    fn start() -> Option<Self> {
        let mesh = Mesh::start(&["east", "west"])?;
        let install = |cluster: &Cluster, address: &str| {
            cluster.install_istio_crds();
            cluster.install_istio(&Istio::default());
            cluster.apply(REVIEWS);
            cluster.give_address("istio-system", "istio-ingressgateway", address);
        };
        std::thread::scope(|scope| {
            for (cluster, address) in mesh.clusters.iter().zip(["172.18.0.229", "172.18.0.230"]) {
                scope.spawn(move || install(cluster, address));
            }
        });
        let path = mesh.shell.scratch.join("admin.kubeconfig");
        let text = std::fs::read(&path).expect("a kubeconfig");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        for name in ["east", "west"] {
            let context =
                json!({"name": format!("prod-{name}"), "context": {"cluster": name, "user": name}});
            config["contexts"].as_array_mut().expect("contexts").push(context);
        }
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        Some(Self { mesh })
    }

    /// Runs a command as a reader would type it in a folder of his own: with their names for what a document leaves open,
    /// and one name for the folder of the CA.
    fn run(&self, command: &str) -> Ran {
        let both = "east=prod-east,west=prod-west";
        let mut typed = command.to_owned();
        for (open, name) in [
            ("[DIR]", "mesh-ca"),
            ("DIR", "mesh-ca"),
            ("NAME", "east"),
            ("[CLUSTER=]CONTEXT…", both),
            ("--context …", "--context east=prod-east,west=prod-west"),
        ] {
            typed = typed.replace(open, name);
        }
        let args = words(&typed).into_iter().enumerate();
        let args =
            args.map(|(i, word)| if i > 0 && word == "ca" { "mesh-ca".to_owned() } else { word });
        let output = Command::new(MESHCTL)
            .args(args)
            .current_dir(self.mesh.shell.scratch.path())
            .env("KUBECONFIG", self.mesh.shell.scratch.join("admin.kubeconfig"))
            .stdin(Stdio::null())
            .output()
            .expect("meshctl runs");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let status = output.status.code().and_then(|code| u8::try_from(code).ok());
        let ran = Ran {
            status: status.expect("an exit status"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        println!("$ meshctl {typed}\n{}{}(exit {})\n", ran.out, ran.err, ran.status);
        ran
    }

    /// Runs a command, which ends with 0.
    #[track_caller]
    fn good(&self, command: &str, parts: &[&str]) {
        ended(&self.run(command), 0, parts);
    }

    /// `status` of a document: everything is good, and nothing is left to type.
    #[track_caller]
    fn is_green(&self, status: &str) {
        let ran = self.run(status);
        ended(&ran, 0, &[": 0 errors, 0 warnings"]);
        assert!(!ran.out.contains("next:") && !ran.out.contains("[fail]"), "{}", ran.out);
    }

    /// `status` reports these problems, and its next command fixes them.
    #[track_caller]
    fn is_mended(&self, status: &str, parts: &[&str]) {
        let ran = self.run(status);
        ended(&ran, 2, parts);
        assert!(!ran.out.contains(" 0 errors") && ran.out.contains("[fail]"), "{}", ran.out);
        let mut next = ran.out.lines().last().and_then(|line| line.strip_prefix("next: meshctl "));
        // One cluster after the other, until no command is left.
        let mut after = ran.out.clone();
        for _ in 0..2 {
            let Some(command) = next else { break };
            self.good(&format!("{command} --yes"), &["verified"]);
            after = self.run(status).out;
            next = after.lines().last().and_then(|line| line.strip_prefix("next: meshctl "));
        }
        assert_eq!(next, None, "{after}");
        self.is_green(status);
    }
}

#[test]
fn from_nothing_to_calls_across_clusters() {
    let Some(reader) = Reader::start() else { return };
    let status = command(README, "status mesh-ca");
    // With a terminal, the first `ca init` of the page would ask for a passphrase; this one does not.
    let init = command(README, "ca init mesh-ca --cluster east --cluster west --plain-root-key");
    reader.good(&init, &["mesh-ca/west/ca-cert.pem: OK"]);
    reader.good(&command(README, "check mesh-ca"), &["2 clusters: 0 errors, 0 warnings"]);
    let before = reader.run(&status);
    ended(
        &before,
        2,
        &["error[istiod/first-install]: east: ", "no secret", "next: meshctl push mesh-ca"],
    );
    let push = command(README, "push mesh-ca");
    ended(&reader.run(&push), 64, &["--yes"]);
    reader.good(&format!("{push} --yes"), &["secret: new", "east: verified", "west: verified"]);
    reader.is_green(&status);
    reader.good(&format!("{push} --yes"), &["secret: unchanged", "done: nothing to write"]);
    reader.good(&command(README, "check [DIR]"), &["2 clusters: 0 errors, 0 warnings"]);

    renewed_and_turned_back(&reader, &status);
    across_clusters(&reader);

    let forget = command(README, "forget");
    ended(
        &reader.run(&forget),
        64,
        &["the previous secret: `Mesh CA east`", "mesh-ca/previous/east-", "--yes"],
    );
    reader.good(&format!("{forget} --yes"), &["east: emptied", "west: emptied", ": removed"]);
    reader.is_green(&status);
    reader.good(&format!("{forget} --yes"), &["nothing is kept"]);
    ended(&reader.run("rollback --context east=prod-east --yes"), 2, &["error[ctl/no-previous]"]);
    let previous = reader.mesh.shell.scratch.join("mesh-ca/previous");
    assert!(!previous.exists());
}

/// Of README and docs/ci.md: renewal by hand, the job, and the way back.
fn renewed_and_turned_back(reader: &Reader, status: &str) {
    reader.good(
        &command(README, "ca renew DIR"),
        &["the old files of east are in mesh-ca/previous/"],
    );
    reader.is_mended(
        status,
        &[
            "folder   mesh-ca/east differs: the CA",
            "error[ctl/folder-differs]: east: ",
            "next: meshctl push mesh-ca --context east=prod-east",
        ],
    );
    let job = command(CI, "rotate intermediate");
    reader.good(&job, &["east: `Mesh CA east`", "not due (within 30 days)", "west: verified"]);
    let due = job.replace("30d", "400d");
    assert_ne!(due, job);
    reader.good(
        &due,
        &[": due (within 400 days)", "wrote the secret", "restarts: none", "west: verified"],
    );
    reader.is_green(status);
    reader.good(&command(CI, "ca expiry"), &[]);
    reader.is_green(&command(CI, "status --context"));

    let rollback = command(README, "rollback");
    reader.good(
        &format!("{rollback} --yes"),
        &["secret: changed", "east: verified", "west: verified"],
    );
    // The clusters are as they should be; the folder is what differs from them now.
    reader.is_green(&command(CI, "status --context"));
    reader
        .is_mended(status, &["2 errors", "error[ctl/folder-differs]: west: mesh-ca/west differs"]);
}

/// Of docs/mesh.md: what the clusters have, what is missing, and bringing it in; then the certificates by the same file.
fn across_clusters(reader: &Reader) {
    let discover = command(MESH, "mesh discover");
    reader.good(
        &format!("{discover} --yes"),
        &["new: service default/reviews on west", "wrote mesh.yaml"],
    );
    let scratch = &reader.mesh.shell.scratch;
    scratch.write("mesh.yaml", scratch.read("mesh.yaml") + POLICY);
    let diff = command(MESH, "mesh diff");
    ended(&reader.run(&diff), 2, &["+ east: create VirtualService default/reviews"]);
    let apply = command(MESH, "mesh apply");
    reader.good(&format!("{apply} --yes"), &["applied VirtualService default/reviews", "done: "]);
    reader.good(&diff, &["create 0, update 0, prune 0"]);
    reader.good("mesh lint", &[]);
    reader.good(&command(MESH, "mesh explain"), &["reviews.default.svc.west.global"]);

    reader.good(&command(MESH, "ca init mesh-ca -f"), &["unchanged"]);
    reader.good(&format!("{} --yes", command(MESH, "push mesh-ca -f")), &["secret: unchanged"]);
    reader.is_green(&command(MESH, "status mesh-ca -f"));
}
