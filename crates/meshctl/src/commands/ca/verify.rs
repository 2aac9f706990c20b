//! `meshctl ca verify`: a drop-in for `openssl verify` of several releases (`apps/verify.c: verify_main`).
//!
//! Standard output, standard error but for the lines of the error queue, and the exit status are those
//! of openssl. Ours alone: `--explain`, `-o json`, `--at`, `--as`, and exit status 3 where a signature uses an
//! algorithm that is not built in.

mod binary;
mod help;
mod keys;
mod load;
mod locked;
mod open;
mod openssl_args;
mod pem;
mod places;
mod release;
mod report;
mod settings;
mod system;
mod values;
mod verifiers;

use std::ffi::{OsStr, OsString};

use meshpki::Cert;
use meshpki::verify::{Memo, Release, Verdict, verify_with};

use crate::exit::Exit;
use crate::io::Io;
use load::Source;
use locked::{Ask, NoOne};
use open::{What, open};
use settings::Settings;
use system::Want;
use values::distinguishing_id;
use verifiers::{Asked, Panel};

/// What standard input is called.
const STDIN: &str = "<stdin>";
/// Exit status: every certificate is good.
const GOOD: u8 = 0;
/// Exit status: nothing was verified, since an option or a file is not usable.
const NOT_ASKED: u8 = 1;
/// Exit status: a certificate failed, or could not be read.
const FAILED: u8 = 2;
/// Exit status that openssl does not have: no certificate failed, but a signature could not be decided.
const UNDECIDED: u8 = 3;

/// Why a run ends before the first certificate: what to print, and the exit status.
pub(crate) struct Stop {
    err: String,
    status: u8,
}

impl Stop {
    /// An option or a file is not usable.
    fn refused(lines: impl Into<String>) -> Self {
        Self { err: lines.into(), status: NOT_ASKED }
    }
}

/// Runs `ca verify` with the arguments that follow it; answers as `openssl verify` does.
pub(super) fn run(args: &[OsString], io: &mut Io<'_>) -> Exit {
    let answer = Settings::read(args, io).map(|(settings, files)| verify_all(settings, files, io));
    let (out, err, status) = match answer {
        Ok(answer) => answer,
        Err(stop) => (Vec::new(), stop.err.into_bytes(), stop.status),
    };
    write(&out, &err, io);
    match status {
        GOOD => Exit::Good,
        NOT_ASKED => Exit::Failed,
        FAILED => Exit::No,
        _ => Exit::Undecided,
    }
}

/// Standard error first: what openssl reports while it verifies comes before the line of the result.
fn write(out: &[u8], err: &[u8], io: &mut Io<'_>) {
    // A reader that has gone away is not a failure.
    let _ = io.err.write_all(err);
    let _ = io.out.write_all(out);
    let _ = io.out.flush();
}

/// What is still to be printed, the worst status so far, and the signatures checked so far. Bytes: names are printed in
/// forms that are not UTF-8, and files can have names that are not.
struct Answer {
    out: Vec<u8>,
    err: Vec<u8>,
    status: u8,
    json: Vec<serde_json::Value>,
    memo: Memo,
}

fn verify_all(
    mut settings: Settings,
    files: &[OsString],
    io: &mut Io<'_>,
) -> (Vec<u8>, Vec<u8>, u8) {
    let mut answer = Answer {
        out: Vec::new(),
        err: Vec::new(),
        status: GOOD,
        json: Vec::new(),
        memo: Memo::default(),
    };
    if files.is_empty() {
        answer.verify_one(None, &mut settings, io);
    }
    for file in files {
        answer.verify_one(Some(file), &mut settings, io);
        write(&std::mem::take(&mut answer.out), &std::mem::take(&mut answer.err), io);
    }
    if settings.json && settings.asked.is_some() {
        answer.out = verifiers::document(&settings, answer.status, answer.json).into_bytes();
    } else if settings.json {
        answer.out = report::document(&settings.policy, answer.status, answer.json).into_bytes();
    }
    (answer.out, answer.err, answer.status)
}

