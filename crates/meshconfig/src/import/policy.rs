//! Reads one TrafficPolicy.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::{Importer, Key, subset_name};
use crate::spec;
use crate::text::{milliseconds, seconds};

/// Fields without an equivalent in a spec.
const LOST: &[(&str, &str)] = &[
    (
        "sourceSelector",
        "a policy applies to all callers of a cluster: list the clusters in `clients`",
    ),
    (
        "httpRequestMatchers",
        "a policy applies to all calls: write your own VirtualService for some of them",
    ),
    ("faultInjection", "write your own VirtualService"),
    ("corsPolicy", "write your own VirtualService"),
    ("headerManipulation", "write your own VirtualService"),
];

/// Reads one TrafficPolicy: it becomes one policy for each service it selects.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value) {
    let spec = &value["spec"];
    for (field, content) in spec.as_object().into_iter().flatten() {
        if let Some((_, why)) =
            LOST.iter().find(|(lost, _)| lost == field).filter(|_| is_set(content))
        {
            importer.lose(value, &format!("spec.{field}"), why);
        } else if !KNOWN.contains(&field.as_str()) && !LOST.iter().any(|(lost, _)| lost == field) {
            importer.lose(
                value,
                &format!("spec.{field}"),
                "there is no such field in a TrafficPolicy of v1alpha2",
            );
        }
    }
    let targets = targets(importer, value);
    if targets.is_empty() {
        importer.lose(
            value,
            "spec.destinationSelector",
            "it selects no service by name, so no policy is created",
        );
    }
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    let many = targets.len() > 1;
    for key in targets {
        importer.service(&key);
        let name = if many { format!("{name}-{}-{}-{}", key.1, key.0, key.2) } else { name.into() };
        let route = shares(importer, value, &key);
        let policy = spec::PolicySpec {
            name: crate::text::name(&name, 63),
            service: format!("{}/{}", key.0, key.1),
            clients: [key.2.clone()].into(),
            route,
            failover: Vec::new(),
            timeout: time(importer, value, "requestTimeout", &spec["requestTimeout"]),
            retries: retries(importer, value),
            outlier_detection: outlier(importer, value),
            mirror: mirror(importer, value, &key),
        };
        importer.policies.push(policy);
    }
}

/// Fields that are read.
const KNOWN: &[&str] = &[
    "destinationSelector",
    "trafficShift",
    "requestTimeout",
    "retries",
    "mirror",
    "outlierDetection",
];

fn is_set(value: &Value) -> bool {
    !(value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty))
}

/// The services a policy selects by name.
fn targets(importer: &mut Importer<'_>, value: &Value) -> Vec<Key> {
    let selectors = value["spec"]["destinationSelector"].as_array().cloned().unwrap_or_default();
    let mut targets = Vec::new();
    for (i, selector) in selectors.iter().enumerate() {
        if is_set(&selector["kubeServiceMatcher"]) {
            let field = format!("spec.destinationSelector[{i}].kubeServiceMatcher");
            importer.lose(value, &field, "name the services: a spec cannot select them by label");
        }
        for service in selector["kubeServiceRefs"]["services"].as_array().into_iter().flatten() {
            targets.extend(key(service));
        }
    }
    targets
}

fn key(service: &Value) -> Option<Key> {
    let text = |field: &str| service[field].as_str().map(ToString::to_string);
    Some((text("namespace")?, text("name")?, text("clusterName")?))
}

/// The weighted destinations; the target's cluster imports those on other clusters.
fn shares(importer: &mut Importer<'_>, value: &Value, target: &Key) -> Vec<spec::Share> {
    let destinations =
        value["spec"]["trafficShift"]["destinations"].as_array().cloned().unwrap_or_default();
    let mut shares = Vec::new();
    for (i, destination) in destinations.iter().enumerate() {
        let field = format!("spec.trafficShift.destinations[{i}]");
        if is_set(&destination["failoverService"]) {
            importer.lose(
                value,
                &format!("{field}.failoverService"),
                "write a policy with `failover`",
            );
            continue;
        }
        let Some((cluster, subset)) =
            place(importer, value, &field, &destination["kubeService"], target)
        else {
            continue;
        };
        let weight = destination["weight"]
            .as_u64()
            .and_then(|weight| u32::try_from(weight).ok())
            .unwrap_or_default();
        shares.push(spec::Share { cluster, subset, weight });
    }
    shares
}

