//! `--openssl`: which release of OpenSSL answers, by default the one this machine has.

use std::ffi::OsString;
use std::fs;
use std::sync::LazyLock;

use meshpki::verify::Release;

use super::Stop;
use super::openssl_args::Options;
use crate::args::verify::Id;

/// What answers where nothing is known of the machine: the release with long-term support.
const UNKNOWN: Release = Release::V3_5;

/// Where a system describes itself (os-release(5)): the administrator's file, then the distribution's.
const OS_RELEASE: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];

/// A release, and what chose it.
pub(super) struct Chosen {
    pub(super) release: Release,
    /// The option, the variable or the file.
    pub(super) by: &'static str,
}

/// The release for a command line: its last `--openssl`, otherwise `MESHCTL_OPENSSL`, otherwise `auto`.
///
/// It is looked for first of all: it decides which options there are and how files are read.
pub(super) fn chosen(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Chosen, Stop> {
    let mut options = Options::new(args, Release::ALL[Release::ALL.len() - 1]);
    let mut typed = None;
    // What is wrong with another option is said when it is read for its sake.
    while let Ok(Some(given)) = options.next() {
        if given.id == Id::OpenSsl {
            typed = Some(given.text());
        }
    }
    let from_env = || env("MESHCTL_OPENSSL").filter(|text| !text.is_empty());
    let by = if typed.is_some() { "--openssl" } else { "MESHCTL_OPENSSL" };
    match typed.or_else(from_env).as_deref() {
        None | Some("auto") => Ok(of_this_machine()),
        Some(text) => match text.parse() {
            Ok(release) => Ok(Chosen { release, by }),
            Err(_) => Err(Stop::refused(format!(
                "verify: Invalid release {text}, use 3.0, 3.5, 3.6 or auto\n"
            ))),
        },
    }
}

/// How this system describes itself, and the file that does; it is read once.
fn described() -> Option<&'static (String, &'static str)> {
    static FOUND: LazyLock<Option<(String, &'static str)>> = LazyLock::new(|| {
        OS_RELEASE.iter().find_map(|by| Some((fs::read_to_string(by).ok()?, *by)))
    });
    FOUND.as_ref()
}

/// As this machine's own `openssl` would answer, without starting it.
fn of_this_machine() -> Chosen {
    let known = described().and_then(|(text, by)| Some(Chosen { release: of_system(text)?, by }));
    known.unwrap_or(Chosen { release: UNKNOWN, by: "default, as the system is not known" })
}

/// The release a system ships, by its `os-release`. OpenSSL 3.1 counts as 3.0, and 3.2 to 3.4 as 3.5, which they are
/// closer to; a release without a table entry is the newest known.
fn of_system(text: &str) -> Option<Release> {
    let version = field(text, "VERSION_ID").and_then(|version| numbers(&version));
    // `ID_LIKE` does not help: a derivative counts its versions its own way.
    shipped(&field(text, "ID")?, version)
}

/// A field of an `os-release`, without quotes; the last one counts.
fn field(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next_back()?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Where this system's OpenSSL keeps its trust store (`OPENSSLDIR`), whichever release answers.
pub(super) fn folder() -> &'static str {
    folder_of(described().map_or("", |(text, _)| text.as_str()))
}

/// Debian's and its derivatives' for a system that is not known.
fn folder_of(text: &str) -> &'static str {
    match field(text, "ID").as_deref() {
        Some("rhel" | "centos" | "almalinux" | "rocky" | "ol" | "fedora" | "amzn") => {
            "/etc/pki/tls"
        }
        Some("alpine" | "arch") => "/etc/ssl",
        _ => "/usr/lib/ssl",
    }
}

