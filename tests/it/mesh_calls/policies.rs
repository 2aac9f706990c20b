//! What a policy says besides weights, as proxies do it.

use std::sync::atomic::Ordering;

use super::bookinfo::{Bookinfo, until};

/// The spec with another policy.
fn with(policy: &str) -> String {
    let (head, _) = super::SPEC.split_once("  route:\n").expect("a route");
    format!("{head}{policy}")
}

/// Retries, timeouts and copies, each seen where it happens.
pub(super) fn settings(bookinfo: &Bookinfo) {
    let v3 = &bookinfo.reviews["v3"].app;
    bookinfo.apply_unnoticed(&with(
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
        "  route: [{cluster: cluster1, subset: version-v1, weight: 100}]\n  \
         mirror: {cluster: cluster2, subset: version-v3, percent: 100}\n",
    ));
    bookinfo.until_only(&["v1"], 40);
    let before = v3.requests.load(Ordering::Relaxed);
    assert_eq!(bookinfo.call().name(), "v1");
    until("a copy arrives", || (v3.requests.load(Ordering::Relaxed) > before).then_some(()));
}

/// Calls stay at home while somebody answers there, and come back.
pub(super) fn failover(bookinfo: &mut Bookinfo) {
    bookinfo.apply_unnoticed(&with(
        "  failover: [cluster1, cluster2]\n  \
         outlierDetection: {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 100}\n",
    ));
    bookinfo.until_answered_by("v2");
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
