use alloc::vec;

use serde_json::{Value, json};

use super::*;
use crate::mesh::Mesh;

/// A Corefile as a provider ships it, with its own lines.
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
    // It listens on the port of the other blocks.
    let other = add(&COREFILE.replace(".:53", ".:1053"), "global", &hosts).unwrap();
    assert!(other.contains("\nglobal:1053 {\n"), "{other}");
    // Two meshes do not change each other's blocks.
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
        "duplicate zone `global`: already defined as `example.org global:53 {`"
    );
    // A word inside a block is not a zone.
    let inside = COREFILE.replace("errors", "errors\n    rewrite name global local");
    assert!(add(&inside, "global", &Zone::Forward(to())).is_ok());
    // A file that ends after the first marker line is not cut further.
    let cut = format!("{COREFILE}# meshctl: begin global\nother:53 {{\n}}\n");
    assert_eq!(remove(&cut, "global"), cut);
}

/// The block listens at the addresses of the block for all names, as NodeLocal DNSCache needs it.
#[test]
fn the_block_listens_where_the_others_do() {
    let check = |corefile: &str, expect: &[&str]| {
        assert_eq!(binds(corefile, "global"), expect, "{corefile}");
        let added = add(corefile, "global", &Zone::Forward(to())).unwrap();
        let ours = &added[added.find("# meshctl: begin").unwrap()..];
        let lines: Vec<&str> = ours.lines().map(str::trim).collect();
        let begins = |line: &&str| line.starts_with("bind") || expect.contains(line);
        let found: Vec<&str> = lines[2..].iter().copied().filter(begins).collect();
        let found = &found[..expect.len().min(found.len())];
        assert_eq!(found, expect, "{added}");
        assert_eq!(add(&added, "global", &Zone::Forward(to())).unwrap(), added, "twice is once");
        assert_eq!(remove(&added, "global"), corefile, "{added}");
    };
    check(COREFILE, &[]);
    let local = "bind 169.254.20.10 10.96.0.10";
    let cluster = format!(
        "cluster.local:53 {{\n    cache {{\n        success 9984 30\n    }}\n    {local}\n}}\n"
    );
    check(&format!("{cluster}.:53 {{\n    {local}\n    loop\n}}\n"), &[local]);
    // Without a block for all names, every block must have the line.
    check(&cluster, &[local]);
    check(&format!("{cluster}example.org {{\n}}\n"), &[]);
    check(&format!("{cluster}.:53 {{\n}}\n"), &[]);
    check(
        &format!("{cluster}. {{\n    bind lo # here\n    bind 10.0.0.1\n}}\n"),
        &["bind lo", "bind 10.0.0.1"],
    );
    check(
        ".:53\n{\n    bind eth0 {\n        except 10.0.0.1\n    }\n}\n",
        &["bind eth0 {", "except 10.0.0.1", "}"],
    );
}

/// A block of others for the suffix stays if it says what the managed one would; else it is an error.
#[test]
fn a_block_of_others() {
    let zone = Zone::Forward(to());
    let check = |block: &str, same: bool| {
        let corefile = format!("{COREFILE}{block}");
        let found = same_zone(&corefile, "global", &zone);
        assert_eq!(found.map(|(line, _)| line), same.then_some(10), "{block}");
        match add(&corefile, "global", &zone) {
            Ok(text) => assert!(same && text == corefile, "{block}"),
            Err(error) => assert!(!same && error.code() == "config/duplicate", "{block}"),
        }
    };
    check("global:53 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n", true);
    check("global {  # by hand\n    forward  .  10.0.0.9\n    cache 30\n    errors\n}\n", true);
    check("global:53 {\n    errors\n    cache 30\n    forward . 10.0.0.8:53\n}\n", false);
    check("global:5353 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n", false);
    check("global:53 a.global {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n", false);
    check("global:53 {\n    errors\n    log\n    cache 30\n    forward . 10.0.0.9:53\n}\n", false);
    let same = "global:53 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n";
    check(&format!("{same}{same}"), false);
}

