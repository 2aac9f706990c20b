//! `meshctl ca revoke` and `ca crl`: what is kept, what is signed, and what OpenSSL, istiod's rules in Go, BoringSSL and
//! a real Envoy make of it.

mod installed;

use std::process::Command;
use std::time::Duration;

use meshpki::internals::{der, pem};
use meshpki::istiod::{Secret, Version};
use meshpki::x509::KeyUsage;
use meshpki::{
    CaCerts, Crl, CrlStamp, Issuer, KeyType, Profile, PublicKey, Revocation, RevocationReason,
    Serial, Stamp, Time, TrustDomain, issue, issue_crl,
};
use tests::authority::{Authority, resigned};
use tests::cli::ended;
use tests::forge;
use tests::judges::{istiod, openssl};
use tests::rig::envoy::Envoy;
use tests::verifiers::Verifier;
use tests::verifiers::envoy::ENVOY;
use tests::world::Pki;
use tests::{NOW, Shell};

/// The key of workloads.
const LEAF: &str = "p256-3";

fn shell(options: &str) -> Shell {
    let shell = Shell::new();
    shell.good(&format!("ca init @/ca --cluster east,west --plain-root-key {options}"));
    shell
}

/// The set in a folder.
fn set(shell: &Shell, folder: &str) -> CaCerts {
    let entries = shell.scratch.entries(folder).into_iter();
    let secret: Secret =
        entries.filter_map(|(name, entry)| entry.content.map(|content| (name, content))).collect();
    CaCerts::from_secret(&secret, Version::NEWEST, shell.now).expect("a set")
}

/// The folder in `previous/` of the only CA that was replaced.
fn earlier(shell: &Shell) -> String {
    let entries = shell.scratch.entries("ca/previous");
    let folder = entries.keys().find(|name| name.ends_with('/')).expect("a set");
    format!("ca/previous/{}", folder.trim_end_matches('/'))
}

fn crls(shell: &Shell, cluster: &str) -> Vec<Crl> {
    let text = shell.scratch.read(&format!("ca/{cluster}/ca-crl.pem"));
    let blocks = pem::decode(text.as_bytes()).into_iter();
    blocks.map(|block| Crl::from_der(&block.expect("PEM").der).expect("a CRL")).collect()
}

/// A workload's certificate below a set, shown to the proxies of `peer`.
fn pki(name: &str, shell: &Shell, signer: &str, peer: &str) -> Pki {
    let set = set(shell, signer);
    let id = "cluster.local".parse::<TrustDomain>().unwrap().workload("shop", "web").unwrap();
    let key = PublicKey::from_der(forge::spki(forge::key(LEAF))).expect("a key");
    let issuer = Issuer { cert: set.ca(), signer: set.signer() };
    let stamp = Stamp::made_at(shell.now, Serial::from_random([7; 20]));
    let leaf = issue(&Profile::workload(&id), &key, issuer, stamp).expect("a leaf");
    let der = |certs: &[meshpki::Cert]| certs.iter().map(|c| c.as_der().to_vec()).collect();
    Pki {
        name: name.to_owned(),
        at: shell.now,
        leaf: leaf.as_der().to_vec(),
        intermediates: der(set.chain()),
        roots: der(set.roots()),
        crls: if shell.scratch.join(format!("ca/{peer}/ca-crl.pem")).exists() {
            crls(shell, peer).iter().map(|crl| crl.as_der().to_vec()).collect()
        } else {
            Vec::new()
        },
    }
}