impl Answer {
    /// `apps/verify.c: check`.
    fn verify_one(&mut self, file: Option<&OsStr>, settings: &mut Settings, io: &mut Io<'_>) {
        let name = file.map_or("stdin".into(), OsStr::to_string_lossy);
        let release = settings.policy.release;
        let read = read_target(file, release, io);
        let found = read.as_ref().map_err(Clone::clone);
        let target = match found.and_then(|read| read.first(release, io)) {
            Ok(target) => target,
            Err(line) => {
                self.json.push(report::unreadable(&name, &line));
                self.say(&format!("{line}\n"));
                // `apps/lib/apps.c: load_cert_pass` of 3.2
                if !release.since(3, 2) {
                    self.say("Unable to load certificate file\n");
                }
                if settings.explain && !settings.json {
                    let others = read.iter().map(|read| read_by_others(read, &name, release));
                    self.say(&others.collect::<String>());
                }
                self.status = FAILED;
                return;
            }
        };
        if let Some(option) =
            settings.verify_options.iter().find(|option| distinguishing_id(option).is_none())
        {
            let problem = format!("parameter error \"{}\"", option.to_string_lossy());
            self.json.push(report::unreadable(&name, &problem));
            self.err.extend_from_slice(b"parameter error \"");
            self.err.extend_from_slice(option.as_encoded_bytes());
            self.err.extend_from_slice(b"\"\n");
            self.status = FAILED;
            return;
        }
        if let Some(asked) = settings.asked {
            return self.ask(asked, &name, &target, settings);
        }
        let policy = &settings.policy;
        let want = Want {
            own_name: policy.partial_chain,
            crls: policy.revocation != meshpki::verify::Revocation::Ignore,
            crl_issuers: policy.crl_kinds.extended,
        };
        settings.store.load_for(&target, &settings.untrusted, &want);
        let inputs = settings.inputs(&target);
        let verdict = verify_with(&inputs, policy, &mut self.memo);
        let others = match settings.json || settings.explain {
            true => verdict.other_answers(&inputs, policy, &mut self.memo),
            false => Vec::new(),
        };
        if settings.json {
            self.json.push(report::verdict(&name, &verdict, &inputs, policy, &others));
        } else {
            self.add_text(file, &verdict, settings);
        }
        if settings.explain && !settings.json {
            self.say(&report::release(&name, release, settings.chosen_by));
            self.say(&report::explained(&name, &verdict, &inputs, policy));
            self.say(&report::others(&name, &others));
            let bytes = read.as_ref().ok().map(|read| read.bytes.as_slice());
            let own = file.zip(bytes).and_then(|(file, bytes)| own_issuer(file, bytes, &verdict));
            self.say(&own.unwrap_or_default());
        }
        self.settle(&name, &verdict);
        settings.store.keep(&verdict.lookups);
    }

    /// `--as`: the answers of other verifiers.
    fn ask(&mut self, asked: Asked, name: &str, target: &Cert, settings: &mut Settings) {
        // Every certificate and CRL that any of them can look for.
        let want = Want { own_name: true, crls: true, crl_issuers: true };
        settings.store.load_for(target, &settings.untrusted, &want);
        let panel = Panel::new(asked, name, target, settings, &mut self.memo);
        if settings.json {
            self.json.push(panel.json());
        } else {
            self.out.extend_from_slice(panel.text(settings.explain).as_bytes());
        }
        self.status = match panel.status() {
            FAILED => FAILED,
            UNDECIDED if self.status == GOOD => UNDECIDED,
            _ => self.status,
        };
    }

    fn say(&mut self, text: &str) {
        self.err.extend_from_slice(text.as_bytes());
    }

