//! CRLs: which were looked for, which were there.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::content_usage;
use super::{Case, Evidence, hex, joined, named, oid_name, push};
use crate::crl::Crl;
use crate::time::words;
use crate::verify::extensions::same_algorithm;

/// Names of CRLReason (RFC 5280 section 5.3.1); 7 is not used.
const REASONS: [&str; 11] = [
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "7",
    "removeFromCRL",
    "privilegeWithdrawn",
    "aACompromise",
];

impl Case<'_> {
    /// 3, 8, 11, 12, 15, 16, 23, 35, 36, 44.
    pub(super) fn crl(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        let all = self.inputs.crls.iter().chain(self.inputs.store_crls);
        let ours: Vec<&Crl> = all.clone().filter(|crl| crl.issuer() == cert.issuer()).collect();
        if self.finding.code.0 == 3 {
            let found = format!("CRLs of {}", joined(all.map(Crl::issuer)));
            push(to, "CRL", format!("one of {} for this certificate", cert.issuer()), found);
        }
        for crl in ours {
            self.one_crl(crl, to);
        }
        if let Some(issuer) = self.issuer_cert().filter(|_| self.finding.code.0 == 35) {
            let what = format!("key usage of {}", named(issuer));
            push(to, what, "cRLSign", content_usage(issuer));
        }
    }

    fn one_crl(&self, crl: &Crl, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        match self.finding.code.0 {
            23 => {
                let Some(revoked) = crl.lookup(cert.serial(), cert.issuer()) else { return };
                let reason = revoked.reason.and_then(|n| usize::try_from(n).ok());
                let reason = reason.and_then(|n| REASONS.get(n)).copied().unwrap_or("none given");
                let found = format!("revoked, reason {reason}, in the CRL of {}", crl_time(crl));
                push(to, format!("serial {}", cert.serial_hex()), "not in a CRL", found);
            }
            11 | 12 | 15 | 16 => self.crl_times(crl, to),
            36 => {
                let extension = crl.unhandled_critical();
                let extension = extension.map_or_else(String::new, |oid| oid_name(oid.as_bytes()));
                push(to, "critical CRL extension", "one OpenSSL handles", extension);
            }
            3 if crl.is_delta() => {
                let found = format!("the delta CRL of {}", crl_time(crl));
                push(to, "CRL", "a complete list", found);
            }
            3 | 44 if crl.scope().is_some() => {
                let what = "scope of the CRL";
                push(to, what, "this certificate", "an issuing distribution point for others");
            }
            8 if !same_algorithm(crl.tbs_signature_algorithm(), crl.signature_algorithm()) => push(
                to,
                "signature algorithm of the CRL",
                format!("{} as inside the signed bytes", hex(crl.tbs_signature_algorithm())),
                hex(crl.signature_algorithm()),
            ),
            _ => {}
        }
    }

    fn crl_times(&self, crl: &Crl, to: &mut Vec<Evidence>) {
        let Some(at) = self.policy.at else { return };
        let next = crl.next_update().and_then(crate::cert::RawTime::time);
        if let Some(next) = next.filter(|next| *next <= at) {
            let found = format!("{next}, {} ago", words(at.since(next)));
            push(to, "nextUpdate", format!("after {at}"), found);
        }
        if let Some(this) = crl.this_update().time().filter(|this| *this > at) {
            let found = format!("{this}, in {}", words(this.since(at)));
            push(to, "thisUpdate", format!("{at} or before"), found);
        }
    }
}

fn crl_time(crl: &Crl) -> String {
    crl.this_update().time().map_or_else(|| "an unreadable time".into(), |time| time.to_string())
}
