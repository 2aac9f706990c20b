//! The CSR file: `ca.json`, `intermediate-ca.json`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::{self, At, Fields, Kind, Notes, Shape, field, missing, unheeded};
use super::{Order, Outcome, Span, Trap, code, host, limits, needs_newer, outcome};
use crate::cert::{GeneralName, KeyUsage};
use crate::csr::Csr;
use crate::der::Tag;
use crate::error::Error;
use crate::key::{KeyAlgorithm, Signer};
use crate::name::{Attribute, Name};
use crate::oid::{self, Oid};
use crate::profile::{Profile, Role};
use crate::time::{HOUR, Time};

/// `csr/csr.go: CertificateRequest`.
const FILE: Shape = Shape {
    fields: &[
        field("CN", Kind::Text),
        field("names", Kind::List),
        field("hosts", Kind::List),
        field("key", Kind::Object),
        field("ca", Kind::Object),
        field("serialnumber", Kind::Text),
        missing("delegation_enabled", Kind::Flag),
        missing("extensions", Kind::List),
        unheeded("crl_url", Kind::Text),
    ],
    elsewhere: &[
        ("C", "an entry of `names`"),
        ("ST", "an entry of `names`"),
        ("L", "an entry of `names`"),
        ("O", "an entry of `names`"),
        ("OU", "an entry of `names`"),
        ("algo", "`key`"),
        ("size", "`key`"),
        ("expiry", "`ca`"),
        ("backdate", "`ca`"),
        ("pathlen", "`ca`"),
        ("pathlenzero", "`ca`"),
        ("is_ca", "`ca_constraint` of a profile of the signing configuration"),
        ("ca_constraint", "a profile of the signing configuration"),
        ("usages", "a profile of the signing configuration"),
        ("profile", "the command line: -profile"),
        ("signing", "a signing configuration, but this file is read as a CSR file"),
    ],
};

/// `csr/csr.go: Name`.
const NAME: Shape = Shape {
    fields: &[
        field("C", Kind::Text),
        field("ST", Kind::Text),
        field("L", Kind::Text),
        field("O", Kind::Text),
        field("OU", Kind::Text),
        field("E", Kind::Text),
        field("SerialNumber", Kind::Text),
        field("OID", Kind::Object),
    ],
    elsewhere: &[("CN", "the file itself, next to `names`")],
};

/// `csr/csr.go: KeyRequest`.
const KEY: Shape =
    Shape { fields: &[field("algo", Kind::Text), field("size", Kind::Number)], elsewhere: &[] };

/// `csr/csr.go: CAConfig`.
const CA: Shape = Shape {
    fields: &[
        field("pathlen", Kind::Number),
        field("pathlenzero", Kind::Flag),
        field("expiry", Kind::Text),
        field("backdate", Kind::Text),
    ],
    elsewhere: &[
        ("max_path_len", "a signing configuration; here it is \"pathlen\""),
        ("max_path_len_zero", "a signing configuration; here it is \"pathlenzero\""),
        ("is_ca", "a signing configuration; in a CSR file, only the `ca` section sets it"),
    ],
};

/// The attributes of `names`, in the order of Go (`crypto/x509/pkix/pkix.go: Name.ToRDNSequence`).
const ATTRIBUTES: [(&str, &[u8]); 5] = [
    ("C", oid::COUNTRY),
    ("ST", oid::STATE),
    ("L", oid::LOCALITY),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
];

/// RSA sizes of which a key can be made here.
const RSA_BITS: [i64; 4] = [2048, 3072, 4096, 8192];

/// A valid CSR file: the subject of the certificate, and its key.
///
/// It serves two ends: [`CsrFile::root`] is `cfssl gencert -initca`, [`CsrFile::request`] makes the CSR a
/// root is to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsrFile {
    subject: Name,
    hosts: Vec<GeneralName>,
    key: KeyAlgorithm,
    ca: Option<CaSection>,
    line: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CaSection {
    line: usize,
    path_len: Option<u32>,
    path_len_line: usize,
    expiry: Option<At<i64>>,
    backdate: i64,
}

