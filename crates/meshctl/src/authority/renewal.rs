//! Renewing intermediates: a new key and certificate under the same root; the old set is kept aside.

use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use meshpki::chain::{is_bridge, issued};
use meshpki::{CaCerts, Cert, Csr, KeyType, Oid, Profile, Role, Signer, SoftKey, Time};

use super::crls::Crls;
use super::issuer::Authority;
use super::keys::{BY_OPTION, generate, warn_unproven};
use super::signer::KeySource;
use super::summary::{Cluster, RootKey, State, Summary, layout_of, read_set};
use super::{check_cluster_name, intermediate, open_workspace, refuse_missing, warn_exposed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Wait, Workspace};
use crate::io::Io;
use crate::text;

/// Which clusters get a new intermediate, and what it says.
pub(crate) struct Renewal<'a> {
    /// The CA's folder.
    pub(crate) dir: &'a Path,
    /// Clusters, in any order.
    pub(crate) clusters: Vec<String>,
    /// Only those whose CA ends within this time; `None`: all of them.
    pub(crate) within: Option<Duration>,
    /// The new key's type; `None`: the old one's.
    pub(crate) key_type: Option<KeyType>,
    /// How long the new one is valid; `None`: as long as the old one was.
    pub(crate) validity: Option<Duration>,
    /// The root key.
    pub(crate) key: &'a KeySource,
    /// Patience with another run in the folder.
    pub(crate) wait: Wait,
}

/// What became of the clusters.
pub(crate) struct Renewed {
    pub(crate) summary: Summary,
    /// `ctl/csr-waits`, with the clusters whose CA others must sign.
    pub(crate) waits: Option<Failure>,
    /// Why the CRLs of the new CAs could not be made.
    pub(crate) lacks_crls: Option<Failure>,
}

impl Renewal<'_> {
    /// Renews, and reports what became of each cluster. One whose CA was issued elsewhere gets a CSR.
    ///
    /// # Errors
    /// `ctl/no-root`, `ctl/no-cluster`, `ctl/no-root-key`, `ctl/busy`, `ctl/io`, `pki/...`, with nothing written;
    /// `ctl/csr-waits`, and a failure to make CRLs of what was renewed, are in the result.
    pub(crate) fn run(&self, now: Time, io: &mut Io<'_>) -> Result<Renewed, Failure> {
        self.clusters.iter().try_for_each(|name| check_cluster_name(name))?;
        refuse_missing(self.dir)?;
        let mut workspace = open_workspace(self.dir, self.wait, io)?;
        warn_exposed(self.dir, io);
        let (mut renewed, authority) = renew(self, now, &mut workspace, io)?;
        workspace.finish()?;
        if authority.is_some() {
            let crls = Crls::again(self.dir, self.key, self.wait);
            match crls.for_new_cas(now, authority, io) {
                Ok(clusters) => renewed.summary.crls_first = clusters,
                Err(failure) => renewed.lacks_crls = Some(failure),
            }
        }
        Ok(renewed)
    }

    /// Whether this CA cannot be issued again here: the root that did, or its key, is elsewhere.
    fn is_issued_elsewhere(&self, root: Option<&Cert>, ca: &Cert) -> bool {
        !self.key.can_sign(self.dir) || !root.is_some_and(|root| issued(root, ca))
    }

    /// A new key, of the old one's type unless another is asked for.
    fn new_key(&self, name: &str, old: &Cert, io: &mut Io<'_>) -> Result<SoftKey, Failure> {
        let of_old = || KeyType::of(old.public_key().algorithm());
        let kind = self.key_type.or_else(of_old).unwrap_or_default();
        warn_unproven(kind, &format!("`{name}`"), BY_OPTION, io);
        Ok(generate(kind, 1, io)?.remove(0))
    }
}

