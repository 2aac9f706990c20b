//! Mistakes in `mesh.yaml` as people make them: each is one error, with the path of the field, what it has and what is
//! expected, in words that need no knowledge of the reader.

use tests::Shell;

const SPEC: &str = "apiVersion: meshctl/v1
kind: Mesh
clusters:
- name: east
  istioVersion: 1.30.3
  gateway:
    addresses: [192.0.2.1]
- name: west
  istioVersion: 1.30.3
  gateway:
    addresses: [192.0.2.2]
services:
- name: cart
  namespace: shop
  cluster: west
  ports:
  - {name: http, number: 8080, protocol: HTTP}
  subsets:
  - {name: v3, labels: {version: v3}}
  serviceAccounts: [cart]
  importedBy: [east]
- name: cart
  namespace: shop
  cluster: east
  ports:
  - {name: http, number: 8080, protocol: HTTP}
  subsets:
  - {name: v1, labels: {version: v1}}
policies:
- name: cart
  service: shop/cart
  clients: [east]
  route:
  - {cluster: west, subset: v3, weight: 75}
  - {cluster: east, subset: v1, weight: 25}
";

/// The errors for the spec with the first `from` replaced: `CODE LINE PATH: MESSAGE`, one on a line.
#[track_caller]
fn check(from: &str, to: &str, expect: &str) {
    assert!(SPEC.contains(from), "{from}");
    whole(&SPEC.replacen(from, to, 1), expect);
}

#[track_caller]
fn whole(spec: &str, expect: &str) {
    let shell = Shell::new();
    shell.scratch.write("mesh.yaml", spec);
    let ran = shell.run("mesh lint -f @/mesh.yaml");
    let mut found = Vec::new();
    let place = format!("  in: {}/mesh.yaml", shell.scratch.path().display());
    for part in ran.err.split("error[").skip(1) {
        let (code, rest) = part.split_once("]: ").expect("a code");
        let message = rest.lines().next().unwrap_or_default();
        let at = rest.lines().find_map(|line| line.strip_prefix(&place)).unwrap_or_default();
        found.push(format!(
            "{code} {}: {message}",
            at.trim_start_matches([':', ',']).replace(',', "")
        ));
    }
    assert_eq!(found.join("\n"), expect, "{}{}", ran.err, ran.out);
}

#[test]
fn words_and_values() {
    check(
        "importedBy",
        "importBy",
        "config/unknown-field 21 services[0].importBy: unknown field `importBy`; did you mean `importedBy`?",
    );
    check(
        "  clients:",
        "  client:",
        "config/unknown-field 32 policies[0].client: unknown field `client`; did you mean `clients`?",
    );
    check(
        "apiVersion",
        "x-common: 1\napiVersion",
        "config/unknown-field 1 x-common: unknown field `x-common`",
    );
    check(
        "protocol: HTTP",
        "protocol: http",
        "config/unknown-name 17 services[0].ports[0].protocol: unknown value `http`; did you mean `HTTP`?",
    );
    check(
        "number: 8080",
        "number: 80800",
        "config/value 17 services[0].ports[0].number: invalid value `80800`: expected a port, 1 to 65535",
    );
    check(
        "weight: 75",
        "weight: 75%",
        "config/value 34 policies[0].route[0].weight: invalid value `75%`: expected a whole number",
    );
    check(
        "clients: [east]",
        "clients: east",
        "config/syntax 32 policies[0].clients: expected a list, such as [a, b], found `east`",
    );
    check(
        "labels: {version: v3}",
        "labels: v3",
        "config/syntax 19 services[0].subsets[0].labels: expected fields, such as {name: a}, found `v3`",
    );
    check(
        "labels: {version: v3}",
        "labels: {version: [v3]}",
        "config/syntax 19 services[0].subsets[0].labels.version: expected text, found a list",
    );
    check(
        "{version: v3}",
        "{version: v3, track: null}",
        "config/syntax 19 services[0].subsets[0].labels.track: expected text; quote a word that YAML reads as no value, found `null`",
    );
    check(
        "addresses: [192.0.2.2]",
        "addresses: [https://gw.example.com]",
        "config/value 11 clusters[1].gateway.addresses[0]: invalid gateway address `https://gw.example.com`: expected an IP address or a DNS name",
    );
    check(
        "1.30.3\n  gateway",
        "1.30.3\n  remoteSecrets: maybe\n  gateway",
        "config/value 6 clusters[0].remoteSecrets: invalid value `maybe`: expected `true` or `false`",
    );
}

#[test]
fn what_is_no_word() {
    check(
        "protocol: HTTP",
        "protocol: [HTTP]",
        "config/syntax 17 services[0].ports[0].protocol: expected a word, found a list",
    );
}

