//! What a cluster lacks or has not finished, as problems: no istiod, no pod of it, pending restarts and rollouts.
//! `status`, `check --context` and `forget` all ask here.

use std::collections::BTreeMap;

use meshapply::kube::OlderPod;
use meshapply::next::{Stop, unusable};
use meshapply::pending::Pending;
use meshapply::workload::Id;
use meshpki::istiod::Severity;

use super::observe::Found;
use crate::fleet::clusters::Target;
use crate::hints::{Problem, Step};

/// Why nothing signs here: no istiod, none with pods, none that is ready, no namespace that is given roots.
///
/// `before_install`: Istio is not installed yet, so its absence is a warning.
pub(crate) fn absent(target: &Target, found: &Found, before_install: bool) -> Vec<Problem> {
    let observed = &found.seen.observed;
    let nothing_signs = "nothing signs certificates in this cluster";
    if let Some(stop) = unusable(observed) {
        let mut problem = error(target, "apply/no-istiod", stop.to_string());
        problem.effect = nothing_signs.to_owned();
        if let Stop::NoReplicas { id } = stop {
            problem.code = "apply/no-replicas";
            problem.fix = "scale it up".to_owned();
            problem.step = Some(Step::ScaleUp(id));
            return vec![problem];
        }
        if before_install {
            problem.severity = Severity::Warning;
        }
        missing(target, found, problem)
    } else if found.served.is_empty() && observed.pending().is_empty() {
        let mut problem = error(target, "apply/unproven", "no pod of istiod is ready");
        problem.effect = nothing_signs.to_owned();
        problem.fix = "find out why its pods do not become ready".to_owned();
        problem.step = Some(Step::ListPods);
        vec![problem]
    } else if found.seen.given.is_empty() {
        let mut problem =
            error(target, "istiod/roots-not-given", "istiod distributes roots to no namespace");
        problem.effect = "workloads have no root to trust".to_owned();
        problem.fix =
            "check which namespaces `discoverySelectors` in the mesh configuration select"
                .to_owned();
        problem.step = Some(Step::ShowConfigMaps);
        vec![problem]
    } else {
        Vec::new()
    }
}

/// No istiod: what was found instead, and the command that finds it or begins.
fn missing(target: &Target, found: &Found, mut problem: Problem) -> Vec<Problem> {
    let namespace = &target.istio_namespace;
    problem.message = format!("no istiod in namespace {namespace}");
    problem.evidence.push(format!("no deployment in {namespace} has the label app=istiod"));
    match &found.seen.observed.secret {
        Some(live) => {
            let ca = live
                .files
                .ca(found.seen.release())
                .map_or_else(|| "no CA certificate".to_owned(), |ca| ca.label());
            problem.evidence.push(format!("secret cacerts has {ca}"));
            problem.fix = "install Istio, or set its namespace with `--istio-namespace`".to_owned();
            problem.step = Some(Step::FindIstiod);
        }
        None => {
            problem.message += ", and no secret cacerts";
            if !has_namespace(target, found) {
                problem.evidence.push(format!("no namespace {namespace}"));
                problem.fix =
                    "create the namespace, or set Istio's with `--istio-namespace`".to_owned();
                problem.step = Some(Step::CreateNamespace);
                return vec![problem];
            }
            problem.fix = "write the secret, then install Istio; or set Istio's namespace with `--istio-namespace`".to_owned();
            problem.step = Some(Step::Push { before_install: true });
        }
    }
    vec![problem]
}

/// Whether Istio's namespace exists. Namespaces that the mesh configuration excludes are not visible.
fn has_namespace(target: &Target, found: &Found) -> bool {
    let seen = &found.seen;
    !seen.mesh.discovery.is_empty()
        || seen.given.iter().any(|given| given.namespace == target.istio_namespace)
}

/// Missing restarts and unfinished rollouts, a problem for each workload.
pub(crate) fn unfinished(target: &Target, found: &Found) -> Vec<Problem> {
    let pending = found.seen.observed.pending();
    let older = older(found.older.as_deref().unwrap_or_default());
    let older = older.into_iter().filter(|(id, _)| pending.iter().all(|one| one.id() != *id));
    let older = older.map(|(id, pods)| has_older(target, id, &pods));
    pending.iter().map(|one| open(target, one)).chain(older).collect()
}

fn open(target: &Target, pending: &Pending) -> Problem {
    let mut problem = error(target, "apply/unfinished", pending.to_string());
    match pending {
        Pending::Restart { .. } => {
            problem.effect =
                "it still presents and trusts the certificates from before the last push"
                    .to_owned();
            problem.fix =
                "push again, which continues where the interrupted push stopped".to_owned();
            problem.step = Some(Step::Push { before_install: false });
        }
        Pending::Stuck { id, .. } => {
            problem.code = "apply/stuck";
            problem.fix = "find out why its pods do not start".to_owned();
            problem.step = Some(Step::Describe(id.clone()));
        }
        _ => {
            let id = pending.id();
            problem.fix = "wait for it".to_owned();
            problem.step = Some(Step::WaitFor(id.clone()));
        }
    }
    problem
}

fn older(pods: &[OlderPod]) -> BTreeMap<&Id, Vec<&OlderPod>> {
    let mut all: BTreeMap<&Id, Vec<&OlderPod>> = BTreeMap::new();
    for pod in pods {
        all.entry(&pod.id).or_default().push(pod);
    }
    all
}

fn has_older(target: &Target, id: &Id, pods: &[&OlderPod]) -> Problem {
    let message = format!("{id} in {} has pods from before the roots changed", id.namespace);
    let mut problem = error(target, "apply/unfinished", message);
    let line = |pod: &&OlderPod| {
        let OlderPod { pod, started, changed, why, .. } = pod;
        format!("pod {pod} started {started}, the roots changed {changed}; {why}")
    };
    problem.evidence = pods.iter().map(line).collect();
    problem.effect = "these pods may still present and trust the old certificates".to_owned();
    problem.fix = "restart it".to_owned();
    problem.step = Some(Step::Restart(id.clone()));
    problem
}

/// An error about one cluster, without a fix so far.
pub(crate) fn error(target: &Target, code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(code, Severity::Error, vec![target.name.clone()], message)
}
