//! `cargo xtask judge`: OpenSSL 3.0 as Debian 12 ships it with its updates, and BoringSSL, in caches outside the clone.
//!
//! Nothing is installed. apt downloads the packages from the archive that this machine already uses and verifies them
//! with Debian's keyring.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::judges::openssl as judge;

mod boringssl;

/// The suite whose OpenSSL is the judge, and the packages that make it up.
const SUITE: &str = "bookworm-security";
const PACKAGES: [&str; 2] = ["openssl", "libssl3"];
/// Debian's keys. If the file is missing, apt uses the keys it trusts already.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Fetches the reference openssl if neither this machine nor the cache has it, and prints which one is used; then the
/// same for BoringSSL.
pub(crate) fn run() -> Result<(), String> {
    let found = judge::find().or_else(|why| {
        println!("{why}");
        fetch(&judge::cache()?)?;
        judge::find()
    })?;
    println!("judge: {} ({})", judge::version(&found)?, found.display());
    boringssl::run()
}

/// Creates the copy under a temporary name first, so that a copy with the right name is complete.
fn fetch(place: &Path) -> Result<(), String> {
    let beside = place.with_extension(format!("new-{}", std::process::id()));
    let made = make(&beside, place).and_then(|()| {
        // Another version, or an incomplete one.
        let _ = fs::remove_dir_all(place);
        fs::rename(&beside, place).map_err(|error| format!("{}: {error}", place.display()))
    });
    // After a rename, it does not exist any more.
    let _ = fs::remove_dir_all(&beside);
    made
}

fn make(beside: &Path, place: &Path) -> Result<(), String> {
    let apt = beside.join("apt");
    let (lists, archives, debs) =
        (apt.join("lists/partial"), apt.join("cache/archives/partial"), apt.join("debs"));
    for folder in [&lists, &archives, &debs] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let keys =
        if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    write(&apt.join("sources.list"), &format!("deb {keys}{} {SUITE} main\n", archive()?))?;
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
    apt_get(&[&["download"], PACKAGES.as_slice()].concat())?;
    let root = beside.join("root");
    let packages = fs::read_dir(&debs).map_err(|error| format!("{}: {error}", debs.display()))?;
    for package in packages.flatten() {
        output(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(&root))?;
    }
    let _ = fs::remove_dir_all(&apt);
    wrap(beside, place)
}

/// A script that runs the copy with its own libraries.
fn wrap(beside: &Path, place: &Path) -> Result<(), String> {
    let all = beside.join("root/usr/lib");
    let folders = fs::read_dir(&all).map_err(|error| format!("{}: {error}", all.display()))?;
    let names = folders.flatten().map(|folder| folder.file_name());
    let name = names.into_iter().find(|name| all.join(name).join("libssl.so.3").exists());
    let name = name.ok_or(format!("{} has no libssl.so.3", all.display()))?;
    let (root, name) = (place.join("root"), PathBuf::from(name));
    let libraries = root.join("usr/lib").join(name);
    let script = beside.join("openssl");
    write(
        &script,
        &format!(
            "#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' OPENSSL_MODULES='{libraries}/ossl-modules' exec '{}/usr/bin/openssl' \
             \"$@\"\n",
            root.display(),
            libraries = libraries.display()
        ),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", script.display()))
}

/// Debian's security archive from apt's sources, whatever their format.
fn archive() -> Result<String, String> {
    let format = "$(CREATED_BY) $(RELEASE) $(REPO_URI)";
    let targets = output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    let security = targets.lines().find_map(|line| {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let suite = words.next()?;
        (kind == "Packages" && suite.ends_with("-security")).then(|| words.next())?
    });
    security.map(str::to_owned).ok_or_else(|| {
        format!(
            "apt has no source for Debian's security archive; set MESH_OPENSSL to {}",
            judge::WANTED
        )
    })
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
