//! CRLs in clusters with a real istiod: what docs/revocation.md says with a user who has few rights, and what a rollout refuses.

use std::time::Duration;

use meshpki::internals::pem;
use meshpki::{Crl, KeyType};
use tests::authority::Authority;
use tests::cli::ended;
use tests::mesh::Mesh;
use tests::rig::Istio;

use super::{crls, pki, set, strange_crl};

/// From the first CRLs over a revoked CA to none, on a real cluster with a real istiod; with the printed rights.
#[test]
fn a_ca_is_revoked_and_crls_go() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    east.apply(&mesh.good("push --context east --workloads --print-rbac --rbac-user ci"));
    mesh.write_kubeconfig("ci", &[east.kubeconfig_for("ci", &[])]);
    let limits = "--yes --timeout 60s --reload-timeout 20s";
    mesh.good(&format!("push @/ca --context east {limits}"));
    let given = || east.config_map_key("default", "istio-ca-crl", "ca-crl.pem");
    let crl_file = mesh.shell.scratch.join("ca/east/ca-crl.pem");
    let here = |command: &str| {
        ended(&mesh.shell.run_at(command, meshctl::io::system_time()), 0, &[]);
    };
    let there = |command: &str, more: &str, parts: &[&str]| {
        let ran = mesh.run_as("ci", &format!("{command} @/ca --context east {limits}{more}"));
        ended(&ran, 0, &["verified in 1 pod of istiod and 2 namespaces"]);
        ended(&ran, 0, parts);
        assert_eq!(given(), std::fs::read_to_string(&crl_file).unwrap_or_default(), "{command}");
    };
    let refused = |command: &str, parts: &[&str]| {
        ended(&mesh.run_as("ci", &format!("{command} @/ca --context east {limits}")), 2, parts);
    };
    let first = set(&mesh.shell, "ca/east").ca().serial_hex();
    here("ca crl @/ca");
    there("rotate crl", "", &["restarts: none"]);
    here("ca renew @/ca --cluster east");
    refused("push", &["error[ctl/crl-first]: proxies of east have CRLs, and none of the new CA"]);
    there("rotate crl", "", &["restarts: none"]);
    there(
        "push",
        " --workloads",
        &["restarts, in order: istio-system/deployment/istio-ingressgateway"],
    );
    here(&format!("ca revoke @/ca --serial {first} --reason CACompromise"));
    there("rotate crl", "", &["restarts: none"]);
    here("ca crl @/ca --clear");
    refused("rotate crl", &["error[ctl/stale-crl]: the CRL of", "no longer lists a certificate"]);
    there("rotate crl", " --force ctl/stale-crl", &["restarts: none"]);
    std::fs::remove_file(&crl_file).unwrap();
    there("push", "", &["restarts, in order: istio-system/deployment/istiod"]);
    assert_eq!(given(), "", "without the file nothing is given out");
}

/// East's key was stolen: what docs/revocation.md says, and then its daily job, on two real clusters.
#[test]
fn a_stolen_key_of_one_of_two_clusters() {
    let Some(mesh) = Mesh::with_istio(&["east", "west"], &Istio::default()) else { return };
    let limits = "--yes --timeout 60s --reload-timeout 20s";
    let both = format!("@/ca --context east,west {limits}");
    let here = |command: &str| mesh.shell.run_at(command, meshctl::io::system_time());
    let there = |command: &str| mesh.run(&format!("{command} {limits}"));
    mesh.good(&format!("push {both}"));
    mesh.good(&format!("rotate crl {both}"));
    let stolen = set(&mesh.shell, "ca/east").ca().clone();
    ended(&here("ca revoke @/ca --cluster east --reason CACompromise"), 0, &[]);
    ended(&here("ca renew @/ca --cluster east"), 0, &[]);
    // What the page warns of.
    ended(
        &mesh.run(&format!("rotate crl {both}")),
        2,
        &["error[istiod/rejected-by-peers]", "certificate revoked"],
    );
    ended(&there("rotate crl @/ca --context west"), 0, &["west: verified in"]);
    let push = "push @/ca --context east --workloads";
    ended(&there(push), 2, &["error[ctl/crl-first]: proxies of east have CRLs"]);
    let restarted = "restarts, in order: istio-system/deployment/istio-ingressgateway";
    ended(&there(&format!("{push} --force ctl/crl-first")), 0, &[restarted, "east: verified in"]);
    let of_root = &crls(&mesh.shell, "west")[0];
    assert!(of_root.serials().any(|serial| serial == stolen.serial()), "{of_root:?}");
    for cluster in &mesh.clusters {
        let given = cluster.config_map_key("default", "istio-ca-crl", "ca-crl.pem");
        assert_eq!(given, mesh.shell.scratch.read("ca/west/ca-crl.pem"));
    }
    mesh.good("status @/ca --context east,west");

    let west = mesh.shell.scratch.read("ca/west/ca-cert.pem");
    let renew = "ca renew @/ca --cluster east,west --within";
    ended(&here(&format!("{renew} 30d")), 0, &["unchanged"]);
    ended(&here(&format!("{renew} 400d")), 0, &["next: meshctl rotate crl"]);
    assert_ne!(mesh.shell.scratch.read("ca/west/ca-cert.pem"), west);
    for command in ["rotate crl", "push"] {
        let ran = there(&format!("{command} @/ca --context east,west"));
        ended(&ran, 0, &["east: verified in", "west: verified in"]);
    }
    mesh.good("status @/ca --context east,west");
}

