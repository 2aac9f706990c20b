//! A cluster: its processes, its files, and what tests do with it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::Value;
use tempfile::TempDir;

use super::control_plane::ControlPlane;
use super::kubelet::{self, Hold, Kubelet};
use super::limit::{self, Permit};
use super::pki::Pki;
use super::tools::Binaries;
use super::{Istio, apply, background::Background, istio, kubeconfig, wait};

/// Prefix of the names of the clusters' temporary folders.
pub(super) const PREFIX: &str = "mesh-rig-";
/// If set, the folders remain after their clusters have stopped, until the next test process removes them.
pub const KEEP: &str = "MESH_RIG_KEEP";

/// A running cluster. Dropping it stops every process and removes every file.
pub struct Cluster {
    // Dropped in this order.
    kubelet: Kubelet,
    control_plane: ControlPlane,
    client: Client,
    runtime: Background,
    folder: TempDir,
    _permit: Permit,
    name: String,
    pki: Pki,
    kubeconfigs: AtomicU32,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::env::var_os(KEEP).is_some() {
            crate::judges::say(&format!("kept: {}", self.folder.path().display()));
            self.folder.disable_cleanup(true);
        }
    }
}

impl Cluster {
    /// Starts a cluster that is ready for use. If the rig is not built, prints a line and returns `None`.
    ///
    /// Waits while four clusters run.
    ///
    /// # Panics
    /// If a component does not start.
    #[must_use]
    pub fn start(name: &str) -> Option<Self> {
        Self::start_many(&[name])?.pop()
    }

    /// Starts several at once.
    ///
    /// # Panics
    /// If a component does not start, or if the calling thread already holds a cluster.
    #[must_use]
    pub fn start_many(names: &[&str]) -> Option<Vec<Self>> {
        let binaries = super::rig()?;
        sweep();
        let permits = limit::permits(names.len());
        let clusters = std::thread::scope(|scope| {
            let boot = names.iter().zip(permits);
            let boot: Vec<_> = boot
                .map(|(name, permit)| scope.spawn(move || Self::boot(binaries, name, permit)))
                .collect();
            // All of them are waited for: those that are up stop when one is not.
            boot.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        Some(clusters.into_iter().map(|cluster| cluster.expect("a cluster that starts")).collect())
    }

    fn boot(binaries: &Binaries, name: &str, permit: Permit) -> Self {
        let mut tries = 0;
        loop {
            tries += 1;
            let folder = tempfile::Builder::new()
                .prefix(&format!("{PREFIX}{}-{name}-", std::process::id()))
                .tempdir()
                .expect("a scratch folder");
            let pki = Pki::new(folder.path().join("pki"));
            let mut control_plane = ControlPlane::start(binaries, folder.path(), &pki);
            let admin = folder.path().join("admin.kubeconfig");
            write_user(&pki, &admin, name, control_plane.port, "admin", &["system:masters"]);
            let runtime = Background::start(name);
            let config = runtime.block_on(config(&admin));
            let client = runtime.enter(|| Client::try_from(config.clone()).expect("a client"));
            let completed = control_plane.complete(binaries, folder.path(), &pki, &client);
            match runtime.block_on(completed) {
                Ok(()) => {}
                // Another process took a port in between.
                Err(why) if tries < 3 && why.contains("address already in use") => continue,
                Err(why) => panic!("{name}: {why}"),
            }
            let kubelet = Kubelet::start(kubelet::Setup {
                name: name.to_owned(),
                folder: folder.path().to_owned(),
                pilot: binaries.path("pilot-discovery").to_owned(),
                config,
                apiserver: control_plane.port,
                ca_pem: pki.ca_pem(),
                identity: pki.server("kubelet"),
            });
            return Self {
                kubelet,
                control_plane,
                client,
                runtime,
                folder,
                _permit: permit,
                name: name.to_owned(),
                pki,
                kubeconfigs: AtomicU32::new(0),
            };
        }
    }

    /// The cluster's name, and the name of the context in its kubeconfigs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kubeconfig of an administrator (`system:masters`).
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }

    /// Kubeconfig of a user with a client certificate, who has no rights except those granted with RBAC.
    #[must_use]
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> PathBuf {
        let number = self.kubeconfigs.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("user-{number}.kubeconfig"));
        write_user(&self.pki, &path, &self.name, self.control_plane.port, user, groups);
        path
    }

