//! Clusters that read each other, in memory: API servers over TLS that issue tokens and say what they may do, and an
//! istiod in each that reads the remote secrets there and says so on its debug endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use k8s_openapi::ByteString;
use meshpki::x509::GeneralName;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::NOW;
use crate::api::{Answer, Api, Asked, Objects};
use crate::cli::{Ran, Shell, compare};
use crate::endpoint::{Domain, Leaf, web_leaf};

/// Where the secrets are.
pub const SECRETS: &str = "/api/v1/namespaces/istio-system/secrets";
/// The account of Istio's chart `base`, with what istiod reads.
pub const READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: istio-reader-service-account, namespace: istio-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: istio-reader}
rules:
- {apiGroups: [''], resources: [endpoints, pods, services, nodes, namespaces, secrets, configmaps], verbs: [get, list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
- {apiGroups: [apiextensions.k8s.io], resources: [customresourcedefinitions], verbs: [get, list, watch]}
- {apiGroups: [networking.istio.io, gateway.networking.k8s.io], resources: ['*'], verbs: [get, list, watch]}
- {apiGroups: [authentication.k8s.io], resources: [tokenreviews], verbs: [create]}
- {apiGroups: [authorization.k8s.io], resources: [subjectaccessreviews], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: istio-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: istio-reader}
subjects: [{kind: ServiceAccount, name: istio-reader-service-account, namespace: istio-system}]
";
/// What the third part of every token begins with, which no output may show.
pub const CANARY: &str = "CANARY-7fKq2xZ9";
/// Lifetime of tokens that [`World::secret`] makes, in days.
const LIFETIME: i64 = 90;

/// What a cluster does.
pub struct State {
    /// Tokens that the API server accepts.
    pub valid: BTreeSet<String>,
    /// The longest lifetime of a token, in seconds.
    pub longest: i64,
    /// Resources that no token may read.
    pub denied: BTreeSet<String>,
    /// Whether secrets may be listed.
    pub may_list: bool,
    /// Whether the service account exists.
    pub has_account: bool,
    /// What istiod does when a secret changes.
    pub swap: Swap,
    /// Endpoints of each remote cluster, by pod; 12 unless it is here.
    pub endpoints: BTreeMap<String, usize>,
    /// Runs once, when the next token is requested.
    pub on_token: Option<Box<dyn FnOnce() + Send>>,
    /// Remote cluster -> content that istiod had first.
    first: BTreeMap<String, Value>,
    issued: usize,
}

/// What istiod does with a changed secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// It takes it.
    Good,
    /// It has no endpoints of the cluster until the old content is back.
    Empty,
    /// It does not sync until the old content is back.
    Stuck,
    /// It never reads any cluster.
    Never,
    /// It does not answer.
    Silent,
}

/// A cluster.
pub struct Cluster {
    /// Its name.
    pub name: &'static str,
    /// Its API server.
    pub api: Api,
    /// Its CA in PEM.
    pub ca: String,
    state: Arc<Mutex<State>>,
    /// istiod's debug endpoints, one server for each pod.
    _istiod: Vec<Api>,
}

/// The clusters, and a shell with a kubeconfig for them.
pub struct World {
    /// The shell.
    pub shell: Shell,
    /// The clusters.
    pub clusters: Vec<Cluster>,
}

impl World {
    /// Clusters with these names, whose istiod has one pod and is of that release.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn new(names: &[&'static str], release: &str) -> Self {
        let mut world = Self { shell: Shell::new(), clusters: Vec::new() };
        for name in names {
            world.clusters.push(Cluster::new(name, release, &["istiod-a"]));
        }
        world.write_kubeconfig();
        world
    }

    /// Writes `@/kubeconfig` for the clusters, and has commands use it.
    pub fn write_kubeconfig(&mut self) {
        let all =
            |one: &dyn Fn(&Cluster) -> Value| self.clusters.iter().map(one).collect::<Vec<_>>();
        let clusters = all(&|one| {
            let ca = json!(ByteString(one.ca.clone().into_bytes()));
            json!({"name": one.name, "cluster": {
                "server": one.server(), "certificate-authority-data": ca,
            }})
        });
        let contexts = all(
            &|one| json!({"name": one.name, "context": {"cluster": one.name, "user": "admin"}}),
        );
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts,
            "users": [{"name": "admin", "user": {"token": "admin-token"}}],
        });
        self.shell.scratch.write_key("kubeconfig", config.to_string());
        let path = self.shell.scratch.join("kubeconfig").display().to_string();
        self.shell.env = vec![("KUBECONFIG", path.leak())];
    }

    /// A cluster by its name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn cluster(&self, name: &str) -> &Cluster {
        self.clusters.iter().find(|one| one.name == name).expect("a cluster of that name")
    }

    /// Gives a cluster the secret for another, as istioctl makes it, with a token of `remote` that ends after some days
    /// from now; `None`: it has no end. `change` may spoil it.
    pub fn secret(
        &self,
        reader: &str,
        remote: &str,
        days: Option<i64>,
        change: impl FnOnce(&mut Value, &mut String),
    ) {
        let cluster = self.cluster(remote);
        let end = days.map(|days| NOW.0 + days * 86_400);
        let token = cluster.issue(end.map_or(NOW.0, |end| end - LIFETIME * 86_400), end);
        let mut kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": remote,
            "clusters": [{"name": remote, "cluster": {
                "server": cluster.server(),
                "certificate-authority-data": ByteString(cluster.ca.clone().into_bytes()),
            }}],
            "contexts": [{"name": remote, "context": {"cluster": remote, "user": remote}}],
            "users": [{"name": remote, "user": {"token": token}}],
        })
        .to_string();
        let name = format!("istio-remote-secret-{remote}");
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": name, "namespace": "istio-system", "resourceVersion": "1",
                "labels": {"istio/multiCluster": "true"},
                "annotations": {"networking.istio.io/cluster": remote},
            },
        });
        change(&mut secret, &mut kubeconfig);
        if secret["data"].is_null() {
            secret["data"] = json!({remote: ByteString(kubeconfig.into_bytes())});
        }
        let name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.cluster(reader).api.put(&format!("{SECRETS}/{name}"), secret);
    }

    /// A good secret.
    pub fn good_secret(&self, reader: &str, remote: &str, days: i64) {
        self.secret(reader, remote, Some(days), |_, _| {});
    }

    /// Runs a command; no output has a token in it.
    ///
    /// # Panics
    /// When it has.
    #[track_caller]
    pub fn run(&self, command: &str) -> Ran {
        let mut ran = self.shell.run(command);
        for text in [&mut ran.out, &mut ran.err] {
            assert!(!text.contains(CANARY) && !text.contains("eyJ"), "{text}");
            for one in &self.clusters {
                *text = text.replace(&one.server(), &format!("https://{}", one.name));
            }
            *text = self.shell.mask(text);
        }
        ran
    }

    /// Runs a command and compares all of its output.
    ///
    /// # Panics
    /// When it differs.
    #[track_caller]
    pub fn check(&self, command: &str, expect: &str) {
        let ran = self.run(command);
        let mut all = format!("exit {}\n{}", ran.status, ran.out);
        if !ran.err.is_empty() {
            all += &format!("--- stderr\n{}", ran.err);
        }
        compare(&format!("meshctl {command}"), &all, expect);
    }
}

