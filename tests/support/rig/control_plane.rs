//! etcd, kube-apiserver, kube-controller-manager and kube-scheduler of one cluster.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::{Api, Client};

use super::pki::Pki;
use super::process::{Plan, Process};
use super::tools::Binaries;
use super::{kubeconfig, ports, wait};

/// The processes and what it takes to start the apiserver again.
pub struct ControlPlane {
    /// Port of the apiserver.
    pub port: u16,
    apiserver_plan: Plan,
    apiserver: Option<Process>,
    etcd: Process,
    others: Vec<Process>,
}

impl ControlPlane {
    /// Starts etcd and the apiserver, and nothing that needs it to answer.
    ///
    /// # Panics
    /// When a program cannot be started.
    #[must_use]
    pub fn start(binaries: &Binaries, folder: &Path, pki: &Pki) -> Self {
        let (etcd_port, port) = (ports::free(), ports::free());
        let etcd = etcd(binaries, folder, etcd_port).start();
        let _ = pki.server("apiserver");
        pki.write_identity("kubelet-client", &pki.client("kube-apiserver", &["system:masters"]));
        let apiserver_plan = apiserver(binaries, folder, pki, etcd_port, port);
        let apiserver = Some(apiserver_plan.start());
        Self { port, apiserver_plan, apiserver, etcd, others: Vec::new() }
    }

    /// Waits for the apiserver, then starts the controllers and the scheduler and waits until pods can be made.
    ///
    /// # Errors
    /// When a process ends, with the last lines it printed.
    pub async fn complete(
        &mut self,
        binaries: &Binaries,
        folder: &Path,
        pki: &Pki,
        client: &Client,
    ) -> Result<(), String> {
        let bindings = Api::<ClusterRoleBinding>::all(client.clone());
        wait::until("the apiserver is ready", wait::LONG, async || {
            if let Some(why) = self.ended() {
                return Some(Err(why));
            }
            bindings.get("system:kube-scheduler").await.ok().map(Ok)
        })
        .await?;
        self.others.push(controller_manager(binaries, folder, pki, self.port).start());
        self.others.push(scheduler(binaries, folder, pki, self.port).start());
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        wait::until("the default ServiceAccount exists", wait::LONG, async || {
            if let Some(why) = self.ended() {
                return Some(Err(why));
            }
            accounts.get("default").await.ok().map(|_| Ok(()))
        })
        .await
    }

    /// Kills the apiserver as a lost machine would.
    pub fn kill_apiserver(&mut self) {
        self.apiserver = None;
    }

    /// Starts it again on the same port, unless it runs.
    pub fn start_apiserver(&mut self) {
        if self.apiserver.is_none() {
            self.apiserver = Some(self.apiserver_plan.start());
        }
    }

    /// Every process that runs.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let all = [&self.etcd].into_iter().chain(&self.apiserver).chain(&self.others);
        all.map(Process::id).collect()
    }

    /// The first process that has ended, and the last it said.
    fn ended(&mut self) -> Option<String> {
        let all = [&mut self.etcd].into_iter().chain(&mut self.apiserver).chain(&mut self.others);
        all.into_iter().find_map(|process| {
            let status = process.ended()?;
            Some(format!("a component ended with {status}:\n{}", process.tail()))
        })
    }
}

fn etcd(binaries: &Binaries, folder: &Path, port: u16) -> Plan {
    let (client, peer) =
        (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", ports::free()));
    Plan::new(binaries.path("etcd"), folder)
        .arg("--name=rig")
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=rig={peer}"))
        .arg("--unsafe-no-fsync")
        .arg("--logger=zap")
        .arg("--log-level=warn")
}

fn apiserver(binaries: &Binaries, folder: &Path, pki: &Pki, etcd: u16, port: u16) -> Plan {
    Plan::new(binaries.path("kube-apiserver"), folder)
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd}"))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        .arg(format!("--secure-port={port}"))
        .arg(format!("--tls-cert-file={}", pki.path("apiserver.crt")))
        .arg(format!("--tls-private-key-file={}", pki.path("apiserver.key")))
        .arg(format!("--client-ca-file={}", pki.path("ca.crt")))
        .arg(format!("--service-account-key-file={}", pki.path("sa.pub")))
        .arg(format!("--service-account-signing-key-file={}", pki.path("sa.key")))
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .arg("--service-cluster-ip-range=10.96.0.0/16")
        .arg("--authorization-mode=Node,RBAC")
        .arg("--disable-admission-plugins=TaintNodesByCondition")
        .arg(format!("--kubelet-client-certificate={}", pki.path("kubelet-client.crt")))
        .arg(format!("--kubelet-client-key={}", pki.path("kubelet-client.key")))
        .arg(format!("--kubelet-certificate-authority={}", pki.path("ca.crt")))
        .arg("--kubelet-preferred-address-types=InternalIP")
        .arg(format!("--cert-dir={}", folder.join("apiserver-certs").display()))
        .arg("--endpoint-reconciler-type=none")
        .arg("--profiling=false")
}

fn controller_manager(binaries: &Binaries, folder: &Path, pki: &Pki, port: u16) -> Plan {
    let plan = Plan::new(binaries.path("kube-controller-manager"), folder);
    as_user(plan, "system:kube-controller-manager", folder, pki, port)
        .arg(format!("--root-ca-file={}", pki.path("ca.crt")))
        .arg(format!("--service-account-private-key-file={}", pki.path("sa.key")))
        .arg(format!("--cluster-signing-cert-file={}", pki.path("ca.crt")))
        .arg(format!("--cluster-signing-key-file={}", pki.path("ca.key")))
        .arg("--use-service-account-credentials=true")
        .arg("--kube-api-qps=500")
        .arg("--kube-api-burst=1000")
        // A busy machine is not a lost node.
        .arg("--node-monitor-grace-period=1h")
}

fn scheduler(binaries: &Binaries, folder: &Path, pki: &Pki, port: u16) -> Plan {
    let plan = Plan::new(binaries.path("kube-scheduler"), folder);
    as_user(plan, "system:kube-scheduler", folder, pki, port)
}

/// What the controllers and the scheduler have in common.
fn as_user(plan: Plan, user: &str, folder: &Path, pki: &Pki, port: u16) -> Plan {
    let short = user.trim_start_matches("system:");
    let config: PathBuf = folder.join(format!("{short}.kubeconfig"));
    let identity = pki.client(user, &[]);
    let account = kubeconfig::certificate_user(&identity.cert_pem, &identity.key_pem);
    kubeconfig::write(&config, "rig", port, &pki.ca_pem(), &account);
    let certs = folder.join(format!("{short}-certs"));
    fs::create_dir_all(&certs).expect("a folder");
    let config = config.display();
    plan.arg(format!("--kubeconfig={config}"))
        .arg(format!("--authentication-kubeconfig={config}"))
        .arg(format!("--authorization-kubeconfig={config}"))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={}", ports::free()))
        .arg("--leader-elect=false")
        .arg(format!("--cert-dir={}", certs.display()))
}
