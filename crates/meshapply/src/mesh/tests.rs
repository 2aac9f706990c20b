//! Whole applies to clusters in memory, on a clock that jumps.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use meshconfig::apply::{Step, Write};
use meshconfig::{Lock, Mesh, Spec, address};
use meshpki::Time;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

/// Calls of `reviews` from `a` go to `b` and `c`, `ratings` is called by `a` and `b`; the DNS of `a` knows the names.
const FIRST: &str = "
apiVersion: meshctl/v1
kind: Mesh
clusters:
- {name: a, istioVersion: 1.30.3, dns: {way: hosts}}
- {name: b, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.2]}}
- {name: c, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.3]}}
services:
- {name: reviews, namespace: shop, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], subsets: [{name: v1, labels: {v: '1'}}], importedBy: [a]}
- {name: reviews, namespace: shop, cluster: c, ports: [{name: http, number: 80, protocol: HTTP}], subsets: [{name: v1, labels: {v: '1'}}, {name: v2, labels: {v: '2'}}], importedBy: [a]}
- {name: ratings, namespace: shop, cluster: c, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [a, b]}
policies:
- name: reviews
  service: shop/reviews
  clients: [a]
  route: [{cluster: b, subset: v1, weight: 75}, {cluster: c, subset: v1, weight: 25}]
";

/// The same mesh later: `reviews` has moved to `c`, with another subset, and `ratings` to `b`.
fn second() -> String {
    FIRST
        .replace("subsets: [{name: v1, labels: {v: '1'}}, {name: v2, labels: {v: '2'}}]", "subsets: [{name: v2, labels: {v: '2'}}, {name: v3, labels: {v: '3'}}]")
        .replace("route: [{cluster: b, subset: v1, weight: 75}, {cluster: c, subset: v1, weight: 25}]", "route: [{cluster: c, subset: v3, weight: 100}]")
        .replace("- {name: reviews, namespace: shop, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], subsets: [{name: v1, labels: {v: '1'}}], importedBy: [a]}\n", "")
        .replace("- {name: ratings, namespace: shop, cluster: c, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [a, b]}", "- {name: ratings, namespace: shop, cluster: b, ports: [{name: http, number: 80, protocol: HTTP}], importedBy: [a]}")
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const MINE: &str = ".:53 {\n    errors\n    reload\n}\n";

/// What another client does, or an API server answers, before a write.
type Between = Box<dyn FnMut(&MemoryCluster, &str, bool) -> Result<(), Error>>;

#[derive(Default)]
struct Trouble {
    /// Everything written: `a + ServiceEntry istio-system/reviews`.
    log: Vec<String>,
    dry_runs: usize,
    /// After this many writes no cluster answers.
    left: Option<usize>,
    /// The write that gets no answer is made.
    lost: bool,
    /// Called with `a + ServiceEntry ..` before each write and dry run.
    between: Option<Between>,
}

struct World {
    clusters: [MemoryCluster; 3],
    trouble: Rc<RefCell<Trouble>>,
    lock: RefCell<Lock>,
}

impl World {
    fn new() -> Self {
        let world = Self {
            clusters: [(); 3].map(|()| MemoryCluster::new()),
            trouble: Rc::default(),
            lock: RefCell::default(),
        };
        world.clusters[0].put(config_map(MINE));
        for (name, cluster) in NAMES.into_iter().zip(&world.clusters) {
            let trouble = Rc::clone(&world.trouble);
            cluster.before_write(move |cluster, request, dry_run| {
                trouble.borrow_mut().on_write(name, cluster, request, dry_run)
            });
        }
        world
    }

    /// A world in which a spec was applied.
    fn at(text: &str) -> Self {
        let world = Self::new();
        world.apply(text).unwrap();
        *world.trouble.borrow_mut() = Trouble::default();
        world
    }

    fn between(
        &self,
        between: impl FnMut(&MemoryCluster, &str, bool) -> Result<(), Error> + 'static,
    ) {
        self.trouble.borrow_mut().between = Some(Box::new(between));
    }

    fn apply(&self, text: &str) -> Result<Applied, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(self.apply_async(text))
    }

    async fn apply_async(&self, text: &str) -> Result<Applied, String> {
        let mesh = Mesh::new(&Spec::read(text).unwrap()).unwrap();
        let clusters: Vec<(&str, &MemoryCluster)> = NAMES.into_iter().zip(&self.clusters).collect();
        let observed = observe(&mesh, &clusters).await.map_err(|error| error.to_string())?;
        let mut taken = address::Taken::new();
        observed.iter().for_each(|one| address::taken(&one.resources, &mut taken));
        let addresses = self.lock.borrow().assign(&mesh, &taken, Time(0)).unwrap();
        let plan = plan(&mesh, &addresses, observed).map_err(|error| error.to_string())?;
        *self.lock.borrow_mut() = addresses.lock;
        let rehearsal = rehearse(&plan, &clusters, Pace::default()).await;
        let rehearsal = rehearsal.map_err(|error| format!("nothing written: {error}"))?;
        let steps = rehearsal.steps().to_vec();
        let reported = RefCell::new(Vec::new());
        let result = rehearsal.carry_out(|step| reported.borrow_mut().push(step.clone())).await;
        let reported = reported.into_inner();
        match result {
            Ok(applied) => {
                assert_eq!((reported, applied.writes), (steps.clone(), steps.len()));
                Ok(applied)
            }
            Err(stopped) => {
                assert_eq!(reported.len(), stopped.written);
                let mut all = [reported, stopped.missing.clone()].concat();
                let mut steps = steps;
                let key = |step: &Step| (step.wave, sign(step), step.cluster.clone());
                all.sort_by_key(key);
                steps.sort_by_key(key);
                assert_eq!(all, steps, "every step is reported or missing");
                let missing: Vec<String> = stopped.missing.iter().map(sign).collect();
                Err(format!("{stopped}; missing: {}", missing.join(", ")))
            }
        }
    }

    fn log(&self) -> Vec<String> {
        self.trouble.borrow().log.clone()
    }

    /// What all clusters have, without versions.
    fn content(&self) -> Vec<(&'static str, String, Value)> {
        let all = NAMES.into_iter().zip(&self.clusters);
        all.flat_map(|(name, cluster)| {
            objects(cluster).into_iter().map(move |(id, mut value)| {
                value["metadata"]["resourceVersion"] = Value::Null;
                value["metadata"]["uid"] = Value::Null;
                (name, id, value)
            })
        })
        .collect()
    }
}