#[test]
fn a_cluster_is_revoked() {
    let mut shell = shell("");
    shell.check(
        "ca revoke @/ca --cluster east --reason CACompromise",
        r#"
        exit 0
        revoked `Mesh CA east`, serial [20 bytes], since 2026-11-21T07:00:00Z: CACompromise
        --- stderr
        warning[ctl/revokes-current]: `east` signs with a CA that is revoked
          in: @/ca/east
          because: once the CRLs are installed, proxies reject every workload of the cluster

        hint: `meshctl ca renew @/ca --cluster east` creates a new one
        added to revoked.txt

        next: meshctl ca crl @/ca
    "#,
    );
    shell.check(
        "ca crl @/ca",
        r#"
        exit 0
        Mesh Root CA [id], number 1795244400: 1 certificate revoked, until 2026-12-21T07:00:00Z
        Mesh CA east, number 1795244400: 0 certificates revoked, until 2026-12-21T07:00:00Z
        Mesh CA west, number 1795244400: 0 certificates revoked, until 2026-12-21T07:00:00Z
        --- stderr
        warning[ctl/revokes-current]: `east` signs with a CA that is revoked
          in: @/ca/east
          because: once the CRLs are installed, proxies reject every workload of the cluster

        hint: `meshctl ca renew @/ca --cluster east` creates a new one
        ca-crl.pem is in the folder of east, west

        next: meshctl rotate crl @/ca --context east=CONTEXT,west=CONTEXT
    "#,
    );
    // Once more, later, for another reason: what is kept stays.
    let list = shell.scratch.read("ca/revoked.txt");
    shell.now = NOW + Duration::from_secs(3600);
    shell.check(
        "ca revoke @/ca --cluster east",
        r#"
        exit 0
        `Mesh CA east`, serial [20 bytes], is already revoked, since 2026-11-21T07:00:00Z: CACompromise
    "#,
    );
    assert_eq!(shell.scratch.read("ca/revoked.txt"), list);
    let serial = set(&shell, "ca/east").ca().serial_hex();
    let key = set(&shell, "ca/east").roots()[0].public_key().fingerprint();
    let line = format!("{} {key} 2026-11-21T07:00:00Z CACompromise ", serial.replace(':', ""));
    assert!(list.lines().any(|found| found.starts_with(&line)), "{line}\n{list}");
    // The same certificate by its serial number, however it is typed.
    for typed in [serial.clone(), serial.to_uppercase(), format!("00{}", serial.replace(':', ""))] {
        ended(&shell.run(&format!("ca revoke @/ca --serial {typed}")), 0, &["already revoked"]);
    }
    assert_eq!(crls(&shell, "east"), crls(&shell, "west"));
    let of_root = &crls(&shell, "east")[0];
    assert_eq!(of_root.to_pem(), shell.scratch.read("ca/root-crl.pem"));
    assert_eq!(of_root.len(), 1);
    // Nothing is revoked any more.
    shell.check(
        "ca crl @/ca --clear",
        r#"
        exit 0
        Mesh Root CA [id], number 1795248000: 0 certificates revoked, until 2026-12-21T08:00:00Z
        Mesh CA east, number 1795248000: 0 certificates revoked, until 2026-12-21T08:00:00Z
        Mesh CA west, number 1795248000: 0 certificates revoked, until 2026-12-21T08:00:00Z
        --- stderr
        ca-crl.pem is in the folder of east, west

        next: meshctl rotate crl @/ca --context east=CONTEXT,west=CONTEXT
    "#,
    );
    assert!(crls(&shell, "west").iter().all(Crl::is_empty));
}

#[test]
fn an_earlier_ca_is_named_until_it_is_revoked() {
    let shell = shell("");
    let first = set(&shell, "ca/east").ca().serial_hex();
    let named = |is_named: bool| {
        shell.good("ca renew @/ca --cluster east");
        let ran = shell.run("ca revoke @/ca --cluster east");
        ended(&ran, 0, &["warning[ctl/revokes-current]"]);
        assert_eq!(
            ran.err.contains("the earlier CA of east is still valid"),
            is_named,
            "{}",
            ran.err
        );
        assert_eq!(ran.err.contains(&first), is_named, "{}", ran.err);
    };
    named(true);
    shell.good(&format!("ca revoke @/ca --serial {first}"));
    named(false);
}

