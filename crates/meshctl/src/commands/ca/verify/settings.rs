//! The options of a run, carried out in their order: files are loaded while options are read.

use std::ffi::{OsStr, OsString};
use std::fs;

use meshpki::istiod::Version;
use meshpki::verify::{Anchor, Policies, Policy, Purpose, Revocation};
use meshpki::{Cert, Crl, Time};

use super::load::{self, Found};
use super::openssl_args::{self, Given, Options};
use super::places::Places;
use super::system::Store;
use super::verifiers::Asked;
use super::{GOOD, Stop, open, values};
use crate::args::verify::Id;
use crate::io::Io;

/// The options, resolved.
pub(super) struct Settings {
    /// How to verify.
    pub(super) policy: Policy,
    /// `-untrusted`, all of them.
    pub(super) untrusted: Vec<Cert>,
    /// `-trusted`, all of them; then the trust store is not asked.
    pub(super) trusted: Option<Vec<Anchor>>,
    /// `-CRLfile`, all of them.
    pub(super) crls: Vec<Crl>,
    /// `-CAfile`, or the system's.
    pub(super) store: Store,
    /// `-show_chain`.
    pub(super) show_chain: bool,
    /// `-policy_print`.
    pub(super) policy_print: bool,
    /// `--explain`.
    pub(super) explain: bool,
    /// `-o json`.
    pub(super) json: bool,
    /// `--as`.
    pub(super) asked: Option<Asked>,
    /// `--istio`.
    pub(super) istio: Option<Version>,
    /// Which file each certificate is in.
    pub(super) places: Places,
    given: Vec<Given>,
    ca_file: Option<OsString>,
    no_ca_file: bool,
    no_ca_path: bool,
    no_ca_store: bool,
    no_check_time: bool,
    at: Option<Time>,
    revocation_leaf: bool,
    revocation_chain: bool,
}

