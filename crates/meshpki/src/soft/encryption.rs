//! Undoing the encryption of keys and containers, from OpenSSL 0.9's to today's, within bounds on the work.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use des::{Des, TdesEde2, TdesEde3};
use pkcs8::der::Decode;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use rc2::Rc2;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::pkcs12_kdf::{Use, derive, or_empty};
use crate::der::{self, Reader, Tlv};
use crate::error::KeyProblem;
use crate::oid;

/// The work that a file may ask for: it states the numbers, and could ask for years.
#[derive(Clone, Debug)]
pub struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    /// Rounds of a digest that take seconds: OpenSSL writes 2,048, Java 10,000, and OWASP asks for at most 1,300,000.
    pub const ROUNDS: u64 = 10_000_000;
    /// What scrypt may need.
    const BYTES: u64 = 256 << 20;

    /// A budget of `limit` rounds for everything in a file together.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { left: limit, limit }
    }

    /// Takes the work off the budget.
    pub(super) fn spend(&mut self, rounds: u64) -> Result<(), KeyProblem> {
        let Some(left) = self.left.checked_sub(rounds) else {
            let (spent, limit) = (self.limit - self.left, self.limit);
            let words = match spent {
                0 => alloc::format!("{rounds} rounds of a digest, more than {limit}"),
                _ => alloc::format!(
                    "{rounds} rounds of a digest after {spent} for what precedes it, together more than {limit}"
                ),
            };
            return Err(KeyProblem::Cost(words.into()));
        };
        self.left = left;
        Ok(())
    }

    /// Runs two trials, each with the whole of what is left: a file that pays for one pays for both.
    pub(super) fn try_both<T>(
        &mut self,
        mut trial: impl FnMut(&mut Self, bool) -> Result<T, KeyProblem>,
        goes_on: bool,
    ) -> Result<T, KeyProblem> {
        let mut second = self.clone();
        let first = trial(self, false);
        if !goes_on || !matches!(first, Err(KeyProblem::WrongPassphrase)) {
            return first;
        }
        let answer = trial(&mut second, true);
        self.left = self.left.min(second.left);
        answer
    }

    fn spend_on(&mut self, kdf: &Kdf) -> Result<(), KeyProblem> {
        match kdf {
            Kdf::Pbkdf2(parameters) => self.spend(parameters.iteration_count.into()),
            Kdf::Scrypt(parameters) => {
                let (n, r, p) = (
                    parameters.cost_parameter,
                    u64::from(parameters.block_size),
                    u64::from(parameters.parallelization),
                );
                if n > 1 && p <= 16 && n.saturating_mul(r).saturating_mul(128) <= Self::BYTES {
                    // One block of 128 bytes takes as long as a round of PBKDF2 with a digest.
                    return self.spend(n.saturating_mul(r).saturating_mul(p));
                }
                Err(KeyProblem::Cost(
                    alloc::format!("scrypt with N={n}, r={r}, p={p}, more than 256 MiB or p=16")
                        .into(),
                ))
            }
            _ => {
                Err(KeyProblem::Encryption("a key derivation other than PBKDF2 and scrypt".into()))
            }
        }
    }
}

/// `pkcs-12PbeIds`, RFC 7292 appendix C: 1.2.840.113549.1.12.1, without the last octet.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
/// PBES2, RFC 8018 appendix A.4.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];

/// Decrypts by an AlgorithmIdentifier: PBES2 (RFC 8018) and the schemes of PKCS#12 (RFC 7292 appendix C).
pub(super) fn decrypt(
    scheme: &Tlv<'_>,
    encrypted: &[u8],
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let mut parts = scheme.reader();
    let algorithm = parts.expect(der::OID, "an encryption scheme does not begin with its OID")?;
    let plain = match algorithm.content {
        PBES2 => pbes2(&mut parts, encrypted, passphrase, budget),
        other => match other.strip_prefix(PKCS12_PBE) {
            Some([number]) => pkcs12(*number, &mut parts, encrypted, passphrase, budget),
            _ => Err(KeyProblem::Encryption(oid::dotted(other).into())),
        },
    }?;
    check_plain(plain)
}

/// A wrong passphrase leaves good padding once in 256 times; keys and bags are SEQUENCEs.
fn check_plain(plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let is_whole = Reader::new(&plain).any().is_ok_and(|outer| outer.tag == der::SEQUENCE);
    if is_whole { Ok(plain) } else { Err(KeyProblem::WrongPassphrase) }
}

fn pbes2(
    parts: &mut Reader<'_>,
    encrypted: &[u8],
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let unknown = |why: &dyn core::fmt::Display| {
        KeyProblem::Encryption(alloc::format!("PBES2 with other parameters: {why}").into())
    };
    let parameters = parts.any()?;
    let parameters = Parameters::from_der(parameters.raw).map_err(|why| unknown(&why))?;
    budget.spend_on(&parameters.kdf)?;
    let passphrase = or_empty(passphrase);
    let mut buffer = Zeroizing::new(encrypted.to_vec());
    match parameters.decrypt_in_place(passphrase, &mut buffer) {
        Ok(plain) => Ok(Zeroizing::new(plain.to_vec())),
        Err(pkcs8::pkcs5::Error::DecryptFailed) => Err(KeyProblem::WrongPassphrase),
        Err(why) => Err(unknown(&why)),
    }
}

