//! A CA from elsewhere: which certificate and key of many are a cluster's, and its chain and roots.

use std::path::Path;

use meshpki::chain::{assemble, issued};
use meshpki::{CaCerts, Cert, Signer, SoftKey, Time};

use super::gather::{Gathered, Part};
use super::{ROOTS_APART, cert_words, is_self_signed, key_words};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::io::Io;
use crate::text::word;

/// What was chosen.
pub(crate) struct Chosen {
    pub(crate) set: CaCerts,
    /// Where the CA's certificate and key are.
    pub(crate) places: (String, String),
    /// What was not taken, and why.
    pub(crate) left: Vec<(String, String)>,
}

/// Where the set is to go, for the commands in errors.
pub(crate) struct Target<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) cluster: &'a str,
}

/// Chooses a CA, its chain and its roots. With `kept` roots, those stay what they are: a renewal changes no root.
///
/// # Errors
/// `ctl/one-ca` unless exactly one CA has its key among them, `ctl/no-root` without its root, and those of [`CaCerts::new`].
pub(crate) fn choose(
    gathered: Gathered,
    kept: Option<&[Cert]>,
    target: &Target<'_>,
    now: Time,
) -> Result<Chosen, Failure> {
    let Gathered { certs, mut keys, others, .. } = gathered;
    let pile: Vec<Cert> = certs.iter().map(|placed| placed.cert.clone()).collect();
    let place = |i: usize| format!("{}, `{}`", certs[i].place, pile[i].subject().label());
    let (ca, key) = pair(&pile, &keys, now).map_err(|failure| match failure {
        Pairing::None => no_pair(&pile, &keys, target),
        Pairing::Several(cas) => several(&cas.iter().map(|i| place(*i)).collect::<Vec<_>>()),
    })?;
    let mut left = others;
    let assembly = assemble(&pile, Some(&pile[ca]))?;
    let is_root = |i: &usize| is_self_signed(&pile[*i]);
    // What a mesh trusts already comes first, in its order: dropping one would cut the mesh off, and istiod compares bytes.
    // A file's name alone says nothing: only the roots of the set that has this CA are those of its mesh.
    let has_ca = |set: &str| {
        (0..pile.len())
            .any(|i| certs[i].part == Part::Ca && certs[i].set == set && pile[i] == pile[ca])
    };
    let trusted =
        (0..pile.len()).filter(|i| certs[*i].part == Part::Roots && has_ca(&certs[*i].set));
    // The root of another way up is another CA, and its trust was not asked for.
    let in_chain = |i: usize| {
        let is_twin = |twin: &Cert| {
            twin.subject() == pile[i].subject() && twin.public_key() == pile[i].public_key()
        };
        assembly.chain.iter().any(|member| is_twin(&pile[*member]))
    };
    let twins = assembly.alternatives.iter().filter(|i| in_chain(**i));
    let on_the_way = assembly.chain.iter().chain(twins).copied();
    let mut roots: Vec<usize> = Vec::new();
    for i in trusted.chain(on_the_way).filter(|i| kept.is_none() && is_root(i)) {
        if !roots.iter().any(|known| pile[*known] == pile[i]) {
            roots.push(i);
        }
    }
    let taken = |cert: &Cert| {
        kept.is_some_and(|kept| kept.contains(cert)) || roots.iter().any(|i| pile[*i] == *cert)
    };
    for i in assembly.alternatives.iter().filter(|i| !taken(&pile[**i])) {
        let why = match in_chain(*i) {
            true => "another certificate of the same CA is in the chain",
            false => "it is on another way up from the CA, which is not taken",
        };
        left.push((place(*i), why.to_owned()));
    }
    for i in assembly.strays.iter().filter(|i| !taken(&pile[**i])) {
        left.push((place(*i), "it did not issue any certificate of the chain".to_owned()));
    }
    let top = &pile[*assembly.chain.last().unwrap_or(&ca)];
    let roots: Vec<Cert> = match kept {
        Some(kept) => kept.to_vec(),
        None => roots.iter().map(|i| pile[*i].clone()).collect(),
    };
    if roots.is_empty() {
        return Err(no_root(top, target));
    }
    if kept.is_some() && !roots.iter().any(|root| root == top || issued(root, top)) {
        return Err(other_root(top, &roots));
    }
    let above: Vec<Cert> =
        assembly.certs(&pile)[1..].iter().filter(|cert| !cert.is_self_issued()).cloned().collect();
    let (key, key_place) = keys.swap_remove(key);
    left.extend(keys.into_iter().map(|(key, place)| (place, words_of_key(&key, &pile))));
    // What is in the folder already is not left out of it.
    let folder = format!("{}/", target.dir.join(target.cluster).display());
    left.retain(|(place, _)| !place.starts_with(&folder));
    let places = (certs[ca].place.clone(), key_place);
    let set = CaCerts::new(pile[ca].clone(), key, above, roots, now)?;
    Ok(Chosen { set, places, left })
}

/// Why there is no pair of a certificate and its key.
enum Pairing {
    None,
    /// Certificates of several keys.
    Several(Vec<usize>),
}

