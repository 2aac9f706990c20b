//! Modules in layers: a module uses those of lower layers, never of higher ones, and so there are no circles.
//!
//! A crate has an order: its layers from the lowest to the highest. `use` declarations and paths such as
//! `crate::a::b` are read from the source text; code for tests is not looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rust_text::{Source, test_modules};

/// The order of a crate.
pub struct Order {
    /// The crate, a folder of `crates/`.
    pub name: &'static str,
    /// Its layers, the lowest first. The crate's root is above them all.
    pub layers: &'static [Layer],
}

/// Modules at one height.
pub enum Layer {
    /// One module with all below it.
    One(&'static str),
    /// Modules that may use each other.
    Together(&'static [&'static str]),
    /// Modules that must not use each other. `commands::*` stands for each module in `commands`.
    Apart(&'static [&'static str]),
}

impl Layer {
    const fn members(&self) -> &[&'static str] {
        match self {
            Self::One(module) => std::slice::from_ref(module),
            Self::Together(modules) | Self::Apart(modules) => modules,
        }
    }
}

use Layer::{Apart, One, Together};

/// Every crate that has an order.
pub const ORDERS: &[Order] = &[
    Order {
        name: "meshpki",
        layers: &[
            One("der"),
            One("pkcs7"),
            Together(&["digest", "time", "oid", "pem"]),
            One("algorithm"),
            One("name"),
            One("key"),
            Together(&["spiffe::id", "spiffe::problem"]),
            One("error"),
            One("signature"),
            One("cert"),
            One("crl"),
            Apart(&["profile", "revocation"]),
            One("csr"),
            One("version"),
            One("verify"),
            // A new certificate is verified before it is given out.
            One("issue"),
            One("chain"),
            One("spiffe"),
            One("soft"),
            One("contents"),
            One("cacerts"),
            One("istiod"),
            Apart(&["federation", "rotation"]),
            One("cfssl"),
            // Types of other crates.
            One("with_pki_types"),
            One("with_rcgen"),
            One("tls"),
            // What the root exports, and what the other crates share.
            Apart(&["x509", "internals"]),
        ],
    },
    Order {
        name: "meshapply",
        layers: &[
            Together(&["names", "server", "export", "child"]),
            One("workload"),
            One("state"),
            One("pending"),
            One("proof"),
            One("next"),
            One("error"),
            One("cluster"),
            Together(&["converge", "forget", "waves", "mesh", "remote"]),
            Apart(&["istio_ca", "endpoint", "proxies"]),
            One("kube"),
        ],
    },
    Order {
        name: "meshctl",
        layers: &[
            Apart(&["text", "codes", "system"]),
            One("exit"),
            Together(&["failure", "hints"]),
            One("interrupt"),
            One("terminal"),
            One("io"),
            One("files"),
            Apart(&["spec", "authority"]),
            One("fleet"),
            One("rollout"),
            One("args"),
            One("commands::options"),
            // A command never uses another one.
            Apart(&["commands::*", "commands::ca::*", "commands::mesh::*"]),
            Apart(&["commands::ca", "commands::mesh"]),
            One("commands"),
        ],
    },
];

/// Reports every use of a higher layer in every crate that has an order.
pub fn check(root: &Path, problems: &mut Vec<String>) {
    for order in ORDERS {
        let src = root.join("crates").join(order.name).join("src");
        let mut files = BTreeMap::new();
        read(&src, &src, &mut files);
        let found = judge(order, &files);
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", order.name)));
    }
}

/// The text of each module by its path from the crate's root, whose own path is empty.
type Modules = BTreeMap<Vec<String>, String>;

