//! What istiod says on its debug endpoints, through the API server's port forwarding.
//!
//! A forwarded connection comes from the pod's own loopback address, which istiod lets see everything in every release
//! (`pilot/pkg/xds/debug.go: allowAuthenticatedOrLocalhost`); the proxy of the API server does not.

use futures_util::future::join_all;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::error::Error;
use crate::kube::{Kube, REQUEST, prove, told, workloads};
use crate::remote::{Said, View, clusters, endpoints};

/// The port with the debug endpoints (`--monitoringAddr`).
const PORT: u16 = 15014;
/// The most bytes of an answer that are read: a mesh with 100,000 endpoints has about 80 MB.
const BODY: usize = 512 << 20;

/// What every ready pod says.
pub(super) async fn views(kube: &Kube) -> Result<Vec<View>, Error> {
    let istiod = workloads::istiod(kube).await?;
    let mut views: Vec<View> = join_all(prove::ready(&istiod).map(async |(pod, _)| {
        let said = timeout(REQUEST, said(kube, &pod.name)).await;
        View { pod: pod.name.clone(), said: said.unwrap_or_else(|_| Err(prove::no_answer())) }
    }))
    .await;
    views.sort_by(|a, b| a.pod.cmp(&b.pod));
    Ok(views)
}

async fn said(kube: &Kube, pod: &str) -> Result<Said, String> {
    let unknown = |path: &str| format!("its answer at {path} is not known here");
    const CLUSTERS: &str = "/debug/clusterz";
    const ENDPOINTS: &str = "/debug/endpointShardz";
    let clusters = match get(kube, pod, CLUSTERS).await? {
        (StatusCode::OK, body) => Some(clusters(&body).ok_or_else(|| unknown(CLUSTERS))?),
        // Releases before 1.11.
        _ => None,
    };
    let endpoints = match get(kube, pod, ENDPOINTS).await? {
        (StatusCode::OK, body) => endpoints(&body).ok_or_else(|| unknown(ENDPOINTS))?,
        (StatusCode::NOT_FOUND, _) => {
            return Err(format!("it does not serve {ENDPOINTS} (ENABLE_DEBUG_ON_HTTP)"));
        }
        (status, _) => return Err(format!("it answers {status} at {ENDPOINTS}")),
    };
    Ok(Said { clusters, endpoints })
}

/// Ends a connection when dropped.
struct Ended(AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn get(kube: &Kube, pod: &str, path: &str) -> Result<(StatusCode, Bytes), String> {
    let pods = kube.pods(kube.namespace());
    let mut forward = pods.portforward(pod, &[PORT]).await.map_err(|error| told(&error))?;
    let stream = forward.take_stream(PORT).ok_or("no stream to the port")?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| told(&error))?;
    let _ended = Ended(tokio::spawn(connection).abort_handle());
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| told(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), BODY).collect().await;
    Ok((status, body.map_err(|error| told(&*error))?.to_bytes()))
}
