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

/// Policies in short form: `NAME NAMESPACE/NAME from CLIENTS: WHERE, SETTINGS`.
fn policies(imported: &Imported) -> Vec<String> {
    let share = |share: &spec::Share| {
        let subset = share.subset.as_ref().map_or_else(String::new, |name| format!("/{name}"));
        format!("{}{subset} {}", share.cluster, share.weight)
    };
    let one = |policy: &spec::PolicySpec| {
        let mut parts: Vec<String> = policy.route.iter().map(share).collect();
        if !policy.failover.is_empty() {
            parts.push(format!("failover {}", policy.failover.join(" ")));
        }
        parts.extend(policy.timeout.iter().map(|time| format!("timeout {time}")));
        parts.extend(policy.retries.iter().map(|retries| format!("retries {}", retries.attempts)));
        parts.extend(policy.mirror.iter().map(|mirror| format!("mirror {}", mirror.cluster)));
        let errors = |outlier: &spec::OutlierDetection| outlier.consecutive_5xx_errors;
        let outlier = policy.outlier_detection.as_ref().and_then(errors);
        parts.extend(outlier.map(|errors| format!("outlier {errors}")));
        let (name, service) = (&policy.name, &policy.service);
        format!("{name} {service} from {}: {}", policy.clients.join(" "), parts.join(", "))
    };
    imported.spec.policies.iter().map(one).collect()
}

/// Services in short form: `NAMESPACE/NAME CLUSTER -> IMPORTERS`.
fn services(imported: &Imported) -> Vec<String> {
    let one = |service: &spec::ServiceSpec| {
        let importers = service.imported_by.join(" ");
        format!("{}/{} {} -> {importers}", service.namespace, service.name, service.cluster)
    };
    imported.spec.services.iter().map(one).collect()
}

/// What was lost of resources: `RESOURCE|FIELD`, with `!` in front if it restricted calls.
fn lost(imported: &Imported) -> Vec<String> {
    let of_resource = imported.lost.iter().filter(|lost| !lost.resource.is_empty());
    let one = |lost: &Lost| {
        let mark = if lost.restricts { "!" } else { "" };
        format!("{mark}{}|{}", lost.resource, lost.field)
    };
    of_resource.map(one).collect()
}

/// What becomes of resources: policies, services, and what is lost.
#[track_caller]
fn check(text: &str, wanted: (&[&str], &[&str], &[&str])) -> Imported {
    let imported = import(&[text], Some("1.30.3")).unwrap();
    let found = (policies(&imported), services(&imported), lost(&imported));
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(found, (texts(wanted.0), texts(wanted.1), texts(wanted.2)), "{text}");
    // The spec, written and read again, is the same.
    assert_eq!(Spec::read(&imported.spec.yaml()).unwrap(), imported.spec);
    imported
}

/// A TrafficPolicy for reviews on c1.
fn policy(name: &str, fields: &str) -> String {
    format!(
        "---
apiVersion: networking.smh.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {{namespace: smh, name: {name}}}
spec:
  destinationSelector:
  - kubeServiceRefs: {{services: [{{clusterName: c1, name: reviews, namespace: shop}}]}}
{fields}
"
    )
}

/// A destination of a TrafficPolicy.
fn to(cluster: &str, more: &str) -> String {
    format!("{{kubeService: {{clusterName: {cluster}, name: reviews, namespace: shop}}{more}}}")
}

fn shift(destinations: &[String]) -> String {
    format!("  trafficShift: {{destinations: [{}]}}", destinations.join(", "))
}

