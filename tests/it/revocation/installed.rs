//! CRLs in clusters with a real istiod: what docs/revocation.md says, command by command, and what a rollout refuses.

use std::time::Duration;

use meshpki::internals::pem;
use meshpki::{Crl, KeyType};
use tests::authority::Authority;
use tests::cli::ended;
use tests::mesh::Mesh;
use tests::rig::Istio;

use super::{crls, pki, set, strange_crl};

const PAGE: &str = include_str!("../../../docs/revocation.md");
/// The part of the page for two clusters.
const AT_ONCE: &str = "## Revoke a stolen key at once\n";
/// The same for what precedes another root.
const ROOT: &str = "## Replace the root\n";

/// The commands in the blocks of a text, in order.
fn commands(text: &str) -> Vec<&str> {
    let inside = text.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = inside.flat_map(str::lines);
    lines.map(|line| line.split('#').next().unwrap_or(line).trim()).collect()
}

/// A text without the part that this heading begins, and that part.
fn without<'a>(text: &'a str, heading: &str) -> (String, &'a str) {
    let (before, rest) = text.split_once(heading).expect("the part");
    let (part, after) = rest.split_once("\n## ").expect("the next part");
    (format!("{before}## {after}"), part)
}

/// The page, on a real cluster with a real istiod; with the printed rights.
#[test]
fn the_page_on_a_cluster() {
    let Some(mesh) = Mesh::with_istio(&["east"], &Istio::default()) else { return };
    let east = &mesh.clusters[0];
    east.apply(&mesh.good("push @/ca --context east --workloads --print-rbac --rbac-user ci"));
    mesh.write_kubeconfig("ci", &[east.kubeconfig_for("ci", &[])]);
    let limits = "--yes --timeout 60s --reload-timeout 20s";
    mesh.good(&format!("push @/ca --context east {limits}"));
    let given = || east.config_map_key("default", "istio-ca-crl", "ca-crl.pem");
    let refused = |command: &str, code: &str| {
        let ran = mesh.run_as("ci", &format!("{command} @/ca --context east {limits}"));
        ended(&ran, 2, &[code]);
    };
    let first = mesh.shell.scratch.read("ca/east/cert-chain.pem");
    let serial = set(&mesh.shell, "ca/east").ca().serial_hex();
    let mut seen = Vec::new();
    for command in commands(&without(&without(PAGE, AT_ONCE).0, ROOT).0) {
        let words: Vec<&str> = command.split(' ').collect();
        if words[0] == "rm" {
            std::fs::remove_file(mesh.shell.scratch.join("ca/east/ca-crl.pem")).unwrap();
            continue;
        }
        // The folder is the only `ca` after the name of the command.
        let typed: Vec<&str> = words[1..]
            .iter()
            .enumerate()
            .map(|(i, word)| match *word {
                "ca" if i > 0 => "@/ca",
                "east=prod-east" => "east",
                "SERIAL" => serial.as_str(),
                word => word,
            })
            .collect();
        let on_cluster = ["rotate", "push"].contains(&typed[0]);
        let command = typed.join(" ");
        seen.push(command.clone());
        if !on_cluster {
            ended(&mesh.shell.run_at(&command, meshctl::io::system_time()), 0, &[]);
            continue;
        }
        if seen.len() == 4 {
            // The new CA, before its CRL is there.
            refused(
                "push",
                "error[ctl/crl-first]: proxies of east have CRLs, and none of the new CA",
            );
        }
        if let Some(unforced) = command.strip_suffix(" --force ctl/stale-crl") {
            ended(
                &mesh.run_as("ci", &format!("{unforced} {limits}")),
                2,
                &["error[ctl/stale-crl]: the CRL of", "no longer lists a certificate"],
            );
        }
        let ran = mesh.run_as("ci", &format!("{command} {limits}"));
        ended(&ran, 0, &["verified in 1 pod of istiod and 2 namespaces"]);
        let file = mesh.shell.scratch.join("ca/east/ca-crl.pem");
        assert_eq!(given(), std::fs::read_to_string(file).unwrap_or_default(), "{command}");
    }
    assert_eq!(seen.len(), 10, "{seen:#?}");
    assert_eq!(given(), "", "without the file nothing is given out");
    assert_ne!(mesh.shell.scratch.read("ca/east/cert-chain.pem"), first);
}

