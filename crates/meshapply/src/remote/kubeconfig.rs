//! The kubeconfig in a remote secret: read as istiod reads it, and written.
//!
//! Read here and not by a library, whose errors show values of a file that is full of secrets.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use meshpki::internals::pem;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::server::normal;

/// How an API server is reached: everything in a kubeconfig but the credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entrance {
    /// The server's URL, without user information and query.
    pub server: String,
    /// The name that the server's certificate must have, if it is not the host of the URL.
    pub tls_server_name: Option<String>,
    /// The certificates that the server is verified with, in DER; none: those of the system.
    pub ca: Vec<Vec<u8>>,
    /// The server's certificate is not verified.
    pub skip_verify: bool,
}

/// A kubeconfig of a remote secret, at its current context. It has no `Debug`: it holds a token.
pub struct RemoteKubeconfig {
    /// How the server is reached.
    pub entrance: Entrance,
    /// The kind of credentials.
    pub auth: Auth,
    /// The token, where that is the kind.
    pub token: Option<Zeroizing<String>>,
    /// Fields for which istiod refuses the kubeconfig, by the names that
    /// `PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS` gives them (`pkg/kube/util.go: sanitizeKubeConfig`; Istio 1.13
    /// and later, and the last patch releases of 1.11 and 1.12).
    pub refused: Vec<String>,
    /// The CA is a file, which only istiod's own container could have.
    pub has_ca_file: bool,
    /// The server is reached through a proxy.
    pub has_proxy: bool,
}

/// A kind of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A bearer token.
    Token,
    /// A client certificate.
    ClientCertificate,
    /// A user name and a password.
    Password,
    /// OpenID Connect, the one `auth-provider` that istiod accepts.
    Oidc,
    /// None, or a kind that istiod refuses.
    None,
}

/// Why a kubeconfig cannot be read. It shows nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is nothing in it.
    Empty,
    /// It is not YAML, or not of the structure of a kubeconfig: line and column, from 1; 0 if unknown.
    Yaml(u64, u64),
    /// It has no `current-context`, or none of that name.
    NoContext,
    /// The context refers to a cluster or user that does not exist.
    NoReference,
    /// The cluster has no `server`, or one that is not an `https://` or `http://` URL.
    NoServer,
    /// `certificate-authority-data` has no certificates.
    Ca,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Yaml(0, _) => f.write_str("it is not a kubeconfig in YAML"),
            Self::Yaml(line, column) => {
                write!(f, "it is not a kubeconfig in YAML (line {line}, column {column})")
            }
            Self::NoContext => f.write_str("its `current-context` is missing or does not exist"),
            Self::NoReference => {
                f.write_str("its context refers to a cluster or user that does not exist")
            }
            Self::NoServer => f.write_str("its `server` is missing or not a URL"),
            Self::Ca => f.write_str("its `certificate-authority-data` has no certificates in PEM"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    current_context: Option<String>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
    contexts: Option<Vec<NamedContext>>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: Option<User>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Option<Context>,
}

#[derive(Deserialize)]
struct Context {
    cluster: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: Option<String>,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: Option<bool>,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
    proxy_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<String>,
    client_certificate: Option<String>,
    client_certificate_data: Option<String>,
    client_key: Option<String>,
    username: Option<String>,
    password: Option<serde::de::IgnoredAny>,
    auth_provider: Option<AuthProvider>,
    exec: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct AuthProvider {
    name: Option<String>,
}

fn is_set(text: &Option<String>) -> bool {
    text.as_ref().is_some_and(|text| !text.is_empty())
}

impl Entrance {
    /// A server's URL as it is written into a kubeconfig.
    ///
    /// # Errors
    /// Why it is not one, without any of its characters.
    pub fn url(text: &str) -> Result<String, &'static str> {
        let uri: Uri = text.trim().parse().map_err(|_unsaid| "not a valid URL")?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err("not a URL that begins with https:// or http://");
        }
        if uri.host().unwrap_or_default().is_empty() {
            return Err("a URL without a host");
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a URL with a user, which istiod would send to the server");
        }
        if uri.query().is_some() {
            return Err("a URL with a query");
        }
        Ok(uri.to_string().trim_end_matches('/').to_owned())
    }

    /// Whether others can read or answer what is sent: no TLS, or a certificate that is not verified.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.skip_verify || !self.server.starts_with("https://")
    }

    /// Whether the address is one of the machine that uses it: istiod's own pod.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let Ok(uri) = self.server.parse::<Uri>() else { return false };
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<std::net::IpAddr>();
        bare.eq_ignore_ascii_case("localhost") || address.is_ok_and(|one| one.is_loopback())
    }

    /// Whether both are the same address.
    #[must_use]
    pub fn same_server(&self, other: &Self) -> bool {
        normal(&self.server) == normal(&other.server)
    }

    /// Whether both verify the server with the same certificates.
    #[must_use]
    pub fn same_ca(&self, other: &Self) -> bool {
        let sorted = |one: &Self| {
            let mut all = one.ca.clone();
            all.sort();
            all.dedup();
            all
        };
        sorted(self) == sorted(other)
    }
}

