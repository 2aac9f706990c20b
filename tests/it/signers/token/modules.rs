//! PKCS#11 modules, and tokens in them that a test makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::Shell;
use tests::cli::compare;
use tests::judges::{Answer, kryoptic, missing, run};

use super::super::refuses_outside;

/// The PIN of every token.
pub(in crate::signers) const PIN: &str = "pin-7d1f2a90c3";
/// Where Debian installs SoftHSM's module.
pub(super) const SOFTHSM_FILE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The name of a module's configuration in the folder of a test.
pub(super) const CONFIG: &str = "hsm/module.conf";

/// A module: how it is configured, and what is different about its tokens.
pub(super) struct Module {
    name: &'static str,
    /// The shared library, or why there is none.
    file: fn() -> Result<PathBuf, String>,
    /// The variable of the environment that names its configuration.
    pub(super) variable: &'static str,
    /// The configuration for two tokens in a folder.
    pub(super) config: fn(&Path) -> String,
    /// The model of its tokens, as in a URI.
    pub(super) model: &'static str,
    /// The kinds of keys that it does not make.
    pub(super) lacks: &'static [&'static str],
    /// What it says when its configuration names a folder that does not exist.
    pub(super) astray: &'static str,
    /// What it says of the tries that are left, after a wrong PIN.
    pub(super) tries: &'static str,
}

/// The token of OpenDNSSEC, in C++.
pub(super) const SOFTHSM: Module = Module {
    name: "SoftHSM2",
    file: || match Path::new(SOFTHSM_FILE) {
        file if file.exists() => Ok(file.to_owned()),
        _ => Err("it is not installed (Debian: softhsm2)".to_owned()),
    },
    variable: "SOFTHSM2_CONF",
    config: |folder| format!("directories.tokendir = {}\nlog.level = ERROR\n", folder.display()),
    model: "SoftHSM%20v2",
    lacks: &[],
    astray: "GeneralError",
    tries: "the token counts wrong PINs, and does not say how many tries are left",
};

/// A token in Rust, with OpenSSL 3.0.
pub(super) const KRYOPTIC: Module = Module {
    name: "kryoptic",
    file: kryoptic::module,
    variable: "KRYOPTIC_CONF",
    config: |folder| {
        let slot = |number: u8| {
            let file = folder.join(format!("{number}.sql"));
            format!("[[slots]]\nslot = {number}\ndbtype = \"sqlite\"\ndbargs = {file:?}\n")
        };
        slot(3) + &slot(4)
    },
    model: "v1",
    lacks: &["EC:edwards25519", "EC:secp256k1"],
    astray: "TokenNotPresent",
    // It does when few are left.
    tries: "the token does not say how many tries are left",
};

/// A folder with a token, `ROOT`, in `hsm`, and files with a right and a wrong PIN in `pins`.
pub(in crate::signers) struct Token {
    pub(super) module: &'static Module,
    /// The module's file.
    pub(super) file: String,
    pub(in crate::signers) shell: Shell,
    pub(in crate::signers) env: Vec<(String, String)>,
}

impl Token {
    /// A token of each module that is there.
    pub(in crate::signers) fn each() -> impl Iterator<Item = Self> {
        [&SOFTHSM, &KRYOPTIC].into_iter().filter_map(Self::of)
    }

    pub(super) fn of(module: &'static Module) -> Option<Self> {
        let has_tool = Command::new("pkcs11-tool").arg("--version").output().is_ok();
        let tool = || {
            if has_tool {
                Ok(())
            } else {
                Err("pkcs11-tool is not installed (Debian: opensc)".to_owned())
            }
        };
        let file = (module.file)().and_then(|file| tool().map(|()| file));
        let file = file.map_err(|why| missing(module.name, &why)).ok()?.display().to_string();
        let shell = Shell::new();
        let tokens = shell.scratch.join("hsm/tokens");
        std::fs::create_dir_all(&tokens).unwrap();
        shell.scratch.write(CONFIG, (module.config)(&tokens));
        shell.scratch.write_key("pins/right", format!("{PIN}\n"));
        shell.scratch.write_key("pins/wrong", "12345678\n");
        let config = shell.scratch.join(CONFIG).display().to_string();
        let this = Self { module, file, shell, env: vec![(module.variable.to_owned(), config)] };
        this.add("ROOT", "0");
        Some(this)
    }

