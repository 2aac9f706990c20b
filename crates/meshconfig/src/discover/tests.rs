use alloc::vec;

use super::*;

/// A short form of what an API server lists.
fn answers(tag: &str, address: &str, version: &str) -> Vec<Value> {
    let text = format!(
        "
kind: List
items:
- {{kind: Namespace, metadata: {{name: istio-system, labels: {{topology.istio.io/network: net1}}}}}}
- kind: Deployment
  metadata: {{name: istiod, namespace: istio-system}}
  spec: {{template: {{spec: {{containers: [{{image: 'docker.io/istio/pilot:{tag}', env: [{{name: TRUST_DOMAIN, value: td1}}]}}]}}}}}}
- kind: Service
  metadata: {{name: istio-eastwestgateway, namespace: istio-system, labels: {{istio: eastwestgateway}}}}
  spec: {{selector: {{istio: eastwestgateway}}, ports: [{{port: 15021}}, {{port: 15443}}]}}
  status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}
- kind: Service
  metadata: {{name: reviews, namespace: default, labels: {{meshctl/export: 'true'}}}}
  spec: {{selector: {{app: reviews}}, ports: [{{name: http, port: 9080}}, {{name: udp, port: 53, protocol: UDP}}, {{name: db, port: 5432}}]}}
- kind: Deployment
  metadata: {{name: reviews, namespace: default}}
  spec: {{template: {{metadata: {{labels: {{app: reviews, version: {version}}}}}, spec: {{serviceAccountName: bookinfo-reviews}}}}}}
- {{kind: Service, metadata: {{name: ratings, namespace: default}}, spec: {{selector: {{app: ratings}}, ports: [{{port: 80}}]}}}}
"
    );
    crate::resource::documents(&text).unwrap()
}

fn observed(version: &str) -> Observed {
    let cluster =
        observe("east", &answers("1.30.3-distroless", "192.0.2.1", version), &Select::default());
    Observed { clusters: vec![cluster] }
}

#[test]
fn what_a_cluster_has() {
    let seen = observe("east", &answers("1.30.3", "192.0.2.1", "v1"), &Select::default());
    assert_eq!(
        (seen.istio_version.as_str(), seen.trust_domain.as_deref(), seen.network.as_deref()),
        ("1.30.3", Some("td1"), Some("net1"))
    );
    assert_eq!(
        (seen.gateway_addresses.as_slice(), seen.gateway_port),
        (&["192.0.2.1".to_string()][..], Some(15443))
    );
    let names = |select: &Select| {
        let seen = observe("east", &answers("1.30.3", "192.0.2.1", "v1"), select);
        seen.services.into_iter().map(|service| service.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&Select::default()), ["reviews"]);
    assert_eq!(
        names(&Select { mark: None, namespaces: vec!["default".into()] }),
        ["ratings", "reviews"]
    );
    assert_eq!(
        names(&Select { mark: Some(("meshctl/export".into(), None)), namespaces: vec![] }),
        ["reviews"]
    );
    let reviews = &seen.services[0];
    let ports: Vec<(u16, &str)> =
        reviews.ports.iter().map(|p| (p.number, p.protocol.as_str())).collect();
    assert_eq!(ports, [(9080, "HTTP"), (5432, "TCP")]);
    assert_eq!(reviews.subsets[0].name, "version-v1");
    assert_eq!(reviews.service_accounts, ["bookinfo-reviews"]);
}

#[test]
fn a_new_file_is_a_spec() {
    let merged = merge(None, &observed("v1")).unwrap();
    assert_eq!(merged.inserted, ["cluster east", "service default/reviews on east"]);
    let spec = Spec::read(&merged.text).unwrap();
    assert_eq!(spec.clusters[0].trust_domain, "td1");
    assert_eq!(spec.services[0].imported_by, ["*"]);
    // Asking again changes nothing.
    let again = merge(Some(&merged.text), &observed("v1")).unwrap();
    assert_eq!((again.text, again.inserted, again.differs), (merged.text, vec![], vec![]));
}