impl Cluster {
    /// A cluster whose istiod has these pods.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn new(name: &'static str, release: &str, pods: &[&'static str]) -> Self {
        let state = Arc::new(Mutex::new(State {
            valid: BTreeSet::new(),
            longest: i64::MAX,
            denied: BTreeSet::new(),
            may_list: true,
            has_account: true,
            swap: Swap::Good,
            endpoints: BTreeMap::new(),
            on_token: None,
            first: BTreeMap::new(),
            issued: 0,
        }));
        let domain = Domain::new(&format!("{name}.k8s"));
        let shared = Arc::clone(&state);
        let api = Api::start_tls(tls(&domain), move |asked| server(asked, &mut lock(&shared)));
        api.put(
            "/api/v1/namespaces/kube-system",
            json!({"metadata": {"name": "kube-system", "uid": name}}),
        );
        api.put("/apis/apps/v1/namespaces/istio-system/deployments/istiod", json!({
            "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod"}},
            "spec": {
                "selector": {"matchLabels": {"app": "istiod"}},
                "template": {"spec": {"containers": [{
                    "name": "discovery", "image": format!("docker.io/istio/pilot:{release}"),
                    "env": [{"name": "CLUSTER_ID", "value": name}],
                }]}},
            },
        }));
        let istiod = pods.iter().map(|pod| {
            api.put(&format!("/api/v1/namespaces/istio-system/pods/{pod}"), json!({
                "metadata": {"name": pod, "namespace": "istio-system", "labels": {"app": "istiod"}},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }));
            let (objects, shared, pod_name) = (api.objects(), Arc::clone(&state), *pod);
            let istiod =
                Api::start(move |asked| Some(debug(asked, pod_name, &objects, &mut lock(&shared))));
            api.forward(pod, istiod.port);
            istiod
        });
        let istiod = istiod.collect();
        Self { name, ca: domain.root.cert.to_pem(), state, _istiod: istiod, api }
    }

    /// The URL of its API server.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://localhost:{}", self.api.port)
    }

    /// What it does.
    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A token that it accepts.
    #[must_use]
    pub fn issue(&self, start: i64, end: Option<i64>) -> String {
        self.state().issue(start, end)
    }

    /// The kubeconfig in the secret for a cluster.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn kubeconfig(&self, remote: &str) -> String {
        let secret = self.api.object(&format!("{SECRETS}/istio-remote-secret-{remote}"));
        let secret = secret.expect("the secret");
        let data: ByteString =
            serde_json::from_value(secret["data"][remote].clone()).expect("data");
        String::from_utf8(data.0).expect("UTF-8")
    }
}

