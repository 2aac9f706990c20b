//! CRLs: choice, checks, scope.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use super::{CrlPlan, INTERMEDIATE, ROOT, Topic, intermediate, key, leaf, replaced, root, usual};
use crate::forge::{Extension, extension, value};
use crate::world::common_name;

const USUAL: &str = "-crl_check -CAfile root.pem -untrusted int.pem";

pub(super) fn crl() -> CrlPlan {
    CrlPlan::new(common_name("Intermediate"), key(INTERMEDIATE))
}

fn revoking() -> CrlPlan {
    CrlPlan { revoked: vec![(vec![1], Vec::new())], ..crl() }
}

fn time(text: &str) -> (u8, Vec<u8>) {
    (der::UTC_TIME, text.into())
}

pub(super) fn revocation(topic: &mut Topic) {
    usual(topic);
    let reason = |code| vec![extension(oid::CRL_REASON, false, vec![0x0a, 1, code])];
    let with = |extension: Extension| {
        let mut plan = crl();
        plan.extensions.push(extension);
        plan
    };
    let plans: [(&str, &str, CrlPlan); 20] = [
        ("good", "a CRL that does not list it", crl()),
        ("revoked", "the serial number is listed: 23", revoking()),
        (
            "hold",
            "certificateHold is revoked",
            CrlPlan { revoked: vec![(vec![1], reason(6))], ..crl() },
        ),
        (
            "removed",
            "removeFromCRL is not",
            CrlPlan { revoked: vec![(vec![1], reason(8))], ..crl() },
        ),
        (
            "future",
            "a CRL of the future: 11 goes on",
            CrlPlan { this_update: time("300101000000Z"), ..crl() },
        ),
        (
            "expired",
            "an old CRL: 12 goes on",
            CrlPlan { next_update: Some(time("230601000000Z")), ..crl() },
        ),
        (
            "expired-revoked",
            "12, then 23",
            CrlPlan { next_update: Some(time("230601000000Z")), ..revoking() },
        ),
        (
            "last-second",
            "the second of nextUpdate is out",
            CrlPlan { next_update: Some(time("231114221320Z")), ..crl() },
        ),
        ("no-next", "nextUpdate may be absent", CrlPlan { next_update: None, ..crl() }),
        (
            "bad-this",
            "a thisUpdate without seconds: 15",
            CrlPlan { this_update: time("2301010000Z"), ..crl() },
        ),
        (
            "bad-next",
            "a nextUpdate without seconds: 16",
            CrlPlan { next_update: Some(time("2301010000Z")), ..crl() },
        ),
        ("broken", "a signature that does not hold: 8", CrlPlan { broken: true, ..crl() }),
        ("other-key", "signed by another key: 8", CrlPlan { signer: key("p256-5"), ..crl() }),
        ("other-issuer", "nobody's CRL: 3", CrlPlan::new(common_name("Nobody"), key(INTERMEDIATE))),
        ("v1", "a v1 CRL is fine", CrlPlan { version: None, ..crl() }),
        (
            "unknown-critical",
            "a critical unknown extension: 36",
            with(extension(&[0x2a, 3, 9], true, vec![5, 0])),
        ),
        (
            "number-critical",
            "a critical crlNumber counts as unknown: 36",
            with(extension(oid::CRL_NUMBER, true, vec![2, 1, 1])),
        ),
        (
            "wrong-akid",
            "another key's id: 3",
            with(extension(
                oid::AUTHORITY_KEY_ID,
                false,
                value::authority(Some(&[9; 20]), None, None),
            )),
        ),
        (
            "only-ca",
            "for CAs only: 44",
            with(extension(oid::ISSUING_DISTRIBUTION_POINT, true, vec![0x30, 3, 0x82, 1, 0xff])),
        ),
        (
            "delta",
            "a delta CRL alone is no answer: 3",
            with(extension(oid::DELTA_CRL, true, vec![2, 1, 1])),
        ),
    ];
    for (name, why, plan) in &plans {
        topic.crls(&format!("{name}.crl"), &[plan]);
        topic.case(name, why, &format!("{USUAL} -CRLfile {name}.crl leaf.pem"));
        topic.case(
            &format!("ignored-{name}"),
            "without -crl_check nobody looks",
            &format!("-CAfile root.pem -untrusted int.pem -CRLfile {name}.crl leaf.pem"),
        );
    }
    topic.case("none", "no CRL at all: 3", &format!("{USUAL} leaf.pem"));
    choice(topic);
    chains(topic);
    let entry = extension(&[0x2a, 3, 9], true, vec![5, 0]);
    topic.crls("entry.crl", &[&CrlPlan { revoked: vec![(vec![7], vec![entry])], ..crl() }]);
    topic.case(
        "entry-critical",
        "a critical unknown entry extension: 36",
        &format!("{USUAL} -CRLfile entry.crl leaf.pem"),
    );
    topic.case(
        "entry-critical-ignored",
        "-ignore_critical",
        &format!("-ignore_critical {USUAL} -CRLfile entry.crl leaf.pem"),
    );
    let usage = extension(oid::KEY_USAGE, true, value::bits(0x04));
    topic.cert("int-no-crl.pem", &replaced(intermediate(), usage));
    topic.case(
        "no-crl-sign",
        "an issuer without cRLSign: 35",
        "-crl_check -CAfile root.pem -untrusted int-no-crl.pem -CRLfile good.crl leaf.pem",
    );
    let uri = value::general(6, b"http://crl/a");
    let point = tlv(0xa0, &tlv(0xa0, &uri));
    let points = der::sequence(&[&der::sequence(&[&point])]);
    topic.cert(
        "leaf-point.pem",
        &leaf().with(extension(oid::CRL_DISTRIBUTION_POINTS, false, points)),
    );
    topic.crls(
        "point.crl",
        &[&with(extension(oid::ISSUING_DISTRIBUTION_POINT, true, der::sequence(&[&point])))],
    );
    topic.case(
        "point-matches",
        "the CRL of the certificate's distribution point",
        &format!("{USUAL} -CRLfile point.crl leaf-point.pem"),
    );
    topic.case(
        "point-differs",
        "a CRL of a point the certificate does not name: 44",
        &format!("{USUAL} -CRLfile point.crl leaf.pem"),
    );
}

