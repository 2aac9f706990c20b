//! `meshctl report`: what `check` or `status` find as a page, from folders or from clusters. It writes nothing else.

mod ends;
mod folders;
mod live;
mod render;

use std::collections::BTreeSet;
use std::path::Path;

use meshconfig::Mesh;
use meshconfig::graph::{Graph, GraphBox, Way};
use meshpki::Time;
use meshpki::istiod::Severity;
use meshpki::rotation::RotationPhase;

use crate::args::Report as Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Kind};
use crate::fleet::pairs::Pair;
use crate::fleet::problems::State;
use crate::hints::Problem;
use crate::io::Io;
use crate::spec;
use ends::End;

/// Everything that the page shows.
struct Page {
    /// The name of the mesh, if a spec says it.
    mesh: Option<String>,
    at: Time,
    /// `live clusters`, `the folder ca`.
    source: String,
    clusters: Vec<Cluster>,
    /// Every pair of clusters, rows in order.
    pairs: Vec<Pair>,
    /// What is wrong, errors first.
    findings: Vec<Finding>,
    /// Every CA and root once, the first to end first.
    ends: Vec<End>,
    rotation: Option<Rotation>,
    calls: Option<Calls>,
    /// The one command to type now.
    next: Option<String>,
}

/// A cluster.
struct Cluster {
    name: String,
    /// How it is reached, or its folder.
    place: String,
    /// `None`: not known.
    state: Option<State>,
    /// What there is to say of it, a word and a line each.
    lines: Vec<(&'static str, String)>,
}

/// Something that is wrong.
struct Finding {
    severity: Severity,
    code: &'static str,
    clusters: Vec<String>,
    message: String,
    evidence: Vec<String>,
    effect: String,
    fix: String,
    /// The next command; may be empty.
    next: String,
}

/// Clusters on their way from the secrets that they have to those of the folder.
struct Rotation {
    /// Each with its phase; `None`: not known.
    clusters: Vec<(String, Option<RotationPhase>)>,
    next: String,
}

/// The calls between clusters.
struct Calls {
    /// One SVG document.
    picture: String,
    rows: Vec<Call>,
}

/// An arrow of the picture in words.
struct Call {
    from: String,
    to: String,
    how: &'static str,
    services: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let is_live = args.dirs.is_empty() || !args.clusters.contexts.is_empty();
    let (page, failures, exit) =
        if is_live { live::read(args, at, io)? } else { folders::read(args, at, io)? };
    let text = render::write(&page);
    if args.out == Path::new("-") {
        io.print(&text)?;
    } else {
        files::write_public(&args.out, text.as_bytes(), Kind::Begins(render::HEAD.as_bytes()))?;
        io.note(format_args!("wrote {}", crate::text::safe(&args.out.display().to_string())));
    }
    failures.iter().for_each(|failure| io.fail(failure));
    Ok(exit)
}

impl Finding {
    fn new(problem: &Problem, fix: &str, next: String) -> Self {
        Self {
            severity: problem.severity,
            code: problem.code,
            clusters: problem.clusters.clone(),
            message: problem.message.clone(),
            evidence: problem.evidence.clone(),
            effect: problem.effect.clone(),
            fix: fix.to_owned(),
            next,
        }
    }
}

impl Calls {
    /// The calls of a spec; `None` if no cluster calls another.
    fn new(mesh: &Mesh) -> Option<Self> {
        let graph = Graph::new(mesh, &BTreeSet::new());
        let name = |index: usize| graph.boxes.get(index).map_or_else(String::new, in_words);
        let rows = graph.arrows.iter().map(|arrow| Call {
            from: name(arrow.from),
            to: name(arrow.to),
            how: how(arrow.way),
            services: arrow.lines.clone(),
        });
        let rows: Vec<Call> = rows.collect();
        let picture = spec::picture::svg(&graph);
        (!rows.is_empty()).then_some(Self { picture, rows })
    }
}

/// The cluster of a box, or the callers.
fn in_words(one: &GraphBox) -> String {
    match &one.cluster {
        Some((name, _)) => name.clone(),
        None => one.lines.join(", "),
    }
}

const fn how(way: Way) -> &'static str {
    match way {
        Way::Own => "in its own cluster",
        Way::Sni => "through the gateway, by SNI",
        Way::Rewrite => "through the gateway, which rewrites the name",
        Way::Registry => "through the gateway, to pods known from remote secrets",
        Way::Direct => "to the pods themselves",
    }
}
