//! `cargo xtask judge`: Debian's own OpenSSL 3.0, 3.5 and 3.6 next to each other, BoringSSL, and kryoptic, in caches
//! outside the clone.
//!
//! Nothing is installed. apt downloads the packages from the archive that this machine already uses and verifies them
//! with Debian's keyring.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use meshpki::verify::Release;
use tests::judges::openssl as judge;

mod boringssl;
mod kryoptic;

/// Debian's keys. If the file is missing, apt uses the keys it trusts already.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where a release comes from.
struct Source {
    /// The suite of Debian.
    suite: &'static str,
    /// Whether the suite has security updates.
    security: bool,
    /// The packages that make it up, with their libraries: it runs on another distribution too.
    packages: &'static [&'static str],
}

const fn source(release: Release) -> Source {
    let packages: &[&str] = match release {
        Release::V3_0 => &["openssl", "libssl3", "libc6"],
        _ => &["openssl", "libssl3t64", "openssl-provider-legacy", "libc6", "zlib1g", "libzstd1"],
    };
    match release {
        Release::V3_0 => Source { suite: "bookworm", security: true, packages },
        Release::V3_5 => Source { suite: "trixie", security: true, packages },
        // The next release of Debian has no security updates yet.
        _ => Source { suite: "forky", security: false, packages },
    }
}

/// Provides every openssl, then BoringSSL and kryoptic.
pub(crate) fn run() -> Result<(), String> {
    provide(&Release::ALL)?;
    boringssl::run()?;
    kryoptic::run()
}

/// Fetches each release that neither this machine nor the cache has, and prints which ones are used.
pub(crate) fn provide(releases: &[Release]) -> Result<(), String> {
    for release in releases {
        let found = judge::find(*release).or_else(|why| {
            println!("{why}");
            let place = judge::place(*release)?;
            complete(&place, |beside| make(&source(*release), beside, &place))?;
            judge::find(*release)
        })?;
        let version = judge::version(&found)?;
        println!("judge: {version} ({})", found.display());
        if !version.starts_with(&format!("OpenSSL {} ", release.patch())) {
            println!(
                "  answers were recorded with {}; a difference can be the newer one's",
                release.patch()
            );
        }
    }
    Ok(())
}

/// Makes a folder under a temporary name first, so that one with the right name is complete.
fn complete(place: &Path, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let beside = place.with_extension(format!("new-{}", std::process::id()));
    let made = make(&beside).and_then(|()| {
        // Another version, or an incomplete one.
        let _ = fs::remove_dir_all(place);
        fs::rename(&beside, place).map_err(|error| format!("{}: {error}", place.display()))
    });
    // After a rename, it does not exist any more.
    let _ = fs::remove_dir_all(&beside);
    made
}

fn make(source: &Source, beside: &Path, place: &Path) -> Result<(), String> {
    let apt = beside.join("apt");
    let (lists, archives, debs) =
        (apt.join("lists/partial"), apt.join("cache/archives/partial"), apt.join("debs"));
    for folder in [&lists, &archives, &debs] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    write(&apt.join("sources.list"), &sources(source)?)?;
    write(&apt.join("status"), "")?;
    let at = apt.display();
    write(
        &apt.join("apt.conf"),
        &format!(
            "Dir::Etc::sourcelist \"{at}/sources.list\";\nDir::Etc::sourceparts \"/dev/null\";\n\
             Dir::State::lists \"{at}/lists\";\nDir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
             APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
        ),
    )?;
    let apt_get = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("-qq").args(args).env("APT_CONFIG", apt.join("apt.conf")).current_dir(&debs);
        output(&mut command)
    };
    apt_get(&["update"])?;
    apt_get(&[&["download"], source.packages].concat())?;
    let root = beside.join("root");
    let packages = fs::read_dir(&debs).map_err(|error| format!("{}: {error}", debs.display()))?;
    for package in packages.flatten() {
        output(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(&root))?;
    }
    let _ = fs::remove_dir_all(&apt);
    wrap(beside, place)
}

/// The lines of apt's `sources.list` for a release.
fn sources(source: &Source) -> Result<String, String> {
    let keys =
        if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    let mut lines = format!("deb {keys}{} {} main\n", archive("Debian")?, source.suite);
    if source.security {
        let archive = archive("Debian-Security")?;
        lines += &format!("deb {keys}{archive} {}-security main\n", source.suite);
    }
    Ok(lines)
}

/// A script that runs the copy with its own libraries, from the C library up.
fn wrap(beside: &Path, place: &Path) -> Result<(), String> {
    let mut folders = Vec::new();
    for all in ["lib", "usr/lib"] {
        let inside = fs::read_dir(beside.join("root").join(all)).into_iter().flatten().flatten();
        let named = inside.map(|folder| Path::new(all).join(folder.file_name()));
        folders.extend(named.filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu")));
    }
    let has = |folder: &Path, start: &str| {
        let files = fs::read_dir(beside.join("root").join(folder)).into_iter().flatten().flatten();
        let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names
            .find(|name| name.starts_with(start))
            .map(|name| place.join("root").join(folder).join(name))
    };
    let find = |start: &str| {
        let found = folders.iter().find_map(|folder| has(folder, start));
        found.ok_or(format!("{} has no {start}", beside.display()))
    };
    let (loader, modules) = (find("ld-linux")?, find("ossl-modules")?);
    let libraries: Vec<String> = folders
        .iter()
        .map(|folder| place.join("root").join(folder).display().to_string())
        .collect();
    let script = beside.join("openssl");
    write(
        &script,
        &format!(
            "#!/bin/sh\nOPENSSL_MODULES='{}' exec '{}' --library-path '{}' '{}/root/usr/bin/openssl' \"$@\"\n",
            modules.display(),
            loader.display(),
            libraries.join(":"),
            place.display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", script.display()))
}

/// Debian's archive with this label from apt's sources, whatever their format.
fn archive(label: &str) -> Result<String, String> {
    let format = "$(CREATED_BY) $(REPO_URI) $(LABEL)";
    let targets = output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let found = targets.lines().find_map(|line| {
        let mut words = line.splitn(3, ' ');
        let (kind, archive) = (words.next()?, words.next()?);
        (kind == "Packages" && words.next()? == label).then_some(archive)
    });
    found.map(str::to_owned).ok_or_else(|| {
        format!("apt has no source for the archive `{label}`; set MESH_OPENSSL to an openssl of that release")
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| format!("{}: {error}", from.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Standard output of a program that must succeed.
fn output(command: &mut Command) -> Result<String, String> {
    let line = format!("{command:?}");
    let output = command.env("LC_ALL", "C").output().map_err(|error| format!("{line}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
