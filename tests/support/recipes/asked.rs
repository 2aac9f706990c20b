//! What OpenSSL does only if it is asked to: forms of names, proxy certificates, Suite B, deltas, indirect CRLs, stores.

use meshpki::internals::der::{self, Tag, tlv};
use meshpki::internals::oid;

use super::revocation::crl;
use super::{INTERMEDIATE, LEAF, ROOT, Topic, ca, intermediate, key, leaf, pem_of, root, usual};
use crate::forge::{CertPlan, CrlPlan, extension, name, value};
use crate::world::{common_name, subject_hash};

/// `-nameopt`: one certificate with one odd name, in every form and with every flag.
pub(super) fn forms(topic: &mut Topic) {
    let odd: [(&[u8], Tag, &[u8]); 12] = [
        (oid::COUNTRY, der::PRINTABLE_STRING, b"GB"),
        (oid::ORGANIZATION, der::UTF8_STRING, "Acme, \"Zoë\" + <Co>; #1\\".as_bytes()),
        (oid::ORGANIZATIONAL_UNIT, der::BMP_STRING, &[0, b'#', 0x20, 0xac, 0, 0xe9]),
        (oid::ORGANIZATIONAL_UNIT, der::UNIVERSAL_STRING, &[0, 1, 0xf6, 0, 0, 0, 0, b' ']),
        (oid::LOCALITY, der::T61_STRING, &[b' ', 0xe9, b'(', b'*', b')', b' ']),
        (oid::EMAIL_ADDRESS, der::IA5_STRING, b"/CN=a/b+c\x00\x7f"),
        (oid::SERIAL_NUMBER, der::NUMERIC_STRING, b"12 34"),
        (&[0x55, 4, 0x2d], der::BIT_STRING, &[3, 0xaa, 0xff]),
        (&[0x2a, 3, 4], der::UTF8_STRING, b"unknown type"),
        (&[0x55, 0x1d, 0x3f], der::UTF8_STRING, b"a type that 3.5 knows"),
        (oid::COMMON_NAME, der::SEQUENCE, &[0x0c, 1, b'a']),
        (oid::COMMON_NAME, der::UTF8_STRING, b""),
    ];
    let subject = name(&odd);
    topic.cert("odd.pem", &CertPlan::new(subject, common_name("Root"), key(LEAF), key(ROOT)));
    let mut pair = name(&[(oid::COMMON_NAME, der::UTF8_STRING, b"b")]);
    let both = [
        der::sequence(&[&tlv(der::OID, oid::COMMON_NAME), &tlv(der::UTF8_STRING, b"b")]),
        der::sequence(&[&tlv(der::OID, oid::ORGANIZATION), &tlv(der::UTF8_STRING, b"a")]),
    ];
    pair.splice(.., der::sequence(&[&tlv(der::SET, &both.concat()), &tlv(der::SET, &[])]));
    topic.cert("pair.pem", &CertPlan::new(pair, common_name("Root"), key(LEAF), key(ROOT)));
    let empty = CertPlan::new(name(&[]), common_name("Root"), key(LEAF), key(ROOT));
    topic.cert("empty.pem", &empty);
    let lists = [
        "oneline",
        "RFC2253",
        "multiline",
        "compat",
        "ca_default",
        "esc_2253",
        "esc_2254",
        "esc_ctrl",
        "esc_msb",
        "use_quote",
        "utf8",
        "ignore_type",
        "show_type",
        "dump_all",
        "dump_nostr",
        "dump_der",
        "sep_comma_plus",
        "sep_comma_plus_space",
        "sep_semi_plus_space",
        "sep_multiline",
        "dn_rev",
        "nofname",
        "sname",
        "lname",
        "align,lname",
        "oid",
        "space_eq",
        "dump_unknown",
        "esc_2253,use_quote",
        "utf8,esc_msb",
        "ignore_type,utf8",
        "dump_all,dump_der,show_type",
        "rfc2253,-dn_rev",
        "oneline,-space_eq,+lname,align",
        "-compat",
        "oneline,-oneline",
        "bogus",
        "utf8,bogus",
        "",
        ",",
        "utf8,",
        "utf8:x",
        "utf8:",
        " utf8 , lname ",
        "lname\nbogus",
    ];
    for (i, list) in lists.iter().enumerate() {
        let why = "a form of names";
        let args =
            ["-no-CAfile", "-no-CApath", "-no-CAstore", "-attime", "1700000000", "-nameopt", list];
        topic.bare(&format!("form-{i}"), why, &[&args[..], &["odd.pem"]].concat());
    }
    for file in ["pair.pem", "empty.pem", "odd.pem"] {
        for (i, list) in ["oneline", "RFC2253", "multiline", "compat"].iter().enumerate() {
            let args = format!("-partial_chain -trusted {file} -show_chain -nameopt {list} {file}");
            topic.case(&format!("{file}-{i}"), "names of a chain", &args);
        }
        let args = format!("-partial_chain -trusted {file} -show_chain {file}");
        topic.case(&format!("{file}-default"), "the release's own form", &args);
    }
    topic.case(
        "several",
        "options add up",
        "-no-CAfile -nameopt lname -nameopt sep_multiline -nameopt dn_rev odd.pem",
    );
}

