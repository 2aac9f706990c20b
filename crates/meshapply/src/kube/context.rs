//! A context of a kubeconfig: how its server is reached and how far that can be trusted, before anything is sent or run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Config;
use kube::client::{Client, ClientBuilder};
use kube::config::AuthInfo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::REQUEST;
use super::address::Address;
use super::credentials::{Credentials, Source, basic, bearer};
use super::identity::Identity;
use super::kubeconfig::{Cluster, Exec, Kubeconfig, Selected, Text, User, at, place, unusable};
use super::plugin::{API_VERSIONS, Plugin, located};
use super::proxy::{self, Env};
use super::service::{Guard, Way};
use super::watch::Watcher;
use crate::error::Error;
use crate::remote::Entrance;

/// One connection takes this long at most.
const CONNECT: Duration = Duration::from_secs(5);
/// The extension of a cluster that is for its credential plugin.
const PLUGIN_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// What a context is read with, besides the kubeconfig.
pub struct Surroundings<'a> {
    /// An environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Variables that no child of ours gets: a passphrase.
    pub hidden: &'a [String],
    /// A person is at a terminal: a credential plugin may ask.
    pub can_ask: bool,
    /// How long a credential plugin may run.
    pub patience: Duration,
    /// Gets every request when it has ended.
    pub watcher: Option<Watcher>,
}

/// How far the connection to a server can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// TLS, and the server's certificate is verified.
    Verified,
    /// Plain HTTP that does not leave this machine.
    Loopback,
    /// Anyone on the way can read or change what is sent; why.
    Unverified(String),
}

/// A context that was read; nothing has been asked of its server, and no credential plugin has run.
pub struct Context {
    name: String,
    server: Address,
    security: Security,
    config: Config,
    credentials: Source,
    secrets: Vec<Zeroizing<String>>,
    proxy: Option<Address>,
    watcher: Option<Watcher>,
}

impl Context {
    /// Reads a context.
    ///
    /// # Errors
    /// `apply/kubeconfig`, with file, line and column and nothing of what the file holds.
    pub fn read(
        kubeconfig: &Kubeconfig,
        name: &str,
        around: &Surroundings<'_>,
    ) -> Result<Self, Error> {
        let selected = kubeconfig.select(name)?;
        let Selected { cluster, cluster_file, user, user_file } = &selected;
        let text = filled(&cluster.server).ok_or_else(|| {
            unusable(format!(
                "kubeconfig {}: the cluster of context `{name}` has no `server`",
                cluster_file.display()
            ))
        })?;
        let server = Address::parse(&text.value)
            .map_err(|why| wrong(cluster_file, text, "`server` is", why))?;
        let proxy = proxy_of(cluster, cluster_file, &server, around.env)?;
        let security = security(cluster, cluster_file, &server, proxy.is_some());
        let mut config = config(server.uri.clone());
        config.accept_invalid_certs = is_unverified(cluster);
        config.root_cert = authorities(cluster, cluster_file)?;
        config.tls_server_name = tls_name(cluster, cluster_file)?;
        let mut secrets = secrets(&server, proxy.as_ref());
        let mut credentials = Source::None;
        if let Some(user) = user {
            config.auth_info = auth_info(user, user_file)?;
            secrets.extend(secrets_of(user));
            credentials = source(user, user_file, &selected, around)?;
        }
        if let (Source::None, Some(of_url)) = (&credentials, &server.user) {
            // As Go's client has it: what a URL holds is a password.
            credentials = Source::Fixed(
                basic(of_url).map_err(|why| wrong(cluster_file, text, "`server`:", &why))?,
            );
        }
        config.proxy_url =
            proxy.as_ref().map(|proxy| with_user(proxy, cluster_file)).transpose()?;
        let (name, watcher) = (name.to_owned(), around.watcher.clone());
        Ok(Self { name, server, security, config, credentials, secrets, proxy, watcher })
    }

    /// The address of the API server, without user information and query.
    #[must_use]
    pub fn server(&self) -> String {
        self.server.shown()
    }

