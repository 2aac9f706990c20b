//! Which release istiod is and how it is set: from its Deployment, as its pods will have it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::api::{Api, ListParams};
use meshpki::internals::{DAY, go_duration};
use meshpki::istiod::{Settings, Version};

use super::{Kube, ask};
use crate::error::Error;
use crate::workload::{Id, Kind};

/// An istiod and what decides what it does with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Istiod {
    /// Its Deployment.
    pub id: Id,
    /// Its revision, `default` where it has none.
    pub revision: String,
    /// Its release and settings.
    pub settings: Settings,
    /// `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`: identities of every trust domain are accepted. Default false.
    pub skip_validation: bool,
    /// `PILOT_ENABLE_AMBIENT`: ztunnel may connect. Default false.
    pub ambient: bool,
    /// `ENABLE_CLUSTER_TRUST_BUNDLE_API`: the roots are in a ClusterTrustBundle instead of a ConfigMap in every namespace.
    /// Default false.
    pub trust_bundle: bool,
    /// `MAX_WORKLOAD_CERT_TTL`: the longest life that a workload may ask for. Default 90 days.
    pub longest_life: Duration,
    /// `CLUSTER_ID`: the cluster it says it is in; `None`: not set, or the `Kubernetes` of a single cluster.
    pub cluster_id: Option<String>,
    /// `PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS`: what remote secrets may have besides tokens. Default none.
    pub kubeconfig_options: Vec<String>,
}

/// The label that istiod's Deployments and pods have in every release.
const LABEL: &str = "app=istiod";

/// The Deployments of every revision.
pub(super) async fn deployments(kube: &Kube) -> Result<Vec<Deployment>, Error> {
    let namespace = kube.namespace();
    let api: Api<Deployment> = Api::namespaced(kube.client.clone(), namespace);
    let what = || format!("list the deployments of istiod in {namespace}");
    let params = ListParams::default().labels(LABEL);
    Ok(ask(what, || api.list(&params)).await?.items)
}

/// What they are, sorted by name.
pub(super) fn all(kube: &Kube, deployments: &[Deployment]) -> Result<Vec<Istiod>, Error> {
    let found = deployments.iter().map(|one| istiod(one, kube.options.istio_version));
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// Reads every revision's.
pub(super) async fn read(kube: &Kube) -> Result<Vec<Istiod>, Error> {
    all(kube, &deployments(kube).await?)
}

fn istiod(deployment: &Deployment, known: Option<Version>) -> Result<Istiod, Error> {
    let labels = deployment.metadata.labels.clone().unwrap_or_default();
    let discovery = discovery(deployment);
    let version = release(deployment, known)
        .ok_or_else(|| Error::IstioVersion { from: format!("image {}", image(discovery)) })?;
    Ok(Istiod {
        id: Id {
            namespace: deployment.metadata.namespace.clone().unwrap_or_default(),
            kind: Kind::Deployment,
            name: deployment.metadata.name.clone().unwrap_or_default(),
        },
        revision: labels.get("istio.io/rev").cloned().unwrap_or_else(|| "default".to_owned()),
        settings: settings(version, discovery),
        skip_validation: flag(discovery, "PILOT_SKIP_VALIDATE_TRUST_DOMAIN", false),
        ambient: flag(discovery, "PILOT_ENABLE_AMBIENT", false),
        trust_bundle: flag(discovery, "ENABLE_CLUSTER_TRUST_BUNDLE_API", false),
        longest_life: variable(discovery, "MAX_WORKLOAD_CERT_TTL")
            .and_then(life)
            .unwrap_or(LONGEST_LIFE),
        cluster_id: variable(discovery, "CLUSTER_ID")
            .filter(|id| !matches!(*id, "" | "Kubernetes"))
            .map(str::to_owned),
        kubeconfig_options: options(discovery),
    })
}

/// The release: the one known, else what the image's tag or the label says.
pub(super) fn release(deployment: &Deployment, known: Option<Version>) -> Option<Version> {
    let labels = deployment.metadata.labels.as_ref();
    let version = |text: &str| text.parse::<Version>().ok();
    let label = || version(labels?.get("app.kubernetes.io/version")?);
    let image = image(discovery(deployment));
    known.or_else(|| tag(image).and_then(version)).or_else(label)
}

/// The container that runs istiod.
fn discovery(deployment: &Deployment) -> Option<&Container> {
    let containers = &deployment.spec.as_ref()?.template.spec.as_ref()?.containers;
    containers.iter().find(|container| container.name == "discovery").or(containers.first())
}

fn image(container: Option<&Container>) -> &str {
    container.and_then(|container| container.image.as_deref()).unwrap_or_default()
}

/// `1.30.3` of `docker.io/istio/pilot:1.30.3@sha256:..`.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, last) = name.rsplit_once('/').unwrap_or(("", name));
    last.split_once(':').map(|(_, tag)| tag)
}