/// What a CSR made of the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsrRequest {
    /// The subject.
    pub subject: Name,
    /// The subject alternative names.
    pub subject_alt_names: Vec<GeneralName>,
    /// A CA when the file has a `ca` section.
    pub role: Role,
}

impl CsrRequest {
    /// The CSR.
    ///
    /// # Errors
    /// `pki/unsupported-key`, `pki/sign`.
    pub fn create(&self, signer: &dyn Signer) -> Result<Csr, Error> {
        Csr::create(&self.subject, &self.subject_alt_names, self.role, signer)
    }
}

impl CsrFile {
    /// `initca/initca.go: CAPolicy`.
    const ROOT_NANOS: i64 = 43_800 * HOUR * 1_000_000_000;

    /// Reads a CSR file.
    ///
    /// # Errors
    /// The traps, when one of them is an error.
    pub fn parse(text: &str) -> Outcome<Self> {
        let value = json::parse(text).map_err(|trap| Vec::from([trap]))?;
        let mut notes = Notes::new(text);
        let line = notes.line(&value);
        let file = notes.object(&value, "the CSR file", &FILE);
        let file = file.map(|fields| Self {
            subject: subject(&fields, &mut notes),
            hosts: hosts(&fields, &mut notes),
            key: key(&fields, &mut notes),
            ca: ca(&fields, &mut notes),
            line,
        });
        let mut traps = notes.refused;
        traps.append(&mut notes.traps);
        match file {
            Some(file) => outcome(file, traps),
            None if traps.is_empty() => Err(Vec::from([no_subject(line)])),
            None => Err(traps),
        }
    }

    /// The subject as cfssl writes it: C, ST, L, O, OU, each one RDN with a value from every entry of
    /// `names`, then CN, the serial number, and what `OID` and `E` add.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The kind of key to make; without a `key` section ECDSA on P-256.
    #[must_use]
    pub const fn key_algorithm(&self) -> &KeyAlgorithm {
        &self.key
    }

    /// The type of key to generate.
    #[cfg(feature = "soft-keys")]
    #[must_use]
    pub fn key_type(&self) -> crate::KeyType {
        crate::KeyType::of(&self.key).unwrap_or_default()
    }

