//! What is wrong with the remote secrets of a cluster.

use std::collections::BTreeMap;

use meshpki::Time;
use meshpki::istiod::Severity;

use super::{
    Auth, Claims, Entrance, Flaw, Problem, Remedy, RemoteKubeconfig, RemoteSecret, View,
    secret_name,
};

/// What the API server of a remote cluster said to a token of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The token may read everything that istiod reads.
    Good,
    /// It may not do these: `list pods`.
    Lacks(Vec<String>),
    /// It is not valid there.
    Refused,
    /// The server's certificate does not verify with the CA of the secret: why.
    Untrusted(String),
    /// Nothing answered, from this machine: why.
    Unreachable(String),
    /// It was not sent: why.
    NotAsked(&'static str),
}

/// One kubeconfig of one secret, with everything that is known about it.
pub struct Found<'a> {
    /// The cluster in which the secret is.
    pub reader: &'a str,
    /// The secret.
    pub secret: &'a RemoteSecret,
    /// The key of its data: the cluster that it is for, as istiod takes it.
    pub remote: &'a str,
    /// Its value.
    pub kubeconfig: Result<&'a RemoteKubeconfig, Flaw>,
    /// How the remote cluster is reached from here; `None`: it is not one of the clusters of this command.
    pub entrance: Option<&'a Entrance>,
    /// What its server said to the token.
    pub answer: &'a Answer,
    /// What istiod of the reader says.
    pub views: &'a [View],
    /// The clusters of the mesh.
    pub members: &'a [String],
    /// What every istiod of the reader allows in kubeconfigs
    /// ([`Istiod::kubeconfig_options`](crate::kube::Istiod::kubeconfig_options)).
    pub allowed: &'a [String],
}

impl Found<'_> {
    fn problem(
        &self,
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
        remedy: Remedy,
    ) -> Problem {
        Problem {
            code,
            severity,
            reader: self.reader.to_owned(),
            remote: self.remote.to_owned(),
            secret: self.secret.name.clone(),
            message: message.into(),
            causes: Vec::new(),
            remedy,
        }
    }

    fn error(&self, code: &'static str, message: impl Into<String>, remedy: Remedy) -> Problem {
        self.problem(code, Severity::Error, message, remedy)
    }

    fn warning(&self, code: &'static str, message: impl Into<String>, remedy: Remedy) -> Problem {
        self.problem(code, Severity::Warning, message, remedy)
    }
}

/// What is wrong with one kubeconfig of a secret at a time; `within` as in [`Claims::due`].
#[must_use]
pub fn judge(found: &Found<'_>, at: Time, within: Option<i64>) -> Vec<Problem> {
    if found.remote == found.reader {
        return vec![found.warning(
            "remote/self",
            format!("the secret is for {} itself, which istiod ignores", found.reader),
            Remedy::Delete,
        )];
    }
    let mut problems = Vec::new();
    if !found.members.iter().any(|member| member == found.remote) {
        let message = format!("{} is not a cluster of the mesh", found.remote);
        problems.push(found.warning("remote/stranger", message, Remedy::ShowContexts));
    }
    problems.extend(names(found));
    match found.kubeconfig {
        Err(flaw) => problems.push(found.error(
            "remote/kubeconfig",
            format!("istiod cannot use the kubeconfig: {flaw}"),
            Remedy::Create,
        )),
        Ok(kubeconfig) => {
            problems.extend(of_kubeconfig(found, kubeconfig));
            problems.extend(of_token(found, kubeconfig, at, within));
        }
    }
    problems.extend(answer(found));
    problems.extend(synced(found));
    problems
}

/// Label, annotation and key.
fn names(found: &Found<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !found.secret.is_labelled {
        let message =
            "the secret lacks the label `istio/multiCluster: \"true\"`, so istiod ignores it";
        problems.push(found.error("remote/name", message, Remedy::Create));
    }
    let annotation = found.secret.annotation.as_deref();
    // A secret may have several clusters, and one annotation.
    if found.secret.data.len() == 1 && annotation.is_some_and(|name| name != found.remote) {
        problems.push(found.warning(
            "remote/name",
            format!(
                "the annotation names cluster {}, the key of the data {}, which is what istiod takes",
                annotation.unwrap_or_default(),
                found.remote
            ),
            Remedy::Create,
        ));
    }
    problems
}

