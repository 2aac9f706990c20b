//! A canary in every place where a kubeconfig can hold a secret, and every failure: no command prints it.

use serde_json::{Value, json};
use tests::Shell;
use tests::api::{Answer, Api};
use tests::fuzz::kubeconfig::{CANARY, SEED};

use super::plugins::{V1, answers, exec, script};
use super::{url, write};

/// Every command that reads a kubeconfig.
const COMMANDS: [&str; 11] = [
    "status --context cluster1",
    "status --context cluster1 -o json",
    "check --context cluster1",
    "check @/ca --context cluster1 -o json",
    "push @/ca --context cluster1 --yes --timeout 1s --reload-timeout 1s",
    "push @/ca --context cluster1 --dry-run client -o json",
    "rollback --context cluster1 --yes -o json",
    "rotate intermediate @/ca --context cluster1 --yes -o json",
    "mesh diff -f @/mesh.yaml --context cluster1",
    "mesh diff -f @/mesh.yaml --context cluster1 -o json",
    "mesh discover --context cluster1",
];

fn shell() -> Shell {
    let shell = Shell::new();
    shell.good("ca init @/ca --plain-root-key --cluster cluster1");
    shell
        .scratch
        .write("mesh.yaml", include_str!("../../../fixtures/mesh/bookinfo-current/mesh.yaml"));
    shell
}

fn base64(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec()))
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .expect("base64")
}

/// A command fails, and says nothing of the canary.
#[track_caller]
fn silent(shell: &Shell, command: &str, how: &str) {
    let ran = shell.run(&format!("{command} --kubeconfig @/kubeconfig"));
    let said = format!("{}{}", ran.out, ran.err);
    assert!(ran.status != 0, "{how}: meshctl {command}: it worked\n{said}");
    let lower = said.to_lowercase();
    let shapes = ["", "a", "ab"].map(|pad| base64(&format!("{pad}{CANARY}")));
    // The first and last characters of base64 depend on what is next to it.
    let shapes = shapes.iter().map(|shape| shape[4..shape.len() - 4].to_lowercase());
    for secret in shapes.chain(["canary".to_owned()]) {
        assert!(!lower.contains(&secret), "{how}: meshctl {command}\n{said}");
    }
}

/// The user kinds a request can be authorized by; each with the canary in it.
fn users() -> Vec<(&'static str, Value)> {
    vec![
        ("token", json!({"token": format!("{CANARY}-token\n")})),
        ("token file", json!({"tokenFile": "token"})),
        (
            "password",
            json!({"username": format!("{CANARY}-user"), "password": format!("{CANARY}-password")}),
        ),
        (
            "oidc",
            json!({"auth-provider": {"name": "oidc", "config": {"id-token": format!("{CANARY}-id"), "refresh-token": format!("{CANARY}-refresh"), "client-secret": format!("{CANARY}-client")}}}),
        ),
        ("plugin", exec()),
    ]
}

/// A server's answers, most of which send back what they were sent.
#[test]
fn whatever_a_server_answers() {
    let kinds = [
        ("html", 401),
        ("html", 403),
        ("html", 500),
        ("html", 302),
        ("html", 200),
        ("status", 401),
        ("status", 403),
        ("status", 422),
        ("object", 200),
    ];
    for (kind, status) in kinds {
        let api = Api::start(move |asked| {
            let seen = format!(
                "{} {}",
                asked.authorization,
                asked.authorization.trim_start_matches("Bearer ")
            );
            let body = match kind {
                "html" => format!("<html>{seen} {CANARY}</html>"),
                "status" => json!({"kind": "Status", "apiVersion": "v1", "message": format!("you sent {seen}"),
                    "reason": seen, "details": {"name": CANARY, "causes": [{"message": seen, "reason": "x"}]}, "code": status}).to_string(),
                _ => json!({"metadata": seen, "items": CANARY, "data": seen}).to_string(),
            };
            Some(Answer { status, retry_after: None, body })
        });
        let shell = shell();
        script(&shell, &answers(&json!({"token": format!("{CANARY}-issued")})));
        shell.scratch.write_key("token", format!("{CANARY}-file\n"));
        for (who, user) in users() {
            write(
                &shell,
                &json!({"server": format!("{}/base?token={CANARY}", url(&api).replace("//", &format!("//{CANARY}:{CANARY}@")))}),
                &user,
            );
            for command in COMMANDS {
                silent(&shell, command, &format!("{kind} {status}, {who}"));
            }
        }
    }
}

