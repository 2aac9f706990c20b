//! The rights a push needs, as RBAC manifests: by name wherever Kubernetes can limit by name, no wildcard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use meshapply::kube::{Istiod, Right};
use meshapply::names::{
    CACERTS, CRL_CONFIG_MAP, OWN_CA, PREVIOUS, ROOT_CONFIG_MAP, ROOT_TRUST_BUNDLE,
};
use meshapply::workload::Kind;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Selection, Target, failed, look, targets};
use crate::io::Io;
use crate::text::{safe, word};

/// What the manifests name.
struct Rights {
    namespace: String,
    /// The user they are for; `None`: the service account `meshctl`.
    user: Option<String>,
    service_account: String,
    /// How the secrets are created.
    secrets: Secrets,
    /// Workloads may be restarted.
    restart: bool,
    /// Deployments of istiod.
    istiod: BTreeSet<String>,
    /// ConfigMaps with the mesh's configuration.
    mesh: BTreeSet<String>,
    /// What may restart, by namespace.
    restarts: BTreeMap<String, BTreeSet<(Kind, String)>>,
    /// The gateways were named, and injected workloads do not restart: nothing needs to be listed to find them.
    named: bool,
    /// Where roots are handed out.
    roots: Roots,
    /// Which pods are listed besides.
    pods: Pods,
}

/// Where istiod hands out roots.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roots {
    /// In a ConfigMap in every namespace.
    ConfigMaps,
    /// In a ClusterTrustBundle.
    TrustBundle,
}

/// Pods that are listed besides those of istiod and the gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pods {
    /// None.
    No,
    /// Those of injected workloads, which restart too.
    Injected,
    /// All with a proxy, which is asked for its certificates.
    Proxies,
}

/// How the secrets that a push writes are created.
#[derive(PartialEq, Eq)]
enum Secrets {
    /// They exist, or an administrator creates them: no cluster was asked.
    MadeBefore,
    /// These do not exist, and are among the manifests.
    Missing(Vec<&'static str>),
    /// A push may create them, and so any other.
    Created,
}

/// The properties of a push that its rights depend on.
pub(crate) struct Request<'a> {
    /// The clusters it is for.
    pub(crate) selection: &'a Selection,
    /// The user the rights are for; `None`: the service account `meshctl`.
    pub(crate) user: Option<&'a str>,
    /// The right to create secrets is included.
    pub(crate) create_secrets: bool,
    /// Workloads may be restarted.
    pub(crate) restart: bool,
    /// The rights of `rotate root` are included.
    pub(crate) rotate_root: bool,
}

/// The manifests: for what is in the clusters, which must all need the same, or without a cluster for the names Istio
/// gives.
pub(crate) async fn manifests(request: &Request<'_>, io: &mut Io<'_>) -> Result<String, Failure> {
    if request.selection.is_empty() {
        let namespace = request.selection.namespace().to_owned();
        return Ok(Rights::new(request, namespace, None).text());
    }
    let targets = targets(request.selection, io).await?;
    let seen = look(&targets).await?;
    let text = |(target, seen): (&Target, &Seen)| {
        Rights::new(request, target.istio_namespace.clone(), Some(seen)).text()
    };
    let texts: Vec<String> = targets.iter().zip(&seen).map(text).collect();
    one_text(&targets, texts)
}

impl Rights {
    fn new(request: &Request<'_>, namespace: String, seen: Option<&Seen>) -> Self {
        let mut rights = Self {
            user: request.user.map(str::to_owned),
            service_account: request.selection.service_account.clone(),
            secrets: match seen {
                _ if request.create_secrets => Secrets::Created,
                None => Secrets::MadeBefore,
                Some(seen) => Secrets::Missing(missing(seen)),
            },
            restart: request.restart,
            istiod: BTreeSet::from(["istiod".to_owned()]),
            mesh: BTreeSet::from(["istio".to_owned()]),
            restarts: BTreeMap::new(),
            roots: Roots::ConfigMaps,
            named: !request.selection.gateways.is_empty() && !request.selection.workloads,
            pods: match request.selection.workloads {
                _ if request.rotate_root => Pods::Proxies,
                true => Pods::Injected,
                false => Pods::No,
            },
            namespace,
        };
        match seen {
            Some(seen) => rights.take(seen),
            None => rights.guess(request.selection),
        }
        rights
    }

