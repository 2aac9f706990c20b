//! An API server in memory, on loopback: enough for a command to run against, and every response can be replaced. Real
//! ones are in [`crate::rig`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::forward;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// `/api/v1/namespaces/istio-system/secrets/cacerts`.
    pub path: String,
    /// `fieldManager=meshpki.dev%2Fmeshctl`, or nothing.
    pub query: String,
    /// The header `Authorization`, or nothing.
    pub authorization: String,
    /// The body; null where it is not JSON.
    pub body: Value,
    /// How many requests of this method and path came before.
    pub before: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: String,
}

type Script = Box<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// The objects of an API server, which outlive it.
#[derive(Clone)]
pub struct Objects(Arc<Shared>);

impl Objects {
    /// Puts an object there.
    pub fn put(&self, path: &str, object: Value) {
        lock(&self.0.objects).insert(path.to_owned(), object);
    }

    /// The objects right below a path, with their names.
    #[must_use]
    pub fn below(&self, path: &str) -> Vec<(String, Value)> {
        let prefix = format!("{path}/");
        let objects = lock(&self.0.objects);
        let below = objects.iter().filter_map(|(path, object)| {
            let name = path.strip_prefix(&prefix).filter(|name| !name.contains('/'))?;
            Some((name.to_owned(), object.clone()))
        });
        below.collect()
    }
}

/// An API server that runs until it is dropped.
pub struct Api {
    /// Its port on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    /// Objects by their paths.
    objects: Mutex<BTreeMap<String, Value>>,
    /// By how many seconds its clock is ahead.
    ahead: AtomicI64,
    /// Where on loopback the ports of pods are, by pod.
    pods: Mutex<BTreeMap<String, u16>>,
    over: Notify,
}

impl Answer {
    /// An answer in JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, retry_after: None, body: body.to_string() }
    }

    /// A `Status` that says no.
    #[must_use]
    pub fn refusal(status: u16, reason: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reason, "code": status,
            }),
        )
    }
}

impl Api {
    /// Starts one over plain HTTP. What `script` answers takes the place of the usual answer.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start(script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::start_over(None, script)
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start_tls(
        tls: Arc<ServerConfig>,
        script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self::start_over(Some(tls.into()), script)
    }

