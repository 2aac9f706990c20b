//! Credential plugins of a kubeconfig (`client-go plugin/pkg/client/auth/exec/exec.go`).
//!
//! A plugin gets our environment without the passphrase, and a deadline. Of what it prints, an error shows the first
//! line of its standard error; never its standard output, arguments or environment.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Versions of the exchange that plugins speak.
pub(super) const API_VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
/// As much as is read of what a plugin prints.
const OUTPUT: u64 = 1 << 20;
/// Between two looks at a plugin that runs.
const POLL: Duration = Duration::from_millis(10);
/// Characters of the line that is shown.
const LINE: usize = 200;
/// Arguments and values shorter than this, and words of its output shorter than twice this, are words like any other.
const SECRET: usize = 6;

/// A plugin that can be run.
#[derive(Clone)]
pub(super) struct Plugin {
    /// A path, or a name to be found in `PATH`.
    pub(super) command: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// One of [`API_VERSIONS`].
    pub(super) api_version: String,
    /// It may use the terminal.
    pub(super) interactive: bool,
    /// What it receives about the cluster, if the kubeconfig says so.
    pub(super) cluster: Option<Value>,
    /// Variables of ours that it does not get.
    pub(super) hidden: Vec<String>,
    /// How long it may run.
    pub(super) patience: Duration,
}

/// What a plugin answered.
pub(super) struct Issued {
    /// A bearer token, trimmed.
    pub(super) token: Option<Zeroizing<String>>,
    /// Certificate and key in PEM.
    pub(super) identity: Option<(String, Zeroizing<String>)>,
    /// When it should be asked again, in seconds since 1970.
    pub(super) expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    api_version: Option<String>,
    kind: Option<String>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>,
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// What a plugin that came to its end left.
struct Output {
    status: ExitStatus,
    out: Zeroizing<Vec<u8>>,
    err: Vec<u8>,
}

impl Plugin {
    /// Runs the plugin to its end, or until its time is over; blocks the thread.
    pub(super) fn run(&self) -> Result<Issued, String> {
        let output =
            self.output().map_err(|why| format!("credential plugin `{}` {why}", self.name()))?;
        if !output.status.success() {
            return Err(self.failed(&output));
        }
        self.read(&output.out)
            .map_err(|why| format!("credential plugin `{}` returned {why}", self.name()))
    }

