//! `ctl/wrong-cluster` on real clusters: two contexts of one cluster, and swapped contexts.

use kube::config::Kubeconfig;
use tests::cli::ended;
use tests::mesh::Mesh;
use tests::rig::Istio;

const PUSH: &str = "--yes --timeout 60s --reload-timeout 20s";

/// A kubeconfig as `@/NAME.kubeconfig` whose contexts reach clusters by their numbers, and what is changed in each.
fn kubeconfig(
    mesh: &Mesh,
    name: &str,
    contexts: &[(&str, usize)],
    change: impl Fn(usize, &mut Kubeconfig),
) {
    let mut paths = Vec::new();
    for (at, (context, cluster)) in contexts.iter().enumerate() {
        let path = mesh.clusters[*cluster].kubeconfig();
        let mut one = Kubeconfig::read_from(path).expect("a kubeconfig");
        (*context).clone_into(&mut one.contexts[0].name);
        change(at, &mut one);
        let file = format!("{name}-{at}.json");
        mesh.shell.scratch.write_key(&file, serde_json::to_string(&one).expect("JSON"));
        paths.push(mesh.shell.scratch.join(file));
    }
    mesh.write_kubeconfig(name, &paths);
}

/// The same server by another name, which its certificate has.
fn by_name(at: usize, one: &mut Kubeconfig) {
    if at == 0 {
        return;
    }
    let cluster = one.clusters[0].cluster.as_mut().expect("a cluster");
    let server = cluster.server.as_mut().expect("a server");
    *server = server.replace("127.0.0.1", "localhost");
}

#[test]
fn two_contexts_of_one_cluster() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    mesh.shell.good("ca init @/ca --plain-root-key --cluster west");
    kubeconfig(&mesh, "twins", &[("east", 0), ("west", 0)], by_name);
    let both = [
        "the same cluster",
        "kube-system has UID",
        "context east, https://127.0.0.1",
        "context west, https://localhost",
    ];
    let refused = |command: &str| {
        let before = mesh.written(0);
        let ran = mesh.run_as("twins", command);
        ended(&ran, 2, &["error[ctl/wrong-cluster]: east and west are the same cluster"]);
        ended(&ran, 2, &both);
        assert_eq!(mesh.written(0), before, "{command}");
    };
    let commands = [
        format!("push @/ca --context east,west {PUSH}"),
        "push @/ca --context east,west --dry-run client".to_owned(),
        format!("rotate intermediate @/ca --context east,west --within 9999d {PUSH}"),
        "status @/ca --context east,west".to_owned(),
        "check @/ca --context east,west".to_owned(),
        "check --context east,west -o json".to_owned(),
        "mesh discover --context east,west".to_owned(),
    ];
    commands.iter().for_each(|command| refused(command));
    mesh.shell.scratch.write(
        "mesh.yaml",
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {name: east, istioVersion: 1.30.3}\n- {name: west, istioVersion: 1.30.3}\n",
    );
    refused("mesh diff -f @/mesh.yaml");
    refused("mesh apply -f @/mesh.yaml --yes");
    refused(&format!("push @/ca -f @/mesh.yaml {PUSH}"));
    // Nothing was renewed on disk either.
    assert!(!mesh.shell.scratch.join("ca/previous").exists());
    // Forced, the first is written, and the second says who has changed what it looked at.
    let forced = format!(
        "push @/ca --context east,west {PUSH} --force ctl/wrong-cluster,istiod/root-replaced"
    );
    let ran = mesh.run_as("twins", &forced);
    ended(&ran, 2, &["error[apply/moved]: this run wrote secret cacerts a moment ago, for east"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("another meshctl"), "{}", ran.err);
    refused(&format!("rollback --context east,west {PUSH}"));
    // A user who may see no UID: one address is one cluster.
    let nobody = mesh.clusters[0].kubeconfig_for("nobody", &[]);
    std::fs::copy(&nobody, mesh.shell.scratch.join("nobody-0.json")).expect("a copy");
    let one = Kubeconfig::read_from(&nobody).expect("a kubeconfig");
    let mut other = one.clone();
    "west".clone_into(&mut other.contexts[0].name);
    mesh.shell.scratch.write_key("nobody-1.json", serde_json::to_string(&other).expect("JSON"));
    let paths = ["nobody-0.json", "nobody-1.json"].map(|file| mesh.shell.scratch.join(file));
    mesh.write_kubeconfig("nobody", &paths);
    let ran = mesh.run_as("nobody", "mesh apply -f @/mesh.yaml --yes");
    ended(&ran, 2, &["error[ctl/wrong-cluster]", "both contexts reach https://127.0.0.1"]);
}

#[test]
fn contexts_of_two_clusters_swapped() {
    let Some(mesh) = Mesh::with_istio(&["east", "west"], &Istio::default()) else { return };
    kubeconfig(&mesh, "swapped", &[("east", 1), ("west", 0)], |_, _| {});
    let refused = |command: &str, parts: &[&str]| {
        let before = [mesh.written(0), mesh.written(1)];
        let ran = mesh.run_as("swapped", command);
        ended(&ran, 2, &["error[ctl/wrong-cluster]"]);
        ended(&ran, 2, parts);
        assert_eq!([mesh.written(0), mesh.written(1)], before, "{command}");
    };
    // Nothing is live yet: istiod knows where it is.
    let push = |clusters: &str| format!("push @/ca --context {clusters} {PUSH}");
    refused(
        &push("east,west"),
        &["the cluster named east identifies itself as west", "CLUSTER_ID"],
    );
    refused(&push("west"), &["the cluster named west identifies itself as east"]);
    refused("check @/ca --context east,west", &["identifies itself as"]);
    mesh.good(&push("east,west"));
    mesh.shell.scratch.write(
        "mesh.yaml",
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {name: east, istioVersion: 1.30.3}\n- {name: west, istioVersion: 1.30.3}\n",
    );
    refused("mesh diff -f @/mesh.yaml", &["the cluster named east identifies itself as west"]);
    refused("mesh apply -f @/mesh.yaml --context west --yes", &["identifies itself as east"]);
    refused("mesh discover --context east,west", &["identifies itself as"]);
    // What is live is what the folders have, and after they were renewed.
    refused(&push("east,west"), &["the CA for east is already live in west"]);
    refused(&push("east"), &["the cluster named east has the CA of west"]);
    refused("status @/ca --context east,west", &["the CA for east is already live in west"]);
    mesh.shell.good("ca renew @/ca --cluster east,west");
    refused(&push("east,west"), &["has a different subject", "`Mesh CA west`", "`Mesh CA east`"]);
    refused(&push("west"), &["has a different subject"]);
    let rotate = |clusters: &str| {
        format!("rotate intermediate @/ca --context {clusters} --within 9999d {PUSH}")
    };
    let files = mesh.shell.scratch.entries("ca").len();
    refused(&rotate("east,west"), &["has a different subject"]);
    // Without a folder of its own nothing is made from what is another's.
    std::fs::rename(mesh.shell.scratch.join("ca/east"), mesh.shell.scratch.join("east"))
        .expect("a move");
    refused(&rotate("east"), &["the cluster named east has the CA of west"]);
    assert!(!mesh.shell.scratch.join("ca/east").exists());
    std::fs::rename(mesh.shell.scratch.join("east"), mesh.shell.scratch.join("ca/east"))
        .expect("a move");
    assert_eq!(mesh.shell.scratch.entries("ca").len(), files, "nothing is made or renewed");
    // As they should be, all is well, and the way back too.
    mesh.good(&push("east,west"));
    mesh.good(&format!("rollback --context east,west {PUSH}"));
}
