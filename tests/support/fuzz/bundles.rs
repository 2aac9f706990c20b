//! Targets for SPIFFE bundles and bundle maps: what is read and written again reads equal.

use meshpki::spiffe::{Bundle, BundleMap, Ignored};
use meshpki::{Error, TrustDomain};

fn domain() -> TrustDomain {
    "a.example".parse().expect("a trust domain")
}

/// A bundle, as JSON and as PEM.
pub(super) fn bundle(data: &[u8]) {
    let Ok((bundle, ignored)) = Bundle::from_json(domain(), data) else { return };
    check(data, &ignored);
    if let Some(text) = written(bundle.to_json()) {
        let again = Bundle::from_json(domain(), text.as_bytes()).expect("what was written");
        assert_eq!(again, (bundle.clone(), vec![]));
        assert_eq!(again.0.to_json().expect("what was read"), text);
    }
    let again = Bundle::from_pem(domain(), bundle.to_pem().as_bytes());
    assert_eq!(again.is_ok(), !bundle.roots().is_empty());
    assert!(again.map_or(true, |again| again.roots() == bundle.roots()));
}

/// A bundle map.
pub(super) fn bundle_map(data: &[u8]) {
    let Ok((map, ignored)) = BundleMap::from_json(data) else { return };
    check(data, &ignored);
    if let Some(text) = written(map.to_json()) {
        let again = BundleMap::from_json(text.as_bytes()).expect("what was written");
        assert_eq!(again, (map.clone(), vec![]));
        assert_eq!(again.0.to_json().expect("what was read"), text);
    }
    for bundle in map.bundles() {
        assert_eq!(map.get(bundle.trust_domain()), Some(bundle));
        assert_eq!(bundle.refresh_hint(), None);
    }
}

/// What is read is JSON for others too, and what is ignored is there.
fn check(data: &[u8], ignored: &[Ignored]) {
    assert!(serde_json::from_slice::<serde_json::Value>(data).is_ok());
    for ignored in ignored {
        assert!(ignored.place.contains("keys["), "{ignored}");
    }
}

/// The text, unless a key or a certificate in it cannot be written, or it would be too large.
fn written(text: Result<String, Error>) -> Option<String> {
    match text {
        Ok(text) => Some(text),
        Err(Error::Bundle { .. } | Error::TooMany { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}