/// The certificate with its key; a root with its key only if there is nothing else. Of several certificates for one key,
/// the one that is valid now and longest.
fn pair(pile: &[Cert], keys: &[(SoftKey, String)], now: Time) -> Result<(usize, usize), Pairing> {
    let key_of =
        |cert: &Cert| keys.iter().position(|(key, _)| key.public_key() == cert.public_key());
    let mut pairs: Vec<(usize, usize)> =
        pile.iter().enumerate().filter_map(|(i, cert)| Some((i, key_of(cert)?))).collect();
    if pairs.iter().any(|(i, _)| !pile[*i].is_self_issued()) {
        pairs.retain(|(i, _)| !pile[*i].is_self_issued());
    }
    let Some(first) = pairs.first().map(|(i, _)| pile[*i].public_key().clone()) else {
        return Err(Pairing::None);
    };
    if pairs.iter().any(|(i, _)| *pile[*i].public_key() != first) {
        let is_first_of_its_key = |(n, (i, _)): &(usize, &(usize, usize))| {
            !pairs[..*n].iter().any(|(j, _)| pile[*j].public_key() == pile[*i].public_key())
        };
        let cas = pairs.iter().enumerate().filter(is_first_of_its_key).map(|(_, (i, _))| *i);
        return Err(Pairing::Several(cas.collect()));
    }
    let rank = |i: usize| {
        let (from, until) = (pile[i].not_before().time(), pile[i].not_after().time());
        let is_valid = from.is_some_and(|from| from <= now) && until.is_some_and(|end| end > now);
        (is_valid, until)
    };
    pairs.into_iter().rev().max_by_key(|(i, _)| rank(*i)).ok_or(Pairing::None)
}

fn no_pair(pile: &[Cert], keys: &[(SoftKey, String)], target: &Target<'_>) -> Failure {
    let adopt = format!("meshctl ca adopt {} --cluster {}", word(target.dir), target.cluster);
    if keys.is_empty() {
        let failure = Failure::new("ctl/one-ca", "there is no private key");
        return failure
            .because("a cluster signs workload certificates, so its CA is a certificate and its key")
            .hint(format!(
                "add the file with the key: `{adopt} FILES KEY`; or create one with `meshctl ca csr {} --cluster {}` and have its CSR signed",
                word(target.dir),
                target.cluster
            ));
    }
    let mut failure =
        Failure::new("ctl/one-ca", "none of the private keys belongs to one of the certificates");
    for (key, place) in keys {
        failure = failure.because(format!("{place} is {}", key_words(key.public_key())));
    }
    for cert in pile {
        let label = cert.subject().label();
        failure = failure.because(format!("`{label}` is for {}", key_words(cert.public_key())));
    }
    failure.hint(
        "ask whoever signed the CSR for the certificate of that CSR: its key must be one of these",
    )
}

fn several(cas: &[String]) -> Failure {
    let message = format!("there are {} CAs with their keys, expected one", cas.len());
    let failure = Failure::new("ctl/one-ca", message);
    cas.iter()
        .fold(failure, |failure, ca| failure.because(ca.clone()))
        .hint("give only the files of this cluster: each cluster has a CA of its own")
}

fn no_root(top: &Cert, target: &Target<'_>) -> Failure {
    Failure::new("ctl/no-root", "the root is in none of the files")
        .because(format!(
            "`{}` was issued by `{}`, whose certificate is missing",
            top.subject().label(),
            top.issuer().label()
        ))
        .hint(format!(
            "get the certificate of `{}` from whoever runs that CA and add its file: `meshctl ca adopt {} --cluster {} FILES ROOT`",
            top.issuer().label(),
            word(target.dir),
            target.cluster
        ))
}

/// A renewal under another root would be dropped by istiod, or cut the cluster off.
fn other_root(top: &Cert, roots: &[Cert]) -> Failure {
    let roots: Vec<String> =
        roots.iter().map(|root| format!("`{}`", root.subject().label())).collect();
    Failure::new("ctl/other-root", "the new CA is under a different root than the current one")
        .because(format!(
            "its chain ends at `{}`, issued by `{}`",
            top.subject().label(),
            top.issuer().label()
        ))
        .because(format!("root-cert.pem has {}", roots.join(", ")))
        .exit(Exit::No)
        .hint("changing the root is not a renewal: `meshctl rotate root plan --help` shows how every cluster comes to trust the new root first")
}

fn words_of_key(key: &SoftKey, pile: &[Cert]) -> String {
    let is_its = |cert: &&Cert| cert.public_key() == key.public_key();
    match pile.iter().find(is_its) {
        Some(cert) if cert.is_self_issued() => {
            format!(
                "the private key of the root `{}`, which no cluster may have",
                cert.subject().label()
            )
        }
        Some(cert) => format!("another copy of the key of `{}`", cert.subject().label()),
        None => "a private key that belongs to none of the certificates".to_owned(),
    }
}

/// Refuses roots that share none with a neighbour, whose proxies would reject this cluster's; with `allowed`, warns.
///
/// # Errors
/// `ctl/other-root`.
pub(crate) fn check_neighbour(
    (name, folder): (&str, &Path),
    theirs: &[Cert],
    ours: &[Cert],
    allowed: bool,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    if theirs.is_empty() || ours.iter().any(|root| theirs.contains(root)) {
        return Ok(());
    }
    let id = |roots: &[Cert]| roots.iter().map(cert_words).collect::<Vec<_>>().join("; ");
    let failure = Failure::new("ctl/other-root", format!("{name} trusts a different root"))
        .in_file(folder)
        .because(format!("{name} trusts {}", id(theirs)))
        .because(format!("the new CA is under {}", id(ours)));
    if allowed {
        io.warn(&failure.hint(ROOTS_APART));
        return Ok(());
    }
    Err(failure.exit(Exit::No).hint(
        "adopt it into a folder of its own, or with `--new-root`; `meshctl trust plan` shows what clusters of two roots need",
    ))
}

/// An error of the set, with what to do.
pub(crate) fn explained(failure: Failure) -> Failure {
    match failure.code() {
        "pki/root-key" => failure.hint(
            "keep a root's key where CAs are signed: put it into a CA folder as root-key.pem next to root-cert.pem, and `meshctl ca init DIR --cluster NAME` signs each cluster's CA",
        ),
        _ => failure,
    }
}
