//! Chain building, time, signatures, strength.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use super::{
    INTERMEDIATE, LEAF, ROOT, Topic, ca, from, intermediate, key, leaf, leaf_of, replaced, root,
    until, usual, without,
};
use crate::forge::{Rsa, extension, value};
use crate::world::common_name;

pub(super) fn chain(topic: &mut Topic) {
    usual(topic);
    topic.case(
        "good",
        "root, intermediate, leaf",
        "-show_chain -CAfile root.pem -untrusted int.pem leaf.pem",
    );
    topic.case("no-issuer", "nobody signed the leaf: 20", "-CAfile root.pem leaf.pem");
    topic.case(
        "no-root",
        "the intermediate's issuer is missing: 20 at its depth",
        "-CAfile leaf.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "trusted-intermediate",
        "an intermediate in the store ends no chain: 2",
        "-CAfile int.pem leaf.pem",
    );
    topic.case(
        "untrusted-root",
        "once the store was used -untrusted is closed: 2",
        "-CAfile int.pem -untrusted root.pem leaf.pem",
    );
    topic.case(
        "partial-chain",
        "-partial_chain makes it an anchor",
        "-show_chain -partial_chain -CAfile int.pem leaf.pem",
    );
    topic.case(
        "self-signed-target",
        "a self-signed target nobody trusts: 18, let through",
        "-CAfile leaf.pem root.pem",
    );
    topic.certs("int-root.pem", &[&intermediate(), &root()]);
    topic.case(
        "self-signed-in-chain",
        "a self-signed certificate from -untrusted: 19",
        "-CAfile leaf.pem -untrusted int-root.pem leaf.pem",
    );
    topic.case("root-itself", "the anchor as target", "-show_chain -CAfile root.pem root.pem");
    topic.case(
        "leaf-in-store",
        "a leaf in the store is no anchor: 20",
        "-CAfile leaf.pem leaf.pem",
    );
    topic.case(
        "leaf-in-store-partial",
        "with -partial_chain it is",
        "-show_chain -partial_chain -CAfile leaf.pem leaf.pem",
    );
    topic.case(
        "leaf-in-store-tail",
        "then an untrusted tail stays in the chain, without its mark",
        "-show_chain -partial_chain -CAfile leaf.pem -untrusted int.pem leaf.pem",
    );
    for depth in ["0", "1", "-1", "0x10"] {
        topic.case(
            &format!("depth{depth}"),
            "-verify_depth goes through atoi",
            &format!("-verify_depth {depth} -CAfile root.pem -untrusted int.pem leaf.pem"),
        );
    }
    candidates(topic);
    same_names(topic);
    topic.cert("loop-a.pem", &ca("A", "B", ROOT, INTERMEDIATE));
    topic.cert("loop-b.pem", &ca("B", "A", INTERMEDIATE, ROOT));
    topic.cert("loop-leaf.pem", &leaf_of("Leaf", "A", ROOT));
    topic.case(
        "trusted-loop",
        "two CAs that sign each other, trusted: 22 at depth 101",
        "-trusted loop-a.pem -trusted loop-b.pem loop-leaf.pem",
    );
    topic.case(
        "untrusted-loop",
        "untrusted: each is used once, 20",
        "-CAfile root.pem -untrusted loop-a.pem -untrusted loop-b.pem loop-leaf.pem",
    );
}

