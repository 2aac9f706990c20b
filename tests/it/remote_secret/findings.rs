//! What `check` finds, and that the next command it prints solves it.

use serde_json::{Value, json};
use tests::cli::ended;
use tests::remote::{Cluster, SECRETS, Swap, World};

use super::{CHECK, world};

/// Both clusters have good secrets, and `spoil` spoils the one of east: the report has `expect`, and its next command
/// solves it or only shows something.
#[track_caller]
fn finds(status: u8, expect: &str, spoil: impl FnOnce(&World)) {
    let world = world();
    world.good_secret("west", "east", 80);
    world.good_secret("east", "west", 80);
    spoil(&world);
    let ran = world.run(CHECK);
    println!("{}", ran.out);
    ended(&ran, status, &[expect]);
    let json: Value =
        serde_json::from_str(&world.shell.run(&format!("{CHECK} -o json")).out).expect("JSON");
    tests::schema::check("remote-secrets", &json.to_string());
    let code = expect.split(['[', ']']).nth(1).expect("a code");
    let problems = json["problems"].as_array().expect("problems");
    let problem = problems.iter().find(|one| one["code"] == code).expect("the problem");
    follow(&world, code, problem["next"].as_str().unwrap_or_default());
}

/// Runs a next command: the problem is gone, or the command shows something.
#[track_caller]
fn follow(world: &World, code: &str, next: &str) {
    let words: Vec<&str> = next.split_whitespace().collect();
    match words.as_slice() {
        ["meshctl", command @ ..] => {
            let command = format!("{} --yes --settle 1s --timeout 3s", command.join(" "));
            let ran = world.run(&command);
            assert_eq!(ran.status, 0, "{next}\n{}{}", ran.out, ran.err);
        }
        ["kubectl", "--context", context, "-n", "istio-system", "delete", "secret", name] => {
            world.cluster(context).api.remove(&format!("{SECRETS}/{name}"));
        }
        ["kubectl", "--context", _, "-n", "istio-system", rest @ ..] => {
            let shows = [
                "logs -l app=istiod --tail=50",
                "rollout restart deployment -l app=istiod",
                "auth can-i --list --as system:serviceaccount:istio-system:istio-reader-service-account",
            ];
            return assert!(shows.contains(&rest.join(" ").as_str()), "{next}");
        }
        ["kubectl", "config", "get-contexts"] => return,
        _ => panic!("{next}"),
    }
    let ran = world.run(CHECK);
    assert!(!ran.out.contains(&format!("[{code}]")), "{next} leaves\n{}", ran.out);
}

/// The secret of east for west with another kubeconfig.
fn spoiled(days: Option<i64>, change: impl FnOnce(&mut Value)) -> impl FnOnce(&World) {
    move |world| {
        world.secret("east", "west", days, |_, kubeconfig| {
            let mut value: Value = serde_json::from_str(kubeconfig).expect("JSON");
            change(&mut value);
            *kubeconfig = value.to_string();
        });
    }
}

#[test]
fn in_the_secret() {
    finds(2, "error[remote/missing]: east has no secret for west", |world| {
        world.cluster("east").api.remove(&format!("{SECRETS}/istio-remote-secret-west"));
    });
    finds(2, "error[remote/name]: the secret lacks the label", |world| {
        world.secret("east", "west", Some(80), |secret, _| {
            secret["metadata"]["labels"] = json!({});
        });
    });
    finds(0, "warning[remote/name]: the annotation names cluster north", |world| {
        world.secret("east", "west", Some(80), |secret, _| {
            secret["metadata"]["annotations"]["networking.istio.io/cluster"] = "north".into();
        });
    });
    finds(0, "warning[remote/self]: the secret is for east itself", |world| {
        world.good_secret("east", "east", 80);
    });
    finds(0, "warning[remote/stranger]: north is not a cluster of the mesh", |world| {
        world.secret("east", "west", Some(80), |secret, kubeconfig| {
            secret["metadata"]["name"] = "istio-remote-secret-north".into();
            secret["metadata"]["annotations"]["networking.istio.io/cluster"] = "north".into();
            let content = k8s_openapi::ByteString(kubeconfig.clone().into_bytes());
            secret["data"] = json!({"north": content});
        });
    });
    finds(2, "error[remote/twin]: 2 secrets are for west", |world| {
        world.secret("east", "west", Some(80), |secret, _| {
            secret["metadata"]["name"] = "by-hand".into();
        });
    });
}

