//! `trust:` in the spec: `trust plan`, `trust render` and `trust matrix` for each model. `trust next` is in `mesh_calls`.

use serde_json::Value;
use tests::cli::ended;
use tests::{Shell, schema};

/// Two meshes with a root each, by their trust model.
fn shell(trust: &str) -> Shell {
    let shell = Shell::new();
    for (name, title) in [("east", "East"), ("west", "West")] {
        shell.good(&format!(
            "ca init @/{name}-ca --cluster {name} --plain-root-key --root-subject 'CN={title} Root'"
        ));
    }
    write_spec(&shell, trust);
    shell
}

fn write_spec(shell: &Shell, trust: &str) {
    shell.scratch.write(
        "mesh.yaml",
        format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: east, istioVersion: 1.30.3, trustDomain: east.example}}\n\
             - {{name: west, istioVersion: 1.30.3, trustDomain: west.example}}\n\
             {trust}\n"
        ),
    );
}

const FOLDERS: &str = "@/east-ca @/west-ca -f @/mesh.yaml";

/// From what is lacking to the commands, and with their files to the pushes.
#[test]
fn a_bridge_step_by_step() {
    let shell = shell("trust: {model: scoped-bridge}");
    shell.check(
        &format!("trust plan {FOLDERS}"),
        r#"
        exit 2
        lacking: west has no bridge for `East Root`, the root of east
           meshctl ca cross-sign --ca @/west-ca --root @/east-ca/east/root-cert.pem --constrain east.example --out east-by-west.pem
           then name its file with --bridge
        lacking: east has no bridge for `West Root`, the root of west
           meshctl ca cross-sign --ca @/east-ca --root @/west-ca/west/root-cert.pem --constrain west.example --out west-by-east.pem
           then name its file with --bridge
    "#,
    );
    let plan = shell.run(&format!("trust plan {FOLDERS}"));
    let commands = plan.out.lines().filter_map(|line| line.trim().strip_prefix("meshctl "));
    for command in commands.filter(|line| line.starts_with("ca cross-sign")) {
        let (command, file) = command.split_once(" --out ").expect("a file");
        shell.good(&format!("{command} --out @/{file} --yes"));
    }
    shell.check(
        &format!("trust plan {FOLDERS} --bridge @/west-by-east.pem --bridge @/east-by-west.pem"),
        r#"
        exit 2
        1. push to east
           cert-chain.pem + bridge `East Root` by `West Root`, until 2027-02-19
           then west accepts east until 2027-02-19
        2. push to west
           cert-chain.pem + bridge `West Root` by `East Root`, until 2027-02-19
           then east accepts west until 2027-02-19
        next: meshctl trust next @/east-ca @/west-ca -f @/mesh.yaml --bridge @/west-by-east.pem --bridge @/east-by-west.pem
    "#,
    );
}

#[test]
fn merged_and_shared_roots() {
    let shell = shell("trust: {model: merged-roots}");
    shell.check(
        &format!("trust plan {FOLDERS}"),
        r#"
        exit 2
        1. push to east
           root-cert.pem + root `West Root`, until 2036-11-18
           then east accepts west until 2027-11-21
        2. push to west
           root-cert.pem + root `East Root`, until 2036-11-18
           then west accepts east until 2027-11-21
        next: meshctl trust next @/east-ca @/west-ca -f @/mesh.yaml
    "#,
    );
    write_spec(&shell, "trust: {model: shared-root}");
    shell.check(
        &format!("trust plan {FOLDERS}"),
        r#"
        exit 2
        lacking: no root vouches for the CAs of both east and west: create both with one root, or choose another model
    "#,
    );
    write_spec(&shell, "");
    shell.check(
        &format!("trust plan {FOLDERS}"),
        r#"
        exit 1
        --- stderr
        error[config/needs]: the spec has no `trust`

        hint: add `trust: {model: bridge}` to the spec, or another model: merged-roots, scoped-bridge, shared-root
    "#,
    );
}

/// The settings of istiod under a bridge trust no other root than the cluster's own.
#[test]
fn settings_by_model() {
    let shell = shell("trust: {model: bridge}");
    let roots =
        ["east", "west"].map(|name| shell.scratch.read(&format!("{name}-ca/root-cert.pem")));
    let body = |root: &str| root.lines().nth(1).expect("a line").to_owned();
    let check = |trust: &str, parts: &[&str], absent: &[&str]| {
        write_spec(&shell, trust);
        let said = shell.good(&format!("trust render {FOLDERS} --cluster east"));
        parts.iter().for_each(|part| assert!(said.contains(part), "{trust}: {part}: {said}"));
        absent.iter().for_each(|part| assert!(!said.contains(part), "{trust}: {part}: {said}"));
    };
    let [east, west] = roots.map(|root| body(&root));
    for model in ["bridge", "scoped-bridge"] {
        check(
            &format!("trust: {{model: {model}}}"),
            &[
                &east,
                "    - west.example\n",
                "# accepts west.example for as long as it sends a bridge\n",
            ],
            &[&west],
        );
    }
    check("trust: {model: merged-roots}", &[&west, "    - west.example\n"], &[&east]);
    let none = "trust: {pairs: [{clusters: [east, west], model: bridge}]}";
    check(none, &["- west.example"], &[&west]);
}