/// Which of several issuers is taken.
fn candidates(topic: &mut Topic) {
    let expired = until(intermediate(), "220101000000Z");
    let later = until(from(intermediate(), "300101000000Z"), "350101000000Z");
    topic.certs("expired-good.pem", &[&expired, &intermediate()]);
    topic.certs("expired-later.pem", &[&expired, &later]);
    topic.case(
        "valid-first",
        "the candidate valid now wins",
        "-show_chain -CAfile root.pem -untrusted expired-good.pem leaf.pem",
    );
    topic.case(
        "latest-end",
        "if none is, the one that ends last: 9",
        "-CAfile root.pem -untrusted expired-later.pem leaf.pem",
    );
    topic.case(
        "no-check-time",
        "-attime overrides -no_check_time",
        "-no_check_time -CAfile root.pem -untrusted expired-later.pem leaf.pem",
    );
    let other_key = ca("Intermediate", "Root", "p256-5", ROOT);
    let no_ids = without(other_key, oid::SUBJECT_KEY_ID);
    topic.certs("wrong-key-first.pem", &[&no_ids, &intermediate()]);
    topic.case(
        "wrong-key",
        "no second try after a wrong key: 7",
        "-CAfile root.pem -untrusted wrong-key-first.pem leaf.pem",
    );
    let mut cross = ca("Root", "Old Root", ROOT, "p256-3");
    cross.serial = vec![9];
    topic.certs("cross-first.pem", &[&cross, &root()]);
    topic.certs("cross-last.pem", &[&root(), &cross]);
    topic.case(
        "cross-first",
        "a cross-sign before the root is taken: 2",
        "-CAfile cross-first.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "cross-last",
        "behind it it is not",
        "-CAfile cross-last.pem -untrusted int.pem leaf.pem",
    );
}

/// Root rotation: several roots of one name.
fn same_names(topic: &mut Topic) {
    let plain = |key_name| {
        let plan = without(ca("Root", "Root", key_name, key_name), oid::AUTHORITY_KEY_ID);
        without(plan, oid::SUBJECT_KEY_ID)
    };
    topic.certs("twins.pem", &[&plain("p256-3"), &plain("p256-4")]);
    topic.cert("twin2.pem", &plain("p256-4"));
    topic.case(
        "twin-roots",
        "the second of two same-named roots without key ids: 18",
        "-CAfile twins.pem twin2.pem",
    );
    topic.case(
        "twin-roots-partial",
        "-trusted and -partial_chain accept it",
        "-partial_chain -trusted twins.pem twin2.pem",
    );
    topic.certs("twins-ids.pem", &[&ca("Root", "Root", "p256-3", "p256-3"), &root()]);
    topic.case(
        "twins-with-ids",
        "key ids tell them apart",
        "-show_chain -CAfile twins-ids.pem -untrusted int.pem leaf.pem",
    );
    topic.cert("reissued.pem", &until(root(), "300101000000Z"));
    topic.case(
        "reissued-target",
        "a re-issued root while the other is trusted: 18",
        "-CAfile root.pem reissued.pem",
    );
    topic.cert("named-leaf.pem", &leaf_of("Root", "Root", ROOT));
    topic.case(
        "leaf-with-roots-name",
        "a leaf of the root's name, with its key id",
        "-CAfile root.pem named-leaf.pem",
    );
}

pub(super) fn time(topic: &mut Topic) {
    usual(topic);
    topic.cert("expired-root.pem", &until(root(), "220101000000Z"));
    topic.cert("expired-leaf.pem", &until(leaf(), "220101000000Z"));
    topic.cert("future-leaf.pem", &from(leaf(), "300101000000Z"));
    topic.cert("edge-leaf.pem", &until(leaf(), "231114221320Z"));
    topic.cert("edge-start.pem", &from(leaf(), "231114221320Z"));
    topic.case(
        "expired-leaf",
        "an expired leaf: 10 goes on",
        "-CAfile root.pem -untrusted int.pem expired-leaf.pem",
    );
    topic.case(
        "expired-both",
        "the root comes first",
        "-CAfile expired-root.pem -untrusted int.pem expired-leaf.pem",
    );
    topic.case(
        "future-leaf",
        "a leaf of the future: 9 stops",
        "-CAfile root.pem -untrusted int.pem future-leaf.pem",
    );
    topic.case(
        "last-second",
        "the second of notAfter is expired",
        "-CAfile root.pem -untrusted int.pem edge-leaf.pem",
    );
    topic.case(
        "first-second",
        "the second of notBefore is valid",
        "-CAfile root.pem -untrusted int.pem edge-start.pem",
    );
    let forms: [(&str, u8, &str); 6] = [
        ("no-seconds", der::UTC_TIME, "2001010000Z"),
        ("offset", der::UTC_TIME, "200101000000+0100"),
        ("february-30", der::UTC_TIME, "200230000000Z"),
        ("generalized", der::GENERALIZED_TIME, "20200101000000Z"),
        ("fraction", der::GENERALIZED_TIME, "20200101000000.5Z"),
        ("year-0", der::GENERALIZED_TIME, "00000101000000Z"),
    ];
    for (name, tag, text) in forms {
        let mut plan = leaf();
        plan.not_before = (tag, text.into());
        topic.cert(&format!("{name}.pem"), &plan);
        topic.case(
            name,
            "forms of notBefore: 13 unless RFC 5280 allows it",
            &format!("-CAfile root.pem -untrusted int.pem {name}.pem"),
        );
        let mut plan = leaf();
        plan.not_after = (tag, text.into());
        topic.cert(&format!("end-{name}.pem"), &plan);
        topic.case(
            &format!("end-{name}"),
            "forms of notAfter: 14 unless RFC 5280 allows it",
            &format!("-CAfile root.pem -untrusted int.pem end-{name}.pem"),
        );
    }
    for at in ["0x65000000", "-5", "010", "253402300799", "253402300800"] {
        topic.bare(
            &format!("at{at}"),
            "numbers of -attime; beyond the year 9999 nothing compares",
            &[
                "-no-CApath",
                "-no-CAstore",
                "-attime",
                at,
                "-CAfile",
                "root.pem",
                "-untrusted",
                "int.pem",
                "leaf.pem",
            ],
        );
    }
    topic.bare(
        "no-check-time",
        "-no_check_time alone",
        &[
            "-no-CApath",
            "-no-CAstore",
            "-no_check_time",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "int.pem",
            "expired-leaf.pem",
        ],
    );
}

