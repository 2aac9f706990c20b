//! The recipes behind `fixtures/verify`: once written, their files are inputs.

use std::io;
use std::path::{Path, PathBuf};

use meshpki::internals::{der, oid, pem};
use meshpki::verify::Release;

use crate::cases::{self, Case, Recorded};
use crate::forge::{CertPlan, CrlPlan, Extension, KEYS, extension, key, value};
use crate::run::Printed;
use crate::world::common_name;

mod asked;
mod chain;
mod extensions;
mod loading;
mod mail;
mod names;
mod options;
mod releases;
mod revocation;

/// Writes the topics that have no folder yet; `cargo xtask fixtures` then records what openssl says.
///
/// # Errors
/// When a file cannot be written.
pub fn write_missing(folder: &Path) -> io::Result<()> {
    let recipes: [(&str, Recipe); 23] = [
        ("binary", loading::binary),
        ("chain", chain::chain),
        ("deltas", revocation::deltas),
        ("extensions", extensions::extensions),
        ("forms", asked::forms),
        ("indirect", asked::indirect),
        ("loading", loading::loading),
        ("mail", mail::mail),
        ("names", names::names),
        ("options", options::options),
        ("policy", extensions::policy),
        ("proxies", asked::proxies),
        ("releases", releases::releases),
        ("revocation", revocation::revocation),
        ("signature", chain::signature),
        ("stores", asked::stores),
        ("strength", chain::strength),
        ("suite-b", asked::suite_b),
        ("suite-b-others", asked::suite_b_others),
        ("system", loading::system),
        ("time", chain::time),
        ("trust", loading::trust),
        ("use-deltas", asked::use_deltas),
    ];
    for (name, recipe) in recipes {
        if !folder.join(name).exists() {
            let mut topic =
                Topic { folder: folder.join(name), files: Vec::new(), cases: Vec::new() };
            recipe(&mut topic);
            topic.write()?;
        }
    }
    Ok(())
}

/// Fills a topic.
type Recipe = fn(&mut Topic);

/// A folder being made.
pub(crate) struct Topic {
    folder: PathBuf,
    files: Vec<(String, Vec<u8>)>,
    cases: Vec<Case>,
}

/// Options of nearly every case: nothing of the system, a fixed time.
const BASE: &str = "-no-CApath -no-CAstore -attime 1700000000";

impl Topic {
    fn file(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.files.push((name.to_owned(), bytes.into()));
    }

    /// A certificate in its own PEM file.
    fn cert(&mut self, name: &str, plan: &CertPlan) {
        self.file(name, pem_of(plan));
    }

    /// Several certificates in one file.
    fn certs(&mut self, name: &str, plans: &[&CertPlan]) {
        self.file(name, plans.iter().map(|plan| pem_of(plan)).collect::<String>());
    }

    fn crls(&mut self, name: &str, plans: &[&CrlPlan]) {
        let text: String = plans.iter().map(|plan| pem::encode(pem::CRL, &plan.sign())).collect();
        self.file(name, text);
    }

    /// A case with the usual options in front of `args`, which blanks part.
    fn case(&mut self, name: &str, why: &str, args: &str) {
        self.bare(name, why, &format!("{BASE} {args}").split_whitespace().collect::<Vec<_>>());
    }

    /// A case with these arguments and no others.
    fn bare(&mut self, name: &str, why: &str, args: &[&str]) -> &mut Case {
        self.cases.push(Case {
            name: name.to_owned(),
            why: why.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..Case::default()
        });
        self.cases.last_mut().expect("just pushed")
    }

    fn write(self) -> io::Result<()> {
        let files = self.files.into_iter().map(|(name, bytes)| (name, vec![bytes])).collect();
        Case { files, ..Case::default() }.write(&self.folder)?;
        let nothing = Printed { exit: 0, stdout: String::new(), stderr: String::new() };
        let printed = Release::ALL.map(|_| nothing.clone());
        let recorded = |case| Recorded { case, printed: printed.clone() };
        cases::save(&self.folder, &self.cases.into_iter().map(recorded).collect::<Vec<_>>())
    }
}

fn pem_of(plan: &CertPlan) -> String {
    pem::encode(pem::CERTIFICATE, &plan.sign())
}

/// Keys of the usual chain: root, intermediate, leaf.
const ROOT: &str = "p256-0";
const INTERMEDIATE: &str = "p256-1";
const LEAF: &str = "p256-2";

fn key_id(key: usize) -> Vec<u8> {
    meshpki::internals::digest::sha1(&KEYS[key].spki).to_vec()
}

fn ca(subject: &str, issuer: &str, key_name: &str, signer: &str) -> CertPlan {
    let (key, signer) = (key(key_name), key(signer));
    CertPlan::new(common_name(subject), common_name(issuer), key, signer)
        .with(extension(oid::BASIC_CONSTRAINTS, true, value::basic_constraints(true, None)))
        .with(extension(oid::KEY_USAGE, true, value::bits(0x06)))
        .with(extension(oid::SUBJECT_KEY_ID, false, value::key_id(&key_id(key))))
        .with(authority(signer))
}

fn authority(signer: usize) -> Extension {
    let value = value::authority(Some(&key_id(signer)), None, None);
    extension(oid::AUTHORITY_KEY_ID, false, value)
}

/// A self-signed CA.
fn root() -> CertPlan {
    ca("Root", "Root", ROOT, ROOT)
}

/// A CA below it.
fn intermediate() -> CertPlan {
    ca("Intermediate", "Root", INTERMEDIATE, ROOT)
}

/// A certificate below that.
fn leaf() -> CertPlan {
    leaf_of("Leaf", "Intermediate", INTERMEDIATE)
}

fn leaf_of(subject: &str, issuer: &str, signer: &str) -> CertPlan {
    let dns = value::list(&[value::general(2, b"a.example.com")]);
    CertPlan::new(common_name(subject), common_name(issuer), key(LEAF), key(signer))
        .with(extension(oid::SUBJECT_ALT_NAME, false, dns))
        .with(authority(key(signer)))
}

/// The plan with `extension` in the place of the one of its kind.
fn replaced(mut plan: CertPlan, extension: Extension) -> CertPlan {
    plan.extensions.retain(|old| old.oid != extension.oid);
    plan.extensions.push(extension);
    plan
}

fn without(mut plan: CertPlan, oid: &[u8]) -> CertPlan {
    plan.extensions.retain(|old| old.oid != oid);
    plan
}

fn until(mut plan: CertPlan, utc: &str) -> CertPlan {
    plan.not_after = (der::UTC_TIME, utc.into());
    plan
}

fn from(mut plan: CertPlan, utc: &str) -> CertPlan {
    plan.not_before = (der::UTC_TIME, utc.into());
    plan
}

/// Root, intermediate and leaf as `root.pem`, `int.pem`, `leaf.pem`.
fn usual(topic: &mut Topic) {
    topic.cert("root.pem", &root());
    topic.cert("int.pem", &intermediate());
    topic.cert("leaf.pem", &leaf());
}