#[test]
fn what_cannot_be_revoked() {
    let shell = shell("");
    shell.check(
        "ca revoke @/ca --serial 00:ff",
        r#"
        exit 1
        --- stderr
        error[ctl/not-revocable]: no CA in this folder has the serial number 00:ff
          in: @/ca
          because: east has [20 bytes], valid until 2027-11-21
          because: west has [20 bytes], valid until 2027-11-21

        hint: a certificate that is not in the folder is named by its file: `meshctl ca revoke @/ca --certificate FILE`
    "#,
    );
    let root = set(&shell, "ca/east").roots()[0].serial_hex();
    shell.check(
        &format!("ca revoke @/ca --serial {root}"),
        r#"
        exit 1
        --- stderr
        error[ctl/not-revocable]: `Mesh Root CA [id]` is a root, which no CRL can revoke
          in: @/ca
          because: it would have to sign the list that says so, and verifiers trust it by its place in root-cert.pem

        hint: give every cluster a new root: `meshctl rotate root plan NEW -f mesh.yaml`
    "#,
    );
    Authority::root(KeyType::EcdsaP256, "CN=Other", |_| {}).write_root(&shell.scratch, "other");
    shell.good("ca init @/other --cluster north");
    shell.check(
        "ca revoke @/ca --certificate @/other/north/ca-cert.pem",
        r#"
        exit 1
        --- stderr
        error[ctl/not-revocable]: `Mesh CA north` was issued by `Other`
          in: @/ca
          because: that CA is not in this folder, and only it can revoke what it issued

        hint: have its owner revoke serial [20 bytes]; then `meshctl ca crl @/ca --add FILE` takes the owner's CRL
    "#,
    );
    // A CA of another root, imported, with the serial number of east's.
    let east = set(&shell, "ca/east");
    let other = Authority::root(KeyType::EcdsaP256, "CN=Other", |_| {});
    let Authority { cert, key } = other.below(KeyType::EcdsaP256, "CN=Twin", |_| {});
    let cert = resigned(&cert, &other.key, |fields| {
        fields[1] = der::tlv(der::INTEGER, east.ca().serial());
    });
    let twin = Authority { cert, key };
    twin.write_set(&shell.scratch, "ca/twin", &[&other.cert], &[&other.cert]);
    shell.check(
        &format!("ca revoke @/ca --serial {}", east.ca().serial_hex()),
        r#"
        exit 1
        --- stderr
        error[ctl/not-revocable]: 2 CAs in this folder have the serial number [20 bytes]
          in: @/ca
          because: `Mesh CA east`, issued by `Mesh Root CA [id]`
          because: `Twin`, issued by `Other`

        hint: name the one that is meant by its file: `meshctl ca revoke @/ca --certificate FILE`
    "#,
    );
    std::fs::remove_dir_all(shell.scratch.join("ca/twin")).unwrap();
    for (command, status, part) in [
        ("ca revoke @/ca --serial xyz", 64, "`xyz` is not a serial number in hex"),
        ("ca revoke @/ca", 64, "--cluster <NAME>"),
        ("ca revoke @/ca --cluster south", 1, "error[ctl/no-cluster]: no cluster `south`"),
        ("ca revoke @/none --cluster east", 1, "error[ctl/no-root]"),
        (
            "ca revoke @/ca --cluster east --reason certificateHold",
            64,
            "`certificateHold` is not a valid reason",
        ),
        ("ca crl @/none", 1, "error[ctl/no-root]"),
    ] {
        ended(&shell.run(command), status, &[part]);
    }
    shell.scratch.write("ca/revoked.txt", "<<<<<<< HEAD\n");
    shell.check(
        "ca crl @/ca",
        r#"
        exit 1
        --- stderr
        error[ctl/revocations]: the list of revoked certificates cannot be read
          in: @/ca/revoked.txt
          because: line 1 is not a revoked certificate: it is a conflict marker of Git

        hint: a line is SERIAL KEY TIME REASON SUBJECT, as `meshctl ca revoke` writes it; after a merge, keep the lines of both sides
    "#,
    );
    assert!(!shell.scratch.join("ca/east/ca-crl.pem").exists());
}

#[test]
fn a_ca_that_may_not_sign_crls() {
    let shell = Shell::new();
    // As Istio's Makefile makes them.
    let usage = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::DIGITAL_SIGNATURE);
    let root = Authority::root(KeyType::EcdsaP256, "O=Istio, CN=Root CA", |p| p.key_usage = usage);
    root.write_root(&shell.scratch, "ca");
    shell.good("ca init @/ca --cluster east");
    shell.check(
        "ca crl @/ca",
        r#"
        exit 1
        --- stderr
        error[pki/issuer-may-not-sign-crls]: `Root CA` may not sign CRLs: its keyUsage is digitalSignature, keyCertSign and lacks cRLSign
          in: @/ca

        hint: nothing of this CA can be revoked; `meshctl ca init NEW --cluster NAME` creates a CA that may sign CRLs
    "#,
    );
}

