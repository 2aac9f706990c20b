//! `meshctl check --context`: the secrets clusters have or are about to have, and the clusters around them.

use meshpki::Time;
use meshpki::istiod::{LiveCluster, Secret, Settings};

use super::{Judged, Live, Report, settings, tell};
use crate::args::Check;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Target, runtime};
use crate::fleet::folders::Folder;
use crate::fleet::judge::{self, Case, errors_first};
use crate::fleet::observe::{self, Found, unasked};
use crate::fleet::pending;
use crate::hints::{Problem, Typed};
use crate::io::Io;

/// A cluster that answered, and the folder that is about to be written to it.
struct Asked<'a> {
    target: &'a Target,
    found: &'a Found,
    folder: Option<Folder>,
}

/// Runs the command. A folder whose cluster was not named or does not answer is checked as without clusters.
pub(super) fn run(
    mut folders: Vec<Folder>,
    args: &Check,
    at: Time,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let selection = args.clusters.resolved(&args.force)?;
    let (targets, found) = runtime()?.block_on(observe::asked(&selection, io))?;
    let named = folders.iter().map(|folder| (folder.name.clone(), folder.secret.clone()));
    let misplaced = observe::misplaced(&targets, &found, &named.collect());
    let mut asked = Vec::new();
    for (target, found) in targets.iter().zip(&found) {
        let Ok(found) = found else { continue };
        let at = folders.iter().position(|folder| folder.name == target.name);
        asked.push(Asked { target, found, folder: at.map(|at| folders.remove(at)) });
    }
    let exit = if asked.is_empty() && folders.is_empty() {
        Exit::Failed
    } else {
        tell(&report(asked, folders, &selection.way.typed, args, at), args, io)?
    };
    let failures = unasked(&targets, &found);
    for failure in failures.iter().chain(misplaced.iter().map(|(_, failure)| failure)) {
        io.fail(failure);
    }
    Ok(match exit {
        _ if !misplaced.is_empty() => Exit::No,
        Exit::Good if !failures.is_empty() => Exit::Failed,
        exit => exit,
    })
}

fn report(
    asked: Vec<Asked<'_>>,
    folders: Vec<Folder>,
    typed: &Typed,
    args: &Check,
    at: Time,
) -> Report {
    let alone = settings(args);
    let mut problems = all_problems(&asked, &folders, args, at);
    for one in &asked {
        problems.extend(pending::absent(one.target, one.found, args.before_install));
        // What a push before did not finish says nothing against what is about to be written.
        if one.folder.is_none() {
            problems.extend(pending::unfinished(one.target, one.found));
        }
    }
    if args.before_install {
        let to_come = problems.iter_mut().filter(|p| p.code == "istiod/first-install");
        to_come.for_each(|problem| problem.severity = meshpki::istiod::Severity::Warning);
    }
    errors_first(&mut problems);
    let mut clusters: Vec<Judged> = asked.into_iter().map(|one| judged(one, &alone, at)).collect();
    clusters.extend(folders.into_iter().map(|folder| super::judged(folder, &alone, at)));
    let (settings, ambient, typed) = (alone, args.ambient, typed.clone());
    Report { settings, ambient, is_live: true, at, clusters, problems, typed }
}

/// Errors before warnings; what is in secrets before what is live.
fn all_problems(asked: &[Asked<'_>], folders: &[Folder], args: &Check, at: Time) -> Vec<Problem> {
    // Without a secret there is nothing to check in it; check_live reports that istiod signs with its own CA.
    let mut cases: Vec<Case<'_>> = asked
        .iter()
        .filter_map(|one| Some(Case::live(one.target, &one.found.seen, one.secret()?)))
        .collect();
    cases.extend(folders.iter().map(|folder| super::case(folder, args)));
    let mut found = judge::problems(&cases, at);
    let live: Vec<LiveCluster<'_>> = asked
        .iter()
        .map(|one| {
            let wanted = one.folder.as_ref().map(|folder| &folder.secret);
            judge::cluster(one.target, &one.found.seen, &one.found.served, wanted)
        })
        .collect();
    found.extend(judge::live(&live, at));
    errors_first(&mut found);
    found
}

impl Asked<'_> {
    /// The secret that is about to be there, or is.
    fn secret(&self) -> Option<&Secret> {
        match &self.folder {
            Some(folder) => Some(&folder.secret),
            None => self.found.seen.observed.secret.as_ref().map(|live| &live.files),
        }
    }
}

fn judged(one: Asked<'_>, alone: &Settings, at: Time) -> Judged {
    let empty = Secret::default();
    let secret = one.secret().unwrap_or(&empty);
    let start = judge::start(secret, &judge::settings(&one.found.seen), at)
        .unwrap_or_else(|| (alone.version, meshpki::istiod::starts(secret, alone, at)));
    // Without a folder the commands name one that the user has to know.
    let has_root_key = one.folder.as_ref().is_none_or(|folder| folder.has_root_key(start.0));
    Judged {
        name: one.target.name.clone(),
        has_root_key,
        path: one.folder.map(|folder| folder.path),
        live: Some(Live {
            context: one.target.context.clone(),
            istio_namespace: one.target.istio_namespace.clone(),
            server: one.target.kube.server().to_owned(),
            istiods: judge::istiods(&one.found.seen),
        }),
        start,
    }
}
