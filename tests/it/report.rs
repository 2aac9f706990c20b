//! `meshctl report`: what its page says of folders and of clusters, that nothing from outside becomes markup, how a
//! browser shows it, and that the document says the same.

use std::path::Path;

use serde_json::{Value, json};
use tests::api::kubeconfig;
use tests::cli::{Ran, Shell, ended};
use tests::judges::browser::{self, Look};
use tests::page;
use tests::rotation::World;
use tests::schema;

const SPEC: &str = "apiVersion: meshctl/v1\nkind: Mesh\nname: shop\nclusters:\n\
    - {name: east, istioVersion: 1.30.3, trustDomain: east.example, gateway: {addresses: [192.0.2.1]}}\n\
    - {name: west, istioVersion: 1.29.1, trustDomain: west.example, gateway: {addresses: [192.0.2.2]}}\n\
    services:\n\
    - {name: a, namespace: n, cluster: east, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [west]}\n";

/// Two clusters under one root in `@/ca`, one under its own in `@/other`, and the spec of the two.
fn shell() -> Shell {
    let shell = Shell::new();
    let init = "--plain-root-key --root-subject";
    shell.good(&format!("ca init @/ca --cluster east,west {init} 'CN=Mesh Root'"));
    shell.good(&format!("ca init @/other --cluster south {init} 'CN=Other Root'"));
    shell.scratch.write("mesh.yaml", SPEC);
    shell
}

/// The page of a command with this status; it is well formed.
#[track_caller]
fn paged(shell: &Shell, command: &str, status: u8) -> String {
    let Ran { status: found, out, err } = shell.run(command);
    assert_eq!(found, status, "{command}\n{out}{err}");
    let _ = page::elements(&out);
    out
}

/// The document of the same command: it fits its schema, and everything that it says is on the page, but words for
/// programs. `page` is masked as the document is.
#[track_caller]
fn documented(ran: &Ran, page: &str, status: u8) -> Value {
    assert_eq!(ran.status, status, "{}{}", ran.out, ran.err);
    schema::check("report", &ran.out);
    assert!(!ran.out.contains("PRIVATE KEY"), "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut said = vec![text(&document["mesh"]), text(&document["at"]), text(&document["next"])];
    said.extend(list(&document["source"]["folders"]).iter().map(text));
    let parts = |said: &mut Vec<String>, all: &Value, keys: &[&str]| {
        let all = list(all);
        said.extend(all.iter().flat_map(|one| keys.iter().map(|key| text(&one[*key]))));
    };
    parts(&mut said, &document["clusters"], &["name", "path", "context", "server"]);
    for cluster in list(&document["clusters"]) {
        said.push(text(&cluster["error"]["message"]));
        parts(&mut said, &cluster["lines"], &["what", "text"]);
        assert_eq!(cluster["error"].is_null(), !list(&cluster["lines"]).is_empty(), "{cluster:#}");
    }
    for pair in list(&document["trust"]).iter().filter(|pair| pair["needed"] == true) {
        said.push(list(&pair["why"]).iter().map(text).collect::<Vec<_>>().join("; "));
        said.push(text(&pair["until"]).chars().take_while(|c| *c != 'T').collect());
    }
    let keys = ["code", "severity", "message", "effect", "fix", "next"];
    parts(&mut said, &document["problems"], &keys);
    for problem in list(&document["problems"]) {
        said.extend(list(&problem["evidence"]).iter().map(text));
    }
    for end in list(&document["expiry"]["items"]) {
        said.push(text(&end["notAfter"]).chars().take_while(|c| *c != 'T').collect());
        said.extend(
            list(&end["uses"]).iter().flat_map(|one| list(&one["clusters"])).map(|one| text(&one)),
        );
    }
    said.push(text(&document["rotation"]["next"]));
    parts(&mut said, &document["calls"], &["from", "to", "how"]);
    for part in said {
        let part = escaped(&part);
        assert!(page.contains(&part), "`{part}` is not in\n{page}\n{document:#}");
    }
    document
}

/// Text as the page has it.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// The values of a key, in order.
fn values<'d>(list: &'d Value, key: &str) -> Vec<&'d str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|one| one[key].as_str().unwrap_or("null")).collect()
}

/// A page as it is kept in `tests/it/report`; `MESH_UPDATE=1` writes it.
#[track_caller]
fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/report").join(name);
    if std::env::var_os("MESH_UPDATE").is_some() {
        std::fs::write(&path, page).expect("a golden page");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "{name} differs (MESH_UPDATE=1 takes it over):\n{page}");
}

