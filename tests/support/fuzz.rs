//! What every fuzz target asserts; `fuzz/` calls these, and so does an ordinary test over mutated fixtures.

use meshpki::crl::Crl;
use meshpki::csr::Csr;
use meshpki::der::Reader;
use meshpki::verify::{self, Anchor, Inputs, Policies, Policy, Purpose, Revocation};
use meshpki::{Cert, Name, Time, pem};

use crate::random::Random;
use crate::run;

/// A target: its name and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] =
    [("pem", pem), ("der", der), ("cert", cert), ("crl", crl), ("csr", csr), ("verify", verify)];

/// Blocks that are read can be written and read again.
pub fn pem(data: &[u8]) {
    for block in pem::decode(data).into_iter().flatten() {
        let again = pem::encode(&block.label, &block.der);
        let read = pem::decode(again.as_bytes());
        if block.label.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            assert_eq!(read[0].as_ref().map(|b| &b.der), Ok(&block.der));
        }
    }
}

/// Elements lie inside the input, one behind the other, at any depth.
pub fn der(data: &[u8]) {
    walk(Reader::new(data), 0);
}

fn walk(mut reader: Reader<'_>, depth: usize) {
    while let Ok(Some(element)) = reader.next() {
        assert!(element.content.len() <= element.raw.len());
        if element.is_constructed() && depth < 64 {
            walk(element.reader(), depth + 1);
        }
    }
}

/// A certificate that is read is the front of its input, and reads the same again.
pub fn cert(data: &[u8]) {
    let Ok(cert) = Cert::from_der(data) else { return };
    assert!(data.starts_with(cert.as_der()));
    assert_eq!(Cert::from_der(cert.as_der()).as_ref(), Ok(&cert));
    let _ = (cert.subject().to_string(), cert.issuer().label(), cert.public_key().key_id());
    let _ = Name::from_der(cert.subject().as_der()).expect("a name that was read");
    let _ = (cert.not_before().time(), cert.not_after().time(), cert.fingerprint());
}

/// The same for a CRL.
pub fn crl(data: &[u8]) {
    let Ok(crl) = Crl::from_der(data) else { return };
    assert!(data.starts_with(crl.as_der()));
    let _ = (crl.issuer().to_string(), crl.lookup(&[1], crl.issuer()), crl.next_update());
}

/// The same for a signing request.
pub fn csr(data: &[u8]) {
    if let Ok(csr) = Csr::from_der(data) {
        let _ = csr.check_signature();
        if let Ok(key) = meshpki::issue::csr_key(&csr) {
            assert_eq!(key.flaw(), None);
        }
    }
}

/// Verification answers, whatever it is given: the certificates in `data` as target, store and the rest.
pub fn verify(data: &[u8]) {
    let blocks: Vec<Vec<u8>> =
        pem::decode(data).into_iter().flatten().map(|b| b.der.clone()).collect();
    let certs: Vec<Cert> = blocks.iter().filter_map(|der| Cert::from_der(der).ok()).collect();
    let crls: Vec<Crl> = blocks.iter().filter_map(|der| Crl::from_der(der).ok()).collect();
    let bits = data.iter().fold(data.len(), |n, byte| n.rotate_left(3) ^ usize::from(*byte));
    if let Some(target) = certs.get(bits % certs.len().max(1)) {
        let (untrusted, trusted) = certs.split_at(certs.len() / 2);
        let trusted: Vec<Anchor> = trusted.iter().cloned().map(Anchor::new).collect();
        let (crls, store_crls) = crls.split_at(crls.len() / 2);
        let inputs = Inputs { target, untrusted, trusted: &trusted, crls, store_crls };
        let verdict = verify::verify(&inputs, &policy(bits));
        let (out, err) = verdict.openssl_text("x", bits & 1 == 0);
        assert_eq!(verdict.is_ok(), out.starts_with("x: OK\n"));
        assert_eq!(verdict.is_ok(), !err.contains("verification failed"));
    }
    let args = ["-no-CAfile", "-no-CApath", "-no-CAstore", "-attime", "1700000000"];
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let printed = run::verify(std::path::Path::new("/nowhere"), &args, &[], data);
    assert_ne!(printed.exit, 0, "nothing is trusted, so nothing is good");
}

fn policy(bits: usize) -> Policy {
    let on = |bit: usize| bits >> bit & 1 == 1;
    Policy {
        strict: on(3),
        partial_chain: on(4),
        check_self_signed_signature: on(5),
        ignore_critical: on(6),
        purpose: on(7).then_some(Purpose::SslServer),
        revocation: if on(8) { Revocation::Chain } else { Revocation::Ignore },
        host: on(9).then(|| "a.example.com".to_owned()),
        policies: on(10).then(|| Policies { explicit: on(11), ..Policies::default() }),
        auth_level: if on(12) { 2 } else { 0 },
        ..Policy::like_openssl(Time(1_700_000_000))
    }
}

/// `data` with a few bytes changed, moved or lost.
#[must_use]
pub fn mutated(random: &mut Random, data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        if data.is_empty() {
            break;
        }
        let at = random.below(data.len());
        match random.below(6) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.next().to_le_bytes()[0],
            2 => data.truncate(at),
            3 => drop(data.remove(at)),
            4 => data.insert(at, random.pick(&[0, 0x30, 0x80, 0xff, b'-', b'\n', b'='])),
            _ => {
                let end = (at + random.below(40)).min(data.len());
                let piece = data[at..end].to_vec();
                let to = random.below(data.len());
                data.splice(to..to, piece);
            }
        }
    }
    data
}