#[test]
fn a_traffic_policy() {
    let imported = check(
        SEED,
        (
            &[
                "simple default/reviews from cluster1: cluster2/version-v3 75, cluster1/version-v1 15, cluster1/version-v2 10",
            ],
            &["default/reviews cluster1 -> cluster2", "default/reviews cluster2 -> cluster1"],
            &["VirtualMesh service-mesh-hub/virtual-mesh|spec.mtlsConfig"],
        ),
    );
    let missing: Vec<&str> = imported
        .lost
        .iter()
        .filter(|lost| lost.resource.is_empty())
        .map(|lost| &*lost.field)
        .collect();
    assert_eq!(
        missing,
        [
            "clusters cluster1: gateway.addresses",
            "clusters cluster1: trustDomain",
            "clusters cluster2: gateway.addresses",
            "clusters cluster2: trustDomain",
            "services default/reviews on cluster1: ports",
            "services default/reviews on cluster2: ports",
        ]
    );
    // The release is not assumed.
    let imported = import(&[SEED], None).unwrap();
    assert_eq!(imported.spec.clusters[0].istio_version, "unknown");
    assert!(crate::Mesh::new(&imported.spec).is_err());
    let asks = |lost: &&Lost| lost.remedy == Some(ImportRemedy::NameRelease);
    assert_eq!(imported.lost.iter().filter(asks).count(), 2);
}

/// A condition that a spec does not have drops the policy, and all that it says.
#[test]
fn conditions() {
    let with = |condition: &str| policy("p", &format!("  requestTimeout: 5s\n{condition}"));
    let kept = |condition: &str| {
        let text = with(condition);
        check(&text, (&["p shop/reviews from c1: timeout 5s"], &["shop/reviews c1 -> "], &[]));
    };
    let dropped = |condition: &str, field: &str| {
        check(&with(condition), (&[], &[], &[&format!("TrafficPolicy smh/p|{field}")]));
    };
    kept("");
    kept("  sourceSelector: []\n  httpRequestMatchers: []");
    kept("  sourceSelector: [{}]");
    kept("  sourceSelector: [{kubeWorkloadMatcher: {clusters: [c1, c2]}}]");
    kept("  sourceSelector: [{namespaces: [a]}, {kubeWorkloadMatcher: {clusters: [c1]}}]");
    kept("  httpRequestMatchers: [{prefix: /}]");
    kept("  httpRequestMatchers: [{method: GET}, {name: all, uri: {prefix: /}}]");
    dropped("  sourceSelector: [{namespaces: [a]}]", "spec.sourceSelector");
    dropped("  sourceSelector: [{labels: {app: a}}]", "spec.sourceSelector");
    dropped("  sourceSelector: [{kubeWorkloadMatcher: {clusters: [c2]}}]", "spec.sourceSelector");
    dropped(
        "  sourceSelector: [{kubeWorkloadMatcher: {clusters: [c1], namespaces: [a]}}]",
        "spec.sourceSelector",
    );
    dropped("  httpRequestMatchers: [{prefix: /api}]", "spec.httpRequestMatchers");
    dropped("  httpRequestMatchers: [{prefix: /, method: GET}]", "spec.httpRequestMatchers");
    dropped("  httpRequestMatchers: [{headers: [{name: x}]}]", "spec.httpRequestMatchers");
}

#[test]
fn weights() {
    let both = ["shop/reviews c1 -> ", "shop/reviews c2 -> c1"];
    let route = |destinations: &[String], wanted: &str, lost: &[&str]| {
        let policies = [format!("p shop/reviews from c1: {wanted}")];
        let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
        check(&policy("p", &shift(destinations)), (&policies, &both, lost));
    };
    // A single destination gets all calls.
    route(&[to("c2", "")], "c2 100", &[]);
    route(&[to("c2", ", weight: 0")], "c2 100", &[]);
    route(&[to("c2", ", weight: 1")], "c2 100", &[]);
    // Of several, one without a weight gets none.
    route(&[to("c2", ", weight: 100"), to("c1", "")], "c2 100, c1 0", &[]);
    let scaled = &["TrafficPolicy smh/p|spec.trafficShift.destinations"];
    route(&[to("c2", ", weight: 1"), to("c1", ", weight: 2")], "c2 33, c1 67", scaled);
    route(
        &[to("c2", ", weight: 4000000000"), to("c1", ", weight: 4000000000")],
        "c2 50, c1 50",
        scaled,
    );
    // No destination gets calls; and if one is lost, the others would get its calls.
    let nothing = policy("p", &shift(&[to("c2", ""), to("c1", "")]));
    check(&nothing, (&[], &["shop/reviews c1 -> "], scaled));
    let lost = &[
        "TrafficPolicy smh/p|spec.trafficShift",
        "TrafficPolicy smh/p|spec.trafficShift.destinations[1]",
    ];
    let other = to("c2", ", weight: 50").replace("name: reviews", "name: ratings");
    check(&policy("p", &shift(&[to("c2", ", weight: 50"), other])), (&[], &both, lost));
    let header = "{clusterHeader: x, weight: 50}".to_string();
    check(&policy("p", &shift(&[to("c2", ", weight: 50"), header])), (&[], &both, lost));
}

