//! Whether a bundle is accepted: its roots, and whether it may take the place of the one that is stored.

use std::path::Path;

use meshpki::Error;
use meshpki::spiffe::{Bundle, BundleUpdate, Ignored, UpdatePolicy, UpdateRefusal, svid};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::word;

/// Refuses a root with which anyone can sign, and warns of one that SPIFFE does not allow to sign. `from` is a file or a
/// URL.
///
/// # Errors
/// `pki/forgeable-key`.
pub(super) fn check_roots(bundle: &Bundle, from: &str, io: &mut Io<'_>) -> Result<(), Failure> {
    for root in bundle.roots() {
        let subject = root.subject().label();
        if let Some(flaw) = root.public_key().flaw() {
            let what = format!("the key of `{subject}`");
            return Err(Failure::from(Error::ForgeableKey { what, flaw }).within(from));
        }
        if let Err(problem) = svid::check_signing(root) {
            io.warn(&Failure::from(Error::Svid { subject, problem }).within(from));
        }
    }
    Ok(())
}

/// Refuses a bundle without roots that is in a file.
///
/// # Errors
/// `ctl/bundle-empty`.
pub(super) fn check_not_empty(
    bundle: &Bundle,
    ignored: &[Ignored],
    path: &Path,
) -> Result<(), Failure> {
    if !bundle.roots().is_empty() {
        return Ok(());
    }
    Err(empty(bundle, ignored).in_file(path).hint(format!(
        "`meshctl trust bundle show {}` shows what is in it; `--allow-empty` accepts it",
        word(path)
    )))
}

/// The refusal of a bundle without roots.
pub(super) fn empty(bundle: &Bundle, ignored: &[Ignored]) -> Failure {
    let message = format!("the bundle of {} has no root", bundle.trust_domain());
    Failure::new("ctl/bundle-empty", message).exit(Exit::No).because(why_empty(ignored))
}

/// What a bundle without roots means (SPIFFE Trust Domain and Bundle section 4.1.3, X509-SVID section 6.2).
pub(super) const fn why_empty(ignored: &[Ignored]) -> &'static str {
    if ignored.is_empty() {
        "the trust domain has revoked everything it signed"
    } else {
        "none of its keys counts"
    }
}

/// Whether a bundle from `from`, which is a file or a URL, may take the place of the one stored in `out`; `None` for one
/// that is served. An empty one has been accepted before.
///
/// # Errors
/// `ctl/bundle-domain`, `ctl/bundle-older`, `ctl/bundle-changed`.
pub(super) fn check_update(
    new: &Bundle,
    stored: Option<&Bundle>,
    accept_older: bool,
    from: &str,
    out: Option<&Path>,
) -> Result<BundleUpdate, Failure> {
    let policy = UpdatePolicy::default().with_empty(true).with_older(accept_older);
    let refusal = match new.update(stored, policy) {
        Ok(update) => return Ok(update),
        Err(refusal) => refusal,
    };
    let domain = new.trust_domain();
    Err(match refusal {
        UpdateRefusal::Domain { stored, .. } => {
            let out = out.unwrap_or(Path::new(from));
            return Err(other_domain(new, stored.as_str(), out));
        }
        UpdateRefusal::Older { found, stored } => {
            let found = found.map_or("no sequence number".into(), |n| format!("sequence {n}"));
            let there = out.map_or_else(
                || "the bundle that is served".to_owned(),
                |out| format!("`{}`", out.display()),
            );
            let message = format!("the bundle of {domain} is older than the one there");
            Failure::new("ctl/bundle-older", message)
                .because(format!("it has {found}, and {there} is from sequence {stored}"))
                .hint("`--accept-older` accepts it")
        }
        refusal => {
            let message = format!("the bundle of {domain} changed without a new sequence number");
            Failure::new("ctl/bundle-changed", message).because(refusal.to_string()).hint(
                "ask the owner of the trust domain which one is right; `--accept-older` accepts it",
            )
        }
    }
    .exit(Exit::No)
    .within(from))
}

/// The file to write has the roots of another trust domain.
pub(super) fn other_domain(bundle: &Bundle, found: &str, out: &Path) -> Failure {
    let message = format!("the file has the roots of another trust domain, {found}");
    Failure::new("ctl/bundle-domain", message)
        .exit(Exit::No)
        .in_file(out)
        .because(format!("the bundle is for {}", bundle.trust_domain()))
        .hint("choose another file: roots of two trust domains are never merged")
}
