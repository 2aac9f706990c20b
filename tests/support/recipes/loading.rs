//! Files: both loaders, standard input, trust attributes, the trust store of the system.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::{oid, pem};

use super::{CrlPlan, ROOT, Topic, ca, intermediate, key, leaf, root, usual};
use crate::forge::value;
use crate::world::{common_name, subject_hash};

pub(super) fn loading(topic: &mut Topic) {
    usual(topic);
    topic.file("root.der", root().sign());
    topic.file("leaf.der", leaf().sign());
    topic.file("int.der", intermediate().sign());
    topic.case(
        "der",
        "-untrusted, -trusted and certificates may be DER",
        "-trusted root.der -untrusted int.der leaf.der",
    );
    topic.case("der-cafile", "-CAfile may not", "-CAfile root.der -untrusted int.pem leaf.pem");
    topic.case(
        "several",
        "every certificate in turn, exit status 2 when one fails",
        "-CAfile root.pem -untrusted int.pem leaf.pem missing.pem int.pem",
    );
    for option in ["-CAfile", "-trusted", "-untrusted", "-CRLfile"] {
        topic.case(
            &format!("missing {option}"),
            "a file that is missing: exit status 1",
            &format!("{option} missing.pem leaf.pem"),
        );
        topic.case(
            &format!("empty {option}"),
            "a file without anything of its kind: exit status 1",
            &format!("{option} empty.pem leaf.pem"),
        );
    }
    topic.file("empty.pem", "");
    topic.case(
        "empty-leaf",
        "a certificate file without a certificate: exit status 2",
        "-CAfile root.pem empty.pem",
    );
    topic.case(
        "order",
        "files are loaded while options are read: the first problem is reported",
        "-CAfile missing.pem -untrusted missing2.pem -foo leaf.pem",
    );
    topic.file("both.pem", [super::pem_of(&leaf()), super::pem_of(&intermediate())].concat());
    topic.case(
        "first-only",
        "a certificate argument is the first one of its file",
        "-CAfile root.pem both.pem",
    );
    topic.crls("crl.pem", &[&CrlPlan::new(common_name("Root"), key(ROOT))]);
    topic.case("crl-only", "a CAfile of CRLs alone is accepted", "-CAfile crl.pem leaf.pem");
    topic.case("crl-as-trusted", "but no -trusted", "-trusted crl.pem leaf.pem");
    blocks(topic);
    let stdin = topic.bare(
        "stdin",
        "without an argument the certificate comes from standard input",
        &[
            "-no-CApath",
            "-no-CAstore",
            "-attime",
            "1700000000",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "int.pem",
        ],
    );
    stdin.stdin = Some("leaf.pem".to_owned());
    topic.bare(
        "stdin-empty",
        "or does not, when there is none",
        &["-no-CApath", "-no-CAstore", "-CAfile", "root.pem"],
    );
}

