//! Faults of a `cacerts` secret, fed to a real istiod: it does what `meshpki::istiod` predicts.
//!
//! Modes by the table of `docs/errors.md`'s section on istiod; the release is the rig's, 1.30.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use meshpki::internals::DAY;
use meshpki::istiod::{
    LiveCluster, LiveIstiod, Reload, Secret, Settings, StartOutcome, Version, changes, check_live,
    starts,
};
use meshpki::{Cert, Issuer, KeyType, Name, Profile, Role, Serial, Signer, SoftKey, Stamp, Time};
use serde_json::Value;
use tests::rig::proxy::Node;
use tests::rig::{Cluster, Istio, Kind, kubelet::volume::Files};

const ISTIOD: &str = "app=istiod";
const SOON: Duration = Duration::from_secs(40);

fn now() -> Time {
    meshctl::io::system_time()
}

/// A CA and its key.
struct Ca {
    cert: Cert,
    key: SoftKey,
}

fn stamp(at: Time) -> Stamp {
    let mut random = [0; 20];
    meshpki::internals::fill_random(&mut random);
    Stamp::made_at(at, Serial::from_random(random))
}

fn root(name: &str, change: impl FnOnce(&mut Profile)) -> Ca {
    let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
    let mut profile = Profile::root(name.parse::<Name>().expect("a name"));
    change(&mut profile);
    Ca {
        cert: meshpki::self_signed(&profile, &key, stamp(now().minus(40 * DAY))).expect("a root"),
        key,
    }
}

impl Ca {
    fn below(&self, change: impl FnOnce(&mut Profile)) -> Self {
        self.below_since(now(), change)
    }

    fn below_since(&self, since: Time, change: impl FnOnce(&mut Profile)) -> Self {
        let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
        let mut profile = Profile::cluster("CN=Mesh CA east".parse::<Name>().expect("a name"));
        change(&mut profile);
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let cert = meshpki::issue(&profile, key.public_key(), issuer, stamp(since)).expect("a CA");
        Self { cert, key }
    }

    /// The four files with this CA under these roots.
    fn files(&self, roots: &[&Self]) -> Files {
        let roots: String = roots.iter().map(|root| root.cert.to_pem()).collect();
        let files = [
            ("ca-cert.pem", self.cert.to_pem()),
            ("ca-key.pem", self.key.to_pem().to_string()),
            ("cert-chain.pem", self.cert.to_pem() + &roots),
            ("root-cert.pem", roots),
        ];
        files.map(|(name, text)| (name.to_owned(), text.into_bytes())).into()
    }
}

fn with(mut files: Files, name: &str, content: impl AsRef<[u8]>) -> Files {
    files.insert(name.to_owned(), content.as_ref().to_vec());
    files
}

fn without(mut files: Files, name: &str) -> Files {
    files.remove(name);
    files
}

fn text(files: &Files, name: &str) -> String {
    String::from_utf8(files[name].clone()).expect("PEM")
}

