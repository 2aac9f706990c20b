//! SLH-DSA (FIPS 205): signatures made of hashes. Names and sections are those of the standard.

use alloc::vec::Vec;

use sha2::Digest as _;
use shake::digest::{ExtendableOutput, Update, XofReader};

use super::SignatureInput;
use crate::key::post_quantum::ParameterSet;

/// Section 11, table 2.
struct Parameters {
    hashes: Hashes,
    /// Octets of a node.
    n: usize,
    /// Layers of trees, each of height `h`.
    d: usize,
    h: usize,
    /// Height and number of the FORS trees.
    a: usize,
    k: usize,
}

/// Section 11.1 and 11.2.
#[derive(Clone, Copy)]
enum Hashes {
    Sha2,
    Shake,
}

/// Digits of a checksum of WOTS+; `lg_w` is 4 in every parameter set.
const CHECKSUM_DIGITS: usize = 3;
const LARGEST_DIGIT: u8 = 15;

/// Types of addresses, section 4.2.
const WOTS_HASH: u8 = 0;
const WOTS_PK: u8 = 1;
const TREE: u8 = 2;
const FORS_TREE: u8 = 3;
const FORS_ROOTS: u8 = 4;

impl Parameters {
    fn of(set: &ParameterSet) -> Option<Self> {
        let (family, size) = set.name.strip_prefix("SLH-DSA-")?.split_once('-')?;
        let hashes = if family == "SHA2" { Hashes::Sha2 } else { Hashes::Shake };
        let (n, d, h, a, k) = match size {
            "128s" => (16, 7, 9, 12, 14),
            "128f" => (16, 22, 3, 6, 33),
            "192s" => (24, 7, 9, 14, 17),
            "192f" => (24, 22, 3, 8, 33),
            "256s" => (32, 8, 8, 14, 22),
            "256f" => (32, 17, 4, 9, 35),
            _ => return None,
        };
        Some(Self { hashes, n, d, h, a, k })
    }

    /// Digits of a WOTS+ signature.
    const fn digits(&self) -> usize {
        2 * self.n + CHECKSUM_DIGITS
    }

    /// Octets of a message digest that choose leaves of the FORS trees, the tree, and its leaf.
    const fn digest_parts(&self) -> [usize; 3] {
        let tree_bits = self.h * (self.d - 1);
        [(self.k * self.a).div_ceil(8), tree_bits.div_ceil(8), self.h.div_ceil(8)]
    }
}

/// An address, section 4.2.
#[derive(Clone, Copy)]
struct Address([u8; 32]);

impl Address {
    /// In a tree of a layer.
    fn new(layer: usize, tree: u64) -> Self {
        let mut address = Self([0; 32]);
        address.word(0, layer);
        address.0[8..16].copy_from_slice(&tree.to_be_bytes());
        address
    }

    /// `setTypeAndClear`, then `setKeyPairAddress`.
    fn with(mut self, kind: u8, key_pair: usize) -> Self {
        self.0[16..].fill(0);
        self.0[19] = kind;
        self.word(20, key_pair);
        self
    }

    /// `setChainAddress` or `setTreeHeight`, then `setHashAddress` or `setTreeIndex`.
    fn at(mut self, chain_or_height: usize, index: usize) -> Self {
        self.word(24, chain_or_height);
        self.word(28, index);
        self
    }

    fn word(&mut self, at: usize, value: usize) {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        self.0[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// `ADRSc`, section 11.2.
    fn compressed(&self) -> [u8; 22] {
        let mut short = [0; 22];
        short[0] = self.0[3];
        short[1..9].copy_from_slice(&self.0[8..16]);
        short[9..].copy_from_slice(&self.0[19..]);
        short
    }
}

/// The hash functions of a key, which all start with its seed.
struct Tweaked<'a> {
    parameters: &'a Parameters,
    seed: &'a [u8],
    /// The state after the first block, which is the seed and zeros.
    sha256: sha2::Sha256,
    sha512: sha2::Sha512,
}

impl<'a> Tweaked<'a> {
    fn new(parameters: &'a Parameters, seed: &'a [u8]) -> Self {
        let first_block = |size: usize| [seed, &alloc::vec![0; size - seed.len()]].concat();
        Self {
            parameters,
            seed,
            sha256: sha2::Sha256::new_with_prefix(first_block(64)),
            sha512: sha2::Sha512::new_with_prefix(first_block(128)),
        }
    }

