//! `meshctl trust serve` and `trust pull`: with each other, and with the servers and clients of SPIRE and go-spiffe.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use meshctl::io::system_time;
use meshpki::spiffe::Bundle;
use meshpki::x509::KeyUsage;
use meshpki::{KeyType, Profile};
use serde_json::{Value, json};
use tests::authority::{Authority, name};
use tests::cli::{ended, words};
use tests::endpoint::{Domain, Leaf, Serving, Talk, bundle_of, plain, until, web_leaf};
use tests::judges::{Spiffe, older_spiffe, spiffe};
use tests::{Scratch, Shell, schema};

use crate::MESHCTL;

/// A trust domain with its bundle in `bundle.json`, an X509-SVID in `svid.crt` and `svid.key`, and a certificate for
/// `localhost` in `web.crt` and `web.key`, whose root is in `web.pem`.
pub(super) struct World {
    pub(super) shell: Shell,
    pub(super) domain: Domain,
    pub(super) web: Domain,
}

impl World {
    pub(super) fn new() -> Self {
        let mut shell = Shell::new();
        shell.now = system_time();
        let (domain, web) = (Domain::new("a.example"), Domain::new("web.example"));
        shell.scratch.write("bundle.json", domain.bundle(7));
        shell.scratch.write("web.pem", web.root.cert.to_pem());
        domain.svid("/bundles").write(&shell.scratch, "svid");
        web.issue(&web_leaf("localhost"), shell.now).write(&shell.scratch, "web");
        Self { shell, domain, web }
    }

    pub(super) fn scratch(&self) -> &Scratch {
        &self.shell.scratch
    }

    pub(super) fn web_leaf(&self) -> Leaf {
        self.web.issue(&web_leaf("localhost"), self.shell.now)
    }

    /// `meshctl trust serve bundle.json` in a profile.
    fn serve(&self, profile: &str) -> Serving {
        let name = if profile == "https_web" { "web" } else { "svid" };
        let tls = format!("--tls-cert {name}.crt --tls-key {name}.key --profile {profile}");
        let args = format!("bundle.json --trust-domain a.example {tls}");
        Serving::start(MESHCTL, self.scratch(), &args)
    }
}

/// The options of `trust pull` for a server with a certificate for `localhost`.
pub(super) fn web_pull(port: u16) -> String {
    format!(
        "trust pull --url https://localhost:{port}/ --trust-domain a.example --profile https_web --web-roots @/web.pem --out @/a.json"
    )
}

/// The options of `trust pull` for a server with the SPIFFE ID `spiffe://a.example/bundles`.
pub(super) fn spiffe_pull(port: u16) -> String {
    format!(
        "trust pull --url https://127.0.0.1:{port}/ --trust-domain a.example --profile https_spiffe --endpoint-id spiffe://a.example/bundles --out @/a.json"
    )
}

/// The bundle arrives byte for byte in both profiles, and what is known of it next to it.
#[test]
fn serve_and_pull() {
    let check = |profile: &str, pull: fn(u16) -> String, first: &str| {
        let world = World::new();
        let serving = world.serve(profile);
        let (shell, port) = (&world.shell, serving.address.port());
        let ran = shell.run(&format!("{} {first}", pull(port)));
        ended(&ran, 0, &["1 root of a.example, sequence 7: written", "next pull due "]);
        assert_eq!(shell.scratch.read("a.json"), world.domain.bundle(7));
        let state = shell.scratch.read("a.json.state");
        schema::check("pulled-bundle", &state);
        let state: Value = serde_json::from_str(&state).expect("JSON");
        let sum = Command::new("sha256sum").arg(shell.scratch.join("a.json")).output();
        let sum = String::from_utf8(sum.expect("sha256sum").stdout).expect("text");
        assert_eq!(sum.split(' ').next(), state["sha256"].as_str());
        assert_eq!((&state["sequence"], &state["trustDomain"]), (&json!(7), &json!("a.example")));
        // The stored copy verifies the server from now on, and no bootstrap is read.
        let before = shell.scratch.entries("")["a.json"].clone();
        let strange = first.replace("bundle.json", "web.pem");
        ended(&shell.run(&format!("{} {strange}", pull(port))), 0, &["sequence 7: unchanged"]);
        ended(&shell.run(&format!("{} --check", pull(port))), 0, &["would be accepted"]);
        assert_eq!(shell.scratch.entries("")["a.json"], before);
        assert!(serving.counts("meshctl_bundle_requests_total{status=\"200\"} 3"));
        assert!(serving.stop().success());
    };
    check("https_web", web_pull, "");
    check("https_spiffe", spiffe_pull, "--bootstrap @/bundle.json");
}

