//! The rights a push needs, as RBAC manifests: by name wherever Kubernetes can limit by name, no wildcard.

use std::collections::{BTreeMap, BTreeSet};

use meshapply::names::{CACERTS, PREVIOUS, ROOT_CONFIG_MAP};
use meshapply::workload::Kind;

use crate::args::Push;
use crate::clusters::{Seen, Target, Way, look, targets};
use crate::report::Failure;
use crate::{Exit, Io, show};

/// What the manifests name.
struct Rights {
    namespace: String,
    /// Whom they are for, as lines of a subject.
    subject: String,
    service_account: String,
    /// Deployments of istiod.
    istiod: BTreeSet<String>,
    /// ConfigMaps with the mesh's configuration.
    mesh: BTreeSet<String>,
    /// What may restart, by namespace.
    restarts: BTreeMap<String, BTreeSet<(Kind, String)>>,
    /// The gateways were named, and the injected workloads are left alone: nothing has to be listed to find them.
    named: bool,
    /// The injected workloads restart too.
    workloads: bool,
}

/// Prints them: for what is in the clusters, which all need the same, or without one for the names Istio gives.
pub(crate) async fn print(args: &Push, io: &mut Io<'_>) -> Result<Exit, Failure> {
    if args.clusters.is_empty() {
        let namespace = args.clusters.namespace().to_owned();
        show::output(&Rights::new(args, namespace, None).text(), io)?;
        return Ok(Exit::Good);
    }
    let way = Way::of(&args.clusters, &args.rollout);
    let targets = targets(&args.clusters, way, args.rollout.workloads, io).await?;
    let seen = look(&targets).await?;
    let text = |(target, seen): (&Target, &Seen)| {
        Rights::new(args, target.istio_namespace.clone(), Some(seen)).text()
    };
    let texts: Vec<String> = targets.iter().zip(&seen).map(text).collect();
    if let Some(other) = texts.iter().position(|text| *text != texts[0]) {
        let (first, other) = (&targets[0].name, &targets[other].name);
        return Err(Failure::usage(format!("clusters {first} and {other} need different rights"))
            .hint(format!("`--context {first}` prints those of one")));
    }
    show::output(&texts[0], io)?;
    Ok(Exit::Good)
}

impl Rights {
    fn new(args: &Push, namespace: String, seen: Option<&Seen>) -> Self {
        let mut rights = Self {
            subject: subject(args.rbac_user.as_deref(), &namespace),
            service_account: args.clusters.service_account.clone(),
            istiod: BTreeSet::from(["istiod".to_owned()]),
            mesh: BTreeSet::from(["istio".to_owned()]),
            restarts: BTreeMap::new(),
            named: !args.clusters.gateways.is_empty() && !args.rollout.workloads,
            workloads: args.rollout.workloads,
            namespace,
        };
        match seen {
            Some(seen) => rights.take(seen),
            None => rights.guess(args),
        }
        rights
    }

    /// What is in a cluster.
    fn take(&mut self, seen: &Seen) {
        if !seen.istiods.is_empty() {
            self.istiod = seen.istiods.iter().map(|istiod| istiod.id.name.clone()).collect();
        }
        let revisions = seen.istiods.iter().filter(|istiod| istiod.revision != "default");
        self.mesh.extend(revisions.map(|istiod| format!("istio-{}", istiod.revision)));
        for workload in seen.observed.gateways.iter().chain(&seen.observed.workloads) {
            let id = &workload.id;
            self.restarts
                .entry(id.namespace.clone())
                .or_default()
                .insert((id.kind, id.name.clone()));
        }
    }

    /// The gateways named, or those of Istio's own installation.
    fn guess(&mut self, args: &Push) {
        let usual = ["ingressgateway", "egressgateway", "eastwestgateway"];
        let usual = usual.map(|name| format!("{}/istio-{name}", self.namespace));
        let given = args.clusters.gateways.as_slice();
        let names = if given.is_empty() { &usual } else { given };
        for (namespace, name) in names.iter().filter_map(|text| text.split_once('/')) {
            let of = self.restarts.entry(namespace.to_owned()).or_default();
            of.insert((Kind::Deployment, name.to_owned()));
        }
    }

