//! `meshctl ca cross-sign`: what it writes, what it refuses, and who is accepted then.

use meshpki::istiod::{Dataplane, Version};
use meshpki::{Cert, Issuer, KeyType, Profile, Serial, SoftKey, Stamp, cacerts, issue};
use tests::judges::openssl::openssl;
use tests::{NOW, Shell};

/// Two meshes, each with a root of its own.
fn two() -> Shell {
    let shell = Shell::new();
    for (name, title) in [("east", "East"), ("west", "West")] {
        shell.good(&format!(
            "ca init @/{name}-ca --cluster {name} --plain-root-key --root-subject 'CN={title} Root'"
        ));
    }
    shell
}

/// The same; west sends what east has made of its root.
fn bridged() -> Shell {
    let shell = two();
    shell.good(
        "ca cross-sign --ca @/east-ca --root @/west-ca/root-cert.pem --out @/bridge.pem --yes",
    );
    let chain =
        "ca chain --leaf @/west-ca/west/ca-cert.pem @/west-ca/west/ca-cert.pem @/bridge.pem";
    shell.good(&format!("{chain} --out @/west-ca/west/cert-chain.pem"));
    shell
}

fn certs(shell: &Shell, file: &str) -> Vec<Cert> {
    cacerts::certs(file, shell.scratch.read(file).as_bytes()).expect("certificates")
}

/// A workload's certificate under the CA of a mesh.
fn workload(shell: &Shell, mesh: &str, domain: &str) -> Cert {
    let file = |name: &str| shell.scratch.read(&format!("{mesh}-ca/{mesh}/{name}"));
    let key = SoftKey::from_pem(file("ca-key.pem").as_bytes(), None).expect("a key");
    let ca = &certs(shell, &format!("{mesh}-ca/{mesh}/ca-cert.pem"))[0];
    let id = domain.parse::<meshpki::TrustDomain>().unwrap().workload("shop", "web").unwrap();
    let own = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
    let stamp = Stamp::made_at(NOW, Serial::from_random([9; 20]));
    let issuer = Issuer { cert: ca, signer: &key };
    issue(&Profile::workload(&id), meshpki::Signer::public_key(&own), issuer, stamp).expect("one")
}

/// West's workloads are accepted where east's root is trusted, by OpenSSL itself and by the models of the proxies.
#[test]
fn who_accepts_whom() {
    let shell = two();
    let sign = "ca cross-sign --ca @/east-ca --root @/west-ca/root-cert.pem --yes";
    shell.good(&format!("{sign} --out @/any.pem"));
    shell.good(&format!("{sign} --out @/one.pem --constrain west.example"));
    shell.good("ca csr @/west-ca --cluster other --subject 'CN=Other'");
    let check = |bridge: &str, domain: &str, expect: [bool; 3]| {
        let leaf = workload(&shell, "west", domain);
        let sent = [certs(&shell, "west-ca/west/ca-cert.pem"), certs(&shell, bridge)].concat();
        let text: String = sent.iter().map(Cert::to_pem).collect();
        shell.scratch.write("sent.pem", text);
        shell.scratch.write("leaf.pem", leaf.to_pem());
        if let Some(openssl) = openssl() {
            let answer = openssl.run(
                &shell.scratch,
                &format!(
                    "verify -attime {} -CAfile east-ca/root-cert.pem -untrusted sent.pem leaf.pem",
                    NOW.0
                ),
            );
            assert_eq!(answer.good, expect[0], "{bridge} {domain}: {}{}", answer.out, answer.err);
        }
        let roots = certs(&shell, "east-ca/root-cert.pem");
        let [envoy, both] =
            [false, true].map(|ambient| Dataplane::new(&roots, None, Version::NEWEST, ambient));
        let accepts = |proxies: &Dataplane| proxies.refuses(&leaf, &sent, NOW).is_none();
        assert_eq!([accepts(&envoy), accepts(&both)], expect[1..], "{bridge} {domain}");
    };
    check("any.pem", "west.example", [true, true, true]);
    check("any.pem", "east.example", [true, true, true]);
    check("one.pem", "west.example", [true, true, false]);
    check("one.pem", "east.example", [false, false, false]);
}

