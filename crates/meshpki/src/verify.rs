//! Path validation that answers as a [`Release`] of `openssl verify` does.
//!
//! [`verify`] is total: a bad certificate is data, so it returns a [`Verdict`] and never an error.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::algorithm::check_algorithm;
use crate::cert::Cert;
use crate::crl::Crl;
use crate::der::{self, DerError, Reader};
use crate::name::Name;
use crate::oid::Oid;
use crate::time::Time;

mod algorithms;
pub mod boringssl;
mod build;
mod code;
mod explain;
mod extensions;
pub mod go;
mod identity;
mod issued;
mod level;
mod memo;
mod names;
mod policy;
mod policy_cache;
mod punycode;
mod purpose;
mod rejection;
mod release;
mod resources;
mod revocation;
mod signatures;
mod suite_b;
mod text;
mod time;
#[cfg(feature = "webpki")]
pub mod webpki;

pub use code::Code;
pub use explain::{Evidence, Explanation, OtherAnswer};
pub use memo::Memo;
pub(crate) use names::check_name_constraints;
pub use policy::{PolicyNode, PolicyOutcome};
pub use rejection::{Reason, Rejection};
pub use release::{Release, ReleaseError};
pub use suite_b::SuiteB;
pub use text::Printing;
pub(crate) use text::edition;

/// The certificates and CRLs a verification may use.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inputs<'a> {
    /// The certificate in question.
    pub target: &'a Cert,
    /// Untrusted certificates, tried in this order (`-untrusted`).
    pub untrusted: &'a [Cert],
    /// The trust store in its order (`-CAfile`, `-trusted`).
    pub trusted: &'a [Anchor],
    /// CRLs given for this verification (`-CRLfile`).
    pub crls: &'a [Crl],
    /// CRLs in the trust store (those found in `-CAfile`).
    pub store_crls: &'a [Crl],
    /// `trusted` is a list for this verification and no trust store (`-trusted`): the issuers of indirect CRLs are not
    /// looked for in it. Default false.
    pub trusted_apart: bool,
}

/// A certificate of the trust store, and what it may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchor {
    /// The certificate.
    pub cert: Cert,
    /// What a PEM `TRUSTED CERTIFICATE` block says; `None` for a plain certificate.
    pub aux: Option<TrustAux>,
    /// From when on the store has it; default [`Arrival::Start`].
    pub arrival: Arrival,
}

/// From when on a trust store that reads certificates when it is asked has one of them
/// (`crypto/x509/by_store.c: cache_objects`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// From the start.
    #[default]
    Start,
    /// From the second time on that its subject is looked for: the store failed after it had read some certificates.
    SecondLookup,
    /// Once its subject is looked for while the store has no certificate of that name: it is in a hashed folder, which
    /// is asked before a file that is read late (`crypto/x509/by_dir.c: get_cert_by_subject_ex`).
    Folder,
    /// Once a certificate is looked for which the store does not have: it then reads the whole file this one is in.
    Miss {
        /// Reading goes through. Otherwise that look-up finds nothing, and the next ones do.
        complete: bool,
    },
}

/// Trust attributes of a PEM `TRUSTED CERTIFICATE` (`crypto/x509/x_x509a.c: X509_CERT_AUX`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustAux {
    /// What it is trusted for; a list without any is not the same as no list.
    pub trust: Option<Vec<Oid>>,
    /// What it is rejected for.
    pub reject: Vec<Oid>,
}

/// How to verify. No `Default`: each caller says what it means. [`Policy::like_openssl`] is what
/// `openssl verify` 3.5 does without options; change its fields, or chain the methods whose names begin with `with_`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// The release of OpenSSL that is asked; default 3.5.
    pub release: Release,
    /// The time certificates, CRLs and candidate issuers are judged at; `None`: no time is checked (`-no_check_time`).
    pub at: Option<Time>,
    /// What the target will be used for (`-purpose`).
    pub purpose: Option<Purpose>,
    /// Intermediates allowed between target and anchor (`-verify_depth`, 100).
    pub max_depth: usize,
    /// Key and digest strength asked for, 0 to 5 and above (`-auth_level`, none).
    pub auth_level: u32,
    /// `-x509_strict`.
    pub strict: bool,
    /// Any certificate of the trust store ends a chain (`-partial_chain`).
    pub partial_chain: bool,
    /// Check the signature of a self-signed anchor too (`-check_ss_sig`).
    pub check_self_signed_signature: bool,
    /// `-ignore_critical`.
    pub ignore_critical: bool,
    /// Which certificates need a CRL (`-crl_check`, `-crl_check_all`).
    pub revocation: Revocation,
    /// The host name the target must have (`-verify_hostname`).
    pub host: Option<String>,
    /// The e-mail address the target must have (`-verify_email`).
    pub email: Option<String>,
    /// The address the target must have (`-verify_ip`).
    pub ip: Option<IpAddr>,
    /// Certificate policies; `None`: they are not checked.
    pub policies: Option<Policies>,
    /// The purpose whose trust settings count; `None`: those of `purpose` (`-verify_name` sets both).
    pub trusted_for: Option<Purpose>,
    /// Proxy certificates (RFC 3820) may be in the chain (`-allow_proxy_certs`).
    pub allow_proxies: bool,
    /// The distinguishing id of who signed the target (`-vfyopt distid:...`). Only SM2 signs one: `None` is the empty id
    /// there, and any other signature of the target is bad if there is an id.
    pub distinguishing_id: Option<Vec<u8>>,
    /// The keys of Suite B; `None`: any key (`-suiteB_128`, `-suiteB_128_only`, `-suiteB_192`).
    pub suite_b: Option<SuiteB>,
    /// Which CRLs are used besides complete ones of the certificate's issuer.
    pub crl_kinds: CrlKinds,
}

