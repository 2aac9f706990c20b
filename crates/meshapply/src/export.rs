//! Files in what programs print: secrets and ConfigMaps of `kubectl get -o yaml` and `-o json`, and PEM text in the JSON of
//! other tools, such as Vault.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

/// A file in a document.
pub struct ExportedFile {
    /// Where it is: `secret istio-system/cacerts`, or nothing, and the path of its value.
    pub place: String,
    /// Its name: `ca-cert.pem`, or the last part of the path.
    pub name: String,
    /// Whether it is a file of a secret or a ConfigMap.
    pub is_kubernetes: bool,
    /// Its content.
    pub content: Zeroizing<Vec<u8>>,
}

/// Why a document could not be read. It shows no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Neither JSON nor YAML.
    #[error("it looks like {0}, but cannot be read as such")]
    Syntax(&'static str),
    /// A value in `data` of a secret that is not base64.
    #[error("{0} is not base64, as `data` of a secret is")]
    Base64(String),
}

/// The files in a document; `None` if it is neither JSON nor a Kubernetes object in YAML.
///
/// # Errors
/// [`ExportError`], which names no value.
pub fn files(text: &[u8]) -> Option<Result<Vec<ExportedFile>, ExportError>> {
    let text = core::str::from_utf8(text).ok()?;
    let is_json = looks_like_json(text);
    let has_line = |start: &str| text.lines().any(|line| line.starts_with(start));
    if !(is_json || has_line("kind:") && has_line("apiVersion:")) {
        return None;
    }
    let documents = if is_json {
        let value = serde_json::from_str(text).ok();
        value.map(|value| vec![value]).ok_or(ExportError::Syntax("JSON"))
    } else {
        // The error of the parser may show a value.
        meshconfig::resource::documents(text).ok().ok_or(ExportError::Syntax("YAML"))
    };
    Some(documents.and_then(|documents| {
        let mut files = Vec::new();
        documents.iter().try_for_each(|document| document_files(document, &mut files))?;
        Ok(files)
    }))
}

/// Whether a text begins as a JSON object or array does; a section of a configuration file begins with a bracket too.
#[must_use]
pub fn looks_like_json(text: &str) -> bool {
    let start: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).take(2).collect();
    matches!(start.as_slice(), ['{', ..] | ['[', '{' | '[' | '"' | ']'])
}

fn document_files(document: &Value, files: &mut Vec<ExportedFile>) -> Result<(), ExportError> {
    match document["kind"].as_str() {
        Some("Secret" | "ConfigMap") => object_files(document, files),
        Some(kind) if kind.ends_with("List") && document["items"].is_array() => {
            let items = document["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().try_for_each(|item| document_files(item, files))
        }
        _ => {
            walk(document, &mut Vec::new(), files);
            Ok(())
        }
    }
}

/// The files of a secret or a ConfigMap.
fn object_files(object: &Value, files: &mut Vec<ExportedFile>) -> Result<(), ExportError> {
    let kind = if object["kind"] == "Secret" { "secret" } else { "ConfigMap" };
    let metadata = |key: &str| object["metadata"][key].as_str().unwrap_or("?");
    let place = format!("{kind} {}/{}", metadata("namespace"), metadata("name"));
    for (field, is_base64) in [("data", kind == "secret"), ("stringData", false)] {
        for (name, value) in object[field].as_object().into_iter().flatten() {
            let Some(text) = value.as_str() else { continue };
            let content = if is_base64 {
                let decoded = STANDARD.decode(text.trim()).ok();
                decoded.ok_or_else(|| ExportError::Base64(format!("`{name}` of {place}")))?
            } else {
                text.as_bytes().to_vec()
            };
            files.push(ExportedFile {
                place: format!("{place}, {name}"),
                name: name.clone(),
                is_kubernetes: true,
                content: Zeroizing::new(content),
            });
        }
    }
    Ok(())
}

/// Every text in JSON with PEM in it.
fn walk(value: &Value, path: &mut Vec<String>, files: &mut Vec<ExportedFile>) {
    match value {
        Value::String(text) if text.contains("-----BEGIN ") => files.push(ExportedFile {
            place: path.join("."),
            name: path.last().cloned().unwrap_or_default(),
            is_kubernetes: false,
            content: Zeroizing::new(text.as_bytes().to_vec()),
        }),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                path.push(i.to_string());
                walk(item, path, files);
                path.pop();
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                path.push(name.clone());
                walk(field, path, files);
                path.pop();
            }
        }
        _ => {}
    }
}
