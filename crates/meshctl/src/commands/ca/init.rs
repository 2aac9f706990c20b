//! `meshctl ca init`: a root and an intermediate per cluster; run again, it adds what is missing and changes nothing else.

use std::path::Path;

use meshpki::cacerts::Layout;
use meshpki::internals::digest;
use meshpki::x509::Attribute;
use meshpki::{
    CaCerts, Cert, KeyType, Name, Oid, Profile, PublicKey, Role, Serial, Signer, SoftKey, Stamp,
    Time, self_signed,
};
use zeroize::Zeroizing;

use crate::args::Init;
use crate::authority::crls::Crls;
use crate::authority::folder::check_issuers;
use crate::authority::issuer::{self, Authority, ROOT_CERT, ROOT_KEY};
use crate::authority::keys::{BY_ITS_HOLDER, BY_OPTION, generate, warn_unproven};
use crate::authority::signer::{Holder, KeySource};
use crate::authority::summary::{Cluster, RootKey, State, Summary, layout_of, read_set};
use crate::authority::{
    cfssl, check_case, check_cluster_name, intermediate, neighbours, open_workspace, passphrase,
    warn_exposed,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Workspace};
use crate::io::{Io, check_begin};
use crate::{spec, text};

/// Runs the command.
pub(super) fn run(args: &Init, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let order = Order::new(args, io)?;
    intermediate::check_trust_domains(&order.options.trust_domains, &order.clusters)?;
    let mut workspace = open_workspace(&args.dir, args.wait.resolved(), io)?;
    warn_exposed(&args.dir, io);
    check_case(&args.dir, &order.clusters)?;
    let (mut summary, authority) = init(&order, &mut workspace, io)?;
    workspace.finish()?;
    summary.picked = !args.cluster.is_empty();
    let crls = Crls::again(&args.dir, &order.key, args.wait.resolved());
    summary.finish(&crls, authority, args.output.is_json(), order.now, io)
}

/// What was ordered: by the command line, and by the spec.
struct Order<'a> {
    args: &'a Init,
    /// Sorted, each once.
    clusters: Vec<String>,
    options: intermediate::Options,
    key: KeySource,
    now: Time,
}

impl<'a> Order<'a> {
    fn new(args: &'a Init, io: &mut Io<'_>) -> Result<Self, Failure> {
        let mut typed = args.cluster.clone();
        let mut options = args.cluster_options.resolved();
        if let Some(file) = &args.file {
            let mesh = spec::mesh_of(file, None, io)?;
            if typed.is_empty() {
                typed = mesh.clusters().iter().map(|cluster| cluster.name.clone()).collect();
            }
            for name in &typed {
                let domain = &spec::cluster(&mesh, name)?.trust_domain;
                options.trust_domains.push(format!("{name}={domain}"));
            }
        }
        let now = io.time(args.at)?;
        let clusters = clusters(&typed)?;
        let key = args.signer.resolved(&args.passphrase);
        Ok(Self { args, clusters, options, key, now })
    }
}

/// Sorted, each once, each a name that can be a folder.
fn clusters(typed: &[String]) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = typed.to_vec();
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| check_cluster_name(name))?;
    Ok(names)
}

