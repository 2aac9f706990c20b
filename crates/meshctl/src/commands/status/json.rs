//! The status as JSON; `docs/schemas/status.json` says what the keys are.

use meshpki::{Cert, Time};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::files;
use crate::fleet::facts::{Facts, Folder, Given, Kept, Served};
use crate::fleet::problems::{State, error, istiod, pair, problem};
use crate::fleet::standing::{Cluster, Standing};

/// The document.
pub(super) fn write(standing: &Standing<'_>) -> Value {
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "Status",
        "at": standing.at.to_string(),
        "good": standing.exit() == Exit::Good,
        "clusters": standing.clusters.iter().map(|c| cluster(standing, c)).collect::<Vec<_>>(),
        "trust": standing.pairs.iter().map(pair).collect::<Vec<_>>(),
        "problems": standing.problems.iter().map(|p| problem(p, &p.fix, &standing.next(p))).collect::<Vec<_>>(),
        "next": standing.next_command(),
    })
}

fn cluster(standing: &Standing<'_>, cluster: &Cluster<'_>) -> Value {
    json!({
        "name": cluster.target.name,
        "context": cluster.target.context,
        "server": cluster.target.kube.server(),
        "tls": crate::fleet::clusters::tls(cluster.target),
        "state": standing.state(cluster).map_or("unknown", State::word),
        "error": cluster.facts.as_ref().err().map(error),
        "live": cluster.facts.as_ref().ok().map(|facts| live(facts, standing.at)),
    })
}

fn live(facts: &Facts, at: Time) -> Value {
    json!({
        "istiods": facts.istiods.iter().map(istiod).collect::<Vec<_>>(),
        "secret": facts.has_secret,
        "plugged": facts.is_plugged,
        "ca": facts.ca.as_ref().map(|ca| cert(ca, at)),
        "roots": facts.roots.iter().map(|root| cert(root, at)).collect::<Vec<_>>(),
        "folder": facts.folder.as_ref().map(folder),
        "kept": facts.kept.as_ref().map(|one| kept(one, at)),
        "keptFolders": facts.kept_folders.iter().map(kept_folder).collect::<Vec<_>>(),
        "served": facts.served.iter().map(served).collect::<Vec<_>>(),
        "namespaces": facts.given.len(),
        "lacking": facts.lacking().map(lacking).collect::<Vec<_>>(),
        "pending": facts.pending,
    })
}

fn cert(cert: &Cert, at: Time) -> Value {
    let end = cert.not_after().time();
    json!({
        "subject": cert.subject().to_string(),
        "sha256": cert.fingerprint(),
        "notAfter": end.map(|end| end.to_string()),
        "days": end.map(|end| end.0.saturating_sub(at.0).div_euclid(86_400)),
    })
}

fn folder(folder: &Folder) -> Value {
    let (path, state, differs) = match folder {
        Folder::Absent(path) => (path, "absent", &[][..]),
        Folder::Same(path) => (path, "same", &[][..]),
        Folder::Differs { path, what, .. } => (path, "differs", what.as_slice()),
    };
    json!({ "path": path.display().to_string(), "state": state, "differs": differs })
}

fn kept(kept: &Kept, at: Time) -> Value {
    json!({
        "ca": kept.ca.as_ref().map(|ca| cert(ca, at)),
        "files": kept.files,
        "since": kept.since.map(|since| since.to_string()),
    })
}

fn kept_folder(kept: &files::Kept) -> Value {
    json!({ "path": kept.path.display().to_string(), "since": kept.since.to_string() })
}

fn served(served: &Served) -> Value {
    let leaf = served.chain.as_ref().ok().and_then(|chain| chain.first());
    json!({
        "pod": served.pod,
        "issuer": leaf.map(|leaf| leaf.issuer().to_string()),
        "live": served.is_live,
        "error": served.chain.as_ref().err(),
    })
}

fn lacking(given: &Given) -> Value {
    let roots = given.roots.iter().flatten();
    json!({
        "namespace": given.namespace,
        "configMap": given.roots.is_some(),
        "roots": roots.map(Cert::fingerprint).collect::<Vec<_>>(),
    })
}