/// The defaults of the release, and what the container's environment says.
fn settings(version: Version, container: Option<&Container>) -> Settings {
    let mut settings = Settings::defaults(version);
    for (name, setting) in [
        ("ISTIO_MULTIROOT_MESH", &mut settings.multi_root),
        ("AUTO_RELOAD_PLUGIN_CERTS", &mut settings.auto_reload),
        ("PILOT_ENABLE_CA_CRL", &mut settings.crl),
        ("USE_CACERTS_FOR_SELF_SIGNED_CA", &mut settings.cacerts_for_self_signed),
    ] {
        *setting = flag(container, name, *setting);
    }
    settings
}

/// Names separated by commas, as istiod takes them: without trimming (`pilot/pkg/features/pilot.go`).
fn options(container: Option<&Container>) -> Vec<String> {
    let text = variable(container, "PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS");
    let names = text.unwrap_or_default().split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// A flag of the container's environment, as istiod reads it.
fn flag(container: Option<&Container>, name: &str, default: bool) -> bool {
    variable(container, name).and_then(go_bool).unwrap_or(default)
}

/// The value of a variable of the container.
fn variable<'a>(container: Option<&'a Container>, name: &str) -> Option<&'a str> {
    let variables = container?.env.as_ref()?;
    variables.iter().find(|variable| variable.name == name)?.value.as_deref()
}

/// `MAX_WORKLOAD_CERT_TTL` if it is not set (`pilot/pkg/features/security.go`).
const LONGEST_LIFE: Duration = Duration::from_secs(90 * DAY.as_secs());

/// A length of time by `time.ParseDuration`; one that is not positive leaves the default.
fn life(text: &str) -> Option<Duration> {
    let nanoseconds = u64::try_from(go_duration(text).ok()?).ok()?;
    Some(Duration::from_nanos(nanoseconds)).filter(|life| !life.is_zero())
}

/// `strconv.ParseBool`; what it does not read leaves the default (`istio pkg/env/var.go`).
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(life(text).map(|life| life.as_secs()), expect, "{text}");
        };
        check("2160h0m0s", Some(7_776_000));
        check("1.5h", Some(5_400));
        check("90s", Some(90));
        for text in ["", "0s", "90", "h", "1d", "-1h", "1h 2m"] {
            check(text, None);
        }
    }

    #[test]
    fn the_tag_of_an_image() {
        let check = |image: &str, expect: Option<&str>| assert_eq!(tag(image), expect, "{image}");
        check("docker.io/istio/pilot:1.30.3", Some("1.30.3"));
        check("registry:5000/istio/pilot:1.6.4-distroless", Some("1.6.4-distroless"));
        check("registry:5000/istio/pilot", None);
        check("istio/pilot@sha256:00", None);
        check("istio/pilot:1.27.0@sha256:00", Some("1.27.0"));
        check("pilot:1.27.0", Some("1.27.0"));
        check("", None);
    }
}
