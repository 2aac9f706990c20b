//! `meshctl mesh`: whole outputs, and every `config/...` code with its message.

use std::collections::BTreeSet;
use std::fs;

use meshconfig::{Fault, Spec};
use tests::Shell;
use tests::shared::root;

/// A folder with a fixture's spec as `mesh.yaml`.
fn shell(case: &str) -> Shell {
    let shell = Shell::new();
    let spec = root().join("fixtures/mesh").join(case).join("mesh.yaml");
    fs::copy(spec, shell.scratch.path().join("mesh.yaml")).unwrap();
    shell
}

fn write(shell: &Shell, name: &str, text: &str) {
    fs::write(shell.scratch.path().join(name), text).unwrap();
}

/// A spec of two clusters with `rest` behind them.
fn spec(rest: &str) -> String {
    format!(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {{name: b, istioVersion: 1.30.3}}\n\
         - {{name: a, istioVersion: 1.30.3, gateway: {{addresses: [192.0.2.1]}}}}\n{rest}"
    )
}

const SERVICES: &str = "services:
- {name: s, namespace: n, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}]}
- {name: s, namespace: n, cluster: a, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [b]}
";

#[test]
fn render_one_cluster() {
    let shell = shell("bookinfo-current");
    shell.check(
        "mesh render -f @/mesh.yaml --cluster cluster2",
        r#"
        exit 0
        ---
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata:
          name: cross-network-gateway-bookinfo
          namespace: istio-system
          labels:
            app.kubernetes.io/managed-by: meshctl
            app.kubernetes.io/part-of: bookinfo
        spec:
          selector:
            istio: eastwestgateway
          servers:
          - hosts:
            - reviews.default.svc.cluster.local
            port:
              name: tls
              number: 15443
              protocol: TLS
            tls:
              mode: AUTO_PASSTHROUGH
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata:
          name: reviews.bookinfo
          namespace: default
          labels:
            app.kubernetes.io/managed-by: meshctl
            app.kubernetes.io/part-of: bookinfo
        spec:
          host: reviews.default.svc.cluster.local
          subsets:
          - name: version-v3
            labels:
              version: v3
        --- stderr
        wrote @/mesh.lock: 1 address
    "#,
    );
    shell.check(
        "mesh addresses -f @/mesh.yaml --locked",
        r#"
        exit 0
        240.0.193.178  reviews.default.svc.cluster2.global
    "#,
    );
    assert_eq!(
        fs::read_to_string(shell.scratch.path().join("mesh.lock")).unwrap().lines().last(),
        Some("reviews.default.svc.cluster2.global 240.0.193.178")
    );
}

#[test]
fn render_for_another_release() {
    let shell = shell("bookinfo-current");
    let text = shell.good("mesh render -f @/mesh.yaml --istio 1.6.4");
    assert!(
        text.contains("kind: EnvoyFilter") && text.contains("v1alpha3") && !text.contains("sni:"),
        "{text}"
    );
    let text = shell.good("mesh render -f @/mesh.yaml");
    assert!(!text.contains("kind: EnvoyFilter"), "{text}");
    assert_eq!(text, shell.good("mesh render -f @/mesh.yaml"), "the same again");
}

#[test]
fn render_to_folders() {
    let shell = shell("bookinfo-current");
    let dir = shell.scratch.path();
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        exit 0
        @/out: 3 written, 0 unchanged, 0 removed
        --- stderr
        wrote @/mesh.lock: 1 address
    "#,
    );
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        exit 0
        @/out: 0 written, 3 unchanged, 0 removed
    "#,
    );
    // Someone else's file stays; files that are no longer needed are removed.
    write(&shell, "out/cluster1/mine.yaml", "mine");
    let text = fs::read_to_string(dir.join("mesh.yaml")).unwrap();
    let (head, _) = text.split_once("services:").unwrap();
    write(&shell, "mesh.yaml", head);
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        exit 0
        @/out: 0 written, 0 unchanged, 3 removed
        --- stderr
        wrote @/mesh.lock: 0 addresses
    "#,
    );
    assert!(dir.join("out/cluster1/mine.yaml").exists());
    assert!(!dir.join("out/cluster1/default.reviews.yaml").exists());
    assert!(!dir.join("out/cluster2").exists(), "an empty folder goes too");
    // A file that is in the way is not overwritten.
    write(&shell, "out/cluster1/default.reviews.yaml", "mine");
    write(&shell, "mesh.yaml", &text);
    shell.check(
        "mesh render -f @/mesh.yaml -o @/out",
        r#"
        exit 1
        --- stderr
        wrote @/mesh.lock: 1 address
        error[ctl/exists]: `@/out/cluster1/default.reviews.yaml` already exists and was not written by an earlier run

        hint: choose another folder, or move the file away
    "#,
    );
}

