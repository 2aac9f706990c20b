//! What stops a rollout before its first write.

use std::collections::BTreeMap;
use std::path::Path;

use meshpki::istiod::{Secret, Severity};

use super::{Options, plan, run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, look, place as place_of};
use crate::fleet::place::{self, Twins};
use crate::hints::Problem;
use crate::text;

/// Reads every cluster; no two may be the same one.
pub(crate) async fn look_apart(
    targets: &[Target],
    force: &[String],
) -> Result<(Vec<Seen>, Twins), Failure> {
    let seen = look(targets).await?;
    let twins = place::refuse_twins(targets, force).await?;
    Ok((seen, twins))
}

pub(crate) fn no_folder(
    target: &Target,
    dir: &Path,
    others: &BTreeMap<String, Secret>,
    spec: Option<&Path>,
) -> Failure {
    let names: Vec<&str> = others.keys().map(String::as_str).collect();
    let dir = text::word(dir);
    let hint = match spec {
        Some(spec) => format!(
            "`meshctl ca init {dir} -f {} --cluster {}` creates one",
            text::word(spec),
            target.name
        ),
        None => format!(
            "`--context FOLDER={}` assigns a folder to that context; `meshctl ca init {dir} --cluster {}` creates one",
            target.context, target.name
        ),
    };
    Failure::new("ctl/no-cluster", format!("{dir} has no folder `{}`", target.name))
        .because(format!(
            "it has {}",
            if names.is_empty() { "no other".to_owned() } else { names.join(", ") }
        ))
        .hint(hint)
}

/// Takes the folder of each target out of those of DIR.
///
/// # Errors
/// `ctl/no-cluster`.
pub(crate) fn own_folders(
    targets: &[Target],
    dir: &Path,
    folders: &mut BTreeMap<String, Secret>,
    spec: Option<&Path>,
) -> Result<Vec<Secret>, Failure> {
    let own = targets.iter().map(|target| {
        folders.remove(&target.name).ok_or_else(|| no_folder(target, dir, folders, spec))
    });
    own.collect()
}

/// Refuses clusters in which no secret would be used, before anything is created for them.
pub(crate) fn refuse_unusable(
    targets: &[Target],
    seen: &[Seen],
    options: &Options,
) -> Result<(), Failure> {
    for (target, seen) in targets.iter().zip(seen) {
        let stop = meshapply::next::unusable(&seen.observed);
        if let Some(stop) = stop.filter(|stop| !plan::is_to_come(stop, options)) {
            return Err(run::failure(target, &meshapply::Error::Stopped(stop)));
        }
    }
    Ok(())
}

/// A CA whose trust domain differs from the cluster's in the spec.
pub(super) fn of_another_domain(target: &Target, ca: &meshpki::Cert) -> Option<Failure> {
    let wanted = format!("spiffe://{}", target.spec.as_ref()?.trust_domain);
    let domains = crate::authority::trust_domains(ca);
    if domains.is_empty() || domains.contains(&wanted) {
        return None;
    }
    let message = format!("the CA for {} has the wrong trust domain", target.name);
    Some(
        Failure::new("ctl/wrong-cluster", message)
            .within(place_of(target))
            .because(format!("{} has {}", ca.label(), domains.join(", ")))
            .because(format!("the spec has {wanted}"))
            .hint("nothing was written; move the folder away and create it again with `meshctl ca init -f`, or proceed with `--force ctl/wrong-cluster`")
            .exit(Exit::No),
    )
}

/// Refuses errors that were not overridden by name. Three cannot be: a CA whose key is public, a root's key in a cluster, and a key
/// in a file that every workload gets.
pub(crate) fn refuse(problems: &[Problem], options: &Options) -> Result<(), Failure> {
    const NEVER: [&str; 3] = ["istiod/key-exposed", "istiod/root-key", "istiod/sample-ca"];
    for problem in problems.iter().filter(|p| p.severity == Severity::Error) {
        let never = NEVER.contains(&problem.code);
        if options.force.iter().any(|code| code == problem.code) && !never {
            continue;
        }
        let failure = Failure::new(problem.code, problem.message.clone())
            .within(format!("cluster {}", problem.clusters.join(", ")))
            .because(problem.effect.clone())
            .exit(Exit::No);
        return Err(failure.hint(if never {
            "nothing was written; `--force` does not override this error".to_owned()
        } else {
            format!(
                "nothing was written; `meshctl check` shows the details, `--force {}` proceeds",
                problem.code
            )
        }));
    }
    Ok(())
}
