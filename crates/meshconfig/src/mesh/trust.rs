//! Trust models: which pairs of clusters accept each other, how, and whether their proxies can.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use meshpki::federation::{ModelSide, TrustModel};

use super::clusters::duplicate;
use super::{Known, Mesh, MeshCluster};
use crate::error::{Error, Fault};
use crate::spec::{ModelName, Spec, TrustPair};

/// The trust model of each pair of clusters.
#[derive(Clone, Debug)]
pub struct Trust {
    default: Option<TrustModel>,
    /// By the indices of the two, the smaller first.
    pairs: BTreeMap<(usize, usize), TrustModel>,
}

impl Trust {
    /// The model of two clusters, in any order; `None`: they need not accept each other.
    #[must_use]
    pub fn model(&self, one: &MeshCluster, other: &MeshCluster) -> Option<TrustModel> {
        self.pairs.get(&ordered(one.index, other.index)).copied().or(self.default)
    }
}

const fn ordered(one: usize, other: usize) -> (usize, usize) {
    if one < other { (one, other) } else { (other, one) }
}

const fn known(model: ModelName) -> TrustModel {
    match model {
        ModelName::SharedRoot => TrustModel::SharedRoot,
        ModelName::MergedRoots => TrustModel::MergedRoots,
        ModelName::Bridge => TrustModel::Bridge,
        ModelName::ScopedBridge => TrustModel::ScopedBridge,
    }
}

/// The models of a spec; `clusters` are those without errors.
pub(super) fn resolve(
    spec: &Spec,
    clusters: &[MeshCluster],
    names: &Known,
    errors: &mut Vec<Error>,
) -> Option<Trust> {
    let trust = spec.trust.as_ref()?;
    if trust.model.is_none() && trust.pairs.is_empty() {
        let what = "`trust`".to_string();
        errors.push(Error::new("trust", Fault::Needs { what, needs: "`model` or `pairs`" }));
    }
    let mut resolved = Trust { default: trust.model.map(known), pairs: BTreeMap::new() };
    let mut first: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (at, pair) in trust.pairs.iter().enumerate() {
        let Some((one, other)) = indices(pair, at, names, errors) else { continue };
        if let Some(before) = first.insert((one, other), at) {
            let name = pair.clusters.join("` and `");
            let place = format!("trust.pairs[{before}]");
            errors.push(duplicate(&format!("trust.pairs[{at}]"), "pair", &name, place));
            continue;
        }
        let model = known(pair.model);
        resolved.pairs.insert((one, other), model);
        errors.extend(refused(
            &format!("trust.pairs[{at}].model"),
            model,
            clusters,
            [(one, other)],
        ));
    }
    if let Some(model) = resolved.default {
        let all = (0..clusters.len()).flat_map(|a| (a + 1..clusters.len()).map(move |b| (a, b)));
        let rest = all.filter(|pair| !resolved.pairs.contains_key(pair));
        errors.extend(refused("trust.model", model, clusters, rest));
    }
    Some(resolved)
}

/// Reports each pair of clusters that call each other without a model.
pub(super) fn check(mesh: &Mesh, errors: &mut Vec<Error>) {
    let Some(trust) = &mesh.trust else { return };
    let mut reported = BTreeSet::new();
    for service in &mesh.services {
        let home = mesh.home(service);
        for importer in mesh.importers(service) {
            let pair = ordered(home.index, importer.index);
            if trust.model(home, importer).is_none() && reported.insert(pair) {
                let fault = Fault::NotFederated {
                    importer: importer.name.clone(),
                    service: service.key(),
                    cluster: home.name.clone(),
                };
                errors.push(Error::new("trust", fault));
            }
        }
    }
}

/// The two clusters of a pair, the smaller index first.
fn indices(
    pair: &TrustPair,
    at: usize,
    names: &Known,
    errors: &mut Vec<Error>,
) -> Option<(usize, usize)> {
    let path = format!("trust.pairs[{at}].clusters");
    let mut found = Vec::new();
    for (i, name) in pair.clusters.iter().enumerate() {
        match names.cluster(name) {
            Ok(index) => found.push(index),
            Err(fault) => {
                errors.extend(fault.map(|fault| Error::new(format!("{path}[{i}]"), fault)))
            }
        }
    }
    let is_pair = matches!(pair.clusters.as_slice(), [one, other] if one != other);
    if !is_pair {
        let found = pair.clusters.join(", ");
        let expected = "two different clusters";
        errors.push(Error::new(path, Fault::Value { what: "pair", found, expected }));
        return None;
    }
    match found.as_slice() {
        [one, other] => Some(ordered(*one, *other)),
        _ => None,
    }
}

/// The first pair whose proxies do not support the model, and how many more there are.
fn refused(
    path: &str,
    model: TrustModel,
    clusters: &[MeshCluster],
    pairs: impl IntoIterator<Item = (usize, usize)>,
) -> Option<Error> {
    let mut all = pairs.into_iter().filter_map(|(a, b)| {
        let (first, second) = (&clusters[a], &clusters[b]);
        let why = model.obstacle(first.trust_side(), second.trust_side())?;
        Some((first, second, why.to_string()))
    });
    let (first, second, why) = all.next()?;
    let (first, second) = (first.name.clone(), second.name.clone());
    let fault = Fault::TrustModel { model: model.as_str(), first, second, why, more: all.count() };
    Some(Error::new(path, fault))
}

impl MeshCluster {
    /// What decides which trust models work here.
    #[must_use]
    pub const fn trust_side(&self) -> ModelSide<'_> {
        ModelSide::new(self.name.as_str(), &self.trust_domain, self.version, self.ambient)
    }
}