    fn run(&self, program: &str, args: &[&str]) -> Answer {
        run(Command::new(program).args(args).envs(self.env.iter().cloned()))
    }

    #[track_caller]
    fn tool(&self, args: &[&str]) {
        let answer = self.run("pkcs11-tool", &[&["--module", self.file.as_str()], args].concat());
        assert!(answer.good, "{} {args:?}: {}{}", self.module.name, answer.out, answer.err);
    }

    /// Another token, in a slot that has none yet.
    pub(super) fn add(&self, label: &str, slot_index: &str) {
        let officer = ["--so-pin", "so-pin-11"];
        let init = ["--init-token", "--slot-index", slot_index, "--label", label];
        self.tool(&[&init[..], &officer].concat());
        let pin = ["--init-pin", "--token-label", label, "--pin", PIN, "--login"];
        self.tool(&[&pin[..], &["--login-type", "so"], &officer].concat());
    }

    /// A key pair on `ROOT`; whether the token has made it.
    pub(super) fn makes(&self, kind: &str, label: &str, id: &str) -> bool {
        let token = ["--module", &self.file, "--token-label", "ROOT", "--login", "--pin", PIN];
        let key = ["--keypairgen", "--key-type", kind, "--label", label, "--id", id];
        self.run("pkcs11-tool", &[&token[..], &key].concat()).good
    }

    /// A key pair on `ROOT`.
    #[track_caller]
    pub(in crate::signers) fn key(&self, kind: &str, label: &str, id: &str) {
        assert!(self.makes(kind, label, id), "{} makes no {kind}", self.module.name);
    }

    /// A key on `ROOT`, in quotes.
    pub(in crate::signers) fn uri(&self, key: &str) -> String {
        let path = format!("token=ROOT;{key}");
        let query = format!("module-path={}&pin-source=file:@/pins/right", self.file);
        format!("'pkcs11:{path}?{query}'")
    }

    /// The option for a key on `ROOT`.
    pub(super) fn signer(&self, key: &str) -> String {
        format!("--root-signer {}", self.uri(key))
    }

    /// Builds the module `hsm/faults.so`, a layer over this one.
    pub(super) fn faults(&self) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/judges/pkcs11/faults.c");
        let module = self.shell.scratch.join("hsm/faults.so").display().to_string();
        let built =
            self.run("c++", &["-x", "c", "-shared", "-fPIC", "-o", &module, source, "-ldl"]);
        assert!(built.good, "{}", built.err);
    }

    /// Runs a command; the folder, without what the token keeps, is as it was.
    #[track_caller]
    pub(super) fn refuses(&self, command: &str, env: &[(&str, &str)], expect: &str) {
        let mut all = self.env.clone();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let ran = refuses_outside(&self.shell, "hsm/", command, &all);
        let told = format!("exit {}\n{}--- stderr\n{}", ran.status, ran.out, ran.err);
        assert!(!told.contains(PIN), "{told}");
        compare(&format!("meshctl {command}"), &masked(&self.shell.mask(&told)), expect);
    }

    /// Runs a command with a PIN that the token refuses for this reason.
    #[track_caller]
    pub(super) fn refuses_pin(&self, command: &str, env: &[(&str, &str)], because: &str) {
        let expect = format!(
            "exit 1\n--- stderr\nerror[ctl/signer-pin]: wrong PIN for the token `ROOT`\n  because: {because}\n\n\
             hint: correct the PIN where it comes from: the file of `pin-source`, the variable of `--pin-env`; \
             without both, it is asked for\n"
        );
        self.refuses(command, env, &expect);
    }
}

/// Without the numbers that differ: serial numbers of 16 digits are masked already, slots are not.
fn masked(text: &str) -> String {
    let slots = |line: &str| match line.split_once("slot-id ") {
        Some((before, _)) => format!("{before}slot-id [slot]\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(slots).collect()
}
