use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::fake::Root;

/// The certificates of a dump: how many in each chain, and how many roots, or what is wrong.
fn said(kind: ProxyKind, dump: &Value) -> String {
    match kind.read(dump.to_string().as_bytes()) {
        Ok(all) => {
            let one = |certs: &ProxyCerts| format!("{}/{}", certs.chain.len(), certs.roots.len());
            all.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        Err(why) => why,
    }
}

#[test]
fn dumps_of_envoy() {
    let secret = Root::new("CN=A").secret("CN=east");
    let bytes = |name: &str| STANDARD.encode(secret.get(name).unwrap());
    let own = json!({"name": "default", "secret": {"tls_certificate": {
        "certificate_chain": {"inline_bytes": bytes("cert-chain.pem")},
        "private_key": {"inline_bytes": "W3JlZGFjdGVkXQ=="}}}});
    let root = json!({"name": "ROOTCA", "secret": {"validation_context": {
        "trusted_ca": {"inline_bytes": bytes("root-cert.pem")}}}});
    let check = |dump: Value, expect: &str| {
        assert_eq!(said(ProxyKind::Sidecar, &dump), expect);
        assert_eq!(said(ProxyKind::Gateway, &dump), expect);
    };
    check(json!({"configs": [own, root]}), "2/1");
    check(json!({"configs": [{"static": 1}, {"dynamic_active_secrets": [root, own]}]}), "2/1");
    check(json!({"configs": [root]}), "it has no secret default");
    check(json!({"configs": [own]}), "it has no secret ROOTCA");
    check(json!({}), "it has no secret default");
    let empty = json!({"name": "default", "secret": {}});
    check(json!({"configs": [empty, root]}), "it has no certificate");
    let torn = json!({"name": "ROOTCA", "secret": {"validation_context": {"trusted_ca": {"inline_bytes": "?"}}}});
    let why = "its certificates are not base64: Invalid symbol 63, offset 0.";
    check(json!({"configs": [own, torn]}), why);
    assert!(ProxyKind::Sidecar.read(b"<html>").unwrap_err().contains("is not JSON"));
}

#[test]
fn failures_that_envoy_counts() {
    let check = |response: &str, expect: Option<u64>| {
        assert_eq!(failures(response.as_bytes()), expect, "{response}");
    };
    let one = |name: &str, value: u64| json!({"name": name, "value": value});
    let (a, b) = ("listener.a.ssl.fail_verify_error", "cluster.b.ssl.fail_verify_error");
    check(&json!({"stats": [one(a, 2), one(b, 3)]}).to_string(), Some(5));
    check(&json!({"stats": [one(a, 0), {"histograms": {}}]}).to_string(), Some(0));
    check(&json!({"stats": [one(a, u64::MAX), one(b, 3)]}).to_string(), Some(u64::MAX));
    check(&json!({"stats": [one("listener.a.ssl.connection_error", 2)]}).to_string(), None);
    for text in ["", "{}", "[]", r#"{"stats":1}"#] {
        check(text, None);
    }
}

#[test]
fn dumps_of_ztunnel() {
    let secret = Root::new("CN=A").secret("CN=east");
    let certs = |name: &str| -> Vec<Value> {
        let certs = pool(secret.get(name).unwrap());
        certs.iter().map(|cert| json!({"pem": STANDARD.encode(cert.to_pem())})).collect()
    };
    let (chain, roots) = (certs("cert-chain.pem"), certs("root-cert.pem"));
    let check = |certificates: Value, expect: &str| {
        assert_eq!(said(ProxyKind::Ztunnel, &json!({"certificates": certificates})), expect);
    };
    let one = json!({"identity": "spiffe://a/ns/b/sa/c", "state": "Available", "certChain": chain, "rootCerts": roots});
    check(json!([one, one]), "2/1 2/1");
    check(json!([{"identity": "x", "state": "Initializing"}]), "");
    check(json!([{"certChain": chain}]), "this release of ztunnel does not list its roots");
    check(Value::Null, "it does not list its certificates");
}
