use alloc::collections::{BTreeMap, BTreeSet};

use meshpki::Time;
use proptest::prelude::*;

use super::*;
use crate::address::{Lock, Taken};
use crate::spec::Spec;

fn rendered(text: &str, lock: &Lock) -> (BTreeMap<String, Vec<Resource>>, Lock) {
    let mesh = Mesh::new(&Spec::read(text).unwrap()).unwrap();
    let addresses = lock.assign(&mesh, &Taken::new(), Time(0)).unwrap();
    let one = |cluster: &MeshCluster| {
        let resources = render(&mesh, cluster, &addresses);
        assert_eq!(kinds(&mesh, cluster), kinds_of(&resources), "{}", cluster.name);
        (cluster.name.clone(), resources)
    };
    (mesh.clusters().iter().map(one).collect(), addresses.lock)
}

/// `apiVersion` and kind of each resource.
fn kinds_of(resources: &[Resource]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    resources.iter().map(|r| (text(&r.value["apiVersion"]), text(&r.value["kind"]))).collect()
}

fn two(from: &str, to: &str) -> String {
    format!(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {{name: a, istioVersion: {from}}}\n\
         - {{name: b, istioVersion: {to}, gateway: {{addresses: [192.0.2.1]}}}}\nservices:\n\
         - {{name: s, namespace: n, cluster: b, ports: [{{name: http, number: 80, protocol: HTTP}}], importedBy: [a]}}\n"
    )
}

/// Calls between clusters that know each other's pods and share a network need no gateway.
#[test]
fn a_gateway_between_networks() {
    let check = |a: &str, b: &str, wanted: bool| {
        let more = |text: String, name: &str, fields: &str| {
            text.replacen(&format!("{{name: {name}, "), &format!("{{name: {name}, {fields}, "), 1)
        };
        let text = more(more(two("1.30.3", "1.30.3"), "a", a), "b", b);
        let (all, _) = rendered(&text, &Lock::default());
        assert_eq!(all["b"].iter().any(|r| r.kind() == "Gateway"), wanted, "{text}");
    };
    let (secrets, net1, both) =
        ("remoteSecrets: true", "network: net1", "remoteSecrets: true, network: net1");
    check(both, both, false);
    check(both, "remoteSecrets: true, network: net2", true);
    // Without a network, each cluster has its own; without remote secrets, pods are not known.
    check(secrets, secrets, true);
    check(net1, net1, true);
    check(both, net1, true);
}

/// Which form works with which release; the EnvoyFilter is never written where it has no effect.
#[test]
fn forms_by_release() {
    let check = |version: &str, filter: Option<&str>, host: &str, api: &str| {
        let (all, _) = rendered(&two("1.30.3", version), &Lock::default());
        let resources = &all["b"];
        let found = resources.iter().find(|r| r.kind() == "EnvoyFilter").map(|r| {
            let value = &r.value["spec"]["configPatches"][0]["patch"]["value"];
            if value["config"].is_null() { "typed_config" } else { "config" }
        });
        assert_eq!(found, filter, "{version}");
        let gateway = resources.iter().find(|r| r.kind() == "Gateway").unwrap();
        assert_eq!(gateway.value["spec"]["servers"][0]["hosts"], json!([host]), "{version}");
        assert_eq!(gateway.value["apiVersion"], format!("networking.istio.io/{api}"), "{version}");
        let sni = &all["a"].iter().find(|r| r.kind() == "DestinationRule").unwrap().value["spec"]["trafficPolicy"]
            ["tls"]["sni"];
        assert_eq!(sni.is_null(), filter.is_some(), "{version}");
    };
    let name = "s.n.svc.cluster.local";
    check("1.6.0", Some("config"), "*.global", "v1alpha3");
    check("1.6.14", Some("config"), "*.global", "v1alpha3");
    check("1.7.0", Some("typed_config"), "*.global", "v1alpha3");
    check("1.7.8", Some("typed_config"), "*.global", "v1alpha3");
    check("1.8.0", None, "*.s.n.svc.cluster.local", "v1beta1");
    check("1.8.5", None, "*.s.n.svc.cluster.local", "v1beta1");
    check("1.8.6", None, name, "v1beta1");
    check("1.9.0", None, "*.s.n.svc.cluster.local", "v1beta1");
    check("1.9.4", None, "*.s.n.svc.cluster.local", "v1beta1");
    check("1.9.5", None, name, "v1beta1");
    check("1.21.6", None, name, "v1beta1");
    check("1.22.0", None, name, "v1");
    check("1.30.3", None, name, "v1");
}

