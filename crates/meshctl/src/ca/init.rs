//! `meshctl ca init`: a root and an intermediate per cluster; run again, it adds what is missing and changes nothing else.

use std::path::Path;

use meshpki::cacerts::Layout;
use meshpki::name::Attribute;
use meshpki::profile::Role;
use meshpki::{
    CaCerts, Cert, KeyType, Name, Profile, Serial, Signer, SoftKey, Stamp, Time, digest, oid,
    self_signed,
};

use super::folder::check_issuers;
use super::issuer::{self, Authority, ROOT_CERT, ROOT_KEY};
use super::tree::{Cluster, RootKey, State, Tree};
use super::{
    cfssl, check_case, check_cluster_name, intermediate, neighbours, open_workspace, passphrase,
    warn_exposed, warn_unproven,
};
use crate::args::{Init, LayoutName};
use crate::files::{self, Workspace};
use crate::io::check_begin;
use crate::report::{Failure, warn};
use crate::{Exit, Io, show};

/// Runs the command.
pub(crate) fn run(args: &Init, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let filled;
    let picked = !args.cluster.is_empty();
    let args = match &args.file {
        Some(file) => {
            filled = by_spec(args, file, io)?;
            &filled
        }
        None => args,
    };
    let now = io.time(args.at)?;
    let clusters = clusters(&args.cluster)?;
    intermediate::check_trust_domains(&args.cluster_options.trust_domain, &clusters)?;
    let mut workspace = open_workspace(&args.dir, args.wait, io)?;
    warn_exposed(&args.dir, io);
    check_case(&args.dir, &clusters)?;
    let mut tree = init(args, &clusters, now, &mut workspace, io)?;
    workspace.finish()?;
    tree.picked = picked;
    tree.report(args.output, now, io)
}

/// The options with the clusters and trust domains of the spec.
fn by_spec(args: &Init, file: &Path, io: &mut Io<'_>) -> Result<Init, Failure> {
    let mesh = crate::mesh::spec(file, io)?;
    let mut filled = args.clone();
    if filled.cluster.is_empty() {
        filled.cluster = mesh.clusters().iter().map(|cluster| cluster.name.clone()).collect();
    }
    for name in &filled.cluster {
        let cluster =
            mesh.cluster(name).ok_or_else(|| crate::mesh::unknown_cluster(&mesh, name))?;
        filled.cluster_options.trust_domain.push(format!("{name}={}", cluster.trust_domain));
    }
    Ok(filled)
}

/// Sorted, each once, each a name that can be a folder.
fn clusters(typed: &[String]) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = typed.to_vec();
    names.sort();
    names.dedup();
    names.iter().try_for_each(|name| check_cluster_name(name))?;
    Ok(names)
}

