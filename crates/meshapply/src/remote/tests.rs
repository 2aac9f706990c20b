use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meshpki::Time;
use meshpki::istiod::Version;

use super::*;

/// A day in seconds.
const DAY: i64 = 86_400;

fn jwt(claims: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn what_tokens_say() {
    let check = |token: &str, expect: Option<(Option<i64>, Option<i64>)>| {
        let claims = Claims::read(token);
        let found = claims.map(|one| (one.issued.map(|at| at.0), one.expires.map(|at| at.0)));
        assert_eq!(found, expect, "{token}");
    };
    check(&jwt(r#"{"iat": 10, "exp": 40}"#), Some((Some(10), Some(40))));
    check(&jwt(r#"{"exp": 40.9}"#), Some((None, Some(40))));
    check(&jwt(r#"{"exp": "40"}"#), Some((None, None)));
    check(&jwt(r#"{"exp": 1e300}"#), Some((None, Some(i64::MAX))));
    check(&jwt("{}"), Some((None, None)));
    check(&format!(" {}\n", jwt("{}")), Some((None, None)));
    for token in ["", "a.b", "a.b.c", "e30.e30.e30.e30", &jwt("[]"), &jwt("{")] {
        check(token, None);
    }
}

#[test]
fn when_tokens_are_due() {
    let check =
        |issued: Option<i64>, end: Option<i64>, within: Option<i64>, expect: Option<i64>| {
            let claims = Claims { issued: issued.map(Time), expires: end.map(Time), subject: None };
            assert_eq!(claims.due(within).map(|at| at.0), expect, "{claims:?}");
        };
    check(Some(0), Some(90 * DAY), None, Some(60 * DAY));
    check(Some(0), Some(DAY), None, Some(DAY - DAY / 3));
    check(None, Some(90 * DAY), None, Some(60 * DAY));
    check(Some(0), Some(90 * DAY), Some(DAY), Some(89 * DAY));
    check(Some(0), Some(DAY), Some(i64::MAX), Some(DAY - i64::MAX));
    check(Some(0), None, None, None);
    // One that says it was issued after its end.
    check(Some(9), Some(3), None, Some(3));
}

#[test]
fn what_releases_do() {
    let check = |release: &str, expect: Swap| {
        let release: Version = release.parse().expect("a release");
        assert_eq!(Swap::of(release), expect, "{release}");
    };
    check("1.6.4", Swap::Gap);
    check("1.29.6", Swap::Gap);
    check("1.30.0", Swap::Lost);
    check("1.30.3", Swap::Lost);
    check("1.30.4", Swap::Seamless);
    check("1.31.0", Swap::Seamless);
}

const GOOD: &str = "\
apiVersion: v1
kind: Config
current-context: west
clusters:
- name: west
  cluster: {server: 'https://api.west.example:6443'}
contexts:
- name: west
  context: {cluster: west, user: west}
users:
- name: west
  user: {token: CANARY}
";

fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

#[test]
fn kubeconfigs_that_cannot_be_used() {
    let check = |text: &str, expect: &str| match RemoteKubeconfig::read(text.as_bytes()) {
        Ok(_) => panic!("{text}"),
        Err(flaw) => assert_eq!(flaw.to_string(), expect, "{text}"),
    };
    check("", "it is empty");
    check(" \n", "it is empty");
    check("CANARY", "it is not a kubeconfig in YAML (line 1, column 1)");
    check(
        &with("- name: west\n  user", "- name: west\n  name: x\n  user"),
        "it is not a kubeconfig in YAML (line 12, column 3)",
    );
    check(
        &with("current-context: west\n", ""),
        "its `current-context` is missing or does not exist",
    );
    check(
        &with("current-context: west", "current-context: x"),
        "its `current-context` is missing or does not exist",
    );
    check(
        &with("user: west}", "user: x}"),
        "its context refers to a cluster or user that does not exist",
    );
    check(
        &with("{cluster: west,", "{cluster: x,"),
        "its context refers to a cluster or user that does not exist",
    );
    for server in ["''", "api:6443", "ftp://api", "https://me:CANARY@api", "https://"] {
        let text = with("'https://api.west.example:6443'", server);
        check(&text, "its `server` is missing or not a URL");
    }
    let ca = with("6443'}", "6443', certificate-authority-data: Q0FOQVJZ}");
    check(&ca, "its `certificate-authority-data` has no certificates in PEM");
}

#[test]
fn what_istiod_refuses() {
    let check = |user: &str, auth: Auth, expect: &[&str]| {
        let read = RemoteKubeconfig::read(with("{token: CANARY}", user).as_bytes());
        let read = read.unwrap_or_else(|flaw| panic!("{user}: {flaw}"));
        assert_eq!(
            (read.auth, read.refused.as_slice()),
            (auth, &expect.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()[..]),
            "{user}"
        );
        assert_eq!(read.token.is_some(), auth == Auth::Token, "{user}");
    };
    check("{token: CANARY}", Auth::Token, &[]);
    check("{token: ' '}", Auth::None, &[]);
    check("{client-certificate-data: YQ==, client-key-data: YQ==}", Auth::ClientCertificate, &[]);
    check("{username: me, password: CANARY}", Auth::Password, &[]);
    check("{auth-provider: {name: oidc}}", Auth::Oidc, &[]);
    check("{auth-provider: {name: gcp}}", Auth::None, &["gcp"]);
    check("{auth-provider: {name: CANARY}}", Auth::None, &["auth-provider"]);
    check("{exec: {command: x}}", Auth::None, &["exec"]);
    check(
        "{tokenFile: /t, client-key: /k, client-certificate: /c}",
        Auth::None,
        &["clientCertificate", "clientKey", "tokenFile"],
    );
    check("", Auth::None, &[]);
}

#[test]
fn what_is_written_is_read_again() {
    let entrance = Entrance {
        server: "https://api.west.example:6443/k8s".to_owned(),
        tls_server_name: Some("kubernetes".to_owned()),
        ca: Vec::new(),
        skip_verify: true,
    };
    let text = RemoteKubeconfig::text("we\"st: x", &entrance, "a.b.c");
    let read = RemoteKubeconfig::read(&text).unwrap_or_else(|flaw| panic!("{flaw}"));
    assert_eq!(read.entrance, entrance);
    assert_eq!(read.token.as_ref().map(|token| token.as_str()), Some("a.b.c"));
    assert!(read.refused.is_empty() && !read.has_ca_file && !read.has_proxy);
}

#[test]
fn addresses() {
    let check = |text: &str, expect: Result<&str, &str>| {
        let found = Entrance::url(text);
        assert_eq!(found.as_deref().map_err(|why| *why), expect, "{text}");
    };
    check("https://API.example:6443/", Ok("https://API.example:6443"));
    check("http://10.0.0.1", Ok("http://10.0.0.1"));
    check("api.example", Err("not a URL that begins with https:// or http://"));
    check("https://me:CANARY@api", Err("a URL with a user, which istiod would send to the server"));
    check("https://api/?token=CANARY", Err("a URL with a query"));
    check("https://a b", Err("not a valid URL"));
    let loopback =
        |server: &str| Entrance { server: server.to_owned(), ..Entrance::default() }.is_loopback();
    assert!(loopback("https://127.0.0.1:6443") && loopback("https://[::1]:6443"));
    assert!(loopback("https://localhost") && !loopback("https://10.0.0.1"));
}

#[test]
fn whose_a_secret_is() {
    let check = |label: Option<&str>, managers: &[&str], owners: &[&str], expect: &str| {
        let labels =
            label.map(|value| ("app.kubernetes.io/managed-by".to_owned(), value.to_owned()));
        let metadata = Metadata {
            labels: labels.into_iter().collect(),
            managers: managers.to_vec(),
            owners: owners.iter().map(|&one| one.to_owned()).collect(),
            ..Metadata::default()
        };
        assert_eq!(format!("{:?}", metadata.owner()), expect);
    };
    check(None, &[], &[], "Istioctl");
    check(None, &["kubectl-client-side-apply"], &[], "Istioctl");
    check(Some("meshctl"), &["meshpki.dev/meshctl", "kubectl-edit"], &[], "Meshctl");
    check(
        Some("meshctl"),
        &["argocd-controller"],
        &[],
        r#"Other("field manager argocd-controller")"#,
    );
    check(Some("Helm"), &[], &[], r#"Other("label app.kubernetes.io/managed-by: Helm")"#);
    check(None, &[], &["ExternalSecret/x"], r#"Other("ExternalSecret/x")"#);
}

fn view(pod: &str, status: &str, count: usize) -> View {
    let state = ("istio-system/istio-remote-secret-west".to_owned(), status.to_owned());
    let said = Said {
        clusters: Some([("west".to_owned(), state)].into()),
        endpoints: [("west".to_owned(), count)].into(),
    };
    View { pod: pod.to_owned(), said: Ok(said) }
}

#[test]
fn endpoints_before_and_after() {
    let check = |before: usize, seconds: u64, after: View, expect: &str| {
        let mut watch = Watch::new("west", 10, &[view("a", "synced", before)]);
        match watch.look(seconds, &[after]) {
            Watched::Good { pods } => assert_eq!(format!("{pods:?}"), expect),
            Watched::Wait { missing, lost } => {
                assert_eq!(missing, expect);
                assert_eq!(lost, expect.contains("endpoints"));
            }
        }
    };
    check(20, 10, view("a", "synced", 20), r#"{"a": [20, 20, 20]}"#);
    check(20, 9, view("a", "synced", 20), "9 s of 10 s have passed");
    check(20, 99, view("a", "syncing", 20), "pod a says `syncing`");
    // Churn: a tenth, or two, but not all.
    check(100, 10, view("a", "synced", 90), r#"{"a": [100, 90, 90]}"#);
    check(100, 10, view("a", "synced", 89), "pod a has 89 endpoints, 100 before");
    check(3, 10, view("a", "synced", 1), r#"{"a": [3, 1, 1]}"#);
    check(2, 10, view("a", "synced", 0), "pod a has 0 endpoints, 2 before");
    check(0, 10, view("a", "synced", 0), r#"{"a": [0, 0, 0]}"#);
    // A pod that has come since should have what the others had.
    check(20, 10, view("b", "synced", 0), "pod b has 0 endpoints, 20 before");
    let silent = View { pod: "a".to_owned(), said: Err("refused".to_owned()) };
    check(20, 10, silent, "pod a does not answer: refused");
    let mut watch = Watch::new("west", 0, &[]);
    let missing = "no pod of istiod is ready".to_owned();
    assert_eq!(watch.look(0, &[]), Watched::Wait { missing, lost: false });
    // A gap is remembered.
    let mut watch = Watch::new("west", 0, &[view("a", "synced", 9)]);
    watch.look(1, &[view("a", "syncing", 0)]);
    let pods: BTreeMap<String, [usize; 3]> = [("a".to_owned(), [9, 0, 9])].into();
    assert_eq!(watch.look(2, &[view("a", "synced", 9)]), Watched::Good { pods });
}

#[test]
fn what_istiod_says() {
    let found = clusters(
        br#"[{"id":"east","secretName":"","syncStatus":"synced"},{"id":"west","secretName":"istio-system/x","syncStatus":"timeout"}]"#,
    );
    let found = found.expect("clusters");
    assert_eq!(found["west"], ("istio-system/x".to_owned(), "timeout".to_owned()));
    assert_eq!(clusters(b"[{}]"), None);
    assert_eq!(clusters(b"no"), None);
    let shards = br#"{
        "a.svc": {"ns": {"Shards": {"Kubernetes/west": [{}, {}], "External/west": [{}], "old": [{}]}}},
        "b.svc": {"ns": {"Shards": {"Kubernetes/west": [{}], "Kubernetes/east": null}}, "n": {"Shards": null}}
    }"#;
    let expect = [("east", 0), ("old", 1), ("west", 3)];
    let expect: BTreeMap<String, usize> =
        expect.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(endpoints(shards), Some(expect));
    assert_eq!(endpoints(b"[]"), None);
}
