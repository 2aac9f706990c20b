//! A cluster's intermediate: from options to a profile, from a profile to a certificate.

use meshpki::cert::GeneralName;
use meshpki::name::Attribute;
use meshpki::{
    Cert, Error, Name, Profile, PublicKey, Serial, Stamp, Time, TrustDomain, issue, oid,
};

use super::issuer::Authority;
use crate::Io;
use crate::args::ClusterOptions;
use crate::report::{Failure, warn};

/// The profile of `cluster`'s intermediate under a root with subject `root`.
pub(super) fn profile(
    cluster: &str,
    options: &ClusterOptions,
    root: &Name,
) -> Result<Profile, Failure> {
    let subject = match &options.cluster_subject {
        Some(template) => subject(template, cluster)?,
        None => default_subject(cluster, root),
    };
    let mut profile = Profile::cluster(subject);
    if let Some(seconds) = options.cluster_validity {
        profile.valid_seconds = seconds;
    }
    profile.subject_alt_names = names(&options.san, cluster)?;
    if let Some(domain) = trust_domain(cluster, &options.trust_domain)? {
        profile.subject_alt_names.push(GeneralName::Uri(domain.uri().into_bytes()));
        if options.constrain {
            profile.permitted_uri_hosts.push(domain.as_str().to_owned());
        }
    } else if options.constrain {
        return Err(Failure::new(
            "ctl/usage",
            format!("--constrain needs a trust domain for `{cluster}`"),
        )
        .hint(format!("add `--trust-domain {cluster}=DOMAIN`")));
    }
    Ok(profile)
}

/// A typed subject in which `{cluster}` stands for the cluster's name.
pub(super) fn subject(template: &str, cluster: &str) -> Result<Name, Failure> {
    Ok(Name::parse(&template.replace("{cluster}", cluster)).map_err(Error::Subject)?)
}

/// `dns:NAME` and `uri:URI`, with `{cluster}` for the cluster's name.
pub(super) fn names(typed: &[String], cluster: &str) -> Result<Vec<GeneralName>, Failure> {
    let name = |typed: &String| {
        let text = typed.replace("{cluster}", cluster);
        let refuse = |why: &str| {
            Failure::new("ctl/san", format!("`{typed}` is no name for a certificate"))
                .because(why)
                .exit(crate::Exit::Usage)
        };
        let (kind, value) = text
            .split_once(':')
            .ok_or_else(|| refuse("it is not of the form dns:NAME or uri:URI"))?;
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refuse("a name is not empty and has no spaces and only ASCII"));
        }
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Ok(GeneralName::Dns(value.as_bytes().to_vec())),
            "uri" if value.contains("://") => Ok(GeneralName::Uri(value.as_bytes().to_vec())),
            "uri" => Err(refuse("a URI begins with its scheme, as in spiffe://cluster.local")),
            _ => Err(refuse("the kind is dns or uri")),
        }
    };
    typed.iter().map(name).collect()
}

/// Issues `profile` for `key` at `now`; where nobody asked for a length of time, it is cut to the issuer's.
///
/// `asked` says that the validity is somebody's wish: then it is refused rather than cut.
pub(super) fn make(
    mut profile: Profile,
    key: &PublicKey,
    authority: &Authority,
    now: Time,
    asked: bool,
    io: &mut Io<'_>,
) -> Result<Cert, Failure> {
    let stamp = Stamp::made_at(now, Serial::from_random(crate::io::random()));
    let end = stamp.not_before.plus(profile.valid_seconds);
    if let Some(until) = authority.cert.not_after().time()
        && !asked
        && end > until
    {
        profile.valid_seconds = until.0 - stamp.not_before.0;
        let warning = Failure::new(
            "ctl/validity-cut",
            format!("`{}` ends with its issuer, {}", profile.subject.label(), until.date()),
        )
        .because(format!(
            "`{}` ends then, and nothing outlives its issuer",
            authority.cert.subject().label()
        ))
        .hint("a new root has to be distributed before that day");
        warn(io.err, &warning);
    }
    Ok(issue(&profile, key, authority.issuer(), stamp)?)
}

/// Warns that a name constraint keeps some proxies from accepting a chain.
pub(super) fn warn_constrained(io: &mut Io<'_>) {
    let warning = Failure::new("ctl/name-constraint-unproven", "the intermediates are limited to their trust domains")
        .because("Envoy enforces that; ztunnel (ambient mode), whose verifier knows no URI constraints, refuses such chains")
        .hint("leave `--constrain` out where ambient mode is used");
    warn(io.err, &warning);
}

/// The organisation of the root, and the cluster in the common name: no two clusters share a subject.
fn default_subject(cluster: &str, root: &Name) -> Name {
    let mut attributes: Vec<Attribute> =
        root.rdns().concat().into_iter().filter(|a| a.oid == oid::ORGANIZATION).collect();
    attributes.push(Attribute::new(oid::COMMON_NAME, &format!("Mesh CA {cluster}")));
    Name::new(&attributes)
}

/// `DOMAIN` is for every cluster, `CLUSTER=DOMAIN` for one, and the more special wins.
fn trust_domain(cluster: &str, typed: &[String]) -> Result<Option<TrustDomain>, Failure> {
    let mut found = None;
    for text in typed {
        match text.split_once('=') {
            Some((name, domain)) if name == cluster => return Ok(Some(domain.parse()?)),
            Some(_) => {}
            None => found = Some(text.parse()?),
        }
    }
    Ok(found)
}
