//! Which cluster a context reaches: what shows that two contexts reach the same one.

use k8s_openapi::api::core::v1::Namespace;
use kube::Config;
use kube::api::{Api, ListParams};
use meshpki::internals::digest::{hex, sha256};

use super::{Kube, ask};
use crate::error::Error;
use crate::server::normal;

/// The namespace every cluster has from its beginning to its end.
const SYSTEM: &str = "kube-system";

/// What distinguishes one cluster from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The server's URL, normalized.
    server: String,
    /// What else decides where a request to that URL arrives: proxy and server name for TLS.
    route: (Option<String>, Option<String>),
    /// SHA-256 of the certificates its server is verified with; `None`: those of the system.
    trust: Option<String>,
    /// UID of namespace `kube-system`; `None`: not asked for, or no right to see it.
    uid: Option<String>,
}

impl Kube {
    /// Which cluster this is. It takes the right to list namespaces, if only the one named `kube-system`; without that
    /// right there is no UID.
    ///
    /// # Errors
    /// `apply/unreachable`, `apply/api`.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let params = ListParams::default().fields(&format!("metadata.name={SYSTEM}"));
        let what = || format!("read the UID of namespace {SYSTEM}");
        let uid = match ask(what, || api.list(&params)).await {
            Ok(list) => list.items.into_iter().find_map(|namespace| {
                let is_system = namespace.metadata.name.as_deref() == Some(SYSTEM);
                namespace.metadata.uid.filter(|_| is_system)
            }),
            Err(Error::Forbidden { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Identity { uid, ..self.identity.clone() })
    }
}

impl Identity {
    /// What a context says, before anything is asked.
    pub(super) fn of(config: &Config) -> Self {
        let mut roots = config.root_cert.clone().unwrap_or_default();
        roots.sort();
        Self {
            server: normal(&config.cluster_url.to_string()),
            route: (
                config.proxy_url.as_ref().map(|proxy| normal(&proxy.to_string())),
                config.tls_server_name.clone(),
            ),
            trust: (!roots.is_empty()).then(|| hex(&sha256(&roots.concat()))),
            uid: None,
        }
    }

    /// Why both are one cluster; `None`: they are two, as far as can be seen.
    ///
    /// The UIDs decide if both are known: one server may have many names, and behind one URL may be many clusters, told
    /// apart by a proxy. Otherwise it is one cluster if the requests go to the same place, or if both servers are verified
    /// with the same certificates.
    ///
    /// ```
    /// use meshapply::kube::Identity;
    /// let of = |server: &str, uid: &str| Identity::new(server, None, Some(uid));
    /// assert!(of("https://a", "1").same(&of("https://b", "1")).is_some());
    /// assert!(of("https://a", "1").same(&of("https://a", "2")).is_none());
    /// ```
    #[must_use]
    pub fn same(&self, other: &Self) -> Option<String> {
        if let (Some(one), Some(two)) = (&self.uid, &other.uid) {
            let why = || format!("namespace {SYSTEM} has UID {one} in both");
            return (one == two).then(why);
        }
        if self.server == other.server && self.route == other.route {
            return Some(format!("both contexts reach {}", self.server));
        }
        let trust = self.trust.as_ref().filter(|_| self.trust == other.trust)?;
        Some(format!(
            "both contexts verify their server with the same CA (sha256 {}), and the UID of namespace {SYSTEM}, which would \
             tell two clusters apart, may not be read",
            trust.get(..8).unwrap_or(trust)
        ))
    }

    /// One by its parts: the server's URL, the certificates it is verified with, the UID of namespace `kube-system`.
    #[must_use]
    pub fn new(server: &str, trust: Option<&[u8]>, uid: Option<&str>) -> Self {
        Self {
            server: normal(server),
            route: (None, None),
            trust: trust.map(|bytes| hex(&sha256(bytes))),
            uid: uid.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cluster_or_two() {
        let one = |server: &str, trust: &str, uid: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Identity::new(server, some(trust).as_deref().map(str::as_bytes), some(uid).as_deref())
        };
        let check = |a: Identity, b: Identity, expect: Option<&str>| {
            let (there, back) = (a.same(&b), b.same(&a));
            assert_eq!(there, back);
            match expect {
                Some(part) => assert!(there.clone().is_some_and(|w| w.contains(part)), "{there:?}"),
                None => assert_eq!(there, None),
            }
        };
        // Two names of one server; a cluster and its copy from a backup.
        check(one("https://a", "", "1"), one("https://b", "", "1"), Some("UID 1"));
        // One URL, two clusters behind a proxy that tells them apart; one CA for many clusters (minikube, Rancher).
        check(one("https://a", "ca", "1"), one("https://a", "ca", "2"), None);
        // Nothing but the kubeconfig to go by.
        check(one("https://a", "", ""), one("https://A:443/", "", "1"), Some("reach https://a"));
        check(one("https://a", "ca", ""), one("https://b", "ca", "1"), Some("the same CA"));
        check(one("https://a", "ca", ""), one("https://b", "other", ""), None);
        check(one("https://a", "", ""), one("https://b", "", ""), None);
        // The same URL through another proxy, or for another server name, is another way.
        let by = |proxy: &str| Identity {
            route: (Some(proxy.to_owned()), None),
            ..one("https://a", "", "")
        };
        check(by("http://p1"), by("http://p2"), None);
        check(by("http://p1"), by("http://p1"), Some("reach https://a"));
    }
}
