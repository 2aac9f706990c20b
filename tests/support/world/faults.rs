//! Faults of certificates and CRLs.

use meshpki::internals::der::{self, Tag, tlv};
use meshpki::internals::oid;

use crate::forge::{CertPlan, CrlPlan, Extension, extension, signers, spki, value};
use crate::random::Random;

/// OIDs an extension may be lost, doubled or spoiled of.
const KNOWN: [&[u8]; 14] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXT_KEY_USAGE,
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
    oid::SUBJECT_ALT_NAME,
    oid::ISSUER_ALT_NAME,
    oid::NAME_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::NS_CERT_TYPE,
    oid::AUTHORITY_INFO_ACCESS,
    oid::PROXY_CERT_INFO,
    &[0x2a, 3, 9],
];

/// Values that are odd or garbage for most extensions.
const VALUES: [&[u8]; 12] = [
    &[],
    &[0x30, 0],
    &[0x30, 3, 1, 1, 0],
    &[0x30, 3, 1, 1, 0xff],
    &[0x30, 3, 2, 1, 0xff],
    &[3, 2, 0, 0],
    &[3, 1, 0],
    &[3, 3, 7, 0, 0x80],
    &[4, 0],
    &[5, 0],
    &[0x30, 6, 1, 1, 0xff, 2, 1, 0],
    &[0x30, 0, 0, 0],
];

/// One fault of a certificate.
pub(super) fn plan(random: &mut Random, plan: &mut CertPlan) {
    match random.below(17) {
        0 | 1 => drop_extension(random, plan),
        2 | 3 => set_value(random, plan),
        4 => double(random, plan),
        5 | 6 => add(random, plan),
        7 | 8 => times(random, plan),
        9 => plan.broken = true,
        10 => plan.signer = random.below(signers()),
        11 => version(random, plan),
        12 => algorithms(random, plan),
        13 => random.shuffle(&mut plan.extensions),
        14 => {
            let language = tlv(der::OID, &[0x2b, 6, 1, 5, 5, 7, 21, 1]);
            let info = der::sequence(&[&tlv(der::INTEGER, &[1]), &der::sequence(&[&language])]);
            plan.extensions.push(extension(oid::PROXY_CERT_INFO, random.one_in(2), info));
        }
        15 => key(random, plan),
        _ => constraints(random, plan),
    }
}

/// A public key nothing can be made of, or another of the same sort.
fn key(random: &mut Random, plan: &mut CertPlan) {
    let at = plan.spki.len() - 1 - random.below(plan.spki.len().min(70));
    match random.below(3) {
        0 => plan.spki[at] ^= 1 << random.below(8),
        1 => plan.spki = spki(random.below(crate::forge::KEYS.len())).to_vec(),
        _ => {
            let oids: [&[u8]; 3] = [oid::RSA_PSS, oid::DSA, &[0x2a, 3, 4]];
            let id = der::sequence(&[&tlv(der::OID, random.pick(&oids)), &tlv(der::NULL, &[])]);
            plan.spki = der::sequence(&[&id, &der::bit_string(&[0x30, 6, 2, 1, 5, 2, 1, 3])]);
        }
    }
}

fn drop_extension(random: &mut Random, plan: &mut CertPlan) {
    if !plan.extensions.is_empty() {
        plan.extensions.remove(random.below(plan.extensions.len()));
    }
}

fn set_value(random: &mut Random, plan: &mut CertPlan) {
    if !plan.extensions.is_empty() {
        let at = random.below(plan.extensions.len());
        plan.extensions[at].value = random.pick(&VALUES).to_vec();
    }
}

fn double(random: &mut Random, plan: &mut CertPlan) {
    if !plan.extensions.is_empty() {
        let again = random.pick(&plan.extensions);
        plan.extensions.push(again);
    }
}

fn add(random: &mut Random, plan: &mut CertPlan) {
    let oid = random.pick(&KNOWN);
    let value = random.pick(&VALUES).to_vec();
    let at = random.below(plan.extensions.len() + 1);
    plan.extensions.insert(at, extension(oid, random.one_in(2), value));
}

fn times(random: &mut Random, plan: &mut CertPlan) {
    let odd: [(Tag, &[u8]); 14] = [
        (der::UTC_TIME, b"220101000000Z"),
        (der::UTC_TIME, b"300101000000Z"),
        (der::UTC_TIME, b"231114221320Z"),
        (der::UTC_TIME, b"500101000000Z"),
        (der::UTC_TIME, b"2001010000Z"),
        (der::UTC_TIME, b"200101000000+0100"),
        (der::UTC_TIME, b"200230000000Z"),
        (der::UTC_TIME, b"200101000060Z"),
        (der::UTC_TIME, b"garbage"),
        (der::GENERALIZED_TIME, b"20200101000000Z"),
        (der::GENERALIZED_TIME, b"99991231235959Z"),
        (der::GENERALIZED_TIME, b"00000101000000Z"),
        (der::GENERALIZED_TIME, b"20200101000000.5Z"),
        (der::GENERALIZED_TIME, b"202001010000Z"),
    ];
    let (tag, text) = random.pick(&odd);
    let time = if random.one_in(2) { &mut plan.not_before } else { &mut plan.not_after };
    *time = (tag, text.to_vec());
}