#[test]
fn explain_graph_and_lint() {
    let shell = shell("bookinfo-1.6");
    shell.check(
        "mesh explain reviews -f @/mesh.yaml --from cluster1",
        r#"
        exit 0
        reviews.default.svc.cluster.local from cluster1
          1. cluster1: reviews.default.svc.cluster.local is a Service of the cluster: the cluster's own DNS answers
          2. cluster1: 75 of 100 calls go to reviews.default.svc.cluster2.global, subset version-v3
             by VirtualService default/reviews.bookinfo
            3. cluster1: reviews.default.svc.cluster2.global is at 172.18.0.230 port 15443, in cluster2
               by ServiceEntry istio-system/reviews.default.svc.cluster2.global.bookinfo
            4. cluster1: mutual TLS, SNI outbound_.9080_.version-v3_.reviews.default.svc.cluster2.global
               by DestinationRule istio-system/reviews.default.svc.cluster2.global.bookinfo
            5. cluster1: the server's identity must be that of any workload in the mesh
            6. cluster2: the gateway routes the TLS connection by its SNI
               by Gateway istio-system/istio-multicluster-ingressgateway-bookinfo
            7. cluster2: the gateway rewrites the name to reviews.default.svc.cluster.local
               by EnvoyFilter istio-system/cross-cluster-traffic-bookinfo
            8. cluster2: reviews.default.svc.cluster.local: pods with labels version=v3 answer
               by DestinationRule default/reviews.bookinfo
          9. cluster1: 15 of 100 calls go to reviews.default.svc.cluster.local, subset version-v1
             by VirtualService default/reviews.bookinfo
           10. cluster1: reviews.default.svc.cluster.local: pods with labels version=v1 answer
               by DestinationRule default/reviews.bookinfo
         11. cluster1: 10 of 100 calls go to reviews.default.svc.cluster.local, subset version-v2
             by VirtualService default/reviews.bookinfo
           12. cluster1: reviews.default.svc.cluster.local: pods with labels version=v2 answer
               by DestinationRule default/reviews.bookinfo

        reviews.default.svc.cluster2.global from cluster1
          1. cluster1: istio-coredns, to which the cluster's DNS forwards, answers 240.0.193.178 for reviews.default.svc.cluster2.global
          2. cluster1: reviews.default.svc.cluster2.global is at 172.18.0.230 port 15443, in cluster2
             by ServiceEntry istio-system/reviews.default.svc.cluster2.global.bookinfo
          3. cluster1: mutual TLS, SNI outbound_.9080_._.reviews.default.svc.cluster2.global
             by DestinationRule istio-system/reviews.default.svc.cluster2.global.bookinfo
          4. cluster1: the server's identity must be that of any workload in the mesh
          5. cluster2: the gateway routes the TLS connection by its SNI
             by Gateway istio-system/istio-multicluster-ingressgateway-bookinfo
          6. cluster2: the gateway rewrites the name to reviews.default.svc.cluster.local
             by EnvoyFilter istio-system/cross-cluster-traffic-bookinfo
          7. cluster2: reviews.default.svc.cluster.local: its pods answer
    "#,
    );
    shell.check(
        "mesh graph -f @/mesh.yaml",
        r#"
        exit 0
        flowchart LR
          subgraph t0["trust domain cluster.local"]
            c0["cluster1<br/>Istio 1.6.4"]
            c1["cluster2<br/>Istio 1.6.4"]
            g2{{"gateway 172.18.0.230:15443"}} --> c1
          end
          c0 -->|"default/reviews 15 % version-v1, 10 % version-v2"| c0
          c0 -->|"default/reviews 75 % version-v3<br/>rewritten"| g2
          legend["solid: through the gateway of the other cluster<br/>rewritten: an EnvoyFilter at the gateway rewrites the name<br/>to itself: what a policy leaves in the caller's own cluster<br/>75 %: share of the caller's calls of the service, and the subset"]
          style legend fill:none,stroke-dasharray:4 4,text-align:left
    "#,
    );
    assert_eq!(
        shell.good("mesh graph -f @/mesh.yaml --service reviews,default/reviews").lines().count(),
        10
    );
    shell.check(
        "mesh graph -f @/mesh.yaml --service ratings",
        r#"
        exit 1
        --- stderr
        error[config/unknown-name]: the spec has no service `ratings`
          because: its services are default/reviews
    "#,
    );
    shell.check(
        "mesh lint -f @/mesh.yaml",
        r#"
        exit 0
        warning[lint/no-identity]: callers of `reviews.default.svc.cluster2.global` accept any certificate of the mesh, because its ServiceEntry has no subjectAltNames
          in: cluster1, ServiceEntry istio-system/reviews.default.svc.cluster2.global.bookinfo
          source: istio pilot/pkg/model/push_context.go: no name is checked if none is given
          next: name the service accounts of the service in the spec

        warning[lint/gateway-vulnerable]: AUTO_PASSTHROUGH of Istio 1.6.4 can be used to reach services that authorization policies protect
          in: cluster2, Gateway istio-system/istio-multicluster-ingressgateway-bookinfo
          source: istio-security-2021-006, CVE-2021-31921
          next: upgrade to 1.8.6, 1.9.5 or later

        note[lint/dns]: names ending in .global resolve only if its DNS answers for them; calls through a policy for a local name do not need that
          in: cluster1
          source: istio pkg/dns; istio 1.6 doc, replicated control planes
          next: `meshctl mesh apply` edits its Corefile; `meshctl mesh dns --cluster cluster1` edits a file

        errors 0, warnings 2, notes 1
    "#,
    );
    write(
        &shell,
        "live.yaml",
        "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: istio-multicluster-ingressgateway, namespace: istio-system}\n\
         spec: {configPatches: [{match: {listener: {portNumber: 15443}}, patch: {value: {name: envoy.filters.network.tcp_cluster_rewrite, config: {cluster_pattern: '\\.global$'}}}}]}\n",
    );
    shell.check(
        "mesh lint -f @/mesh.yaml --with cluster2=@/live.yaml",
        r#"
        exit 2
        error[lint/stock-filter]: it rewrites every `.global` name before `cross-cluster-traffic-bookinfo` can rewrite `\.cluster2\.global$`: x.svc.CLUSTER.global becomes x.svc.CLUSTER.svc.cluster.local
          in: cluster2, EnvoyFilter istio-system/istio-multicluster-ingressgateway
          source: istio 1.6.4 manifests/charts/gateways/istio-ingress/templates/preconfigured.yaml
          next: kubectl --context cluster2 -n istio-system delete envoyfilter istio-multicluster-ingressgateway

        warning[lint/no-identity]: callers of `reviews.default.svc.cluster2.global` accept any certificate of the mesh, because its ServiceEntry has no subjectAltNames
          in: cluster1, ServiceEntry istio-system/reviews.default.svc.cluster2.global.bookinfo
          source: istio pilot/pkg/model/push_context.go: no name is checked if none is given
          next: name the service accounts of the service in the spec

        warning[lint/gateway-vulnerable]: AUTO_PASSTHROUGH of Istio 1.6.4 can be used to reach services that authorization policies protect
          in: cluster2, Gateway istio-system/istio-multicluster-ingressgateway-bookinfo
          source: istio-security-2021-006, CVE-2021-31921
          next: upgrade to 1.8.6, 1.9.5 or later

        note[lint/dns]: names ending in .global resolve only if its DNS answers for them; calls through a policy for a local name do not need that
          in: cluster1
          source: istio pkg/dns; istio 1.6 doc, replicated control planes
          next: `meshctl mesh apply` edits its Corefile; `meshctl mesh dns --cluster cluster1` edits a file

        read: EnvoyFilter 1
        errors 1, warnings 2, notes 1
    "#,
    );
    let json: serde_json::Value = serde_json::from_str(
        &shell.run("mesh lint -f @/mesh.yaml --with cluster2=@/live.yaml -o json").out,
    )
    .unwrap();
    assert_eq!(json["problems"][0]["code"], "lint/stock-filter");
    let json: serde_json::Value =
        serde_json::from_str(&shell.good("mesh explain reviews -f @/mesh.yaml -o json")).unwrap();
    assert_eq!(json["calls"][0]["hops"].as_array().map(Vec::len), Some(12));
}

