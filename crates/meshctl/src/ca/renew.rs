//! `meshctl ca renew`: a new key and intermediate under the same root; the old set is kept aside.

use std::path::Path;

use meshpki::profile::Role;
use meshpki::{CaCerts, Cert, KeyType, Profile, Signer, Time, oid};

use super::init::generate;
use super::issuer::Authority;
use super::tree::{Cluster, RootKey, State, Tree, layout_of, read_set};
use super::{check_cluster_name, intermediate, open_workspace, warn_exposed, warn_unproven};
use crate::args::Renew;
use crate::files::{self, Workspace};
use crate::report::Failure;
use crate::{Exit, Io, show};

/// Runs the command.
pub(crate) fn run(args: &Renew, io: &mut Io<'_>) -> Result<Exit, Failure> {
    perform(args, false, io)
}

/// Renews within a job that says itself what comes next.
pub(crate) fn run_in_job(args: &Renew, io: &mut Io<'_>) -> Result<Exit, Failure> {
    perform(args, true, io)
}

fn perform(args: &Renew, goes_on: bool, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(args.at)?;
    args.cluster.iter().try_for_each(|name| check_cluster_name(name))?;
    if !args.dir.is_dir() {
        return Err(Failure::new(
            "ctl/no-root",
            format!("there is no folder `{}`", args.dir.display()),
        )
        .hint(format!("`meshctl ca init {} --cluster NAME` makes one", show::word(&args.dir))));
    }
    let mut workspace = open_workspace(&args.dir, args.wait, io)?;
    warn_exposed(&args.dir, io);
    let mut tree = renew(args, now, &mut workspace, io)?;
    workspace.finish()?;
    tree.goes_on = goes_on;
    tree.report(args.output, now, io)
}

