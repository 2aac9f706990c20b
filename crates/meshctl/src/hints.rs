//! Problems with the command to run next. The libraries say what would help; how to type it is known here only.

pub(crate) mod endpoint;
pub(crate) mod mesh;
pub(crate) mod remote;

use std::ops::{Deref, DerefMut};
use std::path::Path;

use meshapply::names::ISTIO_NAMESPACE;
use meshapply::workload::Id;
use meshpki::internals::pem::Form;
use meshpki::istiod::{Remedy, SecretProblem, Severity};

use crate::text::word;

/// A problem of a cluster, with the next step.
#[derive(Clone)]
pub(crate) struct Problem {
    facts: SecretProblem,
    /// The next step; `None` if there is none to suggest.
    pub(crate) step: Option<Step>,
}

/// A step that solves a problem or leads to its cause.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// What the library suggests.
    Remedy(Remedy),
    /// Write the folder to the cluster, or finish an earlier push.
    Push {
        /// Istio is not installed yet.
        before_install: bool,
    },
    /// Remove the secret that is kept for a rollback.
    Forget,
    /// List the contexts of the kubeconfig.
    ListContexts,
    /// Find istiod in any namespace.
    FindIstiod,
    /// Create istiod's namespace.
    CreateNamespace,
    /// List the pods of istiod.
    ListPods,
    /// Show the ConfigMaps in istiod's namespace.
    ShowConfigMaps,
    /// Give a workload a replica.
    ScaleUp(Id),
    /// Show why a workload does not come up.
    Describe(Id),
    /// Wait for a rollout.
    WaitFor(Id),
    /// Restart a workload.
    Restart(Id),
}

impl Problem {
    /// A problem with its message, and no more said about it.
    pub(crate) fn new(
        code: &'static str,
        severity: Severity,
        clusters: Vec<String>,
        message: impl Into<String>,
    ) -> Self {
        SecretProblem::new(code, severity, clusters, message).into()
    }

    /// The cluster this is about, if the caller knows nothing about where it is.
    pub(crate) fn somewhere(&self) -> Where<'_> {
        let name = self.clusters.first().map_or("CLUSTER", String::as_str);
        Where {
            name,
            folder: None,
            has_root_key: true,
            context: None,
            istio_namespace: ISTIO_NAMESPACE,
            all: None,
            typed: &UNTYPED,
        }
    }
}

impl From<SecretProblem> for Problem {
    fn from(facts: SecretProblem) -> Self {
        let step = facts.remedy.clone().map(Step::Remedy);
        Self { facts, step }
    }
}

impl Deref for Problem {
    type Target = SecretProblem;

    fn deref(&self) -> &SecretProblem {
        &self.facts
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut SecretProblem {
        &mut self.facts
    }
}

/// Options as they were typed, each with a blank before it: printed commands repeat them.
#[derive(Clone, Default)]
pub(crate) struct Typed {
    /// Those of kubectl.
    pub(crate) kubectl: String,
    /// Those of meshctl, which include kubectl's.
    pub(crate) meshctl: String,
}

/// Nothing was typed.
pub(crate) static UNTYPED: Typed = Typed { kubectl: String::new(), meshctl: String::new() };

impl Typed {
    /// The kubeconfig that was named.
    pub(crate) fn new(kubeconfig: Option<&Path>) -> Self {
        let kubectl = kubeconfig.map(|file| format!(" --kubeconfig {}", word(file)));
        let kubectl = kubectl.unwrap_or_default();
        Self { meshctl: kubectl.clone(), kubectl }
    }

    /// One more option that only meshctl has.
    #[must_use]
    pub(crate) fn with(mut self, option: &str, value: Option<impl AsRef<Path>>) -> Self {
        if let Some(value) = value {
            self.meshctl += &format!(" {option} {}", word(value.as_ref()));
        }
        self
    }
}

/// The cluster that a next command is about.
pub(crate) struct Where<'a> {
    pub(crate) name: &'a str,
    pub(crate) folder: Option<&'a Path>,
    /// Whether the key that signs its CA is in the folder above. Without it nothing can be issued here.
    pub(crate) has_root_key: bool,
    pub(crate) context: Option<&'a str>,
    pub(crate) istio_namespace: &'a str,
    /// All clusters that were asked, as `--context` takes them; `None`: it is the only one.
    pub(crate) all: Option<String>,
    /// The options that reach it.
    pub(crate) typed: &'a Typed,
}