/// Several policies of one service are one; the first that says something is heard.
#[test]
fn policies_of_one_service() {
    let one = ["shop/reviews c1 -> "];
    let text = policy("a", "  requestTimeout: 5s") + &policy("b", "  retries: {attempts: 3}");
    check(&text, (&["a shop/reviews from c1: timeout 5s, retries 3"], &one, &[]));
    let same = policy("a", "  requestTimeout: 5s") + &policy("b", "  requestTimeout: 5s");
    check(&same, (&["a shop/reviews from c1: timeout 5s"], &one, &[]));
    let differ = policy("a", "  requestTimeout: 5s")
        + &policy("b", "  requestTimeout: 6s\n  retries: {attempts: 3}");
    let lost = ["TrafficPolicy smh/b|spec.requestTimeout"];
    check(&differ, (&["a shop/reviews from c1: timeout 5s, retries 3"], &one, &lost));
    // The older one comes first.
    let time = |text: &str, time: &str| {
        text.replace("name: ", &format!("creationTimestamp: '{time}', name: "))
    };
    let dated = time(&policy("a", "  requestTimeout: 5s"), "2021-02-01T00:00:00Z")
        + &time(&policy("b", "  requestTimeout: 6s"), "2021-01-01T00:00:00Z");
    let dated = dated
        .replace("clusterName: c1, creationTimestamp: '2021-02-01T00:00:00Z',", "clusterName: c1,");
    let dated = dated
        .replace("clusterName: c1, creationTimestamp: '2021-01-01T00:00:00Z',", "clusterName: c1,");
    let lost = ["TrafficPolicy smh/a|spec.requestTimeout"];
    check(&dated, (&["b shop/reviews from c1: timeout 6s"], &one, &lost));
    // One that matches every request hides what others say about requests, and nothing else.
    let every = policy("a", "  requestTimeout: 5s\n  outlierDetection: {consecutiveErrors: 4}")
        + &policy("b", "  retries: {attempts: 3}\n  httpRequestMatchers: [{prefix: /}]");
    let lost = ["TrafficPolicy smh/a|spec"];
    check(&every, (&["b shop/reviews from c1: retries 3, outlier 4"], &one, &lost));
}

/// A FailoverService over c1 and c2, of which c1 knows.
const FAILOVER: &str = "---
apiVersion: networking.smh.solo.io/v1alpha2
kind: FailoverService
metadata: {name: over, namespace: smh}
spec:
  hostname: over.shop.global
  port: {number: 80, protocol: http}
  meshes: [{name: istiod-istio-system-c1, namespace: smh}]
  backingServices:
  - kubeService: {name: reviews, namespace: shop, clusterName: c1}
  - kubeService: {name: reviews, namespace: shop, clusterName: c2}
";

