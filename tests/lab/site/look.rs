//! `cargo xtask site --look`: every page of the site in Chromium, by its debugging protocol.
//!
//! All pages at the width of a phone, and those of the first level in light and dark at the width of a desk, with
//! screenshots. An error in the console, a request to elsewhere, and a page that is wider than the screen are problems.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{failed, links};

/// Programs that are Chromium.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Longer than a page takes.
const LIMIT: Duration = Duration::from_secs(30);

/// By how many pixels the page, or what holds its text, is wider than it can show.
const WIDER: &str =
    "Math.max(...[document.documentElement, ...document.querySelectorAll('.page, .content, main')]
    .map((part) => part.scrollWidth - part.clientWidth))";

/// How a page is looked at.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    width: u32,
    height: u32,
    scheme: &'static str,
}

const PHONE: Look = Look { name: "phone", width: 390, height: 844, scheme: "light" };
const LIGHT: Look = Look { name: "light", width: 1280, height: 900, scheme: "light" };
const DARK: Look = Look { name: "dark", width: 1280, height: 900, scheme: "dark" };

/// Looks at a site; screenshots go to another folder.
pub(super) fn run(site: &Path, shots: &Path) -> Result<(), String> {
    fs::create_dir_all(shots).map_err(failed(shots))?;
    let files = links::files(site)?;
    let pages: Vec<PathBuf> = files.into_iter().filter(|name| links::is_page(name)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let problems = runtime.block_on(async {
        let mut browser = Browser::start().await?;
        let mut problems = Vec::new();
        for page in &pages {
            let is_first_level = page.components().count() == 1;
            for look in [PHONE, LIGHT, DARK] {
                if look.width == PHONE.width || is_first_level {
                    let shot = is_first_level.then(|| {
                        shots.join(format!(
                            "{}-{}.png",
                            page.with_extension("").display(),
                            look.name
                        ))
                    });
                    let found = browser.look(&site.join(page), look, shot.as_deref()).await?;
                    let place = format!("{} ({})", page.display(), look.name);
                    problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
                }
            }
        }
        Ok::<_, String>(problems)
    })?;
    println!("looked at {} pages; screenshots in {}", pages.len(), shots.display());
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{} problems:\n  {}", problems.len(), problems.join("\n  ")))
}

/// Chromium with one tab.
struct Browser {
    process: Child,
    _profile: tempfile::TempDir,
    socket: WebSocketStream<TcpStream>,
    session: String,
    sent: u64,
    /// What has been wrong with the page so far.
    problems: Vec<String>,
    /// Whether the page has been loaded.
    loaded: bool,
}

impl Browser {
    async fn start() -> Result<Self, String> {
        let profile = tempfile::tempdir().map_err(|error| error.to_string())?;
        let program = PROGRAMS.iter().find(|name| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        });
        let program = program.ok_or("Chromium is missing; install it: apt-get install chromium")?;
        let mut process = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let stderr = process.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let url = lines
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .ok_or_else(|| format!("{program} did not start"))?;
        // It blocks if nothing reads what it writes.
        std::thread::spawn(move || lines.for_each(drop));
        let socket = connect(&url).await.map_err(|error| format!("{url}: {error}"))?;
        let mut browser = Self {
            process,
            _profile: profile,
            socket,
            session: String::new(),
            sent: 0,
            problems: Vec::new(),
            loaded: false,
        };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", attach).await?;
        browser.session = attached["sessionId"].as_str().unwrap_or_default().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(browser)
    }

    /// Opens a page; returns what is wrong with it.
    async fn look(
        &mut self,
        page: &Path,
        look: Look,
        shot: Option<&Path>,
    ) -> Result<Vec<String>, String> {
        let screen = json!({
            "width": look.width, "height": look.height, "deviceScaleFactor": 1,
            "mobile": look.width == PHONE.width,
        });
        self.ask("Emulation.setDeviceMetricsOverride", screen).await?;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": look.scheme}]});
        self.ask("Emulation.setEmulatedMedia", scheme).await?;
        (self.loaded, self.problems) = (false, Vec::new());
        let page = fs::canonicalize(page).map_err(failed(page))?;
        self.ask("Page.navigate", json!({"url": format!("file://{}", page.display())})).await?;
        while !self.loaded {
            self.receive().await?;
        }
        let answer = self.ask("Runtime.evaluate", json!({"expression": WIDER})).await?;
        if let Some(pixels) = answer["result"]["value"].as_i64().filter(|pixels| *pixels > 0) {
            self.problems.push(format!("{pixels} pixels wider than the screen"));
        }
        if let Some(path) = shot {
            let answer = self.ask("Page.captureScreenshot", json!({})).await?;
            let image: k8s_openapi::ByteString = serde_json::from_value(answer["data"].clone())
                .map_err(|error| error.to_string())?;
            fs::write(path, image.0).map_err(failed(path))?;
        }
        Ok(std::mem::take(&mut self.problems))
    }

    /// Sends a command and waits for its answer.
    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        let sent = self.socket.send(Message::text(message.to_string())).await;
        sent.map_err(|error| format!("{method}: {error}"))?;
        loop {
            let answer = self.receive().await?;
            if answer["id"] == self.sent {
                if !answer["error"].is_null() {
                    return Err(format!("{method}: {}", answer["error"]));
                }
                return Ok(answer["result"].clone());
            }
        }
    }

    /// The next message. An event is noted if it is a problem.
    async fn receive(&mut self) -> Result<Value, String> {
        let next = tokio::time::timeout(LIMIT, self.socket.next()).await;
        let next = next.map_err(|_| "Chromium does not answer")?;
        let next = next.ok_or("Chromium has ended")?.map_err(|error| error.to_string())?;
        let message: Value =
            serde_json::from_str(next.to_text().unwrap_or("null")).unwrap_or_default();
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => {
                self.problems.push(params["exceptionDetails"]["text"].to_string());
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                self.problems.push(params["args"].to_string());
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.problems.push(params["entry"]["text"].to_string());
            }
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !url.starts_with("file:") && !url.starts_with("data:") {
                    self.problems.push(format!("requests {url}"));
                }
            }
            _ => {}
        }
        Ok(message)
    }
}

/// A connection to `ws://HOST:PORT/...`.
async fn connect(url: &str) -> Result<WebSocketStream<TcpStream>, String> {
    let address = url.strip_prefix("ws://").and_then(|rest| rest.split('/').next());
    let stream = TcpStream::connect(address.ok_or("expected ws://")?).await;
    let stream = stream.map_err(|error| error.to_string())?;
    Ok(client_async(url, stream).await.map_err(|error| error.to_string())?.0)
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