impl RemoteKubeconfig {
    /// Reads the value of a remote secret.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Flaw::Empty);
        }
        let text = std::str::from_utf8(bytes).map_err(|_unsaid| Flaw::Yaml(0, 0))?;
        let options = serde_saphyr::options! { with_snippet: false };
        let read: Result<Option<Document>, _> = serde_saphyr::from_str_with_options(text, options);
        let document = read.map_err(|error| match error.location() {
            Some(place) => Flaw::Yaml(place.line(), place.column()),
            None => Flaw::Yaml(0, 0),
        })?;
        document.ok_or(Flaw::Empty)?.selected()
    }

    /// The fields for which an istiod that allows these refuses it.
    #[must_use]
    pub fn refused_despite(&self, allowed: &[String]) -> Vec<String> {
        self.refused.iter().filter(|name| !allowed.contains(name)).cloned().collect()
    }

    /// The kubeconfig for a cluster with a token, as istioctl writes it.
    #[must_use]
    pub fn text(cluster: &str, entrance: &Entrance, token: &str) -> Zeroizing<Vec<u8>> {
        // A JSON string is a YAML string.
        let quoted = |text: &str| Zeroizing::new(serde_json::Value::from(text).to_string());
        let name = quoted(cluster);
        let mut out = Zeroizing::new(String::with_capacity(4096));
        *out += "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n";
        if !entrance.ca.is_empty() {
            let pem: String =
                entrance.ca.iter().map(|der| pem::encode("CERTIFICATE", der)).collect();
            *out += &format!("    certificate-authority-data: {}\n", STANDARD.encode(pem));
        }
        if entrance.skip_verify {
            *out += "    insecure-skip-tls-verify: true\n";
        }
        *out += &format!("    server: {}\n", *quoted(&entrance.server));
        if let Some(tls) = &entrance.tls_server_name {
            *out += &format!("    tls-server-name: {}\n", *quoted(tls));
        }
        *out += &format!(
            "  name: {n}\ncontexts:\n- context:\n    cluster: {n}\n    user: {n}\n  name: {n}\ncurrent-context: {n}\nusers:\n- name: {n}\n  user:\n    token: ",
            n = *name
        );
        *out += &quoted(token);
        out.push('\n');
        Zeroizing::new(out.as_bytes().to_vec())
    }
}

impl Document {
    /// What the current context leads to; credentials are looked at for every user, as istiod does.
    fn selected(self) -> Result<RemoteKubeconfig, Flaw> {
        let users = self.users.unwrap_or_default();
        let refused = refused(&users);
        let name = self.current_context.filter(|name| !name.is_empty()).ok_or(Flaw::NoContext)?;
        let mut contexts = self.contexts.unwrap_or_default().into_iter();
        let context = contexts.find(|one| one.name == name).and_then(|one| one.context);
        let context = context.ok_or(Flaw::NoContext)?;
        let mut clusters = self.clusters.unwrap_or_default().into_iter();
        let cluster = clusters.find(|one| Some(&one.name) == context.cluster.as_ref());
        let cluster = cluster.and_then(|one| one.cluster).ok_or(Flaw::NoReference)?;
        let named = context.user.filter(|user| !user.is_empty());
        let user = users.into_iter().find(|one| Some(&one.name) == named.as_ref());
        if named.is_some() && user.is_none() {
            return Err(Flaw::NoReference);
        }
        let user = user.and_then(|one| one.user);
        let auth = user.as_ref().map_or(Auth::None, User::kind);
        Ok(RemoteKubeconfig {
            entrance: cluster.entrance()?,
            auth,
            token: user
                .and_then(|user| user.token)
                .filter(|_| auth == Auth::Token)
                .map(Zeroizing::new),
            refused,
            has_ca_file: is_set(&cluster.certificate_authority),
            has_proxy: is_set(&cluster.proxy_url),
        })
    }
}

/// What istiod refuses in any of the users, each once, sorted (`pkg/kube/util.go: sanitizeKubeConfig`).
fn refused(users: &[NamedUser]) -> Vec<String> {
    let mut all = std::collections::BTreeSet::new();
    for user in users.iter().filter_map(|one| one.user.as_ref()) {
        let provider = user.auth_provider.as_ref().map(|one| one.name.as_deref().unwrap_or(""));
        if let Some(provider) = provider.filter(|name| *name != "oidc") {
            // A name is not a secret, unless one was pasted there.
            let known = ["azure", "gcp", "openstack", "exec"].contains(&provider);
            all.insert(if known { provider } else { "auth-provider" }.to_owned());
        }
        for (is_there, name) in [
            (is_set(&user.client_key), "clientKey"),
            (is_set(&user.client_certificate), "clientCertificate"),
            (is_set(&user.token_file), "tokenFile"),
            (user.exec.is_some(), "exec"),
        ] {
            if is_there {
                all.insert(name.to_owned());
            }
        }
    }
    all.into_iter().collect()
}

impl User {
    fn kind(&self) -> Auth {
        if self.token.as_ref().is_some_and(|token| !token.trim().is_empty()) {
            Auth::Token
        } else if is_set(&self.client_certificate_data) {
            Auth::ClientCertificate
        } else if is_set(&self.username) && self.password.is_some() {
            Auth::Password
        } else if self.auth_provider.as_ref().is_some_and(|one| one.name.as_deref() == Some("oidc"))
        {
            Auth::Oidc
        } else {
            Auth::None
        }
    }
}

impl Cluster {
    fn entrance(&self) -> Result<Entrance, Flaw> {
        let server = self.server.as_deref().unwrap_or_default();
        let server = Entrance::url(server).map_err(|_unsaid| Flaw::NoServer)?;
        let mut ca = Vec::new();
        if let Some(data) = self.certificate_authority_data.as_ref().filter(|text| !text.is_empty())
        {
            let packed: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let pem = STANDARD.decode(packed).map_err(|_unsaid| Flaw::Ca)?;
            let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            ca = certs.map_err(|_unsaid| Flaw::Ca)?.iter().map(|cert| cert.to_vec()).collect();
            if ca.is_empty() {
                return Err(Flaw::Ca);
            }
        }
        Ok(Entrance {
            server,
            tls_server_name: self.tls_server_name.clone().filter(|name| !name.is_empty()),
            ca,
            skip_verify: self.insecure_skip_tls_verify.unwrap_or(false),
        })
    }
}
