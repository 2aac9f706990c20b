//! Every proxy of a cluster, asked for its certificates on its admin port.

use futures_util::stream::{StreamExt, iter};
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod as KubePod;
use kube::api::{Api, ListParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use meshpki::Time;
use meshpki::rotation::{Sightings, Unseen};
use tokio::time::timeout;

use super::{Kube, REQUEST, ask, ask_optional, told, workloads};
use crate::error::Error;
use crate::proxies::{FAILURES_PATH, ProxyCerts, ProxyKind, failures};

/// The admin port of Envoy and of ztunnel, on loopback.
const ADMIN: u16 = 15000;
/// The longest response that is read: a ztunnel lists everything on its node.
const LONGEST: usize = 64 << 20;
/// Pods in one response of the API server.
const PAGE: u32 = 500;

/// A pod with a proxy.
struct Proxy {
    namespace: String,
    pod: String,
    kind: ProxyKind,
    /// Why it need not be asked.
    away: Option<&'static str>,
}

/// What was found in a cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proxies {
    /// What proxies show and trust, and what could not be seen.
    pub sightings: Sightings,
    /// How many answered.
    pub asked: usize,
    /// How many certificates those have rejected since they started; `None` if none of them counts.
    pub failures: Option<u64>,
}

/// Asks every proxy, `parallel` at a time; `until` is when a certificate ends at the latest of which nothing is known.
pub(super) async fn read(
    kube: &Kube,
    parallel: usize,
    until: Option<Time>,
) -> Result<Proxies, Error> {
    let all = list(kube).await?;
    let mut sightings = Sightings::default();
    let (mut asked, mut failures) = (0, None);
    let answers = iter(all.iter().map(async |proxy| (proxy, certs(kube, proxy).await)));
    let mut answers = answers.buffer_unordered(parallel.max(1));
    while let Some((proxy, answer)) = answers.next().await {
        let who = format!("pod {}/{}", proxy.namespace, proxy.pod);
        match answer {
            Ok((certs, failed)) => {
                asked += 1;
                failures =
                    failed.map(|more| failures.unwrap_or(0_u64).saturating_add(more)).or(failures);
                certs.iter().for_each(|one| sightings.add(&who, &one.chain, &one.roots));
            }
            Err(why) => sightings.unseen.push(Unseen::new(who, why, until)),
        }
    }
    sightings.unseen.extend(outside(kube, until).await?);
    sightings.unseen.sort();
    Ok(Proxies { sightings, asked, failures })
}

/// What the proxy of a gateway's pod shows and trusts.
///
/// # Errors
/// Why that is not known.
pub(super) async fn of_gateway(kube: &Kube, pod: &KubePod) -> Result<Vec<ProxyCerts>, String> {
    let proxy = gateway(pod).ok_or("it has ended")?;
    Ok(certs(kube, &proxy).await?.0)
}

/// The proxy of a gateway's pod, or of ztunnel's.
fn gateway(pod: &KubePod) -> Option<Proxy> {
    let labels = pod.metadata.labels.as_ref();
    let is_ztunnel =
        labels.and_then(|labels| labels.get("app")).is_some_and(|app| app == "ztunnel");
    proxy(pod, if is_ztunnel { ProxyKind::Ztunnel } else { ProxyKind::Gateway })
}

