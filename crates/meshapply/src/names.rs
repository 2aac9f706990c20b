//! Names this crate reads and writes in clusters.

/// Our name in server-side apply.
pub const FIELD_MANAGER: &str = "meshpki.dev/meshctl";
/// Our former name there; Gloo's command line has the same.
pub const OLD_FIELD_MANAGER: &str = "meshctl";
/// Label of what is ours, and its value.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "meshctl");
/// The namespace of istiod where none is given.
pub const ISTIO_NAMESPACE: &str = "istio-system";
/// The secret istiod reads (`manifests/charts/istio-control/istio-discovery/templates/deployment.yaml`).
pub const CACERTS: &str = "cacerts";
/// Where istiod keeps the CA that it made for itself (`security/pkg/pki/ca/ca.go: CASecret`).
pub const OWN_CA: &str = "istio-ca-secret";
/// Where the secret that was replaced is kept for `meshctl rollback`.
pub const PREVIOUS: &str = "meshctl-cacerts-previous";
/// The ConfigMap with the roots of workloads, one in every namespace (`namespacecontroller.go`).
pub const ROOT_CONFIG_MAP: &str = "istio-ca-root-cert";
/// Its key.
pub const ROOT_CONFIG_MAP_KEY: &str = "root-cert.pem";
/// The ConfigMap with the CRLs of workloads, one in every namespace (`namespacecontroller.go: CRLNamespaceConfigMap`).
pub const CRL_CONFIG_MAP: &str = "istio-ca-crl";
/// Its key.
pub const CRL_CONFIG_MAP_KEY: &str = "ca-crl.pem";
/// The ClusterTrustBundle in which istiod keeps the roots instead, with `ENABLE_CLUSTER_TRUST_BUNDLE_API`
/// (`pilot/pkg/trustbundle`, `pkg/config/constants`).
pub const ROOT_TRUST_BUNDLE: &str = "istio.io:istiod-ca:root-cert";
/// Annotation of a pod template: mark of the write its pods were last restarted for.
pub const RESTARTED_FOR: &str = "meshpki.dev/restarted-for";
/// Annotation of our secrets: mark of the write, which begins with the fingerprint of the content.
pub const MARK: &str = "meshpki.dev/mark";
/// Annotation of our secrets: what must restart for the content, as `gateways,istiod`.
pub const RESTART: &str = "meshpki.dev/restart";
/// Annotation in which `kubectl apply` keeps a copy of all it sent, keys of a secret included.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Port of istiod that serves TLS: XDS and certificate signing.
pub const ISTIOD_TLS_PORT: u16 = 15012;
/// The audience of tokens istiod accepts (`TOKEN_AUDIENCES`, default `istio-ca`).
pub const TOKEN_AUDIENCE: &str = "istio-ca";
/// Namespaces istiod leaves alone (`pkg/kube/inject/initializer.go: IgnoredNamespaces`).
pub const IGNORED_NAMESPACES: [&str; 4] =
    ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];