/// What the proxies of a cluster would reject is refused before anything is rendered.
#[test]
fn what_proxies_reject() {
    let shell = shell("trust: {model: bridge}");
    let ambient = |trust: &str, domain: &str| {
        let spec = format!(
            "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
             - {{name: east, istioVersion: 1.30.3, trustDomain: east.example}}\n\
             - {{name: west, istioVersion: 1.30.3, trustDomain: {domain}, ambient: true}}\n{trust}\n"
        );
        shell.scratch.write("mesh.yaml", spec);
    };
    ambient("trust: {model: scoped-bridge}", "east.example");
    shell.check(
        &format!("trust render {FOLDERS}"),
        r#"
        exit 1
        --- stderr
        error[config/trust-model]: `east` and `west` cannot use trust model `scoped-bridge`: ztunnel in west rejects every chain with a URI name constraint
          in: @/mesh.yaml:6, trust.model

        hint: choose a model that both support: docs/federation.md lists them by dataplane
    "#,
    );
    ambient("", "west.example");
    shell.check(
        &format!("trust render {FOLDERS}"),
        r#"
        exit 1
        --- stderr
        error[config/trust-model]: east and west cannot accept each other
          because: ztunnel in west accepts only its own trust domain, west.example, not east.example

        hint: give both one trust domain, or name in `trust.pairs` of the spec only the clusters that call each other
    "#,
    );
    // The matrix asks ztunnel where the spec says that it runs.
    ambient("", "east.example");
    let said = shell.run(&format!("trust matrix {FOLDERS}"));
    ended(&said, 2, &["ztunnel of west does not accept east: "]);
}

/// A call for which there is no trust model.
#[test]
fn calls_need_a_model() {
    let shell = shell("");
    shell.scratch.write(
        "mesh.yaml",
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
         - {name: east, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.1]}}\n\
         - {name: west, istioVersion: 1.30.3}\n\
         - {name: north, istioVersion: 1.30.3}\n\
         trust: {pairs: [{clusters: [east, north], model: bridge}]}\n\
         services:\n\
         - {name: a, namespace: n, cluster: east, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [west]}\n",
    );
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/not-federated]: cluster `west` imports `n/a` from `east`, but `trust` has no model for the two
          in: @/mesh.yaml:7, trust

        hint: add the two clusters to `trust.pairs`, or set `trust.model` for all pairs
    "#,
    );
}

/// The matrix as after the pushes of the plan.
#[test]
fn the_matrix_after_pushes() {
    let shell = shell("trust: {model: merged-roots}");
    let check = |after: &str, status: u8, parts: &[&str]| {
        ended(&shell.run(&format!("trust matrix {FOLDERS} {after}")), status, parts);
    };
    check("", 2, &["east  2027-11-21  NO\n", "west  NO          2027-11-21\n"]);
    let first =
        ["after 1 push\n", "east  2027-11-21  2027-11-21\n", "west  NO          2027-11-21\n"];
    check("--after 1", 2, &first);
    check("--after 2", 0, &["after 2 pushes\n", "west  2027-11-21  2027-11-21\n"]);
    check("--after 3", 64, &["`--after 3`, but the plan has 2 pushes"]);
    let said = shell.run(&format!("trust matrix {FOLDERS} --after 1 --if-leaked west -o json"));
    schema::check("trust-matrix", &said.out);
    write_spec(&shell, "");
    check("--after 1", 1, &["error[config/needs]: the spec has no `trust`"]);
}

/// A cluster has one folder, and one that was not read is not done.
#[test]
fn folders_of_the_spec() {
    let shell = shell("trust: {model: merged-roots}");
    shell.good("ca init @/other --cluster east --plain-root-key");
    for command in ["plan", "render", "matrix"] {
        let said = shell.run(&format!("trust {command} {FOLDERS} @/other"));
        let parts = [
            "error[ctl/two-folders]: cluster `east` has two folders\n",
            "/east-ca/east\n",
            "/other/east\n",
        ];
        ended(&said, 1, &parts);
    }
    let said = shell.run("trust plan @/east-ca -f @/mesh.yaml");
    ended(&said, 2, &["not read: west, so it is not known what it lacks", "has no folder"]);
    let said = shell.run("trust render @/east-ca @/other -f @/mesh.yaml");
    ended(&said, 1, &["error[ctl/two-folders]"]);
    let said = shell.run("trust render @/west-ca @/empty -f @/mesh.yaml");
    ended(&said, 1, &["/empty has no folder `east` with a CA", "name the folder"]);
}

