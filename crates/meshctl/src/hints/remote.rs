//! The next step for a problem of a remote secret.

use std::path::Path;

use meshapply::remote::{Problem, READER, Remedy};

use super::named;
use crate::text::word;

/// A cluster as commands name it.
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: String,
    /// Its context.
    pub(crate) context: String,
    /// The namespace of istiod.
    pub(crate) namespace: String,
}

/// The clusters of a command.
pub(crate) struct Places {
    /// All of them.
    pub(crate) all: Vec<Place>,
    /// The spec, if they are from one.
    pub(crate) spec: Option<String>,
    /// `--within` as typed, in seconds.
    pub(crate) within: Option<i64>,
}

impl Places {
    /// The next command.
    pub(crate) fn next(&self, problem: &Problem) -> String {
        let pair = || self.meshctl(&[&problem.reader, &problem.remote]);
        let secret = word(Path::new(&problem.secret));
        let (reader, remote) = (self.kubectl(&problem.reader), self.kubectl(&problem.remote));
        match &problem.remedy {
            Remedy::Create => format!("meshctl mesh remote-secret create {}", pair()),
            Remedy::Server(url) => format!(
                "meshctl mesh remote-secret create {} --server {}={}",
                pair(),
                word(Path::new(&problem.remote)),
                word(Path::new(url))
            ),
            Remedy::Rotate => {
                let within = self.within.map(|seconds| format!(" --within {seconds}s"));
                format!(
                    "meshctl mesh remote-secret rotate {}{}",
                    pair(),
                    within.unwrap_or_default()
                )
            }
            Remedy::RotateAll => {
                format!("meshctl mesh remote-secret rotate {} --within 100y", pair())
            }
            Remedy::Check => format!("meshctl mesh remote-secret check {}", pair()),
            Remedy::Delete => format!("{reader} delete secret {secret}"),
            Remedy::DeleteToken(name) => {
                format!("{remote} delete secret {}", word(Path::new(name)))
            }
            Remedy::ShowOwners => {
                format!(
                    "{reader} get secret {secret} --show-managed-fields -o jsonpath={{.metadata}}"
                )
            }
            Remedy::ShowLog => format!("{reader} logs -l app=istiod --tail=50"),
            Remedy::RestartIstiod => format!("{reader} rollout restart deployment -l app=istiod"),
            Remedy::ShowRights(subject) if subject.is_empty() => {
                format!("{remote} get serviceaccount {READER}")
            }
            Remedy::ShowRights(subject) => {
                format!("{remote} auth can-i --list --as {}", word(Path::new(subject)))
            }
            Remedy::ShowAccounts => format!("{remote} get serviceaccounts"),
            Remedy::ShowContexts => "kubectl config get-contexts".to_owned(),
        }
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.all.iter().find(|place| place.name == name)
    }

    /// kubectl in istiod's namespace of a cluster.
    fn kubectl(&self, name: &str) -> String {
        let place = self.place(name);
        let context = place.map_or("CONTEXT", |place| place.context.as_str());
        let namespace = place.map_or("istio-system", |place| place.namespace.as_str());
        format!("kubectl --context {} -n {}", word(Path::new(context)), word(Path::new(namespace)))
    }

    /// The options that select these clusters.
    fn meshctl(&self, names: &[&str]) -> String {
        let all = names.iter().map(|name| match (&self.spec, self.place(name)) {
            (None, Some(place)) => named(&place.name, &place.context),
            _ => word(Path::new(name)),
        });
        let contexts = all.collect::<Vec<_>>().join(",");
        match &self.spec {
            Some(spec) => format!("-f {} --context {contexts}", word(Path::new(spec))),
            None => format!("--context {contexts}"),
        }
    }
}
