//! The rig: clusters of real components as plain processes on loopback, for tests.
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler and istiod are the real ones, built by
//! `cargo xtask rig`; only the kubelet is ours ([`kubelet`]). At most four clusters run at the same time: a
//! test that needs several must request them together with [`Cluster::start_many`].
//!
//! ```no_run
//! use tests::rig::{Cluster, Istio};
//! let Some(east) = Cluster::start("east") else { return };
//! east.install_istio(&Istio::default());
//! ```

pub mod app;
pub mod apply;
pub mod ask;
pub mod background;
pub mod ca;
pub mod cluster;
pub mod control_plane;
pub mod envoy;
pub mod follow;
pub mod istio;
pub mod kubeconfig;
pub mod kubelet;
pub mod limit;
pub mod network;
pub mod objects;
pub mod pki;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod services;
pub mod sidecar;
pub mod tools;
pub mod wait;

pub use cluster::Cluster;
pub use istio::{Gateway, Istio, Kind};
pub use kubelet::Hold;
pub use tools::Binaries;

use std::path::PathBuf;
use std::sync::OnceLock;

/// If set to `1`, tests on real clusters are skipped on purpose: `cargo xtask ci --without-rig`.
pub const WITHOUT: &str = "MESH_WITHOUT_RIG";

/// The built components. If they are missing, prints `NOT RUN: ...` and returns `None`.
///
/// # Panics
/// If a component is missing and required (`MESH_REQUIRE_JUDGES=1` or `CI=true`).
#[must_use]
pub fn rig() -> Option<&'static Binaries> {
    if is_left_out("the rig") {
        return None;
    }
    static FOUND: OnceLock<Result<Binaries, String>> = OnceLock::new();
    match FOUND.get_or_init(Binaries::find) {
        Ok(binaries) => Some(binaries),
        Err(why) => {
            crate::judges::missing("the rig", why);
            None
        }
    }
}

/// OpenBao's program, if it is there; otherwise as [`rig`].
///
/// # Panics
/// As [`rig`].
#[must_use]
pub fn openbao() -> Option<PathBuf> {
    Some(alone(&tools::OPENBAO, "OpenBao")?.join("bao"))
}

/// The folder of moto and the `aws` command, for `PYTHONPATH`, if it is there; otherwise as [`rig`].
///
/// # Panics
/// As [`rig`].
#[must_use]
pub fn moto() -> Option<PathBuf> {
    Some(alone(&tools::MOTO, "moto")?.join("python"))
}

/// The folder of a component that needs no other.
fn alone(tool: &tools::Tool, judge: &str) -> Option<PathBuf> {
    let folder = tool.folder().and_then(|folder| match tool.lacks()? {
        None => Ok(folder),
        Some(file) => {
            let at = folder.join(file);
            Err(format!("{} is not there; `cargo xtask rig` creates it", at.display()))
        }
    });
    match folder {
        Ok(folder) => Some(folder),
        Err(_) if is_left_out(judge) => None,
        Err(why) => {
            crate::judges::missing(judge, &why);
            None
        }
    }
}

/// Whether the rig is left out on purpose; says so.
fn is_left_out(judge: &str) -> bool {
    let is_left_out = std::env::var(WITHOUT).is_ok_and(|value| value == "1");
    if is_left_out {
        crate::judges::say(&format!("NOT RUN: what {judge} judges: it was left out on purpose"));
    }
    is_left_out
}