#[test]
fn a_root_whose_key_is_elsewhere() {
    let shell = shell("");
    shell.good("ca crl @/ca --validity 90d");
    let key = shell.scratch.read("ca/root-key.pem");
    std::fs::remove_file(shell.scratch.join("ca/root-key.pem")).unwrap();
    let before = crls(&shell, "east");
    // The root's CRL is kept while it is current.
    shell.good("ca crl @/ca --validity 30d");
    let after = crls(&shell, "east");
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
    shell.good("ca revoke @/ca --cluster west --reason superseded");
    shell.check(
        "ca crl @/ca",
        r#"
        exit 1
        --- stderr
        error[ctl/crl-missing]: there is no current CRL of `Mesh Root CA [id]`
          in: @/ca
          because: the key that signs it is not in this folder
          because: the one that is here lacks a certificate of the list
          because: with a CRL, Envoy needs one for every CA of a chain

        hint: get it from whoever has the key, then `meshctl ca crl @/ca --add FILE`; where root-key.pem and root-cert.pem are, `meshctl ca crl` writes root-crl.pem, after revoked.txt and root-crl.pem of this folder have been copied there
    "#,
    );
    assert_eq!(crls(&shell, "east"), after);
    // Where the key is.
    for file in ["root-cert.pem", "revoked.txt", "root-crl.pem"] {
        let text = shell.scratch.read(&format!("ca/{file}"));
        shell.scratch.write(&format!("offline/{file}"), text);
    }
    shell.scratch.write_key("offline/root-key.pem", key);
    shell.good("ca crl @/offline");
    shell.good("ca crl @/ca --add @/offline/root-crl.pem");
    assert_eq!(crls(&shell, "east")[0].len(), 1);
}

#[test]
fn numbers_only_go_up() {
    let shell = shell("");
    let numbers = |shell: &Shell| -> Vec<u64> {
        crls(shell, "east").iter().map(|crl| crl.number_value().expect("a number")).collect()
    };
    shell.good("ca crl @/ca");
    let mut last = numbers(&shell);
    for at in ["2026-11-21T07:00:00Z", "2026-11-21T06:58:00Z", "2026-11-23T07:00:00Z"] {
        shell.good(&format!("ca crl @/ca --at {at}"));
        let next = numbers(&shell);
        assert!(next.iter().zip(&last).all(|(next, last)| next > last), "{next:?} {last:?}");
        last = next;
    }
    // Two at a time.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| shell.good("ca crl @/ca --wait --at 2026-11-21T07:00:00Z"));
        }
    });
    assert_eq!(numbers(&shell), last.iter().map(|last| last + 4).collect::<Vec<_>>());
}

#[test]
fn a_renewed_ca_has_its_crl() {
    let shell = shell("");
    let old = set(&shell, "ca/east").ca().clone();
    shell.good("ca crl @/ca --validity 20d");
    let ran = shell.run("ca renew @/ca --cluster east");
    let ca = format!("{}/ca", shell.scratch.path().display());
    ended(
        &ran,
        0,
        &[
            "the CRLs of east, west were made again, with those of the new CAs\n",
            &format!(
                "next: meshctl rotate crl {ca} --context east=CONTEXT,west=CONTEXT\nthen, a few minutes later: meshctl push {ca} --context east=CONTEXT\n"
            ),
        ],
    );
    let found = crls(&shell, "west");
    // The root, both CAs of east, and west.
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|crl| crl.end() == Some(NOW + Duration::from_secs(20 * 86_400))));
    shell.good("check @/ca");
    shell.good(&format!("ca revoke @/ca --serial {} --reason superseded", old.serial_hex()));
    shell.good("ca crl @/ca");
    shell.good("check @/ca");
    let text = shell.scratch.read("ca/east/ca-crl.pem");
    shell.scratch.write("ca/east/ca-crl.pem", old.to_pem() + &text);
    ended(
        &shell.run("ca crl @/ca"),
        1,
        &["error[ctl/exists]: the file contains more than CRLs and is not overwritten"],
    );
}

