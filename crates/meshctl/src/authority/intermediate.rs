//! A cluster's intermediate: from options to a profile, from a profile to a certificate.

use std::time::Duration;

use meshpki::x509::{Attribute, GeneralName};
use meshpki::{
    Cert, Error, Name, Oid, Profile, PublicKey, Serial, Stamp, Time, TrustDomain, issue,
};

use super::issuer::Authority;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::io::check_begin;

/// What the intermediates of new clusters say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The subject, in which `{cluster}` is the cluster's name; `None`: the root's organization and `Mesh CA CLUSTER`.
    pub(crate) subject: Option<String>,
    /// How long it is valid; `None`: a year, or less if the root ends before.
    pub(crate) validity: Option<Duration>,
    /// `DOMAIN` for every cluster, `CLUSTER=DOMAIN` for one.
    pub(crate) trust_domains: Vec<String>,
    /// Names as `dns:NAME` and `uri:URI`, in which `{cluster}` is the cluster's name.
    pub(crate) names: Vec<String>,
    /// A name constraint limits each to its trust domain.
    pub(crate) constrain: bool,
}

/// The profile of `cluster`'s intermediate under a root with subject `root`.
pub(crate) fn profile(cluster: &str, options: &Options, root: &Name) -> Result<Profile, Failure> {
    let subject = match &options.subject {
        Some(template) => subject(template, cluster)?,
        None => default_subject(cluster, root),
    };
    let mut profile = Profile::cluster(subject);
    if let Some(validity) = options.validity {
        profile.validity = validity;
    }
    profile.subject_alt_names = names(&options.names, cluster)?;
    if let Some(domain) = trust_domain(cluster, &options.trust_domains)? {
        profile.subject_alt_names.push(GeneralName::Uri(domain.uri().into_bytes()));
        if options.constrain {
            profile.permitted_uri_hosts.push(domain.as_str().to_owned());
        }
    } else if options.constrain {
        return Err(Failure::new(
            "ctl/usage",
            format!("`--constrain` needs a trust domain for `{cluster}`"),
        )
        .hint(format!("add `--trust-domain {cluster}=DOMAIN`"))
        .exit(Exit::Usage));
    }
    Ok(profile)
}

/// A typed subject, in which `{cluster}` is replaced by the cluster's name.
pub(crate) fn subject(template: &str, cluster: &str) -> Result<Name, Failure> {
    template
        .replace("{cluster}", cluster)
        .parse::<Name>()
        .map_err(|error| Failure::from(Error::Subject(error)).exit(Exit::Usage))
}

/// `dns:NAME` and `uri:URI`, with `{cluster}` for the cluster's name; no other braces.
pub(crate) fn names(typed: &[String], cluster: &str) -> Result<Vec<GeneralName>, Failure> {
    let name = |typed: &String| {
        let text = typed.replace("{cluster}", cluster);
        let refuse = |why: &str| {
            Failure::new("ctl/san", format!("`{typed}` is not a valid subject alternative name"))
                .because(why)
                .exit(Exit::Usage)
        };
        let (kind, value) =
            text.split_once(':').ok_or_else(|| refuse("expected `dns:NAME` or `uri:URI`"))?;
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refuse("expected printable ASCII without spaces"));
        }
        if value.contains(['{', '}']) {
            return Err(refuse(
                "the only placeholder is `{cluster}`, in commands that take a cluster",
            ));
        }
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Ok(GeneralName::Dns(value.as_bytes().to_vec())),
            "uri" if value.contains("://") => Ok(GeneralName::Uri(value.as_bytes().to_vec())),
            "uri" => Err(refuse("expected a URI with its scheme, such as spiffe://cluster.local")),
            _ => Err(refuse("expected `dns:NAME` or `uri:URI`")),
        }
    };
    typed.iter().map(name).collect()
}

