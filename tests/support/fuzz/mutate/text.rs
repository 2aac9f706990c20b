//! Changes to text: words of a dictionary, lines as a list, indentation.

use std::sync::LazyLock;

use super::{GROWTH, bytes, repeats};
use crate::random::Random;

/// Words of a kind of text, as libFuzzer's dictionaries have them.
pub struct Dictionary {
    /// The file in `fuzz/dictionaries`, without its ending.
    pub name: &'static str,
    words: LazyLock<Vec<Vec<u8>>>,
}

impl Dictionary {
    /// The words.
    #[must_use]
    pub fn words(&self) -> &[Vec<u8>] {
        &self.words
    }
}

macro_rules! dictionary {
    ($what:literal, $name:ident, $file:literal) => {
        #[doc = $what]
        pub static $name: Dictionary = Dictionary {
            name: $file,
            words: LazyLock::new(|| {
                words(include_str!(concat!("../../../../fuzz/dictionaries/", $file, ".dict")))
            }),
        };
    };
}

dictionary!("Markers, labels and headers.", PEM, "pem");
dictionary!("Identifier octets, OIDs and values, for libFuzzer's own changes.", DER, "der");
dictionary!(
    "Fields and values of mesh specs, Istio's resources and mesh configuration.",
    YAML,
    "yaml"
);
dictionary!("Fields and values of kubeconfigs.", KUBECONFIG, "kubeconfig");
dictionary!("Members and values of SPIFFE bundles.", BUNDLE, "bundle");
dictionary!("URLs, statuses and places of redirects.", ENDPOINT, "endpoint");
dictionary!("Fields of Envoy's and ztunnel's dumps.", PROXIES, "proxies");
dictionary!("Fields and values of cfssl's files.", CFSSL, "cfssl");
dictionary!("Plugins and braces of Corefiles, and entries of stub domains.", COREFILE, "corefile");
dictionary!("Answers of signers, and attributes of PKCS#11 URIs.", SIGNER, "signer");
dictionary!("Options of `openssl verify`, and values.", OPTIONS, "options");
dictionary!("What would end a text or an attribute of a page.", HTML, "html");
dictionary!("Names, times, durations, trust domains.", NAMES, "names");

/// The words of a dictionary file: one in quotes a line, `\xNN`, `\\` and `\"` inside.
fn words(text: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.split_once('"')?.1.rsplit_once('"')?.0.to_owned());
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(quoted)
        .map(|w| unquoted(&w))
        .collect()
}

fn unquoted(word: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap_or(0)).unwrap_or(0);
    let mut out = Vec::new();
    let mut bytes = word.as_bytes();
    loop {
        bytes = match bytes {
            [] => return out,
            [b'\\', b'x', high, low, rest @ ..] => {
                out.push(digit(*high) << 4 | digit(*low));
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
}

/// `data` after a few changes.
#[must_use]
pub fn edited(
    random: &mut Random,
    data: &[u8],
    dictionary: &Dictionary,
    donors: &[Vec<u8>],
) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(3) {
        data = match random.below(8) {
            0..4 => words_in(random, &data, dictionary.words()),
            4..7 => lines_of(random, &data, donors),
            _ => bytes(random, &data),
        };
    }
    data
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'*') || byte >= 0x80
}

/// A word put in, or in the place of another; a word that is there already counts too.
fn words_in(random: &mut Random, data: &[u8], dictionary: &[Vec<u8>]) -> Vec<u8> {
    let own: Vec<&[u8]> =
        data.split(|byte| !is_word(*byte)).filter(|word| !word.is_empty()).collect();
    let word = match random.below(4) {
        0 if !own.is_empty() => random.pick(&own).to_vec(),
        1 => number(random),
        _ => random.pick(dictionary),
    };
    let word = word.repeat(if random.one_in(20) { repeats(random) } else { 1 });
    let at = random.below(data.len() + 1);
    let start = data[..at].iter().rposition(|byte| !is_word(*byte)).map_or(0, |place| place + 1);
    let end = data[at..].iter().position(|byte| !is_word(*byte)).map_or(data.len(), |len| at + len);
    let mut out = data.to_vec();
    match random.below(3) {
        0 => drop(out.splice(at..at, word)),
        1 => drop(out.splice(start..start, word)),
        _ => drop(out.splice(start..end, word)),
    }
    out
}

fn number(random: &mut Random) -> Vec<u8> {
    let edges = [0, 1, 100, 101, 255, 65_535, 65_536, 2_147_483_648, u64::MAX / 2, u64::MAX];
    let number = if random.one_in(2) { random.pick(&edges) } else { random.below(1000) as u64 };
    (if random.one_in(8) { format!("-{number}") } else { number.to_string() }).into_bytes()
}

/// Lines lost, doubled, swapped, moved in or out, or taken from another text.
fn lines_of(random: &mut Random, data: &[u8], donors: &[Vec<u8>]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> =
        data.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return data.to_vec();
    }
    let at = random.below(lines.len());
    let end = (at + 1 + random.below(6)).min(lines.len());
    match random.below(8) {
        0 => drop(lines.drain(at..end)),
        1 => {
            let block = lines[at..end].to_vec();
            let size = block.concat().len().max(1);
            let times = repeats(random).min(GROWTH / size + 1);
            (0..times).for_each(|_| drop(lines.splice(at..at, block.iter().cloned())));
        }
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3 => lines[at..end].iter_mut().for_each(|line| drop(line.splice(0..0, *b"  "))),
        4 => lines[at..end]
            .iter_mut()
            .filter(|line| line.starts_with(b"  "))
            .for_each(|line| drop(line.drain(..2))),
        5 => {
            let kept = random.below(lines[at].len().max(1));
            lines[at].truncate(kept);
        }
        6 if !donors.is_empty() => {
            let donor = &donors[random.below(donors.len())];
            let more: Vec<&[u8]> = donor.split_inclusive(|byte| *byte == b'\n').collect();
            let from = random.below(more.len().max(1)).min(more.len());
            let upto = (from + 1 + random.below(6)).min(more.len());
            lines.splice(at..at, more[from..upto.max(from)].iter().map(|line| line.to_vec()));
        }
        _ => {
            let block: Vec<Vec<u8>> = lines.drain(at..end).collect();
            let to = random.below(lines.len() + 1);
            lines.splice(to..to, block);
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_read_as_libfuzzer_reads_them() {
        assert_eq!(words("# none\n\"a\\x00b\"\nname=\"\\\"\\\\\"\n\n"), [&b"a\0b"[..], b"\"\\"]);
        for dictionary in [
            &PEM,
            &DER,
            &YAML,
            &KUBECONFIG,
            &BUNDLE,
            &ENDPOINT,
            &PROXIES,
            &CFSSL,
            &COREFILE,
            &SIGNER,
            &OPTIONS,
            &NAMES,
            &HTML,
        ] {
            assert!(dictionary.words().len() > 10, "{}", dictionary.name);
        }
    }
}
