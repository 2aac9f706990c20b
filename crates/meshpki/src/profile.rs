//! What a certificate says: profiles for roots, cluster intermediates and workloads.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cert::{GeneralName, KeyUsage, RawExtension};
use crate::der;
use crate::name::Name;
use crate::oid;
use crate::time::DAY;

/// What a certificate says, except its key, its serial number and its begin.
///
/// Public fields: any value is fine, [`crate::issue()`] refuses what does not fit the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The subject's name.
    pub subject: Name,
    /// How long it is valid, in seconds from notBefore.
    pub valid_seconds: i64,
    /// CA or end entity.
    pub role: Role,
    /// keyUsage, critical; no bit set leaves the extension out.
    pub key_usage: KeyUsage,
    /// extKeyUsage, not critical: content octets of each OID; empty leaves the extension out.
    pub ext_key_usage: Vec<Vec<u8>>,
    /// subjectAltName, critical only when the subject is empty; empty leaves the extension out.
    pub subject_alt_names: Vec<GeneralName>,
    /// Hosts a URI name below this CA may have (critical nameConstraints, permitted URI); empty: any.
    pub permitted_uri_hosts: Vec<String>,
    /// More extensions, byte for byte, after the others.
    pub extra_extensions: Vec<RawExtension>,
}

/// What basicConstraints says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// CA:TRUE.
    Ca {
        /// pathLenConstraint: how many CAs there may be below; `None`: any number.
        path_len: Option<u32>,
    },
    /// CA:FALSE.
    EndEntity,
}

impl Role {
    /// basicConstraints, encoded (RFC 5280 section 4.2.1.9).
    pub(crate) fn basic_constraints(self) -> Vec<u8> {
        match self {
            Self::EndEntity => der::sequence(&[]),
            Self::Ca { path_len: None } => der::sequence(&[&[der::BOOLEAN, 1, 0xff]]),
            Self::Ca { path_len: Some(n) } => {
                der::sequence(&[&[der::BOOLEAN, 1, 0xff], &der::integer(&n.to_be_bytes())])
            }
        }
    }
}

impl Profile {
    /// Ten years: a root outlives several generations of intermediates.
    pub const ROOT_SECONDS: i64 = 3650 * DAY;
    /// One year: an intermediate is renewed without a change of root, so there is no need for more.
    pub const CLUSTER_SECONDS: i64 = 365 * DAY;
    /// One day: Istio's `DEFAULT_WORKLOAD_CERT_TTL`.
    pub const WORKLOAD_SECONDS: i64 = DAY;

    /// A root: keyCertSign and cRLSign, ten years, no path length.
    ///
    /// No path length because a later change of root may put a cross-certificate between this root and
    /// the intermediates; no extended key usage because Go, and therefore istiod, treats one as a limit on
    /// everything below.
    #[must_use]
    pub const fn root(subject: Name) -> Self {
        Self::ca(subject, Self::ROOT_SECONDS, None)
    }

    /// A cluster's intermediate: keyCertSign and cRLSign, one year, path length 0, so that it signs
    /// workloads and no further CA.
    #[must_use]
    pub const fn cluster(subject: Name) -> Self {
        Self::ca(subject, Self::CLUSTER_SECONDS, Some(0))
    }

    /// A workload's certificate as istiod makes it: digitalSignature and keyEncipherment, serverAuth and
    /// clientAuth, an empty subject, the SPIFFE ID as a critical subjectAltName, one day.
    #[must_use]
    pub fn workload(spiffe_id: &str) -> Self {
        Self {
            subject: Name::empty(),
            valid_seconds: Self::WORKLOAD_SECONDS,
            role: Role::EndEntity,
            key_usage: KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT),
            ext_key_usage: [oid::EKU_SERVER_AUTH, oid::EKU_CLIENT_AUTH]
                .map(<[u8]>::to_vec)
                .to_vec(),
            subject_alt_names: Vec::from([GeneralName::Uri(spiffe_id.to_string().into_bytes())]),
            permitted_uri_hosts: Vec::new(),
            extra_extensions: Vec::new(),
        }
    }

    const fn ca(subject: Name, valid_seconds: i64, path_len: Option<u32>) -> Self {
        Self {
            subject,
            valid_seconds,
            role: Role::Ca { path_len },
            key_usage: KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN),
            ext_key_usage: Vec::new(),
            subject_alt_names: Vec::new(),
            permitted_uri_hosts: Vec::new(),
            extra_extensions: Vec::new(),
        }
    }
}

pub(crate) mod limits;
