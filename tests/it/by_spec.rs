//! Clusters, contexts and trust domains from the mesh's spec, for the commands other than `mesh`.

use std::fs;

use tests::Shell;
use tests::cli::ended;

const SPEC: &str = "\
apiVersion: meshctl/v1
kind: Mesh
clusters:
- {name: west, context: prod-west, istioVersion: 1.30.3, trustDomain: west.example}
- {name: east, istioVersion: 1.30.3, istioNamespace: istio}
";

fn shell() -> Shell {
    let shell = Shell::new();
    fs::write(shell.scratch.join("mesh.yaml"), SPEC).expect("a spec");
    shell
}

/// The names in the CA certificate of a cluster's folder.
fn names(shell: &Shell, cluster: &str) -> String {
    let said = shell.good(&format!("ca inspect @/ca/{cluster}/ca-cert.pem"));
    let line = said.lines().find(|line| line.contains("spiffe://"));
    line.map(|line| line.trim().to_owned()).unwrap_or_default()
}

#[test]
fn ca_init() {
    let shell = shell();
    let made = shell.run("ca init @/ca -f @/mesh.yaml --plain-root-key");
    let next =
        format!("next: meshctl push {0}/ca -f {0}/mesh.yaml\n", shell.scratch.path().display());
    assert!(made.err.contains(&next), "{}", made.err);
    assert!(names(&shell, "west").ends_with("spiffe://west.example"), "{}", names(&shell, "west"));
    assert!(names(&shell, "east").ends_with("spiffe://cluster.local"), "{}", names(&shell, "east"));
    // Again: nothing changes, and nothing is said.
    let before = shell.scratch.entries("ca");
    let again = shell.run("ca init @/ca -f @/mesh.yaml");
    assert_eq!((again.status, again.err.contains("warning")), (0, false), "{}", again.err);
    assert_eq!(shell.scratch.entries("ca"), before);
    // One cluster was asked for: the next step is its alone.
    let one = shell.run("ca init @/one -f @/mesh.yaml --cluster west --plain-root-key");
    assert!(one.err.contains("/mesh.yaml --context west\n"), "{}", one.err);
    // A trust domain that has changed since is reported; the intermediate stays.
    fs::write(shell.scratch.join("mesh.yaml"), SPEC.replace("west.example", "west.test"))
        .expect("a spec");
    let kept = shell.run("ca init @/ca -f @/mesh.yaml --cluster west");
    let told = [
        "warning[ctl/cluster-kept]: the existing intermediate was left unchanged",
        "because: it has spiffe://west.example, but spiffe://west.test was requested",
    ];
    ended(&kept, 0, &told);
    assert_eq!(shell.scratch.entries("ca"), before);
    shell.check(
        "ca init @/ca -f @/mesh.yaml --cluster north",
        r#"
        exit 1
        --- stderr
        error[config/unknown-name]: the spec has no cluster `north`
          because: its clusters are east, west
    "#,
    );
    shell.check(
        "ca init @/ca -f @/mesh.yaml --trust-domain east.example",
        r#"
        exit 64
        --- stderr
        error: the argument '--file <FILE>' cannot be used with '--trust-domain <[CLUSTER=]DOMAIN>'

        Usage: meshctl ca init --file <FILE> <DIR>

        For more information, try '--help'.
    "#,
    );
}

/// Before it has reached a cluster, a command says which contexts it uses.
#[test]
fn contexts() {
    let shell = shell();
    shell.good("ca init @/ca -f @/mesh.yaml --plain-root-key");
    fs::write(shell.scratch.join("kubeconfig"), "apiVersion: v1\nkind: Config\n").expect("a file");
    let check = |command: &str, status: u8, part: &str| {
        ended(&shell.run(&format!("{command} --kubeconfig @/kubeconfig")), status, &[part]);
    };
    for command in [
        "push @/ca --yes -f @/mesh.yaml",
        "rollback --yes -f @/mesh.yaml",
        "rotate intermediate @/ca --yes -f @/mesh.yaml",
        "status @/ca -f @/mesh.yaml",
        "check @/ca -f @/mesh.yaml",
    ] {
        check(command, 1, "error[apply/kubeconfig]: kubeconfig ");
        let with = |option: &str| format!("{command} {option}");
        check(&with("--context east"), 1, "has no context `east`");
        check(&with("--context west"), 1, "has no context `prod-west`");
        check(&with("--context prod-west"), 1, "has no context `prod-west`");
        check(&with("--context west=test-west"), 1, "has no context `test-west`");
        check(&with("--context north"), 1, "the spec has no cluster `north`");
    }
    // A name goes before another cluster's context of that name.
    let crossed =
        SPEC.replace("name: east,", "name: east, context: prod-east,").replace("prod-west", "east");
    fs::write(shell.scratch.join("crossed.yaml"), crossed).expect("a spec");
    check("status -f @/crossed.yaml --context east", 1, "has no context `prod-east`");
    check("status -f @/none.yaml", 1, "error[ctl/io]: cannot read `");
    fs::write(shell.scratch.join("bad.yaml"), SPEC.replace("context", "contxt")).expect("a spec");
    check("status -f @/bad.yaml", 1, "bad.yaml:4");
}

