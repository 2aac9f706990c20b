//! The names of key usages and extended key usages.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::cert::KeyUsage;
use crate::oid::{self, Oid, OidBytes};

/// `config/config.go: KeyUsage`.
const KEY_USAGES: [(&str, KeyUsage); 10] = [
    ("signing", KeyUsage::DIGITAL_SIGNATURE),
    ("digital signature", KeyUsage::DIGITAL_SIGNATURE),
    ("content commitment", KeyUsage::NON_REPUDIATION),
    ("key encipherment", KeyUsage::KEY_ENCIPHERMENT),
    ("key agreement", KeyUsage::KEY_AGREEMENT),
    ("data encipherment", KeyUsage::DATA_ENCIPHERMENT),
    ("cert sign", KeyUsage::KEY_CERT_SIGN),
    ("crl sign", KeyUsage::CRL_SIGN),
    ("encipher only", KeyUsage::ENCIPHER_ONLY),
    ("decipher only", KeyUsage::DECIPHER_ONLY),
];

/// `config/config.go: ExtKeyUsage`.
const EXT_KEY_USAGES: [(&str, &OidBytes); 13] = [
    ("any", oid::EKU_ANY),
    ("server auth", oid::EKU_SERVER_AUTH),
    ("client auth", oid::EKU_CLIENT_AUTH),
    ("code signing", oid::EKU_CODE_SIGNING),
    ("email protection", oid::EKU_EMAIL_PROTECTION),
    ("s/mime", oid::EKU_EMAIL_PROTECTION),
    ("ipsec end system", oid::EKU_IPSEC_END_SYSTEM),
    ("ipsec tunnel", oid::EKU_IPSEC_TUNNEL),
    ("ipsec user", oid::EKU_IPSEC_USER),
    ("timestamping", oid::EKU_TIME_STAMPING),
    ("ocsp signing", oid::EKU_OCSP_SIGNING),
    ("microsoft sgc", oid::EKU_MS_SGC),
    ("netscape sgc", oid::EKU_NS_SGC),
];

/// What one name of `usages` stands for.
pub(super) enum Usage {
    Key(KeyUsage),
    Extended(Oid),
}

/// The usage of that name; case and spaces count.
pub(super) fn named(name: &str) -> Option<Usage> {
    let key = KEY_USAGES.iter().find(|(known, _)| *known == name);
    let extended = || EXT_KEY_USAGES.iter().find(|(known, _)| *known == name);
    key.map(|(_, bits)| Usage::Key(*bits))
        .or_else(|| extended().map(|(_, oid)| Usage::Extended(Oid::of_static(oid))))
}

/// Every name there is.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEY_USAGES.iter().map(|(name, _)| *name).chain(EXT_KEY_USAGES.iter().map(|(name, _)| *name))
}

/// The candidate a misspelt word most likely stands for: letter case and punctuation apart, no more than a
/// third of it is wrong; among equals the one that begins alike.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let letters = |text: &str| -> Vec<char> {
        let text: String = text.chars().take(64).collect();
        text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
    };
    let word = letters(word);
    let common = |other: &[char]| word.iter().zip(other).take_while(|(a, b)| a == b).count();
    candidates
        .into_iter()
        .map(|candidate| (candidate, letters(candidate)))
        .map(|(name, other)| (distance(&word, &other), other, name))
        .filter(|(wrong, other, _)| wrong * 3 <= word.len().max(other.len()))
        .min_by_key(|(wrong, other, _)| (*wrong, Reverse(common(other))))
        .map(|(_, _, name)| name)
}

/// How many letters must be added, removed or replaced to turn one word into the other (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = core::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let best = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = core::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}
