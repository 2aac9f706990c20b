//! `--root-signer pkcs11:`: SoftHSM's tokens, and a module in front of it that shows what real tokens do.

use std::path::Path;
use std::process::Command;

use tests::Shell;
use tests::cli::{compare, ended};
use tests::judges::{missing, run};

use crate::terminal::{answer, on_a_terminal};

use super::{clear, is_nowhere, meshctl, refuses_outside, transcript, whole_job};

/// Where Debian installs it.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(super) const PIN: &str = "pin-7d1f2a90c3";

/// A folder with a token, `ROOT`, in `hsm`, and files with a right and a wrong PIN in `pins`.
pub(super) struct Token {
    pub(super) shell: Shell,
    pub(super) env: Vec<(String, String)>,
}

impl Token {
    pub(super) fn new() -> Option<Self> {
        let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if !is_there("softhsm2-util") || !is_there("pkcs11-tool") || !Path::new(MODULE).exists() {
            missing("SoftHSM2", "it is not installed (Debian: softhsm2 and opensc)");
            return None;
        }
        let shell = Shell::new();
        let tokens = shell.scratch.join("hsm/tokens");
        std::fs::create_dir_all(&tokens).unwrap();
        let config = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        shell.scratch.write("hsm/softhsm2.conf", config);
        shell.scratch.write_key("pins/right", format!("{PIN}\n"));
        shell.scratch.write_key("pins/wrong", "12345678\n");
        let config = shell.scratch.join("hsm/softhsm2.conf").display().to_string();
        let this = Self { shell, env: vec![("SOFTHSM2_CONF".to_owned(), config)] };
        this.add("ROOT");
        Some(this)
    }

    fn tool(&self, program: &str, args: &[&str]) {
        let answer = run(Command::new(program).args(args).envs(self.env.iter().cloned()));
        assert!(answer.good, "{program} {args:?}: {}{}", answer.out, answer.err);
    }

    /// A key on `ROOT`, as a shell has its URI.
    pub(super) fn uri(key: &str) -> String {
        format!("'pkcs11:token=ROOT;{key}?module-path={MODULE}&pin-source=file:@/pins/right'")
    }

    /// Another token.
    fn add(&self, label: &str) {
        let init =
            ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-pin-11"];
        self.tool("softhsm2-util", &init);
    }

    /// A key pair on `ROOT`.
    pub(super) fn key(&self, kind: &str, label: &str, id: &str) {
        let token = ["--module", MODULE, "--token-label", "ROOT", "--login", "--pin", PIN];
        let key = ["--keypairgen", "--key-type", kind, "--label", label, "--id", id];
        self.tool("pkcs11-tool", &[token.as_slice(), &key].concat());
    }

    /// Builds the module `hsm/faults.so`, a layer over SoftHSM's.
    fn faults(&self) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/judges/pkcs11/faults.c");
        let module = self.shell.scratch.join("hsm/faults.so").display().to_string();
        self.tool("c++", &["-x", "c", "-shared", "-fPIC", "-o", &module, source, "-ldl"]);
    }

    /// Runs a command; the folder, without what the token keeps, is as it was.
    #[track_caller]
    fn refuses(&self, command: &str, env: &[(&str, &str)], expect: &str) {
        let mut all = self.env.clone();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let ran = refuses_outside(&self.shell, "hsm/", command, &all);
        let told = format!("exit {}\n{}--- stderr\n{}", ran.status, ran.out, ran.err);
        assert!(!told.contains(PIN), "{told}");
        compare(&format!("meshctl {command}"), &masked(&self.shell.mask(&told)), expect);
    }
}