    /// How far the connection can be trusted.
    #[must_use]
    pub const fn security(&self) -> &Security {
        &self.security
    }

    /// Which cluster it reaches, as far as that is known before anything is asked.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.config)
    }

    /// How the server is reached, as a kubeconfig for istiod has it.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance {
            server: self.server(),
            tls_server_name: self.config.tls_server_name.clone(),
            ca: self.config.root_cert.clone().unwrap_or_default(),
            skip_verify: self.config.accept_invalid_certs,
        }
    }

    /// A client; the credential plugin is run.
    pub(super) async fn client(self) -> Result<Client, Error> {
        let fail = |message: String| Error::Credentials { context: self.name.clone(), message };
        let proxy = self.proxy.as_ref().map(Address::shown);
        let watcher = self.watcher.map(|watcher| (self.name.clone(), watcher));
        let credentials = Credentials::new(self.credentials, self.secrets);
        let way = Way { credentials, proxy, watcher };
        let mut config = self.config;
        if let Some((cert, key)) = way.credentials.begin().await.map_err(fail)? {
            check_identity(cert.as_bytes(), key.as_bytes())
                .map_err(|why| fail(format!("the credential plugin returned {why}")))?;
            config.auth_info.client_certificate_data = Some(STANDARD.encode(cert));
            config.auth_info.client_key_data = Some(STANDARD.encode(key.as_bytes()).into());
        }
        let builder = ClientBuilder::try_from(config).map_err(|error| fail(unbuilt(&error)))?;
        Ok(builder.with_layer(&Guard(Arc::new(way))).build())
    }
}

/// Settings that every client has.
pub(super) fn config(server: http::Uri) -> Config {
    let mut config = Config::new(server);
    // We ask again ourselves, with an eye on the clock and a word to the user.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(REQUEST);
    config
}

/// Why there is no client: the library's errors can show lines of a key.
fn unbuilt(error: &kube::Error) -> String {
    use kube::client::RustlsTlsError as Tls;
    match error {
        kube::Error::RustlsTls(Tls::InvalidPrivateKey(_)) => {
            "the client key cannot be used, or is not that of the client certificate".to_owned()
        }
        kube::Error::RustlsTls(Tls::AddRootCertificate(_)) => {
            "a certificate of the cluster's `certificate-authority` cannot be used".to_owned()
        }
        kube::Error::HttpError(_) => {
            "the name of the user to impersonate contains invalid characters".to_owned()
        }
        _ => "the server's or the client's certificates cannot be used".to_owned(),
    }
}

fn filled(text: &Option<Text>) -> Option<&Text> {
    text.as_ref().filter(|text| !text.value.trim().is_empty())
}

fn wrong(file: &Path, text: &Text, what: &str, why: &str) -> Error {
    at(file, Some(text.referenced), format!("{what} {why}"))
}

/// A path of a kubeconfig, which is from its folder.
fn beside(file: &Path, text: &Text) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(text.value.trim())
}

fn proxy_of(
    cluster: &Cluster,
    file: &Path,
    server: &Address,
    env: Env<'_>,
) -> Result<Option<Address>, Error> {
    match filled(&cluster.proxy_url) {
        // One the kubeconfig names is used for every host (`client-go rest/config.go: http.ProxyURL`).
        Some(text) => proxy::parse(&text.value)
            .map(Some)
            .map_err(|why| wrong(file, text, "`proxy-url` is", why)),
        None => proxy::from_env(server, env).map_err(|(variable, why)| {
            unusable(format!("the environment variable {variable} is {why}"))
        }),
    }
}

