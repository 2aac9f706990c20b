//! Which secrets are written, and why.

use std::fmt;

use meshpki::Time;
use meshpki::istiod::Severity;

use super::{Auth, Claims, Entrance, Flaw, Owner, Problem, Remedy, RemoteKubeconfig, RemoteSecret};

/// The secret that one cluster should have for another.
pub struct Aim<'a> {
    /// The cluster that reads.
    pub reader: &'a str,
    /// The cluster that is read.
    pub remote: &'a str,
    /// The secret that is there.
    pub secret: Option<&'a RemoteSecret>,
    /// How the context of the remote cluster reaches it.
    pub entrance: &'a Entrance,
    /// The address that istiod should use instead.
    pub server: Option<&'a str>,
    /// Only tokens are replaced, in secrets that are there.
    pub rotate: bool,
    /// A secret of another owner is overwritten.
    pub adopt: bool,
    /// What every istiod of the reader allows in kubeconfigs.
    pub allowed: &'a [String],
}

/// Why a secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// There is none.
    Missing,
    /// Its label, annotation or key is not what istiod needs.
    Names,
    /// Its kubeconfig cannot be read.
    Unreadable(Flaw),
    /// istiod refuses its kubeconfig because of these fields.
    Refused(Vec<String>),
    /// It has another address: the one there, and the one it should have.
    Server(String, String),
    /// Its connection is not secure, and that of the context is.
    Insecure,
    /// Its CA is not that of the context.
    Ca,
    /// It has no token.
    NoToken,
    /// Its token has ended, or ends soon.
    Ends(Time),
    /// Its token has no end.
    NoEnd,
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is none"),
            Self::Names => f.write_str("istiod needs another label, annotation or key"),
            Self::Unreadable(flaw) => write!(f, "its kubeconfig cannot be used: {flaw}"),
            Self::Refused(names) => write!(f, "istiod refuses its {}", names.join(", ")),
            Self::Server(from, to) => write!(f, "its server is {from}, expected {to}"),
            Self::Insecure => f.write_str("its token is sent where others can take it"),
            Self::Ca => f.write_str("its CA differs from that of the context"),
            Self::NoToken => f.write_str("it has no token"),
            Self::Ends(end) => write!(f, "its token ends on {end}"),
            Self::NoEnd => f.write_str("its token has no end"),
        }
    }
}

/// What happens to one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is written, with a new token.
    Write {
        /// Why.
        why: Vec<Due>,
        /// The address and the CA in it.
        entrance: Entrance,
    },
    /// It stays: until when its token is good; `None`: no token, or none with an end.
    Keep(Option<Time>),
    /// There is none, and none is created.
    Absent,
    /// It should be written, and is not: why.
    Refuse(Box<Problem>),
}

/// Decides about one secret at a time; `within` as in [`Claims::due`].
#[must_use]
pub fn decide(aim: &Aim<'_>, at: Time, within: Option<i64>) -> Step {
    let typed = Entrance {
        server: aim.server.map_or_else(|| aim.entrance.server.clone(), str::to_owned),
        ..aim.entrance.clone()
    };
    // One without data was made beforehand, so that the right to create secrets is not needed.
    let is_missing = aim.secret.is_none_or(|secret| secret.data.is_empty());
    let Some(secret) = aim.secret.filter(|_| !(is_missing && aim.rotate)) else {
        if aim.rotate {
            return Step::Absent;
        }
        return Step::Write { why: vec![Due::Missing], entrance: typed };
    };
    let kubeconfig = secret.data.get(aim.remote).map(|bytes| RemoteKubeconfig::read(bytes));
    let (why, entrance) = match &kubeconfig {
        None if is_missing => (vec![Due::Missing], typed),
        None => (vec![Due::Names], typed),
        Some(Err(flaw)) => (vec![Due::Unreadable(*flaw)], typed),
        Some(Ok(kubeconfig)) => due(aim, secret, kubeconfig, at, within),
    };
    if why.is_empty() {
        let token = kubeconfig.as_ref().and_then(|read| read.as_ref().ok()?.token.as_ref());
        let end = token.and_then(|token| Claims::read(token)).and_then(|claims| claims.expires);
        return Step::Keep(end);
    }
    match obstacle(aim, secret, kubeconfig.and_then(Result::ok).as_ref()) {
        Some(problem) => Step::Refuse(Box::new(problem)),
        None => Step::Write { why, entrance },
    }
}

