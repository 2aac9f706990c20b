//! Faults that people make, each in a random place.

#![allow(clippy::ptr_arg, reason = "faults have one type, and some add resources")]

use serde_json::{Value, json};

use super::{CLIENT, Case};
use crate::random::Random;

/// A fault: what it is, and whether it could be made.
type Fault = fn(&mut Random, &mut Vec<Value>) -> Option<String>;

const FAULTS: [Fault; 16] = [
    removed_rule,
    removed_tls,
    other_sni,
    other_mode,
    removed_subset,
    other_gateway_hosts,
    removed_gateway,
    private,
    other_endpoint_port,
    unlabeled_endpoint,
    disabled,
    mode_behind,
    own_rule,
    sidecar,
    other_service_port,
    wide_rule,
];

/// Makes a random fault in a random cluster; its words, or `None` if there was nothing to break.
pub(super) fn add(random: &mut Random, case: &mut Case) -> Option<String> {
    let names: Vec<String> = case.resources.keys().cloned().collect();
    let cluster = random.pick(&names);
    let fault = random.pick(&FAULTS);
    let what = fault(random, case.resources.get_mut(&cluster)?)?;
    Some(format!("{cluster}: {what}"))
}

/// A random resource that fits.
fn any<'r>(
    random: &mut Random,
    resources: &'r mut [Value],
    fits: impl Fn(&Value) -> bool,
) -> Option<&'r mut Value> {
    let all: Vec<usize> = (0..resources.len()).filter(|i| fits(&resources[*i])).collect();
    if all.is_empty() {
        return None;
    }
    let chosen = random.pick(&all);
    resources.get_mut(chosen)
}

fn of(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |value| value["kind"] == kind
}

fn name(value: &Value) -> String {
    let meta = &value["metadata"];
    format!("{} {}/{}", value["kind"], meta["namespace"], meta["name"]).replace('"', "")
}

fn removed_rule(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let rule = any(random, resources, of("DestinationRule"))?.clone();
    resources.retain(|value| *value != rule);
    Some(format!("removed {}", name(&rule)))
}

/// Every place of a rule with `tls`.
fn tls_places(rule: &Value) -> Vec<String> {
    let mut places = vec!["/spec/trafficPolicy".to_owned()];
    let count = |path: &str| rule.pointer(path).and_then(Value::as_array).map_or(0, Vec::len);
    for i in 0..count("/spec/subsets") {
        places.push(format!("/spec/subsets/{i}/trafficPolicy"));
    }
    for place in places.clone() {
        for i in 0..count(&format!("{place}/portLevelSettings")) {
            places.push(format!("{place}/portLevelSettings/{i}"));
        }
    }
    places.retain(|place| rule.pointer(place).is_some_and(|policy| policy["tls"].is_object()));
    places
}

/// A random `tls` of a rule of the cluster.
fn any_tls<'r>(random: &mut Random, resources: &'r mut [Value]) -> Option<(String, &'r mut Value)> {
    let has_tls =
        |value: &Value| value["kind"] == "DestinationRule" && !tls_places(value).is_empty();
    let rule = any(random, resources, has_tls)?;
    let place = random.pick(&tls_places(rule));
    let what = format!("{place} of {}", name(rule));
    Some((what, rule.pointer_mut(&place)?))
}

fn removed_tls(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let (what, policy) = any_tls(random, resources)?;
    policy.as_object_mut()?.remove("tls");
    if policy.as_object().is_some_and(|policy| policy.keys().all(|key| key == "port")) {
        // istiod refuses a policy without settings.
        policy["connectionPool"] = json!({"tcp": {"maxConnections": 100}});
    }
    Some(format!("no tls in {what}"))
}

