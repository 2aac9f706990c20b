//! `meshctl trust matrix`: which clusters accept each other, in every format, with and without a spec.

use serde_json::Value;
use tests::{Shell, schema};

const SPEC: &str = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
    - {name: east, istioVersion: 1.30.3, trustDomain: east.example, gateway: {addresses: [192.0.2.1]}}\n\
    - {name: west, istioVersion: 1.29.1, trustDomain: west.example, gateway: {addresses: [192.0.2.2]}}\n\
    - {name: north, istioVersion: 1.30.3, trustDomain: north.example}\n\
    services:\n\
    - {name: a, namespace: n, cluster: east, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [west]}\n";

/// Three CAs, east and west with bridges for their trust domains.
fn bridged() -> Shell {
    let shell = Shell::new();
    for (name, title) in [("east", "East"), ("west", "West"), ("north", "North")] {
        shell.good(&format!(
            "ca init @/{name}-ca --cluster {name} --plain-root-key --root-subject 'CN={title} Root'"
        ));
    }
    shell.scratch.write("mesh.yaml", SPEC);
    for (ours, theirs) in [("east", "west"), ("west", "east")] {
        shell.good(&format!(
            "ca cross-sign --ca @/{ours}-ca --root @/{theirs}-ca/root-cert.pem --constrain {theirs}.example --out @/{theirs}.pem --yes"
        ));
        let ca = format!("@/{theirs}-ca/{theirs}/ca-cert.pem");
        let chain = format!("@/{theirs}-ca/{theirs}/cert-chain.pem");
        shell.good(&format!("ca chain --leaf {ca} {ca} @/{theirs}.pem --out {chain}"));
    }
    shell
}

const FOLDERS: &str = "@/east-ca @/west-ca @/north-ca";

#[test]
fn for_people() {
    let shell = bridged();
    shell.check(
        &format!("trust matrix {FOLDERS} -f @/mesh.yaml --if-leaked west"),
        r#"
        exit 0
        who accepts whose workloads, at 2026-11-21T07:00:00Z

        sidecars and gateways of / accept workloads of
               east        west        north
        east   2027-11-21  2027-02-19  -
        west   2027-02-19  2027-11-21  -
        north  -           -           2027-11-21

        first to end: 2027-02-19, `East Root` (sha256 [id]): east under the roots of west

        with the key of the CA of west one can be
          any identity of east.example to sidecars of west
          any identity of north.example to sidecars of west
          any identity of west.example to sidecars of east, west
    "#,
    );
    // Without a spec, every cluster is to accept every other, and all have the default trust domain.
    let ran = shell.run("trust matrix @/east-ca @/north-ca");
    assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
    for part in [
        "east   2027-11-21  NO\n",
        "north  NO          2027-11-21\n",
        "east does not accept north: self signed certificate in certificate chain\n",
        "  change: cross-sign `North Root` in east and send the result in north, or add that root to root-cert.pem of east\n",
    ] {
        assert!(ran.out.contains(part), "`{part}` is not in\n{}", ran.out);
    }
}

#[test]
fn ambient_and_later() {
    let shell = bridged();
    let said = |command: &str, status: u8, parts: &[&str]| {
        let ran = shell.run(command);
        assert_eq!(ran.status, status, "{command}: {}{}", ran.out, ran.err);
        for part in parts {
            let all = format!("{}{}", ran.out, ran.err);
            assert!(all.contains(part), "{command}: `{part}` is not in\n{all}");
        }
    };
    let spec = format!("trust matrix {FOLDERS} -f @/mesh.yaml");
    said(
        &format!("{spec} --ambient"),
        2,
        &[
            "ztunnel of east does not accept west: NameConstraintViolation",
            "ztunnel does not support",
        ],
    );
    said(
        &format!("{spec} --at 2027-03-01"),
        2,
        &["east does not accept west: certificate has expired", "change: renew `West Root`"],
    );
    said("trust matrix @/east-ca -f @/mesh.yaml", 1, &["cluster `west` of the spec has no folder"]);
    said(&format!("{spec} --if-leaked south"), 64, &["no cluster `south`", "east, west, north"]);
    said("trust matrix", 64, &["nothing to compare"]);
    said("trust matrix @/nothing", 1, &["error[ctl/io]"]);
    std::fs::remove_file(shell.scratch.join("west-ca/west/ca-key.pem")).expect("a file");
    said(&spec, 2, &["not known of west: the files have no CA with its private key"]);
    said(
        &format!("{spec} --if-leaked west"),
        1,
        &["error[ctl/cluster-incomplete]", "cluster west"],
    );
}

#[test]
fn for_programs() {
    let shell = bridged();
    let command = format!("trust matrix {FOLDERS} -f @/mesh.yaml --if-leaked west");
    let text = shell.good(&format!("{command} -o json"));
    schema::check("trust-matrix", &text);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let pairs = document["pairs"].as_array().expect("pairs");
    let accepted: Vec<String> = pairs
        .iter()
        .filter(|pair| pair["answer"] == "accepted" && pair["truster"] != pair["signer"])
        .map(|pair| format!("{} {} {}", pair["truster"], pair["signer"], pair["needed"]))
        .collect();
    assert_eq!(accepted, ["\"east\" \"west\" true", "\"west\" \"east\" true"]);
    let mermaid = shell.good(&format!("{command} -o mermaid"));
    assert!(mermaid.contains("  c1 -->|\"2027-02-19\"| c0\n"), "{mermaid}");
    let dot = shell.good(&format!("{command} -o dot"));
    assert!(dot.contains("  c1 -> c0 [label=\"2027-02-19\"];\n"), "{dot}");
    let html = shell.good(&format!("{command} -o html"));
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"), "{html}");
    assert!(!html.contains("<script") && !html.contains("http"), "{html}");
    for secret in ["PRIVATE KEY", "BEGIN"] {
        assert!(!text.contains(secret) && !html.contains(secret));
    }
}

/// Names of folders are texts on the page, and nothing in them steers what is shown.
#[test]
fn names_on_the_page() {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key --cluster east");
    let name = "<b>ea\u{202e}st";
    std::fs::rename(shell.scratch.join("ca/east"), shell.scratch.join("ca").join(name))
        .expect("a folder");
    let html = shell.good("trust matrix @/ca -o html");
    assert!(html.contains(">&lt;b&gt;ea\\u{202e}st</th>"), "{html}");
    assert!(!html.contains('\u{202e}') && !html.contains("<b>"), "{html}");
}

/// More clusters than a table of dates has room for.
#[test]
fn many_clusters() {
    let shell = Shell::new();
    let names: Vec<String> = (0..12).map(|n| format!("c{n:02}")).collect();
    shell.good(&format!("ca init @/ca --plain-root-key --cluster {}", names.join(",")));
    let said = shell.good("trust matrix @/ca");
    assert!(said.contains("\nc00  ++++++++++++\n") && said.contains("+ accepted"), "{said}");
}