/// What istiod refuses, and what differs from the context of the remote cluster.
fn of_kubeconfig(found: &Found<'_>, kubeconfig: &RemoteKubeconfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    let refused = kubeconfig.refused_despite(found.allowed);
    if !refused.is_empty() {
        let names = refused.join(", ");
        let mut problem = found.error(
            "remote/auth",
            format!("istiod refuses the kubeconfig because of {names}"),
            Remedy::Create,
        );
        problem.causes.push(
            "istiod accepts it only with PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS".to_owned(),
        );
        problems.push(problem);
    }
    let own = &kubeconfig.entrance;
    if own.is_insecure() {
        let message = format!("{} is reached without verified TLS", own.server);
        let mut problem = found.error("remote/insecure", message, Remedy::Create);
        problem.causes.push("anyone on the network path can take the token".to_owned());
        problems.push(problem);
    }
    // Where istiod reads the cluster by it, it works.
    let is_read = |view: &View| view.status(found.remote) == Some("synced");
    if own.is_loopback() && !found.views.iter().any(is_read) {
        let message = format!("{} is an address inside istiod's own pod", own.server);
        let other = found.entrance.filter(|entrance| !entrance.is_loopback());
        let remedy = other.map_or(Remedy::ShowLog, |one| Remedy::Server(one.server.clone()));
        problems.push(found.warning("remote/loopback", message, remedy));
    }
    let Some(entrance) = found.entrance else { return problems };
    if !own.same_server(entrance) {
        let message = format!(
            "the secret has server {}, the context of {} has {}",
            own.server, found.remote, entrance.server
        );
        let remedy = Remedy::Server(entrance.server.clone());
        let mut problem = found.warning("remote/server", message, remedy);
        problem.causes.push(
            "that is fine if istiod reaches the cluster by another address than you".to_owned(),
        );
        problems.push(problem);
    } else if !own.same_ca(entrance) && !kubeconfig.has_ca_file {
        let message =
            format!("the CA in the secret differs from that of the context of {}", found.remote);
        problems.push(found.warning("remote/ca", message, Remedy::Create));
    }
    problems
}

/// The end of the token.
fn of_token(
    found: &Found<'_>,
    kubeconfig: &RemoteKubeconfig,
    at: Time,
    within: Option<i64>,
) -> Option<Problem> {
    let token = kubeconfig.token.as_ref().filter(|_| kubeconfig.auth == Auth::Token)?;
    let claims = Claims::read(token)?;
    let Some(end) = claims.expires else {
        let message = "the token has no end, and nothing but deleting its own secret revokes it";
        return Some(found.warning("remote/no-end", message, Remedy::Rotate));
    };
    if claims.has_ended(at) {
        let message = format!("the token ended on {end}");
        return Some(found.error("remote/expired", message, Remedy::Rotate));
    }
    let due = claims.due(within).is_some_and(|due| due <= at);
    due.then(|| {
        found.error("remote/expires-soon", format!("the token ends on {end}"), Remedy::Rotate)
    })
}

/// What the server of the remote cluster said.
fn answer(found: &Found<'_>) -> Option<Problem> {
    let (code, message, causes, remedy) = objection(found.answer, found.remote, &subject(found))?;
    let mut problem = match found.answer {
        Answer::Unreachable(_) => found.warning(code, message, remedy),
        _ => found.error(code, message, remedy),
    };
    problem.causes = causes;
    Some(problem)
}

/// What an answer says against a token: code, message, causes and remedy; `None`: nothing.
fn objection(
    answer: &Answer,
    remote: &str,
    subject: &str,
) -> Option<(&'static str, String, Vec<String>, Remedy)> {
    Some(match answer {
        Answer::Good | Answer::NotAsked(_) => return None,
        Answer::Lacks(rights) => (
            "remote/rights",
            format!("the token may not read what istiod reads in {remote}"),
            vec![format!("it may not {}", rights.join(", "))],
            Remedy::ShowRights(subject.to_owned()),
        ),
        Answer::Refused => (
            "remote/token",
            format!("the API server of {remote} does not accept the token"),
            vec![
                "it has ended, its service account or its secret was deleted, or the server has a new key for tokens"
                    .to_owned(),
            ],
            Remedy::RotateAll,
        ),
        Answer::Untrusted(why) => (
            "remote/ca",
            format!("the API server of {remote} does not verify with the CA in the secret"),
            vec![why.clone()],
            Remedy::Create,
        ),
        Answer::Unreachable(why) => (
            "remote/unreachable",
            format!("the API server of {remote} does not answer at the address in the secret"),
            vec![why.clone(), "asked from this machine; istiod may have another path".to_owned()],
            Remedy::ShowLog,
        ),
    })
}

