//! Dependencies: checks every locked package against deny.toml. `cargo deny` reads the same file and does more, but
//! building it takes CI longer than all of `tidy`. This covers what needs no database: licenses, sources and bans.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

/// The parts of deny.toml that are checked.
struct Policy {
    /// SPDX licenses, with their exceptions: `Apache-2.0 WITH LLVM-exception`.
    licenses: BTreeSet<String>,
    /// Packages that are not allowed.
    banned: BTreeSet<String>,
}

/// A locked package.
struct Package {
    /// The lock file.
    lock: String,
    name: String,
    version: String,
    /// `None` for packages of the workspace.
    source: Option<String>,
}

/// Adds everything wrong with the packages of the workspace and of `fuzz`.
pub fn check(root: &Path, problems: &mut Vec<String>) -> Result<(), String> {
    let policy = Policy::read(&read(&root.join("deny.toml"))?)?;
    let mut packages = Vec::new();
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        packages.extend(locked(lock, &read(&root.join(lock))?)?);
    }
    problems.extend(policy.locked(&packages));
    // Licenses are in the packages' own manifests; packages for other platforms may not be downloaded.
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args(["metadata", "--format-version", "1", "--locked"]);
    command.args(["--all-features", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = command.output().map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    problems.extend(policy.licensed(&metadata));
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn toml(text: &str) -> Result<Value, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn strings(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().or(one["name"].as_str()).map(str::to_owned)).collect()
}

/// The packages of a lock file.
fn locked(lock: &str, text: &str) -> Result<Vec<Package>, String> {
    let content = toml(text).map_err(|error| format!("{lock}: {error}"))?;
    let text = |package: &Value, key: &str| package[key].as_str().map(str::to_owned);
    let all = content["package"].as_array().cloned().unwrap_or_default();
    let packages = all.iter().map(|package| Package {
        lock: lock.to_owned(),
        name: text(package, "name").unwrap_or_default(),
        version: text(package, "version").unwrap_or_default(),
        source: text(package, "source"),
    });
    Ok(packages.collect())
}

impl Policy {
    fn read(text: &str) -> Result<Self, String> {
        let settings = toml(text).map_err(|error| format!("deny.toml: {error}"))?;
        for key in ["unknown-registry", "unknown-git"] {
            if settings["sources"][key] != "deny" {
                return Err(format!("deny.toml: sources.{key} is not `deny`"));
            }
        }
        let licenses = strings(&settings["licenses"]["allow"]);
        let banned = strings(&settings["bans"]["deny"]);
        Ok(Self { licenses, banned })
    }

    /// Problems of locked packages. All of them must come from one registry: the one most of them come from.
    fn locked(&self, packages: &[Package]) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let sources = packages.iter().filter_map(|package| package.source.as_deref());
        for source in sources.filter(|source| source.starts_with("registry+")) {
            *counts.entry(source).or_default() += 1;
        }
        let registry = counts.iter().max_by_key(|(_, count)| **count).map(|(source, _)| *source);
        let mut problems = Vec::new();
        for Package { lock, name, version, source } in packages {
            if self.banned.contains(name) {
                problems.push(format!("{lock}: {name} {version} is banned by deny.toml"));
            }
            if let Some(source) = source.as_deref().filter(|source| Some(*source) != registry) {
                problems.push(format!("{lock}: {name} {version} comes from {source}"));
            }
        }
        problems
    }

    /// Problems of dependencies whose license is not on the list.
    fn licensed(&self, metadata: &Value) -> Vec<String> {
        let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
        let foreign = packages.iter().filter(|package| !package["source"].is_null());
        let wrong = foreign.filter_map(|package| {
            let why = match package["license"].as_str() {
                None => "names no license".to_owned(),
                Some(license) => self.refuses(license)?,
            };
            let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
            Some(format!("{name} {version} {why}"))
        });
        wrong.collect()
    }

    /// Why a license expression is not allowed; `None` if it is.
    fn refuses(&self, license: &str) -> Option<String> {
        let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
            return Some(format!("has a license that is not SPDX: `{license}`"));
        };
        let is_allowed = expression.evaluate(|wanted| self.licenses.contains(&wanted.to_string()));
        (!is_allowed).then(|| format!("is under `{license}`, which deny.toml does not allow"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = "[licenses]\nallow = ['MIT', 'Apache-2.0', 'Apache-2.0 WITH LLVM-exception', 'ISC']\n\
        [bans]\ndeny = [{ name = 'openssl-sys' }]\n\
        [sources]\nunknown-registry = 'deny'\nunknown-git = 'deny'\n";

    #[test]
    fn licenses() {
        let policy = Policy::read(DENY).unwrap();
        let check = |license: Value, expect: &[&str]| {
            let package =
                json!({"name": "a", "version": "1.0.0", "source": "x", "license": license});
            let own = json!({"name": "own", "version": "1.0.0", "source": null, "license": null});
            assert_eq!(policy.licensed(&json!({"packages": [package, own]})), expect);
        };
        check(json!("MIT OR Apache-2.0"), &[]);
        check(json!("MIT/Apache-2.0"), &[]);
        check(json!("GPL-3.0 OR MIT"), &[]);
        check(json!("(MIT OR GPL-3.0) AND ISC"), &[]);
        check(json!("Apache-2.0 WITH LLVM-exception"), &[]);
        check(
            json!("MIT AND GPL-3.0-only"),
            &["a 1.0.0 is under `MIT AND GPL-3.0-only`, which deny.toml does not allow"],
        );
        check(
            json!("MIT WITH LLVM-exception"),
            &["a 1.0.0 is under `MIT WITH LLVM-exception`, which deny.toml does not allow"],
        );
        check(json!("mine"), &["a 1.0.0 has a license that is not SPDX: `mine`"]);
        check(Value::Null, &["a 1.0.0 names no license"]);
    }

    #[test]
    fn sources_and_bans() {
        let policy = Policy::read(DENY).unwrap();
        let one = |name: &str, source: &str| {
            let source =
                if source.is_empty() { String::new() } else { format!("source = '{source}'\n") };
            format!("[[package]]\nname = '{name}'\nversion = '1.0.0'\n{source}")
        };
        let check = |name: &str, source: &str, expect: &[&str]| {
            let usual = one("x", "registry+https://usual") + &one("y", "registry+https://usual");
            let packages = locked("Cargo.lock", &(usual + &one(name, source))).unwrap();
            assert_eq!(policy.locked(&packages), expect);
        };
        let registry = "registry+https://usual";
        check("a", registry, &[]);
        check("own", "", &[]);
        check("openssl-sys", registry, &["Cargo.lock: openssl-sys 1.0.0 is banned by deny.toml"]);
        check("a", "git+https://x/a#1", &["Cargo.lock: a 1.0.0 comes from git+https://x/a#1"]);
        check("a", "registry+https://x", &["Cargo.lock: a 1.0.0 comes from registry+https://x"]);
        check("a", "sparse+https://x", &["Cargo.lock: a 1.0.0 comes from sparse+https://x"]);
        assert!(
            Policy::read(&DENY.replace("unknown-git = 'deny'", "unknown-git = 'warn'")).is_err()
        );
    }

    #[test]
    fn what_is_locked_is_allowed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut problems = Vec::new();
        check(&root, &mut problems).unwrap();
        assert_eq!(problems, [""; 0]);
    }
}
