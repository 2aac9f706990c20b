//! The shell blocks of pages that show output run, in the order of their page, and print what the page shows. `meshctl`
//! reads the commands of all other pages.
//!
//! A block ```` ```console ```` has commands after `$ ` and their output; a line `...` stands for any lines. A block
//! ```` ```sh ```` has commands only. A command must end with 0, unless `echo $?` follows it. What differs in every run is
//! masked (`mask.rs`). `MESH_UPDATE=1` writes the current output into the pages.

mod clusters;
mod mask;
mod page;
mod session;

use std::collections::BTreeSet;
use std::path::PathBuf;

use meshctl::codes;
use tests::rig::network::alone;
use tests::scratch::Scratch;

use crate::MESHCTL;
use crate::help::reads;
use page::Page;
use session::Session;

/// Pages that need files only. Each begins in an empty folder.
const OF_FILES: [&str; 6] =
    ["start.md", "corporate-ca.md", "federate.md", "cfssl.md", "import.md", "signing.md"];
/// Pages that need clusters, in the order in which a reader follows them, in one folder.
const OF_CLUSTERS: [&str; 5] = ["new-mesh.md", "clusters.md", "calls.md", "rotate.md", "adopt.md"];
/// Pages whose commands have placeholders for names of the reader's, each with the tests that run what it describes.
/// [`commands_elsewhere_are_read`] has `meshctl` read every command.
const ELSEWHERE: [(&str, &str); 11] = [
    ("ci.md", "documents::from_nothing_to_calls_across_clusters"),
    ("federation.md", "trust_bundle, trust_endpoint: the_documented_commands_work; trust_plan"),
    ("install.md", "cargo xtask dist --check --url URL"),
    ("kept.md", "documents::from_nothing_to_calls_across_clusters"),
    ("mesh-remote-secrets.md", "remote_secret::real"),
    ("mesh.md", "documents::from_nothing_to_calls_across_clusters"),
    ("monitoring.md", "exporter"),
    ("report.md", "report"),
    ("revocation.md", "revocation::installed::the_page_on_a_cluster"),
    ("rotation.md", "rotate_root::the_documented_commands_work"),
    ("signers.md", "signers"),
];

/// Commands that the shell does not run: what they contain, and why. The rig does what those for clusters would do.
const EXCEPTIONS: [(&str, &str); 3] = [
    (
        "cargo install ",
        "it compiles for minutes; the tests run the program that was built with them",
    ),
    (INSTALL, "there are no containers; the rig installs Istio, after istioctl has read the file"),
    (" -f samples/bookinfo/", "no release of Istio is unpacked here; the rig has Bookinfo, too"),
];
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

#[test]
fn pages_of_files() {
    for name in OF_FILES {
        let mut reader = Reader::new(&[], &[]);
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

/// Commands with placeholders are ones that `meshctl` has, with options that it has.
#[test]
fn commands_elsewhere_are_read() {
    let mut count = 0;
    for (name, _) in ELSEWHERE {
        for step in Page::read(&text(name)).steps {
            let line = step.command.replace("\\\n", " ");
            count += reads(line.split(" #").next().unwrap_or(&line));
        }
    }
    assert!(count > 50, "{count} commands");
}

/// Every page with commands is in one of the lists.
#[test]
fn every_page_is_run() {
    let (mut unknown, mut commands) = (Vec::new(), String::new());
    for name in names() {
        let page = Page::read(&text(&name));
        if page.steps.is_empty() {
            continue;
        }
        commands.extend(page.steps.iter().map(|step| format!("{}\n", step.command)));
        let elsewhere = ELSEWHERE.map(|(name, _)| name);
        let known = OF_FILES.iter().chain(&OF_CLUSTERS).chain(&elsewhere);
        if known.into_iter().all(|known| *known != name) {
            unknown.push(name);
        }
    }
    assert!(unknown.is_empty(), "no test runs the commands of {unknown:?}");
    for (name, test) in ELSEWHERE {
        assert!(!Page::read(&text(name)).steps.is_empty(), "{name} has nothing for {test}");
    }
    for (part, why) in EXCEPTIONS {
        assert!(commands.contains(part), "no page has `{part}`: {why}");
    }
}