    /// What is in a cluster.
    fn take(&mut self, seen: &Seen) {
        self.take_istiods(&seen.istiods);
        for workload in seen.observed.gateways.iter().chain(&seen.observed.workloads) {
            let id = &workload.id;
            self.restarts
                .entry(id.namespace.clone())
                .or_default()
                .insert((id.kind, id.name.clone()));
        }
    }

    /// The istiods that are there.
    fn take_istiods(&mut self, istiods: &[Istiod]) {
        if !istiods.is_empty() {
            self.istiod = istiods.iter().map(|istiod| istiod.id.name.clone()).collect();
        }
        if istiods.iter().any(|istiod| istiod.trust_bundle) {
            self.roots = Roots::TrustBundle;
        }
        self.mesh = mesh_maps(istiods);
    }

    /// The gateways named, or those of Istio's own installation.
    fn guess(&mut self, selection: &Selection) {
        let usual = ["ingressgateway", "egressgateway", "eastwestgateway"];
        let usual = usual.map(|name| (self.namespace.clone(), format!("istio-{name}")));
        let given = selection.gateways.as_slice();
        for (namespace, name) in if given.is_empty() { &usual } else { given } {
            let of = self.restarts.entry(namespace.clone()).or_default();
            of.insert((Kind::Deployment, name.clone()));
        }
    }

    fn text(&self) -> String {
        let mut manifests = Manifests::new(&self.header());
        if self.user.is_none() {
            manifests.add("", account("meshctl", &self.namespace));
        }
        if let Secrets::Missing(names) = &self.secrets {
            for name in names {
                manifests
                    .add("Empty: `meshctl push` fills it.", empty_secret(name, &self.namespace));
            }
        }
        let subject = subject(self.user.as_deref(), "meshctl", &self.namespace);
        let why = "The secrets and istiod. To verify a push, istiod is asked what it serves, and asked to sign a test certificate.";
        manifests.role(why, &subject, Some(&self.namespace), "meshctl", self.istio_rules());
        let why = if self.named {
            "The namespaces, and the roots and CRLs that each has."
        } else {
            "The namespaces, the roots and CRLs that each has, and the gateways (not listed if you use `--gateway NAMESPACE/NAME`)."
        };
        manifests.role(why, &subject, None, "meshctl", self.cluster_rules());
        for (namespace, workloads) in &self.restarts {
            let rules = self.restart_rules(workloads);
            let why = if self.restart { "Gateways and workloads to restart." } else { "Gateways." };
            manifests.role(why, &subject, Some(namespace), "meshctl-restart", rules);
        }
        manifests.text
    }

    /// What the rights are for, and what their holder can do with them.
    fn header(&self) -> Vec<String> {
        let namespace = &self.namespace;
        let mut lines = vec![
            "The permissions that `meshctl push`, `rollback`, `rotate` and `status` need in one cluster, and no others.".to_owned(),
            String::new(),
            "Anyone who has them:".to_owned(),
            format!("- can read and replace the CA's private key in secret {namespace}/{CACERTS}, and so impersonate any workload"),
            "  of the mesh, in every cluster that trusts its root".to_owned(),
        ];
        if self.restart {
            let mut places = BTreeSet::from([namespace.as_str()]);
            places.extend(self.restarts.keys().map(String::as_str));
            let places = places.into_iter().collect::<Vec<_>>().join(", ");
            lines.push("- can change pod templates, to restart istiod and gateways, and so run any program as any service".to_owned());
            lines.push(format!(
                "  account in {places}; `--restart never` omits this permission, and a renewal under the"
            ));
            lines.push("  same root does not need it (Istio 1.18 and later)".to_owned());
        }
        lines.extend(self.about_pods());
        lines.push(format!(
            "- can get tokens for service account {namespace}/{}",
            self.service_account
        ));
        if !self.named {
            lines.push("- can read every Deployment, StatefulSet and DaemonSet of the cluster, with the environment of its containers".to_owned());
        }
        lines.extend(self.about_secrets());
        lines
    }