/// The proxy with its user, as the client takes it.
fn with_user(proxy: &Address, file: &Path) -> Result<http::Uri, Error> {
    let Some(user) = &proxy.user else { return Ok(proxy.uri.clone()) };
    let escaped =
        percent_encoding::percent_encode(user, percent_encoding::NON_ALPHANUMERIC).to_string();
    // The first colon parts the name from the password.
    let escaped = Zeroizing::new(escaped.replacen("%3A", ":", 1));
    let host = proxy.uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let scheme = proxy.uri.scheme_str().unwrap_or("http");
    let text = Zeroizing::new(format!("{scheme}://{}@{host}/", *escaped));
    text.parse()
        .map_err(|_unsaid| at(file, None, "the user of the proxy contains invalid characters"))
}

fn is_unverified(cluster: &Cluster) -> bool {
    cluster.insecure_skip_tls_verify.as_ref().is_some_and(|flag| flag.value)
}

fn security(cluster: &Cluster, file: &Path, server: &Address, is_proxied: bool) -> Security {
    if !server.is_https() {
        let stays = server.is_loopback() && !is_proxied;
        return if stays {
            Security::Loopback
        } else {
            Security::Unverified("plain HTTP".to_owned())
        };
    }
    match &cluster.insecure_skip_tls_verify {
        Some(flag) if flag.value => {
            let place = place(file, Some(flag.referenced));
            Security::Unverified(format!("`insecure-skip-tls-verify: true` in {place}"))
        }
        _ => Security::Verified,
    }
}

/// The parts of a URL that must not be shown.
fn secrets(server: &Address, proxy: Option<&Address>) -> Vec<Zeroizing<String>> {
    let users = [server.user.as_ref(), proxy.and_then(|proxy| proxy.user.as_ref())];
    let texts = users.into_iter().flatten().map(|user| String::from_utf8_lossy(user).into_owned());
    texts
        .flat_map(|text| {
            let parts = text.split(':').map(|part| Zeroizing::new(part.to_owned()));
            parts.collect::<Vec<_>>()
        })
        .collect()
}

fn secrets_of(user: &User) -> Vec<Zeroizing<String>> {
    let texts = [&user.token, &user.password, &user.username, &user.client_key_data];
    let texts = texts.into_iter().flatten().map(|text| text.value.trim());
    let provider = user.auth_provider.iter().flat_map(|provider| provider.config.values());
    let exec =
        user.exec.iter().flat_map(|exec| exec.env.iter().map(|variable| variable.value.as_str()));
    let all = texts.chain(provider.map(String::as_str)).chain(exec);
    // Short values of settings, `true` or a region, are in ordinary words.
    all.filter(|text| text.len() >= 8).map(|text| Zeroizing::new(text.to_owned())).collect()
}

/// Bytes, and where they are named.
type Placed = (Zeroizing<Vec<u8>>, String);

/// The bytes of `NAME-data`, or of the file `NAME`.
fn data(
    name: &str,
    data: &Option<Text>,
    path: &Option<Text>,
    file: &Path,
) -> Result<Option<Placed>, Error> {
    if let Some(text) = filled(data) {
        let packed: Zeroizing<String> =
            Zeroizing::new(text.value.chars().filter(|c| !c.is_ascii_whitespace()).collect());
        let decoded = STANDARD.decode(packed.as_bytes());
        let decoded = decoded.map_err(|_unsaid| {
            wrong(file, text, &format!("`{name}-data` is"), "not valid base64")
        })?;
        return Ok(Some((Zeroizing::new(decoded), place(file, Some(text.referenced)))));
    }
    let Some(text) = filled(path) else { return Ok(None) };
    let path = beside(file, text);
    let read = std::fs::read(&path).map(Zeroizing::new);
    // Where data are pasted for a path, the path is a secret.
    let read = read.map_err(|error| {
        at(file, Some(text.referenced), format!("cannot read the file of `{name}`: {error}"))
    })?;
    Ok(Some((read, place(file, Some(text.referenced)))))
}

fn authorities(cluster: &Cluster, file: &Path) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let (given, path) = (&cluster.certificate_authority_data, &cluster.certificate_authority);
    let Some((pem, place)) = data("certificate-authority", given, path, file)? else {
        return Ok(None);
    };
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => {
            Ok(Some(certs.iter().map(|cert| cert.to_vec()).collect()))
        }
        _ => Err(unusable(format!(
            "kubeconfig {place}: `certificate-authority` has no certificates in PEM"
        ))),
    }
}