/// PEM in every shape, in front of both loaders.
fn blocks(topic: &mut Topic) {
    let good = super::pem_of(&root());
    let body: String = good
        .lines()
        .filter(|line| !line.starts_with('-'))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let around =
        |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n");
    let with = |body: &str| around("CERTIFICATE", body);
    let cut = body.len() / 2;
    let shapes: [(&str, Vec<u8>); 26] = [
        ("crlf", good.replace('\n', "\r\n").into()),
        ("bom", [b"\xef\xbb\xbf", good.as_bytes()].concat()),
        ("text", format!("subject=x\n{good}behind\n").into()),
        ("indented", format!(" {good}").into()),
        ("spaces-behind", good.replace("-----\n", "-----  \n").into()),
        ("one-line", with(&(body.replace('\n', "") + "\n")).into()),
        ("no-newline", good.trim_end().into()),
        ("glued", (good.trim_end().to_owned() + &good).into()),
        ("end-garbage", good.replace("E-----\n", "E-----x\n").into()),
        ("blank-first", with(&format!("\n{body}")).into()),
        ("blank-inside", with(&format!("{}\n\n{}", &body[..65], &body[65..])).into()),
        ("blank-last", with(&format!("{body}\n")).into()),
        ("header-short", with(&format!("Foo: bar\n\n{body}")).into()),
        ("header-long", with(&format!("Foo: barbarbar\n\n{body}")).into()),
        ("star", with(&format!("{}*{}", &body[..cut], &body[cut + 1..])).into()),
        ("no-end", with(&body).replace("-----END", "").into()),
        ("bad-then-good", (with("****\n") + &good).into()),
        ("undecodable-then-good", (with("AAAA\n") + &good).into()),
        ("good-then-bad", (good.clone() + &with("****\n")).into()),
        ("other-label", (around("PUBLIC KEY", "MAA=\n") + &good).into()),
        ("key-label", (around("PRIVATE KEY", "MAA=\n") + &good).into()),
        ("old-label", around("X509 CERTIFICATE", &body).into()),
        ("trusted-label", around("TRUSTED CERTIFICATE", &body).into()),
        ("nul-lines", good.replace('\n', "\0\n").into()),
        ("long-comment", ("x".repeat(254) + &good).into()),
        ("shorter-comment", ("x".repeat(253) + &good).into()),
    ];
    for (name, bytes) in shapes {
        topic.file(&format!("{name}.pem"), bytes);
        topic.case(
            &format!("strict-{name}"),
            "-CAfile: one bad block spoils the file",
            &format!("-CAfile {name}.pem -untrusted int.pem leaf.pem"),
        );
        topic.case(
            &format!("lenient-{name}"),
            "-trusted: what cannot be read is passed over",
            &format!("-trusted {name}.pem -untrusted int.pem leaf.pem"),
        );
    }
    for (name, tail) in [("zeros", &b"\0\0\0"[..]), ("null", b"\x05\0")] {
        for label in ["CERTIFICATE", "TRUSTED CERTIFICATE"] {
            let file = format!("tail-{name}-{}", label.len());
            topic
                .file(&format!("{file}.pem"), pem::encode(label, &[&root().sign(), tail].concat()));
            topic.case(
                &format!("strict-{file}"),
                "bytes behind the certificate inside its block",
                &format!("-CAfile {file}.pem -untrusted int.pem leaf.pem"),
            );
            topic.case(
                &format!("lenient-{file}"),
                "bytes behind the certificate inside its block",
                &format!("-trusted {file}.pem -untrusted int.pem leaf.pem"),
            );
        }
    }
}

/// `TRUSTED CERTIFICATE` blocks.
pub(super) fn trust(topic: &mut Topic) {
    usual(topic);
    let list = |oids: &[&[u8]]| value::oids(oids);
    let reject = |oid: &[u8]| tlv(0xa0, &tlv(der::OID, oid));
    let server = oid::EKU_SERVER_AUTH;
    let sets: [(&str, Vec<u8>); 5] = [
        ("trust-server", list(&[server])),
        ("trust-any", list(&[oid::EKU_ANY])),
        ("trust-client", list(&[oid::EKU_CLIENT_AUTH])),
        ("reject-server", reject(server)),
        ("reject-any", reject(oid::EKU_ANY)),
    ];
    for (name, set) in sets {
        let aux = der::sequence(&[&set]);
        for (what, cert) in [("root", root()), ("int", intermediate())] {
            let file = format!("{name}-{what}");
            topic.file(
                &format!("{file}.pem"),
                pem::encode("TRUSTED CERTIFICATE", &[cert.sign(), aux.clone()].concat()),
            );
            for purpose in ["", "-purpose sslserver", "-purpose sslclient"] {
                for option in ["-CAfile", "-trusted"] {
                    topic.case(
                        &format!("{file} {option} {purpose}"),
                        "trust attributes: 28, or an anchor that is no root",
                        &format!("{purpose} {option} {file}.pem -untrusted int.pem leaf.pem"),
                    );
                }
            }
        }
    }
}

