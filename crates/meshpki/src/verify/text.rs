//! The lines `openssl verify` prints for a verdict (`apps/verify.c: check`, `cb`;
//! `apps/lib/apps.c: policies_print`).

use alloc::string::String;
use alloc::vec::Vec;

use super::{Finding, PolicyOutcome, Release, Verdict};
use crate::cert::Cert;
use crate::name::NameForm;
use crate::oid::Edition;

impl Release {
    /// The form in which it prints names by default (`apps/lib/apps.c: get_nameopt`), with its names of attributes.
    #[must_use]
    pub const fn name_form(self) -> NameForm {
        let form = if self.since(3, 2) { NameForm::PLAIN } else { NameForm::ONELINE };
        form.with_edition(edition(self))
    }
}

/// The names of object identifiers a release has (`crypto/objects/obj_dat.h`).
pub(crate) const fn edition(release: Release) -> Edition {
    match release {
        Release::V3_0 => Edition::V3_0,
        Release::V3_5 => Edition::V3_5,
        Release::V3_6 => Edition::V3_6,
    }
}

/// How `openssl verify` was asked to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Printing {
    /// The form of names (`-nameopt`).
    pub names: NameForm,
    /// The chain of a good certificate (`-show_chain`).
    pub chain: bool,
    /// Policies (`-policy_print`).
    pub policies: bool,
}

impl Printing {
    /// Without chain and policies, names in a form.
    #[must_use]
    pub const fn new(names: NameForm) -> Self {
        Self { names, chain: false, policies: false }
    }

    /// The same with the chain of a good certificate.
    #[must_use]
    pub const fn with_chain(self) -> Self {
        Self { chain: true, ..self }
    }

    /// The same with policies.
    #[must_use]
    pub const fn with_policies(self) -> Self {
        Self { policies: true, ..self }
    }
}

impl Verdict {
    /// What `openssl verify` prints for the certificate it calls `name`: stdout and stderr, without the lines of the
    /// error queue, names in the release's own form. `show_chain` stands for `-show_chain`.
    #[must_use]
    pub fn openssl_text(&self, name: &str, show_chain: bool) -> (String, String) {
        let printing = Printing { chain: show_chain, ..Printing::new(self.release.name_form()) };
        let (out, err) = self.openssl_bytes(name.as_bytes(), &printing);
        // Each release's own form gives UTF-8.
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(out), text(err))
    }

    /// As [`Verdict::openssl_text`], in any form. Bytes, for not every form of names gives UTF-8.
    #[must_use]
    pub fn openssl_bytes(&self, name: &[u8], printing: &Printing) -> (Vec<u8>, Vec<u8>) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        for finding in &self.findings {
            push_finding(&mut err, finding, self.release, printing.names);
            if finding.code.0 == 43 {
                push_policies(&mut err, self.policy.as_ref(), printing.names);
            }
        }
        let notified = self.policy.as_ref().is_some_and(|policy| policy.notified);
        let clean = self.findings.iter().all(|finding| finding.in_crl_path);
        if printing.policies && clean && notified {
            push_policies(&mut err, self.policy.as_ref(), printing.names);
        }
        if !self.is_ok() {
            err.extend_from_slice(&[b"error ", name, b": verification failed\n"].concat());
            err.extend(self.queue_breaks_line.then_some(b'\n'));
            return (out, err);
        }
        out.extend_from_slice(&[name, b": OK\n"].concat());
        if printing.chain {
            out.extend_from_slice(b"Chain:\n");
            for (depth, cert) in self.chain.iter().enumerate() {
                let untrusted = if depth < self.num_untrusted { " (untrusted)" } else { "" };
                push(&mut out, format_args!("depth={depth}: "));
                push_subject(&mut out, cert, printing.names);
                push(&mut out, format_args!("{untrusted}\n"));
            }
        }
        (out, err)
    }
}

fn push(to: &mut Vec<u8>, what: core::fmt::Arguments<'_>) {
    to.extend_from_slice(alloc::fmt::format(what).as_bytes());
}

fn push_subject(to: &mut Vec<u8>, cert: &Cert, names: NameForm) {
    to.extend_from_slice(&cert.subject().printed(names));
}

fn push_finding(to: &mut Vec<u8>, finding: &Finding, release: Release, names: NameForm) {
    if let Some(cert) = &finding.cert {
        push_subject(to, cert, names);
        to.push(b'\n');
    }
    let (code, depth) = (finding.code, finding.depth);
    let path = if finding.in_crl_path { "[CRL path] " } else { "" };
    let text = code.text_of(release);
    push(to, format_args!("{path}error {} at {depth} depth lookup: {text}\n", code.0));
}

fn push_policies(to: &mut Vec<u8>, outcome: Option<&PolicyOutcome>, names: NameForm) {
    let explicit = outcome.is_some_and(|outcome| outcome.explicit);
    push(
        to,
        format_args!("Require explicit Policy: {}\n", if explicit { "True" } else { "False" }),
    );
    // OpenSSL frees a tree that fails before it prints (`crypto/x509/pcy_tree.c: X509_policy_check`).
    let shown = outcome.filter(|outcome| outcome.notified);
    let authority = shown.and_then(|outcome| outcome.authority.as_deref());
    let user = shown.and_then(|outcome| outcome.user.as_deref());
    for (name, nodes) in [("Authority", authority), ("User", user)] {
        let Some(nodes) = nodes else {
            push(to, format_args!("{name} Policies: <empty>\n"));
            continue;
        };
        push(to, format_args!("{name} Policies:\n"));
        nodes.iter().for_each(|node| to.extend(node.printed(names.edition())));
    }
}
