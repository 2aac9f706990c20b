//! Several policies for one service become one, as in Service Mesh Hub: each supplies the settings that those before it
//! do not have, and one that differs is rejected.
//!
//! solo-io/gloo-mesh `pkg/mesh-networking/translation/istio/destination/virtualservice/virtual_service_translator.go`:
//! `groupAppliedTpsByRequestMatcher`, `registerFieldFunc`; `apply/applier.go: getAppliedTrafficPolicies`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::{Importer, Key, id};
use crate::spec;

/// What one resource says about calls from a cluster to a service.
pub(super) struct Draft {
    /// The resource.
    pub(super) source: Value,
    /// The service, and the cluster whose calls it is for.
    pub(super) key: Key,
    /// The resource is for no other service.
    pub(super) alone: bool,
    /// It says that it applies to every request, so it comes before those that do not say for which they are.
    pub(super) every: bool,
    /// What it says.
    pub(super) settings: Settings,
}

/// The settings of a policy.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) target: Option<Target>,
    pub(super) timeout: Option<String>,
    pub(super) retries: Option<spec::Retries>,
    pub(super) mirror: Option<spec::Mirror>,
    pub(super) outlier: Option<spec::OutlierDetection>,
}

/// Where calls go.
#[derive(PartialEq, Eq)]
pub(super) enum Target {
    /// By weight.
    Split(Vec<spec::Share>),
    /// To the first of these clusters that is healthy.
    Failover(Vec<String>),
}

/// Merges the drafts into policies.
pub(super) fn finish(importer: &mut Importer<'_>) {
    let mut groups: BTreeMap<Key, Vec<Draft>> = BTreeMap::new();
    for draft in core::mem::take(&mut importer.drafts) {
        groups.entry(draft.key.clone()).or_default().push(draft);
    }
    let outliers: BTreeMap<Key, spec::OutlierDetection> = groups
        .iter()
        .filter_map(|(key, drafts)| {
            let found = drafts.iter().find_map(|draft| draft.settings.outlier.clone());
            Some((key.clone(), found?))
        })
        .collect();
    let mut names = BTreeSet::new();
    for (key, mut drafts) in groups {
        drafts.sort_by_key(|draft| (!draft.every, created(&draft.source)));
        let name = name(&key, &drafts, &mut names);
        let mut merged = merge(importer, drafts);
        check_failover(importer, &key, &mut merged, &outliers);
        importer.policies.extend(merged.settings.policy(name, &key));
    }
}

/// When a resource was created; those of a file without that time come last, in their order.
fn created(source: &Value) -> (bool, String) {
    let time = source["metadata"]["creationTimestamp"].as_str();
    (time.is_none(), time.unwrap_or_default().to_string())
}

/// The name of the policy: that of the resource that says where calls go, or of the first.
fn name(key: &Key, drafts: &[Draft], taken: &mut BTreeSet<String>) -> String {
    let has_target = |draft: &&Draft| draft.settings.target.is_some();
    let Some(draft) = drafts.iter().find(has_target).or(drafts.first()) else {
        return String::new();
    };
    let given = draft.source["metadata"]["name"].as_str().unwrap_or_default();
    let long = format!("{given}-{}-{}-{}", key.1, key.0, key.2);
    let short = crate::text::name(given, 63);
    let name = if draft.alone && !short.is_empty() && !taken.contains(&short) {
        short
    } else {
        crate::text::name(&long, 63)
    };
    taken.insert(name.clone());
    name
}

/// Settings, and the resource that says where calls go.
struct Merged {
    settings: Settings,
    target_of: Value,
}

