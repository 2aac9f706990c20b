//! Target for what proxies say of their certificates.

use meshapply::proxies::ProxyKind;
use meshpki::rotation::Sightings;

/// A configuration dump, read as Envoy's and as ztunnel's.
pub(super) fn proxies(data: &[u8]) {
    for kind in [ProxyKind::Sidecar, ProxyKind::Gateway, ProxyKind::Ztunnel] {
        let Ok(all) = kind.read(data) else { continue };
        let mut sightings = Sightings::default();
        for certs in &all {
            assert!(!certs.chain.is_empty(), "a proxy without a certificate");
            sightings.add("pod", &certs.chain, &certs.roots);
        }
        for seen in sightings.shown().chain(sightings.trusted()) {
            assert_eq!(seen.who.len(), 1);
            assert!(seen.renews <= seen.ends, "{:?} after {:?}", seen.renews, seen.ends);
        }
    }
}
