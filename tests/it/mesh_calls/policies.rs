//! What a policy can say besides weights, with real proxies.

use std::sync::atomic::Ordering;

use super::SPEC;
use super::bookinfo::{Bookinfo, until};

/// A spec with another policy.
fn with(spec: &str, policy: &str) -> String {
    let (head, _) = spec.split_once("  route:\n").expect("a route");
    format!("{head}{policy}")
}

/// Retries, timeouts and copies, each seen where it happens.
pub(super) fn settings(bookinfo: &Bookinfo) {
    let v3 = &bookinfo.reviews["v3"].app;
    bookinfo.apply_unnoticed(&with(
        SPEC,
        "  route: [{cluster: cluster2, subset: version-v3, weight: 100}]\n  \
         timeout: 3s\n  retries: {attempts: 4, retryOn: 5xx}\n",
    ));
    bookinfo.until_only(&["v3"], 40);
    // Istio's own default is two more.
    v3.fails.store(4, Ordering::Relaxed);
    let answer = bookinfo.call();
    assert_eq!((answer.status, answer.header("x-envoy-attempt-count")), (200, "5".to_owned()));
    v3.fails.store(5, Ordering::Relaxed);
    assert_eq!(bookinfo.call().status, 503, "no more than that");
    v3.delay.store(10_000, Ordering::Relaxed);
    let answer = bookinfo.call();
    v3.delay.store(0, Ordering::Relaxed);
    assert_eq!((answer.status, answer.body.as_str()), (504, "upstream request timeout"));

    bookinfo.apply_unnoticed(&with(
        SPEC,
        "  route: [{cluster: cluster1, subset: version-v1, weight: 100}]\n  \
         mirror: {cluster: cluster2, subset: version-v3, percent: 100}\n",
    ));
    bookinfo.until_only(&["v1"], 40);
    let before = v3.requests.load(Ordering::Relaxed);
    assert_eq!(bookinfo.call().name(), "v1");
    until("a copy arrives", || (v3.requests.load(Ordering::Relaxed) > before).then_some(()));
}

/// Calls stay in the cluster while a pod there answers, and return to it; `host` is where the policy routes them.
pub(super) fn failover(bookinfo: &mut Bookinfo, spec: &str, host: &str) {
    bookinfo.apply_unnoticed(&with(
        spec,
        "  failover: [cluster1, cluster2]\n  \
         outlierDetection: {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 2s}\n",
    ));
    let calls = format!("cluster.outbound|9080||{host};.upstream_rq_total");
    until("calls go there", || {
        assert_eq!(bookinfo.call().status, 200);
        (bookinfo.productpage.stat(&calls) > 0).then_some(())
    });
    bookinfo.until_only(&["v1", "v2"], 40);
    for version in ["v1", "v2"] {
        bookinfo.reviews.get_mut(version).expect("a version").proxy.kill();
    }
    bookinfo.until_only(&["v3"], 20);
    for version in ["v1", "v2"] {
        bookinfo.reviews.get_mut(version).expect("a version").proxy.start();
    }
    bookinfo.until_only(&["v1", "v2"], 40);
}
