//! What releases of openssl answer differently.

use meshpki::internals::der;
use meshpki::internals::oid;

use super::revocation::crl;
use super::{CrlPlan, ROOT, Topic, from, intermediate, key, leaf, replaced, usual};
use crate::forge::{Extension, extension, value};
use crate::world::common_name;

pub(super) fn releases(topic: &mut Topic) {
    usual(topic);
    uris(topic);
    code_signing(topic);
    crls(topic);
    topic.cert("short.pem", &from(leaf(), "2301010000Z"));
    topic.case(
        "short",
        "a time without seconds: 13, since 3.5 not read",
        "-CAfile root.pem -untrusted int.pem short.pem",
    );
    topic.case(
        "future",
        "the words of 9 in 3.6",
        "-attime 1000000000 -CAfile root.pem -untrusted int.pem leaf.pem",
    );
    for (name, argument) in
        [("nowhere", "nowhere.pem"), ("scheme", "x:y"), ("uri", "file:/nowhere")]
    {
        let why = "what openssl says if there is no file, with the system's words since 3.2";
        topic.case(name, why, &format!("-CAfile root.pem {argument}"));
        topic.case(
            &format!("{name}-untrusted"),
            why,
            &format!("-CAfile root.pem -untrusted {argument} leaf.pem"),
        );
    }
    topic.case("not-a-folder", "the system's other words", "-CAfile root.pem leaf.pem/x");
    topic.case("provparam", "an option since 3.5", "-provparam");
}

/// The host of a URI under a constraint.
fn uris(topic: &mut Topic) {
    let base = value::name_constraints(&[value::general(6, b"a.example")], &[]);
    topic.cert("uris.pem", &intermediate().with(extension(oid::NAME_CONSTRAINTS, true, base)));
    let uris: [(&str, &[u8], &str); 8] = [
        ("colon", b"spiffe://a.example/x:y", "a colon in the path: the host goes up to it in 3.0"),
        ("query", b"spiffe://a.example?x", "a query ends a host since 3.5"),
        ("user", b"https://u:p@a.example/", "a user before the host since 3.5"),
        ("port", b"https://a.example:65536/", "a port above 65535, refused since 3.5"),
        ("wrapped", b"https://a.example:4294967297/", "a port of which the lowest bits count"),
        ("schemes", b"a:b://a.example/", "a colon in the scheme"),
        (
            "schemeless",
            b"a.example/x",
            "no scheme; the error queue ends with an empty line since 3.5",
        ),
        ("bracket", b"https://[a.example/", "a bracket that is not closed"),
    ];
    for (name, uri, why) in uris {
        let names = value::list(&[value::general(6, uri)]);
        topic.cert(
            &format!("uri-{name}.pem"),
            &replaced(leaf(), extension(oid::SUBJECT_ALT_NAME, false, names)),
        );
        topic.case(
            &format!("uri-{name}"),
            why,
            &format!("-CAfile root.pem -untrusted uris.pem uri-{name}.pem"),
        );
    }
}

/// `-purpose codesign`, which 3.0 does not have.
fn code_signing(topic: &mut Topic) {
    let usage = |critical, bits| extension(oid::KEY_USAGE, critical, value::bits(bits));
    let code: &[&[u8]] = &[oid::EKU_CODE_SIGNING];
    let server: &[&[u8]] = &[oid::EKU_CODE_SIGNING, oid::EKU_SERVER_AUTH];
    type Leaf<'a> = (&'a str, Option<Extension>, &'a [&'a [u8]], &'a str);
    let leaves: [Leaf; 5] = [
        ("good", Some(usage(true, 0x80)), code, "a certificate that may sign code"),
        ("no-usage", None, code, "it must have a key usage"),
        ("not-critical", Some(usage(false, 0x80)), code, "which must be critical"),
        ("signs-certs", Some(usage(true, 0x84)), code, "and not be that of a CA"),
        ("server", Some(usage(true, 0x80)), server, "nor may it be for servers"),
    ];
    for (name, usage, extended, why) in leaves {
        let mut plan = leaf().with(extension(oid::EXT_KEY_USAGE, false, value::oids(extended)));
        plan.extensions.extend(usage);
        topic.cert(&format!("code-{name}.pem"), &plan);
        topic.case(
            &format!("code-{name}"),
            why,
            &format!("-purpose codesign -CAfile root.pem -untrusted int.pem code-{name}.pem"),
        );
    }
}

fn crls(topic: &mut Topic) {
    let mut empty = crl();
    empty.extensions.push(extension(oid::ISSUING_DISTRIBUTION_POINT, true, der::sequence(&[])));
    topic.crls("empty-scope.crl", &[&empty]);
    topic.case(
        "empty-scope",
        "an issuingDistributionPoint that limits nothing: 3 since 3.5",
        "-crl_check -CAfile root.pem -untrusted int.pem -CRLfile empty-scope.crl leaf.pem",
    );
    let of_root = CrlPlan::new(common_name("Root"), key(ROOT));
    let revoking = CrlPlan { revoked: vec![(vec![1], Vec::new())], ..of_root };
    topic.crls("roots.crl", &[&crl(), &revoking]);
    topic.case(
        "revoked-root",
        "a root that revoked itself: 3.6 does not look",
        "-crl_check_all -show_chain -CAfile root.pem -CRLfile roots.crl root.pem",
    );
    let mut short = crl();
    short.this_update = (der::UTC_TIME, b"2301010000Z".to_vec());
    topic.crls("short.crl", &[&short]);
    topic.case(
        "short-crl",
        "a CRL with a time without seconds: 15, since 3.5 not read",
        "-crl_check -CAfile root.pem -untrusted int.pem -CRLfile short.crl leaf.pem",
    );
}