fn renew(
    args: &Renew,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Tree, Failure> {
    let root = super::issuer::root_cert(&args.dir, io)?;
    let mut names = args.cluster.clone();
    names.sort();
    names.dedup();
    let mut olds = Vec::new();
    for name in names {
        olds.push((old_set(&args.dir, &name, now)?, name));
    }
    let root = root.unwrap_or_else(|| olds[0].0.roots()[0].clone());
    let mut tree = Tree::new(&args.dir, root, State::Unchanged, RootKey::UNTOUCHED);
    let mut authority = None;
    let mut staged = Vec::new();
    for (old, name) in &olds {
        if !is_due(old.ca(), args.within, now) {
            tree.clusters.push(cluster(name, State::Unchanged, old));
            continue;
        }
        if authority.is_none() {
            let from_dir = Authority::from_dir(&args.dir, &args.passphrase, io);
            authority = Some(from_dir.map_err(|failure| without_key(failure, &args.dir, name))?);
        }
        if let Some(authority) = &authority {
            let new = stage_one(args, name, old, authority, now, workspace, io)?;
            tree.clusters.push(cluster(name, State::Renewed, &new));
            staged.push((name, old));
        }
    }
    workspace.sync()?;
    for (name, old) in staged {
        let serial: String = old.ca().serial_hex().chars().filter(|c| *c != ':').take(8).collect();
        let label = format!("{name}-{serial}");
        let place = workspace.exchange(name, &label)?;
        // A standard error that is gone cannot be told anything.
        let _ = writeln!(io.err, "the old set of {name} is in {}", show::word(&place));
    }
    Ok(tree)
}

/// Where the root's key is kept elsewhere, a cluster is made anew rather than renewed.
fn without_key(failure: Failure, dir: &Path, name: &str) -> Failure {
    if failure.code() != "ctl/no-root-key" {
        return failure;
    }
    let folder = show::word(&dir.join(name));
    failure.hint(format!(
        "bring the key back for this, or move {folder} away, make it anew with \
         `meshctl ca csr {} --cluster {name}`, and have it signed where the key is",
        show::word(dir)
    ))
}

/// The cluster's set; an expired one is read as of its last second, since that is when renewing matters most.
fn old_set(dir: &Path, name: &str, now: Time) -> Result<CaCerts, Failure> {
    let folder = dir.join(name);
    if !folder.exists() {
        return Err(Failure::new("ctl/no-cluster", format!("there is no cluster `{name}`"))
            .in_file(&folder)
            .hint(format!("`meshctl ca init {} --cluster {name}` makes it", show::word(dir))));
    }
    let ca = super::read_certs(
        &folder.join(layout_of(&folder).ca_file()),
        &mut Io {
            now,
            stdin: &mut std::io::empty(),
            out: &mut std::io::sink(),
            err: &mut std::io::sink(),
            can_ask: false,
            progress: false,
            env: &|_| None,
        },
    )?;
    let last = ca[0].not_after().time().map_or(now, |end| end.plus(-1));
    read_set(&folder, now.min(last))
}

fn is_due(ca: &Cert, within: Option<i64>, now: Time) -> bool {
    match (within, ca.not_after().time()) {
        (Some(within), Some(end)) => end <= now.plus(within),
        _ => true,
    }
}

fn cluster(name: &str, state: State, set: &CaCerts) -> Cluster {
    Cluster { name: name.to_owned(), state, ca: set.ca().clone(), chain: set.chain().to_vec() }
}

fn stage_one(
    args: &Renew,
    name: &str,
    old: &CaCerts,
    authority: &Authority,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<CaCerts, Failure> {
    let within = |failure: Failure| failure.within(format!("cluster {name}"));
    if !meshpki::chain::issued(&authority.cert, old.ca()) {
        return Err(within(
            Failure::new(
                "ctl/no-root-key",
                "the root in this folder did not issue the cluster's CA",
            )
            .because(format!(
                "`{}` was issued by `{}`, the root here is `{}`",
                old.ca().subject().label(),
                old.ca().issuer().label(),
                authority.cert.subject().label()
            ))
            .hint("a change of root is no renewal: every cluster must trust the new root first"),
        ));
    }
    let kind = args
        .key_type
        .or_else(|| KeyType::of(old.ca().public_key().algorithm()))
        .unwrap_or_default();
    warn_unproven(kind, &format!("`{name}`"), io);
    let key = generate(kind, 1, io)?.remove(0);
    let profile = same_profile(old.ca(), args.validity);
    let ca =
        intermediate::make(profile, key.public_key(), authority, now, args.validity.is_some(), io)
            .map_err(within)?;
    let set = CaCerts::new(ca, key, Vec::new(), old.roots().to_vec(), now)
        .map_err(|error| within(error.into()))?;
    let folder = args.dir.join(name);
    let layout = layout_of(&folder);
    for (file, content) in set.files(layout) {
        let path = Path::new(name).join(file);
        // Byte-identical, or istiod takes it for a new root and drops the whole update.
        let kept = if file == layout.roots_file() {
            files::read_optional(&folder.join(file))?
        } else {
            None
        };
        workspace.stage(&path, kept.as_ref().unwrap_or(&content), file == layout.key_file())?;
    }
    Ok(set)
}

/// What the old certificate said, for as long as it was valid.
fn same_profile(old: &Cert, validity: Option<i64>) -> Profile {
    let extensions = old.extensions();
    let mut profile = Profile::cluster(old.subject().clone());
    let path_len =
        extensions.basic_constraints.and_then(|c| c.path_len).and_then(|n| u32::try_from(n).ok());
    profile.role = Role::Ca { path_len };
    if let Some(usage) = extensions.key_usage {
        profile.key_usage = usage;
    }
    profile.ext_key_usage = extensions.ext_key_usage.clone().unwrap_or_default();
    profile.subject_alt_names = extensions.subject_alt_name.clone().unwrap_or_default();
    // What we make ourselves, or what says something about the old key, is not copied.
    let ours = [
        oid::BASIC_CONSTRAINTS,
        oid::KEY_USAGE,
        oid::EXT_KEY_USAGE,
        oid::SUBJECT_KEY_ID,
        oid::AUTHORITY_KEY_ID,
        oid::SUBJECT_ALT_NAME,
    ];
    profile.extra_extensions = old
        .raw_extensions()
        .iter()
        .filter(|e| !ours.contains(&e.oid.as_slice()))
        .cloned()
        .collect();
    let old_length =
        old.not_before().time().zip(old.not_after().time()).map(|(from, until)| until.0 - from.0);
    profile.valid_seconds = validity.or(old_length).unwrap_or(Profile::CLUSTER_SECONDS);
    profile
}