    /// `H_msg` of a message without context (section 9.3), with the randomness `r`.
    fn message(&self, r: &[u8], root: &[u8], message: &[u8]) -> Vec<u8> {
        let length = self.parameters.digest_parts().iter().sum();
        let parts = [r, self.seed, root, &[0, 0], message];
        match (self.parameters.hashes, self.parameters.n) {
            (Hashes::Shake, _) => shake256(&parts, length),
            (Hashes::Sha2, 16) => {
                let digest = sha2::Sha256::digest(parts.concat());
                mgf1::<sha2::Sha256>(&[r, self.seed, &digest].concat(), length)
            }
            (Hashes::Sha2, _) => {
                let digest = sha2::Sha512::digest(parts.concat());
                mgf1::<sha2::Sha512>(&[r, self.seed, &digest].concat(), length)
            }
        }
    }

    /// `F`, of one node.
    fn one(&self, address: &Address, node: &[u8]) -> Vec<u8> {
        match self.parameters.hashes {
            Hashes::Shake => self.shake(address, node),
            Hashes::Sha2 => self.truncated(self.sha256.clone(), address, node),
        }
    }

    /// `H` and `T_l`, of several nodes.
    fn many(&self, address: &Address, nodes: &[u8]) -> Vec<u8> {
        match (self.parameters.hashes, self.parameters.n) {
            (Hashes::Shake, _) => self.shake(address, nodes),
            (Hashes::Sha2, 16) => self.truncated(self.sha256.clone(), address, nodes),
            (Hashes::Sha2, _) => self.truncated(self.sha512.clone(), address, nodes),
        }
    }

    fn shake(&self, address: &Address, nodes: &[u8]) -> Vec<u8> {
        shake256(&[self.seed, &address.0, nodes], self.parameters.n)
    }

    fn truncated<D: sha2::Digest>(&self, state: D, address: &Address, nodes: &[u8]) -> Vec<u8> {
        let digest = state.chain_update(address.compressed()).chain_update(nodes).finalize();
        digest[..self.parameters.n].to_vec()
    }

    /// `chain` (algorithm 5), up to its end.
    fn chain(&self, address: &Address, digit: usize, from: u8, node: &[u8]) -> Vec<u8> {
        (from..LARGEST_DIGIT).fold(node.to_vec(), |node, step| {
            self.one(&address.at(digit, usize::from(step)), &node)
        })
    }

    /// From a leaf up to the root, by the nodes next to the path. `first` is the index of the leaf among all leaves of
    /// the trees side by side.
    fn climb(&self, address: &Address, first: usize, leaf: Vec<u8>, path: &[u8]) -> Vec<u8> {
        let nodes = path.chunks_exact(self.parameters.n).zip(1..);
        nodes.fold(leaf, |node, (sibling, height)| {
            let is_left = first >> (height - 1) & 1 == 0;
            let pair = if is_left { [&node, sibling] } else { [sibling, &node] };
            self.many(&address.at(height, first >> height), &pair.concat())
        })
    }

    /// `wots_pkFromSig` (algorithm 8).
    fn wots(&self, place: &Address, leaf: usize, signature: &[u8], message: &[u8]) -> Vec<u8> {
        let mut digits: Vec<u8> = message.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        let sum: u16 = digits.iter().map(|digit| u16::from(LARGEST_DIGIT - digit)).sum();
        let [high, low] = sum.to_be_bytes();
        digits.extend([high, low >> 4, low & 15]);
        let address = place.with(WOTS_HASH, leaf);
        let chains = signature.chunks_exact(self.parameters.n).zip(digits).enumerate();
        let ends = chains.flat_map(|(i, (node, digit))| self.chain(&address, i, digit, node));
        self.many(&place.with(WOTS_PK, leaf), &ends.collect::<Vec<_>>())
    }