    fn about_pods(&self) -> Vec<String> {
        let namespace = &self.namespace;
        if self.pods != Pods::Proxies {
            return vec![format!("- can connect to every port of every pod in {namespace}")];
        }
        vec![
            "- can connect to every port of every pod of the cluster, the admin ports of proxies included".to_owned(),
            format!("- can read the key of the CA that istiod made for itself, in secret {namespace}/{OWN_CA}"),
        ]
    }

    fn about_secrets(&self) -> Vec<String> {
        const KIND: &str = "kubernetes.io/service-account-token";
        let namespace = &self.namespace;
        if self.secrets == Secrets::Created {
            return vec![
                format!(
                    "- can create secrets, which cannot be limited to a name. A secret of type {KIND} allows them to act as"
                ),
                format!(
                    "  any service account in {namespace}; without `--rbac-create-secrets`, this permission is omitted"
                ),
            ];
        }
        let mut lines = vec![
            String::new(),
            "They cannot create secrets: that permission cannot be limited to a name, and a secret of type".to_owned(),
            format!("{KIND} would allow them to act as any service account in {namespace}."),
        ];
        if self.secrets == Secrets::MadeBefore {
            lines.push("The two secrets that a push writes must exist, with or without content. These commands create them, and".to_owned());
            lines.push("change nothing that exists:".to_owned());
            for name in [CACERTS, PREVIOUS] {
                let namespace = word(Path::new(namespace));
                lines.push(format!("  kubectl -n {namespace} create secret generic {name}"));
            }
        }
        lines
    }

    fn istio_rules(&self) -> Vec<Value> {
        let mut rules = vec![rule("", &["secrets"], &[CACERTS, PREVIOUS], &["get", "patch"])];
        if self.pods == Pods::Proxies {
            rules.push(rule("", &["secrets"], &[OWN_CA], &["get"]));
        }
        if self.secrets == Secrets::Created {
            rules.push(rule("", &["secrets"], &[], &["create"]));
        }
        rules.push(rule("apps", &["deployments"], &[], &["list"]));
        if self.restart {
            rules.push(rule("apps", &["deployments"], &texts(&self.istiod), &["patch"]));
        }
        rules.extend([
            rule("", &["configmaps"], &texts(&self.mesh), &["get"]),
            rule("", &["pods"], &[], &["list"]),
            rule("", &["pods/portforward"], &[], &["create", "get"]),
            rule("", &["serviceaccounts/token"], &[&self.service_account], &["create"]),
        ]);
        rules
    }

    fn cluster_rules(&self) -> Vec<Value> {
        let mut rules = Vec::new();
        if !self.named {
            rules.push(rule(
                "apps",
                &["deployments", "statefulsets", "daemonsets"],
                &[],
                &["list"],
            ));
        }
        if self.pods != Pods::No {
            rules.push(rule("", &["pods"], &[], &["list"]));
        }
        if self.pods == Pods::Proxies {
            rules.push(rule("", &["pods/portforward"], &[], &["create", "get"]));
            rules.push(rule("networking.istio.io", &["workloadentries"], &[], &["list"]));
        }
        rules.push(rule("", &["namespaces"], &[], &["list"]));
        // CRLs are in ConfigMaps wherever the roots are.
        let given: &[&str] = match self.roots {
            Roots::ConfigMaps => &[ROOT_CONFIG_MAP, CRL_CONFIG_MAP],
            Roots::TrustBundle => &[CRL_CONFIG_MAP],
        };
        rules.push(rule("", &["configmaps"], given, &["list"]));
        if self.roots == Roots::TrustBundle {
            let names = [ROOT_TRUST_BUNDLE];
            rules.push(rule("certificates.k8s.io", &["clustertrustbundles"], &names, &["get"]));
        }
        rules
    }