#[test]
fn explain_failover() {
    let shell = shell("five-clusters");
    shell.check(
        "mesh explain shop/cart -f @/mesh.yaml --from edge",
        r#"
        exit 0
        cart.shop.svc.east.mesh from edge
          1. edge: the proxy's DNS answers fd00:240::cbb9 for cart.shop.svc.east.mesh
          2. edge: 100 of 100 calls go to cart.shop.svc.mesh
             by VirtualService istio-system/cart.shop.shop
            3. edge: cart.shop.svc.mesh is at 192.0.2.21 port 15443, in west
               by ServiceEntry istio-system/cart.shop.shop
            4. edge: cart.shop.svc.mesh is at 192.0.2.11 port 15443, in east
               by ServiceEntry istio-system/cart.shop.shop
            5. edge: cart.shop.svc.mesh is at 192.0.2.12 port 15443, in east
               by ServiceEntry istio-system/cart.shop.shop
            6. edge: the first of west, east that has healthy endpoints; mutual TLS, SNI outbound_.80_._.cart.shop.svc.cluster.local for port 80, outbound_.6379_._.cart.shop.svc.cluster.local for port 6379, outbound_.9090_._.cart.shop.svc.cluster.local for port 9090
               by DestinationRule istio-system/cart.shop.shop
              7. west: the gateway routes the TLS connection by its SNI
                 by Gateway istio-system/cross-network-gateway-shop
              8. west: cart.shop.svc.cluster.local: its pods answer
              9. east: the gateway routes the TLS connection by its SNI
                 by Gateway istio-system/cross-network-gateway-shop
             10. east: cart.shop.svc.cluster.local: its pods answer

        cart.shop.svc.west.mesh from edge
          1. edge: the proxy's DNS answers fd00:240::8fa3 for cart.shop.svc.west.mesh
          2. edge: 100 of 100 calls go to cart.shop.svc.mesh
             by VirtualService istio-system/cart.shop.shop
            3. edge: cart.shop.svc.mesh is at 192.0.2.21 port 15443, in west
               by ServiceEntry istio-system/cart.shop.shop
            4. edge: cart.shop.svc.mesh is at 192.0.2.11 port 15443, in east
               by ServiceEntry istio-system/cart.shop.shop
            5. edge: cart.shop.svc.mesh is at 192.0.2.12 port 15443, in east
               by ServiceEntry istio-system/cart.shop.shop
            6. edge: the first of west, east that has healthy endpoints; mutual TLS, SNI outbound_.80_._.cart.shop.svc.cluster.local for port 80, outbound_.6379_._.cart.shop.svc.cluster.local for port 6379, outbound_.9090_._.cart.shop.svc.cluster.local for port 9090
               by DestinationRule istio-system/cart.shop.shop
              7. west: the gateway routes the TLS connection by its SNI
                 by Gateway istio-system/cross-network-gateway-shop
              8. west: cart.shop.svc.cluster.local: its pods answer
              9. east: the gateway routes the TLS connection by its SNI
                 by Gateway istio-system/cross-network-gateway-shop
             10. east: cart.shop.svc.cluster.local: its pods answer
    "#,
    );
    shell.check(
        "mesh explain nothing -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/unknown-name]: the spec has no service `nothing`
          because: its services are bank/audit, bank/ledger, post/mail, shop/cart, shop/stock
    "#,
    );
}

