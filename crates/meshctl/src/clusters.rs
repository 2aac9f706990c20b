//! The clusters a command talks to: named on the command line, reached, looked at before anything is done.

use futures_util::future::join_all;
use meshapply::kube::{Istiod, Kube, MeshConfig, Options};
use meshapply::proof::NamespaceRoots;
use meshapply::state::Observed;
use meshapply::{Cluster, Error};
use tokio::runtime::Runtime;

use crate::args::Clusters;
use crate::report::Failure;
use crate::show;

/// A cluster by its name here and the context that reaches it.
pub(crate) struct Target {
    /// The name, which is that of its folder.
    pub(crate) name: String,
    /// The context.
    pub(crate) context: String,
    /// The cluster itself.
    pub(crate) kube: Kube,
}

/// What was seen of a cluster before anything was done.
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

/// One thread does it all: what is waited for is the network.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| {
        Failure::new("ctl/io", "cannot start the network").because(error.to_string())
    })
}

/// Reads the contexts; nothing is asked of a server yet.
pub(crate) async fn targets(args: &Clusters, workloads: bool) -> Result<Vec<Target>, Failure> {
    if args.contexts.is_empty() {
        return Err(Failure::usage("no cluster is named").hint(
            "`--context east=CONTEXT` names one; `kubectl config get-contexts` lists the contexts",
        ));
    }
    let options = Options {
        istio_namespace: args.istio_namespace.clone(),
        istio_version: args.istio_version,
        gateways: args.gateways.iter().map(|text| gateway(text)).collect::<Result<_, _>>()?,
        workloads,
        service_account: args.service_account.clone(),
    };
    let mut targets: Vec<Target> = Vec::new();
    for text in &args.contexts {
        let (name, context) = text.split_once('=').unwrap_or((text, text));
        if let Some(twin) = targets.iter().find(|t| t.name == name || t.context == context) {
            return Err(Failure::usage(format!(
                "cluster {} (context {}) and cluster {name} (context {context}) have a name in common",
                twin.name, twin.context
            )));
        }
        let kube = Kube::new(args.kubeconfig.as_deref(), context, options.clone()).await?;
        targets.push(Target { name: name.to_owned(), context: context.to_owned(), kube });
    }
    Ok(targets)
}

fn gateway(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err(Failure::usage(format!("`{text}` is no gateway: NAMESPACE/NAME is wanted"))),
    }
}

/// Looks at every cluster at the same time. One that cannot be seen is a failure of all: nothing has been done yet.
pub(crate) async fn look(targets: &[Target]) -> Result<Vec<Seen>, Failure> {
    let looks = join_all(targets.iter().map(look_at)).await;
    let failed: Vec<usize> = (0..targets.len()).filter(|i| looks[*i].is_err()).collect();
    let mut seen = Vec::new();
    for (target, look) in targets.iter().zip(looks) {
        match look {
            Ok(one) => seen.push(one),
            Err(error) => return Err(unseen(target, error, &failed, targets)),
        }
    }
    Ok(seen)
}

/// Looks at one cluster.
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

fn unseen(target: &Target, error: Error, failed: &[usize], targets: &[Target]) -> Failure {
    let failure = Failure::from(error).within(place(target));
    let others = failed.iter().map(|i| &targets[*i].name).filter(|name| **name != target.name);
    let others: Vec<&str> = others.map(String::as_str).collect();
    if others.is_empty() {
        return failure;
    }
    failure.because(format!("{} could not be looked at either", others.join(", ")))
}

/// `cluster east (context prod-east, https://..)`.
pub(crate) fn place(target: &Target) -> String {
    let Target { name, context, kube } = target;
    show::safe(&format!("cluster {name} (context {context}, {})", kube.server()))
}
