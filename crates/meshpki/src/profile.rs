//! What a certificate says: profiles for roots, cluster intermediates and workloads.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::cert::{GeneralName, KeyUsage, RawExtension};
use crate::der;
use crate::name::Name;
use crate::oid::Oid;
use crate::spiffe::id::SpiffeId;
use crate::time::DAY;

/// What a certificate says, except its key, its serial number and its begin.
///
/// Begin with [`Profile::root`], [`Profile::cluster`] or [`Profile::workload`] and change fields: any value is fine,
/// [`crate::issue()`] refuses what does not fit the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The subject's name.
    pub subject: Name,
    /// How long it is valid from notBefore on, in whole seconds.
    pub validity: Duration,
    /// CA or end entity.
    pub role: Role,
    /// keyUsage, critical; no bit set leaves the extension out.
    pub key_usage: KeyUsage,
    /// extKeyUsage, not critical: empty leaves the extension out.
    pub ext_key_usage: Vec<Oid>,
    /// subjectAltName, critical only when the subject is empty; empty leaves the extension out.
    pub subject_alt_names: Vec<GeneralName>,
    /// subjectKeyIdentifier; `None`: the SHA-1 of the key (RFC 5280 section 4.2.1.2, method 1).
    pub subject_key_id: Option<Vec<u8>>,
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
    pub const ROOT_VALIDITY: Duration = days(3650);
    /// One year: an intermediate is renewed without a change of root, so there is no need for more.
    pub const CLUSTER_VALIDITY: Duration = days(365);
    /// One day: Istio's `DEFAULT_WORKLOAD_CERT_TTL`.
    pub const WORKLOAD_VALIDITY: Duration = DAY;

    /// A root: keyCertSign and cRLSign, ten years, no path length.
    ///
    /// No path length because a later change of root may put a cross-certificate between this root and
    /// the intermediates; no extended key usage because Go, and therefore istiod, treats one as a limit on
    /// everything below.
    #[must_use]
    pub const fn root(subject: Name) -> Self {
        Self::ca(subject, Self::ROOT_VALIDITY, None)
    }

    /// A cluster's intermediate: keyCertSign and cRLSign, one year, path length 0, so that it signs
    /// workloads and no further CA.
    #[must_use]
    pub const fn cluster(subject: Name) -> Self {
        Self::ca(subject, Self::CLUSTER_VALIDITY, Some(0))
    }

    /// A workload's certificate as istiod makes it: digitalSignature and keyEncipherment, serverAuth and
    /// clientAuth, an empty subject, the SPIFFE ID as a critical subjectAltName, one day.
    #[must_use]
    pub fn workload(id: &SpiffeId) -> Self {
        Self {
            subject: Name::empty(),
            validity: Self::WORKLOAD_VALIDITY,
            role: Role::EndEntity,
            key_usage: KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT),
            ext_key_usage: Vec::from([Oid::SERVER_AUTH, Oid::CLIENT_AUTH]),
            subject_alt_names: Vec::from([GeneralName::Uri(id.to_string().into_bytes())]),
            subject_key_id: None,
            permitted_uri_hosts: Vec::new(),
            extra_extensions: Vec::new(),
        }
    }

    /// An end entity of this name, valid for a day, that says nothing about its use: no keyUsage, no extKeyUsage.
    #[must_use]
    pub fn end_entity(subject: Name) -> Self {
        let role = Role::EndEntity;
        Self { role, key_usage: KeyUsage(0), ..Self::ca(subject, Self::WORKLOAD_VALIDITY, None) }
    }

    /// The same profile with another validity.
    #[must_use]
    pub fn with_validity(self, validity: Duration) -> Self {
        Self { validity, ..self }
    }

    const fn ca(subject: Name, validity: Duration, path_len: Option<u32>) -> Self {
        Self {
            subject,
            validity,
            role: Role::Ca { path_len },
            key_usage: KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN),
            ext_key_usage: Vec::new(),
            subject_alt_names: Vec::new(),
            subject_key_id: None,
            permitted_uri_hosts: Vec::new(),
            extra_extensions: Vec::new(),
        }
    }
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * DAY.as_secs())
}

pub(crate) mod limits;
