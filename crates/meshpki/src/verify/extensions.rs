//! Extensions, CA status and path lengths of every certificate of the chain
//! (`crypto/x509/x509_vfy.c: check_extensions`).

use super::purpose::ca_status;
use super::{Purpose, Run, Step};
use crate::cert::KeyUsage;
use crate::der::{self, Tlv};

/// What a certificate has to be in its chain (`must_be_ca`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The target: a CA or not.
    Target,
    /// It issued a proxy certificate, so it must not be a CA.
    ProxyIssuer,
    /// It issued any other.
    Issuer,
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_extensions`, from the target up.
    pub(super) fn check_extensions(&mut self) -> Step {
        let mut intermediates: i64 = 0;
        // Proxy certificates so far, and whether the last certificate was one.
        let (mut proxies, mut below_is_proxy): (i64, bool) = (0, false);
        let allow_proxies = self.policy.allow_proxies && !self.is_crl_path;
        let purpose = if self.is_crl_path { Some(Purpose::CrlSign) } else { self.policy.purpose };
        for depth in 0..self.chain.len() {
            let cert = self.chain[depth].cert;
            let extensions = cert.extensions();
            if !self.policy.ignore_critical && extensions.critical.unhandled.is_some() {
                self.report(34, depth)?;
            }
            if extensions.proxy && !allow_proxies {
                self.report(40, depth)?;
            }
            let place = match depth {
                0 => Place::Target,
                _ if below_is_proxy => Place::ProxyIssuer,
                _ => Place::Issuer,
            };
            self.check_ca(depth, place)?;
            if self.chain.len() > 1 {
                self.check_curve(depth)?;
                if self.policy.strict {
                    self.check_strict(depth)?;
                }
            }
            if let Some(purpose) = purpose {
                self.check_purpose(depth, purpose, place == Place::Issuer)?;
            }
            // RFC 5280 section 4.2.1.9: self-issued certificates do not count, nor does the target.
            let path_len = extensions.basic_constraints.and_then(|c| c.path_len);
            let too_long = |allowed: i64| intermediates > allowed.saturating_add(proxies);
            if depth > 1 && path_len.is_some_and(too_long) {
                self.report(25, depth)?;
            }
            if depth > 0 && !cert.is_self_issued() {
                intermediates += 1;
            }
            // RFC 3820 sections 4.1.3 (b)(1) and 4.1.4 (a).
            below_is_proxy = extensions.proxy;
            if let Some(allowed) = extensions.proxy_path_len.filter(|_| below_is_proxy) {
                if proxies > allowed {
                    self.report(38, depth)?;
                }
                proxies = allowed;
            }
            proxies = proxies.saturating_add(i64::from(below_is_proxy));
        }
        Ok(())
    }

    /// Whether the certificate is the CA its place asks for. A last one may be a CA of a lesser kind
    /// (v1, keyUsage or nsCertType alone).
    fn check_ca(&mut self, depth: usize, place: Place) -> Step {
        let cert = self.chain[depth].cert;
        let status =
            if cert.extensions().invalid { 0 } else { ca_status(cert, self.policy.release) };
        let strict = self.policy.strict;
        let wrong = match place {
            Place::Target => strict && status > 1,
            Place::ProxyIssuer if status != 0 => return self.report(37, depth),
            Place::ProxyIssuer => false,
            Place::Issuer => {
                status == 0 || ((depth + 1 < self.chain.len() || strict) && status != 1)
            }
        };
        if wrong { self.report(79, depth) } else { Ok(()) }
    }

    /// `crypto/x509/x509_vfy.c: check_curve`.
    fn check_curve(&mut self, depth: usize) -> Step {
        match self.policy.release.key(self.chain[depth].cert) {
            None => self.report(1, depth),
            Some(key) if key.explicit_curve => self.report(94, depth),
            Some(_) => Ok(()),
        }
    }

    /// The part of `check_extensions` under `X509_V_FLAG_X509_STRICT`, with the clauses of RFC 5280.
    fn check_strict(&mut self, depth: usize) -> Step {
        let cert = self.chain[depth].cert;
        let extensions = cert.extensions();
        let has_usage = |bit| extensions.key_usage.is_some_and(|usage| usage.contains(bit));
        let has_path_len = extensions.basic_constraints.is_some_and(|c| c.path_len.is_some());
        let no_subject = cert.subject().is_empty();
        let names = extensions.subject_alt_name.as_deref();
        let checks = [
            // section 4.2.1.9
            (80, has_path_len && !cert.is_ca()),
            (81, has_path_len && !has_usage(KeyUsage::KEY_CERT_SIGN)),
            (89, cert.is_ca() && !extensions.critical.basic_constraints),
            // section 4.2.1.3
            (92, cert.is_ca() && extensions.key_usage.is_none()),
            (82, !cert.is_ca() && has_usage(KeyUsage::KEY_CERT_SIGN)),
            // section 4.1.2.4
            (83, cert.issuer().is_empty()),
            // section 4.1.2.6
            (84, no_subject && (cert.is_ca() || has_usage(KeyUsage::CRL_SIGN) || names.is_none())),
            (88, no_subject && names.is_some() && !extensions.critical.subject_alt_name),
            // section 4.2.1.6
            (87, names.is_some_and(<[_]>::is_empty)),
            // section 4.1.1.2
            (78, !same_algorithm(cert.tbs_signature_algorithm(), cert.signature_algorithm())),
        ];
        for (code, wrong) in checks {
            if wrong {
                self.report(code, depth)?;
            }
        }
        self.check_strict_identifiers(depth)
    }

    /// RFC 5280 sections 4.2.1.1 and 4.2.1.2, for v3; earlier versions must not have extensions at all.
    fn check_strict_identifiers(&mut self, depth: usize) -> Step {
        let cert = self.chain[depth].cert;
        let extensions = cert.extensions();
        if cert.version() < 2 {
            let any = !cert.raw_extensions().is_empty();
            return if any { self.report(93, depth) } else { Ok(()) };
        }
        let authority = extensions.authority_key_id.as_ref();
        if depth + 1 < self.chain.len() && authority.is_none_or(|id| id.key_id.is_none()) {
            self.report(85, depth)?;
        }
        if cert.is_ca() && extensions.subject_key_id.is_none() {
            self.report(86, depth)?;
        }
        Ok(())
    }
}

/// Whether the AlgorithmIdentifiers inside and next to what is signed agree (`crypto/asn1/x_algor.c: X509_ALGOR_cmp`).
pub(super) fn same_algorithm(inner: &[u8], outer: &[u8]) -> bool {
    use crate::algorithm::algorithm_parts;
    if inner == outer {
        return true;
    }
    let (Ok((oid, a)), Ok((other, b))) = (algorithm_parts(inner), algorithm_parts(outer)) else {
        return false;
    };
    oid == other
        && match (a, b) {
            (Some(a), Some(b)) => same_value(&a, &b),
            (a, b) => a.is_none() && b.is_none(),
        }
}

/// `crypto/asn1/a_type.c: ASN1_TYPE_cmp`: structures byte by byte, anything else by its value, however it is encoded.
fn same_value(a: &Tlv<'_>, b: &Tlv<'_>) -> bool {
    let is_structure =
        |tlv: &Tlv<'_>| tlv.tag & 0xc0 != 0 || matches!(tlv.tag, der::SEQUENCE | der::SET);
    if is_structure(a) || is_structure(b) {
        return a.raw == b.raw;
    }
    a.tag & !der::CONSTRUCTED == b.tag & !der::CONSTRUCTED
        && matches!((a.string(), b.string()), (Ok(a), Ok(b)) if a == b)
}