#[test]
fn in_the_kubeconfig() {
    finds(
        2,
        "error[remote/kubeconfig]: istiod cannot use the kubeconfig: it is not a kubeconfig in YAML (line 1, column 1)",
        |world| {
            world.secret("east", "west", Some(80), |_, kubeconfig| {
                *kubeconfig = "CANARY".to_owned()
            });
        },
    );
    let exec = |config: &mut Value| {
        config["users"][0]["user"] =
            json!({"exec": {"command": "aws", "apiVersion": "client.authentication.k8s.io/v1"}});
    };
    finds(
        2,
        "error[remote/auth]: istiod refuses the kubeconfig because of exec",
        spoiled(Some(80), exec),
    );
    // istiod may be told to allow it.
    let world = world();
    world.good_secret("west", "east", 80);
    spoiled(Some(80), exec)(&world);
    let path = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
    let mut istiod = world.cluster("east").api.object(path).expect("istiod");
    let env = json!({"name": "PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS", "value": "exec"});
    let container = &mut istiod["spec"]["template"]["spec"]["containers"][0];
    container["env"].as_array_mut().expect("variables").push(env);
    world.cluster("east").api.put(path, istiod);
    let ran = world.run(CHECK);
    ended(&ran, 0, &["was not asked: it has no token", "errors 0, warnings 0"]);
    let skip = |config: &mut Value| {
        let cluster = &mut config["clusters"][0]["cluster"];
        cluster["insecure-skip-tls-verify"] = true.into();
        cluster["certificate-authority-data"] = Value::Null;
    };
    finds(
        2,
        "error[remote/insecure]: https://west is reached without verified TLS",
        spoiled(Some(80), skip),
    );
    finds(
        2,
        "error[remote/ca]: the API server of west does not verify with the CA in the secret",
        |world| {
            let other = k8s_openapi::ByteString(world.cluster("east").ca.clone().into_bytes());
            spoiled(Some(80), |config| {
                config["clusters"][0]["cluster"]["certificate-authority-data"] = json!(other);
            })(world);
        },
    );
    let elsewhere = |config: &mut Value| {
        config["clusters"][0]["cluster"]["server"] = "https://api.west.invalid:6443".into();
    };
    finds(
        0,
        "warning[remote/server]: the secret has server https://api.west.invalid:6443",
        spoiled(Some(80), elsewhere),
    );
    finds(
        0,
        "warning[remote/unreachable]: the API server of west does not answer",
        spoiled(Some(80), elsewhere),
    );
}

#[test]
fn in_the_token() {
    finds(
        2,
        "error[remote/expired]: the token ended on 2026-11-20T07:00:00Z",
        spoiled(Some(-1), |_| {}),
    );
    finds(
        2,
        "error[remote/expires-soon]: the token ends on 2026-11-26T07:00:00Z",
        spoiled(Some(5), |_| {}),
    );
    finds(0, "warning[remote/no-end]: the token has no end", spoiled(None, |_| {}));
    finds(2, "error[remote/token]: the API server of west does not accept the token", |world| {
        world.cluster("west").state().valid.clear();
    });
    finds(2, "error[remote/rights]: the token may not read what istiod reads in west", |world| {
        world.cluster("west").state().denied.insert("pods".to_owned());
    });
}

#[test]
fn in_istiod() {
    finds(2, "error[remote/not-synced]: pod istiod-a of istiod says `syncing` of west", |world| {
        world.run(CHECK);
        world.cluster("east").state().swap = Swap::Stuck;
        world.good_secret("east", "west", 81);
    });
    let mut world = world();
    world.clusters[0] = Cluster::new("east", "1.30.4", &["istiod-a", "istiod-b"]);
    world.write_kubeconfig();
    world.good_secret("west", "east", 80);
    world.good_secret("east", "west", 80);
    world.cluster("east").state().endpoints.insert("istiod-b".to_owned(), 3);
    world.check(
        CHECK,
        r#"
        exit 2
        cluster east (context east, https://east)
          tls: verified
          west by istio-system/istio-remote-secret-west
            server https://west accepts the token, which may read what istiod reads
            token ends on 2027-02-09T07:00:00Z, in 80 days
            istiod-a: synced, endpoints 12
            istiod-b: synced, endpoints 3

        cluster west (context west, https://west)
          tls: verified
          east by istio-system/istio-remote-secret-east
            server https://east accepts the token, which may read what istiod reads
            token ends on 2027-02-09T07:00:00Z, in 80 days
            istiod-a: synced, endpoints 12

        error[remote/endpoints]: the pods of istiod do not have the same endpoints of west
          in: cluster east, secret istio-remote-secret-west
          because: endpoints: istiod-a 12, istiod-b 3
          next: kubectl --context east -n istio-system rollout restart deployment -l app=istiod

        errors 1, warnings 0
    "#,
    );
}