#[test]
fn failovers() {
    let both = ["shop/reviews c1 -> ", "shop/reviews c2 -> c1"];
    let ejects = policy("ejects", "  outlierDetection: {consecutiveErrors: 1}");
    let host = "FailoverService smh/over|spec.hostname";
    let check_text =
        |text: &str, policies: &[&str], lost: &[&str]| check(text, (policies, &both, lost));
    let text = format!("{FAILOVER}{ejects}");
    check_text(&text, &["over shop/reviews from c1: failover c1 c2, outlier 1"], &[host]);
    // Only with outlier detection does it do anything; that of any of its services will do.
    check_text(FAILOVER, &[], &["FailoverService smh/over|spec.backingServices", host]);
    let elsewhere = ejects.replace("clusterName: c1", "clusterName: c2");
    let wanted = [
        "ejects shop/reviews from c2: outlier 1",
        "over shop/reviews from c1: failover c1 c2, outlier 1",
    ];
    check_text(&format!("{FAILOVER}{elsewhere}"), &wanted, &[host]);
    // A route that is nothing but a failover, and one in which a failover has a share.
    let all = policy("all", &shift(&["{failoverService: {name: over, namespace: smh}}".into()]));
    check_text(
        &format!("{all}{ejects}{FAILOVER}"),
        &["all shop/reviews from c1: failover c1 c2, outlier 1"],
        &[host],
    );
    let share =
        "{failoverService: {name: over, namespace: smh, subset: {version: v1}}, weight: 40}"
            .to_string();
    let shared = policy("part", &shift(&[to("c2", ", weight: 60"), share]));
    let lost = [
        "FailoverService smh/over|spec.backingServices",
        host,
        "TrafficPolicy smh/part|spec.trafficShift.destinations[1]",
    ];
    let imported = check_text(
        &format!("{shared}{ejects}{FAILOVER}"),
        &["part shop/reviews from c1: c2 60, c1/version-v1 40, outlier 1"],
        &lost,
    );
    assert_eq!(imported.spec.services[0].subsets.len(), 1);
    // Other names, and none.
    let other = FAILOVER.replacen("name: reviews", "name: ratings", 1);
    check(&other, (&[], &[], &["FailoverService smh/over|spec"]));
    let lost = [
        "TrafficPolicy smh/all|spec.trafficShift",
        "TrafficPolicy smh/all|spec.trafficShift.destinations[0]",
    ];
    check(&all, (&[], &["shop/reviews c1 -> "], &lost));
}

#[test]
fn gloo_mesh_1() {
    let v1 = |text: &str| {
        text.replace("networking.smh.solo.io/v1alpha2", "networking.mesh.gloo.solo.io/v1")
    };
    let both = ["shop/reviews c1 -> ", "shop/reviews c2 -> c1"];
    let destinations = format!(
        "  policy:\n    trafficShift: {{destinations: [{}]}}\n    requestTimeout: 5s\n    csrf: {{enabled: true}}\n    colour: blue",
        to("c2", "")
    );
    let lost = ["TrafficPolicy smh/p|spec.policy.colour", "!TrafficPolicy smh/p|spec.policy.csrf"];
    check(
        &v1(&policy("p", &destinations)),
        (&["p shop/reviews from c1: c2 100, timeout 5s"], &both, &lost),
    );
    // A condition that is not known, and settings where Service Mesh Hub had them.
    let routed = v1(&policy("p", "  routeSelector: [{}]\n  policy: {requestTimeout: 5s}"));
    check(&routed, (&[], &[], &["TrafficPolicy smh/p|spec.routeSelector"]));
    check(
        &v1(&policy("p", "  requestTimeout: 5s")),
        (&[], &[], &["TrafficPolicy smh/p|spec.requestTimeout"]),
    );
    let text = "apiVersion: networking.enterprise.mesh.gloo.solo.io/v1beta1
kind: VirtualDestination
metadata: {name: over, namespace: gloo}
spec:
  hostname: over.global
  virtualMesh: {name: mesh, namespace: gloo}
";
    let list = "  static:
    destinations:
    - kubeService: {name: reviews, namespace: shop, clusterName: c1}
    - kubeService: {name: reviews, namespace: shop, clusterName: c2}
";
    let ejects = v1(&policy("e", "  policy: {outlierDetection: {consecutiveErrors: 2}}"));
    check(
        &format!("{text}{list}{ejects}"),
        (
            &[
                "over-reviews-shop-c1 shop/reviews from c1: failover c1 c2, outlier 2",
                "over-reviews-shop-c2 shop/reviews from c2: failover c1 c2, outlier 2",
            ],
            &["shop/reviews c1 -> c2", "shop/reviews c2 -> c1"],
            &["VirtualDestination gloo/over|spec.hostname"],
        ),
    );
    let local = format!(
        "{text}  localized: {{outlierDetection: {{}}, failoverDirectives: [{{from: {{region: a}}}}]}}\n"
    );
    check(&local, (&[], &[], &["VirtualDestination gloo/over|spec.localized"]));
    let gateway = "apiVersion: networking.enterprise.mesh.gloo.solo.io/v1beta1\nkind: VirtualGateway\nmetadata: {name: g, namespace: gloo}\n";
    check(gateway, (&[], &[], &["VirtualGateway gloo/g|"]));
}

