//! The page of folders, without a cluster.

use meshapply::names::ISTIO_NAMESPACE;
use meshconfig::Mesh;
use meshpki::istiod::{Settings, Severity, StartOutcome, Version, starts};
use meshpki::{Time, TrustDomain};

use super::ends::ends;
use super::{Calls, Cluster, Finding, Page, Place, Source};
use crate::args::Report as Args;
use crate::authority::warn_exposed;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::Named;
use crate::fleet::facts::{Facts, described};
use crate::fleet::folders::{self, Folder};
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
    let mesh = args.clusters.mesh(io)?;
    args.dirs.iter().for_each(|dir| warn_exposed(dir, io));
    let folders = folders::of_mesh(&args.dirs, mesh.as_ref(), io)?;
    let absent = folders::absent(mesh.as_ref(), &folders);
    let members: Vec<Member> =
        folders.into_iter().map(|folder| Member::new(folder, mesh.as_ref(), args, at)).collect();
    let page = page(&members, &absent, mesh.as_ref(), args, at);
    let is_bad = page.findings.iter().any(|finding| finding.problem.severity == Severity::Error);
    let exit = match (is_bad, absent.is_empty()) {
        (true, _) => Exit::No,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Good,
    };
    Ok((page, absent.into_iter().map(|(_, failure)| failure).collect(), exit))
}

fn page(
    members: &[Member],
    absent: &[(String, Failure)],
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
    let known: Vec<_> = members.iter().map(|one| (one.folder.name.as_str(), &one.facts)).collect();
    let unread = absent.iter().map(|(name, failure)| Cluster {
        name: name.clone(),
        place: Place::NoFolder,
        state: None,
        lines: Err(failure.clone()),
    });
    let clusters = members.iter().map(|one| one.cluster(&problems, at)).chain(unread).collect();
    let findings: Vec<Finding> =
        problems.into_iter().map(|one| finding(members, one, args)).collect();
    Page {
        mesh: mesh.map(|mesh| mesh.name.clone()),
        at,
        source: Source { is_live: false, folders: args.dirs.clone() },
        clusters,
        pairs,
        within: args.within,
        ends: ends(&known, args.within, at),
        rotation: None,
        calls: mesh.and_then(Calls::new),
        next: findings.first().map(|finding| finding.next.clone()),
        findings,
    }
}

impl Member {
    fn new(folder: Folder, mesh: Option<&Mesh>, args: &Args, at: Time) -> Self {
        let named = mesh.and_then(|mesh| Some((mesh, mesh.cluster(&folder.name)?)));
        let version = named.map(|(_, cluster)| cluster.version);
        let version = version.or(args.clusters.istio_version).unwrap_or(Version::NEWEST);
        let settings = Settings::defaults(version).with_multi_root(args.multi_root);
        let ambient = args.ambient || named.is_some_and(|(_, cluster)| cluster.ambient);
        Self {
            start: starts(&folder.secret, &settings, at),
            trust_domain: named.map(|(_, cluster)| cluster.trust_domain.clone()),
            apart: named.map(|(mesh, cluster)| Named::of(mesh, cluster).apart).unwrap_or_default(),
            facts: Facts::of_secret(&folder.secret, version, ambient),
            ambient,
            settings,
            folder,
        }
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
        let ambient = if self.ambient { ", ambient mode" } else { "" };
        let mut lines =
            vec![("istiod", format!("{}{ambient}: {}", self.settings.version, self.start))];
        let domain = self.trust_domain.as_ref();
        lines.extend(domain.map(|domain| ("domain", domain.as_str().to_owned())));
        let ca = self.facts.ca.as_ref();
        lines.push(("CA", ca.map_or_else(|| "none".to_owned(), |ca| described(ca, at))));
        lines.extend(self.facts.above(at));
        Cluster {
            name: name.clone(),
            place: Place::Folder(self.folder.path.clone()),
            state: Some(State::of_cluster(name, problems)),
            lines: Ok(lines),
        }
    }
}

/// A problem, with the next command in its folder. Only a refusal that nothing else explains has none.
fn finding(members: &[Member], problem: Problem, args: &Args) -> Finding {
    let named = |name: &String| members.iter().find(|one| one.folder.name == *name);
    let place = match problem.clusters.iter().find_map(named) {
        None => problem.somewhere(),
        Some(member) => Where {
            name: &member.folder.name,
            folder: Some(&member.folder.path),
            has_root_key: member.folder.has_root_key(member.settings.version),
            context: None,
            istio_namespace: ISTIO_NAMESPACE,
            all: None,
            typed: &UNTYPED,
        },
    };
    let next = match place.next(&problem) {
        next if next.is_empty() => matrix(args),
        next => next,
    };
    let fix = place.fix(&problem);
    Finding { problem, fix, next }
}

/// The command that shows why clusters do not accept each other, by the same releases and at the same time.
fn matrix(args: &Args) -> String {
    let dirs: String = args.dirs.iter().map(|dir| format!(" {}", word(dir))).collect();
    let option = |name, value: Option<String>| {
        value.map(|value| format!(" {name} {value}")).unwrap_or_default()
    };
    let spec = option("-f", args.clusters.file.as_deref().map(word));
    let version = option("--istio-version", args.clusters.istio_version.map(|one| one.to_string()));
    let at = option("--at", args.at.map(|at| at.to_string()));
    let ambient = if args.ambient { " --ambient" } else { "" };
    format!("meshctl trust matrix{dirs}{spec}{version}{ambient}{at}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    /// The command that shows a refusal asks what the page asked.
    #[test]
    fn what_shows_a_refusal() {
        let check = |typed: &str, expect: &str| {
            let words = format!("meshctl report ca own-ca {typed}");
            let cli = Cli::try_parse_from(words.split_whitespace()).expect("a command line");
            let Command::Report(args) = cli.command else { panic!("another command") };
            let clusters = vec!["east".to_owned(), "west".to_owned()];
            let problem = Problem::new("istiod/different-roots", Severity::Error, clusters, "why");
            let expect = format!("meshctl trust matrix ca own-ca{expect}");
            assert_eq!(finding(&[], problem, &args).next, expect);
        };
        check("--multi-root --out report.html", "");
        check(
            "--at 2027-11-10 --ambient --istio-version 1.28.0 -f mesh.yaml",
            " -f mesh.yaml --istio-version 1.28.0 --ambient --at 2027-11-10T00:00:00Z",
        );
    }
}