/// Cluster and subset of a destination, which becomes a service of the spec.
fn place(
    importer: &mut Importer<'_>,
    value: &Value,
    field: &str,
    service: &Value,
    target: &Key,
) -> Option<(String, Option<String>)> {
    let Some(key) = key(service) else {
        importer.lose(value, field, "expected name, namespace and clusterName");
        return None;
    };
    if (&key.0, &key.1) != (&target.0, &target.1) {
        let why = format!(
            "a policy for {}/{} sends calls only to that service, not to {}/{}",
            target.0, target.1, key.0, key.1
        );
        importer.lose(value, field, &why);
        return None;
    }
    let labels: BTreeMap<String, String> = service["subset"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (key.clone(), value.as_str().map_or_else(|| value.to_string(), ToString::to_string))
        })
        .collect();
    let subset = (!labels.is_empty()).then(|| subset_name(&labels));
    let port = service["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    let known = importer.service(&key);
    known.ports.extend(port);
    if let Some(name) = &subset {
        known.subsets.insert(name.clone(), labels);
    }
    if key.2 != target.2 {
        known.importers.insert(target.2.clone());
    }
    if let Some(port) = port {
        // Both sides of a policy have the same ports.
        importer.service(target).ports.insert(port);
    }
    Some((key.2, subset))
}

/// A duration as text (`5s`), or as the older JSON of protobuf (`{seconds: 5, nanos: 0}`).
fn time(importer: &mut Importer<'_>, value: &Value, field: &str, time: &Value) -> Option<String> {
    if time.is_null() {
        return None;
    }
    let from_parts = || {
        let millis = time["seconds"].as_u64().unwrap_or(0) * 1000
            + time["nanos"].as_u64().unwrap_or(0) / 1_000_000;
        (time.is_object() && millis > 0).then_some(millis)
    };
    let millis = time.as_str().and_then(milliseconds).or_else(from_parts);
    if millis.is_none() {
        importer.lose(
            value,
            &format!("spec.{field}"),
            &format!("`{time}` is not a duration in whole milliseconds"),
        );
    }
    // `0.5s` is Istio's format; a spec has whole numbers.
    millis.map(|millis| if millis % 1000 == 0 { seconds(millis) } else { format!("{millis}ms") })
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|n| u32::try_from(n).ok())
}

fn retries(importer: &mut Importer<'_>, value: &Value) -> Option<spec::Retries> {
    let retries = &value["spec"]["retries"];
    is_set(retries).then(|| spec::Retries {
        attempts: number(&retries["attempts"]).unwrap_or_default(),
        per_try_timeout: time(importer, value, "retries.perTryTimeout", &retries["perTryTimeout"]),
        retry_on: None,
    })
}

fn outlier(importer: &mut Importer<'_>, value: &Value) -> Option<spec::OutlierDetection> {
    let outlier = &value["spec"]["outlierDetection"];
    is_set(outlier).then(|| spec::OutlierDetection {
        consecutive_5xx_errors: number(&outlier["consecutiveErrors"]),
        interval: time(importer, value, "outlierDetection.interval", &outlier["interval"]),
        base_ejection_time: time(
            importer,
            value,
            "outlierDetection.baseEjectionTime",
            &outlier["baseEjectionTime"],
        ),
        max_ejection_percent: number(&outlier["maxEjectionPercent"]),
    })
}

fn mirror(importer: &mut Importer<'_>, value: &Value, target: &Key) -> Option<spec::Mirror> {
    let mirror = &value["spec"]["mirror"];
    if !is_set(mirror) {
        return None;
    }
    if is_set(&mirror["port"]) {
        importer.lose(value, "spec.mirror.port", "copies go to the port of the call");
    }
    let (cluster, subset) =
        place(importer, value, "spec.mirror.kubeService", &mirror["kubeService"], target)?;
    let percent = mirror["percentage"].as_f64().unwrap_or(100.0);
    if percent.fract() != 0.0 {
        importer.lose(
            value,
            "spec.mirror.percentage",
            &format!("{percent} is rounded down to a whole number"),
        );
    }
    let percent = if percent >= 100.0 {
        100
    } else {
        (0..100).rev().find(|n| f64::from(*n) <= percent).unwrap_or(0)
    };
    Some(spec::Mirror { cluster, subset, percent })
}
