//! Reads one TrafficPolicy. What it applies to is a condition: a policy whose conditions a spec does not have is dropped.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::kinds::GLOO_V1;
use super::merge::{Draft, Settings};
use super::{Importer, Key, is_set, service_key};
use crate::spec;
use crate::text::{milliseconds, seconds};

/// Settings without an equivalent in a spec, and what to write instead.
const LOST: &[(&str, &str)] = &[
    ("faultInjection", "write your own VirtualService"),
    ("corsPolicy", "write your own VirtualService"),
    ("headerManipulation", "write your own VirtualService"),
    (
        "mtls",
        "calls between clusters always have mutual TLS; write your own DestinationRule for others",
    ),
];

/// Settings without an equivalent that restrict calls, and what to write instead.
const RESTRICTIONS: &[(&str, &str)] = &[
    ("csrf", "write your own EnvoyFilter"),
    ("rateLimit", "write your own EnvoyFilter"),
    ("extauth", "write an AuthorizationPolicy with action CUSTOM"),
];

/// Settings that are read.
const KNOWN: &[&str] = &["trafficShift", "requestTimeout", "retries", "mirror", "outlierDetection"];

/// What a policy applies to.
const CONDITIONS: &[&str] = &["sourceSelector", "destinationSelector", "httpRequestMatchers"];

/// A TrafficPolicy and where its settings are.
pub(super) struct Source<'a> {
    pub(super) value: &'a Value,
    pub(super) settings: &'a Value,
    /// `spec`, or from Gloo Mesh 1.0 on `spec.policy`.
    path: &'static str,
}

/// Reads one TrafficPolicy: it becomes a draft for each service it selects.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value) {
    let is_v1 = value["apiVersion"] == GLOO_V1;
    let settings = if is_v1 { &value["spec"]["policy"] } else { &value["spec"] };
    let source = Source { value, settings, path: if is_v1 { "spec.policy" } else { "spec" } };
    let Some(every) = source.matches(importer, is_v1) else { return };
    source.name_lost(importer);
    let targets = source.targets(importer);
    let alone = targets.len() == 1;
    for key in targets {
        let settings = source.read(importer, &key);
        importer.drafts.push(Draft { source: value.clone(), key, alone, every, settings });
    }
}