/// Kinds of CRLs that OpenSSL uses only if it is asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrlKinds {
    /// CRLs of other issuers, and CRLs for some reasons only (`-extended_crl`).
    pub extended: bool,
    /// Delta CRLs next to the complete CRL that they change (`-use_deltas`).
    pub deltas: bool,
}

/// Whose revocation is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// No certificate's.
    Ignore,
    /// The target's (`-crl_check`).
    Leaf,
    /// Every certificate's, the anchor's too (`-crl_check_all`).
    Chain,
}

/// Inputs of RFC 5280 section 6.1.1 (c) to (f).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policies {
    /// The acceptable policies (`-policy`); empty as OpenSSL reads it.
    pub acceptable: Vec<Oid>,
    /// `-explicit_policy`.
    pub explicit: bool,
    /// `-inhibit_any`.
    pub inhibit_any: bool,
    /// `-inhibit_map`.
    pub inhibit_mapping: bool,
}

/// What a certificate will be used for (`crypto/x509/v3_purp.c: xstandard`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// `sslclient`.
    SslClient,
    /// `sslserver`.
    SslServer,
    /// `nssslserver`.
    NsSslServer,
    /// `smimesign`.
    SmimeSign,
    /// `smimeencrypt`.
    SmimeEncrypt,
    /// `crlsign`.
    CrlSign,
    /// `any`.
    Any,
    /// `ocsphelper`.
    OcspHelper,
    /// `timestampsign`.
    TimestampSign,
    /// `codesign`, since 3.2.
    CodeSign,
}

/// The answer: the chain that was built and everything found wrong with it, in the order it was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// The release whose answer it is.
    pub release: Release,
    /// The chain, target first.
    pub chain: Vec<Cert>,
    /// How many certificates of `chain`, from the target on, did not come from the trust store.
    pub num_untrusted: usize,
    /// Everything found, in order. Empty and [`Verdict::ok`]: the certificate is good.
    pub findings: Vec<Finding>,
    /// What `X509_verify_cert` would say: false with no finding happens when a key cannot be decoded.
    pub ok: bool,
    /// Set when a signature could not be decided by any algorithm built in: depth of the certificate, or of the
    /// one whose CRL it is. Then `ok` is false, and no claim about openssl's answer is made.
    pub undecided: Option<usize>,
    /// What came out of policy processing; `None` when there was none.
    pub policy: Option<PolicyOutcome>,
    /// The names the trust store was asked for.
    pub lookups: Lookups,
    /// The last message of the error queue ends with a line break of its own, so an empty line comes after it
    /// (`crypto/x509/v3_ncons.c: nc_uri` of 3.5).
    queue_breaks_line: bool,
}

/// The names a verification asked the trust store for (`crypto/x509/x509_lu.c: X509_STORE_CTX_get_by_subject`), each
/// once, in order. A store that loads certificates when asked for them has these for the next target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lookups {
    /// Subjects of certificates.
    pub certs: Vec<Name>,
    /// Issuers of CRLs.
    pub crls: Vec<Name>,
    /// Subjects whose certificates came from a folder ([`Arrival::Folder`]).
    pub from_folders: Vec<Name>,
    /// A certificate was looked for which the store did not have at first ([`Arrival::Miss`]).
    pub missed: bool,
}

/// One thing wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// OpenSSL's number and text.
    pub code: Code,
    /// Place in the chain, 0 for the target.
    pub depth: usize,
    /// It is about the chain of a CRL's issuer, which is not in the chain itself (`-extended_crl`). OpenSSL reports it
    /// and goes by the outcome for that chain alone.
    pub in_crl_path: bool,
    /// The certificate it is about; `None` for a finding about the whole chain (code 43).
    pub cert: Option<Cert>,
}

