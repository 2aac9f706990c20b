//! `meshctl ca adopt`: a CA from elsewhere becomes a cluster's set of files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::slice;

use meshpki::cacerts::Layout;
use meshpki::{CaCerts, Cert, Error, PublicKey, Time};

use crate::args::Adopt;
use crate::authority::adoption::{self, Chosen, Target};
use crate::authority::crls::Crls;
use crate::authority::gather::{Gathered, Part, Placed, gather};
use crate::authority::issuer::ROOT_CERT;
use crate::authority::reader::Opener;
use crate::authority::renewal::{
    PENDING, PENDING_KEY, exchange, old_set, stage_pending, stage_successor,
};
use crate::authority::signer::KeySource;
use crate::authority::summary::{Cluster, RootKey, State, Summary, layout_of};
use crate::authority::{
    certs_of_file, check_case, check_cluster_name, key_words, open_workspace, warn_exposed,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Workspace};
use crate::io::Io;
use crate::text::{self, safe};

/// What the cluster's folder has.
enum Present {
    /// Nothing: there is no folder.
    Nothing,
    /// The key of a CSR, whose certificate comes back.
    Request(PublicKey),
    /// A set, which the new one renews, and the key that waits for its certificate.
    Set(Box<CaCerts>, Option<PublicKey>),
}

/// What is placed before a CA's certificate.
const ABOVE: [&str; 2] = ["cert-chain.pem", "root-cert.pem"];

/// Runs the command.
pub(super) fn run(args: &Adopt, io: &mut Io<'_>) -> Result<Exit, Failure> {
    check_cluster_name(&args.cluster)?;
    let now = io.time(args.at)?;
    let passphrase = args.passphrase.resolved();
    let mut gathered = gather(&args.files, &mut Opener::of_keys(&passphrase), io)?;
    gathered.check_locked()?;
    if gathered.certs.is_empty() {
        return Err(Error::NoCertificate { what: "the files".to_owned() }.into());
    }
    let mut workspace = open_workspace(&args.dir, args.wait.resolved(), io)?;
    warn_exposed(&args.dir, io);
    check_case(&args.dir, slice::from_ref(&args.cluster))?;
    let folder = args.dir.join(&args.cluster);
    let present = present(args, &folder, &mut gathered, now)?;
    let layout = layout(args, &present, &folder)?;
    let kept = match &present {
        Present::Set(old, _) => Some(old.roots()),
        _ => None,
    };
    let target = Target { dir: &args.dir, cluster: &args.cluster };
    let chosen = adoption::choose(gathered, kept, &target, now).map_err(adoption::explained)?;
    match &present {
        Present::Set(old, _) if old.ca() == chosen.set.ca() => {
            let left = chosen.left.iter().map(|(place, why)| (LEFT_OUT, format!("{place}: {why}")));
            let _ = io.err.write_all(lines(left).as_bytes());
            let summary = summary(args, &chosen.set, State::Unchanged);
            return summary.report(args.output.is_json(), now, io);
        }
        // Its roots stay what they are, whatever others trust.
        Present::Set(old, _) => check_renews(old, &chosen.set, &folder)?,
        Present::Request(key) => {
            check_is_for(key, &chosen, &folder)?;
            check_neighbours(args, chosen.set.roots(), io)?;
        }
        Present::Nothing => check_neighbours(args, chosen.set.roots(), io)?,
    }
    let _ = io.err.write_all(shown(args, &chosen, now).as_bytes());
    io.can_ask &= !args.files.iter().any(|file| file == Path::new("-"));
    io.confirm(args.yes, "Adopt it?", "nothing was written; `--yes` adopts without asking")?;
    let state = write(args, &present, layout, &chosen.set, &mut workspace, io)?;
    workspace.finish()?;
    let summary = summary(args, &chosen.set, state);
    // The passphrase on the command line is that of the files.
    let key = KeySource::default();
    let crls = Crls::again(&args.dir, &key, args.wait.resolved());
    summary.finish(&crls, None, args.output.is_json(), now, io)
}

