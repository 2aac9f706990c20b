//! What a caller's proxy sends (`pilot/pkg/networking/core/cluster_tls.go: buildUpstreamTLSSettings`).

use alloc::string::String;

use serde_json::Value;

use super::{Found, View, list, namespace, selects, text};
use crate::dialect::sni;

/// What a proxy sends to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Mutual TLS with Istio's certificates.
    Mutual {
        /// The server name.
        sni: String,
    },
    /// No TLS at all.
    Plain,
    /// TLS that is not Istio's: `SIMPLE`, `MUTUAL`.
    Other(String),
}

/// What callers send to an endpoint of a ServiceEntry.
pub(crate) fn sent(
    view: &View<'_>,
    rules: &Found<'_>,
    entry: &Value,
    endpoint: &Value,
    (host, subset, port): (&str, &str, u16),
) -> Sent {
    by_rule(rules, host, subset, port).unwrap_or_else(|| {
        // The default location is outside the mesh, where mutual TLS is never automatic.
        let has_certificate = entry["spec"]["location"] == "MESH_INTERNAL"
            && endpoint["labels"]["security.istio.io/tlsMode"] == "istio";
        if has_certificate && !is_disabled(view, namespace(entry)) {
            Sent::Mutual { sni: sni(port, subset, host) }
        } else {
            Sent::Plain
        }
    })
}

/// What callers send to a service of another cluster that their istiod knows from remote secrets. Without a rule it is
/// mutual TLS, since its pods have certificates.
pub(crate) fn registry(
    view: &View<'_>,
    rules: &Found<'_>,
    home: &str,
    (host, subset, port): (&str, &str, u16),
) -> Sent {
    by_rule(rules, host, subset, port).unwrap_or_else(|| {
        if is_disabled(view, home) {
            Sent::Plain
        } else {
            Sent::Mutual { sni: sni(port, subset, host) }
        }
    })
}

/// What a DestinationRule says; `None` if it says nothing.
fn by_rule(rules: &Found<'_>, host: &str, subset: &str, port: u16) -> Option<Sent> {
    let tls = rules.tls(subset, port);
    if tls.is_null() {
        return None;
    }
    Some(match tls["mode"].as_str().unwrap_or("DISABLE") {
        "DISABLE" => Sent::Plain,
        "ISTIO_MUTUAL" => Sent::Mutual {
            sni: match text(&tls["sni"]) {
                "" => sni(port, subset, host),
                wanted => wanted.into(),
            },
        },
        other => Sent::Other(other.into()),
    })
}

/// Whether a PeerAuthentication of the caller's cluster turns off mutual TLS for a namespace or for all.
fn is_disabled(view: &View<'_>, home: &str) -> bool {
    super::behind::namespace_mode(view, home).is_some_and(|(mode, _)| mode == "DISABLE")
}

/// The endpoints of an entry that a subset selects.
pub(crate) fn endpoints<'a>(
    entry: &'a Value,
    subset: Option<&'a Value>,
) -> impl Iterator<Item = &'a Value> {
    let labels = subset.map_or(&Value::Null, |subset| &subset["labels"]);
    list(&entry["spec"]["endpoints"])
        .iter()
        .filter(move |endpoint| selects(labels, &endpoint["labels"]))
}