impl Trouble {
    fn on_write(
        &mut self,
        name: &str,
        cluster: &MemoryCluster,
        request: WriteRequest<'_>,
        dry_run: bool,
    ) -> Result<(), Error> {
        let line = format!("{name} {}", line(request));
        if let Some(between) = &mut self.between {
            between(cluster, &line, dry_run)?;
        }
        if dry_run {
            self.dry_runs += 1;
            return Ok(());
        }
        if self.left == Some(0) {
            if std::mem::take(&mut self.lost) {
                cluster.write(request, false).now_or_never().unwrap().unwrap();
            }
            return Err(away());
        }
        self.left = self.left.map(|left| left - 1);
        self.log.push(line);
        Ok(())
    }
}

fn away() -> Error {
    Error::Unreachable { what: "write".into(), message: "no answer".into() }
}

fn line(request: WriteRequest<'_>) -> String {
    let id = |value: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let meta = &value["metadata"];
        format!("{} {}/{}", text(&value["kind"]), text(&meta["namespace"]), text(&meta["name"]))
    };
    match request {
        WriteRequest::Apply { resource, .. } => format!("+ {}", id(resource)),
        WriteRequest::Delete { live } => format!("- {}", id(live)),
        WriteRequest::Edit(edit) => format!("~ {}", edit.id()),
    }
}

fn sign(step: &Step) -> String {
    let sign = match step.write {
        Write::Apply(_) => '+',
        Write::Delete(_) => '-',
        Write::Edit(_) => '~',
    };
    format!("{} {sign} {}", step.cluster, step.write.id())
}

fn config_map(corefile: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"Corefile": corefile},
        "metadata": {"name": "coredns", "namespace": "kube-system"},
    })
}

fn objects(cluster: &MemoryCluster) -> Vec<(String, Value)> {
    let get = |id: String| {
        let (kind, rest) = id.split_once(' ').unwrap();
        let (namespace, name) = rest.split_once('/').unwrap();
        let value = cluster.get(kind, namespace, name).unwrap();
        (id, value)
    };
    cluster.ids().into_iter().map(get).collect()
}

