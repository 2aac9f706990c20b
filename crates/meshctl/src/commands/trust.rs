//! `meshctl trust render`: the settings each istiod needs to accept the other trust domains, as Helm values.
//! The other commands of the group have a file each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use meshconfig::Mesh;
use meshconfig::mesh::MeshCluster;
use meshpki::cacerts::{self, Layout};
use meshpki::federation::{Member, PeerTrust, TrustSettings, anchors, trust_settings};
use meshpki::{Cert, Time};
use serde_json::{Value, json};

use crate::args::TrustRender as Render;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::spec;
use crate::text::{safe, word};

mod accept;
mod bundle;
mod matrix;
mod pull;
mod serve;

pub(super) use bundle::run as bundle;
pub(super) use matrix::run as matrix;
pub(super) use pull::run as pull;
pub(super) use serve::run as serve;

/// Runs the command.
pub(super) fn render(args: &Render, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mesh = spec::mesh_of(&args.file, None, io)?;
    if let Some(name) = args.cluster.iter().find(|name| mesh.cluster(name).is_none()) {
        return Err(spec::unknown_cluster(&mesh, name));
    }
    let at = args.at.unwrap_or(io.now);
    let settings = settings(&mesh, &args.dir, at, io)?;
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
    dir: &Path,
    at: Time,
    io: &mut Io<'_>,
) -> Result<Vec<(&'m MeshCluster, TrustSettings)>, Failure> {
    let domains: BTreeSet<_> =
        mesh.clusters().iter().map(|cluster| &cluster.trust_domain).collect();
    let mut roots: BTreeMap<&str, Roots> = BTreeMap::new();
    // One trust domain: no settings are needed, and no folder is read.
    for cluster in mesh.clusters().iter().filter(|_| domains.len() > 1) {
        roots.insert(&cluster.name, roots_of(dir, cluster, at)?);
    }
    let members: Vec<Member<'_>> = mesh
        .clusters()
        .iter()
        .map(|cluster| {
            let roots = roots.get(cluster.name.as_str());
            let roots = roots.map_or(&[][..], |roots| roots.anchors.as_slice());
            Member::new(&cluster.name, &cluster.trust_domain, cluster.version, roots)
        })
        .collect();
    warn_of_strangers(&roots, io);
    Ok(mesh.clusters().iter().zip(trust_settings(&members)).collect())
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
            .hint("first put every root into every cluster's root-cert.pem; `meshctl check DIR` shows which roots are missing where");
        io.warn(&failure);
    }
}

/// The roots of a cluster's folder; an error where none vouches for its CA.
fn roots_of(dir: &Path, cluster: &MeshCluster, at: Time) -> Result<Roots, Failure> {
    let name = &cluster.name;
    let folder = dir.join(name);
    let layout = Layout::of(cluster.version, |file| folder.join(file).exists());
    let ca_file = folder.join(layout.ca_file());
    if !ca_file.exists() {
        return Err(Failure::new(
            "ctl/no-cluster",
            format!("{} has no folder `{name}` with a CA", word(dir)),
        )
        .hint(format!(
            "`meshctl ca init {} -f SPEC` creates one for each cluster of the spec",
            word(dir)
        )));
    }
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
            .hint(format!("`meshctl check {}` shows why", word(&folder))));
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
        return text + "# all clusters share this trust domain: no settings needed\n{}\n";
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
    text + &meshconfig::resource::yaml(&values(cluster, &settings.peer_trust))
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
