//! The clusters that the `trust` commands speak of: their secrets and trust domains, from folders or as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures_util::future::join_all;
use meshapply::Error;
use meshapply::kube::Istiod;
use meshconfig::Mesh;
use meshconfig::mesh::MeshCluster;
use meshpki::TrustDomain;
use meshpki::cacerts::Secret;
use meshpki::federation::{AcceptedDomains, MatrixCluster, TrustModel};
use meshpki::istiod::Version;

use crate::args::Clusters;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, Target, runtime};
use crate::fleet::folders::{self, Folder};
use crate::fleet::observe::{self, Found, unasked};
use crate::io::Io;

/// Trust domain of a cluster that names none.
const DEFAULT_DOMAIN: &str = "cluster.local";

/// Where the clusters are.
pub(super) struct Ask<'a> {
    /// Folders of single clusters, or folders with a folder per cluster.
    pub(super) dirs: &'a [PathBuf],
    /// The spec, and the contexts.
    pub(super) clusters: &'a Clusters,
    /// Ambient mode in every cluster that is not asked.
    pub(super) ambient: bool,
    /// Codes of errors to proceed despite.
    pub(super) force: &'a [String],
}

/// A cluster as it was read.
pub(super) struct Known {
    pub(super) name: String,
    /// The secret that it gets: that of its folder, or else the one that it has.
    pub(super) secret: Secret,
    /// The secret that it has, empty if it has none; `None` if it was not asked.
    pub(super) live: Option<Secret>,
    /// Its folder.
    pub(super) folder: Option<PathBuf>,
    /// Whether its CA is one that istiod made for itself: its key is in the cluster, and no folder has it.
    pub(super) own_ca: bool,
    pub(super) version: Version,
    pub(super) trust_domain: TrustDomain,
    pub(super) accepts: AcceptedDomains,
    pub(super) ambient: bool,
}

/// What was read, and what could not be.
pub(super) struct Read {
    pub(super) clusters: Vec<Known>,
    pub(super) failures: Vec<Failure>,
    pub(super) mesh: Option<Mesh>,
}

impl Known {
    pub(super) fn member(&self) -> MatrixCluster<'_> {
        MatrixCluster::new(&self.name, &self.secret, self.version, self.trust_domain.clone())
            .with_accepted(self.accepts.clone())
            .with_ambient(self.ambient)
    }

    /// A cluster that answered, with its folder or the CA that its istiod made for itself.
    ///
    /// # Errors
    /// `istiod/trust-domain` if that of the cluster is not one.
    fn live(
        target: &Target,
        seen: &Seen,
        folder: Option<Folder>,
        own: Option<Secret>,
    ) -> Result<Self, Failure> {
        let version = seen.release();
        let trust_domain = seen.mesh.trust_domain().parse();
        let trust_domain = trust_domain.map_err(|error: meshpki::TrustDomainError| {
            Failure::new("istiod/trust-domain", error.to_string())
                .within(format!("cluster {}", target.name))
        })?;
        let plugged = seen.observed.secret.as_ref().map(|live| live.files.clone());
        let made = own.as_ref().and_then(|own| own.ca(version));
        let live = plugged.or(own).unwrap_or_default();
        let (folder, planned) = folder.map(|folder| (folder.path, folder.secret)).unzip();
        Ok(Self {
            name: target.name.clone(),
            own_ca: made.is_some() && made == live.ca(version),
            secret: planned.unwrap_or_else(|| live.clone()),
            live: Some(live),
            folder,
            version,
            trust_domain,
            accepts: accepts(seen),
            ambient: seen.istiods.iter().any(|istiod| istiod.ambient),
        })
    }
}

impl Read {
    /// The clusters of the spec that were not read.
    pub(super) fn unread(&self) -> Vec<&str> {
        let all = self.mesh.iter().flat_map(Mesh::clusters).map(|cluster| cluster.name.as_str());
        all.filter(|name| !self.clusters.iter().any(|known| known.name == *name)).collect()
    }

    /// The trust model of two clusters by the spec. Without models there, each pair merges what roots there are.
    pub(super) fn model(&self, one: usize, other: usize) -> Option<TrustModel> {
        let Some(mesh) = &self.mesh else { return Some(TrustModel::MergedRoots) };
        let name = |index: usize| mesh.cluster(&self.clusters[index].name);
        model(mesh, name(one)?, name(other)?)
    }
}

/// The trust model of two clusters; a spec that names none merges what roots there are.
pub(super) fn model(mesh: &Mesh, one: &MeshCluster, other: &MeshCluster) -> Option<TrustModel> {
    mesh.trust().map_or(Some(TrustModel::MergedRoots), |trust| trust.model(one, other))
}