fn read(src: &Path, dir: &Path, modules: &mut Modules) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(src, &path, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let within = path.strip_prefix(src).unwrap_or(&path).with_extension("");
            let mut module: Vec<String> =
                within.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            module.retain(|part| part != "mod");
            if module != ["main"] {
                module.retain(|part| part != "lib");
                modules.insert(module, std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
}

/// What is wrong with the modules of a crate, by its order.
fn judge(order: &Order, modules: &Modules) -> Vec<String> {
    let tests = for_tests(modules);
    let is_test = |module: &[String]| tests.iter().any(|test| module.starts_with(test));
    let exports = exports(modules);
    let mut problems = BTreeSet::new();
    for (module, text) in modules.iter().filter(|(module, _)| !is_test(module)) {
        if module.is_empty() {
            continue;
        }
        let Some(own) = place(order, module) else {
            problems.insert(format!("module {} is in no layer", module.join("::")));
            continue;
        };
        for path in uses(module, &Source::read(text).code) {
            let path = match path.first().and_then(|name| exports.get(name)) {
                Some(exported) => exported,
                None => &path,
            };
            let used = (0..=path.len()).rev().map(|n| &path[..n]);
            let used = used.into_iter().find(|part| modules.contains_key(*part)).unwrap_or(&[]);
            let from = module.join("::");
            if used.is_empty() {
                problems.insert(format!(
                    "{from} uses {} of the crate's root, which is above it",
                    path.join("::")
                ));
            } else if let Some(other) = place(order, used).filter(|_| !is_test(used)) {
                problems.extend(
                    fault(order, own, other)
                        .map(|why| format!("{from} uses {}, {why}", used.join("::"))),
                );
            }
        }
    }
    problems.into_iter().collect()
}

/// A member of a layer: the layer's number, and the member's path.
type Place<'a> = (usize, &'a [String]);

fn fault(order: &Order, own: Place<'_>, other: Place<'_>) -> Option<&'static str> {
    if own.1 == other.1 || own.0 > other.0 {
        return None;
    }
    if own.0 < other.0 {
        return Some("which is of a higher layer");
    }
    matches!(order.layers[own.0], Layer::Apart(_))
        .then_some("and modules of that layer are kept apart")
}

/// The member a module belongs to: the one with the longest path, and of those the one with the fewest `*`.
fn place<'a>(order: &Order, module: &'a [String]) -> Option<Place<'a>> {
    let mut best: Option<(usize, Place<'a>)> = None;
    for (height, layer) in order.layers.iter().enumerate() {
        for member in layer.members() {
            let parts: Vec<&str> = member.split("::").collect();
            let fits = module.len() >= parts.len()
                && parts.iter().zip(module).all(|(part, name)| *part == "*" || part == name);
            let named = 2 * parts.len() - parts.iter().filter(|part| **part == "*").count();
            if fits && best.is_none_or(|(known, _)| known < named) {
                best = Some((named, (height, &module[..parts.len()])));
            }
        }
    }
    best.map(|(_, place)| place)
}

/// Modules that exist for tests alone, with what is below them.
fn for_tests(modules: &Modules) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (module, text) in modules {
        found.extend(
            test_modules(text).into_iter().map(|name| [module.as_slice(), &[name]].concat()),
        );
    }
    found
}

/// What the crate's root exports under a name of its own, with the path it comes from.
fn exports(modules: &Modules) -> BTreeMap<String, Vec<String>> {
    let Some(text) = modules.get(&Vec::new()) else { return BTreeMap::new() };
    let code = Source::read(text).code;
    let mut found = BTreeMap::new();
    for tree in statements(&code) {
        for path in expand(&tree) {
            let path: Vec<String> =
                path.into_iter().filter(|part| part != "crate" && part != "self").collect();
            if let Some(name) = path.last().filter(|_| path.len() > 1) {
                found.insert(name.clone(), path.clone());
            }
        }
    }
    found
}

/// The paths a module's code uses, from the crate's root.
fn uses(module: &[String], code: &str) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    for tree in statements(code) {
        found.extend(expand(&tree));
    }
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let inside =
                code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if inside {
                continue;
            }
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let end = code[at..].find(|c| !is_part(c)).unwrap_or(code.len() - at);
            // The beginning of a tree, which its `use` has.
            if code[at..at + end].ends_with(':') {
                continue;
            }
            let parts = code[at..at + end].split("::").filter(|part| !part.is_empty());
            found.push(parts.map(str::to_owned).collect());
        }
    }
    found.into_iter().filter_map(|path| absolute(module, path)).collect()
}

/// A path from the crate's root; `None` for a path of another crate or of this module itself.
fn absolute(module: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let mut parts = path.into_iter().peekable();
    match parts.peek().map(String::as_str) {
        Some("crate") => Some(parts.skip(1).collect()),
        Some("super") => {
            let mut base = module.to_vec();
            while parts.next_if(|part| part == "super").is_some() {
                base.pop();
            }
            base.extend(parts);
            Some(base)
        }
        _ => None,
    }
}

