use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::istiod::tests::{NOW, Root, good, root, root_with, secret, settings, signed, without};
use crate::name::Name;
use crate::profile::Role;
use crate::time::DAY;

/// A cluster with everything it has, so that a test can spoil it.
struct World {
    name: &'static str,
    secret: Option<Secret>,
    wanted: Option<Secret>,
    istiods: Vec<LiveIstiod>,
    served: Vec<ServedChain>,
    given: Vec<NamespaceRoots>,
    trust_domain: &'static str,
    aliases: Vec<&'static str>,
    ca_domains: Vec<&'static str>,
    spec: Option<SpecExpectation>,
    apart: Vec<&'static str>,
}

impl World {
    /// Without a secret: istiod of this release, its own CA, pods not asked.
    fn new(name: &'static str, version: &str) -> Self {
        Self {
            name,
            secret: None,
            wanted: None,
            istiods: vec![revision("default", version)],
            served: Vec::new(),
            given: Vec::new(),
            trust_domain: "cluster.local",
            aliases: Vec::new(),
            ca_domains: Vec::new(),
            spec: None,
            apart: Vec::new(),
        }
    }

    /// A cluster on which everything is of `set`.
    fn with(name: &'static str, set: &Ca) -> Self {
        Self {
            secret: Some(set.files(&[])),
            served: vec![set.serves("istiod-1")],
            given: vec![given("shop", &[&set.root]), given("istio-system", &[&set.root])],
            ..Self::new(name, "1.30.3")
        }
    }

    fn wants(mut self, secret: Secret) -> Self {
        self.wanted = Some(secret);
        self
    }

    fn live(&self) -> LiveCluster<'_> {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        LiveCluster {
            name: self.name,
            secret: self.secret.as_ref(),
            wanted: self.wanted.as_ref(),
            istiods: self.istiods.clone(),
            served: self.served.clone(),
            given: self.given.clone(),
            trust_domain: self.trust_domain.to_string(),
            aliases: list(&self.aliases),
            ca_domains: list(&self.ca_domains),
            apart: list(&self.apart),
            spec: self.spec.clone(),
        }
    }
}

fn revision(name: &str, version: &str) -> LiveIstiod {
    LiveIstiod { revision: name.to_string(), settings: settings(version), skip_validation: false }
}

fn given(namespace: &str, roots: &[&Cert]) -> NamespaceRoots {
    let roots = roots.iter().map(|root| (*root).clone()).collect();
    NamespaceRoots { namespace: namespace.to_string(), roots: Some(roots) }
}

/// An intermediate of a root.
struct Ca {
    root: Cert,
    own: Root,
}

impl Ca {
    fn under(root: &Root, name: &str) -> Self {
        let (cert, key) = signed(root, |profile| profile.subject = name.parse::<Name>().unwrap());
        Self { root: root.cert.clone(), own: Root { cert, key } }
    }

    /// The files, trusting its root and others.
    fn files(&self, others: &[&Root]) -> Secret {
        let roots = core::iter::once(&self.root).chain(others.iter().map(|root| &root.cert));
        self.files_trusting(&roots.collect::<Vec<_>>())
    }

    fn files_trusting(&self, roots: &[&Cert]) -> Secret {
        secret(&self.own.cert, &self.own.key, &[&self.own.cert, &self.root], roots)
    }

    fn serves(&self, pod: &str) -> ServedChain {
        let (leaf, _) = signed(&self.own, |profile| {
            profile.role = Role::EndEntity;
            profile.validity = DAY;
        });
        let chain = Ok(vec![leaf, self.own.cert.clone(), self.root.clone()]);
        ServedChain { pod: pod.to_string(), chain }
    }
}

/// What istiod makes for itself when there is no secret.
fn own_root() -> Root {
    root("O=cluster.local")
}

fn own_serves(root: &Root) -> ServedChain {
    let (leaf, _) = signed(root, |profile| profile.role = Role::EndEntity);
    ServedChain { pod: "istiod-1".to_string(), chain: Ok(vec![leaf, root.cert.clone()]) }
}

/// A code without `istiod/`, the clusters, and a piece of what is reported.
type Expected<'a> = (&'a str, &'a str, &'a str);

