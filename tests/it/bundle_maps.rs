//! Bundle maps in Envoy's SPIFFE validator: which it loads, and that it loads one again when its file is replaced.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use meshpki::spiffe::{Bundle, BundleMap};
use meshpki::x509::KeyUsage;
use meshpki::{Cert, KeyType, Profile, TrustDomain};
use serde_json::{Value, json};
use tests::authority::{Authority, key};
use tests::judges::run;
use tests::rig::process::Plan;
use tests::rig::{rig, wait};
use tests::{Scratch, Shell};

use crate::interop::KINDS;

/// The package of Envoy's TLS types.
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";

fn domain() -> TrustDomain {
    "a.example".parse().expect("a trust domain")
}

/// A listener at a port that verifies clients by a bundle map.
fn config(map: &Path, port: u16) -> Value {
    let own = Authority::root(KeyType::EcdsaP256, "CN=envoy", |profile| {
        profile.key_usage = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::DIGITAL_SIGNATURE);
    });
    let validator = json!({
        "name": "envoy.tls.cert_validator.spiffe",
        "typed_config": {
            "@type": TLS.to_owned() + "SPIFFECertValidatorConfig",
            "trust_bundles": {
                "filename": map,
                "watched_directory": {"path": map.parent().expect("a folder")},
            },
        },
    });
    let tls = json!({
        "@type": TLS.to_owned() + "DownstreamTlsContext",
        "require_client_certificate": true,
        "common_tls_context": {
            "tls_certificates": [{
                "certificate_chain": {"inline_string": own.cert.to_pem()},
                "private_key": {"inline_string": own.key.to_pem().as_str()},
            }],
            "validation_context": {"custom_validator_config": validator},
        },
    });
    let echo = "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo";
    let chain = json!({
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [{"name": "envoy.filters.network.echo", "typed_config": {"@type": echo}}],
    });
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let listener = json!({"name": "l", "address": address, "filter_chains": [chain]});
    json!({"static_resources": {"listeners": [listener]}})
}

/// Envoy's answer to a bundle map: why it does not load it, or `OK`.
fn envoy(program: &Path, map: &str) -> String {
    let scratch = Scratch::new();
    scratch.write("map.json", map);
    scratch.write("envoy.json", config(&scratch.join("map.json"), 0).to_string());
    let arguments = ["--mode", "validate", "--log-level", "error", "-c", "envoy.json"];
    let answer = run(Command::new(program).args(arguments).current_dir(scratch.path()));
    if answer.good { "OK".to_owned() } else { answer.out + &answer.err }
}

/// Envoy loads every map that we write, unless it has a bundle without roots; what it does with others is in
/// docs/federation.md.
#[test]
fn envoy_loads_our_maps() {
    let Some(program) = rig().map(|rig| rig.path("envoy")) else { return };
    let roots: Vec<Cert> = KINDS
        .iter()
        .map(|kind| Authority::root(*kind, "O=Example, CN=Root", |_| {}).cert)
        .collect();
    let map = |sequence: u64, roots: &[Cert]| {
        let mut map = BundleMap::default();
        let bundle = Bundle::new(domain(), roots.to_vec());
        map.insert(bundle.with_sequence(sequence).with_refresh_hint(300)).expect("a new domain");
        map.to_json()
    };
    let largest = i64::MAX.unsigned_abs();
    let ours = map(largest, &roots).expect("a map");
    let refused = map(largest + 1, &roots).expect_err("Envoy refuses it").to_string();
    assert!(refused.contains("`trust_domains[\"a.example\"].spiffe_sequence`"), "{refused}");
    let document: Value = serde_json::from_str(&ours).expect("JSON");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut document = document.clone();
        change(&mut document["trust_domains"]["a.example"]);
        document.to_string()
    };
    let check = |text: &str, expect: &str| {
        let answer = envoy(program, text);
        assert!(answer.contains(expect), "{text}\n{answer}");
    };
    check(&ours, "OK");
    check(&changed(&|bundle| bundle["keys"][0]["x"] = json!("AAAA")), "OK");
    check(&changed(&|bundle| bundle["keys"][0]["kty"] = json!("AKP")), "OK");
    check(&changed(&|bundle| bundle["keys"][0]["use"] = json!("jwt-svid")), "invalid 'use'");
    check(&changed(&|bundle| bundle["keys"][0]["x5c"] = json!([])), "empty 'x5c'");
    check(&changed(&|bundle| bundle["keys"] = json!([])), "No keys found");
    check(&changed(&|bundle| bundle["spiffe_sequence"] = json!(largest + 1)), "Invalid JSON");
    check(&BundleMap::default().to_json().expect("a map"), "No trust domains found");
}

/// The map that `trust bundle map` writes over the one that Envoy has loaded decides from then on: who is accepted, and
/// for which trust domain.
#[test]
fn envoy_reloads_our_maps() {
    let Some(program) = rig().map(|rig| rig.path("envoy")) else { return };
    let shell = Shell::new();
    let [east, west] = ["East", "West"]
        .map(|name| Authority::root(KeyType::EcdsaP256, &format!("CN={name}"), |_| {}));
    for (name, root) in [("east", &east), ("west", &west)] {
        shell.scratch.write(&format!("{name}.pem"), root.cert.to_pem());
        let (pem, json) = (format!("@/{name}.pem"), format!("@/{name}.json"));
        let domain = format!("--trust-domain {name}.example");
        shell.good(&format!("trust bundle export {pem} {domain} --out {json}"));
    }
    let write = |bundles: &str| shell.good(&format!("trust bundle map {bundles} --out @/map.json"));
    write("east.example=@/east.json");
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let config = config(&shell.scratch.join("map.json"), port);
    shell.scratch.write("envoy.json", config.to_string());
    let arguments = ["-c", "envoy.json", "--disable-hot-restart", "--concurrency", "1"];
    let mut plan = Plan::new(program, shell.scratch.path());
    for argument in arguments {
        plan = plan.arg(argument);
    }
    let envoy = plan.start();
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < wait::LONG, "{what}: {}", envoy.tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until("it comes up", &|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    let is_accepted = |root: &Authority, domain: &str| accepted(&shell.scratch, port, root, domain);
    assert!(is_accepted(&east, "east.example"));
    assert!(!is_accepted(&west, "west.example"));
    write("east.example=@/east.json west.example=@/west.json");
    until("west is accepted", &|| is_accepted(&west, "west.example"));
    assert!(!is_accepted(&west, "east.example"), "west's root vouches for west only");
    write("west.example=@/west.json");
    until("east is no longer accepted", &|| !is_accepted(&east, "east.example"));
}

/// Whether a handshake succeeds with a certificate of this root for a workload of that trust domain.
fn accepted(scratch: &Scratch, port: u16, root: &Authority, domain: &str) -> bool {
    let domain: TrustDomain = domain.parse().expect("a trust domain");
    let key = key(KeyType::EcdsaP256);
    let id = domain.workload("default", "web").expect("an identity");
    // Envoy has a clock of its own.
    let profile = Profile::workload(&id).with_validity(Duration::from_secs(9 * 365 * 86_400));
    scratch.write("leaf.pem", root.issue(&profile, &key).to_pem());
    scratch.write_key("leaf.key", key.to_pem().as_str());
    let mut client = Command::new("openssl");
    // In TLS 1.2 the server has judged the certificate before the handshake ends.
    client.args(["s_client", "-tls1_2", "-connect", &format!("127.0.0.1:{port}")]);
    client.args(["-cert", "leaf.pem", "-key", "leaf.key"]).current_dir(scratch.path());
    run(&mut client).good
}