/// The endpoint may be of another trust domain than the bundle, whose roots then come from a file.
#[test]
fn an_endpoint_of_another_trust_domain() {
    let world = World::new();
    let other = Domain::new("b.example");
    other.svid("/publisher").write(world.scratch(), "svid");
    world.scratch().write("b.json", other.bundle(1));
    let serving = world.serve("https_spiffe");
    assert!(world.scratch().read("serve.err").contains("of another trust domain"));
    let port = serving.address.port();
    let pull = format!(
        "trust pull --url https://127.0.0.1:{port} --trust-domain a.example --profile https_spiffe --endpoint-id spiffe://b.example/publisher --out @/a.json"
    );
    let check = |options: &str, status: u8, parts: &[&str]| {
        ended(&world.shell.run(&format!("{pull} {options}")), status, parts);
    };
    check("", 64, &["error[ctl/usage]: ", "`--endpoint-bundle FILE` names them"]);
    check("--endpoint-bundle @/bundle.json", 1, &["error[endpoint/certificate]: "]);
    check("--endpoint-bundle @/b.json", 0, &["1 root of a.example, sequence 7: written"]);
}

/// An endpoint that serves its own bundle changes its root: a copy that was pulled in between works, an older one does not.
#[test]
fn the_newest_copy_verifies_the_endpoint() {
    let world = World::new();
    let (old, new) = (&world.domain, Domain::new("a.example"));
    let roots = [&old.root.cert, &new.root.cert];
    let both = bundle_of(&old.name, &roots, 8);
    let last = bundle_of(&old.name, &roots[1..], 9);
    // X509-SVIDs that an intermediate has signed, as SPIRE's may be.
    let svid = |domain: &Domain| {
        let profile = Profile::cluster(name("CN=Intermediate"));
        let above = domain.issue(&profile, world.shell.now);
        let below = Authority { cert: above.cert, key: above.key };
        let profile = Profile::workload(&domain.id("/bundles"));
        let leaf = Leaf::under(&below, &profile, world.shell.now);
        leaf.write(world.scratch(), "svid");
        world.scratch().write("svid.crt", leaf.cert.to_pem() + &below.cert.to_pem());
    };
    let serve = |bundle: &str, domain: &Domain| {
        world.scratch().write("bundle.json", bundle);
        svid(domain);
        world.serve("https_spiffe")
    };
    let pull = |serving: &Serving, out: &str, status: u8, parts: &[&str]| {
        let command = spiffe_pull(serving.address.port()).replace("a.json", out);
        let command = format!("{command} --bootstrap @/first.json");
        ended(&world.shell.run(&command), status, parts);
    };
    world.scratch().write("first.json", old.bundle(7));
    let first = serve(&old.bundle(7), old);
    pull(&first, "one.json", 0, &["sequence 7: written"]);
    pull(&first, "other.json", 0, &["sequence 7: written"]);
    drop(first);
    let second = serve(&both, old);
    pull(&second, "one.json", 0, &["2 roots of a.example, sequence 8: written"]);
    drop(second);
    let third = serve(&last, &new);
    pull(&third, "one.json", 0, &["1 root of a.example, sequence 9: written"]);
    pull(&third, "other.json", 1, &["error[endpoint/certificate]: ", "still has the copy"]);
    assert_eq!(world.scratch().read("one.json"), last);
    assert_eq!(world.scratch().read("other.json"), old.bundle(7));
}

