//! `meshctl trust matrix`: which clusters accept each other's workloads, why not, and until when.

use std::collections::BTreeSet;

use meshapply::kube::Istiod;
use meshconfig::Mesh;
use meshpki::cacerts::Secret;
use meshpki::federation::{
    AcceptedDomains, Impersonation, MatrixCluster, TrustAnswer, TrustCell, TrustMatrix,
    impersonations,
};
use meshpki::istiod::Version;
use meshpki::{Time, TrustDomain};

use crate::args::trust::{Matrix as Args, View};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fleet::clusters::{Seen, runtime};
use crate::fleet::folders::{collect, tell_apart};
use crate::fleet::observe::{self, Found, unasked};
use crate::io::Io;
use crate::spec;
use crate::text::json as pretty;

mod graph;
mod html;
mod json;
mod text;

/// Trust domain of a cluster that names none.
const DEFAULT_DOMAIN: &str = "cluster.local";

/// A cluster as it was read.
struct Known {
    name: String,
    secret: Secret,
    version: Version,
    trust_domain: TrustDomain,
    accepts: AcceptedDomains,
    ambient: bool,
}

/// Everything to report.
struct Report<'a> {
    at: Time,
    clusters: &'a [Known],
    cells: &'a [TrustCell],
    /// Pairs that need not accept each other, by index.
    spared: BTreeSet<(usize, usize)>,
    leaked: Option<(usize, Vec<Impersonation>)>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let at = io.time(args.at)?;
    let is_live = args.dirs.is_empty() || !args.clusters.contexts.is_empty();
    let (clusters, failures, mesh) = if is_live { asked(args, io)? } else { on_disk(args, io)? };
    if clusters.is_empty() {
        failures.iter().for_each(|failure| io.fail(failure));
        return Ok(Exit::Failed);
    }
    let members: Vec<MatrixCluster<'_>> = clusters.iter().map(Known::member).collect();
    let matrix = TrustMatrix::new(&members, at);
    let leaked = args.if_leaked.as_deref().map(|name| leaked(name, &clusters, &members, at));
    let report = Report {
        at,
        clusters: &clusters,
        cells: matrix.cells(),
        spared: spared(&clusters, mesh.as_ref()),
        leaked: leaked.transpose()?,
    };
    io.print(&match args.output {
        View::Text => text::write(&report),
        View::Json => pretty(&json::write(&report)),
        View::Html => html::write(&report),
        View::Mermaid => graph::mermaid(&report),
        View::Dot => graph::dot(&report),
    })?;
    failures.iter().for_each(|failure| io.fail(failure));
    Ok(match report.is_good() {
        false => Exit::No,
        true if failures.is_empty() => Exit::Good,
        true => Exit::Failed,
    })
}

/// What was read, what could not be, and the spec.
type Read = (Vec<Known>, Vec<Failure>, Option<Mesh>);

/// The sets in folders, with the settings that `trust render` prints.
fn on_disk(args: &Args, io: &mut Io<'_>) -> Result<Read, Failure> {
    let mut folders = Vec::new();
    for dir in &args.dirs {
        folders.extend(collect(dir)?);
    }
    tell_apart(&mut folders);
    let names: BTreeSet<String> = folders.iter().map(|folder| folder.name.clone()).collect();
    let version = args.clusters.istio_version;
    let mesh = match &args.clusters.file {
        Some(file) => Some(spec::mesh_of(file, version, io)?),
        None => None,
    };
    let mut clusters: Vec<Known> = Vec::new();
    for folder in folders {
        let named = mesh.as_ref().and_then(|mesh| mesh.cluster(&folder.name));
        if named.is_none() && mesh.is_some() {
            continue;
        }
        let version = named.map_or(version.unwrap_or(Version::NEWEST), |cluster| cluster.version);
        let trust_domain = match named {
            Some(cluster) => cluster.trust_domain.clone(),
            None => own_domain(&folder.secret, version)?,
        };
        clusters.push(Known {
            name: folder.name,
            secret: folder.secret,
            version,
            trust_domain,
            accepts: AcceptedDomains::Listed(BTreeSet::new()),
            ambient: args.ambient,
        });
    }
    let domains: BTreeSet<TrustDomain> =
        clusters.iter().map(|cluster| cluster.trust_domain.clone()).collect();
    for cluster in &mut clusters {
        cluster.accepts = AcceptedDomains::Listed(domains.clone());
    }
    Ok((clusters, absent(mesh.as_ref(), &names), mesh))
}