    /// `xmss_pkFromSig` (algorithm 11).
    fn xmss(&self, place: &Address, leaf: usize, signature: &[u8], message: &[u8]) -> Vec<u8> {
        let (wots, path) = signature.split_at(self.parameters.digits() * self.parameters.n);
        let node = self.wots(place, leaf, wots, message);
        self.climb(&place.with(TREE, 0), leaf, node, path)
    }

    /// `fors_pkFromSig` (algorithm 17).
    fn fors(&self, place: &Address, leaf: usize, signature: &[u8], digest: &[u8]) -> Vec<u8> {
        let Parameters { n, a, k, .. } = *self.parameters;
        let address = place.with(FORS_TREE, leaf);
        let trees = signature.chunks_exact((a + 1) * n).take(k).enumerate();
        let roots = trees.flat_map(|(i, part)| {
            let (secret, path) = part.split_at(n);
            let first = (i << a) + bits(digest, i * a, a);
            let node = self.one(&address.at(0, first), secret);
            self.climb(&address, first, node, path)
        });
        self.many(&place.with(FORS_ROOTS, leaf), &roots.collect::<Vec<_>>())
    }
}

/// `count` bits from bit `start` on, the highest first (`base_2b`, algorithm 4).
fn bits(bytes: &[u8], start: usize, count: usize) -> usize {
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    (start..start + count).fold(0, |number, at| number << 1 | bit(at))
}

fn shake256(parts: &[&[u8]], length: usize) -> Vec<u8> {
    let mut hash = shake::Shake256::default();
    parts.iter().for_each(|part| hash.update(part));
    let mut out = alloc::vec![0; length];
    hash.finalize_xof().read(&mut out);
    out
}

/// MGF1 (RFC 8017 appendix B.2.1), for up to 49 octets.
fn mgf1<D: sha2::Digest>(seed: &[u8], length: usize) -> Vec<u8> {
    let blocks = (0u32..2).map(|i| D::new_with_prefix(seed).chain_update(i.to_be_bytes()));
    let mut mask: Vec<u8> = blocks.flat_map(|block| block.finalize().to_vec()).collect();
    mask.truncate(length);
    mask
}

/// Whether the signature is one of the message by the key (`slh_verify`, algorithms 20, 24 and 13), whose length fits
/// the parameter set.
pub(in crate::signature) fn check(set: &ParameterSet, signed: &SignatureInput<'_>) -> bool {
    let Some(parameters) = Parameters::of(set) else { return false };
    if signed.signature.len() != set.signature || signed.key.bits().len() != set.key {
        return false;
    }
    let Parameters { n, d, h, a, k, .. } = parameters;
    let (seed, root) = signed.key.bits().split_at(n);
    let (r, rest) = signed.signature.split_at(n);
    let (fors, layers) = rest.split_at(k * (a + 1) * n);
    let tweaked = Tweaked::new(&parameters, seed);

    let digest = tweaked.message(r, root, signed.message);
    let [leaves, tree_octets, _] = parameters.digest_parts();
    let (leaves, rest) = digest.split_at(leaves);
    let (tree_octets, leaf_octets) = rest.split_at(tree_octets);
    let number = |octets: &[u8]| octets.iter().fold(0u64, |n, octet| n << 8 | u64::from(*octet));
    let mut tree = number(tree_octets) & (u64::MAX >> (64 - h * (d - 1)));
    let mask = (1u64 << h) - 1;
    let index = |number: u64| usize::try_from(number & mask).unwrap_or_default();
    let mut leaf = index(number(leaf_octets));

    let mut node = tweaked.fors(&Address::new(0, tree), leaf, fors, leaves);
    for (layer, part) in layers.chunks_exact((parameters.digits() + h) * n).enumerate() {
        node = tweaked.xmss(&Address::new(layer, tree), leaf, part, &node);
        leaf = index(tree);
        tree >>= h;
    }
    node == root
}