/// Everything reported about these clusters.
#[track_caller]
fn check(worlds: &[&World], expect: &[Expected<'_>]) {
    let live: Vec<LiveCluster<'_>> = worlds.iter().map(|world| world.live()).collect();
    let found = check_live(&live, NOW);
    let short = |p: &SecretProblem| (p.code.replace("istiod/", ""), p.clusters.join(","));
    let all: Vec<_> = found.iter().map(short).collect();
    let wanted: Vec<_> =
        expect.iter().map(|(code, clusters, _)| (code.to_string(), clusters.to_string())).collect();
    assert_eq!(all, wanted, "{found:#?}");
    for (problem, (code, _, piece)) in found.iter().zip(expect) {
        let known = SecretProblem::LIVE_CODES.contains(&problem.code);
        assert!(known || problem.code == "istiod/different-roots", "{code}");
        let parts = [&problem.message, &problem.effect, &problem.fix];
        assert!(parts.iter().all(|part| !part.is_empty()), "{problem:#?}");
        assert!(problem.remedy.is_some() && !problem.evidence.is_empty(), "{problem:#?}");
        let text = alloc::format!("{problem:?}");
        assert!(text.contains(piece), "{code} says `{piece}`: {problem:#?}");
    }
}

#[test]
fn good_clusters() {
    let root = root("CN=Root");
    let [east, west] = ["CN=East", "CN=West"].map(|name| Ca::under(&root, name));
    let [east, west] = [World::with("east", &east), World::with("west", &west)];
    check(&[&east, &west], &[]);
    // The same again, and a new intermediate of the same root.
    let files = east.secret.clone().unwrap();
    check(&[&east.wants(files)], &[]);
    check(&[&west.wants(good(&root))], &[]);
    check(&[&World { istiods: Vec::new(), ..World::new("none", "1.30.3") }], &[]);
}

#[test]
fn a_first_secret() {
    let (own, root) = (own_root(), root("CN=Root"));
    let east = Ca::under(&root, "CN=East");
    let bare = || World {
        served: vec![own_serves(&own)],
        given: vec![given("shop", &[&own.cert])],
        ..World::new("east", "1.30.3")
    };
    check(&[&bare()], &[("first-install", "east", "there is no secret cacerts")]);
    check(&[&bare().wants(east.files(&[]))], &[("first-install", "east", "new: `East`")]);
    // Nothing is about to change that: an error; a secret is on its way: a warning.
    check(&[&bare()], &[("first-install", "east", "severity: Error")]);
    check(&[&bare().wants(east.files(&[]))], &[("first-install", "east", "severity: Warning")]);
    // The secret is there, istiod was not restarted.
    let forgotten = World { secret: Some(east.files(&[])), ..bare() };
    let expect = [
        ("not-live", "east", "pod istiod-1 serves `O = cluster.local`"),
        ("roots-not-given", "east", "1 of 1 namespaces"),
    ];
    check(&[&forgotten], &expect);
    // Another on its way: everything restarts, and nothing is lost that was.
    let other = forgotten.wants(good(&root));
    check(&[&other], &[expect[0], expect[1], ("first-install", "east", "istiod's own")]);
    // An old release that goes its own way in silence.
    let silent = World {
        secret: Some(without(&east.files(&[]), &["ca-key.pem"])),
        istiods: vec![revision("default", "1.25.0")],
        ..bare()
    };
    check(&[&silent], &[("first-install", "east", "istiod 1.25.0 starts with its own CA")]);
}

#[test]
fn phases_of_a_change_of_root() {
    let (a, b) = (root("CN=A"), root("CN=B"));
    let (old, new) = (Ca::under(&a, "CN=Old"), Ca::under(&b, "CN=New"));
    let both = || [&a.cert, &b.cert];
    // What is there: set and given roots; what is desired; what is reported.
    let phase = |now: &Ca, trusts: &[&Cert], wanted: Secret| World {
        secret: Some(now.files_trusting(trusts)),
        wanted: Some(wanted),
        served: vec![now.serves("istiod-1")],
        given: vec![given("shop", trusts)],
        ..World::new("east", "1.30.3")
    };
    let told = |piece| [("root-replaced", "east", piece)];
    check(
        &[&phase(&old, &[&a.cert], new.files(&[]))],
        &told("namespace shop of east does not accept `New`"),
    );
    check(
        &[&phase(&old, &[&a.cert], new.files(&[]))],
        &told("do not accept certificates from `Old`"),
    );
    check(
        &[&phase(&old, &[&a.cert], new.files(&[]))],
        &told("(Multi root is disabled, updating new ROOT-CA not supported)"),
    );
    // The second phase before the first.
    check(&[&phase(&old, &[&a.cert], new.files(&[&a]))], &told("does not accept `New`"));
    // The third before the second.
    check(&[&phase(&old, &both(), new.files(&[]))], &told("do not accept certificates from `Old`"));
    // In order.
    check(&[&phase(&old, &[&a.cert], old.files(&[&b]))], &[]);
    check(&[&phase(&old, &both(), new.files(&[&a]))], &[]);
    check(&[&phase(&new, &both(), new.files(&[]))], &[]);
    // No pod was asked, and the given roots are of neither.
    let other = root("CN=Other");
    let blind = World {
        served: Vec::new(),
        given: vec![given("shop", &[&other.cert])],
        ..phase(&old, &[&a.cert], new.files(&[]))
    };
    let not_given = ("roots-not-given", "east", "`Other`");
    check(
        &[&blind],
        &[
            (
                "root-replaced",
                "east",
                "none of the roots that namespace shop of east trusts is among",
            ),
            not_given,
        ],
    );
    // What has ended is not missed.
    let ended = root_with("CN=Ended", |profile| profile.validity = Duration::from_secs(60));
    let late = World { given: vec![given("shop", &[&ended.cert])], ..blind };
    let at = NOW.plus(DAY);
    let codes = |problems: &[SecretProblem]| problems.iter().map(|p| p.code).collect::<Vec<_>>();
    assert_eq!(codes(&check_live(&[late.live()], at)), ["istiod/roots-not-given"]);
}

/// East begins the second phase before west has had the first.
#[test]
fn clusters_out_of_step() {
    let (a, b) = (root("CN=A"), root("CN=B"));
    let [old, west] = ["CN=East", "CN=West"].map(|name| Ca::under(&a, name));
    let new = Ca::under(&b, "CN=New");
    let mut east = World::with("east", &old);
    east.secret = Some(old.files(&[&b]));
    east.given = vec![given("shop", &[&a.cert, &b.cert])];
    let east = east.wants(new.files(&[&a]));
    check(
        &[&east, &World::with("west", &west)],
        &[("root-replaced", "east", "namespace shop of west does not accept `New`")],
    );
    let drops = World {
        wanted: Some(new.files(&[])),
        served: vec![new.serves("istiod-1")],
        secret: Some(new.files(&[&a])),
        ..east
    };
    check(
        &[&drops, &World::with("west", &west)],
        &[("root-replaced", "east", "do not accept certificates from `West`, which west uses now")],
    );
}

#[test]
fn what_is_not_live() {
    let root = root("CN=Root");
    let (old, new) = (Ca::under(&root, "CN=East"), Ca::under(&root, "CN=East"));
    let stale = World { served: vec![old.serves("istiod-1")], ..World::with("east", &new) };
    check(
        &[&stale],
        &[("not-live", "east", "loads a new secret by itself within about two minutes")],
    );
    let half = World { served: vec![old.serves("istiod-1"), new.serves("istiod-2")], ..stale };
    check(
        &[&half],
        &[
            ("not-live", "east", "pod istiod-1 serves"),
            ("mixed-revisions", "east", "pod istiod-2 serves"),
        ],
    );
    let silent = ServedChain { pod: "istiod-1".to_string(), chain: Err("no answer".to_string()) };
    let old_release =
        World { istiods: vec![revision("default", "1.6.4")], ..World::with("east", &new) };
    check(&[&World { served: vec![silent], ..old_release }], &[]);
    let lacking = NamespaceRoots { namespace: "new".to_string(), roots: None };
    let many: Vec<NamespaceRoots> =
        (0..7).map(|i| given(&i.to_string(), &[&old.own.cert])).collect();
    let world =
        World { given: many.into_iter().chain([lacking]).collect(), ..World::with("east", &new) };
    check(&[&world], &[("roots-not-given", "east", "in namespace 0, 1, 2, 3, 4 and 2 more")]);
}

#[test]
fn revisions() {
    let root = root("CN=Root");
    let set = Ca::under(&root, "CN=East");
    let mut world = World::with("east", &set);
    world.istiods = vec![revision("old", "1.17.0"), revision("new", "1.30.3")];
    check(&[&world], &[]);
    let renewed = world.wants(good(&root));
    check(
        &[&renewed],
        &[(
            "mixed-revisions",
            "east",
            "revision old, istiod 1.17.0: loads it when it is restarted",
        )],
    );
    let incomplete =
        World { secret: Some(without(&set.files(&[]), &["ca-key.pem"])), wanted: None, ..renewed };
    let told = ("mixed-revisions", "east", "revision new, istiod 1.30.3: refuses to start");
    check(&[&incomplete], &[told]);
}

#[test]
fn trust_domains() {
    let root = root("CN=Root");
    let [east, west] = ["CN=East", "CN=West"].map(|name| Ca::under(&root, name));
    let mut east = World { trust_domain: "east.example", ..World::with("east", &east) };
    let mut west = World { trust_domain: "west.example", ..World::with("west", &west) };
    let at_east = ("trust-domain", "east,west", "caCertificates[].trustDomains, next to the root");
    let at_west = ("trust-domain", "west,east", "west has west.example; trustDomainAliases: none");
    check(&[&east, &west], &[at_east, at_west]);
    west.apart = vec!["east"];
    check(&[&east, &west], &[at_east]);
    west.apart = Vec::new();
    east.aliases = vec!["west.example"];
    check(&[&east, &west], &[at_west]);
    west.ca_domains = vec!["east.example"];
    check(&[&east, &west], &[]);
    west.istiods = vec![revision("default", "1.16.3")];
    check(&[&east, &west], &[("trust-domain", "west,east", "ignores caCertificates")]);
    west.istiods = vec![revision("default", "1.6.4")];
    west.aliases = vec!["east.example"];
    check(
        &[&east, &west],
        &[("trust-domain", "west,east", "istiod 1.6.4 requires the same trust domain")],
    );
    west.istiods[0].skip_validation = true;
    check(&[&east, &west], &[]);
}

#[test]
fn other_than_the_spec() {
    let root = root("CN=Root");
    let mut east = World::with("east", &Ca::under(&root, "CN=East"));
    let mut check_spec = |domain: &str, version: &str, expect: &[(&str, &str, &str)]| {
        let version = version.parse::<Version>().unwrap();
        east.spec = Some(SpecExpectation { trust_domain: domain.to_string(), version });
        check(&[&east], expect);
    };
    check_spec("cluster.local", "1.30.0", &[]);
    check_spec(
        "east.example",
        "1.30.3",
        &[("spec-differs", "east", "east has cluster.local (meshConfig.trustDomain)")],
    );
    check_spec("cluster.local", "1.6.4", &[("spec-differs", "east", "the spec says 1.6.4")]);
    let version = Version::NEWEST;
    let spec = Some(SpecExpectation { trust_domain: "east.example".to_string(), version });
    let bare = World { istiods: vec![], spec, ..World::new("east", "1.30.3") };
    check(&[&bare], &[]);
}

#[test]
fn clusters_without_a_secret() {
    let (own, root) = (own_root(), root("CN=Root"));
    let east = World::with("east", &Ca::under(&root, "CN=East"));
    let west = World {
        served: vec![own_serves(&own)],
        given: vec![given("shop", &[&own.cert])],
        ..World::new("west", "1.30.3")
    };
    let first = ("first-install", "west", "no secret");
    check(
        &[&east, &west],
        &[
            first,
            (
                "different-roots",
                "east,west",
                "namespace shop of east does not accept certificates from `O = cluster.local` in west",
            ),
        ],
    );
    let west = west.wants(good(&root));
    check(&[&east, &west], &[first]);
}

#[test]
fn which_release_looks_at_domains() {
    let of = |text: &str| text.parse::<Version>().unwrap().accepts_domains_of_cas();
    assert_eq!(
        ["1.16.3", "1.16.4", "1.17.1", "1.17.2", "1.18.0", "1.15.9"].map(of),
        [false, true, false, true, true, false]
    );
    let equal: Vec<String> = ["1.6.9", "1.7.0"]
        .into_iter()
        .filter(|text| text.parse::<Version>().unwrap().wants_equal_trust_domain())
        .map(String::from)
        .collect();
    assert_eq!(equal, ["1.6.9"]);
}