    /// The first word of its file's name: arguments that someone wrote after it may be secrets.
    fn name(&self) -> String {
        let text = self.command.to_string_lossy();
        let word = text.split_whitespace().next().unwrap_or_default();
        let name = word.rsplit('/').next().unwrap_or_default();
        name.chars().filter(|c| !c.is_control()).take(LINE).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.command);
        command.args(&self.args);
        for name in &self.hidden {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let mut spec = json!({ "interactive": self.interactive });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] = cluster.clone();
        }
        let info = json!({
            "kind": "ExecCredential", "apiVersion": self.api_version, "spec": spec,
        });
        command.env("KUBERNETES_EXEC_INFO", info.to_string()).stdout(Stdio::piped());
        if self.interactive {
            // A plugin that asks on the terminal stays in the terminal's foreground, so that it can read.
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        }
        command
    }

    fn output(&self) -> Result<Output, String> {
        let end = Instant::now() + self.patience;
        let mut child = self.command().spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "was not found".to_owned(),
            _ => format!("cannot be run: {error}"),
        })?;
        let out = child.stdout.take().map(drain);
        let err = child.stderr.take().map(drain);
        let ended = self.wait(&child, end);
        let printed = ended.and_then(|()| Some((rest(out, end)?, rest(err, end)?)));
        if printed.is_none() {
            self.kill(&child);
        }
        // Ended, or killed just now.
        let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
        let Some((out, err)) = printed else {
            return Err(format!("did not finish within {} s", self.patience.as_secs()));
        };
        Ok(Output { status, out: Zeroizing::new(out), err })
    }

    /// Until the plugin has ended; `None`: its time is over. It stays to be waited for, so that its number is its own.
    fn wait(&self, child: &Child, end: Instant) -> Option<()> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let mut pause = Duration::from_millis(1);
        loop {
            match waitid(WaitId::Pid(pid(child)?), options) {
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                // Ended; or its state is unknown, and it is waited for.
                Ok(Some(_)) | Err(_) => return Some(()),
            }
            if Instant::now() >= end {
                return None;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(POLL);
        }
    }

    /// Ends the plugin, and with it what it has started.
    fn kill(&self, child: &Child) {
        let Some(pid) = pid(child) else { return };
        // One that ended in the meantime needs no ending.
        let _ = if self.interactive {
            kill_process(pid, Signal::KILL)
        } else {
            kill_process_group(pid, Signal::KILL)
        };
    }

    fn failed(&self, output: &Output) -> String {
        let how = match (output.status.code(), output.status.signal()) {
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "failed".to_owned(),
        };
        let line = self.line(output);
        let line = if line.is_empty() { line } else { format!(": {line}") };
        format!("credential plugin `{}` {how}{line}", self.name())
    }

    /// The first line of its standard error, without what it was given and what it printed for us.
    fn line(&self, output: &Output) -> String {
        let text = String::from_utf8_lossy(&output.err);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let printed = String::from_utf8_lossy(&output.out);
        let is_part = |c: char| c.is_ascii_alphanumeric() || "._~+/=-".contains(c);
        let values = self.env.iter().map(|(_, value)| value.as_str());
        let given =
            self.args.iter().flat_map(|arg| [arg.as_str(), after_equals(arg)]).chain(values);
        let printed = printed.split(|c| !is_part(c)).filter(|word| word.len() >= 2 * SECRET);
        let mut secrets: Vec<&str> =
            given.filter(|secret| secret.len() >= SECRET).chain(printed).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut line = line.to_owned();
        for secret in secrets {
            line = line.replace(secret, "***");
        }
        line.chars().filter(|c| !c.is_control()).take(LINE).collect()
    }

    /// Reads its answer, JSON or YAML; what is wrong with it is said without any of it.
    fn read(&self, out: &[u8]) -> Result<Issued, String> {
        const WHAT: &str = "something that is not an ExecCredential";
        let text = std::str::from_utf8(out).map_err(|_unsaid| WHAT.to_owned())?;
        let options = serde_saphyr::options! { with_snippet: false };
        let credential: Credential = serde_saphyr::from_str_with_options(text, options)
            .map_err(|_unsaid| WHAT.to_owned())?;
        if credential.kind.as_deref() != Some("ExecCredential") {
            return Err(WHAT.to_owned());
        }
        if credential.api_version.as_deref() != Some(&self.api_version) {
            let wanted = &self.api_version;
            return Err(format!(
                "an ExecCredential whose apiVersion is not `{wanted}`, as in the kubeconfig"
            ));
        }
        let status = credential.status.ok_or("an ExecCredential without `status`")?;
        let filled =
            |text: Option<String>| text.map(Zeroizing::new).filter(|text| !text.trim().is_empty());
        let token = filled(status.token).map(|token| Zeroizing::new(token.trim().to_owned()));
        let identity =
            match (filled(status.client_certificate_data), filled(status.client_key_data)) {
                (Some(cert), Some(key)) => Some((cert.to_string(), key)),
                (None, None) => None,
                _ => {
                    return Err(
                        "a client certificate without its key, or a key without its certificate"
                            .to_owned(),
                    );
                }
            };
        if token.is_none() && identity.is_none() {
            return Err("neither a token nor a client certificate".to_owned());
        }
        let expires = status.expiration_timestamp.map(|time| time.0.as_second());
        Ok(Issued { token, identity, expires })
    }
}

/// `secret` of `--token=secret`.
fn after_equals(arg: &str) -> &str {
    arg.split_once('=').map_or("", |(_, value)| value)
}

fn pid(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}

/// Reads to the end in a thread, and keeps the beginning.
fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        // What cannot be read is missing, and the answer not whole.
        let _ = from.by_ref().take(OUTPUT).read_to_end(&mut kept);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        // Nothing waits any more once the time was over.
        let _ = send.send(kept);
    });
    receive
}

/// What was read; `None`: a process still holds the other end when the time is over.
fn rest(from: Option<Receiver<Vec<u8>>>, end: Instant) -> Option<Vec<u8>> {
    let Some(from) = from else { return Some(Vec::new()) };
    match from.recv_timeout(end.saturating_duration_since(Instant::now())) {
        Ok(bytes) => Some(bytes),
        Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

/// Where a plugin is: a command with a separator is found from the kubeconfig's folder, any other in `PATH`.
pub(super) fn located(command: &str, file: &Path) -> PathBuf {
    let path = Path::new(command);
    if command.contains('/') && path.is_relative() {
        return file.parent().unwrap_or(Path::new("")).join(path);
    }
    path.to_path_buf()
}
