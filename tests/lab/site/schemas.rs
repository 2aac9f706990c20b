//! A page for every JSON schema: its fields, and the schema itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::stage::Stage;

/// Every schema, by the name of its file.
fn all() -> Result<BTreeMap<String, Value>, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas");
    let mut schemas = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?.flatten()
    {
        let path = entry.path();
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let schema = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        schemas.insert(name, schema);
    }
    Ok(schemas)
}

/// Adds the pages.
pub(super) fn write(stage: &mut Stage) -> Result<(), String> {
    let schemas = all()?;
    let mut index = String::from(
        "# JSON\n\nWhat commands read and print as JSON or YAML. Within one `apiVersion`, keys are only ever added.\n\n",
    );
    for (name, schema) in &schemas {
        let _ = writeln!(index, "- [{}]({name}.md): {}", title(schema, name), text(schema));
    }
    stage.add(0, "JSON", "schemas/index.md", &index)?;
    for (name, schema) in &schemas {
        stage.add(1, &title(schema, name), &format!("schemas/{name}.md"), &page(name, schema))?;
    }
    Ok(())
}

fn title(schema: &Value, name: &str) -> String {
    schema["title"].as_str().unwrap_or(name).to_owned()
}

/// The description, as one line.
fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|").replace('<', "\\<")
}

fn page(name: &str, schema: &Value) -> String {
    let mut page = format!("# {}\n\n{}\n", title(schema, name), text(schema));
    let _ = write!(page, "\nSchema: [{name}.json]({name}.json)\n");
    page += &fields("", schema);
    for (name, definition) in schema["$defs"].as_object().unwrap_or(&Map::new()) {
        let _ = write!(page, "\n## {name}\n\n{}\n", text(definition));
        page += &fields(name, definition);
    }
    page
}

/// The fields of an object, or of each of the objects that it may be.
fn fields(name: &str, schema: &Value) -> String {
    let mut all = String::new();
    if let Some(properties) = schema["properties"].as_object() {
        all += "\n| field | type | |\n|---|---|---|\n";
        for (field, value) in properties {
            let _ = writeln!(all, "| `{field}` | {} | {} |", kind(value), text(value));
        }
    }
    let choices = ["oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let objects = choices.filter(|choice| choice["properties"].is_object());
    for (i, choice) in objects.enumerate() {
        let heading = choice_name(choice).unwrap_or_else(|| format!("form {}", i + 1));
        let level = if name.is_empty() { "##" } else { "###" };
        let _ = write!(all, "\n{level} {heading}\n\n{}\n", text(choice));
        all += &fields(&heading, choice);
    }
    if all.is_empty() && !name.is_empty() {
        let _ = write!(all, "\n{}\n", kind(schema));
    }
    all
}

/// What tells a form of an object from the others: a constant other than version and kind.
fn choice_name(choice: &Value) -> Option<String> {
    let constants = choice["properties"].as_object()?.iter();
    constants
        .filter(|(name, _)| !["apiVersion", "kind"].contains(&name.as_str()))
        .find_map(|(name, value)| Some(format!("{name}: {}", value["const"].as_str()?)))
}

/// The type of a value, in a cell of a table.
fn kind(value: &Value) -> String {
    if let Some(target) = value["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or(target);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(constant) = value.get("const") {
        return format!("`{}`", plain(constant));
    }
    if let Some(values) = value["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", plain(value)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(choices) = value["oneOf"].as_array().or(value["anyOf"].as_array()) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &value["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&value["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
