//! The page of clusters that were asked.

use meshpki::Time;
use meshpki::chain::is_bridge;
use meshpki::internals::fingerprints;
use meshpki::rotation::{RotationCluster, RotationPhase};

use super::ends::ends;
use super::{Calls, Cluster, Finding, Page, Place, Rotation, Source};
use crate::args::Report as Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::Target;
use crate::fleet::observe::Found;
use crate::fleet::standing::{Asked, Standing};
use crate::hints;
use crate::io::Io;
use crate::text::word;

/// Asks the clusters; says what to show, what failed, and the exit status.
pub(super) fn read(
    args: &Args,
    at: Time,
    io: &mut Io<'_>,
) -> Result<(Page, Vec<Failure>, Exit), Failure> {
    if args.clusters.is_empty() {
        return Err(Failure::usage("nothing to report").hint(
            "name a folder, as in `meshctl report ca`, or clusters with `--context east=CONTEXT`",
        ));
    }
    let dir = match &args.dirs[..] {
        [] => None,
        [dir] => Some(dir.as_path()),
        several => {
            return Err(Failure::usage(format!(
                "expected one folder to compare with the clusters, found {}",
                several.len()
            ))
            .hint("name the folder that has a folder for each cluster"));
        }
    };
    let (selection, mesh) = args.clusters.with_mesh(&args.force, io)?;
    let asked = Asked::read(dir, &selection, io)?;
    let mut standing = asked.standing(args.before_install, at);
    let pairs = std::mem::take(&mut standing.pairs);
    let known = standing.clusters.iter().filter_map(|one| {
        let facts = one.facts.as_ref().ok()?;
        Some((one.target.name.as_str(), facts))
    });
    let page = Page {
        mesh: mesh.as_ref().map(|mesh| mesh.name.clone()),
        at,
        source: Source { is_live: true, folders: args.dirs.clone() },
        clusters: asked
            .found
            .iter()
            .zip(&standing.clusters)
            .map(|(found, one)| cluster(&standing, one, found.as_ref().ok()))
            .collect(),
        findings: standing
            .problems
            .iter()
            .map(|problem| Finding {
                problem: problem.clone(),
                fix: problem.fix.clone(),
                next: standing.next(problem),
            })
            .collect(),
        within: args.within,
        ends: ends(&known.collect::<Vec<_>>(), args.within, at),
        rotation: rotation(&asked, dir.map(word)),
        calls: mesh.as_ref().and_then(Calls::new),
        next: standing.next_command(),
        pairs,
    };
    Ok((page, asked.failures(), standing.exit()))
}

fn cluster(
    standing: &Standing<'_>,
    one: &crate::fleet::standing::Cluster<'_>,
    found: Option<&Found>,
) -> Cluster {
    let target = one.target;
    let mut lines = one.facts.as_ref().map(|facts| facts.lines(standing.at)).map_err(Clone::clone);
    if let (Ok(lines), Some(found)) = (&mut lines, found) {
        lines.insert(1, ("domain", found.seen.mesh.trust_domain().to_owned()));
    }
    Cluster {
        name: target.name.clone(),
        place: Place::Context {
            context: target.context.clone(),
            server: target.kube.server().to_owned(),
        },
        state: standing.state(one),
        lines,
    }
}

/// How far each cluster is on the way to the folder's roots; `None` if there is no such way to go.
fn rotation(asked: &Asked, dir: Option<String>) -> Option<Rotation> {
    let dir = dir?;
    let both = asked.targets.iter().zip(&asked.found);
    let phases: Vec<(&Target, Option<RotationPhase>)> =
        both.map(|(target, found)| (target, phase(asked, target, found.as_ref().ok()))).collect();
    let is_open =
        |phase: &Option<RotationPhase>| phase.is_some_and(|one| one != RotationPhase::Done);
    if !phases.iter().any(|(_, phase)| is_open(phase)) {
        return None;
    }
    let names =
        hints::all_named(phases.iter().map(|(target, _)| (&*target.name, &*target.context)));
    Some(Rotation {
        next: format!(
            "meshctl rotate root status {dir} --context {}{}",
            names, asked.typed.meshctl
        ),
        clusters: phases.into_iter().map(|(target, phase)| (target.name.clone(), phase)).collect(),
    })
}

/// The phase of a cluster between its secret and the set in the folder; `None` if one of them is missing. A set that has
/// only another CA under the same roots needs no rotation.
fn phase(asked: &Asked, target: &Target, found: Option<&Found>) -> Option<RotationPhase> {
    let seen = &found?.seen;
    let (release, live) = (seen.release(), &seen.observed.secret.as_ref()?.files);
    let goal = asked.folders.get(&target.name)?;
    let roots = live.roots(release);
    let has_same_roots = fingerprints(&roots) == fingerprints(&goal.roots(release));
    let sends_bridge = live.chain(release).iter().any(|cert| is_bridge(cert, &roots));
    if has_same_roots && !sends_bridge {
        return Some(RotationPhase::Done);
    }
    let mut cluster = RotationCluster::new(&target.name, live, goal);
    cluster.version = release;
    Some(cluster.phase())
}
