//! Clusters in memory whose istiods and proxies show certificates of folders: an API server, TLS for istiod, an admin
//! port for all proxies of one kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::ByteString;
use meshapply::names::FIELD_MANAGER;
use meshpki::cacerts::{Secret, pool};
use meshpki::istiod::Version;
use meshpki::{Cert, Issuer, KeyType, Profile, Serial, SoftKey, Stamp, Time, TrustDomain};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::api::Api;
use crate::authority::key;
use crate::cli::{Ran, Shell};
use crate::rig::background::Background;

const SECRETS: &str = "/api/v1/namespaces/istio-system/secrets";

/// Clusters, and a shell with a kubeconfig for them.
pub struct World {
    /// The shell.
    pub shell: Shell,
    /// The clusters, with their names.
    pub sites: Vec<(&'static str, Site)>,
}

/// A cluster.
pub struct Site {
    /// Its API server.
    pub api: Api,
    istiod: Option<Api>,
    proxies: Vec<Proxies>,
}

/// An admin port that answers for many proxies.
pub struct Proxies {
    port: u16,
    most: Arc<AtomicUsize>,
    _runtime: Background,
}

impl World {
    /// Clusters with these names and a CA in `@/old` that each has, another in `@/new`, and `@/bridge.pem` between them.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn new(names: &[&'static str]) -> Self {
        let mut world = Self { shell: Shell::new(), sites: Vec::new() };
        for dir in ["old", "new"] {
            let names = names.join(",");
            world.good(&format!(
                "ca init @/{dir} --cluster {names} --plain-root-key --root-subject 'CN={dir} root' \
                 --cluster-subject 'CN={dir} {{cluster}}'"
            ));
        }
        world.good("ca cross-sign --ca @/old --root @/new/root-cert.pem --out @/bridge.pem --yes");
        for name in names {
            let site = Site::new(name);
            world.sites.push((name, site));
            let secret = world.folder(&format!("old/{name}"));
            world.hold(name, &secret);
        }
        world.write_kubeconfig();
        world
    }

    fn write_kubeconfig(&mut self) {
        let all = |one: &dyn Fn(&str, &Site) -> Value| -> Vec<Value> {
            self.sites.iter().map(|(name, site)| one(name, site)).collect()
        };
        let clusters = all(
            &|name, site| json!({"name": name, "cluster": {"server": format!("http://127.0.0.1:{}", site.api.port)}}),
        );
        let contexts =
            all(&|name, _| json!({"name": name, "context": {"cluster": name, "user": "admin"}}));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts,
            "users": [{"name": "admin", "user": {}}],
        });
        self.shell.scratch.write_key("kubeconfig", config.to_string());
        let path = self.shell.scratch.join("kubeconfig").display().to_string();
        self.shell.env = vec![("KUBECONFIG", path.leak())];
    }

    /// The files of a folder.
    #[must_use]
    pub fn folder(&self, name: &str) -> Secret {
        let files = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"];
        let file = |file: &str| self.shell.scratch.read(&format!("{name}/{file}"));
        files.into_iter().map(|name| (name, file(name))).collect()
    }

    /// Gives a cluster a secret that its istiod and its namespaces have, too.
    ///
    /// # Panics
    /// When there is no cluster of that name.
    pub fn hold(&mut self, name: &str, secret: &Secret) {
        self.site(name).hold(secret);
    }

    /// A cluster by its name.
    ///
    /// # Panics
    /// When there is none.
    pub fn site(&mut self, name: &str) -> &mut Site {
        let found = self.sites.iter_mut().find(|(known, _)| *known == name);
        &mut found.expect("a cluster of that name").1
    }

    /// Runs a command now.
    pub fn run(&self, command: &str) -> Ran {
        self.run_at(command, meshctl::io::system_time())
    }

    /// Runs a command at another time.
    pub fn run_at(&self, command: &str, now: Time) -> Ran {
        self.shell.run_at(command, now)
    }

    /// Runs a command that must succeed.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn good(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!(ran.status, 0, "meshctl {command}\n{}{}", ran.out, ran.err);
        ran.out + &ran.err
    }
}

