//! The files as such: which are there, what Go reads in them, whose keys they hold.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Folder, Remedy, SecretProblem};
use crate::cacerts::Layout;
use crate::cacerts::{Secret, go_pem};
use crate::cert::Cert;
use crate::istiod::StartOutcome;
use crate::istiod::bundle::first_key;
use crate::key::flaw::samples;
use crate::key::{KeyAlgorithm, Signer};
use crate::soft::{KeyType, SoftKey};
use crate::verify::Rejection;
use crate::{pem, signature};

pub(super) fn check(folder: &Folder<'_>, problems: &mut Vec<SecretProblem>) {
    problems.extend(incomplete(folder));
    problems.extend(tls_files(folder));
    problems.extend(unsound(folder));
    problems.extend(key(folder));
    problems.extend(exposed(folder));
    problems.extend(sample(folder));
    problems.extend(root_keys(folder));
}

/// A file is missing or empty.
fn incomplete(folder: &Folder<'_>) -> Option<SecretProblem> {
    let layout = folder.bundle.layout;
    let wanted = layout.files();
    // A root that signs by itself has nothing above it: Istio's documentation leaves its chain empty.
    let is_root = folder.ca.as_ref().is_some_and(|ca| folder.roots.contains(ca));
    let may_be_empty = |name: &str| is_root && layout.chain_files() == [name];
    let lacks = |name: &&&str| match folder.secret.get(name) {
        Some(text) => text.is_empty() && !may_be_empty(name),
        None => true,
    };
    let missing: Vec<&str> = wanted.iter().filter(lacks).copied().collect();
    let first = missing.first().filter(|_| !is_ignored_tls(folder))?;
    let there: Vec<&str> = folder.secret.names().collect();
    let there = if there.is_empty() { "nothing".to_string() } else { there.join(", ") };
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let mut problem = folder
        .error(
            "istiod/incomplete",
            alloc::format!("{} {verb} missing or empty", missing.join(", ")),
        )
        .file(first)
        .evidence(alloc::format!("expected: {}", wanted.join(", ")))
        .evidence(alloc::format!("found: {there}"));
    if matches!(folder.start, StartOutcome::Plugged { .. }) {
        problem.effect += "; workloads send an empty chain, so peers do not find the issuer";
    }
    let next = match missing.as_slice() {
        ["cert-chain.pem"] => folder.chain_remedy(),
        ["root-cert.pem"] => Remedy::CopyRoots,
        _ => Remedy::Replace,
    };
    Some(problem.fix("put every file into the secret, under exactly these names", next))
}

/// The second form is there, and the release does not know it.
fn is_ignored_tls(folder: &Folder<'_>) -> bool {
    folder.secret.get("tls.crt").is_some()
        && folder.bundle.layout == Layout::Istio
        && folder.secret.get("ca-cert.pem").is_none()
}

/// cert-manager's file names where they are not read, or both layouts at once.
fn tls_files(folder: &Folder<'_>) -> Option<SecretProblem> {
    folder.secret.get("tls.crt")?;
    let version = folder.settings.version;
    if is_ignored_tls(folder) {
        let problem = folder
            .error("istiod/tls-files", alloc::format!("Istio {version} does not read tls.crt"))
            .evidence("Istio reads the layout tls.crt, tls.key, ca.crt from 1.14.2 and 1.15.0 on");
        return Some(problem.file("tls.crt").fix(
            "use the names ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem, or upgrade Istio",
            Remedy::Replace,
        ));
    }
    folder.secret.get("ca-cert.pem").or_else(|| folder.secret.get("ca-key.pem"))?;
    let (read, ignored) = match folder.bundle.layout {
        Layout::Tls => {
            ("tls.crt, tls.key, ca.crt", "ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem")
        }
        Layout::Istio => {
            ("ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem", "tls.crt, tls.key, ca.crt")
        }
    };
    let problem = folder
        .warning("istiod/tls-files", "the secret has both layouts")
        .evidence(alloc::format!("read: {read}"))
        .evidence(alloc::format!("ignored: {ignored}"));
    Some(problem.fix("keep one layout", Remedy::ListFiles))
}

/// A private key among certificates: istiod gives the chain out with every certificate it signs, and the roots to
/// every namespace (`security/pkg/server/ca/server.go: CreateCertificate`, `namespacecontroller.go`).
fn exposed(folder: &Folder<'_>) -> Vec<SecretProblem> {
    let public = Secret::FILES.iter().filter(|name| Secret::is_read(name) && !Secret::is_key(name));
    let mark = b"PRIVATE KEY-----";
    let holds_key = |name: &&str| {
        folder.secret.get(name).is_some_and(|text| text.windows(mark.len()).any(|w| w == mark))
    };
    let problem = |name: &str| {
        folder
            .error("istiod/key-exposed", alloc::format!("{name} contains a private key"))
            .file(name)
            .evidence("a certificate file is public")
            .effect("istiod distributes this file, with the key, to every workload of the mesh")
    };
    let has_certs =
        |name: &str| folder.secret.get(name).is_some_and(|t| !go_pem::pool(t).is_empty());
    let fixed = |name: &'static str| {
        let secret = "if others could read it, the key is no longer secret";
        if folder.bundle.layout.chain_files() == [name] && !has_certs(name) {
            let fix = alloc::format!("write the chain in its place; {secret}");
            problem(name).fix(fix, folder.chain_remedy())
        } else {
            let fix = alloc::format!("remove the key from the file; {secret}");
            problem(name).fix(fix, Remedy::FindKeys)
        }
    };
    public.filter(|name| holds_key(name)).map(|name| fixed(name)).collect()
}