/// A mode of failure: its number, what is wrong, the files.
type Case = (u8, &'static str, Files);

/// Every mode that shows at a start.
fn at_the_start() -> Vec<Case> {
    let (r, other) = (root("CN=Root", |_| {}), root("CN=Other Root", |_| {}));
    let good = r.below(|_| {});
    let files = || good.files(&[&r]);
    let key = text(&files(), "ca-key.pem");
    let glued = |name: &str| {
        let pem = text(&files(), name);
        let twice = pem.clone() + &pem;
        twice
            .replace("-----END CERTIFICATE-----\n-----BEGIN", "-----END CERTIFICATE----------BEGIN")
    };
    let leaf = r.below(|p| p.role = Role::EndEntity);
    let expired = r.below_since(now().minus(20 * DAY), |p| p.validity = 10 * DAY);
    let middle = r.below(|p| p.role = Role::Ca { path_len: Some(0) });
    let too_deep = middle_signs(&middle);
    let sha1 = include_str!("../../fixtures/istio-samples/ca-cert.pem");
    vec![
        (1, "no certificate", without(files(), "ca-cert.pem")),
        (1, "no key", without(files(), "ca-key.pem")),
        (1, "no chain", without(files(), "cert-chain.pem")),
        (1, "no roots", without(files(), "root-cert.pem")),
        (1, "an empty key", with(files(), "ca-key.pem", "")),
        (2, "issued by another root", good.files(&[&other])),
        (2, "a leaf as CA", leaf.files(&[&r])),
        (
            2,
            "the root first in ca-cert.pem",
            with(files(), "ca-cert.pem", r.cert.to_pem() + &good.cert.to_pem()),
        ),
        (3, "the key of another CA", with(files(), "ca-key.pem", other.key.to_pem().as_bytes())),
        (
            3,
            "EC PARAMETERS before the key",
            with(
                files(),
                "ca-key.pem",
                format!(
                    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{key}"
                ),
            ),
        ),
        (
            3,
            "a key that says it is encrypted",
            with(files(), "ca-key.pem", key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        ),
        (
            3,
            "cfssl's label for Ed25519",
            with(files(), "ca-key.pem", key.replace("PRIVATE KEY", "Ed25519 PRIVATE KEY")),
        ),
        (4, "glued roots", with(files(), "root-cert.pem", glued("root-cert.pem"))),
        (4, "a glued chain", with(files(), "cert-chain.pem", glued("cert-chain.pem"))),
        (7, "an intermediate that has expired", expired.files(&[&r])),
        (8, "a sample CA without its root", with(files(), "ca-cert.pem", sha1)),
        (10, "cert-manager's names", tls(&files())),
        (
            10,
            "cert-manager's names, the issuer as ca.crt",
            with(tls(&files()), "ca.crt", good.cert.to_pem()),
        ),
        (10, "cert-manager's names, no key", without(tls(&files()), "tls.key")),
        (11, "a root twice", good.files(&[&r, &r])),
        (
            12,
            "no keyCertSign",
            r.below(|p| p.key_usage = meshpki::x509::KeyUsage::DIGITAL_SIGNATURE).files(&[&r]),
        ),
        (
            12,
            "an extended key usage without serverAuth",
            r.below(|p| p.ext_key_usage = vec![meshpki::Oid::CLIENT_AUTH]).files(&[&r]),
        ),
        (12, "a path length that is too short", too_deep_files(&too_deep, &middle, &r)),
        (0, "nothing wrong", files()),
    ]
}

/// A CA below one that may have none below it, made without asking the library's rules: the same name and key
/// as `middle`, and no path length.
fn middle_signs(middle: &Ca) -> Ca {
    let key = SoftKey::from_pem(middle.key.to_pem().as_bytes(), None).expect("a key");
    let profile = Profile::root(middle.cert.subject().clone());
    let cert = meshpki::self_signed(&profile, &key, stamp(now())).expect("a root");
    Ca { cert, key }.below(|p| {
        p.subject = "CN=Mesh CA below".parse::<Name>().expect("a name");
        p.validity = 30 * DAY;
    })
}

fn too_deep_files(ca: &Ca, middle: &Ca, root: &Ca) -> Files {
    let chain = ca.cert.to_pem() + &middle.cert.to_pem() + &root.cert.to_pem();
    with(ca.files(&[root]), "cert-chain.pem", chain)
}

fn tls(files: &Files) -> Files {
    let names =
        [("tls.crt", "ca-cert.pem"), ("tls.key", "ca-key.pem"), ("ca.crt", "root-cert.pem")];
    names.map(|(new, old)| (new.to_owned(), files[old].clone())).into()
}

fn settings() -> Settings {
    Settings::defaults(Version::new(1, 30, 4))
}

fn secret(files: &Files) -> Secret {
    files.clone().into_iter().collect()
}

#[test]
fn at_a_start_istiod_does_what_is_predicted() {
    let Some(cluster) = Cluster::start("east") else { return };
    cluster.install_istio(&Istio { gateways: vec![], ..Istio::default() });
    for (number, (mode, name, files)) in at_the_start().into_iter().enumerate() {
        let predicted = starts(&secret(&files), &settings(), now());
        cluster.apply_secret("istio-system", "cacerts", &files);
        cluster.restart(Kind::Deployment, "istio-system", "istiod", &number.to_string());
        let log = ended(&cluster, &number.to_string(), &predicted);
        let good = match &predicted {
            StartOutcome::Plugged { .. } => {
                log.contains("Use local CA certificate") && !log.contains("Error:")
            }
            StartOutcome::RefusesToStart { log: words, .. }
            | StartOutcome::SelfSigned { log: words, .. } => log.contains(timeless(words)),
            _ => false,
        };
        assert!(good, "mode {mode}, {name}: predicted `{predicted}`, but istiod said\n{log}");
    }
}

/// What the pod of that restart says once it runs or has given up.
fn ended(cluster: &Cluster, mark: &str, predicted: &StartOutcome) -> String {
    cluster.wait(
        &format!("istiod {mark}, of which it was said that it {predicted}"),
        SOON,
        async || {
            let pods = pods(cluster).await;
            let pod = pods.iter().find(|pod| {
                pod.annotations()
                    .get("kubectl.kubernetes.io/restartedAt")
                    .is_some_and(|at| at == mark)
            })?;
            let log = cluster.pod_log_so_far("istio-system", &pod.name_any())?;
            (log.contains("Error: failed to create") || is_ready(pod)).then_some(log)
        },
    )
}

/// The words without the second they were said in.
fn timeless(words: &str) -> &str {
    words.split(" current time ").next().unwrap_or(words)
}

async fn pods(cluster: &Cluster) -> Vec<Pod> {
    let pods = kube::Api::<Pod>::namespaced(cluster.client(), "istio-system");
    let listing = pods.list(&kube::api::ListParams::default().labels(ISTIOD)).await;
    listing.map(|listing| listing.items).unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
}

#[test]
fn under_a_running_istiod_a_change_does_what_is_predicted() {
    let (r, other) = (root("CN=Root", |_| {}), root("CN=Other Root", |_| {}));
    let good = r.below(|_| {});
    let old = good.files(&[&r]);
    let broken = with(r.below(|_| {}).files(&[&r]), "ca-key.pem", good.key.to_pem().as_bytes());
    let expired = r.below_since(now().minus(20 * DAY), |p| p.validity = 10 * DAY);
    let both = || other.below(|_| {}).files(&[&r, &other]);
    let cases = [
        ("the same root", false, r.below(|_| {}).files(&[&r])),
        ("another root", false, other.below(|_| {}).files(&[&other])),
        ("one root more, ISTIO_MULTIROOT_MESH unset", false, both()),
        ("a key of another certificate", false, broken),
        ("an expired intermediate", false, expired.files(&[&r])),
        ("one root more, ISTIO_MULTIROOT_MESH=true", true, both()),
        ("another root, ISTIO_MULTIROOT_MESH=true", true, other.below(|_| {}).files(&[&other])),
    ];
    let Some(cluster) = Cluster::start("east") else { return };
    cluster.apply_object(&tests::rig::istio::namespace("istio-system"));
    for (number, (name, multi_root, new)) in cases.into_iter().enumerate() {
        let settings = settings().with_multi_root(multi_root);
        cluster.apply_secret("istio-system", "cacerts", &old);
        let env = vec![("ISTIO_MULTIROOT_MESH".to_owned(), multi_root.to_string())];
        cluster.install_istio(&Istio { gateways: vec![], env, ..Istio::default() });
        let mark = number.to_string();
        cluster.restart(Kind::Deployment, "istio-system", "istiod", &mark);
        cluster.rolled_out(Kind::Deployment, "istio-system", "istiod");
        let change = changes(&secret(&old), &secret(&new), &settings, now());
        let words = match &change.reload {
            Reload::HotReload { log } => (*log).to_owned(),
            Reload::KeepsOld { log } => log.clone(),
            other => panic!("{name}: {other:?}"),
        };
        cluster.apply_secret("istio-system", "cacerts", &new);
        let log = cluster.wait(&format!("{name}: istiod to say `{words}`"), SOON, async || {
            let pods = pods(&cluster).await;
            let pod = pods.iter().find(|pod| is_ready(pod))?;
            let log = cluster.pod_log_so_far("istio-system", &pod.name_any())?;
            log.contains(timeless(&words)).then_some(log)
        });
        let reloaded = log.contains("Istiod has detected the newly added intermediate CA");
        assert_eq!(reloaded, matches!(change.reload, Reload::HotReload { .. }), "{name}: {log}");
    }
}

/// Mode 6: a secret that comes after istiod has made a CA of its own is not even looked at.
#[test]
fn a_first_secret_under_a_running_istiod_changes_nothing() {
    let Some(cluster) = Cluster::start("east") else { return };
    cluster.install_istio(&Istio { gateways: vec![], ..Istio::default() });
    let given = || cluster.config_map_key("default", "istio-ca-root-cert", "root-cert.pem");
    let before = given();
    let r = root("CN=Root", |_| {});
    let files = r.below(|_| {}).files(&[&r]);
    let change = changes(&Secret::default(), &secret(&files), &settings(), now());
    assert!(matches!(change.reload, Reload::NeedsRestart { .. }), "{change:?}");
    cluster.apply_secret("istio-system", "cacerts", &files);
    // Ten times what the rig's kubelet takes.
    std::thread::sleep(Duration::from_secs(10));
    assert_eq!(given(), before);
    cluster.restart(Kind::Deployment, "istio-system", "istiod", "now");
    cluster.rolled_out(Kind::Deployment, "istio-system", "istiod");
    cluster.wait("the new root is given out", SOON, async || {
        let maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap> =
            kube::Api::namespaced(cluster.client(), "default");
        let map = maps.get("istio-ca-root-cert").await.ok()?;
        (map.data?.get("root-cert.pem")? == &r.cert.to_pem()).then_some(())
    });
}

/// Mode 9: the domains istiod tells its proxies to accept are those it is predicted to.
#[test]
fn trust_domains_are_accepted_as_predicted() {
    let pem = root("CN=Root", |_| {}).cert.to_pem().replace('\n', "\n    ");
    let by_ca = format!(
        "trustDomain: east.example\ncaCertificates:\n- trustDomains: [west.example]\n  pem: |\n    {pem}\n"
    );
    let aliases = "trustDomain: east.example\ntrustDomainAliases: [west.example]\n";
    let rendered = trust_rendered();
    let cases = [
        ("nothing but its own", "trustDomain: east.example\n", false),
        ("an alias", aliases, false),
        ("a CA for the domain", by_ca.as_str(), false),
        ("what `trust render` says", rendered.as_str(), false),
        ("no validation", "trustDomain: east.example\n", true),
    ];
    let Some(cluster) = Cluster::start("east") else { return };
    for (number, (name, mesh, skip)) in cases.into_iter().enumerate() {
        let env = vec![("PILOT_SKIP_VALIDATE_TRUST_DOMAIN".to_owned(), skip.to_string())];
        let istio = Istio { gateways: vec![], mesh: mesh.to_owned(), env, ..Istio::default() };
        cluster.install_istio(&istio);
        cluster.restart(Kind::Deployment, "istio-system", "istiod", &format!("domains {number}"));
        cluster.rolled_out(Kind::Deployment, "istio-system", "istiod");
        let accepted = accepted_domains(&cluster);
        for domain in ["east.example", "west.example", "other.example"] {
            let found = accepted.as_ref().is_none_or(|all| all.iter().any(|one| one == domain));
            assert_eq!(found, predicted(mesh, skip, domain), "{name}, {domain}: {accepted:?}");
        }
    }
}

/// The `meshConfig` of `meshctl trust render` for a cluster that has to accept west.example.
fn trust_rendered() -> String {
    let shell = tests::Shell::new();
    let spec = "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n\
                - {name: east, istioVersion: 1.30.3, trustDomain: east.example}\n\
                - {name: west, istioVersion: 1.30.3, trustDomain: west.example}\n";
    std::fs::write(shell.scratch.join("mesh.yaml"), spec).expect("a spec");
    shell.good("ca init @/ca -f @/mesh.yaml --plain-root-key");
    let said = shell.good("trust render @/ca -f @/mesh.yaml --cluster east");
    let values = meshconfig::resource::documents(&said).expect("YAML").remove(0);
    meshconfig::resource::yaml(&values["meshConfig"])
}

/// Whether `istiod::check_live` has nothing against calls from a cluster of that trust domain.
fn predicted(mesh: &str, skip_validation: bool, domain: &str) -> bool {
    let config = meshapply::kube::MeshConfig::parse(mesh);
    let mut istiod = LiveIstiod::new("default", settings());
    istiod.skip_validation = skip_validation;
    let cluster = |name, trust_domain: &str| {
        let mut cluster = LiveCluster::new(name);
        cluster.istiods = vec![istiod.clone()];
        trust_domain.clone_into(&mut cluster.trust_domain);
        cluster.aliases.clone_from(&config.aliases);
        cluster.ca_domains.clone_from(&config.ca_domains);
        cluster
    };
    let both = [cluster("east", config.trust_domain()), cluster("caller", domain)];
    let fails = |effect: &str| effect.contains("calls from caller to east fail");
    !check_live(&both, now()).iter().any(|problem| fails(&problem.effect))
}

/// Trust domains in what a sidecar's inbound listener asks of a peer's identity; `None`: nothing is asked.
fn accepted_domains(cluster: &Cluster) -> Option<Vec<String>> {
    let pods = cluster.block_on(pods(cluster));
    let stays = |pod: &&Pod| is_ready(pod) && pod.metadata.deletion_timestamp.is_none();
    let istiod = pods.iter().find(stays).expect("an istiod").name_any();
    let node = Node {
        kind: "sidecar",
        address: "10.0.0.9".to_owned(),
        pod: "called-1".to_owned(),
        namespace: "default".to_owned(),
        labels: vec![("app".to_owned(), "called".to_owned())],
        routes: vec![],
        endpoints: vec![],
    };
    let proxy = cluster.connect_proxy(&istiod, &node);
    let inbound = |dump: &Value| dump.to_string().contains("virtualInbound");
    let dump = proxy.dump("the inbound listener", inbound).to_string();
    let asked = dump.split("\"prefix\":\"spiffe://").skip(1);
    let mut domains: Vec<String> =
        asked.filter_map(|rest| Some(rest.split('/').next()?.to_owned())).collect();
    domains.sort();
    domains.dedup();
    (!domains.is_empty()).then_some(domains)
}
