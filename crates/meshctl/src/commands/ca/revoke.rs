//! `meshctl ca revoke`: adds a certificate to the list of what the folder's CAs have revoked.

use std::path::Path;

use meshpki::chain::issued;
use meshpki::internals::digest::hex;
use meshpki::{Cert, Revocation, RevocationList, Time};

use crate::args::Revoke;
use crate::authority::crls::{is_set, revokes_current};
use crate::authority::issuer::root_cert;
use crate::authority::renewal::{old_set, set_in};
use crate::authority::revoked::{self, REVOKED};
use crate::authority::{
    check_cluster_name, is_self_signed, open_workspace, read_certs, refuse_missing, warn_exposed,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text;

/// The CAs of a folder.
struct Known {
    root: Option<Cert>,
    /// Each cluster's present CA, by name.
    present: Vec<(String, Cert)>,
    /// Those in `previous/`, by the name of the cluster.
    earlier: Vec<(String, Cert)>,
}

/// Runs the command.
pub(super) fn run(args: &Revoke, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let now = io.time(args.at)?;
    let dir = &args.dir;
    refuse_missing(dir)?;
    let mut workspace = open_workspace(dir, args.wait.resolved(), io)?;
    warn_exposed(dir, io);
    let known = Known::read(dir, now, io)?;
    let cert = known.chosen(args, now, io)?;
    let issuer = known.issuer(&cert, dir)?;
    let mut list = revoked::read(dir)?;
    let serial = cert.serial_hex();
    let subject = cert.subject().to_string();
    let label = text::safe(&cert.subject().label());
    if let Some(before) = list.get(issuer.public_key(), cert.serial()) {
        let line = format!(
            "`{label}`, serial {serial}, is already revoked, since {}: {}\n",
            before.at, before.reason
        );
        io.print(&line)?;
        return Ok(Exit::Good);
    }
    let entry = Revocation { serial: cert.serial().to_vec(), at: now, reason: args.reason };
    list.add(issuer.public_key(), &subject, entry);
    revoked::stage(dir, &list, &mut workspace)?;
    workspace.sync()?;
    revoked::place(dir, &mut workspace)?;
    workspace.finish()?;
    io.print(&format!("revoked `{label}`, serial {serial}, since {now}: {}\n", args.reason))?;
    known.tell(&cert, &list, dir, now, io);
    Ok(Exit::Good)
}

impl Known {
    fn read(dir: &Path, now: Time, io: &mut Io<'_>) -> Result<Self, Failure> {
        let mut present = Vec::new();
        for (name, path) in files::folders(dir)? {
            // A folder without a CA waits for its certificate.
            match is_set(&path).then(|| set_in(&path, now)) {
                Some(Ok(set)) => present.push((name, set.ca().clone())),
                Some(Err(failure)) => io.warn(&failure),
                None => {}
            }
        }
        let mut earlier = Vec::new();
        for kept in files::kept(dir)? {
            match set_in(&kept.path, now) {
                Ok(set) => earlier.push((kept.cluster().to_owned(), set.ca().clone())),
                Err(failure) => io.warn(&failure),
            }
        }
        Ok(Self { root: root_cert(dir, io)?, present, earlier })
    }

    fn cas(&self) -> impl Iterator<Item = &(String, Cert)> {
        self.present.iter().chain(&self.earlier)
    }

    /// The certificate that was asked for.
    fn chosen(&self, args: &Revoke, now: Time, io: &mut Io<'_>) -> Result<Cert, Failure> {
        if let Some(name) = &args.cluster {
            check_cluster_name(name)?;
            return Ok(old_set(&args.dir, name, now)?.ca().clone());
        }
        if let Some(file) = &args.certificate {
            return Ok(read_certs(file, io)?.swap_remove(0));
        }
        let typed = args.serial.as_deref().unwrap_or_default();
        let digits = typed.replace(':', "").to_ascii_lowercase();
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Failure::usage(format!("`{typed}` is not a serial number in hex")));
        }
        let is_meant = |cert: &&Cert| hex(cert.serial()).trim_start_matches('0') == digits;
        let all = self.root.iter().chain(self.cas().map(|(_, cert)| cert));
        let mut meant: Vec<&Cert> = Vec::new();
        for cert in all.filter(is_meant) {
            if !meant.contains(&cert) {
                meant.push(cert);
            }
        }
        match meant[..] {
            [] => Err(self.unknown(typed, &args.dir)),
            [cert] => Ok(cert.clone()),
            _ => Err(ambiguous(typed, &meant, &args.dir)),
        }
    }

    fn unknown(&self, typed: &str, dir: &Path) -> Failure {
        let what = format!("no CA in this folder has the serial number {typed}");
        let mut failure = Failure::new("ctl/not-revocable", what).in_file(dir);
        for (name, cert) in self.cas() {
            let until = cert.not_after().time().map_or_else(|| "?".to_owned(), Time::date);
            let serial = cert.serial_hex();
            failure = failure.because(format!("{name} has {serial}, valid until {until}"));
        }
        failure.hint(format!(
            "a certificate that is not in the folder is named by its file: `meshctl ca revoke {} --certificate FILE`",
            text::word(dir)
        ))
    }

    /// The CA of the folder that issued a certificate.
    fn issuer(&self, cert: &Cert, dir: &Path) -> Result<&Cert, Failure> {
        let label = cert.subject().label();
        if is_self_signed(cert) {
            let what = format!("`{label}` is a root, which no CRL can revoke");
            return Err(Failure::new("ctl/not-revocable", what)
                .in_file(dir)
                .because("it would have to sign the list that says so, and verifiers trust it by its place in root-cert.pem")
                .hint("give every cluster a new root: `meshctl rotate root plan NEW -f mesh.yaml`"));
        }
        let cas = self.root.iter().chain(self.cas().map(|(_, cert)| cert));
        cas.into_iter().find(|ca| issued(ca, cert)).ok_or_else(|| {
            let what = format!("`{label}` was issued by `{}`", cert.issuer().label());
            Failure::new("ctl/not-revocable", what)
                .in_file(dir)
                .because("that CA is not in this folder, and only it can revoke what it issued")
                .hint(format!(
                    "have its owner revoke serial {}; then `meshctl ca crl {} --add FILE` takes the owner's CRL",
                    cert.serial_hex(),
                    text::word(dir)
                ))
        })
    }

    /// What this means for a cluster, and what comes next.
    fn tell(&self, cert: &Cert, list: &RevocationList, dir: &Path, now: Time, io: &mut Io<'_>) {
        if let Some((name, _)) = self.present.iter().find(|(_, ca)| ca == cert) {
            io.warn(&revokes_current(name, dir));
            let is_valid = |ca: &Cert| ca.not_after().time().is_some_and(|end| end > now);
            let is_revoked = |ca: &Cert| {
                let issuer = self.issuer(ca, dir);
                issuer.is_ok_and(|issuer| list.get(issuer.public_key(), ca.serial()).is_some())
            };
            let of_cluster = self.earlier.iter().filter(|(of, _)| of == name).map(|(_, ca)| ca);
            for ca in of_cluster.filter(|ca| is_valid(ca) && !is_revoked(ca)) {
                io.note(format_args!(
                    "the earlier CA of {name} is still valid; `meshctl ca revoke {} --serial {}` revokes it, too",
                    text::word(dir),
                    ca.serial_hex()
                ));
            }
        }
        let dir = text::word(dir);
        io.note(format_args!("added to {REVOKED}\n\nnext: meshctl ca crl {dir}"));
    }
}

/// Different CAs with one serial number.
fn ambiguous(typed: &str, meant: &[&Cert], dir: &Path) -> Failure {
    let what = format!("{} CAs in this folder have the serial number {typed}", meant.len());
    let mut failure = Failure::new("ctl/not-revocable", what).in_file(dir);
    for cert in meant {
        let (subject, issuer) = (cert.subject().label(), cert.issuer().label());
        failure = failure.because(format!("`{subject}`, issued by `{issuer}`"));
    }
    failure.hint(format!(
        "name the one that is meant by its file: `meshctl ca revoke {} --certificate FILE`",
        text::word(dir)
    ))
}