    /// The self-signed root `cfssl gencert -initca` makes: keyCertSign and cRLSign, five years or `ca.expiry`, the
    /// path length of `ca`; of `hosts` the IP addresses stay.
    ///
    /// # Errors
    /// `cfssl/self-signed-intermediate`, when the name says that this is not meant to be a root.
    pub fn root(&self, now: Time) -> Outcome<Order> {
        let mut traps = Vec::new();
        let ca = self.ca.clone().unwrap_or_default();
        if says_intermediate(&self.subject) {
            traps.push(Trap::error(
                code::SELF_SIGNED_INTERMEDIATE,
                self.line,
                format!(
                    "`{}` is named as an intermediate, but `gencert -initca` creates a self-signed root from it, and no chain leads to that root",
                    self.subject.label()
                ),
                "create a CSR from the file and have the root sign it",
            ));
        }
        if ca.path_len == Some(0) {
            traps.push(Trap::warning(
                code::ROOT_PATH_LEN,
                ca.path_len_line,
                "a root of path length 0 cannot sign the CA of a cluster".to_string(),
                "remove \"pathlen\" and \"pathlenzero\", or write \"pathlen\": 1 or more",
            ));
        }
        let (kept, dropped): (Vec<_>, Vec<_>) =
            self.hosts.iter().cloned().partition(|name| matches!(name, GeneralName::Ip(_)));
        traps.extend(super::sign::hosts_dropped(&dropped, self.line));
        let expiry = ca.expiry.map_or(Self::ROOT_NANOS, |expiry| expiry.value);
        let span = Span { expiry, backdate: ca.backdate, ..Span::default() };
        let (not_before, not_after) = span.at(now);
        let profile = Profile {
            extra_extensions: Vec::new(),
            subject: self.subject.clone(),
            validity: not_after.since(not_before),
            role: Role::Ca { path_len: ca.path_len },
            key_usage: KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN),
            ext_key_usage: Vec::new(),
            subject_alt_names: kept,
            subject_key_id: None,
            permitted_uri_hosts: Vec::new(),
        };
        outcome(Order { profile, not_before }, traps)
    }

    /// The CSR that is inside `cfssl genkey` and `cfssl gencert`, for a root to sign.
    ///
    /// With a `ca` section it asks for basicConstraints CA:TRUE; of that section only the path length counts.
    ///
    /// # Errors
    /// None today; the warnings are what it is called for.
    pub fn request(&self) -> Outcome<CsrRequest> {
        let mut traps = Vec::new();
        if let Some(ca) = &self.ca {
            traps.push(Trap::warning(
                code::CA_SECTION,
                ca.line,
                "with a `ca` section, cfssl creates a CSR only together with a self-signed certificate (-initca) \
                 and rejects the file otherwise"
                    .to_string(),
                "remove the section: the profile that signs the CSR says what the CA may do",
            ));
            traps.extend(ca.expiry.map(|expiry| {
                Trap::warning(
                    code::CA_EXPIRY_IGNORED,
                    expiry.line,
                    "`ca.expiry` applies only to the self-signed certificate of -initca; \
                     `sign` uses the expiry of its profile"
                        .to_string(),
                    "write the expiry into the profile that signs",
                )
            }));
        }
        let role = match &self.ca {
            Some(ca) => Role::Ca { path_len: ca.path_len },
            None => Role::EndEntity,
        };
        let subject_alt_names = self.hosts.clone();
        outcome(CsrRequest { subject: self.subject.clone(), subject_alt_names, role }, traps)
    }
}

/// `csr/csr.go: CertificateRequest.Name`, and Go's encoding of it.
fn subject(file: &Fields<'_>, notes: &mut Notes<'_>) -> Name {
    let common_name = file.text("CN");
    let mut rdns: [Vec<Attribute>; 5] = Default::default();
    let mut extra = Vec::new();
    let (mut blank, mut entries) = (false, 0);
    let list = file.value("names").and_then(|at| at.value.as_array());
    for value in list.map(|list| list.elements.as_slice()).unwrap_or_default() {
        let Some(entry) = notes.object(value, "an entry of `names`", &NAME) else { continue };
        let mut empty = true;
        for (rdn, (name, oid)) in rdns.iter_mut().zip(ATTRIBUTES) {
            if let Some(text) = entry.text(name) {
                empty &= text.value.trim().is_empty();
                rdn.push(attribute(oid, text, notes));
            }
        }
        extra.extend(extra_attributes(&entry, notes));
        blank |= empty;
        entries += 1;
    }
    if common_name.is_none() && (blank || entries == 0) {
        notes.traps.push(no_subject(file.line));
    }
    if rdns.iter().any(|rdn| rdn.len() > 1) {
        let line = file.value("names").map_or(file.line, |at| at.line);
        notes.traps.push(Trap::warning(
            code::MULTI_VALUED_NAME,
            line,
            "if several entries of `names` have the same attribute, cfssl puts its values into one RDN, in byte order"
                .to_string(),
            "write one entry, with each attribute once",
        ));
    }
    let mut rdns = Vec::from(rdns);
    rdns.extend(common_name.map(|text| Vec::from([attribute(oid::COMMON_NAME, text, notes)])));
    let serial = file.text("serialnumber");
    rdns.extend(serial.map(|text| Vec::from([attribute(oid::SERIAL_NUMBER, text, notes)])));
    rdns.extend(extra.into_iter().map(|attribute| Vec::from([attribute])));
    Name::from_rdns(rdns.iter().map(Vec::as_slice))
}