/// Clients that say nothing fill the server; their time ends, and the next client gets its answer.
#[test]
fn silent_clients_lose_their_places() {
    let world = World::new();
    let serving = world.serve("https_web");
    let silent: Vec<TcpStream> =
        (0..256).map(|_| TcpStream::connect(serving.address).expect("a connection")).collect();
    assert_eq!(Talk::to(serving.address).get(), world.domain.bundle(7));
    // The address of the metrics has places of its own.
    assert!(serving.metrics().contains("meshctl_bundle_tls_errors_total "));
    drop(silent);
    // A head that never ends.
    let mut talk = Talk::to(serving.address);
    talk.send("GET / HTTP/1.1\r\nHost: x\r\n");
    assert!(talk.is_over());
}

/// What was printed says what is served, where and until when.
#[test]
fn the_announcement() {
    let world = World::new();
    let serving = world.serve("https_spiffe");
    let port = serving.address.port().to_string();
    let metrics = serving.metrics.port().to_string();
    let text = serving.announced.replace(&port, "PORT").replace(&metrics, "METRICS");
    let dates: Vec<&str> = text.lines().filter_map(|line| line.split(" until ").nth(1)).collect();
    let [root, leaf] = dates.as_slice() else { panic!("{text}") };
    let text = text.replace(root, "ROOT-END").replace(leaf, "LEAF-END");
    tests::cli::compare(
        "meshctl trust serve",
        &world.shell.mask(&text),
        r#"
        serving the bundle of a.example at https://127.0.0.1:PORT/ (https_spiffe)
          sequence 7, clients look again after 75 seconds
          sha256 [sha256]
          root CN = Root of a.example, until ROOT-END
          certificate of spiffe://a.example/bundles, until LEAF-END
        metrics at http://127.0.0.1:METRICS/metrics
    "#,
    );
}

/// Requests on connections of their own: the status and the body of each.
#[test]
fn what_a_request_gets() {
    let world = World::new();
    let serving = world.serve("https_web");
    let document = world.domain.bundle(7);
    let check = |request: &str, status: &str, expect: &str| {
        let mut talk = Talk::to(serving.address);
        talk.send(request);
        let (head, body) = talk.response(!request.starts_with("HEAD"));
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}\n{head}");
        assert_eq!(body, expect, "{request}");
        head
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    for path in ["/", "/any/path?query", "https://east.example/"] {
        let head = check(&get(path), "200", &document);
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
    }
    let head = check("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "200", "");
    assert!(head.contains(&format!("content-length: {}\r\n", document.len())), "{head}");
    let method = "405 Method Not Allowed\n";
    for request in [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let head = check(request, "405", method);
        assert!(head.contains("allow: get, head\r\n"), "{head}");
    }
    let body = "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n";
    check(body, "413", "413 Payload Too Large\n");
    let chunked = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(chunked, "413", "413 Payload Too Large\n");
    check(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), "431", "");
    check("nonsense\r\n\r\n", "400", "");
    // A client that does not speak TLS, and one that says nothing, do not keep others away.
    let silent = TcpStream::connect(serving.address).expect("a connection");
    let mut plain_http = TcpStream::connect(serving.address).expect("a connection");
    plain_http.write_all(get("/").as_bytes()).expect("an open connection");
    until("a handshake failed", || serving.counts("meshctl_bundle_tls_errors_total 1"));
    check(&get("/"), "200", &document);
    drop(silent);
    for line in ["{status=\"200\"} 5", "{status=\"405\"} 2", "{status=\"413\"} 2"] {
        assert!(serving.counts(&format!("meshctl_bundle_requests_total{line}")), "{line}");
    }
    let mut old = Talk::open(serving.address, &rustls::version::TLS12).expect("TLS 1.2");
    assert_eq!(old.get(), document);
}