fn other_sni(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let (what, policy) = any_tls(random, resources)?;
    let sni = random.pick(&[
        "",
        "east.example.com",
        "outbound_.81_._.s0.n0.svc.cluster.local",
        "outbound_.80_.v9_.s0.n0.svc.cluster.local",
        "outbound_.80_._.s9.client.svc.b.global",
        "outbound_.80_._.s0.n0.svc.cluster.local",
        "outbound_.80_.v1_.s0.n0.svc.cluster.local",
    ]);
    policy["tls"]["sni"] = json!(sni);
    if sni.is_empty() {
        policy["tls"].as_object_mut()?.remove("sni");
    }
    Some(format!("SNI `{sni}` in {what}"))
}

fn other_mode(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let (what, policy) = any_tls(random, resources)?;
    let mode = random.pick(&["DISABLE", "SIMPLE"]);
    policy["tls"] = json!({"mode": mode});
    Some(format!("mode {mode} in {what}"))
}

fn removed_subset(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let has = |value: &Value| {
        let subsets = value["spec"]["subsets"].as_array();
        value["kind"] == "DestinationRule" && subsets.is_some_and(|subsets| !subsets.is_empty())
    };
    let rule = any(random, resources, has)?;
    let what = name(rule);
    let subsets = rule["spec"]["subsets"].as_array_mut()?;
    let removed = subsets.remove(random.below(subsets.len()));
    Some(format!("no subset {} in {what}", removed["name"]))
}

fn other_gateway_hosts(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let gateway = any(random, resources, of("Gateway"))?;
    let hosts = random.pick(&[
        json!(["*.local"]),
        json!(["*.n0.svc.cluster.local"]),
        json!(["s1.n1.svc.cluster.local"]),
        json!(["other.n0.svc.cluster.local"]),
        json!(["n0/*.local"]),
    ]);
    gateway["spec"]["servers"][0]["hosts"] = hosts.clone();
    Some(format!("hosts {hosts} in {}", name(gateway)))
}

fn removed_gateway(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let gateway = any(random, resources, of("Gateway"))?;
    let what = name(gateway);
    match random.below(4) {
        0 => gateway["spec"]["selector"] = json!({"istio": "other"}),
        1 => gateway["spec"]["servers"][0]["port"]["number"] = json!(15444),
        2 => gateway["spec"]["servers"][0]["tls"]["mode"] = json!("PASSTHROUGH"),
        _ => resources.retain(|value| value["kind"] != "Gateway"),
    }
    Some(format!("no Gateway at the port: {what}"))
}

fn private(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let kinds = ["ServiceEntry", "DestinationRule", "Service"];
    let fits = |value: &Value| kinds.iter().any(|kind| value["kind"] == *kind);
    let resource = any(random, resources, fits)?;
    let to = random.pick(&[".", CLIENT, "istio-system", "n0", "*"]);
    if resource["kind"] == "Service" {
        resource["metadata"]["annotations"] = json!({"networking.istio.io/exportTo": to});
    } else {
        resource["spec"]["exportTo"] = json!([to]);
    }
    Some(format!("{} is exported to {to}", name(resource)))
}

fn other_endpoint_port(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let entry = any(random, resources, of("ServiceEntry"))?;
    let what = name(entry);
    for port in entry["spec"]["endpoints"][0]["ports"].as_object_mut()?.values_mut() {
        *port = json!(15444);
    }
    Some(format!("the first endpoint of {what} has port 15444"))
}

fn unlabeled_endpoint(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let entry = any(random, resources, of("ServiceEntry"))?;
    let what = name(entry);
    for endpoint in entry["spec"]["endpoints"].as_array_mut()? {
        endpoint["labels"].as_object_mut()?.remove("security.istio.io/tlsMode");
    }
    Some(format!("endpoints of {what} have no tlsMode"))
}