    fn start_over(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            objects: Mutex::default(),
            ahead: AtomicI64::new(0),
            pods: Mutex::default(),
            over: Notify::new(),
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, tls, &serving) => {}
                    () = serving.over.notified() => {}
                }
            });
        });
        Self { port, shared, thread: Some(thread) }
    }

    /// Puts an object there.
    pub fn put(&self, path: &str, object: Value) {
        lock(&self.shared.objects).insert(path.to_owned(), object);
    }

    /// Its objects.
    #[must_use]
    pub fn objects(&self) -> Objects {
        Objects(Arc::clone(&self.shared))
    }

    /// Removes an object.
    pub fn remove(&self, path: &str) {
        lock(&self.shared.objects).remove(path);
    }

    /// Sets its clock ahead by this many seconds.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.shared.ahead.store(seconds, Ordering::SeqCst);
    }

    /// Has every port of a pod forwarded to this one on loopback.
    pub fn forward(&self, pod: &str, port: u16) {
        lock(&self.shared.pods).insert(pod.to_owned(), port);
    }

    /// An object as it is there.
    #[must_use]
    pub fn object(&self, path: &str) -> Option<Value> {
        lock(&self.shared.objects).get(path).cloned()
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.over.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of its own has been printed.
            let _ = thread.join();
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("no thread panicked")
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: &Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (shared, tls) = (Arc::clone(shared), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => talk(stream, shared).await,
                Some(tls) => {
                    // The other side sees why not.
                    if let Ok(stream) = tls.accept(stream).await {
                        talk(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // The other side sees what went wrong.
    let _ = connection.with_upgrades().await;
}

/// The pod of a request for port-forward.
fn forwarded(path: &str) -> Option<&str> {
    path.strip_suffix("/portforward")?.rsplit_once("/pods/").map(|(_, pod)| pod)
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let authorization = header(hyper::header::AUTHORIZATION).unwrap_or_default().to_owned();
    let (method, uri) = (request.method().to_string(), request.uri().clone());
    if let Some(pod) = forwarded(uri.path()) {
        let real = lock(&shared.pods).get(pod).copied();
        return forward::accept(request, |_| real);
    }
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked = {
        let mut all = lock(&shared.asked);
        let before = all.iter().filter(|a| a.method == method && a.path == uri.path()).count();
        let asked = Asked {
            method,
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            authorization,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            before,
        };
        all.push(asked.clone());
        asked
    };
    let answer = (shared.script)(&asked).unwrap_or_else(|| usual(&asked, shared));
    let mut response = Response::builder().status(answer.status);
    let now = meshctl::io::system_time().0 + shared.ahead.load(Ordering::SeqCst);
    let now = k8s_openapi::jiff::Timestamp::from_second(now).expect("a time");
    response = response.header("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if let Some(after) = answer.retry_after {
        response = response.header("retry-after", after);
    }
    response.body(answer.body).expect("a response")
}

/// What a real one would say, as far as the commands ask.
fn usual(asked: &Asked, shared: &Shared) -> Answer {
    let mut objects = lock(&shared.objects);
    let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
    let below = match parts.first() {
        Some(&"api") => parts.get(2..),
        _ => parts.get(3..),
    };
    let depth = below.unwrap_or_default().len();
    let absent = || Answer::refusal(404, "NotFound", "not found");
    match (asked.method.as_str(), depth) {
        ("GET", 1 | 3) => {
            let prefix = format!("{}/", asked.path);
            let items: Vec<&Value> = objects
                .iter()
                .filter(|(path, _)| {
                    path.strip_prefix(&prefix).is_some_and(|name| !name.contains('/'))
                })
                .map(|(_, v)| v)
                .collect();
            Answer::json(
                200,
                &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}),
            )
        }
        ("GET", _) => {
            objects.get(&asked.path).map_or_else(absent, |found| Answer::json(200, found))
        }
        ("POST", 3) => {
            let name = asked.body["metadata"]["name"].as_str().unwrap_or_default();
            let path = format!("{}/{name}", asked.path);
            if objects.contains_key(&path) {
                return Answer::refusal(409, "AlreadyExists", "there is one");
            }
            write(&mut objects, &path, &asked.body)
        }
        ("PATCH", 4) => write(&mut objects, &asked.path, &asked.body),
        _ => absent(),
    }
}

/// Merges what was sent into what is there, if it is for the version that is there.
fn write(objects: &mut BTreeMap<String, Value>, path: &str, sent: &Value) -> Answer {
    let mut object = objects.get(path).cloned().unwrap_or_else(|| json!({}));
    let wanted = sent["metadata"]["resourceVersion"].as_str();
    let live = object["metadata"]["resourceVersion"].as_str().unwrap_or("0").to_owned();
    if wanted.is_some_and(|wanted| wanted != live) {
        return Answer::refusal(409, "Conflict", "the object has been modified");
    }
    merge(&mut object, sent);
    let next = live.parse().unwrap_or(0) + 1;
    object["metadata"]["resourceVersion"] = next.to_string().into();
    objects.insert(path.to_owned(), object.clone());
    Answer::json(200, &object)
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            object.as_object_mut().expect("an object").remove(name);
        } else {
            merge(&mut object[name], value);
        }
    }
}

/// A kubeconfig with a context for each of these servers.
#[must_use]
pub fn kubeconfig(servers: &[(&str, String)]) -> String {
    let name = |(name, _): &(&str, String)| json!({"name": name, "context": {"cluster": name, "user": "me"}});
    let cluster =
        |(name, server): &(&str, String)| json!({"name": name, "cluster": {"server": server}});
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": servers.iter().map(cluster).collect::<Vec<_>>(),
        "contexts": servers.iter().map(name).collect::<Vec<_>>(),
        "users": [{"name": "me", "user": {"token": "secret-token"}}],
    })
    .to_string()
}

/// The address of a server in memory.
#[must_use]
pub fn url(api: &Api) -> String {
    format!("http://127.0.0.1:{}", api.port)
}
