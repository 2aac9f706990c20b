//! What a CA has revoked: serial number, when, why; and the list of it as text, one line for each certificate.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::digest::hex;
use crate::key::PublicKey;
use crate::time::Time;

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
///
/// certificateHold and removeFromCRL are not among them: what is revoked here stays revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RevocationReason {
    /// No reason is given.
    #[default]
    Unspecified,
    /// The key of an end entity may be known to others.
    KeyCompromise,
    /// The key of a CA may be known to others.
    CaCompromise,
    /// The subject's name or another of its facts has changed.
    AffiliationChanged,
    /// Another certificate takes its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// A privilege in it has been withdrawn.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason, by its number.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The number of CRLReason.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// The name, as OpenSSL's `crl_reason` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "CACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }
}

impl fmt::Display for RevocationReason {
    /// [`RevocationReason::name`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RevocationReason {
    type Err = RevocationReasonError;

    /// Reads a name, without regard to upper and lower case.
    fn from_str(text: &str) -> Result<Self, RevocationReasonError> {
        let is_named = |reason: &Self| reason.name().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(is_named);
        found.ok_or_else(|| RevocationReasonError { found: text.into() })
    }
}

/// A text that is not a reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a valid reason: expected one of {}", RevocationReason::ALL.map(RevocationReason::name).join(", "))]
pub struct RevocationReasonError {
    found: String,
}

/// One certificate that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Content octets of its serial number.
    pub serial: Vec<u8>,
    /// Since when it is revoked.
    pub at: Time,
    /// Why.
    pub reason: RevocationReason,
}

/// What the CAs of a folder have revoked, as text that is kept next to them and merged by Git:
///
/// ```text
/// # a comment
/// SERIAL KEY TIME REASON SUBJECT
/// ```
///
/// SERIAL is the serial number in lower-case hex; KEY the SHA-256 of the public key (SubjectPublicKeyInfo) of the CA that
/// issued the certificate, in lower-case hex; TIME in UTC, as in RFC 3339, to the second; REASON the name of a
/// [`RevocationReason`]; SUBJECT the name of the certificate up to the end of the line, for readers only. Lines may be in
/// any order and may be there twice, as a merge leaves them: the first time counts. Writing sorts them.
///
/// ```
/// use meshpki::RevocationList;
/// let serial = "4a".repeat(20);
/// let key = "00".repeat(32);
/// let text = format!("{serial} {key} 2026-11-21T07:00:00Z keyCompromise CN=Mesh CA east\n");
/// let list: RevocationList = text.parse()?;
/// assert_eq!(list.len(), 1);
/// assert!(list.to_string().ends_with(&text));
/// # Ok::<(), meshpki::RevocationListError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationList {
    lines: BTreeMap<Key, Line>,
}

/// The serial number, and the SHA-256 of the issuer's key.
type Key = (Vec<u8>, [u8; 32]);

/// What a line says after its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    at: Time,
    reason: RevocationReason,
    subject: String,
}

/// The first lines of a list.
const HEADER: &str = "\
# Certificates that the CAs of this folder have revoked, sorted. CRLs are made of them.
# SERIAL KEY-OF-ISSUER TIME REASON SUBJECT
";

impl RevocationList {
    /// Adds a certificate that the holder of `issuer` issued; whether it was not in the list, which keeps what it has.
    pub fn add(&mut self, issuer: &PublicKey, subject: &str, revoked: Revocation) -> bool {
        let key = (revoked.serial, issuer.sha256());
        if self.lines.contains_key(&key) {
            return false;
        }
        let subject = subject.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        self.lines.insert(key, Line { at: revoked.at, reason: revoked.reason, subject });
        true
    }

    /// What the list says of a certificate, by its serial number.
    #[must_use]
    pub fn get(&self, issuer: &PublicKey, serial: &[u8]) -> Option<Revocation> {
        let line = self.lines.get(&(serial.to_vec(), issuer.sha256()))?;
        Some(Revocation { serial: serial.to_vec(), at: line.at, reason: line.reason })
    }

    /// What the holder of a key has revoked, by serial number.
    #[must_use]
    pub fn of(&self, issuer: &PublicKey) -> Vec<Revocation> {
        let issuer = issuer.sha256();
        let own = self.lines.iter().filter(|((_, key), _)| *key == issuer);
        own.map(|((serial, _), line)| Revocation {
            serial: serial.clone(),
            at: line.at,
            reason: line.reason,
        })
        .collect()
    }

    /// How many certificates are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl fmt::Display for RevocationList {
    /// The text, sorted, with a header of comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADER)?;
        for ((serial, key), line) in &self.lines {
            let Line { at, reason, subject } = line;
            let text = alloc::format!("{} {} {at} {reason} {subject}", hex(serial), hex(key));
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

impl FromStr for RevocationList {
    type Err = RevocationListError;

    fn from_str(text: &str) -> Result<Self, RevocationListError> {
        let mut list = Self::default();
        for (at, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (key, line) =
                parse(text).map_err(|problem| RevocationListError { line: at + 1, problem })?;
            // After a merge, the first to revoke it counts.
            match list.lines.entry(key) {
                Entry::Vacant(place) => _ = place.insert(line),
                Entry::Occupied(mut known) if line < *known.get() => _ = known.insert(line),
                Entry::Occupied(_) => {}
            }
        }
        Ok(list)
    }
}

fn parse(text: &str) -> Result<(Key, Line), RevocationListProblem> {
    use RevocationListProblem as Problem;
    if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| text.starts_with(mark)) {
        return Err(Problem::Conflict);
    }
    let mut words = text.splitn(5, ' ');
    let mut word = || words.next().filter(|word| !word.is_empty()).ok_or(Problem::Words);
    let (serial, key, at, reason) = (word()?, word()?, word()?, word()?);
    let serial = octets(serial).ok_or(Problem::Serial)?;
    let key = octets(key).and_then(|octets| octets.try_into().ok()).ok_or(Problem::Key)?;
    let at = at.parse().ok().filter(|at: &Time| at.to_asn1().is_some()).ok_or(Problem::Time)?;
    let reason = reason.parse().map_err(Problem::Reason)?;
    let subject = words.next().unwrap_or_default();
    if subject.chars().any(char::is_control) {
        return Err(Problem::Words);
    }
    Ok(((serial, key), Line { at, reason, subject: subject.trim().to_string() }))
}

/// Octets from pairs of hex digits, of which there is at least one.
fn octets(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pair = |at: usize| {
        let pair = &text[at..at + 2];
        pair.bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            .then(|| u8::from_str_radix(pair, 16).ok())?
    };
    (0..text.len()).step_by(2).map(pair).collect()
}

/// A text that is not a list of revoked certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a revoked certificate: {problem}")]
pub struct RevocationListError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: RevocationListProblem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListProblem {
    /// A mark of an unfinished merge.
    #[error("it is a conflict marker of Git")]
    Conflict,
    /// Words are missing, or something is in it that is not text.
    #[error("expected SERIAL KEY TIME REASON SUBJECT")]
    Words,
    /// The serial number.
    #[error("the first word is not a serial number in lower-case hex")]
    Serial,
    /// The issuer's key.
    #[error("the second word is not the SHA-256 of a key, which has 64 lower-case hex digits")]
    Key,
    /// The time.
    #[error("the third word is not a time such as 2026-11-21T07:00:00Z")]
    Time,
    /// The reason.
    #[error("{0}")]
    Reason(
        /// Which it is.
        RevocationReasonError,
    ),
}

#[cfg(test)]
mod tests;