/// What is in the folder; its keys, and the certificates above its CA, join what was gathered.
fn present(
    args: &Adopt,
    folder: &Path,
    gathered: &mut Gathered,
    now: Time,
) -> Result<Present, Failure> {
    if !folder.exists() {
        return Ok(Present::Nothing);
    }
    let layout = layout_of(folder);
    let key = folder.join(layout.key_file());
    if !folder.join(layout.ca_file()).exists() {
        let Some(key) = gathered.add_key(&key)? else { return Err(in_the_way(folder)) };
        // Without the CA's certificate, the others are what an adoption left that was interrupted.
        for file in ABOVE.map(|file| folder.join(file)).iter().filter(|file| file.exists()) {
            certs_of_file(file)?;
        }
        return Ok(Present::Request(key));
    }
    let old = old_set(&args.dir, &args.cluster, now)?;
    let pending = gathered.add_key(&folder.join(PENDING).join(PENDING_KEY))?;
    gathered.add_key(&key)?;
    let place = folder.join(layout.chain_files()[0]).display().to_string();
    let above = old.chain()[1..].iter().chain(old.roots());
    let known: Vec<Cert> = gathered.certs.iter().map(|placed| placed.cert.clone()).collect();
    for cert in above.filter(|cert| !known.contains(cert)) {
        let (place, set) = (place.clone(), folder.display().to_string());
        gathered.certs.push(Placed { cert: cert.clone(), place, set, part: Part::None });
    }
    Ok(Present::Set(Box::new(old), pending))
}

/// The layout to write: that of what is there, which `--layout tls` does not change.
fn layout(args: &Adopt, present: &Present, folder: &Path) -> Result<Layout, Failure> {
    let asked = args.layout.resolved();
    let there = match present {
        Present::Nothing => return Ok(asked),
        Present::Request(_) => Layout::Istio,
        Present::Set(..) => layout_of(folder),
    };
    if asked == Layout::Tls && there != asked {
        return Err(Failure::usage("`--layout tls` is for a new folder")
            .because(format!("`{}` has `{}`", folder.display(), there.key_file()))
            .hint("leave `--layout` out"));
    }
    Ok(there)
}

fn in_the_way(folder: &Path) -> Failure {
    Failure::new(
        "ctl/exists",
        format!(
            "`{}` exists, and has neither the key of `ca csr` nor a complete set",
            folder.display()
        ),
    )
    .hint("choose another `--cluster`, or move that folder away first")
}

/// Refuses a CA whose key is not that of the CSR: the folder's key stays, and would not be its.
fn check_is_for(key: &PublicKey, chosen: &Chosen, folder: &Path) -> Result<(), Failure> {
    let ca = chosen.set.ca();
    if ca.public_key() == key {
        return Ok(());
    }
    Err(Failure::new("ctl/exists", "the folder has the key of another CA, which is not replaced")
        .in_file(folder)
        .because(format!("the key of the CSR is {}", key_words(key)))
        .because(format!("`{}` is for {}", ca.subject().label(), key_words(ca.public_key())))
        .hint(format!(
            "ask for the certificate of the CSR; or, to take this CA with the key that came with it, move {} away first",
            text::word(folder)
        )))
}

/// Refuses a CA that is not the present one's successor: with another subject it is another CA.
fn check_renews(old: &CaCerts, new: &CaCerts, folder: &Path) -> Result<(), Failure> {
    if old.ca().subject() == new.ca().subject() {
        return Ok(());
    }
    Err(Failure::new("ctl/exists", "the folder has another CA, which is not replaced")
        .in_file(folder)
        .because(format!("it has `{}`", old.ca().subject()))
        .because(format!("the new one is `{}`", new.ca().subject()))
        .hint(format!(
            "move {} away first if the cluster is to get a CA with another subject",
            text::word(folder)
        )))
}

