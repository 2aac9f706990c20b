//! A throw-away workload certificate, as istiod writes them (`security/pkg/pki/util/generate_cert.go: genCertTemplateFromCSR`):
//! what the peers of a cluster are asked about. Its private key does not matter, and nothing keeps it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::cert::{Cert, GeneralName};
use crate::der::{self, tlv};
use crate::issue::{Issuer, Serial, Stamp, unchecked};
use crate::key::{PublicKey, Signer};
use crate::name::Name;
use crate::oid;
use crate::profile::Profile;
use crate::soft::SoftKey;
use crate::spiffe::id::TrustDomain;
use crate::time::Time;

/// A workload's certificate, and what is sent after it.
pub(crate) struct Canary {
    pub(crate) leaf: Cert,
    pub(crate) sent: Vec<Cert>,
}

/// The public key of RFC 6979, appendix A.2.5: the certificate is never used, so its private key may be known.
const KEY: [u8; 65] = [
    0x04, 0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d,
    0x68, 0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f,
    0xb6, 0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc,
    0x64, 0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22,
    0x99,
];

/// The default of `meshConfig.trustDomain`.
const DEFAULT_DOMAIN: &str = "cluster.local";
/// How far back istiod dates certificates (`security/pkg/pki/util/generate_cert.go: ClockSkewGracePeriod`).
pub const BACKDATE: Duration = Duration::from_secs(2 * 60);

impl Canary {
    /// What a workload of a trust domain shows under a CA with this key, which is followed by `chain`; `None` if the key is not
    /// readable, or not the CA's. Without a trust domain, it is one that the CA may sign for.
    pub(crate) fn new(
        key: &[u8],
        trust_domain: Option<&TrustDomain>,
        (ca, chain): (&Cert, &[Cert]),
        at: Time,
    ) -> Option<Self> {
        let key = SoftKey::from_pem(&first_block(key)?, None).ok()?;
        let issuer = Issuer { cert: ca, signer: &key };
        let domain = match trust_domain {
            Some(known) => known.clone(),
            None => domain(core::iter::once(ca).chain(chain))?,
        };
        let id = domain.workload("default", "canary").ok()?;
        let stamp = Stamp { serial: Serial::from_random([1; 20]), not_before: at.minus(BACKDATE) };
        let leaf = unchecked(&Profile::workload(&id), &public_key()?, issuer, stamp).ok()?;
        (key.public_key() == ca.public_key()).then(|| Self { leaf, sent: chain.to_vec() })
    }
}

impl Canary {
    /// Every name in it by which a verifier looks for a certificate.
    pub(crate) fn names(&self) -> Vec<&Name> {
        let all = core::iter::once(&self.leaf).chain(&self.sent);
        all.flat_map(|cert| [cert.issuer(), cert.subject()]).collect()
    }
}

/// Go reads the first block alone.
fn first_block(text: &[u8]) -> Option<Vec<u8>> {
    let block = crate::cacerts::go_pem::blocks(text).into_iter().next()?;
    Some(crate::pem::encode(&block.label, &block.der).into_bytes())
}

fn public_key() -> Option<PublicKey> {
    let algorithm = der::sequence(&[&tlv(der::OID, oid::EC_PUBLIC_KEY), &tlv(der::OID, oid::P256)]);
    PublicKey::from_der(&der::sequence(&[&algorithm, &der::bit_string(&KEY)])).ok()
}

/// A trust domain that the CA may sign for: the default, or one that a URI constraint names. What no domain can match
/// is left for peers to refuse.
fn domain<'c>(path: impl Iterator<Item = &'c Cert>) -> Option<TrustDomain> {
    let mut named =
        path.flat_map(permitted_hosts).filter_map(|host| host.trim_start_matches('.').parse().ok());
    named.next().or_else(|| DEFAULT_DOMAIN.parse().ok())
}

/// The hosts of the URI constraints of a certificate.
pub(crate) fn permitted_hosts(cert: &Cert) -> Vec<String> {
    let trees = cert.extensions().name_constraints.iter().flat_map(|c| &c.permitted);
    let hosts = trees.filter_map(|tree| match &tree.base {
        GeneralName::Uri(host) => Some(String::from_utf8_lossy(host).into_owned()),
        _ => None,
    });
    hosts.collect()
}