#[test]
fn import_seed_2() {
    let shell = Shell::new();
    let policy = "apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {namespace: service-mesh-hub, name: simple}
spec:
  destinationSelector:
  - kubeServiceRefs: {services: [{clusterName: cluster1, name: reviews, namespace: default}]}
  trafficShift:
    destinations:
    - {kubeService: {clusterName: cluster2, name: reviews, namespace: default, subset: {version: v3}}, weight: 75}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v1}}, weight: 15}
    - {kubeService: {clusterName: cluster1, name: reviews, namespace: default, subset: {version: v2}}, weight: 10}
  corsPolicy: {maxAge: 1s}
";
    write(&shell, "policy.yaml", policy);
    shell.check(
        "mesh import @/policy.yaml --istio 1.7.3",
        r#"
        exit 0
        apiVersion: meshctl/v1
        kind: Mesh
        name: mesh
        addresses:
          graceDays: 30
          pool: 240.0.0.0/16
        clusters:
        - name: cluster1
          clusterDomain: cluster.local
          istioNamespace: istio-system
          istioVersion: "1.7.3"
          trustDomain: cluster.local
        - name: cluster2
          clusterDomain: cluster.local
          istioNamespace: istio-system
          istioVersion: "1.7.3"
          trustDomain: cluster.local
        dns:
          suffix: global
        policies:
        - name: simple
          clients:
          - cluster1
          route:
          - cluster: cluster2
            subset: version-v3
            weight: 75
          - cluster: cluster1
            subset: version-v1
            weight: 15
          - cluster: cluster1
            subset: version-v2
            weight: 10
          service: default/reviews
        services:
        - name: reviews
          namespace: default
          cluster: cluster1
          ports: []
          subsets:
          - name: version-v1
            labels:
              version: v1
          - name: version-v2
            labels:
              version: v2
        - name: reviews
          namespace: default
          cluster: cluster2
          importedBy:
          - cluster1
          ports: []
          subsets:
          - name: version-v3
            labels:
              version: v3
        --- stderr
        not converted: clusters cluster1: gateway.addresses: the address of its gateway is not in the files
        not converted: clusters cluster1: trustDomain: it is not in the files: cluster.local is assumed
        not converted: clusters cluster2: gateway.addresses: the address of its gateway is not in the files
        not converted: clusters cluster2: trustDomain: it is not in the files: cluster.local is assumed
        not converted: services default/reviews on cluster1: ports: its ports are not in the files; `meshctl mesh discover` finds them
        not converted: services default/reviews on cluster2: ports: its ports are not in the files; `meshctl mesh discover` finds them
        not converted: TrafficPolicy service-mesh-hub/simple: spec.corsPolicy: write your own VirtualService
    "#,
    );
}