/// Adding and removing the block restores the exact text, whatever else it has.
#[test]
fn every_byte_comes_back() {
    let check = |corefile: &str| {
        let added = add(corefile, "global", &Zone::Forward(to())).unwrap();
        assert_eq!(add(&added, "global", &Zone::Forward(to())).unwrap(), added, "{corefile}");
        assert_eq!(remove(&added, "global"), corefile, "{added}");
    };
    check(COREFILE);
    check("");
    check(COREFILE.trim_end());
    check(&COREFILE.replace('\n', "\r\n"));
    // A marker without its counterpart is the user's line.
    check(&format!("# meshctl: end global\n{COREFILE}# meshctl: begin global\n# mine\n"));
    check(&format!("{COREFILE}# meshctl: begin global"));
    // Lines between two begin markers are the user's too.
    let twice = format!("# meshctl: begin global\n{COREFILE}");
    let added = add(&twice, "global", &Zone::Forward(to())).unwrap();
    assert_eq!(remove(&added, "global"), twice);
}

#[test]
fn what_a_corefile_says() {
    let check = |corefile: &str, expect: (bool, bool)| {
        assert_eq!((reloads(corefile), has_old_words(corefile, "global")), expect, "{corefile}");
    };
    check(COREFILE, (false, false));
    check(&COREFILE.replace("errors", "errors\n    reload 10s"), (true, false));
    check(&COREFILE.replace("errors", "errors # reload"), (false, false));
    let old = COREFILE.replace("forward", "proxy");
    check(&old, (false, true));
    // The managed block, written for a newer release, does not count.
    check(&add(&old, "global", &Zone::Forward(to())).unwrap(), (false, true));
    // Without braces, no other block can be added.
    let check = |corefile: &str, expect: Option<&str>| {
        let added = add(corefile, "global", &Zone::Forward(to()));
        assert_eq!(added.err().map(|error| error.code()), expect, "{corefile}");
    };
    check(".:53\nerrors\nhosts {\n}\n", Some("config/needs"));
    check("a.org,\nb.org\nerrors\n", Some("config/needs"));
    check("import conf/*\n", None);
    check("a.org,\nb.org {\n}\n", None);
    check(".:53\n{\n}\n", None);
    check("# mine\nglobal:53\nerrors\n", Some("config/duplicate"));
}

