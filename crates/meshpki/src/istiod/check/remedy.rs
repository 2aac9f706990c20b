//! What would help, as a value: the caller knows the folders, the contexts and the commands.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cacerts::Layout;
use crate::pem::Form;
use crate::soft::KeyType;

/// A step that solves a problem, or shows what is needed to solve it. It concerns the first cluster of the problem;
/// files are names in that cluster's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Sign the CSR that is in the folder, as a CA.
    SignRequest,
    /// Renew the cluster's CA under the same root.
    Renew,
    /// Bring all clusters of an unfinished rotation to the new root.
    FinishRotation,
    /// Make new CRLs of the authority.
    IssueCrls,
    /// Write the chain again: the CA certificate, then those above it.
    BuildChain,
    /// Move what is in the chain's file out of the folder, and write the chain.
    ReplaceChain,
    /// Convert a file of certificates to plain PEM text.
    Convert {
        /// The file.
        file: String,
        /// What it is; never empty.
        forms: Vec<Form>,
    },
    /// Write a file of certificates again, in order and each once.
    SortCertificates {
        /// The file.
        file: String,
    },
    /// List what expires within a year.
    ListExpiry,
    /// Create a CA in a new folder, under a new root.
    StartOver {
        /// The type of its key; `None`: the default.
        key_type: Option<KeyType>,
    },
    /// Create the cluster's CA under the root there is.
    Create,
    /// Move the cluster's folder away and create its CA under the root there is.
    Replace,
    /// Show what files hold.
    Inspect {
        /// The files.
        files: Vec<String>,
    },
    /// Explain why the CA does not verify under the roots.
    ExplainTrust {
        /// The names of the files.
        layout: Layout,
    },
    /// Copy the roots of the authority into the folder.
    CopyRoots,
    /// Move a file out of the folder, to the authority.
    MoveOut {
        /// The file.
        file: String,
    },
    /// List the folder's files.
    ListFiles,
    /// List the files that hold a private key.
    FindKeys,
    /// Write a key as plain PKCS#8, to a new file.
    ConvertKey {
        /// The file of the key.
        file: String,
    },
    /// Write the folder's files to the cluster, and restart istiod, the gateways and all workloads.
    Install,
    /// Restart every istiod of the cluster.
    RestartIstiod,
    /// Show which releases of istiod run.
    ShowRelease,
    /// Show the mesh's configuration.
    ShowMeshConfig,
    /// Change the mesh's configuration.
    EditMeshConfig,
    /// Show the roots that workloads are given.
    ShowGivenRoots,
    /// Set `PILOT_SKIP_VALIDATE_TRUST_DOMAIN=true` for istiod.
    SkipTrustDomainValidation,
}

impl Remedy {
    pub(super) fn sort(file: &str) -> Self {
        Self::SortCertificates { file: file.to_string() }
    }

    pub(super) fn inspect(files: &[&str]) -> Self {
        Self::Inspect { files: files.iter().map(ToString::to_string).collect() }
    }
}