fn tls_name(cluster: &Cluster, file: &Path) -> Result<Option<String>, Error> {
    let Some(text) = filled(&cluster.tls_server_name) else { return Ok(None) };
    let name = text.value.trim().to_owned();
    match ServerName::try_from(name.clone()) {
        Ok(_) => Ok(Some(name)),
        Err(_) => {
            Err(wrong(file, text, "`tls-server-name` is", "not a host name or an IP address"))
        }
    }
}

/// The client certificate and the user to impersonate; tokens and passwords are ours to add.
fn auth_info(user: &User, file: &Path) -> Result<AuthInfo, Error> {
    let mut info = AuthInfo::default();
    let cert =
        data("client-certificate", &user.client_certificate_data, &user.client_certificate, file)?;
    let key = data("client-key", &user.client_key_data, &user.client_key, file)?;
    match (cert, key) {
        (Some((cert, place)), Some((key, _))) => {
            check_identity(&cert, &key)
                .map_err(|why| unusable(format!("kubeconfig {place}: the user has {why}")))?;
            info.client_certificate_data = Some(STANDARD.encode(&*cert));
            info.client_key_data = Some(STANDARD.encode(&*key).into());
        }
        (None, None) => {}
        (Some((_, place)), None) => {
            return Err(unusable(format!(
                "kubeconfig {place}: the client certificate has no `client-key`"
            )));
        }
        (None, Some((_, place))) => {
            return Err(unusable(format!(
                "kubeconfig {place}: the client key has no `client-certificate`"
            )));
        }
    }
    let headers = [&user.impersonate, &user.impersonate_uid].into_iter().flatten();
    let extra = user.impersonate_extra.values().flatten();
    for text in headers.chain(&user.impersonate_groups).chain(extra) {
        if http::HeaderValue::from_str(&text.value).is_err() {
            return Err(wrong(
                file,
                text,
                "the user to impersonate has",
                "characters that cannot be sent",
            ));
        }
    }
    let value = |text: &Text| text.value.clone();
    info.impersonate = filled(&user.impersonate).map(value);
    info.impersonate_uid = filled(&user.impersonate_uid).map(value);
    info.impersonate_groups = Some(user.impersonate_groups.iter().map(value).collect());
    let extra = user.impersonate_extra.iter();
    info.impersonate_user_extra =
        Some(extra.map(|(key, all)| (key.clone(), all.iter().map(value).collect())).collect());
    Ok(info)
}

/// A certificate and a key as PEM can be read; whether they belong together TLS finds.
fn check_identity(cert: &[u8], key: &[u8]) -> Result<(), &'static str> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert).collect();
    if !certs.is_ok_and(|certs| !certs.is_empty()) {
        return Err("a client certificate that is not PEM");
    }
    PrivateKeyDer::from_pem_slice(key).map(|_| ()).map_err(|_unsaid| "a client key that is not PEM")
}

