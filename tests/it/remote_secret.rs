//! `meshctl mesh remote-secret` on clusters in memory: what is created, rotated and found, and what is refused.

mod findings;
mod real;
mod refused;

use serde_json::Value;
use tests::cli::ended;
use tests::remote::{SECRETS, Swap, World};
use tests::schema;

const CREATE: &str = "mesh remote-secret create --context east,west --yes --settle 1s --timeout 3s";
const ROTATE: &str = "mesh remote-secret rotate --context east,west --yes --settle 1s --timeout 3s";
const CHECK: &str = "mesh remote-secret check --context east,west";

fn world() -> World {
    World::new(&["east", "west"], "1.30.4")
}

/// A kubeconfig without its token.
fn tokenless(kubeconfig: &str) -> Value {
    let mut value: Value = serde_saphyr::from_str(kubeconfig).expect("YAML");
    let token = value["users"][0]["user"]["token"].take();
    assert!(token.as_str().is_some_and(|token| token.len() > 40), "{token}");
    value
}

#[test]
fn created_then_unchanged_then_checked() {
    let world = world();
    let dry = CREATE.replace("--yes", "--dry-run client");
    world.check(&dry, r#"
        exit 0
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
    "#);
    ended(&world.run(&CREATE.replace("--yes", "")), 64, &["--yes"]);
    let dry = CREATE.replace("--yes", "--dry-run server");
    ended(&world.run(&dry), 0, &["every API server accepts the plan; writes: 2"]);
    let path = format!("{SECRETS}/istio-remote-secret-west");
    assert_eq!(world.cluster("east").api.object(&path), None);
    world.check(CREATE, r#"
        exit 0
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
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        east: verified: west synced, endpoints istiod-a 0 before, 12 after
        west: wrote secret istio-remote-secret-east, token until 2027-02-19T07:00:00Z
        west: verified: east synced, endpoints istiod-a 0 before, 12 after
        done: 2 secrets written and verified
    "#);
    let secret = world.cluster("east").api.object(&path).expect("a secret");
    let metadata = &secret["metadata"];
    assert_eq!(metadata["labels"]["istio/multiCluster"], "true");
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "meshctl");
    assert_eq!(metadata["annotations"]["networking.istio.io/cluster"], "west");
    world.check(
        CHECK,
        r#"
        exit 0
        cluster east (context east, https://east)
          tls: verified
          west by istio-system/istio-remote-secret-west
            server https://west accepts the token, which may read what istiod reads
            token ends on 2027-02-19T07:00:00Z, in 90 days
            istiod-a: synced, endpoints 12

        cluster west (context west, https://west)
          tls: verified
          east by istio-system/istio-remote-secret-east
            server https://east accepts the token, which may read what istiod reads
            token ends on 2027-02-19T07:00:00Z, in 90 days
            istiod-a: synced, endpoints 12

        errors 0, warnings 0
    "#,
    );
    let ran = world.run(&format!("{CHECK} -o json"));
    assert_eq!(ran.status, 0, "{}", ran.err);
    schema::check("remote-secrets", &ran.out);
    ended(&world.run(CREATE), 0, &["write 0, unchanged 2, refused 0", "nothing to do"]);
    ended(&world.run(ROTATE), 0, &["write 0, unchanged 2, refused 0", "nothing to do"]);
}

#[test]
fn only_tokens_that_are_due_are_replaced() {
    let world = world();
    world.good_secret("east", "west", 20);
    world.good_secret("west", "east", 40);
    let east = world.cluster("east");
    let before = east.kubeconfig("west");
    world.check(ROTATE, r#"
        exit 0
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            replace: its token ends on 2026-12-11T07:00:00Z
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2026-12-31T07:00:00Z, in 40 days

        write 1, unchanged 1, refused 0
        --- stderr
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        east: verified: west synced, endpoints istiod-a 12 before, 12 after
        note: the replaced tokens stay valid until 2026-12-11T07:00:00Z at the latest: Kubernetes cannot revoke one alone
        done: 1 secret written and verified
    "#);
    let after = east.kubeconfig("west");
    assert_ne!(after, before);
    assert_eq!(tokenless(&after)["clusters"], tokenless(&before)["clusters"]);
    // A later end can be asked for.
    let ran = world.run(&format!("{ROTATE} --within 60d --lifetime 180d"));
    ended(&ran, 0, &["write 1, unchanged 1", "token until 2027-05-20T07:00:00Z"]);
    let ran = world.run(&format!("{ROTATE} --within 100y --dry-run client"));
    ended(&ran, 0, &["write 2, unchanged 0"]);
    // What is missing is created by `create`.
    world.cluster("west").api.remove(&format!("{SECRETS}/istio-remote-secret-east"));
    ended(&world.run(ROTATE), 0, &["missing: `meshctl mesh remote-secret create` creates it"]);
}

#[test]
fn a_secret_that_istiod_does_not_take_is_put_back() {
    for swap in [Swap::Empty, Swap::Stuck] {
        let world = world();
        world.good_secret("east", "west", 5);
        world.good_secret("west", "east", 5);
        let east = world.cluster("east");
        let before = east.kubeconfig("west");
        east.state().swap = swap;
        match swap {
            Swap::Empty => world.check(ROTATE, r#"
                exit 2
                cluster east (context east, https://east)
                  tls: verified
                  istio-system/istio-remote-secret-west
                    replace: its token ends on 2026-11-26T07:00:00Z
                    server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
                cluster west (context west, https://west)
                  tls: verified
                  istio-system/istio-remote-secret-east
                    replace: its token ends on 2026-11-26T07:00:00Z
                    server https://east, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

                write 2, unchanged 0, refused 0
                --- stderr
                east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
                east: put the old secret istio-remote-secret-west back
                error[remote/endpoints]: istiod of east lacks endpoints of west 3 s after the write
                  in: cluster east, secret istio-remote-secret-west
                  because: pod istiod-a has 0 endpoints, 12 before
                  because: the old secret is back, and istiod uses it: endpoints istiod-a 12 before, 12 after
                  because: not done: west for east

                hint: run `kubectl --context east -n istio-system logs -l app=istiod --tail=50`
            "#),
            _ => world.check(ROTATE, r#"
                exit 2
                cluster east (context east, https://east)
                  tls: verified
                  istio-system/istio-remote-secret-west
                    replace: its token ends on 2026-11-26T07:00:00Z
                    server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
                cluster west (context west, https://west)
                  tls: verified
                  istio-system/istio-remote-secret-east
                    replace: its token ends on 2026-11-26T07:00:00Z
                    server https://east, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest

                write 2, unchanged 0, refused 0
                --- stderr
                east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
                east: put the old secret istio-remote-secret-west back
                error[remote/not-synced]: istiod of east has not synced west within 3 s
                  in: cluster east, secret istio-remote-secret-west
                  because: pod istiod-a says `syncing`
                  because: the old secret is back, and istiod uses it: endpoints istiod-a 12 before, 12 after
                  because: not done: west for east

                hint: run `kubectl --context east -n istio-system logs -l app=istiod --tail=50`
            "#),
        }
        assert_eq!(east.kubeconfig("west"), before);
    }
}

#[test]
fn a_cluster_that_istiod_cannot_read() {
    let world = world();
    world.good_secret("west", "east", 80);
    let east = world.cluster("east");
    east.state().swap = Swap::Never;
    world.check(&format!("{CREATE} --server west=https://api.west.invalid:6443"), r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server https://api.west.invalid:6443, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2027-02-09T07:00:00Z, in 80 days

        write 1, unchanged 1, refused 0
        --- stderr
        warning[remote/unreachable]: the API server of west does not answer at the address in the secret
          in: cluster east, secret istio-remote-secret-west
          because: cannot reach the API server: failed to lookup address information: Name or service not known
          because: asked from this machine; istiod may have another path

        hint: run `kubectl --context east -n istio-system logs -l app=istiod --tail=50`
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        error[remote/not-synced]: istiod of east has not synced west within 3 s
          in: cluster east, secret istio-remote-secret-west
          because: pod istiod-a says `timeout`
          because: the new secret stays

        hint: run `kubectl --context east -n istio-system logs -l app=istiod --tail=50`
    "#);
    // The secret stays: what is wrong may be on the way.
    assert!(east.kubeconfig("west").contains("https://api.west.invalid:6443"));
}

#[test]
fn releases_that_lose_endpoints() {
    let old = World::new(&["east", "west"], "1.29.6");
    old.good_secret("east", "west", 5);
    old.good_secret("west", "east", 80);
    old.check(ROTATE, r#"
        exit 0
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
        warning[remote/gap]: istiod 1.29.6 drops the endpoints of a cluster while it takes a new secret
          in: cluster east
          because: until it has read the cluster again, usually for seconds, calls do not reach it (istio#49349); Istio 1.30.4 and later keep them
          because: the secrets for west change

        hint: run `meshctl mesh remote-secret check --context east,west`
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        east: verified: west synced, endpoints istiod-a 12 before, 12 after
        note: the replaced tokens stay valid until 2026-11-26T07:00:00Z at the latest: Kubernetes cannot revoke one alone
        done: 1 secret written and verified
    "#);

    let losing = World::new(&["east", "west"], "1.30.3");
    losing.good_secret("east", "west", 5);
    losing.good_secret("west", "east", 80);
    let before = losing.cluster("east").kubeconfig("west");
    losing.check(ROTATE, r#"
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
        error[remote/loses-endpoints]: istiod 1.30.3 can lose the endpoints of a cluster when its secret changes, until istiod restarts
          in: cluster east
          because: it deletes them after the new secret is in use (istio#61043); Istio 1.30.4 and 1.31.0 keep them
          because: the secrets for west change

        hint: nothing was written; upgrade istiod, or proceed with `--force remote/loses-endpoints` and restart istiod afterwards: `kubectl --context east -n istio-system rollout restart deployment -l app=istiod`
    "#);
    assert_eq!(losing.cluster("east").kubeconfig("west"), before);
    // The new secret stays, since another change would lose the endpoints again.
    losing.cluster("east").state().swap = Swap::Empty;
    losing.check(&format!("{ROTATE} --force remote/loses-endpoints"), r#"
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
        warning[remote/loses-endpoints]: istiod 1.30.3 can lose the endpoints of a cluster when its secret changes, until istiod restarts
          in: cluster east
          because: it deletes them after the new secret is in use (istio#61043); Istio 1.30.4 and 1.31.0 keep them
          because: the secrets for west change

        hint: afterwards: `kubectl --context east -n istio-system rollout restart deployment -l app=istiod`
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        error[remote/endpoints]: istiod of east lacks endpoints of west 3 s after the write
          in: cluster east, secret istio-remote-secret-west
          because: pod istiod-a has 0 endpoints, 12 before
          because: the new secret stays: with this release, another change loses endpoints again

        hint: run `kubectl --context east -n istio-system rollout restart deployment -l app=istiod`
    "#);
    assert_ne!(losing.cluster("east").kubeconfig("west"), before);
    // Where nothing is replaced, nothing is lost.
    let fresh = World::new(&["east", "west"], "1.30.3");
    ended(&fresh.run(CREATE), 0, &["done: 2 secrets written and verified"]);
}

#[test]
fn tokens_without_an_end() {
    let world = world();
    world.secret("east", "west", None, |secret, kubeconfig| {
        // As `kubectl apply` leaves it.
        let copy = serde_json::json!({"data": {"west": kubeconfig}}).to_string();
        secret["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
            copy.into();
    });
    world.good_secret("west", "east", 80);
    let legacy = format!("{SECRETS}/istio-reader-service-account-istio-remote-secret-token");
    let annotation = "kubernetes.io/service-account.name";
    world.cluster("west").api.put(&legacy, serde_json::json!({
        "metadata": {
            "name": "istio-reader-service-account-istio-remote-secret-token",
            "namespace": "istio-system", "annotations": {annotation: "istio-reader-service-account"},
        },
        "type": "kubernetes.io/service-account-token", "data": {},
    }));
    world.check(ROTATE, r#"
        exit 0
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            replace: its token has no end
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2027-02-09T07:00:00Z, in 80 days

        write 1, unchanged 1, refused 0
        --- stderr
        east: wrote secret istio-remote-secret-west, token until 2027-02-19T07:00:00Z
        east: verified: west synced, endpoints istiod-a 12 before, 12 after
        warning[remote/no-end]: the old token for west has no end, and is still valid
          in: cluster west, secret istio-reader-service-account-istio-remote-secret-token
          because: deleting its secret revokes it, for everything that uses it

        hint: run `kubectl --context west -n istio-system delete secret istio-reader-service-account-istio-remote-secret-token`
        done: 1 secret written and verified
    "#);
    let secret = world.cluster("east").api.object(&format!("{SECRETS}/istio-remote-secret-west"));
    assert!(!secret.expect("a secret").to_string().contains("last-applied"));
    // It is not deleted, and `check` names it.
    assert!(world.cluster("west").api.object(&legacy).is_some());
    ended(
        &world.run(CHECK),
        0,
        &[
            "warning[remote/no-end]: a token of istio-reader-service-account without an end is still valid in west",
        ],
    );
}

#[test]
fn tokens_that_the_server_cuts_short() {
    let world = world();
    world.good_secret("west", "east", 80);
    world.cluster("west").state().longest = 86_400;
    world.check(CREATE, r#"
        exit 0
        cluster east (context east, https://east)
          tls: verified
          istio-system/istio-remote-secret-west
            create
            server https://west, token of istio-reader-service-account until 2027-02-19T07:00:00Z at the latest
        cluster west (context west, https://west)
          tls: verified
          istio-system/istio-remote-secret-east
            unchanged: its token ends on 2027-02-09T07:00:00Z, in 80 days

        write 1, unchanged 1, refused 0
        --- stderr
        warning[remote/loopback]: https://west is an address inside istiod's own pod
          in: cluster east, secret istio-remote-secret-west

        hint: `--server west=URL` gives the address at which istiod reaches west
        warning[remote/lifetime]: the API server of west issues tokens for 24 hours, not for the 90 days that were requested
          in: cluster west (context west, https://west)
          because: this token ends on 2026-11-22T07:00:00Z

        hint: run `meshctl mesh remote-secret rotate` at least three times in that time
        east: wrote secret istio-remote-secret-west, token until 2026-11-22T07:00:00Z
        east: verified: west synced, endpoints istiod-a 0 before, 12 after
        done: 1 secret written and verified
    "#);
    ended(
        &world.run(ROTATE),
        0,
        &["unchanged 2", "its token ends on 2026-11-22T07:00:00Z, in 24 hours"],
    );
}

#[test]
fn clusters_of_the_spec() {
    let world = World::new(&["east", "west", "north"], "1.30.4");
    world.shell.scratch.write(
        "mesh.yaml",
        "apiVersion: meshctl/v1\nkind: Mesh\nname: m\nclusters:\n- {name: east, istioVersion: 1.30.4}\n- {name: west, istioVersion: 1.30.4}\n- {name: north, istioVersion: 1.30.4}\n",
    );
    let create = "mesh remote-secret create -f @/mesh.yaml --yes --settle 1s --timeout 3s";
    ended(&world.run(create), 0, &["done: 6 secrets written and verified"]);
    ended(&world.run("mesh remote-secret check -f @/mesh.yaml"), 0, &["errors 0"]);
    // A cluster of the spec that is not asked is not a stranger.
    let ran = world.run("mesh remote-secret check -f @/mesh.yaml --context east,west");
    ended(&ran, 0, &["north by istio-system/istio-remote-secret-north", "errors 0"]);
    assert!(!ran.out.contains("remote/stranger"), "{}", ran.out);
    let ran = world.run("mesh remote-secret check -f @/mesh.yaml --context east");
    ended(&ran, 64, &["error[ctl/usage]: a remote secret takes two clusters"]);
}

#[test]
fn rights() {
    let world = world();
    world.check("mesh remote-secret create --context east,west --print-rbac --rbac-user ci", r#"
        exit 0
        # The permissions that `meshctl mesh remote-secret create` needs in each cluster, and no others.
        #
        # Anyone who has them:
        # - can act as service account istio-system/istio-reader-service-account, which reads every Service, pod, node and secret of the cluster
        # - can decide which API server istiod asks for the endpoints of a cluster, and so send calls elsewhere
        # - can connect to every port of every pod in istio-system
        # - can create secrets, which cannot be limited to a name. A secret of type kubernetes.io/service-account-token allows them to act as
        #   any service account in istio-system; to omit that permission, create the secrets empty, which these commands do:
        #   kubectl -n istio-system create secret generic istio-remote-secret-CLUSTER
        #   and use the permissions of `meshctl mesh remote-secret rotate --print-rbac`
        #
        # `check` works with them too. To find secrets with other names it needs to list secrets, which is to read all
        # of them in istio-system, the key of the CA included.
        ---
        # Remote secrets, tokens for them, and the endpoints that istiod has.
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata:
          name: meshctl-remote-secret
          namespace: istio-system
        rules:
        - apiGroups:
          - ""
          resourceNames:
          - istio-remote-secret-east
          - istio-remote-secret-west
          resources:
          - secrets
          verbs:
          - get
          - patch
        - apiGroups:
          - ""
          resourceNames:
          - istio-reader-service-account-istio-remote-secret-token
          resources:
          - secrets
          verbs:
          - get
        - apiGroups:
          - ""
          resources:
          - secrets
          verbs:
          - create
        - apiGroups:
          - ""
          resourceNames:
          - istio-reader-service-account
          resources:
          - serviceaccounts/token
          verbs:
          - create
        - apiGroups:
          - apps
          resources:
          - deployments
          verbs:
          - list
        - apiGroups:
          - ""
          resources:
          - pods
          verbs:
          - list
        - apiGroups:
          - ""
          resources:
          - pods/portforward
          verbs:
          - create
          - get
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata:
          name: meshctl-remote-secret
          namespace: istio-system
        roleRef:
          kind: Role
          name: meshctl-remote-secret
          apiGroup: rbac.authorization.k8s.io
        subjects:
        - kind: User
          name: ci
          apiGroup: rbac.authorization.k8s.io
        ---
        # Whether two contexts reach the same cluster: the UID of namespace kube-system.
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata:
          name: meshctl-remote-secret
        rules:
        - apiGroups:
          - ""
          resources:
          - namespaces
          verbs:
          - list
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata:
          name: meshctl-remote-secret
        roleRef:
          kind: ClusterRole
          name: meshctl-remote-secret
          apiGroup: rbac.authorization.k8s.io
        subjects:
        - kind: User
          name: ci
          apiGroup: rbac.authorization.k8s.io
    "#);
    // Without the right to create secrets, empty ones are filled.
    let name = "istio-remote-secret-west";
    let empty = serde_json::json!({"metadata": {
        "name": name, "namespace": "istio-system", "resourceVersion": "1",
    }});
    world.cluster("east").api.put(&format!("{SECRETS}/{name}"), empty);
    ended(&world.run(ROTATE), 0, &["nothing to do"]);
    ended(&world.run(CREATE), 0, &["done: 2 secrets written and verified"]);
    // Without the right to list them, they are read by name.
    world.cluster("east").state().may_list = false;
    let ran = world.run(CHECK);
    let told =
        ["warning[apply/forbidden]", "only secrets with the usual names were read", "errors 0"];
    ended(&ran, 0, &told);
    let rotate = world.run("mesh remote-secret rotate --context east,west --print-rbac");
    assert_eq!(rotate.status, 0, "{}", rotate.err);
    assert!(!tests::rbac::rules(&rotate.out).iter().any(|rule| rule.contains("secrets[]: create")));
}
