//! `meshctl ca sign`: a CSR from anyone becomes a certificate; CA flags come from the profile, never from the CSR.

use std::path::Path;

use meshpki::x509::GeneralName;
use meshpki::{
    Cert, Csr, KeyType, Profile, Role, Serial, SoftKey, Time, TrustDomain, cacerts, issue,
};

use crate::args::Sign;
use crate::authority::consent::{self, Consent};
use crate::authority::issuer::{Authority, ROOT_CERT};
use crate::authority::keys::warn_unproven;
use crate::authority::{cfssl, intermediate, neighbours, open_workspace, request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Workspace};
use crate::io::{Io, check_begin, random};
use crate::text::safe;

/// Runs the command.
pub(crate) fn run(args: &Sign, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let csr = request::read(&args.csr, io)?;
    let key = args.signer.resolved(&args.passphrase);
    let files = (args.ca_cert.as_deref(), args.ca_key.as_deref());
    let mut authority = Authority::chosen(args.ca.as_deref(), files, &key, io)?;
    if let Some(file) = &args.also_trust {
        authority.also_trust(file, io)?;
    }
    let key = csr.verified_key().map_err(|error| Failure::from(error).in_file(&args.csr))?;
    if let Some(kind) = KeyType::of(key.algorithm()) {
        let fix = "ask for a CSR with an ECDSA key on P-256";
        warn_unproven(kind, &format!("`{}`", csr.subject().label()), fix, io);
    }
    let now = io.time(args.at)?;
    let cert = match &args.cfssl_config {
        Some(path) => cfssl_sign(args, path, &csr, &authority, now, io),
        None => {
            let profile = profile(args, &csr, io)?;
            intermediate::make(profile, key, &authority, now, args.validity.is_some(), io)
        }
    }
    .map_err(|failure| failure.in_file(&args.csr))?;
    let place = || args.ca_cert.clone().or_else(|| Some(args.ca.as_ref()?.join(ROOT_CERT)));
    check_trust(&cert, &authority, now)
        .map_err(|failure| place().into_iter().fold(failure, |f, path| f.in_file(&path)))?;
    if args.out != Path::new("-") && authority.roots.is_empty() {
        return Err(no_root(args));
    }
    neighbours::warn_of_same(&folders_of_clusters(args), &args.out, &cert, io);
    check_key(&args.out, &cert)?;
    let consent = Consent {
        cert: &cert,
        issuer: &authority.cert,
        csr: Some(&csr),
        from_stdin: args.csr == Path::new("-"),
        given: args.yes,
    };
    consent::ask(&consent, io)?;
    if args.out == Path::new("-") {
        io.print(&cert.to_pem())?;
        return Ok(Exit::Good);
    }
    write(args, &cert, &authority, io)
}

/// Where other clusters of the CA may be: next to the root, and next to this one's folder.
fn folders_of_clusters(args: &Sign) -> Vec<&Path> {
    let beside = match args.out.parent() {
        _ if args.out == Path::new("-") => None,
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        parent => parent,
    };
    args.ca.as_deref().into_iter().chain(beside).collect()
}

/// What `cfssl sign -config FILE -profile NAME` would make.
fn cfssl_sign(
    args: &Sign,
    path: &Path,
    csr: &Csr,
    authority: &Authority,
    now: Time,
    io: &mut Io<'_>,
) -> Result<Cert, Failure> {
    let profile = cfssl::profile(path, args.profile.as_deref(), io)?;
    let order = cfssl::take(profile.order(csr, &authority.cert, now), path, io)?;
    let stamp = order.stamp(Serial::from_random(random()));
    check_begin(stamp.not_before, &format!("`{}`", order.profile.subject.label()))?;
    Ok(issue(&order.profile, csr.verified_key()?, authority.issuer(), stamp)?)
}

fn profile(args: &Sign, csr: &Csr, io: &mut Io<'_>) -> Result<Profile, Failure> {
    let subject = args.subject.clone().unwrap_or_else(|| csr.subject().clone());
    let mut profile = Profile::cluster(subject);
    profile.role = Role::Ca { path_len: Some(args.path_len) };
    if let Some(validity) = args.validity {
        profile.validity = validity;
    }
    profile.subject_alt_names = intermediate::names(&args.san, "{cluster}")?;
    if let Some(domain) = &args.constrain {
        constrain(&mut profile, domain);
        intermediate::warn_constrained("the new CA is limited to its trust domain", io);
    }
    Ok(profile)
}

fn constrain(profile: &mut Profile, domain: &TrustDomain) {
    profile.permitted_uri_hosts.push(domain.as_str().to_owned());
    let uri = GeneralName::Uri(domain.uri().into_bytes());
    if !profile.subject_alt_names.contains(&uri) {
        profile.subject_alt_names.push(uri);
    }
}