    fn text(&self) -> String {
        let mut text =
            "# What `meshctl push`, `rollback`, `status` and `rotate` may do, and nothing else.\n"
                .to_owned();
        if self.subject.contains("ServiceAccount") {
            text += &account(&self.namespace);
        }
        text += &role(&self.subject, Some(&self.namespace), "meshctl", &self.istio_rules());
        text += "---\n";
        text += &role(&self.subject, None, "meshctl", &self.cluster_rules());
        for (namespace, workloads) in &self.restarts {
            text += "---\n";
            let rules = restart_rules(workloads);
            text += &role(&self.subject, Some(namespace), "meshctl-restart", &rules);
        }
        text
    }

    fn istio_rules(&self) -> String {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let istiod = names(&self.istiod);
        [
            rule("", "secrets", Some(&format!("{CACERTS}, {PREVIOUS}")), "get, patch"),
            "  # A creation cannot be limited to a name.\n".to_owned()
                + &rule("", "secrets", None, "create"),
            rule("apps", "deployments", None, "list"),
            rule("apps", "deployments", Some(&istiod), "patch"),
            rule("", "configmaps", Some(&names(&self.mesh)), "get"),
            rule("", "pods", None, "list"),
            "  # To ask istiod what it serves, and to have it sign a canary certificate.\n"
                .to_owned()
                + &rule("", "pods/portforward", None, "create, get"),
            rule("", "serviceaccounts/token", Some(&self.service_account), "create"),
        ]
        .concat()
    }

    fn cluster_rules(&self) -> String {
        let find = if self.named {
            String::new()
        } else {
            "  # To find the gateways; `--gateway NAMESPACE/NAME` does without.\n".to_owned()
                + &rule("apps", "deployments, statefulsets, daemonsets", None, "list")
        };
        let pods = if self.workloads {
            "  # To find the workloads with a sidecar.\n".to_owned()
                + &rule("", "pods", None, "list")
        } else {
            String::new()
        };
        find + &pods
            + &rule("", "namespaces", None, "list")
            + &rule("", "configmaps", Some(ROOT_CONFIG_MAP), "list")
    }
}

/// Whom rights are for, as lines of a subject: a user, or the service account `meshctl` of a namespace.
pub(crate) fn subject(user: Option<&str>, namespace: &str) -> String {
    match user {
        Some(user) => {
            format!("  - kind: User\n    name: {user:?}\n    apiGroup: rbac.authorization.k8s.io\n")
        }
        None => {
            format!("  - kind: ServiceAccount\n    name: meshctl\n    namespace: {namespace}\n")
        }
    }
}

/// That service account, and the end of its document.
pub(crate) fn account(namespace: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: meshctl\n  namespace: {namespace}\n---\n"
    )
}

/// A Role, or without a namespace a ClusterRole, and its binding.
pub(crate) fn role(subject: &str, namespace: Option<&str>, name: &str, rules: &str) -> String {
    let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
    let place = namespace.map(|name| format!("  namespace: {name}\n")).unwrap_or_default();
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n{place}rules:\n{rules}---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding\nmetadata:\n  name: {name}\n{place}roleRef:\n  \
         apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {name}\nsubjects:\n{subject}"
    )
}

/// Restarts, by name.
fn restart_rules(workloads: &BTreeSet<(Kind, String)>) -> String {
    let mut rules = rule("", "pods", None, "list");
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet] {
        let names = workloads.iter().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            rules += &rule("apps", &format!("{}s", kind.word()), Some(&names), "get, patch");
        }
    }
    rules
}

/// One rule.
pub(crate) fn rule(group: &str, resources: &str, names: Option<&str>, verbs: &str) -> String {
    let names = names.map(|names| format!("    resourceNames: [{names}]\n")).unwrap_or_default();
    format!(
        "  - apiGroups: [{group:?}]\n    resources: [{resources}]\n{names}    verbs: [{verbs}]\n"
    )
}
