//! Extensions, strictness, purposes, policies.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use super::{ROOT, Topic, ca, intermediate, leaf, leaf_of, replaced, root, usual, without};
use crate::forge::{CertPlan, Extension, extension, name, value};

const USUAL: &str = "-CAfile root.pem -untrusted int.pem";

pub(super) fn extensions(topic: &mut Topic) {
    usual(topic);
    critical(topic);
    authorities(topic);
    strict(topic);
    purposes(topic);
    invalid(topic);
}

fn critical(topic: &mut Topic) {
    let unknown = || extension(&[0x2a, 3, 9], true, vec![5, 0]);
    topic.cert("unknown-critical.pem", &leaf().with(unknown()));
    topic.case("unknown-critical", "34, let through", &format!("{USUAL} unknown-critical.pem"));
    topic.case(
        "ignore-critical",
        "-ignore_critical",
        &format!("-ignore_critical {USUAL} unknown-critical.pem"),
    );
    for (file, oid) in
        [("critical-akid", oid::AUTHORITY_KEY_ID), ("critical-aia", oid::AUTHORITY_INFO_ACCESS)]
    {
        topic.cert(&format!("{file}.pem"), &replaced(leaf(), extension(oid, true, vec![0x30, 0])));
        topic.case(
            file,
            "known, but not to the check of critical ones: 34",
            &format!("{USUAL} {file}.pem"),
        );
    }
    let mut first = intermediate();
    first.extensions.insert(0, unknown());
    topic.cert("unknown-first.pem", &first);
    topic.cert("unknown-last.pem", &intermediate().with(unknown()));
    for file in ["unknown-first", "unknown-last"] {
        topic.case(
            file,
            "the scan stops at the unknown one: 89 only when basicConstraints stands behind it",
            &format!("-x509_strict -CAfile root.pem -untrusted {file}.pem leaf.pem"),
        );
    }
    let proxy = der::sequence(&[&der::sequence(&[&tlv(der::OID, &[0x2b, 6, 1, 5, 5, 7, 21, 1])])]);
    let plain = without(leaf(), oid::SUBJECT_ALT_NAME);
    topic.cert("proxy.pem", &plain.with(extension(oid::PROXY_CERT_INFO, true, proxy)));
    topic.case("proxy", "a proxy certificate: 40", &format!("{USUAL} proxy.pem"));
}

/// Which certificates may be CAs, and how many levels are allowed below one.
fn authorities(topic: &mut Topic) {
    let constraints = |ca, length: Option<&[u8]>| {
        extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(ca, length))
    };
    topic.cert("int-not-ca.pem", &replaced(intermediate(), constraints(false, None)));
    topic.case(
        "not-a-ca",
        "an issuer that is no CA: 79",
        "-CAfile root.pem -untrusted int-not-ca.pem leaf.pem",
    );
    topic.cert("int-no-bc.pem", &without(intermediate(), oid::BASIC_CONSTRAINTS));
    topic.case(
        "no-basic-constraints",
        "79 for an intermediate",
        "-CAfile root.pem -untrusted int-no-bc.pem leaf.pem",
    );
    topic.cert("root-no-bc.pem", &without(root(), oid::BASIC_CONSTRAINTS));
    topic.case(
        "root-no-basic-constraints",
        "fine for the last one",
        "-CAfile root-no-bc.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "root-no-basic-constraints-strict",
        "but not under -x509_strict",
        "-x509_strict -CAfile root-no-bc.pem -untrusted int.pem leaf.pem",
    );
    let mut v1 = root();
    v1.version = None;
    v1.extensions.clear();
    topic.cert("root-v1.pem", &v1);
    topic.case("v1-root", "a v1 root is a CA", "-CAfile root-v1.pem -untrusted int.pem leaf.pem");
    topic.cert("root-0.pem", &replaced(root(), constraints(true, Some(&[0]))));
    topic.case(
        "path-length",
        "root with pathlen:0 above an intermediate: 25",
        "-CAfile root-0.pem -untrusted int.pem leaf.pem",
    );
    topic.cert("below-root.pem", &leaf_of("Leaf", "Root", ROOT));
    topic.case("path-length-leaf", "the leaf does not count", "-CAfile root-0.pem below-root.pem");
    topic.cert("root-negative.pem", &replaced(root(), constraints(true, Some(&[0xff]))));
    topic.case(
        "path-length-negative",
        "a negative length makes it nobody's issuer: 20",
        "-CAfile root-negative.pem -untrusted int.pem leaf.pem",
    );
    topic.cert("root-huge.pem", &replaced(root(), constraints(true, Some(&[0x7f; 9]))));
    topic.case(
        "path-length-huge",
        "a length beyond a long is not a length",
        "-CAfile root-huge.pem -untrusted int.pem leaf.pem",
    );
}

