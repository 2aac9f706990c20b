//! The signing configuration: `cfssl.json`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use jsonc_parser::ast::Value;

use super::json::{self, At, Fields, Kind, Notes, Shape, field, missing, unheeded};
use super::usage::{self, Usage};
use super::{Outcome, Severity, Span, Trap, code, limits, needs_newer, outcome};
use crate::cert::KeyUsage;
use crate::issue::Stamp;
use crate::oid::{self, Oid};
use crate::profile::Role;
use crate::time::HOUR;

/// `config/config.go: Config`.
const FILE: Shape = Shape {
    fields: &[
        field("signing", Kind::Object),
        unheeded("ocsp", Kind::Object),
        unheeded("auth_keys", Kind::Object),
        unheeded("remotes", Kind::Object),
    ],
    elsewhere: &[
        ("default", "`signing`"),
        ("profiles", "`signing`"),
        ("CN", "a CSR file, but this file is read as a signing configuration"),
        ("names", "a CSR file, but this file is read as a signing configuration"),
        ("key", "a CSR file, but this file is read as a signing configuration"),
    ],
};

/// `config/config.go: Signing`.
const SIGNING: Shape = Shape {
    fields: &[field("profiles", Kind::Object), field("default", Kind::Object)],
    elsewhere: &[
        ("usages", "`default` or a profile"),
        ("expiry", "`default` or a profile"),
        ("ca_constraint", "a profile"),
        ("auth_keys", "the file itself, next to `signing`"),
        ("remotes", "the file itself, next to `signing`"),
    ],
};

/// `config/config.go: SigningProfile`. The fields in capital letters have no JSON name of their own, so Go
/// fills them anyway.
const PROFILE: Shape = Shape {
    fields: &[
        field("usages", Kind::List),
        field("expiry", Kind::Text),
        field("backdate", Kind::Text),
        field("not_before", Kind::Text),
        field("not_after", Kind::Text),
        field("ca_constraint", Kind::Object),
        unheeded("issuer_urls", Kind::List),
        unheeded("ocsp_url", Kind::Text),
        unheeded("crl_url", Kind::Text),
        unheeded("ocsp_no_check", Kind::Flag),
        unheeded("auth_key", Kind::Text),
        unheeded("prev_auth_key", Kind::Text),
        unheeded("allowed_extensions", Kind::List),
        unheeded("cert_store", Kind::Text),
        unheeded("lint_error_level", Kind::Number),
        unheeded("ignored_lints", Kind::List),
        unheeded("ignored_lint_sources", Kind::List),
        missing("copy_extensions", Kind::Flag),
        missing("remote", Kind::Text),
        missing("auth_remote", Kind::Object),
        missing("name_whitelist", Kind::Text),
        missing("ct_log_servers", Kind::List),
        missing("Policies", Kind::List),
        missing("CSRWhitelist", Kind::Object),
        missing("ClientProvidesSerialNumbers", Kind::Flag),
        missing("RemoteServer", Kind::Text),
        unheeded("Expiry", Kind::Number),
        missing("Backdate", Kind::Number),
    ],
    elsewhere: &[
        ("is_ca", "`ca_constraint`"),
        ("max_path_len", "`ca_constraint`"),
        ("max_path_len_zero", "`ca_constraint`"),
        ("pathlen", "`ca_constraint`, where it is \"max_path_len\""),
        ("pathlenzero", "`ca_constraint`, where it is \"max_path_len_zero\""),
        ("ca", "a CSR file; here it is \"ca_constraint\""),
    ],
};

/// `config/config.go: CAConstraint`.
const CA_CONSTRAINT: Shape = Shape {
    fields: &[
        field("is_ca", Kind::Flag),
        field("max_path_len", Kind::Number),
        field("max_path_len_zero", Kind::Flag),
    ],
    elsewhere: &[
        ("pathlen", "a CSR file; here it is \"max_path_len\""),
        ("pathlenzero", "a CSR file; here it is \"max_path_len_zero\""),
        ("usages", "the profile, next to `ca_constraint`"),
        ("expiry", "the profile, next to `ca_constraint`"),
    ],
};