    /// Restarts, by name.
    fn restart_rules(&self, workloads: &BTreeSet<(Kind, String)>) -> Vec<Value> {
        let verbs: &[&str] = if self.restart { &["get", "patch"] } else { &["get"] };
        let mut rules = vec![rule("", &["pods"], &[], &["list"])];
        for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
            let names = workloads.iter().filter(|(of, _)| *of == kind);
            let names: Vec<&str> = names.map(|(_, name)| name.as_str()).collect();
            if !names.is_empty() {
                rules.push(rule("apps", &[&format!("{}s", kind.word())], &names, verbs));
            }
        }
        rules
    }
}

/// The rights that `status` needs in a cluster, and those that a push needs besides, as the manifests grant them; those
/// to restart gateways are not among them.
pub(crate) struct Needed {
    /// To read.
    pub(crate) status: Vec<Right>,
    /// To install.
    pub(crate) push: Vec<Right>,
}

/// The rights for the istiods in this namespace; without any, for the names Istio gives.
pub(crate) fn needed(selection: &Selection, namespace: &str, istiods: &[Istiod]) -> Needed {
    let request =
        Request { selection, user: None, create_secrets: false, restart: true, rotate_root: false };
    let mut rights = Rights::new(&request, namespace.to_owned(), None);
    rights.take_istiods(istiods);
    let mut all = Vec::new();
    all.extend(rights.istio_rules().iter().flat_map(|rule| each(rule, Some(namespace))));
    all.extend(rights.cluster_rules().iter().flat_map(|rule| each(rule, None)));
    let is_of_push =
        |right: &Right| right.verb == "patch" || right.resource == "serviceaccounts/token";
    let (push, status) = all.into_iter().partition(is_of_push);
    Needed { status, push }
}

/// What a rule grants, one by one.
fn each(rule: &Value, namespace: Option<&str>) -> Vec<Right> {
    let texts = |key: &str| -> Vec<String> {
        let list = rule[key].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let names = texts("resourceNames");
    let names: Vec<Option<String>> =
        if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
    let mut found = Vec::new();
    for resource in texts("resources") {
        for name in &names {
            for verb in texts("verbs") {
                found.push(Right {
                    verb,
                    group: texts("apiGroups").concat(),
                    resource: resource.clone(),
                    namespace: namespace.map(str::to_owned),
                    name: name.clone(),
                });
            }
        }
    }
    found
}

/// The rights of `meshctl exporter`, as manifests: for what is in the clusters, which must all need the same, or without
/// a cluster for the names Istio gives.
pub(crate) async fn exporter(
    selection: &Selection,
    user: Option<&str>,
    io: &mut Io<'_>,
) -> Result<String, Failure> {
    if selection.is_empty() {
        return Ok(exporter_text(selection.namespace(), user, &[]));
    }
    let targets = targets(selection, io).await?;
    let mut texts = Vec::new();
    for target in &targets {
        let istiods = target.kube.istiods().await;
        let istiods = istiods.map_err(|error| failed(target, &error))?;
        texts.push(exporter_text(&target.istio_namespace, user, &istiods));
    }
    one_text(&targets, texts)
}

/// The text that all clusters have.
fn one_text(targets: &[Target], texts: Vec<String>) -> Result<String, Failure> {
    if let Some(other) = texts.iter().position(|text| *text != texts[0]) {
        let (first, other) = (&targets[0].name, &targets[other].name);
        return Err(Failure::usage(format!(
            "clusters {first} and {other} need different permissions"
        ))
        .hint(format!("`--context {first}` prints those of one cluster")));
    }
    Ok(texts.into_iter().next().unwrap_or_default())
}

/// The ConfigMaps with the mesh's configuration: that of the default revision, and of each other one.
fn mesh_maps(istiods: &[Istiod]) -> BTreeSet<String> {
    let others = istiods.iter().filter(|istiod| istiod.revision != "default");
    let others = others.map(|istiod| format!("istio-{}", istiod.revision));
    std::iter::once("istio".to_owned()).chain(others).collect()
}

fn exporter_text(namespace: &str, user: Option<&str>, istiods: &[Istiod]) -> String {
    const NAME: &str = "meshctl-exporter";
    let header = [
        "The permissions that `meshctl exporter` needs in one cluster, and no others. They allow no writes,"
            .to_owned(),
        "and no reading of secrets. Anyone who has them:".to_owned(),
        format!("- can connect to every port of every pod in {namespace}"),
        format!("- can read every Deployment in {namespace}, with the environment of its containers"),
    ];
    let mut manifests = Manifests::new(&header);
    if user.is_none() {
        manifests.add("", account(NAME, namespace));
    }
    let subject = subject(user, NAME, namespace);
    let of_istio = vec![
        rule("apps", &["deployments"], &[], &["list"]),
        rule("", &["configmaps"], &texts(&mesh_maps(istiods)), &["get"]),
        rule("", &["pods"], &[], &["list"]),
        rule("", &["pods/portforward"], &[], &["create", "get"]),
    ];
    let why = "What istiod is, and what it serves: each pod is asked for its certificate.";
    manifests.role(why, &subject, Some(namespace), NAME, of_istio);
    let mut of_cluster = vec![
        rule("", &["namespaces"], &[], &["list"]),
        rule("", &["configmaps"], &[ROOT_CONFIG_MAP, CRL_CONFIG_MAP], &["list"]),
    ];
    if istiods.iter().any(|istiod| istiod.trust_bundle) {
        let names = [ROOT_TRUST_BUNDLE];
        of_cluster.push(rule("certificates.k8s.io", &["clustertrustbundles"], &names, &["get"]));
    }
    let why = "The namespaces, and the roots and CRLs that each has.";
    manifests.role(why, &subject, None, NAME, of_cluster);
    manifests.text
}

/// The secrets of a push that a cluster does not have.
fn missing(seen: &Seen) -> Vec<&'static str> {
    let observed = &seen.observed;
    let mut missing = Vec::new();
    if observed.basis().is_none() {
        missing.push(CACERTS);
    }
    if !observed.has_previous {
        missing.push(PREVIOUS);
    }
    missing
}

