use super::*;

#[test]
fn words_near_to_others() {
    let known = ["trustDomain", "network", "gateway"];
    let check = |found: &str, wanted: Option<&str>| {
        assert_eq!(nearest(found, known.iter().copied()).as_deref(), wanted, "{found}");
    };
    check("trustdomain", Some("trustDomain"));
    check("trustDoman", Some("trustDomain"));
    check("gatway", Some("gateway"));
    check("colour", None);
    check("", None);
}

#[test]
fn lengths_of_time() {
    let check = |text: &str, wanted: Option<&str>| {
        assert_eq!(milliseconds(text).map(seconds).as_deref(), wanted, "{text}");
    };
    check("5s", Some("5s"));
    check("500ms", Some("0.5s"));
    check("1m30s", Some("90s"));
    check("1h", Some("3600s"));
    check("1s25ms", Some("1.025s"));
    for text in ["", "5", "s", "-1s", "0s", "1.5s", "1d", "99999999999999999999s", "9999999999h"] {
        check(text, None);
    }
}

#[test]
fn labels_and_names() {
    for (text, ok) in
        [("a", true), ("a-1", true), ("", false), ("A", false), ("a.b", false), ("-a", false)]
    {
        assert_eq!(label_problem(text).is_none(), ok, "{text}");
    }
    assert_eq!(label_problem(&"a".repeat(64)), Some("a DNS label has 1 to 63 characters"));
    assert!(domain_problem("a.b-c.d").is_none());
    assert!(domain_problem("a..b").is_some());
    assert_eq!(name("Reviews.default/x", 63), "reviews-default-x");
    assert_eq!(name(&"a".repeat(70), 63).len(), 63);
    assert_ne!(name(&"a".repeat(70), 63), name(&"a".repeat(71), 63));
}