impl Settings {
    /// Reads the options and loads their files; the rest are the certificates to verify.
    pub(super) fn read<'a>(
        args: &'a [OsString],
        io: &Io<'_>,
    ) -> Result<(Self, &'a [OsString]), Stop> {
        let mut settings = Self::new(io.now);
        let mut options = Options::new(args);
        loop {
            match options.next() {
                Ok(Some(given)) => {
                    settings.take(&given)?;
                    settings.given.push(given);
                }
                Ok(None) => break,
                Err(line) => {
                    return Err(Stop::refused(format!("{line}\nverify: Use -help for summary.\n")));
                }
            }
        }
        settings.refuse_openssls()?;
        settings.finish(io)?;
        Ok((settings, options.rest()))
    }

    fn new(now: Time) -> Self {
        Self {
            policy: Policy::like_openssl(now),
            untrusted: Vec::new(),
            trusted: None,
            crls: Vec::new(),
            store: Store::default(),
            show_chain: false,
            policy_print: false,
            explain: false,
            json: false,
            asked: None,
            istio: None,
            places: Places::default(),
            given: Vec::new(),
            ca_file: None,
            no_ca_file: false,
            no_ca_path: false,
            no_ca_store: false,
            no_check_time: false,
            at: None,
            revocation_leaf: false,
            revocation_chain: false,
        }
    }

    fn take(&mut self, given: &Given) -> Result<(), Stop> {
        match given.id {
            Id::Help => {
                return Err(Stop { out: String::new(), err: HELP.to_owned(), status: GOOD });
            }
            Id::LeftOut => {
                return Err(Stop::refused(format!(
                    "verify: Option -{} is not supported by meshctl\n",
                    given.name
                )));
            }
            Id::Nothing => {}
            Id::CaFile => self.ca_file = Some(given.value.clone()),
            Id::Trusted => self.add_trusted(&given.value)?,
            Id::Untrusted => {
                let found = certs(&given.value, "untrusted certificates")?;
                self.places.add_untrusted(&given.value, &found);
                self.untrusted.extend(found.into_iter().map(|anchor| anchor.cert));
            }
            Id::CrlFile => self.add_crls(&given.value)?,
            Id::NoCaFile => self.no_ca_file = true,
            Id::NoCaPath => self.no_ca_path = true,
            Id::NoCaStore => self.no_ca_store = true,
            Id::PolicyPrint => self.policy_print = true,
            Id::ShowChain => self.show_chain = true,
            Id::NameOpt => name_option(&given.text())?,
            Id::Explain => self.explain = true,
            Id::Output => self.json = output(&given.text())?,
            Id::At => self.at = Some(instant(&given.text())?),
            Id::As => self.asked = Some(asked(&given.text())?),
            Id::Istio => self.istio = Some(istio(&given.text())?),
            Id::AtTime => self.at = Some(Time(given.number)),
            Id::NoCheckTime => self.no_check_time = true,
            Id::CrlCheck => self.revocation_leaf = true,
            Id::CrlCheckAll => self.revocation_chain = true,
            _ => self.take_policy(given)?,
        }
        Ok(())
    }

    /// `apps/lib/opt.c: opt_verify`.
    fn take_policy(&mut self, given: &Given) -> Result<(), Stop> {
        let policy = &mut self.policy;
        let text = given.text();
        match given.id {
            Id::Purpose => {
                let purpose = Purpose::from_name(&text)
                    .ok_or_else(|| Stop::refused(format!("verify: Invalid purpose {text}\n")))?;
                policy.purpose = Some(purpose);
            }
            Id::Policy => {
                let oid = values::policy(&text)
                    .ok_or_else(|| Stop::refused(format!("verify: Invalid Policy {text}\n")))?;
                policies(policy).acceptable.push(oid);
            }
            Id::Depth => {
                policy.max_depth = non_negative(&text).unwrap_or(policy.max_depth);
            }
            Id::AuthLevel => {
                let level = non_negative(&text).and_then(|level| u32::try_from(level).ok());
                policy.auth_level = level.unwrap_or(policy.auth_level);
            }
            Id::Hostname => policy.host = Some(text).filter(|host| !host.is_empty()),
            Id::Email => policy.email = Some(text),
            // openssl says nothing at all about a bad address.
            Id::Ip => policy.ip = Some(values::ip(&text).ok_or_else(|| Stop::refused(""))?),
            Id::IgnoreCritical => policy.ignore_critical = true,
            Id::PolicyCheck => drop(policies(policy)),
            Id::ExplicitPolicy => policies(policy).explicit = true,
            Id::InhibitAny => policies(policy).inhibit_any = true,
            Id::InhibitMap => policies(policy).inhibit_mapping = true,
            Id::Strict => policy.strict = true,
            Id::CheckSelfSigned => policy.check_self_signed_signature = true,
            Id::PartialChain => policy.partial_chain = true,
            _ => {}
        }
        Ok(())
    }

    fn add_trusted(&mut self, file: &OsStr) -> Result<(), Stop> {
        (self.no_ca_file, self.no_ca_path, self.no_ca_store) = (true, true, true);
        let found = certs(file, "trusted certificates")?;
        self.places.add_trusted(file, &found);
        self.trusted.get_or_insert_default().extend(found);
        Ok(())
    }

    /// Other verifiers than OpenSSL have fewer options; one of OpenSSL's would be without effect.
    fn refuse_openssls(&self) -> Result<(), Stop> {
        let Some(asked) = self.asked else {
            return match self.istio {
                Some(_) => Err(Stop::refused("verify: Option --istio needs --as\n")),
                None => Ok(()),
            };
        };
        let mut given = self.given.iter();
        let Some(given) = given.find(|given| given.is_openssls(asked == Asked::All)) else {
            return Ok(());
        };
        let value = if given.id == Id::Purpose { given.text() } else { String::new() };
        let option = format!("-{} {value}", given.name);
        Err(Stop::refused(format!(
            "verify: Option {} cannot be used with --as: only OpenSSL has it\n",
            option.trim_end()
        )))
    }

    fn add_crls(&mut self, file: &OsStr) -> Result<(), Stop> {
        let found = loaded(file, "other CRLs")?;
        if found.crls.is_empty() {
            return Err(nothing(file, "other CRLs"));
        }
        self.crls.extend(found.crls);
        Ok(())
    }

    /// What is settled once all options are known: the trust store, the time, whose CRLs.
    fn finish(&mut self, io: &Io<'_>) -> Result<(), Stop> {
        if self.trusted.is_some() && self.ca_file.is_some() {
            return Err(Stop::refused(
                "verify: Cannot use -trusted with -CAfile, -CApath or -CAstore\n",
            ));
        }
        if let Some(file) = &self.ca_file {
            let found = fs::read(file).ok().and_then(|bytes| load::strict(&bytes));
            let name = file.to_string_lossy();
            let found =
                found.ok_or_else(|| Stop::refused(format!("Error loading file {name}\n")))?;
            self.places.add_trusted(file, &found.certs);
            self.store.add(found);
        } else if !self.no_ca_file {
            self.store.add_default_file(io.env);
        }
        if !self.no_ca_path {
            self.store.ask_default_dirs(io.env);
        }
        if !self.no_ca_store {
            self.store.ask_default_store(io.env);
        }
        match self.at {
            Some(at) => self.policy.at = Some(at),
            None if self.no_check_time => self.policy.at = None,
            None => {}
        }
        // -crl_check_all alone sets both flags of openssl, -crl_check only the first.
        self.policy.revocation = match (self.revocation_leaf, self.revocation_chain) {
            (_, true) => Revocation::Chain,
            (true, false) => Revocation::Leaf,
            (false, false) => Revocation::Ignore,
        };
        Ok(())
    }
}

