//! `cfssl`'s JSON files: read as `cfssl` reads them, carried out by our own issuing, and every place
//! where the file does not say what its author meant named before anything is signed.
//!
//! The files are the CSR file (`ca.json`, `intermediate-ca.json`) and the signing configuration
//! (`cfssl.json`). What they mean was read from cfssl 1.6.5 and from the build Debian ships as 1.2.0, and
//! `tests/it/cfssl.rs` compares it with the one that is installed; where the two differ, 1.6.5 is followed
//! and `cfssl/needs-newer-cfssl` says so.
//!
//! ```
//! use meshpki::cfssl::{CsrFile, SigningConfig};
//! use meshpki::{Serial, Time};
//!
//! let now = "2026-11-21T13:14:59Z".parse::<Time>().unwrap();
//! let (file, traps) = CsrFile::parse(r#"{"CN": "Root", "names": [{"C": "GB", "O": "Example"}]}"#).unwrap();
//! let (order, _) = file.root(now).unwrap();
//! assert_eq!(order.profile.subject.to_string(), "C = GB, O = Example, CN = Root");
//! assert_eq!(order.not_before.to_string(), "2026-11-21T13:10:00Z");
//! assert_eq!(order.profile.validity.as_secs(), 43_800 * 3600);
//! assert!(traps.is_empty());
//!
//! let config = r#"{"signing": {"profiles": {"ca": {"usages": ["cert sign"], "expiry": "365d"}}}}"#;
//! let (config, _) = SigningConfig::parse(config).unwrap();
//! let traps = config.profile(Some("ca")).unwrap_err();
//! assert_eq!(traps[0].code, "cfssl/duration");
//! assert_eq!(traps[0].hint, "write \"8760h\": hours are the largest unit that cfssl knows");
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

mod config;
mod csr_file;
mod duration;
mod host;
mod json;
mod limits;
mod sign;
mod usage;

pub use config::{SigningConfig, SigningProfile};
pub use csr_file::{CsrFile, CsrRequest};

use crate::issue::{Serial, Stamp};
use crate::profile::Profile;
use crate::time::{MINUTE, Time};

/// What reading or carrying out a file comes to: the value and the warnings, or every trap there is,
/// at least one of them an error. Both lists are in the order of the lines.
pub type Outcome<T> = Result<(T, Vec<Trap>), Vec<Trap>>;

/// A place where a file does not do what its author most likely meant, or where `cfssl` does something
/// we do not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trap {
    /// One of [`Trap::CODES`]: stable, for scripts and for `docs/errors.md`.
    pub code: &'static str,
    /// Whether work may continue.
    pub severity: Severity,
    /// The line of the JSON text, from 1.
    pub line: usize,
    /// What is there, and what `cfssl` makes of it.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// How bad a [`Trap`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Surprising, but the result is what its author meant.
    Warning,
    /// The result would not be what its author meant, or `cfssl` would refuse the file.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Trap {
    /// `line 3: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl Trap {
    /// Every code there is, in alphabetical order.
    pub const CODES: &'static [&'static str] = &[
        code::BACKDATE,
        code::CA_CONSTRAINT_UNUSED,
        code::CA_EXPIRY_IGNORED,
        code::CA_EXT_KEY_USAGE,
        code::CA_SECTION,
        code::CA_WITHOUT_CERT_SIGN,
        code::CERT_SIGN_WITHOUT_CA,
        code::DUPLICATE_KEY,
        code::DURATION,
        code::EXPIRY,
        code::FIELD_CASE,
        code::HOST,
        code::HOSTS_DROPPED,
        code::JSON,
        code::KEY,
        code::MISPLACED_FIELD,
        code::MULTI_VALUED_NAME,
        code::NAME_SERIAL_NUMBER,
        code::NEEDS_NEWER,
        code::NO_SIGNING,
        code::NO_SUBJECT,
        code::NO_USAGES,
        code::NOT_CARRIED_OUT,
        code::OUTLIVES_ISSUER,
        code::PATH_LEN,
        code::PATH_LEN_LOST,
        code::PROFILE_NOT_CA,
        code::REPEATED_USAGE,
        code::ROOT_PATH_LEN,
        code::SELF_SIGNED_INTERMEDIATE,
        code::SUBJECT,
        code::TIME,
        code::TYPE,
        code::UNKNOWN_FIELD,
        code::UNKNOWN_PROFILE,
        code::UNKNOWN_USAGE,
    ];

    fn error(code: &'static str, line: usize, message: String, hint: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, line, message, hint: hint.into() }
    }

    fn warning(code: &'static str, line: usize, message: String, hint: impl Into<String>) -> Self {
        Self { code, severity: Severity::Warning, line, message, hint: hint.into() }
    }

    const fn is_error(&self) -> bool {
        matches!(self.severity, Severity::Error)
    }
}