/// A signing configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningConfig {
    default: Read,
    profiles: BTreeMap<String, Read>,
    /// The line of `profiles`.
    line: usize,
}

/// A profile and the traps in it, as bad as they are when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    profile: SigningProfile,
    traps: Vec<Trap>,
}

/// What one profile says of the certificates it signs; [`SigningProfile::order`] makes an order of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningProfile {
    /// Its name; `default` for the one that counts when no name is given.
    pub name: String,
    /// The key usages among `usages`.
    pub key_usage: KeyUsage,
    /// The extended key usages among `usages`, in that order.
    pub ext_key_usage: Vec<Oid>,
    /// What `ca_constraint` says.
    pub role: Role,
    /// The line it begins in.
    pub line: usize,
    pub(super) span: Span,
}

impl SigningProfile {
    /// How long a certificate is valid from notBefore on, where `not_after` does not fix its end.
    #[must_use]
    pub fn validity(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.span.expiry).unwrap_or(0))
    }

    /// How far notBefore lies back; cfssl's five minutes when no time is given.
    #[must_use]
    pub fn backdate(&self) -> Duration {
        match self.span.backdate {
            0 => Stamp::BACKDATE,
            nanos => Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
        }
    }

    /// `config/config.go: DefaultConfig`, for a file without `default`.
    fn built_in(line: usize) -> Self {
        Self {
            name: "default".to_string(),
            key_usage: KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_ENCIPHERMENT),
            ext_key_usage: Vec::from([Oid::SERVER_AUTH, Oid::CLIENT_AUTH]),
            role: Role::EndEntity,
            line,
            span: Span { expiry: 8760 * HOUR * 1_000_000_000, ..Span::default() },
        }
    }
}

impl SigningConfig {
    /// Reads a signing configuration.
    ///
    /// # Errors
    /// The traps for which cfssl refuses the file whatever profile is asked for. Those inside a profile are reported
    /// by [`SigningConfig::profile`].
    pub fn parse(text: &str) -> Outcome<Self> {
        let value = json::parse(text).map_err(|trap| Vec::from([trap]))?;
        let mut notes = Notes::new(text);
        let line = notes.line(&value);
        let file = notes.object(&value, "the signing configuration", &FILE);
        let signing = file.as_ref().and_then(|file| file.value("signing"));
        let signing = signing.and_then(|at| notes.object(at.value, "`signing`", &SIGNING));
        let Some(signing) = signing else {
            notes.refused.push(no_signing(line));
            return Err(notes.refused);
        };
        let mut file_traps = core::mem::take(&mut notes.traps);
        let default = signing.value("default").and_then(|at| profile(at.value, None, &mut notes));
        let default = default.unwrap_or_else(|| Read {
            profile: SigningProfile::built_in(signing.line),
            traps: Vec::new(),
        });
        let mut profiles = BTreeMap::new();
        let list = signing.value("profiles");
        let entries = list.and_then(|at| at.value.as_object()).map(|list| notes.entries(list));
        file_traps.append(&mut notes.traps);
        for (name, value) in entries.unwrap_or_default() {
            if let Some(read) = profile(value, Some(name), &mut notes) {
                profiles.insert(name.to_string(), read);
            }
        }
        file_traps.append(&mut notes.refused);
        let line = list.map_or(signing.line, |at| at.line);
        outcome(Self { default, profiles, line }, file_traps)
    }

