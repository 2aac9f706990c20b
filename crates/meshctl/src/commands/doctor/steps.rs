//! What to do, in order: what is broken, then what is missing, then what could not be looked at.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use meshapply::names::ISTIO_NAMESPACE;
use meshpki::internals::fingerprints;

use super::{Kind, Row};
use crate::args::Doctor;
use crate::failure::Failure;
use crate::fleet::problems::State;
use crate::hints::{Typed, get_contexts, kubectl, named, readyz};
use crate::text::{counted, word};

/// Contexts that are named in steps of their own; the others are counted.
const MOST: usize = 3;

/// One thing to do.
pub(super) struct Step {
    /// What, as a sentence without its end.
    pub(super) what: String,
    /// The contexts it is about.
    pub(super) contexts: Vec<String>,
    /// The command.
    pub(super) command: String,
}

/// Every step, the first first.
pub(super) fn steps(rows: &[Row], args: &Doctor) -> Vec<Step> {
    let typed = Typed::new(args.kubeconfig.as_deref());
    let namespace = option("--istio-namespace", &args.istio_namespace, ISTIO_NAMESPACE);
    let typed = Typed { meshctl: namespace + &typed.meshctl, ..typed };
    let within = option("--within", &as_typed(args.within), "30d");
    let advisor = Advisor { rows, typed: &typed, within: &within };
    let mut steps = Vec::new();
    steps.extend(advisor.clocks());
    steps.extend(advisor.forbidden());
    steps.extend(advisor.broken());
    steps.extend(advisor.due());
    steps.extend(advisor.own());
    steps.extend(advisor.empty());
    steps.extend(advisor.apart());
    steps.extend(advisor.unwritable());
    steps.extend(advisor.quiet());
    steps.extend(advisor.silent());
    steps.extend(advisor.warned());
    if steps.is_empty() {
        steps.extend(advisor.good());
    }
    steps
}

struct Advisor<'a> {
    rows: &'a [Row],
    /// What every suggested command repeats.
    typed: &'a Typed,
    /// The option for what expires soon; empty for the default of every command.
    within: &'a str,
}

