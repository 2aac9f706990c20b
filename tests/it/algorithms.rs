//! Signature algorithms and keys: a real istiod starts with a CA, or refuses to, as `meshpki::istiod::starts` says.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use meshpki::Time;
use meshpki::istiod::{Secret, Settings, StartOutcome, Version, starts};
use tests::Scratch;
use tests::judges::openssl::{Openssl, openssl};
use tests::rig::ca::Root;
use tests::rig::kubelet::volume::Files;
use tests::rig::{Cluster, Istio, Kind, wait};

/// A root that signs the CA of a cluster.
struct Row {
    name: &'static str,
    /// `openssl genpkey` for the root's key.
    root: &'static str,
    /// The same for the CA's key.
    ca: &'static str,
    /// How the root signs, itself and the CA.
    sign: &'static str,
    /// Whether istiod starts.
    starts: bool,
}

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";

const fn row(
    name: &'static str,
    root: &'static str,
    ca: &'static str,
    sign: &'static str,
    starts: bool,
) -> Row {
    Row { name, root, ca, sign, starts }
}

const ROWS: [Row; 21] = [
    row("rsa md5", RSA, P256, "-md5", false),
    row("rsa sha1", RSA, P256, "-sha1", false),
    row("rsa sha224", RSA, P256, "-sha224", false),
    row("rsa sha512", RSA, P256, "-sha512", true),
    row("rsa sha3", RSA, P256, "-sha3-256", false),
    row(
        "pss sha256",
        RSA,
        P256,
        "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
        true,
    ),
    row(
        "pss salt 20",
        RSA,
        P256,
        "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20",
        false,
    ),
    row(
        "pss mgf1 sha1",
        RSA,
        P256,
        "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha1",
        false,
    ),
    row("ecdsa sha1", P256, P256, "-sha1", false),
    row("ecdsa sha224", P256, P256, "-sha224", false),
    row("ecdsa sha512", P256, P256, "-sha512", true),
    row("root of P-224", "-algorithm EC -pkeyopt ec_paramgen_curve:P-224", P256, "-sha256", true),
    row("root of P-521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521", P256, "-sha512", true),
    row(
        "root of secp256k1",
        "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        P256,
        "-sha256",
        false,
    ),
    row(
        "root of brainpool",
        "-algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1",
        P256,
        "-sha256",
        false,
    ),
    row("root of Ed25519", "-algorithm ED25519", P256, "", true),
    row("root of Ed448", "-algorithm ED448", P256, "", false),
    row("CA of P-224", P256, "-algorithm EC -pkeyopt ec_paramgen_curve:P-224", "-sha256", true),
    row("CA of RSA 1024", P256, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "-sha256", true),
    row("CA of Ed25519", P256, "-algorithm ED25519", "-sha256", true),
    row(
        "CA of secp256k1",
        P256,
        "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
        "-sha256",
        false,
    ),
];

#[test]
fn istiod_starts_as_we_say() {
    let (Some(openssl), Some(cluster)) = (openssl(), Cluster::start("east")) else { return };
    cluster.apply_object(&tests::rig::istio::namespace("istio-system"));
    cluster.apply_secret("istio-system", "cacerts", &Root::new("Rig Root").cacerts("east"));
    cluster.install_istio(&Istio::default());
    let mut wrong = String::new();
    for row in &ROWS {
        let files = row.files(&openssl);
        let said = restated(&files);
        cluster.apply_secret("istio-system", "cacerts", &files);
        let found = restarted(&cluster, row.name);
        if (said.is_ok(), found.is_ok()) != (row.starts, row.starts) {
            let _ = writeln!(wrong, "{}\n  ours: {said:?}\n  istiod: {found:?}", row.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

impl Row {
    /// The files of a cluster, made by OpenSSL.
    fn files(&self, openssl: &Openssl) -> Files {
        let scratch = Scratch::new();
        scratch.write(
            "conf",
            "[req]\ndistinguished_name = dn\n[dn]\n[ca]\nbasicConstraints = critical,CA:TRUE\n\
             keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n",
        );
        let run = |command: String| openssl.good(&scratch, &command);
        run(format!("genpkey {} -out root-key.pem", self.root));
        run(format!("genpkey {} -out ca-key.pem", self.ca));
        let sign = self.sign;
        run(format!(
            "req -config conf -x509 -new -key root-key.pem -subj /CN=Root -days 30 -extensions ca {sign} -out root-cert.pem"
        ));
        run("req -config conf -new -key ca-key.pem -subj /CN=East -out ca.csr".to_owned());
        run(format!(
            "x509 -req -in ca.csr -CA root-cert.pem -CAkey root-key.pem -set_serial 2 -days 20 -extfile conf -extensions ca {sign} -out ca-cert.pem"
        ));
        let read = |name: &str| std::fs::read(scratch.join(name)).expect("a file");
        let chain = [read("ca-cert.pem"), read("root-cert.pem")].concat();
        let mut files = Files::new();
        for name in ["ca-cert.pem", "ca-key.pem", "root-cert.pem"] {
            files.insert(name.to_owned(), read(name));
        }
        files.insert("cert-chain.pem".to_owned(), chain);
        files
    }
}

/// What we say of a start.
fn restated(files: &Files) -> Result<(), String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = Time(i64::try_from(since.as_secs()).expect("a time"));
    let secret: Secret = files.clone().into_iter().collect();
    match starts(&secret, &Settings::defaults(Version::NEWEST), now) {
        StartOutcome::Plugged { .. } => Ok(()),
        other => Err(other.to_string()),
    }
}

/// What a new pod of istiod does: it becomes ready, or it ends with this log.
fn restarted(cluster: &Cluster, mark: &str) -> Result<(), String> {
    cluster.restart(Kind::Deployment, "istio-system", "istiod", mark);
    cluster.wait(mark, wait::LONG, async || {
        let pods = Api::<Pod>::namespaced(cluster.client(), "istio-system");
        let labels = kube::api::ListParams::default().labels("app=istiod");
        let list = pods.list(&labels).await.ok()?;
        let is_new = |pod: &&Pod| {
            let marked = pod.annotations().get("kubectl.kubernetes.io/restartedAt");
            marked.is_some_and(|found| found == mark)
        };
        let pod = list.items.iter().find(is_new)?;
        let status = pod.status.as_ref()?;
        let container = status.container_statuses.as_ref()?.first()?;
        if container.ready {
            return Some(Ok(()));
        }
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let has_ended = waiting.reason.as_deref() == Some("CrashLoopBackOff");
        has_ended.then(|| {
            let log = cluster.pod_log_so_far("istio-system", &pod.name_any()).unwrap_or_default();
            Err(log.lines().filter(|line| line.contains("istiod CA")).collect())
        })
    })
}
