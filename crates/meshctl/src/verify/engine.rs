//! Stand-in until the engine of branch `verify` is merged: decides nothing.

use meshpki::verify::{Inputs, Policy, Revocation, Verdict};
use meshpki::{Name, Time};

pub(super) fn like_openssl(at: Time) -> Policy {
    Policy {
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
    }
}

pub(super) fn verify(inputs: &Inputs<'_>, _policy: &Policy) -> Verdict {
    let chain = vec![inputs.target.clone()];
    Verdict { chain, num_untrusted: 1, findings: Vec::new(), ok: false, undecided: Some(0) }
}

pub(super) fn openssl_text(_: &Verdict, name: &str, _show_chain: bool) -> (String, String) {
    (String::new(), format!("error {name}: verification failed\n"))
}

pub(super) fn crl_issuer(_: &meshpki::crl::Crl) -> &'static Name {
    static NAME: std::sync::LazyLock<Name> = std::sync::LazyLock::new(Name::empty);
    &NAME
}
