//! The CRLs of a CA folder: one for every CA of its clusters' chains, all of them in each cluster's folder, since a
//! proxy with any CRL needs one for each certificate of a chain that it is shown.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshpki::cacerts::Layout;
use meshpki::internals::{DAY, crl_signature, pem};
use meshpki::{
    CaCerts, Cert, Crl, CrlStamp, Error, Issuer, Revocation, RevocationList, SignatureCheck, Time,
    issue_crl,
};
use zeroize::Zeroizing;

use super::issuer::{Authority, ROOT_CERT, ROOT_KEY, root_cert};
use super::renewal::set_in;
use super::signer::KeySource;
use super::summary::layout_of;
use super::{open_workspace, revoked, warn_exposed, warn_stray};
use crate::failure::Failure;
use crate::files::{self, Wait, Workspace};
use crate::io::Io;
use crate::text;

/// File of the root's CRL alone, in a CA folder.
pub(crate) const ROOT_CRL: &str = "root-crl.pem";
/// File of all CRLs, in a cluster's folder: istiod's name for it.
pub(crate) const CLUSTER_CRL: &str = "ca-crl.pem";

/// CRLs to be made.
pub(crate) struct Crls<'a> {
    /// The CA's folder.
    pub(crate) dir: &'a Path,
    /// How long they are valid; `None`: as long as the last ones, 30 days at first.
    pub(crate) validity: Option<Duration>,
    /// Files with CRLs of CAs whose keys are elsewhere.
    pub(crate) add: &'a [PathBuf],
    /// The list of what is revoked is emptied first.
    pub(crate) clear: bool,
    /// The root key.
    pub(crate) key: &'a KeySource,
    /// Patience with another run in the folder.
    pub(crate) wait: Wait,
}

/// What was made.
pub(crate) struct Made {
    /// The CRLs, the root's first.
    pub(crate) crls: Vec<Crl>,
    /// The clusters whose folders have them now, sorted.
    pub(crate) clusters: Vec<String>,
    /// Clusters whose own CA is revoked.
    pub(crate) revoked: Vec<String>,
}

/// Everything in a folder that CRLs are made of.
struct Folder {
    root: Option<Cert>,
    /// The clusters by name.
    clusters: Vec<(String, CaCerts)>,
    /// The sets in `previous/` whose CA is still valid.
    earlier: Vec<CaCerts>,
    /// The CAs in `previous/` that have expired.
    ended: Vec<Cert>,
    list: RevocationList,
    /// The CRLs in its files, each once.
    there: Vec<Crl>,
    /// The files of CRLs: of each cluster whose istiod reads one from files of these names.
    files: Vec<(String, Option<Zeroizing<Vec<u8>>>)>,
}

/// How long CRLs are valid if nothing else is said.
const VALIDITY: Duration = DAY.saturating_mul(30);

/// Whether clusters of a folder have CRLs.
pub(crate) fn in_use(dir: &Path) -> bool {
    let folders = files::folders(dir).unwrap_or_default();
    folders.iter().any(|(_, folder)| folder.join(CLUSTER_CRL).exists())
}

/// Whether the time has come to make a CRL again: less is left than `within`, or without it than a third of its time.
fn is_due(crl: &Crl, within: Option<Duration>, now: Time) -> bool {
    let left = crl.end().map(|end| end.since(now));
    let Some((left, within)) = left.zip(within.or(crl.renew_within())) else { return true };
    left < within
}

/// Whether two CRLs are of one CA, by its name and the identifier of its key.
pub(crate) fn is_of_same(one: &Crl, other: &Crl) -> bool {
    one.issuer() == other.issuer() && one.authority_key_id() == other.authority_key_id()
}

fn has_expired(crl: &Crl, now: Time) -> bool {
    crl.end().is_some_and(|end| end <= now)
}