pub(super) fn signature(topic: &mut Topic) {
    usual(topic);
    let broken = |mut plan: crate::forge::CertPlan| {
        plan.broken = true;
        plan
    };
    topic.cert("broken-leaf.pem", &broken(leaf()));
    topic.cert("broken-root.pem", &broken(root()));
    topic.cert("broken-expired.pem", &broken(until(leaf(), "220101000000Z")));
    topic.case(
        "broken-leaf",
        "a signature that does not hold: 7 stops",
        "-CAfile root.pem -untrusted int.pem broken-leaf.pem",
    );
    topic.case(
        "broken-expired",
        "7 comes before the time of the same certificate",
        "-CAfile root.pem -untrusted int.pem broken-expired.pem",
    );
    topic.case(
        "broken-root",
        "a root's own signature is not looked at",
        "-CAfile broken-root.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "broken-root-checked",
        "unless -check_ss_sig",
        "-check_ss_sig -CAfile broken-root.pem -untrusted int.pem leaf.pem",
    );
    let usage = |bits| extension(oid::KEY_USAGE, true, value::bits(bits));
    topic.cert("int-no-sign.pem", &replaced(intermediate(), usage(0x80)));
    topic.case(
        "no-cert-sign",
        "an issuer without keyCertSign: 79, then 32",
        "-CAfile root.pem -untrusted int-no-sign.pem leaf.pem",
    );
    let sha384 = der::sequence(&[&tlv(der::OID, oid::ECDSA_SHA384)]);
    let mut mismatch = leaf();
    mismatch.outer = Some(sha384.clone());
    topic.cert("mismatch.pem", &mismatch);
    topic.case(
        "algorithms-differ",
        "inner and outer algorithm differ: 7",
        "-CAfile root.pem -untrusted int.pem mismatch.pem",
    );
    topic.case(
        "algorithms-differ-strict",
        "78 first under -x509_strict",
        "-x509_strict -CAfile root.pem -untrusted int.pem mismatch.pem",
    );
    let mut other = leaf();
    other.inner = Some(sha384);
    topic.cert("wrong-hash.pem", &other);
    topic.case(
        "wrong-hash",
        "another digest than was signed: 7",
        "-CAfile root.pem -untrusted int.pem wrong-hash.pem",
    );
    let mut unknown = leaf();
    unknown.inner = Some(der::sequence(&[&tlv(der::OID, &[0x2a, 3, 4])]));
    topic.cert("unknown-algorithm.pem", &unknown);
    topic.case(
        "unknown-algorithm",
        "an unknown signature algorithm finds no issuer: 20",
        "-CAfile root.pem -untrusted int.pem unknown-algorithm.pem",
    );
    for (name, rsa) in [
        ("sha256", Rsa::Sha256),
        ("sha384", Rsa::Sha384),
        ("sha512", Rsa::Sha512),
        ("pss", Rsa::Pss256),
    ] {
        let mut plan = leaf_of("Leaf", "RSA Root", "rsa2048-0");
        plan.rsa = rsa;
        topic.cert(&format!("rsa-{name}.pem"), &plan);
        topic.case(
            &format!("rsa-{name}"),
            "RSA signatures",
            &format!("-CAfile rsa-root.pem rsa-{name}.pem"),
        );
    }
    topic.cert("rsa-root.pem", &ca("RSA Root", "RSA Root", "rsa2048-0", "rsa2048-0"));
    for name in ["p384", "ed25519"] {
        topic.cert(&format!("{name}-root.pem"), &ca("Other Root", "Other Root", name, name));
        topic.cert(&format!("{name}.pem"), &leaf_of("Leaf", "Other Root", name));
        topic.case(name, "P-384 and Ed25519 keys", &format!("-CAfile {name}-root.pem {name}.pem"));
    }
}

