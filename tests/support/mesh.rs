//! Several clusters of the rig under `meshctl`: one kubeconfig with all their contexts, and a CA folder.

use std::process::{Command, Stdio};
use std::time::Duration;

use kube::config::Kubeconfig;
use serde_json::Value;

use crate::cli::{Ran, Shell};
use crate::rig::tools::Binaries;
use crate::rig::{Cluster, Istio, Kind};

/// Clusters, a CA in `@/ca`, and `meshctl` with the real time, because real istiods use their clocks.
pub struct Mesh {
    /// The clusters, in the order of their names.
    pub clusters: Vec<Cluster>,
    /// Where commands run.
    pub shell: Shell,
}

impl Mesh {
    /// Starts clusters and creates a CA with an intermediate for each. Without the rig, prints a line and returns `None`.
    #[must_use]
    pub fn start(names: &[&str]) -> Option<Self> {
        let clusters = Cluster::start_many(names)?;
        let shell = Shell { now: meshctl::io::system_time(), ..Shell::new() };
        let mesh = Self { clusters, shell };
        mesh.shell.good(&format!("ca init @/ca --plain-root-key --cluster {}", names.join(",")));
        let paths = mesh.clusters.iter().map(Cluster::kubeconfig).collect::<Vec<_>>();
        mesh.write_kubeconfig("admin", &paths);
        Some(mesh)
    }

    /// The same with Istio in every cluster.
    #[must_use]
    pub fn with_istio(names: &[&str], istio: &Istio) -> Option<Self> {
        let mesh = Self::start(names)?;
        std::thread::scope(|scope| {
            for cluster in &mesh.clusters {
                scope.spawn(|| cluster.install_istio(istio));
            }
        });
        Some(mesh)
    }

    /// Writes one kubeconfig with every context as `@/NAME.kubeconfig`.
    pub fn write_kubeconfig(&self, name: &str, paths: &[std::path::PathBuf]) {
        let read = |path| Kubeconfig::read_from(path).expect("a kubeconfig");
        let mut all = Kubeconfig::default();
        for mut one in paths.iter().map(read) {
            // Users and clusters of one name would be merged: the context's name tells them apart.
            let context = one.contexts[0].name.clone();
            one.clusters[0].name.clone_from(&context);
            one.auth_infos[0].name.clone_from(&context);
            if let Some(inner) = &mut one.contexts[0].context {
                inner.cluster.clone_from(&context);
                inner.user = Some(context);
            }
            all = all.merge(one).expect("kubeconfigs that go together");
        }
        let text = serde_json::to_string(&all).expect("a kubeconfig");
        self.shell.scratch.write_key(&format!("{name}.kubeconfig"), text);
    }

    /// Runs `meshctl COMMAND` with the administrators' kubeconfig, a time limit for tests and `--yes`.
    pub fn run(&self, command: &str) -> Ran {
        self.run_as("admin", command)
    }

    /// The same with another kubeconfig.
    pub fn run_as(&self, kubeconfig: &str, command: &str) -> Ran {
        let command = format!("{command} --kubeconfig @/{kubeconfig}.kubeconfig");
        self.shell.run_at(&command, meshctl::io::system_time())
    }

    /// Runs a command that must succeed, and returns its whole output.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn good(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!(ran.status, 0, "meshctl {command}\n{}{}", ran.out, ran.err);
        ran.out + &ran.err
    }

    /// Follows a printed command if it only shows something.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn try_out(&self, command: &str) {
        let shows = [" get ", " describe ", " edit ", " get-contexts"];
        if command.starts_with("kubectl ") && shows.iter().any(|verb| command.contains(verb)) {
            self.follow(command);
        }
    }

    /// Runs a printed `kubectl` command as its reader would, with an editor that changes nothing; returns its output.
    /// Without the kubeconfig that was named, it reaches no cluster.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn follow(&self, command: &str) -> String {
        self.shell_command(command, "/nowhere")
    }

    /// Runs a shell command that a person types, with the administrators' kubeconfig; returns its output.
    ///
    /// # Panics
    /// With its output, if it fails.
    #[track_caller]
    pub fn typed(&self, command: &str) -> String {
        let config = self.shell.scratch.join("admin.kubeconfig");
        self.shell_command(command, &config.display().to_string())
    }

    #[track_caller]
    fn shell_command(&self, command: &str, kubeconfig: &str) -> String {
        let kubectl = Binaries::find().expect("the rig").path("kubectl").to_owned();
        let folder = kubectl.parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.shell.scratch.path())
            .env("PATH", format!("{folder}:{path}"))
            .env("KUBECONFIG", kubeconfig)
            .env("KUBE_EDITOR", "true")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "`{command}`: {said}");
        said
    }

    /// A state of a cluster that changes with every write to what a push touches: versions of the secrets,
    /// generations of istiod and the gateways.
    #[must_use]
    pub fn written(&self, cluster: usize) -> String {
        let cluster = &self.clusters[cluster];
        let version = |name| cluster.secret_resource_version("istio-system", name);
        let generation = |name| self.generation(cluster, name);
        format!(
            "cacerts {:?}, previous {:?}, istiod {}, gateway {}",
            version("cacerts"),
            version("meshctl-cacerts-previous"),
            generation("istiod"),
            generation("istio-ingressgateway")
        )
    }

    /// `metadata.generation` of a Deployment in istio-system.
    #[must_use]
    pub fn generation(&self, cluster: &Cluster, name: &str) -> i64 {
        let object: Value = cluster.workload(Kind::Deployment, "istio-system", name);
        object["metadata"]["generation"].as_i64().expect("a generation")
    }
}

/// The longest time that a test waits.
pub const SOON: Duration = Duration::from_secs(30);
