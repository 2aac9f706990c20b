//! `meshctl trust pull` from servers that are wrong, slow, huge or not the ones they should be: nothing on disk changes, and the error
//! says what to do next.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use meshpki::x509::GeneralName;
use meshpki::{KeyType, Profile, Role, Time};
use tests::authority::{Authority, name};
use tests::cli::ended;
use tests::endpoint::{Asked, Domain, Hostile, Leaf, Stream, bundle_of, web_leaf};

use crate::MESHCTL;
use crate::trust_endpoint::{World, spiffe_pull, web_pull};

/// The first line of an answer with a document.
const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n";

/// Runs the command in the hint of an error, which has to work; returns what it prints.
fn follow_hint(err: &str) -> String {
    let hint = err.split("\nhint: `").nth(1).and_then(|rest| rest.split('`').next());
    let output = Command::new("sh")
        .args(["-c", hint.expect("a command in the hint")])
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{hint:?}\n{text}");
    text
}

/// Answers without a bundle: the code and words of each, and a stored copy that stays as it is.
#[test]
fn answers_that_are_not_a_bundle() {
    let world = World::new();
    let leaf = world.web_leaf();
    world.scratch().write("a.json", world.domain.bundle(6));
    let before = world.scratch().entries("");
    let kept = "`@/a.json` still has the copy that was fetched before";
    let check = |server: &Hostile, options: &str, parts: &[&str]| {
        let ran = world.shell.run(&format!("{} {options}", web_pull(server.port)));
        ended(&ran, 1, &[parts, &["\nhint: ", &format!("localhost:{}", server.port)]].concat());
        let is_fetched = ran.err.contains("error[pki/");
        assert_eq!(world.shell.mask(&ran.err).contains(kept), !is_fetched, "{}", ran.err);
        assert_eq!(world.scratch().entries(""), before, "{}", ran.err);
        ran.err
    };
    let sends = |text: &str, parts: &[&str]| check(&Hostile::sending(&leaf, text), "", parts);
    for status in
        ["500 Oops", "404 Not Found", "204 No Content", "206 Partial Content", "304 Not Modified"]
    {
        let expect = format!("answers with status {}, expected 200", &status[..3]);
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let server = Hostile::sending(&leaf, &text);
        let err = check(&server, "", &["error[endpoint/status]: ", &expect]);
        assert!(follow_hint(&err).contains(&status[..3]), "{status}");
    }
    let page = "<html>Log in</html>";
    let html =
        format!("{OK}Content-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}", page.len());
    let server = Hostile::sending(&leaf, &html);
    let err = check(&server, "", &["error[pki/bundle]: ", "text/html, expected application/json"]);
    assert!(follow_hint(&err).contains("Log in"));
    let large = "the response of https://localhost";
    sends(
        &format!("{OK}Content-Length: 2000000\r\n\r\n{}", " ".repeat(2_000_000)),
        &["error[endpoint/body]: ", large, "more than 1 MiB"],
    );
    sends(
        &format!("{OK}Content-Length: 99\r\n\r\n{{}}"),
        &["error[endpoint/body]: ", "end of file"],
    );
    sends(
        &format!("{OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        &["error[endpoint/http]: "],
    );
    sends(&format!("{OK}X: {}\r\n\r\n", "x".repeat(100_000)), &["error[endpoint/http]: "]);
    sends("SSH-2.0-OpenSSH_9.2\r\n", &["error[endpoint/http]: "]);
    sends("", &["error[endpoint/http]: "]);
    let endless = Hostile::start(Some(&leaf), |asked, stream| {
        let _ = stream.write_all(format!("{OK}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while !asked.is_over() && stream.write_all(chunk.as_bytes()).is_ok() {}
    });
    check(&endless, "", &["error[endpoint/body]: ", "more than 1 MiB"]);
}

/// Servers that take their time: the limit is for everything together.
#[test]
fn slow_servers() {
    let world = World::new();
    let leaf = world.web_leaf();
    let check = |server: &Hostile| {
        let ran = world.shell.run(&format!("{} --timeout 1s", web_pull(server.port)));
        let late = "did not deliver a bundle within 1 s";
        ended(&ran, 1, &["error[endpoint/timeout]: ", late, "`--timeout 1m` waits longer"]);
        assert!(!world.scratch().join("a.json").exists());
    };
    check(&Hostile::start(Some(&leaf), |asked, _| asked.wait()));
    check(&Hostile::start(Some(&leaf), |asked, stream| {
        let _ = stream.write_all(format!("{OK}Content-Length: 1000\r\n\r\n").as_bytes());
        while !asked.is_over() && stream.write_all(b" ").and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }));
    // Accepts connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let ran = world.shell.run(&format!("{} --timeout 1s", web_pull(port)));
    ended(&ran, 1, &["error[endpoint/timeout]: "]);
}

/// A redirect from `/` to here.
fn redirect(location: &str) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// Redirects lead to a bundle five times at most, and never away from the rules for URLs.
#[test]
fn redirects() {
    let world = World::new();
    let leaf = world.web_leaf();
    let document = world.domain.bundle(7);
    let length = document.len();
    let answer = format!("{OK}Content-Length: {length}\r\n\r\n{document}");
    // `/` leads to `/1`, that to `/2` and so on.
    let chain = |last: u32| {
        let answer = answer.clone();
        Hostile::start(Some(&leaf), move |asked: &Asked, stream: &mut dyn Stream| {
            let place: u32 = asked.path[1..].parse().unwrap_or(0);
            let next = [format!("/{}", place + 1), format!("{}?x", place + 1)];
            let text = if place == last {
                answer.clone()
            } else {
                redirect(&next[place as usize % 2].replace("?x", ""))
            };
            let _ = stream.write_all(text.as_bytes());
        })
    };
    ended(&world.shell.run(&web_pull(chain(5).port)), 0, &["sequence 7: written"]);
    let before = world.scratch().entries("");
    let check = |server: &Hostile, parts: &[&str]| {
        let ran = world.shell.run(&web_pull(server.port));
        ended(&ran, 1, &[&["error[endpoint/redirect]: "], parts].concat());
        assert!(!ran.err.contains("secret"), "{}", ran.err);
        assert_eq!(world.scratch().entries(""), before);
        ran.err
    };
    check(&chain(6), &["/5 redirects", "more than 5 redirects"]);
    check(&chain(u32::MAX), &["more than 5 redirects"]);
    let to = |location: &str, parts: &[&str]| {
        let server = Hostile::sending(&leaf, &redirect(location));
        let err = check(&server, parts);
        assert!(follow_hint(&err).contains("302"));
    };
    to("http://localhost/", &["it does not begin with `https://`"]);
    to("file:///etc/passwd", &["it does not begin with `https://`"]);
    to("https://me:secret@localhost/", &["it contains a user name or a password"]);
    to("https://", &["it has no host"]);
    let nowhere = "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Hostile::sending(&leaf, nowhere);
    check(&server, &["no valid header `Location`"]);
    // Another server, with a certificate that is not for its name.
    let other = world.web.issue(&web_leaf("elsewhere.example"), world.shell.now);
    let target = Hostile::with_document(&other, &document);
    let location = format!("https://localhost:{}/", target.port);
    let ran = world.shell.run(&web_pull(Hostile::sending(&leaf, &redirect(&location)).port));
    ended(&ran, 1, &["error[endpoint/certificate]: ", &location]);
}

/// With `https_spiffe`, whoever a redirect leads to must have the same SPIFFE ID.
#[test]
fn redirects_keep_the_identity() {
    let world = World::new();
    let leaf = world.domain.svid("/bundles");
    let check = |target: &Leaf, status: u8, parts: &[&str]| {
        let target = Hostile::with_document(target, &world.domain.bundle(7));
        let location = format!("https://127.0.0.1:{}/x", target.port);
        let first = Hostile::sending(&leaf, &redirect(&location));
        let pull = format!("{} --bootstrap @/bundle.json", spiffe_pull(first.port));
        ended(&world.shell.run(&pull), status, parts);
    };
    let other = world.domain.svid("/other");
    check(&other, 1, &["error[endpoint/certificate]: ", "`spiffe://a.example/other` is not among"]);
    check(&world.domain.svid("/bundles"), 0, &["sequence 7: written"]);
}

/// Certificates that must not be accepted, in both profiles, with the reason.
#[test]
fn certificates_that_are_not_accepted() {
    let world = World::new();
    let (domain, now) = (&world.domain, world.shell.now);
    let check = |leaf: &Leaf, pull: fn(u16) -> String, reason: &str| {
        let server = Hostile::with_document(leaf, &domain.bundle(7));
        let first = if pull(1).contains("https_spiffe") { "--bootstrap @/bundle.json" } else { "" };
        let ran = world.shell.run(&format!("{} {first}", pull(server.port)));
        ended(&ran, 1, &["error[endpoint/certificate]: ", reason]);
        assert!(!world.scratch().join("a.json").exists(), "{reason}");
        let shown = follow_hint(&ran.err);
        assert!(shown.contains("BEGIN CERTIFICATE"), "{shown}");
    };
    let past = Time(now.0 - 30 * 24 * 3600);
    let future = Time(now.0 + 30 * 24 * 3600);
    let web = |leaf: &Leaf, reason| check(leaf, web_pull, reason);
    let stranger = Domain::new("stranger.example");
    web(&world.web.issue(&web_leaf("a.example"), now), "not valid for name \"localhost\"");
    web(&world.web.issue(&web_leaf("localhost"), past), "it has expired, at ");
    web(&world.web.issue(&web_leaf("localhost"), future), "it is not yet valid, before ");
    web(&stranger.issue(&web_leaf("localhost"), now), "no root that is trusted vouches for it");
    web(&world.web.issue(&web_leaf("*.localhost"), now), "not valid for name");
    let subject = "CN=Root of web.example";
    let namesake = Authority::root(KeyType::Ed25519, subject, |_| {}).cert.to_pem();
    let roots = world.scratch().read("web.pem");
    world.scratch().write("web.pem", namesake);
    web(&world.web_leaf(), "the name of its issuer has a key of another kind");
    world.scratch().write("web.pem", roots);
    let spiffe = |leaf: &Leaf, reason| check(leaf, spiffe_pull, reason);
    let workload = Profile::workload(&domain.id("/bundles"));
    spiffe(&domain.svid("/other"), "`spiffe://a.example/other` is not among the accepted");
    spiffe(&domain.svid("/bundles/x"), "is not among the accepted identities");
    spiffe(&Domain::new("a.example").svid("/bundles"), "no root that is trusted vouches for it");
    spiffe(&stranger.svid("/bundles"), "no roots for the trust domain of `spiffe://stranger");
    spiffe(&domain.issue(&workload, past), "it has expired, at ");
    spiffe(&domain.issue(&workload, future), "it is not yet valid, before ");
    spiffe(&domain.issue(&web_leaf("localhost"), now), "not a valid X509-SVID: ");
    let changed = |change: &dyn Fn(&mut Profile)| {
        let mut profile = workload.clone();
        change(&mut profile);
        domain.issue(&profile, now)
    };
    let second = GeneralName::Uri(b"spiffe://a.example/second".to_vec());
    let names = |profile: &mut Profile| profile.subject_alt_names.push(second.clone());
    spiffe(&changed(&names), "not a valid X509-SVID: ");
    let ca = |profile: &mut Profile| {
        profile.role = Role::Ca { path_len: None };
        profile.subject = name("CN=CA");
    };
    spiffe(&changed(&ca), "not a valid X509-SVID: ");
    let client_only =
        |profile: &mut Profile| profile.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH];
    spiffe(&changed(&client_only), "not a valid X509-SVID: ");
}

/// What answers speaks no TLS, or nothing answers.
#[test]
fn no_connection() {
    let world = World::new();
    let plain = Hostile::start(None, |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let ran = world.shell.run(&web_pull(plain.port));
    ended(&ran, 1, &["error[endpoint/tls]: ", "does not speak TLS", "openssl s_client"]);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let ran = world.shell.run(&web_pull(port));
    ended(
        &ran,
        1,
        &["error[endpoint/unreachable]: ", "Connection refused", "check the host and the port"],
    );
    world.scratch().write("none.pem", "");
    let pull = web_pull(port).replace("@/web.pem", "@/none.pem");
    ended(&world.shell.run(&pull), 1, &["error[pki/no-certificate]: "]);
    // The system's roots, of which there are none.
    scratch_without_roots(&world, port);
}

/// A process whose system has no roots.
fn scratch_without_roots(world: &World, port: u16) {
    let root = world.scratch().path().display().to_string();
    let pull = web_pull(port).replace("--web-roots @/web.pem ", "").replace('@', &root);
    let output = Command::new(MESHCTL)
        .args(tests::cli::words(&pull))
        .env("SSL_CERT_FILE", world.scratch().join("absent.pem"))
        .env("SSL_CERT_DIR", world.scratch().join("absent"))
        .stdin(Stdio::null())
        .output()
        .expect("meshctl runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    for part in ["error[endpoint/roots]: ", "`--web-roots FILE` names a file with roots"] {
        assert!(err.contains(part), "{err}");
    }
}

/// Bundles that are valid and must not take the place of the stored one, and the options that accept them.
#[test]
fn bundles_that_are_refused() {
    let world = World::new();
    let leaf = world.web_leaf();
    let domain = &world.domain;
    let other = Domain::new("a.example");
    world.scratch().write("a.json", domain.bundle(7));
    let check = |document: &str, accept: &str, parts: &[&str]| {
        let server = Hostile::with_document(&leaf, document);
        let before = world.scratch().entries("");
        for check in ["", "--check"] {
            let ran = world.shell.run(&format!("{} {check}", web_pull(server.port)));
            ended(
                &ran,
                2,
                &[parts, &[&format!("in: https://localhost:{}/", server.port), accept]].concat(),
            );
            assert_eq!(world.scratch().entries(""), before, "{}", ran.err);
        }
        let taken = world.shell.run(&format!("{} {accept}", web_pull(server.port)));
        ended(&taken, 0, &["written"]);
        assert_eq!(world.scratch().read("a.json"), document);
        world.scratch().write("a.json", domain.bundle(7));
    };
    let older = ["error[ctl/bundle-older]: ", "it has sequence 6, and `"];
    check(&domain.bundle(6), "--accept-older", &older);
    let numberless = bundle_of(&domain.name, &[&domain.root.cert], 0);
    check(
        &numberless,
        "--accept-older",
        &["error[ctl/bundle-older]: ", "it has no sequence number"],
    );
    let changed = ["error[ctl/bundle-changed]: ", "both have sequence 7"];
    check(&other.bundle(7), "--accept-older", &changed);
    let both = bundle_of(&domain.name, &[&domain.root.cert, &other.root.cert], 7);
    check(&both, "--accept-older", &changed);
    let empty = ["error[ctl/bundle-empty]: ", "revoked everything"];
    check(&bundle_of(&domain.name, &[], 8), "--allow-empty", &empty);
}

/// The files of a pull are not those of another trust domain, nor anything else.
#[test]
fn files_that_are_not_replaced() {
    let world = World::new();
    let leaf = world.web_leaf();
    let server = Hostile::with_document(&leaf, &world.domain.bundle(7));
    let check = |command: &str, status: u8, parts: &[&str]| {
        let before = world.scratch().entries("");
        ended(&world.shell.run(command), status, parts);
        assert_eq!(world.scratch().entries(""), before);
    };
    let pull = web_pull(server.port);
    world.scratch().write("a.json", "notes\n");
    check(&pull, 1, &["error[ctl/exists]: ", "is not a SPIFFE bundle and is not overwritten"]);
    std::fs::remove_file(world.scratch().join("a.json")).expect("a file");
    world.scratch().write("a.json.state", "notes\n");
    check(&pull, 1, &["error[ctl/exists]: ", "a.json.state"]);
    std::fs::remove_file(world.scratch().join("a.json.state")).expect("a file");
    ended(&world.shell.run(&pull), 0, &["written"]);
    let other = pull.replace("a.example", "b.example");
    check(&other, 2, &["error[ctl/bundle-domain]: ", "another trust domain, a.example"]);
}

/// Options that do not go together, and URLs that are not valid; the user part of a URL is never shown.
#[test]
fn usage() {
    let world = World::new();
    let check = |command: &str, parts: &[&str]| {
        ended(&world.shell.run(command), 64, parts);
    };
    let (web, spiffe) = (web_pull(1), spiffe_pull(1));
    check(
        &format!("{web} --bootstrap @/bundle.json"),
        &["`--bootstrap` is only for `--profile https_spiffe`"],
    );
    check(&format!("{web} --endpoint-id spiffe://a.example/x"), &["`--endpoint-id` is only for"]);
    check(
        &format!("{spiffe} --web-roots @/web.pem"),
        &["`--web-roots` is only for `--profile https_web`"],
    );
    let id = "--endpoint-id spiffe://a.example/bundles";
    check(&spiffe.replace(id, ""), &["`--profile https_spiffe` needs `--endpoint-id`"]);
    check(&spiffe.replace(id, "--endpoint-id spiffe://a.example"), &["has no path"]);
    check(
        &format!("{spiffe} --endpoint-bundle @/bundle.json"),
        &["for an endpoint of another trust domain"],
    );
    check(&format!("{web} --check --watch"), &["cannot be used with"]);
    check(&format!("{web} --every 1m"), &["--watch"]);
    check(&web.replace("@/a.json", "-"), &["`--out` is a file"]);
    let insecure = web.replace("https://", "http://");
    check(&insecure, &["error[endpoint/url]: ", "it does not begin with `https://`"]);
    let ran = world.shell.run(&spiffe);
    ended(&ran, 1, &["error[ctl/no-bootstrap]: ", "`--bootstrap FILE` names it"]);
    let output = Command::new(MESHCTL)
        .args([
            "trust",
            "pull",
            "--url",
            "https://me:secret@a.example/",
            "--trust-domain",
            "a.example",
        ])
        .args(["--profile", "https_web", "--out", "/nonexistent/a.json"])
        .stdin(Stdio::null())
        .output()
        .expect("meshctl runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{err}");
    assert!(
        err.contains("it contains a user name or a password") && !err.contains("secret"),
        "{err}"
    );
}
