//! The proof, asked of a cluster: istiod through the API server's port forwarding, the ConfigMaps, a token.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, Portforwarder};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use meshpki::cacerts::{Secret, pool};
use meshpki::istiod::{NamespaceRoots, Version};
use meshpki::x509::GeneralName;
use meshpki::{Cert, Time};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{
    Istiod, Kube, MeshConfig, REQUEST, ask, ask_optional, istiod, mesh_config, token, told,
    workloads,
};
use crate::error::Error;
use crate::istio_ca::{self, Connection, Token};
use crate::names::{
    CRL_CONFIG_MAP, CRL_CONFIG_MAP_KEY, IGNORED_NAMESPACES, ISTIOD_TLS_PORT, ROOT_CONFIG_MAP,
    ROOT_CONFIG_MAP_KEY, ROOT_TRUST_BUNDLE, TOKEN_AUDIENCE,
};
use crate::proof::{PodProof, Proof};
use crate::workload::{Pod, Workload};

/// A token lives as short as the API server allows.
const TOKEN_SECONDS: i64 = 600;

/// Asks every ready pod of istiod, and reads every namespace.
pub(super) async fn prove(kube: &Kube, secret: &Secret) -> Result<Proof, Error> {
    let deployments = istiod::deployments(kube).await?;
    let istiods = istiod::all(kube, &deployments)?;
    let istiod = workloads::istiod_of(kube, deployments).await?;
    let token = token(kube).await?;
    let mut pods = Vec::new();
    for (pod, release) in ready(&istiod) {
        pods.push(ask_pod(kube, &pod.name, secret, release, &token).await);
    }
    let config = mesh_config::read_of(kube, async { Ok(istiods.clone()) }).await?;
    let namespaces = given_roots(kube, &config, &istiods).await?;
    let crls = given_crls(kube, secret, &istiods).await?;
    Ok(Proof { at: now(), pods, namespaces, crls })
}

/// The CRLs of each namespace, where an istiod gives them out. Whoever has none needs no right to read them.
async fn given_crls(
    kube: &Kube,
    secret: &Secret,
    istiods: &[Istiod],
) -> Result<Option<BTreeMap<String, String>>, Error> {
    if !istiods.iter().any(|istiod| istiod.settings.crl) {
        return Ok(None);
    }
    match crl_maps(kube).await {
        Err(Error::Forbidden { .. }) if secret.get(CRL_CONFIG_MAP_KEY).is_none() => Ok(None),
        maps => maps.map(Some),
    }
}

/// What every ready pod of istiod serves; nothing is signed, so that no token is needed.
pub(super) async fn served(kube: &Kube) -> Result<Vec<PodProof>, Error> {
    let istiod = workloads::istiod(kube).await?;
    let asked = ready(&istiod).map(async |(pod, release)| {
        let served = match timeout(REQUEST, connect(kube, &pod.name)).await {
            Ok(connection) => connection.and_then(|(_forward, connection)| connection.served()),
            Err(_) => Err(no_answer()),
        };
        PodProof { pod: pod.name.clone(), release, served, canary: None }
    });
    Ok(join_all(asked).await)
}

/// The pods of istiod that are ready, with their release; the newest if their image does not say.
pub(super) fn ready(istiod: &[Workload]) -> impl Iterator<Item = (&Pod, Version)> {
    istiod.iter().flat_map(|workload| {
        let release = workload.release.unwrap_or(Version::NEWEST);
        workload.ready_pods().map(move |pod| (pod, release))
    })
}

/// A TLS connection to a pod through the API server; it lives as long as what forwards it.
async fn connect(
    kube: &Kube,
    pod: &str,
) -> Result<(Portforwarder, Connection<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>), String>
{
    let mut forward = kube
        .pods(kube.namespace())
        .portforward(pod, &[ISTIOD_TLS_PORT])
        .await
        .map_err(|error| told(&error))?;
    let stream = forward.take_stream(ISTIOD_TLS_PORT).ok_or("no stream to the port")?;
    Ok((forward, istio_ca::connect(stream, kube.namespace()).await?))
}

pub(super) fn no_answer() -> String {
    format!("no response within {} s", REQUEST.as_secs())
}

/// What one pod serves; a canary only where it serves the CA of the secret, since the token goes to it.
async fn ask_pod(
    kube: &Kube,
    pod: &str,
    secret: &Secret,
    release: Version,
    token: &Token,
) -> PodProof {
    let asked = timeout(REQUEST, async {
        let (_forward, connection) = connect(kube, pod).await?;
        let served = connection.served()?;
        let wanted = secret.ca(release).ok_or("the secret has no CA certificate")?;
        let trusted = crate::proof::verify_chain(&served, &secret.roots(release), now());
        let is_live = trusted.is_some_and(|verdict| verdict.is_ok())
            && served.first().is_some_and(|leaf| meshpki::chain::issued(&wanted, leaf));
        if is_live && !served.first().is_some_and(|leaf| is_istiods(leaf, kube.namespace())) {
            return Err("it presents a workload's certificate, not istiod's".to_owned());
        }
        let canary = if is_live { Some(connection.sign(token).await) } else { None };
        Ok::<_, String>((served, canary))
    });
    let (served, canary) = match asked.await {
        Ok(Ok((served, canary))) => (Ok(served), canary),
        Ok(Err(why)) => (Err(why), None),
        Err(_) => (Err(no_answer()), None),
    };
    PodProof { pod: pod.to_owned(), release, served, canary }
}