/// What only `-x509_strict` looks at.
fn strict(topic: &mut Topic) {
    let length = || value::basic_constraints(false, Some(&[0]));
    let sign = || extension(oid::KEY_USAGE, true, value::bits(0x04));
    let basic = |critical, value| extension(oid::BASIC_CONSTRAINTS, critical, value);
    let san = |critical, names: &[Vec<u8>]| {
        extension(oid::SUBJECT_ALT_NAME, critical, value::list(names))
    };
    let mut no_issuer = leaf();
    no_issuer.issuer = name(&[]);
    let nameless = |plan: CertPlan| CertPlan { subject: name(&[]), ..plan };
    let mut v1 = leaf();
    v1.version = None;
    let leaves: [(&str, &str, CertPlan); 10] = [
        ("80", "path length without CA", leaf().with(basic(true, length()))),
        ("82", "keyCertSign without CA", leaf().with(sign())),
        ("83", "empty issuer (20 comes first)", no_issuer),
        (
            "84",
            "empty subject, no alternative name",
            nameless(without(leaf(), oid::SUBJECT_ALT_NAME)),
        ),
        ("88", "empty subject, alternative name not critical", nameless(leaf())),
        ("87", "no alternative name in the list", replaced(leaf(), san(false, &[]))),
        ("85", "no authority key id", without(leaf(), oid::AUTHORITY_KEY_ID)),
        (
            "85-empty",
            "authority key id without a key id",
            replaced(leaf(), extension(oid::AUTHORITY_KEY_ID, false, vec![0x30, 0])),
        ),
        ("93", "extensions in a v1 certificate", v1),
        (
            "good",
            "a critical alternative name for an empty subject",
            nameless(replaced(leaf(), san(true, &[value::general(2, b"x.com")]))),
        ),
    ];
    for (file, why, plan) in leaves {
        topic.cert(&format!("strict-{file}.pem"), &plan);
        topic.case(
            &format!("strict-{file}"),
            why,
            &format!("-x509_strict {USUAL} strict-{file}.pem"),
        );
        topic.case(&format!("lax-{file}"), why, &format!("{USUAL} strict-{file}.pem"));
    }
    let cas: [(&str, &str, CertPlan); 5] = [
        (
            "81",
            "path length without keyCertSign",
            replaced(
                without(intermediate(), oid::KEY_USAGE),
                basic(true, value::basic_constraints(true, Some(&[0]))),
            ),
        ),
        (
            "89",
            "basicConstraints not critical",
            replaced(intermediate(), basic(false, value::basic_constraints(true, None))),
        ),
        ("92", "a CA without keyUsage", without(intermediate(), oid::KEY_USAGE)),
        ("86", "a CA without a key id", without(intermediate(), oid::SUBJECT_KEY_ID)),
        (
            "akid",
            "a root without authority key id is fine",
            without(intermediate(), oid::ISSUER_ALT_NAME),
        ),
    ];
    for (file, why, plan) in cas {
        topic.cert(&format!("strict-ca-{file}.pem"), &plan);
        topic.case(
            &format!("strict-ca-{file}"),
            why,
            &format!("-x509_strict -CAfile root.pem -untrusted strict-ca-{file}.pem leaf.pem"),
        );
    }
    let empty = name(&[]);
    let mut nobody = ca("x", "x", ROOT, ROOT);
    nobody.subject.clone_from(&empty);
    nobody.issuer.clone_from(&empty);
    let mut below = leaf_of("Leaf", "x", ROOT);
    below.issuer = empty;
    topic.cert("nameless-root.pem", &nobody);
    topic.cert("nameless-leaf.pem", &below);
    topic.case(
        "strict-nameless",
        "83 and 84; an empty name prints an empty line",
        "-x509_strict -CAfile nameless-root.pem nameless-leaf.pem",
    );
}

