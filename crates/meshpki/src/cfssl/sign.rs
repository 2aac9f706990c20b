//! `cfssl sign -profile`: a profile and a CSR make an order.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::config::SigningProfile;
use super::{Order, Outcome, Trap, code, host, outcome};
use crate::cert::{Cert, GeneralName};
use crate::csr::Csr;
use crate::der::{self, Reader};
use crate::oid;
use crate::profile::{Profile, Role};
use crate::time::{HOUR, Time};

impl SigningProfile {
    /// What `cfssl sign` would put into a certificate for `csr` under `issuer`, made at `now`
    /// (`signer/local/local.go: Sign`, `signer/signer.go: FillTemplate`).
    ///
    /// The subject is the CSR's, byte for byte. Of its alternative names a CA keeps the IP addresses alone;
    /// everything else it asks for is left to the profile. The CSR's signature is checked by [`Csr::verified_key`].
    ///
    /// # Errors
    /// `cfssl/profile-not-ca`, `cfssl/outlives-issuer`, `cfssl/time`.
    pub fn order(&self, csr: &Csr, issuer: &Cert, now: Time) -> Outcome<Order> {
        let mut traps = Vec::new();
        if self.role == Role::EndEntity && asks_for_ca(csr) {
            traps.push(Trap::error(
                code::PROFILE_NOT_CA,
                self.line,
                format!(
                    "the CSR of `{}` is for a CA, but profile `{}` does not create one: cfssl says \"local signer policy disallows issuing CA certificate\"",
                    csr.subject().label(),
                    self.name
                ),
                "sign with a profile that says \"ca_constraint\": {\"is_ca\": true}",
            ));
        }
        let (not_before, not_after) = self.span.at(now);
        traps.extend(self.past_issuer(not_before, not_after, issuer));
        if not_after <= not_before.max(now) {
            traps.push(Trap::error(
                code::TIME,
                self.line,
                format!(
                    "profile `{}` makes the certificate valid from {not_before} to {not_after}, which is in the past: cfssl signs it anyway",
                    self.name
                ),
                "correct `not_before` and `not_after`",
            ));
        }
        let mut names = csr.subject_alt_names();
        names.sort_by_key(host::rank);
        let keeps = |name: &GeneralName| match self.role {
            Role::Ca { .. } => matches!(name, GeneralName::Ip(_)),
            Role::EndEntity => host::rank(name).is_some(),
        };
        let (kept, dropped): (Vec<_>, Vec<_>) = names.into_iter().partition(keeps);
        traps.extend(hosts_dropped(&dropped, self.line));
        let profile = Profile {
            extra_extensions: Vec::new(),
            subject: csr.subject().clone(),
            validity: not_after.since(not_before),
            role: self.role,
            key_usage: self.key_usage,
            ext_key_usage: self.ext_key_usage.clone(),
            subject_alt_names: kept,
            subject_key_id: None,
            permitted_uri_hosts: Vec::new(),
        };
        outcome(Order { profile, not_before }, traps)
    }

    /// cfssl neither shortens the certificate nor warns.
    fn past_issuer(&self, not_before: Time, not_after: Time, issuer: &Cert) -> Option<Trap> {
        let until = issuer.not_after().time().filter(|until| not_after > *until)?;
        let hours = until.0.saturating_sub(not_before.0) / HOUR;
        let hint = if hours > 0 {
            format!("write \"expiry\": \"{hours}h\" or less, or renew the issuer first")
        } else {
            "renew the issuer first".to_string()
        };
        Some(Trap::error(
            code::OUTLIVES_ISSUER,
            self.line,
            format!(
                "profile `{}` makes the certificate valid until {not_after}, but its issuer `{}` expires {until}: cfssl signs it anyway",
                self.name,
                issuer.subject().label()
            ),
            hint,
        ))
    }
}

/// The trap of alternative names that do not reach the certificate.
pub(super) fn hosts_dropped(names: &[GeneralName], line: usize) -> Option<Trap> {
    let list = names.iter().map(ToString::to_string).collect::<Vec<String>>();
    (!list.is_empty()).then(|| {
        Trap::warning(
            code::HOSTS_DROPPED,
            line,
            format!("cfssl leaves {} out of the certificate", list.join(", ")),
            "a CA needs no alternative names: istiod and Envoy ignore them",
        )
    })
}

/// Whether the CSR asks for basicConstraints CA:TRUE.
fn asks_for_ca(csr: &Csr) -> bool {
    let wanted = csr.raw_extensions().iter().find(|e| e.oid == oid::BASIC_CONSTRAINTS);
    let flag = |value: &[u8]| {
        let mut parts = Reader::new(value).expect(der::SEQUENCE, "constraints").ok()?.reader();
        Some(parts.optional(der::BOOLEAN).ok()??.content != [0])
    };
    wanted.and_then(|e| flag(&e.value)).unwrap_or(false)
}
