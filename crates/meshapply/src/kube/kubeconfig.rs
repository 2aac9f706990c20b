//! Kubeconfig files: read, merged as kubectl merges them, and one context chosen.
//!
//! Read here and not by a library, whose errors show lines and values of a file that is full of secrets: ours name the
//! file, the place and what was expected there (`client-go tools/clientcmd/loader.go`, `validation.go`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use super::proxy::Env;
use crate::error::Error;

/// A text and where it is.
pub(super) type Text = Spanned<String>;

/// The kubeconfig files of a command, merged: the first to name something wins.
pub struct Kubeconfig {
    clusters: Vec<Entry<Cluster>>,
    users: Vec<Entry<User>>,
    contexts: Vec<Entry<Context>>,
    /// Every file that was looked for.
    files: Vec<PathBuf>,
}

/// Something with a name, and the file it is in.
struct Entry<T> {
    file: Arc<Path>,
    name: Text,
    value: Option<T>,
}

/// What a context leads to.
pub(super) struct Selected<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) cluster_file: Arc<Path>,
    /// `None`: the context names no user.
    pub(super) user: Option<&'a User>,
    pub(super) user_file: Arc<Path>,
}

/// What is read of one document.
#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "null_as_default")]
    clusters: Vec<NamedCluster>,
    #[serde(default, deserialize_with = "null_as_default")]
    users: Vec<NamedUser>,
    #[serde(default, deserialize_with = "null_as_default")]
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: Text,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: Text,
    user: Option<User>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: Text,
    context: Option<Context>,
}

#[derive(Deserialize)]
struct Context {
    cluster: Option<Text>,
    user: Option<Text>,
}

/// How a server is reached (`tools/clientcmd/api/v1/types.go: Cluster`).
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cluster {
    pub(super) server: Option<Text>,
    pub(super) tls_server_name: Option<Text>,
    pub(super) insecure_skip_tls_verify: Option<Spanned<bool>>,
    pub(super) certificate_authority: Option<Text>,
    pub(super) certificate_authority_data: Option<Text>,
    pub(super) proxy_url: Option<Text>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) extensions: Vec<Extension>,
}

/// Settings for other programs: of those of a cluster, one is for its credential plugin.
#[derive(Deserialize)]
pub(super) struct Extension {
    pub(super) name: String,
    #[serde(default)]
    pub(super) extension: serde_json::Value,
}

/// A user (`tools/clientcmd/api/v1/types.go: AuthInfo`).
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) client_certificate: Option<Text>,
    pub(super) client_certificate_data: Option<Text>,
    pub(super) client_key: Option<Text>,
    pub(super) client_key_data: Option<Text>,
    pub(super) token: Option<Text>,
    #[serde(rename = "tokenFile")]
    pub(super) token_file: Option<Text>,
    #[serde(rename = "as")]
    pub(super) impersonate: Option<Text>,
    #[serde(rename = "as-uid")]
    pub(super) impersonate_uid: Option<Text>,
    #[serde(rename = "as-groups", default, deserialize_with = "null_as_default")]
    pub(super) impersonate_groups: Vec<Text>,
    #[serde(rename = "as-user-extra", default, deserialize_with = "null_as_default")]
    pub(super) impersonate_extra: BTreeMap<String, Vec<Text>>,
    pub(super) username: Option<Text>,
    pub(super) password: Option<Text>,
    pub(super) auth_provider: Option<AuthProvider>,
    pub(super) exec: Option<Exec>,
}

/// Credentials of a kind kubectl has removed, except for OpenID Connect.
#[derive(Deserialize)]
pub(super) struct AuthProvider {
    pub(super) name: Text,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) config: BTreeMap<String, String>,
}

/// A credential plugin.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exec {
    pub(super) api_version: Option<Text>,
    pub(super) command: Option<Text>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) args: Vec<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) env: Vec<Variable>,
    pub(super) interactive_mode: Option<Text>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) provide_cluster_info: bool,
}

