//! `meshctl report`: what `check` or `status` find as a page or a document, from folders or from clusters. It writes
//! nothing else.

mod ends;
mod folders;
mod json;
mod live;
mod render;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshconfig::Mesh;
use meshconfig::graph::{Graph, GraphBox, Way};
use meshpki::Time;
use meshpki::rotation::RotationPhase;

use crate::args::{Report as Args, ReportOutput};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Kind};
use crate::fleet::pairs::Pair;
use crate::fleet::problems::State;
use crate::hints::Problem;
use crate::io::Io;
use crate::spec;
use crate::text::json as pretty;
use ends::End;

/// Everything that the page shows.
struct Page {
    /// The name of the mesh, if a spec says it.
    mesh: Option<String>,
    at: Time,
    source: Source,
    clusters: Vec<Cluster>,
    /// Every pair of clusters, rows in order.
    pairs: Vec<Pair>,
    /// What is wrong, errors first.
    findings: Vec<Finding>,
    /// What ends within this time is marked.
    within: Duration,
    /// Every CA and root once, the first to end first.
    ends: Vec<End>,
    rotation: Option<Rotation>,
    calls: Option<Calls>,
    /// The one command to type now.
    next: Option<String>,
}

/// What was read.
struct Source {
    /// Whether clusters were asked.
    is_live: bool,
    /// The folders, or the one that the clusters were compared with.
    folders: Vec<PathBuf>,
}

/// A cluster.
struct Cluster {
    name: String,
    place: Place,
    /// `None`: not known.
    state: Option<State>,
    /// What there is to say of it, a word and a line each; or why it could not be read.
    lines: Result<Vec<(&'static str, String)>, Failure>,
}

/// Where a cluster was read.
enum Place {
    Context {
        context: String,
        server: String,
    },
    Folder(PathBuf),
    /// It is in the spec only.
    NoFolder,
}

/// Something that is wrong.
struct Finding {
    problem: Problem,
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
    way: Way,
    services: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let is_live = args.dirs.is_empty() || !args.clusters.contexts.is_empty();
    let (page, failures, exit) =
        if is_live { live::read(args, at, io)? } else { folders::read(args, at, io)? };
    let (text, kind) = match args.output {
        ReportOutput::Html => (render::write(&page), Kind::Begins(render::HEAD.as_bytes())),
        ReportOutput::Json => (pretty(&json::write(&page, exit)), Kind::Document(json::KIND)),
    };
    if args.out == Path::new("-") {
        io.print(&text)?;
    } else {
        files::write_public(&args.out, text.as_bytes(), kind)?;
        io.note(format_args!("wrote {}", crate::text::safe(&args.out.display().to_string())));
    }
    failures.iter().for_each(|failure| io.fail(failure));
    Ok(exit)
}

/// `live clusters, compared with the folder ca`; `the folders ca, other`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.folders.iter().map(|dir| dir.display().to_string()).collect();
        let word = if names.len() == 1 { "folder" } else { "folders" };
        let names = names.join(", ");
        match (self.is_live, self.folders.is_empty()) {
            (true, true) => f.write_str("live clusters"),
            (true, false) => write!(f, "live clusters, compared with the {word} {names}"),
            (false, _) => write!(f, "the {word} {names}"),
        }
    }
}

/// `context prod-east, https://192.0.2.7:6443`, `folder ca/east`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context { context, server } => write!(f, "context {context}, {server}"),
            Self::Folder(path) => write!(f, "folder {}", path.display()),
            Self::NoFolder => f.write_str("no folder"),
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
            way: arrow.way,
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

/// How calls go, in words.
const fn how(way: Way) -> &'static str {
    match way {
        Way::Own => "in its own cluster",
        Way::Sni => "through the gateway, by SNI",
        Way::Rewrite => "through the gateway, which rewrites the name",
        Way::Registry => "through the gateway, to pods known from remote secrets",
        Way::Direct => "to the pods themselves",
    }
}