#[test]
fn dns_edits() {
    let shell = shell("bookinfo-1.6");
    write(&shell, "Corefile", ".:53 {\n    errors\n    forward . /etc/resolv.conf\n}\n");
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        exit 1
        --- stderr
        error[config/needs]: cluster `cluster1` needs the address of istio-coredns

        hint: write `dns: {way: istio-coredns, address: IP}`: `kubectl --context cluster1 -n istio-system get svc istiocoredns -o jsonpath={.spec.clusterIP}`; or `dns: {way: none}` if the DNS need not answer for them
    "#,
    );
    let text = fs::read_to_string(shell.scratch.path().join("mesh.yaml")).unwrap();
    write(
        &shell,
        "mesh.yaml",
        &text.replacen("istioVersion: 1.6.4", "istioVersion: 1.6.4\n  dns: {way: hosts}", 1),
    );
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        exit 0
        .:53 {
            errors
            forward . /etc/resolv.conf
        }
        # meshctl: begin global
        global:53 {
            errors
            hosts {
                240.0.193.178 reviews.default.svc.cluster2.global
            }
        }
        # meshctl: end global
        --- stderr
        wrote @/mesh.lock: 1 address
    "#,
    );
    // A Corefile shows that its CoreDNS is an old one; a cluster that calls no remote service gets nothing.
    let way = "istioVersion: 1.6.4\n  dns: {way: istio-coredns, address: 10.0.0.9}";
    write(&shell, "mesh.yaml", &text.replace("istioVersion: 1.6.4", way));
    write(&shell, "Corefile", ".:53 {\n    proxy . /etc/resolv.conf\n}\n");
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        exit 0
        .:53 {
            proxy . /etc/resolv.conf
        }
        # meshctl: begin global
        global:53 {
            errors
            cache 30
            proxy . 10.0.0.9:53
        }
        # meshctl: end global
    "#,
    );
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster2 @/Corefile",
        r#"
        exit 0
        .:53 {
            proxy . /etc/resolv.conf
        }
    "#,
    );
}

