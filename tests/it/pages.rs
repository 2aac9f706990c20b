//! The shell blocks of pages run, in the order of their page, and print what the page shows.
//!
//! A block ```` ```console ```` has commands after `$ ` and their output; a line `...` stands for any lines. A block
//! ```` ```sh ```` has commands only. A command must end with 0, unless `echo $?` follows it. What differs in every run is
//! masked (`mask.rs`). `MESH_UPDATE=1` writes the current output into the pages. A block ```` ```sh example ```` does not
//! run: it has values that a reader replaces, and [`EXAMPLES`] has the reason.

mod clusters;
mod mask;
mod page;
mod session;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use meshctl::codes;
use tests::judges::missing;
use tests::rig::network::alone;
use tests::scratch::Scratch;

use crate::MESHCTL;
use crate::help::reads;
use page::{Page, Step};
use session::Session;

/// Pages that need files only. Each begins in an empty folder.
const OF_FILES: [&str; 7] = [
    "start.md",
    "corporate-ca.md",
    "federate.md",
    "cfssl.md",
    "import.md",
    "signing.md",
    "signers.md",
];
/// The one of them that needs SoftHSM.
const OF_TOKENS: &str = "signers.md";
/// Pages with servers on ports that the page names: they run in the network of the clusters, each in an empty folder.
const OF_SERVERS: [&str; 1] = ["federation.md"];
/// Pages that need clusters, in the order in which a reader follows them, in one folder.
const OF_CLUSTERS: [&str; 13] = [
    "new-mesh.md",
    "clusters.md",
    "calls.md",
    "mesh.md",
    "ci.md",
    "kept.md",
    "monitoring.md",
    "report.md",
    "rotate.md",
    "adopt.md",
    "revocation.md",
    "rotation.md",
    "mesh-remote-secrets.md",
];
/// Blocks that do not run (```` ```sh example ````): the page, what the block contains, and why.
/// [`examples_are_read`] has `meshctl` read their commands.
const EXAMPLES: [(&str, &str, &str); 9] = [
    (
        "federation.md",
        "trust next east-ca",
        "its clusters have different roots: mesh_calls::federation runs it on such clusters",
    ),
    (
        "federation.md",
        "trust next -f",
        "its istiods made their own CAs: mesh_calls::rotation runs it on such clusters",
    ),
    ("install.md", "sha256sum ", "a release: `cargo xtask dist --check` runs it on the files"),
    ("install.md", "tar -xzf ", "a release: `cargo xtask dist --check` runs it on the files"),
    ("install.md", "skopeo copy ", "a registry: `cargo xtask dist --check` has a folder for it"),
    ("install.md", "helm install ", "a release: `cargo xtask dist --check` renders that chart"),
    (
        "install.md",
        "create secret ",
        "a cluster without that secret: deploy::the_chart_renews_the_ca_of_a_real_cluster",
    ),
    ("signers.md", "openbao-transit", "a key of a service: signers::openbao has a server"),
    ("signers.md", "aws kms create-key", "a key of a service: signers::moto has a server"),
];

/// Commands that the shell does not run: what they contain, and why. The rig does what those for clusters would do.
const EXCEPTIONS: [(&str, &str); 4] = [
    (
        "cargo install ",
        "it compiles for minutes; the tests run the program that was built with them",
    ),
    (INSTALL, "there are no containers; the rig installs Istio, after istioctl has read the file"),
    (" -f samples/bookinfo/", "no release of Istio is unpacked here; the rig has Bookinfo, too"),
    ("sleep 300", "kubelets take that long to give CRLs to proxies; the rig's proxies have none"),
];
/// A program of `docs/signers` that needs no service.
const SIGNER: &str = "openssl-key";
/// Installs Istio in a cluster.
const INSTALL: &str = "istioctl install ";