/// The clusters of the other mesh send it, `check` sees who is accepted, and a renewed CA sends it, too.
#[test]
fn sent_and_kept() {
    let shell = bridged();
    let said = |shell: &Shell| {
        let ran = shell.run("check @/west-ca @/east-ca");
        let lines = ran.out.lines().filter(|line| line.contains("does not accept"));
        lines.map(|line| line.split(" (sha256").next().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    let one_way = ["  evidence: west does not accept `Mesh CA east`"];
    assert_eq!(said(&shell), one_way);
    shell.good("ca renew @/west-ca --cluster west");
    assert_eq!(certs(&shell, "west-ca/west/cert-chain.pem").len(), 3);
    assert_eq!(said(&shell), one_way);
    // Both ways: each keeps its own roots, as it should.
    shell
        .good("ca cross-sign --ca @/west-ca --root @/east-ca/root-cert.pem --out @/back.pem --yes");
    let (ca, chain) = ("@/east-ca/east/ca-cert.pem", "@/east-ca/east/cert-chain.pem");
    shell.good(&format!("ca chain --leaf {ca} {ca} @/back.pem --out {chain}"));
    let both = shell.good("check @/west-ca @/east-ca");
    assert!(both.contains("0 errors, 0 warnings"), "{both}");
}

/// Only the other mesh can renew a bridge, and without it its calls fail: `check` does not propose to remove it.
#[test]
fn ends_soon() {
    let shell = bridged();
    let said = |at: &str| shell.good(&format!("check @/west-ca --at {at}"));
    assert!(said("2026-12-01").contains("0 errors, 0 warnings"));
    for (at, when) in [("2027-02-01", "expires 2027-02-19"), ("2027-03-01", "expired 2027-02-19")] {
        let said = said(at);
        for part in [
            "warning[istiod/expires-soon]: west: another mesh accepts the cluster for less than 30 days",
            when,
            "whoever trusts `East Root` rejects its workloads once that certificate has expired",
            "fix: have the owner of `East Root` cross-sign the root again, and send the new certificate",
            "0 errors, 1 warning",
        ] {
            assert!(said.contains(part), "{at}: `{part}` is not in\n{said}");
        }
    }
}

/// The file is replaced by a later certificate for the same root, and by nothing else.
#[test]
fn written_and_renewed() {
    let mut shell = two();
    let sign = "ca cross-sign --ca @/east-ca --root @/west-ca/root-cert.pem --out @/bridge.pem";
    shell.good(&format!("{sign} --yes"));
    let first = shell.scratch.read("bridge.pem");
    let said = shell.good(&format!("{sign} --within 30d --yes"));
    assert!(said.contains("nothing to do: valid until 2027-02-19"), "{said}");
    assert_eq!(shell.scratch.read("bridge.pem"), first);
    shell.now = meshpki::Time(NOW.0 + 70 * 86_400);
    let said = shell.good(&format!("{sign} --within 30d --yes"));
    assert!(said.contains("`West Root` under `East Root`, until 2027-04-30"), "{said}");
    assert_ne!(shell.scratch.read("bridge.pem"), first);
    shell.check(
        "ca cross-sign --ca @/west-ca --root @/east-ca/root-cert.pem --out @/bridge.pem --yes",
        r#"
        exit 1
        --- stderr
        error[ctl/exists]: `@/bridge.pem` is not an earlier certificate of this root under yours, and is not overwritten

        hint: choose another file, or move that one away first
    "#,
    );
}

#[test]
fn refused() {
    let shell = two();
    let check = |command: &str, exit: i32, parts: &[&str]| {
        let ran = shell.run(&format!("ca cross-sign --ca @/east-ca --out @/new.pem {command}"));
        assert_eq!(i32::from(ran.status), exit, "{command}: {}{}", ran.out, ran.err);
        for part in parts {
            assert!(ran.err.contains(part), "{command}: `{part}` is not in {}", ran.err);
        }
        assert!(!shell.scratch.join("new.pem").exists(), "{command}");
    };
    check("--root @/west-ca/root-cert.pem", 64, &["`--yes` signs without asking"]);
    check("--root @/east-ca/root-cert.pem --yes", 1, &["error[pki/key-reused]"]);
    check(
        "--root @/west-ca/west/ca-cert.pem --yes",
        1,
        &["error[pki/not-root]: ", "it was issued by `West Root`", "west/ca-cert.pem"],
    );
    check("--root @/west-ca/west/cert-chain.pem --yes", 1, &["error[ctl/one-root]: ", "found 2"]);
    check("--root @/west-ca/root-cert.pem --path-len 0 --yes", 64, &["0 is not in 1.."]);
    check("--root @/nothing.pem --yes", 1, &["error[ctl/io]", "nothing.pem"]);
}

/// A request with the root's name and key does as well as its certificate.
#[test]
fn by_request() {
    let shell = two();
    let Some(openssl) = openssl() else { return };
    shell.scratch.write("conf", "[req]\ndistinguished_name = dn\n[dn]\n");
    openssl.good(
        &shell.scratch,
        "req -config conf -new -key west-ca/root-key.pem -subj '/CN=West Root' -out root.csr",
    );
    shell.good("ca cross-sign --ca @/east-ca --root @/root.csr --out @/bridge.pem --yes");
    openssl.verifies(
        &shell.scratch,
        "-CAfile east-ca/root-cert.pem -untrusted bridge.pem west-ca/west/ca-cert.pem",
    );
}