/// The settings of each istiod with which all accept each other, in the form its release reads.
#[test]
fn trust_render() {
    let shell = shell();
    shell.good("ca init @/ca -f @/mesh.yaml --plain-root-key");
    let root = shell.scratch.read("ca/root-cert.pem");
    let (first, rest) = root.split_once('\n').expect("PEM");
    let pem = rest.lines().fold(first.to_owned(), |text, line| text + "\n      " + line);
    // A key is not needed.
    fs::remove_file(shell.scratch.join("ca/east/ca-key.pem")).expect("a key");
    let said = shell.good("trust render @/ca -f @/mesh.yaml");
    let expect = format!(
        "\
# cluster east, Istio 1.30.3
# helm --kube-context east -n istio upgrade istiod istio/istiod --version 1.30.3 --reuse-values -f FILE
# In an IstioOperator, put these values under spec.values. Lists replace existing lists.
# accepts west.example, whose last root expires 2036-11-18
# An AuthorizationPolicy names their workloads as TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT.
meshConfig:
  caCertificates:
  - pem: |
      {pem}
    trustDomains:
    - west.example
  trustDomain: cluster.local
---
# cluster west, Istio 1.30.3
# helm --kube-context prod-west -n istio-system upgrade istiod istio/istiod --version 1.30.3 --reuse-values -f FILE
# In an IstioOperator, put these values under spec.values. Lists replace existing lists.
# accepts cluster.local, whose last root expires 2036-11-18
# An AuthorizationPolicy names their workloads as TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT.
meshConfig:
  caCertificates:
  - pem: |
      {pem}
    trustDomains:
    - cluster.local
  trustDomain: west.example
"
    );
    assert_eq!(said, expect);
    let old =
        SPEC.replace("west, context: prod-west, istioVersion: 1.30.3", "west, istioVersion: 1.6.4");
    fs::write(shell.scratch.join("mesh.yaml"), old.replace("1.30.3", "1.15.0")).expect("a spec");
    let said = shell.good("trust render @/ca -f @/mesh.yaml --cluster east");
    assert!(
        said.ends_with("  trustDomain: cluster.local\n  trustDomainAliases:\n  - west.example\n"),
        "{said}"
    );
    let said = shell.good("trust render @/ca -f @/mesh.yaml --cluster west");
    assert!(
        said.ends_with("pilot:\n  env:\n    PILOT_SKIP_VALIDATE_TRUST_DOMAIN: \"true\"\n"),
        "{said}"
    );
    fs::write(shell.scratch.join("mesh.yaml"), SPEC.replace(", trustDomain: west.example", ""))
        .expect("a spec");
    let said = shell.good("trust render @/none -f @/mesh.yaml --cluster west");
    assert!(said.ends_with("it accepts no other trust domain: no settings needed\n{}\n"), "{said}");
}

#[test]
fn trust_render_refuses() {
    let shell = shell();
    shell.good("ca init @/ca -f @/mesh.yaml --cluster west --plain-root-key");
    shell.check(
        "trust render @/ca -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[ctl/no-cluster]: @/ca has no folder `east` with a CA

        hint: `meshctl ca init @/ca -f SPEC` creates one for each cluster of the spec
    "#,
    );
    shell.good("ca init @/other --cluster east --plain-root-key");
    shell.good("ca init @/ca --cluster east");
    fs::copy(
        shell.scratch.join("other/root-cert.pem"),
        shell.scratch.join("ca/east/root-cert.pem"),
    )
    .expect("a root");
    shell.check(
        "trust render @/ca -f @/mesh.yaml",
        r#"
        exit 1
        --- stderr
        error[pki/untrusted]: no root vouches for the CA of the cluster
          in: @/ca/east/ca-cert.pem
          in: @/ca/east/root-cert.pem

        hint: `meshctl check @/ca/east` shows why
    "#,
    );
}

/// A root that is not trusted where its trust domain is to be accepted.
#[test]
fn trust_render_of_different_roots() {
    let shell = shell();
    shell.good("ca init @/ca -f @/mesh.yaml --cluster east --plain-root-key");
    shell.good("ca init @/other -f @/mesh.yaml --cluster west --plain-root-key");
    fs::rename(shell.scratch.join("other/west"), shell.scratch.join("ca/west")).expect("a move");
    let said = shell.run("trust render @/ca -f @/mesh.yaml");
    let told = [
        "warning[istiod/different-roots]: east does not trust the root of west\n",
        "warning[istiod/different-roots]: west does not trust the root of east\n",
        "ISTIO_MULTIROOT_MESH=true",
    ];
    ended(&said, 0, &told);
}
