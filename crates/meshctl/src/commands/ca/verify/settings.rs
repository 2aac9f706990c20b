//! The options of a run, carried out in their order: files are loaded while options are read.

use std::ffi::{OsStr, OsString};
use std::fs;

use meshpki::istiod::Version;
use meshpki::verify::{
    Anchor, Inputs, Policies, Policy, Printing, Purpose, Release, Revocation, SuiteB,
};
use meshpki::{Cert, Crl, NameForm, Time};

use super::load::{self, Found, Source};
use super::locked::Ask;
use super::open::{What, open};
use super::openssl_args::{self, Given, Options};
use super::places::Places;
use super::release::{self, Chosen};
use super::system::Store;
use super::verifiers::Asked;
use super::{GOOD, Stop, values};
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
    /// `--explain`.
    pub(super) explain: bool,
    /// What chose the release.
    pub(super) chosen_by: &'static str,
    /// `-o json`.
    pub(super) json: bool,
    /// `--as`.
    pub(super) asked: Option<Asked>,
    /// `--istio`.
    pub(super) istio: Option<Version>,
    /// Which file each certificate is in.
    pub(super) places: Places,
    given: Vec<Given>,
    /// `-nameopt`, all of them.
    names: Option<NameForm>,
    show_chain: bool,
    policy_print: bool,
    ca_file: Option<OsString>,
    ca_path: Option<OsString>,
    ca_store: Option<OsString>,
    /// `-vfyopt`, all of them.
    pub(super) verify_options: Vec<OsString>,
    no_ca_file: bool,
    no_ca_path: bool,
    no_ca_store: bool,
    no_check_time: bool,
    at: Option<Time>,
    revocation_leaf: bool,
    revocation_chain: bool,
}

impl Settings {
    /// The trust store, or what `-trusted` has instead.
    pub(super) fn anchors(&self) -> &[Anchor] {
        self.trusted.as_deref().unwrap_or(&self.store.found.certs)
    }

    /// What a target is verified with.
    pub(super) fn inputs<'a>(&'a self, target: &'a Cert) -> Inputs<'a> {
        let mut inputs = Inputs::new(target, &self.untrusted, self.anchors())
            .with_crls(&self.crls)
            .with_store_crls(&self.store.found.crls);
        inputs.trusted_apart = self.trusted.is_some();
        inputs
    }

