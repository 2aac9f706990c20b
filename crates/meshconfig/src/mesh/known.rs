//! Which clusters names refer to, and which errors only follow from others, so that one cause is one error.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::MeshCluster;
use crate::error::{Error, Fault};
use crate::spec::Spec;
use crate::text::{label_problem, nearest};

/// The clusters that names refer to.
pub(super) struct Known {
    /// The valid ones, by name.
    clusters: Vec<String>,
    /// All names in the spec.
    written: BTreeSet<String>,
    /// A name is used twice or not valid, or there is none, so which ones are meant is not known.
    in_doubt: bool,
}

impl Known {
    /// The names of a spec; `clusters` are those without errors, by name.
    pub(super) fn new(spec: &Spec, clusters: &[MeshCluster]) -> Self {
        let mut written = BTreeSet::new();
        let mut in_doubt = clusters.is_empty();
        for cluster in &spec.clusters {
            in_doubt |= label_problem(&cluster.name).is_some();
            in_doubt |= !written.insert(cluster.name.clone());
        }
        let clusters = clusters.iter().map(|cluster| cluster.name.clone()).collect();
        Self { clusters, written, in_doubt }
    }

    /// The index of a cluster. The error is `None` if it follows from one of the cluster itself.
    pub(super) fn cluster(&self, name: &str) -> Result<usize, Option<Fault>> {
        let found = self.clusters.binary_search_by(|known| known.as_str().cmp(name));
        found.map_err(|_place| {
            let follows = self.in_doubt || self.written.contains(name);
            (!follows).then(|| Fault::UnknownName {
                what: "cluster",
                found: name.into(),
                meant: nearest(name, self.written.iter().map(String::as_str)),
                also: Vec::new(),
            })
        })
    }
}

/// The errors, with one for a name that is unknown in several places.
pub(super) fn merged(errors: Vec<Error>) -> Vec<Error> {
    let mut first: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let mut merged: Vec<Error> = Vec::new();
    for error in errors {
        if let Fault::UnknownName { what, found, .. } = &*error.fault {
            let before = *first.entry((what, found.clone())).or_insert(merged.len());
            if let Some(Fault::UnknownName { also, .. }) =
                merged.get_mut(before).map(|before| &mut *before.fault)
            {
                also.push(error.path);
                continue;
            }
        }
        merged.push(error);
    }
    merged
}