/// A further cluster, made or adopted: the others get the CRL of its CA before it is installed.
#[test]
fn a_further_cluster_has_its_crl() {
    let shell = shell("");
    let ca = format!("{}/ca", shell.scratch.path().display());
    // Without CRLs, there is nothing to make.
    let ran = shell.run("ca init @/ca --cluster north");
    assert!(ran.status == 0 && !ran.err.contains("CRL"), "{}{}", ran.out, ran.err);
    shell.good("ca crl @/ca --validity 20d");
    let next = |others: &str, new: &str| {
        format!(
            "next: meshctl rotate crl {ca} --context {others}\nthen, a few minutes later: meshctl push {ca} --context {new}=CONTEXT\n"
        )
    };
    let three = "east=CONTEXT,north=CONTEXT,west=CONTEXT";
    // `--wait`: a second run after a busy folder (`Shell::run`) would find the CA there, and say nothing of CRLs.
    let ran = shell.run("ca init @/ca --cluster south --cluster east --wait");
    let again = "the CRLs of east, north, south, west were made again, with those of the new CAs\n";
    ended(&ran, 0, &["south/ca-cert.pem: OK", again, &next(three, "south")]);
    assert_eq!(crls(&shell, "west").len(), 5, "the root and four clusters");
    assert_eq!(crls(&shell, "south"), crls(&shell, "west"));
    let end = Some(NOW + Duration::from_secs(20 * 86_400));
    assert!(crls(&shell, "west").iter().all(|crl| crl.end() == end));
    shell.good("check @/ca");
    // Nothing new, nothing made.
    let before = shell.scratch.entries("ca");
    shell.good("ca init @/ca --cluster south --cluster east");
    assert_eq!(shell.scratch.entries("ca"), before);

    // From the CSR of another cluster, whose certificate the root here signs.
    shell.good("ca csr @/ca --cluster far");
    shell.good("ca sign @/ca/far/ca.csr --ca @/ca --out @/signed --yes");
    let ran = shell
        .run("ca adopt @/ca --cluster far @/signed/ca-cert.pem @/ca/root-cert.pem --yes --wait");
    let four = "east=CONTEXT,north=CONTEXT,south=CONTEXT,west=CONTEXT";
    ended(&ran, 0, &["far/ca-cert.pem: OK", &next(four, "far")]);
    assert_eq!(crls(&shell, "far").len(), 6);
    assert_eq!(crls(&shell, "far"), crls(&shell, "west"));
    shell.good("check @/ca");

    // A CA whose root has no CRL here: it is adopted, and what is lacking is said.
    let other = Authority::root(KeyType::EcdsaP256, "CN=Other", |_| {});
    let below = other.below(KeyType::EcdsaP256, "CN=Mesh CA away", |_| {});
    below.write_set(&shell.scratch, "away", &[&other.cert], &[&other.cert]);
    let files = "@/away/ca-cert.pem @/away/ca-key.pem @/away/root-cert.pem";
    let adopt = format!("ca adopt @/ca --cluster away {files} --new-root --yes");
    let parts = [
        "away/ca-cert.pem: OK",
        "error[ctl/crl-missing]: there is no current CRL of `Other`",
        "because: the new CAs are in place; their CRLs are not",
        "--add FILE",
    ];
    ended(&shell.run(&adopt), 1, &parts);
    shell.scratch.write("other.pem", strange_crl(&other, NOW, 9, &[]).to_pem());
    shell.good("ca crl @/ca --add @/other.pem");
    assert_eq!(crls(&shell, "away").len(), 8, "seven CAs, and the other root");
}

/// A CRL of a CA that no folder here has, which revokes the serial numbers.
fn strange_crl(authority: &Authority, at: Time, days: u64, serials: &[u8]) -> Crl {
    let issuer = Issuer { cert: &authority.cert, signer: &authority.key };
    let stamp = CrlStamp::made_at(at, Duration::from_secs(days * 86_400), None);
    let revoked: Vec<Revocation> = serials
        .iter()
        .map(|serial| Revocation { serial: vec![*serial], at, reason: RevocationReason::default() })
        .collect();
    issue_crl(&revoked, issuer, stamp).expect("a CRL")
}

