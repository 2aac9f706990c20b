//! `meshctl rotate root` over clusters in memory: what it says of them, and when it writes nothing. Real ones are in
//! `mesh_calls::calls_go_on_while_roots_are_replaced`.

use meshpki::cacerts::Secret;
use meshpki::{Cert, Time};
use tests::cli::ended;
use tests::rotation::World;
use tests::schema;

const GOAL: &str = "@/new --context east,west --bridge @/bridge.pem";

/// The new CA of a cluster with the bridge and the old roots.
fn bridged(world: &World, name: &str) -> Secret {
    let (old, mut secret) =
        (world.folder(&format!("old/{name}")), world.folder(&format!("new/{name}")));
    let chain = secret.chain(meshpki::istiod::Version::NEWEST);
    let (roots, below): (Vec<&Cert>, Vec<&Cert>) =
        chain.iter().partition(|cert| cert.is_self_issued());
    let text = |certs: Vec<&Cert>| certs.into_iter().map(Cert::to_pem).collect::<String>();
    let chain = text(below) + &world.shell.scratch.read("bridge.pem") + &text(roots);
    secret.insert("cert-chain.pem", chain.into_bytes());
    secret.insert("root-cert.pem", old.get("root-cert.pem").expect("roots").to_vec());
    secret
}

/// A bridge ends before the CA below it: that is reported when the rotation has to continue, with its command.
#[test]
fn a_bridge_that_ends_before_the_new_ca() {
    let mut world = World::new(&["east", "west"]);
    let lacks = |ran: &tests::cli::Ran, part: &str| {
        assert!(!ran.out.contains(part), "{}{}", ran.out, ran.err);
    };
    let first = world.run(&format!("rotate root next {GOAL} --yes --dry-run client"));
    ended(&first, 0, &["bridged (east, west): ", "secret: changed"]);
    lacks(&first, "warning[");
    for name in ["east", "west"] {
        let secret = bridged(&world, name);
        world.hold(name, &secret);
        for file in ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"] {
            let content = secret.get(file).expect("a file");
            world.shell.scratch.write_key(&format!("sent/{name}/{file}"), content);
        }
    }
    let days = |days: i64| Time(meshctl::io::system_time().0 + days * 86_400);
    let check = |command: &str, at: i64, status: u8, parts: &[&str]| {
        let ran = world.run_at(command, days(at));
        ended(&ran, status, parts);
        lacks(&ran, "outlives-issuer");
        lacks(&ran, "remove it from cert-chain.pem");
        ran
    };
    for command in ["status --context east,west", "check --context east,west", "check @/sent"] {
        let quiet = check(command, 0, 0, &["0 errors, 0 warnings"]);
        lacks(&quiet, "next:");
    }
    let soon = [
        "warning[istiod/expires-soon]: east: a rotation is not finished, and its bridge expires within 30 days",
        "`new root`",
        "in 19 days",
        "whoever trusts only `old root` rejects its workloads",
        "fix: finish the rotation, or have the owner of `old root` cross-sign the new root again",
        "next: meshctl rotate root next NEW --context east,west\n",
    ];
    check("check --context east,west", 70, 0, &soon);
    // What istiod presents has ended by then, too.
    check("status --context east,west", 70, 2, &[soon[0], soon[5]]);
    let report = world.run_at("report --context east,west", days(70));
    ended(&report, 2, &["<code class=\"next\">meshctl rotate root next NEW --context east,west<"]);
    check(
        "check @/sent",
        70,
        0,
        &[soon[0], "next: meshctl rotate root next NEW --context east=CONTEXT\n"],
    );
    let late = ["error[istiod/expired]: east: ", soon[4], soon[5]];
    check("check --context east,west", 100, 2, &late);
    // The command continues the rotation.
    let next = soon[5].trim_start_matches("next: meshctl ").trim_end().replace("NEW", "@/new");
    ended(&world.run(&format!("{next} --yes --dry-run client")), 0, &["switched (east, west): "]);
    // A chain without the new root is not that of a rotation, which would end by itself.
    let path = "sent/east/cert-chain.pem";
    let chain = world.shell.scratch.read(path);
    let blocks: Vec<&str> = chain.split_inclusive("-----END CERTIFICATE-----\n").collect();
    assert_eq!(blocks.len(), 3, "{chain}");
    world.shell.scratch.write_key(path, blocks[..2].concat());
    ended(&world.run("check @/sent/east"), 0, &["warning[istiod/outlives-issuer]: east: "]);
}

fn pods(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("cart-{number}")).collect()
}