/// Clusters as `--context` takes them, each with its name and its context.
pub(crate) fn all_named<'n>(clusters: impl Iterator<Item = (&'n str, &'n str)>) -> String {
    let clusters = clusters.map(|(name, context)| named(name, context));
    clusters.collect::<Vec<_>>().join(",")
}

/// A cluster as `--context` takes it.
pub(crate) fn named(name: &str, context: &str) -> String {
    let context = word(Path::new(context));
    if name == context { context } else { format!("{}={context}", word(Path::new(name))) }
}

impl Where<'_> {
    /// The next command for a problem; empty if there is none.
    pub(crate) fn next(&self, problem: &Problem) -> String {
        let step = problem.step.as_ref().map(|step| {
            if self.is_for_the_issuer(step) {
                return self.command(&Step::Remedy(Remedy::ListExpiry));
            }
            self.command(step)
        });
        step.unwrap_or_default()
    }

    /// What to do about a problem, and who can do it.
    pub(crate) fn fix(&self, problem: &Problem) -> String {
        match &problem.step {
            Some(Step::Remedy(Remedy::StartOver { .. })) if self.has_root_key => format!(
                "{}; nothing uses the new CA until it is pushed to every cluster",
                problem.fix
            ),
            Some(step) if self.is_for_the_issuer(step) => format!(
                "{}; the key that signs the CA is not in {}: its owner has to issue the certificate",
                problem.fix,
                self.ca()
            ),
            _ => problem.fix.clone(),
        }
    }

    /// Whether a step needs the key of the issuer, and it is not here.
    fn is_for_the_issuer(&self, step: &Step) -> bool {
        let issues = matches!(
            step,
            Step::Remedy(
                Remedy::SignRequest
                    | Remedy::Renew
                    | Remedy::Create
                    | Remedy::Replace
                    | Remedy::StartOver { .. }
            )
        );
        issues && !self.has_root_key
    }

    /// The command of a step.
    fn command(&self, step: &Step) -> String {
        let of = |id: &Id, rest: String| {
            self.kubectl(&format!("-n {} {rest}", word(Path::new(&id.namespace))))
        };
        match step {
            Step::Remedy(remedy) => self.remedy(remedy),
            Step::Push { before_install: false } => self.push(""),
            Step::Push { before_install: true } => self.push(" --before-install"),
            Step::Forget => {
                format!("meshctl forget --context {}{}", self.target(), self.typed.meshctl)
            }
            Step::ListContexts => get_contexts(self.typed),
            Step::FindIstiod => self.kubectl("get deployments -A -l app=istiod"),
            Step::CreateNamespace => {
                self.kubectl(&format!("create namespace {}", word(Path::new(self.istio_namespace))))
            }
            Step::ListPods => self.in_istio("get pods -l app=istiod"),
            Step::ShowConfigMaps => self.in_istio("get configmaps -o yaml"),
            Step::ScaleUp(id) => of(id, format!("scale {id} --replicas 1")),
            Step::Describe(id) => of(id, format!("describe {id}")),
            Step::WaitFor(id) => of(id, format!("rollout status {id}")),
            Step::Restart(id) => of(id, format!("rollout restart {id}")),
        }
    }

    /// What the library suggests for the files of a folder, or for the cluster.
    fn remedy(&self, remedy: &Remedy) -> String {
        let (folder, ca, cluster) = (self.folder(), self.ca(), self.cluster());
        match remedy {
            Remedy::SignRequest => {
                format!("meshctl ca sign {folder}/ca.csr --ca {ca} --out {folder}")
            }
            Remedy::Renew => format!("meshctl ca renew {ca} --cluster {cluster}"),
            // One that begins with a part of the clusters does not see what the others reject.
            Remedy::FinishRotation => {
                let all = self.all.clone().unwrap_or_else(|| self.target());
                format!("meshctl rotate root next NEW --context {all}{}", self.typed.meshctl)
            }
            Remedy::IssueCrls if self.has_root_key => format!("meshctl ca crl {ca}"),
            Remedy::IssueCrls => format!("meshctl ca inspect {folder}/ca-crl.pem"),
            Remedy::BuildChain => format!(
                "meshctl ca chain --leaf {folder}/ca-cert.pem {folder}/*-cert.pem --out {folder}/cert-chain.pem"
            ),
            Remedy::ReplaceChain => format!(
                "mkdir -p {ca}/previous && mv {folder}/cert-chain.pem {ca}/previous/ && meshctl ca chain --leaf {folder}/ca-cert.pem {folder}/*-cert.pem --out {folder}/cert-chain.pem"
            ),
            Remedy::Convert { file, forms } => conversion(&format!("{folder}/{file}"), forms),
            Remedy::SortCertificates { file } => {
                format!("meshctl ca chain {folder}/{file} --out {folder}/{file}")
            }
            Remedy::ListExpiry => format!("meshctl ca expiry --within 365d {folder}"),
            Remedy::StartOver { key_type: None } => {
                format!("meshctl ca init NEW --cluster {cluster}")
            }
            Remedy::StartOver { key_type: Some(kind) } => {
                format!("meshctl ca init NEW --cluster {cluster} --key-type {}", kind.name())
            }
            Remedy::Create => format!("meshctl ca init {ca} --cluster {cluster}"),
            Remedy::Replace => format!(
                "mkdir -p {ca}/previous && mv {folder} {ca}/previous/ && meshctl ca init {ca} --cluster {cluster}"
            ),
            Remedy::Inspect { files } => {
                let files = files.iter().map(|file| format!(" {folder}/{file}"));
                "meshctl ca inspect".to_owned() + &files.collect::<String>()
            }
            Remedy::ExplainTrust { layout } => format!(
                "meshctl ca verify --explain -CAfile {folder}/{} -untrusted {folder}/{} {folder}/{}",
                layout.roots_file(),
                layout.chain_files()[0],
                layout.ca_file()
            ),
            Remedy::CopyRoots => format!("cp {ca}/root-cert.pem {folder}/root-cert.pem"),
            Remedy::MoveOut { file } => format!("mv {folder}/{file} {ca}/"),
            Remedy::ListFiles => format!("ls {folder}"),
            Remedy::FindKeys => format!("grep -l 'PRIVATE KEY' {folder}/*"),
            Remedy::ConvertKey { file } => format!(
                "openssl pkcs8 -topk8 -nocrypt -in {folder}/{file} -out {folder}/{file}.new && mv {folder}/{file}.new {folder}/{file}"
            ),
            Remedy::Install => self.push(" --workloads"),
            other => self.in_cluster(other),
        }
    }

    /// What the library suggests for a running cluster.
    fn in_cluster(&self, remedy: &Remedy) -> String {
        match (remedy, self.context) {
            (Remedy::RestartIstiod, _) => self.in_istio("rollout restart deployment -l app=istiod"),
            (Remedy::ShowRelease, Some(_)) => {
                self.in_istio("get deployments -l app=istiod -o wide")
            }
            (Remedy::ShowRelease, None) => "kubectl get pods -n istio-system -o wide".to_owned(),
            (Remedy::ShowMeshConfig, Some(_)) => {
                self.in_istio("get configmap istio -o jsonpath='{.data.mesh}'")
            }
            (Remedy::ShowMeshConfig, None) => {
                "kubectl get configmap istio -n istio-system -o yaml".to_owned()
            }
            (Remedy::EditMeshConfig, _) => self.in_istio("edit configmap istio"),
            (Remedy::ShowGivenRoots, _) => self
                .in_istio(r"get configmap istio-ca-root-cert -o jsonpath='{.data.root-cert\.pem}'"),
            (Remedy::SkipTrustDomainValidation, _) => self
                .in_istio("set env deployment -l app=istiod PILOT_SKIP_VALIDATE_TRUST_DOMAIN=true"),
            _ => String::new(),
        }
    }

    /// `meshctl push` with these options, each with a blank before it.
    fn push(&self, options: &str) -> String {
        let (ca, target) = (self.ca(), self.target());
        format!("meshctl push {ca} --context {target}{options}{}", self.typed.meshctl)
    }

    fn kubectl(&self, rest: &str) -> String {
        kubectl(self.context(), rest, self.typed)
    }

    /// kubectl in istiod's namespace.
    fn in_istio(&self, rest: &str) -> String {
        self.kubectl(&format!("-n {} {rest}", word(Path::new(self.istio_namespace))))
    }

    fn context(&self) -> &str {
        self.context.unwrap_or("CONTEXT")
    }

    fn target(&self) -> String {
        named(self.name, self.context())
    }

    /// The cluster's folder. A cluster without one gets it in `DIR`.
    fn folder(&self) -> String {
        match self.folder {
            Some(folder) => word(folder),
            None => word(&Path::new("DIR").join(self.name)),
        }
    }

    /// The folder that has the clusters' folders.
    fn ca(&self) -> String {
        match self.folder.map(Path::parent) {
            Some(Some(parent)) if !parent.as_os_str().is_empty() => word(parent),
            Some(_) => ".".to_owned(),
            None => "DIR".to_owned(),
        }
    }

    /// The name of the cluster's folder.
    fn cluster(&self) -> String {
        word(self.folder.and_then(Path::file_name).map_or_else(|| Path::new(self.name), Path::new))
    }
}

