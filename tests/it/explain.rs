//! `meshctl explain`: what a code means, in the words of docs/errors.md.

use tests::cli::Shell;

#[test]
fn codes_are_explained() {
    let shell = Shell::new();
    shell.check(
        "explain ctl/busy",
        r#"
        exit 0
        ctl/busy
          meaning  another run has locked the folder, or has changed it meanwhile
          remedy   `--wait`, or `--wait=5m`; run the same command again
    "#,
    );
    // As it is in a message, without its family, and several.
    shell.check("explain 'error[ctl/busy]: ca' bundle", r#"
        exit 0
        ctl/busy
          meaning  another run has locked the folder, or has changed it meanwhile
          remedy   `--wait`, or `--wait=5m`; run the same command again

        pki/bundle
          meaning  a SPIFFE bundle or bundle map is not valid, or a root cannot be written to one; the message gives the place in it, such as `keys[0].x5c[0]`
          remedy   `trust bundle show FILE`; ask the publisher for a valid one (rules: docs/federation.md#what-readers-do)
    "#);
    // Links lead to the page.
    shell.check("explain pki/forgeable-key", r#"
        exit 0
        pki/forgeable-key
          meaning  anyone can create signatures that verify with this public key, or compute its private key; the message says why (which keys: docs/signing.md#keys-that-protect-nothing)
          remedy   create a new key
    "#);
    // A code that is meant twice is explained once, where it is meant first.
    let twice = shell.good("explain busy ctl/busy 'error[ctl/busy]: ca'");
    assert_eq!(twice, shell.good("explain ctl/busy"));
    let family = shell.good("explain pki/");
    assert_eq!(shell.good("explain pki/ pki/bundle bundle"), family);
    assert!(family.contains("\npki/weak-signature\n") && !family.contains("\nctl/"), "{family}");
}

#[test]
fn what_is_not_a_code() {
    let shell = Shell::new();
    shell.check(
        "explain pki/no-such",
        r#"
        exit 64
        --- stderr
        error[ctl/usage]: there is no code `pki/no-such`

        hint: `meshctl explain pki/` explains every code of this family
    "#,
    );
    shell.check("explain no-such", r#"
        exit 64
        --- stderr
        error[ctl/usage]: there is no code `no-such`

        hint: a code has the form FAMILY/NAME, as in `meshctl explain ctl/busy`; families: `apply/`, `cfssl/`, `config/`, `ctl/`, `endpoint/`, `istiod/`, `lint/`, `pki/`, `remote/`
    "#);
}
