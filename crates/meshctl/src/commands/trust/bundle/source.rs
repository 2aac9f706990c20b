//! Bundles from files: SPIFFE JSON, a bundle map, or certificates.

use std::path::Path;

use meshpki::cacerts::{self, Layout};
use meshpki::spiffe::{Bundle, BundleMap, BundleProblem, Ignored};
use meshpki::{Cert, Error, TrustDomain};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::word;

/// A bundle as it was read.
pub(in super::super) struct Read {
    /// Its trust domain, which only a bundle map says.
    pub(in super::super) domain: Option<TrustDomain>,
    /// The roots; the trust domain in it has no meaning if the file does not say it.
    pub(in super::super) bundle: Bundle,
    /// What does not count.
    pub(in super::super) ignored: Vec<Ignored>,
    /// Whether it is JSON, which can have a sequence number.
    pub(in super::super) is_json: bool,
}

/// The bundles of a file: of a bundle map all, otherwise one.
///
/// # Errors
/// `ctl/io`, `pki/...`.
pub(super) fn bundles(path: &Path, io: &mut Io<'_>) -> Result<Vec<Read>, Failure> {
    let bytes = files::read(path, io.stdin)?;
    parse(&bytes, path, None)
}

/// The bundle of a trust domain: that of a bundle map, or the only one of the file.
///
/// # Errors
/// `ctl/bundle-domain` if a bundle map does not have it; `ctl/io`, `pki/...`.
pub(in super::super) fn of_domain(
    path: &Path,
    domain: &TrustDomain,
    io: &mut Io<'_>,
) -> Result<Read, Failure> {
    let bytes = files::read(path, io.stdin)?;
    let mut all = parse(&bytes, path, Some(domain))?;
    let is_it = |read: &Read| read.domain.as_ref().is_none_or(|found| found == domain);
    if let Some(i) = all.iter().position(is_it) {
        return Ok(all.swap_remove(i));
    }
    let names: Vec<&str> =
        all.iter().filter_map(|read| Some(read.domain.as_ref()?.as_str())).collect();
    let has = if names.is_empty() { "no bundle".to_owned() } else { names.join(", ") };
    Err(Failure::new("ctl/bundle-domain", format!("the bundle map has no bundle of {domain}"))
        .exit(Exit::No)
        .in_file(path)
        .because(format!("it has {has}"))
        .hint(format!("`meshctl trust bundle show {}` shows every trust domain", word(path))))
}

/// Reads what is in a file.
fn parse(bytes: &[u8], path: &Path, domain: Option<&TrustDomain>) -> Result<Vec<Read>, Failure> {
    let fail = |error: Error| Failure::from(error).in_file(path);
    let domain = match domain {
        Some(domain) => domain.clone(),
        None => "unknown".parse().map_err(|error| fail(Error::TrustDomain(error)))?,
    };
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let bundle = Bundle::new(domain, certs(bytes, path)?);
        return Ok(vec![Read { domain: None, bundle, ignored: vec![], is_json: false }]);
    }
    match BundleMap::from_json(bytes) {
        Ok((map, ignored)) => Ok(apart(&map, &ignored)),
        Err(error) if is_not_a_map(&error) => {
            let (bundle, ignored) = Bundle::from_json(domain, bytes).map_err(fail)?;
            Ok(vec![Read { domain: None, bundle, ignored, is_json: true }])
        }
        Err(error) => Err(fail(error)),
    }
}

/// Whether a document lacks what makes it a bundle map.
pub(super) fn is_not_a_map(error: &Error) -> bool {
    matches!(error, Error::Bundle { place, problem: BundleProblem::Missing { .. } } if place == "trust_domains")
}

/// The bundles of a map, each with what does not count in it.
fn apart(map: &BundleMap, ignored: &[Ignored]) -> Vec<Read> {
    let one = |bundle: &Bundle| {
        let start = format!("trust_domains[\"{}\"].", bundle.trust_domain());
        let own = ignored.iter().filter(|ignored| ignored.place.starts_with(&start));
        Read {
            domain: Some(bundle.trust_domain().clone()),
            bundle: bundle.clone(),
            ignored: own.cloned().collect(),
            is_json: true,
        }
    };
    map.bundles().map(one).collect()
}

/// The roots in a file, or in the folder of a CA or a cluster.
///
/// # Errors
/// `pki/missing-file` for a folder without a file of roots; `ctl/io`, `pki/...`.
pub(super) fn roots(path: &Path, io: &mut Io<'_>) -> Result<Vec<Cert>, Failure> {
    if !path.is_dir() {
        return certs(&files::read(path, io.stdin)?, path);
    }
    let names = Layout::ALL.map(Layout::roots_file);
    for name in names {
        let file = path.join(name);
        if let Some(bytes) = files::read_optional(&file)? {
            return certs(&bytes, &file);
        }
    }
    let file = names.join("` or `");
    Err(Failure::from(Error::MissingFile { file })
        .in_file(path)
        .hint(format!("`meshctl ca init {}` creates a root", word(path))))
}

/// The certificates of a file, PEM or DER.
pub(in super::super) fn certs(bytes: &[u8], path: &Path) -> Result<Vec<Cert>, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let certs = if bytes.first() == Some(&0x30) {
        let cert = Cert::from_der(bytes).map(|cert| vec![cert]);
        cert.map_err(|source| Error::Der { what: name.into_owned(), source })
    } else {
        cacerts::certs(&name, bytes)
    };
    certs.map_err(|error| Failure::from(error).in_file(path))
}
