//! One screen per object, for people.

use std::fmt::Write as _;

use meshpki::x509::{AuthorityKeyId, Extensions, NameConstraints, RawExtension, RawTime};
use meshpki::{Cert, Csr, Name, Oid, PublicKey, SignatureCheck, Time};

use super::crl::Crl;
use super::{Item, Object, issued_previous, names, owners};
use crate::authority::is_self_signed;
use crate::text;

/// Entries of a CRL that are listed; the rest is counted.
const ENTRIES: usize = 20;
/// Width of the column of labels.
const LABEL: usize = 15;

/// Every object, an empty line between them.
pub(super) fn write(items: &[Item], at: Time) -> String {
    let sheets: Vec<String> = (0..items.len()).map(|i| sheet(items, i, at)).collect();
    sheets.join("\n")
}

fn sheet(items: &[Item], i: usize, at: Time) -> String {
    let item = &items[i];
    let mut sheet = Sheet::default();
    let place = place(item);
    match &item.object {
        Object::Certificate(cert) => {
            let kind = if cert.is_ca() { "CA certificate" } else { "certificate" };
            sheet.head(&place, kind);
            certificate(&mut sheet, cert, at);
            if let Some((previous, yes)) = issued_previous(items, i) {
                let verb = if yes { "issued" } else { "did NOT issue" };
                sheet.field(
                    "Chain",
                    &format!("{verb} the certificate before it, {}", self::place(previous)),
                );
            }
        }
        Object::Request(csr) => {
            sheet.head(&place, "certificate signing request");
            request(&mut sheet, csr);
        }
        Object::Crl(crl) => {
            sheet.head(&place, "certificate revocation list");
            revocation_list(&mut sheet, crl, at);
        }
        Object::PublicKey(key) => {
            sheet.head(&place, "public key");
            sheet.key(key);
        }
        Object::PrivateKey(Some(key)) => {
            sheet.head(&place, "private key; only the public part is shown");
            sheet.key(key);
            belongs_to(&mut sheet, items, key);
        }
        Object::PrivateKey(None) => {
            sheet.head(&place, "private key, encrypted");
            sheet.field(
                "Key",
                "unknown; `--passphrase-file` or `--passphrase-env` shows its public part",
            );
        }
        Object::Other(label) => {
            sheet.head(&place, &format!("a block of type `{}`, not decoded", text::safe(label)))
        }
        Object::Problem(problem) => {
            sheet.head(&place, &format!("PROBLEM: {}", text::safe(problem)))
        }
    }
    sheet.0
}

fn place(item: &Item) -> String {
    let file = text::safe(&item.file);
    let line = item.line.map(|line| format!(":{line}")).unwrap_or_default();
    let member = item.member.map(|(kind, number)| format!(", {kind} object {number}"));
    file + &line + &member.unwrap_or_default()
}

fn certificate(sheet: &mut Sheet, cert: &Cert, at: Time) {
    sheet.field("Subject", &name(cert.subject()));
    let issuer = match (cert.is_self_issued(), is_self_signed(cert)) {
        (true, true) => "itself (self-signed)".to_owned(),
        (true, false) => format!(
            "{} (the same name, but the certificate is not verifiably signed with its own key)",
            name(cert.issuer())
        ),
        _ => name(cert.issuer()),
    };
    sheet.field("Issuer", &issuer);
    sheet.field("Serial", &text::serial(cert.serial()));
    sheet.field("Valid from", &begin(cert.not_before(), at));
    sheet.field("Valid until", &end(cert.not_after(), at));
    sheet.key(cert.public_key());
    sheet.field("Fingerprint", &format!("sha256 {}", cert.fingerprint()));
    let extensions = cert.extensions();
    sheet.field("CA", &authority(extensions));
    usages(sheet, cert.raw_extensions(), extensions);
    if let Some(names) = &extensions.subject_alt_name {
        sheet.list("Names", names);
    }
    if let Some(id) = &extensions.subject_key_id {
        sheet.field("Key id", &text::key_id(id));
    }
    if let Some(id) = &extensions.authority_key_id {
        sheet.field("Issuer key id", &authority_key_id(id));
    }
    if let Some(constraints) = &extensions.name_constraints {
        sheet.list("Constraints", &subtrees(constraints));
    }
    sheet.list("Extensions", &others(cert.raw_extensions()));
    if extensions.invalid {
        sheet.field("UNSOUND", "an extension appears twice, cannot be decoded or has an invalid value: verifiers reject the certificate");
    }
    let algorithm = names::signature(cert.signature_algorithm());
    if cert.tbs_signature_algorithm() == cert.signature_algorithm() {
        sheet.field("Signature", &algorithm);
    } else {
        let inner = names::signature(cert.tbs_signature_algorithm());
        sheet.field(
            "Signature",
            &format!("{algorithm}, but the signed part says {inner} or gives other parameters"),
        );
    }
}

