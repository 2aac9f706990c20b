//! `meshctl trust next`: the first push of the plan, from the folder to the cluster.

use std::collections::BTreeSet;
use std::path::Path;

use meshpki::cacerts::Secret;

use super::known::{Ask, asked};
use super::plan::{Situation, bridges, gaps, parent, text, with_spec};
use crate::args::Clusters;
use crate::args::trust::Next as Args;
use crate::authority::{open_workspace, warn_exposed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::Wait;
use crate::fleet::clusters::{runtime, targets};
use crate::fleet::folders;
use crate::io::Io;
use crate::rollout::{Job, Rotation, can_agree, look_apart, stale};

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let options = args.rollout.resolved();
    can_agree(&options, io)?;
    let at = io.time(None)?;
    args.dirs.iter().for_each(|dir| warn_exposed(dir, io));
    let clusters = with_spec(&args.clusters);
    let force = &args.rollout.force;
    let read = asked(&Ask { dirs: &args.dirs, clusters: &clusters, ambient: false, force }, io)?;
    if !read.failures.is_empty() {
        read.failures.iter().for_each(|failure| io.fail(failure));
        return Ok(Exit::Failed);
    }
    let situation = Situation::new(read, &bridges(&args.bridges, io)?, at)?;
    let Some(next) = Next::of(&situation) else {
        return nothing_to_push(&situation, options.json, io);
    };
    if !options.json {
        io.print(&next.said)?;
    }
    next.push(&situation, args, &clusters, io)
}

/// Says what is lacking that no push adds.
fn nothing_to_push(situation: &Situation, json: bool, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if situation.is_done() {
        if !json {
            io.print(text::DONE)?;
        }
        return Ok(Exit::Good);
    }
    let mut failure = Failure::new("ctl/trust-lacking", "no push adds what the trust models lack");
    for gap in gaps(situation) {
        failure = failure.because(text::lacking(situation, gap));
        if let Some(command) = text::command(situation, gap) {
            failure =
                failure.hint(format!("`{command}` creates the bridge; name it with `--bridge`"));
        }
    }
    let unread = situation.read.unread().into_iter();
    let unread = unread.map(|name| format!("{name} was not read"));
    Err(unread.fold(failure, Failure::because).exit(Exit::No))
}

/// A push to one cluster.
struct Next<'s> {
    cluster: usize,
    secret: &'s Secret,
    /// What it is.
    said: String,
}

impl<'s> Next<'s> {
    /// A folder that is not in its cluster yet, or else the first push of the plan.
    fn of(situation: &'s Situation) -> Option<Self> {
        if let Some(cluster) = situation.unpushed().next() {
            let known = &situation.read.clusters[cluster];
            let name = crate::text::safe(&known.name);
            let said =
                format!("push to {name}\n   the files of its folder, which it does not have yet\n");
            return Some(Self { cluster, secret: &known.secret, said });
        }
        let push = situation.plan.pushes.first()?;
        let said = text::step(situation, 0);
        Some(Self { cluster: push.cluster, secret: &push.secret, said })
    }

    /// Writes the files into the folder, after the checks and the confirmation, and pushes them.
    fn push(
        &self,
        situation: &Situation,
        args: &Args,
        clusters: &Clusters,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        let known = &situation.read.clusters[self.cluster];
        let folder = known.folder.as_deref();
        if folder.is_none() && !known.own_ca {
            return Err(Failure::new(
                "ctl/no-cluster",
                format!("cluster `{}` has no folder to change", known.name),
            )
            .hint("name the folder of its CA, too"));
        }
        // A CA that istiod made for itself has no folder, and its key is in the cluster already.
        let rotation =
            known.own_ca.then(|| Rotation { own_cas: BTreeSet::from([known.name.clone()]) });
        let options = args.rollout.resolved();
        let mut selection = clusters.for_rollout(&args.rollout)?;
        selection.contexts = vec![context(&args.clusters.contexts, &known.name)];
        let rest = situation.read.clusters.iter().filter(|other| other.name != known.name);
        let others = rest.map(|other| (other.name.clone(), other.secret.clone())).collect();
        runtime()?.block_on(async {
            let targets = targets(&selection, io).await?;
            let (seen, twins) = look_apart(&targets, &options.force).await?;
            let secrets = vec![self.secret.clone()];
            if let Some(folder) = folder {
                stale::refuse_older(&targets, &seen, &secrets, parent(folder), &options)?;
            }
            let job =
                Job { targets, seen, twins, others: Some(others), rotation, options: &options };
            let write = |io: &mut Io<'_>| match folder {
                Some(folder) => self.write(&known.secret, folder, args.wait.resolved(), io),
                None => Ok(()),
            };
            job.run_after(secrets, write, io).await
        })
    }

    /// The files that differ, each in one step.
    fn write(
        &self,
        before: &Secret,
        folder: &Path,
        wait: Wait,
        io: &mut Io<'_>,
    ) -> Result<(), Failure> {
        let full = folder.canonicalize().map_err(|error| Failure::io("read", folder, &error))?;
        let (dir, name) = (parent(&full), Path::new(full.file_name().unwrap_or_default()));
        let differs = |file: &&str| before.get(file) != self.secret.get(file);
        let files: Vec<&str> = self.secret.names().filter(differs).collect();
        if files.is_empty() {
            return Ok(());
        }
        let mut workspace = open_workspace(dir, wait, io)?;
        refuse_changed(before, &full)?;
        for file in &files {
            let content = self.secret.get(file).unwrap_or_default();
            workspace.stage(&name.join(file), content, Secret::is_key(file))?;
        }
        workspace.sync()?;
        for file in &files {
            workspace.replace(&name.join(file))?;
        }
        workspace.finish()
    }
}

/// How the command line names a cluster: with its context, or by its name.
fn context(contexts: &[String], name: &str) -> String {
    let is_its =
        |text: &&String| text.split_once('=').map_or(text.as_str(), |(name, _)| name) == name;
    contexts.iter().find(is_its).cloned().unwrap_or_else(|| name.to_owned())
}

/// Refuses a folder that another run has changed since it was read, such as one that renewed the CA.
fn refuse_changed(before: &Secret, folder: &Path) -> Result<(), Failure> {
    if folders::secret_in(folder)? == *before {
        return Ok(());
    }
    Err(Failure::new("ctl/busy", "the folder was changed while this run read the clusters")
        .in_file(folder)
        .hint("nothing was written; run the same command again"))
}