/// Every pod with a proxy, sorted.
async fn list(kube: &Kube) -> Result<Vec<Proxy>, Error> {
    let gateways = workloads::gateway_pods(kube).await?;
    let gateways = gateways.iter().map(|(_, pod)| gateway(pod));
    let mut all: Vec<Proxy> = gateways.flatten().collect();
    let api: Api<KubePod> = Api::all(kube.client.clone());
    let what = || "list the pods with a sidecar".to_owned();
    let mut page = ListParams::default().labels(workloads::INJECTED).limit(PAGE);
    loop {
        let found = ask(what, || api.list(&page)).await?;
        all.extend(found.items.iter().filter_map(|pod| proxy(pod, ProxyKind::Sidecar)));
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    all.sort_by(|a, b| (&a.namespace, &a.pod, a.kind).cmp(&(&b.namespace, &b.pod, b.kind)));
    // A gateway's pod may have the label of a sidecar, too.
    all.dedup_by(|a, b| (&a.namespace, &a.pod) == (&b.namespace, &b.pod));
    Ok(all)
}

/// A pod that runs or will; one that has ended has no certificate.
fn proxy(pod: &KubePod, kind: ProxyKind) -> Option<Proxy> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let away = match phase {
        Some("Succeeded" | "Failed") => return None,
        Some("Running") => None,
        _ => Some("it is not running yet"),
    };
    Some(Proxy {
        namespace: pod.metadata.namespace.clone()?,
        pod: pod.metadata.name.clone()?,
        kind,
        away,
    })
}

/// What a proxy has, and how many certificates it has rejected.
async fn certs(kube: &Kube, proxy: &Proxy) -> Result<(Vec<ProxyCerts>, Option<u64>), String> {
    if let Some(why) = proxy.away {
        return Err(why.to_owned());
    }
    let asked = timeout(REQUEST, ask_admin(kube, proxy)).await;
    asked.unwrap_or_else(|_| Err(format!("no response within {} s", REQUEST.as_secs())))
}

/// Asks its admin port through the API server's port forwarding.
async fn ask_admin(kube: &Kube, proxy: &Proxy) -> Result<(Vec<ProxyCerts>, Option<u64>), String> {
    let pods = kube.pods(&proxy.namespace);
    let forward = pods.portforward(&proxy.pod, &[ADMIN]).await;
    let mut forward = forward.map_err(|error| told(&error))?;
    let stream = forward.take_stream(ADMIN).ok_or("no stream to the port")?;
    let (mut sender, moving) = http1::handshake(TokioIo::new(stream)).await.map_err(silent)?;
    let exchange = async {
        let certs = proxy.kind.read(&get(&mut sender, proxy.kind.path()).await?)?;
        let failed = match proxy.kind {
            ProxyKind::Ztunnel => None,
            // Not every Envoy keeps the connection, or counts.
            _ => get(&mut sender, FAILURES_PATH).await.ok().and_then(|body| failures(&body)),
        };
        Ok((certs, failed))
    };
    // The connection moves while the exchange waits for it; what goes wrong on it, the exchange reports.
    let moving = async {
        let _ = moving.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = exchange => answer,
        () = moving => Err("its admin port does not answer".to_owned()),
    }
}

async fn get(sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Result<Bytes, String> {
    let request = Request::get(path)
        .header(HOST, "localhost")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    sender.ready().await.map_err(silent)?;
    let response = sender.send_request(request).await.map_err(silent)?;
    let status = response.status();
    if !status.is_success() {
        return Err(format!("its admin port answers {status}"));
    }
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| format!("its response cannot be read: {error}"))
}

fn silent(error: hyper::Error) -> String {
    format!("its admin port does not answer: {error}")
}

/// Workloads that are not pods: `WorkloadEntry` and what is registered by hand.
async fn outside(kube: &Kube, until: Option<Time>) -> Result<Vec<Unseen>, Error> {
    let kind = GroupVersionKind::gvk("networking.istio.io", "v1beta1", "WorkloadEntry");
    let resource = ApiResource::from_gvk_with_plural(&kind, "workloadentries");
    let api: Api<DynamicObject> = Api::all_with(kube.client.clone(), &resource);
    let what = || "list the workload entries in all namespaces".to_owned();
    let params = ListParams::default();
    let found = ask_optional(what, || api.list(&params)).await?;
    let entries = found.into_iter().flat_map(|list| list.items);
    let name = |entry: DynamicObject| {
        let (namespace, name) = (entry.metadata.namespace?, entry.metadata.name?);
        let who = format!("workload entry {namespace}/{name}");
        Some(Unseen::new(who, "it is outside the cluster", until))
    };
    Ok(entries.filter_map(name).collect())
}
