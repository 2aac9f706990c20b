//! PKCS#11 URIs (RFC 7512): which module, which token, which key, and where its PIN is.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// What a URI says; attributes that are absent match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUri {
    /// Label of the token.
    pub token: Option<String>,
    /// Manufacturer of the token.
    pub manufacturer: Option<String>,
    /// Model of the token.
    pub model: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// Number of the slot.
    pub slot_id: Option<u64>,
    /// Label of the key.
    pub object: Option<String>,
    /// Identifier of the key.
    pub id: Option<Vec<u8>>,
    /// The module, a shared library.
    pub module_path: Option<PathBuf>,
    /// The file whose first line is the PIN.
    pub pin_source: Option<PathBuf>,
}

impl TokenUri {
    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong with it, without any value: there may be a PIN in it.
    pub fn read(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("pkcs11:").ok_or("it does not begin with `pkcs11:`")?;
        // Also in the value of another attribute, where it was hardly meant to be.
        if rest.contains("pin-value=") {
            return Err(PIN_VALUE.to_owned());
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for part in path.split(';').filter(|part| !part.is_empty()) {
            uri.path_attribute(part)?;
        }
        for part in query.split('&').filter(|part| !part.is_empty()) {
            uri.query_attribute(part)?;
        }
        Ok(uri)
    }

    fn path_attribute(&mut self, part: &str) -> Result<(), String> {
        let (name, value) = pair(part)?;
        match name {
            "token" => once(&mut self.token, name, text(name, value)?),
            "manufacturer" => once(&mut self.manufacturer, name, text(name, value)?),
            "model" => once(&mut self.model, name, text(name, value)?),
            "serial" => once(&mut self.serial, name, text(name, value)?),
            "object" => once(&mut self.object, name, text(name, value)?),
            "id" => once(&mut self.id, name, bytes(name, value)?),
            "slot-id" => {
                let number = text(name, value)?.parse();
                let number = number.map_err(|_not_shown| "`slot-id` is not a number".to_owned())?;
                once(&mut self.slot_id, name, number)
            }
            "type" if value == "private" => Ok(()),
            "type" => Err("`type` is not `private`".to_owned()),
            name => Err(unknown(name)),
        }
    }

    fn query_attribute(&mut self, part: &str) -> Result<(), String> {
        let (name, value) = pair(part)?;
        match name {
            "module-path" => once(&mut self.module_path, name, text(name, value)?.into()),
            "pin-source" => {
                let source = text(name, value)?;
                if source.starts_with('|') {
                    return Err(
                        "`pin-source` is a command, which is not run; name a file".to_owned()
                    );
                }
                let path = source.strip_prefix("file://").or_else(|| source.strip_prefix("file:"));
                once(&mut self.pin_source, name, path.unwrap_or(&source).into())
            }
            "module-name" => {
                Err("`module-name` depends on each system's folders; give `module-path`".to_owned())
            }
            name => Err(unknown(name)),
        }
    }

    /// The parts that find the key, without the module and where the PIN is: what a transcript shows.
    #[must_use]
    pub fn name(&self) -> String {
        let slot = self.slot_id.map(|number| number.to_string());
        let id = self
            .id
            .as_ref()
            .map(|id| id.iter().map(|byte| format!("%{byte:02X}")).collect::<String>());
        let named = |name: &str, value: Option<&String>| {
            value.map(|value| format!("{name}={}", escaped(value)))
        };
        let parts = [
            named("token", self.token.as_ref()),
            named("manufacturer", self.manufacturer.as_ref()),
            named("model", self.model.as_ref()),
            named("serial", self.serial.as_ref()),
            slot.map(|number| format!("slot-id={number}")),
            named("object", self.object.as_ref()),
            id.map(|id| format!("id={id}")),
        ];
        format!("pkcs11:{}", parts.into_iter().flatten().collect::<Vec<_>>().join(";"))
    }
}

/// Why a PIN in the URI is refused.
const PIN_VALUE: &str = "`pin-value` shows the PIN to every user of this machine and to the shell's history; \
                         use `pin-source=file:PATH`, `--pin-env VARIABLE` or the question on the terminal";

/// The names that are known, in the message about one that is not.
fn unknown(name: &str) -> String {
    const KNOWN: &str = "token, manufacturer, model, serial, slot-id, object, id and type; after `?`, module-path and \
                         pin-source";
    // A name that is not one may be a piece of anything.
    let is_name = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let name = if is_name { format!("`{name}`") } else { "an attribute".to_owned() };
    format!("{name} is not known; known are {KNOWN}")
}

fn pair(part: &str) -> Result<(&str, &str), String> {
    part.split_once('=').ok_or_else(|| "an attribute has no `=`".to_owned())
}

fn once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("`{name}` is given twice")),
    }
}

fn bytes(name: &str, value: &str) -> Result<Vec<u8>, String> {
    let is_hex = |pair: &[u8]| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
    let raw = value.as_bytes();
    let whole = raw.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    if whole.map(|(i, _)| &raw[i + 1..(i + 3).min(raw.len())]).any(|pair| !is_hex(pair)) {
        return Err(format!("`{name}` has a `%` without two hexadecimal digits"));
    }
    let decoded: Vec<u8> = percent_decode_str(value).collect();
    if decoded.is_empty() {
        return Err(format!("`{name}` is empty"));
    }
    Ok(decoded)
}

fn text(name: &str, value: &str) -> Result<String, String> {
    let text = String::from_utf8(bytes(name, value)?);
    let text = text.map_err(|_not_shown| format!("`{name}` is not UTF-8"))?;
    if text.contains('\0') {
        return Err(format!("`{name}` has a zero byte"));
    }
    Ok(text)
}

/// A value as RFC 7512 writes it.
fn escaped(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:@!$'()*+,".contains(&byte);
    value
        .bytes()
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests;