/// Blocks that are in the file and that Go does not see.
fn unsound(folder: &Folder<'_>) -> Vec<SecretProblem> {
    let layout = folder.bundle.layout;
    let mut files: Vec<&str> = Vec::from([layout.ca_file(), layout.roots_file()]);
    files.extend(
        layout
            .chain_files()
            .iter()
            .filter(|name| !files.contains(name))
            .copied()
            .collect::<Vec<_>>(),
    );
    let mut found: Vec<SecretProblem> = files
        .iter()
        .filter_map(|name| unsound_text(folder, name, folder.secret.get(name)?))
        .collect();
    if found.is_empty()
        && layout.chain_files().len() > 1
        && let Some(joined) = folder.bundle.chain()
    {
        // istiod joins the two files without a newline between them.
        found.extend(unsound_text(folder, layout.chain_files()[0], &joined));
    }
    found
}

fn unsound_text(folder: &Folder<'_>, name: &str, text: &[u8]) -> Option<SecretProblem> {
    let has = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    // A key instead of certificates is a problem of its own.
    if text.is_empty() || (has(b"PRIVATE KEY-----") && !has(b"CERTIFICATE-----")) {
        return None;
    }
    let written = text.windows(27).filter(|w| w == b"-----BEGIN CERTIFICATE-----").count();
    let blocks = go_pem::blocks(text);
    let (read, unread): (Vec<_>, Vec<_>) =
        blocks.iter().map(|block| (block, go_pem::read(&block.der))).partition(|(_, c)| c.is_ok());
    let forms = pem::Form::of(text);
    let faults: Vec<String> =
        pem::decode(text).into_iter().filter_map(|b| b.err().map(|e| e.to_string())).collect();
    let is_whole = written == read.len() && !read.is_empty();
    if is_whole && faults.is_empty() && forms.is_empty() {
        return None;
    }
    let message = alloc::format!("not every certificate of {name} can be read");
    let mut problem = folder.error("istiod/pem", message).file(name);
    if !is_whole {
        problem = problem.evidence(alloc::format!(
            "BEGIN CERTIFICATE occurs {written} times, but Go reads {} certificates and reports no error",
            read.len()
        ));
    }
    problem.evidence.extend(forms.iter().map(ToString::to_string));
    if forms.is_empty() {
        problem.evidence.extend(faults);
    }
    for (i, (block, why)) in unread.iter().enumerate().filter(|_| forms.is_empty()) {
        problem = problem.evidence(unreadable(i, block, why.as_ref().err()));
    }
    let (fix, remedy) = if forms.is_empty() {
        (
            "write the file again from its source: its content has to change",
            Remedy::inspect(&[name]),
        )
    } else {
        ("convert the file to plain PEM text", Remedy::Convert { file: name.to_string(), forms })
    };
    Some(problem.fix(fix, remedy))
}

/// A block that Go finds and does not take.
fn unreadable(i: usize, block: &go_pem::Block, why: Option<&Rejection>) -> String {
    if block.label != pem::CERTIFICATE {
        return alloc::format!("block {} is labelled `{}`, not `CERTIFICATE`", i + 1, block.label);
    }
    let words = why.map_or("", |why| why.text.trim_start_matches("x509: "));
    match Cert::from_der(&block.der) {
        Ok(cert) => alloc::format!("Go does not read {}: {words}", cert.label()),
        Err(why) => alloc::format!("block {} is not a certificate: {why}", i + 1),
    }
}

