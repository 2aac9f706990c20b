//! `meshctl trust plan`: the pushes that bring clusters to the trust models of the spec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshpki::cacerts::{self, Secret};
use meshpki::federation::{
    MatrixCluster, TrustAnswer, TrustCell, TrustChange, TrustGap, TrustMatrix, TrustPlan, TrustPush,
};
use meshpki::istiod::Verifier;
use meshpki::{Cert, Time};

use super::known::{Ask, Known, Read, asked, on_disk};
use crate::args::Clusters;
use crate::args::trust::Plan as Args;
use crate::authority::read_certs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{json as pretty, word};

mod json;
pub(super) mod text;

/// The spec, unless another one is named.
const SPEC: &str = "mesh.yaml";
/// The root in the folder of a CA.
const ROOT: &str = "root-cert.pem";

/// The clusters of a spec, and what they lack.
pub(super) struct Situation {
    pub(super) read: Read,
    pub(super) plan: TrustPlan,
    /// For each push, the pairs that accept each other after it and did not before.
    pub(super) accepts: Vec<Vec<NewPair>>,
    /// Bridges at hand that are of no use, and why.
    unused: Vec<(Cert, &'static str)>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let clusters = with_spec(&args.clusters);
    let ask = Ask { dirs: &args.dirs, clusters: &clusters, ambient: false, force: &args.force };
    let is_live = args.dirs.is_empty() || !args.clusters.contexts.is_empty();
    let read = if is_live { asked(&ask, io)? } else { on_disk(&ask, io)? };
    let bridges = bridges(&args.bridges, io)?;
    let situation = Situation::new(read, &bridges, at)?;
    io.print(&if args.output.is_json() {
        pretty(&json::write(&situation, at))
    } else {
        text::write(&situation, &next_command(args))
    })?;
    let failures = &situation.read.failures;
    failures.iter().for_each(|failure| io.fail(failure));
    Ok(match situation.is_done() {
        false => Exit::No,
        true if failures.is_empty() => Exit::Good,
        true => Exit::Failed,
    })
}

/// The same clusters with the usual spec, if none is named.
pub(super) fn with_spec(clusters: &Clusters) -> Clusters {
    let file = clusters.file.clone().or_else(|| Some(PathBuf::from(SPEC)));
    Clusters { file, ..clusters.clone() }
}

/// The certificates of these files.
pub(super) fn bridges(files: &[PathBuf], io: &mut Io<'_>) -> Result<Vec<Cert>, Failure> {
    let mut bridges = Vec::new();
    for file in files {
        bridges.extend(read_certs(file, io)?);
    }
    Ok(bridges)
}

/// The command that takes the first push, for the same clusters.
fn next_command(args: &Args) -> String {
    let clusters = &args.clusters;
    let mut words: Vec<String> = args.dirs.iter().map(|dir| word(dir)).collect();
    let file = clusters.file.as_deref().unwrap_or_else(|| Path::new(SPEC));
    words.push(format!("-f {}", word(file)));
    let option = |name: &str, value: &str| format!("{name} {}", word(Path::new(value)));
    words.extend(clusters.contexts.iter().map(|context| option("--context", context)));
    words.extend(clusters.kubeconfig.iter().map(|file| format!("--kubeconfig {}", word(file))));
    words.extend(clusters.istio_namespace.iter().map(|name| option("--istio-namespace", name)));
    words.extend(clusters.gateways.iter().map(|name| option("--gateway", name)));
    words.extend(args.bridges.iter().map(|file| format!("--bridge {}", word(file))));
    format!("meshctl trust next {}", words.join(" "))
}

impl Situation {
    /// # Errors
    /// `config/needs` if the spec names no trust models.
    pub(super) fn new(read: Read, bridges: &[Cert], at: Time) -> Result<Self, Failure> {
        if read.mesh.as_ref().is_none_or(|mesh| mesh.trust().is_none()) {
            return Err(Failure::new("config/needs", "the spec has no `trust`").hint(
                "add `trust: {model: bridge}` to the spec, or another model: merged-roots, scoped-bridge, shared-root",
            ));
        }
        let members: Vec<MatrixCluster<'_>> = read.clusters.iter().map(Known::member).collect();
        let plan = TrustPlan::new(&members, &|one, other| read.model(one, other), bridges, at);
        let unused = unused(&read, &plan, bridges, at);
        Ok(Self { accepts: accepts(&plan), read, plan, unused })
    }

    /// The clusters whose folder differs from what they have.
    pub(super) fn unpushed(&self) -> impl Iterator<Item = usize> {
        let differs = |cluster: &Known| {
            let live = cluster.live.as_ref().filter(|_| cluster.folder.is_some());
            live.is_some_and(|live| content(live) != content(&cluster.secret))
        };
        let all = self.read.clusters.iter().enumerate();
        all.filter(move |(_, cluster)| differs(cluster)).map(|(index, _)| index)
    }

