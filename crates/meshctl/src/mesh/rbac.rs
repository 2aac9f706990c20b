//! The rights `discover`, `diff` and `apply` need, as RBAC manifests: by name wherever Kubernetes can limit by name.

use std::collections::BTreeSet;
use std::path::Path;

use meshapply::kube::Istiod;
use meshconfig::dialect::rewrites;
use meshconfig::dns;
use meshconfig::mesh::Cluster;
use meshpki::istiod::Version;

use super::args::Apply;
use super::{answers, live, load};
use crate::rbac::{account, role, rule, subject};
use crate::report::Failure;
use crate::{Exit, Io, show};

/// What the manifests name.
struct Rights {
    /// Istio's namespace.
    namespace: String,
    /// ConfigMaps with the mesh's configuration.
    mesh: BTreeSet<String>,
    /// The release is one we write EnvoyFilters for.
    filters: bool,
    /// ConfigMaps its DNS may read: namespace and name.
    dns: Vec<(String, String)>,
    /// They are written, not only looked at.
    edits: bool,
}

/// Prints them: for the clusters of the spec, which all need the same, or without a spec for the names Istio gives. A
/// cluster that is named is asked for its revisions of istiod.
pub(super) async fn print(args: &Apply, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let file = &args.source.file;
    // The default name: there is no spec yet.
    let rights = if file == Path::new("mesh.yaml") && !file.exists() {
        if !args.contexts.contexts.is_empty() {
            // A standard error that is gone cannot be told anything.
            let _ = writeln!(
                io.err,
                "note: there is no mesh.yaml yet, so no cluster is asked: the rights are for the names Istio gives"
            );
        }
        vec![(String::new(), Rights::usual(args.source.istio))]
    } else {
        let mesh = load::mesh(&args.source, io)?;
        let named = live::of_mesh(&mesh, &args.contexts)?;
        let of = |name: &String| Some((name.clone(), Rights::of(mesh.cluster(name)?)));
        let names: Vec<String> = named.iter().map(|one| one.name.clone()).collect();
        let mut rights: Vec<(String, Rights)> = names.iter().filter_map(of).collect();
        if !args.contexts.contexts.is_empty() {
            let targets = live::targets(&args.contexts, &args.force, named, io).await?;
            let istiods = live::ask_all(&targets, |target| target.kube.istiods()).await?;
            for ((_, rights), istiods) in rights.iter_mut().zip(istiods) {
                rights.mesh.extend(istiods.iter().filter_map(config_map));
            }
        }
        rights
    };
    let user = args.rbac_user.as_deref();
    let texts: Vec<(&str, String)> =
        rights.iter().map(|(name, rights)| (name.as_str(), rights.text(user))).collect();
    let Some((first, text)) = texts.first() else { return Ok(Exit::Good) };
    if let Some((other, _)) = texts.iter().find(|(_, other)| other != text) {
        return Err(Failure::usage(format!("clusters {first} and {other} need different rights"))
            .hint(format!("`--context {first}` prints those of one")));
    }
    show::output(text, io)?;
    Ok(Exit::Good)
}

/// The one of a revision that has its own.
fn config_map(istiod: &Istiod) -> Option<String> {
    (istiod.revision != "default").then(|| format!("istio-{}", istiod.revision))
}

impl Rights {
    /// Of a cluster nobody has said anything of.
    fn usual(version: Option<Version>) -> Self {
        Self {
            namespace: meshapply::names::ISTIO_NAMESPACE.to_owned(),
            mesh: BTreeSet::from(["istio".to_owned()]),
            filters: version.is_some_and(rewrites),
            dns: dns::USUAL.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).into(),
            edits: false,
        }
    }

    fn of(cluster: &Cluster) -> Self {
        Self {
            namespace: cluster.istio_namespace.clone(),
            mesh: BTreeSet::from(["istio".to_owned()]),
            filters: rewrites(cluster.version),
            dns: [dns::places(cluster), dns::elsewhere(cluster)].concat(),
            edits: answers::edits(cluster.dns),
        }
    }

    fn text(&self, user: Option<&str>) -> String {
        let subject = subject(user, &self.namespace);
        let mut text =
            "# What `meshctl mesh discover`, `diff` and `apply` may do, and nothing else.\n"
                .to_owned();
        if user.is_none() {
            text += &account(&self.namespace);
        }
        text += &role(&subject, None, "meshctl-mesh", &self.cluster_rules());
        text += "---\n";
        let names: Vec<&str> = self.mesh.iter().map(String::as_str).collect();
        let istio = "  # `discover`: the trust domain.\n".to_owned()
            + &rule("", "configmaps", Some(&names.join(", ")), "get");
        text += &role(&subject, Some(&self.namespace), "meshctl-mesh", &istio);
        text += "---\n";
        // All of them are in one namespace.
        let namespace = self.dns.first().map(|(namespace, _)| namespace.as_str());
        text += &role(&subject, namespace, "meshctl-mesh-dns", &self.dns_rules());
        text
    }

    fn cluster_rules(&self) -> String {
        const KINDS: &str = "destinationrules, gateways, serviceentries, virtualservices";
        const GROUP: &str = "networking.istio.io";
        let filters = if self.filters { ", envoyfilters" } else { "" };
        [
            "  # `discover`: the services and the workloads behind them, gateways and istiod.\n"
                .to_owned(),
            rule("", "namespaces, services", None, "list"),
            rule("apps", "deployments, statefulsets, daemonsets", None, "list"),
            "  # `diff`: ours, and what others have beside it.\n".to_owned(),
            rule(GROUP, &format!("{KINDS}, envoyfilters"), None, "list"),
            "  # `apply`.\n".to_owned(),
            rule(GROUP, &format!("{KINDS}{filters}"), None, "create, patch, delete"),
        ]
        .concat()
    }

    fn dns_rules(&self) -> String {
        let names: Vec<&str> = self.dns.iter().map(|(_, name)| name.as_str()).collect();
        let (why, verbs) = if self.edits {
            ("The block of ours in what the cluster's DNS reads.", "get, patch")
        } else {
            ("Whether a block of ours is left over in what the cluster's DNS reads.", "get")
        };
        format!("  # {why}\n") + &rule("", "configmaps", Some(&names.join(", ")), verbs)
    }
}
