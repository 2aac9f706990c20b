//! Which hosts workloads of a namespace see: `exportTo`, and the Sidecar of the namespace
//! (`pilot/pkg/model/sidecar.go: selectServices`).

use serde_json::Value;

use super::{ANY_NAMESPACE, View, covers, list, namespace, text};

/// Whether a resource is visible in a namespace.
pub(crate) fn is_exported(resource: &Value, client: &str) -> bool {
    let home = namespace(resource);
    let sees = |to: &str| to == "*" || to == client || (to == "." && client == home);
    if resource["kind"] == "Service" {
        let annotation = &resource["metadata"]["annotations"]["networking.istio.io/exportTo"];
        return annotation.as_str().is_none_or(|all| all.split(',').any(|to| sees(to.trim())));
    }
    let to = list(&resource["spec"]["exportTo"]);
    to.is_empty() || to.iter().any(|to| sees(text(to)))
}

/// Whether a Sidecar without a selector hides a host of a namespace from the workloads that it is for. A VirtualService
/// that it imports brings its destinations.
pub(crate) fn hidden_by(view: &View<'_>, sidecar: &Value, home: &str, host: &str) -> bool {
    // In the Sidecar for every namespace, `.` is that of the caller.
    let client = match namespace(sidecar) {
        root if root == view.cluster.istio_namespace => ANY_NAMESPACE,
        own => own,
    };
    let egress = list(&sidecar["spec"]["egress"]);
    if egress.is_empty() || imports(egress, client, home, host) {
        return false;
    }
    let brings = |service: &&Value| {
        let mut called = list(&service["spec"]["hosts"]).iter().map(text);
        is_exported(service, client)
            && called.any(|called| imports(egress, client, namespace(service), called))
    };
    !view.leading.get(host).is_some_and(|services| services.iter().any(brings))
}

/// Whether `egress[].hosts` has a host of a namespace: `NAMESPACE/HOST`, where `.` is the Sidecar's own.
fn imports(egress: &[Value], client: &str, home: &str, host: &str) -> bool {
    egress.iter().flat_map(|listener| list(&listener["hosts"])).map(text).any(|wanted| {
        let (namespace, wide) = wanted.split_once('/').unwrap_or(("*", wanted));
        let namespace = if namespace == "." { client } else { namespace };
        (namespace == "*" || namespace == home) && covers(wide, host)
    })
}