/// Proxies that a partner's workloads call need the CRLs of the partner's CAs, too; those of two CAs of one name are two.
#[test]
fn crls_of_others_are_kept() {
    let shell = shell("");
    let stranger = || Authority::root(KeyType::EcdsaP256, "CN=Stranger", |_| {});
    let (partner, namesake) = (stranger(), stranger());
    let older = strange_crl(&partner, NOW, 10, &[]);
    let newer = strange_crl(&partner, NOW + Duration::from_secs(60), 1, &[7]);
    let other = strange_crl(&namesake, NOW, 10, &[8]);
    let texts = [&older, &newer, &other].map(Crl::to_pem);
    shell.scratch.write("partner.pem", texts.concat());
    let added = shell.run("ca crl @/ca --add @/partner.pem");
    ended(&added, 0, &["Stranger, number 1795244460: 1 certificate revoked"]);
    for _ in 0..2 {
        for cluster in ["east", "west"] {
            let found = crls(&shell, cluster);
            assert_eq!(found.len(), 5, "{found:?}");
            assert!(found.contains(&newer) && found.contains(&other), "{found:?}");
        }
        shell.good("ca crl @/ca");
    }
    ended(
        &shell.run("ca crl @/ca --at 2026-11-23T07:00:00Z"),
        0,
        &[
            "warning[ctl/strays]: the CRL of `Stranger` was left out\n  in: ca-crl.pem\n  because: it has expired\n",
        ],
    );
    let found = crls(&shell, "east");
    assert!(found.len() == 4 && found.contains(&other), "{found:?}");
    // Also under the name of a CA of this folder, nothing takes the place of its own.
    let root = set(&shell, "ca/east").roots()[0].subject().to_string();
    let forger = Authority::root(KeyType::EcdsaP256, &root, |_| {});
    let forged = strange_crl(&forger, NOW, 10, &[]);
    shell.scratch.write("forged.pem", forged.to_pem());
    shell.good("ca crl @/ca --add @/forged.pem");
    assert!(crls(&shell, "east")[0].number_value() > other.number_value());
    // A CA whose folder was forgotten, and which is still valid.
    shell.good("ca renew @/ca --cluster east");
    std::fs::remove_dir_all(shell.scratch.join("ca/previous")).unwrap();
    let before = crls(&shell, "east");
    shell.good("ca crl @/ca");
    assert_eq!(crls(&shell, "east").len(), before.len());
}

/// The new CA is there, and says so, although the CRLs are not.
#[test]
fn a_renewal_whose_crls_cannot_be_made() {
    let shell = shell("");
    let other = Authority::root(KeyType::EcdsaP256, "CN=Other", |_| {});
    let north = other.below(KeyType::EcdsaP256, "CN=Mesh CA north", |_| {});
    north.write_set(&shell.scratch, "ca/north", &[&other.cert], &[&other.cert]);
    shell.scratch.write("other.pem", strange_crl(&other, NOW, 1, &[]).to_pem());
    shell.good("ca crl @/ca --add @/other.pem");
    let east = shell.scratch.read("ca/east/ca-cert.pem");
    // Something is in the way.
    let kept = shell.scratch.read("ca/west/ca-crl.pem");
    shell.scratch.write("ca/west/ca-crl.pem", other.cert.to_pem());
    ended(
        &shell.run("ca renew @/ca --cluster east"),
        1,
        &[
            "east/ca-cert.pem: OK",
            "error[ctl/exists]: the file contains more than CRLs",
            "because: the new CAs are in place; their CRLs are not",
            "once that is solved, `meshctl ca crl",
        ],
    );
    assert_ne!(shell.scratch.read("ca/east/ca-cert.pem"), east);
    shell.scratch.write("ca/west/ca-crl.pem", kept);
    shell.good("ca crl @/ca");
    // The CRL of the other root has expired.
    let ran = shell.run("ca renew @/ca --cluster east --at 2026-11-23T07:00:00Z");
    ended(
        &ran,
        1,
        &[
            "east/ca-cert.pem: OK",
            "error[ctl/crl-missing]: there is no current CRL of `Other`",
            "because: the new CAs are in place; their CRLs are not",
            "--add FILE",
        ],
    );
    assert!(!ran.err.contains("nothing was written") && !ran.err.contains("next:"), "{}", ran.err);
}

