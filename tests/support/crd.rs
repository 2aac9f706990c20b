//! The structural schemas of Istio's own CRDs: a resource is validated with the one of its release, and a field the
//! schema does not know is a failure, as with `kubectl --validate=strict`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The schemas of one release, by kind and version.
pub struct Crds {
    schemas: BTreeMap<(String, String), Value>,
}

impl Crds {
    /// Reads `crd-all-VERSION.yaml`.
    ///
    /// # Panics
    /// If it is not a list of CRDs.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("CRDs are YAML");
        let mut schemas = BTreeMap::new();
        for crd in documents.iter().filter(|d| d["kind"] == "CustomResourceDefinition") {
            let (group, kind) =
                (text_of(&crd["spec"]["group"]), text_of(&crd["spec"]["names"]["kind"]));
            for version in crd["spec"]["versions"].as_array().into_iter().flatten() {
                // One schema for all versions in apiextensions v1beta1, one for each in v1.
                let own = &version["schema"]["openAPIV3Schema"];
                let schema =
                    if own.is_null() { &crd["spec"]["validation"]["openAPIV3Schema"] } else { own };
                let api_version = format!("{group}/{}", text_of(&version["name"]));
                schemas.insert((kind.clone(), api_version), schema.clone());
            }
        }
        Self { schemas }
    }

    /// Everything a resource has wrong, each with its path.
    #[must_use]
    pub fn check(&self, resource: &Value) -> Vec<String> {
        let (kind, version) = (text_of(&resource["kind"]), text_of(&resource["apiVersion"]));
        let Some(schema) = self.schemas.get(&(kind.clone(), version.clone())) else {
            return vec![format!("this release has no {kind} in {version}")];
        };
        let mut problems = Vec::new();
        fits(&schema["properties"]["spec"], &resource["spec"], "spec", &mut problems);
        for key in ["apiVersion", "kind", "metadata", "spec"] {
            if resource[key].is_null() {
                problems.push(format!("{key} is missing"));
            }
        }
        problems
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn fits(schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["properties"].is_null() {
        return;
    }
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if schema["x-kubernetes-int-or-string"] != true && !has_type(schema["type"].as_str(), value) {
        problems.push(format!("{at}: wanted is {}, found {value}", schema["type"]));
        return;
    }
    for keyword in schema.as_object().map(Map::keys).into_iter().flatten() {
        limits(keyword, &schema[keyword], value, at, problems);
    }
    match value {
        Value::Object(map) => object(schema, map, at, problems),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                fits(&schema["items"], item, &format!("{at}[{i}]"), problems);
            }
        }
        _ => {}
    }
}

/// Known keys by their schema; others by `additionalProperties`, else they are unknown.
fn object(schema: &Value, map: &Map<String, Value>, at: &str, problems: &mut Vec<String>) {
    for (key, value) in map {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Null)
                if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
            // `type: object` with no word about what is in it: EnvoyFilter's values in the old schemas.
            (Value::Null, Value::Null) if schema["properties"].is_null() => {}
            (Value::Null, Value::Null) => problems.push(format!("{at}: unknown field")),
            (Value::Null, any) => fits(any, value, &at, problems),
            (rule, _) => fits(rule, value, &at, problems),
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(key) {
            problems.push(format!("{at}.{key} is missing"));
        }
    }
}

/// Keywords about a value itself, and a loud word about one this checker does not know.
fn limits(keyword: &str, rule: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    let number = value.as_f64();
    let length = value.as_str().map(|text| text.chars().count());
    let items = value.as_array().map(Vec::len);
    let limit = rule.as_f64();
    let count = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).map(f64::from);
    let bad = match keyword {
        "enum" => !rule.as_array().is_some_and(|all| all.contains(value)),
        "minimum" => number < limit,
        "maximum" => number > limit,
        "minLength" => count(length) < limit,
        "maxLength" => length.is_some() && count(length) > limit,
        "minItems" => count(items) < limit,
        "maxItems" => items.is_some() && count(items) > limit,
        "oneOf"
        | "anyOf"
        | "not"
        | "pattern"
        | "format"
        | "type"
        | "description"
        | "properties"
        | "items"
        | "required"
        | "additionalProperties"
        | "nullable"
        | "default"
        | "maxProperties" => false,
        known if known.starts_with("x-kubernetes-") => false,
        unknown => {
            problems.push(format!("{at}: this checker does not know the keyword `{unknown}`"));
            false
        }
    };
    if bad {
        problems.push(format!("{at}: {value} is against `{keyword}: {rule}`"));
    }
}

fn has_type(kind: Option<&str>, value: &Value) -> bool {
    match kind {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    }
}
