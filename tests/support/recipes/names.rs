//! Name constraints, identities, and how names are printed and compared.

use meshpki::internals::{der, oid};

use super::{
    INTERMEDIATE, LEAF, ROOT, Topic, authority, ca, intermediate, key, leaf, replaced, usual,
    without,
};
use crate::forge::{CertPlan, extension, name, value};

const DNS: u8 = 2;
const URI: u8 = 6;

pub(super) fn names(topic: &mut Topic) {
    usual(topic);
    constraints(topic);
    identities(topic);
    printing(topic);
}

fn with_names(names: &[Vec<u8>]) -> CertPlan {
    replaced(leaf(), extension(oid::SUBJECT_ALT_NAME, false, value::list(names)))
}

/// One permitted or excluded subtree against one name.
fn constraints(topic: &mut Topic) {
    let email = 1;
    let ip = 7;
    let pairs: [(&str, u8, &[u8], &[u8]); 24] = [
        ("dns-equal", DNS, b"a.example.com", b"a.example.com"),
        ("dns-below", DNS, b"example.com", b"a.example.com"),
        ("dns-dot", DNS, b".example.com", b"example.com"),
        ("dns-glued", DNS, b"example.com", b"badexample.com"),
        ("dns-wildcard", DNS, b"example.com", b"*.example.com"),
        ("dns-wildcard-narrow", DNS, b"a.example.com", b"*.example.com"),
        ("dns-empty", DNS, b"", b"x.test"),
        ("uri-spiffe", URI, b"cluster.local", b"spiffe://cluster.local/ns/a/sa/b"),
        ("uri-spiffe-colon", URI, b"cluster.local", b"spiffe://cluster.local/ns:x/y"),
        ("uri-port", URI, b"a.example.com", b"https://a.example.com:8443/x"),
        ("uri-user", URI, b"a.example.com", b"https://me@a.example.com/"),
        ("uri-below", URI, b".example.com", b"spiffe://east.example.com/x"),
        ("uri-plain", URI, b"example.com", b"spiffe://east.example.com/x"),
        ("uri-no-host", URI, b"example.com", b"urn:x"),
        ("uri-empty-host", URI, b"example.com", b"spiffe:///x"),
        ("email-host", email, b"example.com", b"a@example.com"),
        ("email-below", email, b".example.com", b"a@x.example.com"),
        ("email-local", email, b"A@example.com", b"a@EXAMPLE.com"),
        ("email-none", email, b"example.com", b"nobody"),
        ("ip-in", ip, &[10, 0, 0, 0, 255, 0, 0, 0], &[10, 1, 2, 3]),
        ("ip-out", ip, &[10, 0, 0, 0, 255, 0, 0, 0], &[11, 1, 2, 3]),
        ("ip-holes", ip, &[10, 0, 0, 3, 255, 0, 0, 255], &[10, 9, 9, 3]),
        ("ip-length", ip, &[10, 0, 0, 0, 255, 0, 0, 0], &[10, 1, 2]),
        ("oid", 8, &[0x2a, 3], &[0x2a, 3]),
    ];
    for (file, kind, base, given) in pairs {
        topic.cert(&format!("{file}.pem"), &with_names(&[value::general(kind, given)]));
        let base = [value::general(kind, base)];
        for (what, permitted, excluded) in
            [("permitted", &base[..], &[][..]), ("excluded", &[], &base)]
        {
            let limits = extension(
                oid::NAME_CONSTRAINTS,
                true,
                value::name_constraints(permitted, excluded),
            );
            topic.cert(&format!("{what}-{file}.pem"), &intermediate().with(limits));
            topic.case(
                &format!("{what}-{file}"),
                "one subtree, one name: 47, 48, 51, 53 or good",
                &format!("-CAfile root.pem -untrusted {what}-{file}.pem {file}.pem"),
            );
        }
    }
    let dns = value::general(DNS, b"example.com");
    let minimum = der::sequence(&[&der::tlv(0xa0, &der::sequence(&[&dns, &der::tlv(0x80, &[1])]))]);
    topic
        .cert("minimum.pem", &intermediate().with(extension(oid::NAME_CONSTRAINTS, true, minimum)));
    topic.case(
        "minimum",
        "a minimum in a subtree: 49",
        "-CAfile root.pem -untrusted minimum.pem leaf.pem",
    );
    let only = value::name_constraints(&[dns], &[]);
    topic.cert(
        "only-example.pem",
        &intermediate().with(extension(oid::NAME_CONSTRAINTS, true, only)),
    );
    let email = |tag| name(&[(oid::EMAIL_ADDRESS, tag, b"a@example.com")]);
    let named = |subject| CertPlan { subject, ..leaf() };
    topic.cert("email-utf8.pem", &named(email(der::UTF8_STRING)));
    topic.cert("email-ia5.pem", &named(email(der::IA5_STRING)));
    topic.case(
        "email-utf8",
        "an e-mail attribute that is no IA5String: 53",
        "-CAfile root.pem -untrusted only-example.pem email-utf8.pem",
    );
    topic.case(
        "email-ia5",
        "IA5String is fine",
        "-CAfile root.pem -untrusted only-example.pem email-ia5.pem",
    );
    for (file, text) in [
        ("cn-host", "b.test"),
        ("cn-text", "not a host"),
        ("cn-spiffe", "10.0.0.1"),
        ("cn-star", "*.x.test"),
    ] {
        let subject = name(&[(oid::COMMON_NAME, der::UTF8_STRING, text.as_bytes())]);
        let uri = value::list(&[value::general(URI, b"spiffe://x/y")]);
        let plan =
            CertPlan { subject, ..replaced(leaf(), extension(oid::SUBJECT_ALT_NAME, false, uri)) };
        topic.cert(&format!("{file}.pem"), &plan);
        topic.case(
            file,
            "a common name that looks like a host counts when no DNS name is there",
            &format!("-CAfile root.pem -untrusted only-example.pem {file}.pem"),
        );
    }
}

