//! Clusters, gateways and the settings of the whole mesh.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::IpNet;
use meshpki::TrustDomainError;
use meshpki::istiod::Version;

use super::{Gateway, MeshCluster};
use crate::error::{Error, Fault};
use crate::spec::{self, DnsWay, Spec};
use crate::text::{domain_problem, label_problem};

/// The oldest supported release.
const OLDEST: Version = Version::new(1, 6, 0);
/// Networks from which Istio's own allocator takes addresses (`PILOT_IP_AUTOALLOCATE_IPV4_PREFIX` and its kind).
const ISTIOS: [&str; 2] = ["240.240.0.0/16", "2001:2::/48"];

/// Checks the mesh's name and DNS suffix; returns the pool.
pub(super) fn frame(spec: &Spec, errors: &mut Vec<Error>) -> IpNet {
    name("name", "mesh name", &spec.name, label_problem(&spec.name), errors);
    let suffix = spec.dns.suffix.trim_matches('.');
    let why = domain_problem(suffix).or_else(|| {
        let domains = spec.clusters.iter().map(|cluster| cluster.cluster_domain.as_str());
        let hides = |domain: &str| {
            domain == suffix
                || suffix.ends_with(&format!(".{domain}"))
                || domain.ends_with(&format!(".{suffix}"))
        };
        domains.into_iter().any(hides).then_some("it hides the names of a cluster's own services")
    });
    if let Some(why) = why {
        let fault = Fault::DnsSuffix { suffix: spec.dns.suffix.clone(), why };
        errors.push(Error::new("dns.suffix", fault));
    }
    pool(&spec.addresses.pool).unwrap_or_else(|fault| {
        errors.push(Error::new("addresses.pool", fault));
        IpNet::default()
    })
}

fn pool(text: &str) -> Result<IpNet, Fault> {
    let expected = "a network, such as 240.0.0.0/16 or fd00:240::/112";
    let pool: IpNet = text.parse().map_err(|_unused| Fault::Value {
        what: "address pool",
        found: text.into(),
        expected,
    })?;
    let bad = |why| Err(Fault::AddressPool { pool: text.into(), why });
    let first = pool.network();
    if first.is_multicast() {
        return bad("its addresses are multicast addresses");
    }
    if first.is_loopback() || first.is_unspecified() {
        return bad("its addresses are loopback addresses");
    }
    let bits = pool.max_prefix_len() - pool.prefix_len();
    if bits < 2 {
        return bad("it has fewer than four addresses");
    }
    let istios = ISTIOS.iter().filter_map(|net| net.parse::<IpNet>().ok());
    for net in istios {
        if net.contains(&pool) || pool.contains(&net) {
            return bad("Istio's own allocator uses the same network");
        }
    }
    Ok(pool.trunc())
}

/// Every cluster with its defaults, sorted by name.
pub(super) fn resolve(spec: &Spec, errors: &mut Vec<Error>) -> Vec<MeshCluster> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let mut clusters = Vec::new();
    if spec.clusters.is_empty() {
        errors.push(Error::new(
            "clusters",
            Fault::Needs { what: "the mesh".into(), needs: "a cluster" },
        ));
    }
    for (at, cluster) in spec.clusters.iter().enumerate() {
        if let Some(before) = first.get(cluster.name.as_str()) {
            errors.push(duplicate(
                &format!("clusters[{at}].name"),
                "cluster",
                &cluster.name,
                format!("clusters[{before}]"),
            ));
            continue;
        }
        first.insert(&cluster.name, at);
        match one(cluster, at, errors) {
            Ok(cluster) => clusters.push(cluster),
            Err(error) => errors.push(error),
        }
    }
    clusters.sort_by(|a: &MeshCluster, b| a.name.cmp(&b.name));
    for (index, cluster) in clusters.iter_mut().enumerate() {
        cluster.index = index;
    }
    clusters
}

pub(super) fn duplicate(path: &str, what: &'static str, name: &str, first: String) -> Error {
    Error::new(path, Fault::Duplicate { what, name: name.into(), first })
}

/// Reports a name that breaks a rule.
pub(super) fn name(
    path: impl Into<String>,
    what: &'static str,
    found: &str,
    why: Option<&'static str>,
    errors: &mut Vec<Error>,
) {
    if let Some(why) = why {
        errors.push(Error::new(path, Fault::Name { what, found: found.into(), why }));
    }
}