fn is_exception(command: &str) -> bool {
    EXCEPTIONS.iter().any(|(part, _)| command.contains(part))
}

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn text(name: &str) -> String {
    let path = docs().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Who reads pages: a folder, a shell with `meshctl` in its path, and what differs from what the pages show.
struct Reader {
    scratch: Scratch,
    session: Session,
    differences: Vec<String>,
}

impl Reader {
    /// Starts in an empty folder; further programs have their own folder in the path, before all others.
    fn new(programs: &[(&str, PathBuf)], env: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let (bin, folder) = (scratch.join("bin"), scratch.join("work"));
        std::fs::create_dir(&bin).expect("a folder");
        std::fs::create_dir(&folder).expect("a folder");
        for (name, path) in programs.iter().chain([&("meshctl", PathBuf::from(MESHCTL))]) {
            std::os::unix::fs::symlink(path, bin.join(name)).expect("a link");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", bin.display());
        // Not this machine's release of OpenSSL: the answers would depend on it.
        let own = [("PATH", path.as_str()), ("MESHCTL_OPENSSL", "3.5")];
        let env: Vec<(&str, &str)> = own.iter().chain(env).copied().collect();
        let session = Session::start(&folder, &scratch.join("command"), &env);
        Self { scratch, session, differences: Vec::new() }
    }

    /// Runs a page. `stand_in` is for [`EXCEPTIONS`].
    fn page(&mut self, name: &str, stand_in: &mut dyn FnMut(&str)) {
        let page = Page::read(&text(name));
        assert!(!page.steps.is_empty(), "{name} has no commands");
        let start = Instant::now();
        let mut found = Vec::new();
        for (i, step) in page.steps.iter().enumerate() {
            if is_exception(&step.command) {
                stand_in(&step.command);
                continue;
            }
            let answer = self.session.run(&step.command);
            println!("{name}:{}: $ {}\n{}", step.line, step.command, answer.text);
            let place = format!("docs/{name}:{}: {}", step.line, step.command);
            assert!(
                answer.status == 0 || step.may_fail,
                "{place}\nexit status {}\n{}",
                answer.status,
                answer.text
            );
            if let Some(expect) = page.difference(i, &answer.text) {
                let difference =
                    format!("{place}\n--- expected\n{expect}\n--- found\n{}", answer.text);
                self.differences.push(difference);
                found.push((i, answer.text));
            }
        }
        println!("docs/{name}: {:.1?}", start.elapsed());
        if std::env::var_os("MESH_UPDATE").is_some() && !found.is_empty() {
            std::fs::write(docs().join(name), page.with(&found)).expect("a page");
            self.differences.clear();
        }
    }

    /// Fails with everything that differs.
    fn ended(&self) {
        let all = self.differences.join("\n\n");
        assert!(all.is_empty(), "{all}\n(MESH_UPDATE=1 writes it into the page)");
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn pages_of_files() {
    for name in OF_FILES {
        if name == OF_TOKENS && !is_installed("softhsm2-util") {
            missing("SoftHSM2", "it is not installed (Debian: softhsm2 and opensc)");
            continue;
        }
        let mut reader = Reader::new(&[(SIGNER, docs().join("signers").join(SIGNER))], &[]);
        reader.page(name, &mut |_| {});
        reader.ended();
    }
}

/// On two clusters with real istiods and proxies, from nothing.
#[test]
fn pages_of_clusters() {
    alone("pages::pages_of_clusters", clusters::read);
}

/// Codes in the text of pages are codes that exist.
#[test]
fn codes_exist() {
    let all: BTreeSet<&str> = codes::all().map(|code| code.name).collect();
    let families: BTreeSet<&str> = all.iter().filter_map(|code| code.split('/').next()).collect();
    let mut count = 0;
    for name in names() {
        let text = text(&name);
        for span in text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let Some((family, rest)) = span.split_once('/') else { continue };
            let is_code = rest.starts_with(|c: char| c.is_ascii_lowercase())
                && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            if families.contains(family) && is_code {
                assert!(all.contains(span), "docs/{name}: there is no code `{span}`");
                count += 1;
            }
        }
    }
    assert!(count > 300, "{count} codes");
}

/// The names of all pages.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(docs()).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".md")).collect()
}

/// Commands that do not run are ones that `meshctl` has, with options that it has.
#[test]
fn examples_are_read() {
    let mut count = 0;
    for name in names() {
        for step in Page::read(&text(&name)).examples.into_iter().flatten() {
            let line = step.command.replace("\\\n", " ");
            count += reads(line.split(" #").next().unwrap_or(&line));
        }
    }
    assert!(count > 0, "{count} commands");
}

/// Every page with commands runs, but for the blocks that are listed, each with the reason.
#[test]
fn every_page_is_run() {
    let (mut unknown, mut commands, mut examples) = (Vec::new(), String::new(), Vec::new());
    for name in names() {
        let page = Page::read(&text(&name));
        let of_block = |steps: &Vec<Step>| {
            let commands: Vec<&str> = steps.iter().map(|step| step.command.as_str()).collect();
            (name.clone(), commands.join("\n"))
        };
        examples.extend(page.examples.iter().map(of_block));
        if page.steps.is_empty() {
            continue;
        }
        commands.extend(page.steps.iter().map(|step| format!("{}\n", step.command)));
        if OF_FILES.iter().chain(&OF_SERVERS).chain(&OF_CLUSTERS).all(|known| *known != name) {
            unknown.push(name);
        }
    }
    assert!(unknown.is_empty(), "no test runs the commands of {unknown:?}");
    for (part, why) in EXCEPTIONS {
        assert!(commands.contains(part), "no page has `{part}`: {why}");
    }
    for (page, part, why) in EXAMPLES {
        println!("docs/{page}: `{part}` does not run: {why}");
        let at = examples.iter().position(|(name, block)| name == page && block.contains(part));
        examples.remove(at.unwrap_or_else(|| panic!("docs/{page} has no example with `{part}`")));
    }
    assert!(examples.is_empty(), "these do not run, and no reason is listed: {examples:#?}");
}
