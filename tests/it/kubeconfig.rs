//! How clusters are reached: kubeconfigs, credential plugins, proxies, busy servers, insecure servers.

mod busy;
mod plugins;
mod secrets;
mod verbose;

use serde_json::{Value, json};
use tests::api::Api;
use tests::cli::{Shell, ended};

/// Writes `@/kubeconfig` with the context `cluster1`.
fn write(shell: &Shell, cluster: &Value, user: &Value) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "cluster1", "context": {"cluster": "c", "user": "u"}}],
    });
    shell.scratch.write_key("kubeconfig", config.to_string());
}

/// A shell with the context `cluster1` of this server.
fn at(server: &str, user: &Value) -> Shell {
    let shell = Shell::new();
    write(&shell, &json!({"server": server}), user);
    shell
}

fn url(api: &Api) -> String {
    format!("http://127.0.0.1:{}", api.port)
}

const STATUS: &str = "status --kubeconfig @/kubeconfig --context cluster1";
const PUSH: &str =
    "push @/ca --kubeconfig @/kubeconfig --context cluster1 --before-install --yes -o json";
const SECRET: &str = "/api/v1/namespaces/istio-system/secrets/cacerts";

#[test]
fn errors_name_the_place() {
    let check = |text: &str, expect: &str| {
        let shell = Shell::new();
        shell.scratch.write_key("kubeconfig", text);
        shell.check(STATUS, &format!("\n        exit 1\n        --- stderr\n        error[apply/kubeconfig]: kubeconfig @/kubeconfig{expect}\n\n        hint: `kubectl config get-contexts --kubeconfig @/kubeconfig` lists the contexts; `--kubeconfig FILE` names another file\n    "));
    };
    let base = "\
clusters:
- name: c
  cluster:
    server: https://127.0.0.1:9
users:
- name: u
  user:
    token: abc
contexts:
- name: cluster1
  context: {cluster: c, user: u}
";
    let with = |from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replace(from, to)
    };
    check("secret words", ":1:1: expected a mapping here");
    check("", " has no context `cluster1`");
    check(&with("name: cluster1", "name: other"), " has no context `cluster1`");
    check(&with("token: abc", "token: [abc]"), ":8:12: expected a string here");
    check(
        &with("token: abc", "token: abc\n    token: def"),
        ":9:5: a key appears twice in this mapping",
    );
    check(&with("token: abc", "token: *abc"), ":8:12: an alias without its anchor");
    check(
        &with("token: abc", "token: \"a\\nb\""),
        ":8:12: the token contains invalid characters: expected one line of ASCII",
    );
    check(
        &with("token: abc", "token: abc\n    password: def"),
        ":9:15: the user has a token and a password; expected one of them",
    );
    check(
        &with("token: abc", "client-key-data: '!!!'"),
        ":8:22: `client-key-data` is not valid base64",
    );
    check(
        &with("token: abc", "client-key: absent.pem"),
        ":8:17: cannot read the file of `client-key`: No such file or directory (os error 2)",
    );
    check(
        &with("token: abc", "client-key-data: YWJj"),
        ":8:22: the client key has no `client-certificate`",
    );
    check(
        &with("token: abc", "auth-provider: {name: gcp}"),
        ":8:27: this `auth-provider` is not supported, as in kubectl: expected a credential plugin under `exec`, or `oidc` with an `id-token`",
    );
    check(
        &with("token: abc", "exec: {command: x, apiVersion: v9}"),
        ":8:36: `apiVersion` is not supported: expected client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1",
    );
    check(&with("- name: u\n", "- nam: u\n"), ":7:3: this mapping lacks `name`");
    check(
        &with("cluster: c,", "cluster: d,"),
        ":11:22: context `cluster1` refers to a cluster that does not exist",
    );
    check(
        &with("user: u", "user: v"),
        ":11:31: context `cluster1` refers to a user that does not exist",
    );
    check(&with("cluster: c, ", ""), ":10:9: context `cluster1` has no `cluster`");
    check(
        &with("users:", "- name: c\n  cluster: {server: https://other}\nusers:"),
        ":5:9: a cluster with this name is already defined on line 2",
    );
    check(
        &with("https://127.0.0.1:9", "127.0.0.1:9"),
        ":4:13: `server` is not a URL that begins with https:// or http://",
    );
    check(&with("https://127.0.0.1:9", "https://a b"), ":4:13: `server` is not a valid URL");
    check(
        &with("    server: https://127.0.0.1:9", "    insecure-skip-tls-verify: true"),
        ": the cluster of context `cluster1` has no `server`",
    );
    check(
        &with(":9\n", ":9\n    proxy-url: socks5://p\n"),
        ":5:16: `proxy-url` is not a URL that begins with https:// or http://",
    );
    check(
        &with(":9\n", ":9\n    tls-server-name: a b\n"),
        ":5:22: `tls-server-name` is not a host name or an IP address",
    );
    check(
        &with(":9\n", ":9\n    certificate-authority-data: YWJj\n"),
        ":5:33: `certificate-authority` has no certificates in PEM",
    );
    check(
        &with(":9\n", ":9\n    insecure-skip-tls-verify: perhaps\n"),
        ":5:31: expected true or false here",
    );
}

