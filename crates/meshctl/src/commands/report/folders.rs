//! The page of folders, without a cluster.

use std::path::PathBuf;

use meshapply::names::ISTIO_NAMESPACE;
use meshconfig::Mesh;
use meshconfig::mesh::MeshCluster;
use meshpki::istiod::{Settings, Severity, StartOutcome, Version, starts};
use meshpki::{Time, TrustDomain};

use super::ends::ends;
use super::{Calls, Cluster, Finding, Page};
use crate::args::Report as Args;
use crate::authority::warn_exposed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::Named;
use crate::fleet::facts::{Facts, described};
use crate::fleet::folders::{self, Folder, collect, tell_apart};
use crate::fleet::judge::{self, Case};
use crate::fleet::pairs::{Peer, pairs, unexplained};
use crate::fleet::problems::State;
use crate::hints::{Problem, UNTYPED, Where};
use crate::io::Io;
use crate::text::word;

/// A folder, and what the spec says of its cluster.
struct Member {
    folder: Folder,
    settings: Settings,
    start: StartOutcome,
    trust_domain: Option<TrustDomain>,
    ambient: bool,
    apart: Vec<String>,
    facts: Facts,
}

/// Reads the folders; says what to show, what failed, and the exit status.
pub(super) fn read(
    args: &Args,
    at: Time,
    io: &mut Io<'_>,
) -> Result<(Page, Vec<Failure>, Exit), Failure> {
    let mesh = super::mesh(args, io)?;
    let mut folders = Vec::new();
    for dir in &args.dirs {
        warn_exposed(dir, io);
        folders.extend(collect(dir)?);
    }
    tell_apart(&mut folders);
    let lacking = lacking(mesh.as_ref(), &folders);
    let members: Vec<Member> = folders
        .into_iter()
        .filter_map(|folder| Member::new(folder, mesh.as_ref(), args, at))
        .collect();
    let page = page(&members, &lacking, mesh.as_ref(), args, at);
    let is_bad = page.findings.iter().any(|finding| finding.severity == Severity::Error);
    let exit = match (is_bad, lacking.is_empty()) {
        (true, _) => Exit::No,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Good,
    };
    Ok((page, lacking.into_iter().map(|(_, failure)| failure).collect(), exit))
}

fn page(
    members: &[Member],
    lacking: &[(String, Failure)],
    mesh: Option<&Mesh>,
    args: &Args,
    at: Time,
) -> Page {
    let peers: Vec<Peer<'_>> = members.iter().map(Member::peer).collect();
    let pairs: Vec<_> = pairs(&peers, at).collect();
    let cases: Vec<Case<'_>> = members.iter().map(Member::case).collect();
    let mut problems = judge::problems(&cases, at);
    let distrust = unexplained(&pairs, &problems);
    problems.extend(distrust);
    judge::errors_first(&mut problems);
    let findings: Vec<Finding> = problems.iter().map(|one| finding(members, one, args)).collect();
    let known: Vec<_> = members.iter().map(|one| (one.folder.name.as_str(), &one.facts)).collect();
    let unread = lacking.iter().map(|(name, failure)| Cluster {
        name: name.clone(),
        place: "no folder".to_owned(),
        state: None,
        lines: vec![("unknown", failure.sentence())],
    });
    Page {
        mesh: mesh.map(|mesh| mesh.name.clone()),
        at,
        source: source(&args.dirs),
        clusters: members.iter().map(|one| one.cluster(&problems, at)).chain(unread).collect(),
        pairs,
        ends: ends(&known, args.within, at),
        rotation: None,
        calls: mesh.and_then(Calls::new),
        next: findings.first().map(|finding| finding.next.clone()),
        findings,
    }
}

