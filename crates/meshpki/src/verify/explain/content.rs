//! What a certificate says, against what its place in the chain asks for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::issuer::algorithm_name;
use super::{Case, Evidence, joined, named, oid_name, or_none, push};
use crate::cert::{Cert, GeneralName, KeyUsage, NameConstraints};
use crate::oid::Oid;
use crate::time::words;
use crate::verify::Release;
use crate::verify::level::{signature_bits, wanted_bits};
use crate::verify::names::{concerns, each_name, matches};

impl Case<'_> {
    /// 9, 10, 13, 14: when it is valid, and how far away that is.
    pub(super) fn validity(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        let begins = matches!(self.finding.code.0, 9 | 13);
        let (what, time) =
            if begins { ("notBefore", cert.not_before()) } else { ("notAfter", cert.not_after()) };
        let Some(at) = self.policy.at else { return };
        let found = match time.time() {
            Some(time) if begins => format!("{time}, in {}", words(time.since(at))),
            Some(time) => format!("{time}, {} ago", words(at.since(time))),
            None => format!("`{}`", time.content.escape_ascii()),
        };
        let wanted = if begins { format!("{at} or before") } else { format!("after {at}") };
        push(to, what, wanted, found);
    }

    /// 22.
    pub(super) fn depth(&self, to: &mut Vec<Evidence>) {
        push(
            to,
            "certificates between target and anchor",
            format!("at most {}", self.policy.max_depth),
            format!("{} without an anchor", self.verdict.chain.len().saturating_sub(1)),
        );
    }

    /// 25: which certificate sets the limit, and which CAs are below it.
    pub(super) fn path_length(&self, to: &mut Vec<Evidence>) {
        let below = self.verdict.chain.get(1..self.finding.depth).unwrap_or_default();
        let below: Vec<&Cert> = below.iter().filter(|cert| !cert.is_self_issued()).collect();
        let limit = self.cert().extensions().basic_constraints.and_then(|c| c.path_len);
        push(
            to,
            format!("pathlen of {}", self.cert().subject()),
            format!("at most {} CAs below", limit.unwrap_or(0)),
            format!("{}: {}", below.len(), joined(below.iter().map(|cert| cert.subject()))),
        );
    }

    /// 26.
    pub(super) fn purpose(&self, to: &mut Vec<Evidence>) {
        let Some(purpose) = self.policy.purpose else { return };
        let extensions = self.cert().extensions();
        let usages =
            extensions.ext_key_usage.iter().flatten().map(|usage| oid_name(usage.as_bytes()));
        let found = joined(usages);
        let wanted = match purpose.extended_usages() {
            Some(_) => format!("one for {}", purpose.name()),
            None => format!("what {} asks for", purpose.name()),
        };
        let lacks = purpose.extended_usages().is_some_and(|wanted| {
            extensions.extended_usages().is_some_and(|there| !there.intersects(wanted))
        });
        if lacks || purpose.extended_usages().is_none() {
            push(to, "extended key usage", wanted, found);
        }
        let usages = purpose.key_usages().filter(|usages| extensions.lacks_usage(*usages));
        if let (0, Some(usages)) = (self.finding.depth, usages) {
            let wanted = format!("one of {}", joined(usages.names()));
            push(to, "key usage", wanted, usage(self.cert()));
        }
        if self.finding.depth > 0 {
            self.ca(to);
        }
        if let Some(bits) = extensions.netscape_type {
            push(to, "nsCertType", format!("bits for {}", purpose.name()), format!("{bits:08b}"));
        }
    }

    /// 28.
    pub(super) fn trust(&self, to: &mut Vec<Evidence>) {
        let anchor = self.inputs.trusted.iter().find(|anchor| anchor.cert == *self.cert());
        let Some(aux) = anchor.and_then(|anchor| anchor.aux.as_ref()) else { return };
        let wanted = self.policy.purpose.map_or("any purpose", super::super::Purpose::name);
        let list = |usages: &[Oid]| joined(usages.iter().map(|usage| oid_name(usage.as_bytes())));
        let found = format!(
            "trusted for {}, rejected for {}",
            list(aux.trust.as_deref().unwrap_or_default()),
            list(&aux.reject)
        );
        push(to, "trust settings", format!("trusted for {wanted}"), found);
    }

    /// 32, 79 to 82, 89, 92: what makes a CA.
    pub(super) fn ca(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        let found = match cert.extensions().basic_constraints {
            None => format!("absent, in a v{} certificate", cert.version().saturating_add(1)),
            Some(constraints) => {
                let length =
                    constraints.path_len.map_or(String::new(), |n| format!(", pathlen:{n}"));
                let critical = if constraints.critical { "critical, " } else { "" };
                let ca = if constraints.ca { "TRUE" } else { "FALSE" };
                format!("{critical}CA:{ca}{length}")
            }
        };
        push(to, "basicConstraints", "critical, CA:TRUE", found);
        push(to, "key usage", "keyCertSign", usage(cert));
    }

    /// 34.
    pub(super) fn critical(&self, to: &mut Vec<Evidence>) {
        if let Some(unhandled) = &self.cert().extensions().critical.unhandled {
            push(
                to,
                "critical extension",
                "one OpenSSL handles",
                format!("{} ({unhandled})", oid_name(unhandled.as_bytes())),
            );
        }
    }

    /// 42, 43.
    pub(super) fn policies(&self, to: &mut Vec<Evidence>) {
        let Some(policies) = &self.policy.policies else { return };
        let outcome = self.verdict.policy.as_ref();
        let authority = outcome.and_then(|o| o.authority.as_ref()).into_iter().flatten();
        let wanted = joined(&policies.acceptable);
        let found = joined(authority.map(|node| &node.policy));
        push(to, "certificate policies", format!("one of {wanted}"), found);
    }

    /// 1, 47 to 53: which name meets which constraint, and whose.
    pub(super) fn constraints(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        for above in self.verdict.chain.iter().skip(self.finding.depth + 1).rev() {
            let Some(constraints) = &above.extensions().name_constraints else { continue };
            // What stops the names here is what the finding says already.
            let _ = each_name(cert, self.finding.depth == 0, constraints, |name| {
                explain_name(name, constraints, above, self.policy.release, to);
                Ok(())
            });
        }
    }

    /// A permitted URI that has a scheme, and its host: a constraint is a host, and no name is inside one with a scheme
    /// (RFC 5280 section 4.2.1.10).
    pub(super) fn scheme_in_constraint(&self) -> Option<(String, String)> {
        let mut names = self.cert().extensions().subject_alt_name.iter().flatten();
        if self.finding.in_crl_path || !names.any(|name| matches!(name, GeneralName::Uri(_))) {
            return None;
        }
        let above = self.verdict.chain.iter().skip(self.finding.depth + 1);
        let constraints = above.filter_map(|cert| cert.extensions().name_constraints.as_ref());
        let mut bases = constraints.flat_map(|constraints| &constraints.permitted);
        bases.find_map(|subtree| {
            let GeneralName::Uri(base) = &subtree.base else { return None };
            let base = base.escape_ascii().to_string();
            let (_, rest) = base.split_once("://")?;
            let host = rest.split(['/', ':', '?', '#']).next()?.to_string();
            (!host.is_empty()).then_some((base, host))
        })
    }

    /// 62 to 64.
    pub(super) fn identity(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        let names = cert.extensions().subject_alt_name.iter().flatten();
        let common = cert.subject().last(&Oid::COMMON_NAME);
        let (what, wanted) = match self.finding.code.0 {
            62 => ("host name", self.policy.host.clone()),
            63 => ("e-mail address", self.policy.email.clone()),
            _ => {
                let ip = self.policy.ip;
                ("IP address", ip.map(|ip| format!("IP:{ip}")))
            }
        };
        let found = or_none(names.map(ToString::to_string).collect::<Vec<_>>().join(", "));
        let found = common.map_or(found.clone(), |common| format!("{found}; CN = {common}"));
        push(to, what, wanted.unwrap_or_default(), found);
    }

    /// 66 to 68.
    pub(super) fn strength(&self, to: &mut Vec<Evidence>) {
        let (cert, level) = (self.cert(), self.policy.auth_level);
        let wanted = format!("{} bits for level {level}", wanted_bits(level).unwrap_or(0));
        let bits = |bits: Option<u32>| bits.map_or("unknown".into(), |bits| format!("{bits} bits"));
        if self.finding.code.0 == 68 {
            let found = format!(
                "{} with {}",
                bits(signature_bits(cert, self.policy.release)),
                algorithm_name(cert)
            );
            push(to, "strength of the signature", wanted, found);
        } else {
            let strength = bits(self.policy.release.key(cert).map(|key| key.security_bits));
            push(
                to,
                "strength of the key",
                wanted,
                format!("at least {strength} with {}", cert.public_key().algorithm()),
            );
        }
    }

    /// The rest: what RFC 5280 asks for, and what is there.
    pub(super) fn form(&self, to: &mut Vec<Evidence>) {
        let cert = self.cert();
        let extensions = cert.extensions();
        let (what, wanted, found) = match self.finding.code.0 {
            6 | 94 => (
                "public key",
                "a named curve and a decodable key",
                cert.public_key().algorithm().to_string(),
            ),
            40 => ("proxyCertInfo", "none", "a proxy certificate".into()),
            78 => ("signature algorithm", "the same inside and outside", "two".into()),
            83 => ("issuer", "a name", "an empty one".into()),
            84 => ("subject", "a name", "an empty one".into()),
            85 => (
                "authority key identifier",
                "a key identifier",
                if extensions.authority_key_id.is_some() { "others only" } else { "none" }.into(),
            ),
            86 => ("subject key identifier", "one, in a CA certificate", "none".into()),
            87 => ("subject alternative name", "a name", "an empty list".into()),
            88 => (
                "subject alternative name",
                "critical, as the subject is empty",
                "not critical".into(),
            ),
            93 => (
                "version",
                "3, as there are extensions",
                cert.version().saturating_add(1).to_string(),
            ),
            _ => return,
        };
        push(to, what, wanted, found);
    }
}

/// The key usages of a certificate in words.
pub(super) fn usage(cert: &Cert) -> String {
    let usage = cert.extensions().key_usage;
    usage.map_or_else(|| "no key usage".into(), |usage: KeyUsage| joined(usage.names()))
}

fn explain_name(
    name: &GeneralName,
    constraints: &NameConstraints,
    issuer: &Cert,
    release: Release,
    to: &mut Vec<Evidence>,
) {
    let permitted: Vec<_> = constraints.permitted.iter().filter(|s| concerns(s, name)).collect();
    let inside = |base: &GeneralName| matches(name, base, release).unwrap_or(false);
    if !permitted.is_empty() && !permitted.iter().any(|subtree| inside(&subtree.base)) {
        let bases = joined(permitted.iter().map(|subtree| &subtree.base));
        let wanted = format!("inside {bases}, permitted by {}", named(issuer));
        push(to, "name", wanted, name.to_string());
    }
    for subtree in constraints.excluded.iter().filter(|s| concerns(s, name)) {
        if inside(&subtree.base) {
            let wanted = format!("outside {}, excluded by {}", subtree.base, named(issuer));
            push(to, "name", wanted, name.to_string());
        }
    }
}