/// A key that Go does not read, or that belongs to another certificate.
fn key(folder: &Folder<'_>) -> Option<SecretProblem> {
    let name = folder.bundle.layout.key_file();
    let text = folder.bundle.key().filter(|text| !text.is_empty())?;
    let public = match first_key(text) {
        Ok(public) => public,
        Err(why) => {
            let problem = folder
                .error("istiod/key-format", alloc::format!("istiod cannot read {name}"))
                .file(name)
                .evidence(why)
                .evidence("it reads only the first block, which must be an unencrypted `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`");
            return Some(match folder.ca.as_ref().map(|ca| ca.public_key().algorithm()) {
                Some(KeyAlgorithm::Other { .. }) => problem.fix(
                    "create the CA with a key that istiod reads: RSA, ECDSA or Ed25519",
                    Remedy::StartOver { key_type: Some(KeyType::EcdsaP256) },
                ),
                _ => problem.fix(
                    "write the key as plain PKCS#8",
                    Remedy::ConvertKey { file: name.to_string() },
                ),
            });
        }
    };
    let ca = folder.ca.as_ref().filter(|ca| ca.public_key().as_der() != public.as_der())?;
    let cert = folder.bundle.layout.ca_file();
    let mut problem = folder
        .error(
            "istiod/key-mismatch",
            alloc::format!("{name} is not the key of the first certificate in {cert}"),
        )
        .file(name)
        .evidence(alloc::format!(
            "{cert}: {} has the key {}",
            ca.subject(),
            ca.public_key().fingerprint()
        ))
        .evidence(alloc::format!("{name} is the key {}", public.fingerprint()));
    let owner = folder
        .distinct()
        .into_iter()
        .find(|(_, cert)| cert.public_key().as_der() == public.as_der());
    let later = folder.bundle.cert().map(go_pem::pool).unwrap_or_default();
    if let Some(place) = later.iter().position(|cert| cert.public_key().as_der() == public.as_der())
    {
        problem = problem.evidence(alloc::format!(
            "certificate {} of {cert} has that key, but istiod reads only the first",
            place + 1
        ));
    } else if let Some((file, owner)) = owner {
        problem = problem.evidence(alloc::format!("{} in {file} has that key", owner.label()));
    }
    Some(problem.fix(
        "put this key's certificate first, or use the key of the first certificate",
        Remedy::inspect(&[cert, name]),
    ))
}

/// The sample CA, whose private key is public.
fn sample(folder: &Folder<'_>) -> Option<SecretProblem> {
    let public = folder.bundle.key().and_then(|text| first_key(text).ok());
    let mut evidence: Vec<String> = Vec::new();
    for (file, cert) in folder.distinct() {
        if let Some(sample) = samples::of_key(cert.public_key()) {
            evidence.push(alloc::format!(
                "{} in {file} has the key of samples/certs/{sample}",
                cert.label()
            ));
        }
    }
    if let Some(sample) = public.as_ref().and_then(samples::of_key) {
        evidence.push(alloc::format!(
            "{} is the key of samples/certs/{sample}",
            folder.bundle.layout.key_file()
        ));
    }
    if evidence.is_empty() {
        return None;
    }
    let mut problem =
        folder.error("istiod/sample-ca", "this is the sample CA from Istio's repository");
    problem.evidence = evidence;
    let effect = alloc::format!(
        "{}; its private keys are public, so anyone can impersonate any workload of the mesh",
        folder.verdict()
    );
    Some(problem.effect(effect).fix("create your own CA", Remedy::StartOver { key_type: None }))
}

/// The key of a root has no place in a cluster, under any name.
fn root_keys(folder: &Folder<'_>) -> Vec<SecretProblem> {
    let mut found = Vec::new();
    for name in folder.secret.names() {
        let text = folder.secret.get(name).unwrap_or_default();
        let key = SoftKey::from_pem(text, None).ok();
        let owner = key.as_ref().and_then(|key| {
            folder
                .known_roots
                .iter()
                .find(|(_, root)| root.public_key().as_der() == key.public_key().as_der())
        });
        let evidence = match owner {
            Some((place, root)) => {
                alloc::format!("{name} is the key of {} in {place}", root.label())
            }
            None if name.contains("root") && holds_key(text) => {
                alloc::format!("{name} contains a private key; its name says that it is the root's")
            }
            None => continue,
        };
        let problem = folder
            .error("istiod/root-key", alloc::format!("the cluster's files include the private key of a root: {name}"))
            .file(name)
            .evidence(evidence)
            .effect(alloc::format!(
                "{}; anyone who reads the secret can sign for every cluster of the mesh until the root is replaced everywhere",
                folder.verdict()
            ));
        let next = if name == folder.bundle.layout.key_file() {
            Remedy::Replace
        } else {
            Remedy::MoveOut { file: name.to_string() }
        };
        found.push(
            problem.fix(
                "keep the root's key offline, and give the cluster its own intermediate",
                next,
            ),
        );
    }
    found
}

fn holds_key(text: &[u8]) -> bool {
    pem::decode(text).iter().flatten().any(pem::Block::is_private_key)
}

/// Whether a certificate is a root: signed with its own key, or at least not proven otherwise.
pub(super) fn is_self_signed(cert: &Cert) -> bool {
    cert.is_self_issued() && {
        let signed = signature::SignatureInput {
            algorithm: cert.signature_algorithm(),
            message: cert.tbs(),
            signature: cert.signature(),
            key: cert.public_key(),
        };
        signature::check(&signed) != signature::SignatureCheck::Bad
    }
}