#[test]
fn nothing_the_user_wrote_is_lost() {
    let mine = "# my mesh
apiVersion: meshctl/v1
kind: Mesh
clusters:   # all of them
  - name: west   # old
    istioVersion: '1.6.4'

  # to be replaced
  - {name: east, istioVersion: 1.30.2, trustDomain: td1, gateway: {addresses: [192.0.2.1]}}
# how calls go
policies: []
# services below
services:
- name: reviews   # mine
  namespace: default
  cluster: west
  ports: [{name: http, number: 9080, protocol: HTTP}]
# the end";
    let merged = merge(Some(mine), &observed("v1")).unwrap();
    for line in mine.lines() {
        assert!(merged.text.lines().any(|kept| kept == line), "{line}\n{}", merged.text);
    }
    assert_eq!(merged.inserted, ["service default/reviews on east"]);
    assert_eq!(
        merged.differs,
        [Difference {
            path: "clusters[1].istioVersion".into(),
            file: "1.30.2".into(),
            cluster: "1.30.3".into()
        }]
    );
    let spec = Spec::read(&merged.text).unwrap();
    assert_eq!(spec.services.len(), 2);
    assert!(merged.text.ends_with("# the end"), "{}", merged.text);
    // A newer version is reported, and the file stays unchanged.
    let later = merge(Some(&merged.text), &observed("v2")).unwrap();
    assert_eq!(later.text, merged.text);
    assert_eq!(
        later.differs[1],
        Difference {
            path: "services[1].subsets".into(),
            file: "version=v1".into(),
            cluster: "version=v2".into()
        }
    );
}

#[test]
fn lists_of_every_form() {
    let check = |list: &str, wanted: &str| {
        let text = format!("a: 1\n{list}z: 2\n");
        let found =
            insert::append(&text, "services", "- name: new\n").map_err(|error| error.to_string());
        assert_eq!(
            found.as_deref().map_err(String::as_str),
            Ok(format!("a: 1\n{wanted}").as_str()),
            "{list}"
        );
    };
    check("services:\n- name: old\n", "services:\n- name: old\n- name: new\nz: 2\n");
    check(
        "services:\n    - name: old\n\n",
        "services:\n    - name: old\n    - name: new\n\nz: 2\n",
    );
    check("services: []\n", "services:\n- name: new\nz: 2\n");
    check(
        "services: [] # none yet\n",
        "services: # none yet\n- name: new\nz: 2\n".replace("services: #", "services:  #").as_str(),
    );
    check("", "z: 2\nservices:\n- name: new\n");
    check("services:\n- - nested\n", "services:\n- - nested\n- name: new\nz: 2\n");
    check(
        "services:\n- |\n  text\n  more\n",
        "services:\n- |\n  text\n  more\n- name: new\nz: 2\n",
    );
    assert!(insert::append("services: [{a: b}]\n", "services", "- c\n").is_err());
    assert_eq!(
        insert::append("services:\n- a", "services", "- c\n").unwrap(),
        "services:\n- a\n- c\n"
    );
}

/// The result is a spec with one more cluster and service, or an error; never a text that is not a spec.
#[test]
fn specs_of_every_form() {
    let head = "{apiVersion: meshctl/v1, kind: Mesh";
    let old = "{name: east, istioVersion: 1.30.3, gateway: {addresses: [192.0.2.1]}}";
    let service = ObservedService {
        name: "new".into(),
        namespace: "new".into(),
        ..ObservedService::default()
    };
    let cluster = ObservedCluster {
        name: "new".into(),
        istio_version: "1.30.3".into(),
        services: vec![service],
        ..ObservedCluster::default()
    };
    let observed = Observed { clusters: vec![cluster] };
    let check = |text: &str, is_merged: bool| {
        assert!(Spec::read(text).is_ok(), "{text}");
        match merge(Some(text), &observed) {
            Ok(merged) => {
                let spec = Spec::read(&merged.text).unwrap();
                assert_eq!((spec.clusters.len(), spec.services.len()), (2, 1), "{text}");
                assert!(is_merged, "{text}");
            }
            Err(error) => assert!(!is_merged, "{text}: {error}"),
        }
    };
    check(&format!("{head}, clusters: [{old}]}}"), false);
    check(&format!("{head}, clusters: [{old}], services: [], policies: []}}"), false);
    check(&format!("{head},\nclusters: [{old}],\nservices: []\n}}\n"), false);
    let block = format!("apiVersion: meshctl/v1\nkind: Mesh\nclusters:\n- {old}\n");
    check(&block, true);
    check(&format!("{block}services: []\n"), true);
    check(&format!("{block}\"services\" : [] # [] none\n"), true);
    check(&format!("{block}services: [ ]\n"), false);
}

#[test]
fn protocols_as_istio_takes_them() {
    for (name, app, wanted) in [
        ("http", None, "HTTP"),
        ("http-web", None, "HTTP"),
        ("grpc-x", None, "GRPC"),
        ("https", None, "HTTPS"),
        ("web", None, "TCP"),
        ("tcp", Some("http"), "HTTP"),
        ("x", Some("kubernetes.io/h2c"), "HTTP2"),
        ("mongo", None, "MONGO"),
        ("tls-x", None, "TLS"),
    ] {
        assert_eq!(protocol(name, app).as_str(), wanted, "{name}");
    }
}