fn init(
    args: &Init,
    clusters: &[String],
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Tree, Failure> {
    let mut existing = Vec::new();
    let mut missing = Vec::new();
    for name in clusters {
        match existing_cluster(&args.dir, name, now)? {
            Some(cluster) => existing.push(cluster),
            None => missing.push(name.as_str()),
        }
    }
    let found = issuer::root_cert(&args.dir, io)?;
    if found.is_some() || !args.dir.join(ROOT_KEY).exists() {
        check_issuers(&args.dir, found.as_ref(), io)?;
    }
    // What is typed wrong is said before anybody is asked for a passphrase.
    for name in &missing {
        intermediate::profile(name, &args.cluster_options, &Name::empty())
            .map_err(|failure| failure.within(format!("cluster {name}")))?;
    }
    existing.iter().try_for_each(|cluster| warn_other_domain(args, cluster, io))?;
    neighbours::warn_of_confusable(&args.dir, &missing, io);
    let cluster_key = args.cluster_key_type.unwrap_or(args.key_type);
    if !missing.is_empty() {
        warn_unproven(cluster_key, "every new intermediate", io);
        if args.cluster_options.constrain {
            intermediate::warn_constrained(io);
        }
    }
    let (root, state, key, mut authority) = root(args, found, now, workspace, io)?;
    if authority.is_none() && !missing.is_empty() {
        authority = Some(Authority::from_dir(&args.dir, &args.passphrase, io)?);
    }
    let mut tree = Tree::new(&args.dir, root, state, key);
    tree.clusters = existing;
    tree.spec.clone_from(&args.file);
    if let Some(authority) = authority {
        let keys = generate(cluster_key, missing.len(), io)?;
        for (name, key) in missing.iter().zip(keys) {
            tree.clusters.push(new_cluster(args, name, key, &authority, now, workspace, io)?);
        }
    }
    tree.clusters.sort_by(|a, b| a.name.cmp(&b.name));
    workspace.sync()?;
    if state == State::Made {
        // The key first: a root without its key would be lost, a key without its root is taken up again.
        if !args.dir.join(ROOT_KEY).exists() {
            workspace.place(Path::new(ROOT_KEY))?;
        }
        workspace.place(Path::new(ROOT_CERT))?;
    }
    missing.iter().try_for_each(|name| workspace.place(Path::new(name)))?;
    Ok(tree)
}

/// The root: the one that is there, or a new one, staged; what became of its key; and the CA itself where
/// the key was needed.
fn root(
    args: &Init,
    found: Option<Cert>,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<(Cert, State, RootKey, Option<Authority>), Failure> {
    if let Some(cert) = found {
        warn_kept(args, &cert, io);
        return Ok((cert, State::Unchanged, RootKey::UNTOUCHED, None));
    }
    let key_path = args.dir.join(ROOT_KEY);
    // A key without its certificate: an interrupted run, or a key somebody brought.
    let found = files::read_optional(&key_path)?;
    let plan = RootPlan::new(args, now, io)?;
    check_begin(plan.stamp.not_before, "the root")?;
    let mut about = RootKey {
        state: State::Unchanged,
        encrypted: found.as_deref().map(|b| SoftKey::is_encrypted_pem(b)),
    };
    let key = if found.is_some() {
        passphrase::read_key(&key_path, &args.passphrase, io)?
    } else {
        warn_unproven(plan.key_type, "the root", io);
        let secret = passphrase::for_new_key(args, io)?;
        let key = generate(plan.key_type, 1, io)?.remove(0);
        about = RootKey { state: State::Made, encrypted: Some(secret.is_some()) };
        match secret {
            Some(secret) => {
                let pem = key.to_encrypted_pem(secret.as_bytes())?;
                workspace.stage(Path::new(ROOT_KEY), pem.as_bytes(), true)?;
            }
            None => workspace.stage(Path::new(ROOT_KEY), key.to_pem().as_bytes(), true)?,
        }
        key
    };
    let cert = plan.sign(&key)?;
    check_issuers(&args.dir, Some(&cert), io)?;
    workspace.stage(Path::new(ROOT_CERT), cert.to_pem().as_bytes(), false)?;
    Ok((cert.clone(), State::Made, about, Some(Authority::root(cert, key))))
}

/// Warns of options for a new root where the one that is there differs from them.
fn warn_kept(args: &Init, root: &Cert, io: &mut Io<'_>) {
    let length =
        root.not_before().time().zip(root.not_after().time()).map(|(from, until)| until.0 - from.0);
    let path_len = root.extensions().basic_constraints.and_then(|c| c.path_len);
    let key_type = KeyType::of(root.public_key().algorithm());
    let differ = [
        ("--root-key-type", args.root_key_type.is_some_and(|kind| key_type != Some(kind))),
        ("--root-subject", args.root_subject.as_ref().is_some_and(|name| name != root.subject())),
        ("--root-validity", args.root_validity.is_some_and(|seconds| length != Some(seconds))),
        ("--path-len", args.path_len.is_some_and(|n| path_len != Some(i64::from(n)))),
    ];
    let ignored: Vec<&str> =
        differ.iter().filter(|(_, differs)| *differs).map(|(o, _)| *o).collect();
    if ignored.is_empty() {
        return;
    }
    let warning = Failure::new("ctl/root-kept", "the root that is there stays as it is")
        .in_file(&args.dir.join(ROOT_CERT))
        .because(format!("for a new root only: {}", ignored.join(", ")))
        .hint("choose another folder for another root");
    warn(io.err, &warning);
}

/// Warns of a trust domain that an intermediate that is there does not have.
fn warn_other_domain(args: &Init, cluster: &Cluster, io: &mut Io<'_>) -> Result<(), Failure> {
    let typed = &args.cluster_options.trust_domain;
    let Some(wanted) = intermediate::trust_domain(&cluster.name, typed)? else { return Ok(()) };
    let domains = intermediate::trust_domains(&cluster.ca);
    if domains.is_empty() || domains.contains(&wanted.uri()) {
        return Ok(());
    }
    let folder = args.dir.join(&cluster.name);
    let warning = Failure::new("ctl/cluster-kept", "the intermediate that is there stays as it is")
        .in_file(&folder)
        .because(format!("it says {}, {} is asked for", domains.join(", "), wanted.uri()))
        .hint(format!("to have a new one, move {} away and run this again", show::word(&folder)));
    warn(io.err, &warning);
    Ok(())
}

/// What a new root is to be.
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
        profile.valid_seconds = args.root_validity.unwrap_or(Profile::ROOT_SECONDS);
        profile.role = Role::Ca { path_len: args.path_len };
        let key_type = args.root_key_type.unwrap_or(args.key_type);
        Ok(Self { key_type, profile, stamp: Stamp::made_at(now, serial) })
    }

    fn sign(mut self, key: &SoftKey) -> Result<Cert, Failure> {
        if self.profile.subject.is_empty() {
            self.profile.subject = default_subject(key);
        }
        Ok(self_signed(&self.profile, key, self.stamp)?)
    }
}

