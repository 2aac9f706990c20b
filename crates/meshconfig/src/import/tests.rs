use alloc::vec;

use super::*;

/// A TrafficPolicy and a VirtualMesh of Service Mesh Hub's documentation.
const SEED: &str = "
apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {namespace: service-mesh-hub, name: simple}
spec:
  destinationSelector:
  - kubeServiceRefs:
      services:
      - {clusterName: cluster1, name: reviews, namespace: default}
  trafficShift:
    destinations:
    - {kubeService: {clusterName: cluster2, name: reviews, namespace: default, subset: {version: v3}}, weight: 75}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v1}}, weight: 15}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v2}}, weight: 10}
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: VirtualMesh
metadata: {name: virtual-mesh, namespace: service-mesh-hub}
spec:
  mtlsConfig: {autoRestartPods: true, shared: {rootCertificateAuthority: {generated: {}}}}
  federation: {permissive: {}}
  meshes:
  - {name: istiod-istio-system-cluster1, namespace: service-mesh-hub}
  - {name: istiod-istio-system-cluster2, namespace: service-mesh-hub}
";

fn lost(imported: &Imported) -> Vec<String> {
    imported.lost.iter().map(|lost| format!("{}|{}", lost.resource, lost.field)).collect()
}

#[test]
fn a_traffic_policy() {
    let imported = import(&[SEED], "1.7.3").unwrap();
    let policy = &imported.spec.policies[0];
    assert_eq!((policy.name.as_str(), policy.service.as_str()), ("simple", "default/reviews"));
    assert_eq!(policy.clients, ["cluster1"]);
    let route: Vec<(&str, &str, u32)> = policy
        .route
        .iter()
        .map(|s| (s.cluster.as_str(), s.subset.as_deref().unwrap(), s.weight))
        .collect();
    assert_eq!(
        route,
        [
            ("cluster2", "version-v3", 75),
            ("cluster1", "version-v1", 15),
            ("cluster1", "version-v2", 10)
        ]
    );
    let services: Vec<(&str, Vec<&str>)> = imported
        .spec
        .services
        .iter()
        .map(|s| (s.cluster.as_str(), s.imported_by.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(services, [("cluster1", vec!["cluster2"]), ("cluster2", vec!["cluster1"])]);
    assert_eq!(
        lost(&imported),
        [
            "|clusters cluster1: gateway.addresses",
            "|clusters cluster1: trustDomain",
            "|clusters cluster2: gateway.addresses",
            "|clusters cluster2: trustDomain",
            "|services default/reviews on cluster1: ports",
            "|services default/reviews on cluster2: ports",
            "VirtualMesh service-mesh-hub/virtual-mesh|spec.mtlsConfig",
        ]
    );
    // The spec, written and read again, is the same.
    assert_eq!(Spec::read(&imported.spec.yaml()).unwrap(), imported.spec);
}

#[test]
fn every_field_is_read_or_reported() {
    let text = "
apiVersion: networking.mesh.gloo.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {namespace: gloo-mesh, name: all}
spec:
  sourceSelector: [{namespaces: [a]}]
  destinationSelector:
  - kubeServiceMatcher: {namespaces: [a]}
  - kubeServiceRefs: {services: [{clusterName: c1, name: s, namespace: n}]}
  httpRequestMatchers: [{prefix: /}]
  trafficShift:
    destinations:
    - {kubeService: {clusterName: c2, name: s, namespace: n, port: 80, subset: {a: b, region: eu}}, weight: 100}
    - {failoverService: {name: f, namespace: n}, weight: 1}
  faultInjection: {percentage: 1}
  requestTimeout: {seconds: 1, nanos: 500000000}
  retries: {attempts: 3, perTryTimeout: 2s}
  corsPolicy: {maxAge: 1s}
  mirror: {kubeService: {clusterName: c2, name: s, namespace: n}, percentage: 12.5, port: 80}
  headerManipulation: {removeRequestHeaders: [x]}
  outlierDetection: {consecutiveErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 100}
  colour: blue
";
    let imported = import(&[text], "1.30.3").unwrap();
    let policy = &imported.spec.policies[0];
    assert_eq!(policy.timeout.as_deref(), Some("1500ms"));
    assert_eq!(
        policy.retries.as_ref().map(|r| (r.attempts, r.per_try_timeout.as_deref())),
        Some((3, Some("2s")))
    );
    assert_eq!(policy.outlier_detection.as_ref().and_then(|o| o.consecutive_5xx_errors), Some(5));
    assert_eq!(policy.mirror.as_ref().map(|m| m.percent), Some(12));
    assert_eq!(policy.route[0].subset.as_deref(), Some("a-b-region-eu"));
    let fields: Vec<String> = lost(&imported)
        .iter()
        .filter_map(|l| l.strip_prefix("TrafficPolicy gloo-mesh/all|spec.").map(Into::into))
        .collect();
    assert_eq!(
        fields,
        [
            "colour",
            "corsPolicy",
            "destinationSelector[0].kubeServiceMatcher",
            "faultInjection",
            "headerManipulation",
            "httpRequestMatchers",
            "mirror.percentage",
            "mirror.port",
            "sourceSelector",
            "trafficShift.destinations[1].failoverService",
        ]
    );
    assert_eq!(imported.spec.services.iter().map(|s| s.ports.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn what_is_no_policy() {
    assert_eq!(
        import(&["kind: Service\napiVersion: v1\n"], "1.30.3").unwrap_err().code(),
        "config/needs"
    );
    assert_eq!(import(&["a: ["], "1.30.3").unwrap_err().code(), "config/syntax");
    assert_eq!(import(&[""], "1.30.3").unwrap_err().code(), "config/needs");
}
