//! What the mesh's configuration says that matters to certificates (`istio/api mesh/v1alpha1/config.proto`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::{Istiod, Kube, ask, ask_optional};
use crate::error::Error;

/// Parts of `meshConfig`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeshConfig {
    /// `trustDomain`, default `cluster.local`.
    pub trust_domain: Option<String>,
    /// `trustDomainAliases`.
    pub aliases: Vec<String>,
    /// `caCertificates[].trustDomains`.
    pub ca_domains: Vec<String>,
    /// `discoverySelectors`: only namespaces that match one are served; none: all are.
    pub discovery: Vec<Value>,
}

/// Reads ConfigMap `istio`, or the first `istio-REVISION`.
pub(super) async fn read(kube: &Kube) -> Result<MeshConfig, Error> {
    read_of(kube, kube.istiods()).await
}

/// The same; the revisions are those of these istiods, which are needed only without ConfigMap `istio`.
pub(super) async fn read_of(
    kube: &Kube,
    istiods: impl Future<Output = Result<Vec<Istiod>, Error>>,
) -> Result<MeshConfig, Error> {
    let api: Api<ConfigMap> = Api::namespaced(kube.client.clone(), kube.namespace());
    let what = || format!("read configmap {}/istio", kube.namespace());
    let mut found = ask_optional(what, || api.get("istio")).await?;
    if found.is_none() {
        for istiod in istiods.await? {
            let name = format!("istio-{}", istiod.revision);
            let what = || format!("read configmap {}/{name}", kube.namespace());
            found = found.or(ask_optional(what, || api.get(&name)).await?);
        }
    }
    let text = found.and_then(|map| map.data?.remove("mesh"));
    Ok(text.map(|text| MeshConfig::parse(&text)).unwrap_or_default())
}

impl MeshConfig {
    /// Reads the text of `mesh`; what is not there or not readable is as if it were not set, as istiod has it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let value: Value = serde_saphyr::from_str(text).unwrap_or_default();
        let strings = |value: &Value| -> Vec<String> {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let certificates = value["caCertificates"].as_array().cloned().unwrap_or_default();
        Self {
            trust_domain: value["trustDomain"].as_str().map(str::to_owned),
            aliases: strings(&value["trustDomainAliases"]),
            ca_domains: certificates.iter().flat_map(|ca| strings(&ca["trustDomains"])).collect(),
            discovery: value["discoverySelectors"].as_array().cloned().unwrap_or_default(),
        }
    }

    /// The trust domain workloads have.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.trust_domain.as_deref().unwrap_or("cluster.local")
    }

    /// Whether a namespace with these labels is served (`pkg/kube/namespace/filter.go`).
    #[must_use]
    pub fn serves(&self, labels: &BTreeMap<String, String>) -> bool {
        self.discovery.is_empty() || self.discovery.iter().any(|selector| matches(selector, labels))
    }
}

/// A label selector as JSON (`apimachinery/pkg/apis/meta/v1/helpers.go: LabelSelectorAsSelector`).
fn matches(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let equal = wanted
        .into_iter()
        .flatten()
        .all(|(name, value)| labels.get(name).map(String::as_str) == value.as_str());
    let expressions = selector["matchExpressions"].as_array();
    equal && expressions.into_iter().flatten().all(|one| expression(one, labels))
}

fn expression(one: &Value, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(one["key"].as_str().unwrap_or_default());
    let listed = |value: &String| {
        one["values"].as_array().is_some_and(|all| all.iter().any(|v| v.as_str() == Some(value)))
    };
    match one["operator"].as_str() {
        Some("In") => value.is_some_and(listed),
        Some("NotIn") => !value.is_some_and(listed),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}

/// Namespaces with their labels, those that are going away left out.
pub(super) async fn namespaces(
    kube: &Kube,
) -> Result<Vec<(String, BTreeMap<String, String>)>, Error> {
    let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(kube.client.clone());
    let params = ListParams::default();
    let list = ask(|| "list namespaces".to_owned(), || api.list(&params)).await?;
    let there =
        list.items.into_iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
    Ok(there
        .map(|namespace| {
            let name = namespace.metadata.name.unwrap_or_default();
            (name, namespace.metadata.labels.unwrap_or_default())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_matters() {
        let config = MeshConfig::parse(
            "trustDomain: east.example\ntrustDomainAliases: [old.example]\n\
             caCertificates:\n- pem: x\n  trustDomains: [west.example]\naccessLogFile: /dev/stdout\n",
        );
        assert_eq!(config.trust_domain(), "east.example");
        assert_eq!(
            (config.aliases, config.ca_domains),
            (vec!["old.example".to_owned()], vec!["west.example".to_owned()])
        );
        assert_eq!(MeshConfig::parse(": no").trust_domain(), "cluster.local");
    }

    #[test]
    fn discovery_selectors() {
        let config = MeshConfig::parse(
            "discoverySelectors:\n- matchLabels: {mesh: 'on'}\n- matchExpressions:\n  - {key: env, operator: In, values: [prod, test]}\n  - {key: skip, operator: DoesNotExist}\n",
        );
        let check = |labels: &[(&str, &str)], expect: bool| {
            let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(config.serves(&labels), expect, "{labels:?}");
        };
        check(&[("mesh", "on")], true);
        check(&[("mesh", "off")], false);
        check(&[("env", "prod")], true);
        check(&[("env", "prod"), ("skip", "")], false);
        check(&[], false);
        assert!(MeshConfig::default().serves(&BTreeMap::new()));
    }
}