/// Which clusters get entries, and what restricted calls.
#[test]
fn virtual_meshes() {
    let services = policy("p", "  requestTimeout: 5s")
        + &policy("q", "  requestTimeout: 5s").replace("clusterName: c1", "clusterName: c2");
    let mesh = |api: &str, federation: &str| {
        format!(
            "{services}---
apiVersion: {api}
kind: VirtualMesh
metadata: {{name: m, namespace: smh}}
spec:
  globalAccessPolicy: DISABLED
  meshes: [{{name: istiod-istio-system-c1}}, {{name: istiod-istio-system-c2}}, {{name: c3}}]
  federation: {federation}
"
        )
    };
    let policies = ["p shop/reviews from c1: timeout 5s", "q shop/reviews from c2: timeout 5s"];
    let (old, new) = ("networking.smh.solo.io/v1alpha2", "networking.mesh.gloo.solo.io/v1");
    let importers = |api: &str, federation: &str, c1: &str, c2: &str, lost: &[&str]| {
        let services = [format!("shop/reviews c1 -> {c1}"), format!("shop/reviews c2 -> {c2}")];
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        check(&mesh(api, federation), (&policies, &services, lost))
    };
    importers(old, "{}", "c2 c3", "c1 c3", &[]);
    importers(new, "{permissive: {}}", "c2 c3", "c1 c3", &[]);
    importers(new, "{}", "", "", &[]);
    importers(new, "{selectors: [{}]}", "c2 c3", "c1 c3", &[]);
    importers(new, "{selectors: [{meshes: [{name: c3}]}]}", "c3", "c3", &[]);
    let one = "{kubeServiceRefs: {services: [{name: reviews, namespace: shop, clusterName: c2}]}}";
    importers(
        new,
        &format!("{{selectors: [{{destinationSelectors: [{one}]}}]}}"),
        "",
        "c1 c3",
        &[],
    );
    let lost = ["VirtualMesh smh/m|spec.federation.selectors[0]"];
    let labels =
        "{selectors: [{destinationSelectors: [{kubeServiceMatcher: {labels: {app: reviews}}}]}]}";
    importers(new, labels, "", "", &lost);
    let lost = ["VirtualMesh smh/m|spec.federation.flatNetwork"];
    let imported = importers(
        new,
        "{selectors: [{}], flatNetwork: true, hostnameSuffix: mesh}",
        "c2 c3",
        "c1 c3",
        &lost,
    );
    assert_eq!(imported.spec.dns.suffix, "mesh");
    let access = "---\napiVersion: networking.mesh.gloo.solo.io/v1\nkind: AccessPolicy\nmetadata: {name: a, namespace: smh}\nspec: {}\n";
    let text = mesh(new, "{}").replace("DISABLED", "ENABLED") + access;
    let lost = ["!AccessPolicy smh/a|", "!VirtualMesh smh/m|spec.globalAccessPolicy"];
    check(&text, (&policies, &["shop/reviews c1 -> ", "shop/reviews c2 -> "], &lost));
}

