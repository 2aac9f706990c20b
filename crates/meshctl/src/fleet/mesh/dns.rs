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
use crate::fleet::clusters::{self, Target, place};
use crate::hints::mesh::coredns_address;
use crate::hints::{about, kubectl};
use crate::text::word;

/// Why a cluster's DNS cannot be as the spec says.
pub(crate) fn refused(target: &Target, refusal: &DnsRefusal) -> Failure {
    let failure = match refusal {
        DnsRefusal::NotFound { places } => {
            let name = |(namespace, name): &(String, String)| format!("{namespace}/{name}");
            let names: Vec<String> = places.iter().map(name).collect();
            let looked = format!("ConfigMap {}", names.join(" with a Corefile, nor "));
            clusters::failed(target, &Error::NoDns { looked })
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
        .hint(coredns_address(&target.context, &target.istio_namespace, &target.typed))
}

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
            "remove that block, or choose another `dns: {suffix: ...}`; if the block is there on purpose, set `dns: {way: none}` for the cluster".to_owned()
        }
        "config/needs" => {
            "choose another `dns: {way: ...}` for the cluster, or another ConfigMap with `configMap: NAMESPACE/NAME`".to_owned()
        }
        _ => format!("fix it with `{}`", about(&target.context, "edit", id, "", &target.typed)),
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
        let restart = format!("-n {} rollout restart {deployment}", word(Path::new(namespace)));
        format!(
            "{}: {}, {key}, {why} only when it starts: {}",
            target.name,
            edit.id(),
            kubectl(&target.context, &restart, &target.typed)
        )
    })
}

/// Whether a way needs an edit of the cluster's DNS.
pub(crate) const fn edits(way: DnsWay) -> bool {
    matches!(way, DnsWay::Hosts | DnsWay::IstioCoredns)
}