#[test]
fn kube_dns() {
    let other: IpAddr = "10.0.0.8".parse().unwrap();
    // Adding and removing the entry restores the exact text.
    let check = |before: &str, after: &str| {
        let added = add_stub(before, "global", to(), None).unwrap();
        assert_eq!(added, after);
        assert_eq!(add_stub(&added, "global", to(), None).unwrap(), added);
        assert_eq!(remove_stub(&added, "global", to()).unwrap(), before);
        assert_eq!(remove_stub(&added, "global", other).unwrap(), added, "an entry of others");
        let moved = add_stub(&added, "global", other, Some(to())).unwrap();
        assert_eq!(moved, after.replace("10.0.0.9", "10.0.0.8"));
    };
    check("", r#"{"global": ["10.0.0.9"]}"#);
    check("{ }\n", "{\"global\":[\"10.0.0.9\"] }\n");
    check(
        "{\"acme.local\" : [\"1.2.3.4\"]}\n",
        "{\"global\":[\"10.0.0.9\"],\"acme.local\" : [\"1.2.3.4\"]}\n",
    );
    check(
        " {\n  \"a,\\\"}:\": [\"x\", \"y\"],\n  \"b\": []\n}",
        " {\"global\":[\"10.0.0.9\"],\n  \"a,\\\"}:\": [\"x\", \"y\"],\n  \"b\": []\n}",
    );
    // The entry was moved.
    let check = |before: &str, after: &str| {
        assert_eq!(remove_stub(before, "global", to()).unwrap(), after);
    };
    check("{\"a\": [],\n \"global\": [ \"10.0.0.9\" ]\n}", "{\"a\": []\n}");
    check("{\"a\": [], \"global\": [\"10.0.0.9\"], \"b\": []}", "{\"a\": [], \"b\": []}");
    check("{\n\"global\": [\"10.0.0.9\"]\n}", "{\n}");
    let theirs = r#"{"global":["10.0.0.1"]}"#;
    let refused = |text: &str, was| add_stub(text, "global", to(), was).unwrap_err().code();
    assert_eq!(refused(theirs, None), "config/duplicate");
    assert_eq!(refused(theirs, Some(other)), "config/duplicate");
    assert_eq!(remove_stub(theirs, "global", to()).unwrap(), theirs);
    assert_eq!(refused("[]", None), "config/syntax");
}

/// A mesh of two clusters; `a` calls a service of `b`.
fn mesh(dns: &str) -> (Mesh, Vec<Resource>) {
    let spec = format!(
        "apiVersion: meshctl/v1
kind: Mesh
clusters:
- name: a
  istioVersion: 1.30.3
  dns: {{{dns}}}
- name: b
  istioVersion: 1.30.3
  gateway: {{addresses: [192.0.2.1]}}
services:
- name: s
  namespace: n
  cluster: b
  ports: [{{name: http, number: 80, protocol: HTTP}}]
  importedBy: [a]
"
    );
    let mesh = Mesh::new(&crate::Spec::read(&spec).unwrap()).unwrap();
    let addresses =
        crate::Lock::default().assign(&mesh, &Default::default(), meshpki::Time(0)).unwrap();
    let resources = crate::render(&mesh, mesh.cluster("a").unwrap(), &addresses);
    (mesh, resources)
}

fn config_map(name: &str, data: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "kube-system", "resourceVersion": "7"});
    json!({"metadata": metadata, "data": data})
}