fn identities(topic: &mut Topic) {
    let files: [(&str, &[u8]); 7] = [
        ("exact", b"a.example.com"),
        ("star", b"*.example.com"),
        ("partial", b"a*.example.com"),
        ("inner", b"a*b.example.com"),
        ("idn", b"xn--a*.example.com"),
        ("short", b"*.com"),
        ("two-stars", b"*.*.example.com"),
    ];
    for (file, dns) in files {
        topic.cert(&format!("host-{file}.pem"), &with_names(&[value::general(DNS, dns)]));
        for host in [
            "a.example.com",
            "A.Example.COM",
            "a.example.com.",
            ".example.com",
            "b.a.example.com",
            "example.com",
            "a.com",
        ] {
            topic.case(
                &format!("host-{file}-{host}"),
                "-verify_hostname against a DNS name: 62 or good",
                &format!(
                    "-verify_hostname {host} -CAfile root.pem -untrusted int.pem host-{file}.pem"
                ),
            );
        }
    }
    topic.bare(
        "host-empty",
        "an empty host name is no check",
        &[
            "-no-CApath",
            "-no-CAstore",
            "-verify_hostname",
            "x",
            "-verify_hostname",
            "",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "int.pem",
            "leaf.pem",
        ],
    );
    let subject = name(&[
        (oid::COMMON_NAME, der::UTF8_STRING, b"cn.example.com"),
        (oid::EMAIL_ADDRESS, der::IA5_STRING, b"me@example.com"),
    ]);
    let bare = CertPlan { subject: subject.clone(), ..without(leaf(), oid::SUBJECT_ALT_NAME) };
    topic.cert("cn-only.pem", &bare);
    topic.cert(
        "cn-and-dns.pem",
        &CertPlan {
            subject,
            ..with_names(&[
                value::general(DNS, b"a.example.com"),
                value::general(7, &[10, 0, 0, 1]),
                value::general(1, b"you@example.com"),
            ])
        },
    );
    for file in ["cn-only", "cn-and-dns"] {
        for option in [
            "-verify_hostname cn.example.com",
            "-verify_hostname a.example.com",
            "-verify_ip 10.0.0.1",
            "-verify_ip 10.0.0.2",
            "-verify_ip ::1",
            "-verify_email me@example.com",
            "-verify_email you@example.com",
            "-verify_email me@EXAMPLE.com",
            "-verify_email ME@example.com",
        ] {
            topic.case(
                &format!("{file}-{}", option.replace(' ', "-")),
                "identities: 62, 63, 64; the common name counts without DNS names",
                &format!("{option} -CAfile root.pem -untrusted int.pem {file}.pem"),
            );
        }
    }
    topic.case("all-three", "62, 63 and 64 in this order, the first stops", "-verify_ip 1.2.3.4 -verify_email x@y -verify_hostname z -CAfile root.pem -untrusted int.pem leaf.pem");
}

