//! Handshakes of rustls over pipes in memory, with `MeshVerifier` on both sides.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod mesh;

use std::collections::BTreeMap;

use meshpki::tls::{MeshVerifier, PeerError};
use meshpki::verify::{Code, Revocation};
use meshpki::x509::{GeneralName, KeyUsage};
use meshpki::{KeyType, Oid, Role, TrustDomain};
use rustls::{CertificateError, Error, version};

use mesh::{Ca, EAST, NOW, WEST, crl, day, handshake, workload};

/// What a verifier of the other side says about a workload, as a client and as a server.
#[track_caller]
fn refused(verifier: &MeshVerifier, peer: &mesh::Workload, is: impl Fn(&CertificateError) -> bool) {
    let own = workload(&Ca::root("CN=Own").below("CN=Own CA"), WEST, |_| {});
    let anything = mesh::anything();
    for (client, server) in [(peer, &own), (&own, peer)] {
        let by = |side: &mesh::Workload| {
            if std::ptr::eq(side, peer) { anything.clone() } else { verifier.clone().into() }
        };
        let answers = (by(client), by(server));
        let error = handshake((client, answers.0), (server, answers.1), &version::TLS13);
        let Err(Error::InvalidCertificate(error)) = error else { panic!("{error:?}") };
        assert!(is(&error), "{error:?}");
    }
}

fn peer_error(error: &CertificateError) -> Option<&PeerError> {
    let CertificateError::Other(other) = error else { return None };
    other.0.downcast_ref()
}

fn trust(domain: &str, ca: &Ca) -> MeshVerifier {
    let domain: TrustDomain = domain.parse().unwrap();
    MeshVerifier::new(BTreeMap::from([(domain, vec![ca.root_cert()])]))
}

#[test]
fn workloads_of_two_clusters_accept_each_other() {
    for kind in [
        KeyType::EcdsaP256,
        KeyType::EcdsaP384,
        KeyType::Ed25519,
        #[cfg(feature = "aws-lc")]
        KeyType::Rsa2048,
        #[cfg(feature = "aws-lc")]
        KeyType::Rsa3072,
    ] {
        let root = Ca::of_kind(kind, "CN=Mesh root");
        let (east, west) = (root.below("CN=East"), root.below("CN=West"));
        let (client, server) = (workload(&east, EAST, |_| {}), workload(&west, WEST, |_| {}));
        let verifier = trust("cluster.local", &root);
        for version in [&version::TLS13, &version::TLS12] {
            handshake((&client, verifier.clone()), (&server, verifier.clone()), version)
                .unwrap_or_else(|error| panic!("{kind} {version:?}: {error}"));
        }
    }
}

#[test]
fn each_domain_has_roots_of_its_own() {
    let (one, two) = (Ca::root("CN=One"), Ca::root("CN=Two"));
    let domains = ["one.example", "two.example"].map(|domain| domain.parse().unwrap());
    let roots = domains.into_iter().zip([vec![one.root_cert()], vec![two.root_cert()]]);
    let both = MeshVerifier::new(roots.collect());
    let id = |domain: &str| format!("spiffe://{domain}/ns/a/sa/b");
    let first = workload(&one.below("CN=CA"), &id("one.example"), |_| {});
    let second = workload(&two.below("CN=CA"), &id("two.example"), |_| {});
    handshake((&first, both.clone()), (&second, both.clone()), &version::TLS13).unwrap();
    // The roots of one domain do not vouch for the other.
    let liar = workload(&two.below("CN=CA"), &id("one.example"), |_| {});
    refused(&both, &liar, |error| *error == CertificateError::UnknownIssuer);
    let elsewhere = workload(&one.below("CN=CA"), &id("three.example"), |_| {});
    refused(&both, &elsewhere, |error| {
        matches!(peer_error(error), Some(PeerError::TrustDomain { .. }))
    });
}

#[test]
fn names_that_are_not_one_identity() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root);
    let uri = |text: &str| GeneralName::Uri(text.as_bytes().to_vec());
    for (names, count) in [
        (vec![], 0),
        (vec![GeneralName::Dns(b"a.example".to_vec())], 0),
        (vec![uri(EAST), uri(WEST)], 2),
        (vec![uri(EAST), uri(EAST)], 2),
    ] {
        let peer = workload(&root.below("CN=East"), EAST, |profile| {
            profile.subject = "CN=a".parse().unwrap();
            profile.subject_alt_names.clone_from(&names);
        });
        refused(&verifier, &peer, |error| {
            peer_error(error) == Some(&PeerError::UriCount { count })
        });
    }
    for text in ["https://cluster.local/ns/a/sa/b", "spiffe://cluster.local/a/../b"] {
        let peer = workload(&root.below("CN=East"), EAST, |profile| {
            profile.subject_alt_names = vec![uri(text)];
        });
        refused(&verifier, &peer, |error| {
            matches!(peer_error(error), Some(PeerError::SpiffeId(_)))
        });
    }
    // A host name next to the identity does no harm.
    let named = workload(&root.below("CN=East"), EAST, |profile| {
        profile.subject_alt_names.push(GeneralName::Dns(b"a.example".to_vec()));
    });
    let plain = workload(&root.below("CN=West"), WEST, |_| {});
    handshake((&named, verifier.clone()), (&plain, verifier), &version::TLS13).unwrap();
}