    pub(super) fn is_done(&self) -> bool {
        self.plan.is_done() && self.unpushed().next().is_none() && self.read.unread().is_empty()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.read.clusters[index].name
    }

    /// The folder with the CA of a cluster, as a command names it.
    pub(super) fn authority(&self, index: usize) -> Option<&Path> {
        Some(parent(self.read.clusters[index].folder.as_deref()?))
    }

    /// A file with this root of a cluster and no other certificate.
    pub(super) fn root_file(&self, index: usize, root: &Cert) -> Option<PathBuf> {
        let cluster = &self.read.clusters[index];
        let folder = cluster.folder.as_deref()?;
        let name = cluster.secret.layout(cluster.version).roots_file();
        let files = [folder.join(name), parent(folder).join(ROOT)];
        files.into_iter().find(|file| {
            let text = files::read_optional(file).ok().flatten();
            text.is_some_and(|text| cacerts::pool(&text) == [root.clone()])
        })
    }
}

fn content(secret: &Secret) -> cacerts::Fingerprint {
    secret.for_istiod().fingerprint()
}

/// The folder above one, which a relative path may not name.
pub(super) fn parent(folder: &Path) -> &Path {
    match folder.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The bridges that are of no use, and why.
fn unused(read: &Read, plan: &TrustPlan, bridges: &[Cert], at: Time) -> Vec<(Cert, &'static str)> {
    let is_pushed = |bridge: &Cert| {
        let mut changes = plan.pushes.iter().flat_map(|push| &push.changes);
        changes.any(
            |change| matches!(change, TrustChange::Bridge { bridge: sent, .. } if sent == bridge),
        )
    };
    let is_there = |bridge: &Cert| {
        let mut chains = read.clusters.iter().map(|c| c.secret.chain(c.version));
        !bridge.is_self_issued() && chains.any(|chain| chain.contains(bridge))
    };
    let why = |bridge: &Cert| {
        let (from, until) = (bridge.not_before().time(), bridge.not_after().time());
        match () {
            () if until.is_some_and(|until| until <= at) => "it has expired",
            () if from.is_some_and(|from| from > at) => "it is not valid yet",
            () if bridge.is_self_issued() => "it is a root, not a bridge",
            () => "no pair of these clusters needs it by its model",
        }
    };
    let rest = bridges.iter().filter(|bridge| !is_pushed(bridge) && !is_there(bridge));
    rest.map(|bridge| (bridge.clone(), why(bridge))).collect()
}

/// A truster, a signer, by which proxies, and until when.
type NewPair = (usize, usize, Verifier, Option<Time>);

/// What each push brings, those before it done.
fn accepts(plan: &TrustPlan) -> Vec<Vec<NewPair>> {
    let mut before = accepted(&plan.before);
    let mut steps = Vec::new();
    for push in &plan.pushes {
        let after = accepted(&push.after);
        let new = after.iter().filter(|(pair, _)| !before.contains_key(*pair));
        steps
            .push(new.map(|((truster, signer, by), end)| (*truster, *signer, *by, *end)).collect());
        before.extend(after);
    }
    steps
}

type Accepted = BTreeMap<(usize, usize, Verifier), Option<Time>>;

/// Which clusters accept which, by which proxies, and until when.
fn accepted(matrix: &TrustMatrix) -> Accepted {
    let of = |cell: &TrustCell| match &cell.answer {
        TrustAnswer::Accepted(end) => {
            let end = end.as_ref().map(|end| end.at);
            Some(((cell.truster, cell.signer, cell.verifier), end))
        }
        _ => None,
    };
    matrix.cells().iter().filter_map(of).collect()
}

/// The files of a push that differ, and the certificates that each gets.
pub(super) fn changed_files<'p>(
    push: &'p TrustPush,
    cluster: &Known,
) -> Vec<(&'static str, Vec<&'p TrustChange>)> {
    let layout = cluster.secret.layout(cluster.version);
    let roots = |change: &&TrustChange| matches!(change, TrustChange::Root { .. });
    let (roots, chain): (Vec<_>, Vec<_>) = push.changes.iter().partition(roots);
    let all = [(layout.roots_file(), roots), (layout.chain_files()[0], chain)];
    all.into_iter().filter(|(_, changes)| !changes.is_empty()).collect()
}

/// What is lacking besides pushes, once for each root and the folder of the CA that would certify it.
pub(super) fn gaps(situation: &Situation) -> Vec<&TrustGap> {
    let mut known = Vec::new();
    let mut found = Vec::new();
    for gap in &situation.plan.gaps {
        if let TrustGap::NoBridge { truster, root, scope, .. } = gap {
            let key = (situation.authority(*truster), root, scope);
            if known.contains(&key) {
                continue;
            }
            known.push(key);
        }
        found.push(gap);
    }
    found
}
