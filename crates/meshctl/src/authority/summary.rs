//! What `ca init`, `ca renew` and `ca adopt` report: the folder as a tree, every cluster verified under its
//! root-cert.pem and under its cert-chain.pem, the next step.

use std::path::{Path, PathBuf};

use meshpki::cacerts::{Layout, Secret};
use meshpki::chain::{is_bridge, issued};
use meshpki::istiod::Version;
use meshpki::verify::{Policy, Verdict, verify_chain};
use meshpki::{CaCerts, Cert, Time};
use serde_json::json;

use super::crls::Crls;
use super::issuer::{Authority, ROOT_CERT, ROOT_KEY};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{self, safe};

/// What became of a file or a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Made,
    Renewed,
    Unchanged,
}

impl State {
    /// In the tree for people.
    const fn text(self) -> &'static str {
        match self {
            Self::Made => "created",
            _ => self.word(),
        }
    }

    /// In JSON.
    const fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Renewed => "renewed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// One cluster's set.
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) ca: Cert,
    pub(crate) chain: Vec<Cert>,
    /// What is in its own root-cert.pem.
    pub(crate) roots: Vec<Cert>,
}

impl Cluster {
    pub(crate) fn new(name: &str, state: State, set: &CaCerts) -> Self {
        Self {
            name: name.to_owned(),
            state,
            ca: set.ca().clone(),
            chain: set.chain().to_vec(),
            roots: set.roots().to_vec(),
        }
    }
}

/// What became of the root's key.
pub(crate) struct RootKey {
    pub(crate) state: State,
    /// Whether it is encrypted; `None` if it was not read.
    pub(crate) encrypted: Option<bool>,
    /// Who holds it, if it is not in a file.
    holder: Option<String>,
}

impl RootKey {
    /// Neither made nor read.
    pub(crate) const UNTOUCHED: Self = Self::new(State::Unchanged, None);

    pub(crate) const fn new(state: State, encrypted: Option<bool>) -> Self {
        Self { state, encrypted, holder: None }
    }
}

/// The whole folder.
pub(crate) struct Summary {
    dir: PathBuf,
    root: Cert,
    root_state: State,
    root_key: RootKey,
    /// The spec the clusters were taken from.
    pub(crate) spec: Option<PathBuf>,
    /// Only some of its clusters were asked for.
    pub(crate) picked: bool,
    /// Something comes next by itself.
    pub(crate) goes_on: bool,
    /// The clusters that need new CRLs before a new CA.
    pub(crate) crls_first: Vec<String>,
    pub(crate) clusters: Vec<Cluster>,
}

/// Reads a cluster's folder as istiod would.
pub(crate) fn read_set(folder: &Path, now: Time) -> Result<CaCerts, Failure> {
    let mut secret = Secret::default();
    for name in Layout::all_files() {
        if let Some(mut bytes) = files::read_optional(&folder.join(name))? {
            secret.insert(name, std::mem::take(&mut *bytes));
        }
    }
    CaCerts::from_secret(&secret, Version::NEWEST, now)
        .map_err(|error| Failure::from(error).in_file(folder))
}

/// The layout of a cluster's folder.
pub(crate) fn layout_of(folder: &Path) -> Layout {
    Layout::of(Version::NEWEST, |file| folder.join(file).exists())
}

impl Summary {
    pub(crate) fn new(dir: &Path, root: Cert, root_state: State, root_key: RootKey) -> Self {
        Self {
            dir: dir.to_path_buf(),
            root,
            root_state,
            root_key,
            spec: None,
            picked: false,
            goes_on: false,
            crls_first: Vec::new(),
            clusters: Vec::new(),
        }
    }

    /// Says who holds the root key: whoever signed, if it is not in a file.
    pub(crate) fn signed_by(&mut self, authority: &Authority) {
        self.root_key.holder = authority.held_by().map(str::to_owned);
    }