fn no_root(args: &Sign) -> Failure {
    Failure::new("ctl/no-root", "root-cert.pem cannot be written: the issuer's file does not contain a root")
        .in_file(args.ca_cert.as_deref().unwrap_or(&args.csr))
        .hint("append the root to the file given with `--ca-cert`, or print the certificate alone with `--out -`")
}

/// Certificate, chain and roots into the folder, the certificate last, so that a set is never seen half.
fn write(
    args: &Sign,
    cert: &Cert,
    authority: &Authority,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let mut chain = vec![cert.clone()];
    chain.extend(authority.above.iter().cloned());
    let top = chain
        .last()
        .and_then(|last| authority.roots.iter().find(|root| meshpki::chain::issued(root, last)));
    chain.extend(top.cloned());
    let text = |certs: &[Cert]| certs.iter().map(Cert::to_pem).collect::<String>();
    let name = if cert.is_ca() { "ca-cert.pem" } else { "cert.pem" };
    let set = [
        ("cert-chain.pem", text(&chain)),
        ("root-cert.pem", text(&authority.roots)),
        (name, text(std::slice::from_ref(cert))),
    ];
    let mut workspace = open_workspace(&args.out, args.wait.resolved(), io)?;
    place(&args.out, cert, &set, &mut workspace)?;
    workspace.finish()?;
    let until =
        cert.not_after().time().map_or_else(String::new, |t| format!(", until {}", t.date()));
    let out = safe(&args.out.display().to_string());
    let lines = format!(
        "{out}/{name}  signed by {0}{until}\n{1}sha256 {2}\n{out}/cert-chain.pem\n{out}/root-cert.pem\n",
        safe(&authority.cert.subject().label()),
        " ".repeat(out.chars().count() + name.len() + 3),
        cert.fingerprint(),
    );
    io.print(&lines)?;
    Ok(Exit::Good)
}

/// Refuses a certificate that does not lead to one of the roots written with it.
fn check_trust(cert: &Cert, authority: &Authority, now: Time) -> Result<(), Failure> {
    if authority.roots.is_empty() {
        return Ok(());
    }
    let at = cert.not_before().time().map_or(now, |from| from.max(now));
    cacerts::check_trust(cert, &authority.above, &authority.roots, at).map_err(|error| {
        Failure::from(error).hint(
            "`meshctl ca inspect FILE` shows what the issuer's file contains: the issuer, the CAs above it, its root",
        )
    })
}

/// All files or none: what is there already must be the same, or what a run that was cut off left.
fn place(
    out: &Path,
    cert: &Cert,
    set: &[(&str, String); 3],
    workspace: &mut Workspace,
) -> Result<(), Failure> {
    let mut new = Vec::new();
    let unfinished = !out.join(set[2].0).exists();
    for (name, content) in set {
        let path = out.join(name);
        match files::read_optional(&path)? {
            Some(there) if *there == content.as_bytes() => {}
            Some(there) if unfinished && is_cut_off(&there, cert) => {
                new.push((name, content, true))
            }
            Some(_) => {
                return Err(Failure::new(
                    "ctl/exists",
                    format!(
                        "`{}` already exists with different content and is not overwritten",
                        path.display()
                    ),
                )
                .hint("use another `--out` folder, or move that file away first"));
            }
            None => new.push((name, content, false)),
        }
    }
    for (name, content, _) in &new {
        workspace.stage(Path::new(name), content.as_bytes(), false)?;
    }
    workspace.sync()?;
    new.iter().try_for_each(|(name, _, is_there)| {
        let name = Path::new(name);
        if *is_there { workspace.replace(name) } else { workspace.place(name) }
    })
}

/// Whether a chain is that of a certificate for the same key by the same issuer, which never came to its place.
fn is_cut_off(chain: &[u8], cert: &Cert) -> bool {
    let chain = cacerts::certs("cert-chain.pem", chain).unwrap_or_default();
    chain.first().is_some_and(|head| {
        head.public_key().as_der() == cert.public_key().as_der()
            && head.issuer() == cert.issuer()
            && head != cert
    })
}

/// A key that is in the folder must be the one that was certified.
fn check_key(out: &Path, cert: &Cert) -> Result<(), Failure> {
    let path = out.join("ca-key.pem");
    let Some(bytes) = files::read_optional(&path)? else { return Ok(()) };
    if SoftKey::is_encrypted_pem(&bytes) {
        return Ok(());
    }
    let key =
        SoftKey::from_pem(&bytes, None).map_err(|error| Failure::from(error).in_file(&path))?;
    let public = meshpki::Signer::public_key(&key);
    if public == cert.public_key() {
        return Ok(());
    }
    let error = meshpki::Error::KeyMismatch {
        subject: cert.subject().label(),
        certificate: cert.public_key().fingerprint()[..16].to_owned(),
        private: public.fingerprint()[..16].to_owned(),
    };
    Err(Failure::from(error)
        .in_file(&path)
        .hint("`--out` is the folder of another cluster: make sure that it is the right one"))
}