/// What is said next to an edited Corefile: where the block listens, and why there is none.
#[test]
fn dns_beside_other_blocks() {
    let shell = shell("bookinfo-1.6");
    let text = fs::read_to_string(shell.scratch.path().join("mesh.yaml")).unwrap();
    let way = "istioVersion: 1.6.4\n  dns: {way: istio-coredns, address: 10.0.0.9}";
    write(&shell, "mesh.yaml", &text.replacen("istioVersion: 1.6.4", way, 1));
    let bind = "bind 169.254.20.10 10.0.0.10";
    let cache = format!(
        "cluster.local:53 {{\n    {bind}\n    forward . UPSTREAM\n}}\n.:53 {{\n    {bind}\n    forward . UPSTREAM\n}}\n"
    );
    write(&shell, "Corefile", &cache);
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        exit 0
        cluster.local:53 {
            bind 169.254.20.10 10.0.0.10
            forward . UPSTREAM
        }
        .:53 {
            bind 169.254.20.10 10.0.0.10
            forward . UPSTREAM
        }
        # meshctl: begin global
        global:53 {
            errors
            bind 169.254.20.10 10.0.0.10
            cache 30
            forward . 10.0.0.9:53
        }
        # meshctl: end global
        --- stderr
        the block has `bind 169.254.20.10 10.0.0.10`, as the other blocks do: this CoreDNS answers only at these addresses
    "#,
    );
    let stub = "global:53 {\n    errors\n    cache 30\n    forward . 10.0.0.9:53\n}\n";
    write(&shell, "Corefile", &format!(".:53 {{\n    forward . UPSTREAM\n}}\n{stub}"));
    shell.check(
        "mesh dns -f @/mesh.yaml --cluster cluster1 @/Corefile",
        r#"
        exit 0
        .:53 {
            forward . UPSTREAM
        }
        global:53 {
            errors
            cache 30
            forward . 10.0.0.9:53
        }
        --- stderr
        unchanged: `global:53 {` in line 4 already says what meshctl would write
    "#,
    );
}

