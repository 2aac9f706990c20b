//! meshconfig on fixtures/mesh: golden files, reference resources, and the schemas of Istio's own CRDs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meshconfig::address::Taken;
use meshconfig::{Lock, Mesh, Resource, Spec, render};
use serde_json::Value;
use tests::crd::Crds;
use tests::{NOW, shared};

fn cases() -> Vec<(String, PathBuf)> {
    let folder = shared::root().join("fixtures/mesh");
    let mut cases: Vec<(String, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("mesh.yaml").exists())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    cases.sort();
    assert!(cases.len() >= 4);
    cases
}

fn mesh(path: &Path) -> Mesh {
    let text = fs::read_to_string(path.join("mesh.yaml")).unwrap();
    Mesh::new(&Spec::read(&text).unwrap()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn rendered(mesh: &Mesh) -> BTreeMap<String, Vec<Resource>> {
    let addresses = Lock::default().assign(mesh, &Taken::new(), NOW).unwrap();
    let of = |cluster: &meshconfig::mesh::MeshCluster| {
        (cluster.name.clone(), render(mesh, cluster, &addresses))
    };
    mesh.clusters().iter().map(of).collect()
}

/// `MESH_UPDATE=1` writes what is rendered now.
#[test]
fn golden_files() {
    let mut differences = Vec::new();
    for (name, path) in cases() {
        for (cluster, resources) in rendered(&mesh(&path)) {
            let text: String = resources.iter().map(|r| format!("---\n{}", r.yaml())).collect();
            let golden = path.join(format!("{cluster}.yaml"));
            if std::env::var_os("MESH_UPDATE").is_some() {
                fs::write(&golden, &text).unwrap();
            } else if fs::read_to_string(&golden).unwrap_or_default() != text {
                differences.push(format!("{name}/{cluster}.yaml"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:?} (MESH_UPDATE=1 takes them over)");
}

/// Every resource passes the real schema of its cluster's release, unknown fields refused.
#[test]
fn istios_own_schemas() {
    let crds: Vec<Option<Crds>> = ["1.6.4", "1.24.0", "1.30.3"]
        .iter()
        .map(|version| shared::file(&format!("istio/crd-all-{version}.yaml")))
        .map(|file| file.map(|file| Crds::read(&fs::read_to_string(file).unwrap())))
        .collect();
    let [Some(old), Some(middle), Some(new)] = crds.as_slice() else { return };
    let wrong = serde_json::json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {},
        "spec": {"hosts": ["a"], "colour": 1, "ports": [{"number": "80", "name": "a"}], "location": "HERE"}});
    assert_eq!(new.check(&wrong).len(), 3, "{:?}", new.check(&wrong));
    let mut count = 0;
    for (name, path) in cases() {
        let mesh = mesh(&path);
        for (cluster, resources) in rendered(&mesh) {
            let version = mesh.cluster(&cluster).unwrap().version.to_string();
            let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
            let crds = match minor {
                ..8 => vec![old],
                8..22 => vec![old, middle],
                22..30 => vec![middle],
                _ => vec![middle, new],
            };
            for resource in &resources {
                for crd in &crds {
                    assert_eq!(
                        crd.check(&resource.value),
                        Vec::<String>::new(),
                        "{name} {cluster} {}",
                        resource.id()
                    );
                    count += 1;
                }
            }
        }
    }
    println!("{count} resources passed Istio's schemas");
}

/// The reference resources of the Bookinfo example: kind, host and spec of every resource are the same.
#[test]
fn bookinfo_equals_the_reference() {
    let case = |case: &str, files: &[(&str, &str)], left_out: &[&str]| {
        let resources = rendered(&mesh(&shared::root().join("fixtures/mesh").join(case)));
        for (cluster, file) in files {
            let Some(path) = shared::file(&format!("istio/{file}.yaml")) else { return };
            let wanted: Vec<Value> =
                serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
            let strip = |value: &Value| {
                let mut spec = value["spec"].clone();
                left_out.iter().for_each(|key| drop(spec.as_object_mut().unwrap().remove(*key)));
                (
                    value["kind"].as_str().unwrap().to_owned(),
                    value["apiVersion"].clone(),
                    sorted(spec),
                )
            };
            let mut wanted: Vec<_> = wanted.iter().filter(|v| !v.is_null()).map(strip).collect();
            if *cluster == "cluster2" && case == "bookinfo-multi-primary" {
                wanted.retain(|(kind, ..)| kind == "DestinationRule");
            }
            let found = resources[*cluster].iter().map(|r| strip(&r.value));
            // The Gateway of multi-primary is not in the reference file.
            let mut found: Vec<_> =
                found.filter(|(kind, ..)| wanted.iter().any(|w| w.0 == *kind)).collect();
            wanted.sort_by_key(|w| format!("{w:?}"));
            found.sort_by_key(|w| format!("{w:?}"));
            assert_eq!(found, wanted, "{case} {cluster}");
        }
    };
    // The address is ours to choose; the file of the new dialect has it as a comment. `exportTo: ["*"]` is the default,
    // unless the mesh has another one.
    case(
        "bookinfo-1.6",
        &[("cluster1", "d-i-istio16-cluster1"), ("cluster2", "d-i-istio16-cluster2")],
        &["addresses", "exportTo"],
    );
    case(
        "bookinfo-current",
        &[("cluster1", "d-ii-current-cluster1"), ("cluster2", "d-ii-current-cluster2")],
        &["addresses", "exportTo"],
    );
    let both = "d-iib-multiprimary-both";
    case("bookinfo-multi-primary", &[("cluster1", both), ("cluster2", both)], &["exportTo"]);
}

/// Subsets have no order.
fn sorted(mut spec: Value) -> Value {
    if let Some(subsets) = spec["subsets"].as_array_mut() {
        subsets.sort_by_key(|subset| subset["name"].to_string());
    }
    spec
}