/// Bridges that are of no use are named with the reason, and folders of single clusters do.
#[test]
fn bridges_of_no_use() {
    let shell = shell("trust: {model: bridge}");
    shell.good("ca cross-sign --ca @/east-ca --root @/west-ca/root-cert.pem --constrain west.example --out @/scoped.pem --yes");
    shell.good("ca cross-sign --ca @/east-ca --root @/west-ca/root-cert.pem --validity 1h --out @/old.pem --yes");
    shell.check(
        "trust plan @/east-ca/east @/west-ca/west -f @/mesh.yaml --at 2026-11-22 --bridge @/scoped.pem --bridge @/old.pem --bridge @/east-ca/root-cert.pem",
        r#"
        exit 2
        lacking: west has no bridge for `East Root`, the root of east
           meshctl ca cross-sign --ca @/west-ca --root @/east-ca/east/root-cert.pem --out east-by-west.pem
           then name its file with --bridge
        lacking: east has no bridge for `West Root`, the root of west
           meshctl ca cross-sign --ca @/east-ca --root @/west-ca/west/root-cert.pem --out west-by-east.pem
           then name its file with --bridge
        not used: bridge `West Root` by `East Root`, until 2027-02-19: no pair of these clusters needs it by its model
        not used: bridge `West Root` by `East Root`, until 2026-11-21: it has expired
        not used: bridge `East Root` by `East Root`, until 2036-11-18: it is a root, not a bridge
    "#,
    );
    // Two roots in a bundle: the root is taken from the folder of the CA.
    let roots =
        ["west", "east"].map(|name| shell.scratch.read(&format!("{name}-ca/root-cert.pem")));
    shell.scratch.write("west-ca/west/root-cert.pem", roots.concat());
    let said = shell.run(&format!("trust plan {FOLDERS}"));
    let parts = [
        "/west-ca/root-cert.pem --out",
        "lacking: west has `East Root`, the root of east, in its root bundle, so trust goes beyond the bridge",
    ];
    ended(&said, 2, &parts);
}

/// Trust that reaches further than the model of the spec.
#[test]
fn beyond_the_spec() {
    let shell = shell("trust: {model: bridge}");
    for (ours, theirs) in [("east", "west"), ("west", "east")] {
        shell.good(&format!(
            "ca cross-sign --ca @/{ours}-ca --root @/{theirs}-ca/root-cert.pem --out @/{theirs}.pem --yes"
        ));
        let ca = format!("@/{theirs}-ca/{theirs}/ca-cert.pem");
        let chain = format!("@/{theirs}-ca/{theirs}/cert-chain.pem");
        shell.good(&format!("ca chain --leaf {ca} {ca} @/{theirs}.pem --out {chain}"));
    }
    shell.good(&format!("trust matrix {FOLDERS}"));
    assert_eq!(
        shell.good(&format!("trust plan {FOLDERS}")),
        "every cluster has what its trust models need\n"
    );
    write_spec(&shell, "trust: {model: scoped-bridge}");
    let said = shell.run(&format!("trust matrix {FOLDERS}"));
    ended(&said, 2, &["east believes west for east.example, expected only west.example"]);
    let said = shell.run(&format!("trust matrix {FOLDERS} --if-leaked west -o json"));
    schema::check("trust-matrix", &said.out);
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(document["beyondSpec"].as_array().expect("a list").len(), 2);
    let said = shell.run(&format!("trust plan {FOLDERS} -o json"));
    assert_eq!(said.status, 2, "{}{}", said.out, said.err);
    schema::check("trust-plan", &said.out);
    for format in ["svg", "html", "mermaid", "dot"] {
        let said = shell.run(&format!("trust matrix {FOLDERS} -o {format}"));
        assert_eq!(said.status, 2, "{format}: {}", said.err);
    }
}

/// The plan as JSON, with pushes and without.
#[test]
fn for_programs() {
    let shell = shell("trust: {model: merged-roots}");
    let said = shell.run(&format!("trust plan {FOLDERS} -o json"));
    assert_eq!(said.status, 2, "{}", said.err);
    schema::check("trust-plan", &said.out);
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    let pushes = document["pushes"].as_array().expect("pushes");
    let brief = |push: &Value| {
        let change = &push["changes"][0];
        let accepts = push["accepts"].as_array().map_or(0, Vec::len);
        format!("{} {} {} {accepts}", push["cluster"], change["file"], change["change"])
    };
    let found: Vec<String> = pushes.iter().map(brief).collect();
    assert_eq!(
        found,
        ["\"east\" \"root-cert.pem\" \"addRoot\" 1", "\"west\" \"root-cert.pem\" \"addRoot\" 1"]
    );
}

/// `trust next` without a cluster that answers changes nothing.
#[test]
fn next_without_clusters() {
    let shell = shell("trust: {model: merged-roots}");
    let before = shell.scratch.read("east-ca/east/root-cert.pem");
    let said = shell.run(&format!("trust next {FOLDERS} --yes --kubeconfig @/none"));
    ended(&said, 1, &["error[apply/kubeconfig]: "]);
    assert_eq!(shell.scratch.read("east-ca/east/root-cert.pem"), before);
}