#[test]
fn what_is_said_of_each_phase() {
    let mut world = World::new(&["east", "west"]);
    for name in ["east", "west"] {
        let old = world.folder(&format!("old/{name}"));
        world.site(name).run_pods(&pods(2), &old, &old);
    }
    let plan = world.run(&format!("rotate root plan {GOAL}"));
    let steps =
        ["1. bridged (east, west): ", "2. switched (east, west): ", "3. done (east, west): "];
    ended(&plan, 0, &steps);
    ended(
        &plan,
        0,
        &["east: istiod loads it; nothing restarts", "next: meshctl rotate root next "],
    );
    let json = world.good(&format!("rotate root plan {GOAL} -o json"));
    schema::check("root-rotation-plan", &json);
    let overlap = world.run("rotate root plan @/new --context east,west");
    ended(
        &overlap,
        0,
        &["1. prepared (", "2. activated (", "3. done (", "istiod restarts; no workload"],
    );
    let none = world.run("rotate root plan @/new --context east,west --strategy bridge");
    let lacking = [
        "east does not get to the new CA:",
        "no bridge: `new root`",
        "meshctl ca cross-sign --ca OLD-CA",
    ];
    ended(&none, 2, &lacking);
    let status = world.run(&format!("rotate root status {GOAL}"));
    ended(&status, 2, &["east     old    `old east`", "2 asked", "ready: bridged (east, west)"]);
    let json = world.run(&format!("rotate root status {GOAL} -o json"));
    assert_eq!(json.status, 2, "{}", json.err);
    schema::check("root-rotation", &json.out);
    for name in ["east", "west"] {
        let secret = bridged(&world, name);
        world.hold(name, &secret);
    }
    // Proxies still have the old certificates.
    let next = world.run(&format!("rotate root next {GOAL} --yes"));
    let parts = [
        "east     bridged  `new east`",
        "east waits:\n   pods shop/cart-1, shop/cart-2 in east have certificates of `old east`",
        "proxies of east would reject workloads of west: ",
        "safe from 20",
        "earlier if these pods restart: shop/cart-1, shop/cart-2\n",
        "come back after 20",
    ];
    ended(&next, 0, &parts);
    let forced =
        world.run(&format!("rotate root next {GOAL} --yes --force ctl/drop-gate --dry-run client"));
    ended(&forced, 0, &["warning[ctl/drop-gate]: ", "switched (east, west): ", "secret: changed"]);
    let distrust = world.run(&format!("rotate root next {GOAL} --yes --distrust --dry-run client"));
    ended(&distrust, 0, &["warning[ctl/drop-gate]: ", "done (east, west): "]);
    assert_eq!(world.sites.iter().map(|(_, site)| site.writes()).sum::<usize>(), 0);
}

#[test]
fn what_keeps_the_gate_closed() {
    let mut world = World::new(&["east", "west"]);
    for name in ["east", "west"] {
        let secret = bridged(&world, name);
        world.hold(name, &secret);
        world.site(name).run_pods(&pods(1), &secret, &secret);
    }
    let check = |world: &World, status: u8, parts: &[&str]| {
        let ran = world.run(&format!("rotate root next {GOAL} --yes --dry-run client"));
        ended(&ran, status, parts);
    };
    check(&world, 0, &["switched (east, west): "]);
    // Of what cannot be seen, every certificate must have ended first: that is 90 days after istiod loaded the CA.
    world.site("west").put_pod("cart-9");
    let unseen = [
        "not seen: pod shop/cart-9 in west: ",
        "may be of the old CA until 20",
        "west is not known",
    ];
    check(&world, 0, &unseen);
    world.site("west").api.remove("/api/v1/pods/cart-9");
    let entry = serde_json::json!({"metadata": {"name": "vm-1", "namespace": "shop"}});
    let entries = "/apis/networking.istio.io/v1beta1/workloadentries/vm-1";
    world.site("west").api.put(entries, entry);
    check(&world, 0, &["not seen: workload entry shop/vm-1 in west: it is outside the cluster"]);
    world.site("west").api.remove(entries);
    // A secret that istiod has not loaded.
    let loaded = bridged(&world, "west");
    let switched = world.folder("new/west");
    world.hold("west", &switched);
    world.site("west").put_secret(&loaded);
    let ran = world.run(&format!("rotate root status {GOAL}"));
    let open = "west: pod istiod-a has not loaded the secret";
    ended(&ran, 2, &[&format!("ready: finish the push to {open}")]);
    world.hold("west", &loaded);
    // A secret that someone has edited by hand.
    let path = "/api/v1/namespaces/istio-system/secrets/cacerts";
    let mut edited = world.site("west").api.object(path).expect("a secret");
    edited["metadata"]["managedFields"][0]["manager"] = "kubectl-edit".into();
    world.site("west").api.put(path, edited);
    let ran = world.run(&format!("rotate root status {GOAL}"));
    ended(&ran, 2, &["not ours: `kubectl-edit` wrote secret cacerts of west"]);
    let foreign = "error[apply/foreign]: secret cacerts is managed by another tool: `kubectl-edit`";
    check(&world, 2, &[foreign]);
    world.hold("west", &loaded);
    // Another hour.
    let later = Time(meshctl::io::system_time().0 + 3600);
    let ran = world.run_at(&format!("rotate root next {GOAL} --yes"), later);
    let clock = "error[ctl/clock-differs]: the clocks of east and of this machine differ";
    ended(&ran, 2, &[clock, "the API server has 20"]);
    // A cluster that does not answer.
    world.sites.retain(|(name, _)| *name != "west");
    let ran = world.run(&format!("rotate root next {GOAL} --yes"));
    ended(&ran, 1, &["west is not known: ", "error[apply/unreachable]: "]);
    assert_eq!(world.sites[0].1.writes(), 0);
}