/// CRLs that are older than those in the cluster, that revoke less, that have expired, or that no one reads.
#[test]
fn crls_that_are_not_installed() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let limits = "--yes --timeout 60s --reload-timeout 20s";
    let rotate = format!("rotate crl @/ca --context east {limits}");
    let push = format!("push @/ca --context east {limits}");
    mesh.good(&push);
    mesh.good("rotate crl @/ca --context east --dry-run client");
    assert!(!mesh.shell.scratch.join("ca/east/ca-crl.pem").exists());
    let said = mesh.good(&format!("{rotate} -o json"));
    assert!(said.contains(r#""event":"crls""#), "{said}");
    assert!(mesh.good(&rotate).contains("CRLs: not due"));
    let old = mesh.shell.scratch.read("ca/east/ca-crl.pem");
    mesh.shell.good("ca crl @/ca");
    mesh.good(&push);
    mesh.shell.scratch.write("ca/east/ca-crl.pem", &old);
    ended(
        &mesh.run(&push),
        2,
        &[
            "error[ctl/stale-crl]: the CRL of",
            "is older than the cluster's",
            "the cluster has number",
        ],
    );
    revokes_less(&mesh, limits);
    // Made two minutes ago for one.
    let ago = meshctl::io::system_time() - Duration::from_secs(120);
    mesh.shell.good(&format!("ca crl @/ca --validity 1m --at {ago}"));
    ended(&mesh.run(&push), 2, &["error[istiod/rejected-by-peers]", "CRL has expired"]);
    ended(
        &mesh.run(&format!("{push} --force istiod/rejected-by-peers")),
        2,
        &["error[ctl/stale-crl]: the CRL of", "has expired"],
    );
    // The job fixes it.
    assert!(mesh.good(&rotate).contains("CRLs: due: the CRL of"));
    mesh.shell.good("ca crl @/ca");
    mesh.typed("kubectl -n istio-system set env deployment/istiod PILOT_ENABLE_CA_CRL=false");
    ended(
        &mesh.run(&push),
        2,
        &[
            "error[istiod/crl-ignored]: istiod does not read ca-crl.pem",
            "PILOT_ENABLE_CA_CRL=false",
        ],
    );
    // Without proxies that have them, CRLs stop no new CA, and may go.
    mesh.typed("rm ca/east/ca-crl.pem");
    ended(&mesh.shell.run_at("ca renew @/ca --cluster east", meshctl::io::system_time()), 0, &[]);
    mesh.good(&push);
}

/// A checkout whose list of what was revoked is not the newest, and one without folders.
fn revokes_less(mesh: &Mesh, limits: &str) {
    let (shell, now) = (&mesh.shell, meshctl::io::system_time);
    let rotate = |dir: &str| format!("rotate crl @/{dir} --context east {limits}");
    let push = |dir: &str| format!("push @/{dir} --context east {limits}");
    // A workload's certificate of a CA that has been replaced in the folder, and not yet in the cluster.
    let leaf = pki("leaf", shell, "ca/east", "east").leaf;
    shell.scratch.write("leaf.pem", pem::encode(pem::CERTIFICATE, &leaf));
    ended(&shell.run_at("ca renew @/ca --cluster east", now()), 0, &[]);
    mesh.typed("cp -R ca other");
    ended(&shell.run_at("ca revoke @/ca --certificate @/leaf.pem", now()), 0, &[]);
    let ran = mesh.good(&rotate("ca"));
    assert!(
        ran.contains("CRLs: due: the CRL of `Mesh CA east` does not list a certificate"),
        "{ran}"
    );
    assert!(mesh.good(&rotate("ca")).contains("CRLs: not due"));
    let less = "error[ctl/stale-crl]: the CRL of `Mesh CA east` no longer lists a certificate that the cluster's CRL revokes";
    let serial = "because: its serial number is 4707070707070707070707070707070707070707";
    ended(&shell.run_at("ca crl @/other", now()), 0, &[]);
    for command in [rotate("other"), push("other")] {
        ended(&mesh.run(&command), 2, &[less, serial, "update revoked.txt from its origin"]);
    }
    ended(&mesh.run(&format!("rollback --context east {limits}")), 2, &[less, serial]);
    mesh.typed("rm other/east/ca-crl.pem");
    ended(&mesh.run(&push("other")), 2, &["error[ctl/stale-crl]: ca-crl.pem would go", serial]);
    // The list is lost.
    mesh.typed("mv ca/revoked.txt ca/lost.txt");
    ended(&mesh.run(&rotate("ca")), 2, &["lists certificates that are not in revoked.txt", less]);
    mesh.typed("mv ca/lost.txt ca/revoked.txt && cp ca/revoked.txt other/");
    mesh.good(&rotate("other"));
    // A partner's CRL is installed with ours, and goes when it has expired.
    let partner = Authority::root(KeyType::EcdsaP256, "CN=Partner", |_| {});
    shell.scratch.write("partner.pem", strange_crl(&partner, now(), 9, &[1]).to_pem());
    ended(&shell.run_at("ca crl @/ca --add @/partner.pem", now()), 0, &[]);
    mesh.good(&rotate("ca"));
    let mut others = crls(shell, "east");
    assert_eq!(others.pop().map(|crl| crl.issuer().label()).as_deref(), Some("Partner"));
    let expired = strange_crl(&partner, now() - Duration::from_secs(20 * 86_400), 9, &[1]);
    others.push(expired);
    shell.scratch.write("ca/east/ca-crl.pem", others.iter().map(Crl::to_pem).collect::<String>());
    let ran = mesh.good(&rotate("ca"));
    assert!(ran.contains("CRLs: due: the CRL of `Partner` has expired"), "{ran}");
    // The folder is not kept.
    for file in ["root-cert.pem", "root-key.pem"] {
        shell
            .scratch
            .write_key(&format!("empty/{file}"), shell.scratch.read(&format!("ca/{file}")));
    }
    let job = format!("rotate intermediate @/empty --within 400d --context east {limits}");
    ended(
        &mesh.run(&job),
        2,
        &["error[ctl/crl-first]: `east` has CRLs, and", "nothing was renewed"],
    );
    assert!(!shell.scratch.join("empty/previous").exists());
}

/// What the page says about another root. A step that would let CRLs go while the old root is trusted is refused.
#[test]
fn another_root_while_crls_are_used() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let (shell, limits) = (&mesh.shell, "--yes --timeout 60s --reload-timeout 20s");
    let here = |command: &str| {
        ended(&shell.run_at(command, meshctl::io::system_time()), 0, &[]);
    };
    mesh.good(&format!("push @/ca --context east {limits}"));
    let leaf = pki("leaf", shell, "ca/east", "east").leaf;
    shell.scratch.write("leaf.pem", pem::encode(pem::CERTIFICATE, &leaf));
    here("ca revoke @/ca --certificate @/leaf.pem");
    here("ca init @/new-ca --cluster east --plain-root-key --root-subject 'CN=New Root'");
    here("ca crl @/new-ca");
    here("ca crl @/ca --add @/new-ca/east/ca-crl.pem");
    mesh.good(&format!("rotate crl @/ca --context east {limits}"));
    here("ca crl @/new-ca --add @/ca/east/ca-crl.pem");
    let next = format!(
        "rotate root next @/new-ca --context east --strategy overlap --force ctl/drop-gate {limits}"
    );
    assert!(mesh.good(&next).contains("prepared (east)"));
    mesh.typed("mv new-ca/east/ca-crl.pem kept.pem");
    let gone = "error[ctl/stale-crl]: ca-crl.pem would go, with the CRL of `Mesh CA east`";
    let serial = "because: its serial number is 4707070707070707070707070707070707070707";
    ended(&mesh.run(&next), 2, &[gone, serial, "`meshctl ca crl DIR --add ca-crl.pem`"]);
    here("ca crl @/new-ca --add @/ca/east/ca-crl.pem");
    assert!(mesh.good(&next).contains("activated (east)"));
    let given = mesh.clusters[0].config_map_key("default", "istio-ca-crl", "ca-crl.pem");
    assert_eq!(given, shell.scratch.read("new-ca/east/ca-crl.pem"));
}