/// Objects of a kind.
fn of(cluster: &MemoryCluster, kind: &str) -> Vec<Value> {
    let all = objects(cluster).into_iter().map(|(_, value)| value);
    all.filter(|value| value["kind"] == kind).collect()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// Every name a caller uses leads through to a subset of the serving cluster.
fn nothing_dangles(world: &World) {
    for (name, cluster) in NAMES.into_iter().zip(&world.clusters) {
        let entries: BTreeSet<String> =
            of(cluster, "ServiceEntry").iter().flat_map(|e| texts(&e["spec"]["hosts"])).collect();
        for call in of(cluster, "VirtualService") {
            let routes = call["spec"]["http"][0]["route"].as_array().unwrap().clone();
            for to in routes.iter().map(|route| &route["destination"]) {
                leads_somewhere(world, name, to, &entries);
            }
        }
    }
    let corefile = world.clusters[0].get("ConfigMap", "kube-system", "coredns").unwrap();
    let corefile = corefile["data"]["Corefile"].as_str().unwrap().to_owned();
    for host in corefile.split_whitespace().filter(|word| word.ends_with(".global")) {
        let known = of(&world.clusters[0], "ServiceEntry");
        assert!(
            known.iter().any(|e| texts(&e["spec"]["hosts"]).contains(&host.to_owned())),
            "{host}"
        );
    }
}

fn leads_somewhere(world: &World, caller: &str, to: &Value, entries: &BTreeSet<String>) {
    let host = to["host"].as_str().unwrap().to_owned();
    let log = world.log();
    let why = || format!("{caller}: {to} leads nowhere after {log:#?}");
    assert!(entries.contains(&host), "{}", why());
    let at = |name: &str| &world.clusters[NAMES.iter().position(|one| *one == name).unwrap()];
    let rule = |cluster: &str, host: &str| {
        of(at(cluster), "DestinationRule").into_iter().find(|rule| rule["spec"]["host"] == host)
    };
    let has = |rule: &Value| {
        let subsets = rule["spec"]["subsets"].as_array().cloned().unwrap_or_default();
        to["subset"].is_null() || subsets.iter().any(|subset| subset["name"] == to["subset"])
    };
    assert!(rule(caller, &host).is_some_and(|rule| has(&rule)), "{}", why());
    let home = host.strip_suffix(".global").unwrap().rsplit('.').next().unwrap();
    let local = format!("{}.svc.cluster.local", host.split(".svc.").next().unwrap());
    let open = of(at(home), "Gateway");
    let open = open.iter().any(|g| texts(&g["spec"]["servers"][0]["hosts"]).contains(&local));
    assert!(open, "{}", why());
    assert!(
        to["subset"].is_null() || rule(home, &local).is_some_and(|rule| has(&rule)),
        "{}",
        why()
    );
}

#[test]
fn wave_by_wave_over_all_clusters() {
    let world = World::new();
    assert_eq!(world.apply(FIRST).map(|applied| applied.writes), Ok(14));
    let first = [
        "b + Gateway istio-system/cross-network-gateway-mesh",
        "c + Gateway istio-system/cross-network-gateway-mesh",
        "a + ServiceEntry istio-system/ratings.shop.c.mesh",
        "a + ServiceEntry istio-system/reviews.shop.b.mesh",
        "a + ServiceEntry istio-system/reviews.shop.c.mesh",
        "b + ServiceEntry istio-system/ratings.shop.c.mesh",
    ];
    assert_eq!(world.log()[..6], first);
    assert_eq!(world.trouble.borrow().dry_runs, 14);
    nothing_dangles(&world);
    // Nothing has changed, so nothing is written or tried.
    assert_eq!(world.apply(FIRST), Ok(Applied::default()));
    assert_eq!((world.log().len(), world.trouble.borrow().dry_runs), (14, 14));
    world.trouble.borrow_mut().log.clear();
    world.apply(&second()).unwrap();
    let second = [
        // What is referred to grows: hosts of gateways, entries, subsets.
        "b + Gateway istio-system/cross-network-gateway-mesh",
        "a + ServiceEntry istio-system/ratings.shop.b.mesh",
        "a + DestinationRule istio-system/ratings.shop.b.mesh",
        "a + DestinationRule istio-system/reviews.shop.c.mesh",
        "c + DestinationRule shop/reviews.mesh",
        // Calls and names move.
        "a + VirtualService istio-system/reviews.shop.mesh",
        "a ~ ConfigMap kube-system/coredns",
        // What nothing refers to any more shrinks or goes.
        "a - DestinationRule istio-system/ratings.shop.c.mesh",
        "a - DestinationRule istio-system/reviews.shop.b.mesh",
        "a + DestinationRule istio-system/reviews.shop.c.mesh",
        "b - DestinationRule istio-system/ratings.shop.c.mesh",
        "b - DestinationRule shop/reviews.mesh",
        "c + DestinationRule shop/reviews.mesh",
        "a - ServiceEntry istio-system/ratings.shop.c.mesh",
        "a - ServiceEntry istio-system/reviews.shop.b.mesh",
        "b - ServiceEntry istio-system/ratings.shop.c.mesh",
        "b + Gateway istio-system/cross-network-gateway-mesh",
        "c + Gateway istio-system/cross-network-gateway-mesh",
    ];
    assert_eq!(world.log(), second);
    nothing_dangles(&world);
}

#[test]
fn proxies_settle_between_waves() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let world = World::new();
    let waited = runtime.block_on(async {
        let start = Instant::now();
        world.apply_async(FIRST).await.unwrap();
        start.elapsed()
    });
    // Gateways, entries, rules, calls, names.
    assert_eq!(waited, Duration::from_secs(4 * 2));
}

