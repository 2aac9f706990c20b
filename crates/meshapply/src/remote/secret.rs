//! A secret that may hold kubeconfigs of other clusters, as it was read.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{ANNOTATION, LABEL};
use crate::names::{FIELD_MANAGER, MANAGED_BY};

/// A secret of istiod's namespace. It has no `Debug`: the data are credentials.
#[derive(Clone)]
pub struct RemoteSecret {
    /// Its name.
    pub name: String,
    /// Its version, for a write that is for this version only.
    pub resource_version: String,
    /// Whether istiod looks at it: it has the label `istio/multiCluster: "true"`.
    pub is_labelled: bool,
    /// The annotation with the name of the cluster.
    pub annotation: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// Its data can never change.
    pub immutable: bool,
    /// Cluster name -> kubeconfig.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Whose a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This program wrote it.
    Meshctl,
    /// Nothing claims it: it is istioctl's, written with kubectl.
    Istioctl,
    /// Another program would write it again: a field manager, an owner, or a label says so.
    Other(String),
}

/// What the metadata of a secret say about its owner.
#[derive(Default)]
pub struct Metadata<'a> {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
    /// The field managers of the data.
    pub managers: Vec<&'a str>,
    /// `KIND/NAME` of owner references.
    pub owners: Vec<String>,
}

impl Metadata<'_> {
    /// Whose the secret is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        if let Some(owner) = self.owners.first() {
            return Owner::Other(owner.clone());
        }
        let is_person =
            |name: &str| name == FIELD_MANAGER || name == "istioctl" || name.starts_with("kubectl");
        if let Some(other) = self.managers.iter().find(|name| !is_person(name)) {
            return Owner::Other(format!("field manager {other}"));
        }
        let (label, ours) = MANAGED_BY;
        match self.labels.get(label) {
            Some(value) if value == ours => Owner::Meshctl,
            Some(other) => Owner::Other(format!("label {label}: {other}")),
            None => Owner::Istioctl,
        }
    }

    /// Whether istiod looks at the secret.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.labels.get(LABEL.0).is_some_and(|value| value == LABEL.1)
    }

    /// The cluster that the annotation names.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        self.annotations.get(ANNOTATION).cloned()
    }
}