/// Why a secret with a readable kubeconfig is written, and how its server is reached then.
fn due(
    aim: &Aim<'_>,
    secret: &RemoteSecret,
    kubeconfig: &RemoteKubeconfig,
    at: Time,
    within: Option<i64>,
) -> (Vec<Due>, Entrance) {
    let mut why = Vec::new();
    // What istiod uses today is kept: it may reach the server by another address than this machine.
    let mut entrance = kubeconfig.entrance.clone();
    let claims = kubeconfig.token.as_ref().and_then(|token| Claims::read(token));
    match (kubeconfig.auth, &claims) {
        (Auth::Token, Some(claims)) => match claims.expires {
            Some(end) if claims.has_ended(at) => why.push(Due::Ends(end)),
            Some(end) if aim.rotate && claims.due(within).is_some_and(|due| due <= at) => {
                why.push(Due::Ends(end));
            }
            None if aim.rotate => why.push(Due::NoEnd),
            _ => {}
        },
        // Other credentials that istiod accepts are left alone.
        (Auth::Token | Auth::ClientCertificate | Auth::Password | Auth::Oidc, _) => {}
        (Auth::None, _) if kubeconfig.refused.is_empty() => why.push(Due::NoToken),
        (Auth::None, _) => {}
    }
    if aim.rotate {
        return (why, entrance);
    }
    let refused = kubeconfig.refused_despite(aim.allowed);
    if !refused.is_empty() {
        why.push(Due::Refused(refused));
    }
    let is_named = secret.annotation.as_deref() == Some(aim.remote) || secret.data.len() > 1;
    if !secret.is_labelled || !is_named {
        why.push(Due::Names);
    }
    if let Some(server) = aim.server {
        let wanted = Entrance { server: server.to_owned(), ..aim.entrance.clone() };
        if !wanted.same_server(&entrance) {
            why.push(Due::Server(entrance.server.clone(), wanted.server.clone()));
            entrance = wanted;
        }
    }
    if entrance.is_insecure() && !aim.entrance.is_insecure() {
        why.push(Due::Insecure);
        entrance = aim.entrance.clone();
    }
    let comparable = entrance.same_server(aim.entrance) && !kubeconfig.has_ca_file;
    if comparable && !entrance.same_ca(aim.entrance) {
        why.push(Due::Ca);
        entrance.ca.clone_from(&aim.entrance.ca);
    }
    (why, entrance)
}

/// Why a secret may not be written.
fn obstacle(
    aim: &Aim<'_>,
    secret: &RemoteSecret,
    kubeconfig: Option<&RemoteKubeconfig>,
) -> Option<Problem> {
    let has_more = kubeconfig.is_some_and(|one| one.has_proxy || one.has_ca_file);
    let cause = match &secret.owner {
        _ if secret.immutable => "it is immutable".to_owned(),
        Owner::Other(owner) if !aim.adopt => format!("another program owns it: {owner}"),
        _ if has_more && !aim.adopt => {
            "its kubeconfig has a proxy or a CA in a file, which would be lost".to_owned()
        }
        _ => return None,
    };
    Some(Problem {
        code: "remote/foreign",
        severity: Severity::Error,
        reader: aim.reader.to_owned(),
        remote: aim.remote.to_owned(),
        secret: secret.name.clone(),
        message: format!("secret {} is not overwritten", secret.name),
        causes: vec![cause],
        remedy: Remedy::ShowOwners,
    })
}