    /// Reads the options and loads their files; the rest are the certificates to verify.
    pub(super) fn read<'a>(
        args: &'a [OsString],
        io: &mut Io<'_>,
    ) -> Result<(Self, &'a [OsString]), Stop> {
        let Chosen { release, by } = release::chosen(args, io.env)?;
        let mut settings = Self::new(io.now, release);
        settings.chosen_by = by;
        let mut options = Options::new(args, release);
        loop {
            match options.next() {
                Ok(Some(given)) => {
                    settings.take(&given, io)?;
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

    fn new(now: Time, release: Release) -> Self {
        Self {
            policy: Policy::like_openssl(now).with_release(release),
            untrusted: Vec::new(),
            trusted: None,
            crls: Vec::new(),
            store: Store::new(release),
            explain: false,
            chosen_by: "",
            json: false,
            asked: None,
            istio: None,
            places: Places::default(),
            given: Vec::new(),
            names: None,
            show_chain: false,
            policy_print: false,
            ca_file: None,
            ca_path: None,
            ca_store: None,
            verify_options: Vec::new(),
            no_ca_file: false,
            no_ca_path: false,
            no_ca_store: false,
            no_check_time: false,
            at: None,
            revocation_leaf: false,
            revocation_chain: false,
        }
    }

    fn take(&mut self, given: &Given, ask: &mut dyn Ask) -> Result<(), Stop> {
        match given.id {
            Id::Help => {
                return Err(Stop { err: super::help::text(self.policy.release), status: GOOD });
            }
            Id::LeftOut => {
                let reason = match given.name {
                    "crl_download" => "it would fetch CRLs from the network",
                    _ => "it would load code at run time",
                };
                return Err(Stop::refused(format!(
                    "verify: Option -{} is not supported by meshctl: {reason}\n",
                    given.name
                )));
            }
            // Looked for before the others.
            Id::OpenSsl | Id::Nothing => {}
            Id::CaFile => self.ca_file = Some(given.value.clone()),
            Id::Trusted => self.add_trusted(&given.value, ask)?,
            Id::Untrusted => {
                let found = certs(&given.value, What::Untrusted, self.policy.release, ask)?;
                self.places.add_untrusted(&given.value, &found);
                self.untrusted.extend(found.into_iter().map(|anchor| anchor.cert));
            }
            Id::CrlFile => self.add_crls(&given.value, ask)?,
            Id::CaPath => self.ca_path = Some(given.value.clone()),
            Id::CaStore => self.ca_store = Some(given.value.clone()),
            Id::VerifyOption => {
                self.policy.distinguishing_id = values::distinguishing_id(&given.value);
                self.verify_options.push(given.value.clone());
            }
            Id::NoCaFile => self.no_ca_file = true,
            Id::NoCaPath => self.no_ca_path = true,
            Id::NoCaStore => self.no_ca_store = true,
            Id::PolicyPrint => self.policy_print = true,
            Id::ShowChain => self.show_chain = true,
            Id::NameOpt => self.add_name_options(&given.text())?,
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
                    .filter(|purpose| purpose.is_of(policy.release))
                    .ok_or_else(|| Stop::refused(format!("verify: Invalid purpose {text}\n")))?;
                policy.purpose = Some(purpose);
            }
            Id::Policy => {
                let oid = values::policy(&text, policy.release)
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
            Id::Ip => {
                policy.ip =
                    Some(values::ip(&text, policy.release).ok_or_else(|| Stop::refused(""))?)
            }
            Id::IgnoreCritical => policy.ignore_critical = true,
            Id::PolicyCheck => drop(policies(policy)),
            Id::ExplicitPolicy => policies(policy).explicit = true,
            Id::InhibitAny => policies(policy).inhibit_any = true,
            Id::InhibitMap => policies(policy).inhibit_mapping = true,
            Id::Strict => policy.strict = true,
            Id::CheckSelfSigned => policy.check_self_signed_signature = true,
            Id::PartialChain => policy.partial_chain = true,
            Id::AllowProxies => policy.allow_proxies = true,
            Id::ExtendedCrl => policy.crl_kinds.extended = true,
            Id::UseDeltas => policy.crl_kinds.deltas = true,
            Id::SuiteB128Only => add_suite_b(policy, SuiteB::LEVEL_128_ONLY),
            Id::SuiteB128 => add_suite_b(policy, SuiteB::LEVEL_128),
            Id::SuiteB192 => add_suite_b(policy, SuiteB::LEVEL_192),
            Id::VerifyName => values::named_policy(&text, policy)
                .ok_or_else(|| Stop::refused(format!("verify: Invalid verify name {text}\n")))?,
            _ => {}
        }
        Ok(())
    }

    /// `apps/lib/apps.c: set_nameopt`: options add to those before them, and the first to nothing.
    fn add_name_options(&mut self, list: &str) -> Result<(), Stop> {
        let before = self.names.or_else(|| self.policy.release.name_form().with_options("compat"));
        let names = before.and_then(|names| names.with_options(list));
        // openssl says nothing at all about a name it does not know.
        self.names = Some(names.ok_or_else(|| Stop::refused(""))?);
        Ok(())
    }

    /// How to print what is found.
    pub(super) fn printing(&self) -> Printing {
        let names = self.names.unwrap_or_else(|| self.policy.release.name_form());
        let mut printing = Printing::new(names);
        (printing.chain, printing.policies) = (self.show_chain, self.policy_print);
        printing
    }

    fn add_trusted(&mut self, file: &OsStr, ask: &mut dyn Ask) -> Result<(), Stop> {
        (self.no_ca_file, self.no_ca_path, self.no_ca_store) = (true, true, true);
        let found = certs(file, What::Trusted, self.policy.release, ask)?;
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

    fn add_crls(&mut self, file: &OsStr, ask: &mut dyn Ask) -> Result<(), Stop> {
        let release = self.policy.release;
        let found = loaded(file, What::Crls, release, ask)?;
        if found.crls.is_empty() {
            return Err(nothing(file, What::Crls, release));
        }
        self.crls.extend(found.crls);
        Ok(())
    }

    /// `-CApath` and `-CAstore`, otherwise the system's (`apps/lib/apps.c: setup_verify`).
    fn finish_store(&mut self, io: &Io<'_>) -> Result<(), Stop> {
        if let Some(dirs) = &self.ca_path {
            let dirs = dirs.to_string_lossy();
            if !self.store.ask_dirs(&dirs) {
                return Err(Stop::refused(format!("Error loading directory {dirs}\n")));
            }
        } else if !self.no_ca_path {
            self.store.ask_default_dirs(io.env);
        }
        if let Some(uri) = &self.ca_store {
            let uri = uri.to_string_lossy();
            if !self.store.ask_store(&uri) {
                return Err(Stop::refused(format!("Error loading store URI {uri}\n")));
            }
        } else if !self.no_ca_store {
            self.store.ask_default_store(io.env);
        }
        Ok(())
    }

    /// What is settled once all options are known: the trust store, the time, whose CRLs.
    fn finish(&mut self, io: &Io<'_>) -> Result<(), Stop> {
        let stores = [&self.ca_file, &self.ca_path, &self.ca_store];
        if self.trusted.is_some() && stores.iter().any(|store| store.is_some()) {
            return Err(Stop::refused(
                "verify: Cannot use -trusted with -CAfile, -CApath or -CAstore\n",
            ));
        }
        if let Some(file) = &self.ca_file {
            let release = self.policy.release;
            let found = fs::read(file).ok().and_then(|bytes| load::ca_file(&bytes, release));
            let name = file.to_string_lossy();
            let found =
                found.ok_or_else(|| Stop::refused(format!("Error loading file {name}\n")))?;
            self.places.add_trusted(file, &found.certs);
            self.store.add(found);
        } else if !self.no_ca_file {
            self.store.add_default_file(io.env);
        }
        self.finish_store(io)?;
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

/// Levels add up.
fn add_suite_b(policy: &mut Policy, level: SuiteB) {
    policy.suite_b = Some(policy.suite_b.map_or(level, |before| before.or(level)));
}

fn certs(
    file: &OsStr,
    what: What,
    release: Release,
    ask: &mut dyn Ask,
) -> Result<Vec<Anchor>, Stop> {
    let found = loaded(file, what, release, ask)?;
    if found.certs.is_empty() { Err(nothing(file, what, release)) } else { Ok(found.certs) }
}

fn loaded(file: &OsStr, what: What, release: Release, ask: &mut dyn Ask) -> Result<Found, Stop> {
    let name = file.to_string_lossy();
    match open(file, what, release) {
        Ok(bytes) => Ok(load::lenient(&mut Source::new(&bytes, &name, ask), release)),
        Err(line) => Err(Stop::refused(line + "\n")),
    }
}

fn nothing(file: &OsStr, what: What, release: Release) -> Stop {
    Stop::refused(what.missing(&file.to_string_lossy(), release) + "\n")
}

fn policies(policy: &mut Policy) -> &mut Policies {
    policy.policies.get_or_insert_default()
}

/// Depths and levels below 0 are passed over.
fn non_negative(text: &str) -> Option<usize> {
    usize::try_from(openssl_args::atoi(text)).ok()
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
