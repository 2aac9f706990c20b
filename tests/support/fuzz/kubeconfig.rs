//! Target for kubeconfigs: no error shows what the file contains.

use std::path::Path;
use std::time::Duration;

use meshapply::kube::{Context, Kubeconfig, Surroundings};
use serde_json::Value;

/// What no error may show, wherever it is in the file except in a name.
pub const CANARY: &str = "CANARY-7fKq2xZ9";

/// A whole kubeconfig as people have it, with the canary wherever a secret can be.
pub const SEED: &str = "\
apiVersion: v1
kind: Config
current-context: cluster1
preferences: {colors: true}
clusters:
- name: c
  cluster:
    server: http://CANARY-7fKq2xZ9:CANARY-7fKq2xZ9@127.0.0.1:9/x?token=CANARY-7fKq2xZ9
    extensions:
    - name: client.authentication.k8s.io/exec
      extension: {audience: CANARY-7fKq2xZ9}
contexts:
- name: cluster1
  context:
    cluster: c
    user: u
    namespace: CANARY-7fKq2xZ9
users:
- name: u
  user:
    token: CANARY-7fKq2xZ9-token
    username: CANARY-7fKq2xZ9-user
    password: \"CANARY-7fKq2xZ9-password\"
    client-key-data: Q0FOQVJZLTdmS3EyeFo5
    client-certificate-data: >-
      LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCkNBTkFSWS03ZktxMnhaOQo=
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: /bin/false
      args: [get-token, --secret, CANARY-7fKq2xZ9-arg]
      env:
      - name: AWS_SECRET_ACCESS_KEY
        value: CANARY-7fKq2xZ9-env
    auth-provider:
      name: oidc
      config:
        id-token: CANARY-7fKq2xZ9-id
";

/// Reads a kubeconfig and every context of it; no plugin is run and no server asked.
pub(super) fn kubeconfig(data: &[u8]) {
    if names(data).any(|name| name.contains(CANARY)) {
        return;
    }
    let around = Surroundings {
        env: &|_| None,
        hidden: &[],
        can_ask: false,
        patience: Duration::ZERO,
        watcher: None,
    };
    let all = match Kubeconfig::parse(Path::new("/no/such/kubeconfig"), data) {
        Ok(all) => all,
        Err(error) => return silent(&error),
    };
    // A kubeconfig may be read that is not a YAML document otherwise; the names of its contexts are shown.
    if all.contexts().any(|name| name.contains(CANARY)) {
        return;
    }
    for name in all.contexts() {
        match Context::read(&all, name, &around) {
            Ok(context) => assert!(!context.server().contains(['@', '?', '#'])),
            Err(error) => silent(&error),
        }
    }
}

/// The names of a file that is YAML, which errors show: of contexts, clusters, users and plugins.
fn names(data: &[u8]) -> impl Iterator<Item = String> {
    let text = String::from_utf8_lossy(data);
    let all: Value = serde_saphyr::from_str(&text).unwrap_or_default();
    let mut names = Vec::new();
    collect(&all, &mut names);
    names.into_iter()
}

fn collect(value: &Value, names: &mut Vec<String>) {
    const NAMED: [&str; 5] = ["name", "cluster", "user", "command", "apiVersion"];
    match value {
        Value::Array(all) => all.iter().for_each(|one| collect(one, names)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match value {
            Value::String(name) if NAMED.contains(&key.as_str()) => names.push(name.clone()),
            _ => collect(value, names),
        }),
        _ => {}
    }
}

fn silent(error: &meshapply::Error) {
    let text = error.to_string();
    assert!(!text.contains(CANARY), "{text}");
}