/// Filters one after the other, each of which keeps every certificate; the file is replaced when all have succeeded.
fn conversion(file: &str, forms: &[Form]) -> String {
    let filters: Vec<&str> = forms
        .iter()
        .map(|form| match form {
            Form::Utf16 => "iconv -f UTF-16 -t UTF-8",
            Form::ByteOrderMark { .. } => r"LC_ALL=C tr -d '\357\273\277'",
            Form::EscapedNewlines => r#"awk '{ gsub(/\\n/, "\n") } 1'"#,
            Form::Der => "openssl x509 -inform der",
            Form::Pkcs7 { binary: true } => "openssl pkcs7 -inform der -print_certs",
            Form::Pkcs7 { binary: false } => "openssl pkcs7 -print_certs",
            Form::Pkcs12 => "openssl pkcs12 -nokeys -passin file:PASSPHRASE-FILE",
            Form::Indented { .. } => "sed 's/^[[:blank:]]*//'",
            Form::Glued { .. } => r#"awk '{ gsub(/----------BEGIN/, "-----\n-----BEGIN") } 1'"#,
            _ => "cat",
        })
        .collect();
    format!("<{file} {} >{file}.pem && mv {file}.pem {file}", filters.join(" | "))
}

/// A command of kubectl in a context, with the options that were typed.
pub(crate) fn kubectl(context: &str, rest: &str, typed: &Typed) -> String {
    format!("kubectl --context {} {rest}{}", word(Path::new(context)), typed.kubectl)
}