#[test]
fn of_folders() {
    let shell = shell();
    let page = paged(&shell, "report @/ca -f @/mesh.yaml", 0);
    assert_eq!(page, paged(&shell, "report @/ca -f @/mesh.yaml", 0), "the same every time");
    compare("good.html", &shell.mask(&page));
    // A year later, and with a cluster that has another root.
    let command = "report @/ca @/other --at 2027-11-10";
    compare("bad.html", &shell.mask(&paged(&shell, command, 2)));
}

/// For a program, everything that the page has.
#[test]
fn as_a_document() {
    let shell = shell();
    let check = |command: &str, status: u8| {
        let page = paged(&shell, command, status);
        documented(&shell.run(&format!("{command} -o json")), &page, status)
    };
    assert_eq!(shell.run("report @/ca -o html").out, shell.run("report @/ca").out);
    let good = check("report @/ca -f @/mesh.yaml", 0);
    let folder = shell.scratch.join("ca").display().to_string();
    assert_eq!(good["source"], json!({"live": false, "folders": [folder]}));
    assert_eq!((&good["good"], &good["next"]), (&json!(true), &Value::Null));
    assert_eq!((&good["mesh"], &good["rotation"]), (&json!("shop"), &Value::Null));
    assert_eq!(values(&good["clusters"], "state"), ["ok", "ok"]);
    let call = json!([{
        "from": "west", "to": "east", "way": "sni", "how": "through the gateway, by SNI",
        "services": good["calls"][0]["services"],
    }]);
    assert_eq!(good["calls"], call);
    assert_eq!(good["trust"].as_array().expect("pairs").len(), 4);
    assert_eq!(good["trust"][1]["trusted"], true);
    let items = &good["expiry"]["items"];
    assert_eq!(values(items, "state"), ["ok", "ok", "ok"]);
    assert_eq!(items[2]["uses"], json!([{"as": "root", "clusters": ["east", "west"]}]));
    assert_eq!(good["expiry"]["withinSeconds"], 30 * 86_400);
    // A year later, and with a cluster that has another root: each finding with its next command.
    let bad = check("report @/ca @/other --at 2027-11-10 --within 60d", 2);
    assert_eq!((&bad["good"], &bad["mesh"]), (&json!(false), &Value::Null));
    assert_eq!(bad["next"], bad["problems"][0]["next"]);
    assert!(values(&bad["problems"], "code").contains(&"istiod/different-roots"), "{bad:#}");
    assert_eq!(values(&bad["expiry"]["items"], "state")[..3], ["due", "due", "due"]);
    assert_eq!(bad["calls"], json!([]));
    let early = check("report @/ca --at 2026-01-01", 2);
    assert_eq!(values(&early["expiry"]["items"], "state"), ["early", "early", "early"]);
    let late = check("report @/ca --at 9999-12-31T23:59:59Z", 2);
    assert_eq!(values(&late["expiry"]["items"], "state"), ["expired", "expired", "expired"]);
    // A cluster of the spec without a folder.
    let more = SPEC.replace("services:", "- {name: north, istioVersion: 1.30.3}\nservices:");
    shell.scratch.write("more.yaml", more);
    let lacking = check("report @/ca -f @/more.yaml", 1);
    assert_eq!(values(&lacking["clusters"], "state"), ["ok", "ok", "unknown"]);
    assert_eq!(lacking["clusters"][2]["error"]["code"], "ctl/no-cluster");
    assert_eq!((&lacking["good"], &lacking["trust"][8]["trusted"]), (&json!(false), &Value::Null));
    // A cluster that does not answer.
    shell.scratch.write("kubeconfig", kubeconfig(&[("<b>away", "https://127.0.0.1:9".to_owned())]));
    let away = check("report --kubeconfig @/kubeconfig --context 'east&=<b>away'", 1);
    assert_eq!(away["source"], json!({"live": true, "folders": []}));
    assert_eq!(away["clusters"][0]["error"]["code"], "apply/unreachable");
    assert_eq!(away["clusters"][0]["context"], "<b>away");
}