#[test]
fn tokens_are_trimmed() {
    let api = Api::start(|_| None);
    for token in ["abc-123", "abc-123\n", "  abc-123\r\n\n"] {
        let shell = at(&url(&api), &json!({"token": token}));
        shell.run(STATUS);
        let shell = at(&url(&api), &json!({"tokenFile": "token"}));
        shell.scratch.write_key("token", token);
        shell.run(STATUS);
    }
    let asked = api.asked();
    assert!(asked.len() > 12, "{}", asked.len());
    assert!(asked.iter().all(|one| one.authorization == "Bearer abc-123"), "{asked:?}");
    // One that breaks a line is refused, and not shown.
    let before = asked.len();
    for token in ["abc-123\nX-Remote-User: admin", "abc\u{0}-123", "", " \n"] {
        let shell = at(&url(&api), &json!({"tokenFile": "token"}));
        shell.scratch.write_key("token", token);
        let ran = shell.run(STATUS);
        ended(&ran, 1, &["error[apply/credentials]: no credentials for context `cluster1`: "]);
        assert!(!ran.err.contains("123"), "{}", ran.err);
    }
    assert_eq!(api.asked().len(), before);
    // A password in the URL is used, as in kubectl.
    let shell = at(&url(&api).replace("//", "//me:s%40cret@"), &json!({}));
    let ran = shell.run(STATUS);
    assert!(ran.out.contains(&url(&api)), "{}", ran.out);
    assert_eq!(api.asked().last().expect("a request").authorization, "Basic bWU6c0BjcmV0");
}

#[test]
fn proxies() {
    let mut shell = at("https://api.example:6443", &json!({"token": "abc"}));
    let proxy = ("HTTPS_PROXY", "http://me:secret@127.0.0.1:9");
    let refused = "through proxy http://127.0.0.1:9: Connection refused";
    let check = |shell: &Shell, expect: bool| {
        let ran = shell.run(STATUS);
        ended(&ran, 1, &["error[apply/unreachable]: cannot reach the API server: "]);
        assert_eq!(ran.err.contains(refused), expect, "{}", ran.err);
        assert!(!ran.err.contains("secret"), "{}", ran.err);
    };
    shell.env = vec![proxy];
    check(&shell, true);
    for list in ["other.example,", ",", " , other.example", ".api.example", "127.0.0.1"] {
        shell.env = vec![proxy, ("NO_PROXY", list)];
        check(&shell, true);
    }
    // The host cannot be resolved; what counts is that the error names no proxy.
    for list in ["api.example,", "*", "example, ,", "api.example:6443"] {
        shell.env = vec![proxy, ("NO_PROXY", list)];
        check(&shell, false);
    }
    let cluster = json!({"server": "https://api.example:6443", "proxy-url": proxy.1});
    write(&shell, &cluster, &json!({}));
    shell.env = vec![("NO_PROXY", "*")];
    check(&shell, true);
    // An answer of a proxy is not one of an API server.
    let api = Api::start(|_| None);
    let cluster = json!({"server": "https://api.example:6443", "proxy-url": format!("127.0.0.1:{}", api.port)});
    write(&shell, &cluster, &json!({}));
    let ran = shell.run(STATUS);
    ended(&ran, 1, &[&format!("through proxy {}: ", url(&api))]);
    assert_eq!(api.asked()[0].method, "CONNECT");
}

