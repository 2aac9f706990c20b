//! Ports of other protocols: connections by weight, and HTTP/2 to the other cluster.

use std::collections::BTreeMap;

use tests::rig::app::{Answer, App, call};

use super::SPEC;
use super::bookinfo::{Bookinfo, until};

const TCP: u16 = 7000;
const HTTP2: u16 = 7001;

/// A Service in front of the pods of reviews.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: ledger, namespace: default}
spec: {selector: {app: reviews}, ports: [{name: tcp, port: 7000}, {name: http2, port: 7001}]}
";
const PORTS: &str = "
  ports:
  - {name: tcp, number: 7000, protocol: TCP}
  - {name: http2, number: 7001, protocol: HTTP2}
";
const POLICY: &str = "
- name: ledger
  service: default/ledger
  clients: [cluster1]
  route:
  - {cluster: cluster2, weight: 60}
  - {cluster: cluster1, weight: 40}
";

/// The spec with the Service on both clusters.
fn spec() -> String {
    let (head, policies) = SPEC.split_once("policies:").expect("policies");
    let service = "- name: ledger\n  namespace: default\n  cluster: ";
    let exported = "  importedBy: [cluster1]\n  serviceAccounts: [bookinfo-reviews]\n";
    let (one, two) = (format!("{service}cluster1{PORTS}"), format!("{service}cluster2{PORTS}"));
    format!("{head}{one}{two}{exported}policies:{policies}{POLICY}")
}

pub(super) fn each(bookinfo: &Bookinfo) {
    let [one, two] = &bookinfo.mesh.clusters[..] else { panic!("two clusters") };
    for (version, cluster) in [("v1", one), ("v2", one), ("v3", two)] {
        let proxy = &bookinfo.reviews[version].proxy;
        for port in [TCP, HTTP2] {
            let _app = App::start(cluster, &proxy.network, (&proxy.address, port), version);
        }
    }
    one.apply(SERVICE);
    two.apply(SERVICE);
    bookinfo.apply_unnoticed(&spec());
    let address = one.service_address("default", "ledger");
    let call = |port| -> Option<Answer> {
        let answer = call(&bookinfo.productpage.network, (&address, port), "ledger").ok();
        answer.filter(|answer| answer.status == 200)
    };
    for port in [TCP, HTTP2] {
        let name = |answer: Answer| answer.name();
        until("both clusters answer", || call(port).map(name).filter(|name| name == "v3"));
        until("both clusters answer", || call(port).map(name).filter(|name| name != "v3"));
        let mut counts = BTreeMap::<String, usize>::new();
        for _ in 0..200 {
            let answer = call(port).expect("an answer");
            let version = if port == HTTP2 { "HTTP/2.0" } else { "HTTP/1.1" };
            assert_eq!(answer.version(), version, "{answer:?}");
            *counts.entry(answer.name()).or_default() += 1;
        }
        println!("of 200 calls to port {port}: {counts:?}");
        // Six standard deviations of 60 in a hundred.
        assert!(counts["v3"].abs_diff(120) < 42, "{counts:?}");
    }
}
