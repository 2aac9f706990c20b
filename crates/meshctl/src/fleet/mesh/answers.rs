//! What clusters' DNS answers for remote names, beside what the spec says: the ConfigMap it reads, looked at and compared.

use std::path::Path;

use meshapply::Error;
use meshconfig::dns::{self, Edit};
use meshconfig::mesh::Cluster;
use meshconfig::spec::DnsWay;
use meshconfig::{Mesh, Resource};
use serde_json::Value;

use super::failed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, place};
use crate::text::word;

/// What was found out about the DNS of a cluster.
#[derive(Default)]
pub(crate) struct Answers {
    /// What has to change.
    pub(crate) edits: Vec<Edit>,
    /// Why it cannot be as the spec says, and the ConfigMap this is about.
    pub(crate) refused: Option<(String, Failure)>,
    /// Warnings.
    pub(crate) warning: Option<Failure>,
}

impl Answers {
    fn refused(id: String, failure: Failure) -> Self {
        let failure = failure.exit(Exit::No);
        Self { refused: Some((id, failure)), ..Self::default() }
    }

    fn warning(failure: Failure) -> Self {
        Self { warning: Some(failure), ..Self::default() }
    }
}

/// Looks at a cluster and compares.
///
/// # Errors
/// Those of a request; but what may not be read in a cluster whose DNS needs nothing of us is a warning.
pub(crate) async fn look(
    mesh: &Mesh,
    target: &Target,
    resources: &[Resource],
) -> Result<Answers, Failure> {
    let Some(cluster) = mesh.cluster(&target.name) else { return Ok(Answers::default()) };
    let wanted = match dns::Zone::of(cluster, resources, false) {
        Ok(zone) => zone.is_some(),
        Err(error) => return Ok(Answers::warning(no_address(target, &error))),
    };
    let live = match find(target, cluster).await {
        Ok(Some(live)) => live,
        Ok(None) if wanted => return Ok(none_there(target, cluster)),
        Ok(None) => return Ok(Answers::default()),
        Err(error @ Error::Forbidden { .. }) if !wanted => {
            return Ok(Answers::warning(unseen(target, mesh, &error)));
        }
        Err(error) => return Err(failed(target, &error)),
    };
    Ok(match dns::edit(mesh, cluster, resources, &live) {
        Ok(edit) => {
            let mut edits = left_over(mesh, target, cluster).await?;
            edits.extend(edit);
            Answers { edits, ..Answers::default() }
        }
        Err(error) => refusal(mesh, target, &live, &error),
    })
}

/// Blocks of ours in ConfigMaps the spec does not name any more: they go with the same run.
async fn left_over(mesh: &Mesh, target: &Target, cluster: &Cluster) -> Result<Vec<Edit>, Failure> {
    let mut edits = Vec::new();
    for (namespace, name) in dns::elsewhere(cluster) {
        let found = target.kube.config_map(&namespace, &name).await;
        if let Some(live) = found.map_err(|error| failed(target, &error))? {
            // What cannot be read is not ours.
            edits.extend(dns::edit(mesh, cluster, &[], &live).ok().flatten());
        }
    }
    Ok(edits)
}

/// The ConfigMap the cluster's DNS reads: the first that is there and tells a DNS anything.
async fn find(target: &Target, cluster: &Cluster) -> Result<Option<Value>, Error> {
    let mut last = None;
    for (namespace, name) in dns::places(cluster) {
        let found = target.kube.config_map(&namespace, &name).await?;
        if let Some(live) = found {
            if dns::form(&live).is_some() {
                return Ok(Some(live));
            }
            last = Some(live);
        }
    }
    // One the spec names is the one, whatever is in it.
    Ok(last.filter(|_| cluster.dns_config_map.is_some()))
}

fn none_there(target: &Target, cluster: &Cluster) -> Answers {
    let places = dns::places(cluster);
    let name = |(namespace, name): &(String, String)| format!("{namespace}/{name}");
    let names: Vec<String> = places.iter().map(name).collect();
    let looked = format!("ConfigMap {}", names.join(" with a Corefile, nor "));
    let id = format!("ConfigMap {}", names[0]);
    Answers::refused(id, Failure::from(Error::NoDns { looked }).within(place(target)))
}

/// Nothing is changed where it is not known who should be asked.
fn no_address(target: &Target, error: &meshconfig::Error) -> Failure {
    Failure::new(error.code(), error.to_string())
        .within(place(target))
        .because("its DNS is left as it is, and remote names are not answered unless somebody else sees to it")
        .hint(NO_ADDRESS)
}

/// What to write where the address of istio-coredns is missing.
pub(crate) const NO_ADDRESS: &str = "write `dns: {way: istio-coredns, address: IP}`: `kubectl get svc -n istio-system istiocoredns -o jsonpath={.spec.clusterIP}`; or `dns: {way: none}` where nobody has to answer";

fn unseen(target: &Target, mesh: &Mesh, error: &Error) -> Failure {
    failed(target, error).because(format!(
        "so it cannot be told whether an answer for .{} that was written earlier is left over; the spec needs none there",
        mesh.suffix
    ))
}

fn refusal(mesh: &Mesh, target: &Target, live: &Value, error: &meshconfig::Error) -> Answers {
    let meta = |key: &str| live["metadata"][key].as_str().unwrap_or_default();
    let id = format!("ConfigMap {}/{}", meta("namespace"), meta("name"));
    let key = dns::form(live).map(|form| format!(", {}", form.key(&mesh.suffix)));
    let key = key.unwrap_or_default();
    let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
    let hint = match error.code() {
        "config/duplicate" => {
            "take that out, or choose another `dns: {suffix: ...}`, or `dns: {way: none}` for the cluster where it is meant to answer"
        }
        "config/needs" => {
            "`dns: {way: ...}` of the cluster says another way, `configMap: NAMESPACE/NAME` beside it another ConfigMap"
        }
        _ => "mend it with `kubectl edit`",
    };
    let failure = Failure::new(error.code(), error.to_string())
        .within(place(target))
        .within(format!("{id}{key}{line}"))
        .hint(format!("nothing was written; {hint}"));
    Answers::refused(id, failure)
}

/// What has to be done by hand so that an edit is read.
pub(crate) fn restart(target: &Target, edit: &Edit) -> Option<String> {
    let Edit { namespace, name, key, .. } = edit;
    let deployment = if name.starts_with("coredns") && namespace == "kube-system" {
        "deployment coredns"
    } else {
        "the Deployment that reads it"
    };
    let why = if key == "Corefile" {
        "has no `reload`: CoreDNS reads it"
    } else {
        "does not say `reload`: unless the Corefile that imports it does, CoreDNS reads it"
    };
    edit.restart.then(|| {
        format!(
            "{}: {}, {key}, {why} only when it is started: kubectl --context {} -n {namespace} rollout restart {deployment}",
            target.name, edit.id(), word(Path::new(&target.context))
        )
    })
}

/// Whether a way needs somebody's DNS to be edited.
pub(crate) const fn edits(way: DnsWay) -> bool {
    matches!(way, DnsWay::Hosts | DnsWay::IstioCoredns)
}
