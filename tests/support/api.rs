//! An API server in memory, over plain HTTP on loopback: enough for a command to run against, and every response can be
//! replaced. Real ones are in [`crate::rig`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Notify;

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
    /// Starts one. What `script` answers takes the place of the usual answer.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start(script: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            objects: Mutex::default(),
            over: Notify::new(),
        });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, &serving) => {}
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

async fn serve(listener: TcpListener, shared: &Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            // The other side sees what went wrong.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<String> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let authorization = header(hyper::header::AUTHORIZATION).unwrap_or_default().to_owned();
    let (method, uri) = (request.method().to_string(), request.uri().clone());
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