impl Advisor<'_> {
    /// The clusters for which something holds, each once.
    fn those(&self, is: impl Fn(&Row) -> bool) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.same_as.is_none() && is(row)).collect()
    }

    fn of_kind(&self, kind: Kind) -> Vec<&Row> {
        self.those(|row| row.kind() == Some(kind))
    }

    /// A command of meshctl with `--context` for these.
    fn meshctl(&self, begin: &str, rows: &[&Row], end: &str) -> String {
        format!("meshctl {begin} --context {}{end}{}", targets(rows), self.typed.meshctl)
    }

    fn clocks(&self) -> Option<Step> {
        let rows = self.those(|row| row.skew.is_some());
        step("correct the wrong clock: the validity of certificates depends on it", &rows, || {
            "date -u".to_owned()
        })
    }

    fn forbidden(&self) -> Option<Step> {
        let rows = self.those(Row::is_forbidden);
        let first = rows.first()?;
        let namespace = word(Path::new(&first.survey()?.target.istio_namespace));
        let list = format!("auth can-i --list -n {namespace}");
        let command = kubectl(&first.asked.context, &list, self.typed);
        step("ask for the rights to read these clusters; this shows yours", &rows, || command)
    }

    fn broken(&self) -> Option<Step> {
        let rows = self.those(Row::has_errors);
        step("see what is wrong, with the command for each problem", &rows, || {
            self.meshctl("status", &rows, "")
        })
    }

    fn due(&self) -> Vec<Step> {
        let cas = self.those(|row| row.due.ca.is_some() && !row.has_errors());
        let renew = "renew what expires soon; DIR is the folder with the root key";
        let renew = step(renew, &cas, || {
            let end = format!("{} --dry-run client", self.within);
            self.meshctl("rotate intermediate DIR", &cas, &end)
        });
        let roots = self.those(|row| row.due.root.is_some() && !row.has_errors());
        let replace = "see how a root that expires soon is replaced without an outage; DIR is the folder of a new CA from `meshctl ca init`";
        let replace = step(replace, &roots, || self.meshctl("rotate root plan DIR", &roots, ""));
        renew.into_iter().chain(replace).collect()
    }

    /// istiod made its own CA: what calls from cluster to cluster need is one root for all.
    fn own(&self) -> Vec<Step> {
        let rows = self.those(|row| row.kind() == Some(Kind::Own) && !row.has_errors());
        let has_plugged = !self.of_kind(Kind::Plugged).is_empty();
        let (dir, what) = if has_plugged {
            ("DIR", "create an intermediate CA; DIR is the folder with the root key")
        } else {
            ("ca", "create a root and an intermediate CA per cluster, and nothing in a cluster")
        };
        let create = step(what, &rows, || create(dir, &rows));
        let plan = step("see how istiod's own CA is replaced without an outage", &rows, || {
            self.meshctl(&format!("rotate root plan {dir}"), &rows, "")
        });
        create.into_iter().chain(plan).collect()
    }

    /// No Istio anywhere: the CA can be there before it.
    fn empty(&self) -> Vec<Step> {
        let waiting = self.of_kind(Kind::Waiting);
        let ready =
            step("install Istio: istiod will use the secret that is there", &waiting, || {
                self.meshctl("status", &waiting, " --before-install")
            });
        let has_istio = !self.of_kind(Kind::Own).is_empty()
            || !self.of_kind(Kind::Plugged).is_empty()
            || !waiting.is_empty();
        let rows = self.of_kind(Kind::Nothing);
        if has_istio || rows.is_empty() {
            return ready.into_iter().collect();
        }
        let what = "create a root and an intermediate CA per cluster, and nothing in a cluster";
        let push = "install them before Istio, in the namespace that istiod will have";
        let steps = [
            step(what, &rows, || create("ca", &rows)),
            step(push, &rows, || self.meshctl("push ca", &rows, " --before-install")),
        ];
        steps.into_iter().flatten().collect()
    }

    /// Clusters with CAs of different roots.
    fn apart(&self) -> Option<Step> {
        let rows = self.those(|row| row.kind() == Some(Kind::Plugged) && !row.has_errors());
        let roots = rows.iter().filter_map(|row| Some(fingerprints(&row.facts.as_ref()?.roots)));
        let different: BTreeSet<_> = roots.collect();
        if different.len() < 2 {
            return None;
        }
        step("see which of these clusters accept each other: their roots differ", &rows, || {
            self.meshctl("status", &rows, "")
        })
    }

    fn unwritable(&self) -> Option<Step> {
        let rows =
            self.those(|row| row.survey().is_some_and(|survey| !survey.unwritable.is_empty()));
        step("to install CAs, get the permissions that a push needs", &rows, || {
            format!("meshctl push --print-rbac{}", self.typed.meshctl)
        })
    }

    /// Clusters that answer, with a pod that does not.
    fn quiet(&self) -> Option<Step> {
        let rows = self.those(|row| row.silent.is_some() && !row.has_errors());
        step("find out why not everything in these clusters answers", &rows, || {
            self.meshctl("status", &rows, "")
        })
    }

    /// Warnings that no other step is about.
    fn warned(&self) -> Option<Step> {
        let rows = self.those(|row| {
            !row.problems.is_empty() && !row.has_errors() && row.state() == Some(State::Warn)
        });
        step("see the warnings", &rows, || self.meshctl("status", &rows, ""))
    }

    /// Contexts that could not be read, each with why it may be so.
    fn silent(&self) -> Vec<Step> {
        let rows = self.those(|row| row.failure().is_some() && !row.is_forbidden());
        let (named, others) = rows.split_at(rows.len().min(MOST));
        let mut steps: Vec<Step> = Vec::new();
        for row in named {
            let context = &row.asked.context;
            let code = row.failure().map(Failure::code).unwrap_or_default();
            // Nothing was sent there, and kubectl would send the token.
            if ["apply/kubeconfig", "ctl/insecure-server"].contains(&code) {
                let what = format!("correct {context} in the kubeconfig, or leave it out");
                let shown = word(Path::new(context));
                steps.extend(step(&what, &[row], || {
                    format!("kubectl config get-contexts {shown}{}", self.typed.kubectl)
                }));
                continue;
            }
            let what = if row.asked.found.is_ok() {
                format!("find out why {context} could not be read, or leave it out")
            } else {
                format!("find out why {context} does not answer, or leave it out")
            };
            steps.extend(step(&what, &[row], || readyz(context, self.typed)));
        }
        let more = format!(
            "{} could not be read; this lists all contexts",
            counted(others.len(), "more context")
        );
        steps.extend(step(&more, others, || get_contexts(self.typed)));
        steps
    }

    fn good(&self) -> Option<Step> {
        let rows = self.of_kind(Kind::Plugged);
        step("nothing needs to be done; see the details", &rows, || {
            self.meshctl("status", &rows, "")
        })
    }
}

/// A step about these clusters, if there are any.
fn step(what: &str, rows: &[&Row], command: impl FnOnce() -> String) -> Option<Step> {
    if rows.is_empty() {
        return None;
    }
    let contexts = rows.iter().map(|row| row.asked.context.clone()).collect();
    Some(Step { what: what.to_owned(), contexts, command: command() })
}

/// An option with its value, unless that is the default.
fn option(name: &str, value: &str, default: &str) -> String {
    if value == default { String::new() } else { format!(" {name} {}", word(Path::new(value))) }
}

/// A length of time as options take it.
fn as_typed(length: Duration) -> String {
    match length.as_secs() {
        seconds if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds => format!("{seconds}s"),
    }
}

fn create(dir: &str, rows: &[&Row]) -> String {
    let names: Vec<String> = rows.iter().map(|row| word(Path::new(&row.name))).collect();
    format!("meshctl ca init {dir} --cluster {}", names.join(","))
}

/// Clusters as `--context` takes them.
fn targets(rows: &[&Row]) -> String {
    let all: Vec<String> = rows.iter().map(|row| named(&row.name, &row.asked.context)).collect();
    all.join(",")
}