/// Only a page is replaced by a page.
#[test]
fn to_a_file() {
    let shell = shell();
    let ran = shell.run("report @/ca --out @/report.html");
    ended(&ran, 0, &["wrote ", "report.html"]);
    let page = shell.scratch.read("report.html");
    assert_eq!(page, paged(&shell, "report @/ca", 0));
    shell.good("report @/ca --out @/report.html --at 2027-01-01");
    assert_ne!(shell.scratch.read("report.html"), page);
    let key = shell.scratch.read("ca/root-key.pem");
    for (name, content) in
        [("notes", "notes\n".to_owned()), ("both", page + &key), ("key", key.clone())]
    {
        shell.scratch.write(name, &content);
        ended(&shell.run(&format!("report @/ca --out @/{name}")), 1, &["error[ctl/exists]"]);
        assert_eq!(shell.scratch.read(name), content, "{name}");
    }
    // A document by a document, and neither by the other.
    shell.good("report @/ca -o json --out @/report.json");
    let document = shell.scratch.read("report.json");
    assert_eq!(document, shell.good("report @/ca -o json"));
    shell.good("report @/ca -o json --out @/report.json --at 2027-01-01");
    assert_ne!(shell.scratch.read("report.json"), document);
    let (page, other) = (shell.scratch.read("report.html"), shell.good("check @/ca -o json"));
    let keyed = document.replace("\"mesh\": null", &format!("\"mesh\": {}", json!(key)));
    assert!(keyed.contains("PRIVATE KEY"), "{keyed}");
    for (name, content) in
        [("page", page), ("check", other), ("half", document[..99].to_owned()), ("keyed", keyed)]
    {
        shell.scratch.write(name, &content);
        let ran = shell.run(&format!("report @/ca -o json --out @/{name}"));
        ended(&ran, 1, &["error[ctl/exists]"]);
        assert_eq!(shell.scratch.read(name), content, "{name}");
    }
    shell.scratch.write("document", &document);
    ended(&shell.run("report @/ca --out @/document"), 1, &["error[ctl/exists]"]);
}

#[test]
fn what_cannot_be_shown() {
    let shell = shell();
    let check =
        |command: &str, status: u8, parts: &[&str]| ended(&shell.run(command), status, parts);
    check("report", 64, &["nothing to report", "meshctl report ca"]);
    check(
        "report @/ca @/other --context a",
        64,
        &["expected one folder to compare with the clusters, found 2", "a folder for each cluster"],
    );
    check("report @/nowhere", 1, &["error[ctl/io]"]);
    let more = SPEC.replace("services:", "- {name: north, istioVersion: 1.30.3}\nservices:");
    shell.scratch.write("more.yaml", more);
    let lacking = "cluster `north` of the spec has no folder";
    check("report @/ca -f @/more.yaml", 1, &[lacking, "error[ctl/no-cluster]", "no folder</p>"]);
    // A folder that is not for a cluster of the spec is left out, and named.
    let page = paged(&shell, "report @/ca @/other -f @/mesh.yaml", 0);
    assert!(!page.contains("south"), "{page}");
    let left_out = "other/south: its cluster is not in the spec";
    check("report @/ca @/other -f @/mesh.yaml", 0, &["left out ", left_out]);
    check("trust matrix @/ca @/other -f @/mesh.yaml", 0, &["left out ", left_out]);
    // Which of two would be shown is not known.
    shell.good("ca init @/second --cluster east --plain-root-key");
    check(
        "report @/ca @/second -f @/mesh.yaml",
        1,
        &["error[ctl/two-folders]: cluster `east` has two folders", "ca/east", "second/east"],
    );
    shell.scratch.write("kubeconfig", kubeconfig(&[("<b>away", "https://127.0.0.1:9".to_owned())]));
    let ran = shell.run("report --kubeconfig @/kubeconfig --context 'east&=<b>away'");
    let refused = "cannot reach the API server: Connection refused";
    ended(&ran, 1, &[refused, "error[apply/unreachable]", "context &lt;b&gt;away", "east&amp;"]);
    // The next command reaches the same cluster.
    let config = shell.scratch.join("kubeconfig").display().to_string();
    let next = format!("get --raw /readyz --kubeconfig {config}</code>");
    ended(&ran, 1, &["Next: <code>kubectl --context '&lt;b&gt;away' ", &next]);
    let _ = page::elements(&ran.out);
}

/// As long as years have four digits, there is a page.
#[test]
fn at_the_end_of_time() {
    let page = paged(&shell(), "report @/ca --at 9999-12-31T23:59:59Z", 2);
    assert!(page.contains(">expired</span>"), "{page}");
}

