//! What is refused before anything is written.

use tests::cli::ended;
use tests::remote::{SECRETS, Swap, World};

use super::{CREATE, ROTATE, world};

/// Nothing was written in either cluster.
#[track_caller]
fn untouched(world: &World) {
    for cluster in &world.clusters {
        let writes = cluster
            .api
            .asked()
            .into_iter()
            .filter(|asked| asked.path.contains("/secrets") && asked.method != "GET");
        let writes: Vec<String> = writes.map(|asked| asked.path).collect();
        assert!(writes.is_empty(), "{writes:?}");
    }
}

#[test]
fn secrets_of_others() {
    let world = world();
    world.secret("east", "west", Some(5), |secret, _| {
        secret["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "argocd".into();
    });
    world.good_secret("west", "east", 80);
    world.check(ROTATE, r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            refused: another program owns it: label app.kubernetes.io/managed-by: argocd
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2027-02-09T07:00:00Z, in 80 days

        write 0, unchanged 1, refused 1
        --- stderr
        error[remote/foreign]: secret istio-remote-secret-west is not overwritten
          in: cluster east, secret istio-remote-secret-west
          because: another program owns it: label app.kubernetes.io/managed-by: argocd

        hint: nothing was written; `kubectl --context east -n istio-system get secret istio-remote-secret-west --show-managed-fields -o jsonpath={.metadata}` shows its owners; `--force remote/foreign` overwrites it
    "#);
    untouched(&world);
    let ran = world.run(&format!("{ROTATE} --force remote/foreign"));
    ended(&ran, 0, &["done: 1 secret written and verified"]);
}

#[test]
fn addresses_that_give_tokens_away() {
    let world = world();
    world.check(&format!("{CREATE} --server west=http://api.west.example:8080"), r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server http://api.west.example:8080, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            create
            server https://east, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

        write 2, unchanged 0, refused 0
        --- stderr
        warning[remote/loopback]: https://east is an address inside istiod's own pod
          in: cluster west, secret istio-remote-secret-east

        hint: `--server east=URL` gives the address at which istiod reaches east
        error[ctl/insecure-server]: istiod of east would send the token for west where others can take it
          in: cluster east, secret istio-remote-secret-west
          because: http://api.west.example:8080: plain HTTP

        hint: nothing was written; give the context of the cluster an `https://` server and its `certificate-authority-data`, or use `--server`; `--force ctl/insecure-server` proceeds
    "#);
    untouched(&world);
    let check = |server: &str, expect: &str| {
        let ran = world.run(&format!("{CREATE} --server {server}"));
        ended(&ran, 64, &["error[ctl/usage]: ", expect]);
    };
    check("west", "expected CLUSTER=URL");
    check("west=api.west.example", "not a URL that begins with https:// or http://");
    check("west=https://api.west.example/?token=x", "a URL with a query");
    check("north=https://api.north.example", "names a cluster that is not part of this command");
    untouched(&world);
}

#[test]
fn accounts_and_rights_that_are_missing() {
    let world = world();
    world.cluster("west").state().has_account = false;
    world.check(CREATE, r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            create
            server https://east, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

        write 2, unchanged 0, refused 0
        --- stderr
        warning[remote/loopback]: https://west is an address inside istiod's own pod
          in: cluster east, secret istio-remote-secret-west

        hint: `--server west=URL` gives the address at which istiod reaches west
        warning[remote/loopback]: https://east is an address inside istiod's own pod
          in: cluster west, secret istio-remote-secret-east

        hint: `--server east=URL` gives the address at which istiod reaches east
        error[remote/account]: west has no service account istio-reader-service-account
          in: cluster east, secret istio-remote-secret-west
          because: Istio's chart `base` creates it; `--service-account` names another one
          because: not done: west for east

        hint: run `kubectl --context west -n istio-system get serviceaccounts`
    "#);
    untouched(&world);
    let mut state = world.cluster("west").state();
    state.has_account = true;
    state.denied.insert("endpointslices".to_owned());
    drop(state);
    world.check(CREATE, r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            create
            server https://east, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

        write 2, unchanged 0, refused 0
        --- stderr
        warning[remote/loopback]: https://west is an address inside istiod's own pod
          in: cluster east, secret istio-remote-secret-west

        hint: `--server west=URL` gives the address at which istiod reaches west
        warning[remote/loopback]: https://east is an address inside istiod's own pod
          in: cluster west, secret istio-remote-secret-east

        hint: `--server east=URL` gives the address at which istiod reaches east
        error[remote/rights]: the token may not read what istiod reads in west
          in: cluster east, secret istio-remote-secret-west
          because: it may not list endpointslices, watch endpointslices
          because: the secret was not written
          because: not done: west for east

        hint: run `kubectl --context west -n istio-system auth can-i --list --as system:serviceaccount:istio-system:istio-reader-service-account`
    "#);
    untouched(&world);
}

#[test]
fn an_istiod_that_cannot_be_asked() {
    let world = world();
    world.good_secret("east", "west", 5);
    world.good_secret("west", "east", 80);
    world.cluster("east").state().swap = Swap::Silent;
    world.check(ROTATE, r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            replace: its token ends on 2026-11-26T07:00:00Z
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2027-02-09T07:00:00Z, in 80 days

        write 1, unchanged 1, refused 0
        --- stderr
        error[remote/not-verified]: istiod of east cannot be asked which endpoints it has
          in: cluster east (context east, https://east)
          because: pod istiod-a: it does not serve /debug/endpointShardz (ENABLE_DEBUG_ON_HTTP)

        hint: its secret for west was not written; `kubectl --context east -n istio-system get pods -l app=istiod` shows the pods; `--force remote/not-verified` writes it unseen
    "#);
    untouched(&world);
    // Nothing is wrong, but not everything is known.
    let ran = world.run("mesh remote-secret check --context east,west --within 1d");
    ended(&ran, 1, &["warning[remote/not-verified]: pod istiod-a of istiod does not answer"]);
}

#[test]
fn names_that_differ_from_istiods() {
    let mut world = world();
    world.clusters[0].name = "prod";
    world.write_kubeconfig();
    world.check(&CREATE.replace("east", "prod"), r#"
        exit 2
        cluster prod (context prod, https://prod)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-prod
            create
            server https://prod, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

        write 2, unchanged 0, refused 0
        --- stderr
        warning[remote/loopback]: https://west is an address inside istiod's own pod
          in: cluster prod, secret istio-remote-secret-west

        hint: `--server west=URL` gives the address at which istiod reaches west
        warning[remote/loopback]: https://prod is an address inside istiod's own pod
          in: cluster west, secret istio-remote-secret-prod

        hint: `--server prod=URL` gives the address at which istiod reaches prod
        error[remote/name]: istiod of prod says that it is in cluster `east` (CLUSTER_ID)
          in: cluster prod
          because: remote secrets and endpoints must have the name that istiod and its proxies have
          because: `--context east=prod` names it so

        hint: nothing was written; `kubectl config get-contexts` shows more; `--force remote/name` proceeds
    "#);
    untouched(&world);
}

#[test]
fn a_secret_that_changes_in_the_meantime() {
    let world = world();
    world.good_secret("east", "west", 5);
    world.good_secret("west", "east", 80);
    // Another write comes after it was read: the fake's version differs from the one that is sent.
    let path = format!("{SECRETS}/istio-remote-secret-west");
    let east = world.cluster("east");
    let read = east.api.object(&path).expect("a secret");
    world.cluster("west").state().on_token = Some(Box::new({
        let objects = east.api.objects();
        move || {
            let mut changed = read.clone();
            changed["metadata"]["resourceVersion"] = "7".into();
            objects.put(&path, changed);
        }
    }));
    ended(
        &world.run(ROTATE),
        1,
        &["error[apply/api]: ", "the secret changed in the meantime; run the command again"],
    );
}
