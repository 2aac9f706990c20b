//! The part of Go's `crypto/x509` istiod's answer depends on (`verify.go: Certificate.Verify`).
//!
//! It is not OpenSSL's way: every chain is tried, not only the first issuer that fits; every certificate of
//! the roots is an anchor, self-signed or not; key identifiers only order the candidates; the second a
//! certificate ends is still good; extended key usages nest from the root down, and without a wish of the
//! caller's, serverAuth it is. Certificate policies are not restated, and names are compared with name
//! constraints as OpenSSL does it, which also looks at subjects.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::algorithm::{Digest, algorithm_parts};
use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::key::KeyAlgorithm;
use crate::key::decode::Kind;
use crate::oid::{self, Oid};
use crate::signature::{self, Scheme, SignatureCheck, SignatureInput};
use crate::time::Time;
use crate::verify::check_name_constraints;

/// Signatures checked before Go gives up (`verify.go: maxChainSignatureChecks`).
const SIGNATURE_LIMIT: u32 = 100;

/// Why a chain was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Critical,
    Dates,
    NotCa,
    PathLen,
    Usage,
    Names,
    Sha1,
    Signature,
    Unknown,
    Limit,
}

/// A refusal: its kind, and Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) text: String,
}

/// What chains are built from.
pub(super) struct Pools {
    pub(super) roots: Vec<Cert>,
    pub(super) intermediates: Vec<Cert>,
    /// Whether SHA-1 is refused, which depends on the release of Go.
    pub(super) refuse_sha1: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Leaf,
    Intermediate,
    Root,
}

/// Ways up, each from the certificate to a root.
pub(super) type Chains = Vec<Vec<Cert>>;

/// Every chain from `cert` to a root, or why there is none (`Certificate.Verify`).
pub(super) fn verify(cert: &Cert, pools: &Pools, at: Time) -> Result<Chains, Fault> {
    is_valid(Place::Leaf, cert, &[], at)?;
    let chains = if pools.roots.contains(cert) {
        Vec::from([Vec::from([cert.clone()])])
    } else {
        Search { pools, at, checks: 0 }.above(core::slice::from_ref(cert))?
    };
    let mut names = None;
    let mut good = Vec::new();
    for chain in chains {
        if !allows_server(&chain) {
            continue;
        }
        match check_names(&chain) {
            Ok(()) => good.push(chain),
            Err(why) => names = names.or(Some(why)),
        }
    }
    match names {
        _ if !good.is_empty() => Ok(good),
        Some(why) => Err(why),
        None => fault(Reason::Usage, "x509: certificate specifies an incompatible key usage"),
    }
}

fn fault<T>(reason: Reason, text: &str) -> Result<T, Fault> {
    Err(Fault { reason, text: text.to_string() })
}

struct Search<'a> {
    pools: &'a Pools,
    at: Time,
    checks: u32,
}

impl Search<'_> {
    /// `Certificate.buildChains`.
    fn above(&mut self, chain: &[Cert]) -> Result<Chains, Fault> {
        let pools = self.pools;
        let Some(cert) = chain.last() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let mut last = None;
        let mut hint: Option<(Fault, &Cert)> = None;
        let both = [(Place::Root, &pools.roots), (Place::Intermediate, &pools.intermediates)];
        let candidates = both
            .iter()
            .flat_map(|(place, pool)| parents(pool, cert).into_iter().map(|c| (*place, c)));
        for (place, candidate) in candidates {
            self.checks += 1;
            if self.checks > SIGNATURE_LIMIT {
                last = fault::<()>(
                    Reason::Limit,
                    "x509: signature check attempts limit reached while verifying certificate chain",
                )
                .err();
                break;
            }
            if already_in(candidate, chain) {
                continue;
            }
            if let Err(why) = signed_by(cert, candidate, pools.refuse_sha1) {
                hint.get_or_insert((why, candidate));
                continue;
            }
            last = is_valid(place, candidate, chain, self.at).err();
            if let Some(why) = &last {
                hint.get_or_insert((why.clone(), candidate));
                continue;
            }
            let longer = [chain, core::slice::from_ref(candidate)].concat();
            if place == Place::Root {
                found.push(longer);
            } else {
                match self.above(&longer) {
                    Ok(chains) => found.extend(chains),
                    Err(why) => last = Some(why),
                }
            }
        }
        match last {
            _ if !found.is_empty() => Ok(found),
            Some(why) => Err(why),
            None => Err(unknown_authority(hint)),
        }
    }
}