/// After every write the clusters can stay as they are, and the next run finishes what is missing.
#[test]
fn interrupted_after_every_write() {
    let all = World::at(FIRST);
    let writes = all.apply(&second()).unwrap().writes;
    for (n, lost) in (0..writes).flat_map(|n| [(n, false), (n, true)]) {
        let world = World::at(FIRST);
        {
            let trouble = &mut *world.trouble.borrow_mut();
            (trouble.left, trouble.lost) = (Some(n), lost);
        }
        let end = world.apply(&second()).unwrap_err();
        let done = format!("cannot write: no answer ({n} of {writes} writes are done); missing: ");
        assert!(end.contains(&done), "{end}");
        nothing_dangles(&world);
        world.trouble.borrow_mut().left = None;
        let resumed = world.apply(&second()).unwrap().writes;
        assert_eq!(n + usize::from(lost) + resumed, writes, "no write is made twice");
        assert_eq!(world.content(), all.content(), "after {n} writes");
        nothing_dangles(&world);
    }
}

const CALL: &str = "a + VirtualService istio-system/reviews.shop.mesh";

/// Something that happens once, just before a write is made.
fn before(world: &World, write: &'static str, mut what: impl FnMut(&MemoryCluster) + 'static) {
    let mut once = true;
    world.between(move |cluster, line, dry_run| {
        if line == write && !dry_run && std::mem::take(&mut once) {
            what(cluster);
        }
        Ok(())
    });
}