    /// The names of the profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The profile of that name; without a name, the default one.
    ///
    /// Traps in the profiles not asked for are warnings.
    ///
    /// # Errors
    /// `cfssl/unknown-profile`, for which cfssl would silently sign with the default profile, and whatever is
    /// wrong with the profile.
    pub fn profile(&self, name: Option<&str>) -> Outcome<SigningProfile> {
        let name = name.filter(|name| !name.is_empty());
        let found = name.and_then(|name| self.profiles.get(name));
        let is_default = found.is_none();
        let read = found.unwrap_or(&self.default);
        let mut traps = read.traps.clone();
        if let Some(name) = name.filter(|name| is_default && *name != "default") {
            traps = Vec::from([self.unknown_profile(name)]);
        } else if is_default && says_nothing(&read.profile) {
            traps.push(no_usages("the default profile", read.profile.line));
        }
        let others = self.profiles.values().chain([&self.default]);
        for other in others.filter(|other| other.profile.name != read.profile.name) {
            traps.extend(
                other
                    .traps
                    .iter()
                    .cloned()
                    .map(|trap| Trap { severity: Severity::Warning, ..trap }),
            );
        }
        outcome(read.profile.clone(), traps)
    }

    fn unknown_profile(&self, name: &str) -> Trap {
        let hint = match usage::nearest(name, self.names()) {
            Some(near) => format!("write `{near}`"),
            None if self.profiles.is_empty() => "the file has no profiles".to_string(),
            None => format!("there are {}", self.names().collect::<Vec<_>>().join(", ")),
        };
        Trap::error(
            code::UNKNOWN_PROFILE,
            self.line,
            format!(
                "there is no profile `{name}`: cfssl silently uses the default profile instead"
            ),
            hint,
        )
    }
}

fn no_signing(line: usize) -> Trap {
    Trap::error(
        code::NO_SIGNING,
        line,
        "there is no `signing`: cfssl rejects the file".to_string(),
        "write {\"signing\": {\"profiles\": {\"NAME\": {..}}}}",
    )
}

fn says_nothing(profile: &SigningProfile) -> bool {
    profile.key_usage.0 == 0 && profile.ext_key_usage.is_empty()
}

fn no_usages(what: &str, line: usize) -> Trap {
    Trap::error(
        code::NO_USAGES,
        line,
        format!("{what} has no usages: cfssl refuses to sign with it"),
        "write \"usages\": [\"cert sign\", \"crl sign\"] for a CA",
    )
}

/// Reads a profile. `None` as its name is the default one, which needs no usages until it is used.
fn profile(value: &Value<'_>, name: Option<&str>, notes: &mut Notes<'_>) -> Option<Read> {
    let what = name.map_or("the default profile".to_string(), |name| format!("profile `{name}`"));
    let line = notes.line(value);
    let Some(fields) = notes.object(value, &what, &PROFILE) else {
        // Of `default` cfssl takes null as not given.
        if name.is_some() && matches!(value, Value::NullKeyword(_)) {
            notes.refused.push(no_usages(&what, line));
        }
        return None;
    };
    let mut profile = SigningProfile {
        name: name.unwrap_or("default").to_string(),
        key_usage: KeyUsage(0),
        ext_key_usage: Vec::new(),
        role: Role::EndEntity,
        line,
        span: limits::span(&fields, notes),
    };
    let given = usages(&mut profile, &fields, notes);
    if !given && name.is_some() {
        notes.traps.push(no_usages(&what, line));
    }
    let constraint = fields.value("ca_constraint");
    let called = format!("`ca_constraint` of {what}");
    if let Some(fields) = constraint.and_then(|at| notes.object(at.value, &called, &CA_CONSTRAINT))
    {
        profile.role = role(&fields, notes);
    }
    let usages_line = fields.value("usages").map_or(line, |at| at.line);
    notes.traps.extend(role_and_usages(&profile, &what, usages_line));
    Some(Read { profile, traps: core::mem::take(&mut notes.traps) })
}