/// Makes what is missing; the root with its key, if it signed.
fn init(
    order: &Order<'_>,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<(Summary, Option<Authority>), Failure> {
    let args = order.args;
    let mut existing = Vec::new();
    let mut missing = Vec::new();
    for name in &order.clusters {
        match existing_cluster(&args.dir, name, order.now)? {
            Some(cluster) => existing.push(cluster),
            None => missing.push(name.as_str()),
        }
    }
    let found = issuer::root_cert(&args.dir, io)?;
    if found.is_some() || !args.dir.join(ROOT_KEY).exists() {
        check_issuers(&args.dir, found.as_ref(), args.new_root, io)?;
    }
    // Typing errors are reported before a passphrase is asked for.
    for name in &missing {
        intermediate::profile(name, &order.options, &Name::empty())
            .map_err(|failure| failure.within(format!("cluster {name}")))?;
    }
    existing.iter().try_for_each(|cluster| warn_other_domain(order, cluster, io))?;
    neighbours::warn_of_confusable(&args.dir, &missing, io);
    let cluster_key = args.cluster_key_type.unwrap_or(args.key_type);
    if !missing.is_empty() {
        warn_unproven(cluster_key, "every new intermediate", BY_OPTION, io);
        if order.options.constrain {
            intermediate::warn_constrained(
                "the intermediates are limited to their trust domains",
                io,
            );
        }
    }
    let (root, state, key, mut authority) = root(order, found, workspace, io)?;
    if authority.is_none() && !missing.is_empty() {
        authority = Some(Authority::from_dir(&args.dir, &order.key, io)?);
    }
    let mut summary = Summary::new(&args.dir, root, state, key);
    summary.clusters = existing;
    summary.spec.clone_from(&args.file);
    if let Some(authority) = &authority {
        summary.signed_by(authority);
        let keys = generate(cluster_key, missing.len(), io)?;
        for (name, key) in missing.iter().zip(keys) {
            summary.clusters.push(new_cluster(order, name, key, authority, workspace, io)?);
        }
    }
    summary.clusters.sort_by(|a, b| a.name.cmp(&b.name));
    workspace.sync()?;
    if state == State::Made {
        // The key first: a root without its key would be lost, a key without its root is taken up again.
        if !order.key.can_sign(&args.dir) {
            workspace.place(Path::new(ROOT_KEY))?;
        }
        workspace.place(Path::new(ROOT_CERT))?;
    }
    missing.iter().try_for_each(|name| workspace.place(Path::new(name)))?;
    Ok((summary, authority))
}

