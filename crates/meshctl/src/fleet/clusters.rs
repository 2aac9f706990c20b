//! The clusters a command talks to: named on the command line or by the mesh's spec, reached, and read before anything
//! is done.

mod guard;

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use meshapply::kube::{
    Context, Istiod, Kube, Kubeconfig, MeshConfig, Options, Security, Surroundings,
};
use meshapply::state::Observed;
use meshapply::{Cluster, Error};
use meshconfig::Mesh;
use meshconfig::mesh::MeshCluster;
use meshpki::istiod::{NamespaceRoots, SpecExpectation, Version};
use tokio::runtime::Runtime;

pub(crate) use guard::check as guard_of;

use crate::failure::Failure;
use crate::hints::{Typed, UNTYPED, get_contexts};
use crate::io::Io;
use crate::spec;
use crate::text;

/// A cluster as it was named, before it is contacted.
#[derive(Clone)]
pub(crate) struct Named {
    /// The name, which is that of its folder.
    pub(crate) name: String,
    /// The context that reaches it.
    pub(crate) context: String,
    /// Istio's namespace there.
    pub(crate) istio_namespace: String,
    /// What the spec says of it.
    pub(crate) spec: Option<SpecExpectation>,
    /// Names of the clusters that it need not accept, by the spec.
    pub(crate) apart: Vec<String>,
}

/// A cluster that can be asked.
pub(crate) struct Target {
    /// The name, which is that of its folder.
    pub(crate) name: String,
    /// The context.
    pub(crate) context: String,
    /// Istio's namespace there.
    pub(crate) istio_namespace: String,
    /// What the spec says of it.
    pub(crate) spec: Option<SpecExpectation>,
    /// Names of the clusters that it need not accept, by the spec.
    pub(crate) apart: Vec<String>,
    /// The options that reach it.
    pub(crate) typed: Typed,
    /// The cluster itself.
    pub(crate) kube: Kube,
}

/// The service account that requests test certificates, unless another one is named.
pub(crate) const SERVICE_ACCOUNT: &str = "default";
/// Clocks that differ by more are reported: no time in a certificate can be judged by them.
pub(crate) const SKEW: Duration = Duration::from_secs(300);
/// How long a credential plugin may run without a terminal, and with one, where it may wait for a person.
const SILENT: Duration = Duration::from_secs(60);
const ASKING: Duration = Duration::from_secs(300);

/// What was read from a cluster before anything was written.
pub(crate) struct Seen {
    /// What is decided by.
    pub(crate) observed: Observed,
    /// istiod of every revision.
    pub(crate) istiods: Vec<Istiod>,
    /// The mesh's configuration.
    pub(crate) mesh: MeshConfig,
    /// The roots every namespace's workloads are given.
    pub(crate) given: Vec<NamespaceRoots>,
}

impl Seen {
    /// The release of istiod; without one, the newest release known.
    pub(crate) fn release(&self) -> Version {
        self.istiods.first().map_or(Version::NEWEST, |istiod| istiod.settings.version)
    }
}

/// One thread is enough: the time goes to waiting for the network.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| {
        Failure::new("ctl/io", "cannot start the network runtime").because(error.to_string())
    })
}

impl Named {
    /// A cluster of the spec.
    pub(crate) fn of(mesh: &Mesh, cluster: &MeshCluster) -> Self {
        let needs = |other: &MeshCluster| {
            mesh.trust().is_none_or(|trust| trust.model(cluster, other).is_some())
        };
        let others = mesh.clusters().iter().filter(|other| other.name != cluster.name);
        let apart = others.filter(|other| !needs(other)).map(|other| other.name.clone());
        Self {
            apart: apart.collect(),
            name: cluster.name.clone(),
            context: cluster.context.clone(),
            istio_namespace: cluster.istio_namespace.clone(),
            spec: Some(SpecExpectation::new(cluster.trust_domain.as_str(), cluster.version)),
        }
    }

    /// A cluster that is not in a spec, in Istio's default namespace.
    pub(crate) fn typed(name: &str, context: &str) -> Self {
        Self {
            name: name.to_owned(),
            context: context.to_owned(),
            istio_namespace: meshapply::names::ISTIO_NAMESPACE.to_owned(),
            spec: None,
            apart: Vec::new(),
        }
    }
}

/// The requested clusters of those in the spec; all of them without `--context`.
///
/// `make` handles one that the spec does not have: name and context as they were given.
pub(crate) fn chosen(
    contexts: &[String],
    known: Vec<Named>,
    make: impl Fn(&str, &str) -> Result<Named, Failure>,
) -> Result<Vec<Named>, Failure> {
    if contexts.is_empty() {
        return Ok(known);
    }
    let one = |text: &String| {
        let (name, context) = text.split_once('=').unwrap_or((text, text));
        let said = text.contains('=').then_some(context);
        // A name has priority over a context of the same name.
        let by_name = known.iter().find(|one| one.name == name);
        let by_context = || known.iter().find(|one| said.is_none() && one.context == name);
        match by_name.or_else(by_context) {
            Some(one) => {
                Ok(Named { context: said.unwrap_or(&one.context).to_owned(), ..one.clone() })
            }
            None => make(name, context),
        }
    };
    contexts.iter().map(one).collect()
}

