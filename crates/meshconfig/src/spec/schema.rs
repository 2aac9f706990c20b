//! The JSON schema of the file: what the types say, and the rules of [`crate::Mesh`] that a schema can express, so that
//! an editor reports what the command line does. It is never stricter than reading the file is.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Spec;

/// A DNS label (RFC 1123).
macro_rules! label {
    () => {
        "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
    };
}
/// A DNS name.
macro_rules! domain {
    () => {
        concat!(label!(), "(\\.", label!(), ")*")
    };
}
/// A number of an IPv4 address.
macro_rules! octet {
    () => {
        "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    };
}
/// An IP address; for IPv6 only its characters.
macro_rules! ip {
    () => {
        concat!("(", octet!(), "(\\.", octet!(), "){3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*)")
    };
}
/// A DNS name whose last label is not a number.
macro_rules! host {
    () => {
        concat!("(", label!(), "\\.)*([a-z0-9]*[a-z][a-z0-9]*(-+[a-z0-9]+)*|[0-9]+(-+[a-z0-9]+)+)")
    };
}
/// A duration: one of its parts is not zero.
macro_rules! duration {
    () => {
        "^([0-9]+(ms|s|m|h))*[0-9]*[1-9][0-9]*(ms|s|m|h)([0-9]+(ms|s|m|h))*$"
    };
}

const LABEL: &str = concat!("^", label!(), "$");
const DOMAIN: &str = concat!("^", domain!(), "$");
const SUFFIX: &str = concat!("^\\.*", domain!(), "\\.*$");
const POOL: &str = "^[0-9A-Fa-f:.]+/[0-9]{1,3}$";
/// 1.6 or later, with or without a suffix.
const RELEASE: &str =
    "^0*(1\\.0*([6-9]|[1-9][0-9]+)|([2-9]|[1-9][0-9]+)\\.[0-9]+)(\\.[0-9]+)?([-+].*)?$";
const ADDRESS: &str = concat!("^(", ip!(), "|", host!(), ")$");
const IP: &str = concat!("^", ip!(), "$");
const CONFIG_MAP: &str = concat!("^", label!(), "/", domain!(), "$");
const SERVICE: &str = concat!("^", label!(), "/", label!(), "$");
const CLUSTERS: &str = concat!("^(\\*|", label!(), ")$");
const DURATION: &str = duration!();

/// The form of texts.
const PATTERNS: &[(&str, &str)] = &[
    ("/properties/name", LABEL),
    ("/$defs/Dns/properties/suffix", SUFFIX),
    ("/$defs/Addresses/properties/pool", POOL),
    ("/$defs/Cluster/properties/name", LABEL),
    ("/$defs/Cluster/properties/trustDomain", DOMAIN),
    ("/$defs/Cluster/properties/istioVersion", RELEASE),
    ("/$defs/Cluster/properties/istioNamespace", LABEL),
    ("/$defs/Cluster/properties/importNamespace", LABEL),
    ("/$defs/Cluster/properties/clusterDomain", DOMAIN),
    ("/$defs/Gateway/properties/addresses/items", ADDRESS),
    ("/$defs/ClusterDns/properties/address", IP),
    ("/$defs/ClusterDns/properties/configMap", CONFIG_MAP),
    ("/$defs/TrustPair/properties/clusters/items", LABEL),
    ("/$defs/Service/properties/name", LABEL),
    ("/$defs/Service/properties/namespace", LABEL),
    ("/$defs/Service/properties/cluster", LABEL),
    ("/$defs/Service/properties/serviceAccounts/items", DOMAIN),
    ("/$defs/Service/properties/importedBy/items", CLUSTERS),
    ("/$defs/Port/properties/name", LABEL),
    ("/$defs/Subset/properties/name", LABEL),
    ("/$defs/Policy/properties/name", LABEL),
    ("/$defs/Policy/properties/service", SERVICE),
    ("/$defs/Policy/properties/clients/items", CLUSTERS),
    ("/$defs/Policy/properties/failover/items", LABEL),
    ("/$defs/Policy/properties/timeout", DURATION),
    ("/$defs/Share/properties/cluster", LABEL),
    ("/$defs/Share/properties/subset", LABEL),
    ("/$defs/Mirror/properties/cluster", LABEL),
    ("/$defs/Mirror/properties/subset", LABEL),
    ("/$defs/Retries/properties/perTryTimeout", DURATION),
    ("/$defs/OutlierDetection/properties/interval", DURATION),
    ("/$defs/OutlierDetection/properties/baseEjectionTime", DURATION),
];

/// Limits of numbers, lists and texts.
const LIMITS: &[(&str, &str, u32)] = &[
    ("/properties/clusters", "minItems", 1),
    ("/$defs/Dns/properties/suffix", "maxLength", 253),
    ("/$defs/Cluster/properties/trustDomain", "maxLength", 255),
    ("/$defs/Cluster/properties/clusterDomain", "maxLength", 253),
    ("/$defs/Gateway/properties/addresses/items", "maxLength", 253),
    ("/$defs/TrustPair/properties/clusters", "minItems", 2),
    ("/$defs/TrustPair/properties/clusters", "maxItems", 2),
    ("/$defs/Gateway/properties/port", "minimum", 1),
    ("/$defs/Gateway/properties/targetPort", "minimum", 1),
    ("/$defs/Service/properties/ports", "minItems", 1),
    ("/$defs/Service/properties/serviceAccounts/items", "maxLength", 253),
    ("/$defs/Port/properties/number", "minimum", 1),
    ("/$defs/Subset/properties/labels", "minProperties", 1),
    ("/$defs/Policy/properties/clients", "minItems", 1),
    ("/$defs/Share/properties/weight", "maximum", 100),
    ("/$defs/Mirror/properties/percent", "maximum", 100),
    ("/$defs/OutlierDetection/properties/maxEjectionPercent", "maximum", 100),
];

/// The schema, draft 2020-12.
pub(super) fn schema() -> Value {
    let mut schema = schemars::schema_for!(Spec).to_value();
    for (pointer, pattern) in PATTERNS {
        set(&mut schema, pointer, "pattern", json!(pattern));
    }
    for (pointer, keyword, limit) in LIMITS {
        set(&mut schema, pointer, keyword, json!(limit));
    }
    let some = |field: &str| json!({"properties": {field: {"minItems": 1}}, "required": [field]});
    let both = json!({"allOf": [some("route"), some("failover")]});
    set(&mut schema, "/$defs/Policy", "not", both);
    set(&mut schema, "/$defs/Policy", "if", some("failover"));
    let outlier = json!({"properties": {"outlierDetection": {"type": "object"}}, "required": ["outlierDetection"]});
    set(&mut schema, "/$defs/Policy", "then", outlier);
    let model = json!({"properties": {"model": {"type": "string"}}, "required": ["model"]});
    set(&mut schema, "/$defs/Trust", "anyOf", json!([model, some("pairs")]));
    set(&mut schema, "/$defs/TrustPair/properties/clusters", "uniqueItems", json!(true));
    scalars(&mut schema);
    // No label is longer; the type keeps the rule to texts.
    let long_label = json!({"type": "string", "pattern": "[^.:]{64}"});
    set(&mut schema, "/$defs/Gateway/properties/addresses/items", "not", long_label);
    schema
}

fn set(schema: &mut Value, pointer: &str, keyword: &str, rule: Value) {
    if let Some(node) = schema.pointer_mut(pointer) {
        node[keyword] = rule;
    }
}

/// Allows every scalar that reading allows: a text may look like a number (`istioVersion: 1.30`), a number may be quoted,
/// and `yes` is a boolean.
fn scalars(schema: &mut Value) {
    const NUMBER: &str = "^\\+?([0-9][0-9_]*|0x[0-9A-Fa-f_]+|0o[0-7_]+|0b[01_]+)$";
    const BOOLEAN: &str =
        "^([Tt][Rr][Uu][Ee]|[Yy]([Ee][Ss])?|[Oo][Nn]|[Ff][Aa][Ll][Ss][Ee]|[Nn][Oo]?|[Oo][Ff][Ff])$";
    match schema {
        Value::Array(items) => items.iter_mut().for_each(scalars),
        Value::Object(fields) => {
            let types = fields.get("type").map(types).unwrap_or_default();
            let has = |name: &str| types.iter().any(|of| of == name);
            let is_free = !fields.contains_key("enum") && !fields.contains_key("const");
            let (more, pattern) = match () {
                () if has("string") && is_free => (&["number", "boolean"][..], None),
                () if has("integer") => (&["string"][..], Some(NUMBER)),
                () if has("boolean") => (&["string"][..], Some(BOOLEAN)),
                () => (&[][..], None),
            };
            if !more.is_empty() {
                let more = more.iter().map(|name| String::from(*name));
                fields.insert(
                    "type".into(),
                    json!(types.into_iter().chain(more).collect::<Vec<_>>()),
                );
            }
            if let Some(pattern) = pattern {
                fields.insert("pattern".into(), json!(pattern));
            }
            fields.values_mut().for_each(scalars);
        }
        _ => {}
    }
}

/// The names of types, one or several.
fn types(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or(core::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule for a field that no longer exists would be no rule.
    #[test]
    fn every_rule_has_its_field() {
        let schema = schema();
        let patterns = PATTERNS.iter().map(|(pointer, _)| pointer);
        for pointer in patterns.chain(LIMITS.iter().map(|(pointer, ..)| pointer)) {
            assert!(schema.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