/// The codes of [`Trap::CODES`], by name.
mod code {
    pub(super) const BACKDATE: &str = "cfssl/backdate";
    pub(super) const CA_CONSTRAINT_UNUSED: &str = "cfssl/ca-constraint-unused";
    pub(super) const CA_EXPIRY_IGNORED: &str = "cfssl/ca-expiry-ignored";
    pub(super) const CA_EXT_KEY_USAGE: &str = "cfssl/ca-ext-key-usage";
    pub(super) const CA_SECTION: &str = "cfssl/ca-section";
    pub(super) const CA_WITHOUT_CERT_SIGN: &str = "cfssl/ca-without-cert-sign";
    pub(super) const CERT_SIGN_WITHOUT_CA: &str = "cfssl/cert-sign-without-ca";
    pub(super) const DUPLICATE_KEY: &str = "cfssl/duplicate-key";
    pub(super) const DURATION: &str = "cfssl/duration";
    pub(super) const EXPIRY: &str = "cfssl/expiry";
    pub(super) const FIELD_CASE: &str = "cfssl/field-case";
    pub(super) const HOST: &str = "cfssl/host";
    pub(super) const HOSTS_DROPPED: &str = "cfssl/hosts-dropped";
    pub(super) const JSON: &str = "cfssl/json";
    pub(super) const KEY: &str = "cfssl/key";
    pub(super) const MISPLACED_FIELD: &str = "cfssl/misplaced-field";
    pub(super) const MULTI_VALUED_NAME: &str = "cfssl/multi-valued-name";
    pub(super) const NAME_SERIAL_NUMBER: &str = "cfssl/name-serial-number";
    pub(super) const NEEDS_NEWER: &str = "cfssl/needs-newer-cfssl";
    pub(super) const NO_SIGNING: &str = "cfssl/no-signing";
    pub(super) const NO_SUBJECT: &str = "cfssl/no-subject";
    pub(super) const NO_USAGES: &str = "cfssl/no-usages";
    pub(super) const NOT_CARRIED_OUT: &str = "cfssl/not-carried-out";
    pub(super) const OUTLIVES_ISSUER: &str = "cfssl/outlives-issuer";
    pub(super) const PATH_LEN: &str = "cfssl/path-len";
    pub(super) const PATH_LEN_LOST: &str = "cfssl/path-len-lost";
    pub(super) const PROFILE_NOT_CA: &str = "cfssl/profile-not-ca";
    pub(super) const REPEATED_USAGE: &str = "cfssl/repeated-usage";
    pub(super) const ROOT_PATH_LEN: &str = "cfssl/root-path-len";
    pub(super) const SELF_SIGNED_INTERMEDIATE: &str = "cfssl/self-signed-intermediate";
    pub(super) const SUBJECT: &str = "cfssl/subject";
    pub(super) const TIME: &str = "cfssl/time";
    pub(super) const TYPE: &str = "cfssl/type";
    pub(super) const UNKNOWN_FIELD: &str = "cfssl/unknown-field";
    pub(super) const UNKNOWN_PROFILE: &str = "cfssl/unknown-profile";
    pub(super) const UNKNOWN_USAGE: &str = "cfssl/unknown-usage";
}

/// A certificate as the files order it: all that is left to choose are the key and the serial number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Order {
    /// What the certificate says.
    pub profile: Profile,
    /// The first second of validity.
    pub not_before: Time,
}

impl Order {
    /// The stamp to issue it with.
    #[must_use]
    pub const fn stamp(&self, serial: Serial) -> Stamp {
        Stamp { serial, not_before: self.not_before }
    }
}

/// From when and for how long, in the nanoseconds of Go's `time.Duration`.
///
/// `signer/signer.go: FillTemplate`: notBefore is now, rounded to the minute, less the backdate, which is
/// five minutes when it is not given or zero; notAfter is notBefore plus the expiry. Fixed dates win.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    expiry: i64,
    backdate: i64,
    not_before: Option<Time>,
    not_after: Option<Time>,
}

impl Span {
    /// notBefore and notAfter of a certificate made at `now`; fractions of a second are cut, as ASN.1 does.
    fn at(&self, now: Time) -> (Time, Time) {
        const SECOND: i128 = 1_000_000_000;
        let minute = i128::from(MINUTE);
        let rounded = (i128::from(now.0) + minute / 2).div_euclid(minute) * minute;
        let backdate = match self.backdate {
            0 => i128::from(Stamp::BACKDATE.as_secs()) * SECOND,
            given => i128::from(given),
        };
        let start = match self.not_before {
            Some(fixed) => i128::from(fixed.0) * SECOND,
            None => rounded * SECOND - backdate,
        };
        let seconds =
            |nanos: i128| Time(i64::try_from(nanos.div_euclid(SECOND)).unwrap_or(i64::MAX));
        let end = self.not_after.unwrap_or_else(|| seconds(start + i128::from(self.expiry)));
        (seconds(start), end)
    }
}

/// The trap of what cfssl 1.6 does and the 1.2 of the distributions does not.
fn needs_newer(what: &str, line: usize, older: &str) -> Trap {
    Trap::warning(
        code::NEEDS_NEWER,
        line,
        alloc::format!(
            "{what} is handled as in cfssl 1.6; cfssl 1.2, which Debian and Ubuntu ship, {older}"
        ),
        "remove it if both versions must create the same certificate",
    )
}

/// The value and its traps in the order of the lines, or the traps alone when one of them is an error.
fn outcome<T>(value: T, mut traps: Vec<Trap>) -> Outcome<T> {
    traps.sort_by_key(|trap| trap.line);
    if traps.iter().any(Trap::is_error) { Err(traps) } else { Ok((value, traps)) }
}

#[cfg(test)]
mod tests;