#[test]
fn what_is_missing_or_twice() {
    check("apiVersion: meshctl/v1\n", "", "config/needs : the file needs apiVersion");
    check(
        ", labels: {version: v3}",
        "",
        "config/needs 19 services[0].subsets[0]: `services[0].subsets[0]` needs labels",
    );
    check(
        "    addresses: [192.0.2.1]\n",
        "    port: 443\n",
        "config/needs 6 clusters[0].gateway: `clusters[0].gateway` needs addresses",
    );
    check(
        "  istioVersion",
        "  istioVersion: 1.29.1\n  istioVersion",
        "config/duplicate 6 clusters[0].istioVersion: duplicate field `istioVersion`: already defined as clusters[0].istioVersion, line 5",
    );
    check(
        "gateway:\n    addresses: [192.0.2.1]",
        "gateway: {}",
        "config/needs 6 clusters[0].gateway: `clusters[0].gateway` needs addresses",
    );
    whole(
        &format!("{SPEC}---\n{SPEC}"),
        "config/syntax 37: a second YAML document begins here: remove `---` and what follows",
    );
    whole("", "config/syntax 1: expected the fields of a mesh, found nothing");
}

#[test]
fn what_is_no_yaml() {
    check(
        "    addresses",
        "\taddresses",
        "config/syntax 7 clusters[0].gateway: a tab indents this line: YAML allows only spaces",
    );
    check(
        "  ports:",
        "    ports:",
        "config/syntax 16 services[0].cluster: this `:` is not expected: check the indentation of this line and the one before",
    );
    check(
        "[east]",
        "[*]",
        "config/syntax 21 services[0].importedBy: `*` and `&` begin references in YAML: quote a value that begins with one, as in \"*\"",
    );
    check(
        "[east]",
        "[east",
        "config/syntax 22 services[0].importedBy: this `:` is not expected: close the brackets and quotes before it",
    );
}

/// One cause is one error.
#[test]
fn what_follows_is_not_reported() {
    check(
        "- name: west",
        "- name: east",
        "config/duplicate 8 clusters[1].name: duplicate cluster `east`: already defined as clusters[0]",
    );
    check(
        "- name: west",
        "- name: prod_west",
        "config/name 8 clusters[1].name: invalid cluster name `prod_west`: a DNS label has only a-z, 0-9 and `-`",
    );
    check(
        "istioVersion: 1.30.3",
        "istioVersion: v1.30.3",
        "config/value 5 clusters[0].istioVersion: invalid Istio version `v1.30.3`: expected a release of Istio, such as 1.30.3",
    );
    check(
        "name: east",
        "name: east\n  trustDomain: a_b",
        "config/trust-domain 5 clusters[0].trustDomain: invalid trust domain `a_b`: only a-z, 0-9, `-` and `.` are allowed",
    );
    check(
        "- name: west",
        "- name: no",
        "config/unknown-name 15 services[0].cluster: unknown cluster `west`, also at policies[0].route[0].cluster",
    );
    check(
        "cluster: west",
        "cluster: wst",
        "config/unknown-name 15 services[0].cluster: unknown cluster `wst`; did you mean `west`?",
    );
    check(
        "importedBy: [east]",
        "importedBy: [eas]",
        "config/unknown-name 21 services[0].importedBy[0]: unknown cluster `eas`; did you mean `east`?",
    );
    check(
        "clients: [east]",
        "clients: [eas]",
        "config/unknown-name 32 policies[0].clients[0]: unknown cluster `eas`; did you mean `east`?",
    );
    check(
        "  ports:\n  - {name: http, number: 8080, protocol: HTTP}\n",
        "  ports: []\n",
        "config/needs 16 services[0].ports: service shop/cart needs a port",
    );
    check(
        "name: cart",
        "name: Cart",
        "config/name 13 services[0].name: invalid service name `Cart`: a DNS label has only a-z, 0-9 and `-`",
    );
    check(
        "{name: v3,",
        "{name: V3,",
        "config/name 19 services[0].subsets[0].name: invalid subset name `V3`: a DNS label has only a-z, 0-9 and `-`",
    );
    // Two causes are two errors.
    whole(
        &SPEC
            .replacen("istioVersion: 1.30.3", "istioVersion: x", 1)
            .replace("weight: 25", "weight: 15"),
        "config/value 5 clusters[0].istioVersion: invalid Istio version `x`: expected a release of Istio, such as 1.30.3\nconfig/weights 33 policies[0].route: the weights of policy `cart` (75, 15) add up to 90, expected 100",
    );
}