#[test]
fn every_field_is_read_or_reported() {
    let text = "
apiVersion: networking.mesh.gloo.solo.io/v1alpha2
kind: TrafficPolicy
metadata: {namespace: gloo-mesh, name: all}
spec:
  destinationSelector:
  - kubeServiceMatcher: {namespaces: [a]}
  - kubeServiceRefs: {services: [{clusterName: c1, name: s, namespace: n}]}
  trafficShift:
    destinations:
    - {kubeService: {clusterName: c2, name: s, namespace: n, port: 80, subset: {a: b, region: eu}}, weight: 99, options: {headerManipulation: {removeRequestHeaders: [x]}}}
    - {kubeService: {clusterName: c1, name: s, namespace: n}, weight: 1}
  faultInjection: {percentage: 1}
  requestTimeout: {seconds: 1, nanos: 500000000}
  retries: {attempts: 3, perTryTimeout: 2s}
  corsPolicy: {maxAge: 1s}
  mirror: {kubeService: {clusterName: c2, name: s, namespace: n}, percentage: 12.5, port: 80}
  headerManipulation: {removeRequestHeaders: [x]}
  outlierDetection: {consecutiveErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 100}
  colour: blue
";
    let fields = [
        "colour",
        "corsPolicy",
        "destinationSelector[0].kubeServiceMatcher",
        "faultInjection",
        "headerManipulation",
        "mirror.percentage",
        "mirror.port",
        "trafficShift.destinations[0].options",
    ];
    let fields = fields.map(|field| format!("TrafficPolicy gloo-mesh/all|spec.{field}"));
    let wanted = [
        "all n/s from c1: c2/a-b-region-eu 99, c1 1, timeout 1500ms, retries 3, mirror c2, outlier 5",
    ];
    let lost: Vec<&str> = fields.iter().map(String::as_str).collect();
    let imported = check(text, (&wanted, &["n/s c1 -> ", "n/s c2 -> c1"], &lost));
    let policy = &imported.spec.policies[0];
    assert_eq!(policy.retries.as_ref().and_then(|r| r.per_try_timeout.as_deref()), Some("2s"));
    assert_eq!(policy.mirror.as_ref().map(|m| m.percent), Some(12));
    assert_eq!(imported.spec.services.iter().map(|s| s.ports.len()).collect::<Vec<_>>(), [1, 1]);
}

/// A name that Admiral made: from the cluster in west, east is behind a gateway.
const ADMIRAL: &str = "---
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata: {name: stage.cart.global-se, namespace: admiral-sync, labels: {identity: cart}}
spec:
  hosts: [stage.cart.global]
  addresses: [240.0.10.1]
  ports: [{name: http, number: 80, protocol: http}]
  endpoints:
  - {address: cart.shop.svc.cluster.local, locality: west, ports: {http: 8080}}
  - {address: gw.east.example.com, locality: east, ports: {http: 15443}}
";