/// The key's identifier in the name: two roots never share a name, which no verifier would tell apart.
fn default_subject(key: &SoftKey) -> Name {
    let id = digest::hex(&key.public_key().key_id()[..4]);
    Name::new(&[
        Attribute::new(oid::ORGANIZATION, "Mesh"),
        Attribute::new(oid::COMMON_NAME, &format!("Mesh Root CA {id}")),
    ])
}

fn existing_cluster(dir: &Path, name: &str, now: Time) -> Result<Option<Cluster>, Failure> {
    let folder = dir.join(name);
    if !folder.exists() {
        return Ok(None);
    }
    let set = super::tree::read_set(&folder, now).map_err(|failure| {
        let csr = folder.join("ca.csr");
        if csr.exists() && !folder.join(Layout::Istio.ca_file()).exists() {
            return Failure::new(
                "ctl/cluster-incomplete",
                format!("`{name}` has a CSR that is not signed yet"),
            )
            .in_file(&csr)
            .hint(format!(
                "`meshctl ca sign {} --ca {} --out {}`",
                show::word(&csr),
                show::word(dir),
                show::word(&folder)
            ));
        }
        if failure.code() == "pki/untrusted" && super::tree::layout_of(&folder) == Layout::Istio {
            let file = |name| show::word(&folder.join(name));
            return failure.hint(format!(
                "`meshctl ca verify --explain -CAfile {} -untrusted {} {}` says more; \
                 `meshctl ca renew {} --cluster {name}` replaces what has expired",
                file(Layout::Istio.roots_file()),
                file(Layout::Istio.chain_files()[0]),
                file(Layout::Istio.ca_file()),
                show::word(dir)
            ));
        }
        failure
    })?;
    Ok(Some(Cluster {
        name: name.to_owned(),
        state: State::Unchanged,
        ca: set.ca().clone(),
        chain: set.chain().to_vec(),
    }))
}

fn new_cluster(
    args: &Init,
    name: &str,
    key: SoftKey,
    authority: &Authority,
    now: Time,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<Cluster, Failure> {
    let within = |failure: Failure| failure.within(format!("cluster {name}"));
    let profile = intermediate::profile(name, &args.cluster_options, authority.cert.subject())
        .map_err(within)?;
    let asked = args.cluster_options.cluster_validity.is_some();
    let ca =
        intermediate::make(profile, key.public_key(), authority, now, asked, io).map_err(within)?;
    let set = CaCerts::new(ca, key, authority.above.clone(), authority.roots.clone(), now)
        .map_err(|error| within(error.into()))?;
    let layout = layout(args.layout);
    for (file, content) in set.files(layout) {
        workspace.stage(&Path::new(name).join(file), &content, file == layout.key_file())?;
    }
    Ok(Cluster {
        name: name.to_owned(),
        state: State::Made,
        ca: set.ca().clone(),
        chain: set.chain().to_vec(),
    })
}

/// The library's layout of a typed one.
pub(super) const fn layout(name: LayoutName) -> Layout {
    match name {
        LayoutName::Istio => Layout::Istio,
        LayoutName::Tls => Layout::Tls,
    }
}

/// `count` new keys. RSA takes a second and more, so those are searched on every core.
pub(super) fn generate(
    kind: KeyType,
    count: usize,
    io: &mut Io<'_>,
) -> Result<Vec<SoftKey>, Failure> {
    let slow =
        matches!(kind, KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 | KeyType::Rsa8192);
    let mut keys = Vec::with_capacity(count);
    if !slow {
        for _ in 0..count {
            keys.push(SoftKey::generate(kind)?);
        }
        return Ok(keys);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    while keys.len() < count {
        if io.progress {
            // Progress that cannot be drawn is no failure.
            let _ = write!(io.err, "\r{kind} keys: {} of {count} ", keys.len());
            let _ = io.err.flush();
        }
        let batch = cores.min(count - keys.len());
        let made: Vec<Result<SoftKey, meshpki::Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..batch).map(|_| scope.spawn(|| SoftKey::generate(kind))).collect();
            threads.into_iter().map(|t| t.join().expect("key generation does not panic")).collect()
        });
        for key in made {
            keys.push(key?);
        }
    }
    if io.progress && count > 0 {
        let _ = write!(io.err, "\r\x1b[K");
    }
    Ok(keys)
}
