//! PKCS#7, PKCS#12, and secrets that kubectl printed: nothing panics, what is read is inside the input, and no file takes
//! more work than its budget.

use meshapply::export;
use meshpki::internals::contents::{Contents, Object};
use meshpki::internals::{Budget, Pkcs7, Pkcs12, pem};
use meshpki::{Cert, Signer};

use super::keys::PASSPHRASE;

/// Rounds that a mutated file may ask for.
const ROUNDS: u64 = 1_000;

/// Members of a container lie in it, and can be shown.
pub(super) fn pkcs7(data: &[u8]) {
    if let Ok(Pkcs7 { certs, crls }) = Pkcs7::read(data) {
        assert!(Pkcs7::is(data));
        let range = data.as_ptr_range();
        for member in certs.iter().chain(&crls) {
            assert!(range.start <= member.as_ptr() && member.as_ptr_range().end <= range.end);
        }
    }
    pile(data);
    pile(pem::encode("PKCS7", data).as_bytes());
}

/// A container that opens has keys that sign, and does not open with another passphrase if it has a MAC.
pub(super) fn pkcs12(data: &[u8]) {
    for passphrase in [None, Some(PASSPHRASE), Some(&b""[..])] {
        match Pkcs12::open(data, passphrase, &mut Budget::new(ROUNDS)) {
            Ok(store) => assert!(store.others.iter().all(|other| !other.is_empty())),
            Err(error) => {
                assert!(error.code().starts_with("pki/") && !error.to_string().is_empty())
            }
        }
    }
    pile(data);
}

/// Whatever is found can be shown.
fn pile(data: &[u8]) {
    let pile = Contents::read(data, Some(PASSPHRASE), &mut Budget::new(ROUNDS));
    for found in &pile.found {
        let _ = found.place.to_string();
        match &found.object {
            Object::Cert(cert) => assert_eq!(Cert::from_der(cert.as_der()).as_ref(), Ok(&**cert)),
            Object::Key(key) => {
                let _ = (key.public_key().fingerprint(), key.sign(b"message"));
            }
            Object::Unreadable(error) => assert!(!error.to_string().is_empty()),
            _ => {}
        }
    }
    let (text, _) = pem::mended(data);
    assert!(pem::mended(&text).1.iter().all(|form| !matches!(form, pem::Form::Indented { .. })));
}

/// The files of a document; no error shows a value.
pub(super) fn exported(data: &[u8]) {
    match export::files(data) {
        Some(Ok(files)) => {
            for file in files {
                assert!(!file.place.is_empty());
                pile(&file.content);
            }
        }
        Some(Err(error)) => assert!(!error.to_string().contains("PRIVATE KEY")),
        None => {}
    }
}