/// Why the CRLs of a folder must be made again; `None`: they are complete, and those that are signed here say what the
/// list says and have time left.
///
/// # Errors
/// `ctl/revocations`, `ctl/exists`, `ctl/io`, `pki/...`.
pub(crate) fn why_due(
    dir: &Path,
    key: &KeySource,
    within: Option<Duration>,
    now: Time,
    io: &mut Io<'_>,
) -> Result<Option<String>, Failure> {
    let folder = Folder::read(dir, &[], now, io)?;
    let needed = folder.needed();
    for cert in &needed {
        let label = cert.subject().label();
        let Some(crl) = folder.newest(cert) else {
            return Ok(Some(format!("there is no CRL of `{label}`")));
        };
        if !lists_all(crl, cert, &folder.list) {
            let what = "does not list a certificate of revoked.txt";
            return Ok(Some(format!("the CRL of `{label}` {what}")));
        }
        if !folder.is_own(cert, key.can_sign(dir)) {
            continue;
        }
        if crl.len() > folder.list.of(cert.public_key()).len() {
            let what = "lists certificates that are not in revoked.txt";
            return Ok(Some(format!("the CRL of `{label}` {what}")));
        }
        if is_due(crl, within, now) {
            let end = crl.end().map_or_else(|| "?".to_owned(), |end| end.to_string());
            return Ok(Some(format!("the CRL of `{label}` ends {end}")));
        }
    }
    if let Some(crl) = folder.of_others(&needed).into_iter().find(|crl| has_expired(crl, now)) {
        return Ok(Some(format!("the CRL of `{}` has expired", crl.issuer().label())));
    }
    // An interrupted run leaves some with the CRLs from before.
    let files = &folder.files;
    let odd = files.iter().find(|(_, text)| text.is_none() || *text != files[0].1);
    Ok(odd.map(|(name, _)| format!("{name} lacks the newest CRLs")))
}

impl<'a> Crls<'a> {
    /// All of them once more, valid as long as the last ones.
    pub(crate) const fn again(dir: &'a Path, key: &'a KeySource, wait: Wait) -> Self {
        Self { dir, validity: None, add: &[], clear: false, key, wait }
    }

    /// New CAs have come to the folder, which have no CRL yet. If clusters have CRLs, all are made again, because a
    /// proxy that has any needs one for each CA. The clusters that have them.
    ///
    /// # Errors
    /// As [`Self::run`], with what to do: the new CAs stay.
    pub(crate) fn for_new_cas(
        &self,
        now: Time,
        root: Option<Authority>,
        io: &mut Io<'_>,
    ) -> Result<Vec<String>, Failure> {
        if !in_use(self.dir) {
            return Ok(Vec::new());
        }
        let made = self.run(now, root, io).map_err(|failure| self.afterwards(failure))?;
        io.note(format_args!(
            "the CRLs of {} were made again, with those of the new CAs",
            made.clusters.join(", ")
        ));
        Ok(made.clusters)
    }

    /// The failure to make CRLs, after everything else was done.
    fn afterwards(&self, failure: Failure) -> Failure {
        let failure = failure.because("the new CAs are in place; their CRLs are not");
        // What has to be obtained from elsewhere is in its own hint.
        if failure.code() == "ctl/crl-missing" {
            return failure;
        }
        let signer = if self.key.is_outside() { " with the same `--root-signer`" } else { "" };
        failure.hint(format!(
            "once that is solved, `meshctl ca crl {}`{signer} makes them",
            text::word(self.dir)
        ))
    }

    /// Makes and writes them.
    ///
    /// # Errors
    /// `ctl/crl-missing`, `ctl/exists`, `ctl/revocations`, `ctl/busy`, `ctl/io`, `pki/...`.
    pub(crate) fn run(
        &self,
        now: Time,
        root: Option<Authority>,
        io: &mut Io<'_>,
    ) -> Result<Made, Failure> {
        let mut workspace = open_workspace(self.dir, self.wait, io)?;
        warn_exposed(self.dir, io);
        let mut folder = Folder::read(self.dir, self.add, now, io)?;
        if self.clear {
            folder.list = RevocationList::default();
            revoked::stage(self.dir, &folder.list, &mut workspace)?;
        }
        let root = match root {
            None if self.key.can_sign(self.dir) => {
                Some(Authority::from_dir(self.dir, self.key, io)?)
            }
            root => root,
        };
        let mut crls = self.make(&folder, root.as_ref(), now)?;
        folder.keep_others(&mut crls, now, io);
        self.write(&folder, &crls, &mut workspace)?;
        workspace.finish()?;
        let is_revoked = |set: &CaCerts| crls.iter().any(|crl| revokes(crl, set.ca()));
        let own = folder.clusters.iter().filter(|(_, set)| is_revoked(set));
        let revoked = own.map(|(name, _)| name.clone()).collect();
        let clusters: Vec<String> = folder.files.iter().map(|(name, _)| name.clone()).collect();
        for (name, _) in folder.clusters.iter().filter(|(name, _)| !clusters.contains(name)) {
            io.warn(
                &Failure::new("istiod/crl-ignored", format!("`{name}` gets no CRLs"))
                    .in_file(&self.dir.join(name))
                    .because("istiod does not read ca-crl.pem together with tls.crt"),
            );
        }
        Ok(Made { crls, clusters, revoked })
    }