/// The sets in folders, with the settings that `trust render` prints.
pub(super) fn on_disk(ask: &Ask<'_>, io: &mut Io<'_>) -> Result<Read, Failure> {
    let mesh = ask.clusters.mesh(io)?;
    let folders = folders::of_mesh(ask.dirs, mesh.as_ref(), io)?;
    let absent = folders::absent(mesh.as_ref(), &folders).into_iter();
    let failures = absent.map(|(_, failure)| failure).collect();
    let version = ask.clusters.istio_version;
    let mut clusters: Vec<Known> = Vec::new();
    for folder in folders {
        let named = mesh.as_ref().and_then(|mesh| mesh.cluster(&folder.name));
        let version = named.map_or(version.unwrap_or(Version::NEWEST), |cluster| cluster.version);
        let trust_domain = match named {
            Some(cluster) => cluster.trust_domain.clone(),
            None => own_domain(&folder.secret, version)?,
        };
        clusters.push(Known {
            name: folder.name,
            secret: folder.secret,
            live: None,
            folder: Some(folder.path),
            own_ca: false,
            version,
            trust_domain,
            accepts: AcceptedDomains::Listed(BTreeSet::new()),
            ambient: ask.ambient || named.is_some_and(|cluster| cluster.ambient),
        });
    }
    let mut read = Read { clusters, failures, mesh };
    let accepted: Vec<_> = (0..read.clusters.len()).map(|own| federated(&read, own)).collect();
    for (cluster, domains) in read.clusters.iter_mut().zip(accepted) {
        cluster.accepts = AcceptedDomains::Listed(domains);
    }
    Ok(read)
}

/// The trust domains of the clusters that one has a trust model with.
fn federated(read: &Read, own: usize) -> BTreeSet<TrustDomain> {
    let others = (0..read.clusters.len()).filter(|other| read.model(own, *other).is_some());
    others.map(|other| read.clusters[other].trust_domain.clone()).collect()
}

/// The trust domain in the URI of a CA, as `ca init --trust-domain` writes it, or the default.
fn own_domain(secret: &Secret, version: Version) -> Result<TrustDomain, Failure> {
    let names = secret.ca(version).and_then(|ca| ca.extensions().subject_alt_name.clone());
    let uri = names.into_iter().flatten().find_map(|name| match name {
        meshpki::x509::GeneralName::Uri(uri) => String::from_utf8(uri).ok(),
        _ => None,
    });
    let domain = uri.as_deref().and_then(|uri| uri.strip_prefix("spiffe://"));
    domain
        .unwrap_or(DEFAULT_DOMAIN)
        .parse()
        .map_err(|error: meshpki::TrustDomainError| meshpki::Error::from(error).into())
}

/// The clusters as they are, with their own settings, and the secrets of the folders instead of those they have.
pub(super) fn asked(ask: &Ask<'_>, io: &mut Io<'_>) -> Result<Read, Failure> {
    if ask.clusters.is_empty() {
        return Err(Failure::usage("nothing to compare").hint(
            "name folders, as in `meshctl trust matrix ca`, or clusters with `--context east=CONTEXT`",
        ));
    }
    let (selection, mesh) = ask.clusters.with_mesh(ask.force, io)?;
    let runtime = runtime()?;
    let (targets, found) = runtime.block_on(observe::asked(&selection, io))?;
    let folders = folders::of_mesh(ask.dirs, mesh.as_ref(), io)?.into_iter();
    let mut folders: BTreeMap<String, Folder> =
        folders.map(|folder| (folder.name.clone(), folder)).collect();
    let secrets = folders.iter().map(|(name, folder)| (name.clone(), folder.secret.clone()));
    let misplaced = observe::misplaced(&targets, &found, &secrets.collect());
    let own_cas = runtime.block_on(own_cas(&targets, &found, &folders));
    let mut failures = unasked(&targets, &found);
    let mut clusters = Vec::new();
    for ((target, found), own) in targets.iter().zip(&found).zip(own_cas) {
        let Ok(Found { seen, .. }) = found else { continue };
        match own {
            Ok(own) => clusters.push(Known::live(target, seen, folders.remove(&target.name), own)?),
            Err(error) => failures.push(observe::unreachable(target, &error)),
        }
    }
    failures.extend(misplaced.into_iter().map(|(_, failure)| failure));
    Ok(Read { clusters, failures, mesh })
}

/// The CAs that istiods made for themselves, of the clusters without a folder.
async fn own_cas(
    targets: &[Target],
    found: &[Result<Found, Error>],
    folders: &BTreeMap<String, Folder>,
) -> Vec<Result<Option<Secret>, Error>> {
    let one = async |(target, found): (&Target, &Result<Found, Error>)| match found {
        Ok(_) if !folders.contains_key(&target.name) => target.kube.own_ca().await,
        _ => Ok(None),
    };
    join_all(targets.iter().zip(found).map(one)).await
}

/// The trust domains that every revision of istiod lets its proxies accept.
fn accepts(seen: &Seen) -> AcceptedDomains {
    let of = |istiod: &Istiod| {
        AcceptedDomains::of_istiod(
            istiod.settings.version,
            istiod.skip_validation,
            &seen.mesh.aliases,
            &seen.mesh.ca_domains,
        )
    };
    let all = seen.istiods.iter().map(of);
    all.reduce(AcceptedDomains::both).unwrap_or(AcceptedDomains::Listed(BTreeSet::new()))
}
