//! `meshctl trust render`: the settings each istiod needs to accept the other trust domains, as Helm values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshconfig::Mesh;
use meshconfig::mesh::MeshCluster;
use meshpki::cacerts::{self, Layout};
use meshpki::federation::{Member, PeerTrust, TrustSettings, anchors, trust_settings_by};
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use super::known::model;
use crate::args::TrustRender as Render;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::fleet::folders;
use crate::io::Io;
use crate::spec;
use crate::text::{safe, word};

/// Runs the command.
pub(crate) fn run(args: &Render, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh_of(&args.file, None, io)?;
    if let Some(name) = args.cluster.iter().find(|name| mesh.cluster(name).is_none()) {
        return Err(spec::unknown_cluster(&mesh, name));
    }
    let at = args.at.unwrap_or(io.now);
    let settings = settings(&mesh, &args.dirs, at, io)?;
    let all: Vec<String> = settings
        .iter()
        .filter(|(cluster, _)| args.cluster.is_empty() || args.cluster.contains(&cluster.name))
        .map(|(cluster, settings)| text(cluster, settings))
        .collect();
    io.print(&all.join("---\n"))?;
    Ok(Exit::Good)
}

/// The settings every cluster of the mesh needs.
fn settings<'m>(
    mesh: &'m Mesh,
    dirs: &[PathBuf],
    at: Time,
    io: &mut Io<'_>,
) -> Result<Vec<(&'m MeshCluster, TrustSettings)>, Failure> {
    let clusters = mesh.clusters();
    let is_other = |one: &MeshCluster, other: &MeshCluster| {
        one.trust_domain != other.trust_domain && model(mesh, one, other).is_some()
    };
    refuse_obstacles(mesh)?;
    let folders = folders_of(dirs, mesh)?;
    // No folder is read of a cluster that needs no settings.
    let mut roots: BTreeMap<&str, Roots> = BTreeMap::new();
    for cluster in clusters.iter().filter(|own| clusters.iter().any(|other| is_other(own, other))) {
        roots.insert(&cluster.name, roots_of(&folders, dirs, cluster, at)?);
    }
    let members: Vec<Member<'_>> = clusters
        .iter()
        .map(|cluster| {
            let roots = roots.get(cluster.name.as_str());
            let roots = roots.map_or(&[][..], |roots| roots.anchors.as_slice());
            Member::new(&cluster.name, &cluster.trust_domain, cluster.version, roots)
        })
        .collect();
    if mesh.trust().is_none() {
        warn_of_strangers(&roots, io);
    }
    let by_index = |one: usize, other: usize| model(mesh, &clusters[one], &clusters[other]);
    Ok(clusters.iter().zip(trust_settings_by(&members, &by_index)).collect())
}

/// Without `trust` in the spec, every pair has to work; with it, the spec has been checked.
fn refuse_obstacles(mesh: &Mesh) -> Result<(), Failure> {
    let clusters = mesh.clusters();
    for (place, one) in clusters.iter().enumerate() {
        for other in &clusters[place + 1..] {
            let model = model(mesh, one, other);
            let why = model.and_then(|model| model.obstacle(one.trust_side(), other.trust_side()));
            if let Some(why) = why {
                let message = format!("{} and {} cannot accept each other", one.name, other.name);
                return Err(Failure::new("config/trust-model", message)
                    .because(why.to_string())
                    .hint("give both one trust domain, or name in `trust.pairs` of the spec only the clusters that call each other"));
            }
        }
    }
    Ok(())
}

/// The roots of a cluster's folder.
struct Roots {
    /// Those that vouch for its CA.
    anchors: Vec<Cert>,
    /// All its workloads trust.
    trusted: Vec<Cert>,
}

/// Whose certificates a cluster cannot check has no identity there to accept.
fn warn_of_strangers(roots: &BTreeMap<&str, Roots>, io: &mut Io<'_>) {
    for (name, own) in roots {
        let strange = |other: &Roots| !other.anchors.iter().any(|root| own.trusted.contains(root));
        let strangers: Vec<&str> =
            roots.iter().filter(|(_, other)| strange(other)).map(|(name, _)| *name).collect();
        if strangers.is_empty() {
            continue;
        }
        let message = format!("{name} does not trust the root of {}", strangers.join(", "));
        let failure = Failure::new("istiod/different-roots", message)
            .because("accepting each other's trust domains is not enough: proxies use the roots in caCertificates only with ISTIO_MULTIROOT_MESH=true")
            .hint("choose a trust model in the spec, such as `trust: {model: bridge}`; `meshctl trust plan` shows what each cluster lacks");
        io.warn(&failure);
    }
}

/// The folder of each cluster, in whichever of these.
fn folders_of<'m>(dirs: &[PathBuf], mesh: &'m Mesh) -> Result<BTreeMap<&'m str, PathBuf>, Failure> {
    let mut folders: BTreeMap<&str, PathBuf> = BTreeMap::new();
    for cluster in mesh.clusters() {
        let all = dirs.iter().map(|dir| dir.join(&cluster.name));
        for folder in all.filter(|folder| ca_file(folder, cluster).exists()) {
            if let Some(other) = folders.insert(&cluster.name, folder.clone()) {
                return Err(folders::two_folders(&cluster.name, &other, &folder));
            }
        }
    }
    Ok(folders)
}

