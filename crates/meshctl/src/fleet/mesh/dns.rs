//! Messages about clusters' DNS: why it cannot be as the spec says, and what must be done by hand.

use std::path::Path;

use meshapply::Error;
use meshapply::mesh::{DnsRefusal, DnsWarning};
use meshconfig::Mesh;
use meshconfig::dns::DnsEdit;
use meshconfig::spec::DnsWay;

use super::failed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, place};
use crate::text::word;

/// Why a cluster's DNS cannot be as the spec says.
pub(crate) fn refused(target: &Target, refusal: &DnsRefusal) -> Failure {
    let failure = match refusal {
        DnsRefusal::NotFound { places } => {
            let name = |(namespace, name): &(String, String)| format!("{namespace}/{name}");
            let names: Vec<String> = places.iter().map(name).collect();
            let looked = format!("ConfigMap {}", names.join(" with a Corefile, nor "));
            Failure::from(Error::NoDns { looked }).within(place(target))
        }
        DnsRefusal::Unsuitable { id, key, error } => unsuitable(target, id, key.as_deref(), error),
    };
    failure.exit(Exit::No)
}

/// What could not be found out about a cluster's DNS.
pub(crate) fn warning(target: &Target, mesh: &Mesh, warning: &DnsWarning) -> Failure {
    match warning {
        DnsWarning::NoAddress(error) => no_address(target, error),
        DnsWarning::Unseen(error) => unseen(target, mesh, error),
    }
}

/// The address of istio-coredns is unknown, so nothing is changed.
fn no_address(target: &Target, error: &meshconfig::Error) -> Failure {
    Failure::new(error.code(), error.to_string())
        .within(place(target))
        .because("its DNS is left unchanged, so it does not answer for remote names unless that is configured elsewhere")
        .hint(NO_ADDRESS)
}

/// The next step if the address of istio-coredns is missing.
pub(crate) const NO_ADDRESS: &str = "write `dns: {way: istio-coredns, address: IP}`: `kubectl get svc -n istio-system istiocoredns -o jsonpath={.spec.clusterIP}`; or `dns: {way: none}` if the DNS need not answer for them";

fn unseen(target: &Target, mesh: &Mesh, error: &Error) -> Failure {
    failed(target, error).because(format!(
        "so a block for .{} from an earlier spec may be left over; the current spec needs none",
        mesh.suffix
    ))
}

fn unsuitable(target: &Target, id: &str, key: Option<&str>, error: &meshconfig::Error) -> Failure {
    let key = key.map(|key| format!(", {key}")).unwrap_or_default();
    let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
    let hint = match error.code() {
        "config/duplicate" => {
            "remove that block, or choose another `dns: {suffix: ...}`; if the block is there on purpose, set `dns: {way: none}` for the cluster"
        }
        "config/needs" => {
            "choose another `dns: {way: ...}` for the cluster, or another ConfigMap with `configMap: NAMESPACE/NAME`"
        }
        _ => "fix it with `kubectl edit`",
    };
    Failure::new(error.code(), error.to_string())
        .within(place(target))
        .within(format!("{id}{key}{line}"))
        .hint(format!("nothing was written; {hint}"))
}

/// What must be done by hand so that the DNS reads an edit.
pub(crate) fn restart(target: &Target, edit: &DnsEdit) -> Option<String> {
    let DnsEdit { namespace, name, key, .. } = edit;
    let deployment = if name.starts_with("coredns") && namespace == "kube-system" {
        "deployment coredns"
    } else {
        "the Deployment that reads it"
    };
    let why = if key == "Corefile" {
        "has no `reload`: CoreDNS reads it"
    } else {
        "has no `reload`: unless the Corefile that imports it has one, CoreDNS reads it"
    };
    edit.restart.then(|| {
        format!(
            "{}: {}, {key}, {why} only when it starts: kubectl --context {} -n {namespace} rollout restart {deployment}",
            target.name, edit.id(), word(Path::new(&target.context))
        )
    })
}

/// Whether a way needs an edit of the cluster's DNS.
pub(crate) const fn edits(way: DnsWay) -> bool {
    matches!(way, DnsWay::Hosts | DnsWay::IstioCoredns)
}