    /// Whether nothing was made.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.clusters.iter().all(|cluster| cluster.state == State::Unchanged)
    }

    /// Makes the CRLs of the folder again, if clusters have some and there is a new CA; then [`Self::report`].
    ///
    /// # Errors
    /// Why there are no CRLs of the new CAs, which stay.
    pub(crate) fn finish(
        mut self,
        crls: &Crls<'_>,
        root: Option<Authority>,
        json: bool,
        now: Time,
        io: &mut Io<'_>,
    ) -> Result<Exit, Failure> {
        if self.is_unchanged() {
            return self.report(json, now, io);
        }
        let made = crls.for_new_cas(now, root, io);
        // Without their CRLs, the new CAs cannot be installed.
        self.goes_on = made.is_err();
        let is_new = |name: &String| {
            let mut clusters = self.clusters.iter();
            clusters.any(|cluster| cluster.name == *name && cluster.state == State::Made)
        };
        // A new cluster gets them with its CA.
        let installed = made.as_deref().unwrap_or_default().iter().filter(|name| !is_new(name));
        self.crls_first = installed.cloned().collect();
        let exit = self.report(json, now, io)?;
        made.map(|_| exit)
    }

    /// Prints the tree, verifies every cluster, and says what to do next.
    pub(crate) fn report(&self, json: bool, now: Time, io: &mut Io<'_>) -> Result<Exit, Failure> {
        let checks: Vec<(String, String, Verdict)> =
            self.clusters.iter().flat_map(|cluster| self.checks(cluster, now)).collect();
        let good = checks.iter().all(|(_, _, verdict)| verdict.is_ok());
        let text = if json {
            text::json(&self.json(&checks))
        } else {
            self.text() + &check_lines(&checks)
        };
        io.print(&text)?;
        if !json && good && !self.goes_on {
            self.next_step(io);
        }
        Ok(if good { Exit::Good } else { Exit::No })
    }

    /// The two checks of Istio's guide for plugged-in CAs: under root-cert.pem, and under cert-chain.pem, or the files that
    /// hold the same in the layout. A chain in which another mesh vouches for the root does not end in it, so that the
    /// second check says nothing.
    fn checks(&self, cluster: &Cluster, now: Time) -> Vec<(String, String, Verdict)> {
        let layout = self.layout(&cluster.name);
        let name = self.dir.join(&cluster.name).join(layout.ca_file()).display().to_string();
        let policy = Policy::like_openssl(now);
        let trusted = &cluster.roots[..];
        let (roots, chain) = (layout.roots_file(), layout.chain_files().join(" and "));
        // A corporate CA has others between itself and the root.
        let is_direct =
            cluster.chain.len() <= 2 || trusted.iter().any(|root| issued(root, &cluster.ca));
        let (above, under_root) = match is_direct {
            true => (&[][..], roots.to_owned()),
            false => (&cluster.chain[1..], format!("{roots} -untrusted {chain}")),
        };
        let mut checks =
            vec![(name.clone(), under_root, verify_chain(&cluster.ca, above, trusted, &policy))];
        if !cluster.chain.iter().any(|cert| is_bridge(cert, trusted)) {
            checks.push((name, chain, verify_chain(&cluster.ca, &[], &cluster.chain, &policy)));
        }
        checks
    }

    fn text(&self) -> String {
        let last = self.clusters.len();
        let mut text = format!("{}/\n", safe(self.dir.display().to_string().trim_end_matches('/')));
        let state = if self.is_root_here() { self.root_state.text() } else { "elsewhere" };
        text += &entry("├─ ", ROOT_CERT, state, &describe(&self.root));
        text += &entry("│  ", "", "", &format!("sha256 {}", self.root.fingerprint()));
        let held = self.root_key.holder.as_ref().map(|holder| format!("held by {holder}"));
        let (key_state, key_note) = match self.root_key.encrypted {
            _ if held.is_some() => ("", held.as_deref().unwrap_or_default()),
            _ if !self.dir.join(ROOT_KEY).exists() => ("", "not here"),
            Some(true) => (self.root_key.state.text(), "encrypted; keep it offline"),
            Some(false) => (self.root_key.state.text(), "not encrypted; keep it offline"),
            None => (self.root_key.state.text(), ""),
        };
        text += &entry(if last == 0 { "└─ " } else { "├─ " }, ROOT_KEY, key_state, key_note);
        for (i, cluster) in self.clusters.iter().enumerate() {
            let (branch, stem) =
                if i + 1 == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            text += &entry(
                branch,
                &format!("{}/", cluster.name),
                cluster.state.text(),
                &describe(&cluster.ca),
            );
            text += &entry(stem, "", "", &format!("sha256 {}", cluster.ca.fingerprint()));
            let files = self.layout(&cluster.name).files();
            for (j, file) in files.iter().enumerate() {
                let branch = if j + 1 == files.len() { "└─ " } else { "├─ " };
                text += &format!("{stem}{branch}{file}\n");
            }
        }
        text
    }

    /// Whether the root is the folder's own; it may have another.
    fn is_root_here(&self) -> bool {
        let own = super::certs_of_file(&self.dir.join(ROOT_CERT)).unwrap_or_default();
        own.contains(&self.root)
    }

    fn layout(&self, cluster: &str) -> Layout {
        layout_of(&self.dir.join(cluster))
    }

    /// The command that installs what is new.
    fn next_step(&self, io: &mut Io<'_>) {
        let changed = self.clusters.iter().filter(|cluster| cluster.state != State::Unchanged);
        let changed: Vec<&Cluster> = changed.collect();
        if changed.is_empty() {
            return;
        }
        let clusters = match &self.spec {
            Some(spec) if !self.picked && changed.len() == self.clusters.len() => {
                format!("-f {}", text::word(spec))
            }
            Some(spec) => {
                let names: Vec<&str> =
                    changed.iter().map(|cluster| cluster.name.as_str()).collect();
                format!("-f {} --context {}", text::word(spec), names.join(","))
            }
            None => contexts(changed.iter().map(|cluster| cluster.name.as_str())),
        };
        let made = changed.iter().any(|cluster| cluster.state == State::Made);
        let dir = text::word(&self.dir);
        if !self.crls_first.is_empty() {
            let contexts = contexts(self.crls_first.iter().map(String::as_str));
            io.note(format_args!("\nnext: meshctl rotate crl {dir} {contexts}\nthen, a few minutes later: meshctl push {dir} {clusters}"));
            return;
        }
        let before =
            if made { "\n      (add --before-install if Istio is not installed yet)" } else { "" };
        io.note(format_args!("\nnext: meshctl push {dir} {clusters}{before}"));
    }

    fn json(&self, checks: &[(String, String, Verdict)]) -> serde_json::Value {
        let root_state = if self.is_root_here() { self.root_state.word() } else { "elsewhere" };
        let describe = |cert: &Cert, state: &str| {
            json!({
                "state": state,
                "subject": cert.subject().to_string(),
                "serial": cert.serial_hex(),
                "keyType": cert.public_key().algorithm().to_string(),
                "notBefore": cert.not_before().time().map(|t| t.to_string()),
                "notAfter": cert.not_after().time().map(|t| t.to_string()),
                "sha256": cert.fingerprint(),
            })
        };
        let clusters: Vec<serde_json::Value> = self
            .clusters
            .iter()
            .map(|cluster| {
                let mut value = describe(&cluster.ca, cluster.state.word());
                value["name"] = json!(cluster.name);
                value["path"] = json!(self.dir.join(&cluster.name).display().to_string());
                value["files"] = json!(self.layout(&cluster.name).files());
                value
            })
            .collect();
        json!({
            "apiVersion": "meshctl/v1",
            "kind": "Authority",
            "path": self.dir.display().to_string(),
            "root": describe(&self.root, root_state),
            "clusters": clusters,
            "verified": checks.iter().all(|(_, _, verdict)| verdict.is_ok()),
        })
    }
}