/// SSL_CERT_FILE and SSL_CERT_DIR.
pub(super) fn system(topic: &mut Topic) {
    usual(topic);
    let hash =
        |name: &str| subject_hash(&meshpki::Name::from_der(&common_name(name)).expect("a name"));
    let other = super::pem_of(&ca("Root", "Root", "p256-4", "p256-4"));
    topic.file(&format!("certs/{}.0", hash("Root")), other);
    topic.file(&format!("certs/{}.1", hash("Root")), super::pem_of(&root()));
    topic.file(&format!("der/{}.0", hash("Root")), root().sign());
    let crl = CrlPlan::new(common_name("Intermediate"), key(super::INTERMEDIATE)).sign();
    topic.file(&format!("certs/{}.r0", hash("Intermediate")), pem::encode(pem::CRL, &crl));
    let tail = ["-attime", "1700000000", "-untrusted", "int.pem", "leaf.pem"];
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        ("file", "root.pem", "none", &[]),
        ("file-kept-out", "root.pem", "none", &["-no-CAfile"]),
        ("dir", "none.pem", "certs", &["-show_chain"]),
        ("dir-no-store", "none.pem", "certs", &["-no-CAstore"]),
        ("store-no-dir", "none.pem", "certs", &["-no-CApath"]),
        ("dir-kept-out", "none.pem", "certs", &["-no-CApath", "-no-CAstore"]),
        ("der-needs-store", "none.pem", "der", &["-no-CAstore"]),
        ("der-by-store", "none.pem", "der", &[]),
        ("crl-in-dir", "root.pem", "certs", &["-crl_check"]),
    ];
    for (name, file, dir, options) in cases {
        let case = topic.bare(
            name,
            "the trust store of the system, by SSL_CERT_FILE and SSL_CERT_DIR",
            &[options, &tail].concat(),
        );
        case.env = vec![
            ("SSL_CERT_FILE".to_owned(), file.to_owned()),
            ("SSL_CERT_DIR".to_owned(), dir.to_owned()),
        ];
    }
    let case = topic.bare(
        "cafile-and-dir",
        "-CAfile alone leaves the directories in",
        &[&["-CAfile", "leaf.pem"][..], &tail].concat(),
    );
    case.env = vec![("SSL_CERT_DIR".to_owned(), "certs".to_owned())];
}

/// Bytes before a certificate in binary: what is skipped, and where reading continues (3.0.21 reads header by header).
pub(super) fn binary(topic: &mut Topic) {
    usual(topic);
    let before: [(&str, &[u8]); 16] = [
        ("null", &[5, 0]),
        ("nulls", &[5, 0, 5, 0, 5, 0]),
        ("end", &[0, 0]),
        ("indefinite", &[0x30, 0x80, 5, 0, 0, 0]),
        ("indefinite-open", &[0x30, 0x80, 0x30, 0x80, 0, 0]),
        ("other-end", &[0x30, 0x80, 0x80, 0]),
        ("primitive-indefinite", &[4, 0x80]),
        ("nine-octets", &[0x30, 0x89]),
        ("eight-octets", &[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("too-long", &[0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("large-tag", &[0x1f, 0x8f, 0xff, 0xff, 0xff, 0x7f, 0]),
        ("larger-tag", &[0x1f, 0x87, 0xff, 0xff, 0xff, 0x7f, 0]),
        ("largest-tag", &[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("one-byte", &[5]),
        ("line", b"\x05\x00\n"),
        ("text", b"subject=none\n"),
    ];
    for (name, bytes) in before {
        topic.file(&format!("{name}.der"), [bytes, leaf().sign().as_slice()].concat());
        topic.case(
            name,
            "a certificate behind other bytes",
            &format!("-CAfile root.pem -untrusted int.pem {name}.der"),
        );
        topic.file(&format!("{name}.pem"), [bytes, super::pem_of(&leaf()).as_bytes()].concat());
        topic.case(
            &format!("{name}-pem"),
            "a block behind other bytes",
            &format!("-CAfile root.pem -untrusted int.pem {name}.pem"),
        );
    }
    let empty = crate::forge::extension(oid::EXT_KEY_USAGE, false, vec![0x30, 0x81, 0]);
    topic.file("long-empty.der", leaf().with(empty).sign());
    topic.case(
        "long-empty",
        "a long form of length 0 may end what it stands in",
        "-CAfile root.pem -untrusted int.pem long-empty.der",
    );
}
