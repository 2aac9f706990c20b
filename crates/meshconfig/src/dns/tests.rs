use alloc::vec;

use super::*;

/// A Corefile as a provider ships it, with lines of its own.
const COREFILE: &str = "# mine
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
    import custom/*.override
}
";

fn to() -> IpAddr {
    "10.0.0.9".parse().unwrap()
}

#[test]
fn a_block_is_added_kept_changed_and_removed() {
    let added = add(COREFILE, "global", &Zone::Forward(to())).unwrap();
    let block = "# meshctl: begin global\nglobal:53 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n# meshctl: end global\n";
    assert_eq!(added, format!("{COREFILE}{block}"));
    assert_eq!(add(&added, "global", &Zone::Forward(to())).unwrap(), added, "twice is once");
    let hosts = Zone::Hosts(vec![("a.b.svc.c.global".into(), "240.0.0.2".parse().unwrap())]);
    let changed = add(&format!("{added}# below\n"), "global", &hosts).unwrap();
    assert!(
        changed.contains("    hosts {\n        240.0.0.2 a.b.svc.c.global\n    }\n"),
        "{changed}"
    );
    assert!(
        changed.starts_with(COREFILE) && changed.ends_with("# meshctl: end global\n# below\n"),
        "{changed}"
    );
    assert_eq!(remove(&changed, "global"), format!("{COREFILE}# below\n"));
    assert_eq!(remove(COREFILE, "global"), COREFILE);
    // Two meshes do not touch each other.
    let both = add(&added, "mesh", &Zone::Proxy("fd00::1".parse().unwrap())).unwrap();
    assert!(both.contains("    proxy . [fd00::1]:53\n"));
    assert_eq!(remove(&both, "mesh"), added);
}

#[test]
fn what_is_not_ours_stays() {
    let theirs = format!("{COREFILE}example.org global:53 {{\n    forward . 10.0.0.1\n}}\n");
    let error = add(&theirs, "global", &Zone::Forward(to())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "zone `global` is there twice; first as `example.org global:53 {`"
    );
    // A word inside a block is no zone.
    let inside = COREFILE.replace("errors", "errors\n    rewrite name global local");
    assert!(add(&inside, "global", &Zone::Forward(to())).is_ok());
    // A file cut off behind our first line is not cut further.
    let cut = format!("{COREFILE}# meshctl: begin global\nother:53 {{\n}}\n");
    assert_eq!(remove(&cut, "global"), cut);
}

#[test]
fn kube_dns() {
    let added = add_stub(r#"{"acme.local": ["1.2.3.4"]}"#, "global", to()).unwrap();
    assert_eq!(added, r#"{"acme.local":["1.2.3.4"],"global":["10.0.0.9"]}"#);
    assert_eq!(add_stub(&added, "global", to()).unwrap(), added);
    assert_eq!(remove_stub(&added, "global", to()).unwrap(), r#"{"acme.local":["1.2.3.4"]}"#);
    assert_eq!(add_stub("", "global", to()).unwrap(), r#"{"global":["10.0.0.9"]}"#);
    let theirs = r#"{"global":["10.0.0.1"]}"#;
    assert_eq!(add_stub(theirs, "global", to()).unwrap_err().code(), "config/duplicate");
    assert_eq!(remove_stub(theirs, "global", to()).unwrap(), theirs);
    assert_eq!(add_stub("[]", "global", to()).unwrap_err().code(), "config/syntax");
}