/// Where the user's header comes from; two kinds at once are refused, as kubectl does.
fn source(
    user: &User,
    file: &Path,
    selected: &Selected<'_>,
    around: &Surroundings<'_>,
) -> Result<Source, Error> {
    let is_token = filled(&user.token).or(filled(&user.token_file));
    let password = filled(&user.username).or(filled(&user.password));
    if let (Some(_), Some(password)) = (is_token, password) {
        return Err(at(
            file,
            Some(password.referenced),
            "the user has a token and a password; expected one of them",
        ));
    }
    if let Some(token) = filled(&user.token) {
        let header = bearer(&token.value);
        return header.map(Source::Fixed).map_err(|why| at(file, Some(token.referenced), why));
    }
    if let Some(path) = filled(&user.token_file) {
        return Ok(Source::File(beside(file, path), place(file, Some(path.referenced))));
    }
    if password.is_some() {
        let text =
            |text: &Option<Text>| text.as_ref().map(|text| text.value.clone()).unwrap_or_default();
        let both = Zeroizing::new(format!("{}:{}", text(&user.username), text(&user.password)));
        return basic(both.as_bytes()).map(Source::Fixed).map_err(|why| at(file, None, why));
    }
    if let Some(exec) = &user.exec {
        let cluster = cluster_info(exec, selected)?;
        return plugin(exec, file, cluster, around).map(|plugin| Source::Plugin(Box::new(plugin)));
    }
    let Some(provider) = &user.auth_provider else { return Ok(Source::None) };
    let token = provider.config.get("id-token").filter(|token| !token.trim().is_empty());
    match token.filter(|_| provider.name.value == "oidc") {
        Some(token) => bearer(token)
            .map(Source::Fixed)
            .map_err(|why| at(file, Some(provider.name.referenced), why)),
        None => Err(at(
            file,
            Some(provider.name.referenced),
            "this `auth-provider` is not supported, as in kubectl: expected a credential plugin under `exec`, or `oidc` with an `id-token`",
        )),
    }
}

fn plugin(
    exec: &Exec,
    file: &Path,
    cluster: Option<Value>,
    around: &Surroundings<'_>,
) -> Result<Plugin, Error> {
    let command = filled(&exec.command)
        .ok_or_else(|| at(file, None, "the user's `exec` has no `command`"))?;
    let version = filled(&exec.api_version).ok_or_else(|| {
        at(file, Some(command.referenced), "this credential plugin has no `apiVersion`")
    })?;
    if !API_VERSIONS.contains(&version.value.as_str()) {
        let known = API_VERSIONS.join(" or ");
        return Err(at(
            file,
            Some(version.referenced),
            format!("`apiVersion` is not supported: expected {known}"),
        ));
    }
    let mode = exec.interactive_mode.as_ref().map_or("IfAvailable", |mode| mode.value.as_str());
    let interactive = match mode {
        "Never" => false,
        "IfAvailable" => around.can_ask,
        "Always" if around.can_ask => true,
        _ => {
            let place = exec.interactive_mode.as_ref().map(|mode| mode.referenced);
            let why = if mode == "Always" {
                "this credential plugin needs a terminal (`interactiveMode: Always`), but there is none"
            } else {
                "`interactiveMode` is not supported: expected Never, IfAvailable or Always"
            };
            return Err(at(file, place, why));
        }
    };
    Ok(Plugin {
        command: located(command.value.trim(), file),
        args: exec.args.clone(),
        env: exec.env.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
        api_version: version.value.clone(),
        interactive,
        cluster,
        hidden: around.hidden.to_vec(),
        patience: around.patience,
    })
}

/// What a plugin receives about the cluster (`client-go pkg/apis/clientauthentication/types.go: Cluster`).
fn cluster_info(exec: &Exec, selected: &Selected<'_>) -> Result<Option<Value>, Error> {
    if !exec.provide_cluster_info {
        return Ok(None);
    }
    let Selected { cluster, cluster_file: file, .. } = selected;
    let (given, path) = (&cluster.certificate_authority_data, &cluster.certificate_authority);
    let mut info = json!({ "server": filled(&cluster.server).map(|text| text.value.trim()) });
    let mut set = |name: &str, value: Value| info[name] = value;
    if let Some((pem, _)) = data("certificate-authority", given, path, file)? {
        set("certificate-authority-data", STANDARD.encode(&*pem).into());
    }
    if let Some(name) = filled(&cluster.tls_server_name) {
        set("tls-server-name", name.value.trim().into());
    }
    if let Some(proxy) = filled(&cluster.proxy_url) {
        set("proxy-url", proxy.value.trim().into());
    }
    if is_unverified(cluster) {
        set("insecure-skip-tls-verify", true.into());
    }
    let extension = cluster.extensions.iter().find(|extension| extension.name == PLUGIN_EXTENSION);
    if let Some(extension) = extension {
        set("config", extension.extension.clone());
    }
    Ok(Some(info))
}