/// A variable of a credential plugin's environment.
#[derive(Deserialize)]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(super) value: String,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Kubeconfig {
    /// Reads a file, or without one those of `$KUBECONFIG`, or `~/.kube/config`. On Windows `~` is the first of
    /// `%HOME%`, `%HOMEDRIVE%%HOMEPATH%` and `%USERPROFILE%` that has the file (`client-go/util/homedir`).
    ///
    /// # Errors
    /// `apply/kubeconfig`, with file, line and column and nothing of what the file holds.
    pub fn read(file: Option<&Path>, env: Env<'_>) -> Result<Self, Error> {
        if let Some(file) = file {
            return Self::parse(file, &bytes(file)?);
        }
        let mut all = Self { clusters: vec![], users: vec![], contexts: vec![], files: vec![] };
        let listed = env("KUBECONFIG").unwrap_or_default();
        let mut files: Vec<PathBuf> =
            std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
        if files.is_empty() {
            files.push(default_file(env)?);
        }
        let mut missing = None;
        for file in files {
            // As kubectl: a file of the list may be missing, all of them may not.
            match std::fs::read(&file) {
                Ok(bytes) => all.take(&file, &bytes)?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    missing.get_or_insert(unreadable(&file, &error));
                    all.files.push(file);
                }
                Err(error) => return Err(unreadable(&file, &error)),
            }
        }
        let is_empty = all.clusters.is_empty() && all.contexts.is_empty();
        missing.filter(|_| is_empty).map_or(Ok(all), Err)
    }

    /// Reads one file that is in memory; paths in it are from the folder of `file`.
    ///
    /// # Errors
    /// `apply/kubeconfig`, with file, line and column and nothing of what the file holds.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let mut all = Self { clusters: vec![], users: vec![], contexts: vec![], files: vec![] };
        all.take(file, bytes)?;
        Ok(all)
    }

    /// The names of its contexts, in order.
    pub fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().map(|entry| entry.name.value.as_str())
    }

    /// Adds what a file has and no file before it named.
    fn take(&mut self, file: &Path, bytes: &[u8]) -> Result<(), Error> {
        let text = decoded(bytes)
            .ok_or_else(|| unusable(format!("kubeconfig {} is not valid UTF-8", file.display())))?;
        let options = serde_saphyr::options! { with_snippet: false };
        let documents: Vec<Option<Document>> =
            serde_saphyr::from_multiple_with_options(&text, options)
                .map_err(|error| at(file, error.location(), sentence(&error)))?;
        let file: Arc<Path> = Arc::from(file);
        let entry = |name, value| Entry { file: Arc::clone(&file), name, value };
        for document in documents.into_iter().flatten() {
            self.clusters
                .extend(document.clusters.into_iter().map(|one| entry(one.name, one.cluster)));
            let entry = |name, value| Entry { file: Arc::clone(&file), name, value };
            self.users.extend(document.users.into_iter().map(|one| entry(one.name, one.user)));
            let entry = |name, value| Entry { file: Arc::clone(&file), name, value };
            self.contexts
                .extend(document.contexts.into_iter().map(|one| entry(one.name, one.context)));
        }
        self.files.push(file.to_path_buf());
        Ok(())
    }

    /// Everything a context leads to.
    pub(super) fn select(&self, name: &str) -> Result<Selected<'_>, Error> {
        let Some(context) = find(&self.contexts, name, "context")? else {
            let files: Vec<String> =
                self.files.iter().map(|file| file.display().to_string()).collect();
            return Err(unusable(format!(
                "kubeconfig {} has no context `{name}`",
                files.join(", ")
            )));
        };
        let lacks = |place: &Text, what: &str| {
            at(
                &context.file,
                Some(place.referenced),
                format!("context `{name}` refers to a {what} that does not exist"),
            )
        };
        let value = context.value.as_ref();
        let named =
            |text: &Option<Text>| text.as_ref().filter(|text| !text.value.is_empty()).is_some();
        let cluster =
            value.filter(|value| named(&value.cluster)).and_then(|value| value.cluster.as_ref());
        let Some(cluster) = cluster else {
            let message = format!("context `{name}` has no `cluster`");
            return Err(at(&context.file, Some(context.name.referenced), message));
        };
        let found = find(&self.clusters, &cluster.value, "cluster")?;
        let (cluster, cluster_file) = found
            .and_then(|entry| Some((entry.value.as_ref()?, Arc::clone(&entry.file))))
            .ok_or_else(|| lacks(cluster, "cluster"))?;
        let user = value.filter(|value| named(&value.user)).and_then(|value| value.user.as_ref());
        let Some(user) = user else {
            return Ok(Selected {
                cluster,
                cluster_file,
                user: None,
                user_file: Arc::clone(&context.file),
            });
        };
        let found = find(&self.users, &user.value, "user")?.ok_or_else(|| lacks(user, "user"))?;
        let user_file = Arc::clone(&found.file);
        Ok(Selected { cluster, cluster_file, user: found.value.as_ref(), user_file })
    }
}

