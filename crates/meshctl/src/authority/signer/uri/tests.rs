use super::TokenUri;

fn check(text: &str, expect: Result<&str, &str>) {
    let read = TokenUri::read(text);
    let found = read.as_ref().map(TokenUri::name).map_err(|why| why.as_str());
    match (found, expect) {
        (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{text}"),
        (Err(found), Err(expect)) => assert!(found.contains(expect), "{text}: {found}"),
        (found, expect) => panic!("{text}: {found:?}, expected {expect:?}"),
    }
}

#[test]
fn what_a_uri_says() {
    check("pkcs11:", Ok("pkcs11:"));
    check(
        "pkcs11:token=The%20Root;object=a%3Bb;id=%00%ff",
        Ok("pkcs11:token=The%20Root;object=a%3Bb;id=%00%FF"),
    );
    check(
        "pkcs11:serial=4a;slot-id=7;type=private?module-path=/m.so",
        Ok("pkcs11:serial=4a;slot-id=7"),
    );
    check("pkcs11:token=é", Ok("pkcs11:token=%C3%A9"));
    check("PKCS11:token=a", Err("does not begin"));
    check("pkcs11:token", Err("an attribute has no `=`"));
    check("pkcs11:token=a;token=b", Err("`token` is given twice"));
    check("pkcs11:token=", Err("`token` is empty"));
    check("pkcs11:token=%4", Err("`token` has a `%` without two hexadecimal digits"));
    check("pkcs11:id=%zz", Err("`id` has a `%` without two hexadecimal digits"));
    check("pkcs11:token=%ff", Err("`token` is not UTF-8"));
    check("pkcs11:token=a%00", Err("`token` has a zero byte"));
    check("pkcs11:slot-id=x", Err("`slot-id` is not a number"));
    check("pkcs11:type=public", Err("`type` is not `private`"));
    check("pkcs11:label=a", Err("`label` is not known; known are token"));
    check("pkcs11:?pin-source=%7Ccat%20x", Err("`pin-source` is a command"));
    check("pkcs11:?module-name=softhsm", Err("give `module-path`"));
}

/// A PIN in the URI is refused, and no message shows any of it.
#[test]
fn a_pin_in_the_uri_is_not_repeated() {
    for text in [
        "pkcs11:token=a?pin-value=4711",
        "pkcs11:pin-value=4711",
        "pkcs11:?module-path=/m.so?pin-value=4711",
        "pkcs11:4711=1",
        "pkcs11:?4711",
        "4711",
    ] {
        let why = TokenUri::read(text).expect_err(text);
        assert!(!why.contains("4711"), "{text}: {why}");
    }
}

#[test]
fn where_a_pin_is() {
    for text in ["file:/run/pin", "file:///run/pin", "/run/pin", "%2Frun%2Fpin"] {
        let uri = TokenUri::read(&format!("pkcs11:?pin-source={text}")).unwrap();
        assert_eq!(uri.pin_source.unwrap(), std::path::Path::new("/run/pin"), "{text}");
    }
}