fn merge(importer: &mut Importer<'_>, drafts: Vec<Draft>) -> Merged {
    let every = drafts.iter().find(|draft| draft.every).map(|draft| id(&draft.source));
    let mut merged = Merged { settings: Settings::default(), target_of: Value::Null };
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for draft in drafts {
        let Draft { source, key, mut settings, every: is_every, .. } = draft;
        if let Some(every) = every.as_ref().filter(|_| !is_every) {
            settings = shadowed(importer, &source, settings, every);
        }
        let into = &mut merged.settings;
        if into.target.is_none() && settings.target.is_some() {
            merged.target_of = source.clone();
        }
        for (field, result) in [
            ("trafficShift", add(&mut into.target, settings.target)),
            ("requestTimeout", add(&mut into.timeout, settings.timeout)),
            ("retries", add(&mut into.retries, settings.retries)),
            ("mirror", add(&mut into.mirror, settings.mirror)),
            ("outlierDetection", add(&mut into.outlier, settings.outlier)),
        ] {
            match result {
                Added::Nothing => {}
                Added::New => {
                    first.insert(field, id(&source));
                }
                Added::Differs => {
                    let why = format!(
                        "not used for {}/{} on {}: {} sets it differently, and comes first",
                        key.0, key.1, key.2, first[field]
                    );
                    importer.lose(&source, &path(&source, field), &why);
                }
            }
        }
    }
    merged
}

/// The path of a setting in a resource.
fn path(source: &Value, field: &str) -> String {
    match source["kind"].as_str() {
        Some("FailoverService") => "spec.backingServices".into(),
        Some("VirtualDestination") => "spec.static".into(),
        _ if source["apiVersion"] == super::kinds::GLOO_V1 => format!("spec.policy.{field}"),
        _ => format!("spec.{field}"),
    }
}

/// What is left of settings for requests that another policy has already matched: those of connections.
fn shadowed(importer: &mut Importer<'_>, source: &Value, settings: Settings, by: &str) -> Settings {
    let Settings { target, timeout, retries, mirror, outlier } = settings;
    if target.is_some() || timeout.is_some() || retries.is_some() || mirror.is_some() {
        let why =
            format!("{by} matches every request and comes first, so this route is never used");
        importer.lose(source, "spec", &why);
    }
    Settings { outlier, ..Settings::default() }
}

/// What became of a setting.
enum Added {
    /// There is none, or it is like the first.
    Nothing,
    /// It is the first.
    New,
    /// It differs from the first.
    Differs,
}

fn add<T: PartialEq>(into: &mut Option<T>, given: Option<T>) -> Added {
    match (into.as_ref(), given) {
        (_, None) => Added::Nothing,
        (Some(before), Some(given)) if *before != given => Added::Differs,
        (Some(_), Some(_)) => Added::Nothing,
        (None, given) => {
            *into = given;
            Added::New
        }
    }
}

/// A failover has outlier detection: its own, or that of one of its services. Service Mesh Hub rejects one without.
fn check_failover(
    importer: &mut Importer<'_>,
    key: &Key,
    merged: &mut Merged,
    outliers: &BTreeMap<Key, spec::OutlierDetection>,
) {
    let Some(Target::Failover(clusters)) = &merged.settings.target else { return };
    if merged.settings.outlier.is_some() {
        return;
    }
    let of = |cluster: &String| outliers.get(&(key.0.clone(), key.1.clone(), cluster.clone()));
    merged.settings.outlier = clusters.iter().find_map(of).cloned();
    if merged.settings.outlier.is_none() {
        let why = "no policy sets outlierDetection for its services, so it never fails over";
        let field = path(&merged.target_of, "trafficShift");
        importer.lose(&merged.target_of, &field, why);
        merged.settings.target = None;
    }
}

impl Settings {
    /// The policy; `None` if it says nothing.
    fn policy(self, name: String, key: &Key) -> Option<spec::PolicySpec> {
        let (mut route, mut failover) = (Vec::new(), Vec::new());
        match self.target {
            Some(Target::Split(shares)) => route = shares,
            Some(Target::Failover(clusters)) => failover = clusters,
            None => {}
        }
        let policy = spec::PolicySpec {
            name,
            service: format!("{}/{}", key.0, key.1),
            clients: [key.2.clone()].into(),
            route,
            failover,
            timeout: self.timeout,
            retries: self.retries,
            outlier_detection: self.outlier,
            mirror: self.mirror,
        };
        let says = !policy.route.is_empty()
            || !policy.failover.is_empty()
            || policy.timeout.is_some()
            || policy.retries.is_some()
            || policy.outlier_detection.is_some()
            || policy.mirror.is_some();
        says.then_some(policy)
    }
}