/// `--context` for clusters, with a context to be filled in for each.
pub(crate) fn contexts<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name}=CONTEXT")).collect();
    format!("--context {}", names.join(","))
}

fn entry(branch: &str, name: &str, state: &str, note: &str) -> String {
    format!("{branch}{name:<16} {state:<10} {}", safe(note)).trim_end().to_owned() + "\n"
}

fn describe(cert: &Cert) -> String {
    let path_len = cert.extensions().basic_constraints.and_then(|c| c.path_len);
    format!(
        "{}, {}, {}until {}",
        cert.subject().label(),
        cert.public_key().algorithm(),
        path_len.map(|n| format!("pathlen {n}, ")).unwrap_or_default(),
        cert.not_after().time().map_or_else(|| "?".to_owned(), Time::date),
    )
}

/// The lines `openssl verify` prints, and which file was the trust store.
fn check_lines(checks: &[(String, String, Verdict)]) -> String {
    let mut text = String::new();
    for (name, store, verdict) in checks {
        let name = safe(name);
        if text.is_empty() {
            text.push('\n');
        }
        if verdict.is_ok() {
            text += &format!("{name}: OK  (-CAfile {store})\n");
        } else {
            text += &format!("{name}: verification failed  (-CAfile {store})\n");
            for finding in &verdict.findings {
                text += &format!(
                    "  error {} at depth {}: {}\n",
                    finding.code.number(),
                    finding.depth,
                    finding.code.text()
                );
            }
        }
    }
    text
}