/// `24.04` as (24, 4); `13` as (13, 0).
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// What a distribution has in a version; `None` as version: it only has the newest.
fn shipped(id: &str, version: Option<(u32, u32)>) -> Option<Release> {
    // From which version on it has 3.5 (or 3.2 to 3.4), and 3.6.
    let (has_3_5, has_3_6) = match id {
        // 12: 3.0, 13: 3.5; the next: 3.6.
        "debian" | "raspbian" => ((13, 0), (14, 0)),
        // 24.04: 3.0, 24.10: 3.3, 26.04: 3.5, 26.10: newer.
        "ubuntu" | "pop" => ((24, 10), (26, 10)),
        // By Ubuntu, 21: 22.04, 22: 24.04; by Debian, 6: 12, 7: 13.
        "linuxmint" => {
            return match version?.0 {
                6 | 21 | 22 => Some(Release::V3_0),
                7 => Some(Release::V3_5),
                _ => None,
            };
        }
        // Stream, which is ahead of the same version of RHEL.
        "centos" => ((9, 0), (11, 0)),
        // 9.4: 3.0, 9.5: 3.2, 9.8: 3.5, 10: 3.2 and then 3.5.
        "rhel" | "almalinux" | "rocky" | "ol" => ((9, 5), (11, 0)),
        // 39: 3.1, 40: 3.2, 43: 3.5.
        "fedora" => ((40, 0), (45, 0)),
        // 3.19: 3.1, 3.20: 3.3, 3.22: 3.5.
        "alpine" => ((3, 20), (4, 0)),
        _ => return None,
    };
    Some(match version {
        Some(version) if version < has_3_5 => Release::V3_0,
        Some(version) if version < has_3_6 => Release::V3_5,
        _ => Release::V3_6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems() {
        let check = |text: &str, expect| {
            let lines = text.replace(' ', "\n").replace('_', " ").replace("VERSION ", "VERSION_");
            assert_eq!(of_system(&lines.replace("ID LIKE", "ID_LIKE")), expect, "{lines}");
        };
        check("ID=debian VERSION_ID=\"12\"", Some(Release::V3_0));
        check("PRETTY_NAME=\"Debian\" ID=debian VERSION_ID=\"13\"", Some(Release::V3_5));
        check("ID=debian VERSION_CODENAME=forky", Some(Release::V3_6));
        check("ID=ubuntu VERSION_ID=\"22.04\"", Some(Release::V3_0));
        check("ID=ubuntu ID_LIKE=debian VERSION_ID=\"24.04\"", Some(Release::V3_0));
        check("ID=ubuntu ID_LIKE=debian VERSION_ID=\"26.04\"", Some(Release::V3_5));
        check("ID=\"rhel\" VERSION_ID=\"9.4\"", Some(Release::V3_0));
        check("ID=\"rhel\" VERSION_ID=\"9.8\"", Some(Release::V3_5));
        check("ID='rocky' ID_LIKE=\"rhel_centos_fedora\" VERSION_ID=\"10.1\"", Some(Release::V3_5));
        check("ID=fedora VERSION_ID=43", Some(Release::V3_5));
        check("ID=alpine VERSION_ID=3.22.1", Some(Release::V3_5));
        check("ID=centos ID_LIKE=\"rhel_fedora\" VERSION_ID=\"9\"", Some(Release::V3_5));
        check("ID=amzn ID_LIKE=fedora VERSION_ID=\"2023\"", None);
        check("ID=linuxmint ID_LIKE=debian VERSION_ID=\"7\"", Some(Release::V3_5));
        check("ID=linuxmint ID_LIKE=debian VERSION_ID=\"6\"", Some(Release::V3_0));
        check("ID=linuxmint ID_LIKE=\"ubuntu_debian\" VERSION_ID=\"22.1\"", Some(Release::V3_0));
        check("ID=raspbian ID_LIKE=debian VERSION_ID=\"12\"", Some(Release::V3_0));
        check("ID=kali ID_LIKE=debian VERSION_ID=\"2026.1\"", None);
        check("ID=nixos VERSION_ID=\"26.05\"", None);
        check("NAME=x", None);
        check("", None);
    }

    #[test]
    fn trust_stores() {
        let check = |text: &str, expect| assert_eq!(folder_of(text), expect, "{text}");
        check("ID=debian\n", "/usr/lib/ssl");
        check("ID=ubuntu\nID_LIKE=debian\n", "/usr/lib/ssl");
        check("ID=\"rhel\"\n", "/etc/pki/tls");
        check("ID=fedora\n", "/etc/pki/tls");
        check("ID=alpine\n", "/etc/ssl");
        check("", "/usr/lib/ssl");
    }
}