/// The clusters of the command line, of the spec, or those of the spec that the command line selects.
fn named(selection: &Selection, io: &mut Io<'_>) -> Result<Vec<Named>, Failure> {
    let mut named = match &selection.spec {
        Some(file) => {
            let mesh = match &selection.spec_text {
                Some(text) => spec::parsed(file, text, None, io)?,
                None => spec::mesh_of(file, None, io)?,
            };
            let known = mesh.clusters_as_written().into_iter();
            let known = known.map(|cluster| Named::of(&mesh, cluster)).collect();
            chosen(&selection.contexts, known, |name, _| Err(spec::unknown_cluster(&mesh, name)))?
        }
        None => chosen(&selection.contexts, Vec::new(), |name, context| {
            Ok(Named::typed(name, context))
        })?,
    };
    if let Some(namespace) = &selection.istio_namespace {
        named.iter_mut().for_each(|one| one.istio_namespace.clone_from(namespace));
    }
    Ok(named)
}

/// The names of the clusters, each with Istio's namespace there; no context is read.
pub(crate) fn names(
    selection: &Selection,
    io: &mut Io<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    let named = named(selection, io)?.into_iter();
    Ok(named.map(|one| (one.name, one.istio_namespace)).collect())
}

/// How contexts are reached, and which errors are overridden.
#[derive(Clone)]
pub(crate) struct Way {
    /// The kubeconfig that was named.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Codes of errors that are overridden.
    pub(crate) force: Vec<String>,
    /// The variables with a passphrase or a PIN, which no child process gets.
    pub(crate) hidden: Vec<String>,
    /// How long a credential plugin may run; `None`: one minute, or five where it may ask a person.
    pub(crate) patience: Option<Duration>,
    /// The options that say so, and what is there.
    pub(crate) typed: Typed,
}

impl Way {
    /// The usual way.
    pub(crate) fn new(kubeconfig: Option<PathBuf>, force: &[String]) -> Self {
        let typed = Typed::new(kubeconfig.as_deref());
        Self { kubeconfig, force: force.to_vec(), hidden: Vec::new(), patience: None, typed }
    }

    /// The kubeconfig.
    ///
    /// # Errors
    /// `apply/kubeconfig`.
    pub(crate) fn read(&self, io: &Io<'_>) -> Result<Kubeconfig, Failure> {
        let read = Kubeconfig::read(self.kubeconfig.as_deref(), io.env);
        read.map_err(|error| Failure::of(&error, "CONTEXT", &self.typed))
    }
}

/// Which clusters, and how each is reached and read.
pub(crate) struct Selection {
    /// The mesh's spec.
    pub(crate) spec: Option<PathBuf>,
    /// Its text, if that was read already: standard input can be read once.
    pub(crate) spec_text: Option<String>,
    /// `[CLUSTER=]CONTEXT` as typed.
    pub(crate) contexts: Vec<String>,
    /// How contexts are reached.
    pub(crate) way: Way,
    /// The namespace of istiod, instead of what the spec says.
    pub(crate) istio_namespace: Option<String>,
    /// The release of Istio, instead of what istiod's image says.
    pub(crate) istio_version: Option<Version>,
    /// Gateways by namespace and name; none: those with a gateway's labels.
    pub(crate) gateways: Vec<(String, String)>,
    /// The service account that requests test certificates.
    pub(crate) service_account: String,
    /// Injected workloads are read too.
    pub(crate) workloads: bool,
}

impl Selection {
    /// Whether no cluster is named.
    pub(crate) const fn is_empty(&self) -> bool {
        self.spec.is_none() && self.contexts.is_empty()
    }

    /// The namespace of istiod where no spec says another.
    pub(crate) fn namespace(&self) -> &str {
        self.istio_namespace.as_deref().unwrap_or(meshapply::names::ISTIO_NAMESPACE)
    }

    /// How one of its clusters is read.
    pub(crate) fn options(&self, one: &Named) -> Options {
        Options {
            istio_namespace: one.istio_namespace.clone(),
            istio_version: self.istio_version,
            gateways: self.gateways.clone(),
            workloads: self.workloads,
            service_account: self.service_account.clone(),
        }
    }
}

impl Target {
    /// Runs the credential plugin of a context; the server is not contacted yet.
    pub(crate) async fn connect(
        one: Named,
        context: Context,
        options: Options,
        typed: &Typed,
    ) -> Result<Self, Failure> {
        let Named { name, context: label, istio_namespace, spec, apart } = one;
        let kube = Kube::connect(context, options).await;
        let kube = kube.map_err(|error| Failure::of(&error, &label, typed))?;
        Ok(Self { name, context: label, istio_namespace, spec, apart, typed: typed.clone(), kube })
    }
}