/// Without the numbers that SoftHSM gives its tokens: 16 digits are masked already, slots are not.
fn masked(text: &str) -> String {
    let slots = |line: &str| match line.split_once("slot-id ") {
        Some((before, _)) => format!("{before}slot-id [slot]\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(slots).collect()
}

/// The option for a key of SoftHSM.
fn signer(key: &str) -> String {
    format!("--root-signer {}", Token::uri(key))
}

#[test]
fn a_token_is_the_root_key() {
    let Some(token) = Token::new() else { return };
    for (i, kind) in ["EC:prime256v1", "EC:secp384r1", "rsa:2048"].into_iter().enumerate() {
        token.key(kind, "mesh", &format!("0{i}"));
        let shell = &token.shell;
        let printed = whole_job(shell, &signer(&format!("object=mesh;id=%0{i}")), &token.env);
        let lines = transcript(shell);
        let name = format!("pkcs11:token=ROOT;object=mesh;id=%0{i}");
        assert!(lines.iter().all(|line| line["signer"] == *name), "{lines:?}");
        is_nowhere(shell, PIN, &printed, &["pins/right"]);
        clear(shell);
    }
}

/// Keys of other kinds sign, too; their certificates verify before they are given out.
#[test]
fn every_kind_of_key() {
    let Some(token) = Token::new() else { return };
    for (i, kind) in ["EC:secp521r1", "EC:edwards25519", "rsa:3072", "rsa:4096"].iter().enumerate()
    {
        token.key(kind, "mesh", &format!("0{i}"));
        let command = format!("ca init @/ca{i} --cluster east {}", signer(&format!("id=%0{i}")));
        let ran = meshctl(&token.shell, &command, &token.env);
        assert_eq!(ran.status, 0, "{kind}: {}{}", ran.out, ran.err);
    }
    token.key("EC:secp256k1", "mesh", "77");
    token.refuses(
        &format!("ca init @/ca --cluster east {}", signer("id=%77")),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: the signer's key cannot sign for a mesh: algorithm 1.3.132.0.10
          in: token `ROOT`
          because: istiod and Envoy accept ECDSA on P-256 and P-384, and RSA

        hint: create a key of one of these kinds where the signer keeps its keys
    "#,
    );
}

#[test]
fn tokens_and_keys_that_are_not_found() {
    let Some(token) = Token::new() else { return };
    let init = |signer: &str| format!("ca init @/ca --cluster east --root-signer '{signer}'");
    let at =
        |path: &str| init(&format!("pkcs11:{path}?module-path={MODULE}&pin-source=@/pins/right"));
    token.refuses(
        &init("pkcs11:token=ROOT"),
        &[],
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `pkcs11:...` does not say which module to load

        hint: add `?module-path=FILE`: the shared library of the token's vendor, such as /usr/lib/softhsm/libsofthsm2.so
    "#,
    );
    token.refuses(
        &init("pkcs11:token=ROOT?module-path=/no/module.so"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the PKCS#11 module cannot be loaded
          in: /no/module.so
          because: /no/module.so: cannot open shared object file: No such file or directory

        hint: `module-path` is the absolute path of the shared library that the token's vendor installs
    "#,
    );
    token.refuses(
        &init("pkcs11:token=ROOT?pin-value=1234"),
        &[],
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `pkcs11:...` is not valid: `pin-value` shows the PIN to every user of this machine and to the shell's history; use `pin-source=file:PATH`, `--pin-env VARIABLE` or the question on the terminal

        hint: such as `'pkcs11:token=ROOT;object=mesh?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'`
    "#,
    );
    token.refuses(
        &at("token=ROOT"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: no key matches the URI
          in: token `ROOT`

        hint: the token has no private key that this PIN can use; create one with the vendor's tool
    "#,
    );
    token.key("EC:prime256v1", "mesh", "01");
    token.key("EC:prime256v1", "mesh", "02");
    token.refuses(
        &at("token=ROOT;object=mesh"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: several keys match the URI
          in: token `ROOT`
          because: there is `object=mesh;id=%01`
          because: there is `object=mesh;id=%02`

        hint: add `id` or `object` to the URI
    "#,
    );
    token.refuses(
        &at("token=ROOT;object=other"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: no key matches the URI
          in: token `ROOT`
          because: there is `object=mesh;id=%01`
          because: there is `object=mesh;id=%02`

        hint: correct `object` or `id` in the URI
    "#,
    );
    // Names are as the URI needs them, and not all of many.
    for i in 10..20 {
        token.key("EC:prime256v1", "the mesh; new", &i.to_string());
    }
    token.refuses(
        &at("token=ROOT"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-key]: several keys match the URI
          in: token `ROOT`
          because: there is `object=mesh;id=%01`
          because: there is `object=mesh;id=%02`
          because: there is `object=the%20mesh%3B%20new;id=%10`
          because: there is `object=the%20mesh%3B%20new;id=%11`
          because: there is `object=the%20mesh%3B%20new;id=%12`
          because: there is `object=the%20mesh%3B%20new;id=%13`
          because: there is `object=the%20mesh%3B%20new;id=%14`
          because: there is `object=the%20mesh%3B%20new;id=%15`
          because: there is `object=the%20mesh%3B%20new;id=%16`
          because: there is `object=the%20mesh%3B%20new;id=%17`
          because: and 2 more

        hint: add `id` or `object` to the URI
    "#,
    );
    token.add("SPARE");
    token.refuses(
        &at("token=ROOTS;id=%01"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: no token matches the URI
          because: there is `ROOT`, serial [key], slot-id [slot]
          because: there is `SPARE`, serial [key], slot-id [slot]

        hint: correct `token`, `serial` or `slot-id` in the URI
    "#,
    );
    token.refuses(
        &at("model=SoftHSM%20v2;id=%01"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: several tokens match the URI
          because: there is `ROOT`, serial [key], slot-id [slot]
          because: there is `SPARE`, serial [key], slot-id [slot]

        hint: add `serial` or `slot-id` to the URI
    "#,
    );
    // An empty folder of tokens.
    std::fs::create_dir(token.shell.scratch.join("hsm/none")).unwrap();
    let none =
        format!("directories.tokendir = {}\n", token.shell.scratch.join("hsm/none").display());
    token.shell.scratch.write("hsm/none.conf", none);
    let config = token.shell.scratch.join("hsm/none.conf").display().to_string();
    token.refuses(
        &at("token=ROOT;id=%01"),
        &[("SOFTHSM2_CONF", &config)],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the module has no token

        hint: insert the token, or start what the module connects to, and run this command again
    "#,
    );
}

#[test]
fn pins_that_do_not_open_the_token() {
    let Some(token) = Token::new() else { return };
    token.key("EC:prime256v1", "mesh", "01");
    let init = |rest: &str| {
        format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path={MODULE}{rest}"
        )
    };
    token.refuses(
        &init("'"),
        &[],
        r#"
        exit 64
        --- stderr
        error[ctl/signer-pin]: the token `ROOT` needs a PIN, but there is no terminal to ask for one
          because: standard input or standard error is not a terminal

        hint: add `pin-source=file:PATH` to the URI, or `--pin-env VARIABLE`
    "#,
    );
    token.refuses(
        &init("&pin-source=file:@/pins/wrong'"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-pin]: wrong PIN for the token `ROOT`
          because: the token counts wrong PINs, and does not say how many tries are left

        hint: correct the PIN where it comes from: the file of `pin-source`, the variable of `--pin-env`; without both, it is asked for
    "#,
    );
    token.refuses(
        &init("' --pin-env TOKEN_PIN"),
        &[("TOKEN_PIN", "98765432")],
        r#"
        exit 1
        --- stderr
        error[ctl/signer-pin]: wrong PIN for the token `ROOT`
          because: the token counts wrong PINs, and does not say how many tries are left

        hint: correct the PIN where it comes from: the file of `pin-source`, the variable of `--pin-env`; without both, it is asked for
    "#,
    );
    token.refuses(
        &init("' --pin-env TOKEN_PIN"),
        &[],
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: the environment variable `TOKEN_PIN` is not set
    "#,
    );
    token.refuses(
        &init("&pin-source=file:@/pins/none'"),
        &[],
        r#"
        exit 1
        --- stderr
        error[ctl/io]: cannot read `@/pins/none`
          because: No such file or directory (os error 2)
    "#,
    );
    // The variable comes before the file.
    let mut env = token.env.clone();
    env.push(("TOKEN_PIN".to_owned(), PIN.to_owned()));
    let right = init("&pin-source=file:@/pins/wrong' --pin-env TOKEN_PIN");
    let ran = meshctl(&token.shell, &right, &env);
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
    is_nowhere(&token.shell, PIN, &(ran.out + &ran.err), &["pins/right"]);
}

/// On a terminal, the PIN is asked for, and not shown.
#[test]
fn a_pin_is_asked_for_on_a_terminal() {
    let Some(token) = Token::new() else { return };
    token.key("EC:prime256v1", "mesh", "01");
    let command = format!(
        "SOFTHSM2_CONF=hsm/softhsm2.conf meshctl ca init ca --cluster east \
         --root-signer 'pkcs11:token=ROOT;id=%01?module-path={MODULE}'"
    );
    for (pin, status, told) in [(PIN, 0, "created"), ("0000-0000", 1, "wrong PIN")] {
        let scratch = &token.shell.scratch;
        let Some(child) = on_a_terminal(scratch, &command) else { return };
        let (found, text) = answer(child, &[("PIN of the token `ROOT`: ", pin)]);
        assert_eq!(found, Some(status), "{text}");
        assert!(text.contains(told) && !text.contains(pin), "{text}");
        assert_eq!(scratch.join("ca").exists(), status == 0, "{text}");
        // A folder that is there would not be created again.
        std::fs::remove_dir_all(scratch.join("ca")).unwrap_or_default();
    }
}

/// An empty PIN is never tried: the token would count it.
#[test]
fn pins_that_are_empty_or_seen_by_others() {
    let Some(token) = Token::new() else { return };
    token.key("EC:prime256v1", "mesh", "01");
    token.faults();
    token.shell.scratch.write_key("pins/empty", "\n");
    token.shell.scratch.write("pins/shared", format!("{PIN}\n"));
    let init = |rest: &str| {
        format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path=@/hsm/faults.so{rest}"
        )
    };
    let no_login = [("MODULE", MODULE), ("FAULT", "no login"), ("TOKEN_PIN", "")];
    token.refuses(
        &init("&pin-source=@/pins/empty'"),
        &no_login,
        r#"
        exit 1
        --- stderr
        error[ctl/usage]: the PIN is empty
          in: @/pins/empty
    "#,
    );
    token.refuses(
        &init("' --pin-env TOKEN_PIN"),
        &no_login,
        r#"
        exit 1
        --- stderr
        error[ctl/usage]: the PIN is empty
          because: the environment variable `TOKEN_PIN` is empty
    "#,
    );
    let command = format!(
        "SOFTHSM2_CONF=hsm/softhsm2.conf MODULE={MODULE} FAULT='no login' meshctl {}",
        init("'").replace("@/", "")
    );
    let Some(child) = on_a_terminal(&token.shell.scratch, &command) else { return };
    let (status, text) = answer(child, &[("PIN of the token `ROOT`: ", "")]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("error[ctl/signer-pin]: the PIN is empty"), "{text}");
    let ran = meshctl(
        &token.shell,
        &format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path={MODULE}&pin-source=@/pins/shared'"
        ),
        &token.env,
    );
    let warning = "warning[ctl/passphrase-permissions]: the PIN file is readable by users other than its owner\n";
    ended(&ran, 0, &[warning, "pins/shared`; in a pod"]);
}

/// Two pairs with one identifier: each private key's certificate has its own public key.
#[test]
fn pairs_with_one_identifier() {
    let Some(token) = Token::new() else { return };
    for label in ["one", "two", "three"] {
        token.key("EC:prime256v1", label, "01");
    }
    for label in ["one", "two", "three"] {
        let object = signer(&format!("object={label};id=%01"));
        let command = format!("ca init @/{label} --cluster east {object}");
        let ran = meshctl(&token.shell, &command, &token.env);
        assert_eq!(ran.status, 0, "{label}: {}{}", ran.out, ran.err);
    }
}

/// What SoftHSM never does.
#[test]
fn faults_of_tokens() {
    let Some(token) = Token::new() else { return };
    token.key("EC:prime256v1", "mesh", "01");
    token.faults();
    let with = |pin: &str| {
        format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path=@/hsm/faults.so&pin-source=@/pins/{pin}'"
        )
    };
    let env = |fault: &'static str| [("MODULE", MODULE), ("FAULT", fault)];
    token.refuses(
        &with("right"),
        &env("locked"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-pin]: the PIN of the token `ROOT` is locked

        hint: ask the token's security officer to set a new PIN with the vendor's tool
    "#,
    );
    token.refuses(
        &with("wrong"),
        &env("final try"),
        r#"
        exit 1
        --- stderr
        warning[ctl/signer-pin]: one try is left for the PIN of the token `ROOT`
        error[ctl/signer-pin]: wrong PIN for the token `ROOT`
          because: one try is left; after another wrong PIN, the token locks it

        hint: correct the PIN where it comes from: the file of `pin-source`, the variable of `--pin-env`; without both, it is asked for
    "#,
    );
    token.refuses(
        &with("wrong"),
        &env("last try"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-pin]: the PIN of the token `ROOT` is locked

        hint: ask the token's security officer to set a new PIN with the vendor's tool
    "#,
    );
    token.refuses(
        &with("right"),
        &env("removed at once"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the PKCS#11 module failed
          because: C_GetTokenInfo returned DeviceRemoved

        hint: check with the vendor's tool that the token works, then run this command again
    "#,
    );
    token.refuses(
        &with("right"),
        &env("gone at once"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the token `ROOT` is gone
          because: C_OpenSession returned TokenNotPresent

        hint: nothing was written: insert it again and run the same command
    "#,
    );
    // The root is signed, and then the token is gone.
    token.refuses(
        &with("right"),
        &env("gone"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the token `ROOT` is gone
          in: cluster east
          because: C_Sign returned DeviceRemoved

        hint: nothing was written: insert it again and run the same command
    "#,
    );
    token.refuses(
        &with("right"),
        &env("wrong signature"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-answer]: the token `ROOT` returned a wrong signature
          because: it does not verify with its public key, sha256 [sha256]

        hint: the public and the private key with this id may not belong together; nothing was written
    "#,
    );
    token.refuses(
        &with("right"),
        &env("may not sign"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the token `ROOT` failed
          because: C_SignInit returned KeyFunctionNotPermitted
          because: the key is not allowed to sign (CKA_SIGN)

        hint: nothing was written; check with the vendor's tool that the token works, then run this command again
    "#,
    );
    token.refuses(
        &with("right"),
        &env("always asks"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the token `ROOT` failed
          because: C_SignInit returned UserNotLoggedIn
          because: the key requires its PIN for every signature (CKA_ALWAYS_AUTHENTICATE), which meshctl does not do

        hint: nothing was written; check with the vendor's tool that the token works, then run this command again
    "#,
    );
    token.refuses(
        &with("right"),
        &env("other mechanisms"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer-token]: the token `ROOT` failed
          because: C_SignInit returned MechanismInvalid
          because: the token cannot sign with ecdsa-sha256

        hint: nothing was written; check with the vendor's tool that the token works, then run this command again
    "#,
    );
    token.refuses(
        &with("right"),
        &[("MODULE", MODULE), ("FAULT", "keypad"), ("KEYPAD", "0000-0000")],
        r#"
        exit 1
        --- stderr
        type the PIN of the token `ROOT` on its keypad
        error[ctl/signer-pin]: wrong PIN for the token `ROOT`
          because: the token counts wrong PINs, and does not say how many tries are left

        hint: run the same command again, and type the right PIN on the token's keypad
    "#,
    );
    let run = |variables: &[(&str, &str)], folder: &str, pin: &str| {
        let mut all = token.env.clone();
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        meshctl(&token.shell, &with(pin).replace("@/ca", folder), &all)
    };
    let keypad = [("MODULE", MODULE), ("FAULT", "keypad"), ("KEYPAD", PIN)];
    let ran = run(&keypad, "@/ca", "wrong");
    ended(&ran, 0, &["type the PIN of the token `ROOT` on its keypad\n"]);
    // SoftHSM's free slot has a token that is not initialized.
    let ran = run(&env("unreadable neighbour"), "@/other", "right");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
}