/// Which of several CRLs is taken.
fn choice(topic: &mut Topic) {
    let later = CrlPlan { this_update: time("230701000000Z"), ..crl() };
    topic.crls("two-later.crl", &[&revoking(), &later]);
    topic.crls("two-equal.crl", &[&crl(), &revoking()]);
    topic.case(
        "later-wins",
        "the later thisUpdate wins",
        &format!("{USUAL} -CRLfile two-later.crl leaf.pem"),
    );
    topic.case(
        "first-of-equal",
        "of equal ones the first",
        &format!("{USUAL} -CRLfile two-equal.crl leaf.pem"),
    );
    let text = [
        super::pem_of(&root()),
        meshpki::internals::pem::encode(meshpki::internals::pem::CRL, &revoking().sign()),
    ]
    .concat();
    topic.file("root-and-crl.pem", text);
    topic.case(
        "crl-in-cafile",
        "CRLs of the store count",
        "-crl_check -CAfile root-and-crl.pem -untrusted int.pem leaf.pem",
    );
    topic.case(
        "crlfile-covers",
        "once an expired CRL of -CRLfile was taken the store's are out: 12, not 23",
        "-crl_check -CAfile root-and-crl.pem -untrusted int.pem -CRLfile expired.crl leaf.pem",
    );
}

/// `-crl_check_all`.
fn chains(topic: &mut Topic) {
    let of_root = |revoked: &[u8]| CrlPlan {
        revoked: vec![(revoked.to_vec(), Vec::new())],
        ..CrlPlan::new(common_name("Root"), key(ROOT))
    };
    topic.crls("all.crl", &[&crl(), &of_root(&[9])]);
    topic.crls("all-revoked.crl", &[&crl(), &of_root(&[1])]);
    topic.case(
        "all",
        "-crl_check_all wants the root's own CRL too",
        "-crl_check_all -CAfile root.pem -untrusted int.pem -CRLfile all.crl leaf.pem",
    );
    topic.case(
        "all-missing",
        "3 at the intermediate",
        "-crl_check_all -CAfile root.pem -untrusted int.pem -CRLfile good.crl leaf.pem",
    );
    topic.case(
        "all-revoked",
        "23 at every depth that is listed",
        "-crl_check_all -CAfile root.pem -untrusted int.pem -CRLfile all-revoked.crl leaf.pem",
    );
    topic.case(
        "all-partial",
        "a partial chain's anchor cannot be satisfied",
        "-partial_chain -crl_check_all -CAfile int.pem -CRLfile all.crl leaf.pem",
    );
}

