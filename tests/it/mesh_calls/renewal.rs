//! CAs are renewed while calls continue.

use k8s_openapi::ByteString;
use serde_json::Value;
use tests::rig::sidecar::Sidecar;

use super::bookinfo::Bookinfo;

/// New intermediates for both clusters under the same root, while calls are made without a pause; then proxies get
/// certificates of the new ones, one after the other.
pub(super) fn intermediates(bookinfo: &mut Bookinfo) {
    let mesh = &bookinfo.mesh;
    let said = bookinfo.while_calling(|| {
        mesh.shell.good("ca renew @/ca --cluster cluster1 --cluster cluster2");
        mesh.good("push @/ca --context cluster1,cluster2 --yes --timeout 180s")
    });
    assert_eq!(said.matches("  restarts: none\n").count(), 2, "{said}");
    let v3 = &mut bookinfo.reviews.get_mut("v3").expect("a version").proxy;
    for (proxy, cluster) in [(&mut bookinfo.productpage, "cluster1"), (v3, "cluster2")] {
        let ca = bookinfo.mesh.shell.scratch.read(&format!("ca/{cluster}/ca-cert.pem"));
        assert!(!chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the CA before");
        proxy.start();
        assert!(chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the new CA");
    }
    bookinfo.until_answered_by("v3");
}

/// Another root, in three pushes: both roots trusted, then certificates of the new one, then the old one gone.
pub(super) fn root(bookinfo: &mut Bookinfo) {
    let shell = &bookinfo.mesh.shell;
    shell.good("ca init @/new --plain-root-key --cluster cluster1,cluster2");
    let roots = ["ca", "new"].map(|folder| shell.scratch.read(&format!("{folder}/root-cert.pem")));
    for (folder, ca) in [("both", "ca"), ("change", "new")] {
        for cluster in ["cluster1", "cluster2"] {
            for file in ["ca-cert.pem", "ca-key.pem", "cert-chain.pem"] {
                let text = shell.scratch.read(&format!("{ca}/{cluster}/{file}"));
                shell.scratch.write_key(&format!("{folder}/{cluster}/{file}"), text);
            }
            shell.scratch.write(&format!("{folder}/{cluster}/root-cert.pem"), roots.concat());
        }
    }
    for folder in ["both", "change", "new"] {
        let push = format!("push @/{folder} --context cluster1,cluster2 --yes --timeout 180s");
        println!("{}", bookinfo.while_calling(|| bookinfo.mesh.good(&push)));
        // Some have certificates of this push, and some of the one before.
        bookinfo.restart_proxies(&["productpage"]);
        bookinfo.until_answered_by("v3");
        bookinfo.while_calling(|| ());
        bookinfo.restart_proxies(&["v1", "v2", "v3", "gateway"]);
        bookinfo.while_calling(|| ());
    }
    let ca = bookinfo.mesh.shell.scratch.read("new/cluster1/ca-cert.pem");
    assert!(chain(&bookinfo.productpage).contains(ca.trim()));
}

/// The certificates a proxy presents.
fn chain(proxy: &Sidecar) -> String {
    let dump = proxy.admin("/config_dump?resource=dynamic_active_secrets");
    let dump: Value = serde_json::from_str(&dump).expect("JSON");
    let chain = dump["configs"].as_array().and_then(|secrets| {
        secrets
            .iter()
            .find_map(|one| one.pointer("/secret/tls_certificate/certificate_chain/inline_bytes"))
    });
    let chain = serde_json::from_value::<ByteString>(chain.expect("a chain").clone());
    String::from_utf8(chain.expect("base64").0).expect("PEM")
}
