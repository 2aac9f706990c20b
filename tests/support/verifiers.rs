//! Models of verifiers next to the verifiers themselves, over random PKIs.
//!
//! `fixtures/verifiers/NAME.txt` keeps what once differed: a comment that says why, the question, the answer.
//!
//! A judge is a program that reads a line for each PKI and answers with a line:
//!
//! ```text
//! TIME LEAF INTERMEDIATES ROOTS CRLS      seconds since 1970; DER in hex, joined with commas; `-` for none
//! ok
//! refused CLASS WORDS                     the class in the judge's own terms
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use meshpki::verify::Rejection;
use meshpki::{Cert, Crl};

use crate::world::{self, Pki};

pub mod envoy;
mod go;

pub use go::Go;

/// An answer: `None` accepts, otherwise the class and the words of the refusal.
pub type Opinion = Option<(String, String)>;

/// Leaf, intermediates, roots and CRLs.
pub type Parts = (Cert, Vec<Cert>, Vec<Cert>, Vec<Crl>);

/// One of the lists of a PKI.
type List = fn(&mut Pki) -> &mut Vec<Vec<u8>>;

/// A verifier that has a model and a judge.
pub trait Verifier: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// What the model says.
    fn ours(&self, pki: &Pki) -> Result<(), Rejection>;
    /// Starts the judge; `None` if it is missing, which is reported as for every judge.
    fn judge(&self) -> Option<Judge>;
    /// Whether a refusal of ours is of the class that the judge names.
    fn agrees(&self, ours: &Rejection, class: &str, words: &str) -> bool;
}

/// A judge that runs.
#[derive(Debug)]
pub struct Judge {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// A PKI of which model and judge differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The PKI.
    pub pki: Pki,
    /// Our answer.
    pub ours: Opinion,
    /// The judge's.
    pub theirs: Opinion,
}

/// What a number of runs came to.
#[derive(Debug, Default)]
pub struct Summary {
    /// Runs in all.
    pub runs: usize,
    /// Runs the judge accepted.
    pub good: usize,
    /// How often the judge gave each class.
    pub classes: BTreeMap<String, usize>,
    /// Runs in which one accepts and the other refuses.
    pub verdicts: Vec<Difference>,
    /// Runs that both refuse, for different reasons.
    pub reasons: Vec<Difference>,
}

impl Judge {
    /// Starts a program.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(program: &Path) -> Self {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a judge that starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Self { child, stdin, stdout: BufReader::new(stdout.expect("a pipe")) }
    }

    /// The judge's answer.
    ///
    /// # Panics
    /// When it ends.
    pub fn ask(&mut self, pki: &Pki) -> Opinion {
        let stdin = self.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{}", line(pki)).expect("a question that is taken");
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).expect("a line");
        let answer = answer.trim_end();
        if answer == "ok" {
            return None;
        }
        let refusal = answer.strip_prefix("refused ").unwrap_or_else(|| {
            panic!("{}: the judge answered {answer:?} to\n{}", pki.name, line(pki))
        });
        let (class, words) = refusal.split_once(' ').unwrap_or((refusal, ""));
        Some((class.to_owned(), words.to_owned()))
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Pki {
    /// Its certificates and CRLs; a certificate that cannot be read at all is left out, the leaf excepted.
    ///
    /// # Errors
    /// When the leaf cannot be read.
    pub fn read(&self) -> Result<Parts, String> {
        let leaf = Cert::from_der(&self.leaf).map_err(|why| why.to_string())?;
        let certs = |list: &[Vec<u8>]| -> Vec<Cert> {
            list.iter().filter_map(|der| Cert::from_der(der).ok()).collect()
        };
        let crls = self.crls.iter().filter_map(|der| Crl::from_der(der).ok()).collect();
        Ok((leaf, certs(&self.intermediates), certs(&self.roots), crls))
    }
}

/// Every verifier there is.
pub const ALL: &[&dyn Verifier] = &[&Go, &envoy::ENVOY, &envoy::OLDER];

/// Asks model and judge about the PKIs of `seeds`; `None` if there is no judge.
pub fn runs(verifier: &dyn Verifier, seeds: impl Iterator<Item = u64>) -> Option<Summary> {
    let mut judge = verifier.judge()?;
    let mut summary = Summary::default();
    for seed in seeds {
        summary.compare(verifier, &mut judge, world::pki(seed));
    }
    Some(summary)
}

impl Summary {
    fn compare(&mut self, verifier: &dyn Verifier, judge: &mut Judge, pki: Pki) {
        let (ours, theirs) = (verifier.ours(&pki), judge.ask(&pki));
        self.runs += 1;
        self.good += usize::from(theirs.is_none());
        let class = theirs.as_ref().map_or("ok", |(class, _)| class);
        *self.classes.entry(class.to_owned()).or_default() += 1;
        let said = |why: &Rejection| Some((format!("{:?}", why.reason), why.text.clone()));
        match (&ours, &theirs) {
            (Ok(()), None) => {}
            (Err(why), Some((class, words))) if verifier.agrees(why, class, words) => {}
            (Err(why), Some(_)) => {
                self.reasons.push(Difference { pki, ours: said(why), theirs });
            }
            (ours, _) => {
                let ours = ours.as_ref().err().and_then(said);
                self.verdicts.push(Difference { pki, ours, theirs });
            }
        }
    }

    /// Takes in what another worker found.
    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.good += other.good;
        for (class, times) in other.classes {
            *self.classes.entry(class).or_default() += times;
        }
        self.verdicts.extend(other.verdicts);
        self.reasons.extend(other.reasons);
    }
}

impl Difference {
    /// The question and the judge's answer, as `fixtures/verifiers` keeps them.
    #[must_use]
    pub fn fixture(&self) -> String {
        let answer = match &self.theirs {
            None => "ok".to_owned(),
            Some((class, words)) => format!("refused {class} {words}"),
        };
        format!("# found as {}\n{}\n{answer}\n", self.pki.name, line(&self.pki))
    }

    /// The same difference with as few certificates and CRLs as show it.
    ///
    /// # Panics
    /// When there is no judge.
    #[must_use]
    pub fn shrunk(self, verifier: &dyn Verifier) -> Self {
        let mut judge = verifier.judge().expect("the judge that found it");
        let mut best = self;
        loop {
            let smaller = smaller(&best.pki).into_iter().find_map(|pki| {
                let mut summary = Summary::default();
                summary.compare(verifier, &mut judge, pki);
                summary.verdicts.pop().or_else(|| summary.reasons.pop())
            });
            match smaller {
                Some(smaller) => best = smaller,
                None => return best,
            }
        }
    }
}

/// Every PKI with one part less.
fn smaller(pki: &Pki) -> Vec<Pki> {
    let lists: [List; 3] =
        [|pki| &mut pki.intermediates, |pki| &mut pki.roots, |pki| &mut pki.crls];
    let mut all = Vec::new();
    for list in lists {
        for i in 0..list(&mut pki.clone()).len() {
            let mut less = pki.clone();
            list(&mut less).remove(i);
            all.push(less);
        }
    }
    all
}

/// A PKI as a judge reads it.
#[must_use]
pub fn line(pki: &Pki) -> String {
    let list = |list: &[Vec<u8>]| {
        let parts: Vec<String> = list.iter().map(|der| hex(der)).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(",") }
    };
    let (intermediates, roots) = (list(&pki.intermediates), list(&pki.roots));
    format!("{} {} {intermediates} {roots} {}", pki.at.0, hex(&pki.leaf), list(&pki.crls))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
