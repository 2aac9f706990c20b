//! The bundle of one trust domain.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::jwk;
use super::problem::BundleProblem;
use crate::cert::Cert;
use crate::error::Error;
use crate::pem;
use crate::spiffe::id::TrustDomain;
use crate::verify::go;

#[cfg(feature = "spiffe")]
pub(super) mod read;

/// Bytes a document may have.
const MAX_BYTES: usize = 1 << 20;
/// Keys a bundle may have.
const MAX_KEYS: usize = 100;
/// The longest refresh hint, 292 years: Go cannot count more seconds as nanoseconds, and go-spiffe adds almost one to round
/// up (`bundle/spiffebundle/bundle.go: Marshal`).
const LONGEST_HINT: u64 = i64::MAX as u64 / 1_000_000_000 - 1;

/// The roots of one trust domain, as it publishes them (SPIFFE Trust Domain and Bundle, section 4).
///
/// No root is in it twice. Without any, it is valid and says that the domain has revoked everything it signed.
///
/// ```
/// # #[cfg(all(feature = "soft-keys", feature = "spiffe"))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use meshpki::spiffe::Bundle;
/// use meshpki::*;
///
/// let key = SoftKey::generate(KeyType::EcdsaP256)?;
/// let stamp = Stamp::made_at("2026-11-21T07:00:00Z".parse()?, Serial::generate());
/// let root = self_signed(&Profile::root("O=Example, CN=East Root CA".parse()?), &key, stamp)?;
/// let east: TrustDomain = "east.example".parse()?;
///
/// let bundle = Bundle::new(east.clone(), [root]).with_sequence(7).with_refresh_hint(300);
/// let (read, ignored) = Bundle::from_json(east.clone(), bundle.to_json()?.as_bytes())?;
/// assert_eq!(read, bundle);
/// assert!(ignored.is_empty());
/// assert_eq!(Bundle::from_pem(east, bundle.to_pem().as_bytes())?.roots(), bundle.roots());
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "soft-keys", feature = "spiffe")))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    trust_domain: TrustDomain,
    roots: Vec<Cert>,
    sequence: Option<u64>,
    refresh_hint: Option<u64>,
}

/// Something in a bundle that does not count, by the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignored {
    /// Where it is: `keys[2]`, in a map `trust_domains["east.example"].keys[2]`.
    pub place: String,
    /// Why it does not count.
    pub why: WhyIgnored,
}

impl fmt::Display for Ignored {
    /// `keys[2]: it has no certificate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

/// Why something in a bundle does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyIgnored {
    /// The key has no `use` (section 4.2.2).
    NoUse,
    /// The `use` of the key is not known (section 4.2.2).
    UnknownUse(String),
    /// The key is for SVIDs of another kind: `jwt-svid`, `wit-svid`.
    OtherSvid(&'static str),
    /// The key has no `kty` (section 4.2.1).
    NoKeyType,
    /// The `kty` of the key is not known (section 4.2.1).
    UnknownKeyType(String),
    /// The key has no certificate (X509-SVID section 6.2).
    NoCertificate,
    /// Certificates after the first one of a key (X509-SVID section 6.2).
    MoreCertificates(usize),
    /// A root that an earlier key has already.
    Duplicate,
}

impl fmt::Display for WhyIgnored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUse => f.write_str("it has no `use`"),
            Self::UnknownUse(found) => write!(f, "its `use` is `{found}`, expected `x509-svid`"),
            Self::OtherSvid(found) => {
                write!(f, "its `use` is `{found}`, so it verifies no certificate")
            }
            Self::NoKeyType => f.write_str("it has no `kty`"),
            Self::UnknownKeyType(found) => {
                write!(f, "its `kty` is `{found}`, expected `EC`, `RSA` or `OKP`")
            }
            Self::NoCertificate => f.write_str("it has no certificate in `x5c`"),
            Self::MoreCertificates(count) => {
                write!(f, "{count} more in `x5c`, of which only the first certificate counts")
            }
            Self::Duplicate => f.write_str("an earlier key has the same certificate"),
        }
    }
}

impl Bundle {
    /// The bundle of a trust domain with these roots, in this order and each once, without a sequence number and a
    /// refresh hint.
    #[must_use]
    pub fn new(trust_domain: TrustDomain, roots: impl IntoIterator<Item = Cert>) -> Self {
        let mut bundle =
            Self { trust_domain, roots: Vec::new(), sequence: None, refresh_hint: None };
        for root in roots {
            bundle.add(root);
        }
        bundle
    }

    /// Adds a root; false if it is there already.
    fn add(&mut self, root: Cert) -> bool {
        let is_new = !self.roots.contains(&root);
        if is_new {
            self.roots.push(root);
        }
        is_new
    }