pub(super) fn strength(topic: &mut Topic) {
    usual(topic);
    for level in ["0", "1", "2", "3", "4", "5", "9", "-1"] {
        topic.case(
            &format!("level{level}"),
            "P-256 has 128 bits: good up to 3",
            &format!("-auth_level {level} -CAfile root.pem -untrusted int.pem leaf.pem"),
        );
    }
    for name in [
        "rsa512",
        "rsa1024",
        "rsa2047",
        "rsa4096",
        "ec-P-224",
        "ec-P-521",
        "ec-prime192v1",
        "ec-secp256k1",
        "ed448",
        "x25519",
        "dsa2048",
        "ec-explicit",
        "ec-compressed",
    ] {
        let mut plan = leaf();
        plan.spki.clone_from(&crate::forge::KEYS[key(name)].spki);
        topic.cert(&format!("{name}.pem"), &plan);
        for level in ["1", "2", "3"] {
            topic.case(
                &format!("{name}-{level}"),
                "strength of the leaf's key: 66, or 94 for explicit curves",
                &format!("-auth_level {level} -CAfile root.pem -untrusted int.pem {name}.pem"),
            );
        }
    }
    let mut weak = ca("Weak", "Root", INTERMEDIATE, ROOT);
    weak.spki.clone_from(&crate::forge::KEYS[key("rsa1024")].spki);
    topic.cert("weak-ca.pem", &weak);
    let mut below = leaf_of("Leaf", "Weak", LEAF);
    let sha1 = |oid| Some(der::sequence(&[&tlv(der::OID, oid), &tlv(der::NULL, &[])]));
    below.inner = sha1(oid::RSA_SHA256);
    below.extensions.retain(|e| e.oid != oid::AUTHORITY_KEY_ID);
    topic.cert("below-weak.pem", &below);
    topic.case(
        "weak-ca",
        "a weak CA key: 67",
        "-auth_level 2 -CAfile root.pem -untrusted weak-ca.pem below-weak.pem",
    );
    let mut signed = leaf_of("Leaf", "RSA Root", "rsa2048-0");
    signed.inner = sha1(oid::RSA_SHA1);
    topic.cert("sha1.pem", &signed);
    topic.cert("rsa-root.pem", &ca("RSA Root", "RSA Root", "rsa2048-0", "rsa2048-0"));
    topic.case(
        "sha1",
        "a weak digest: 68, before the signature is looked at",
        "-auth_level 2 -CAfile rsa-root.pem sha1.pem",
    );
    let mut garbage = leaf();
    garbage.spki =
        der::sequence(&[&der::sequence(&[&tlv(der::OID, &[0x2a, 3])]), &der::bit_string(&[1])]);
    garbage.subject = common_name("Garbage key");
    topic.cert("garbage-key.pem", &garbage);
    topic.case(
        "garbage-key-untrusted",
        "an undecodable key under an issuer of -untrusted: 1",
        "-CAfile root.pem -untrusted int.pem garbage-key.pem",
    );
    topic.case(
        "garbage-key-trusted",
        "under an issuer of the store: no error line at all",
        "-partial_chain -CAfile int.pem garbage-key.pem",
    );
    topic.case("garbage-key-alone", "without any issuer: 20", "-CAfile root.pem garbage-key.pem");
}