/// Proxy certificates (RFC 3820).
pub(super) fn proxies(topic: &mut Topic) {
    usual(topic);
    let info = |length: &[u8]| {
        let language = tlv(der::OID, &[0x2b, 6, 1, 5, 5, 7, 21, 1]);
        let info = der::sequence(&[length, &der::sequence(&[&language])]);
        extension(oid::PROXY_CERT_INFO, true, info)
    };
    let named = |names: &[&str]| {
        let names: Vec<(&[u8], Tag, &[u8])> =
            names.iter().map(|n| (oid::COMMON_NAME, der::UTF8_STRING, n.as_bytes())).collect();
        name(&names)
    };
    let proxy = |subject: &[&str], issuer: &[&str], keys: (&str, &str), length: &[u8]| {
        let (own, signer) = (key(keys.0), key(keys.1));
        CertPlan::new(named(subject), named(issuer), own, signer).with(info(length))
    };
    let one = |length: &[u8]| proxy(&["Leaf", "1"], &["Leaf"], ("p256-3", LEAF), length);
    let two = || proxy(&["Leaf", "1", "2"], &["Leaf", "1"], ("p256-4", "p256-3"), &[]);
    topic.cert("one.pem", &one(&[]));
    topic.cert("closed.pem", &one(&[2, 1, 0]));
    topic.cert("two.pem", &two());
    topic.cert("other.pem", &proxy(&["Other", "1"], &["Leaf"], ("p256-3", LEAF), &[]));
    topic.cert("same.pem", &proxy(&["Leaf"], &["Leaf"], ("p256-3", LEAF), &[]));
    topic.cert(
        "of-ca.pem",
        &proxy(&["Intermediate", "1"], &["Intermediate"], ("p256-3", INTERMEDIATE), &[]),
    );
    let signing = leaf().with(extension(oid::KEY_USAGE, true, value::bits(0x80)));
    let enciphering = leaf().with(extension(oid::KEY_USAGE, true, value::bits(0x20)));
    topic.certs("below.pem", &[&intermediate(), &signing]);
    topic.certs("below-encipher.pem", &[&intermediate(), &enciphering]);
    topic.certs("below-one.pem", &[&intermediate(), &signing, &one(&[])]);
    topic.certs("below-closed.pem", &[&intermediate(), &signing, &one(&[2, 1, 0])]);
    let cases = [
        ("refused", "40 without the option", "-CAfile root.pem -untrusted below.pem one.pem"),
        ("one", "a proxy below a leaf", "-untrusted below.pem one.pem"),
        (
            "one-server",
            "its purpose is looked at",
            "-purpose sslserver -untrusted below.pem one.pem",
        ),
        ("two", "a proxy below a proxy", "-untrusted below-one.pem two.pem"),
        ("closed", "38: the upper one allows none", "-untrusted below-closed.pem two.pem"),
        ("other", "72: not the issuer's name and one more", "-untrusted below.pem other.pem"),
        ("same", "72: the issuer's own name", "-untrusted below.pem same.pem"),
        ("of-ca", "37: a CA issues no proxies", "-untrusted below.pem of-ca.pem"),
        ("no-signing", "39: its issuer must sign", "-untrusted below-encipher.pem one.pem"),
    ];
    for (case, why, args) in cases {
        let options = if case == "refused" { "" } else { "-allow_proxy_certs -CAfile root.pem" };
        topic.case(case, why, &format!("{options} {args}"));
    }
}