    /// A client with an administrator's rights. It works in any runtime.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Runs a future to completion.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Port of the apiserver on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.control_plane.port
    }

    /// The folder with everything the cluster writes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every process of the cluster that runs now.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        [self.control_plane.ids(), self.kubelet.ids()].concat()
    }

    /// Applies the documents of a YAML or JSON text as an administrator (server-side, manager `rig`).
    ///
    /// # Panics
    /// If one is refused.
    pub fn apply(&self, text: &str) {
        self.block_on(apply::apply(&self.client, text));
    }

    /// Applies one object.
    ///
    /// # Panics
    /// If it is refused.
    pub fn apply_object(&self, object: &Value) {
        self.block_on(apply::apply_one(&self.client, object));
    }

    /// Deletes the object of a YAML or JSON text.
    ///
    /// # Panics
    /// If that is refused.
    pub fn delete(&self, text: &str) {
        let object: Value = serde_saphyr::from_str(text).expect("YAML or JSON");
        self.block_on(apply::delete_one(&self.client, &object));
    }

    /// Installs Istio. An existing installation is changed to match `options`.
    ///
    /// # Panics
    /// If something is refused or, unless `options` say not to wait, is not rolled out in time.
    pub fn install_istio(&self, options: &Istio) {
        self.apply_object(&istio::namespace("istio-system"));
        for revision in &options.revisions {
            self.apply(&Istio::rbac(revision));
            for object in options.objects(&self.name, revision) {
                self.apply_object(&object);
            }
        }
        for gateway in &options.gateways {
            for object in gateway.objects(&options.image_tag) {
                self.apply_object(&object);
            }
        }
        if options.wait {
            self.wait_for_istio(options);
        }
    }

    /// Waits until everything that [`Cluster::install_istio`] created is rolled out.
    ///
    /// # Panics
    /// If it is not rolled out in time.
    pub fn wait_for_istio(&self, options: &Istio) {
        for revision in &options.revisions {
            self.rolled_out(istio::Kind::Deployment, "istio-system", &Istio::istiod(revision));
        }
        for gateway in &options.gateways {
            self.rolled_out(gateway.kind, &gateway.namespace, &gateway.name);
        }
    }

    /// Installs Istio's CRDs, and waits until those of its traffic resources are served.
    ///
    /// # Panics
    /// When they cannot be read or are refused.
    pub fn install_istio_crds(&self) {
        let path = super::rig().expect("a cluster runs, so the rig is there").path("crds.yaml");
        let text = std::fs::read_to_string(path).expect("Istio's CRDs");
        self.apply(&text);
        let wanted = text.lines().filter(|line| line.trim() == "group: networking.istio.io");
        let wanted = wanted.count();
        self.wait("Istio's CRDs are served", Duration::from_secs(60), async || {
            let group = "networking.istio.io";
            let served = kube::discovery::group(&self.client(), group).await.ok()?;
            let kinds = served.versions().flat_map(|version| served.versioned_resources(version));
            let kinds: std::collections::BTreeSet<String> =
                kinds.map(|(one, _)| one.kind).collect();
            (kinds.len() >= wanted).then_some(())
        });
    }

    /// Holds back pods of `NAMESPACE/WORKLOAD` that are not ready yet, or releases them.
    pub fn hold(&self, workload: &str, how: Hold) {
        self.kubelet.hold(workload, how);
    }

    /// How long a changed Secret takes to reach the pods, at most: 1 s unless changed; a real kubelet takes 60 to 90 s.
    pub fn sync_secrets_every(&self, period: Duration) {
        self.kubelet.sync_every(period);
    }

    /// The kubelet.
    pub(super) const fn kubelet(&self) -> &Kubelet {
        &self.kubelet
    }

    /// Kills the apiserver (SIGKILL). What runs keeps running.
    pub fn kill_apiserver(&mut self) {
        self.control_plane.kill_apiserver();
    }

    /// Starts the apiserver again on the same port, and waits until it answers.
    ///
    /// # Panics
    /// If it does not respond in time.
    pub fn start_apiserver(&mut self) {
        self.control_plane.start_apiserver();
        let namespaces = Api::<Namespace>::all(self.client.clone());
        self.wait("the apiserver answers again", wait::LONG, async || {
            namespaces.get("istio-system").await.map_or_else(
                |error| matches!(error, kube::Error::Api(ref a) if a.code == 404).then_some(()),
                |_| Some(()),
            )
        });
    }

    /// The output of all istiod processes of this cluster so far, including those of past pods.
    #[must_use]
    pub fn istiod_log(&self) -> String {
        self.kubelet.log()
    }

    /// The output of one pod's istiod so far, including all its restarts.
    ///
    /// # Panics
    /// If no istiod runs in such a pod.
    #[must_use]
    pub fn pod_log(&self, namespace: &str, pod: &str) -> String {
        self.kubelet.pod_log(namespace, pod).expect("a pod with an istiod")
    }

    /// The same, if an istiod has run in that pod.
    #[must_use]
    pub fn pod_log_so_far(&self, namespace: &str, pod: &str) -> Option<String> {
        self.kubelet.pod_log(namespace, pod)
    }

    /// The actual port on 127.0.0.1 of a port that an istiod's pod declares: it changes with every restart.
    #[must_use]
    pub fn pod_port(&self, namespace: &str, pod: &str, port: u16) -> Option<u16> {
        self.kubelet.port(namespace, pod, port)
    }

    /// A function that finds the actual port on 127.0.0.1 of a port that running istiods declare.
    pub fn istiod_finder(&self, port: u16) -> impl Fn() -> Vec<u16> + use<> {
        self.kubelet.finder("istio-system", port)
    }

    /// Asks every 50 ms until there is an answer.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn wait<T>(&self, what: &str, limit: Duration, ask: impl AsyncFnMut() -> Option<T>) -> T {
        self.block_on(wait::until(&format!("{}: {what}", self.name), limit, ask))
    }
}

/// A kubeconfig of a user with a client certificate.
fn write_user(pki: &Pki, path: &Path, context: &str, port: u16, user: &str, groups: &[&str]) {
    let identity = pki.client(user, groups);
    let user = kubeconfig::certificate_user(&identity.cert_pem, &identity.key_pem);
    kubeconfig::write(path, context, port, &pki.ca_pem(), &user);
}

async fn config(path: &Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(path).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a kubeconfig");
    config.connect_timeout = Some(Duration::from_secs(5));
    config
}

/// Removes what killed test processes left behind, once.
fn sweep() {
    static SWEPT: OnceLock<()> = OnceLock::new();
    SWEPT.get_or_init(|| {
        let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                // It may belong to another user.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    });
}
