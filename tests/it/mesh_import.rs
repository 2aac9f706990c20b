//! `meshctl mesh import`: whole outputs, for resources as the guides of other tools have them.

use tests::Shell;

/// Writes the resources, and compares what becomes of them.
#[track_caller]
fn check(resources: &str, arguments: &str, expect: &str) {
    let shell = Shell::new();
    shell.scratch.write("resources.yaml", resources);
    shell.check(&format!("mesh import @/resources.yaml{arguments}"), expect);
}

/// A route in which a failover has shares, outlier detection from another policy, and access that is restricted.
#[test]
fn service_mesh_hub() {
    let resources = "apiVersion: networking.smh.solo.io/v1alpha2
kind: VirtualMesh
metadata: {name: all, namespace: hub}
spec:
  globalAccessPolicy: ENABLED
  federation: {}
  meshes: [{name: istiod-istio-system-main}, {name: istiod-istio-system-spare}]
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {name: ejects, namespace: hub}
spec:
  destinationSelector:
  - kubeServiceRefs:
      services:
      - {name: reviews, namespace: books, clusterName: main}
      - {name: reviews, namespace: books, clusterName: spare}
  outlierDetection: {consecutiveErrors: 1}
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: FailoverService
metadata: {name: over, namespace: hub}
spec:
  hostname: over.books.global
  port: {number: 9080, protocol: http}
  meshes: [{name: istiod-istio-system-main}]
  backingServices:
  - kubeService: {name: reviews, namespace: books, clusterName: main}
  - kubeService: {name: reviews, namespace: books, clusterName: spare}
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {name: shares, namespace: books}
spec:
  destinationSelector:
  - kubeServiceRefs: {services: [{name: reviews, namespace: books, clusterName: main}]}
  trafficShift:
    destinations:
    - {kubeService: {clusterName: spare, name: reviews, namespace: books, subset: {version: v3}}, weight: 75}
    - {failoverService: {name: over, namespace: hub, subset: {version: v1}}, weight: 15}
    - {failoverService: {name: over, namespace: hub, subset: {version: v2}}, weight: 10}
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {name: one-caller, namespace: books}
spec:
  sourceSelector: [{namespaces: [checkout]}]
  destinationSelector:
  - kubeServiceRefs: {services: [{name: reviews, namespace: books, clusterName: main}]}
  requestTimeout: 1s
---
apiVersion: networking.smh.solo.io/v1alpha2
kind: AccessPolicy
metadata: {name: page, namespace: hub}
spec:
  sourceSelector:
  - kubeServiceAccountRefs: {serviceAccounts: [{name: page, namespace: books, clusterName: main}]}
";
    check(
        resources,
        "",
        r#"
        exit 2
        apiVersion: meshctl/v1
        kind: Mesh
        name: mesh
        addresses:
          graceDays: 30
          pool: 240.0.0.0/16
        clusters:
        - name: main
          clusterDomain: cluster.local
          istioNamespace: istio-system
          istioVersion: unknown
          trustDomain: cluster.local
        - name: spare
          clusterDomain: cluster.local
          istioNamespace: istio-system
          istioVersion: unknown
          trustDomain: cluster.local
        dns:
          suffix: global
        policies:
        - name: ejects-reviews-books-spare
          clients:
          - spare
          outlierDetection:
            consecutive5xxErrors: 1
          service: books/reviews
        - name: shares
          clients:
          - main
          outlierDetection:
            consecutive5xxErrors: 1
          route:
          - cluster: spare
            subset: version-v3
            weight: 75
          - cluster: main
            subset: version-v1
            weight: 15
          - cluster: main
            subset: version-v2
            weight: 10
          service: books/reviews
        services:
        - name: reviews
          namespace: books
          cluster: main
          importedBy:
          - spare
          ports: []
          subsets:
          - name: version-v1
            labels:
              version: v1
          - name: version-v2
            labels:
              version: v2
        - name: reviews
          namespace: books
          cluster: spare
          importedBy:
          - main
          ports: []
          subsets:
          - name: version-v3
            labels:
              version: v3
        --- stderr
        not converted: clusters main: gateway.addresses: the address of its gateway is not in the files
        not converted: clusters main: istioVersion: the release of its Istio is not in the files; write it, or run this again with `--istio VERSION`
        not converted: clusters main: trustDomain: it is not in the files: cluster.local is assumed
        not converted: clusters spare: gateway.addresses: the address of its gateway is not in the files
        not converted: clusters spare: istioVersion: the release of its Istio is not in the files; write it, or run this again with `--istio VERSION`
        not converted: clusters spare: trustDomain: it is not in the files: cluster.local is assumed
        not converted: services books/reviews on main: ports: its ports are not in the files; `meshctl mesh discover` finds them
        not converted: services books/reviews on spare: ports: its ports are not in the files; `meshctl mesh discover` finds them
        not converted: AccessPolicy hub/page: a spec does not restrict calls: write an AuthorizationPolicy with these identities on the serving clusters
        not converted: FailoverService hub/over: spec.backingServices: not used for books/reviews on main: TrafficPolicy books/shares sets it differently, and comes first
        not converted: FailoverService hub/over: spec.hostname: a failover of a spec applies to the name of the service itself: callers of over.books.global must change to that, or need your own VirtualService
        not converted: TrafficPolicy books/one-caller: spec.sourceSelector: the policy is dropped for books/reviews on main: it applies to some callers, and a policy of a spec to all of a cluster; write your own VirtualService
        not converted: TrafficPolicy books/shares: spec.trafficShift.destinations[1]: a route does not fail over: this share is `{cluster: main, subset: version-v1, weight: 15}`; to fail over, write `failover: [main, spare]` instead of `route`
        not converted: TrafficPolicy books/shares: spec.trafficShift.destinations[2]: a route does not fail over: this share is `{cluster: main, subset: version-v2, weight: 10}`; to fail over, write `failover: [main, spare]` instead of `route`
        not converted: VirtualMesh hub/all: spec.globalAccessPolicy: a spec does not forbid calls that no AccessPolicy allows: write an AuthorizationPolicy without rules in each namespace
        more calls are possible than before: 2 of the settings above restricted them
    "#,
    );
}

