//! Credential plugins of a kubeconfig (`client-go plugin/pkg/client/auth/exec/exec.go`).
//!
//! A plugin gets our environment without the passphrase, and a deadline. Of what it prints, an error shows the first
//! line of its standard error; never its standard output, arguments or environment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::child::{self, Output, Terms};

/// Versions of the exchange that plugins speak.
pub(super) const API_VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
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

impl Plugin {
    /// Runs the plugin to its end, or until its time is over; blocks the thread.
    pub(super) fn run(&self) -> Result<Issued, String> {
        let output =
            self.output().map_err(|why| format!("credential plugin `{}` {why}", self.name()))?;
        if let Some(how) = output.failure() {
            return Err(self.failed(&how, &output));
        }
        self.read(&output.out)
            .map_err(|why| format!("credential plugin `{}` returned {why}", self.name()))
    }

    /// The first word of its file's name: arguments that someone wrote after it may be secrets.
    fn name(&self) -> String {
        let text = self.command.to_string_lossy();
        let word = text.split_whitespace().next().unwrap_or_default();
        let name = word.rsplit(std::path::is_separator).next().unwrap_or_default();
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
        command.env("KUBERNETES_EXEC_INFO", info.to_string());
        command
    }

    fn output(&self) -> Result<Output, String> {
        // A plugin that asks on the terminal stays in the terminal's foreground, so that it can read.
        let terms = Terms {
            patience: self.patience,
            input: None,
            interactive: self.interactive,
            sweep: false,
        };
        child::run(&mut self.command(), terms, |_| ())
            .map_err(|problem| problem.sentence(self.patience))
    }

    fn failed(&self, how: &str, output: &Output) -> String {
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

/// Where a plugin is: a command with a separator is found from the kubeconfig's folder, any other in `PATH`.
pub(super) fn located(command: &str, file: &Path) -> PathBuf {
    let path = Path::new(command);
    if command.contains(std::path::is_separator) && path.is_relative() {
        return file.parent().unwrap_or(Path::new("")).join(path);
    }
    path.to_path_buf()
}
