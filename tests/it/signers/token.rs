//! `--root-signer pkcs11:`: tokens of SoftHSM and kryoptic, and a module in front of SoftHSM's that shows what real
//! tokens do.

pub(super) mod modules;

use std::path::Path;

use tests::Shell;
use tests::cli::ended;

use crate::terminal::{answer, on_a_terminal};

use self::modules::{CONFIG, KRYOPTIC, PIN, SOFTHSM, SOFTHSM_FILE, Token};
use super::{clear, is_nowhere, meshctl, refuses, transcript, whole_job};

#[test]
fn a_token_is_the_root_key() {
    for token in Token::each() {
        for (i, kind) in ["EC:prime256v1", "EC:secp384r1", "rsa:2048"].into_iter().enumerate() {
            token.key(kind, "mesh", &format!("0{i}"));
            let shell = &token.shell;
            let printed =
                whole_job(shell, &token.signer(&format!("object=mesh;id=%0{i}")), &token.env);
            let lines = transcript(shell);
            let name = format!("pkcs11:token=ROOT;object=mesh;id=%0{i}");
            assert!(lines.iter().all(|line| line["signer"] == *name), "{lines:?}");
            is_nowhere(shell, PIN, &printed, &["pins/right"]);
            clear(shell);
        }
    }
}

