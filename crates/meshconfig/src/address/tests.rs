use alloc::vec::Vec;
use alloc::{format, vec};

use proptest::prelude::*;

use super::*;
use crate::spec::Spec;

/// A mesh with services of the given numbers on one cluster, all imported by another.
fn mesh(pool: &str, services: &[u16]) -> Mesh {
    let mut text = format!(
        "apiVersion: meshctl/v1\nkind: Mesh\naddresses: {{pool: '{pool}', graceDays: 10}}\nclusters:\n\
         - {{name: a, istioVersion: 1.30.3, gateway: {{addresses: [192.0.2.1]}}}}\n- {{name: b, istioVersion: 1.30.3}}\nservices:\n"
    );
    if services.is_empty() {
        text += "  []\n";
    }
    for n in services {
        text += &format!(
            "- {{name: s{n}, namespace: n, cluster: a, ports: [{{name: h, number: 80, protocol: HTTP}}], importedBy: [b]}}\n"
        );
    }
    Mesh::new(&Spec::read(&text).unwrap()).unwrap()
}

fn day(n: i64) -> Time {
    Time(1_795_244_400 + n * 86_400)
}

fn assign(lock: &Lock, pool: &str, services: &[u16], n: i64) -> Addresses {
    lock.assign(&mesh(pool, services), &Taken::new(), day(n)).unwrap()
}

#[test]
fn the_file_is_remembered_and_merges_by_line() {
    let first = assign(&Lock::default(), "240.0.0.0/16", &[1, 2, 3], 0).lock;
    let text = first.text();
    assert_eq!(Lock::read(&text).unwrap(), first);
    assert_eq!(text.lines().count(), 4);
    let mut sorted: Vec<&str> = text.lines().collect();
    sorted.sort_unstable();
    assert_eq!(sorted, text.lines().collect::<Vec<_>>(), "sorted as text");
    // Two branches each add a service: the union of their lines is the file with both.
    let with = |n| assign(&first, "240.0.0.0/16", &[1, 2, 3, n], 0).lock.text();
    let (ours, theirs) = (with(4), with(5));
    let mut merged: Vec<&str> = ours.lines().chain(theirs.lines()).collect();
    merged.sort_unstable();
    merged.dedup();
    let merged = Lock::read(&merged.join("\n")).unwrap();
    assert_eq!(assign(&merged, "240.0.0.0/16", &[1, 2, 3, 4, 5], 0).lock, merged);
}

#[test]
fn lines_a_merge_can_leave() {
    let check = |text: &str, wanted: &str| {
        let error = Lock::read(text).unwrap_err();
        assert_eq!(format!("{} {}: {error}", error.code(), error.place().unwrap()), wanted);
    };
    check(
        "a.b 240.0.0.1\n<<<<<<< ours\n",
        "config/lock line 2: invalid line `<<<<<<< ours` in the lock file: expected `HOST ADDRESS` or `HOST ADDRESS retired DATE`",
    );
    check(
        "a.b 240.0.0.1\nc.d 240.0.0.1\n",
        "config/address-shared line 2: `a.b` and `c.d` both have address 240.0.0.1",
    );
    check(
        "a.b 240.0.0.1\na.b 240.0.0.2\n",
        "config/duplicate line 2: duplicate host `a.b`: already defined as 240.0.0.1, now 240.0.0.2",
    );
    check(
        "a.b 240.0.0.1 retired soon\n",
        "config/lock line 1: invalid line `a.b 240.0.0.1 retired soon` in the lock file: expected `HOST ADDRESS` or `HOST ADDRESS retired DATE`",
    );
    assert_eq!(Lock::read("a.b 240.0.0.1\n\na.b 240.0.0.1\n# c\n").unwrap().entries.len(), 1);
}