/// Strings of a set.
pub(crate) fn texts(set: &BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

/// YAML documents with comments. Every name is written by the serializer, or escaped in a comment.
pub(crate) struct Manifests {
    /// The text so far.
    pub(crate) text: String,
}

impl Manifests {
    /// Begins with a comment.
    pub(crate) fn new(header: &[String]) -> Self {
        let mut manifests = Self { text: String::new() };
        header.iter().for_each(|line| manifests.comment(line));
        manifests
    }

    fn comment(&mut self, line: &str) {
        let line = safe(line);
        self.text += format!("# {line}").trim_end();
        self.text.push('\n');
    }

    /// One more document, below a line that says what it is for.
    pub(crate) fn add(&mut self, why: &str, document: Value) {
        self.text += "---\n";
        if !why.is_empty() {
            self.comment(why);
        }
        self.text += &meshconfig::resource::yaml(&document);
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// A Role, or without a namespace a ClusterRole, and its binding.
    pub(crate) fn role(
        &mut self,
        why: &str,
        subject: &Value,
        namespace: Option<&str>,
        name: &str,
        rules: Vec<Value>,
    ) {
        const GROUP: &str = "rbac.authorization.k8s.io";
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut metadata = json!({"name": name});
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let api_version = format!("{GROUP}/v1");
        self.add(
            why,
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "rules": rules}),
        );
        self.add(
            "",
            json!({
                "apiVersion": api_version,
                "kind": format!("{kind}Binding"),
                "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": kind, "name": name},
                "subjects": [subject],
            }),
        );
    }
}

/// The subject of the rights: a user, or this service account.
pub(crate) fn subject(user: Option<&str>, account: &str, namespace: &str) -> Value {
    match user {
        Some(user) => {
            json!({"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"})
        }
        None => json!({"kind": "ServiceAccount", "name": account, "namespace": namespace}),
    }
}

/// A service account.
pub(crate) fn account(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    })
}

fn empty_secret(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
    })
}

/// One rule; without names it is for all objects.
pub(crate) fn rule(group: &str, resources: &[&str], names: &[&str], verbs: &[&str]) -> Value {
    let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

#[cfg(test)]
mod tests;
