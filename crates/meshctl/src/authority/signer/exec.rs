//! `--root-signer exec:PROGRAM`: a program that holds the key, run once for each question (docs/signers.md).
//!
//! It gets one JSON object on standard input, our environment without the variables that hold a passphrase or a PIN, and
//! a deadline. What it prints on standard error is shown only if it fails.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshapply::child::{self, Output, Problem, Running, Terms};
use meshpki::internals::pem;
use meshpki::{PublicKey, SignError, Signer};
use serde_json::{Value, json};

use super::answer::Answer;
use super::scheme::Scheme;
use super::{no_scheme, refused};
use crate::failure::Failure;
use crate::interrupt::{self, Cleanup};
use crate::text;

/// Lines of its standard error that are shown.
const LINES: usize = 5;
/// Characters of each.
const LINE: usize = 200;
/// Where the exchange is described.
const CONTRACT: &str = "docs/signers.md describes the exchange";

/// What makes a script a program.
const SCRIPTS: &str = if cfg!(windows) {
    "name the interpreter of a script, such as `exec:powershell.exe` with `--signer-arg -File --signer-arg SCRIPT`"
} else {
    "a script begins with the line `#!/bin/sh` or `#!/usr/bin/env bash`"
};

/// A program, and how it is run.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) patience: Duration,
    /// Variables of ours that it does not get.
    pub(super) hidden: Vec<String>,
}

/// A key behind a program.
pub(super) struct ExecSigner {
    program: Program,
    public: PublicKey,
    scheme: Scheme,
}

/// Ends the program when a signal ends us.
struct End(Running);

impl Cleanup for End {
    fn end(&self) {
        self.0.kill();
    }
}

impl ExecSigner {
    /// Asks the program for its public key.
    ///
    /// # Errors
    /// `ctl/signer`, `ctl/signer-answer`, `ctl/signer-key`.
    pub(super) fn open(program: Program) -> Result<Self, Failure> {
        let public = match program.ask(&request("public-key", None))? {
            Answer::PublicKey(key) => key,
            Answer::Signature(_) => {
                return Err(
                    program.bad_answer("it has `signature` where `publicKey` was asked for")
                );
            }
            Answer::Error(text) => return Err(program.declined(&text)),
        };
        let scheme =
            Scheme::of(&public).ok_or_else(|| no_scheme(&public).in_file(&program.path))?;
        Ok(Self { program, public, scheme })
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let wanted = Wanted { key: &self.public, scheme: self.scheme, message };
        let given = match self.program.ask(&request("sign", Some(&wanted)))? {
            Answer::Signature(given) => given,
            Answer::PublicKey(_) => {
                return Err(self
                    .program
                    .bad_answer("it has `publicKey` where `signature` was asked for"));
            }
            Answer::Error(text) => return Err(self.program.declined(&text)),
        };
        self.scheme.accepted(&self.public, message, &given).ok_or_else(|| {
            self.program.bad_answer(&format!(
                "the signature ({} bytes) does not verify with the public key, sha256 {}",
                given.len(),
                self.public.fingerprint()
            ))
        })
    }
}

impl Signer for ExecSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(message).map_err(refused)
    }
}

/// What is to be signed.
struct Wanted<'a> {
    key: &'a PublicKey,
    scheme: Scheme,
    message: &'a [u8],
}

/// One question (docs/schemas/signer-request.json).
fn request(purpose: &str, wanted: Option<&Wanted<'_>>) -> Value {
    let hash = wanted.and_then(|wanted| wanted.scheme.hash());
    let digest = wanted.zip(hash).map(|(wanted, hash)| STANDARD.encode(hash.of(wanted.message)));
    json!({
        "apiVersion": "meshctl/v1",
        "kind": "SignerRequest",
        "purpose": purpose,
        "publicKey": wanted.map(|wanted| pem::encode("PUBLIC KEY", wanted.key.as_der())),
        "keyType": wanted.map(|wanted| wanted.key.algorithm().to_string()),
        "algorithm": wanted.map(|wanted| wanted.scheme.name()),
        "hash": hash.map(super::scheme::Hash::name),
        "digest": digest,
        "message": wanted.map(|wanted| STANDARD.encode(wanted.message)),
    })
}