fn request(sheet: &mut Sheet, csr: &Csr) {
    sheet.field("Subject", &name(csr.subject()));
    sheet.key(csr.public_key());
    let names = csr.subject_alt_names();
    sheet.list("Names requested", &names);
    let asked: Vec<String> = csr.raw_extensions().iter().map(extension).collect();
    sheet.list("Extensions", &asked);
    let good = match csr.check_signature() {
        SignatureCheck::Good => "by its own key",
        SignatureCheck::Bad => "BAD: not by its own key",
        SignatureCheck::Undecided => "cannot be checked: unsupported algorithm",
    };
    sheet.field("Signature", &format!("{}, {good}", names::signature(csr.signature_algorithm())));
}

fn revocation_list(sheet: &mut Sheet, crl: &Crl, at: Time) {
    sheet.field("Issuer", &name(&crl.issuer));
    if let Some(number) = crl.number() {
        sheet.field("Number", &number);
    }
    sheet.field("This update", &begin(&crl.this_update, at));
    let next = crl.next_update.as_ref().map(|time| end(time, at));
    sheet.field("Next update", next.as_deref().unwrap_or("none"));
    sheet.field("Fingerprint", &format!("sha256 {}", crl.fingerprint));
    let mut lines: Vec<String> = crl
        .revoked
        .iter()
        .take(ENTRIES)
        .map(|entry| {
            let reason = entry.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
            format!("{} at {}{reason}", text::serial(&entry.serial), text::raw_time(&entry.at))
        })
        .collect();
    match crl.revoked.len() {
        0 => lines.push("none".to_owned()),
        count @ ENTRIES.. if count > ENTRIES => lines.push(format!("and {} more", count - ENTRIES)),
        _ => {}
    }
    sheet.list("Revoked", &lines);
    if let Some(id) = crl.authority_key_id() {
        sheet.field("Issuer key id", &id);
    }
    sheet.list("Extensions", &others(&crl.extensions));
    sheet.field("Signature", &names::signature(&crl.algorithm));
}

/// Whose key it is: the certificates and CSRs shown with it, or all of theirs, to compare.
fn belongs_to(sheet: &mut Sheet, items: &[Item], key: &PublicKey) {
    let owners: Vec<String> = owners(items, key).into_iter().map(place).collect();
    if !owners.is_empty() {
        sheet.list("Belongs to", &owners);
        return;
    }
    let others: Vec<String> = items
        .iter()
        .filter_map(|item| {
            let other = item.object.certified_key()?;
            Some(format!("NOT to {}, which has key sha256 {}", place(item), other.fingerprint()))
        })
        .collect();
    sheet.list("Belongs", &others);
}

fn name(name: &Name) -> String {
    if name.is_empty() { "(empty)".to_owned() } else { name.to_string() }
}

fn begin(raw: &RawTime, at: Time) -> String {
    match raw.time() {
        Some(time) if time > at => format!("{time} (NOT YET: {})", text::relative(time, at)),
        Some(time) => format!("{time} ({})", text::relative(time, at)),
        None => text::raw_time(raw),
    }
}