/// A crash between the steps of a renewal: `rotate crl` finishes it, and a dry run names it.
#[test]
fn an_interrupted_renewal_is_finished() {
    let shell = shell("");
    let east = shell.scratch.read("ca/east/ca-cert.pem");
    let staging = shell.scratch.join("ca/.meshctl-staging");
    shell.scratch.write_key("ca/.meshctl-staging/.exchange", "east\neast-old\n");
    std::fs::rename(shell.scratch.join("ca/east"), staging.join("east")).unwrap();
    let rotate = "rotate crl @/ca --context east --kubeconfig @/none --yes";
    ended(&shell.run(&format!("{rotate} --dry-run client")), 1, &["error[ctl/leftovers]"]);
    assert!(!shell.scratch.join("ca/east").exists());
    ended(&shell.run(rotate), 1, &["error[apply/kubeconfig]"]);
    assert_eq!(shell.scratch.read("ca/east/ca-cert.pem"), east);
    assert!(!staging.exists());
}

/// Two people revoke at once, in two branches of a repository.
#[test]
fn lists_merge() {
    let shell = shell("");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(shell.scratch.join("ca"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q", "-b", "main", "."]);
    git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
    for cluster in ["east", "west"] {
        git(&["checkout", "-q", "-b", cluster, "main"]);
        shell.good(&format!("ca revoke @/ca --cluster {cluster}"));
        git(&["add", "revoked.txt", ".gitattributes"]);
        git(&["commit", "-q", "-m", cluster]);
    }
    git(&["merge", "-q", "-m", "both", "east"]);
    // One that is a link stays one.
    git(&["mv", ".gitattributes", "attributes"]);
    std::os::unix::fs::symlink("attributes", shell.scratch.join("ca/.gitattributes")).unwrap();
    shell.good("ca crl @/ca");
    assert_eq!(crls(&shell, "east")[0].len(), 2);
    shell.good("ca crl @/ca --clear");
    assert!(shell.scratch.join("ca/.gitattributes").is_symlink());
}

#[test]
fn verifiers_take_what_is_signed() {
    let (Some(openssl), Some(istiod)) = (openssl(), istiod()) else { return };
    let Some(mut envoy) = ENVOY.judge() else { return };
    for kind in ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048"] {
        let shell = shell(&format!("--key-type {kind}"));
        shell.good("ca revoke @/ca --cluster east --reason keyCompromise");
        shell.good("ca crl @/ca");
        for cluster in ["east", "west"] {
            let pki = pki("judged", &shell, &format!("ca/{cluster}"), "west");
            let file = format!("{cluster}.pem");
            shell.scratch.write(&file, pem::encode(pem::CERTIFICATE, &pki.leaf));
            let answer = openssl.run(
                &shell.scratch,
                &format!(
                    "verify -attime {} -crl_check_all -CRLfile ca/west/ca-crl.pem -CAfile ca/root-cert.pem -untrusted ca/{cluster}/cert-chain.pem {file}",
                    NOW.0
                ),
            );
            let theirs = envoy.ask(&pki);
            if cluster == "west" {
                assert_eq!(answer.out.trim(), "west.pem: OK", "{kind}: {}", answer.err);
                assert_eq!(theirs, None, "{kind}");
            } else {
                assert!(answer.err.contains("certificate revoked"), "{kind}: {}", answer.err);
                assert!(theirs.is_some(), "{kind}");
            }
        }
        let shown = openssl.good(&shell.scratch, "crl -in ca/root-crl.pem -noout -text");
        for part in [
            "Version 2 (0x1)",
            "Last Update: Nov 21 06:55:00 2026 GMT",
            "Next Update: Dec 21 07:00:00 2026 GMT",
            "X509v3 Authority Key Identifier",
            "X509v3 CRL Number",
            "Revocation Date: Nov 21 07:00:00 2026 GMT",
            "Key Compromise",
        ] {
            assert!(shown.contains(part), "{kind}: {part} is not in\n{shown}");
        }
        // istiod asks for a CRL of every CA in the chain, by Go.
        let folder = shell.scratch.join("ca/west");
        assert_eq!(istiod.refusals(std::slice::from_ref(&folder)), [None], "{kind}");
        let of_root = shell.scratch.read("ca/root-crl.pem");
        shell.scratch.write("ca/west/ca-crl.pem", of_root);
        let refused = istiod.refusals(&[folder]).remove(0).unwrap_or_default();
        assert!(refused.contains("missing CRL signed by certificates"), "{kind}: {refused}");
    }
}

#[test]
fn a_real_envoy_refuses_and_accepts_again() {
    let shell = Shell { now: meshctl::io::system_time(), ..Shell::new() };
    shell.good("ca init @/ca --cluster east,west --plain-root-key");
    let before = pki("before", &shell, "ca/east", "west");
    shell.good("ca revoke @/ca --cluster east --reason CACompromise");
    shell.good("ca crl @/ca");
    let revoked = pki("revoked", &shell, "ca/east", "west");
    let other = pki("another cluster", &shell, "ca/west", "west");
    // The renewed CA has a CRL of its own, and is not revoked.
    shell.good("ca renew @/ca --cluster east");
    let renewed = pki("renewed", &shell, "ca/east", "west");
    let replaced = pki("replaced", &shell, &earlier(&shell), "west");
    shell.good("ca crl @/ca --clear");
    let cleared = pki("cleared", &shell, &earlier(&shell), "west");
    let pkis = [before, revoked, other, renewed, replaced, cleared];
    let Some(envoy) = Envoy::start(&pkis) else { return };
    let said: Vec<Option<String>> =
        pkis.iter().enumerate().map(|(index, pki)| envoy.ask(index, pki, LEAF)).collect();
    for (pki, said) in pkis.iter().zip(&said) {
        let is_refused = ["revoked", "replaced"].contains(&pki.name.as_str());
        match said {
            Some(why) => {
                assert!(is_refused && why.contains("certificate revoked"), "{}: {why}", pki.name)
            }
            None => assert!(!is_refused, "{}", pki.name),
        }
    }
}

#[test]
fn check_warns_before_a_crl_ends() {
    let shell = shell("");
    shell.good("ca crl @/ca");
    shell.good("check @/ca");
    // Ten of thirty days.
    assert!(
        !shell.good("check @/ca --at 2026-12-10T07:00:00Z").contains("istiod/crl-expires-soon")
    );
    shell.check(
        "check @/ca --at 2026-12-12T07:00:00Z",
        r#"
        exit 0
        istiod 1.30.3, at 2026-12-12T07:00:00Z

        [warn] east  starts and signs with `Mesh CA east`
        [warn] west  starts and signs with `Mesh CA west`
        [ok]   all   the same roots, but separate keys and names

        warning[istiod/crl-expires-soon]: east: a CRL expires soon, or has expired
          in: @/ca/east/ca-crl.pem
          evidence: the CRL of `Mesh Root CA [id]` expires 2026-12-21T07:00:00Z, in 9 days
          evidence: the CRL of `Mesh CA east` expires 2026-12-21T07:00:00Z, in 9 days
          evidence: the CRL of `Mesh CA west` expires 2026-12-21T07:00:00Z, in 9 days
          effect: istiod 1.30.3 starts and signs with `Mesh CA east`; once a CRL has expired, Envoy rejects every certificate below its CA
          fix: make new ones
          next: meshctl ca crl @/ca

        warning[istiod/crl-expires-soon]: west: a CRL expires soon, or has expired
          in: @/ca/west/ca-crl.pem
          evidence: the CRL of `Mesh Root CA [id]` expires 2026-12-21T07:00:00Z, in 9 days
          evidence: the CRL of `Mesh CA east` expires 2026-12-21T07:00:00Z, in 9 days
          evidence: the CRL of `Mesh CA west` expires 2026-12-21T07:00:00Z, in 9 days
          effect: istiod 1.30.3 starts and signs with `Mesh CA west`; once a CRL has expired, Envoy rejects every certificate below its CA
          fix: make new ones
          next: meshctl ca crl @/ca

        2 clusters: 0 errors, 2 warnings
    "#,
    );
    let ran = shell.run("check @/ca --at 2026-12-22T07:00:00Z");
    ended(
        &ran,
        2,
        &[
            "error[istiod/rejected-by-peers]",
            "CRL has expired",
            "meshctl ca crl @/ca"
                .replace('@', &shell.scratch.path().display().to_string())
                .as_str(),
        ],
    );
    let ran = shell.run("ca expiry @/ca --within 10d --at 2026-12-12T07:00:00Z");
    ended(&ran, 2, &["CRL of"]);
    // A CRL is never due before a third of its time is left.
    ended(&shell.run("ca expiry @/ca --within 45d"), 0, &[]);
}