/// Roots that share none with the folder's own root or with another cluster's.
fn check_neighbours(args: &Adopt, roots: &[Cert], io: &mut Io<'_>) -> Result<(), Failure> {
    let dir = &args.dir;
    let mut others: Vec<(String, PathBuf, PathBuf)> =
        vec![("this folder".to_owned(), dir.clone(), dir.join(ROOT_CERT))];
    for (name, folder) in files::folders(dir)? {
        if name != args.cluster {
            let file = folder.join(layout_of(&folder).roots_file());
            others.push((format!("`{name}`"), folder, file));
        }
    }
    for (name, folder, file) in others.iter().filter(|(_, _, file)| file.exists()) {
        let theirs = certs_of_file(file)?;
        adoption::check_neighbour((name, folder), &theirs, roots, args.new_root, io)?;
    }
    Ok(())
}

/// What is about to be written, above all which roots will be trusted.
fn shown(args: &Adopt, chosen: &Chosen, now: Time) -> String {
    let (ca, set) = (chosen.set.ca(), &chosen.set);
    let chain: Vec<String> =
        set.chain().iter().map(|cert| format!("`{}`", cert.subject().label())).collect();
    let until = ca.not_after().time().map_or_else(
        || "?".to_owned(),
        |end| format!("until {}, {}", end.date(), text::relative(end, now)),
    );
    let mut entries = vec![
        ("CA", ca.subject().to_string()),
        ("from", chosen.places.0.clone()),
        ("key", key_words(ca.public_key())),
        ("key from", chosen.places.1.clone()),
        ("issuer", ca.issuer().to_string()),
        ("lifetime", until),
        ("chain", chain.join(" < ")),
    ];
    for root in set.roots() {
        let until = root.not_after().time().map_or_else(|| "?".to_owned(), Time::date);
        entries.push(("trusts", format!("{}, until {until}", root.subject())));
        entries.push(("", format!("sha256 {}", root.fingerprint())));
    }
    entries.extend(chosen.left.iter().map(|(place, why)| (LEFT_OUT, format!("{place}: {why}"))));
    format!("about to adopt for {}:\n{}", safe(&args.cluster), lines(entries))
}

const LEFT_OUT: &str = "left out";

/// One line each, whatever is in a name.
fn lines(entries: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut out = String::new();
    for (what, value) in entries {
        let _ = writeln!(out, "  {what:<11}  {}", safe(&value));
    }
    out
}

/// Writes what is missing: the whole set, the certificates of a CSR, or the successor of a set.
fn write(
    args: &Adopt,
    present: &Present,
    layout: Layout,
    set: &CaCerts,
    workspace: &mut Workspace,
    io: &mut Io<'_>,
) -> Result<State, Failure> {
    let name = Path::new(&args.cluster);
    if matches!(present, Present::Set(..)) {
        stage_successor(&args.dir, &args.cluster, set, workspace)?;
    } else {
        for (file, content) in set.files(layout) {
            let is_key = file == layout.key_file();
            // The folder has the key of a request.
            if !(is_key && matches!(present, Present::Request(_))) {
                workspace.stage(&name.join(file), &content, is_key)?;
            }
        }
    }
    if let Present::Set(_, Some(pending)) = present
        && pending != set.ca().public_key()
    {
        // Its certificate may still come.
        stage_pending(&args.dir, &args.cluster, workspace)?;
    }
    workspace.sync()?;
    match present {
        Present::Nothing => workspace.place(name)?,
        Present::Request(_) => {
            // The CA's certificate last: without it there is no set, and the others may be there from a run that was
            // interrupted.
            ABOVE.iter().try_for_each(|file| workspace.replace(&name.join(file)))?;
            workspace.place(&name.join("ca-cert.pem"))?;
        }
        Present::Set(old, _) => {
            let place = exchange(&args.cluster, old, workspace)?;
            io.say(format_args!("the old files of {} are in {}", args.cluster, text::word(&place)));
            return Ok(State::Renewed);
        }
    }
    Ok(State::Made)
}

fn summary(args: &Adopt, set: &CaCerts, state: State) -> Summary {
    let top = set.chain().last().filter(|top| set.roots().contains(top));
    let root = top.unwrap_or(&set.roots()[0]).clone();
    let mut summary = Summary::new(&args.dir, root, State::Unchanged, RootKey::UNTOUCHED);
    summary.clusters.push(Cluster::new(&args.cluster, state, set));
    summary
}