fn end(raw: &RawTime, at: Time) -> String {
    match raw.time() {
        Some(time) if time <= at => format!("{time} (EXPIRED {})", text::relative(time, at)),
        Some(time) => format!("{time} ({})", text::relative(time, at)),
        None => text::raw_time(raw),
    }
}

fn authority(extensions: &Extensions) -> String {
    match extensions.basic_constraints {
        None => "no (no basicConstraints)".to_owned(),
        Some(constraints) => {
            let length = match (constraints.ca, constraints.path_len) {
                (false, None) => "no".to_owned(),
                (true, None) => "yes, any number of CAs below it".to_owned(),
                (true, Some(0)) => "yes, path length 0: no CA below it".to_owned(),
                (ca, Some(n)) => format!("{}, path length {n}", if ca { "yes" } else { "no" }),
            };
            length + if constraints.critical { " (critical)" } else { "" }
        }
    }
}

fn usages(sheet: &mut Sheet, raw: &[RawExtension], extensions: &Extensions) {
    let critical = |oid: &Oid| {
        if raw.iter().any(|e| e.oid == *oid && e.critical) { " (critical)" } else { "" }
    };
    if let Some(usage) = extensions.key_usage {
        let names: Vec<&str> = usage.names().collect();
        sheet.field("Key usage", &(names.join(", ") + critical(&Oid::KEY_USAGE)));
    }
    if let Some(usages) = &extensions.ext_key_usage {
        let names: Vec<String> = usages.iter().map(names::name).collect();
        sheet.field("Extended usage", &(names.join(", ") + critical(&Oid::EXT_KEY_USAGE)));
    }
}

fn authority_key_id(id: &AuthorityKeyId) -> String {
    let key_id = id.key_id.as_ref().map(|id| text::key_id(id));
    let issuer = id.issuer.iter().flatten().map(|name| format!("issuer {name}"));
    let serial = id.serial.as_ref().map(|serial| format!("serial {}", text::serial(serial)));
    key_id.into_iter().chain(issuer).chain(serial).collect::<Vec<_>>().join(", ")
}

fn subtrees(constraints: &NameConstraints) -> Vec<String> {
    let permitted = constraints.permitted.iter().map(|tree| format!("only below {}", tree.base));
    let excluded = constraints.excluded.iter().map(|tree| format!("never below {}", tree.base));
    permitted.chain(excluded).collect()
}

/// The extensions that have no line of their own.
fn others(extensions: &[RawExtension]) -> Vec<String> {
    let shown = [
        Oid::BASIC_CONSTRAINTS,
        Oid::KEY_USAGE,
        Oid::EXT_KEY_USAGE,
        Oid::SUBJECT_ALT_NAME,
        Oid::SUBJECT_KEY_ID,
        Oid::AUTHORITY_KEY_ID,
        Oid::NAME_CONSTRAINTS,
        Oid::CRL_NUMBER,
    ];
    extensions.iter().filter(|e| !shown.contains(&e.oid)).map(extension).collect()
}

fn extension(extension: &RawExtension) -> String {
    names::name(&extension.oid) + if extension.critical { " (critical)" } else { "" }
}

/// A heading and lines of labelled values.
#[derive(Default)]
struct Sheet(String);

impl Sheet {
    fn head(&mut self, place: &str, kind: &str) {
        let _ = writeln!(self.0, "{place}: {kind}");
    }

    fn field(&mut self, label: &str, value: &str) {
        let _ = writeln!(self.0, "  {label:LABEL$} {value}");
    }

    /// A value per line, the label before the first; nothing at all for an empty list.
    fn list(&mut self, label: &str, values: &[impl std::fmt::Display]) {
        for (i, value) in values.iter().enumerate() {
            self.field(if i == 0 { label } else { "" }, &value.to_string());
        }
    }

    fn key(&mut self, key: &PublicKey) {
        self.field(
            "Key",
            &format!("{}, sha256 {}", names::key(key.algorithm()), key.fingerprint()),
        );
        if let Some(flaw) = key.flaw() {
            self.field("Key flaw", &format!("it protects nothing: {flaw}"));
        }
    }
}