/// Issues `profile` for `key` at `now`; unless a validity was requested, it is cut to the issuer's.
///
/// `asked` means that the validity was requested: then it is refused rather than cut.
pub(crate) fn make(
    mut profile: Profile,
    key: &PublicKey,
    authority: &Authority,
    now: Time,
    asked: bool,
    io: &mut Io<'_>,
) -> Result<Cert, Failure> {
    let stamp = Stamp::made_at(now, Serial::from_random(crate::io::random()));
    check_begin(stamp.not_before, &format!("`{}`", profile.subject.label()))?;
    let end = stamp.not_before + profile.validity;
    let until = authority.cert.not_after().time();
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(Failure::from(Error::OutlivesIssuer {
            subject: profile.subject.label(),
            not_after: end,
            issuer: authority.cert.subject().label(),
            issuer_not_after: until,
        })
        .because("the issuer has expired")
        .hint("create a new root in its own folder: `meshctl ca init DIR --cluster NAME`"));
    }
    if let Some(until) = until
        && !asked
        && end > until
    {
        profile.validity = until.since(stamp.not_before);
        let warning = Failure::new(
            "ctl/validity-cut",
            format!("`{}` expires with its issuer, on {}", profile.subject.label(), until.date()),
        )
        .because(format!(
            "`{}` expires then, and a certificate cannot outlive its issuer",
            authority.cert.subject().label()
        ))
        .hint("distribute a new root before that day");
        io.warn(&warning);
    }
    Ok(issue(&profile, key, authority.issuer(), stamp)?)
}

/// Warns that a name constraint keeps some proxies from accepting a chain.
pub(crate) fn warn_constrained(what: &str, io: &mut Io<'_>) {
    let warning = Failure::new("ctl/name-constraint-unproven", what)
        .because("Envoy enforces that; ztunnel (ambient mode), whose verifier does not support URI constraints, rejects such chains")
        .hint("do not use `--constrain` with ambient mode");
    io.warn(&warning);
}

/// The organisation of the root, and the cluster in the common name: no two clusters share a subject.
fn default_subject(cluster: &str, root: &Name) -> Name {
    let mut attributes: Vec<Attribute> =
        root.rdns().concat().into_iter().filter(|a| a.oid == Oid::ORGANIZATION).collect();
    attributes.push(Attribute::new(Oid::COMMON_NAME, &format!("Mesh CA {cluster}")));
    Name::new(&attributes)
}

/// `DOMAIN` is for every cluster, `CLUSTER=DOMAIN` for one; the more specific one wins.
pub(crate) fn trust_domain(
    cluster: &str,
    typed: &[String],
) -> Result<Option<TrustDomain>, Failure> {
    let parse = |domain: &str| {
        domain.parse().map_err(|error| Failure::from(Error::TrustDomain(error)).exit(Exit::Usage))
    };
    let mut found = None;
    for text in typed {
        match text.split_once('=') {
            Some((name, domain)) if name == cluster => return parse(domain).map(Some),
            Some(_) => {}
            None => found = Some(parse(text)?),
        }
    }
    Ok(found)
}

/// The trust domains a certificate says it is of: its SPIFFE URIs without a path.
pub(crate) fn trust_domains(cert: &Cert) -> Vec<String> {
    let names = cert.extensions().subject_alt_name.iter().flatten();
    let uris = names.filter_map(|name| match name {
        GeneralName::Uri(uri) => std::str::from_utf8(uri).ok(),
        _ => None,
    });
    let is_domain = |uri: &&str| {
        uri.strip_prefix("spiffe://").is_some_and(|rest| !rest.trim_end_matches('/').contains('/'))
    };
    uris.filter(is_domain).map(|uri| uri.trim_end_matches('/').to_owned()).collect()
}

/// Refuses a trust domain for a cluster that was not named: a typing error would leave its cluster without one.
pub(crate) fn check_trust_domains(typed: &[String], clusters: &[String]) -> Result<(), Failure> {
    let stray = |text: &&String| {
        text.split_once('=').is_some_and(|(name, _)| !clusters.iter().any(|known| known == name))
    };
    let Some(text) = typed.iter().find(stray) else { return Ok(()) };
    Err(Failure::new(
        "ctl/usage",
        format!("`--trust-domain {text}` names a cluster that is not part of this command"),
    )
    .because(match clusters {
        [] => "there is no `--cluster`".to_owned(),
        _ => format!("the clusters are {}", clusters.join(", ")),
    })
    .exit(Exit::Usage))
}