/// Whether a certificate is one istiod makes for itself (`pilot/pkg/bootstrap/server.go: initIstiodCerts`,
/// `certcontroller.go: initDNSCertsIstiod`): a workload's under the same CA names no Service, and gets no token.
fn is_istiods(leaf: &Cert, namespace: &str) -> bool {
    let names = leaf.extensions().subject_alt_name.as_deref().unwrap_or_default();
    let suffix = format!(".{namespace}.svc");
    names.iter().any(|name| match name {
        GeneralName::Dns(dns) => dns.starts_with(b"istio") && dns.ends_with(suffix.as_bytes()),
        _ => false,
    })
}

/// A token only istiod accepts, for the service account of the options.
async fn token(kube: &Kube) -> Result<Token, Error> {
    let account = &kube.options.service_account;
    let status = token::request(kube, account, &[TOKEN_AUDIENCE], TOKEN_SECONDS, false).await?;
    Ok(Token::new(status.token))
}

/// The roots of each namespace istiod serves, sorted.
pub(super) async fn namespaces(kube: &Kube) -> Result<Vec<NamespaceRoots>, Error> {
    let config = mesh_config::read(kube).await?;
    // Which release an istiod is does not matter here.
    given_roots(kube, &config, &kube.istiods().await.unwrap_or_default()).await
}

async fn given_roots(
    kube: &Kube,
    config: &MeshConfig,
    istiods: &[Istiod],
) -> Result<Vec<NamespaceRoots>, Error> {
    let bundle = trust_bundle(kube, istiods).await?;
    let api: Api<ConfigMap> = Api::all(kube.client.clone());
    let by_name = ListParams::default().fields(&format!("metadata.name={ROOT_CONFIG_MAP}"));
    let what = || format!("list configmaps {ROOT_CONFIG_MAP} in all namespaces");
    let maps = match &bundle {
        Some(_) => Vec::new(),
        None => ask(what, || api.list(&by_name)).await?.items,
    };
    let mut found = Vec::new();
    for (namespace, labels) in mesh_config::namespaces(kube).await? {
        if IGNORED_NAMESPACES.contains(&namespace.as_str()) || !config.serves(&labels) {
            continue;
        }
        let map = maps.iter().find(|map| map.metadata.namespace.as_deref() == Some(&namespace));
        let text = map.and_then(|map| map.data.as_ref()?.get(ROOT_CONFIG_MAP_KEY).cloned());
        let text = text.or_else(|| bundle.clone());
        let roots = text.map(|text| pool(text.as_bytes()));
        found.push(NamespaceRoots::new(namespace, roots));
    }
    found.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    Ok(found)
}

/// The texts of the ConfigMaps with CRLs, each once, sorted.
pub(super) async fn crls(kube: &Kube) -> Result<Vec<String>, Error> {
    let texts: BTreeSet<String> = crl_maps(kube).await?.into_values().collect();
    Ok(texts.into_iter().collect())
}

/// The texts of the ConfigMaps with CRLs, by namespace.
async fn crl_maps(kube: &Kube) -> Result<BTreeMap<String, String>, Error> {
    let api: Api<ConfigMap> = Api::all(kube.client.clone());
    let by_name = ListParams::default().fields(&format!("metadata.name={CRL_CONFIG_MAP}"));
    let what = || format!("list configmaps {CRL_CONFIG_MAP} in all namespaces");
    let maps = ask(what, || api.list(&by_name)).await?.items.into_iter();
    let maps = maps.filter(|map| map.metadata.name.as_deref() == Some(CRL_CONFIG_MAP));
    let text =
        |map: ConfigMap| Some((map.metadata.namespace?, map.data?.remove(CRL_CONFIG_MAP_KEY)?));
    Ok(maps.filter_map(text).collect())
}

/// The text of the ClusterTrustBundle that an istiod keeps instead of the ConfigMaps; empty if it is not there; `None` if
/// no istiod keeps one.
async fn trust_bundle(kube: &Kube, istiods: &[Istiod]) -> Result<Option<String>, Error> {
    if !istiods.iter().any(|istiod| istiod.trust_bundle) {
        return Ok(None);
    }
    let mut text = None;
    // istiod writes the first; servers of Kubernetes 1.37 and later have the second too.
    for version in ["v1beta1", "v1"] {
        let kind = GroupVersionKind::gvk("certificates.k8s.io", version, "ClusterTrustBundle");
        let resource = ApiResource::from_gvk_with_plural(&kind, "clustertrustbundles");
        let api: Api<DynamicObject> = Api::all_with(kube.client.clone(), &resource);
        let what = || format!("read clustertrustbundle {ROOT_TRUST_BUNDLE}");
        let found = ask_optional(what, || api.get(ROOT_TRUST_BUNDLE)).await?;
        let bundle =
            found.and_then(|found| found.data["spec"]["trustBundle"].as_str().map(str::to_owned));
        text = text.or(bundle);
    }
    Ok(Some(text.unwrap_or_default()))
}

/// Now, by this machine's clock.
pub(super) fn now() -> Time {
    use std::time::{SystemTime, UNIX_EPOCH};
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