/// A command of kubectl about a resource by its name in messages: `ConfigMap kube-system/coredns`.
pub(crate) fn about(context: &str, verb: &str, id: &str, options: &str, typed: &Typed) -> String {
    let (kind, place) = id.split_once(' ').unwrap_or(("", id));
    let (namespace, name) = place.split_once('/').unwrap_or(("default", place));
    let [kind, namespace, name] = [kind, namespace, name].map(|part| word(Path::new(part)));
    kubectl(context, &format!("-n {namespace} {verb} {kind} {name}{options}"), typed)
}

/// The command that lists the contexts.
pub(crate) fn get_contexts(typed: &Typed) -> String {
    format!("kubectl config get-contexts{}", typed.kubectl)
}

/// The command that asks a context's API server whether it is up.
pub(crate) fn readyz(context: &str, typed: &Typed) -> String {
    kubectl(context, "get --raw /readyz", typed)
}

#[cfg(test)]
mod tests {
    use meshpki::KeyType;

    use super::*;

    #[track_caller]
    fn check(place: &Where<'_>, step: Step, expect: &str) {
        assert_eq!(place.command(&step), expect);
    }

    #[test]
    fn commands_in_a_folder() {
        let place = |folder| Where {
            name: "east",
            folder: Some(Path::new(folder)),
            context: None,
            has_root_key: true,
            istio_namespace: "istio-system",
            all: None,
            typed: &UNTYPED,
        };
        let check =
            |folder, remedy, expect: &str| check(&place(folder), Step::Remedy(remedy), expect);
        check("ca/east", Remedy::Renew, "meshctl ca renew ca --cluster east");
        check("east", Remedy::Create, "meshctl ca init . --cluster east");
        check(
            "my ca/a b",
            Remedy::Replace,
            "mkdir -p 'my ca'/previous && mv 'my ca/a b' 'my ca'/previous/ && meshctl ca init 'my ca' --cluster 'a b'",
        );
        let files = vec!["a.pem".to_owned(), "b.pem".to_owned()];
        check(
            "ca/east",
            Remedy::Inspect { files },
            "meshctl ca inspect ca/east/a.pem ca/east/b.pem",
        );
        let key_type = Some(KeyType::EcdsaP256);
        check(
            "ca/east",
            Remedy::StartOver { key_type },
            "meshctl ca init NEW --cluster east --key-type ecdsa-p256",
        );
        check("ca/east", Remedy::ShowRelease, "kubectl get pods -n istio-system -o wide");
    }

