//! A single Envoy with a static configuration: a filter chain for each question, chosen by SNI, that asks for a client
//! certificate and verifies it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use meshpki::internals::pem;
use meshpki::verify::Release;
use serde_json::{Value, json};

use super::process::{Plan, Process};
use super::{rig, wait};
use crate::world::Pki;
use crate::{Scratch, forge, judges};

/// Where Envoy logs a line for each connection.
const LOG: &str = "connections.log";
/// Key and certificate of Envoy itself; clients do not look at it.
const SERVER: &str = "p256-0";

/// A running Envoy; dropped, it ends.
pub struct Envoy {
    port: u16,
    scratch: Scratch,
    process: Process,
}

impl Envoy {
    /// Starts an Envoy that verifies a client's certificate as each PKI says; `None` if the rig is missing, which is
    /// reported.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(pkis: &[Pki]) -> Option<Self> {
        let program = rig()?.path("envoy");
        let scratch = Scratch::new();
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
        scratch.write("envoy.json", config(pkis, port, &scratch.join(LOG)).to_string());
        let process = Plan::new(program, scratch.path())
            .arg("-c")
            .arg("envoy.json")
            .arg("--disable-hot-restart")
            .arg("--concurrency")
            .arg("1")
            .arg("--file-flush-interval-msec")
            .arg("20")
            .arg("--log-level")
            .arg("error")
            .start();
        let mut this = Self { port, scratch, process };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(this.process.ended().is_none(), "{}", this.process.tail());
            assert!(start.elapsed() < wait::LONG, "{}", this.process.tail());
            thread::sleep(Duration::from_millis(50));
        }
        Some(this)
    }

    /// Connects with the leaf and the intermediates of a PKI: `None` if Envoy accepts them, else why not.
    ///
    /// # Panics
    /// When there is no openssl, or Envoy logs nothing.
    pub fn ask(&self, index: usize, pki: &Pki, key: &str) -> Option<String> {
        let path = |name: &str| self.scratch.join(name).display().to_string();
        let key = forge::private(key).expect("a key that can sign");
        let chain: String =
            pki.intermediates.iter().map(|der| pem::encode(pem::CERTIFICATE, der)).collect();
        self.scratch.write("leaf.pem", pem::encode(pem::CERTIFICATE, &pki.leaf));
        self.scratch.write("chain.pem", &chain);
        self.scratch.write_key("leaf.key", pem::encode("PRIVATE KEY", &key));
        let mut client = Command::new(judges::openssl::program(Release::V3_0).expect("openssl"));
        client
            .args(["s_client", "-tls1_2", "-cipher", "DEFAULT@SECLEVEL=0", "-connect"])
            .args([format!("127.0.0.1:{}", self.port), "-servername".to_owned(), host(index)])
            .args(["-cert".to_owned(), path("leaf.pem"), "-key".to_owned(), path("leaf.key")]);
        if !chain.is_empty() {
            client.args(["-cert_chain".to_owned(), path("chain.pem")]);
        }
        let output = client.stdin(Stdio::null()).output().expect("openssl starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        self.logged(index, &said)
    }

    /// The line of the log about a question, once it is there.
    fn logged(&self, index: usize, said: &str) -> Option<String> {
        let start = Instant::now();
        loop {
            let log = fs::read_to_string(self.scratch.join(LOG)).unwrap_or_default();
            let line = log.lines().find_map(|line| line.strip_prefix(&format!("{} ", host(index))));
            match line {
                Some("-") => return None,
                // The log has no spaces inside a field.
                Some(why) => return Some(why.replace('_', " ")),
                None => {}
            }
            assert!(start.elapsed() < wait::LONG, "nothing logged for {}\n{said}", host(index));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The SNI of a question.
fn host(index: usize) -> String {
    format!("pki{index}.test")
}

/// Envoy's bootstrap.
fn config(pkis: &[Pki], port: u16, log: &PathBuf) -> Value {
    let name = forge::name(&[(meshpki::internals::oid::COMMON_NAME, 0x0c, b"envoy")]);
    let index = forge::key(SERVER);
    let own = forge::CertPlan::new(name.clone(), name, index, index).sign();
    let key = forge::private(SERVER).expect("its key");
    let own = json!({
        "certificate_chain": {"inline_string": pem::encode(pem::CERTIFICATE, &own)},
        "private_key": {"inline_string": pem::encode("PRIVATE KEY", &key)},
    });
    let chains: Vec<Value> =
        pkis.iter().enumerate().map(|(index, pki)| filter_chain(index, pki, &own)).collect();
    let file = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
    let inspector =
        "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
    json!({"static_resources": {"listeners": [{
        "name": "pkis",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "listener_filters": [{
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": {"@type": inspector},
        }],
        "filter_chains": chains,
        "access_log": [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": file,
                "path": log,
                "log_format": {"text_format_source": {
                    "inline_string": "%REQUESTED_SERVER_NAME% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n",
                }},
            },
        }],
    }]}})
}

fn filter_chain(index: usize, pki: &Pki, own: &Value) -> Value {
    let blocks = |label: &str, list: &[Vec<u8>]| -> String {
        list.iter().map(|der| pem::encode(label, der)).collect()
    };
    let mut validation =
        json!({"trusted_ca": {"inline_string": blocks(pem::CERTIFICATE, &pki.roots)}});
    if !pki.crls.is_empty() {
        validation["crl"] = json!({"inline_string": blocks("X509 CRL", &pki.crls)});
    }
    let tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    // It answers what it is sent, so nothing happens before the handshake has ended.
    let echo = "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo";
    json!({
        "filter_chain_match": {"server_names": [host(index)]},
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": tls,
            "require_client_certificate": true,
            "common_tls_context": {"tls_certificates": [own], "validation_context": validation},
        }},
        "filters": [{"name": "envoy.filters.network.echo", "typed_config": {"@type": echo}}],
    })
}