/// The gateway's release determines the dialect, the cluster's own release the apiVersion.
#[test]
fn an_old_caller_of_a_new_gateway() {
    let (all, _) = rendered(&two("1.6.4", "1.30.3"), &Lock::default());
    let rule = &all["a"][1];
    assert_eq!(rule.value["apiVersion"], "networking.istio.io/v1alpha3");
    assert_eq!(
        rule.value["spec"]["trafficPolicy"]["tls"]["sni"],
        "outbound_.80_._.s.n.svc.cluster.local"
    );
}

/// Settings of a port replace the general ones, so each has tls.
#[test]
fn several_ports_each_have_tls() {
    let text = two("1.30.3", "1.30.3").replace("]}, importedBy", "], importedBy").replace(
        "ports: [{name: http, number: 80, protocol: HTTP}]",
        "ports: [{name: http, number: 80, protocol: HTTP}, {name: db, number: 5432, protocol: TCP}], subsets: [{name: v1, labels: {v: '1'}}]",
    );
    let (all, _) = rendered(&text, &Lock::default());
    let rule = &all["a"].iter().find(|r| r.kind() == "DestinationRule").unwrap().value["spec"];
    let snis = |policy: &Value| -> Vec<String> {
        policy["portLevelSettings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["tls"]["sni"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(
        snis(&rule["trafficPolicy"]),
        ["outbound_.80_._.s.n.svc.cluster.local", "outbound_.5432_._.s.n.svc.cluster.local"]
    );
    assert_eq!(
        snis(&rule["subsets"][0]["trafficPolicy"]),
        ["outbound_.80_.v1_.s.n.svc.cluster.local", "outbound_.5432_.v1_.s.n.svc.cluster.local"]
    );
}

/// One generated service on one cluster.
#[derive(Clone, Debug)]
struct Made {
    name: u8,
    cluster: u8,
    subsets: BTreeSet<u8>,
    importers: BTreeSet<u8>,
}

const VERSIONS: [&str; 4] = ["1.6.4", "1.8.2", "1.22.0", "1.30.3"];

fn made() -> impl Strategy<Value = Vec<Made>> {
    let one = (
        0_u8..5,
        0_u8..4,
        prop::collection::btree_set(0_u8..3, 0..3),
        prop::collection::btree_set(0_u8..4, 0..4),
    )
        .prop_map(|(name, cluster, subsets, importers)| Made {
            name,
            cluster,
            subsets,
            importers,
        });
    prop::collection::vec(one, 1..12).prop_map(|mut all| {
        let mut seen = BTreeSet::new();
        all.retain(|made| seen.insert((made.name, made.cluster)));
        all
    })
}

/// The spec of generated services, with a policy for every service on two clusters; `secrets` are the clusters with
/// remote secrets.
fn spec(services: &[Made], order: usize, secrets: u8) -> String {
    let mut clusters: Vec<String> = (0..4_u8)
        .map(|n| {
            let version = VERSIONS[usize::from(n)];
            format!("- {{name: c{n}, istioVersion: {version}, remoteSecrets: {}, gateway: {{addresses: [192.0.2.{n}]}}}}\n", secrets >> n & 1 == 1)
        })
        .collect();
    let mut items: Vec<String> = services
        .iter()
        .map(|made| {
            let subsets: Vec<String> = made.subsets.iter().map(|n| format!("{{name: v{n}, labels: {{version: v{n}}}}}")).collect();
            let importers: Vec<String> = made.importers.iter().filter(|n| **n != made.cluster).map(|n| format!("c{n}")).collect();
            format!(
                "- {{name: s{}, namespace: n, cluster: c{}, ports: [{{name: http, number: 80, protocol: HTTP}}], subsets: [{}], importedBy: [{}]}}\n",
                made.name, made.cluster, subsets.join(", "), importers.join(", ")
            )
        })
        .collect();
    let mut policies: Vec<String> = Vec::new();
    for made in services {
        let Some(client) = made.importers.iter().find(|n| **n != made.cluster) else { continue };
        if policies.iter().any(|known| known.contains(&format!("service: n/s{}", made.name))) {
            continue;
        }
        let subset = made.subsets.first().map_or(String::new(), |n| format!(", subset: v{n}"));
        policies.push(format!("- {{name: p{}, service: n/s{}, clients: [c{client}], route: [{{cluster: c{}{subset}, weight: 100}}]}}\n", made.name, made.name, made.cluster));
    }
    for list in [&mut clusters, &mut items, &mut policies] {
        let by = order % list.len().max(1);
        list.rotate_left(by);
    }
    let policies = if policies.is_empty() { "  []\n".into() } else { policies.concat() };
    format!(
        "apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n{}services:\n{}policies:\n{policies}",
        clusters.concat(),
        items.concat()
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The order of the spec never changes the output.
    #[test]
    fn order_does_not_matter(services in made(), order in 0_usize..20, secrets in 0_u8..16) {
        let (first, _) = rendered(&spec(&services, 0, secrets), &Lock::default());
        let (second, _) = rendered(&spec(&services, order, secrets), &Lock::default());
        prop_assert_eq!(first, second);
    }

    /// Adding a service changes only what belongs to it, and the host list of its gateway.
    #[test]
    fn an_addition_changes_only_its_own(services in made(), secrets in 0_u8..16) {
        let added = Made { name: 9, cluster: 3, subsets: [1].into(), importers: [0, 1, 2].into() };
        let (before, lock) = rendered(&spec(&services, 0, secrets), &Lock::default());
        let more: Vec<Made> = services.iter().cloned().chain([added]).collect();
        let (after, _) = rendered(&spec(&more, 0, secrets), &lock);
        for (cluster, resources) in &before {
            for resource in resources {
                let now = after[cluster].iter().find(|r| r.id() == resource.id()).unwrap();
                let mut now = now.clone().into_value();
                if resource.kind() == "Gateway" && cluster == "c3" {
                    let hosts = now["spec"]["servers"][0]["hosts"].as_array_mut().unwrap();
                    hosts.retain(|host| host != "s9.n.svc.cluster.local");
                }
                prop_assert_eq!(&now, &*resource.value);
            }
        }
        for (cluster, resources) in &after {
            let new = resources.iter().filter(|r| !before[cluster].iter().any(|old| old.id() == r.id()));
            for resource in new.filter(|r| r.service.is_some()) {
                prop_assert_eq!(resource.service.as_deref(), Some("n/s9"));
            }
        }
    }

    /// Every subset a caller names exists on the serving cluster, and rendered resources pass the lint rules.
    #[test]
    fn what_is_rendered_has_no_errors(services in made(), secrets in 0_u8..16) {
        let text = spec(&services, 0, secrets);
        let (all, _) = rendered(&text, &Lock::default());
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        let clusters: Vec<crate::lint::LintCluster<'_>> = all
            .iter()
            .map(|(name, resources)| {
                let resources = resources.iter().map(|r| &*r.value).collect();
                crate::lint::LintCluster::new(mesh.cluster(name).unwrap(), resources)
            })
            .collect();
        let problems = crate::lint::lint(&mesh, &clusters);
        let errors: Vec<_> = problems.iter().filter(|p| p.severity == crate::lint::LintSeverity::Error).collect();
        prop_assert!(errors.is_empty(), "{:#?}\n{}", errors, text);
        // With remote secrets, both sides name the subsets of the service's other clusters alike.
        let pinned = |cluster: &str, name: &str| -> BTreeSet<String> {
            let rule = all[cluster].iter().find(|r| r.kind() == "DestinationRule" && r.name() == format!("{name}.mesh"));
            let subsets = rule.and_then(|r| r.value["spec"]["subsets"].as_array()).into_iter().flatten();
            subsets.filter(|s| !s["labels"]["topology.istio.io/cluster"].is_null()).map(ToString::to_string).collect()
        };
        for made in &services {
            let secret = |n: u8| secrets >> n & 1 == 1;
            for from in made.importers.iter().filter(|n| **n != made.cluster && secret(**n) && secret(made.cluster)) {
                let name = format!("s{}", made.name);
                let home = pinned(&format!("c{}", made.cluster), &name);
                let theirs = pinned(&format!("c{from}"), &name);
                prop_assert!(theirs.is_subset(&home), "{:?} {:?}", theirs, home);
            }
        }
        let ids: Vec<String> = all.values().flat_map(|r| r.iter().map(Resource::id)).collect();
        for (cluster, resources) in &all {
            let unique: BTreeSet<String> = resources.iter().map(Resource::id).collect();
            prop_assert_eq!(unique.len(), resources.len(), "{} has two of one name: {:?}", cluster, ids);
        }
    }
}