/// pkcs-12PbeParams: salt and iterations.
fn pkcs12(
    number: u8,
    parts: &mut Reader<'_>,
    encrypted: &[u8],
    passphrase: &[u8],
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let (key_length, iv_length) = match number {
        3 => (24, 8),
        4 | 5 => (16, 8),
        6 => (5, 8),
        1 => return Err(KeyProblem::Encryption("RC4 with 128 bits".into())),
        2 => return Err(KeyProblem::Encryption("RC4 with 40 bits".into())),
        other => {
            let name = oid::dotted(&[PKCS12_PBE, &[other]].concat());
            return Err(KeyProblem::Encryption(name.into()));
        }
    };
    let mut parameters =
        parts.expect(der::SEQUENCE, "an encryption scheme without its salt")?.reader();
    let salt = parameters.expect_octets(der::OCTET_STRING, "a salt is not an OCTET STRING")?;
    let rounds = iterations(&mut parameters)?;
    // Two digests for a key of 24 octets, one for the IV.
    budget.spend(rounds.saturating_mul(3))?;
    let key = derive::<Sha1>(passphrase, &salt, Use::Key, rounds, key_length);
    let iv = derive::<Sha1>(passphrase, &salt, Use::Iv, rounds, iv_length);
    match number {
        3 => cbc::<TdesEde3>(&key, &iv, encrypted),
        4 => cbc::<TdesEde2>(&key, &iv, encrypted),
        _ => cbc::<Rc2>(&key, &iv, encrypted),
    }
}

/// A count of iterations, at least one.
pub(super) fn iterations(parts: &mut Reader<'_>) -> Result<u64, KeyProblem> {
    let number = parts.expect(der::INTEGER, "the number of iterations is not an INTEGER")?;
    let significant = &number.content[number.content.iter().take_while(|b| **b == 0).count()..];
    let is_negative = number.content.first().is_none_or(|first| first & 0x80 != 0);
    if is_negative || significant.is_empty() {
        return Err(KeyProblem::Malformed(number.error("the number of iterations is below 1")));
    }
    if significant.len() > 8 {
        return Err(KeyProblem::Cost("more rounds of a digest than fit into 64 bits".into()));
    }
    Ok(significant.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn cbc<C>(key: &[u8], iv: &[u8], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyProblem>
where
    C: BlockCipherDecrypt + KeyInit,
    Decryptor<C>: KeyIvInit + BlockModeDecrypt,
{
    let mut buffer = Zeroizing::new(encrypted.to_vec());
    let cipher = <Decryptor<C> as KeyIvInit>::new_from_slices(key, iv);
    let cipher = cipher
        .ok()
        .ok_or_else(|| KeyProblem::Encryption("a key or IV of another length".into()))?;
    let plain = cipher.decrypt_padded::<Pkcs7>(&mut buffer);
    Ok(Zeroizing::new(plain.ok().ok_or(KeyProblem::WrongPassphrase)?.to_vec()))
}

/// Decrypts a key by the headers of its PEM block (RFC 1421 section 4.6, `crypto/pem/pem_lib.c: PEM_do_header`); its
/// passphrase becomes a key by one round of MD5 (`crypto/evp/evp_key.c: EVP_BytesToKey`).
pub(super) fn by_headers(
    headers: &[(String, String)],
    encrypted: &[u8],
    passphrase: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let unknown = |what: &str| KeyProblem::Encryption(Box::from(what));
    let info = headers.iter().find(|(name, _)| name == "DEK-Info").map(|(_, value)| value.as_str());
    let (name, iv) = info
        .and_then(|info| info.split_once(','))
        .ok_or_else(|| unknown("a `Proc-Type` header without `DEK-Info`"))?;
    let iv = unhex(iv.trim()).ok_or_else(|| unknown("an IV that is not hexadecimal"))?;
    if iv.len() < 8 {
        return Err(unknown("an IV that is too short"));
    }
    let key = |length| bytes_to_key(passphrase, &iv[..8], length);
    let plain = match name.trim().to_ascii_uppercase().as_str() {
        "DES-EDE3-CBC" => cbc::<TdesEde3>(&key(24), &iv, encrypted),
        "DES-CBC" => cbc::<Des>(&key(8), &iv, encrypted),
        "AES-128-CBC" => cbc::<Aes128>(&key(16), &iv, encrypted),
        "AES-192-CBC" => cbc::<Aes192>(&key(24), &iv, encrypted),
        "AES-256-CBC" => cbc::<Aes256>(&key(32), &iv, encrypted),
        other => Err(KeyProblem::Encryption(other.to_string().into())),
    }?;
    check_plain(plain)
}

/// Decrypts what is in an encrypted PEM block, given its headers as text; `None` for a wrong passphrase and for
/// ciphers that the default provider of OpenSSL 3 does not have.
#[must_use]
pub fn decrypt_block(
    headers: &[u8],
    encrypted: &[u8],
    passphrase: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let text = core::str::from_utf8(headers).ok()?;
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_string(), value.trim().to_string()))
    };
    let headers: Vec<_> = text.lines().filter_map(pair).collect();
    let is_legacy =
        |(_, value): &(String, String)| value.to_ascii_uppercase().starts_with("DES-CBC");
    if headers.iter().any(is_legacy) {
        return None;
    }
    by_headers(&headers, encrypted, passphrase).ok()
}

fn bytes_to_key(passphrase: &[u8], salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    use md5::Digest;
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    let mut last: Zeroizing<Vec<u8>> = Zeroizing::default();
    while key.len() < length {
        let digest = md5::Md5::new().chain_update(&*last).chain_update(passphrase);
        last = Zeroizing::new(digest.chain_update(salt).finalize().to_vec());
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    key
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