/// East's key was stolen: what the page says, and then the daily job of docs/ci.md, on two real clusters.
#[test]
fn a_stolen_key_of_one_of_two_clusters() {
    let Some(mesh) = Mesh::with_istio(&["east", "west"], &Istio::default()) else { return };
    let limits = "--yes --timeout 60s --reload-timeout 20s";
    let both = format!("@/ca --context east,west {limits}");
    let run = |command: &str| {
        let typed =
            command.replace("=prod-east", "").replace("=prod-west", "").replace(" --yes", "");
        let typed = typed.strip_prefix("meshctl ").and_then(|typed| typed.split_once(" ca "));
        let (name, options) = typed.expect("a command and the folder");
        match name.starts_with("ca ") {
            true => {
                mesh.shell.run_at(&format!("{name} @/ca {options}"), meshctl::io::system_time())
            }
            false => mesh.run(&format!("{name} @/ca {options} {limits}")),
        }
    };
    mesh.good(&format!("push {both}"));
    mesh.good(&format!("rotate crl {both}"));
    let stolen = set(&mesh.shell, "ca/east").ca().clone();
    let page = without(PAGE, AT_ONCE).1;
    let [revoke, renew, rotate, push] = commands(page)[..] else { panic!("{page}") };
    for command in [revoke, renew] {
        ended(&run(command), 0, &[]);
    }
    // What the page warns of.
    ended(
        &mesh.run(&format!("rotate crl {both}")),
        2,
        &["error[istiod/rejected-by-peers]", "certificate revoked"],
    );
    ended(&run(rotate), 0, &["west: verified in"]);
    let unforced = push.replace(" --force ctl/crl-first", "");
    ended(&run(&unforced), 2, &["error[ctl/crl-first]: proxies of east have CRLs"]);
    ended(&run(push), 0, &["east: verified in"]);
    let of_root = &crls(&mesh.shell, "west")[0];
    assert!(of_root.serials().any(|serial| serial == stolen.serial()), "{of_root:?}");
    for cluster in &mesh.clusters {
        let given = cluster.config_map_key("default", "istio-ca-crl", "ca-crl.pem");
        assert_eq!(given, mesh.shell.scratch.read("ca/west/ca-crl.pem"));
    }
    mesh.good("status @/ca --context east,west");

    let job =
        include_str!("../../../docs/ci.md").split_once("every day instead:\n").expect("the job").1;
    let [renew, rotate, "sleep 300", push] = commands(job)[..4] else { panic!("{job}") };
    let west = mesh.shell.scratch.read("ca/west/ca-cert.pem");
    ended(&run(renew), 0, &["unchanged"]);
    ended(&run(&renew.replace("30d", "400d")), 0, &["next: meshctl rotate crl"]);
    assert_ne!(mesh.shell.scratch.read("ca/west/ca-cert.pem"), west);
    for command in [rotate, push] {
        ended(&run(command), 0, &["east: verified in", "west: verified in"]);
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
    let typed = commands(without(PAGE, ROOT).1);
    assert_eq!(typed.len(), 4, "{typed:?}");
    for command in typed {
        let command = command.strip_prefix("meshctl ").expect("a command");
        let command = command.replace("=prod-east", "").replace(" ca --", " @/ca --");
        let command = command.replace(" new-ca", " @/new-ca").replace(" ca/", " @/ca/");
        match command.starts_with("ca ") {
            true => here(&command),
            false => drop(mesh.good(&format!("{command} {limits}"))),
        }
    }
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