#[test]
fn no_key_and_no_token_over_what_others_can_read() {
    let plain = ["http://10.255.255.1:8080", "http://me:secret@api.example"];
    let mut kubeconfigs: Vec<Value> =
        plain.iter().map(|server| json!({"server": server})).collect();
    kubeconfigs.push(json!({"server": "https://127.0.0.1:9", "insecure-skip-tls-verify": true}));
    // Through a proxy it leaves this machine.
    kubeconfigs
        .push(json!({"server": "http://127.0.0.1:9", "proxy-url": "http://10.255.255.1:3128"}));
    let commands = [
        "status --context cluster1",
        "status --context cluster1 -o json",
        "check --context cluster1",
        "push @/ca --context cluster1 --yes",
        "push @/ca --context cluster1 --dry-run client -o json",
        "push @/ca --context cluster1 --print-rbac",
        "rollback --context cluster1 --yes",
        "rotate intermediate @/ca --context cluster1 --yes",
        "mesh discover --context cluster1",
        "mesh diff -f @/mesh.yaml --context cluster1",
        "mesh apply -f @/mesh.yaml --context cluster1 --yes",
        "mesh apply -f @/mesh.yaml --context cluster1 --print-rbac",
        "mesh remote-secret create --context cluster1 --yes",
        "mesh remote-secret rotate --context cluster1 --yes",
        "mesh remote-secret check --context cluster1",
    ];
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key --cluster cluster1");
    shell
        .scratch
        .write("mesh.yaml", include_str!("../../fixtures/mesh/bookinfo-current/mesh.yaml"));
    for cluster in &kubeconfigs {
        write(
            &shell,
            cluster,
            &json!({"exec": {"command": "/absent", "apiVersion": "client.authentication.k8s.io/v1"}}),
        );
        for command in commands {
            let ran = shell.run(&format!("{command} --kubeconfig @/kubeconfig"));
            ended(
                &ran,
                2,
                &[
                    "error[ctl/insecure-server]: the connection to cluster cluster1 is not secure",
                    "tls: unverified: ",
                    "--force ctl/insecure-server",
                ],
            );
            assert!(!ran.err.contains("secret"), "{}", ran.err);
            // Forced, it is a warning; and only then the plugin is run, which is not there.
            if !command.contains("rotate") {
                let ran = shell.run(&format!(
                    "{command} --kubeconfig @/kubeconfig --force ctl/insecure-server"
                ));
                ended(
                    &ran,
                    1,
                    &["warning[ctl/insecure-server]: ", "credential plugin `absent` was not found"],
                );
            }
        }
    }
}

#[test]
fn plain_http_on_this_machine_is_said() {
    let api = Api::start(|_| None);
    let shell = at(&url(&api), &json!({"token": "abc"}));
    shell.good("ca init @/ca --plain-root-key --cluster cluster1");
    let text = shell.good(&format!("{} --dry-run client", PUSH.replace(" -o json", "")));
    assert!(
        text.contains("  tls: unverified: plain HTTP, which does not leave this machine\n"),
        "{text}"
    );
    let lines = shell.good(PUSH);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let is_of_connection = line["event"] != "problem";
        assert_eq!(line["tls"] == "unverified", is_of_connection, "{line}");
    }
    assert!(lines.contains(r#""event":"result""#), "{lines}");
}