impl Program {
    fn ask(&self, request: &Value) -> Result<Answer, Failure> {
        let mut command = Command::new(&self.path);
        command.args(&self.args);
        for name in &self.hidden {
            command.env_remove(name);
        }
        let terms = Terms {
            patience: self.patience,
            input: Some(format!("{request}\n").into_bytes()),
            interactive: false,
            sweep: true,
        };
        // No signal comes between its start and its registration.
        let cleanups = interrupt::hold();
        let started = |running| cleanups.add(Box::new(End(running)));
        let output =
            child::run(&mut command, terms, started).map_err(|problem| self.not_run(&problem))?;
        if let Some(how) = output.failure() {
            return Err(self.failed(&how, &output));
        }
        Answer::read(&output.out).map_err(|why| self.with_lines(self.bad_answer(&why), &output.err))
    }

    /// The signer, and what went wrong.
    fn failure(&self, what: &str) -> Failure {
        Failure::new("ctl/signer", format!("the signer `{}` {what}", self.path.display()))
    }

    fn not_run(&self, problem: &Problem) -> Failure {
        if let Problem::Start(error) = problem {
            return self.not_started(error);
        }
        let failure = self.failure(&problem.sentence(self.patience));
        match problem {
            Problem::Late => failure
                .hint(format!("`--signer-timeout 5m` gives it more time, and {}", self.alone())),
            Problem::Asks => failure.hint(
                "log in before, or give it what it asks for in a file or in a variable of the environment",
            ),
            Problem::Held => failure.hint("what it leaves running must close its standard output"),
            Problem::Start(_) | Problem::Wait(_) => failure,
        }
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        // A name is looked for in PATH, a path is not.
        let is_path = self.path.components().count() > 1;
        match error.kind() {
            ErrorKind::NotFound if is_path && self.path.exists() => self
                .failure("cannot be run")
                .because("the program that its first line names, or its dynamic loader, does not exist")
                .hint("correct its first line, such as `#!/usr/bin/env bash`, or install that program"),
            ErrorKind::NotFound if is_path => {
                self.failure("was not found").hint("correct the path after `exec:`")
            }
            ErrorKind::NotFound => self.failure("was not found").hint(
                "a name without `/` is looked for in PATH: give the path, as in `exec:./PROGRAM`",
            ),
            ErrorKind::PermissionDenied if self.path.is_dir() => self
                .failure("cannot be run")
                .because("it is a folder")
                .hint("name the program after `exec:`"),
            ErrorKind::PermissionDenied if cfg!(unix) && is_path && self.path.is_file() => self
                .failure("cannot be run")
                .because(error.to_string())
                .hint(format!("`chmod +x {}`", text::word(&self.path))),
            ErrorKind::PermissionDenied => self
                .failure("cannot be run")
                .because(error.to_string())
                .hint("name a program that you may run after `exec:`"),
            _ => self.failure("cannot be run").because(error.to_string()).hint(SCRIPTS),
        }
    }

    fn failed(&self, how: &str, output: &Output) -> Failure {
        // A program that fails may still have said why where it should.
        let failure = match Answer::read(&output.out) {
            Ok(Answer::Error(text)) => self.failure(how).because(shown(&text)),
            _ => self.failure(how),
        };
        self.with_lines(failure, &output.err).hint(format!("nothing was written; {}", self.alone()))
    }

    fn declined(&self, text: &str) -> Failure {
        self.failure("answered with an error")
            .because(shown(text))
            .hint(format!("nothing was written; {}", self.alone()))
    }

    /// The command that shows all the program prints to the first question.
    fn alone(&self) -> String {
        let words: Vec<String> = std::iter::once(self.path.as_path())
            .chain(self.args.iter().map(Path::new))
            .map(text::word)
            .collect();
        let request = json!({"purpose": "public-key"});
        // PowerShell runs what is quoted only after this.
        let call = if cfg!(windows) && words[0].starts_with('\'') { "& " } else { "" };
        format!("`echo '{request}' | {call}{}` asks it for its public key", words.join(" "))
    }

    fn bad_answer(&self, why: &str) -> Failure {
        let what = format!("the answer of the signer `{}` is not valid", self.path.display());
        Failure::new("ctl/signer-answer", what).because(why).hint(CONTRACT)
    }

    /// With the beginning of its standard error.
    fn with_lines(&self, failure: Failure, err: &[u8]) -> Failure {
        let text = String::from_utf8_lossy(err);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.take(LINES).fold(failure, |failure, line| {
            let name = self.path.file_name().unwrap_or_default().to_string_lossy();
            failure.because(format!("{name}: {}", shown(line)))
        })
    }
}

/// The beginning of a text that is not ours.
fn shown(text: &str) -> String {
    let line: String = text.chars().take(LINE).collect();
    if line.len() < text.len() { line + "..." } else { line }
}