/// Reads the contexts and runs their credential plugins; no server is contacted yet.
pub(crate) async fn targets(
    selection: &Selection,
    io: &mut Io<'_>,
) -> Result<Vec<Target>, Failure> {
    let named = named(selection, io)?;
    reach(named, &selection.way, |one| selection.options(one), io).await
}

/// Reads the contexts of clusters that were named and runs their credential plugins, once every connection is found
/// good enough for keys and tokens; no server is contacted yet.
pub(crate) async fn reach(
    named: Vec<Named>,
    way: &Way,
    options: impl Fn(&Named) -> Options,
    io: &mut Io<'_>,
) -> Result<Vec<Target>, Failure> {
    if named.is_empty() {
        return Err(Failure::usage("no cluster given").hint(format!(
            "use `--context CLUSTER=CONTEXT`; `{}` lists the contexts",
            get_contexts(&way.typed)
        )));
    }
    let kubeconfig = way.read(io)?;
    let patience = way.patience.unwrap_or(if io.can_ask { ASKING } else { SILENT });
    let (can_ask, watcher) = (io.can_ask, io.watcher());
    let around = Surroundings { env: io.env, hidden: &way.hidden, can_ask, patience, watcher };
    let mut contexts: Vec<(Named, Context)> = Vec::new();
    for one in named {
        let shared =
            |(twin, _): &&(Named, Context)| twin.name == one.name || twin.context == one.context;
        if let Some((twin, _)) = contexts.iter().find(shared) {
            return Err(Failure::usage(format!(
                "cluster {} (context {}) and cluster {} (context {}) share a name or a context",
                twin.name, twin.context, one.name, one.context
            )));
        }
        let context = Context::read(&kubeconfig, &one.context, &around);
        let context = context.map_err(|error| Failure::of(&error, &one.context, &way.typed))?;
        guard::check(&one, &context, &way.force, io)?;
        contexts.push((one, context));
    }
    let mut targets: Vec<Target> = Vec::new();
    for (one, context) in contexts {
        let options = options(&one);
        targets.push(Target::connect(one, context, options, &way.typed).await?);
    }
    Ok(targets)
}

/// Reads every cluster at the same time. If one cannot be read, all fail: nothing has been written yet.
pub(crate) async fn look(targets: &[Target]) -> Result<Vec<Seen>, Failure> {
    let looks = join_all(targets.iter().map(look_at)).await;
    let unread: Vec<usize> = (0..targets.len()).filter(|i| looks[*i].is_err()).collect();
    let mut seen = Vec::new();
    for (target, look) in targets.iter().zip(looks) {
        match look {
            Ok(one) => seen.push(one),
            Err(error) => return Err(unseen(target, &error, &unread, targets)),
        }
    }
    Ok(seen)
}

/// Reads one cluster.
pub(crate) async fn look_at(target: &Target) -> Result<Seen, Error> {
    let kube = &target.kube;
    let (observed, istiods, mesh, given) = tokio::try_join!(
        kube.observe(),
        kube.istiods(),
        kube.mesh_config(),
        kube.namespace_roots()
    )?;
    Ok(Seen { observed, istiods, mesh, given })
}

fn unseen(target: &Target, error: &Error, unread: &[usize], targets: &[Target]) -> Failure {
    let failure = failed(target, error);
    let others = unread.iter().map(|i| &targets[*i].name).filter(|name| **name != target.name);
    let others: Vec<&str> = others.map(String::as_str).collect();
    if others.is_empty() {
        return failure;
    }
    failure.because(format!("{} could not be read either", others.join(", ")))
}

/// An error of a cluster.
pub(crate) fn failed(target: &Target, error: &Error) -> Failure {
    Failure::of(error, &target.context, &target.typed).within(place(target))
}

/// How printed commands reach the cluster of a name: its context and the options that were typed.
pub(crate) fn way_to<'t>(targets: &'t [Target], name: &str) -> (&'t str, &'t Typed) {
    let target = targets.iter().find(|target| target.name == name);
    target.map_or(("CONTEXT", &UNTYPED), |target| (&target.context, &target.typed))
}

/// `cluster east (context prod-east, https://..)`.
pub(crate) fn place(target: &Target) -> String {
    place_of(&target.name, &target.context, target.kube.server())
}

fn place_of(name: &str, context: &str, server: &str) -> String {
    text::safe(&format!("cluster {name} (context {context}, {server})"))
}

/// Whether the connection is verified, as a word of results.
pub(crate) const fn tls(target: &Target) -> &'static str {
    match target.kube.security() {
        Security::Verified => "verified",
        _ => "unverified",
    }
}