/// `-suiteB_128_only`, `-suiteB_128`, `-suiteB_192`.
pub(super) fn suite_b(topic: &mut Topic) {
    usual(topic);
    topic.crls("int.crl", &[&crl()]);
    topic.cert("root-384.pem", &ca("Big", "Big", "p384", "p384"));
    topic.cert("int-under-384.pem", &ca("Middle", "Big", INTERMEDIATE, "p384"));
    topic.cert(
        "leaf-384.pem",
        &CertPlan::new(common_name("Leaf"), common_name("Root"), key("p384"), key(ROOT)),
    );
    topic.cert(
        "leaf-rsa.pem",
        &CertPlan::new(common_name("Leaf"), common_name("Root"), key("rsa2047"), key(ROOT)),
    );
    topic.cert(
        "leaf-v1.pem",
        &CertPlan {
            version: None,
            ..CertPlan::new(common_name("Leaf"), common_name("Root"), key(LEAF), key(ROOT))
        },
    );
    for level in ["-suiteB_128_only", "-suiteB_128", "-suiteB_192", "-suiteB_128_only -suiteB_192"]
    {
        let usual = "-CAfile root.pem -untrusted int.pem leaf.pem";
        let tag = level.replace(" -", "-and-").replace('-', "");
        for (case, args) in [
            ("chain", usual),
            ("crl", "-crl_check -CRLfile int.crl -CAfile root.pem -untrusted int.pem leaf.pem"),
            ("big-root", "-CAfile root-384.pem root-384.pem"),
            ("under-big", "-CAfile root-384.pem int-under-384.pem"),
            ("big-leaf", "-CAfile root.pem leaf-384.pem"),
            ("rsa", "-CAfile root.pem leaf-rsa.pem"),
            ("v1", "-CAfile root.pem leaf-v1.pem"),
        ] {
            topic.case(
                &format!("{tag}-{case}"),
                "keys and digests of Suite B",
                &format!("{level} {args}"),
            );
        }
    }
}

/// The codes of Suite B for another curve and for another digest.
pub(super) fn suite_b_others(topic: &mut Topic) {
    usual(topic);
    let sha384 = der::sequence(&[&tlv(der::OID, oid::ECDSA_SHA384)]);
    let leaf = |of| CertPlan::new(common_name("Leaf"), common_name("Root"), key(of), key(ROOT));
    topic.cert("leaf-521.pem", &leaf("ec-P-521"));
    topic.cert("leaf-brainpool.pem", &leaf("ec-brainpoolP256r1"));
    // The signature is not one with SHA-384: the level is checked before it.
    let digest =
        CertPlan { inner: Some(sha384.clone()), outer: Some(sha384), ..leaf(INTERMEDIATE) };
    topic.cert("leaf-digest.pem", &digest);
    for level in ["-suiteB_128_only", "-suiteB_128", "-suiteB_192"] {
        for (case, why) in [
            ("521", "a curve that Suite B does not have"),
            ("brainpool", "a curve that Suite B does not have"),
            ("digest", "a CA on P-256 that says it signs with SHA-384"),
        ] {
            let name = format!("{}-{case}", level.replace('-', ""));
            topic.case(&name, why, &format!("{level} -CAfile root.pem leaf-{case}.pem"));
        }
    }
}

/// `-use_deltas`: what a delta adds to its base.
pub(super) fn use_deltas(topic: &mut Topic) {
    usual(topic);
    let number = |n| extension(oid::CRL_NUMBER, false, vec![2, 1, n]);
    let with = |mut plan: CrlPlan, more: &[crate::forge::Extension]| {
        plan.extensions.extend_from_slice(more);
        plan
    };
    let base = || with(crl(), &[number(5), extension(oid::FRESHEST_CRL, false, vec![0x30, 0])]);
    let silent = || with(crl(), &[number(5)]);
    let delta = |base: u8, n: u8| {
        with(crl(), &[number(n), extension(oid::DELTA_CRL, true, vec![2, 1, base])])
    };
    let listed = |plan: CrlPlan, reason: &[u8]| CrlPlan {
        revoked: vec![(vec![1], vec![extension(oid::CRL_REASON, false, reason.to_vec())])],
        ..plan
    };
    let ended = |plan: CrlPlan| CrlPlan {
        next_update: Some((der::UTC_TIME, b"230601000000Z".to_vec())),
        ..plan
    };
    let files: [(&str, &str, Vec<CrlPlan>); 9] = [
        ("added", "23: the delta revokes", vec![base(), listed(delta(5, 6), &[0x0a, 1, 1])]),
        (
            "removed",
            "the delta takes the certificate off the list",
            vec![listed(base(), &[0x0a, 1, 6]), listed(delta(5, 6), &[0x0a, 1, 8])],
        ),
        (
            "silent",
            "nothing says that there are deltas",
            vec![silent(), listed(delta(5, 6), &[0x0a, 1, 1])],
        ),
        ("older", "a delta that is not newer", vec![base(), listed(delta(5, 5), &[0x0a, 1, 1])]),
        ("later-base", "a delta of a later base", vec![base(), listed(delta(6, 7), &[0x0a, 1, 1])]),
        ("ended-base", "the base has ended, the delta not", vec![ended(base()), delta(5, 6)]),
        ("ended-delta", "the delta has ended", vec![base(), ended(delta(5, 6))]),
        ("ended-both", "12 for both", vec![ended(base()), ended(delta(5, 6))]),
        ("alone", "3: a delta alone", vec![delta(5, 6)]),
    ];
    for (case, why, plans) in files {
        topic.crls(&format!("{case}.crl"), &plans.iter().collect::<Vec<_>>());
        for (tag, option) in [("", "-use_deltas"), ("-plain", "")] {
            topic.case(
                &format!("{case}{tag}"),
                why,
                &format!("{option} -crl_check -CAfile root.pem -untrusted int.pem -CRLfile {case}.crl leaf.pem"),
            );
        }
    }
}

