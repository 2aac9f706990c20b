//! `meshctl mesh remote-secret ...`: the secrets with which istiod of one cluster reads the endpoints of another.

mod carry_out;
mod check;
mod document;
mod plan;

use std::collections::BTreeMap;
use std::time::Duration;

use meshapply::remote::Entrance;

use crate::args::DryRun;
use crate::args::mesh::{CreateRemoteSecrets, RemoteSecret, RotateRemoteSecrets, Writing};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Selection, Target, runtime};
use crate::fleet::remote::{self, Read, rbac};
use crate::io::Io;

use plan::Plan;

/// Runs the command.
pub(super) fn run(args: &RemoteSecret, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match args {
        RemoteSecret::Create(args) => create(args, io),
        RemoteSecret::Rotate(args) => rotate(args, io),
        RemoteSecret::Check(args) => check::run(args, io),
    }
}

/// What is asked for.
struct Job<'a> {
    selection: Selection,
    writing: &'a Writing,
    /// Only tokens are replaced.
    rotate: bool,
    /// Tokens that end within this time are replaced, in seconds.
    within: Option<i64>,
    /// Cluster -> address.
    servers: BTreeMap<String, String>,
}

impl Job<'_> {
    /// Whether an error is overridden.
    fn forces(&self, code: &str) -> bool {
        self.writing.force.iter().any(|forced| forced == code)
    }
}

fn create(args: &CreateRemoteSecrets, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let writing = &args.writing;
    let servers = args.servers.iter().map(|text| server(text)).collect::<Result<_, _>>()?;
    let selection = args.members.resolved(&writing.force);
    write(&Job { selection, writing, rotate: false, within: None, servers }, io)
}

fn rotate(args: &RotateRemoteSecrets, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let (writing, within) = (&args.writing, args.within.map(seconds));
    let selection = args.members.resolved(&writing.force);
    write(&Job { selection, writing, rotate: true, within, servers: BTreeMap::new() }, io)
}

/// Whole seconds, as far as they can be counted.
fn seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

/// `CLUSTER=URL`.
fn server(text: &str) -> Result<(String, String), Failure> {
    let wrong = |why: &str| Failure::usage(format!("invalid `--server`: {why}"));
    let (cluster, url) = text
        .split_once('=')
        .ok_or_else(|| wrong("expected CLUSTER=URL, such as west=https://api.west.example:6443"))?;
    let url =
        Entrance::url(url).map_err(|why| wrong(&format!("the address of {cluster} is {why}")))?;
    Ok((cluster.to_owned(), url))
}

/// Plans, asks, writes and verifies.
fn write(job: &Job<'_>, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let writing = job.writing;
    if writing.print_rbac {
        let rights = rbac::Request {
            selection: &job.selection,
            user: writing.rbac_user.as_deref(),
            account: &writing.service_account,
            creates: !job.rotate,
        };
        let text = rbac::manifests(&rights, io)?;
        io.print(&text)?;
        return Ok(Exit::Good);
    }
    runtime()?.block_on(async {
        let targets = remote::members(&job.selection, io).await?;
        refuse_unknown(job, &targets)?;
        let seen = remote::look(&targets, Read::ByName).await?;
        let plan = Plan::new(job, &targets, &seen, io.time(None)?);
        io.print(&plan.text())?;
        plan.refuse(io)?;
        if writing.dry_run == Some(DryRun::Client) {
            return Ok(Exit::Good);
        }
        if writing.dry_run == Some(DryRun::Server) {
            carry_out::rehearse(&plan).await?;
            let count = plan.writes.len();
            io.note(format!("every API server accepts the plan; writes: {count}"));
            return Ok(Exit::Good);
        }
        if plan.writes.is_empty() {
            io.note("nothing to do");
            return Ok(Exit::Good);
        }
        io.confirm(
            writing.yes,
            "Write to these clusters?",
            "nothing was written; `--dry-run server` shows the plan and has the API servers validate it, `--yes` carries it out",
        )?;
        carry_out::run(&plan, io).await
    })
}

/// `--server` of a cluster that is not part of the command.
fn refuse_unknown(job: &Job<'_>, targets: &[Target]) -> Result<(), Failure> {
    let is_known = |name: &&String| targets.iter().any(|target| target.name == **name);
    match job.servers.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            let message =
                format!("`--server {name}=...` names a cluster that is not part of this command");
            Err(Failure::usage(message).because(format!("the clusters are {}", names.join(", "))))
        }
    }
}
