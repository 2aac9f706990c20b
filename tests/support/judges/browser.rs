//! Chromium without a window, and axe-core, which judges what a page is for those who do not see it. `npm` fetches axe-core
//! when it is first used; `tests/judges/axe` pins it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::missing;
use crate::Scratch;

/// What Chromium and axe-core find in a page.
#[derive(Debug, Default)]
pub struct Seen {
    /// Lines of the console.
    pub console: Vec<String>,
    /// URLs that the page asked for.
    pub asked: Vec<String>,
    /// Violated rules of axe-core, each with what violates it.
    pub violations: Vec<String>,
    /// How many rules of axe-core the page passes.
    pub passes: u64,
    /// Pixels of the window that show the page.
    pub inner_width: u64,
    /// Pixels that the page takes; more than the window has can be seen only by scrolling sideways.
    pub scroll_width: u64,
    /// Whether the page was shown with `prefers-color-scheme: dark`.
    pub is_dark: bool,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Pixels.
    pub width: u32,
    /// With `prefers-color-scheme: dark`.
    pub dark: bool,
}

/// The script of axe-core.
fn axe() -> Option<&'static str> {
    static SCRIPT: OnceLock<Result<String, String>> = OnceLock::new();
    let script = SCRIPT.get_or_init(|| fetched().map_err(|why| why.trim().to_owned()));
    script.as_deref().map_err(|why| missing("axe-core", why)).ok()
}

fn fetched() -> Result<String, String> {
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = exe.with_file_name("axe");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for name in ["package.json", "package-lock.json"] {
            let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join("judges/axe").join(name);
            std::fs::copy(pinned, folder.join(name)).map_err(|error| error.to_string())?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        let output = npm.stdin(Stdio::null()).output().map_err(|error| format!("npm: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    std::fs::read_to_string(script).map_err(|error| error.to_string())
}

/// Looks at a page; `None` if a judge is missing.
///
/// # Panics
/// If Chromium does not show it.
#[must_use]
pub fn look(page: &str, look: Look) -> Option<Seen> {
    let axe = axe()?;
    let scratch = Scratch::new();
    let as_is = write(&scratch, "page.html", page);
    let log = scratch.join("net.json");
    let log_to = format!("--log-net-log={}", log.display());
    let (_, console) = chromium(&scratch, look, &as_is, &["--enable-logging=stderr", &log_to])?;
    let console = console.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
    let log = std::fs::read_to_string(log).expect("Chromium writes its log");
    // The policy of the page would let no script run, axe-core's neither.
    let policy = page.lines().find(|line| line.contains("Content-Security-Policy"));
    let open = page.replace(policy.expect("a policy"), "");
    let script = "axe.run().then(found => { \
        const all = found.violations.map(one => one.id + ' ' + one.nodes.map(node => node.html).join(' ')); \
        const seen = [innerWidth, document.documentElement.scrollWidth, matchMedia('(prefers-color-scheme: dark)').matches]; \
        const text = 'AXE' + JSON.stringify([all, found.passes.length, ...seen]) + 'EXA'; parent.postMessage(text, '*'); });";
    let open =
        open.replace("</body>", &format!("<script>{axe}</script><script>{script}</script></body>"));
    write(&scratch, "judged.html", &open);
    // No window of Chromium is as narrow as a telephone; a frame is.
    let frame = format!(
        "<!DOCTYPE html><html style=\"color-scheme: light dark\"><body style=\"margin: 0\">\
         <script>addEventListener('message', event => {{ document.body.textContent = event.data; }});</script>\
         <iframe src=\"judged.html\" style=\"border: 0; width: {}px; height: 1000px\"></iframe></body></html>",
        look.width
    );
    let judged = write(&scratch, "frame.html", &frame);
    let (shown, _) = chromium(&scratch, look, &judged, &[])?;
    let answer = shown.rsplit_once("AXE").and_then(|(_, rest)| rest.split_once("EXA"));
    let (answer, _) = answer.unwrap_or_else(|| panic!("axe-core does not answer:\n{shown}"));
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    let answer = entities.iter().fold(answer.to_owned(), |text, (from, to)| text.replace(from, to));
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let violations = answer[0].as_array().into_iter().flatten();
    Some(Seen {
        console: console.collect(),
        asked: urls(&log),
        violations: violations.filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        passes: answer[1].as_u64().unwrap_or(0),
        inner_width: answer[2].as_u64().expect("a width"),
        scroll_width: answer[3].as_u64().expect("a width"),
        is_dark: answer[4].as_bool().expect("a color scheme"),
    })
}

fn write(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    scratch.write(name, text);
    scratch.join(name)
}

/// The document after its scripts, and what Chromium says.
fn chromium(
    scratch: &Scratch,
    look: Look,
    page: &Path,
    options: &[&str],
) -> Option<(String, String)> {
    let mut command = Command::new("chromium");
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000"])
        .args(["--disable-background-networking", "--disable-component-update", "--no-first-run"])
        // What Chromium asks for by itself gets nowhere.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!("--user-data-dir={}", scratch.join("profile").display()))
        .arg(format!("--window-size={},1000", look.width))
        .args(look.dark.then_some("--blink-settings=preferredColorScheme=0"))
        .args(options)
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()));
    match command.stdin(Stdio::null()).output() {
        Err(error) => {
            missing("chromium", &error.to_string());
            None
        }
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(output.status.success(), "{}", text(&output.stderr));
            Some((text(&output.stdout), text(&output.stderr)))
        }
    }
}

/// The URLs that a page from a file asked for, by Chromium's log of the network; Chromium's own requests are for no site.
fn urls(log: &str) -> Vec<String> {
    let all = log.split("\"params\":").skip(1).filter_map(|params| {
        let (before, url) = params.split_once("\"url\":\"")?;
        let is_of_page = before.contains("\"network_isolation_key\":\"file://");
        is_of_page.then(|| url.split('"').next().unwrap_or_default().to_owned())
    });
    all.collect()
}