fn disabled(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let namespace = random.pick(&["istio-system", "n0", "n1", CLIENT]);
    let mode = random.pick(&["DISABLE", "DISABLE", "STRICT", "PERMISSIVE"]);
    let spec = match random.below(4) {
        _ if namespace == "istio-system" => json!({"mtls": {"mode": mode}}),
        0 => json!({"mtls": {"mode": mode}}),
        1 => json!({"selector": {"matchLabels": {"app": "s0"}}, "mtls": {"mode": mode}}),
        2 => {
            let port = random.pick(&["80", "1080", "6432"]);
            json!({"selector": {"matchLabels": {"app": "s0"}}, "mtls": {"mode": "STRICT"}, "portLevelMtls": {port: {"mode": mode}}})
        }
        _ => json!({"selector": {"matchLabels": {"app": "other"}}, "mtls": {"mode": mode}}),
    };
    let what = format!("PeerAuthentication in {namespace}: {spec}");
    let number = resources.len();
    resources.push(json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": format!("p{number}"), "namespace": namespace},
        "spec": spec,
    }));
    Some(what)
}

fn rule(number: usize, namespace: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": format!("{}{number}", ["a", "z"][number % 2]), "namespace": namespace},
        "spec": spec,
    })
}

/// A rule of the serving cluster for the service itself.
fn mode_behind(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let service = any(random, resources, of("Service"))?.clone();
    let (name, home) =
        (service["metadata"]["name"].as_str()?, service["metadata"]["namespace"].as_str()?);
    let mode = random.pick(&["DISABLE", "SIMPLE", "ISTIO_MUTUAL"]);
    let policy = match random.below(3) {
        0 => json!({"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": mode}}]}),
        _ => json!({"tls": {"mode": mode}}),
    };
    let spec = json!({"host": format!("{name}.{home}.svc.cluster.local"), "trafficPolicy": policy});
    let what = format!("DestinationRule in {home}: {spec}");
    resources.push(rule(resources.len(), home, spec));
    Some(what)
}

/// A rule of the caller's namespace for a remote host.
fn own_rule(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let host = any(random, resources, of("ServiceEntry"))?["spec"]["hosts"][0].clone();
    let policy = random.pick(&[
        json!({"outlierDetection": {"consecutive5xxErrors": 3}}),
        json!({"tls": {"mode": "ISTIO_MUTUAL"}}),
        json!({"tls": {"mode": "DISABLE"}}),
    ]);
    let spec = json!({"host": host, "trafficPolicy": policy});
    let what = format!("DestinationRule in {CLIENT}: {spec}");
    resources.push(rule(resources.len(), CLIENT, spec));
    Some(what)
}

fn wide_rule(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let namespace = random.pick(&["istio-system", CLIENT, "n0"]);
    let host = random.pick(&["*.global", "*.local", "*.n0.svc.b.global", "*"]);
    let mode = random.pick(&["ISTIO_MUTUAL", "DISABLE"]);
    let spec = json!({"host": host, "trafficPolicy": {"tls": {"mode": mode}}});
    let what = format!("DestinationRule in {namespace}: {spec}");
    resources.push(rule(resources.len(), namespace, spec));
    Some(what)
}

fn sidecar(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let namespace = random.pick(&[CLIENT, CLIENT, "istio-system"]);
    let hosts = random.pick(&[
        json!(["./*"]),
        json!(["*/*"]),
        json!(["istio-system/*", "./*"]),
        json!(["./*", "*/*.n0.svc.b.global"]),
        json!(["n0/*", "n1/*"]),
        json!(["~/*"]),
    ]);
    let exists =
        |value: &Value| value["kind"] == "Sidecar" && value["metadata"]["namespace"] == namespace;
    if resources.iter().any(exists) {
        return None;
    }
    resources.push(json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": "default", "namespace": namespace},
        "spec": {"egress": [{"hosts": hosts}]},
    }));
    Some(format!("Sidecar in {namespace}: {hosts}"))
}

fn other_service_port(random: &mut Random, resources: &mut Vec<Value>) -> Option<String> {
    let service = any(random, resources, of("Service"))?;
    service["spec"]["ports"][0]["port"] = json!(8080);
    Some(format!("{} has port 8080", name(service)))
}
