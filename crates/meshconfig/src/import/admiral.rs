//! Admiral: the ServiceEntries that it generates say where a service runs, its GlobalTrafficPolicies how it is called.
//! Clusters get the names of their regions, since Admiral's resources have no others.
//!
//! istio-ecosystem/admiral at 6adfd2b9: `admiral/pkg/clusters/{serviceentry,destinationrule_handler}.go`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::merge::{Draft, Settings, Target};
use super::{Importer, Key, is_set};
use crate::discover::protocol;
use crate::spec;

/// What was read of Admiral.
#[derive(Default)]
pub(super) struct Seen {
    /// The services behind names, by identity.
    services: BTreeMap<String, Named>,
    policies: Vec<Value>,
}

/// A service behind a name that Admiral made.
#[derive(Clone)]
struct Named {
    host: String,
    namespace: String,
    name: String,
    /// Regions whose clusters have it themselves, in the files that were read.
    local: BTreeSet<String>,
    /// All its regions.
    regions: BTreeSet<String>,
}

/// Reads a resource of Admiral or one that it generated; `false` if it is neither.
pub(super) fn read(importer: &mut Importer<'_>, value: &Value, group: &str) -> bool {
    let kind = value["kind"].as_str().unwrap_or_default();
    match (group, kind) {
        ("admiral.io", "GlobalTrafficPolicy") => importer.admirals.policies.push(value.clone()),
        ("admiral.io", "Dependency") => dependency(importer, value),
        ("admiral.io", "OutlierDetection") => importer.lose(
            value,
            "spec",
            "write its values as `outlierDetection` of the service's policy, in which `consecutive5xxErrors` counts all errors of the server",
        ),
        ("networking.istio.io", "ServiceEntry") if is_admirals(value) => entry(importer, value),
        ("networking.istio.io", "DestinationRule" | "VirtualService") if is_admirals(value) => importer
            .lose(value, "", "Admiral generates it; remove it with Admiral, once no caller uses its host"),
        _ => return false,
    }
    true
}

/// Whether Admiral generated a resource: it says so, or is in Admiral's namespace, or has Admiral's name for its host.
fn is_admirals(value: &Value) -> bool {
    let meta = &value["metadata"];
    let name = meta["name"].as_str().unwrap_or_default();
    let host = value["spec"]["hosts"][0].as_str().or(value["spec"]["host"].as_str());
    let has_name = |end: &str| host.is_some_and(|host| name == format!("{host}{end}"));
    meta["annotations"]["app.kubernetes.io/created-by"] == "admiral"
        || meta["namespace"] == "admiral-sync"
        || has_name("-se")
        || has_name("-default-dr")
        || has_name("-default-vs")
}