/// `-extended_crl`: lists of an issuer with a certificate of its own, and for some reasons only.
pub(super) fn indirect(topic: &mut Topic) {
    usual(topic);
    let issuer = |usage: u16, by: &str, signer: &str| {
        CertPlan::new(common_name("Lists"), common_name(by), key("p256-4"), key(signer))
            .with(extension(oid::KEY_USAGE, true, value::bits(usage)))
    };
    topic.certs("lists.pem", &[&intermediate(), &issuer(0x02, "Root", ROOT)]);
    topic.certs("other-usage.pem", &[&intermediate(), &issuer(0x80, "Root", ROOT)]);
    topic.certs("stranger.pem", &[&intermediate(), &issuer(0x02, "Nobody", "p256-3")]);
    topic.certs("forged.pem", &[&intermediate(), &issuer(0x02, "Root", "p256-3")]);
    let by = tlv(0xa2, &value::general(4, &common_name("Lists")));
    let uri = tlv(0xa0, &tlv(0xa0, &value::general(6, b"http://crl/a")));
    let points = value::list(&[der::sequence(&[&uri, &by])]);
    let pointed = leaf().with(extension(oid::CRL_DISTRIBUTION_POINTS, false, points));
    topic.cert("pointed.pem", &pointed);
    let scope =
        |parts: &[&[u8]]| extension(oid::ISSUING_DISTRIBUTION_POINT, true, der::sequence(parts));
    let list = |revoked: bool| {
        let names = value::list(&[value::general(4, &common_name("Intermediate"))]);
        let entry = (vec![1], vec![extension(oid::CERTIFICATE_ISSUER, true, names)]);
        let mut plan = CrlPlan::new(common_name("Lists"), key("p256-4"));
        plan.extensions.push(scope(&[&[0x84, 1, 0xff]]));
        plan.revoked = if revoked { vec![entry] } else { Vec::new() };
        plan
    };
    let some = |reasons: &[u8]| {
        let mut plan = crl();
        plan.extensions.push(scope(&[reasons]));
        plan
    };
    topic.crls("clean.crl", &[&list(false)]);
    topic.crls("revoking.crl", &[&list(true)]);
    topic.crls("some.crl", &[&some(&[0x83, 2, 1, 0x60])]);
    topic.crls("all-in-parts.crl", &[&some(&[0x83, 2, 1, 0x7e]), &some(&[0x83, 3, 7, 0x01, 0x80])]);
    let cases = [
        ("clean", "-untrusted lists.pem -CRLfile clean.crl pointed.pem"),
        ("revoking", "-untrusted lists.pem -CRLfile revoking.crl pointed.pem"),
        ("unpointed", "-untrusted lists.pem -CRLfile clean.crl leaf.pem"),
        ("other-usage", "-untrusted other-usage.pem -CRLfile clean.crl pointed.pem"),
        ("stranger", "-untrusted stranger.pem -CRLfile clean.crl pointed.pem"),
        ("forged", "-untrusted forged.pem -CRLfile clean.crl pointed.pem"),
        ("named", "-verify_hostname a.example -untrusted lists.pem -CRLfile clean.crl pointed.pem"),
        (
            "policies",
            "-policy_check -policy_print -untrusted lists.pem -CRLfile clean.crl pointed.pem",
        ),
        ("explicit", "-explicit_policy -untrusted lists.pem -CRLfile clean.crl pointed.pem"),
        ("two", "-untrusted other-usage.pem -CRLfile clean.crl pointed.pem pointed.pem"),
        ("some", "-untrusted int.pem -CRLfile some.crl leaf.pem"),
        ("all-in-parts", "-untrusted int.pem -CRLfile all-in-parts.crl leaf.pem"),
    ];
    for (case, args) in cases {
        let why = "an indirect list, or one for some reasons";
        topic.case(case, why, &format!("-extended_crl -crl_check -CAfile root.pem {args}"));
        topic.case(&format!("{case}-plain"), why, &format!("-crl_check -CAfile root.pem {args}"));
    }
    topic.case(
        "apart",
        "the chain of a CRL's issuer ignores -trusted",
        "-extended_crl -crl_check -trusted root.pem -untrusted lists.pem -CRLfile clean.crl pointed.pem",
    );
}