fn purposes(topic: &mut Topic) {
    let usage = |oids: &[&[u8]]| extension(oid::EXT_KEY_USAGE, false, value::oids(oids));
    let leaves: [(&str, CertPlan); 6] = [
        ("server", leaf().with(usage(&[oid::EKU_SERVER_AUTH]))),
        ("client", leaf().with(usage(&[oid::EKU_CLIENT_AUTH]))),
        ("any", leaf().with(usage(&[oid::EKU_ANY]))),
        (
            "stamp",
            leaf().with(extension(
                oid::EXT_KEY_USAGE,
                true,
                value::oids(&[oid::EKU_TIME_STAMPING]),
            )),
        ),
        ("sign", leaf().with(extension(oid::KEY_USAGE, true, value::bits(0x80)))),
        (
            "mail",
            leaf().with(usage(&[oid::EKU_EMAIL_PROTECTION])).with(extension(
                oid::KEY_USAGE,
                true,
                value::bits(0x20),
            )),
        ),
    ];
    for (file, plan) in leaves {
        topic.cert(&format!("eku-{file}.pem"), &plan);
        for purpose in [
            "sslclient",
            "sslserver",
            "nssslserver",
            "smimesign",
            "smimeencrypt",
            "crlsign",
            "any",
            "ocsphelper",
            "timestampsign",
        ] {
            topic.case(
                &format!("purpose-{file}-{purpose}"),
                "purposes against extKeyUsage and keyUsage; anyExtendedKeyUsage satisfies none",
                &format!("-purpose {purpose} {USUAL} eku-{file}.pem"),
            );
        }
    }
    topic.cert("int-client.pem", &intermediate().with(usage(&[oid::EKU_CLIENT_AUTH])));
    topic.case(
        "purpose-ca",
        "extKeyUsage of a CA counts: 26 at its depth",
        "-purpose sslserver -CAfile root.pem -untrusted int-client.pem leaf.pem",
    );
    topic.cert("root-client.pem", &root().with(usage(&[oid::EKU_CLIENT_AUTH])));
    topic.case(
        "purpose-root",
        "and that of the anchor",
        "-purpose sslserver -CAfile root-client.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "purpose-ca-target",
        "a CA as target fails sslserver by its keyUsage",
        "-purpose sslserver -CAfile root.pem int.pem",
    );
}

/// Extensions that cannot be decoded or appear twice: such a certificate is never an issuer or a subject.
fn invalid(topic: &mut Topic) {
    let double = |oid, value: Vec<u8>| {
        leaf().with(extension(oid, false, value.clone())).with(extension(oid, false, value))
    };
    let cases: [(&str, CertPlan); 8] = [
        ("double-bc", double(oid::BASIC_CONSTRAINTS, vec![0x30, 0])),
        ("double-aia", double(oid::AUTHORITY_INFO_ACCESS, vec![0x30, 0])),
        ("garbage-eku", leaf().with(extension(oid::EXT_KEY_USAGE, false, vec![1, 2, 3]))),
        ("garbage-aia", leaf().with(extension(oid::AUTHORITY_INFO_ACCESS, false, vec![1, 2, 3]))),
        ("no-usage-bits", leaf().with(extension(oid::KEY_USAGE, false, vec![3, 2, 0, 0]))),
        ("trailing", leaf().with(extension(oid::BASIC_CONSTRAINTS, false, vec![0x30, 0, 5, 0]))),
        ("empty-eku", leaf().with(extension(oid::EXT_KEY_USAGE, false, vec![0x30, 0]))),
        (
            "empty-point",
            leaf().with(extension(oid::CRL_DISTRIBUTION_POINTS, false, vec![0x30, 2, 0x30, 0])),
        ),
    ];
    for (file, plan) in cases {
        topic.cert(&format!("{file}.pem"), &plan);
        topic.case(
            file,
            "an extension that is looked at has to decode and stand once: else 20",
            &format!("{USUAL} {file}.pem"),
        );
    }
    topic.case(
        "invalid-in-store",
        "an invalid leaf that is itself in the store passes",
        "-partial_chain -CAfile double-bc.pem double-bc.pem",
    );
}