#[test]
fn admiral() {
    let resources = "apiVersion: admiral.io/v1alpha1
kind: Dependency
metadata: {name: web, namespace: admiral}
spec: {source: web, identityLabel: identity, destinations: [cart]}
---
apiVersion: admiral.io/v1alpha1
kind: GlobalTrafficPolicy
metadata: {name: cart, namespace: shop, labels: {identity: cart}}
spec:
  policy:
  - {dnsPrefix: default, lbType: 0}
  - {dnsPrefix: near, lbType: 1, target: [{region: west, weight: 100}]}
---
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: stage.cart.global-se, namespace: admiral-sync, labels: {identity: cart}}
spec:
  hosts: [stage.cart.global]
  addresses: [240.0.10.7]
  location: MESH_INTERNAL
  resolution: DNS
  ports: [{name: http, number: 80, protocol: http}]
  endpoints:
  - {address: cart.shop.svc.cluster.local, locality: west, ports: {http: 80}}
  - {address: gw.east.example.com, locality: east, ports: {http: 15443}}
";
    check(
        resources,
        " --istio 1.14.3",
        r#"
        exit 0
        apiVersion: meshctl/v1
        kind: Mesh
        name: mesh
        addresses:
          graceDays: 30
          pool: 240.0.0.0/16
        clusters:
        - name: east
          clusterDomain: cluster.local
          gateway:
            addresses:
            - gw.east.example.com
            port: 15443
            targetPort: 15443
          istioNamespace: istio-system
          istioVersion: "1.14.3"
          trustDomain: cluster.local
        - name: west
          clusterDomain: cluster.local
          istioNamespace: istio-system
          istioVersion: "1.14.3"
          trustDomain: cluster.local
        dns:
          suffix: global
        policies:
        - name: cart
          clients:
          - west
          failover:
          - west
          - east
          outlierDetection:
            baseEjectionTime: 300s
            consecutive5xxErrors: 50
            interval: 60s
          service: shop/cart
        services:
        - name: cart
          namespace: shop
          cluster: east
          importedBy:
          - west
          ports:
          - name: http
            number: 80
            protocol: HTTP
        - name: cart
          namespace: shop
          cluster: west
          ports:
          - name: http
            number: 80
            protocol: HTTP
        --- stderr
        not converted: clusters east: trustDomain: it is not in the files: cluster.local is assumed
        not converted: clusters west: gateway.addresses: the address of its gateway is not in the files
        not converted: clusters west: trustDomain: it is not in the files: cluster.local is assumed
        not converted: Dependency admiral/web: spec.destinations: entries are for clusters, not for workloads: list the clusters in which web runs in `importedBy` of cart
        not converted: GlobalTrafficPolicy shop/cart: spec.policy[0].outlier_detection: without it, Admiral's default applies: 50 errors in a row eject an endpoint for 300s
        not converted: GlobalTrafficPolicy shop/cart: spec.policy[1]: a spec has no second name for a service, such as near.stage.cart.global: call the remote name of the region's cluster
        not converted: ServiceEntry admiral-sync/stage.cart.global-se: spec.endpoints.locality: clusters have the names of their regions, and a service in another region is assumed to have the same name and namespace
        not converted: ServiceEntry admiral-sync/stage.cart.global-se: spec.hosts: a spec has no name stage.cart.global: remote names end in `.svc.CLUSTER.SUFFIX`, and policies apply to cart.shop.svc.cluster.local. Until its callers use that, keep this ServiceEntry and Admiral's DestinationRule
    "#,
    );
}

/// Nothing that names a cluster: there is no spec to print.
#[test]
fn istios_own_gateway() {
    let resources = "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross-network-gateway, namespace: istio-system}
spec:
  selector: {istio: eastwestgateway}
  servers:
  - {port: {number: 15443, name: tls, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: ['*.local']}
";
    check(
        resources,
        "",
        r#"
        exit 2
        --- stderr
        not converted: Gateway istio-system/cross-network-gateway: spec.servers: it lets calls of other clusters in to all its hosts: a spec lists the exported services in `services`, with `importedBy`, and writes a Gateway for them; keep this one as long as other services are called through it
        no spec: none of these resources names a cluster or a service
    "#,
    );
}