/// `~/.kube/config`.
fn default_file(env: Env<'_>) -> Result<PathBuf, Error> {
    let file = |home: String| Path::new(&home).join(".kube").join("config");
    let mut files: Vec<PathBuf> = homes(env).map(file).collect();
    let found = files.iter().position(|file| file.exists()).unwrap_or(0);
    if files.is_empty() {
        return Err(unusable(NO_HOME));
    }
    Ok(files.swap_remove(found))
}

#[cfg(not(windows))]
const NO_HOME: &str = "there is no kubeconfig: neither KUBECONFIG nor HOME is set";
#[cfg(windows)]
const NO_HOME: &str = "there is no kubeconfig: none of KUBECONFIG, HOME and USERPROFILE is set";

/// The folders that may be the user's.
#[cfg(not(windows))]
fn homes(env: Env<'_>) -> impl Iterator<Item = String> {
    env("HOME").into_iter().filter(|home| !home.is_empty())
}

/// The folders that may be the user's.
#[cfg(windows)]
fn homes(env: Env<'_>) -> impl Iterator<Item = String> {
    let on_drive = env("HOMEDRIVE").zip(env("HOMEPATH")).map(|(drive, path)| drive + &path);
    let all = [env("HOME"), on_drive, env("USERPROFILE")];
    all.into_iter().flatten().filter(|home| !home.is_empty())
}

/// The first of a name. A file that has it twice does not say which one is meant.
fn find<'a, T>(
    entries: &'a [Entry<T>],
    name: &str,
    what: &str,
) -> Result<Option<&'a Entry<T>>, Error> {
    let mut same = entries.iter().filter(|entry| entry.name.value == name);
    let Some(first) = same.next() else { return Ok(None) };
    let twin = same.find(|entry| Arc::ptr_eq(&entry.file, &first.file));
    twin.map_or(Ok(Some(first)), |twin| {
        let line = first.name.referenced.line();
        let message = format!("a {what} with this name is already defined on line {line}");
        Err(at(&twin.file, Some(twin.name.referenced), message))
    })
}

fn bytes(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Error {
    unusable(format!("cannot read kubeconfig {}: {error}", file.display()))
}

/// UTF-8, or UTF-16 with its mark, as PowerShell writes it.
fn decoded(bytes: &[u8]) -> Option<String> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// What is wrong with a file, in words of ours: the reader's show values and names of it.
fn sentence(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as Yaml;
    match error.without_snippet() {
        Yaml::DuplicateMappingKey { .. } => "a key appears twice in this mapping".to_owned(),
        Yaml::SerdeMissingField { field, .. } => format!("this mapping lacks `{field}`"),
        // What was expected is a type of ours, never a value.
        Yaml::SerdeInvalidType { expected, .. } | Yaml::SerdeInvalidValue { expected, .. } => {
            let expected = if expected.starts_with("struct ") { "a mapping" } else { expected };
            format!("expected {expected} here")
        }
        Yaml::InvalidScalar { ty: "boolean", .. } => "expected true or false here".to_owned(),
        Yaml::Unexpected { expected, .. } => match *expected {
            "mapping start" => "expected a mapping here".to_owned(),
            "sequence start" => "expected a list here".to_owned(),
            _ => "expected a string here".to_owned(),
        },
        Yaml::UnknownAnchor { .. } => "an alias without its anchor".to_owned(),
        Yaml::Budget { .. } => "too large, or too deeply nested, for a kubeconfig".to_owned(),
        _ => "not valid YAML".to_owned(),
    }
}

/// An error at a place of a file.
pub(super) fn at(file: &Path, location: Option<Location>, what: impl fmt::Display) -> Error {
    unusable(format!("kubeconfig {}: {what}", place(file, location)))
}

/// `FILE:LINE:COLUMN`.
pub(super) fn place(file: &Path, location: Option<Location>) -> String {
    let file = file.display();
    match location.filter(|location| location.line() > 0) {
        Some(location) => format!("{file}:{}:{}", location.line(), location.column()),
        None => file.to_string(),
    }
}

/// An error of the kubeconfig as a whole.
pub(super) fn unusable(message: impl Into<String>) -> Error {
    Error::Kubeconfig { message: message.into() }
}

#[cfg(test)]
mod tests;