fn renew(
    renewal: &Renewal<'_>,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<(Renewed, Option<Authority>), Failure> {
    let own = super::issuer::root_cert(renewal.dir, io)?;
    let mut names = renewal.clusters.clone();
    names.sort();
    names.dedup();
    let mut olds = Vec::new();
    for name in names {
        olds.push((old_set(renewal.dir, &name, now)?, name));
    }
    let root = own.clone().unwrap_or_else(|| olds[0].0.roots()[0].clone());
    let (elsewhere, ours): (Vec<&(CaCerts, String)>, Vec<_>) = olds
        .iter()
        .filter(|(old, _)| is_due(old.ca(), renewal.within, now))
        .partition(|(old, _)| renewal.is_issued_elsewhere(own.as_ref(), old.ca()));
    let requests = stage_requests(renewal, &elsewhere, workspace, io)?;
    let mut summary = Summary::new(renewal.dir, root, State::Unchanged, RootKey::UNTOUCHED);
    let mut authority = None;
    let (mut staged, mut waiting) = (Vec::new(), Vec::new());
    for (old, name) in &olds {
        if !ours.iter().any(|(_, of)| of == name) {
            summary.clusters.push(Cluster::new(name, State::Unchanged, old));
            continue;
        }
        if authority.is_none() {
            authority = Some(Authority::from_dir(renewal.dir, renewal.key, io)?);
        }
        if let Some(authority) = &authority {
            summary.signed_by(authority);
            let new = stage_one(renewal, name, old, authority, now, workspace, io)?;
            if stage_pending(renewal.dir, name, workspace)? {
                waiting.push(name);
            }
            summary.clusters.push(Cluster::new(name, State::Renewed, &new));
            staged.push((name, old));
        }
    }
    workspace.sync()?;
    requests.iter().try_for_each(|folder| workspace.place(folder))?;
    for (name, old) in staged {
        let place = exchange(name, old, workspace)?;
        io.note(format_args!("the old files of {name} are in {}", text::word(&place)));
    }
    for name in waiting {
        io.note(format_args!(
            "the CSR in {} still waits: `meshctl ca adopt {} --cluster {name} CERTIFICATE` takes its certificate",
            text::word(&renewal.dir.join(name).join(PENDING)),
            text::word(renewal.dir)
        ));
    }
    let waits = (!elsewhere.is_empty()).then(|| waits(renewal.dir, own.as_ref(), &elsewhere));
    Ok((Renewed { summary, waits, lacks_crls: None }, authority))
}

/// The folder in a cluster's folder for what its renewal waits for.
pub(crate) const PENDING: &str = "renewal";
/// The key of the CA to come.
pub(crate) const PENDING_KEY: &str = "key.pem";
/// Its CSR.
pub(crate) const PENDING_CSR: &str = "ca.csr";
/// All that is in it.
const PENDING_FILES: [&str; 2] = [PENDING_KEY, PENDING_CSR];

/// Stages the keys and CSRs that are missing; their folders.
fn stage_requests(
    renewal: &Renewal<'_>,
    olds: &[&(CaCerts, String)],
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Vec<PathBuf>, Failure> {
    let mut new = Vec::new();
    for (old, name) in olds {
        let folder = Path::new(name).join(PENDING);
        if renewal.dir.join(&folder).join(PENDING_CSR).exists() {
            continue;
        }
        let key = renewal.new_key(name, old.ca(), io)?;
        let Profile { role, subject_alt_names, .. } = same_profile(old.ca(), None);
        let csr = Csr::create(old.ca().subject(), &subject_alt_names, role, &key)?;
        workspace.stage(&folder.join(PENDING_KEY), key.to_pem().as_bytes(), true)?;
        workspace.stage(&folder.join(PENDING_CSR), csr.to_pem().as_bytes(), false)?;
        new.push(folder);
    }
    Ok(new)
}

/// Where the CSRs go, and what comes then.
fn waits(dir: &Path, own: Option<&Cert>, olds: &[&(CaCerts, String)]) -> Failure {
    let message = match olds {
        [(_, name)] => format!("`{name}` is renewed when its CSR has been signed"),
        many => format!("{} clusters are renewed when their CSRs have been signed", many.len()),
    };
    let mut failure = Failure::new("ctl/csr-waits", message).exit(Exit::No);
    for (old, name) in olds {
        failure =
            failure.in_file(&dir.join(name).join(PENDING).join(PENDING_CSR)).because(format!(
                "`{}` was issued by `{}`, whose key is not in this folder",
                old.ca().subject().label(),
                old.ca().issuer().label()
            ));
        let other = own.filter(|root| !issued(root, old.ca()));
        if let Some(root) = other {
            let label = root.subject().label();
            failure = failure.because(format!(
                "the root in this folder is `{label}`; changing the root is not a renewal"
            ));
        }
    }
    let adopt = |(_, name): &&(CaCerts, String)| {
        format!("`meshctl ca adopt {} --cluster {name} CERTIFICATE`", text::word(dir))
    };
    let adopt: Vec<String> = olds.iter().map(adopt).collect();
    let each = if olds.len() == 1 { "the" } else { "each" };
    let is_ours = |(old, _): &&(CaCerts, String)| own.is_some_and(|root| issued(root, old.ca()));
    let holder = match olds.iter().all(is_ours) {
        true => "if a program or a token has that key, name it with `--root-signer`; otherwise, ",
        false => "",
    };
    failure.hint(format!(
        "{holder}send {each} CSR to whoever has that key, where `meshctl ca sign` or their own tool signs it; then {}",
        adopt.join(" and ")
    ))
}

/// The cluster's set; an expired one is read as of its last second, since that is when renewing matters most.
pub(crate) fn old_set(dir: &Path, name: &str, now: Time) -> Result<CaCerts, Failure> {
    let folder = dir.join(name);
    if !folder.exists() {
        return Err(Failure::new("ctl/no-cluster", format!("no cluster `{name}`"))
            .in_file(&folder)
            .hint(format!("`meshctl ca init {} --cluster {name}` creates it", text::word(dir))));
    }
    set_in(&folder, now)
}

/// The set in a folder; an expired one is read as of its last second.
///
/// # Errors
/// `ctl/io`, `pki/...`.
pub(crate) fn set_in(folder: &Path, now: Time) -> Result<CaCerts, Failure> {
    let ca = super::certs_of_file(&folder.join(layout_of(folder).ca_file()))?;
    let last = ca[0].not_after().time().map_or(now, |end| end.minus(Duration::from_secs(1)));
    read_set(folder, now.min(last))
}

fn is_due(ca: &Cert, within: Option<Duration>, now: Time) -> bool {
    match (within, ca.not_after().time()) {
        (Some(within), Some(end)) => end <= now + within,
        _ => true,
    }
}

fn stage_one(
    renewal: &Renewal<'_>,
    name: &str,
    old: &CaCerts,
    authority: &Authority,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<CaCerts, Failure> {
    let within = |failure: Failure| failure.within(format!("cluster {name}"));
    let key = renewal.new_key(name, old.ca(), io)?;
    let profile = same_profile(old.ca(), renewal.validity);
    let ca = intermediate::make(
        profile,
        key.public_key(),
        authority,
        now,
        renewal.validity.is_some(),
        io,
    )
    .map_err(within)?;
    let above = bridges(old, &authority.cert, now);
    let set = CaCerts::new(ca, key, above, old.roots().to_vec(), now)
        .map_err(|error| within(error.into()))?;
    stage_successor(renewal.dir, name, &set, workspace)?;
    Ok(set)
}

/// Stages the files of a set that takes the place of the present one. Its roots stay byte-identical, or istiod takes
/// them for new ones and drops the whole update.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn stage_successor(
    dir: &Path,
    name: &str,
    set: &CaCerts,
    workspace: &mut Workspace,
) -> Result<(), Failure> {
    let folder = dir.join(name);
    let layout = layout_of(&folder);
    for (file, content) in set.files(layout) {
        let is_roots = file == layout.roots_file();
        let kept = if is_roots { files::read_optional(&folder.join(file))? } else { None };
        let content = kept.as_ref().unwrap_or(&content);
        workspace.stage(&Path::new(name).join(file), content, file == layout.key_file())?;
    }
    Ok(())
}

/// Stages a cluster's CSR and its key, if there are any, with the set that takes the place of the present one: their
/// certificate may still come. Whether there are any.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn stage_pending(
    dir: &Path,
    name: &str,
    workspace: &mut Workspace,
) -> Result<bool, Failure> {
    let mut found = false;
    for file in PENDING_FILES {
        let file = Path::new(name).join(PENDING).join(file);
        if let Some(content) = files::read_optional(&dir.join(&file))? {
            workspace.stage(&file, &content, file.ends_with(PENDING_KEY))?;
            found = true;
        }
    }
    Ok(found)
}