impl Member {
    /// A folder; `None` if the spec does not have its cluster.
    fn new(folder: Folder, mesh: Option<&Mesh>, args: &Args, at: Time) -> Option<Self> {
        let named = match mesh {
            Some(mesh) => Some((mesh, mesh.cluster(&folder.name)?)),
            None => None,
        };
        let version = named.map(|(_, cluster)| cluster.version);
        let version = version.or(args.clusters.istio_version).unwrap_or(Version::NEWEST);
        let settings = Settings::defaults(version).with_multi_root(args.multi_root);
        let ambient = args.ambient || named.is_some_and(|(_, cluster)| cluster.ambient);
        Some(Self {
            start: starts(&folder.secret, &settings, at),
            trust_domain: named.map(|(_, cluster)| cluster.trust_domain.clone()),
            apart: named.map(|(mesh, cluster)| Named::of(mesh, cluster).apart).unwrap_or_default(),
            facts: Facts::of_secret(&folder.secret, version, ambient),
            ambient,
            settings,
            folder,
        })
    }

    fn peer(&self) -> Peer<'_> {
        Peer { name: &self.folder.name, apart: &self.apart, facts: Some(&self.facts) }
    }

    fn case(&self) -> Case<'_> {
        Case {
            name: &self.folder.name,
            secret: &self.folder.secret,
            settings: vec![self.settings.clone()],
            trust_domain: self.trust_domain.clone(),
            ambient: self.ambient,
            apart: self.apart.clone(),
        }
    }

    fn cluster(&self, problems: &[Problem], at: Time) -> Cluster {
        let name = &self.folder.name;
        let own = problems.iter().filter(|one| one.clusters.as_slice() == [name.clone()]);
        let ambient = if self.ambient { ", ambient mode" } else { "" };
        let mut lines =
            vec![("istiod", format!("{}{ambient}: {}", self.settings.version, self.start))];
        let domain = self.trust_domain.as_ref();
        lines.extend(domain.map(|domain| ("domain", domain.as_str().to_owned())));
        let ca = self.facts.ca.as_ref();
        lines.push(("CA", ca.map_or_else(|| "none".to_owned(), |ca| described(ca, at))));
        let is_root = |cert: &&meshpki::Cert| !self.facts.roots.contains(cert);
        let chain = self.facts.chain.iter().filter(is_root);
        lines.extend(
            chain.filter(|cert| Some(*cert) != ca).map(|cert| ("chain", described(cert, at))),
        );
        lines.extend(self.facts.roots.iter().map(|root| ("root", described(root, at))));
        Cluster {
            name: name.clone(),
            place: format!("folder {}", self.folder.path.display()),
            state: Some(State::of(own)),
            lines,
        }
    }
}

/// A problem, with the next command in its folder; without one, `check` shows more.
fn finding(members: &[Member], problem: &Problem, args: &Args) -> Finding {
    let named = |name: &String| members.iter().find(|one| one.folder.name == *name);
    let place = match problem.clusters.iter().find_map(named) {
        None => problem.somewhere(),
        Some(member) => Where {
            name: &member.folder.name,
            folder: Some(&member.folder.path),
            has_root_key: member.folder.has_root_key(member.settings.version),
            context: None,
            istio_namespace: ISTIO_NAMESPACE,
            typed: &UNTYPED,
        },
    };
    let next = match place.next(problem) {
        next if next.is_empty() => {
            let dirs = args.dirs.iter().map(|dir| format!(" {}", word(dir)));
            "meshctl check".to_owned() + &dirs.collect::<String>()
        }
        next => next,
    };
    Finding::new(problem, &place.fix(problem), next)
}

/// The clusters of the spec that have no folder.
fn lacking(mesh: Option<&Mesh>, folders: &[Folder]) -> Vec<(String, Failure)> {
    let clusters = mesh.into_iter().flat_map(Mesh::clusters_as_written);
    let has_none = |cluster: &&MeshCluster| folders.iter().all(|one| one.name != cluster.name);
    let lacking = clusters.filter(has_none);
    lacking.map(|cluster| (cluster.name.clone(), folders::absent(&cluster.name))).collect()
}

/// `the folder ca`, `the folders ca, other`.
fn source(dirs: &[PathBuf]) -> String {
    let names: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    let word = if names.len() == 1 { "folder" } else { "folders" };
    format!("the {word} {}", names.join(", "))
}