/// Subjects of every string type, as `error` and `-show_chain` print them.
fn printing(topic: &mut Topic) {
    let texts: [(&str, u8, &[u8]); 20] = [
        ("comma", der::UTF8_STRING, b"Acme, Inc."),
        ("plus", der::UTF8_STRING, b"a+b"),
        ("lead", der::UTF8_STRING, b" lead"),
        ("trail", der::UTF8_STRING, b"trail "),
        ("umlaut", der::UTF8_STRING, "Zo\u{eb}".as_bytes()),
        ("quotes", der::UTF8_STRING, b"a\"b\\c<d>e;f=g#h"),
        ("hash", der::UTF8_STRING, b"#"),
        ("hashes", der::UTF8_STRING, b"##"),
        ("tab", der::UTF8_STRING, b"a\tb"),
        ("delete", der::UTF8_STRING, b"a\x7fb"),
        ("nul", der::UTF8_STRING, b"a\0b"),
        ("latin", der::T61_STRING, b"Zo\xeb"),
        ("bmp", der::BMP_STRING, b"\0Z\0o\0\xeb"),
        ("universal", der::UNIVERSAL_STRING, b"\0\0\0Z\0\x01\xf6\0"),
        ("numeric", der::NUMERIC_STRING, b"123"),
        ("bits", der::BIT_STRING, &[4, 0xaa, 0xf0]),
        ("sequence", der::SEQUENCE, &[2, 1, 5]),
        ("unknown-tag", 13, b"\x2a\x03"),
        ("empty", der::UTF8_STRING, b""),
        ("equals", der::PRINTABLE_STRING, b"a = b"),
    ];
    for (file, tag, text) in texts {
        let plan = CertPlan {
            subject: name(&[(oid::ORGANIZATION, tag, text), (&[0x2a, 3, 4], tag, text)]),
            ..leaf()
        };
        topic.cert(&format!("print-{file}.pem"), &plan);
        topic.case(
            &format!("print-{file}"),
            "a subject in the one-line form",
            &format!("-show_chain -CAfile root.pem -untrusted int.pem print-{file}.pem"),
        );
        topic.case(
            &format!("print-error-{file}"),
            "the same in front of an error",
            &format!("-CAfile root.pem print-{file}.pem"),
        );
    }
    let spellings: [(&str, u8, &[u8]); 8] = [
        ("case", der::UTF8_STRING, b"INTERmediate"),
        ("blanks", der::PRINTABLE_STRING, b"  intermediate "),
        ("ia5", der::IA5_STRING, b"Intermediate"),
        ("bmp", der::BMP_STRING, b"\0I\0n\0t\0e\0r\0m\0e\0d\0i\0a\0t\0e"),
        ("numeric", der::NUMERIC_STRING, b"Intermediate"),
        ("nul", der::UTF8_STRING, b"Intermediate\0"),
        ("nbsp", der::T61_STRING, b"Intermediate\xa0"),
        ("visible-tag", der::T61_STRING, b"Inter\x0bmediate"),
    ];
    for (file, tag, text) in spellings {
        let plan = CertPlan { issuer: name(&[(oid::COMMON_NAME, tag, text)]), ..leaf() };
        topic.cert(&format!("issuer-{file}.pem"), &plan);
        topic.case(
            &format!("issuer-{file}"),
            "names are compared in their canonical form",
            &format!("-CAfile root.pem -untrusted int.pem issuer-{file}.pem"),
        );
    }
    let mut other = ca("Intermediate", "Root", INTERMEDIATE, ROOT);
    other.extensions.retain(|e| e.oid != oid::AUTHORITY_KEY_ID);
    other.extensions.push(authority(key(LEAF)));
    topic.cert("int-wrong-akid.pem", &other);
    topic.case(
        "wrong-akid",
        "a key id of another key: 20 at the intermediate",
        "-CAfile root.pem -untrusted int-wrong-akid.pem leaf.pem",
    );
}
