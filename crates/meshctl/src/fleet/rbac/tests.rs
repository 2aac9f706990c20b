use meshconfig::resource::documents;

use super::*;

/// Names that YAML could take for something else, or that could end a line, a document or a comment.
const HOSTILE: [&str; 22] = [
    "123",
    "0x1F",
    "1e3",
    "0o17",
    "1_000",
    "on",
    "Yes",
    "n",
    "null",
    "~",
    "",
    " a ",
    "true",
    "2001-01-01",
    "a: b",
    "- a",
    "*",
    "a\n---\nkind: ClusterRoleBinding",
    "it's \"quoted\" #",
    "a\r\nb",
    "a\u{85}b\u{2028}c",
    "{a}, [b]",
];

fn rights(name: &str, secrets: Secrets, restart: bool) -> Rights {
    let gateway = (Kind::Deployment, name.to_owned());
    Rights {
        namespace: name.to_owned(),
        user: Some(name.to_owned()),
        service_account: name.to_owned(),
        secrets,
        restart,
        istiod: BTreeSet::from([name.to_owned()]),
        mesh: BTreeSet::from([name.to_owned()]),
        restarts: BTreeMap::from([(name.to_owned(), BTreeSet::from([gateway]))]),
        named: false,
        roots: Roots::ConfigMaps,
        pods: Pods::No,
    }
}

fn usual(secrets: Secrets, restart: bool) -> Rights {
    rights("istio-system", secrets, restart)
}

/// The verbs on a resource, all rules together: `NAMES: VERBS`.
fn verbs(text: &str, resource: &str) -> Vec<String> {
    let list = |value: &Value| -> String {
        let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join(" ")
    };
    let documents = documents(text).unwrap();
    let rules =
        documents.iter().flat_map(|one| one["rules"].as_array().cloned().unwrap_or_default());
    let of = rules.filter(|rule| list(&rule["resources"]).split(' ').any(|one| one == resource));
    of.map(|rule| format!("{}: {}", list(&rule["resourceNames"]), list(&rule["verbs"]))).collect()
}

#[test]
fn every_name_comes_back_as_it_was() {
    for name in HOSTILE {
        for user in [Some(name.to_owned()), None] {
            let rights = Rights { user, ..rights(name, Secrets::Missing(vec![CACERTS]), true) };
            let text = rights.text();
            let found = documents(&text).unwrap();
            let kinds: Vec<&str> = found.iter().filter_map(|one| one["kind"].as_str()).collect();
            let account = if rights.user.is_none() { &["ServiceAccount"][..] } else { &[] };
            let rest = [
                "Secret",
                "Role",
                "RoleBinding",
                "ClusterRole",
                "ClusterRoleBinding",
                "Role",
                "RoleBinding",
            ];
            assert_eq!(kinds, [account, &rest[..]].concat(), "{text}");
            for document in &found {
                if !document["kind"].as_str().unwrap().starts_with("Cluster") {
                    assert_eq!(document["metadata"]["namespace"], name, "{text}");
                }
                for subject in document["subjects"].as_array().into_iter().flatten() {
                    let place = if rights.user.is_some() { "name" } else { "namespace" };
                    assert_eq!(subject[place], name, "{text}");
                }
            }
            let named: Vec<String> = verbs(&text, "serviceaccounts/token");
            assert_eq!(named, [format!("{name}: create")], "{text}");
        }
    }
}

/// What is read as YAML 1.1, as kubectl does, must not see a number, a truth or a null where a name was.
#[test]
fn names_that_yaml_1_1_reads_otherwise_are_quoted() {
    for name in ["123", "0x1F", "1e3", "0o17", "1_000", "on", "Yes", "n", "null", "~", "2001-01-01"]
    {
        let text = rights(name, Secrets::MadeBefore, true).text();
        let is_bare = |line: &str| {
            let value = line.rsplit_once(": ").map_or(line, |(_, value)| value);
            value.trim().trim_start_matches("- ") == name
        };
        let bare: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && is_bare(line)).collect();
        assert_eq!(bare, [""; 0], "{text}");
    }
}

#[test]
fn no_right_to_create_secrets_unless_asked_for() {
    let check = |rights: &Rights, expect: &[&str], parts: &[&str]| {
        let text = rights.text();
        assert_eq!(verbs(&text, "secrets"), expect, "{text}");
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        text
    };
    let by_name = "cacerts meshctl-cacerts-previous: get patch";
    let text = check(
        &usual(Secrets::MadeBefore, true),
        &[by_name],
        &[
            "# Anyone who has them:\n# - can read and replace the CA's private key in secret istio-system/cacerts",
            "and so run any program as any service\n#   account in istio-system;",
            "#   kubectl -n istio-system create secret generic cacerts\n",
            "#   kubectl -n istio-system create secret generic meshctl-cacerts-previous\n",
        ],
    );
    assert!(!text.contains("kind: Secret"), "{text}");
    let text = check(
        &usual(Secrets::Missing(vec![PREVIOUS]), true),
        &[by_name],
        &["---\n# Empty: `meshctl push` fills it.\napiVersion: v1\nkind: Secret\n"],
    );
    assert_eq!(text.matches("kind: Secret\n").count(), 1, "{text}");
    check(
        &usual(Secrets::Created, true),
        &[by_name, ": create"],
        &[
            "# - can create secrets, which cannot be limited to a name",
            "any service account in istio-system;",
        ],
    );
}

#[test]
fn without_restarts_no_pod_template_is_changed() {
    let all = usual(Secrets::MadeBefore, true).text();
    assert_eq!(
        verbs(&all, "deployments"),
        [": list", "istio-system: patch", ": list", "istio-system: get patch"]
    );
    let less = usual(Secrets::MadeBefore, false).text();
    assert_eq!(verbs(&less, "deployments"), [": list", ": list", "istio-system: get"]);
    assert!(!less.contains("run any program"), "{less}");
}

/// istiod writes CRLs into ConfigMaps, wherever its roots are: without the right to read them, the proof fails.
#[test]
fn crls_can_be_read_wherever_the_roots_are() {
    let check = |roots, maps: &str, bundles: &[&str]| {
        let text = Rights { roots, ..usual(Secrets::MadeBefore, true) }.text();
        let found = verbs(&text, "configmaps");
        assert!(found.iter().any(|one| one == maps), "{found:?}");
        assert_eq!(verbs(&text, "clustertrustbundles"), bundles, "{text}");
    };
    check(Roots::ConfigMaps, "istio-ca-root-cert istio-ca-crl: list", &[]);
    let bundle = "istio.io:istiod-ca:root-cert: get";
    check(Roots::TrustBundle, "istio-ca-crl: list", &[bundle]);
}