/// The ConfigMap after the API server merged the patch.
fn patched(live: &Value, edit: &DnsEdit) -> Value {
    fn merge(into: &mut Value, patch: &Value) {
        let Value::Object(patch) = patch else { return *into = patch.clone() };
        if !into.is_object() {
            *into = json!({});
        }
        for (key, value) in patch {
            merge(&mut into[key], value);
        }
        into.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    let mut after = live.clone();
    merge(&mut after, &edit.patch());
    after
}

#[test]
fn what_becomes_of_a_config_map() {
    let at = |dns: &str, live: &Value| {
        let (mesh, resources) = mesh(dns);
        edit(&mesh, mesh.cluster("a").unwrap(), &resources, live)
    };
    // Each way is written, kept, and removed when the way changes, which restores the exact ConfigMap.
    let check = |dns: &str, live: &Value, expect: &str, restart: bool| {
        let first = at(dns, live).unwrap().unwrap();
        let after = patched(live, &first);
        assert!(after["data"][&first.key].as_str().unwrap().contains(expect), "{after:#}");
        assert_eq!((first.restart, &*first.version), (restart, "7"), "{dns}");
        assert_eq!(at(dns, &after).unwrap(), None, "a second time");
        for way in ["way: none", "way: proxy"] {
            assert_eq!(at(way, live).unwrap(), None, "{way}");
            let mut back = patched(&after, &at(way, &after).unwrap().unwrap());
            back["metadata"].as_object_mut().unwrap().remove("annotations");
            assert_eq!(back, *live, "{way}");
        }
        after
    };
    let coredns = config_map("coredns", json!({"Corefile": COREFILE}));
    let host = " s.n.svc.b.global\n";
    let forward = "way: istio-coredns, address: 10.0.0.9";
    check("way: hosts", &coredns, host, true);
    check(forward, &coredns, "    forward . 10.0.0.9:53\n", true);
    let reloads = COREFILE.replace("errors", "errors\n    reload");
    check("way: hosts", &config_map("coredns", json!({"Corefile": reloads})), host, false);
    let old = COREFILE.replace("forward", "proxy");
    let old = config_map("coredns", json!({"Corefile": old}));
    check(forward, &old, "    proxy . 10.0.0.9:53\n", true);
    let stubs = json!({"stubDomains": "{\"acme.local\": [\"1.2.3.4\"]}\n", "more": "x"});
    check(forward, &config_map("other", stubs), "\"global\":[\"10.0.0.9\"],", false);
    // A separate file among those the Corefile imports.
    let custom = config_map(CUSTOM, json!({"test.server": "test {\n}\n"}));
    check("way: hosts", &custom, host, true);
    check(forward, &custom, "    forward . 10.0.0.9:53\n", true);
    let after = check(forward, &config_map("kube-dns", json!({})), "\"global\": [", false);
    // Another address of istio-coredns changes the managed entry.
    let moved = at("way: istio-coredns, address: 10.0.0.8", &after).unwrap().unwrap();
    assert_eq!(moved.to.as_deref(), Some(r#"{"global": ["10.0.0.8"]}"#));
    // An equal entry of others belongs to them, and stays.
    let theirs = config_map("kube-dns", json!({"stubDomains": r#"{"global":["10.0.0.9"]}"#}));
    assert_eq!(at(forward, &theirs).unwrap(), None);
    assert_eq!(at("way: none", &theirs).unwrap(), None);

    let refused = |dns: &str, live: &Value, expect: &str| {
        let error = at(dns, live).unwrap_err();
        assert_eq!(format!("{}: {error}", error.code()), expect);
    };
    let nothing = config_map("coredns", json!({}));
    let needs = "config/needs: the ConfigMap of the cluster's DNS needs the key `Corefile`";
    refused("way: hosts", &nothing, needs);
    assert_eq!(at("way: proxy", &nothing).unwrap(), None);
    let needs = "config/needs: `dns: {way: hosts}` needs CoreDNS; kube-dns can only forward to istio-coredns";
    refused("way: hosts", &theirs, needs);
    let needs = "config/needs: cluster `a` needs the address of istio-coredns";
    refused("way: istio-coredns", &coredns, needs);
    let foreign = format!("{COREFILE}\nglobal {{\n}}\n");
    let foreign = config_map("coredns", json!({"Corefile": foreign}));
    refused(
        "way: hosts",
        &foreign,
        "config/duplicate: duplicate zone `global`: already defined as `global {`",
    );
    assert_eq!(at("way: hosts", &foreign).unwrap_err().line, Some(11));
    assert_eq!(at("way: none", &foreign).unwrap(), None);
    let files = json!({"a.server": "# istio\nglobal:53 {\n}\n", "b.override": "global {\n}\n"});
    let foreign = config_map(CUSTOM, files);
    refused(
        "way: hosts",
        &foreign,
        "config/duplicate: duplicate zone `global`: already defined as `global:53 {`, a.server:2",
    );
    assert_eq!(at("way: none", &foreign).unwrap(), None);
}

/// A block of others that says the same needs no edit, in the Corefile or in another file that it imports.
#[test]
fn a_config_map_with_a_block_of_others() {
    let same = "global:53 {\n  errors\n  cache 30\n  forward . 10.0.0.9:53\n}\n";
    let check = |live: &Value| {
        let at = |dns: &str| {
            let (mesh, resources) = mesh(dns);
            edit(&mesh, mesh.cluster("a").unwrap(), &resources, live)
        };
        assert_eq!(at("way: istio-coredns, address: 10.0.0.9").unwrap(), None);
        assert_eq!(at("way: none").unwrap(), None);
        assert_eq!(at("way: hosts").unwrap_err().code(), "config/duplicate");
    };
    check(&config_map("coredns", json!({"Corefile": format!("{COREFILE}{same}")})));
    check(&config_map(CUSTOM, json!({"a.server": same})));
}