#[test]
fn another_client_is_faster() {
    let change = |cluster: &MemoryCluster, kind: &str, change: &dyn Fn(&mut Value)| {
        let mut value = of(cluster, kind).remove(0);
        change(&mut value);
        cluster.put(value);
    };
    let check = |write: &'static str, what: Box<dyn Fn(&MemoryCluster)>, expect: &str| {
        let world = World::at(FIRST);
        before(&world, write, move |cluster| what(cluster));
        let end = match world.apply(&second()) {
            Ok(_) => "done".to_owned(),
            Err(error) => error.split(" (").next().unwrap_or_default().to_owned(),
        };
        assert_eq!(end, expect, "{write}");
        nothing_dangles(&world);
        world
    };
    let conflict = |what: &str| {
        format!("cluster a: the API server refused to {what}: the object has been modified")
    };
    let call = conflict("apply VirtualService istio-system/reviews.shop.mesh");
    // A changed status does not matter.
    check(
        CALL,
        Box::new(move |c| change(c, "VirtualService", &|v| v["status"] = json!("seen"))),
        "done",
    );
    // A change of what is written is kept.
    let theirs = |v: &mut Value| v["spec"]["http"][0]["timeout"] = json!("3s");
    let world = check(CALL, Box::new(move |c| change(c, "VirtualService", &theirs)), &call);
    assert_eq!(of(&world.clusters[0], "VirtualService")[0]["spec"]["http"][0]["timeout"], "3s");
    check(
        CALL,
        Box::new(|c| c.remove("VirtualService", "istio-system", "reviews.shop.mesh")),
        &call,
    );
    // So is a change of what is to be deleted; what is gone already is fine.
    let gone = "a - ServiceEntry istio-system/reviews.shop.b.mesh";
    let label = |v: &mut Value| v["metadata"]["labels"]["mine"] = json!("x");
    let entry = conflict("delete ServiceEntry istio-system/reviews.shop.b.mesh");
    let touch = move |c: &MemoryCluster| {
        let mut entry = c.get("ServiceEntry", "istio-system", "reviews.shop.b.mesh").unwrap();
        label(&mut entry);
        c.put(entry);
    };
    let world = check(gone, Box::new(touch), &entry);
    assert!(world.clusters[0].get("ServiceEntry", "istio-system", "reviews.shop.b.mesh").is_some());
    check(
        gone,
        Box::new(|c| c.remove("ServiceEntry", "istio-system", "reviews.shop.b.mesh")),
        "done",
    );
    // And a change of the Corefile.
    let corefile = conflict("patch ConfigMap kube-system/coredns");
    let edit = move |c: &MemoryCluster| change(c, "ConfigMap", &|v| v["data"]["mine"] = json!("x"));
    let world = check("a ~ ConfigMap kube-system/coredns", Box::new(edit), &corefile);
    assert_eq!(of(&world.clusters[0], "ConfigMap")[0]["data"]["mine"], "x");
}

#[test]
fn another_client_creates_it_first() {
    let world = World::new();
    let theirs = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": {"hosts": ["x"]},
        "metadata": {"name": "reviews.shop.mesh", "namespace": "istio-system"},
    });
    let made = theirs.clone();
    before(&world, CALL, move |cluster| cluster.put(made.clone()));
    let end = world.apply(FIRST).unwrap_err();
    assert!(end.contains("the object has been modified (12 of 14 writes are done)"), "{end}");
    // The next run sees that it belongs to others, and asks no cluster to write.
    world.trouble.borrow_mut().dry_runs = 0;
    let end = world.apply(FIRST).unwrap_err();
    assert_eq!(
        end,
        "nothing written: 1 resources or DNS settings that this mesh needs belong to someone else"
    );
    assert_eq!(world.trouble.borrow().dry_runs, 0);
    assert_eq!(of(&world.clusters[0], "VirtualService")[0]["spec"], theirs["spec"]);
}

#[test]
fn a_refused_rehearsal_writes_nothing() {
    let world = World::at(FIRST);
    let before = world.content();
    world.between(|_, line, dry_run| match line {
        "c + DestinationRule shop/reviews.mesh" if dry_run => {
            Err(Error::Api { what: "apply it".into(), message: "not today".into(), status: 422 })
        }
        _ => Ok(()),
    });
    let end = world.apply(&second()).unwrap_err();
    assert_eq!(end, "nothing written: cluster c: the API server refused to apply it: not today");
    assert_eq!(world.log(), [""; 0]);
    assert_eq!(world.content(), before);
}

/// Writes that were started together all finish; then the failed cluster stops all others.
#[test]
fn one_cluster_fails_half_way() {
    let world = World::new();
    world.between(|_, line, dry_run| match line {
        "b + DestinationRule istio-system/ratings.shop.c.mesh" if !dry_run => Err(away()),
        _ => Ok(()),
    });
    let end = world.apply(FIRST).unwrap_err();
    assert_eq!(
        end,
        "cluster b: cannot write: no answer (11 of 14 writes are done); missing: \
         b + DestinationRule istio-system/ratings.shop.c.mesh, \
         a + VirtualService istio-system/reviews.shop.mesh, a ~ ConfigMap kube-system/coredns"
    );
    assert_eq!(world.log().last().unwrap(), "c + DestinationRule shop/reviews.mesh");
    nothing_dangles(&world);
}

#[test]
fn fields_of_others_stay_and_are_named() {
    let world = World::at(FIRST);
    let mut call = of(&world.clusters[0], "VirtualService").remove(0);
    call["spec"]["gateways"] = json!(["mesh"]);
    world.clusters[0].put(call);
    let altered =
        vec![("a".to_owned(), "VirtualService istio-system/reviews.shop.mesh".to_owned())];
    let applied = world.apply(FIRST).unwrap();
    assert_eq!((applied.writes, applied.altered), (1, altered));
}

