//! CAs are renewed and calls go on.

use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::ByteString;
use serde_json::Value;
use tests::rig::sidecar::Sidecar;

use super::bookinfo::Bookinfo;

/// New intermediates for both clusters under the same root, while calls are made without a pause; then proxies get
/// certificates of the new ones, one after the other.
pub(super) fn intermediates(bookinfo: &mut Bookinfo) {
    let ended = AtomicBool::new(false);
    let (mesh, caller) = (&bookinfo.mesh, &*bookinfo);
    let calls = std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let mut calls = 0;
            while !ended.load(Ordering::Relaxed) {
                assert_eq!(caller.call().status, 200, "call {calls}");
                calls += 1;
            }
            calls
        });
        let end = End(&ended);
        mesh.shell.good("ca renew @/ca --cluster cluster1 --cluster cluster2");
        let push = "push @/ca --context cluster1,cluster2 --yes --timeout 60s";
        let said = mesh.good(push);
        assert_eq!(said.matches("  restarts: nobody\n").count(), 2, "{said}");
        drop(end);
        calling.join().expect("calls")
    });
    println!("{calls} calls during the push, all of them good");
    assert!(calls > 0);
    let v3 = &mut bookinfo.reviews.get_mut("v3").expect("a version").proxy;
    for (proxy, cluster) in [(&mut bookinfo.productpage, "cluster1"), (v3, "cluster2")] {
        let ca = bookinfo.mesh.shell.scratch.read(&format!("ca/{cluster}/ca-cert.pem"));
        assert!(!chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the CA before");
        proxy.start();
        assert!(chain(proxy).contains(ca.trim()), "{cluster}: a certificate of the new CA");
    }
    bookinfo.until_answered_by("v3");
}

/// Says that it is over, whatever happens before.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