#[test]
fn whatever_is_wrong_on_the_way() {
    let api = Api::start(|_| {
        Some(Answer { status: 407, retry_after: None, body: format!("<html>{CANARY}</html>") })
    });
    let user_info = format!("{CANARY}:{CANARY}@");
    let proxy = format!("http://{user_info}127.0.0.1:{}/?token={CANARY}", api.port);
    let nobody = format!("http://{user_info}127.0.0.1:9");
    let pem =
        |kind: &str| base64(&format!("-----BEGIN {kind}-----\n{CANARY}\n-----END {CANARY}-----\n"));
    let tls = format!("https://{user_info}127.0.0.1:{}", api.port);
    let clusters = [
        json!({"server": nobody}),
        json!({"server": tls}),
        json!({"server": tls, "tls-server-name": CANARY}),
        json!({"server": tls, "tls-server-name": format!("{CANARY} {CANARY}")}),
        json!({"server": tls, "insecure-skip-tls-verify": true}),
        json!({"server": tls, "certificate-authority-data": format!("{CANARY}!")}),
        json!({"server": tls, "certificate-authority-data": pem("CERTIFICATE")}),
        json!({"server": tls, "certificate-authority-data": pem(CANARY)}),
        json!({"server": tls, "certificate-authority": CANARY}),
        json!({"server": "https://api.example", "proxy-url": proxy}),
        json!({"server": "https://api.example", "proxy-url": nobody}),
        json!({"server": "https://api.example", "proxy-url": format!("socks5://{user_info}p")}),
        json!({"server": "https://api.example", "proxy-url": format!("http://{CANARY} {CANARY}")}),
        json!({"server": format!("http://{user_info}10.255.255.1")}),
        json!({"server": format!("{CANARY}")}),
        json!({"server": format!("https://{CANARY} x")}),
        json!({"server": format!("https://{CANARY}@{CANARY}@x")}),
        json!({"server": {"x": CANARY}}),
        json!({"insecure-skip-tls-verify": CANARY, "server": CANARY}),
        json!({"extensions": [{"name": CANARY, "extension": {"secret": CANARY}}], "server": nobody}),
        json!({"extensions": CANARY, "server": nobody}),
        json!(CANARY),
    ];
    let shell = shell();
    for cluster in &clusters {
        write(&shell, cluster, &json!({"token": CANARY}));
        for command in COMMANDS {
            silent(&shell, command, &cluster.to_string());
        }
    }
    let broken = [
        json!({"token": format!("{CANARY}\n{CANARY}")}),
        json!({"token": [CANARY]}),
        json!({"token": {CANARY: CANARY}}),
        json!({"token": CANARY, "password": CANARY}),
        json!({"tokenFile": CANARY}),
        json!({"tokenFile": "/"}),
        json!({"client-key-data": format!("{CANARY}!")}),
        json!({"client-key-data": pem("PRIVATE KEY")}),
        json!({"client-key-data": pem("PRIVATE KEY"), "client-certificate-data": pem("CERTIFICATE")}),
        json!({"client-key-data": pem(CANARY), "client-certificate-data": pem(CANARY)}),
        json!({"client-key": CANARY, "client-certificate": CANARY}),
        json!({"client-certificate-data": CANARY}),
        json!({"as": format!("{CANARY}\n")}),
        json!({"as-groups": [format!("{CANARY}\n")]}),
        json!({"as-user-extra": {CANARY: [format!("{CANARY}\n")]}}),
        json!({"auth-provider": {"name": CANARY, "config": {"access-token": CANARY, "cmd-path": CANARY}}}),
        json!({"auth-provider": {"name": "oidc", "config": {"id-token": format!("{CANARY}\n{CANARY}")}}}),
        json!({"auth-provider": {"name": "oidc", "config": {"id-token": [CANARY]}}}),
        json!({"exec": {"args": [CANARY]}}),
        json!({"exec": {"command": format!("x --token={CANARY}"), "apiVersion": V1}}),
        json!({"exec": {"command": "x", "apiVersion": CANARY}}),
        json!({"exec": {"command": "x", "apiVersion": V1, "interactiveMode": CANARY}}),
        json!({"exec": {"command": "x", "apiVersion": V1, "env": [{"name": "A", "value": [CANARY]}]}}),
        json!({"exec": {"command": "x", "apiVersion": V1, "env": {"A": CANARY}}}),
        json!({"exec": CANARY}),
        json!(CANARY),
    ];
    for user in &broken {
        write(&shell, &json!({"server": nobody}), user);
        for command in COMMANDS {
            silent(&shell, command, &user.to_string());
        }
    }
}

