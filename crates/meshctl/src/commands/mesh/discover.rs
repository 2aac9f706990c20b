//! `meshctl mesh discover`: adds what clusters have to the spec.

use std::path::{Path, PathBuf};

use meshapply::Error;
use meshapply::next::Stop;
use meshconfig::discover::{Merged, Observed, ObservedCluster, Select, merge, observe};
use meshconfig::{Mesh, Spec};

use crate::args::mesh::Discover;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::fleet::clusters::{Named, Target, chosen, place, runtime};
use crate::fleet::mesh::{ask_all, targets};
use crate::fleet::place as identity;
use crate::io::Io;
use crate::spec;
use crate::text::{safe, unified};

/// Runs the command.
pub(super) fn run(args: &Discover, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let path = args.file.clone().unwrap_or_else(|| PathBuf::from("mesh.yaml"));
    let before = match args.file.as_deref().filter(|file| file.exists() || *file == Path::new("-"))
    {
        Some(file) => Some(spec::text(file, io)?),
        None => None,
    };
    let text = before.as_deref();
    let fail = |error| spec::failure(error, &path, text.unwrap_or_default());
    let spec = text.map(Spec::read).transpose().map_err(fail)?;
    let observed = runtime()?.block_on(seen(args, spec.as_ref(), io))?;
    let merged = merge(text, &observed).map_err(fail)?;
    let is_file = args.file.as_deref().is_some_and(|file| file != Path::new("-"));
    if is_file {
        write(args, &path, text, &merged, io)?;
    } else {
        io.print(&merged.text)?;
    }
    report(&merged, &path, io);
    Ok(Exit::Good)
}

/// Shows what is new, and writes it after a confirmation.
fn write(
    args: &Discover,
    path: &Path,
    before: Option<&str>,
    merged: &Merged,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let was = before.unwrap_or_default();
    let diff: String = unified(was, &merged.text).lines().map(|line| safe(line) + "\n").collect();
    io.print(&diff)?;
    if args.dry_run || merged.text == was {
        return Ok(());
    }
    let file = path.display();
    io.confirm(
        args.yes,
        &format!("Write {file}?"),
        "nothing was written; `--dry-run` shows what would be written, `--yes` writes it",
    )?;
    let kind = files::Kind::AsRead(before.map(str::as_bytes));
    files::write_public(path, merged.text.as_bytes(), kind)?;
    io.note(format_args!("wrote {file}"));
    Ok(())
}

/// What the clusters have.
async fn seen(args: &Discover, spec: Option<&Spec>, io: &mut Io<'_>) -> Result<Observed, Failure> {
    let known = spec.into_iter().flat_map(|spec| &spec.clusters).map(|cluster| Named {
        istio_namespace: cluster.istio_namespace.clone(),
        ..Named::typed(&cluster.name, cluster.context.as_ref().unwrap_or(&cluster.name))
    });
    let ask = args.contexts.resolved(&args.force);
    let new = |name: &str, context: &str| Ok(Named::typed(name, context));
    let named = chosen(&ask.contexts, known.collect(), new)?;
    let targets = targets(&ask, named, io).await?;
    identity::refuse_twins(&targets, &[]).await?;
    let in_spec = spec.into_iter().flat_map(|spec| &spec.clusters).map(|one| one.name.as_str());
    let names: Vec<&str> = in_spec.chain(targets.iter().map(|one| one.name.as_str())).collect();
    identity::refuse_strangers(&targets, &names, &[]).await?;
    let answers = ask_all(&targets, |target| async move {
        tokio::try_join!(target.kube.inventory(), target.kube.mesh_config())
    });
    let select = select(args);
    let mut clusters = Vec::new();
    for (target, (resources, config)) in targets.iter().zip(answers.await?) {
        let mut cluster = observe(&target.name, &resources, &select);
        // The mesh's configuration overrides istiod's environment.
        cluster.trust_domain = config.trust_domain.or(cluster.trust_domain);
        clusters.push(named_as(target, cluster)?);
    }
    Ok(Observed { clusters })
}

fn named_as(target: &Target, mut cluster: ObservedCluster) -> Result<ObservedCluster, Failure> {
    if cluster.istio_version.is_empty() {
        return Err(Failure::from(Error::Stopped(Stop::NoIstiod))
            .within(place(target))
            .hint("install Istio there, or leave the cluster out"));
    }
    cluster.context = (target.context != target.name).then(|| target.context.clone());
    Ok(cluster)
}

fn select(args: &Discover) -> Select {
    let mark = args.mark.as_deref().map(|text| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    });
    Select { mark, namespaces: args.namespace.clone() }
}

/// Reports what was found, where the file differs, and what the spec still lacks.
fn report(merged: &Merged, path: &Path, io: &mut Io<'_>) {
    let mut lines: Vec<String> =
        merged.inserted.iter().map(|what| format!("new: {what}")).collect();
    if lines.is_empty() {
        lines.push("nothing new".to_owned());
    }
    lines.extend(merged.differs.iter().map(|one| {
        format!(
            "unchanged: {}: the file has `{}`, but the cluster has `{}`",
            one.path, one.file, one.cluster
        )
    }));
    for line in lines {
        io.say(safe(&line));
    }
    let Ok(spec) = Spec::read(&merged.text) else { return };
    for error in Mesh::new(&spec).err().into_iter().flatten() {
        io.warn(&spec::failure(error, path, &merged.text));
    }
}