    /// The same bundle with a sequence number, which grows with every change; 0 is as good as none.
    #[must_use]
    pub fn with_sequence(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence).filter(|number| *number > 0), ..self }
    }

    /// The same bundle with a refresh hint in seconds: how often to look for a newer one. 0 is as good as none, and more
    /// than 292 years are 292 years.
    #[must_use]
    pub fn with_refresh_hint(self, seconds: u64) -> Self {
        let hint = Some(seconds.min(LONGEST_HINT)).filter(|seconds| *seconds > 0);
        Self { refresh_hint: hint, ..self }
    }

    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The roots, in the order of the bundle.
    #[must_use]
    pub fn roots(&self) -> &[Cert] {
        &self.roots
    }

    /// The sequence number (section 4.1.1).
    #[must_use]
    pub const fn sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// The refresh hint in seconds (section 4.1.2).
    #[must_use]
    pub const fn refresh_hint(&self) -> Option<u64> {
        self.refresh_hint
    }

    /// Reads the certificates of PEM text; other blocks are passed over.
    ///
    /// # Errors
    /// `pki/pem`, `pki/der`; `pki/no-certificate` if there is none.
    pub fn from_pem(trust_domain: TrustDomain, text: &[u8]) -> Result<Self, Error> {
        let what = || format!("the roots of {trust_domain}");
        let mut roots = Vec::new();
        for block in pem::decode(text) {
            let block = block.map_err(|source| Error::Pem { what: what(), source })?;
            if block.is_certificate() {
                let place = || format!("the certificate at line {} of {}", block.line, what());
                let root = Cert::from_der(&block.der);
                roots.push(root.map_err(|source| Error::Der { what: place(), source })?);
            }
        }
        if roots.is_empty() {
            return Err(Error::NoCertificate { what: what() });
        }
        Ok(Self::new(trust_domain, roots))
    }

    /// The roots as PEM text, as in `root-cert.pem`; empty if there is none.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.roots.iter().map(Cert::to_pem).collect()
    }

    /// The bundle as JSON, byte for byte as SPIRE writes it (`pkg/common/bundleutil/marshal.go: Marshal`), without a
    /// newline at its end.
    ///
    /// # Errors
    /// `pki/bundle` for a certificate that Go cannot read, and for a key that a JSON Web Key cannot hold; `pki/too-many` for
    /// what [`Bundle::from_json`] would not read.
    pub fn to_json(&self) -> Result<String, Error> {
        let text = self.write("", 0, self.refresh_hint)?;
        check_size(text.len())?;
        Ok(text)
    }

    /// The bundle as JSON inside a document: `place` is where, `depth` how far it is indented.
    pub(super) fn write(
        &self,
        place: &str,
        depth: usize,
        refresh_hint: Option<u64>,
    ) -> Result<String, Error> {
        check_count(self.roots.len(), &format!("{place}keys"))?;
        let margin = INDENT.repeat(depth);
        let mut keys = Vec::new();
        for (i, root) in self.roots.iter().enumerate() {
            let key = key(root, &format!("{margin}{INDENT}{INDENT}"));
            let place = || format!("{place}keys[{i}]");
            keys.push(key.map_err(|problem| Error::Bundle { place: place(), problem })?);
        }
        let keys = match keys.as_slice() {
            [] => "[]".to_string(),
            keys => format!("[\n{}\n{margin}{INDENT}]", keys.join(",\n")),
        };
        let mut members = Vec::from([format!("{margin}{INDENT}\"keys\": {keys}")]);
        let numbers = [("spiffe_sequence", self.sequence), ("spiffe_refresh_hint", refresh_hint)];
        for (name, number) in numbers {
            members.extend(number.map(|number| format!("{margin}{INDENT}\"{name}\": {number}")));
        }
        Ok(format!("{{\n{}\n{margin}}}", members.join(",\n")))
    }
}

/// Refuses a document that is too large.
pub(super) fn check_size(count: usize) -> Result<(), Error> {
    let what = || "bytes in a SPIFFE bundle".to_string();
    check(count, MAX_BYTES, what)
}

/// Refuses a list of too many keys.
fn check_count(count: usize, place: &str) -> Result<(), Error> {
    check(count, MAX_KEYS, || format!("items in `{place}` of a SPIFFE bundle"))
}

fn check(count: usize, limit: usize, what: impl Fn() -> String) -> Result<(), Error> {
    if count > limit { Err(Error::TooMany { what: what(), count, limit }) } else { Ok(()) }
}

/// How far Go indents a level.
pub(super) const INDENT: &str = "    ";

/// A root as a JSON Web Key whose braces are at `margin`. No text in it has to be escaped.
fn key(root: &Cert, margin: &str) -> Result<String, BundleProblem> {
    let subject = || root.subject().label();
    go::Certificate::try_from(root).map_err(|why| BundleProblem::Unreadable {
        subject: subject(),
        why: why.text.trim_start_matches("x509: ").to_string(),
    })?;
    let key = root.public_key();
    let members = jwk::members(key).ok_or_else(|| BundleProblem::KeyType {
        subject: subject(),
        found: key.algorithm().to_string(),
    })?;
    let mut text = format!("{margin}{{\n{margin}{INDENT}\"use\": \"x509-svid\",\n");
    for (name, value) in members {
        text += &format!("{margin}{INDENT}\"{name}\": \"{value}\",\n");
    }
    let der = STANDARD.encode(root.as_der());
    text += &format!("{margin}{INDENT}\"x5c\": [\n{margin}{INDENT}{INDENT}\"{der}\"\n");
    text += &format!("{margin}{INDENT}]\n{margin}}}");
    Ok(text)
}