/// Lists that must not be taken for an answer (refused since 3.0.22): deltas, and two algorithms.
pub(super) fn deltas(topic: &mut Topic) {
    usual(topic);
    let number = |n| extension(oid::CRL_NUMBER, false, vec![2, 1, n]);
    let delta_of = |value: &[u8]| extension(oid::DELTA_CRL, true, value.to_vec());
    let with = |mut plan: CrlPlan, extensions: &[Extension]| {
        plan.extensions.extend_from_slice(extensions);
        plan
    };
    let delta = || with(crl(), &[number(2), delta_of(&[2, 1, 1])]);
    let base = || with(crl(), &[number(1)]);
    let garbled = with(crl(), &[number(2), delta_of(&[5, 0])]);
    let twice = with(crl(), &[number(2), delta_of(&[2, 1, 1]), delta_of(&[2, 1, 1])]);
    let files: [(&str, &str, &[&CrlPlan]); 8] = [
        ("numbered", "a delta CRL with its number, alone: 3", &[&delta()]),
        ("base-and-delta", "a base and its delta: the base answers", &[&base(), &delta()]),
        (
            "revoking-delta",
            "what only the delta revokes is not seen, as without -use_deltas",
            &[&base(), &CrlPlan { revoked: vec![(vec![1], Vec::new())], ..delta() }],
        ),
        (
            "revoking-base",
            "what the base revokes is, whatever the delta says",
            &[&CrlPlan { revoked: vec![(vec![1], Vec::new())], ..base() }, &delta()],
        ),
        (
            "later-delta",
            "a later delta does not win over its base",
            &[&CrlPlan { this_update: time("230701000000Z"), ..delta() }, &revoking()],
        ),
        (
            "expired-base",
            "a delta does not stand in for a base that ended: 12",
            &[&CrlPlan { next_update: Some(time("230601000000Z")), ..base() }, &delta()],
        ),
        ("garbled", "an indicator that is no number makes no delta", &[&garbled]),
        ("twice", "neither do two of them", &[&twice]),
    ];
    for (name, why, plans) in files {
        topic.crls(&format!("{name}.crl"), plans);
        topic.case(name, why, &format!("{USUAL} -CRLfile {name}.crl leaf.pem"));
    }
    topic.file(
        "store.pem",
        [
            super::pem_of(&root()),
            meshpki::internals::pem::encode(meshpki::internals::pem::CRL, &delta().sign()),
        ]
        .concat(),
    );
    topic.case(
        "in-store",
        "a delta CRL of the trust store alone: 3",
        "-crl_check -CAfile store.pem -untrusted int.pem leaf.pem",
    );
    let id = |oid: &[u8], parameters: &[u8]| der::sequence(&[&tlv(der::OID, oid), parameters]);
    let algorithms: [(&str, Vec<u8>); 4] = [
        ("hash", id(oid::ECDSA_SHA384, &[])),
        ("kind", id(oid::RSA_SHA256, &[5, 0])),
        ("null", id(oid::ECDSA_SHA256, &[5, 0])),
        ("unknown", id(&[0x2a, 3, 4], &[])),
    ];
    for (name, algorithm) in algorithms {
        topic.crls(&format!("inner-{name}.crl"), &[&CrlPlan { inner: Some(algorithm), ..crl() }]);
        topic.case(
            &format!("inner-{name}"),
            "another algorithm inside the signed bytes than beside them: 8",
            &format!("{USUAL} -CRLfile inner-{name}.crl leaf.pem"),
        );
    }
    let null = |encoded: &[u8]| Some(id(oid::ECDSA_SHA256, encoded));
    let spelled = CrlPlan { inner: null(&[5, 0]), outer: null(&[5, 0x81, 0]), ..crl() };
    topic.crls("spelled.crl", &[&spelled]);
    topic.case(
        "spelled",
        "the same parameters in another encoding are the same",
        &format!("{USUAL} -CRLfile spelled.crl leaf.pem"),
    );
}