/// The trees of the `use` declarations.
fn statements(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].chars().next_back();
        if before.is_none_or(char::is_whitespace)
            && let Some(end) = code[at..].find(';')
        {
            found.push(code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    found
}

/// The paths of a tree: `a::{b, c::{d, e}}` has three.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        let parts =
            path.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "self");
        let parts: Vec<String> = parts.map(str::to_owned).collect();
        return if parts.is_empty() { Vec::new() } else { Vec::from([parts]) };
    };
    let prefix = tree[..open].split("::").map(str::trim).filter(|part| !part.is_empty());
    let prefix: Vec<String> = prefix.map(str::to_owned).collect();
    let inner = tree[open + 1..].trim_end().strip_suffix('}').unwrap_or(&tree[open + 1..]);
    let mut found = Vec::new();
    for item in items(inner) {
        let paths = if item == "self" { Vec::from([Vec::new()]) } else { expand(item) };
        found.extend(paths.into_iter().map(|path| [prefix.as_slice(), &path].concat()));
    }
    found
}

/// The items of a list, at its own level.
fn items(list: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(list[from..].trim());
    found.retain(|item| !item.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order = Order {
        name: "made-up",
        layers: &[One("low"), Together(&["left", "right"]), Apart(&["commands::*"])],
    };

    #[track_caller]
    fn check(files: &[(&str, &str)], expect: &[&str]) {
        let modules = files.iter().map(|(path, text)| {
            let parts = path.split("::").filter(|part| !part.is_empty()).map(str::to_owned);
            (parts.collect(), (*text).to_owned())
        });
        let base = ["", "low", "low::below", "left", "right", "commands::one", "commands::two"];
        let mut all: Modules = base
            .iter()
            .map(|path| {
                let parts = path.split("::").filter(|part| !part.is_empty());
                (parts.map(str::to_owned).collect(), String::new())
            })
            .collect();
        all.extend(modules);
        assert_eq!(judge(&ORDER, &all), expect);
    }

    #[test]
    fn downwards_and_side_by_side() {
        check(
            &[
                ("left", "use crate::low::X;\nuse crate::right;"),
                ("right", "use super::left::{self, Y};\nfn f() { crate::low::below::g() }"),
                ("low::below", "use super::Z;\nuse super::super::low;\nuse std::fmt;"),
                (
                    "commands::one",
                    "use crate::{left::Y, low, right::{A, B}};\nuse super::one::own;",
                ),
            ],
            &[],
        );
    }

    #[test]
    fn upwards() {
        let of_right = "low uses right, which is of a higher layer";
        check(&[("low", "use crate::right::X;")], &[of_right]);
        check(
            &[("low", "use crate::{\n    low::below,\n    right::{X, Y as Z},\n};")],
            &[of_right],
        );
        check(&[("low", "fn f() -> super::right::X { 1 }")], &[of_right]);
        let below = "low::below uses right, which is of a higher layer";
        check(&[("low::below", "use super::super::right;")], &[below]);
        check(
            &[("low::below", "// use crate::right::X;\nconst A: &str = \"crate::right::X\";")],
            &[],
        );
    }

    #[test]
    fn members_that_are_kept_apart() {
        check(
            &[
                ("commands::one", "use crate::commands::two::run;"),
                ("commands::two", "use super::one;"),
            ],
            &[
                "commands::one uses commands::two, and modules of that layer are kept apart",
                "commands::two uses commands::one, and modules of that layer are kept apart",
            ],
        );
    }

    #[test]
    fn the_root_and_what_it_exports() {
        check(&[("", "pub use right::X;"), ("left", "use crate::X;")], &[]);
        check(
            &[("", "pub use right::X;"), ("low", "use crate::X;")],
            &["low uses right, which is of a higher layer"],
        );
        check(
            &[("left", "use crate::Exit;")],
            &["left uses Exit of the crate's root, which is above it"],
        );
        check(&[("other", "")], &["module other is in no layer"]);
    }

    #[test]
    fn code_for_tests_may_use_anything() {
        check(
            &[
                ("low", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse crate::right;"),
                ("low::tests", "use crate::right::X;"),
                ("low::below", "#[cfg(test)]\nmod tests {\n    use crate::right;\n}"),
            ],
            &[],
        );
    }
}
