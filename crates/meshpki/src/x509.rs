//! What is inside certificates, CSRs and CRLs: extensions, general names, times as they are encoded.

pub use crate::cert::{
    AuthorityKeyId, BasicConstraints, Criticality, DistributionPoint, ExtendedUsages, Extensions,
    GeneralName, KeyUsage, NameConstraints, RawExtension, RawTime, Subtree,
};
pub use crate::crl::Revoked;
pub use crate::name::Attribute;