/// `UnknownAuthorityError.Error`.
fn unknown_authority(hint: Option<(Fault, &Cert)>) -> Fault {
    let text = "x509: certificate signed by unknown authority";
    let Some((why, candidate)) = hint else {
        return Fault { reason: Reason::Unknown, text: text.to_string() };
    };
    let subject = candidate.subject();
    let name = subject.last(&Oid::COMMON_NAME).or_else(|| subject.last(&Oid::ORGANIZATION));
    let name = name.unwrap_or_else(|| alloc::format!("serial:{}", candidate.serial_hex()));
    let text = alloc::format!(
        "{text} (possibly because of {:?} while trying to verify candidate authority certificate {name:?})",
        why.text
    );
    let reason = if why.reason == Reason::Signature { Reason::Unknown } else { why.reason };
    Fault { reason, text }
}

/// The candidates with the issuer's name, likely ones first (`cert_pool.go: findPotentialParents`).
fn parents<'a>(pool: &'a [Cert], cert: &Cert) -> Vec<&'a Cert> {
    let wanted = cert.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_deref());
    let rank = |candidate: &&Cert| match (candidate.extensions().subject_key_id.as_deref(), wanted)
    {
        (have, wanted) if have == wanted => 0,
        (None, _) | (_, None) => 1,
        _ => 2,
    };
    let mut found: Vec<&Cert> =
        pool.iter().filter(|c| c.subject().as_der() == cert.issuer().as_der()).collect();
    found.sort_by_key(rank);
    found
}

/// Same subject, key and names (`verify.go: alreadyInChain`). Of two that are alike but for the names, one
/// without any ends the search, whoever comes after.
fn already_in(candidate: &Cert, chain: &[Cert]) -> bool {
    let names = |cert: &Cert| {
        let mut all = cert.raw_extensions().iter();
        all.find(|e| e.oid == oid::SUBJECT_ALT_NAME).map(|e| e.value.clone())
    };
    let alike = chain.iter().filter(|cert| {
        candidate.subject().as_der() == cert.subject().as_der()
            && candidate.public_key().as_der() == cert.public_key().as_der()
    });
    for cert in alike {
        match (names(candidate), names(cert)) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (Some(a), Some(b)) if a == b => return true,
            _ => {}
        }
    }
    false
}

/// `Certificate.isValid`: dates, CA and path length, which counts every certificate below.
fn is_valid(place: Place, cert: &Cert, chain: &[Cert], at: Time) -> Result<(), Fault> {
    if has_unhandled(cert) {
        return fault(Reason::Critical, "x509: unhandled critical extension");
    }
    let dates = |how: &str, bound: Time| Fault {
        reason: Reason::Dates,
        text: alloc::format!(
            "x509: certificate has expired or is not yet valid: current time {at} is {how} {bound}"
        ),
    };
    match (cert.not_before().time(), cert.not_after().time()) {
        (Some(begin), _) if at < begin => return Err(dates("before", begin)),
        (_, Some(end)) if at > end => return Err(dates("after", end)),
        _ => {}
    }
    let constraints = cert.extensions().basic_constraints;
    if place == Place::Intermediate && !cert.is_ca() {
        return fault(
            Reason::NotCa,
            "x509: certificate is not authorized to sign other certificates",
        );
    }
    let below = i64::try_from(chain.len()).unwrap_or(i64::MAX) - 1;
    if constraints.and_then(|c| c.path_len).is_some_and(|limit| below > limit) {
        return fault(Reason::PathLen, "x509: too many intermediates for path length constraint");
    }
    Ok(())
}

/// Critical extensions Go does not take (`crypto/x509/parser.go: processExtensions`).
fn has_unhandled(cert: &Cert) -> bool {
    let extensions = cert.extensions();
    let plain = |name: &GeneralName| {
        use GeneralName as N;
        matches!(name, N::Dns(_) | N::Email(_) | N::Ip(_) | N::Uri(_))
    };
    cert.raw_extensions().iter().filter(|e| e.critical).any(|e| match e.oid.as_bytes() {
        oid::KEY_USAGE
        | oid::BASIC_CONSTRAINTS
        | oid::CRL_DISTRIBUTION_POINTS
        | oid::EXT_KEY_USAGE
        | oid::CERTIFICATE_POLICIES
        | oid::POLICY_CONSTRAINTS
        | oid::POLICY_MAPPINGS
        | oid::INHIBIT_ANY_POLICY => false,
        oid::SUBJECT_ALT_NAME => !extensions.subject_alt_name.iter().flatten().any(plain),
        oid::NAME_CONSTRAINTS => extensions.name_constraints.as_ref().is_none_or(|constraints| {
            constraints.permitted.iter().chain(&constraints.excluded).any(|tree| !plain(&tree.base))
        }),
        _ => true,
    })
}

