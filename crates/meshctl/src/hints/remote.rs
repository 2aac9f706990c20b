//! The next step for a problem of a remote secret.

use std::path::Path;

use meshapply::remote::{Problem, READER, Remedy};

use super::{Typed, get_contexts, kubectl, named};
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
    /// The options that reach them.
    pub(crate) typed: Typed,
    /// `--within` as typed, in seconds.
    pub(crate) within: Option<i64>,
}

impl Places {
    /// The next command.
    pub(crate) fn next(&self, problem: &Problem) -> String {
        let pair = || self.meshctl(&[&problem.reader, &problem.remote]);
        let secret = word(Path::new(&problem.secret));
        let reader = |rest: &str| self.kubectl(&problem.reader, rest);
        let remote = |rest: &str| self.kubectl(&problem.remote, rest);
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
            Remedy::Delete => reader(&format!("delete secret {secret}")),
            Remedy::DeleteToken(name) => {
                remote(&format!("delete secret {}", word(Path::new(name))))
            }
            Remedy::ShowOwners => reader(&format!(
                "get secret {secret} --show-managed-fields -o jsonpath={{.metadata}}"
            )),
            Remedy::ShowLog => reader("logs -l app=istiod --tail=50"),
            Remedy::RestartIstiod => reader("rollout restart deployment -l app=istiod"),
            Remedy::ShowRights(subject) if subject.is_empty() => {
                remote(&format!("get serviceaccount {READER}"))
            }
            Remedy::ShowRights(subject) => {
                remote(&format!("auth can-i --list --as {}", word(Path::new(subject))))
            }
            Remedy::ShowAccounts => remote("get serviceaccounts"),
            Remedy::ShowContexts => get_contexts(&self.typed),
        }
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.all.iter().find(|place| place.name == name)
    }

    /// kubectl in istiod's namespace of a cluster.
    fn kubectl(&self, name: &str, rest: &str) -> String {
        let place = self.place(name);
        let context = place.map_or("CONTEXT", |place| place.context.as_str());
        let namespace = place.map_or("istio-system", |place| place.namespace.as_str());
        kubectl(context, &format!("-n {} {rest}", word(Path::new(namespace))), &self.typed)
    }

    /// The options that select these clusters.
    fn meshctl(&self, names: &[&str]) -> String {
        let all = names.iter().map(|name| match (&self.spec, self.place(name)) {
            (None, Some(place)) => named(&place.name, &place.context),
            _ => word(Path::new(name)),
        });
        let contexts = all.collect::<Vec<_>>().join(",");
        let spec = self.spec.as_ref().map(|spec| format!("-f {} ", word(Path::new(spec))));
        format!("{}--context {contexts}{}", spec.unwrap_or_default(), self.typed.meshctl)
    }
}