fn no_subject(line: usize) -> Trap {
    Trap::error(
        code::NO_SUBJECT,
        line,
        "neither `CN` nor `names` sets a subject: cfssl says \"missing subject information\""
            .to_string(),
        "write \"CN\"",
    )
}

/// What `OID` and `E` of an entry add, and a word on `SerialNumber`, which no cfssl reads.
fn extra_attributes(entry: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<Attribute> {
    let mut extra = Vec::new();
    let list = entry.value("OID").and_then(|at| at.value.as_object());
    for (dotted, value) in list.map(|list| notes.entries(list)).unwrap_or_default() {
        let text = At { value: value.as_string_lit(), line: notes.line(value) };
        match (oid::parse_dotted(dotted), text.value) {
            (Some(oid), _) if is_common(&oid) => notes.traps.push(Trap::error(
                code::SUBJECT,
                text.line,
                format!("`{dotted}` in `OID` is an attribute with a field of its own: cfssl puts it in different positions in the CSR and in the certificate"),
                "use the field of that name, such as \"O\"",
            )),
            (Some(oid), Some(value)) => {
                extra.push(attribute(
                    &oid,
                    At { value: value.value.as_ref(), line: text.line },
                    notes,
                ));
                notes.traps.push(needs_newer("`OID` in `names`", text.line, "leaves it out"));
            }
            (None, _) => notes.traps.push(Trap::error(
                code::SUBJECT,
                text.line,
                format!("`{dotted}` is not an object identifier: cfssl rejects it"),
                "write numbers with dots between them, such as \"2.5.4.12\"",
            )),
            (_, None) => notes.traps.push(Trap::error(
                code::TYPE,
                text.line,
                format!("`{dotted}` in `OID` is not a string: cfssl rejects the file"),
                "put it in quotes",
            )),
        }
    }
    if let Some(text) = entry.text("E") {
        extra.push(attribute(oid::EMAIL_ADDRESS, text, notes));
        notes.traps.push(needs_newer("`E` in `names`", text.line, "leaves it out"));
    }
    if let Some(text) = entry.text("SerialNumber") {
        notes.traps.push(Trap::warning(
            code::NAME_SERIAL_NUMBER,
            text.line,
            "cfssl reads `SerialNumber` in an entry of `names` but never uses it".to_string(),
            "write \"serialnumber\" next to \"CN\" if the subject should have it",
        ));
    }
    extra
}

/// The attributes Go's `pkix.Name` has fields for (`signer/signer.go: isCommonAttr`).
fn is_common(oid: &[u8]) -> bool {
    matches!(oid, [0x55, 4, 3 | 5..=11 | 17])
}

/// An attribute with the string type Go chooses, which is PrintableString or UTF8String for every type.
fn attribute(oid: &[u8], text: At<&str>, notes: &mut Notes<'_>) -> Attribute {
    let tag: Tag = Attribute::new(Oid::COMMON_NAME, text.value).tag;
    let attribute = Attribute { oid: Oid::of(oid), tag, value: text.value.as_bytes().to_vec() };
    if let Err(error) = Name::new(core::slice::from_ref(&attribute)).check_bounds() {
        notes.traps.push(Trap::error(
            code::SUBJECT,
            text.line,
            format!("{error}; cfssl writes it anyway, but other tools reject the certificate"),
            "shorten or correct it (RFC 5280 appendix A.1)",
        ));
    }
    attribute
}

fn hosts(file: &Fields<'_>, notes: &mut Notes<'_>) -> Vec<GeneralName> {
    let mut names = Vec::new();
    for text in notes.texts(file.value("hosts"), "`hosts`") {
        let name = host::name(text.value).map_err(|why| {
            Trap::error(
                code::HOST,
                text.line,
                format!(
                    "`{}` is not a host name, IP address, email address or URI: {why}",
                    text.value
                ),
                "write one name per entry",
            )
        });
        if matches!(name, Ok(GeneralName::Uri(_))) {
            notes.traps.push(needs_newer("a URI in `hosts`", text.line, "writes it as a DNS name"));
        }
        names.extend(notes.keep(name));
    }
    names.sort_by_key(host::rank);
    names
}

/// `csr/csr.go: KeyRequest.Generate`. A `key` section with one of its two fields keeps the other's default.
fn key(file: &Fields<'_>, notes: &mut Notes<'_>) -> KeyAlgorithm {
    let section = file.value("key").and_then(|at| notes.object(at.value, "`key`", &KEY));
    let Some(section) = section else { return KeyAlgorithm::EcdsaP256 };
    let algo = section.value("algo").and_then(|at| at.value.as_string_lit());
    let algo = algo.map_or("ecdsa", |text| text.value.as_ref());
    let size = section.number("size");
    let line = size.map_or(section.line, |size| size.line);
    let size = size.map_or(256, |size| size.value);
    if algo == "ed25519" {
        notes.traps.push(needs_newer("an Ed25519 key", line, "rejects it"));
    }
    notes.keep(key_algorithm(algo, size, line)).unwrap_or(KeyAlgorithm::EcdsaP256)
}

fn key_algorithm(algo: &str, size: i64, line: usize) -> Result<KeyAlgorithm, Trap> {
    let bad = |what: String| {
        Err(Trap::error(
            code::KEY,
            line,
            what,
            "write \"ecdsa\" with 256, 384 or 521, \"rsa\" with 2048, 3072, 4096 or 8192, or \"ed25519\"",
        ))
    };
    match (algo, size) {
        ("ecdsa", 256) => Ok(KeyAlgorithm::EcdsaP256),
        ("ecdsa", 384) => Ok(KeyAlgorithm::EcdsaP384),
        ("ecdsa", 521) => Ok(KeyAlgorithm::EcdsaP521),
        ("ed25519", _) => Ok(KeyAlgorithm::Ed25519),
        ("rsa", ..2048) => bad(format!("rsa {size}: cfssl says \"RSA key is too weak\"")),
        ("rsa", 8193..) => bad(format!("rsa {size}: cfssl says \"RSA key size too large\"")),
        ("rsa", bits) if RSA_BITS.contains(&bits) => {
            Ok(KeyAlgorithm::Rsa { bits: usize::try_from(bits).unwrap_or(0) })
        }
        ("rsa", bits) => bad(format!("rsa {bits}: cfssl creates such keys, but meshctl does not")),
        ("ecdsa", _) => bad(format!("ecdsa {size}: cfssl says \"invalid curve\"")),
        _ => bad(format!("`{algo}` is not a key algorithm: cfssl says \"invalid algorithm\"")),
    }
}

fn ca(file: &Fields<'_>, notes: &mut Notes<'_>) -> Option<CaSection> {
    let section = file.value("ca").and_then(|at| notes.object(at.value, "`ca`", &CA))?;
    let given = section.number("pathlen");
    let path_len =
        limits::path_len(given, section.flag("pathlenzero"), ["pathlen", "pathlenzero"], notes);
    let backdate = section.text("backdate");
    if let Some(backdate) = backdate {
        notes.traps.push(needs_newer("`ca.backdate`", backdate.line, "uses five minutes"));
    }
    Some(CaSection {
        line: section.line,
        path_len,
        path_len_line: given.map_or(section.line, |given| given.line),
        expiry: limits::expiry("`ca.expiry`", section.text("expiry"), notes),
        backdate: limits::backdate("`ca.backdate`", backdate, notes),
    })
}

/// Whether the name says "intermediate" and nowhere "root".
fn says_intermediate(subject: &Name) -> bool {
    let words = subject.rdns().concat().iter().filter_map(Attribute::text).collect::<Vec<_>>();
    let has = |word: &str| words.iter().any(|text| text.to_lowercase().contains(word));
    has("intermediate") && !has("root")
}