/// `-CApath`, `-CAstore`, `-verify_name`, `-vfyopt`.
pub(super) fn stores(topic: &mut Topic) {
    usual(topic);
    let hash = |plan: &CertPlan| {
        let cert = meshpki::Cert::from_der(&plan.sign()).expect("a certificate");
        subject_hash(cert.subject())
    };
    topic.file(&format!("hashed/{}.0", hash(&root())), pem_of(&root()));
    topic.certs("both.pem", &[&root(), &intermediate()]);
    let private = crate::forge::private("p256-5").expect("a key");
    let with_key = pem_of(&root()) + &meshpki::internals::pem::encode("PRIVATE KEY", &private);
    topic.file("with-key.pem", with_key);
    topic.file("empty.txt", "nothing\n");
    let cases = [
        ("path", "-CApath hashed -no-CAfile -untrusted int.pem leaf.pem"),
        ("path-and-file", "-CApath hashed -CAfile int.pem -untrusted int.pem leaf.pem"),
        ("path-nowhere", "-CApath nowhere leaf.pem"),
        ("path-empty", "-CApath= leaf.pem"),
        ("path-file", "-CApath root.pem leaf.pem"),
        ("path-trusted", "-CApath hashed -trusted root.pem leaf.pem"),
        ("store-folder", "-CAstore hashed -no-CAfile -untrusted int.pem leaf.pem"),
        ("store-file", "-CAstore root.pem -no-CAfile -untrusted int.pem leaf.pem"),
        ("store-both", "-CAstore both.pem -no-CAfile leaf.pem"),
        ("store-key", "-CAstore with-key.pem -no-CAfile -untrusted int.pem leaf.pem leaf.pem"),
        ("store-empty", "-CAstore empty.txt -no-CAfile -untrusted int.pem leaf.pem"),
        ("store-nowhere", "-CAstore nowhere -no-CAfile leaf.pem"),
        ("store-scheme", "-CAstore http://a/b -no-CAfile leaf.pem"),
        ("store-trusted", "-CAstore hashed -trusted root.pem leaf.pem"),
        ("name-client", "-verify_name ssl_client -CAfile root.pem -untrusted int.pem leaf.pem"),
        ("name-pkcs7", "-verify_name pkcs7 -CAfile root.pem -untrusted int.pem leaf.pem"),
        ("name-code", "-verify_name code_sign -CAfile root.pem -untrusted int.pem leaf.pem"),
        (
            "name-depth",
            "-verify_depth 0 -verify_name default -CAfile root.pem -untrusted int.pem leaf.pem",
        ),
        ("name-unknown", "-verify_name nothing leaf.pem"),
        ("id", "-vfyopt distid:1234 -CAfile root.pem -untrusted int.pem leaf.pem int.pem root.pem"),
        ("id-hex", "-vfyopt hexdistid:12zz -CAfile root.pem -untrusted int.pem leaf.pem"),
        ("id-other", "-vfyopt digest:sha256 -CAfile root.pem -untrusted int.pem leaf.pem"),
    ];
    for (case, args) in cases {
        let args: Vec<&str> = args.split_whitespace().collect();
        topic.bare(
            case,
            "where trusted certificates are, and what else is asked",
            &[&["-attime", "1700000000"], &args[..]].concat(),
        );
    }
}
