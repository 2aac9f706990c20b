//! CAs are renewed and calls go on.

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
        mesh.good("push @/ca --context cluster1,cluster2 --yes --timeout 60s")
    });
    assert_eq!(said.matches("  restarts: nobody\n").count(), 2, "{said}");
    let v3 = &mut bookinfo.reviews.get_mut("v3").expect("a version").proxy;
    for (proxy, cluster) in [(&mut bookinfo.productpage, "cluster1"), (v3, "cluster2")] {
        let ca = bookinfo.mesh.shell.scratch.read(&format!("ca/{cluster}/ca-cert.pem"));
        assert!(!chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the CA before");
        proxy.start();
        assert!(chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the new CA");
    }
    bookinfo.until_answered_by("v3");
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
