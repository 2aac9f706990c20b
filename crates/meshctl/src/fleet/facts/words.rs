//! The facts of a cluster in words, for people.

use meshpki::{Cert, Time, chain};

use super::{Facts, Folder, Kept, Served};
use crate::text::{counted, relative, since};

impl Facts {
    /// What there is to say of it, a word and a line each: `CA`, `root`, `serves` ...
    pub(crate) fn lines(&self, at: Time) -> Vec<(&'static str, String)> {
        let mut lines = vec![("istio", releases(self)), ("CA", authority(self, at))];
        lines.extend(self.above(at));
        lines.extend(self.folder.as_ref().map(|folder| ("folder", folder_line(folder))));
        lines.extend(serves(self).into_iter().map(|line| ("serves", line)));
        lines.push(("roots in", given(self)));
        if self.pending.is_empty() {
            lines.push(("restarts", "none pending".to_owned()));
        }
        lines.extend(self.pending.iter().map(|line| ("restarts", line.clone())));
        lines.extend(self.kept.as_ref().map(|kept| ("kept", kept.line(at))));
        let kept = self.kept_folders.iter();
        lines.extend(
            kept.map(|kept| {
                ("kept", format!("{}, {}", kept.path.display(), since(kept.since, at)))
            }),
        );
        lines
    }
}

impl Facts {
    /// The certificates between the CA and a root, and the roots.
    pub(crate) fn above(&self, at: Time) -> impl Iterator<Item = (&'static str, String)> {
        let is_between =
            |cert: &&Cert| Some(*cert) != self.ca.as_ref() && !self.roots.contains(cert);
        let chain = self.chain.iter().filter(is_between).map(|cert| ("chain", cert));
        let roots = self.roots.iter().map(|cert| ("root", cert));
        chain.chain(roots).map(move |(what, cert)| (what, described(cert, at)))
    }
}

impl Kept {
    /// `` `Mesh CA east` (sha256 ..), ends .., for `meshctl rollback`, since 2026-11-21, 7 days ago``.
    fn line(&self, at: Time) -> String {
        let what = match &self.ca {
            Some(ca) => described(ca, at),
            None => format!("no CA, but {}", self.files.join(", ")),
        };
        let since = self.since.map(|time| format!(", {}", since(time, at))).unwrap_or_default();
        format!("the previous secret, for `meshctl rollback`: {what}{since}")
    }
}

fn releases(facts: &Facts) -> String {
    if facts.istiods.is_empty() {
        return "not installed".to_owned();
    }
    let one = |istiod: &meshpki::istiod::LiveIstiod| {
        let multi = if istiod.settings.multi_root { ", ISTIO_MULTIROOT_MESH" } else { "" };
        format!("{} (revision {}{multi})", istiod.settings.version, istiod.revision)
    };
    facts.istiods.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn authority(facts: &Facts, at: Time) -> String {
    if facts.istiods.is_empty() && !facts.has_secret {
        return "none: there is neither an istiod nor a secret".to_owned();
    }
    let whose = match (facts.is_plugged, facts.has_secret) {
        (true, _) => "",
        (false, true) => "istiod's own, although there is a secret: ",
        (false, false) => "istiod's own, because there is no secret: ",
    };
    let ca = facts.ca.as_ref().map_or_else(|| "not seen".to_owned(), |ca| described(ca, at));
    format!("{whose}{ca}")
}

/// `` `Mesh CA east` (sha256 5b7e29a1), expires 2027-11-21, in 364 days``.
pub(crate) fn described(cert: &Cert, at: Time) -> String {
    let Some(end) = cert.not_after().time() else {
        return format!("{}, with an unreadable expiry date", cert.label());
    };
    let verb = if end < at { "expired" } else { "expires" };
    format!("{}, {verb} {}, {}", cert.label(), end.date(), relative(end, at))
}

fn folder_line(folder: &Folder) -> String {
    match folder {
        Folder::Absent(path) => format!("{} does not exist", path.display()),
        Folder::Same(path) => format!("{} matches the cluster", path.display()),
        Folder::Differs { path, what, .. } => {
            format!("{} differs: {}", path.display(), what.join(", "))
        }
    }
}

fn serves(facts: &Facts) -> Vec<String> {
    let live = facts.served.iter().filter(|served| served.is_live == Some(true)).count();
    let mut lines = Vec::new();
    if facts.served.is_empty() {
        lines.push("no pod of istiod is ready".to_owned());
    }
    if live > 0 {
        lines.push(format!("this CA, from {} of istiod", counted(live, "pod")));
    }
    let others = facts.served.iter().filter(|served| served.is_live != Some(true));
    lines.extend(others.map(other_served));
    lines
}

fn other_served(served: &Served) -> String {
    let pod = &served.pod;
    match &served.chain {
        Err(why) => format!("pod {pod} did not answer: {why}"),
        Ok(chain) => format!("a different CA, from pod {pod}: {}", issuer(chain)),
    }
}

/// Who issued what is served.
fn issuer(chain: &[Cert]) -> String {
    let Some((leaf, rest)) = chain.split_first() else { return "nothing".to_owned() };
    let ca = rest.iter().find(|cert| chain::issued(cert, leaf));
    ca.map_or_else(|| format!("`{}`", leaf.issuer().label()), Cert::label)
}

fn given(facts: &Facts) -> String {
    const MANY: usize = 5;
    let lacking: Vec<&str> = facts.lacking().map(|given| given.namespace.as_str()).collect();
    let all = counted(facts.given.len(), "namespace");
    if lacking.is_empty() {
        return format!("{} of {all}", facts.given.len());
    }
    let some = lacking[..lacking.len().min(MANY)].join(", ");
    let more = if lacking.len() > MANY {
        format!(" and {} more", lacking.len() - MANY)
    } else {
        String::new()
    };
    format!("{} of {all}; not in {some}{more}", facts.given.len() - lacking.len())
}
