//! Changes to PEM text: one block's content as a tree, blocks as a list, the armour as text.

use meshpki::internals::der::Reader;
use meshpki::internals::pem;

use super::{GROWTH, bytes, der, repeats, text};
use crate::random::Random;

/// `data` after a change; a block that is changed is encoded again.
#[must_use]
pub fn edited(random: &mut Random, data: &[u8], donors: &[Vec<u8>]) -> Vec<u8> {
    let mut pieces = pieces(data);
    let blocks: Vec<usize> = (0..pieces.len()).filter(|i| pieces[*i].is_block()).collect();
    if blocks.is_empty() || random.one_in(10) {
        return text::edited(random, data, &text::PEM, donors);
    }
    let at = random.pick(&blocks);
    match random.below(12) {
        0 => drop(pieces.remove(at)),
        1 => pieces.swap(at, random.pick(&blocks)),
        2 => {
            let copy = pieces[at].clone();
            let times = repeats(random).min(GROWTH / copy.0.len().max(1) + 1);
            pieces.splice(at..at, std::iter::repeat_n(copy, times));
        }
        3 if !donors.is_empty() => {
            let donor = self::pieces(&donors[random.below(donors.len())]);
            let donor = donor.into_iter().filter(Piece::is_block).collect::<Vec<_>>();
            if !donor.is_empty() {
                pieces.insert(at, random.pick(&donor));
            }
        }
        4 => pieces[at].relabel(random),
        5 => pieces[at] = Piece(bytes(random, &pieces[at].0)),
        _ => pieces[at].rewrite(random),
    }
    pieces.into_iter().flat_map(|piece| piece.0).collect()
}

/// A block with its markers, or the text between two.
#[derive(Clone)]
struct Piece(Vec<u8>);

/// Labels that some program knows.
const LABELS: &[&str] = &[
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "X509 CRL",
    "CERTIFICATE REQUEST",
    "NEW CERTIFICATE REQUEST",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "EC PRIVATE KEY",
    "EC PARAMETERS",
    "RSA PRIVATE KEY",
    "DSA PRIVATE KEY",
    "Ed25519 PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "PUBLIC KEY",
    "PKCS7",
];

fn pieces(data: &[u8]) -> Vec<Piece> {
    let mut pieces = vec![Piece(Vec::new())];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"-----BEGIN ") {
            pieces.push(Piece(Vec::new()));
        }
        let is_end = line.starts_with(b"-----END ");
        if let Some(last) = pieces.last_mut() {
            last.0.extend_from_slice(line);
        }
        if is_end {
            pieces.push(Piece(Vec::new()));
        }
    }
    pieces
}

impl Piece {
    fn is_block(&self) -> bool {
        self.0.starts_with(b"-----BEGIN ")
    }

    fn relabel(&mut self, random: &mut Random) {
        if let Some(Ok(block)) = pem::decode(&self.0).first() {
            self.0 = pem::encode(random.pick(LABELS), &block.der).into_bytes();
        }
    }

    /// The content as a tree, changed; headers are lost.
    fn rewrite(&mut self, random: &mut Random) {
        if let Some(Ok(block)) = pem::decode(&self.0).first() {
            let content = match Reader::new(&block.der).any() {
                Ok(_) => der::edited(random, &block.der, &[]),
                Err(_) => bytes(random, &block.der),
            };
            self.0 = pem::encode(&block.label, &content).into_bytes();
        }
    }
}