fn version(random: &mut Random, plan: &mut CertPlan) {
    plan.version = random.pick(&[None, Some(vec![0]), Some(vec![1]), Some(vec![3])]);
    if random.one_in(2) {
        plan.extensions.clear();
    }
}

/// OIDs OpenSSL takes for a signature, or not.
fn algorithms(random: &mut Random, plan: &mut CertPlan) {
    let oids: [&[u8]; 6] = [
        oid::ECDSA_SHA384,
        oid::RSA_SHA256,
        oid::ED25519,
        &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 10],
        &[0x2a, 3, 4],
        oid::ECDSA_SHA256,
    ];
    let id = tlv(der::OID, random.pick(&oids));
    let null = tlv(der::NULL, &[]);
    let algorithm =
        if random.one_in(2) { der::sequence(&[&id]) } else { der::sequence(&[&id, &null]) };
    if random.one_in(2) {
        plan.inner = Some(algorithm.clone());
    }
    if random.one_in(2) {
        plan.outer = Some(algorithm);
    }
}

/// basicConstraints and keyUsage that say something else.
fn constraints(random: &mut Random, plan: &mut CertPlan) {
    let lengths: [&[u8]; 5] = [&[0], &[1], &[0xff], &[0x7f; 9], &[2]];
    let changed = match random.below(4) {
        0 => extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(false, None)),
        1 => {
            let length = random.pick(&lengths);
            extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, Some(length)))
        }
        2 => extension(oid::BASIC_CONSTRAINTS, false, value::basic_constraints(false, Some(&[0]))),
        _ => {
            let usage = random.pick(&[0x80, 0x02, 0x04, 0x8000, 0x20]);
            extension(oid::KEY_USAGE, true, value::bits(usage))
        }
    };
    plan.extensions.retain(|extension| extension.oid != changed.oid);
    plan.extensions.insert(0, changed);
}

/// One fault of the encoded bytes.
pub(super) fn bytes(random: &mut Random, der: &mut Vec<u8>) {
    let at = random.below(der.len());
    match random.below(4) {
        0 => der[at] ^= 1 << random.below(8),
        1 => der.truncate(at.max(1)),
        2 => der.extend_from_slice(b"\x05\0"),
        _ => der[at] = 0,
    }
}

/// One fault of a CRL.
pub(super) fn crl(random: &mut Random, plan: &mut CrlPlan) {
    match random.below(9) {
        0 => plan.next_update = Some((der::UTC_TIME, b"230601000000Z".to_vec())),
        1 => plan.this_update = (der::UTC_TIME, b"300101000000Z".to_vec()),
        2 => plan.next_update = None,
        3 => plan.broken = true,
        4 => plan.signer = random.below(signers()),
        5 => plan.version = None,
        6 => plan.this_update = (der::UTC_TIME, b"2301010000Z".to_vec()),
        7 => plan.extensions.push(extension(&[0x2a, 3, 9], true, vec![5, 0])),
        _ => {
            let authority = value::authority(Some(&[9; 20]), None, None);
            plan.extensions.push(extension(oid::AUTHORITY_KEY_ID, false, authority));
        }
    }
}

/// issuingDistributionPoint of some scope.
pub(super) fn issuing_point(random: &mut Random) -> Extension {
    let uri = value::general(6, random.pick(&["http://crl/a", "http://crl/b"]).as_bytes());
    let common = [tlv(der::OID, oid::COMMON_NAME), tlv(der::UTF8_STRING, b"crl")].concat();
    let parts: [Vec<u8>; 9] = [
        tlv(0xa0, &tlv(0xa0, &uri)),
        tlv(0xa0, &tlv(0xa1, &der::sequence(&[&common]))),
        [tlv(0xa0, &tlv(0xa0, &uri)), tlv(0x81, &[0xff])].concat(),
        [tlv(0x81, &[0xff]), tlv(0x82, &[0xff])].concat(),
        tlv(0x81, &[0xff]),
        tlv(0x82, &[0xff]),
        tlv(0x83, &[2, 0x40]),
        tlv(0x84, &[0xff]),
        tlv(0x85, &[0xff]),
    ];
    let value = der::sequence(&[&random.pick(&parts)]);
    extension(oid::ISSUING_DISTRIBUTION_POINT, random.one_in(2), value)
}