/// What an answer says against a token that is about to be written.
#[must_use]
pub fn unusable(
    answer: &Answer,
    reader: &str,
    remote: &str,
    secret: &str,
    token: &str,
) -> Option<Problem> {
    let subject = subject_of(token);
    let (code, message, causes, remedy) = objection(answer, remote, &subject)?;
    let severity = match answer {
        Answer::Unreachable(_) => Severity::Warning,
        _ => Severity::Error,
    };
    let (reader, remote, secret) = (reader.to_owned(), remote.to_owned(), secret.to_owned());
    Some(Problem { code, severity, reader, remote, secret, message, causes, remedy })
}

/// Whose token a kubeconfig has.
fn subject(found: &Found<'_>) -> String {
    let token = found.kubeconfig.ok().and_then(|one| one.token.as_ref());
    token.map(|token| subject_of(token)).unwrap_or_default()
}

/// Whose token it is, as it says itself; nothing that is not the name of a service account.
fn subject_of(token: &str) -> String {
    let subject = Claims::read(token).and_then(|claims| claims.subject);
    subject.filter(|name| name.starts_with("system:serviceaccount:")).unwrap_or_default()
}

/// Whether every pod of istiod reads the cluster, by this secret.
fn synced(found: &Found<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !found.secret.is_labelled {
        return problems;
    }
    for view in found.views {
        let pod = &view.pod;
        match view.status(found.remote) {
            Some("synced") | None => {}
            Some(status) => {
                let message = format!("pod {pod} of istiod says `{status}` of {}", found.remote);
                problems.push(found.error("remote/not-synced", message, Remedy::ShowLog));
            }
        }
    }
    let counts: BTreeMap<&str, usize> = found
        .views
        .iter()
        .filter_map(|view| Some((view.pod.as_str(), view.endpoints(found.remote)?)))
        .collect();
    let (least, most) = (counts.values().min(), counts.values().max());
    if let (Some(least), Some(most)) = (least, most)
        && *least * 10 < *most * 9
        && *most - *least > 2
    {
        let told = counts.iter().map(|(pod, count)| format!("{pod} {count}"));
        let mut problem = found.error(
            "remote/endpoints",
            format!("the pods of istiod do not have the same endpoints of {}", found.remote),
            Remedy::RestartIstiod,
        );
        problem.causes.push(format!("endpoints: {}", told.collect::<Vec<_>>().join(", ")));
        problems.push(problem);
    }
    problems
}

/// What is wrong with the secrets of a cluster as a whole: missing ones, and two for one cluster. `wanted` are the other
/// clusters that it should read.
#[must_use]
pub fn around(reader: &str, wanted: &[&str], secrets: &[RemoteSecret]) -> Vec<Problem> {
    let mut by_cluster: BTreeMap<&str, Vec<&RemoteSecret>> = BTreeMap::new();
    for secret in secrets {
        for cluster in secret.data.keys() {
            by_cluster.entry(cluster).or_default().push(secret);
        }
    }
    let problem = |code, remote: &str, secret: String, message: String, remedy| Problem {
        code,
        severity: Severity::Error,
        reader: reader.to_owned(),
        remote: remote.to_owned(),
        secret,
        message,
        causes: Vec::new(),
        remedy,
    };
    let absent = wanted.iter().filter(|name| !by_cluster.contains_key(**name)).map(|name| {
        let message = format!("{reader} has no secret for {name}, so it calls no endpoint there");
        problem("remote/missing", name, secret_name(name), message, Remedy::Create)
    });
    let read = by_cluster.iter().map(|(name, all)| {
        (name, all.iter().filter(|secret| secret.is_labelled).copied().collect::<Vec<_>>())
    });
    let twins = read.filter(|(_, all)| all.len() > 1).map(|(name, all)| {
        let names: Vec<&str> = all.iter().map(|secret| secret.name.as_str()).collect();
        let message = format!(
            "{} secrets are for {name}, and istiod takes the one that it sees first: {}",
            all.len(),
            names.join(", ")
        );
        // The usual name stays.
        let usual = secret_name(name);
        let other = names.iter().find(|one| **one != usual).unwrap_or(&names[0]);
        problem("remote/twin", name, (*other).to_owned(), message, Remedy::Delete)
    });
    absent.chain(twins).collect()
}