/// Verifies `inputs.target` as `openssl verify` does (`crypto/x509/x509_vfy.c: X509_verify_cert`).
///
/// Total: whatever is wrong is in the verdict.
#[must_use]
pub fn verify(inputs: &Inputs<'_>, policy: &Policy) -> Verdict {
    verify_with(inputs, policy, &mut Memo::default())
}

/// [`verify`], for one target of many: signatures above it that `memo` has seen are not checked again.
#[must_use]
pub fn verify_with(inputs: &Inputs<'_>, policy: &Policy, memo: &mut Memo) -> Verdict {
    let mut run = Run::new(inputs, policy, memo);
    let went_through = run.verify_cert().is_ok();
    Verdict {
        release: policy.release,
        ok: went_through
            && run.findings.iter().all(|finding| finding.in_crl_path)
            && run.undecided.is_none(),
        chain: run.chain.iter().map(|link| link.cert.clone()).collect(),
        num_untrusted: run.num_untrusted,
        findings: run.findings,
        undecided: run.undecided,
        policy: run.outcome,
        lookups: run.lookups,
        queue_breaks_line: run.queue_breaks_line,
    }
}

impl<'a> Inputs<'a> {
    /// A certificate, the untrusted certificates that may lead to the trust store, and the trust store; no CRLs.
    #[must_use]
    pub const fn new(target: &'a Cert, untrusted: &'a [Cert], trusted: &'a [Anchor]) -> Self {
        Self { target, untrusted, trusted, crls: &[], store_crls: &[], trusted_apart: false }
    }

    /// The same with CRLs given for this verification.
    #[must_use]
    pub const fn with_crls(self, crls: &'a [Crl]) -> Self {
        Self { crls, ..self }
    }

    /// The same with `trusted` as a list for this verification instead of the trust store.
    #[must_use]
    pub const fn with_trusted_apart(self) -> Self {
        Self { trusted_apart: true, ..self }
    }

    /// The same with the CRLs of the trust store.
    #[must_use]
    pub const fn with_store_crls(self, store_crls: &'a [Crl]) -> Self {
        Self { store_crls, ..self }
    }
}

/// [`verify`] with plain certificates as the trust store and without CRLs.
#[must_use]
pub fn verify_chain(target: &Cert, untrusted: &[Cert], roots: &[Cert], policy: &Policy) -> Verdict {
    let trusted: Vec<Anchor> = roots.iter().cloned().map(Anchor::new).collect();
    verify(&Inputs::new(target, untrusted, &trusted), policy)
}

impl Policy {
    /// What `openssl verify` 3.5 does without options, at a given time.
    #[must_use]
    pub const fn like_openssl(at: Time) -> Self {
        Self {
            release: Release::V3_5,
            at: Some(at),
            purpose: None,
            max_depth: 100,
            auth_level: 0,
            strict: false,
            partial_chain: false,
            check_self_signed_signature: false,
            ignore_critical: false,
            revocation: Revocation::Ignore,
            host: None,
            email: None,
            ip: None,
            policies: None,
            trusted_for: None,
            allow_proxies: false,
            distinguishing_id: None,
            suite_b: None,
            crl_kinds: CrlKinds { extended: false, deltas: false },
        }
    }

    /// The purpose whose trust settings count.
    fn trust(&self) -> Option<Purpose> {
        self.trusted_for.or(self.purpose)
    }

    /// The same, as another release answers.
    #[must_use]
    pub fn with_release(self, release: Release) -> Self {
        Self { release, ..self }
    }

    /// The same at another time; `None`: no time is checked.
    #[must_use]
    pub fn with_time(self, at: Option<Time>) -> Self {
        Self { at, ..self }
    }

    /// The same for a purpose.
    #[must_use]
    pub fn with_purpose(self, purpose: Purpose) -> Self {
        Self { purpose: Some(purpose), ..self }
    }

    /// The same, but any certificate of the trust store ends a chain.
    #[must_use]
    pub fn with_partial_chain(self) -> Self {
        Self { partial_chain: true, ..self }
    }

    /// The same with the revocation of these certificates checked.
    #[must_use]
    pub fn with_revocation(self, revocation: Revocation) -> Self {
        Self { revocation, ..self }
    }

    /// The same for a host name.
    #[must_use]
    pub fn with_host(self, host: impl Into<String>) -> Self {
        Self { host: Some(host.into()), ..self }
    }
}

impl From<Cert> for Anchor {
    fn from(cert: Cert) -> Self {
        Self::new(cert)
    }
}

impl Anchor {
    /// A certificate without trust settings.
    #[must_use]
    pub const fn new(cert: Cert) -> Self {
        Self { cert, aux: None, arrival: Arrival::Start }
    }