fn certs(file: &OsStr, what: &str) -> Result<Vec<Anchor>, Stop> {
    let found = loaded(file, &format!("certs of {what}"))?;
    if found.certs.is_empty() { Err(nothing(file, what)) } else { Ok(found.certs) }
}

fn loaded(file: &OsStr, what: &str) -> Result<Found, Stop> {
    match open(file, what) {
        Ok(bytes) => Ok(load::lenient(&bytes)),
        Err(line) => Err(Stop::refused(line + "\n")),
    }
}

fn nothing(file: &OsStr, what: &str) -> Stop {
    Stop::refused(format!("Could not read any {what} from {}\n", file.to_string_lossy()))
}

fn policies(policy: &mut Policy) -> &mut Policies {
    policy.policies.get_or_insert_default()
}

/// Depths and levels below 0 are passed over.
fn non_negative(text: &str) -> Option<usize> {
    usize::try_from(openssl_args::atoi(text)).ok()
}

/// What `-nameopt` knows (`apps/lib/apps.c: set_name_ex`).
const NAME_OPTIONS: [&str; 28] = [
    "esc_2253",
    "esc_2254",
    "esc_ctrl",
    "esc_msb",
    "use_quote",
    "utf8",
    "ignore_type",
    "show_type",
    "dump_all",
    "dump_nostr",
    "dump_der",
    "compat",
    "sep_comma_plus",
    "sep_comma_plus_space",
    "sep_semi_plus_space",
    "sep_multiline",
    "dn_rev",
    "nofname",
    "sname",
    "lname",
    "align",
    "oid",
    "space_eq",
    "dump_unknown",
    "RFC2253",
    "oneline",
    "multiline",
    "ca_default",
];

/// Names are printed in openssl's default form, and in no other.
fn name_option(text: &str) -> Result<(), Stop> {
    if text == "oneline" {
        return Ok(());
    }
    // openssl says nothing at all about a name it does not know.
    let known = |part: &str| NAME_OPTIONS.iter().any(|name| name.eq_ignore_ascii_case(part));
    let sign = |part: &str| part.strip_prefix(['-', '+']).map_or_else(|| known(part), known);
    if !text.split(',').filter(|part| !part.is_empty()).all(sign) {
        return Err(Stop::refused(""));
    }
    Err(Stop::refused(format!(
        "verify: -nameopt {text} is not supported by meshctl, only oneline\n"
    )))
}

fn output(text: &str) -> Result<bool, Stop> {
    match text {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(Stop::refused(format!("verify: Invalid output {text}, use text or json\n"))),
    }
}

fn instant(text: &str) -> Result<Time, Stop> {
    text.parse::<Time>().ok().ok_or_else(|| {
        Stop::refused(format!("verify: Invalid time {text}, use 2030-01-31T12:00:00Z\n"))
    })
}

fn asked(text: &str) -> Result<Asked, Stop> {
    Asked::from_name(text).ok_or_else(|| {
        Stop::refused(format!("verify: Invalid verifier {text}, use go, envoy, ztunnel or all\n"))
    })
}

fn istio(text: &str) -> Result<Version, Stop> {
    text.parse().ok().ok_or_else(|| {
        Stop::refused(format!("verify: Invalid Istio release {text}, use one such as 1.30.3\n"))
    })
}

/// `-help`: our own summary of what we take.
const HELP: &str = "\
Usage: verify [options] [cert...]

The options of `openssl verify` 3.0.22, with one dash or two, `-option value` or `-option=value`:
  -CAfile FILE  -trusted FILE  -untrusted FILE  -CRLfile FILE
  -no-CAfile  -no-CApath  -no-CAstore    do not use the system's trust store
  -show_chain  -verbose  -nameopt oneline
  -attime SECONDS  -no_check_time  -purpose NAME  -verify_depth N  -auth_level N
  -verify_hostname NAME  -verify_ip ADDRESS  -verify_email ADDRESS
  -crl_check  -crl_check_all  -partial_chain  -x509_strict  -check_ss_sig  -ignore_critical
  -policy OID  -policy_check  -explicit_policy  -inhibit_any  -inhibit_map  -policy_print

Not in openssl:
  --at TIME     like -attime, but in RFC 3339: 2030-01-31T12:00:00Z
  --explain     print the reason for each error, and what to do
  -o json       print one JSON document instead of text
  --as NAME     ask another verifier of the mesh: go (istiod, agents), envoy or ztunnel;
                all prints a table of the answers, OpenSSL's too
  --istio N     with --as: the verifiers of that Istio release, such as 1.30.3 (default: the newest)

--as takes the options that name files or the time, and -purpose sslclient or sslserver. Without
-purpose, the certificate must be valid for a client and for a server, as every workload is both.

Exit status: 0 if every certificate is valid, 1 if an option or a file cannot be used, 2 if a
certificate is not valid or cannot be read, 3 if a signature uses an algorithm that is not built in.
";