/// Says which clusters need entries.
fn dependency(importer: &mut Importer<'_>, value: &Value) {
    let spec = &value["spec"];
    let named = spec["destinations"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let why = format!(
        "entries are for clusters, not for workloads: list the clusters in which {} runs in `importedBy` of {}",
        spec["source"].as_str().unwrap_or_default(),
        named.collect::<Vec<_>>().join(", ")
    );
    importer.lose(value, "spec.destinations", &why);
}

/// Namespace and name of a Service from its name inside a cluster.
fn local(address: &str) -> Option<(String, String)> {
    let (service, _) = address.split_once(".svc.")?;
    let (name, namespace) = service.split_once('.')?;
    Some((namespace.to_string(), name.to_string()))
}

/// The region of an endpoint: `us-west-2` of `us-west-2/a`.
fn region(endpoint: &Value) -> Option<String> {
    let locality = endpoint["locality"].as_str()?;
    Some(crate::text::name(locality.split('/').next()?, 63)).filter(|name| !name.is_empty())
}

/// Reads a generated ServiceEntry: endpoints inside the cluster are the service, those elsewhere are gateways.
fn entry(importer: &mut Importer<'_>, value: &Value) {
    let endpoints = value["spec"]["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(named) = named(value, endpoints) else {
        let why = "its endpoints do not say which Service is behind them, and in which region each is: write the service";
        return importer.lose(value, "spec.endpoints", why);
    };
    let ports = ports(value, endpoints);
    for endpoint in endpoints {
        let Some(region) = region(endpoint) else { continue };
        let address = endpoint["address"].as_str().unwrap_or_default();
        let key = (named.namespace.clone(), named.name.clone(), region.clone());
        let service = importer.service(&key);
        service.ports.extend(ports.clone());
        if local(address).is_none() {
            service.importers.extend(named.local.iter().filter(|local| **local != region).cloned());
            gateway(importer, &region, address, endpoint);
        }
        if is_set(&endpoint["weight"]) {
            importer.lose(value, "spec.endpoints.weight", "write a policy with a `route`");
        }
    }
    let why = format!(
        "a spec has no name {}: remote names end in `.svc.CLUSTER.SUFFIX`, and policies apply to {}.{}.svc.cluster.local. Until its callers use that, keep this ServiceEntry and Admiral's DestinationRule",
        named.host, named.name, named.namespace
    );
    importer.lose(value, "spec.hosts", &why);
    let why = "clusters have the names of their regions, and a service in another region is assumed to have the same name and namespace";
    importer.lose(value, "spec.endpoints.locality", why);
    if let Some(identity) = identity(value) {
        importer.admirals.services.insert(identity, named);
    }
}

/// The service behind a generated ServiceEntry; `None` if it does not say which one, or where.
fn named(value: &Value, endpoints: &[Value]) -> Option<Named> {
    let address = |endpoint: &Value| endpoint["address"].as_str().unwrap_or_default().to_string();
    let mut services: BTreeSet<(String, String)> =
        endpoints.iter().filter_map(|endpoint| local(&address(endpoint))).collect();
    let (namespace, name) = services.pop_first().filter(|_| services.is_empty())?;
    let is_local = |endpoint: &&Value| local(&address(endpoint)).is_some();
    Some(Named {
        host: value["spec"]["hosts"][0].as_str()?.to_string(),
        namespace,
        name,
        local: endpoints.iter().filter(is_local).map(region).collect::<Option<_>>()?,
        regions: endpoints.iter().map(region).collect::<Option<_>>()?,
    })
}

/// The ports of the Service: endpoints inside the cluster say its own numbers.
fn ports(value: &Value, endpoints: &[Value]) -> BTreeMap<u16, Option<(String, spec::Protocol)>> {
    let is_local = |endpoint: &&Value| endpoint["address"].as_str().and_then(local).is_some();
    let own = endpoints.iter().find(is_local).map_or(&Value::Null, |endpoint| &endpoint["ports"]);
    let port = |port: &Value| {
        let name = port["name"].as_str()?;
        let number = own[name].as_u64().or_else(|| port["number"].as_u64())?;
        let protocol = protocol(name, port["protocol"].as_str());
        Some((u16::try_from(number).ok()?, Some((name.to_string(), protocol))))
    };
    value["spec"]["ports"].as_array().into_iter().flatten().filter_map(port).collect()
}

/// Adds the address of a region's gateway.
fn gateway(importer: &mut Importer<'_>, region: &str, address: &str, endpoint: &Value) {
    let mut ports = endpoint["ports"].as_object().into_iter().flatten();
    let port =
        ports.next().and_then(|(_, port)| port.as_u64()).and_then(|port| u16::try_from(port).ok());
    let port = port.unwrap_or(15443);
    let new = || spec::GatewaySpec {
        addresses: Vec::new(),
        port,
        target_port: 15443,
        selector: None,
        namespace: None,
    };
    let gateway = importer.cluster(region).gateway.get_or_insert_with(new);
    if !gateway.addresses.iter().any(|known| known == address) {
        gateway.addresses.push(address.to_string());
    }
}

/// What Admiral calls a service by.
fn identity(value: &Value) -> Option<String> {
    let places = [
        &value["metadata"]["labels"],
        &value["metadata"]["annotations"],
        &value["spec"]["selector"],
    ];
    places.into_iter().find_map(|place| place["identity"].as_str()).map(ToString::to_string)
}

/// Makes the policies of the services that were found.
pub(super) fn finish(importer: &mut Importer<'_>) {
    let Seen { services, policies } = core::mem::take(&mut importer.admirals);
    for value in &policies {
        let found = identity(value).and_then(|identity| services.get(&identity));
        let Some(named) = found else {
            let why = "no ServiceEntry of its service is in the files: export those of Admiral's namespace too";
            importer.lose(value, "spec.policy", why);
            continue;
        };
        let policies = value["spec"]["policy"].as_array().into_iter().flatten();
        for (i, policy) in policies.enumerate() {
            rule(importer, value, &format!("spec.policy[{i}]"), policy, named);
        }
    }
}

/// Reads how one name of a service is called.
fn rule(importer: &mut Importer<'_>, value: &Value, field: &str, policy: &Value, named: &Named) {
    let prefix = policy["dnsPrefix"].as_str().or(policy["dns"].as_str()).unwrap_or_default();
    let environment = named.host.split('.').next().unwrap_or_default();
    if prefix != "default" && prefix != environment {
        let why = format!(
            "a spec has no second name for a service, such as {prefix}.{}: call the remote name of the region's cluster",
            named.host
        );
        return importer.lose(value, field, &why);
    }
    let is_weighted = policy["lbType"] == 1 || policy["lbType"] == "FAILOVER";
    let targets = policy["target"].as_array().map_or(&[][..], Vec::as_slice);
    for local in &named.local {
        let settings = if targets.is_empty() || !is_weighted {
            Some(nearest(importer, value, field, policy, named, local))
        } else {
            weighted(importer, value, field, targets, named)
        };
        let Some(settings) = settings else { continue };
        let key = |region: &String| (named.namespace.clone(), named.name.clone(), region.clone());
        let services: Vec<Key> = named.regions.iter().map(key).collect();
        importer.give_names(&services, local);
        let alone = named.local.len() == 1;
        importer.drafts.push(Draft {
            source: value.clone(),
            key: key(local),
            alone,
            every: false,
            settings,
        });
    }
}

/// The own region first, then the others.
fn nearest(
    importer: &mut Importer<'_>,
    value: &Value,
    field: &str,
    policy: &Value,
    named: &Named,
    local: &String,
) -> Settings {
    let others: Vec<String> =
        named.regions.iter().filter(|region| *region != local).cloned().collect();
    if others.len() > 1 {
        let why = format!(
            "the order of {} is not in the files: it is that of the alphabet",
            others.join(", ")
        );
        importer.lose(value, &format!("{field}.lbType"), &why);
    }
    let given = &policy["outlier_detection"];
    let given = if is_set(given) { given } else { &policy["outlierDetection"] };
    if !is_set(given) {
        let why =
            "without it, Admiral's default applies: 50 errors in a row eject an endpoint for 300s";
        importer.lose(value, &format!("{field}.outlier_detection"), why);
    }
    let number = |names: [&str; 2], default: u64| {
        names.iter().find_map(|name| given[*name].as_u64()).unwrap_or(default)
    };
    let seconds = |names, default| Some(format!("{}s", number(names, default)));
    let errors = number(["consecutive_gateway_errors", "consecutiveGatewayErrors"], 50);
    let outlier = spec::OutlierDetection {
        consecutive_5xx_errors: u32::try_from(errors).ok(),
        interval: seconds(["interval", "interval"], 60),
        base_ejection_time: seconds(["base_ejection_time", "baseEjectionTime"], 300),
        max_ejection_percent: None,
    };
    let order = core::iter::once(local.clone()).chain(others).collect();
    Settings {
        target: Some(Target::Failover(order)),
        outlier: Some(outlier),
        ..Settings::default()
    }
}

/// A share for each region; `None` if one of them is not known, since the others would get its calls.
fn weighted(
    importer: &mut Importer<'_>,
    value: &Value,
    field: &str,
    targets: &[Value],
    named: &Named,
) -> Option<Settings> {
    let mut shares = Vec::new();
    for target in targets.iter().filter(|target| target["weight"] != 0) {
        let cluster = crate::text::name(target["region"].as_str().unwrap_or_default(), 63);
        let weight = target["weight"].as_u64().and_then(|weight| u32::try_from(weight).ok());
        let Some(weight) = weight.filter(|_| named.regions.contains(&cluster)) else {
            let why =
                format!("the route is dropped: {} has no endpoint in region {cluster}", named.host);
            importer.lose(value, &format!("{field}.target"), &why);
            return None;
        };
        shares.push(spec::Share { cluster, subset: None, weight });
    }
    Some(Settings { target: Some(Target::Split(shares)), ..Settings::default() })
}