/// Keys of other kinds sign, too; their certificates verify before they are given out.
#[test]
fn every_kind_of_key() {
    for token in Token::each() {
        let kinds = ["EC:secp521r1", "EC:edwards25519", "rsa:3072", "rsa:4096"];
        for (i, kind) in kinds.iter().enumerate() {
            if token.module.lacks.contains(kind) {
                assert!(!token.makes(kind, "mesh", "66"), "{kind}: the test can have it");
                continue;
            }
            token.key(kind, "mesh", &format!("0{i}"));
            let signer = token.signer(&format!("id=%0{i}"));
            let command = format!("ca init @/ca{i} --cluster east {signer}");
            let ran = meshctl(&token.shell, &command, &token.env);
            assert_eq!(ran.status, 0, "{kind}: {}{}", ran.out, ran.err);
        }
        let other = "EC:secp256k1";
        if token.module.lacks.contains(&other) {
            assert!(!token.makes(other, "mesh", "77"), "{other}: the test can have it");
            continue;
        }
        token.key(other, "mesh", "77");
        token.refuses(
            &format!("ca init @/ca --cluster east {}", token.signer("id=%77")),
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
}

#[test]
fn uris_without_a_module() {
    let shell = Shell::new();
    let init = |signer: &str| format!("ca init @/ca --cluster east --root-signer '{signer}'");
    refuses(
        &shell,
        &init("pkcs11:token=ROOT"),
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `pkcs11:...` does not say which module to load

        hint: add `?module-path=FILE`: the shared library of the token's vendor, such as /usr/lib/softhsm/libsofthsm2.so
    "#,
    );
    refuses(
        &shell,
        &init("pkcs11:token=ROOT?module-path=/no/module.so"),
        r#"
        exit 1
        --- stderr
        error[ctl/signer]: the PKCS#11 module cannot be loaded
          in: /no/module.so
          because: /no/module.so: cannot open shared object file: No such file or directory

        hint: `module-path` is the absolute path of the shared library that the token's vendor installs
    "#,
    );
    refuses(
        &shell,
        &init("pkcs11:token=ROOT?pin-value=1234"),
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: `pkcs11:...` is not valid: `pin-value` shows the PIN to every user of this machine and to the shell's history; use `pin-source=file:PATH`, `--pin-env VARIABLE` or the question on the terminal

        hint: such as `'pkcs11:token=ROOT;object=mesh?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/pin'`
    "#,
    );
}

#[test]
fn tokens_and_keys_that_are_not_found() {
    for token in Token::each() {
        let at = |path: &str| {
            let query = format!("module-path={}&pin-source=@/pins/right", token.file);
            format!("ca init @/ca --cluster east --root-signer 'pkcs11:{path}?{query}'")
        };
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
        token.add("SPARE", "1");
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
            &at(&format!("model={};id=%01", token.module.model)),
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
        let none = token.shell.scratch.join("hsm/none");
        std::fs::create_dir(&none).unwrap();
        token.shell.scratch.write("hsm/none.conf", (token.module.config)(&none));
        let config = token.shell.scratch.join("hsm/none.conf").display().to_string();
        token.refuses(
            &at("token=ROOT;id=%01"),
            &[(token.module.variable, &config)],
            r#"
            exit 1
            --- stderr
            error[ctl/signer-token]: the module has no token

            hint: insert the token, start what the module connects to, or correct the module's configuration, and run this command again
        "#,
        );
    }
}

#[test]
fn pins_that_do_not_open_the_token() {
    for token in Token::each() {
        token.key("EC:prime256v1", "mesh", "01");
        let init = |rest: &str| {
            format!(
                "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path={}{rest}",
                token.file
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
        token.refuses_pin(&init("&pin-source=file:@/pins/wrong'"), &[], token.module.tries);
        token.refuses_pin(
            &init("' --pin-env TOKEN_PIN"),
            &[("TOKEN_PIN", "98765432")],
            token.module.tries,
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
}

/// A module whose configuration names a folder that does not exist.
#[test]
fn modules_that_do_not_start() {
    for token in Token::each() {
        let astray = (token.module.config)(Path::new("/nonexistent/tokens"));
        token.shell.scratch.write("hsm/astray.conf", astray);
        let config = token.shell.scratch.join("hsm/astray.conf").display().to_string();
        let command = format!("ca init @/ca --cluster east {}", token.signer("id=%01"));
        let expect = format!(
            "exit 1\n--- stderr\n\
             error[ctl/signer]: the PKCS#11 module does not start\n  in: {}\n  because: C_Initialize returned {}\n\n\
             hint: correct the module's configuration, such as the file that SOFTHSM2_CONF or KRYOPTIC_CONF names, \
             and run this command again\n",
            token.file, token.module.astray
        );
        token.refuses(&command, &[(token.module.variable, &config)], &expect);
    }
}

/// kryoptic locks a PIN after ten wrong ones, and says when few are left; SoftHSM never does.
#[test]
fn wrong_pins_lock_a_token() {
    let Some(token) = Token::of(&KRYOPTIC) else { return };
    token.key("EC:prime256v1", "mesh", "01");
    let with = |pin: &str| token.signer("id=%01").replace("pins/right", &format!("pins/{pin}"));
    let init = |pin: &str| format!("ca init @/ca --cluster east {}", with(pin));
    let wrong = |because: &str| token.refuses_pin(&init("wrong"), &[], because);
    let locked = "error[ctl/signer-pin]: the PIN of the token `ROOT` is locked\n\n\
                  hint: ask the token's security officer to set a new PIN with the vendor's tool\n";
    for _ in 0..6 {
        wrong("the token does not say how many tries are left");
    }
    for _ in 0..2 {
        wrong("the token counts wrong PINs, and does not say how many tries are left");
    }
    wrong("one try is left; after another wrong PIN, the token locks it");
    let warning = "warning[ctl/signer-pin]: one try is left for the PIN of the token `ROOT`\n";
    token.refuses(&init("wrong"), &[], &format!("exit 1\n--- stderr\n{warning}{locked}"));
    // Then the right one does not open it either.
    token.refuses(&init("right"), &[], &format!("exit 1\n--- stderr\n{locked}"));
}

/// On a terminal, the PIN is asked for, and not shown.
#[test]
fn a_pin_is_asked_for_on_a_terminal() {
    for token in Token::each() {
        token.key("EC:prime256v1", "mesh", "01");
        let command = format!(
            "{}={CONFIG} meshctl ca init ca --cluster east \
             --root-signer 'pkcs11:token=ROOT;id=%01?module-path={}'",
            token.module.variable, token.file
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
}

/// An empty PIN is never tried: the token would count it.
#[test]
fn pins_that_are_empty_or_seen_by_others() {
    let Some(token) = Token::of(&SOFTHSM) else { return };
    token.key("EC:prime256v1", "mesh", "01");
    token.faults();
    token.shell.scratch.write_key("pins/empty", "\n");
    token.shell.scratch.write("pins/shared", format!("{PIN}\n"));
    let init = |rest: &str| {
        format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path=@/hsm/faults.so{rest}"
        )
    };
    let no_login = [("MODULE", SOFTHSM_FILE), ("FAULT", "no login"), ("TOKEN_PIN", "")];
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
        "SOFTHSM2_CONF={CONFIG} MODULE={SOFTHSM_FILE} FAULT='no login' meshctl {}",
        init("'").replace("@/", "")
    );
    let Some(child) = on_a_terminal(&token.shell.scratch, &command) else { return };
    let (status, text) = answer(child, &[("PIN of the token `ROOT`: ", "")]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("error[ctl/signer-pin]: the PIN is empty"), "{text}");
    let ran = meshctl(
        &token.shell,
        &format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path={SOFTHSM_FILE}&pin-source=@/pins/shared'"
        ),
        &token.env,
    );
    let warning = "warning[ctl/passphrase-permissions]: the PIN file is readable by users other than its owner\n";
    ended(&ran, 0, &[warning, "pins/shared`; in a pod"]);
}

/// Two pairs with one identifier: each private key's certificate has its own public key.
#[test]
fn pairs_with_one_identifier() {
    for token in Token::each() {
        for label in ["one", "two", "three"] {
            token.key("EC:prime256v1", label, "01");
        }
        for label in ["one", "two", "three"] {
            let object = token.signer(&format!("object={label};id=%01"));
            let command = format!("ca init @/{label} --cluster east {object}");
            let ran = meshctl(&token.shell, &command, &token.env);
            assert_eq!(ran.status, 0, "{label}: {}{}", ran.out, ran.err);
        }
    }
}

/// What SoftHSM never does.
#[test]
fn faults_of_tokens() {
    let Some(token) = Token::of(&SOFTHSM) else { return };
    token.key("EC:prime256v1", "mesh", "01");
    token.faults();
    let with = |pin: &str| {
        format!(
            "ca init @/ca --cluster east --root-signer 'pkcs11:token=ROOT;id=%01?module-path=@/hsm/faults.so&pin-source=@/pins/{pin}'"
        )
    };
    let env = |fault: &'static str| [("MODULE", SOFTHSM_FILE), ("FAULT", fault)];
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
        &[("MODULE", SOFTHSM_FILE), ("FAULT", "keypad"), ("KEYPAD", "0000-0000")],
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
    let keypad = [("MODULE", SOFTHSM_FILE), ("FAULT", "keypad"), ("KEYPAD", PIN)];
    let ran = run(&keypad, "@/ca", "wrong");
    ended(&ran, 0, &["type the PIN of the token `ROOT` on its keypad\n"]);
    // SoftHSM's free slot has a token that is not initialized.
    let ran = run(&env("unreadable neighbour"), "@/other", "right");
    assert_eq!(ran.status, 0, "{}{}", ran.out, ran.err);
}
