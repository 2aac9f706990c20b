//! Kubeconfig files, in JSON, which is YAML.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

/// Writes a kubeconfig (0600) of one cluster, one user and one context, all of one name.
///
/// # Panics
/// When it cannot be written.
pub fn write(path: &Path, context: &str, port: u16, ca_pem: &str, user: &Value) {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": base64(ca_pem),
        }}],
        "users": [{"name": context, "user": user}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    });
    fs::write(path, format!("{config:#}\n")).expect("a kubeconfig");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

/// A user with a client certificate.
#[must_use]
pub fn certificate_user(cert_pem: &str, key_pem: &str) -> Value {
    json!({"client-certificate-data": base64(cert_pem), "client-key-data": base64(key_pem)})
}

/// Text in base64, by way of the type that holds the data of a Secret.
fn base64(text: &str) -> Value {
    json!(k8s_openapi::ByteString(text.as_bytes().to_vec()))
}