#[test]
fn identities_that_are_not_accepted() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root).with_identities([WEST.parse().unwrap()]);
    let east = workload(&root.below("CN=East"), EAST, |_| {});
    refused(&verifier, &east, |error| {
        matches!(peer_error(error), Some(PeerError::Identity { .. }))
    });
    let west = workload(&root.below("CN=West"), WEST, |_| {});
    let own = trust("cluster.local", &root);
    handshake((&east, verifier), (&west, own), &version::TLS13).unwrap();
}

#[test]
fn dates() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root);
    let old = root.below("CN=East").at(NOW - day() * 3);
    let peer = workload(&old, EAST, |_| {});
    refused(&verifier, &peer, |error| matches!(error, CertificateError::ExpiredContext { .. }));
    let early = root.below("CN=East").at(NOW + day());
    let peer = workload(&early, EAST, |_| {});
    refused(&verifier, &peer, |error| matches!(error, CertificateError::NotValidYetContext { .. }));
}

#[test]
fn roots_that_are_not_known() {
    let (ours, theirs) = (Ca::root("CN=Root"), Ca::root("CN=Root"));
    let peer = workload(&theirs.below("CN=East"), EAST, |_| {});
    let verifier = trust("cluster.local", &ours);
    // The other root has the same name and another key.
    refused(&verifier, &peer, |error| {
        matches!(error, CertificateError::UnknownIssuer | CertificateError::BadSignature)
    });
    let renamed = workload(&Ca::root("CN=Other").below("CN=East"), EAST, |_| {});
    refused(&verifier, &renamed, |error| *error == CertificateError::UnknownIssuer);
}

#[test]
fn authorities_and_other_purposes() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root);
    let purpose = |error: &CertificateError| *error == CertificateError::InvalidPurpose;
    let authority = workload(&root, EAST, |profile| {
        profile.role = Role::Ca { path_len: None };
        profile.subject = "CN=East".parse().unwrap();
    });
    refused(&verifier, &authority, purpose);
    for usage in [KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN] {
        let signs = workload(&root.below("CN=East"), EAST, |profile| {
            profile.key_usage = profile.key_usage.with(usage);
        });
        refused(&verifier, &signs, purpose);
    }
    let mail: Oid = "1.3.6.1.5.5.7.3.4".parse().unwrap();
    let other = workload(&root.below("CN=East"), EAST, |profile| {
        profile.ext_key_usage = vec![mail.clone()];
    });
    refused(&verifier, &other, purpose);
}

#[test]
fn revocation() {
    let root = Ca::root("CN=Root");
    let east = root.below("CN=East");
    let peer = workload(&east, EAST, |_| {});
    let with = |crls, revocation| trust("cluster.local", &root).with_crls(crls, revocation);
    let leaf = peer.cert();
    let lists = |serials: &[&[u8]], until| vec![crl(&east, serials, until)];
    let good = with(lists(&[&[7]], NOW + day()), Revocation::Leaf);
    let own = workload(&root.below("CN=West"), WEST, |_| {});
    let plain = trust("cluster.local", &root);
    handshake((&peer, plain.clone()), (&own, good), &version::TLS13).unwrap();
    let revoked = with(lists(&[leaf.serial()], NOW + day()), Revocation::Leaf);
    refused(&revoked, &peer, |error| *error == CertificateError::Revoked);
    let ignored = with(lists(&[leaf.serial()], NOW + day()), Revocation::Ignore);
    handshake((&peer, plain), (&own, ignored), &version::TLS13).unwrap();
    let stale = with(lists(&[&[7]], NOW - day()), Revocation::Leaf);
    refused(&stale, &peer, |error| {
        matches!(error, CertificateError::ExpiredRevocationListContext { .. })
    });
    let unknown = |error: &CertificateError| *error == CertificateError::UnknownRevocationStatus;
    refused(&with(vec![], Revocation::Leaf), &peer, unknown);
    refused(&with(lists(&[&[7]], NOW + day()), Revocation::Chain), &peer, unknown);
    let authority = with(
        vec![crl(&east, &[], NOW + day()), crl(&root, &[east.serial()], NOW + day())],
        Revocation::Chain,
    );
    refused(&authority, &peer, |error| *error == CertificateError::Revoked);
}

#[test]
fn bytes_that_are_not_a_certificate() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root);
    let peer = workload(&root.below("CN=East"), EAST, |_| {});
    refused(&verifier, &peer.with_leaf(|der| der.push(0)), |error| {
        *error == CertificateError::BadEncoding
    });
    refused(&verifier, &peer.with_leaf(|der| der.truncate(40)), |error| {
        *error == CertificateError::BadEncoding
    });
}

#[test]
fn the_length_of_a_path() {
    let root = Ca::root("CN=Root");
    let below = root.below("CN=East").below_despite_path_length("CN=Below");
    let peer = workload(&below, EAST, |_| {});
    refused(&trust("cluster.local", &root), &peer, |error| {
        peer_error(error) == Some(&PeerError::Chain { code: Code::PATH_LENGTH_EXCEEDED })
    });
}

#[test]
fn a_certificate_without_its_key() {
    let root = Ca::root("CN=Root");
    let verifier = trust("cluster.local", &root);
    let (one, two) = (workload(&root.below("CN=East"), EAST, |_| {}), mesh::new_key());
    let thief = one.with_key(two);
    refused(&verifier, &thief, |error| *error == CertificateError::BadSignature);
}