#[test]
fn whatever_a_plugin_does() {
    let shell = shell();
    let says = format!(
        "echo {CANARY}; echo '{{\"status\": {{\"token\": \"{CANARY}\"}}}}'; printf 'first\\n{CANARY}\\n' >&2"
    );
    let scripts = [
        format!("{says}; exit 1"),
        format!("{says}; kill -9 $$"),
        // Its first line has what it was given, or what it printed.
        "echo \"bad: $* $SECRET\" >&2; exit 1".to_owned(),
        "env >&2; exit 1".to_owned(),
        format!("echo '{CANARY}-printed'; echo '{CANARY}-printed' >&2; exit 1"),
        says.clone(),
        format!("echo '{{{CANARY}'"),
        format!("echo '[{CANARY}]'"),
        answers(&json!({"token": format!("{CANARY}\n{CANARY}")})),
        answers(&json!({"token": [CANARY]})),
        answers(&json!({"token": CANARY, "expirationTimestamp": CANARY})),
        answers(&json!({"clientKeyData": CANARY})),
        answers(&json!({"clientKeyData": CANARY, "clientCertificateData": CANARY})),
        answers(&json!({"token": CANARY})).replace(V1, CANARY),
        answers(&json!({"token": CANARY})).replace("ExecCredential", CANARY),
        answers(&json!({"token": CANARY})),
    ];
    let mut user = exec();
    user["exec"]["args"] = json!([CANARY, format!("--token={CANARY}-arg")]);
    user["exec"]["env"] = json!([{"name": "SECRET", "value": format!("{CANARY}-env")}]);
    user["exec"]["installHint"] = CANARY.into();
    write(&shell, &json!({"server": "http://127.0.0.1:9"}), &user);
    for text in &scripts {
        script(&shell, text);
        for command in COMMANDS {
            silent(&shell, command, text);
        }
    }
    script(&shell, &format!("{says}; sleep 1000"));
    silent(&shell, COMMANDS[4], "it hangs");
    std::fs::remove_file(shell.scratch.join("plugin")).expect("a file");
    silent(&shell, COMMANDS[0], "it is not there");
    shell.scratch.write("plugin", CANARY);
    silent(&shell, COMMANDS[0], "it cannot be run");
}

/// Ways to slip in a line.
fn slips(line: &str) -> Vec<String> {
    let indent = &line[..line.len() - line.trim_start().len()];
    let (key, value) = line.split_once(": ").unwrap_or((line, ""));
    let mut all = vec![
        String::new(),
        format!("{line}\n{line}"),
        line.replacen(':', "", 1),
        line.replacen(": ", ":", 1),
        line.replacen("- ", "-", 1),
        format!("\t{line}"),
        format!(" {line}"),
        line.replacen(' ', "", 1),
        format!("{line}\n---\n{CANARY}"),
        format!("{line}\n...\n{CANARY}: ]"),
        format!("%{CANARY} {line}"),
        format!("{line}\u{7}"),
        format!("{line}\0"),
        format!("{indent}{CANARY}: {value}"),
        format!("{indent}? [{CANARY}]\n{indent}: {value}"),
        line[..line.len() / 2].to_owned(),
    ];
    let values = [
        "\"",
        "'",
        "[",
        "{",
        "}",
        "*",
        "&",
        "!",
        "|",
        ">",
        "@",
        "`",
        "%",
        "- ",
        ": ",
        "*CANARY ",
        "&a ",
        "!!int ",
        "!!binary ",
        "!CANARY ",
        "!include ",
        "!!map ",
        "<<: ",
        "\"\\q",
        "\"\\x",
    ];
    all.extend(values.iter().map(|start| format!("{key}: {start}{value}")));
    let others =
        ["[CANARY]", "{CANARY: CANARY}", "12", "null", "true", ".nan", "CANARY", "0xCANARY"];
    all.extend(others.iter().map(|other| format!("{key}: {other}")));
    all
}

#[test]
fn whatever_slips_into_a_file() {
    let shell = shell();
    let whole = SEED.to_owned();
    let alone: String = whole
        .lines()
        .filter(|line| {
            !["username:", "password:"].iter().any(|key| line.trim_start().starts_with(key))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let mut count = 0;
    for text in [whole, alone] {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            for slip in slips(line) {
                let mut lines: Vec<&str> = lines.clone();
                lines[at] = &slip;
                shell.scratch.write_key("kubeconfig", lines.join("\n"));
                let command = COMMANDS[count % 2];
                silent(&shell, command, &format!("line {}: {slip:?}", at + 1));
                count += 1;
            }
            shell.scratch.write_key("kubeconfig", &text[..text.len() * at / lines.len()]);
            silent(&shell, COMMANDS[0], &format!("cut before line {}", at + 1));
        }
    }
    assert!(count > 3000, "{count}");
    for bytes in [
        &b"\xff\xfeC\0A\0"[..],
        b"\xfe\xff\0C\0",
        b"token: CANARY \xc3\x28",
        b"\xef\xbb\xbfCANARY",
        b"\0CANARY",
    ] {
        shell.scratch.write_key("kubeconfig", bytes);
        silent(&shell, COMMANDS[0], "bytes");
    }
}