#[test]
fn admiral() {
    let services = ["shop/cart east -> west", "shop/cart west -> "];
    let entry = [
        "ServiceEntry admiral-sync/stage.cart.global-se|spec.endpoints.locality",
        "ServiceEntry admiral-sync/stage.cart.global-se|spec.hosts",
    ];
    let imported = check(ADMIRAL, (&[], &services, &entry));
    let east = &imported.spec.clusters[0];
    assert_eq!(
        east.gateway.as_ref().map(|gateway| &gateway.addresses[..]),
        Some(&["gw.east.example.com".into()][..])
    );
    assert_eq!(imported.spec.services[0].ports[0].number, 8080);
    let policy = |text: &str| {
        format!(
            "{ADMIRAL}---\napiVersion: admiral.io/v1alpha1\nkind: GlobalTrafficPolicy\nmetadata: {{name: g, namespace: shop, labels: {{identity: cart}}}}\nspec:\n  policy:\n  - {text}\n"
        )
    };
    let checks = |text: &str, policies: &[&str], lost: &[&str]| {
        let lost: Vec<String> = lost
            .iter()
            .map(|field| format!("GlobalTrafficPolicy shop/g|spec.policy[0]{field}"))
            .collect();
        let lost: Vec<&str> = lost.iter().map(String::as_str).chain(entry).collect();
        check(&policy(text), (policies, &services, &lost));
    };
    let nearest = ["g shop/cart from west: failover west east, outlier 50"];
    checks("{dnsPrefix: default, lbType: 0}", &nearest, &[".outlier_detection"]);
    checks(
        "{dnsPrefix: stage, lbType: TOPOLOGY, outlier_detection: {consecutive_gateway_errors: 7, interval: 5, base_ejection_time: 9}}",
        &["g shop/cart from west: failover west east, outlier 7"],
        &[],
    );
    checks(
        "{dnsPrefix: default, lbType: 1, target: [{region: west, weight: 20}, {region: east, weight: 80}]}",
        &["g shop/cart from west: west 20, east 80"],
        &[],
    );
    checks(
        "{dnsPrefix: default, lbType: 1, target: [{region: west, weight: 0}, {region: east, weight: 100}]}",
        &["g shop/cart from west: east 100"],
        &[],
    );
    // A region that is not known, and a second name.
    checks(
        "{dnsPrefix: default, lbType: 1, target: [{region: north, weight: 100}]}",
        &[],
        &[".target"],
    );
    checks("{dnsPrefix: east, lbType: 1, target: [{region: east, weight: 100}]}", &[], &[""]);
    // What says nothing of a spec's is named.
    let other = |kind: &str| {
        format!(
            "apiVersion: admiral.io/v1alpha1\nkind: {kind}\nmetadata: {{name: d, namespace: admiral}}\nspec: {{source: web, destinations: [cart]}}\n"
        )
    };
    check(&other("Dependency"), (&[], &[], &["Dependency admiral/d|spec.destinations"]));
    check(&other("OutlierDetection"), (&[], &[], &["OutlierDetection admiral/d|spec"]));
    check(&other("RoutingPolicy"), (&[], &[], &["RoutingPolicy admiral/d|"]));
    check(
        &other("GlobalTrafficPolicy"),
        (&[], &[], &["GlobalTrafficPolicy admiral/d|spec.policy"]),
    );
    let rule = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: stage.cart.global-default-dr, namespace: mesh}\nspec: {host: stage.cart.global}\n";
    check(rule, (&[], &[], &["DestinationRule mesh/stage.cart.global-default-dr|"]));
    let far = ADMIRAL.replace("cart.shop.svc.cluster.local", "gw.west.example.com");
    check(&far, (&[], &[], &["ServiceEntry admiral-sync/stage.cart.global-se|spec.endpoints"]));
}

#[test]
fn istios_own_multi_primary() {
    let text = "
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: one}
spec:
  values: {global: {meshID: mesh1, multiCluster: {clusterName: east}, network: net1}}
  meshConfig: {trustDomain: east.example}
---
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: eastwest}
spec: {values: {global: {network: net1}}}
---
apiVersion: v1
kind: Service
metadata: {name: istio-eastwestgateway, namespace: istio-system, labels: {istio: eastwestgateway, topology.istio.io/network: net1}}
status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: istio-remote-secret-west, namespace: istio-system, labels: {istio/multiCluster: 'true'}}
stringData: {west: private}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: cross-network-gateway, namespace: istio-system}
spec:
  selector: {istio: eastwestgateway}
  servers: [{port: {number: 15443, name: tls, protocol: TLS}, tls: {mode: AUTO_PASSTHROUGH}, hosts: ['*.local']}]
";
    let lost = [
        "Gateway istio-system/cross-network-gateway|spec.servers",
        "IstioOperator eastwest|spec",
        "IstioOperator one|spec.values.global.multiCluster",
        "Secret istio-system/istio-remote-secret-west|data",
    ];
    let imported = check(text, (&[], &[], &lost));
    let clusters = &imported.spec.clusters;
    assert_eq!(imported.spec.name, "mesh1");
    assert!(clusters.iter().all(|cluster| cluster.remote_secrets));
    assert_eq!(
        (clusters[0].name.as_str(), clusters[0].trust_domain.as_str()),
        ("east", "east.example")
    );
    assert_eq!(clusters[0].network.as_deref(), Some("net1"));
    assert_eq!(clusters[0].gateway.as_ref().map(|gateway| gateway.addresses.len()), Some(1));
    assert_eq!(clusters[1].name, "west");
    assert!(!imported.lost.iter().any(|lost| lost.why.contains("private")));
}

#[test]
fn what_is_no_policy() {
    let code = |text: &str| import(&[text], None).unwrap_err().code();
    assert_eq!(code("kind: Service\napiVersion: v1\n"), "config/needs");
    assert_eq!(code("a: ["), "config/syntax");
    assert_eq!(code(""), "config/needs");
}