impl Source<'_> {
    /// The path of a setting.
    pub(super) fn field(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    /// Whether the policy says that it applies to every request; `None` if it applies only to some and so is dropped.
    fn matches(&self, importer: &mut Importer<'_>, is_v1: bool) -> Option<bool> {
        let spec = &self.value["spec"];
        let fields = spec.as_object().into_iter().flatten().filter(|(_, content)| is_set(content));
        let mut unknown = fields
            .map(|(field, _)| field.as_str())
            .filter(|field| is_v1 && *field != "policy" && !CONDITIONS.contains(field));
        if let Some(field) = unknown.next() {
            let why = "the policy is dropped: there is no such condition in a spec";
            importer.lose(self.value, &format!("spec.{field}"), why);
            return None;
        }
        let matchers: Vec<&Value> =
            spec["httpRequestMatchers"].as_array().into_iter().flatten().collect();
        if !matchers.is_empty() && !matchers.iter().any(|matcher| is_every(matcher)) {
            let why = "the policy is dropped: it applies to some requests, and a policy of a spec to all; write your own VirtualService";
            importer.lose(self.value, "spec.httpRequestMatchers", why);
            return None;
        }
        Some(!matchers.is_empty())
    }

    /// Names the settings that are not read.
    fn name_lost(&self, importer: &mut Importer<'_>) {
        let said = |list: &[(&str, &'static str)], field: &str| {
            list.iter().find(|(name, _)| *name == field).map(|(_, why)| *why)
        };
        let fields = self.settings.as_object().into_iter().flatten();
        for (field, _) in fields.filter(|(_, content)| is_set(content)) {
            let path = self.field(field);
            if let Some(why) = said(LOST, field) {
                importer.lose(self.value, &path, why);
            } else if let Some(why) = said(RESTRICTIONS, field) {
                importer.lose_restriction(self.value, &path, why);
            } else if !KNOWN.contains(&field.as_str()) && !CONDITIONS.contains(&field.as_str()) {
                importer.lose(self.value, &path, "there is no such field in a TrafficPolicy");
            }
        }
    }

    /// The services the policy selects by name, without those whose callers it selects by more than their cluster.
    fn targets(&self, importer: &mut Importer<'_>) -> Vec<Key> {
        let selectors = self.value["spec"]["destinationSelector"].as_array();
        let mut targets = Vec::new();
        for (i, selector) in selectors.into_iter().flatten().enumerate() {
            if is_set(&selector["kubeServiceMatcher"]) {
                let field = format!("spec.destinationSelector[{i}].kubeServiceMatcher");
                let why = "name the services: a spec cannot select them by label";
                importer.lose(self.value, &field, why);
            }
            let services = selector["kubeServiceRefs"]["services"].as_array();
            targets.extend(services.into_iter().flatten().filter_map(service_key));
        }
        if targets.is_empty() {
            let why = "it selects no service by name, so no policy is created";
            importer.lose(self.value, "spec.destinationSelector", why);
        }
        let sources = &self.value["spec"]["sourceSelector"];
        let sources: Vec<&Value> = sources.as_array().into_iter().flatten().collect();
        let (kept, dropped): (Vec<Key>, Vec<Key>) = targets.into_iter().partition(|key| {
            sources.is_empty() || sources.iter().any(|source| selects_all_of(source, &key.2))
        });
        for key in &dropped {
            let why = format!(
                "the policy is dropped for {}/{} on {}: it applies to some callers, and a policy of a spec to all of a cluster; write your own VirtualService",
                key.0, key.1, key.2
            );
            importer.lose(self.value, "spec.sourceSelector", &why);
        }
        kept
    }

    /// The settings for one service.
    fn read(&self, importer: &mut Importer<'_>, key: &Key) -> Settings {
        importer.service(key);
        Settings {
            target: self.route(importer, key),
            timeout: self.time(importer, "requestTimeout", &self.settings["requestTimeout"]),
            retries: self.retries(importer),
            mirror: self.mirror(importer, key),
            outlier: self.outlier(importer),
        }
    }

    /// A duration as text (`5s`), or as the older JSON of protobuf (`{seconds: 5, nanos: 0}`).
    fn time(&self, importer: &mut Importer<'_>, field: &str, time: &Value) -> Option<String> {
        if time.is_null() {
            return None;
        }
        let from_parts = || {
            let seconds = time["seconds"].as_u64().unwrap_or(0).checked_mul(1000)?;
            let millis = seconds.checked_add(time["nanos"].as_u64().unwrap_or(0) / 1_000_000)?;
            (time.is_object() && millis > 0).then_some(millis)
        };
        let millis = time.as_str().and_then(milliseconds).or_else(from_parts);
        if millis.is_none() {
            let why = format!("`{time}` is not a duration in whole milliseconds");
            importer.lose(self.value, &self.field(field), &why);
        }
        // `0.5s` is Istio's format; a spec has whole numbers.
        millis
            .map(|millis| if millis % 1000 == 0 { seconds(millis) } else { format!("{millis}ms") })
    }

    fn retries(&self, importer: &mut Importer<'_>) -> Option<spec::Retries> {
        let retries = &self.settings["retries"];
        is_set(retries).then(|| spec::Retries {
            attempts: number(&retries["attempts"]).unwrap_or_default(),
            per_try_timeout: self.time(
                importer,
                "retries.perTryTimeout",
                &retries["perTryTimeout"],
            ),
            retry_on: None,
        })
    }

    fn outlier(&self, importer: &mut Importer<'_>) -> Option<spec::OutlierDetection> {
        let outlier = &self.settings["outlierDetection"];
        let mut time =
            |name: &str| self.time(importer, &format!("outlierDetection.{name}"), &outlier[name]);
        is_set(outlier).then(|| spec::OutlierDetection {
            consecutive_5xx_errors: number(&outlier["consecutiveErrors"]),
            interval: time("interval"),
            base_ejection_time: time("baseEjectionTime"),
            max_ejection_percent: number(&outlier["maxEjectionPercent"]),
        })
    }

    fn mirror(&self, importer: &mut Importer<'_>, target: &Key) -> Option<spec::Mirror> {
        let mirror = &self.settings["mirror"];
        if !is_set(mirror) {
            return None;
        }
        if is_set(&mirror["port"]) {
            importer.lose(
                self.value,
                &self.field("mirror.port"),
                "copies go to the port of the call",
            );
        }
        let field = self.field("mirror.kubeService");
        let (cluster, subset) = self.place(importer, &field, &mirror["kubeService"], target)?;
        let percent = mirror["percentage"].as_f64().unwrap_or(100.0);
        if percent.fract() != 0.0 {
            let why = format!("{percent} is rounded down to a whole number");
            importer.lose(self.value, &self.field("mirror.percentage"), &why);
        }
        let percent = if percent >= 100.0 {
            100
        } else {
            (0..100).rev().find(|n| f64::from(*n) <= percent).unwrap_or(0)
        };
        Some(spec::Mirror { cluster, subset, percent })
    }
}

/// Whether a matcher matches every request: `{prefix: /}`, or `{uri: {prefix: /}}`.
fn is_every(matcher: &Value) -> bool {
    let only = |value: &Value, field: &str| {
        let fields = value.as_object().into_iter().flatten();
        fields
            .filter(|(name, content)| *name != "name" && is_set(content))
            .all(|(name, _)| name == field)
    };
    let is_root = |value: &Value| value["prefix"] == "/" && only(value, "prefix");
    is_root(matcher) || (only(matcher, "uri") && is_root(&matcher["uri"]))
}

/// Whether a selector of callers selects all of a cluster: it names neither labels nor namespaces, and either no cluster
/// or this one. Older ones have their fields at the top.
fn selects_all_of(source: &Value, cluster: &str) -> bool {
    let inner = &source["kubeWorkloadMatcher"];
    let matcher = if is_set(inner) { inner } else { source };
    let mut fields =
        matcher.as_object().into_iter().flatten().filter(|(_, content)| is_set(content));
    fields.all(|(field, content)| {
        let clusters = content.as_array().map_or(&[][..], Vec::as_slice);
        field == "clusters" && clusters.iter().any(|name| name == cluster)
    })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}