/// Every metric, and what else its address answers.
#[test]
fn health_and_metrics() {
    let world = World::new();
    let serving = world.serve("https_web");
    assert!(serving.metrics.ip().is_loopback());
    assert!(plain(serving.metrics, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(plain(serving.metrics, "/").starts_with("HTTP/1.1 404 "));
    let _ = Talk::to(serving.address).get();
    let text = serving.metrics();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let end = world.domain.root.cert.not_after().time().expect("a time").0.to_string();
    assert!(
        body.contains(&format!("meshctl_bundle_earliest_root_expiry_timestamp_seconds {end}\n"))
    );
    let is_time = |line: &str| line.contains("_timestamp_seconds ");
    let masked: Vec<String> = body
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("connections "))
        .map(|line| match line.split_once(' ') {
            Some((name, _)) if is_time(line) => format!("{name} TIME"),
            _ => line.to_owned(),
        })
        .collect();
    tests::cli::compare(
        "/metrics",
        &masked.join("\n"),
        r#"
        meshctl_bundle_requests_total{status="200"} 1
        meshctl_bundle_tls_errors_total 0
        meshctl_bundle_http_errors_total 0
        meshctl_bundle_sequence 7
        meshctl_bundle_roots 1
        meshctl_bundle_earliest_root_expiry_timestamp_seconds TIME
        meshctl_bundle_certificate_expiry_timestamp_seconds TIME
        meshctl_bundle_reload_failures_total{file="bundle"} 0
        meshctl_bundle_reload_failures_total{file="certificate"} 0
        meshctl_bundle_reload_refused{file="bundle"} 0
        meshctl_bundle_reload_refused{file="certificate"} 0
        meshctl_bundle_last_reload_timestamp_seconds TIME
    "#,
    );
    let types = body.lines().filter(|line| line.starts_with("# TYPE ")).count();
    let helps = body.lines().filter(|line| line.starts_with("# HELP ")).count();
    assert_eq!((types, helps), (11, 11));
}

/// A set of files as Kubernetes mounts it: links to a folder, which is replaced by renaming one link.
fn mount(scratch: &Scratch, turn: u32, files: &[(&str, &str)]) {
    let folder = format!("mounted/..{turn}");
    for (name, content) in files {
        scratch.write_key(&format!("{folder}/{name}"), content);
        let link = scratch.join(format!("mounted/{name}"));
        let _ = symlink(format!("..data/{name}"), link);
    }
    symlink(format!("..{turn}"), scratch.join("mounted/..next")).expect("a link");
    let (next, data) = (scratch.join("mounted/..next"), scratch.join("mounted/..data"));
    fs::rename(next, data).expect("a link that is replaced");
}

/// New bundles and certificates are served to connections that were open before, and bad ones are not served.
#[test]
fn new_files_are_served_without_a_restart() {
    let world = World::new();
    let (scratch, domain) = (world.scratch(), &world.domain);
    let pem = |leaf: &Leaf| (leaf.cert.to_pem(), leaf.key.to_pem().as_str().to_owned());
    let [first, second] = [domain.svid("/bundles"), domain.svid("/bundles")];
    let mut turn = 0;
    let mut write = |bundle: &str, (cert, key): &(String, String)| {
        turn += 1;
        mount(scratch, turn, &[("bundle.json", bundle), ("tls.crt", cert), ("tls.key", key)]);
    };
    write(&domain.bundle(7), &pem(&first));
    let tls = "--tls-cert mounted/tls.crt --tls-key mounted/tls.key --profile https_spiffe";
    let args = format!("mounted/bundle.json --trust-domain a.example {tls}");
    let serving = Serving::start(MESHCTL, scratch, &args);
    let served = |sequence: u64| {
        // A connection that is open before the change.
        let mut open = Talk::to(serving.address);
        assert_eq!(open.peer(), first.cert);
        until("the new bundle is served", || open.get() == domain.bundle(sequence));
    };
    assert_eq!(Talk::to(serving.address).get(), domain.bundle(7));
    write(&domain.bundle(8), &pem(&first));
    served(8);
    // A bundle that is not one, an older one, one with other roots, and one whose roots do not vouch for the server.
    let other = Domain::new("a.example");
    let strange = [
        "{".to_owned(),
        domain.bundle(7),
        other.bundle(8),
        other.bundle(9),
        bundle_of(&domain.name, &[], 9),
    ];
    for (i, bundle) in strange.iter().enumerate() {
        write(bundle, &pem(&first));
        let failures = format!("meshctl_bundle_reload_failures_total{{file=\"bundle\"}} {}", i + 1);
        until("the bundle is refused", || serving.counts(&failures));
        assert!(serving.counts("meshctl_bundle_reload_refused{file=\"bundle\"} 1"));
        assert_eq!(Talk::to(serving.address).get(), domain.bundle(8));
    }
    write(&domain.bundle(9), &pem(&first));
    served(9);
    assert!(serving.counts("meshctl_bundle_reload_refused{file=\"bundle\"} 0"));
    // A certificate with another key, then a good one, while a connection stays open.
    let mut open = Talk::to(serving.address);
    write(&domain.bundle(9), &(pem(&second).0, pem(&first).1));
    let failures = "meshctl_bundle_reload_failures_total{file=\"certificate\"} 1";
    until("the certificate is refused", || {
        assert_eq!(open.get(), domain.bundle(9));
        serving.counts(failures)
    });
    write(&domain.bundle(9), &pem(&second));
    until("the new certificate is shown", || {
        assert_eq!(open.get(), domain.bundle(9));
        Talk::to(serving.address).peer() == second.cert
    });
    // A new root with a new certificate under it, both at once.
    let both = bundle_of(&domain.name, &[&other.root.cert], 10);
    write(&both, &pem(&other.svid("/bundles")));
    until("both are taken over", || open.get() == both);
    assert!(serving.stop().success());
    let said = scratch.read("serve.err");
    for part in [
        "warning[pki/bundle]: ",
        "warning[ctl/bundle-older]: ",
        "warning[ctl/bundle-changed]: ",
        "warning[pki/untrusted]: ",
        "warning[ctl/bundle-empty]: ",
        "warning[pki/key-mismatch]: ",
        "it has sequence 7, and the bundle that is served is from sequence 8",
        "the previous bundle is still served",
        "new bundle: sequence 10, roots: 1",
        "new certificate of spiffe://a.example/bundles",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// A response that is running when SIGTERM comes arrives whole, and no new connection is accepted.
#[test]
fn a_signal_ends_it_in_order() {
    let world = World::new();
    let padded =
        world.domain.bundle(7).replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(900_000)), 1);
    world.scratch().write("bundle.json", &padded);
    let mut serving = world.serve("https_web");
    let mut talk = Talk::to(serving.address);
    talk.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    until("it has been asked", || {
        serving.counts("meshctl_bundle_requests_total{status=\"200\"} 1")
    });
    let mut idle = Talk::to(serving.address);
    serving.terminate();
    let (_, body) = talk.response(true);
    assert!(body == padded, "{} of {} bytes", body.len(), padded.len());
    assert!(talk.is_over() && idle.is_over());
    let address = serving.address;
    assert!(serving.stop().success());
    assert!(TcpStream::connect(address).is_err());
}

/// What is wrong with the files or the address, before anything is served.
#[test]
fn what_cannot_be_served() {
    let world = World::new();
    let (scratch, domain) = (world.scratch(), &world.domain);
    let check = |options: &str, parts: &[&str]| {
        let command =
            format!("trust serve --trust-domain a.example --listen 127.0.0.1:0 {options}");
        ended(&world.shell.run(&command), 1, parts);
    };
    let web = "--tls-cert @/web.crt --tls-key @/web.key";
    let svid = "--tls-cert @/svid.crt --tls-key @/svid.key --profile https_spiffe";
    scratch.write("empty.json", r#"{"keys": []}"#);
    check(&format!("@/none.json {web}"), &["error[ctl/io]: ", "there is no such file"]);
    check(&format!("@/web.pem {web}"), &["error[pki/bundle]: ", "trust bundle export"]);
    check(&format!("@/empty.json {web}"), &["error[ctl/bundle-empty]: ", "--allow-empty"]);
    check(&format!("@/empty.json --allow-empty {svid}"), &["error[pki/untrusted]: "]);
    check(
        "@/bundle.json --tls-cert @/web.crt --tls-key @/svid.key",
        &["error[pki/key-mismatch]: "],
    );
    check(
        "@/bundle.json --tls-cert @/web.crt --tls-key @/web.key --profile https_spiffe",
        &["error[pki/svid]: ", "`--profile https_web`"],
    );
    scratch.write("other.json", Domain::new("a.example").bundle(1));
    check(&format!("@/other.json {svid}"), &["error[pki/untrusted]: ", "other.json"]);
    let past = meshpki::Time(world.shell.now.0 - 30 * 24 * 3600);
    let profile = Profile::workload(&domain.id("/bundles"));
    domain.issue(&profile, past).write(scratch, "past");
    let expired = "--tls-cert @/past.crt --tls-key @/past.key --profile https_spiffe";
    check(&format!("@/bundle.json {expired}"), &["error[pki/untrusted]: ", "has expired"]);
    // TLS signs with no key of P-521.
    let odd = Authority::root(KeyType::EcdsaP521, "CN=localhost", |profile| {
        profile.key_usage = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::DIGITAL_SIGNATURE);
    });
    scratch.write("odd.crt", odd.cert.to_pem());
    scratch.write_key("odd.key", odd.key.to_pem().as_bytes());
    check("@/bundle.json --tls-cert @/odd.crt --tls-key @/odd.key", &["error[endpoint/key]: "]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let command = format!(
        "trust serve @/bundle.json --trust-domain a.example --listen 127.0.0.1:{port} {web}"
    );
    ended(&world.shell.run(&command), 1, &["error[endpoint/listen]: ", "port 0 is any free port"]);
    // A key that others may read is used, with a warning; here, nothing else is right.
    scratch.write("open.key", scratch.read("svid.key"));
    let open = "--tls-cert @/web.crt --tls-key @/open.key";
    check(&format!("@/bundle.json {open}"), &["warning[ctl/key-permissions]: ", "chmod 600"]);
}

/// Pulls again and again, keeps the copy over failures, and ends with SIGTERM.
#[test]
fn watch() {
    let world = World::new();
    let scratch = world.scratch();
    let serving = world.serve("https_web");
    let port = serving.address.port();
    let root = scratch.path().display().to_string();
    let command = format!("{} --watch --every 1s", web_pull(port)).replace('@', &root);
    let errors = fs::File::create(scratch.join("pull.err")).expect("a file");
    let mut child = Command::new(MESHCTL)
        .args(words(&command))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .expect("a program that starts");
    let has = |sequence: u64| {
        let found = fs::read_to_string(scratch.join("a.json")).unwrap_or_default();
        found == world.domain.bundle(sequence)
    };
    until("it pulls", || has(7));
    scratch.write("next.json", world.domain.bundle(8));
    fs::rename(scratch.join("next.json"), scratch.join("bundle.json")).expect("a rename");
    until("it pulls the next one", || has(8));
    assert!(serving.stop().success());
    until("it fails", || scratch.read("pull.err").contains("error[endpoint/unreachable]: "));
    assert!(has(8) && child.try_wait().expect("a status").is_none());
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a process"), rustix::process::Signal::TERM)
        .expect("a signal");
    assert!(child.wait().expect("a status").success());
    let said = scratch.read("pull.err");
    assert!(said.contains("still has the copy that was fetched before"), "{said}");
}

/// SPIRE 1.15.3 with go-spiffe 2.9.0, and SPIRE 1.13.3 with go-spiffe 2.6.0.
fn judges() -> impl Iterator<Item = Spiffe> {
    [spiffe, older_spiffe].into_iter().filter_map(|judge| judge())
}

/// The bundle as go-spiffe and SPIRE read it from our endpoint, in both profiles; not from one with another identity.
#[test]
fn spire_and_go_spiffe_fetch_from_us() {
    let world = World::new();
    let check = |profile: &str,
                 url: &dyn Fn(&Serving) -> String,
                 roots: &Domain,
                 ids: [&str; 2]| {
        let serving = world.serve(profile);
        let question = |roots: &Domain, id: &str| {
            let roots = [base64(roots.root.cert.as_der())];
            json!({"url": url(&serving), "roots": roots, "endpointId": id})
        };
        let questions = [question(roots, ids[0]), question(roots, ids[1])];
        let system = [("SSL_CERT_FILE", world.scratch().join("web.pem"))];
        let mut count = 0;
        for judge in judges() {
            let answers = judge.ask_with("fetch", &questions, &system);
            // SPIRE does not read sequence numbers.
            for (client, sequence) in [("goSpiffe", 7), ("spire", 0)] {
                count += 1;
                let roots = [base64(world.domain.root.cert.as_der())];
                let expect =
                    json!({"error": "", "roots": roots, "sequence": sequence, "refreshHint": 300});
                assert_eq!(answers[0][client], expect, "{profile} {client}");
                let error = answers[1][client]["error"].as_str().expect("an error");
                let expect = if profile == "https_web" { "no URI SAN" } else { "unexpected ID" };
                assert!(error.contains(expect), "{error}");
            }
        }
        assert!(
            count == 0
                || serving
                    .counts(&format!("meshctl_bundle_requests_total{{status=\"200\"}} {count}"))
        );
        assert!(serving.stop().success());
    };
    let id = "spiffe://a.example/bundles";
    let address = |serving: &Serving| format!("https://{}/", serving.address);
    check("https_spiffe", &address, &world.domain, [id, "spiffe://a.example/other"]);
    // Asked for the SPIFFE ID of a server that has none.
    check("https_web", &Serving::url, &world.web, ["", id]);
}

/// What we pull from the endpoints of SPIRE and of go-spiffe, in both profiles.
#[test]
fn we_pull_from_spire_and_go_spiffe() {
    let check = |judge: &Spiffe, profile: &str| {
        let world = World::new();
        let (leaf, pull, first): (_, fn(u16) -> String, _) = match profile {
            "https_web" => (world.web_leaf(), web_pull, ""),
            _ => (world.domain.svid("/bundles"), spiffe_pull, "--bootstrap @/bundle.json"),
        };
        let question = json!({
            "document": base64(world.domain.bundle(7).as_bytes()),
            "roots": [base64(leaf.cert.as_der())],
            "key": base64(leaf.key.as_pkcs8()),
        });
        let (answer, _serving) = judge.start("serve", &question);
        assert_eq!(answer["error"], "", "{answer}");
        let bundle =
            |text: &str| Bundle::from_json(world.domain.name.clone(), text.as_bytes()).ok();
        for server in ["spire", "goSpiffe"] {
            let port = port(&answer, server);
            let ran = world.shell.run(&format!("{} {first}", pull(port)));
            ended(&ran, 0, &["1 root of a.example, sequence 7"]);
            let found = bundle(&world.scratch().read("a.json"));
            assert_eq!(found, bundle(&world.domain.bundle(7)), "{server}");
            fs::remove_file(world.scratch().join("a.json")).expect("a file");
        }
    };
    for judge in judges() {
        check(&judge, "https_web");
        check(&judge, "https_spiffe");
    }
}

fn port(answer: &Value, server: &str) -> u16 {
    let address = answer[server].as_str().expect("an address");
    address.rsplit(':').next().expect("a port").parse().expect("a number")
}

/// Base64 as Go has it in JSON.
fn base64(bytes: &[u8]) -> String {
    let pem = meshpki::internals::pem::encode("X", bytes);
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}
