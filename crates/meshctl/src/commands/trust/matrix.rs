//! `meshctl trust matrix`: which clusters accept each other's workloads, why not, and until when.

use std::collections::BTreeSet;

use meshconfig::Mesh;
use meshpki::federation::{
    Impersonation, MatrixCluster, TrustAnswer, TrustCell, TrustMatrix, TrustModel, beyond_scope,
    impersonations,
};
use meshpki::{Cert, Time};

use super::known::{Ask, Known, Read, asked, on_disk};
use super::plan::{Situation, bridges};
use crate::args::trust::{Matrix as Args, View};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::json as pretty;

mod graph;
mod html;
mod json;
mod svg;
mod text;

/// Everything to report.
struct Report<'a> {
    at: Time,
    /// How many pushes of the plan are taken to be done.
    after: Option<usize>,
    clusters: &'a [Known],
    cells: &'a [TrustCell],
    /// Pairs that need not accept each other, by index.
    spared: BTreeSet<(usize, usize)>,
    /// Where trust goes beyond the spec.
    wider: Vec<Wider>,
    leaked: Option<(usize, Vec<Impersonation>)>,
}

/// Another trust domain that a cluster's CA is believed for, despite its trust model.
struct Wider {
    signer: usize,
    impersonation: Impersonation,
}

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let is_live = args.dirs.is_empty() || !args.clusters.contexts.is_empty();
    let ask = Ask {
        dirs: &args.dirs,
        clusters: &args.clusters,
        ambient: args.ambient,
        force: &args.force,
    };
    let mut read = if is_live { asked(&ask, io)? } else { on_disk(&ask, io)? };
    if let Some(count) = args.after {
        read = after(read, count, &bridges(&args.bridges, io)?, at)?;
    }
    let Read { clusters, failures, .. } = &read;
    if clusters.is_empty() {
        failures.iter().for_each(|failure| io.fail(failure));
        return Ok(Exit::Failed);
    }
    let members: Vec<MatrixCluster<'_>> = clusters.iter().map(Known::member).collect();
    let matrix = TrustMatrix::new(&members, at);
    let leaked = args.if_leaked.as_deref().map(|name| leaked(name, clusters, &members, at));
    let report = Report {
        at,
        after: args.after,
        clusters,
        cells: matrix.cells(),
        spared: spared(&read),
        wider: wider(&read, &members, at),
        leaked: leaked.transpose()?,
    };
    io.print(&match args.output {
        View::Text => text::write(&report),
        View::Json => pretty(&json::write(&report)),
        View::Html => html::write(&report),
        View::Mermaid => graph::mermaid(&report),
        View::Dot => graph::dot(&report),
        View::Svg => svg::write(&report),
    })?;
    failures.iter().for_each(|failure| io.fail(failure));
    Ok(match report.is_good() {
        false => Exit::No,
        true if failures.is_empty() => Exit::Good,
        true => Exit::Failed,
    })
}

/// The clusters with the secrets that they have after so many pushes of the plan.
fn after(read: Read, count: usize, bridges: &[Cert], at: Time) -> Result<Read, Failure> {
    let Situation { mut read, plan, .. } = Situation::new(read, bridges, at)?;
    let found = plan.pushes.len();
    if count > found {
        let message = format!("`--after {count}`, but the plan has {found} pushes");
        return Err(Failure::usage(message)
            .hint("`meshctl trust plan` with the same folders, spec and bridges lists them"));
    }
    for push in plan.pushes.into_iter().take(count) {
        read.clusters[push.cluster].secret = push.secret;
    }
    Ok(read)
}

/// The pairs that the spec does not need: without a trust model, or neither calls the other. A spec without services
/// needs all that have a model.
fn spared(read: &Read) -> BTreeSet<(usize, usize)> {
    let count = read.clusters.len();
    let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let calls = read.mesh.as_ref().and_then(calls);
    let name = |index: usize| read.clusters[index].name.as_str();
    let is_needed = |(a, b): &(usize, usize)| {
        read.model(*a, *b).is_some()
            && calls.as_ref().is_none_or(|calls| calls.contains(&(name(*a), name(*b))))
    };
    pairs.filter(|pair| !is_needed(pair)).collect()
}

/// The pairs of clusters one of which calls the other, in both orders; `None` without services.
fn calls(mesh: &Mesh) -> Option<BTreeSet<(&str, &str)>> {
    if mesh.services().is_empty() {
        return None;
    }
    let mut calls = BTreeSet::new();
    for service in mesh.services() {
        let home = mesh.home(service);
        for caller in mesh.importers(service) {
            calls.insert((home.name.as_str(), caller.name.as_str()));
            calls.insert((caller.name.as_str(), home.name.as_str()));
        }
    }
    Some(calls)
}

/// The clusters whose CA is believed for another trust domain, despite a model that keeps it to its own.
fn wider(read: &Read, members: &[MatrixCluster<'_>], at: Time) -> Vec<Wider> {
    let is_scoped = |one: usize, other: usize| {
        one != other && read.model(one, other) == Some(TrustModel::ScopedBridge)
    };
    let found = beyond_scope(members, &is_scoped, at).into_iter();
    found.map(|(signer, impersonation)| Wider { signer, impersonation }).collect()
}

fn leaked(
    name: &str,
    clusters: &[Known],
    members: &[MatrixCluster<'_>],
    at: Time,
) -> Result<(usize, Vec<Impersonation>), Failure> {
    let Some(place) = clusters.iter().position(|cluster| cluster.name == name) else {
        let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        return Err(Failure::usage(format!("no cluster `{name}`"))
            .because(format!("the clusters are {}", names.join(", "))));
    };
    impersonations(members, place, at).map(|found| (place, found)).ok_or_else(|| {
        Failure::new("ctl/cluster-incomplete", "what its key is worth cannot be tried")
            .within(format!("cluster {name}"))
            .because("its files have no CA with its private key")
    })
}

/// The clusters of which nothing can be shown.
fn unknown(report: &Report<'_>) -> BTreeSet<usize> {
    let is_unknown = |cell: &&TrustCell| cell.answer == TrustAnswer::Unknown;
    report.cells.iter().filter(is_unknown).map(|cell| cell.signer).collect()
}

impl Report<'_> {
    fn is_spared(&self, cell: &TrustCell) -> bool {
        self.spared.contains(&(cell.truster, cell.signer))
    }

    fn is_good(&self) -> bool {
        let is_good = |cell: &TrustCell| matches!(cell.answer, TrustAnswer::Accepted(_));
        self.wider.is_empty() && self.cells.iter().all(|cell| self.is_spared(cell) || is_good(cell))
    }

    fn name(&self, index: usize) -> &str {
        &self.clusters[index].name
    }
}