    fn add_text(&mut self, file: Option<&OsStr>, verdict: &Verdict, settings: &Settings) {
        let name = file.map_or(&b"stdin"[..], OsStr::as_encoded_bytes);
        let (out, err) = verdict.openssl_bytes(name, &settings.printing());
        self.out.extend_from_slice(&out);
        // Undecided is neither good nor failed.
        let claim = [b"error ", name, b": verification failed\n"].concat();
        let undecided = verdict.undecided.and(err.strip_suffix(claim.as_slice()));
        self.err.extend_from_slice(undecided.unwrap_or(&err));
    }

    /// The worst status wins: failed, undecided, good.
    fn settle(&mut self, name: &str, verdict: &Verdict) {
        if let Some(depth) = verdict.undecided {
            self.say(&undecided(name, verdict, depth));
            if self.status == GOOD {
                self.status = UNDECIDED;
            }
        } else if !verdict.is_ok() {
            self.status = FAILED;
        }
    }
}

/// The sentence for exit status 3.
fn undecided(name: &str, verdict: &Verdict, depth: usize) -> String {
    let subject = verdict.chain.get(depth).map(|cert| cert.subject().to_string());
    format!(
        "meshctl: {name}: undecided: the signature of the certificate at depth {depth} ({}) uses an \
         algorithm that is not built in, so nothing is claimed about it\n",
        subject.unwrap_or_default()
    )
}

/// What was read for a target.
struct Read {
    bytes: Vec<u8>,
    /// The file, or standard input.
    from: String,
}

impl Read {
    /// The first certificate in it; an error is the line to print.
    fn first(&self, release: Release, ask: &mut dyn Ask) -> Result<Cert, String> {
        let first = load::first(&mut Source::new(&self.bytes, &self.from, ask), release);
        first.ok_or_else(|| What::Target.missing(&self.from, release))
    }
}

/// Reads a file or standard input; an error is the line to print.
fn read_target(file: Option<&OsStr>, release: Release, io: &mut Io<'_>) -> Result<Read, String> {
    let Some(file) = file else {
        let mut bytes = Vec::new();
        // What could be read before a failure is what there is, as for openssl.
        let _ = io.stdin.read_to_end(&mut bytes);
        return Ok(Read { bytes, from: STDIN.to_owned() });
    };
    let name = file.to_string_lossy().into_owned();
    let scheme = name.split_once("//").map_or("", |(scheme, _)| scheme);
    if scheme == "https:" {
        return Err("Loading certificate file over HTTPS is unsupported".to_owned());
    }
    if scheme == "http:" {
        return Err(format!("meshctl: certificates are not fetched from the network: {name}"));
    }
    Ok(Read { bytes: open(file, What::Target, release)?, from: name })
}

/// The releases that read a file which this one cannot.
fn read_by_others(read: &Read, name: &str, release: Release) -> String {
    let others = Release::ALL.into_iter().filter(|other| *other != release);
    let names: Vec<&str> =
        others.filter(|other| read.first(*other, &mut NoOne).is_ok()).map(Release::name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "explain {name}: {} reads it, {} does not read a time without seconds or zone\n",
        names.join(" and "),
        release.name()
    )
}

/// The option that finds an issuer which is in the very file: openssl reads the first certificate of it alone.
fn own_issuer(file: &OsStr, bytes: &[u8], verdict: &Verdict) -> Option<String> {
    let end = verdict.chain.last()?;
    verdict.findings.iter().find(|finding| matches!(finding.code.number(), 2 | 20))?;
    let others = load::lenient(&mut Source::new(bytes, "", &mut NoOne), verdict.release).certs;
    let others = others.iter().skip(1).map(|anchor| &anchor.cert);
    let issuer = others.into_iter().find(|cert| cert.subject() == end.issuer())?;
    let name = crate::text::word(std::path::Path::new(file));
    Some(format!(
        "  next: `-untrusted {name}`: the file also has `{}`, but openssl reads only the first certificate of a file\n",
        crate::text::safe(&issuer.subject().label())
    ))
}
