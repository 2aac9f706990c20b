//! The initial inputs of each target: the fixtures of its kind, and what was kept in `fuzz/corpus`.

use std::fs;
use std::path::Path;

use meshpki::internals::pem;

use super::{Kind, Target, keys, kubeconfig, secret};
use crate::shared;

/// The inputs a target starts from: its files of `fuzz/corpus` first, then fixtures. Never empty.
#[must_use]
pub fn seeds(target: &'static Target) -> &'static [Vec<u8>] {
    target.seeds.get_or_init(|| {
        let mut all = kept(target.name);
        all.extend(fixtures(target));
        all
    })
}

/// The files of `fuzz/corpus` for a target, by name.
#[must_use]
pub fn kept(name: &str) -> Vec<Vec<u8>> {
    files(&format!("fuzz/corpus/{name}"), &[])
}

fn fixtures(target: &Target) -> Vec<Vec<u8>> {
    match (target.name, target.kind) {
        ("key", _) => keys::seeds(),
        ("chain", _) => [secret::seeds(), files("fixtures/verify/chain", &["pem"])].concat(),
        ("secret", _) => secret::seeds(),
        ("name", _) => NAMES.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ("cfssl", _) => files("fixtures/cfssl", &["json"]),
        // Their files of `fuzz/corpus` are enough.
        (
            "bundle" | "bundle-map" | "endpoint" | "exported" | "proxies" | "remote-secret"
            | "signer-answer" | "token-uri",
            _,
        ) => vec![],
        ("options", _) => OPTIONS.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ("kubeconfig", _) => vec![kubeconfig::SEED.as_bytes().to_vec()],
        ("mesh-config", _) => vec![MESH_CONFIG.as_bytes().to_vec()],
        ("corefile", _) => COREFILES.iter().map(|text| text.as_bytes().to_vec()).collect(),
        ("resources", _) => {
            let mut all = files("fixtures/mesh", &["yaml"]);
            all.push(LOCK.as_bytes().to_vec());
            all
        }
        ("mesh", _) => files("fixtures/mesh", &["yaml"]),
        (_, Kind::Pem) => pem_files(),
        (_, Kind::Der) => {
            let blocks = pem_files().into_iter().flat_map(|text| pem::decode(&text));
            blocks.flatten().map(|block| block.der.clone()).collect()
        }
        // Choices: a few streams, all of them plain.
        _ => (0..8u8)
            .map(|n| (0..48u8).map(|i| i.wrapping_mul(37).wrapping_mul(n)).collect())
            .collect(),
    }
}

fn pem_files() -> Vec<Vec<u8>> {
    files("fixtures", &["pem", "crl"])
}

/// The files below a folder of the repository, by name; with these endings, or all.
fn files(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    collect(&shared::root().join(folder), endings, &mut found);
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<Vec<u8>>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let is_wanted = |ending: &&str| path.extension().is_some_and(|kind| kind == *ending);
        if path.is_dir() {
            collect(&path, endings, found);
        } else if endings.is_empty() || endings.iter().any(is_wanted) {
            found.push(fs::read(&path).expect("a file that was listed"));
        }
    }
}

const NAMES: [&str; 6] = [
    "C=GB, O=Example, CN=Example Mesh Root CA",
    "/C=GB/O=Example/CN=a+OU=b",
    "2.5.4.3=a\\,b, emailAddress=ca@example.com, DC=example",
    "2026-11-21T07:00:00Z\n2024-02-29T23:59:59.5+01:00",
    "8760h\n1h30m\n365d\n1.5h",
    "cluster.local\n1.30.3-distroless\necdsa-p256\nspiffe://cluster.local/ns/a/sa/b",
];

const OPTIONS: [&str; 6] = [
    "-CAfile\nroot.pem\n-untrusted\nint.pem\n-attime\n1700000000\nleaf.pem",
    "-trusted=root.pem\n-partial_chain\n-show_chain\n--\nleaf.pem",
    "-no-CAfile\n-verify_depth\n3\n-purpose\nsslserver\n-verify_hostname\na.example.com\nleaf.pem",
    "-CRLfile\ncrl.pem\n-crl_check_all\n-x509_strict\n-policy\n1.2.3.4\n-explicit_policy\nleaf.pem",
    "-auth_level\n2\n-attime=0x60000000\n-verify_ip\n10.0.0.1\n-verify_email\na@b\nleaf.pem",
    "-nameopt\noneline\n-check_ss_sig\n-ignore_critical\nroot.pem\nleaf.pem",
];

const MESH_CONFIG: &str = "\
trustDomain: shop.example
trustDomainAliases: [old.example, cluster.local]
caCertificates:
- pem: x
  trustDomains: [other.example]
discoverySelectors:
- matchLabels: {istio: enabled}
- matchExpressions:
  - {key: env, operator: In, values: [prod, stage]}
  - {key: skip, operator: DoesNotExist}
";

const LOCK: &str = "a.b 240.0.0.1\nc.d 240.0.0.2 retired 2026-01-01\n";

const COREFILES: [&str; 5] = [
    ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       \
     pods insecure\n    }\n    forward . /etc/resolv.conf\n    cache 30\n    reload\n}\n",
    ".:53 {\n errors\n}\n# meshctl: begin global\nglobal:53 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n\
     # meshctl: end global\n",
    "example.org {\n  whoami\n}\nglobal. {\n  proxy . 10.0.0.1\n}\n",
    ".\nerrors\nforward . 1.1.1.1",
    "{\"global\": [\"10.0.0.9\"], \"acme.local\": [\"1.2.3.4:53\"]}",
];
