//! CRLs that look like an answer but give none: deltas, with their base or alone, two algorithms, odd scopes.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use crate::forge::{CrlPlan, Extension, KEYS, algorithm, extension};
use crate::random::Random;

/// Makes a list more of a trap.
pub(super) fn plan(random: &mut Random, plan: &mut CrlPlan) {
    if random.one_in(2) {
        plan.extensions.retain(|old| old.oid != oid::DELTA_CRL && old.oid != oid::CRL_NUMBER);
        plan.extensions.extend(numbers(random));
    }
    if random.one_in(3) {
        let same = (plan.signer < KEYS.len()).then(|| algorithm(plan.signer, plan.rsa));
        let (inner, outer) = algorithms(random, same.as_deref());
        (plan.inner, plan.outer) = (inner.or(plan.inner.take()), outer.or(plan.outer.take()));
    }
    if random.one_in(3) {
        plan.extensions.retain(|old| old.oid != oid::ISSUING_DISTRIBUTION_POINT);
        plan.extensions.push(scope(random));
    }
    if random.one_in(3) {
        random.shuffle(&mut plan.extensions);
    }
    // The same serial number again, with another reason or without any.
    if let Some((serial, _)) = plan.revoked.first().cloned()
        && random.one_in(3)
    {
        let reason = random.pick(&[vec![0x0a, 1, 8], vec![0x0a, 1, 1], vec![0x0a, 0], vec![5, 0]]);
        let extensions = vec![extension(oid::CRL_REASON, false, reason)];
        let at = random.below(plan.revoked.len() + 1);
        plan.revoked.insert(at, (serial, extensions));
    }
}

/// crlNumber and deltaCRLIndicator: both, one, twice, or not numbers at all.
fn numbers(random: &mut Random) -> Vec<Extension> {
    let mut all = Vec::new();
    let mut push = |random: &mut Random, oid: &[u8], times: usize| {
        let values: [&[u8]; 7] =
            [&[2, 1, 1], &[2, 1, 2], &[2, 1, 9], &[2, 1, 0xff], &[2, 0], &[5, 0], &[2, 2, 0, 1]];
        for _ in 0..times {
            let odd = random.pick(&[3, 3, 7]);
            let value = random.pick(&values[..odd]).to_vec();
            all.push(extension(oid, random.one_in(2), value));
        }
    };
    let deltas = random.pick(&[0, 1, 1, 1, 2]);
    push(random, oid::DELTA_CRL, deltas);
    if !random.one_in(3) {
        push(random, oid::CRL_NUMBER, 1);
    }
    all
}

/// A different algorithm inside or next to the signed bytes, or `same` in another form.
pub(super) fn algorithms(
    random: &mut Random,
    same: Option<&[u8]>,
) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let null = tlv(der::NULL, &[]);
    let oids: [&[u8]; 4] = [oid::ECDSA_SHA384, oid::ECDSA_SHA256, oid::RSA_SHA256, oid::ED25519];
    let other = tlv(der::OID, random.pick(&oids));
    let value = match random.below(4) {
        0 => der::sequence(&[&other, &null]),
        1 => same.map_or_else(|| der::sequence(&[&other]), |same| with(same, &[0x05, 0x81, 0x00])),
        2 => der::sequence(&[&other, &tlv(der::INTEGER, &[1])]),
        _ => der::sequence(&[&other]),
    };
    let both = random.one_in(6);
    let inner = (both || random.one_in(2)).then(|| value.clone());
    let outer = (both || inner.is_none()).then_some(value);
    (inner, outer)
}

/// The algorithm with these parameters.
pub(super) fn with(algorithm: &[u8], parameters: &[u8]) -> Vec<u8> {
    let outer = der::Reader::new(algorithm).any().expect("an algorithm");
    let oid = outer.reader().any().expect("its OID");
    der::sequence(&[oid.raw, parameters])
}

/// issuingDistributionPoint: one flag or several, false ones, empty ones, what cannot be read.
fn scope(random: &mut Random) -> Extension {
    let parts: [&[u8]; 11] = [
        &[0x81, 1, 0xff],
        &[0x82, 1, 0xff],
        &[0x81, 1, 0],
        &[0x82, 1, 0],
        &[0x83, 2, 0, 0x80],
        &[0x83, 3, 7, 0xff, 0x80],
        &[0x83, 1, 0],
        &[0x84, 1, 0xff],
        &[0x84, 1, 0],
        &[0x85, 1, 1],
        &[0xa0, 0],
    ];
    let mut chosen: Vec<&[u8]> = (0..random.below(3)).map(|_| random.pick(&parts)).collect();
    if !random.one_in(5) {
        chosen.sort_unstable_by_key(|part| part[0] & 0x1f);
        chosen.dedup_by_key(|part| part[0]);
    }
    let value = der::sequence(&chosen);
    extension(oid::ISSUING_DISTRIBUTION_POINT, random.one_in(2), value)
}