pub(super) fn policy(topic: &mut Topic) {
    usual(topic);
    let policies = |oids: &[&[u8]]| {
        let list: Vec<Vec<u8>> =
            oids.iter().map(|oid| der::sequence(&[&tlv(der::OID, oid)])).collect();
        extension(oid::CERTIFICATE_POLICIES, false, value::list(&list))
    };
    let (one, two, any): (&[u8], &[u8], &[u8]) =
        (&[0x2a, 3, 1], &[0x2a, 3, 2], &[0x55, 0x1d, 32, 0]);
    topic.cert("int-1.pem", &intermediate().with(policies(&[one])));
    topic.cert("int-any.pem", &intermediate().with(policies(&[any])));
    topic.cert("leaf-1.pem", &leaf().with(policies(&[one])));
    topic.cert("leaf-2.pem", &leaf().with(policies(&[two])));
    topic.cert("leaf-twice.pem", &leaf().with(policies(&[one, one])));
    topic.cert(
        "leaf-garbage.pem",
        &leaf().with(extension(oid::CERTIFICATE_POLICIES, false, vec![5, 0])),
    );
    let mapping = der::sequence(&[&der::sequence(&[&tlv(der::OID, one), &tlv(der::OID, two)])]);
    topic.cert(
        "int-map.pem",
        &intermediate().with(policies(&[one])).with(extension(
            oid::POLICY_MAPPINGS,
            false,
            mapping,
        )),
    );
    let require = || der::sequence(&[&tlv(0x80, &[0])]);
    topic.cert(
        "int-require.pem",
        &intermediate().with(extension(oid::POLICY_CONSTRAINTS, true, require())),
    );
    topic.cert(
        "int-empty-pc.pem",
        &intermediate().with(extension(oid::POLICY_CONSTRAINTS, true, vec![0x30, 0])),
    );
    let inhibit: Extension = extension(oid::INHIBIT_ANY_POLICY, true, tlv(der::INTEGER, &[0]));
    topic.cert("root-inhibit.pem", &root().with(inhibit));
    for (int, leaf) in [
        ("int-1", "leaf-1"),
        ("int-1", "leaf-2"),
        ("int-any", "leaf-1"),
        ("int-any", "leaf-2"),
        ("int-map", "leaf-2"),
        ("int", "leaf"),
        ("int-require", "leaf"),
        ("int-empty-pc", "leaf"),
        ("int-1", "leaf-twice"),
        ("int-1", "leaf-garbage"),
    ] {
        for (name, options) in [
            ("check", "-policy_check -policy_print"),
            ("explicit", "-explicit_policy"),
            ("explicit-any", "-explicit_policy -policy anyPolicy -policy_print"),
            ("explicit-one", "-explicit_policy -policy 1.2.3.1 -policy_print"),
            ("no-any", "-explicit_policy -policy 1.2.3.1 -inhibit_any"),
            ("no-map", "-explicit_policy -policy 1.2.3.1 -inhibit_map"),
        ] {
            topic.case(
                &format!("{int}-{leaf}-{name}"),
                "policy sets: 42 malformed, 43 nothing acceptable left",
                &format!("{options} -CAfile root.pem -untrusted {int}.pem {leaf}.pem"),
            );
        }
    }
    topic.case("inhibited", "the anchor's inhibitAnyPolicy", "-explicit_policy -policy 1.2.3.1 -CAfile root-inhibit.pem -untrusted int-any.pem leaf-1.pem");
    topic.case(
        "only-print",
        "-policy_print alone prints nothing",
        "-policy_print -CAfile root.pem -untrusted int-1.pem leaf-1.pem",
    );
    topic.case(
        "anchor-only",
        "a chain of the anchor alone has no empty set",
        "-explicit_policy -CAfile root.pem root.pem",
    );
}
