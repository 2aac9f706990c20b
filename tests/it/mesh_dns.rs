//! The Corefiles of `meshctl mesh dns`, loaded by a real CoreDNS, which answers.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use tests::cli::Shell;
use tests::dns;
use tests::rig::process::{Plan, Process};
use tests::rig::{ports, rig};

const NAME: &str = "reviews.default.svc.cluster2.global";
/// What a user has: a zone of their own, and one for everything else.
const MINE: &str = "# mine\nexample.com:53 {\n    hosts {\n        192.0.2.7 www.example.com\n    }\n}\n.:53 {\n    errors\n}\n";

/// A CoreDNS with a Corefile whose port 53 is a free one.
fn start(coredns: &Path, shell: &Shell, name: &str, corefile: &str) -> (Process, u16) {
    let port = ports::free();
    shell.scratch.write(&format!("{name}/Corefile"), corefile.replace(":53", &format!(":{port}")));
    let folder = shell.scratch.join(name);
    (Plan::new(coredns, &folder).arg("-conf").arg("Corefile").start(), port)
}

/// The IPv4 addresses a server has for a name, asked until it answers.
fn addresses(server: &Process, port: u16, name: &str) -> Vec<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(250))).expect("a time");
    for _ in 0..80 {
        match dns::ask(&socket, ("127.0.0.1", port), name) {
            Ok(addresses) => return addresses,
            // It is not up yet.
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    panic!("no answer from CoreDNS: {}", server.tail());
}

#[test]
fn coredns_answers_for_remote_names() {
    let Some(binaries) = rig() else { return };
    let coredns = binaries.path("coredns");
    let shell = Shell::new();
    let fixture = include_str!("../../fixtures/mesh/seed2-current/mesh.yaml");
    let way = |name: &str, way: &str| {
        let line = "- name: cluster1\n";
        let spec = fixture.replacen(line, &format!("{line}  dns: {way}\n"), 1);
        shell.scratch.write(&format!("{name}.yaml"), spec);
        shell.scratch.write("Corefile", MINE);
        shell.good(&format!("mesh dns -f @/{name}.yaml --cluster cluster1 @/Corefile"))
    };
    let hosts = way("hosts", "{way: hosts}");
    let lock = shell.scratch.read("mesh.lock");
    let line = lock.lines().find_map(|line| line.strip_prefix(NAME)).expect("a line");
    let expect = vec![line.trim().to_owned()];
    let check = |server: &(Process, u16)| {
        assert_eq!(addresses(&server.0, server.1, NAME), expect, "{}", server.0.log());
        // What the user has is served as before.
        assert_eq!(addresses(&server.0, server.1, "www.example.com"), ["192.0.2.7"]);
    };
    let knows = start(coredns, &shell, "knows", &hosts);
    check(&knows);
    // One that asks it, as CoreDNS asks istio-coredns.
    let forward = way("forward", "{way: istio-coredns, address: 127.0.0.1}");
    assert!(forward.contains("forward . 127.0.0.1:53\n"), "{forward}");
    let forward = forward.replace("127.0.0.1:53", &format!("127.0.0.1:{}", knows.1));
    check(&start(coredns, &shell, "asks", &forward));
    // Taken out, it is the user's again, and nobody answers.
    shell.scratch.write("Corefile", &hosts);
    let without = shell.good("mesh dns -f @/hosts.yaml --cluster cluster1 --remove @/Corefile");
    assert_eq!(without, MINE);
    let (server, port) = start(coredns, &shell, "without", &without);
    assert!(addresses(&server, port, NAME).is_empty());
}
