//! The lines `openssl verify` prints for a verdict (`apps/verify.c: check`, `cb`;
//! `apps/lib/apps.c: policies_print`).

use alloc::string::String;
use core::fmt::Write;

use super::{Finding, PolicyOutcome, Release, Verdict};

impl Verdict {
    /// What `openssl verify` prints for the certificate it calls `name`: stdout and stderr, without the lines
    /// of the error queue. `show_chain` stands for `-show_chain`.
    #[must_use]
    pub fn openssl_text(&self, name: &str, show_chain: bool) -> (String, String) {
        self.text(name, show_chain, false)
    }

    /// As [`Verdict::openssl_text`] with `-policy_print`.
    #[must_use]
    pub fn openssl_text_with_policies(&self, name: &str, show_chain: bool) -> (String, String) {
        self.text(name, show_chain, true)
    }

    fn text(&self, name: &str, show_chain: bool, policies: bool) -> (String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        for finding in &self.findings {
            push_finding(&mut err, finding, self.release);
            if finding.code.0 == 43 {
                push_policies(&mut err, self.policy.as_ref());
            }
        }
        if policies && self.findings.is_empty() && self.policy.as_ref().is_some_and(|p| p.notified)
        {
            push_policies(&mut err, self.policy.as_ref());
        }
        if !self.is_ok() {
            push(&mut err, format_args!("error {name}: verification failed\n"));
            return (out, err);
        }
        push(&mut out, format_args!("{name}: OK\n"));
        if show_chain {
            out.push_str("Chain:\n");
            for (depth, cert) in self.chain.iter().enumerate() {
                let untrusted = if depth < self.num_untrusted { " (untrusted)" } else { "" };
                push(&mut out, format_args!("depth={depth}: {}{untrusted}\n", cert.subject()));
            }
        }
        (out, err)
    }
}

/// Writing to a string cannot fail.
fn push(to: &mut String, what: core::fmt::Arguments<'_>) {
    let _ = to.write_fmt(what);
}

fn push_finding(to: &mut String, finding: &Finding, release: Release) {
    if let Some(cert) = &finding.cert {
        push(to, format_args!("{}\n", cert.subject()));
    }
    let (code, depth) = (finding.code, finding.depth);
    let text = code.text_of(release);
    push(to, format_args!("error {} at {depth} depth lookup: {text}\n", code.0));
}

fn push_policies(to: &mut String, outcome: Option<&PolicyOutcome>) {
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
        nodes.iter().for_each(|node| push(to, format_args!("{node}")));
    }
}
