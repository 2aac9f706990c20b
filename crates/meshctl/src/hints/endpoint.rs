//! The next step after a bundle was not fetched, or cannot be served.

use std::path::Path;

use meshapply::endpoint::{EndpointUrl, Error};

use crate::text::word;

/// The next step that goes with an error.
pub(crate) fn next(error: &Error) -> String {
    match error {
        Error::Body { url, .. } | Error::Http { url, .. } | Error::Status { url, .. } => {
            format!("`{}` shows the response", curl(url))
        }
        Error::Redirect { url, .. } => {
            format!("`{}` shows the response; `--url` can name the last URL instead", curl(url))
        }
        Error::Certificate { url, .. } => format!("`{}` shows what it presents", s_client(url)),
        Error::Tls { url, .. } => format!("`{}` shows what answers there", s_client(url)),
        Error::Unreachable { .. } => {
            "check the host and the port; with `--watch`, meshctl tries again and again".to_owned()
        }
        Error::Timeout { .. } => "`--timeout 1m` waits longer".to_owned(),
        Error::Roots { .. } => "`--web-roots FILE` names a file with roots".to_owned(),
        Error::Key { .. } => {
            "use a key of P-256, P-384, Ed25519, or RSA with 2048 to 8192 bits".to_owned()
        }
        Error::Listen { .. } => "choose another address; port 0 is any free port".to_owned(),
        Error::Url { .. } => "an example is `--url https://spire.east.example:8443/`".to_owned(),
        _ => "run the command again".to_owned(),
    }
}

/// Shows a response, whoever sends it.
fn curl(url: &EndpointUrl) -> String {
    format!("curl --insecure --include --max-time 10 {}", quoted(&url.to_string()))
}

/// Shows the certificates of a server, whatever they are.
fn s_client(url: &EndpointUrl) -> String {
    let place = quoted(&format!("{}:{}", url.host(), url.port()));
    format!("openssl s_client -showcerts -connect {place} < /dev/null")
}

fn quoted(text: &str) -> String {
    word(Path::new(text))
}
