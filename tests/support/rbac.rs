//! RBAC manifests, rule by rule.

use serde_json::Value;

/// Every rule of the Roles in a text, `NAMESPACE/RESOURCES[NAMES]: VERBS`; without a namespace it is a ClusterRole's, without
/// names for all objects.
///
/// # Panics
/// When it is not YAML.
#[must_use]
pub fn rules(text: &str) -> Vec<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    let list = |value: &Value| -> String {
        let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(" ")
    };
    let mut all = Vec::new();
    for document in &documents {
        let place = document["metadata"]["namespace"].as_str().unwrap_or_default();
        for rule in document["rules"].as_array().into_iter().flatten() {
            let (resources, verbs) = (list(&rule["resources"]), list(&rule["verbs"]));
            all.push(format!("{place}/{resources}[{}]: {verbs}", list(&rule["resourceNames"])));
        }
    }
    all
}