fn ca_file(folder: &Path, cluster: &MeshCluster) -> PathBuf {
    folder.join(Layout::of(cluster.version, |file| folder.join(file).exists()).ca_file())
}

/// The roots of a cluster's folder; an error where none vouches for its CA.
fn roots_of(
    folders: &BTreeMap<&str, PathBuf>,
    dirs: &[PathBuf],
    cluster: &MeshCluster,
    at: Time,
) -> Result<Roots, Failure> {
    let name = &cluster.name;
    let Some(folder) = folders.get(name.as_str()) else {
        let among: Vec<String> = dirs.iter().map(|dir| word(dir)).collect();
        let failure = Failure::new(
            "ctl/no-cluster",
            format!("{} has no folder `{name}` with a CA", among.join(", ")),
        );
        return Err(match among.as_slice() {
            [dir] => failure.hint(format!(
                "`meshctl ca init {dir} -f SPEC` creates one for each cluster of the spec"
            )),
            _ => failure.hint("name the folder of its CA, too"),
        });
    };
    let ca_file = ca_file(folder, cluster);
    let layout = Layout::of(cluster.version, |file| folder.join(file).exists());
    let mut chain = Vec::new();
    for file in layout.chain_files() {
        chain.extend(certs(&folder.join(file))?);
    }
    let Some(ca) = certs(&ca_file)?.into_iter().next() else {
        return Err(Failure::new("pki/no-certificate", "no certificate").in_file(&ca_file));
    };
    let roots_file = folder.join(layout.roots_file());
    let trusted = certs(&roots_file)?;
    let flawed = trusted.iter().find_map(|root| Some((root, root.public_key().flaw()?)));
    if let Some((root, flaw)) = flawed {
        let what = format!("the key of `{}`", root.subject().label());
        return Err(Failure::from(meshpki::Error::ForgeableKey { what, flaw }).in_file(&roots_file));
    }
    let anchors = anchors(&ca, &chain, &trusted, at);
    if anchors.is_empty() {
        return Err(Failure::new("pki/untrusted", "no root vouches for the CA of the cluster")
            .in_file(&ca_file)
            .in_file(&roots_file)
            .hint(format!("`meshctl check {}` shows why", word(folder))));
    }
    Ok(Roots { anchors, trusted })
}

fn certs(path: &Path) -> Result<Vec<Cert>, Failure> {
    let bytes = files::read_optional(path)?.unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    cacerts::certs(&name, &bytes).map_err(|error| Failure::from(error).in_file(path))
}

/// The values of one cluster, with a word on each trust domain.
fn text(cluster: &MeshCluster, settings: &TrustSettings) -> String {
    let context = word(Path::new(&cluster.context));
    let namespace = word(Path::new(&cluster.istio_namespace));
    let mut text = format!("# cluster {}, Istio {}\n", cluster.name, cluster.version);
    if settings.peer_trust == PeerTrust::SameDomain {
        return text + "# it accepts no other trust domain: no settings needed\n{}\n";
    }
    text += &format!(
        "# helm --kube-context {context} -n {namespace} upgrade istiod istio/istiod --version {} --reuse-values -f FILE\n\
         # In an IstioOperator, put these values under spec.values. Lists replace existing lists.\n",
        cluster.version
    );
    for (domain, until) in &settings.until {
        let until = until.map_or_else(|| "?".to_owned(), Time::date);
        text += &safe(&format!("# accepts {domain}, whose last root expires {until}"));
        text.push('\n');
    }
    for domain in &settings.bridged {
        text += &safe(&format!("# accepts {domain} for as long as it sends a bridge"));
        text.push('\n');
    }
    text += named(&settings.peer_trust);
    text + &meshconfig::resource::yaml(&values(cluster, &settings.peer_trust))
}

/// How policies name the workloads of the other trust domains.
const fn named(way: &PeerTrust) -> &'static str {
    match way {
        PeerTrust::SameDomain => "",
        PeerTrust::Aliases(_) => {
            "# An AuthorizationPolicy cannot tell these trust domains apart: aliases make them one.\n"
        }
        PeerTrust::CaCertificates(_) | PeerTrust::SkipValidation => {
            "# An AuthorizationPolicy names their workloads as TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT.\n"
        }
    }
}

fn values(cluster: &MeshCluster, way: &PeerTrust) -> Value {
    let domain = cluster.trust_domain.as_str();
    match way {
        PeerTrust::SameDomain => json!({}),
        PeerTrust::SkipValidation => json!({
            "meshConfig": {"trustDomain": domain},
            "pilot": {"env": {"PILOT_SKIP_VALIDATE_TRUST_DOMAIN": "true"}},
        }),
        PeerTrust::Aliases(aliases) => {
            let aliases: Vec<&str> = aliases.iter().map(|alias| alias.as_str()).collect();
            json!({"meshConfig": {"trustDomain": domain, "trustDomainAliases": aliases}})
        }
        PeerTrust::CaCertificates(authorities) => {
            let one = |authority: &meshpki::federation::TrustAnchorEntry| {
                let domains: Vec<&str> =
                    authority.trust_domains.iter().map(|domain| domain.as_str()).collect();
                json!({"pem": authority.root.to_pem(), "trustDomains": domains})
            };
            let all: Vec<Value> = authorities.iter().map(one).collect();
            json!({"meshConfig": {"trustDomain": domain, "caCertificates": all}})
        }
    }
}