    /// A CRL of each CA: made where its key is here, else one that is there.
    fn make(
        &self,
        folder: &Folder,
        root: Option<&Authority>,
        now: Time,
    ) -> Result<Vec<Crl>, Failure> {
        let mut crls = Vec::new();
        let mut issuers: Vec<Issuer<'_>> = root.iter().map(|root| root.issuer()).collect();
        issuers.extend(folder.sets().map(|set| Issuer { cert: set.ca(), signer: set.signer() }));
        for cert in &folder.needed() {
            let last = folder.newest(cert);
            let Some(issuer) = issuers.iter().find(|issuer| is_same(issuer.cert, cert)) else {
                crls.push(
                    foreign(cert, last, &folder.list, now)
                        .ok_or_else(|| lacking(self.dir, cert, last, now))?,
                );
                continue;
            };
            let number = last.and_then(Crl::number_value);
            // A new CA's is valid as long as the others.
            let like =
                last.or_else(|| folder.there.iter().max_by_key(|crl| crl.this_update().time()));
            let stamp = CrlStamp::made_at(now, self.validity(like), number);
            let made = issue_crl(&folder.list.of(cert.public_key()), *issuer, stamp);
            crls.push(made.map_err(|error| refused(self.dir, error))?);
        }
        Ok(crls)
    }

    fn validity(&self, last: Option<&Crl>) -> Duration {
        let times = |crl: &Crl| Some((crl.this_update().time()?, crl.end()?));
        let length = last.and_then(times).map(|(from, until)| until.since(from));
        // A new one begins a little before it is made.
        let length = length.map(|length| length.saturating_sub(meshpki::Stamp::BACKDATE));
        self.validity.or(length.filter(|length| !length.is_zero())).unwrap_or(VALIDITY)
    }

    fn write(
        &self,
        folder: &Folder,
        crls: &[Crl],
        workspace: &mut Workspace,
    ) -> Result<(), Failure> {
        let text: String = crls.iter().map(Crl::to_pem).collect();
        let mut places: Vec<PathBuf> =
            folder.files.iter().map(|(name, _)| Path::new(name).join(CLUSTER_CRL)).collect();
        for place in &places {
            workspace.stage(place, text.as_bytes(), false)?;
        }
        let of_root = |root: &Cert| {
            let crl = crls.iter().find(|crl| crl_signature(crl, root) == SignatureCheck::Good)?;
            Some(crl.to_pem())
        };
        if let Some(text) = folder.root.as_ref().and_then(of_root) {
            workspace.stage(Path::new(ROOT_CRL), text.as_bytes(), false)?;
            places.push(ROOT_CRL.into());
        }
        workspace.sync()?;
        if self.clear {
            revoked::place(self.dir, workspace)?;
        }
        places.iter().try_for_each(|place| workspace.replace(place))
    }
}

