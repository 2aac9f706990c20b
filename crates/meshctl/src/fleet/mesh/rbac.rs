//! The rights `discover`, `diff` and `apply` need, as RBAC manifests: by name wherever Kubernetes can limit by name.

use std::collections::BTreeSet;
use std::path::Path;

use meshapply::kube::Istiod;
use meshconfig::dialect::rewrites;
use meshconfig::dns;
use meshconfig::mesh::MeshCluster;
use meshpki::istiod::Version;
use serde_json::Value;

use super::{Ask, ask_all, dns as cluster_dns, of_mesh, targets};
use crate::failure::Failure;
use crate::fleet::rbac::{Manifests, account, rule, subject, texts};
use crate::io::Io;
use crate::spec::{self, Source};

/// What the manifests name.
struct Rights {
    /// Istio's namespace.
    namespace: String,
    /// ConfigMaps with the mesh's configuration.
    mesh: BTreeSet<String>,
    /// EnvoyFilters are written for the release.
    filters: bool,
    /// ConfigMaps its DNS may read: namespace and name.
    dns: Vec<(String, String)>,
    /// They are written, not only read.
    edits: bool,
}

/// The manifests: for the clusters of the spec, which must all need the same, or without a spec for the names Istio
/// gives. A cluster that is named is asked for its revisions of istiod. They are for `user`; `None`: for a service
/// account of their own.
pub(crate) async fn manifests(
    source: &Source,
    ask: &Ask,
    user: Option<&str>,
    io: &mut Io<'_>,
) -> Result<String, Failure> {
    let file = &source.file;
    // The default name: there is no spec yet.
    let rights = if file == Path::new("mesh.yaml") && !file.exists() {
        if !ask.contexts.is_empty() {
            io.say(format_args!("note: there is no mesh.yaml yet, so no cluster is read: the permissions are for Istio's default names"));
        }
        vec![(String::new(), Rights::usual(source.istio))]
    } else {
        let mesh = spec::mesh(source, io)?;
        let named = of_mesh(&mesh, ask)?;
        let of = |name: &String| Some((name.clone(), Rights::of(mesh.cluster(name)?)));
        let names: Vec<String> = named.iter().map(|one| one.name.clone()).collect();
        let mut rights: Vec<(String, Rights)> = names.iter().filter_map(of).collect();
        if !ask.contexts.is_empty() {
            let targets = targets(ask, named, io).await?;
            let istiods = ask_all(&targets, |target| target.kube.istiods()).await?;
            for ((_, rights), istiods) in rights.iter_mut().zip(istiods) {
                rights.mesh.extend(istiods.iter().filter_map(config_map));
            }
        }
        rights
    };
    let texts: Vec<(&str, String)> =
        rights.iter().map(|(name, rights)| (name.as_str(), rights.text(user))).collect();
    let Some((first, text)) = texts.first() else { return Ok(String::new()) };
    if let Some((other, _)) = texts.iter().find(|(_, other)| other != text) {
        return Err(Failure::usage(format!(
            "clusters {first} and {other} need different permissions"
        ))
        .hint(format!("`--context {first}` prints those of one cluster")));
    }
    Ok(text.clone())
}

/// The one of a revision that has its own.
fn config_map(istiod: &Istiod) -> Option<String> {
    (istiod.revision != "default").then(|| format!("istio-{}", istiod.revision))
}

impl Rights {
    /// Those of a cluster without a spec.
    fn usual(version: Option<Version>) -> Self {
        Self {
            namespace: meshapply::names::ISTIO_NAMESPACE.to_owned(),
            mesh: BTreeSet::from(["istio".to_owned()]),
            filters: version.is_some_and(rewrites),
            dns: dns::USUAL.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).into(),
            edits: false,
        }
    }

    fn of(cluster: &MeshCluster) -> Self {
        Self {
            namespace: cluster.istio_namespace.clone(),
            mesh: BTreeSet::from(["istio".to_owned()]),
            filters: rewrites(cluster.version),
            dns: [dns::places(cluster), dns::elsewhere(cluster)].concat(),
            edits: cluster_dns::edits(cluster.dns),
        }
    }

    fn text(&self, user: Option<&str>) -> String {
        let subject = subject(user, "meshctl", &self.namespace);
        let mut manifests = Manifests::new(&self.header());
        if user.is_none() {
            manifests.add("", account("meshctl", &self.namespace));
        }
        let why = "`discover`: services and the workloads behind them, gateways, istiod. `diff`: Istio's resources, and what else decides whether calls arrive. `apply`: what it writes.";
        manifests.role(why, &subject, None, "meshctl-mesh", self.cluster_rules());
        let istio = vec![rule("", &["configmaps"], &texts(&self.mesh), &["get"])];
        let why = "`discover`: the trust domain.";
        manifests.role(why, &subject, Some(&self.namespace), "meshctl-mesh", istio);
        // All of them are in one namespace. A rule without names would be for every ConfigMap.
        let Some((namespace, _)) = self.dns.first() else { return manifests.text };
        let why = if self.edits {
            "The block of meshctl in the ConfigMap that the cluster's DNS reads."
        } else {
            "Whether a block of meshctl is left over in the ConfigMap that the cluster's DNS reads."
        };
        manifests.role(why, &subject, Some(namespace), "meshctl-mesh-dns", self.dns_rules());
        manifests.text
    }

    /// What the rights are for, and what their holder can do with them.
    fn header(&self) -> Vec<String> {
        let mut lines = vec![
            "The permissions that `meshctl mesh discover`, `diff` and `apply` need in one cluster, and no others.",
            "",
            "Anyone who has them:",
            "- can write Istio's traffic resources in every namespace, and so send every call of the mesh elsewhere",
        ];
        if self.edits {
            lines.push("- can change what the cluster's DNS answers, and so send every connection of the cluster elsewhere");
        }
        lines.push("- can read every Deployment, StatefulSet and DaemonSet of the cluster, with the environment of its containers");
        lines.into_iter().map(str::to_owned).collect()
    }

    fn cluster_rules(&self) -> Vec<Value> {
        const GROUP: &str = "networking.istio.io";
        const ALL: [&str; 5] =
            ["destinationrules", "gateways", "serviceentries", "virtualservices", "envoyfilters"];
        let written = if self.filters { &ALL[..] } else { &ALL[..4] };
        vec![
            rule("", &["namespaces", "services"], &[], &["list"]),
            rule("apps", &["deployments", "statefulsets", "daemonsets"], &[], &["list"]),
            rule(GROUP, &ALL, &[], &["list"]),
            // What decides whether calls arrive, and is not written.
            rule(GROUP, &["sidecars"], &[], &["list"]),
            rule("security.istio.io", &["peerauthentications"], &[], &["list"]),
            rule(GROUP, written, &[], &["create", "patch", "delete"]),
        ]
    }

    fn dns_rules(&self) -> Vec<Value> {
        let names: Vec<&str> = self.dns.iter().map(|(_, name)| name.as_str()).collect();
        let verbs: &[&str] = if self.edits { &["get", "patch"] } else { &["get"] };
        vec![rule("", &["configmaps"], &names, verbs)]
    }
}