#[test]
fn a_partner_keeps_the_bridge() {
    let mut world = World::new(&["east"]);
    let mut switched = bridged(&world, "east");
    let roots = world.shell.scratch.read("new/root-cert.pem");
    switched.insert("root-cert.pem", roots.clone().into_bytes());
    world.hold("east", &switched);
    world.site("east").run_pods(&pods(1), &switched, &switched);
    let next = "rotate root next @/new --context east --yes --dry-run client";
    ended(&world.run(next), 0, &["done (east): has the new CA and nothing of the old one"]);
    let old = world.shell.scratch.read("old/root-cert.pem");
    world.shell.scratch.write("shop.pem", &old);
    let partner = format!("{next} --partner shop=@/shop.pem");
    let parts = [
        "partner shop trusts `old root`",
        "shop trusts only `old root`",
        "proxies of shop would reject workloads of east: ",
        "time alone does not open the gate",
    ];
    ended(&world.run(&partner), 2, &parts);
    world.shell.scratch.write("shop.pem", old + &roots);
    ended(&world.run(&partner), 0, &["done (east): "]);
    world.good("trust bundle export @/new --trust-domain us.example --out @/shop.json");
    let bundle = format!("{next} --partner shop=@/shop.json");
    ended(&world.run(&bundle), 0, &["done (east): "]);
    let wrong = world.run(&format!("{next} --partner shop"));
    ended(&wrong, 64, &["error[ctl/usage]: invalid partner `shop`: expected NAME=FILE"]);
    let none = world.run(&format!("{next} --partner shop=@/nothing.pem"));
    ended(&none, 1, &["error[ctl/io]: "]);
}

/// With `ENABLE_CLUSTER_TRUST_BUNDLE_API`, istiod keeps the roots in one place for all namespaces.
#[test]
fn roots_in_a_cluster_trust_bundle() {
    let mut world = World::new(&["east"]);
    let roots = |dir: &str| world.shell.scratch.read(&format!("{dir}/root-cert.pem"));
    let (old, new) = (roots("old"), roots("new"));
    let held = world.folder("old/east");
    let site = world.site("east");
    site.run_pods(&pods(1), &held, &held);
    let deployment = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
    let mut istiod = site.api.object(deployment).expect("istiod");
    istiod["spec"]["template"]["spec"]["containers"][0]["env"] =
        serde_json::json!([{"name": "ENABLE_CLUSTER_TRUST_BUNDLE_API", "value": "true"}]);
    site.api.put(deployment, istiod);
    site.api.remove("/api/v1/configmaps/shop");
    let status = "rotate root status @/new --context east --bridge @/bridge.pem";
    let check = |world: &mut World, version: &str, roots: &str, expect: &str| {
        let bundle = format!(
            "/apis/certificates.k8s.io/{version}/clustertrustbundles/istio.io:istiod-ca:root-cert"
        );
        let object = serde_json::json!({"apiVersion": format!("certificates.k8s.io/{version}"), "kind": "ClusterTrustBundle",
            "metadata": {"name": "istio.io:istiod-ca:root-cert"}, "spec": {"trustBundle": roots}});
        world.site("east").api.put(&bundle, object);
        ended(&world.run(status), 2, &[expect]);
        world.site("east").api.remove(&bundle);
    };
    check(&mut world, "v1beta1", &old, "ready: bridged (east)");
    check(&mut world, "v1", &old, "ready: bridged (east)");
    check(&mut world, "v1beta1", &new, "namespace shop has other roots than the secret");
    ended(&world.run(status), 2, &["namespace shop has other roots than the secret"]);
}

#[test]
fn two_thousand_proxies_are_asked_32_at_a_time() {
    let mut world = World::new(&["east"]);
    let old = world.folder("old/east");
    world.site("east").run_pods(&pods(2000), &old, &old);
    let start = std::time::Instant::now();
    let ran = world.run("rotate root status @/new --context east --bridge @/bridge.pem");
    println!("2,000 proxies: {:.1?}", start.elapsed());
    ended(&ran, 2, &["2000 asked\n", "ready: bridged (east)"]);
    assert!(world.site("east").most_at_once() <= 32);
}