    #[test]
    fn commands_in_a_cluster() {
        let place = |folder: Option<&'static str>, context| Where {
            name: "east",
            folder: folder.map(Path::new),
            has_root_key: true,
            context: Some(context),
            istio_namespace: "istio 1",
            all: Some("east=prod,west".to_owned()),
            typed: &UNTYPED,
        };
        let push = |folder, context, expect: &str| {
            check(&place(folder, context), Step::Remedy(Remedy::Install), expect);
        };
        push(None, "east", "meshctl push DIR --context east --workloads");
        push(Some("my ca/east"), "prod", "meshctl push 'my ca' --context east=prod --workloads");
        push(Some("east"), "a b", "meshctl push . --context east='a b' --workloads");
        check(
            &place(None, "prod"),
            Step::Remedy(Remedy::RestartIstiod),
            "kubectl --context prod -n 'istio 1' rollout restart deployment -l app=istiod",
        );
        check(
            &place(None, "prod"),
            Step::Push { before_install: true },
            "meshctl push DIR --context east=prod --before-install",
        );
        check(
            &place(None, "prod"),
            Step::Remedy(Remedy::FinishRotation),
            "meshctl rotate root next NEW --context east=prod,west",
        );
    }

    /// Without what was typed, a command would be about another cluster.
    #[test]
    fn commands_repeat_what_was_typed() {
        let typed = Typed::new(Some(Path::new("my config"))).with("-f", Some(Path::new("m.yaml")));
        let typed = typed.with("--istio-version", None::<&Path>);
        let place = Where {
            name: "east",
            folder: Some(Path::new("ca/east")),
            has_root_key: true,
            context: Some("prod"),
            istio_namespace: "istio",
            all: None,
            typed: &typed,
        };
        let config = "--kubeconfig 'my config'";
        let meshctl = format!("{config} -f m.yaml");
        let kubectl = |rest: &str| format!("kubectl --context prod {rest} {config}");
        let push = "meshctl push ca --context east=prod";
        let cases = [
            (Step::Remedy(Remedy::Install), format!("{push} --workloads {meshctl}")),
            (Step::Push { before_install: false }, format!("{push} {meshctl}")),
            (Step::Forget, format!("meshctl forget --context east=prod {meshctl}")),
            (Step::ListContexts, format!("kubectl config get-contexts {config}")),
            (Step::FindIstiod, kubectl("get deployments -A -l app=istiod")),
            (Step::ListPods, kubectl("-n istio get pods -l app=istiod")),
            (
                Step::Remedy(Remedy::RestartIstiod),
                kubectl("-n istio rollout restart deployment -l app=istiod"),
            ),
        ];
        for (step, expect) in cases {
            check(&place, step, &expect);
        }
        assert_eq!(readyz("prod", &typed), kubectl("get --raw /readyz"));
    }
}
