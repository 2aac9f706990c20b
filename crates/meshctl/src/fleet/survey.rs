//! Contexts of which nothing is known yet: each is asked on its own, with a limit to its time, and whatever goes wrong with
//! one is part of what was found.

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use meshapply::kube::{Context, Identity, Kubeconfig, Right, Surroundings};
use meshpki::Time;

use super::clusters::{Named, Selection, Target, chosen, guard_of, place};
use super::observe::{Found, find_one, unreachable};
use super::rbac;
use crate::failure::Failure;
use crate::hints::get_contexts;
use crate::io::{Io, system_time};

/// How contexts are asked.
pub(crate) struct Limits {
    /// How many at the same time.
    pub(crate) parallel: usize,
    /// How long each may take altogether, its credential plugin included.
    pub(crate) patience: Duration,
}

/// A context, and what was found.
pub(crate) struct Surveyed {
    /// The cluster as it was named, or as the context is called.
    pub(crate) name: String,
    pub(crate) context: String,
    /// The server's address, if the context could be read.
    pub(crate) server: Option<String>,
    /// What was found; an error if its server gave no answer.
    pub(crate) found: Result<Survey, Failure>,
}

/// What an API server that answers says.
pub(crate) struct Survey {
    pub(crate) target: Target,
    /// What distinguishes the cluster from others, if that may be read.
    pub(crate) identity: Option<Identity>,
    /// The time by its API server.
    pub(crate) clock: Option<Time>,
    /// By how many seconds that was ahead of this machine's when it came.
    pub(crate) ahead: Option<i64>,
    /// The rights that `status` needs and the user does not have.
    pub(crate) unreadable: Vec<Right>,
    /// The rights that a push needs besides and the user does not have.
    pub(crate) unwritable: Vec<Right>,
    /// What is there; an error if it could not be read.
    pub(crate) state: Result<Found, Failure>,
}

/// Asks contexts: those of the selection, without any every one of the kubeconfig.
///
/// # Errors
/// `apply/kubeconfig`: there is no context to ask.
pub(crate) async fn survey(
    selection: &Selection,
    limits: &Limits,
    io: &mut Io<'_>,
) -> Result<Vec<Surveyed>, Failure> {
    let kubeconfig = selection.way.read(io)?;
    let around = Surroundings {
        env: io.env,
        hidden: &[],
        // Several plugins at the same time cannot ask on one terminal.
        can_ask: false,
        patience: limits.patience,
        watcher: io.watcher(),
    };
    let mut asked = Vec::new();
    for one in named(selection, &kubeconfig)? {
        let read = Context::read(&kubeconfig, &one.context, &around);
        let read = read.map_err(|error| Failure::of(&error, &one.context, &selection.way.typed));
        let read = read.and_then(|context| {
            guard_of(&one, &context, &selection.way.force, io)?;
            Ok(context)
        });
        asked.push((one, read));
    }
    if asked.is_empty() {
        let message = "the kubeconfig has no contexts";
        return Err(Failure::new("apply/kubeconfig", message).hint(format!(
            "`{}` lists the contexts; `--kubeconfig FILE` names another file; without a cluster, `meshctl ca init ca --cluster east --cluster west` creates a CA",
            get_contexts(&selection.way.typed)
        )));
    }
    let progress = io.progress(asked.len(), "contexts asked");
    let answers = iter(asked).map(|(one, read)| ask(one, read, selection, limits.patience));
    let mut answers = answers.buffered(limits.parallel.max(1));
    let mut found = Vec::new();
    while let Some(one) = answers.next().await {
        found.push(one);
        progress.step();
    }
    Ok(found)
}

/// The clusters that are named; without any, every context under its own name.
fn named(selection: &Selection, kubeconfig: &Kubeconfig) -> Result<Vec<Named>, Failure> {
    let mut known: Vec<Named> = Vec::new();
    for name in kubeconfig.contexts() {
        // The files of a list may name a context twice: the first counts.
        if !known.iter().any(|one| one.name == name) {
            known.push(Named::typed(name, name));
        }
    }
    let typed = |name: &str, context: &str| Ok(Named::typed(name, context));
    let mut named = chosen(&selection.contexts, known, typed)?;
    named.iter_mut().for_each(|one| selection.namespace().clone_into(&mut one.istio_namespace));
    Ok(named)
}

async fn ask(
    one: Named,
    read: Result<Context, Failure>,
    selection: &Selection,
    patience: Duration,
) -> Surveyed {
    let (name, label) = (one.name.clone(), one.context.clone());
    let context = match read {
        Ok(context) => context,
        Err(failure) => {
            return Surveyed { name, context: label, server: None, found: Err(failure) };
        }
    };
    let server = Some(context.server());
    let found = tokio::time::timeout(patience, connected(one, context, selection)).await;
    let found = found.unwrap_or_else(|_| {
        let what = format!("no complete answer within {} s", patience.as_secs());
        Err(Failure::new("apply/unreachable", what))
    });
    Surveyed { name, context: label, server, found }
}

async fn connected(one: Named, context: Context, selection: &Selection) -> Result<Survey, Failure> {
    let options = selection.options(&one);
    let target = Target::connect(one, context, options, &selection.way.typed).await?;
    let clock = target.kube.clock().await.map_err(|error| unreachable(&target, &error))?;
    let now = system_time();
    let ahead = clock.map(|clock| clock.0.saturating_sub(now.0));
    // What is there decides what is needed; without the right to list it, the usual names do.
    let istiods = target.kube.istiods().await.unwrap_or_default();
    let needed = rbac::needed(selection, &target.istio_namespace, &istiods);
    let lacking = async |rights: Vec<Right>| {
        let allowed = target.kube.allowed(&rights).await?;
        let pairs = rights.into_iter().zip(allowed);
        Ok(pairs.filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect())
    };
    let asked: Result<(Vec<Right>, Vec<Right>, _), meshapply::Error> =
        tokio::try_join!(lacking(needed.status), lacking(needed.push), async {
            Ok(target.kube.identity().await.ok())
        },);
    let (unreadable, unwritable, identity) = asked.map_err(|error| unreachable(&target, &error))?;
    let state = if unreadable.is_empty() {
        find_one(&target).await.map_err(|error| unreachable(&target, &error))
    } else {
        let rights: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
        let message = format!("the user may not {}", rights.join(", "));
        Err(Failure::new("apply/forbidden", message).within(place(&target)))
    };
    Ok(Survey { target, identity, clock, ahead, unreadable, unwritable, state })
}