fn one(
    cluster: &spec::ClusterSpec,
    at: usize,
    errors: &mut Vec<Error>,
) -> Result<MeshCluster, Error> {
    let path = |field: &str| format!("clusters[{at}].{field}");
    name(path("name"), "cluster name", &cluster.name, label_problem(&cluster.name), errors);
    let domain = &cluster.cluster_domain;
    name(path("clusterDomain"), "cluster domain", domain, domain_problem(domain), errors);
    for (field, namespace) in [
        ("istioNamespace", Some(&cluster.istio_namespace)),
        ("importNamespace", cluster.import_namespace.as_ref()),
    ] {
        if let Some(namespace) = namespace {
            name(path(field), "namespace", namespace, label_problem(namespace), errors);
        }
    }
    let version =
        version(&cluster.istio_version).map_err(|fault| Error::new(path("istioVersion"), fault))?;
    let trust_domain = cluster.trust_domain.parse().map_err(|error: TrustDomainError| {
        let why = error.why().to_string();
        Error::new(
            path("trustDomain"),
            Fault::TrustDomain { found: cluster.trust_domain.clone(), why },
        )
    })?;
    let rewrites = version < Version::new(1, 8, 0);
    let dns = cluster.dns.as_ref();
    if let Some(address) = dns.and_then(|dns| dns.address.as_ref())
        && address.parse::<IpAddr>().is_err()
    {
        let fault =
            Fault::Value { what: "address", found: address.clone(), expected: "an IP address" };
        errors.push(Error::new(path("dns.address"), fault));
    }
    Ok(MeshCluster {
        index: 0,
        at,
        name: cluster.name.clone(),
        context: cluster.context.clone().unwrap_or_else(|| cluster.name.clone()),
        trust_domain,
        ambient: cluster.ambient,
        network: cluster.network.clone().unwrap_or_else(|| cluster.name.clone()),
        version,
        import_namespace: cluster
            .import_namespace
            .clone()
            .unwrap_or_else(|| cluster.istio_namespace.clone()),
        istio_namespace: cluster.istio_namespace.clone(),
        domain: cluster.cluster_domain.clone(),
        remote_secrets: cluster.remote_secrets,
        stock_multi_cluster: cluster.stock_multi_cluster,
        gateway: cluster
            .gateway
            .as_ref()
            .map(|gateway| self::gateway(gateway, cluster, at, rewrites, errors)),
        dns: dns.map_or(if rewrites { DnsWay::IstioCoredns } else { DnsWay::Proxy }, |dns| dns.way),
        dns_address: dns.and_then(|dns| dns.address.clone()),
        dns_config_map: dns.and_then(|dns| config_map(dns, at, errors)),
    })
}

/// Namespace and name of the ConfigMap a cluster's DNS reads.
fn config_map(
    dns: &spec::ClusterDns,
    at: usize,
    errors: &mut Vec<Error>,
) -> Option<(String, String)> {
    let found = dns.config_map.as_ref()?;
    let place = found.split_once('/').filter(|(namespace, name)| {
        label_problem(namespace).is_none() && domain_problem(name).is_none()
    });
    if place.is_none() {
        let expected = "NAMESPACE/NAME, such as kube-system/coredns";
        let fault = Fault::Value { what: "ConfigMap", found: found.clone(), expected };
        errors.push(Error::new(format!("clusters[{at}].dns.configMap"), fault));
    }
    place.map(|(namespace, name)| (namespace.into(), name.into()))
}

fn version(text: &str) -> Result<Version, Fault> {
    let expected = "a release of Istio, such as 1.30.3";
    let version = text.parse::<Version>().ok().ok_or(Fault::Value {
        what: "Istio version",
        found: text.into(),
        expected,
    })?;
    if version < OLDEST {
        return Err(Fault::Version { found: text.into() });
    }
    Ok(version)
}

fn gateway(
    gateway: &spec::GatewaySpec,
    cluster: &spec::ClusterSpec,
    at: usize,
    rewrites: bool,
    errors: &mut Vec<Error>,
) -> Gateway {
    for (i, address) in gateway.addresses.iter().enumerate() {
        let all_digits = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let is_host = domain_problem(address).is_none()
            && !address.rsplit('.').next().is_some_and(all_digits);
        if address.parse::<IpAddr>().is_err() && !is_host {
            let has_port = address.split_once(':').is_some_and(|(_, port)| all_digits(port));
            let expected = if has_port {
                "an IP address or a DNS name; its port is `port`, next to `addresses`"
            } else {
                "an IP address or a DNS name"
            };
            let fault = Fault::Value { what: "gateway address", found: address.clone(), expected };
            errors.push(Error::new(format!("clusters[{at}].gateway.addresses[{i}]"), fault));
        }
    }
    for (field, port) in [("port", gateway.port), ("targetPort", gateway.target_port)] {
        if port == 0 {
            let fault = Fault::Value { what: "port", found: "0".into(), expected: "1 to 65535" };
            errors.push(Error::new(format!("clusters[{at}].gateway.{field}"), fault));
        }
    }
    let mut addresses = gateway.addresses.clone();
    addresses.sort();
    addresses.dedup();
    let label = if rewrites { "ingressgateway" } else { "eastwestgateway" };
    Gateway {
        addresses,
        port: gateway.port,
        target_port: gateway.target_port,
        selector: gateway
            .selector
            .clone()
            .unwrap_or_else(|| [("istio".into(), label.into())].into()),
        namespace: gateway.namespace.clone().unwrap_or_else(|| cluster.istio_namespace.clone()),
    }
}