impl State {
    fn issue(&mut self, start: i64, end: Option<i64>) -> String {
        self.issued += 1;
        let mut claims = json!({
            "iat": start, "sub": "system:serviceaccount:istio-system:istio-reader-service-account",
        });
        if let Some(end) = end {
            claims["exp"] = end.into();
        }
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        let header = part(&json!({"alg": "RS256"}));
        let token = format!("{header}.{}.{CANARY}-{}", part(&claims), self.issued);
        self.valid.insert(token.clone());
        token
    }
}

fn base64url(bytes: &[u8]) -> String {
    let text = json!(ByteString(bytes.to_vec()));
    let text = text.as_str().unwrap_or_default().replace('+', "-").replace('/', "_");
    text.trim_end_matches('=').to_owned()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread panicked")
}

fn tls(domain: &Domain) -> Arc<ServerConfig> {
    let mut profile = web_leaf("localhost");
    profile.subject_alt_names.push(GeneralName::Dns(b"api.example".to_vec()));
    let leaf: Leaf = domain.issue(&profile, meshctl::io::system_time());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(&leaf.cert)], PrivateKeyDer::from(&leaf.key));
    Arc::new(config.expect("a certificate with its key"))
}

/// What the API server answers that is not an object.
fn server(asked: &Asked, state: &mut State) -> Option<Answer> {
    if asked.path.ends_with("/token") {
        if !state.has_account {
            return Some(Answer::refusal(404, "NotFound", "serviceaccounts not found"));
        }
        if let Some(run) = state.on_token.take() {
            run();
        }
        let wanted = asked.body["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
        let end = NOW.0 + wanted.min(state.longest);
        let token = state.issue(NOW.0, Some(end));
        let status = json!({"token": token, "expirationTimestamp": meshpki::Time(end).to_string()});
        return Some(Answer::json(
            201,
            &json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
                "spec": asked.body["spec"], "status": status,
            }),
        ));
    }
    if asked.path.ends_with("/selfsubjectaccessreviews") {
        let token = asked.authorization.strip_prefix("Bearer ").unwrap_or_default();
        if !state.valid.contains(token) {
            return Some(Answer::refusal(401, "Unauthorized", "Unauthorized"));
        }
        let resource = asked.body["spec"]["resourceAttributes"]["resource"].as_str();
        let allowed = !resource.is_some_and(|name| state.denied.contains(name));
        let mut body = asked.body.clone();
        body["status"] = json!({"allowed": allowed});
        return Some(Answer::json(201, &body));
    }
    if asked.path == SECRETS && asked.method == "GET" && !state.may_list {
        return Some(Answer::refusal(403, "Forbidden", "secrets is forbidden"));
    }
    let is_rehearsal = asked.query.contains("dryRun=All");
    is_rehearsal.then(|| Answer::json(200, &asked.body))
}

/// What a pod of istiod says.
fn debug(asked: &Asked, pod: &str, objects: &Objects, state: &mut State) -> Answer {
    if state.swap == Swap::Silent {
        return Answer::refusal(404, "NotFound", "not found");
    }
    let mut clusters = Vec::new();
    let mut shards = serde_json::Map::new();
    for (name, secret) in objects.below(SECRETS) {
        if secret["metadata"]["labels"]["istio/multiCluster"] != "true" {
            continue;
        }
        for (remote, content) in secret["data"].as_object().into_iter().flatten() {
            // The first secret for a cluster is the one that counts.
            if clusters.iter().any(|one: &Value| one["id"] == **remote) {
                continue;
            }
            let first = state.first.entry(remote.clone()).or_insert_with(|| content.clone());
            let is_changed = first != content;
            let status = match state.swap {
                Swap::Never => "timeout",
                Swap::Stuck if is_changed => "syncing",
                _ => "synced",
            };
            clusters.push(json!({
                "id": remote, "secretName": format!("istio-system/{name}"), "syncStatus": status,
            }));
            let count = state.endpoints.get(pod).copied().unwrap_or(12);
            let is_empty = state.swap == Swap::Never || (is_changed && state.swap == Swap::Empty);
            let count = if is_empty { 0 } else { count };
            shards.insert(
                format!("Kubernetes/{remote}"),
                vec![json!({"Addresses": ["10.0.0.1"]}); count].into(),
            );
        }
    }
    if asked.path == "/debug/clusterz" {
        return Answer::json(200, &clusters.into());
    }
    let service = json!({"shop": {"Shards": shards, "ServiceAccounts": {}}});
    Answer::json(200, &json!({"reviews.shop.svc.cluster.local": service}))
}
