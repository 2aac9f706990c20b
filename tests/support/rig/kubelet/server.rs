//! The kubelet's HTTPS port: port-forward over WebSocket and container logs, as the apiserver asks for them.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Running, Shared, lock};
use crate::forward;
use crate::rig::pki::Identity;
use crate::rig::process;

/// TLS with the kubelet's certificate. Who asks is not checked: the port is on loopback.
pub(super) fn tls(identity: &Identity) -> TlsAcceptor {
    let cert = CertificateDer::from_pem_slice(identity.cert_pem.as_bytes()).expect("a cert");
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![cert], key);
    TlsAcceptor::from(Arc::new(config.expect("a key that fits")))
}

/// Serves until its runtime ends.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let answer = answer(request, &shared);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // The other side sees what went wrong.
            let _ = connection.with_upgrades().await;
        });
    }
}

fn answer(request: Request<Incoming>, shared: &Shared) -> Response<String> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let running = |namespace: &str, pod: &str| {
        lock(&shared.running).get(&(namespace.to_owned(), pod.to_owned())).cloned()
    };
    match parts.as_slice() {
        ["portForward", namespace, pod, ..] => port_forward(request, running(namespace, pod)),
        ["containerLogs", namespace, pod, _] => match running(namespace, pod) {
            Some(running) => Response::new(process::read_log(&running.log)),
            None => plain(StatusCode::NOT_FOUND, "this container is not a real one"),
        },
        _ => plain(StatusCode::NOT_FOUND, "the rig's kubelet has nothing here"),
    }
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    let mut response = Response::new(text.to_owned());
    *response.status_mut() = status;
    response
}

fn port_forward(request: Request<Incoming>, running: Option<Running>) -> Response<String> {
    let real = |asked| running.as_ref().and_then(|running| running.ports.get(&asked)).copied();
    forward::accept(request, real)
}