/// Every code, as a user sees it.
#[test]
fn every_code() {
    let shell = Shell::new();
    let mut told = BTreeSet::new();
    let mut tell = |shell: &Shell| {
        let ran = shell.run("mesh render -f @/mesh.yaml --cluster a");
        assert_ne!(ran.status, 0, "{}", ran.out);
        for part in ran.err.split("error[").skip(1) {
            told.extend(part.split(']').next().map(str::to_owned));
        }
    };
    write(&shell, "mesh.yaml", &spec("colour: 1\n"));
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/unknown-field]: unknown field `colour`
          in: @/mesh.yaml:6, colour

        hint: docs/schemas/mesh.json describes every field, and docs/mesh.md has an example
    "#,
    );
    tell(&shell);
    // All errors are reported together.
    let head = spec("- {name: b, istioVersion: 1.5.0}\n");
    let many = head.replace(
        "kind: Mesh\n",
        "kind: Mesh\ndns: {suffix: local}\naddresses: {pool: 127.0.0.0/8}\n",
    ) + "- {name: c, istioVersion: 1.5.0}\n- {name: D, istioVersion: 1.30.3}\n- {name: e, istioVersion: 1.30.3, trustDomain: a_b}\n- {name: f, istioVersion: x}\n"
        + "services:\n- {name: s, namespace: n, cluster: b, ports: [], importedBy: [a]}\n- {name: s, namespace: n, cluster: a, ports: [{name: h, number: 1, protocol: TCP}], importedBy: [a]}\n"
        + "policies:\n- {name: p, service: n/s, clients: [a], route: [{cluster: a, weight: 1}]}\n- {name: q, service: n/t, clients: [a], timeout: 1s}\n- {name: r, service: n/s, clients: [b], route: [{cluster: a, weight: 100}]}\n";
    write(&shell, "mesh.yaml", &many);
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/dns-suffix]: cannot use `local` as the DNS suffix of remote services: it hides the names of a cluster's own services
          in: @/mesh.yaml:3, dns.suffix

        error[config/address-pool]: cannot use 127.0.0.0/8 as the address pool: its addresses are loopback addresses
          in: @/mesh.yaml:4, addresses.pool

        error[config/duplicate]: duplicate cluster `b`: already defined as clusters[0]
          in: @/mesh.yaml:8, clusters[2].name

        error[config/version]: Istio 1.5.0 is not supported: 1.6.0 is the oldest release
          in: @/mesh.yaml:9, clusters[3].istioVersion

        error[config/name]: invalid cluster name `D`: a DNS label has only a-z, 0-9 and `-`
          in: @/mesh.yaml:10, clusters[4].name

        error[config/trust-domain]: invalid trust domain `a_b`: only a-z, 0-9, `-` and `.` are allowed
          in: @/mesh.yaml:11, clusters[5].trustDomain

        error[config/value]: invalid Istio version `x`: expected a release of Istio, such as 1.30.3
          in: @/mesh.yaml:12, clusters[6].istioVersion

        error[config/needs]: service n/s needs a port
          in: @/mesh.yaml:14, services[0].ports

        error[config/imports-own]: cluster `a` cannot import its own `n/s`
          in: @/mesh.yaml:15, services[1].importedBy[0]

        error[config/gateway-missing]: cluster `b` exports `n/s` to `a`, but has no gateway address
          in: @/mesh.yaml:6, clusters[0].gateway

        hint: set `gateway: {addresses: [...]}`; `kubectl get svc -n istio-system istio-eastwestgateway` shows the address

        error[config/weights]: the weights of policy `p` (1) add up to 1, expected 100
          in: @/mesh.yaml:17, policies[0].route

        hint: make the weights add up to 100: Istio 1.6 rejects other sums

        error[config/unknown-name]: unknown service `n/t`; did you mean `n/s`?
          in: @/mesh.yaml:18, policies[1].service
    "#,
    );
    tell(&shell);
    let policy = |text: &str| spec(&format!("{SERVICES}policies:\n{text}\n"));
    for text in [
        policy("- {name: p, service: n/s, clients: [b], timeout: 1s}\n- {name: q, service: n/s, clients: ['*'], timeout: 1s}"),
        policy("- {name: p, service: n/s, clients: [b], route: [{cluster: a, weight: 50}, {cluster: b, weight: 50}]}").replacen("number: 80", "number: 81", 1),
        policy("- {name: p, service: n/s, clients: [b], failover: [b, a], outlierDetection: {interval: 1s}}").replacen("1.30.3", "1.10.0", 1),
        policy("- {name: p, service: n/s, clients: [a], route: [{cluster: b, weight: 100}]}"),
        "clusters: [".into(),
    ] {
        write(&shell, "mesh.yaml", &text);
        tell(&shell);
    }
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/syntax]: unclosed bracket '['
          in: @/mesh.yaml:1, clusters
    "#,
    );
    write(&shell, "mesh.yaml", &spec(SERVICES));
    write(&shell, "mesh.lock", "s.n.svc.a.global 240.0.0.1\n<<<<<<< ours\n");
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/lock]: invalid line `<<<<<<< ours` in the lock file: expected `HOST ADDRESS` or `HOST ADDRESS retired DATE`
          in: @/mesh.lock:2

        hint: remove one of the lines from mesh.lock; `meshctl mesh addresses` assigns missing addresses
    "#,
    );
    tell(&shell);
    write(&shell, "mesh.lock", "s.n.svc.a.global 240.0.0.1\nt.n.svc.a.global 240.0.0.1\n");
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/address-shared]: `s.n.svc.a.global` and `t.n.svc.a.global` both have address 240.0.0.1
          in: @/mesh.lock:2

        hint: remove one of the lines from mesh.lock; `meshctl mesh addresses` assigns missing addresses
    "#,
    );
    tell(&shell);
    write(
        &shell,
        "mesh.lock",
        "t.n.svc.a.global 10.0.0.1\nu.n.svc.a.global 10.0.0.2\nv.n.svc.a.global 10.0.0.3\n",
    );
    write(&shell, "mesh.yaml", &spec(&format!("addresses: {{pool: 10.0.0.0/30}}\n{SERVICES}")));
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/addresses-exhausted]: no address left in 10.0.0.0/30 for `s.n.svc.a.global`: all 4 are in use or in their grace period
          in: @/mesh.yaml, addresses.pool

        hint: use a larger `addresses.pool`, or reduce `addresses.graceDays`
    "#,
    );
    tell(&shell);
    write(&shell, "mesh.lock", "");
    shell.check(
        "mesh render -f @/mesh.yaml --locked",
        r#"
        exit 1
        --- stderr
        error[ctl/locked]: `@/mesh.lock` would change, which `--locked` forbids

        hint: run it without `--locked` and commit the new file with the spec
    "#,
    );
    let clusters = "- {name: c, istioVersion: 1.30.3, trustDomain: c.example, ambient: true}\n";
    write(&shell, "mesh.yaml", &spec(&format!("{clusters}trust: {{model: bridge}}\n")));
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/trust-model]: `a` and `c` (and 1 more pair) cannot use trust model `bridge`: ztunnel in c accepts only its own trust domain, c.example, not cluster.local
          in: @/mesh.yaml:7, trust.model

        hint: choose a model that both support: docs/federation.md lists them by dataplane
    "#,
    );
    tell(&shell);
    let pairs =
        "- {name: c, istioVersion: 1.30.3}\ntrust: {pairs: [{clusters: [b, c], model: bridge}]}\n";
    write(&shell, "mesh.yaml", &spec(&format!("{pairs}{SERVICES}")));
    shell.check(
        "mesh render -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[config/not-federated]: cluster `b` imports `n/s` from `a`, but `trust` has no model for the two
          in: @/mesh.yaml:7, trust

        hint: add the two clusters to `trust.pairs`, or set `trust.model` for all pairs
    "#,
    );
    tell(&shell);
    let codes: BTreeSet<String> = Fault::CODES.iter().map(ToString::to_string).collect();
    told.retain(|code| code.starts_with("config/"));
    assert_eq!(told, codes);
}

#[test]
fn json_has_the_documented_keys() {
    let shell = shell("five-clusters");
    tests::schema::check("mesh-lint", &shell.good("mesh lint -f @/mesh.yaml -o json"));
    tests::schema::check("mesh-explain", &shell.good("mesh explain stock -f @/mesh.yaml -o json"));
    tests::schema::check("mesh-addresses", &shell.good("mesh addresses -f @/mesh.yaml -o json"));
}

/// `docs/schemas/mesh.json` is the schema of the spec as it is; `MESH_UPDATE=1` writes it.
#[test]
fn the_schema_is_published() {
    let path = root().join("docs/schemas/mesh.json");
    let text = format!("{:#}\n", Spec::schema());
    if std::env::var_os("MESH_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap_or_default(), text, "MESH_UPDATE=1 writes it");
}
