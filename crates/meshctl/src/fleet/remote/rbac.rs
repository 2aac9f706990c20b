//! The rights that `remote-secret` needs, as RBAC manifests: by name wherever Kubernetes can limit by name.

use std::path::Path;

use meshapply::remote::{secret_name, token_secret_name};
use serde_json::Value;

use crate::failure::Failure;
use crate::fleet::clusters::{Selection, names};
use crate::fleet::rbac::{Manifests, account, rule, subject};
use crate::io::Io;
use crate::text::word;

/// The properties of a command that its rights depend on.
pub(crate) struct Request<'a> {
    /// The clusters it is for.
    pub(crate) selection: &'a Selection,
    /// The user the rights are for; `None`: the service account `meshctl`.
    pub(crate) user: Option<&'a str>,
    /// The service account whose tokens are requested.
    pub(crate) account: &'a str,
    /// Secrets are created, not only changed.
    pub(crate) creates: bool,
}

/// The manifests, which are the same for every cluster: no cluster is asked.
///
/// # Errors
/// `ctl/usage` if istiod is in different namespaces, and those of the spec.
pub(crate) fn manifests(request: &Request<'_>, io: &mut Io<'_>) -> Result<String, Failure> {
    let named = names(request.selection, io)?;
    let Some((first, namespace)) = named.first() else {
        return Err(Failure::usage("no cluster given"));
    };
    if let Some((other, _)) = named.iter().find(|(_, other)| other != namespace) {
        let message = format!("clusters {first} and {other} need different permissions");
        return Err(Failure::usage(message).hint(
            "istiod is in different namespaces; `--istio-namespace` prints those for one of them",
        ));
    }
    let secrets: Vec<String> = named.iter().map(|(name, _)| secret_name(name)).collect();
    let subject = subject(request.user, "meshctl", namespace);
    let mut manifests = Manifests::new(&header(request, namespace));
    if request.user.is_none() {
        manifests.add("", account("meshctl", namespace));
    }
    let why = "Remote secrets, tokens for them, and the endpoints that istiod has.";
    let rules = rules(request, &secrets);
    manifests.role(why, &subject, Some(namespace), "meshctl-remote-secret", rules);
    let why = "Whether two contexts reach the same cluster: the UID of namespace kube-system.";
    let rules = vec![rule("", &["namespaces"], &[], &["list"])];
    manifests.role(why, &subject, None, "meshctl-remote-secret", rules);
    Ok(manifests.text)
}

fn rules(request: &Request<'_>, secrets: &[String]) -> Vec<Value> {
    let names: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let token = token_secret_name(request.account);
    let mut rules = vec![
        rule("", &["secrets"], &names, &["get", "patch"]),
        // To name it after a rotation, if it is there.
        rule("", &["secrets"], &[&token], &["get"]),
    ];
    if request.creates {
        rules.push(rule("", &["secrets"], &[], &["create"]));
    }
    rules.extend([
        rule("", &["serviceaccounts/token"], &[request.account], &["create"]),
        rule("apps", &["deployments"], &[], &["list"]),
        rule("", &["pods"], &[], &["list"]),
        rule("", &["pods/portforward"], &[], &["create", "get"]),
    ]);
    rules
}

/// What the rights are for, and what their holder can do with them.
fn header(request: &Request<'_>, namespace: &str) -> Vec<String> {
    const KIND: &str = "kubernetes.io/service-account-token";
    let command = if request.creates { "create" } else { "rotate" };
    let mut lines = vec![
        format!("The permissions that `meshctl mesh remote-secret {command}` needs in each cluster, and no others."),
        String::new(),
        "Anyone who has them:".to_owned(),
        format!("- can act as service account {namespace}/{}, which reads every Service, pod, node and secret of the cluster", request.account),
        "- can decide which API server istiod asks for the endpoints of a cluster, and so send calls elsewhere".to_owned(),
        format!("- can connect to every port of every pod in {namespace}"),
    ];
    if request.creates {
        lines.push(format!("- can create secrets, which cannot be limited to a name. A secret of type {KIND} allows them to act as"));
        lines.push(format!("  any service account in {namespace}; to omit that permission, create the secrets empty, which these commands do:"));
        let namespace = word(Path::new(namespace));
        lines.push(format!(
            "  kubectl -n {namespace} create secret generic istio-remote-secret-CLUSTER"
        ));
        lines.push(
            "  and use the permissions of `meshctl mesh remote-secret rotate --print-rbac`"
                .to_owned(),
        );
    }
    lines.push(String::new());
    lines.push("`check` works with them too. To find secrets with other names it needs to list secrets, which is to read all".to_owned());
    lines.push(format!("of them in {namespace}, the key of the CA included."));
    lines
}