/// The clusters of the spec that have no folder.
fn absent(mesh: Option<&Mesh>, names: &BTreeSet<String>) -> Vec<Failure> {
    let clusters = mesh.into_iter().flat_map(Mesh::clusters);
    let absent = clusters.filter(|cluster| !names.contains(&cluster.name)).map(|cluster| {
        Failure::new(
            "ctl/no-cluster",
            format!("cluster `{}` of the spec has no folder", cluster.name),
        )
        .hint("name the folder of its CA, too")
    });
    absent.collect()
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

/// The secrets that clusters have, with their own settings.
fn asked(args: &Args, io: &mut Io<'_>) -> Result<Read, Failure> {
    if args.clusters.is_empty() {
        return Err(Failure::usage("nothing to compare").hint(
            "name folders, as in `meshctl trust matrix ca`, or clusters with `--context east=CONTEXT`",
        ));
    }
    let selection = args.clusters.resolved(&args.force)?;
    let (targets, found) = runtime()?.block_on(observe::asked(&selection, io))?;
    let mesh = match &args.clusters.file {
        Some(file) => Some(spec::mesh_of(file, args.clusters.istio_version, io)?),
        None => None,
    };
    let mut planned = std::collections::BTreeMap::new();
    for dir in &args.dirs {
        planned.extend(collect(dir)?.into_iter().map(|folder| (folder.name, folder.secret)));
    }
    let mut clusters = Vec::new();
    for (target, found) in targets.iter().zip(&found) {
        let Ok(Found { seen, .. }) = found else { continue };
        let live = || seen.observed.secret.as_ref().map(|live| live.files.clone());
        clusters.push(Known {
            name: target.name.clone(),
            secret: planned.remove(&target.name).or_else(live).unwrap_or_default(),
            version: seen.release(),
            trust_domain: seen.mesh.trust_domain().parse().map_err(
                |error: meshpki::TrustDomainError| {
                    Failure::new("istiod/trust-domain", error.to_string())
                        .within(format!("cluster {}", target.name))
                },
            )?,
            accepts: accepts(seen),
            ambient: seen.istiods.iter().any(|istiod| istiod.ambient),
        });
    }
    Ok((clusters, unasked(&targets, &found), mesh))
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

/// The pairs that the spec does not need: neither calls the other. A spec without services needs all.
fn spared(clusters: &[Known], mesh: Option<&Mesh>) -> BTreeSet<(usize, usize)> {
    let Some(mesh) = mesh.filter(|mesh| !mesh.services().is_empty()) else {
        return BTreeSet::new();
    };
    let mut calls: BTreeSet<(&str, &str)> = BTreeSet::new();
    for service in mesh.services() {
        let home = mesh.home(service);
        for caller in mesh.importers(service) {
            calls.insert((&home.name, &caller.name));
            calls.insert((&caller.name, &home.name));
        }
    }
    let pairs = (0..clusters.len()).flat_map(|a| (0..clusters.len()).map(move |b| (a, b)));
    pairs
        .filter(|(a, b)| a != b)
        .filter(|(a, b)| !calls.contains(&(clusters[*a].name.as_str(), clusters[*b].name.as_str())))
        .collect()
}

fn leaked(
    name: &str,
    clusters: &[Known],
    members: &[MatrixCluster<'_>],
    at: Time,
) -> Result<(usize, Vec<Impersonation>), Failure> {
    let Some(place) = clusters.iter().position(|cluster| cluster.name == name) else {
        let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        return Err(Failure::usage(format!("no cluster `{name}`"))
            .because(format!("the clusters are {}", names.join(", "))));
    };
    impersonations(members, place, at).map(|found| (place, found)).ok_or_else(|| {
        Failure::new("ctl/cluster-incomplete", "what its key is worth cannot be tried")
            .within(format!("cluster {name}"))
            .because("its files have no CA with its private key")
    })
}

/// The clusters of which nothing can be shown.
fn unknown(report: &Report<'_>) -> BTreeSet<usize> {
    let is_unknown = |cell: &&TrustCell| cell.answer == TrustAnswer::Unknown;
    report.cells.iter().filter(is_unknown).map(|cell| cell.signer).collect()
}

impl Known {
    fn member(&self) -> MatrixCluster<'_> {
        MatrixCluster::new(&self.name, &self.secret, self.version, self.trust_domain.clone())
            .with_accepted(self.accepts.clone())
            .with_ambient(self.ambient)
    }
}

impl Report<'_> {
    fn is_spared(&self, cell: &TrustCell) -> bool {
        self.spared.contains(&(cell.truster, cell.signer))
    }

    fn is_good(&self) -> bool {
        let is_good = |cell: &TrustCell| matches!(cell.answer, TrustAnswer::Accepted(_));
        self.cells.iter().all(|cell| self.is_spared(cell) || is_good(cell))
    }

    fn name(&self, index: usize) -> &str {
        &self.clusters[index].name
    }
}
