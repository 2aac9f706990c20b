//! Next steps for the problems of a mesh.

use std::path::Path;

use meshconfig::Fault;
use meshconfig::import::{ImportRemedy, Lost};
use meshconfig::lint::{LintProblem, LintRemedy};

use super::{Typed, kubectl};
use crate::text::word;

/// The next step for a problem: the library's, with the command if there is one. `context` is its cluster's.
pub(crate) fn lint(problem: &LintProblem, context: &str, typed: &Typed) -> String {
    let remedy = &problem.remedy;
    match remedy {
        LintRemedy::AddAddress => format!("{remedy}: `meshctl mesh addresses` assigns one"),
        LintRemedy::SeparateAddresses => {
            format!("{remedy}: `meshctl mesh addresses` assigns them")
        }
        LintRemedy::DeleteStockFilter => kubectl(
            context,
            "-n istio-system delete envoyfilter istio-multicluster-ingressgateway",
            typed,
        ),
        LintRemedy::EditCorefile => format!(
            "`meshctl mesh apply` edits its Corefile; `meshctl mesh dns --cluster {}` edits a file",
            problem.cluster
        ),
        LintRemedy::ListHosts => format!("{remedy}, as `meshctl mesh render` does"),
        LintRemedy::RemoveFilter => {
            format!("{remedy}: `meshctl mesh render` writes what this release needs")
        }
        _ => remedy.to_string(),
    }
}

/// The next step if the address of istio-coredns, in this namespace of a cluster, is missing.
pub(crate) fn coredns_address(context: &str, namespace: &str, typed: &Typed) -> String {
    let namespace = word(Path::new(namespace));
    let show = format!("-n {namespace} get svc istiocoredns -o jsonpath={{.spec.clusterIP}}");
    format!(
        "write `dns: {{way: istio-coredns, address: IP}}`: `{}`; or `dns: {{way: none}}` if the DNS need not answer for them",
        kubectl(context, &show, typed)
    )
}

/// The command that supplies what an import could not carry over; `None` if there is none.
pub(crate) fn import(lost: &Lost) -> Option<&'static str> {
    Some(match lost.remedy? {
        ImportRemedy::DiscoverPorts => "`meshctl mesh discover` finds them",
        ImportRemedy::IssueCertificates => "`meshctl ca init -f mesh.yaml` issues them",
        ImportRemedy::ReadClusters => "`meshctl mesh discover` reads the clusters",
        ImportRemedy::NameRelease => "write it, or run this again with `--istio VERSION`",
        _ => return None,
    })
}

/// The next step for an error in a spec or a lock file; `None` if the message is enough.
pub(crate) const fn fault(fault: &Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::AddressShared { .. } | Fault::Lock { .. } => {
            "remove one of the lines from mesh.lock; `meshctl mesh addresses` assigns missing addresses"
        }
        Fault::AddressesExhausted { .. } => {
            "use a larger `addresses.pool`, or reduce `addresses.graceDays`"
        }
        Fault::GatewayMissing { .. } => {
            "set `gateway: {addresses: [...]}`; `kubectl get svc -n istio-system istio-eastwestgateway` shows the address"
        }
        Fault::NotFederated { .. } => {
            "add the two clusters to `trust.pairs`, or set `trust.model` for all pairs"
        }
        Fault::TrustModel { .. } => {
            "choose a model that both support: docs/federation.md lists them by dataplane"
        }
        Fault::NotImported { .. } => {
            "add the caller to `importedBy` of that service, or remove it from the policy"
        }
        Fault::UnknownField { .. } => {
            "docs/schemas/mesh.json describes every field, and docs/mesh.md has an example"
        }
        Fault::Weights { .. } => "make the weights add up to 100: Istio 1.6 rejects other sums",
        _ => return None,
    })
}