impl Site {
    fn new(name: &str) -> Self {
        let api = Api::start(|_| None);
        let uid = json!({"metadata": {"name": "kube-system", "uid": name}});
        api.put("/api/v1/namespaces/kube-system", uid);
        api.put("/api/v1/namespaces/shop", json!({"metadata": {"name": "shop"}}));
        api.put("/apis/apps/v1/namespaces/istio-system/deployments/istiod", json!({
            "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod"}, "generation": 1},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "istiod"}},
                "template": {"spec": {"containers": [{"name": "discovery", "image": "docker.io/istio/pilot:1.30.4"}]}},
            },
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
        }));
        api.put("/api/v1/namespaces/istio-system/pods/istiod-a", json!({
            "metadata": {"name": "istiod-a", "namespace": "istio-system", "labels": {"app": "istiod"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }));
        Self { api, istiod: None, proxies: Vec::new() }
    }

    fn hold(&mut self, secret: &Secret) {
        self.put_secret(secret);
        let roots = String::from_utf8_lossy(secret.get("root-cert.pem").unwrap_or_default());
        self.api.put(
            "/api/v1/configmaps/shop",
            json!({
                "metadata": {"name": "istio-ca-root-cert", "namespace": "shop"},
                "data": {"root-cert.pem": roots},
            }),
        );
        let istiod = Api::start_tls(tls(secret), |_| None);
        self.api.forward("istiod-a", istiod.port);
        self.istiod = Some(istiod);
    }

    /// Writes the secret only, as our own.
    pub fn put_secret(&self, secret: &Secret) {
        let data = secret.names().map(|name| {
            let content = secret.get(name).unwrap_or_default().to_vec();
            (name.to_owned(), json!(ByteString(content)))
        });
        let data: serde_json::Map<String, Value> = data.collect();
        let fields: serde_json::Map<String, Value> =
            data.keys().map(|name| (format!("f:{name}"), json!({}))).collect();
        let ours = json!({
            "manager": FIELD_MANAGER, "operation": "Apply", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields},
        });
        self.api.put(
            &format!("{SECRETS}/cacerts"),
            json!({
                "metadata": {
                    "name": "cacerts", "namespace": "istio-system", "resourceVersion": "1",
                    "managedFields": [ours],
                },
                "type": "Opaque", "data": data,
            }),
        );
    }

    /// Adds pods whose proxies show certificates of one secret and trust the roots of another.
    pub fn run_pods(&mut self, names: &[String], shows: &Secret, trusts: &Secret) {
        let proxies = Proxies::start(dump(shows, trusts));
        for name in names {
            self.put_pod(name);
            self.api.forward(name, proxies.port);
        }
        self.proxies.push(proxies);
    }

    /// Adds a pod that does not answer.
    pub fn put_pod(&self, name: &str) {
        self.api.put(
            &format!("/api/v1/pods/{name}"),
            json!({
                "metadata": {"name": name, "namespace": "shop", "labels": {"security.istio.io/tlsMode": "istio"}},
                "status": {"phase": "Running"},
            }),
        );
    }

    /// The most proxies that were asked at the same time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        let most = self.proxies.iter().map(|proxies| proxies.most.load(Ordering::Relaxed));
        most.max().unwrap_or_default()
    }

    /// How many requests would have changed something.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.api.asked().iter().filter(|asked| asked.method != "GET").count()
    }
}

impl Proxies {
    /// Each takes 20 ms to answer.
    fn start(dump: String) -> Self {
        let runtime = Background::start("proxies");
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let response = Arc::new(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{dump}",
            dump.len()
        ));
        let counted = Arc::clone(&most);
        runtime.block_on(async {
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let (now, most) = (Arc::clone(&now), Arc::clone(&counted));
                    let response = Arc::clone(&response);
                    tokio::spawn(async move {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let mut request = [0; 1024];
                        // The other side sees what goes wrong.
                        let _ = stream.read(&mut request).await;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        let _ = stream.write_all(response.as_bytes()).await;
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        });
        Self { port, most, _runtime: runtime }
    }
}

/// A certificate under the CA of a secret, with its key.
fn leaf(secret: &Secret) -> (Cert, SoftKey) {
    let ca = secret.ca(Version::NEWEST).expect("a CA");
    let signer = SoftKey::from_pem(secret.get("ca-key.pem").expect("a key"), None).expect("a key");
    let domain: TrustDomain = "cluster.local".parse().expect("a trust domain");
    let id = domain.workload("shop", "cart").expect("an identity");
    let own = key(KeyType::EcdsaP256);
    let issuer = Issuer { cert: &ca, signer: &signer };
    let begin = Time(meshctl::io::system_time().0 - 120);
    let stamp = Stamp { serial: Serial::from_random([3; 20]), not_before: begin };
    let profile = Profile::workload(&id);
    use meshpki::Signer;
    let cert = meshpki::issue(&profile, own.public_key(), issuer, stamp).expect("a certificate");
    (cert, own)
}

/// What istiod presents.
fn tls(secret: &Secret) -> Arc<ServerConfig> {
    let (cert, own) = leaf(secret);
    let chain = std::iter::once(cert).chain(secret.chain(Version::NEWEST));
    let chain: Vec<CertificateDer<'static>> =
        chain.map(|cert| CertificateDer::from(cert.as_der().to_vec())).collect();
    let key = PrivateKeyDer::from_pem_slice(own.to_pem().as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.expect("a certificate with its key"))
}

/// What Envoy says of its secrets.
fn dump(shows: &Secret, trusts: &Secret) -> String {
    let (cert, _) = leaf(shows);
    let sent = String::from_utf8_lossy(shows.get("cert-chain.pem").unwrap_or_default());
    let chain = cert.to_pem() + &sent;
    let roots = pool(trusts.get("root-cert.pem").unwrap_or_default());
    let roots: String = roots.iter().map(Cert::to_pem).collect();
    let bytes = |text: String| json!({"inline_bytes": ByteString(text.into_bytes())});
    json!({"configs": [
        {"name": "default", "secret": {"tls_certificate": {"certificate_chain": bytes(chain)}}},
        {"name": "ROOTCA", "secret": {"validation_context": {"trusted_ca": bytes(roots)}}},
    ]})
    .to_string()
}
