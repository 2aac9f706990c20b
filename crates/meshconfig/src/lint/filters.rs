//! EnvoyFilters that rewrite names at the gateway, and API versions that a release does not serve.

use alloc::format;
use alloc::vec::Vec;

use meshpki::istiod::Version;
use serde_json::Value;

use super::{Findings, LintRemedy, LintSeverity, Rule, list, text};
use crate::dialect::has_open_passthrough;

const INERT: Rule = Rule {
    code: "lint/inert-filter",
    severity: LintSeverity::Error,
    source: "istio-security-2021-006; istio/proxy PR 4958; istio issues 27203, 27204, 40624",
    remedy: LintRemedy::RemoveFilter,
};
const STOCK: Rule = Rule {
    code: "lint/stock-filter",
    severity: LintSeverity::Error,
    source: "istio 1.6.4 manifests/charts/gateways/istio-ingress/templates/preconfigured.yaml",
    remedy: LintRemedy::DeleteStockFilter,
};
const API: Rule = Rule {
    code: "lint/api-version",
    severity: LintSeverity::Error,
    source: "istio manifests/charts/base: crd-all.gen.yaml of the release",
    remedy: LintRemedy::ChangeApiVersion,
};

pub(super) fn check(found: &mut Findings<'_, '_>) {
    api_versions(found);
    let mut rewriting: Vec<(&Value, &Value)> = Vec::new();
    for filter in found.of_kind("EnvoyFilter") {
        for patch in list(&filter["spec"]["configPatches"]) {
            let value = &patch["patch"]["value"];
            if text(&value["name"]).ends_with("tcp_cluster_rewrite") {
                inert(found, filter, value);
                rewriting.push((filter, patch));
            }
        }
    }
    for (filter, patch) in &rewriting {
        let rewrites_all =
            pattern(patch).ends_with("\\.global$") && pattern(patch).len() <= "\\.global$".len();
        let port = |patch: &Value| patch["match"]["listener"]["portNumber"].clone();
        let other =
            rewriting.iter().find(|(other, its)| other != filter && port(its) == port(patch));
        if let Some((other, its)) = other.filter(|_| rewrites_all) {
            let message = format!(
                "it rewrites every `.global` name before `{}` can rewrite `{}`: x.svc.CLUSTER.global becomes x.svc.CLUSTER.svc.cluster.local",
                text(&other["metadata"]["name"]),
                pattern(its),
            );
            found.add(&STOCK, filter, message);
        }
    }
}

fn pattern(patch: &Value) -> &str {
    let value = &patch["patch"]["value"];
    [&value["typed_config"], &value["config"]]
        .into_iter()
        .map(|c| text(&c["cluster_pattern"]))
        .find(|p| !p.is_empty())
        .unwrap_or_default()
}

/// Reports a filter that this release does not have, cannot place, or does not read in this form.
fn inert(found: &mut Findings<'_, '_>, filter: &Value, value: &Value) {
    let version = found.cluster.version;
    let message = if version >= Version::new(1, 20, 0) {
        format!(
            "Istio {version} has no filter tcp_cluster_rewrite (removed in 1.20): it is accepted and has no effect"
        )
    } else if !has_open_passthrough(version) {
        format!(
            "gateways of Istio {version} have no filter sni_cluster to insert it after: it is accepted and has no effect"
        )
    } else if version < Version::new(1, 7, 0) && !value["typed_config"].is_null() {
        format!("Istio {version} reads only `config`, but the filter has `typed_config`")
    } else if version >= Version::new(1, 7, 0) && !value["config"].is_null() {
        format!("Envoy of Istio {version} reads only `typed_config`, but the filter has `config`")
    } else {
        return;
    };
    found.add(&INERT, filter, message);
}

fn api_versions(found: &mut Findings<'_, '_>) {
    let version = found.cluster.version;
    // What an API server returned, it serves in every version.
    let is_written = |resource: &&Value| resource["metadata"]["uid"].is_null();
    let written: Vec<&Value> = found.cluster.resources.iter().copied().filter(is_written).collect();
    for resource in written {
        let Some(api) = text(&resource["apiVersion"]).strip_prefix("networking.istio.io/") else {
            continue;
        };
        let is_filter = resource["kind"] == "EnvoyFilter";
        let served = match api {
            "v1alpha3" => true,
            "v1beta1" => !is_filter,
            "v1" => !is_filter && version >= Version::new(1, 22, 0),
            _ => false,
        };
        if !served {
            found.add(
                &API,
                resource,
                format!(
                    "Istio {version} does not serve {} in networking.istio.io/{api}",
                    text(&resource["kind"])
                ),
            );
        }
    }
}
