//! What others say of keys: the answer of a program that signs, and a PKCS#11 URI.

use meshctl::{Answer, TokenUri};
use meshpki::PublicKey;

/// An answer of a program; what is wrong with one is said without any of its text.
pub(super) fn answer(data: &[u8]) {
    match Answer::read(data) {
        Ok(Answer::PublicKey(key)) => {
            assert_eq!(PublicKey::from_der(key.as_der()).as_ref(), Ok(&key));
        }
        Ok(Answer::Signature(bytes)) => assert!(!bytes.is_empty() && bytes.len() < data.len()),
        Ok(Answer::Error(text)) => assert!(text.len() <= data.len() * 3),
        Err(why) => assert!(why.len() < 300, "{why}"),
    }
    if !serde_json::from_slice::<serde_json::Value>(data).is_ok_and(|value| value.is_object()) {
        assert!(Answer::read(data).is_err(), "an answer is a JSON object for others too");
    }
}

/// A URI; its name finds the same key.
pub(super) fn token_uri(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(uri) = TokenUri::read(&text) else { return };
    assert!(!text.contains("pin-value="), "a PIN is refused");
    let named = TokenUri::read(&uri.name()).expect("the name of a URI");
    let found = TokenUri { module_path: None, pin_source: None, ..uri };
    assert_eq!(named, found);
}
