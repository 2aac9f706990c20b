//! Targets for PEM and DER: nothing panics; what is read is a prefix of the input and reads the same again.

use meshpki::chain::{self, assemble};
use meshpki::internals::der::Reader;
use meshpki::internals::signature::{self, SignatureInput};
use meshpki::verify::{self, Anchor, Inputs, Policies, Policy, Purpose, Revocation};
use meshpki::{Cert, Crl, Csr, Name, SignatureCheck, Time};

use super::release;
use crate::run;

/// Blocks that are read can be written and read again.
pub(super) fn pem(data: &[u8]) {
    for block in meshpki::internals::pem::decode(data).into_iter().flatten() {
        let again = meshpki::internals::pem::encode(&block.label, &block.der);
        let read = meshpki::internals::pem::decode(again.as_bytes());
        if block.label.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            assert_eq!(read[0].as_ref().map(|b| &b.der), Ok(&block.der));
        }
    }
    let (unglued, _) = meshpki::internals::pem::unglue(data);
    assert_eq!(meshpki::internals::pem::unglue(&unglued), (unglued.clone(), None));
}

/// Elements lie inside the input, one after the other, at any depth.
pub(super) fn der(data: &[u8]) {
    walk(Reader::new(data), 0);
}

fn walk(mut reader: Reader<'_>, depth: usize) {
    while let Ok(Some(element)) = reader.next() {
        assert!(element.content.len() <= element.raw.len());
        let _ = element.string();
        if element.is_constructed() && depth < 64 {
            walk(element.reader(), depth + 1);
        }
    }
}

/// A certificate that is read is the front of its input, and reads the same again. A signature by its own key is
/// checked, whatever it is.
pub(super) fn cert(data: &[u8]) {
    let Ok(cert) = Cert::from_der(data) else { return };
    assert!(data.starts_with(cert.as_der()));
    assert_eq!(Cert::from_der(cert.as_der()).as_ref(), Ok(&cert));
    let _ = (cert.subject().to_string(), cert.issuer().label(), cert.public_key().key_id());
    let again = Name::from_der(cert.subject().as_der()).expect("a name that was read");
    assert_eq!(&again, cert.subject());
    assert_eq!(rebuilt(&again), again);
    let _ = (cert.not_before().time(), cert.not_after().time(), cert.fingerprint());
    let _ = (cert.is_ca(), cert.serial_hex(), cert.is_self_issued());
    let _ = signature::check(&SignatureInput {
        algorithm: cert.signature_algorithm(),
        message: cert.tbs(),
        signature: cert.signature(),
        key: cert.public_key(),
    });
}

/// The name out of its attributes, as the subject of a cluster's CA takes the organization of the root's.
fn rebuilt(name: &Name) -> Name {
    let rdns = name.rdns();
    Name::from_rdns(rdns.iter().map(Vec::as_slice))
}

/// The same for a CRL.
pub(super) fn crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else { return };
    assert!(data.starts_with(crl.as_der()));
    assert_eq!(Crl::from_der(crl.as_der()).map(|again| again.len()), Ok(crl.len()));
    let _ = (crl.issuer().to_string(), crl.lookup(&[1], crl.issuer()), crl.next_update());
}

/// The same for a signing request; only one signed by its own key is to be signed.
pub(super) fn csr(data: &[u8]) {
    let Ok(csr) = Csr::from_der(data) else { return };
    assert!(data.starts_with(csr.as_der()));
    assert_eq!(&rebuilt(csr.subject()), csr.subject());
    let _ = (csr.subject().to_string(), csr.subject_alt_names(), csr.raw_extensions().len());
    let is_good = csr.check_signature() == SignatureCheck::Good;
    if let Ok(key) = csr.verified_key() {
        assert_eq!((is_good, key.flaw()), (true, None));
    }
}

fn certs(data: &[u8]) -> Vec<Cert> {
    let blocks = meshpki::internals::pem::decode(data).into_iter().flatten();
    blocks.filter_map(|block| Cert::from_der(&block.der).ok()).collect()
}

/// Sorts certificates into a chain: each is in one place of the answer, and each link was signed by the next.
pub(super) fn chain(data: &[u8]) {
    let pile = certs(data);
    let leaf = pile.get(data.len() % pile.len().max(1));
    for leaf in [None, leaf] {
        let Ok(assembly) = assemble(&pile, leaf) else { continue };
        let mut places = assembly.chain.clone();
        places.extend(assembly.duplicates.iter().map(|(copy, _)| *copy));
        places.extend(assembly.alternatives.iter().chain(&assembly.strays));
        places.sort_unstable();
        assert_eq!(places, (0..pile.len()).collect::<Vec<_>>(), "{assembly:?}");
        let chain = assembly.certs(&pile);
        assert!(chain.windows(2).all(|pair| chain::issued(&pair[1], &pair[0])), "{assembly:?}");
        assert!(leaf.is_none_or(|leaf| chain[0] == *leaf), "{assembly:?}");
    }
}

/// Verification answers, whatever it is given: the certificates in `data` as target, store and the rest.
pub(super) fn verify(data: &[u8]) {
    let certs = certs(data);
    let blocks = meshpki::internals::pem::decode(data).into_iter().flatten();
    let crls: Vec<Crl> = blocks.filter_map(|block| Crl::from_der(&block.der).ok()).collect();
    let bits = data.iter().fold(data.len(), |n, byte| n.rotate_left(3) ^ usize::from(*byte));
    if let Some(target) = certs.get(bits % certs.len().max(1)) {
        let (untrusted, trusted) = certs.split_at(certs.len() / 2);
        let trusted: Vec<Anchor> = trusted.iter().cloned().map(Anchor::new).collect();
        let (crls, store_crls) = crls.split_at(crls.len() / 2);
        let inputs = Inputs::new(target, untrusted, &trusted);
        let inputs = inputs.with_crls(crls).with_store_crls(store_crls);
        let verdict = verify::verify(&inputs, &policy(bits).with_release(release(data)));
        let (out, err) = verdict.openssl_text("x", bits & 1 == 0);
        assert_eq!(verdict.is_ok(), out.starts_with("x: OK\n"));
        assert_eq!(verdict.is_ok(), !err.contains("verification failed"));
    }
    let args = ["-no-CAfile", "-no-CApath", "-no-CAstore", "-attime", "1700000000"];
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let printed = run::verify(release(data), std::path::Path::new("/nowhere"), &args, &[], data);
    assert_ne!(printed.exit, 0, "nothing is trusted, so nothing is good");
}

fn policy(bits: usize) -> Policy {
    let on = |bit: usize| bits >> bit & 1 == 1;
    let mut policies = Policies::default();
    policies.explicit = on(11);
    let mut policy = Policy::like_openssl(Time(1_700_000_000));
    policy.strict = on(3);
    policy.partial_chain = on(4);
    policy.check_self_signed_signature = on(5);
    policy.ignore_critical = on(6);
    policy.purpose = on(7).then_some(Purpose::SslServer);
    policy.revocation = if on(8) { Revocation::Chain } else { Revocation::Ignore };
    policy.host = on(9).then(|| "a.example.com".to_owned());
    policy.policies = on(10).then_some(policies);
    policy.auth_level = if on(12) { 2 } else { 0 };
    policy
}
