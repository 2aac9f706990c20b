//! What proxies say of their certificates on their admin port: Envoy's `config_dump` and ztunnel's.

use meshpki::Cert;
use meshpki::cacerts::pool;
use serde_json::Value;

/// A certificate that a proxy shows, and the roots that it trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyCerts {
    /// Its own certificate, then those sent after it.
    pub chain: Vec<Cert>,
    /// Its roots.
    pub roots: Vec<Cert>,
}

/// What kind of a proxy answers on an admin port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProxyKind {
    /// Envoy next to an application.
    Sidecar,
    /// Envoy by itself: a gateway, a waypoint.
    Gateway,
    /// ztunnel, with a certificate for each identity on its node.
    Ztunnel,
}

impl ProxyKind {
    /// What to ask for on its admin port.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Sidecar | Self::Gateway => "/config_dump?resource=dynamic_active_secrets",
            Self::Ztunnel => "/config_dump",
        }
    }

    /// Reads the response to [`ProxyKind::path`].
    ///
    /// # Errors
    /// What is missing in it.
    pub fn read(self, response: &[u8]) -> Result<Vec<ProxyCerts>, String> {
        let dump: Value = serde_json::from_slice(response)
            .map_err(|error| format!("its configuration dump is not JSON: {error}"))?;
        match self {
            Self::Sidecar | Self::Gateway => envoy(&dump).map(|certs| vec![certs]),
            Self::Ztunnel => ztunnel(&dump),
        }
    }
}

/// What to ask Envoy for, to know how often it has rejected a certificate.
pub const FAILURES_PATH: &str = "/stats?filter=ssl.fail_verify_error&format=json";

/// How many certificates an Envoy has rejected since it started, from its response to [`FAILURES_PATH`]; `None` if it does
/// not count them, which depends on `proxyStatsMatcher`.
#[must_use]
pub fn failures(response: &[u8]) -> Option<u64> {
    let stats: Value = serde_json::from_slice(response).ok()?;
    let counts = stats["stats"].as_array()?.iter().filter(|one| {
        one["name"].as_str().is_some_and(|name| name.ends_with("ssl.fail_verify_error"))
    });
    let counts: Vec<u64> = counts.filter_map(|one| one["value"].as_u64()).collect();
    (!counts.is_empty()).then(|| counts.into_iter().fold(0, u64::saturating_add))
}

/// The secrets `default` and `ROOTCA` (`pkg/model/xds.go: SDSDefaultResourceName, SDSRootResourceName`) of a
/// `envoy.admin.v3.SecretsConfigDump`, by itself or in a whole dump.
fn envoy(dump: &Value) -> Result<ProxyCerts, String> {
    let configs = dump["configs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let nested = configs.iter().filter_map(|one| one["dynamic_active_secrets"].as_array());
    let secrets: Vec<&Value> = configs.iter().chain(nested.flatten()).collect();
    let named = |name: &str| {
        let secret = secrets.iter().find(|one| one["name"] == name);
        secret.map(|one| &one["secret"]).ok_or_else(|| format!("it has no secret {name}"))
    };
    let chain = certs(&named("default")?["tls_certificate"]["certificate_chain"])?;
    let roots = certs(&named("ROOTCA")?["validation_context"]["trusted_ca"])?;
    if chain.is_empty() {
        return Err("it has no certificate".to_owned());
    }
    Ok(ProxyCerts { chain, roots })
}

/// A `envoy.config.core.v3.DataSource` with certificates.
fn certs(source: &Value) -> Result<Vec<Cert>, String> {
    if let Some(text) = source["inline_string"].as_str() {
        return Ok(pool(text.as_bytes()));
    }
    source["inline_bytes"].as_str().map_or_else(|| Ok(Vec::new()), |text| Ok(pool(&decoded(text)?)))
}

fn decoded(text: &str) -> Result<Vec<u8>, String> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| format!("its certificates are not base64: {error}"))
}

/// `certificates` of ztunnel (`src/admin.rs: CertsDump`): one for each identity.
fn ztunnel(dump: &Value) -> Result<Vec<ProxyCerts>, String> {
    let all = dump["certificates"].as_array().ok_or("it does not list its certificates")?;
    let mut found = Vec::new();
    for one in all {
        let chain = dumped(&one["certChain"])?;
        // An identity whose certificate is still asked for has none.
        if chain.is_empty() {
            continue;
        }
        // Releases before 1.24 do not list the roots.
        if one["rootCerts"].is_null() {
            return Err("this release of ztunnel does not list its roots".to_owned());
        }
        found.push(ProxyCerts { chain, roots: dumped(&one["rootCerts"])? });
    }
    Ok(found)
}

/// Certificates as ztunnel lists them: PEM text in base64.
fn dumped(list: &Value) -> Result<Vec<Cert>, String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = list.iter().filter_map(|one| one["pem"].as_str());
    let mut certs = Vec::new();
    for text in texts {
        certs.extend(pool(&decoded(text)?));
    }
    Ok(certs)
}

#[cfg(test)]
mod tests;