/// Sorts `usages` into the two kinds; says whether there were any.
fn usages(profile: &mut SigningProfile, fields: &Fields<'_>, notes: &mut Notes<'_>) -> bool {
    let list = notes.texts(fields.value("usages"), &format!("`usages` of {}", fields.what));
    for name in &list {
        if name.value == "content commitment" {
            notes.traps.push(needs_newer("`content commitment`", name.line, "drops it"));
        }
        match usage::named(name.value) {
            Some(Usage::Key(bits)) => profile.key_usage = profile.key_usage.with(bits),
            Some(Usage::Extended(oid)) => {
                if profile.ext_key_usage.contains(&oid) {
                    notes.traps.push(Trap::warning(
                        code::REPEATED_USAGE,
                        name.line,
                        format!(
                            "`{}` would be in the certificate twice (RFC 5280 section 4.2.1.12)",
                            name.value
                        ),
                        "write it once",
                    ));
                }
                profile.ext_key_usage.push(oid);
            }
            None => notes.traps.push(unknown_usage(name, &fields.what)),
        }
    }
    !list.is_empty()
}

fn unknown_usage(name: &At<&str>, what: &str) -> Trap {
    let hint = match usage::nearest(name.value, usage::names()) {
        Some(near) => format!("write \"{near}\""),
        None => format!("expected one of {}", usage::names().collect::<Vec<_>>().join(", ")),
    };
    Trap::error(
        code::UNKNOWN_USAGE,
        name.line,
        format!("cfssl silently drops `{}` from {what}: it does not know this usage", name.value),
        hint,
    )
}

fn role(fields: &Fields<'_>, notes: &mut Notes<'_>) -> Role {
    let (given, zero) = (fields.number("max_path_len"), fields.flag("max_path_len_zero"));
    if fields.flag("is_ca") {
        let names = ["max_path_len", "max_path_len_zero"];
        return Role::Ca { path_len: limits::path_len(given, zero, names, notes) };
    }
    if zero || given.is_some() {
        let severity = match fields.value("is_ca") {
            Some(_) => Severity::Warning,
            None => Severity::Error,
        };
        notes.traps.push(Trap {
            code: code::CA_CONSTRAINT_UNUSED,
            severity,
            line: fields.line,
            message: format!("{} has no effect without \"is_ca\": true", fields.what),
            hint: "write \"is_ca\": true, or remove `ca_constraint`".to_string(),
        });
    }
    Role::EndEntity
}

/// What the role and the usages say of each other.
fn role_and_usages(profile: &SigningProfile, what: &str, line: usize) -> Option<Trap> {
    let signs = profile.key_usage.contains(KeyUsage::KEY_CERT_SIGN);
    let has = |oid: &[u8]| profile.ext_key_usage.iter().any(|known| known == oid);
    match profile.role {
        Role::Ca { .. } if !signs => Some(Trap::error(
            code::CA_WITHOUT_CERT_SIGN,
            line,
            format!(
                "{what} creates a CA that may not sign certificates: openssl and istiod accept it, but every workload fails"
            ),
            "add \"cert sign\" to `usages`",
        )),
        Role::EndEntity if signs => Some(Trap::error(
            code::CERT_SIGN_WITHOUT_CA,
            line,
            format!(
                "{what} creates certificates that may sign others but are not CAs: every verifier rejects what they sign"
            ),
            "write \"ca_constraint\": {\"is_ca\": true}, or remove \"cert sign\"",
        )),
        Role::Ca { .. } if profile.ext_key_usage.is_empty() => None,
        Role::Ca { .. } if has(oid::EKU_SERVER_AUTH) && has(oid::EKU_CLIENT_AUTH) => {
            Some(Trap::warning(
                code::CA_EXT_KEY_USAGE,
                line,
                format!(
                    "{what} puts an extended key usage on a CA, which limits everything below it; workloads need only server and client"
                ),
                "remove \"server auth\" and \"client auth\" from a CA's `usages`",
            ))
        }
        Role::Ca { .. } => Some(Trap::error(
            code::CA_EXT_KEY_USAGE,
            line,
            format!(
                "{what} limits everything below the CA to its extended key usages, and a workload is both server and client: istiod or its peers reject it"
            ),
            "remove the extended key usages from a CA's `usages`",
        )),
        Role::EndEntity => None,
    }
}