/// Clusters as they are, next to the folder that they have, and on the way to one with another root.
#[test]
fn of_clusters() {
    let mut world = World::new(&["east", "west"]);
    let report = |command: &str, status: u8| {
        let now = meshctl::io::system_time();
        let ran = world.run_at(command, now);
        assert_eq!(ran.status, status, "{command}\n{}{}", ran.out, ran.err);
        let _ = page::elements(&ran.out);
        let document = world.run_at(&format!("{command} -o json"), now);
        (documented(&document, &ran.out, status), ran.out)
    };
    let has = |page: &str, parts: &[&str]| {
        for part in parts {
            assert!(page.contains(part), "`{part}` is not in\n{page}");
        }
    };
    let (document, page) = report("report @/old --context east,west", 0);
    assert_eq!(document["rotation"], Value::Null);
    has(
        &page,
        &["live clusters, compared with the folder", "matches the cluster", "cluster.local"],
    );
    has(&page, &["No problems found.", "this CA, from 1 pod of istiod", ">until 2027-"]);
    assert!(!page.contains("id=\"rotation\""), "{page}");
    let phase = |page: &str, name: &str| {
        let row = page.split(&format!("<th scope=\"row\">{name}</th>")).last().expect("a row");
        let row = row.split("</tr>").next().expect("cells");
        row.split("</td>").position(|cell| cell.ends_with(">here"))
    };
    let (document, page) = report("report @/new --context east,west", 2);
    assert_eq!(values(&document["rotation"]["clusters"], "phase"), ["old", "old"]);
    has(&page, &["id=\"rotation\"", "differs: the CA, the roots", ">ctl/folder-differs</code>"]);
    assert_eq!([phase(&page, "east"), phase(&page, "west")], [Some(0), Some(0)], "{page}");
    let next = page.split("<code class=\"next\">").find(|part| part.starts_with("meshctl rotate"));
    let next = next.and_then(|part| part.split("</code>").next()).expect("a command");
    ended(&world.run(next.strip_prefix("meshctl ").expect("ours")), 2, &["PHASE", "prepared"]);
    // The printed commands are about the same clusters, by the same options.
    let typed = "--istio-namespace istio-system --istio-version 1.30.4";
    let (_, page) = report(&format!("report @/new --context east,west {typed}"), 2);
    for command in ["check", "rotate root status"] {
        let is_next = |line: &str| line.contains(&format!("meshctl {command} "));
        let line = page.lines().find(|line| is_next(line)).expect("a command");
        assert!(line.contains(&format!(" --context east,west {typed}</code>")), "{line}");
    }
    // Without a spec, the clusters that answer are all there is.
    has(&report("report --context east", 0).1, &["From live clusters, at ", "1 cluster<"]);
    assert!(world.sites.iter().all(|(_, site)| site.writes() == 0), "nothing is written");
    // A spec on standard input is read once.
    world.shell.stdin = SPEC.into();
    let ran = world.run("report -f - --context east,west");
    ended(&ran, 2, &["Mesh shop: certificates and trust", "Table of the calls"]);
    let ran = world.run("trust matrix -f - --context east,west");
    ended(&ran, 0, &["east", "west"]);
}

/// In light and dark, on a screen and on a telephone: axe-core finds nothing, nothing is loaded, the console is empty.
#[test]
fn in_a_browser() {
    let shell = shell();
    let pages = ["report @/ca -f @/mesh.yaml", "report @/ca @/other --at 2027-11-10"];
    let pages = pages.map(|command| shell.run(command).out);
    let looks = [(1200, false), (1200, true), (360, false), (360, true)];
    for page in &pages {
        for (width, dark) in looks {
            let Some(seen) = browser::look(page, Look { width, dark }) else { return };
            let none: [String; 0] = [];
            assert_eq!(seen.violations, none, "{width} {dark}");
            assert_eq!((&seen.console[..], &seen.asked[..]), (&none[..], &none[..]));
            assert!(seen.passes > 30, "{seen:?}");
            assert_eq!((seen.inner_width, seen.is_dark), (width.into(), dark), "{seen:?}");
            assert!(seen.scroll_width <= seen.inner_width, "{seen:?}");
        }
    }
    // The judges see what is wrong.
    let bad = pages[0].replace("<h1>", "<img src=\"http://127.0.0.1:9/x.png\"/><h1>");
    let seen =
        browser::look(&bad, Look { width: 1200, dark: false }).expect("the judges were there");
    assert!(seen.violations.iter().any(|one| one.starts_with("image-alt ")), "{seen:?}");
    assert!(seen.console.iter().any(|line| line.contains("Content Security Policy")), "{seen:?}");
    let open = bad.replace("default-src 'none';", "default-src *;");
    let seen =
        browser::look(&open, Look { width: 1200, dark: false }).expect("the judges were there");
    assert!(seen.asked.iter().any(|url| url.ends_with("/x.png")), "{seen:?}");
}
