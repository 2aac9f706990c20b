//! Validates a JSON document with one of docs/schemas. A keyword that is not supported here is an error.

use serde_json::{Map, Value};

/// Checks `document` against `docs/schemas/NAME.json`.
///
/// # Panics
/// Where it does not fit, or the schema leaves a key of an object out of `required`.
pub fn check(name: &str, document: &str) {
    let path = format!("{}/../docs/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let schema: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let document: Value = serde_json::from_str(document).unwrap_or_else(|e| panic!("{e}"));
    if let Err(problem) = fits(&schema, &schema, &document, "$") {
        panic!("{name}: {problem}");
    }
}

fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{at}: {what}: {value}"));
    for (keyword, rule) in schema.as_object().ok_or(format!("{at}: a schema is an object"))? {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "required" => {}
            "const" if rule != value => return fail("not the constant"),
            "enum" if !list(rule).contains(value) => return fail("not one of the enumeration"),
            "const" | "enum" => {}
            "type" if !list(rule).iter().any(|kind| has_type(value, kind)) => {
                return fail(&format!("not of type {rule}"));
            }
            "type" => {}
            "$ref" => fits(root, reference(root, rule)?, value, at)?,
            "oneOf" => {
                let results = list(rule).into_iter().map(|rule| fits(root, &rule, value, at));
                let (good, bad): (Vec<_>, Vec<_>) = results.partition(Result::is_ok);
                if good.len() != 1 {
                    return fail(&format!("{} of oneOf fit: {bad:?}", good.len()));
                }
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(root, rule, item, &format!("{at}[{i}]"))?;
                }
            }
            "properties" => properties(root, schema, rule, value, at)?,
            "additionalProperties" => assert_eq!(*rule, Value::Bool(false), "{at}"),
            _ => return Err(format!("{at}: keyword `{keyword}` is not known to this test")),
        }
    }
    Ok(())
}

/// Exactly the documented keys: all there are required, and no other is there.
fn properties(
    root: &Value,
    schema: &Value,
    rules: &Value,
    value: &Value,
    at: &str,
) -> Result<(), String> {
    let empty = Map::new();
    let (rules, object) = (rules.as_object().unwrap_or(&empty), value.as_object());
    let object = object.ok_or(format!("{at}: not an object"))?;
    let required = schema["required"].as_array().map_or(0, Vec::len);
    assert_eq!(required, rules.len(), "{at}: every key is required");
    let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
    let (mut wanted, mut found) = (keys(rules), keys(object));
    wanted.sort();
    found.sort();
    if wanted != found {
        return Err(format!("{at}: keys are {found:?}, documented are {wanted:?}"));
    }
    rules.iter().try_for_each(|(key, rule)| fits(root, rule, &object[key], &format!("{at}.{key}")))
}

fn reference<'a>(root: &'a Value, pointer: &Value) -> Result<&'a Value, String> {
    let pointer = pointer.as_str().unwrap_or_default().trim_start_matches('#');
    root.pointer(pointer).ok_or(format!("no `{pointer}` in the schema"))
}

fn list(rule: &Value) -> Vec<Value> {
    rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()])
}

fn has_type(value: &Value, kind: &Value) -> bool {
    match kind.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}