    /// Reads the content of a PEM `TRUSTED CERTIFICATE` block: a certificate and, after it, its trust
    /// settings if there are any (`crypto/x509/x_x509.c: d2i_X509_AUX`). Bytes after both are ignored.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn from_trusted_der(bytes: &[u8]) -> Result<Self, DerError> {
        let (cert, length) = Cert::read(bytes)?;
        let rest = &bytes[length..];
        let aux = if rest.is_empty() { None } else { Some(TrustAux::read(rest)?) };
        Ok(Self { cert, aux, arrival: Arrival::Start })
    }
}

impl TrustAux {
    fn read(bytes: &[u8]) -> Result<Self, DerError> {
        let outer =
            Reader::new(bytes).expect(der::SEQUENCE, "trust settings are not a SEQUENCE")?;
        let mut parts = outer.reader();
        let trust = parts.optional_list(der::SEQUENCE)?.map(|list| usages(&list)).transpose()?;
        let reject = parts.optional_list(0xa0)?.map(|list| usages(&list)).transpose()?;
        for tag in [der::UTF8_STRING, der::OCTET_STRING] {
            if let Some(text) = parts.optional_string(tag)? {
                text.string()?;
            }
        }
        if let Some(others) = parts.optional_list(0xa1)? {
            let mut others = others.reader();
            while let Some(algorithm) = others.next()? {
                if algorithm.tag != der::SEQUENCE {
                    return Err(algorithm.error("an AlgorithmIdentifier is not a SEQUENCE"));
                }
                check_algorithm(&algorithm)?;
            }
        }
        parts.end("extra element in trust settings")?;
        Ok(Self { trust, reject: reject.unwrap_or_default() })
    }
}

/// The OIDs of a list of trust settings.
fn usages(list: &der::Tlv<'_>) -> Result<Vec<Oid>, DerError> {
    let mut found = Vec::new();
    let mut items = list.reader();
    while let Some(usage) = items.next()? {
        if usage.tag != der::OID {
            return Err(usage.error("a trust setting is not an OID"));
        }
        der::shape::check_oid(&usage)?;
        found.push(Oid::of(usage.content));
    }
    Ok(found)
}

impl Verdict {
    /// Whether the certificate is good.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.ok
    }
}

/// Verification ends here (`verify_cb` answered 0, or OpenSSL ran into an internal error).
#[derive(Clone, Copy, Debug)]
struct Stop;

type Step = Result<(), Stop>;

/// A certificate of the chain, with the trust settings it has in the trust store.
#[derive(Clone, Copy)]
struct Link<'a> {
    cert: &'a Cert,
    aux: Option<&'a TrustAux>,
}

/// A verification under way (`X509_STORE_CTX`).
struct Run<'a> {
    inputs: &'a Inputs<'a>,
    policy: &'a Policy,
    memo: &'a mut Memo,
    chain: Vec<Link<'a>>,
    num_untrusted: usize,
    lookups: Lookups,
    findings: Vec<Finding>,
    undecided: Option<usize>,
    outcome: Option<PolicyOutcome>,
    /// The score of the CRL in use (`current_crl_score`).
    crl_score: u16,
    /// The chain is that of a CRL's issuer (`parent`).
    is_crl_path: bool,
    queue_breaks_line: bool,
}

impl<'a> Run<'a> {
    fn new(inputs: &'a Inputs<'a>, policy: &'a Policy, memo: &'a mut Memo) -> Self {
        Self {
            inputs,
            policy,
            memo,
            chain: alloc::vec![Link { cert: inputs.target, aux: None }],
            num_untrusted: 1,
            lookups: Lookups::default(),
            findings: Vec::new(),
            undecided: None,
            outcome: None,
            crl_score: 0,
            is_crl_path: false,
            queue_breaks_line: false,
        }
    }

    /// `crypto/x509/x509_vfy.c: X509_verify_cert` and `verify_chain`.
    fn verify_cert(&mut self) -> Step {
        self.check_target_key_level()?;
        self.build_chain()?;
        self.check_extensions()?;
        self.check_auth_level()?;
        self.check_id()?;
        // X509_get_pubkey_parameters fails silently.
        self.policy.release.key(self.inputs.target).ok_or(Stop)?;
        self.check_revocation()?;
        self.check_suite_b()?;
        self.internal_verify()?;
        self.check_name_constraints()?;
        self.check_resources()?;
        self.check_policy()
    }

    /// Reports a code about the certificate at `depth`; continues where `apps/verify.c: cb` does.
    fn report(&mut self, code: u8, depth: usize) -> Step {
        let cert = self.chain[depth].cert.clone();
        self.report_on(code, depth, Some(cert))
    }

    fn report_on(&mut self, code: u8, depth: usize, cert: Option<Cert>) -> Step {
        let code = Code(code);
        self.findings.push(Finding { code, depth, cert, in_crl_path: self.is_crl_path });
        if code.is_let_through() { Ok(()) } else { Err(Stop) }
    }
}

#[cfg(test)]
mod tests;