/// Puts the staged set in the old one's place; where the old one is now. A CSR and its key are not part of the old one:
/// the new one has the key as its own, or waits for the certificate.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn exchange(
    name: &str,
    old: &CaCerts,
    workspace: &mut Workspace,
) -> Result<PathBuf, Failure> {
    let serial: String = old.ca().serial_hex().chars().filter(|c| *c != ':').take(8).collect();
    let place = workspace.exchange(name, &format!("{name}-{serial}"))?;
    for file in PENDING_FILES {
        files::remove(&place, &Path::new(PENDING).join(file))?;
    }
    Ok(place)
}

/// The root's certificate from another mesh that the old set sends, until it expires.
fn bridges(old: &CaCerts, root: &Cert, now: Time) -> Vec<Cert> {
    let is_valid = |cert: &&Cert| cert.not_after().time().is_some_and(|end| end > now);
    let bridges = old.chain().iter().filter(|cert| is_bridge(cert, slice::from_ref(root)));
    bridges.filter(is_valid).cloned().collect()
}

/// The profile of the old certificate, with the same validity.
fn same_profile(old: &Cert, validity: Option<Duration>) -> Profile {
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
    // Extensions that are created again, or that describe the old key, are not copied.
    let ours = [
        Oid::BASIC_CONSTRAINTS,
        Oid::KEY_USAGE,
        Oid::EXT_KEY_USAGE,
        Oid::SUBJECT_KEY_ID,
        Oid::AUTHORITY_KEY_ID,
        Oid::SUBJECT_ALT_NAME,
    ];
    profile.extra_extensions =
        old.raw_extensions().iter().filter(|e| !ours.contains(&e.oid)).cloned().collect();
    let old_length =
        old.not_before().time().zip(old.not_after().time()).map(|(from, until)| until.since(from));
    profile.validity = validity.or(old_length).unwrap_or(Profile::CLUSTER_VALIDITY);
    profile
}