/// `Certificate.CheckSignatureFrom`.
fn signed_by(cert: &Cert, parent: &Cert, refuse_sha1: bool) -> Result<(), Fault> {
    if !may_sign(parent, KeyUsage::KEY_CERT_SIGN) {
        return fault(
            Reason::NotCa,
            "x509: invalid signature: parent certificate cannot sign this kind of certificate",
        );
    }
    if let Some(name) = sha1_name(cert).filter(|_| refuse_sha1) {
        let text = alloc::format!("x509: cannot verify signature: insecure algorithm {name}");
        return Err(Fault { reason: Reason::Sha1, text });
    }
    let signed = SignatureInput {
        algorithm: cert.signature_algorithm(),
        message: cert.tbs(),
        signature: cert.signature(),
        key: parent.public_key(),
    };
    is_signed(&signed)
}

/// A version 3 certificate signs only with CA:TRUE, and a keyUsage must name what it signs.
pub(super) fn may_sign(parent: &Cert, what: KeyUsage) -> bool {
    let is_ca = match parent.extensions().basic_constraints {
        Some(constraints) => constraints.ca,
        None => parent.version() != 2,
    };
    is_ca && parent.extensions().key_usage.is_none_or(|usage| usage.contains(what))
}

/// Go's words for a bad signature go by the algorithm and the key (`x509.go: checkSignature`).
pub(super) fn is_signed(signed: &SignatureInput<'_>) -> Result<(), Fault> {
    match signature::check(signed) {
        SignatureCheck::Good => Ok(()),
        SignatureCheck::Bad => {
            Err(Fault { reason: Reason::Signature, text: bad_signature(signed) })
        }
        SignatureCheck::Undecided => {
            fault(Reason::Signature, "x509: cannot verify signature: algorithm unimplemented")
        }
    }
}

fn bad_signature(signed: &SignatureInput<'_>) -> String {
    let scheme = algorithm_parts(signed.algorithm).ok().and_then(|(oid, _)| Scheme::of(oid));
    let wanted = match scheme.map(|scheme| scheme.kind) {
        Some(Kind::Rsa | Kind::RsaPss) => "RSA",
        Some(Kind::Ec) => "ECDSA",
        Some(Kind::Ed25519) => "Ed25519",
        _ => return "x509: cannot verify signature: algorithm unimplemented".to_string(),
    };
    let (have, kind, words) = match signed.key.algorithm() {
        KeyAlgorithm::Rsa { .. } => ("RSA", "*rsa.PublicKey", "crypto/rsa: verification error"),
        KeyAlgorithm::Ed25519 => {
            ("Ed25519", "ed25519.PublicKey", "x509: Ed25519 verification failure")
        }
        _ => ("ECDSA", "*ecdsa.PublicKey", "x509: ECDSA verification failure"),
    };
    if wanted == have {
        return words.to_string();
    }
    alloc::format!(
        "x509: signature algorithm specifies an {wanted} public key, but have public key of type {kind}"
    )
}

/// Go's name of the signature algorithm when it is over SHA-1.
pub(super) fn sha1_name(cert: &Cert) -> Option<&'static str> {
    let (oid, _) = algorithm_parts(cert.signature_algorithm()).ok()?;
    let sha1 = Scheme::of(oid)?.digest == Some(Digest::Sha1);
    sha1.then_some(if oid == oid::ECDSA_SHA1 { "ECDSA-SHA1" } else { "SHA1-RSA" })
}

/// `verify.go: checkChainForKeyUsage` for serverAuth.
fn allows_server(chain: &[Cert]) -> bool {
    chain.iter().all(allows_server_auth)
}

/// Whether what a certificate says of extended key usages leaves room for serverAuth.
pub(super) fn allows_server_auth(cert: &Cert) -> bool {
    match cert.extensions().ext_key_usage.as_deref() {
        None | Some([]) => true,
        Some(usages) => {
            usages.iter().any(|u| *u == Oid::SERVER_AUTH || *u == Oid::ANY_EXT_KEY_USAGE)
        }
    }
}

/// `verify.go: checkChainConstraints`, each certificate against the constraints of those above it.
fn check_names(chain: &[Cert]) -> Result<(), Fault> {
    for (i, cert) in chain.iter().enumerate() {
        for above in &chain[i + 1..] {
            if cert.extensions().subject_alt_name.is_none() {
                continue;
            }
            if let Err(code) = check_name_constraints(cert, above) {
                let text = alloc::format!(
                    "x509: a root or intermediate certificate is not authorized to sign for this name: {}",
                    code.text()
                );
                return Err(Fault { reason: Reason::Names, text });
            }
        }
    }
    Ok(())
}