impl Folder {
    fn read(dir: &Path, add: &[PathBuf], now: Time, io: &mut Io<'_>) -> Result<Self, Failure> {
        let (mut clusters, mut there, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (name, folder) in files::folders(dir)? {
            if !is_set(&folder) {
                continue;
            }
            if layout_of(&folder) == Layout::Istio {
                let path = folder.join(CLUSTER_CRL);
                let text = files::read_optional(&path)?;
                there.extend(crls_in(text.as_deref(), &path)?);
                texts.push((name.clone(), text));
            }
            clusters.push((name, set_in(&folder, now)?));
        }
        let path = dir.join(ROOT_CRL);
        there.extend(crls_in(files::read_optional(&path)?.as_deref(), &path)?);
        for path in add {
            let found = crls_in(files::read_optional(path)?.as_deref(), path)?;
            if found.is_empty() {
                let what = format!("no CRL in {}", text::word(path));
                return Err(Failure::new("ctl/unreadable", what));
            }
            there.extend(found);
        }
        there.sort_by(|one, other| one.as_der().cmp(other.as_der()));
        there.dedup();
        let (mut earlier, mut ended) = (Vec::new(), Vec::new());
        for kept in files::kept(dir)? {
            match set_in(&kept.path, now) {
                Ok(set) if set.ca().not_after().time().is_some_and(|end| end > now) => {
                    earlier.push(set);
                }
                Ok(set) => ended.push(set.ca().clone()),
                Err(failure) => io.warn(&failure),
            }
        }
        let root = root_cert(dir, io)?;
        if root.is_none() && clusters.is_empty() {
            return Err(Failure::new("ctl/no-root", "no CA in this folder").in_file(dir).hint(
                format!("`meshctl ca init {} --cluster NAME` creates one", text::word(dir)),
            ));
        }
        Ok(Self { root, clusters, earlier, ended, list: revoked::read(dir)?, there, files: texts })
    }

    /// The clusters' sets, then the earlier ones.
    fn sets(&self) -> impl Iterator<Item = &CaCerts> {
        self.clusters.iter().map(|(_, set)| set).chain(&self.earlier)
    }

    /// Whether the key of a CA is in the folder.
    fn is_own(&self, cert: &Cert, can_root_sign: bool) -> bool {
        let is_root = self.root.as_ref().is_some_and(|root| is_same(root, cert));
        (is_root && can_root_sign) || self.sets().any(|set| is_same(set.ca(), cert))
    }

    /// Every CA that a proxy of the mesh may be shown: the root first, then those in the clusters' files, then the earlier
    /// ones.
    fn needed(&self) -> Vec<Cert> {
        let mut all: Vec<Cert> = self.root.iter().cloned().collect();
        let of = |(_, set): &(String, CaCerts)| [set.roots(), set.chain()].concat();
        let mut others: Vec<Cert> = self.clusters.iter().flat_map(of).collect();
        others.sort_by_key(|cert| (!cert.is_self_issued(), cert.subject().to_string()));
        others.extend(self.earlier.iter().map(|set| set.ca().clone()));
        for cert in others {
            if !all.iter().any(|known| is_same(known, &cert)) {
                all.push(cert);
            }
        }
        all
    }

    /// The newest CRL that a CA signed.
    fn newest(&self, cert: &Cert) -> Option<&Crl> {
        let own = self.there.iter().filter(|crl| crl_signature(crl, cert) == SignatureCheck::Good);
        own.max_by_key(|crl| (crl.number_value(), crl.this_update().time()))
    }

    /// The CRLs of CAs that the folder does not know: of a partner, of a cluster whose folder is elsewhere. Those of
    /// CAs that have expired here are needed by no one.
    fn of_others(&self, needed: &[Cert]) -> Vec<&Crl> {
        let signed = |crl: &&Crl, cert: &Cert| crl_signature(crl, cert) == SignatureCheck::Good;
        let is_known = |crl: &&Crl| needed.iter().chain(&self.ended).any(|cert| signed(crl, cert));
        self.there.iter().filter(|crl| !is_known(crl)).collect()
    }

    /// Adds the newest current CRL of each CA that the folder does not know, and names those that are left out.
    fn keep_others(&self, crls: &mut Vec<Crl>, now: Time, io: &mut Io<'_>) {
        let mut others = self.of_others(&self.needed());
        others.sort_by_key(|crl| {
            let is_usable = !crl.is_delta() && !has_expired(crl, now);
            (!is_usable, Reverse((crl.number_value(), crl.this_update().time())))
        });
        let mut told = Vec::new();
        for crl in others {
            if crls.iter().chain(&told).any(|other| is_of_same(other, crl)) {
                continue;
            }
            let why = if crl.is_delta() {
                "it is a delta CRL"
            } else if has_expired(crl, now) {
                "it has expired"
            } else {
                crls.push(crl.clone());
                continue;
            };
            let what = format!("the CRL of `{}` was left out", crl.issuer().label());
            warn_stray(io, &what, CLUSTER_CRL, why);
            told.push(crl.clone());
        }
    }
}

/// The CRLs in the bytes of a file, if it exists.
fn crls_in(bytes: Option<&Vec<u8>>, path: &Path) -> Result<Vec<Crl>, Failure> {
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let read = |block: Result<pem::Block, meshpki::PemError>| {
        let refuse = |why: String| {
            Failure::new("ctl/exists", "the file contains more than CRLs and is not overwritten")
                .in_file(path)
                .because(why)
                .hint("move it away, then run this command again")
        };
        let block = block.map_err(|error| refuse(error.to_string()))?;
        if block.label != pem::CRL {
            return Err(refuse(format!("it contains a block `{}`", block.label)));
        }
        Crl::from_der(&block.der).map_err(|error| refuse(error.to_string()))
    };
    pem::decode(bytes).into_iter().map(read).collect()
}

/// Whether a folder is a cluster's.
pub(crate) fn is_set(folder: &Path) -> bool {
    folder.join(layout_of(folder).ca_file()).exists()
}

/// One CA, whatever certificates there are of it.
fn is_same(one: &Cert, other: &Cert) -> bool {
    one.subject() == other.subject() && one.public_key() == other.public_key()
}

fn revokes(crl: &Crl, cert: &Cert) -> bool {
    crl.lookup(cert.serial(), cert.issuer()).is_some()
}

/// Whether a CRL lists all that the folder's list has of its issuer.
fn lists_all(crl: &Crl, issuer: &Cert, list: &RevocationList) -> bool {
    let has = |entry: &Revocation| crl.lookup(&entry.serial, issuer.subject()).is_some();
    list.of(issuer.public_key()).iter().all(has)
}

/// The CRL of a CA whose key is elsewhere, if it is current and lists what it should.
fn foreign(cert: &Cert, last: Option<&Crl>, list: &RevocationList, now: Time) -> Option<Crl> {
    last.filter(|crl| !has_expired(crl, now)).filter(|crl| lists_all(crl, cert, list)).cloned()
}

fn lacking(dir: &Path, cert: &Cert, last: Option<&Crl>, now: Time) -> Failure {
    let label = cert.subject().label();
    let failure = Failure::new("ctl/crl-missing", format!("there is no current CRL of `{label}`"))
        .in_file(dir)
        .because("the key that signs it is not in this folder");
    let failure = match last.map(Crl::end) {
        None => failure,
        Some(Some(end)) if end <= now => {
            failure.because(format!("the one that is here ended {end}"))
        }
        Some(_) => failure.because("the one that is here lacks a certificate of the list"),
    };
    failure.because("with a CRL, Envoy needs one for every CA of a chain").hint(format!(
        "get it from whoever has the key, then `meshctl ca crl {} --add FILE`; where {ROOT_KEY} and {ROOT_CERT} are, `meshctl ca crl` writes {ROOT_CRL}, after {} and {ROOT_CRL} of this folder have been copied there",
        text::word(dir),
        revoked::REVOKED
    ))
}

fn refused(dir: &Path, error: Error) -> Failure {
    let may_not = matches!(error, Error::IssuerMayNotSignCrls { .. });
    let failure = Failure::from(error).in_file(dir);
    if may_not {
        return failure.hint("nothing of this CA can be revoked; `meshctl ca init NEW --cluster NAME` creates a CA that may sign CRLs");
    }
    failure
}

/// Warns of clusters whose present CA is revoked.
pub(crate) fn warn_revoked(made: &Made, dir: &Path, io: &mut Io<'_>) {
    for name in &made.revoked {
        io.warn(&revokes_current(name, dir));
    }
}

/// The warning that a cluster's present CA is revoked.
pub(crate) fn revokes_current(name: &str, dir: &Path) -> Failure {
    Failure::new("ctl/revokes-current", format!("`{name}` signs with a CA that is revoked"))
        .in_file(&dir.join(name))
        .because("once the CRLs are installed, proxies reject every workload of the cluster")
        .hint(format!("`meshctl ca renew {} --cluster {name}` creates a new one", text::word(dir)))
}