/// What cannot be read matters only if something is needed there.
#[test]
fn dns_that_cannot_be_read() {
    let check = |way: &str, error: Error, expect: &str| {
        let text = FIRST.replace("dns: {way: hosts}", &format!("dns: {{way: {way}}}"));
        let mesh = Mesh::new(&Spec::read(&text).unwrap()).unwrap();
        let addresses = Lock::default().assign(&mesh, &address::Taken::new(), Time(0)).unwrap();
        let observed = Observation {
            cluster: "a".into(),
            resources: vec![],
            deciding: vec![],
            dns: Err(error),
        };
        let found = match plan(&mesh, &addresses, vec![observed]) {
            Ok(plan) => match &plan.clusters[0].dns_warning {
                Some(DnsWarning::Unseen(error)) => format!("unseen: {error}"),
                Some(DnsWarning::NoAddress(error)) => format!("no address: {}", error.code()),
                None => "fine".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect, "{way}");
    };
    let forbidden = || Error::Forbidden { what: "read it".into(), message: "no".into() };
    check("hosts", forbidden(), "cluster a: not allowed to read it: no");
    check("proxy", forbidden(), "unseen: not allowed to read it: no");
    check("proxy", away(), "cluster a: cannot write: no answer");
    check("istio-coredns", forbidden(), "no address: config/needs");
}

#[test]
fn dns_of_others() {
    let check = |corefile: Option<&str>, expect: &str| {
        let world = World::new();
        match corefile {
            Some(text) => world.clusters[0].put(config_map(text)),
            None => world.clusters[0].remove("ConfigMap", "kube-system", "coredns"),
        }
        let before = world.content();
        let end = world.apply(FIRST).unwrap_err();
        assert_eq!((end.as_str(), world.content()), (expect, before));
    };
    let obstructed =
        "nothing written: 1 resources or DNS settings that this mesh needs belong to someone else";
    check(Some("global:53 {\n    errors\n}\n"), obstructed);
    check(None, obstructed);
}

/// Services, Sidecars and PeerAuthentications decide whether calls arrive, and are not written.
#[test]
fn what_decides_whether_calls_arrive() {
    let found = |kind: &str, api: &str, namespace: &str, spec: Value| {
        let world = World::new();
        let resource = json!({
            "apiVersion": api, "kind": kind, "metadata": {"name": "theirs", "namespace": namespace}, "spec": spec,
        });
        world.clusters.iter().for_each(|cluster| cluster.put(resource.clone()));
        let mesh = Mesh::new(&Spec::read(FIRST).unwrap()).unwrap();
        let clusters: Vec<(&str, &MemoryCluster)> =
            NAMES.into_iter().zip(&world.clusters).collect();
        let observed = observe(&mesh, &clusters).now_or_never().unwrap().unwrap();
        let addresses = Lock::default().assign(&mesh, &address::Taken::new(), Time(0)).unwrap();
        let plan = plan(&mesh, &addresses, observed).unwrap();
        let changed = plan.clusters.iter().flat_map(|one| &one.changes);
        assert!(!changed.map(meshconfig::apply::Change::id).any(|id| id.contains("theirs")));
        let mut codes: Vec<String> = plan
            .preflight(&mesh)
            .iter()
            .filter(|one| one.ours)
            .map(|one| format!("{} {}", one.problem.cluster, one.problem.code))
            .collect();
        codes.sort();
        codes.dedup();
        codes
    };
    let disable = json!({"mtls": {"mode": "DISABLE"}});
    let tls = found("PeerAuthentication", "security.istio.io/v1", "shop", disable);
    assert_eq!(tls, ["a lint/no-endpoint", "b lint/no-endpoint"]);
    let egress = json!({"egress": [{"hosts": ["./*"]}]});
    let hidden = found("Sidecar", "networking.istio.io/v1", "shop", egress);
    assert_eq!(hidden, ["a lint/hidden", "b lint/hidden"]);
    // Ports by another number are not those of the spec.
    let ports = json!({"ports": [{"name": "http", "port": 80}]});
    assert_eq!(found("Service", "v1", "shop", ports), Vec::<String>::new());
}