#[test]
fn an_address_rests_before_it_is_given_away() {
    let pool = "10.0.0.0/30";
    // Three of the four addresses can be used.
    let full = assign(&Lock::default(), pool, &[1, 2, 3], 0);
    let one = full.get("s1.n.svc.a.global").unwrap();
    let retired = assign(&full.lock, pool, &[2, 3], 5);
    assert!(retired.lock.text().contains(" retired 2026-11-26"), "{}", retired.lock.text());
    let exhausted =
        retired.lock.assign(&mesh(pool, &[2, 3, 4]), &Taken::new(), day(14)).unwrap_err();
    assert_eq!(exhausted.code(), "config/addresses-exhausted");
    let after = assign(&retired.lock, pool, &[2, 3, 4], 15);
    assert_eq!(after.get("s4.n.svc.a.global"), Some(one));
    // A service that returns in time keeps its address.
    assert_eq!(assign(&retired.lock, pool, &[1, 2, 3], 14).get("s1.n.svc.a.global"), Some(one));
}

#[test]
fn live_clusters_are_respected() {
    let pool = "240.0.0.0/16";
    let fresh = assign(&Lock::default(), pool, &[1], 0);
    let (host, address) = fresh.iter().next().map(|(h, a)| (h.to_string(), a)).unwrap();
    let live = |address: IpAddr, host: &str| -> Taken { [(address, host.to_string())].into() };
    let again = |taken: &Taken| {
        Lock::default().assign(&mesh(pool, &[1]), taken, day(0)).unwrap().get(&host).unwrap()
    };
    assert_ne!(again(&live(address, "else.where")), address);
    let other: IpAddr = "240.0.9.9".parse().unwrap();
    assert_eq!(again(&live(other, &host)), other, "it keeps the address it has in a live cluster");
    let error =
        fresh.lock.assign(&mesh(pool, &[1]), &live(address, "else.where"), day(0)).unwrap_err();
    assert_eq!(error.code(), "config/address-shared");
    let mut found = Taken::new();
    taken(
        &[
            serde_json::json!({"kind": "ServiceEntry", "spec": {"hosts": ["h"], "addresses": ["240.0.9.9", "10.0.0.0/8"]}}),
        ],
        &mut found,
    );
    assert_eq!(found, live(other, "h"));
}

#[test]
fn pools_of_every_kind() {
    for pool in ["240.0.0.0/16", "10.1.0.0/24", "fd00:240::/112", "fd00::/48", "11.0.0.0/8"] {
        let net: IpNet = pool.parse().unwrap();
        let all = assign(&Lock::default(), pool, &(0..200).collect::<Vec<_>>(), 0);
        let unique: BTreeSet<IpAddr> = all.iter().map(|(_, address)| address).collect();
        assert_eq!(unique.len(), 200, "{pool}");
        assert!(unique.iter().all(|address| net.contains(address) && usable(address)), "{pool}");
    }
    // Another pool gives every service another address.
    let moved =
        assign(&assign(&Lock::default(), "10.1.0.0/24", &[1], 0).lock, "10.2.0.0/24", &[1], 0);
    assert!(moved.get("s1.n.svc.a.global").unwrap().to_string().starts_with("10.2.0."));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// In any sequence of edits, no two services share an address, no address is reused within its grace period,
    /// and a service that stays keeps its address.
    #[test]
    fn no_two_services_share_an_address(edits in prop::collection::vec((prop::collection::btree_set(0_u16..40, 0..20), 0_i64..8), 1..12)) {
        let mut lock = Lock::default();
        let mut now = 0;
        let mut last: BTreeMap<IpAddr, (String, i64)> = BTreeMap::new();
        let mut before: Vec<(String, IpAddr)> = vec![];
        for (services, days) in edits {
            now += days;
            let services: Vec<u16> = services.into_iter().collect();
            let given = assign(&lock, "10.0.0.0/25", &services, now);
            let unique: BTreeSet<IpAddr> = given.iter().map(|(_, address)| address).collect();
            prop_assert_eq!(unique.len(), services.len());
            for (host, address) in &before {
                if let Some(kept) = given.get(host) {
                    prop_assert_eq!(kept, *address);
                }
            }
            for (host, address) in given.iter() {
                if let Some((owner, seen)) = last.get(&address) {
                    prop_assert!(owner == host || now - seen >= 10, "{} of {} again after {}", address, owner, now - seen);
                }
                last.insert(address, (host.to_string(), now));
            }
            prop_assert_eq!(&Lock::read(&given.lock.text()).unwrap(), &given.lock);
            before = given.iter().map(|(host, address)| (host.to_string(), address)).collect();
            lock = given.lock;
        }
    }
}