/// The root: the one that is there, or a new one, staged; what became of its key; and the CA itself where
/// the key was needed.
fn root(
    order: &Order<'_>,
    found: Option<Cert>,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<(Cert, State, RootKey, Option<Authority>), Failure> {
    let args = order.args;
    if let Some(cert) = found {
        warn_kept(args, &cert, io);
        return Ok((cert, State::Unchanged, RootKey::UNTOUCHED, None));
    }
    let plan = RootPlan::new(args, order.now, io)?;
    check_begin(plan.stamp.not_before, "the root")?;
    let (key, about) = match order.key.is_outside() {
        true => (root_key_elsewhere(order, &plan, io)?, RootKey::UNTOUCHED),
        false => root_key_here(order, &plan, workspace, io)?,
    };
    let cert = plan.sign(&key)?;
    check_issuers(&args.dir, Some(&cert), args.new_root, io)?;
    workspace.stage(Path::new(ROOT_CERT), cert.to_pem().as_bytes(), false)?;
    Ok((cert.clone(), State::Made, about, Some(Authority::root(cert, key))))
}

/// The key of a new root, in the folder: the one that is there, or a new one, staged.
fn root_key_here(
    order: &Order<'_>,
    plan: &RootPlan,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<(Holder, RootKey), Failure> {
    let path = order.args.dir.join(ROOT_KEY);
    // A key without its certificate: an interrupted run, or a key that was copied here.
    if let Some(found) = files::read_optional(&path)? {
        let encrypted = Some(SoftKey::is_encrypted_pem(&found));
        let key = passphrase::read_key(&path, &order.key.passphrase, io)?;
        let about = RootKey::new(State::Unchanged, encrypted);
        return Ok((order.key.inside(key, &path, io)?, about));
    }
    warn_unproven(plan.key_type, "the root", BY_OPTION, io);
    let secret = new_passphrase(order, io)?;
    let key = generate(plan.key_type, 1, io)?.remove(0);
    let about = RootKey::new(State::Made, Some(secret.is_some()));
    match secret {
        Some(secret) => {
            let pem = key.to_encrypted_pem(secret.as_bytes())?;
            workspace.stage(Path::new(ROOT_KEY), pem.as_bytes(), true)?;
        }
        None => workspace.stage(Path::new(ROOT_KEY), key.to_pem().as_bytes(), true)?,
    }
    Ok((order.key.inside(key, &path, io)?, about))
}

/// The key of a new root that a program or a token holds, which has it already.
fn root_key_elsewhere(
    order: &Order<'_>,
    plan: &RootPlan,
    io: &mut Io<'_>,
) -> Result<Holder, Failure> {
    let path = order.args.dir.join(ROOT_KEY);
    if path.exists() {
        return Err(Failure::usage("the folder has a root key, but `--root-signer` names another")
            .in_file(&path)
            .hint(
                "choose another folder, or omit `--root-signer` to create a root with that key",
            ));
    }
    let holder =
        order.key.outside(None, io)?.ok_or_else(|| Failure::usage("no `--root-signer`"))?;
    let found = holder.public_key().algorithm();
    if let Some(kind) = KeyType::of(found) {
        warn_unproven(kind, "the root", BY_ITS_HOLDER, io);
    }
    if let Some(file) = &order.args.cfssl_csr
        && KeyType::of(found) != Some(plan.key_type)
    {
        return Err(Failure::new(
            "ctl/signer-key",
            "the signer's key is not of the type in the file",
        )
        .in_file(file)
        .because(format!("the key is {found}, the file has {}", plan.key_type))
        .hint("correct `key` in the file, or name another key"));
    }
    Ok(holder)
}

/// The passphrase for a new root key; `None`: the key stays unencrypted.
fn new_passphrase(
    order: &Order<'_>,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    if order.args.plain_root_key {
        return Ok(None);
    }
    let folder = order.args.dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut known: Vec<&str> = order.clusters.iter().map(String::as_str).collect();
    known.extend(folder.as_deref());
    passphrase::for_new_key(&order.key.passphrase, &known, io)
}

/// Warns of options for a new root where the one that is there differs from them.
fn warn_kept(args: &Init, root: &Cert, io: &mut Io<'_>) {
    let length = root
        .not_before()
        .time()
        .zip(root.not_after().time())
        .map(|(from, until)| until.since(from));
    let path_len = root.extensions().basic_constraints.and_then(|c| c.path_len);
    let key_type = KeyType::of(root.public_key().algorithm());
    let differ = [
        ("--root-key-type", args.root_key_type.is_some_and(|kind| key_type != Some(kind))),
        ("--root-subject", args.root_subject.as_ref().is_some_and(|name| name != root.subject())),
        ("--root-validity", args.root_validity.is_some_and(|asked| length != Some(asked))),
        ("--path-len", args.path_len.is_some_and(|n| path_len != Some(i64::from(n)))),
    ];
    let ignored: Vec<&str> =
        differ.iter().filter(|(_, differs)| *differs).map(|(o, _)| *o).collect();
    if ignored.is_empty() {
        return;
    }
    let warning = Failure::new("ctl/root-kept", "the existing root was left unchanged")
        .in_file(&args.dir.join(ROOT_CERT))
        .because(format!("these options apply to a new root only: {}", ignored.join(", ")))
        .hint("choose another folder for another root");
    io.warn(&warning);
}

/// Warns of a trust domain that an intermediate that is there does not have.
fn warn_other_domain(order: &Order<'_>, cluster: &Cluster, io: &mut Io<'_>) -> Result<(), Failure> {
    let typed = &order.options.trust_domains;
    let Some(wanted) = intermediate::trust_domain(&cluster.name, typed)? else { return Ok(()) };
    let domains = intermediate::trust_domains(&cluster.ca);
    if domains.is_empty() || domains.contains(&wanted.uri()) {
        return Ok(());
    }
    let folder = order.args.dir.join(&cluster.name);
    let warning = Failure::new("ctl/cluster-kept", "the existing intermediate was left unchanged")
        .in_file(&folder)
        .because(format!("it has {}, but {} was requested", domains.join(", "), wanted.uri()))
        .hint(format!(
            "to create a new one, move {} away and run this command again",
            text::word(&folder)
        ));
    io.warn(&warning);
    Ok(())
}

/// The plan of a new root.
struct RootPlan {
    key_type: KeyType,
    /// Without a subject, the default one, which names the key.
    profile: Profile,
    stamp: Stamp,
}

impl RootPlan {
    fn new(args: &Init, now: Time, io: &mut Io<'_>) -> Result<Self, Failure> {
        let serial = Serial::from_random(crate::io::random());
        if let Some(path) = &args.cfssl_csr {
            let file = cfssl::csr_file(path, io)?;
            let order = cfssl::take(file.root(now), path, io)?;
            return Ok(Self {
                key_type: file.key_type(),
                stamp: order.stamp(serial),
                profile: order.profile,
            });
        }
        let mut profile = Profile::root(args.root_subject.clone().unwrap_or_else(Name::empty));
        profile.validity = args.root_validity.unwrap_or(Profile::ROOT_VALIDITY);
        profile.role = Role::Ca { path_len: args.path_len };
        let key_type = args.root_key_type.unwrap_or(args.key_type);
        Ok(Self { key_type, profile, stamp: Stamp::made_at(now, serial) })
    }

    fn sign(mut self, key: &dyn Signer) -> Result<Cert, Failure> {
        if self.profile.subject.is_empty() {
            self.profile.subject = default_subject(key.public_key());
        }
        Ok(self_signed(&self.profile, key, self.stamp)?)
    }
}

/// The key's identifier in the name: two roots never share a name, which no verifier would tell apart.
fn default_subject(key: &PublicKey) -> Name {
    let id = digest::hex(&key.key_id()[..4]);
    Name::new(&[
        Attribute::new(Oid::ORGANIZATION, "Mesh"),
        Attribute::new(Oid::COMMON_NAME, &format!("Mesh Root CA {id}")),
    ])
}

fn existing_cluster(dir: &Path, name: &str, now: Time) -> Result<Option<Cluster>, Failure> {
    let folder = dir.join(name);
    if !folder.exists() {
        return Ok(None);
    }
    let set = read_set(&folder, now).map_err(|failure| {
        let csr = folder.join("ca.csr");
        if csr.exists() && !folder.join(Layout::Istio.ca_file()).exists() {
            return Failure::new(
                "ctl/cluster-incomplete",
                format!("`{name}` has a CSR that has not been signed yet"),
            )
            .in_file(&csr)
            .hint(format!(
                "`meshctl ca sign {} --ca {} --out {}`",
                text::word(&csr),
                text::word(dir),
                text::word(&folder)
            ));
        }
        if failure.code() == "pki/untrusted" && layout_of(&folder) == Layout::Istio {
            let file = |name| text::word(&folder.join(name));
            return failure.hint(format!(
                "`meshctl ca verify --explain -CAfile {} -untrusted {} {}` shows the details; \
                 `meshctl ca renew {} --cluster {name}` replaces what has expired",
                file(Layout::Istio.roots_file()),
                file(Layout::Istio.chain_files()[0]),
                file(Layout::Istio.ca_file()),
                text::word(dir)
            ));
        }
        failure
    })?;
    Ok(Some(Cluster::new(name, State::Unchanged, &set)))
}

fn new_cluster(
    order: &Order<'_>,
    name: &str,
    key: SoftKey,
    authority: &Authority,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Cluster, Failure> {
    let within = |failure: Failure| failure.within(format!("cluster {name}"));
    let profile =
        intermediate::profile(name, &order.options, authority.cert.subject()).map_err(within)?;
    let asked = order.options.validity.is_some();
    let ca = intermediate::make(profile, key.public_key(), authority, order.now, asked, io)
        .map_err(within)?;
    let set = CaCerts::new(ca, key, authority.above.clone(), authority.roots.clone(), order.now)
        .map_err(|error| within(error.into()))?;
    let layout = order.args.layout.resolved();
    for (file, content) in set.files(layout) {
        workspace.stage(&Path::new(name).join(file), &content, file == layout.key_file())?;
    }
    Ok(Cluster::new(name, State::Made, &set))
}
